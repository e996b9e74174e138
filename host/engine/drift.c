/* engine/drift.c: the profile's counts cut into intervals. The backend counts whole batches with their scores; only a batch in which
 * the clock crosses an interval's end is counted afterwards, in parts: the rows of one interval at a time, the others marked as
 * skipped meanwhile. So batches stay as large as they are, and the counts are those of any other batch size. */
#include "engine/drift.h"

#include "base/log.h"
#include "engine/pipeline.h"
#include "engine/shards.h"
#include "features/duration.h"
#include "io/time_text.h"
#include "lib/hash.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct drift {
    ride_run_drift *report; /* the summary's */
    uint64_t *cells;        /* of the open interval, as far as taken from the backend */
    uint64_t *taken;
    int64_t from_us, to_us; /* the open interval; both 0: none yet */
    bool is_open;
    struct { /* the interval that was ended last, until it is compared */
        bool is_there;
        int64_t from_us, to_us;
        uint64_t rows, *cells;
    } ended;
    uint64_t rows; /* in it */
};

void ride_run_drift_destroy(ride_run_drift *report) {
    if (report == NULL) return;
    free(report->profile_path);
    free(report->names);
    free(report->intervals);
    free(report->values);
    free(report->latest_cells);
    free(report->image);
    free(report);
}

int32_t ride_drift_newest(const ride_run_drift *r, uint32_t count, uint32_t column) {
    int32_t i = (int32_t)count - 1;
    while (i >= 0 && !ride_drift_tells(&r->intervals[i].columns[column])) i--;
    return i;
}

/* Of what the numbers depend on: names may lie elsewhere in another bundle. */
static void hash_profile(const ride_bundle *bundle, uint8_t out[32]) {
    static const ride_section sections[] = {RIDE_SECTION_PROFILE, RIDE_SECTION_PROFILE_EDGES,
                                            RIDE_SECTION_PROFILE_COARSE, RIDE_SECTION_PROFILE_COUNTS};
    ride_sha256_stream *hash = ride_sha256_create();
    for (size_t i = 0; i < sizeof sections / sizeof sections[0] && hash != NULL; i++)
        ride_sha256_add(hash, bundle->sections[sections[i]], bundle->sections_bytes[sections[i]]);
    ride_sha256_finish(hash, out);
}

