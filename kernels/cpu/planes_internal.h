/* kernels/cpu/planes_internal.h: the compiled form that planes.c makes and the kernels read. Private. */
#ifndef RIDE_KERNELS_CPU_PLANES_INTERNAL_H
#define RIDE_KERNELS_CPU_PLANES_INTERNAL_H
#include "kernels/cpu/planes.h"

#include <stdbool.h>
#include <stdlib.h>

enum {
    PLANES_BITS = 8,    /* of a leaf's place at most; of most trees 6 */
    PLANES_RANKS = 255, /* thresholds of a column at most: a rank is a byte */
    PLANE_LEFT = 0,     /* no row goes right */
    PLANE_RIGHT = 1,    /* every row does */
    PLANE_FIRST = 2,    /* of the conditions */
    PLANES_TREES_AT_ONCE = 8,
    PLANES_PIVOTS = 256 + 32, /* floats of a column at most, for the search of either wide kernel */
    PLANES_HALF_ROWS = 256,   /* and in the middle */
    PLANES_SLIM_ROWS = 128,   /* of a block of the wide kernel with AVX-512 where rows are few */
    /* A category test as bits, right or left for each category: byte c / 8, bit c % 8. The last bytes are of values that are no
     * category and of missing ones. */
    PLANES_SET_BYTES = 64,
    PLANES_SET_NONE = 62,
    PLANES_SET_MISSING = 63,
    PLANES_SET_WORDS = 15, /* of a set at most */
};

/* The bit of a set's table that a value asks. */
static inline uint32_t planes_code(float x, bool from_minus_1) {
    if (x != x) return 8 * PLANES_SET_MISSING;
    if (from_minus_1 && x > -1.0f && x < 0.0f) return 0;
    return x >= 0.0f && x < 8.0f * PLANES_SET_NONE ? (uint32_t)x : 8 * PLANES_SET_NONE;
}

/* Up to 255 thresholds of one input, ascending. Plane plane_first + k: x >= threshold k, the bit of "goes right". */
typedef struct planes_column {
    uint32_t x; /* index among the tested inputs */
    uint32_t thresholds_first, thresholds_count;
    uint32_t plane_first;
    uint32_t others_first,
        others_count;  /* conditions that send a missing value the other way, with planes of their own */
    bool nan_right;    /* where the planes of the column send a missing value */
    bool zero_missing; /* what is missing: NaN; or zero too */
} planes_column;

typedef struct planes_other {
    uint32_t threshold, plane; /* of the column; PLANES_ALONE: "is missing" is the plane */
} planes_other;
static const uint32_t PLANES_ALONE = UINT32_MAX;

/* Category tests of one input; the plane of test s is planes.sets_plane + s. */
typedef struct planes_codes {
    uint32_t x;
    bool from_minus_1; /* as RIDE_NODE_SET_FROM_MINUS_1 */
    uint32_t sets_first, sets_count;
} planes_codes;

/* A plane selected from two: where `test` has a bit, that of `right`, else that of `left`. */
typedef struct planes_op {
    uint32_t test, right, left;
} planes_op;

/* Selections in a list, then six to eight planes of the leaf's place: those of a heap, or as told. */
typedef struct planes_tree {
    uint32_t ops_first, ops_count;
    uint32_t place_bits;        /* 6, 7, 8 */
    uint32_t levels;            /* of the heap; 0 = none */
    uint32_t heap_first;        /* in heaps: 2^levels planes, the last not used */
    uint32_t bits[PLANES_BITS]; /* without a heap: the planes of the place, the highest bit first */
} planes_tree;

/* What leaves are added as. */
typedef enum planes_sum {
    PLANES_F32,
    PLANES_F64,
    PLANES_WHOLE, /* whole numbers whose sums an int32 holds: in any order */
} planes_sum;

/* Trees of one output, one after the other, that are added together: their places have so many bits.
 * Tables: of each tree, from leaves_first on, tree_bytes. With AVX-512 and 6 bits the 16-bit parts of the values, the lowest first: parts × 64; else
 * their bytes: bytes × 2^bits. */
typedef struct planes_group {
    uint32_t trees_first, trees_count;
    uint32_t bits; /* 6, 7, 8 */
    uint32_t tree_bytes;
    size_t leaves_first;
} planes_group;

typedef struct planes_output {
    uint32_t groups_first, groups_count, trees_count;
    double base; /* that the sums begin with */
    double last; /* what is added to them at the end, where base_last */
} planes_output;

/* For single rows (planes_row.c). Codes: of each column, then the extras, then of each category set. */
typedef enum planes_row_kind {
    PLANES_ROW_HEAP,  /* at most 6 deep: 64 codes, 64 numbers that they must be above, 64 leaves */
    PLANES_ROW_SMALL, /* at most 32 leaves: 32 codes, 32 numbers, 32 masks of 32 bits, 32 leaves */
    PLANES_ROW_LARGE, /* at most 64: 64 codes, 64 numbers, 64 masks of 64 bits, 64 leaves */
    /* More: its bytes, then pieces of at most 64 ends: as above, and before the leaves for each end the next piece, 0 = it is a leaf. The first piece is the
     * root's. */
    PLANES_ROW_PIECES,
} planes_row_kind;
enum {
    PLANES_PIECES_HEAD = 64,
    PLANES_PIECE_NEXT = 640, /* in a piece */
    PLANES_PIECE_LEAVES = PLANES_PIECE_NEXT + 64,
};

