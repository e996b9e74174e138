/* kernels/cpu/planes_row_run.h: one row through the trees (planes_row.c), whatever the registers. A tree is a dozen or two of operations that depend on
 * nothing but the codes; only the adds, in tree order, wait for each other. Included by planes_row_avx512.c, planes_row_avx2.c and planes_row_neon.c, which
 * say before:
 *
 *   rank_of(ranks, x)         of a column (planes_row.ranks)
 *   code_table                the codes where permutations want them; codes_load(bytes)
 *   rights_of(table, sixteens, tree), rights_of_small(…)   bit k: condition k of 64, or of 32, holds; there are 16 × sixteens codes at most
 *   small_place(rights, masks), large_place(rights, masks)   the first leaf that no mask took away
 *   KERNEL(name), SIXTEENS    the table's least size: 2, 4 or 8 */
#if defined(KERNEL)

static bool is_missing(float x, bool zero_missing) { return x != x || (zero_missing && x >= -1e-35f && x <= 1e-35f); }

static void codes_find(const ride_planes *p, const float *x, uint8_t *codes) {
    const planes_row *row = p->row;
    for (uint32_t c = 0; c < p->columns_count; c++) {
        const planes_column *column = &p->columns[c];
        const float v = x[column->x];
        const uint32_t rank = rank_of(row->ranks + (size_t)c * PLANES_ROW_RANKS, v);
        const uint8_t missing = column->nan_right ? 255 : 0;
        codes[c] = is_missing(v, column->zero_missing) ? missing : (uint8_t)(rank < PLANES_RANKS ? rank : PLANES_RANKS);
    }
    uint8_t *extra = codes + p->columns_count;
    for (uint32_t e = 0; e < row->extras_count; e++) {
        const planes_column *column = &p->columns[row->extras[e].column];
        const bool missing = is_missing(x[column->x], column->zero_missing);
        if (row->extras[e].alone) extra[e] = missing ? 255 : 0;
        else extra[e] = missing ? (column->nan_right ? 0 : 255) : codes[row->extras[e].column];
    }
    uint8_t *sets = extra + row->extras_count;
    for (uint32_t c = 0; c < p->codes_count; c++) {
        const planes_codes *of = &p->codes[c];
        const uint32_t code = planes_code(x[of->x], of->from_minus_1);
        for (uint32_t s = of->sets_first; s < of->sets_first + of->sets_count; s++)
            sets[s] = p->sets[s][code / 8] >> (code % 8) & 1 ? 255 : 0;
    }
}

/* Down a heap: bit i - 1 is the condition at place i. */
static inline uint32_t heap_place(uint64_t rights) {
    uint64_t at = 1;
#pragma GCC unroll 6
    for (int level = 0; level < 6; level++) at = 2 * at + (rights >> (at - 1) & 1);
    return (uint32_t)(at - 64);
}

/* From piece to piece until one ends at a leaf. */
static inline const uint8_t *pieces_leaf(const code_table *codes, uint32_t sixteens, size_t value,
                                         const uint8_t *pieces) {
    const uint8_t *piece = pieces;
    for (;;) {
        const uint32_t place = large_place(rights_of(codes, sixteens, piece), piece + 128);
        const uint32_t next = piece[PLANES_PIECE_NEXT + place];
        if (next == 0) return piece + PLANES_PIECE_LEAVES + value * place;
        piece = pieces + next * (PLANES_PIECE_LEAVES + 64 * value);
    }
}

static inline __attribute__((always_inline)) const uint8_t *
tree_leaf(const code_table *codes, uint32_t sixteens, planes_row_kind kind, size_t value, const uint8_t *tree) {
    if (kind == PLANES_ROW_HEAP) return tree + 128 + value * heap_place(rights_of(codes, sixteens, tree));
    if (kind == PLANES_ROW_SMALL)
        return tree + 192 + value * small_place(rights_of_small(codes, sixteens, tree), tree + 64);
    if (kind == PLANES_ROW_LARGE) return tree + 640 + value * large_place(rights_of(codes, sixteens, tree), tree + 128);
    return pieces_leaf(codes, sixteens, value, tree + PLANES_PIECES_HEAD);
}

