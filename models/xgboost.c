/* models/xgboost.c: the head of an XGBoost model: objective, parameters, base score, names.
 *
 * What the file's form does not say (XGBoost's own sources and files of 1.7, 2.1, 3.0 and 3.2 do): every parameter is a string;
 * base_score is a probability for the logistic objectives (for binary:logitraw it
 * is the margin itself), and the margin that a sum starts from is -logf(1 / p - 1) in float, or logf of a mean where the answer is an
 * exponential; from
 * 3.1 on it is a list, one entry or one per output; DART keeps its booster in `gbtree` and its weights beside it, or in the
 * model. */
#include "models/xgboost.h"

#include "base/assert.h"
#include "base/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What base_score is, and the margin that a sum starts from. */
typedef enum base_kind { MARGIN, PROBABILITY, MEAN } base_kind; /* itself; -logf(1 / p - 1); logf(p) */

typedef struct objective {
    const char *name;
    ride_forest_link link;
    base_kind base;
} objective;

static const objective objectives[] = {
    {"binary:logistic", RIDE_FOREST_LINK_SIGMOID, PROBABILITY},
    {"reg:logistic", RIDE_FOREST_LINK_SIGMOID, PROBABILITY},
    {"binary:logitraw", RIDE_FOREST_LINK_NONE, MARGIN},
    {"binary:hinge", RIDE_FOREST_LINK_STEP, MARGIN},
    {"reg:squarederror", RIDE_FOREST_LINK_NONE, MARGIN},
    {"reg:linear", RIDE_FOREST_LINK_NONE, MARGIN},
    {"reg:squaredlogerror", RIDE_FOREST_LINK_NONE, MARGIN},
    {"reg:pseudohubererror", RIDE_FOREST_LINK_NONE, MARGIN},
    {"reg:absoluteerror", RIDE_FOREST_LINK_NONE, MARGIN},
    {"reg:quantileerror", RIDE_FOREST_LINK_NONE, MARGIN},
    {"rank:pairwise", RIDE_FOREST_LINK_NONE, MARGIN},
    {"rank:ndcg", RIDE_FOREST_LINK_NONE, MARGIN},
    {"rank:map", RIDE_FOREST_LINK_NONE, MARGIN},
    {"multi:softprob", RIDE_FOREST_LINK_SOFTMAX, MARGIN},
    {"multi:softmax", RIDE_FOREST_LINK_SOFTMAX, MARGIN},
    {"count:poisson", RIDE_FOREST_LINK_EXP, MEAN},
    {"reg:gamma", RIDE_FOREST_LINK_EXP, MEAN},
    {"reg:tweedie", RIDE_FOREST_LINK_EXP, MEAN},
    {"survival:cox", RIDE_FOREST_LINK_EXP, MEAN},
    {"survival:aft", RIDE_FOREST_LINK_EXP, MEAN},
};
static const char objectives_known[] = "binary:*, reg:*, rank:*, multi:*, count:poisson and survival:* are";

bool ride_xgboost_recognises(const ride_value *document) { return ride_value_get(document, "learner") != NULL; }

/* A copy of a string value; NULL and a finding when it is none, or cannot be a C string. */
static const char *copy_text(ride_model_reader *reader, const ride_value *value, const char *place) {
    if (value == NULL || value->kind != RIDE_VALUE_STRING) {
        ride_model_finding(reader, NULL, "%s: a string was expected", place);
        return NULL;
    }
    if (memchr(value->u.text, 0, value->count) != NULL) {
        ride_model_finding(reader, NULL, "%s: a zero byte in a string", place);
        return NULL;
    }
    const char *text = ride_arena_text(reader->model->arena, value->u.text, value->count);
    if (text == NULL) ride_model_finding(reader, NULL, "%s: no memory", place);
    return text;
}

/* A whole number that is written as a string or as a number; `missing` when there is none. */
static ride_status read_count(ride_model_reader *reader, const ride_value *object, const char *place, const char *key,
                              int64_t missing, int64_t most, int64_t *out) {
    const ride_value *value = ride_value_get(object, key);
    *out = missing;
    if (value == NULL) {
        if (missing >= 0) return RIDE_OK;
        return ride_model_finding(reader, NULL, "%s.%s is missing", place, key);
    }
    bool ok = value->kind == RIDE_VALUE_STRING ? ride_text_to_i64(value->u.text, value->count, out)
                                               : ride_value_i64(value, out);
    if (ok && *out >= 0 && *out <= most) return RIDE_OK;
    *out = missing >= 0 ? missing : 0;
    return ride_model_finding(reader, NULL, "%s.%s: a whole number from 0 to %lld was expected", place, key,
                              (long long)most);
}

