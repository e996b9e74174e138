/* models/xgboost_linear.c: gblinear: one weight for each input and output, inputs first, then the biases. What is missing adds nothing, so it is 0 here;
 * XGBoost adds products in input order, rounded twice, where a layer here rounds once: the same to a bound, not to the bit. */
#include "models/xgboost.h"

#include <math.h>
#include <stdio.h>

ride_status ride_xgboost_read_linear(ride_model_reader *reader, const ride_value *linear_model) {
    static const char place[] = "learner.gradient_booster.model.weights";
    ride_model *model = reader->model;
    const ride_value *weights = ride_value_get(linear_model, "weights");
    const uint32_t inputs = model->inputs_count, outputs = model->outputs_count;
    const float base =
        (float)model->base_margins[0]; /* whatever the others are: XGBoost 3.2 takes the first for all outputs */
    if (reader->options->best_iteration)
        return ride_model_finding(reader, "leave the option off", "gblinear has no iterations to choose from");
    if (inputs == 0 || ride_value_length(weights) != (uint64_t)(inputs + 1) * outputs)
        return ride_model_finding(reader, NULL, "%s: %u entries for %u inputs and %u outputs", place,
                                  ride_value_length(weights), inputs, outputs);
    double *nothing = ride_arena_new(model->arena, double, inputs),
           *a = ride_arena_new(model->arena, double, (size_t)inputs *outputs),
           *b = ride_arena_new(model->arena, double, outputs);
    ride_model_step *steps = ride_arena_new(model->arena, ride_model_step, 2);
    if (nothing == NULL || a == NULL || b == NULL || steps == NULL)
        return ride_model_finding(reader, NULL, "%s: no memory", place);
    for (uint32_t i = 0; i <= inputs; i++)
        for (uint32_t o = 0; o < outputs; o++) {
            float weight;
            if (!ride_value_float_at(weights, i * outputs + o, &weight) || !isfinite(weight))
                return ride_model_finding(reader, NULL, "%s[%u]: no finite number", place, i * outputs + o);
            if (i < inputs) a[(size_t)o * inputs + i] = weight;
            else b[o] = (double)(weight + base);
        }
    for (uint32_t o = 0; o < outputs; o++) {
        if (!isfinite(b[o])) return ride_model_finding(reader, NULL, "%s: a bias that overflows", place);
        model->base_margins[o] = 0.0; /* it is in the bias */
    }
    steps[0] = (ride_model_step){
        .kind = RIDE_STEP_IMPUTE, .number = RIDE_FOREST_F32, .inputs = inputs, .outputs = inputs, .a = nothing};
    steps[1] = (ride_model_step){
        .kind = RIDE_STEP_DENSE, .number = RIDE_FOREST_F32, .inputs = inputs, .outputs = outputs, .a = a, .b = b};
    model->steps = steps;
    model->steps_count = 2;
    snprintf(model->booster, sizeof model->booster, "gblinear");
    return RIDE_OK;
}
