/* bench/bench_features.c: the features alone: rows are decoded into tiles outside of the timing, then submitted to a backend.
 *
 * Two inputs. --csv FILE: what the spec says, decoded once and kept; --passes repeats it with all times moved on, so that
 * from the second pass on the windows are full and nothing is touched for the first time. --rows FILE: a stream of any length
 * in 24-byte records {u32 id, u32 second, u32 customer, u32 terminal, i32 cents, u32 fraud}, for specs with the handbook's
 * columns; told per ten million events.
 *
 * --states N divides the keys between N states, as N shards do, one after the other on this thread: what dividing costs.
 *
 * Prints one figure per pass or span, their median and a checksum: the sum of the bits of every feature of every row, so that
 * another program's result can be compared. Time is the CPU time of this thread, which other load hardly disturbs. */
#include "backend/registry.h"
#include "base/assert.h"
#include "features/keys.h"
#include "features/spec.h"
#include "io/decoder.h"
#include "kernels/cpu/isa.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FIGURES_MAX = 4096, STATES_MAX = 64 };

typedef struct bench {
    const char *spec_path, *csv_path, *rows_path, *backend;
    uint32_t batch_rows, passes;
    uint64_t rows_max, report_rows;
    ride_spec *spec;
    ride_bundle bundle;
    ride_tile_layout in, out;
    ride_key_plan keys;
    const ride_backend_ops *ops;
    ride_device *device;
    ride_program_dev *program;
    ride_state *states[STATES_MAX];
    uint32_t states_count;
    ride_queue *queue;
    uint8_t *out_tiles;
    uint64_t checksum;
    double figures[FIGURES_MAX];
    uint32_t figures_count;
} bench;

typedef struct record {
    uint32_t id, second, customer, terminal;
    int32_t cents;
    uint32_t fraud;
} record;

