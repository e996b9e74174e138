/* models/sklearn.c: the head of a model of scikit-learn: kind, names, link, base.
 *
 * What the file's form does not say (scikit-learn's own sources and predictions of 1.4 to 1.9 do): trees see floats, but for
 * HistGradientBoosting, which sees doubles; thresholds are doubles and a value goes left when it is at most the threshold; sums are doubles,
 * in tree order, from the base; a forest's sum is divided by its trees; GradientBoosting weighs each leaf as it adds it; the score of an
 * isolation forest is 2^(-mean path length / c(max_samples)), here of whole numbers of 2^-20, so that sums are exact. */
#include "models/sklearn.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { VERSION = 1, PATH_BITS = 20 };

bool ride_sklearn_recognises(const ride_value *document) {
    const ride_value *format = ride_value_get(document, "format");
    return ride_value_is(format, "ride-sklearn") || ride_value_is(format, "ride-model");
}

ride_status ride_sklearn_count(ride_model_reader *reader, const ride_value *object, const char *key, int64_t missing,
                               int64_t least, int64_t most, uint32_t *out) {
    const ride_value *value = ride_value_get(object, key);
    int64_t number = missing;
    const bool ok = value == NULL ? missing >= least : ride_value_i64(value, &number);
    *out = (uint32_t)least;
    if (!ok || number < least || number > most)
        return ride_model_finding(reader, NULL, "%s: a whole number from %lld to %lld was expected", key,
                                  (long long)least, (long long)most);
    *out = (uint32_t)number;
    return RIDE_OK;
}

ride_status ride_sklearn_numbers(ride_model_reader *reader, const ride_value *object, const char *place,
                                 const char *key, uint64_t count, bool may_nan, const double **out) {
    const ride_value *values = ride_value_get(object, key);
    *out = NULL;
    if (ride_value_length(values) != count)
        return ride_model_finding(reader, NULL, "%s%s: %u numbers, %llu were expected", place, key,
                                  ride_value_length(values), (unsigned long long)count);
    double *numbers = ride_arena_new(reader->model->arena, double, count + 1);
    if (numbers == NULL) return ride_model_finding(reader, NULL, "%s%s: no memory", place, key);
    for (uint32_t i = 0; i < count; i++)
        if (!ride_value_double_at(values, i, &numbers[i]) || !(isfinite(numbers[i]) || (may_nan && isnan(numbers[i]))))
            return ride_model_finding(reader, NULL, "%s%s[%u]: a finite number was expected", place, key, i);
    *out = numbers;
    return RIDE_OK;
}

/* A text of the file, cut to the room; the model's own where there is none. */
static void copy_text(const ride_value *value, char *to, size_t bytes_max) {
    if (value == NULL || value->kind != RIDE_VALUE_STRING || memchr(value->u.text, 0, value->count) != NULL) return;
    snprintf(to, bytes_max, "%.*s", (int)(value->count < bytes_max ? value->count : bytes_max), value->u.text);
}

/* ---- inputs ---- */

static const char *read_name(ride_model_reader *reader, const ride_value *value, const char *place, uint32_t i) {
    const char *name = NULL;
    if (value == NULL || value->kind != RIDE_VALUE_STRING || memchr(value->u.text, 0, value->count) != NULL)
        ride_model_finding(reader, NULL, "%s[%u]: a string was expected", place, i);
    else if ((name = ride_arena_text(reader->model->arena, value->u.text, value->count)) == NULL)
        ride_model_finding(reader, NULL, "%s[%u]: no memory", place, i);
    return name;
}

