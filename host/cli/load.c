/* cli/load.c: see load.h. */
#include "cli/load.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND_NS UINT64_C(1000000000)
enum { LINE_EVERY_NS = 200000000, LOG_EVERY_S = 5 };

ride_model_options cli_load;

bool cli_load_bytes(const char *text, void *out) {
    static const struct {
        const char *name;
        unsigned shift;
    } units[] = {{"", 0}, {"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
    const size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 18) return false;
    const uint64_t value = strtoull(text, NULL, 10);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(text + digits, units[i].name) != 0) continue;
        *(uint64_t *)out = value << units[i].shift;
        return value > 0 && value <= (UINT64_C(1) << 36) >> units[i].shift;
    }
    return false;
}

static void tell(void *context, const char *what, uint64_t done, uint64_t total) {
    static uint64_t begin_ns, last_ns;
    static bool is_shown;
    const bool terminal = isatty(STDERR_FILENO);
    (void)context;
    if (what == NULL) {
        if (is_shown) fputs("\r\033[K", stderr);
        begin_ns = 0;
        is_shown = false;
        return;
    }
    const uint64_t now_ns = ride_clock_now_ns(ride_clock_real());
    if (begin_ns == 0) begin_ns = last_ns = now_ns;
    if (now_ns - last_ns < (terminal ? LINE_EVERY_NS : LOG_EVERY_S * SECOND_NS)) return;
    last_ns = now_ns;
    const double share = total > 0 ? 100.0 * (double)done / (double)total : 0.0;
    const double seconds = (double)(now_ns - begin_ns) / 1e9;
    if (terminal) fprintf(stderr, "\r\033[Kloading the model: %s %3.0f %%, %.0f s", what, share, seconds);
    else
        ride_log_info("loading the model", ride_log_text("step", what), ride_log_f64("percent", share),
                      ride_log_f64("seconds", seconds));
    is_shown |= terminal;
}

const ride_load_watch *cli_load_watch(void) {
    static const ride_load_watch watch = {tell, NULL};
    return &watch;
}
