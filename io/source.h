/* io/source.h: bytes in. A source gives one stream of bytes as a window that moves forward: a file or the standard
 * input, plain or compressed (.gz, .zst: told by the first bytes, never by the name).
 *
 * The window is one buffer of the source's own, made at open and never grown: unread bytes are data[begin, end). `fill`
 * brings more, moving the unread tail to the front first, so pointers into the window die at the next fill. Readable
 * padding lies before and behind the window (RIDE_SOURCE_PADDING bytes), so that a decoder may load whole vectors.
 *
 * Why reads and not a mapping: a file that shrinks while it is read would kill the process (SIGBUS), and a read of
 * 128 KiB lands in the second-level cache, where the decoder takes it from.
 *
 * One thread at a time. After open nothing allocates (zstd: after its first frame header, within open). */
#ifndef RIDE_IO_SOURCE_H
#define RIDE_IO_SOURCE_H
#include "base/error.h"

#include <signal.h>
#include <stdbool.h>

enum { RIDE_SOURCE_PADDING = 128, RIDE_SOURCE_CHUNK_BYTES = 128 * 1024, RIDE_LINE_BYTES_MAX = 1 << 20 };

/* A place in the decompressed stream: where a run stopped and another goes on. */
typedef struct ride_position {
    uint64_t offset; /* bytes before it */
    uint64_t line;   /* line that starts there, 1-based (binary: record, 1-based) */
} ride_position;

typedef enum ride_compression { RIDE_PLAIN = 0, RIDE_GZIP, RIDE_ZSTD } ride_compression;

typedef struct ride_source {
    uint8_t *data;         /* the buffer, behind its front padding */
    size_t begin, end;     /* unread bytes of it */
    uint64_t begin_offset; /* of data[begin] in the decompressed stream; kept by consume */
    bool at_end;           /* nothing follows data[end] */
    bool is_stream;        /* a pipe, terminal or socket: a fill may wait */
    bool dont_wait;        /* the caller's to set: a fill that would wait for a stream returns RIDE_PENDING */
    bool dont_stop; /* the caller's to set: what it has begun must be read to its end, the stop is looked at later */
    size_t record_bytes_max; /* the longest record, its line feed not counted */
    char *path;              /* for messages: the path, or "<stdin>" */
    ride_compression compression;
    struct ride_source_private *private_data;
} ride_source;

/* What a run wants of its sources while they wait. All may be NULL. */
typedef struct ride_source_wait {
    const volatile sig_atomic_t *stop; /* once it is set, a fill returns RIDE_INTERRUPTED (also when bytes are there) */
    void (*idle)(void *context); /* called when a stream has no bytes now, before waiting for them: flush outputs */
    void *context;
} ride_source_wait;

/* What a kind of source brings. Later kinds (http, tcp, kafka) are further rows of the table. */
typedef struct ride_source_ops {
    const char *name; /* "stdin", "file" */
    bool (*accepts)(const char *path);
    ride_status (*open)(const char *path, int *fd, bool *is_stream, ride_error *err);
} ride_source_ops;
extern const ride_source_ops *const ride_source_table[]; /* NULL at the end; the first that accepts the path opens it */

/* Opens `path` ("-" = standard input) with room for one record of record_bytes_max (0 = RIDE_LINE_BYTES_MAX) and looks at
 * the first bytes. RIDE_E_NO_INPUT: no such file or not readable; RIDE_E_IO: read error; RIDE_E_CORRUPT: the compressed
 * stream is damaged from its start. An empty input opens and is at_end. */
ride_status ride_source_open(const char *path, size_t record_bytes_max, ride_source **out, ride_error *err);
/* The same, with what to do while waiting (copied), open included: a pipe that nobody writes to yet is waited for here. */
ride_status ride_source_open_waiting(const char *path, size_t record_bytes_max, const ride_source_wait *wait,
                                     ride_source **out, ride_error *err);
/* A source over bytes in memory, for tests and requests; the bytes are borrowed until close and read as a file would be
 * (compressed ones too). */
ride_status ride_source_open_memory(const char *name, const void *bytes, size_t bytes_count, size_t record_bytes_max,
                                    ride_source **out, ride_error *err);
void ride_source_close(ride_source *source); /* NULL is fine */

/* Brings more bytes behind the unread ones. RIDE_OK: some came, or at_end became true; RIDE_FULL: the unread bytes fill
 * the room of one record; RIDE_INTERRUPTED: the stop is set; RIDE_PENDING: see dont_wait; both change nothing; RIDE_E_IO, RIDE_E_CORRUPT (truncated or damaged compressed stream, with its position in the
 * compressed file): final, and told again by later calls. */
ride_status ride_source_fill(ride_source *source, ride_error *err);
static inline size_t ride_source_unread(const ride_source *source) { return source->end - source->begin; }
static inline void ride_source_consume(ride_source *source, size_t bytes) {
    source->begin += bytes;
    source->begin_offset += bytes;
}
/* How far the input has been read, as it is on disk (compressed), and how long it is; total 0 = not known (a pipe). */
void ride_source_progress(const ride_source *source, uint64_t *bytes_read, uint64_t *bytes_total);
/* Goes on at `offset` of the decompressed stream (not before the current place): a seek in a plain file, else the bytes
 * between are read and dropped. RIDE_E_DATA when the input ends before it. */
ride_status ride_source_skip_to(ride_source *source, uint64_t offset, ride_error *err);

#endif
