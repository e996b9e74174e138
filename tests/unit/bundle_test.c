/* Bundles: what is built opens, and nothing damaged does. */
#include "base/crc32c.h"
#include "kernels/layout/program.h"
#include "ride/backend.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A small plan with one of everything. */
typedef struct tables {
    ride_plan_header plan;
    ride_plan_column columns[6];
    ride_plan_entity entities[1];
    ride_plan_lane lanes[6];
    ride_plan_edge edges[3];
    ride_plan_aggregate aggregates[4];
    ride_plan_condition conditions[1];
    ride_plan_expression expressions[1];
    ride_plan_vector vector[2];
    ride_plan_zone zone[2];
    ride_plan_rule rules[1];
    ride_program programs[2];
    ride_instruction code[2];
} tables;

static tables small_plan(void) {
    return (tables){
        .plan = {.plan_version = RIDE_PLAN_VERSION,
                 .columns_count = 6,
                 .entities_count = 1,
                 .lanes_count = 6,
                 .edges_count = 3,
                 .aggregates_count = 4,
                 .conditions_count = 1,
                 .expressions_count = 1,
                 .features_count = 5,
                 .vector_count = 2,
                 .column_label = 5,
                 .label_kind = RIDE_LABEL_IN_EVENT,
                 .zone_transitions_count = 2,
                 .rules_count = 1},
        .columns = {{.type = RIDE_TYPE_TIMESTAMP},
                    {.type = RIDE_TYPE_TIMESTAMP},
                    {.type = RIDE_TYPE_U32},
                    {.type = RIDE_TYPE_KEY128, .nullable = 1},
                    {.type = RIDE_TYPE_DECIMAL, .nullable = 1, .scale = 2},
                    {.type = RIDE_TYPE_BOOL}},
        .entities = {{.key_column = 3,
                      .lanes_count = 6,
                      .edges_count = 3,
                      .aggregates_count = 4,
                      .need_us = 10,
                      .retention_us = 10,
                      .lookback_us = 10}},
        .lanes = {{.kind = RIDE_LANE_COUNT, .column = 4, .condition = 0},
                  {.kind = RIDE_LANE_SUM, .column = 4, .condition = -1},
                  {.kind = RIDE_LANE_SUMSQ, .column = 4, .condition = -1},
                  {.kind = RIDE_LANE_LABEL, .column = -1, .condition = -1},
                  {.kind = RIDE_LANE_VALUE, .column = 4, .condition = -1},
                  {.kind = RIDE_LANE_HASH, .column = 3, .condition = -1}},
        .edges = {{.kind = RIDE_EDGE_OFFSET},
                  {.kind = RIDE_EDGE_OFFSET, .offset_us = 10},
                  {.kind = RIDE_EDGE_ALIGNED, .period_us = 1000}},
        .aggregates = {{.op = RIDE_AGG_STD,
                        .edge_lo = 1,
                        .lane_sum = 1,
                        .lane_sumsq = 2,
                        .lane_value = -1,
                        .column = 4,
                        .condition = -1,
                        .feature = 0},
                       {.op = RIDE_AGG_RISK,
                        .edge_lo = 1,
                        .lane_count = -1,
                        .lane_sum = 3,
                        .lane_sumsq = -1,
                        .lane_value = -1,
                        .column = -1,
                        .condition = -1,
                        .feature = 2},
                       {.op = RIDE_AGG_MAX,
                        .edge_lo = 2,
                        .lane_count = -1,
                        .lane_sum = -1,
                        .lane_sumsq = -1,
                        .lane_value = 4,
                        .column = 4,
                        .condition = 0,
                        .feature = 1},
                       {.op = RIDE_AGG_SINCE_LAST,
                        .edge_lo = -1,
                        .edge_hi = -1,
                        .lane_count = -1,
                        .lane_sum = -1,
                        .lane_sumsq = -1,
                        .lane_value = -1,
                        .column = -1,
                        .condition = -1,
                        .feature = 4}},
        .expressions = {{.program = 1, .feature = 3}},
        .vector = {{.is_feature = 1, .index = 4}, {.is_feature = 0, .index = 4}},
        .zone = {{.utc_us = INT64_MIN}, {.utc_us = 0, .offset_us = 3600000000}},
        .rules = {{.decision = RIDE_DECISION_DECLINE}},
        .programs = {{.code_count = 1, .registers_count = 1, .result_class = RIDE_CLASS_BOOL},
                     {.code_first = 1,
                      .code_count = 1,
                      .registers_count = 1,
                      .result_class = RIDE_CLASS_F64,
                      .reads = RIDE_PROGRAM_READS_FEATURES}},
        .code = {{.op = RIDE_OP_LOAD_BOOL, .index = 5}, {.op = RIDE_OP_LOAD_OUT, .index = 0}},
    };
}

