/* The CPU's forest engine against the obvious walk, bit for bit: every way with every instruction set of this machine over forests of every kind, with the
 * values that decide. At the end a table of the rows that each way really scored for each kind: an empty cell fails. */
#include "kernels/cpu/forest.h"
#include "kernels/row/tree.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TREES_MAX = 40,
    NODES_MAX = TREES_MAX * 511,
    INPUTS_MAX = 12,
    THRESHOLDS_MAX = 700,
    OUTPUTS_MAX = 3,
    ROWS = 1100,
    SETS = 6,
    SET_WORDS = 15
};

enum {
    NAN_LEFT = 1, /* missing values go both ways */
    CATEGORY = 2,
    MANY = 4,    /* more than 255 thresholds of an input */
    DOUBLES = 8, /* inputs */
    DOUBLE_SUM = 16,
    WHOLE = 32,   /* leaves, as of isolation forests */
    OUTPUTS = 64, /* several */
    LARGE = 128,  /* trees of more than 64 leaves */
    DEEP = 256,
    ZERO_MISSING = 512,
    OBLIVIOUS = 1024,
    CLOSE = 2048,  /* doubles: thresholds between the same floats */
    LAST = 4096,   /* the base margin is added last */
    LINEAR = 8192, /* half of the leaves have terms */
    TRAITS = 14,
};
static const char *const trait_names[TRAITS] = {"NaN",       "category", "> 255",       "f64 in", "f64 sum",
                                                "whole",     "outputs",  "> 64 leaves", "deep",   "zero missing",
                                                "oblivious", "close",    "base last",   "linear"};

typedef struct wood {
    ride_forest forest;
    ride_forest_header header;
    double base[OUTPUTS_MAX];
    ride_forest_tree trees[TREES_MAX];
    ride_forest_node nodes[NODES_MAX];
    uint32_t words[SETS * SET_WORDS];
    ride_forest_line lines[NODES_MAX];
    ride_forest_term terms[3 * NODES_MAX];
    double thresholds[INPUTS_MAX][THRESHOLDS_MAX];
    uint32_t thresholds_count[INPUTS_MAX];
    uint32_t traits;
    uint64_t random;
} wood;

static uint64_t draw(wood *w) {
    w->random ^= w->random >> 12, w->random ^= w->random << 25, w->random ^= w->random >> 27;
    return w->random * UINT64_C(0x2545f4914f6cdd1d);
}
static uint32_t below(wood *w, uint32_t n) { return (uint32_t)((draw(w) >> 33) % n); }

static double odd_number(wood *w) {
    static const double odd[] = {
        0.0, -0.0, INFINITY, -INFINITY, 1e-42,          -1e-42,         (double)3.4e38f, -(double)3.4e38f,
        1.0, -1.0, 1e-35,    -1e-35,    (double)1e-35f, -(double)1e-35f};
    static const double wide[] = {1e300, -1e300, 1e-300, -1e-300, 5e-324, 1.7976931348623157e308, 1e-46, -1e-46};
    if ((w->traits & DOUBLES) && below(w, 16) == 0) return wide[below(w, sizeof wide / sizeof *wide)];
    if (below(w, 8) == 0) return odd[below(w, sizeof odd / sizeof *odd)];
    return ((double)below(w, 200000) - 100000) / 77.0;
}

static double number(wood *w) { return (w->traits & DOUBLES) ? odd_number(w) : (double)(float)odd_number(w); }

static double leaf(wood *w) {
    if (w->traits & WHOLE) return (double)below(w, 30 << 20);
    const double value = odd_number(w);
    if (!isfinite(value) || fabs(value) > 1e30) return 1.25;
    return (w->traits & DOUBLE_SUM) ? value * 1.000000001 : (double)(float)value;
}

