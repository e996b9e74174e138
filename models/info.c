/* models/info.c: one list of facts, written as lines or as JSON. */
#include "models/info.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct writer {
    FILE *to; /* a memory stream */
    bool json, first;
} writer;

/* A JSON string; other bytes than control characters, quotes and backslashes pass (names are UTF-8). */
static void put_string(writer *w, const char *text) {
    fputc('"', w->to);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') fprintf(w->to, "\\%c", *text);
        else if ((unsigned char)*text < 0x20) fprintf(w->to, "\\u%04x", (unsigned)*text);
        else fputc(*text, w->to);
    }
    fputc('"', w->to);
}

/* Text goes to a terminal: a name must not move its cursor. */
static void put_plain(writer *w, const char *text) {
    for (; *text != '\0'; text++) fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, w->to);
}

static void key(writer *w, const char *name) {
    if (w->json) fprintf(w->to, "%s\"%s\":", w->first ? "" : ",", name);
    else fprintf(w->to, "%-18s ", name);
    w->first = false;
}

static void put_text(writer *w, const char *name, const char *value) {
    key(w, name);
    if (w->json) put_string(w, value);
    else {
        put_plain(w, value);
        fputc('\n', w->to);
    }
}

static void put_number(writer *w, const char *name, int64_t value) {
    key(w, name);
    fprintf(w->to, w->json ? "%" PRId64 : "%" PRId64 "\n", value);
}

static void put_reals(writer *w, const char *name, const double *values, uint32_t count) {
    key(w, name);
    if (w->json) fputc('[', w->to);
    for (uint32_t i = 0; i < count; i++) fprintf(w->to, "%s%.9g", i == 0 ? "" : w->json ? "," : ", ", values[i]);
    fputs(w->json ? "]" : "\n", w->to);
}

static void put_inputs(writer *w, const ride_model *model) {
    key(w, "features");
    if (w->json) fputc('[', w->to);
    for (uint32_t i = 0; i < model->inputs_count; i++) {
        const ride_model_input *input = &model->inputs[i];
        if (w->json) {
            fprintf(w->to, "%s{\"name\":", i > 0 ? "," : "");
            if (input->name != NULL) put_string(w, input->name);
            else fputs("null", w->to);
            fprintf(w->to, ",\"category\":%s}", input->is_category ? "true" : "false");
        } else if (input->name != NULL) {
            fputs(i > 0 ? ", " : "", w->to);
            put_plain(w, input->name);
        }
    }
    if (w->json) fputc(']', w->to);
    else fputs(model->has_names ? "\n" : "(no names in the file: matched by place)\n", w->to);
}

char *ride_model_info(const ride_model *model, ride_info_form form) {
    char *text = NULL, hash[2 * 32 + 1];
    size_t bytes = 0;
    writer w = {.to = open_memstream(&text, &bytes), .json = form == RIDE_INFO_JSON, .first = true};
    if (w.to == NULL) return NULL;
    for (int i = 0; i < 32; i++) snprintf(hash + 2 * i, 3, "%02x", model->hash[i]);
    if (w.json) fputc('{', w.to);
    put_text(&w, "format", model->format);
    put_text(&w, "encoding", model->encoding);
    put_text(&w, "written_by", model->written_by);
    put_text(&w, "booster", model->booster);
    put_text(&w, "objective", model->objective);
    put_text(&w, "sha256", hash);
    put_number(&w, "file_bytes", (int64_t)model->file_bytes);
    put_number(&w, "trees", model->trees_count);
    put_number(&w, "trees_in_file", model->trees_in_file);
    if (model->best_iteration >= 0) put_number(&w, "best_iteration", model->best_iteration);
    put_number(&w, "leaves", model->leaves_count);
    put_number(&w, "nodes", model->nodes_count - model->nodes_unreachable);
    put_number(&w, "nodes_pruned", model->nodes_unreachable);
    put_number(&w, "depth", model->depth_max);
    put_number(&w, "category_sets", model->sets_count);
    put_number(&w, "outputs", model->outputs_count);
    put_reals(&w, "base_score", model->base_scores, model->outputs_count);
    put_reals(&w, "base_margin", model->base_margins, model->outputs_count);
    put_number(&w, "features_count", model->inputs_count);
    put_inputs(&w, model);
    if (w.json) fputs("}\n", w.to);
    bool failed = ferror(w.to) != 0;
    if (fclose(w.to) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}
