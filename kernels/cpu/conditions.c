/* kernels/cpu/conditions.c: nodes sorted by what they ask, equal ones made one; and the plain loops. */
#include "kernels/cpu/conditions_internal.h"

#include "base/assert.h"
#include "kernels/row/tree.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_ROWS = 64 };
static const uint32_t others_bits = RIDE_NODE_SET | RIDE_NODE_ONLY_MISSING;

/* One inner node, and what is needed to sort it. */
typedef struct asked {
    const ride_forest_node *node;
    const uint32_t *words; /* of all sets */
    double threshold;      /* -0 made 0: no comparison tells them apart */
    uint32_t index;
} asked;

static uint32_t input_of(const asked *a) { return a->node->input & RIDE_NODE_INPUT_MASK; }
static bool is_number(const asked *a) { return (a->node->input & others_bits) == 0; }
static int order(uint64_t a, uint64_t b) { return (a > b) - (a < b); }

static int compare_sets(const asked *a, const asked *b) {
    const ride_forest_set l = a->node->u.set, r = b->node->u.set;
    if (l.words_count != r.words_count) return order(l.words_count, r.words_count);
    for (uint32_t i = 0; i < l.words_count; i++) {
        const int differ = order(a->words[l.words_first + i], b->words[r.words_first + i]);
        if (differ != 0) return differ;
    }
    return 0;
}

/* Numbers first; then by input and kind, so that runs are neighbours; then by threshold or set. */
static int compare(const void *left, const void *right) {
    const asked *a = left, *b = right;
    if (is_number(a) != is_number(b)) return is_number(a) ? -1 : 1;
    if (input_of(a) != input_of(b)) return order(input_of(a), input_of(b));
    if (a->node->input != b->node->input) return order(a->node->input, b->node->input);
    if (a->node->input & RIDE_NODE_SET) return compare_sets(a, b);
    return (a->threshold > b->threshold) - (a->threshold < b->threshold);
}

/* The least float at or above t: x < t of a float x is x < that. */
static float float_above(double t) {
    const float f = (float)t;
    return (double)f < t ? nextafterf(f, INFINITY) : f;
}

static uint32_t column_of(ride_conditions *c, uint32_t input, bool zero_missing) {
    for (uint32_t i = c->columns_count; i > 0 && c->columns[i - 1].input == input; i--)
        if (c->columns[i - 1].zero_missing == zero_missing) return i - 1;
    c->columns[c->columns_count] = (conditions_column){input, zero_missing};
    return c->columns_count++;
}

static void add_number(ride_conditions *c, const asked *all, uint32_t i) {
    const uint32_t bits = all[i].node->input;
    if (i == 0 || all[i - 1].node->input != bits) {
        const uint32_t column = column_of(c, input_of(&all[i]), (bits & RIDE_NODE_ZERO_MISSING) != 0);
        c->runs[c->runs_count++] = (conditions_run){.column = column,
                                                    .first = c->numbers_count,
                                                    .nan_right = (bits & RIDE_NODE_DEFAULT_LEFT) == 0};
    }
    c->runs[c->runs_count - 1].count++;
    if (c->is_float) ((float *)c->thresholds)[c->numbers_count++] = float_above(all[i].threshold);
    else ((double *)c->thresholds)[c->numbers_count++] = all[i].threshold;
}

static void add_other(ride_conditions *c, const asked *a) {
    conditions_other *other = &c->others[c->others_count++];
    *other = (conditions_other){.node = *a->node, .column = column_of(c, input_of(a), false)};
    if ((a->node->input & RIDE_NODE_SET) == 0) return;
    const ride_forest_set set = a->node->u.set;
    other->node.u.set.words_first = c->words_count;
    if (set.words_count > 0) memcpy(c->words + c->words_count, a->words + set.words_first, set.words_count * 4);
    c->words_count += set.words_count;
}

static ride_status make(ride_conditions *c, const ride_forest *forest, asked *all, uint32_t *of_node, ride_error *err) {
    uint32_t count = 0, words = 0;
    for (uint32_t i = 0; i < forest->header->nodes_count; i++) {
        const ride_forest_node *node = &forest->nodes[i];
        of_node[i] = 0;
        if (node->input & RIDE_NODE_LEAF) continue;
        all[count++] =
            (asked){node, forest->category_words, (node->input & others_bits) == 0 ? node->u.threshold + 0.0 : 0.0, i};
    }
    qsort(all, count, sizeof *all, compare);
    uint32_t distinct = 0;
    for (uint32_t i = 0; i < count; i++) {
        const bool is_new = i == 0 || compare(&all[i - 1], &all[i]) != 0;
        distinct += is_new;
        of_node[all[i].index] = distinct - 1;
        if (is_new && (all[i].node->input & RIDE_NODE_SET)) words += all[i].node->u.set.words_count;
    }
    const size_t most = (size_t)distinct + 1;
    c->columns = calloc(most, sizeof *c->columns);
    c->runs = calloc(most, sizeof *c->runs);
    c->thresholds = calloc(most, c->is_float ? sizeof(float) : sizeof(double));
    c->others = calloc(most, sizeof *c->others);
    c->words = calloc((size_t)words + 1, sizeof *c->words);
    if (c->columns == NULL || c->runs == NULL || c->thresholds == NULL || c->others == NULL || c->words == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory for %u conditions", distinct);
    uint32_t last = 0; /* where distinct ones are moved to, so that neighbours differ */
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && of_node[all[i].index] == last - 1) continue;
        all[last] = all[i];
        if (is_number(&all[last])) add_number(c, all, last);
        else add_other(c, &all[last]);
        last++;
    }
    return RIDE_OK;
}

