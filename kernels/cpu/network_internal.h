/* kernels/cpu/network_internal.h: what network.c has made and its loops read. The loops are one source, network_loops.h, built for each instruction
 * set. Private. */
#ifndef RIDE_KERNELS_CPU_NETWORK_INTERNAL_H
#define RIDE_KERNELS_CPU_NETWORK_INTERNAL_H
#include "kernels/cpu/network.h"

enum {
    NETWORK_ROWS = 64, /* that go through all steps together: a layer of 64 floats is 16 KB */
    NETWORK_GROUP = 4, /* outputs of a layer that are computed together */
};

/* A step with its numbers in its own type. Weights of a layer: for each group of outputs, for each input, one of each output of the group; zeros
 * where a group is not full. */
typedef struct network_step {
    ride_network_step layout;
    const void *a, *b;
    const uint32_t *columns;
} network_step;

/* x and y: columns of NETWORK_ROWS values of the step's number, y with room for a whole group. All of them are computed. rows_count: a multiple of
 * 16 floats or 8 doubles, at most NETWORK_ROWS; what lies behind is not looked at. */
typedef void (*network_loop)(const network_step *step, void *x, void *y, uint32_t rows_count);

void network_step_portable(const network_step *step, void *x, void *y, uint32_t rows_count);
void network_step_neon(const network_step *step, void *x, void *y, uint32_t rows_count);
void network_step_avx2(const network_step *step, void *x, void *y, uint32_t rows_count);
void network_step_avx512(const network_step *step, void *x, void *y, uint32_t rows_count);

#endif