static ride_status read_version(ride_model_reader *reader, const ride_value *document) {
    const ride_value *version = ride_value_get(document, "version");
    int64_t part[3] = {0};
    if (version == NULL) return RIDE_OK; /* some re-writers leave it out */
    for (uint32_t i = 0; i < 3; i++)
        if (ride_value_length(version) != 3 || !ride_value_i64_at(version, i, &part[i]) || part[i] < 0 ||
            part[i] > 9999)
            return ride_model_finding(reader, NULL, "version: three whole numbers were expected");
    snprintf(reader->model->written_by, sizeof reader->model->written_by, "%u.%u.%u", (unsigned)part[0],
             (unsigned)part[1], (unsigned)part[2]);
    if (part[0] == 0)
        return ride_model_finding(reader, "load it with XGBoost 1.x or later and save it again",
                                  "written by XGBoost %s, 1.0 or later was expected", reader->model->written_by);
    return RIDE_OK;
}

static ride_status read_objective(ride_model_reader *reader, const ride_value *learner, const objective **out) {
    static const char place[] = "learner.objective.name";
    const ride_value *name = ride_value_get(ride_value_get(learner, "objective"), "name");
    *out = NULL;
    if (name == NULL || name->kind != RIDE_VALUE_STRING)
        return ride_model_finding(reader, NULL, "%s: a string was expected", place);
    for (size_t i = 0; i < sizeof objectives / sizeof objectives[0]; i++)
        if (ride_value_is(name, objectives[i].name)) *out = &objectives[i];
    if (*out == NULL)
        return ride_model_finding(reader, objectives_known, "%s: `%.*s` is not supported", place,
                                  (int)(name->count < 60 ? name->count : 60), name->u.text);
    reader->model->link = (*out)->link;
    snprintf(reader->model->objective, sizeof reader->model->objective, "%s", (*out)->name);
    return RIDE_OK;
}

/* What a sum starts from, in XGBoost's own steps in float. */
static ride_status add_base_score(ride_model_reader *reader, const objective *kind, uint32_t i, float score) {
    const bool in_range = kind->base == MARGIN || (score > 0.0f && (kind->base == MEAN || score < 1.0f));
    if (!isfinite(score) || !in_range)
        return ride_model_finding(reader, NULL, "learner.learner_model_param.base_score: %g%s", (double)score,
                                  kind->base == PROBABILITY ? " is no probability between 0 and 1"
                                  : kind->base == MEAN      ? " is not above 0"
                                                            : "");
    reader->model->base_scores[i] = score;
    reader->model->base_margins[i] = kind->base == PROBABILITY ? -logf(1.0f / score - 1.0f)
                                     : kind->base == MEAN      ? logf(score)
                                                               : score;
    return RIDE_OK;
}

/* "5E-1" or "[5E-1]" or "[1E-1,2E-1,7E-1]"; one entry serves all outputs. */
static ride_status read_base_score(ride_model_reader *reader, const ride_value *param, const objective *kind) {
    static const char place[] = "learner.learner_model_param.base_score";
    ride_model *model = reader->model;
    const ride_value *value = ride_value_get(param, "base_score");
    float score;
    uint32_t count = 0;
    if (value == NULL) return ride_model_finding(reader, NULL, "%s is missing", place);
    if (value->kind != RIDE_VALUE_STRING) {
        if (!ride_value_float(value, &score)) return ride_model_finding(reader, NULL, "%s: no number", place);
        RIDE_TRY(add_base_score(reader, kind, count++, score));
    } else {
        const char *at = value->u.text, *end = at + value->count;
        bool list = at < end && *at == '[';
        if (list && end[-1] != ']') return ride_model_finding(reader, NULL, "%s: the list does not end", place);
        if (list) at++, end--;
        while (at <= end) {
            const char *comma = list ? memchr(at, ',', (size_t)(end - at)) : NULL;
            if (comma == NULL) comma = end;
            if (!ride_text_to_model_float(at, (size_t)(comma - at), &score))
                return ride_model_finding(reader, NULL, "%s: `%.*s` is no number", place,
                                          (int)(value->count < 60 ? value->count : 60), value->u.text);
            if (count == model->outputs_count)
                return ride_model_finding(reader, NULL, "%s: more entries than outputs (%u)", place,
                                          model->outputs_count);
            RIDE_TRY(add_base_score(reader, kind, count++, score));
            at = comma + 1;
        }
    }
    if (count != 1 && count != model->outputs_count)
        return ride_model_finding(reader, NULL, "%s: %u entries for %u outputs", place, count, model->outputs_count);
    for (uint32_t i = count; i < model->outputs_count; i++) {
        model->base_scores[i] = model->base_scores[0];
        model->base_margins[i] = model->base_margins[0];
    }
    return RIDE_OK;
}

