/* cuda_runtime.h of the emulator: found before NVIDIA's where there is no GPU, so that the same .cu files are compiled by the
 * host's compiler and run on the CPU. See kernels/emu/README.md for what it checks and how it is steered.
 *
 * It holds what kernels/cuda uses and no more: a name that is missing here is a compile error, and is added with its meaning.
 * Signatures are those of the CUDA runtime 12; where CUDA would refuse a call, this refuses it too. */
#ifndef RIDE_EMU_CUDA_RUNTIME_H
#define RIDE_EMU_CUDA_RUNTIME_H

#include "emu_types.h"
// The order matters: what follows uses the names above.
#include "emu_host.h"
// The device's side.
#include "emu_device.h"
#include "emu_launch.h"

#endif
