/* cli/doctor.c: `ride doctor`: which backends can run here, why the others cannot, and the machine. */
#include "backend/registry.h"
#include "cli/cli.h"

#include <stdio.h>

const char cli_doctor_help[] =
    "usage: ride doctor\n"
    "Prints the version and every backend that `auto` tries, in its order: whether it can "
    "run on this machine, and if not,\n"
    "why, and what to do; below each what it found (versions, devices, libraries). Then the "
    "machine: cores, nodes, devices, and\n"
    "what runs where without a configuration (`ride topology --config FILE` tells with one). "
    "Exit 0 when a backend can run, 69\n"
    "when none can.\n"
    "Example: ride doctor\n";

/* What belongs to the backend above stands below its name. */
static void print_fact(void *context, const char *text) {
    (void)context;
    printf("               %s\n", text);
}

int cli_doctor(int argc, char **argv) {
    if (argc > 1) return cli_usage("doctor", "takes no argument, not `%s`", argv[1]);
    static ride_backend_report report;
    ride_backend_services services;
    const ride_backend_ops *chosen = NULL;
    ride_error err = {.status = RIDE_OK};
    ride_backend_services_init(&services, ride_clock_real());
    ride_status st = ride_backend_select("auto", NULL, &services, &chosen, &report, &err);
    printf("ride %s\n", CLI_VERSION);
    for (uint32_t i = 0; i < report.candidates_count; i++) {
        const ride_backend_candidate *c = &report.candidates[i];
        printf("backend %-6s ", c->name);
        if (c->status == RIDE_OK)
            printf("can run: %u device%s, %s%s\n", c->devices_count, c->devices_count == 1 ? "" : "s", c->origin,
                   c->chosen ? "; auto takes it" : "");
        else printf("cannot run: %s\n", c->why);
        if (c->status != RIDE_OK && c->advice[0] != '\0') printf("               advice: %s\n", c->advice);
        if (c->status != RIDE_OK && c->origin[0] != '\0') printf("               file: %s\n", c->origin);
        if (c->ops != NULL && c->ops->describe != NULL) c->ops->describe(print_fact, NULL);
    }
    int written = cli_print("");
    if (st == RIDE_OK && written == 0) written = cli_topology_section();
    return st != RIDE_OK ? cli_failed("doctor", &err) : written;
}
