/* engine/budget.c: see the header. */
#include "engine/budget.h"
#include "features/explain.h"
#include "ride/backend.h"
#include "topo/topo.h"

/* Explaining: planes and rooms of some 1,024 rows by input, and bits by test, of which the image has many times more bytes. */
enum { EXPLAIN_BYTES = 4 << 20, EXPLAIN_INPUT_BYTES = 24 << 10 };

static void add_state(const ride_spec *spec, ride_budget_facts *out) {
    ride_explain_entity entities[RIDE_ENTITIES_MAX];
    ride_error err = {.status = RIDE_OK};
    out->state_is_expected = ride_explain_memory(spec, entities, &err) == RIDE_OK;
    for (uint32_t e = 0; e < spec->entities_count && out->state_is_expected; e++) {
        out->state_is_expected = entities[e].expected_keys != 0;
        if (__builtin_add_overflow(out->state_bytes, entities[e].total_bytes_max, &out->state_bytes))
            out->state_bytes = UINT64_MAX;
    }
}

void ride_budget_facts_of(const ride_spec *spec, const ride_bundle *bundle, uint32_t shards, bool pipelined,
                          ride_budget_facts *out) {
    ride_tile_layout in, results;
    ride_plan_layout_in(bundle, &in);
    ride_plan_layout_out(bundle, &results);
    *out = (ride_budget_facts){
        .tile_in_bytes = in.tile_bytes,
        .tile_out_bytes = results.tile_bytes,
        .image_bytes = bundle->image_bytes,
        .explain_thread_bytes = EXPLAIN_BYTES + bundle->image_bytes + spec->vector_count * EXPLAIN_INPUT_BYTES,
        .has_peers = spec->has_peers,
        .has_ids = spec->sources[spec->source_events].dedup_us > 0 || spec->source_labels >= 0,
        .shards = shards,
        .pipelined = pipelined,
    };
    add_state(spec, out);
}

ride_status ride_budget_at_start(const ride_config *config, const ride_budget_facts *facts, ride_budget *out,
                                 ride_error *err) {
    ride_topo *topo = NULL;
    ride_config_budget(config, facts, out);
    if (ride_topo_load(NULL, &topo, NULL) != RIDE_OK) return RIDE_OK; /* what is not known limits nothing */
    ride_status st = ride_budget_check(out, ride_machine_memory(ride_topo_machine(topo)), err);
    ride_topo_destroy(topo);
    return st;
}
