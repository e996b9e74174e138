/* A whole service under threads, for ThreadSanitizer: two shards, reloads by signal, partitions that are revoked, lost and given back by a
 * script, HTTP scores, questions about the state and /metrics beside it, over a log in memory; again and again for RIDE_SERVICE_STRESS_SECONDS
 * (default 4), in turn with one clock and HTTP, and with a clock for each partition, which may be another member's for a while. Each time all
 * is worked and stored.
 *
 * Under TSan the program first runs itself with the word `planted`: a thread reads what is the engine's alone, and that must be reported.
 * ride-test: timeout=900 */
#include "base/log.h"
#include "engine/state_desk.h"
#include "engine/state_http.h"
#include "serve/admin.h"
#include "serve/score.h"
#include "tests/support/check_exit.h"
#include "tests/support/steady_service.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
enum { TSAN = 1 };
#else
enum { TSAN = 0 };
#endif
enum { EVENTS = 8000, MOVE_EVENTS = 600, POLLS_AT_END = 20, TSAN_EXIT = 66 };

/* One life of a service, wired as service_config.c does. */
typedef struct life {
    steady_service service;
    ride_ready *ready;
    ride_server *http, *admin; /* http NULL: no scores */
    ride_admin endpoints;
    state_http state;
    state_desk *desk;
    ride_score_options score;
    _Atomic uint64_t heartbeat_ns;
    volatile sig_atomic_t reload;
    uint64_t moved_at, moves; /* of the script */
    pthread_t engine;
    atomic_bool over; /* its clients end */
    bool good;
} life;

static life *now; /* the only one; the signal handler's */
static _Atomic uint64_t pages, states, scores, turned_away, reloads;
static volatile uint64_t planted_sum;

/* ---- the engine's thread ---- */

static ride_status open_http(void *context, const ride_feed_events *events, ride_waker *waker, ride_feed **out,
                             ride_error *err) {
    life *l = context;
    const ride_serve_options serve = {.name = "http", .listen = "127.0.0.1:0", .metrics = l->service.metrics};
    RIDE_TRY(ride_serve_start(&serve, &l->http, err));
    l->score = (ride_score_options){.source = "tx", .queue_events_max = 200, .ready = l->ready, .events = *events};
    return ride_score_feed_open(l->http, &l->score, waker, out, err);
}

static void on_ready(void *context, const char *part, bool ready, const char *why) {
    life *l = context;
    ride_ready_set(l->ready, part, ready, why);
}

static void on_hangup(int number) {
    (void)number;
    now->reload = 1;
    ride_waker_wake(&now->service.waker);
}

static void on_reload(void *context, ride_service_tuning *tuning) {
    life *l = context;
    static const uint32_t rows[] = {512, 1, 64, 300};
    const uint64_t turn = atomic_fetch_add(&reloads, 1);
    tuning->batch_rows_max = rows[turn % 4];
    tuning->batch_delay_ns = turn % 3 == 0 ? 200000 : 0;
    CHECK(l->http == NULL || ride_serve_reload(l->http, NULL) == RIDE_OK);
}

/* All partitions go and come back, some of them to another member and back, some in order and some lost. */
static void script(fake_log *log) {
    life *l = now;
    static const uint32_t others[] = {0, 3, 0, 12, 4, 0};
    const uint64_t received = l->service.summary.received;
    const bool waits = log->others != 0 && log->polls_at_end > POLLS_AT_END;
    if (received < l->moved_at + MOVE_EVENTS && !waits) return;
    l->moved_at = received;
    log->polls_at_end = 0;
    l->moves++;
    log->rebalance_next = l->moves % 4 == 0 ? FAKE_LOST : FAKE_REVOKED;
    if (!l->service.keyed) return;
    log->others = others[l->moves % (sizeof others / sizeof *others)];
    log->stop_at_end = log->others == 0;
}

static void *engine(void *context) {
    life *l = context;
    l->good = steady_service_run(&l->service);
    atomic_store(&l->over, true);
    return NULL;
}

/* ---- clients ---- */

static int dial(const ride_server *server) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)ride_serve_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval most = {.tv_sec = 60};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most) == 0);
    CHECK(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

/* One request on a connection of its own: the code. */
static int ask(const ride_server *server, const char *request) {
    char text[4096];
    const int fd = dial(server);
    size_t used = 0;
    CHECK(send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request));
    for (ssize_t n; (n = recv(fd, text + (used < 64 ? used : 64), sizeof text - 64, 0)) > 0;) used += (size_t)n;
    close(fd);
    CHECK(used > 12);
    text[used < 63 ? used : 63] = '\0';
    return atoi(text + 9);
}

