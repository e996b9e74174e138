/* What a feature spec compiles to, and what it is refused for: every rule of the grammar with its place. The plan's numbers
 * are written out by hand from the definition of the windows. */
#include "features/explain.h"
#include "features/spec.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define D INT64_C(86400000000)
#define H INT64_C(3600000000)

#define HANDBOOK                                                                                                       \
    "version: 1\n"                                                                                                     \
    "sources:\n"                                                                                                       \
    "  tx:\n"                                                                                                          \
    "    format: csv\n"                                                                                                \
    "    event_time: {field: TX_DATETIME, unit: iso8601}\n"                                                            \
    "    event_id: TRANSACTION_ID\n"                                                                                   \
    "    label: TX_FRAUD\n"                                                                                            \
    "    fields: {TRANSACTION_ID: u64, CUSTOMER_ID: u32, TERMINAL_ID: u32, TX_AMOUNT: {type: decimal, scale: 2}, "     \
    "TX_FRAUD: bool}\n"                                                                                                \
    "entities:\n"                                                                                                      \
    "  customer: {keys: [CUSTOMER_ID], horizon: 30d}\n"                                                                \
    "  terminal: {keys: [TERMINAL_ID], horizon: 37d}\n"                                                                \
    "features:\n"                                                                                                      \
    "  - {entity: customer, agg: [count], windows: [1d, 7d, 30d]}\n"                                                   \
    "  - {entity: customer, column: TX_AMOUNT, agg: [mean], windows: [1d, 7d, 30d]}\n"                                 \
    "  - {entity: terminal, agg: [count], windows: [1d, 7d, 30d], delay: 7d}\n"                                        \
    "  - {entity: terminal, agg: [risk], windows: [1d, 7d, 30d], delay: 7d, labels: fixed, empty: 0}\n"                \
    "  - {name: weekend, expr: \"weekend(ts)\"}\n"                                                                     \
    "  - {name: night, expr: \"hour(ts) <= 6\"}\n"                                                                     \
    "vector: [TX_AMOUNT, weekend, night, \"customer_count_*\", \"customer_TX_AMOUNT_mean_*\", \"terminal_count_*\", "  \
    "\"terminal_risk_*\"]\n"

/* Lines 1 … 8; features begin at line 9. Column 5 is the first character of an entry's mapping. */
#define HEAD                                                                                                           \
    "version: 1\n"                                                                                                     \
    "sources:\n"                                                                                                       \
    "  tx: {event_time: {field: at, unit: ms}, event_id: id, label: bad, fields: {card: string, shop: u32, n: i64, "   \
    "a: {type: decimal, scale: 2}, o: {type: decimal, scale: 2, nullable: true}, f: f64, u: u64, s: {type: string, "   \
    "nullable: true}, c: {category: [pos, web]}, bad: bool, big: {type: i64, min: 0, max: 9000000000000000000}}}\n"    \
    "entities:\n"                                                                                                      \
    "  card: {keys: [card], horizon: 40d}\n"                                                                           \
    "  shop: {keys: shop}\n"                                                                                           \
    "\n"                                                                                                               \
    "features:\n"

static ride_diagnostics findings;

static ride_spec *parse(const char *text) {
    ride_spec *spec = NULL;
    ride_diagnostics_free(&findings);
    ride_status st = ride_spec_parse("t.yaml", text, strlen(text), &spec, &findings);
    cr_assert_eq(st, RIDE_OK, "%s at %u:%u\n%s", findings.count ? findings.items[0].message : "?",
                 findings.count ? findings.items[0].line : 0, findings.count ? findings.items[0].column : 0, text);
    return spec;
}

/* The text must be refused, its first finding beginning with "line:column: message". */
static void refuse(const char *text, const char *expected) {
    ride_spec *spec = NULL;
    char got[1300];
    ride_diagnostics_free(&findings);
    ride_status st = ride_spec_parse("t.yaml", text, strlen(text), &spec, &findings);
    cr_assert_eq(st, RIDE_E_SPEC, "accepted: %s", text);
    cr_assert_null(spec);
    snprintf(got, sizeof got, "%u:%u: %s (%s)", findings.items[0].line, findings.items[0].column,
             findings.items[0].message, findings.items[0].advice != NULL ? findings.items[0].advice : "");
    cr_expect_eq(strncmp(got, expected, strlen(expected)), 0, "expected %s\n     got %s", expected, got);
    ride_diagnostics_free(&findings);
}
#define REFUSE(entry, expected) refuse(HEAD "  - " entry "\n", expected)

