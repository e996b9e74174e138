/* kernels/cuda/arrays.cu: what a queue's batches need on the device beside their tiles: one allocation, made for the largest batch
 * so far and the program at hand. */
#include "kernels/cuda/host.h"
#include "kernels/cuda/sort.h"

#include <string.h>

void ride_cuda_arrays_free(ride_cuda_arrays *arrays) { memset(arrays, 0, sizeof *arrays); }

/* Hands out pieces of one allocation; with base NULL it only adds up. */
typedef struct cutter {
    uint8_t *base;
    uint64_t used;
} cutter;

template <typename T> static T *cut(cutter *c, uint64_t count) {
    // cppcheck-suppress invalidPointerCast ; every piece begins at a multiple of its type
    T *piece = c->base != NULL ? (T *)(c->base + c->used) : NULL;
    c->used += (count * sizeof(T) + 255) / 256 * 256;
    return piece;
}

static void arrays_cut(ride_cuda_arrays *a, const ride_program_dev *program, uint32_t rows_max, cutter *c) {
    const ride_plan_header *plan = program->bundle.plan;
    const uint64_t tiles = rows_max / RIDE_TILE_ROWS, cells = (uint64_t)plan->entities_count * rows_max;
    ride_cuda_batch *b = &a->batch;
    memset(b, 0, sizeof *b);
    b->program = program->view;
    b->rows_max = rows_max;
    b->conditions_words = (plan->conditions_count + 63) / 64;
    b->in = cut<uint8_t>(c, tiles * program->in.tile_bytes);
    b->out = cut<uint8_t>(c, tiles * program->out.tile_bytes);
    b->slots = cut<uint32_t>(c, cells);
    b->claims = cut<uint32_t>(c, cells);
    b->rows = cut<uint32_t>(c, rows_max);
    b->sorted_slots = cut<uint32_t>(c, cells);
    b->sorted_rows = cut<uint32_t>(c, cells);
    b->groups = cut<uint32_t>(c, program->any_peers ? rows_max : 0);
    b->conditions = cut<uint64_t>(c, (uint64_t)b->conditions_words * rows_max);
    b->inputs = cut<double>(c, (uint64_t)program->inputs_count * rows_max);
    b->sums = cut<double>(c, (uint64_t)program->outputs_count * rows_max);
    a->sort_scratch = cut<uint8_t>(c, a->sort_bytes);
    a->program_number = program->number;
    a->rows_max = rows_max;
}

ride_status ride_cuda_arrays_fit(ride_queue *queue, const ride_program_dev *program, uint32_t rows_count) {
    ride_cuda_arrays *a = &queue->arrays;
    const uint64_t rows_max = ((uint64_t)rows_count + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS * RIDE_TILE_ROWS;
    if (a->program_number == program->number && a->rows_max >= rows_max) return RIDE_OK;
    if (rows_max > INT32_MAX) return RIDE_E_MEMORY;
    cudaError_t code = cudaStreamSynchronize(queue->stream); /* batches in flight use the old ones */
    if (code != cudaSuccess) return ride_cuda_told(queue->device, code, "", NULL);
    ride_cuda_free(queue->device, a->memory);
    ride_cuda_arrays_free(a);
    cutter c = {NULL, 0};
    code = ride_cuda_sort_bytes((uint32_t)rows_max, &a->sort_bytes);
    if (code == cudaSuccess) {
        arrays_cut(a, program, (uint32_t)rows_max, &c);
        code = cudaMalloc((void **)&c.base, c.used);
    }
    if (code != cudaSuccess) {
        ride_cuda_arrays_free(a);
        return ride_cuda_told(queue->device, code, "", NULL);
    }
    c.used = 0;
    arrays_cut(a, program, (uint32_t)rows_max, &c);
    a->memory = c.base;
    return RIDE_OK;
}
