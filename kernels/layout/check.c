/* kernels/layout/check.c: a plan from a file is not trusted. Every number that a backend uses as an index, a count, a
 * divisor or a type is checked here once, in the order of the sections, so that the event path checks nothing. Times
 * and durations are bounded by 2^60 us (36,000 years), so that t - offset cannot overflow. */
#include "kernels/layout/check.h"

#include "base/tile.h"

static const int64_t duration_us_max = (int64_t)1 << 60;
enum { SCALE_MAX = 18 };

typedef struct checker {
    const ride_bundle *bundle;
    const ride_plan_header *plan;
    const ride_plan_column *columns;
    uint8_t features_seen[RIDE_TILE_COLUMNS_MAX / 8];
    ride_error *err;
} checker;

#define BAD(...) return ride_fail(c->err, RIDE_E_CORRUPT, __VA_ARGS__)

/* `index` is below `count`, or -1. */
static bool in_or_none(int32_t index, uint32_t count) { return index == -1 || (index >= 0 && (uint32_t)index < count); }
static bool duration_fits(int64_t us) { return us >= -duration_us_max && us <= duration_us_max; }
/* first + count lies within total. */
static bool range_fits(uint32_t first, uint32_t count, uint32_t total) {
    return first <= total && count <= total - first;
}

static ride_status check_name(const checker *c, uint32_t offset, const char *what, uint32_t i) {
    if (offset >= c->bundle->sections_bytes[RIDE_SECTION_STRINGS])
        BAD("%s %u: its name lies outside the names", what, i);
    return RIDE_OK;
}

/* Sections and counts first: after this the arrays may be walked. */
static ride_status check_sizes(const checker *c) {
    const ride_plan_header *p = c->plan;
    const struct {
        ride_section section;
        uint32_t count;
        uint64_t element_bytes;
        const char *name;
    } tables[] = {
        {RIDE_SECTION_COLUMNS, p->columns_count, sizeof(ride_plan_column), "columns"},
        {RIDE_SECTION_ENTITIES, p->entities_count, sizeof(ride_plan_entity), "entities"},
        {RIDE_SECTION_LANES, p->lanes_count, sizeof(ride_plan_lane), "lanes"},
        {RIDE_SECTION_EDGES, p->edges_count, sizeof(ride_plan_edge), "edges"},
        {RIDE_SECTION_AGGREGATES, p->aggregates_count, sizeof(ride_plan_aggregate), "aggregates"},
        {RIDE_SECTION_CONDITIONS, p->conditions_count, sizeof(ride_plan_condition), "conditions"},
        {RIDE_SECTION_EXPRESSIONS, p->expressions_count, sizeof(ride_plan_expression), "expressions"},
        {RIDE_SECTION_VECTOR, p->vector_count, sizeof(ride_plan_vector), "vector"},
        {RIDE_SECTION_ZONE, p->zone_transitions_count, sizeof(ride_plan_zone), "zone"},
        {RIDE_SECTION_RULES, p->rules_count, sizeof(ride_plan_rule), "rules"},
    };
    for (uint32_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (c->bundle->sections_bytes[tables[i].section] != tables[i].count * tables[i].element_bytes)
            BAD("the plan says %u %s, their section has %llu bytes", tables[i].count, tables[i].name,
                (unsigned long long)c->bundle->sections_bytes[tables[i].section]);
    }
    if (p->columns_count < RIDE_COLUMNS_SYSTEM || p->columns_count > RIDE_TILE_COLUMNS_MAX)
        BAD("a plan cannot have %u columns", p->columns_count);
    if (p->features_count > RIDE_TILE_COLUMNS_MAX - RIDE_OUT_COUNT ||
        (uint64_t)p->aggregates_count + p->expressions_count != p->features_count)
        BAD("%u aggregates and %u expressions cannot be %u features", p->aggregates_count, p->expressions_count,
            p->features_count);
    return RIDE_OK;
}

