/* kernels/cpu/planes_row.c: the form for single rows: all conditions of a tree at once. A row's values become codes of a byte: ranks, 0 or 255 for
 * missing ones, and 0 or 255 for the answers to category tests. A condition is "code above k", so the 64 conditions of a tree are a permutation or two of the
 * codes and a comparison. A tree of more leaves than 64 is cut into pieces. */
#include "kernels/cpu/planes_internal.h"

#include "base/assert.h"

#include <math.h>
#include <string.h>

enum { HEAP_DEPTH = 6, SMALL_LEAVES = 32, MOST_LEAVES = 64, NODES_MAX = 2 * RIDE_PLANES_LEAVES_MAX - 1 };

typedef struct asked {
    uint8_t code, above;
} asked;

static bool is_leaf(const ride_forest_node *node) { return (node->input & RIDE_NODE_LEAF) != 0; }

/* NULL: the machine has none. */
static planes_row_kernel *kernel_of(ride_cpu_isa isa) {
#if defined(__x86_64__)
    if (isa >= RIDE_CPU_AVX512_BYTES) return planes_row_avx512;
    if (isa >= RIDE_CPU_AVX2) return planes_row_avx2;
#elif defined(__aarch64__)
    if (isa == RIDE_CPU_NEON) return planes_row_neon;
#endif
    (void)isa;
    return NULL;
}

/* The codes, and which of them each plane asks. */
static bool codes_make(ride_planes *p, planes_row *row, asked *of_plane) {
    uint32_t count = p->columns_count;
    of_plane[PLANE_LEFT] = (asked){0, 255};
    for (uint32_t c = 0; c < p->columns_count; c++) {
        const planes_column *column = &p->columns[c];
        uint32_t turned = UINT32_MAX;
        for (uint32_t k = 0; k < column->thresholds_count && c <= UINT8_MAX; k++)
            of_plane[column->plane_first + k] = (asked){(uint8_t)c, (uint8_t)k};
        for (uint32_t i = 0; i < column->others_count; i++) {
            const planes_other *other = &p->others[column->others_first + i];
            const bool alone = other->threshold == PLANES_ALONE;
            if (alone || turned == UINT32_MAX) {
                if (count > UINT8_MAX) return false;
                row->extras[count - p->columns_count] = (planes_extra){c, alone};
                if (!alone) turned = count;
                of_plane[other->plane] = (asked){(uint8_t)count, alone ? 0 : (uint8_t)other->threshold};
                count++;
            } else of_plane[other->plane] = (asked){(uint8_t)turned, (uint8_t)other->threshold};
        }
    }
    row->extras_count = count - p->columns_count;
    for (uint32_t s = 0; s < p->sets_count; s++) {
        if (count > UINT8_MAX) return false;
        of_plane[p->sets_plane + s] = (asked){(uint8_t)count++, 0};
    }
    row->codes_count = count;
    return count <= UINT8_MAX;
}

typedef struct filler {
    const ride_planes *p;
    const ride_forest_node *nodes;
    const uint32_t *plane_of;
    const asked *of_plane;
    uint8_t *codes, *above, *leaves;
    uint64_t *masks64;
    uint32_t *masks32;
    uint8_t *next; /* of a piece: the piece at each end, 0 = it is a leaf */
    const uint8_t *piece_of;
    uint32_t root, leaf, inner;
} filler;

static void ask(const filler *f, uint32_t node, uint32_t at) {
    f->codes[at] = f->of_plane[f->plane_of[node]].code;
    f->above[at] = f->of_plane[f->plane_of[node]].above;
}

static void value_put(const filler *f, uint32_t node, uint32_t place) {
    const double leaf = f->nodes[node].u.leaf;
    const float small = (float)leaf;
    const int32_t whole = f->p->sum == PLANES_WHOLE ? (int32_t)leaf : 0;
    if (f->p->sum == PLANES_F64) memcpy(f->leaves + 8 * (size_t)place, &leaf, sizeof leaf);
    else if (f->p->sum == PLANES_F32) memcpy(f->leaves + 4 * (size_t)place, &small, sizeof small);
    else memcpy(f->leaves + 4 * (size_t)place, &whole, sizeof whole);
}

/* Condition of the heap's place i is bit i - 1, i from 1; a leaf's place is its path. */
static void heap_fill(const filler *f, uint32_t node, uint32_t at, uint32_t depth) {
    if (is_leaf(&f->nodes[node])) {
        value_put(f, node, (at << (HEAP_DEPTH - depth)) - MOST_LEAVES);
        return;
    }
    ask(f, node, at - 1);
    heap_fill(f, f->nodes[node].left, 2 * at, depth + 1);
    heap_fill(f, f->nodes[node].left + 1, 2 * at + 1, depth + 1);
}

