/* cli/load.h: what every verb that loads a model does alike: its limits as options, and a line of how far it is. */
#ifndef RIDE_CLI_LOAD_H
#define RIDE_CLI_LOAD_H
#include "cli/options.h"
#include "models/ir.h"

/* Limits of a verb without a configuration; one that has one takes the configuration's. */
extern ride_model_options cli_load;
bool cli_load_bytes(const char *text, void *out); /* "4GiB" */
#define CLI_LOAD_OPTIONS                                                                                               \
    {"--bytes-max", CLI_CONVERTED, &cli_load.bytes_max, .convert = cli_load_bytes},                                    \
        {"--trees-max", CLI_COUNT, &cli_load.trees_max, .max = 10000000}, {                                            \
        "--nodes-max", CLI_COUNT, &cli_load.nodes_max, .max = 1000000000                                               \
    }
#define CLI_LOAD_HELP                                                                                                  \
    "  --bytes-max SIZE, --trees-max N, --nodes-max N  what a model may have (1GiB, 100000, 50000000)\n"

/* For ride_model_options.watch: on a terminal a line that is gone when the file is read, else a line of the log every five seconds. */
const ride_load_watch *cli_load_watch(void);

#endif
