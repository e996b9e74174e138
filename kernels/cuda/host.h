/* kernels/cuda/host.h: what the opaque types of ride/backend.h are here. Host code; private to kernels/cuda.
 *
 * Every call that talks to a device sets it first: queues of one device may be used by several threads. */
#ifndef RIDE_KERNELS_CUDA_HOST_H
#define RIDE_KERNELS_CUDA_HOST_H
#include "kernels/cuda/row.h"
#include "ride/backend.h"

#include <atomic>

enum : uint32_t { RIDE_CUDA_DEPTH_MAX = 64, RIDE_CUDA_RESULTS_KEPT = 256 };

struct ride_device {
    int ordinal;            /* CUDA's number */
    std::atomic<bool> lost; /* a call of any queue's thread said that the device will not come back */
};

struct ride_program_dev {
    ride_device *device;
    uint64_t number; /* 1, 2, 3 … in this process: another program may lie at the address of one that is gone */
    uint8_t *image;  /* the host's copy */
    ride_bundle bundle;
    ride_tile_layout in, out;
    ride_cuda_entity *entities; /* with the host's pointers: for saved states */
    uint8_t *memory;            /* the device's: view, layouts, entities, image */
    const ride_cuda_program *view;
    uint32_t inputs_count, outputs_count; /* of the forest; 0 = none */
    uint32_t profile_columns, cells_count;
    bool any_peers;
};

struct ride_state {
    const ride_program_dev *program;
    ride_state_options options;
    ride_cuda_pool *pool; /* the device's */
    uint64_t pool_bytes;
    ride_status broken; /* not RIDE_OK: a batch was worked in part; every submit says so */
};

struct ride_counts {
    const ride_program_dev *program;
    unsigned long long *cells; /* the device's */
};

/* One work in flight. */
typedef struct ride_cuda_flight {
    cudaEvent_t begin, end;
    uint32_t *status; /* pinned: the pool's `failed` after the work */
    ride_state *state;
    uint32_t rows_count;
} ride_cuda_flight;

/* Arrays of a queue, for batches of up to rows_max rows of one program. All on the device. */
typedef struct ride_cuda_arrays {
    uint64_t program_number;
    uint32_t rows_max; /* multiple of RIDE_TILE_ROWS */
    uint8_t *memory;
    ride_cuda_batch batch; /* its pointers */
    void *sort_scratch;
    size_t sort_bytes;
} ride_cuda_arrays;

struct ride_queue {
    ride_device *device;
    cudaStream_t stream;
    uint32_t depth_max;
    ride_cuda_flight flights[RIDE_CUDA_DEPTH_MAX];
    ride_ticket last, completed; /* tickets are 1, 2, 3 …; completed in order */
    ride_status results[RIDE_CUDA_RESULTS_KEPT];
    ride_cuda_arrays arrays;
    ride_queue_stats stats;
};

extern const ride_backend_services *ride_cuda_services;

/* Makes the device this thread's. Lost: RIDE_E_DEVICE_LOST. */
ride_status ride_cuda_use(ride_device *device, ride_error *err);
/* A code of a call on the device: remembers a loss. */
ride_status ride_cuda_told(ride_device *device, cudaError_t code, const char *what, ride_error *err);

/* Gives device memory back; also tried on a device that is lost. NULL: nothing. */
void ride_cuda_free(ride_device *device, void *memory);
/* Clears it and waits until it is clear. */
ride_status ride_cuda_clear(ride_device *device, void *memory, size_t bytes, const char *what, ride_error *err);
/* Copies from the host and waits until the bytes are there: cudaMemcpy itself returns when they have been read, and the stream of
 * a queue waits for nobody. */
ride_status ride_cuda_put(ride_device *device, void *to, const void *from, size_t bytes, const char *what,
                          ride_error *err);

ride_status ride_cuda_program_supports(const ride_bundle *bundle, ride_error *err);
ride_status ride_cuda_program_upload(ride_device *device, const ride_bundle *bundle, ride_program_dev **out,
                                     ride_error *err);
void ride_cuda_program_release(ride_program_dev *program);

ride_status ride_cuda_state_create(ride_device *device, const ride_program_dev *program,
                                   const ride_state_options *options, ride_state **out, ride_error *err);
void ride_cuda_state_destroy(ride_state *state);
void ride_cuda_state_stats(const ride_state *state, ride_state_stats *out);
ride_status ride_cuda_state_save(ride_state *const *states, uint32_t states_count, uint32_t vnode_first,
                                 uint32_t vnodes_count, ride_write_fn write, void *context, ride_error *err);
ride_status ride_cuda_state_restore(ride_state *const *states, uint32_t states_count, ride_read_fn read, void *context,
                                    ride_error *err);

ride_status ride_cuda_counts_create(ride_device *device, const ride_program_dev *program, ride_counts **out,
                                    ride_error *err);
void ride_cuda_counts_destroy(ride_counts *counts);
ride_status ride_cuda_counts_take(ride_counts *counts, uint64_t *out, ride_error *err);

ride_status ride_cuda_queue_create(ride_device *device, uint32_t depth_max, ride_queue **out, ride_error *err);
void ride_cuda_queue_destroy(ride_queue *queue);
ride_status ride_cuda_submit(ride_queue *queue, const ride_program_dev *program, ride_state *state,
                             const ride_work *work, ride_ticket *out);
ride_status ride_cuda_poll(ride_queue *queue, ride_ticket ticket);
ride_status ride_cuda_wait(ride_queue *queue, ride_ticket ticket, uint64_t timeout_ns);
void ride_cuda_queue_stats(const ride_queue *queue, ride_queue_stats *out);

/* arrays.cu: room for the work; waits for the stream when the arrays must grow. */
ride_status ride_cuda_arrays_fit(ride_queue *queue, const ride_program_dev *program, uint32_t rows_count);
void ride_cuda_arrays_free(ride_cuda_arrays *arrays);
/* work.cu: loads every kernel and has the device reserve what their threads need (half a gigabyte on a large one), so that neither happens
 * at the first batch nor is taken from under a state. */
cudaError_t ride_cuda_warm_up(void);
/* work.cu: everything between the copies, queued on the stream. */
cudaError_t ride_cuda_work(ride_queue *queue, const ride_program_dev *program, ride_state *state,
                           const ride_work *work);

#endif
