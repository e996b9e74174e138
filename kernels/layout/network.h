/* kernels/layout/network.h: steps over a whole row: scalers, imputers, the layers of a network. What they give is an answer of its own
 * (linear models, MLPs) or what a forest reads (a pipeline that ends in trees). Plain data without pointers, as forest.h.
 *
 * A row is a list of numbers; each step makes the next row of it. All arithmetic of a step is in its number, one operation after the other as
 * written below, so that every backend has the same bits: kernels/row/network.h. Numbers are held as doubles, as in forest.h.
 *
 * Sections: NETWORK = ride_network_header[]; NETWORK_STEPS = ride_network_step[]; NETWORK_NUMBERS = double[], the steps' a and b;
 * NETWORK_COLUMNS = uint32_t[], of SELECT; NETWORK_INPUTS = uint32_t[inputs_count], what feeds each input (ensemble.h). Each section has the
 * networks' parts one after the other, without gaps; indexes count from a network's own part. */
#ifndef RIDE_KERNELS_LAYOUT_NETWORK_H
#define RIDE_KERNELS_LAYOUT_NETWORK_H
#include "kernels/layout/forest.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    RIDE_NETWORK_VERSION = 1,
    RIDE_NETWORKS_MAX = 1024,         /* of a bundle */
    RIDE_NETWORK_STEPS_MAX = 1024,    /* of a network */
    RIDE_NETWORK_WIDTH_MAX = 1 << 16, /* numbers of a row between two steps */
};

typedef enum ride_step_kind {
    RIDE_STEP_IMPUTE = 1,    /* a[i] where x[i] is NaN (or equals b[0], when b is there); a NaN leaves NaN alone */
    RIDE_STEP_SHIFT_SCALE,   /* (x[i] - a[i]) * b[i] */
    RIDE_STEP_SHIFT_DIVIDE,  /* (x[i] - a[i]) / b[i] */
    RIDE_STEP_SCALE_SHIFT,   /* x[i] * a[i] + b[i], rounded twice */
    RIDE_STEP_NORMALIZE_MAX, /* x / max |x[i]|; a row of zeros stays */
    RIDE_STEP_NORMALIZE_L1,  /* x / sum |x[i]| */
    RIDE_STEP_NORMALIZE_L2,  /* x / sqrt(sum x[i]^2) */
    RIDE_STEP_DENSE, /* y[o] = b[o], then fma(a[o * inputs + i], x[i], y[o]) for i = 0, 1, …; b NULL = 0; then the activation */
    RIDE_STEP_SELECT, /* y[o] = x[columns[o]] */
    RIDE_STEP_NORMALIZE_TOP, /* x / max x[i], signs and all, as ONNX has it; a row whose greatest number is 0 stays; NaN is not the greatest */
    RIDE_STEPS,
} ride_step_kind;

typedef enum ride_activation {
    RIDE_ACTIVATION_NONE = 0,
    RIDE_ACTIVATION_RELU,    /* 0 where y < 0 */
    RIDE_ACTIVATION_SIGMOID, /* 1 / (1 + exp(-y)) */
    RIDE_ACTIVATION_TANH,
    RIDE_ACTIVATION_SOFTMAX, /* over the row */
    RIDE_ACTIVATIONS,
} ride_activation;

typedef struct ride_network_header {
    uint32_t network_version; /* RIDE_NETWORK_VERSION */
    uint32_t networks_count;  /* of the bundle: the same in each header */
    uint32_t inputs_count, outputs_count;
    uint32_t steps_count, numbers_count, columns_count;
    uint32_t width_max; /* of the rows between the steps, the first and the last included */
    /* From the last row to the answer, as in ride_forest_header; with a forest behind: NONE, 0, 0.0. */
    uint32_t link, number, mean_of;
    uint32_t reserved;
    double link_scale;
    char format[16];
    char objective[48];
    uint32_t more[2]; /* 0 */
} ride_network_header;
RIDE_STATIC_ASSERT(sizeof(ride_network_header) == 128, "two lines");

typedef struct ride_network_step {
    uint32_t kind;       /* ride_step_kind */
    uint32_t number;     /* ride_forest_number: x is rounded to it first, all arithmetic is in it */
    uint32_t activation; /* ride_activation; of DENSE, else 0 */
    uint32_t inputs, outputs;
    uint32_t has_b;
    uint32_t a_first, b_first; /* in the network's numbers; 0 when there are none */
    uint32_t columns_first;    /* SELECT: in the network's columns; else 0 */
    uint32_t reserved;         /* 0 */
} ride_network_step;
RIDE_STATIC_ASSERT(sizeof(ride_network_step) == 40, "crosses to devices");

/* A checked network: borrowed pointers into the bundle's image. */
typedef struct ride_network {
    const ride_network_header *header;
    const ride_network_step *steps;
    const double *numbers;
    const uint32_t *columns;
    const uint32_t *inputs; /* what feeds each input; NULL without ENSEMBLE: never, see ensemble.h */
} ride_network;

/* Numbers that a step has as a and as b. */
static inline uint64_t ride_step_a_count(const ride_network_step *step) {
    if (step->kind == RIDE_STEP_DENSE) return (uint64_t)step->inputs * step->outputs;
    return step->kind <= RIDE_STEP_SCALE_SHIFT ? step->inputs : 0;
}
static inline uint64_t ride_step_b_count(const ride_network_step *step) {
    if (step->kind == RIDE_STEP_DENSE) return step->has_b ? step->outputs : 0;
    if (step->kind == RIDE_STEP_IMPUTE) return step->has_b ? 1 : 0;
    return step->kind <= RIDE_STEP_SCALE_SHIFT ? step->inputs : 0;
}

/* Networks of the bundle, as its first header says; 0 without any. */
uint32_t ride_networks_count(const ride_bundle *bundle);

/* Checks network `index` of an opened bundle and gives the view: counts against section sizes, every index, rows that fit from step to step,
 * finite numbers. What feeds the inputs is checked by ride_ensemble_open. RIDE_E_CORRUPT with the first finding; RIDE_E_VERSION for
 * another version; RIDE_E_MODEL when the bundle holds no such network. Any thread. */
ride_status ride_network_open(const ride_bundle *bundle, uint32_t index, ride_network *out, ride_error *err);
/* The view alone, of a bundle whose networks were checked before. */
void ride_network_view(const ride_bundle *bundle, uint32_t index, ride_network *out);

#ifdef __cplusplus
}
#endif

#endif