static ride_status report_make(const pipeline *p, ride_run_drift *r, ride_error *err) {
    ride_bundle bundle;
    r->image = aligned_alloc(RIDE_BUNDLE_ALIGN, p->bundle.image_bytes); /* a multiple of it */
    if (r->image == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a profile");
    memcpy(r->image, p->bundle.image, p->bundle.image_bytes);
    RIDE_TRY(ride_bundle_open(r->image, p->bundle.image_bytes, &bundle, err));
    RIDE_TRY(ride_profile_open(&bundle, &r->profile, err));
    hash_profile(&bundle, r->profile_hash);
    r->columns_count = r->profile.header->columns_count;
    r->cells_count = r->profile.header->cells_count;
    r->interval_us = p->options->drift_interval_us > 0 ? p->options->drift_interval_us : RIDE_US_PER_D;
    r->psi_alert = p->options->drift_psi_alert > 0 ? p->options->drift_psi_alert : 0.25;
    r->latest = UINT32_MAX;
    r->profile_path = strdup(p->options->profile_path);
    r->names = calloc(r->columns_count + 1, sizeof *r->names);
    r->intervals = calloc(RIDE_DRIFT_INTERVALS_MAX, sizeof *r->intervals);
    r->values = calloc((size_t)RIDE_DRIFT_INTERVALS_MAX * r->columns_count + 1, sizeof *r->values);
    r->latest_cells = calloc(r->cells_count + 1, sizeof *r->latest_cells);
    if (r->profile_path == NULL || r->names == NULL || r->intervals == NULL || r->values == NULL ||
        r->latest_cells == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the drift of %u columns", r->columns_count);
    for (uint32_t i = 0; i < r->columns_count; i++)
        snprintf(r->names[i], sizeof r->names[i], "%s", ride_bundle_string(&bundle, r->profile.columns[i].name_offset));
    return RIDE_OK;
}

ride_status drift_open(pipeline *p, ride_error *err) {
    if (p->options->profile_path == NULL) {
        if (p->options->drift_path == NULL) return RIDE_OK;
        return ride_fail(err, RIDE_E_CONFIG, "drift is to be written, and there is no profile to compare with");
    }
    struct drift *d = calloc(1, sizeof *d);
    ride_run_drift *r = calloc(1, sizeof *r);
    p->drift = d;
    p->summary->drift = r;
    if (d == NULL || r == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for drift");
    d->report = r;
    RIDE_TRY(report_make(p, r, err));
    d->cells = calloc(r->cells_count + 1, sizeof *d->cells);
    d->taken = calloc(r->cells_count + 1, sizeof *d->taken);
    d->ended.cells = calloc(r->cells_count + 1, sizeof *d->ended.cells);
    if (d->cells == NULL || d->taken == NULL || d->ended.cells == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory for counts");
    return shards_counts_open(p, err);
}

void drift_close(pipeline *p) {
    if (p->drift == NULL) return;
    free(p->drift->cells);
    free(p->drift->taken);
    free(p->drift->ended.cells);
    free(p->drift);
    p->drift = NULL;
}

bool drift_takes_batch(const pipeline *p) {
    return p->drift != NULL && !p->no_drift && p->drift->is_open && p->reached_us < p->drift->to_us;
}

/* Room for one more record; the oldest goes when there is none. */
static ride_drift *record_add(ride_run_drift *r, int64_t from_us, int64_t to_us, uint64_t rows, bool is_open) {
    if (r->intervals_count == RIDE_DRIFT_INTERVALS_MAX) {
        const size_t columns = r->columns_count, kept = RIDE_DRIFT_INTERVALS_MAX - 1;
        memmove(r->values, r->values + columns, kept * columns * sizeof *r->values);
        memmove(r->intervals, r->intervals + 1, kept * sizeof *r->intervals);
        for (uint32_t i = 0; i < kept; i++) r->intervals[i].columns = r->values + i * columns;
        r->intervals_count--;
        r->intervals_dropped++;
        r->latest = r->latest == UINT32_MAX || r->latest == 0 ? UINT32_MAX : r->latest - 1;
    }
    ride_drift *columns = r->values + (size_t)r->intervals_count * r->columns_count;
    r->intervals[r->intervals_count++] = (ride_run_drift_interval){
        .from_us = from_us, .to_us = to_us, .rows = rows, .is_open = is_open, .columns = columns};
    return columns;
}

static void compare(const ride_run_drift *r, const uint64_t *cells, ride_drift *columns) {
    for (uint32_t i = 0; i < r->columns_count; i++)
        ride_drift_from_counts(&r->profile, i, cells + r->profile.columns[i].cells_first, &columns[i]);
}

/* One line when a column passes the alert, and one when it is back: not one for every interval that it stays away. */
static void tell(const ride_run_drift *r) {
    const ride_run_drift_interval *now = &r->intervals[r->intervals_count - 1];
    char from[RIDE_TIME_BYTES + 1];
    from[ride_time_to_iso8601(now->from_us, from)] = '\0';
    for (uint32_t i = 0; i < r->columns_count; i++) {
        if (!ride_drift_tells(&now->columns[i])) continue;
        const int32_t before = ride_drift_newest(r, r->intervals_count - 1, i);
        const bool is = ride_drift_is_alert(r, &now->columns[i]),
                   was = before >= 0 && ride_drift_is_alert(r, &r->intervals[before].columns[i]);
        if (is && !was)
            ride_log_warn("drift", ride_log_text("feature", r->names[i]), ride_log_f64("psi", now->columns[i].psi),
                          ride_log_text("from", from));
        if (was && !is)
            ride_log_info("drift is over", ride_log_text("feature", r->names[i]),
                          ride_log_f64("psi", now->columns[i].psi), ride_log_text("from", from));
    }
}

static ride_status lines_write(pipeline *p, const ride_run_drift_interval *interval) {
    ride_sink *sink = p->outputs[OUTPUT_DRIFT].sink;
    for (uint32_t i = 0; i < p->drift->report->columns_count && sink != NULL; i++) {
        char *text = (char *)ride_sink_reserve(sink, RIDE_DRIFT_LINE_BYTES);
        if (text == NULL) return sink->failed;
        ride_sink_commit(sink, ride_drift_line(p->drift->report, interval, i, text));
    }
    return RIDE_OK;
}

static ride_status lines_told(ride_status st, ride_error *err) { /* the close tells the cause */
    return st == RIDE_OK ? st : ride_fail(err, st, "the output of drift cannot be written");
}

/* The counts of the open interval so far, out of the backend. */
static ride_status take(pipeline *p, ride_error *err) {
    struct drift *d = p->drift;
    return shards_counts_take(p, d->cells, d->taken, d->report->cells_count, err);
}

ride_status drift_settle(pipeline *p, ride_error *err) {
    struct drift *d = p->drift;
    if (d == NULL || !d->ended.is_there) return RIDE_OK;
    ride_run_drift *r = d->report;
    d->ended.is_there = false;
    compare(r, d->ended.cells, record_add(r, d->ended.from_us, d->ended.to_us, d->ended.rows, false));
    r->latest = r->intervals_count - 1;
    memcpy(r->latest_cells, d->ended.cells, r->cells_count * sizeof *d->cells);
    tell(r);
    return lines_told(lines_write(p, &r->intervals[r->intervals_count - 1]), err);
}

/* Its counts are set aside: the comparison takes a while, and the next batch may be counted meanwhile. */
static ride_status interval_end(pipeline *p, ride_error *err) {
    struct drift *d = p->drift;
    RIDE_TRY(drift_settle(p, err));
    RIDE_TRY(take(p, err));
    uint64_t *cells = d->ended.cells;
    d->ended.is_there = true;
    d->ended.from_us = d->from_us;
    d->ended.to_us = d->to_us;
    d->ended.rows = d->rows;
    d->ended.cells = d->cells;
    d->cells = cells;
    memset(cells, 0, d->report->cells_count * sizeof *cells);
    d->rows = 0;
    return RIDE_OK;
}

/* The interval of `clock_us` is open from now on. */
static ride_status interval_begin(pipeline *p, int64_t clock_us, ride_error *err) {
    struct drift *d = p->drift;
    ride_run_drift *r = d->report;
    const int64_t length = r->interval_us, past = clock_us % length;
    const int64_t from_us = clock_us - (past < 0 ? past + length : past);
    if (d->is_open) {
        RIDE_TRY(interval_end(p, err));
        if (from_us > d->to_us) { /* nothing came between: d->cells are all zero */
            RIDE_TRY(drift_settle(p, err));
            compare(r, d->cells, record_add(r, d->to_us, from_us, 0, false));
            RIDE_TRY(lines_told(lines_write(p, &r->intervals[r->intervals_count - 1]), err));
        }
    }
    d->is_open = true;
    d->from_us = from_us;
    d->to_us = from_us + length;
    return RIDE_OK;
}

/* Marks rows [first, end) as skipped, or gives them back the flags that they had. */
static void rows_hide(const pipeline *p, uint32_t first, uint32_t end, uint32_t *flags) {
    for (uint32_t row = first; row < end; row++) {
        flags[row - first] = *row_flags(p, row);
        *row_flags(p, row) = RIDE_ROW_SKIP;
    }
}
static void rows_show(const pipeline *p, uint32_t first, uint32_t end, const uint32_t *flags) {
    for (uint32_t row = first; row < end; row++) *row_flags(p, row) = flags[row - first];
}

/* Counts the events among rows [first, end): the tiles that hold them, without their other rows. */
static ride_status part_count(pipeline *p, uint32_t first, uint32_t end, ride_error *err) {
    uint32_t before[RIDE_TILE_ROWS], behind[RIDE_TILE_ROWS];
    const uint32_t tile_first = first / RIDE_TILE_ROWS * RIDE_TILE_ROWS,
                   tile_end = (end + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS * RIDE_TILE_ROWS,
                   last = tile_end < p->batch->rows_count ? tile_end : p->batch->rows_count;
    rows_hide(p, tile_first, first, before);
    rows_hide(p, end, last, behind);
    const ride_work work = {.stages = RIDE_STAGE_PROFILE,
                            .rows_count = last - tile_first,
                            .in_tiles = batch_tile(p, tile_first),
                            .out_tiles = out_tile(p, tile_first),
                            .arena = p->batch->arena,
                            .arena_bytes = p->batch->arena_bytes};
    const ride_status st = pipeline_submit(p, &work, err);
    rows_show(p, tile_first, first, before);
    rows_show(p, end, last, behind);
    return st;
}

ride_status drift_batch(pipeline *p, bool counted, ride_error *err) {
    struct drift *d = p->drift;
    const uint32_t rows_count = p->batch->rows_count;
    if (d == NULL || p->no_drift) return RIDE_OK;
    uint32_t first = 0, row = 0;
    uint64_t events = 0;
    for (uint32_t r = 0; r < rows_count && counted; r++)
        d->rows += (*row_flags(p, r) & (RIDE_ROW_LABEL | RIDE_ROW_SKIP)) == 0;
    for (; row < rows_count && !counted; row++) {
        if (*row_flags(p, row) & (RIDE_ROW_LABEL | RIDE_ROW_SKIP)) continue;
        const int64_t clock_us = *row_time(p, row, RIDE_COLUMN_CLOCK);
        if (clock_us == INT64_MIN / 2) continue; /* some stream has not told any time yet */
        if (!d->is_open || clock_us >= d->to_us) {
            if (events > 0) RIDE_TRY(part_count(p, first, row, err));
            d->rows += events;
            RIDE_TRY(interval_begin(p, clock_us, err));
            first = row;
            events = 0;
        }
        events++;
    }
    if (events > 0) RIDE_TRY(part_count(p, first, rows_count, err));
    d->rows += events;
    return RIDE_OK;
}

ride_status drift_finish(pipeline *p, ride_error *err) {
    struct drift *d = p->drift;
    if (d == NULL || !d->is_open) return RIDE_OK;
    ride_run_drift *r = d->report;
    RIDE_TRY(take(p, err));
    compare(r, d->cells, record_add(r, d->from_us, d->to_us, d->rows, true));
    if (r->latest == UINT32_MAX) {
        r->latest = r->intervals_count - 1;
        memcpy(r->latest_cells, d->cells, r->cells_count * sizeof *d->cells);
    }
    if (p->snapshots != NULL) return RIDE_OK; /* the next run closes it, and tells it then */
    tell(r);
    return lines_told(lines_write(p, &r->intervals[r->intervals_count - 1]), err);
}

/* What a saved state holds of drift. Behind it: the cells of the open interval and of the newest histograms, then every closed
 * interval: ride_run_drift_interval's three numbers and its columns. */
typedef struct drift_part {
    uint8_t profile_hash[32];
    int64_t interval_us, from_us, to_us;
    uint64_t rows, intervals_dropped;
    uint32_t is_open, columns_count, cells_count, intervals_count, latest, reserved;
} drift_part;
typedef struct interval_part {
    int64_t from_us, to_us;
    uint64_t rows;
} interval_part;

ride_status drift_save(const pipeline *p, ride_snapshot_writer *w) {
    const struct drift *d = p->drift;
    if (d == NULL) return ride_snapshot_write(w, &(drift_part){0}, sizeof(drift_part));
    const ride_run_drift *r = d->report;
    uint32_t closed = r->intervals_count;
    while (closed > 0 && r->intervals[closed - 1].is_open) closed--;
    drift_part part = {.interval_us = r->interval_us,
                       .from_us = d->from_us,
                       .to_us = d->to_us,
                       .rows = d->rows,
                       .intervals_dropped = r->intervals_dropped,
                       .is_open = d->is_open,
                       .columns_count = r->columns_count,
                       .cells_count = r->cells_count,
                       .intervals_count = closed,
                       .latest = r->latest < closed ? r->latest : UINT32_MAX};
    memcpy(part.profile_hash, r->profile_hash, sizeof part.profile_hash);
    RIDE_TRY(ride_snapshot_write(w, &part, sizeof part));
    RIDE_TRY(ride_snapshot_write(w, d->cells, r->cells_count * sizeof *d->cells));
    RIDE_TRY(ride_snapshot_write(w, r->latest_cells, r->cells_count * sizeof *r->latest_cells));
    for (uint32_t i = 0; i < closed; i++) {
        const interval_part interval = {r->intervals[i].from_us, r->intervals[i].to_us, r->intervals[i].rows};
        RIDE_TRY(ride_snapshot_write(w, &interval, sizeof interval));
        RIDE_TRY(ride_snapshot_write(w, r->intervals[i].columns, r->columns_count * sizeof(ride_drift)));
    }
    return RIDE_OK;
}

ride_status drift_load(pipeline *p, ride_snapshot_reader *reader) {
    struct drift *d = p->drift;
    drift_part part;
    if (d == NULL) return RIDE_OK;
    ride_run_drift *r = d->report;
    RIDE_TRY(ride_snapshot_read(reader, &part, sizeof part));
    if (memcmp(part.profile_hash, r->profile_hash, sizeof part.profile_hash) != 0 ||
        part.interval_us != r->interval_us) {
        if (part.columns_count > 0) ride_log_info("drift begins anew: the profile or the interval has changed");
        return RIDE_OK;
    }
    if (part.columns_count != r->columns_count || part.cells_count != r->cells_count ||
        part.intervals_count > RIDE_DRIFT_INTERVALS_MAX ||
        (part.latest != UINT32_MAX && part.latest >= part.intervals_count))
        return RIDE_E_CORRUPT;
    RIDE_TRY(ride_snapshot_read(reader, d->cells, r->cells_count * sizeof *d->cells));
    RIDE_TRY(ride_snapshot_read(reader, r->latest_cells, r->cells_count * sizeof *r->latest_cells));
    for (uint32_t i = 0; i < part.intervals_count; i++) {
        interval_part interval;
        RIDE_TRY(ride_snapshot_read(reader, &interval, sizeof interval));
        ride_drift *columns = record_add(r, interval.from_us, interval.to_us, interval.rows, false);
        RIDE_TRY(ride_snapshot_read(reader, columns, r->columns_count * sizeof *columns));
    }
    r->latest = part.latest;
    r->intervals_dropped = part.intervals_dropped;
    d->is_open = part.is_open != 0;
    d->from_us = part.from_us;
    d->to_us = part.to_us;
    d->rows = part.rows;
    return RIDE_OK;
}
