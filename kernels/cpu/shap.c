/* kernels/cpu/shap.c: from a forest to tables, and rows through them. */
#include "kernels/cpu/shap_internal.h"

#include "base/assert.h"
#include "kernels/cpu/scratch.h"
#include "kernels/row/tree.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdlib.h>
#include <string.h>

enum {
    PLANES_BYTES_MAX = 1 << 20, /* of a block, so that its planes stay near */
    BYTES_DEFAULT = 256 << 20,
    BYTES_LEAST = 16 << 20, /* for what is not a table */
    LARGE_NODES = 1 << 16,
    BYTES_OF_NODE = 37, /* of the rooms of a create */
};
static const uint32_t none = UINT32_MAX;

#if !defined(__x86_64__) /* no machine says that it has them */
void shap_indices_avx2(const ride_shap *s, const shap_segment *segment, const uint64_t *planes, uint32_t words,
                       uint32_t stride, uint8_t *indices) {
    shap_indices_plain(s, segment, planes, words, stride, indices);
}
void shap_sums_avx2(const ride_shap *s, const shap_segment *segment, const uint64_t *planes, const uint8_t *indices,
                    uint32_t words, uint32_t stride, uint64_t *sums) {
    shap_sums_plain(s, segment, planes, indices, words, stride, sums);
}
void shap_indices_avx512(const ride_shap *s, const shap_segment *segment, const uint64_t *planes, uint32_t words,
                         uint32_t stride, uint8_t *indices) {
    shap_indices_plain(s, segment, planes, words, stride, indices);
}
void shap_sums_avx512(const ride_shap *s, const shap_segment *segment, const uint64_t *planes, const uint8_t *indices,
                      uint32_t words, uint32_t stride, uint64_t *sums) {
    shap_sums_plain(s, segment, planes, indices, words, stride, sums);
}
void shap_lines_avx512(const shap_call *calls, const uint32_t (*slots)[SHAP_BITS], uint32_t groups_count,
                       const uint8_t *const *lines, uint32_t parts[32]) {
    (void)calls, (void)slots, (void)groups_count, (void)lines, (void)parts;
}
void shap_deep_avx512(const ride_shap *s, const shap_output *output, const uint64_t *planes, uint32_t rows_count,
                      uint32_t stride, void *room, double *values) {
    shap_deep_plain(s, output, planes, rows_count, stride, room, values);
}
#endif

static bool is_wide(const ride_shap *s) { return s->isa >= RIDE_CPU_AVX512_BYTES; }

/* ---- making ---- */

/* A block reads all tables, a row a line of each group: so many rows one by one cost what a block does, as measured on Zen 5. */
static uint32_t few_rows(const ride_shap *s) {
    enum { TABLE_BYTES_OF_ROW = 540, AVX2_TIMES = 3, PLAIN_TIMES = 16, MOST = 63 };
    const uint64_t times = is_wide(s) ? 1 : s->isa >= RIDE_CPU_AVX2 ? AVX2_TIMES : PLAIN_TIMES;
    if (s->groups_count == 0) return 1;
    const uint64_t rows = times * s->table_units * SHAP_TABLE_UNIT / s->groups_count / TABLE_BYTES_OF_ROW;
    return rows < 1 ? 1 : rows < MOST ? (uint32_t)rows : MOST;
}

static int compare_numbers(const void *a, const void *b) {
    const uint32_t l = *(const uint32_t *)a, r = *(const uint32_t *)b;
    return (l > r) - (l < r);
}

