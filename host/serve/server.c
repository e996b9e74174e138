/* serve/server.c: the loop over libmicrohttpd; the one file that knows it.
 *
 * The daemon runs without a thread of its own ("external" epoll): our thread waits for its descriptor and for our own wake, so that answers of
 * other threads come in by one wake for many, deadlines are ours (libmicrohttpd's timeout starts again with every byte), and a
 * connection can be cut from outside: its socket is shut down, which libmicrohttpd takes for the client's going.
 *
 * A waiting request lingers at first: libmicrohttpd asks for its answer in each pass, of which there are few while an engine takes
 * microseconds. After LINGER_NS, or when many wait, its connection is suspended: out of the epoll set, so nothing of it happens until it
 * is woken; that costs three system calls.
 *
 * A turn needs the lock and no certain thread: the engine's takes turns itself while it has little else to do (ride_serve_help), and our
 * thread then looks every REST_MS whether it still does. */
#include "serve/server_internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DISCARD_FACTOR = 4, CROWD_IDLE_MS = 1000, PASSES_MAX = 4, PROBE_MS = 100 };
enum { LINGERING_MAX = 32, LINGER_NS = 2000000 };
enum { REST_MS = 2 }; /* a helper is waited for */
#define NS_PER_MS UINT64_C(1000000)

static uint64_t now_ns(void) { return ride_clock_now_ns(ride_clock_real()); }

void serve_wake(ride_server *s) {
    if (atomic_exchange(&s->wake_pending, true)) return; /* it will look again anyway */
    const uint64_t one = 1;
    ssize_t n = write(s->wake_fd, &one, sizeof one);
    (void)n;
}

static const char *const known_names[SERVE_KNOWN] = {
    [SERVE_CONTENT_LENGTH] = MHD_HTTP_HEADER_CONTENT_LENGTH,
    [SERVE_CONTENT_TYPE] = MHD_HTTP_HEADER_CONTENT_TYPE,
    [SERVE_CONTENT_ENCODING] = MHD_HTTP_HEADER_CONTENT_ENCODING,
    [SERVE_TRANSFER_ENCODING] = MHD_HTTP_HEADER_TRANSFER_ENCODING,
    [SERVE_EXPECT] = MHD_HTTP_HEADER_EXPECT,
    [SERVE_AUTHORIZATION] = MHD_HTTP_HEADER_AUTHORIZATION,
    [SERVE_IDEMPOTENCY_KEY] = "Idempotency-Key",
    [SERVE_CE_SPECVERSION] = "ce-specversion",
};

static enum MHD_Result on_header(void *request, enum MHD_ValueKind kind, const char *name, const char *value) {
    ride_http_request *r = request;
    (void)kind;
    for (uint32_t i = 0; i < SERVE_KNOWN; i++)
        if (r->known[i] == NULL && ((name[0] ^ known_names[i][0]) | ' ') == ' ' &&
            strcasecmp(name, known_names[i]) == 0) {
            r->known[i] = value;
            break;
        }
    return MHD_YES;
}

const char *serve_header(const ride_http_request *r, const char *name) {
    if (r->connection == NULL) return NULL; /* it is gone */
    for (uint32_t i = 0; i < SERVE_KNOWN; i++)
        if (name[0] == known_names[i][0] && strcmp(name, known_names[i]) == 0) return r->known[i];
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

typedef struct query_each {
    void (*each)(void *context, const char *name, const char *value);
    void *context;
} query_each;
static enum MHD_Result on_query(void *closure, enum MHD_ValueKind kind, const char *name, const char *value) {
    const query_each *q = closure;
    (void)kind;
    q->each(q->context, name, value != NULL ? value : "");
    return MHD_YES;
}
void serve_query(const ride_http_request *r, void (*each)(void *context, const char *name, const char *value),
                 void *context) {
    query_each q = {each, context};
    if (r->connection != NULL) MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, on_query, &q);
}

/* ---- answers ---- */
static enum MHD_Result send_answer(ride_http_request *r) {
    ride_server *s = r->server;
    static char nothing[1];
    struct MHD_Response *response =
        MHD_create_response_from_buffer(r->text_bytes, r->text_bytes != 0 ? (void *)r->text : nothing,
                                        MHD_RESPMEM_PERSISTENT);
    if (response == NULL) return MHD_NO;
    if (r->type != NULL) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, r->type);
    for (uint32_t i = 0; i < r->headers_count; i++)
        MHD_add_response_header(response, r->headers[i].name, r->headers[i].value);
    if (s->quiesced) MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    enum MHD_Result queued = MHD_queue_response(r->connection, r->code, response);
    MHD_destroy_response(response);
    if (queued != MHD_YES) return MHD_NO;
    uint64_t now = now_ns();
    const serve_route *route = r->route != NULL ? r->route : &s->other;
    serve_count(route, r->code);
    ride_metric_observe(route->seconds, now - r->began_ns);
    serve_phase_begin(r, SERVE_SEND, now);
    return MHD_YES;
}

