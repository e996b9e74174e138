/* models/onnx_steps.c: nodes that become steps of the model: what scikit-learn's and PyTorch's exporters write for scalers, linear models and
 * small networks. */
#include "models/onnx_chain.h"

#include <math.h>
#include <string.h>

static ride_status refuse(const onnx_chain *c, const onnx_link *link, const char *why) {
    return ride_onnx_finding(&c->file, link->node, NULL, "%s", why);
}

static ride_status add_step(onnx_chain *c, const onnx_node *node, ride_model_step step) {
    if (c->steps_count == c->steps_room) return ride_onnx_finding(&c->file, node, NULL, "more steps than nodes");
    step.number = c->number;
    c->steps[c->steps_count++] = step;
    c->width = step.outputs;
    c->is_rounded = true;
    return RIDE_OK;
}

static ride_model_step *last_step(onnx_chain *c) { return c->steps_count > 0 ? &c->steps[c->steps_count - 1] : NULL; }

static ride_status all_finite(const onnx_chain *c, const onnx_link *link, onnx_reals numbers, const char *name) {
    for (uint32_t i = 0; i < numbers.count; i++)
        if (!isfinite(numbers.at[i]))
            return ride_onnx_finding(&c->file, link->node, NULL, "%s: number %u is not finite", name, i);
    return RIDE_OK;
}

/* `count` numbers in the model's memory: those given, or the only one again and again. Rounded to floats where the chain has floats. */
static ride_status spread(const onnx_chain *c, const onnx_link *link, onnx_reals from, uint32_t count, const char *name,
                          const double **out) {
    double *to = ride_arena_new(c->file.reader->model->arena, double, (size_t)count + 1);
    *out = to;
    if (to == NULL) return refuse(c, link, "no memory for its numbers");
    if (from.count != count && from.count != 1)
        return ride_onnx_finding(&c->file, link->node, NULL, "%s: %u numbers for %u columns", name, from.count, count);
    RIDE_TRY(all_finite(c, link, from, name));
    for (uint32_t i = 0; i < count; i++) {
        to[i] = from.at[from.count == 1 ? 0 : i];
        if (c->number == RIDE_FOREST_F32) to[i] = (double)(float)to[i];
    }
    return RIDE_OK;
}

static ride_status elementwise(onnx_chain *c, const onnx_link *link, ride_step_kind kind, onnx_reals a, onnx_reals b) {
    ride_model_step step = {.kind = kind, .inputs = c->width, .outputs = c->width};
    RIDE_TRY(spread(c, link, a, c->width, "a constant", &step.a));
    RIDE_TRY(spread(c, link, b, c->width, "a constant", &step.b));
    return add_step(c, link->node, step);
}

ride_status ride_onnx_round(onnx_chain *c, const onnx_node *node) {
    uint32_t *columns = ride_arena_new(c->file.reader->model->arena, uint32_t, c->width);
    if (columns == NULL) return ride_onnx_finding(&c->file, node, NULL, "no memory");
    for (uint32_t i = 0; i < c->width; i++) columns[i] = i;
    return add_step(
        c, node,
        (ride_model_step){.kind = RIDE_STEP_SELECT, .inputs = c->width, .outputs = c->width, .columns = columns});
}

/* ---- ai.onnx.ml ---- */

static ride_status scaler(onnx_chain *c, const onnx_link *link) {
    onnx_reals offset, scale;
    RIDE_TRY(ride_onnx_floats(&c->file, link->node, "offset", &offset));
    RIDE_TRY(ride_onnx_floats(&c->file, link->node, "scale", &scale));
    if (offset.count == 0 || offset.count != scale.count)
        return refuse(c, link, "offset and scale: lists of one length were expected");
    RIDE_TRY(elementwise(c, link, RIDE_STEP_SHIFT_SCALE, offset, scale));
    c->number = RIDE_FOREST_F32; /* its output, whatever came in */
    c->is_rounded = last_step(c)->number == RIDE_FOREST_F32;
    return RIDE_OK;
}

