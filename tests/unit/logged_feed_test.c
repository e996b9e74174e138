/* Requests by way of a log (engine/logged_feed.h): a whole service over a log in memory, over crashes, rebalances, failing and late reports; and the
 * feed alone, with a clock that is moved.
 * No test here has a `.timeout`, as in service_test.c.
 * ride-test: timeout=300 */
#include "engine/logged_feed.h"

#include "../support/fake_requests.h"
#include "../support/log_check.h"

typedef struct logged_case {
    log_case c;
    fake_requests requests;
    fake_writer writer;
    logged_feed_options options;
    char *json; /* texts of the requests */
} logged_case;

/* A line of the golden stream as JSON: what is text there, and what may be empty. */
static size_t to_json(char *to, size_t room, const char *header, const char *line, const char *end) {
    size_t at = (size_t)snprintf(to, room, "{");
    for (const char *name = header; line <= end; name = strpbrk(name, ",\n") + 1) {
        const char *name_end = strpbrk(name, ",\n"), *value_end = memchr(line, ',', (size_t)(end - line));
        if (value_end == NULL) value_end = end;
        const int name_bytes = (int)(name_end - name), bytes = (int)(value_end - line);
        const bool text = strspn(line, "0123456789.-") < (size_t)bytes, truth = strncmp(name, "is_fraud", 8) == 0;
        at += (size_t)snprintf(to + at, room - at, "%s\"%.*s\":", at > 1 ? "," : "", name_bytes, name);
        if (bytes == 0) at += (size_t)snprintf(to + at, room - at, "null");
        else if (truth) at += (size_t)snprintf(to + at, room - at, *line == '1' ? "true" : "false");
        else at += (size_t)snprintf(to + at, room - at, text ? "\"%.*s\"" : "%.*s", bytes, line);
        line = value_end + 1;
    }
    return at + (size_t)snprintf(to + at, room - at, "}");
}

static ride_status open_logged(void *context, const ride_feed_events *events, ride_waker *waker, ride_feed **out,
                               ride_error *err) {
    return logged_feed_open(&((logged_case *)context)->options, events, waker, out, err);
}

/* events_max messages of the golden stream are in `events` (partitions of them), the `requests` behind them come as requests. */
static void begin(logged_case *l, uint32_t partitions, uint32_t partitions_http, uint32_t events_max,
                  uint32_t requests_max) {
    log_case *c = &l->c;
    memset(l, 0, sizeof *l);
    cr_assert(log_case_begin(c, partitions, events_max));
    fake_log *log = &c->log;
    log->partitions = partitions + partitions_http;
    log->other_first = partitions;
    log->other_source = "tx";
    log->other_topic = "http-log";
    log->other_is_json = true;
    log->also = &l->requests.left;
    for (uint32_t p = partitions; p < log->partitions; p++) log->committed[p] = RIDE_OFFSET_NONE;
    const char *line = strchr(c->events, '\n') + 1;
    for (uint32_t i = 0; i < events_max; i++) line = strchr(line, '\n') + 1;
    const size_t room = (size_t)requests_max * 400 + 64;
    l->json = calloc(1, room);
    l->requests.items = calloc(requests_max, sizeof *l->requests.items);
    size_t at = 0;
    for (uint32_t i = 0; i < requests_max && *line != '\0'; i++) {
        const char *end = strchr(line, '\n');
        fake_request *q = &l->requests.items[l->requests.count++];
        const size_t bytes = to_json(l->json + at, room - at, c->events, line, end);
        *q = (fake_request){.text = l->json + at,
                            .bytes = (uint32_t)bytes,
                            .wait = i % 3 == 2 ? RIDE_WAIT_TAKEN : RIDE_WAIT_RESULT};
        at += bytes + 1;
        line = end + 1;
    }
    l->requests.left = l->requests.count;
    l->requests.log = l->writer.log = log;
    l->options = (logged_feed_options){.topic = "http-log",
                                       .key = "card",
                                       .requests_open = fake_requests_open,
                                       .requests_context = &l->requests,
                                       .log_open = fake_feed_open,
                                       .log_context = log,
                                       .writer_open = fake_writer_open,
                                       .writer_context = &l->writer,
                                       .waiting_max = 64};
    c->options.targets_format = RIDE_FORMAT_NDJSON; /* as the answers */
    c->options.feeds[0].open = open_logged;
    c->options.feeds[0].context = l;
}

static void end(logged_case *l) {
    for (uint32_t i = 0; i < l->requests.count; i++) free(l->requests.items[i].record);
    free(l->requests.items);
    free(l->json);
    log_case_end(&l->c);
}

