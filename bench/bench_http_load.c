/* bench/bench_http_load.c: a closed loop of HTTP requests over keep-alive connections: each connection sends its next request when it has
 * the whole answer of the last. One thread over epoll.
 *
 *     bench_http_load [--port N] [--start 'COMMAND'] [--path /v1/score] [--get] [--connections 16] [--seconds 5] [--warmup 1]
 *                     [--events FILE [--date MEMBER]] [--lines 1] [--type TYPE] [--token T]
 *
 * --start: runs the command and ends it by SIGTERM; without --port it prints "listens PORT …" on its first line. --events: NDJSON whose lines are sent in turn
 * (default: events with an id that counts up), over and over; --date: the member that has their time, "2026-01-31 …", in order: the days go on with each pass,
 * so that no event is older than the one before; --lines: so many in each request, as NDJSON when more than one.
 * Prints requests and events per second, the latency's quantiles, how many answers were not 200, and beside them the hiccups of this machine: how much
 * longer than asked for a thread slept that wakes every millisecond; with --start also the server's CPU time per request. */
#include "base/histogram.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1024, HEAD_MAX = 1024, ANSWER_ROOM = 1 << 16 };

typedef struct connection {
    int fd;
    uint64_t began_ns;
    char *request;
    size_t request_bytes, sent;
    char head[ANSWER_ROOM];
    size_t head_bytes;
    size_t left; /* of the answer's body */
    bool in_body;
    int code;
} connection;

static struct options {
    int port;
    const char *start, *path, *events, *date, *type, *token;
    uint32_t connections, lines;
    double seconds, warmup;
    bool get;
} o = {.path = "/v1/score", .connections = 16, .lines = 1, .seconds = 5, .warmup = 1};

static connection connections[CONNECTIONS_MAX];
static ride_histogram latency, hiccups;
static uint64_t answers, events_sent, others, next_id;
static char *lines_text, **lines;
static size_t lines_count, lines_next;
static int64_t days, days_passed; /* --date: of one pass; of the passes before this one */
enum { DATE_BYTES = 10 };
static volatile bool done;

