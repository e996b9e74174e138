/* models/lightgbm.c: the head of a LightGBM model: objective, names, categories.
 *
 * What the file's form does not say (LightGBM's own sources and files of 3.3, 4.1 and 4.6 do): everything is a double; a sum begins at 0 and
 * has the first score in the leaves of the first trees; tree t adds to output t modulo num_tree_per_iteration; with average_output (random
 * forests) a sum is divided by the number of iterations; shrinkage is in the leaves already; names that nobody gave are Column_0,
 * Column_1 …; the categories of pandas columns stand behind the parameters, in the order of those columns, and codes count in them. */
#include "models/lightgbm.h"

#include "base/number.h"
#include "models/document.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct objective {
    const char *name;
    ride_forest_link link;
    bool has_sigmoid; /* `sigmoid:` says the scale */
    bool has_sqrt;    /* `sqrt`: trained on roots */
} objective;

static const objective objectives[] = {
    {.name = "regression", .link = RIDE_FOREST_LINK_NONE, .has_sqrt = true},
    {.name = "regression_l1", .link = RIDE_FOREST_LINK_NONE, .has_sqrt = true},
    {.name = "huber", .link = RIDE_FOREST_LINK_NONE},
    {.name = "fair", .link = RIDE_FOREST_LINK_NONE, .has_sqrt = true},
    {.name = "quantile", .link = RIDE_FOREST_LINK_NONE, .has_sqrt = true},
    {.name = "mape", .link = RIDE_FOREST_LINK_NONE, .has_sqrt = true},
    {.name = "poisson", .link = RIDE_FOREST_LINK_EXP},
    {.name = "gamma", .link = RIDE_FOREST_LINK_EXP},
    {.name = "tweedie", .link = RIDE_FOREST_LINK_EXP},
    {.name = "binary", .link = RIDE_FOREST_LINK_LOGISTIC, .has_sigmoid = true},
    {.name = "multiclass", .link = RIDE_FOREST_LINK_SOFTMAX},
    {.name = "multiclassova", .link = RIDE_FOREST_LINK_LOGISTIC, .has_sigmoid = true},
    {.name = "cross_entropy", .link = RIDE_FOREST_LINK_LOGISTIC},
    {.name = "xentropy", .link = RIDE_FOREST_LINK_LOGISTIC},
    {.name = "cross_entropy_lambda", .link = RIDE_FOREST_LINK_SOFTPLUS},
    {.name = "xentlambda", .link = RIDE_FOREST_LINK_SOFTPLUS},
    {.name = "lambdarank", .link = RIDE_FOREST_LINK_NONE},
    {.name = "rank_xendcg", .link = RIDE_FOREST_LINK_NONE},
    {.name = "custom", .link = RIDE_FOREST_LINK_NONE},
};

/* The lines before the trees that are used, and the last one of all. */
typedef struct head {
    lightgbm_text version, num_class, per_iteration, max_feature, objective, names, infos, average, categories;
    uint64_t objective_line, names_line, infos_line, categories_line;
} head;

typedef struct file {
    const char *at, *end, *begin;
    uint64_t line;
    head head;
    lightgbm_tree *trees;
    uint32_t trees_count, trees_room;
    bool has_end; /* `end of trees` */
} file;

ride_status ride_lightgbm_finding(ride_model_reader *reader, uint64_t line, const char *advice, const char *format,
                                  ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return ride_diagnose(reader->findings, RIDE_E_MODEL, reader->path, line > UINT32_MAX ? UINT32_MAX : (uint32_t)line,
                         0, advice, "%s", text);
}

bool ride_lightgbm_recognises(const void *data, size_t bytes) {
    const char *text = data;
    return bytes > 5 && memcmp(text, "tree", 4) == 0 && (text[4] == '\n' || text[4] == '\r');
}

bool ride_lightgbm_word(lightgbm_text *rest, lightgbm_text *word) {
    while (rest->bytes > 0 && *rest->at == ' ') rest->at++, rest->bytes--;
    word->at = rest->at;
    word->bytes = 0;
    while (rest->bytes > 0 && *rest->at != ' ') rest->at++, rest->bytes--, word->bytes++;
    return word->bytes > 0;
}

