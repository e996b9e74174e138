/* tests/conformance/golden_test.c: the golden set (tests/golden/bundles) on every backend: vector, margin and probability are those
 * that programs sharing no code with ours computed. RIDE_SOURCE_DIR, or the current folder, is the tree. */
#include "backends.h"
#include "kernels/row/vector.h"

enum { GOLDEN_BATCH = 100 };

typedef struct golden {
    ride_bundle bundle;
    ride_tile_layout in, out;
    uint8_t *image, *rows, *expected; /* whole files */
    const uint8_t *tiles;
    const double *values; /* events_count * width: vector, margin, probability */
    uint32_t rows_count, events_count, width;
} golden;

static uint8_t *file_read(const char *name, const char *ending, size_t *bytes) {
    const char *top = getenv("RIDE_SOURCE_DIR");
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/golden/bundles/%s.%s", top != NULL ? top : ".", name, ending);
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL, "cannot open %s: run it in the tree, or set RIDE_SOURCE_DIR", path);
    fseek(file, 0, SEEK_END);
    *bytes = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = aligned_alloc(64, (*bytes + 127) / 64 * 64);
    RIDE_ASSERT(data != NULL);
    CHECK(fread(data, 1, *bytes, file) == *bytes, "cannot read %s", path);
    fclose(file);
    return data;
}

