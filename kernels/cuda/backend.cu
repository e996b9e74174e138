/* kernels/cuda/backend.cu: the table. */
#include "kernels/cuda/device.h"
#include "kernels/cuda/probe.h"

const ride_backend_services *ride_cuda_services;

static ride_backend_ops table_make(void) {
    ride_backend_ops ops = {};
    ops.abi = RIDE_BACKEND_ABI;
    ops.struct_bytes = sizeof ops;
    ops.name = "cuda";
    ops.probe = ride_cuda_probe;
    ops.device_count = ride_cuda_device_count;
    ops.describe = ride_cuda_describe;
    ops.device_props = ride_cuda_device_props;
    ops.device_open = ride_cuda_device_open;
    ops.device_close = ride_cuda_device_close;
    ops.queue_create = ride_cuda_queue_create;
    ops.queue_destroy = ride_cuda_queue_destroy;
    ops.buffer_alloc = ride_cuda_buffer_alloc;
    ops.buffer_free = ride_cuda_buffer_free;
    ops.program_supports = ride_cuda_program_supports;
    ops.program_upload = ride_cuda_program_upload;
    ops.program_release = ride_cuda_program_release;
    ops.state_create = ride_cuda_state_create;
    ops.state_destroy = ride_cuda_state_destroy;
    ops.state_save = ride_cuda_state_save;
    ops.state_restore = ride_cuda_state_restore;
    ops.state_stats = ride_cuda_state_stats;
    ops.counts_create = ride_cuda_counts_create;
    ops.counts_destroy = ride_cuda_counts_destroy;
    ops.counts_take = ride_cuda_counts_take;
    ops.submit = ride_cuda_submit;
    ops.poll = ride_cuda_poll;
    ops.wait = ride_cuda_wait;
    ops.queue_stats = ride_cuda_queue_stats;
    return ops;
}

extern "C" __attribute__((visibility("default"))) const ride_backend_ops *
ride_backend_entry(uint32_t abi, const ride_backend_services *services, ride_error *err) {
    if (abi != RIDE_BACKEND_ABI || services->struct_bytes < sizeof *services) {
        ride_fail(err, RIDE_E_VERSION, "the cuda backend speaks ABI %d, the host asks for %u", RIDE_BACKEND_ABI, abi);
        return NULL;
    }
    static const ride_backend_ops ops = table_make(); /* once, whichever thread is first */
    ride_cuda_services = services;
    return &ops;
}
