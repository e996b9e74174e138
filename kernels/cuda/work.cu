/* kernels/cuda/work.cu: the kernels of one work, in order, on the queue's stream. */
#include "kernels/cuda/host.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/sort.h"

enum : uint32_t { PREPARE_THREADS = 256, GROUP_THREADS = 256, SWEEP_MIN = 256, GRID_Y_MAX = 65535 };

#define LAUNCH(kernel, threads, rows, block)                                                                           \
    do {                                                                                                               \
        const cudaError_t launch_code = ride_cuda_launch(stream, #kernel, kernel, threads, rows, block, batch);        \
        if (launch_code != cudaSuccess) return launch_code;                                                            \
    } while (0)

/* The key of each row, and the rows of each key together. */
static cudaError_t keys(cudaStream_t stream, ride_queue *queue, const ride_cuda_batch &batch, uint32_t entities) {
    const uint32_t n = batch.rows_count;
    LAUNCH(ride_keys_find, n, entities, RIDE_CUDA_BLOCK);
    LAUNCH(ride_keys_claim, n, entities, RIDE_CUDA_BLOCK);
    LAUNCH(ride_keys_make, n, entities, RIDE_CUDA_BLOCK);
    LAUNCH(ride_keys_resolve, n, entities, RIDE_CUDA_BLOCK);
    for (uint32_t e = 0; e < entities; e++) {
        const uint64_t at = (uint64_t)e * batch.rows_max;
        const cudaError_t code = ride_cuda_sort(queue->arrays.sort_scratch, queue->arrays.sort_bytes, batch.slots + at,
                                                batch.sorted_slots + at, batch.rows, batch.sorted_rows + at, n, stream);
        if (code != cudaSuccess) return code;
    }
    return cudaSuccess;
}

static cudaError_t windows(cudaStream_t stream, ride_queue *queue, const ride_program_dev *program,
                           const ride_cuda_batch &batch) {
    const uint32_t n = batch.rows_count, entities = program->bundle.plan->entities_count;
    LAUNCH(ride_state_begin, 64, 1, 64);
    if (entities > 0) LAUNCH(ride_state_prepare, (uint64_t)entities * PREPARE_THREADS, 1, PREPARE_THREADS);
    LAUNCH(ride_rows_begin, n, 1, RIDE_CUDA_BLOCK);
    if (program->any_peers) LAUNCH(ride_rows_group, GROUP_THREADS, 1, GROUP_THREADS);
    if (entities > 0) {
        const cudaError_t code = keys(stream, queue, batch, entities);
        if (code != cudaSuccess) return code;
        LAUNCH(ride_windows_apply, n, entities, RIDE_CUDA_BLOCK);
        LAUNCH(ride_keys_sweep, batch.sweep_count, entities, RIDE_CUDA_BLOCK);
    }
    return cudaSuccess;
}

cudaError_t ride_cuda_work(ride_queue *queue, const ride_program_dev *program, ride_state *state,
                           const ride_work *work) {
    const cudaStream_t stream = queue->stream;
    const uint32_t n = work->rows_count;
    ride_cuda_batch batch = queue->arrays.batch;
    batch.rows_count = n;
    batch.pool = NULL;
    if ((work->stages & RIDE_STAGE_WINDOWS) != 0) {
        batch.pool = state->pool;
        batch.vnode_first = state->options.vnode_first;
        batch.vnodes_count = state->options.vnodes_count;
    }
    batch.sweep_count = n < SWEEP_MIN ? SWEEP_MIN : n;
    batch.many_clocks = work->many_clocks;
    batch.expire_us = work->expire_us;
    batch.counts = (work->stages & RIDE_STAGE_PROFILE) != 0 ? work->counts->cells : NULL;
    if (batch.pool != NULL) {
        const cudaError_t code = windows(stream, queue, program, batch);
        if (code != cudaSuccess) return code;
    } else LAUNCH(ride_rows_begin, n, 1, RIDE_CUDA_BLOCK);
    if ((work->stages & RIDE_STAGE_EXPRESSIONS) != 0 && program->bundle.plan->expressions_count > 0)
        LAUNCH(ride_expressions_run, n, 1, RIDE_CUDA_BLOCK);
    if ((work->stages & RIDE_STAGE_SCORE) != 0 && program->outputs_count > 0) {
        const uint32_t inputs = program->inputs_count < GRID_Y_MAX ? program->inputs_count : GRID_Y_MAX;
        if (inputs > 0) LAUNCH(ride_vector_gather, n, inputs, RIDE_CUDA_BLOCK);
        LAUNCH(ride_forest_score, n, 1, RIDE_CUDA_BLOCK);
    }
    if ((work->stages & RIDE_STAGE_RULES) != 0) LAUNCH(ride_rules_run, n, 1, RIDE_CUDA_BLOCK);
    if (batch.counts != NULL) LAUNCH(ride_profile_count, n, program->profile_columns, RIDE_CUDA_BLOCK);
    return cudaSuccess;
}

template <typename... P> static cudaError_t load(void (*kernel)(P...)) {
    cudaFuncAttributes attributes;
    return cudaFuncGetAttributes(&attributes, (const void *)kernel);
}

cudaError_t ride_cuda_warm_up(void) {
    const cudaError_t codes[] = {
        load(ride_state_begin),  load(ride_state_prepare), load(ride_rows_begin),      load(ride_rows_group),
        load(ride_keys_find),    load(ride_keys_claim),    load(ride_keys_make),       load(ride_keys_resolve),
        load(ride_keys_sweep),   load(ride_windows_apply), load(ride_expressions_run), load(ride_vector_gather),
        load(ride_forest_score), load(ride_rules_run),     load(ride_profile_count),   load(ride_state_count),
    };
    for (cudaError_t code : codes)
        if (code != cudaSuccess) return code;
    ride_cuda_batch none =
        {}; /* no rows: every thread returns at once. The kernel whose threads have the largest stack */
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(1, 1, 1);
    config.blockDim = dim3(RIDE_CUDA_BLOCK, 1, 1);
    const cudaError_t code = cudaLaunchKernelEx(&config, ride_windows_apply, none);
    return code == cudaSuccess ? cudaStreamSynchronize(NULL) : code;
}
