/* The fake backend keeps the table's contract: order, FULL, PENDING, DEVICE_LOST, borrowed tiles, states. */
#include "backend/fake.h"
#include "backend/registry.h"
#include "base/batch.h"
#include "kernels/layout/profile.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { FEATURES = 2, DEPTH = 4 };

static ride_clock_virtual clock_virtual;
static ride_backend_services services;
static const ride_backend_ops *ops;
static ride_bundle bundle;
static uint8_t *image;
static ride_tile_layout layout_in, layout_out;
static ride_batch *in, *out;

/* One column of the margin, without edges: three cells. */
static void add_profile(ride_bundle_builder *builder) {
    const ride_profile_header header = {.profile_version = RIDE_PROFILE_VERSION,
                                        .columns_count = 1,
                                        .cells_count = 3,
                                        .rows_count = 5,
                                        .model_hash = {1}};
    const ride_profile_column column = {.source = RIDE_PROFILE_MARGIN, .kind = RIDE_PROFILE_NUMBER, .cells_count = 3};
    const uint64_t counts[3] = {1, 0, 4};
    ride_bundle_builder_add(builder, RIDE_SECTION_PROFILE, &header, sizeof header, NULL);
    ride_bundle_builder_add(builder, RIDE_SECTION_PROFILE_COLUMNS, &column, sizeof column, NULL);
    ride_bundle_builder_add(builder, RIDE_SECTION_PROFILE_EDGES, NULL, 0, NULL);
    ride_bundle_builder_add(builder, RIDE_SECTION_PROFILE_COARSE, NULL, 0, NULL);
    ride_bundle_builder_add(builder, RIDE_SECTION_PROFILE_COUNTS, counts, sizeof counts, NULL);
}

/* Two counts over one entity, two rules without programs are enough: the fake computes nothing. */
static void make_bundle(void) {
    const ride_plan_header plan = {.plan_version = RIDE_PLAN_VERSION,
                                   .columns_count = 4,
                                   .entities_count = 1,
                                   .edges_count = 1,
                                   .aggregates_count = FEATURES,
                                   .features_count = FEATURES,
                                   .column_label = -1,
                                   .spec_hash = {7}};
    const ride_plan_column columns[4] = {{.type = RIDE_TYPE_TIMESTAMP},
                                         {.type = RIDE_TYPE_TIMESTAMP},
                                         {.type = RIDE_TYPE_U32},
                                         {.type = RIDE_TYPE_KEY128}};
    const ride_plan_entity entity = {.key_column = 3, .edges_count = 1, .aggregates_count = FEATURES};
    const ride_plan_edge edge = {.kind = RIDE_EDGE_OFFSET};
    ride_plan_aggregate aggregates[FEATURES];
    for (uint32_t i = 0; i < FEATURES; i++)
        aggregates[i] = (ride_plan_aggregate){.op = RIDE_AGG_COUNT,
                                              .lane_count = -1,
                                              .lane_sum = -1,
                                              .lane_sumsq = -1,
                                              .lane_value = -1,
                                              .column = -1,
                                              .condition = -1,
                                              .feature = i};
    ride_bundle_builder *builder;
    uint64_t bytes;
    ride_error err;
    cr_assert_eq(ride_bundle_builder_create(&builder, NULL), RIDE_OK);
    ride_bundle_builder_add(builder, RIDE_SECTION_PLAN, &plan, sizeof plan, NULL);
    ride_bundle_builder_add(builder, RIDE_SECTION_COLUMNS, columns, sizeof columns, NULL);
    ride_bundle_builder_add(builder, RIDE_SECTION_ENTITIES, &entity, sizeof entity, NULL);
    ride_bundle_builder_add(builder, RIDE_SECTION_EDGES, &edge, sizeof edge, NULL);
    ride_bundle_builder_add(builder, RIDE_SECTION_AGGREGATES, aggregates, sizeof aggregates, NULL);
    add_profile(builder);
    cr_assert_eq(ride_bundle_builder_build(builder, &image, &bytes, NULL), RIDE_OK);
    ride_bundle_builder_destroy(builder);
    cr_assert_eq(ride_bundle_open(image, bytes, &bundle, &err), RIDE_OK, "%s", err.what);
}

