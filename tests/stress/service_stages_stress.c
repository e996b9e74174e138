/* The stages of a service on their threads, under ThreadSanitizer too (Criterion does not start there): repeated, rejected and late events,
 * crashes, rebalances, a full outlet and rebuilds, whose results must be inline's; requests, each of which is answered once, also when
 * the service fails; a stop while nothing is acknowledged. */
#include "../support/log_case.h"

#define CHECK(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                                            \
            fprintf(stderr, __VA_ARGS__);                                                                              \
            fputc('\n', stderr);                                                                                       \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { EVENTS = 1500, SEEDS = 6, REQUESTS = 3000 };
#else
enum { EVENTS = 3000, SEEDS = 12, REQUESTS = 20000 };
#endif

/* Every fifth event comes again, near enough to be on its way still, or a batch or more later; every fortieth is none. */
static void spoil(fake_log *log) {
    fake_message *once = log->messages[0];
    const int64_t count = log->counts[0];
    log->messages[0] = NULL;
    log->counts[0] = 0;
    for (int64_t i = 0; i < count; i++) {
        fake_append(log, 0, once[i].key, once[i].key_bytes, once[i].value, once[i].value_bytes);
        const int64_t back = i % 3 == 0 ? 1 + i % 7 : 1 + i % 90;
        const fake_message *again = &once[i >= back ? i - back : 0];
        if (i % 5 == 4) fake_append(log, 0, again->key, again->key_bytes, again->value, again->value_bytes);
        if (i % 40 == 39) fake_append(log, 0, NULL, 0, "no event", 8);
    }
    free(once);
}

static void begin(log_case *c) {
    CHECK(log_case_begin(c, 1, EVENTS), "no memory, or no files");
    spoil(&c->log);
    c->options.run.reasons = (ride_reasons_options){.when = RIDE_REASONS_ALERTS, .side = RIDE_REASON_RAISE};
}

/* First results of each target in order, and every one as `expected` has it. Returns the repeats. */
static uint64_t compare(const fake_log *log, const fake_log *expected, const char *what) {
    const int64_t count = log->counts[0];
    const fake_result **known = calloc((size_t)count * RIDE_TARGETS, sizeof *known);
    uint64_t firsts = 0, repeats = 0, wanted = 0;
    for (uint64_t i = 0; i < expected->results_count; i++, wanted++)
        known[expected->results[i].offset * RIDE_TARGETS + expected->results[i].target] = &expected->results[i];
    int64_t last[RIDE_TARGETS] = {-1, -1, -1, -1};
    bool *seen = calloc((size_t)count * RIDE_TARGETS, sizeof *seen);
    for (uint64_t i = 0; i < log->results_count; i++) {
        const fake_result *r = &log->results[i];
        const int64_t at = r->offset * RIDE_TARGETS + r->target;
        CHECK(known[at] != NULL && known[at]->bytes == r->bytes && memcmp(known[at]->value, r->value, r->bytes) == 0,
              "%s: %u of %lld is\n%s\nand was\n%s", what, r->target, (long long)r->offset, r->value,
              known[at] != NULL ? known[at]->value : "nothing");
        if (!seen[at]) CHECK(r->offset > last[r->target], "%s: %lld came late", what, (long long)r->offset);
        if (!seen[at]) last[r->target] = r->offset, firsts++;
        else repeats++;
        seen[at] = true;
    }
    CHECK(firsts == wanted, "%s: %llu results of %llu", what, (unsigned long long)firsts, (unsigned long long)wanted);
    free(known);
    free(seen);
    return repeats;
}

static void anew(log_case *c) {
    remove(c->journal);
    c->log.committed[0] = RIDE_OFFSET_NONE;
    c->log.results = NULL;
    c->log.results_count = c->log.results_room = 0;
}

