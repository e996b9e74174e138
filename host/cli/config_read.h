/* cli/config_read.h: --config and --set, as every verb that takes them reads them. */
#ifndef RIDE_CLI_CONFIG_READ_H
#define RIDE_CLI_CONFIG_READ_H
#include "cli/options.h"
#include "config/config.h"

/* File, environment and sets. 0 and *out (the caller's), or the exit code after telling every finding. */
int cli_config_read(const char *path, const cli_sets *sets, ride_config **out);

#endif