/* ---- a request's head: what is refused before its body is looked at ---- */
static bool length_of(ride_http_request *r) {
    const char *length = r->known[SERVE_CONTENT_LENGTH];
    const char *coding = r->known[SERVE_TRANSFER_ENCODING];
    r->expected_bytes = coding != NULL   ? UINT64_MAX
                        : length != NULL ? strtoull(length, NULL, 10) /* digits: libmicrohttpd has looked */
                                         : 0;
    bool is_chunked = coding != NULL && strcasecmp(coding, "chunked") == 0;
    if (coding != NULL && (length != NULL || !is_chunked)) {
        if (!is_chunked) r->expected_bytes = UINT64_MAX - 1; /* has no end to wait for */
        ride_http_error(r, 400, "bad_request", "Transfer-Encoding",
                        "only chunked is known, and without Content-Length");
        return false;
    }
    return true;
}

static void refuse_route(ride_http_request *r, const char *allow) {
    if (strcmp(r->method, "OPTIONS") == 0 && (allow[0] != '\0' || strcmp(r->path, "*") == 0)) {
        ride_http_set(r, "Allow", allow[0] != '\0' ? allow : "GET, HEAD, POST, OPTIONS");
        ride_http_reply(r, 204, NULL, NULL, 0);
    } else if (allow[0] != '\0') {
        ride_http_set(r, "Allow", allow);
        ride_http_error(r, 405, "method_not_allowed", NULL, "%s is not for this path", r->method);
    } else {
        ride_http_error(r, 404, "not_found", NULL, "there is no %s", r->path);
    }
}

static void check_head(ride_http_request *r) {
    ride_server *s = r->server;
    char allow[64];
    const union MHD_ConnectionInfo *size =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (size != NULL && size->header_size > s->header_bytes_max) {
        ride_http_error(r, 431, "header_too_large", NULL, "a head may have %zu bytes", s->header_bytes_max);
        return;
    }
    if (!length_of(r)) return;
    bool found = serve_route_find(s, r, allow, sizeof allow);
    if (s->tokens != NULL && !(found && r->route->route->is_open)) {
        const char *authorization = r->known[SERVE_AUTHORIZATION];
        if (!ride_tokens_match(s->tokens, authorization)) {
            ride_http_set(r, "WWW-Authenticate",
                          authorization == NULL ? "Bearer realm=\"ride\""
                                                : "Bearer realm=\"ride\", error=\"invalid_token\"");
            ride_http_error(r, 401, "unauthorized", NULL, "a bearer token is needed");
            return;
        }
    }
    if (!found) refuse_route(r, allow);
    else if (r->expected_bytes != UINT64_MAX && r->expected_bytes > s->body_bytes_max)
        ride_http_error(r, 413, "body_too_large", NULL, "a body may have %zu bytes", s->body_bytes_max);
    else if (strcmp(r->method, "POST") == 0 && r->known[SERVE_CONTENT_LENGTH] == NULL &&
             r->expected_bytes != UINT64_MAX)
        ride_http_error(r, 411, "length_required", NULL, "a body and its Content-Length are needed");
}

/* A refused request's body is read to its end where that is near, and the connection goes on: a client that is still sending would miss
 * the answer. An answer before the body is the end of the connection. */
static enum MHD_Result begin_request(ride_http_request *r, const char *url, const char *method) {
    ride_server *s = r->server;
    uint64_t now = now_ns();
    r->began = true;
    r->began_ns = now;
    r->path = url;
    r->method = method;
    s->busy++;
    memset(r->known, 0, sizeof r->known);
    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, on_header, r);
    check_head(r);
    serve_phase_begin(r, SERVE_BODY, now);
    if (r->code == 0 || r->expected_bytes == 0) return MHD_YES;
    bool asks = r->known[SERVE_EXPECT] != NULL; /* its body will not come */
    bool is_near = r->expected_bytes == UINT64_MAX || r->expected_bytes <= DISCARD_FACTOR * (uint64_t)s->body_bytes_max;
    return is_near && !asks ? MHD_YES : send_answer(r);
}

