/* engine/compile.c: spec, rules, model and profile → one bundle image. Here the spec meets the model and the profile. */
#include "engine/engine.h"
#include "engine/profile.h"
#include "kernels/layout/bundle.h"

#include <stdlib.h>
#include <string.h>

ride_model_source *ride_vector_sources(const ride_spec *spec) {
    const ride_source_spec *events = &spec->sources[spec->source_events];
    ride_model_source *sources = calloc(spec->vector_count + 1, sizeof *sources);
    for (uint32_t v = 0; sources != NULL && v < spec->vector_count; v++) {
        sources[v].name = spec->vector_names[v];
        for (uint32_t f = 0; f < events->fields_count; f++)
            if (events->fields[f].type == RIDE_FIELD_CATEGORY &&
                strcmp(events->fields[f].name, spec->vector_names[v]) == 0) {
                sources[v].categories = events->fields[f].categories;
                sources[v].categories_count = events->fields[f].categories_count;
            }
    }
    return sources;
}

static ride_status add_model(const ride_run_options *options, const ride_spec *spec, ride_bundle_builder *builder,
                             uint8_t hash[32], ride_diagnostics *findings, ride_error *err) {
    ride_ensemble *model = NULL;
    RIDE_TRY(ride_ensemble_load(options->model_path, &options->model_load, &model, findings));
    ride_model_source *sources = ride_vector_sources(spec);
    ride_status st = sources == NULL ? ride_fail(err, RIDE_E_MEMORY, "no memory for the vector's names")
                                     : ride_ensemble_to_bundle(model, sources, spec->vector_count, builder, findings);
    ride_bundle_builder_hashes(builder, spec->hash, model->hash);
    memcpy(hash, model->hash, 32);
    free(sources);
    ride_ensemble_destroy(model);
    return st;
}

ride_status ride_compile(const ride_run_options *options, ride_spec **out_spec, uint8_t **image, uint64_t *image_bytes,
                         ride_diagnostics *findings, ride_error *err) {
    ride_spec *spec = NULL;
    ride_bundle_builder *builder = NULL;
    uint8_t model_hash[32] = {0};
    ride_status st = ride_spec_load(options->spec_path, &spec, findings);
    if (st == RIDE_OK) st = ride_bundle_builder_create(&builder, err);
    if (st == RIDE_OK) st = ride_spec_to_bundle(spec, options->rules, options->rules_count, builder, findings);
    if (spec != NULL && builder != NULL &&
        options->model_path != NULL) { /* also after bad rules: tell it all at once */
        ride_status model_st = add_model(options, spec, builder, model_hash, findings, err);
        if (st == RIDE_OK) st = model_st;
    }
    if (st == RIDE_OK && options->profile_path != NULL)
        st = ride_profile_add(options->profile_path, spec, options->model_path != NULL ? model_hash : NULL, builder,
                              findings, err);
    if (st == RIDE_OK) st = ride_bundle_builder_build(builder, image, image_bytes, err);
    ride_bundle_builder_destroy(builder);
    if (st == RIDE_OK && out_spec != NULL) *out_spec = spec;
    else ride_spec_destroy(spec);
    return st;
}