/* ---- lines ---- */

static bool next_line(file *f, lightgbm_text *line) {
    if (f->at == f->end) return false;
    const char *end = memchr(f->at, '\n', (size_t)(f->end - f->at));
    if (end == NULL) end = f->end;
    *line = (lightgbm_text){f->at, (size_t)(end - f->at)};
    if (line->bytes > 0 && line->at[line->bytes - 1] == '\r') line->bytes--;
    f->at = end < f->end ? end + 1 : end;
    f->line++;
    return true;
}

/* key=value; false: the line is no such thing. */
static bool cut(lightgbm_text line, lightgbm_text *key, lightgbm_text *value) {
    const char *equals = memchr(line.at, '=', line.bytes);
    if (equals == NULL) return false;
    *key = (lightgbm_text){line.at, (size_t)(equals - line.at)};
    *value = (lightgbm_text){equals + 1, line.bytes - key->bytes - 1};
    return true;
}

static void head_line(file *f, lightgbm_text line) {
    head *h = &f->head;
    lightgbm_text key, value;
    if (ride_lightgbm_is(line, "average_output")) h->average = line;
    if (!cut(line, &key, &value)) return;
    if (ride_lightgbm_is(key, "version")) h->version = value;
    else if (ride_lightgbm_is(key, "num_class")) h->num_class = value;
    else if (ride_lightgbm_is(key, "num_tree_per_iteration")) h->per_iteration = value;
    else if (ride_lightgbm_is(key, "max_feature_idx")) h->max_feature = value;
    else if (ride_lightgbm_is(key, "objective")) h->objective = value, h->objective_line = f->line;
    else if (ride_lightgbm_is(key, "feature_names")) h->names = value, h->names_line = f->line;
    else if (ride_lightgbm_is(key, "feature_infos")) h->infos = value, h->infos_line = f->line;
}

static void tree_line(lightgbm_tree *t, lightgbm_text line) {
    const struct {
        const char *key;
        lightgbm_text *to;
    } keys[] = {{"num_leaves", &t->num_leaves},         {"num_cat", &t->num_cat},
                {"split_feature", &t->split_feature},   {"threshold", &t->threshold},
                {"decision_type", &t->decision_type},   {"left_child", &t->left_child},
                {"right_child", &t->right_child},       {"leaf_value", &t->leaf_value},
                {"cat_boundaries", &t->cat_boundaries}, {"cat_threshold", &t->cat_threshold},
                {"is_linear", &t->is_linear},           {"internal_count", &t->internal_count},
                {"leaf_count", &t->leaf_count},         {"leaf_const", &t->leaf_const},
                {"num_features", &t->num_features},     {"leaf_features", &t->leaf_features},
                {"leaf_coeff", &t->leaf_coeff}};
    lightgbm_text key, value;
    if (!cut(line, &key, &value)) return;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (ride_lightgbm_is(key, keys[i].key)) *keys[i].to = value;
}

static ride_status tree_begin(ride_model_reader *reader, file *f) {
    if (f->trees_count == reader->options->trees_max)
        return ride_lightgbm_finding(reader, f->line, RIDE_RAISE, "more than %u trees", reader->options->trees_max);
    if (f->trees_count == f->trees_room) {
        const uint32_t room = f->trees_room == 0 ? 256 : 2 * f->trees_room;
        lightgbm_tree *more = realloc(f->trees, room * sizeof *more);
        if (more == NULL) return ride_lightgbm_finding(reader, f->line, NULL, "no memory for %u trees", room);
        f->trees = more;
        f->trees_room = room;
    }
    f->trees[f->trees_count++] = (lightgbm_tree){.line = f->line};
    return RIDE_OK;
}