ride_status ride_conditions_create(const ride_forest *forest, ride_cpu_isa isa, uint32_t *of_node,
                                   ride_conditions **out, ride_error *err) {
    *out = NULL;
    ride_conditions *c = calloc(1, sizeof *c);
    asked *all = malloc(((size_t)forest->header->nodes_count + 1) * sizeof *all);
    ride_status st = RIDE_OK;
    if (c == NULL || all == NULL) {
        st = ride_fail(err, RIDE_E_MEMORY, "no memory for the conditions of %u nodes", forest->header->nodes_count);
    } else {
        c->isa = isa;
        c->is_float = forest->header->input_number == RIDE_FOREST_F32;
        st = make(c, forest, all, of_node, err);
    }
    free(all);
    if (st == RIDE_OK) *out = c;
    else ride_conditions_destroy(c);
    return st;
}

void ride_conditions_destroy(ride_conditions *c) {
    if (c == NULL) return;
    free(c->columns);
    free(c->runs);
    free(c->thresholds);
    free(c->others);
    free(c->words);
    free(c);
}

uint32_t ride_conditions_count(const ride_conditions *c) { return c->numbers_count + c->others_count; }

static size_t number_bytes(const ride_conditions *c) { return c->is_float ? sizeof(float) : sizeof(double); }

size_t ride_conditions_bytes(const ride_conditions *c) {
    return c->columns_count * sizeof *c->columns + c->runs_count * sizeof *c->runs +
           c->numbers_count * number_bytes(c) + c->others_count * sizeof *c->others + c->words_count * sizeof *c->words;
}

size_t ride_conditions_scratch_bytes(const ride_conditions *c) {
    return (size_t)c->columns_count * RIDE_CONDITIONS_ROWS * number_bytes(c) + 64;
}

/* ---- rows ---- */

static inline double value_at(const ride_conditions *c, const ride_cpu_matrix *m, size_t row, uint32_t column) {
    const ptrdiff_t at = (ptrdiff_t)row * m->row_stride + (ptrdiff_t)c->columns[column].input * m->column_stride;
    double x = m->number == RIDE_FOREST_F32 ? (double)((const float *)m->x)[at] : ((const double *)m->x)[at];
    if (c->is_float) x = (double)(float)x;
    return c->columns[column].zero_missing && ride_forest_is_zero(x) ? (double)NAN : x;
}

/* The columns of all rows; 0 behind the last. Some rows at a time, so that they stay in the nearest cache. */
static void columns_fill(const ride_conditions *c, const ride_cpu_matrix *m, size_t row_first, uint32_t rows_count,
                         void *x) {
    const uint32_t rows = (rows_count + WORD_ROWS - 1) / WORD_ROWS * WORD_ROWS;
    const bool plain = c->is_float && m->number == RIDE_FOREST_F32;
    for (uint32_t begin = 0; begin < rows; begin += WORD_ROWS)
        for (uint32_t i = 0; i < c->columns_count; i++) {
            const uint32_t left = rows_count > begin ? rows_count - begin : 0,
                           end = left < WORD_ROWS ? left : WORD_ROWS;
            const size_t to = (size_t)i * RIDE_CONDITIONS_ROWS + begin;
            uint32_t r = 0;
            if (plain && !c->columns[i].zero_missing) {
                const float *from = (const float *)m->x + (ptrdiff_t)(row_first + begin) * m->row_stride +
                                    (ptrdiff_t)c->columns[i].input * m->column_stride;
                for (; r < end; r++) ((float *)x)[to + r] = from[r * m->row_stride];
            }
            for (; r < WORD_ROWS; r++) {
                const double value = r < end ? value_at(c, m, row_first + begin + r, i) : 0.0;
                if (c->is_float) ((float *)x)[to + r] = (float)value;
                else ((double *)x)[to + r] = value;
            }
        }
}

