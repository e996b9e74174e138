/* kernels/layout/check.h: is this plan safe to read? Used by ride_bundle_open only. */
#ifndef RIDE_KERNELS_LAYOUT_CHECK_H
#define RIDE_KERNELS_LAYOUT_CHECK_H
#include "kernels/layout/bundle.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Checks every count of the plan against its section's size and every index against what it points into, so that a
 * reader of the plan needs no bounds checks. bundle->sections and ->plan are set; the sections lie inside the image.
 * Returns RIDE_E_CORRUPT or RIDE_E_VERSION with the first thing wrong. */
ride_status ride_plan_check(const ride_bundle *bundle, ride_error *err);

#ifdef __cplusplus
}
#endif

#endif
