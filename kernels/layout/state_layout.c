/* kernels/layout/state_layout.c: see the header. */
#include "kernels/layout/state_layout.h"

#include <string.h>

static const ride_plan_lane *entity_lanes(const ride_bundle *bundle, uint32_t entity, uint32_t *count) {
    const ride_plan_entity *e = &ride_bundle_array(bundle, RIDE_SECTION_ENTITIES, ride_plan_entity)[entity];
    *count = e->lanes_count;
    return ride_bundle_array(bundle, RIDE_SECTION_LANES, ride_plan_lane) + e->lanes_first;
}

int ride_state_can_be_narrow(const ride_bundle *bundle, uint32_t entity) {
    uint32_t count;
    const ride_plan_lane *lanes = entity_lanes(bundle, entity, &count);
    const ride_plan_entity *e = &ride_bundle_array(bundle, RIDE_SECTION_ENTITIES, ride_plan_entity)[entity];
    const ride_plan_edge *edges = ride_bundle_array(bundle, RIDE_SECTION_EDGES, ride_plan_edge) + e->edges_first;
    for (uint32_t i = 0; i < count; i++)
        if (lanes[i].kind != RIDE_LANE_COUNT && lanes[i].kind != RIDE_LANE_SUM && lanes[i].kind != RIDE_LANE_LABEL)
            return 0;
    for (uint32_t i = 0; i < e->edges_count; i++)
        if (edges[i].kind == RIDE_EDGE_OFFSET && edges[i].offset_us / 1000000 >= (INT64_C(1) << 28)) return 0;
    return 1;
}

static uint32_t lane_words(uint32_t kind) {
    switch (kind) {
    case RIDE_LANE_SUMSQ:
    case RIDE_LANE_HASH: return 2;
    case RIDE_LANE_PRESENT: return 0;
    default: return 1;
    }
}

/* Features that count from the first event of the same events share a chain. */
static void chains_find(const ride_bundle *bundle, uint32_t entity, ride_state_layout *out) {
    const ride_plan_entity *e = &ride_bundle_array(bundle, RIDE_SECTION_ENTITIES, ride_plan_entity)[entity];
    const ride_plan_aggregate *aggregates =
        ride_bundle_array(bundle, RIDE_SECTION_AGGREGATES, ride_plan_aggregate) + e->aggregates_first;
    for (uint32_t i = 0; i < e->aggregates_count; i++) {
        uint32_t known = 0;
        if (aggregates[i].op != RIDE_AGG_SINCE_FIRST) continue;
        while (known < out->chains_count && out->chain_lane[known] != aggregates[i].lane_value) known++;
        if (known == out->chains_count) out->chain_lane[out->chains_count++] = aggregates[i].lane_value;
    }
}

static void extremes_find(const ride_bundle *bundle, uint32_t entity, ride_state_layout *out) {
    const ride_plan_entity *e = &ride_bundle_array(bundle, RIDE_SECTION_ENTITIES, ride_plan_entity)[entity];
    const ride_plan_aggregate *aggregates =
        ride_bundle_array(bundle, RIDE_SECTION_AGGREGATES, ride_plan_aggregate) + e->aggregates_first;
    for (uint32_t i = 0; i < e->aggregates_count && out->extremes_count < RIDE_STATE_EXTREMES_MAX; i++)
        if ((aggregates[i].op == RIDE_AGG_MIN || aggregates[i].op == RIDE_AGG_MAX) && !aggregates[i].peers &&
            aggregates[i].min_count <= 1)
            out->extreme_aggregate[out->extremes_count++] = i;
}