static void results_are_those_of_one_thread(void) {
    static log_case c;
    uint64_t repeats = 0, crashes = 0, duplicates = 0;
    begin(&c);
    CHECK(log_case_serve(&c, 1, 0) == RIDE_INTERRUPTED, "%s", c.run.err.what);
    duplicates = c.run.summary.duplicates;
    CHECK(duplicates > EVENTS / 10, "%llu duplicates", (unsigned long long)duplicates);
    fake_log expected = c.log;
    const uint64_t decisions[3] = {c.run.summary.decisions[0], c.run.summary.decisions[1], c.run.summary.decisions[2]};
    c.options.run.pipelined = true;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        char what[32];
        snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
        anew(&c);
        c.options.run.batch_rows_max = seed % 3 == 0 ? 5 : seed % 3 == 1 ? 100 : 700;
        c.options.run.shards = 1 + (uint32_t)(seed % 2);
        c.log.full_every = 60;
        c.log.burst_max = seed % 2 == 0 ? 30 : 0;
        c.log.rebalance_every = seed % 4 == 0 ? 500 : 0; /* rarer than the polls of a rebuild, or it never ends */
        ride_status st = RIDE_E_IO;
        for (uint64_t attempt = seed % 2 == 0 ? 0 : 6; st != RIDE_INTERRUPTED;
             attempt++) { /* every second without a crash */
            CHECK(attempt < 60, "%s: it does not come to an end", what);
            st = log_case_serve(&c, seed * 77 + attempt, attempt < 6 ? 30 + seed * 331 * (attempt + 1) % 1900 : 0);
            CHECK(st == RIDE_INTERRUPTED || strcmp(c.run.err.what, "crash") == 0, "%s: %s", what, c.run.err.what);
            crashes += st != RIDE_INTERRUPTED;
        }
        repeats += compare(&c.log, &expected, what);
        CHECK(c.log.committed[0] == c.log.counts[0], "%s: everything is stored after a stop", what);
        if (seed % 2 == 1) {
            CHECK(c.run.summary.duplicates == duplicates, "%s: %llu duplicates", what,
                  (unsigned long long)c.run.summary.duplicates);
            for (int d = 0; d < 3; d++) CHECK(c.run.summary.decisions[d] == decisions[d], "%s: decisions", what);
        }
        fake_results_free(&c.log);
    }
    CHECK(crashes > SEEDS && repeats > 50, "%llu crashes, %llu repeats", (unsigned long long)crashes,
          (unsigned long long)repeats);
    fake_results_free(&expected);
    log_case_end(&c);
}

/* ---- requests ---- */

typedef struct requests {
    ride_feed base;
    log_case *c;
    ride_waker *waker;
    const ride_feed_events *events;
    uint64_t random;
    uint32_t stream, polled;
    bool assigned;
    uint32_t burst; /* of one poll, at most */
    bool fails;     /* in the end, instead of a stop */
    _Atomic uint32_t answered, scored, rejected, released;
    _Atomic uint8_t *answers; /* [REQUESTS] */
} requests;

/* Some are answered by the feed itself, and only released here. */
static bool waits(int64_t number) { return number % 13 != 0; }

static ride_status requests_poll(ride_feed *feed, uint32_t stream, ride_message *out, uint32_t max, uint32_t *count,
                                 ride_error *err) {
    requests *r = (requests *)feed;
    const fake_log *log = &r->c->log;
    (void)stream;
    *count = 0;
    ride_waker_wake(r->waker);
    if (!r->assigned) {
        ride_stream_info info = {.source = "tx", .topic = "requests", .committed = RIDE_OFFSET_NONE};
        RIDE_TRY(r->events->assigned(r->events->context, &info, 1, err));
        r->stream = info.stream;
        r->assigned = true;
        return RIDE_OK;
    }
    if (r->polled == REQUESTS && r->fails) return ride_fail(err, RIDE_E_IO, "crash");
    if (r->polled == REQUESTS) r->c->run.stop = 1;
    uint32_t wanted = (uint32_t)(fake_random_of(&r->random) % (r->polled % 1000 < 500 ? 10 : 200));
    if (wanted > max) wanted = max;
    for (; *count < wanted && r->polled < REQUESTS; (*count)++, r->polled++) {
        const fake_message *m = &log->messages[0][r->polled % log->counts[0]];
        out[*count] = (ride_message){.value = m->value,
                                     .value_bytes = m->value_bytes,
                                     .stream = r->stream,
                                     .offset = r->polled,
                                     .arrival_us = INT64_MIN,
                                     .polled_ns = 1,
                                     .wait = waits(r->polled) ? RIDE_WAIT_RESULT : RIDE_WAIT_TAKEN,
                                     .handle = r};
    }
    return RIDE_OK;
}
static void requests_answer(ride_feed *feed, const ride_message *message, const ride_answer *answer) {
    requests *r = (requests *)feed;
    CHECK(r->answers[message->offset]++ == 0, "%lld was answered twice", (long long)message->offset);
    r->answered++;
    r->scored += answer->status == RIDE_OK;
    r->rejected += answer->status == RIDE_E_DATA;
}
static void requests_release(ride_feed *feed, ride_message *messages, uint32_t count) {
    requests *r = (requests *)feed;
    for (uint32_t i = 0; i < count; i++)
        CHECK(r->answers[messages[i].offset] == waits(messages[i].offset), "%lld is released before its answer",
              (long long)messages[i].offset);
    r->released += count;
}
static void requests_close(ride_feed *feed) { (void)feed; }
static ride_status requests_open(void *context, const ride_feed_events *events, ride_waker *waker, ride_feed **out,
                                 ride_error *err) {
    static const ride_feed_ops ops = {.name = "requests",
                                      .poll = requests_poll,
                                      .release = requests_release,
                                      .answer = requests_answer,
                                      .close = requests_close};
    requests *r = context;
    (void)err;
    r->base.ops = &ops;
    r->events = events;
    r->waker = waker;
    *out = &r->base;
    return RIDE_OK;
}

