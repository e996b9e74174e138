/* tests/kafka/kafka_driver.c: a feed or an outlet of Kafka by itself, for tests that run it against a broker.
 *
 *   kafka_driver feed KEY=VALUE…      polls and writes what it gets to out=
 *   kafka_driver outlet KEY=VALUE…    sends the lines of in=
 *   kafka_driver version
 *
 * brokers, group, security, ca, certificate, key, key_password_file, mechanism, user, password_file: as the options of io/kafka.h;
 * topic=NAME and raw=NAME:VALUE may be there several times; start=latest; queue_bytes, outlet_messages.
 * feed: out=FILE (topic, partition, offset, key, value, parted by tabs), each=1 (one stream after the other, to its end), count=N (stop
 *   after so many), ends=1 (stop when all streams are at their end), store=1 (store what was polled), back=N (begin so many
 *   before where the feed would), seconds=S (stop after, default 60), batch=N, hold=N (release only when N are held), slow_us=N (sleep per batch), work_ns=N (spin
 *   per message).
 * outlet: in=FILE (key, value, parted by a tab), headers=N, seconds=S, close_early=1.
 * Both tell what happens as JSON lines and end in order on SIGTERM; 0, or the exit code of the failure. */
#include "base/clock.h"
#include "io/kafka.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIST_MAX = 16, BATCH_MAX = 4096, HOLD_MAX = 1 << 16, LINE_MAX_BYTES = 4 << 20 };

typedef struct driver {
    ride_kafka_options o;
    ride_kafka_source topics[LIST_MAX];
    const char *names[LIST_MAX];
    ride_kafka_pair raw[LIST_MAX];
    const char *out, *in;
    uint64_t count_max, seconds, batch, hold, back, slow_us, work_ns;
    uint32_t headers;
    bool each, ends, store, close_early;
    ride_stream_info streams[RIDE_STREAMS_MAX];
    bool mine[RIDE_STREAMS_MAX], at_end[RIDE_STREAMS_MAX];
    uint32_t streams_count;
    int64_t next[RIDE_STREAMS_MAX];
    uint64_t messages, delivered, failed, full;
    uint64_t first_ns, last_ns; /* when the first and the last message came */
    bool ready;
    bool told; /* of streams that come or go, by the poll at hand */
} driver;

static driver d;
static volatile sig_atomic_t stop;
static ride_waker waker;
static ride_message batch[BATCH_MAX], held[HOLD_MAX];
static uint32_t held_count;

static void on_signal(int number) {
    (void)number;
    stop = 1;
    ride_waker_wake(&waker);
}

static uint64_t now(void) { return ride_clock_now_ns(ride_clock_real()); }

static void print_text(const char *text) {
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') putchar('\\');
        if ((unsigned char)*text >= 32) putchar(*text);
    }
    putchar('"');
}

static ride_status on_assigned(void *context, ride_stream_info *streams, uint32_t count, ride_error *err) {
    (void)context;
    (void)err;
    d.told = true;
    for (uint32_t i = 0; i < count; i++) {
        ride_stream_info *s = &streams[i];
        s->stream = d.streams_count++;
        s->start = s->start > (int64_t)d.back ? s->start - (int64_t)d.back : 0;
        d.streams[s->stream] = *s;
        d.mine[s->stream] = true;
        d.next[s->stream] = s->start;
        printf("{\"event\":\"assigned\",\"stream\":%u,\"source\":\"%s\",\"topic\":\"%s\",\"partition\":%" PRId32
               ",\"partitions\":%u,\"committed\":%" PRId64 ",\"begin\":%" PRId64 ",\"end\":%" PRId64
               ",\"start\":%" PRId64 "}\n",
               s->stream, s->source, s->topic, s->partition, s->partitions_count, s->committed, s->log_begin,
               s->log_end, s->start);
    }
    if (count == 0) printf("{\"event\":\"assigned\",\"stream\":null}\n");
    return RIDE_OK;
}

