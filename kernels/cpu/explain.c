/* kernels/cpu/explain.c: one plain forest by its tables, or an ensemble. */
#include "kernels/cpu/explain_internal.h"

#include "kernels/cpu/matrix.h"

#include <stdlib.h>
#include <string.h>

struct ride_explainer {
    ride_shap *shap; /* or: */
    explain_ensemble *ensemble;
    uint32_t inputs_count, outputs_count;
};

static ride_status make(ride_explainer *e, const ride_cpu_model *model, ride_cpu_isa isa,
                        const ride_explainer_options *options, ride_error *err) {
    const ride_rows *rows = options->background;
    if (rows != NULL && (rows->rows_count == 0 || rows->rows_count > RIDE_SHAP_BACKGROUND_MAX))
        return ride_fail(err, RIDE_E_UNSUPPORTED, "%llu background rows: 1 to %u are taken",
                         (unsigned long long)rows->rows_count, (unsigned)RIDE_SHAP_BACKGROUND_MAX);
    if (model->engine == NULL) {
        const ride_ensemble_header *h = ride_cpu_ensemble_parts(model->ensemble)->view.header;
        e->inputs_count = h->inputs_count;
        e->outputs_count = h->outputs_count;
        return explain_ensemble_create(model->ensemble, isa, options, &e->ensemble, err);
    }
    e->inputs_count = model->forest.header->inputs_count;
    e->outputs_count = model->forest.header->outputs_count;
    ride_shap_options by = {.bytes_max = options->bytes_max};
    ride_cpu_matrix background;
    if (rows != NULL) {
        background = ride_cpu_matrix_of(rows, 0);
        by.background = &background;
        by.background_rows = (uint32_t)rows->rows_count;
    }
    return ride_shap_create(&model->forest, &by, isa, &e->shap, err);
}

ride_status ride_cpu_explainer_create(const ride_cpu_model *model, ride_cpu_isa isa,
                                      const ride_explainer_options *options, ride_explainer **out, ride_error *err) {
    ride_explainer_options known = {0}; /* fields that the caller does not know stay 0 */
    if (options != NULL)
        memcpy(&known, options, options->struct_bytes < sizeof known ? options->struct_bytes : sizeof known);
    *out = NULL;
    ride_explainer *e = calloc(1, sizeof *e);
    if (e == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for an explainer");
    const ride_status st = make(e, model, isa, &known, err);
    if (st == RIDE_OK) *out = e;
    else ride_cpu_explainer_destroy(e);
    return st;
}

void ride_cpu_explainer_destroy(ride_explainer *e) {
    if (e == NULL) return;
    ride_shap_destroy(e->shap);
    explain_ensemble_destroy(e->ensemble);
    free(e);
}

void ride_cpu_explainer_tell(const ride_explainer *e, ride_explainer_figures *out) {
    ride_shap_info info;
    if (e->ensemble != NULL) {
        explain_ensemble_tell(e->ensemble, out);
        return;
    }
    ride_shap_describe(e->shap, &info);
    *out = (ride_explainer_figures){.bytes = info.bytes, .groups = info.groups, .deep_leaves = info.deep_leaves};
}

uint32_t ride_cpu_explain_inputs(const ride_explainer *e) { return e->inputs_count; }
uint32_t ride_cpu_explain_outputs(const ride_explainer *e) { return e->outputs_count; }

size_t ride_cpu_explain_scratch_bytes(const ride_explainer *e) {
    const size_t bytes =
        e->ensemble != NULL ? explain_ensemble_scratch_bytes(e->ensemble) : ride_shap_scratch_bytes(e->shap);
    return (bytes + 63) / 64 * 64;
}

void ride_cpu_explain_rows(const ride_explainer *e, void *scratch, const ride_cpu_matrix *matrix, size_t rows_count,
                           double *phi) {
    if (e->ensemble != NULL) explain_ensemble_rows(e->ensemble, scratch, matrix, rows_count, phi);
    else ride_shap_rows(e->shap, scratch, matrix, rows_count, phi);
}