static ride_status imputer(onnx_chain *c, const onnx_link *link) {
    onnx_reals values;
    onnx_ints whole;
    double replaced;
    int64_t replaced_whole;
    RIDE_TRY(ride_onnx_floats(&c->file, link->node, "imputed_value_floats", &values));
    RIDE_TRY(ride_onnx_ints(&c->file, link->node, "imputed_value_int64s", &whole));
    RIDE_TRY(ride_onnx_float(&c->file, link->node, "replaced_value_float", 0.0, &replaced));
    RIDE_TRY(ride_onnx_int(&c->file, link->node, "replaced_value_int64", 0, &replaced_whole));
    if (whole.count > 0) return refuse(c, link, "whole numbers are not imputed here: convert it with float inputs");
    if (values.count == 0) return refuse(c, link, "imputed_value_floats is missing");
    ride_model_step step = {.kind = RIDE_STEP_IMPUTE, .inputs = c->width, .outputs = c->width};
    if (!isnan(replaced)) { /* a step imputes NaN, too, which scikit-learn refuses then: docs/models.md */
        const onnx_reals missing = {&replaced, 1, ONNX_FLOAT};
        RIDE_TRY(spread(c, link, missing, 1, "replaced_value_float", &step.b));
    }
    RIDE_TRY(spread(c, link, values, c->width, "imputed_value_floats", &step.a));
    return add_step(c, link->node, step);
}

static ride_status normalizer(onnx_chain *c, const onnx_link *link) {
    const ride_message norm = ride_onnx_text(link->node, "norm");
    const bool l1 = ride_message_is(norm, "L1"), l2 = ride_message_is(norm, "L2");
    const bool top = norm.at == NULL || ride_message_is(norm, "MAX"); /* what the standard takes without one */
    if (!l1 && !l2 && !top) return ride_onnx_finding(&c->file, link->node, "MAX, L1 and L2 are", "norm: not known");
    const ride_model_step *last = last_step(c);
    if (l1 && c->is_pair) return RIDE_OK; /* 1 - p and p are 1 together, exactly */
    if (l1 && !c->has_trees && last != NULL && last->activation == RIDE_ACTIVATION_SOFTMAX) return RIDE_OK;
    if (l1 && c->is_answer && c->file.reader->model->link == RIDE_FOREST_LINK_SOFTMAX) return RIDE_OK;
    if (c->is_answer || c->is_second || c->is_pair)
        return refuse(c, link, "answers of trees and of two classes are not normalised here");
    c->number = RIDE_FOREST_F32;
    return add_step(c, link->node,
                    (ride_model_step){.kind = top  ? RIDE_STEP_NORMALIZE_TOP
                                              : l1 ? RIDE_STEP_NORMALIZE_L1
                                                   : RIDE_STEP_NORMALIZE_L2,
                                      .inputs = c->width,
                                      .outputs = c->width});
}

/* A Concat of 1 - p and p. Only a probability is one of a pair: of other numbers the two have no sum of magnitudes of 1. */
static ride_status complement(onnx_chain *c, const onnx_link *link) {
    const ride_model *model = c->file.reader->model;
    const ride_model_step *last = last_step(c);
    int64_t axis;
    RIDE_TRY(ride_onnx_int(&c->file, link->node, "axis", 1, &axis));
    if (axis != 1 && axis != -1) return refuse(c, link, "axis: only columns are joined");
    if (c->width != 1 || c->is_pair || c->is_second) return refuse(c, link, "two classes of several columns");
    c->is_pair = c->has_trees
                     ? model->link == RIDE_FOREST_LINK_SIGMOID || model->link == RIDE_FOREST_LINK_LOGISTIC
                     : last != NULL && last->kind == RIDE_STEP_DENSE && last->activation == RIDE_ACTIVATION_SIGMOID;
    c->is_second = !c->is_pair;
    return RIDE_OK;
}

