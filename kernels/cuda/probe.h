/* cuda/probe.h: whether this machine can run the plugin, on which devices, and if not, why not.
 *
 * The machine is looked at once per process; what was found then is what every call answers. Any thread. Nothing here makes a
 * context on a device or loads a library other than the driver, but ride_cuda_describe. */
#ifndef RIDE_CUDA_PROBE_H
#define RIDE_CUDA_PROBE_H
#include "base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* RIDE_OK when there is a device that this plugin has code for; RIDE_E_UNAVAILABLE with a reason and an advice otherwise: no driver,
 * an old one, a stub, no device, none that is new enough … each has its own words. */
ride_status ride_cuda_probe(ride_error *err);
/* Usable devices: those that this plugin has code for. 0 where probe fails. */
uint32_t ride_cuda_device_count(void);
/* A usable device's number in CUDA's own counting, its name and its compute capability (90 = 9.0). */
int ride_cuda_device_ordinal(uint32_t device_index);
const char *ride_cuda_device_name(uint32_t device_index);
int ride_cuda_device_capability(uint32_t device_index);
/* The table's `describe`: versions, every device, and, where a device was found, the optional libraries (which are loaded for
 * that: a tenth of a second and 150 MB). */
void ride_cuda_describe(void (*line)(void *context, const char *text), void *context);

#ifdef __cplusplus
}
#endif
#endif
