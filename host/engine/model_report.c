/* engine/model_report.c: the model on the backend of this machine, told part by part, and timed. */
#include "engine/model_report.h"

#include "backend/registry.h"
#include "engine/made_rows.h"
#include "models/rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TIMED_ROWS = 4096, TIMED_VALUES_MAX = 1 << 22, TIMED_NS = 5000000, TIMED_EXPLAINED = 64, SLOW_US = 100 };

typedef struct report {
    const ride_ensemble *model;
    const ride_backend_ops *ops;
    ride_model_rows *scorer;
    FILE *to;
    bool json;
    uint32_t parts;
} report;

static const char *member_name(const report *r, uint32_t member) {
    const uint32_t count = r->model->members_count + r->model->has_stacker;
    const bool is_plain = !r->model->is_manifest && r->model->combine == RIDE_COMBINE_ONE;
    return is_plain || member >= count || r->model->members[member].name == NULL ? "" : r->model->members[member].name;
}

/* Names of members go into JSON and onto a terminal: nothing but letters that need no care. */
static void put_name(FILE *to, const char *name) {
    for (; *name != '\0'; name++)
        fputc((unsigned char)*name < 0x20 || *name == 0x7f || *name == '"' || *name == '\\' ? '?' : *name, to);
}

static void tell_part(void *context, const ride_part *part) {
    report *r = context;
    const char *name = member_name(r, part->member), *kind = part->is_network ? "network" : "forest";
    if (r->json) {
        fprintf(r->to, "%s{\"member\":\"", r->parts++ > 0 ? "," : "");
        put_name(r->to, name);
        fprintf(r->to, "\",\"kind\":\"%s\",\"bytes\":%" PRIu64 ",\"why\":\"%s\",\"ways\":[", kind, part->bytes,
                part->why);
        for (uint32_t i = 0; i < part->sizes_count; i++)
            fprintf(r->to, "%s{\"rows\":%u,\"way\":\"%s\",\"estimated_ns_per_row\":%.4g}", i > 0 ? "," : "",
                    part->sizes[i].rows_count, part->sizes[i].way, part->sizes[i].ns_per_row);
        fputs("]}", r->to);
        return;
    }
    fprintf(r->to, "%-18s ", r->parts++ == 0 ? "engine" : "");
    put_name(r->to, name);
    fprintf(r->to, "%s%s: ", *name != '\0' ? " " : "", kind);
    for (uint32_t i = 0; i < part->sizes_count; i++)
        fprintf(r->to, "%s%.3g ns a row for %u (%s)", i > 0 ? ", " : "", part->sizes[i].ns_per_row,
                part->sizes[i].rows_count, part->sizes[i].way);
    fprintf(r->to, "%s%.1f KiB\n%-18s %s\n", part->sizes_count > 0 ? "; " : "", (double)part->bytes / 1024, "",
            part->why);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The least of some calls with so many rows, by row. 0 where there is no memory. */
static double time_rows(const report *r, const double *values, uint32_t rows_count, uint32_t rows_there, void *scratch,
                        double *out) {
    ride_rows rows = {.type = RIDE_TYPE_F64,
                      .out_type = RIDE_TYPE_F64,
                      .rows_count = rows_count,
                      .row_stride = r->model->inputs_count,
                      .column_stride = 1,
                      .margins = out};
    uint64_t least = UINT64_MAX;
    const uint64_t begin = now_ns();
    for (uint32_t i = 0; i < 3 || now_ns() - begin < TIMED_NS; i++) {
        rows.values = values + (size_t)(i * rows_count % (rows_there - rows_count + 1)) * r->model->inputs_count;
        const uint64_t from = now_ns();
        if (ride_model_rows_score(r->scorer, &rows, scratch) != RIDE_OK) return 0.0;
        const uint64_t took = now_ns() - from;
        if (took < least) least = took;
    }
    return (double)least / rows_count;
}

static ride_status tell_times(report *r, ride_diagnostics *findings) {
    const ride_rows_shape *shape = ride_model_rows_shape(r->scorer);
    const uint32_t inputs = r->model->inputs_count > 0 ? r->model->inputs_count : 1;
    const uint32_t there = TIMED_VALUES_MAX / inputs < TIMED_ROWS ? TIMED_VALUES_MAX / inputs + 1 : TIMED_ROWS;
    ride_made_rows *made = ride_made_rows_create(r->model);
    double *values = malloc((size_t)there * inputs * sizeof *values);
    double *out = malloc((size_t)there * shape->outputs_count * sizeof *out);
    void *scratch = ride_model_rows_scratch(r->scorer);
    const bool ok = made != NULL && values != NULL && out != NULL && scratch != NULL;
    static const uint32_t counts[] = {1, 64, TIMED_ROWS};
    for (uint32_t i = 0; ok && i < there; i++) ride_made_rows_next(made, values + (size_t)i * inputs);
    fprintf(r->to, r->json ? ",\"measured\":[" : "%-18s ", "measured");
    for (uint32_t i = 0; ok && i < 3; i++) {
        const uint32_t count = counts[i] < there ? counts[i] : there;
        const double ns = time_rows(r, values, count, there, scratch, out);
        const char *between = i == 0 ? "" : r->json ? "," : ", ";
        if (r->json) fprintf(r->to, "%s{\"rows\":%u,\"ns_per_row\":%.4g}", between, count, ns);
        else fprintf(r->to, "%s%.3g ns a row for %u", between, ns, count);
    }
    fprintf(r->to,
            r->json ? "],\"scratch_bytes\":%" PRIu64
                    : "; one thread, rows made for it; %" PRIu64 " KiB of scratch a thread\n",
            r->json ? shape->scratch_bytes : shape->scratch_bytes / 1024);
    ride_made_rows_destroy(made);
    free(values);
    free(out);
    free(scratch);
    return ok ? RIDE_OK : ride_diagnose(findings, RIDE_E_MEMORY, NULL, 0, 0, NULL, "no memory for %u rows", there);
}

/* Microseconds of a row by itself, the mean of some. 0 where there is no memory. */
static double time_explained(const report *r, const ride_explainer *explainer, uint64_t scratch_bytes) {
    const ride_rows_shape *shape = ride_model_rows_shape(r->scorer);
    const uint32_t inputs = r->model->inputs_count;
    ride_made_rows *made = ride_made_rows_create(r->model);
    void *scratch = aligned_alloc(64, (scratch_bytes + 127) / 64 * 64);
    double *row = calloc((size_t)inputs + 1, sizeof *row),
           *phi = calloc(((size_t)shape->columns_count + 1) * shape->outputs_count, sizeof *phi);
    const bool ok = made != NULL && scratch != NULL && row != NULL && phi != NULL;
    const ride_rows rows = {.values = row,
                            .type = RIDE_TYPE_F64,
                            .out_type = RIDE_TYPE_F64,
                            .rows_count = 1,
                            .row_stride = inputs,
                            .column_stride = 1,
                            .margins = phi};
    uint64_t spent = 0, count = 0;
    for (; ok && count < TIMED_EXPLAINED && spent < 4 * TIMED_NS; count++) {
        ride_made_rows_next(made, row);
        const uint64_t from = now_ns();
        if (ride_model_rows_explain(r->scorer, explainer, &rows, scratch) != RIDE_OK) break;
        spent += now_ns() - from;
    }
    ride_made_rows_destroy(made);
    free(scratch);
    free(row);
    free(phi);
    return count > 0 ? (double)spent / (double)count / 1e3 : 0.0;
}

static void tell_explainer(report *r) {
    const ride_explainer *explainer = NULL;
    uint64_t scratch_bytes = 0;
    ride_error err = {0};
    ride_explainer_figures figures = {0};
    const uint64_t begin = now_ns();
    if (ride_model_rows_explainer(r->scorer, &explainer, &scratch_bytes, &err) != RIDE_OK) {
        if (r->json) fputs(",\"explanations\":null", r->to);
        else
            fprintf(r->to, "%-18s none: %s%s%s\n", "explanations", err.what, err.advice[0] != '\0' ? "; " : "",
                    err.advice);
        return;
    }
    if (r->ops->explainer_tell != NULL) r->ops->explainer_tell(explainer, &figures);
    const double ms = (double)(now_ns() - begin) / 1e6, us = time_explained(r, explainer, scratch_bytes);
    if (r->json)
        fprintf(r->to,
                ",\"explanations\":{\"bytes\":%" PRIu64 ",\"groups\":%u,\"deep_leaves\":%u,\"by_weights\":%u,"
                "\"by_gradients\":%u,\"scratch_bytes\":%" PRIu64 ",\"made_in_ms\":%.3g,\"us_per_row\":%.4g}",
                figures.bytes, figures.groups, figures.deep_leaves, figures.by_weights, figures.by_gradients,
                scratch_bytes, ms, us);
    else {
        fprintf(r->to, "%-18s ", "explanations");
        if (figures.groups + figures.deep_leaves > 0)
            fprintf(r->to, "tables for %u groups of leaves, %u leaves without; ", figures.groups, figures.deep_leaves);
        if (figures.by_weights > 0) fprintf(r->to, "%u by weights; ", figures.by_weights);
        if (figures.by_gradients > 0) fprintf(r->to, "%u by gradients; ", figures.by_gradients);
        fprintf(r->to, "%.1f KiB, made in %.3g ms; %.3g us for one row%s\n", (double)figures.bytes / 1024, ms, us,
                us > SLOW_US ? ": slow, docs/explanations.md says why" : "");
    }
}

static ride_status tell_all(report *r, ride_diagnostics *findings) {
    ride_device *device;
    ride_error err = {0};
    if (ride_backend_here(&r->ops, &device, &err) != RIDE_OK)
        return ride_diagnose(findings, err.status, NULL, 0, 0, NULL, "%s", err.what);
    RIDE_TRY(ride_model_rows_create(r->model, r->ops, device, &r->scorer, findings));
    if (r->json) fputs(",\"engine\":{\"parts\":[", r->to);
    ride_model_rows_tell(r->scorer, tell_part, r);
    if (r->json) fputs("]", r->to);
    RIDE_TRY(tell_times(r, findings));
    tell_explainer(r);
    if (r->json) fputs("}", r->to);
    return RIDE_OK;
}

ride_status ride_model_report(const ride_ensemble *model, ride_info_form form, bool is_quick, char **out,
                              ride_diagnostics *findings) {
    char *file = ride_ensemble_info(model, form), *text = NULL;
    size_t bytes = 0;
    report r = {.model = model, .json = form == RIDE_INFO_JSON, .to = open_memstream(&text, &bytes)};
    ride_status st = file != NULL && r.to != NULL ? RIDE_OK : RIDE_E_MEMORY;
    if (st == RIDE_OK) { /* of JSON the closing brace comes last */
        fprintf(r.to, "%.*s", (int)(strlen(file) - (r.json ? 2 : 0)), file);
        if (!is_quick) st = tell_all(&r, findings);
        if (r.json) fputs("}\n", r.to);
    }
    const bool failed = r.to == NULL || ferror(r.to) != 0;
    if ((r.to != NULL && fclose(r.to) != 0) || failed || st == RIDE_E_MEMORY)
        st = findings->count > 0
                 ? st
                 : ride_diagnose(findings, RIDE_E_MEMORY, NULL, 0, 0, NULL, "the description does not fit into memory");
    ride_model_rows_destroy(r.scorer);
    free(file);
    if (st != RIDE_OK) free(text), text = NULL;
    *out = text;
    return st;
}
