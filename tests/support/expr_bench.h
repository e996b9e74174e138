/* Ground for tests of expressions: a small scope of fields and features, one tile of random rows, and the three ways to run a
 * compiled program (row interpreter, baseline loops, AVX2 loops). */
#ifndef RIDE_TESTS_EXPR_BENCH_H
#define RIDE_TESTS_EXPR_BENCH_H
#include "features/expr.h"
#include "kernels/cpu/program_internal.h"
#include "kernels/row/expr.h"
#include "lib/hash.h"

#include <stdlib.h>
#include <string.h>

enum { G_TIME, G_N, G_AMOUNT, G_FINE, G_ID, G_LAT, G_FLAG, G_COLOUR, G_TYPE, G_TYPE_HASH, G_COLUMNS };
enum { G_MEAN, G_NIGHT, G_FEATURES };

typedef struct ground {
    ride_tile_layout in_layout, out_layout;
    uint8_t *in_tile, *out_tile;
    ride_plan_column columns[G_COLUMNS];
    uint32_t rows_count;
    uint64_t random;
    ride_expr_sections sections;
    ride_plan_zone zone[8];
    uint32_t zone_count;
} ground;

static inline uint64_t ground_random(ground *g) { /* xorshift64* */
    g->random ^= g->random >> 12, g->random ^= g->random << 25, g->random ^= g->random >> 27;
    return g->random * UINT64_C(0x2545f4914f6cdd1d);
}

static inline int32_t ground_hash_column(void *context, uint32_t symbol) {
    (void)context, (void)symbol;
    return G_TYPE_HASH;
}
static inline ride_key128 ground_hash_text(void *context, const char *text, size_t bytes) {
    (void)context;
    return ride_hash_bytes(text, bytes);
}

static const char *const ground_colours[] = {"red", "green", "blue"};
static const char *const ground_types[] = {"online", "shop", "atm", ""};
static const ride_expr_symbol ground_symbols[] = {
    {.name = "n", .kind = RIDE_EXPR_FIELD, .index = G_N, .type = RIDE_TYPE_I64, .nullable = true},
    {.name = "amount", .kind = RIDE_EXPR_FIELD, .index = G_AMOUNT, .type = RIDE_TYPE_DECIMAL, .scale = 2},
    {.name = "fine", .kind = RIDE_EXPR_FIELD, .index = G_FINE, .type = RIDE_TYPE_DECIMAL, .scale = 5, .nullable = true},
    {.name = "id", .kind = RIDE_EXPR_FIELD, .index = G_ID, .type = RIDE_TYPE_U64, .nullable = true},
    {.name = "lat", .kind = RIDE_EXPR_FIELD, .index = G_LAT, .type = RIDE_TYPE_F64, .nullable = true},
    {.name = "flag", .kind = RIDE_EXPR_FIELD, .index = G_FLAG, .type = RIDE_TYPE_BOOL, .nullable = true},
    {.name = "colour",
     .kind = RIDE_EXPR_FIELD,
     .index = G_COLOUR,
     .type = RIDE_TYPE_I64,
     .categories = ground_colours,
     .categories_count = 3},
    {.name = "type", .kind = RIDE_EXPR_FIELD, .index = G_TYPE, .type = RIDE_TYPE_STRING, .nullable = true},
    {.name = "mean", .kind = RIDE_EXPR_FEATURE, .index = G_MEAN, .type = RIDE_TYPE_F64},
    {.name = "night", .kind = RIDE_EXPR_FEATURE, .index = G_NIGHT, .type = RIDE_TYPE_BOOL},
    {.name = "probability", .kind = RIDE_EXPR_SCORE, .index = G_FEATURES + RIDE_OUT_PROBABILITY, .type = RIDE_TYPE_F64},
    {.name = "label", .kind = RIDE_EXPR_FIELD, .index = G_FLAG, .type = RIDE_TYPE_BOOL, .refusal = "is the label"},
    {.name = "odd name-1", .kind = RIDE_EXPR_FIELD, .index = G_N, .type = RIDE_TYPE_I64, .nullable = true},
    {.name = "pattern.card_testing", .kind = RIDE_EXPR_FEATURE, .index = G_NIGHT, .type = RIDE_TYPE_BOOL},
};
static const ride_expr_scope ground_scope = {
    .symbols = ground_symbols,
    .symbols_count = sizeof ground_symbols / sizeof *ground_symbols,
    .hash_column = ground_hash_column,
    .hash_text = ground_hash_text,
    .time_column = G_TIME,
};

