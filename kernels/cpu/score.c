/* kernels/cpu/score.c: the vector's columns gathered from one or two tiles, the engine over them, and the answer of each row. */
#include "kernels/cpu/score.h"

#include "base/assert.h"
#include "kernels/cpu/link.h"
#include "kernels/row/vector.h"
#include "ride/backend.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Where one input comes from. */
typedef struct source {
    uint32_t is_feature;                     /* column of the output tile, else of the input tile */
    uint32_t type;                           /* ride_type */
    uint32_t values_offset, validity_offset; /* as in ride_tile_column */
    double divisor;
} source;

struct ride_cpu_scorer {
    const ride_cpu_model *model;
    bool is_float; /* columns are floats */
    uint32_t in_tile_bytes, out_tile_bytes;
    uint32_t margin_offset, probability_offset; /* of the output tile */
    uint32_t columns_count;
    source sources[]; /* of each column */
};

ride_status ride_cpu_model_create(const ride_bundle *bundle, ride_cpu_isa isa, ride_cpu_model *out, ride_error *err) {
    *out = (ride_cpu_model){.isa = isa};
    if (ride_bundle_has_ensemble(bundle)) return ride_cpu_ensemble_create(bundle, isa, &out->ensemble, err);
    if (!ride_bundle_has_forest(bundle)) return RIDE_OK;
    RIDE_TRY(ride_forest_open(bundle, 0, &out->forest, err));
    return ride_cpu_forest_create(&out->forest, isa, &out->engine, err);
}

void ride_cpu_model_destroy(ride_cpu_model *model) {
    ride_cpu_forest_destroy(model->engine);
    ride_cpu_ensemble_destroy(model->ensemble);
    *model = (ride_cpu_model){0};
}

static ride_status find_source(const ride_bundle *bundle, uint32_t vector_index, const ride_tile_layout *in,
                               const ride_tile_layout *out, source *to, ride_error *err) {
    const ride_plan_vector *entry = &ride_bundle_array(bundle, RIDE_SECTION_VECTOR, ride_plan_vector)[vector_index];
    const ride_plan_column *columns = ride_bundle_array(bundle, RIDE_SECTION_COLUMNS, ride_plan_column);
    const ride_tile_column *column = entry->is_feature ? &out->columns[entry->index] : &in->columns[entry->index];
    if (!ride_vector_type_ok(column->type))
        return ride_fail(err, RIDE_E_MODEL, "vector entry %u is a column without a number", vector_index);
    *to = (source){
        .is_feature = entry->is_feature,
        .type = column->type,
        .values_offset = column->values_offset,
        .validity_offset = column->validity_offset,
        .divisor = column->type == RIDE_TYPE_DECIMAL ? ride_vector_divisor(columns[entry->index].scale) : 1.0,
    };
    return RIDE_OK;
}

ride_status ride_cpu_scorer_create(const ride_bundle *bundle, const ride_cpu_model *model, const ride_tile_layout *in,
                                   const ride_tile_layout *out, ride_cpu_scorer **out_scorer, ride_error *err) {
    const uint32_t *inputs;
    const bool is_forest = model->engine != NULL;
    const uint32_t outputs_count = is_forest ? model->forest.header->outputs_count
                                             : ride_cpu_ensemble_parts(model->ensemble)->view.header->outputs_count;
    const uint32_t count = is_forest ? ride_cpu_forest_inputs(model->engine, &inputs)
                                     : ride_cpu_ensemble_entries(model->ensemble, &inputs);
    *out_scorer = NULL;
    if (outputs_count != 1)
        return ride_fail(err, RIDE_E_UNSUPPORTED, "a model with %u outputs: a decision needs one", outputs_count);
    ride_cpu_scorer *scorer = calloc(1, sizeof *scorer + count * sizeof scorer->sources[0]);
    if (scorer == NULL) return ride_fail(err, RIDE_E_MEMORY, "scorer for %u inputs", count);
    scorer->model = model;
    scorer->is_float = is_forest && model->forest.header->input_number == RIDE_FOREST_F32;
    scorer->columns_count = count;
    scorer->in_tile_bytes = in->tile_bytes;
    scorer->out_tile_bytes = out->tile_bytes;
    scorer->margin_offset = out->columns[bundle->plan->features_count + RIDE_OUT_MARGIN].values_offset;
    scorer->probability_offset = out->columns[bundle->plan->features_count + RIDE_OUT_PROBABILITY].values_offset;
    ride_status st = RIDE_OK;
    for (uint32_t i = 0; i < count && st == RIDE_OK; i++)
        st = find_source(bundle, is_forest ? model->forest.inputs[inputs[i]] : inputs[i], in, out, &scorer->sources[i],
                         err);
    if (st == RIDE_OK) *out_scorer = scorer;
    else free(scorer);
    return st;
}

void ride_cpu_scorer_destroy(ride_cpu_scorer *scorer) { free(scorer); }

RIDE_STATIC_ASSERT((int)RIDE_CPU_SCORE_ROWS == (int)RIDE_CPU_FOREST_ROWS, "a call of the engine is two tiles");

