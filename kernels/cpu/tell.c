/* kernels/cpu/tell.c: the reports of the engines as the backend table has them. */
#include "kernels/cpu/tell.h"

#include <stdio.h>

/* joint: of an ensemble's member, or NULL. */
static void tell_forest(const ride_cpu_forest *forest, const ride_cpu_forest *joint, uint32_t member, ride_part_fn part,
                        void *context) {
    ride_cpu_forest_report report;
    ride_part told = {.member = member, .sizes_count = RIDE_PART_SIZES};
    RIDE_STATIC_ASSERT((int)RIDE_PART_SIZES == (int)RIDE_CPU_FOREST_TOLD, "all of the report");
    ride_cpu_forest_describe(forest, &report);
    told.bytes = report.bytes;
    snprintf(told.why, sizeof told.why, "%.100s%s", report.why,
             joint != NULL ? "; for 64 rows and more in one forest with others" : "");
    for (uint32_t i = 0; i < RIDE_PART_SIZES; i++) {
        told.sizes[i].rows_count = report.sizes[i].rows_count;
        told.sizes[i].ns_per_row = report.sizes[i].ns_per_row;
        snprintf(told.sizes[i].way, sizeof told.sizes[i].way, "%s", ride_cpu_way_name(report.sizes[i].way));
    }
    part(context, &told);
}

static void tell_network(const ride_network *network, uint32_t member, ride_part_fn part, void *context) {
    const ride_network_header *h = network->header;
    ride_part told = {.member = member, .is_network = 1, .bytes = (uint64_t)h->numbers_count * sizeof(double)};
    snprintf(told.why, sizeof told.why,
             "a network: %u steps with %u numbers over blocks of rows, at most %u values a row", h->steps_count,
             h->numbers_count, h->width_max);
    part(context, &told);
}

void ride_cpu_model_tell(const ride_cpu_model *model, ride_part_fn part, void *context) {
    if (model->engine != NULL) tell_forest(model->engine, NULL, 0, part, context);
    if (model->ensemble == NULL) return;
    const ride_ensemble_parts *parts = ride_cpu_ensemble_parts(model->ensemble);
    for (uint32_t m = 0; m < ride_ensemble_parts_count(&parts->view); m++) {
        const ride_cpu_forest *forest = ride_cpu_ensemble_forest(model->ensemble, m);
        if (parts->members[m].network.header != NULL) tell_network(&parts->members[m].network, m, part, context);
        if (forest != NULL) tell_forest(forest, ride_cpu_ensemble_joint(model->ensemble, m), m, part, context);
    }
}
