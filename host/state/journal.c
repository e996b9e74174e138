/* state/journal.c: see journal.h. */
#include "state/journal.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/hd.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STREAM_IS_LOG = 1, STREAM_HAS_BEGIN = 2 };
enum {
    JOURNAL_VERSION = 1,
    KIND_STREAM = 1,
    KIND_RUN = 2,
    STREAM_BYTES_MAX = 1024,
    APPEND_RUNS = 64,       /* written at once */
    READ_BYTES = 64 * 1024, /* read at once */
    STREAMS_MAX = 65536,
};

typedef struct journal_head {
    char magic[8];
    uint32_t version, reserved;
    uint8_t spec_hash[32];
} journal_head;
RIDE_STATIC_ASSERT(sizeof(journal_head) == 48, "as written in the file");

typedef struct record_head {
    uint32_t kind, bytes, crc, reserved;
} record_head;

typedef struct run_record {
    record_head head;
    ride_journal_run run;
} run_record;
RIDE_STATIC_ASSERT(sizeof(run_record) == 16 + 64, "as written in the file");

static const char magic[8] = {'R', 'I', 'D', 'E', 'J', 'R', 'N', 'L'};

struct ride_journal {
    char *path;
    int fd;
    bool sync, read_only;
    ride_status failed;
    int read_code; /* errno of a read that failed */
    uint64_t end;  /* bytes of the file that are whole */
    uint64_t runs;
    ride_journal_stream *streams;
    uint32_t streams_count, streams_room;
    uint64_t window_at; /* bytes [window_at, window_at + window_bytes) of the file are in window */
    size_t window_bytes;
    uint8_t window[READ_BYTES];
};

static uint32_t padded(uint32_t bytes) { return (bytes + 7) & ~7u; }

static uint32_t record_crc(const record_head *head, const void *payload) {
    uint32_t crc = ride_crc32c(0, head, offsetof(record_head, crc));
    return ride_crc32c(crc, payload, head->bytes);
}

static ride_status fail_at(const ride_journal *j, ride_status st, uint64_t at, ride_error *err, const char *what) {
    ride_fail(err, st, "%s", what);
    ride_error_where(err, "%s, byte %llu", j->path, (unsigned long long)at);
    return st;
}

/* Bytes of the file at `at`, from the window where they are. False: the file is shorter, or cannot be read. */
static bool bytes_at(ride_journal *j, uint64_t at, size_t bytes, const uint8_t **out) {
    if (at < j->window_at || at + bytes > j->window_at + j->window_bytes) {
        ssize_t n;
        do n = pread(j->fd, j->window, sizeof j->window, (off_t)at);
        while (n < 0 && errno == EINTR);
        if (n < 0) j->read_code = errno; /* not the file's end: nothing may be concluded from it */
        j->window_at = at;
        j->window_bytes = n > 0 ? (size_t)n : 0;
    }
    *out = j->window + (at - j->window_at);
    return at + bytes <= j->window_at + j->window_bytes;
}

/* The record at `at`: RIDE_OK, RIDE_END when the file ends within it, RIDE_E_CORRUPT, RIDE_E_IO. */
static ride_status record_at(ride_journal *j, uint64_t at, record_head *head, const uint8_t **payload) {
    const uint8_t *bytes;
    if (!bytes_at(j, at, sizeof *head, &bytes)) return j->read_code == 0 ? RIDE_END : RIDE_E_IO;
    memcpy(head, bytes, sizeof *head);
    if (head->bytes > STREAM_BYTES_MAX) return RIDE_E_CORRUPT;
    if (!bytes_at(j, at, sizeof *head + padded(head->bytes), &bytes)) return j->read_code == 0 ? RIDE_END : RIDE_E_IO;
    *payload = bytes + sizeof *head;
    if (record_crc(head, *payload) != head->crc || head->reserved != 0) return RIDE_E_CORRUPT;
    if (head->kind == KIND_RUN) return head->bytes == sizeof(ride_journal_run) ? RIDE_OK : RIDE_E_CORRUPT;
    return head->kind == KIND_STREAM ? RIDE_OK : RIDE_E_CORRUPT;
}

