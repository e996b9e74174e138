/* kernels/cpu/program_step.h: the operations as loops, and the run of a program. Compiled once per instruction set; see
 * program_loops.h. */
#ifndef RIDE_KERNELS_CPU_PROGRAM_STEP_H
#define RIDE_KERNELS_CPU_PROGRAM_STEP_H
#include "kernels/cpu/program_loops.h"

static inline void step_f64(const ride_instruction *code, operand a, const operand b, const ride_cpu_register *c,
                            ride_cpu_program_scratch *scratch, uint32_t n, double *f) {
    uint8_t *flags = scratch->flags, *flags_valid = scratch->flags_valid;
    switch (code->op) {
        CASE_F2(ADD_F64, x + y);
        CASE_F2(SUB_F64, x - y);
        CASE_F2(MUL_F64, x * y);
        CASE_F2(DIV_F64, x / y);
        CASE_F2(MOD_F64, ride_fmod_row(x, y));
        CASE_F2(MIN_F64, ride_min_f64_row(x, y));
        CASE_F2(MAX_F64, ride_max_f64_row(x, y));
        CASE_F2(POW_F64, ride_pow_row(x, y));
        CASE_F1(NEG_F64, -x);
        CASE_F1(ABS_F64, ride_f64_abs(x));
        CASE_F1(SQRT_F64, ride_sqrt_row(x));
        CASE_F1(LOG_F64, ride_log_row(x));
        CASE_F1(EXP_F64, ride_exp_row(x));
        CASE_F1(FLOOR_F64, ride_floor_row(x));
        CASE_F1(CEIL_F64, ride_ceil_row(x));
        CASE_F1(ROUND_F64, ride_round_row(x));
        CASE_F2(COALESCE_F64, x == x ? x : y);
    case RIDE_OP_SELECT_F64:
        unpack_bits(c->bits, n, flags);
        unpack_bits(c->valid, n, flags_valid);
        LOOP2(double, f[i] = ride_f64_settle(!flags_valid[i] ? ride_f64_null() : flags[i] ? x : y));
        break;
    case RIDE_OP_MOVE_F64: {
        const double *pa = a.values;
        const size_t stride = a.is_constant ? 0 : 1;
        for (uint32_t i = 0; i < n; i++) f[i] = ride_f64_settle(pa[i * stride]);
        break;
    }
    case RIDE_OP_F64_OF_I64: {
        const double ten = (double)ride_power_of_ten(code->index);
        if (code->index == 0) LOOP1(int64_t, f[i] = (double)x); /* x / 1 is x */
        else LOOP1(int64_t, f[i] = ride_f64_of_i64_row(x, ten));
        null_where_invalid(a.valid, n, flags, f);
        break;
    }
    case RIDE_OP_F64_OF_U64:
        LOOP1(uint64_t, f[i] = (double)x);
        null_where_invalid(a.valid, n, flags, f);
        break;
    default: doubles_of_bits(a.bits, a.valid, n, flags, f); break; /* F64_OF_BOOL */
    }
}

