/* engine/state_view.h: what the window state has of one key, taken out of a saved vnode as it goes by, and its windows as of a time. Private to
 * host/engine.
 *
 * Slow and obvious on purpose: a person asks. Nothing of the state is changed, and nothing of it is held but the entries of the key. The format is
 * that of kernels/layout/state_file.h; what has expired is not in it. */
#ifndef RIDE_ENGINE_STATE_VIEW_H
#define RIDE_ENGINE_STATE_VIEW_H
#include "features/schema.h"
#include "kernels/layout/bundle.h"
#include "kernels/layout/state_file.h"
#include "kernels/layout/state_layout.h"

enum { STATE_VIEW_ENTRIES_MAX = 1 << 17, STATE_VIEW_UNIT_BYTES = 4096 };

typedef struct state_view {
    const ride_bundle *bundle;
    uint32_t entity; /* that is asked about */
    ride_key128 key;
    bool found;
    int64_t clock_us; /* of the entity; INT64_MIN = nothing has come */
    int64_t last_us;  /* the key's newest event */
    uint32_t entries_count;
    int64_t *words; /* per entry: time, what it adds, its own: entry_words each */
    uint32_t entry_words;
    ride_state_note *patches;
    uint32_t patches_count;
    int64_t chains[RIDE_STATE_CHAINS_MAX][2]; /* newest and first time of what came before the entries */
    uint64_t keys_seen;                       /* of the entity in this vnode */
    /* the reading */
    ride_state_layout layouts[RIDE_ENTITIES_MAX];
    uint32_t unit, unit_bytes, unit_got;
    uint32_t at_entity; /* next */
    uint64_t keys_left;
    uint32_t chains_left, entries_left, patches_left, ties_left;
    bool wanted; /* the key at hand is the one */
    ride_status failed;
    const char *why;
    uint8_t bytes[STATE_VIEW_UNIT_BYTES];
} state_view;

ride_status state_view_open(state_view *view, const ride_bundle *bundle, uint32_t entity, ride_key128 key,
                            ride_error *err);
/* A ride_write_fn with the view as its context. RIDE_E_UNSUPPORTED: another format. RIDE_E_MEMORY: too many entries. */
ride_status state_view_write(void *view, const void *data, size_t bytes);
void state_view_close(state_view *view);

static inline const int64_t *state_view_entry(const state_view *view, uint32_t entry) {
    return view->words + (size_t)entry * view->entry_words;
}
/* As of a time, from the events that are there, without a current one. *approx: from what is left, or a sum that does not fit. *needs_event: it is
 * about a current event (first_seen), so it is null. */
double state_view_value(const state_view *view, const ride_plan_aggregate *aggregate, int64_t as_of_us, bool *approx,
                        bool *needs_event);
/* The label of the entry as known at as_of_us, in the lane. */
int64_t state_view_label(const state_view *view, uint32_t entry, uint32_t lane, int64_t as_of_us);

#endif
