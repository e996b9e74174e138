/* bench/bench_profile.c: scoring of tiles as the engine has them, and what counting into a profile costs beside it. Rows are decoded, stamped and their features computed outside
 * of the timing; then the same tiles are scored and counted in turn, pass by pass, as works of their own through the backend table.
 *
 *     bench_profile --spec FILE --model FILE [--profile FILE] --csv FILE [--rows N] [--passes N] [--batch ROWS] [--isa NAME]
 *
 * Before that the margins of all rows are compared with those of the same vectors as a matrix, and the counts of one pass with ride_profile_cell, value by value. Prints ns per row of both, their medians and the
 * median of the ratios of each pass. Time is the CPU time of this thread. */
#include "backend/registry.h"
#include "base/assert.h"
#include "engine/engine.h"
#include "features/keys.h"
#include "io/decoder.h"
#include "kernels/cpu/isa.h"
#include "kernels/row/profile.h"
#include "kernels/row/vector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PASSES_MAX = 1000 };

typedef struct bench {
    ride_run_options run;
    const char *csv_path;
    uint32_t batch_rows, passes, batches_count;
    uint64_t rows_max, rows;
    ride_spec *spec;
    ride_bundle bundle;
    ride_profile profile;
    ride_tile_layout in, out;
    ride_key_plan keys;
    const ride_backend_ops *ops;
    ride_device *device;
    ride_program_dev *program;
    ride_state *state;
    ride_queue *queue;
    ride_counts *counts;
    ride_batch **batches;
    uint8_t **out_tiles; /* of each batch */
} bench;

static void must(ride_status st, const ride_error *err, const char *doing) {
    if (st == RIDE_OK) return;
    fprintf(stderr, "bench_profile: %s: %s: %s\n", doing, ride_status_name(st), err->what);
    exit(1);
}

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void open_all(bench *b) {
    static ride_backend_services services;
    static ride_diagnostics findings;
    ride_error err = {0};
    uint8_t *image = NULL;
    uint64_t bytes = 0;
    ride_diagnostics_init(&findings);
    ride_status st = ride_compile(&b->run, &b->spec, &image, &bytes, &findings, &err);
    if (findings.count > 0) ride_diagnostics_error(&findings, &err);
    must(st, &err, "spec, model and profile");
    must(ride_bundle_open(image, bytes, &b->bundle, &err), &err, "bundle");
    if (b->run.profile_path != NULL) must(ride_profile_open(&b->bundle, &b->profile, &err), &err, "profile");
    ride_plan_layout_in(&b->bundle, &b->in);
    ride_plan_layout_out(&b->bundle, &b->out);
    ride_key_plan_init(&b->keys, b->spec, &b->bundle);
    ride_backend_services_init(&services, ride_clock_real());
    must(ride_backend_select("cpu", NULL, &services, &b->ops, NULL, &err), &err, "backend");
    const ride_state_options options = {.vnodes_count = RIDE_VNODES};
    must(b->ops->device_open(0, &b->device, &err), &err, "device");
    must(b->ops->program_upload(b->device, &b->bundle, &b->program, &err), &err, "program");
    must(b->ops->state_create(b->device, b->program, &options, &b->state, &err), &err, "state");
    must(b->ops->queue_create(b->device, 4, &b->queue, &err), &err, "queue");
    if (b->run.profile_path != NULL)
        must(b->ops->counts_create(b->device, b->program, &b->counts, &err), &err, "counts");
}

static double submit(bench *b, uint32_t batch, uint32_t stages) {
    ride_ticket ticket;
    ride_error err = {0};
    const ride_work work = {.stages = stages,
                            .rows_count = b->batches[batch]->rows_count,
                            .in_tiles = b->batches[batch]->tiles,
                            .out_tiles = b->out_tiles[batch],
                            .arena = b->batches[batch]->arena,
                            .arena_bytes = b->batches[batch]->arena_bytes,
                            .counts = b->counts};
    double start = now_s();
    must(b->ops->submit(b->queue, b->program, b->state, &work, &ticket), &err, "submit");
    must(b->ops->wait(b->queue, ticket, UINT64_MAX), &err, "wait");
    return now_s() - start;
}

/* Keys, clock and flags as the engine gives them to rows in time order. */
static void stamp(const bench *b, ride_batch *batch) {
    ride_keys_fill(&b->keys, batch, 0, batch->rows_count);
    for (uint32_t tile = 0; tile < ride_batch_tiles_count(batch); tile++) {
        void *in = ride_batch_tile(batch, tile);
        memcpy(ride_tile_values(&b->in, in, RIDE_COLUMN_CLOCK), ride_tile_values(&b->in, in, RIDE_COLUMN_TIME),
               RIDE_TILE_ROWS * sizeof(int64_t));
        uint32_t *flags = ride_tile_values(&b->in, in, RIDE_COLUMN_FLAGS);
        for (uint32_t i = 0; i < RIDE_TILE_ROWS; i++) flags[i] = RIDE_ROW_ENTERS;
    }
}

