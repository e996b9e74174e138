/* Answers of many rows at once have the bits of one row after the other: every link, number and instruction set. */
#include "kernels/cpu/link.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { ROWS = 531 };

static double margin(uint32_t row) {
    static const double odd[] = {0.0,
                                 -0.0,
                                 (double)INFINITY,
                                 -(double)INFINITY,
                                 (double)NAN,
                                 88.7,
                                 -88.7,
                                 709.5,
                                 -709.5,
                                 745.25,
                                 -746.5,
                                 1e-300,
                                 -1e-40,
                                 1e300,
                                 -1e30,
                                 1e-7};
    if (row < sizeof odd / sizeof *odd) return odd[row];
    uint64_t x = row * UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 29, x *= UINT64_C(0xbf58476d1ce4e5b9), x ^= x >> 32;
    return ((double)(x % 2000001) / 1000000.0 - 1.0) * (row % 7 == 0 ? 900.0 : row % 3 == 0 ? 30.0 : 3.0);
}

static void compare(const ride_link *link) {
    double want[ROWS * 3], got[ROWS * 3];
    const uint32_t values = ROWS * link->outputs_count;
    for (uint32_t i = 0; i < values; i++)
        want[i] = link->number == RIDE_FOREST_F32 ? (double)(float)margin(i) : margin(i);
    for (ride_cpu_isa isa = RIDE_CPU_PORTABLE; isa <= ride_cpu_isa_best(); isa++) {
        double row[ROWS * 3];
        memcpy(got, want, sizeof got);
        memcpy(row, want, sizeof row);
        ride_cpu_link_rows(isa, link, got, ROWS);
        for (uint32_t r = 0; r < ROWS; r++) ride_link_apply(row + (size_t)r * link->outputs_count, link);
        for (uint32_t i = 0; i < values; i++) {
            if (isnan(got[i]) && isnan(row[i])) continue; /* which NaN is settled later */
            cr_assert(memcmp(&got[i], &row[i], sizeof *got) == 0,
                      "link %u of number %u, set %d, %.17g: %.17g, not %.17g", link->link, link->number, (int)isa,
                      want[i], got[i], row[i]);
        }
    }
}

Test(link_rows, have_the_bits_of_one_row_after_the_other) {
    for (uint32_t kind = RIDE_FOREST_LINK_NONE; kind < RIDE_FOREST_LINKS; kind++)
        for (uint32_t number = RIDE_FOREST_F32; number <= RIDE_FOREST_F64; number++)
            for (uint32_t outputs = 1; outputs <= 3; outputs += 2)
                for (uint32_t mean_of = 0; mean_of <= 7; mean_of += 7) {
                    const ride_link link = {.link = kind,
                                            .number = number,
                                            .outputs_count = outputs,
                                            .mean_of = mean_of,
                                            .scale = kind == RIDE_FOREST_LINK_ISOLATION ? 412345.0 : 1.7};
                    compare(&link);
                }
}