static uint8_t *image;
static uint64_t image_bytes;

static void build(const tables *t) {
    ride_bundle_builder *builder;
    uint8_t spec_hash[32] = {1, 2, 3};
    ride_error err;
    cr_assert_eq(ride_bundle_builder_create(&builder, &err), RIDE_OK);
#define ADD(section, field)                                                                                            \
    cr_assert_eq(ride_bundle_builder_add(builder, section, &t->field, sizeof t->field, &err), RIDE_OK)
    ADD(RIDE_SECTION_RULES, rules); /* not in order of the numbers */
    ADD(RIDE_SECTION_PLAN, plan);
    ADD(RIDE_SECTION_COLUMNS, columns);
    ADD(RIDE_SECTION_ENTITIES, entities);
    ADD(RIDE_SECTION_LANES, lanes);
    ADD(RIDE_SECTION_EDGES, edges);
    ADD(RIDE_SECTION_AGGREGATES, aggregates);
    ADD(RIDE_SECTION_CONDITIONS, conditions);
    ADD(RIDE_SECTION_EXPRESSIONS, expressions);
    ADD(RIDE_SECTION_VECTOR, vector);
    ADD(RIDE_SECTION_ZONE, zone);
    ADD(RIDE_SECTION_PROGRAMS, programs);
    ADD(RIDE_SECTION_PROGRAM_CODE, code);
#undef ADD
    ride_bundle_builder_hashes(builder, spec_hash, NULL);
    cr_assert_eq(ride_bundle_builder_build(builder, &image, &image_bytes, &err), RIDE_OK);
    ride_bundle_builder_destroy(builder);
}
/* After a change of the image: makes the checksum right again, so that what lies behind it is reached. */
static void seal(void) {
    ride_bundle_header *header = (ride_bundle_header *)image;
    header->crc32c = ride_crc32c(0, header + 1, image_bytes - sizeof *header);
}
static ride_status opens(void) {
    ride_bundle bundle;
    ride_error err = {0};
    ride_status st = ride_bundle_open(image, image_bytes, &bundle, &err);
    if (st == RIDE_OK) cr_assert_eq(bundle.plan, bundle.sections[RIDE_SECTION_PLAN]);
    else cr_assert(bundle.plan == NULL && err.what[0] != '\0' && err.status == st);
    return st;
}

Test(bundle, what_is_built_opens_with_the_same_content) {
    tables t = small_plan();
    build(&t);
    ride_bundle bundle;
    ride_error err;
    cr_assert_eq(ride_bundle_open(image, image_bytes, &bundle, &err), RIDE_OK, "%s", err.what);
    cr_assert_arr_eq(bundle.sections[RIDE_SECTION_LANES], t.lanes, sizeof t.lanes);
    cr_assert_arr_eq(bundle.sections[RIDE_SECTION_AGGREGATES], t.aggregates, sizeof t.aggregates);
    cr_assert_eq(bundle.header->spec_hash[1], 2);
    cr_assert_null(bundle.sections[RIDE_SECTION_FOREST]);
    for (int i = 0; i < RIDE_SECTION_LIMIT; i++) cr_assert_eq((uintptr_t)bundle.sections[i] % 64, 0);
    ride_bundle_image_free(image);
}

Test(bundle, equal_strings_share_one_place) {
    ride_bundle_builder *builder;
    cr_assert_eq(ride_bundle_builder_create(&builder, NULL), RIDE_OK);
    char name[32];
    uint32_t first[1000], offset;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 1000; i++) {
            snprintf(name, sizeof name, "customer_amount_mean_%d", i);
            cr_assert_eq(ride_bundle_builder_string(builder, name, &offset, NULL), RIDE_OK);
            if (round == 0) first[i] = offset;
            cr_assert_eq(offset, first[i]);
        }
    }
    cr_assert_eq(ride_bundle_builder_string(builder, "", &offset, NULL), RIDE_OK);
    cr_assert_eq(offset, 0);
    cr_assert_eq(ride_bundle_builder_build(builder, &image, &image_bytes, NULL), RIDE_OK);
    ride_bundle_builder_destroy(builder);
    ride_bundle bundle;
    cr_assert_eq(ride_bundle_open(image, image_bytes, &bundle, NULL), RIDE_OK);
    cr_assert_null(bundle.plan); /* names alone */
    cr_assert_str_eq(ride_bundle_string(&bundle, first[999]), "customer_amount_mean_999");
    ride_bundle_image_free(image);
}