static inline void step_whole(const ride_cpu_program_run *run, const ride_instruction *code, operand a, const operand b,
                              ride_cpu_register *out, void *slot) {
    ride_cpu_program_scratch *scratch = run->scratch;
    const ride_cpu_register *c = &scratch->registers[code->c];
    const uint32_t n = run->n;
    int64_t *s = slot, offset = 0;
    uint64_t *u = slot, packed[RIDE_PROGRAM_WORDS];
    uint8_t *flags = scratch->flags;
    switch (code->op) {
        CASE_WHOLE2_GOOD(ADD_I64, int64_t, ride_add_i64_row(x, y, &flags[i]));
        CASE_WHOLE2_GOOD(SUB_I64, int64_t, ride_sub_i64_row(x, y, &flags[i]));
        CASE_WHOLE2_GOOD(MUL_I64, int64_t, ride_mul_i64_row(x, y, &flags[i]));
        CASE_WHOLE2_GOOD(MOD_I64, int64_t, ride_mod_i64_row(x, y, &flags[i]));
        CASE_WHOLE2_GOOD(MOD_U64, uint64_t, ride_mod_u64_row(x, y, &flags[i]));
        CASE_WHOLE2(MIN_I64, int64_t, x < y ? x : y);
        CASE_WHOLE2(MAX_I64, int64_t, x > y ? x : y);
        CASE_WHOLE2(MIN_U64, uint64_t, x < y ? x : y);
        CASE_WHOLE2(MAX_U64, uint64_t, x > y ? x : y);
        CASE_WHOLE1_GOOD(NEG_I64, int64_t, ride_neg_i64_row(x, &flags[i]));
        CASE_WHOLE1_GOOD(ABS_I64, int64_t, ride_abs_i64_row(x, &flags[i]));
        CASE_CALENDAR(HOUR, ride_hour_row, hour_units);
        CASE_CALENDAR(MINUTE, ride_minute_row, minute_units);
        CASE_CALENDAR(WEEKDAY, ride_weekday_row, weekday_units);
        CASE_SELECT(SELECT_I64, int64_t);
        CASE_SELECT(SELECT_U64, uint64_t);
        CASE_COALESCE(COALESCE_I64, int64_t);
        CASE_COALESCE(COALESCE_U64, uint64_t);
    case RIDE_OP_DAY_OF_MONTH:
        WORDS out->valid[w] = a.valid[w];
        zone_localize(run, &a, slot, &offset);
        LOOP1(int64_t, s[i] = ride_day_of_month_row(ride_local_us(x, offset)));
        break;
    case RIDE_OP_MOVE_I64:
    case RIDE_OP_MOVE_U64: {
        const uint64_t *pa = a.values;
        const size_t stride = a.is_constant ? 0 : 1;
        for (uint32_t i = 0; i < n; i++) u[i] = pa[i * stride];
        WORDS out->valid[w] = a.valid[w];
        break;
    }
    case RIDE_OP_I64_OF_U64:
        LOOP1(uint64_t, (flags[i] = x <= INT64_MAX, u[i] = x));
        pack_bits(flags, n, packed);
        WORDS out->valid[w] = a.valid[w] & packed[w];
        break;
    case RIDE_OP_I64_OF_BOOL:
        unpack_bits(a.bits, n, flags);
        for (uint32_t i = 0; i < n; i++) u[i] = flags[i];
        WORDS out->valid[w] = a.valid[w];
        break;
    default: { /* by a power of ten */
        const int64_t ten = ride_power_of_ten(code->index);
        switch (code->op) {
            CASE_WHOLE1_GOOD(SCALE_I64, int64_t, ride_mul_i64_row(x, ten, &flags[i]));
            CASE_WHOLE1(FLOOR_I64, int64_t, ride_floor_i64_row(x, ten));
            CASE_WHOLE1(CEIL_I64, int64_t, ride_ceil_i64_row(x, ten));
            CASE_WHOLE1(ROUND_I64, int64_t, ride_round_i64_row(x, ten));
        }
    }
    }
}

