/* tests/conformance/random_model.h: what follows the features of a random plan: the vector, a random forest over it, rules over
 * features, score and event; and all of it, with a profile, as a bundle. */
#ifndef RIDE_TESTS_RANDOM_MODEL_H
#define RIDE_TESTS_RANDOM_MODEL_H
#include "random_profile.h"

static inline void model_vector(rnd *r, random_plan *p) {
    static const plan_field numbers[] = {FIELD_AMOUNT, FIELD_COUNT, FIELD_WIDE, FIELD_BOOL, FIELD_REAL, FIELD_CATEGORY};
    p->vector_count = 1 + rnd_below(r, PLAN_VECTOR_MAX);
    for (uint32_t i = 0; i < p->vector_count; i++) {
        ride_plan_vector *v = &p->vector[i];
        v->is_feature = p->features_count > 0 && !rnd_one_in(r, 3);
        v->index = v->is_feature ? rnd_below(r, p->features_count) : plan_column(p, RND_PICK(r, numbers));
        if (!v->is_feature && rnd_one_in(r, 8)) v->index = RIDE_COLUMN_TIME;
    }
}

static inline double model_number(rnd *r, uint32_t number) {
    const double x = ((double)rnd_below(r, 2000000) - 1000000) / 700000.0;
    return number == RIDE_FOREST_F32 ? (double)(float)x : x;
}

/* One tree, breadth first from p->nodes[first] on; returns its nodes. */
static inline uint32_t model_tree(rnd *r, random_plan *p, uint32_t first, ride_forest_tree *tree) {
    static const double thresholds[] = {0.0, 1.0, 2.5, 0.1, -1.0, 3.0, 60.0, 5000.0, 1e15, INFINITY, 5e-324, 1e-40};
    const ride_forest_header *h = &p->forest.header;
    uint32_t count = 1, level_end = 1;
    *tree = (ride_forest_tree){.nodes_first = first};
    for (uint32_t i = 0; i < count; i++) {
        ride_forest_node *node = &p->nodes[first + i];
        if (i == level_end) level_end = count, tree->depth++;
        *node = (ride_forest_node){.u.leaf = model_number(r, h->sum_number), .input = RIDE_NODE_LEAF};
        if (tree->depth >= 4 || count + 2 > PLAN_TREE_NODES_MAX || (i > 0 && rnd_one_in(r, 3))) continue;
        *node = (ride_forest_node){.u.threshold = RND_PICK(r, thresholds),
                                   .input = rnd_below(r, h->inputs_count),
                                   .left = count};
        if (rnd_one_in(r, 2)) node->input |= RIDE_NODE_DEFAULT_LEFT;
        if (rnd_one_in(r, 5)) {
            const uint32_t words = rnd_below(r, 3);
            node->input |= RIDE_NODE_SET | (rnd_one_in(r, 2) ? RIDE_NODE_SET_LEFT : 0);
            if (rnd_one_in(r, 3)) node->input |= RIDE_NODE_SET_FROM_MINUS_1;
            node->u.set = (ride_forest_set){rnd_below(r, 2), words};
        } else if (rnd_one_in(r, 8)) node->input |= RIDE_NODE_ZERO_MISSING;
        else if (rnd_one_in(r, 16)) node->input |= RIDE_NODE_ONLY_MISSING;
        count += 2;
    }
    tree->nodes_count = count;
    return count;
}

/* Terms for some leaves of some forests; the trees are there. */
static inline void model_lines(rnd *r, random_plan *p) {
    ride_forest_header *h = &p->forest.header;
    h->lines_count = h->terms_count = 0;
    if (h->input_number != RIDE_FOREST_F64 || h->sum_number != RIDE_FOREST_F64 || h->aggregate != RIDE_FOREST_SUM ||
        !rnd_one_in(r, 3))
        return;
    for (uint32_t i = 0; i < h->nodes_count; i++) {
        if ((p->nodes[i].input & RIDE_NODE_LEAF) == 0 || rnd_one_in(r, 3)) continue;
        ride_forest_line *line = &p->lines[h->lines_count++];
        *line = (ride_forest_line){model_number(r, RIDE_FOREST_F64), h->terms_count, rnd_below(r, 4)};
        for (uint32_t k = 0; k < line->terms_count; k++)
            p->terms[h->terms_count++] = (ride_forest_term){.coefficient = model_number(r, RIDE_FOREST_F64),
                                                            .input = rnd_below(r, h->inputs_count)};
        p->nodes[i].left = h->lines_count;
    }
}

