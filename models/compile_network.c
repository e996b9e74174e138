/* models/compile_network.c: a model's steps → the layout of network.h. What a step needs to be safe and exact is looked at here, with words that a
 * person can use; network.c checks the same again of every file. */
#include "models/compile_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Counted as indexes of 32 bits. */
enum { NUMBERS_MAX = 1 << 30 };

static const char *kind_name(ride_step_kind kind) {
    switch (kind) {
    case RIDE_STEP_IMPUTE: return "imputer";
    case RIDE_STEP_SHIFT_SCALE:
    case RIDE_STEP_SHIFT_DIVIDE:
    case RIDE_STEP_SCALE_SHIFT: return "scaler";
    case RIDE_STEP_NORMALIZE_TOP:
    case RIDE_STEP_NORMALIZE_MAX:
    case RIDE_STEP_NORMALIZE_L1:
    case RIDE_STEP_NORMALIZE_L2: return "normalizer";
    case RIDE_STEP_DENSE: return "layer";
    case RIDE_STEP_SELECT: return "selection";
    case RIDE_STEPS: break;
    }
    return "step";
}

static ride_status add_numbers(ride_compiler *c, const ride_model_step *step, uint32_t index, const double *from,
                               uint64_t count, bool is_divisor, uint32_t *first, uint32_t *numbers_count) {
    *first = count > 0 ? *numbers_count : 0;
    if (count == 0) return RIDE_OK;
    if (from == NULL || count > NUMBERS_MAX - *numbers_count)
        return ride_compile_fault(c, NULL, "step %u (%s): %llu numbers that are not there, or too many", index,
                                  kind_name(step->kind), (unsigned long long)count);
    double *to = RIDE_COMPILE_ADD(c, NETWORK_NUMBERS, double, count);
    if (to == NULL) return ride_compile_no_memory(c);
    for (uint64_t i = 0; i < count; i++) {
        const bool fits = step->number == RIDE_FOREST_F64 || (double)(float)from[i] == from[i];
        const bool is_left = step->kind == RIDE_STEP_IMPUTE && from == step->a && isnan(from[i]);
        if ((!isfinite(from[i]) && !is_left) || (!fits && !is_left) || (is_divisor && from[i] == 0.0))
            return ride_compile_fault(c, NULL, "step %u (%s): number %llu is %g", index, kind_name(step->kind),
                                      (unsigned long long)i, from[i]);
        to[i] = from[i];
    }
    *numbers_count += (uint32_t)count;
    return RIDE_OK;
}

static ride_status add_columns(ride_compiler *c, const ride_model_step *step, uint32_t index, ride_network_step *out,
                               uint32_t *columns_count) {
    if (step->kind != RIDE_STEP_SELECT) return RIDE_OK;
    uint32_t *to = RIDE_COMPILE_ADD(c, NETWORK_COLUMNS, uint32_t, step->outputs);
    if (to == NULL) return ride_compile_no_memory(c);
    for (uint32_t i = 0; i < step->outputs; i++) {
        if (step->columns[i] >= step->inputs)
            return ride_compile_fault(c, NULL, "step %u (selection): column %u of %u", index, step->columns[i],
                                      step->inputs);
        to[i] = step->columns[i];
    }
    out->columns_first = *columns_count;
    *columns_count += step->outputs;
    return RIDE_OK;
}

static ride_status add_step(ride_compiler *c, uint32_t index, uint32_t width, ride_network_header *h) {
    const ride_model_step *step = &c->member->model->steps[index];
    const bool changes = step->kind == RIDE_STEP_DENSE || step->kind == RIDE_STEP_SELECT;
    if (step->inputs != width || step->outputs == 0 || (!changes && step->outputs != width))
        return ride_compile_fault(c, NULL, "step %u (%s) makes %u numbers of %u, and the step before it makes %u",
                                  index, kind_name(step->kind), step->outputs, step->inputs, width);
    if (step->outputs > RIDE_NETWORK_WIDTH_MAX)
        return ride_compile_fault(c, NULL, "step %u (%s) makes %u numbers, at most %d", index, kind_name(step->kind),
                                  step->outputs, RIDE_NETWORK_WIDTH_MAX);
    ride_network_step out = {.kind = step->kind,
                             .number = step->number,
                             .activation = step->activation,
                             .inputs = step->inputs,
                             .outputs = step->outputs,
                             .has_b = step->b != NULL};
    const bool is_divisor = step->kind == RIDE_STEP_SHIFT_DIVIDE;
    RIDE_TRY(add_numbers(c, step, index, step->a, ride_step_a_count(&out), false, &out.a_first, &h->numbers_count));
    RIDE_TRY(
        add_numbers(c, step, index, step->b, ride_step_b_count(&out), is_divisor, &out.b_first, &h->numbers_count));
    RIDE_TRY(add_columns(c, step, index, &out, &h->columns_count));
    ride_network_step *to = RIDE_COMPILE_ADD(c, NETWORK_STEPS, ride_network_step, 1);
    if (to == NULL) return ride_compile_no_memory(c);
    *to = out;
    if (step->outputs > h->width_max) h->width_max = step->outputs;
    return RIDE_OK;
}

ride_status ride_compile_network(ride_compiler *c) {
    const ride_model *model = c->member->model;
    const bool has_trees = model->trees_count > 0;
    ride_network_header header = {
        .network_version = RIDE_NETWORK_VERSION,
        .inputs_count = model->inputs_count,
        .steps_count = model->steps_count,
        .width_max = model->inputs_count,
        .number = model->sum_number,
        .link = has_trees ? RIDE_FOREST_LINK_NONE : model->link,
        .link_scale = has_trees ? 0.0 : model->link_scale,
        .mean_of = has_trees ? 0 : model->mean_of,
    };
    if (model->inputs_count == 0 || model->inputs_count > RIDE_NETWORK_WIDTH_MAX ||
        model->steps_count > RIDE_NETWORK_STEPS_MAX)
        return ride_compile_fault(c, NULL, "%u inputs and %u steps, at most %d and %d", model->inputs_count,
                                  model->steps_count, RIDE_NETWORK_WIDTH_MAX, RIDE_NETWORK_STEPS_MAX);
    uint32_t width = model->inputs_count;
    for (uint32_t i = 0; i < model->steps_count; i++) {
        RIDE_TRY(add_step(c, i, width, &header));
        width = model->steps[i].outputs;
    }
    header.outputs_count = width;
    if (!has_trees && width != model->outputs_count)
        return ride_compile_fault(c, NULL, "the last step makes %u numbers, and the model has %u outputs", width,
                                  model->outputs_count);
    snprintf(header.format, sizeof header.format, "%s", model->format);
    snprintf(header.objective, sizeof header.objective, "%s", model->objective);
    ride_network_header *to = RIDE_COMPILE_ADD(c, NETWORK, ride_network_header, 1);
    uint32_t *sources = RIDE_COMPILE_ADD(c, NETWORK_INPUTS, uint32_t, model->inputs_count);
    if (to == NULL || sources == NULL) return ride_compile_no_memory(c);
    *to = header;
    memcpy(sources, c->inputs, model->inputs_count * sizeof *sources);
    c->networks_count++;
    return RIDE_OK;
}