/* Two rows of which one is the other's negative: their logistics are 1 - p and p. */
static bool are_opposites(onnx_reals coefficients, onnx_reals intercepts) {
    for (uint32_t i = 0; i < coefficients.count / 2; i++)
        if (coefficients.at[i] != -coefficients.at[coefficients.count / 2 + i]) return false;
    return intercepts.count != 2 || intercepts.at[0] == -intercepts.at[1];
}

/* Of two classes the second is the answer. */
static ride_status linear(onnx_chain *c, const onnx_link *link, bool is_classifier) {
    const ride_message transform = ride_onnx_text(link->node, "post_transform");
    onnx_reals coefficients, intercepts;
    onnx_ints labels = {0};
    onnx_texts texts = {0};
    int64_t rows = 1;
    RIDE_TRY(ride_onnx_floats(&c->file, link->node, "coefficients", &coefficients));
    RIDE_TRY(ride_onnx_floats(&c->file, link->node, "intercepts", &intercepts));
    if (!is_classifier) RIDE_TRY(ride_onnx_int(&c->file, link->node, "targets", 1, &rows));
    else {
        RIDE_TRY(ride_onnx_ints(&c->file, link->node, "classlabels_ints", &labels));
        RIDE_TRY(ride_onnx_texts(&c->file, link->node, "classlabels_strings", &texts));
        rows = intercepts.count; /* as ONNX Runtime counts them */
    }
    if (rows < 1 || rows > RIDE_FOREST_OUTPUTS_MAX || coefficients.count != (uint64_t)rows * c->width)
        return ride_onnx_finding(&c->file, link->node, NULL, "coefficients: %u for %lld rows of %u columns",
                                 coefficients.count, (long long)rows, c->width);
    if (intercepts.count != 0 && intercepts.count != rows)
        return ride_onnx_finding(&c->file, link->node, NULL, "intercepts: %u for %lld rows", intercepts.count,
                                 (long long)rows);
    const bool none = transform.at == NULL || ride_message_is(transform, "NONE");
    const bool logistic = ride_message_is(transform, "LOGISTIC"), softmax = ride_message_is(transform, "SOFTMAX");
    if (!none && !logistic && !softmax)
        return ride_onnx_finding(&c->file, link->node, "NONE, LOGISTIC and SOFTMAX are",
                                 "post_transform: not supported");
    if (softmax && rows == 1 && is_classifier) return refuse(c, link, "post_transform: SOFTMAX of one row");
    if (is_classifier && rows == 1 && (texts.count > 0 ? texts.count : labels.count) == 2) {
        c->is_pair = logistic;
        c->is_second = !logistic;
    }
    if (is_classifier && rows == 2 && !softmax) { /* each class by itself, and a decision needs one answer */
        c->is_pair = logistic && are_opposites(coefficients, intercepts);
        coefficients.at += c->width;
        if (intercepts.count > 0) intercepts.at++;
        rows = 1;
        coefficients.count = c->width;
        intercepts.count = intercepts.count > 0;
        c->is_second = !c->is_pair;
    }
    ride_model_step step = {.kind = RIDE_STEP_DENSE, .inputs = c->width, .outputs = (uint32_t)rows};
    if (is_classifier || rows > 1) /* ONNX Runtime does not transform a regression of one target */
        step.activation = logistic ? RIDE_ACTIVATION_SIGMOID : softmax ? RIDE_ACTIVATION_SOFTMAX : RIDE_ACTIVATION_NONE;
    c->number = RIDE_FOREST_F32; /* ONNX Runtime makes floats of what comes in */
    RIDE_TRY(all_finite(c, link, coefficients, "coefficients"));
    RIDE_TRY(spread(c, link, coefficients, coefficients.count, "coefficients", &step.a));
    if (intercepts.count > 0) RIDE_TRY(spread(c, link, intercepts, (uint32_t)rows, "intercepts", &step.b));
    return add_step(c, link->node, step);
}

