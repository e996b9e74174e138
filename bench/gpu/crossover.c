/* bench/gpu/crossover.c: from which batch size on is another backend faster than cpu? The golden rows (tests/golden/bundles), again and
 * again with later times and other keys, go through both in turn, batch size by batch size.
 *
 *     crossover BUNDLE ROWS cpu|PLUGIN.so cpu|PLUGIN.so SECONDS [ROWS_OF_A_BATCH…]
 *
 * Needs the backend table and nothing else. Batches are filled before the clock starts; it runs from the first submit to the last
 * completion, with as many in flight as the queue takes. Each batch size begins with a new state, both backends get the same rows, and the
 * first round's outputs must be the same bytes: their checksum is printed. SECONDS are for everything together.
 *
 * A line per batch size, backend and round: size=256 backend=cpu round=0 rows=2048 ns=61234 busy_ns=61000 crc=1a2b3c4d */
#include "backend/registry.h"
#include "base/assert.h"
#include "base/crc32c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BACKENDS = 2, BATCHES_MAX = 64, ROWS_ROUND = 16384, DEPTH = 8, KEY_PASSES = 256, SIZES_MAX = 32 };

typedef struct rows_file {
    uint8_t *data;
    const uint8_t *tiles;
    uint32_t rows_count;
    int64_t span_us; /* what times move on by from pass to pass */
} rows_file;

typedef struct side {
    const char *name;
    const ride_backend_ops *ops;
    ride_device *device;
    ride_program_dev *program;
    ride_state *state;
    ride_queue *queue;
    uint8_t *in[BATCHES_MAX], *out[BATCHES_MAX];
    uint64_t row; /* rows given so far */
} side;

static ride_backend_services services;
static ride_bundle bundle;
static ride_tile_layout in_layout, out_layout;
static rows_file golden;
static uint32_t stages;

static void must(ride_status st, const ride_error *err, const char *doing) {
    if (st == RIDE_OK) return;
    fprintf(stderr, "crossover: %s: %s: %s\n", doing, ride_status_name(st), err->what);
    exit(1);
}

static uint8_t *file_read(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        fprintf(stderr, "crossover: cannot read %s\n", path);
        exit(1);
    }
    *bytes = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = aligned_alloc(64, (*bytes + 127) / 64 * 64);
    RIDE_ASSERT(data != NULL && fread(data, 1, *bytes, file) == *bytes);
    fclose(file);
    return data;
}

static int64_t *time_of(const uint8_t *tile, uint32_t column, uint32_t row) {
    return (int64_t *)ride_tile_values_const(&in_layout, tile, column) + row;
}

