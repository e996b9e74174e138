/* cli/verify_log.h: `ride verify --config`. */
#ifndef RIDE_CLI_VERIFY_LOG_H
#define RIDE_CLI_VERIFY_LOG_H
#include "cli/cli.h"

typedef struct cli_verify_asked {
    const char *config_path;
    const cli_sets *sets;
    const char *backend, *backend_path;
    const char *journal; /* NULL, "": where the configuration has it */
    uint32_t first;      /* findings that are told */
} cli_verify_asked;

/* The exit code. */
int cli_verify_log(const cli_verify_asked *asked);

/* A progress of verify and replay: one line on a terminal, rewritten; NULL where there is none. */
typedef void (*cli_step_fn)(void *context, const char *what, uint64_t n, double done);
cli_step_fn cli_step(void);
void cli_step_end(void);

#endif
