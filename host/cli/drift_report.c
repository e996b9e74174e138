/* cli/drift_report.c: see drift_report.h. */
#include "cli/drift_report.h"

#include "base/number.h"
#include "io/encoder.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CELL_BYTES = 32, NAME_WIDTH_MAX = 40, NAMES_SHOWN = 12, VALUES_SHOWN = 3 };

/* A stranger's text must not move the cursor. Cut where it is too long. */
static const char *plain(const char *text, char out[NAME_WIDTH_MAX + 1]) {
    size_t i = 0;
    for (; i < NAME_WIDTH_MAX && text[i] != '\0'; i++)
        out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
    out[i] = '\0';
    return out;
}

static const char *number(double value, const char *format, char out[CELL_BYTES]) {
    if (!isfinite(value)) return "-";
    snprintf(out, CELL_BYTES, format, value);
    return out;
}

static const char *colour_of(double psi, bool colours) {
    if (!colours || !(psi >= 0.1)) return "";
    return psi > 0.25 ? "\033[31m" : "\033[33m"; /* red: large; yellow: look at it */
}

static void list_names(const char *what, const char *const *names, uint32_t count) {
    char name[NAME_WIDTH_MAX + 1];
    if (count == 0) return;
    fprintf(stderr, "%s:", what);
    for (uint32_t i = 0; i < count && i < NAMES_SHOWN; i++)
        fprintf(stderr, "%s %s", i > 0 ? "," : "", plain(names[i], name));
    if (count > NAMES_SHOWN) fprintf(stderr, " and %u more", count - NAMES_SHOWN);
    fputc('\n', stderr);
}

/* Under a category that has changed: which of its values did. */
static void print_values(const ride_drift_feature *f, int width) {
    char name[NAME_WIDTH_MAX + 1];
    if (!(f->drift.psi >= 0.1)) return;
    printf("%*s ", width, "");
    for (uint32_t i = 0; i < f->shown_count && i < VALUES_SHOWN; i++) {
        const ride_drift_value *v = &f->shown[i];
        printf("%s `%s` %.3g -> %.3g %%", i > 0 ? "," : "", plain(v->text, name),
               100.0 * (double)v->ref / (double)f->drift.n_ref, 100.0 * (double)v->cur / (double)f->drift.n_cur);
    }
    putchar('\n');
}

void cli_drift_table(const ride_drift_comparison *r) {
    const bool colours = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
    char name[NAME_WIDTH_MAX + 1], cells[7][CELL_BYTES];
    int width = 7;
    for (uint32_t i = 0; i < r->features_count; i++) {
        int length = (int)strlen(plain(r->features[i].name, name));
        if (length > width) width = length;
    }
    printf("%-*s %9s %9s %9s %9s %10s %9s %10s %9s %9s\n", width, "feature", "psi", "js", "ks", "ks p", "w1/sd",
           "chi2 p", "rows", "missing", "new");
    for (uint32_t i = 0; i < r->features_count; i++) {
        const ride_drift_feature *f = &r->features[i];
        const ride_drift *d = &f->drift;
        const char *colour = colour_of(d->psi, colours);
        printf("%s%-*s %9s %9s %9s %9s %10s %9s %10" PRIu64 " %9s %9s%s\n", colour, width, plain(f->name, name),
               number(d->psi, "%.4f", cells[0]), number(d->js_distance, "%.4f", cells[1]),
               number(d->ks, "%.4f", cells[2]), number(d->ks_pvalue, "%.2g", cells[3]),
               number(d->wasserstein_normed, "%.4g", cells[4]), number(d->chi2_pvalue, "%.2g", cells[5]), d->n_cur,
               number(d->missing_rate, "%.4f", cells[6]), number(d->new_category_rate, "%.4f", (char[CELL_BYTES]){0}),
               colour[0] != '\0' ? "\033[0m" : "");
        if (f->is_category) print_values(f, width);
    }
}

void cli_drift_notes(const ride_drift_comparison *r) {
    uint32_t empty = 0;
    for (uint32_t i = 0; i < r->features_count; i++) empty += isnan(r->features[i].drift.psi);
    list_names("only the reference has", r->only[RIDE_DRIFT_REF], r->only_count[RIDE_DRIFT_REF]);
    list_names("only the current file has", r->only[RIDE_DRIFT_CUR], r->only_count[RIDE_DRIFT_CUR]);
    list_names("left out, texts with too many values to be categories (--categories NAME compares them all the same)",
               r->left_out, r->left_out_count);
    if (empty > 0)
        fprintf(stderr, "%u %s no values in one of the files\n", empty, empty == 1 ? "column has" : "columns have");
}

static void put_text(FILE *to, const char *text) {
    size_t bytes = strlen(text);
    char *quoted = malloc(6 * bytes + 2);
    if (quoted != NULL) fwrite(quoted, 1, ride_json_quote(text, bytes, quoted), to);
    else fputs("null", to);
    free(quoted);
}

static void put_number(FILE *to, double value) {
    if (!isfinite(value)) {
        fputs("null", to);
        return;
    }
    char text[RIDE_NUMBER_BYTES];
    size_t bytes = ride_double_to_text(value, text);
    fwrite(text, 1, bytes, to);
}

static void put_names(FILE *to, const char *member, const char *const *names, uint32_t count) {
    fprintf(to, ",\n \"%s\": [", member);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) fputs(", ", to);
        put_text(to, names[i]);
    }
    fputc(']', to);
}

static void put_feature(FILE *to, const ride_drift_feature *f) {
    double values[RIDE_DRIFT_VALUES];
    fputs("{\"feature\": ", to);
    put_text(to, f->name);
    fprintf(to, ", \"kind\": \"%s\", \"from\": null, \"to\": null", f->is_category ? "category" : "number");
    ride_drift_values(&f->drift, values);
    for (uint32_t i = 0; i < RIDE_DRIFT_VALUES; i++) {
        fprintf(to, ", \"%s\": ", ride_drift_value_names[i]);
        put_number(to, values[i]);
    }
    if (f->is_category) {
        fprintf(to, ", \"values_count\": %u, \"values\": [", f->values_count);
        for (uint32_t i = 0; i < f->shown_count; i++) {
            fprintf(to, "%s{\"value\": ", i > 0 ? ", " : "");
            put_text(to, f->shown[i].text);
            fprintf(to, ", \"ref\": %" PRIu64 ", \"cur\": %" PRIu64 "}", f->shown[i].ref, f->shown[i].cur);
        }
        fputc(']', to);
    }
    fputc('}', to);
}

void cli_drift_json(const ride_drift_comparison *r, const ride_drift_files_options *o, FILE *to) {
    fputs("{\"reference\": ", to);
    put_text(to, o->reference);
    fputs(", \"current\": ", to);
    put_text(to, o->current);
    fprintf(to, ", \"rows_ref\": %" PRIu64 ", \"rows_cur\": %" PRIu64, r->rows[RIDE_DRIFT_REF],
            r->rows[RIDE_DRIFT_CUR]);
    put_names(to, "only_reference", r->only[RIDE_DRIFT_REF], r->only_count[RIDE_DRIFT_REF]);
    put_names(to, "only_current", r->only[RIDE_DRIFT_CUR], r->only_count[RIDE_DRIFT_CUR]);
    put_names(to, "left_out", r->left_out, r->left_out_count);
    fputs(",\n \"features\": [", to);
    for (uint32_t i = 0; i < r->features_count; i++) {
        fputs(i > 0 ? ",\n  " : "\n  ", to);
        put_feature(to, &r->features[i]);
    }
    fputs("\n]}\n", to);
}