static ride_forest_node inner(wood *w, uint32_t input) {
    uint32_t bits = input;
    if ((w->traits & NAN_LEFT) ? below(w, 2) : input % 2) bits |= RIDE_NODE_DEFAULT_LEFT;
    if ((w->traits & CATEGORY) && input % 3 == 0) {
        const uint32_t words = 1 + below(w, SET_WORDS);
        if (below(w, 2)) bits |= RIDE_NODE_SET_LEFT;
        if (below(w, 2)) bits |= RIDE_NODE_SET_FROM_MINUS_1;
        return (ride_forest_node){.u.set = {below(w, SETS) * SET_WORDS, words}, .input = bits | RIDE_NODE_SET};
    }
    if ((w->traits & ZERO_MISSING) && input % 2) {
        if (below(w, 4)) bits |= RIDE_NODE_ZERO_MISSING;
        if (below(w, 5) == 0) bits |= RIDE_NODE_ONLY_MISSING;
    }
    return (ride_forest_node){.u.threshold = w->thresholds[input][below(w, w->thresholds_count[input])], .input = bits};
}

/* Up to three terms, some of inputs that no test asks for. */
static uint32_t line(wood *w) {
    ride_forest_line *to = &w->lines[w->header.lines_count++];
    *to = (ride_forest_line){leaf(w), w->header.terms_count, below(w, 4)};
    for (uint32_t i = 0; i < to->terms_count; i++)
        w->terms[w->header.terms_count++] =
            (ride_forest_term){.coefficient = leaf(w) / 3, .input = below(w, w->header.inputs_count)};
    return w->header.lines_count;
}

/* Grows breadth first: children of the k-th inner node are 2k+1 and 2k+2. shape 0: full; 1: any; 2: a vine; 3: oblivious. */
static void grow(wood *w, uint32_t number, uint32_t leaves_max, uint32_t shape) {
    ride_forest_tree *tree = &w->trees[number];
    const uint32_t first = number == 0 ? 0 : w->trees[number - 1].nodes_first + w->trees[number - 1].nodes_count;
    ride_forest_node *nodes = w->nodes + first, of_level[16];
    uint32_t depth[511] = {0}, tail = 1, inners = 0;
    *tree = (ride_forest_tree){.nodes_first = first, .output = below(w, w->header.outputs_count)};
    if (shape == 3)
        for (uint32_t i = 0; i < 16; i++) of_level[i] = inner(w, below(w, w->header.inputs_count));
    for (uint32_t i = 0; i < tail; i++) {
        const bool last_of_level = i + 1 == tail || depth[i + 1] != depth[i];
        bool splits = inners + 1 < leaves_max;
        if (shape == 1 && !(last_of_level && tail == i + 1)) splits = splits && below(w, 3) != 0;
        if (shape == 2) splits = splits && (last_of_level || below(w, 8) == 0);
        if (shape == 3) splits = (2u << depth[i]) <= leaves_max;
        if (depth[i] > tree->depth) tree->depth = depth[i];
        if (!splits) {
            nodes[i] = (ride_forest_node){.u.leaf = leaf(w), .input = RIDE_NODE_LEAF};
            if ((w->traits & LINEAR) && below(w, 2)) nodes[i].left = line(w);
            continue;
        }
        nodes[i] = shape == 3 ? of_level[depth[i]] : inner(w, below(w, w->header.inputs_count));
        nodes[i].left = tail;
        inners++;
        depth[tail] = depth[tail + 1] = depth[i] + 1;
        tail += 2;
    }
    tree->nodes_count = tail;
    w->header.nodes_count = first + tail;
}

static void thresholds_plant(wood *w, uint32_t input) {
    const uint32_t most = (w->traits & MANY) && input % 2 == 0 ? THRESHOLDS_MAX : 20;
    double *t = w->thresholds[input];
    w->thresholds_count[input] = most > 255 ? most : 1 + below(w, most);
    for (uint32_t k = 0; k < w->thresholds_count[input]; k++) {
        t[k] = number(w);
        if ((w->traits & CLOSE) && input % 2 == 0 && k > 0 && below(w, 2) && isfinite(t[k - 1]))
            t[k] = nextafter(t[k - 1], below(w, 2) ? INFINITY : -INFINITY);
    }
}

