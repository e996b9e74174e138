/* kernels/cpu/shap_internal.h: what create makes of a forest and the kernels read. Private.
 *
 * Planes: 0 is constant 0; 1 … conditions are those of conditions.h; behind them gates, each an AND of two planes, made in order. An input that a
 * path tests several times is one bit for the group: the gate that says that all its tests went the path's way. */
#ifndef RIDE_KERNELS_CPU_SHAP_INTERNAL_H
#define RIDE_KERNELS_CPU_SHAP_INTERNAL_H
#include "kernels/cpu/conditions.h"
#include "kernels/cpu/quadrature.h"
#include "kernels/cpu/shap.h"

#include <stdbool.h>
#include <string.h>

enum {
    SHAP_BITS = 10, /* of a group, and inputs of it at most: each bit is about one */
    SHAP_PATTERNS = 1 << SHAP_BITS,
    SHAP_INDEX_BITS = 7, /* of a pattern, that an index holds: a look-up of 128. Higher bits choose between look-ups */
    SHAP_LEAVES = SHAP_BITS + 1, /* of a group at most */
    SHAP_DIGITS = 3,             /* bytes of an entry */
    SHAP_SEGMENT_GROUPS = 256,   /* so that sums of a segment's digits fit into 16 bits, those of its entries into 32 */
    SHAP_WORD = 64,              /* rows of a word of a plane */
    SHAP_WORDS_MAX = 16,         /* of a plane: rows of a block / 64 */
    SHAP_NARROW = 7,             /* entries of a line that are added without asking how many there are */
    SHAP_SMALL = 64,             /* patterns of a small table: of groups with 6 bits or fewer */
    SHAP_LARGE = 128,            /* of one of 7 bits, and of each part of a wide one */
    SHAP_TABLE_UNIT = SHAP_DIGITS * SHAP_SMALL, /* bytes: a small table is one unit, a large one two */
    SHAP_LINE_UNIT = 16,                        /* bytes */
    SHAP_LINE_ENTRIES = 5,                      /* of a line of one unit; else it has two */
};

typedef struct shap_gate {
    uint32_t a, b; /* planes */
    bool not_a, not_b;
} shap_gate;

/* Line of pattern i: at lines + (line_first + i * line_units) * 16 bytes the entries of all inputs, 3 bytes each. */
typedef struct shap_group {
    uint32_t planes[SHAP_BITS]; /* bit k of the pattern; 0 = unused */
    uint32_t line_first;
    uint8_t bits, inputs_count, line_units;
} shap_group;

/* What a single row reads of a group, small, because it reads all of them: groups of more than SHAP_INDEX_BITS bits are looked up in full. */
typedef struct shap_call {
    uint16_t planes[SHAP_INDEX_BITS];
    uint8_t bits, inputs_count;
    uint32_t line_first;
    uint32_t slots_set; /* the slots as bits, where an output has no more than 32 */
} shap_call;

/* The tables of one input within a segment: the small ones first, then those of 7 bits, then wide ones. */
typedef struct shap_list {
    uint32_t slot;
    uint32_t table_first; /* in units */
    uint32_t entries_first, small_count, large_count, wide_count;
} shap_list;

typedef struct shap_segment {
    uint32_t groups_first, groups_count, lists_first, lists_count;
    uint32_t shift; /* sums of the segment are shifted left by this to the common scale */
} shap_segment;

/* An input that a deep leaf's path tests: its edges follow those of the one before. */
typedef struct shap_deep_input {
    double z; /* share of the training rows that go the path's way at its tests */
    uint32_t slot, edges_count;
} shap_deep_input;

typedef struct shap_edge {
    uint32_t plane;
    bool inverted; /* the path goes left */
} shap_edge;

typedef struct shap_deep {
    double value;
    uint32_t inputs_first, inputs_count, edges_first;
    uint32_t points;                   /* of the quadrature */
    uint32_t masks_first, masks_count; /* with a background */
} shap_deep;

/* Which of a deep leaf's inputs some background rows satisfy, and their share of all. */
typedef struct shap_mask {
    uint64_t inputs;
    double share;
} shap_mask;

typedef struct shap_slot {
    uint32_t input;
    uint64_t bias; /* added to the sum of the segments, modulo 2^64 */
} shap_slot;

typedef struct shap_output {
    uint32_t segments_first, segments_count, slots_first, slots_count, deep_first, deep_count;
    double expected;
} shap_output;

