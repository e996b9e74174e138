/* kernels/cuda/queue.cu: works in flight on one stream: tiles go over, kernels run, tiles come back, an event says that it is
 * done. Nothing here waits but `wait`, the destruction, and a batch larger than any before. */
#include "base/assert.h"
#include "kernels/cuda/host.h"
#include "kernels/cuda/watch.h"

#include <stdlib.h>
#include <string.h>

static void flights_free(ride_queue *queue) {
    for (uint32_t i = 0; i < queue->depth_max; i++) {
        ride_cuda_flight *flight = &queue->flights[i];
        if (flight->begin != NULL) (void)cudaEventDestroy(flight->begin);
        if (flight->end != NULL) (void)cudaEventDestroy(flight->end);
        if (flight->status != NULL) (void)cudaFreeHost(flight->status);
    }
}

static ride_status flights_make(ride_queue *queue, ride_error *err) {
    static const char what[] = "a queue of the GPU could not be made";
    for (uint32_t i = 0; i < queue->depth_max; i++) {
        ride_cuda_flight *flight = &queue->flights[i];
        RIDE_TRY(ride_cuda_told(queue->device, cudaEventCreateWithFlags(&flight->begin, cudaEventDefault), what, err));
        RIDE_TRY(ride_cuda_told(queue->device, cudaEventCreateWithFlags(&flight->end, cudaEventDefault), what, err));
        RIDE_TRY(ride_cuda_told(queue->device,
                                cudaHostAlloc((void **)&flight->status, sizeof *flight->status, cudaHostAllocPortable),
                                what, err));
    }
    return RIDE_OK;
}