static void on_revoked(void *context, const uint32_t *streams, uint32_t count, bool lost) {
    (void)context;
    d.told = true;
    for (uint32_t i = 0; i < count; i++) {
        d.mine[streams[i]] = false;
        printf("{\"event\":\"revoked\",\"stream\":%u,\"partition\":%" PRId32 ",\"lost\":%s,\"next\":%" PRId64 "}\n",
               streams[i], d.streams[streams[i]].partition, lost ? "true" : "false", d.next[streams[i]]);
    }
}

static void on_end(void *context, uint32_t stream) {
    (void)context;
    d.at_end[stream] = true;
    printf("{\"event\":\"end\",\"stream\":%u,\"next\":%" PRId64 "}\n", stream, d.next[stream]);
}

static void on_health(void *context, bool ready, const char *why) {
    (void)context;
    d.ready = ready;
    printf("{\"event\":\"health\",\"ready\":%s,\"why\":", ready ? "true" : "false");
    print_text(why);
    printf("}\n");
}

static void on_delivered(void *context, uint64_t ticket, ride_status status, const char *why) {
    (void)context;
    if (status == RIDE_OK) {
        d.delivered++;
        return;
    }
    d.failed++;
    printf("{\"event\":\"refused\",\"ticket\":%" PRIu64 ",\"status\":\"%s\",\"why\":", ticket,
           ride_status_name(status));
    print_text(why);
    printf("}\n");
}

static int tell_failure(const ride_error *err) {
    char text[512];
    printf("{\"event\":\"failure\",\"status\":\"%s\",\"text\":", ride_status_name(err->status));
    print_text(ride_error_text(err, text, sizeof text));
    printf("}\n");
    return ride_status_exit_code(err->status);
}

static bool all_ended(void) {
    bool any = false;
    for (uint32_t i = 0; i < d.streams_count; i++) {
        if (!d.mine[i]) continue;
        any = true;
        if (!d.at_end[i]) return false;
    }
    return any;
}

/* The stream whose turn it is when they are read one after the other: the first that is not at its end. */
static uint32_t turn(void) {
    for (uint32_t i = 0; i < d.streams_count; i++)
        if (d.mine[i] && !d.at_end[i]) return i;
    return RIDE_STREAM_ANY;
}

static int run_feed(void) {
    ride_error err = {0};
    ride_feed *feed = NULL;
    const ride_feed_events events = {.assigned = on_assigned,
                                     .revoked = on_revoked,
                                     .at_end = on_end,
                                     .health = on_health};
    FILE *out = d.out != NULL ? fopen(d.out, "w") : NULL;
    if (ride_kafka_feed_open(&d.o, &events, &feed, &err) != RIDE_OK) return tell_failure(&err);
    printf("{\"event\":\"open\"}\n");
    uint64_t deadline = now() + d.seconds * UINT64_C(1000000000);
    int code = 0;
    while (!stop && now() < deadline && (d.count_max == 0 || d.messages < d.count_max) && !(d.ends && all_ended())) {
        uint32_t count = 0, room = (uint32_t)d.batch;
        if (d.count_max != 0 && d.count_max - d.messages < room) room = (uint32_t)(d.count_max - d.messages);
        uint32_t stream = d.each ? turn() : RIDE_STREAM_ANY;
        d.told = false;
        ride_status st =
            feed->ops->poll(feed, stream, batch, d.each && stream == RIDE_STREAM_ANY ? 0 : room, &count, &err);
        if (st != RIDE_OK) {
            code = tell_failure(&err);
            break;
        }
        if (d.told && count > 0) { /* the engine may have to rebuild first */
            printf("{\"event\":\"mixed\",\"messages\":%u}\n", count);
            code = 70;
        }
        for (uint32_t i = 0; i < count; i++) {
            const ride_message *m = &batch[i];
            const ride_stream_info *s = &d.streams[m->stream];
            if (!d.mine[m->stream] || m->offset < d.next[m->stream]) {
                printf("{\"event\":\"stale\",\"stream\":%u,\"offset\":%" PRId64 "}\n", m->stream, m->offset);
                code = 70;
            }
            d.next[m->stream] = m->offset + 1;
            d.at_end[m->stream] = false;
            if (out != NULL)
                fprintf(out, "%s\t%" PRId32 "\t%" PRId64 "\t%.*s\t%.*s\n", s->topic, s->partition, m->offset,
                        (int)m->key_bytes, m->key != NULL ? m->key : "", (int)m->value_bytes,
                        m->value != NULL ? m->value : "");
        }
        if (count > 0 && d.messages == 0) d.first_ns = now();
        d.messages += count;
        if (d.work_ns > 0)
            for (uint64_t end = now() + count * d.work_ns; now() < end;) {
            }
        if (count > 0) d.last_ns = now();
        if (d.store)
            for (uint32_t i = 0; i < d.streams_count; i++)
                if (d.mine[i]) feed->ops->store(feed, i, d.next[i]);
        for (uint32_t i = 0; i < count; i++) {
            held[held_count++] = batch[i];
            if (held_count < d.hold && held_count < HOLD_MAX) continue;
            feed->ops->release(feed, held, held_count);
            held_count = 0;
        }
        if (count > 0 && d.slow_us > 0) usleep((useconds_t)d.slow_us);
        /* What poll has told may have changed what is wanted next. */
        if (count == 0 && !(d.ends && all_ended()) && !(d.each && turn() != stream)) {
            fflush(stdout);
            ride_waker_wait(&waker, UINT64_C(1000000000));
        }
    }
    feed->ops->release(feed, held, held_count);
    if (code == 0 && d.store && feed->ops->commit(feed, UINT64_C(5000000000), &err) != RIDE_OK)
        code = tell_failure(&err);
    feed->ops->close(feed);
    if (out != NULL) fclose(out);
    printf("{\"event\":\"summary\",\"messages\":%" PRIu64 ",\"seconds\":%.3f}\n", d.messages,
           1e-9 * (double)(d.last_ns - d.first_ns));
    return code;
}