typedef struct compiled {
    ride_spec *spec;
    uint8_t *image;
    ride_bundle bundle;
    const ride_plan_aggregate *aggregates;
    const ride_plan_entity *entities;
} compiled;

static compiled compile_with(const char *text, const ride_rule_spec *rules, uint32_t rules_count) {
    compiled c = {.spec = parse(text)};
    ride_bundle_builder *builder = NULL;
    uint64_t bytes = 0;
    ride_error err = {0};
    cr_assert_eq(ride_bundle_builder_create(&builder, &err), RIDE_OK);
    cr_assert_eq(ride_spec_to_bundle(c.spec, rules, rules_count, builder, &findings), RIDE_OK, "%s",
                 findings.count ? findings.items[0].message : "?");
    cr_assert_eq(ride_bundle_builder_build(builder, &c.image, &bytes, &err), RIDE_OK);
    ride_bundle_builder_destroy(builder);
    cr_assert_eq(ride_bundle_open(c.image, bytes, &c.bundle, &err), RIDE_OK, "%s", err.what);
    c.aggregates = ride_bundle_array(&c.bundle, RIDE_SECTION_AGGREGATES, ride_plan_aggregate);
    c.entities = ride_bundle_array(&c.bundle, RIDE_SECTION_ENTITIES, ride_plan_entity);
    return c;
}
static compiled compile(const char *text) { return compile_with(text, NULL, 0); }
static void release(compiled *c) {
    ride_bundle_image_free(c->image);
    ride_spec_destroy(c->spec);
}
static const ride_plan_edge *edge(const compiled *c, const ride_plan_aggregate *a, int32_t index) {
    return ride_bundle_array(&c->bundle, RIDE_SECTION_EDGES, ride_plan_edge) + c->entities[a->entity].edges_first +
           index;
}
static const ride_plan_lane *lane(const compiled *c, const ride_plan_aggregate *a, int32_t index) {
    return ride_bundle_array(&c->bundle, RIDE_SECTION_LANES, ride_plan_lane) + c->entities[a->entity].lanes_first +
           index;
}

Test(spec, the_handbook_compiles_to_its_plan) {
    static const char *const vector[] = {"TX_AMOUNT",
                                         "weekend",
                                         "night",
                                         "customer_count_1d",
                                         "customer_count_7d",
                                         "customer_count_30d",
                                         "customer_TX_AMOUNT_mean_1d",
                                         "customer_TX_AMOUNT_mean_7d",
                                         "customer_TX_AMOUNT_mean_30d",
                                         "terminal_count_1d",
                                         "terminal_count_7d",
                                         "terminal_count_30d",
                                         "terminal_risk_1d",
                                         "terminal_risk_7d",
                                         "terminal_risk_30d"};
    static const int64_t days[] = {1, 7, 30};
    compiled c = compile(HANDBOOK);
    cr_assert_eq(c.spec->vector_count, 15);
    for (int i = 0; i < 15; i++) cr_expect_str_eq(c.spec->vector_names[i], vector[i]);
    cr_assert_eq(c.bundle.plan->features_count, 14);
    cr_assert_eq(c.bundle.plan->expressions_count, 2);
    cr_expect_eq(c.bundle.plan->label_kind, RIDE_LABEL_IN_EVENT);
    /* 3 system columns, 2 keys, then the 5 fields; the hidden event time has none */
    cr_expect_eq(c.bundle.plan->columns_count, 10);
    cr_expect_eq(c.bundle.plan->column_label, 9);
    cr_expect_eq(c.spec->sources[0].fields[3].column, 8);
    cr_expect_eq(c.spec->sources[0].fields[c.spec->sources[0].field_time].column, RIDE_COLUMN_NONE);
    for (int i = 0; i < 12; i++) {
        const ride_plan_aggregate *a = &c.aggregates[i];
        int64_t delay = i < 6 ? 0 : 7 * D;
        cr_expect_eq(edge(&c, a, a->edge_lo)->offset_us, delay + days[i % 3] * D);
        cr_expect_eq(edge(&c, a, a->edge_hi)->offset_us, delay);
        cr_expect_eq(a->current, i < 6);
        cr_expect_eq(a->lane_count, -1);
        cr_expect_eq(a->feature, i);
    }
    cr_expect_eq(c.aggregates[3].op, RIDE_AGG_MEAN);
    cr_expect(c.aggregates[3].is_decimal == 1 && c.aggregates[3].scale == 2);
    cr_expect_eq(lane(&c, &c.aggregates[3], c.aggregates[3].lane_sum)->kind, RIDE_LANE_SUM);
    cr_expect_eq(c.aggregates[9].op, RIDE_AGG_RISK);
    cr_expect(c.aggregates[9].has_empty == 1 && c.aggregates[9].empty == 0.0);
    cr_expect_eq(lane(&c, &c.aggregates[9], c.aggregates[9].lane_sum)->kind, RIDE_LANE_LABEL);
    cr_expect_eq(c.entities[0].lanes_count, 1); /* one running sum serves three means */
    cr_expect_eq(c.entities[0].edges_count, 4); /* three ends on the left, one on the right */
    cr_expect_eq(c.entities[0].retention_us, 30 * D);
    cr_expect_eq(c.entities[1].retention_us, 37 * D);
    release(&c);
}

