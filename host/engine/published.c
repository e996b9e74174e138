/* engine/published.c: see published.h. The file holds one entry after the other: head, key, headers, value. An index of 64-bit words per
 * stream has for each offset the place of its first copy: 0 none, else place + 1, shifted by the bit that says "seen". */
#include "engine/published.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WRITE_BYTES = 1 << 20, PATH_BYTES = 4096 };

typedef struct entry_head {
    int64_t offset;
    int32_t partition;
    uint32_t key_bytes, headers_bytes, value_bytes; /* key UINT32_MAX: none */
} entry_head;

typedef struct stream {
    char topic[RIDE_TOPIC_BYTES];
    int32_t partition;
    int64_t first, end; /* of the journal */
    int64_t last, latest;
    uint64_t *places; /* [end - first] */
} stream;

struct published {
    int fd;
    uint64_t written; /* bytes in the file */
    uint8_t *tail;    /* bytes that are not there yet: [WRITE_BYTES] */
    uint32_t tail_bytes;
    uint8_t *entry; /* what was read last */
    size_t entry_room;
    char *headers; /* [PUBLISHED_HEADERS_BYTES] */
    stream *streams;
    uint32_t streams_count, stream_last;
};

/* ---- results ---- */

bool published_headers(const ride_header *headers, uint32_t headers_count, char *text, uint32_t room, uint32_t *bytes) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < headers_count; i++) {
        const uint32_t name_bytes = (uint32_t)strlen(headers[i].name), value_bytes = headers[i].value_bytes;
        if (name_bytes > room || value_bytes > room || at + name_bytes + value_bytes + 2 > room) return false;
        memcpy(text + at, headers[i].name, name_bytes);
        text[at + name_bytes] = '=';
        if (value_bytes > 0) memcpy(text + at + name_bytes + 1, headers[i].value, value_bytes);
        at += name_bytes + value_bytes + 2;
        text[at - 1] = '\0';
    }
    *bytes = at;
    return true;
}

const char *published_header(const char *headers, uint32_t headers_bytes, const char *name) {
    const size_t name_bytes = strlen(name);
    for (const char *at = headers; at < headers + headers_bytes; at += strlen(at) + 1)
        if (strncmp(at, name, name_bytes) == 0 && at[name_bytes] == '=') return at + name_bytes + 1;
    return NULL;
}

void published_headers_diff(const published_result *a, const published_result *b, record_diff *out) {
    for (const char *at = b->headers; at < b->headers + b->headers_bytes; at += strlen(at) + 1) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "="), at);
        const char *there = published_header(a->headers, a->headers_bytes, name), *here = at + strlen(name) + 1;
        if (there != NULL && strcmp(there, here) == 0) continue;
        snprintf(out->field, sizeof out->field, "header %s", name);
        snprintf(out->a, sizeof out->a, "%s", there != NULL ? there : "nothing");
        snprintf(out->b, sizeof out->b, "%s", here);
        return;
    }
    snprintf(out->field, sizeof out->field, "headers");
    snprintf(out->a, sizeof out->a, "one more, or another order");
    snprintf(out->b, sizeof out->b, "as they should be");
}

static bool same(const char *a, uint32_t a_bytes, const char *b, uint32_t b_bytes) {
    return a_bytes == b_bytes && (a_bytes == 0 || memcmp(a, b, a_bytes) == 0);
}

published_part published_compare(const published_result *a, const published_result *b) {
    if (!same(a->value, a->value_bytes, b->value, b->value_bytes)) return PUBLISHED_VALUE;
    if (!same(a->headers, a->headers_bytes, b->headers, b->headers_bytes)) return PUBLISHED_HEADERS;
    if ((a->key == NULL) != (b->key == NULL) || (a->key != NULL && !same(a->key, a->key_bytes, b->key, b->key_bytes)))
        return PUBLISHED_KEY;
    return PUBLISHED_EQUAL;
}

/* ---- the file ---- */

static ride_status io_failed(const char *what, ride_error *err) {
    ride_fail(err, RIDE_E_IO, "what was read of the results cannot be %s: %s", what,
              errno != 0 ? strerror(errno) : "no room");
    ride_error_advice(err, "set TMPDIR to a folder with room for the whole topic");
    return RIDE_E_IO;
}