static inline void step_bool(const ride_cpu_program_run *run, const ride_instruction *code, operand a, const operand b,
                             ride_cpu_register *out, void *slot) {
    ride_cpu_program_scratch *scratch = run->scratch;
    const ride_cpu_register *c = &scratch->registers[code->c];
    const uint32_t n = run->n;
    int64_t offset = 0;
    uint64_t packed[RIDE_PROGRAM_WORDS];
    uint8_t *flags = scratch->flags, *flags_valid = scratch->flags_valid;
    switch (code->op) {
        CASE_COMPARE(EQ_I64, int64_t, int64_t, x == y);
        CASE_COMPARE(NE_I64, int64_t, int64_t, x != y);
        CASE_COMPARE(LT_I64, int64_t, int64_t, x < y);
        CASE_COMPARE(LE_I64, int64_t, int64_t, x <= y);
        CASE_COMPARE(EQ_U64, uint64_t, uint64_t, x == y);
        CASE_COMPARE(NE_U64, uint64_t, uint64_t, x != y);
        CASE_COMPARE(LT_U64, uint64_t, uint64_t, x < y);
        CASE_COMPARE(LE_U64, uint64_t, uint64_t, x <= y);
        CASE_COMPARE(EQ_U64_I64, uint64_t, int64_t, ride_eq_u64_i64_row(x, y));
        CASE_COMPARE(LT_U64_I64, uint64_t, int64_t, ride_lt_u64_i64_row(x, y));
        CASE_COMPARE(LE_U64_I64, uint64_t, int64_t, ride_le_u64_i64_row(x, y));
        CASE_COMPARE_F(EQ_F64, x == y);
        CASE_COMPARE_F(NE_F64, x != y);
        CASE_COMPARE_F(LT_F64, x < y);
        CASE_COMPARE_F(LE_F64, x <= y);
    case RIDE_OP_EQ_KEY:
    case RIDE_OP_EQ_KEYS: keys_equal(run, code, out); break;
    case RIDE_OP_BOOL_OF_F64:
        LOOP1(double, (flags[i] = x != 0.0, flags_valid[i] = x == x));
        pack_bits(flags, n, packed);
        pack_bits(flags_valid, n, out->valid);
        WORDS out->bits[w] = packed[w] & out->valid[w];
        break;
    case RIDE_OP_WEEKEND:
        zone_localize(run, &a, slot, &offset);
        if (calendar_fits(a.values, n, offset))
            LOOP1(int64_t, flags[i] = weekday_units(calendar_units(x, offset)) >= 5.0);
        else LOOP1(int64_t, flags[i] = (uint8_t)ride_weekend_row(ride_local_us(x, offset)));
        pack_bits(flags, n, packed);
        WORDS {
            out->valid[w] = a.valid[w];
            out->bits[w] = packed[w] & out->valid[w];
        }
        break;
    case RIDE_OP_IS_NULL_F64:
        LOOP1(double, flags[i] = x != x);
        pack_bits(flags, n, out->bits);
        WORDS out->valid[w] = ~UINT64_C(0);
        break;
    case RIDE_OP_IS_NULL_COLUMN: {
        validity_words(run->inputs->in_layout, run->inputs->in_tile, code->index, packed);
        WORDS {
            out->bits[w] = ~packed[w];
            out->valid[w] = ~UINT64_C(0);
        }
        break;
    }
    default: /* logic over words. Bits of a null are 0: `bits` is "is true", `valid & ~bits` is "is false" */
        WORDS {
            const uint64_t at = a.bits[w], bt = b.bits[w], av = a.valid[w], bv = b.valid[w];
            const uint64_t an = av & ~at, bn = bv & ~bt;
            uint64_t yes, valid;
            switch (code->op) {
            case RIDE_OP_AND: yes = at & bt, valid = yes | an | bn; break;
            case RIDE_OP_OR: yes = at | bt, valid = yes | (an & bn); break;
            case RIDE_OP_NOT: yes = an, valid = av; break;
            case RIDE_OP_EQ_BOOL: valid = av & bv, yes = ~(at ^ bt) & valid; break;
            case RIDE_OP_IS_NULL_I64:
            case RIDE_OP_IS_NULL_U64:
            case RIDE_OP_IS_NULL_BOOL: yes = ~av, valid = ~UINT64_C(0); break;
            case RIDE_OP_SELECT_BOOL:
                valid = ((c->bits[w] & av) | (~c->bits[w] & bv)) & c->valid[w];
                yes = ((c->bits[w] & at) | (~c->bits[w] & bt)) & valid;
                break;
            case RIDE_OP_COALESCE_BOOL: valid = av | bv, yes = (av & at) | (~av & bt); break;
            default: yes = at, valid = av; break; /* MOVE_BOOL */
            }
            out->bits[w] = yes;
            out->valid[w] = valid;
        }
        break;
    }
}

static inline void step(const ride_cpu_program_run *run, const ride_instruction *code) {
    ride_cpu_program_scratch *scratch = run->scratch;
    ride_cpu_register *out = &scratch->registers[code->out];
    void *slot = scratch->slots + (size_t)code->out * RIDE_PROGRAM_SLOT_BYTES;
    if (code->op >= RIDE_OP_LOAD_I64 && code->op <= RIDE_OP_LOAD_OUT) {
        load(run, code, out, slot);
        return;
    }
    const operand a = operand_get(run, code->a), b = operand_get(run, code->b);
    switch (ride_op_info_get(code->op)->out) {
    case RIDE_CLASS_F64: step_f64(code, a, b, &scratch->registers[code->c], scratch, run->n, slot); break;
    case RIDE_CLASS_BOOL: step_bool(run, code, a, b, out, slot); break;
    default: step_whole(run, code, a, b, out, slot); break;
    }
    out->values = slot; /* last: a may be the same register */
}

static inline void program_eval(const ride_cpu_program_run *run) {
    ride_cpu_program_scratch *scratch = run->scratch;
    const uint32_t n = run->n;
    for (uint32_t pc = 0; pc < run->program->code_count; pc++) step(run, &run->code[pc]);
    if (run->values == NULL) return;
    const ride_cpu_register *result = &scratch->registers[run->program->result_register];
    if (run->program->result_class == RIDE_CLASS_BOOL) {
        doubles_of_bits(result->bits, result->valid, n, scratch->flags, run->values);
        return;
    }
    const double *x = result->values;
    double *values = run->values;
    _Pragma("GCC ivdep") for (uint32_t i = 0; i < n; i++) values[i] = ride_f64_settle(x[i]) + 0.0;
}

#endif
