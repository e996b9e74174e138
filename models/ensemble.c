/* models/ensemble.c: ensembles, whoever read them: what members ask of each other, and the inputs that they have together. */
#include "models/ensemble.h"

#include "lib/hash.h"
#include "models/ensemble_internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ride_status ride_ensemble_create(const char *path, size_t arena_bytes_max, ride_ensemble **out,
                                 ride_diagnostics *findings) {
    ride_arena *arena = NULL;
    ride_error err;
    *out = NULL;
    ride_status st = ride_arena_create(4096, arena_bytes_max, &arena, &err);
    ride_ensemble *ensemble = st == RIDE_OK ? ride_arena_new(arena, ride_ensemble, 1) : NULL;
    if (ensemble == NULL || (ensemble->path = ride_arena_text(arena, path, strlen(path))) == NULL) {
        ride_arena_destroy(arena);
        return ride_diagnose(findings, RIDE_E_MEMORY, path, 0, 0, NULL, "no memory for an ensemble");
    }
    ensemble->arena = arena;
    *out = ensemble;
    return RIDE_OK;
}

void ride_ensemble_drop_nodes(ride_ensemble *ensemble) {
    for (uint32_t m = 0; m < ensemble->members_count + ensemble->has_stacker; m++) {
        ride_model *model = ensemble->members[m].model;
        ride_model_drop_nodes(model, model->arena != NULL ? model->arena : ensemble->arena);
    }
}

void ride_ensemble_destroy(ride_ensemble *ensemble) {
    if (ensemble == NULL) return;
    for (uint32_t m = 0; ensemble->members != NULL && m < ensemble->members_count + ensemble->has_stacker; m++)
        ride_model_destroy(ensemble->members[m].model);
    ride_arena *arena = ensemble->arena; /* the ensemble itself lies in it */
    ride_arena_destroy(arena);
}

/* ---- checks ---- */

typedef struct finisher {
    ride_ensemble *ensemble;
    ride_diagnostics *findings;
    ride_status status; /* of the first finding */
} finisher;

static void fault(finisher *f, const ride_model_member *member, const char *advice, const char *format, ...)
    RIDE_PRINTF(4, 5);
static void fault(finisher *f, const ride_model_member *member, const char *advice, const char *format, ...) {
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const ride_status st = member != NULL
                               ? ride_diagnose(f->findings, RIDE_E_MODEL, f->ensemble->path, member->line,
                                               member->column, advice, "member `%.60s`: %s", member->name, text)
                               : ride_diagnose(f->findings, RIDE_E_MODEL, f->ensemble->path, 0, 0, advice, "%s", text);
    if (f->status == RIDE_OK) f->status = st;
}

static const char *combine_name(ride_combine combine) {
    static const char *const names[RIDE_COMBINES] = {"?",    "one",   "mean",    "logit_mean", "rank_mean",
                                                     "vote", "stack", "cascade", "segment"};
    return names[combine];
}

static void check_outputs(finisher *f) {
    ride_ensemble *e = f->ensemble;
    const bool is_stack = e->combine == RIDE_COMBINE_STACK;
    const bool may_have_several = e->combine == RIDE_COMBINE_ONE || e->combine == RIDE_COMBINE_MEAN ||
                                  e->combine == RIDE_COMBINE_VOTE || is_stack;
    e->outputs_count = e->members[is_stack ? e->members_count : 0].model->outputs_count;
    for (uint32_t m = 0; m < e->members_count + e->has_stacker; m++) {
        const ride_model_member *member = &e->members[m];
        const uint32_t outputs = member->model->outputs_count;
        if (!may_have_several && outputs != 1)
            fault(f, member, NULL, "%u outputs; `%s` combines models of one", outputs, combine_name(e->combine));
        else if (!is_stack && outputs != e->outputs_count)
            fault(f, member, NULL, "%u outputs, `%.60s` has %u", outputs, e->members[0].name, e->outputs_count);
        if (outputs != 1 && member->calibration.kind != RIDE_CALIBRATION_NONE)
            fault(f, member, NULL, "a calibration is of one output, and there are %u", outputs);
        if (e->combine == RIDE_COMBINE_RANK_MEAN && member->quantiles_count == 0)
            fault(f, member, "give `quantiles` of its answers", "`rank_mean` needs to know where an answer lies");
        if (e->combine != RIDE_COMBINE_RANK_MEAN && member->quantiles_count > 0)
            fault(f, member, NULL, "`quantiles` are of `rank_mean` only");
    }
    if (e->outputs_count != 1 && e->calibration.kind != RIDE_CALIBRATION_NONE)
        fault(f, NULL, NULL, "a calibration of the result is of one output, and there are %u", e->outputs_count);
    if (e->combine == RIDE_COMBINE_CASCADE && e->members_count < 2)
        fault(f, NULL, "name the members that are asked within the band", "a cascade of one member");
}