static void must(ride_status st, const ride_error *err, const char *doing) {
    if (st == RIDE_OK) return;
    fprintf(stderr, "bench_features: %s: %s: %s\n", doing, ride_status_name(st), err->what);
    exit(1);
}

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void open_all(bench *b) {
    static ride_backend_services services;
    ride_error err = {0};
    ride_diagnostics findings;
    ride_bundle_builder *builder = NULL;
    uint8_t *image = NULL;
    uint64_t bytes = 0;
    ride_diagnostics_init(&findings);
    must(ride_spec_load(b->spec_path, &b->spec, &findings), &err, b->spec_path);
    must(ride_bundle_builder_create(&builder, &err), &err, "bundle");
    must(ride_spec_to_bundle(b->spec, NULL, 0, builder, &findings), &err, "bundle");
    must(ride_bundle_builder_build(builder, &image, &bytes, &err), &err, "bundle");
    ride_bundle_builder_destroy(builder);
    must(ride_bundle_open(image, bytes, &b->bundle, &err), &err, "bundle");
    ride_plan_layout_in(&b->bundle, &b->in);
    ride_plan_layout_out(&b->bundle, &b->out);
    ride_key_plan_init(&b->keys, b->spec, &b->bundle);
    ride_backend_services_init(&services, ride_clock_real());
    must(ride_backend_select(b->backend, NULL, &services, &b->ops, NULL, &err), &err, "backend");
    must(b->ops->device_open(0, &b->device, &err), &err, "device");
    must(b->ops->program_upload(b->device, &b->bundle, &b->program, &err), &err, "program");
    for (uint32_t i = 0; i < b->states_count; i++) {
        const uint32_t first = RIDE_VNODES * i / b->states_count, end = RIDE_VNODES * (i + 1) / b->states_count;
        const ride_state_options options = {.vnode_first = first, .vnodes_count = end - first};
        must(b->ops->state_create(b->device, b->program, &options, &b->states[i], &err), &err, "state");
    }
    must(b->ops->queue_create(b->device, 4, &b->queue, &err), &err, "queue");
    uint64_t tiles = (b->batch_rows + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS;
    must(b->ops->buffer_alloc(b->device, RIDE_BUFFER_HOST, tiles * b->out.tile_bytes, (void **)&b->out_tiles, &err),
         &err, "buffer");
}

static void *column(const bench *b, ride_batch *batch, uint32_t tile, uint32_t index) {
    return ride_tile_values(&b->in, ride_batch_tile(batch, tile), index);
}

/* Keys, clock and flags as the engine gives them to rows in time order. */
static void stamp(const bench *b, ride_batch *batch) {
    ride_keys_fill(&b->keys, batch, 0, batch->rows_count);
    for (uint32_t tile = 0; tile < ride_batch_tiles_count(batch); tile++) {
        const int64_t *t = column(b, batch, tile, RIDE_COLUMN_TIME);
        int64_t *clock = column(b, batch, tile, RIDE_COLUMN_CLOCK);
        uint32_t *flags = column(b, batch, tile, RIDE_COLUMN_FLAGS);
        for (uint32_t i = 0; i < RIDE_TILE_ROWS; i++) clock[i] = t[i], flags[i] = RIDE_ROW_ENTERS;
    }
}

static void submit_stages(bench *b, ride_state *state, uint32_t stages, const ride_batch *batch) {
    ride_ticket ticket;
    ride_error err = {0};
    const ride_work work = {.stages = stages,
                            .rows_count = batch->rows_count,
                            .in_tiles = batch->tiles,
                            .out_tiles = b->out_tiles,
                            .arena = batch->arena,
                            .arena_bytes = batch->arena_bytes};
    must(b->ops->submit(b->queue, b->program, state, &work, &ticket), &err, "submit");
    must(b->ops->wait(b->queue, ticket, UINT64_MAX), &err, "wait");
}

static double submit(bench *b, const ride_batch *batch) {
    const double start = now_s();
    if (b->states_count == 1) submit_stages(b, b->states[0], RIDE_STAGE_FEATURES, batch);
    else {
        ride_out_flags_clear(&b->out, b->out_tiles, batch->rows_count);
        for (uint32_t i = 0; i < b->states_count; i++) submit_stages(b, b->states[i], RIDE_STAGE_WINDOWS, batch);
        submit_stages(b, NULL, RIDE_STAGE_EXPRESSIONS, batch);
    }
    return now_s() - start;
}

static void checksum_add(bench *b, uint32_t rows_count) {
    for (uint32_t row = 0; row < rows_count; row += RIDE_TILE_ROWS)
        for (uint32_t f = 0; f < b->bundle.plan->features_count; f++) {
            const uint64_t *bits =
                ride_tile_values(&b->out, b->out_tiles + (uint64_t)(row / RIDE_TILE_ROWS) * b->out.tile_bytes, f);
            for (uint32_t i = 0; i < RIDE_TILE_ROWS && row + i < rows_count; i++) b->checksum += bits[i];
        }
}

static void figure(bench *b, const char *what, uint64_t rows, double seconds) {
    printf("  %-28s %7.2f ns/event %8.2f M events/s\n", what, 1e9 * seconds / (double)rows,
           1e-6 * (double)rows / seconds);
    fflush(stdout);
    if (b->figures_count < FIGURES_MAX) b->figures[b->figures_count++] = 1e9 * seconds / (double)rows;
}

static void run_csv(bench *b) {
    ride_error err = {0};
    ride_source *source = NULL;
    ride_decoder *decoder = NULL;
    const ride_source_spec *events = &b->spec->sources[b->spec->source_events];
    const ride_decoder_options options = {.spec = events,
                                          .local_to_utc = ride_zone_local_to_utc,
                                          .zone = &b->spec->zone_table};
    must(ride_source_open(b->csv_path, 0, &source, &err), &err, b->csv_path);
    must(ride_decoder_open(&options, source, &decoder, &err), &err, b->csv_path);
    ride_batch **batches = NULL;
    uint32_t count = 0;
    uint64_t rows = 0;
    double decode_s = 0;
    for (ride_status st = RIDE_OK; st != RIDE_END && rows < b->rows_max;) {
        batches = realloc(batches, (count + 1) * sizeof *batches);
        RIDE_ASSERT(batches != NULL);
        must(ride_batch_create(&b->in, b->batch_rows, 1 << 16, &batches[count], &err), &err, "batch");
        memset(batches[count]->tiles, 0, (size_t)batches[count]->tiles_count_max * b->in.tile_bytes);
        double start = now_s();
        st = ride_decoder_decode(decoder, batches[count], b->batch_rows, INT64_MAX, NULL, &err);
        decode_s += now_s() - start;
        if (st != RIDE_OK && st != RIDE_END) must(st, &err, b->csv_path);
        ride_batch_set_rows(batches[count], batches[count]->rows_count, rows);
        rows += batches[count]->rows_count;
        count++;
    }
    ride_decoder_close(decoder);
    ride_source_close(source);
    printf("%llu rows; decode %.2f ns/event\n", (unsigned long long)rows, 1e9 * decode_s / (double)rows);
    const int64_t *first = column(b, batches[0], 0, RIDE_COLUMN_TIME), *last = first;
    for (uint32_t i = 0; i < count; i++)
        if (batches[i]->rows_count > 0) {
            uint32_t row = batches[i]->rows_count - 1;
            last =
                (const int64_t *)column(b, batches[i], row / RIDE_TILE_ROWS, RIDE_COLUMN_TIME) + row % RIDE_TILE_ROWS;
        }
    int64_t span = (*last - *first) / 86400000000 * 86400000000 + 86400000000;
    for (uint32_t pass = 0; pass < b->passes; pass++) {
        double seconds = 0;
        for (uint32_t i = 0; i < count; i++) {
            stamp(b, batches[i]); /* near, as after decoding; not the 100 MB of all batches from memory */
            seconds += submit(b, batches[i]);
            if (pass == 0) checksum_add(b, batches[i]->rows_count);
        }
        figure(b, pass == 0 ? "first pass (empty state)" : "steady pass", rows, seconds);
        for (uint32_t i = 0; i < count; i++)
            for (uint32_t tile = 0; tile < ride_batch_tiles_count(batches[i]); tile++) {
                int64_t *t = column(b, batches[i], tile, RIDE_COLUMN_TIME);
                for (uint32_t row = 0; row < RIDE_TILE_ROWS; row++) t[row] += span;
            }
    }
    if (b->figures_count > 1) { /* the first pass is told, but is another thing */
        memmove(b->figures, b->figures + 1, (b->figures_count - 1) * sizeof *b->figures);
        b->figures_count--;
    }
    for (uint32_t i = 0; i < count; i++) ride_batch_destroy(batches[i]);
    free(batches);
}

static uint32_t field_column(const bench *b, const char *name) {
    const ride_source_spec *events = &b->spec->sources[b->spec->source_events];
    for (uint32_t i = 0; i < events->fields_count; i++)
        if (strcmp(events->fields[i].name, name) == 0) return events->fields[i].column;
    fprintf(stderr, "bench_features: the spec has no field %s\n", name);
    exit(1);
}

static void run_rows(bench *b) {
    ride_error err = {0};
    ride_batch *batch = NULL;
    struct stat info;
    const int64_t epoch_us = INT64_C(1522540800) * 1000000; /* second 0 of the stream: 2018-04-01, a Sunday */
    uint32_t id = field_column(b, "TRANSACTION_ID"), customer = field_column(b, "CUSTOMER_ID"),
             terminal = field_column(b, "TERMINAL_ID"), amount = field_column(b, "TX_AMOUNT"),
             fraud = field_column(b, "TX_FRAUD");
    int fd = open(b->rows_path, O_RDONLY);
    if (fd < 0 || fstat(fd, &info) != 0) {
        perror(b->rows_path);
        exit(1);
    }
    uint64_t rows = (uint64_t)info.st_size / sizeof(record), done = 0, told = 0;
    if (rows > b->rows_max) rows = b->rows_max;
    const record *records = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    RIDE_ASSERT(records != MAP_FAILED);
    close(fd);
    must(ride_batch_create(&b->in, b->batch_rows, 1 << 16, &batch, &err), &err, "batch");
    double seconds = 0, all_s = 0;
    while (done < rows) {
        uint32_t n = rows - done < b->batch_rows ? (uint32_t)(rows - done) : b->batch_rows;
        ride_batch_set_rows(batch, n, done);
        for (uint32_t row = 0; row < n; row++) {
            const record *r = &records[done + row];
            uint32_t tile = row / RIDE_TILE_ROWS, i = row % RIDE_TILE_ROWS;
            ((int64_t *)column(b, batch, tile, RIDE_COLUMN_TIME))[i] = epoch_us + (int64_t)r->second * 1000000;
            ((uint64_t *)column(b, batch, tile, id))[i] = r->id;
            ((int64_t *)column(b, batch, tile, customer))[i] = r->customer;
            ((int64_t *)column(b, batch, tile, terminal))[i] = r->terminal;
            ((int64_t *)column(b, batch, tile, amount))[i] = r->cents;
            ((uint8_t *)column(b, batch, tile, fraud))[i] = r->fraud != 0;
        }
        stamp(b, batch);
        double batch_s = submit(b, batch);
        checksum_add(b, n);
        seconds += batch_s;
        all_s += batch_s;
        done += n;
        if (done - told >= b->report_rows) {
            char what[64];
            snprintf(what, sizeof what, "events %llu-%llu M (day %u)", (unsigned long long)(told / 1000000),
                     (unsigned long long)(done / 1000000), records[done - 1].second / 86400);
            figure(b, what, done - told, seconds);
            told = done;
            seconds = 0;
        }
    }
    printf("all: %llu events, %.2f s, %.2f ns/event\n", (unsigned long long)done, all_s, 1e9 * all_s / (double)done);
    munmap((void *)records, (size_t)info.st_size);
    ride_batch_destroy(batch);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    static bench b = {.backend = "cpu",
                      .batch_rows = 4096,
                      .passes = 8,
                      .rows_max = UINT64_MAX,
                      .report_rows = 10000000,
                      .states_count = 1};
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (strcmp(name, "--spec") == 0) b.spec_path = value;
        else if (strcmp(name, "--csv") == 0) b.csv_path = value;
        else if (strcmp(name, "--rows") == 0) b.rows_path = value;
        else if (strcmp(name, "--backend") == 0) b.backend = value;
        else if (strcmp(name, "--isa") == 0)
            ride_cpu_isa_limit(strcmp(value, "portable") == 0 ? RIDE_CPU_PORTABLE
                               : strcmp(value, "avx2") == 0   ? RIDE_CPU_AVX2
                                                              : RIDE_CPU_AVX512);
        else if (strcmp(name, "--batch") == 0) b.batch_rows = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(name, "--passes") == 0) b.passes = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(name, "--states") == 0) b.states_count = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(name, "--max") == 0) b.rows_max = strtoull(value, NULL, 10);
        else b.spec_path = NULL, i = argc;
    }
    if (b.spec_path == NULL || (b.csv_path == NULL) == (b.rows_path == NULL) || b.batch_rows == 0 ||
        b.states_count == 0 || b.states_count > STATES_MAX) {
        fprintf(stderr,
                "usage: bench_features --spec FILE (--csv FILE [--passes N] | --rows FILE) [--batch ROWS] [--max "
                "EVENTS] [--backend NAME] [--isa portable|avx2|avx512] [--states N]\n");
        return 2;
    }
    open_all(&b);
    if (b.csv_path != NULL) run_csv(&b);
    else run_rows(&b);
    ride_state_stats stats = {0};
    for (uint32_t i = 0; i < b.states_count; i++) {
        ride_state_stats one;
        b.ops->state_stats(b.states[i], &one);
        stats.keys += one.keys;
        stats.entries += one.entries;
        stats.bytes += one.bytes;
    }
    qsort(b.figures, b.figures_count, sizeof *b.figures, compare);
    if (b.figures_count > 0) printf("ns_per_event=%.2f min=%.2f\n", b.figures[b.figures_count / 2], b.figures[0]);
    printf("checksum=%016llx\n", (unsigned long long)b.checksum);
    printf("keys=%llu entries=%llu state_bytes=%llu bytes_per_entry=%.2f\n", (unsigned long long)stats.keys,
           (unsigned long long)stats.entries, (unsigned long long)stats.bytes,
           stats.entries > 0 ? (double)stats.bytes / (double)stats.entries : 0.0);
    return 0;
}
