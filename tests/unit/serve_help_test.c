/* Who serves requests: the server's thread, or one that helps it (ride_serve_help), over real connections. */
#include "base/clock.h"
#include "base/waker.h"
#include "serve/score.h"
#include "serve/server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 }; /* what comes at all comes much earlier */

static ride_server *server;
static pthread_t handled_by; /* written before the answer goes out */
static ride_http_request *_Atomic waiting;
static int client = -1;

static void on_ping(void *context, ride_http_request *request) {
    (void)context;
    handled_by = pthread_self();
    ride_http_reply(request, 200, "text/plain", "pong", 4);
}
static void on_woken(void *context, ride_http_request *request) {
    (void)context;
    ride_http_reply(request, 200, "text/plain", "late", 4);
}
static void on_slow(void *context, ride_http_request *request) {
    (void)context;
    ride_http_wait(request, on_woken, NULL);
    atomic_store(&waiting, request);
}
static const ride_http_route routes[] = {{"GET", "/ping", "ping", on_ping, NULL, true},
                                         {"GET", "/slow", "slow", on_slow, NULL, true}};

static void dial(void) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)ride_serve_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(client >= 0 && connect(client, (struct sockaddr *)&to, sizeof to) == 0);
}

static void start(void) {
    ride_error err;
    cr_assert_eq(ride_serve_start(&(ride_serve_options){.name = "http", .listen = "127.0.0.1:0"}, &server, &err),
                 RIDE_OK, "%s", err.what);
    cr_assert_eq(ride_serve_routes(server, routes, 2, &err), RIDE_OK);
    dial();
}

static void stop(void) {
    close(client);
    ride_serve_stop(server, UINT64_C(1000000000));
}

