/* features/spec_plan.c: features → lanes, edges and aggregates of the plan (kernels/layout/plan.h has the words), and
 * expressions → programs. Equal lanes and edges of an entity are shared. */
#include "features/duration.h"
#include "features/spec_internal.h"

#include <inttypes.h>
#include <string.h>

static bool is_identity(ride_aggregate_op op) { return op == RIDE_AGG_FIRST_SEEN || op == RIDE_AGG_DISTINCT; }
static bool is_value(ride_aggregate_op op) { return op == RIDE_AGG_MIN || op == RIDE_AGG_MAX || op == RIDE_AGG_LAST; }
static bool keeps_left(const spec_feature *f) { return f->closed == SPEC_BOTH || f->closed == SPEC_LEFT; }
static bool keeps_right(const spec_feature *f) { return f->closed == SPEC_RIGHT || f->closed == SPEC_BOTH; }

/* What the feature's window reaches back, from the event's time. */
static int64_t reach(const spec_builder *b, const spec_feature *f) {
    int64_t shift = f->kind == SPEC_SLIDING ? 0 : ride_zone_shift_max(&b->spec->zone_table);
    return f->window_us + f->delay_us + (f->kind == SPEC_HOPPING ? f->hop_us : 0) + shift + (keeps_left(f) ? 1 : 0) +
           (f->kind != SPEC_SLIDING ? 1 : 0);
}

static void plan_retention(spec_builder *b, uint32_t entity) {
    const ride_source_spec *events = spec_events(b);
    ride_plan_entity *plan = &b->priv->entities[entity];
    int64_t slack = events->bound_us + events->allowed_lateness_us, need = 0, longest = 0,
            horizon = b->horizon_us[entity];
    const spec_feature *longest_of = NULL;
    bool unbounded = false;
    for (uint32_t i = 0; i < b->spec->features_count; i++) {
        const spec_feature *f = &b->priv->features[i];
        if (f->is_expression || f->entity != entity) continue;
        int64_t span = f->window_us + f->delay_us + (f->kind == SPEC_HOPPING ? f->hop_us : 0);
        unbounded |= f->window_text == NULL;
        if (reach(b, f) > need) need = reach(b, f);
        if (span > longest) longest = span, longest_of = f;
    }
    if (b->entity_horizons[entity] != NULL && longest_of != NULL && horizon < longest) {
        char window[32], delay[32], total[32];
        ride_yaml_fault(&b->reader, b->entity_horizons[entity], "lengthen it, or leave it out",
                        "the horizon of `%s` is shorter than a feature at line %u needs: window %s + delay %s%s = %s",
                        b->spec->entities[entity].name, longest_of->node->line,
                        ride_duration_text(longest_of->window_us, window, sizeof window),
                        ride_duration_text(longest_of->delay_us, delay, sizeof delay),
                        longest_of->kind == SPEC_HOPPING ? " + one hop" : "",
                        ride_duration_text(longest, total, sizeof total));
    }
    if (unbounded && need == 0 && horizon == 0)
        ride_yaml_fault(&b->reader, b->entity_nodes[entity], "horizon: 30d",
                        "entity `%s` has a feature without a window: it needs a `horizon`",
                        b->spec->entities[entity].name);
    plan->lookback_us = need + slack > horizon ? need + slack : horizon;
    plan->need_us = unbounded ? plan->lookback_us : need;
    plan->retention_us = unbounded ? plan->lookback_us + slack : plan->lookback_us;
}

static int32_t lane_of(spec_builder *b, const spec_feature *f, ride_lane_kind kind, int32_t column, bool is_u64) {
    ride_plan_entity *plan = &b->priv->entities[f->entity];
    ride_plan_lane *lanes = b->priv->lanes[f->entity];
    ride_plan_lane lane = {.kind = kind, .column = column, .condition = f->condition, .is_u64 = is_u64};
    for (uint32_t i = 0; i < plan->lanes_count; i++)
        if (memcmp(&lanes[i], &lane, sizeof lane) == 0) return (int32_t)i;
    if (plan->lanes_count == RIDE_STATE_LANES_MAX) {
        ride_yaml_fault(&b->reader, f->node, "use fewer columns and conditions, or a second entity with the same keys",
                        "entity `%s` stores more than %d columns", b->spec->entities[f->entity].name,
                        RIDE_STATE_LANES_MAX);
        return 0;
    }
    lanes[plan->lanes_count] = lane;
    return (int32_t)plan->lanes_count++;
}