/* The inputs that trees of the output test, ascending, as slots. */
static ride_status slots_make(shap_maker *m, uint32_t output, uint32_t *found, ride_error *err) {
    ride_shap *s = m->shap;
    const ride_forest *forest = m->forest;
    uint32_t count = 0;
    for (uint32_t t = 0; t < forest->header->trees_count; t++) {
        if (forest->trees[t].output != output) continue;
        for (uint32_t i = 0; i < forest->trees[t].nodes_count; i++) {
            const uint32_t bits = forest->nodes[forest->trees[t].nodes_first + i].input;
            if ((bits & RIDE_NODE_LEAF) || m->slot_of[bits & RIDE_NODE_INPUT_MASK] != none) continue;
            m->slot_of[bits & RIDE_NODE_INPUT_MASK] = 0;
            found[count++] = bits & RIDE_NODE_INPUT_MASK;
        }
    }
    qsort(found, count, sizeof *found, compare_numbers);
    shap_slot *slots = realloc(s->slots, ((size_t)s->slots_count + count + 1) * sizeof *slots);
    if (slots == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for %u inputs", count);
    s->slots = slots;
    s->outputs[output].slots_first = s->slots_count;
    s->outputs[output].slots_count = count;
    for (uint32_t i = 0; i < count; i++) {
        m->slot_of[found[i]] = i;
        slots[s->slots_count++] = (shap_slot){.input = found[i]};
    }
    if (count > s->slots_most) s->slots_most = count;
    return RIDE_OK;
}

/* The mean of a tree's leaves by the shares of its nodes. */
static double tree_mean(const ride_forest *forest, const ride_forest_tree *tree, double *reach) {
    const ride_forest_node *nodes = forest->nodes + tree->nodes_first;
    double mean = 0.0;
    reach[0] = 1.0;
    for (uint32_t i = 0; i < tree->nodes_count; i++) {
        if (nodes[i].input & RIDE_NODE_LEAF) {
            mean += reach[i] * nodes[i].u.leaf;
            continue;
        }
        for (uint32_t child = nodes[i].left; child < nodes[i].left + 2; child++)
            reach[child] = reach[i] * shap_share(forest, tree, i, child);
    }
    return mean;
}

static double background_mean(const shap_maker *m, const ride_forest_tree *tree) {
    const ride_forest_node *nodes = m->forest->nodes + tree->nodes_first;
    double sum = 0.0;
    for (uint32_t r = 0; r < m->background_rows; r++) {
        uint32_t i = 0;
        while ((nodes[i].input & RIDE_NODE_LEAF) == 0) {
            const uint64_t word = shap_background_word(m, 1 + m->of_node[tree->nodes_first + i], r / SHAP_WORD);
            i = nodes[i].left + (uint32_t)(word >> (r % SHAP_WORD) & 1);
        }
        sum += nodes[i].u.leaf;
    }
    return sum / (double)m->background_rows;
}

static ride_status expected_make(shap_maker *m, ride_error *err) {
    const ride_forest *forest = m->forest;
    double *reach = malloc(((size_t)forest->header->nodes_count + 1) * sizeof *reach);
    if (reach == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the means of trees");
    for (uint32_t o = 0; o < forest->header->outputs_count; o++) m->shap->outputs[o].expected = forest->base_margins[o];
    for (uint32_t t = 0; t < forest->header->trees_count; t++)
        m->shap->outputs[forest->trees[t].output].expected +=
            m->background != NULL ? background_mean(m, &forest->trees[t]) : tree_mean(forest, &forest->trees[t], reach);
    free(reach);
    return RIDE_OK;
}

static ride_status background_make(shap_maker *m, const ride_cpu_matrix *rows, ride_error *err) {
    const ride_shap *s = m->shap;
    m->background_words = (m->background_rows + SHAP_WORD - 1) / SHAP_WORD;
    m->background = calloc((size_t)s->conditions_count * m->background_words + 1, sizeof *m->background);
    void *scratch = aligned_alloc(64, (ride_conditions_scratch_bytes(s->conditions) + 63) / 64 * 64);
    ride_status st = m->background != NULL && scratch != NULL
                         ? RIDE_OK
                         : ride_fail(err, RIDE_E_MEMORY, "no memory for %u background rows", m->background_rows);
    for (uint32_t r = 0; st == RIDE_OK && r < m->background_rows; r += RIDE_CONDITIONS_ROWS) {
        const uint32_t left = m->background_rows - r;
        ride_conditions_planes(s->conditions, scratch, rows, r,
                               left < RIDE_CONDITIONS_ROWS ? left : RIDE_CONDITIONS_ROWS, m->background + r / SHAP_WORD,
                               m->background_words);
    }
    free(scratch);
    return st;
}

static ride_status outputs_make(shap_maker *m, ride_error *err) {
    ride_shap *s = m->shap;
    uint32_t *found = malloc(((size_t)s->inputs_count + 1) * sizeof *found);
    m->slot_of = malloc(((size_t)s->inputs_count + 1) * sizeof *m->slot_of);
    ride_status st =
        found != NULL && m->slot_of != NULL ? RIDE_OK : ride_fail(err, RIDE_E_MEMORY, "no memory for inputs");
    for (uint32_t i = 0; st == RIDE_OK && i < s->inputs_count; i++) m->slot_of[i] = none;
    for (uint32_t o = 0; st == RIDE_OK && o < s->outputs_count; o++) {
        st = slots_make(m, o, found, err);
        if (st == RIDE_OK) st = shap_groups_make(m, o, err);
        if (st == RIDE_OK) st = shap_deep_make(m, o, err);
        for (uint32_t i = 0; st == RIDE_OK && i < s->outputs[o].slots_count; i++)
            m->slot_of[s->slots[s->outputs[o].slots_first + i].input] = none;
    }
    free(found);
    return st;
}

uint64_t shap_bytes(const shap_maker *m) {
    ride_shap_info info;
    ride_shap_describe(m->shap, &info);
    return info.bytes + (uint64_t)m->forest->header->nodes_count * BYTES_OF_NODE + m->cuts_room * sizeof *m->cuts +
           m->gates_at_count * sizeof *m->gates_at + m->groups_room * (SHAP_BITS + 1) * sizeof(uint32_t) +
           (uint64_t)m->shap->conditions_count * m->background_words * sizeof *m->background;
}

ride_status shap_bound_check(const shap_maker *m, uint64_t more, ride_error *err) {
    if (shap_bytes(m) + more <= m->bytes_max) return RIDE_OK;
    ride_fail(err, RIDE_E_UNSUPPORTED, "explaining the model takes more than %llu MiB of memory, the bound",
              (unsigned long long)(m->bytes_max >> 20));
    ride_error_advice(err, m->background_rows > 0 ? "allow more memory, or give it fewer background rows"
                                                  : "allow more memory");
    return RIDE_E_UNSUPPORTED;
}

/* The rooms that grew, to their size. */
static void shrink(void **room, size_t bytes) {
    void *less = *room != NULL && bytes > 0 ? realloc(*room, bytes) : NULL;
    if (less != NULL) *room = less;
}

static void rooms_shrink(ride_shap *s) {
    shrink((void **)&s->gates, s->gates_count * sizeof *s->gates);
    shrink((void **)&s->lists, s->lists_count * sizeof *s->lists);
    shrink((void **)&s->entries, s->entries_count * sizeof *s->entries);
    shrink((void **)&s->deep, s->deep_count * sizeof *s->deep);
    shrink((void **)&s->deep_inputs, s->deep_inputs_count * sizeof *s->deep_inputs);
    shrink((void **)&s->edges, s->edges_count * sizeof *s->edges);
    shrink((void **)&s->masks, s->masks_count * sizeof *s->masks);
}

static ride_status calls_make(ride_shap *s, ride_error *err) {
    if (s->planes_count > UINT16_MAX + 1u) return RIDE_OK;
    s->calls = calloc((size_t)s->groups_count + 1, sizeof *s->calls);
    if (s->calls == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for %u groups", s->groups_count);
    for (uint32_t g = 0; g < s->groups_count; g++) {
        const shap_group *group = &s->groups[g];
        shap_call *call = &s->calls[g];
        *call = (shap_call){.bits = group->bits, .inputs_count = group->inputs_count, .line_first = group->line_first};
        for (uint32_t b = 0; b < SHAP_INDEX_BITS; b++) call->planes[b] = (uint16_t)group->planes[b];
        for (uint32_t j = 0; j < group->inputs_count && s->slots_most <= 32; j++)
            call->slots_set |= 1u << s->slots_of[g][j];
    }
    return RIDE_OK;
}

/* What was freed back to the system: of large forests it is as much as the bound may be. */
static void trim(const shap_maker *m) {
#ifdef __GLIBC__
    if (m->forest->header->nodes_count >= LARGE_NODES) malloc_trim(0);
#else
    (void)m;
#endif
}

static ride_status make(shap_maker *m, uint32_t *of_node, const ride_shap_options *options, ride_error *err) {
    ride_shap *s = m->shap;
    RIDE_TRY(ride_conditions_create(m->forest, s->isa, of_node, &s->conditions, err));
    s->conditions_count = ride_conditions_count(s->conditions);
    if (s->has_background) {
        RIDE_TRY(background_make(m, options->background, err));
        RIDE_TRY(shap_factors_make(s, err));
    }
    RIDE_TRY(shap_cuts_make(m, err));
    trim(m);
    uint32_t inputs_most = SHAP_BITS;
    for (uint32_t i = 0; i < m->cuts_count; i++)
        if (m->cuts[i].inputs_count > inputs_most) inputs_most = m->cuts[i].inputs_count;
    RIDE_TRY(shap_quadratures_make(s, (inputs_most + 1) / 2, err));
    RIDE_TRY(shap_bound_check(m, 0, err));
    RIDE_TRY(outputs_make(m, err));
    RIDE_TRY(expected_make(m, err));
    rooms_shrink(s);
    RIDE_TRY(shap_tables_fill(m, err));
    for (uint32_t g = 0; g < s->groups_count; g++)
        for (uint32_t j = s->groups[g].inputs_count; j < SHAP_BITS; j++) s->slots_of[g][j] = s->slots_most;
    s->planes_count = 1 + s->conditions_count + s->gates_count;
    RIDE_TRY(calls_make(s, err));
    s->few_rows = few_rows(s);
    s->words_most = SHAP_WORDS_MAX;
    while (s->words_most > 1 && (uint64_t)s->planes_count * s->words_most * sizeof(uint64_t) > PLANES_BYTES_MAX)
        s->words_most /= 2;
    return RIDE_OK;
}

ride_status ride_shap_create(const ride_forest *forest, const ride_shap_options *options, ride_cpu_isa isa,
                             ride_shap **out, ride_error *err) {
    static const ride_shap_options defaults = {0};
    const ride_forest_header *h = forest->header;
    if (options == NULL) options = &defaults;
    *out = NULL;
    if (options->background_rows > RIDE_SHAP_BACKGROUND_MAX)
        return ride_fail(err, RIDE_E_UNSUPPORTED, "%u background rows, at most %u", options->background_rows,
                         (unsigned)RIDE_SHAP_BACKGROUND_MAX);
    if (h->aggregate != RIDE_FOREST_SUM)
        return ride_fail(err, RIDE_E_UNSUPPORTED, "the model does not add up its leaves: it has no shares to explain");
    if (forest->lines != NULL)
        return ride_fail(err, RIDE_E_UNSUPPORTED,
                         "the model's leaves are linear: LightGBM explains none of its own with linear_tree either");
    if (forest->covers == NULL && options->background_rows == 0) {
        const ride_status st =
            ride_fail(err, RIDE_E_UNSUPPORTED, "the model does not say how many rows came to its nodes");
        ride_error_advice(err, "explain it with background rows");
        return st;
    }
    ride_shap *s = calloc(1, sizeof *s);
    uint32_t *of_node = malloc(((size_t)h->nodes_count + 1) * sizeof *of_node);
    ride_status st = RIDE_OK;
    if (s != NULL) s->outputs = calloc(h->outputs_count, sizeof *s->outputs);
    if (s == NULL || s->outputs == NULL || of_node == NULL) {
        st = ride_fail(err, RIDE_E_MEMORY, "no memory to explain %u nodes", h->nodes_count);
    } else {
        s->isa = isa;
        s->inputs_count = h->inputs_count;
        s->outputs_count = h->outputs_count;
        s->has_background = options->background_rows > 0;
        shap_maker m = {.shap = s, .forest = forest, .of_node = of_node, .background_rows = options->background_rows};
        m.tables_bytes_max = options->bytes_max > 0 ? options->bytes_max : BYTES_DEFAULT;
        m.bytes_max = options->whole_bytes_max > 0       ? options->whole_bytes_max
                      : m.tables_bytes_max > BYTES_LEAST ? m.tables_bytes_max
                                                         : BYTES_LEAST;
        st = make(&m, of_node, options, err);
        free(m.parents);
        free(m.slot_of);
        free(m.cuts);
        free(m.cuts_first);
        free(m.gates_at);
        free(m.background);
        free(m.cut_of);
        free(m.table_at);
        free(m.ranges);
        free(m.shares);
        free(m.of_leaf);
        free(m.steps);
        trim(&m);
    }
    free(of_node);
    if (st == RIDE_OK) *out = s;
    else ride_shap_destroy(s);
    return st;
}

void ride_shap_destroy(ride_shap *s) {
    if (s == NULL) return;
    ride_conditions_destroy(s->conditions);
    free(s->gates);
    free(s->groups);
    free(s->slots_of);
    free(s->calls);
    free(s->segments);
    free(s->lists);
    free(s->entries);
    free(s->slots);
    free(s->outputs);
    shap_tables_free(s);
    free(s->deep);
    free(s->deep_inputs);
    free(s->edges);
    free(s->masks);
    free(s->nodes);
    free(s->weights);
    free(s->factors);
    free(s);
}

void ride_shap_describe(const ride_shap *s, ride_shap_info *out) {
    *out = (ride_shap_info){.conditions = s->conditions_count,
                            .groups = s->groups_count,
                            .tables = s->entries_count,
                            .deep_leaves = s->deep_count,
                            .inputs_most = s->deep_inputs_most};
    out->bytes =
        sizeof *s + ride_conditions_bytes(s->conditions) + s->gates_count * sizeof *s->gates +
        s->groups_count * (sizeof *s->groups + sizeof *s->slots_of + (s->calls != NULL ? sizeof *s->calls : 0)) +
        s->segments_count * sizeof *s->segments + s->lists_count * sizeof *s->lists +
        s->entries_count * sizeof *s->entries + s->slots_count * sizeof *s->slots + s->deep_count * sizeof *s->deep +
        s->deep_inputs_count * sizeof *s->deep_inputs + s->edges_count * sizeof *s->edges +
        s->masks_count * sizeof *s->masks + (s->lines != NULL ? s->line_units * SHAP_LINE_UNIT : 0) +
        (s->tables != NULL ? s->table_units * SHAP_TABLE_UNIT : 0);
}

double ride_shap_expected(const ride_shap *s, uint32_t output) { return s->outputs[output].expected; }

/* ---- rows ---- */

/* What lies in scratch, each at a multiple of 64 bytes. */
typedef struct room {
    uint64_t *planes;
    uint8_t *indices; /* a part of each slot's sum, of one row */
    uint64_t *sums;
    double *deep;
    uint8_t *bits; /* of one row: planes_count */
    void *scratch; /* of conditions, of deep leaves: one after the other */
    size_t bytes;
} room;

static room room_make(const ride_shap *s, void *base) {
    room r = {0};
    const size_t rows = (size_t)s->words_most * SHAP_WORD, conditions = ride_conditions_scratch_bytes(s->conditions),
                 deep = shap_deep_room(s);
    r.planes = ride_scratch_take(&r.bytes, base, (size_t)s->planes_count * s->words_most * sizeof *r.planes);
    const size_t parts = ((size_t)s->slots_most + 1) * sizeof(uint32_t), indices = SHAP_SEGMENT_GROUPS * rows;
    r.indices = ride_scratch_take(&r.bytes, base, parts > indices ? parts : indices);
    r.sums = ride_scratch_take(&r.bytes, base, (s->slots_most + 1) * rows * sizeof *r.sums);
    r.deep = ride_scratch_take(&r.bytes, base, s->deep_count > 0 ? s->slots_most * rows * sizeof *r.deep : 0);
    r.bits = ride_scratch_take(&r.bytes, base, s->planes_count);
    r.scratch = ride_scratch_take(&r.bytes, base, conditions > deep ? conditions : deep);
    return r;
}

size_t ride_shap_scratch_bytes(const ride_shap *s) { return room_make(s, NULL).bytes; }

static void gates_make(const ride_shap *s, uint64_t *planes, uint32_t words, uint32_t stride) {
    uint64_t *out = planes + (size_t)(1 + s->conditions_count) * stride;
    for (uint32_t g = 0; g < s->gates_count; g++, out += stride) {
        const shap_gate *gate = &s->gates[g];
        const uint64_t *a = planes + (size_t)gate->a * stride, *b = planes + (size_t)gate->b * stride;
        const uint64_t not_a = gate->not_a ? ~UINT64_C(0) : 0, not_b = gate->not_b ? ~UINT64_C(0) : 0;
        for (uint32_t w = 0; w < words; w++) out[w] = (a[w] ^ not_a) & (b[w] ^ not_b);
    }
}

/* The sums of an output, in the caller's order: row r of the block at sums[… + place(r)]. */
static uint32_t place_of(const ride_shap *s, uint32_t row) {
    if (!is_wide(s)) return row;
    return (row & ~63u) + (row & 1) * 32 + (row % 64) / 2;
}

static void output_write(const ride_shap *s, uint32_t output, const room *r, uint32_t rows_count, double *phi) {
    const shap_output *from = &s->outputs[output];
    const size_t rows = (size_t)s->words_most * SHAP_WORD, row_phi = (size_t)s->outputs_count * (s->inputs_count + 1);
    for (uint32_t first = 0; first < rows_count; first += SHAP_WORD) {
        const uint32_t end = rows_count - first < SHAP_WORD ? rows_count : first + SHAP_WORD;
        for (uint32_t row = first; row < end; row++) {
            double *to = phi + row * row_phi;
            if (from->slots_count < s->inputs_count) memset(to, 0, s->inputs_count * sizeof *to);
            to[s->inputs_count] = from->expected;
        }
        for (uint32_t i = 0; i < from->slots_count; i++) {
            const shap_slot *slot = &s->slots[from->slots_first + i];
            const uint64_t *sums = r->sums + i * rows;
            const double *deep = r->deep + i * rows;
            for (uint32_t row = first; row < end; row++) {
                const double value = (double)(int64_t)(sums[place_of(s, row)] + slot->bias) * s->scale;
                phi[row * row_phi + slot->input] = from->deep_count > 0 ? value + deep[row] : value;
            }
        }
    }
}

static void block_explain(const ride_shap *s, const room *r, const ride_cpu_matrix *matrix, size_t row_first,
                          uint32_t rows_count, double *phi) {
    const uint32_t words = (rows_count + SHAP_WORD - 1) / SHAP_WORD, stride = s->words_most;
    const size_t rows = (size_t)stride * SHAP_WORD;
    memset(r->planes, 0, stride * sizeof *r->planes);
    for (uint32_t row = 0; row < rows_count; row += RIDE_CONDITIONS_ROWS) {
        const uint32_t left = rows_count - row;
        ride_conditions_planes(s->conditions, r->scratch, matrix, row_first + row,
                               left < RIDE_CONDITIONS_ROWS ? left : RIDE_CONDITIONS_ROWS,
                               r->planes + stride + row / SHAP_WORD, stride);
    }
    gates_make(s, r->planes, words, stride);
    for (uint32_t o = 0; o < s->outputs_count; o++) {
        const shap_output *output = &s->outputs[o];
        memset(r->sums, 0, output->slots_count * rows * sizeof *r->sums);
        for (uint32_t i = 0; i < output->segments_count; i++) {
            const shap_segment *segment = &s->segments[output->segments_first + i];
            if (is_wide(s)) {
                shap_indices_avx512(s, segment, r->planes, words, stride, r->indices);
                shap_sums_avx512(s, segment, r->planes, r->indices, words, stride, r->sums);
            } else if (s->isa >= RIDE_CPU_AVX2) {
                shap_indices_avx2(s, segment, r->planes, words, stride, r->indices);
                shap_sums_avx2(s, segment, r->planes, r->indices, words, stride, r->sums);
            } else {
                shap_indices_plain(s, segment, r->planes, words, stride, r->indices);
                shap_sums_plain(s, segment, r->planes, r->indices, words, stride, r->sums);
            }
        }
        if (output->deep_count > 0) {
            memset(r->deep, 0, output->slots_count * rows * sizeof *r->deep);
            (is_wide(s) && !s->has_background ? shap_deep_avx512 : shap_deep_plain)(s, output, r->planes, rows_count,
                                                                                    stride, r->scratch, r->deep);
        }
        output_write(s, o, r, rows_count, phi + (size_t)o * (s->inputs_count + 1));
    }
}

/* ---- one row: the lines of its patterns, which are called for a segment before they are read ---- */

static const uint8_t *line_of(const ride_shap *s, const shap_group *group, const uint8_t *bits) {
    uint32_t pattern = 0;
    for (uint32_t b = 0; b < SHAP_BITS && b < group->bits; b++) pattern |= (uint32_t)bits[group->planes[b]] << b;
    return s->lines + (group->line_first + (size_t)pattern * group->line_units) * SHAP_LINE_UNIT;
}

static void lines_call(const ride_shap *s, const shap_segment *segment, const uint8_t *bits, const uint8_t **lines) {
    const shap_group *groups = s->groups + segment->groups_first;
    const shap_call *calls = s->calls != NULL ? s->calls + segment->groups_first : NULL;
    for (uint32_t g = 0; g < segment->groups_count; g++) {
        if (calls == NULL || calls[g].bits > SHAP_INDEX_BITS) lines[g] = line_of(s, &groups[g], bits);
        else {
            uint32_t pattern = 0;
#pragma GCC unroll 7
            for (uint32_t b = 0; b < SHAP_INDEX_BITS; b++) pattern |= (uint32_t)bits[calls[g].planes[b]] << b;
            const uint32_t twice = calls[g].inputs_count > SHAP_LINE_ENTRIES;
            lines[g] = s->lines + (calls[g].line_first + ((size_t)pattern << twice)) * SHAP_LINE_UNIT;
        }
        __builtin_prefetch(lines[g]);
    }
}

/* One part more than there are slots, for entries of groups of few inputs, which are nobody's: a branch on their number would be mistaken too often. */
static void lines_add_plain(const shap_group *groups, const uint32_t (*slots)[SHAP_BITS], uint32_t count,
                            const uint8_t *const *lines, uint32_t *parts) {
    for (uint32_t g = 0; g < count; g++) {
#pragma GCC unroll 7
        for (uint32_t j = 0; j < SHAP_NARROW; j++) parts[slots[g][j]] += shap_entry(lines[g], j);
        for (uint32_t j = SHAP_NARROW; j < SHAP_BITS && j < groups[g].inputs_count; j++)
            parts[slots[g][j]] += shap_entry(lines[g], j);
    }
}

/* parts: a number for each slot and one more, 0; and again when it returns. */
static void lines_add(const ride_shap *s, const shap_segment *segment, const uint8_t *const *lines, uint32_t *parts,
                      uint64_t *sums) {
    const shap_group *groups = s->groups + segment->groups_first;
    const uint32_t(*slots)[SHAP_BITS] = (const uint32_t(*)[SHAP_BITS])s->slots_of + segment->groups_first;
    if (is_wide(s) && s->slots_most <= 32 && s->calls != NULL)
        shap_lines_avx512(s->calls + segment->groups_first, slots, segment->groups_count, lines, parts);
    else lines_add_plain(groups, slots, segment->groups_count, lines, parts);
    for (uint32_t i = 0; i < segment->lists_count; i++) {
        const uint32_t slot = s->lists[segment->lists_first + i].slot;
        sums[slot] += (uint64_t)parts[slot] << segment->shift;
        parts[slot] = 0;
    }
}

static void row_explain(const ride_shap *s, const room *r, const ride_cpu_matrix *matrix, size_t row, double *phi) {
    const uint8_t *lines[2][SHAP_SEGMENT_GROUPS];
    uint8_t *bits = r->bits, *gates = bits + 1 + s->conditions_count;
    uint32_t *parts = (uint32_t *)r->indices;
    bits[0] = 0;
    memset(parts, 0, ((size_t)s->slots_most + 1) * sizeof *parts);
    ride_conditions_row(s->conditions, matrix, row, bits + 1);
    for (uint32_t g = 0; g < s->gates_count; g++)
        gates[g] = (bits[s->gates[g].a] ^ s->gates[g].not_a) & (bits[s->gates[g].b] ^ s->gates[g].not_b);
    for (uint32_t i = 0; s->deep_count > 0 && i < s->planes_count; i++) r->planes[i] = bits[i];
    for (uint32_t o = 0; o < s->outputs_count; o++, phi += s->inputs_count + 1) {
        const shap_output *output = &s->outputs[o];
        const shap_segment *segments = s->segments + output->segments_first;
        memset(r->sums, 0, output->slots_count * sizeof *r->sums);
        for (uint32_t i = 0; i < output->segments_count + 1; i++) {
            if (i < output->segments_count) lines_call(s, &segments[i], bits, lines[i % 2]);
            if (i > 0) lines_add(s, &segments[i - 1], lines[(i - 1) % 2], parts, r->sums);
        }
        if (output->deep_count > 0) {
            memset(r->deep, 0, output->slots_count * SHAP_WORD * sizeof *r->deep);
            shap_deep_plain(s, output, r->planes, 1, 1, r->scratch, r->deep);
        }
        memset(phi, 0, s->inputs_count * sizeof *phi);
        phi[s->inputs_count] = output->expected;
        for (uint32_t i = 0; i < output->slots_count; i++) {
            const shap_slot *slot = &s->slots[output->slots_first + i];
            phi[slot->input] = (double)(int64_t)(r->sums[i] + slot->bias) * s->scale;
            if (output->deep_count > 0) phi[slot->input] += r->deep[(size_t)i * SHAP_WORD];
        }
    }
}

void ride_shap_rows(const ride_shap *s, void *scratch, const ride_cpu_matrix *matrix, size_t rows_count, double *phi) {
    const room r = room_make(s, scratch);
    const size_t most = (size_t)s->words_most * SHAP_WORD, row_phi = (size_t)s->outputs_count * (s->inputs_count + 1);
    for (size_t row = 0; row < rows_count; row += most) {
        const size_t left = rows_count - row;
        if (left > s->few_rows)
            block_explain(s, &r, matrix, row, (uint32_t)(left < most ? left : most), phi + row * row_phi);
        for (size_t i = row; left <= s->few_rows && i < rows_count; i++)
            row_explain(s, &r, matrix, i, phi + i * row_phi);
    }
}