static void fail(const char *what) {
    fprintf(stderr, "bench_http_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *meter(void *unused) {
    (void)unused;
    while (!done) {
        uint64_t before = now_ns();
        struct timespec ms = {.tv_nsec = 1000000};
        nanosleep(&ms, NULL);
        uint64_t slept = now_ns() - before;
        ride_histogram_record(&hiccups, slept > 1000000 ? slept - 1000000 : 0);
    }
    return NULL;
}

/* Where a line has its date. */
static char *date_of(char *line) {
    char name[128];
    int bytes = snprintf(name, sizeof name, "\"%s\":\"", o.date);
    char *at = strstr(line, name);
    if (at == NULL || strlen(at) < (size_t)bytes + DATE_BYTES) {
        fprintf(stderr, "bench_http_load: a line without a date in %s\n", o.date);
        exit(64);
    }
    return at + bytes;
}

static int64_t day_of(const char *date) {
    struct tm tm = {.tm_year = atoi(date) - 1900, .tm_mon = atoi(date + 5) - 1, .tm_mday = atoi(date + 8)};
    return (int64_t)timegm(&tm) / 86400;
}

/* The date of the first pass → that of this one. Lines of one day come together. */
static void put_date(char *date) {
    static char from[DATE_BYTES], to[DATE_BYTES + 1];
    static int64_t passed;
    if (memcmp(from, date, DATE_BYTES) != 0 || passed != days_passed) {
        time_t then = (time_t)(day_of(date) + days_passed) * 86400;
        struct tm tm;
        memcpy(from, date, DATE_BYTES);
        passed = days_passed;
        strftime(to, sizeof to, "%Y-%m-%d", gmtime_r(&then, &tm));
    }
    memcpy(date, to, DATE_BYTES);
}

static size_t put_event(char *to) {
    if (lines_count > 0) {
        char *line = lines[lines_next];
        size_t bytes = strlen(line);
        memcpy(to, line, bytes);
        if (days_passed > 0) put_date(to + (date_of(line) - line));
        if (++lines_next == lines_count) {
            lines_next = 0;
            days_passed += days;
        }
        return bytes;
    }
    next_id++; /* 200 bytes of 8 fields */
    return (size_t)sprintf(to,
                           "{\"id\":%09" PRIu64 ",\"ts\":\"2026-01-01 00:00:00.000\",\"card\":\"4000-0000-%08" PRIu64
                           "\",\"terminal\":%06" PRIu64 ",\"amount\":\"%04" PRIu64
                           ".99\",\"mcc\":5411,\"country\":\"DE\",\"channel\":\"contactless-terminal-card\"}",
                           100000000 + next_id, next_id % 50000, 100000 + next_id % 10000, 1000 + next_id % 1000);
}

static void make_request(connection *c) {
    char *body = c->request + HEAD_MAX, *at = body;
    if (!o.get)
        for (uint32_t i = 0; i < o.lines; i++) {
            if (i > 0) *at++ = '\n';
            at += put_event(at);
        }
    char head[HEAD_MAX], authorization[600] = "";
    if (o.token != NULL) snprintf(authorization, sizeof authorization, "Authorization: Bearer %s\r\n", o.token);
    int n = o.get ? snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", o.path, authorization)
                  : snprintf(head, sizeof head,
                             "POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                             o.path, authorization, o.type, (size_t)(at - body));
    memcpy(body - n, head, (size_t)n);
    c->sent = HEAD_MAX - (size_t)n;
    c->request_bytes = (size_t)(at - c->request);
    c->began_ns = now_ns();
    events_sent += o.get ? 0 : o.lines;
}

static void send_rest(connection *c) {
    while (c->sent < c->request_bytes) {
        ssize_t n = send(c->fd, c->request + c->sent, c->request_bytes - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) return;
        if (n < 0) fail("send");
        c->sent += (size_t)n;
    }
}

/* Reads the head that is complete; keeps what is behind it. */
static void read_head(connection *c, const char *end) {
    c->head[c->head_bytes] = '\0';
    c->code = atoi(c->head + 9);
    const char *length = strcasestr(c->head, "\r\nContent-Length:");
    size_t body = length != NULL && length < end ? strtoull(length + 17, NULL, 10) : 0;
    size_t have = c->head_bytes - (size_t)(end + 4 - c->head);
    if (have > body) fail("more than an answer");
    c->left = body - have;
    c->in_body = true;
}

static void answered(connection *c) {
    ride_histogram_record(&latency, now_ns() - c->began_ns);
    answers++;
    others += c->code != 200;
    c->head_bytes = 0;
    c->in_body = false;
    make_request(c);
    send_rest(c);
}

static void on_ready(connection *c) {
    static char waste[1 << 18];
    send_rest(c);
    for (;;) {
        char *to = c->in_body ? waste : c->head + c->head_bytes;
        size_t room =
            c->in_body ? (c->left < sizeof waste ? c->left : sizeof waste) : sizeof c->head - 1 - c->head_bytes;
        ssize_t n = recv(c->fd, to, room, 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) fail("the server closed a connection");
        if (c->in_body) {
            c->left -= (size_t)n;
        } else {
            c->head_bytes += (size_t)n;
            const char *end = memmem(c->head, c->head_bytes, "\r\n\r\n", 4);
            if (end == NULL) continue;
            read_head(c, end);
        }
        if (c->left > 0) continue;
        answered(c);
        return; /* its answer is not there yet */
    }
}

static void run(int epoll_fd, double seconds) {
    struct epoll_event ready[64];
    for (uint64_t until = now_ns() + (uint64_t)(seconds * 1e9); now_ns() < until;) {
        int n = epoll_wait(epoll_fd, ready, 64, 100);
        for (int i = 0; i < n; i++) on_ready(ready[i].data.ptr);
    }
}

/* Until something listens there, at most 10 s. */
static void wait_for(int port) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 500; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool good = fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
        close(fd);
        if (good) return;
        usleep(20000);
    }
    fail("nothing listens");
}

/* *port 0: the command tells it. */
static pid_t start(const char *command, int *port) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) fail("pipe");
    pid_t pid = fork();
    if (pid < 0) fail("fork");
    if (pid == 0) {
        char exec_it[4096];
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(fds[1], STDOUT_FILENO);
        snprintf(exec_it, sizeof exec_it, "exec %s", command);
        execl("/bin/sh", "sh", "-c", exec_it, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    FILE *said = fdopen(fds[0], "r");
    char line[256];
    if (*port != 0) {
        wait_for(*port);
        return pid;
    }
    do
        if (said == NULL || fgets(line, sizeof line, said) == NULL) fail("the server did not start");
    while (sscanf(line, "listens %d", port) != 1);
    return pid; /* its pipe stays open */
}

static void load_lines(const char *path) {
    FILE *file = fopen(path, "r");
    if (file == NULL) fail(path);
    fseek(file, 0, SEEK_END);
    long bytes = ftell(file);
    rewind(file);
    lines_text = calloc(1, (size_t)bytes + 1);
    lines = calloc((size_t)bytes / 2 + 1, sizeof *lines);
    if (lines_text == NULL || lines == NULL || fread(lines_text, 1, (size_t)bytes, file) != (size_t)bytes) fail(path);
    fclose(file);
    char *rest = lines_text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;)
        if (line[0] != '\0') lines[lines_count++] = line;
    if (lines_count > 0 && o.date != NULL)
        days = day_of(date_of(lines[lines_count - 1])) - day_of(date_of(lines[0])) + 1;
}