static inline void *ground_cells(ground *g, uint32_t column) {
    return g->in_tile + g->in_layout.columns[column].values_offset;
}

/* New values in every row: ordinary ones, edges of the types, nulls. */
static inline void ground_fill(ground *g) {
    static const int64_t edges[] = {0, 1, -1, 100, INT64_MAX, INT64_MIN, INT64_MAX / 100, 10000};
    for (uint32_t r = 0; r < RIDE_TILE_ROWS; r++) {
        uint64_t z = ground_random(g);
        ((int64_t *)ground_cells(g, G_TIME))[r] = (int64_t)(z % UINT64_C(4000000000000000)) - INT64_C(1000000000000000);
        ((int64_t *)ground_cells(g, G_N))[r] = z % 5 == 0 ? edges[z / 8 % 8] : (int64_t)(z % 41) - 20;
        ((int64_t *)ground_cells(g, G_AMOUNT))[r] = z % 11 == 0 ? edges[z / 16 % 8] : (int64_t)(z / 64 % 40000) - 2000;
        ((int64_t *)ground_cells(g, G_FINE))[r] = (int64_t)(z / 128 % 4000000) - 2000000;
        ((uint64_t *)ground_cells(g, G_ID))[r] = z % 3 == 0 ? z * 77 : z % 30;
        ((double *)ground_cells(g, G_LAT))[r] = z % 7 == 0 ? 0.0 : ((double)(z % 20001) - 10000.0) / 64.0;
        ((uint8_t *)ground_cells(g, G_FLAG))[r] = z / 3 % 2;
        ((int64_t *)ground_cells(g, G_COLOUR))[r] = (int64_t)(z / 5 % 3);
        const char *type = ground_types[z / 7 % 4];
        ((ride_key128 *)ground_cells(g, G_TYPE_HASH))[r] = ride_hash_bytes(type, strlen(type));
        ((ride_slice *)ground_cells(g, G_TYPE))[r] = (ride_slice){0, (uint32_t)strlen(type)};
        double *mean = (double *)(g->out_tile + g->out_layout.columns[G_MEAN].values_offset);
        double *night = (double *)(g->out_tile + g->out_layout.columns[G_NIGHT].values_offset);
        mean[r] = z / 9 % 6 == 0 ? ride_f64_null() : (double)(z / 11 % 1000) / 10.0;
        night[r] = z / 13 % 4 == 0 ? ride_f64_null() : (double)(z / 17 % 2);
        for (uint32_t c = G_FEATURES; c < G_FEATURES + 2; c++)
            ((double *)(g->out_tile + g->out_layout.columns[c].values_offset))[r] = (double)(z / 19 % 1000) / 1000.0;
        for (uint32_t c = 0; c < G_COLUMNS; c++) {
            uint8_t *valid = ride_tile_validity(&g->in_layout, g->in_tile, c);
            if (valid != NULL && c != G_TYPE_HASH) ride_bit_put(valid, r, (z >> (c + 20)) % 4 != 0);
        }
        ride_bit_put(ride_tile_validity(&g->in_layout, g->in_tile, G_TYPE_HASH), r,
                     ride_bit_get(ride_tile_validity(&g->in_layout, g->in_tile, G_TYPE), r));
    }
    g->rows_count = 1 + (uint32_t)(ground_random(g) % RIDE_TILE_ROWS);
    if (ground_random(g) % 2) g->rows_count = RIDE_TILE_ROWS;
}

