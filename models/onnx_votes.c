/* models/onnx_votes.c: several models in one graph whose answers are averaged, as exporters write a VotingClassifier (soft), a VotingRegressor or a bag: a Sum of
 * answers times their weights, or a ReduceMean over answers that were put one behind the other. Each answer is a chain of its own and becomes a member of an
 * ensemble; ONNX Runtime adds floats, an ensemble doubles. Between the parts of it nodes may stand that only change a row's form: each is checked by the
 * step that reads it in a chain. */
#include "models/ensemble_internal.h"
#include "models/onnx_chain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TERMS_MAX = RIDE_MEMBERS_MAX };

/* One of the models. */
typedef struct term {
    ride_message answer;    /* what its chain gives */
    ride_message joined;    /* what is joined: the product behind nodes of form, or empty when the answer is */
    const onnx_node *block; /* of a mean: the Reshape to [1, rows, columns] */
    double weight;
} term;

typedef struct votes {
    onnx_chain *chain;
    const onnx_node *node; /* the Sum or the ReduceMean, for findings */
    term terms[TERMS_MAX];
    uint32_t count;
    onnx_chain last; /* of the last model, behind its answer */
} votes;

/* What gives a value behind nodes of form, which are the chain's links then, the first behind it first; NULL: an input of the graph. */
static ride_status giver(onnx_chain *c, ride_message name, const onnx_node **out) {
    static const char *const forms[] = {"Identity", "Flatten", "Cast", "ZipMap", "Reshape"};
    uint32_t at = c->file.nodes_count;
    for (;;) {
        onnx_link link = {0};
        bool is_form = false;
        *out = link.node = ride_onnx_producer(&c->file, name, &link.output);
        for (size_t i = 0; link.node != NULL && i < sizeof forms / sizeof *forms; i++)
            is_form = is_form || ride_message_is(link.node->op, forms[i]);
        if (!is_form || !ride_onnx_input(link.node, 0, &name)) break;
        if (at == 0) return ride_model_finding(c->file.reader, NULL, "graph: a cycle");
        RIDE_TRY(ride_onnx_take(c, link.node));
        c->links[--at] = link;
    }
    c->links_count = c->file.nodes_count - at;
    memmove(c->links, c->links + at, c->links_count * sizeof *c->links);
    return RIDE_OK;
}

/* Do the nodes of form before `name` leave a row as it is? Asked once the columns are known: what they may be, their steps say. */
static ride_status check_forms(onnx_chain *c, ride_message name) {
    const onnx_node *node;
    RIDE_TRY(giver(c, name, &node));
    c->is_answer = true;
    for (uint32_t i = 0; i < c->links_count; i++) {
        if (c->links[i].output != 0) return ride_onnx_finding(&c->file, c->links[i].node, NULL, "it has one output");
        RIDE_TRY(ride_onnx_step(c, &c->links[i]));
    }
    return RIDE_OK;
}

static ride_status add_term(votes *v, term one) {
    if (v->count == TERMS_MAX)
        return ride_onnx_finding(&v->chain->file, v->node, NULL, "it joins more than %d models", TERMS_MAX);
    v->terms[v->count++] = one;
    return RIDE_OK;
}

/* w * answer, or an answer. */
static ride_status weighted(votes *v, ride_message name) {
    const onnx_file *file = &v->chain->file;
    const onnx_node *node;
    ride_message sides[2];
    onnx_reals weight;
    onnx_shape shape;
    RIDE_TRY(giver(v->chain, name, &node));
    if (node == NULL || !ride_message_is(node->op, "Mul")) return add_term(v, (term){.answer = name, .weight = 1.0});
    const bool is_pair =
        node->inputs_count == 2 && ride_onnx_input(node, 0, &sides[0]) && ride_onnx_input(node, 1, &sides[1]);
    const bool first = is_pair && ride_onnx_is_constant(file, sides[0]);
    if (!is_pair || first == ride_onnx_is_constant(file, sides[1]))
        return ride_onnx_finding(file, node, "export the parts by themselves, and join them in an ensemble",
                                 "before a sum of models only an answer times a constant is read");
    RIDE_TRY(ride_onnx_constant_reals(file, node, sides[first ? 0 : 1], &weight, &shape));
    if (weight.count != 1 || shape.rank > 1 || !(weight.at[0] > 0.0) || !isfinite(weight.at[0]))
        return ride_onnx_finding(file, node, NULL, "a weight that is not one number above 0");
    return add_term(v, (term){.answer = sides[first ? 1 : 0], .joined = name, .weight = weight.at[0]});
}

static ride_status read_sum(votes *v) {
    double sum = 0.0;
    for (uint32_t i = 0; i < v->node->inputs_count; i++) RIDE_TRY(weighted(v, v->node->inputs[i]));
    for (uint32_t i = 0; i < v->count; i++) sum += v->terms[i].weight;
    return fabs(sum - 1.0) <= 1e-5
               ? RIDE_OK
               : ride_onnx_finding(&v->chain->file, v->node,
                                   "export the parts by themselves, and join them in an ensemble",
                                   "answers times weights that add up to %g; only a mean is read", sum);
}