static void connect_all(int epoll_fd) {
    size_t line_max = 256;
    for (size_t i = 0; i < lines_count; i++)
        if (strlen(lines[i]) + 1 > line_max) line_max = strlen(lines[i]) + 1;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)o.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (uint32_t i = 0; i < o.connections; i++) {
        connection *c = &connections[i];
        const int one = 1;
        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        c->request = malloc(HEAD_MAX + o.lines * line_max);
        if (c->fd < 0 || c->request == NULL || connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0) fail("connect");
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fcntl(c->fd, F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0) fail("epoll");
        make_request(c);
        send_rest(c);
    }
}

static double micros(struct timeval t) { return (double)t.tv_sec * 1e6 + (double)t.tv_usec; }

static void read_options(int argc, char **argv) {
    static const struct option names[] = {{"port", 1, NULL, 'p'},
                                          {"start", 1, NULL, 's'},
                                          {"path", 1, NULL, 'a'},
                                          {"get", 0, NULL, 'g'},
                                          {"connections", 1, NULL, 'c'},
                                          {"seconds", 1, NULL, 't'},
                                          {"warmup", 1, NULL, 'w'},
                                          {"events", 1, NULL, 'e'},
                                          {"lines", 1, NULL, 'l'},
                                          {"type", 1, NULL, 'y'},
                                          {"token", 1, NULL, 'k'},
                                          {"date", 1, NULL, 'd'},
                                          {0}};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) switch (c) {
        case 'p': o.port = atoi(optarg); break;
        case 's': o.start = optarg; break;
        case 'a': o.path = optarg; break;
        case 'g': o.get = true; break;
        case 'c': o.connections = (uint32_t)atoi(optarg); break;
        case 't': o.seconds = atof(optarg); break;
        case 'w': o.warmup = atof(optarg); break;
        case 'e': o.events = optarg; break;
        case 'l': o.lines = (uint32_t)atoi(optarg); break;
        case 'y': o.type = optarg; break;
        case 'k': o.token = optarg; break;
        case 'd': o.date = optarg; break;
        default: exit(64);
        }
    if (o.connections == 0 || o.connections > CONNECTIONS_MAX || o.lines == 0 || (o.port == 0 && o.start == NULL)) {
        fprintf(stderr, "bench_http_load: --port or --start, 1 to %d connections\n", CONNECTIONS_MAX);
        exit(64);
    }
    if (o.type == NULL) o.type = o.lines > 1 ? "application/x-ndjson" : "application/json";
}

int main(int argc, char **argv) {
    pid_t server = 0;
    pthread_t thread;
    read_options(argc, argv);
    if (o.events != NULL) load_lines(o.events);
    if (o.start != NULL) server = start(o.start, &o.port);
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0) fail("epoll");
    connect_all(epoll_fd);
    run(epoll_fd, o.warmup);
    ride_histogram_init(&latency);
    ride_histogram_init(&hiccups);
    if (pthread_create(&thread, NULL, meter, NULL) != 0) fail("thread");
    others = 0;
    uint64_t answers_before = answers, from = now_ns();
    run(epoll_fd, o.seconds);
    double seconds = (double)(now_ns() - from) * 1e-9, rate = (double)(answers - answers_before) / seconds;
    done = true;
    pthread_join(thread, NULL);
    printf("requests_per_s=%.0f events_per_s=%.0f p50_us=%.1f p99_us=%.1f p999_us=%.1f max_us=%.1f not_200=%" PRIu64
           " hiccup_p99_us=%.1f hiccup_max_us=%.1f\n",
           rate, o.get ? 0 : rate * o.lines, (double)ride_histogram_quantile(&latency, 0.5) * 1e-3,
           (double)ride_histogram_quantile(&latency, 0.99) * 1e-3,
           (double)ride_histogram_quantile(&latency, 0.999) * 1e-3, (double)latency.max * 1e-3, others,
           (double)ride_histogram_quantile(&hiccups, 0.99) * 1e-3, (double)hiccups.max * 1e-3);
    if (server != 0) { /* its CPU time, start and end included, over all requests, those of the warm-up too */
        struct rusage used;
        kill(server, SIGTERM);
        if (wait4(server, NULL, 0, &used) == server)
            printf("server_user_us=%.2f server_system_us=%.2f\n", micros(used.ru_utime) / (double)answers,
                   micros(used.ru_stime) / (double)answers);
    }
    return others != 0;
}
