/* tests/conformance/random_plan.h: random feature plans, built straight from plan structs, for the comparison of backends.
 *
 * One case is a function of its seed. Windows and delays are small multiples of one time step, so that events lie exactly on
 * edges and ties are common. */
#ifndef RIDE_TESTS_RANDOM_PLAN_H
#define RIDE_TESTS_RANDOM_PLAN_H
#include "base/assert.h"
#include "kernels/layout/forest.h"
#include "kernels/layout/program.h"
#include "ride/backend.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct rnd {
    uint64_t state;
} rnd;
static inline uint64_t rnd_next(rnd *r) { /* SplitMix64 */
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
static inline uint32_t rnd_below(rnd *r, uint32_t limit) { return (uint32_t)((rnd_next(r) >> 32) * limit >> 32); }
static inline int rnd_one_in(rnd *r, uint32_t n) { return rnd_below(r, n) == 0; }
#define RND_PICK(r, array) ((array)[rnd_below((r), sizeof(array) / sizeof *(array))])

enum {
    PLAN_ENTITIES_MAX = 3,
    PLAN_AGGREGATES_MAX = 24,
    PLAN_LANES_MAX = 64,
    PLAN_EDGES_MAX = 64,
    PLAN_CONDITIONS_MAX = 3,
    PLAN_EXPRESSIONS_MAX = 4,
    PLAN_CODE_MAX = 96,
    PLAN_RULES_MAX = 4,
    PLAN_VECTOR_MAX = 12,
    PLAN_INPUTS_MAX = 70000, /* of a forest; random ones have up to PLAN_VECTOR_MAX */
    PLAN_TREES_MAX = 6,
    PLAN_TREE_NODES_MAX = 31,
    PLAN_STREAMS_MAX = 4,
};

/* Field columns, after the system columns and one key column per entity. */
typedef enum plan_field {
    FIELD_AMOUNT,   /* DECIMAL, 2 digits, nullable */
    FIELD_COUNT,    /* I64, small, either sign */
    FIELD_WIDE,     /* U64, all bits */
    FIELD_BOOL,     /* nullable */
    FIELD_REAL,     /* F64 with NaN, infinities and nulls: read by conditions, never summed */
    FIELD_NAME,     /* KEY128 of a string, nullable */
    FIELD_OTHER,    /* the same of another string */
    FIELD_TEXT,     /* STRING, nullable: may be there or not, its bytes mean nothing to a plan */
    FIELD_CATEGORY, /* I64 code of a closed set, nullable */
    FIELD_LABEL,    /* BOOL, nullable */
    FIELD_ABOUT,    /* U64: the arrival number that a label row is about */
    FIELDS
} plan_field;

typedef struct random_plan {
    uint64_t seed;
    int64_t step_us, start_us; /* times of events are start + multiples of step */
    int64_t slack_us;          /* how late an event may enter */
    uint32_t streams;          /* rows come from so many, each with times of its own */
    int many_clocks; /* each has its own clock too, and keys of its own; else the clock is the least of theirs */
    int peers;
    int sums_are_small; /* amounts below 2^20 */
    int sums_overflow;  /* some amounts near 2^63 */
    uint32_t label_kind;
    uint32_t entities_count, aggregates_count, lanes_count, edges_count, conditions_count, expressions_count;
    ride_plan_entity entities[PLAN_ENTITIES_MAX];
    ride_plan_aggregate aggregates[PLAN_AGGREGATES_MAX];
    ride_plan_lane lanes[PLAN_LANES_MAX];
    ride_plan_edge edges[PLAN_EDGES_MAX];
    ride_plan_condition conditions[PLAN_CONDITIONS_MAX];
    ride_plan_expression expressions[PLAN_EXPRESSIONS_MAX];
    ride_plan_column columns[RIDE_COLUMNS_SYSTEM + PLAN_ENTITIES_MAX + FIELDS];
    uint32_t columns_count, features_count;
    ride_plan_zone zone[3];
    uint32_t zone_count;
    ride_program programs[PLAN_CONDITIONS_MAX + PLAN_EXPRESSIONS_MAX + PLAN_RULES_MAX];
    ride_plan_vector vector[PLAN_VECTOR_MAX]; /* from here on: random_model.h */
    ride_plan_rule rules[PLAN_RULES_MAX];
    uint32_t vector_count, rules_count;
    struct {
        ride_forest_header header;
        double base_margin;
    } forest;
    ride_forest_tree trees[PLAN_TREES_MAX];
    ride_forest_node nodes[PLAN_TREES_MAX * PLAN_TREE_NODES_MAX];
    ride_forest_line lines[PLAN_TREES_MAX * PLAN_TREE_NODES_MAX];
    ride_forest_term terms[3 * PLAN_TREES_MAX * PLAN_TREE_NODES_MAX];
    uint32_t forest_inputs[PLAN_INPUTS_MAX], category_words[4];
    int has_forest;
    void (*model_add)(const void *context,
                      ride_bundle_builder *builder); /* adds another model than the forest; or NULL */
    const void *model_context;
    ride_instruction code[PLAN_CODE_MAX];
    ride_constant constants[PLAN_CODE_MAX];
    uint32_t programs_count, code_count, constants_count;
} random_plan;

static inline uint32_t plan_column(const random_plan *p, plan_field field) {
    return RIDE_COLUMNS_SYSTEM + p->entities_count + (uint32_t)field;
}

static inline void plan_program_begin(random_plan *p) {
    p->programs[p->programs_count] =
        (ride_program){.code_first = p->code_count, .constants_first = p->constants_count, .registers_count = 4};
}
static inline uint16_t plan_constant(random_plan *p, uint64_t bits) {
    p->constants[p->constants_count++] = (ride_constant){{bits, 1}};
    return (uint16_t)(RIDE_OPERAND_CONSTANT |
                      (p->constants_count - 1 - p->programs[p->programs_count].constants_first));
}
static inline void plan_code(random_plan *p, ride_op op, uint16_t out, uint16_t a, uint16_t b, uint32_t index) {
    RIDE_ASSERT(p->code_count < PLAN_CODE_MAX);
    p->code[p->code_count++] = (ride_instruction){.op = (uint16_t)op, .out = out, .a = a, .b = b, .index = index};
}
static inline uint32_t plan_program_end(random_plan *p, uint32_t result, uint32_t result_class, uint32_t reads) {
    ride_program *program = &p->programs[p->programs_count];
    program->code_count = p->code_count - program->code_first;
    program->constants_count = p->constants_count - program->constants_first;
    program->result_register = result;
    program->result_class = result_class;
    program->reads = reads;
    return p->programs_count++;
}

static inline uint32_t plan_condition_program(rnd *r, random_plan *p) {
    plan_program_begin(p);
    switch (rnd_below(r, 8)) {
    case 4: { /* a string that is written in the spec */
        const uint16_t text = plan_constant(p, rnd_below(r, 3));
        p->constants[p->constants_count - 1].bits[1] = rnd_one_in(r, 4) ? 9 : 0;
        plan_code(p, RIDE_OP_EQ_KEY, 1, text, 0, plan_column(p, FIELD_NAME));
        if (rnd_one_in(r, 2)) plan_code(p, RIDE_OP_NOT, 1, 1, 0, 0);
        break;
    }
    case 5: /* two strings */
        plan_code(p, RIDE_OP_EQ_KEYS, 1, 0, 0, plan_column(p, FIELD_NAME) | plan_column(p, FIELD_OTHER) << 16);
        break;
    case 6: /* a category */
        plan_code(p, RIDE_OP_LOAD_I64, 0, 0, 0, plan_column(p, FIELD_CATEGORY));
        plan_code(p, rnd_one_in(r, 2) ? RIDE_OP_EQ_I64 : RIDE_OP_NE_I64, 1, 0, plan_constant(p, rnd_below(r, 4)), 0);
        break;
    case 7: /* null or a category; null of a string */
        plan_code(p, RIDE_OP_IS_NULL_COLUMN, 0, 0, 0,
                  plan_column(p, rnd_one_in(r, 2)   ? FIELD_TEXT
                                 : rnd_one_in(r, 2) ? FIELD_NAME
                                                    : FIELD_CATEGORY));
        plan_code(p, RIDE_OP_LOAD_BOOL, 2, 0, 0, plan_column(p, FIELD_BOOL));
        plan_code(p, RIDE_OP_AND, 1, 0, 2, 0);
        break;
    case 0:
        plan_code(p, RIDE_OP_LOAD_I64, 0, 0, 0, plan_column(p, FIELD_AMOUNT));
        plan_code(p, RIDE_OP_LT_I64, 1, 0, plan_constant(p, 5000), 0);
        break;
    case 1:
        plan_code(p, RIDE_OP_LOAD_F64, 0, 0, 0, plan_column(p, FIELD_REAL));
        plan_code(p, RIDE_OP_LE_F64, 1, 0, plan_constant(p, 0x3fe0000000000000u), 0); /* 0.5 */
        break;
    case 2: plan_code(p, RIDE_OP_LOAD_BOOL, 1, 0, 0, plan_column(p, FIELD_BOOL)); break;
    default:
        plan_code(p, RIDE_OP_LOAD_BOOL, 0, 0, 0, plan_column(p, FIELD_BOOL));
        plan_code(p, RIDE_OP_LOAD_I64, 2, 0, 0, plan_column(p, FIELD_COUNT));
        plan_code(p, RIDE_OP_LE_I64, 3, 2, plan_constant(p, 3), 0);
        plan_code(p, RIDE_OP_OR, 1, 0, 3, 0);
        plan_code(p, RIDE_OP_NOT, 1, 1, 0, 0);
        break;
    }
    return plan_program_end(p, 1, RIDE_CLASS_BOOL, 0);
}

static inline uint32_t plan_expression_program(rnd *r, random_plan *p, uint32_t features_before) {
    static const ride_op ops[] = {RIDE_OP_ADD_F64, RIDE_OP_SUB_F64, RIDE_OP_DIV_F64, RIDE_OP_MAX_F64};
    static const double factors[] = {1.0, -0.5, 1e-300, 5e-324, 1e300, 0.0};
    plan_program_begin(p);
    if (rnd_one_in(r, 4)) { /* not a number, infinite, a denormal */
        double factor = RND_PICK(r, factors);
        uint64_t bits;
        memcpy(&bits, &factor, sizeof bits);
        plan_code(p, RIDE_OP_LOAD_F64, 0, 0, 0, plan_column(p, FIELD_REAL));
        plan_code(p, rnd_one_in(r, 2) ? RIDE_OP_MUL_F64 : RIDE_OP_SUB_F64, 1, 0, plan_constant(p, bits), 0);
        return plan_program_end(p, 1, RIDE_CLASS_F64, 0);
    }
    if (features_before == 0 || rnd_one_in(r, 4)) {
        plan_code(p, RIDE_OP_LOAD_I64, 0, 0, 0, RIDE_COLUMN_TIME);
        plan_code(p, RIDE_OP_HOUR, 0, 0, 0, 0);
        plan_code(p, RIDE_OP_F64_OF_I64, 1, 0, 0, 0);
        return plan_program_end(p, 1, RIDE_CLASS_F64, 0);
    }
    plan_code(p, RIDE_OP_LOAD_OUT, 0, 0, 0, rnd_below(r, features_before));
    plan_code(p, RIDE_OP_LOAD_OUT, 1, 0, 0, rnd_below(r, features_before));
    plan_code(p, RND_PICK(r, ops), 1, 0, 1, 0);
    return plan_program_end(p, 1, RIDE_CLASS_F64, RIDE_PROGRAM_READS_FEATURES);
}

/* The entity's lane of that kind, made when there is none. */
static inline int32_t plan_lane(random_plan *p, ride_plan_entity *e, ride_plan_lane lane) {
    for (uint32_t i = 0; i < e->lanes_count; i++)
        if (memcmp(&p->lanes[e->lanes_first + i], &lane, sizeof lane) == 0) return (int32_t)i;
    RIDE_ASSERT(p->lanes_count < PLAN_LANES_MAX);
    p->lanes[p->lanes_count++] = lane;
    return (int32_t)e->lanes_count++;
}
static inline int32_t plan_edge(random_plan *p, ride_plan_entity *e, ride_plan_edge edge) {
    for (uint32_t i = 0; i < e->edges_count; i++)
        if (memcmp(&p->edges[e->edges_first + i], &edge, sizeof edge) == 0) return (int32_t)i;
    RIDE_ASSERT(p->edges_count < PLAN_EDGES_MAX);
    p->edges[p->edges_count++] = edge;
    return (int32_t)e->edges_count++;
}

/* The two edges of a random window of `a`, and whether the current event may be in it. */
static inline void plan_window(rnd *r, random_plan *p, ride_plan_entity *e, ride_plan_aggregate *a) {
    static const int64_t windows[] = {1, 2, 3, 5, 10, 60, 700}, delays[] = {1, 2, 7, 60};
    const int64_t window = RND_PICK(r, windows) * p->step_us;
    const int risky_without = a->op == RIDE_AGG_RISK && p->label_kind == RIDE_LABEL_IN_EVENT;
    const int64_t delay = risky_without || rnd_one_in(r, 3) ? RND_PICK(r, delays) * p->step_us : 0;
    const int keeps_left = rnd_one_in(r, 3), keeps_right = !rnd_one_in(r, 4);
    ride_plan_edge lo = {.kind = RIDE_EDGE_OFFSET, .offset_us = delay + window + (keeps_left ? 1 : 0)};
    ride_plan_edge hi = {.kind = RIDE_EDGE_OFFSET, .offset_us = delay + (keeps_right ? 0 : 1)};
    int64_t need = delay + window;
    a->current = (uint8_t)(delay == 0 && keeps_right && !rnd_one_in(r, 3));
    switch (rnd_below(r, 6)) {
    case 0: /* tumbling: from the start of the running period */
        lo = (ride_plan_edge){.kind = RIDE_EDGE_ALIGNED, .offset_us = 1, .shift_us = delay, .period_us = window};
        break;
    case 1: /* hopping: the latest window that is complete */
        hi = (ride_plan_edge){.kind = RIDE_EDGE_ALIGNED,
                              .offset_us = keeps_right ? 0 : 1,
                              .shift_us = delay,
                              .period_us = rnd_one_in(r, 2) ? p->step_us : 2 * p->step_us};
        lo = hi;
        lo.offset_us = window + (keeps_left ? 1 : 0);
        need += hi.period_us;
        a->current = 0;
        break;
    case 2: /* ties: exclude */
        if (delay == 0) hi.offset_us = 1;
        break;
    default: break;
    }
    a->peers = (uint8_t)(p->peers && !rnd_one_in(r, 3));
    a->edge_lo = plan_edge(p, e, lo);
    a->edge_hi = plan_edge(p, e, hi);
    need += 1; /* an event exactly as old as the window may be in it */
    if (p->edges[e->edges_first + (uint32_t)a->edge_lo].kind == RIDE_EDGE_ALIGNED && p->zone_count > 0)
        need += 3600000000; /* a period in which the clocks go back is that much longer */
    if (need > e->need_us) e->need_us = need;
}

static inline void plan_aggregate(rnd *r, random_plan *p, uint32_t entity) {
    static const plan_field summed[] = {FIELD_AMOUNT, FIELD_COUNT};
    static const plan_field valued[] = {FIELD_AMOUNT, FIELD_COUNT, FIELD_WIDE, FIELD_BOOL, FIELD_CATEGORY};
    static const plan_field hashed[] = {FIELD_NAME, FIELD_OTHER, FIELD_WIDE, FIELD_COUNT, FIELD_BOOL, FIELD_CATEGORY};
    static const plan_field counted[] = {FIELD_REAL, FIELD_NAME, FIELD_AMOUNT, FIELD_TEXT};
    ride_plan_entity *e = &p->entities[entity];
    ride_plan_aggregate a = {.entity = (uint16_t)entity, .edge_lo = -1, .edge_hi = -1, .lane_count = -1};
    a.lane_sum = a.lane_sumsq = a.lane_value = a.column = a.condition = -1;
    a.op = (uint16_t)(RIDE_AGG_COUNT + rnd_below(r, RIDE_AGG_DISTINCT));
    if (a.op == RIDE_AGG_RISK && p->label_kind == RIDE_LABEL_NONE) a.op = RIDE_AGG_MEAN;
    plan_window(r, p, e, &a);
    if (p->conditions_count > 0 && rnd_one_in(r, a.op == RIDE_AGG_RISK ? 2 : 3))
        a.condition = (int32_t)rnd_below(r, p->conditions_count);
    plan_field field = FIELDS;
    uint32_t value_kind = 0;
    switch (a.op) {
    case RIDE_AGG_COUNT:
        if (rnd_one_in(r, 3)) field = RND_PICK(r, counted);
        break;
    case RIDE_AGG_RISK: break;
    case RIDE_AGG_SINCE_FIRST:
    case RIDE_AGG_SINCE_LAST:
        if (rnd_one_in(r, 4)) field = RND_PICK(r, counted);
        if (a.condition >= 0 || field != FIELDS) value_kind = RIDE_LANE_PRESENT;
        break;
    case RIDE_AGG_MIN:
    case RIDE_AGG_MAX:
    case RIDE_AGG_LAST:
        field = RND_PICK(r, valued);
        value_kind = RIDE_LANE_VALUE;
        break;
    case RIDE_AGG_FIRST_SEEN:
    case RIDE_AGG_DISTINCT:
        field = RND_PICK(r, hashed);
        value_kind = RIDE_LANE_HASH;
        break;
    default: field = RND_PICK(r, summed); break;
    }
    if (field != FIELDS) {
        a.column = (int32_t)plan_column(p, field);
        a.scale = p->columns[a.column].scale;
        a.is_decimal = p->columns[a.column].type == RIDE_TYPE_DECIMAL && value_kind != RIDE_LANE_HASH;
    }
    const ride_plan_lane lane = {.column = a.column, .condition = a.condition};
    const int reads_entries = a.op > RIDE_AGG_STD_POP && a.op != RIDE_AGG_RISK && rnd_one_in(r, 2);
    if (!reads_entries && (a.condition >= 0 || (a.column >= 0 && p->columns[a.column].nullable) || rnd_one_in(r, 4))) {
        ride_plan_lane count = lane;
        count.kind = RIDE_LANE_COUNT;
        a.lane_count = plan_lane(p, e, count);
    }
    if (a.op >= RIDE_AGG_SUM && a.op <= RIDE_AGG_STD_POP) {
        ride_plan_lane sum = lane, sumsq = lane;
        sum.kind = RIDE_LANE_SUM;
        sumsq.kind = RIDE_LANE_SUMSQ;
        a.lane_sum = plan_lane(p, e, sum);
        if (a.op >= RIDE_AGG_VAR) a.lane_sumsq = plan_lane(p, e, sumsq);
    }
    if (a.op == RIDE_AGG_RISK) {
        ride_plan_lane labels = lane;
        labels.kind = RIDE_LANE_LABEL;
        a.lane_sum = plan_lane(p, e, labels);
    }
    if (value_kind != 0) {
        ride_plan_lane value = lane;
        value.kind = value_kind;
        value.is_u64 = field == FIELD_WIDE && value_kind == RIDE_LANE_VALUE;
        a.lane_value = plan_lane(p, e, value);
    }
    if (rnd_one_in(r, 4)) a.min_count = 1 + rnd_below(r, 4);
    if (rnd_one_in(r, 4)) a.has_empty = 1, a.empty = (double)rnd_below(r, 3) - 1.5;
    a.feature = p->features_count++;
    p->aggregates[p->aggregates_count++] = a;
    e->aggregates_count++;
}

static inline void plan_columns(random_plan *p) {
    p->columns[RIDE_COLUMN_TIME].type = RIDE_TYPE_TIMESTAMP;
    p->columns[RIDE_COLUMN_CLOCK].type = RIDE_TYPE_TIMESTAMP;
    p->columns[RIDE_COLUMN_FLAGS].type = RIDE_TYPE_U32;
    for (uint32_t e = 0; e < p->entities_count; e++)
        p->columns[RIDE_COLUMNS_SYSTEM + e] = (ride_plan_column){.type = RIDE_TYPE_KEY128, .nullable = 1};
    static const ride_plan_column fields[FIELDS] = {[FIELD_AMOUNT] = {.type = RIDE_TYPE_DECIMAL,
                                                                      .nullable = 1,
                                                                      .scale = 2},
                                                    [FIELD_COUNT] = {.type = RIDE_TYPE_I64},
                                                    [FIELD_WIDE] = {.type = RIDE_TYPE_U64},
                                                    [FIELD_BOOL] = {.type = RIDE_TYPE_BOOL, .nullable = 1},
                                                    [FIELD_REAL] = {.type = RIDE_TYPE_F64, .nullable = 1},
                                                    [FIELD_NAME] = {.type = RIDE_TYPE_KEY128, .nullable = 1},
                                                    [FIELD_OTHER] = {.type = RIDE_TYPE_KEY128, .nullable = 1},
                                                    [FIELD_TEXT] = {.type = RIDE_TYPE_STRING, .nullable = 1},
                                                    [FIELD_CATEGORY] = {.type = RIDE_TYPE_I64, .nullable = 1},
                                                    [FIELD_LABEL] = {.type = RIDE_TYPE_BOOL, .nullable = 1},
                                                    [FIELD_ABOUT] = {.type = RIDE_TYPE_U64}};
    memcpy(&p->columns[plan_column(p, FIELD_AMOUNT)], fields, sizeof fields);
    p->columns_count = plan_column(p, FIELDS);
}

static inline void random_plan_make(uint64_t seed, random_plan *p) {
    static const int64_t steps[] = {1, 1000, 1000000, 1000000, 3600000000, 86400000000};
    rnd random = {seed}, *r = &random;
    memset(p, 0, sizeof *p);
    p->seed = seed;
    p->step_us = RND_PICK(r, steps);
    p->start_us = rnd_one_in(r, 4) ? -5 * p->step_us : 1522540800000000; /* 2018-04-01 */
    p->slack_us = rnd_one_in(r, 3) ? 0 : (int64_t)rnd_below(r, 40) * p->step_us;
    p->peers = rnd_one_in(r, 4);
    p->sums_are_small = !rnd_one_in(r, 3);
    p->sums_overflow = !p->sums_are_small && rnd_one_in(r, 3);
    p->label_kind = rnd_below(r, 3);
    p->entities_count = 1 + rnd_below(r, PLAN_ENTITIES_MAX);
    plan_columns(p);
    if (rnd_one_in(r, 3)) { /* the clocks change soon after the start and once more, days later */
        p->zone_count = 3;
        p->zone[0] = (ride_plan_zone){INT64_MIN, 3600000000};
        p->zone[1] = (ride_plan_zone){p->start_us + 20 * p->step_us, 7200000000};
        p->zone[2] = (ride_plan_zone){p->start_us + 70 * p->step_us + 864000000000, 3600000000};
    }
    p->conditions_count = rnd_below(r, PLAN_CONDITIONS_MAX + 1);
    for (uint32_t i = 0; i < p->conditions_count; i++) p->conditions[i].program = plan_condition_program(r, p);
    for (uint32_t i = 0; i < p->entities_count; i++) {
        ride_plan_entity *e = &p->entities[i];
        *e = (ride_plan_entity){.key_column = RIDE_COLUMNS_SYSTEM + i,
                                .lanes_first = p->lanes_count,
                                .edges_first = p->edges_count,
                                .aggregates_first = p->aggregates_count,
                                .expected_keys = 1 + rnd_below(r, 100)};
        for (uint32_t n = 1 + rnd_below(r, PLAN_AGGREGATES_MAX / PLAN_ENTITIES_MAX); n > 0; n--)
            plan_aggregate(r, p, i);
        e->lookback_us = e->need_us + (rnd_one_in(r, 3) ? (int64_t)rnd_below(r, 100) * p->step_us : 0);
        e->retention_us = e->lookback_us + p->slack_us;
    }
    p->expressions_count = rnd_below(r, PLAN_EXPRESSIONS_MAX + 1);
    for (uint32_t i = 0; i < p->expressions_count; i++)
        p->expressions[i] =
            (ride_plan_expression){.program = plan_expression_program(r, p, p->features_count), .feature = 0};
    for (uint32_t i = 0; i < p->expressions_count; i++) p->expressions[i].feature = p->features_count++;
    rnd clocks = {seed ^ 0x636c6f636b}; /* a group of one timestamp is of one stream, and labels find events of any */
    p->streams = p->peers || rnd_one_in(&clocks, 2) ? 1 : 2 + rnd_below(&clocks, PLAN_STREAMS_MAX - 1);
    p->many_clocks = p->streams > 1 && p->label_kind != RIDE_LABEL_SOURCE && rnd_one_in(&clocks, 2);
}

#endif
