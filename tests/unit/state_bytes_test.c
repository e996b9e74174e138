/* What `ride features explain` says of memory is what the cpu backend then holds, within a tenth; and the handbook job keeps its
 * promise: 16 bytes per event kept and entity from 100 events a key up, 256 for a key seen once. */
#include "backend/registry.h"
#include "features/explain.h"
#include "features/keys.h"
#include "features/spec.h"
#include "kernels/layout/state_layout.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUSTOMER = 0, TERMINAL = 1 };
static const int64_t day_us = INT64_C(86400000000);

typedef struct job {
    ride_spec *spec;
    uint8_t *image;
    ride_bundle bundle;
    ride_tile_layout in, out;
    ride_backend_services services;
    const ride_backend_ops *ops;
    ride_device *device;
    ride_program_dev *program;
    ride_state *state;
    ride_queue *queue;
    ride_batch *batch;
    uint8_t *out_tiles;
    ride_key_plan keys;
} job;

#define MUST(call) cr_assert_eq((call), RIDE_OK, #call ": %s", err.what)

static void job_open(job *j) {
    char path[4096];
    ride_error err = {0};
    ride_diagnostics findings;
    ride_bundle_builder *builder = NULL;
    uint64_t bytes = 0;
    const char *top = getenv("RIDE_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/examples/handbook/features.yaml", top != NULL ? top : ".");
    memset(j, 0, sizeof *j);
    ride_diagnostics_init(&findings);
    MUST(ride_spec_load(path, &j->spec, &findings));
    MUST(ride_bundle_builder_create(&builder, &err));
    MUST(ride_spec_to_bundle(j->spec, NULL, 0, builder, &findings));
    MUST(ride_bundle_builder_build(builder, &j->image, &bytes, &err));
    ride_bundle_builder_destroy(builder);
    ride_diagnostics_free(&findings);
    MUST(ride_bundle_open(j->image, bytes, &j->bundle, &err));
    ride_plan_layout_in(&j->bundle, &j->in);
    ride_plan_layout_out(&j->bundle, &j->out);
    ride_key_plan_init(&j->keys, j->spec, &j->bundle);
    ride_backend_services_init(&j->services, ride_clock_real());
    MUST(ride_backend_select("cpu", NULL, &j->services, &j->ops, NULL, &err));
    const ride_state_options options = {.vnodes_count = RIDE_VNODES};
    MUST(j->ops->device_open(0, &j->device, &err));
    MUST(j->ops->program_upload(j->device, &j->bundle, &j->program, &err));
    MUST(j->ops->state_create(j->device, j->program, &options, &j->state, &err));
    MUST(j->ops->queue_create(j->device, 4, &j->queue, &err));
    MUST(ride_batch_create(&j->in, RIDE_TILE_ROWS, 0, &j->batch, &err));
    MUST(j->ops->buffer_alloc(j->device, RIDE_BUFFER_HOST, j->out.tile_bytes, (void **)&j->out_tiles, &err));
    memset(j->batch->tiles, 0, j->in.tile_bytes);
}

static void job_close(job *j) {
    j->ops->buffer_free(j->device, RIDE_BUFFER_HOST, j->out_tiles);
    ride_batch_destroy(j->batch);
    j->ops->queue_destroy(j->queue);
    j->ops->state_destroy(j->state);
    j->ops->program_release(j->program);
    j->ops->device_close(j->device);
    ride_bundle_image_free(j->image);
    ride_spec_destroy(j->spec);
}

static void *column(job *j, const char *name) {
    const ride_source_spec *events = &j->spec->sources[j->spec->source_events];
    for (uint32_t i = 0; i < events->fields_count; i++)
        if (strcmp(events->fields[i].name, name) == 0)
            return ride_tile_values(&j->in, ride_batch_tile(j->batch, 0), events->fields[i].column);
    cr_assert(0, "no field %s", name);
    return NULL;
}

