/* engine/log_read.h: what a log has now, from its begin to its end, through a feed that is no member of anything. Private to host/engine.
 *
 * Used by `ride verify` and `ride replay`, to read results and to ask what is committed. The ends are those of the moment in which the streams were
 * told: what comes later is not read. One thread, the caller's. */
#ifndef RIDE_ENGINE_LOG_READ_H
#define RIDE_ENGINE_LOG_READ_H
#include "base/feed.h"
#include "base/waker.h"
#include "engine/service.h"

typedef struct log_reader {
    ride_feed_open_fn open;
    void *open_context;
    ride_waker *waker;
    volatile sig_atomic_t *stop; /* may be NULL */
    void *context;
    /* Each stream, before any message; may be NULL. */
    ride_status (*stream)(void *context, const ride_stream_info *info, ride_error *err);
    /* Each message, with at most LOG_HEADERS_MAX of its headers; NULL: no message is read. RIDE_END: it was the last one wanted. */
    ride_status (*message)(void *context, const ride_stream_info *info, const ride_message *message,
                           const ride_header *headers, uint32_t headers_count, ride_error *err);
} log_reader;
enum { LOG_HEADERS_MAX = 16 };

/* RIDE_INTERRUPTED after *stop; RIDE_E_UNAVAILABLE: nobody answered for half a minute. */
ride_status log_read(const log_reader *reader, ride_error *err);

/* Which message a result is of, by its headers; false: they do not say. topic is cut out of the header and not terminated. */
typedef struct log_place {
    const char *topic;
    uint32_t topic_bytes;
    int32_t partition;
    int64_t offset;
} log_place;
bool log_place_of(const ride_header *headers, uint32_t headers_count, log_place *out);
/* NULL: there is none of that name. */
const ride_header *log_header(const ride_header *headers, uint32_t headers_count, const char *name);

#endif