/* One entry on the entity card: its two edges as offsets, and its flags. */
static void ends(const char *entry, int64_t lo_us, int64_t hi_us, int current, int peers) {
    char text[4096];
    snprintf(text, sizeof text, "%s  - {%s}\n", HEAD, entry);
    compiled c = compile(text);
    const ride_plan_aggregate *a = &c.aggregates[0];
    cr_expect_eq(edge(&c, a, a->edge_lo)->offset_us, lo_us, "%s: lo %ld", entry,
                 (long)edge(&c, a, a->edge_lo)->offset_us);
    cr_expect_eq(edge(&c, a, a->edge_hi)->offset_us, hi_us, "%s: hi %ld", entry,
                 (long)edge(&c, a, a->edge_hi)->offset_us);
    cr_expect_eq(a->current, current, "%s: current", entry);
    cr_expect_eq(a->peers, peers, "%s: peers", entry);
    release(&c);
}

Test(spec, closed_ties_current_and_delay_set_the_edges) {
    ends("entity: card, agg: count, windows: 1d", D, 0, 1, 0);
    ends("entity: card, agg: count, windows: 1d, closed: both", D + 1, 0, 1, 0);
    ends("entity: card, agg: count, windows: 1d, closed: left", D + 1, 1, 0, 0);
    ends("entity: card, agg: count, windows: 1d, closed: neither", D, 1, 0, 0);
    ends("entity: card, agg: count, windows: 1d, ties: exclude", D, 1, 1, 0);
    ends("entity: card, agg: count, windows: 1d, ties: peers", D, 0, 1, 0); /* arrival order: nothing is waited for */
    ends("entity: card, agg: count, windows: 1d, current: exclude", D, 0, 0, 0);
    ends("entity: card, agg: count, windows: 1d, delay: 2h", D + 2 * H, 2 * H, 0, 0);
    ends("entity: card, agg: count, windows: 1d, delay: 2h, closed: left", D + 2 * H + 1, 2 * H + 1, 0, 0);
    ends("entity: card, agg: count, windows: 1d, delay: 2h, ties: exclude, current: include", D + 2 * H, 2 * H, 0, 0);
    ends("entity: card, column: a, agg: last, windows: 1d", D, 0, 0, 0);
    ends("entity: card, column: a, agg: last, windows: 1d, current: include", D, 0, 1, 0);
    ends("entity: card, agg: since_last", 40 * D, 0, 0, 0);
    ends("entity: card, column: s, agg: first_seen", 40 * D, 0, 0, 0);
    ends("entity: card, column: a, agg: sum", 40 * D, 0, 1, 0);
}

Test(spec, peers_wait_only_in_order_of_event_time) {
    compiled c = compile("order: event_time\n" HEAD "  - {entity: card, agg: count, windows: [1d], ties: peers}\n"
                         "  - {entity: card, agg: count, windows: [2d], ties: peers, delay: 1d}\n");
    cr_expect(c.spec->has_peers && c.aggregates[0].peers == 1 && c.aggregates[0].current == 1);
    cr_expect_eq(c.aggregates[1].peers, 0);
    release(&c);
}

