/* kernels/cpu/shap_tables.c: groups, and their shares as whole numbers of 24 bits.
 *
 * Groups lie output by output, in the order of the trees, in segments of at most 256. A segment has a scale, a power of two that its greatest table
 * just fits: later trees of a boosted model have smaller leaves and so finer steps. An entry is the share in steps, less the least of its table, so it is not
 * negative; what was taken away is in the slot's bias. The rounding error of one input is carried to the next, so that the shares of a
 * group add up. Shares are made twice, for the scale and for the entries: they are quickly made, and many. */
#include "kernels/cpu/shap_internal.h"

#include "base/assert.h"
#include "base/huge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRY_BITS = 24 };

/* Large ones in huge pages: a row reads thousands of lines that lie anywhere in them. */
enum { HUGE_BYTES = 2 << 20 };

static ride_status room_take(uint64_t bytes, uint8_t **out, ride_error *err) {
    void *room = NULL;
    if (bytes >= HUGE_BYTES) RIDE_TRY(ride_huge_alloc(bytes, &room, err));
    else room = aligned_alloc(64, (bytes + 127) / 64 * 64);
    *out = room;
    return room != NULL
               ? RIDE_OK
               : ride_fail(err, RIDE_E_MEMORY, "no memory for tables of %llu bytes", (unsigned long long)bytes);
}

static void room_give(uint8_t *room, uint64_t bytes) {
    if (bytes >= HUGE_BYTES) ride_huge_free(room, bytes);
    else free(room);
}

/* Some more than there are, which entries that are nobody's may be read from. */
static uint64_t lines_bytes(const ride_shap *s) { return (s->line_units + 4) * SHAP_LINE_UNIT; }

void shap_tables_free(ride_shap *s) {
    room_give(s->lines, lines_bytes(s));
    room_give(s->tables, s->table_units * SHAP_TABLE_UNIT);
}

/* ---- groups ---- */

static double range_of(const shap_form *form, const double *shares) {
    double most = 0.0;
    for (uint32_t j = 0; j < form->inputs_count; j++) {
        double low = INFINITY, high = -INFINITY;
        for (uint32_t i = 0; i < 1u << form->bits; i++) {
            const double share = shares[j * SHAP_PATTERNS + i];
            low = share < low ? share : low;
            high = share > high ? share : high;
        }
        most = high - low > most ? high - low : most;
    }
    return most;
}

static ride_status group_make(shap_maker *m, uint32_t cut, double *range, ride_error *err) {
    ride_shap *s = m->shap;
    shap_form form;
    RIDE_TRY(shap_form_make(m, &m->cuts[cut], &form, err));
    RIDE_ASSERT(s->groups_count < m->groups_room);
    shap_group *group = &s->groups[s->groups_count];
    *group = (shap_group){.line_first = (uint32_t)s->line_units,
                          .bits = (uint8_t)form.bits,
                          .inputs_count = (uint8_t)form.inputs_count,
                          .line_units = form.inputs_count <= SHAP_LINE_ENTRIES ? 1 : 2};
    for (uint32_t b = 0; b < form.bits; b++) group->planes[b] = form.planes[b];
    for (uint32_t j = 0; j < form.inputs_count; j++) s->slots_of[s->groups_count][j] = m->slot_of[form.inputs[j]];
    s->line_units += (uint64_t)group->line_units << form.bits;
    if (s->line_units > UINT32_MAX) return ride_fail(err, RIDE_E_UNSUPPORTED, "tables of more than 64 GiB");
    m->cut_of[s->groups_count++] = cut;
    shap_form_shares(m, &form);
    const double of_group = range_of(&form, m->shares);
    *range = of_group > *range ? of_group : *range;
    return RIDE_OK;
}

typedef struct listed {
    uint32_t slot, kind, group, input; /* kind: units of the table */
} listed;

static uint32_t table_units_of(const shap_group *group) {
    return group->bits < SHAP_INDEX_BITS ? 1 : 2u << (group->bits - SHAP_INDEX_BITS);
}

static int compare_listed(const void *a, const void *b) {
    const listed *l = a, *r = b;
    if (l->slot != r->slot) return l->slot < r->slot ? -1 : 1;
    if (l->kind != r->kind) return l->kind < r->kind ? -1 : 1;
    return (l->group > r->group) - (l->group < r->group);
}

