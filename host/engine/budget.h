/* engine/budget.h: what a compiled spec says to the sum of bounds (config/budget.h), and the check at the start. */
#ifndef RIDE_ENGINE_BUDGET_H
#define RIDE_ENGINE_BUDGET_H
#include "config/budget.h"
#include "features/spec.h"
#include "kernels/layout/bundle.h"

/* shards: as placed, 0 = as the configuration says. pipelined: as placed. */
void ride_budget_facts_of(const ride_spec *spec, const ride_bundle *bundle, uint32_t shards, bool pipelined,
                          ride_budget_facts *out);
/* Fills *out, and is RIDE_E_MEMORY with the arithmetic when this machine, or the container, has less memory. */
ride_status ride_budget_at_start(const ride_config *config, const ride_budget_facts *facts, ride_budget *out,
                                 ride_error *err);

#endif
