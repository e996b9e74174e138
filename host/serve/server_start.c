/* serve/server_start.c: what a server needs, made and given back; and the ways into its thread. */
#include "serve/server_internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FILES_SPARE = 64, PEM_BYTES_MAX = 256 * 1024 };
enum { ORPHANS_MAX = 256 }; /* more of them, and new connections are closed at their first request */

void ride_serve_call(ride_server *s, void (*function)(void *context), void *context) {
    pthread_mutex_lock(&s->lock);
    function(context);
    pthread_mutex_unlock(&s->lock);
}

void ride_serve_after(ride_server *s, void (*function)(void *context), void *context) {
    pthread_mutex_lock(&s->lock);
    s->after = function;
    s->after_context = context;
    pthread_mutex_unlock(&s->lock);
}

uint32_t ride_serve_port(const ride_server *s) { return s->port; }
const char *ride_serve_address(const ride_server *s) { return s->address; }
ride_blocks *ride_serve_blocks(ride_server *s) { return s->blocks; }
ride_metrics *ride_serve_metrics(ride_server *s) { return s->metrics; }
size_t ride_serve_body_bytes_max(const ride_server *s) { return s->body_bytes_max; }

void ride_serve_own(ride_server *s, void (*destroy_it)(void *object), void *object) {
    RIDE_ASSERT(s->owned_count < RIDE_HTTP_TABLES_MAX);
    s->owned[s->owned_count].destroy = destroy_it;
    s->owned[s->owned_count++].object = object;
}

ride_status ride_serve_reload(ride_server *s, ride_error *err) {
    return s->tokens != NULL ? ride_tokens_reload(s->tokens, err) : RIDE_OK;
}

static ride_status check_files(ride_server *s, ride_error *err) {
    struct rlimit files;
    rlim_t needs = (rlim_t)s->connections_max + FILES_SPARE;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= needs) return RIDE_OK;
    struct rlimit more = {.rlim_cur = needs, .rlim_max = files.rlim_max};
    if (files.rlim_max >= needs && setrlimit(RLIMIT_NOFILE, &more) == 0) return RIDE_OK;
    ride_fail(err, RIDE_E_CONFIG, "%u connections need %llu open files, %llu are allowed", s->connections_max,
              (unsigned long long)needs, (unsigned long long)files.rlim_max);
    ride_error_advice(err, "lower connections_max, or raise LimitNOFILE");
    return RIDE_E_CONFIG;
}

/* *text is freed with free_pem. */
static ride_status read_pem(const char *path, char **text, ride_error *err) {
    FILE *file = fopen(path, "re");
    int saved = errno;
    size_t bytes = 0;
    *text = calloc(1, PEM_BYTES_MAX);
    if (file != NULL && *text != NULL) bytes = fread(*text, 1, PEM_BYTES_MAX - 1, file);
    bool good = bytes > 0 && bytes < PEM_BYTES_MAX - 1 && strstr(*text, "-----BEGIN") != NULL;
    if (!good) {
        ride_fail(err, RIDE_E_CONFIG, "%s", file == NULL ? strerror(saved) : "this is no PEM file");
        ride_error_where(err, "%s", path);
    }
    if (file != NULL) fclose(file);
    return good ? RIDE_OK : RIDE_E_CONFIG;
}
static void free_pem(char *text) {
    if (text != NULL) explicit_bzero(text, PEM_BYTES_MAX);
    free(text);
}

static ride_status start_daemon(ride_server *s, const ride_serve_options *o, int listen_fd, ride_error *err) {
    char *certificate = NULL, *key = NULL;
    ride_status st = RIDE_OK;
    if ((o->certificate_path != NULL) != (o->key_path != NULL))
        st = ride_fail(err, RIDE_E_CONFIG, "TLS needs both a certificate and a key");
    if (st == RIDE_OK && o->certificate_path != NULL) st = read_pem(o->certificate_path, &certificate, err);
    if (st == RIDE_OK && o->key_path != NULL) st = read_pem(o->key_path, &key, err);
    if (st == RIDE_OK) {
        st = serve_daemon_start(s, listen_fd, certificate, key, err);
        if (st != RIDE_OK && certificate != NULL) ride_error_where(err, "%s", o->certificate_path);
    }
    free_pem(certificate);
    free_pem(key);
    return st;
}

static ride_status open_loop(ride_server *s, ride_error *err) {
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event of_daemon = {.events = EPOLLIN, .data.fd = s->daemon_fd};
    struct epoll_event of_wake = {.events = EPOLLIN, .data.fd = s->wake_fd};
    if (s->epoll_fd < 0 || s->wake_fd < 0 || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->daemon_fd, &of_daemon) != 0 ||
        epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->wake_fd, &of_wake) != 0)
        return ride_fail(err, RIDE_E_IO, "no event descriptors: %s", strerror(errno));
    return RIDE_OK;
}

