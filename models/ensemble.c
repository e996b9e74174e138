/* models/ensemble.c: ensembles as things that own their members. */
#include "models/ensemble.h"

#include <string.h>

void ride_ensemble_destroy(ride_ensemble *ensemble) {
    if (ensemble == NULL) return;
    ride_arena *arena = ensemble->arena; /* the ensemble itself lies in it */
    for (uint32_t i = 0; i < ensemble->members_count + ensemble->has_stacker; i++)
        ride_model_destroy(ensemble->members[i].model);
    ride_arena_destroy(arena);
}

ride_status ride_ensemble_of_model(ride_model *model, const char *path, ride_ensemble **out,
                                   ride_diagnostics *findings) {
    ride_arena *arena = NULL;
    ride_error err = {0};
    *out = NULL;
    ride_status st = ride_arena_create(4096, 0, &arena, &err);
    ride_ensemble *e = st == RIDE_OK ? ride_arena_new(arena, ride_ensemble, 1) : NULL;
    ride_model_member *member = e != NULL ? ride_arena_new(arena, ride_model_member, 1) : NULL;
    const char *copy = member != NULL ? ride_arena_text(arena, path, strlen(path)) : NULL;
    if (copy == NULL) {
        ride_arena_destroy(arena);
        ride_model_destroy(model);
        return ride_diagnose(findings, RIDE_E_MEMORY, path, 0, 0, NULL, "no memory for an ensemble");
    }
    *member = (ride_model_member){.name = "model", .model = model, .weight = 1.0};
    *e = (ride_ensemble){.path = copy,
                         .combine = RIDE_COMBINE_ONE,
                         .members = member,
                         .members_count = 1,
                         .inputs = model->inputs,
                         .inputs_count = model->inputs_count,
                         .has_names = model->has_names,
                         .outputs_count = model->outputs_count,
                         .number = model->sum_number,
                         .arena = arena};
    memcpy(e->hash, model->hash, sizeof e->hash);
    *out = e;
    return RIDE_OK;
}
