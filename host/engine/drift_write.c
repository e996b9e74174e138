/* engine/drift_write.c: drift as JSON: docs/run-summary.md names every member. Numbers without a value are null. */
#include "engine/drift.h"

#include "features/duration.h"
#include "io/encoder.h"
#include "io/time_text.h"
#include "lib/hash.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_QUOTED_BYTES = 6 * RIDE_NAME_BYTES * 4 + 3 };

static const char *quoted(const char *text, char to[NAME_QUOTED_BYTES]) {
    to[ride_json_quote(text, strlen(text), to)] = '\0';
    return to;
}

static const char *time_text(int64_t time_us, char to[RIDE_TIME_BYTES + 1]) {
    to[ride_time_to_iso8601(time_us, to)] = '\0';
    return to;
}

/* `, "psi": 0.01, …`: every value of a column, whether they are of enough rows, and whether they are an alert. */
static size_t values_put(const ride_run_drift *r, const ride_drift *drift, char *text, size_t room) {
    double values[RIDE_DRIFT_VALUES];
    size_t used = 0;
    ride_drift_values(drift, values);
    for (int i = 0; i < RIDE_DRIFT_VALUES; i++) {
        const char *name = ride_drift_value_names[i];
        used += (size_t)(isfinite(values[i]) ? snprintf(text + used, room - used, ", \"%s\": %.17g", name, values[i])
                                             : snprintf(text + used, room - used, ", \"%s\": null", name));
    }
    return used + (size_t)snprintf(text + used, room - used, ", \"enough\": %s, \"alert\": %s}",
                                   ride_drift_tells(drift) ? "true" : "false",
                                   ride_drift_is_alert(r, drift) ? "true" : "false");
}

size_t ride_drift_line(const ride_run_drift *r, const ride_run_drift_interval *interval, uint32_t column,
                       char text[RIDE_DRIFT_LINE_BYTES]) {
    char name[NAME_QUOTED_BYTES], from[RIDE_TIME_BYTES + 1], to[RIDE_TIME_BYTES + 1];
    const ride_drift *drift = &interval->columns[column];
    size_t used = (size_t)snprintf(text, RIDE_DRIFT_LINE_BYTES,
                                   "{\"feature\": %s, \"from\": \"%s\", \"to\": \"%s\", \"rows\": %" PRIu64,
                                   quoted(r->names[column], name), time_text(interval->from_us, from),
                                   time_text(interval->to_us, to), interval->rows);
    used += values_put(r, drift, text + used, RIDE_DRIFT_LINE_BYTES - used);
    text[used++] = '\n';
    return used;
}

static void interval_put(FILE *to, const ride_run_drift *r, const ride_run_drift_interval *interval) {
    char name[NAME_QUOTED_BYTES], from[RIDE_TIME_BYTES + 1], until[RIDE_TIME_BYTES + 1], values[RIDE_DRIFT_LINE_BYTES];
    fprintf(to, "{\"from\": \"%s\", \"to\": \"%s\", \"rows\": %" PRIu64 ", \"open\": %s, \"features\": [",
            time_text(interval->from_us, from), time_text(interval->to_us, until), interval->rows,
            interval->is_open ? "true" : "false");
    for (uint32_t i = 0; i < r->columns_count; i++) {
        values_put(r, &interval->columns[i], values, sizeof values);
        fprintf(to, "%s\n    {\"feature\": %s%s", i > 0 ? "," : "", quoted(r->names[i], name), values);
    }
    fputs("]}", to);
}

/* The counts of the reported bins: of a number, the cells between two coarse edges together. */
static void counts_put(FILE *to, const ride_run_drift *r, const ride_profile_column *column, const uint64_t *cells) {
    const uint8_t *coarse = r->profile.coarse + column->edges_first;
    uint64_t sum = 0;
    fputc('[', to);
    const char *comma = "";
    for (uint32_t bin = 0; bin < column->cells_count - RIDE_PROFILE_CELL_BINS; bin++) {
        sum += cells[RIDE_PROFILE_CELL_BINS + bin];
        if (column->kind == RIDE_PROFILE_NUMBER && bin < column->edges_count && !coarse[bin]) continue;
        fprintf(to, "%s%" PRIu64, comma, sum);
        comma = ", ";
        sum = 0;
    }
    fputc(']', to);
}

static void histogram_put(FILE *to, const ride_run_drift *r, uint32_t index) {
    const ride_profile_column *column = &r->profile.columns[index];
    const uint64_t *reference = r->profile.counts + column->cells_first,
                   *current = r->latest_cells + column->cells_first;
    const bool is_number = column->kind == RIDE_PROFILE_NUMBER;
    char name[NAME_QUOTED_BYTES];
    fprintf(to, "{\"feature\": %s, \"kind\": \"%s\", \"%s\": [", quoted(r->names[index], name),
            is_number ? "number" : "category", is_number ? "edges" : "values");
    const char *comma = "";
    for (uint32_t e = 0; e < column->edges_count; e++) {
        if (is_number && !r->profile.coarse[column->edges_first + e]) continue;
        fprintf(to, "%s%.17g", comma, r->profile.edges[column->edges_first + e]);
        comma = ", ";
    }
    fputs("], \"reference\": ", to);
    counts_put(to, r, column, reference);
    fputs(", \"current\": ", to);
    counts_put(to, r, column, current);
    fprintf(to, ", \"missing\": [%" PRIu64 ", %" PRIu64 "], \"new\": %" PRIu64 "}",
            reference[RIDE_PROFILE_CELL_MISSING], current[RIDE_PROFILE_CELL_MISSING], current[RIDE_PROFILE_CELL_NEW]);
}

void ride_drift_put(FILE *to, const ride_run_drift *r) {
    char length[32], hash[2 * RIDE_SHA256_BYTES + 1], from[RIDE_TIME_BYTES + 1];
    const size_t bytes = strlen(r->profile_path);
    char *path = malloc(6 * bytes + 3);
    if (path != NULL) path[ride_json_quote(r->profile_path, bytes, path)] = '\0';
    fprintf(to,
            "{\"profile\": %s, \"profile_hash\": \"%s\", \"profile_rows\": %" PRIu64
            ", \"interval\": \"%s\", \"psi_alert\": %.6g, \"intervals_dropped\": %" PRIu64 ",\n  \"intervals\": [",
            path != NULL ? path : "null", ride_hex(r->profile_hash, sizeof r->profile_hash, hash),
            r->profile.header->rows_count, ride_duration_text(r->interval_us, length, sizeof length), r->psi_alert,
            r->intervals_dropped);
    free(path);
    for (uint32_t i = 0; i < r->intervals_count; i++) {
        fputs(i > 0 ? ",\n   " : "\n   ", to);
        interval_put(to, r, &r->intervals[i]);
    }
    fputs("],\n  \"histograms\": ", to);
    if (r->latest == UINT32_MAX) {
        fputs("null}", to);
        return;
    }
    fprintf(to, "{\"from\": \"%s\", \"features\": [", time_text(r->intervals[r->latest].from_us, from));
    for (uint32_t i = 0; i < r->columns_count; i++) {
        fputs(i > 0 ? ",\n   " : "\n   ", to);
        histogram_put(to, r, i);
    }
    fputs("]}}", to);
}