static wood *plant(uint64_t seed, uint32_t traits) {
    wood *w = calloc(1, sizeof *w);
    cr_assert_not_null(w);
    if (traits & LINEAR) traits |= DOUBLES | DOUBLE_SUM;
    w->random = seed * 2 + 1;
    w->traits = traits;
    for (int i = 0; i < 4; i++) draw(w);
    const uint32_t inputs = (traits & (CATEGORY | MANY)) ? 4 + below(w, INPUTS_MAX - 3) : 1 + below(w, INPUTS_MAX);
    w->header = (ride_forest_header){.forest_version = RIDE_FOREST_VERSION,
                                     .trees_count = (traits & MANY) ? TREES_MAX : 1 + below(w, TREES_MAX),
                                     .inputs_count = inputs,
                                     .outputs_count = (traits & OUTPUTS) ? OUTPUTS_MAX : 1,
                                     .category_words_count = (traits & CATEGORY) ? SETS * SET_WORDS : 0,
                                     .input_number = (traits & DOUBLES) ? RIDE_FOREST_F64 : RIDE_FOREST_F32,
                                     .sum_number = (traits & DOUBLE_SUM) ? RIDE_FOREST_F64 : RIDE_FOREST_F32,
                                     .link = RIDE_FOREST_LINK_NONE};
    for (uint32_t i = 0; i < SETS * SET_WORDS; i++) w->words[i] = (uint32_t)draw(w);
    for (uint32_t i = 0; i < inputs; i++) thresholds_plant(w, i);
    const uint32_t shape = (traits & OBLIVIOUS) ? 3 : (traits & DEEP) ? 2 : below(w, 3);
    for (uint32_t t = 0; t < w->header.trees_count; t++) {
        const uint32_t most = (traits & LARGE) && t % 3 == 0 ? 65 + below(w, 192) : 1 + below(w, 64);
        grow(w, t, t % 7 == 6 ? 64 : most, shape);
        if (w->trees[t].depth > w->header.depth_max) w->header.depth_max = w->trees[t].depth;
    }
    if (traits & LAST) w->header.flags = RIDE_FOREST_BASE_LAST;
    for (uint32_t o = 0; o < OUTPUTS_MAX && (!(traits & WHOLE) || (traits & LAST)); o++) w->base[o] = leaf(w);
    w->forest = (ride_forest){.header = &w->header,
                              .base_margins = w->base,
                              .trees = w->trees,
                              .nodes = w->nodes,
                              .category_words = (traits & CATEGORY) ? w->words : NULL,
                              .lines = w->header.lines_count > 0 ? w->lines : NULL,
                              .terms = w->terms};
    return w;
}

/* What decides: thresholds, their neighbours, categories and what is near them, missing values. */
static double value(wood *w, uint32_t input) {
    const double t = w->thresholds[input][below(w, w->thresholds_count[input])];
    if ((w->traits & CATEGORY) && input % 3 == 0 && below(w, 4)) {
        const double category = (double)below(w, 520) - 3;
        return below(w, 3) == 0   ? category + (double)below(w, 1000) / 1000
               : below(w, 9) == 0 ? nextafter(category, INFINITY)
                                  : category;
    }
    switch (below(w, 10)) {
    case 0: return NAN;
    case 1: return (double)nextafterf((float)t, INFINITY);
    case 2: return (double)nextafterf((float)t, -INFINITY);
    case 3: return odd_number(w);
    case 4: return -NAN;
    case 5: return nextafter(t, INFINITY);
    case 6: return nextafter(t, -INFINITY);
    case 7: return (double)(float)t;
    default: return t;
    }
}

/* ---- comparing ---- */

