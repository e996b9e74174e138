/* features/explain.h: what a spec costs in memory: bytes per key and in all, from the layout that the CPU backend really
 * builds (kernels/layout/state_layout.h). The load's memory budget and `ride features explain` use the same numbers. */
#ifndef RIDE_FEATURES_EXPLAIN_H
#define RIDE_FEATURES_EXPLAIN_H
#include "features/spec.h"

enum { RIDE_EXPLAIN_EVENTS_DEFAULT = 100 }; /* retained events per key where the entity gives no max_events */

typedef struct ride_explain_entity {
    uint32_t can_be_narrow;   /* 1: starts with 4-byte words; rewritten with 8-byte ones when an event does not fit */
    uint64_t events_per_key;  /* max_events, or RIDE_EXPLAIN_EVENTS_DEFAULT */
    uint64_t expected_keys;   /* 0 = not given */
    uint64_t key_bytes_once;  /* a key seen once, in the form it starts with; everything included */
    uint64_t key_bytes;       /* with events_per_key entries, in the form it starts with */
    uint64_t key_bytes_wide;  /* the same in the wide form: what a budget has to hold */
    uint64_t total_bytes_max; /* expected_keys * key_bytes_wide; UINT64_MAX when that overflows */
} ride_explain_entity;

/* Fills out[entities_count]. RIDE_E_UNSUPPORTED: an entity needs more than the layout can hold. */
ride_status ride_explain_memory(const ride_spec *spec, ride_explain_entity *out, ride_error *err);
/* The report of `ride features explain`, for people. The caller frees *out_text with free(). */
ride_status ride_explain_text(const ride_spec *spec, char **out_text, ride_error *err);

#endif
