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

static void put_inputs(writer *w, const ride_model_input *inputs, uint32_t count, bool has_names) {
    key(w, "features");
    if (w->json) fputc('[', w->to);
    for (uint32_t i = 0; i < count; i++) {
        const ride_model_input *input = &inputs[i];
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
    else fputs(has_names ? "\n" : "(no names in the file: matched by place)\n", w->to);
}

/* "impute 30, scale 30, layer 30 to 64 relu, …": what is done before the trees, or in place of them. */
static void put_steps(writer *w, const ride_model *model) {
    static const char *const kinds[RIDE_STEPS] = {"?",         "impute",    "scale", "scale",  "scale",    "normalize",
                                                  "normalize", "normalize", "layer", "select", "normalize"};
    static const char *const activations[RIDE_ACTIVATIONS] = {"", " relu", " sigmoid", " tanh", " softmax"};
    key(w, "steps");
    if (w->json) fputc('[', w->to);
    for (uint32_t i = 0; i < model->steps_count; i++) {
        const ride_model_step *step = &model->steps[i];
        const char *kind = (unsigned)step->kind < RIDE_STEPS ? kinds[step->kind] : "?";
        const char *activation = (unsigned)step->activation < RIDE_ACTIVATIONS ? activations[step->activation] : " ?";
        if (w->json)
            fprintf(w->to, "%s{\"kind\":\"%s\",\"inputs\":%u,\"outputs\":%u,\"activation\":\"%s\"}", i > 0 ? "," : "",
                    kind, step->inputs, step->outputs, activation + (*activation == ' '));
        else if (step->inputs == step->outputs && step->kind != RIDE_STEP_DENSE)
            fprintf(w->to, "%s%s %u", i > 0 ? ", " : "", kind, step->inputs);
        else fprintf(w->to, "%s%s %u to %u%s", i > 0 ? ", " : "", kind, step->inputs, step->outputs, activation);
    }
    fputs(w->json ? "]" : "\n", w->to);
}

static void put_hash(writer *w, const uint8_t hash[32]) {
    char text[2 * 32 + 1];
    for (int i = 0; i < 32; i++) snprintf(text + 2 * i, 3, "%02x", hash[i]);
    put_text(w, "sha256", text);
}

static void put_model(writer *w, const ride_model *model) {
    put_text(w, "format", model->format);
    put_text(w, "encoding", model->encoding);
    put_text(w, "written_by", model->written_by);
    put_text(w, "booster", model->booster);
    put_text(w, "objective", model->objective);
    put_hash(w, model->hash);
    put_number(w, "file_bytes", (int64_t)model->file_bytes);
    if (model->steps_count > 0) put_steps(w, model);
    put_number(w, "trees", model->trees_count);
    put_number(w, "trees_in_file", model->trees_in_file);
    if (model->best_iteration >= 0) put_number(w, "best_iteration", model->best_iteration);
    put_number(w, "leaves", model->leaves_count);
    if (model->lines_count > 0) put_number(w, "linear_leaves", model->lines_count);
    put_number(w, "nodes", model->nodes_count - model->nodes_unreachable);
    put_number(w, "nodes_pruned", model->nodes_unreachable);
    put_number(w, "depth", model->depth_max);
    put_number(w, "category_sets", model->sets_count);
    put_number(w, "outputs", model->outputs_count);
    if (model->base_scores != NULL) put_reals(w, "base_score", model->base_scores, model->outputs_count);
    if (model->base_margins != NULL) put_reals(w, "base_margin", model->base_margins, model->outputs_count);
    put_number(w, "features_count", model->inputs_count);
    put_inputs(w, model->inputs, model->inputs_count, model->has_names);
}

static void put_member(writer *w, const ride_model_member *member) {
    static const char *const calibrations[] = {"none", "platt", "isotonic"};
    put_text(w, "member", member->name);
    put_reals(w, "weight", &member->weight, 1);
    put_text(w, "calibration", calibrations[member->calibration.kind]);
    put_model(w, member->model);
}

static void put_ensemble(writer *w, const ride_ensemble *e) {
    static const char *const combinations[RIDE_COMBINES] = {"?",    "one",   "mean",    "logit_mean", "rank_mean",
                                                            "vote", "stack", "cascade", "segment"};
    static const char *const calibrations[] = {"none", "platt", "isotonic"};
    put_text(w, "format", "ensemble");
    put_text(w, "combine", combinations[e->combine]);
    put_hash(w, e->hash);
    put_text(w, "calibration", calibrations[e->calibration.kind]);
    put_number(w, "outputs", e->outputs_count);
    put_number(w, "members_count", e->members_count);
    put_number(w, "features_count", e->inputs_count);
    put_inputs(w, e->inputs, e->inputs_count, e->has_names);
    if (w->json) {
        key(w, "members");
        fputc('[', w->to);
    }
    for (uint32_t m = 0; m < e->members_count + e->has_stacker; m++) {
        fputs(w->json ? m > 0 ? ",{" : "{" : "\n", w->to);
        w->first = true;
        put_member(w, &e->members[m]);
        if (w->json) fputc('}', w->to);
    }
    if (w->json) fputc(']', w->to);
}

/* One of model and ensemble. */
static char *describe(const ride_model *model, const ride_ensemble *ensemble, ride_info_form form) {
    char *text = NULL;
    size_t bytes = 0;
    writer w = {.to = open_memstream(&text, &bytes), .json = form == RIDE_INFO_JSON, .first = true};
    if (w.to == NULL) return NULL;
    if (w.json) fputc('{', w.to);
    if (model != NULL) put_model(&w, model);
    else put_ensemble(&w, ensemble);
    if (w.json) fputs("}\n", w.to);
    bool failed = ferror(w.to) != 0;
    if (fclose(w.to) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

char *ride_model_info(const ride_model *model, ride_info_form form) { return describe(model, NULL, form); }
char *ride_ensemble_info(const ride_ensemble *ensemble, ride_info_form form) {
    const bool is_plain = !ensemble->is_manifest && ensemble->combine == RIDE_COMBINE_ONE;
    return is_plain ? describe(ensemble->members[0].model, NULL, form) : describe(NULL, ensemble, form);
}