/* ---- ai.onnx ---- */

/* The other input of a node of two. */
static ride_status other_input(const onnx_chain *c, const onnx_link *link, uint32_t index, onnx_reals *out,
                               onnx_shape *shape) {
    ride_message name;
    if (!ride_onnx_input(link->node, index, &name)) return refuse(c, link, "an input is missing");
    RIDE_TRY(ride_onnx_constant_reals(&c->file, link->node, name, out, shape));
    return all_finite(c, link, *out, "a constant");
}

/* W as rows of outputs: transposed where the file has [inputs, outputs]. */
static ride_status dense(onnx_chain *c, const onnx_link *link, onnx_reals w, onnx_shape shape, bool is_transposed,
                         double alpha, onnx_reals bias, double beta) {
    if (shape.rank != 2 || shape.dims[is_transposed ? 1 : 0] != c->width)
        return ride_onnx_finding(&c->file, link->node, NULL, "weights of another shape than %u columns need", c->width);
    const uint32_t outputs = (uint32_t)shape.dims[is_transposed ? 0 : 1], inputs = c->width;
    double *a = ride_arena_new(c->file.reader->model->arena, double, w.count + (size_t)1);
    ride_model_step step = {.kind = RIDE_STEP_DENSE, .inputs = inputs, .outputs = outputs, .a = a};
    if (a == NULL || outputs == 0) return refuse(c, link, "no memory for its weights, or none");
    for (uint32_t o = 0; o < outputs; o++)
        for (uint32_t i = 0; i < inputs; i++) {
            const double value = w.at[is_transposed ? (size_t)o * inputs + i : (size_t)i * outputs + o];
            a[(size_t)o * inputs + i] =
                c->number == RIDE_FOREST_F32 ? (double)((float)alpha * (float)value) : alpha * value;
        }
    if (bias.count > 0 && beta != 0.0) {
        double *b = ride_arena_new(c->file.reader->model->arena, double, outputs);
        step.b = b;
        if (b == NULL || (bias.count != outputs && bias.count != 1)) return refuse(c, link, "a bias of another shape");
        for (uint32_t o = 0; o < outputs; o++) {
            const double value = bias.at[bias.count == 1 ? 0 : o];
            b[o] = c->number == RIDE_FOREST_F32 ? (double)((float)beta * (float)value) : beta * value;
        }
    }
    return add_step(c, link->node, step);
}

static ride_status gemm(onnx_chain *c, const onnx_link *link) {
    onnx_reals w, bias = {0};
    onnx_shape shape, bias_shape;
    int64_t transposed_a, transposed_b;
    double alpha, beta;
    ride_message name;
    RIDE_TRY(ride_onnx_int(&c->file, link->node, "transA", 0, &transposed_a));
    RIDE_TRY(ride_onnx_int(&c->file, link->node, "transB", 0, &transposed_b));
    RIDE_TRY(ride_onnx_float(&c->file, link->node, "alpha", 1.0, &alpha));
    RIDE_TRY(ride_onnx_float(&c->file, link->node, "beta", 1.0, &beta));
    if (transposed_a != 0 || link->input != 0) return refuse(c, link, "only rows times weights is supported");
    if (!isfinite(alpha) || !isfinite(beta)) return refuse(c, link, "alpha or beta is not finite");
    RIDE_TRY(other_input(c, link, 1, &w, &shape));
    if (ride_onnx_input(link->node, 2, &name) && ride_message_bytes(name) > 0)
        RIDE_TRY(other_input(c, link, 2, &bias, &bias_shape));
    return dense(c, link, w, shape, transposed_b != 0, alpha, bias, beta);
}

static ride_status matmul(onnx_chain *c, const onnx_link *link) {
    onnx_reals w;
    onnx_shape shape;
    if (link->input != 0) return refuse(c, link, "only rows times weights is supported");
    RIDE_TRY(other_input(c, link, 1, &w, &shape));
    return dense(c, link, w, shape, false, 1.0, (onnx_reals){0}, 1.0);
}