static void destroy(ride_server *s) {
    serve_daemon_stop(s);
    if (s->epoll_fd >= 0) close(s->epoll_fd);
    if (s->wake_fd >= 0) close(s->wake_fd);
    pthread_mutex_destroy(&s->routes_lock);
    pthread_mutex_destroy(&s->lock);
    while (s->owned_count > 0) {
        s->owned_count--;
        s->owned[s->owned_count].destroy(s->owned[s->owned_count].object);
    }
    size_t used = s->blocks != NULL ? ride_blocks_used(s->blocks) : 0;
    if (used != 0) ride_log_error("memory of requests was not given back", ride_log_u64("bytes", used));
    serve_routes_free(s);
    ride_tokens_close(s->tokens);
    ride_blocks_destroy(s->blocks);
    free(s->requests);
    free(s);
}

static size_t header_bytes(const ride_serve_options *o) {
    return o->header_bytes_max != 0 ? o->header_bytes_max : 16 * 1024;
}
static uint32_t connections(const ride_serve_options *o) { return o->connections_max != 0 ? o->connections_max : 1024; }
static size_t memory_bytes(const ride_serve_options *o) {
    return o->memory_bytes_max != 0 ? o->memory_bytes_max : (size_t)64 << 20;
}

size_t ride_serve_memory_max(const ride_serve_options *o) {
    return memory_bytes(o) + (connections(o) + ORPHANS_MAX) * sizeof(ride_http_request) +
           connections(o) * serve_pool_bytes(header_bytes(o));
}

static ride_status start(ride_server *s, const ride_serve_options *o, ride_error *err) {
    int listen_fd = -1;
    s->is_tls = o->certificate_path != NULL;
    RIDE_TRY(check_files(s, err));
    RIDE_TRY(ride_blocks_create(memory_bytes(o), &s->blocks, err));
    if (o->token_path != NULL) RIDE_TRY(ride_tokens_open(o->token_path, &s->tokens, err));
    uint32_t requests = s->connections_max + ORPHANS_MAX;
    s->requests = calloc(requests, sizeof *s->requests);
    if (s->requests == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for %u connections", s->connections_max);
    for (uint32_t i = requests; i-- > 0;) {
        s->requests[i].server = s;
        s->requests[i].next = s->unused;
        s->unused = &s->requests[i];
    }
    char labels[64] = "";
    ride_metrics_label(labels, sizeof labels, "listener", s->name);
    s->connections_series = ride_metrics_series(s->metrics, RIDE_METRIC_HTTP_CONNECTIONS, labels);
    serve_route_series(s, &s->other, "other");
    RIDE_TRY(serve_listen(o->listen, &listen_fd, s->address, sizeof s->address, &s->port, err));
    ride_status st = start_daemon(s, o, listen_fd, err);
    if (st != RIDE_OK) {
        close(listen_fd);
        return st;
    }
    RIDE_TRY(open_loop(s, err));
    sigset_t all, before;
    sigfillset(&all); /* signals are for the program's own threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&s->thread, NULL, serve_loop, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) return ride_fail(err, RIDE_E_UNAVAILABLE, "no thread for HTTP: %s", strerror(failed));
    char name[16];
    snprintf(name, sizeof name, "ride-%.10s", s->name);
    pthread_setname_np(s->thread, name);
    return RIDE_OK;
}

ride_status ride_serve_start(const ride_serve_options *o, ride_server **out, ride_error *err) {
    ride_server *s = calloc(1, sizeof *s);
    if (s == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a server");
    snprintf(s->name, sizeof s->name, "%s", o->name);
    s->header_bytes_max = header_bytes(o);
    s->body_bytes_max = o->body_bytes_max != 0 ? o->body_bytes_max : (size_t)1 << 20;
    s->connections_max = connections(o);
    s->idle_timeout_ns = o->idle_timeout_ns != 0 ? o->idle_timeout_ns : UINT64_C(30000000000);
    s->metrics = o->metrics;
    s->epoll_fd = s->wake_fd = -1;
    pthread_mutex_init(&s->routes_lock, NULL);
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&s->lock, &recursive);
    pthread_mutexattr_destroy(&recursive);
    ride_status st = start(s, o, err);
    if (st != RIDE_OK) {
        destroy(s);
        return st;
    }
    *out = s;
    return RIDE_OK;
}

void ride_serve_stop(ride_server *s, uint64_t grace_ns) {
    if (s == NULL) return;
    s->stop_deadline_ns = ride_clock_now_ns(ride_clock_real()) + grace_ns;
    atomic_store(&s->stops, true);
    serve_wake(s);
    pthread_join(s->thread, NULL);
    destroy(s);
}