/* Scratch: the columns, then the engine's. */
static size_t columns_bytes(const ride_cpu_scorer *scorer) {
    return (size_t)scorer->columns_count * RIDE_CPU_SCORE_ROWS * (scorer->is_float ? sizeof(float) : sizeof(double));
}

size_t ride_cpu_scorer_scratch_bytes(const ride_cpu_scorer *scorer) {
    const ride_cpu_model *model = scorer->model;
    return columns_bytes(scorer) + (model->engine != NULL ? ride_cpu_forest_scratch_bytes(model->engine)
                                                          : ride_cpu_ensemble_scratch_bytes(model->ensemble));
}

/* One column of a tile's rows. */
static void gather(const source *from, const uint8_t *tile, uint32_t rows_count, bool is_float, void *x) {
    const void *values = tile + from->values_offset;
    const uint8_t *validity = from->validity_offset != 0 ? tile + from->validity_offset : NULL;
    float *floats = x;
    double *doubles = x;
    if (from->type == RIDE_TYPE_F64 && validity == NULL) { /* every feature */
        const double *column = values;
        if (!is_float) memcpy(doubles, column, rows_count * sizeof *doubles);
        else
            for (uint32_t r = 0; r < rows_count; r++) floats[r] = (float)column[r];
        return;
    }
    for (uint32_t r = 0; r < rows_count; r++) {
        const double value = ride_valid(validity, r) ? ride_vector_value(values, from->type, r, from->divisor)
                                                     : (double)__builtin_nanf("");
        if (is_float) floats[r] = (float)value;
        else doubles[r] = value;
    }
}

/* Columns of the rows of one or two tiles, `stride` values each; what lies behind the rows is zero. */
static void gather_columns(const ride_cpu_scorer *scorer, const uint8_t *in_tiles, const uint8_t *out_tiles,
                           uint32_t rows_count, uint32_t stride, uint8_t *to) {
    const size_t value = scorer->is_float ? sizeof(float) : sizeof(double);
    const uint32_t whole = (rows_count + RIDE_CPU_FOREST_STRIDE - 1) / RIDE_CPU_FOREST_STRIDE * RIDE_CPU_FOREST_STRIDE;
    for (uint32_t i = 0; i < scorer->columns_count; i++) {
        const source *from = &scorer->sources[i];
        const uint8_t *tile = from->is_feature ? out_tiles : in_tiles;
        uint8_t *column = to + (size_t)i * stride * value;
        for (uint32_t r = 0; r < rows_count; r += RIDE_TILE_ROWS) {
            const uint32_t rows = rows_count - r < RIDE_TILE_ROWS ? rows_count - r : RIDE_TILE_ROWS;
            gather(from, tile, rows, scorer->is_float, column + r * value);
            tile += from->is_feature ? scorer->out_tile_bytes : scorer->in_tile_bytes;
        }
        memset(column + rows_count * value, 0, (whole - rows_count) * value);
    }
}

void ride_cpu_score_tiles(const ride_cpu_scorer *scorer, void *scratch, const uint8_t *in_tiles, uint8_t *out_tiles,
                          uint32_t rows_count) {
    RIDE_ASSERT(rows_count <= RIDE_CPU_SCORE_ROWS);
    if (rows_count == 0) return;
    const ride_cpu_model *model = scorer->model;
    uint8_t *engine_scratch = (uint8_t *)scratch + columns_bytes(scorer);
    double margins[RIDE_CPU_SCORE_ROWS], answers[RIDE_CPU_SCORE_ROWS];
    if (model->engine != NULL) {
        const uint32_t stride =
            (rows_count + RIDE_CPU_FOREST_STRIDE - 1) / RIDE_CPU_FOREST_STRIDE * RIDE_CPU_FOREST_STRIDE;
        gather_columns(scorer, in_tiles, out_tiles, rows_count, stride, scratch);
        const ride_cpu_columns columns = {scratch, scorer->is_float ? RIDE_FOREST_F32 : RIDE_FOREST_F64, stride};
        ride_cpu_forest_columns(model->engine, engine_scratch, &columns, rows_count, margins);
        memcpy(answers, margins, rows_count * sizeof *answers);
        const ride_link link = ride_link_of(model->forest.header);
        ride_cpu_link_rows(model->isa, &link, answers, rows_count);
    } else {
        gather_columns(scorer, in_tiles, out_tiles, rows_count, RIDE_CPU_FOREST_ROWS, scratch);
        const ride_cpu_columns columns = {scratch, RIDE_FOREST_F64, RIDE_CPU_FOREST_ROWS};
        ride_cpu_ensemble_columns(model->ensemble, engine_scratch, &columns, rows_count, margins, answers);
    }
    for (uint32_t first = 0; first < rows_count; first += RIDE_TILE_ROWS, out_tiles += scorer->out_tile_bytes) {
        const uint32_t rows = rows_count - first < RIDE_TILE_ROWS ? rows_count - first : RIDE_TILE_ROWS;
        memcpy(out_tiles + scorer->margin_offset, margins + first, rows * sizeof *margins);
        memcpy(out_tiles + scorer->probability_offset, answers + first, rows * sizeof *answers);
    }
}
