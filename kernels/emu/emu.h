/* kernels/emu/emu.h: how tests steer the emulator and ask it what happened. A plugin exports these names, so a test may find them
 * with dlsym. Any thread. The environment sets the same things for whole programs: see README.md. */
#ifndef RIDE_KERNELS_EMU_EMU_H
#define RIDE_KERNELS_EMU_EMU_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#define RIDE_EMU_API __attribute__((visibility("default")))

/* In which order threads, blocks and streams run, and with what unwritten memory is filled: "forward", "backward" or "random",
 * each with an optional ":SEED". For what is launched from now on. Returns 0, or -1 when the text is none of these. */
RIDE_EMU_API int ride_emu_order(const char *order);

/* The n-th call of the runtime from now on (1 = the next) fails; 0: none. sticky: as if a kernel had failed: its device stays dead. */
RIDE_EMU_API void ride_emu_fail_at(uint64_t n, int sticky);
/* Calls that could have failed, since the last ride_emu_fail_at. Repeat with n = 1 to this, and each has failed once. */
RIDE_EMU_API uint64_t ride_emu_calls(void);
/* The name of the call that was made to fail last; "" when none was. */
RIDE_EMU_API const char *ride_emu_failed_call(void);

/* What is not given back yet, over all devices. */
typedef struct ride_emu_held {
    uint64_t device_bytes, device_buffers;
    uint64_t host_bytes, host_buffers; /* pinned */
    uint64_t streams, events;
} ride_emu_held;
RIDE_EMU_API void ride_emu_get_held(ride_emu_held *out);

/* What the emulator found wrong with a kernel last (also printed to stderr); "" when nothing. Valid until the next finding. */
RIDE_EMU_API const char *ride_emu_finding(void);

/* Every device works again, findings are forgotten, the calling thread's last error too. What is held stays held. */
RIDE_EMU_API void ride_emu_revive(void);

#ifdef __cplusplus
}
#endif
#endif