/* `like`: a member with the same columns, whose names serve this one too, and its inputs where neither has a category; or NULL. */
static ride_status read_inputs(ride_model_reader *reader, const ride_value *document, const ride_value *member,
                               const ride_model *like) {
    ride_model *model = reader->model;
    if (like != NULL) {
        model->inputs_count = like->inputs_count;
        model->has_names = like->has_names;
        model->inputs = like->inputs;
        bool has_category = ride_value_length(ride_value_get(member, "categories")) > 0 ||
                            ride_value_is(ride_value_get(member, "kind"), "hist_gradient_boosting");
        for (uint32_t i = 0; i < like->inputs_count && !has_category; i++) has_category = like->inputs[i].is_category;
        if (!has_category) return RIDE_OK;
        model->inputs = ride_arena_new(model->arena, ride_model_input, like->inputs_count);
        if (model->inputs == NULL)
            return ride_model_finding(reader, NULL, "no memory for %u features", like->inputs_count);
        for (uint32_t i = 0; i < like->inputs_count; i++) model->inputs[i].name = like->inputs[i].name;
        return RIDE_OK;
    }
    const ride_value *names = ride_value_get(document, "names");
    if (names != NULL && names->kind == RIDE_VALUE_NULL) names = NULL;
    RIDE_TRY(ride_sklearn_count(reader, document, "features", -1, 1, RIDE_FOREST_INPUTS_MAX - 1, &model->inputs_count));
    if (names != NULL && ride_value_length(names) != model->inputs_count)
        return ride_model_finding(reader, NULL, "names: %u for %u features", ride_value_length(names),
                                  model->inputs_count);
    model->inputs = ride_arena_new(model->arena, ride_model_input, model->inputs_count);
    if (model->inputs == NULL)
        return ride_model_finding(reader, NULL, "no memory for %u features", model->inputs_count);
    model->has_names = names != NULL;
    if (!model->has_names) return RIDE_OK;
    for (uint32_t i = 0; i < model->inputs_count; i++)
        if ((model->inputs[i].name = read_name(reader, ride_value_at(names, i), "names", i)) == NULL)
            return RIDE_E_MODEL;
    return ride_model_check_names(reader, "names");
}

/* Columns of categories with names: their codes are places in the list. */
static ride_status read_categories(ride_model_reader *reader, const ride_value *document) {
    const ride_value *list = ride_value_get(document, "categories");
    for (uint32_t i = 0; i < ride_value_length(list); i++) {
        const ride_value *names = ride_value_get(ride_value_at(list, i), "names");
        char place[48];
        uint32_t feature;
        snprintf(place, sizeof place, "categories[%u].names", i);
        RIDE_TRY(ride_sklearn_count(reader, ride_value_at(list, i), "feature", -1, 0,
                                    (int64_t)reader->model->inputs_count - 1, &feature));
        ride_model_input *input = &reader->model->inputs[feature];
        if (input->is_category) return ride_model_finding(reader, NULL, "categories[%u]: a feature twice", i);
        input->is_category = true;
        input->type = "category";
        if (ride_value_length(names) == 0) continue;
        const char **texts = ride_arena_new(reader->model->arena, const char *, ride_value_length(names));
        if (texts == NULL) return ride_model_finding(reader, NULL, "%s: no memory", place);
        for (uint32_t k = 0; k < ride_value_length(names); k++)
            if ((texts[k] = read_name(reader, ride_value_at(names, k), place, k)) == NULL) return RIDE_E_MODEL;
        input->categories = texts;
        input->categories_count = ride_value_length(names);
    }
    return RIDE_OK;
}

/* ---- outputs ---- */

static ride_status read_outputs(ride_model_reader *reader, const ride_value *member) {
    ride_model *model = reader->model;
    RIDE_TRY(ride_sklearn_count(reader, member, "outputs", 1, 1, RIDE_FOREST_OUTPUTS_MAX, &model->outputs_count));
    double *base = ride_arena_new(model->arena, double, model->outputs_count);
    double *scores = ride_arena_new(model->arena, double, model->outputs_count);
    if (base == NULL || scores == NULL)
        return ride_model_finding(reader, NULL, "no memory for %u outputs", model->outputs_count);
    if (ride_value_get(member, "base") != NULL) {
        const double *given;
        RIDE_TRY(ride_sklearn_numbers(reader, member, "", "base", model->outputs_count, false, &given));
        memcpy(base, given, model->outputs_count * sizeof *base);
        memcpy(scores, given, model->outputs_count * sizeof *scores);
    }
    model->base_margins = base;
    model->base_scores = scores;
    return RIDE_OK;
}

