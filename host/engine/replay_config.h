/* engine/replay_config.h: a configuration of a service → what `ride verify --config` and `ride replay` read: its topics, by readers that join no
 * group, its journal, its model and rules. */
#ifndef RIDE_ENGINE_REPLAY_CONFIG_H
#define RIDE_ENGINE_REPLAY_CONFIG_H
#include "config/config.h"
#include "engine/replay_event.h"
#include "engine/verify_log.h"

/* service and results of *options are filled; the rest is the caller's. run: as of ride_run, with the backend that computes. journal: NULL = where the
 * configuration has it. RIDE_E_CONFIG: the configuration has no topics, no results topic or no journal. */
ride_status ride_verify_config(const ride_config *config, const ride_run_options *run, const char *journal,
                               ride_waker *waker, ride_verify_options *options, ride_verify_report *report,
                               ride_diagnostics *findings, ride_error *err);
/* Without a results topic options->at is needed. */
ride_status ride_replay_config(const ride_config *config, const ride_run_options *run, const char *journal,
                               ride_waker *waker, ride_replay_options *options, ride_replay_answer *answer,
                               ride_diagnostics *findings, ride_error *err);

#endif