static ride_status flush(published *p, ride_error *err) {
    for (uint32_t done = 0; done < p->tail_bytes;) {
        errno = 0;
        ssize_t n = pwrite(p->fd, p->tail + done, p->tail_bytes - done, (off_t)(p->written + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return io_failed("kept", err);
        done += (uint32_t)n;
    }
    p->written += p->tail_bytes;
    p->tail_bytes = 0;
    return RIDE_OK;
}

static ride_status append(published *p, const void *data, size_t bytes, ride_error *err) {
    for (const uint8_t *at = data; bytes > 0;) {
        if (p->tail_bytes == WRITE_BYTES) RIDE_TRY(flush(p, err));
        const size_t room = WRITE_BYTES - p->tail_bytes, n = bytes < room ? bytes : room;
        memcpy(p->tail + p->tail_bytes, at, n);
        p->tail_bytes += (uint32_t)n;
        at += n;
        bytes -= n;
    }
    return RIDE_OK;
}

static ride_status read_at(published *p, uint64_t place, void *to, size_t bytes, ride_error *err) {
    if (place + bytes > p->written) RIDE_TRY(flush(p, err));
    for (uint8_t *at = to; bytes > 0;) {
        errno = 0;
        ssize_t n = pread(p->fd, at, bytes, (off_t)place);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return io_failed("read back", err);
        at += n;
        place += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return RIDE_OK;
}

static ride_status entry_read(published *p, uint64_t place, published_result *out, ride_error *err) {
    entry_head head;
    RIDE_TRY(read_at(p, place, &head, sizeof head, err));
    const uint32_t key_bytes = head.key_bytes != UINT32_MAX ? head.key_bytes : 0;
    const size_t bytes = (size_t)key_bytes + head.headers_bytes + head.value_bytes;
    if (bytes > p->entry_room) {
        uint8_t *grown = realloc(p->entry, bytes);
        if (grown == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a result of %zu bytes", bytes);
        p->entry = grown;
        p->entry_room = bytes;
    }
    if (bytes > 0) RIDE_TRY(read_at(p, place + sizeof head, p->entry, bytes, err));
    const char *at = (const char *)p->entry;
    *out = (published_result){.partition = head.partition,
                              .offset = head.offset,
                              .key = head.key_bytes != UINT32_MAX ? (at != NULL ? at : "") : NULL,
                              .headers = at + key_bytes,
                              .value = at + key_bytes + head.headers_bytes,
                              .key_bytes = key_bytes,
                              .headers_bytes = head.headers_bytes,
                              .value_bytes = head.value_bytes};
    return RIDE_OK;
}

static ride_status entry_write(published *p, const published_result *result, uint64_t *place, ride_error *err) {
    const entry_head head = {.offset = result->offset,
                             .partition = result->partition,
                             .key_bytes = result->key != NULL ? result->key_bytes : UINT32_MAX,
                             .headers_bytes = result->headers_bytes,
                             .value_bytes = result->value_bytes};
    *place = p->written + p->tail_bytes;
    RIDE_TRY(append(p, &head, sizeof head, err));
    if (result->key != NULL) RIDE_TRY(append(p, result->key, result->key_bytes, err));
    RIDE_TRY(append(p, result->headers, result->headers_bytes, err));
    return append(p, result->value, result->value_bytes, err);
}

/* ---- open and close ---- */

static ride_status open_file(published *p, ride_error *err) {
    const char *parent = getenv("TMPDIR");
    char path[PATH_BYTES];
    int length = snprintf(path, sizeof path, "%s/ride-results-XXXXXX", parent != NULL && *parent ? parent : "/tmp");
    errno = 0;
    if (length > 0 && (size_t)length < sizeof path) p->fd = mkostemp(path, O_CLOEXEC);
    if (p->fd < 0) {
        ride_fail(err, RIDE_E_IO, "cannot make a file for the results: %s", strerror(errno));
        ride_error_advice(err, "set TMPDIR");
        return RIDE_E_IO;
    }
    unlink(path);
    return RIDE_OK;
}

static ride_status open_streams(published *p, const ride_journal *journal, ride_error *err) {
    const uint32_t count = ride_journal_streams(journal);
    p->streams = calloc(count + 1, sizeof *p->streams);
    if (p->streams == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for %u streams", count);
    p->streams_count = count;
    for (uint32_t i = 0; i < count; i++) {
        const ride_journal_stream *told = ride_journal_stream_at(journal, i);
        stream *s = &p->streams[i];
        *s = (stream){.partition = told->partition, .first = 0, .end = 0, .latest = -1};
        snprintf(s->topic, sizeof s->topic, "%s", told->topic);
        if (!told->is_log || !told->has_runs) continue;
        s->first = s->last = told->offset_first;
        s->end = told->offset_end;
        s->places = calloc((size_t)(s->end - s->first), sizeof *s->places);
        if (s->places == NULL)
            return ride_fail(err, RIDE_E_MEMORY, "no memory for the results of %lld messages",
                             (long long)(s->end - s->first));
    }
    return RIDE_OK;
}

ride_status published_open(const ride_journal *journal, published **out, ride_error *err) {
    published *p = calloc(1, sizeof *p);
    if (p == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the results");
    p->fd = -1;
    p->tail = malloc(WRITE_BYTES);
    p->headers = malloc(PUBLISHED_HEADERS_BYTES);
    ride_status st = p->tail != NULL && p->headers != NULL ? open_file(p, err)
                                                           : ride_fail(err, RIDE_E_MEMORY, "no memory for the results");
    if (st == RIDE_OK) st = open_streams(p, journal, err);
    if (st != RIDE_OK) {
        published_close(p);
        return st;
    }
    *out = p;
    return RIDE_OK;
}

void published_close(published *p) {
    if (p == NULL) return;
    if (p->fd >= 0) close(p->fd);
    for (uint32_t i = 0; i < p->streams_count; i++) free(p->streams[i].places);
    free(p->streams);
    free(p->tail);
    free(p->headers);
    free(p->entry);
    free(p);
}

/* ---- by message ---- */

uint32_t published_stream(const published *p, const char *topic, uint32_t topic_bytes, int32_t partition) {
    for (uint32_t i = 0; i < p->streams_count; i++) { /* the last one first: they come in runs */
        const uint32_t at = (p->stream_last + i) % p->streams_count;
        const stream *s = &p->streams[at];
        if (s->partition != partition || strlen(s->topic) != topic_bytes || memcmp(s->topic, topic, topic_bytes) != 0)
            continue;
        ((published *)p)->stream_last = at;
        return at;
    }
    return UINT32_MAX;
}

ride_status published_add(published *p, const ride_message *message, int32_t partition, const ride_header *headers,
                          uint32_t headers_count, published_added *what, log_place *place, published_result *first,
                          ride_error *err) {
    published_result result = {.partition = partition,
                               .offset = message->offset,
                               .key = message->key,
                               .key_bytes = message->key_bytes,
                               .value = message->value,
                               .value_bytes = message->value != NULL ? message->value_bytes : 0,
                               .headers = p->headers};
    *what = PUBLISHED_ANONYMOUS;
    if (!log_place_of(headers, headers_count, place) ||
        !published_headers(headers, headers_count, p->headers, PUBLISHED_HEADERS_BYTES, &result.headers_bytes))
        return RIDE_OK;
    const uint32_t number = published_stream(p, place->topic, place->topic_bytes, place->partition);
    *what = PUBLISHED_INVENTED;
    if (number == UINT32_MAX) return RIDE_OK;
    stream *s = &p->streams[number];
    if (s->places == NULL || place->offset < s->first) return RIDE_OK;
    *what = PUBLISHED_LATER;
    if (place->offset > s->latest && place->offset >= s->end) s->latest = place->offset;
    if (place->offset >= s->end) return RIDE_OK;
    if (place->offset >= s->last) s->last = place->offset + 1;
    uint64_t *at = &s->places[place->offset - s->first];
    if (*at == 0) {
        uint64_t where = 0;
        *what = PUBLISHED_FIRST;
        RIDE_TRY(entry_write(p, &result, &where, err));
        *at = (where + 1) << 1;
        return RIDE_OK;
    }
    RIDE_TRY(entry_read(p, (*at >> 1) - 1, first, err));
    *what = published_compare(first, &result) == PUBLISHED_EQUAL ? PUBLISHED_COPY : PUBLISHED_OTHER;
    return RIDE_OK;
}

int64_t published_end(const published *p, uint32_t number) { return p->streams[number].end; }
int64_t published_last(const published *p, uint32_t number) { return p->streams[number].last; }
int64_t published_latest(const published *p, uint32_t number) { return p->streams[number].latest; }
uint64_t published_bytes(const published *p) { return p->written + p->tail_bytes; }

ride_status published_take(published *p, uint32_t number, int64_t offset, published_result *out, ride_error *err) {
    stream *s = &p->streams[number];
    RIDE_ASSERT(offset >= s->first && offset < s->end);
    uint64_t *at = &s->places[offset - s->first];
    if (*at == 0) return RIDE_PENDING;
    *at |= 1;
    return entry_read(p, (*at >> 1) - 1, out, err);
}

ride_status published_unseen(published *p, uint32_t number, int64_t *offset) {
    const stream *s = &p->streams[number];
    if (s->places == NULL) return RIDE_END;
    for (int64_t at = *offset > s->first ? *offset : s->first; at < s->end; at++) {
        if (s->places[at - s->first] == 0 || (s->places[at - s->first] & 1) != 0) continue;
        *offset = at;
        return RIDE_OK;
    }
    return RIDE_END;
}
