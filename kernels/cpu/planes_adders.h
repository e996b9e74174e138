/* kernels/cpu/planes_adders.h: leaves_add of the file that includes this, made for each width of a table and kind of sum. Private. */
#ifndef RIDE_KERNELS_CPU_PLANES_ADDERS_H
#define RIDE_KERNELS_CPU_PLANES_ADDERS_H
#include "kernels/cpu/planes_internal.h"

#ifdef PLANES_WIDE

/* Adds the leaves of a group's trees at `places` to the sums, which are registers of the kernel. */
typedef void adder(const planes_group *group, const uint8_t *leaves, const uint8_t *places, void *sums);
#define LEAVES_ADD(bits, kind)                                                                                         \
    static __attribute__((noinline)) void leaves_add_##bits##_##kind(const planes_group *group, const uint8_t *leaves, \
                                                                     const uint8_t *places, void *sums) {              \
        leaves_add(group, bits, kind, leaves, places, sums);                                                           \
    }
LEAVES_ADD(6, PLANES_F32)
LEAVES_ADD(7, PLANES_F32)
LEAVES_ADD(8, PLANES_F32)
LEAVES_ADD(6, PLANES_F64)
LEAVES_ADD(7, PLANES_F64)
LEAVES_ADD(8, PLANES_F64)
LEAVES_ADD(6, PLANES_WHOLE)
LEAVES_ADD(7, PLANES_WHOLE)
LEAVES_ADD(8, PLANES_WHOLE)

static adder *adder_of(planes_sum kind, uint32_t bits) {
    static adder *const all[3][3] = {{leaves_add_6_PLANES_F32, leaves_add_7_PLANES_F32, leaves_add_8_PLANES_F32},
                                     {leaves_add_6_PLANES_F64, leaves_add_7_PLANES_F64, leaves_add_8_PLANES_F64},
                                     {leaves_add_6_PLANES_WHOLE, leaves_add_7_PLANES_WHOLE, leaves_add_8_PLANES_WHOLE}};
    return all[kind][bits - 6];
}
#endif

#endif