static void setup(void) {
    ride_error err;
    ride_clock_virtual_init(&clock_virtual, 0);
    ride_backend_services_init(&services, &clock_virtual.clock);
    cr_assert_eq(ride_backend_select("fake", NULL, &services, &ops, NULL, &err), RIDE_OK, "%s", err.what);
    make_bundle();
    ride_plan_layout_in(&bundle, &layout_in);
    ride_plan_layout_out(&bundle, &layout_out);
    cr_assert_eq(ride_batch_create(&layout_in, 1000, 0, &in, NULL), RIDE_OK);
    cr_assert_eq(ride_batch_create(&layout_out, 1000, 0, &out, NULL), RIDE_OK);
}
static void teardown(void) {
    ride_batch_destroy(in);
    ride_batch_destroy(out);
    ride_bundle_image_free(image);
    ride_fake_set(NULL);
}
TestSuite(fake, .init = setup, .fini = teardown);

typedef struct rig {
    ride_device *device;
    ride_program_dev *program;
    ride_state *state;
    ride_queue *queue;
} rig;

static rig rig_open(uint32_t device_index) {
    rig r;
    const ride_state_options options = {.vnodes_count = RIDE_VNODES};
    cr_assert_eq(ops->device_open(device_index, &r.device, NULL), RIDE_OK);
    cr_assert_eq(ops->program_upload(r.device, &bundle, &r.program, NULL), RIDE_OK);
    cr_assert_eq(ops->state_create(r.device, r.program, &options, &r.state, NULL), RIDE_OK);
    cr_assert_eq(ops->queue_create(r.device, DEPTH, &r.queue, NULL), RIDE_OK);
    return r;
}
static void rig_close(rig *r) {
    ops->queue_destroy(r->queue);
    ops->state_destroy(r->state);
    ops->program_release(r->program);
    ops->device_close(r->device);
}

/* rows rows from `sequence` on, all entering; the whole input batch is of this work. */
static ride_status submit_rows(rig *r, uint32_t rows, uint64_t sequence, ride_ticket *ticket) {
    ride_batch_set_rows(in, rows, sequence);
    for (uint32_t row = 0; row < rows; row++) {
        void *tile = ride_batch_tile(in, row / RIDE_TILE_ROWS);
        ((uint32_t *)ride_tile_values(&layout_in, tile, RIDE_COLUMN_FLAGS))[row % RIDE_TILE_ROWS] = RIDE_ROW_ENTERS;
    }
    const ride_work work = {.stages = RIDE_STAGE_FEATURES | RIDE_STAGE_SCORE | RIDE_STAGE_RULES,
                            .rows_count = rows,
                            .in_tiles = in->tiles,
                            .out_tiles = out->tiles};
    return ops->submit(r->queue, r->program, r->state, &work, ticket);
}
static double output(uint32_t column, uint32_t row) {
    void *tile = ride_batch_tile(out, row / RIDE_TILE_ROWS);
    return ((double *)ride_tile_values(&layout_out, tile, column))[row % RIDE_TILE_ROWS];
}

Test(fake, tickets_complete_in_order_and_not_before_their_time) {
    ride_fake_set(&(ride_fake_script){.devices_count = 1, .delay_ns = 1000, .delay_ns_per_row = 10});
    rig r = rig_open(0);
    ride_ticket tickets[3];
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(submit_rows(&r, 100, 0, &tickets[i]), RIDE_OK); /* 2000 ns each, one after the other */
        cr_assert_eq(tickets[i], i + 1);
    }
    for (int done = 0; done < 3; done++) {
        for (int i = 0; i < 3; i++) cr_assert_eq(ops->poll(r.queue, tickets[i]), i < done ? RIDE_OK : RIDE_PENDING);
        ride_clock_virtual_advance(&clock_virtual, 1999);
        cr_assert_eq(ops->poll(r.queue, tickets[done]), RIDE_PENDING);
        ride_clock_virtual_advance(&clock_virtual, 1);
    }
    for (int i = 0; i < 3; i++) cr_assert_eq(ops->poll(r.queue, tickets[i]), RIDE_OK); /* any number of times */
    ride_queue_stats stats;
    ops->queue_stats(r.queue, &stats);
    cr_assert(stats.submitted == 3 && stats.completed == 3 && stats.rows == 300 && stats.busy_ns == 6000);
    rig_close(&r);
}

