/* cuda/entry.cu: the plugin's one exported symbol, with a table that finds devices and opens none: the kernels follow. */
#include "kernels/cuda/probe.h"
#include "ride/backend.h"

#include <string.h>

static ride_status not_yet(ride_error *err) {
    return ride_fail(err, RIDE_E_UNSUPPORTED, "this plugin has no kernels yet");
}
static ride_status device_props(uint32_t i, ride_device_props *, ride_error *e) { return (void)i, not_yet(e); }
static ride_status device_open(uint32_t, ride_device **, ride_error *err) { return not_yet(err); }
static void device_close(ride_device *) {}
static ride_status queue_create(ride_device *, uint32_t, ride_queue **, ride_error *err) { return not_yet(err); }
static void queue_destroy(ride_queue *) {}
static ride_status buffer_alloc(ride_device *, ride_buffer_kind, uint64_t, void **, ride_error *e) {
    return not_yet(e);
}
static void buffer_free(ride_device *, ride_buffer_kind, void *) {}
static ride_status supports(const ride_bundle *, ride_error *err) { return not_yet(err); }
static ride_status upload(ride_device *, const ride_bundle *, ride_program_dev **, ride_error *e) { return not_yet(e); }
static void release(ride_program_dev *) {}
static ride_status state_create(ride_device *, const ride_program_dev *, const ride_state_options *, ride_state **,
                                ride_error *err) {
    return not_yet(err);
}
static void state_destroy(ride_state *) {}
static ride_status save(ride_state *, uint32_t, uint32_t, ride_write_fn, void *, ride_error *err) {
    return not_yet(err);
}
static ride_status restore(ride_state *, ride_read_fn, void *, ride_error *err) { return not_yet(err); }
static void state_stats(const ride_state *, ride_state_stats *out) { memset(out, 0, sizeof *out); }
static ride_status submit(ride_queue *, const ride_program_dev *, ride_state *, const ride_work *, ride_ticket *) {
    return RIDE_E_UNSUPPORTED;
}
static ride_status poll(ride_queue *, ride_ticket) { return RIDE_E_UNSUPPORTED; }
static ride_status wait(ride_queue *, ride_ticket, uint64_t) { return RIDE_E_UNSUPPORTED; }
static void queue_stats(const ride_queue *, ride_queue_stats *out) { memset(out, 0, sizeof *out); }

extern "C" __attribute__((visibility("default"))) const ride_backend_ops *
ride_backend_entry(uint32_t abi, const ride_backend_services *, ride_error *err) {
    static ride_backend_ops ops;
    if (abi != RIDE_BACKEND_ABI) {
        ride_fail(err, RIDE_E_VERSION, "this plugin has ABI %d, the program %u", RIDE_BACKEND_ABI, abi);
        return nullptr;
    }
    ops.abi = RIDE_BACKEND_ABI, ops.struct_bytes = sizeof ops, ops.name = "cuda";
    ops.probe = ride_cuda_probe, ops.device_count = ride_cuda_device_count, ops.describe = ride_cuda_describe;
    ops.device_props = device_props, ops.device_open = device_open, ops.device_close = device_close;
    ops.queue_create = queue_create, ops.queue_destroy = queue_destroy;
    ops.buffer_alloc = buffer_alloc, ops.buffer_free = buffer_free;
    ops.program_supports = supports, ops.program_upload = upload, ops.program_release = release;
    ops.state_create = state_create, ops.state_destroy = state_destroy, ops.state_save = save;
    ops.state_restore = restore, ops.state_stats = state_stats;
    ops.submit = submit, ops.poll = poll, ops.wait = wait, ops.queue_stats = queue_stats;
    return &ops;
}