static ride_status read_outputs(ride_model_reader *reader, const ride_value *param, const objective *kind) {
    static const char place[] = "learner.learner_model_param";
    ride_model *model = reader->model;
    int64_t classes, targets;
    RIDE_ASSERT(kind != NULL); /* an unknown objective was told and ended it */
    ride_status st = read_count(reader, param, place, "num_class", 0, RIDE_FOREST_OUTPUTS_MAX, &classes);
    ride_status st2 = read_count(reader, param, place, "num_target", 1, RIDE_FOREST_OUTPUTS_MAX, &targets);
    if (st != RIDE_OK || st2 != RIDE_OK) return RIDE_E_MODEL;
    if (classes > 1 && targets > 1)
        return ride_model_finding(reader, NULL, "%s: several classes and several targets at once", place);
    bool softmax = kind->link == RIDE_FOREST_LINK_SOFTMAX;
    if (softmax != (classes > 1))
        return ride_model_finding(reader, NULL, "%s.num_class: %lld does not go with %s", place, (long long)classes,
                                  kind->name);
    model->outputs_count = (uint32_t)(classes > 1 ? classes : targets > 1 ? targets : 1);
    model->base_margins = ride_arena_new(model->arena, double, model->outputs_count);
    model->base_scores = ride_arena_new(model->arena, double, model->outputs_count);
    if (model->base_margins == NULL || model->base_scores == NULL)
        return ride_model_finding(reader, NULL, "no memory for %u outputs", model->outputs_count);
    return read_base_score(reader, param, kind);
}

static ride_status read_inputs(ride_model_reader *reader, const ride_value *learner, const ride_value *param) {
    ride_model *model = reader->model;
    int64_t count;
    RIDE_TRY(
        read_count(reader, param, "learner.learner_model_param", "num_feature", -1, RIDE_FOREST_INPUTS_MAX, &count));
    model->inputs_count = (uint32_t)count;
    model->inputs = ride_arena_new(model->arena, ride_model_input, model->inputs_count);
    if (model->inputs == NULL && count != 0)
        return ride_model_finding(reader, NULL, "no memory for %lld inputs", (long long)count);
    static const char *const keys[2] = {"feature_names", "feature_types"};
    const ride_value *lists[2];
    for (int k = 0; k < 2; k++) {
        lists[k] = ride_value_get(learner, keys[k]);
        uint32_t length = ride_value_length(lists[k]);
        if (length == 0) lists[k] = NULL;
        else if (length != model->inputs_count)
            return ride_model_finding(reader, NULL, "learner.%s: %u entries for %u inputs", keys[k], length,
                                      model->inputs_count);
    }
    for (uint32_t i = 0; i < model->inputs_count; i++) {
        ride_model_input *input = &model->inputs[i];
        char place[64];
        for (int k = 0; k < 2; k++) {
            if (lists[k] == NULL) continue;
            snprintf(place, sizeof place, "learner.%s[%u]", keys[k], i);
            const char *text = copy_text(reader, ride_value_at(lists[k], i), place);
            if (text == NULL) return RIDE_E_MODEL;
            if (k == 0) input->name = text;
            else input->type = text;
        }
        input->is_category = input->type != NULL && strcmp(input->type, "c") == 0;
    }
    model->has_names = lists[0] != NULL && model->inputs_count > 0;
    return model->has_names ? ride_model_check_names(reader, "learner.feature_names") : RIDE_OK;
}