static void lists_make(shap_maker *m, shap_segment *segment) {
    ride_shap *s = m->shap;
    listed all[SHAP_SEGMENT_GROUPS * SHAP_BITS];
    uint32_t count = 0;
    for (uint32_t g = 0; g < segment->groups_count; g++) {
        const shap_group *group = &s->groups[segment->groups_first + g];
        for (uint32_t j = 0; j < group->inputs_count; j++)
            all[count++] = (listed){s->slots_of[segment->groups_first + g][j], table_units_of(group), g, j};
    }
    qsort(all, count, sizeof *all, compare_listed);
    segment->lists_first = s->lists_count;
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || all[i].slot != all[i - 1].slot)
            s->lists[s->lists_count++] = (shap_list){.slot = all[i].slot,
                                                     .table_first = (uint32_t)s->table_units,
                                                     .entries_first = s->entries_count};
        shap_list *list = &s->lists[s->lists_count - 1];
        list->small_count += all[i].kind == 1;
        list->large_count += all[i].kind == 2;
        list->wide_count += all[i].kind > 2;
        m->table_at[(size_t)(segment->groups_first + all[i].group) * SHAP_BITS + all[i].input] =
            (uint32_t)s->table_units;
        s->table_units += all[i].kind;
        s->entries[s->entries_count++] = (uint16_t)all[i].group;
    }
    segment->lists_count = s->lists_count - segment->lists_first;
}

