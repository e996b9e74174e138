/* models/onnx_front.c: what is done to parts of a row before the model reads it, as exporters write a ColumnTransformer: some columns are chosen, scaled and
 * imputed by themselves, and a Concat joins them. Each operator works on one column at a time, so the whole is a choice of columns and then steps over all of
 * them, in which the columns of the other parts are left as they are, to the bit. A part may have parts. */
#include "models/onnx_chain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 8 };

/* A step over all columns of a part. */
typedef struct layer {
    ride_step_kind kind;
    const double *a, *b; /* a number for each column; b may be NULL */
} layer;

typedef struct part {
    uint32_t *inputs; /* of the model, for each column */
    uint32_t width;
    layer *layers;
    uint32_t layers_count;
} part;

typedef struct front {
    onnx_chain *chain;
    onnx_link *links[DEPTH_MAX];
    ride_forest_number number; /* of all columns; 0: not known yet */
    bool is_one;               /* the graph has one input, whose columns are the model's */
    uint32_t *id_of;           /* else, of each graph input: 1 + the model's input, or 0 */
    const onnx_node *node;     /* the Concat, for findings */
} front;

static ride_status no_memory(const front *f) {
    return ride_onnx_finding(&f->chain->file, f->node, NULL, "no memory for its parts");
}

/* ---- where columns come from ---- */

static ride_status take_number(front *f, const onnx_value *source) {
    const ride_forest_number number = source->element == ONNX_DOUBLE ? RIDE_FOREST_F64 : RIDE_FOREST_F32;
    if (f->number != 0 && f->number != number)
        return ride_onnx_finding(&f->chain->file, f->node, "export it with inputs of one type",
                                 "it joins columns of floats and of doubles");
    f->number = number;
    return RIDE_OK;
}

/* A graph input of one column; where it is met first it becomes the model's next input. */
static ride_status take_named(front *f, const onnx_value *source, uint32_t *out) {
    ride_model *model = f->chain->file.reader->model;
    uint32_t columns;
    RIDE_TRY(take_number(f, source));
    RIDE_TRY(ride_onnx_columns(&f->chain->file, *source, &columns));
    if (columns != 1 || ride_message_bytes(source->name) == 0 ||
        memchr(source->name.at, 0, ride_message_bytes(source->name)) != NULL)
        return ride_onnx_finding(&f->chain->file, f->node, "export it with one input of all columns, or one for each",
                                 "of several inputs of the graph one has not one column, or no name");
    if (f->id_of[source->index] == 0) {
        const char *name =
            ride_arena_text(model->arena, (const char *)source->name.at, ride_message_bytes(source->name));
        if (name == NULL) return no_memory(f);
        model->inputs[model->inputs_count].name = name;
        f->id_of[source->index] = ++model->inputs_count;
    }
    *out = f->id_of[source->index] - 1;
    return RIDE_OK;
}

static ride_status take_all(front *f, const onnx_value *source, part *out) {
    ride_model *model = f->chain->file.reader->model;
    uint32_t columns;
    RIDE_TRY(take_number(f, source));
    RIDE_TRY(ride_onnx_columns(&f->chain->file, *source, &columns));
    if (columns == 0)
        return ride_onnx_finding(&f->chain->file, f->node, "export it with a fixed number of columns",
                                 "nothing says how many columns the input has");
    if (model->inputs == NULL) {
        model->inputs = ride_arena_new(model->arena, ride_model_input, columns);
        model->inputs_count = columns;
    }
    out->inputs = ride_arena_new(f->chain->file.values, uint32_t, columns);
    if (model->inputs == NULL || out->inputs == NULL) return no_memory(f);
    for (uint32_t i = 0; i < columns; i++) out->inputs[i] = i;
    out->width = columns;
    return RIDE_OK;
}