Test(fake, results_say_row_and_device_and_skipped_rows_are_left) {
    ride_fake_set(&(ride_fake_script){.devices_count = 3});
    rig r = rig_open(2);
    ride_ticket ticket;
    cr_assert_eq(submit_rows(&r, 600, 5000, &ticket), RIDE_OK);
    ((uint32_t *)ride_tile_values(&layout_in, ride_batch_tile(in, 1), RIDE_COLUMN_FLAGS))[7] = RIDE_ROW_SKIP;
    double untouched;
    memset(&untouched, 0xA5, sizeof untouched);
    cr_assert_eq(output(0, 0), untouched); /* not there before it was asked for */
    cr_assert_eq(ops->wait(r.queue, ticket, 0), RIDE_OK);
    for (uint32_t row = 0; row < 600; row++) {
        for (uint32_t f = 0; f < FEATURES; f++)
            cr_assert_eq(output(f, row), row == 263 ? untouched : ride_fake_feature(5000 + row, f));
        cr_assert_eq(output(FEATURES + RIDE_OUT_MARGIN, row), row == 263 ? untouched : 2);
        cr_assert_eq(output(FEATURES + RIDE_OUT_PROBABILITY, row),
                     row == 263 ? untouched : ride_fake_probability(5000 + row));
    }
    rig_close(&r);
}

Test(fake, counts_stay_zero_and_a_lost_device_gives_none) {
    ride_fake_set(&(ride_fake_script){.devices_count = 1, .delay_ns = 100});
    rig r = rig_open(0);
    ride_counts *counts = NULL;
    ride_ticket ticket;
    ride_error err;
    uint64_t cells[4] = {9, 9, 9, 9};
    cr_assert_eq(ops->counts_create(r.device, r.program, &counts, &err), RIDE_OK, "%s", err.what);
    ride_batch_set_rows(in, 10, 0);
    const ride_work work = {.stages = RIDE_STAGE_FEATURES | RIDE_STAGE_SCORE | RIDE_STAGE_PROFILE,
                            .rows_count = 10,
                            .in_tiles = in->tiles,
                            .out_tiles = out->tiles,
                            .counts = counts};
    cr_assert_eq(ops->submit(r.queue, r.program, r.state, &work, &ticket), RIDE_OK);
    cr_assert_eq(ops->wait(r.queue, ticket, UINT64_MAX), RIDE_OK);
    cr_assert_eq(ops->counts_take(counts, cells, &err), RIDE_OK);
    cr_assert(cells[0] == 0 && cells[1] == 0 && cells[2] == 0 && cells[3] == 9);
    ride_fake_lose(0, 0);
    cr_assert_eq(ops->counts_take(counts, cells, &err), RIDE_E_DEVICE_LOST);
    ops->counts_destroy(counts);
    rig_close(&r);
}

Test(fake, a_full_queue_takes_nothing) {
    ride_fake_set(&(ride_fake_script){.devices_count = 1, .delay_ns = 100});
    rig r = rig_open(0);
    ride_ticket ticket = 0, none = 99;
    for (int i = 0; i < DEPTH; i++) cr_assert_eq(submit_rows(&r, 1, 0, &ticket), RIDE_OK);
    cr_assert_eq(submit_rows(&r, 1, 0, &none), RIDE_FULL);
    cr_assert_eq(none, 99);
    ride_clock_virtual_advance(&clock_virtual, 100); /* the first is done: its place is free without asking for it */
    cr_assert_eq(submit_rows(&r, 1, 0, &ticket), RIDE_OK);
    cr_assert_eq(ticket, DEPTH + 1);
    cr_assert_eq(submit_rows(&r, 1, 0, &none), RIDE_FULL);
    rig_close(&r);
}

Test(fake, wait_ends_at_its_timeout_or_when_done) {
    ride_fake_set(&(ride_fake_script){.devices_count = 1, .delay_ns = 3600000000000}); /* an hour */
    rig r = rig_open(0);
    ride_ticket ticket;
    cr_assert_eq(submit_rows(&r, 1, 0, &ticket), RIDE_OK);
    cr_assert_eq(ops->wait(r.queue, ticket, 0), RIDE_PENDING);
    cr_assert_eq(ops->wait(r.queue, ticket, 500), RIDE_PENDING);
    cr_assert_eq(clock_virtual.now_ns, 500);
    cr_assert_eq(ops->wait(r.queue, ticket, UINT64_MAX), RIDE_OK);
    cr_assert_eq(clock_virtual.now_ns, 3600000000000);
    rig_close(&r);
}

