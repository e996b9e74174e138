/* backend/fake_state.h: the fake backend's window state: one count per vnode. Private to fake.c. */
#ifndef RIDE_BACKEND_FAKE_STATE_H
#define RIDE_BACKEND_FAKE_STATE_H
#include "ride/backend.h"

ride_status fake_state_create(ride_device *device, const uint8_t spec_hash[32], const ride_state_options *options,
                              ride_state **out, ride_error *err);
void fake_state_destroy(ride_state *state);
ride_device *fake_state_device(const ride_state *state);
/* The state of the backend that does the work, NULL = none. Its owner is fake.c. */
void fake_state_set_real(ride_state *state, ride_state *real);
ride_state *fake_state_real(const ride_state *state);
/* The row is of the state's vnodes, by the rule of fake.h. */
bool fake_state_owns(const ride_state *state, uint64_t sequence);
bool fake_state_is_part(const ride_state *state); /* not of all vnodes */
/* Counts a row that it owns. */
void fake_state_enter(ride_state *state, uint64_t sequence);
void fake_state_stats(const ride_state *state, ride_state_stats *out);
ride_status fake_state_save(ride_state *const *states, uint32_t states_count, uint32_t vnode_first,
                            uint32_t vnodes_count, ride_write_fn write, void *context, ride_error *err);
ride_status fake_state_restore(ride_state *const *states, uint32_t states_count, ride_read_fn read, void *context,
                               ride_error *err);

#endif
