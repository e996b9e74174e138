/* A server of scores with an engine that only pretends: for tests/integration/test_http.py and the benches of serve/. Answers are made from
 * the event's own members:
 *   {"id": …}                      a record with that id, margin and probability of it
 *   {"reject": WORD, "field": F}   rejected; text that is no object: rejected as bad_json
 *   {"pad": n}                     a record that is n bytes longer
 * Commands on standard input, one a line, answered by a line: pause, go, ready, unready WHY, reverse (each batch is answered from its end), count,
 * reload. At its end (or SIGTERM): close, stop, and a line of what was counted. */
#include "base/clock.h"
#include "base/log.h"
#include "lib/json.h"
#include "serve/admin.h"
#include "serve/score.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 256, RECORD_BYTES = 1 << 20, VECTOR = 3 };

typedef struct found {
    char id[512], reject[64], field[64]; /* id: as it is written */
    double number;
    unsigned long pad;
} found;

typedef struct echo {
    ride_feed *feed;
    ride_waker waker;
    ride_json_parser *parser;
    atomic_bool stops, paused, reversed;
    _Atomic uint64_t heartbeat_ns, received, rejected, released;
    uint64_t delay_us;
    bool forever; /* until SIGTERM, not until the end of standard input */
    found *found; /* of the event in hand */
    char *record;
    char *text; /* of an event, with the padding that a parser reads */
} echo;

static ride_status assigned(void *context, ride_stream_info *streams, uint32_t count, ride_error *err) {
    (void)context;
    (void)err;
    for (uint32_t i = 0; i < count; i++) streams[i].stream = 7 + i;
    return RIDE_OK;
}
static void revoked(void *context, const uint32_t *streams, uint32_t count, bool lost) {
    (void)context;
    (void)streams;
    (void)count;
    (void)lost;
}

static bool is_key(const ride_json_member *m, const char *name) {
    return strlen(name) == m->key_bytes && memcmp(m->key, name, m->key_bytes) == 0;
}
static void on_member(void *context, const ride_json_member *m) {
    found *f = ((echo *)context)->found;
    if (m->text == NULL) return;
    if (is_key(m, "id")) {
        snprintf(f->id, sizeof f->id, "%.*s", (int)m->raw_bytes, ((echo *)context)->text + m->offset);
        f->number = strtod(m->text, NULL);
    } else if (is_key(m, "reject")) {
        snprintf(f->reject, sizeof f->reject, "%.*s", (int)m->bytes, m->text);
    } else if (is_key(m, "field")) {
        snprintf(f->field, sizeof f->field, "%.*s", (int)m->bytes, m->text);
    } else if (is_key(m, "pad") && m->type == RIDE_JSON_NUMBER) {
        f->pad = strtoul(m->text, NULL, 10) % (RECORD_BYTES / 2);
    }
}

static void answer(echo *e, const ride_message *message) {
    found f = {.id = "null"};
    e->found = &f;
    ride_answer a = {.status = RIDE_OK};
    bool is_json = message->value_bytes <= RECORD_BYTES;
    if (is_json) { /* copied, so that nothing beyond the event is read but by mistake */
        memcpy(e->text, message->value, message->value_bytes);
        memset(e->text + message->value_bytes, ' ', RIDE_JSON_PADDING);
        is_json = ride_json_object(e->parser, e->text, message->value_bytes, on_member, e) == RIDE_JSON_OK;
    }
    if (!is_json || f.reject[0] != '\0') {
        a.status = RIDE_E_DATA;
        a.reason = is_json ? f.reject : "bad_json";
        a.field = f.field[0] != '\0' ? f.field : NULL;
        atomic_fetch_add(&e->rejected, 1);
    } else {
        double margin = f.number / 64, probability = margin / (1 + margin);
        int n = snprintf(e->record, RECORD_BYTES,
                         "{\"id\":%s,\"key\":\"k\",\"event_time\":\"2026-01-01 00:00:00\",\"margin\":%.17g,"
                         "\"probability\":%.17g,\"decision\":\"%s\",\"rule\":%s,\"end\":\"scored\",\"bytes\":%u%s%*s}",
                         f.id, margin, probability, margin > 1 ? "review" : "approve", margin > 1 ? "\"much\"" : "null",
                         message->value_bytes, f.pad > 0 ? ",\"pad\":1" : "", (int)f.pad, "");
        a.text = e->record;
        a.text_bytes = (uint32_t)n;
    }
    e->feed->ops->answer(e->feed, message, &a);
}

static void work(echo *e, ride_message *messages, uint32_t count) {
    atomic_fetch_add(&e->received, count);
    if (e->delay_us > 0) usleep((useconds_t)e->delay_us);
    bool reversed = atomic_load(&e->reversed);
    for (uint32_t i = 0; i < count; i++) answer(e, &messages[reversed ? count - 1 - i : i]);
    e->feed->ops->release(e->feed, messages, count);
    atomic_fetch_add(&e->released, count);
}