/* A condition's mask has the leaves that a row going right there cannot reach: those on the left. Leaves from left to right: the row's is the first
 * that no condition took away. Of a piece, the roots of others are leaves. */
static void masks_fill(filler *f, uint32_t node) {
    if (f->next != NULL && node != f->root && f->piece_of[node] != 0) {
        f->next[f->leaf++] = f->piece_of[node];
        return;
    }
    if (is_leaf(&f->nodes[node])) {
        value_put(f, node, f->leaf++);
        return;
    }
    const uint32_t at = f->inner++, first = f->leaf;
    ask(f, node, at);
    masks_fill(f, f->nodes[node].left);
    for (uint32_t i = first; i < f->leaf; i++) {
        if (f->masks64 != NULL) f->masks64[at] |= UINT64_C(1) << i;
        else f->masks32[at] |= UINT32_C(1) << i;
    }
    masks_fill(f, f->nodes[node].left + 1);
}

/* Cuts a tree into pieces of at most MOST_LEAVES ends: the subtree at a node that would have more loses its larger side, or both. piece_of: of each node where a
 * piece begins its number, else 0; the root's piece is number 0. Returns the ends left below `node`. */
static uint32_t pieces_cut(const ride_forest_node *nodes, uint32_t node, uint8_t *piece_of, uint32_t *count) {
    if (is_leaf(&nodes[node])) return 1;
    const uint32_t sides[2] = {nodes[node].left, nodes[node].left + 1};
    uint32_t ends[2];
    for (int i = 0; i < 2; i++) ends[i] = pieces_cut(nodes, sides[i], piece_of, count);
    while (ends[0] + ends[1] > MOST_LEAVES) {
        const int larger = ends[1] > ends[0];
        piece_of[sides[larger]] = (uint8_t)(*count)++;
        ends[larger] = 1;
    }
    return ends[0] + ends[1];
}

static uint32_t pieces_count(const ride_forest_node *nodes, uint8_t piece_of[NODES_MAX]) {
    uint32_t count = 1;
    memset(piece_of, 0, NODES_MAX);
    pieces_cut(nodes, 0, piece_of, &count);
    return count;
}

static planes_row_kind kind_of(const ride_forest_tree *tree) {
    const uint32_t leaves = (tree->nodes_count + 1) / 2;
    if (tree->depth <= HEAP_DEPTH) return PLANES_ROW_HEAP;
    return leaves <= SMALL_LEAVES ? PLANES_ROW_SMALL : leaves <= MOST_LEAVES ? PLANES_ROW_LARGE : PLANES_ROW_PIECES;
}

static size_t value_bytes(const ride_planes *p) { return p->sum == PLANES_F64 ? 8 : 4; }
static size_t piece_bytes(const ride_planes *p) { return PLANES_PIECE_LEAVES + MOST_LEAVES * value_bytes(p); }

static size_t tree_bytes(const ride_planes *p, const ride_forest *forest, const ride_forest_tree *tree) {
    uint8_t piece_of[NODES_MAX];
    switch (kind_of(tree)) {
    case PLANES_ROW_HEAP: return 128 + MOST_LEAVES * value_bytes(p);
    case PLANES_ROW_SMALL: return 64 + 128 + SMALL_LEAVES * value_bytes(p);
    case PLANES_ROW_LARGE: return 128 + 512 + MOST_LEAVES * value_bytes(p);
    default: return PLANES_PIECES_HEAD + pieces_count(forest->nodes + tree->nodes_first, piece_of) * piece_bytes(p);
    }
}

/* Cycles of a tree. */
static uint32_t tree_count(const ride_planes *p, planes_row_kind kind) {
    static const uint32_t counts[][4] = {{11, 6, 14, 70}, {16, 18, 40, 140}};
    return counts[p->isa < RIDE_CPU_AVX512_BYTES][kind];
}