/* Where the request's event is in the log: partition and offset of its only message. */
static bool find_message(const fake_log *log, const fake_request *q, uint32_t *partition, int64_t *offset) {
    uint32_t found = 0;
    for (uint32_t p = log->other_first; p < log->partitions; p++)
        for (int64_t o = 0; o < log->counts[p]; o++)
            if (log->messages[p][o].value == q->text) found++, *partition = p, *offset = o;
    cr_assert_leq(found, 1, "written %u times", found);
    return found == 1;
}

/* What a client was told is true: an event that was acknowledged is in the log and has a result, which is the answer's text. */
static void check_answers(const logged_case *l, const char *what, uint64_t told[3]) {
    for (uint32_t i = 0; i < l->requests.count; i++) {
        const fake_request *q = &l->requests.items[i];
        uint32_t p = 0;
        int64_t offset = 0;
        const bool is_there = find_message(&l->c.log, q, &p, &offset);
        cr_assert(q->polled && q->answers == 1 && q->released, "%s: request %u was not answered once", what, i);
        const fake_result *result = is_there ? log_case_first_of(&l->c.log, p, offset) : NULL;
        cr_assert(!is_there || result != NULL, "%s: request %u is in the log and has no result", what, i);
        if (q->status == RIDE_OK) {
            cr_assert(is_there, "%s: request %u was acknowledged and is not in the log", what, i);
            told[0]++;
            if (q->wait == RIDE_WAIT_TAKEN) continue;
            cr_assert(q->record != NULL && strcmp(q->record, result->value) == 0, "%s: %u was answered\n%s\n%s", what,
                      i, q->record, result->value);
        } else {
            cr_assert_eq(q->status, RIDE_E_UNAVAILABLE);
            const bool logged = strcmp(q->reason, "logged") == 0;
            cr_assert(logged || strcmp(q->reason, "not_logged") == 0 || strcmp(q->reason, "stopping") == 0, "%s",
                      q->reason);
            cr_assert(!logged || is_there, "%s: %u is said to be in the log", what, i);
            cr_assert(strcmp(q->reason, "stopping") != 0 || !is_there, "%s: %u is said not to have been written", what,
                      i);
            told[logged ? 1 : 2]++;
        }
    }
}

Test(logged_feed, what_was_acknowledged_has_a_result_over_crashes) {
    static logged_case l;
    uint64_t repeats = 0, crashes = 0, rebalances = 0, told[3] = {0};
    for (uint64_t seed = 1; seed <= 10; seed++) {
        char what[64];
        snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
        begin(&l, 1 + (uint32_t)(seed % 2), 1 + (uint32_t)(seed % 3), 600, 1500);
        log_case *c = &l.c;
        c->options.run.batch_rows_max = seed % 3 == 0 ? 1 : seed % 3 == 1 ? 64 : 1024;
        c->options.run.pipelined = seed / 2 % 2 == 1;
        c->log.full_every = 50;
        c->log.burst_max = 40;
        c->log.rebalance_every = seed % 2 == 0 ? 400 : 0;
        l.writer.full_every = 20;
        l.writer.fail_every = 60;
        l.writer.hide_every = 60;
        uint64_t attempts = 0;
        for (ride_status st = RIDE_E_IO; st != RIDE_INTERRUPTED; attempts++) {
            cr_assert_lt(attempts, 60, "%s: it does not come to an end", what);
            fake_log chance = {.random = seed * 1000 + attempts};
            st = log_case_serve(c, seed * 77 + attempts, attempts < 6 ? 100 + fake_random(&chance) % 1500 : 0);
            cr_assert(st == RIDE_INTERRUPTED || (st == RIDE_E_IO && strcmp(c->run.err.what, "crash") == 0), "%s: %s",
                      what, c->run.err.what);
            crashes += st != RIDE_INTERRUPTED;
        }
        cr_assert_eq(l.requests.left, 0);
        cr_assert_eq(l.requests.open, 0);
        cr_assert_gt(l.writer.keys, 0);
        repeats += check_results(&c->log, what);
        rebalances += c->log.rebalances;
        check_answers(&l, what, told);
        c->log.also = NULL;
        c->options.feeds[0].open = fake_feed_open; /* a reader: there is nobody who asks */
        c->options.feeds[0].context = &c->log;
        check_replay(c, what);
        end(&l);
    }
    cr_log_info("%llu crashes, %llu repeats, %llu rebalances; %llu acknowledged, %llu in the log only, %llu not known",
                (unsigned long long)crashes, (unsigned long long)repeats, (unsigned long long)rebalances,
                (unsigned long long)told[0], (unsigned long long)told[1], (unsigned long long)told[2]);
    cr_assert_gt(crashes, 40);
    cr_assert_gt(repeats, 50, "nothing was hit: the test would see no loss");
    cr_assert_gt(rebalances, 5);
    cr_assert(told[0] > 10000 && told[1] > 20 && told[2] > 100, "%llu %llu %llu", (unsigned long long)told[0],
              (unsigned long long)told[1], (unsigned long long)told[2]);
}

