/* kernels/layout/program.c: checks compiled programs before anything runs them.
 *
 * Programs come from a file that may be damaged or hostile. The code is straight-line, so one forward pass that knows
 * the class of every register proves everything a backend relies on. Backends then run without checks. */
#include "kernels/layout/program.h"

#include <math.h>
#include <string.h>

static const ride_op_info op_table[RIDE_OP_COUNT] = {[RIDE_OP_NONE] = {"NONE", 0, 0, 0, 0, 0},
#define OP_ROW(name, out, a, b, c, index)                                                                              \
    [RIDE_OP_##name] = {#name, RIDE_CLASS_##out, RIDE_CLASS_##a, RIDE_CLASS_##b, RIDE_CLASS_##c, RIDE_INDEX_##index},
                                                     RIDE_OP_LIST(OP_ROW)
#undef OP_ROW
};

const ride_op_info *ride_op_info_get(uint32_t op) {
    return op > RIDE_OP_NONE && op < RIDE_OP_COUNT ? &op_table[op] : NULL;
}

/* Is the constant a proper value of the class? Nulls of whole classes have value 0: operations rely on it. */
static bool constant_fits(const ride_constant *constant, uint32_t class) {
    const uint64_t *bits = constant->bits;
    double x;
    switch (class) {
    case RIDE_CLASS_I64:
    case RIDE_CLASS_U64: return bits[1] == 1 || (bits[1] == 0 && bits[0] == 0);
    case RIDE_CLASS_BOOL: return bits[1] <= 1 && bits[0] <= bits[1];
    case RIDE_CLASS_F64: memcpy(&x, bits, sizeof x); return !isinf(x);
    default: return true; /* KEY */
    }
}

static const char *check_operand(const ride_program *program, const ride_program_bounds *bounds, const uint8_t *classes,
                                 uint32_t operand, uint32_t class) {
    if (class == RIDE_CLASS_NONE) return operand == 0 ? NULL : "an operand where there is none";
    if ((operand & RIDE_OPERAND_CONSTANT) != 0) {
        operand &= ~(uint32_t)RIDE_OPERAND_CONSTANT;
        if (operand >= program->constants_count) return "no such constant";
        return constant_fits(&bounds->constants[program->constants_first + operand], class) ? NULL : "a bad constant";
    }
    if (class == RIDE_CLASS_KEY) return "a key that is no constant";
    if (operand >= program->registers_count) return "no such register";
    if (classes[operand] == RIDE_CLASS_NONE) return "a register that is read before it is written";
    return classes[operand] == class ? NULL : "a register of another class";
}

static bool column_is(const ride_program_bounds *bounds, uint32_t column, uint32_t type) {
    return column < bounds->columns_count && bounds->columns[column].type == type;
}

static const char *check_index(const ride_program *program, const ride_program_bounds *bounds, uint32_t kind,
                               uint32_t index) {
    bool good = false;
    switch (kind) {
    case RIDE_INDEX_NONE: good = index == 0; break;
    case RIDE_INDEX_I64:
        good = column_is(bounds, index, RIDE_TYPE_I64) || column_is(bounds, index, RIDE_TYPE_DECIMAL) ||
               column_is(bounds, index, RIDE_TYPE_TIMESTAMP);
        break;
    case RIDE_INDEX_U64: good = column_is(bounds, index, RIDE_TYPE_U64); break;
    case RIDE_INDEX_F64: good = column_is(bounds, index, RIDE_TYPE_F64); break;
    case RIDE_INDEX_BOOL: good = column_is(bounds, index, RIDE_TYPE_BOOL); break;
    case RIDE_INDEX_KEY: good = column_is(bounds, index, RIDE_TYPE_KEY128); break;
    case RIDE_INDEX_KEYS:
        good = column_is(bounds, index % 65536, RIDE_TYPE_KEY128) && column_is(bounds, index / 65536, RIDE_TYPE_KEY128);
        break;
    case RIDE_INDEX_ANY: good = index < bounds->columns_count; break;
    case RIDE_INDEX_SCALE: good = index <= RIDE_SCALE_MAX; break;
    case RIDE_INDEX_OUT:
        if (index < bounds->features_count) good = (program->reads & RIDE_PROGRAM_READS_FEATURES) != 0;
        else
            good = (index == bounds->features_count + RIDE_OUT_MARGIN ||
                    index == bounds->features_count + RIDE_OUT_PROBABILITY) &&
                   (program->reads & RIDE_PROGRAM_READS_SCORE) != 0;
        break;
    }
    return good ? NULL : "no such column or scale";
}

static const char *check_instruction(const ride_program *program, const ride_program_bounds *bounds,
                                     const ride_instruction *code, uint8_t *classes) {
    const ride_op_info *info = ride_op_info_get(code->op);
    if (info == NULL) return "no such operation";
    if (code->reserved != 0) return "reserved bits";
    const char *bad = check_index(program, bounds, info->index, code->index);
    if (bad == NULL) bad = check_operand(program, bounds, classes, code->a, info->a);
    if (bad == NULL) bad = check_operand(program, bounds, classes, code->b, info->b);
    if (bad == NULL) bad = check_operand(program, bounds, classes, code->c, info->c);
    if (bad != NULL) return bad;
    if (info->b != RIDE_CLASS_NONE && (code->a & code->b & RIDE_OPERAND_CONSTANT) != 0) return "two constant operands";
    if (info->c != RIDE_CLASS_NONE && (code->c & RIDE_OPERAND_CONSTANT) != 0) return "a constant choice";
    bool may_be_constant = info->b != RIDE_CLASS_NONE || info->a == RIDE_CLASS_KEY ||
                           (code->op >= RIDE_OP_MOVE_I64 && code->op <= RIDE_OP_MOVE_BOOL);
    if (!may_be_constant && (code->a & RIDE_OPERAND_CONSTANT) != 0) return "a constant where a register belongs";
    if (code->out >= program->registers_count) return "no such register";
    classes[code->out] = info->out;
    return NULL;
}

ride_status ride_program_check(const ride_program *program, const ride_program_bounds *bounds, ride_error *err) {
    if (program->code_count == 0 || program->code_count > RIDE_PROGRAM_CODE_MAX ||
        (uint64_t)program->code_first + program->code_count > bounds->code_count ||
        program->constants_count > RIDE_OPERAND_CONSTANT ||
        (uint64_t)program->constants_first + program->constants_count > bounds->constants_count)
        return ride_fail(err, RIDE_E_CORRUPT, "an expression program lies outside its section");
    if (program->registers_count > RIDE_PROGRAM_REGISTERS_MAX || program->result_register >= program->registers_count ||
        (program->result_class != RIDE_CLASS_BOOL && program->result_class != RIDE_CLASS_F64) ||
        (program->reads & ~(uint32_t)(RIDE_PROGRAM_READS_FEATURES | RIDE_PROGRAM_READS_SCORE)) != 0)
        return ride_fail(err, RIDE_E_CORRUPT, "the head of an expression program is bad");
    uint8_t classes[RIDE_PROGRAM_REGISTERS_MAX] = {0};
    for (uint32_t i = 0; i < program->code_count; i++) {
        const char *bad = check_instruction(program, bounds, &bounds->code[program->code_first + i], classes);
        if (bad != NULL)
            return ride_fail(err, RIDE_E_CORRUPT, "instruction %u of an expression program uses %s", i, bad);
    }
    if (classes[program->result_register] != program->result_class)
        return ride_fail(err, RIDE_E_CORRUPT, "an expression program gives no result");
    return RIDE_OK;
}

/* Expressions run in order after all aggregates: one may read every aggregate, and the expressions before it. */
static ride_status check_expressions(const ride_bundle *bundle, const ride_program *programs, uint64_t programs_count,
                                     const ride_instruction *code, ride_error *err) {
    const ride_plan_header *plan = bundle->plan;
    const ride_plan_expression *list = ride_bundle_array(bundle, RIDE_SECTION_EXPRESSIONS, ride_plan_expression);
    uint8_t pending[RIDE_TILE_COLUMNS_MAX] = {0}; /* features that an expression has yet to write */
    if (plan->features_count > RIDE_TILE_COLUMNS_MAX) return ride_fail(err, RIDE_E_CORRUPT, "too many features");
    for (uint32_t i = 0; i < plan->expressions_count; i++) {
        if (list[i].program >= programs_count || list[i].feature >= plan->features_count || pending[list[i].feature])
            return ride_fail(err, RIDE_E_CORRUPT, "expression %u has no program or no feature of its own", i);
        pending[list[i].feature] = 1;
    }
    for (uint32_t i = 0; i < plan->expressions_count; i++) {
        const ride_program *program = &programs[list[i].program];
        for (uint32_t k = 0; k < program->code_count; k++) {
            const ride_instruction *step = &code[program->code_first + k];
            if (step->op == RIDE_OP_LOAD_OUT && (step->index >= plan->features_count || pending[step->index]))
                return ride_fail(err, RIDE_E_CORRUPT, "expression %u reads what is not there yet", i);
        }
        pending[list[i].feature] = 0;
    }
    return RIDE_OK;
}

ride_status ride_programs_check(const ride_bundle *bundle, ride_error *err) {
    const ride_plan_header *plan = bundle->plan;
    if (plan == NULL) return RIDE_OK;
    const ride_program *programs = ride_bundle_array(bundle, RIDE_SECTION_PROGRAMS, ride_program);
    const ride_instruction *code = ride_bundle_array(bundle, RIDE_SECTION_PROGRAM_CODE, ride_instruction);
    const uint64_t programs_count = bundle->sections_bytes[RIDE_SECTION_PROGRAMS] / sizeof *programs;
    const ride_program_bounds bounds = {
        .columns = ride_bundle_array(bundle, RIDE_SECTION_COLUMNS, ride_plan_column),
        .columns_count = plan->columns_count,
        .features_count = plan->features_count,
        .code = code,
        .code_count = bundle->sections_bytes[RIDE_SECTION_PROGRAM_CODE] / sizeof *code,
        .constants = ride_bundle_array(bundle, RIDE_SECTION_PROGRAM_CONSTANTS, ride_constant),
        .constants_count = bundle->sections_bytes[RIDE_SECTION_PROGRAM_CONSTANTS] / sizeof(ride_constant),
    };
    for (uint64_t i = 0; i < programs_count; i++) RIDE_TRY(ride_program_check(&programs[i], &bounds, err));

    const ride_plan_condition *conditions = ride_bundle_array(bundle, RIDE_SECTION_CONDITIONS, ride_plan_condition);
    for (uint32_t i = 0; i < plan->conditions_count; i++) {
        uint32_t p = conditions[i].program;
        if (p >= programs_count || programs[p].result_class != RIDE_CLASS_BOOL || programs[p].reads != 0)
            return ride_fail(err, RIDE_E_CORRUPT, "condition %u has no fitting program", i);
    }
    RIDE_TRY(check_expressions(bundle, programs, programs_count, code, err));
    const ride_plan_rule *rules = ride_bundle_array(bundle, RIDE_SECTION_RULES, ride_plan_rule);
    for (uint32_t i = 0; i < plan->rules_count; i++)
        if (rules[i].program >= programs_count || programs[rules[i].program].result_class != RIDE_CLASS_BOOL)
            return ride_fail(err, RIDE_E_CORRUPT, "rule %u has no fitting program", i);
    return RIDE_OK;
}
