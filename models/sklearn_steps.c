/* models/sklearn_steps.c: what a pipeline of scikit-learn does to a row before the trees, or in place of them. All in doubles; the layers of a network
 * that was trained in floats are in floats. */
#include "models/sklearn.h"

#include <math.h>
#include <stdio.h>

enum { STEPS_MAX = 1024, VALUES_MAX = 1 << 16 };

typedef struct step_kind {
    const char *name;
    ride_step_kind kind;
    const char *a, *b; /* the lists that it has, one number for each value of a row */
} step_kind;

static const step_kind kinds[] = {
    {"impute", RIDE_STEP_IMPUTE, "values", NULL},
    {"shift_scale", RIDE_STEP_SHIFT_SCALE, "shift", "scale"},
    {"shift_divide", RIDE_STEP_SHIFT_DIVIDE, "shift", "divisor"},
    {"scale_shift", RIDE_STEP_SCALE_SHIFT, "scale", "shift"},
    {"normalize", RIDE_STEP_NORMALIZE_L2, NULL, NULL}, /* or what its norm says */
    {"select", RIDE_STEP_SELECT, NULL, NULL},
    {"dense", RIDE_STEP_DENSE, NULL, NULL},
};
static const char kinds_known[] = "impute, shift_scale, shift_divide, scale_shift, normalize, select and dense are";

static ride_status read_norm(ride_model_reader *reader, const ride_value *value, const char *place,
                             ride_model_step *step) {
    const ride_value *norm = ride_value_get(value, "norm");
    if (ride_value_is(norm, "max")) step->kind = RIDE_STEP_NORMALIZE_MAX;
    else if (ride_value_is(norm, "top")) step->kind = RIDE_STEP_NORMALIZE_TOP;
    else if (ride_value_is(norm, "l1")) step->kind = RIDE_STEP_NORMALIZE_L1;
    else if (!ride_value_is(norm, "l2"))
        return ride_model_finding(reader, NULL, "%snorm: max, top, l1 or l2 was expected", place);
    return RIDE_OK;
}

static ride_status read_select(ride_model_reader *reader, const ride_value *value, const char *place,
                               ride_model_step *step) {
    const ride_value *list = ride_value_get(value, "columns");
    step->outputs = ride_value_length(list);
    if (step->outputs == 0 || step->outputs > VALUES_MAX)
        return ride_model_finding(reader, NULL, "%scolumns: %u of them", place, step->outputs);
    uint32_t *columns = ride_arena_new(reader->model->arena, uint32_t, step->outputs);
    if (columns == NULL) return ride_model_finding(reader, NULL, "%scolumns: no memory", place);
    for (uint32_t i = 0; i < step->outputs; i++) {
        int64_t column;
        if (!ride_value_i64_at(list, i, &column) || column < 0 || column >= step->inputs)
            return ride_model_finding(reader, NULL, "%scolumns[%u]: none of the %u values", place, i, step->inputs);
        columns[i] = (uint32_t)column;
    }
    step->columns = columns;
    return RIDE_OK;
}

static ride_status read_dense(ride_model_reader *reader, const ride_value *value, const char *place,
                              ride_model_step *step) {
    static const char *const names[] = {"none", "relu", "sigmoid", "tanh", "softmax"};
    const ride_value *activation = ride_value_get(value, "activation");
    bool known = activation == NULL;
    RIDE_TRY(ride_sklearn_count(reader, value, "outputs", -1, 1, VALUES_MAX, &step->outputs));
    RIDE_TRY(
        ride_sklearn_numbers(reader, value, place, "weights", (uint64_t)step->outputs * step->inputs, false, &step->a));
    if (ride_value_get(value, "bias") != NULL)
        RIDE_TRY(ride_sklearn_numbers(reader, value, place, "bias", step->outputs, false, &step->b));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ride_value_is(activation, names[i])) {
            step->activation = (ride_activation)i;
            known = true;
        }
    return known ? RIDE_OK
                 : ride_model_finding(reader, "none, relu, sigmoid, tanh and softmax are",
                                      "%sactivation: not supported", place);
}

/* What is equal to this many values; a row's numbers of that step follow. */
static ride_status read_missing(ride_model_reader *reader, const ride_value *value, const char *place,
                                ride_model_step *step) {
    const ride_value *missing = ride_value_get(value, "missing");
    if (missing == NULL) return RIDE_OK;
    double *b = ride_arena_new(reader->model->arena, double, 1);
    if (b == NULL) return ride_model_finding(reader, NULL, "%smissing: no memory", place);
    if (!ride_value_double(missing, b) || !isfinite(*b))
        return ride_model_finding(reader, NULL, "%smissing: a finite number was expected", place);
    step->b = b;
    return RIDE_OK;
}