/* x + b, x - b, b - x, x * b, x / b. */
static ride_status arithmetic(onnx_chain *c, const onnx_link *link) {
    static const double one = 1.0, zero = 0.0, minus_zero = -0.0, minus = -1.0;
    const onnx_reals ones = {&one, 1, ONNX_FLOAT}, zeros = {&zero, 1, ONNX_FLOAT}, minuses = {&minus, 1, ONNX_FLOAT};
    const onnx_reals minus_zeros = {&minus_zero, 1, ONNX_FLOAT}; /* + -0.0 leaves a product as it is, -0 too */
    const ride_message op = link->node->op;
    onnx_reals b;
    onnx_shape shape;
    RIDE_TRY(other_input(c, link, 1 - link->input, &b, &shape));
    for (uint32_t i = 0; i + 1 < shape.rank; i++)
        if (shape.dims[i] != 1) return refuse(c, link, "a constant with several rows");
    ride_model_step *last = last_step(c);
    if (ride_message_is(op, "Add")) {
        if (last != NULL && last->kind == RIDE_STEP_DENSE && last->activation == RIDE_ACTIVATION_NONE &&
            last->b == NULL) /* a MatMul and its bias */
            return spread(c, link, b, c->width, "a constant", &last->b);
        return elementwise(c, link, RIDE_STEP_SCALE_SHIFT, ones, b);
    }
    if (ride_message_is(op, "Mul")) return elementwise(c, link, RIDE_STEP_SCALE_SHIFT, b, minus_zeros);
    if (ride_message_is(op, "Sub"))
        return link->input == 0 ? elementwise(c, link, RIDE_STEP_SHIFT_SCALE, b, ones)
                                : elementwise(c, link, RIDE_STEP_SCALE_SHIFT, minuses, b);
    if (link->input != 0) return refuse(c, link, "a constant divided by the row");
    return elementwise(c, link, RIDE_STEP_SHIFT_DIVIDE, zeros, b);
}

/* As it is once trained: x * a + b with a = scale / sqrt(var + epsilon), b = bias - mean * a. Behind a layer it becomes part of the layer, so that
 * the layer's activation can follow. */
static ride_status batch_normalization(onnx_chain *c, const onnx_link *link) {
    onnx_reals of[4]; /* scale, bias, mean, variance */
    onnx_shape shape;
    double epsilon;
    int64_t training;
    ride_model_step *last = last_step(c);
    ride_arena *arena = c->file.reader->model->arena;
    RIDE_TRY(ride_onnx_float(&c->file, link->node, "epsilon", 1e-5, &epsilon));
    RIDE_TRY(ride_onnx_int(&c->file, link->node, "training_mode", 0, &training));
    if (link->input != 0 || training != 0) return refuse(c, link, "only as it is once trained");
    for (uint32_t k = 0; k < 4; k++) {
        RIDE_TRY(other_input(c, link, k + 1, &of[k], &shape));
        if (of[k].count != c->width) return refuse(c, link, "a constant of another length than the row");
    }
    double *a = ride_arena_new(arena, double, c->width), *b = ride_arena_new(arena, double, c->width);
    if (a == NULL || b == NULL) return refuse(c, link, "no memory for its numbers");
    for (uint32_t i = 0; i < c->width; i++) {
        a[i] = of[0].at[i] / sqrt(of[3].at[i] + epsilon);
        b[i] = of[1].at[i] - of[2].at[i] * a[i];
        if (!isfinite(a[i]) || !isfinite(b[i])) return refuse(c, link, "a variance that is not above 0");
    }
    const bool in_layer = last != NULL && last->kind == RIDE_STEP_DENSE && last->activation == RIDE_ACTIVATION_NONE;
    const bool is_float = (in_layer ? last->number : c->number) == RIDE_FOREST_F32;
    double *weights = in_layer ? ride_arena_new(arena, double, (size_t)last->inputs * last->outputs) : NULL;
    if (in_layer && weights == NULL) return refuse(c, link, "no memory for its numbers");
    for (uint32_t o = 0; in_layer && o < c->width; o++) {
        for (uint32_t i = 0; i < last->inputs; i++) {
            const double value = last->a[(size_t)o * last->inputs + i] * a[o];
            weights[(size_t)o * last->inputs + i] = is_float ? (double)(float)value : value;
        }
        b[o] += last->b != NULL ? last->b[o] * a[o] : 0.0;
    }
    for (uint32_t i = 0; is_float && i < c->width; i++) {
        a[i] = (double)(float)a[i];
        b[i] = (double)(float)b[i];
    }
    if (in_layer) {
        last->a = weights;
        last->b = b;
        return RIDE_OK;
    }
    return add_step(
        c, link->node,
        (ride_model_step){.kind = RIDE_STEP_SCALE_SHIFT, .inputs = c->width, .outputs = c->width, .a = a, .b = b});
}

