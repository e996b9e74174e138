/* api/team.h: the threads of a context: the caller and its helpers, who take pieces of one job until none is left. */
#ifndef RIDE_API_TEAM_H
#define RIDE_API_TEAM_H
#include "base/error.h"

typedef struct team team;

/* Does rows [first, first + count) of the job. member: 0 (the caller) … members_count - 1, each one thread at a time. */
typedef ride_status (*team_fn)(void *job, uint32_t member, uint64_t first, uint64_t count);

/* members_count - 1 threads are started. RIDE_E_MEMORY, RIDE_E_UNAVAILABLE. */
ride_status team_create(uint32_t members_count, team **out, ride_error *err);
void team_destroy(team *team); /* NULL is fine */
uint32_t team_members(const team *team);

/* All rows, in pieces of at most `step`; the caller works too, alone where there are no more than one piece. Returns the first failure. Allocates
 * nothing. */
ride_status team_run(team *team, uint64_t rows_count, uint64_t step, team_fn fn, void *job);

#endif