Test(spec, tumbling_and_hopping_windows_are_aligned) {
    compiled c =
        compile(HEAD "  - {entity: card, agg: count, windows: [1w], kind: tumbling}\n"
                     "  - {entity: card, agg: sum, column: n, windows: [1d], kind: hopping, hop: 1h, delay: 2h}\n");
    const ride_plan_aggregate *a = &c.aggregates[0];
    const ride_plan_edge *lo = edge(&c, a, a->edge_lo), *hi = edge(&c, a, a->edge_hi);
    cr_expect(lo->kind == RIDE_EDGE_ALIGNED && lo->period_us == 7 * D && lo->offset_us == 1 && lo->shift_us == 0);
    cr_expect(hi->kind == RIDE_EDGE_OFFSET && hi->offset_us == 0 && a->current == 1);
    a = &c.aggregates[1];
    lo = edge(&c, a, a->edge_lo), hi = edge(&c, a, a->edge_hi);
    cr_expect(lo->kind == RIDE_EDGE_ALIGNED && lo->period_us == H && lo->offset_us == D + 1 && lo->shift_us == 2 * H);
    cr_expect(hi->kind == RIDE_EDGE_ALIGNED && hi->period_us == H && hi->offset_us == 1 && hi->shift_us == 2 * H);
    cr_expect_eq(a->current, 0);
    release(&c);
}

Test(spec, lanes_hold_what_the_aggregates_need_once) {
    compiled c = compile(HEAD "  - {entity: card, column: o, agg: [count, mean, std, max], windows: [1d, 7d]}\n"
                              "  - {entity: card, column: s, agg: distinct, windows: 1d}\n"
                              "  - {entity: card, agg: count, windows: 1d, where: \"shop > 3\", name: x}\n"
                              "  - {entity: card, column: u, agg: min, windows: 1d}\n"
                              "  - {entity: card, column: o, agg: since_last}\n");
    /* count, sum, sumsq, value of `o`; hash of `s`; count where; value of `u`; presence of `o` */
    cr_assert_eq(c.entities[0].lanes_count, 8);
    const ride_plan_aggregate *std = &c.aggregates[4], *distinct = &c.aggregates[8], *min = &c.aggregates[10];
    cr_expect_eq(lane(&c, std, std->lane_count)->kind, RIDE_LANE_COUNT);
    cr_expect_eq(lane(&c, std, std->lane_sumsq)->kind, RIDE_LANE_SUMSQ);
    const ride_plan_column *columns = ride_bundle_array(&c.bundle, RIDE_SECTION_COLUMNS, ride_plan_column);
    const ride_plan_lane *hash = lane(&c, distinct, distinct->lane_value);
    cr_expect(hash->kind == RIDE_LANE_HASH && columns[hash->column].type == RIDE_TYPE_KEY128);
    cr_expect_eq(columns[hash->column].nullable, 1);
    ride_hash_column hashes[RIDE_FIELDS_MAX];
    cr_expect_eq(ride_spec_hash_columns(c.spec, &c.bundle, hashes), 1);
    cr_expect_eq(hashes[0].column, (uint32_t)hash->column);
    cr_expect_str_eq(c.spec->sources[0].fields[hashes[0].field].name, "s");
    cr_expect_eq(lane(&c, min, min->lane_value)->is_u64, 1);
    const ride_plan_aggregate *since = &c.aggregates[11];
    cr_expect_eq(lane(&c, since, since->lane_value)->kind, RIDE_LANE_PRESENT);
    cr_expect_eq(c.bundle.plan->conditions_count, 1);
    release(&c);
}

Test(spec, retention_follows_from_the_windows) {
    compiled c =
        compile("version: 1\nsources:\n  tx: {event_time: {field: t, unit: s}, watermark: {bound: 30s, "
                "allowed_lateness: 1h}, fields: {k: u32, a: i32}}\nentities:\n  k: {keys: [k]}\n  l: {keys: [k], "
                "horizon: 9d}\nfeatures:\n  - {entity: k, agg: count, windows: 1d, delay: 1d}\n  - {entity: l, "
                "agg: since_last}\n");
    int64_t slack = 30 * 1000000 + H;
    cr_expect_eq(c.entities[0].need_us, 2 * D);
    cr_expect_eq(c.entities[0].retention_us, 2 * D + slack);
    cr_expect_eq(c.entities[1].lookback_us, 9 * D);
    cr_expect_eq(c.entities[1].retention_us, 9 * D + slack);
    cr_expect_eq(c.entities[1].need_us, 9 * D);
    release(&c);
}