static int32_t edge_of(spec_builder *b, const spec_feature *f, ride_plan_edge edge) {
    ride_plan_entity *plan = &b->priv->entities[f->entity];
    ride_plan_edge *edges = b->priv->edges[f->entity];
    for (uint32_t i = 0; i < plan->edges_count; i++)
        if (memcmp(&edges[i], &edge, sizeof edge) == 0) return (int32_t)i;
    if (plan->edges_count == RIDE_STATE_EDGES_MAX) {
        ride_yaml_fault(&b->reader, f->node, NULL, "entity `%s` has more than %d window ends",
                        b->spec->entities[f->entity].name, RIDE_STATE_EDGES_MAX);
        return 0;
    }
    edges[plan->edges_count] = edge;
    return (int32_t)plan->edges_count++;
}

static ride_plan_edge offset_edge(int64_t offset_us) {
    return (ride_plan_edge){.kind = RIDE_EDGE_OFFSET, .offset_us = offset_us};
}

static void plan_ends(spec_builder *b, const spec_feature *f, ride_plan_aggregate *a) {
    bool at_now = keeps_right(f) && f->delay_us == 0 && f->kind != SPEC_HOPPING;
    ride_plan_edge lo = offset_edge(f->delay_us + f->window_us + (keeps_left(f) ? 1 : 0));
    ride_plan_edge hi = offset_edge(f->delay_us + (keeps_right(f) ? 0 : 1));
    if (f->window_text == NULL) lo = offset_edge(b->priv->entities[f->entity].lookback_us);
    if (f->kind == SPEC_TUMBLING)
        lo = (ride_plan_edge){.kind = RIDE_EDGE_ALIGNED,
                              .offset_us = 1,
                              .shift_us = f->delay_us,
                              .period_us = f->window_us};
    if (f->kind == SPEC_HOPPING) {
        hi = (ride_plan_edge){.kind = RIDE_EDGE_ALIGNED,
                              .offset_us = 1,
                              .shift_us = f->delay_us,
                              .period_us = f->hop_us};
        lo = hi;
        lo.offset_us = f->window_us + 1;
    }
    if (at_now && f->ties == SPEC_EXCLUDE) hi = offset_edge(1);
    a->peers = at_now && f->ties == SPEC_PEERS && spec_events(b)->order == RIDE_ORDER_EVENT_TIME;
    bool never = f->op == RIDE_AGG_SINCE_LAST || f->op == RIDE_AGG_SINCE_FIRST || f->op == RIDE_AGG_FIRST_SEEN;
    bool wanted = f->op == RIDE_AGG_LAST ? f->current == SPEC_INCLUDE : f->current != SPEC_CURRENT_EXCLUDE;
    a->current = at_now && wanted && !never;
    a->edge_lo = edge_of(b, f, lo);
    a->edge_hi = edge_of(b, f, hi);
    b->spec->has_peers |= a->peers;
}