/* Members of one name could not be told apart. */
static void check_names(finisher *f) {
    const ride_ensemble *e = f->ensemble;
    for (uint32_t m = 0; m < e->members_count; m++)
        for (uint32_t k = 0; k < m; k++)
            if (strcmp(e->members[m].name, e->members[k].name) == 0)
                fault(f, &e->members[m], NULL, "the name is there twice");
}

/* ---- inputs ---- */

typedef struct named {
    const char *name;
    uint64_t order;
    const ride_model_input *input;
} named;
static int by_name(const void *a, const void *b) {
    const named *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    return order != 0 ? order : x->order < y->order ? -1 : x->order > y->order;
}
static int by_order(const void *a, const void *b) {
    const named *x = a, *y = b;
    return x->order < y->order ? -1 : x->order > y->order;
}

uint32_t ride_ensemble_find_answer(const ride_ensemble *ensemble, const char *name) {
    uint32_t first = 0;
    for (uint32_t m = 0; m < ensemble->members_count; m++) {
        const ride_model_member *member = &ensemble->members[m];
        const uint32_t outputs = member->model->outputs_count;
        const size_t bytes = strlen(member->name);
        if (strncmp(name, member->name, bytes) == 0) {
            if (name[bytes] == '\0' && outputs == 1) return first;
            char number[16];
            for (uint32_t o = 0; o < outputs && name[bytes] == '.'; o++) {
                snprintf(number, sizeof number, "%u", o);
                if (strcmp(name + bytes + 1, number) == 0) return first + o;
            }
        }
        first += outputs;
    }
    return RIDE_ENSEMBLE_NO_ANSWER;
}

/* Each name once, in order of appearance; the first member that names the categories of an input says which codes they have. */
static void join_names(finisher *f, named *all, uint64_t count) {
    ride_ensemble *e = f->ensemble;
    uint64_t kept = 0;
    qsort(all, count, sizeof *all, by_name);
    ride_model_input *inputs = ride_arena_new(e->arena, ride_model_input, count + 1);
    if (inputs == NULL) {
        fault(f, NULL, NULL, "no memory for %llu inputs", (unsigned long long)count);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        if (kept > 0 && strcmp(all[kept - 1].name, all[i].name) == 0) continue;
        all[kept++] = all[i];
    }
    for (uint64_t i = 0; i < kept; i++) all[i].input = NULL;
    qsort(all, kept, sizeof *all, by_order);
    if (kept > RIDE_FOREST_INPUTS_MAX) {
        fault(f, NULL, NULL, "%llu inputs together, at most %d", (unsigned long long)kept, RIDE_FOREST_INPUTS_MAX);
        return;
    }
    for (uint64_t i = 0; i < kept; i++) inputs[i].name = all[i].name;
    e->inputs = inputs;
    e->inputs_count = (uint32_t)kept;
    e->has_names = true;
}

static int compare_input(const void *key, const void *element) {
    return strcmp(key, (*(const ride_model_input *const *)element)->name);
}
static int compare_inputs(const void *a, const void *b) {
    return strcmp((*(const ride_model_input *const *)a)->name, (*(const ride_model_input *const *)b)->name);
}

/* What the members know of each input. */
static void join_categories(finisher *f) {
    ride_ensemble *e = f->ensemble;
    ride_model_input **sorted = calloc((size_t)e->inputs_count + 1, sizeof *sorted);
    if (sorted == NULL) {
        fault(f, NULL, NULL, "no memory for %u inputs", e->inputs_count);
        return;
    }
    ride_model_input *inputs = (ride_model_input *)e->inputs;
    for (uint32_t i = 0; i < e->inputs_count; i++) sorted[i] = &inputs[i];
    qsort(sorted, e->inputs_count, sizeof *sorted, compare_inputs);
    for (uint32_t m = 0; m < e->members_count + e->has_stacker; m++) {
        const ride_model *model = e->members[m].model;
        for (uint32_t i = 0; model->has_names && i < model->inputs_count; i++) {
            ride_model_input **found =
                bsearch(model->inputs[i].name, sorted, e->inputs_count, sizeof *sorted, compare_input);
            if (found == NULL) continue; /* an answer */
            (*found)->is_category |= model->inputs[i].is_category;
            if ((*found)->categories != NULL || model->inputs[i].categories == NULL) continue;
            (*found)->categories = model->inputs[i].categories;
            (*found)->categories_count = model->inputs[i].categories_count;
        }
    }
    free(sorted);
}

/* All members without names: matched by place, so they have the same number. */
static void join_places(finisher *f) {
    ride_ensemble *e = f->ensemble;
    const ride_model *first = e->members[0].model;
    e->inputs = first->inputs;
    e->inputs_count = first->inputs_count;
    e->has_names = false;
    for (uint32_t m = 1; m < e->members_count; m++)
        if (e->members[m].model->inputs_count != first->inputs_count)
            fault(f, &e->members[m], "name its inputs with `inputs`",
                  "%u inputs without names, and `%.60s` has %u: which are which is not known",
                  e->members[m].model->inputs_count, e->members[0].name, first->inputs_count);
    if (e->combine == RIDE_COMBINE_SEGMENT)
        fault(f, NULL, "name the members' inputs with `inputs`",
              "a segment is told by an input's name, and the members have none");
}