static void golden_open(golden *g, const char *name) {
    ride_error err = {0};
    size_t image_bytes, rows_bytes, expected_bytes;
    g->image = file_read(name, "bundle", &image_bytes);
    g->rows = file_read(name, "rows", &rows_bytes);
    g->expected = file_read(name, "expected", &expected_bytes);
    CHECK(ride_bundle_open(g->image, image_bytes, &g->bundle, &err) == RIDE_OK, "%s.bundle: %s", name, err.what);
    ride_plan_layout_in(&g->bundle, &g->in);
    ride_plan_layout_out(&g->bundle, &g->out);
    memcpy(&g->rows_count, g->rows + 12, 4);
    memcpy(&g->events_count, g->expected + 8, 4);
    memcpy(&g->width, g->expected + 12, 4);
    g->tiles = g->rows + 16;
    g->values = (const double *)(g->expected + 16);
    const size_t tiles = (g->rows_count + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS;
    CHECK(memcmp(g->rows, "RIDEROWS", 8) == 0 && rows_bytes == 16 + tiles * g->in.tile_bytes, "%s.rows", name);
    CHECK(memcmp(g->expected, "RIDEGOLD", 8) == 0 && g->width == g->bundle.plan->vector_count + 2 &&
              expected_bytes == 16 + (size_t)g->events_count * g->width * sizeof(double),
          "%s.expected", name);
}
static void golden_close(golden *g) {
    free(g->image);
    free(g->rows);
    free(g->expected);
}

/* Copies row `from` of the golden tiles to row `to` of a batch's tiles. */
static uint32_t row_copy(const golden *g, uint32_t from, uint32_t to, uint8_t *tiles) {
    const uint8_t *source = g->tiles + (size_t)(from / RIDE_TILE_ROWS) * g->in.tile_bytes;
    uint8_t *tile = tiles + (size_t)(to / RIDE_TILE_ROWS) * g->in.tile_bytes;
    const uint32_t row = from % RIDE_TILE_ROWS, at = to % RIDE_TILE_ROWS;
    if (at == 0) ride_tile_head(tile)->sequence_first = ride_tile_head_const(source)->sequence_first + row;
    ride_tile_head(tile)->rows_count = at + 1;
    for (uint32_t c = 0; c < g->in.columns_count; c++) {
        const uint32_t bytes = ride_type_bytes(g->in.columns[c].type);
        const uint8_t *bits = ride_tile_validity_const(&g->in, source, c);
        if (bits != NULL) ride_bit_put(ride_tile_validity(&g->in, tile, c), at, ride_bit_get(bits, row));
        memcpy((uint8_t *)ride_tile_values(&g->in, tile, c) + (size_t)at * bytes,
               (const uint8_t *)ride_tile_values_const(&g->in, source, c) + (size_t)row * bytes, bytes);
    }
    return ((const uint32_t *)ride_tile_values_const(&g->in, source, RIDE_COLUMN_FLAGS))[row];
}

static double vector_of(const golden *g, const uint8_t *in, const uint8_t *out, uint32_t row, uint32_t i) {
    const ride_plan_vector *v = &((const ride_plan_vector *)g->bundle.sections[RIDE_SECTION_VECTOR])[i];
    const ride_plan_column *columns = g->bundle.sections[RIDE_SECTION_COLUMNS];
    if (v->is_feature) return ((const double *)ride_tile_values_const(&g->out, out, v->index))[row];
    if (!ride_valid(ride_tile_validity_const(&g->in, in, v->index), row)) return (double)NAN;
    double divisor = 1;
    for (int32_t d = 0; d < columns[v->index].scale; d++) divisor *= 10;
    return ride_vector_value(ride_tile_values_const(&g->in, in, v->index), g->in.columns[v->index].type, row, divisor);
}

static void event_compare(const golden *g, const uint8_t *in, const uint8_t *out, uint32_t row, uint32_t event) {
    const double *want = g->values + (size_t)event * g->width;
    const uint32_t vector_count = g->width - 2, tail = g->bundle.plan->features_count;
    for (uint32_t i = 0; i < vector_count; i++) {
        const double got = vector_of(g, in, out, row, i);
        CHECK(got == want[i] || (isnan(got) && isnan(want[i])), "event %u, vector %u: %.17g, not %.17g", event, i, got,
              want[i]);
    }
    if (isnan(want[vector_count])) return; /* no model */
    const double margin = ((const double *)ride_tile_values_const(&g->out, out, tail + RIDE_OUT_MARGIN))[row];
    const double probability = ((const double *)ride_tile_values_const(&g->out, out, tail + RIDE_OUT_PROBABILITY))[row];
    CHECK((float)margin == (float)want[vector_count], "event %u: margin %.9g, not %.9g", event, margin,
          want[vector_count]);
    CHECK(fabs(probability - want[vector_count + 1]) < 1e-6, "event %u: probability %.9g, not %.9g", event, probability,
          want[vector_count + 1]); /* XGBoost's own is a float's exp */
}

static void run(const backend_use *use, const char *name) {
    golden g = {0};
    golden_open(&g, name);
    const random_plan plan = {0}; /* not looked at */
    const uint32_t stages = RIDE_STAGE_FEATURES | RIDE_STAGE_RULES |
                            (g.bundle.sections[RIDE_SECTION_FOREST] != NULL ? RIDE_STAGE_SCORE : 0);
    session one, *s = &one;
    session_open(s, use->backend->entry, &plan, &g.bundle);
    uint32_t event = 0;
    for (uint32_t first = 0; first < g.rows_count; first += GOLDEN_BATCH) {
        ride_error err = {0};
        ride_ticket ticket = 0;
        uint32_t flags[GOLDEN_BATCH];
        const uint32_t count = g.rows_count - first < GOLDEN_BATCH ? g.rows_count - first : GOLDEN_BATCH;
        memset(s->in_buffer, 0, g.in.tile_bytes);
        memset(s->out_buffer, POISON, g.out.tile_bytes);
        for (uint32_t i = 0; i < count; i++) flags[i] = row_copy(&g, first + i, i, s->in_buffer);
        const ride_work work = {.stages = stages,
                                .rows_count = count,
                                .in_tiles = s->in_buffer,
                                .out_tiles = s->out_buffer,
                                .arena = session_arena,
                                .arena_bytes = sizeof session_arena};
        MUST(s->ops->submit(s->queue, s->program, s->state, &work, &ticket));
        MUST(s->ops->wait(s->queue, ticket, UINT64_MAX));
        for (uint32_t i = 0; i < count; i++) {
            if ((flags[i] & (RIDE_ROW_LABEL | RIDE_ROW_SKIP)) != 0) continue;
            CHECK(event < g.events_count, "more events than expected");
            event_compare(&g, s->in_buffer, s->out_buffer, i, event++);
        }
    }
    CHECK(event == g.events_count && event > 100, "%u events of %u", event, g.events_count);
    session_close(s);
    golden_close(&g);
}

static void card_fraud(const backend_use *use) { run(use, "card-fraud"); }
static void windows(const backend_use *use) { run(use, "windows"); }

int main(int argc, char **argv) {
    backends_add("golden_card_fraud", BACKENDS_ALL, 1, 1, card_fraud);
    backends_add("golden_windows", BACKENDS_ALL, 1, 1, windows);
    return check_main(argc, argv);
}