static inline size_t tree_bytes(planes_row_kind kind, size_t value, const uint8_t *tree) {
    uint32_t bytes;
    switch (kind) {
    case PLANES_ROW_HEAP: return 128 + 64 * value;
    case PLANES_ROW_SMALL: return 192 + 32 * value;
    case PLANES_ROW_LARGE: return 640 + 64 * value;
    default: memcpy(&bytes, tree, sizeof bytes); return bytes;
    }
}

/* Sums so far of one output, in the type that counts. */
typedef struct row_sums {
    double doubles;
    float floats;
    int32_t whole;
} row_sums;

/* Trees of one kind, from *t on, as long as there are some: a constant kind, so that nothing is asked between them. Returns what lies behind them. */
static inline __attribute__((always_inline)) const uint8_t *kind_run(planes_row_kind kind, const code_table *codes,
                                                                     uint32_t sixteens, planes_sum sum,
                                                                     const uint8_t *kinds, uint32_t *t, uint32_t end,
                                                                     const uint8_t *tree, row_sums *sums) {
    const size_t value = sum == PLANES_F64 ? 8 : 4;
    do {
        const uint8_t *leaf = tree_leaf(codes, sixteens, kind, value, tree);
        if (sum == PLANES_F64) {
            double add;
            memcpy(&add, leaf, sizeof add);
            sums->doubles += add;
        } else if (sum == PLANES_F32) {
            float add;
            memcpy(&add, leaf, sizeof add);
            sums->floats += add;
        } else {
            int32_t add;
            memcpy(&add, leaf, sizeof add);
            sums->whole += add;
        }
        tree += tree_bytes(kind, value, tree);
    } while (++*t < end && kinds[*t] == kind);
    return tree;
}

static inline __attribute__((always_inline)) void trees_run(const ride_planes *p, planes_sum sum, uint32_t sixteens,
                                                            const code_table *given, double *margins) {
    const code_table codes = *given;
    const uint8_t *tree = p->row->trees, *kinds = p->row->kinds;
    uint32_t t = 0;
#define RUN(kind) kind_run(kind, &codes, sixteens, sum, kinds, &t, end, tree, &sums)
    for (uint32_t o = 0; o < p->outputs_count; o++) {
        const planes_output *output = &p->outputs[o];
        const uint32_t end = t + output->trees_count;
        row_sums sums = {output->base, (float)output->base, 0};
        while (t < end) {
            switch ((planes_row_kind)kinds[t]) {
            case PLANES_ROW_HEAP: tree = RUN(PLANES_ROW_HEAP); break;
            case PLANES_ROW_SMALL: tree = RUN(PLANES_ROW_SMALL); break;
            case PLANES_ROW_LARGE: tree = RUN(PLANES_ROW_LARGE); break;
            default: tree = RUN(PLANES_ROW_PIECES); break;
            }
        }
        margins[o] = planes_margin(p, output,
                                   sum == PLANES_F64   ? sums.doubles
                                   : sum == PLANES_F32 ? (double)sums.floats
                                                       : (double)sums.whole);
    }
#undef RUN
}

/* Each size its own loop: of the smaller ones the table stays in registers. */
#define TREES_RUN(size)                                                                                                \
    static __attribute__((noinline)) void trees_run_##size(const ride_planes *p, const code_table *codes,              \
                                                           double *margins) {                                          \
        if (p->sum == PLANES_F64) trees_run(p, PLANES_F64, size, codes, margins);                                      \
        else if (p->sum == PLANES_F32) trees_run(p, PLANES_F32, size, codes, margins);                                 \
        else trees_run(p, PLANES_WHOLE, size, codes, margins);                                                         \
    }
#if SIXTEENS <= 2
TREES_RUN(2)
#endif
#if SIXTEENS <= 4
TREES_RUN(4)
#endif
TREES_RUN(8)
TREES_RUN(16)

void KERNEL()(const ride_planes *p, const float *x, double *margins) {
    _Alignas(64) uint8_t bytes[256];
    const uint32_t count = p->row->codes_count;
    codes_find(p, x, bytes);
    for (uint32_t i = count; i < 256; i++) bytes[i] = 0;
    const code_table codes = codes_load(bytes);
#if SIXTEENS <= 2
    if (count <= 32) {
        trees_run_2(p, &codes, margins);
        return;
    }
#endif
#if SIXTEENS <= 4
    if (count <= 64) {
        trees_run_4(p, &codes, margins);
        return;
    }
#endif
    if (count <= 128) trees_run_8(p, &codes, margins);
    else trees_run_16(p, &codes, margins);
}
#endif
