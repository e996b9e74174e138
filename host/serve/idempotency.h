/* serve/idempotency.h: answers kept by the key that a client gave its request (Idempotency-Key, draft-ietf-httpapi-idempotency-key-header):
 * who repeats a request because it never saw the answer gets the same bytes. Bounded in entries, bytes and time: the oldest go
 * first, an answer too long is not kept; the request is then worked again, and repeated event ids are the engine's to find. Volatile.
 * One thread. */
#ifndef RIDE_SERVE_IDEMPOTENCY_H
#define RIDE_SERVE_IDEMPOTENCY_H
#include "base/tile.h"
#include "serve/blocks.h"

#include <stdbool.h>

enum { RIDE_IDEMPOTENCY_KEY_BYTES = 255 };

typedef struct ride_idempotency ride_idempotency;

/* One kept answer; slot says where, and is told by begin. */
typedef struct ride_kept {
    uint32_t code;
    const char *type, *text; /* type: a literal */
    size_t bytes;
    size_t json_bytes; /* where binary tensors stand behind so much JSON; 0: nowhere */
} ride_kept;

typedef enum ride_idempotency_result {
    RIDE_IDEMPOTENCY_NEW,     /* work it, then store or forget the slot */
    RIDE_IDEMPOTENCY_KEPT,    /* *kept is the answer, until the next call */
    RIDE_IDEMPOTENCY_BUSY,    /* the first request is still being worked */
    RIDE_IDEMPOTENCY_OTHER,   /* the key belongs to another request */
    RIDE_IDEMPOTENCY_NO_ROOM, /* all slots are busy: work it, nothing is kept */
} ride_idempotency_result;

ride_status ride_idempotency_create(uint32_t entries_max, size_t bytes_max, uint64_t keep_ns, ride_idempotency **out,
                                    ride_error *err);
void ride_idempotency_destroy(ride_idempotency *table); /* NULL is fine */

/* key: 1 … RIDE_IDEMPOTENCY_KEY_BYTES bytes. digest: of what must be the same about the request. */
ride_idempotency_result ride_idempotency_begin(ride_idempotency *table, const char *key, size_t key_bytes,
                                               ride_key128 digest, uint64_t now_ns, uint32_t *slot, ride_kept *kept);
/* The answer is copied. */
void ride_idempotency_store(ride_idempotency *table, uint32_t slot, const ride_kept *answer, uint64_t now_ns);
void ride_idempotency_forget(ride_idempotency *table, uint32_t slot);

#endif
