/* What a service reads again: it is ready when all of that is computed, what is counted of it is counted once, and an error in the midst of it
 * leaves the counters of the run. And what is refused before anything is read.
 * ride-test: timeout=300 */
#include "../support/log_case.h"
#include "engine/state_desk.h"

#include <criterion/criterion.h>
#include <pthread.h>

static void begin(log_case *c, uint32_t partitions, uint32_t events_max, bool pipelined) {
    cr_assert(log_case_begin(c, partitions, events_max));
    c->options.run.pipelined = pipelined;
}

/* ---- ready ---- */

typedef struct watch {
    state_desk *desk;
    _Atomic uint32_t computed; /* batches that the thread which computes has behind it */
    uint32_t computed_when_ready, readies;
} watch;

static void ask(watch *w);

/* Who computes answers after each batch, and is slow: batches wait behind it. */
static void on_answer(void *context, uint32_t code, char *text, size_t bytes) {
    watch *w = context;
    char name[16];
    (void)code;
    (void)bytes;
    free(text);
    if (pthread_getname_np(pthread_self(), name, sizeof name) == 0 && strcmp(name, "ride-compute") == 0) {
        ride_clock_sleep_until_ns(ride_clock_real(), ride_clock_now_ns(ride_clock_real()) + 5000000);
        atomic_fetch_add(&w->computed, 1);
    }
    ask(w);
}

static void ask(watch *w) {
    const state_question q = {.entity = "nothing", .context = w, .answered = on_answer};
    (void)state_desk_ask(w->desk, &q); /* refused at the end */
}

static void on_ready(void *context, const char *part, bool ready, const char *why) {
    watch *w = context;
    (void)why;
    if (!ready || strcmp(part, "state") != 0) return;
    if (w->readies++ == 0) w->computed_when_ready = atomic_load(&w->computed);
}

/* The journal is an older copy, and all that it lacks was stored: nothing goes out, and all of it is read again beyond the journal's end. */
static void it_is_not_ready_before_what_is_read_again_is_computed(uint32_t events, uint32_t batch_rows) {
    static log_case c;
    watch w = {.computed = 0};
    char older[192], command[400];
    begin(&c, 1, events, true);
    const int64_t all = c.log.counts[0];
    snprintf(older, sizeof older, "%s.older", c.journal);
    c.log.counts[0] = 0;
    cr_assert_eq(log_case_serve(&c, 1, 0), RIDE_INTERRUPTED, "%s", c.run.err.what);
    snprintf(command, sizeof command, "cp %s %s", c.journal, older);
    cr_assert_eq(system(command), 0);
    c.log.counts[0] = all;
    cr_assert_eq(log_case_serve(&c, 2, 0), RIDE_INTERRUPTED, "%s", c.run.err.what);
    cr_assert_eq(c.log.committed[0], all);
    snprintf(command, sizeof command, "cp %s %s", older, c.journal);
    cr_assert_eq(system(command), 0);
    cr_assert_eq(state_desk_create(&c.waker, &w.desk, &c.run.err), RIDE_OK);
    ask(&w);
    c.options.desk = w.desk;
    c.options.ready = on_ready;
    c.options.ready_context = &w;
    c.options.run.batch_rows_max = batch_rows;
    fake_results_free(&c.log);
    cr_assert_eq(log_case_serve(&c, 3, 0), RIDE_INTERRUPTED, "%s", c.run.err.what);
    cr_assert_eq(c.log.results_count, 0);
    cr_assert_geq(w.readies, 1);
    cr_assert_gt(w.computed, 0);
    cr_assert_eq(w.computed_when_ready, w.computed, "ready with %u of %u batches computed", w.computed_when_ready,
                 w.computed);
    state_desk_destroy(w.desk);
    log_case_end(&c);
}
Test(service_again, it_is_not_ready_while_batches_that_are_read_again_are_on_their_way) {
    it_is_not_ready_before_what_is_read_again_is_computed(2000, 128);
}
Test(service_again, it_is_not_ready_while_one_is_in_hand) {
    it_is_not_ready_before_what_is_read_again_is_computed(700, 1024);
}

/* ---- an error ---- */

static uint64_t polls, lose_at;
/* At some poll the partitions are lost and given out again, so all windows are made anew. */
static void lose(fake_log *log) {
    if (++polls == lose_at) log->rebalance_next = FAKE_LOST;
}
/* Soon after that, in the midst of the rebuild of what was stored, the log fails. */
static void lose_then_fail(fake_log *log) {
    lose(log);
    if (polls == lose_at) log->committed[0] = 1000;
    if (polls == lose_at + 2) log->crash_after = log->calls + 1;
}

