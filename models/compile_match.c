/* models/compile_match.c: a member's inputs meet what feeds them, by name where the model has names, by place where it has none. */
#include "models/compile_internal.h"
#include "models/ensemble_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_BYTES = 400 };

/* "a, b, c … (41)": names up to the room. */
static void list_names(char *text, uint32_t count, const char *(*name_of)(const void *, uint32_t), const void *of) {
    size_t at = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        const char *name = name_of(of, i);
        int more = snprintf(text + at, LIST_BYTES - at, "%s%s", i > 0 ? ", " : "", name != NULL ? name : "?");
        if (more < 0 || at + (size_t)more >= LIST_BYTES - 24) {
            snprintf(text + at, LIST_BYTES - at, " … (%u)", count);
            return;
        }
        at += (size_t)more;
    }
}
static const char *name_of_input(const void *of, uint32_t i) { return ((const ride_model *)of)->inputs[i].name; }
static const char *name_of_source(const void *of, uint32_t i) { return ((const ride_model_source *)of)[i].name; }
static const char *name_of_member(const void *of, uint32_t i) { return ((const ride_ensemble *)of)->members[i].name; }

static ride_status refuse_mismatch(ride_compiler *c, const char *why) {
    const ride_model *model = c->member->model;
    char wants[LIST_BYTES], has[LIST_BYTES], members[LIST_BYTES];
    if (model->has_names) list_names(wants, model->inputs_count, name_of_input, model);
    else snprintf(wants, sizeof wants, "%u inputs without names", model->inputs_count);
    list_names(has, c->vector_count, name_of_source, c->vector);
    if (!c->is_stacker)
        return ride_compile_fault(c, "name the model's features in `vector`",
                                  "%s; the model wants: %s; the vector has: %s", why, wants, has);
    list_names(members, c->ensemble->members_count, name_of_member, c->ensemble);
    return ride_compile_fault(c, "name the stacker's features as its members", "%s; the model wants: %s; members: %s",
                              why, wants, members);
}

static int compare_named(const void *a, const void *b) {
    return strcmp(((const ride_compile_name *)a)->name, ((const ride_compile_name *)b)->name);
}

static ride_status match_named(ride_compiler *c) {
    const ride_model *model = c->member->model;
    ride_compile_name *sorted = malloc((c->vector_count + 1) * sizeof *sorted);
    if (sorted == NULL) return ride_compile_no_memory(c);
    uint32_t count = 0, missing = 0, first = 0;
    for (uint32_t i = 0; i < c->vector_count; i++) /* members without names make a vector without names */
        if (c->vector[i].name != NULL) sorted[count++] = (ride_compile_name){c->vector[i].name, i};
    qsort(sorted, count, sizeof *sorted, compare_named);
    for (uint32_t i = 0; i < model->inputs_count; i++) {
        ride_compile_name key = {model->inputs[i].name, 0};
        const uint32_t answer =
            c->is_stacker ? ride_ensemble_find_answer(c->ensemble, key.name) : RIDE_ENSEMBLE_NO_ANSWER;
        const ride_compile_name *found = bsearch(&key, sorted, count, sizeof *sorted, compare_named);
        if (answer != RIDE_ENSEMBLE_NO_ANSWER) c->inputs[i] = answer;
        else if (found != NULL) c->inputs[i] = found->index + (c->is_stacker ? c->answers_count : 0);
        else if (missing++ == 0) first = i;
    }
    free(sorted);
    if (missing == 0) return RIDE_OK;
    char why[160];
    snprintf(why, sizeof why, "the vector lacks %u of the model's features, first `%.80s`", missing,
             model->inputs[first].name);
    return refuse_mismatch(c, why);
}

static ride_status match_inputs(ride_compiler *c) {
    const ride_model *model = c->member->model;
    if (model->has_names) return match_named(c);
    const uint32_t count = c->is_stacker ? c->answers_count : c->vector_count;
    if (model->inputs_count != count)
        return refuse_mismatch(
            c, c->is_stacker ? "the model has no names, and another number of inputs than the members have answers"
                             : "the model has no names and another number of inputs");
    for (uint32_t i = 0; i < model->inputs_count; i++) c->inputs[i] = i;
    return RIDE_OK;
}

