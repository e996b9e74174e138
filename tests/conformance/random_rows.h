/* tests/conformance/random_rows.h: random rows for a random plan: ties, late events, events too late to enter, null keys and
 * values, labels that come later (and are taken back), a hot key, huge gaps, rows to skip; of one stream, or of several that are far
 * apart in time: then rows are ahead of the clock, or each stream has its own. */
#ifndef RIDE_TESTS_RANDOM_ROWS_H
#define RIDE_TESTS_RANDOM_ROWS_H
#include "random_model.h"

#include <stdlib.h>

typedef struct random_row {
    int64_t time_us, clock_us;
    int64_t expire_us; /* many clocks: the least of the streams' before this row */
    uint32_t flags;
    ride_key128 keys[PLAN_ENTITIES_MAX], name, other;
    int64_t amount, count, category;
    ride_slice text;
    uint64_t wide, about;
    double real;
    uint8_t truth, label;
    uint32_t nulls; /* bit e: key e; bit 8 + f: field f */
} random_row;

/* stream: whose keys they are; 0: anybody's. */
static inline ride_key128 rows_key(rnd *r, uint32_t keys_count, int hashed, uint32_t stream) {
    const uint32_t k = (rnd_one_in(r, 2) ? 0 : rnd_below(r, keys_count)) + stream * 1000; /* key 0 is hot */
    rnd hash = {k + 77};
    if (!hashed) return (ride_key128){k, 0};
    const uint64_t lo = rnd_next(&hash);
    return (ride_key128){lo, rnd_next(&hash)};
}

static inline void rows_fields(rnd *r, const random_plan *p, random_row *row) {
    static const double reals[] = {0.0, -0.0, 0.5, 1.5, -3.25, 1e300, -1e300};
    /* the least, the greatest denormal, one that is a denormal as f32, one that is none as f64 but 0 as f32, the ends of f32 */
    static const double special[] = {5e-324,  -5e-324, 2.2250738585072009e-308, 1e-40, 1e-300, 3.5e38,
                                     1.4e-45, INFINITY};
    row->amount = (int64_t)rnd_below(r, 20000) - 1000;
    if (!p->sums_are_small && rnd_one_in(r, 5)) row->amount = (int64_t)(rnd_next(r) >> 24) - (INT64_C(1) << 39);
    if (p->sums_overflow && rnd_one_in(r, 3)) row->amount = (int64_t)rnd_next(r) >> rnd_below(r, 4);
    row->count = (int64_t)rnd_below(r, 9) - 3;
    row->wide = rnd_one_in(r, 2) ? rnd_below(r, 4) : rnd_next(r);
    row->truth = (uint8_t)rnd_below(r, 2);
    row->label = (uint8_t)rnd_one_in(r, 3);
    row->name = (ride_key128){rnd_below(r, 5), rnd_one_in(r, 4) ? 9 : 0};
    row->other = (ride_key128){rnd_below(r, 5), rnd_one_in(r, 4) ? 9 : 0};
    row->text = (ride_slice){rnd_below(r, 20), rnd_below(r, 4)};
    row->category = rnd_below(r, 5);
    row->real = RND_PICK(r, reals);
    if (rnd_one_in(r, 8)) row->real = rnd_one_in(r, 2) ? (double)NAN : (double)-INFINITY;
    else if (rnd_one_in(r, 5)) row->real = RND_PICK(r, special);
    if (rnd_one_in(r, 40)) row->real = (double)copysign(NAN, -1.0);
    static const plan_field nullable[] = {FIELD_AMOUNT, FIELD_BOOL, FIELD_REAL,     FIELD_NAME,
                                          FIELD_OTHER,  FIELD_TEXT, FIELD_CATEGORY, FIELD_LABEL};
    for (size_t i = 0; i < sizeof nullable / sizeof *nullable; i++)
        if (rnd_one_in(r, 8)) row->nulls |= 1u << (8 + nullable[i]);
}

static inline int row_is_event(const random_row *row) { return (row->flags & (RIDE_ROW_LABEL | RIDE_ROW_SKIP)) == 0; }

/* A label for an event of the last rows that entered, known about now; mostly not the event's first. */
static inline void rows_label(rnd *r, const random_plan *p, random_row *rows, uint32_t i, int64_t clock_us) {
    random_row *row = &rows[i];
    uint32_t back = rnd_one_in(r, 2) ? 12 : 200;
    row->about = i - 1 - rnd_below(r, i < back ? i : back);
    for (uint32_t j = i; j-- > 0 && i - j < 20 && rnd_one_in(r, 2);) /* often the same event's label once more */
        if ((rows[j].flags & RIDE_ROW_LABEL) != 0) row->about = rows[j].about;
    const random_row *of = &rows[row->about];
    rows_fields(r, p, row);
    row->flags = RIDE_ROW_SKIP;
    row->time_us = row->clock_us = clock_us;
    if (!row_is_event(of) || (of->flags & RIDE_ROW_ENTERS) == 0) return;
    memcpy(row->keys, of->keys, sizeof row->keys);
    row->nulls = of->nulls & 0xff;
    row->time_us = of->time_us;
    row->clock_us = clock_us + ((int64_t)rnd_below(r, 9) - 4) * (rnd_one_in(r, 3) ? 9 : 1) * p->step_us;
    row->label = !rnd_one_in(r, 4);
    if (rnd_one_in(r, 12)) row->nulls |= 1u << (8 + FIELD_LABEL);
    row->flags = RIDE_ROW_LABEL;
}