static int run_outlet(void) {
    static char line[LINE_MAX_BYTES];
    static const char *const names[] = {"event", "topic", "partition", "offset", "model", "spec", "more", "most"};
    ride_error err = {0};
    ride_outlet *outlet = NULL;
    const ride_outlet_events events = {.delivered = on_delivered, .health = on_health};
    FILE *in = fopen(d.in, "r");
    if (in == NULL) return 66;
    if (ride_kafka_outlet_open(&d.o, d.names, d.o.sources_count, &events, &outlet, &err) != RIDE_OK)
        return tell_failure(&err);
    printf("{\"event\":\"open\"}\n");
    uint64_t deadline = now() + d.seconds * UINT64_C(1000000000), sent = 0;
    int code = 0;
    ride_header headers[8];
    for (uint32_t i = 0; i < d.headers; i++) headers[i] = (ride_header){names[i], names[i], 5};
    while (!stop && now() < deadline && code == 0 && fgets(line, sizeof line, in) != NULL) {
        size_t bytes = strcspn(line, "\n");
        char *tab = memchr(line, '\t', bytes);
        ride_result result = {.target = (uint32_t)(sent % d.o.sources_count),
                              .ticket = sent,
                              .headers = headers,
                              .headers_count = d.headers};
        result.key = tab != NULL ? line : NULL;
        result.key_bytes = tab != NULL ? (uint32_t)(tab - line) : 0;
        result.value = tab != NULL ? tab + 1 : line;
        result.value_bytes = (uint32_t)(bytes - (tab != NULL ? result.key_bytes + 1 : 0));
        ride_status st;
        while ((st = outlet->ops->send(outlet, &result, &err)) == RIDE_FULL && !stop && now() < deadline) {
            d.full++;
            st = outlet->ops->poll(outlet, &err);
            if (st != RIDE_OK) break;
            fflush(stdout);
            ride_waker_wait(&waker, UINT64_C(100000000));
        }
        if (st == RIDE_OK && sent % 256 == 0) st = outlet->ops->poll(outlet, &err);
        if (st != RIDE_OK && st != RIDE_FULL) code = tell_failure(&err);
        else sent++;
    }
    ride_status st = RIDE_PENDING;
    while (!d.close_early && code == 0 && st == RIDE_PENDING && !stop && now() < deadline) {
        fflush(stdout);
        st = outlet->ops->flush(outlet, UINT64_C(200000000), &err);
        if (st != RIDE_OK && st != RIDE_PENDING) code = tell_failure(&err);
    }
    outlet->ops->close(outlet);
    fclose(in);
    printf("{\"event\":\"summary\",\"sent\":%" PRIu64 ",\"delivered\":%" PRIu64 ",\"failed\":%" PRIu64
           ",\"full\":%" PRIu64 ",\"pending\":%s}\n",
           sent, d.delivered, d.failed, d.full, st == RIDE_PENDING ? "true" : "false");
    return code;
}

