/* engine/state_view.c: see state_view.h. A save writes, so the format is read unit by unit as the bytes come. */
#include "engine/state_view.h"

#include "base/assert.h"
#include "kernels/row/window.h"

#include <stdlib.h>
#include <string.h>

enum { UNIT_HEAD = 1, UNIT_ENTITY, UNIT_KEY, UNIT_CHAIN, UNIT_ENTRY, UNIT_PATCH, UNIT_TIE, UNIT_END };
enum {
    HEAD_BYTES = 56,
    ENTITY_BYTES = 16,
    KEY_BYTES = 40,
    CHAIN_BYTES = 16,
    PATCH_BYTES = 40,
    TIE_BYTES = 24,
    CRC_BYTES = 4
};

static uint32_t u32_at(const uint8_t *bytes) {
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}
static int64_t i64_at(const uint8_t *bytes) {
    int64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static const ride_state_layout *layout_of(const state_view *v, uint32_t entity) { return &v->layouts[entity]; }
static uint32_t words_of(const ride_state_layout *layout) { return 1 + layout->cumulative_words + layout->own_words; }

ride_status state_view_open(state_view *v, const ride_bundle *bundle, uint32_t entity, ride_key128 key,
                            ride_error *err) {
    memset(v, 0, sizeof *v);
    v->bundle = bundle;
    v->entity = entity;
    v->key = key;
    v->clock_us = v->last_us = INT64_MIN;
    v->unit = UNIT_HEAD;
    v->unit_bytes = HEAD_BYTES;
    for (uint32_t e = 0; e < bundle->plan->entities_count; e++) {
        RIDE_TRY(ride_state_layout_make(bundle, e, 1, &v->layouts[e], err));
        RIDE_ASSERT(words_of(&v->layouts[e]) * sizeof(int64_t) <= sizeof v->bytes);
    }
    v->entry_words = words_of(&v->layouts[entity]);
    return RIDE_OK;
}

void state_view_close(state_view *v) {
    free(v->words);
    free(v->patches);
    v->words = NULL;
    v->patches = NULL;
}

/* ---- reading ---- */

static ride_status fail(state_view *v, ride_status st, const char *why) {
    v->why = why;
    return v->failed = st;
}

static void expect(state_view *v, uint32_t unit, uint32_t bytes) {
    v->unit = unit;
    v->unit_bytes = bytes;
}

static void next_unit(state_view *v) {
    const ride_state_layout *layout = v->at_entity > 0 ? layout_of(v, v->at_entity - 1) : NULL;
    if (v->chains_left > 0) expect(v, UNIT_CHAIN, CHAIN_BYTES);
    else if (v->entries_left > 0) expect(v, UNIT_ENTRY, words_of(layout) * (uint32_t)sizeof(int64_t));
    else if (v->patches_left > 0) expect(v, UNIT_PATCH, PATCH_BYTES);
    else if (v->ties_left > 0) expect(v, UNIT_TIE, TIE_BYTES);
    else if (v->keys_left > 0) expect(v, UNIT_KEY, KEY_BYTES);
    else if (v->at_entity < v->bundle->plan->entities_count) expect(v, UNIT_ENTITY, ENTITY_BYTES);
    else expect(v, UNIT_END, CRC_BYTES);
}

static ride_status take_head(state_view *v) {
    if (memcmp(v->bytes, "RIDEVNOD", 8) != 0 || u32_at(v->bytes + 8) != RIDE_STATE_FILE_VERSION ||
        u32_at(v->bytes + 12) != v->bundle->plan->entities_count)
        return fail(v, RIDE_E_UNSUPPORTED, "this backend's state has another format");
    return RIDE_OK;
}

static ride_status take_key(state_view *v) {
    ride_key128 key;
    memcpy(&key, v->bytes, sizeof key);
    const bool mine = v->at_entity - 1 == v->entity;
    v->keys_left--;
    v->keys_seen += mine;
    v->wanted = mine && key.lo == v->key.lo && key.hi == v->key.hi;
    v->entries_left = u32_at(v->bytes + 24);
    v->patches_left = u32_at(v->bytes + 28);
    v->ties_left = u32_at(v->bytes + 32);
    v->chains_left = layout_of(v, v->at_entity - 1)->chains_count;
    if (!v->wanted) return RIDE_OK;
    if (v->entries_left > STATE_VIEW_ENTRIES_MAX || v->patches_left > STATE_VIEW_ENTRIES_MAX)
        return fail(v, RIDE_E_MEMORY, "this key has more events than are shown at once");
    v->found = true;
    v->last_us = i64_at(v->bytes + 16);
    v->words = malloc(((size_t)v->entries_left + 1) * v->entry_words * sizeof *v->words);
    v->patches = malloc(((size_t)v->patches_left + 1) * sizeof *v->patches);
    return v->words != NULL && v->patches != NULL ? RIDE_OK : fail(v, RIDE_E_MEMORY, "no memory for the key's events");
}

static ride_status take_unit(state_view *v) {
    switch (v->unit) {
    case UNIT_HEAD: return take_head(v);
    case UNIT_ENTITY:
        if (v->at_entity == v->entity) v->clock_us = i64_at(v->bytes);
        v->keys_left = (uint64_t)i64_at(v->bytes + 8);
        v->at_entity++;
        return RIDE_OK;
    case UNIT_KEY: return take_key(v);
    case UNIT_CHAIN: {
        const uint32_t c = layout_of(v, v->at_entity - 1)->chains_count - v->chains_left--;
        if (v->wanted) memcpy(v->chains[c], v->bytes, CHAIN_BYTES);
        return RIDE_OK;
    }
    case UNIT_ENTRY:
        v->entries_left--;
        if (v->wanted) memcpy(v->words + (size_t)v->entries_count++ * v->entry_words, v->bytes, v->unit_bytes);
        return RIDE_OK;
    case UNIT_PATCH:
        v->patches_left--;
        if (v->wanted)
            v->patches[v->patches_count++] = (ride_state_note){.entry_us = i64_at(v->bytes),
                                                               .place = i64_at(v->bytes + 8),
                                                               .known_us = i64_at(v->bytes + 16),
                                                               .delta = i64_at(v->bytes + 24),
                                                               .lanes = i64_at(v->bytes + 32)};
        return RIDE_OK;
    case UNIT_TIE: v->ties_left--; return RIDE_OK;
    default: return RIDE_OK;
    }
}

ride_status state_view_write(void *context, const void *data, size_t bytes) {
    state_view *v = context;
    for (const uint8_t *at = data; bytes > 0 && v->failed == RIDE_OK;) {
        const size_t missing = v->unit_bytes - v->unit_got, n = bytes < missing ? bytes : missing;
        memcpy(v->bytes + v->unit_got, at, n);
        v->unit_got += (uint32_t)n;
        at += n;
        bytes -= n;
        if (v->unit_got < v->unit_bytes) break;
        v->unit_got = 0;
        if (take_unit(v) == RIDE_OK) next_unit(v);
    }
    return v->failed;
}

/* ---- windows ---- */

typedef struct window {
    const state_view *v;
    const ride_plan_aggregate *a;
    const ride_plan_entity *entity;
    const ride_plan_lane *lanes;
    int64_t as_of_us, after_us, until_us;
} window;

static const ride_state_layout *layout(const window *w) { return &w->v->layouts[w->v->entity]; }
static const int64_t *added(const int64_t *entry) { return entry + 1; }
static const int64_t *own(const window *w, const int64_t *entry) { return entry + 1 + layout(w)->cumulative_words; }

static bool in_window(const window *w, const int64_t *entry) {
    return entry[0] > w->after_us && entry[0] <= w->until_us;
}

static bool has_lane(const window *w, const int64_t *entry, int32_t lane) {
    const int32_t word = layout(w)->presence_word;
    return lane < 0 || word < 0 || ((uint64_t)own(w, entry)[word] >> lane & 1) != 0;
}

int64_t state_view_label(const state_view *v, uint32_t index, uint32_t lane, int64_t as_of_us) {
    const int64_t *entry = state_view_entry(v, index);
    int64_t place = 0, label = added(entry)[v->layouts[v->entity].lane_word[lane]];
    for (uint32_t i = index; i > 0 && state_view_entry(v, i - 1)[0] == entry[0]; i--) place++;
    for (uint32_t i = 0; i < v->patches_count; i++) {
        const ride_state_note *patch = &v->patches[i];
        if (patch->entry_us == entry[0] && patch->place == place && patch->known_us > as_of_us &&
            ((uint64_t)patch->lanes >> lane & 1) != 0)
            label -= patch->delta; /* not known yet */
    }
    return label;
}

typedef struct tally {
    uint64_t n;
    ride_i128 sum;
    ride_u128 sumsq;
    bool overflow, any;
    uint64_t smallest, largest, last;
} tally;

static bool value_less(const ride_plan_lane *lane, uint64_t a, uint64_t b) {
    return lane->is_u64 ? a < b : (int64_t)a < (int64_t)b;
}

static int by_identity(const void *a, const void *b) { return memcmp(a, b, 2 * sizeof(int64_t)); }

/* How many identities the window's entries have; by sorting, since a key may have many events. NaN when memory is out. */
static double distinct(const window *w) {
    const int32_t lane = w->a->lane_value;
    int64_t(*all)[2] = malloc(((size_t)w->v->entries_count + 1) * sizeof *all);
    uint64_t count = 0, different = 0;
    if (all == NULL) return ride_null_f64();
    for (uint32_t i = 0; i < w->v->entries_count; i++) {
        const int64_t *entry = state_view_entry(w->v, i);
        if (in_window(w, entry) && has_lane(w, entry, lane))
            memcpy(all[count++], own(w, entry) + layout(w)->lane_word[lane], sizeof *all);
    }
    qsort(all, count, sizeof *all, by_identity);
    for (uint64_t i = 0; i < count; i++) different += i == 0 || by_identity(all[i - 1], all[i]) != 0;
    free(all);
    return (double)different;
}

static void count_entry(const window *w, uint32_t index, tally *t) {
    const ride_plan_aggregate *a = w->a;
    const int64_t *entry = state_view_entry(w->v, index);
    const int32_t *word = layout(w)->lane_word;
    if (a->lane_count < 0) t->n++;
    else if (w->lanes[a->lane_count].kind == RIDE_LANE_COUNT) t->n += (uint64_t)added(entry)[word[a->lane_count]];
    else t->n += has_lane(w, entry, a->lane_count);
    if (a->lane_sum >= 0)
        t->sum += w->lanes[a->lane_sum].kind == RIDE_LANE_LABEL
                      ? state_view_label(w->v, index, (uint32_t)a->lane_sum, w->as_of_us)
                      : added(entry)[word[a->lane_sum]];
    if (a->lane_sumsq >= 0) {
        const int64_t *pair = added(entry) + word[a->lane_sumsq];
        const ride_u128 square = ((ride_u128)(uint64_t)pair[1] << 64) + (uint64_t)pair[0];
        t->overflow = __builtin_add_overflow(t->sumsq, square, &t->sumsq) || t->overflow;
    }
    if (a->lane_value < 0 || !has_lane(w, entry, a->lane_value)) return;
    const ride_plan_lane *lane = &w->lanes[a->lane_value];
    if (lane->kind != RIDE_LANE_VALUE) return;
    const uint64_t x = (uint64_t)own(w, entry)[word[a->lane_value]];
    if (!t->any || value_less(lane, x, t->smallest)) t->smallest = x;
    if (!t->any || value_less(lane, t->largest, x)) t->largest = x;
    t->last = x;
    t->any = true;
}

static int64_t newest(const window *w) {
    for (int64_t i = (int64_t)w->v->entries_count - 1; i >= 0; i--) {
        const int64_t *entry = state_view_entry(w->v, (uint32_t)i);
        if (in_window(w, entry) && has_lane(w, entry, w->a->lane_value)) return i;
    }
    return -1;
}

static double since_last(const window *w) {
    const int64_t i = newest(w);
    return i < 0 ? ride_null_f64() : ride_seconds(w->as_of_us - state_view_entry(w->v, (uint32_t)i)[0]);
}

static double since_first(const window *w) {
    const int64_t i = newest(w), lookback_us = w->entity->lookback_us;
    if (i < 0) return ride_null_f64();
    int64_t first = state_view_entry(w->v, (uint32_t)i)[0];
    if (w->as_of_us - first > lookback_us) return ride_null_f64();
    for (int64_t j = i - 1; j >= 0; j--) {
        const int64_t *entry = state_view_entry(w->v, (uint32_t)j);
        if (!has_lane(w, entry, w->a->lane_value)) continue;
        if (first - entry[0] > lookback_us) return ride_seconds(w->as_of_us - first);
        first = entry[0];
    }
    uint32_t c = 0; /* on with what is no longer there */
    while (c < layout(w)->chains_count && layout(w)->chain_lane[c] != w->a->lane_value) c++;
    if (c < layout(w)->chains_count && w->v->chains[c][0] != INT64_MIN && first - w->v->chains[c][0] <= lookback_us)
        first = w->v->chains[c][1];
    return ride_seconds(w->as_of_us - first);
}

static double value_of(const window *w, uint64_t bits) {
    if (w->a->is_decimal) return ride_decimal_to_f64((int64_t)bits, w->a->scale);
    return w->lanes[w->a->lane_value].is_u64 ? (double)bits : (double)(int64_t)bits;
}

double state_view_value(const state_view *v, const ride_plan_aggregate *a, int64_t as_of_us, bool *approx,
                        bool *needs_event) {
    const ride_plan_entity *entity = &ride_bundle_array(v->bundle, RIDE_SECTION_ENTITIES, ride_plan_entity)[v->entity];
    const ride_plan_edge *edges =
        ride_bundle_array(v->bundle, RIDE_SECTION_EDGES, ride_plan_edge) + entity->edges_first;
    const ride_plan_zone *zone = ride_bundle_array(v->bundle, RIDE_SECTION_ZONE, ride_plan_zone);
    const uint32_t zones = v->bundle->plan->zone_transitions_count;
    window w = {.v = v,
                .a = a,
                .entity = entity,
                .lanes = ride_bundle_array(v->bundle, RIDE_SECTION_LANES, ride_plan_lane) + entity->lanes_first,
                .as_of_us = as_of_us,
                .after_us = INT64_MIN,
                .until_us = as_of_us};
    const int64_t clock_us = v->clock_us > as_of_us ? v->clock_us : as_of_us,
                  cut_us = ride_time_sub(clock_us, entity->retention_us);
    if (a->edge_lo >= 0) w.after_us = ride_edge_threshold(&edges[a->edge_lo], as_of_us, zone, zones);
    if (a->edge_hi >= 0) w.until_us = ride_edge_threshold(&edges[a->edge_hi], as_of_us, zone, zones);
    *approx = ride_time_sub(as_of_us, entity->need_us) < cut_us;
    *needs_event = a->op == RIDE_AGG_FIRST_SEEN;
    if (cut_us > w.after_us) w.after_us = cut_us;
    tally t = {0};
    for (uint32_t i = 0; i < v->entries_count; i++)
        if (in_window(&w, state_view_entry(v, i))) count_entry(&w, i, &t);
    const int64_t sum = (int64_t)(uint64_t)t.sum;
    const bool is_sum = a->op >= RIDE_AGG_SUM && a->op <= RIDE_AGG_STD_POP;
    if (is_sum && (t.overflow || t.sum != sum)) {
        *approx = true;
        return ride_window_finish(a, t.n, ride_null_f64());
    }
    switch (a->op) {
    case RIDE_AGG_MIN: return ride_window_finish(a, t.n, t.any ? value_of(&w, t.smallest) : ride_null_f64());
    case RIDE_AGG_MAX: return ride_window_finish(a, t.n, t.any ? value_of(&w, t.largest) : ride_null_f64());
    case RIDE_AGG_LAST: return ride_window_finish(a, t.n, t.any ? value_of(&w, t.last) : ride_null_f64());
    case RIDE_AGG_SINCE_LAST: return ride_window_finish(a, t.n, since_last(&w));
    case RIDE_AGG_SINCE_FIRST: return ride_window_finish(a, t.n, since_first(&w));
    case RIDE_AGG_DISTINCT: return ride_window_finish(a, t.n, distinct(&w));
    case RIDE_AGG_FIRST_SEEN: return ride_null_f64();
    default: return ride_window_of_sums(a, t.n, sum, t.sumsq);
    }
}