static inline void model_forest(rnd *r, random_plan *p) {
    ride_forest_header *h = &p->forest.header;
    *h = (ride_forest_header){.forest_version = RIDE_FOREST_VERSION,
                              .forests_count = 1,
                              .trees_count = 1 + rnd_below(r, PLAN_TREES_MAX),
                              .inputs_count = 1 + rnd_below(r, PLAN_VECTOR_MAX),
                              .outputs_count = 1,
                              .category_words_count = 4,
                              .input_number = rnd_one_in(r, 2) ? RIDE_FOREST_F32 : RIDE_FOREST_F64,
                              .sum_number = rnd_one_in(r, 2) ? RIDE_FOREST_F32 : RIDE_FOREST_F64,
                              .link = rnd_one_in(r, 3) ? RIDE_FOREST_LINK_NONE : RIDE_FOREST_LINK_SIGMOID};
    if (h->sum_number == RIDE_FOREST_F64 && rnd_one_in(r, 2)) {
        static const ride_forest_link links[] = {RIDE_FOREST_LINK_LOGISTIC, RIDE_FOREST_LINK_EXP,
                                                 RIDE_FOREST_LINK_SIGNED_SQUARE, RIDE_FOREST_LINK_SOFTPLUS};
        h->link = RND_PICK(r, links);
        h->link_scale = h->link == RIDE_FOREST_LINK_LOGISTIC ? 0.5 + rnd_below(r, 4) : 0.0;
    }
    if (rnd_one_in(r, 5)) h->mean_of = h->trees_count;
    if (rnd_one_in(r, 5)) {
        h->flags = RIDE_FOREST_BASE_LAST;
        h->aggregate = rnd_below(r, 3);
    }
    p->forest.base_margin = model_number(r, h->sum_number);
    for (uint32_t i = 0; i < h->inputs_count; i++) p->forest_inputs[i] = rnd_below(r, p->vector_count);
    for (uint32_t i = 0; i < h->category_words_count; i++) p->category_words[i] = (uint32_t)rnd_next(r);
    for (uint32_t i = 0; i < h->trees_count; i++) {
        h->nodes_count += model_tree(r, p, h->nodes_count, &p->trees[i]);
        if (p->trees[i].depth > h->depth_max) h->depth_max = p->trees[i].depth;
    }
    model_lines(r, p);
    p->has_forest = 1;
}

static inline uint32_t model_rule_program(rnd *r, random_plan *p) {
    static const double limits[] = {-0.3, 0.0, 0.5, 0.7, 2.0, 60.0};
    double limit = RND_PICK(r, limits);
    uint64_t bits;
    uint32_t column = p->features_count + (rnd_one_in(r, 2) ? RIDE_OUT_MARGIN : RIDE_OUT_PROBABILITY),
             reads = RIDE_PROGRAM_READS_SCORE;
    memcpy(&bits, &limit, sizeof bits);
    if (!p->has_forest || rnd_one_in(r, 3)) {
        if (p->features_count == 0 || rnd_one_in(r, 4)) return plan_condition_program(r, p); /* of the event alone */
        column = rnd_below(r, p->features_count);
        reads = RIDE_PROGRAM_READS_FEATURES;
    }
    plan_program_begin(p);
    plan_code(p, RIDE_OP_LOAD_OUT, 0, 0, 0, column);
    plan_code(p, RIDE_OP_LT_F64, 1, plan_constant(p, bits), 0, 0);
    if (rnd_one_in(r, 2)) {
        plan_code(p, RIDE_OP_LOAD_BOOL, 2, 0, 0, plan_column(p, FIELD_BOOL));
        plan_code(p, rnd_one_in(r, 2) ? RIDE_OP_AND : RIDE_OP_OR, 1, 1, 2, 0);
    }
    return plan_program_end(p, 1, RIDE_CLASS_BOOL, reads);
}

/* Adds a model and rules to a plan; most plans have some. */
static inline void random_model_make(uint64_t seed, random_plan *p) {
    rnd random = {seed ^ 0x6d6f64656c}, *r = &random;
    if (rnd_one_in(r, 4)) return;
    model_vector(r, p);
    if (!rnd_one_in(r, 4)) model_forest(r, p);
    p->rules_count = rnd_below(r, PLAN_RULES_MAX + 1);
    for (uint32_t i = 0; i < p->rules_count; i++)
        p->rules[i] = (ride_plan_rule){.program = model_rule_program(r, p), .decision = rnd_below(r, 3)};
}