static ride_status activation(onnx_chain *c, const onnx_link *link, ride_activation kind) {
    ride_model_step *last = last_step(c);
    if (c->has_trees || last == NULL || last->kind != RIDE_STEP_DENSE || last->activation != RIDE_ACTIVATION_NONE)
        return refuse(c, link, "it does not follow a layer (Gemm, or MatMul and Add)");
    if (kind == RIDE_ACTIVATION_SOFTMAX) {
        int64_t axis;
        RIDE_TRY(ride_onnx_int(&c->file, link->node, "axis", c->file.opset >= 13 ? -1 : 1, &axis));
        if (axis != 1 && axis != -1) return refuse(c, link, "axis: only over the columns of a row");
        if (c->width == 1) return refuse(c, link, "a softmax of one column");
    }
    last->activation = kind;
    return RIDE_OK;
}

/* Columns by number: Gather along the columns, ArrayFeatureExtractor. */
static ride_status select_columns(onnx_chain *c, const onnx_link *link) {
    ride_message name;
    onnx_ints indices;
    int64_t axis = 1;
    if (link->input != 0 || !ride_onnx_input(link->node, 1, &name))
        return refuse(c, link, "constant indices were expected");
    if (ride_message_is(link->node->op, "Gather")) RIDE_TRY(ride_onnx_int(&c->file, link->node, "axis", 0, &axis));
    if (axis != 1 && axis != -1) return refuse(c, link, "axis: only columns are chosen");
    RIDE_TRY(ride_onnx_constant_ints(&c->file, link->node, name, &indices));
    if (c->is_pair || c->is_second) { /* the second is what the model has */
        if (indices.count != 1 || (indices.at[0] != 1 && indices.at[0] != -1))
            return refuse(c, link, "of two classes only the second can be chosen");
        c->is_pair = c->is_second = false;
        return RIDE_OK;
    }
    if (c->is_answer) return refuse(c, link, "answers of trees are not chosen from here");
    uint32_t *columns = ride_arena_new(c->file.reader->model->arena, uint32_t, (size_t)indices.count + 1);
    if (columns == NULL || indices.count == 0) return refuse(c, link, "no memory for its indices, or none");
    for (uint32_t i = 0; i < indices.count; i++) {
        const int64_t index = indices.at[i] < 0 ? indices.at[i] + c->width : indices.at[i];
        if (index < 0 || index >= c->width)
            return ride_onnx_finding(&c->file, link->node, NULL, "column %lld of %u", (long long)indices.at[i],
                                     c->width);
        columns[i] = (uint32_t)index;
    }
    return add_step(
        c, link->node,
        (ride_model_step){.kind = RIDE_STEP_SELECT, .inputs = c->width, .outputs = indices.count, .columns = columns});
}

