/* base/status.h: the one list of outcomes. Every fallible function returns a ride_status.
 *
 * X(NAME, text, retryable, exit_code): `text` is what a person reads, `retryable` says whether the same
 * call may succeed later without anybody changing anything, `exit_code` is what the `ride` program exits
 * with when this status ends it (sysexits.h numbers; 0 means that it does not end the program). */
#ifndef RIDE_BASE_STATUS_H
#define RIDE_BASE_STATUS_H
#include <stdbool.h>

#define RIDE_STATUS_LIST(X)                                                                                            \
    X(OK, "ok", false, 0)                                                                                              \
    X(END, "end of input", false, 0)                                                                                   \
    X(PENDING, "not finished yet", true, 75)                                                                           \
    X(FULL, "no room now", true, 75)                                                                                   \
    X(INTERRUPTED, "interrupted", false, 0)                                                                            \
    X(E_USAGE, "wrong use of the command", false, 64)                                                                  \
    X(E_DATA, "bad data", false, 65)                                                                                   \
    X(E_MODEL, "bad model", false, 65)                                                                                 \
    X(E_NO_INPUT, "no such input", false, 66)                                                                          \
    X(E_UNAVAILABLE, "service not available", true, 69)                                                                \
    X(E_INTERNAL, "internal error", false, 70)                                                                         \
    X(E_MEMORY, "out of memory", false, 71)                                                                            \
    X(E_IO, "input/output error", false, 74)                                                                           \
    X(E_DEVICE_LOST, "device lost", true, 75)                                                                          \
    X(E_CONFIG, "bad configuration", false, 78)                                                                        \
    X(E_SPEC, "bad feature spec", false, 78)                                                                           \
    X(E_UNSUPPORTED, "not supported", false, 78)                                                                       \
    X(E_CORRUPT, "corrupt file", false, 65)                                                                            \
    X(E_VERSION, "wrong version", false, 65)

typedef enum ride_status {
#define RIDE_STATUS_ENUM(name, text, retryable, exit_code) RIDE_##name,
    RIDE_STATUS_LIST(RIDE_STATUS_ENUM)
#undef RIDE_STATUS_ENUM
        RIDE_STATUS_COUNT
} ride_status;

#ifdef __cplusplus
extern "C" {
#endif

/* All four accept any value; an unknown one gives "unknown status", false and 70. Any thread. */
const char *ride_status_name(ride_status status); /* "E_DATA" */
const char *ride_status_text(ride_status status); /* "bad data" */
bool ride_status_retryable(ride_status status);
int ride_status_exit_code(ride_status status);

#ifdef __cplusplus
}
#endif

/* Return early, or jump to the unwinding label, when a call fails. `st` must be a ride_status in scope. */
#define RIDE_TRY(call)                                                                                                 \
    do {                                                                                                               \
        ride_status ride_try_status_ = (call);                                                                         \
        if (ride_try_status_ != RIDE_OK) return ride_try_status_;                                                      \
    } while (0)
#define RIDE_TRY_GOTO(st, call, label)                                                                                 \
    do {                                                                                                               \
        (st) = (call);                                                                                                 \
        if ((st) != RIDE_OK) goto label;                                                                               \
    } while (0)

#endif
