/* kernels/layout/ensemble.c: the checks of an ensemble that came from a file: nothing is taken on trust, as in forest.c. */
#include "kernels/layout/ensemble.h"

#include "kernels/layout/check.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

typedef struct checker {
    const ride_bundle *bundle;
    ride_ensemble_view view;
    uint8_t forest_used[RIDE_FORESTS_MAX], network_used[RIDE_NETWORKS_MAX];
    ride_error *err;
} checker;

void ride_member_view_of(const ride_bundle *bundle, const ride_ensemble_member *member, ride_member_view *out) {
    memset(out, 0, sizeof *out);
    if (member->forest != RIDE_NO_PART) {
        ride_forest_view(bundle, member->forest, &out->forest);
        out->inputs_count = out->width_max = out->forest.header->inputs_count;
        out->outputs_count = out->forest.header->outputs_count;
        out->inputs = out->forest.inputs;
    }
    if (member->network != RIDE_NO_PART) {
        ride_network_view(bundle, member->network, &out->network);
        out->inputs_count = out->network.header->inputs_count;
        out->width_max = out->network.header->width_max;
        out->inputs = out->network.inputs;
        if (member->forest == RIDE_NO_PART) out->outputs_count = out->network.header->outputs_count;
    }
}

void ride_ensemble_parts_of(const ride_bundle *bundle, const ride_ensemble_view *view, ride_member_view *room,
                            ride_ensemble_parts *out) {
    *out = (ride_ensemble_parts){.view = *view, .members = room};
    for (uint32_t m = 0; m < ride_ensemble_parts_count(view); m++) {
        ride_member_view_of(bundle, &view->members[m], &room[m]);
        if (room[m].width_max > out->width_max) out->width_max = room[m].width_max;
    }
}

static ride_status check_calibration(checker *c, const ride_calibration *calibration, const char *what,
                                     uint32_t index) {
    const uint32_t count = calibration->points_count, have = c->view.header->numbers_count;
    const bool is_curve = calibration->kind == RIDE_CALIBRATION_CURVE;
    if (calibration->kind > RIDE_CALIBRATION_CURVE || calibration->of_margin > 1 ||
        (calibration->kind == RIDE_CALIBRATION_NONE && calibration->of_margin != 0))
        return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: %s %u is of kind %u", what, index, calibration->kind);
    if (!isfinite(calibration->a) || !isfinite(calibration->b) ||
        (calibration->kind != RIDE_CALIBRATION_PLATT && (calibration->a != 0.0 || calibration->b != 0.0)))
        return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: %s %u has a = %g, b = %g", what, index, calibration->a,
                         calibration->b);
    if (is_curve ? count == 0 || calibration->first > have || count > (have - calibration->first) / 2
                 : count != 0 || calibration->first != 0)
        return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: %s %u has %u points from %u of %u", what, index, count,
                         calibration->first, have);
    const double *numbers = c->view.numbers + calibration->first;
    for (uint32_t i = 0; i < count; i++)
        if (!isfinite(numbers[i]) || !isfinite(numbers[count + i]) || (i > 0 && numbers[i] < numbers[i - 1]))
            return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: %s %u has a bad point %u", what, index, i);
    return RIDE_OK;
}

/* The parts exist, fit to each other and belong to nobody else. */
static ride_status check_parts(checker *c, uint32_t index) {
    const ride_ensemble_member *member = &c->view.members[index];
    const bool has_forest = member->forest != RIDE_NO_PART, has_network = member->network != RIDE_NO_PART;
    ride_member_view view;
    if ((!has_forest && !has_network) || (has_forest && member->forest >= ride_forests_count(c->bundle)) ||
        (has_network && member->network >= ride_networks_count(c->bundle)))
        return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: member %u is network %u and forest %u", index,
                         member->network, member->forest);
    if ((has_forest && c->forest_used[member->forest]++ > 0) || (has_network && c->network_used[member->network]++ > 0))
        return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: member %u is another one's", index);
    ride_member_view_of(c->bundle, member, &view);
    if (!has_forest) return RIDE_OK;
    const bool is_behind = (view.forest.header->flags & RIDE_FOREST_BEHIND_NETWORK) != 0;
    const ride_network_header *network = view.network.header;
    if (is_behind != has_network || (has_network && (network->outputs_count != view.forest.header->inputs_count ||
                                                     network->link != RIDE_FOREST_LINK_NONE || network->mean_of > 1)))
        return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: the network of member %u does not fit its forest", index);
    return RIDE_OK;
}

