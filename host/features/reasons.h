/* features/reasons.h: which decisions have reasons, how many, and the operator's words for them: what a configuration says and a run does. */
#ifndef RIDE_FEATURES_REASONS_H
#define RIDE_FEATURES_REASONS_H
#include "features/spec.h"
#include "kernels/row/reasons.h"

enum { RIDE_REASONS_TOP_MAX = 16, RIDE_REASON_TEXT_MAX = 200 /* bytes */ };

typedef enum ride_reasons_when {
    RIDE_REASONS_NONE = 0,
    RIDE_REASONS_ALERTS, /* decisions that are not approve */
    RIDE_REASONS_ALL,    /* every event that is scored */
} ride_reasons_when;

/* pattern: the name of an entry of the vector, or with `*`, which stands for any text. */
typedef struct ride_reason_text {
    const char *pattern, *text;
} ride_reason_text;

typedef struct ride_reasons_options {
    ride_reasons_when when;
    uint32_t top;           /* of a decision at most, 1 … RIDE_REASONS_TOP_MAX; 0 = 3 */
    ride_reason_side side;  /* which inputs can be one */
    uint64_t memory_bytes;  /* of the explainer's tables; 0 = its default */
    const char *background; /* file of rows that stand for what is not known; NULL: as the training rows went */
    const ride_reason_text *texts;
    uint32_t texts_count;
} ride_reasons_options;

/* Does the pattern fit the whole name? */
bool ride_reason_fits(const char *pattern, const char *name);
/* The text of an entry: that of its exact name, else of the first pattern that fits; NULL: none. */
const char *ride_reason_text_of(const ride_reasons_options *options, const char *name);

#endif
