/* `ride replay`, without its words: one decision computed again, by its id or its place, from no more of the log than its windows need. */
#include "../support/log_case.h"
#include "engine/replay_event.h"

#include <criterion/criterion.h>

static ride_replay_answer answer;

static ride_status replay(log_case *c, const char *id, int32_t partition, int64_t offset) {
    static ride_replay_place at;
    at = (ride_replay_place){.topic = "events", .partition = partition, .offset = offset};
    ride_replay_options options = {.service = c->options,
                                   .results_open = fake_results_open,
                                   .results_context = &c->results,
                                   .event_id = id,
                                   .at = id == NULL ? &at : NULL};
    log_case_calm(c);
    ride_replay_answer_free(&answer);
    options.service.run.backend = "reference";
    ride_diagnostics_init(&c->run.findings);
    return ride_replay_event(&options, &answer, &c->run.findings, &c->run.err);
}

static const fake_result *result_of(const log_case *c, uint32_t partition, int64_t offset) {
    for (uint64_t i = 0; i < c->log.results_count; i++) {
        const fake_result *r = &c->log.results[i];
        if (r->target == RIDE_TARGET_DECISIONS && r->partition == partition && r->offset == offset) return r;
    }
    return NULL;
}

static bool member_is(const char *name, const char *value) {
    const char *at = answer.record, *end = answer.record + strlen(answer.record);
    record_member m;
    while (record_member_next(&at, end, &m))
        if (m.name_bytes == strlen(name) && memcmp(m.name, name, m.name_bytes) == 0)
            return m.value_bytes == strlen(value) && memcmp(m.value, value, m.value_bytes) == 0;
    return false;
}

static void serve(log_case *c, uint32_t partitions, uint32_t events) {
    cr_assert(log_case_begin(c, partitions, events));
    c->log.burst_max = 40;
    cr_assert_eq(log_case_serve(c, 3, 300), RIDE_E_IO, "%s", c->run.err.what);
    cr_assert_eq(log_case_serve(c, 4, 0), RIDE_INTERRUPTED, "%s", c->run.err.what);
}

Test(replay_event, any_decision_is_computed_again_by_its_id, .timeout = 120) {
    static log_case c;
    serve(&c, 3, 900);
    for (uint32_t p = 0; p < 3; p++)
        for (int64_t offset = 0; offset < c.log.counts[p]; offset += 61) {
            const fake_result *r = result_of(&c, p, offset);
            char id[32];
            snprintf(id, sizeof id, "%.*s", (int)strcspn(r->value, ","), r->value);
            cr_assert_eq(replay(&c, id, 0, 0), RIDE_OK, "%s: %s", id, c.run.err.what);
            cr_assert_eq(answer.place.partition, (int32_t)p);
            cr_assert_eq(answer.place.offset, offset);
            cr_assert_eq(answer.results_count, 1);
            cr_assert(answer.is_equal, "%s: %s is `%s`, not `%s`", id, answer.diff.field, answer.diff.a, answer.diff.b);
            cr_assert(answer.is_exact);
            cr_assert(member_is("tx_id", id));
            cr_assert_not_null(strstr(answer.record, "\"card_count_1h\":"), "the vector is behind it");
            cr_assert_str_eq(answer.sensitive, "key");
        }
    log_case_end(&c);
}

