/* kernels/cuda/run.h: one expression program for one row of a batch. Device code. */
#ifndef RIDE_KERNELS_CUDA_RUN_H
#define RIDE_KERNELS_CUDA_RUN_H
#include "kernels/cuda/row.h"
#include "kernels/row/expr.h"

__device__ static inline ride_expr_value ride_cuda_run(const ride_cuda_batch *batch, const ride_program *program,
                                                       uint32_t row) {
    const ride_cuda_program *p = batch->program;
    ride_expr_row_inputs in;
    in.code = p->code + program->code_first;
    in.constants = p->constants + program->constants_first;
    in.zone = p->zone;
    in.zone_count = p->plan->zone_transitions_count;
    in.in_layout = p->in;
    in.out_layout = p->out;
    in.in_tile = ride_cuda_in_tile(batch, row);
    in.out_tile = ride_cuda_out_tile(batch, row);
    return ride_expr_row(program, &in, row % RIDE_TILE_ROWS);
}

#endif