typedef struct planes_extra {
    uint32_t column;
    bool alone; /* "is missing"; else the column's rank with missing values the other way */
} planes_extra;

enum { PLANES_ROW_RANKS = 16 + 256 };

typedef struct planes_row {
    void (*run)(const ride_planes *p, const float *x, double *margins);
    uint32_t codes_count, extras_count;
    size_t bytes;   /* of trees */
    uint32_t count; /* cycles of all trees */
    uint8_t *kinds; /* of each tree */
    uint8_t *trees; /* one after the other, as their kinds say; 64-byte aligned */
    float *ranks;   /* of each column PLANES_ROW_RANKS: the last of each sixteen of its thresholds, then all */
    planes_extra extras[256];
} planes_row;

struct ride_planes {
    ride_cpu_isa isa;
    planes_sum sum;
    bool base_last;
    uint32_t inputs_count, columns_count, codes_count, sets_count, others_count, thresholds_count;
    uint32_t trees_count, groups_count, outputs_count;
    uint32_t ops_count, heaps_count;
    uint32_t sets_plane;
    uint32_t planes_count; /* with the two constants; the results of a tree's list lie behind them */
    uint32_t ops_most;     /* of one tree */
    uint32_t bits_most;    /* of a group */
    size_t leaves_bytes;
    double tree_costs; /* planes that the heaps load, and what the lists cost in that measure */
    planes_column *columns;
    planes_other *others;
    planes_codes *codes;
    uint8_t (*sets)[PLANES_SET_BYTES]; /* 64-byte aligned */
    float *thresholds;
    float *pivots; /* of each column: its thresholds in the order of the wide kernel's search; 64-byte aligned */
    planes_tree *trees;
    planes_op *ops;
    uint32_t *heaps;
    uint8_t *leaves; /* 64-byte aligned */
    uint8_t *
        byte_leaves; /* NULL, or the same with all tables in bytes: where narrow and the wide kernel of AVX2 are both used */
    planes_group *groups;
    planes_output *outputs;
    planes_row *row; /* NULL: there is none */
    uint16_t row_of[RIDE_PLANES_ROWS], row_of_half[PLANES_HALF_ROWS],
        row_of_slim[PLANES_SLIM_ROWS]; /* of a sum of the wide kernels with AVX-512 */
    uint16_t place_of[RIDE_PLANES_ROWS], place_of_half[PLANES_HALF_ROWS],
        place_of_slim[PLANES_SLIM_ROWS]; /* of a row, among the places of a tree */
};

/* planes_tree.c: the lists and heaps of all trees, and `places`: of each node of the forest that is a leaf its place. order: the forest's trees in the order of
 * p->trees. plane_of: the plane of each node. */
ride_status planes_trees_make(ride_planes *p, const ride_forest *forest, const uint32_t *order,
                              const uint32_t *plane_of, uint8_t *places, ride_error *err);
/* planes_leaves.c: groups and tables. */
ride_status planes_leaves_make(ride_planes *p, const ride_forest *forest, const uint32_t *order, const uint8_t *places,
                               ride_error *err);

/* planes_row.c; p->row stays NULL where the forest or the machine is not of the kind. */
ride_status planes_row_make(ride_planes *p, const ride_forest *forest, const uint32_t *order, const uint32_t *plane_of,
                            ride_error *err);
void planes_row_destroy(planes_row *row); /* NULL is fine */
typedef void planes_row_kernel(const ride_planes *p, const float *x, double *margins);
planes_row_kernel planes_row_avx512, planes_row_avx2, planes_row_neon;

/* A sum to a margin. */
static inline double planes_margin(const ride_planes *p, const planes_output *output, double sum) {
    if (!p->base_last) return sum;
    return p->sum == PLANES_F32 ? (double)((float)sum + (float)output->last) : sum + output->last;
}

/* The kernels, for the rows of a block at most; margins: outputs_count apart. scratch: what the kernel says. prepare: what it needs of a
 * forest besides: pivots, row_of. */
typedef void planes_kernel(const ride_planes *p, void *scratch, const float *x, uint32_t stride, uint32_t rows_count,
                           double *margins);
planes_kernel planes_narrow, planes_wide_neon, planes_wide_avx2, planes_wide, planes_half, planes_slim;
/* Their places alone: of each tree a block of bytes; higher bits than bits_most mean nothing. */
typedef void planes_placer(const ride_planes *p, void *scratch, const float *x, uint32_t stride, uint32_t rows_count,
                           uint8_t *places);
planes_placer planes_wide_neon_places, planes_wide_avx2_places, planes_wide_places, planes_half_places,
    planes_slim_places;
size_t planes_narrow_scratch_bytes(const ride_planes *p);
size_t planes_wide_neon_scratch_bytes(const ride_planes *p);
size_t planes_wide_avx2_scratch_bytes(const ride_planes *p);
size_t planes_wide_scratch_bytes(const ride_planes *p);
size_t planes_half_scratch_bytes(const ride_planes *p);
size_t planes_slim_scratch_bytes(const ride_planes *p);
void planes_wide_neon_prepare(ride_planes *p);
void planes_wide_avx2_prepare(ride_planes *p);
void planes_wide_prepare(ride_planes *p);
void planes_half_prepare(ride_planes *p);
void planes_slim_prepare(ride_planes *p);

#endif
