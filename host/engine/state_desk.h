/* engine/state_desk.h: questions about the window state of one key, put by another thread and answered by the engine's between two batches.
 *
 * One question at a time: whoever asks meanwhile is told so. An answer walks over the keys of the backend once (state_save of the key's vnode) and
 * changes nothing; the engine does nothing else meanwhile. The key is hashed as the spec says, and is in no log. */
#ifndef RIDE_ENGINE_STATE_DESK_H
#define RIDE_ENGINE_STATE_DESK_H
#include "base/waker.h"
#include "features/schema.h"

#include <stdint.h>

typedef struct state_desk state_desk;

enum { STATE_KEY_BYTES = 1024 };
typedef struct state_question {
    char entity[RIDE_NAME_BYTES];
    /* The key's fields: "" is the only one of an entity with one. */
    struct {
        char field[RIDE_NAME_BYTES];
        char value[STATE_KEY_BYTES];
    } keys[RIDE_KEYS_MAX];
    uint32_t keys_count;
    char at
        [64]; /* as of this event time (ISO 8601, or µs since 1970); "" = now: the clock, or the key's newest event if that is later */
    void *context;
    /* Once for every question that was taken, by the engine's thread: an HTTP status and a JSON text, which the called one frees. */
    void (*answered)(void *context, uint32_t code, char *text, size_t bytes);
} state_question;

/* waker: of the engine; outlives the desk. */
ride_status state_desk_create(ride_waker *waker, state_desk **out, ride_error *err);
void state_desk_destroy(state_desk *desk); /* NULL is fine; closed before */
/* Any thread. false: another question is being answered, or the desk is closed; it is copied. */
bool state_desk_ask(state_desk *desk, const state_question *question);

struct pipeline;
/* The engine's side. Answers what there is to answer; NULL is fine. p NULL: no state yet, or no more: 503 because of `why`. */
void state_desk_serve(state_desk *desk, struct pipeline *p, const char *why);
void state_desk_close(state_desk *desk); /* no more questions; the one there may be is answered with 503 */

#endif