static ride_status read_kind(ride_model_reader *reader, const ride_value *value, const char *place,
                             ride_model_step *step) {
    const ride_value *name = ride_value_get(value, "kind"), *number = ride_value_get(value, "number");
    const step_kind *kind = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (ride_value_is(name, kinds[i].name)) kind = &kinds[i];
    if (kind == NULL) return ride_model_finding(reader, kinds_known, "%skind: not supported", place);
    step->kind = kind->kind;
    step->outputs = step->inputs;
    step->number = RIDE_FOREST_F64;
    if (ride_value_is(number, "f32")) step->number = RIDE_FOREST_F32;
    else if (number != NULL && !ride_value_is(number, "f64"))
        return ride_model_finding(reader, NULL, "%snumber: f32 or f64 was expected", place);
    if (kind->a != NULL) /* a column that an imputer leaves alone has NaN */
        RIDE_TRY(ride_sklearn_numbers(reader, value, place, kind->a, step->inputs, kind->kind == RIDE_STEP_IMPUTE,
                                      &step->a));
    if (kind->b != NULL) RIDE_TRY(ride_sklearn_numbers(reader, value, place, kind->b, step->inputs, false, &step->b));
    switch (kind->kind) {
    case RIDE_STEP_IMPUTE: return read_missing(reader, value, place, step);
    case RIDE_STEP_NORMALIZE_L2: return read_norm(reader, value, place, step);
    case RIDE_STEP_SELECT: return read_select(reader, value, place, step);
    case RIDE_STEP_DENSE: return read_dense(reader, value, place, step);
    case RIDE_STEP_SHIFT_DIVIDE:
        for (uint32_t i = 0; i < step->inputs; i++)
            if (step->b[i] == 0.0) return ride_model_finding(reader, NULL, "%sdivisor[%u] is 0", place, i);
        return RIDE_OK;
    default: return RIDE_OK;
    }
}

/* A float step has floats: its weights are what the trainer had. */
static ride_status check_floats(ride_model_reader *reader, const char *place, const double *numbers, uint64_t count) {
    for (uint64_t i = 0; numbers != NULL && i < count; i++)
        if ((double)(float)numbers[i] != numbers[i] && !isnan(numbers[i]))
            return ride_model_finding(reader, NULL, "%snumber: f32, and %.17g is no float", place, numbers[i]);
    return RIDE_OK;
}

static ride_status read_step(ride_model_reader *reader, const ride_value *value, const char *place,
                             ride_model_step *step) {
    RIDE_TRY(read_kind(reader, value, place, step));
    if (step->number == RIDE_FOREST_F64) return RIDE_OK;
    const uint64_t a = step->kind == RIDE_STEP_DENSE ? (uint64_t)step->outputs * step->inputs : step->inputs;
    const uint64_t b = step->kind == RIDE_STEP_DENSE    ? step->outputs
                       : step->kind == RIDE_STEP_IMPUTE ? 1
                                                        : step->inputs;
    RIDE_TRY(check_floats(reader, place, step->a, a));
    return check_floats(reader, place, step->b, b);
}

ride_status ride_sklearn_read_steps(ride_model_reader *reader, const ride_value *member, uint32_t *values) {
    ride_model *model = reader->model;
    const ride_value *list = ride_value_get(member, "steps");
    const uint32_t count = ride_value_length(list);
    *values = model->inputs_count;
    if (count == 0) return RIDE_OK;
    if (count > STEPS_MAX) return ride_model_finding(reader, NULL, "steps: %u, at most %d", count, STEPS_MAX);
    if (*values > VALUES_MAX)
        return ride_model_finding(reader, NULL, "steps: for %u features, at most %d", *values, VALUES_MAX);
    ride_model_step *steps = ride_arena_new(model->arena, ride_model_step, count);
    if (steps == NULL) return ride_model_finding(reader, NULL, "steps: no memory");
    for (uint32_t i = 0; i < count; i++) {
        char place[32];
        snprintf(place, sizeof place, "steps[%u].", i);
        steps[i].inputs = *values;
        RIDE_TRY(read_step(reader, ride_value_at(list, i), place, &steps[i]));
        *values = steps[i].outputs;
    }
    model->steps = steps;
    model->steps_count = count;
    return RIDE_OK;
}
