/* io/sink.h: bytes out: a big buffer in front of a file or the standard output.
 *
 * An encoder reserves room, writes into it and commits. A write that fails (full disk, closed pipe …) is a named
 * RIDE_E_IO, final, and told again by every later call. The count of bytes given so far is the place to resume at.
 *
 * One thread at a time. Nothing allocates after open. SIGPIPE is the program's to ignore. */
#ifndef RIDE_IO_SINK_H
#define RIDE_IO_SINK_H
#include "base/error.h"

#include <stdbool.h>

typedef struct ride_sink_options {
    bool resume;            /* keep the first resume_offset bytes of an existing file, and go on behind them */
    uint64_t resume_offset; /* RIDE_E_DATA when the file is shorter */
    bool sync;              /* fsync at close */
    size_t buffer_bytes;    /* 0 = 1 MiB */
} ride_sink_options;

typedef struct ride_sink {
    uint8_t *buffer;
    size_t used, buffer_bytes;
    uint64_t offset; /* of buffer[0] in the output */
    ride_status failed;
    struct ride_sink_private *private_data;
} ride_sink;

/* Opens `path` ("-" = standard output) for writing, truncating it unless resume is asked for. options may be NULL.
 * RIDE_E_IO: it cannot be opened, with the reason. */
ride_status ride_sink_open(const char *path, const ride_sink_options *options, ride_sink **out, ride_error *err);
/* A sink that keeps what it gets in `memory` (borrowed) and fails with RIDE_E_IO "full" past bytes_max. For tests. */
ride_status ride_sink_open_memory(void *memory, size_t bytes_max, ride_sink **out, ride_error *err);
/* A memory sink with a buffer of buffer_bytes, which must be aimed before it is written to. */
ride_status ride_sink_open_aimed(size_t buffer_bytes, ride_sink **out, ride_error *err);
/* A memory sink begins anew: what is written and flushed from now on goes to `memory`; a failure before is forgotten. */
void ride_sink_aim(ride_sink *sink, void *memory, size_t bytes_max);
/* Flushes, syncs where asked, closes and frees, also on failure, whose first cause it returns. */
ride_status ride_sink_close(ride_sink *sink, ride_error *err);

/* Room for `bytes` (<= buffer_bytes) at the buffer's end, flushing when needed; NULL when the sink has failed. */
uint8_t *ride_sink_reserve(ride_sink *sink, size_t bytes);
static inline void ride_sink_commit(ride_sink *sink, size_t bytes) { sink->used += bytes; }
/* Appends a copy of any length. */
ride_status ride_sink_write(ride_sink *sink, const void *bytes, size_t bytes_count);
ride_status ride_sink_flush(ride_sink *sink, ride_error *err);
static inline uint64_t ride_sink_offset(const ride_sink *sink) { return sink->offset + sink->used; }

#endif
