/* kernels/cuda/kernels.h: every kernel, in the order in which a batch goes through them. One thread per row where nothing else is
 * said; rows past rows_count do nothing. batch is passed by value. Names are what profiles, budgets and reports show. */
#ifndef RIDE_KERNELS_CUDA_KERNELS_H
#define RIDE_KERNELS_CUDA_KERNELS_H
#include "kernels/cuda/row.h"

/* rows.cu */
extern "C" __global__ void ride_state_begin(ride_cuda_batch batch); /* one block, a thread per class of blocks */
extern "C" __global__ void
ride_state_prepare(ride_cuda_batch batch); /* a block per entity: room for the batch's new keys */
extern "C" __global__ void ride_rows_begin(ride_cuda_batch batch); /* tile heads, output flags, conditions, clock */
extern "C" __global__ void ride_rows_group(ride_cuda_batch batch); /* one block: numbers of timestamp groups */

/* keys.cu: the key of each row; y = entity */
extern "C" __global__ void ride_keys_find(ride_cuda_batch batch);
extern "C" __global__ void ride_keys_claim(ride_cuda_batch batch);
extern "C" __global__ void ride_keys_make(ride_cuda_batch batch);
extern "C" __global__ void ride_keys_resolve(ride_cuda_batch batch);
extern "C" __global__ void ride_keys_sweep(ride_cuda_batch batch); /* a thread per key looked at */

/* windows.cu: all rows of a key by one thread, in order of arrival; y = entity */
extern "C" __global__ void ride_windows_apply(ride_cuda_batch batch);

/* vector.cu */
extern "C" __global__ void ride_expressions_run(ride_cuda_batch batch);
extern "C" __global__ void ride_vector_gather(ride_cuda_batch batch); /* y = model input, and every so many further */
extern "C" __global__ void ride_forest_score(ride_cuda_batch batch);
extern "C" __global__ void ride_rules_run(ride_cuda_batch batch);
extern "C" __global__ void ride_profile_count(ride_cuda_batch batch); /* y = column of the profile */

/* state.cu: per entity (x) the keys and entries of the state: out[2 * entity], out[2 * entity + 1] */
extern "C" __global__ void ride_state_count(const ride_cuda_program *program, ride_cuda_pool *pool,
                                            unsigned long long *out);

#endif
