/* kernels/cpu/score.c: the vector's columns gathered from one or two tiles, the forest engine over them, and the answer of each row. */
#include "kernels/cpu/score.h"

#include "base/assert.h"
#include "kernels/cpu/forest.h"
#include "kernels/row/link.h"
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
    ride_forest forest;
    const ride_cpu_forest *engine;
    uint32_t in_tile_bytes, out_tile_bytes;
    uint32_t margin_offset, probability_offset; /* of the output tile */
    source sources[];                           /* inputs_count */
};

ride_status ride_cpu_scorer_create(const ride_bundle *bundle, const ride_forest *view, const ride_cpu_forest *engine,
                                   const ride_tile_layout *in, const ride_tile_layout *out,
                                   ride_cpu_scorer **out_scorer, ride_error *err) {
    const ride_forest forest = *view;
    *out_scorer = NULL;
    const ride_plan_header *plan = bundle->plan;
    if (forest.header->outputs_count != 1)
        return ride_fail(err, RIDE_E_UNSUPPORTED, "a model with %u outputs: a decision needs one",
                         forest.header->outputs_count);
    uint32_t inputs_count = forest.header->inputs_count;
    ride_cpu_scorer *scorer = calloc(1, sizeof *scorer + inputs_count * sizeof scorer->sources[0]);
    if (scorer == NULL) return ride_fail(err, RIDE_E_MEMORY, "scorer for %u inputs", inputs_count);
    scorer->forest = forest;
    scorer->in_tile_bytes = in->tile_bytes;
    scorer->out_tile_bytes = out->tile_bytes;
    scorer->margin_offset = out->columns[plan->features_count + RIDE_OUT_MARGIN].values_offset;
    scorer->probability_offset = out->columns[plan->features_count + RIDE_OUT_PROBABILITY].values_offset;
    const ride_plan_vector *vector = ride_bundle_array(bundle, RIDE_SECTION_VECTOR, ride_plan_vector);
    const ride_plan_column *columns = ride_bundle_array(bundle, RIDE_SECTION_COLUMNS, ride_plan_column);
    for (uint32_t i = 0; i < inputs_count; i++) {
        const ride_plan_vector *entry = &vector[forest.inputs[i]];
        const ride_tile_column *column = entry->is_feature ? &out->columns[entry->index] : &in->columns[entry->index];
        if (!ride_vector_type_ok(column->type)) {
            free(scorer);
            return ride_fail(err, RIDE_E_MODEL, "model input %u is a column without a number", i);
        }
        scorer->sources[i] = (source){
            .is_feature = entry->is_feature,
            .type = column->type,
            .values_offset = column->values_offset,
            .validity_offset = column->validity_offset,
            .divisor = column->type == RIDE_TYPE_DECIMAL ? ride_vector_divisor(columns[entry->index].scale) : 1.0,
        };
    }
    scorer->engine = engine;
    *out_scorer = scorer;
    return RIDE_OK;
}

void ride_cpu_scorer_destroy(ride_cpu_scorer *scorer) { free(scorer); }

RIDE_STATIC_ASSERT((int)RIDE_CPU_SCORE_ROWS == (int)RIDE_CPU_FOREST_ROWS, "a call of the engine is two tiles");

/* Scratch: the columns, then the engine's. */
static size_t columns_bytes(const ride_cpu_scorer *scorer) {
    const uint32_t *inputs;
    const size_t value = scorer->forest.header->input_number == RIDE_FOREST_F32 ? sizeof(float) : sizeof(double);
    return (size_t)ride_cpu_forest_inputs(scorer->engine, &inputs) * RIDE_CPU_SCORE_ROWS * value;
}

size_t ride_cpu_scorer_scratch_bytes(const ride_cpu_scorer *scorer) {
    return columns_bytes(scorer) + ride_cpu_forest_scratch_bytes(scorer->engine);
}

/* One input of a tile's rows as the forest's number. */
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

void ride_cpu_score_tiles(const ride_cpu_scorer *scorer, void *scratch, const uint8_t *in_tiles, uint8_t *out_tiles,
                          uint32_t rows_count) {
    RIDE_ASSERT(rows_count <= RIDE_CPU_SCORE_ROWS);
    if (rows_count == 0) return;
    const ride_forest_header *h = scorer->forest.header;
    const uint32_t *inputs, inputs_count = ride_cpu_forest_inputs(scorer->engine, &inputs);
    const uint32_t stride = (rows_count + RIDE_CPU_FOREST_STRIDE - 1) / RIDE_CPU_FOREST_STRIDE * RIDE_CPU_FOREST_STRIDE;
    const bool is_float = h->input_number == RIDE_FOREST_F32;
    const size_t value = is_float ? sizeof(float) : sizeof(double);
    double all[RIDE_CPU_SCORE_ROWS];
    for (uint32_t i = 0; i < inputs_count; i++) {
        const source *from = &scorer->sources[inputs[i]];
        const uint8_t *tile = from->is_feature ? out_tiles : in_tiles;
        uint8_t *column = (uint8_t *)scratch + (size_t)i * stride * value;
        for (uint32_t r = 0; r < rows_count; r += RIDE_TILE_ROWS) {
            const uint32_t rows = rows_count - r < RIDE_TILE_ROWS ? rows_count - r : RIDE_TILE_ROWS;
            gather(from, tile, rows, is_float, column + r * value);
            tile += from->is_feature ? scorer->out_tile_bytes : scorer->in_tile_bytes;
        }
        memset(column + rows_count * value, 0, (stride - rows_count) * value);
    }
    const ride_cpu_columns columns = {scratch, is_float ? RIDE_FOREST_F32 : RIDE_FOREST_F64, stride};
    ride_cpu_forest_columns(scorer->engine, (uint8_t *)scratch + columns_bytes(scorer), &columns, rows_count, all);
    for (uint32_t first = 0; first < rows_count; first += RIDE_TILE_ROWS, out_tiles += scorer->out_tile_bytes) {
        const uint32_t rows = rows_count - first < RIDE_TILE_ROWS ? rows_count - first : RIDE_TILE_ROWS;
        double *probabilities = (void *)(out_tiles + scorer->probability_offset);
        memcpy(out_tiles + scorer->margin_offset, all + first, rows * sizeof *all);
        memcpy(probabilities, all + first, rows * sizeof *all);
        for (uint32_t r = 0; r < rows; r++) ride_link_row(&probabilities[r], h);
    }
}