static ride_status check_columns(const checker *c) {
    static const uint32_t system[RIDE_COLUMNS_SYSTEM] = {RIDE_TYPE_TIMESTAMP, RIDE_TYPE_TIMESTAMP, RIDE_TYPE_U32};
    const ride_plan_header *p = c->plan;
    for (uint32_t i = 0; i < p->columns_count; i++) {
        const ride_plan_column *column = &c->columns[i];
        if (ride_type_bytes(column->type) == 0) BAD("column %u: unknown type %u", i, column->type);
        if (i < RIDE_COLUMNS_SYSTEM && (column->type != system[i] || column->nullable != 0))
            BAD("column %u is not the system column that belongs there", i);
        if (column->nullable > 1) BAD("column %u: nullable is %u", i, column->nullable);
        if (column->scale < 0 || column->scale > SCALE_MAX) BAD("column %u: scale %d", i, column->scale);
        RIDE_TRY(check_name(c, column->name_offset, "column", i));
    }
    if (p->label_kind > RIDE_LABEL_SOURCE) BAD("unknown label kind %u", p->label_kind);
    if (!in_or_none(p->column_label, p->columns_count) ||
        (p->column_label == -1) != (p->label_kind == RIDE_LABEL_NONE) ||
        (p->column_label != -1 && c->columns[p->column_label].type != RIDE_TYPE_BOOL))
        BAD("label column %d does not fit label kind %u", p->column_label, p->label_kind);
    if ((p->column_sequence != 0) != (p->label_kind == RIDE_LABEL_SOURCE) ||
        (p->column_sequence != 0 &&
         (p->column_sequence >= p->columns_count || c->columns[p->column_sequence].type != RIDE_TYPE_U64)))
        BAD("column %u cannot tell which event a label is about", p->column_sequence);
    return RIDE_OK;
}

static bool type_is_integer(uint32_t type) {
    return type == RIDE_TYPE_I64 || type == RIDE_TYPE_U64 || type == RIDE_TYPE_DECIMAL;
}

/* What a lane of `kind` may read. */
static bool lane_column_fits(const checker *c, const ride_plan_lane *lane) {
    if (lane->column == -1) /* all events */
        return lane->kind == RIDE_LANE_COUNT || lane->kind == RIDE_LANE_LABEL || lane->kind == RIDE_LANE_PRESENT;
    uint32_t type = c->columns[lane->column].type;
    switch (lane->kind) {
    case RIDE_LANE_SUM:
    case RIDE_LANE_SUMSQ: return type_is_integer(type);
    case RIDE_LANE_VALUE: return type_is_integer(type) || type == RIDE_TYPE_TIMESTAMP || type == RIDE_TYPE_BOOL;
    case RIDE_LANE_HASH: return type != RIDE_TYPE_F64 && type != RIDE_TYPE_F32 && type != RIDE_TYPE_U32;
    default: return true;
    }
}

static ride_status check_lanes(const checker *c) {
    const ride_plan_header *p = c->plan;
    const ride_plan_lane *lanes = ride_bundle_array(c->bundle, RIDE_SECTION_LANES, ride_plan_lane);
    for (uint32_t i = 0; i < p->lanes_count; i++) {
        const ride_plan_lane *lane = &lanes[i];
        if (lane->kind < RIDE_LANE_COUNT || lane->kind > RIDE_LANE_PRESENT)
            BAD("lane %u: unknown kind %u", i, lane->kind);
        if (!in_or_none(lane->column, p->columns_count)) BAD("lane %u: no column %d", i, lane->column);
        if (!in_or_none(lane->condition, p->conditions_count)) BAD("lane %u: no condition %d", i, lane->condition);
        if (lane->is_u64 > 1) BAD("lane %u: is_u64 is %u", i, lane->is_u64);
        if (!lane_column_fits(c, lane)) BAD("lane %u: its column has the wrong type", i);
        if (lane->kind == RIDE_LANE_LABEL && p->column_label == -1) BAD("lane %u: the plan has no label", i);
    }
    return RIDE_OK;
}

