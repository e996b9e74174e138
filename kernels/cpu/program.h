/* kernels/cpu/program.h: runs register programs (kernels/layout/program.h) column-wise over one tile: each instruction
 * is a tight loop over the tile's rows, with SIMD variants chosen by cpuid. Row for row and bit for bit the same as ride_expr_row
 * (kernels/row/expr.h).
 *
 * The programs must have passed ride_programs_check. A scratch belongs to one thread at a time; nothing is allocated
 * by a run. */
#ifndef RIDE_KERNELS_CPU_PROGRAM_H
#define RIDE_KERNELS_CPU_PROGRAM_H
#include "base/tile.h"
#include "kernels/layout/program.h"

/* What a program may read: one input tile and, row for row, its output tile (features and score; may be NULL when the
 * program reads neither). Rows past rows_count are computed up to a multiple of 16 and ignored. */
typedef struct ride_cpu_program_inputs {
    const ride_tile_layout *in_layout;
    const void *in_tile;
    const ride_tile_layout *out_layout;
    const void *out_tile;
    uint32_t rows_count; /* 0 … 256 */
} ride_cpu_program_inputs;

typedef struct ride_cpu_program_scratch ride_cpu_program_scratch;

/* Bytes of the scratch that the programs of this bundle need, and its making in the caller's memory (64-byte
 * aligned, at least that many bytes; nothing to destroy). The bundle is borrowed until the scratch is last used. */
size_t ride_cpu_program_scratch_bytes(const ride_bundle *bundle);
ride_cpu_program_scratch *ride_cpu_program_scratch_init(const ride_bundle *bundle, void *memory);

/* A condition: bit r of `bitmap` (32 bytes, ride_bit_get) is 1 where the program is true; null and false and rows past
 * rows_count are 0. The program's result must be BOOL. */
void ride_cpu_program_condition(ride_cpu_program_scratch *scratch, uint32_t program,
                                const ride_cpu_program_inputs *inputs, uint8_t *bitmap);

/* A number per row: a double, null as the canonical NaN (bits 0x7ff8000000000000), never infinite, zero always positive. A BOOL
 * result gives 0, 1 or null. `values` has room for 256 doubles and may be a column of the output tile, also one that the
 * program itself reads; up to the next multiple of 16 rows are written. */
void ride_cpu_program_number(ride_cpu_program_scratch *scratch, uint32_t program, const ride_cpu_program_inputs *inputs,
                             double *values);

#endif
