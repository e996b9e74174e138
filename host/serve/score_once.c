/* serve/score_once.c: requests that carry an Idempotency-Key. */
#include "serve/score_internal.h"

#include "lib/hash.h"

#include <string.h>

static uint64_t now_ns(const ride_score *s) { return ride_clock_now_ns(s->clock); }

static ride_key128 digest_of_text(const char *text) { return ride_hash_bytes(text, text != NULL ? strlen(text) : 0); }

/* What a repeat must have in common with the first: path, type, where the body's tensors begin, and the body. */
static ride_key128 digest_of(ride_http_request *request) {
    ride_key128 parts[4];
    size_t bytes;
    const char *body = ride_http_body(request, &bytes);
    parts[0] = digest_of_text(ride_http_path(request));
    parts[1] = digest_of_text(ride_http_header(request, "Content-Type"));
    parts[2] = digest_of_text(ride_http_header(request, SCORE_JSON_BYTES));
    parts[3] = ride_hash_bytes(body, bytes);
    return ride_hash_bytes(parts, sizeof parts);
}

static void reply_kept(ride_http_request *request, const ride_kept *kept) {
    char *copy = ride_http_room(request, kept->bytes); /* the table may forget it while it is sent */
    if (copy == NULL) {
        ride_http_set(request, "Retry-After", "1");
        ride_http_error(request, 429, "no_memory", NULL, "the memory of requests is taken: try again");
        return;
    }
    memcpy(copy, kept->text, kept->bytes);
    ride_http_set(request, "Idempotency-Replayed", "true");
    if (kept->json_bytes > 0) score_infer_set(request, kept->json_bytes);
    ride_http_reply(request, kept->code, kept->type, copy, kept->bytes);
}

bool score_once_begin(ride_score *s, ride_http_request *request, uint32_t *slot) {
    const char *key = ride_http_header(request, "Idempotency-Key");
    ride_kept kept;
    *slot = SCORE_NO_SLOT;
    if (key == NULL) return true;
    size_t bytes = strlen(key);
    if (bytes == 0 || bytes > RIDE_IDEMPOTENCY_KEY_BYTES) {
        ride_http_error(request, 400, "bad_key", "Idempotency-Key", "a key has 1 to %d characters",
                        RIDE_IDEMPOTENCY_KEY_BYTES);
        return false;
    }
    ride_http_set(request, "Idempotency-Key", key);
    switch (ride_idempotency_begin(s->kept, key, bytes, digest_of(request), now_ns(s), slot, &kept)) {
    case RIDE_IDEMPOTENCY_KEPT: reply_kept(request, &kept); return false;
    case RIDE_IDEMPOTENCY_BUSY:
        ride_http_set(request, "Retry-After", "1");
        ride_http_error(request, 409, "in_progress", "Idempotency-Key",
                        "the first request of this key is being worked");
        return false;
    case RIDE_IDEMPOTENCY_OTHER:
        ride_http_error(request, 422, "key_reused", "Idempotency-Key", "this key belongs to another request");
        return false;
    default: return true;
    }
}

/* What another try could change is not kept. */
static bool is_final(uint32_t code) { return code == 200 || code == 202 || code == 400 || code == 422; }

void score_once_end(ride_score *s, ride_http_request *request, uint32_t slot, size_t json_bytes) {
    if (slot == SCORE_NO_SLOT) return;
    ride_kept answer = {.json_bytes = json_bytes};
    answer.code = ride_http_answer(request, &answer.type, &answer.text, &answer.bytes);
    if (is_final(answer.code)) ride_idempotency_store(s->kept, slot, &answer, now_ns(s));
    else ride_idempotency_forget(s->kept, slot);
}