static void *engine(void *context) {
    echo *e = context;
    static ride_message messages[BATCH];
    ride_error err;
    while (!atomic_load(&e->stops)) {
        uint32_t count = 0;
        atomic_store(&e->heartbeat_ns, ride_clock_now_ns(ride_clock_real()));
        if (!atomic_load(&e->paused) &&
            e->feed->ops->poll(e->feed, RIDE_STREAM_ANY, messages, BATCH, &count, &err) != RIDE_OK) {
            fprintf(stderr, "poll: %s\n", err.what);
            break;
        }
        if (count > 0) work(e, messages, count);
        else ride_waker_wait(&e->waker, 200000000);
    }
    e->feed->ops->close(e->feed);
    return NULL;
}

static int done_fds[2];
static void on_signal(int number) {
    (void)number;
    ssize_t n = write(done_fds[1], "x", 1);
    (void)n;
}

static void command(echo *e, ride_ready *ready, ride_server *server, ride_server *admin, char *line) {
    ride_error err;
    line[strcspn(line, "\n")] = '\0';
    if (strcmp(line, "pause") == 0) atomic_store(&e->paused, true);
    else if (strcmp(line, "go") == 0) atomic_store(&e->paused, false);
    else if (strcmp(line, "reverse") == 0) atomic_store(&e->reversed, !atomic_load(&e->reversed));
    else if (strcmp(line, "ready") == 0) ride_ready_set(ready, "model", true, NULL);
    else if (strncmp(line, "unready ", 8) == 0) ride_ready_set(ready, "model", false, line + 8);
    else if (strcmp(line, "reload") == 0) {
        if (ride_serve_reload(server, &err) != RIDE_OK || ride_serve_reload(admin, &err) != RIDE_OK) {
            printf("failed %s\n", err.what);
            return;
        }
    } else if (strcmp(line, "count") == 0) {
        uint64_t max;
        printf("count %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %zu\n", atomic_load(&e->received),
               atomic_load(&e->rejected), atomic_load(&e->released), ride_score_queue(e->feed, &max),
               ride_blocks_used(ride_serve_blocks(server)));
        return;
    } else {
        printf("unknown\n");
        return;
    }
    ride_waker_wake(&e->waker);
    printf("ok\n");
}

