/* serve/ready.h: what the process needs before it can work, part by part: the model, the window state, each source, HTTP. Whoever owns a
 * part says whether it is there, and if not, why, in words of a person; /readyz, `ride_ready` and the door of the HTTP scores
 * read it. Any thread. */
#ifndef RIDE_SERVE_READY_H
#define RIDE_SERVE_READY_H
#include "base/error.h"
#include "base/metrics.h"

#include <stdbool.h>

enum { RIDE_READY_PARTS_MAX = 64, RIDE_READY_NAME_BYTES = 264, RIDE_READY_WHY_BYTES = 192 };

typedef struct ride_ready ride_ready;

typedef struct ride_ready_part {
    char name[RIDE_READY_NAME_BYTES], why[RIDE_READY_WHY_BYTES]; /* why is "" when it is ready */
    bool scores;                                                 /* an HTTP score needs it */
    bool is_ready;
} ride_ready_part;

/* metrics (may be NULL) gets ride_ready{part=…} and part="all". */
ride_status ride_ready_create(ride_metrics *metrics, ride_ready **out, ride_error *err);
void ride_ready_destroy(ride_ready *ready); /* NULL is fine */

/* Adds a part, not ready yet because of `why`. scores: an HTTP score waits for it too (the model and the state; not a source of the stream).
 * At start; RIDE_E_INTERNAL when there are too many. A name that is there already is set anew. */
ride_status ride_ready_add(ride_ready *ready, const char *part, bool scores, const char *why, ride_error *err);
/* An unknown part is our mistake. why: NULL where is_ready. Returns whether this changed something (worth a line of the log). */
bool ride_ready_set(ride_ready *ready, const char *part, bool is_ready, const char *why);

/* All parts there? (No part at all: no.) */
bool ride_ready_all(ride_ready *ready);
/* All parts that scores need? Cheap enough for every request. Else the first part that is missing is told: "state: 40 % is replayed". */
bool ride_ready_scores(ride_ready *ready, char why[RIDE_READY_NAME_BYTES + RIDE_READY_WHY_BYTES]);
/* A copy of the parts, in the order they were added; returns how many. */
uint32_t ride_ready_parts(ride_ready *ready, ride_ready_part parts[RIDE_READY_PARTS_MAX]);

#endif
