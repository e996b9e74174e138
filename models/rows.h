/* models/rows.h: a model made ready on a backend for rows of a matrix, without a spec and without a stream: what `ride score`, the inference
 * endpoint and the library score with. Compiled to a bundle, uploaded, and scored by the backend's rows_score. */
#ifndef RIDE_MODELS_ROWS_H
#define RIDE_MODELS_ROWS_H
#include "models/ensemble.h"
#include "ride/backend.h"

/* Immutable after create: any number of threads, each with scratch of its own. */
typedef struct ride_model_rows ride_model_rows;

/* Column i of the matrix is input i of the model, which is not kept; the backend's table and its device are. The caller owns *out. Any thread. */
ride_status ride_model_rows_create(const ride_ensemble *model, const ride_backend_ops *ops, ride_device *device,
                                   ride_model_rows **out, ride_diagnostics *findings);
/* The same, and the model's nodes go before the backend gets its copy (ride_ensemble_drop_nodes). */
ride_status ride_model_rows_create_last(ride_ensemble *model, const ride_backend_ops *ops, ride_device *device,
                                        ride_model_rows **out, ride_diagnostics *findings);
void ride_model_rows_destroy(ride_model_rows *scorer); /* NULL is fine */
const ride_rows_shape *ride_model_rows_shape(const ride_model_rows *scorer);

/* Scratch for one thread, which is freed with free(); NULL when memory is out. */
void *ride_model_rows_scratch(const ride_model_rows *scorer);

/* What explains it, made at the first call, which takes a while; any thread. RIDE_E_UNSUPPORTED and why when it cannot be. *scratch_bytes: of
 * ride_model_rows_explain. */
ride_status ride_model_rows_explainer(ride_model_rows *scorer, const ride_explainer **out, uint64_t *scratch_bytes,
                                      ride_error *err);
/* One of the caller's own, with options (NULL: the defaults), which goes before the scorer. */
ride_status ride_model_rows_explainer_create(const ride_model_rows *scorer, const ride_explainer_options *options,
                                             ride_explainer **out, uint64_t *scratch_bytes, ride_error *err);
void ride_model_rows_explainer_destroy(const ride_model_rows *scorer, ride_explainer *explainer); /* NULL is fine */
/* As ride_backend_ops.rows_explain. Allocates nothing. */
ride_status ride_model_rows_explain(const ride_model_rows *scorer, const ride_explainer *explainer,
                                    const ride_rows *rows, void *scratch);

/* As ride_backend_ops.program_tell; nothing where the backend tells nothing. */
void ride_model_rows_tell(const ride_model_rows *scorer, ride_part_fn part, void *context);

/* As ride_backend_ops.rows_score. Allocates nothing. */
ride_status ride_model_rows_score(const ride_model_rows *scorer, const ride_rows *rows, void *scratch);

#endif
