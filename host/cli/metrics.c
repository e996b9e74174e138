/* cli/metrics.c: `ride metrics reference`: the list of metrics as docs/metrics.md. */
#include "base/metrics.h"
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

const char cli_metrics_help[] = "usage: ride metrics reference\n"
                                "Prints docs/metrics.md: every metric that a running service has at /metrics, with its "
                                "type, labels and meaning.\n"
                                "Example: ride metrics reference\n";

const cli_word cli_metrics_words[] = {{"reference", NULL, 0}, {NULL}};

static const char introduction[] =
    "# Metrics\n"
    "\n"
    "This page is what `ride metrics reference` prints; change the list in `host/base/metrics_list.h`, not the page.\n"
    "\n"
    "A running service answers `/metrics` on its admin listener in Prometheus' text format. `ride top` shows the same "
    "numbers in\n"
    "a terminal; `deploy/prometheus` and `deploy/grafana` have alert rules and a dashboard over them;\n"
    "[operations.md](operations.md) says what to do about what they show.\n"
    "\n"
    "- Counters count from the start of the process. Times are in seconds, sizes in bytes, ratios from 0 to 1.\n"
    "- Every event that came in ends in one way: the sum of `ride_events_received_total` over sources is the sum of\n"
    "  `ride_events_total` over ends, and `ride_events_in_flight`. Late is an attribute of an event, no end.\n"
    "- A family without a series yet is left out: no Kafka source, no `ride_kafka_…`.\n"
    "- No label holds a card number, another key of an entity, or anything else of an event.\n"
    "\n"
    "| metric | type | labels | what |\n"
    "|---|---|---|---|\n";

static void put_time(uint64_t ns) {
    if (ns < 1000000) printf("%g µs", (double)ns / 1e3);
    else if (ns < 1000000000) printf("%g ms", (double)ns / 1e6);
    else printf("%g s", (double)ns / 1e9);
}

static void put_bounds(const char *what, ride_metric_kind kind) {
    uint32_t count;
    const uint64_t *bounds = ride_metric_bounds(kind, &count);
    printf("\n- %s:", what);
    for (uint32_t i = 0; i < count; i++) {
        fputs(i > 0 && i % 12 == 0 ? "\n  " : " ", stdout);
        if (kind == RIDE_HISTOGRAM_SECONDS) put_time(bounds[i]);
        else printf("%llu", (unsigned long long)bounds[i]);
        fputs(i + 1 < count ? "," : ".", stdout);
    }
}

/* The names of the labels, each as code. */
static void put_labels(const char *labels) {
    while (*labels != '\0') {
        size_t bytes = strcspn(labels, ",");
        printf("`%.*s`", (int)bytes, labels);
        labels += bytes;
        if (*labels == '\0') return;
        fputs(", ", stdout);
        labels += strspn(labels, ", ");
    }
}

int cli_metrics(int argc, char **argv) {
    const cli_word *word = cli_find_word("metrics", cli_metrics_words, argc, argv);
    if (word == NULL) return ride_status_exit_code(RIDE_E_USAGE);
    int wrong = cli_word_read("metrics reference", word, argc - 1, argv + 1);
    if (wrong != 0) return wrong;
    fputs(introduction, stdout);
    for (uint32_t f = 0; f < RIDE_METRIC_FAMILIES; f++) {
        const ride_metric_about *about = ride_metrics_about((ride_metric_family)f);
        printf("| `%s` | %s | ", about->name, ride_metric_kind_text(about->kind));
        put_labels(about->labels);
        printf(" | %s |\n", about->text);
    }
    fputs(
        "\n## Buckets\n\nA bucket counts what is not over its bound, exactly; beyond the last bound there is `+Inf`.\n",
        stdout);
    put_bounds("times", RIDE_HISTOGRAM_SECONDS);
    put_bounds("numbers", RIDE_HISTOGRAM_COUNT);
    fputs("\n", stdout);
    return cli_print("");
}
