/* models/onnx_votes.c: several models in one graph whose answers are averaged, as exporters write a VotingClassifier (soft), a VotingRegressor or a bag: a Sum of
 * answers times their weights, or a ReduceMean over answers that were put one behind the other. Each answer is a chain of its own and becomes a member of an
 * ensemble; ONNX Runtime adds floats, an ensemble doubles. */
#include "models/ensemble_internal.h"
#include "models/onnx_chain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TERMS_MAX = RIDE_MEMBERS_MAX };

typedef struct votes {
    onnx_chain *chain;
    const onnx_node *node; /* the Sum or the ReduceMean, for findings */
    ride_message terms[TERMS_MAX];
    double weights[TERMS_MAX];
    uint32_t count;
} votes;

/* What gives a value, behind nodes that leave a row as it is; NULL: an input of the graph. */
static const onnx_node *giver(const onnx_file *file, ride_message *name) {
    static const char *const forms[] = {"Identity", "Flatten", "Cast", "ZipMap", "Reshape"};
    for (uint32_t steps = 0; steps <= file->nodes_count; steps++) {
        uint32_t output;
        const onnx_node *node = ride_onnx_producer(file, *name, &output);
        bool is_form = false;
        for (size_t i = 0; node != NULL && i < sizeof forms / sizeof *forms; i++)
            is_form = is_form || ride_message_is(node->op, forms[i]);
        if (!is_form || !ride_onnx_input(node, 0, name)) return node;
    }
    return NULL;
}

static ride_status add_term(votes *v, ride_message name, double weight) {
    if (v->count == TERMS_MAX)
        return ride_onnx_finding(&v->chain->file, v->node, NULL, "it joins more than %d models", TERMS_MAX);
    v->terms[v->count] = name;
    v->weights[v->count++] = weight;
    return RIDE_OK;
}

/* w * answer, or an answer. */
static ride_status weighted(votes *v, ride_message name) {
    const onnx_file *file = &v->chain->file;
    ride_message given = name, one;
    const onnx_node *node = giver(file, &given);
    double weight = 1.0;
    if (node != NULL && ride_message_is(node->op, "Mul")) {
        for (uint32_t i = 0; ride_onnx_input(node, i, &one); i++) {
            onnx_reals number;
            onnx_shape shape;
            if (!ride_onnx_is_constant(file, one)) {
                name = one;
                continue;
            }
            RIDE_TRY(ride_onnx_constant_reals(file, node, one, &number, &shape));
            if (number.count != 1 || !(number.at[0] > 0.0) || !isfinite(number.at[0]))
                return ride_onnx_finding(file, node, NULL, "a weight that is not one number above 0");
            weight *= number.at[0];
        }
    }
    return add_term(v, name, weight);
}

static ride_status read_sum(votes *v) {
    double sum = 0.0;
    for (uint32_t i = 0; i < v->node->inputs_count; i++) RIDE_TRY(weighted(v, v->node->inputs[i]));
    for (uint32_t i = 0; i < v->count; i++) sum += v->weights[i];
    return fabs(sum - 1.0) <= 1e-5
               ? RIDE_OK
               : ride_onnx_finding(&v->chain->file, v->node,
                                   "export the parts by themselves, and join them in an ensemble",
                                   "answers times weights that add up to %g; only a mean is read", sum);
}

/* ReduceMean over axis 0 of a Concat over axis 0, of answers as [1, rows, outputs]. */
static ride_status read_mean(votes *v) {
    const onnx_file *file = &v->chain->file;
    ride_message name;
    uint32_t output;
    const onnx_node *joined = ride_onnx_input(v->node, 0, &name) ? ride_onnx_producer(file, name, &output) : NULL;
    int64_t axis = 1;
    if (joined == NULL || !ride_message_is(joined->op, "Concat"))
        return ride_onnx_finding(file, v->node, NULL, "only of answers that a Concat put one behind the other");
    RIDE_TRY(ride_onnx_int(file, joined, "axis", 1, &axis));
    if (axis != 0) return ride_onnx_finding(file, joined, NULL, "axis: only models are averaged, not columns");
    for (uint32_t i = 0; i < joined->inputs_count; i++) {
        const onnx_node *node = ride_onnx_producer(file, joined->inputs[i], &output);
        if (node == NULL || !ride_message_is(node->op, "Reshape") || !ride_onnx_input(node, 0, &name))
            return ride_onnx_finding(file, joined, NULL, "only answers of models are averaged");
        RIDE_TRY(add_term(v, name, 1.0));
    }
    return RIDE_OK;
}

