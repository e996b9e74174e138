/* cli/run_report.c: see run_report.h. */
#include "cli/run_report.h"

#include "base/clock.h"
#include "engine/drift.h"
#include "features/duration.h"
#include "io/time_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NUMBER_TEXT = CLI_NUMBER_BYTES, PROGRESS_EVERY_NS = 200000000 };

const char *cli_grouped(uint64_t value, char *text) {
    char digits[NUMBER_TEXT];
    int count = snprintf(digits, sizeof digits, "%" PRIu64, value), at = 0;
    for (int i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0) text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

/* "850 us", "1.25 ms", "2.1 s" */
static const char *duration(double ns, char *text) {
    if (ns < 1e6) snprintf(text, NUMBER_TEXT, "%.0f us", ns / 1e3);
    else if (ns < 1e9) snprintf(text, NUMBER_TEXT, "%.2f ms", ns / 1e6);
    else snprintf(text, NUMBER_TEXT, "%.2f s", ns / 1e9);
    return text;
}

static double quantile(const ride_run_summary *s, double q) { return (double)ride_histogram_quantile(&s->batch_ns, q); }

void cli_progress(void *context, const ride_run_summary *s) {
    static uint64_t last_ns, start_ns, start_done;
    char events[NUMBER_TEXT], rate[NUMBER_TEXT], p50[NUMBER_TEXT], p99[NUMBER_TEXT], share[64] = "";
    (void)context;
    uint64_t now_ns = ride_clock_now_ns(ride_clock_real());
    if (start_ns == 0) start_ns = last_ns = now_ns, start_done = s->bytes_done;
    if (now_ns - last_ns < PROGRESS_EVERY_NS) return;
    last_ns = now_ns;
    double seconds = (double)(now_ns - start_ns) / 1e9;
    if (s->bytes_total > 0) {
        double done = (double)s->bytes_done / (double)s->bytes_total;
        double speed = seconds > 0 ? (double)(s->bytes_done - start_done) / seconds : 0;
        int used = snprintf(share, sizeof share, "%3.0f %%  ", done < 1 ? done * 100 : 100.0);
        if (speed > 0 && used > 0)
            snprintf(share + used, sizeof share - (size_t)used, "ETA %.0f s  ",
                     (double)(s->bytes_total - s->bytes_done) / speed);
    }
    uint64_t count = s->received - s->resumed_events;
    fprintf(stderr, "\r\033[K%s%s events  %s/s  batch p50 %s p99 %s", share, cli_grouped(s->received, events),
            cli_grouped(seconds > 0 ? (uint64_t)((double)count / seconds) : 0, rate), duration(quantile(s, 0.5), p50),
            duration(quantile(s, 0.99), p99));
}

void cli_progress_end(void) { fputs("\r\033[K", stderr); }

void cli_features_report(const ride_run_summary *s, bool interrupted) {
    double us = (double)s->elapsed_ns / 1e3;
    fprintf(stderr,
            "%s%" PRIu64 " events (%" PRIu64 " late, %" PRIu64 " of them too late), %" PRIu64 " rejected, %" PRIu64
            " duplicates, %" PRIu64 " labels (%" PRIu64 " without their event, %" PRIu64
            " rejected) in %.2f s: %.2f M events/s\n",
            interrupted ? "interrupted: " : "", s->accepted, s->late, s->too_late, s->rejected, s->duplicates,
            s->labels, s->labels_unknown, s->labels_rejected, us / 1e6, us > 0 ? (double)s->accepted / us : 0.0);
}

/* A stranger's text must not move the cursor. */
static const char *plain(const char *text, char *out) {
    size_t i = 0;
    for (; i < RIDE_NAME_BYTES - 1 && text[i] != '\0'; i++)
        out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
    out[i] = '\0';
    return out;
}

static void print_alert(const ride_run_summary *s, const ride_alert *a, const ride_summary_facts *facts) {
    char when[RIDE_TIME_BYTES + 1], probability[NUMBER_TEXT] = "-", id[RIDE_NAME_BYTES], key[RIDE_NAME_BYTES],
                                    rule[RIDE_NAME_BYTES];
    when[ride_time_to_iso8601(a->time_us, when)] = '\0';
    when[when[0] != '\0' && strlen(when) > 19 ? 19 : strlen(when)] = '\0';
    if (!isnan(a->probability)) snprintf(probability, sizeof probability, "%.4f", a->probability);
    fprintf(stderr, "  %-11s %-8s %-18s %-12s %-14s %s  ", probability, ride_decision_text(a->decision),
            plain(a->rule < facts->rules_count ? facts->rule_ids[a->rule] : "", rule), plain(a->event_id, id),
            plain(a->key, key), when);
    for (uint32_t k = 0; k < a->reasons_count && k < 3; k++) {
        const uint32_t v = a->reasons[k].vector_index;
        fprintf(stderr, "%s%s %+.3g", k > 0 ? ", " : "",
                s->reason_texts != NULL ? s->reason_texts[v] : s->vector_names[v], a->reasons[k].share);
    }
    for (uint32_t f = 0; f < a->features_count && f < 3 && !s->has_reasons; f++)
        fprintf(stderr, "%s%s %.4g", f > 0 ? ", " : "", s->vector_names[a->features[f].vector_index],
                a->features[f].value);
    fputc('\n', stderr);
}

/* Since when the column has been over the alert without a break. */
static int64_t alert_since(const ride_run_drift *r, uint32_t column, int32_t newest) {
    int64_t since_us = r->intervals[newest].from_us;
    for (int32_t i = newest; i >= 0 && ride_drift_is_alert(r, &r->intervals[i].columns[column]);
         i = ride_drift_newest(r, (uint32_t)i, column))
        since_us = r->intervals[i].from_us;
    return since_us;
}

/* The columns that are over the alert in their newest interval, the most drifted first. */
static void print_drift(const ride_run_drift *r) {
    enum { SHOWN = 8 };
    struct {
        uint32_t column;
        int32_t newest;
        double psi;
    } shown[SHOWN + 1];
    uint32_t count = 0, all = 0;
    char interval[NUMBER_TEXT], a[NUMBER_TEXT], b[NUMBER_TEXT];
    for (uint32_t c = 0; c < r->columns_count; c++) {
        const int32_t newest = ride_drift_newest(r, r->intervals_count, c);
        if (newest < 0 || !ride_drift_is_alert(r, &r->intervals[newest].columns[c])) continue;
        const double psi = r->intervals[newest].columns[c].psi;
        uint32_t at = count;
        for (; at > 0 && psi > shown[at - 1].psi; at--) shown[at] = shown[at - 1];
        shown[at].column = c;
        shown[at].newest = newest;
        shown[at].psi = psi;
        if (count < SHOWN) count++;
        all++;
    }
    fprintf(stderr, "  drift      %s intervals of %s against %s rows; psi >= %.4g at the end: %u of %u columns\n",
            cli_grouped(r->intervals_count, a), ride_duration_text(r->interval_us, interval, sizeof interval),
            cli_grouped(r->profile.header->rows_count, b), r->psi_alert, all, r->columns_count);
    for (uint32_t i = 0; i < count; i++) {
        char since[RIDE_TIME_BYTES + 1];
        since[ride_time_to_iso8601(alert_since(r, shown[i].column, shown[i].newest), since)] = '\0';
        fprintf(stderr, "             %-28s psi %8.3f  since %s\n", r->names[shown[i].column], shown[i].psi, since);
    }
    if (all > count) fprintf(stderr, "             and %u more\n", all - count);
}

void cli_run_report(const ride_run_summary *s, const ride_summary_facts *facts) {
    char a[NUMBER_TEXT], b[NUMBER_TEXT], c[NUMBER_TEXT], d[NUMBER_TEXT], e[NUMBER_TEXT];
    double seconds = (double)(s->elapsed_ns - s->setup_ns) / 1e9;
    uint64_t events = s->received - s->resumed_events;
    fprintf(stderr, "%s%s events in %.2f s (start %.2f s): %s events/s, %u features each, backend %s\n",
            facts->interrupted ? "interrupted: " : "", cli_grouped(events, a), seconds, (double)s->setup_ns / 1e9,
            cli_grouped(seconds > 0 ? (uint64_t)((double)events / seconds) : 0, b), s->features_count, s->backend);
    if (s->resumed_events > 0)
        fprintf(stderr, "  resumed    after %s events; the counts below are of all\n",
                cli_grouped(s->resumed_events, a));
    fprintf(stderr, "  ended      %s scored, %s duplicates, %s rejected; %s late (%s of them too late for windows)\n",
            cli_grouped(s->accepted, a), cli_grouped(s->duplicates, b), cli_grouped(s->rejected, c),
            cli_grouped(s->late, d), cli_grouped(s->too_late, e));
    if (s->labels + s->labels_unknown + s->labels_rejected > 0)
        fprintf(stderr, "  labels     %s, %s without their event, %s rejected\n", cli_grouped(s->labels, a),
                cli_grouped(s->labels_unknown, b), cli_grouped(s->labels_rejected, c));
    fprintf(stderr, "  latency    of a batch: p50 %s, p90 %s, p99 %s, max %s\n", duration(quantile(s, 0.5), a),
            duration(quantile(s, 0.9), b), duration(quantile(s, 0.99), c), duration((double)s->batch_ns.max, d));
    fprintf(stderr, "  decisions  approve %s, review %s, decline %s\n",
            cli_grouped(s->decisions[RIDE_DECISION_APPROVE], a), cli_grouped(s->decisions[RIDE_DECISION_REVIEW], b),
            cli_grouped(s->decisions[RIDE_DECISION_DECLINE], c));
    for (uint32_t r = 0; r < facts->rules_count; r++)
        fprintf(stderr, "  %-10s %-18s %-8s %s\n", r == 0 ? "rules" : "", facts->rule_ids[r],
                ride_decision_text(facts->rule_decisions[r]), cli_grouped(s->rules[r], a));
    if (s->drift != NULL) print_drift(s->drift);
    if (s->alerts_count == 0) return;
    fprintf(stderr, "top alerts\n  %-11s %-8s %-18s %-12s %-14s %-19s  %s\n", "probability", "decision", "rule",
            "event", "key", "time (UTC)", s->has_reasons ? "why" : "what stands out");
    for (uint32_t i = 0; i < s->alerts_count; i++) print_alert(s, &s->alerts[i], facts);
}
