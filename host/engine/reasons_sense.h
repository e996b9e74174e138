/* engine/reasons_sense.h: does a row's answer rise or fall as its margin rises? An isolation forest's falls (a long path is an ordinary row), and so it is behind
 * a calibration that falls. Reasons are told of the answer, so shares of a margin are turned by this. Private to host/engine. */
#ifndef RIDE_ENGINE_REASONS_SENSE_H
#define RIDE_ENGINE_REASONS_SENSE_H
#include "kernels/layout/ensemble.h"

typedef struct reasons_sense {
    ride_ensemble_view view; /* header NULL: one plain forest */
    double *factors;         /* of each member where the margin is its own; else of all rows */
} reasons_sense;

/* Of the model of a bundle, which is borrowed and must outlive *out. RIDE_E_UNSUPPORTED: a calibration goes both ways, or gives one answer to every row; err
 * says whose. Close it in either case. */
ride_status reasons_sense_open(const ride_bundle *bundle, reasons_sense *out, ride_error *err);
void reasons_sense_close(reasons_sense *sense);

/* What the shares of a row's margin are multiplied by, so that those above 0 raise the answer: 1 or -1; of isolation forests -1 divided by what turns their sum into
 * the mean path length. x: the row as the explainer has it. */
double reasons_sense_of_row(const reasons_sense *sense, const double *x);

#endif
