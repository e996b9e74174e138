/* The checks of networks and ensembles: a good image opens, and every single damage is refused (scorers index without tests). */
#include "kernels/row/ensemble.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { FORESTS = 2, NETWORKS = 2, MEMBERS = 4, STEPS = 4 };

/* Members: 0 a network (impute, select, layer), 1 a scaler and a tree behind it, 2 a tree; 3 the stacker, a tree would be too: a layer. */
typedef struct parts {
    struct {
        ride_forest_header headers[FORESTS];
        double base[FORESTS];
    } forests;
    ride_forest_tree trees[FORESTS];
    ride_forest_node nodes[FORESTS * 3];
    uint32_t forest_inputs[1];
    ride_network_header networks[NETWORKS + 1];
    ride_network_step steps[STEPS + 1];
    double numbers[16];
    uint32_t columns[2], network_inputs[7];
    ride_ensemble_header header;
    ride_ensemble_member members[MEMBERS];
    double points[8];
} parts;

static ride_forest_header forest(uint32_t flags) {
    return (ride_forest_header){.forest_version = RIDE_FOREST_VERSION,
                                .forests_count = FORESTS,
                                .trees_count = 1,
                                .nodes_count = 3,
                                .inputs_count = 1,
                                .outputs_count = 1,
                                .input_number = RIDE_FOREST_F64,
                                .sum_number = RIDE_FOREST_F64,
                                .link = RIDE_FOREST_LINK_NONE,
                                .flags = flags,
                                .depth_max = 1};
}

static ride_network_header network(uint32_t inputs, uint32_t outputs, uint32_t steps, uint32_t numbers,
                                   uint32_t columns, uint32_t width) {
    return (ride_network_header){.network_version = RIDE_NETWORK_VERSION,
                                 .networks_count = NETWORKS + 1,
                                 .inputs_count = inputs,
                                 .outputs_count = outputs,
                                 .steps_count = steps,
                                 .numbers_count = numbers,
                                 .columns_count = columns,
                                 .width_max = width,
                                 .link = RIDE_FOREST_LINK_NONE,
                                 .number = RIDE_FOREST_F64};
}

static parts good(void) {
    parts p;
    memset(&p, 0, sizeof p);
    p.forests.headers[0] = forest(RIDE_FOREST_BEHIND_NETWORK);
    p.forests.headers[1] = forest(0);
    for (int f = 0; f < FORESTS; f++) {
        p.trees[f] = (ride_forest_tree){.nodes_count = 3, .depth = 1};
        p.nodes[3 * f] = (ride_forest_node){.u.threshold = 0.5, .left = 1};
        p.nodes[3 * f + 1] = (ride_forest_node){.u.leaf = 0.25, .input = RIDE_NODE_LEAF};
        p.nodes[3 * f + 2] = (ride_forest_node){.u.leaf = 0.75, .input = RIDE_NODE_LEAF};
    }
    p.forest_inputs[0] = 2;
    p.networks[0] = network(3, 1, 3, 7, 2, 3);
    p.networks[1] = network(1, 1, 1, 2, 0, 1);
    p.networks[2] = network(3, 1, 1, 3, 0, 3);
    const uint32_t f64 = RIDE_FOREST_F64;
    p.steps[0] = (ride_network_step){
        .kind = RIDE_STEP_IMPUTE, .number = f64, .inputs = 3, .outputs = 3, .has_b = 1, .b_first = 3};
    p.steps[1] = (ride_network_step){.kind = RIDE_STEP_SELECT, .number = f64, .inputs = 3, .outputs = 2};
    p.steps[2] = (ride_network_step){
        .kind = RIDE_STEP_DENSE, .number = f64, .inputs = 2, .outputs = 1, .has_b = 1, .a_first = 4, .b_first = 6};
    p.steps[3] = (ride_network_step){
        .kind = RIDE_STEP_SHIFT_DIVIDE, .number = f64, .inputs = 1, .outputs = 1, .has_b = 1, .b_first = 1};
    p.steps[4] = (ride_network_step){.kind = RIDE_STEP_DENSE, .number = f64, .inputs = 3, .outputs = 1};
    for (int i = 0; i < 16; i++) p.numbers[i] = 1.0 + i;
    p.columns[0] = 2;
    const uint32_t feeds[7] = {0, 1, 2, 1, 0, 1, 4}; /* the stacker: two answers and input 1 */
    memcpy(p.network_inputs, feeds, sizeof feeds);
    p.header = (ride_ensemble_header){.ensemble_version = RIDE_ENSEMBLE_VERSION,
                                      .members_count = 3,
                                      .has_stacker = 1,
                                      .combine = RIDE_COMBINE_STACK,
                                      .inputs_count = 3,
                                      .outputs_count = 1,
                                      .answers_count = 3,
                                      .numbers_count = 8,
                                      .weights_sum = 4.0,
                                      .calibration = {.kind = RIDE_CALIBRATION_CURVE, .points_count = 2}};
    p.members[0] = (ride_ensemble_member){.network = 0, .forest = RIDE_NO_PART, .weight = 1.0};
    p.members[1] = (ride_ensemble_member){.network = 1, .forest = 0, .weight = 2.0};
    p.members[2] = (ride_ensemble_member){.network = RIDE_NO_PART, .forest = 1, .weight = 1.0};
    p.members[3] = (ride_ensemble_member){.network = 2, .forest = RIDE_NO_PART, .weight = 1.0};
    p.members[0].calibration = (ride_calibration){.kind = RIDE_CALIBRATION_PLATT, .of_margin = 1, .a = -1.0, .b = 0.5};
    for (int i = 0; i < 8; i++) p.points[i] = i / 8.0;
    return p;
}

