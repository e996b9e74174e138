/* cli/generate.c: `ride generate`: the generator's stream into a file or the standard output. */
#include "generate/generate.h"
#include "cli/cli.h"
#include "cli/generate_binary.h"
#include "io/sink.h"
#include "io/time_text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char cli_generate_help[] =
    "usage: ride generate [options] --output FILE|-\n"
    "Makes card transactions with the truth about fraud, in time order. The same options give the same bytes on any\n"
    "machine.\n"
    "  --events N           distinct transactions (default 1000000; duplicates come on top)\n"
    "  --customers N        cardholders, 1 to 10000000 (default 10000); each makes 2.9 transactions a day on average\n"
    "  --terminals N        1 to 10000000 (default 2000)\n"
    "  --seed N             (default 1)\n"
    "  --format csv|ndjson|binary  (default csv; binary is docs/binary.md)\n"
    "  --labels FILE        also write the chargebacks, in the order in which they became known\n"
    "  --late-rate P        share of transactions that arrive late, 0 to 1 or a percentage such as 0.5% (default 0)\n"
    "  --duplicate-rate P   share of transactions that are repeated some rows later (default 0)\n"
    "  --start T            time of the beginning: 2025-01-01, an ISO 8601 time, or ms since 1970 (default "
    "2025-01-01)\n"
    "  --drift WHAT         plants a change for drift to be found: one or more, separated by commas, of amount=F "
    "(everything\n"
    "                       costs F times as much), hour=H (people shop H hours later, -12 to 12), online=P (that "
    "share "
    "of\n"
    "                       honest payments in shops goes to web shops); when it begins is told\n"
    "  --drift-at P         the share of the events after which it begins, such as 60%\n"
    "  --output FILE|-      where the rows go; - is the standard output\n"
    "Columns: tx_id, ts (ms), card, terminal, amount (EUR), currency (the merchant's), mcc, channel, country, lat, "
    "lon,\n"
    "is_fraud. Labels: tx_id, reported_at (ms), is_fraud, reason.\n"
    "Examples:\n"
    "  ride generate --events 2000000 --customers 12000 --terminals 6000 --seed 7 --output tx.csv\n"
    "  ride generate --events 2000000 --customers 12000 --drift amount=1.6,online=20% --drift-at 70% --output "
    "drifted.csv\n"
    "  ride generate --events 1000 --late-rate 1% --duplicate-rate 0.5% --format ndjson --output -\n";

/* "0.01", "1", "2.5%" → parts per million up to max, exactly: a double would not do on every machine. */
static bool read_millionths(const char *text, uint64_t max, uint32_t *ppm) {
    uint64_t value = 0;
    int digits = 0, places = 0;
    bool point = false;
    const char *p = text;
    for (; isdigit((unsigned char)*p) || (*p == '.' && !point); p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        if (digits++ == 12) return false;
        value = value * 10 + (uint64_t)(*p - '0');
        places += point;
    }
    bool percent = *p == '%';
    if (digits == 0 || p[percent] != 0) return false;
    for (int power = percent ? 4 : 6; power != places; power > places ? power-- : power++) {
        if (power > places) value *= 10;
        else if (value % 10 == 0) value /= 10;
        else return false; /* finer than a millionth */
    }
    if (value > max) return false;
    *ppm = (uint32_t)value;
    return true;
}
static bool read_share(const char *text, void *ppm) { return read_millionths(text, RIDE_GENERATE_MILLION, ppm); }

/* "amount=1.6,hour=3,online=20%" */
static bool read_drift(const char *text, void *out) {
    ride_generate_drift *drift = out;
    char copy[128], *rest = copy, *part;
    if ((size_t)snprintf(copy, sizeof copy, "%s", text) >= sizeof copy) return false;
    while ((part = strsep(&rest, ",")) != NULL) {
        char *value = strchr(part, '=');
        uint64_t hours;
        if (value == NULL) return false;
        *value++ = '\0';
        const bool earlier = *value == '-';
        if (strcmp(part, "hour") == 0) {
            if (!cli_read_number(value + earlier, 12, &hours)) return false;
            drift->hours_later = earlier ? -(int32_t)hours : (int32_t)hours;
        } else if (strcmp(part, "online") == 0) {
            if (!read_share(value, &drift->online_ppm)) return false;
        } else if (strcmp(part, "amount") == 0) {
            if (!read_millionths(value, 100 * (uint64_t)RIDE_GENERATE_MILLION, &drift->amount_factor) ||
                drift->amount_factor == 0)
                return false;
        } else return false;
    }
    return true;
}

static bool read_start(const char *text, void *out) {
    int64_t *start_ms = out;
    uint64_t number;
    if (cli_read_number(text, INT64_MAX, &number) && strlen(text) > 4) {
        *start_ms = (int64_t)number;
        return true;
    }
    int64_t local_us, offset_us = 0;
    bool has_offset = false;
    if (!ride_time_from_iso8601(text, strlen(text), &local_us, &has_offset, &offset_us)) return false;
    *start_ms = (local_us - (has_offset ? offset_us : 0)) / 1000;
    return true;
}

static struct {
    ride_generate_options options;
    const char *output, *labels;
    ride_format format;
} r;