/* The one axis that is the models'. */
static ride_status check_axes(const votes *v) {
    const onnx_file *file = &v->chain->file;
    onnx_ints axes, more = {0};
    ride_message name;
    int64_t kept;
    RIDE_TRY(ride_onnx_ints(file, v->node, "axes", &axes));
    if (ride_onnx_input(v->node, 1, &name) && ride_message_bytes(name) > 0)
        RIDE_TRY(ride_onnx_constant_ints(file, v->node, name, &more));
    if (axes.count + more.count != 1 || (axes.count == 1 ? axes : more).at[0] != 0)
        return ride_onnx_finding(file, v->node, NULL, "axes: [0] was expected, the models; no other is averaged");
    RIDE_TRY(ride_onnx_int(file, v->node, "keepdims", 1, &kept));
    return kept == 0 ? RIDE_OK : ride_onnx_finding(file, v->node, NULL, "keepdims: 0 was expected");
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
    RIDE_TRY(check_axes(v));
    for (uint32_t i = 0; i < joined->inputs_count; i++) {
        const onnx_node *node = ride_onnx_producer(file, joined->inputs[i], &output);
        if (node == NULL || !ride_message_is(node->op, "Reshape") || !ride_onnx_input(node, 0, &name))
            return ride_onnx_finding(file, joined, NULL, "only answers of models are averaged");
        RIDE_TRY(add_term(v, (term){.answer = name, .block = node, .weight = 1.0}));
    }
    return RIDE_OK;
}

static ride_status check_block(onnx_chain *c, const onnx_node *reshape) {
    const int64_t columns = c->is_pair || c->is_second ? 2 : c->width;
    ride_message name;
    onnx_ints form;
    if (!ride_onnx_input(reshape, 1, &name))
        return ride_onnx_finding(&c->file, reshape, NULL, "a constant shape was expected");
    RIDE_TRY(ride_onnx_constant_ints(&c->file, reshape, name, &form));
    if (form.count != 3 || form.at[0] != 1 || form.at[1] != -1 || form.at[2] != columns)
        return ride_onnx_finding(&c->file, reshape, NULL, "shape: [1, -1, %lld] was expected before a mean of models",
                                 (long long)columns);
    c->is_flat = false;
    return RIDE_OK;
}

static ride_status read_member(votes *v, uint32_t m, ride_ensemble *e) {
    const ride_model_reader *outer = v->chain->file.reader;
    ride_model_member *member = &e->members[m];
    char path[400], name[16];
    snprintf(path, sizeof path, "%.300s, model %u of a mean", outer->path, m + 1);
    snprintf(name, sizeof name, "model%u", m + 1);
    ride_model_reader reader = *outer;
    reader.path = path;
    reader.model = ride_arena_new(e->arena, ride_model, 1);
    *member = (ride_model_member){.name = ride_arena_text(e->arena, name, strlen(name)),
                                  .weight = v->terms[m].weight,
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
    const term *one = &v->terms[m];
    onnx_chain c = *v->chain;
    c.file.reader = &reader;
    ride_status st = ride_onnx_read_chain(&c, one->answer);
    if (st == RIDE_OK && one->block != NULL) st = check_block(&c, one->block);
    if (st == RIDE_OK && one->joined.at != NULL) st = check_forms(&c, one->joined);
    model->arena = NULL; /* the ensemble's */
    v->last = c;
    v->last.file = v->chain->file;
    if (st == RIDE_OK) member->model = model;
    return st;
}

static bool has_two(const onnx_chain *c) { return c->is_pair || c->is_second; }

static ride_status read_members(votes *v, ride_ensemble *e) {
    onnx_chain first = {0};
    for (uint32_t m = 0; m < v->count; m++) {
        RIDE_TRY(read_member(v, m, e));
        if (m == 0) first = v->last;
        const ride_model *model = e->members[m].model, *one = e->members[0].model;
        if (has_two(&v->last) != has_two(&first) || model->outputs_count != one->outputs_count ||
            model->inputs_count != one->inputs_count)
            return ride_onnx_finding(&v->chain->file, v->node, "export it with a fixed number of columns",
                                     "models of %u inputs and %u outputs, and of %u and %u", one->inputs_count,
                                     one->outputs_count, model->inputs_count, model->outputs_count);
        if (v->last.is_flat != first.is_flat)
            return ride_onnx_finding(&v->chain->file, v->node, NULL, "answers of [rows] and of [rows, 1]");
    }
    return RIDE_OK;
}

ride_status ride_onnx_votes(onnx_chain *c, ride_message output, bool *is_one) {
    ride_model_reader *reader = c->file.reader;
    votes v = {.chain = c};
    ride_ensemble *e = NULL;
    RIDE_TRY(giver(c, output, &v.node));
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
    if (st == RIDE_OK) st = check_forms(&v.last, output);
    if (st == RIDE_OK) st = ride_ensemble_finish(e, NULL, 0, reader->findings);
    if (st == RIDE_OK) *reader->ensemble = e;
    else ride_ensemble_destroy(e);
    return st;
}
