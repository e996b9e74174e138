/* backend/registry.c: trying backends one after the other. A table that a plugin gives is checked before its first use: its
 * ABI number, its size, its name and that every function it must have is there. */
#include "backend/registry.h"

#include "backend/plugin.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    ride_backend_entry_fn entry;
} built_in[] = {
    {"cpu", ride_backend_cpu},
    {"fake", ride_backend_fake},
    {"reference", ride_backend_reference},
};
enum { BUILT_IN_COUNT = sizeof built_in / sizeof built_in[0] };

/* What auto tries, best first. */
static const char *const auto_order[] = {"cuda", "cpu"};

static const char *const names[] = {"auto", "cpu", "cuda", "fake", "reference", NULL};
const char *const *ride_backend_names(void) { return names; }

/* Every function that is not optional. */
static const char *missing_function(const ride_backend_ops *ops) {
#define NEED(function)                                                                                                 \
    if (ops->function == NULL) return #function
    NEED(probe);
    NEED(device_count);
    NEED(device_props);
    NEED(device_open);
    NEED(device_close);
    NEED(queue_create);
    NEED(queue_destroy);
    NEED(buffer_alloc);
    NEED(buffer_free);
    NEED(program_supports);
    NEED(program_upload);
    NEED(program_release);
    NEED(state_create);
    NEED(state_destroy);
    NEED(state_save);
    NEED(state_restore);
    NEED(state_stats);
    NEED(counts_create);
    NEED(counts_destroy);
    NEED(counts_take);
    NEED(submit);
    NEED(poll);
    NEED(wait);
    NEED(queue_stats);
#undef NEED
    return NULL;
}

static ride_status check_table(const ride_backend_ops *ops, const char *name, ride_error *err) {
    if (ops->abi != RIDE_BACKEND_ABI)
        return ride_fail(err, RIDE_E_VERSION, "its table has ABI %u, this program %d", ops->abi, RIDE_BACKEND_ABI);
    if (ops->struct_bytes != sizeof *ops)
        return ride_fail(err, RIDE_E_VERSION, "its table has %u bytes, this program's %zu", ops->struct_bytes,
                         sizeof *ops);
    if (ops->name == NULL || strcmp(ops->name, name) != 0)
        return ride_fail(err, RIDE_E_VERSION, "it calls itself %.40s", ops->name != NULL ? ops->name : "nothing");
    const char *missing = missing_function(ops);
    if (missing != NULL) return ride_fail(err, RIDE_E_VERSION, "its table has no %s", missing);
    return RIDE_OK;
}

/* Everything that has to hold before a backend can be used. */
static ride_status try_backend(const char *name, const char *path, const ride_backend_services *services,
                               const ride_backend_ops **out, ride_backend_candidate *candidate, ride_error *err) {
    ride_backend_entry_fn entry = NULL;
    for (int i = 0; i < BUILT_IN_COUNT; i++)
        if (strcmp(built_in[i].name, name) == 0) entry = built_in[i].entry;
    if (entry != NULL) snprintf(candidate->origin, sizeof candidate->origin, "built in");
    else RIDE_TRY(ride_plugin_load(name, path, &entry, candidate->origin, sizeof candidate->origin, err));
    ride_fail(err, RIDE_E_UNAVAILABLE, "it cannot serve this program"); /* unless it says more */
    const ride_backend_ops *ops = entry(RIDE_BACKEND_ABI, services, err);
    if (ops == NULL) return err->status != RIDE_OK ? err->status : RIDE_E_UNAVAILABLE;
    RIDE_TRY(check_table(ops, name, err));
    candidate->ops = ops;
    RIDE_TRY(ops->probe(err));
    candidate->devices_count = ops->device_count();
    if (candidate->devices_count == 0) return ride_fail(err, RIDE_E_UNAVAILABLE, "it finds no device");
    *out = ops;
    return RIDE_OK;
}

static ride_status try_and_report(const char *name, const char *path, const ride_backend_services *services,
                                  const ride_backend_ops **out, ride_backend_report *report, ride_error *err) {
    ride_backend_candidate *candidate = &report->candidates[report->candidates_count++];
    ride_error own = {0};
    snprintf(candidate->name, sizeof candidate->name, "%s", name);
    candidate->status = try_backend(name, path, services, out, candidate, &own);
    candidate->chosen = candidate->status == RIDE_OK;
    if (candidate->chosen) return RIDE_OK;
    snprintf(candidate->why, sizeof candidate->why, "%s", own.what);
    snprintf(candidate->advice, sizeof candidate->advice, "%s", own.advice);
    ride_fail(err, candidate->status, "backend %s cannot run: %.100s", name, own.what);
    ride_error_where(err, "%s", candidate->origin);
    ride_error_advice(err, "%s", own.advice);
    return candidate->status;
}

/* A plugin's name becomes part of a file name. */
static bool is_name(const char *name) {
    size_t bytes = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return bytes > 0 && bytes < sizeof((ride_backend_candidate *)0)->name && name[bytes] == '\0';
}

ride_status ride_backend_select(const char *name, const char *path, const ride_backend_services *services,
                                const ride_backend_ops **out, ride_backend_report *report, ride_error *err) {
    ride_backend_report unread;
    if (report == NULL) report = &unread;
    memset(report, 0, sizeof *report);
    *out = NULL;
    if (!is_name(name)) return ride_fail(err, RIDE_E_CONFIG, "\"%.40s\" is no backend's name", name);
    if (strcmp(name, "auto") != 0) return try_and_report(name, path, services, out, report, err);
    ride_status st = RIDE_E_UNAVAILABLE;
    for (size_t i = 0; i < sizeof auto_order / sizeof auto_order[0]; i++) {
        st = try_and_report(auto_order[i], path, services, out, report, err);
        if (st == RIDE_OK) return RIDE_OK;
    }
    return st;
}

void ride_backend_report_log(const ride_backend_report *report) {
    for (uint32_t i = 0; i < report->candidates_count; i++) {
        const ride_backend_candidate *c = &report->candidates[i];
        if (c->chosen)
            ride_log_info("backend chosen", ride_log_text("name", c->name), ride_log_text("origin", c->origin),
                          ride_log_u64("devices", c->devices_count));
        else
            ride_log_info("backend passed over", ride_log_text("name", c->name), ride_log_text("why", c->why),
                          ride_log_text("origin", c->origin));
    }
}
