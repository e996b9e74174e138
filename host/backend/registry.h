/* backend/registry.h: which backend does the work. Built-in ones (cpu; fake and reference for tests) and plugins, shared
 * objects named libride_NAME.so, looked for in `path`, then beside the executable, then in ../lib/ride from there (the
 * install tree). A plugin is never unloaded.
 *
 * `auto` tries the plugins it knows (cuda), then cpu, and takes the first that can run; a backend asked for by name that
 * cannot run is an error, never another backend. The report says what was tried and why each was passed over. */
#ifndef RIDE_BACKEND_REGISTRY_H
#define RIDE_BACKEND_REGISTRY_H
#include "base/clock.h"
#include "ride/backend.h"

enum { RIDE_BACKEND_CANDIDATES_MAX = 8 };

typedef struct ride_backend_candidate {
    char name[32];
    char origin[256];            /* "built in", or the file of the plugin, or "" when none was found */
    ride_status status;          /* RIDE_OK = it can run */
    char why[256];               /* why not; "" when it can */
    char advice[56];             /* what to do about it, or "" */
    const ride_backend_ops *ops; /* its table, when it gave one that can be used, also where probe refuses; else NULL */
    uint32_t devices_count;
    bool chosen;
} ride_backend_candidate;

typedef struct ride_backend_report {
    ride_backend_candidate candidates[RIDE_BACKEND_CANDIDATES_MAX]; /* in the order tried */
    uint32_t candidates_count;
} ride_backend_report;

/* The services a host gives: the clock's time, log lines by base/log. *out and *clock must outlive the backend. */
void ride_backend_services_init(ride_backend_services *out, const ride_clock *clock);

/* The cpu backend and its device for work in the calling thread (rows_score), with services of their own: opened once, never closed. Any thread. */
ride_status ride_backend_here(const ride_backend_ops **ops, ride_device **device, ride_error *err);

/* name: "auto", or a backend's. path: a folder or a plugin file that comes first in the search, or NULL. report may be
 * NULL; it is filled on failure too. *out is static and never freed. Errors: RIDE_E_CONFIG for a name that is none,
 * RIDE_E_UNAVAILABLE, RIDE_E_VERSION or what the backend says. Set-up only, one thread. */
ride_status ride_backend_select(const char *name, const char *path, const ride_backend_services *services,
                                const ride_backend_ops **out, ride_backend_report *report, ride_error *err);
/* Logs the report: one line for the choice, one for each backend passed over. */
void ride_backend_report_log(const ride_backend_report *report);
/* Names for help and "did you mean", NULL at the end: "auto", then the built-in ones, then known plugins. */
const char *const *ride_backend_names(void);

#endif