static void rows_open(const char *path) {
    size_t bytes;
    golden.data = file_read(path, &bytes);
    memcpy(&golden.rows_count, golden.data + 12, sizeof golden.rows_count);
    golden.tiles = golden.data + 16;
    const size_t tiles = (golden.rows_count + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS;
    if (memcmp(golden.data, "RIDEROWS", 8) != 0 || golden.rows_count == 0 ||
        bytes != 16 + tiles * in_layout.tile_bytes) {
        fprintf(stderr, "crossover: %s: no rows of this bundle\n", path);
        exit(1);
    }
    const uint32_t last = golden.rows_count - 1;
    const uint8_t *tile = golden.tiles + (size_t)(last / RIDE_TILE_ROWS) * in_layout.tile_bytes;
    golden.span_us = *time_of(tile, RIDE_COLUMN_CLOCK, last % RIDE_TILE_ROWS) -
                     *time_of(golden.tiles, RIDE_COLUMN_TIME, 0) + 60000000;
}

/* The row-th row of the endless stream, as row `to` of a batch. */
static void row_fill(uint64_t row, uint32_t to, uint8_t *tiles) {
    const uint32_t from = (uint32_t)(row % golden.rows_count), at = from % RIDE_TILE_ROWS, r = to % RIDE_TILE_ROWS;
    const uint64_t pass = row / golden.rows_count;
    const uint8_t *source = golden.tiles + (size_t)(from / RIDE_TILE_ROWS) * in_layout.tile_bytes;
    uint8_t *tile = tiles + (size_t)(to / RIDE_TILE_ROWS) * in_layout.tile_bytes;
    if (r == 0) *ride_tile_head(tile) = (ride_tile_header){.sequence_first = row};
    ride_tile_head(tile)->rows_count = r + 1;
    for (uint32_t c = 0; c < in_layout.columns_count; c++) {
        const uint32_t type = in_layout.columns[c].type, bytes = ride_type_bytes(type);
        const uint8_t *bits = ride_tile_validity_const(&in_layout, source, c);
        uint8_t *value = (uint8_t *)ride_tile_values(&in_layout, tile, c) + (size_t)r * bytes;
        memcpy(value, (const uint8_t *)ride_tile_values_const(&in_layout, source, c) + (size_t)at * bytes, bytes);
        if (bits != NULL) ride_bit_put(ride_tile_validity(&in_layout, tile, c), r, ride_bit_get(bits, at));
        if (c == RIDE_COLUMN_TIME || c == RIDE_COLUMN_CLOCK)
            *time_of(tile, c, r) += (int64_t)(pass / KEY_PASSES) * golden.span_us;
        if (type == RIDE_TYPE_KEY128) ((ride_key128 *)ride_tile_values(&in_layout, tile, c))[r].hi ^= pass % KEY_PASSES;
    }
}

static void side_open(side *s, const char *name) {
    ride_error err = {0};
    const int is_file = strchr(name, '/') != NULL;
    s->name = is_file ? "cuda" : name;
    must(ride_backend_select(s->name, is_file ? name : NULL, &services, &s->ops, NULL, &err), &err, name);
    must(s->ops->device_open(0, &s->device, &err), &err, "device_open");
    must(s->ops->program_upload(s->device, &bundle, &s->program, &err), &err, "program_upload");
}

static void side_begin(side *s, uint32_t size, uint32_t batches) {
    ride_error err = {0};
    const ride_state_options options = {.vnodes_count = RIDE_VNODES};
    const uint64_t tiles = (size + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS;
    must(s->ops->state_create(s->device, s->program, &options, &s->state, &err), &err, "state_create");
    must(s->ops->queue_create(s->device, DEPTH, &s->queue, &err), &err, "queue_create");
    for (uint32_t i = 0; i < batches; i++) {
        must(s->ops->buffer_alloc(s->device, RIDE_BUFFER_HOST, tiles * in_layout.tile_bytes, (void **)&s->in[i], &err),
             &err, "buffer_alloc");
        must(s->ops->buffer_alloc(s->device, RIDE_BUFFER_HOST, tiles * out_layout.tile_bytes, (void **)&s->out[i],
                                  &err),
             &err, "buffer_alloc");
        memset(s->in[i], 0, tiles * in_layout.tile_bytes);
        memset(s->out[i], 0, tiles * out_layout.tile_bytes); /* scores that nobody writes */
    }
    s->row = 0;
}
static void side_end(side *s, uint32_t batches) {
    s->ops->queue_destroy(s->queue);
    for (uint32_t i = 0; i < batches; i++) {
        s->ops->buffer_free(s->device, RIDE_BUFFER_HOST, s->in[i]);
        s->ops->buffer_free(s->device, RIDE_BUFFER_HOST, s->out[i]);
    }
    s->ops->state_destroy(s->state);
}

static void wait_for(side *s, ride_ticket ticket) {
    const ride_status st = s->ops->wait(s->queue, ticket, UINT64_MAX);
    must(st, &(ride_error){.what = "a batch failed"}, "wait");
}

/* Of all that a batch says about its events; what belongs to other rows is undefined. */
static uint32_t events_crc(uint32_t crc, const uint8_t *in, const uint8_t *out, uint32_t size) {
    for (uint32_t row = 0; row < size; row++) {
        const uint8_t *in_tile = in + (size_t)(row / RIDE_TILE_ROWS) * in_layout.tile_bytes;
        const uint8_t *out_tile = out + (size_t)(row / RIDE_TILE_ROWS) * out_layout.tile_bytes;
        const uint32_t r = row % RIDE_TILE_ROWS;
        if ((((const uint32_t *)ride_tile_values_const(&in_layout, in_tile, RIDE_COLUMN_FLAGS))[r] &
             (RIDE_ROW_LABEL | RIDE_ROW_SKIP)) != 0)
            continue;
        for (uint32_t c = 0; c < out_layout.columns_count; c++) {
            const uint32_t bytes = ride_type_bytes(out_layout.columns[c].type);
            crc =
                ride_crc32c(crc, (const uint8_t *)ride_tile_values_const(&out_layout, out_tile, c) + (size_t)r * bytes,
                            bytes);
        }
    }
    return crc;
}

/* One round: every batch once. */
static void side_round(side *s, uint32_t size, uint32_t batches, uint32_t round) {
    ride_queue_stats before, after;
    ride_ticket tickets[BATCHES_MAX] = {0};
    for (uint32_t i = 0; i < batches; i++) {
        for (uint32_t row = 0; row < size; row++) row_fill(s->row++, row, s->in[i]);
    }
    s->ops->queue_stats(s->queue, &before);
    const uint64_t begin_ns = ride_clock_now_ns(ride_clock_real());
    for (uint32_t i = 0; i < batches; i++) {
        const ride_work work = {.stages = stages, .rows_count = size, .in_tiles = s->in[i], .out_tiles = s->out[i]};
        for (uint32_t oldest = i >= DEPTH ? i - DEPTH : 0;;) {
            const ride_status st = s->ops->submit(s->queue, s->program, s->state, &work, &tickets[i]);
            if (st == RIDE_OK) break;
            if (st != RIDE_FULL || oldest >= i) must(st, &(ride_error){.what = "it takes no batch"}, "submit");
            wait_for(s, tickets[oldest++]);
        }
    }
    for (uint32_t i = 0; i < batches; i++) wait_for(s, tickets[i]);
    const uint64_t ns = ride_clock_now_ns(ride_clock_real()) - begin_ns;
    s->ops->queue_stats(s->queue, &after);
    uint32_t crc = 0;
    for (uint32_t i = 0; i < batches && round == 0; i++) crc = events_crc(crc, s->in[i], s->out[i], size);
    printf("size=%u backend=%s round=%u rows=%u ns=%llu busy_ns=%llu crc=%08x\n", size, s->name, round, size * batches,
           (unsigned long long)ns, (unsigned long long)(after.busy_ns - before.busy_ns), crc);
    fflush(stdout);
}

int main(int argc, char **argv) {
    static const uint32_t usual[] = {1, 4, 16, 64, 256, 1024, 4096, 16384, 65536};
    uint32_t sizes[SIZES_MAX], sizes_count = 0;
    side sides[BACKENDS] = {0};
    ride_error err = {0};
    size_t bytes;
    if (argc < 6) {
        fprintf(stderr, "usage: crossover BUNDLE ROWS BACKEND BACKEND SECONDS [ROWS_OF_A_BATCH...]\n");
        return 2;
    }
    const double seconds = strtod(argv[5], NULL);
    for (int i = 6; i < argc && sizes_count < SIZES_MAX; i++)
        sizes[sizes_count++] = (uint32_t)strtoul(argv[i], NULL, 10);
    for (size_t i = 0; i < sizeof usual / sizeof *usual && argc == 6; i++) sizes[sizes_count++] = usual[i];
    ride_backend_services_init(&services, ride_clock_real());
    uint8_t *image = file_read(argv[1], &bytes);
    must(ride_bundle_open(image, bytes, &bundle, &err), &err, argv[1]);
    ride_plan_layout_in(&bundle, &in_layout);
    ride_plan_layout_out(&bundle, &out_layout);
    rows_open(argv[2]);
    stages =
        RIDE_STAGE_FEATURES | RIDE_STAGE_RULES | (bundle.sections[RIDE_SECTION_FOREST] != NULL ? RIDE_STAGE_SCORE : 0);
    for (int i = 0; i < BACKENDS; i++) side_open(&sides[i], argv[3 + i]);
    const double share_ns = seconds * 1e9 / sizes_count;
    for (uint32_t n = 0; n < sizes_count; n++) {
        uint32_t batches = ROWS_ROUND / (sizes[n] > 0 ? sizes[n] : 1);
        batches = batches < 2 ? 2 : batches > BATCHES_MAX ? BATCHES_MAX : batches;
        const uint64_t begin_ns = ride_clock_now_ns(ride_clock_real());
        for (int i = 0; i < BACKENDS; i++) side_begin(&sides[i], sizes[n], batches);
        for (uint32_t round = 0; round < 2 || (double)(ride_clock_now_ns(ride_clock_real()) - begin_ns) < share_ns;
             round++)
            for (int i = 0; i < BACKENDS; i++)
                side_round(&sides[round % 2 == 0 ? i : BACKENDS - 1 - i], sizes[n], batches, round);
        for (int i = 0; i < BACKENDS; i++) side_end(&sides[i], batches);
    }
    for (int i = 0; i < BACKENDS; i++) {
        sides[i].ops->program_release(sides[i].program);
        sides[i].ops->device_close(sides[i].device);
    }
    free(image);
    free(golden.data);
    return 0;
}