#define SOURCE(keys)                                                                                                   \
    "version: 1\nsources:\n  tx: {event_time: {field: t, unit: s}, fields: {k: u32, a: {type: decimal, scale: "        \
    "2}}" keys "}\n"

Test(spec, labels_can_come_from_a_source) {
    compiled c =
        compile("version: 1\nsources:\n  tx: {event_time: {field: t, unit: s}, event_id: id, fields: {k: u32}}\n"
                "  chargebacks: {event_time: {field: at, unit: s}, labels: {source: tx, key: id, value: fraud}}\n"
                "entities: {k: {keys: [k]}}\nfeatures: [{entity: k, agg: risk, windows: 7d, labels: arrival}]\n");
    cr_expect_eq(c.bundle.plan->label_kind, RIDE_LABEL_SOURCE);
    cr_expect_eq(c.spec->column_label, c.bundle.plan->column_label);
    const ride_plan_column *columns = ride_bundle_array(&c.bundle, RIDE_SECTION_COLUMNS, ride_plan_column);
    cr_expect_eq(c.spec->column_sequence, c.bundle.plan->column_sequence);
    cr_expect_eq(columns[c.spec->column_sequence].type, RIDE_TYPE_U64);
    cr_expect_eq(c.spec->source_labels, 1);
    const ride_source_spec *labels = &c.spec->sources[1];
    cr_expect_eq(labels->fields[labels->field_label_key].type, RIDE_FIELD_STRING);
    cr_expect_eq(labels->fields[labels->field_label_value].type, RIDE_FIELD_BOOL);
    release(&c);
}

Test(spec, rules_see_fields_features_and_the_score) {
    ride_rule_spec rules[] = {{.id = "r1",
                               .when = "probability > 0.9 and a > 100",
                               .decision = RIDE_DECISION_DECLINE,
                               .file = "c.yaml",
                               .line = 7,
                               .column = 11},
                              {.id = "r2",
                               .when = "s == 'x' and card_count_1d > 3",
                               .decision = RIDE_DECISION_REVIEW,
                               .file = "c.yaml",
                               .line = 8,
                               .column = 11}};
    compiled c = compile_with(HEAD "  - {entity: card, agg: count, windows: 1d}\n", rules, 2);
    ride_hash_column hashes[RIDE_FIELDS_MAX];
    cr_expect_eq(c.bundle.plan->rules_count, 2);
    cr_assert_eq(ride_spec_hash_columns(c.spec, &c.bundle, hashes), 1); /* the rule's own */
    cr_expect_str_eq(c.spec->sources[0].fields[hashes[0].field].name, "s");
    release(&c);
    c.spec = parse(HEAD "  - {entity: card, agg: count, windows: 1d}\n");
    ride_bundle_builder *builder = NULL;
    ride_bundle_builder_create(&builder, NULL);
    rules[0].when = "bad";
    cr_expect_eq(ride_spec_to_bundle(c.spec, rules, 1, builder, &findings), RIDE_E_CONFIG);
    cr_expect(findings.count == 1 && findings.items[0].line == 7 && findings.items[0].column == 11);
    cr_expect_str_eq(findings.items[0].file, "c.yaml");
    ride_diagnostics_free(&findings);
    ride_bundle_builder_destroy(builder);
    ride_spec_destroy(c.spec);
}