static ride_status check_edges(const checker *c) {
    const ride_plan_edge *edges = ride_bundle_array(c->bundle, RIDE_SECTION_EDGES, ride_plan_edge);
    for (uint32_t i = 0; i < c->plan->edges_count; i++) {
        const ride_plan_edge *edge = &edges[i];
        if (edge->kind != RIDE_EDGE_OFFSET && edge->kind != RIDE_EDGE_ALIGNED)
            BAD("edge %u: unknown kind %u", i, edge->kind);
        if (!duration_fits(edge->offset_us) || !duration_fits(edge->shift_us) || !duration_fits(edge->period_us))
            BAD("edge %u: a duration is out of range", i);
        if (edge->kind == RIDE_EDGE_ALIGNED && edge->period_us <= 0) BAD("edge %u: no period", i);
    }
    return RIDE_OK;
}

/* A label that comes later finds out by that count whether its event meets the condition. */
static ride_status check_label_lanes(const checker *c, uint32_t entity, const ride_plan_entity *e) {
    if (e->lanes_count == 0 || c->plan->label_kind != RIDE_LABEL_SOURCE) return RIDE_OK;
    const ride_plan_lane *lanes = ride_bundle_array(c->bundle, RIDE_SECTION_LANES, ride_plan_lane) + e->lanes_first;
    for (uint32_t i = 0; i < e->lanes_count; i++) {
        uint32_t count = 0;
        if (lanes[i].kind != RIDE_LANE_LABEL || lanes[i].condition == -1) continue;
        while (count < e->lanes_count && (lanes[count].kind != RIDE_LANE_COUNT || lanes[count].column != -1 ||
                                          lanes[count].condition != lanes[i].condition))
            count++;
        if (count == e->lanes_count)
            BAD("entity %u: no lane counts the events of condition %d", entity, lanes[i].condition);
    }
    return RIDE_OK;
}

static ride_status check_entities(const checker *c) {
    const ride_plan_header *p = c->plan;
    const ride_plan_entity *entities = ride_bundle_array(c->bundle, RIDE_SECTION_ENTITIES, ride_plan_entity);
    uint32_t aggregates_next = 0;
    for (uint32_t i = 0; i < p->entities_count; i++) {
        const ride_plan_entity *e = &entities[i];
        if (e->key_column >= p->columns_count || c->columns[e->key_column].type != RIDE_TYPE_KEY128)
            BAD("entity %u: column %u is not a key", i, e->key_column);
        RIDE_TRY(check_name(c, e->name_offset, "entity", i));
        if (!range_fits(e->lanes_first, e->lanes_count, p->lanes_count)) BAD("entity %u: its lanes are outside", i);
        RIDE_TRY(check_label_lanes(c, i, e));
        if (!range_fits(e->edges_first, e->edges_count, p->edges_count)) BAD("entity %u: its edges are outside", i);
        if (e->aggregates_first != aggregates_next ||
            !range_fits(e->aggregates_first, e->aggregates_count, p->aggregates_count))
            BAD("entity %u: its aggregates are outside or out of order", i);
        aggregates_next += e->aggregates_count;
        if (e->lookback_us < 0 || e->retention_us < 0 || e->need_us < 0 || !duration_fits(e->lookback_us) ||
            !duration_fits(e->retention_us) || !duration_fits(e->need_us))
            BAD("entity %u: a duration is out of range", i);
    }
    if (aggregates_next != p->aggregates_count)
        BAD("%u aggregates belong to no entity", p->aggregates_count - aggregates_next);
    return RIDE_OK;
}

/* Lane `index` of the entity exists and has one of the kinds (bits 1 << kind), or is -1 where that may be. */
static bool lane_fits(const checker *c, const ride_plan_entity *e, int32_t index, uint32_t kinds, bool may_be_none) {
    const ride_plan_lane *lanes = ride_bundle_array(c->bundle, RIDE_SECTION_LANES, ride_plan_lane);
    if (index == -1) return may_be_none;
    return in_or_none(index, e->lanes_count) && (kinds >> lanes[e->lanes_first + (uint32_t)index].kind & 1) != 0;
}

