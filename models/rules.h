/* models/rules.h: trees whose tests are any comparison, and whose leaves may give to several outputs → trees of ir.h, where every test
 * is `x < t goes left` and a leaf gives to one output. Internal to models/; for the formats that others write their trees in (ONNX, treelite).
 *
 * `<=`, `>` and `>=` are the next threshold or the other way round. `==`, `!=` and membership are true in small intervals [t, next after t),
 * so one test becomes several and what stands behind the other side is there several times; a path knows the interval that it came
 * through, so a test that is decided by then is left out, and a chain of `==` on one input grows no faster than its length. A tree with leaves of
 * several outputs becomes one tree for each. Nothing is rounded: thresholds are in the model's input_number already. */
#ifndef RIDE_MODELS_RULES_H
#define RIDE_MODELS_RULES_H
#include "models/reader.h"

typedef enum ride_rule {
    RIDE_RULE_LEAF = 0,
    RIDE_RULE_LESS,
    RIDE_RULE_LESS_EQUAL,
    RIDE_RULE_GREATER,
    RIDE_RULE_GREATER_EQUAL,
    RIDE_RULE_EQUAL,
    RIDE_RULE_NOT_EQUAL,
    RIDE_RULE_MEMBER, /* equals one of the members */
    RIDE_RULE_WHOLE,  /* truncated towards zero, it equals one of the members, which are whole numbers */
    RIDE_RULE_SET,    /* a category set of the model */
} ride_rule;

typedef struct ride_rule_node {
    double value;     /* what the input is compared with */
    ride_rule rule;   /* true: the yes child */
    uint32_t input;   /* SET: with the bits of ride_forest_node.input, SET_LEFT where members take the yes child */
    uint32_t yes, no; /* of the tree's nodes */
    uint32_t first;   /* LEAF: of the tree's weights; MEMBER and WHOLE: of its members; SET: the model's set */
    uint32_t count;   /* LEAF, MEMBER and WHOLE: how many */
    bool missing_yes; /* NaN takes the yes child */
    double cover;     /* as ride_model_node.cover; kept where each test stayed one */
} ride_rule_node;

typedef struct ride_rule_weight {
    double value;
    uint32_t output;
} ride_rule_weight;

typedef struct ride_rule_tree {
    const char *place;           /* "tree 7", for findings */
    const ride_rule_node *nodes; /* the root first */
    uint32_t nodes_count;
    const ride_rule_weight *weights;
    const double *members; /* of a node: ascending, distinct */
    double weight;         /* of all leaves */
    bool may_share;        /* a node may have several parents, and becomes as many; a cycle is refused always */
} ride_rule_tree;

typedef struct ride_rules ride_rules;

/* The model's input_number, inputs_count, outputs_count and aggregate are known. The caller owns *out. */
ride_status ride_rules_create(ride_model_reader *reader, ride_rules **out);
/* Checks a tree and adds it. What is wrong is a finding; RIDE_E_MODEL. */
ride_status ride_rules_add(ride_rules *rules, const ride_rule_tree *tree);
/* Fills the model's trees and nodes. */
ride_status ride_rules_finish(ride_rules *rules);
void ride_rules_destroy(ride_rules *rules); /* NULL is fine */

#endif