/* The plan as a bundle image; free with ride_bundle_image_free. */
static inline void random_plan_bundle(const random_plan *p, uint8_t **image, ride_bundle *bundle) {
    ride_error err = {0};
    ride_bundle_builder *builder = NULL;
    uint64_t bytes = 0;
    uint8_t hash[32] = {0};
    memcpy(hash, &p->seed, sizeof p->seed);
    ride_plan_header header = {.plan_version = RIDE_PLAN_VERSION,
                               .columns_count = p->columns_count,
                               .entities_count = p->entities_count,
                               .lanes_count = p->lanes_count,
                               .edges_count = p->edges_count,
                               .aggregates_count = p->aggregates_count,
                               .conditions_count = p->conditions_count,
                               .expressions_count = p->expressions_count,
                               .features_count = p->features_count,
                               .column_label =
                                   p->label_kind == RIDE_LABEL_NONE ? -1 : (int32_t)plan_column(p, FIELD_LABEL),
                               .column_sequence = p->label_kind == RIDE_LABEL_SOURCE ? plan_column(p, FIELD_ABOUT) : 0,
                               .label_kind = p->label_kind,
                               .zone_transitions_count = p->zone_count,
                               .vector_count = p->vector_count,
                               .rules_count = p->rules_count};
    memcpy(header.spec_hash, hash, sizeof hash);
    const struct {
        ride_section section;
        const void *data;
        uint64_t bytes;
    } sections[] = {{RIDE_SECTION_PLAN, &header, sizeof header},
                    {RIDE_SECTION_COLUMNS, p->columns, p->columns_count * sizeof *p->columns},
                    {RIDE_SECTION_ENTITIES, p->entities, p->entities_count * sizeof *p->entities},
                    {RIDE_SECTION_LANES, p->lanes, p->lanes_count * sizeof *p->lanes},
                    {RIDE_SECTION_EDGES, p->edges, p->edges_count * sizeof *p->edges},
                    {RIDE_SECTION_AGGREGATES, p->aggregates, p->aggregates_count * sizeof *p->aggregates},
                    {RIDE_SECTION_CONDITIONS, p->conditions, p->conditions_count * sizeof *p->conditions},
                    {RIDE_SECTION_EXPRESSIONS, p->expressions, p->expressions_count * sizeof *p->expressions},
                    {RIDE_SECTION_VECTOR, p->vector, p->vector_count * sizeof *p->vector},
                    {RIDE_SECTION_RULES, p->rules, p->rules_count * sizeof *p->rules},
                    {RIDE_SECTION_ZONE, p->zone, p->zone_count * sizeof *p->zone},
                    {RIDE_SECTION_PROGRAMS, p->programs, p->programs_count * sizeof *p->programs},
                    {RIDE_SECTION_PROGRAM_CODE, p->code, p->code_count * sizeof *p->code},
                    {RIDE_SECTION_PROGRAM_CONSTANTS, p->constants, p->constants_count * sizeof *p->constants},
                    {RIDE_SECTION_FOREST, &p->forest, p->has_forest ? sizeof p->forest : 0},
                    {RIDE_SECTION_FOREST_TREES, p->trees, p->forest.header.trees_count * sizeof *p->trees},
                    {RIDE_SECTION_FOREST_NODES, p->nodes, p->forest.header.nodes_count * sizeof *p->nodes},
                    {RIDE_SECTION_FOREST_INPUTS, p->forest_inputs,
                     p->forest.header.inputs_count * sizeof *p->forest_inputs},
                    {RIDE_SECTION_FOREST_CATEGORIES, p->category_words,
                     p->forest.header.category_words_count * sizeof *p->category_words},
                    {RIDE_SECTION_FOREST_LEAVES, p->lines, p->forest.header.lines_count * sizeof *p->lines},
                    {RIDE_SECTION_FOREST_TERMS, p->terms, p->forest.header.terms_count * sizeof *p->terms}};
    RIDE_ASSERT(ride_bundle_builder_create(&builder, &err) == RIDE_OK);
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (sections[i].bytes > 0 && (p->model_add == NULL || sections[i].section < RIDE_SECTION_FOREST))
            RIDE_ASSERT(ride_bundle_builder_add(builder, sections[i].section, sections[i].data, sections[i].bytes,
                                                &err) == RIDE_OK);
    if (p->model_add != NULL) p->model_add(p->model_context, builder);
    random_profile_add(p, builder);
    ride_bundle_builder_hashes(builder, hash, NULL);
    RIDE_ASSERT(ride_bundle_builder_build(builder, image, &bytes, &err) == RIDE_OK);
    if (ride_bundle_open(*image, bytes, bundle, &err) != RIDE_OK ||
        (p->programs_count > 0 && ride_programs_check(bundle, &err) != RIDE_OK)) {
        fprintf(stderr, "plan of seed %llu: %s\n", (unsigned long long)p->seed, err.what);
        RIDE_ASSERT(!"the random plan is not well formed");
    }
    ride_bundle_builder_destroy(builder);
}

#endif