static ride_status read_lines(ride_model_reader *reader, file *f) {
    lightgbm_text line;
    while (next_line(f, &line)) {
        static const char categories[] = "pandas_categorical:";
        const bool is_tree = line.bytes >= 5 && memcmp(line.at, "Tree=", 5) == 0;
        if (is_tree && f->trees_count % TELL_TREES == 0)
            ride_load_tell(reader->options->watch, "parsing", (uint64_t)(line.at - f->begin),
                           (uint64_t)(f->end - f->begin));
        if (f->has_end) {
            if (line.bytes <= strlen(categories) || memcmp(line.at, categories, strlen(categories)) != 0) continue;
            f->head.categories = (lightgbm_text){line.at + strlen(categories), line.bytes - strlen(categories)};
            f->head.categories_line = f->line;
        } else if (is_tree) RIDE_TRY(tree_begin(reader, f));
        else if (ride_lightgbm_is(line, "end of trees") || ride_lightgbm_is(line, "feature importances:"))
            f->has_end = true; /* the first writers of v2 have only the second */
        else if (f->trees_count > 0) tree_line(&f->trees[f->trees_count - 1], line);
        else head_line(f, line);
    }
    if (!f->has_end)
        return ride_lightgbm_finding(reader, f->line, "the file seems cut short", "`end of trees` is missing");
    return f->trees_count > 0 ? RIDE_OK : ride_lightgbm_finding(reader, f->line, NULL, "no trees");
}

/* ---- the head ---- */

static ride_status count_of(ride_model_reader *reader, lightgbm_text value, const char *key, int64_t missing,
                            int64_t least, int64_t most, uint32_t *out) {
    int64_t number = missing;
    const bool ok = value.bytes == 0 ? missing >= least : ride_text_to_i64(value.at, value.bytes, &number);
    *out = (uint32_t)number;
    if (ok && number >= least && number <= most) return RIDE_OK;
    *out = 0;
    return ride_model_finding(reader, NULL, "%s: a whole number from %lld to %lld was expected", key, (long long)least,
                              (long long)most);
}

/* `binary sigmoid:1`, `multiclass num_class:3`, `regression sqrt`. */
static ride_status read_objective(ride_model_reader *reader, const head *h) {
    ride_model *model = reader->model;
    lightgbm_text rest = h->objective, word, name;
    const objective *kind = NULL;
    if (rest.bytes == 0) rest = (lightgbm_text){"custom", 6}; /* an objective of the trainer's own program */
    if (!ride_lightgbm_word(&rest, &name)) name = rest;
    for (size_t i = 0; i < sizeof objectives / sizeof *objectives; i++)
        if (ride_lightgbm_is(name, objectives[i].name)) kind = &objectives[i];
    if (kind == NULL)
        return ride_lightgbm_finding(reader, h->objective_line, "binary, cross_entropy, regression, multiclass … are",
                                     "the objective `%.*s` is not supported", (int)(name.bytes < 60 ? name.bytes : 60),
                                     name.at);
    model->link = kind->link;
    model->link_scale = kind->link == RIDE_FOREST_LINK_LOGISTIC ? 1.0 : 0.0;
    snprintf(model->objective, sizeof model->objective, "%s", kind->name);
    while (ride_lightgbm_word(&rest, &word)) {
        static const char sigmoid[] = "sigmoid:";
        if (ride_lightgbm_is(word, "sqrt") && kind->has_sqrt) model->link = RIDE_FOREST_LINK_SIGNED_SQUARE;
        if (!kind->has_sigmoid || word.bytes <= strlen(sigmoid) || memcmp(word.at, sigmoid, strlen(sigmoid)) != 0)
            continue;
        if (!ride_text_to_double(word.at + strlen(sigmoid), word.bytes - strlen(sigmoid), &model->link_scale) ||
            !isfinite(model->link_scale) || model->link_scale <= 0.0)
            return ride_lightgbm_finding(reader, h->objective_line, NULL, "sigmoid: a number above 0 was expected");
    }
    return RIDE_OK;
}

