/* kernels/layout/check.h: is this plan safe to read? And checks that several layouts share. Internal to kernels/layout. */
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

/* A ride_forest_link, its scale, and the number (ride_forest_number) that it is computed in. what: "forest", for the message. */
ride_status ride_forest_link_check(const char *what, uint32_t link, uint32_t number, double scale, ride_error *err);
/* A section must have exactly `count` entries of `entry_bytes`; absent counts as none. */
ride_status ride_section_check(const ride_bundle *bundle, ride_section section, const char *what, uint64_t count,
                               uint64_t entry_bytes, ride_error *err);

#ifdef __cplusplus
}
#endif

#endif
