/* serve/admin.c: see admin.h. */
#include "serve/admin.h"

#include "base/clock.h"
#include "serve/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READY_BYTES = RIDE_READY_PARTS_MAX * (6 * (RIDE_READY_NAME_BYTES + RIDE_READY_WHY_BYTES) + 64) + 64 };

static void metrics(void *context, ride_http_request *request) {
    const ride_admin_options *o = &((ride_admin *)context)->options;
    char *text = NULL;
    size_t bytes = 0;
    ride_error err;
    ride_status st = o->render != NULL ? o->render(o->render_context, &text, &bytes, &err)
                                       : ride_metrics_render(o->metrics, &text, &bytes, &err);
    if (st != RIDE_OK) ride_http_error(request, 500, ride_status_text(st), NULL, "%s", err.what);
    else ride_http_reply_malloced(request, 200, "text/plain; version=0.0.4; charset=utf-8", text, bytes);
}

static void health(void *context, ride_http_request *request) {
    const ride_admin_options *o = &((ride_admin *)context)->options;
    uint64_t max = o->heartbeat_ns_max != 0 ? o->heartbeat_ns_max : UINT64_C(10000000000);
    uint64_t beat = o->heartbeat_ns != NULL ? atomic_load_explicit(o->heartbeat_ns, memory_order_relaxed) : 0;
    uint64_t now = ride_clock_now_ns(ride_clock_real()), age = beat != 0 && now > beat ? now - beat : 0;
    ride_http_set(request, "Cache-Control", "no-store");
    if (age <= max) ride_http_reply(request, 200, "text/plain; charset=utf-8", "ok\n", 3);
    else
        ride_http_error(request, 503, "stuck", NULL, "the engine's loop has not turned for %.1f s", (double)age * 1e-9);
}

static size_t part_text(const ride_ready_part *part, char *to, size_t room) {
    size_t at = (size_t)snprintf(to, room, "{\"part\":");
    at += ride_json_write_string(to + at, room - at, part->name, strlen(part->name));
    at += (size_t)snprintf(to + at, room - at, ",\"ready\":%s", part->is_ready ? "true" : "false");
    if (part->why[0] != '\0') {
        at += (size_t)snprintf(to + at, room - at, ",\"why\":");
        at += ride_json_write_string(to + at, room - at - 1, part->why, strlen(part->why));
    }
    to[at++] = '}';
    return at;
}

static void ready(void *context, ride_http_request *request) {
    const ride_admin_options *o = &((ride_admin *)context)->options;
    ride_ready_part parts[RIDE_READY_PARTS_MAX];
    uint32_t count = ride_ready_parts(o->ready, parts);
    bool all = count > 0;
    for (uint32_t i = 0; i < count; i++) all = all && parts[i].is_ready;
    char *text = malloc(READY_BYTES);
    if (text == NULL) {
        ride_http_error(request, 500, "memory", NULL, "no memory");
        return;
    }
    size_t at = (size_t)snprintf(text, READY_BYTES, "{\"ready\":%s,\"parts\":[", all ? "true" : "false");
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) text[at++] = ',';
        at += part_text(&parts[i], text + at, READY_BYTES - at - 8);
    }
    at += (size_t)snprintf(text + at, READY_BYTES - at, "]}\n");
    ride_http_set(request, "Cache-Control", "no-store");
    ride_http_reply_malloced(request, all ? 200 : 503, "application/json", text, at);
}

ride_status ride_admin_open(ride_admin *admin, const ride_admin_options *options, ride_server *server,
                            ride_error *err) {
    *admin = (ride_admin){
        .options = *options,
        .routes = {{"GET", "/metrics", "metrics", metrics, admin, false},
                   {"GET", "/healthz", "healthz", health, admin, true},
                   {"GET", "/readyz", "readyz", ready, admin, true}},
    };
    return ride_serve_routes(server, admin->routes, RIDE_ADMIN_ROUTES, err);
}