static void plan_lanes(spec_builder *b, const spec_feature *f, ride_plan_aggregate *a) {
    const ride_source_spec *events = spec_events(b);
    spec_private *p = b->priv;
    const ride_field *field = f->field >= 0 ? &events->fields[f->field] : NULL;
    a->lane_count = a->lane_sum = a->lane_sumsq = a->lane_value = a->column = -1;
    a->condition = f->condition;
    if (field != NULL) a->column = (int32_t)field->column;
    if (field != NULL && is_identity(f->op) && field->tile_type == RIDE_TYPE_STRING)
        a->column =
            spec_hash_column(events, (uint32_t)f->field, p->columns, &p->columns_count, p->hashes, &p->hashes_count);
    bool is_u64 = field != NULL && field->tile_type == RIDE_TYPE_U64;
    if (field != NULL && field->type == RIDE_FIELD_DECIMAL && f->op != RIDE_AGG_COUNT && !is_identity(f->op)) {
        a->is_decimal = 1;
        a->scale = field->scale;
    }
    bool some = f->condition >= 0 || (field != NULL && field->nullable);
    if (f->op <= RIDE_AGG_STD_POP || f->op == RIDE_AGG_RISK)
        if (some)
            a->lane_count = lane_of(b, f, RIDE_LANE_COUNT, field != NULL && field->nullable ? a->column : -1, false);
    if (f->op >= RIDE_AGG_SUM && f->op <= RIDE_AGG_STD_POP)
        a->lane_sum = lane_of(b, f, RIDE_LANE_SUM, a->column, is_u64);
    if (f->op >= RIDE_AGG_VAR && f->op <= RIDE_AGG_STD_POP)
        a->lane_sumsq = lane_of(b, f, RIDE_LANE_SUMSQ, a->column, is_u64);
    if (f->op == RIDE_AGG_RISK) a->lane_sum = lane_of(b, f, RIDE_LANE_LABEL, -1, false);
    if (is_value(f->op)) a->lane_value = lane_of(b, f, RIDE_LANE_VALUE, a->column, is_u64);
    if (is_identity(f->op)) a->lane_value = lane_of(b, f, RIDE_LANE_HASH, a->column, false);
    if ((f->op == RIDE_AGG_SINCE_LAST || f->op == RIDE_AGG_SINCE_FIRST) && some)
        a->lane_value = lane_of(b, f, RIDE_LANE_PRESENT, field != NULL && field->nullable ? a->column : -1, false);
}

void spec_plan_features(spec_builder *b) {
    spec_private *p = b->priv;
    for (uint32_t e = 0; e < b->spec->entities_count; e++) {
        plan_retention(b, e);
        for (uint32_t i = 0; i < b->spec->features_count; i++) {
            spec_feature *f = &p->features[i];
            if (f->is_expression || f->entity != e) continue;
            ride_plan_aggregate a = {.op = (uint16_t)f->op,
                                     .entity = (uint16_t)e,
                                     .feature = i,
                                     .min_count = f->min_count,
                                     .has_empty = f->has_empty,
                                     .empty = f->empty};
            plan_lanes(b, f, &a);
            plan_ends(b, f, &a);
            f->aggregate = (int32_t)p->aggregates_count;
            p->aggregates[p->aggregates_count++] = a;
            p->entities[e].aggregates_count++;
        }
    }
}

/* Greatest magnitude that a field's declaration admits; 0 when only its 64 bits bound it. */
static uint64_t declared_magnitude(const ride_field *field) {
    uint64_t low = field->min < 0 ? 0 - (uint64_t)field->min : (uint64_t)field->min;
    uint64_t high = field->max < 0 ? 0 - (uint64_t)field->max : (uint64_t)field->max;
    if (field->has_min && field->has_max) return low > high ? low : high;
    switch (field->type) {
    case RIDE_FIELD_U8: return UINT8_MAX;
    case RIDE_FIELD_U16: return UINT16_MAX;
    case RIDE_FIELD_U32: return UINT32_MAX;
    case RIDE_FIELD_I8: return 1u << 7;
    case RIDE_FIELD_I16: return 1u << 15;
    case RIDE_FIELD_I32: return 1u << 31;
    default: return 0;
    }
}

/* A window's sum must fit in 64 bits: events of a key × greatest value < 2^63 (then squares fit in 128). What the declaration
 * bounds is checked; a 64-bit column without bounds gets the domain that is safe, and values outside are rejected rows. */
