/* serve/admin.h: what an operator's tools ask: GET /metrics (Prometheus' text), /healthz (200 while the engine's loop beats), /readyz (200
 * or 503, with every part and why it is not there). Put it on a listener of its own, loopback by default. */
#ifndef RIDE_SERVE_ADMIN_H
#define RIDE_SERVE_ADMIN_H
#include "serve/ready.h"
#include "serve/server.h"

#include <stdatomic.h>

typedef struct ride_admin_options {
    ride_ready *ready;
    /* The text of /metrics, freed with free(). NULL: ride_metrics_render(metrics). Called in the server's thread. */
    ride_status (*render)(void *context, char **text, size_t *bytes, ride_error *err);
    void *render_context;
    ride_metrics *metrics;
    const _Atomic uint64_t
        *heartbeat_ns; /* monotonic time of the loop's last turn; 0: it has not begun; NULL: none is asked for */
    uint64_t heartbeat_ns_max; /* so long a turn may take; 0 = 10 s */
} ride_admin_options;

enum { RIDE_ADMIN_ROUTES = 3 };
typedef struct ride_admin { /* the caller's; outlives the server; nothing to close */
    ride_admin_options options;
    ride_http_route routes[RIDE_ADMIN_ROUTES];
} ride_admin;

ride_status ride_admin_open(ride_admin *admin, const ride_admin_options *options, ride_server *server, ride_error *err);

#endif