static void *watcher(void *context) {
    life *l = context;
    static const char *const paths[] = {"/metrics", "/readyz", "/healthz"};
    for (uint32_t i = 0; !atomic_load(&l->over); i++) {
        char request[256];
        snprintf(request, sizeof request, "GET %s HTTP/1.0\r\n\r\n", paths[i % 3]);
        const int code = ask(l->admin, request);
        CHECK(code == 200 || (i % 3 == 1 && code == 503));
        atomic_fetch_add(&pages, 1);
        snprintf(request, sizeof request, "GET /v1/state?entity=card&key=card-%u HTTP/1.0\r\n\r\n", i % STEADY_CARDS);
        const int told = ask(l->admin, request);
        CHECK(told == 200 || told == 404 || told == 429 || told == 503);
        if (told == 200) atomic_fetch_add(&states, 1);
    }
    return NULL;
}

static void *scorer(void *context) {
    life *l = context;
    for (uint32_t i = 0; !atomic_load(&l->over); i++) {
        char request[2048], body[1024] = "";
        size_t used = 0;
        for (uint32_t e = 0; e <= i % 5; e++)
            used += (size_t)
                snprintf(body + used, sizeof body - used,
                         "{\"id\":%u,\"ts\":%u,\"card\":\"card-%u\",\"shop\":1,\"amount\":\"1.00\",\"kind\":\"web\"}\n",
                         1u << 30 | (i * 8 + e), (uint32_t)STEADY_BEGIN_S + i, i % STEADY_CARDS);
        snprintf(request, sizeof request,
                 "POST %s HTTP/1.0\r\nContent-Type: application/x-ndjson\r\nContent-Length: %zu\r\n\r\n%s",
                 i % 7 == 6 ? "/v1/events" : "/v1/score", used, body);
        const int code = ask(l->http, request);
        CHECK(code == 200 || code == 202 || code == 429 || code == 503);
        atomic_fetch_add(code < 300 ? &scores : &turned_away, 1);
        if (code >= 300) usleep(1000);
    }
    return NULL;
}

static void *reloader(void *context) {
    life *l = context;
    while (!atomic_load(&l->over)) {
        usleep(7000);
        pthread_kill(l->engine, SIGHUP);
    }
    return NULL;
}

/* Reads the engine's own counters without asking it. */
static void *planted(void *context) {
    life *l = context;
    while (!atomic_load(&l->over)) {
        planted_sum += l->service.summary.received;
        usleep(100);
    }
    return NULL;
}

/* ---- a life ---- */

