/* engine/service_infer.c: see service_infer.h. */
#include "engine/service_infer.h"

#include "backend/registry.h"
#include "models/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_ROWS = 64 };

struct service_infer {
    ride_spec *spec;
    ride_infer_model model;
    ride_infer_tensor tensors[RIDE_FIELDS_MAX];
    ride_model_rows *scorer; /* NULL: vectors cannot be scored */
    void *scratch;
    uint32_t *column_of; /* [inputs_count] place of each of the model's inputs in the vector */
    uint32_t inputs_count;
    double *block; /* BLOCK_ROWS rows of inputs */
};

static const char *datatype(const ride_field *field) {
    switch ((ride_field_type)field->type) {
    case RIDE_FIELD_U8: return "UINT8";
    case RIDE_FIELD_U16: return "UINT16";
    case RIDE_FIELD_U32: return "UINT32";
    case RIDE_FIELD_U64: return "UINT64";
    case RIDE_FIELD_I8: return "INT8";
    case RIDE_FIELD_I16: return "INT16";
    case RIDE_FIELD_I32: return "INT32";
    case RIDE_FIELD_I64: return "INT64";
    case RIDE_FIELD_F32: return "FP32";
    case RIDE_FIELD_F64:
    case RIDE_FIELD_DECIMAL: return "FP64";
    case RIDE_FIELD_BOOL: return "BOOL";
    case RIDE_FIELD_TIMESTAMP: return field->unit == RIDE_UNIT_ISO8601 ? "BYTES" : "INT64";
    case RIDE_FIELD_STRING:
    case RIDE_FIELD_CATEGORY: break;
    }
    return "BYTES";
}

/* The server's thread: one at a time. */
static ride_status score_vectors(void *context, const double *rows, uint32_t rows_count, double *margin,
                                 double *probability, ride_error *err) {
    service_infer *infer = context;
    const uint32_t inputs_count = infer->inputs_count;
    for (uint32_t first = 0; first < rows_count; first += BLOCK_ROWS) {
        const uint32_t count = rows_count - first < BLOCK_ROWS ? rows_count - first : BLOCK_ROWS;
        for (uint32_t r = 0; r < count; r++) {
            const double *from = rows + (size_t)(first + r) * infer->model.vector_count;
            for (uint32_t i = 0; i < inputs_count; i++)
                infer->block[(size_t)r * inputs_count + i] = from[infer->column_of[i]];
        }
        const ride_rows block = {.values = infer->block,
                                 .type = RIDE_TYPE_F64,
                                 .out_type = RIDE_TYPE_F64,
                                 .rows_count = count,
                                 .row_stride = inputs_count,
                                 .column_stride = 1,
                                 .margins = margin + first,
                                 .answers = probability + first};
        const ride_status st = ride_model_rows_score(infer->scorer, &block, infer->scratch);
        if (st != RIDE_OK) return ride_fail(err, st, "the vectors cannot be scored");
    }
    return RIDE_OK;
}

/* Where each input of the model is in the vector; false: not all of them are plain entries of it. */
static bool match_inputs(service_infer *infer, const ride_ensemble *model) {
    const ride_spec *spec = infer->spec;
    if (model->outputs_count != 1 || (!model->has_names && model->inputs_count != spec->vector_count)) return false;
    for (uint32_t i = 0; i < model->inputs_count; i++) {
        uint32_t v = model->has_names ? 0 : i;
        if (model->inputs[i].is_category) return false; /* its codes are the trainer's, not the spec's */
        while (model->has_names && v < spec->vector_count && strcmp(spec->vector_names[v], model->inputs[i].name) != 0)
            v++;
        if (v == spec->vector_count) return false;
        infer->column_of[i] = v;
    }
    return true;
}

static ride_status open_scorer(service_infer *infer, const ride_run_options *options, ride_diagnostics *findings,
                               ride_error *err) {
    ride_ensemble *model = NULL;
    if (options->model_path == NULL) return RIDE_OK;
    RIDE_TRY(ride_ensemble_load(options->model_path, &options->model_load, &model, findings));
    infer->inputs_count = model->inputs_count;
    infer->column_of = calloc(model->inputs_count + 1, sizeof *infer->column_of);
    infer->block = calloc((size_t)BLOCK_ROWS * (model->inputs_count + 1), sizeof *infer->block);
    ride_status st = RIDE_OK;
    if (infer->column_of == NULL || infer->block == NULL)
        st = ride_fail(err, RIDE_E_MEMORY, "no memory for the inference endpoint");
    else if (match_inputs(infer, model)) {
        const ride_backend_ops *ops;
        ride_device *device;
        st = ride_backend_here(&ops, &device, err);
        if (st == RIDE_OK) st = ride_model_rows_create_last(model, ops, device, &infer->scorer, findings);
        if (st == RIDE_OK && (infer->scratch = ride_model_rows_scratch(infer->scorer)) == NULL)
            st = ride_fail(err, RIDE_E_MEMORY, "no memory for the inference endpoint");
    }
    ride_ensemble_destroy(model);
    return st;
}

ride_status service_infer_create(const ride_run_options *options, const char *name, service_infer **out,
                                 ride_diagnostics *findings, ride_error *err) {
    service_infer *infer = calloc(1, sizeof *infer);
    if (infer == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the inference endpoint");
    ride_status st = ride_spec_load(options->spec_path, &infer->spec, findings);
    if (st == RIDE_OK) st = open_scorer(infer, options, findings, err);
    if (st != RIDE_OK) {
        service_infer_destroy(infer);
        return st;
    }
    const ride_source_spec *events = &infer->spec->sources[infer->spec->source_events];
    uint32_t count = 0;
    for (uint32_t i = 0; i < events->fields_count && count < RIDE_INFER_INPUTS_MAX; i++)
        if (!events->fields[i].hidden)
            infer->tensors[count++] = (ride_infer_tensor){events->fields[i].name, datatype(&events->fields[i])};
    infer->model =
        (ride_infer_model){.name = name,
                           .version = "1",
                           .inputs = infer->tensors,
                           .inputs_count = count,
                           .event_id = events->field_id >= 0 ? events->fields[events->field_id].name : NULL,
                           .has_reasons = options->reasons.when != RIDE_REASONS_NONE && options->model_path != NULL,
                           .vector_count = infer->spec->vector_count,
                           .score_vectors = infer->scorer != NULL ? score_vectors : NULL,
                           .context = infer};
    *out = infer;
    return RIDE_OK;
}

void service_infer_destroy(service_infer *infer) {
    if (infer == NULL) return;
    ride_model_rows_destroy(infer->scorer);
    free(infer->scratch);
    ride_spec_destroy(infer->spec);
    free(infer->column_of);
    free(infer->block);
    free(infer);
}

const ride_infer_model *service_infer_model(const service_infer *infer) { return &infer->model; }
const char *service_infer_key(const service_infer *infer) {
    const ride_spec *spec = infer->spec;
    return spec->entities_count > 0 ? spec->sources[spec->source_events].fields[spec->entities[0].keys[0]].name : NULL;
}
const char *service_infer_source(const service_infer *infer) {
    return infer->spec->sources[infer->spec->source_events].name;
}