static void serve_commands(echo *e, ride_ready *ready, ride_server *server, ride_server *admin, bool forever) {
    char line[512];
    size_t used = 0;
    for (;;) {
        struct pollfd fds[2] = {{.fd = forever ? -1 : STDIN_FILENO, .events = POLLIN},
                                {.fd = done_fds[0], .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR) return;
        if (fds[1].revents != 0) return;
        if (fds[0].revents == 0) continue;
        ssize_t n = read(STDIN_FILENO, line + used, 1);
        if (n <= 0) return;
        if (line[used++] != '\n' && used < sizeof line - 1) continue;
        line[used] = '\0';
        used = 0;
        command(e, ready, server, admin, line);
        fflush(stdout);
    }
}

/* margin: the sum of the row; probability: its last number. */
static ride_status score_vectors(void *context, const double *rows, uint32_t rows_count, double *margin,
                                 double *probability, ride_error *err) {
    (void)context;
    if (rows[0] == 666) return ride_fail(err, RIDE_E_DEVICE_LOST, "the device is lost");
    for (uint32_t i = 0; i < rows_count; i++) {
        margin[i] = 0;
        for (uint32_t k = 0; k < VECTOR; k++) margin[i] += rows[i * VECTOR + k];
        probability[i] = rows[i * VECTOR + VECTOR - 1];
    }
    return RIDE_OK;
}
static const ride_infer_tensor model_inputs[] = {{"id", "INT64"}, {"amount", "FP64"}, {"card", "BYTES"}};
static const ride_infer_model model = {.name = "echo",
                                       .version = "3",
                                       .inputs = model_inputs,
                                       .inputs_count = 3,
                                       .event_id = "id",
                                       .vector_count = VECTOR,
                                       .score_vectors = score_vectors};

static void check(ride_status st, const ride_error *err) {
    char text[512];
    if (st == RIDE_OK) return;
    fprintf(stderr, "%s\n", ride_error_text(err, text, sizeof text));
    exit(ride_status_exit_code(st));
}

enum {
    O_LISTEN = 1,
    O_ADMIN,
    O_TOKEN,
    O_CERT,
    O_KEY,
    O_QUEUE,
    O_EVENTS,
    O_MEMORY,
    O_BODY,
    O_HEADER,
    O_CONNECTIONS,
    O_IDLE,
    O_DELAY,
    O_FOREVER,
};
static const struct option long_options[] = {{"listen", 1, NULL, O_LISTEN},
                                             {"admin", 1, NULL, O_ADMIN},
                                             {"token", 1, NULL, O_TOKEN},
                                             {"certificate", 1, NULL, O_CERT},
                                             {"key", 1, NULL, O_KEY},
                                             {"queue", 1, NULL, O_QUEUE},
                                             {"events", 1, NULL, O_EVENTS},
                                             {"memory", 1, NULL, O_MEMORY},
                                             {"body", 1, NULL, O_BODY},
                                             {"header", 1, NULL, O_HEADER},
                                             {"connections", 1, NULL, O_CONNECTIONS},
                                             {"idle-ms", 1, NULL, O_IDLE},
                                             {"delay-us", 1, NULL, O_DELAY},
                                             {"forever", 0, NULL, O_FOREVER},
                                             {0}};

static void read_options(int argc, char **argv, ride_serve_options *serve, ride_serve_options *admin,
                         ride_score_options *score, echo *e) {
    for (int o; (o = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        unsigned long long number = optarg != NULL ? strtoull(optarg, NULL, 10) : 0;
        switch (o) {
        case O_LISTEN: serve->listen = optarg; break;
        case O_ADMIN: admin->listen = optarg; break;
        case O_TOKEN: serve->token_path = admin->token_path = optarg; break;
        case O_CERT: serve->certificate_path = optarg; break;
        case O_KEY: serve->key_path = optarg; break;
        case O_QUEUE: score->queue_events_max = (uint32_t)number; break;
        case O_EVENTS: score->request_events_max = (uint32_t)number; break;
        case O_MEMORY: serve->memory_bytes_max = number; break;
        case O_BODY: serve->body_bytes_max = number; break;
        case O_HEADER: serve->header_bytes_max = number; break;
        case O_CONNECTIONS: serve->connections_max = (uint32_t)number; break;
        case O_IDLE: serve->idle_timeout_ns = number * 1000000; break;
        case O_FOREVER: e->forever = true; break;
        case O_DELAY: e->delay_us = number; break;
        default: exit(64);
        }
    }
}

int main(int argc, char **argv) {
    static echo e;
    ride_error err;
    ride_metrics *metrics = NULL;
    ride_ready *ready = NULL;
    ride_server *server = NULL, *admin_server = NULL;
    static ride_admin admin;
    ride_serve_options serve = {.name = "http", .listen = "127.0.0.1:0"},
                       of_admin = {.name = "admin", .listen = "127.0.0.1:0"};
    ride_score_options score = {.source = "tx", .events = {.context = &e, .assigned = assigned, .revoked = revoked}};
    read_options(argc, argv, &serve, &of_admin, &score, &e);
    e.record = malloc(RECORD_BYTES);
    e.text = malloc(RECORD_BYTES + RIDE_JSON_PADDING);
    if (e.record == NULL || e.text == NULL || pipe2(done_fds, O_CLOEXEC) != 0) return 71;
    signal(SIGTERM, on_signal);
    signal(SIGPIPE, SIG_IGN);
    check(ride_json_parser_create(RECORD_BYTES, &e.parser, &err), &err);
    check(ride_metrics_create(&metrics, &err), &err);
    check(ride_ready_create(metrics, &ready, &err), &err);
    check(ride_ready_add(ready, "model", true, "not loaded yet", &err), &err);
    check(ride_ready_add(ready, "kafka", false, "no broker", &err), &err);
    check(ride_waker_open(&e.waker, &err), &err);
    serve.metrics = of_admin.metrics = metrics;
    check(ride_serve_start(&serve, &server, &err), &err);
    check(ride_serve_start(&of_admin, &admin_server, &err), &err);
    score.ready = ready;
    score.model = &model;
    check(ride_score_feed_open(server, &score, &e.waker, &e.feed, &err), &err);
    const ride_admin_options admin_options = {.ready = ready,
                                              .metrics = metrics,
                                              .heartbeat_ns = &e.heartbeat_ns,
                                              .heartbeat_ns_max = UINT64_C(2000000000)};
    check(ride_admin_open(&admin, &admin_options, admin_server, &err), &err);
    ride_ready_set(ready, "model", true, NULL);
    pthread_t thread;
    if (pthread_create(&thread, NULL, engine, &e) != 0) return 71;
    printf("listens %u %u\n", ride_serve_port(server), ride_serve_port(admin_server));
    fflush(stdout);
    serve_commands(&e, ready, server, admin_server, e.forever);
    atomic_store(&e.stops, true);
    ride_waker_wake(&e.waker);
    pthread_join(thread, NULL);
    ride_serve_stop(server, 2000000000);
    ride_serve_stop(admin_server, 2000000000);
    printf("stopped received %" PRIu64 " rejected %" PRIu64 " released %" PRIu64 "\n", e.received, e.rejected,
           e.released);
    ride_ready_destroy(ready);
    ride_metrics_destroy(metrics);
    ride_waker_close(&e.waker);
    ride_json_parser_destroy(e.parser);
    free(e.record);
    free(e.text);
    return 0;
}