/* ---- the feed alone ---- */

typedef struct alone {
    logged_case l;
    ride_clock_virtual clock;
    ride_waker waker;
    ride_feed_events events;
    ride_feed *feed;
    ride_message got[64];
    uint32_t got_count, healths;
    bool ready;
    char why[256];
} alone;

static ride_status on_assigned(void *context, ride_stream_info *streams, uint32_t count, ride_error *err) {
    (void)context;
    (void)err;
    for (uint32_t i = 0; i < count; i++) streams[i].stream = 10 + i;
    return RIDE_OK;
}
static void on_at_end(void *context, uint32_t stream) {
    (void)context;
    (void)stream;
}
static void on_health(void *context, bool ready, const char *why) {
    alone *a = context;
    a->ready = ready;
    a->healths++;
    snprintf(a->why, sizeof a->why, "%s", why != NULL ? why : "");
}

/* is_read: what is written to the log comes back. */
static void open_alone(alone *a, uint32_t waiting_max, bool is_read) {
    memset(a, 0, sizeof *a);
    begin(&a->l, 1, 1, 0, 200);
    ride_clock_virtual_init(&a->clock, 0);
    ride_clock_virtual_advance(&a->clock, UINT64_C(1000000000));
    cr_assert_eq(ride_waker_open(&a->waker, NULL), RIDE_OK);
    a->events = (ride_feed_events){.assigned = on_assigned, .at_end = on_at_end};
    a->l.c.log.random = 3;
    a->l.c.log.others = is_read ? 0 : 2;
    logged_feed_options *o = &a->l.options;
    o->waiting_max = waiting_max;
    o->clock = &a->clock.clock;
    o->health = on_health;
    o->health_context = a;
    cr_assert_eq(logged_feed_open(o, &a->events, &a->waker, &a->feed, NULL), RIDE_OK);
}

/* Polls and keeps what came, without releasing it; so often that everything that can move has moved. */
static void poll_all(alone *a) {
    for (int i = 0; i < 60; i++) {
        uint32_t count = 0;
        ride_error err;
        cr_assert_eq(a->feed->ops->poll(a->feed, RIDE_STREAM_ANY, a->got + a->got_count, 64 - a->got_count, &count,
                                        &err),
                     RIDE_OK);
        a->got_count += count;
    }
}

static void close_alone(alone *a) {
    for (uint32_t i = 0; i < a->got_count; i++) a->feed->ops->release(a->feed, &a->got[i], 1);
    a->feed->ops->close(a->feed);
    cr_assert_eq(a->l.requests.open, 0);
    ride_waker_close(&a->waker);
    end(&a->l);
}

static void answer_with(alone *a, uint32_t i, const char *text) {
    const ride_answer how = {.status = RIDE_OK, .text = text, .text_bytes = (uint32_t)strlen(text)};
    a->feed->ops->answer(a->feed, &a->got[i], &how);
}

static uint32_t answered(const alone *a, const char *reason) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < a->l.requests.count; i++)
        count += a->l.requests.items[i].answers > 0 && strcmp(a->l.requests.items[i].reason, reason) == 0;
    return count;
}

Test(logged_feed, answers_find_their_requests_in_any_order_and_no_more_than_the_bound_wait) {
    static alone a;
    open_alone(&a, 32, true);
    a.l.requests.count = a.l.requests.left = 60;
    poll_all(&a);
    cr_assert(a.ready);
    /* each third wanted to know no more than that it is in the log: these made room for others */
    cr_assert_gt(a.l.requests.next, 32);
    cr_assert_eq(a.l.requests.waiting, 32, "%u wait", a.l.requests.waiting);
    for (uint32_t i = a.got_count; i-- > 0;) { /* from the end */
        ride_message *m = &a.got[i];
        const fake_request *q = &a.l.requests.items[0];
        while (q->text != m->value) q++;
        cr_assert_eq(m->wait == RIDE_WAIT_RESULT, q->wait == RIDE_WAIT_RESULT, "message %u", i);
        cr_assert_eq(m->polled_ns, m->wait == RIDE_WAIT_RESULT ? 7 : 1, "when the request came");
        char text[32];
        snprintf(text, sizeof text, "%p", (const void *)m->value);
        if (m->wait == RIDE_WAIT_RESULT) answer_with(&a, i, text);
        a.feed->ops->release(a.feed, m, 1);
    }
    a.got_count = 0;
    poll_all(&a);
    cr_assert_eq(a.l.requests.next, 60, "there was room again");
    for (uint32_t i = 0; i < 60; i++) {
        const fake_request *q = &a.l.requests.items[i];
        char text[32];
        snprintf(text, sizeof text, "%p", (const void *)q->text);
        if (q->wait == RIDE_WAIT_TAKEN) cr_assert(q->released && q->status == RIDE_OK && q->record == NULL);
        else if (q->released) cr_assert_str_eq(q->record, text, "request %u has another's answer", i);
    }
    for (uint32_t i = 0; i < a.got_count; i++)
        if (a.got[i].wait == RIDE_WAIT_RESULT) answer_with(&a, i, "late");
    close_alone(&a);
}