/* The lanes that the operation reads. Lanes it does not read may be named but must exist. */
static bool aggregate_lanes_fit(const checker *c, const ride_plan_entity *e, const ride_plan_aggregate *a) {
    enum { SUMS = 1 << RIDE_LANE_SUM, LABELS = 1 << RIDE_LANE_LABEL };
    uint32_t sum_kinds = SUMS | LABELS;
    uint32_t value_kinds = 1 << RIDE_LANE_VALUE | 1 << RIDE_LANE_HASH | 1 << RIDE_LANE_PRESENT;
    bool sum = false, sumsq = false, value = false;
    switch (a->op) {
    case RIDE_AGG_VAR:
    case RIDE_AGG_STD:
    case RIDE_AGG_VAR_POP:
    case RIDE_AGG_STD_POP: sumsq = true; /* fallthrough */
    case RIDE_AGG_SUM:
    case RIDE_AGG_MEAN:
        sum = true;
        sum_kinds = SUMS;
        break;
    case RIDE_AGG_RISK:
        sum = true;
        sum_kinds = LABELS;
        break;
    case RIDE_AGG_MIN:
    case RIDE_AGG_MAX:
    case RIDE_AGG_LAST:
        value = true;
        value_kinds = 1 << RIDE_LANE_VALUE;
        break;
    case RIDE_AGG_FIRST_SEEN:
    case RIDE_AGG_DISTINCT:
        value = true;
        value_kinds = 1 << RIDE_LANE_HASH;
        break;
    default: break;
    }
    return lane_fits(c, e, a->lane_count, 1 << RIDE_LANE_COUNT, true) &&
           lane_fits(c, e, a->lane_sum, sum_kinds, !sum) &&
           lane_fits(c, e, a->lane_sumsq, 1 << RIDE_LANE_SUMSQ, !sumsq) &&
           lane_fits(c, e, a->lane_value, value_kinds, !value);
}

/* Marks the feature as written; false when there is no such feature or it was written before. */
static bool take_feature(checker *c, uint32_t feature) {
    if (feature >= c->plan->features_count || ride_bit_get(c->features_seen, feature)) return false;
    ride_bit_set(c->features_seen, feature);
    return true;
}

static ride_status check_aggregates(checker *c) {
    const ride_plan_header *p = c->plan;
    const ride_plan_entity *entities = ride_bundle_array(c->bundle, RIDE_SECTION_ENTITIES, ride_plan_entity);
    const ride_plan_aggregate *all = ride_bundle_array(c->bundle, RIDE_SECTION_AGGREGATES, ride_plan_aggregate);
    for (uint32_t i = 0; i < p->aggregates_count; i++) {
        const ride_plan_aggregate *a = &all[i];
        if (a->op < RIDE_AGG_COUNT || a->op > RIDE_AGG_DISTINCT) BAD("aggregate %u: unknown operation %u", i, a->op);
        if (a->entity >= p->entities_count) BAD("aggregate %u: no entity %u", i, a->entity);
        const ride_plan_entity *e = &entities[a->entity];
        if (i < e->aggregates_first || i - e->aggregates_first >= e->aggregates_count)
            BAD("aggregate %u is not among those of its entity", i);
        if (a->current > 1 || a->peers > 1 || a->has_empty > 1 || a->is_decimal > 1) BAD("aggregate %u: a bad flag", i);
        /* since_last and since_first look back as far as the entity does; they need no window. */
        bool windowless = a->op == RIDE_AGG_SINCE_LAST || a->op == RIDE_AGG_SINCE_FIRST;
        if (!in_or_none(a->edge_lo, e->edges_count) || !in_or_none(a->edge_hi, e->edges_count) ||
            (!windowless && (a->edge_lo == -1 || a->edge_hi == -1)))
            BAD("aggregate %u: no edges %d, %d", i, a->edge_lo, a->edge_hi);
        if (!aggregate_lanes_fit(c, e, a)) BAD("aggregate %u: its lanes do not fit operation %u", i, a->op);
        if (!in_or_none(a->column, p->columns_count)) BAD("aggregate %u: no column %d", i, a->column);
        if (!in_or_none(a->condition, p->conditions_count)) BAD("aggregate %u: no condition %d", i, a->condition);
        if (a->scale < 0 || a->scale > SCALE_MAX) BAD("aggregate %u: scale %d", i, a->scale);
        if (!take_feature(c, a->feature)) BAD("aggregate %u: feature %u is none or not its own", i, a->feature);
    }
    return RIDE_OK;
}