static void an_error_with_a_batch_in_hand_that_is_read_again_leaves_the_counters(bool pipelined) {
    static log_case c;
    begin(&c, 1, UINT32_MAX, pipelined);
    polls = 0;
    lose_at = 10; /* chunks of 256 */
    c.log.script = lose_then_fail;
    c.options.run.vector = true;
    cr_assert_eq(log_case_serve(&c, 1, 0), RIDE_E_IO);
    cr_assert_str_eq(c.run.err.what, "crash");
    const ride_run_summary *s = &c.run.summary;
    uint64_t decided = 0;
    for (uint64_t i = 0; i < c.log.results_count; i++) decided += c.log.results[i].target == RIDE_TARGET_DECISIONS;
    cr_assert_gt(decided, 1000);
    cr_assert_eq(s->accepted + s->duplicates, decided, "%llu and %llu, but %llu decisions",
                 (unsigned long long)s->accepted, (unsigned long long)s->duplicates, (unsigned long long)decided);
    cr_assert_gt(s->alerts_count, 0);
    for (uint32_t i = 0; i < s->alerts_count; i++)
        cr_assert_gt(s->alerts[i].features_count, 0, "what stands out in an alert is told at the end");
    log_case_end(&c);
}
Test(service_again, an_error_with_a_batch_in_hand_that_is_read_again_leaves_the_counters) {
    an_error_with_a_batch_in_hand_that_is_read_again_leaves_the_counters(false);
}
Test(service_again_pipelined, an_error_with_a_batch_in_hand_that_is_read_again_leaves_the_counters) {
    an_error_with_a_batch_in_hand_that_is_read_again_leaves_the_counters(true);
}

/* ---- labels ---- */

enum { LABELS = 40 };

/* The card-fraud spec with its labels from a topic. */
static void use_labels(log_case *c, char spec[160], ride_service_input inputs[2], char text[LABELS][48]) {
    static const char source[] = "\n  chargebacks:\n"
                                 "    format: csv\n"
                                 "    event_time: {field: reported_at, unit: ms}\n"
                                 "    fields: {tx_id: u64, reported_at: {type: timestamp, unit: ms}, is_fraud: bool}\n"
                                 "    labels: {source: tx, key: tx_id, value: is_fraud}\n";
    size_t bytes = 0;
    char *told = run_case_file(c->run.spec, &bytes), *label = strstr(told, "    label: is_fraud"),
         *entities = strstr(told, "\nentities:");
    cr_assert(label != NULL && entities != NULL);
    memset(label, '#', 1);
    snprintf(spec, 160, "%s/labels.yaml", c->run.folder);
    FILE *to = fopen(spec, "w");
    fprintf(to, "%.*s%s%s", (int)(entities - told), told, source, entities);
    fclose(to);
    free(told);
    const uint32_t at = c->log.partitions++;
    c->log.other_first = at;
    c->log.other_source = c->log.other_topic = "chargebacks";
    c->log.committed[at] = RIDE_OFFSET_NONE;
    unsigned long long id = 0, ts = 0;
    cr_assert_eq(sscanf(strchr(c->events, '\n') + 1, "%llu,%llu", &id, &ts), 2);
    for (uint32_t i = 0; i < LABELS; i++) { /* for events that never come */
        snprintf(text[i], 48, "%u,%llu,1", 900000000 + i, ts + i);
        fake_append(&c->log, at, NULL, 0, text[i], (uint32_t)strlen(text[i]));
    }
    inputs[0] = c->input;
    inputs[1] = (ride_service_input){.source = "chargebacks", .format = RIDE_FORMAT_CSV};
    c->options.inputs = inputs;
    c->options.inputs_count = 2;
    c->options.run.spec_path = spec;
}

static void labels_that_wait_are_counted_once_over_a_rebalance(bool pipelined) {
    static log_case c;
    static char text[LABELS][48];
    char spec[160];
    ride_service_input inputs[2];
    begin(&c, 1, 1000, pipelined);
    use_labels(&c, spec, inputs, text);
    polls = 0;
    lose_at = 40;
    c.log.script = lose;
    c.log.burst_max = 30;
    cr_assert_eq(log_case_serve(&c, 5, 0), RIDE_INTERRUPTED, "%s: %s", c.run.err.what, c.run.err.where);
    cr_assert_eq(c.log.rebalances, 1);
    cr_assert_eq(c.run.summary.labels_unknown, LABELS, "%llu labels wait",
                 (unsigned long long)c.run.summary.labels_unknown);
    log_case_end(&c);
}
Test(service_again, labels_that_wait_are_counted_once_over_a_rebalance) {
    labels_that_wait_are_counted_once_over_a_rebalance(false);
}
Test(service_again_pipelined, labels_that_wait_are_counted_once_over_a_rebalance) {
    labels_that_wait_are_counted_once_over_a_rebalance(true);
}

/* ---- refused ---- */

Test(service_again, more_rules_than_there_is_room_for_are_refused) {
    static log_case c;
    static ride_rule_spec rules[RIDE_RULES_MAX + 1];
    static char ids[RIDE_RULES_MAX + 1][8];
    begin(&c, 1, 20, false);
    for (uint32_t i = 0; i <= RIDE_RULES_MAX; i++) {
        snprintf(ids[i], sizeof ids[i], "r%u", i);
        rules[i] = run_case_rules[0];
        rules[i].id = ids[i];
    }
    c.options.run.rules = rules;
    c.options.run.rules_count = RIDE_RULES_MAX + 1;
    cr_assert_eq(log_case_serve(&c, 1, 0), RIDE_E_CONFIG);
    cr_assert_str_eq(c.run.err.what, "more than 1024 rules");
    c.options.run.rules_count = RIDE_RULES_MAX;
    cr_assert_eq(log_case_serve(&c, 1, 0), RIDE_INTERRUPTED, "%s", c.run.err.what);
    cr_assert_eq(c.log.committed[0], 20);
    log_case_end(&c);
}