/* A graph input, or the Concat of some. */
static ride_status take_source(front *f, const onnx_value *source, const onnx_node *joined, part *out) {
    if (joined == NULL && f->is_one) return take_all(f, source, out);
    const uint32_t count = joined != NULL ? joined->inputs_count : 1;
    if (f->is_one)
        return ride_onnx_finding(&f->chain->file, joined, NULL, "it joins the graph's one input with itself");
    out->inputs = ride_arena_new(f->chain->file.values, uint32_t, (size_t)count + 1);
    if (out->inputs == NULL) return no_memory(f);
    for (uint32_t i = 0; i < count; i++) {
        onnx_value one = source != NULL ? *source : (onnx_value){0};
        ride_message name;
        if (joined != NULL && (!ride_onnx_input(joined, i, &name) || !ride_onnx_graph_input(f->chain, name, &one)))
            return ride_onnx_finding(&f->chain->file, joined, NULL, "it joins what is no input of the graph");
        RIDE_TRY(take_named(f, &one, &out->inputs[i]));
    }
    out->width = count;
    return RIDE_OK;
}

/* ---- a part's own steps ---- */

static ride_status choose(const front *f, part *p, const ride_model_step *step) {
    ride_arena *arena = f->chain->file.values;
    uint32_t *inputs = ride_arena_new(arena, uint32_t, step->outputs);
    if (inputs == NULL) return no_memory(f);
    for (uint32_t i = 0; i < step->outputs; i++) inputs[i] = p->inputs[step->columns[i]];
    for (uint32_t k = 0; k < p->layers_count; k++) {
        const double **lists[] = {&p->layers[k].a, &p->layers[k].b};
        for (int n = 0; n < 2; n++) {
            if (*lists[n] == NULL) continue;
            double *to = ride_arena_new(arena, double, step->outputs);
            if (to == NULL) return no_memory(f);
            for (uint32_t i = 0; i < step->outputs; i++) to[i] = (*lists[n])[step->columns[i]];
            *lists[n] = to;
        }
    }
    p->inputs = inputs;
    p->width = step->outputs;
    return RIDE_OK;
}

static ride_status add_steps(const front *f, const onnx_chain *sub, const onnx_node *node, part *p) {
    layer *layers = ride_arena_new(f->chain->file.values, layer, (size_t)p->layers_count + sub->steps_count + 1);
    if (layers == NULL) return no_memory(f);
    if (p->layers_count > 0) memcpy(layers, p->layers, p->layers_count * sizeof *layers);
    p->layers = layers;
    for (uint32_t k = 0; k < sub->steps_count; k++) {
        const ride_model_step *step = &sub->steps[k];
        if (step->number != f->number)
            return ride_onnx_finding(&f->chain->file, node, "export it with float inputs",
                                     "a part of the row that changes between floats and doubles");
        if (step->kind == RIDE_STEP_SELECT) RIDE_TRY(choose(f, p, step));
        else if (step->kind == RIDE_STEP_IMPUTE && step->b != NULL) /* the columns beside it would be imputed, too */
            return ride_onnx_finding(&f->chain->file, node, "impute the whole row, or export it with NaN",
                                     "in a part of the row an imputer of another value than NaN is not read");
        else if (step->kind <= RIDE_STEP_SCALE_SHIFT)
            p->layers[p->layers_count++] = (layer){step->kind, step->a, step->b};
        else
            return ride_onnx_finding(&f->chain->file, node,
                                     "export the parts by themselves, and join them in an ensemble",
                                     "in a part of the row only choices of columns, scalers and imputers are read");
    }
    if (sub->number != f->number)
        return ride_onnx_finding(&f->chain->file, node, "export it with float inputs",
                                 "a part of the row that changes between floats and doubles");
    return RIDE_OK;
}

/* ---- parts side by side ---- */

/* What leaves x as it is, -0 and NaN included. */
static double nothing(ride_step_kind kind, bool is_b) {
    if (kind == RIDE_STEP_IMPUTE) return (double)NAN;
    if (kind == RIDE_STEP_SCALE_SHIFT) return is_b ? -0.0 : 1.0;
    return is_b ? 1.0 : 0.0;
}

