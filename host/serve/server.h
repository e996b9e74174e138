/* serve/server.h: an HTTP/1.1 server for a few kinds of requests; the home of libmicrohttpd.
 *
 * One thread of its own serves all connections of a listener from an epoll set: a slow client holds a connection, never the thread. Each
 * step of a request (its head, its body, the taking of the answer) has idle_timeout to be done with, however its bytes drip; the
 * time that an answer waits for other threads does not count. At the limit of connections the one idle longest makes room.
 *
 * A request is met by the first route of its path and method and handled when its body is there, in the thread that serves: the handler replies,
 * or lets it wait for another thread, which wakes it. Memory of bodies and answers comes from one region sized at start (blocks.h).
 * What no route is asked about: 400 (malformed), 401, 404, 405 with Allow, 411, 413, 431; OPTIONS; HEAD as GET without the body. Every
 * answer is counted. libmicrohttpd itself allocates a little per connection and response; nothing else does after start. */
#ifndef RIDE_SERVE_SERVER_H
#define RIDE_SERVE_SERVER_H
#include "base/error.h"
#include "base/metrics.h"
#include "serve/blocks.h"

#include <stdbool.h>

typedef struct ride_server ride_server;
typedef struct ride_http_request ride_http_request;

typedef struct ride_serve_options {
    const char *name;   /* of the listener, in metrics and the log: "http", "admin" */
    const char *listen; /* "127.0.0.1:8080", "[::1]:8080", "*:8080" (all addresses); port 0: a free one */
    const char *certificate_path, *key_path; /* PEM; both or none */
    const char *token_path;   /* bearer tokens, one a line (two during a rotation); NULL: none is asked for */
    size_t header_bytes_max;  /* request line and headers; 0 = 16 KiB */
    size_t body_bytes_max;    /* 0 = 1 MiB */
    size_t memory_bytes_max;  /* bodies and answers together; 0 = 64 MiB */
    uint32_t connections_max; /* 0 = 1,024 */
    uint64_t idle_timeout_ns; /* 0 = 30 s */
    ride_metrics *metrics;    /* may be NULL; outlives the server */
} ride_serve_options;

/* Listens and serves: 404 until there are routes. Strings of the options are needed during the call only. A port in use, a certificate that cannot
 * be read, too few file descriptors: named errors. */
ride_status ride_serve_start(const ride_serve_options *options, ride_server **out, ride_error *err);
/* Memory that a server of these options may take at most: what `ride config check` adds up. TLS takes some 40 KiB per connection more. */
size_t ride_serve_memory_max(const ride_serve_options *options);
uint32_t ride_serve_port(const ride_server *server);
const char *ride_serve_address(const ride_server *server); /* "127.0.0.1:43817": as it is in fact */
/* Reads the tokens again (SIGHUP). On failure the old ones stay. Any thread. */
ride_status ride_serve_reload(ride_server *server, ride_error *err);
/* Stops listening, lets what is being answered finish, at most grace_ns; closes all. Nothing may wait any more (feeds are
 * closed before). NULL is fine. */
void ride_serve_stop(ride_server *server, uint64_t grace_ns);

/* ---- routes ---- */
typedef void (*ride_http_handler)(void *context, ride_http_request *request);
typedef struct ride_http_route {
    const char *method;   /* "GET" (HEAD too), "POST" */
    const char *path;     /* "/v2/models/{name}/infer": {…} takes one segment */
    const char *endpoint; /* its name in the metrics */
    ride_http_handler handler;
    void *context;
    bool is_open; /* asks for no token */
} ride_http_route;

enum { RIDE_HTTP_TABLES_MAX = 8, RIDE_HTTP_PARAMS_MAX = 4 };
/* Adds routes, borrowed until the stop; at most RIDE_HTTP_TABLES_MAX times. Any thread, also while it serves. */
ride_status ride_serve_routes(ride_server *server, const ride_http_route *routes, uint32_t count, ride_error *err);

/* Runs function(context) between two turns of the server's thread, which waits meanwhile. Any thread. */
void ride_serve_call(ride_server *server, void (*function)(void *context), void *context);
/* Runs in the server's thread whenever it has served what was at hand: the place to wake others once for many requests. One per server. */
void ride_serve_after(ride_server *server, void (*function)(void *context), void *context);