static void join_inputs(finisher *f) {
    ride_ensemble *e = f->ensemble;
    uint64_t count = 0, with_names = 0;
    if (e->combine == RIDE_COMBINE_ONE) {
        e->inputs = e->members[0].model->inputs;
        e->inputs_count = e->members[0].model->inputs_count;
        e->has_names = e->members[0].model->has_names;
        return;
    }
    for (uint32_t m = 0; m < e->members_count; m++) with_names += e->members[m].model->has_names;
    if (with_names == 0) {
        join_places(f);
        return;
    }
    for (uint32_t m = 0; m < e->members_count; m++)
        if (!e->members[m].model->has_names)
            fault(f, &e->members[m], "name its inputs with `inputs`",
                  "no names of inputs, and other members have such");
    for (uint32_t m = 0; m < e->members_count + e->has_stacker; m++) count += e->members[m].model->inputs_count;
    named *all = f->status == RIDE_OK ? calloc(count + 2, sizeof *all) : NULL;
    if (all == NULL) {
        if (f->status == RIDE_OK) fault(f, NULL, NULL, "no memory for %llu inputs", (unsigned long long)count);
        return;
    }
    uint64_t at = 0;
    for (uint32_t m = 0; m < e->members_count + e->has_stacker; m++) {
        const ride_model *model = e->members[m].model;
        for (uint32_t i = 0; model->has_names && i < model->inputs_count; i++) {
            if (m == e->members_count && ride_ensemble_find_answer(e, model->inputs[i].name) != RIDE_ENSEMBLE_NO_ANSWER)
                continue;
            all[at] = (named){.name = model->inputs[i].name, .order = at};
            at++;
        }
    }
    if (e->combine == RIDE_COMBINE_SEGMENT) {
        all[at] = (named){.name = e->segment_input, .order = at};
        at++;
    }
    join_names(f, all, at);
    free(all);
    if (f->status == RIDE_OK) join_categories(f);
}

/* ---- the rest ---- */

static ride_status hash(ride_ensemble *e, const void *text, size_t bytes) {
    ride_sha256_stream *stream = ride_sha256_create();
    if (stream == NULL) return RIDE_E_MEMORY;
    ride_sha256_add(stream, text, bytes);
    for (uint32_t m = 0; m < e->members_count + e->has_stacker; m++)
        ride_sha256_add(stream, e->members[m].model->hash, sizeof e->members[m].model->hash);
    ride_sha256_finish(stream, e->hash);
    return RIDE_OK;
}

ride_status ride_ensemble_finish(ride_ensemble *ensemble, const void *text, size_t bytes, ride_diagnostics *findings) {
    finisher f = {.ensemble = ensemble, .findings = findings};
    check_names(&f);
    check_outputs(&f);
    join_inputs(&f);
    const ride_model_member *first = &ensemble->members[0];
    const bool is_float =
        ensemble->combine == RIDE_COMBINE_ONE && ensemble->calibration.kind == RIDE_CALIBRATION_NONE &&
        first->calibration.kind == RIDE_CALIBRATION_NONE && first->model->sum_number == RIDE_FOREST_F32;
    ensemble->number = is_float ? RIDE_FOREST_F32 : RIDE_FOREST_F64;
    if (text == NULL) memcpy(ensemble->hash, first->model->hash, sizeof ensemble->hash);
    else if (hash(ensemble, text, bytes) != RIDE_OK) fault(&f, NULL, NULL, "no memory for a hash");
    return f.status;
}

ride_status ride_ensemble_of_model(ride_model *model, const char *path, ride_ensemble **out,
                                   ride_diagnostics *findings) {
    ride_ensemble *ensemble = NULL;
    ride_status st = ride_ensemble_create(path, 0, &ensemble, findings);
    if (st == RIDE_OK && (ensemble->members = ride_arena_new(ensemble->arena, ride_model_member, 1)) == NULL)
        st = ride_diagnose(findings, RIDE_E_MEMORY, path, 0, 0, NULL, "no memory for an ensemble");
    *out = NULL;
    if (st != RIDE_OK) {
        ride_model_destroy(model);
        ride_ensemble_destroy(ensemble);
        return st;
    }
    ensemble->combine = RIDE_COMBINE_ONE;
    ensemble->members[0] = (ride_model_member){.name = "model", .model = model, .weight = 1.0};
    ensemble->members_count = 1;
    st = ride_ensemble_finish(ensemble, NULL, 0, findings);
    if (st == RIDE_OK) *out = ensemble;
    else ride_ensemble_destroy(ensemble);
    return st;
}