/* `keys` customers and as many terminals, an event of each every `gap_us`, `rounds` times. */
static ride_state_stats run(job *j, uint32_t keys, int64_t gap_us, uint32_t rounds) {
    ride_error err = {0};
    ride_state_stats stats;
    uint64_t done = 0, all = (uint64_t)keys * rounds;
    while (done < all) {
        uint32_t n = all - done < RIDE_TILE_ROWS ? (uint32_t)(all - done) : RIDE_TILE_ROWS;
        uint8_t *tile = ride_batch_tile(j->batch, 0);
        int64_t *time = ride_tile_values(&j->in, tile, RIDE_COLUMN_TIME),
                *clock = ride_tile_values(&j->in, tile, RIDE_COLUMN_CLOCK), *customer = column(j, "CUSTOMER_ID"),
                *terminal = column(j, "TERMINAL_ID"), *amount = column(j, "TX_AMOUNT");
        uint32_t *flags = ride_tile_values(&j->in, tile, RIDE_COLUMN_FLAGS);
        ride_batch_set_rows(j->batch, n, done);
        for (uint32_t i = 0; i < n; i++) {
            uint64_t round = (done + i) / keys, key = (done + i) % keys;
            time[i] = clock[i] =
                (INT64_C(1600000000) * 1000000 + (int64_t)round * gap_us + (int64_t)key * gap_us / keys) / 1000000 *
                1000000;
            flags[i] = RIDE_ROW_ENTERS;
            customer[i] = (int64_t)key;
            terminal[i] = (int64_t)(key * 7 % keys);
            amount[i] = 1234;
        }
        ride_keys_fill(&j->keys, j->batch, 0, n);
        ride_ticket ticket;
        const ride_work work = {.stages = RIDE_STAGE_FEATURES,
                                .rows_count = n,
                                .in_tiles = j->batch->tiles,
                                .out_tiles = j->out_tiles};
        MUST(j->ops->submit(j->queue, j->program, j->state, &work, &ticket));
        MUST(j->ops->wait(j->queue, ticket, UINT64_MAX));
        done += n;
    }
    j->ops->state_stats(j->state, &stats);
    return stats;
}

static uint64_t explained(const job *j, uint64_t customer_events, uint64_t terminal_events) {
    ride_error err = {0};
    ride_state_layout layout;
    uint64_t bytes = 0;
    MUST(ride_state_layout_make(&j->bundle, CUSTOMER, 0, &layout, &err));
    bytes += ride_state_key_bytes(&layout, customer_events);
    MUST(ride_state_layout_make(&j->bundle, TERMINAL, 0, &layout, &err));
    return bytes + ride_state_key_bytes(&layout, terminal_events);
}

/* 520 keys: just past a doubling of the key table, which is then emptiest. */
Test(state_bytes, a_key_seen_once) {
    job j;
    ride_error err = {0};
    ride_explain_entity said[RIDE_ENTITIES_MAX];
    job_open(&j);
    MUST(ride_explain_memory(j.spec, said, &err));
    cr_expect_eq(said[CUSTOMER].key_bytes_once + said[TERMINAL].key_bytes_once, explained(&j, 1, 1));
    cr_expect(said[CUSTOMER].key_bytes_once <= 256 && said[TERMINAL].key_bytes_once <= 256);
    ride_state_stats stats = run(&j, 520, day_us, 1);
    cr_expect_eq(stats.keys, 1040);
    cr_expect(stats.bytes <= 256 * stats.keys, "%llu bytes a key", (unsigned long long)(stats.bytes / stats.keys));
    cr_expect_float_eq((double)stats.bytes, 520.0 * (double)explained(&j, 1, 1), 52.0 * (double)explained(&j, 1, 1));
    job_close(&j);
}

/* Three times round the longest window, so that rings have begun again: what is held is what a long run holds. */
static void steady(uint32_t keys, uint32_t events) {
    job j;
    ride_error err = {0};
    ride_explain_entity said[RIDE_ENTITIES_MAX];
    job_open(&j);
    MUST(ride_explain_memory(j.spec, said, &err));
    ride_state_stats stats = run(&j, keys, 30 * day_us / events, 37 * 3 * events / 30);
    uint64_t kept[2] = {events, (uint64_t)events * 37 / 30}, bytes = explained(&j, kept[0], kept[1]) * keys;
    if (events == RIDE_EXPLAIN_EVENTS_DEFAULT)
        cr_expect_eq(said[CUSTOMER].key_bytes + said[TERMINAL].key_bytes, explained(&j, events, events));
    cr_expect_eq(stats.keys, 2 * keys);
    cr_expect_float_eq((double)stats.bytes, (double)bytes, 0.1 * (double)bytes,
                       "%u events a key: holds %llu, said %llu", events, (unsigned long long)stats.bytes,
                       (unsigned long long)bytes);
    cr_expect(stats.bytes <= 16 * (kept[0] + kept[1]) * keys, "%u events a key: %.2f bytes per event and entity",
              events, (double)stats.bytes / (double)((kept[0] + kept[1]) * keys));
    job_close(&j);
}
Test(state_bytes, a_hundred_events_a_key) { steady(520, RIDE_EXPLAIN_EVENTS_DEFAULT); }
Test(state_bytes, odd_numbers_of_events_a_key) {
    static const uint32_t events[] = {130, 391, 1000};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) steady(130, events[i]);
}
