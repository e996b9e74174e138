/* tests/conformance/random_ensemble.h: random ensembles, straight from the structs of the layout: networks of all steps, forests, forests behind
 * networks, all combinations and calibrations. One case is a function of its seed. */
#ifndef RIDE_TESTS_RANDOM_ENSEMBLE_H
#define RIDE_TESTS_RANDOM_ENSEMBLE_H
#include "kernels/row/ensemble.h"
#include "random_model.h"

enum { ENSEMBLE_MEMBERS_MAX = 6, ENSEMBLE_INPUTS_MAX = 10, ENSEMBLE_PART_BYTES = 1 << 20 };

/* A section so far. */
typedef struct ensemble_part {
    uint8_t *data;
    size_t bytes;
} ensemble_part;

typedef struct random_ensemble {
    ensemble_part parts[RIDE_SECTION_LIMIT];
    ensemble_part base_margins;
    uint32_t forests_count, networks_count, inputs_count, answers_count;
    ride_ensemble_header header;
    random_plan *scratch; /* where trees are made */
} random_ensemble;

static inline void *ensemble_add(ensemble_part *part, size_t bytes) {
    if (part->data == NULL) part->data = calloc(1, ENSEMBLE_PART_BYTES);
    RIDE_ASSERT(part->data != NULL && part->bytes + bytes <= ENSEMBLE_PART_BYTES);
    part->bytes += bytes;
    return part->data + part->bytes - bytes;
}
#define ENSEMBLE_ADD(e, section, type, count)                                                                          \
    ((type *)ensemble_add(&(e)->parts[RIDE_SECTION_##section], (count) * sizeof(type)))

static inline uint32_t ensemble_number(rnd *r) { return rnd_one_in(r, 2) ? RIDE_FOREST_F32 : RIDE_FOREST_F64; }

static inline void ensemble_numbers(rnd *r, random_ensemble *e, uint32_t number, size_t count, int is_divisor) {
    double *to = ENSEMBLE_ADD(e, NETWORK_NUMBERS, double, count);
    for (size_t i = 0; i < count; i++) {
        to[i] = model_number(r, number);
        if (is_divisor && to[i] == 0.0) to[i] = 1.0;
    }
}

static inline uint32_t ensemble_step(rnd *r, random_ensemble *e, ride_network_header *h, uint32_t width,
                                     uint32_t outputs) {
    ride_network_step step = {.kind = 1 + rnd_below(r, RIDE_STEPS - 1),
                              .number = ensemble_number(r),
                              .inputs = width,
                              .outputs = width};
    if (rnd_one_in(r, 2) || outputs > 0) step.kind = RIDE_STEP_DENSE;
    if (step.kind == RIDE_STEP_DENSE) {
        step.outputs = outputs > 0 ? outputs : 1 + rnd_below(r, rnd_one_in(r, 4) ? 40 : 9);
        step.has_b = !rnd_one_in(r, 4);
        step.activation = rnd_below(r, RIDE_ACTIVATIONS);
    } else if (step.kind == RIDE_STEP_SELECT) {
        step.outputs = 1 + rnd_below(r, 2 * width);
        step.columns_first = h->columns_count;
        uint32_t *to = ENSEMBLE_ADD(e, NETWORK_COLUMNS, uint32_t, step.outputs);
        for (uint32_t i = 0; i < step.outputs; i++) to[i] = rnd_below(r, width);
        h->columns_count += step.outputs;
    } else if (step.kind == RIDE_STEP_IMPUTE) step.has_b = rnd_one_in(r, 2);
    else if (step.kind <= RIDE_STEP_SCALE_SHIFT) step.has_b = 1;
    const size_t a = ride_step_a_count(&step), b = ride_step_b_count(&step);
    step.a_first = a > 0 ? h->numbers_count : 0;
    ensemble_numbers(r, e, step.number, a, 0);
    step.b_first = b > 0 ? h->numbers_count + (uint32_t)a : 0;
    ensemble_numbers(r, e, step.number, b, step.kind == RIDE_STEP_SHIFT_DIVIDE);
    h->numbers_count += (uint32_t)(a + b);
    *ENSEMBLE_ADD(e, NETWORK_STEPS, ride_network_step, 1) = step;
    if (step.outputs > h->width_max) h->width_max = step.outputs;
    return step.outputs;
}

static inline uint32_t ensemble_link(rnd *r, uint32_t number, uint32_t outputs, double *scale) {
    static const uint32_t of_all[] = {RIDE_FOREST_LINK_NONE, RIDE_FOREST_LINK_SIGMOID, RIDE_FOREST_LINK_PROBIT,
                                      RIDE_FOREST_LINK_STEP};
    static const uint32_t of_doubles[] = {RIDE_FOREST_LINK_LOGISTIC, RIDE_FOREST_LINK_EXP,
                                          RIDE_FOREST_LINK_SIGNED_SQUARE, RIDE_FOREST_LINK_SOFTPLUS,
                                          RIDE_FOREST_LINK_ISOLATION};
    *scale = 0.0;
    if (outputs > 1) return rnd_one_in(r, 2) ? RIDE_FOREST_LINK_SOFTMAX : RIDE_FOREST_LINK_SOFTMAX_ZERO;
    if (number == RIDE_FOREST_F32 || rnd_one_in(r, 2)) return RND_PICK(r, of_all);
    const uint32_t link = RND_PICK(r, of_doubles);
    if (link == RIDE_FOREST_LINK_LOGISTIC || link == RIDE_FOREST_LINK_ISOLATION) *scale = 0.5 + rnd_below(r, 3);
    return link;
}

/* What feeds the inputs of a member: of the stacker answers too. */
static inline void ensemble_inputs(rnd *r, const random_ensemble *e, uint32_t *to, uint32_t count, int is_stacker) {
    for (uint32_t i = 0; i < count; i++) to[i] = rnd_below(r, e->inputs_count + (is_stacker ? e->answers_count : 0));
}

/* Returns its outputs: `outputs`, or any number when that is 0. */
static inline uint32_t ensemble_network(rnd *r, random_ensemble *e, uint32_t outputs, int is_stacker) {
    ride_network_header h = {.network_version = RIDE_NETWORK_VERSION,
                             .inputs_count = 1 + rnd_below(r, ENSEMBLE_INPUTS_MAX),
                             .number = ensemble_number(r),
                             .link = RIDE_FOREST_LINK_NONE};
    uint32_t width = h.width_max = h.inputs_count, steps = rnd_below(r, 5);
    for (uint32_t i = 0; i < steps || (h.steps_count == 0 && outputs == 0); i++, h.steps_count++)
        width = ensemble_step(r, e, &h, width, 0);
    if (outputs > 0) {
        width = ensemble_step(r, e, &h, width, outputs);
        h.steps_count++;
        h.link = ensemble_link(r, h.number, outputs, &h.link_scale);
        if (rnd_one_in(r, 4)) h.mean_of = 3;
    }
    h.outputs_count = width;
    ensemble_inputs(r, e, ENSEMBLE_ADD(e, NETWORK_INPUTS, uint32_t, h.inputs_count), h.inputs_count, is_stacker);
    *ENSEMBLE_ADD(e, NETWORK, ride_network_header, 1) = h;
    e->networks_count++;
    return width;
}

static inline void ensemble_forest(rnd *r, random_ensemble *e, uint32_t behind, uint32_t outputs, int is_stacker) {
    random_plan *p = e->scratch;
    ride_forest_header *h = &p->forest.header;
    memset(&p->forest, 0, sizeof p->forest);
    p->vector_count = 1;
    model_forest(r, p);
    if (behind > 0) {
        h->inputs_count = behind;
        h->flags |= RIDE_FOREST_BEHIND_NETWORK;
        h->nodes_count = h->depth_max = 0;
        for (uint32_t t = 0; t < h->trees_count; t++) {
            h->nodes_count += model_tree(r, p, h->nodes_count, &p->trees[t]);
            if (p->trees[t].depth > h->depth_max) h->depth_max = p->trees[t].depth;
        }
        model_lines(r, p);
    }
    h->outputs_count = outputs;
    h->link = ensemble_link(r, h->sum_number, outputs, &h->link_scale);
    for (uint32_t t = 0; t < h->trees_count; t++) p->trees[t].output = rnd_below(r, outputs);
    for (uint32_t o = 0; o < outputs; o++)
        *(double *)ensemble_add(&e->base_margins, sizeof(double)) = model_number(r, h->sum_number);
    memcpy(ENSEMBLE_ADD(e, FOREST_TREES, ride_forest_tree, h->trees_count), p->trees,
           h->trees_count * sizeof *p->trees);
    memcpy(ENSEMBLE_ADD(e, FOREST_NODES, ride_forest_node, h->nodes_count), p->nodes,
           h->nodes_count * sizeof *p->nodes);
    memcpy(ENSEMBLE_ADD(e, FOREST_CATEGORIES, uint32_t, h->category_words_count), p->category_words,
           h->category_words_count * sizeof *p->category_words);
    memcpy(ENSEMBLE_ADD(e, FOREST_LEAVES, ride_forest_line, h->lines_count), p->lines,
           h->lines_count * sizeof *p->lines);
    memcpy(ENSEMBLE_ADD(e, FOREST_TERMS, ride_forest_term, h->terms_count), p->terms,
           h->terms_count * sizeof *p->terms);
    if (behind == 0)
        ensemble_inputs(r, e, ENSEMBLE_ADD(e, FOREST_INPUTS, uint32_t, h->inputs_count), h->inputs_count, is_stacker);
    *ENSEMBLE_ADD(e, FOREST, ride_forest_header, 1) = *h;
    e->forests_count++;
}

static inline ride_calibration ensemble_curve(rnd *r, random_ensemble *e) {
    ride_calibration curve = {.kind = RIDE_CALIBRATION_CURVE,
                              .first = (uint32_t)(e->parts[RIDE_SECTION_ENSEMBLE_NUMBERS].bytes / sizeof(double)),
                              .points_count = 1 + rnd_below(r, 7)};
    double *to = ENSEMBLE_ADD(e, ENSEMBLE_NUMBERS, double, 2 * curve.points_count), x = -0.5;
    for (uint32_t i = 0; i < curve.points_count; i++) {
        to[i] = x;
        to[curve.points_count + i] = rnd_below(r, 100) / 100.0;
        x += rnd_below(r, 4) * 0.25; /* some twice */
    }
    return curve;
}

static inline ride_calibration ensemble_calibration(rnd *r, random_ensemble *e) {
    ride_calibration c = {.kind = RIDE_CALIBRATION_NONE};
    if (rnd_one_in(r, 2)) return c;
    if (rnd_one_in(r, 2)) c = ensemble_curve(r, e);
    else
        c = (ride_calibration){.kind = RIDE_CALIBRATION_PLATT,
                               .a = -(double)rnd_below(r, 300) / 100.0,
                               .b = (double)rnd_below(r, 200) / 100.0 - 1.0};
    c.of_margin = rnd_below(r, 2);
    return c;
}

static inline void ensemble_member(rnd *r, random_ensemble *e, uint32_t outputs, int is_stacker) {
    ride_ensemble_member m = {.network = RIDE_NO_PART,
                              .forest = RIDE_NO_PART,
                              .weight = (1 + rnd_below(r, 8)) / 3.0,
                              .threshold = rnd_below(r, 10) / 10.0};
    const uint32_t kind = rnd_below(r, 3);
    uint32_t behind = 0;
    if (kind != 0) {
        m.network = e->networks_count;
        behind = ensemble_network(r, e, kind == 1 ? outputs : 0, is_stacker);
    }
    if (kind != 1) {
        m.forest = e->forests_count;
        ensemble_forest(r, e, behind, outputs, is_stacker);
    }
    if (outputs == 1) m.calibration = ensemble_calibration(r, e);
    if (e->header.combine == RIDE_COMBINE_RANK_MEAN && !is_stacker) m.rank = ensemble_curve(r, e);
    if (!is_stacker) e->answers_count += outputs;
    *ENSEMBLE_ADD(e, ENSEMBLE_MEMBERS, ride_ensemble_member, 1) = m;
}

static inline void ensemble_segments(rnd *r, random_ensemble *e) {
    ride_ensemble_header *h = &e->header;
    h->segment_input = rnd_below(r, e->inputs_count);
    h->segments_first = (uint32_t)(e->parts[RIDE_SECTION_ENSEMBLE_NUMBERS].bytes / sizeof(double));
    h->segments_count = rnd_below(r, 5);
    h->segment_otherwise = rnd_below(r, h->members_count);
    double *to = ENSEMBLE_ADD(e, ENSEMBLE_NUMBERS, double, 2 * h->segments_count), value = 0.0;
    for (uint32_t i = 0; i < h->segments_count; i++) {
        to[i] = value;
        to[h->segments_count + i] = rnd_below(r, h->members_count);
        value += 1 + rnd_below(r, 2);
    }
}

/* inputs_count: of the rows. outputs_max: of the result. */
static inline random_ensemble *random_ensemble_make(uint64_t seed, uint32_t inputs_count, uint32_t outputs_max) {
    rnd random = {seed ^ 0x656e73}, *r = &random;
    random_ensemble *e = calloc(1, sizeof *e);
    RIDE_ASSERT(e != NULL && (e->scratch = calloc(1, sizeof *e->scratch)) != NULL);
    ride_ensemble_header *h = &e->header;
    e->inputs_count = inputs_count;
    *h = (ride_ensemble_header){.ensemble_version = RIDE_ENSEMBLE_VERSION,
                                .inputs_count = inputs_count,
                                .combine = 1 + rnd_below(r, RIDE_COMBINES - 1),
                                .members_count = 1 + rnd_below(r, ENSEMBLE_MEMBERS_MAX),
                                .outputs_count = 1};
    const int may_have_several =
        h->combine <= RIDE_COMBINE_MEAN || h->combine == RIDE_COMBINE_VOTE || h->combine == RIDE_COMBINE_STACK;
    if (may_have_several && rnd_one_in(r, 2)) h->outputs_count = 1 + rnd_below(r, outputs_max);
    if (h->combine == RIDE_COMBINE_ONE) h->members_count = 1;
    if (h->combine == RIDE_COMBINE_CASCADE) {
        h->members_count += h->members_count == 1;
        h->low = rnd_below(r, 10) / 10.0 - 0.3;
        h->high = h->low + rnd_below(r, 8) / 10.0;
    }
    h->has_stacker = h->combine == RIDE_COMBINE_STACK;
    for (uint32_t m = 0; m < h->members_count; m++)
        ensemble_member(r, e, h->has_stacker ? 1 + rnd_below(r, 3) : h->outputs_count, 0);
    if (h->has_stacker) ensemble_member(r, e, h->outputs_count, 1);
    const ride_ensemble_member *members = (const void *)e->parts[RIDE_SECTION_ENSEMBLE_MEMBERS].data;
    for (uint32_t m = h->combine == RIDE_COMBINE_CASCADE; m < h->members_count; m++)
        h->weights_sum += members[m].weight;
    if (h->outputs_count == 1) h->calibration = ensemble_calibration(r, e);
    if (h->combine == RIDE_COMBINE_SEGMENT) ensemble_segments(r, e);
    h->answers_count = e->answers_count;
    h->numbers_count = (uint32_t)(e->parts[RIDE_SECTION_ENSEMBLE_NUMBERS].bytes / sizeof(double));
    *ENSEMBLE_ADD(e, ENSEMBLE, ride_ensemble_header, 1) = *h;
    for (uint32_t i = 0; i < e->forests_count; i++)
        ((ride_forest_header *)(void *)e->parts[RIDE_SECTION_FOREST].data)[i].forests_count = e->forests_count;
    for (uint32_t i = 0; i < e->networks_count; i++)
        ((ride_network_header *)(void *)e->parts[RIDE_SECTION_NETWORK].data)[i].networks_count = e->networks_count;
    if (e->forests_count > 0)
        memcpy(ensemble_add(&e->parts[RIDE_SECTION_FOREST], e->base_margins.bytes), e->base_margins.data,
               e->base_margins.bytes);
    return e;
}

/* As the model of a bundle under way (random_plan.model_add). */
static inline void random_ensemble_add(const void *context, ride_bundle_builder *builder) {
    const random_ensemble *e = context;
    ride_error err = {0};
    for (uint32_t s = 1; s < RIDE_SECTION_LIMIT; s++)
        if (e->parts[s].bytes > 0)
            RIDE_ASSERT(ride_bundle_builder_add(builder, s, e->parts[s].data, e->parts[s].bytes, &err) == RIDE_OK);
}

static inline void random_ensemble_free(random_ensemble *e) {
    for (uint32_t s = 0; s < RIDE_SECTION_LIMIT; s++) free(e->parts[s].data);
    free(e->base_margins.data);
    free(e->scratch);
    free(e);
}

#endif