static ride_status read_outputs(ride_model_reader *reader, const file *f) {
    ride_model *model = reader->model;
    uint32_t classes;
    RIDE_TRY(count_of(reader, f->head.num_class, "num_class", 1, 1, RIDE_FOREST_OUTPUTS_MAX, &classes));
    RIDE_TRY(count_of(reader, f->head.per_iteration, "num_tree_per_iteration", classes, 1, RIDE_FOREST_OUTPUTS_MAX,
                      &model->outputs_count));
    if (model->outputs_count != classes && classes > 1)
        return ride_model_finding(reader, NULL, "num_tree_per_iteration %u for %u classes", model->outputs_count,
                                  classes);
    if (model->link == RIDE_FOREST_LINK_SOFTMAX && classes == 1)
        return ride_model_finding(reader, NULL, "%s with one class", model->objective);
    if (f->trees_count % model->outputs_count != 0)
        return ride_model_finding(reader, NULL, "%u trees are no whole iterations of %u", f->trees_count,
                                  model->outputs_count);
    if (f->head.average.bytes > 0) {
        if (ride_lightgbm_is(f->head.version, "v2") && model->link != RIDE_FOREST_LINK_NONE)
            return ride_model_finding(
                reader, "train it again with LightGBM 2.3 or later",
                "an average of trees (rf) in a v2 file: its leaves may be answers already, as until 2.2.2, or margins");
        model->mean_of = f->trees_count / model->outputs_count;
    }
    model->base_margins = ride_arena_new(model->arena, double, model->outputs_count);
    model->base_scores = ride_arena_new(model->arena, double, model->outputs_count);
    if (model->base_margins == NULL || model->base_scores == NULL)
        return ride_model_finding(reader, NULL, "no memory for %u outputs", model->outputs_count);
    return RIDE_OK;
}

static ride_status read_inputs(ride_model_reader *reader, const head *h) {
    ride_model *model = reader->model;
    uint32_t greatest, count = 0, infos = 0, given = 0;
    lightgbm_text rest = h->names, word;
    RIDE_TRY(count_of(reader, h->max_feature, "max_feature_idx", -1, 0, RIDE_FOREST_INPUTS_MAX - 1, &greatest));
    model->inputs_count = greatest + 1;
    while (ride_lightgbm_word(&rest, &word)) count++;
    if (count != model->inputs_count) /* and so what the file claims is bounded by its size */
        return ride_lightgbm_finding(reader, h->names_line, NULL, "feature_names: %u names for %u features", count,
                                     model->inputs_count);
    model->inputs = ride_arena_new(model->arena, ride_model_input, count);
    if (model->inputs == NULL) return ride_model_finding(reader, NULL, "no memory for %u features", count);
    rest = h->names;
    for (uint32_t i = 0; ride_lightgbm_word(&rest, &word); i++) {
        char plain[24];
        snprintf(plain, sizeof plain, "Column_%u", i);
        given += !ride_lightgbm_is(word, plain);
        if (memchr(word.at, 0, word.bytes) != NULL)
            return ride_lightgbm_finding(reader, h->names_line, NULL, "feature_names: a zero byte");
        model->inputs[i].name = ride_arena_text(model->arena, word.at, word.bytes);
        if (model->inputs[i].name == NULL) return ride_model_finding(reader, NULL, "no memory for names");
    }
    rest = h->infos;
    for (; ride_lightgbm_word(&rest, &word) && infos < count;
         infos++) { /* [0:1] of numbers, 3:1:0 of categories, none */
        ride_model_input *input = &model->inputs[infos];
        input->is_category = *word.at != '[' && !ride_lightgbm_is(word, "none");
        input->type = input->is_category ? "category" : "float";
    }
    model->has_names = given > 0;
    for (uint32_t i = 0; i < count && !model->has_names; i++) model->inputs[i].name = NULL;
    return model->has_names ? ride_model_check_names(reader, "feature_names") : RIDE_OK;
}