static inline ground *ground_create(uint64_t seed) {
    static const ride_type types[] = {RIDE_TYPE_TIMESTAMP, RIDE_TYPE_I64,   RIDE_TYPE_DECIMAL, RIDE_TYPE_DECIMAL,
                                      RIDE_TYPE_U64,       RIDE_TYPE_F64,   RIDE_TYPE_BOOL,    RIDE_TYPE_I64,
                                      RIDE_TYPE_STRING,    RIDE_TYPE_KEY128};
    static const uint8_t nullable[] = {0, 1, 0, 1, 1, 1, 1, 0, 1, 1};
    ground *g = calloc(1, sizeof *g);
    g->random = seed * 2 + 1;
    ride_tile_layout_begin(&g->in_layout);
    for (uint32_t c = 0; c < G_COLUMNS; c++) {
        ride_tile_layout_add(&g->in_layout, types[c], nullable[c]);
        g->columns[c] = (ride_plan_column){.type = types[c], .nullable = nullable[c], .scale = 0};
    }
    ride_tile_layout_finish(&g->in_layout);
    ride_tile_layout_begin(&g->out_layout);
    for (uint32_t c = 0; c < G_FEATURES + 2; c++) ride_tile_layout_add(&g->out_layout, RIDE_TYPE_F64, 0);
    ride_tile_layout_finish(&g->out_layout);
    g->in_tile = aligned_alloc(128, g->in_layout.tile_bytes);
    g->out_tile = aligned_alloc(128, g->out_layout.tile_bytes);
    memset(g->in_tile, 0xcd, g->in_layout.tile_bytes);
    memset(g->out_tile, 0xcd, g->out_layout.tile_bytes);
    ground_fill(g);
    return g;
}
static inline void ground_destroy(ground *g) {
    ride_expr_sections_free(&g->sections);
    free(g->in_tile), free(g->out_tile), free(g);
}

/* Compiles text as program 0 of g->sections, and checks it as a backend would. */
static inline ride_status ground_compile(ground *g, const char *text, ride_expr_want want, ride_expr_result *result,
                                         ride_diagnostics *findings) {
    const ride_expr_place place = {.file = "t.yaml", .line = 3, .column = 7, .status = RIDE_E_SPEC};
    ride_expr_sections_free(&g->sections);
    ride_status st = ride_expr_compile(text, strlen(text), want, &place, &ground_scope, &g->sections, result, findings);
    if (st != RIDE_OK) return st;
    const ride_program_bounds bounds = {.columns = g->columns,
                                        .columns_count = G_COLUMNS,
                                        .features_count = G_FEATURES,
                                        .code = g->sections.code,
                                        .code_count = g->sections.code_count,
                                        .constants = g->sections.constants,
                                        .constants_count = g->sections.constants_count};
    return ride_program_check(&g->sections.programs[0], &bounds, NULL);
}

/* Runs program 0 over the tile with one of the two loop variants (NULL: cpuid chooses). */
static inline void ground_run_tile(ground *g, ride_cpu_program_eval_fn eval, double *values, uint8_t *bitmap) {
    ride_plan_header plan = {.zone_transitions_count = g->zone_count};
    ride_bundle bundle = {.plan = &plan};
    bundle.sections[RIDE_SECTION_PROGRAMS] = g->sections.programs;
    bundle.sections_bytes[RIDE_SECTION_PROGRAMS] = sizeof(ride_program);
    bundle.sections[RIDE_SECTION_PROGRAM_CODE] = g->sections.code;
    bundle.sections[RIDE_SECTION_PROGRAM_CONSTANTS] = g->sections.constants;
    bundle.sections[RIDE_SECTION_ZONE] = g->zone;
    size_t bytes = (ride_cpu_program_scratch_bytes(&bundle) + 63) / 64 * 64;
    void *memory = aligned_alloc(64, bytes);
    ride_cpu_program_scratch *scratch = ride_cpu_program_scratch_init(&bundle, memory);
    if (eval != NULL) scratch->eval = eval;
    const ride_cpu_program_inputs inputs = {.in_layout = &g->in_layout,
                                            .in_tile = g->in_tile,
                                            .out_layout = &g->out_layout,
                                            .out_tile = g->out_tile,
                                            .rows_count = g->rows_count};
    ride_cpu_program_number(scratch, 0, &inputs, values);
    if (g->sections.programs[0].result_class == RIDE_CLASS_BOOL)
        ride_cpu_program_condition(scratch, 0, &inputs, bitmap);
    free(memory);
}
static inline double ground_run_row(ground *g, uint32_t row) {
    const ride_expr_row_inputs in = {.code = g->sections.code,
                                     .constants = g->sections.constants,
                                     .zone = g->zone,
                                     .zone_count = g->zone_count,
                                     .in_layout = &g->in_layout,
                                     .in_tile = g->in_tile,
                                     .out_layout = &g->out_layout,
                                     .out_tile = g->out_tile};
    return ride_expr_number(ride_expr_row(&g->sections.programs[0], &in, row), g->sections.programs[0].result_class);
}

#endif
