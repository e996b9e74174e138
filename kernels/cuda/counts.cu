/* kernels/cuda/counts.cu: the cells of a profile on a device. */
#include "kernels/cuda/host.h"

#include <stdlib.h>

ride_status ride_cuda_counts_create(ride_device *device, const ride_program_dev *program, ride_counts **out,
                                    ride_error *err) {
    if (program->cells_count == 0) return ride_fail(err, RIDE_E_UNSUPPORTED, "the bundle has no profile");
    RIDE_TRY(ride_cuda_use(device, err));
    ride_counts *counts = (ride_counts *)calloc(1, sizeof *counts);
    if (counts == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for counts");
    counts->program = program;
    const size_t bytes = program->cells_count * sizeof *counts->cells;
    ride_status st =
        ride_cuda_told(device, cudaMalloc((void **)&counts->cells, bytes), "no GPU memory for the counts", err);
    if (st == RIDE_OK) st = ride_cuda_clear(device, counts->cells, bytes, "the counts could not be cleared", err);
    if (st != RIDE_OK) {
        ride_cuda_counts_destroy(counts);
        return st;
    }
    *out = counts;
    return RIDE_OK;
}

void ride_cuda_counts_destroy(ride_counts *counts) {
    if (counts == NULL) return;
    ride_cuda_free(counts->program->device, counts->cells);
    free(counts);
}

ride_status ride_cuda_counts_take(ride_counts *counts, uint64_t *out, ride_error *err) {
    ride_device *device = counts->program->device;
    const size_t bytes = counts->program->cells_count * sizeof *counts->cells;
    RIDE_TRY(ride_cuda_use(device, err));
    RIDE_TRY(ride_cuda_told(device, cudaMemcpy(out, counts->cells, bytes, cudaMemcpyDeviceToHost),
                            "the counts could not be read", err));
    return ride_cuda_clear(device, counts->cells, bytes, "the counts could not be cleared", err);
}
