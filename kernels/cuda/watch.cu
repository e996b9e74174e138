/* kernels/cuda/watch.cu: see the header. */
#include "kernels/cuda/watch.h"

#include <mutex>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KERNELS_MAX = 64 };

typedef struct kernel_times {
    const char *name;
    unsigned long long starts, ns;
} kernel_times;

static std::mutex guard;
static kernel_times kernels[KERNELS_MAX];

static const char *file_of(const char *variable) {
    const char *path = getenv(variable);
    return path != NULL && *path != '\0' ? path : NULL;
}

bool ride_cuda_watched(void) {
    static const bool watched = file_of("RIDE_CUDA_EXECUTED") != NULL || file_of("RIDE_CUDA_TIMING") != NULL;
    return watched;
}

static void append(const char *variable, const char *text) {
    const char *path = file_of(variable);
    FILE *file = path != NULL ? fopen(path, "a") : NULL;
    if (file == NULL) return; /* a wish of whoever measures: nothing depends on it */
    fputs(text, file);
    fclose(file);
}

cudaError_t ride_cuda_watch_begin(ride_cuda_watch *watch, cudaStream_t stream) {
    *watch = ride_cuda_watch();
    if (file_of("RIDE_CUDA_TIMING") == NULL) return cudaSuccess;
    cudaError_t code = cudaEventCreateWithFlags(&watch->begin, cudaEventDefault);
    if (code == cudaSuccess) code = cudaEventCreateWithFlags(&watch->end, cudaEventDefault);
    if (code == cudaSuccess) code = cudaEventRecord(watch->begin, stream);
    return code;
}

static cudaError_t time_of(ride_cuda_watch *watch, cudaStream_t stream, float *ms) {
    *ms = 0.0f;
    if (watch->end == NULL) return cudaSuccess;
    cudaError_t code = cudaEventRecord(watch->end, stream);
    if (code == cudaSuccess) code = cudaEventSynchronize(watch->end);
    if (code == cudaSuccess) code = cudaEventElapsedTime(ms, watch->begin, watch->end);
    return code;
}

cudaError_t ride_cuda_watch_end(ride_cuda_watch *watch, cudaStream_t stream, const char *kernel) {
    float ms;
    const cudaError_t code = time_of(watch, stream, &ms);
    if (watch->begin != NULL) (void)cudaEventDestroy(watch->begin);
    if (watch->end != NULL) (void)cudaEventDestroy(watch->end);
    const std::lock_guard<std::mutex> hold(guard);
    uint32_t i = 0;
    while (i < KERNELS_MAX && kernels[i].name != NULL && strcmp(kernels[i].name, kernel) != 0) i++;
    if (i == KERNELS_MAX) return code;
    if (kernels[i].name == NULL) {
        char line[128];
        kernels[i].name = kernel;
        snprintf(line, sizeof line, "%s\n", kernel);
        append("RIDE_CUDA_EXECUTED", line);
    }
    kernels[i].starts++;
    kernels[i].ns += (unsigned long long)((double)ms * 1e6);
    return code;
}

void ride_cuda_watch_write(void) {
    if (file_of("RIDE_CUDA_TIMING") == NULL) return;
    const std::lock_guard<std::mutex> hold(guard);
    for (uint32_t i = 0; i < KERNELS_MAX && kernels[i].name != NULL; i++) {
        char line[192];
        snprintf(line, sizeof line, "%s %llu %llu\n", kernels[i].name, kernels[i].starts, kernels[i].ns);
        if (kernels[i].starts > 0) append("RIDE_CUDA_TIMING", line);
        kernels[i].starts = kernels[i].ns = 0;
    }
}