static void ask(const char *text) {
    cr_assert_eq(send(client, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}
static void get(const char *path) {
    char text[128];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    ask(text);
}

/* Is there (more of) an answer within ms? */
static bool is_answered(int ms) {
    struct pollfd ready = {.fd = client, .events = POLLIN};
    return poll(&ready, 1, ms) == 1;
}

/* The next answer, read to its end; it must end with `end`. */
static void read_answer(const char *end) {
    char text[4096];
    size_t used = 0, bytes = strlen(end);
    while (used < bytes || memcmp(text + used - bytes, end, bytes) != 0) {
        cr_assert(is_answered(PATIENCE_MS), "no answer");
        ssize_t n = recv(client, text + used, sizeof text - used, 0);
        cr_assert(n > 0 && (used += (size_t)n) < sizeof text);
    }
    cr_assert(memcmp(text, "HTTP/1.1 200 ", 13) == 0);
}

Test(serve_help, requests_are_served_by_the_thread_that_comes_by, .init = start, .fini = stop) {
    uint32_t ours = 0;
    for (int i = 0; i < 200; i++) {
        get("/ping");
        while (!is_answered(0)) ride_serve_help(server);
        read_answer("pong");
        ours += pthread_equal(handled_by, pthread_self()) != 0;
    }
    cr_assert_gt(ours, 0);
}

Test(serve_help, a_helper_that_stays_away_is_not_waited_for, .init = start, .fini = stop) {
    for (int i = 0; i < 20; i++) {
        while (ride_serve_help(server) == RIDE_SERVED_NOT) continue;
        get("/ping"); /* and we do not come by any more */
        read_answer("pong");
        cr_assert_not(pthread_equal(handled_by, pthread_self()));
    }
}

Test(serve_help, the_server_s_thread_goes_on_when_the_help_ends, .init = start, .fini = stop) {
    for (int i = 0; i < 200; i++) {
        ride_serve_help(server);
        ride_serve_help_end(server);
        get("/ping");
        read_answer("pong");
        cr_assert_not(pthread_equal(handled_by, pthread_self()));
    }
}

Test(serve_help, an_answer_woken_by_a_helper_that_stays_away_goes_out, .init = start, .fini = stop) {
    for (int i = 0; i < 50; i++) {
        get("/slow");
        while (atomic_load(&waiting) == NULL) ride_serve_help(server);
        ride_http_wake(atomic_exchange(&waiting, NULL));
        if (i % 2 == 0) ride_serve_help_end(server);
        read_answer("late");
    }
}

Test(serve_help, its_descriptor_tells_of_requests, .init = start, .fini = stop) {
    struct pollfd ready = {.fd = ride_serve_fd(server), .events = POLLIN};
    for (int i = 0; i < 50; i++) {
        get("/ping");
        while (!is_answered(0)) {
            if (ride_serve_help(server) != RIDE_SERVED_ALL || is_answered(0)) continue;
            cr_assert(poll(&ready, 1, 100) >= 0); /* the server's thread may be faster */
        }
        read_answer("pong");
    }
}

/* ---- the feed of scores, with an engine that answers at once ---- */
static ride_status assigned(void *context, ride_stream_info *streams, uint32_t count, ride_error *err) {
    (void)context;
    (void)err;
    for (uint32_t i = 0; i < count; i++) streams[i].stream = 7;
    return RIDE_OK;
}

Test(serve_help, no_request_is_slept_through, .init = start, .fini = stop) {
    static const char request[] = "POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
    const ride_answer answer = {.status = RIDE_OK, .text = "{\"good\":1}", .text_bytes = 10};
    const uint64_t patience_ns = UINT64_C(1000000) * PATIENCE_MS;
    ride_score_options options = {.source = "tx", .events = {.assigned = assigned}};
    ride_message messages[8];
    ride_waker waker;
    ride_feed *feed;
    ride_error err;
    cr_assert_eq(ride_waker_open(&waker, &err), RIDE_OK);
    cr_assert_eq(ride_score_feed_open(server, &options, &waker, &feed, &err), RIDE_OK);
    uint32_t count, watched = 0;
    cr_assert_eq(feed->ops->poll(feed, RIDE_STREAM_ANY, messages, 8, &count, &err), RIDE_OK);
    for (int i = 0; i < 300; i++) {
        if (i % 50 == 0) usleep(60000); /* the help ends in a pause */
        ask(request);
        for (bool answered = false; !answered || !is_answered(0);) {
            cr_assert_eq(feed->ops->poll(feed, RIDE_STREAM_ANY, messages, 8, &count, &err), RIDE_OK);
            for (uint32_t m = 0; m < count; m++) feed->ops->answer(feed, &messages[m], &answer);
            if (count > 0) feed->ops->release(feed, messages, count);
            answered = answered || count > 0;
            if (count > 0) continue; /* the next poll, or the server's thread, sends it */
            watched += waker.watch >= 0;
            if (!answered) cr_assert(ride_waker_wait(&waker, patience_ns), "request %d was slept through", i);
        }
        read_answer("{\"good\":1}");
    }
    cr_assert_gt(watched, 0);
    feed->ops->close(feed);
    cr_assert_eq(waker.watch, -1);
    ride_waker_close(&waker);
}

Test(serve_help, who_has_its_answer_finds_the_room_that_it_had, .init = start, .fini = stop) {
    static const char request[] = "POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n[{},{},{}]";
    const ride_answer answer = {.status = RIDE_OK, .text = "1", .text_bytes = 1};
    const uint64_t patience_ns = UINT64_C(1000000) * PATIENCE_MS;
    ride_score_options options = {.source = "tx", .queue_events_max = 3, .events = {.assigned = assigned}};
    ride_message messages[8];
    ride_waker waker;
    ride_feed *feed;
    ride_error err;
    uint32_t count;
    uint64_t max;
    cr_assert_eq(ride_waker_open(&waker, &err), RIDE_OK);
    cr_assert_eq(ride_score_feed_open(server, &options, &waker, &feed, &err), RIDE_OK);
    cr_assert_eq(feed->ops->poll(feed, RIDE_STREAM_ANY, messages, 8, &count, &err), RIDE_OK);
    for (int i = 0; i < 20; i++) {
        ask(request);
        for (count = 0; count == 0;) {
            cr_assert_eq(feed->ops->poll(feed, RIDE_STREAM_ANY, messages, 8, &count, &err), RIDE_OK);
            if (count == 0) cr_assert(ride_waker_wait(&waker, patience_ns));
        }
        cr_assert_eq(count, 3);
        for (uint32_t m = 0; m < count; m++) { /* one by one, as the engine does */
            feed->ops->answer(feed, &messages[m], &answer);
            feed->ops->release(feed, &messages[m], 1);
        }
        cr_assert_eq(ride_score_queue(feed, &max), 0);
        read_answer("[1,1,1]");
    }
    feed->ops->close(feed);
    ride_waker_close(&waker);
}

Test(waker, what_is_watched_ends_one_wait) {
    ride_waker waker;
    int ends[2];
    cr_assert_eq(ride_waker_open(&waker, NULL), RIDE_OK);
    cr_assert_eq(pipe(ends), 0);
    waker.watch = ends[0];
    cr_assert_not(ride_waker_wait(&waker, 1000000));
    cr_assert_eq(write(ends[1], "x", 1), 1);
    cr_assert_not(ride_waker_wait(&waker, 1000000)); /* forgotten by the wait before */
    waker.watch = ends[0];
    cr_assert(ride_waker_wait(&waker, UINT64_C(10000000000)));
    ride_waker_wake(&waker); /* both: the wake is taken */
    waker.watch = ends[0];
    cr_assert(ride_waker_wait(&waker, UINT64_C(10000000000)));
    cr_assert_not(ride_waker_wait(&waker, 1000000));
    close(ends[0]);
    close(ends[1]);
    ride_waker_close(&waker);
}
