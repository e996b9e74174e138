/* serve/server_time.c: how long a step of a connection may take. All steps have the same time, so the list of deadlines is
 * ordered by when they began: moving a connection to its end is all that a new step costs. The server's thread only. */
#include "serve/server_internal.h"

void serve_untime(ride_http_request *r) {
    ride_server *s = r->server;
    if (!r->is_timed) return;
    if (s->unprobed == r) s->unprobed = r->next;
    *(r->prev != NULL ? &r->prev->next : &s->oldest) = r->next;
    *(r->next != NULL ? &r->next->prev : &s->newest) = r->prev;
    r->is_timed = false;
}

void serve_phase_begin(ride_http_request *r, serve_phase phase, uint64_t now_ns) {
    ride_server *s = r->server;
    serve_untime(r);
    r->phase = phase;
    r->since_ns = now_ns;
    if (phase == SERVE_WAIT) return;
    r->next = NULL;
    r->prev = s->newest;
    *(s->newest != NULL ? &s->newest->next : &s->oldest) = r;
    s->newest = r;
    if (s->unprobed == NULL) s->unprobed = r;
    r->is_timed = true;
}