static ride_status stream_add(ride_journal *j, const char *source, const char *topic, int32_t partition, bool is_log,
                              int64_t begin, ride_error *err) {
    if (j->streams_count == j->streams_room) {
        uint32_t room = j->streams_room == 0 ? 16 : 2 * j->streams_room;
        ride_journal_stream *grown = room <= STREAMS_MAX ? realloc(j->streams, room * sizeof *grown) : NULL;
        if (grown == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the streams of the journal");
        j->streams = grown;
        j->streams_room = room;
    }
    char *names = malloc(strlen(source) + strlen(topic) + 2);
    if (names == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the streams of the journal");
    strcpy(names, source);
    strcpy(names + strlen(source) + 1, topic);
    j->streams[j->streams_count++] = (ride_journal_stream){.source = names,
                                                           .topic = names + strlen(source) + 1,
                                                           .partition = partition,
                                                           .is_log = is_log,
                                                           .begin = begin,
                                                           .stream_us = INT64_MIN};
    return RIDE_OK;
}

static ride_status stream_read(ride_journal *j, const uint8_t *payload, uint32_t bytes, ride_error *err) {
    int32_t partition;
    uint32_t flags;
    int64_t begin = -1;
    if (bytes < 10 || payload[bytes - 1] != '\0') return RIDE_E_CORRUPT;
    memcpy(&partition, payload, 4);
    memcpy(&flags, payload + 4, 4);
    const char *source = (const char *)payload + 8, *end = (const char *)payload + bytes;
    if ((flags & STREAM_HAS_BEGIN) != 0) {
        if (bytes < 18) return RIDE_E_CORRUPT;
        memcpy(&begin, source, sizeof begin);
        source += sizeof begin;
    }
    const char *topic = source + strlen(source) + 1;
    if (topic >= end || topic + strlen(topic) + 1 != end) return RIDE_E_CORRUPT;
    return stream_add(j, source, topic, partition, (flags & STREAM_IS_LOG) != 0, begin, err);
}

static ride_status run_seen(ride_journal *j, const ride_journal_run *run) {
    if (run->stream >= j->streams_count || run->offset_last < run->offset_first) return RIDE_E_CORRUPT;
    ride_journal_stream *stream = &j->streams[run->stream];
    if (stream->has_runs && stream->is_log && run->offset_first < stream->offset_end) return RIDE_E_CORRUPT;
    if (!stream->has_runs) stream->offset_first = run->offset_first;
    stream->has_runs = true;
    stream->offset_end = run->offset_last + 1;
    stream->stream_us = run->stream_end_us;
    j->runs++;
    return RIDE_OK;
}

/* Is there a whole record anywhere from `at` on? */
static bool any_whole(ride_journal *j, uint64_t at, uint64_t file_bytes) {
    record_head head;
    const uint8_t *payload;
    for (; at + sizeof head <= file_bytes && j->read_code == 0; at += 8)
        if (record_at(j, at, &head, &payload) == RIDE_OK) return true;
    return false;
}

/* From the header to the end; what is cut off there is dropped. */
static ride_status scan(ride_journal *j, uint64_t file_bytes, ride_error *err) {
    for (j->end = sizeof(journal_head);;) {
        record_head head;
        const uint8_t *payload;
        ride_status st = record_at(j, j->end, &head, &payload);
        /* a crash leaves a part of the last writes, or zeros where they should be: nothing whole follows it */
        if (st == RIDE_E_CORRUPT && !any_whole(j, j->end + 8, file_bytes))
            st = j->read_code == 0 ? RIDE_END : RIDE_E_IO;
        if (st == RIDE_END) break;
        if (st == RIDE_E_IO) {
            ride_fail(err, st, "the arrival journal cannot be read: %s", strerror(j->read_code));
            ride_error_where(err, "%s, byte %llu", j->path, (unsigned long long)j->end);
            return st;
        }
        if (st == RIDE_OK && head.kind == KIND_RUN) {
            ride_journal_run run;
            memcpy(&run, payload, sizeof run);
            st = run_seen(j, &run);
        } else if (st == RIDE_OK) st = stream_read(j, payload, head.bytes, err);
        if (st == RIDE_E_MEMORY) return st;
        if (st != RIDE_OK) return fail_at(j, RIDE_E_CORRUPT, j->end, err, "the arrival journal is damaged");
        j->end += sizeof head + padded(head.bytes);
    }
    if (j->end == file_bytes || j->read_only) return RIDE_OK;
    ride_log_warn("the end of the arrival journal was cut off: dropped", ride_log_text("journal", j->path),
                  ride_log_u64("bytes", file_bytes - j->end));
    j->window_bytes = 0;
    if (ftruncate(j->fd, (off_t)j->end) != 0)
        return fail_at(j, RIDE_E_IO, j->end, err, "the arrival journal cannot be cut to what is whole");
    return RIDE_OK;
}

static ride_status write_all(ride_journal *j, const void *data, size_t bytes, ride_error *err) {
    const uint8_t *at = data;
    while (bytes > 0) {
        ssize_t n = pwrite(j->fd, at, bytes, (off_t)j->end);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            ride_fail(err, RIDE_E_IO, "the arrival journal cannot be written: %s", n < 0 ? strerror(errno) : "no room");
            ride_error_where(err, "%s", j->path);
            return j->failed = RIDE_E_IO;
        }
        at += n;
        j->end += (uint64_t)n;
        bytes -= (size_t)n;
    }
    j->window_bytes = 0;
    return RIDE_OK;
}

static ride_status begin(ride_journal *j, const uint8_t spec_hash[32], ride_error *err) {
    journal_head head = {.version = JOURNAL_VERSION};
    memcpy(head.magic, magic, sizeof magic);
    memcpy(head.spec_hash, spec_hash, sizeof head.spec_hash);
    if (ftruncate(j->fd, 0) != 0) return fail_at(j, RIDE_E_IO, 0, err, "the arrival journal cannot be begun");
    j->end = 0;
    RIDE_TRY(write_all(j, &head, sizeof head, err));
    return fsync(j->fd) == 0 ? RIDE_OK : fail_at(j, RIDE_E_IO, 0, err, "the arrival journal cannot be synced");
}

static ride_status check_head(ride_journal *j, const uint8_t spec_hash[32], ride_error *err) {
    journal_head head;
    const uint8_t *bytes;
    if (!bytes_at(j, 0, sizeof head, &bytes)) return fail_at(j, RIDE_E_CORRUPT, 0, err, "not an arrival journal");
    memcpy(&head, bytes, sizeof head);
    if (memcmp(head.magic, magic, sizeof magic) != 0)
        return fail_at(j, RIDE_E_CORRUPT, 0, err, "not an arrival journal");
    if (head.version != JOURNAL_VERSION) {
        ride_fail(err, RIDE_E_VERSION, "an arrival journal of version %u, this program reads %d", head.version,
                  JOURNAL_VERSION);
        ride_error_where(err, "%s", j->path);
        return RIDE_E_VERSION;
    }
    if (spec_hash == NULL || memcmp(head.spec_hash, spec_hash, sizeof head.spec_hash) == 0) return RIDE_OK;
    ride_fail(err, RIDE_E_VERSION,
              "the arrival journal is of the feature spec %02x%02x%02x%02x…, not of %02x%02x%02x%02x…",
              head.spec_hash[0], head.spec_hash[1], head.spec_hash[2], head.spec_hash[3], spec_hash[0], spec_hash[1],
              spec_hash[2], spec_hash[3]);
    ride_error_where(err, "%s", j->path);
    ride_error_advice(err, "give the changed spec a journal and kafka.group anew");
    return RIDE_E_VERSION;
}

static ride_status open_file(ride_journal *j, const uint8_t spec_hash[32], ride_error *err) {
    j->fd = open(j->path, j->read_only ? O_RDONLY | O_CLOEXEC : O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (j->fd < 0) {
        ride_status st = j->read_only && errno == ENOENT ? RIDE_E_NO_INPUT : RIDE_E_IO;
        ride_fail(err, st, "the arrival journal cannot be opened: %s", strerror(errno));
        ride_error_where(err, "%s", j->path);
        return st;
    }
    if (!j->read_only && flock(j->fd, LOCK_EX | LOCK_NB) != 0) {
        fail_at(j, RIDE_E_UNAVAILABLE, 0, err, "another run has this arrival journal");
        ride_error_advice(err, "stop it, or give this one a journal of its own");
        return RIDE_E_UNAVAILABLE;
    }
    struct stat info;
    if (fstat(j->fd, &info) != 0 || !S_ISREG(info.st_mode))
        return fail_at(j, RIDE_E_IO, 0, err, "the arrival journal is not a file");
    if ((uint64_t)info.st_size < sizeof(journal_head) && !j->read_only) return begin(j, spec_hash, err);
    RIDE_TRY(check_head(j, spec_hash, err));
    return scan(j, (uint64_t)info.st_size, err);
}

ride_status ride_journal_open(const char *path, const uint8_t spec_hash[32], bool sync, bool read_only,
                              ride_journal **out, ride_error *err) {
    ride_journal *j = calloc(1, sizeof *j);
    if (j == NULL || (j->path = strdup(path)) == NULL) {
        free(j);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the arrival journal");
    }
    j->fd = -1;
    j->sync = sync;
    j->read_only = read_only;
    ride_status st = open_file(j, spec_hash, err);
    if (st != RIDE_OK) {
        ride_journal_close(j);
        return st;
    }
    *out = j;
    return RIDE_OK;
}

void ride_journal_close(ride_journal *j) {
    if (j == NULL) return;
    if (j->fd >= 0) close(j->fd);
    for (uint32_t i = 0; i < j->streams_count; i++) free((char *)j->streams[i].source);
    free(j->streams);
    free(j->path);
    free(j);
}

const char *ride_journal_path(const ride_journal *j) { return j->path; }
uint64_t ride_journal_runs(const ride_journal *j) { return j->runs; }
uint64_t ride_journal_bytes(const ride_journal *j) { return j->end; }
uint32_t ride_journal_streams(const ride_journal *j) { return j->streams_count; }

const ride_journal_stream *ride_journal_stream_at(const ride_journal *j, uint32_t stream) {
    RIDE_ASSERT(stream < j->streams_count);
    return &j->streams[stream];
}

ride_status ride_journal_stream_number(ride_journal *j, const char *source, const char *topic, int32_t partition,
                                       bool is_log, int64_t begin, uint32_t *out, ride_error *err) {
    for (uint32_t i = 0; i < j->streams_count; i++) {
        const ride_journal_stream *s = &j->streams[i];
        if (s->partition != partition || s->is_log != is_log || strcmp(s->source, source) != 0 ||
            strcmp(s->topic, topic) != 0)
            continue;
        *out = i;
        return RIDE_OK;
    }
    struct {
        record_head head;
        uint8_t payload[STREAM_BYTES_MAX];
    } record = {.head = {.kind = KIND_STREAM}};
    size_t source_bytes = strlen(source) + 1, topic_bytes = strlen(topic) + 1;
    const uint32_t flags = (is_log ? STREAM_IS_LOG : 0) | (begin >= 0 ? STREAM_HAS_BEGIN : 0);
    size_t at = 8;
    RIDE_ASSERT(at + sizeof begin + source_bytes + topic_bytes <= STREAM_BYTES_MAX);
    memcpy(record.payload, &partition, 4);
    memcpy(record.payload + 4, &flags, 4);
    if (begin >= 0) {
        memcpy(record.payload + at, &begin, sizeof begin);
        at += sizeof begin;
    }
    memcpy(record.payload + at, source, source_bytes);
    memcpy(record.payload + at + source_bytes, topic, topic_bytes);
    record.head.bytes = (uint32_t)(at + source_bytes + topic_bytes);
    record.head.crc = record_crc(&record.head, record.payload);
    if (j->failed != RIDE_OK) return fail_at(j, j->failed, j->end, err, "the arrival journal has failed before");
    RIDE_TRY(stream_add(j, source, topic, partition, is_log, begin >= 0 ? begin : -1, err));
    *out = j->streams_count - 1;
    return write_all(j, &record, sizeof record.head + padded(record.head.bytes), err);
}

ride_status ride_journal_append(ride_journal *j, const ride_journal_run *runs, uint32_t count, ride_error *err) {
    run_record records[APPEND_RUNS];
    if (j->failed != RIDE_OK) return fail_at(j, j->failed, j->end, err, "the arrival journal has failed before");
    for (uint32_t first = 0; first < count;) {
        uint32_t n = count - first < APPEND_RUNS ? count - first : APPEND_RUNS;
        for (uint32_t i = 0; i < n; i++) {
            records[i].head = (record_head){.kind = KIND_RUN, .bytes = sizeof(ride_journal_run)};
            records[i].run = runs[first + i];
            records[i].head.crc = record_crc(&records[i].head, &records[i].run);
            if (run_seen(j, &records[i].run) != RIDE_OK) { /* it has been met before */
                ride_fail(err, RIDE_E_DATA, "the log has other messages than the arrival journal says");
                ride_error_where(err, "%s/%d, offset %lld", j->streams[runs[first + i].stream].topic,
                                 (int)j->streams[runs[first + i].stream].partition,
                                 (long long)runs[first + i].offset_first);
                ride_error_advice(err, "was kafka.raw changed? begin with another group and journal");
                return j->failed = RIDE_E_DATA;
            }
        }
        RIDE_TRY(write_all(j, records, n * sizeof *records, err));
        first += n;
    }
    if (j->sync && fdatasync(j->fd) != 0) { /* final: the pages may be gone */
        j->failed = RIDE_E_IO;
        return fail_at(j, RIDE_E_IO, j->end, err, "the arrival journal cannot be synced");
    }
    return RIDE_OK;
}

ride_status ride_journal_read(ride_journal *j, uint64_t *place, ride_journal_run *run, ride_error *err) {
    if (*place == 0) *place = sizeof(journal_head);
    while (*place < j->end) {
        record_head head;
        const uint8_t *payload;
        ride_status st = record_at(j, *place, &head, &payload);
        if (st != RIDE_OK)
            return fail_at(j, RIDE_E_CORRUPT, *place, err, "the arrival journal changed while it was read");
        *place += sizeof head + padded(head.bytes);
        if (head.kind != KIND_RUN) continue;
        memcpy(run, payload, sizeof *run);
        return RIDE_OK;
    }
    return RIDE_END;
}
