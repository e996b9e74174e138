/* kernels/layout/forest.h: forests as they cross to a device. Plain data without pointers; models/ writes it into
 * a bundle, every backend reads it (and may derive a faster layout of its own at upload).
 *
 * One form for all trainers: every comparison is `x < t goes left`. A trainer's other comparisons become this one when
 * the model is compiled: `x <= t` is `x < the next number above t`, `>` and `>=` swap the children. Numbers are held as
 * doubles: a float model's thresholds, leaves and margins are floats, and those are exact in a double, so comparing
 * doubles equals comparing floats once the input was rounded to float (see kernels/row/tree.h).
 *
 * Sections: FOREST = ride_forest_header[], then double base_margin[outputs_count] of each; FOREST_TREES = ride_forest_tree[];
 * FOREST_NODES = ride_forest_node[]; FOREST_CATEGORIES = uint32_t words of category sets (absent when there are none);
 * FOREST_INPUTS = uint32_t[inputs_count], what feeds each input; FOREST_COVERS = double[nodes_count], the weight of the training rows that came to
 * each node, for explanations, of the forests whose flags say so; FOREST_LEAVES = ride_forest_line[lines_count], what leaves with linear terms give,
 * in the order of the leaves, FOREST_TERMS = ride_forest_term[terms_count], their terms one line's after the other's. Each section has the forests' parts one after the other, in the
 * order of the headers and without gaps; indexes count from a forest's own part.
 *
 * What feeds an input: a bundle without ENSEMBLE has one forest, whose inputs are entries of the plan's vector, or without a plan columns of
 * the rows, input i column i: then FOREST_INPUTS is absent. In a bundle with ENSEMBLE see ensemble.h; a forest behind a network reads
 * that network's outputs, input i output i, and has no part in FOREST_INPUTS.
 *
 * Nodes of a tree are in breadth-first order: the root first, siblings side by side, so the children of the k-th inner
 * node of a tree are its nodes 2k+1 and 2k+2. `left` says it explicitly for the scorer; the check insists on it, which makes
 * "every node reached once, no cycle" one pass without memory. */
#ifndef RIDE_KERNELS_LAYOUT_FOREST_H
#define RIDE_KERNELS_LAYOUT_FOREST_H
#include "kernels/layout/bundle.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    RIDE_FOREST_VERSION = 4,
    RIDE_FORESTS_MAX = 1024, /* of a bundle */
    RIDE_FOREST_OUTPUTS_MAX = 1024,
    RIDE_FOREST_DEPTH_MAX = 4096,       /* edges from a root to its deepest leaf */
    RIDE_FOREST_INPUTS_MAX = 1 << 20,   /* an input index has 24 bits */
    RIDE_FOREST_CATEGORY_MAX = 1 << 24, /* category codes are below this: a float holds them exactly */
};

/* The type that inputs are rounded to before the tests, and that one row's leaves are added in. */
typedef enum ride_forest_number {
    RIDE_FOREST_F32 = 1,
    RIDE_FOREST_F64 = 2,
} ride_forest_number;

/* From margin to the answer; arithmetic in the sum type. */
typedef enum ride_forest_link {
    RIDE_FOREST_LINK_NONE = 1,          /* the margin itself */
    RIDE_FOREST_LINK_SIGMOID = 2,       /* 1 / (exp(min(-x, 88.7)) + 1 + 1e-16) */
    RIDE_FOREST_LINK_SOFTMAX = 3,       /* over the outputs of a row */
    RIDE_FOREST_LINK_LOGISTIC = 4,      /* of doubles, each output: 1 / (1 + exp(-link_scale * x)) */
    RIDE_FOREST_LINK_EXP = 5,           /* exp(x) */
    RIDE_FOREST_LINK_SIGNED_SQUARE = 6, /* x * |x| */
    RIDE_FOREST_LINK_SOFTPLUS = 7,      /* log(1 + exp(x)) */
    RIDE_FOREST_LINK_ISOLATION =
        8, /* 2^(-x / link_scale): x the mean path length, link_scale that of a random search tree */
    RIDE_FOREST_LINK_SOFTMAX_ZERO = 9, /* softmax over the outputs that are not zero; zeros stay (ONNX) */
    RIDE_FOREST_LINK_PROBIT = 10,      /* the normal quantile, as ONNX Runtime computes it */
    RIDE_FOREST_LINK_LOGISTIC_FOLDED =
        11, /* in float, each output: p = 1 / (1 + exp(-|x|)), and 1 - p where x < 0, as ONNX Runtime computes it */
    RIDE_FOREST_LINK_STEP = 12, /* 1 where x > 0, else 0 */
    RIDE_FOREST_LINKS,
} ride_forest_link;

/* How the leaves of a row become its margin. */
typedef enum ride_forest_aggregate {
    RIDE_FOREST_SUM = 0,
    RIDE_FOREST_MIN = 1, /* the least leaf; no trees: 0 */
    RIDE_FOREST_MAX = 2,
} ride_forest_aggregate;

typedef enum ride_forest_flags {
    RIDE_FOREST_BASE_LAST = 1,      /* the base margin is added after the leaves (ONNX), whose sum starts at 0 */
    RIDE_FOREST_BEHIND_NETWORK = 2, /* its inputs are the outputs of its member's network */
    RIDE_FOREST_HAS_COVERS = 4,     /* FOREST_COVERS has its nodes */
} ride_forest_flags;

