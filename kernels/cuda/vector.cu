/* kernels/cuda/vector.cu: what follows the windows, a thread per row: expressions, the vector and its trees, decision rules, the
 * profile's cells. The functions of kernels/row as they are. */
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/run.h"
#include "kernels/row/link.h"
#include "kernels/row/profile.h"
#include "kernels/row/tree.h"
#include "kernels/row/vector.h"

__device__ static bool is_event(const ride_cuda_batch *batch, uint32_t row) {
    return row < batch->rows_count && (ride_cuda_flags(batch, row) & (RIDE_ROW_LABEL | RIDE_ROW_SKIP)) == 0;
}
__device__ static double *out_f64(const ride_cuda_batch *batch, uint32_t column, uint32_t row) {
    return (double *)ride_tile_values(batch->program->out, ride_cuda_out_tile(batch, row), column) +
           row % RIDE_TILE_ROWS;
}

extern "C" __global__ void ride_expressions_run(ride_cuda_batch batch) {
    const uint32_t row = ride_cuda_thread();
    if (!is_event(&batch, row)) return;
    const ride_cuda_program *p = batch.program;
    for (uint32_t i = 0; i < p->plan->expressions_count; i++) {
        const ride_program *program = &p->programs[p->expressions[i].program];
        *out_f64(&batch, p->expressions[i].feature, row) =
            ride_expr_number(ride_cuda_run(&batch, program, row), program->result_class);
    }
}

/* Entry `index` of the vector. */
__device__ static double vector_value(const ride_cuda_batch *batch, uint32_t index, uint32_t row) {
    const ride_cuda_program *p = batch->program;
    const ride_plan_vector *entry = &p->vector[index];
    if (entry->is_feature) return *out_f64(batch, entry->index, row);
    const uint8_t *tile = ride_cuda_in_tile(batch, row);
    const uint32_t r = row % RIDE_TILE_ROWS;
    if (!ride_valid(ride_tile_validity_const(p->in, tile, entry->index), r)) return ride_null_f64();
    const ride_plan_column *column = &p->columns[entry->index];
    return ride_vector_value(ride_tile_values_const(p->in, tile, entry->index), column->type, r,
                             column->type == RIDE_TYPE_DECIMAL ? ride_vector_divisor(column->scale) : 1.0);
}

extern "C" __global__ void ride_vector_gather(ride_cuda_batch batch) {
    const uint32_t row = ride_cuda_thread();
    if (!is_event(&batch, row)) return;
    const ride_forest *forest = &batch.program->forest;
    for (uint32_t input = blockIdx.y; input < forest->header->inputs_count; input += gridDim.y)
        batch.inputs[(uint64_t)input * batch.rows_max + row] =
            ride_forest_input(vector_value(&batch, forest->inputs[input], row), forest->header->input_number);
}

extern "C" __global__ void ride_forest_score(ride_cuda_batch batch) {
    const uint32_t row = ride_cuda_thread();
    if (!is_event(&batch, row)) return;
    const ride_forest *forest = &batch.program->forest;
    const uint32_t features = batch.program->plan->features_count;
    double *sums = batch.sums + (uint64_t)row * forest->header->outputs_count;
    ride_forest_row(forest, batch.inputs + row, batch.rows_max, sums);
    *out_f64(&batch, features + RIDE_OUT_MARGIN, row) = sums[0];
    ride_link_row(sums, forest->header);
    *out_f64(&batch, features + RIDE_OUT_PROBABILITY, row) = sums[0];
}

extern "C" __global__ void ride_rules_run(ride_cuda_batch batch) {
    const uint32_t row = ride_cuda_thread();
    if (!is_event(&batch, row)) return;
    const ride_cuda_program *p = batch.program;
    uint32_t rule = 0;
    while (rule < p->plan->rules_count &&
           !ride_expr_is_true(ride_cuda_run(&batch, &p->programs[p->rules[rule].program], row)))
        rule++;
    ((uint32_t *)ride_tile_values(p->out, ride_cuda_out_tile(&batch, row),
                                  p->plan->features_count + RIDE_OUT_RULE))[row % RIDE_TILE_ROWS] = rule;
}

extern "C" __global__ void ride_profile_count(ride_cuda_batch batch) {
    const uint32_t row = ride_cuda_thread();
    if (!is_event(&batch, row)) return;
    if (batch.pool != NULL && batch.pool->failed != RIDE_OK) return; /* the batch is not done: nothing of it counts */
    const ride_profile *profile = &batch.program->profile;
    const ride_profile_column *column = &profile->columns[blockIdx.y];
    const uint32_t features = batch.program->plan->features_count;
    double x;
    switch (column->source) {
    case RIDE_PROFILE_MARGIN: x = *out_f64(&batch, features + RIDE_OUT_MARGIN, row); break;
    case RIDE_PROFILE_PROBABILITY: x = *out_f64(&batch, features + RIDE_OUT_PROBABILITY, row); break;
    default: x = vector_value(&batch, column->index, row); break;
    }
    atomicAdd(&batch.counts[column->cells_first + ride_profile_cell(column, profile->edges + column->edges_first, x)],
              1ull);
}