static ride_status join_layer(const front *f, const part *parts, uint32_t count, uint32_t *at, ride_step_kind kind,
                              part *out) {
    ride_arena *arena = f->chain->file.reader->model->arena;
    layer *to = &out->layers[out->layers_count++];
    double *a = ride_arena_new(arena, double, out->width), *b = ride_arena_new(arena, double, out->width);
    if (a == NULL || b == NULL) return no_memory(f);
    *to = (layer){kind, a, kind == RIDE_STEP_IMPUTE ? NULL : b};
    for (uint32_t p = 0, column = 0; p < count; p++) {
        const layer *from = at[p] < parts[p].layers_count ? &parts[p].layers[at[p]] : NULL;
        if (from != NULL && from->kind != kind) from = NULL;
        at[p] += from != NULL;
        for (uint32_t i = 0; i < parts[p].width; i++, column++) {
            a[column] = from != NULL ? from->a[i] : nothing(kind, false);
            b[column] = from != NULL && from->b != NULL ? from->b[i] : nothing(kind, true);
        }
    }
    return RIDE_OK;
}

static ride_status check_width(const front *f, uint64_t width) {
    return width <= RIDE_NETWORK_WIDTH_MAX
               ? RIDE_OK
               : ride_onnx_finding(&f->chain->file, f->node, NULL, "it joins %llu columns or more, at most %d",
                                   (unsigned long long)width, RIDE_NETWORK_WIDTH_MAX);
}

static ride_status join(const front *f, const part *parts, uint32_t count, part *out) {
    ride_arena *arena = f->chain->file.values;
    uint64_t width = 0, layers = 0;
    for (uint32_t p = 0; p < count; p++) width += parts[p].width, layers += parts[p].layers_count;
    if (layers > RIDE_NETWORK_STEPS_MAX)
        return ride_onnx_finding(&f->chain->file, f->node, NULL, "its parts have %llu steps together, at most %d",
                                 (unsigned long long)layers, RIDE_NETWORK_STEPS_MAX);
    uint32_t *at = ride_arena_new(arena, uint32_t, (size_t)count + 1);
    *out = (part){.inputs = ride_arena_new(arena, uint32_t, width + 1),
                  .width = (uint32_t)width,
                  .layers = ride_arena_new(arena, layer, layers + 1)};
    if (at == NULL || out->inputs == NULL || out->layers == NULL) return no_memory(f);
    for (uint32_t p = 0, column = 0; p < count; p++)
        for (uint32_t i = 0; i < parts[p].width; i++) out->inputs[column++] = parts[p].inputs[i];
    for (uint32_t p = 0; p < count;) {
        if (at[p] == parts[p].layers_count) p++;
        else RIDE_TRY(join_layer(f, parts, count, at, parts[p].layers[at[p]].kind, out));
    }
    return RIDE_OK;
}

/* ---- a value of the graph as a part ---- */

static ride_status read_concat(front *f, const onnx_node *node, uint32_t depth, part *out);