static ride_http_request *connection_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

/* The client sends no more. An end that comes along with other bytes is told once, and libmicrohttpd does not look behind what it reads. */
static bool has_ended(const ride_http_request *r) {
    char next;
    return recv(r->fd, &next, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* More of the body is to come than libmicrohttpd can hold already. (Of chunks that is not known.) */
static bool is_short(const ride_http_request *r) {
    return r->expected_bytes < UINT64_MAX - 1 && r->body_bytes + r->discarded_bytes < r->expected_bytes;
}

/* Still waiting: lingers on, or is suspended. */
static void keep_waiting(ride_http_request *r) {
    ride_server *s = r->server;
    if (r->lingers && s->turn_ns - r->since_ns < LINGER_NS) return;
    if (r->lingers) s->lingering--;
    r->lingers = false;
    MHD_suspend_connection(r->connection);
}

static void begin_waiting(ride_http_request *r) {
    ride_server *s = r->server;
    serve_phase_begin(r, SERVE_WAIT, s->turn_ns);
    s->waiting++;
    if (!s->is_tls && s->lingering < LINGERING_MAX) { /* TLS may hold bytes of which no descriptor tells */
        r->lingers = true;
        s->lingering++;
    }
    keep_waiting(r);
}

/* Woken: whoever woke it replies. */
static void end_waiting(ride_http_request *r) {
    ride_server *s = r->server;
    if (r->lingers) s->lingering--;
    r->lingers = r->waits = r->is_woken = false;
    s->waiting--;
    r->woken(r->woken_context, r);
    RIDE_ASSERT(r->code != 0);
}

static enum MHD_Result on_request(void *server, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *data_bytes, void **context) {
    ride_server *s = server;
    ride_http_request *r = *context;
    (void)version;
    if (r != NULL && r->waits) {
        if (!r->is_woken) {
            keep_waiting(r);
            return MHD_YES;
        }
        s->progress = true;
        end_waiting(r);
        return send_answer(r);
    }
    s->progress = true;
    if (r == NULL) {
        r = *context = connection_of(connection);
        return r != NULL ? begin_request(r, url, method) : MHD_NO;
    }
    if (*data_bytes != 0) {
        serve_body_add(r, data, *data_bytes);
        *data_bytes = 0;
        if (is_short(r) && has_ended(r)) return MHD_NO;
        return r->discarded_bytes <= DISCARD_FACTOR * s->body_bytes_max ? MHD_YES : MHD_NO;
    }
    if (!r->handled && r->code == 0) {
        r->handled = true;
        r->route->route->handler(r->route->route->context, r);
        RIDE_ASSERT((r->code != 0) != r->waits);
    }
    if (r->code != 0) return send_answer(r);
    begin_waiting(r);
    return MHD_YES;
}

static void cut(ride_http_request *r) {
    serve_untime(r);
    (void)shutdown(r->fd, SHUT_RDWR);
}

static void end_request(ride_http_request *r) {
    if (r->ended != NULL) r->ended(r->ended_context, r);
    serve_request_reset(r);
}

static void on_completed(void *server, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode how) {
    ride_server *s = server;
    ride_http_request *r = *context;
    (void)connection;
    (void)how;
    if (r == NULL || !r->began) return;
    *context = NULL;
    s->progress = true;
    s->busy--;
    if (r->waits && !r->is_woken) { /* the client went while it lingered: it is ended by its wake */
        r->lingers = false;
        s->lingering--;
        r->is_orphan = true;
        return;
    }
    if (r->waits) end_waiting(r); /* the client went before it was answered: who woke it is told nevertheless */
    end_request(r);
    serve_phase_begin(r, SERVE_HEAD, s->turn_ns);
}

/* ---- connections ---- */
/* At the limit the connection that is idle longest makes room, when it is idle for some time: new ones wait in the backlog. */
static void make_room(ride_server *s) {
    if (s->connections < s->connections_max) return;
    uint64_t now = now_ns();
    for (ride_http_request *r = s->oldest; r != NULL && now - r->since_ns > CROWD_IDLE_MS * NS_PER_MS; r = r->next)
        if (r->phase == SERVE_HEAD) {
            cut(r);
            return;
        }
}

static void put_back(ride_http_request *r) {
    ride_server *s = r->server;
    r->next = s->unused;
    s->unused = r;
}

static void on_connection(void *server, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what) {
    ride_server *s = server;
    s->progress = true;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        ride_http_request *r = s->unused;
        *context = r;
        if (r == NULL) return; /* its first request ends it */
        s->unused = r->next;
        r->connection = connection;
        r->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        serve_phase_begin(r, SERVE_HEAD, now_ns());
        s->connections++;
    } else if (*context != NULL) {
        ride_http_request *r = *context;
        serve_untime(r);
        r->connection = NULL;
        s->connections--;
        if (!r->is_orphan) {
            serve_request_reset(r);
            put_back(r);
        }
    }
    ride_metric_set(s->connections_series, s->connections);
}

/* What libmicrohttpd answers by itself (a malformed head) is known from what it would log only. */
static void on_log(void *server, const char *format, va_list args) {
    static const char refused[] = "Error processing request (HTTP response code is %u";
    ride_server *s = server;
    if (strncmp(format, refused, sizeof refused - 1) == 0) serve_count(&s->other, va_arg(args, unsigned));
}

/* ---- the loop ---- */
/* Is there something to serve that no descriptor tells of? While requests linger libmicrohttpd always says so; then it is known that a
 * pass without progress was the last (but for a head longer than its buffer, which wait_ms comes back for). */
static bool has_more(ride_server *s) {
    MHD_UNSIGNED_LONG_LONG pending;
    if (s->lingering > 0) return s->progress;
    return MHD_get_timeout(s->daemon, &pending) == MHD_YES && pending == 0;
}

static int wait_ms(ride_server *s) {
    uint64_t now = now_ns(), until = UINT64_MAX;
    if (has_more(s)) return 0;
    if (s->lingering > 0) return 1;
    if (s->oldest != NULL) until = s->oldest->since_ns + s->idle_timeout_ns;
    if (s->quiesced && s->stop_deadline_ns < until) until = s->stop_deadline_ns;
    if (s->connections == s->connections_max && now + CROWD_IDLE_MS * NS_PER_MS < until)
        until = now + CROWD_IDLE_MS * NS_PER_MS;
    if (s->unprobed != NULL && s->unprobed->since_ns + PROBE_MS * NS_PER_MS < until)
        until = s->unprobed->since_ns + PROBE_MS * NS_PER_MS;
    if (until == UINT64_MAX) return -1;
    if (until <= now) return 0;
    uint64_t ms = (until - now) / NS_PER_MS + 1;
    return ms < 3600000 ? (int)ms : 3600000;
}

static void resume_woken(ride_server *s) {
    ride_http_request *woken = atomic_exchange(&s->woken, NULL), *ordered = NULL;
    while (woken != NULL) { /* the first woken goes first */
        ride_http_request *next = woken->woken_next;
        woken->woken_next = ordered;
        ordered = woken;
        woken = next;
    }
    for (ride_http_request *r = ordered, *next; r != NULL; r = next) {
        next = r->woken_next;
        r->is_woken = true;
        s->progress = true;
        if (r->is_orphan) {
            end_waiting(r);
            end_request(r);
            put_back(r);
        } else if (!r->lingers) {
            MHD_resume_connection(r->connection);
        }
    }
}

static void cut_late(ride_server *s) {
    uint64_t now = now_ns();
    while (s->oldest != NULL && now - s->oldest->since_ns >= s->idle_timeout_ns) cut(s->oldest);
    while (s->unprobed != NULL && now - s->unprobed->since_ns >= PROBE_MS * NS_PER_MS) {
        ride_http_request *r = s->unprobed;
        s->unprobed = r->next;
        if (r->phase == SERVE_HEAD && has_ended(r)) cut(r);
    }
}

/* Before looking at what they are for: what comes behind it wakes again. The server's thread only: they are for it. */
static void wakes_taken(ride_server *s) {
    uint64_t wakes;
    if (!atomic_exchange(&s->wake_pending, false)) return;
    ssize_t n = read(s->wake_fd, &wakes, sizeof wakes);
    (void)n;
}

/* Serves what is at hand, with the lock held. An answer that is ready is sent by the pass behind the one that took it. */
static void turn(ride_server *s, bool by_helper) {
    if (!by_helper) wakes_taken(s);
    s->turn_ns = now_ns();
    resume_woken(s);
    for (int pass = 0; pass < PASSES_MAX && (pass == 0 || has_more(s)); pass++) {
        s->progress = false;
        MHD_run(s->daemon);
    }
    cut_late(s);
    make_room(s);
    if (s->after != NULL && !by_helper) s->after(s->after_context); /* a helper looks for itself */
}

ride_served ride_serve_help(ride_server *s) {
    ride_served served = RIDE_SERVED_NOT;
    if (pthread_mutex_trylock(&s->lock) != 0) return served;
    if (!atomic_load(&s->stops)) {
        atomic_fetch_add(&s->helps, 1);
        if (!atomic_exchange(&s->helped, true)) serve_wake(s); /* to its rest: asleep it would not miss us */
        turn(s, true);
        served = has_more(s) ? RIDE_SERVED_MORE : RIDE_SERVED_ALL;
    }
    pthread_mutex_unlock(&s->lock);
    return served;
}

void ride_serve_help_end(ride_server *s) {
    if (atomic_exchange(&s->helped, false)) serve_wake(s);
}

int ride_serve_fd(const ride_server *s) { return s->daemon_fd; }

/* The server's thread while it is helped: until somebody wakes it, or the helper did not come by for some time. */
static void rest(ride_server *s) {
    struct pollfd wake = {.fd = s->wake_fd, .events = POLLIN};
    for (uint32_t seen;;) {
        wakes_taken(s); /* before looking */
        if (atomic_load(&s->stops)) atomic_store(&s->helped, false);
        if (!atomic_load(&s->helped)) return;
        seen = atomic_load(&s->helps);
        if (poll(&wake, 1, REST_MS) != 0) {
            atomic_store(&s->wake_pending, true); /* its write may have come behind the last read */
            continue;
        }
        if (atomic_load(&s->helps) == seen) atomic_store(&s->helped, false);
    }
}

/* Stopping: true when nothing is left to do. With the lock held. */
static bool is_done(ride_server *s) {
    if (!atomic_load(&s->stops)) return false;
    if (!s->quiesced) {
        MHD_socket fd = MHD_quiesce_daemon(s->daemon);
        if (fd != MHD_INVALID_SOCKET) close(fd);
        s->quiesced = true;
    }
    return s->busy == 0 || now_ns() >= s->stop_deadline_ns;
}

void *serve_loop(void *server) {
    ride_server *s = server;
    int ms = 0;
    for (bool done = false; !done;) {
        struct epoll_event events[2];
        const int count = epoll_wait(s->epoll_fd, events, 2, ms);
        for (int i = 0; i < count; i++)
            if (events[i].data.fd == s->wake_fd) atomic_store(&s->wake_pending, true); /* as in rest */
        if (atomic_load(&s->helped)) rest(s);
        pthread_mutex_lock(&s->lock);
        turn(s, false);
        ms = wait_ms(s);
        done = is_done(s);
        pthread_mutex_unlock(&s->lock);
    }
    return NULL;
}

/* ---- the daemon ---- */
static void on_panic(void *context, const char *file, unsigned line, const char *reason) {
    (void)context;
    ride_log_error("libmicrohttpd stops the process", ride_log_text("file", file), ride_log_u64("line", line),
                   ride_log_text("why", reason));
    abort();
}

ride_status serve_daemon_start(ride_server *s, int listen_fd, const char *certificate, const char *key,
                               ride_error *err) {
    bool tls = certificate != NULL;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : 0);
    if (tls && MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
        return ride_fail(err, RIDE_E_UNSUPPORTED, "this libmicrohttpd (%s) was built without TLS", MHD_get_version());
    MHD_set_panic_func(on_panic, NULL);
    const struct MHD_OptionItem of_tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {MHD_OPTION_END, 0, NULL},
    };
    s->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_log,
                                 s, /* first: it hears of the others */
                                 MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_LIMIT, s->connections_max,
                                 MHD_OPTION_CONNECTION_MEMORY_LIMIT, serve_pool_bytes(s->header_bytes_max),
                                 MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
                                 MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                                 MHD_OPTION_ARRAY, tls ? of_tls : &of_tls[3], MHD_OPTION_END);
    if (s->daemon == NULL)
        return tls ? ride_fail(err, RIDE_E_CONFIG, "TLS does not start: certificate and key are damaged, or not a pair")
                   : ride_fail(err, RIDE_E_UNAVAILABLE, "the HTTP server does not start: %s", strerror(errno));
    s->daemon_fd = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return RIDE_OK;
}

void serve_daemon_stop(ride_server *s) {
    RIDE_ASSERT(s->waiting == 0); /* a feed is closed before its server */
    if (s->daemon != NULL) MHD_stop_daemon(s->daemon);
}