static inline int64_t rows_advance(rnd *r, const random_plan *p, int dense) {
    if (rnd_one_in(r, dense ? 2 : 4)) return 0;
    if (rnd_one_in(r, 150)) return (2000 + (int64_t)rnd_below(r, 3000)) * p->step_us; /* everything expires */
    return (int64_t)rnd_below(r, rnd_one_in(r, 10) ? 60 : 3) * p->step_us + (rnd_one_in(r, 20) ? 1 : 0);
}

/* Where rows come from: some are far behind others, some begin late, some are at their end for a while and hold no clock back. */
typedef struct rows_stream {
    int64_t now_us, greatest_us; /* INT64_MIN: it has given nothing yet */
    int is_idle;
} rows_stream;
typedef struct rows_streams {
    rows_stream each[PLAN_STREAMS_MAX];
    uint32_t at;      /* of the row at hand */
    int64_t clock_us; /* the common one, never back; as the engine has it before all streams have told a time */
} rows_streams;

static inline void rows_streams_begin(rnd *r, const random_plan *p, rows_streams *s) {
    *s = (rows_streams){.clock_us = p->streams == 1 ? INT64_MIN : INT64_MIN / 2};
    for (uint32_t i = 0; i < p->streams; i++) {
        const int64_t ahead = p->streams == 1 ? 0 : (int64_t)rnd_below(r, rnd_one_in(r, 2) ? 5000 : 30);
        s->each[i] = (rows_stream){p->start_us + ahead * p->step_us, INT64_MIN, i > 0 && rnd_one_in(r, 3)};
    }
}

static inline int64_t rows_least_clock(const random_plan *p, const rows_streams *s) {
    int64_t least_us = INT64_MAX;
    for (uint32_t i = 0; i < p->streams; i++)
        if (s->each[i].greatest_us != INT64_MIN && s->each[i].greatest_us < least_us) least_us = s->each[i].greatest_us;
    return least_us == INT64_MAX ? INT64_MIN : least_us;
}

/* The row's time and clock, its stream given. */
static inline void rows_time(rnd *r, const random_plan *p, rows_streams *s, int late, int dense, random_row *row) {
    rows_stream *stream = &s->each[s->at];
    stream->is_idle = 0;
    stream->now_us += rows_advance(r, p, dense);
    row->time_us = stream->now_us;
    if (late && rnd_one_in(r, 6)) row->time_us -= (int64_t)rnd_below(r, rnd_one_in(r, 20) ? 900 : 45) * p->step_us;
    if (row->time_us > stream->greatest_us) stream->greatest_us = row->time_us;
    int64_t reached_us = stream->greatest_us;
    for (uint32_t i = 0; i < p->streams && !p->many_clocks; i++)
        if (!s->each[i].is_idle && s->each[i].greatest_us < reached_us) reached_us = s->each[i].greatest_us;
    if (p->many_clocks || reached_us > s->clock_us) s->clock_us = reached_us;
    row->clock_us = s->clock_us;
    for (uint32_t i = 0; i < p->streams && p->streams > 1; i++)
        if (rnd_one_in(r, 60)) s->each[i].is_idle = !s->each[i].is_idle;
    if (p->streams > 1 && rnd_one_in(r, 5)) s->at = rnd_below(r, p->streams);
}