Test(logged_feed, a_log_that_fails_is_told_and_tried_again) {
    static alone a;
    open_alone(&a, 64, true);
    a.l.requests.count = a.l.requests.left = 5;
    a.l.writer.status = RIDE_E_UNAVAILABLE;
    a.l.writer.why = "not enough replicas";
    poll_all(&a);
    cr_assert_eq(answered(&a, "not_logged"), 5);
    cr_assert_not(a.ready);
    cr_assert_str_eq(a.why, "the log does not take events: not enough replicas");
    ride_clock_virtual_advance(&a.clock, UINT64_C(4000000000));
    poll_all(&a);
    cr_assert_not(a.ready);
    ride_clock_virtual_advance(&a.clock, UINT64_C(1100000000));
    poll_all(&a);
    cr_assert(a.ready, "the next request tries it");
    a.l.requests.count = 10;
    a.l.requests.left = 5;
    poll_all(&a);
    cr_assert_not(a.ready);
    a.l.writer.status = RIDE_OK;
    a.l.requests.count = 20;
    a.l.requests.left = 10;
    poll_all(&a);
    cr_assert(a.ready, "it took something: %s", a.why);
    cr_assert_eq(answered(&a, "not_logged"), 10);
    /* its word about itself counts too */
    a.l.writer.events.health(a.l.writer.events.context, false, "no broker at b answers");
    poll_all(&a);
    cr_assert(!a.ready && strcmp(a.why, "no broker at b answers") == 0);
    a.l.writer.events.health(a.l.writer.events.context, true, NULL);
    poll_all(&a);
    cr_assert(a.ready);
    for (uint32_t i = 0; i < a.got_count; i++)
        if (a.got[i].wait == RIDE_WAIT_RESULT) answer_with(&a, i, "x");
    close_alone(&a);
}

Test(logged_feed, nobody_waits_for_ever) {
    static alone a;
    open_alone(&a, 64, false);
    a.l.writer.is_full = true;
    a.l.requests.count = a.l.requests.left = 6;
    poll_all(&a);
    cr_assert_eq(a.l.requests.waiting, 6);
    ride_clock_virtual_advance(&a.clock, UINT64_C(9900000000));
    poll_all(&a);
    cr_assert_eq(a.l.requests.waiting, 6);
    ride_clock_virtual_advance(&a.clock, UINT64_C(200000000));
    poll_all(&a);
    cr_assert_eq(answered(&a, "not_logged"), 6, "what the writer had no room for");
    cr_assert_not(a.ready);
    cr_assert_eq(a.l.c.log.counts[1], 0, "and it is not written any more");
    a.l.writer.is_full = false;
    a.l.writer.is_silent = true; /* sent, and no report */
    a.l.requests.count = 12;
    a.l.requests.left = 6;
    poll_all(&a);
    ride_clock_virtual_advance(&a.clock, UINT64_C(29900000000));
    poll_all(&a);
    cr_assert_eq(a.l.requests.waiting, 6);
    ride_clock_virtual_advance(&a.clock, UINT64_C(200000000));
    poll_all(&a);
    cr_assert_eq(answered(&a, "not_logged"), 12);
    a.l.writer.is_silent = false; /* reports of those come, and find nobody */
    a.l.requests.count = 18;
    a.l.requests.left = 6;
    poll_all(&a);
    ride_clock_virtual_advance(&a.clock, UINT64_C(30100000000));
    poll_all(&a);
    cr_assert_eq(answered(&a, "logged"), 4, "it is in the log: %u", answered(&a, "logged"));
    cr_assert_eq(answered(&a, ""), 2, "who wanted no more was answered before");
    close_alone(&a);
}

