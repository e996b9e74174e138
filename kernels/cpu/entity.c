/* kernels/cpu/entity.c: creation, keys, rewriting of narrow tables, expiry of keys. The row loop is in form_body.h. */
#include "kernels/cpu/entity.h"

#include "base/assert.h"
#include "base/huge.h"

#include <stdlib.h>
#include <string.h>

static int32_t lane_word_of(const ride_cpu_entity *entity, int32_t lane) {
    return lane < 0 ? -1 : entity->layout.lane_word[lane];
}

static int32_t slot_of(const ride_cpu_entity *entity, int32_t edge) {
    return edge < 0 ? -1 : entity->layout.edge_slot[edge];
}

static bool op_scans(uint16_t op) {
    switch (op) {
    case RIDE_AGG_MIN:
    case RIDE_AGG_MAX:
    case RIDE_AGG_LAST:
    case RIDE_AGG_SINCE_LAST:
    case RIDE_AGG_SINCE_FIRST:
    case RIDE_AGG_FIRST_SEEN:
    case RIDE_AGG_DISTINCT: return true;
    default: return false;
    }
}

static ride_status aggregates_make(ride_cpu_entity *entity, ride_error *err) {
    const ride_plan_aggregate *plans = ride_bundle_array(entity->bundle, RIDE_SECTION_AGGREGATES, ride_plan_aggregate);
    entity->aggregates_count = entity->plan->aggregates_count;
    free(entity->aggregates);
    entity->aggregates = calloc(entity->aggregates_count + 1, sizeof *entity->aggregates);
    if (entity->aggregates == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory for %u aggregates", entity->aggregates_count);
    for (uint32_t i = 0; i < entity->aggregates_count; i++) {
        ride_cpu_aggregate *a = &entity->aggregates[i];
        a->plan = &plans[entity->plan->aggregates_first + i];
        a->slot_lo = slot_of(entity, a->plan->edge_lo);
        a->slot_hi = slot_of(entity, a->plan->edge_hi);
        a->word_count = lane_word_of(entity, a->plan->lane_count);
        a->word_sum = lane_word_of(entity, a->plan->lane_sum);
        a->word_sumsq = lane_word_of(entity, a->plan->lane_sumsq);
        a->lane_value = a->plan->lane_value;
        a->word_value = lane_word_of(entity, a->plan->lane_value);
        a->is_u64 = a->plan->lane_value >= 0 ? entity->lanes[a->plan->lane_value].is_u64 : 0;
        a->divisor = a->plan->is_decimal ? (double)ride_pow10_u64(a->plan->scale) : 1.0;
        a->scans = op_scans(a->plan->op);
        a->extreme = -1;
        for (uint32_t x = 0; x < entity->layout.extremes_count; x++)
            if (entity->layout.extreme_aggregate[x] == i) a->extreme = (int32_t)x;
        while (a->plan->op == RIDE_AGG_SINCE_FIRST && entity->layout.chain_lane[a->chain] != a->lane_value) a->chain++;
        entity->any_scan = entity->any_scan || a->scans;
        entity->any_peers = entity->any_peers || a->plan->peers != 0;
    }
    return RIDE_OK;
}

static void words_describe(ride_cpu_entity *entity) {
    memset(entity->word_is_low, 0, sizeof entity->word_is_low);
    for (uint32_t l = 0; l < entity->layout.lanes_count; l++) {
        entity->label_count_word[l] = -1;
        if (entity->lanes[l].kind == RIDE_LANE_SUMSQ) entity->word_is_low[entity->layout.lane_word[l]] = true;
        if (entity->lanes[l].kind != RIDE_LANE_LABEL || entity->lanes[l].condition < 0) continue;
        for (uint32_t c = 0; c < entity->layout.lanes_count; c++)
            if (entity->lanes[c].kind == RIDE_LANE_COUNT && entity->lanes[c].column < 0 &&
                entity->lanes[c].condition == entity->lanes[l].condition)
                entity->label_count_word[l] = entity->layout.lane_word[c];
    }
}

static ride_status storage_create(ride_cpu_entity *entity, uint64_t bytes_max, ride_error *err) {
    uint64_t most = bytes_max / entity->layout.record_bytes;
    entity->records_max = most < UINT32_C(1) << 31 ? (uint32_t)most : UINT32_C(1) << 31;
    entity->records_bytes_reserved = (uint64_t)entity->records_max * entity->layout.record_bytes;
    RIDE_TRY(ride_huge_alloc(entity->records_bytes_reserved, (void **)&entity->records, err));
    return ride_slab_create(&entity->slab, bytes_max, entity->layout.block_lines, err);
}

static void storage_destroy(ride_cpu_entity *entity) {
    ride_huge_free(entity->records, entity->records_bytes_reserved);
    ride_slab_destroy(&entity->slab);
}

static const ride_cpu_form *narrow_form_for(ride_cpu_isa isa) {
#if defined(__x86_64__)
    if (isa >= RIDE_CPU_AVX512) return &ride_cpu_form_narrow_avx512;
    if (isa >= RIDE_CPU_AVX2) return &ride_cpu_form_narrow_avx2;
#else
    (void)isa;
#endif
    return &ride_cpu_form_narrow;
}

ride_status ride_cpu_entity_create(ride_cpu_entity *entity, const ride_bundle *bundle, uint32_t entity_index,
                                   uint64_t bytes_max, uint64_t reserve_keys, ride_cpu_isa isa, ride_error *err) {
    memset(entity, 0, sizeof *entity);
    entity->narrow_form = narrow_form_for(isa);
    entity->bundle = bundle;
    entity->plan = &ride_bundle_array(bundle, RIDE_SECTION_ENTITIES, ride_plan_entity)[entity_index];
    entity->lanes = ride_bundle_array(bundle, RIDE_SECTION_LANES, ride_plan_lane) + entity->plan->lanes_first;
    entity->edges = ride_bundle_array(bundle, RIDE_SECTION_EDGES, ride_plan_edge) + entity->plan->edges_first;
    entity->zone = ride_bundle_array(bundle, RIDE_SECTION_ZONE, ride_plan_zone);
    entity->zone_count = bundle->plan->zone_transitions_count;
    for (uint32_t l = 0; l < entity->plan->lanes_count && bundle->plan->label_kind == RIDE_LABEL_SOURCE; l++)
        entity->labels_from_source = entity->labels_from_source || entity->lanes[l].kind == RIDE_LANE_LABEL;
    entity->need_us = entity->plan->need_us;
    for (uint32_t i = 0; i < entity->plan->edges_count; i++)
        if (entity->edges[i].kind == RIDE_EDGE_OFFSET && entity->edges[i].offset_us > entity->offset_max_us)
            entity->offset_max_us = entity->edges[i].offset_us;
    entity->retention_us = entity->plan->retention_us;
    entity->lookback_us = entity->plan->lookback_us;
    entity->clock_us = INT64_MIN;
    entity->expire_us = INT64_MAX;
    RIDE_TRY(ride_state_layout_make(bundle, entity_index, !ride_state_can_be_narrow(bundle, entity_index),
                                    &entity->layout, err));
    words_describe(entity);
    RIDE_TRY(aggregates_make(entity, err));
    uint64_t keys = reserve_keys != 0 ? reserve_keys : entity->plan->expected_keys;
    RIDE_TRY(ride_keytable_create(&entity->table, keys, err));
    return storage_create(entity, bytes_max, err);
}

void ride_cpu_entity_destroy(ride_cpu_entity *entity) {
    ride_keytable_destroy(&entity->table);
    storage_destroy(entity);
    free(entity->aggregates);
    free(entity->notes);
    free(entity->distinct_set);
    memset(entity, 0, sizeof *entity);
}

static uint32_t record_new(ride_cpu_entity *entity, ride_key128 key, uint64_t hash) {
    uint32_t index;
    if (entity->free_record != 0) {
        index = entity->free_record - 1;
        entity->free_record = ride_cpu_record(entity, index)->ring;
        entity->records_free--;
        memset(ride_cpu_record(entity, index), 0, entity->layout.record_bytes);
    } else if (entity->records_used < entity->records_max) {
        index = entity->records_used++;
    } else {
        entity->out_of_memory = true;
        return RIDE_NO_RECORD;
    }
    ride_record *record = ride_cpu_record(entity, index);
    record->key = key;
    ride_cpu_entity_form(entity)->record_init(entity, record);
    if (entity->out_of_memory ||
        ride_keytable_insert(&entity->table, hash, index, entity->records, entity->layout.record_bytes) != RIDE_OK) {
        entity->out_of_memory = true;
        return RIDE_NO_RECORD;
    }
    return index;
}

uint32_t ride_cpu_entity_find_slow(ride_cpu_entity *entity, ride_key128 key, uint64_t hash) {
    uint64_t at = hash >> entity->table.shift;
    uint32_t index = ride_keytable_probe(&entity->table, hash, &at);
    return RIDE_LIKELY(index != UINT32_MAX) ? index : record_new(entity, key, hash);
}

uint32_t ride_cpu_entity_find_exact(ride_cpu_entity *entity, ride_key128 key, uint64_t hash) {
    for (uint64_t at = hash >> entity->table.shift;; at++) {
        uint32_t index = ride_keytable_probe(&entity->table, hash, &at);
        if (index == UINT32_MAX) return record_new(entity, key, hash);
        if (ride_key_equal(ride_cpu_record(entity, index)->key, key)) return index;
    }
}

void ride_cpu_entity_watch_sums(ride_cpu_entity *entity, const ride_cpu_rows *rows) {
    int64_t bits = 0; /* of all magnitudes together: a bound that needs no comparison */
    for (uint32_t l = 0; l < entity->layout.lanes_count; l++) {
        if (entity->lanes[l].kind != RIDE_LANE_SUM) continue;
        const int64_t *value = rows->sum_value + l * RIDE_BLOCK_ROWS;
        for (uint32_t row = 0; row < rows->rows_count; row++) bits |= value[row] < 0 ? ~value[row] : value[row];
    }
    if (bits > entity->largest) entity->largest = bits;
    if (entity->sums_watched || !ride_cpu_sum_can_overflow(entity, (uint64_t)entity->live_max + RIDE_BLOCK_ROWS + 32))
        return;
    for (uint32_t i = 0; i < entity->aggregates_count; i++)
        if (ride_cpu_op_sums(entity->aggregates[i].plan->op))
            entity->aggregates[i].scans = entity->any_scan = entity->sums_watched = true;
}

/* Copies the entries of one record between two tables of different form. */
static void record_copy(const ride_cpu_entity *from, const ride_record *source, ride_cpu_entity *to,
                        ride_record *target) {
    const ride_cpu_form *read = ride_cpu_entity_form(from), *write = ride_cpu_entity_form(to);
    target->key = source->key;
    write->record_init(to, target);
    for (uint32_t p = source->first; p != source->n; p++) {
        int64_t time_us, added[RIDE_WORDS_MAX], own[RIDE_WORDS_MAX];
        read->entry_read(from, source, p, &time_us, added, own);
        write->entry_append(to, target, time_us, added, own);
    }
    target->last_us = source->last_us;
    target->patches = source->patches;
    target->ties = source->ties;
    target->group = source->group;
    memcpy(ride_cpu_chains(to, target), ride_cpu_chains(from, source), to->layout.chains_count * sizeof(ride_chain));
    write->edges_refresh(to, target);
}

ride_status ride_cpu_entity_widen(ride_cpu_entity *entity, ride_error *err) {
    RIDE_ASSERT(!entity->layout.wide);
    ride_cpu_entity old = *entity;
    uint32_t entity_index =
        (uint32_t)(entity->plan - ride_bundle_array(entity->bundle, RIDE_SECTION_ENTITIES, ride_plan_entity));
    RIDE_TRY(ride_state_layout_make(entity->bundle, entity_index, 1, &entity->layout, err));
    words_describe(entity);
    RIDE_TRY(aggregates_make(entity, err));
    RIDE_TRY(storage_create(entity, old.slab.lines_max * RIDE_STATE_LINE_BYTES, err));
    entity->free_record = 0;
    entity->records_free = 0;
    /* retention must not act while entries are copied: they are appended without their clock */
    int64_t clock = entity->clock_us;
    entity->clock_us = INT64_MIN;
    for (uint32_t i = 0; i < old.records_used; i++) {
        const ride_record *source = (const ride_record *)(old.records + (uint64_t)i * old.layout.record_bytes);
        ride_record *target = ride_cpu_record(entity, i);
        if (source->ring_blocks == 0) { /* on the free list */
            target->ring = entity->free_record;
            entity->free_record = i + 1;
            entity->records_free++;
        } else record_copy(&old, source, entity, target);
    }
    entity->clock_us = clock;
    storage_destroy(&old);
    return entity->out_of_memory ? ride_fail(err, RIDE_E_MEMORY, "no memory for the wide form of the state") : RIDE_OK;
}

/* Moves the notes from *list on to the free list. */
static void notes_free(ride_cpu_entity *entity, uint32_t *list) {
    while (*list != 0) {
        uint32_t at = *list;
        *list = entity->notes[at - 1].next;
        entity->notes[at - 1].next = entity->notes_free;
        entity->notes_free = at;
    }
}

/* Takes the note that *link leads to out of its list. */
static void note_drop(ride_cpu_entity *entity, uint32_t *link) {
    uint32_t at = *link;
    *link = entity->notes[at - 1].next;
    entity->notes[at - 1].next = 0;
    notes_free(entity, &at);
}

/* No event can be late enough to read what has expired. */
static void notes_prune(ride_cpu_entity *entity, uint32_t *list) {
    int64_t cut = ride_cpu_entity_cut(entity);
    for (uint32_t *link = list; *link != 0;)
        if (entity->notes[*link - 1].entry_us <= cut) note_drop(entity, link);
        else link = &entity->notes[*link - 1].next;
}

/* A copy of the note, in no list; 0 when memory is out. */
static uint32_t note_new(ride_cpu_entity *entity, const ride_note *note) {
    uint32_t at = entity->notes_free;
    if (at != 0) entity->notes_free = entity->notes[at - 1].next;
    else {
        if (entity->notes_used == entity->notes_max) { /* labels and ties are rare: grows by doubling */
            uint32_t wanted = entity->notes_max == 0 ? 1024 : 2 * entity->notes_max;
            ride_note *grown = realloc(entity->notes, wanted * sizeof *grown);
            if (grown == NULL) {
                entity->out_of_memory = true;
                return 0;
            }
            entity->notes = grown;
            entity->notes_max = wanted;
        }
        at = ++entity->notes_used;
    }
    entity->notes[at - 1] = *note;
    return at;
}

void ride_cpu_tie_add(ride_cpu_entity *entity, ride_record *record, const ride_note *note) {
    notes_prune(entity, &record->ties);
    uint32_t at = note_new(entity, note);
    if (at == 0) return;
    entity->notes[at - 1].next = record->ties;
    record->ties = at;
}

void ride_cpu_patch_add(ride_cpu_entity *entity, ride_record *record, const ride_note *note) {
    notes_prune(entity, &record->patches);
    uint32_t at = note_new(entity, note);
    if (at == 0) return;
    uint32_t *link = &record->patches; /* the latest is the head: one comparison tells that a row sees them all */
    while (*link != 0 && entity->notes[*link - 1].known_us > note->known_us) link = &entity->notes[*link - 1].next;
    entity->notes[at - 1].next = *link;
    *link = at;
}

int32_t ride_cpu_patches_cut(ride_cpu_entity *entity, ride_record *record, int64_t entry_us, uint32_t ordinal,
                             int64_t known_us) {
    int32_t sum = 0;
    for (uint32_t *link = &record->patches; *link != 0 && entity->notes[*link - 1].known_us >= known_us;) {
        const ride_note *note = &entity->notes[*link - 1];
        if (note->entry_us != entry_us || note->ordinal != ordinal) link = &entity->notes[*link - 1].next;
        else {
            sum += note->delta;
            note_drop(entity, link);
        }
    }
    return sum;
}

void ride_cpu_entity_sweep(ride_cpu_entity *entity, uint32_t records_count) {
    int64_t cut = ride_cpu_entity_cut(entity);
    if (entity->records_used == 0 || ride_cpu_entity_clock(entity) == INT64_MIN) return;
    for (uint32_t i = 0; i < records_count; i++) {
        uint32_t index = entity->sweep_at;
        entity->sweep_at = index + 1 < entity->records_used ? index + 1 : 0;
        ride_record *record = ride_cpu_record(entity, index);
        if (record->ring_blocks == 0 || record->last_us >= cut || record->last_us == INT64_MIN) continue;
        entity->stats.evicted_entries += record->n - record->first;
        ride_keytable_remove(&entity->table, ride_key_hash(record->key), index, entity->records,
                             entity->layout.record_bytes);
        ride_slab_give(&entity->slab, record->ring, record->ring_class);
        notes_free(entity, &record->patches);
        notes_free(entity, &record->ties);
        memset(record, 0, entity->layout.record_bytes);
        record->ring = entity->free_record;
        entity->free_record = index + 1;
        entity->records_free++;
    }
}

uint64_t ride_cpu_entity_bytes(const ride_cpu_entity *entity) {
    return (uint64_t)(entity->records_used - entity->records_free) * entity->layout.record_bytes +
           ride_slab_bytes(&entity->slab) + ride_keytable_bytes(&entity->table) +
           entity->notes_max * sizeof *entity->notes;
}