static uint64_t cells[RIDE_CPU_ISAS][RIDE_CPU_WAYS][TRAITS];

static void count(const wood *w, ride_cpu_isa isa, ride_cpu_way way, uint64_t rows) {
    for (uint32_t t = 0; t < TRAITS; t++)
        if (w->traits & (1u << t)) cells[isa][way][t] += rows;
}

static void same(const wood *w, ride_cpu_isa isa, ride_cpu_way way, const double *got, const double *want, size_t rows,
                 const char *how) {
    const uint32_t outputs = w->header.outputs_count;
    for (size_t i = 0; i < rows * outputs; i++)
        cr_assert(memcmp(&got[i], &want[i], sizeof *want) == 0,
                  "%s, %s of %s, traits %#x, %u trees, row %zu of %zu: %.17g, not %.17g", how, ride_cpu_way_name(way),
                  ride_cpu_isa_name(isa), w->traits, w->header.trees_count, i / outputs, rows, got[i], want[i]);
}

typedef struct rows {
    double doubles[ROWS * INPUTS_MAX], floats_too[ROWS * INPUTS_MAX]; /* the second: as floats, held in doubles */
    float floats[ROWS * INPUTS_MAX];
    double want[ROWS * OUTPUTS_MAX], want_floats[ROWS * OUTPUTS_MAX];
} rows;

static void rows_make(wood *w, rows *r) {
    const uint32_t inputs = w->header.inputs_count, outputs = w->header.outputs_count;
    for (uint32_t row = 0; row < ROWS; row++) {
        double x[INPUTS_MAX];
        const size_t at = (size_t)row * inputs;
        for (uint32_t i = 0; i < inputs; i++) {
            r->doubles[at + i] = value(w, i);
            r->floats[at + i] = (float)r->doubles[at + i];
            x[i] = ride_forest_input(r->doubles[at + i], w->header.input_number);
        }
        ride_forest_row(&w->forest, x, 1, r->want + (size_t)row * outputs);
        for (uint32_t i = 0; i < inputs; i++) x[i] = (double)r->floats[at + i];
        ride_forest_row(&w->forest, x, 1, r->want_floats + (size_t)row * outputs);
    }
}

/* Exact room for the results, so that a sanitizer sees one too many. */
static void by_matrix(const wood *w, const rows *r, const ride_cpu_forest *f, ride_cpu_isa isa, ride_cpu_way way,
                      void *scratch, size_t count_rows) {
    const uint32_t inputs = w->header.inputs_count, outputs = w->header.outputs_count;
    double *got = malloc(count_rows * outputs * sizeof *got);
    cr_assert_not_null(got);
    const ride_cpu_matrix doubles = {r->doubles, RIDE_FOREST_F64, inputs, 1},
                          floats = {r->floats, RIDE_FOREST_F32, inputs, 1};
    ride_cpu_forest_matrix(f, scratch, &doubles, count_rows, got);
    same(w, isa, way, got, r->want, count_rows, "doubles");
    ride_cpu_forest_matrix(f, scratch, &floats, count_rows, got);
    same(w, isa, way, got, r->want_floats, count_rows, "floats");
    count(w, isa, way, 2 * count_rows);
    free(got);
}

