/* state/journal.h: the arrival journal: in which order the messages of several streams were met.
 *
 * With one stream the order is its offsets. With several, the order in which this process met their messages decides features of any
 * entity that is not the streams' own key, and so it is a fact that must be kept: runs of (stream, first offset, last offset) in order,
 * with what the clock was. A run is in the journal before any of its results goes out; a replay that obeys it recomputes every result
 * to the byte.
 *
 * Clock: each stream has a greatest event time; the clock is the least of them over the active streams and never goes back. A run says
 * the clock, its stream's greatest time and the least of the other active ones (`floor_us`) at its start, so a row's clock is
 *     clock = max(clock, min(floor, stream = max(stream, time)))
 * and idle or new streams need no entries of their own.
 *
 * File, little-endian: header {magic "RIDEJRNL", u32 version, u32 0, spec hash (32)}, then records {u32 kind, u32 bytes, u32 CRC-32C of kind,
 * bytes and payload, u32 0, payload padded to 8}. Kind 1 names a stream {i32 partition, u32 flags (1 a log, 2
 * with its begin), i64 begin where the flag says so, source\0topic\0}, numbered from 0 in order; kind 2 is a run. A record that is cut at the end of the file (a crash within the write) is dropped at open; a damaged one before
 * the end is RIDE_E_CORRUPT with its place.
 *
 * Durability: an append is in the operating system when it returns: it outlives the process, and with `sync` also the machine.
 * Locked while it is open: one process. One thread at a time. */
#ifndef RIDE_STATE_JOURNAL_H
#define RIDE_STATE_JOURNAL_H
#include "base/error.h"

#include <stdbool.h>

typedef struct ride_journal ride_journal;

typedef struct ride_journal_run {
    uint32_t stream;
    uint32_t messages; /* of it, from offset_first to offset_last; offsets in between may be missing in the log */
    int64_t offset_first, offset_last;
    int64_t clock_us, floor_us, stream_us; /* at its start; INT64_MIN / INT64_MAX as there are none */
    /* Greatest event time of the stream behind it: a replay checks it. Of labels, the greatest time at which one of this run became known that
     * was left waiting for its event, which is no later; INT64_MIN = none was. */
    int64_t stream_end_us;
    int64_t newest_us; /* greatest event time of all streams before it */
} ride_journal_run;

typedef struct ride_journal_stream {
    const char *source, *topic;
    int32_t partition;
    bool is_log;   /* false: requests, which are not there for a replay */
    int64_t begin; /* nothing of it was stored when it was named, and it was to be read from here; -1 = not so */
    bool has_runs;
    int64_t offset_first; /* of its first run; 0 without runs */
    int64_t offset_end;   /* behind its last run; 0 without runs */
    int64_t stream_us;    /* greatest event time behind its last run */
} ride_journal_stream;

/* Opens or begins the journal. RIDE_E_UNAVAILABLE: another process has it; RIDE_E_VERSION: of another version or of another spec (both
 * hashes are told); RIDE_E_CORRUPT; RIDE_E_IO. read_only: for verify and replay; no lock, and RIDE_E_NO_INPUT when it is not there. */
ride_status ride_journal_open(const char *path, const uint8_t spec_hash[32], bool sync, bool read_only,
                              ride_journal **out, ride_error *err);
void ride_journal_close(ride_journal *journal); /* NULL is fine */
const char *ride_journal_path(const ride_journal *journal);
uint64_t ride_journal_runs(const ride_journal *journal);  /* all of them */
uint64_t ride_journal_bytes(const ride_journal *journal); /* of the file */

uint32_t ride_journal_streams(const ride_journal *journal);
const ride_journal_stream *ride_journal_stream_at(const ride_journal *journal, uint32_t stream);
/* The number of a stream, named in the journal when it is new; begin: as above, of a new one. */
ride_status ride_journal_stream_number(ride_journal *journal, const char *source, const char *topic, int32_t partition,
                                       bool is_log, int64_t begin, uint32_t *out, ride_error *err);

/* Appends runs in order. After a failure (RIDE_E_IO) nothing more is appended: the journal is at its end. */
ride_status ride_journal_append(ride_journal *journal, const ride_journal_run *runs, uint32_t count, ride_error *err);

/* own_clocks: each stream has a clock of its own (runs say theirs), and no window is over two of them; then *clock_us is the least.
 * Where a rebuild begins: a place such that no event before it can be in a window of the first run that has an offset >= committed[stream]
 * (or of what comes behind the last run when there is none). committed has ride_journal_streams entries; a stream that is not of
 * interest has INT64_MAX. *clock_us: the clock at that run (at the last one when there is none), INT64_MIN = no run at all. */
ride_status ride_journal_find_start(ride_journal *journal, const int64_t *committed, int64_t retention_us,
                                    bool own_clocks, uint64_t *place, int64_t *clock_us, ride_error *err);
/* From which offset on each stream's results are exact when the log of a stream begins at begins[stream] (INT64_MIN: it has all): before it,
 * an event that is gone may have been in a window. apart: each stream has a clock and windows of its own. A stream whose results
 * never are has its offset_end. begins and exact have ride_journal_streams entries. A label is about an event that is
 * no later than the time at which it became known. */
ride_status ride_journal_find_exact(ride_journal *journal, const int64_t *begins, int64_t retention_us, bool apart,
                                    int64_t *exact, ride_error *err);
/* The run at the place, which is moved behind it. RIDE_END behind the last one. Place 0 is the first run. */
ride_status ride_journal_read(ride_journal *journal, uint64_t *place, ride_journal_run *run, ride_error *err);

#endif