static ride_status check_member(checker *c, uint32_t index, uint64_t *answers) {
    const ride_ensemble_header *h = c->view.header;
    const ride_ensemble_member *member = &c->view.members[index];
    const bool is_stacker = index == h->members_count;
    ride_member_view shape;
    RIDE_TRY(check_parts(c, index));
    ride_member_view_of(c->bundle, member, &shape);
    const uint64_t bound = (uint64_t)h->inputs_count + (is_stacker ? h->answers_count : 0);
    for (uint32_t i = 0; i < shape.inputs_count; i++)
        if (shape.inputs[i] >= bound)
            return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: input %u of member %u reads %u of %llu", i, index,
                             shape.inputs[i], (unsigned long long)bound);
    if (member->name_offset >= c->bundle->sections_bytes[RIDE_SECTION_STRINGS] || member->reserved != 0 ||
        !isfinite(member->weight) || member->weight <= 0.0 || !isfinite(member->threshold))
        return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: member %u has weight %g, threshold %g", index,
                         member->weight, member->threshold);
    RIDE_TRY(check_calibration(c, &member->calibration, "calibration", index));
    RIDE_TRY(check_calibration(c, &member->rank, "rank", index));
    const bool has_rank = member->rank.kind != RIDE_CALIBRATION_NONE;
    if (has_rank != (h->combine == RIDE_COMBINE_RANK_MEAN && !is_stacker) || member->rank.of_margin != 0 ||
        (has_rank && member->rank.kind != RIDE_CALIBRATION_CURVE) ||
        (member->calibration.kind != RIDE_CALIBRATION_NONE && shape.outputs_count != 1))
        return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: member %u has a bad calibration", index);
    const bool any_outputs = h->combine == RIDE_COMBINE_STACK && !is_stacker;
    if (!any_outputs && shape.outputs_count != h->outputs_count)
        return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: member %u has %u outputs of %u", index, shape.outputs_count,
                         h->outputs_count);
    if (!is_stacker) *answers += shape.outputs_count;
    return RIDE_OK;
}

static ride_status check_segments(checker *c) {
    const ride_ensemble_header *h = c->view.header;
    const bool has = h->combine == RIDE_COMBINE_SEGMENT;
    if (!has) {
        if (h->segment_input == 0 && h->segments_first == 0 && h->segments_count == 0 && h->segment_otherwise == 0)
            return RIDE_OK;
        return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: segments of combination %u", h->combine);
    }
    if (h->segment_input >= h->inputs_count || h->segment_otherwise >= h->members_count ||
        h->segments_first > h->numbers_count || h->segments_count > (h->numbers_count - h->segments_first) / 2)
        return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: %u segments from %u, by input %u", h->segments_count,
                         h->segments_first, h->segment_input);
    const double *values = c->view.numbers + h->segments_first, *members = values + h->segments_count;
    for (uint32_t i = 0; i < h->segments_count; i++)
        if (!isfinite(values[i]) || (i > 0 && !(values[i] > values[i - 1])) || !(members[i] >= 0.0) ||
            !(members[i] < h->members_count) || members[i] != floor(members[i]))
            return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: segment %u is %g, member %g", i, values[i], members[i]);
    return RIDE_OK;
}

static ride_status check_header(checker *c) {
    const ride_ensemble_header *h = c->view.header;
    const uint32_t count = h->members_count;
    if (h->ensemble_version != RIDE_ENSEMBLE_VERSION)
        return ride_fail(c->err, RIDE_E_VERSION, "ensemble version %u, this program reads %u", h->ensemble_version,
                         (unsigned)RIDE_ENSEMBLE_VERSION);
    if (count == 0 || count > RIDE_MEMBERS_MAX || h->combine < RIDE_COMBINE_ONE || h->combine >= RIDE_COMBINES ||
        h->has_stacker != (h->combine == RIDE_COMBINE_STACK) || (h->combine == RIDE_COMBINE_ONE && count != 1) ||
        (h->combine == RIDE_COMBINE_CASCADE && count < 2))
        return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: %u members, combination %u", count, h->combine);
    const bool may_have_several = h->combine == RIDE_COMBINE_ONE || h->combine == RIDE_COMBINE_MEAN ||
                                  h->combine == RIDE_COMBINE_VOTE || h->combine == RIDE_COMBINE_STACK;
    if (h->outputs_count == 0 || h->outputs_count > (may_have_several ? RIDE_FOREST_OUTPUTS_MAX : 1u) ||
        h->answers_count > RIDE_ANSWERS_MAX)
        return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: %u outputs, %u answers", h->outputs_count,
                         h->answers_count);
    if (c->bundle->plan != NULL ? h->inputs_count != c->bundle->plan->vector_count
                                : h->inputs_count > RIDE_FOREST_INPUTS_MAX)
        return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: %u inputs", h->inputs_count);
    const bool is_cascade = h->combine == RIDE_COMBINE_CASCADE;
    if (is_cascade ? !isfinite(h->low) || !isfinite(h->high) || h->low > h->high : h->low != 0.0 || h->high != 0.0)
        return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: band from %g to %g", h->low, h->high);
    for (size_t i = 0; i < sizeof h->reserved / sizeof *h->reserved; i++)
        if (h->reserved[i] != 0) return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: reserved word %zu is set", i);
    return RIDE_OK;
}