static void by_columns(const wood *w, const rows *r, const ride_cpu_forest *f, ride_cpu_isa isa, ride_cpu_way way,
                       void *scratch, uint32_t count_rows) {
    const uint32_t outputs = w->header.outputs_count, stride = (count_rows + 63) / 64 * 64;
    const uint32_t *inputs, inputs_count = ride_cpu_forest_inputs(f, &inputs);
    double *got = malloc((size_t)count_rows * outputs * sizeof *got);
    for (int is_float = w->header.input_number == RIDE_FOREST_F32; is_float < 2; is_float++) {
        const size_t bytes = (size_t)inputs_count * stride * (is_float ? sizeof(float) : sizeof(double));
        void *x = aligned_alloc(64, (bytes + 64) / 64 * 64);
        cr_assert(x != NULL && got != NULL);
        for (uint32_t i = 0; i < inputs_count; i++)
            for (uint32_t row = 0; row < stride; row++) {
                const size_t from = (size_t)(row < count_rows ? row : 0) * w->header.inputs_count + inputs[i];
                if (is_float) ((float *)x)[i * stride + row] = r->floats[from];
                else ((double *)x)[i * stride + row] = r->doubles[from];
            }
        const ride_cpu_columns columns = {x, is_float ? RIDE_FOREST_F32 : RIDE_FOREST_F64, stride};
        ride_cpu_forest_columns(f, scratch, &columns, count_rows, got);
        same(w, isa, way, got, is_float ? r->want_floats : r->want, count_rows, "columns");
        count(w, isa, way, count_rows);
        free(x);
    }
    free(got);
}

/* All ways of a set of instructions. Which were there at all. */
static void check(wood *w, rows *r, ride_cpu_isa isa, const size_t *sizes, size_t sizes_count) {
    ride_cpu_forest *f = NULL;
    ride_error err;
    cr_assert_eq(ride_cpu_forest_create(&w->forest, isa, &f, &err), RIDE_OK);
    const size_t bytes = (ride_cpu_forest_scratch_bytes(f) + 63) / 64 * 64;
    for (ride_cpu_way way = RIDE_CPU_WAY_CHOSEN; way < RIDE_CPU_WAYS; way++) {
        if (!ride_cpu_forest_has(f, way)) continue;
        void *scratch = aligned_alloc(64, bytes);
        cr_assert_not_null(scratch);
        memset(scratch, 0x5a, bytes);
        ride_cpu_forest_force(f, way);
        for (size_t s = 0; s < sizes_count; s++) {
            by_matrix(w, r, f, isa, way, scratch, sizes[s]);
            if (sizes[s] <= RIDE_CPU_FOREST_ROWS) by_columns(w, r, f, isa, way, scratch, (uint32_t)sizes[s]);
        }
        free(scratch);
    }
    ride_cpu_forest_destroy(f);
}

/* The ways that a set of instructions has for forests with a trait. */
static bool is_expected(ride_cpu_isa isa, ride_cpu_way way, uint32_t trait) {
    if (trait == LINEAR) return way <= RIDE_CPU_WAY_WALK;
    switch (way) {
    case RIDE_CPU_WAY_CHOSEN:
    case RIDE_CPU_WAY_WALK: return true;
    case RIDE_CPU_WAY_NARROW: return isa >= RIDE_CPU_AVX512 && trait != LARGE;
    case RIDE_CPU_WAY_ROW:
    case RIDE_CPU_WAY_WIDE: return isa != RIDE_CPU_PORTABLE;
    case RIDE_CPU_WAY_CROWN: return isa != RIDE_CPU_PORTABLE && trait != OBLIVIOUS;
    case RIDE_CPU_WAY_SLIM:
    case RIDE_CPU_WAY_HALF: return isa == RIDE_CPU_AVX512_BYTES;
    default: return false;
    }
}

static void table_check(void) {
    for (uint32_t t = 0; t < TRAITS; t++)
        fprintf(stderr, "%s%s", t == 0 ? "rows scored, by trait: " : ", ", trait_names[t]);
    fprintf(stderr, "\n");
    for (ride_cpu_isa isa = RIDE_CPU_PORTABLE; isa < RIDE_CPU_ISAS; isa++)
        for (ride_cpu_way way = RIDE_CPU_WAY_CHOSEN; way < RIDE_CPU_WAYS; way++) {
            fprintf(stderr, "%-14s %-14s", ride_cpu_isa_name(isa), ride_cpu_way_name(way));
            if (!ride_cpu_isa_has(isa)) {
                fprintf(stderr, " skipped: this machine has no %s\n", ride_cpu_isa_name(isa));
                continue;
            }
            for (uint32_t t = 0; t < TRAITS; t++) {
                fprintf(stderr, " %9llu", (unsigned long long)cells[isa][way][t]);
                cr_assert(cells[isa][way][t] > 0 || !is_expected(isa, way, 1u << t), "%s %s scored no row of %s",
                          ride_cpu_isa_name(isa), ride_cpu_way_name(way), trait_names[t]);
            }
            fprintf(stderr, "\n");
        }
}