Test(logged_feed, what_is_too_large_is_the_sender_s_fault) {
    static alone a;
    open_alone(&a, 64, true);
    a.l.requests.count = a.l.requests.left = 3;
    a.l.writer.status = RIDE_E_DATA;
    poll_all(&a);
    cr_assert_eq(answered(&a, "too_large"), 3);
    cr_assert_eq(a.l.requests.items[0].status, RIDE_E_DATA);
    cr_assert(a.ready, "nothing is wrong with the log");
    close_alone(&a);
}

/* Messages of the topic that name nobody who waits here: another process, an old request, nonsense. */
Test(logged_feed, messages_of_others_are_nobody_s) {
    static alone a;
    open_alone(&a, 8, true);
    a.l.requests.count = a.l.requests.left = 1; /* waits for its result */
    poll_all(&a);
    cr_assert_eq(a.got_count, 1);
    cr_assert_eq(a.got[0].wait, RIDE_WAIT_RESULT);
    fake_log *log = &a.l.c.log;
    const char *mine = log->messages[1][0].token;
    char tokens[9][64];
    snprintf(tokens[0], 64, "%s", mine); /* once more: it was met */
    snprintf(tokens[1], 64, "%.33s99999999999999", mine);
    snprintf(tokens[2], 64, "%.33s", mine);
    snprintf(tokens[3], 64, "%.33s-1", mine);
    snprintf(tokens[4], 64, "x%s", mine + 1);
    snprintf(tokens[5], 64, "%.33s1", mine); /* slot 1 of no number */
    snprintf(tokens[6], 64, "%.33sx", mine);
    snprintf(tokens[7], 64, "%.33s18446744073709551615999", mine);
    tokens[8][0] = '\0';
    for (int i = 0; i < 9; i++) {
        fake_append(log, 1, NULL, 0, "{}", 2);
        memcpy(log->messages[1][log->counts[1] - 1].token, tokens[i], 64);
    }
    poll_all(&a);
    cr_assert_eq(a.got_count, 10);
    for (uint32_t i = 1; i < 10; i++) cr_assert_eq(a.got[i].wait, RIDE_WAIT_NONE, "%s", tokens[i - 1]);
    answer_with(&a, 0, "mine");
    a.feed->ops->release(a.feed, &a.got[0], 1);
    a.got[0] = a.got[--a.got_count];
    cr_assert_str_eq(a.l.requests.items[0].record, "mine");
    close_alone(&a);
}

Test(logged_feed, a_stop_takes_no_more_and_says_what_became_of_the_rest) {
    static alone a;
    open_alone(&a, 64, false);
    a.l.writer.is_silent = true;
    a.l.requests.count = 9;
    poll_all(&a);
    a.l.writer.is_full = true; /* these are taken and cannot be written */
    a.l.requests.count = 12;
    poll_all(&a);
    a.l.requests.left = 12;
    cr_assert(a.feed->ops->settle(a.feed), "they wait");
    cr_assert(!a.ready && strcmp(a.why, "stopping") == 0);
    a.l.requests.count = 20;
    poll_all(&a);
    cr_assert_eq(a.l.requests.next, 12, "no more are taken");
    a.l.writer.is_silent = false; /* the close waits for reports */
    a.feed->ops->close(a.feed);
    cr_assert_eq(answered(&a, ""), 3, "that they are in the log is all they wanted to know");
    cr_assert_eq(answered(&a, "logged"), 6);
    cr_assert_eq(answered(&a, "stopping"), 3);
    cr_assert_eq(a.l.requests.left, 0);
    ride_waker_close(&a.waker);
    end(&a.l);
}

Test(logged_feed, events_of_a_card_are_of_one_partition) {
    static logged_case l;
    begin(&l, 1, 3, 10, 600);
    cr_assert_eq(log_case_serve(&l.c, 5, 0), RIDE_INTERRUPTED, "%s", l.c.run.err.what);
    cr_assert_eq(l.writer.keys, 600);
    const fake_log *log = &l.c.log;
    uint32_t pairs = 0;
    for (uint32_t p = 1; p < 4; p++) {
        cr_assert_gt(log->counts[p], 0);
        for (int64_t o = 0; o < log->counts[p]; o++)
            for (uint32_t q = p + 1; q < 4; q++)
                for (int64_t k = 0; k < log->counts[q]; k += 7, pairs++) {
                    const char *one = strstr(log->messages[p][o].value, "\"card\":\""),
                               *other = strstr(log->messages[q][k].value, "\"card\":\"");
                    cr_assert_neq(strncmp(one, other, 18), 0, "%.20s is in %u and %u", one, p, q);
                }
    }
    cr_assert_gt(pairs, 1000);
    end(&l);
}