static ride_status check_expressions(checker *c) {
    const ride_plan_expression *all = ride_bundle_array(c->bundle, RIDE_SECTION_EXPRESSIONS, ride_plan_expression);
    for (uint32_t i = 0; i < c->plan->expressions_count; i++)
        if (!take_feature(c, all[i].feature))
            BAD("expression %u: feature %u is none or not its own", i, all[i].feature);
    return RIDE_OK;
}

static bool type_is_number(uint32_t type) {
    return type == RIDE_TYPE_BOOL || type == RIDE_TYPE_F64 || type == RIDE_TYPE_TIMESTAMP || type_is_integer(type);
}

static ride_status check_tail(const checker *c) {
    const ride_plan_header *p = c->plan;
    const ride_plan_vector *vector = ride_bundle_array(c->bundle, RIDE_SECTION_VECTOR, ride_plan_vector);
    for (uint32_t i = 0; i < p->vector_count; i++) {
        if (vector[i].is_feature > 1 ||
            vector[i].index >= (vector[i].is_feature ? p->features_count : p->columns_count))
            BAD("vector %u: no column %u", i, vector[i].index);
        if (!vector[i].is_feature && !type_is_number(c->columns[vector[i].index].type))
            BAD("vector %u: column %u is not a number", i, vector[i].index);
        RIDE_TRY(check_name(c, vector[i].name_offset, "vector", i));
    }
    const ride_plan_zone *zone = ride_bundle_array(c->bundle, RIDE_SECTION_ZONE, ride_plan_zone);
    for (uint32_t i = 0; i < p->zone_transitions_count; i++) {
        if (i == 0 ? zone[i].utc_us != INT64_MIN : zone[i].utc_us <= zone[i - 1].utc_us)
            BAD("zone transition %u is out of order", i);
        if (!duration_fits(zone[i].offset_us)) BAD("zone transition %u: its offset is out of range", i);
    }
    const ride_plan_rule *rules = ride_bundle_array(c->bundle, RIDE_SECTION_RULES, ride_plan_rule);
    for (uint32_t i = 0; i < p->rules_count; i++) {
        if (rules[i].decision > RIDE_DECISION_DECLINE) BAD("rule %u: unknown decision %u", i, rules[i].decision);
        RIDE_TRY(check_name(c, rules[i].name_offset, "rule", i));
    }
    return RIDE_OK;
}

ride_status ride_plan_check(const ride_bundle *bundle, ride_error *err) {
    checker checks = {.bundle = bundle, .err = err}, *c = &checks;
    if (bundle->sections_bytes[RIDE_SECTION_PLAN] != sizeof(ride_plan_header))
        BAD("the plan has %llu bytes", (unsigned long long)bundle->sections_bytes[RIDE_SECTION_PLAN]);
    c->plan = bundle->plan;
    if (c->plan->plan_version != RIDE_PLAN_VERSION)
        return ride_fail(err, RIDE_E_VERSION, "plan version %u, this program reads %d", c->plan->plan_version,
                         RIDE_PLAN_VERSION);
    c->columns = ride_bundle_array(bundle, RIDE_SECTION_COLUMNS, ride_plan_column);
    RIDE_TRY(check_sizes(c));
    RIDE_TRY(check_columns(c));
    RIDE_TRY(check_lanes(c));
    RIDE_TRY(check_edges(c));
    RIDE_TRY(check_entities(c));
    RIDE_TRY(check_aggregates(c));
    RIDE_TRY(check_expressions(c));
    return check_tail(c);
}