/* The names of one column's categories, by code. */
static ride_status read_list(ride_model_reader *reader, const head *h, const ride_value *list,
                             ride_model_input *input) {
    const uint32_t count = ride_value_length(list);
    const char **names = ride_arena_new(reader->model->arena, const char *, count + 1);
    if (names == NULL) return ride_model_finding(reader, NULL, "no memory for %u categories", count);
    for (uint32_t i = 0; i < count; i++) {
        const ride_value *value = ride_value_at(list, i);
        char digits[32];
        int64_t number;
        const char *text = digits;
        size_t bytes = 0;
        if (value != NULL && value->kind == RIDE_VALUE_STRING) text = value->u.text, bytes = value->count;
        else if (ride_value_i64_at(list, i, &number))
            bytes = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)number);
        else
            return ride_lightgbm_finding(reader, h->categories_line,
                                         "retrain with strings or whole numbers as categories",
                                         "pandas_categorical: a category that is neither a string nor a whole number");
        if (memchr(text, 0, bytes) != NULL || (names[i] = ride_arena_text(reader->model->arena, text, bytes)) == NULL)
            return ride_lightgbm_finding(reader, h->categories_line, NULL,
                                         "pandas_categorical: a name that cannot be kept");
    }
    input->categories = names;
    input->categories_count = count;
    return RIDE_OK;
}

/* The lists are of the pandas columns, in their order, which are the categories of the file. */
static ride_status read_categories(ride_model_reader *reader, const head *h, ride_arena *values) {
    ride_model *model = reader->model;
    ride_value document;
    ride_error err;
    size_t offset;
    uint32_t lists, columns = 0, at = 0;
    if (h->categories.bytes == 0 || ride_lightgbm_is(h->categories, "null") || ride_lightgbm_is(h->categories, "[]"))
        return RIDE_OK;
    if (ride_document_json(h->categories.at, h->categories.bytes, values, NULL, &document, &offset, &err) != RIDE_OK)
        return ride_lightgbm_finding(reader, h->categories_line, NULL, "pandas_categorical: %s", err.what);
    lists = ride_value_length(&document);
    for (uint32_t i = 0; i < model->inputs_count; i++) columns += model->inputs[i].is_category;
    if (lists != columns)
        return ride_lightgbm_finding(
            reader, h->categories_line, "retrain with whole numbers as categories, or without columns of one value",
            "pandas_categorical has %u lists and the model %u columns of categories: which are whose is not known",
            lists, columns);
    for (uint32_t i = 0; i < model->inputs_count; i++)
        if (model->inputs[i].is_category)
            RIDE_TRY(read_list(reader, h, ride_value_at(&document, at++), &model->inputs[i]));
    return RIDE_OK;
}

static ride_status read_head(ride_model_reader *reader, const file *f, ride_arena *values) {
    const head *h = &f->head;
    ride_model *model = reader->model;
    snprintf(model->format, sizeof model->format, "lightgbm");
    snprintf(model->encoding, sizeof model->encoding, "text");
    snprintf(model->booster, sizeof model->booster, "%s", h->average.bytes > 0 ? "rf" : "gbdt");
    model->input_number = model->sum_number = RIDE_FOREST_F64;
    if (!ride_lightgbm_is(h->version, "v2") && !ride_lightgbm_is(h->version, "v3") &&
        !ride_lightgbm_is(h->version, "v4"))
        return ride_model_finding(reader, "save it with LightGBM 2.1 or later", "version `%.*s` is not v2, v3 or v4",
                                  (int)(h->version.bytes < 20 ? h->version.bytes : 20),
                                  h->version.bytes > 0 ? h->version.at : "");
    snprintf(model->written_by, sizeof model->written_by, "%.*s", (int)h->version.bytes, h->version.at);
    RIDE_TRY(read_objective(reader, h));
    RIDE_TRY(read_outputs(reader, f));
    RIDE_TRY(read_inputs(reader, h));
    return read_categories(reader, h, values);
}

ride_status ride_lightgbm_read(ride_model_reader *reader, const void *data, size_t bytes, ride_arena *values) {
    file f = {.at = data, .end = (const char *)data + bytes, .begin = data};
    ride_status st = read_lines(reader, &f);
    if (st == RIDE_OK) st = read_head(reader, &f, values);
    if (st == RIDE_OK && reader->options->best_iteration)
        st = ride_model_finding(reader, "save it with num_iteration=booster.best_iteration",
                                "LightGBM's text does not say which iteration was the best");
    if (st == RIDE_OK) st = ride_lightgbm_read_trees(reader, f.trees, f.trees_count);
    free(f.trees);
    return st == RIDE_OK ? ride_diagnostics_status(reader->findings) : st;
}
