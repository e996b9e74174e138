/* cli/config_check.h: what `ride config check` does with a configuration that loads. */
#ifndef RIDE_CLI_CONFIG_CHECK_H
#define RIDE_CLI_CONFIG_CHECK_H
#include "config/config.h"

/* Reads what the configuration names and tells everything that would stop a run; or that it is good, and what memory is bounded to.
 * The exit code of the first finding, or 0. */
int cli_config_check(const ride_config *config);

#endif