Test(spec, the_hash_ignores_form_and_sees_meaning) {
    ride_spec *a = parse(HANDBOOK), *b = parse("# a comment\n" HANDBOOK);
    cr_expect_arr_eq(a->hash, b->hash, 32);
    cr_expect_arr_eq(a->features[0].id, b->features[0].id, 16);
    cr_expect_neq(memcmp(a->features[0].id, a->features[1].id, 16), 0);
    ride_spec_destroy(b);
    b = parse(SOURCE("") "entities: {k: {keys: [k]}}\nfeatures: [{agg: count, entity: k, windows: 1d}]\n");
    ride_spec *same =
        parse(SOURCE("") "features: [{entity: k, windows: [1d], agg: [count]}]\nentities: {k: {keys: k}}\n");
    ride_spec *other =
        parse(SOURCE("") "entities: {k: {keys: [k]}}\nfeatures: [{agg: count, entity: k, windows: 2d}]\n");
    cr_expect_arr_eq(b->hash, same->hash, 32);
    cr_expect_neq(memcmp(b->hash, other->hash, 32), 0);
    ride_spec_destroy(a), ride_spec_destroy(b), ride_spec_destroy(same), ride_spec_destroy(other);
    /* an expression is another one when a feature that it names is another one */
    a = parse(SOURCE("") "entities: {k: {keys: [k]}}\nfeatures: [{name: r, expr: n + 1}, {name: q, expr: a + 1}, {agg: "
                         "count, entity: k, windows: 1d, name: n}]\n");
    b = parse(SOURCE("") "entities: {k: {keys: [k]}}\nfeatures: [{name: r, expr: n + 1}, {name: q, expr: a + 1}, {agg: "
                         "count, entity: k, windows: 2d, name: n}]\n");
    cr_expect_neq(memcmp(a->features[0].id, b->features[0].id, 16), 0);
    cr_expect_arr_eq(a->features[1].id, b->features[1].id, 16);
    ride_spec_destroy(a), ride_spec_destroy(b);
}

Test(spec, unknown_keys_are_errors_with_a_suggestion) {
    refuse("versoin: 1\n", "1:1: unknown key `versoin` in the spec (did you mean `version`?)");
    REFUSE("{entity: card, agg: count, window: 1d}",
           "9:32: unknown key `window` in a feature (did you mean `windows`?)");
    REFUSE("{entity: crad, agg: count, windows: 1d}", "9:14: no entity `crad` (did you mean `card`?)");
    REFUSE("{entity: card, column: cart, agg: count, windows: 1d}", "9:28: no field `cart` (did you mean `card`?)");
    refuse(SOURCE(", waterark: 1"), "3:89: unknown key `waterark` in source `tx` (did you mean `watermark`?)");
    refuse("version: 2\n", "1:10: `version` must lie in 1");
    refuse("zone: Mars/Base\n" SOURCE(""), "1:7: no time zone `Mars/Base`");
}

Test(spec, what_is_not_built_yet_is_said_so) {
    refuse(SOURCE("") "patterns: []\n", "4:1: `patterns` in the spec is not supported yet");
    REFUSE("{entity: card, column: a, agg: decay_sum, windows: 1d}", "9:36: agg `decay_sum` is not supported yet");
    refuse(SOURCE(", format: avro"), "3:97: format `avro` is not supported yet");
    refuse(SOURCE("") "entities: {k: {keys: [k], over: fold}}\n", "4:27: `over` in entity `k` is not supported yet");
}

Test(spec, columns_must_fit_their_aggregate) {
    REFUSE("{entity: card, column: f, agg: mean, windows: 1d}",
           "9:36: `mean` of `f`, which is a f64: a float column cannot be aggregated exactly (declare `f` as {type: "
           "decimal, scale: 2})");
    REFUSE("{entity: card, column: s, agg: sum, windows: 1d}", "9:36: `sum` of `s`, which is a string");
    REFUSE("{entity: card, agg: mean, windows: 1d}", "9:25: `mean` needs a `column`");
    REFUSE("{entity: card, column: a, agg: risk, windows: 1d, delay: 1d}", "9:36: `risk` takes no `column`");
    REFUSE("{entity: card, column: big, agg: sum, windows: 1d}",
           "9:5: sums of `big` by `card` can overflow: 1048576 events x 9000000000000000000");
    REFUSE("{entity: card, column: bad, agg: count, windows: 1d}", "9:28: `bad` is the label");
}

Test(spec, ends_that_say_nothing_are_errors) {
    REFUSE("{entity: card, agg: count, windows: 1d, closed: left, ties: peers}", "9:65: `ties` says nothing here");
    REFUSE("{entity: card, agg: count, windows: 1d, closed: neither, current: include}",
           "9:71: `current` says nothing here");
    REFUSE("{entity: card, agg: count, windows: 1d, kind: tumbling, closed: both}",
           "9:69: `closed` says nothing for tumbling");
    REFUSE("{entity: card, agg: since_last, current: include}", "9:46: `current` says nothing for `since_last`");
    REFUSE("{entity: card, agg: count, windows: 1d, hop: 1h}", "9:50: `hop` says nothing here");
    REFUSE("{entity: card, agg: count, windows: 1d, kind: hopping}", "9:51: `kind: hopping` needs a `hop`");
}

