/* engine/published.h: the results that a topic holds, found by the message that each is of. Private to host/engine.
 *
 * Whole results, not digests, in a file without a name in $TMPDIR, as large as the topic's results; 8 bytes of memory for each message that the
 * journal has. The first copy of a result is kept, the others are compared with it as they come. One thread. */
#ifndef RIDE_ENGINE_PUBLISHED_H
#define RIDE_ENGINE_PUBLISHED_H
#include "engine/log_read.h"
#include "engine/record_diff.h"
#include "state/journal.h"

typedef struct published published;

/* A result: of a topic, or about to be sent. key NULL: none. headers: as text, "name=value" and a zero each, in their order. */
typedef struct published_result {
    int32_t partition; /* its own place */
    int64_t offset;
    const char *key, *value, *headers;
    uint32_t key_bytes, value_bytes, headers_bytes;
} published_result;

typedef enum published_part { PUBLISHED_EQUAL = 0, PUBLISHED_KEY, PUBLISHED_HEADERS, PUBLISHED_VALUE } published_part;
/* The first part in which two differ. */
published_part published_compare(const published_result *a, const published_result *b);
/* The first header in which they differ. */
void published_headers_diff(const published_result *a, const published_result *b, record_diff *out);
/* The value of a header; NULL: there is none. */
const char *published_header(const char *headers, uint32_t headers_bytes, const char *name);
/* Writes headers as text; false: more than `room`. */
bool published_headers(const ride_header *headers, uint32_t headers_count, char *text, uint32_t room, uint32_t *bytes);
enum { PUBLISHED_HEADERS_BYTES = 8192 };

/* What became of a message of the results topic. */
typedef enum published_added {
    PUBLISHED_FIRST = 1,
    PUBLISHED_COPY,      /* equal to the first */
    PUBLISHED_OTHER,     /* a copy that differs from the first */
    PUBLISHED_INVENTED,  /* of a message that the journal has not */
    PUBLISHED_LATER,     /* of one behind the journal's end: the service goes on */
    PUBLISHED_ANONYMOUS, /* its headers do not say of which */
} published_added;

/* Room for the messages of the journal's streams, as it is now; the journal may go on, or be closed. */
ride_status published_open(const ride_journal *journal, published **out, ride_error *err);
void published_close(published *p); /* NULL is fine */
/* *first: of PUBLISHED_OTHER, the first copy, until the next call. */
ride_status published_add(published *p, const ride_message *message, int32_t partition, const ride_header *headers,
                          uint32_t headers_count, published_added *what, log_place *place, published_result *first,
                          ride_error *err);

/* Streams, numbered as the journal's. UINT32_MAX: none. */
uint32_t published_stream(const published *p, const char *topic, uint32_t topic_bytes, int32_t partition);
int64_t published_end(const published *p, uint32_t stream);
/* The result of the message; PENDING: there is none. It is marked as seen. The result is good until the next call. */
ride_status published_take(published *p, uint32_t stream, int64_t offset, published_result *out, ride_error *err);
/* The next message from *offset on whose result was not seen; RIDE_END: no more. */
ride_status published_unseen(published *p, uint32_t stream, int64_t *offset);
/* Of one stream: behind the last message with a result, the begin where there is none; and the greatest that came LATER, -1 = none. */
int64_t published_last(const published *p, uint32_t stream);
int64_t published_latest(const published *p, uint32_t stream);
uint64_t published_bytes(const published *p); /* of the file */

#endif
