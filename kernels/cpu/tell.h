/* kernels/cpu/tell.h: what was made of a model, in words (program_tell of ride/backend.h). */
#ifndef RIDE_KERNELS_CPU_TELL_H
#define RIDE_KERNELS_CPU_TELL_H
#include "kernels/cpu/score.h"
#include "ride/backend.h"

void ride_cpu_model_tell(const ride_cpu_model *model, ride_part_fn part, void *context);

#endif