static void open_life(life *l, bool keyed, bool pipelined) {
    steady_service *s = &l->service;
    *s = (steady_service){
        .events = EVENTS, .partitions = 4, .format = RIDE_FORMAT_NDJSON, .labels = !keyed, .keyed = keyed};
    CHECK(steady_service_begin(s));
    CHECK(ride_ready_create(s->metrics, &l->ready, NULL) == RIDE_OK);
    static const char *const parts[] = {"model", "state", "fake", "http", "results"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        CHECK(ride_ready_add(l->ready, parts[i], i < 2, "not yet", NULL) == RIDE_OK);
    CHECK(state_desk_create(&s->waker, &l->desk, NULL) == RIDE_OK);
    const ride_serve_options serve = {.name = "admin", .listen = "127.0.0.1:0", .metrics = s->metrics};
    const ride_admin_options admin = {.ready = l->ready, .metrics = s->metrics, .heartbeat_ns = &l->heartbeat_ns};
    CHECK(ride_serve_start(&serve, &l->admin, NULL) == RIDE_OK);
    CHECK(ride_admin_open(&l->endpoints, &admin, l->admin, NULL) == RIDE_OK);
    CHECK(state_http_open(&l->state, l->desk, l->admin, NULL) == RIDE_OK);
    s->log.script = script;
    s->log.full_every = 3000;
    s->log.burst_max = 150;
    s->options.run.shards = 2;
    s->options.run.pipelined = pipelined;
    s->options.run.batch_rows_max = 512;
    s->options.reload = &l->reload;
    s->options.reloaded = on_reload;
    s->options.reloaded_context = l;
    s->options.ready = on_ready;
    s->options.ready_context = l;
    s->options.desk = l->desk;
    s->options.heartbeat_ns = &l->heartbeat_ns;
    if (keyed) return;
    s->options.feeds[1].open = open_http;
    s->options.feeds[1].context = l;
    s->options.feeds_count = 2;
}

static void close_life(life *l) {
    ride_serve_stop(l->http, UINT64_C(5000000000));
    ride_serve_stop(l->admin, 0);
    state_desk_destroy(l->desk);
    ride_ready_destroy(l->ready);
    steady_service_end(&l->service);
}

static uint64_t live(bool keyed, bool pipelined, bool with_planted) {
    static life l;
    pthread_t threads[6];
    uint32_t count = 0;
    memset(&l, 0, sizeof l);
    now = &l;
    open_life(&l, keyed, pipelined);
    CHECK(pthread_create(&l.engine, NULL, engine, &l) == 0);
    while (atomic_load(&l.heartbeat_ns) == 0) usleep(1000); /* it serves: everything is open */
    CHECK(pthread_create(&threads[count++], NULL, watcher, &l) == 0);
    CHECK(pthread_create(&threads[count++], NULL, watcher, &l) == 0);
    CHECK(pthread_create(&threads[count++], NULL, reloader, &l) == 0);
    if (!keyed) CHECK(pthread_create(&threads[count++], NULL, scorer, &l) == 0);
    if (!keyed) CHECK(pthread_create(&threads[count++], NULL, scorer, &l) == 0);
    if (with_planted) CHECK(pthread_create(&threads[count++], NULL, planted, &l) == 0);
    while (count > 0) pthread_join(threads[--count], NULL);
    pthread_join(l.engine, NULL);
    CHECK(l.good && l.moves >= EVENTS / MOVE_EVENTS / 2);
    CHECK(l.service.summary.received >= EVENTS);
    const uint64_t moves = l.moves;
    close_life(&l);
    return moves;
}

/* Is the planted race seen? Else nothing that this program does not say means anything. */
static void check_planted(void) {
    int fds[2];
    char text[1 << 16];
    size_t used = 0;
    CHECK(pipe(fds) == 0);
    fflush(NULL);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        dup2(fds[1], 2);
        close(fds[0]);
        close(fds[1]);
        setenv("TSAN_OPTIONS", "exitcode=66 halt_on_error=1 log_path=stderr", 1);
        execl("/proc/self/exe", "service_stress", "planted", (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    for (ssize_t n; used < sizeof text - 1 && (n = read(fds[0], text + used, sizeof text - 1 - used)) > 0;)
        used += (size_t)n;
    text[used] = '\0';
    close(fds[0]);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    const bool seen = WIFEXITED(status) && WEXITSTATUS(status) == TSAN_EXIT && strstr(text, "data race") != NULL &&
                      strstr(text, " planted ") != NULL;
    if (!seen) fprintf(stderr, "the planted race was not reported, status %d:\n%s\n", status, text);
    CHECK(seen);
    puts("a planted race is reported");
}

int main(int argc, char **argv) {
    const bool is_planted = argc > 1 && strcmp(argv[1], "planted") == 0;
    const char *wish = getenv("RIDE_SERVICE_STRESS_SECONDS");
    const double seconds = wish != NULL ? atof(wish) : 4;
    char folder[] = "/tmp/ride_stress_XXXXXX", command[64];
    ride_log_set_level(RIDE_LOG_ERROR);
    if (TSAN && !is_planted) check_planted();
    CHECK(mkdtemp(folder) != NULL && chdir(folder) == 0);
    struct sigaction action = {.sa_handler = on_hangup, .sa_flags = SA_RESTART};
    CHECK(sigaction(SIGHUP, &action, NULL) == 0);
    const uint64_t began_ns = ride_clock_now_ns(ride_clock_real());
    uint64_t lives = 0, moves = 0;
    do moves += live(lives % 2 == 1, lives / 2 % 2 == 1, is_planted);
    while (++lives < 4 || (double)(ride_clock_now_ns(ride_clock_real()) - began_ns) < seconds * 1e9);
    CHECK(chdir("/") == 0);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0) puts("the test's folder stays");
    printf("%llu lives: %llu rebalances, %llu reloads, %llu pages, %llu states, %llu scores, %llu turned away\n",
           (unsigned long long)lives, (unsigned long long)moves, (unsigned long long)reloads, (unsigned long long)pages,
           (unsigned long long)states, (unsigned long long)scores, (unsigned long long)turned_away);
    CHECK(reloads > 0 && pages > 0 && states > 0 && scores > 0);
    return 0;
}
