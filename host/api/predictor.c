/* api/predictor.c: a model file → a predictor. What is asked about a model later is copied from it; the model itself goes. */
#include "api/api.h"
#include "backend/registry.h"
#include "models/info.h"

#include <stdlib.h>
#include <string.h>

static int compare_names(const void *a, const void *b) {
    return strcmp(((const api_name *)a)->name, ((const api_name *)b)->name);
}

int64_t api_find(const api_name *sorted, uint32_t count, const char *name, size_t name_bytes) {
    uint32_t low = 0, high = count;
    if (name_bytes > 0 && memchr(name, '\0', name_bytes) != NULL) return -1; /* no name of ours holds one */
    while (sorted != NULL && low < high) {
        const uint32_t middle = low + (high - low) / 2;
        int order = strncmp(name, sorted[middle].name, name_bytes);
        if (order == 0 && sorted[middle].name[name_bytes] != '\0') order = -1;
        if (order == 0) return sorted[middle].index;
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return -1;
}

/* Names of `count` things, by index and sorted. */
static ride_status keep_names(ride_predictor *p, const char *const *names, uint32_t count, const char *const **by_index,
                              api_name **sorted, ride_error *err) {
    const char **kept = ride_arena_new(p->arena, const char *, count + 1);
    api_name *order = ride_arena_new(p->arena, api_name, count + 1);
    if (kept == NULL || order == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the model's names");
    for (uint32_t i = 0; i < count; i++) {
        kept[i] = ride_arena_text(p->arena, names[i], strlen(names[i]));
        if (kept[i] == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the model's names");
        order[i] = (api_name){kept[i], i};
    }
    qsort(order, count, sizeof *order, compare_names);
    *by_index = kept;
    *sorted = order;
    return RIDE_OK;
}

static ride_status keep_inputs(ride_predictor *p, const ride_ensemble *model, ride_error *err) {
    const char **names = calloc((size_t)model->inputs_count + 1, sizeof *names);
    const char *const *kept = NULL;
    p->inputs = ride_arena_new(p->arena, api_input, (size_t)model->inputs_count + 1);
    ride_status st = names != NULL && p->inputs != NULL
                         ? RIDE_OK
                         : ride_fail(err, RIDE_E_MEMORY, "no memory for %u inputs", model->inputs_count);
    for (uint32_t i = 0; st == RIDE_OK && i < model->inputs_count; i++) {
        const ride_model_input *from = &model->inputs[i];
        api_input *to = &p->inputs[i];
        *to = (api_input){.is_category = from->is_category};
        names[i] = from->name;
        if (from->categories == NULL) continue;
        to->categories_count = from->categories_count;
        st = keep_names(p, from->categories, from->categories_count, &to->categories, &to->categories_sorted, err);
    }
    if (st == RIDE_OK && model->has_names) {
        st = keep_names(p, names, model->inputs_count, &kept, &p->names_sorted, err);
        for (uint32_t i = 0; st == RIDE_OK && i < model->inputs_count; i++) p->inputs[i].name = kept[i];
    }
    free(names);
    return st;
}

static ride_status make(ride_predictor *p, ride_ensemble *model, ride_diagnostics *findings, ride_error *err) {
    const ride_backend_ops *ops;
    ride_device *device;
    RIDE_TRY(ride_backend_here(&ops, &device, err));
    RIDE_TRY(ride_arena_create(4096, 0, &p->arena, err));
    p->info = ride_ensemble_info(model, RIDE_INFO_JSON);
    if (p->info == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the model's description");
    RIDE_TRY(keep_inputs(p, model, err));
    RIDE_TRY(ride_model_rows_create_last(model, ops, device, &p->rows, findings));
    p->shape = *ride_model_rows_shape(p->rows);
    return RIDE_OK;
}

/* path NULL: from memory. */
static ride_result load(ride_context *context, const char *path, const void *data, size_t bytes, const char *name,
                        const ride_load_options *given, ride_predictor **out) {
    ride_load_options known;
    ride_ensemble *model = NULL;
    ride_error err = {0};
    if (out != NULL) *out = NULL;
    if (context == NULL) return RIDE_RESULT_ARGUMENT;
    api_begin(context);
    if (out == NULL || (path == NULL && (data == NULL || name == NULL)))
        return api_fail(context, RIDE_RESULT_ARGUMENT, "a pointer is NULL");
    const ride_result read = api_options(context, given, &known, sizeof known);
    if (read != RIDE_RESULT_OK) return read;
    const ride_model_options options = {.bytes_max = known.bytes_max,
                                        .trees_max = known.trees_max,
                                        .nodes_max = known.nodes_max,
                                        .best_iteration = known.best_iteration != 0,
                                        .no_files = path == NULL};
    ride_diagnostics *findings = malloc(sizeof *findings);
    ride_predictor *p = calloc(1, sizeof *p);
    ride_result result = RIDE_RESULT_OK;
    if (findings == NULL || p == NULL) result = api_fail(context, RIDE_RESULT_MEMORY, "no memory for a model");
    if (findings != NULL) ride_diagnostics_init(findings);
    if (findings != NULL && p != NULL) {
        ride_status st = path != NULL ? ride_ensemble_load(path, &options, &model, findings)
                                      : ride_ensemble_parse(name, data, bytes, &options, &model, findings);
        if (st == RIDE_OK) st = make(p, model, findings, &err);
        if (st != RIDE_OK)
            result = findings->count > 0 ? api_fail_findings(context, findings) : api_fail_error(context, &err);
    }
    ride_ensemble_destroy(model);
    if (findings != NULL) ride_diagnostics_free(findings);
    free(findings);
    if (result == RIDE_RESULT_OK) *out = p;
    else ride_unload(p);
    return result;
}

ride_result ride_load(ride_context *context, const char *path, const ride_load_options *options, ride_predictor **out) {
    if (context != NULL && path == NULL) {
        if (out != NULL) *out = NULL;
        api_begin(context);
        return api_fail(context, RIDE_RESULT_ARGUMENT, "the path is NULL");
    }
    return load(context, path, NULL, 0, NULL, options, out);
}

ride_result ride_load_memory(ride_context *context, const void *data, size_t bytes, const char *name,
                             const ride_load_options *options, ride_predictor **out) {
    return load(context, NULL, data, bytes, name, options, out);
}

void ride_unload(ride_predictor *p) {
    if (p == NULL) return;
    ride_model_rows_destroy(p->rows);
    ride_arena_destroy(p->arena);
    free(p->info);
    free(p);
}

/* ---- what a model is ---- */

uint32_t ride_inputs_count(const ride_predictor *p) { return p->shape.columns_count; }
uint32_t ride_outputs_count(const ride_predictor *p) { return p->shape.outputs_count; }
ride_number ride_input_number(const ride_predictor *p) {
    return p->shape.in_type == RIDE_TYPE_F32 ? RIDE_NUMBER_F32 : RIDE_NUMBER_F64;
}
ride_number ride_output_number(const ride_predictor *p) {
    return p->shape.out_type == RIDE_TYPE_F32 ? RIDE_NUMBER_F32 : RIDE_NUMBER_F64;
}
const char *ride_input_name(const ride_predictor *p, uint32_t input) {
    return input < p->shape.columns_count ? p->inputs[input].name : NULL;
}
int64_t ride_input_find(const ride_predictor *p, const char *name) {
    return name != NULL ? api_find(p->names_sorted, p->shape.columns_count, name, strlen(name)) : -1;
}
int ride_input_is_category(const ride_predictor *p, uint32_t input) {
    return input < p->shape.columns_count && p->inputs[input].is_category;
}
uint32_t ride_input_categories_count(const ride_predictor *p, uint32_t input) {
    return input < p->shape.columns_count ? p->inputs[input].categories_count : 0;
}
const char *ride_input_category(const ride_predictor *p, uint32_t input, uint32_t code) {
    return code < ride_input_categories_count(p, input) ? p->inputs[input].categories[code] : NULL;
}
const char *ride_info(const ride_predictor *p) { return p->info; }
