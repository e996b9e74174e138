/* The HTTP feed under threads: clients that score in all forms, go away in the middle and come again, an engine that answers in its own order, readiness
 * that flips, metrics that are rendered, and at the end a close with requests in the queue. Every request that is sent whole has an answer; all memory
 * comes back. Run under TSan too. */
#include "base/clock.h"
#include "base/log.h"
#include "serve/admin.h"
#include "serve/score.h"
#include "tests/support/check_exit.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { REQUESTS = 400 };
#else
enum { REQUESTS = 3000 };
#endif
enum { CLIENTS = 5, BATCH = 64 };

static ride_server *server, *admin_server;
static ride_feed *feed;
static ride_waker waker;
static ride_ready *ready;
static ride_metrics *metrics;
static atomic_bool engine_stops, helpers_stop;
static _Atomic uint64_t heartbeat, scored;

static ride_status assigned(void *context, ride_stream_info *streams, uint32_t count, ride_error *err) {
    (void)context;
    (void)err;
    CHECK(count == 1 && !streams[0].is_log && strcmp(streams[0].source, "tx") == 0);
    streams[0].stream = 3;
    return RIDE_OK;
}

/* Holds up to two batches, answers the older one from its end. */
static void *engine(void *unused) {
    static ride_message held[2][BATCH];
    uint32_t counts[2] = {0}, turn = 0;
    ride_error err;
    (void)unused;
    while (!atomic_load(&engine_stops)) {
        uint32_t now = turn++ & 1;
        atomic_store(&heartbeat, ride_clock_now_ns(ride_clock_real()));
        for (uint32_t i = counts[now]; i-- > 0;) {
            const ride_message *m = &held[now][i];
            char text[64];
            int n = snprintf(text, sizeof text, "{\"bytes\":%u,\"first\":%d}", m->value_bytes, m->value[0]);
            const ride_answer good = {.status = RIDE_OK, .text = text, .text_bytes = (uint32_t)n};
            const ride_answer bad = {.status = RIDE_E_DATA, .reason = "bad_json"};
            feed->ops->answer(feed, m, m->value[0] == '{' ? &good : &bad);
        }
        feed->ops->release(feed, held[now], counts[now]);
        atomic_fetch_add(&scored, counts[now]);
        CHECK(feed->ops->poll(feed, turn % 3 == 0 ? 3 : RIDE_STREAM_ANY, held[now], BATCH, &counts[now], &err) ==
              RIDE_OK);
        if (counts[0] + counts[1] == 0) ride_waker_wait(&waker, 50000000);
    }
    const ride_answer away = {.status = RIDE_E_UNAVAILABLE};
    for (int b = 0; b < 2; b++) {
        for (uint32_t i = 0; i < counts[b]; i++) feed->ops->answer(feed, &held[b][i], &away);
        feed->ops->release(feed, held[b], counts[b]);
    }
    feed->ops->close(feed);
    return NULL;
}

static void *flip(void *unused) {
    (void)unused;
    for (uint32_t i = 0; !atomic_load(&helpers_stop); i++) {
        char *text;
        size_t bytes;
        uint64_t max;
        usleep(2000);
        ride_ready_set(ready, "model", i % 8 != 0, "flips");
        CHECK(ride_metrics_render(metrics, &text, &bytes, NULL) == RIDE_OK && bytes > 0);
        free(text);
        CHECK(ride_score_queue(feed, &max) <= max);
        CHECK(ride_serve_reload(server, NULL) == RIDE_OK);
    }
    return NULL;
}