ride_status ride_cuda_queue_create(ride_device *device, uint32_t depth_max, ride_queue **out, ride_error *err) {
    RIDE_TRY(ride_cuda_use(device, err));
    ride_queue *queue = (ride_queue *)calloc(1, sizeof *queue);
    if (queue == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a queue");
    queue->device = device;
    queue->depth_max = depth_max == 0 ? 1 : depth_max < RIDE_CUDA_DEPTH_MAX ? depth_max : RIDE_CUDA_DEPTH_MAX;
    ride_status st = ride_cuda_told(device, cudaStreamCreateWithFlags(&queue->stream, cudaStreamNonBlocking),
                                    "a stream of the GPU could not be made", err);
    if (st == RIDE_OK) st = flights_make(queue, err);
    if (st != RIDE_OK) {
        ride_cuda_queue_destroy(queue);
        return st;
    }
    *out = queue;
    return RIDE_OK;
}

void ride_cuda_queue_destroy(ride_queue *queue) {
    if (queue == NULL) return;
    (void)cudaSetDevice(queue->device->ordinal);
    if (queue->stream != NULL) (void)cudaStreamSynchronize(queue->stream);
    ride_cuda_watch_write();
    flights_free(queue);
    ride_cuda_free(queue->device, queue->arrays.memory);
    if (queue->stream != NULL) (void)cudaStreamDestroy(queue->stream);
    (void)cudaGetLastError();
    free(queue);
}

/* The oldest work in flight: how it went, or RIDE_PENDING. Once it is done its ticket has its result. */
static ride_status oldest_poll(ride_queue *queue) {
    ride_cuda_flight *flight = &queue->flights[queue->completed % queue->depth_max];
    const cudaError_t code = cudaEventQuery(flight->end);
    if (code == cudaErrorNotReady) {
        (void)cudaGetLastError();
        return RIDE_PENDING;
    }
    ride_status st = ride_cuda_told(queue->device, code, "a batch", NULL);
    if (st == RIDE_OK && flight->state != NULL) st = (ride_status)*flight->status;
    if (st != RIDE_OK && flight->state != NULL) flight->state->broken = st;
    float ms = 0.0f;
    if (code == cudaSuccess && cudaEventElapsedTime(&ms, flight->begin, flight->end) == cudaSuccess)
        queue->stats.busy_ns += (uint64_t)((double)ms * 1e6);
    else (void)cudaGetLastError();
    queue->results[++queue->completed % RIDE_CUDA_RESULTS_KEPT] = st;
    if (st == RIDE_OK) {
        queue->stats.completed++;
        queue->stats.rows += flight->rows_count;
    } else queue->stats.failed++;
    return st;
}

/* Everything that is done, is told to be done. */
static void harvest(ride_queue *queue) {
    while (queue->completed < queue->last && oldest_poll(queue) != RIDE_PENDING) {
    }
}

static cudaError_t copies_in(ride_queue *queue, const ride_program_dev *program, const ride_work *work,
                             const ride_cuda_flight *flight) {
    const uint64_t tiles = ((uint64_t)work->rows_count + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS;
    const ride_cuda_batch *batch = &queue->arrays.batch;
    cudaError_t code = cudaMemcpyAsync((void *)batch->in, work->in_tiles, tiles * program->in.tile_bytes,
                                       cudaMemcpyHostToDevice, queue->stream);
    const bool all_new = flight->state != NULL && flight->state->options.vnodes_count == RIDE_VNODES;
    if (code == cudaSuccess && !all_new) /* features, or those of other vnodes, were computed before */
        code = cudaMemcpyAsync(batch->out, work->out_tiles, tiles * program->out.tile_bytes, cudaMemcpyHostToDevice,
                               queue->stream);
    return code;
}

static cudaError_t copies_out(ride_queue *queue, const ride_program_dev *program, const ride_work *work,
                              ride_cuda_flight *flight) {
    const uint64_t tiles = ((uint64_t)work->rows_count + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS;
    cudaError_t code = cudaMemcpyAsync(work->out_tiles, queue->arrays.batch.out, tiles * program->out.tile_bytes,
                                       cudaMemcpyDeviceToHost, queue->stream);
    if (code == cudaSuccess && flight->state != NULL)
        code = cudaMemcpyAsync(flight->status, &flight->state->pool->failed, sizeof *flight->status,
                               cudaMemcpyDeviceToHost, queue->stream);
    return code;
}

static cudaError_t work_queue(ride_queue *queue, const ride_program_dev *program, const ride_work *work,
                              ride_cuda_flight *flight) {
    cudaError_t code = cudaEventRecord(flight->begin, queue->stream);
    if (work->rows_count > 0) {
        if (code == cudaSuccess) code = copies_in(queue, program, work, flight);
        if (code == cudaSuccess) code = ride_cuda_work(queue, program, flight->state, work);
        if (code == cudaSuccess) code = copies_out(queue, program, work, flight);
    }
    if (code == cudaSuccess) code = cudaEventRecord(flight->end, queue->stream);
    return code;
}

ride_status ride_cuda_submit(ride_queue *queue, const ride_program_dev *program, ride_state *state,
                             const ride_work *work, ride_ticket *out) {
    RIDE_TRY(ride_cuda_use(queue->device, NULL));
    harvest(queue);
    if (queue->last - queue->completed == queue->depth_max) return RIDE_FULL;
    const bool windows = (work->stages & RIDE_STAGE_WINDOWS) != 0;
    RIDE_ASSERT(!windows || (state != NULL && state->program == program));
    RIDE_ASSERT((work->stages & RIDE_STAGE_PROFILE) == 0 || (work->counts != NULL && work->counts->program == program));
    if (windows && state->broken != RIDE_OK) return state->broken;
    RIDE_TRY(ride_cuda_arrays_fit(queue, program, work->rows_count));
    ride_cuda_flight *flight = &queue->flights[queue->last % queue->depth_max];
    flight->state = windows ? state : NULL;
    flight->rows_count = work->rows_count;
    *flight->status = RIDE_OK;
    const cudaError_t code = work_queue(queue, program, work, flight);
    if (code != cudaSuccess) { /* part of it may run: nothing of it counts, and borrowed tiles are let go */
        const ride_status st = ride_cuda_told(queue->device, code, "a batch", NULL);
        (void)cudaStreamSynchronize(queue->stream);
        (void)cudaGetLastError();
        if (windows) state->broken = st;
        queue->stats.failed++;
        return st;
    }
    queue->stats.submitted++;
    *out = ++queue->last;
    return RIDE_OK;
}

ride_status ride_cuda_poll(ride_queue *queue, ride_ticket ticket) {
    RIDE_ASSERT(ticket >= 1 && ticket <= queue->last);
    if (ticket > queue->completed) {
        if (queue->device->lost) return RIDE_E_DEVICE_LOST;
        (void)cudaSetDevice(queue->device->ordinal);
        harvest(queue);
    }
    if (ticket > queue->completed) return RIDE_PENDING;
    return queue->completed - ticket < RIDE_CUDA_RESULTS_KEPT ? queue->results[ticket % RIDE_CUDA_RESULTS_KEPT]
                                                              : RIDE_OK;
}

ride_status ride_cuda_wait(ride_queue *queue, ride_ticket ticket, uint64_t timeout_ns) {
    const ride_backend_services *services = ride_cuda_services;
    ride_status st = ride_cuda_poll(queue, ticket);
    if (st != RIDE_PENDING || timeout_ns == 0) return st;
    if (timeout_ns == UINT64_MAX) {
        (void)cudaEventSynchronize(queue->flights[(ticket - 1) % queue->depth_max].end); /* poll tells how it went */
        return ride_cuda_poll(queue, ticket);
    }
    const uint64_t start_ns = services->now_ns(services->context);
    while (st == RIDE_PENDING && services->now_ns(services->context) - start_ns < timeout_ns)
        st = ride_cuda_poll(queue, ticket);
    return st;
}

void ride_cuda_queue_stats(const ride_queue *queue, ride_queue_stats *out) { *out = queue->stats; }
