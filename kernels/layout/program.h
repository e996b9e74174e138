/* kernels/layout/program.h: compiled expressions. One small register program serves `expr` features, `where`
 * conditions and decision rules; host/features/expr.h writes it, kernels/row/expr.h says what every operation means for
 * one row, kernels/cpu evaluates it over whole tiles.
 *
 * A program is straight-line code: no jumps, so every row does the same work and a column-wise loop and a GPU thread run
 * the same instructions. A register holds one value per row, of one class:
 *   I64, U64   64-bit integer, null apart (validity). A decimal is an I64 in minor units, a timestamp an I64 in microseconds;
 *              scales are settled when the program is written
 *   F64        double; null is NaN. Every operation turns a result that is not finite into null
 *   BOOL       true, false or null (three-valued logic)
 * An operand is a register, or a constant when RIDE_OPERAND_CONSTANT is set. a or b of an operation with two or three
 * operands may be a constant, not both; of those with one operand only MOVE_* takes one (the compiler folds the rest).
 *
 * Plain data, little-endian, in three bundle sections: RIDE_SECTION_PROGRAMS (ride_program[]), RIDE_SECTION_PROGRAM_CODE
 * (ride_instruction[]), RIDE_SECTION_PROGRAM_CONSTANTS (ride_constant[]). */
#ifndef RIDE_KERNELS_LAYOUT_PROGRAM_H
#define RIDE_KERNELS_LAYOUT_PROGRAM_H
#include "base/error.h"
#include "base/hd.h"
#include "base/tile.h"
#include "kernels/layout/bundle.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    RIDE_PROGRAM_REGISTERS_MAX = 32,
    RIDE_PROGRAM_CODE_MAX = 4096, /* instructions of one program */
    RIDE_OPERAND_CONSTANT = 0x8000,
    RIDE_SCALE_MAX = 18,
};

typedef enum ride_class {
    RIDE_CLASS_NONE = 0,
    RIDE_CLASS_I64 = 1,
    RIDE_CLASS_U64 = 2,
    RIDE_CLASS_F64 = 3,
    RIDE_CLASS_BOOL = 4,
    RIDE_CLASS_KEY = 5, /* constants only: compared with a KEY128 column */
} ride_class;

/* What `index` of an instruction means. */
typedef enum ride_index_kind {
    RIDE_INDEX_NONE = 0,
    RIDE_INDEX_I64 = 1,  /* input column of type I64, DECIMAL or TIMESTAMP */
    RIDE_INDEX_U64 = 2,  /* input column of type U64 */
    RIDE_INDEX_F64 = 3,  /* input column of type F64 */
    RIDE_INDEX_BOOL = 4, /* input column of type BOOL */
    RIDE_INDEX_OUT = 5,  /* F64 column of the output tile: a feature, or margin/probability after the features */
    RIDE_INDEX_KEY = 6,  /* input column of type KEY128 */
    RIDE_INDEX_KEYS = 7, /* two KEY128 input columns: index % 65536 and index / 65536 */
    RIDE_INDEX_ANY = 8,  /* any input column */
    RIDE_INDEX_SCALE = 9 /* 0 … RIDE_SCALE_MAX */
} ride_index_kind;

