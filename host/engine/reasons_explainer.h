/* engine/reasons_explainer.h: what explains the model of a compiled bundle, and where its inputs are in the vector. Private to host/engine. */
#ifndef RIDE_ENGINE_REASONS_EXPLAINER_H
#define RIDE_ENGINE_REASONS_EXPLAINER_H
#include "engine/reasons_sense.h"
#include "features/reasons.h"
#include "ride/backend.h"

typedef struct reasons_explainer {
    const ride_backend_ops *ops;
    ride_program_dev *program; /* its own; NULL: the caller's */
    ride_explainer *explainer; /* immutable: any thread */
    uint64_t scratch_bytes;    /* of one thread */
    uint32_t inputs_count;     /* columns of its rows */
    uint32_t *entries;         /* [inputs_count] the vector's entry that each is */
    double row_us;             /* one row, measured: of the background, or made for it; 0 = there was no memory to */
    reasons_sense sense;       /* which way the answer goes; of such rows */
} reasons_explainer;

/* By the backend of a program made from the bundle; by this process's cpu backend where ops is NULL or cannot. Takes a while. Close it in either case.
 * RIDE_E_UNSUPPORTED: the model cannot be explained, err says why; RIDE_E_NO_INPUT, RIDE_E_IO, RIDE_E_DATA: the background. */
ride_status reasons_explainer_open(const ride_reasons_options *options, const ride_spec *spec,
                                   const ride_bundle *bundle, const ride_backend_ops *ops,
                                   const ride_program_dev *program, reasons_explainer *out, ride_error *err);
void reasons_explainer_close(reasons_explainer *explainer);

#endif
