/* cli/generate.c: `ride generate`: the generator's stream into a file or the standard output. */
#include "generate/generate.h"
#include "cli/cli.h"
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
    "  --format csv|ndjson  (default csv)\n"
    "  --labels FILE        also write the chargebacks, in the order in which they became known\n"
    "  --late-rate P        share of transactions that arrive late, 0 to 1 or a percentage such as 0.5% (default 0)\n"
    "  --duplicate-rate P   share of transactions that are repeated some rows later (default 0)\n"
    "  --start T            time of the beginning: 2025-01-01, an ISO 8601 time, or ms since 1970 (default "
    "2025-01-01)\n"
    "  --output FILE|-      where the rows go; - is the standard output\n"
    "Columns: tx_id, ts (ms), card, terminal, amount (EUR), currency (the merchant's), mcc, channel, country, lat, "
    "lon,\n"
    "is_fraud. Labels: tx_id, reported_at (ms), is_fraud, reason.\n"
    "Examples:\n"
    "  ride generate --events 2000000 --customers 12000 --terminals 6000 --seed 7 --output tx.csv\n"
    "  ride generate --events 1000 --late-rate 1% --duplicate-rate 0.5% --format ndjson --output -\n";

static bool read_number(const char *text, uint64_t max, uint64_t *out) {
    uint64_t value = 0;
    const char *p = text;
    for (; isdigit((unsigned char)*p) || (*p == '_' && p != text); p++) {
        if (*p == '_') continue;
        uint64_t digit = (uint64_t)(*p - '0');
        if (value > (UINT64_MAX - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *out = value;
    return p != text && *p == 0 && value <= max;
}

/* "0.01", "1", "2.5%" → parts per million, exactly: a double would not do on every machine. */
static bool read_share(const char *text, uint32_t *ppm) {
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
    if (value > RIDE_GENERATE_MILLION) return false;
    *ppm = (uint32_t)value;
    return true;
}

static bool read_start(const char *text, int64_t *start_ms) {
    uint64_t number;
    if (read_number(text, INT64_MAX, &number) && strlen(text) > 4) {
        *start_ms = (int64_t)number;
        return true;
    }
    int64_t local_us, offset_us = 0;
    bool has_offset = false;
    if (!ride_time_from_iso8601(text, strlen(text), &local_us, &has_offset, &offset_us)) return false;
    *start_ms = (local_us - (has_offset ? offset_us : 0)) / 1000;
    return true;
}

typedef struct request {
    ride_generate_options options;
    const char *output, *labels;
    bool ndjson;
} request;

/* 0, or the exit code of what was wrong. */
static int read_arguments(int argc, char **argv, request *r) {
    static const char *const names[] = {"--events", "--customers", "--terminals",      "--seed",  "--format",
                                        "--labels", "--late-rate", "--duplicate-rate", "--start", "--output"};
    enum { EVENTS, CUSTOMERS, TERMINALS, SEED, FORMAT, LABELS, LATE, DUPLICATE, START, OUTPUT, NAMES };
    for (int i = 1; i < argc; i++) {
        const char *equals = strchr(argv[i], '=');
        size_t length = equals != NULL ? (size_t)(equals - argv[i]) : strlen(argv[i]);
        int name = 0;
        while (name < NAMES && (strlen(names[name]) != length || strncmp(names[name], argv[i], length) != 0)) name++;
        if (name == NAMES) {
            const char *near = ride_nearest(argv[i], names, NAMES);
            return cli_usage("generate", "unknown option `%s`%s%s", argv[i], near != NULL ? "; did you mean " : "",
                             near != NULL ? near : "");
        }
        const char *value = equals != NULL ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (value == NULL) return cli_usage("generate", "%s needs a value", names[name]);
        uint64_t number = 0;
        bool ok = true;
        switch (name) {
        case EVENTS: ok = read_number(value, RIDE_GENERATE_EVENTS_MAX, &r->options.events); break;
        case CUSTOMERS:
            ok = read_number(value, RIDE_GENERATE_CUSTOMERS_MAX, &number);
            r->options.customers = (uint32_t)number;
            break;
        case TERMINALS:
            ok = read_number(value, RIDE_GENERATE_TERMINALS_MAX, &number);
            r->options.terminals = (uint32_t)number;
            break;
        case SEED: ok = read_number(value, UINT64_MAX, &r->options.seed); break;
        case FORMAT:
            if (strcmp(value, "binary") == 0) return cli_usage("generate", "--format binary is not supported yet");
            r->ndjson = strcmp(value, "ndjson") == 0;
            ok = r->ndjson || strcmp(value, "csv") == 0;
            break;
        case LABELS:
            r->labels = value;
            r->options.labels = true;
            break;
        case LATE: ok = read_share(value, &r->options.late_ppm); break;
        case DUPLICATE: ok = read_share(value, &r->options.duplicate_ppm); break;
        case START: ok = read_start(value, &r->options.start_ms); break;
        case OUTPUT: r->output = value; break;
        default: break;
        }
        if (!ok) return cli_usage("generate", "`%s` is not a value of %s", value, names[name]);
    }
    if (r->output == NULL) return cli_usage("generate", "--output is missing: a file, or - for the standard output");
    return 0;
}

enum { ROWS_AT_ONCE = 512 };

static ride_status write_labels(ride_generate *generate, ride_sink *sink, bool ndjson) {
    ride_generated_label labels[ROWS_AT_ONCE];
    for (;;) {
        uint32_t count = ride_generate_labels(generate, labels, ROWS_AT_ONCE);
        if (count == 0) return RIDE_OK;
        for (uint32_t i = 0; i < count; i++) {
            char *text = (char *)ride_sink_reserve(sink, RIDE_GENERATE_ROW_BYTES_MAX);
            if (text == NULL) return sink->failed;
            ride_sink_commit(sink, ndjson ? ride_generate_label_ndjson(&labels[i], text)
                                          : ride_generate_label_csv(&labels[i], text));
        }
    }
}

static ride_status write_stream(ride_generate *generate, const request *r, ride_sink *rows_sink,
                                ride_sink *labels_sink) {
    static ride_generated rows[ROWS_AT_ONCE];
    if (!r->ndjson) {
        RIDE_TRY(ride_sink_write(rows_sink, ride_generate_csv_header, strlen(ride_generate_csv_header)));
        if (labels_sink != NULL)
            RIDE_TRY(
                ride_sink_write(labels_sink, ride_generate_labels_csv_header, strlen(ride_generate_labels_csv_header)));
    }
    for (;;) {
        uint32_t count = 0;
        ride_status st = ride_generate_next(generate, rows, ROWS_AT_ONCE, &count);
        if (st != RIDE_OK && st != RIDE_END) return st;
        for (uint32_t i = 0; i < count; i++) {
            char *text = (char *)ride_sink_reserve(rows_sink, RIDE_GENERATE_ROW_BYTES_MAX);
            if (text == NULL) return rows_sink->failed;
            ride_sink_commit(rows_sink, r->ndjson ? ride_generate_row_ndjson(&rows[i], text)
                                                  : ride_generate_row_csv(&rows[i], text));
        }
        if (labels_sink != NULL) RIDE_TRY(write_labels(generate, labels_sink, r->ndjson));
        if (st == RIDE_END) return RIDE_OK;
    }
}

int cli_generate(int argc, char **argv) {
    request r = {.output = NULL};
    ride_generate_options_init(&r.options);
    int wrong = read_arguments(argc, argv, &r);
    if (wrong != 0) return wrong;
    ride_error err = {.status = RIDE_OK}, closing = {.status = RIDE_OK};
    ride_generate *generate = NULL;
    ride_sink *rows = NULL, *labels = NULL;
    ride_status st = ride_generate_create(&r.options, &generate, &err);
    if (st == RIDE_OK) st = ride_sink_open(r.output, NULL, &rows, &err);
    if (st == RIDE_OK && r.labels != NULL) st = ride_sink_open(r.labels, NULL, &labels, &err);
    bool opened = st == RIDE_OK;
    if (opened) {
        st = write_stream(generate, &r, rows, labels);
        if (st != RIDE_OK) ride_fail(&err, st, "the stream ended early"); /* a sink's own reason comes from its close */
    }
    ride_sink *sinks[] = {rows, labels};
    for (int i = 0; i < 2; i++)
        if (sinks[i] != NULL && ride_sink_close(sinks[i], &closing) != RIDE_OK && opened) {
            err = closing;
            st = closing.status;
        }
    ride_generate_destroy(generate);
    return st != RIDE_OK ? cli_failed("generate", &err) : 0;
}
