/* kernels/row/expr.h: runs one program for one row. This is the meaning of a program: a GPU can run it as it is (one
 * thread per row), and kernels/cpu/program.c must agree with it bit for bit. The program must have passed
 * ride_program_check. */
#ifndef RIDE_KERNELS_ROW_EXPR_H
#define RIDE_KERNELS_ROW_EXPR_H
#include "base/tile.h"
#include "kernels/layout/program.h"
#include "kernels/row/expr_ops.h"

/* A value of any class. I64, U64, BOOL: bits and valid (bits are 0 when not valid). F64: bits only, NaN = null, valid unused. */
typedef struct ride_expr_value {
    uint64_t bits;
    uint32_t valid;
    uint32_t reserved;
} ride_expr_value;

/* What a program reads. code, constants: of the program itself (sections + first). */
typedef struct ride_expr_row_inputs {
    const ride_instruction *code;
    const ride_constant *constants;
    const ride_plan_zone *zone;
    uint32_t zone_count;
    const ride_tile_layout *in_layout, *out_layout;
    const void *in_tile, *out_tile;
} ride_expr_row_inputs;

RIDE_HD RIDE_INLINE ride_expr_value ride_expr_whole(uint64_t bits, uint32_t valid) {
    ride_expr_value v = {valid ? bits : 0, valid, 0};
    return v;
}
RIDE_HD RIDE_INLINE ride_expr_value ride_expr_double(double x) {
    ride_expr_value v = {ride_bits_of_f64(ride_f64_settle(x)), 1, 0};
    return v;
}
RIDE_HD RIDE_INLINE int ride_expr_is_null_f64(ride_expr_value v) {
    double x = ride_f64_of_bits(v.bits);
    return x != x;
}

RIDE_HD static inline const void *ride_expr_cell(const ride_tile_layout *layout, const void *tile, uint32_t column,
                                                 uint32_t row) {
    return (const uint8_t *)tile + layout->columns[column].values_offset +
           (size_t)row * ride_type_bytes(layout->columns[column].type);
}

RIDE_HD static inline ride_expr_value ride_expr_operand(const ride_expr_row_inputs *in,
                                                        const ride_expr_value *registers, uint16_t operand) {
    if ((operand & RIDE_OPERAND_CONSTANT) == 0) return registers[operand % RIDE_PROGRAM_REGISTERS_MAX];
    const ride_constant *constant = &in->constants[operand & ~RIDE_OPERAND_CONSTANT];
    ride_expr_value v = {constant->bits[0], (uint32_t)constant->bits[1], 0};
    return v;
}

RIDE_HD static inline ride_expr_value ride_expr_load(const ride_expr_row_inputs *in, const ride_instruction *code,
                                                     uint32_t row) {
    const ride_tile_layout *layout = code->op == RIDE_OP_LOAD_OUT ? in->out_layout : in->in_layout;
    const void *tile = code->op == RIDE_OP_LOAD_OUT ? in->out_tile : in->in_tile;
    const void *cell = ride_expr_cell(layout, tile, code->index, row);
    uint32_t valid = (uint32_t)ride_valid(ride_tile_validity_const(layout, tile, code->index), row);
    if (code->op == RIDE_OP_LOAD_BOOL) return ride_expr_whole(*(const uint8_t *)cell != 0, valid);
    uint64_t bits;
    memcpy(&bits, cell, sizeof bits);
    if (code->op == RIDE_OP_LOAD_I64 || code->op == RIDE_OP_LOAD_U64) return ride_expr_whole(bits, valid);
    ride_expr_value v = {valid ? bits : RIDE_NAN_BITS, 1, 0};
    return v;
}

RIDE_HD static inline ride_expr_value ride_expr_keys(const ride_expr_row_inputs *in, const ride_instruction *code,
                                                     uint32_t row) {
    uint32_t column = code->op == RIDE_OP_EQ_KEYS ? code->index % 65536 : code->index;
    uint32_t valid = (uint32_t)ride_valid(ride_tile_validity_const(in->in_layout, in->in_tile, column), row);
    ride_key128 x, y;
    memcpy(&x, ride_expr_cell(in->in_layout, in->in_tile, column, row), sizeof x);
    if (code->op == RIDE_OP_EQ_KEYS) {
        uint32_t other = code->index / 65536;
        valid &= (uint32_t)ride_valid(ride_tile_validity_const(in->in_layout, in->in_tile, other), row);
        memcpy(&y, ride_expr_cell(in->in_layout, in->in_tile, other, row), sizeof y);
    } else memcpy(&y, &in->constants[code->a & ~RIDE_OPERAND_CONSTANT], sizeof y);
    return ride_expr_whole((x.lo == y.lo) & (x.hi == y.hi), valid);
}

