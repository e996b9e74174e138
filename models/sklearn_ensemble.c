/* models/sklearn_ensemble.c: several estimators that answer as one. Each member is read as a model of its own. All of them lie in the ensemble's memory and share
 * their columns, so that what they claim together is bounded as if they were one model. */
#include "models/sklearn.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool ride_sklearn_is_ensemble(const ride_value *document) {
    return ride_sklearn_recognises(document) && ride_value_is(ride_value_get(document, "kind"), "ensemble");
}

/* ---- one member ---- */

static ride_status read_model(ride_model_reader *outer, const ride_value *document, const ride_value *columns,
                              const ride_value *value, const ride_ensemble *e, ride_model_member *out) {
    char path[400];
    snprintf(path, sizeof path, "%.300s, member `%.60s`", outer->path, out->name);
    ride_model_reader reader = *outer;
    reader.path = path;
    reader.model = ride_arena_new(e->arena, ride_model, 1);
    if (reader.model == NULL) return ride_model_finding(outer, NULL, "%s: no memory for a model", out->name);
    reader.model->arena = e->arena;
    reader.model->best_iteration = -1;
    reader.model->file_bytes = outer->model->file_bytes;
    memcpy(reader.model->hash, outer->model->hash, sizeof reader.model->hash);
    snprintf(reader.model->encoding, sizeof reader.model->encoding, "json");
    const ride_status st =
        ride_sklearn_read_member(&reader, document, columns, value, columns == document ? e->members[0].model : NULL);
    reader.model->arena = NULL; /* the ensemble's */
    if (st == RIDE_OK) out->model = reader.model;
    return st;
}

/* Numbers of a list in the ensemble's memory. */
static ride_status read_points(ride_model_reader *reader, ride_arena *arena, const ride_value *list, uint32_t count,
                               const char *place, const double **out) {
    double *numbers = ride_arena_new(arena, double, count);
    if (numbers == NULL) return ride_model_finding(reader, NULL, "%s: no memory", place);
    for (uint32_t i = 0; i < count; i++)
        if (!ride_value_double_at(list, i, &numbers[i]) || !isfinite(numbers[i]))
            return ride_model_finding(reader, NULL, "%s[%u]: a finite number was expected", place, i);
    *out = numbers;
    return RIDE_OK;
}

static ride_status read_calibration(ride_model_reader *reader, ride_arena *arena, const ride_value *value,
                                    const char *place, ride_model_calibration *out) {
    const ride_value *kind = ride_value_get(value, "kind"), *of = ride_value_get(value, "of"),
                     *x = ride_value_get(value, "x"), *y = ride_value_get(value, "y");
    const uint32_t count = ride_value_length(x);
    char at[80];
    if (value == NULL) return RIDE_OK;
    out->of_margin = ride_value_is(of, "margin");
    if (!out->of_margin && !ride_value_is(of, "answer"))
        return ride_model_finding(reader, NULL, "%s.of: margin or answer was expected", place);
    if (ride_value_is(kind, "platt")) {
        out->kind = RIDE_CALIBRATION_PLATT;
        if (ride_value_double(ride_value_get(value, "a"), &out->a) && isfinite(out->a) &&
            ride_value_double(ride_value_get(value, "b"), &out->b) && isfinite(out->b))
            return RIDE_OK;
        return ride_model_finding(reader, NULL, "%s: a and b were expected", place);
    }
    if (!ride_value_is(kind, "curve"))
        return ride_model_finding(reader, "platt and curve are", "%s.kind: not supported", place);
    if (count == 0 || ride_value_length(y) != count)
        return ride_model_finding(reader, NULL, "%s: %u x and %u y", place, count, ride_value_length(y));
    out->kind = RIDE_CALIBRATION_CURVE;
    out->points_count = count;
    snprintf(at, sizeof at, "%.64s.x", place);
    RIDE_TRY(read_points(reader, arena, x, count, at, &out->x));
    for (uint32_t i = 1; i < count; i++)
        if (out->x[i] < out->x[i - 1])
            return ride_model_finding(reader, NULL, "%s[%u]: below the one before it", at, i);
    snprintf(at, sizeof at, "%.64s.y", place);
    return read_points(reader, arena, y, count, at, &out->y);
}

static ride_status read_member(ride_model_reader *reader, const ride_value *document, const ride_value *columns,
                               const ride_value *value, const char *place, const ride_ensemble *e,
                               ride_model_member *out) {
    const ride_value *name = ride_value_get(value, "name"), *weight = ride_value_get(value, "weight"),
                     *threshold = ride_value_get(value, "threshold");
    char at[64];
    *out = (ride_model_member){.weight = 1.0, .threshold = 0.5};
    if (name == NULL || name->kind != RIDE_VALUE_STRING || name->count == 0 ||
        memchr(name->u.text, 0, name->count) != NULL)
        return ride_model_finding(reader, NULL, "%s.name: a string was expected", place);
    out->name = ride_arena_text(e->arena, name->u.text, name->count);
    if (out->name == NULL) return ride_model_finding(reader, NULL, "%s.name: no memory", place);
    if (weight != NULL && (!ride_value_double(weight, &out->weight) || !isfinite(out->weight) || out->weight <= 0.0))
        return ride_model_finding(reader, NULL, "%s.weight: a number above 0 was expected", place);
    if (threshold != NULL && (!ride_value_double(threshold, &out->threshold) || !isfinite(out->threshold)))
        return ride_model_finding(reader, NULL, "%s.threshold: a number was expected", place);
    snprintf(at, sizeof at, "%s.calibration", place);
    RIDE_TRY(read_calibration(reader, e->arena, ride_value_get(value, "calibration"), at, &out->calibration));
    RIDE_TRY(read_model(reader, document, columns, value, e, out));
    if (out->calibration.kind != RIDE_CALIBRATION_NONE && out->model->outputs_count != 1)
        return ride_model_finding(reader, NULL, "%s: of %u outputs", at, out->model->outputs_count);
    return RIDE_OK;
}