static ride_status open_parts(const parts *p, ride_ensemble_view *view, ride_bundle *bundle) {
    ride_error err;
    memset(bundle, 0, sizeof *bundle);
    bundle->image = (const uint8_t *)p;
    const struct {
        ride_section section;
        const void *data;
        size_t bytes;
    } sections[] = {{RIDE_SECTION_STRINGS, "", 1},
                    {RIDE_SECTION_FOREST, &p->forests, sizeof p->forests},
                    {RIDE_SECTION_FOREST_TREES, p->trees, sizeof p->trees},
                    {RIDE_SECTION_FOREST_NODES, p->nodes, sizeof p->nodes},
                    {RIDE_SECTION_FOREST_INPUTS, p->forest_inputs, sizeof p->forest_inputs},
                    {RIDE_SECTION_NETWORK, p->networks, sizeof p->networks},
                    {RIDE_SECTION_NETWORK_STEPS, p->steps, sizeof p->steps},
                    {RIDE_SECTION_NETWORK_NUMBERS, p->numbers, 12 * sizeof(double)},
                    {RIDE_SECTION_NETWORK_COLUMNS, p->columns, sizeof p->columns},
                    {RIDE_SECTION_NETWORK_INPUTS, p->network_inputs, sizeof p->network_inputs},
                    {RIDE_SECTION_ENSEMBLE, &p->header, sizeof p->header},
                    {RIDE_SECTION_ENSEMBLE_MEMBERS, p->members, sizeof p->members},
                    {RIDE_SECTION_ENSEMBLE_NUMBERS, p->points, sizeof p->points}};
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        bundle->sections[sections[i].section] = sections[i].data;
        bundle->sections_bytes[sections[i].section] = sections[i].bytes;
    }
    return ride_ensemble_open(bundle, view, &err);
}

static ride_status status_of(const parts *p) {
    ride_bundle bundle;
    ride_ensemble_view view;
    return open_parts(p, &view, &bundle);
}