Test(spec, labels_and_horizons_are_checked) {
    REFUSE("{entity: card, agg: risk, windows: 1d, labels: fixed}",
           "9:52: `risk` with `labels: fixed` needs a `delay`");
    REFUSE("{entity: card, agg: risk, windows: 1d}", "9:5: `risk` with `labels: fixed` needs a `delay`");
    REFUSE("{entity: card, agg: count, windows: 1d, labels: fixed, delay: 1d}",
           "9:53: `labels` says nothing without `risk`");
    REFUSE("{entity: card, agg: count, windows: 35d, delay: 7d}",
           "5:33: the horizon of `card` is shorter than a feature at line 9 needs: window 35d + delay 7d = 42d");
    REFUSE("{entity: shop, agg: since_last}",
           "6:9: entity `shop` has a feature without a window: it needs a `horizon`");
    REFUSE("{name: leak, expr: \"bad + 1\"}", "9:25: ");
    REFUSE("{entity: card, agg: count, windows: 1d, where: bad}", "9:52: ");
    refuse(HEAD "  - {entity: card, agg: count, windows: 1d}\nvector: [bad]\n", "10:10: `bad` is the label");
    refuse(SOURCE("") "entities: {k: {keys: [k]}}\nfeatures: [{entity: k, agg: risk, windows: 1d, delay: 1d}]\n",
           "5:12: `risk` needs labels");
}

Test(spec, names_are_single) {
    REFUSE("{entity: card, agg: [count, since_last], windows: [1d], name: x}", "9:61: `name` with 2 features");
    REFUSE("{entity: card, agg: count, windows: [1d, 2d], name: x}", "9:51: `name` with 2 features");
    REFUSE("{entity: card, agg: count, windows: 1d}\n  - {entity: card, agg: count, windows: 1d, delay: 1d}",
           "10:5: two features are called `card_count_1d` (the first at line 9) (give one of them a `name`)");
    REFUSE("{entity: card, agg: count, windows: 1d, name: a}", "9:51: the feature `a` has the name of a field");
    REFUSE("{entity: card, agg: count, windows: 1d, name: ts}", "9:51: a feature cannot be called `ts`");
    refuse(HEAD "  - {entity: card, agg: count, windows: 1d}\nvector: [\"x_*\"]\n", "10:10: `x_*` matches no feature");
    refuse(HEAD "  - {entity: card, agg: count, windows: 1d}\nvector: [s]\n", "10:10: `s` is a string");
    refuse(HEAD "  - {entity: card, agg: count, windows: 1d}\nvector: [a, a]\n", "10:13: `vector` names `a` twice");
}

Test(spec, sources_and_fields_are_checked) {
    refuse("version: 1\nsources:\n  tx: {event_time: {field: t, unit: s}, fields: {a: decimal}}\n",
           "3:53: `a` is a decimal: it needs a `scale`");
    refuse("version: 1\nsources:\n  tx: {event_time: {field: t}, fields: {a: u8}}\n",
           "3:20: `event_time` has no `unit`");
    refuse("version: 1\nsources:\n  tx: {event_time: {field: t, unit: s}, fields: {a: in32}}\n",
           "3:53: the type of `a` must be");
    refuse("version: 1\nsources:\n  tx: {event_time: {field: t, unit: s}, fields: {t: string}}\n",
           "3:28: the event time `t` is listed as string");
    refuse(SOURCE(", dedup: 1h"), "3:96: `dedup` needs an `event_id`");
    refuse(SOURCE("") "entities: {k: {keys: [a, q]}}\n", "4:26: no field `q`");
    refuse("version: 1\n", "1:1: the spec has no `sources`");
    refuse("version: 1\nsources:\n  tx: {event_time: {field: t, unit: s}, fields: {a: u8}, watermark: {bound: 5}}\n",
           "3:77: `bound` must be a duration, not `5`");
}

Test(spec, a_budget_that_is_too_small_is_told_with_the_arithmetic) {
    refuse(SOURCE("") "memory: 1GiB\nentities: {k: {keys: [k], expected_keys: 20_000_000, max_events: 256}}\nfeatures: "
                      "[{entity: k, agg: count, windows: 1d}]\n",
           "4:9: the entities need 54080000000 bytes together, the budget is 1073741824");
    ride_spec *spec = parse(SOURCE("") "memory: 64GiB\nentities: {k: {keys: [k], expected_keys: 1000, max_events: "
                                       "16}}\nfeatures: [{entity: k, agg: count, windows: 1d}]\n");
    ride_spec_destroy(spec);
}