Test(bundle, every_cut_and_every_flipped_bit_is_found) {
    tables t = small_plan();
    build(&t);
    ride_bundle bundle;
    uint8_t *piece = aligned_alloc(64, image_bytes);
    for (uint64_t bytes = 0; bytes < image_bytes; bytes++) { /* the piece ends where it was cut, for ASan */
        uint8_t *cut = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
        memcpy(cut, image, bytes);
        cr_assert_eq(ride_bundle_open(cut, bytes, &bundle, NULL), RIDE_E_CORRUPT);
        free(cut);
    }
    uint64_t hashes = offsetof(ride_bundle_header, spec_hash), reserved = offsetof(ride_bundle_header, reserved);
    for (uint64_t bit = 0; bit < image_bytes * 8; bit++) {
        uint64_t byte = bit / 8;
        if ((byte >= hashes && byte < hashes + 64) || (byte >= reserved && byte < reserved + 4))
            continue; /* not covered */
        memcpy(piece, image, image_bytes);
        piece[byte] ^= (uint8_t)(1u << bit % 8);
        ride_status st = ride_bundle_open(piece, image_bytes, &bundle, NULL);
        cr_assert(st == RIDE_E_CORRUPT || st == RIDE_E_VERSION, "bit %lu: %s", bit, ride_status_name(st));
    }
    cr_assert_eq(ride_bundle_open(image + 8, image_bytes - 8, &bundle, NULL), RIDE_E_INTERNAL); /* our own mistake */
    free(piece);
    ride_bundle_image_free(image);
}

Test(bundle, hostile_section_tables_are_refused) {
    tables t = small_plan();
    const struct {
        uint32_t entry;
        ride_bundle_section section;
    } cases[] = {
        {1, {.section = 0}},
        {1, {.section = RIDE_SECTION_LIMIT}},
        {1, {.section = RIDE_SECTION_STRINGS, .offset = 1024}},
        {1, {.section = RIDE_SECTION_PLAN, .offset = 0}},    /* over the header */
        {1, {.section = RIDE_SECTION_PLAN, .offset = 1025}}, /* not aligned */
        {1, {.section = RIDE_SECTION_PLAN, .offset = UINT64_MAX - 63}},
        {1, {.section = RIDE_SECTION_PLAN, .offset = 1024, .bytes = UINT64_MAX}},
        {0, {.section = RIDE_SECTION_STRINGS, .offset = 1024, .bytes = 0}},
        {0, {.section = 31, .offset = 1024, .bytes = 0}}, /* no strings */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        build(&t);
        cr_assert_eq(opens(), RIDE_OK);
        ((ride_bundle_section *)(image + sizeof(ride_bundle_header)))[cases[i].entry] = cases[i].section;
        seal();
        cr_assert_eq(opens(), RIDE_E_CORRUPT, "case %zu", i);
        ride_bundle_image_free(image);
    }
    build(&t);
    ((ride_bundle_header *)image)->sections_count = UINT32_MAX;
    cr_assert_eq(opens(), RIDE_E_CORRUPT);
    ride_bundle_image_free(image);
}