/* Reshape and its like: a row must stay a row. */
static ride_status same_form(onnx_chain *c, const onnx_link *link) {
    const int64_t columns = c->is_pair || c->is_second ? 2 : c->width;
    ride_message name;
    onnx_ints form;
    if (ride_message_is(link->node->op, "Flatten")) {
        int64_t axis;
        RIDE_TRY(ride_onnx_int(&c->file, link->node, "axis", 1, &axis));
        if (axis != 1 && (axis != -1 || c->is_flat)) return refuse(c, link, "axis: a row would not stay a row");
        c->is_flat = false;
        return RIDE_OK;
    }
    if (ride_message_is(link->node->op, "Squeeze")) {
        c->is_flat = true;
        return columns == 1 ? RIDE_OK : refuse(c, link, "a row of several columns would not stay a row");
    }
    if (!ride_message_is(link->node->op, "Reshape")) return RIDE_OK;
    if (link->input != 0 || !ride_onnx_input(link->node, 1, &name))
        return refuse(c, link, "a constant shape was expected");
    RIDE_TRY(ride_onnx_constant_ints(&c->file, link->node, name, &form));
    const bool flat = form.count == 1 && form.at[0] == -1 && columns == 1;
    const bool rows = form.count == 2 && (form.at[0] == -1 || form.at[0] == 0) &&
                      (form.at[1] == columns || (form.at[0] == 0 && form.at[1] == -1));
    c->is_flat = flat;
    return flat || rows ? RIDE_OK : refuse(c, link, "shape: a row would not stay a row");
}

static ride_status cast(onnx_chain *c, const onnx_link *link) {
    int64_t to;
    RIDE_TRY(ride_onnx_int(&c->file, link->node, "to", 0, &to));
    if (to != ONNX_FLOAT && to != ONNX_DOUBLE) return refuse(c, link, "only to float and to double");
    if (c->is_answer) return RIDE_OK;
    if (to == ONNX_DOUBLE && c->number == RIDE_FOREST_F32 && !c->is_rounded) RIDE_TRY(ride_onnx_round(c, link->node));
    if (to == ONNX_FLOAT && c->number == RIDE_FOREST_F64) c->is_rounded = false;
    c->number = to == ONNX_DOUBLE ? RIDE_FOREST_F64 : RIDE_FOREST_F32;
    return RIDE_OK;
}

/* x * 1, as the exporters of boosted trees write it. */
static bool is_times_one(const onnx_chain *c, const onnx_link *link) {
    ride_message name;
    onnx_reals one;
    onnx_shape shape;
    return ride_message_is(link->node->op, "Mul") && ride_onnx_input(link->node, 1 - link->input, &name) &&
           ride_onnx_is_constant(&c->file, name) &&
           ride_onnx_constant_reals(&c->file, link->node, name, &one, &shape) == RIDE_OK && one.count == 1 &&
           one.at[0] == 1.0;
}

/* Behind trees only a link can follow. */
static ride_status link_after_trees(onnx_chain *c, const onnx_link *link) {
    ride_model *model = c->file.reader->model;
    const ride_message op = link->node->op;
    if (model->link != RIDE_FOREST_LINK_NONE || c->is_pair || c->is_second)
        return refuse(c, link, "behind the answers of trees it is not supported");
    if (ride_message_is(op, "Sigmoid")) model->link = RIDE_FOREST_LINK_SIGMOID;
    else if (ride_message_is(op, "Exp")) model->link = RIDE_FOREST_LINK_EXP;
    else if (ride_message_is(op, "Softmax") && model->outputs_count > 1) model->link = RIDE_FOREST_LINK_SOFTMAX;
    else
        return ride_onnx_finding(&c->file, link->node, "Sigmoid, Exp and Softmax are",
                                 "behind trees it is not supported");
    return RIDE_OK;
}