/* As log_case_serve, without results by message: nothing but answers. */
static ride_status serve_without_outlet(log_case *c) {
    c->run.stop = 0;
    ride_diagnostics_init(&c->run.findings);
    return ride_service_run(&c->options, &c->run.summary, &c->run.findings, &c->run.err);
}

/* With batches of one row and no outlet, what one poll brings is more batches than may be on their way. */
static void every_request_is_answered_once(bool fails, bool has_outlet, uint32_t rows) {
    static log_case c;
    requests r = {.c = &c, .burst = rows == 1 ? 256 : 40, .fails = fails, .answers = calloc(REQUESTS, 1)};
    begin(&c);
    c.input.format = RIDE_FORMAT_NDJSON;
    c.options.journal_path = NULL;
    c.options.run.pipelined = true;
    c.options.run.batch_rows_max = rows;
    c.options.feeds[0].open = requests_open;
    c.options.feeds[0].context = &r;
    c.log.full_every = 100;
    for (int64_t i = 0; i < c.log.counts[0]; i++) { /* requests are JSON */
        fake_message *m = &c.log.messages[0][i];
        char text[512];
        const int bytes =
            i % 40 == 39
                ? snprintf(text, sizeof text, "{\"tx_id\": ")
                : snprintf(text, sizeof text,
                           "{\"tx_id\":%lld,\"ts\":%lld,\"card\":\"c%lld\",\"terminal\":%lld,\"amount\":%lld.50,"
                           "\"currency\":\"EUR\",\"mcc\":5411,\"channel\":\"pos\",\"country\":\"DE\","
                           "\"is_fraud\":false}",
                           (long long)(i - i % 9), 1767225600000 + (long long)i * 1000, (long long)i % 50,
                           (long long)i % 9, (long long)i % 70);
        m->value = strdup(text);
        m->value_bytes = (uint32_t)bytes;
    }
    const ride_status st = has_outlet ? log_case_serve(&c, 4, 0) : serve_without_outlet(&c);
    CHECK(st == (fails ? RIDE_E_IO : RIDE_INTERRUPTED), "%s", c.run.err.what);
    uint32_t wanted = 0, bad = 0;
    for (uint32_t i = 0; i < REQUESTS; i++) {
        wanted += waits(i);
        bad += waits(i) && i % c.log.counts[0] % 40 == 39;
    }
    CHECK(r.answered == wanted && r.released == r.polled && r.polled == REQUESTS, "%u answered, %u released, %u taken",
          r.answered, r.released, r.polled);
    CHECK(bad > 10 && (fails ? r.rejected > 0 && r.rejected <= bad : r.rejected == bad), "%u rejected, not %u",
          r.rejected, bad);
    CHECK(fails || r.scored + r.rejected == wanted, "%u rejected, %u scored", r.rejected, r.scored);
    CHECK(r.scored > 0, "none is scored");
    for (int64_t i = 0; i < c.log.counts[0]; i++) free((char *)(uintptr_t)c.log.messages[0][i].value);
    free((void *)r.answers);
    log_case_end(&c);
}

static void a_stop_ends_although_nothing_is_acknowledged(void) {
    static log_case c;
    for (uint32_t batch = 1; batch <= 512; batch *= 512) {
        begin(&c);
        c.options.run.pipelined = true;
        c.options.run.batch_rows_max = batch;
        c.options.drain_timeout_ns = 50000000;
        c.log.is_away = true;
        c.log.polls_left = 50;
        CHECK(log_case_serve(&c, 5, 0) == RIDE_PENDING, "%s", c.run.err.what);
        CHECK(c.log.committed[0] == RIDE_OFFSET_NONE, "something is stored");
        log_case_end(&c);
    }
}

int main(void) {
    results_are_those_of_one_thread();
    for (int i = 0; i < 4; i++) every_request_is_answered_once(i % 2 == 1, i / 2 == 1, 100);
    every_request_is_answered_once(false, false, 1);
    a_stop_ends_although_nothing_is_acknowledged();
    return 0;
}