#define REFUSED(change)                                                                                                \
    do {                                                                                                               \
        parts p = good();                                                                                              \
        change;                                                                                                        \
        cr_assert_eq(status_of(&p), RIDE_E_CORRUPT, #change);                                                          \
    } while (0)

Test(ensemble_layout, a_good_one_opens_and_scores_what_its_parts_say) {
    parts p = good();
    ride_bundle bundle;
    ride_ensemble_view view;
    ride_ensemble_parts ensemble;
    ride_member_view members[MEMBERS];
    cr_assert_eq(open_parts(&p, &view, &bundle), RIDE_OK);
    ride_ensemble_parts_of(&bundle, &view, members, &ensemble);
    double scratch[64], margin, answer;
    const double x[3] = {4.0, NAN, 0.0};
    cr_assert(ride_ensemble_row_scratch(&ensemble) <= 64);
    p.network_inputs[6] = 3; /* input 0 */
    ride_ensemble_row(&ensemble, x, scratch, &margin, &answer);
    /* Imputed 1 (x is b) , 2 (NaN), 0; columns 2 and 0 of it: 0, 1; layer 7 + 5 * 0 + 6 * 1 = 13, Platt of the margin. */
    cr_assert_float_eq(scratch[0], 1.0 / (1.0 + exp(-13.0 + 0.5)), 1e-15);
    cr_assert_eq(scratch[1], 0.75); /* (NaN - 8) / 9 is missing and goes right */
    cr_assert_eq(scratch[2], 0.25); /* input 2 is 0 */
    const double stacked = 10.0 * scratch[0] + 11.0 * 0.75 + 12.0 * 4.0;
    cr_assert_float_eq(margin, stacked, 1e-12);
    cr_assert_eq(answer, 0.375); /* the curve ends at (1/8, 3/8) */
}

Test(ensemble_layout, every_damage_of_a_network_is_refused) {
    parts fine = good();
    fine.networks[0].network_version++;
    cr_assert_eq(status_of(&fine), RIDE_E_VERSION);
    REFUSED(p.networks[0].networks_count = 2);
    REFUSED(p.networks[2].networks_count = 4);
    REFUSED(p.networks[0].inputs_count = 0);
    REFUSED(p.networks[0].inputs_count = 4);
    REFUSED(p.networks[0].outputs_count = 2);
    REFUSED(p.networks[0].steps_count = 0);
    REFUSED(p.networks[0].steps_count = 2);
    REFUSED(p.networks[0].numbers_count = 6);
    REFUSED(p.networks[0].columns_count = 1);
    REFUSED(p.networks[0].width_max = 2);
    REFUSED(p.networks[0].width_max = 4);
    REFUSED(p.networks[0].link = RIDE_FOREST_LINKS);
    REFUSED(p.networks[0].link = RIDE_FOREST_LINK_LOGISTIC);
    REFUSED(p.networks[0].number = 3);
    REFUSED(p.networks[0].link_scale = 1.0);
    REFUSED(p.networks[0].reserved = 1);
    REFUSED(p.networks[0].more[1] = 1);
    REFUSED(memset(p.networks[0].format, 'x', sizeof p.networks[0].format));
    REFUSED(p.networks[1].link = RIDE_FOREST_LINK_EXP); /* a forest is behind it */
    REFUSED(p.networks[1].mean_of = 2);
    REFUSED(p.steps[0].kind = 0);
    REFUSED(p.steps[0].kind = RIDE_STEPS);
    REFUSED(p.steps[0].number = 0);
    REFUSED(p.steps[0].activation = RIDE_ACTIVATION_RELU);
    REFUSED(p.steps[0].inputs = 2);
    REFUSED(p.steps[0].outputs = 2);
    REFUSED(p.steps[0].has_b = 2);
    REFUSED(p.steps[0].a_first = 1);
    REFUSED(p.steps[0].b_first = 2);
    REFUSED(p.steps[0].columns_first = 1);
    REFUSED(p.steps[0].reserved = 1);
    REFUSED(p.steps[1].outputs = 3);
    REFUSED(p.steps[1].columns_first = 1);
    REFUSED(p.columns[1] = 3);
    REFUSED(p.steps[2].activation = RIDE_ACTIVATIONS);
    REFUSED(p.steps[2].has_b = 0);
    REFUSED(p.steps[2].a_first = 3);
    REFUSED(p.steps[3].has_b = 0);
    REFUSED(p.numbers[8] = 0.0); /* a divisor */
    REFUSED(p.numbers[5] = NAN);
    REFUSED(p.numbers[0] = INFINITY);
    REFUSED((p.steps[2].number = RIDE_FOREST_F32, p.numbers[5] = 0.1));
    REFUSED(p.network_inputs[0] = 3);
}

Test(ensemble_layout, every_damage_of_an_ensemble_is_refused) {
    parts fine = good();
    fine.header.ensemble_version++;
    cr_assert_eq(status_of(&fine), RIDE_E_VERSION);
    REFUSED(p.header.members_count = 0);
    REFUSED(p.header.members_count = 2);
    REFUSED(p.header.members_count = RIDE_MEMBERS_MAX + 1);
    REFUSED(p.header.has_stacker = 0);
    REFUSED(p.header.has_stacker = 2);
    REFUSED(p.header.combine = RIDE_COMBINE_MEAN);
    REFUSED(p.header.combine = RIDE_COMBINES);
    REFUSED(p.header.inputs_count = 2);
    REFUSED(p.header.outputs_count = 0);
    REFUSED(p.header.outputs_count = 2);
    REFUSED(p.header.answers_count = 2);
    REFUSED(p.header.numbers_count = 7);
    REFUSED(p.header.segment_input = 1);
    REFUSED(p.header.segment_otherwise = 1);
    REFUSED(p.header.high = 1.0);
    REFUSED(p.header.weights_sum = 5.0);
    REFUSED(p.header.reserved[5] = 1);
    REFUSED(p.header.calibration.points_count = 0);
    REFUSED(p.header.calibration.points_count = 5);
    REFUSED(p.header.calibration.first = UINT32_MAX);
    REFUSED(p.header.calibration.a = 1.0);
    REFUSED(p.header.calibration.of_margin = 2);
    REFUSED(p.points[0] = 0.5); /* not ascending */
    REFUSED(p.points[2] = NAN);
    REFUSED(p.members[0].network = 3);
    REFUSED(p.members[0].network = RIDE_NO_PART);
    REFUSED(p.members[0].network = 1);
    REFUSED(p.members[1].network = RIDE_NO_PART);
    REFUSED(p.members[1].forest = 1);
    REFUSED(p.members[2].forest = 2);
    REFUSED(p.members[2].name_offset = 1);
    REFUSED(p.members[2].reserved = 1);
    REFUSED(p.members[2].weight = 0.0);
    REFUSED(p.members[2].weight = NAN);
    REFUSED(p.members[2].threshold = INFINITY);
    REFUSED(p.members[0].calibration.kind = 3);
    REFUSED(p.members[0].calibration.a = NAN);
    REFUSED(p.members[0].calibration.points_count = 1);
    REFUSED(p.members[0].rank.kind = RIDE_CALIBRATION_PLATT);
    REFUSED(p.forests.headers[0].flags = 0);
    REFUSED(p.forests.headers[1].flags = RIDE_FOREST_BEHIND_NETWORK);
    REFUSED(p.forests.headers[1].forests_count = 1);
    REFUSED(p.forests.base[1] = NAN);
    REFUSED(p.nodes[5].u.leaf = NAN);
    REFUSED(p.forest_inputs[0] = 3);
    REFUSED(p.network_inputs[6] = 6); /* three answers, three inputs */
}

/* The same members, chosen by input 0: 1 takes the second, all else the third. */
static parts segments(void) {
    parts p = good();
    p.header.combine = RIDE_COMBINE_SEGMENT;
    p.header.has_stacker = 0;
    p.header.members_count = 3;
    p.header.segments_count = 2;
    p.header.segments_first = 4;
    p.header.segment_otherwise = 2;
    const double points[4] = {1.0, 5.0, 1.0, 0.0};
    memcpy(p.points + 4, points, sizeof points);
    return p;
}

static ride_status open_segments(const parts *p) { /* without the stacker's parts */
    ride_bundle bundle;
    ride_ensemble_view view;
    ride_error err;
    parts q = *p;
    for (int i = 0; i < 3; i++) q.networks[i].networks_count = 2;
    (void)open_parts(&q, &view, &bundle);
    bundle.sections_bytes[RIDE_SECTION_NETWORK] = 2 * sizeof *q.networks;
    bundle.sections_bytes[RIDE_SECTION_NETWORK_STEPS] = 4 * sizeof *q.steps;
    bundle.sections_bytes[RIDE_SECTION_NETWORK_NUMBERS] = 9 * sizeof *q.numbers;
    bundle.sections_bytes[RIDE_SECTION_NETWORK_INPUTS] = 4 * sizeof *q.network_inputs;
    bundle.sections_bytes[RIDE_SECTION_ENSEMBLE_MEMBERS] = 3 * sizeof *q.members;
    return ride_ensemble_open(&bundle, &view, &err);
}

#define SEGMENTS_REFUSED(change)                                                                                       \
    do {                                                                                                               \
        parts p = segments();                                                                                          \
        change;                                                                                                        \
        cr_assert_eq(open_segments(&p), RIDE_E_CORRUPT, #change);                                                      \
    } while (0)

Test(ensemble_layout, every_damage_of_segments_and_bands_is_refused) {
    parts fine = segments();
    cr_assert_eq(open_segments(&fine), RIDE_OK);
    const ride_ensemble_view view = {&fine.header, fine.members, fine.points};
    cr_assert_eq(ride_segment_row(&view, 1.0), 1);
    cr_assert_eq(ride_segment_row(&view, 5.0), 0);
    cr_assert_eq(ride_segment_row(&view, 2.0), 2);
    cr_assert_eq(ride_segment_row(&view, NAN), 2);
    SEGMENTS_REFUSED(p.header.segment_input = 3);
    SEGMENTS_REFUSED(p.header.segment_otherwise = 3);
    SEGMENTS_REFUSED(p.header.segments_count = 3);
    SEGMENTS_REFUSED(p.header.segments_first = 9);
    SEGMENTS_REFUSED(p.points[5] = 1.0); /* twice */
    SEGMENTS_REFUSED(p.points[6] = 3.0); /* no such member */
    SEGMENTS_REFUSED(p.points[6] = -1.0);
    SEGMENTS_REFUSED(p.points[6] = 0.5);
    SEGMENTS_REFUSED(p.points[7] = NAN);
    SEGMENTS_REFUSED(p.header.combine = RIDE_COMBINE_ONE);
    fine.header.combine = RIDE_COMBINE_CASCADE;
    fine.header.segments_first = fine.header.segments_count = fine.header.segment_otherwise = 0;
    fine.header.weights_sum = 3.0;
    fine.header.low = -1.0;
    fine.header.high = 2.0;
    cr_assert_eq(open_segments(&fine), RIDE_OK);
    fine.header.high = -2.0;
    cr_assert_eq(open_segments(&fine), RIDE_E_CORRUPT);
}