typedef struct ride_forest_header {
    uint32_t forest_version; /* RIDE_FOREST_VERSION */
    uint32_t trees_count, nodes_count, inputs_count, outputs_count;
    uint32_t category_words_count;
    uint32_t input_number; /* ride_forest_number: inputs are rounded to this, to nearest even, before the tests */
    uint32_t
        sum_number; /* ride_forest_number: a row's sum starts at base_margin and adds leaves in tree order; see flags */
    uint32_t link;  /* ride_forest_link */
    uint32_t depth_max; /* of the deepest tree; 0 = single leaves */
    uint32_t flags;     /* ride_forest_flags. A flag not known here is refused */
    uint32_t
        mean_of; /* above 1: the answer is of the margin divided by this, in the sum type (an average of so many trees) */
    double link_scale;      /* of LOGISTIC and ISOLATION; else 0 */
    uint32_t forests_count; /* of the bundle: the same in each header */
    uint32_t aggregate;     /* ride_forest_aggregate; other than SUM: BASE_LAST is set */
    char format[16];        /* "xgboost": who trained it, for reports */
    char objective[40];     /* "binary:logistic", as the model file says */
    uint32_t lines_count; /* leaves with linear terms; 0: sums of plain leaves. Above 0: inputs and sums are doubles */
    uint32_t terms_count;
} ride_forest_header;
RIDE_STATIC_ASSERT(sizeof(ride_forest_header) == 128, "two lines, then the base margins");

typedef struct ride_forest_tree {
    uint32_t nodes_first, nodes_count; /* trees lie one after the other without gaps */
    uint32_t output;                   /* which of the row's sums its leaf is added to */
    uint32_t depth;                    /* edges to the deepest leaf */
} ride_forest_tree;
RIDE_STATIC_ASSERT(sizeof(ride_forest_tree) == 16, "crosses to devices");

/* ride_forest_node.input: the low 24 bits are the input's index, the others these. */
typedef enum ride_forest_node_bits {
    RIDE_NODE_INPUT_MASK = 0x00ffffff,
    RIDE_NODE_LEAF = 0x01000000,         /* nothing else is set then */
    RIDE_NODE_DEFAULT_LEFT = 0x02000000, /* a missing value (NaN) goes left, else right */
    RIDE_NODE_SET = 0x04000000,          /* category test instead of x < threshold */
    RIDE_NODE_SET_LEFT = 0x08000000,     /* with SET: members go left and all others right; without: members go right */
    RIDE_NODE_SET_FROM_MINUS_1 =
        0x10000000, /* with SET: what is above -1 and below 0 is truncated to category 0; else it is no member */
    RIDE_NODE_ZERO_MISSING = 0x20000000, /* without SET: what is within 1e-35f of zero is missing too */
    RIDE_NODE_ONLY_MISSING = 0x40000000, /* without SET: all that is not missing goes left */
} ride_forest_node_bits;

/* Members of a category set: category c is bit c % 32 of word c / 32. A value is truncated towards zero first; one that is
 * negative or beyond the set's words is no member. */
typedef struct ride_forest_set {
    uint32_t words_first, words_count; /* in FOREST_CATEGORIES */
} ride_forest_set;

typedef struct ride_forest_node {
    union {
        double threshold; /* x < threshold goes left; not NaN */
        double
            leaf; /* what the tree adds (tree weights are already in it); finite. With a line: where an input of it is NaN */
        ride_forest_set set; /* with RIDE_NODE_SET */
    } u;
    uint32_t input; /* index and ride_forest_node_bits */
    uint32_t
        left; /* left child, counted from the tree's first node; the right child is left + 1. A leaf: 0, or 1 + the index of its line */
} ride_forest_node;
RIDE_STATIC_ASSERT(sizeof(ride_forest_node) == 16,
                   "four nodes a line; a pair of siblings never straddles more than two");

/* A linear leaf (LightGBM's linear_tree): constant + coefficient * x of each term, in their order, each product and sum rounded to double. */
typedef struct ride_forest_line {
    double constant;
    uint32_t terms_first, terms_count; /* in FOREST_TERMS */
} ride_forest_line;

typedef struct ride_forest_term {
    double coefficient; /* finite, as the constant is */
    uint32_t input;
    uint32_t unused; /* 0 */
} ride_forest_term;
RIDE_STATIC_ASSERT(sizeof(ride_forest_line) == 16 && sizeof(ride_forest_term) == 16, "cross to devices");

/* A checked forest: borrowed pointers into the bundle's image. */
typedef struct ride_forest {
    const ride_forest_header *header;
    const double *base_margins; /* outputs_count */
    const ride_forest_tree *trees;
    const ride_forest_node *nodes;
    const uint32_t *category_words; /* NULL = none */
    const uint32_t *inputs;         /* NULL: input i is column i of the rows, or output i of the network before it */
    const double *covers;           /* of each node, 0 or more; NULL = not known: nothing can be explained */
    const ride_forest_line *lines;  /* NULL = all leaves are plain */
    const ride_forest_term *terms;
} ride_forest;

/* Forests of the bundle, as its first header says; 0 without any. */
uint32_t ride_forests_count(const ride_bundle *bundle);

/* Checks forest `index` of an opened bundle and gives the view. Everything a scorer relies on is checked here, so that scoring
 * needs no bounds tests: counts against section sizes (of all forests together), every index, depth, order, finite leaves and margins. What feeds
 * the inputs of a bundle with ENSEMBLE is checked by ride_ensemble_open. RIDE_E_CORRUPT with the first finding; RIDE_E_VERSION for another version;
 * RIDE_E_MODEL when the bundle holds no such forest. Any thread. */
ride_status ride_forest_open(const ride_bundle *bundle, uint32_t index, ride_forest *out, ride_error *err);
/* The view alone, of a bundle whose forests were checked before. */
void ride_forest_view(const ride_bundle *bundle, uint32_t index, ride_forest *out);
static inline int ride_bundle_has_forest(const ride_bundle *bundle) {
    return bundle->sections[RIDE_SECTION_FOREST] != NULL;
}

#ifdef __cplusplus
}
#endif

#endif
