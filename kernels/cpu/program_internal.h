/* kernels/cpu/program_internal.h: what program.c and its loops share. */
#ifndef RIDE_KERNELS_CPU_PROGRAM_INTERNAL_H
#define RIDE_KERNELS_CPU_PROGRAM_INTERNAL_H
#include "kernels/cpu/program.h"
#include "kernels/row/expr_ops.h"

#include <string.h>

enum { RIDE_PROGRAM_WORDS = RIDE_TILE_ROWS / 64 };

/* A register while a program runs. values points to the register's own slot, or straight into a tile (a load copies
 * nothing). BOOL has no values: bits (0 where null) and valid. F64 has values only. Rows that are null hold anything in I64, U64. */
typedef struct ride_cpu_register {
    const void *values;
    uint64_t bits[RIDE_PROGRAM_WORDS], valid[RIDE_PROGRAM_WORDS];
} ride_cpu_register;

/* One slot: 256 values, then a gap so that equal rows of two slots do not fall into one cache set. */
enum { RIDE_PROGRAM_SLOT_BYTES = RIDE_TILE_ROWS * 8 + 128 };

typedef struct ride_cpu_program_run ride_cpu_program_run;
typedef void (*ride_cpu_program_eval_fn)(const ride_cpu_program_run *run);

struct ride_cpu_program_scratch {
    const ride_program *programs;
    const ride_instruction *code;
    const ride_constant *constants;
    const ride_plan_zone *zone;
    uint32_t zone_count;
    ride_cpu_program_eval_fn eval;
    ride_cpu_register registers[RIDE_PROGRAM_REGISTERS_MAX];
    uint8_t flags[RIDE_TILE_ROWS] __attribute__((aligned(64)));
    uint8_t flags_valid[RIDE_TILE_ROWS] __attribute__((aligned(64)));
    uint8_t slots[] __attribute__((aligned(64))); /* registers_count of the largest program */
};

/* One run: rows_count rounded up to a multiple of 16 in n. */
struct ride_cpu_program_run {
    ride_cpu_program_scratch *scratch;
    const ride_program *program;
    const ride_instruction *code;
    const ride_constant *constants;
    const ride_cpu_program_inputs *inputs;
    uint32_t n;
    double *values; /* where the number goes; NULL for a condition */
};

void ride_cpu_program_eval_baseline(const ride_cpu_program_run *run);
#if defined(__x86_64__)
void ride_cpu_program_eval_avx2(const ride_cpu_program_run *run);
#endif

#endif