/* X(NAME, class of out, of a, of b, of c, index). NONE operands are 0. */
#define RIDE_OP_LIST(X)                                                                                                \
    /* registers from columns and constants */                                                                         \
    X(LOAD_I64, I64, NONE, NONE, NONE, I64)                                                                            \
    X(LOAD_U64, U64, NONE, NONE, NONE, U64)                                                                            \
    X(LOAD_F64, F64, NONE, NONE, NONE, F64)                                                                            \
    X(LOAD_BOOL, BOOL, NONE, NONE, NONE, BOOL)                                                                         \
    X(LOAD_OUT, F64, NONE, NONE, NONE, OUT)                                                                            \
    X(MOVE_I64, I64, I64, NONE, NONE, NONE)                                                                            \
    X(MOVE_U64, U64, U64, NONE, NONE, NONE)                                                                            \
    X(MOVE_F64, F64, F64, NONE, NONE, NONE)                                                                            \
    X(MOVE_BOOL, BOOL, BOOL, NONE, NONE, NONE)                                                                         \
    /* conversions */                                                                                                  \
    X(F64_OF_I64, F64, I64, NONE, NONE, SCALE) /* a / 10^index: a decimal in its major unit */                         \
    X(F64_OF_U64, F64, U64, NONE, NONE, NONE)                                                                          \
    X(F64_OF_BOOL, F64, BOOL, NONE, NONE, NONE) /* 0 or 1 */                                                           \
    X(I64_OF_U64, I64, U64, NONE, NONE, NONE)   /* null above INT64_MAX */                                             \
    X(I64_OF_BOOL, I64, BOOL, NONE, NONE, NONE)                                                                        \
    X(BOOL_OF_F64, BOOL, F64, NONE, NONE, NONE) /* a != 0 */                                                           \
    X(SCALE_I64, I64, I64, NONE, NONE, SCALE)   /* a * 10^index; null when it does not fit */                          \
    /* exact arithmetic: null when it does not fit, null for % 0; % has the sign of a */                               \
    X(ADD_I64, I64, I64, I64, NONE, NONE)                                                                              \
    X(SUB_I64, I64, I64, I64, NONE, NONE)                                                                              \
    X(MUL_I64, I64, I64, I64, NONE, NONE)                                                                              \
    X(MOD_I64, I64, I64, I64, NONE, NONE)                                                                              \
    X(MIN_I64, I64, I64, I64, NONE, NONE)                                                                              \
    X(MAX_I64, I64, I64, I64, NONE, NONE)                                                                              \
    X(NEG_I64, I64, I64, NONE, NONE, NONE)                                                                             \
    X(ABS_I64, I64, I64, NONE, NONE, NONE)                                                                             \
    X(FLOOR_I64, I64, I64, NONE, NONE, SCALE) /* of the decimal with index digits, to scale 0 */                       \
    X(CEIL_I64, I64, I64, NONE, NONE, SCALE)                                                                           \
    X(ROUND_I64, I64, I64, NONE, NONE, SCALE) /* half away from zero */                                                \
    X(MOD_U64, U64, U64, U64, NONE, NONE)                                                                              \
    X(MIN_U64, U64, U64, U64, NONE, NONE)                                                                              \
    X(MAX_U64, U64, U64, U64, NONE, NONE)                                                                              \
    /* IEEE double arithmetic; not finite = null */                                                                    \
    X(ADD_F64, F64, F64, F64, NONE, NONE)                                                                              \
    X(SUB_F64, F64, F64, F64, NONE, NONE)                                                                              \
    X(MUL_F64, F64, F64, F64, NONE, NONE)                                                                              \
    X(DIV_F64, F64, F64, F64, NONE, NONE)                                                                              \
    X(MOD_F64, F64, F64, F64, NONE, NONE)                                                                              \
    X(MIN_F64, F64, F64, F64, NONE, NONE)                                                                              \
    X(MAX_F64, F64, F64, F64, NONE, NONE)                                                                              \
    X(POW_F64, F64, F64, F64, NONE, NONE)                                                                              \
    X(NEG_F64, F64, F64, NONE, NONE, NONE)                                                                             \
    X(ABS_F64, F64, F64, NONE, NONE, NONE)                                                                             \
    X(SQRT_F64, F64, F64, NONE, NONE, NONE)                                                                            \
    X(LOG_F64, F64, F64, NONE, NONE, NONE)                                                                             \
    X(EXP_F64, F64, F64, NONE, NONE, NONE)                                                                             \
    X(FLOOR_F64, F64, F64, NONE, NONE, NONE)                                                                           \
    X(CEIL_F64, F64, F64, NONE, NONE, NONE)                                                                            \
    X(ROUND_F64, F64, F64, NONE, NONE, NONE) /* half away from zero */                                                 \
    /* comparisons: null when a side is null */                                                                        \
    X(EQ_I64, BOOL, I64, I64, NONE, NONE)                                                                              \
    X(NE_I64, BOOL, I64, I64, NONE, NONE)                                                                              \
    X(LT_I64, BOOL, I64, I64, NONE, NONE)                                                                              \
    X(LE_I64, BOOL, I64, I64, NONE, NONE)                                                                              \
    X(EQ_U64, BOOL, U64, U64, NONE, NONE)                                                                              \
    X(NE_U64, BOOL, U64, U64, NONE, NONE)                                                                              \
    X(LT_U64, BOOL, U64, U64, NONE, NONE)                                                                              \
    X(LE_U64, BOOL, U64, U64, NONE, NONE)                                                                              \
    X(EQ_F64, BOOL, F64, F64, NONE, NONE)                                                                              \
    X(NE_F64, BOOL, F64, F64, NONE, NONE)                                                                              \
    X(LT_F64, BOOL, F64, F64, NONE, NONE)                                                                              \
    X(LE_F64, BOOL, F64, F64, NONE, NONE)                                                                              \
    X(EQ_U64_I64, BOOL, U64, I64, NONE, NONE) /* by value: a u64 against an i64 */                                     \
    X(LT_U64_I64, BOOL, U64, I64, NONE, NONE)                                                                          \
    X(LE_U64_I64, BOOL, U64, I64, NONE, NONE)                                                                          \
    X(EQ_BOOL, BOOL, BOOL, BOOL, NONE, NONE)                                                                           \
    X(EQ_KEY, BOOL, KEY, NONE, NONE, KEY) /* the column against a constant key */                                      \
    X(EQ_KEYS, BOOL, NONE, NONE, NONE, KEYS)                                                                           \
    /* three-valued logic */                                                                                           \
    X(AND, BOOL, BOOL, BOOL, NONE, NONE)                                                                               \
    X(OR, BOOL, BOOL, BOOL, NONE, NONE)                                                                                \
    X(NOT, BOOL, BOOL, NONE, NONE, NONE)                                                                               \
    X(IS_NULL_I64, BOOL, I64, NONE, NONE, NONE)                                                                        \
    X(IS_NULL_U64, BOOL, U64, NONE, NONE, NONE)                                                                        \
    X(IS_NULL_F64, BOOL, F64, NONE, NONE, NONE)                                                                        \
    X(IS_NULL_BOOL, BOOL, BOOL, NONE, NONE, NONE)                                                                      \
    X(IS_NULL_COLUMN, BOOL, NONE, NONE, NONE, ANY)                                                                     \
    /* c ? a : b; null when c is null */                                                                               \
    X(SELECT_I64, I64, I64, I64, BOOL, NONE)                                                                           \
    X(SELECT_U64, U64, U64, U64, BOOL, NONE)                                                                           \
    X(SELECT_F64, F64, F64, F64, BOOL, NONE)                                                                           \
    X(SELECT_BOOL, BOOL, BOOL, BOOL, BOOL, NONE)                                                                       \
    /* a, or b where a is null */                                                                                      \
    X(COALESCE_I64, I64, I64, I64, NONE, NONE)                                                                         \
    X(COALESCE_U64, U64, U64, U64, NONE, NONE)                                                                         \
    X(COALESCE_F64, F64, F64, F64, NONE, NONE)                                                                         \
    X(COALESCE_BOOL, BOOL, BOOL, BOOL, NONE, NONE)                                                                     \
    /* calendar of a timestamp in the plan's zone */                                                                   \
    X(HOUR, I64, I64, NONE, NONE, NONE)                                                                                \
    X(MINUTE, I64, I64, NONE, NONE, NONE)                                                                              \
    X(WEEKDAY, I64, I64, NONE, NONE, NONE) /* Monday = 0 */                                                            \
    X(DAY_OF_MONTH, I64, I64, NONE, NONE, NONE)                                                                        \
    X(WEEKEND, BOOL, I64, NONE, NONE, NONE) /* Saturday or Sunday */