static ride_status read_link(ride_model_reader *reader, const ride_value *member) {
    ride_model *model = reader->model;
    const ride_value *link = ride_value_get(member, "link"), *scale = ride_value_get(member, "link_scale");
    const bool is_float = model->sum_number == RIDE_FOREST_F32;
    double value = 1.0;
    if (link == NULL || ride_value_is(link, "none")) model->link = RIDE_FOREST_LINK_NONE;
    else if (ride_value_is(link, "softmax")) model->link = RIDE_FOREST_LINK_SOFTMAX;
    else if (ride_value_is(link, "exp") && !is_float) model->link = RIDE_FOREST_LINK_EXP;
    else if (ride_value_is(link, "logistic")) {
        if (scale != NULL && (!ride_value_double(scale, &value) || !isfinite(value) || value <= 0.0))
            return ride_model_finding(reader, NULL, "link_scale: a number above 0 was expected");
        if (is_float && value != 1.0) return ride_model_finding(reader, NULL, "link_scale: of floats it is 1");
        model->link = is_float ? RIDE_FOREST_LINK_SIGMOID : RIDE_FOREST_LINK_LOGISTIC;
        model->link_scale = is_float ? 0.0 : value;
    } else return ride_model_finding(reader, "none, logistic, softmax and exp (of doubles) are", "link: not supported");
    if (model->link == RIDE_FOREST_LINK_SOFTMAX && model->outputs_count < 2)
        return ride_model_finding(reader, NULL, "link: softmax of one output");
    return RIDE_OK;
}

/* ---- kinds ---- */

double ride_sklearn_path_length(double n) {
    static const double euler_gamma = 0.57721566490153286060651209;
    if (n <= 1.0) return 0.0;
    if (n == 2.0) return 1.0;
    return 2.0 * (log(n - 1.0) + euler_gamma) - 2.0 * (n - 1.0) / n;
}

static ride_status read_isolation(ride_model_reader *reader, const ride_value *member) {
    ride_model *model = reader->model;
    uint32_t samples, bits = PATH_BITS;
    if (model->outputs_count != 1) return ride_model_finding(reader, NULL, "outputs: an isolation forest has one");
    RIDE_TRY(ride_sklearn_count(reader, member, "max_samples", -1, 2, INT32_MAX, &samples));
    model->link = RIDE_FOREST_LINK_ISOLATION;
    model->link_scale = ride_sklearn_path_length(samples);
    const uint32_t trees = ride_value_length(ride_value_get(member, "trees"));
    while (bits > 0 && (uint64_t)trees << bits > UINT32_MAX) bits--;
    RIDE_TRY(ride_sklearn_read_trees(reader, member, SKLEARN_ISOLATION, (double)(1u << bits)));
    model->mean_of = trees << bits;
    return RIDE_OK;
}