static bool option(char *word) {
    char *value = strchr(word, '=');
    if (value == NULL) return false;
    *value++ = '\0';
    const struct {
        const char *name, **to;
    } texts[] = {{"brokers", &d.o.brokers},
                 {"group", &d.o.group},
                 {"security", &d.o.security},
                 {"ca", &d.o.ca},
                 {"certificate", &d.o.certificate},
                 {"key", &d.o.key},
                 {"key_password_file", &d.o.key_password_file},
                 {"mechanism", &d.o.sasl_mechanism},
                 {"user", &d.o.sasl_user},
                 {"password_file", &d.o.sasl_password_file},
                 {"out", &d.out},
                 {"in", &d.in}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(word, texts[i].name) == 0) return *texts[i].to = value, true;
    uint64_t n = strtoull(value, NULL, 10);
    const struct {
        const char *name;
        uint64_t *to;
    } numbers[] = {{"count", &d.count_max}, {"seconds", &d.seconds},
                   {"batch", &d.batch},     {"hold", &d.hold},
                   {"back", &d.back},       {"slow_us", &d.slow_us},
                   {"work_ns", &d.work_ns}, {"queue_bytes", &d.o.queue_bytes}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(word, numbers[i].name) == 0) return *numbers[i].to = n, true;
    if (strcmp(word, "each") == 0) d.each = n != 0;
    else if (strcmp(word, "ends") == 0) d.ends = n != 0;
    else if (strcmp(word, "store") == 0) d.store = n != 0;
    else if (strcmp(word, "close_early") == 0) d.close_early = n != 0;
    else if (strcmp(word, "headers") == 0) d.headers = n < 8 ? (uint32_t)n : 8;
    else if (strcmp(word, "outlet_messages") == 0) d.o.outlet_messages = (uint32_t)n;
    else if (strcmp(word, "start") == 0) d.o.start_latest = strcmp(value, "latest") == 0;
    else if (strcmp(word, "topic") == 0 && d.o.sources_count < LIST_MAX) {
        d.names[d.o.sources_count] = value;
        d.topics[d.o.sources_count++] = (ride_kafka_source){value, value};
    } else if (strcmp(word, "raw") == 0 && d.o.raw_count < LIST_MAX && strchr(value, ':') != NULL) {
        char *second = strchr(value, ':');
        *second++ = '\0';
        d.raw[d.o.raw_count++] = (ride_kafka_pair){value, second};
    } else return false;
    return true;
}

int main(int argc, char **argv) {
    ride_error err = {0};
    setvbuf(stdout, NULL, _IOLBF, 0);
    d.seconds = 60;
    d.batch = BATCH_MAX;
    d.o.sources = d.topics;
    d.o.raw = d.raw;
    d.o.waker = &waker;
    for (int i = 2; i < argc; i++)
        if (!option(argv[i])) return fprintf(stderr, "kafka_driver: what is %s?\n", argv[i]), 64;
    if (d.batch == 0 || d.batch > BATCH_MAX) d.batch = BATCH_MAX;
    if (argc == 2 && strcmp(argv[1], "version") == 0) return puts(ride_kafka_version()) < 0;
    if (argc < 2 || ride_waker_open(&waker, &err) != RIDE_OK) return 64;
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    if (strcmp(argv[1], "feed") == 0) return run_feed();
    if (strcmp(argv[1], "outlet") == 0) return run_outlet();
    return 64;
}