Test(fake, scripted_failures_hit_their_work_only) {
    const ride_fake_event events[] = {
        {.work_index = 1, .action = RIDE_FAKE_FAIL, .status = RIDE_E_MEMORY},
        {.work_index = 2, .action = RIDE_FAKE_REFUSE, .status = RIDE_FULL},
        {.work_index = 3, .action = RIDE_FAKE_DELAY, .delay_ns = 5000},
        {.work_index = 0, .device_index = 1, .action = RIDE_FAKE_FAIL, .status = RIDE_E_DATA}, /* another device */
    };
    ride_fake_set(&(ride_fake_script){.devices_count = 2, .delay_ns = 10, .events = events, .events_count = 4});
    rig r = rig_open(0);
    ride_ticket first, second, third, none;
    cr_assert_eq(submit_rows(&r, 1, 0, &first), RIDE_OK);
    cr_assert_eq(submit_rows(&r, 1, 0, &second), RIDE_OK);
    cr_assert_eq(submit_rows(&r, 1, 0, &none), RIDE_FULL);
    cr_assert_eq(submit_rows(&r, 1, 0, &third), RIDE_OK);
    cr_assert_eq(ops->wait(r.queue, third, UINT64_MAX), RIDE_OK);
    cr_assert_eq(clock_virtual.now_ns, 5030);
    cr_assert_eq(ops->poll(r.queue, first), RIDE_OK);
    for (int i = 0; i < 3; i++) cr_assert_eq(ops->poll(r.queue, second), RIDE_E_MEMORY);
    cr_assert_eq(ride_fake_works(0), 4);
    cr_assert_eq(ride_fake_works(1), 0);
    ride_queue_stats stats;
    ops->queue_stats(r.queue, &stats);
    cr_assert(stats.submitted == 3 && stats.completed == 2 && stats.failed == 1);
    rig_close(&r);
}

Test(fake, a_lost_device_keeps_what_was_done_and_never_does_the_rest) {
    ride_fake_set(&(ride_fake_script){.devices_count = 2, .delay_ns = 100});
    rig r = rig_open(0), other = rig_open(1);
    ride_ticket first, second, elsewhere;
    cr_assert_eq(submit_rows(&r, 1, 0, &first), RIDE_OK);
    cr_assert_eq(submit_rows(&r, 1, 0, &second), RIDE_OK);
    ride_fake_lose(0, 150);
    cr_assert_eq(ops->wait(r.queue, second, UINT64_MAX),
                 RIDE_E_DEVICE_LOST); /* told when it happens, not for ever waited */
    cr_assert_eq(clock_virtual.now_ns, 150);
    cr_assert_eq(ops->poll(r.queue, first), RIDE_OK);
    ride_clock_virtual_advance(&clock_virtual, 1000);
    cr_assert_eq(ops->poll(r.queue, second), RIDE_E_DEVICE_LOST);
    cr_assert_eq(submit_rows(&r, 1, 0, &second), RIDE_E_DEVICE_LOST);
    ride_error err;
    void *buffer;
    ride_device *again;
    cr_assert_eq(ops->buffer_alloc(r.device, RIDE_BUFFER_HOST, 10, &buffer, &err), RIDE_E_DEVICE_LOST);
    cr_assert_eq(ops->device_open(0, &again, &err), RIDE_E_DEVICE_LOST);
    cr_assert_eq(submit_rows(&other, 1, 7, &elsewhere), RIDE_OK); /* the work goes elsewhere */
    cr_assert_eq(ops->wait(other.queue, elsewhere, UINT64_MAX), RIDE_OK);
    cr_assert_eq(output(0, 0), ride_fake_feature(7, 0));
    rig_close(&r);
    rig_close(&other);
}

