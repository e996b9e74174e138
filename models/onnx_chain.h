/* models/onnx_chain.h: a chain of nodes on its way into the model. Internal to models/. */
#ifndef RIDE_MODELS_ONNX_CHAIN_H
#define RIDE_MODELS_ONNX_CHAIN_H
#include "models/onnx.h"

/* One node of the chain: which of its inputs holds the row, and which output goes on. */
typedef struct onnx_link {
    const onnx_node *node;
    uint32_t input, output;
    bool is_complement; /* a Concat of 1 - p and p: the row goes through */
} onnx_link;

/* A named value of the graph. */
typedef struct onnx_value {
    ride_message name, tensor; /* tensor: empty when it is none */
    bool is_sequence;
    int64_t element;
    uint32_t index; /* of the graph's inputs */
} onnx_value;

/* What may still be walked, of all chains together: parts of a row may share what is behind them. */
typedef struct onnx_budget {
    uint32_t nodes, inputs; /* inputs: of the nodes */
} onnx_budget;

typedef struct onnx_chain {
    onnx_file file;
    onnx_value *inputs; /* of the graph, by name */
    uint32_t inputs_count;
    onnx_link *links; /* from the input to the output */
    uint32_t links_count;
    onnx_budget *budget;
    /* the value that goes through it */
    ride_forest_number number;
    uint32_t width;  /* columns; 0 = not known yet */
    bool is_rounded; /* it holds numbers of that type already, not only of the row's */
    bool is_pair;    /* the graph has [1 - p, p] here, and the model p */
    bool is_second;  /* the graph has two columns here, and the model the second */
    bool is_flat;    /* the graph has [rows] here, not [rows, 1] */
    bool is_answer;  /* link and all: only its form may change */
    bool has_trees;
    ride_model_step *steps;
    uint32_t steps_count, steps_room;
} onnx_chain;

/* onnx.c */
/* Links from a value back to where it comes from: a graph input (*joined is NULL), a Concat of some, or with *has_parts one that joins what is computed. */
ride_status ride_onnx_walk_back(onnx_chain *chain, ride_message name, onnx_value *source, const onnx_node **joined,
                                bool *has_parts);
/* Counts a step back over a node; a finding when there were too many. */
ride_status ride_onnx_take(const onnx_chain *chain, const onnx_node *node);
/* The chain that gives a value, as the reader's model. */
ride_status ride_onnx_read_chain(onnx_chain *chain, ride_message output);
bool ride_onnx_graph_input(const onnx_chain *chain, ride_message name, onnx_value *out);
/* Columns of a graph input, a tensor of numbers; 0: not said. */
ride_status ride_onnx_columns(const onnx_file *file, onnx_value source, uint32_t *out);

/* onnx_votes.c */
/* *is_one: the output is a mean of several models' answers, and is read as an ensemble. */
ride_status ride_onnx_votes(onnx_chain *chain, ride_message output, bool *is_one);

/* onnx_front.c */
/* The model's inputs and the chain's first steps from a Concat that joins parts of the row; room for so many steps behind them. */
ride_status ride_onnx_front(onnx_chain *chain, const onnx_node *concat, uint32_t steps_behind);

/* onnx_steps.c */
/* One node that is no ensemble of trees; `width` is known. */
ride_status ride_onnx_step(onnx_chain *chain, const onnx_link *link);
/* How many columns a node takes in, 0 when it takes any. */
ride_status ride_onnx_step_width(const onnx_chain *chain, const onnx_link *link, uint32_t *out);
/* The same row in the chain's number: a SELECT of all columns. */
ride_status ride_onnx_round(onnx_chain *chain, const onnx_node *node);

#endif