RIDE_HD static inline ride_expr_value ride_expr_calendar(const ride_expr_row_inputs *in, uint32_t op,
                                                         ride_expr_value a) {
    int64_t utc = (int64_t)a.bits, local = ride_local_us(utc, ride_zone_offset_row(in->zone, in->zone_count, utc)), r;
    switch (op) {
    case RIDE_OP_HOUR: r = ride_hour_row(local); break;
    case RIDE_OP_MINUTE: r = ride_minute_row(local); break;
    case RIDE_OP_WEEKDAY: r = ride_weekday_row(local); break;
    case RIDE_OP_DAY_OF_MONTH: r = ride_day_of_month_row(local); break;
    default: r = ride_weekend_row(local); break;
    }
    return ride_expr_whole((uint64_t)r, a.valid);
}

/* One instruction whose operands are already fetched. */
RIDE_HD static inline ride_expr_value ride_expr_step(const ride_expr_row_inputs *in, const ride_instruction *code,
                                                     uint32_t row, ride_expr_value a, ride_expr_value b,
                                                     ride_expr_value c) {
    const uint32_t valid = a.valid & b.valid;
    const int64_t ia = (int64_t)a.bits, ib = (int64_t)b.bits;
    const double fa = ride_f64_of_bits(a.bits), fb = ride_f64_of_bits(b.bits);
    uint8_t good = 1;
    int64_t i;
    uint64_t u;
    switch (code->op) {
    case RIDE_OP_LOAD_I64:
    case RIDE_OP_LOAD_U64:
    case RIDE_OP_LOAD_F64:
    case RIDE_OP_LOAD_BOOL:
    case RIDE_OP_LOAD_OUT: return ride_expr_load(in, code, row);
    case RIDE_OP_MOVE_I64:
    case RIDE_OP_MOVE_U64:
    case RIDE_OP_MOVE_BOOL: return ride_expr_whole(a.bits, a.valid);
    case RIDE_OP_MOVE_F64: return ride_expr_double(fa);

    case RIDE_OP_F64_OF_I64:
        return ride_expr_double(a.valid ? ride_f64_of_i64_row(ia, (double)ride_power_of_ten(code->index))
                                        : ride_f64_null());
    case RIDE_OP_F64_OF_U64: return ride_expr_double(a.valid ? (double)a.bits : ride_f64_null());
    case RIDE_OP_F64_OF_BOOL: return ride_expr_double(a.valid ? (double)(int64_t)a.bits : ride_f64_null());
    case RIDE_OP_I64_OF_U64: return ride_expr_whole(a.bits, a.valid & (a.bits <= INT64_MAX));
    case RIDE_OP_I64_OF_BOOL: return ride_expr_whole(a.bits, a.valid);
    case RIDE_OP_BOOL_OF_F64: return ride_expr_whole(fa != 0.0, fa == fa);
    case RIDE_OP_SCALE_I64:
        i = ride_mul_i64_row(ia, ride_power_of_ten(code->index), &good);
        return ride_expr_whole((uint64_t)i, a.valid & good);

    case RIDE_OP_ADD_I64: i = ride_add_i64_row(ia, ib, &good); return ride_expr_whole((uint64_t)i, valid & good);
    case RIDE_OP_SUB_I64: i = ride_sub_i64_row(ia, ib, &good); return ride_expr_whole((uint64_t)i, valid & good);
    case RIDE_OP_MUL_I64: i = ride_mul_i64_row(ia, ib, &good); return ride_expr_whole((uint64_t)i, valid & good);
    case RIDE_OP_MOD_I64: i = ride_mod_i64_row(ia, ib, &good); return ride_expr_whole((uint64_t)i, valid & good);
    case RIDE_OP_MIN_I64: return ride_expr_whole(ia < ib ? a.bits : b.bits, valid);
    case RIDE_OP_MAX_I64: return ride_expr_whole(ia > ib ? a.bits : b.bits, valid);
    case RIDE_OP_NEG_I64: i = ride_neg_i64_row(ia, &good); return ride_expr_whole((uint64_t)i, a.valid & good);
    case RIDE_OP_ABS_I64: i = ride_abs_i64_row(ia, &good); return ride_expr_whole((uint64_t)i, a.valid & good);
    case RIDE_OP_FLOOR_I64:
        return ride_expr_whole((uint64_t)ride_floor_i64_row(ia, ride_power_of_ten(code->index)), a.valid);
    case RIDE_OP_CEIL_I64:
        return ride_expr_whole((uint64_t)ride_ceil_i64_row(ia, ride_power_of_ten(code->index)), a.valid);
    case RIDE_OP_ROUND_I64:
        return ride_expr_whole((uint64_t)ride_round_i64_row(ia, ride_power_of_ten(code->index)), a.valid);
    case RIDE_OP_MOD_U64: u = ride_mod_u64_row(a.bits, b.bits, &good); return ride_expr_whole(u, valid & good);
    case RIDE_OP_MIN_U64: return ride_expr_whole(a.bits < b.bits ? a.bits : b.bits, valid);
    case RIDE_OP_MAX_U64: return ride_expr_whole(a.bits > b.bits ? a.bits : b.bits, valid);

    case RIDE_OP_ADD_F64: return ride_expr_double(fa + fb);
    case RIDE_OP_SUB_F64: return ride_expr_double(fa - fb);
    case RIDE_OP_MUL_F64: return ride_expr_double(fa * fb);
    case RIDE_OP_DIV_F64: return ride_expr_double(fa / fb);
    case RIDE_OP_MOD_F64: return ride_expr_double(ride_fmod_row(fa, fb));
    case RIDE_OP_MIN_F64: return ride_expr_double(ride_min_f64_row(fa, fb));
    case RIDE_OP_MAX_F64: return ride_expr_double(ride_max_f64_row(fa, fb));
    case RIDE_OP_POW_F64: return ride_expr_double(ride_pow_row(fa, fb));
    case RIDE_OP_NEG_F64: return ride_expr_double(-fa);
    case RIDE_OP_ABS_F64: return ride_expr_double(ride_f64_abs(fa));
    case RIDE_OP_SQRT_F64: return ride_expr_double(ride_sqrt_row(fa));
    case RIDE_OP_LOG_F64: return ride_expr_double(ride_log_row(fa));
    case RIDE_OP_EXP_F64: return ride_expr_double(ride_exp_row(fa));
    case RIDE_OP_FLOOR_F64: return ride_expr_double(ride_floor_row(fa));
    case RIDE_OP_CEIL_F64: return ride_expr_double(ride_ceil_row(fa));
    case RIDE_OP_ROUND_F64: return ride_expr_double(ride_round_row(fa));

    case RIDE_OP_EQ_I64:
    case RIDE_OP_EQ_U64:
    case RIDE_OP_EQ_BOOL: return ride_expr_whole(a.bits == b.bits, valid);
    case RIDE_OP_NE_I64:
    case RIDE_OP_NE_U64: return ride_expr_whole(a.bits != b.bits, valid);
    case RIDE_OP_LT_I64: return ride_expr_whole(ia < ib, valid);
    case RIDE_OP_LE_I64: return ride_expr_whole(ia <= ib, valid);
    case RIDE_OP_LT_U64: return ride_expr_whole(a.bits < b.bits, valid);
    case RIDE_OP_LE_U64: return ride_expr_whole(a.bits <= b.bits, valid);
    case RIDE_OP_EQ_F64: return ride_expr_whole(fa == fb, (fa == fa) & (fb == fb));
    case RIDE_OP_NE_F64: return ride_expr_whole(fa != fb, (fa == fa) & (fb == fb));
    case RIDE_OP_LT_F64: return ride_expr_whole(fa < fb, (fa == fa) & (fb == fb));
    case RIDE_OP_LE_F64: return ride_expr_whole(fa <= fb, (fa == fa) & (fb == fb));
    case RIDE_OP_EQ_U64_I64: return ride_expr_whole(ride_eq_u64_i64_row(a.bits, ib), valid);
    case RIDE_OP_LT_U64_I64: return ride_expr_whole(ride_lt_u64_i64_row(a.bits, ib), valid);
    case RIDE_OP_LE_U64_I64: return ride_expr_whole(ride_le_u64_i64_row(a.bits, ib), valid);
    case RIDE_OP_EQ_KEY:
    case RIDE_OP_EQ_KEYS: return ride_expr_keys(in, code, row);

    /* Three-valued: bits of a null are 0, so `bits` is "is true" and `valid & ~bits` is "is false". */
    case RIDE_OP_AND: {
        uint32_t yes = (uint32_t)(a.bits & b.bits), no = (a.valid & !a.bits) | (b.valid & !b.bits);
        return ride_expr_whole(yes, yes | no);
    }
    case RIDE_OP_OR: {
        uint32_t yes = (uint32_t)(a.bits | b.bits), no = (a.valid & !a.bits) & (b.valid & !b.bits);
        return ride_expr_whole(yes, yes | no);
    }
    case RIDE_OP_NOT: return ride_expr_whole(!a.bits, a.valid);
    case RIDE_OP_IS_NULL_I64:
    case RIDE_OP_IS_NULL_U64:
    case RIDE_OP_IS_NULL_BOOL: return ride_expr_whole(!a.valid, 1);
    case RIDE_OP_IS_NULL_F64: return ride_expr_whole((uint64_t)ride_expr_is_null_f64(a), 1);
    case RIDE_OP_IS_NULL_COLUMN:
        return ride_expr_whole(!ride_valid(ride_tile_validity_const(in->in_layout, in->in_tile, code->index), row), 1);

    case RIDE_OP_SELECT_I64:
    case RIDE_OP_SELECT_U64:
    case RIDE_OP_SELECT_BOOL: {
        ride_expr_value v = c.bits ? a : b;
        return ride_expr_whole(v.bits, v.valid & c.valid);
    }
    case RIDE_OP_SELECT_F64: return ride_expr_double(!c.valid ? ride_f64_null() : c.bits ? fa : fb);
    case RIDE_OP_COALESCE_I64:
    case RIDE_OP_COALESCE_U64:
    case RIDE_OP_COALESCE_BOOL: {
        ride_expr_value v = a.valid ? a : b;
        return ride_expr_whole(v.bits, v.valid);
    }
    case RIDE_OP_COALESCE_F64: return ride_expr_double(fa == fa ? fa : fb);

    default: return ride_expr_calendar(in, code->op, a); /* HOUR … WEEKEND: the check lets nothing else through */
    }
}

