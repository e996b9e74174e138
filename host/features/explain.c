/* features/explain.c: see the header. A bundle is built in memory, because the layout is made from a bundle. */
#include "features/explain.h"

#include "features/duration.h"
#include "features/spec_internal.h"
#include "lib/hash.h"

#include <inttypes.h>
#include <stdlib.h>

static ride_status fill(const ride_spec *spec, const ride_bundle *bundle, ride_explain_entity *out, ride_error *err) {
    for (uint32_t e = 0; e < spec->entities_count; e++) {
        const ride_plan_entity *plan = &spec_private_of(spec)->entities[e];
        ride_state_layout first, wide;
        int narrow = ride_state_can_be_narrow(bundle, e);
        RIDE_TRY(ride_state_layout_make(bundle, e, !narrow, &first, err));
        RIDE_TRY(ride_state_layout_make(bundle, e, 1, &wide, err));
        uint64_t events = plan->max_events != 0 ? plan->max_events : RIDE_EXPLAIN_EVENTS_DEFAULT;
        out[e] = (ride_explain_entity){.can_be_narrow = narrow != 0,
                                       .events_per_key = events,
                                       .expected_keys = plan->expected_keys,
                                       .key_bytes_once = ride_state_key_bytes(&first, 1),
                                       .key_bytes = ride_state_key_bytes(&first, events),
                                       .key_bytes_wide = ride_state_key_bytes(&wide, events)};
        if (__builtin_mul_overflow(plan->expected_keys, out[e].key_bytes_wide, &out[e].total_bytes_max))
            out[e].total_bytes_max = UINT64_MAX;
    }
    return RIDE_OK;
}

ride_status ride_explain_memory(const ride_spec *spec, ride_explain_entity *out, ride_error *err) {
    ride_bundle_builder *builder = NULL;
    ride_diagnostics findings;
    uint8_t *image = NULL;
    uint64_t bytes = 0;
    ride_bundle bundle;
    ride_diagnostics_init(&findings);
    ride_status st = ride_bundle_builder_create(&builder, err);
    if (st == RIDE_OK) {
        st = ride_spec_to_bundle(spec, NULL, 0, builder, &findings);
        if (st != RIDE_OK) ride_diagnostics_error(&findings, err);
    }
    if (st == RIDE_OK) st = ride_bundle_builder_build(builder, &image, &bytes, err);
    if (st == RIDE_OK) st = ride_bundle_open(image, bytes, &bundle, err);
    if (st == RIDE_OK) st = fill(spec, &bundle, out, err);
    ride_bundle_image_free(image);
    ride_bundle_builder_destroy(builder);
    ride_diagnostics_free(&findings);
    return st;
}

static void write_entity(const ride_spec *spec, uint32_t e, const ride_explain_entity *x, FILE *out) {
    const ride_plan_entity *plan = &spec_private_of(spec)->entities[e];
    char retention[32];
    fprintf(out, "entity %s: retained %s, %u stored columns, %u window ends\n", spec->entities[e].name,
            ride_duration_text(plan->retention_us, retention, sizeof retention), plan->lanes_count, plan->edges_count);
    fprintf(out, "  bytes per key: %" PRIu64 " seen once, %" PRIu64 " with %" PRIu64 " events%s", x->key_bytes_once,
            x->key_bytes, x->events_per_key, plan->max_events != 0 ? " (max_events)" : "");
    if (x->can_be_narrow) fprintf(out, ", %" PRIu64 " once 8-byte words are needed", x->key_bytes_wide);
    if (x->expected_keys == 0) fprintf(out, "\n  in all: no expected_keys given\n");
    else
        fprintf(out, "\n  in all: %" PRIu64 " keys x %" PRIu64 " bytes = %" PRIu64 " bytes at most\n", x->expected_keys,
                x->key_bytes_wide, x->total_bytes_max);
}

ride_status ride_explain_text(const ride_spec *spec, char **out_text, ride_error *err) {
    ride_explain_entity entities[RIDE_ENTITIES_MAX];
    uint64_t total = 0;
    size_t bytes = 0;
    char hash[2 * RIDE_SHA256_BYTES + 1], id[33];
    *out_text = NULL;
    RIDE_TRY(ride_explain_memory(spec, entities, err));
    FILE *out = open_memstream(out_text, &bytes);
    if (out == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a report");
    fprintf(out, "spec %s\nhash %s\n\n", spec->path, ride_hex(spec->hash, sizeof spec->hash, hash));
    for (uint32_t e = 0; e < spec->entities_count; e++) {
        write_entity(spec, e, &entities[e], out);
        if (__builtin_add_overflow(total, entities[e].total_bytes_max, &total)) total = UINT64_MAX;
    }
    fprintf(out, "total %" PRIu64 " bytes", total);
    if (spec->memory_bytes_max != 0) fprintf(out, " of a budget of %" PRIu64, spec->memory_bytes_max);
    fprintf(out, "\n\nfeatures (id, how, name, definition)\n");
    for (uint32_t i = 0; i < spec->features_count; i++)
        fprintf(out, "%.12s exact %s = %s\n", ride_hex(spec->features[i].id, sizeof spec->features[i].id, id),
                spec->features[i].name, spec->features[i].text);
    if (fclose(out) == 0) return RIDE_OK;
    free(*out_text);
    *out_text = NULL;
    return ride_fail(err, RIDE_E_MEMORY, "no memory for a report");
}

/* The budget, at load. */
void spec_check_memory(spec_builder *b) {
    static const char advice[] = "raise `memory`, or lower expected_keys or max_events";
    ride_explain_entity entities[RIDE_ENTITIES_MAX];
    ride_error err = {0};
    uint64_t total = 0;
    if (ride_explain_memory(b->spec, entities, &err) != RIDE_OK) {
        ride_yaml_fault(&b->reader, b->root, NULL, "%s", err.what);
        return;
    }
    for (uint32_t e = 0; e < b->spec->entities_count; e++) {
        const ride_explain_entity *x = &entities[e];
        uint64_t most = b->priv->entity_memory_max[e];
        const ride_yaml_node *node = b->entity_nodes[e], *memory = ride_yaml_get(node, "memory");
        if (__builtin_add_overflow(total, x->total_bytes_max, &total)) total = UINT64_MAX;
        if (most != 0 && x->expected_keys == 0)
            ride_yaml_fault(&b->reader, memory, NULL,
                            "`memory` of entity `%s` needs `expected_keys` to be checked against",
                            b->spec->entities[e].name);
        if (most == 0 || x->total_bytes_max <= most) continue;
        ride_yaml_fault(&b->reader, memory, advice,
                        "entity `%s` needs %" PRIu64 " keys x %" PRIu64 " bytes (%" PRIu64 " events each) = %" PRIu64
                        " bytes, its budget is %" PRIu64,
                        b->spec->entities[e].name, x->expected_keys, x->key_bytes_wide, x->events_per_key,
                        x->total_bytes_max, most);
    }
    if (b->spec->memory_bytes_max != 0 && total > b->spec->memory_bytes_max)
        ride_yaml_fault(&b->reader, ride_yaml_get(b->root, "memory"), advice,
                        "the entities need %" PRIu64 " bytes together, the budget is %" PRIu64, total,
                        b->spec->memory_bytes_max);
}