typedef enum ride_op {
    RIDE_OP_NONE = 0,
#define RIDE_OP_ENUM(name, out, a, b, c, index) RIDE_OP_##name,
    RIDE_OP_LIST(RIDE_OP_ENUM)
#undef RIDE_OP_ENUM
        RIDE_OP_COUNT
} ride_op;

typedef struct ride_instruction {
    uint16_t op;      /* ride_op */
    uint16_t out;     /* register; may be one that the instruction reads */
    uint16_t a, b, c; /* operands */
    uint16_t reserved;
    uint32_t index; /* ride_index_kind says what */
} ride_instruction;
RIDE_STATIC_ASSERT(sizeof(ride_instruction) == 16, "four instructions per cache line");

/* I64, U64, BOOL: bits[0] the value, bits[1] 1 = valid, 0 = null. F64: bits[0], NaN = null. KEY: lo, hi. */
typedef struct ride_constant {
    uint64_t bits[2];
} ride_constant;

typedef enum ride_program_reads {
    RIDE_PROGRAM_READS_FEATURES = 1, /* columns of the output tile below features_count */
    RIDE_PROGRAM_READS_SCORE = 2,    /* margin or probability */
} ride_program_reads;

typedef struct ride_program {
    uint32_t code_first, code_count;           /* into RIDE_SECTION_PROGRAM_CODE; count >= 1 */
    uint32_t constants_first, constants_count; /* into RIDE_SECTION_PROGRAM_CONSTANTS; operands count from first */
    uint32_t registers_count;
    uint32_t result_register;
    uint32_t result_class; /* ride_class: BOOL or F64. A BOOL read as a number is 0, 1 or null */
    uint32_t reads;        /* ride_program_reads bits */
} ride_program;
RIDE_STATIC_ASSERT(sizeof(ride_program) == 32, "two programs per cache line");

/* Classes of an operation. NULL for an unknown one. Any thread. */
typedef struct ride_op_info {
    const char *name;
    uint8_t out, a, b, c; /* ride_class */
    uint8_t index;        /* ride_index_kind */
} ride_op_info;
const ride_op_info *ride_op_info_get(uint32_t op);

/* Checks one program against what it may touch: every register, operand, constant, column and scale in range, every register
 * written before it is read and read as the class it was written with, `reads` true. columns may be NULL when
 * columns_count is 0. What passes can be run by any backend without further checks. RIDE_E_CORRUPT and why otherwise. */
typedef struct ride_program_bounds {
    const ride_plan_column *columns; /* the input tile */
    uint32_t columns_count;
    uint32_t features_count;
    const ride_instruction *code;
    uint64_t code_count; /* of the whole section */
    const ride_constant *constants;
    uint64_t constants_count;
} ride_program_bounds;
ride_status ride_program_check(const ride_program *program, const ride_program_bounds *bounds, ride_error *err);

/* Checks all programs of a bundle, and that conditions give a BOOL and read the event only, that an expression reads no
 * score and only aggregates and earlier expressions, and that rules give a BOOL. Called by ride_bundle_open; a bundle without a plan or without programs passes. */
ride_status ride_programs_check(const ride_bundle *bundle, ride_error *err);

#ifdef __cplusplus
}
#endif

#endif