static ride_status check_ensemble(checker *c) {
    const ride_ensemble_header *h = c->view.header;
    const uint32_t all_count = h->members_count + h->has_stacker;
    const uint32_t forests = ride_forests_count(c->bundle), networks = ride_networks_count(c->bundle);
    RIDE_TRY(ride_section_check(c->bundle, RIDE_SECTION_ENSEMBLE_MEMBERS, "ensemble: members", all_count,
                                sizeof(ride_ensemble_member), c->err));
    RIDE_TRY(ride_section_check(c->bundle, RIDE_SECTION_ENSEMBLE_NUMBERS, "ensemble: numbers", h->numbers_count,
                                sizeof(double), c->err));
    for (uint32_t i = 0; i < forests; i++) {
        ride_forest forest;
        RIDE_TRY(ride_forest_open(c->bundle, i, &forest, c->err));
    }
    for (uint32_t i = 0; i < networks; i++) {
        ride_network network;
        RIDE_TRY(ride_network_open(c->bundle, i, &network, c->err));
    }
    uint64_t answers = 0;
    for (uint32_t i = 0; i < all_count; i++) RIDE_TRY(check_member(c, i, &answers));
    double weights = 0.0;
    for (uint32_t i = h->combine == RIDE_COMBINE_CASCADE; i < h->members_count; i++)
        weights += c->view.members[i].weight;
    if (answers != h->answers_count || weights != h->weights_sum || !isfinite(weights))
        return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: members have %llu answers and weigh %g",
                         (unsigned long long)answers, weights);
    for (uint32_t i = 0; i < forests + networks; i++)
        if (i < forests ? c->forest_used[i] == 0 : c->network_used[i - forests] == 0)
            return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: a part belongs to no member");
    RIDE_TRY(check_segments(c));
    RIDE_TRY(check_calibration(c, &h->calibration, "calibration of the result", 0));
    if (h->calibration.kind != RIDE_CALIBRATION_NONE && h->outputs_count != 1)
        return ride_fail(c->err, RIDE_E_CORRUPT, "ensemble: a calibration of %u outputs", h->outputs_count);
    return RIDE_OK;
}

ride_status ride_ensemble_open(const ride_bundle *bundle, ride_ensemble_view *out, ride_error *err) {
    static const double nothing[1];
    checker c = {.bundle = bundle, .err = err};
    memset(out, 0, sizeof *out);
    c.view.header = bundle->sections[RIDE_SECTION_ENSEMBLE];
    c.view.members = bundle->sections[RIDE_SECTION_ENSEMBLE_MEMBERS];
    c.view.numbers = bundle->sections[RIDE_SECTION_ENSEMBLE_NUMBERS];
    if (c.view.header == NULL) return ride_fail(err, RIDE_E_MODEL, "the bundle holds no ensemble");
    if (bundle->sections_bytes[RIDE_SECTION_ENSEMBLE] != sizeof *c.view.header)
        return ride_fail(err, RIDE_E_CORRUPT, "ensemble: header of %llu bytes",
                         (unsigned long long)bundle->sections_bytes[RIDE_SECTION_ENSEMBLE]);
    RIDE_TRY(check_header(&c));
    if (c.view.numbers == NULL) c.view.numbers = nothing;
    RIDE_TRY(check_ensemble(&c));
    *out = c.view;
    return RIDE_OK;
}