struct ride_shap {
    ride_cpu_isa isa;
    ride_conditions *conditions;
    uint32_t inputs_count, outputs_count, conditions_count, gates_count, planes_count;
    uint32_t groups_count, segments_count, lists_count, entries_count, slots_count, slots_most;
    uint32_t deep_count, deep_inputs_count, edges_count, masks_count, deep_inputs_most;
    uint32_t words_most; /* of a block */
    uint32_t few_rows;   /* are explained one by one */
    uint64_t table_units, line_units;
    double scale; /* of sums */
    bool has_background;
    shap_gate *gates;
    shap_group *groups;
    shap_call *calls; /* NULL: there are more planes than their numbers can tell */
    uint32_t (
        *slots_of)[SHAP_BITS]; /* of each group, of the output's inputs; behind them slots_most, which is nobody's */
    shap_segment *segments;
    shap_list *lists;
    uint16_t *entries; /* of lists: group within the segment */
    shap_slot *slots;
    shap_output *outputs;
    uint8_t *tables; /* 64-byte aligned; NULL: not for this machine */
    uint8_t *lines;
    shap_deep *deep;
    shap_deep_input *deep_inputs;
    shap_edge *edges;
    shap_mask *masks;
    double *nodes, *weights; /* of quadratures: n of them from n * (n - 1) / 2 on */
    double *factors;         /* with a background: u! w! / (u + w + 1)! at u * 64 + w */
};

/* A candidate: what lies under a node becomes a group, or its leaves deep ones. */
typedef struct shap_cut {
    uint32_t tree, root; /* root: of the tree's nodes */
    uint32_t bits, inputs_count, leaves_count;
    bool is_deep;
} shap_cut;

/* State of a create. */
typedef struct shap_maker {
    ride_shap *shap;
    const ride_forest *forest;
    const uint32_t *of_node; /* condition of each node */
    uint32_t *parents;       /* of each node, within its tree */
    uint32_t *slot_of;       /* of each input, within the output at hand */
    shap_cut *cuts;          /* output by output, in tree order */
    uint32_t cuts_count, cuts_room;
    uint32_t *cuts_first; /* of each output, and the end */
    uint32_t gates_room;
    uint32_t *gates_at; /* hash: gate + 1, or 0 */
    uint32_t gates_at_count;
    uint32_t background_rows, background_words;
    uint64_t *background;      /* planes of conditions, background_words each */
    uint64_t tables_bytes_max; /* of tables */
    uint64_t bytes_max;        /* of all, while it is made too */
    uint32_t groups_room;      /* cuts that become groups */
    uint32_t *cut_of;          /* of each group */
    uint32_t *table_at;        /* of each group's inputs, SHAP_BITS of them: unit of the table */
    double *ranges;            /* of each segment: the greatest of its tables */
    double *shares, *of_leaf;  /* of a group and of one leaf: SHAP_BITS * SHAP_PATTERNS */
    int32_t *steps;
    uint32_t deep_room, deep_inputs_room, edges_room, masks_room;
} shap_maker;

/* A leaf of a group: input j of the group is satisfied when all bits of on[j] are 1 and all of off[j] 0. An input that is not on the leaf's path
 * has neither, and z = 1. */
typedef struct shap_leaf {
    double value, z[SHAP_BITS];
    uint16_t on[SHAP_BITS], off[SHAP_BITS];
} shap_leaf;

typedef struct shap_form {
    uint32_t bits, inputs_count, leaves_count;
    uint32_t planes[SHAP_BITS], inputs[SHAP_BITS];
    shap_leaf leaves[SHAP_LEAVES];
} shap_form;

/* shap_cut.c. cuts and cuts_first; how a cut's leaves depend on its bits. */
ride_status shap_cuts_make(shap_maker *m, ride_error *err);
uint32_t shap_cut_tests(const shap_maker *m, const shap_cut *cut); /* on the way to one of its leaves, at most */
double shap_share(const ride_forest *forest, const ride_forest_tree *tree, uint32_t node, uint32_t child);
ride_status shap_form_make(shap_maker *m, const shap_cut *cut, shap_form *form, ride_error *err);
/* The nodes of the path to `node` below the root, itself included. Returns how many; way has room for the tree's depth. */
uint32_t shap_climb(const shap_maker *m, const ride_forest_tree *tree, uint32_t node, uint32_t *way);
/* A word of a plane of the background's rows. */
uint64_t shap_background_word(const shap_maker *m, uint32_t plane, uint32_t word);

/* What is held so far, and what making it takes beside. */
uint64_t shap_bytes(const shap_maker *m);
/* RIDE_E_UNSUPPORTED when what is held, what making it takes and `more` bytes are beyond the bound. */
ride_status shap_bound_check(const shap_maker *m, uint64_t more, ride_error *err);

