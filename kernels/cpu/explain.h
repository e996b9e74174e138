/* kernels/cpu/explain.h: why the CPU's model gave a row its margin: what each input adds to it, and last the expected margin, which together are the
 * margin. docs/explanations.md says what the numbers mean for each kind of model. */
#ifndef RIDE_KERNELS_CPU_EXPLAIN_H
#define RIDE_KERNELS_CPU_EXPLAIN_H
#include "kernels/cpu/score.h"
#include "ride/backend.h"

/* Makes what explains a model (ride_explainer: immutable, any number of threads). options: as ride_backend_ops.explainer_create; NULL = the
 * defaults; read in create only. The model is borrowed and must outlive *out, which the caller owns.
 * RIDE_E_UNSUPPORTED: the model is of a kind that has no explanation, or lacks what one needs; err says which and what to do. */
ride_status ride_cpu_explainer_create(const ride_cpu_model *model, ride_cpu_isa isa,
                                      const ride_explainer_options *options, ride_explainer **out, ride_error *err);
void ride_cpu_explainer_destroy(ride_explainer *explainer); /* NULL is fine */
void ride_cpu_explainer_tell(const ride_explainer *explainer, ride_explainer_figures *out);

/* Columns of the matrix, and outputs: those of ride_cpu_matrix_shape. Of a plain forest column i is its input i (with a plan the vector's entry
 * forest.inputs[i]), of an ensemble the vector's entry i. */
uint32_t ride_cpu_explain_inputs(const ride_explainer *explainer);
uint32_t ride_cpu_explain_outputs(const ride_explainer *explainer);

/* Bytes of scratch that one thread needs: 64-byte aligned memory of the caller, for calls of any size. */
size_t ride_cpu_explain_scratch_bytes(const ride_explainer *explainer);

/* Rows 0 … rows_count - 1: phi[(row * outputs + output) * (inputs + 1) + input], the expected margin behind the last input. The same bits for any
 * number of rows in a call. Allocates nothing. */
void ride_cpu_explain_rows(const ride_explainer *explainer, void *scratch, const ride_cpu_matrix *matrix,
                           size_t rows_count, double *phi);

#endif