static int dial(uint32_t port) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval most = {.tv_sec = 60};
    CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most) == 0);
    CHECK(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

/* The code of the next answer; 0: the connection ended. */
static int read_answer(int fd) {
    static _Thread_local char text[1 << 16];
    size_t used = 0, needs = sizeof text;
    while (used < needs) {
        ssize_t n = recv(fd, text + used, needs - used < sizeof text ? needs - used : sizeof text - 1 - used, 0);
        if (n <= 0) return 0;
        used += (size_t)n;
        text[used] = '\0';
        char *end = strstr(text, "\r\n\r\n");
        if (end == NULL || needs != sizeof text) continue;
        const char *length = strstr(text, "Content-Length: ");
        CHECK(length != NULL);
        needs = (size_t)(end + 4 - text) + strtoull(length + 16, NULL, 10);
        CHECK(needs < sizeof text);
    }
    return atoi(text + 9);
}

static size_t make_request(uint32_t i, char *to, size_t room) {
    static const char *const paths[] = {"/v1/score", "/v1/score", "/v1/events", "/v1/score"};
    static const char *const types[] = {"application/json", "application/x-ndjson", "application/json",
                                        "application/json"};
    char body[8192] = "", key[64] = "";
    uint32_t kind = i % 4, events = kind == 0 ? 1 : i % 40 + 1;
    size_t n = 0;
    if (kind >= 2) body[n++] = '[';
    for (uint32_t e = 0; e < events; e++)
        n += (size_t)snprintf(body + n, sizeof body - n, "%s{\"id\":%u,\"x\":\"%0*d\"}",
                              e == 0      ? ""
                              : kind == 1 ? "\n"
                                          : ",",
                              i, (int)(i % 100), 0);
    if (kind >= 2) n += (size_t)snprintf(body + n, sizeof body - n, "]");
    if (i % 7 == 0) snprintf(key, sizeof key, "Idempotency-Key: %u\r\n", i % 70);
    return (size_t)snprintf(to, room,
                            "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\n%sContent-Length: %zu\r\n\r\n%s",
                            paths[kind], types[kind], key, n, body);
}

static void *client(void *argument) {
    uint32_t self = (uint32_t)(uintptr_t)argument, met[600] = {0};
    char text[10000];
    int fd = dial(ride_serve_port(server));
    for (uint32_t i = 0; i < REQUESTS; i++) {
        size_t bytes = make_request(i * CLIENTS + self, text, sizeof text);
        bool leaves = i % 23 == self;
        if (leaves) bytes -= i % 2 == 0 ? 0 : 5;
        CHECK(send(fd, text, bytes, MSG_NOSIGNAL) == (ssize_t)bytes);
        if (!leaves) {
            int code = read_answer(fd);
            CHECK(code == 200 || code == 202 || code == 429 || code == 503 || code == 409 || code == 422);
            met[code]++;
            continue;
        }
        close(fd);
        fd = dial(ride_serve_port(server));
    }
    close(fd);
    CHECK(met[200] > REQUESTS / 10 && met[202] > 0);
    return NULL;
}

static void open_all(void) {
    static ride_admin admin;
    const ride_serve_options http = {.name = "data", .listen = "127.0.0.1:0", .metrics = metrics};
    const ride_serve_options of_admin = {.name = "admin", .listen = "127.0.0.1:0", .metrics = metrics};
    const ride_score_options score = {.source = "tx",
                                      .queue_events_max = 1000,
                                      .ready = ready,
                                      .events = {.assigned = assigned}};
    const ride_admin_options options = {.ready = ready, .metrics = metrics, .heartbeat_ns = &heartbeat};
    CHECK(ride_waker_open(&waker, NULL) == RIDE_OK);
    CHECK(ride_serve_start(&http, &server, NULL) == RIDE_OK &&
          ride_serve_start(&of_admin, &admin_server, NULL) == RIDE_OK);
    CHECK(ride_score_feed_open(server, &score, &waker, &feed, NULL) == RIDE_OK);
    CHECK(ride_admin_open(&admin, &options, admin_server, NULL) == RIDE_OK);
}

int main(void) {
    pthread_t engine_thread, flip_thread, clients[CLIENTS];
    CHECK(ride_metrics_create(&metrics, NULL) == RIDE_OK && ride_ready_create(metrics, &ready, NULL) == RIDE_OK);
    CHECK(ride_ready_add(ready, "model", true, "not yet", NULL) == RIDE_OK);
    open_all();
    CHECK(pthread_create(&engine_thread, NULL, engine, NULL) == 0 &&
          pthread_create(&flip_thread, NULL, flip, NULL) == 0);
    for (uintptr_t i = 0; i < CLIENTS; i++) CHECK(pthread_create(&clients[i], NULL, client, (void *)i) == 0);
    for (int i = 0; i < CLIENTS; i++) pthread_join(clients[i], NULL);
    atomic_store(&helpers_stop, true);
    pthread_join(flip_thread, NULL);
    CHECK(ride_ready_set(ready, "model", true, NULL) || ride_ready_all(ready));
    /* what waits at the end is answered too */
    atomic_store(&engine_stops, true);
    int waiting[8];
    for (int i = 0; i < 8; i++) {
        char text[10000];
        size_t bytes = make_request((uint32_t)i * 4 + 3, text, sizeof text);
        waiting[i] = dial(ride_serve_port(server));
        CHECK(send(waiting[i], text, bytes, MSG_NOSIGNAL) == (ssize_t)bytes);
    }
    ride_waker_wake(&waker);
    pthread_join(engine_thread, NULL);
    for (int i = 0; i < 8; i++) {
        int code = read_answer(waiting[i]);
        CHECK(code == 200 || code == 503 || code == 409 || code == 422); /* keys were used before */
        close(waiting[i]);
    }
    ride_serve_stop(server, UINT64_C(5000000000));
    ride_serve_stop(admin_server, 0);
    CHECK(atomic_load(&scored) > 0);
    ride_waker_close(&waker);
    ride_ready_destroy(ready);
    ride_metrics_destroy(metrics);
    puts("ok");
    return 0;
}