/* rows_count rows; a function of the seed. The caller frees. */
static inline random_row *random_rows_make(const random_plan *p, uint64_t seed, uint32_t rows_count) {
    static const uint32_t keys_counts[] = {1, 3, 3, 12, 300};
    rnd random = {seed ^ 0x726f7773}, *r = &random;
    random_row *rows = calloc(rows_count + 1, sizeof *rows);
    RIDE_ASSERT(rows != NULL);
    const uint32_t keys_count = RND_PICK(r, keys_counts);
    const int hashed = rnd_one_in(r, 2), dense = rnd_one_in(r, 3), late = p->slack_us > 0 || rnd_one_in(r, 2);
    rows_streams streams;
    rows_streams_begin(r, p, &streams);
    for (uint32_t i = 0; i < rows_count; i++) {
        random_row *row = &rows[i];
        const uint32_t stream = streams.at;
        row->expire_us = rows_least_clock(p, &streams);
        if (p->label_kind == RIDE_LABEL_SOURCE && i > 0 && rnd_one_in(r, 6) && row_is_event(&rows[i - 1])) {
            rows_label(r, p, rows, i, streams.clock_us);
            continue;
        }
        rows_time(r, p, &streams, late, dense, row);
        const int64_t age_us = row->clock_us > row->time_us ? row->clock_us - row->time_us : 0;
        row->flags = (age_us <= p->slack_us ? RIDE_ROW_ENTERS : 0) | (age_us > 0 ? RIDE_ROW_LATE : 0);
        if (rnd_one_in(r, 40)) row->flags = RIDE_ROW_SKIP;
        rows_fields(r, p, row);
        for (uint32_t e = 0; e < p->entities_count; e++) {
            row->keys[e] = rows_key(r, keys_count, hashed, p->many_clocks ? stream : 0);
            if (rnd_one_in(r, 20)) row->nulls |= 1u << e;
        }
    }
    int64_t next_us = INT64_MIN; /* groups of one timestamp, from the end; labels divide them */
    for (uint32_t i = rows_count; p->peers && i-- > 0;) {
        if ((rows[i].flags & RIDE_ROW_LABEL) != 0) next_us = INT64_MIN;
        if (!row_is_event(&rows[i])) continue;
        if (rows[i].time_us != next_us) rows[i].flags |= RIDE_ROW_PEERS;
        next_us = rows[i].time_us;
    }
    return rows;
}

/* A batch may end behind row i: no group of a timestamp is open there. */
static inline int rows_may_cut(const random_plan *p, const random_row *rows, uint32_t i) {
    if (!p->peers) return 1;
    for (uint32_t j = i + 1; j-- > 0;)
        if (row_is_event(&rows[j])) return (rows[j].flags & RIDE_ROW_PEERS) != 0;
    return 1;
}

/* Writes rows into tiles of the plan's input layout. */
static inline void rows_fill(const random_plan *p, const ride_tile_layout *layout, const random_row *rows,
                             uint32_t rows_count, uint64_t sequence_first, uint8_t *tiles) {
    for (uint32_t i = 0; i < rows_count; i++) {
        uint8_t *tile = tiles + (size_t)(i / RIDE_TILE_ROWS) * layout->tile_bytes;
        const uint32_t t = i % RIDE_TILE_ROWS;
        const random_row *row = &rows[i];
        ride_tile_head(tile)->rows_count = t + 1;
        if (t == 0) ride_tile_head(tile)->sequence_first = sequence_first + i;
        for (uint32_t c = 0; c < p->columns_count; c++) {
            const uint32_t bit = c < RIDE_COLUMNS_SYSTEM + p->entities_count
                                     ? c - RIDE_COLUMNS_SYSTEM
                                     : 8 + c - RIDE_COLUMNS_SYSTEM - p->entities_count;
            const int valid = c < RIDE_COLUMNS_SYSTEM || (row->nulls >> bit & 1) == 0;
            uint8_t *bits = ride_tile_validity(layout, tile, c);
            if (bits != NULL) ride_bit_put(bits, t, valid);
            const void *value = c == RIDE_COLUMN_TIME                 ? (const void *)&row->time_us
                                : c == RIDE_COLUMN_CLOCK              ? (const void *)&row->clock_us
                                : c == RIDE_COLUMN_FLAGS              ? (const void *)&row->flags
                                : c == plan_column(p, FIELD_AMOUNT)   ? (const void *)&row->amount
                                : c == plan_column(p, FIELD_COUNT)    ? (const void *)&row->count
                                : c == plan_column(p, FIELD_WIDE)     ? (const void *)&row->wide
                                : c == plan_column(p, FIELD_BOOL)     ? (const void *)&row->truth
                                : c == plan_column(p, FIELD_REAL)     ? (const void *)&row->real
                                : c == plan_column(p, FIELD_NAME)     ? (const void *)&row->name
                                : c == plan_column(p, FIELD_OTHER)    ? (const void *)&row->other
                                : c == plan_column(p, FIELD_TEXT)     ? (const void *)&row->text
                                : c == plan_column(p, FIELD_CATEGORY) ? (const void *)&row->category
                                : c == plan_column(p, FIELD_LABEL)    ? (const void *)&row->label
                                : c == plan_column(p, FIELD_ABOUT)    ? (const void *)&row->about
                                                                   : (const void *)&row->keys[c - RIDE_COLUMNS_SYSTEM];
            const uint32_t bytes = ride_type_bytes(layout->columns[c].type);
            memcpy((uint8_t *)ride_tile_values(layout, tile, c) + (size_t)t * bytes, value, bytes);
        }
    }
}

#endif
