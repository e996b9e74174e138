/* kernels/cuda/entity.cu: the words of an entity's entries, from the plan. */
#include "kernels/cuda/entity.h"

#include <string.h>

static const uint8_t *on(const ride_bundle *bundle, const uint8_t *device, const void *section) {
    return device + ((const uint8_t *)section - bundle->image);
}

static int32_t label_count_of(const ride_cuda_entity *e, const ride_plan_lane *lanes, uint32_t label) {
    int32_t word = -1;
    for (uint32_t c = 0; c < e->lanes_count && lanes[label].condition >= 0; c++)
        if (lanes[c].kind == RIDE_LANE_COUNT && lanes[c].column < 0 && lanes[c].condition == lanes[label].condition)
            word = e->lane_word[c];
    return word;
}

ride_status ride_cuda_entity_make(const ride_bundle *bundle, uint32_t entity, const uint8_t *device,
                                  ride_cuda_entity *out, ride_error *err) {
    ride_state_layout wide;
    RIDE_TRY(ride_state_layout_make(bundle, entity, 1, &wide, err));
    const ride_plan_entity *plan = &ride_bundle_array(bundle, RIDE_SECTION_ENTITIES, ride_plan_entity)[entity];
    const ride_plan_lane *lanes = ride_bundle_array(bundle, RIDE_SECTION_LANES, ride_plan_lane) + plan->lanes_first;
    const ride_plan_edge *edges = ride_bundle_array(bundle, RIDE_SECTION_EDGES, ride_plan_edge) + plan->edges_first;
    const ride_plan_aggregate *aggregates =
        ride_bundle_array(bundle, RIDE_SECTION_AGGREGATES, ride_plan_aggregate) + plan->aggregates_first;
    memset(out, 0, sizeof *out);
    out->plan = (const ride_plan_entity *)on(bundle, device, plan);
    out->lanes = (const ride_plan_lane *)on(bundle, device, lanes);
    out->edges = (const ride_plan_edge *)on(bundle, device, edges);
    out->aggregates = (const ride_plan_aggregate *)on(bundle, device, aggregates);
    out->lanes_count = plan->lanes_count;
    out->own_count = wide.own_words;
    out->presence_word = wide.presence_word;
    for (uint32_t l = 0; l < plan->lanes_count; l++) {
        out->lane_word[l] = wide.lane_is_own[l] ? wide.lane_word[l] : (int32_t)out->sums_count;
        if (!wide.lane_is_own[l])
            out->sums_count += lanes[l].kind == RIDE_LANE_SUM ? 2 : lanes[l].kind == RIDE_LANE_SUMSQ ? 3 : 1;
        if (lanes[l].kind == RIDE_LANE_LABEL && bundle->plan->label_kind == RIDE_LABEL_SOURCE)
            out->labels_from_source = 1;
    }
    for (uint32_t l = 0; l < plan->lanes_count; l++) out->label_count[l] = label_count_of(out, lanes, l);
    for (uint32_t a = 0; a < plan->aggregates_count; a++) out->any_peers |= aggregates[a].peers;
    out->sequence_word = out->labels_from_source ? 1 : -1;
    out->sums_first = 1 + out->labels_from_source;
    out->own_first = out->sums_first + out->sums_count;
    out->entry_words = out->own_first + out->own_count;
    out->chains_count = wide.chains_count;
    memcpy(out->chain_lane, wide.chain_lane, sizeof out->chain_lane);
    out->key_totals = sizeof(ride_cuda_key);
    out->key_chains = out->key_totals + 8 * out->sums_count;
    const uint32_t bytes = out->key_chains + out->chains_count * (uint32_t)sizeof(ride_cuda_chain);
    out->key_bytes = (bytes + 15) / 16 * 16; /* 1,024 keys are whole lines */
    return RIDE_OK;
}
