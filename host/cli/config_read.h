/* cli/config_read.h: --config and --set, as every verb that takes them reads them. */
#ifndef RIDE_CLI_CONFIG_READ_H
#define RIDE_CLI_CONFIG_READ_H
#include "cli/options.h"
#include "config/config.h"
#include "engine/engine.h"

/* File, environment and sets. 0 and *out (the caller's), or the exit code after telling every finding. */
int cli_config_read(const char *path, const cli_sets *sets, ride_config **out);
/* What a load of its model accepts, and shows. */
ride_model_options cli_config_model(const ride_config *config);
/* What it says about a run. inputs: room for RIDE_SOURCES_MAX. Borrows from config; no progress. */
void cli_config_run(const ride_config *config, ride_input_option *inputs, ride_run_options *out);

#endif