Test(replay_event, only_what_the_windows_need_is_read, .timeout = 120) {
    static log_case c;
    static char spec[256];
    cr_assert(log_case_begin(&c, 2, UINT32_MAX));
    snprintf(spec, sizeof spec, "%s/short.yaml", c.run.folder);
    FILE *to = fopen(spec, "w");
    fputs("version: 1\n"
          "sources:\n"
          "  tx:\n"
          "    format: csv\n"
          "    event_time: {field: ts, unit: ms}\n"
          "    event_id: tx_id\n"
          "    fields: {tx_id: u64, ts: {type: timestamp, unit: ms}, card: string, terminal: u64,\n"
          "             amount: {type: decimal, scale: 2}, currency: string, mcc: u16, channel: string, country: "
          "string,\n"
          "             lat: {type: f64, nullable: true}, lon: {type: f64, nullable: true}, is_fraud: bool}\n"
          "entities: {card: {keys: [card]}}\n"
          "features: [{entity: card, column: amount, agg: [count, mean], windows: [1d]}]\n"
          "vector: [\"card_*\"]\n",
          to);
    fclose(to);
    c.options.run.spec_path = spec;
    c.options.run.model_path = NULL;
    c.options.run.rules_count = 0;
    c.options.run.batch_rows_max = 64;
    c.log.burst_max = 20;
    cr_assert_eq(log_case_serve(&c, 5, 0), RIDE_INTERRUPTED, "%s", c.run.err.what);
    const int64_t offset = c.log.counts[1] - 100;
    cr_assert_eq(replay(&c, NULL, 1, offset), RIDE_OK, "%s", c.run.err.what);
    cr_assert(answer.is_equal && answer.is_exact);
    cr_assert_lt(answer.events, 900, "of 3,027 in 17 days, one day is needed");
    c.log.begins[0] = c.log.counts[0] / 2; /* what it does not need may be gone */
    c.log.begins[1] = c.log.counts[1] / 2;
    cr_assert_eq(replay(&c, NULL, 1, offset), RIDE_OK, "%s", c.run.err.what);
    cr_assert(answer.is_equal && answer.is_exact);
    c.log.begins[1] = offset - 1;
    cr_assert_eq(replay(&c, NULL, 1, offset), RIDE_OK, "%s", c.run.err.what);
    cr_assert_not(answer.is_exact, "what it needs is gone, and that is said");
    c.log.begins[1] = offset + 1;
    cr_assert_eq(replay(&c, NULL, 1, offset), RIDE_E_DATA, "the message itself is gone");
    log_case_end(&c);
}

Test(replay_event, a_changed_result_is_told_with_its_field, .timeout = 120) {
    static log_case c;
    serve(&c, 1, 400);
    int64_t offset = 399;
    char *decision = NULL;
    for (; (decision = strstr(result_of(&c, 0, offset)->value, "approve")) == NULL; offset--) cr_assert_gt(offset, 300);
    decision[0] = 'A';
    cr_assert_eq(replay(&c, NULL, 0, offset), RIDE_OK, "%s", c.run.err.what);
    cr_assert_not(answer.is_equal);
    cr_assert_str_eq(answer.diff.field, "decision");
    cr_assert_str_eq(answer.diff.a, "Approve");
    cr_assert_str_eq(answer.diff.b, "approve");
    log_case_end(&c);
}

Test(replay_event, what_is_not_there_is_said, .timeout = 120) {
    static log_case c;
    serve(&c, 1, 200);
    cr_assert_eq(replay(&c, "no-such-id", 0, 0), RIDE_E_NO_INPUT);
    cr_assert_not_null(strstr(c.run.err.what, "no-such-id"));
    cr_assert_eq(replay(&c, NULL, 0, 200), RIDE_E_NO_INPUT, "not met yet");
    cr_assert_eq(replay(&c, NULL, 7, 0), RIDE_E_NO_INPUT, "no such partition");
    log_case_end(&c);
}

Test(replay_event, a_rejected_message_says_why, .timeout = 120) {
    static log_case c;
    cr_assert(log_case_begin(&c, 1, 100));
    fake_append(&c.log, 0, NULL, 0, "this is no event", 16);
    c.log.burst_max = 40;
    cr_assert_eq(log_case_serve(&c, 4, 0), RIDE_INTERRUPTED, "%s", c.run.err.what);
    cr_assert_eq(replay(&c, NULL, 0, 100), RIDE_OK, "%s", c.run.err.what);
    cr_assert_null(answer.record);
    cr_assert_eq(answer.results_count, 0);
    cr_assert_str_neq(answer.reason, "");
    log_case_end(&c);
}