/* Batch after batch with its features and scores. */
static void read_rows(bench *b) {
    ride_error err = {0};
    ride_source *source = NULL;
    ride_decoder *decoder = NULL;
    const ride_source_spec *events = &b->spec->sources[b->spec->source_events];
    const ride_decoder_options options = {.spec = events,
                                          .local_to_utc = ride_zone_local_to_utc,
                                          .zone = &b->spec->zone_table};
    must(ride_source_open(b->csv_path, 0, &source, &err), &err, b->csv_path);
    must(ride_decoder_open(&options, source, &decoder, &err), &err, b->csv_path);
    uint64_t batches_max = b->rows_max / b->batch_rows + 1,
             tiles = (b->batch_rows + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS;
    b->batches = calloc(batches_max, sizeof *b->batches);
    b->out_tiles = calloc(batches_max, sizeof *b->out_tiles);
    for (bool more = true; more && b->rows < b->rows_max;) {
        ride_batch *batch = NULL;
        must(ride_batch_create(&b->in, b->batch_rows, 1 << 16, &batch, &err), &err, "batch");
        ride_status st = ride_decoder_decode(decoder, batch, b->batch_rows, INT64_MAX, NULL, &err);
        more = st != RIDE_END;
        if (more) must(st, &err, b->csv_path);
        ride_batch_set_rows(batch, batch->rows_count, b->rows);
        stamp(b, batch);
        uint32_t i = b->batches_count++;
        RIDE_ASSERT(i < batches_max);
        b->batches[i] = batch;
        b->rows += batch->rows_count;
        must(b->ops->buffer_alloc(b->device, RIDE_BUFFER_HOST, tiles * b->out.tile_bytes, (void **)&b->out_tiles[i],
                                  &err),
             &err, "buffer");
        submit(b, i, RIDE_STAGE_FEATURES | RIDE_STAGE_SCORE);
    }
    ride_decoder_close(decoder);
    ride_source_close(source);
}

/* Entry i of a row's vector. */
static double entry_of(const bench *b, uint32_t i, uint32_t batch, uint32_t row) {
    const ride_plan_vector *entry = &ride_bundle_array(&b->bundle, RIDE_SECTION_VECTOR, ride_plan_vector)[i];
    const ride_plan_column *columns = ride_bundle_array(&b->bundle, RIDE_SECTION_COLUMNS, ride_plan_column);
    const uint32_t tile = row / RIDE_TILE_ROWS, r = row % RIDE_TILE_ROWS;
    const ride_tile_layout *layout = entry->is_feature ? &b->out : &b->in;
    const void *from = entry->is_feature ? b->out_tiles[batch] + (size_t)tile * b->out.tile_bytes
                                         : ride_batch_tile(b->batches[batch], tile);
    if (!ride_valid(ride_tile_validity_const(layout, from, entry->index), r)) return __builtin_nan("");
    const uint32_t type = layout->columns[entry->index].type;
    return ride_vector_value(ride_tile_values_const(layout, from, entry->index), type, r,
                             type == RIDE_TYPE_DECIMAL ? ride_vector_divisor(columns[entry->index].scale) : 1.0);
}

/* The margins in the tiles against those of the vectors as rows of a matrix. */
static void check_margins(const bench *b) {
    ride_error err = {0};
    ride_rows_shape shape;
    must(b->ops->rows_shape(b->program, &shape, &err), &err, "the model's rows");
    const uint32_t vector_count = b->bundle.plan->vector_count;
    void *scratch = aligned_alloc(64, (shape.scratch_bytes + 63) / 64 * 64);
    double *x = calloc((size_t)b->batch_rows * vector_count, sizeof *x), *want = calloc(b->batch_rows, sizeof *want);
    RIDE_ASSERT(scratch != NULL && x != NULL && want != NULL);
    for (uint32_t i = 0; i < b->batches_count; i++) {
        const uint32_t rows_count = b->batches[i]->rows_count;
        for (uint32_t row = 0; row < rows_count; row++)
            for (uint32_t v = 0; v < vector_count; v++) x[(size_t)row * vector_count + v] = entry_of(b, v, i, row);
        const ride_rows rows = {.values = x,
                                .type = RIDE_TYPE_F64,
                                .out_type = RIDE_TYPE_F64,
                                .rows_count = rows_count,
                                .row_stride = vector_count,
                                .column_stride = 1,
                                .margins = want};
        must(b->ops->rows_score(b->program, &rows, scratch), &err, "the vectors as rows");
        for (uint32_t row = 0; row < rows_count; row++) {
            const void *tile = b->out_tiles[i] + (size_t)(row / RIDE_TILE_ROWS) * b->out.tile_bytes;
            const double *got = ride_tile_values_const(&b->out, tile, b->bundle.plan->features_count + RIDE_OUT_MARGIN);
            if (memcmp(&got[row % RIDE_TILE_ROWS], &want[row], sizeof *want) == 0) continue;
            fprintf(stderr, "bench_profile: row %u of batch %u: a margin of %.17g from tiles, %.17g from a matrix\n",
                    row, i, got[row % RIDE_TILE_ROWS], want[row]);
            exit(1);
        }
    }
    printf("margins of %llu rows are those of their vectors as a matrix\n", (unsigned long long)b->rows);
    free(scratch);
    free(x);
    free(want);
}

static double value_of(const bench *b, const ride_profile_column *column, uint32_t batch, uint32_t row) {
    if (column->source == RIDE_PROFILE_VECTOR) return entry_of(b, column->index, batch, row);
    const void *out = b->out_tiles[batch] + (size_t)(row / RIDE_TILE_ROWS) * b->out.tile_bytes;
    const uint32_t which = column->source == RIDE_PROFILE_MARGIN ? RIDE_OUT_MARGIN : RIDE_OUT_PROBABILITY;
    const double *values = ride_tile_values_const(&b->out, out, b->bundle.plan->features_count + which);
    return values[row % RIDE_TILE_ROWS];
}

static void check_counts(bench *b) {
    ride_error err = {0};
    const uint32_t cells_count = b->profile.header->cells_count;
    uint64_t *expected = calloc(cells_count, sizeof *expected), *got = calloc(cells_count, sizeof *got);
    for (uint32_t i = 0; i < b->batches_count; i++) submit(b, i, RIDE_STAGE_PROFILE);
    must(b->ops->counts_take(b->counts, got, &err), &err, "counts");
    for (uint32_t c = 0; c < b->profile.header->columns_count; c++) {
        const ride_profile_column *column = &b->profile.columns[c];
        for (uint32_t i = 0; i < b->batches_count; i++)
            for (uint32_t row = 0; row < b->batches[i]->rows_count; row++)
                expected[column->cells_first + ride_profile_cell(column, b->profile.edges + column->edges_first,
                                                                 value_of(b, column, i, row))]++;
    }
    if (memcmp(expected, got, cells_count * sizeof *got) != 0) {
        fprintf(stderr, "bench_profile: the counts are not those of ride_profile_cell\n");
        exit(1);
    }
    printf("counts of %llu rows in %u cells of %u columns are those of ride_profile_cell\n",
           (unsigned long long)b->rows, cells_count, b->profile.header->columns_count);
    free(expected);
    free(got);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
static double median(double *values, uint32_t count) {
    qsort(values, count, sizeof *values, compare);
    return values[count / 2];
}

int main(int argc, char **argv) {
    static bench b = {.batch_rows = 1024, .passes = 21, .rows_max = 200000};
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (strcmp(name, "--spec") == 0) b.run.spec_path = value;
        else if (strcmp(name, "--model") == 0) b.run.model_path = value;
        else if (strcmp(name, "--profile") == 0) b.run.profile_path = value;
        else if (strcmp(name, "--csv") == 0) b.csv_path = value;
        else if (strcmp(name, "--rows") == 0) b.rows_max = strtoull(value, NULL, 10);
        else if (strcmp(name, "--passes") == 0) b.passes = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(name, "--batch") == 0) b.batch_rows = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(name, "--isa") == 0)
            ride_cpu_isa_limit(strcmp(value, "portable") == 0 ? RIDE_CPU_PORTABLE
                               : strcmp(value, "avx2") == 0   ? RIDE_CPU_AVX2
                                                              : RIDE_CPU_AVX512);
        else b.csv_path = NULL, i = argc;
    }
    if (b.run.spec_path == NULL || b.run.model_path == NULL || b.csv_path == NULL || b.passes == 0 ||
        b.passes > PASSES_MAX || b.batch_rows == 0 || b.rows_max == 0) {
        fprintf(stderr,
                "usage: bench_profile --spec FILE --model FILE [--profile FILE] --csv FILE [--rows N] [--passes N] "
                "[--batch ROWS] [--isa portable|avx2|avx512]\n");
        return 2;
    }
    open_all(&b);
    read_rows(&b);
    check_margins(&b);
    const bool counts = b.run.profile_path != NULL;
    if (counts) check_counts(&b);
    static double score[PASSES_MAX], count[PASSES_MAX], ratio[PASSES_MAX];
    for (uint32_t pass = 0; pass < b.passes; pass++) {
        double score_s = 0, count_s = 0;
        for (uint32_t i = 0; i < b.batches_count; i++) {
            score_s += submit(&b, i, RIDE_STAGE_SCORE);
            if (counts) count_s += submit(&b, i, RIDE_STAGE_PROFILE);
        }
        score[pass] = 1e9 * score_s / (double)b.rows;
        count[pass] = 1e9 * count_s / (double)b.rows;
        ratio[pass] = count_s / score_s;
    }
    const double middle = median(score, b.passes); /* sorted now */
    printf("score_least_ns_per_row=%.2f\nscore_ns_per_row=%.2f\n", score[0], middle);
    if (!counts) return 0;
    printf("count_ns_per_row=%.2f\n", median(count, b.passes));
    printf("ratio=%.4f\n", median(ratio, b.passes));
    return 0;
}