static ride_status read_member(const votes *v, uint32_t m, ride_ensemble *e, bool *has_two) {
    const ride_model_reader *outer = v->chain->file.reader;
    ride_model_member *member = &e->members[m];
    char path[400], name[16];
    snprintf(path, sizeof path, "%.300s, model %u of a mean", outer->path, m + 1);
    snprintf(name, sizeof name, "model%u", m + 1);
    ride_model_reader reader = *outer;
    reader.path = path;
    reader.model = ride_arena_new(e->arena, ride_model, 1);
    *member = (ride_model_member){.name = ride_arena_text(e->arena, name, strlen(name)),
                                  .weight = v->weights[m],
                                  .threshold = 0.5};
    if (reader.model == NULL || member->name == NULL)
        return ride_onnx_finding(&v->chain->file, v->node, NULL, "no memory");
    ride_model *model = reader.model;
    memcpy(model->format, outer->model->format, sizeof model->format);
    memcpy(model->encoding, outer->model->encoding, sizeof model->encoding);
    memcpy(model->written_by, outer->model->written_by, sizeof model->written_by);
    memcpy(model->hash, outer->model->hash, sizeof model->hash);
    model->arena = e->arena;
    model->best_iteration = -1;
    model->file_bytes = outer->model->file_bytes;
    onnx_chain c = {.file = v->chain->file, .inputs = v->chain->inputs, .inputs_count = v->chain->inputs_count};
    c.file.reader = &reader;
    c.links = v->chain->links;
    c.links_left = v->chain->links_left;
    const ride_status st = ride_onnx_read_chain(&c, v->terms[m]);
    v->chain->links_left = c.links_left;
    model->arena = NULL; /* the ensemble's */
    *has_two = c.is_pair || c.is_second;
    if (st == RIDE_OK) member->model = model;
    return st;
}

static ride_status read_members(const votes *v, ride_ensemble *e) {
    bool first = false, two = false;
    for (uint32_t m = 0; m < v->count; m++) {
        RIDE_TRY(read_member(v, m, e, &two));
        if (m == 0) first = two;
        const ride_model *model = e->members[m].model, *one = e->members[0].model;
        if (two != first || model->outputs_count != one->outputs_count || model->inputs_count != one->inputs_count)
            return ride_onnx_finding(&v->chain->file, v->node, "export it with a fixed number of columns",
                                     "models of %u inputs and %u outputs, and of %u and %u", one->inputs_count,
                                     one->outputs_count, model->inputs_count, model->outputs_count);
    }
    return RIDE_OK;
}

ride_status ride_onnx_votes(onnx_chain *c, ride_message output, bool *is_one) {
    ride_model_reader *reader = c->file.reader;
    votes v = {.chain = c, .node = giver(&c->file, &output)};
    ride_ensemble *e = NULL;
    const bool is_sum = v.node != NULL && ride_message_is(v.node->op, "Sum") && v.node->inputs_count > 1;
    *is_one = is_sum || (v.node != NULL && ride_message_is(v.node->op, "ReduceMean"));
    if (!*is_one) return RIDE_OK;
    if (reader->ensemble == NULL)
        return ride_model_finding(reader, NULL, "an ensemble of several models, one was expected");
    RIDE_TRY(is_sum ? read_sum(&v) : read_mean(&v));
    RIDE_TRY(ride_ensemble_create(reader->path, 128 * reader->model->file_bytes + (1 << 20), &e, reader->findings));
    e->combine = RIDE_COMBINE_MEAN;
    e->members = ride_arena_new(e->arena, ride_model_member, (size_t)v.count + 1);
    ride_status st =
        e->members != NULL ? RIDE_OK : ride_model_finding(reader, NULL, "no memory for %u members", v.count);
    if (st == RIDE_OK) e->members_count = v.count;
    if (st == RIDE_OK) st = read_members(&v, e);
    if (st == RIDE_OK) st = ride_ensemble_finish(e, NULL, 0, reader->findings);
    if (st == RIDE_OK) *reader->ensemble = e;
    else ride_ensemble_destroy(e);
    return st;
}
