/* kernels/cpu/shap.h: why a forest gave a row its margin: exact Shapley values of its inputs (TreeSHAP), for every output of the model.
 *
 * phi of a row and an output: a number for each input, and last the expected margin; together they are the row's margin. Without a background the
 * values are "path dependent" (Lundberg et al., Nature Machine Intelligence 2020): what is not known goes down both ways, as the training rows did (covers); this is what
 * XGBoost's pred_contribs and LightGBM's pred_contrib are. With a background they are "interventional": what is not known comes from
 * the background's rows, and the values are the mean over them.
 *
 * How. A tree is cut into groups whose leaves depend on at most 10 bits of a row, mostly 7: a bit for each input of the path to the group, and one for each
 * test inside it. What a group adds to an input's value is then one of a table of numbers, computed beforehand with exact weights in doubles and held
 * in 24 bits. Explaining a row is looking up and adding whole numbers: so the result has the same bits for any number of rows at once, any division
 * of them and any instruction set. A leaf whose path tests more than 10 inputs, or for whose tables the memory allowed has no room, is "deep": its
 * values are computed for each row, by quadrature that is exact for its polynomial, in the order of the leaves.
 *
 * The error against exact weights is that of 24 bits: some millionths of the greatest leaf. */
#ifndef RIDE_KERNELS_CPU_SHAP_H
#define RIDE_KERNELS_CPU_SHAP_H
#include "base/error.h"
#include "kernels/cpu/forest.h"
#include "kernels/cpu/isa.h"
#include "kernels/layout/forest.h"

enum {
    RIDE_SHAP_INPUTS_MAX = 128,      /* different inputs on a path; with a background 64 */
    RIDE_SHAP_BACKGROUND_MAX = 4096, /* rows */
};

typedef struct ride_shap ride_shap; /* immutable after create: any number of threads */

/* What a create may use. Zero means the default. */
typedef struct ride_shap_options {
    uint64_t
        bytes_max; /* of tables and of all that is held and that making it takes; 256 MiB. Less of it makes more leaves deep. Where it is
                         * less than 16 MiB, it is the bound of the tables, and 16 MiB that of all */
    const ride_cpu_matrix *background; /* read in create only; NULL = path dependent */
    uint32_t background_rows;
    uint64_t whole_bytes_max; /* of all, where that is not bytes_max */
} ride_shap_options;

/* What came of it. */
typedef struct ride_shap_info {
    uint64_t bytes; /* of memory held, tables and all */
    uint32_t conditions, groups, tables, deep_leaves;
    uint32_t inputs_most; /* different inputs on a deep leaf's path, at most; 0 = there is none */
} ride_shap_info;

/* options may be NULL. The forest is not kept. The caller owns *out.
 * RIDE_E_UNSUPPORTED: the forest has no covers (and there is no background), does not sum its leaves, has paths of more inputs than
 * RIDE_SHAP_INPUTS_MAX, leaves too large for whole numbers; there is no way to explain it within the bound; or there are more background rows
 * than RIDE_SHAP_BACKGROUND_MAX. */
ride_status ride_shap_create(const ride_forest *forest, const ride_shap_options *options, ride_cpu_isa isa,
                             ride_shap **out, ride_error *err);
void ride_shap_destroy(ride_shap *shap); /* NULL is fine */

void ride_shap_describe(const ride_shap *shap, ride_shap_info *out);

double ride_shap_expected(const ride_shap *shap, uint32_t output); /* margin */

/* Bytes of scratch that one thread needs: 64-byte aligned memory of the caller, for calls of any size. */
size_t ride_shap_scratch_bytes(const ride_shap *shap);

/* Values of rows 0 … rows_count - 1: phi[(row * outputs_count + output) * (inputs_count + 1) + input], the expected margin behind the last input.
 * They are of the margin before any link or mean. Allocates nothing. */
void ride_shap_rows(const ride_shap *shap, void *scratch, const ride_cpu_matrix *matrix, size_t rows_count,
                    double *phi);

#endif