#define RUN(name, number)                                                                                              \
    void name(const number *x, const number *thresholds, uint32_t count, bool nan_right, uint32_t words,               \
              uint64_t *out, uint32_t stride) {                                                                        \
        for (uint32_t k = 0; k < count; k++)                                                                           \
            for (uint32_t w = 0; w < words; w++) {                                                                     \
                uint64_t bits = 0;                                                                                     \
                for (uint32_t r = 0; r < WORD_ROWS; r++) {                                                             \
                    const number value = x[w * WORD_ROWS + r];                                                         \
                    bits |= (uint64_t)(nan_right ? !(value < thresholds[k]) : value >= thresholds[k]) << r;            \
                }                                                                                                      \
                out[(size_t)k * stride + w] = bits;                                                                    \
            }                                                                                                          \
    }
RUN(conditions_run_f32, float)
RUN(conditions_run_f64, double)

#if !defined(__x86_64__) /* no machine says that it has them */
#define NONE(name, plain, number)                                                                                      \
    void name(const number *x, const number *thresholds, uint32_t count, bool nan_right, uint32_t words,               \
              uint64_t *out, uint32_t stride) {                                                                        \
        plain(x, thresholds, count, nan_right, words, out, stride);                                                    \
    }
NONE(conditions_run_f32_avx2, conditions_run_f32, float)
NONE(conditions_run_f64_avx2, conditions_run_f64, double)
NONE(conditions_run_f32_avx512, conditions_run_f32, float)
NONE(conditions_run_f64_avx512, conditions_run_f64, double)
#endif

static bool goes_right(const ride_conditions *c, const conditions_other *other, double x) {
    return ride_forest_child(&other->node, c->words, x) != other->node.left;
}

void ride_conditions_planes(const ride_conditions *c, void *scratch, const ride_cpu_matrix *matrix, size_t row_first,
                            uint32_t rows_count, uint64_t *planes, uint32_t stride) {
    RIDE_ASSERT(rows_count > 0 && rows_count <= RIDE_CONDITIONS_ROWS);
    const uint32_t words = (rows_count + WORD_ROWS - 1) / WORD_ROWS;
    const int way = c->isa >= RIDE_CPU_AVX512 ? 2 : c->isa >= RIDE_CPU_AVX2 ? 1 : 0;
    static void (*const of_f32[])(const float *, const float *, uint32_t, bool, uint32_t, uint64_t *,
                                  uint32_t) = {conditions_run_f32, conditions_run_f32_avx2, conditions_run_f32_avx512};
    static void (*const of_f64[])(const double *, const double *, uint32_t, bool, uint32_t, uint64_t *,
                                  uint32_t) = {conditions_run_f64, conditions_run_f64_avx2, conditions_run_f64_avx512};
    const float *floats = scratch;
    const double *doubles = scratch;
    RIDE_ASSERT(words <= stride);
    columns_fill(c, matrix, row_first, rows_count, scratch);
    for (uint32_t i = 0; i < c->runs_count; i++) {
        const conditions_run *run = &c->runs[i];
        const size_t column = (size_t)run->column * RIDE_CONDITIONS_ROWS;
        uint64_t *out = planes + (size_t)run->first * stride;
        if (c->is_float)
            of_f32[way](floats + column, (const float *)c->thresholds + run->first, run->count, run->nan_right, words,
                        out, stride);
        else
            of_f64[way](doubles + column, (const double *)c->thresholds + run->first, run->count, run->nan_right, words,
                        out, stride);
    }
    for (uint32_t i = 0; i < c->others_count; i++) {
        const conditions_other *other = &c->others[i];
        const size_t column = (size_t)other->column * RIDE_CONDITIONS_ROWS;
        uint64_t *out = planes + (size_t)(c->numbers_count + i) * stride;
        for (uint32_t w = 0; w < words; w++) {
            uint64_t bits = 0;
            for (uint32_t r = 0; r < WORD_ROWS; r++) {
                const size_t at = column + (size_t)w * WORD_ROWS + r;
                bits |= (uint64_t)goes_right(c, other, c->is_float ? (double)floats[at] : doubles[at]) << r;
            }
            out[w] = bits;
        }
    }
}

void ride_conditions_row(const ride_conditions *c, const ride_cpu_matrix *matrix, size_t row, uint8_t *bits) {
    for (uint32_t i = 0; i < c->runs_count; i++) {
        const conditions_run *run = &c->runs[i];
        const double x = value_at(c, matrix, row, run->column);
        uint8_t *out = bits + run->first;
        if (isnan(x)) {
            memset(out, run->nan_right, run->count);
        } else if (c->is_float) {
            const float *thresholds = (const float *)c->thresholds + run->first, value = (float)x;
            for (uint32_t k = 0; k < run->count; k++) out[k] = value >= thresholds[k];
        } else {
            const double *thresholds = (const double *)c->thresholds + run->first;
            for (uint32_t k = 0; k < run->count; k++) out[k] = x >= thresholds[k];
        }
    }
    for (uint32_t i = 0; i < c->others_count; i++)
        bits[c->numbers_count + i] = goes_right(c, &c->others[i], value_at(c, matrix, row, c->others[i].column));
}