static int compare_first(const void *a, const void *b) {
    const ride_compile_name *x = a, *y = b;
    const int differ = strcmp(x->name, y->name);
    return differ != 0 ? differ : (x->index > y->index) - (x->index < y->index);
}

ride_status ride_compile_find_name(ride_compiler *c, const char *const *names, uint32_t count, const char *name,
                                   uint32_t *out) {
    if (c->names_of != names || c->names_of_count != count) {
        free(c->names);
        c->names_of = NULL;
        c->names = malloc(((size_t)count + 1) * sizeof *c->names);
        if (c->names == NULL) return ride_compile_no_memory(c);
        for (uint32_t i = 0; i < count; i++) c->names[i] = (ride_compile_name){names[i], i};
        qsort(c->names, count, sizeof *c->names, compare_first);
        c->names_count = 0;
        for (uint32_t i = 0; i < count; i++)
            if (i == 0 || strcmp(c->names[i].name, c->names[c->names_count - 1].name) != 0)
                c->names[c->names_count++] = c->names[i];
        c->names_of = names;
        c->names_of_count = count;
    }
    const ride_compile_name key = {name, 0};
    const ride_compile_name *found = bsearch(&key, c->names, c->names_count, sizeof key, compare_named);
    *out = found != NULL ? found->index : RIDE_COMPILE_NONE;
    return RIDE_OK;
}

/* Then codes are the trainer's, in an order of its own. */
static bool has_names_of_categories(const ride_model *model) {
    for (uint32_t i = 0; i < model->inputs_count; i++)
        if (model->inputs[i].categories != NULL) return true;
    return false;
}

/* Translation of one input's category codes from the model's to the vector's. */
static ride_status match_categories(ride_compiler *c, uint32_t input_index, bool has_category_names) {
    const ride_model *model = c->member->model;
    const ride_model_input *input = &model->inputs[input_index];
    uint32_t entry = c->inputs[input_index];
    if (c->is_stacker && entry < c->answers_count) return RIDE_OK;
    if (c->is_stacker) entry -= c->answers_count;
    const ride_model_source *source = &c->vector[entry];
    if (!input->is_category && source->categories != NULL && has_category_names)
        return ride_compile_fault(c, "make it a categorical feature of the model",
                                  "`%.80s` is a category, which the model tests as a number whose codes are not known",
                                  source->name);
    if (!input->is_category || input->categories == NULL || source->categories == NULL) return RIDE_OK;
    if (model->steps_count > 0)
        return ride_compile_fault(c, NULL, "the names of the categories of `%.80s` are of no use behind a step",
                                  source->name);
    if (input->categories == source->categories && input->categories_count == source->categories_count) return RIDE_OK;
    uint32_t *codes = malloc(input->categories_count * sizeof *codes);
    if (codes == NULL) return ride_compile_no_memory(c);
    c->codes[input_index] = codes;
    for (uint32_t i = 0; i < input->categories_count; i++) codes[i] = RIDE_COMPILE_NONE;
    ride_status st = RIDE_OK;
    for (uint32_t k = 0; k < source->categories_count; k++) {
        uint32_t i;
        RIDE_TRY(ride_compile_find_name(c, input->categories, input->categories_count, source->categories[k], &i));
        if (i != RIDE_COMPILE_NONE) codes[i] = k;
        else
            st = ride_compile_fault(c, NULL, "the model never saw the category `%.80s` of `%.80s`",
                                    source->categories[k], source->name);
    }
    return st;
}

ride_status ride_compile_match(ride_compiler *c) {
    const ride_model *model = c->member->model;
    if (c->vector == NULL) {
        for (uint32_t i = 0; i < model->inputs_count; i++) c->inputs[i] = i;
        return RIDE_OK;
    }
    RIDE_TRY(match_inputs(c));
    const bool has_category_names = has_names_of_categories(model);
    ride_status st = RIDE_OK;
    for (uint32_t i = 0; i < model->inputs_count; i++) {
        ride_status one = match_categories(c, i, has_category_names);
        if (st == RIDE_OK) st = one;
    }
    return st;
}

uint32_t ride_compile_entry(const ride_compiler *c, const char *name) {
    for (uint32_t i = 0; i < c->vector_count; i++)
        if (c->vector[i].name != NULL && strcmp(c->vector[i].name, name) == 0) return i;
    return RIDE_COMPILE_NONE;
}
