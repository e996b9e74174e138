/* kernels/cpu/forest.c: which way for how many rows, and rows brought into the order that it wants. */
#include "kernels/cpu/forest_internal.h"

#include "base/assert.h"
#include "kernels/cpu/forest_turn.h"
#include "kernels/cpu/scratch.h"
#include "kernels/row/tree.h"

#include <stdlib.h>
#include <string.h>

RIDE_STATIC_ASSERT((int)RIDE_CPU_FOREST_ROWS == (int)RIDE_PLANES_ROWS, "a block of planes at most");

#if !defined(__x86_64__)
void forest_turn_avx512(const uint32_t *inputs, uint32_t inputs_count, const ride_cpu_matrix *m,
                        const forest_fold *fold, size_t first, uint32_t rows_count, float *x) {
    (void)inputs, (void)inputs_count, (void)m, (void)fold, (void)first, (void)rows_count, (void)x;
}
#endif

static ride_status inputs_find(ride_cpu_forest *f, ride_error *err) {
    const ride_forest_header *h = f->forest.header;
    uint8_t *tested = calloc((size_t)h->inputs_count + 1, 1);
    if (tested == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for %u inputs", h->inputs_count);
    for (uint32_t i = 0; i < h->nodes_count; i++)
        if ((f->forest.nodes[i].input & RIDE_NODE_LEAF) == 0)
            tested[f->forest.nodes[i].input & RIDE_NODE_INPUT_MASK] = 1;
    for (uint32_t i = 0; i < h->terms_count; i++) tested[f->forest.terms[i].input] = 1;
    for (uint32_t i = 0; i < h->inputs_count; i++) f->inputs_count += tested[i];
    f->inputs = malloc(((size_t)f->inputs_count + 1) * sizeof *f->inputs);
    for (uint32_t i = 0, n = 0; f->inputs != NULL && i < h->inputs_count; i++)
        if (tested[i]) f->inputs[n++] = i;
    free(tested);
    return f->inputs != NULL ? RIDE_OK : ride_fail(err, RIDE_E_MEMORY, "no memory for %u inputs", h->inputs_count);
}

static uint32_t terms_of(const ride_forest *forest, const ride_forest_node *leaf) {
    return forest->lines != NULL && leaf->left > 0 ? forest->lines[leaf->left - 1].terms_count : 0;
}

/* A walk's steps by the mean depth of a tree's leaves: a tree that is grown leaf by leaf is much deeper in some places than where rows end. */
static ride_status steps_count(ride_cpu_forest *f, ride_error *err) {
    const ride_forest_header *h = f->forest.header;
    uint32_t *leaves = malloc(((size_t)h->nodes_count + 1) * sizeof *leaves); /* below each node of a tree */
    if (leaves == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for %u nodes", h->nodes_count);
    for (uint32_t t = 0; t < h->trees_count; t++) {
        const ride_forest_node *nodes = f->forest.nodes + f->forest.trees[t].nodes_first;
        uint64_t depths = 0; /* of all leaves: each inner node is a step for those below it */
        uint64_t terms = 0;
        for (uint32_t i = f->forest.trees[t].nodes_count; i-- > 0;) { /* children lie behind their parent */
            const bool is_leaf = (nodes[i].input & RIDE_NODE_LEAF) != 0;
            leaves[i] = is_leaf ? 1 : leaves[nodes[i].left] + leaves[nodes[i].left + 1];
            depths += is_leaf ? 0 : leaves[i];
            terms += is_leaf ? terms_of(&f->forest, &nodes[i]) : 0;
        }
        f->steps += (uint32_t)((depths + leaves[0] - 1) / leaves[0]);
        f->terms += (double)terms / leaves[0];
    }
    free(leaves);
    return RIDE_OK;
}

/* The forms of a forest whose thresholds are floats, or are made so. */
static ride_status forms_make(ride_cpu_forest *f, ride_cpu_isa isa, ride_error *err) {
    ride_forest_node *nodes = NULL;
    ride_forest folded = f->forest;
    if (folded.lines != NULL) {
        f->why = "its leaves are linear: tables of leaves have no place for their terms";
        return RIDE_OK;
    }
    if (folded.header->input_number == RIDE_FOREST_F64) {
        RIDE_TRY(forest_fold_create(&f->forest, &f->fold, &nodes, err));
        if (f->fold == NULL) {
            f->why = "an input's tests do not go together as floats";
            return RIDE_OK;
        }
        folded.nodes = nodes;
    }
    ride_status st = forest_lanes_create(&folded, f->inputs, f->inputs_count, &f->lanes, err);
    if (st == RIDE_OK)
        st = ride_planes_create(&folded, f->inputs, f->inputs_count, isa, NULL, &f->planes, &f->why, err);
    if (st == RIDE_OK) st = forest_crown_create(&folded, f->inputs, f->inputs_count, isa, f->lanes, &f->crown, err);
    free(nodes);
    return st;
}

ride_status ride_cpu_forest_create(const ride_forest *forest, ride_cpu_isa isa, ride_cpu_forest **out,
                                   ride_error *err) {
    *out = NULL;
    ride_cpu_forest *f = calloc(1, sizeof *f);
    if (f == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a forest");
    f->forest = *forest;
    f->isa = isa;
    f->plain = forest_is_plain(forest);
    ride_status st = inputs_find(f, err);
    if (st == RIDE_OK) st = steps_count(f, err);
    if (st == RIDE_OK) st = forms_make(f, isa, err);
    if (st != RIDE_OK) {
        ride_cpu_forest_destroy(f);
        return st;
    }
    forest_time(f);
    *out = f;
    return RIDE_OK;
}

void ride_cpu_forest_destroy(ride_cpu_forest *f) {
    if (f == NULL) return;
    ride_planes_destroy(f->planes);
    forest_crown_destroy(f->crown);
    forest_lanes_destroy(f->lanes);
    forest_fold_destroy(f->fold);
    free(f->inputs);
    free(f);
}

uint32_t ride_cpu_forest_inputs(const ride_cpu_forest *f, const uint32_t **inputs) {
    *inputs = f->inputs;
    return f->inputs_count;
}

/* Scratch: columns of a matrix's block, for planes; columns folded; then what the way needs: rows to be walked, or the planes'. */
static size_t block_bytes(const ride_cpu_forest *f, uint32_t number) {
    return ride_whole_lines((size_t)f->inputs_count * RIDE_CPU_FOREST_ROWS *
                            (number == RIDE_FOREST_F32 ? sizeof(float) : sizeof(double)));
}
static size_t columns_bytes(const ride_cpu_forest *f) {
    return f->planes != NULL || f->crown != NULL ? block_bytes(f, f->forest.header->input_number) : 0;
}
static size_t folded_bytes(const ride_cpu_forest *f) { return f->fold != NULL ? block_bytes(f, RIDE_FOREST_F32) : 0; }

/* Rows of a matrix that are walked at once: the more, the seldomer the trees come from memory, but the rows are to stay in the second cache. */
enum { LANES_BYTES = 256 << 10, LANES_ROWS_MOST = 4096 };
static size_t lanes_block(const ride_cpu_forest *f) {
    const size_t rows = LANES_BYTES / (forest_lanes_stride(f->lanes) * sizeof(float)) / 64 * 64;
    return rows < RIDE_CPU_FOREST_ROWS ? RIDE_CPU_FOREST_ROWS : rows > LANES_ROWS_MOST ? LANES_ROWS_MOST : rows;
}

static size_t lanes_bytes(const ride_cpu_forest *f) {
    return ride_whole_lines(lanes_block(f) * forest_lanes_stride(f->lanes) * sizeof(float));
}

size_t ride_cpu_forest_scratch_bytes(const ride_cpu_forest *f) {
    const size_t walk =
        f->lanes != NULL ? lanes_bytes(f)
                         : ride_whole_lines((size_t)FOREST_WALK_ROWS * f->forest.header->inputs_count * sizeof(double));
    const size_t planes = f->planes != NULL ? ride_planes_scratch_bytes(f->planes) : 0;
    const size_t crown = f->crown != NULL ? walk + forest_crown_scratch_bytes(f->crown) : 0;
    const size_t most = planes > walk ? planes : walk;
    return columns_bytes(f) + folded_bytes(f) + (crown > most ? crown : most);
}

/* ---- ways ---- */

const char *ride_cpu_way_name(ride_cpu_way way) {
    static const char *const names[RIDE_CPU_WAYS] = {"chosen",      "walk",        "row",         "narrow planes",
                                                     "slim planes", "half planes", "wide planes", "crown, walk"};
    return (unsigned)way < RIDE_CPU_WAYS ? names[way] : "?";
}

static ride_planes_way planes_way(ride_cpu_way way) { return (ride_planes_way)(way - RIDE_CPU_WAY_ROW); }
RIDE_STATIC_ASSERT(RIDE_CPU_WAY_WIDE - RIDE_CPU_WAY_ROW == RIDE_PLANES_WIDE, "the ways of planes in their order");

bool ride_cpu_forest_has(const ride_cpu_forest *f, ride_cpu_way way) {
    if (way == RIDE_CPU_WAY_CHOSEN || way == RIDE_CPU_WAY_WALK) return true;
    if (way == RIDE_CPU_WAY_CROWN) return f->crown != NULL;
    return way < RIDE_CPU_WAYS && f->planes != NULL && ride_planes_has(f->planes, planes_way(way));
}

void ride_cpu_forest_force(ride_cpu_forest *f, ride_cpu_way way) {
    RIDE_ASSERT(ride_cpu_forest_has(f, way));
    f->forced = way;
}

/* Of leaves with lines rows go one by one, each through all trees. Measured: 500 trees of 31 leaves with 5 terms each 28 to 35 us a row. */
static double count_lines(const ride_cpu_forest *f, uint32_t rows_count) {
    return (30.0 * f->steps + 40.0 * f->forest.header->trees_count + 5.0 * f->terms) * rows_count;
}

double forest_count(const ride_cpu_forest *f, ride_cpu_way way, uint32_t rows_count) {
    if (way == RIDE_CPU_WAY_CROWN)
        return forest_crown_cost(f->crown, rows_count) + 4.0 * forest_crown_steps(f->crown) * rows_count;
    if (way != RIDE_CPU_WAY_WALK) return (double)ride_planes_cost(f->planes, planes_way(way), rows_count);
    if (f->forest.lines != NULL) return count_lines(f, rows_count);
    const double step = f->lanes == NULL ? (rows_count < 8 ? 12 : 6) : rows_count < 8 ? 7 : 4;
    return step * f->steps * rows_count;
}

ride_cpu_way ride_cpu_forest_way(const ride_cpu_forest *f, uint32_t rows_count) {
    if (f->forced != RIDE_CPU_WAY_CHOSEN) return f->forced;
    ride_cpu_way best = RIDE_CPU_WAY_WALK;
    double least = 1e300;
    for (ride_cpu_way way = RIDE_CPU_WAY_WALK; way < RIDE_CPU_WAYS; way++) {
        if (!ride_cpu_forest_has(f, way)) continue;
        const double cost = forest_estimate_ns(f, way, rows_count);
        if (cost < least) best = way, least = cost;
    }
    return best;
}

/* ---- columns ---- */

static void walk_columns(const ride_cpu_forest *f, double *rows, const ride_cpu_columns *columns, uint32_t rows_count,
                         double *margins) {
    const ride_forest_header *h = f->forest.header;
    for (uint32_t first = 0; first < rows_count; first += FOREST_WALK_ROWS) {
        const uint32_t count = rows_count - first < FOREST_WALK_ROWS ? rows_count - first : FOREST_WALK_ROWS;
        for (uint32_t i = 0; i < f->inputs_count; i++) {
            const size_t at = (size_t)i * columns->stride + first;
            double *to = rows + f->inputs[i];
            if (columns->number == RIDE_FOREST_F32)
                for (uint32_t r = 0; r < count; r++)
                    to[(size_t)r * h->inputs_count] = (double)((const float *)columns->x)[at + r];
            else
                for (uint32_t r = 0; r < count; r++)
                    to[(size_t)r * h->inputs_count] = ((const double *)columns->x)[at + r];
        }
        forest_walk(f, rows, h->inputs_count, count, margins + (size_t)first * h->outputs_count);
    }
}

/* The columns as the planes want them: themselves, or folded into memory of the scratch. */
static ride_cpu_columns fold_columns(const ride_cpu_forest *f, const ride_cpu_columns *columns, uint32_t rows_count,
                                     float *to) {
    if (f->fold == NULL || (columns->number == RIDE_FOREST_F32 && !forest_fold_is_ranked(f->fold))) return *columns;
    const uint32_t end = (rows_count + RIDE_CPU_FOREST_STRIDE - 1) / RIDE_CPU_FOREST_STRIDE * RIDE_CPU_FOREST_STRIDE;
    for (uint32_t i = 0; i < f->inputs_count; i++) {
        float *y = to + (size_t)i * RIDE_CPU_FOREST_ROWS;
        if (columns->number == RIDE_FOREST_F32) {
            memcpy(y, (const float *)columns->x + (size_t)i * columns->stride, rows_count * sizeof *y);
            forest_fold_floats(f->fold, f->inputs[i], y, rows_count);
        } else
            forest_fold_doubles(f->fold, f->inputs[i], (const double *)columns->x + (size_t)i * columns->stride,
                                rows_count, y);
        for (uint32_t r = rows_count; r < end; r++) y[r] = 0;
    }
    return (ride_cpu_columns){to, RIDE_FOREST_F32, RIDE_CPU_FOREST_ROWS};
}

/* Columns of floats → rows of lanes, some rows at once so that their lines are still near for the next column. */
enum { TURN_ROWS = 16 };
static void lanes_turn(const ride_cpu_forest *f, float *rows, const ride_cpu_columns *columns, uint32_t rows_count) {
    const uint32_t stride = forest_lanes_stride(f->lanes);
    for (uint32_t r = 0; r < rows_count; r += TURN_ROWS) {
        const uint32_t end = rows_count - r < TURN_ROWS ? rows_count : r + TURN_ROWS;
        for (uint32_t i = 0; i < f->inputs_count; i++) {
            const float *from = (const float *)columns->x + (size_t)i * columns->stride;
            for (uint32_t k = r; k < end; k++) rows[(size_t)k * stride + i] = from[k];
        }
    }
}

/* scratch: behind the columns of a matrix. */
static void by_columns(const ride_cpu_forest *f, ride_cpu_way way, uint8_t *scratch, const ride_cpu_columns *columns,
                       uint32_t rows_count, double *margins) {
    uint8_t *rest = scratch + folded_bytes(f);
    if (way == RIDE_CPU_WAY_WALK && f->lanes == NULL) {
        walk_columns(f, (void *)rest, columns, rows_count, margins);
        return;
    }
    const ride_cpu_columns folded = fold_columns(f, columns, rows_count, (void *)scratch);
    if (way == RIDE_CPU_WAY_WALK || way == RIDE_CPU_WAY_CROWN) lanes_turn(f, (void *)rest, &folded, rows_count);
    if (way == RIDE_CPU_WAY_WALK) forest_lanes_rows(f->lanes, (void *)rest, rows_count, margins);
    else if (way == RIDE_CPU_WAY_CROWN) {
        uint8_t *places = rest + lanes_bytes(f);
        forest_crown_places(f->crown, places, 0, folded.x, folded.stride, rows_count);
        forest_crown_walk(f->crown, places, (void *)rest, rows_count, margins);
    } else ride_planes_rows(f->planes, planes_way(way), rest, folded.x, folded.stride, rows_count, margins);
}

void ride_cpu_forest_columns(const ride_cpu_forest *f, void *scratch, const ride_cpu_columns *columns,
                             uint32_t rows_count, double *margins) {
    RIDE_ASSERT(rows_count > 0 && rows_count <= RIDE_CPU_FOREST_ROWS);
    RIDE_ASSERT(columns->stride % RIDE_CPU_FOREST_STRIDE == 0 && columns->stride >= rows_count);
    RIDE_ASSERT(columns->number == RIDE_FOREST_F32 || f->forest.header->input_number == RIDE_FOREST_F64);
    by_columns(f, ride_cpu_forest_way(f, rows_count), scratch, columns, rows_count, margins);
}

/* ---- a matrix ---- */

static double value_at(const ride_cpu_matrix *m, size_t row, size_t input) {
    const ptrdiff_t at = (ptrdiff_t)row * m->row_stride + (ptrdiff_t)input * m->column_stride;
    return m->number == RIDE_FOREST_F32 ? (double)((const float *)m->x)[at] : ((const double *)m->x)[at];
}

static void walk_matrix(const ride_cpu_forest *f, double *rows, const ride_cpu_matrix *m, size_t first,
                        uint32_t rows_count, double *margins) {
    const ride_forest_header *h = f->forest.header;
    for (uint32_t at = 0; at < rows_count; at += FOREST_WALK_ROWS) {
        const uint32_t count = rows_count - at < FOREST_WALK_ROWS ? rows_count - at : FOREST_WALK_ROWS;
        for (uint32_t r = 0; r < count; r++)
            for (uint32_t i = 0; i < f->inputs_count; i++)
                rows[(size_t)r * h->inputs_count + f->inputs[i]] =
                    ride_forest_input(value_at(m, first + at + r, f->inputs[i]), h->input_number);
        forest_walk(f, rows, h->inputs_count, count, margins + (size_t)at * h->outputs_count);
    }
}

/* One row's tested inputs, folded where the forest's inputs are. */
static void row_take(const ride_cpu_forest *f, const ride_cpu_matrix *m, size_t row, float *x) {
    const ptrdiff_t at = (ptrdiff_t)row * m->row_stride;
    if (m->number == RIDE_FOREST_F32) {
        for (uint32_t i = 0; i < f->inputs_count; i++)
            x[i] = ((const float *)m->x)[at + f->inputs[i] * m->column_stride];
        if (f->fold != NULL && forest_fold_is_ranked(f->fold))
            for (uint32_t i = 0; i < f->inputs_count; i++) forest_fold_floats(f->fold, f->inputs[i], &x[i], 1);
        return;
    }
    for (uint32_t i = 0; i < f->inputs_count; i++) {
        const double *from = (const double *)m->x + at + f->inputs[i] * m->column_stride;
        if (f->fold != NULL) forest_fold_doubles(f->fold, f->inputs[i], from, 1, &x[i]);
        else x[i] = (float)*from;
    }
}

static void row_matrix(const ride_cpu_forest *f, float *x, const ride_cpu_matrix *m, size_t first, uint32_t rows_count,
                       double *margins) {
    for (uint32_t r = 0; r < rows_count; r++) {
        row_take(f, m, first + r, x);
        ride_planes_row(f->planes, x, margins + (size_t)r * f->forest.header->outputs_count);
    }
}

static void lanes_matrix(const ride_cpu_forest *f, float *rows, const ride_cpu_matrix *m, size_t first,
                         uint32_t rows_count, double *margins) {
    const uint32_t stride = forest_lanes_stride(f->lanes);
    for (uint32_t r = 0; r < rows_count; r++) row_take(f, m, first + r, rows + (size_t)r * stride);
    forest_lanes_rows(f->lanes, rows, rows_count, margins);
}

/* Rows of a matrix → columns. */
static void floats_turn(const ride_cpu_forest *f, const ride_cpu_matrix *m, size_t first, uint32_t rows_count,
                        float *x) {
    for (uint32_t r = 0; r < rows_count; r += TURN_ROWS) {
        const uint32_t count = rows_count - r < TURN_ROWS ? rows_count - r : TURN_ROWS;
        for (uint32_t i = 0; i < f->inputs_count; i++) {
            const ptrdiff_t from = (ptrdiff_t)(first + r) * m->row_stride + (ptrdiff_t)f->inputs[i] * m->column_stride;
            float *to = x + (size_t)i * RIDE_CPU_FOREST_ROWS + r;
            if (m->number == RIDE_FOREST_F32)
                for (ptrdiff_t k = 0; k < (ptrdiff_t)count; k++)
                    to[k] = ((const float *)m->x)[from + k * m->row_stride];
            else
                for (ptrdiff_t k = 0; k < (ptrdiff_t)count; k++)
                    to[k] = (float)((const double *)m->x)[from + k * m->row_stride];
        }
    }
}

static void doubles_turn(const ride_cpu_forest *f, const ride_cpu_matrix *m, size_t first, uint32_t rows_count,
                         double *x) {
    for (uint32_t r = 0; r < rows_count; r += TURN_ROWS) {
        const uint32_t count = rows_count - r < TURN_ROWS ? rows_count - r : TURN_ROWS;
        for (uint32_t i = 0; i < f->inputs_count; i++) {
            const ptrdiff_t from = (ptrdiff_t)(first + r) * m->row_stride + (ptrdiff_t)f->inputs[i] * m->column_stride;
            double *to = x + (size_t)i * RIDE_CPU_FOREST_ROWS + r;
            for (ptrdiff_t k = 0; k < (ptrdiff_t)count; k++) to[k] = ((const double *)m->x)[from + k * m->row_stride];
        }
    }
}

/* What lies behind the rows is read, so it must have been written. */
static void columns_pad(const ride_cpu_forest *f, const ride_cpu_columns *columns, void *x, uint32_t rows_count) {
    const size_t value = columns->number == RIDE_FOREST_F32 ? sizeof(float) : sizeof(double);
    const uint32_t end = (rows_count + RIDE_CPU_FOREST_STRIDE - 1) / RIDE_CPU_FOREST_STRIDE * RIDE_CPU_FOREST_STRIDE;
    for (uint32_t i = 0; i < f->inputs_count && rows_count < end; i++)
        memset((uint8_t *)x + ((size_t)i * RIDE_CPU_FOREST_ROWS + rows_count) * value, 0, (end - rows_count) * value);
}

static bool turns_fast(const ride_cpu_forest *f, const ride_cpu_matrix *m) {
    return f->isa >= RIDE_CPU_AVX512 && m->column_stride == 1 && (f->fold == NULL || !forest_fold_is_ranked(f->fold));
}

/* Rows of a matrix as columns at the scratch's beginning. */
static ride_cpu_columns matrix_turn(const ride_cpu_forest *f, uint8_t *scratch, const ride_cpu_matrix *m, size_t first,
                                    uint32_t rows_count) {
    const ride_forest_header *h = f->forest.header;
    const bool is_float = m->number == RIDE_FOREST_F32 || h->input_number == RIDE_FOREST_F32;
    ride_cpu_columns columns = {scratch, is_float ? RIDE_FOREST_F32 : RIDE_FOREST_F64, RIDE_CPU_FOREST_ROWS};
    if (turns_fast(f, m)) {
        forest_turn_avx512(f->inputs, f->inputs_count, m, f->fold, first, rows_count, (void *)scratch);
        columns.number = RIDE_FOREST_F32;
    } else {
        if (is_float) floats_turn(f, m, first, rows_count, (void *)scratch);
        else doubles_turn(f, m, first, rows_count, (void *)scratch);
        columns_pad(f, &columns, scratch, rows_count);
    }
    return columns;
}

/* A block by planes. */
static void planes_matrix(const ride_cpu_forest *f, ride_cpu_way way, uint8_t *scratch, const ride_cpu_matrix *m,
                          size_t first, uint32_t rows_count, size_t behind, double *margins) {
    const ride_cpu_columns columns = matrix_turn(f, scratch, m, first, rows_count);
    forest_rows_fetch(m, first + rows_count, behind);
    by_columns(f, way, scratch + columns_bytes(f), &columns, rows_count, margins);
}

/* Some blocks whose trees are walked together. */
static size_t crown_block(const ride_cpu_forest *f) {
    const size_t most = forest_crown_blocks(f->crown) * (size_t)RIDE_CPU_FOREST_ROWS;
    return most < lanes_block(f) ? most : lanes_block(f) / RIDE_CPU_FOREST_ROWS * RIDE_CPU_FOREST_ROWS;
}
static void crown_matrix(const ride_cpu_forest *f, uint8_t *scratch, const ride_cpu_matrix *m, size_t first,
                         uint32_t rows_count, double *margins) {
    uint8_t *folded_at = scratch + columns_bytes(f);
    float *rows = (void *)(folded_at + folded_bytes(f));
    uint8_t *places = (uint8_t *)rows + lanes_bytes(f);
    for (uint32_t r = 0; r < rows_count; r += RIDE_CPU_FOREST_ROWS) {
        const uint32_t count = rows_count - r < RIDE_CPU_FOREST_ROWS ? rows_count - r : RIDE_CPU_FOREST_ROWS;
        const ride_cpu_columns columns = matrix_turn(f, scratch, m, first + r, count),
                               folded = fold_columns(f, &columns, count, (void *)folded_at);
        lanes_turn(f, rows + (size_t)r * forest_lanes_stride(f->lanes), &folded, count);
        forest_crown_places(f->crown, places, r / RIDE_CPU_FOREST_ROWS, folded.x, folded.stride, count);
    }
    forest_crown_walk(f->crown, places, rows, rows_count, margins);
}

void ride_cpu_forest_matrix(const ride_cpu_forest *f, void *scratch, const ride_cpu_matrix *m, size_t rows_count,
                            double *margins) {
    const ride_forest_header *h = f->forest.header;
    void *rows = (uint8_t *)scratch + columns_bytes(f) + folded_bytes(f);
    size_t block;
    for (size_t first = 0; first < rows_count; first += block, margins += block * h->outputs_count) {
        const size_t left = rows_count - first;
        block = left < RIDE_CPU_FOREST_ROWS ? left : RIDE_CPU_FOREST_ROWS;
        const ride_cpu_way way = ride_cpu_forest_way(f, (uint32_t)block);
        if (way == RIDE_CPU_WAY_ROW) row_matrix(f, scratch, m, first, (uint32_t)block, margins);
        else if (way == RIDE_CPU_WAY_CROWN) {
            block = left < crown_block(f) ? left : crown_block(f);
            crown_matrix(f, scratch, m, first, (uint32_t)block, margins);
        } else if (way != RIDE_CPU_WAY_WALK)
            planes_matrix(f, way, scratch, m, first, (uint32_t)block, left - block, margins);
        else if (f->lanes == NULL) walk_matrix(f, rows, m, first, (uint32_t)block, margins);
        else {
            block = left < lanes_block(f) ? left : lanes_block(f);
            lanes_matrix(f, rows, m, first, (uint32_t)block, margins);
        }
    }
}