static ride_status read_kind(ride_model_reader *reader, const ride_value *member) {
    ride_model *model = reader->model;
    const ride_value *kind = ride_value_get(member, "kind");
    uint32_t values;
    double rate = 1.0;
    model->input_number = model->sum_number = RIDE_FOREST_F64;
    RIDE_TRY(read_outputs(reader, member));
    RIDE_TRY(ride_sklearn_read_steps(reader, member, &values));
    if (ride_value_is(kind, "plain")) return ride_sklearn_read_plain(reader, member, values);
    if (ride_value_is(kind, "network")) {
        if (model->steps_count == 0 || values != model->outputs_count)
            return ride_model_finding(reader, NULL, "steps: they end with %u values, the outputs are %u", values,
                                      model->outputs_count);
        model->sum_number = model->steps[model->steps_count - 1].number;
        model->input_number = model->steps[0].number;
        snprintf(model->booster, sizeof model->booster, "network");
        return read_link(reader, member);
    }
    if (kind != NULL && kind->kind == RIDE_VALUE_STRING)
        snprintf(model->booster, sizeof model->booster, "%.*s", (int)(kind->count < 15 ? kind->count : 15),
                 kind->u.text);
    if (ride_value_is(kind, "hist_gradient_boosting")) {
        RIDE_TRY(read_link(reader, member));
        return ride_sklearn_read_trees(reader, member, SKLEARN_HIST, 1.0);
    }
    model->input_number = RIDE_FOREST_F32;
    if (ride_value_is(kind, "isolation_forest")) return read_isolation(reader, member);
    RIDE_TRY(read_link(reader, member));
    if (ride_value_is(kind, "forest")) {
        RIDE_TRY(ride_sklearn_read_trees(reader, member, SKLEARN_FOREST, 1.0));
        model->mean_of = model->trees_count / model->outputs_count;
        return RIDE_OK;
    }
    if (!ride_value_is(kind, "gradient_boosting"))
        return ride_model_finding(
            reader, "forest, gradient_boosting, hist_gradient_boosting, isolation_forest and network are",
            "kind: `%.*s` is not supported",
            (int)(kind != NULL && kind->kind == RIDE_VALUE_STRING ? kind->count < 60 ? kind->count : 60 : 0),
            kind != NULL && kind->kind == RIDE_VALUE_STRING ? kind->u.text : "");
    if (!ride_value_double(ride_value_get(member, "learning_rate"), &rate) || !isfinite(rate))
        return ride_model_finding(reader, NULL, "learning_rate: a finite number was expected");
    return ride_sklearn_read_trees(reader, member, SKLEARN_BOOSTING, rate);
}

static ride_status read_head(ride_model_reader *reader, const ride_value *document) {
    ride_model *model = reader->model;
    uint32_t version;
    snprintf(model->format, sizeof model->format, "sklearn");
    RIDE_TRY(ride_sklearn_count(reader, document, "version", -1, 1, INT32_MAX, &version));
    if (version != VERSION)
        return ride_model_finding(reader, "export it with the `ride` of this version",
                                  "version: %u, this program reads %d", version, VERSION);
    static const char library[] = "scikit-learn ";
    char text[64] = "";
    copy_text(ride_value_get(document, "library"), text, sizeof text);
    if (strncmp(text, library, strlen(library)) == 0)
        snprintf(model->written_by, sizeof model->written_by, "%.23s", text + strlen(library));
    return RIDE_OK;
}

ride_status ride_sklearn_read_member(ride_model_reader *reader, const ride_value *document, const ride_value *columns,
                                     const ride_value *member, const ride_model *like) {
    RIDE_TRY(read_head(reader, document));
    copy_text(ride_value_get(member, "estimator"), reader->model->objective, sizeof reader->model->objective);
    if (reader->options->best_iteration)
        return ride_model_finding(reader, "train it with early stopping, which drops the others",
                                  "a model of scikit-learn does not say which iteration was the best");
    RIDE_TRY(read_inputs(reader, columns, member, like));
    RIDE_TRY(read_categories(reader, member));
    RIDE_TRY(read_kind(reader, member));
    if (ride_value_is(ride_value_get(member, "kind"), "plain")) {
        copy_text(ride_value_get(member, "trainer"), reader->model->format, sizeof reader->model->format);
        copy_text(ride_value_get(member, "written_by"), reader->model->written_by, sizeof reader->model->written_by);
        copy_text(ride_value_get(member, "booster"), reader->model->booster, sizeof reader->model->booster);
        if (ride_value_get(member, "base_scores") != NULL) {
            const double *scores;
            RIDE_TRY(
                ride_sklearn_numbers(reader, member, "", "base_scores", reader->model->outputs_count, false, &scores));
            memcpy(reader->model->base_scores, scores, reader->model->outputs_count * sizeof *scores);
        }
    }
    return ride_diagnostics_status(reader->findings);
}

ride_status ride_sklearn_read(ride_model_reader *reader, const ride_value *document) {
    return ride_sklearn_read_member(reader, document, document, document, NULL);
}