static void pieces_fill(filler *f, const ride_forest_tree *tree, uint8_t *out) {
    uint8_t piece_of[NODES_MAX];
    const uint32_t count = pieces_count(f->nodes, piece_of),
                   bytes = PLANES_PIECES_HEAD + count * (uint32_t)piece_bytes(f->p);
    memcpy(out, &bytes, sizeof bytes);
    for (uint32_t i = 0; i < tree->nodes_count; i++) {
        if (i > 0 && piece_of[i] == 0) continue;
        uint8_t *piece = out + PLANES_PIECES_HEAD + piece_of[i] * piece_bytes(f->p);
        memset(piece + 64, 255, 64);
        f->codes = piece;
        f->above = piece + 64;
        f->masks64 = (void *)(piece + 128);
        f->next = piece + PLANES_PIECE_NEXT;
        f->leaves = piece + PLANES_PIECE_LEAVES;
        f->piece_of = piece_of;
        f->root = i;
        f->leaf = f->inner = 0;
        masks_fill(f, i);
    }
}

static void tree_fill(const ride_planes *p, const ride_forest *forest, const ride_forest_tree *tree,
                      const uint32_t *plane_of, const asked *of_plane, planes_row_kind kind, uint8_t *out) {
    const size_t asks = kind == PLANES_ROW_SMALL ? 32 : 64;
    filler f = {.p = p,
                .nodes = forest->nodes + tree->nodes_first,
                .plane_of = plane_of + tree->nodes_first,
                .of_plane = of_plane,
                .codes = out,
                .above = out + asks};
    if (kind == PLANES_ROW_PIECES) {
        pieces_fill(&f, tree, out);
        return;
    }
    memset(f.above, 255, asks); /* conditions that are not there: to the left */
    if (kind == PLANES_ROW_HEAP) {
        f.leaves = out + 2 * asks;
        heap_fill(&f, 0, 1, 0);
        return;
    }
    if (kind == PLANES_ROW_SMALL) f.masks32 = (void *)(out + 2 * asks), f.leaves = out + 2 * asks + 128;
    else f.masks64 = (void *)(out + 2 * asks), f.leaves = out + 2 * asks + 512;
    masks_fill(&f, 0);
}

/* Thresholds in their order, in sixteens, and the last of each sixteen before them. */
static void ranks_fill(const ride_planes *p, planes_row *row) {
    for (uint32_t c = 0; c < p->columns_count; c++) {
        const planes_column *column = &p->columns[c];
        float *last = row->ranks + (size_t)c * PLANES_ROW_RANKS, *all = last + 16;
        for (uint32_t i = 0; i < 256; i++)
            all[i] = i < column->thresholds_count ? p->thresholds[column->thresholds_first + i] : INFINITY;
        for (uint32_t i = 0; i < 16; i++) last[i] = all[16 * i + 15];
    }
}

ride_status planes_row_make(ride_planes *p, const ride_forest *forest, const uint32_t *order, const uint32_t *plane_of,
                            ride_error *err) {
    if (kernel_of(p->isa) == NULL) return RIDE_OK;
    planes_row *row = calloc(1, sizeof *row);
    asked *of_plane = calloc(p->planes_count, sizeof *of_plane);
    bool ok = row != NULL && of_plane != NULL;
    if (ok && !codes_make(p, row, of_plane)) {
        free(row);
        free(of_plane);
        return RIDE_OK;
    }
    if (ok) {
        row->run = kernel_of(p->isa);
        row->kinds = malloc(p->trees_count + (size_t)1);
        for (uint32_t t = 0; row->kinds != NULL && t < p->trees_count; t++) {
            const ride_forest_tree *tree = &forest->trees[order[t]];
            row->kinds[t] = (uint8_t)kind_of(tree);
            row->bytes += tree_bytes(p, forest, tree);
            row->count += tree_count(p, row->kinds[t]);
        }
        row->trees = aligned_alloc(64, (row->bytes + 64) / 64 * 64);
        row->ranks = aligned_alloc(64, ((size_t)p->columns_count + 1) * PLANES_ROW_RANKS * sizeof *row->ranks);
        ok = row->kinds != NULL && row->trees != NULL && row->ranks != NULL;
    }
    if (ok) {
        uint8_t *at = row->trees;
        memset(row->trees, 0, row->bytes);
        ranks_fill(p, row);
        for (uint32_t t = 0; t < p->trees_count; t++) {
            const ride_forest_tree *tree = &forest->trees[order[t]];
            tree_fill(p, forest, tree, plane_of, of_plane, row->kinds[t], at);
            at += tree_bytes(p, forest, tree);
        }
    }
    free(of_plane);
    p->row = row;
    return ok ? RIDE_OK : ride_fail(err, RIDE_E_MEMORY, "no memory for the rows of %u trees", p->trees_count);
}

void planes_row_destroy(planes_row *row) {
    if (row == NULL) return;
    free(row->kinds);
    free(row->trees);
    free(row->ranks);
    free(row);
}