ride_status ride_state_layout_make(const ride_bundle *bundle, uint32_t entity, int wide, ride_state_layout *out,
                                   ride_error *err) {
    uint32_t count;
    const ride_plan_lane *lanes = entity_lanes(bundle, entity, &count);
    const ride_plan_entity *e = &ride_bundle_array(bundle, RIDE_SECTION_ENTITIES, ride_plan_entity)[entity];
    const ride_plan_edge *edges = ride_bundle_array(bundle, RIDE_SECTION_EDGES, ride_plan_edge) + e->edges_first;
    if (count > RIDE_STATE_LANES_MAX || e->edges_count > RIDE_STATE_EDGES_MAX)
        return ride_fail(err, RIDE_E_UNSUPPORTED,
                         "an entity with %u stored columns and %u window edges (at most %u and %u)", count,
                         e->edges_count, RIDE_STATE_LANES_MAX, RIDE_STATE_EDGES_MAX);
    memset(out, 0, sizeof *out);
    out->wide = wide != 0;
    out->word_bytes = wide ? 8 : 4;
    out->lanes_count = count;
    out->presence_word = -1;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t kind = lanes[i].kind;
        int own = kind == RIDE_LANE_VALUE || kind == RIDE_LANE_HASH || kind == RIDE_LANE_PRESENT;
        uint32_t *words = own ? &out->own_words : &out->cumulative_words;
        out->lane_is_own[i] = (uint8_t)own;
        out->lane_word[i] = lane_words(kind) > 0 ? (int32_t)*words : -1;
        *words += lane_words(kind);
        if (own) out->presence_word = 0;
    }
    if (out->presence_word == 0) out->presence_word = (int32_t)out->own_words++;
    for (uint32_t i = 0; i < e->edges_count; i++) {
        int newest = edges[i].kind == RIDE_EDGE_OFFSET && edges[i].offset_us == 0;
        out->edge_slot[i] = newest ? -1 : (int32_t)out->edges_count++;
    }
    out->edges_padded = (out->edges_count + 3) / 4 * 4;
    uint32_t entry_bytes = (1 + out->cumulative_words + out->own_words) * out->word_bytes;
    while (out->block_shift < 4 && (entry_bytes << (out->block_shift + 1)) <= RIDE_STATE_LINE_BYTES) out->block_shift++;
    out->block_lines = ((entry_bytes << out->block_shift) + RIDE_STATE_LINE_BYTES - 1) / RIDE_STATE_LINE_BYTES;
    uint32_t offset = RIDE_STATE_RECORD_HEAD_BYTES;
    out->offset_word = offset, offset += out->edges_padded * out->word_bytes;
    out->offset_prefix = offset, offset += out->edges_padded * out->word_bytes * out->cumulative_words;
    out->offset_position = offset, offset += out->edges_padded * 4;
    out->offset_total = offset, offset += out->cumulative_words * out->word_bytes;
    chains_find(bundle, entity, out);
    offset = (offset + 7) / 8 * 8;
    out->offset_chain = offset, offset += out->chains_count * RIDE_STATE_CHAIN_BYTES;
    extremes_find(bundle, entity, out);
    out->offset_extreme = offset, offset += out->extremes_count * RIDE_STATE_EXTREME_BYTES;
    out->record_bytes = (offset + RIDE_STATE_LINE_BYTES - 1) / RIDE_STATE_LINE_BYTES * RIDE_STATE_LINE_BYTES;
    return RIDE_OK;
}

uint32_t ride_state_ring_blocks(uint32_t ring_class) {
    if (ring_class < 8) return ring_class + 1;
    uint32_t step = ring_class - 8; /* 10 12 14 16, 20 24 28 32, … */
    return (5 + step % 4) << (1 + step / 4);
}

uint32_t ride_state_ring_class(uint32_t blocks) {
    uint32_t ring_class = 0;
    while (ride_state_ring_blocks(ring_class) < blocks) ring_class++;
    return ring_class;
}

uint64_t ride_state_key_bytes(const ride_state_layout *layout, uint64_t entries) {
    uint64_t blocks =
        (entries >> layout->block_shift) + 2; /* the newest block is partly filled, the oldest partly expired */
    if (entries < (1u << layout->block_shift)) blocks = 1;
    uint64_t ring = ride_state_ring_blocks(ride_state_ring_class((uint32_t)blocks));
    return layout->record_bytes + ring * layout->block_lines * RIDE_STATE_LINE_BYTES + RIDE_STATE_SLOT_BYTES_PER_KEY;
}
