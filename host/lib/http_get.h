/* lib/http_get.h: one GET over HTTP/1.1 with a plain socket, for `ride top` and the like: our own admin listener, or a proxy before it.
 * No TLS, no redirects, no compression: what it does not ask for is refused. Any thread. */
#ifndef RIDE_LIB_HTTP_GET_H
#define RIDE_LIB_HTTP_GET_H
#include "base/error.h"

enum { RIDE_HTTP_GET_BYTES_MAX = 32 << 20 }; /* of an answer, head included */

typedef struct ride_http_answer {
    int code;   /* 200 … */
    char *body; /* ends with a zero besides; freed with free() */
    size_t body_bytes;
} ride_http_answer;

/* address: HOST:PORT, [V6]:PORT, or either behind http://. The whole exchange takes at most timeout_ns (the
 * resolver's own time besides, for a name that is no number). RIDE_E_USAGE: no such address can be; RIDE_E_UNAVAILABLE: nothing listens, or no answer
 * in time; RIDE_E_DATA: the answer is no HTTP, or too long. Any status code is an answer. */
ride_status ride_http_get(const char *address, const char *path, uint64_t timeout_ns, ride_http_answer *answer,
                          ride_error *err);

#endif