/* The first dimension of a constant that is multiplied with; 0: none. */
static ride_status weights_width(const onnx_chain *c, const onnx_link *link, uint32_t *out) {
    onnx_reals w;
    onnx_shape shape;
    int64_t transposed;
    RIDE_TRY(other_input(c, link, 1, &w, &shape));
    RIDE_TRY(ride_onnx_int(&c->file, link->node, "transB", 0, &transposed));
    if (shape.rank != 2) return refuse(c, link, "weights that are no matrix");
    *out = (uint32_t)shape.dims[transposed != 0 && ride_message_is(link->node->op, "Gemm") ? 1 : 0];
    return RIDE_OK;
}

ride_status ride_onnx_step_width(const onnx_chain *c, const onnx_link *link, uint32_t *out) {
    static const struct {
        const char *op, *list;
    } lists[] = {{"Scaler", "offset"},
                 {"Imputer", "imputed_value_floats"},
                 {"LinearRegressor", "coefficients"},
                 {"LinearClassifier", "coefficients"}};
    const ride_message op = link->node->op;
    onnx_reals list, rows;
    int64_t targets;
    *out = 0;
    if (ride_message_is(op, "Gemm") || ride_message_is(op, "MatMul")) return weights_width(c, link, out);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        if (!ride_message_is(op, lists[i].op)) continue;
        RIDE_TRY(ride_onnx_floats(&c->file, link->node, lists[i].list, &list));
        if (i < 2) *out = list.count > 1 ? list.count : 0;
        else {
            RIDE_TRY(ride_onnx_floats(&c->file, link->node, "intercepts", &rows));
            RIDE_TRY(ride_onnx_int(&c->file, link->node, "targets", 1, &targets));
            const int64_t count = i == 2 ? targets : rows.count;
            *out = count > 0 && list.count % count == 0 ? (uint32_t)(list.count / count) : 0;
        }
    }
    return RIDE_OK;
}

ride_status ride_onnx_step(onnx_chain *c, const onnx_link *link) {
    static const struct {
        const char *op;
        ride_status (*read)(onnx_chain *, const onnx_link *);
    } steps[] = {{"Scaler", scaler},  {"Imputer", imputer}, {"Gemm", gemm},
                 {"MatMul", matmul},  {"Add", arithmetic},  {"Sub", arithmetic},
                 {"Mul", arithmetic}, {"Div", arithmetic},  {"BatchNormalization", batch_normalization}};
    static const char *const forms[] = {"Identity", "Dropout", "Flatten", "Reshape", "Squeeze", "ZipMap"};
    const ride_message op = link->node->op;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (ride_message_is(op, forms[i])) return same_form(c, link);
    if (link->is_complement) return complement(c, link);
    if (ride_message_is(op, "Concat") && link->node->inputs_count == 1) return RIDE_OK; /* of one value: itself */
    if (is_times_one(c, link)) return RIDE_OK;
    if (ride_message_is(op, "Cast")) return cast(c, link);
    if (ride_message_is(op, "Normalizer")) return normalizer(c, link);
    if (ride_message_is(op, "ArrayFeatureExtractor") || ride_message_is(op, "Gather")) return select_columns(c, link);
    if (c->has_trees) return link_after_trees(c, link);
    if (c->is_pair || c->is_second) return refuse(c, link, "behind the scores of two classes it is not supported");
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (ride_message_is(op, steps[i].op)) return steps[i].read(c, link);
    if (ride_message_is(op, "LinearRegressor")) return linear(c, link, false);
    if (ride_message_is(op, "LinearClassifier")) return linear(c, link, true);
    if (ride_message_is(op, "Relu")) return activation(c, link, RIDE_ACTIVATION_RELU);
    if (ride_message_is(op, "Sigmoid")) return activation(c, link, RIDE_ACTIVATION_SIGMOID);
    if (ride_message_is(op, "Tanh")) return activation(c, link, RIDE_ACTIVATION_TANH);
    if (ride_message_is(op, "Softmax")) return activation(c, link, RIDE_ACTIVATION_SOFTMAX);
    return ride_onnx_finding(&c->file, link->node,
                             "score it as vectors from a pipeline without it, or export the model by itself",
                             "this operator is not supported");
}
