/* models/convert.c: a ride_model written as it is: the head, inputs and steps as the exporter's documents have them, the trees node by node in the form that all
 * formats become. Numbers are the shortest texts that read back to the same doubles. */
#include "models/convert.h"

#include "base/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_text(FILE *to, const char *text) {
    fputc('"', to);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') fprintf(to, "\\%c", *text);
        else if ((unsigned char)*text < 0x20) fprintf(to, "\\u%04x", (unsigned)*text);
        else fputc(*text, to);
    }
    fputc('"', to);
}

static void put_number(FILE *to, double value) {
    char text[RIDE_NUMBER_BYTES];
    if (isnan(value)) fputs("NaN", to);
    else if (isinf(value)) fputs(value > 0 ? "Infinity" : "-Infinity", to);
    else fwrite(text, 1, ride_double_to_text(value, text), to);
}

static void put_numbers(FILE *to, const char *key, const double *values, uint64_t count) {
    fprintf(to, ",\"%s\":[", key);
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0) fputc(',', to);
        put_number(to, values[i]);
    }
    fputc(']', to);
}

static void put_inputs(FILE *to, const ride_model *model) {
    fprintf(to, ",\"features\":%u", model->inputs_count);
    if (model->has_names) fputs(",\"names\":[", to);
    for (uint32_t i = 0; model->has_names && i < model->inputs_count; i++) {
        if (i > 0) fputc(',', to);
        put_text(to, model->inputs[i].name);
    }
    fputs(model->has_names ? "],\"categories\":[" : ",\"categories\":[", to);
    for (uint32_t i = 0, put = 0; i < model->inputs_count; i++) {
        const ride_model_input *input = &model->inputs[i];
        if (!input->is_category) continue;
        fprintf(to, "%s{\"feature\":%u,\"names\":[", put++ > 0 ? "," : "", i);
        for (uint32_t k = 0; input->categories != NULL && k < input->categories_count; k++) {
            if (k > 0) fputc(',', to);
            put_text(to, input->categories[k]);
        }
        fputs("]}", to);
    }
    fputc(']', to);
}

static const char *number_name(ride_forest_number number) { return number == RIDE_FOREST_F32 ? "f32" : "f64"; }

static void put_step(FILE *to, const ride_model_step *step) {
    static const char *const activations[RIDE_ACTIVATIONS] = {"none", "relu", "sigmoid", "tanh", "softmax"};
    fprintf(to, "{\"number\":\"%s\"", number_name(step->number));
    switch (step->kind) {
    case RIDE_STEP_IMPUTE:
        fputs(",\"kind\":\"impute\"", to);
        put_numbers(to, "values", step->a, step->inputs);
        if (step->b == NULL) break;
        fputs(",\"missing\":", to);
        put_number(to, *step->b);
        break;
    case RIDE_STEP_SHIFT_SCALE:
    case RIDE_STEP_SHIFT_DIVIDE:
        fprintf(to, ",\"kind\":\"%s\"", step->kind == RIDE_STEP_SHIFT_SCALE ? "shift_scale" : "shift_divide");
        put_numbers(to, "shift", step->a, step->inputs);
        put_numbers(to, step->kind == RIDE_STEP_SHIFT_SCALE ? "scale" : "divisor", step->b, step->inputs);
        break;
    case RIDE_STEP_SCALE_SHIFT:
        fputs(",\"kind\":\"scale_shift\"", to);
        put_numbers(to, "scale", step->a, step->inputs);
        put_numbers(to, "shift", step->b, step->inputs);
        break;
    case RIDE_STEP_DENSE:
        fprintf(to, ",\"kind\":\"dense\",\"outputs\":%u,\"activation\":\"%s\"", step->outputs,
                activations[step->activation]);
        put_numbers(to, "weights", step->a, (uint64_t)step->inputs * step->outputs);
        if (step->b != NULL) put_numbers(to, "bias", step->b, step->outputs);
        break;
    case RIDE_STEP_SELECT:
        fputs(",\"kind\":\"select\",\"columns\":[", to);
        for (uint32_t i = 0; i < step->outputs; i++) fprintf(to, "%s%u", i > 0 ? "," : "", step->columns[i]);
        fputc(']', to);
        break;
    default:
        fprintf(to, ",\"kind\":\"normalize\",\"norm\":\"%s\"",
                step->kind == RIDE_STEP_NORMALIZE_MAX   ? "max"
                : step->kind == RIDE_STEP_NORMALIZE_TOP ? "top"
                : step->kind == RIDE_STEP_NORMALIZE_L1  ? "l1"
                                                        : "l2");
    }
    fputc('}', to);
}

