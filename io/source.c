/* io/source.c: the window over a file descriptor or memory, plain or decompressed.
 *
 * Buffer: [front padding | room of one record + one chunk | back padding]. A fill moves the unread tail (mostly part of
 * one line) to the front and reads one chunk behind it, so the bytes in use stay within the second-level cache. */
#include "io/source.h"

#include "base/assert.h"
#include "lib/gzip.h"
#include "lib/zstd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STOP_LOOK_MS = 50 }; /* a signal that comes just before the wait, or to another thread, is seen this late */

struct ride_source_private {
    ride_source_wait wait;
    uint8_t *buffer; /* data = buffer + padding */
    int fd;          /* -1: memory */
    const uint8_t *memory;
    size_t memory_bytes;
    uint64_t raw_offset; /* bytes of the file that were read */
    uint8_t *packed;     /* compressed bytes: packed[packed_begin, packed_end) are not used yet */
    size_t packed_begin, packed_end;
    bool packed_at_end, frame_end;
    ride_gzip *gzip;
    ride_zstd *zstd;
    ride_status failed; /* final */
    ride_error failure;
};

static bool file_accepts(const char *path) { return path[0] != '\0'; }

static ride_status file_open(const char *path, int *fd, bool *is_stream, ride_error *err) {
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer: the first fill waits, not this */
    if (*fd < 0) {
        ride_status st = errno == EMFILE || errno == ENFILE ? RIDE_E_IO : RIDE_E_NO_INPUT;
        ride_fail(err, st, "cannot open the input: %s", strerror(errno));
        ride_error_where(err, "%s", path);
        return st;
    }
    struct stat info;
    if (fstat(*fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        close(*fd);
        ride_fail(err, RIDE_E_NO_INPUT, "the input is a directory");
        ride_error_where(err, "%s", path);
        return RIDE_E_NO_INPUT;
    }
    *is_stream = !S_ISREG(info.st_mode);
    fcntl(*fd, F_SETFL, O_RDONLY);
    if (!*is_stream) posix_fadvise(*fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return RIDE_OK;
}

static bool stdin_accepts(const char *path) { return strcmp(path, "-") == 0; }

static ride_status stdin_open(const char *path, int *fd, bool *is_stream, ride_error *err) {
    (void)path;
    *fd = dup(STDIN_FILENO);
    if (*fd < 0) {
        ride_fail(err, RIDE_E_NO_INPUT, "cannot read the standard input: %s", strerror(errno));
        return RIDE_E_NO_INPUT;
    }
    struct stat info;
    *is_stream = fstat(*fd, &info) != 0 || !S_ISREG(info.st_mode);
    return RIDE_OK;
}

static const ride_source_ops source_stdin = {"stdin", stdin_accepts, stdin_open};
static const ride_source_ops source_file = {"file", file_accepts, file_open};
const ride_source_ops *const ride_source_table[] = {&source_stdin, &source_file, NULL};

/* Remembers the first failure: later fills tell it again. What is only not now is none. */
static ride_status failed(ride_source *source, ride_error *err) {
    struct ride_source_private *p = source->private_data;
    if (p->failure.status != RIDE_INTERRUPTED && p->failure.status != RIDE_PENDING) p->failed = p->failure.status;
    if (err != NULL) *err = p->failure;
    return p->failure.status;
}

static bool stopped(const ride_source *source) {
    const ride_source_wait *wait = &source->private_data->wait;
    return wait->stop != NULL && *wait->stop && !(source->dont_stop && !source->is_stream);
}

/* Not now, but not for ever. */
static ride_status not_now(ride_source *source, ride_status st) {
    ride_error *failure = &source->private_data->failure;
    ride_fail(failure, st, st == RIDE_PENDING ? "there are no bytes yet" : "reading was interrupted");
    ride_error_where(failure, "%s", source->path);
    return st;
}

/* Waits until a stream has bytes, its end, or a failure, which the read then tells. */
static ride_status wait_for_bytes(ride_source *source) {
    struct ride_source_private *p = source->private_data;
    struct pollfd ready = {.fd = p->fd, .events = POLLIN};
    for (int wait_ms = 0;; wait_ms = p->wait.stop != NULL ? STOP_LOOK_MS : -1) {
        int n = poll(&ready, 1, wait_ms);
        if (stopped(source)) return not_now(source, RIDE_INTERRUPTED);
        if (n > 0 || (n < 0 && errno != EINTR)) return RIDE_OK;
        if (source->dont_wait) return not_now(source, RIDE_PENDING);
        if (wait_ms == 0 && p->wait.idle != NULL) p->wait.idle(p->wait.context);
    }
}

/* Up to `room` bytes of the file as it is; 0 at its end. */
static ride_status read_raw(ride_source *source, uint8_t *to, size_t room, size_t *got) {
    struct ride_source_private *p = source->private_data;
    if (p->fd < 0) {
        size_t left = p->memory_bytes - (size_t)p->raw_offset;
        *got = left < room ? left : room;
        if (*got > 0) memcpy(to, p->memory + p->raw_offset, *got);
        p->raw_offset += *got;
        return RIDE_OK;
    }
    for (;;) {
        if (source->is_stream) RIDE_TRY(wait_for_bytes(source));
        ssize_t n = read(p->fd, to, room);
        if (n >= 0) {
            *got = (size_t)n;
            p->raw_offset += (uint64_t)n;
            return RIDE_OK;
        }
        if (errno == EINTR || (source->is_stream && errno == EAGAIN)) continue;
        ride_fail(&p->failure, RIDE_E_IO, "reading failed: %s", strerror(errno));
        ride_error_where(&p->failure, "%s, byte %llu", source->path, (unsigned long long)p->raw_offset);
        return RIDE_E_IO;
    }
}

/* Up to `room` decompressed bytes; 0 at the end. */
static ride_status read_packed(ride_source *source, uint8_t *to, size_t room, size_t *got) {
    struct ride_source_private *p = source->private_data;
    for (;;) {
        if (p->packed_begin == p->packed_end && !p->packed_at_end) {
            size_t n;
            RIDE_TRY(read_raw(source, p->packed, RIDE_SOURCE_CHUNK_BYTES, &n));
            p->packed_begin = 0;
            p->packed_end = n;
            p->packed_at_end = n == 0;
        }
        size_t in = p->packed_end - p->packed_begin, out = room;
        const char *why = NULL;
        ride_status st =
            p->gzip != NULL
                ? ride_gzip_decompress(p->gzip, p->packed + p->packed_begin, &in, to, &out, &p->frame_end, &why)
                : ride_zstd_decompress(p->zstd, p->packed + p->packed_begin, &in, to, &out, &p->frame_end, &why);
        p->packed_begin += in;
        *got = out;
        if (out > 0) return RIDE_OK; /* a damage behind good bytes is told by the next call */
        if (st == RIDE_OK && in > 0) continue;
        if (st == RIDE_OK && !p->packed_at_end) {
            if (p->packed_begin == p->packed_end) continue;
            why = "no progress";
            st = RIDE_E_CORRUPT;
        }
        if (st == RIDE_OK && p->frame_end) return RIDE_OK; /* the end */
        const char *kind = p->gzip != NULL ? "gzip" : "zstd";
        uint64_t place = p->raw_offset - (p->packed_end - p->packed_begin);
        if (st == RIDE_OK) ride_fail(&p->failure, RIDE_E_CORRUPT, "the %s input is truncated", kind);
        else ride_fail(&p->failure, RIDE_E_CORRUPT, "the %s input is damaged: %s", kind, why);
        ride_error_where(&p->failure, "%s, byte %llu", source->path, (unsigned long long)place);
        ride_error_advice(&p->failure, "%llu bytes were read from it",
                          (unsigned long long)(source->begin_offset + source->end - source->begin));
        return RIDE_E_CORRUPT;
    }
}

static ride_status read_some(ride_source *source, uint8_t *to, size_t room, size_t *got) {
    return source->compression == RIDE_PLAIN ? read_raw(source, to, room, got) : read_packed(source, to, room, got);
}

ride_status ride_source_fill(ride_source *source, ride_error *err) {
    struct ride_source_private *p = source->private_data;
    if (source->at_end) return RIDE_OK;
    if (p->failed != RIDE_OK) return failed(source, err);
    if (stopped(source)) {
        not_now(source, RIDE_INTERRUPTED);
        return failed(source, err);
    }
    size_t unread = ride_source_unread(source);
    if (unread > source->record_bytes_max) return RIDE_FULL;
    memmove(source->data, source->data + source->begin, unread);
    source->begin = 0;
    source->end = unread;
    size_t got;
    if (read_some(source, source->data + unread, RIDE_SOURCE_CHUNK_BYTES, &got) != RIDE_OK) return failed(source, err);
    source->end += got;
    source->at_end = got == 0;
    return RIDE_OK;
}

ride_status ride_source_skip_to(ride_source *source, uint64_t offset, ride_error *err) {
    struct ride_source_private *p = source->private_data;
    RIDE_ASSERT(offset >= source->begin_offset);
    uint64_t unread = ride_source_unread(source);
    if (source->compression == RIDE_PLAIN && p->fd >= 0 && !source->is_stream &&
        offset - source->begin_offset > unread) {
        struct stat info;
        if (fstat(p->fd, &info) == 0 && (uint64_t)info.st_size >= offset &&
            lseek(p->fd, (off_t)offset, SEEK_SET) >= 0) {
            p->raw_offset = offset;
            source->begin = source->end = 0;
            source->begin_offset = offset;
            source->at_end = false;
        }
    }
    while (source->begin_offset < offset) {
        uint64_t step = offset - source->begin_offset;
        if (step > ride_source_unread(source)) step = ride_source_unread(source);
        ride_source_consume(source, (size_t)step);
        if (source->begin_offset == offset) break;
        if (source->at_end) {
            ride_status st = ride_fail(err, RIDE_E_DATA, "the input ends before the place to go on at (byte %llu)",
                                       (unsigned long long)offset);
            ride_error_where(err, "%s", source->path);
            ride_error_advice(err, "is it the same file?");
            return st;
        }
        RIDE_TRY(ride_source_fill(source, err));
    }
    return RIDE_OK;
}

/* Reads the first bytes, tells the compression from them and makes its context; then fills the window once. */
static ride_status look(ride_source *source, ride_error *err) {
    struct ride_source_private *p = source->private_data;
    size_t have = 0;
    while (have < 4) { /* a pipe may give less at once */
        size_t got;
        if (read_raw(source, source->data + have, RIDE_SOURCE_CHUNK_BYTES - have, &got) != RIDE_OK)
            return failed(source, err);
        if (got == 0) break;
        have += got;
    }
    if (ride_gzip_is(source->data, have)) {
        source->compression = RIDE_GZIP;
        RIDE_TRY(ride_gzip_create(&p->gzip, err));
    } else if (ride_zstd_is(source->data, have)) {
        source->compression = RIDE_ZSTD;
        RIDE_TRY(ride_zstd_create(&p->zstd, err));
    } else {
        source->end = have;
        source->at_end = have == 0;
        return RIDE_OK;
    }
    p->packed = malloc(RIDE_SOURCE_CHUNK_BYTES);
    if (p->packed == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the input %s", source->path);
    memcpy(p->packed, source->data, have);
    p->packed_end = have;
    return ride_source_fill(source, err);
}

static ride_status source_create(const char *path, size_t record_bytes_max, ride_source **out, ride_error *err) {
    if (record_bytes_max == 0) record_bytes_max = RIDE_LINE_BYTES_MAX;
    ride_source *source = calloc(1, sizeof *source);
    struct ride_source_private *p = calloc(1, sizeof *p);
    if (source == NULL || p == NULL) {
        free(source);
        free(p);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the input %s", path);
    }
    source->private_data = p;
    p->fd = -1;
    p->frame_end = true;
    source->record_bytes_max = record_bytes_max;
    source->path = strdup(path);
    p->buffer = calloc(1, 2 * RIDE_SOURCE_PADDING + record_bytes_max + RIDE_SOURCE_CHUNK_BYTES);
    if (source->path == NULL || p->buffer == NULL) {
        ride_source_close(source);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the input %s", path);
    }
    source->data = p->buffer + RIDE_SOURCE_PADDING;
    *out = source;
    return RIDE_OK;
}

static ride_status source_start(ride_source *source, ride_source **out, ride_error *err) {
    ride_status st = look(source, err);
    if (st != RIDE_OK) {
        ride_source_close(source);
        return st;
    }
    *out = source;
    return RIDE_OK;
}

ride_status ride_source_open_waiting(const char *path, size_t record_bytes_max, const ride_source_wait *wait,
                                     ride_source **out, ride_error *err) {
    const ride_source_ops *ops = NULL;
    for (size_t i = 0; ride_source_table[i] != NULL && ops == NULL; i++)
        if (ride_source_table[i]->accepts(path)) ops = ride_source_table[i];
    if (ops == NULL) return ride_fail(err, RIDE_E_NO_INPUT, "the input has no name");
    int fd;
    bool is_stream;
    RIDE_TRY(ops->open(path, &fd, &is_stream, err));
    ride_source *source = NULL;
    ride_status st = source_create(ops == &source_stdin ? "<stdin>" : path, record_bytes_max, &source, err);
    if (st != RIDE_OK) {
        close(fd);
        return st;
    }
    source->private_data->fd = fd;
    source->private_data->wait = *wait;
    source->is_stream = is_stream;
    return source_start(source, out, err);
}

ride_status ride_source_open(const char *path, size_t record_bytes_max, ride_source **out, ride_error *err) {
    const ride_source_wait wait = {0};
    return ride_source_open_waiting(path, record_bytes_max, &wait, out, err);
}

ride_status ride_source_open_memory(const char *name, const void *bytes, size_t bytes_count, size_t record_bytes_max,
                                    ride_source **out, ride_error *err) {
    ride_source *source = NULL;
    RIDE_TRY(source_create(name, record_bytes_max, &source, err));
    source->private_data->memory = bytes;
    source->private_data->memory_bytes = bytes_count;
    return source_start(source, out, err);
}

void ride_source_close(ride_source *source) {
    if (source == NULL) return;
    struct ride_source_private *p = source->private_data;
    if (p->fd >= 0) close(p->fd);
    ride_gzip_destroy(p->gzip);
    ride_zstd_destroy(p->zstd);
    free(p->packed);
    free(p->buffer);
    free(p);
    free(source->path);
    free(source);
}

void ride_source_progress(const ride_source *source, uint64_t *bytes_read, uint64_t *bytes_total) {
    const struct ride_source_private *p = source->private_data;
    struct stat info;
    *bytes_read = p->raw_offset;
    *bytes_total = p->memory_bytes;
    if (p->fd >= 0) *bytes_total = fstat(p->fd, &info) == 0 && S_ISREG(info.st_mode) ? (uint64_t)info.st_size : 0;
}