/* Runs the program for row `row`. The result has the class program->result_class. */
RIDE_HD static inline ride_expr_value ride_expr_row(const ride_program *program, const ride_expr_row_inputs *in,
                                                    uint32_t row) {
    ride_expr_value registers[RIDE_PROGRAM_REGISTERS_MAX];
    const ride_expr_value zero = {0, 1, 0};
    for (uint32_t i = 0; i < RIDE_PROGRAM_REGISTERS_MAX; i++) registers[i] = zero;
    for (uint32_t pc = 0; pc < program->code_count; pc++) {
        const ride_instruction *code = &in->code[pc];
        ride_expr_value a = ride_expr_operand(in, registers, code->a);
        ride_expr_value b = ride_expr_operand(in, registers, code->b);
        ride_expr_value c = ride_expr_operand(in, registers, code->c);
        registers[code->out % RIDE_PROGRAM_REGISTERS_MAX] = ride_expr_step(in, code, row, a, b, c);
    }
    return registers[program->result_register];
}

/* The result as a condition: null is false. */
RIDE_HD RIDE_INLINE int ride_expr_is_true(ride_expr_value v) { return v.bits != 0; }
/* The result as a number: null is the one NaN, zero is positive, nothing is infinite. */
RIDE_HD RIDE_INLINE double ride_expr_number(ride_expr_value v, uint32_t result_class) {
    if (result_class == RIDE_CLASS_BOOL) return v.valid ? (double)(int64_t)v.bits : ride_f64_null();
    return ride_f64_settle(ride_f64_of_bits(v.bits)) + 0.0;
}

#endif