static ride_status read_value(front *f, ride_message name, uint32_t depth, part *out) {
    onnx_chain *c = f->chain,
               sub = {.file = c->file, .inputs = c->inputs, .inputs_count = c->inputs_count, .budget = c->budget};
    onnx_value source;
    const onnx_node *joined;
    bool has_parts;
    *out = (part){0};
    if (depth == DEPTH_MAX) return ride_onnx_finding(&c->file, f->node, NULL, "parts of parts, %d deep", DEPTH_MAX);
    if (f->links[depth] == NULL)
        f->links[depth] = ride_arena_new(c->file.values, onnx_link, (size_t)c->file.nodes_count + 1);
    if ((sub.links = f->links[depth]) == NULL) return no_memory(f);
    RIDE_TRY(ride_onnx_walk_back(&sub, name, &source, &joined, &has_parts));
    if (has_parts) RIDE_TRY(read_concat(f, joined, depth + 1, out));
    else RIDE_TRY(take_source(f, joined != NULL ? NULL : &source, joined, out));
    sub.number = f->number;
    sub.width = out->width;
    sub.steps_room = sub.links_count + 1;
    sub.steps = ride_arena_new(c->file.values, ride_model_step, sub.steps_room);
    if (sub.steps == NULL) return no_memory(f);
    for (uint32_t i = 0; i < sub.links_count; i++) {
        if (sub.links[i].output != 0)
            return ride_onnx_finding(&c->file, sub.links[i].node,
                                     "export the models by themselves, and join them by `combine: stack`",
                                     "another model reads its answers, which is not read here");
        RIDE_TRY(ride_onnx_step(&sub, &sub.links[i]));
    }
    return add_steps(f, &sub, f->node, out);
}

static ride_status read_concat(front *f, const onnx_node *node, uint32_t depth, part *out) {
    part *parts = ride_arena_new(f->chain->file.values, part, (size_t)node->inputs_count + 1);
    uint64_t width = 0;
    int64_t axis;
    f->node = node;
    RIDE_TRY(ride_onnx_int(&f->chain->file, node, "axis", 1, &axis));
    if (axis != 1 && axis != -1) return ride_onnx_finding(&f->chain->file, node, NULL, "axis: only columns are joined");
    if (parts == NULL) return no_memory(f);
    for (uint32_t i = 0; i < node->inputs_count; i++) {
        RIDE_TRY(read_value(f, node->inputs[i], depth, &parts[i]));
        f->node = node;
        RIDE_TRY(check_width(f, width += parts[i].width)); /* before so many are read again */
    }
    return join(f, parts, node->inputs_count, out);
}

ride_status ride_onnx_front(onnx_chain *c, const onnx_node *node, uint32_t steps_behind) {
    ride_model *model = c->file.reader->model;
    front f = {.chain = c, .node = node};
    part all;
    uint32_t inputs = 0;
    for (uint32_t i = 0; i < c->inputs_count; i++) inputs += !ride_onnx_is_constant(&c->file, c->inputs[i].name);
    f.is_one = inputs == 1;
    if (!f.is_one) {
        f.id_of = ride_arena_new(c->file.values, uint32_t, (size_t)c->inputs_count + 1);
        model->inputs = ride_arena_new(model->arena, ride_model_input, (size_t)c->inputs_count + 1);
        if (f.id_of == NULL || model->inputs == NULL) return no_memory(&f);
        model->has_names = true;
    }
    RIDE_TRY(read_concat(&f, node, 0, &all));
    c->number = f.number;
    c->width = all.width;
    c->steps_room = all.layers_count + steps_behind + 2;
    c->steps = ride_arena_new(model->arena, ride_model_step, c->steps_room);
    uint32_t *columns = ride_arena_new(model->arena, uint32_t, all.width);
    if (c->steps == NULL || columns == NULL) return no_memory(&f);
    memcpy(columns, all.inputs, all.width * sizeof *columns);
    c->steps[c->steps_count++] = (ride_model_step){.kind = RIDE_STEP_SELECT,
                                                   .number = f.number,
                                                   .inputs = model->inputs_count,
                                                   .outputs = all.width,
                                                   .columns = columns};
    for (uint32_t k = 0; k < all.layers_count; k++)
        c->steps[c->steps_count++] = (ride_model_step){.kind = all.layers[k].kind,
                                                       .number = f.number,
                                                       .inputs = all.width,
                                                       .outputs = all.width,
                                                       .a = all.layers[k].a,
                                                       .b = all.layers[k].b};
    c->is_rounded = true;
    return model->has_names ? ride_model_check_names(c->file.reader, "graph") : RIDE_OK;
}