static void put_tree(FILE *to, const ride_model *model, const ride_model_tree *tree) {
    const ride_model_node *nodes = &model->nodes[tree->nodes_first];
    static const char *const keys[] = {"input", "left", "right", "set"};
    fprintf(to, "{\"output\":%u,\"weight\":", tree->output);
    put_number(to, tree->weight);
    for (int k = 0; k < 4; k++) {
        fprintf(to, ",\"%s\":[", keys[k]);
        for (uint32_t i = 0; i < tree->nodes_count; i++) {
            const uint32_t values[] = {nodes[i].input, nodes[i].left, nodes[i].right, nodes[i].set};
            fprintf(to, "%s%u", i > 0 ? "," : "", values[k]);
        }
        fputc(']', to);
    }
    for (int k = 0; k < 2; k++) {
        fputs(k == 0 ? ",\"value\":[" : ",\"cover\":[", to);
        for (uint32_t i = 0; i < tree->nodes_count; i++) {
            if (i > 0) fputc(',', to);
            put_number(to, k == 0 ? nodes[i].value : nodes[i].cover);
        }
        fputc(']', to);
    }
    fputc('}', to);
}

static void put_line(FILE *to, const ride_model *model, const ride_forest_line *line, bool is_first) {
    const ride_forest_term *terms = &model->terms[line->terms_first];
    fputs(is_first ? "{\"constant\":" : ",{\"constant\":", to);
    put_number(to, line->constant);
    fputs(",\"inputs\":[", to);
    for (uint32_t i = 0; i < line->terms_count; i++) fprintf(to, "%s%u", i > 0 ? "," : "", terms[i].input);
    fputs("],\"coefficients\":[", to);
    for (uint32_t i = 0; i < line->terms_count; i++) {
        if (i > 0) fputc(',', to);
        put_number(to, terms[i].coefficient);
    }
    fputs("]}", to);
}

static void put_model(FILE *to, const ride_model *model) {
    fputs("{\"format\":\"ride-model\",\"version\":1,\"kind\":\"plain\",\"trainer\":", to);
    put_text(to, model->format);
    fputs(",\"written_by\":", to);
    put_text(to, model->written_by);
    fputs(",\"booster\":", to);
    put_text(to, model->booster);
    fputs(",\"estimator\":", to);
    put_text(to, model->objective);
    fprintf(to, ",\"input_number\":\"%s\",\"sum_number\":\"%s\",\"link\":%d,\"link_scale\":",
            number_name(model->input_number), number_name(model->sum_number), (int)model->link);
    put_number(to, model->link_scale);
    fprintf(
        to,
        ",\"mean_of\":%u,\"aggregate\":%d,\"base_last\":%d,\"best_iteration\":%lld,\"trees_in_file\":%u,\"outputs\":%u",
        model->mean_of, (int)model->aggregate, model->base_last, (long long)model->best_iteration, model->trees_in_file,
        model->outputs_count);
    if (model->base_margins != NULL) put_numbers(to, "base", model->base_margins, model->outputs_count);
    if (model->base_scores != NULL) put_numbers(to, "base_scores", model->base_scores, model->outputs_count);
    put_inputs(to, model);
    fputs(",\"steps\":[", to);
    for (uint32_t i = 0; i < model->steps_count; i++) {
        if (i > 0) fputc(',', to);
        put_step(to, &model->steps[i]);
    }
    fputs("],\"sets\":[", to);
    for (uint32_t s = 0; s < model->sets_count; s++) {
        fputs(s > 0 ? ",[" : "[", to);
        for (uint32_t i = 0; i < model->sets[s].members_count; i++)
            fprintf(to, "%s%u", i > 0 ? "," : "", model->set_members[model->sets[s].members_first + i]);
        fputc(']', to);
    }
    fputs("],\"lines\":[", to);
    for (uint32_t i = 0; i < model->lines_count; i++) put_line(to, model, &model->lines[i], i == 0);
    fputs("],\"trees\":[\n", to);
    for (uint32_t t = 0; t < model->trees_count; t++) {
        if (t > 0) fputs(",\n", to);
        put_tree(to, model, &model->trees[t]);
    }
    fputs("]}\n", to);
}

ride_status ride_model_convert(const ride_ensemble *model, char **out, ride_error *err) {
    char *text = NULL;
    size_t bytes = 0;
    *out = NULL;
    if (model->is_manifest || model->combine != RIDE_COMBINE_ONE)
        return ride_fail(err, RIDE_E_UNSUPPORTED, "an ensemble of several members: convert its members");
    FILE *to = open_memstream(&text, &bytes);
    if (to != NULL) put_model(to, model->members[0].model);
    const bool failed = to == NULL || ferror(to) != 0;
    if ((to != NULL && fclose(to) != 0) || failed) {
        free(text);
        return ride_fail(err, RIDE_E_MEMORY, "the converted model does not fit into memory");
    }
    *out = text;
    return RIDE_OK;
}
