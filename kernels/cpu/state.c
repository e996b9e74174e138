/* kernels/cpu/state.c: a state is made, told about and given back. What a batch does to it is in stages.c, its bytes in state_file.c. */
#include "kernels/cpu/state.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t machine_bytes(void) {
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_C(8) << 30;
}

/* Address space for each entity, for records and rings. A part of the vnodes gets four times its share: many states must fit beside each
 * other, and keys do not divide evenly. */
static uint64_t bytes_bound(const ride_state_options *options) {
    if (options->memory_bytes_max != 0) return options->memory_bytes_max;
    const uint64_t machine = machine_bytes(), share = machine / RIDE_VNODES * options->vnodes_count;
    return share < machine / 4 ? 4 * share : machine;
}

static uint64_t keys_expected(const ride_program_dev *program, uint32_t e, const ride_state_options *options) {
    if (options->reserve_keys != 0) return options->reserve_keys;
    const uint64_t keys = ride_bundle_array(&program->bundle, RIDE_SECTION_ENTITIES, ride_plan_entity)[e].expected_keys;
    return options->vnodes_count < RIDE_VNODES ? keys / RIDE_VNODES * options->vnodes_count + keys % RIDE_VNODES : keys;
}

ride_status ride_cpu_state_create(ride_device *device, const ride_program_dev *program,
                                  const ride_state_options *options, ride_state **out, ride_error *err) {
    ride_status st = RIDE_OK;
    if (program->bundle.plan == NULL) return ride_fail(err, RIDE_E_MODEL, "the program has no feature plan");
    ride_state *state = calloc(1, sizeof *state);
    if (state == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a state");
    const ride_plan_header *plan = program->bundle.plan;
    uint32_t n = plan->entities_count;
    state->program = program;
    state->options = *options;
    state->entities = calloc(n + 1, sizeof *state->entities);
    state->rows = calloc(2 * n + 1, sizeof *state->rows);
    state->found = calloc((size_t)n * RIDE_FLIGHT + 1, RIDE_BLOCK_ROWS * sizeof *state->found);
    state->hash = calloc((size_t)n * RIDE_FLIGHT + 1, RIDE_BLOCK_ROWS * sizeof *state->hash);
    state->conditions = calloc((size_t)RIDE_CHUNK_TILES * plan->conditions_count + 1, sizeof *state->conditions);
    if (state->entities == NULL || state->rows == NULL || state->found == NULL || state->hash == NULL ||
        state->conditions == NULL) {
        st = ride_fail(err, RIDE_E_MEMORY, "no memory for a state of %u entities", n);
        goto fail;
    }
    const uint64_t bytes_max = bytes_bound(options);
    for (uint32_t e = 0; e < n; e++) {
        RIDE_TRY_GOTO(st,
                      ride_cpu_entity_create(&state->entities[e], &program->bundle, e, bytes_max,
                                             keys_expected(program, e, options), device->isa, err),
                      fail);
        state->entities_count = e + 1;
        RIDE_TRY_GOTO(st, ride_cpu_rows_create(&state->rows[2 * e], &state->entities[e], err), fail);
        RIDE_TRY_GOTO(st, ride_cpu_rows_create(&state->rows[2 * e + 1], &state->entities[e], err), fail);
    }
    if (options->vnodes_count < RIDE_VNODES)
        RIDE_TRY_GOTO(st,
                      ride_cpu_own_create(&program->bundle, options, state->entities, &program->in_layout,
                                          &program->out_layout, &state->own, err),
                      fail);
    *out = state;
    return RIDE_OK;
fail:
    ride_cpu_state_destroy(state);
    return st;
}

void ride_cpu_state_destroy(ride_state *state) {
    if (state == NULL) return;
    for (uint32_t e = 0; state->entities != NULL && e < state->entities_count; e++) {
        ride_cpu_entity_destroy(&state->entities[e]);
        ride_cpu_rows_destroy(&state->rows[2 * e]);
        ride_cpu_rows_destroy(&state->rows[2 * e + 1]);
    }
    free(state->entities);
    free(state->rows);
    free(state->found);
    free(state->hash);
    free(state->conditions);
    ride_cpu_own_destroy(state->own);
    free(state);
}

void ride_cpu_state_stats(const ride_state *state, ride_state_stats *out) {
    memset(out, 0, sizeof *out);
    for (uint32_t e = 0; e < state->entities_count; e++) {
        const ride_cpu_entity *entity = &state->entities[e];
        out->keys += entity->records_used - entity->records_free;
        out->bytes += ride_cpu_entity_bytes(entity);
        out->evicted_entries += entity->stats.evicted_entries;
        out->late_inserts += entity->stats.late_inserts;
        for (uint32_t i = 0; i < entity->records_used; i++)
            out->entries += ride_cpu_record(entity, i)->n - ride_cpu_record(entity, i)->first;
    }
}