/* Finds the object with the trees and DART's weights. */
static ride_status find_trees(ride_model_reader *reader, const ride_value *learner, const ride_value **trees,
                              const ride_value **weights, const char **place) {
    const ride_value *booster = ride_value_get(learner, "gradient_booster");
    const ride_value *name = ride_value_get(booster, "name");
    *trees = *weights = NULL;
    if (ride_value_is(name, "gbtree")) {
        *trees = ride_value_get(booster, "model");
        *place = "learner.gradient_booster.model";
    } else if (ride_value_is(name, "dart")) {
        *trees = ride_value_get(ride_value_get(booster, "gbtree"), "model");
        *place = "learner.gradient_booster.gbtree.model";
        if (*trees == NULL) {
            *trees = ride_value_get(booster, "model");
            *place = "learner.gradient_booster.model";
        }
        *weights = ride_value_get(booster, "weight_drop");
        if (*weights == NULL) *weights = ride_value_get(*trees, "weight_drop");
        if (*weights == NULL)
            return ride_model_finding(reader, NULL, "learner.gradient_booster: DART without weight_drop");
    } else if (name != NULL && name->kind == RIDE_VALUE_STRING) {
        return ride_model_finding(reader, "gbtree, dart and gblinear are",
                                  "learner.gradient_booster.name: `%.*s` is not supported",
                                  (int)(name->count < 60 ? name->count : 60), name->u.text);
    }
    if (*trees == NULL) return ride_model_finding(reader, NULL, "learner.gradient_booster: no trees in it");
    snprintf(reader->model->booster, sizeof reader->model->booster, "%.*s", (int)name->count, name->u.text);
    return RIDE_OK;
}

/* Which trees score: all, or those up to the best iteration where the options ask for that. */
static ride_status choose_trees(ride_model_reader *reader, const ride_value *learner, const ride_value *trees,
                                const char *place) {
    ride_model *model = reader->model;
    const ride_value *attributes = ride_value_get(learner, "attributes");
    RIDE_TRY(read_count(reader, attributes, "learner.attributes", "best_iteration", INT32_MAX, INT32_MAX,
                        &model->best_iteration));
    if (model->best_iteration == INT32_MAX) model->best_iteration = -1;
    if (!reader->options->best_iteration) return RIDE_OK;
    if (model->best_iteration < 0)
        return ride_model_finding(reader, "leave the option off to use all trees",
                                  "learner.attributes.best_iteration is missing, and the best iteration was asked for");
    const ride_value *indptr = ride_value_get(trees, "iteration_indptr");
    const uint32_t copies = model->trees_count / model->trees_in_file; /* of each tree: one, or one for each output */
    int64_t parallel, end;
    RIDE_TRY(read_count(reader, ride_value_get(trees, "gbtree_model_param"), place, "num_parallel_tree", 1, 1 << 20,
                        &parallel));
    if (!ride_value_i64_at(indptr, (uint32_t)model->best_iteration + 1, &end)) {
        if (indptr != NULL)
            return ride_model_finding(reader, NULL, "%s.iteration_indptr has no iteration %lld", place,
                                      (long long)model->best_iteration);
        end = (model->best_iteration + 1) * parallel * (copies > 1 ? 1 : model->outputs_count);
    }
    if (end <= 0 || end > model->trees_in_file)
        return ride_model_finding(reader, NULL,
                                  "learner.attributes.best_iteration: %lld is beyond the model's %u trees",
                                  (long long)model->best_iteration, model->trees_in_file);
    model->trees_count = (uint32_t)end * copies;
    return RIDE_OK;
}

ride_status ride_xgboost_read(ride_model_reader *reader, const ride_value *document) {
    ride_model *model = reader->model;
    const ride_value *learner = ride_value_get(document, "learner");
    const ride_value *param = ride_value_get(learner, "learner_model_param"), *trees, *weights;
    const objective *kind;
    const char *place = NULL;
    const ride_value *booster = ride_value_get(learner, "gradient_booster");
    snprintf(model->format, sizeof model->format, "xgboost");
    model->input_number = model->sum_number = RIDE_FOREST_F32;
    read_version(reader, document);
    if (param == NULL) ride_model_finding(reader, NULL, "learner.learner_model_param is missing");
    /* What depends on a part that is wrong is not looked at; the rest is, so that one run tells all. */
    if (read_objective(reader, learner, &kind) == RIDE_OK && param != NULL) read_outputs(reader, param, kind);
    ride_status inputs = param != NULL ? read_inputs(reader, learner, param) : RIDE_E_MODEL;
    if (ride_value_is(ride_value_get(booster, "name"), "gblinear")) {
        if (inputs == RIDE_OK && model->outputs_count != 0)
            ride_xgboost_read_linear(reader, ride_value_get(booster, "model"));
    } else if (find_trees(reader, learner, &trees, &weights, &place) == RIDE_OK && inputs == RIDE_OK &&
               model->outputs_count != 0) {
        const ride_value *categories = ride_value_get(trees, "cats");
        if (ride_xgboost_read_trees(reader, trees, weights, place) == RIDE_OK)
            choose_trees(reader, learner, trees, place);
        if (categories != NULL) ride_xgboost_read_categories(reader, categories, place);
    }
    return ride_diagnostics_status(reader->findings);
}
