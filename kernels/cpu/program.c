/* kernels/cpu/program.c: runs of programs, and which instruction set they use. The loops are in program_step.h. */
#include "kernels/cpu/program.h"

#include "base/assert.h"

#include "kernels/cpu/program_step.h"

void ride_cpu_program_eval_baseline(const ride_cpu_program_run *run) { program_eval(run); }

static uint32_t registers_max(const ride_bundle *bundle) {
    const ride_program *programs = ride_bundle_array(bundle, RIDE_SECTION_PROGRAMS, ride_program);
    uint64_t count = bundle->sections_bytes[RIDE_SECTION_PROGRAMS] / sizeof *programs;
    uint32_t most = 0;
    for (uint64_t i = 0; i < count; i++)
        if (programs[i].registers_count > most) most = programs[i].registers_count;
    return most;
}

size_t ride_cpu_program_scratch_bytes(const ride_bundle *bundle) {
    return sizeof(ride_cpu_program_scratch) + (size_t)registers_max(bundle) * RIDE_PROGRAM_SLOT_BYTES;
}

ride_cpu_program_scratch *ride_cpu_program_scratch_init(const ride_bundle *bundle, void *memory) {
    RIDE_ASSERT((uintptr_t)memory % 64 == 0);
    ride_cpu_program_scratch *scratch = memory;
    memset(scratch, 0, ride_cpu_program_scratch_bytes(bundle));
    scratch->programs = ride_bundle_array(bundle, RIDE_SECTION_PROGRAMS, ride_program);
    scratch->code = ride_bundle_array(bundle, RIDE_SECTION_PROGRAM_CODE, ride_instruction);
    scratch->constants = ride_bundle_array(bundle, RIDE_SECTION_PROGRAM_CONSTANTS, ride_constant);
    scratch->zone = ride_bundle_array(bundle, RIDE_SECTION_ZONE, ride_plan_zone);
    scratch->zone_count = bundle->plan != NULL ? bundle->plan->zone_transitions_count : 0;
    for (uint32_t i = 0; i < RIDE_PROGRAM_REGISTERS_MAX; i++) scratch->registers[i].values = scratch->slots;
    scratch->eval = ride_cpu_program_eval_baseline;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) scratch->eval = ride_cpu_program_eval_avx2;
#endif
    return scratch;
}

static ride_cpu_program_run run_of(ride_cpu_program_scratch *scratch, uint32_t program,
                                   const ride_cpu_program_inputs *inputs, double *values) {
    const ride_program *head = &scratch->programs[program];
    return (ride_cpu_program_run){
        .scratch = scratch,
        .program = head,
        .code = scratch->code + head->code_first,
        .constants = head->constants_count > 0 ? scratch->constants + head->constants_first : NULL,
        .inputs = inputs,
        .n = (inputs->rows_count + 15) & ~UINT32_C(15),
        .values = values,
    };
}

void ride_cpu_program_condition(ride_cpu_program_scratch *scratch, uint32_t program,
                                const ride_cpu_program_inputs *inputs, uint8_t *bitmap) {
    const ride_cpu_program_run run = run_of(scratch, program, inputs, NULL);
    RIDE_ASSERT(run.program->result_class == RIDE_CLASS_BOOL && inputs->rows_count <= RIDE_TILE_ROWS);
    if (run.n != 0) scratch->eval(&run);
    uint64_t bits[RIDE_PROGRAM_WORDS];
    memcpy(bits, scratch->registers[run.program->result_register].bits, sizeof bits);
    for (uint32_t w = 0; w < RIDE_PROGRAM_WORDS; w++) {
        uint32_t first = w * 64, rows = inputs->rows_count;
        if (rows <= first) bits[w] = 0;
        else if (rows < first + 64) bits[w] &= (UINT64_C(1) << (rows - first)) - 1;
    }
    memcpy(bitmap, bits, sizeof bits);
}

void ride_cpu_program_number(ride_cpu_program_scratch *scratch, uint32_t program, const ride_cpu_program_inputs *inputs,
                             double *values) {
    const ride_cpu_program_run run = run_of(scratch, program, inputs, values);
    RIDE_ASSERT(inputs->rows_count <= RIDE_TILE_ROWS);
    if (run.n != 0) scratch->eval(&run);
}