static ride_status room_make(shap_maker *m, ride_error *err) {
    ride_shap *s = m->shap;
    for (uint32_t i = 0; i < m->cuts_count; i++) m->groups_room += !m->cuts[i].is_deep;
    const size_t groups = (size_t)m->groups_room + 1, entries = groups * SHAP_BITS,
                 segments = groups / SHAP_SEGMENT_GROUPS + s->outputs_count + 1;
    s->groups = calloc(groups, sizeof *s->groups);
    s->slots_of = calloc(groups, sizeof *s->slots_of);
    s->segments = calloc(segments, sizeof *s->segments);
    s->lists = calloc(entries, sizeof *s->lists);
    s->entries = calloc(entries, sizeof *s->entries);
    m->cut_of = calloc(groups, sizeof *m->cut_of);
    m->table_at = calloc(entries, sizeof *m->table_at);
    m->ranges = calloc(segments, sizeof *m->ranges);
    m->shares = calloc(SHAP_BITS * SHAP_PATTERNS, sizeof *m->shares);
    m->of_leaf = calloc(SHAP_BITS * SHAP_PATTERNS, sizeof *m->of_leaf);
    m->steps = calloc(SHAP_BITS * SHAP_PATTERNS, sizeof *m->steps);
    if (s->groups == NULL || s->slots_of == NULL || s->segments == NULL || s->lists == NULL || s->entries == NULL ||
        m->cut_of == NULL || m->table_at == NULL || m->ranges == NULL || m->shares == NULL || m->of_leaf == NULL ||
        m->steps == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory for %u groups", m->groups_room);
    return RIDE_OK;
}

ride_status shap_groups_make(shap_maker *m, uint32_t output, ride_error *err) {
    ride_shap *s = m->shap;
    shap_output *to = &s->outputs[output];
    shap_segment *segment = NULL;
    if (m->cut_of == NULL) RIDE_TRY(room_make(m, err));
    to->segments_first = s->segments_count;
    for (uint32_t i = m->cuts_first[output]; i < m->cuts_first[output + 1]; i++) {
        if (m->cuts[i].is_deep) continue;
        if (segment == NULL || segment->groups_count == SHAP_SEGMENT_GROUPS) {
            if (segment != NULL) lists_make(m, segment);
            segment = &s->segments[s->segments_count++];
            segment->groups_first = s->groups_count;
        }
        RIDE_TRY(group_make(m, i, &m->ranges[s->segments_count - 1], err));
        segment->groups_count++;
    }
    if (segment != NULL) lists_make(m, segment);
    to->segments_count = s->segments_count - to->segments_first;
    return RIDE_OK;
}

/* ---- scales ---- */

/* The greatest power of two that takes a range into an entry, with room for the carried errors at both ends. */
static int scale_of(double range, int most) {
    int exponent;
    if (!(range > 0.0)) return most;
    frexp(range, &exponent);
    int scale = ENTRY_BITS - exponent;
    if (ldexp(range, scale) > (double)((1 << ENTRY_BITS) - 4)) scale--;
    return scale < most ? scale : most;
}

/* No sum of a row, whatever its order, is beyond 2^52 steps: so it is exact in a double too. */
static ride_status scales_make(shap_maker *m, int *scales, int *common, ride_error *err) {
    ride_shap *s = m->shap;
    double bound = 0.0;
    for (uint32_t i = 0; i < m->forest->header->nodes_count; i++)
        if (m->forest->nodes[i].input & RIDE_NODE_LEAF) bound += fabs(m->forest->nodes[i].u.leaf);
    if (!isfinite(bound)) return ride_fail(err, RIDE_E_UNSUPPORTED, "the leaves are too large to be explained");
    int exponent = 0;
    if (bound > 0.0) frexp(bound, &exponent);
    const int most = exponent > -900 ? 52 - exponent : 952; /* a power of two that is finite */
    *common = s->segments_count > 0 ? INT32_MIN : most;
    for (uint32_t i = 0; i < s->segments_count; i++) {
        scales[i] = scale_of(m->ranges[i], most);
        if (scales[i] > *common) *common = scales[i];
    }
    for (uint32_t i = 0; i < s->segments_count; i++) s->segments[i].shift = (uint32_t)(*common - scales[i]);
    return RIDE_OK;
}

/* ---- entries ---- */

static void put_line(uint8_t *line, uint32_t i, uint32_t entry) {
    for (uint32_t d = 0; d < SHAP_DIGITS; d++) line[SHAP_DIGITS * i + d] = (uint8_t)(entry >> 8 * d);
}

/* Patterns beyond the group's repeat, so that no bit has to be masked. A wide table is large ones, one after the other. */
static void put_table(uint8_t *table, uint32_t patterns, const uint32_t *entries) {
    const uint32_t size = patterns > SHAP_SMALL ? SHAP_LARGE : SHAP_SMALL;
    for (uint32_t part = 0; part < patterns || part == 0; part += size)
        for (uint32_t d = 0; d < SHAP_DIGITS; d++)
            for (uint32_t i = 0; i < size; i++) *table++ = (uint8_t)(entries[(part + i) % patterns] >> 8 * d);
}

static void group_fill(const shap_maker *m, uint32_t g, int scale, uint32_t shift, shap_slot *slots) {
    ride_shap *s = m->shap;
    const shap_group *group = &s->groups[g];
    const uint32_t patterns = 1u << group->bits;
    const double factor = ldexp(1.0, scale);
    const double *shares = m->shares;
    for (uint32_t i = 0; i < patterns; i++) {
        double carried = 0.0;
        for (uint32_t j = 0; j < group->inputs_count; j++) {
            const double share = shares[j * SHAP_PATTERNS + i] * factor + carried, rounded = nearbyint(share);
            carried = share - rounded;
            m->steps[j * SHAP_PATTERNS + i] = (int32_t)rounded;
        }
    }
    for (uint32_t j = 0; j < group->inputs_count; j++) {
        int32_t least = INT32_MAX;
        uint32_t entries[SHAP_PATTERNS];
        for (uint32_t i = 0; i < patterns; i++)
            least = m->steps[j * SHAP_PATTERNS + i] < least ? m->steps[j * SHAP_PATTERNS + i] : least;
        for (uint32_t i = 0; i < patterns; i++) {
            entries[i] = (uint32_t)(m->steps[j * SHAP_PATTERNS + i] - least);
            RIDE_ASSERT(entries[i] < 1u << ENTRY_BITS);
            put_line(s->lines + (group->line_first + (size_t)i * group->line_units) * SHAP_LINE_UNIT, j, entries[i]);
        }
        slots[s->slots_of[g][j]].bias += (uint64_t)(int64_t)least << shift;
        if (s->tables != NULL)
            put_table(s->tables + (uint64_t)m->table_at[(size_t)g * SHAP_BITS + j] * SHAP_TABLE_UNIT, patterns,
                      entries);
    }
}

static ride_status fill_all(shap_maker *m, const int *scales, ride_error *err) {
    const ride_shap *s = m->shap;
    shap_form form;
    for (uint32_t o = 0; o < s->outputs_count; o++)
        for (uint32_t i = 0; i < s->outputs[o].segments_count; i++) {
            const uint32_t number = s->outputs[o].segments_first + i;
            const shap_segment *segment = &s->segments[number];
            for (uint32_t g = segment->groups_first; g < segment->groups_first + segment->groups_count; g++) {
                RIDE_TRY(shap_form_make(m, &m->cuts[m->cut_of[g]], &form, err));
                shap_form_shares(m, &form);
                group_fill(m, g, scales[number], segment->shift, s->slots + s->outputs[o].slots_first);
            }
        }
    return RIDE_OK;
}

ride_status shap_tables_fill(shap_maker *m, ride_error *err) {
    ride_shap *s = m->shap;
    int *scales = calloc((size_t)s->segments_count + 1, sizeof *scales), common = 0;
    ride_status st = scales != NULL ? RIDE_OK : ride_fail(err, RIDE_E_MEMORY, "no memory for scales");
    const bool has_tables = s->isa >= RIDE_CPU_AVX2;
    const uint64_t bytes = lines_bytes(s) + (has_tables ? s->table_units * SHAP_TABLE_UNIT : 0);
    if (st == RIDE_OK) st = shap_bound_check(m, bytes, err);
    if (st == RIDE_OK) st = room_take(lines_bytes(s), &s->lines, err);
    if (st == RIDE_OK && has_tables) st = room_take(s->table_units * SHAP_TABLE_UNIT, &s->tables, err);
    if (st == RIDE_OK) st = scales_make(m, scales, &common, err);
    if (st == RIDE_OK) {
        memset(s->lines, 0, lines_bytes(s));
        s->scale = ldexp(1.0, -common);
        st = fill_all(m, scales, err);
    }
    free(scales);
    return st;
}