Test(bundle, plans_with_a_wrong_number_are_refused) {
#define CASE(change)                                                                                                   \
    {                                                                                                                  \
        tables t = small_plan();                                                                                       \
        t.change;                                                                                                      \
        build(&t);                                                                                                     \
        cr_assert_eq(opens(), RIDE_E_CORRUPT, "%s was not found", #change);                                            \
        ride_bundle_image_free(image);                                                                                 \
    }
    CASE(plan.columns_count = 7)
    CASE(plan.aggregates_count = UINT32_MAX)
    CASE(plan.features_count = 6)
    CASE(plan.column_label = 6)
    CASE(plan.column_label = 4) /* not a bool */
    CASE(plan.column_label = -1)
    CASE(plan.label_kind = 3)
    CASE(plan.column_sequence = 4)            /* no label source */
    CASE(plan.label_kind = RIDE_LABEL_SOURCE) /* and no way to say which event */
    CASE(columns[0].type = RIDE_TYPE_I64)
    CASE(columns[2].nullable = 1)
    CASE(columns[4].type = 99)
    CASE(columns[4].scale = 19)
    CASE(columns[4].nullable = 2)
    CASE(columns[4].name_offset = 1 << 20)
    CASE(entities[0].key_column = 4)
    CASE(entities[0].key_column = 600)
    CASE(entities[0].lanes_first = 1)
    CASE(entities[0].lanes_first = UINT32_MAX)
    CASE(entities[0].edges_count = 4)
    CASE(entities[0].aggregates_count = 3)
    CASE(entities[0].retention_us = -1)
    CASE(entities[0].need_us = INT64_MAX)
    CASE(lanes[0].kind = 0)
    CASE(lanes[0].kind = 8)
    CASE(lanes[0].column = 6)
    CASE(lanes[0].column = -2)
    CASE(lanes[0].condition = 1)
    CASE(lanes[1].column = -1) /* a sum of nothing */
    CASE(lanes[1].column = 5)  /* of a bool: eight bytes read where there is one */
    CASE(edges[0].kind = 3)
    CASE(edges[1].offset_us = INT64_MIN)
    CASE(edges[2].period_us = 0)
    CASE(aggregates[0].op = 0)
    CASE(aggregates[0].op = 16)
    CASE(aggregates[0].entity = 1)
    CASE(aggregates[0].edge_lo = 3)
    CASE(aggregates[0].edge_hi = -1)
    CASE(aggregates[0].lane_sum = -1)
    CASE(aggregates[0].lane_sum = 3) /* labels are no amounts */
    CASE(aggregates[0].lane_sumsq = 1)
    CASE(aggregates[0].lane_count = 1)
    CASE(aggregates[0].lane_value = INT32_MAX)
    CASE(aggregates[1].lane_sum = 1)
    CASE(aggregates[2].lane_value = 5)
    CASE(aggregates[0].column = 6)
    CASE(aggregates[0].condition = 1)
    CASE(aggregates[0].current = 2)
    CASE(aggregates[0].scale = -1)
    CASE(aggregates[0].feature = 5)
    CASE(aggregates[0].feature = 1) /* twice */
    CASE(expressions[0].feature = 0)
    CASE(vector[0].index = 5)
    CASE(vector[1].index = 3) /* a key is no number */
    CASE(vector[0].is_feature = 2)
    CASE(zone[0].utc_us = 0)
    CASE(zone[1].utc_us = INT64_MIN)
    CASE(conditions[0].program = 2)
    CASE(conditions[0].program = 1) /* no bool */
    CASE(expressions[0].program = UINT32_MAX)
    CASE(rules[0].program = 2)
    CASE(programs[0].code_first = 2)
    CASE(code[0].index = 4) /* an amount is no bool */
    CASE(code[1].index = 3) /* an expression of itself */
    CASE(rules[0].decision = 3)
    CASE(rules[0].name_offset = UINT32_MAX)
#undef CASE
    tables t = small_plan();
    t.plan.plan_version = 2;
    build(&t);
    cr_assert_eq(opens(), RIDE_E_VERSION);
    ride_bundle_image_free(image);
}

Test(bundle, random_damage_behind_a_right_checksum_never_crashes) {
    tables t = small_plan();
    uint64_t random = 99, refused = 0;
    build(&t);
    uint8_t *good = malloc(image_bytes);
    memcpy(good, image, image_bytes);
    for (int i = 0; i < 20000; i++) {
        memcpy(image, good, image_bytes);
        for (int hits = 0; hits < 3; hits++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            image[sizeof(ride_bundle_header) + (random >> 33) % (image_bytes - sizeof(ride_bundle_header))] =
                (uint8_t)(random >> 25);
        }
        seal();
        refused += opens() != RIDE_OK;
    }
    cr_assert(refused > 5000 && refused < 20000);
    free(good);
    ride_bundle_image_free(image);
}

Test(plan, layouts_hold_the_columns_in_order) {
    tables t = small_plan();
    build(&t);
    ride_bundle bundle;
    cr_assert_eq(ride_bundle_open(image, image_bytes, &bundle, NULL), RIDE_OK);
    static ride_tile_layout in, out;
    ride_plan_layout_in(&bundle, &in);
    ride_plan_layout_out(&bundle, &out);
    cr_assert_eq(in.columns_count, 6);
    for (int i = 0; i < 6; i++) {
        cr_assert_eq(in.columns[i].type, t.columns[i].type);
        cr_assert_eq(in.columns[i].validity_offset != 0, t.columns[i].nullable != 0);
    }
    cr_assert_eq(out.columns_count, 5 + RIDE_OUT_COUNT);
    for (int i = 0; i < 5; i++) cr_assert_eq(out.columns[i].type, RIDE_TYPE_F64);
    cr_assert_eq(out.columns[5 + RIDE_OUT_PROBABILITY].type, RIDE_TYPE_F64);
    cr_assert_eq(out.columns[5 + RIDE_OUT_RULE].type, RIDE_TYPE_U32);
    cr_assert_eq(out.columns[5 + RIDE_OUT_FLAGS].type, RIDE_TYPE_U32);
    ride_bundle_image_free(image);
}
