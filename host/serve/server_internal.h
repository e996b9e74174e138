/* serve/server_internal.h: the server's own structures; only serve/server*.c, request.c and route.c know them. */
#ifndef RIDE_SERVE_SERVER_INTERNAL_H
#define RIDE_SERVE_SERVER_INTERNAL_H
#include "serve/server.h"
#include "serve/tokens.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    SERVE_CODES = 20,
    SERVE_HEADERS_MAX = 8,
    SERVE_HEADER_BYTES = 300,                /* value of one header of an answer */
    SERVE_TEXT_BYTES = RIDE_HTTP_COPY_BYTES, /* an answer that the request holds itself */
};

/* What libmicrohttpd holds per connection: the head, its parsed lines, and the head of the answer; cleared for each request. */
static inline size_t serve_pool_bytes(size_t header_bytes_max) {
    return header_bytes_max + header_bytes_max / 2 + 8192;
}

/* A route and its series. */
typedef struct serve_route {
    const ride_http_route *route;
    ride_metric *seconds, *codes[SERVE_CODES];
} serve_route;
typedef struct serve_table {
    serve_route *routes;
    uint32_t count;
} serve_table;

typedef enum serve_phase {
    SERVE_HEAD, /* idle, or its head is coming */
    SERVE_BODY,
    SERVE_WAIT, /* for another thread: not timed */
    SERVE_SEND,
} serve_phase;

/* Headers that are asked for in every request: found in one pass over all that came (server.c has their names). */
enum {
    SERVE_CONTENT_LENGTH,
    SERVE_CONTENT_TYPE,
    SERVE_CONTENT_ENCODING,
    SERVE_TRANSFER_ENCODING,
    SERVE_EXPECT,
    SERVE_AUTHORIZATION,
    SERVE_IDEMPOTENCY_KEY,
    SERVE_CE_SPECVERSION,
    SERVE_KNOWN,
};

typedef struct serve_text {
    const char *name;
    char value[SERVE_HEADER_BYTES];
} serve_text;

/* A connection, and the request that it is about: HTTP/1.1 has one at a time. */
struct ride_http_request {
    ride_server *server;
    ride_http_request *next, *prev; /* of the unused ones, or of those with a deadline, oldest first */
    void *connection;               /* MHD's */
    int fd;
    serve_phase phase;
    bool is_timed; /* in the list of deadlines */
    uint64_t since_ns;
    /* the request */
    bool began, handled;
    const char *method, *path;
    const char *known[SERVE_KNOWN]; /* values, libmicrohttpd's; NULL: not there */
    const serve_route *route;       /* NULL: none was found */
    struct {
        const char *text;
        size_t bytes;
    } params[RIDE_HTTP_PARAMS_MAX];
    uint64_t began_ns, expected_bytes; /* of the body: SIZE_MAX = not said */
    char *body;
    size_t body_bytes, body_room, discarded_bytes;
    /* the answer */
    uint32_t code; /* 0: none yet */
    const char *type, *text;
    size_t text_bytes;
    char *text_malloced;
    uint32_t headers_count;
    serve_text headers[SERVE_HEADERS_MAX];
    char own[SERVE_TEXT_BYTES];
    ride_http_handler woken, ended;
    void *woken_context, *ended_context;
    bool waits, is_woken;
    bool lingers;   /* it waits, but is not suspended yet */
    bool is_orphan; /* it waits, but its connection is gone */
    ride_http_request *woken_next;
};

struct ride_server {
    char name[32], address[128];
    uint32_t port;
    size_t header_bytes_max, body_bytes_max;
    uint32_t connections_max;
    uint64_t idle_timeout_ns;
    ride_metrics *metrics;
    ride_blocks *blocks;
    ride_tokens *tokens; /* NULL: open */
    struct MHD_Daemon *daemon;
    int epoll_fd, wake_fd, daemon_fd; /* epoll_fd: of the other two */
    pthread_t thread;
    bool thread_runs;
    /* routes: written before the count is */
    pthread_mutex_t routes_lock;
    serve_table tables[RIDE_HTTP_TABLES_MAX];
    atomic_uint tables_count;
    serve_route other; /* what no route took */
    ride_metric *connections_series;
    /* of whoever holds the lock: the server's thread during a turn, others between two (ride_serve_call) */
    pthread_mutex_t lock; /* recursive: what a turn calls may take it */
    ride_http_request *requests, *unused, *oldest, *newest;
    ride_http_request *unprobed; /* of the list of deadlines: the first that may have an unseen end of sending */
    uint32_t connections;
    uint32_t busy, waiting,
        lingering;         /* requests begun and not ended; those of them that wait; those of them that linger */
    uint64_t turn_ns;      /* when this turn began */
    bool progress, is_tls; /* this pass of the daemon did something */
    _Atomic(ride_http_request *) woken;
    atomic_bool wake_pending;
    atomic_bool helped; /* another thread serves in the place of the server's: ride_serve_help */
    atomic_uint helps;  /* how often it came by */
    void (*after)(void *context);
    void *after_context;
    atomic_bool stops;
    uint64_t stop_deadline_ns;
    bool quiesced;
    struct {
        void (*destroy)(void *object);
        void *object;
    } owned[RIDE_HTTP_TABLES_MAX];
    uint32_t owned_count;
};

/* server_route.c */
/* Finds the route; fills its parameters. false: none of that path and method; *allow then has the path's methods, "" = no such path. */
bool serve_route_find(ride_server *server, ride_http_request *request, char *allow, size_t allow_bytes_max);
void serve_route_series(ride_server *server, serve_route *route, const char *endpoint);
void serve_count(const serve_route *route, uint32_t code);
void serve_routes_free(ride_server *server);
/* listen.c: a socket that listens, and what it is in fact. */
ride_status serve_listen(const char *listen, int *fd, char *address, size_t address_bytes_max, uint32_t *port,
                         ride_error *err);
/* server_request.c */
void serve_request_reset(ride_http_request *request);
void serve_body_add(ride_http_request *request, const char *data, size_t bytes);
/* server_time.c: the list of deadlines */
void serve_phase_begin(ride_http_request *request, serve_phase phase, uint64_t now_ns);
void serve_untime(ride_http_request *request);
/* server.c: what knows libmicrohttpd. The texts are PEM, NULL without TLS. */
ride_status serve_daemon_start(ride_server *server, int listen_fd, const char *certificate, const char *key,
                               ride_error *err);
void serve_daemon_stop(ride_server *server);
void *serve_loop(void *server);
void serve_wake(ride_server *server);
const char *serve_header(const ride_http_request *request, const char *name);
void serve_query(const ride_http_request *request, void (*each)(void *context, const char *name, const char *value),
                 void *context);

#endif