/* shap_deep.c: the deep leaves of an output, whose slots are known. */
ride_status shap_deep_make(shap_maker *m, uint32_t output, ride_error *err);

/* shap_weights.c */
ride_status shap_quadratures_make(ride_shap *s, uint32_t points_most, ride_error *err);
ride_status shap_factors_make(ride_shap *s, ride_error *err);
/* m->shares[j * SHAP_PATTERNS + pattern]: what the group adds to input j. */
void shap_form_shares(const shap_maker *m, const shap_form *form);

/* shap_tables.c: groups, segments and lists of an output, whose slots are known; when all are made, tables and lines of all. */
ride_status shap_groups_make(shap_maker *m, uint32_t output, ride_error *err);
ride_status shap_tables_fill(shap_maker *m, ride_error *err);
void shap_tables_free(ride_shap *s);

/* The kernels. planes: stride words each, of which `words` are rows'. indices: for each group of the segment stride * 64 numbers, the low bits of patterns. sums: for each slot of
 * the output stride * 64 numbers, in an order within 64 rows of the kernel's own: row r is at shap_place. */
void shap_indices_plain(const ride_shap *s, const shap_segment *segment, const uint64_t *planes, uint32_t words,
                        uint32_t stride, uint8_t *indices);
void shap_sums_plain(const ride_shap *s, const shap_segment *segment, const uint64_t *planes, const uint8_t *indices,
                     uint32_t words, uint32_t stride, uint64_t *sums);
void shap_indices_avx2(const ride_shap *s, const shap_segment *segment, const uint64_t *planes, uint32_t words,
                       uint32_t stride, uint8_t *indices);
void shap_sums_avx2(const ride_shap *s, const shap_segment *segment, const uint64_t *planes, const uint8_t *indices,
                    uint32_t words, uint32_t stride, uint64_t *sums);
void shap_indices_avx512(const ride_shap *s, const shap_segment *segment, const uint64_t *planes, uint32_t words,
                         uint32_t stride, uint8_t *indices);
void shap_sums_avx512(const ride_shap *s, const shap_segment *segment, const uint64_t *planes, const uint8_t *indices,
                      uint32_t words, uint32_t stride, uint64_t *sums);
/* One row's lines of a segment, for outputs of up to 32 inputs: parts[slot] = the sum of its entries. */
void shap_lines_avx512(const shap_call *calls, const uint32_t (*slots)[SHAP_BITS], uint32_t groups_count,
                       const uint8_t *const *lines, uint32_t parts[32]);
/* Deep leaves of an output: values[slot * stride * 64 + row] += …, in the order of the leaves. room: shap_deep_room bytes. */
size_t shap_deep_room(const ride_shap *s);
void shap_deep_plain(const ride_shap *s, const shap_output *output, const uint64_t *planes, uint32_t rows_count,
                     uint32_t stride, void *room, double *values);
void shap_deep_avx512(const ride_shap *s, const shap_output *output, const uint64_t *planes, uint32_t rows_count,
                      uint32_t stride, void *room, double *values);

/* What a deep leaf's sums are made of, for input j and point q at j * points + q: the factor of the product where the input is satisfied and where it
 * is not, and what the product then gives to the input's share. */
typedef struct shap_terms {
    double *factors[2], *gains[2]; /* [1]: satisfied */
    double *products;              /* what is left of the room: points numbers for each row at a time */
} shap_terms;
shap_terms shap_terms_make(const ride_shap *s, const shap_deep *leaf, void *room);
enum { SHAP_DEEP_ROWS = 32 }; /* rows at a time, at most */

/* A word for each input, behind the terms. */
static inline uint64_t *shap_satisfied_room(const ride_shap *s, void *room) {
    const size_t inputs = s->deep_inputs_most, points = (inputs + 1) / 2;
    return (uint64_t *)room + 4 * inputs * points + SHAP_DEEP_ROWS * points;
}
/* A word of rows: which of them satisfy each input of the leaf. */
void shap_satisfied_make(const ride_shap *s, const shap_deep *leaf, const uint64_t *planes, uint32_t stride,
                         uint32_t word, uint64_t *satisfied);

/* An entry of a line: 24 bits, lowest byte first, as numbers lie on every machine that we build for. A line's last byte is no entry's. */
static inline uint32_t shap_entry(const uint8_t *line, uint32_t i) {
    uint32_t word;
    memcpy(&word, line + 3 * (size_t)i, sizeof word);
    return word & 0xffffff;
}

#endif
