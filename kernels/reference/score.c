/* kernels/reference/score.c: what follows the windows, one row at a time with the functions of kernels/row as they are:
 * expressions, the vector and its trees, decision rules, the cells of a profile. */
#include "kernels/reference/state.h"
#include "kernels/row/ensemble.h"
#include "kernels/row/expr.h"
#include "kernels/row/profile.h"
#include "kernels/row/vector.h"

#include <stdlib.h>

static ride_expr_value run_program(const ride_program_dev *program, uint32_t index, const uint8_t *in_tile,
                                   const uint8_t *out_tile, uint32_t row, uint32_t *result_class) {
    const ride_program *code = &REF_PLAN(program, RIDE_SECTION_PROGRAMS, ride_program)[index];
    const ride_expr_row_inputs inputs = {.code = REF_PLAN(program, RIDE_SECTION_PROGRAM_CODE, ride_instruction) +
                                                 code->code_first,
                                         .constants = REF_PLAN(program, RIDE_SECTION_PROGRAM_CONSTANTS, ride_constant) +
                                                      code->constants_first,
                                         .zone = REF_PLAN(program, RIDE_SECTION_ZONE, ride_plan_zone),
                                         .zone_count = program->bundle.plan->zone_transitions_count,
                                         .in_layout = &program->in,
                                         .out_layout = &program->out,
                                         .in_tile = in_tile,
                                         .out_tile = out_tile};
    *result_class = code->result_class;
    return ride_expr_row(code, &inputs, row);
}

bool ref_row_condition(const ride_program_dev *program, uint32_t program_index, const uint8_t *in_tile,
                       const uint8_t *out_tile, uint32_t row) {
    uint32_t result_class;
    return ride_expr_is_true(run_program(program, program_index, in_tile, out_tile, row, &result_class));
}

static double *out_f64(const ride_program_dev *program, uint8_t *out_tile, uint32_t column, uint32_t row) {
    return (double *)ride_tile_values(&program->out, out_tile, column) + row;
}

void ref_row_expressions(const ride_program_dev *program, const uint8_t *in_tile, uint8_t *out_tile, uint32_t row) {
    const ride_plan_expression *expressions = REF_PLAN(program, RIDE_SECTION_EXPRESSIONS, ride_plan_expression);
    for (uint32_t i = 0; i < program->bundle.plan->expressions_count; i++) {
        uint32_t result_class;
        const ride_expr_value value =
            run_program(program, expressions[i].program, in_tile, out_tile, row, &result_class);
        *out_f64(program, out_tile, expressions[i].feature, row) = ride_expr_number(value, result_class);
    }
}

/* Entry `index` of the vector for one row. */
static double vector_value(const ride_program_dev *program, const uint8_t *in_tile, uint8_t *out_tile, uint32_t index,
                           uint32_t row) {
    const ride_plan_vector *entry = &REF_PLAN(program, RIDE_SECTION_VECTOR, ride_plan_vector)[index];
    if (entry->is_feature) return *out_f64(program, out_tile, entry->index, row);
    if (!ride_valid(ride_tile_validity_const(&program->in, in_tile, entry->index), row)) return ride_null_f64();
    const ride_plan_column *column = &REF_PLAN(program, RIDE_SECTION_COLUMNS, ride_plan_column)[entry->index];
    return ride_vector_value(ride_tile_values_const(&program->in, in_tile, entry->index), column->type, row,
                             column->type == RIDE_TYPE_DECIMAL ? ride_vector_divisor(column->scale) : 1.0);
}

static ride_status score_ensemble(const ride_program_dev *program, const uint8_t *in_tile, uint8_t *out_tile,
                                  uint32_t row, double *margin, double *answer) {
    const ride_ensemble_parts *ensemble = &program->ensemble;
    const uint32_t count = ensemble->view.header->inputs_count;
    double *inputs = calloc(count + 1, sizeof *inputs);
    double *scratch = calloc(ride_ensemble_row_scratch(ensemble), sizeof *scratch);
    const ride_status st = inputs != NULL && scratch != NULL ? RIDE_OK : RIDE_E_MEMORY;
    for (uint32_t i = 0; st == RIDE_OK && i < count; i++) inputs[i] = vector_value(program, in_tile, out_tile, i, row);
    if (st == RIDE_OK) ride_ensemble_row(ensemble, inputs, scratch, margin, answer);
    free(scratch);
    free(inputs);
    return st;
}

static ride_status score_forest(const ride_program_dev *program, const uint8_t *in_tile, uint8_t *out_tile,
                                uint32_t row, double *margin, double *answer) {
    const ride_forest_header *forest = program->forest.header;
    double *inputs = calloc(forest->inputs_count + 1, sizeof *inputs);
    double *sums = calloc(forest->outputs_count + 1, sizeof *sums);
    if (inputs != NULL && sums != NULL) {
        for (uint32_t i = 0; i < forest->inputs_count; i++)
            inputs[i] = ride_forest_input(vector_value(program, in_tile, out_tile, program->forest.inputs[i], row),
                                          forest->input_number);
        ride_forest_row(&program->forest, inputs, 1, sums);
        *margin = sums[0];
        ride_link_row(sums, forest);
        *answer = sums[0];
    }
    const ride_status st = inputs != NULL && sums != NULL ? RIDE_OK : RIDE_E_MEMORY;
    free(sums);
    free(inputs);
    return st;
}

ride_status ref_row_score(const ride_program_dev *program, const uint8_t *in_tile, uint8_t *out_tile, uint32_t row) {
    const uint32_t features_count = program->bundle.plan->features_count;
    double margin = 0.0, answer = 0.0;
    RIDE_TRY(program->members != NULL ? score_ensemble(program, in_tile, out_tile, row, &margin, &answer)
                                      : score_forest(program, in_tile, out_tile, row, &margin, &answer));
    *out_f64(program, out_tile, features_count + RIDE_OUT_MARGIN, row) = margin;
    *out_f64(program, out_tile, features_count + RIDE_OUT_PROBABILITY, row) = answer;
    return RIDE_OK;
}

void ref_row_rules(const ride_program_dev *program, const uint8_t *in_tile, uint8_t *out_tile, uint32_t row) {
    const ride_plan_header *plan = program->bundle.plan;
    const ride_plan_rule *rules = REF_PLAN(program, RIDE_SECTION_RULES, ride_plan_rule);
    uint32_t decided = 0;
    while (decided < plan->rules_count && !ref_row_condition(program, rules[decided].program, in_tile, out_tile, row))
        decided++;
    uint32_t *out = ride_tile_values(&program->out, out_tile, plan->features_count + RIDE_OUT_RULE);
    out[row] = decided;
}

void ref_row_count(const ride_program_dev *program, const uint8_t *in_tile, uint8_t *out_tile, uint32_t row,
                   ride_counts *counts) {
    const uint32_t features_count = program->bundle.plan->features_count;
    for (uint32_t i = 0; i < program->profile.header->columns_count; i++) {
        const ride_profile_column *column = &program->profile.columns[i];
        const double *edges = program->profile.edges + column->edges_first;
        double x;
        if (column->source == RIDE_PROFILE_MARGIN)
            x = *out_f64(program, out_tile, features_count + RIDE_OUT_MARGIN, row);
        else if (column->source == RIDE_PROFILE_PROBABILITY)
            x = *out_f64(program, out_tile, features_count + RIDE_OUT_PROBABILITY, row);
        else x = vector_value(program, in_tile, out_tile, column->index, row);
        counts->cells[column->cells_first + ride_profile_cell(column, edges, x)]++;
    }
}
