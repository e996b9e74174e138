/* cli/config_read.c: see the header. */
#include "cli/config_read.h"
#include "cli/cli.h"

#include <unistd.h>

int cli_config_read(const char *path, const cli_sets *sets, ride_config **out) {
    static ride_diagnostics findings;
    ride_diagnostics_init(&findings);
    ride_status st = ride_config_load(path, sets->items, sets->count, (const char *const *)environ, out, &findings);
    if (st == RIDE_OK) return 0;
    int code = cli_findings(&findings);
    return code != 0 ? code : ride_status_exit_code(st);
}
