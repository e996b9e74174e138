/* kernels/cpu/explain_internal.h: the parts of an explainer. A member of a model is a front, steps that keep the inputs apart (imputers, scalers,
 * selections), and what reads the row behind them: a forest, or the other steps of a network. Private. */
#ifndef RIDE_KERNELS_CPU_EXPLAIN_INTERNAL_H
#define RIDE_KERNELS_CPU_EXPLAIN_INTERNAL_H
#include "kernels/cpu/explain.h"
#include "kernels/cpu/shap.h"

/* ---- explain_gradient.c: steps of a network as a function of the row before them ---- */

typedef struct explain_gradient explain_gradient;

/* Steps `first` and on. The network's arrays are borrowed; base, `width` numbers, is copied. */
ride_status explain_gradient_create(const ride_network *network, uint32_t first, uint32_t width, const double *base,
                                    explain_gradient **out, ride_error *err);
void explain_gradient_destroy(explain_gradient *gradient); /* NULL is fine */
/* Are the steps sums of weights? Then the gradient is the same everywhere. */
bool explain_gradient_is_constant(const explain_gradient *gradient);
size_t explain_gradient_bytes(const explain_gradient *gradient);
size_t explain_gradient_scratch_bytes(const explain_gradient *gradient); /* 64-byte aligned */
/* The mean gradient on the straight way from the baseline to z, in doubles: out[output * width + i]. */
void explain_gradient_row(const explain_gradient *gradient, void *scratch, const double *z, double *out);

/* ---- explain_member.c ---- */

/* How a member is to be explained. */
typedef struct explain_wish {
    uint64_t bytes_max;       /* of tables */
    uint64_t whole_bytes_max; /* of all */
    const double *background; /* rows of the member's inputs, or NULL */
    uint32_t background_rows;
    const double *
        given; /* of a stacker: baselines of its inputs, NaN = none; then the whole network is explained by gradients */
    uint32_t rows_most; /* of a call */
} explain_wish;

typedef struct explain_member {
    ride_member_view view;
    uint32_t front_count, width; /* steps of the front; numbers behind it */
    uint32_t *source;            /* the input that each of them comes from */
    double *base;                /* of them */
    double *expected;            /* margins */
    ride_shap *shap;             /* or: */
    explain_gradient *gradient;
    uint32_t rows_most;
} explain_member;

/* The view's arrays are borrowed. Filled with zeros by the caller; to be freed after a failure too. */
ride_status explain_member_create(const ride_member_view *view, ride_cpu_isa isa, const explain_wish *wish,
                                  explain_member *out, ride_error *err);
void explain_member_free(explain_member *member);
void explain_member_tell(const explain_member *member, ride_explainer_figures *add);
size_t explain_member_scratch_bytes(const explain_member *member);
/* x: rows of the member's inputs, one behind the other. phi as ride_cpu_explain_rows has it, of the member's margins. gradients: NULL, or of a member without
 * front, by gradients: [(row * outputs + output) * inputs + input]. */
void explain_member_rows(const explain_member *member, void *scratch, const double *x, uint32_t rows_count, double *phi,
                         double *gradients);

/* ---- explain_shares.c: from shares of a margin to shares of what is made of it ---- */

/* What a margin becomes. */
typedef double (*explain_fn)(const void *context, double margin);

/* phi: count shares of a margin whose expected value is `expected`. Writes shares of the change of what is made of it, which add up to `change`. */
void explain_rescale(const double *phi, uint32_t count, double expected, double change, explain_fn fn,
                     const void *context, double *out);
/* Adds `slope` times share i, and what they then lack of `total`, by their sizes, to out[to[i]]. */
void explain_pass(const double *shares, uint32_t count, double slope, double total, const uint32_t *to, double *out);
/* Adds `total` in the shares' proportions, or by their sizes where they nearly cancel each other. */
void explain_divide(const double *shares, uint32_t count, double total, const uint32_t *to, double *out);
/* Spreads `rest` over the shares by their sizes; over all alike where none has any. */
void explain_spread(double *shares, uint32_t count, double rest);

/* ---- explain_ensemble.c ---- */

typedef struct explain_ensemble explain_ensemble;
ride_status explain_ensemble_create(const ride_cpu_ensemble *ensemble, ride_cpu_isa isa,
                                    const ride_explainer_options *options, explain_ensemble **out, ride_error *err);
void explain_ensemble_destroy(explain_ensemble *ensemble); /* NULL is fine */
void explain_ensemble_tell(const explain_ensemble *ensemble, ride_explainer_figures *out);
size_t explain_ensemble_scratch_bytes(const explain_ensemble *ensemble);
void explain_ensemble_rows(const explain_ensemble *ensemble, void *scratch, const ride_cpu_matrix *matrix,
                           size_t rows_count, double *phi);

#endif