/* Whoever answers requests and comes by often may serve in the place of the server's thread, which rests meanwhile: nothing is handed from one
 * thread to the other then. Handlers run in the helper's thread, and ride_serve_after's function does not: the helper looks itself. One
 * helper; one that does not come by for 2 ms is not waited for. */
typedef enum ride_served {
    RIDE_SERVED_NOT,  /* the server's thread is at it, or it stops */
    RIDE_SERVED_MORE, /* there is more to serve at once, of which no descriptor tells */
    RIDE_SERVED_ALL,
} ride_served;
/* Serves what is at hand, with the answers that were woken. Never waits. */
ride_served ride_serve_help(ride_server *server);
/* The server's thread serves again. The helper's thread. */
void ride_serve_help_end(ride_server *server);
int ride_serve_fd(const ride_server *server); /* can be read when there is something to serve */

ride_blocks *ride_serve_blocks(ride_server *server);
ride_metrics *ride_serve_metrics(ride_server *server);
size_t ride_serve_body_bytes_max(const ride_server *server);
/* Destroys the object when the server has stopped, the last one first: what routes point to. At most RIDE_HTTP_TABLES_MAX. */
void ride_serve_own(ride_server *server, void (*destroy)(void *object), void *object);

/* ---- a request; in the thread that serves only, but for ride_http_wake ---- */
const char *ride_http_method(const ride_http_request *request);
const char *ride_http_path(const ride_http_request *request);
/* The segment that the i-th {…} of the route's path took; not terminated. */
const char *ride_http_param(const ride_http_request *request, uint32_t i, size_t *bytes);
const char *ride_http_header(const ride_http_request *request, const char *name); /* NULL: not there */
/* A parameter of the query, unescaped: ?entity=card; NULL: not there. */
const char *ride_http_query(const ride_http_request *request, const char *name);
/* Calls each with every one of them. */
void ride_http_query_all(const ride_http_request *request,
                         void (*each)(void *context, const char *name, const char *value), void *context);
/* Does Content-Type name this type ("application/json"; case and parameters are no matter)? */
bool ride_http_is_type(const ride_http_request *request, const char *type);
/* The body, with a zero and RIDE_JSON_PADDING readable bytes behind it; the request's, until its end. */
char *ride_http_body(const ride_http_request *request, size_t *bytes);
/* Moves the body's block to the caller, who gives it back to ride_serve_blocks. */
char *ride_http_take_body(ride_http_request *request);
uint64_t ride_http_began_ns(const ride_http_request *request); /* monotonic: when its head was there */

/* A header of the answer: name a literal, value copied. Too many or too long: our mistake. */
void ride_http_set(ride_http_request *request, const char *name, const char *value);
/* The answer; exactly one per request. type: a literal, NULL without a body. text: borrowed until the request's end. */
void ride_http_reply(ride_http_request *request, uint32_t code, const char *type, const char *text, size_t bytes);
/* With a short text (at most RIDE_HTTP_COPY_BYTES) that is copied. */
enum { RIDE_HTTP_COPY_BYTES = 1024 };
void ride_http_reply_copy(ride_http_request *request, uint32_t code, const char *type, const char *text, size_t bytes);
/* Room for an answer's text, the request's until its end, in place of its body. NULL: no memory now. */
char *ride_http_room(ride_http_request *request, size_t bytes);
/* Moves a block of ride_serve_blocks to the request, in place of its body. */
void ride_http_own(ride_http_request *request, char *block);
/* With a text from malloc, freed when it was sent. */
void ride_http_reply_malloced(ride_http_request *request, uint32_t code, const char *type, char *text, size_t bytes);
/* {"error":"…","reason":"…","field":"…"}; field may be NULL. A text too long for its room is cut. */
void ride_http_error(ride_http_request *request, uint32_t code, const char *reason, const char *field,
                     const char *format, ...) RIDE_PRINTF(5, 6);
/* The answer that it has: its code, or 0 when it has none yet. */
uint32_t ride_http_answer(const ride_http_request *request, const char **type, const char **text, size_t *bytes);
/* No answer yet: `woken` is called, in the thread that serves, after somebody's ride_http_wake, and replies. */
void ride_http_wait(ride_http_request *request, ride_http_handler woken, void *context);
/* Any thread, once for each wait. A helper takes it along when it comes by next. */
void ride_http_wake(ride_http_request *request);
/* Called when the request is over: the answer was taken, or the connection is gone. At most one. */
void ride_http_on_end(ride_http_request *request, ride_http_handler ended, void *context);

#endif