static const cli_option options[] = {
    {"--events", CLI_NUMBER, &r.options.events, .max = RIDE_GENERATE_EVENTS_MAX},
    {"--customers", CLI_COUNT, &r.options.customers, .max = RIDE_GENERATE_CUSTOMERS_MAX},
    {"--terminals", CLI_COUNT, &r.options.terminals, .max = RIDE_GENERATE_TERMINALS_MAX},
    {"--seed", CLI_NUMBER, &r.options.seed, .max = UINT64_MAX},
    {"--format", CLI_FORMAT, &r.format},
    {"--labels", CLI_TEXT, &r.labels},
    {"--late-rate", CLI_CONVERTED, &r.options.late_ppm, .convert = read_share},
    {"--duplicate-rate", CLI_CONVERTED, &r.options.duplicate_ppm, .convert = read_share},
    {"--start", CLI_CONVERTED, &r.options.start_ms, .convert = read_start},
    {"--drift", CLI_CONVERTED, &r.options.drift, .convert = read_drift},
    {"--drift-at", CLI_CONVERTED, &r.options.drift.at_ppm, .convert = read_share},
    {"--output", CLI_TEXT, &r.output, .required = true},
};
const cli_word cli_generate_words[] = {{"", CLI_OPTIONS(options)}, {0}};

enum { ROWS_AT_ONCE = 512 };

typedef struct output {
    ride_sink *sink;         /* NULL = not wanted */
    generate_binary *binary; /* NULL = text */
} output;

static ride_status open_output(const char *path, bool is_labels, output *out, ride_error *err) {
    const char *header = is_labels ? ride_generate_labels_csv_header : ride_generate_csv_header;
    RIDE_TRY(ride_sink_open(path, NULL, &out->sink, err));
    if (r.format == RIDE_FORMAT_BINARY) return generate_binary_open(out->sink, is_labels, &out->binary, err);
    if (r.format == RIDE_FORMAT_CSV) ride_sink_write(out->sink, header, strlen(header)); /* failure is sticky */
    return RIDE_OK;
}

static ride_status write_labels(ride_generate *generate, const output *to) {
    ride_generated_label labels[ROWS_AT_ONCE];
    for (;;) {
        uint32_t count = ride_generate_labels(generate, labels, ROWS_AT_ONCE);
        if (count == 0) return RIDE_OK;
        if (to->binary != NULL) RIDE_TRY(generate_binary_labels(to->binary, labels, count));
        for (uint32_t i = 0; i < count && to->binary == NULL; i++) {
            char *text = (char *)ride_sink_reserve(to->sink, RIDE_GENERATE_ROW_BYTES_MAX);
            if (text == NULL) return to->sink->failed;
            ride_sink_commit(to->sink, r.format == RIDE_FORMAT_NDJSON ? ride_generate_label_ndjson(&labels[i], text)
                                                                      : ride_generate_label_csv(&labels[i], text));
        }
    }
}

static ride_status write_rows(const ride_generated *rows, uint32_t count, const output *to) {
    if (to->binary != NULL) return generate_binary_rows(to->binary, rows, count);
    for (uint32_t i = 0; i < count; i++) {
        char *text = (char *)ride_sink_reserve(to->sink, RIDE_GENERATE_ROW_BYTES_MAX);
        if (text == NULL) return to->sink->failed;
        ride_sink_commit(to->sink, r.format == RIDE_FORMAT_NDJSON ? ride_generate_row_ndjson(&rows[i], text)
                                                                  : ride_generate_row_csv(&rows[i], text));
    }
    return RIDE_OK;
}

static ride_status write_stream(ride_generate *generate, const output *to, const output *labels) {
    static ride_generated rows[ROWS_AT_ONCE];
    for (;;) {
        uint32_t count = 0;
        ride_status st = ride_generate_next(generate, rows, ROWS_AT_ONCE, &count);
        if (st != RIDE_OK && st != RIDE_END) return st;
        RIDE_TRY(write_rows(rows, count, to));
        if (labels->sink != NULL) RIDE_TRY(write_labels(generate, labels));
        if (st == RIDE_END) return RIDE_OK;
    }
}

static void drift_told(const ride_generate *generate) {
    const int64_t at_ms = ride_generate_drift_ms(generate);
    char text[RIDE_TIME_BYTES + 1];
    text[at_ms != INT64_MAX ? ride_time_to_iso8601(at_ms * 1000, text) : 0] = '\0';
    fprintf(stderr, "drift from %s on\n", at_ms != INT64_MAX ? text : "after the last event");
}

int cli_generate(int argc, char **argv) {
    ride_generate_options_init(&r.options);
    r.format = RIDE_FORMAT_CSV;
    int wrong = cli_word_read("generate", &cli_generate_words[0], argc, argv);
    if (wrong != 0) return wrong;
    const ride_generate_drift *drift = &r.options.drift;
    const bool has_drift = drift->amount_factor != 0 || drift->hours_later != 0 || drift->online_ppm != 0;
    if (has_drift != (drift->at_ppm != 0)) return cli_usage("generate", "--drift and --drift-at belong together");
    r.options.labels = r.labels != NULL;
    ride_error err = {.status = RIDE_OK}, closing = {.status = RIDE_OK};
    ride_generate *generate = NULL;
    output outputs[2] = {{NULL}, {NULL}}; /* rows, labels */
    ride_status st = ride_generate_create(&r.options, &generate, &err);
    if (st == RIDE_OK) st = open_output(r.output, false, &outputs[0], &err);
    if (st == RIDE_OK && r.labels != NULL) st = open_output(r.labels, true, &outputs[1], &err);
    bool opened = st == RIDE_OK;
    if (opened) {
        st = write_stream(generate, &outputs[0], &outputs[1]);
        if (st != RIDE_OK) ride_fail(&err, st, "the stream ended early"); /* a sink's own reason comes from its close */
    }
    for (int i = 0; i < 2; i++) {
        generate_binary_close(outputs[i].binary);
        if (outputs[i].sink != NULL && ride_sink_close(outputs[i].sink, &closing) != RIDE_OK && opened) {
            err = closing;
            st = closing.status;
        }
    }
    if (st == RIDE_OK && has_drift) drift_told(generate);
    ride_generate_destroy(generate);
    return st != RIDE_OK ? cli_failed("generate", &err) : 0;
}
