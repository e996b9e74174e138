/* kernels/cuda/watch.h: which kernels ran, and for how long, for scripts/gpu-check: two files named by the environment.
 *   RIDE_CUDA_EXECUTED   a kernel's name on a line, appended when it is first started by this process
 *   RIDE_CUDA_TIMING     `KERNEL STARTS NANOSECONDS`, appended when a queue is destroyed. Every start is waited for then: kernels
 *                        are timed alone, and a run with it says nothing about the speed of the whole
 * Neither set: nothing is done. Any thread. */
#ifndef RIDE_KERNELS_CUDA_WATCH_H
#define RIDE_KERNELS_CUDA_WATCH_H
#include "kernels/cuda/cuda.h"

typedef struct ride_cuda_watch {
    cudaEvent_t begin, end;
} ride_cuda_watch;

bool ride_cuda_watched(void);
/* Around the start of a kernel on the stream. */
cudaError_t ride_cuda_watch_begin(ride_cuda_watch *watch, cudaStream_t stream);
cudaError_t ride_cuda_watch_end(ride_cuda_watch *watch, cudaStream_t stream, const char *kernel);
/* Appends the times so far to their file and forgets them. */
void ride_cuda_watch_write(void);

#endif