Test(spec, explain_adds_up_and_names_every_feature) {
    ride_spec *spec =
        parse(SOURCE("") "memory: 64GiB\nentities: {k: {keys: [k], expected_keys: 1000, max_events: 16}}\n"
                         "features: [{entity: k, agg: count, windows: 1d}]\n");
    ride_explain_entity x[RIDE_ENTITIES_MAX];
    ride_error err = {0};
    char *text = NULL, expected[128];
    cr_assert_eq(ride_explain_memory(spec, x, &err), RIDE_OK, "%s", err.what);
    cr_expect_eq(x[0].total_bytes_max, 1000 * x[0].key_bytes_wide);
    cr_expect(x[0].key_bytes_once > 0 && x[0].key_bytes_once <= x[0].key_bytes &&
              x[0].key_bytes <= x[0].key_bytes_wide);
    cr_assert_eq(ride_explain_text(spec, &text, &err), RIDE_OK);
    snprintf(expected, sizeof expected, "1000 keys x %llu bytes = %llu bytes at most",
             (unsigned long long)x[0].key_bytes_wide, (unsigned long long)x[0].total_bytes_max);
    cr_expect_not_null(strstr(text, expected), "%s", text);
    cr_expect_not_null(strstr(text, "exact k_count_1d = count() over 1d by k"), "%s", text);
    free(text);
    ride_spec_destroy(spec);
    refuse(SOURCE("") "entities: {k: {keys: [k], memory: 1GiB}}\nfeatures: [{entity: k, agg: count, windows: 1d}]\n",
           "4:35: `memory` of entity `k` needs `expected_keys`");
}

Test(spec, all_findings_are_told_at_once) {
    ride_spec *spec = NULL;
    const char *text = HEAD "  - {entity: card, agg: countt, windows: 1d}\n  - {entity: crd, agg: count, windows: "
                            "1x}\n  - {name: e, expr: \"a +\"}\n";
    cr_assert_eq(ride_spec_parse("t.yaml", text, strlen(text), &spec, &findings), RIDE_E_SPEC);
    cr_expect_eq(findings.count, 4);
    ride_diagnostics_free(&findings);
    text = SOURCE(", dedup: 1h") "entities: {k: {keys: [q]}}\nfeatures: [{entity: k, agg: count, windows: 1x}]\n";
    cr_assert_eq(ride_spec_parse("t.yaml", text, strlen(text), &spec, &findings), RIDE_E_SPEC);
    cr_expect_eq(findings.count, 3); /* of the source, the entity and the feature */
    ride_diagnostics_free(&findings);
}

Test(zone, named_zones_follow_their_rules_to_2100) {
    ride_zone zone;
    ride_error err;
    cr_assert_eq(ride_zone_open("+02:00", &zone, &err), RIDE_OK);
    cr_expect(zone.count == 1 && zone.transitions[0].offset_us == 2 * H);
    ride_zone_close(&zone);
    cr_assert_eq(ride_zone_open("UTC", &zone, &err), RIDE_OK);
    cr_expect_eq(zone.count, 0);
    cr_expect_neq(ride_zone_open("../../etc/passwd", &zone, &err), RIDE_OK);
    if (ride_zone_open("Europe/Berlin", &zone, &err) != RIDE_OK) cr_skip_test("no tzdata on this machine");
    /* Python: datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin")) is 10:00 UTC; 2090-07-01 12:00 too */
    cr_expect_eq(ride_zone_local_to_utc(&zone, INT64_C(1782907200) * 1000000), INT64_C(1782900000) * 1000000);
    cr_expect_eq(ride_zone_local_to_utc(&zone, INT64_C(3802593600) * 1000000), INT64_C(3802586400) * 1000000);
    /* 2026-03-29 02:30 does not exist: as before the change, 01:30 UTC. 2026-10-25 02:30 occurs twice: 00:30 UTC */
    cr_expect_eq(ride_zone_local_to_utc(&zone, INT64_C(1774751400) * 1000000), INT64_C(1774747800) * 1000000);
    cr_expect_eq(ride_zone_local_to_utc(&zone, INT64_C(1792895400) * 1000000), INT64_C(1792888200) * 1000000);
    ride_zone_close(&zone);
}
