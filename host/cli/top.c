/* cli/top.c: `ride top`: reads /metrics now and again and shows what happened in between. It holds no state of its own beyond the
 * page before, so that it may be started and stopped beside any service at any time. */
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/top_terminal.h"
#include "cli/top_text.h"
#include "lib/http_get.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char cli_top_help[] =
    "usage: ride top [--admin HOST:PORT] [--interval SECONDS] [--once] [--json]\n"
    "Shows a running service: rates, how events end, decisions, what is dropped, latency per stage, queues, lag and "
    "readiness,\n"
    "from two readings of its /metrics. On a terminal it goes on until q or Ctrl-C; the space bar reads at once. "
    "Otherwise it\n"
    "prints text, reading after reading.\n"
    "  --admin HOST:PORT    the service's admin listener, its admin.listen (default 127.0.0.1:9100)\n"
    "  --interval SECONDS   between two readings, 1 … 3600 (default 2; 1 with --once)\n"
    "  --once               one snapshot over one interval, then exit\n"
    "  --json               one line of JSON for each\n"
    "Exit 0; 69 when nothing answers, 65 when what answers is no RIDE.\n"
    "Examples:\n"
    "  ride top\n"
    "  ride top --admin 10.0.0.7:9100 --once --json | jq .decisions\n";

enum { ANSWER_WITHIN_NS = 3000000000, SECOND_NS = 1000000000 };

static const char *address = "127.0.0.1:9100";
static uint32_t interval;
static bool once, json;
static const cli_option options[] = {
    {"--admin", CLI_TEXT, &address},
    {"--interval", CLI_COUNT, &interval, .max = 3600},
    {"--once", CLI_SWITCH, &once},
    {"--json", CLI_SWITCH, &json},
};
const cli_word cli_top_words[] = {{"", CLI_OPTIONS(options)}, {0}};

typedef struct reading {
    top_page page;
    uint64_t at_ns;
} reading;

static uint64_t now_ns(void) { return ride_clock_now_ns(ride_clock_real()); }

static ride_status read_page(reading *to, ride_error *err) {
    ride_http_answer answer = {0};
    to->at_ns = now_ns();
    ride_status st = ride_http_get(address, "/metrics", ANSWER_WITHIN_NS, &answer, err);
    if (st != RIDE_OK) {
        if (st == RIDE_E_UNAVAILABLE) ride_error_advice(err, "is `ride run` up, with this as its admin.listen?");
        return st;
    }
    top_page_read(answer.body, &to->page);
    free(answer.body);
    if (answer.code != 200) {
        st = ride_fail(err, RIDE_E_DATA, "%s answers /metrics with HTTP %d", address, answer.code);
        ride_error_advice(err, "name the admin listener with --admin");
    } else if (to->page.families_count == 0) {
        st = ride_fail(err, RIDE_E_DATA, "%s has metrics, but none of RIDE's", address);
        ride_error_advice(err, "name the admin listener with --admin");
    }
    return st;
}

static void sleep_until(uint64_t until_ns) {
    const ride_clock *clock = ride_clock_real();
    while (!*cli_stop() && now_ns() < until_ns) { /* a signal ends it within a tenth of a second */
        uint64_t step = now_ns() + SECOND_NS / 10;
        ride_clock_sleep_until_ns(clock, step < until_ns ? step : until_ns);
    }
}

static top_view view_of(const reading *before, const reading *after) {
    double seconds = (double)(after->at_ns - before->at_ns) / 1e9;
    return (top_view){.before = &before->page,
                      .after = &after->page,
                      .seconds = seconds > 0 ? seconds : 1,
                      .address = address,
                      .now = (double)ride_clock_wall_us(ride_clock_real()) / 1e6,
                      .columns = UINT32_MAX};
}

static int print_view(const reading *before, const reading *after) {
    static char text[TOP_TEXT_BYTES];
    top_view view = view_of(before, after);
    if (json) {
        top_json(&view, stdout);
    } else {
        fwrite(text, 1, top_text(&view, "\n", text), stdout);
        if (!once) fputs("\n", stdout);
    }
    return cli_print(""); /* told when the pipe is closed */
}

static reading readings[2];

/* Text or JSON, reading after reading. */
static int print_all(uint64_t every_ns) {
    ride_error err = {.status = RIDE_OK};
    if (read_page(&readings[0], &err) != RIDE_OK) return cli_failed("top", &err);
    for (int newest = 1;; newest = 1 - newest) {
        sleep_until(readings[1 - newest].at_ns + every_ns);
        if (*cli_stop()) return 0;
        if (read_page(&readings[newest], &err) != RIDE_OK) return cli_failed("top", &err);
        int code = print_view(&readings[1 - newest], &readings[newest]);
        if (code != 0 || once) return code;
    }
}

static void draw(const reading *before, const reading *after, bool colour, const char *trouble) {
    static char text[TOP_TEXT_BYTES];
    top_view view = view_of(before, after);
    top_terminal_size(&view.lines, &view.columns);
    view.colour = colour;
    view.trouble = trouble;
    top_terminal_show(text, top_text(&view, TOP_LINE_END, text));
}

/* Until q, Ctrl-C or a signal. A service that goes away is waited for: what was seen last stays, with the reason. */
static int live(uint64_t every_ns) {
    ride_error err = {.status = RIDE_OK};
    const char *no_color = getenv("NO_COLOR");
    bool colour = no_color == NULL || no_color[0] == '\0';
    int newest = 0;
    if (read_page(&readings[0], &err) != RIDE_OK) return cli_failed("top", &err);
    readings[1] = readings[0];
    if (top_terminal_enter(&err) != RIDE_OK) return cli_failed("top", &err);
    const char *trouble = "reading …";
    uint64_t next_ns = readings[0].at_ns + SECOND_NS;
    while (!*cli_stop()) {
        draw(&readings[1 - newest], &readings[newest], colour, trouble);
        uint64_t now = now_ns();
        int key = now < next_ns ? top_terminal_key(next_ns - now) : 0;
        if (key == 'q' || key == 'Q' || key == 3) break;
        if (key != 0 && key != ' ') continue;
        trouble = NULL;
        if (read_page(&readings[1 - newest], &err) == RIDE_OK) newest = 1 - newest;
        else {
            trouble = err.what;
            readings[1 - newest] = readings[newest]; /* it was written over */
        }
        next_ns = now_ns() + every_ns;
    }
    top_terminal_leave();
    return 0;
}

int cli_top(int argc, char **argv) {
    int wrong = cli_word_read("top", &cli_top_words[0], argc, argv);
    if (wrong != 0) return wrong;
    uint64_t every_ns = (uint64_t)(interval > 0 ? interval : once ? 1 : 2) * SECOND_NS;
    if (once || json || !isatty(STDOUT_FILENO)) return print_all(every_ns);
    return live(every_ns);
}
