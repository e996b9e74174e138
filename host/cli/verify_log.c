/* cli/verify_log.c: `ride verify --config`: what a person is told of it. */
#include "cli/verify_log.h"
#include "base/clock.h"
#include "cli/config_read.h"
#include "cli/run_report.h"
#include "engine/replay_config.h"
#include "engine/service_config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STEP_EVERY_NS = 200000000 };

/* ---- the line of progress ---- */

static void step(void *context, const char *what, uint64_t n, double done) {
    static uint64_t last_ns;
    char number[CLI_NUMBER_BYTES], share[16] = "";
    (void)context;
    const uint64_t now_ns = ride_clock_now_ns(ride_clock_real());
    if (now_ns - last_ns < STEP_EVERY_NS) return;
    last_ns = now_ns;
    if (done >= 0) snprintf(share, sizeof share, "%3.0f %%  ", done * 100);
    fprintf(stderr, "\r\033[K%s%s %s", share, cli_grouped(n, number), what);
}

cli_step_fn cli_step(void) { return isatty(STDERR_FILENO) ? step : NULL; }
void cli_step_end(void) {
    if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
}

/* ---- findings ---- */

typedef struct telling {
    uint32_t told, first;
    const char *results_topic;
} telling;

static const char *const words[RIDE_VERIFY_KINDS] = {"differs", "a copy differs", "missing", "invented", "other model"};

/* A key of a card is not shown. */
static bool is_secret(const char *field) { return strcmp(field, "key") == 0 || strncmp(field, "key_", 4) == 0; }

static void tell(void *context, const ride_verify_finding *f) {
    telling *t = context;
    if (t->told == t->first) return;
    t->told++;
    cli_step_end();
    printf("%-14s ", words[f->kind]);
    if (f->topic != NULL) printf("%s/%d/%" PRId64, f->topic, (int)f->partition, f->offset);
    else fputs("a result that does not say of which message it is", stdout);
    if (f->result_partition >= 0)
        printf(", result at %s/%d/%" PRId64, t->results_topic, (int)f->result_partition, f->result_offset);
    if (f->kind == RIDE_VERIFY_DIFFERS || f->kind == RIDE_VERIFY_OTHER_MODEL || f->kind == RIDE_VERIFY_COPY_DIFFERS) {
        const char *other = f->kind == RIDE_VERIFY_COPY_DIFFERS ? "the first copy has" : "computed";
        printf(": %s", f->diff.field);
        if (!is_secret(f->diff.field)) printf(" is `%s`, %s `%s`", f->diff.a, other, f->diff.b);
    }
    fputs("\n", stdout);
    if (t->told == t->first) fputs("more findings are counted only: --first N\n", stdout);
}

static void count(const char *what, uint64_t n, const char *more) {
    char number[CLI_NUMBER_BYTES];
    printf("%-14s %13s%s%s\n", what, cli_grouped(n, number), more[0] != '\0' ? "  " : "", more);
}

static void count_if(const char *what, uint64_t n, const char *more) {
    if (n > 0) count(what, n, more);
}

static void report_streams(const ride_verify_report *r) {
    for (uint32_t i = 0; i < r->streams_count; i++) {
        const ride_verify_stream *s = &r->streams[i];
        if (s->end == s->first) continue;
        printf("%-14s %s/%d: messages %" PRId64 " to %" PRId64, "from the log", s->topic, (int)s->partition, s->first,
               s->end - 1);
        if (s->log_begin > s->first) printf("; the log begins at %" PRId64, s->log_begin);
        if (s->exact_from >= s->end) fputs("; no result can be exact: what its windows had is gone", stdout);
        else if (s->exact_from > s->first) printf("; results are exact from %" PRId64, s->exact_from);
        if (!s->has_committed)
            printf("; the group has committed nothing: results are owed up to %" PRId64, s->owed_end);
        fputs("\n", stdout);
    }
}

