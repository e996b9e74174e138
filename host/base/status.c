/* base/status.c: texts of the status list. */
#include "base/status.h"

static const struct {
    const char *name, *text;
    bool retryable;
    int exit_code;
} list[] = {
#define RIDE_STATUS_ROW(name, text, retryable, exit_code) {#name, text, retryable, exit_code},
    RIDE_STATUS_LIST(RIDE_STATUS_ROW)
#undef RIDE_STATUS_ROW
};

static bool known(ride_status status) { return (unsigned)status < RIDE_STATUS_COUNT; }

const char *ride_status_name(ride_status status) { return known(status) ? list[status].name : "UNKNOWN"; }
const char *ride_status_text(ride_status status) { return known(status) ? list[status].text : "unknown status"; }
bool ride_status_retryable(ride_status status) { return known(status) && list[status].retryable; }
int ride_status_exit_code(ride_status status) { return known(status) ? list[status].exit_code : 70; }