static void bound_sum(spec_builder *b, const spec_feature *f) {
    ride_field *field = &spec_events(b)->fields[f->field];
    uint32_t max_events = b->priv->entities[f->entity].max_events;
    int64_t events = max_events != 0 ? max_events : SPEC_EVENTS_DEFAULT, safe = INT64_MAX / events;
    uint64_t declared = declared_magnitude(field);
    uint64_t low = field->has_min ? (field->min < 0 ? 0 - (uint64_t)field->min : (uint64_t)field->min) : 0;
    uint64_t high = field->has_max ? (field->max < 0 ? 0 - (uint64_t)field->max : (uint64_t)field->max) : 0;
    uint64_t greatest = declared > low ? declared : low;
    if (high > greatest) greatest = high;
    if (greatest > (uint64_t)safe) {
        ride_yaml_fault(&b->reader, f->node, "narrow `min` and `max` of the field, or give the entity `max_events`",
                        "sums of `%s` by `%s` can overflow: %" PRId64 " events x %" PRIu64 " > 2^63 - 1", field->name,
                        b->spec->entities[f->entity].name, events, greatest);
        return;
    }
    if (declared != 0) return;
    if (!field->has_min) field->min = field->tile_type == RIDE_TYPE_U64 ? 0 : -safe;
    if (!field->has_max) field->max = safe;
    field->has_min = field->has_max = true;
}

void spec_bound_sums(spec_builder *b) {
    /* the entity with the most events first, so that a domain made here is the narrowest */
    uint32_t most_first[RIDE_ENTITIES_MAX], count = b->spec->entities_count;
    for (uint32_t e = 0; e < count; e++) {
        uint32_t at = e, own = b->priv->entities[e].max_events;
        uint64_t events = own != 0 ? own : SPEC_EVENTS_DEFAULT;
        for (; at > 0; at--) {
            uint32_t other = b->priv->entities[most_first[at - 1]].max_events;
            if ((other != 0 ? other : SPEC_EVENTS_DEFAULT) >= events) break;
            most_first[at] = most_first[at - 1];
        }
        most_first[at] = e;
    }
    for (uint32_t e = 0; e < count; e++)
        for (uint32_t i = 0; i < b->spec->features_count; i++) {
            const spec_feature *f = &b->priv->features[i];
            if (f->is_expression || f->field < 0 || f->entity != most_first[e]) continue;
            if (f->op >= RIDE_AGG_SUM && f->op <= RIDE_AGG_STD_POP) bound_sum(b, f);
        }
}

void spec_compile_expressions(spec_builder *b) {
    spec_private *p = b->priv;
    ride_expr_symbol *symbols = ride_arena_new(p->arena, ride_expr_symbol, SPEC_SYMBOLS_MAX);
    uint32_t *symbol_fields = ride_arena_new(p->arena, uint32_t, SPEC_SYMBOLS_MAX);
    if (symbols == NULL || symbol_fields == NULL) {
        b->no_memory = true;
        return;
    }
    for (uint32_t i = 0; i < b->spec->features_count; i++) {
        spec_feature *f = &p->features[i];
        if (!f->is_expression) continue;
        spec_scope scope = {.symbols = symbols,
                            .symbol_fields = symbol_fields,
                            .events = spec_events(b),
                            .columns = p->columns,
                            .columns_count = &p->columns_count,
                            .hashes = p->hashes,
                            .hashes_count = &p->hashes_count};
        spec_scope_make(b->spec, &scope, b->spec->features_count, i, false);
        ride_expr_place place = {.file = b->reader.path,
                                 .line = f->expr->text_line,
                                 .column = f->expr->text_column,
                                 .status = RIDE_E_SPEC};
        ride_expr_result result;
        if (ride_expr_compile(f->text, strlen(f->text), RIDE_EXPR_WANT_NUMBER, &place, &scope.scope, &p->sections,
                              &result, b->reader.findings) != RIDE_OK)
            continue;
        f->is_bool = result.is_bool;
        p->expressions[p->expressions_count++] = (ride_plan_expression){.program = result.program, .feature = i};
    }
}