static void report(const ride_verify_report *r, const char *backend, const char *journal) {
    char a[CLI_NUMBER_BYTES], b[CLI_NUMBER_BYTES], c[CLI_NUMBER_BYTES];
    printf("%-14s %s: %s runs\n", "journal", journal, cli_grouped(r->runs, a));
    report_streams(r);
    printf("%-14s %s, %s of them repeats, %s newer than this verification\n", "results", cli_grouped(r->results, a),
           cli_grouped(r->copies, b), cli_grouped(r->later, c));
    if (r->is_cut) printf("%-14s the results topic has forgotten its begin\n", "");
    printf("%-14s %s events by `%s` in %.1f s\n", "computed", cli_grouped(r->events, a), backend, r->seconds);
    count("equal", r->equal, "byte for byte: key, headers and value");
    count_if("differing", r->found[RIDE_VERIFY_DIFFERS], "");
    count_if("copies differ", r->found[RIDE_VERIFY_COPY_DIFFERS], "repeats that are not equal to the first");
    count_if("missing", r->found[RIDE_VERIFY_MISSING], "their messages are committed");
    count_if("invented", r->found[RIDE_VERIFY_INVENTED], "of messages that were not met or give no result");
    count_if("other model", r->found[RIDE_VERIFY_OTHER_MODEL],
             "made by another model file: name it with --set model.path=FILE");
    count_if("on the way", r->on_the_way, "not committed when this began, and no result yet");
    count_if("not judged", r->unjudged, "the log has forgotten what their windows may have had");
    count_if("aged out", r->aged_out, "no result, but the results topic has forgotten its begin");
    count_if("requests", r->requests, "of the journal, in no log: windows that had them are not what they were");
    count_if("changed", r->changed, "runs whose messages are not what the journal says: log or journal was changed");
}

static int run(const ride_config *config, const cli_verify_asked *asked) {
    static ride_waker waker;
    static ride_diagnostics findings;
    ride_input_option inputs[RIDE_SOURCES_MAX];
    ride_run_options options;
    ride_verify_report result;
    static char path[RIDE_SERVICE_PATH_BYTES];
    ride_error err = {.status = RIDE_OK};
    telling t = {.first = asked->first, .results_topic = config->decisions.topic};
    ride_verify_options verify = {.context = &t, .tell = tell, .progress = cli_step()};
    cli_config_run(config, inputs, &options);
    options.backend = asked->backend;
    options.backend_path = asked->backend_path;
    options.backend_memory = 0;
    options.shards = 0;
    if (ride_waker_open(&waker, &err) != RIDE_OK) return cli_failed("verify", &err);
    cli_signals_wake(&waker);
    ride_diagnostics_init(&findings);
    const char *journal = asked->journal != NULL && asked->journal[0] != '\0' ? asked->journal : NULL;
    ride_status st = ride_verify_config(config, &options, journal, &waker, &verify, &result, &findings, &err);
    cli_signals_wake(NULL);
    ride_waker_close(&waker);
    cli_step_end();
    int code = 0;
    if (findings.count > 0) code = cli_findings(&findings);
    else if (st == RIDE_INTERRUPTED) {
        fputs("ride verify: interrupted\n", stderr);
        code = 128 + SIGINT;
    } else if (st != RIDE_OK) code = cli_failed("verify", &err);
    else {
        report(&result, asked->backend, journal != NULL ? journal : ride_service_journal(config, path));
        if (!ride_verify_is_clean(&result)) code = ride_status_exit_code(RIDE_E_DATA);
        else if (result.computed == 0) code = ride_status_exit_code(RIDE_E_NO_INPUT);
        const int written = cli_print("");
        if (written != 0) code = written;
    }
    ride_verify_report_free(&result);
    return code;
}

int cli_verify_log(const cli_verify_asked *asked) {
    ride_config *config = NULL;
    int code = cli_config_read(asked->config_path, asked->sets, &config);
    if (code != 0) return code;
    ride_log_setup(&(ride_log_options){.level_min = RIDE_LOG_ERROR, .format = config->log_format, .fd = STDERR_FILENO});
    code = run(config, asked);
    ride_config_destroy(config);
    return code;
}