/* ---- all ---- */

/* All members see the same columns; a category of one of them is one of the ensemble. */
static ride_status join_inputs(ride_model_reader *reader, ride_ensemble *e) {
    const ride_model *first = e->members[0].model;
    ride_model_input *inputs = ride_arena_new(e->arena, ride_model_input, first->inputs_count);
    if (inputs == NULL) return ride_model_finding(reader, NULL, "no memory for %u features", first->inputs_count);
    for (uint32_t i = 0; i < first->inputs_count; i++) {
        inputs[i] = first->inputs[i];
        for (uint32_t m = 1; m < e->members_count; m++)
            if (e->members[m].model->inputs[i].is_category && !inputs[i].is_category)
                inputs[i] = e->members[m].model->inputs[i];
    }
    e->inputs = inputs;
    e->inputs_count = first->inputs_count;
    e->has_names = first->has_names;
    return RIDE_OK;
}

static ride_status check_names(ride_model_reader *reader, const ride_ensemble *e) {
    for (uint32_t i = 0; i < e->members_count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(e->members[i].name, e->members[k].name) == 0)
                return ride_model_finding(reader, NULL, "members[%u].name: `%.60s` twice", i, e->members[i].name);
    return RIDE_OK;
}

static ride_status read_members(ride_model_reader *reader, const ride_value *document, ride_ensemble *e) {
    const ride_value *list = ride_value_get(document, "members"), *stacker = ride_value_get(document, "stacker");
    uint32_t answers = 0;
    for (uint32_t i = 0; i < e->members_count; i++) {
        char place[32];
        snprintf(place, sizeof place, "members[%u]", i);
        RIDE_TRY(read_member(reader, document, document, ride_value_at(list, i), place, e, &e->members[i]));
        answers += e->members[i].model->outputs_count;
        if (!e->has_stacker && e->members[i].model->outputs_count != e->members[0].model->outputs_count)
            return ride_model_finding(reader, NULL, "%s: %u outputs, those before it %u", place,
                                      e->members[i].model->outputs_count, e->members[0].model->outputs_count);
    }
    if (answers > RIDE_ANSWERS_MAX)
        return ride_model_finding(reader, NULL, "members: %u outputs together, at most %d", answers, RIDE_ANSWERS_MAX);
    if (e->has_stacker)
        RIDE_TRY(read_member(reader, document, stacker, stacker, "stacker", e, &e->members[e->members_count]));
    e->outputs_count = e->members[e->has_stacker ? e->members_count : 0].model->outputs_count;
    RIDE_TRY(check_names(reader, e));
    return join_inputs(reader, e);
}

static ride_status read_ensemble(ride_model_reader *reader, const ride_value *document, ride_ensemble *e) {
    const ride_value *combine = ride_value_get(document, "combine");
    const uint32_t count = ride_value_length(ride_value_get(document, "members"));
    const bool has_stacker = ride_value_is(combine, "stack"), votes = ride_value_is(combine, "vote");
    if (!has_stacker && !votes && !ride_value_is(combine, "mean"))
        return ride_model_finding(reader, "mean, vote and stack are", "combine: not supported");
    if (count == 0 || count > RIDE_MEMBERS_MAX)
        return ride_model_finding(reader, NULL, "members: %u, 1 to %d were expected", count, RIDE_MEMBERS_MAX);
    e->combine = has_stacker ? RIDE_COMBINE_STACK : votes ? RIDE_COMBINE_VOTE : RIDE_COMBINE_MEAN;
    e->number = RIDE_FOREST_F64;
    e->path = ride_arena_text(e->arena, reader->path, strlen(reader->path));
    e->members = ride_arena_new(e->arena, ride_model_member, count + 1);
    if (e->path == NULL || e->members == NULL)
        return ride_model_finding(reader, NULL, "no memory for %u members", count);
    memcpy(e->hash, reader->model->hash, sizeof e->hash);
    e->members_count = count;
    e->has_stacker = has_stacker;
    return read_members(reader, document, e);
}

ride_status ride_sklearn_read_ensemble(ride_model_reader *reader, const ride_value *document, ride_ensemble **out) {
    ride_arena *arena = NULL;
    ride_ensemble *e = NULL;
    ride_error err;
    *out = NULL;
    ride_status st = ride_arena_create(65536, 128 * reader->model->file_bytes + (1 << 20), &arena, &err);
    if (st == RIDE_OK && (e = ride_arena_new(arena, ride_ensemble, 1)) == NULL)
        st = ride_fail(&err, RIDE_E_MEMORY, "memory for an ensemble");
    if (st != RIDE_OK) {
        ride_diagnose(reader->findings, st, reader->path, 0, 0, NULL, "%s", err.what);
        ride_arena_destroy(arena);
        return st;
    }
    e->arena = arena;
    st = read_ensemble(reader, document, e);
    if (st == RIDE_OK) *out = e;
    else ride_ensemble_destroy(e);
    return st;
}