Test(fake, a_work_can_take_its_device_down) {
    const ride_fake_event events[] = {{.work_index = 1, .action = RIDE_FAKE_LOSE, .delay_ns = 0}};
    ride_fake_set(&(ride_fake_script){.devices_count = 1, .delay_ns = 10, .events = events, .events_count = 1});
    rig r = rig_open(0);
    ride_ticket first, second;
    cr_assert_eq(submit_rows(&r, 1, 0, &first), RIDE_OK);
    cr_assert_eq(submit_rows(&r, 1, 0, &second), RIDE_E_DEVICE_LOST);
    cr_assert_eq(ops->wait(r.queue, first, UINT64_MAX), RIDE_E_DEVICE_LOST);
    rig_close(&r);
}

typedef struct saved {
    uint8_t bytes[16384];
    size_t written, read, limit;
} saved;
static ride_status save_piece(void *context, const void *data, size_t bytes) {
    saved *s = context;
    if (s->written + bytes > s->limit) return RIDE_E_IO;
    memcpy(s->bytes + s->written, data, bytes);
    s->written += bytes;
    return RIDE_OK;
}
static ride_status load_piece(void *context, void *data, size_t bytes) {
    saved *s = context;
    if (s->read + bytes > s->written) return RIDE_E_CORRUPT;
    memcpy(data, s->bytes + s->read, bytes);
    s->read += bytes;
    return RIDE_OK;
}

Test(fake, a_saved_state_comes_back_byte_for_byte) {
    ride_fake_set(NULL);
    rig r = rig_open(0), fresh = rig_open(0);
    static saved one, two;
    one.limit = two.limit = sizeof one.bytes;
    ride_ticket ticket;
    cr_assert_eq(submit_rows(&r, 900, 500, &ticket), RIDE_OK);
    cr_assert_eq(ops->wait(r.queue, ticket, UINT64_MAX), RIDE_OK);
    ride_state_stats stats;
    ops->state_stats(r.state, &stats);
    cr_assert_eq(stats.entries, 900);
    cr_assert_eq(ops->state_save(&r.state, 1, 0, RIDE_VNODES, save_piece, &one, NULL), RIDE_OK);
    cr_assert_eq(ops->state_restore(&fresh.state, 1, load_piece, &one, NULL), RIDE_OK);
    cr_assert_eq(ops->state_save(&fresh.state, 1, 0, RIDE_VNODES, save_piece, &two, NULL), RIDE_OK);
    cr_assert(one.written == two.written && memcmp(one.bytes, two.bytes, one.written) == 0);

    one.read = 0; /* not into a state that has something */
    cr_assert_eq(ops->state_restore(&fresh.state, 1, load_piece, &one, NULL), RIDE_E_CONFIG);
    for (size_t byte = 0; byte < one.written; byte += 97) { /* damage anywhere */
        rig target = rig_open(0);
        one.read = 0;
        one.bytes[byte] ^= 1;
        ride_status st = ops->state_restore(&target.state, 1, load_piece, &one, NULL);
        cr_assert(st == RIDE_E_CORRUPT || st == RIDE_E_VERSION, "byte %zu: %s", byte, ride_status_name(st));
        one.bytes[byte] ^= 1;
        rig_close(&target);
    }
    one.read = 0;
    one.written--;
    rig target = rig_open(0);
    cr_assert_eq(ops->state_restore(&target.state, 1, load_piece, &one, NULL), RIDE_E_CORRUPT);
    two.written = 0;
    two.limit = 100;
    cr_assert_eq(ops->state_save(&r.state, 1, 0, RIDE_VNODES, save_piece, &two, NULL), RIDE_E_IO); /* a full disk */
    rig_close(&target);
    rig_close(&r);
    rig_close(&fresh);
}

Test(fake, sums_over_a_group_reach_all) {
    ride_fake_set(&(ride_fake_script){.devices_count = 2});
    rig a = rig_open(0), b = rig_open(1);
    ride_device *group[] = {a.device, b.device};
    uint64_t x[2] = {1, 2}, y[2] = {10, 20}, *values[] = {x, y};
    cr_assert_eq(ops->group_reduce(group, 2, values, 2, NULL), RIDE_OK);
    cr_assert(x[0] == 11 && x[1] == 22 && y[0] == 11 && y[1] == 22);
    rig_close(&a);
    rig_close(&b);
}
