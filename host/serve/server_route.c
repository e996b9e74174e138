/* serve/server_route.c: which route a request takes, and the series that count it. */
#include "serve/server_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t codes[SERVE_CODES] = {200, 202, 204, 400, 401, 404, 405, 409, 411, 413,
                                            414, 415, 422, 429, 431, 500, 501, 503, 505, 0 /* any other */};

void serve_route_series(ride_server *s, serve_route *route, const char *endpoint) {
    char labels[256] = "";
    ride_metrics_label(labels, sizeof labels, "endpoint", endpoint);
    route->seconds = ride_metrics_series(s->metrics, RIDE_METRIC_HTTP_SECONDS, labels);
    for (uint32_t i = 0; i < SERVE_CODES; i++) {
        char with_code[280], code[16];
        snprintf(with_code, sizeof with_code, "%s", labels);
        snprintf(code, sizeof code, "%u", codes[i]);
        ride_metrics_label(with_code, sizeof with_code, "code", codes[i] != 0 ? code : "other");
        route->codes[i] = ride_metrics_series(s->metrics, RIDE_METRIC_HTTP_REQUESTS, with_code);
    }
}

void serve_count(const serve_route *route, uint32_t code) {
    uint32_t i = 0;
    while (i < SERVE_CODES - 1 && codes[i] != code) i++;
    ride_metric_add(route->codes[i], 1);
}

ride_status ride_serve_routes(ride_server *s, const ride_http_route *routes, uint32_t count, ride_error *err) {
    ride_status st = RIDE_OK;
    serve_route *made = calloc(count, sizeof *made);
    if (made == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for routes");
    for (uint32_t i = 0; i < count; i++) {
        made[i].route = &routes[i];
        serve_route_series(s, &made[i], routes[i].endpoint);
    }
    pthread_mutex_lock(&s->routes_lock);
    uint32_t tables = atomic_load(&s->tables_count);
    if (tables == RIDE_HTTP_TABLES_MAX) {
        st = ride_fail(err, RIDE_E_INTERNAL, "more than %d tables of routes", RIDE_HTTP_TABLES_MAX);
    } else {
        s->tables[tables] = (serve_table){made, count};
        atomic_store_explicit(&s->tables_count, tables + 1, memory_order_release);
    }
    pthread_mutex_unlock(&s->routes_lock);
    if (st != RIDE_OK) free(made);
    return st;
}

void serve_routes_free(ride_server *s) {
    for (uint32_t t = 0; t < atomic_load(&s->tables_count); t++) free(s->tables[t].routes);
}

/* Does the path fit the pattern? Tells what its {…} took. */
static bool fits(const char *pattern, const char *path, ride_http_request *request) {
    uint32_t params = 0;
    memset(request->params, 0, sizeof request->params);
    while (*pattern != '\0') {
        if (*pattern == '{') {
            size_t bytes = strcspn(path, "/");
            if (bytes == 0 || params == RIDE_HTTP_PARAMS_MAX) return false;
            request->params[params].text = path;
            request->params[params++].bytes = bytes;
            path += bytes;
            pattern = strchr(pattern, '}') + 1;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

static void allow_add(char *allow, size_t allow_bytes_max, const char *method) {
    size_t used = strlen(allow);
    if (strstr(allow, method) == NULL)
        snprintf(allow + used, allow_bytes_max - used, "%s%s", used != 0 ? ", " : "", method);
}

bool serve_route_find(ride_server *s, ride_http_request *request, char *allow, size_t allow_bytes_max) {
    bool head = strcmp(request->method, "HEAD") == 0;
    uint32_t tables = atomic_load_explicit(&s->tables_count, memory_order_acquire);
    allow[0] = '\0';
    for (uint32_t t = 0; t < tables; t++)
        for (uint32_t i = 0; i < s->tables[t].count; i++) {
            const ride_http_route *route = s->tables[t].routes[i].route;
            if (!fits(route->path, request->path, request)) continue;
            if (strcmp(route->method, request->method) == 0 || (head && strcmp(route->method, "GET") == 0)) {
                request->route = &s->tables[t].routes[i];
                return true;
            }
            allow_add(allow, allow_bytes_max, route->method);
            if (strcmp(route->method, "GET") == 0) allow_add(allow, allow_bytes_max, "HEAD");
        }
    if (allow[0] != '\0') allow_add(allow, allow_bytes_max, "OPTIONS");
    return false;
}