/* Traits that go together. */
static uint32_t some_traits(uint64_t seed) {
    uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15);
    random ^= random >> 29, random *= UINT64_C(0xbf58476d1ce4e5b9), random ^= random >> 32;
    uint32_t traits = (uint32_t)random & (LINEAR - 1);
    if ((random >> 40) % 3) traits &= (uint32_t)(random >> 20); /* most have few */
    if (traits & (ZERO_MISSING | CLOSE)) traits |= DOUBLES;
    if (traits & CLOSE) traits &= ~(uint32_t)(ZERO_MISSING | CATEGORY); /* with them an input is not folded */
    if (traits & DOUBLES || traits & WHOLE) traits |= DOUBLE_SUM;
    if (traits & OBLIVIOUS) traits &= ~(uint32_t)DEEP;
    if (seed % 16 == 5) traits |= LINEAR; /* such forests are only walked */
    return traits;
}

/* Of all margins: recorded on x86; another machine must come to the same. */
static const uint64_t margins_recorded = UINT64_C(0xeb4a47a15266e3dc);

static uint64_t margins_hash(const wood *w, const rows *r, uint64_t hash) {
    for (size_t i = 0; i < (size_t)ROWS * w->header.outputs_count; i++) {
        uint64_t bits[2];
        memcpy(&bits[0], &r->want[i], sizeof bits[0]);
        memcpy(&bits[1], &r->want_floats[i], sizeof bits[1]);
        hash = (hash ^ bits[0]) * UINT64_C(0x100000001b3);
        hash = (hash ^ bits[1]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

Test(cpu_forest, every_way_gives_the_bits_of_the_obvious_walk) {
    const size_t few[] = {1, 7, 64, 129, 512, ROWS};
    static const size_t sizes[] = {1,   2,   3,   15,  16,  17,  31,  33,  63,   65,
                                   127, 128, 255, 256, 257, 384, 511, 513, 1024, 1025};
    rows *r = malloc(sizeof *r);
    uint64_t hash = 0;
    cr_assert_not_null(r);
    for (uint64_t seed = 1; seed <= 260; seed++) {
        wood *w = plant(seed, seed <= TRAITS ? some_traits(0) | 1u << (seed - 1) : some_traits(seed));
        rows_make(w, r);
        hash = margins_hash(w, r, hash);
        for (ride_cpu_isa isa = RIDE_CPU_PORTABLE; isa < RIDE_CPU_ISAS; isa++)
            if (!ride_cpu_isa_has(isa)) continue;
            else if (seed % 32 == 0) check(w, r, isa, sizes, sizeof sizes / sizeof *sizes);
            else check(w, r, isa, few, sizeof few / sizeof *few);
        free(w);
    }
    free(r);
    table_check();
    cr_assert(hash == margins_recorded, "the hash of all margins is %#llx, not %#llx", (unsigned long long)hash,
              (unsigned long long)margins_recorded);
}

/* A forest over one input that asks for each of `count` thresholds: a full tree searches 63 of them, so that the leaf is the rank.
 * both: every tree twice, and the second sends missing values the other way. */
static wood *rank_forest(uint64_t seed, uint32_t count_thresholds, bool both) {
    wood *w = calloc(1, sizeof *w);
    cr_assert_not_null(w);
    w->random = seed * 2 + 1;
    for (int i = 0; i < 4; i++) draw(w);
    const uint32_t spans = (count_thresholds + 62) / 63, trees = both ? 2 * spans : spans;
    w->header = (ride_forest_header){.forest_version = RIDE_FOREST_VERSION,
                                     .trees_count = trees,
                                     .nodes_count = trees * 127,
                                     .inputs_count = 1,
                                     .outputs_count = 1,
                                     .depth_max = 6,
                                     .input_number = RIDE_FOREST_F32,
                                     .sum_number = RIDE_FOREST_F32,
                                     .link = RIDE_FOREST_LINK_NONE};
    w->thresholds_count[0] = count_thresholds;
    float at = below(w, 2) ? -(float)below(w, 100) : -INFINITY; /* some begin with -infinity, most have a zero */
    for (uint32_t k = 0; k < count_thresholds; k++) {
        w->thresholds[0][k] = (double)at;
        const float next = at + (float)(1 + below(w, 3)) / 4;
        at = at == -INFINITY ? -3.4e38f : at == -3.4e38f ? -1e-42f : at < 0 && next > 0 ? 0 : next;
    }
    for (uint32_t t = 0; t < trees; t++) {
        ride_forest_node *nodes = w->nodes + 127 * (size_t)t;
        const uint32_t first = t % spans * 63;
        w->trees[t] = (ride_forest_tree){.nodes_first = 127 * t, .nodes_count = 127, .depth = 6};
        for (uint32_t i = 0, level = 1, depth = 0; i < 127; i++) {
            if (i == 2 * level - 1) level *= 2, depth++;
            if (depth == 6) {
                nodes[i] =
                    (ride_forest_node){.u.leaf = (double)(float)(t * 64 + i - 63 + 1) / 8, .input = RIDE_NODE_LEAF};
                continue;
            }
            const uint32_t k = first + (2 * (i - (level - 1)) + 1) * (32 / level) - 1;
            const bool left = (k % 3 == seed % 3) != (t >= spans);
            nodes[i] =
                (ride_forest_node){.u.threshold = w->thresholds[0][k < count_thresholds ? k : count_thresholds - 1],
                                   .input = left ? RIDE_NODE_DEFAULT_LEFT : 0,
                                   .left = 2 * i + 1};
        }
    }
    w->forest = (ride_forest){.header = &w->header, .base_margins = w->base, .trees = w->trees, .nodes = w->nodes};
    return w;
}

Test(cpu_forest, ranks_among_any_number_of_thresholds) {
    static const uint32_t counts[] = {1,   2,   3,   7,   8,   9,   15,  16,  17,  31,
                                      32,  33,  40,  63,  64,  65,  96,  127, 128, 129,
                                      200, 247, 254, 255, 256, 257, 509, 510, 511, THRESHOLDS_MAX};
    const size_t size[] = {ROWS};
    rows *r = malloc(sizeof *r);
    cr_assert_not_null(r);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (uint64_t seed = 0; seed < 6; seed++) {
            wood *w = rank_forest(seed, counts[c], seed % 2 == 0);
            rows_make(w, r);
            for (ride_cpu_isa isa = RIDE_CPU_NEON; isa < RIDE_CPU_ISAS; isa++)
                if (ride_cpu_isa_has(isa)) check(w, r, isa, size, 1);
            free(w);
        }
    free(r);
}

static bool has_planes(const wood *w) {
    ride_cpu_forest *f = NULL;
    ride_error err;
    cr_assert_eq(ride_cpu_forest_create(&w->forest, ride_cpu_isa_best(), &f, &err), RIDE_OK);
    const bool has = ride_cpu_forest_has(f, RIDE_CPU_WAY_NARROW) || ride_cpu_forest_has(f, RIDE_CPU_WAY_WIDE);
    ride_cpu_forest_destroy(f);
    return has;
}

Test(cpu_forest, what_planes_do_not_take_is_walked) {
    if (ride_cpu_isa_best() == RIDE_CPU_PORTABLE) cr_skip_test("this machine has neither AVX2 nor NEON");
    wood *w = plant(3, 0);
    cr_assert(has_planes(w));
    w->nodes[0].u.threshold = 0.1; /* no float, of float inputs */
    cr_assert(!has_planes(w));
    free(w);
    w = plant(3, CATEGORY);
    cr_assert(has_planes(w));
    for (uint32_t i = 0; i < w->header.nodes_count; i++)
        if (w->nodes[i].input & RIDE_NODE_SET)
            w->nodes[i].u.set.words_count = SET_WORDS + 1, w->nodes[i].u.set.words_first = 0;
    cr_assert(!has_planes(w));
    free(w);
}

Test(cpu_forest, few_rows_are_not_scored_by_wide_planes_and_many_are) {
    if (ride_cpu_isa_best() == RIDE_CPU_PORTABLE) cr_skip_test("this machine has neither AVX2 nor NEON");
    wood *w = plant(11, 0);
    ride_cpu_forest *f = NULL;
    ride_error err;
    cr_assert_eq(ride_cpu_forest_create(&w->forest, ride_cpu_isa_best(), &f, &err), RIDE_OK);
    cr_assert_neq(ride_cpu_forest_way(f, 1), RIDE_CPU_WAY_WIDE);
    cr_assert_neq(ride_cpu_forest_way(f, RIDE_CPU_FOREST_ROWS), RIDE_CPU_WAY_WALK);
    ride_cpu_forest_destroy(f);
    free(w);
}

Test(cpu_forest, a_report_says_the_way_of_each_size_and_why) {
    wood *w = plant(11, 0);
    ride_cpu_forest *f = NULL;
    ride_cpu_forest_report report;
    ride_error err;
    cr_assert_eq(ride_cpu_forest_create(&w->forest, ride_cpu_isa_best(), &f, &err), RIDE_OK);
    ride_cpu_forest_describe(f, &report);
    for (uint32_t i = 0; i < RIDE_CPU_FOREST_TOLD; i++) {
        cr_assert_eq(report.sizes[i].way, ride_cpu_forest_way(f, report.sizes[i].rows_count));
        cr_assert(report.sizes[i].ns_per_row > 0);
    }
    cr_assert(report.bytes > 0);
    ride_cpu_forest_destroy(f);
    cr_assert_eq(ride_cpu_forest_create(&w->forest, RIDE_CPU_PORTABLE, &f, &err), RIDE_OK);
    ride_cpu_forest_describe(f, &report);
    cr_assert_str_eq(report.why, "no planes: the machine has neither AVX2 nor NEON");
    cr_assert_eq(report.sizes[3].way, RIDE_CPU_WAY_WALK);
    ride_cpu_forest_destroy(f);
    free(w);
}

/* The walk of lines is row by row: many rows take no less each, and terms take their time. */
Test(cpu_forest, a_report_counts_terms_and_that_rows_go_one_by_one) {
    wood *w = plant(11, LINEAR);
    ride_cpu_forest_report reports[2];
    ride_error err;
    cr_assert_gt(w->header.terms_count, 0);
    for (int without = 0; without < 2; without++) {
        ride_cpu_forest *f = NULL;
        cr_assert_eq(ride_cpu_forest_create(&w->forest, ride_cpu_isa_best(), &f, &err), RIDE_OK);
        ride_cpu_forest_describe(f, &reports[without]);
        ride_cpu_forest_destroy(f);
        for (uint32_t i = 0; i < w->header.lines_count; i++) w->lines[i].terms_count = 0;
    }
    for (uint32_t i = 0; i < RIDE_CPU_FOREST_TOLD; i++) {
        cr_assert_geq(reports[0].sizes[i].ns_per_row, reports[0].sizes[0].ns_per_row);
        cr_assert_gt(reports[0].sizes[i].ns_per_row, reports[1].sizes[i].ns_per_row);
    }
    free(w);
}
