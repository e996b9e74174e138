/* `ride state get`, without its words: before each event the state of its key is asked for as of the event's time; with windows that leave the
 * current event out, the answer has the features that the event is then given, to the last digit. */
#include "../support/log_case.h"
#include "engine/state_desk.h"

#include <criterion/criterion.h>

static const char spec_text[] =
    "version: 1\n"
    "sources:\n"
    "  tx:\n"
    "    format: csv\n"
    "    event_time: {field: ts, unit: ms}\n"
    "    event_id: tx_id\n"
    "    watermark: {bound: 30s, allowed_lateness: 2h, late: side_output}\n"
    "    label: is_fraud\n"
    "    fields: {tx_id: u64, ts: {type: timestamp, unit: ms}, card: string, terminal: u64,\n"
    "             amount: {type: decimal, scale: 2}, currency: string, mcc: u16, channel: string, country: string,\n"
    "             lat: {type: f64, nullable: true}, lon: {type: f64, nullable: true}, is_fraud: bool}\n"
    "entities: {card: {keys: [card], horizon: 9d}, terminal: {keys: [terminal], horizon: 9d},\n"
    "           pair: {keys: [card, terminal], horizon: 9d}}\n"
    "features:\n"
    "  - {entity: card, column: amount, agg: [count, sum, mean, std, var, min, max, last], windows: [1h, 1d, 3d], "
    "current: exclude}\n"
    "  - {entity: card, agg: [count], windows: [2d], where: \"amount > 50\", current: exclude, name: card_big_2d}\n"
    "  - {entity: card, column: terminal, agg: [distinct], windows: [3d], current: exclude}\n"
    "  - {entity: card, column: mcc, agg: [max, last], windows: [1d], current: exclude}\n"
    "  - {entity: card, agg: [since_last]}\n"
    "  - {entity: card, agg: [since_first]}\n"
    "  - {entity: terminal, agg: [count, risk], windows: [1d, 3d], delay: 2d, labels: fixed}\n"
    "  - {entity: terminal, column: amount, agg: [mean, std_pop], windows: [1d], kind: tumbling, current: exclude}\n"
    "  - {entity: terminal, column: amount, agg: [sum], windows: [1d], kind: hopping, hop: 6h}\n"
    "  - {entity: pair, column: amount, agg: [count, mean], windows: [3d], current: exclude}\n"
    "vector: [\"card_*\", \"terminal_*\", \"pair_*\"]\n";

enum { RECORD_COLUMNS = 12, EVENTS = 1500 };

typedef struct asking_feed {
    ride_feed base, *inner;
    struct desk_case *c;
} asking_feed;

typedef struct desk_case {
    log_case log;
    state_desk *desk;
    const char *entity;
    bool waits, answered;
    uint32_t codes[EVENTS];
    char *texts[EVENTS];
    uint64_t asked;
} desk_case;

static void on_answer(void *context, uint32_t code, char *text, size_t bytes) {
    desk_case *c = context;
    (void)bytes;
    c->codes[c->asked] = code;
    c->texts[c->asked] = text;
    c->answered = true;
}

static void cell_of(const char *line, uint32_t bytes, uint32_t column, char *to, size_t room) {
    const char *at = line, *end = line + bytes;
    for (uint32_t c = 0; c < column && at < end; at++) c += *at == ',';
    size_t n = 0;
    while (at + n < end && at[n] != ',' && at[n] != '\n' && n + 1 < room) n++;
    memcpy(to, at, n);
    to[n] = '\0';
}

static void ask(desk_case *c, const fake_message *m) {
    state_question q = {.context = c, .answered = on_answer};
    char ts[32], terminal[32];
    snprintf(q.entity, sizeof q.entity, "%s", c->entity);
    cell_of(m->value, m->value_bytes, 1, ts, sizeof ts);
    cell_of(m->value, m->value_bytes, 3, terminal, sizeof terminal);
    snprintf(q.at, sizeof q.at, "%s000", ts);
    if (strcmp(c->entity, "terminal") != 0) {
        snprintf(q.keys[q.keys_count].field, sizeof q.keys[0].field, "%s",
                 strcmp(c->entity, "pair") == 0 ? "card" : "");
        snprintf(q.keys[q.keys_count++].value, sizeof q.keys[0].value, "%.*s", (int)m->key_bytes, m->key);
    }
    if (strcmp(c->entity, "card") != 0) {
        snprintf(q.keys[q.keys_count].field, sizeof q.keys[0].field, "terminal");
        snprintf(q.keys[q.keys_count++].value, sizeof q.keys[0].value, "%s", terminal);
    }
    cr_assert(state_desk_ask(c->desk, &q));
    cr_assert_not(state_desk_ask(c->desk, &q), "one at a time");
}

static ride_status asking_poll(ride_feed *feed, uint32_t stream, ride_message *out, uint32_t max, uint32_t *count,
                               ride_error *err) {
    asking_feed *f = (asking_feed *)feed;
    desk_case *c = f->c;
    const fake_feed *inner = (const fake_feed *)f->inner;
    *count = 0;
    if (!inner->assigned || inner->next[0] == c->log.log.counts[0])
        return f->inner->ops->poll(f->inner, stream, out, max, count, err);
    if (!c->waits) {
        ask(c, &c->log.log.messages[0][inner->next[0]]);
        c->waits = true;
        return RIDE_OK;
    }
    if (!c->answered) return RIDE_OK;
    c->waits = c->answered = false;
    c->asked++;
    return f->inner->ops->poll(f->inner, stream, out, 1, count, err);
}

static void asking_release(ride_feed *feed, ride_message *messages, uint32_t count) {
    asking_feed *f = (asking_feed *)feed;
    f->inner->ops->release(f->inner, messages, count);
}
static void asking_store(ride_feed *feed, uint32_t stream, int64_t next) {
    asking_feed *f = (asking_feed *)feed;
    f->inner->ops->store(f->inner, stream, next);
}
static ride_status asking_commit(ride_feed *feed, uint64_t timeout_ns, ride_error *err) {
    asking_feed *f = (asking_feed *)feed;
    return f->inner->ops->commit(f->inner, timeout_ns, err);
}
static void asking_close(ride_feed *feed) {
    asking_feed *f = (asking_feed *)feed;
    f->inner->ops->close(f->inner);
    free(f);
}

static ride_status asking_open(void *context, const ride_feed_events *events, ride_waker *waker, ride_feed **out,
                               ride_error *err) {
    static const ride_feed_ops ops = {.name = "asking",
                                      .poll = asking_poll,
                                      .release = asking_release,
                                      .store = asking_store,
                                      .commit = asking_commit,
                                      .close = asking_close};
    desk_case *c = context;
    asking_feed *f = calloc(1, sizeof *f);
    f->base.ops = &ops;
    f->c = c;
    RIDE_TRY(fake_feed_open(&c->log.log, events, waker, &f->inner, err));
    *out = &f->base;
    return RIDE_OK;
}

/* "feature":"NAME","value":X of an answer. */
static void value_of(const char *text, const char *name, char *to, size_t room) {
    char wanted[128];
    snprintf(wanted, sizeof wanted, "{\"feature\":\"%s\",\"value\":", name);
    const char *at = strstr(text, wanted);
    cr_assert_not_null(at, "%s is not in %s", name, text);
    at += strlen(wanted);
    snprintf(to, room, "%.*s", (int)strcspn(at, ",}"), at);
    if (strcmp(to, "null") == 0) to[0] = '\0';
}

static void begin(desk_case *c, const char *entity, char spec[256]) {
    memset(c, 0, sizeof *c);
    cr_assert(log_case_begin(&c->log, 1, EVENTS));
    snprintf(spec, 256, "%s/spec.yaml", c->log.run.folder);
    FILE *to = fopen(spec, "w");
    fputs(spec_text, to);
    fclose(to);
    c->entity = entity;
    cr_assert_eq(state_desk_create(&c->log.waker, &c->desk, &c->log.run.err), RIDE_OK);
    ride_service_options *o = &c->log.options;
    o->run.spec_path = spec;
    o->run.model_path = NULL;
    o->run.rules_count = 0;
    o->desk = c->desk;
    o->feeds[0].open = asking_open;
    o->feeds[0].context = c;
}

static void end(desk_case *c) {
    for (uint32_t i = 0; i < EVENTS; i++) free(c->texts[i]);
    state_desk_destroy(c->desk);
    log_case_end(&c->log);
}

/* The features of the entity, in the order of the vector. */
static const char *const card_names[] = {"card_amount_count_1h", "card_amount_count_1d",      "card_amount_count_3d",
                                         "card_amount_sum_1h",   "card_amount_sum_1d",        "card_amount_sum_3d",
                                         "card_amount_mean_1h",  "card_amount_mean_1d",       "card_amount_mean_3d",
                                         "card_amount_std_1h",   "card_amount_std_1d",        "card_amount_std_3d",
                                         "card_amount_var_1h",   "card_amount_var_1d",        "card_amount_var_3d",
                                         "card_amount_min_1h",   "card_amount_min_1d",        "card_amount_min_3d",
                                         "card_amount_max_1h",   "card_amount_max_1d",        "card_amount_max_3d",
                                         "card_amount_last_1h",  "card_amount_last_1d",       "card_amount_last_3d",
                                         "card_big_2d",          "card_terminal_distinct_3d", "card_mcc_max_1d",
                                         "card_mcc_last_1d",     "card_since_last",           "card_since_first"};
static const char *const terminal_names[] = {"terminal_count_1d",       "terminal_count_3d",
                                             "terminal_risk_1d",        "terminal_risk_3d",
                                             "terminal_amount_mean_1d", "terminal_amount_std_pop_1d",
                                             "terminal_amount_sum_1d"};
static const char *const pair_names[] = {"pair_amount_count_3d", "pair_amount_mean_3d"};
enum {
    CARD = sizeof card_names / sizeof *card_names,
    TERMINAL = sizeof terminal_names / sizeof *terminal_names,
    PAIR = sizeof pair_names / sizeof *pair_names
};

static void compare(const char *entity, const char *const *names, uint32_t names_count, uint32_t first) {
    static desk_case c;
    char spec[256], shown[64], given[64];
    begin(&c, entity, spec);
    cr_assert_eq(log_case_serve(&c.log, 3, 0), RIDE_INTERRUPTED, "%s", c.log.run.err.what);
    cr_assert_eq(c.asked, EVENTS);
    uint64_t known = 0, compared = 0;
    for (uint64_t i = 0; i < c.log.log.results_count; i++) {
        const fake_result *r = &c.log.log.results[i];
        if (r->target != RIDE_TARGET_DECISIONS) continue;
        cr_assert(c.codes[r->offset] == 200 || c.codes[r->offset] == 404, "%s", c.texts[r->offset]);
        if (c.codes[r->offset] != 200) continue;
        known++;
        for (uint32_t n = 0; n < names_count; n++) {
            value_of(c.texts[r->offset], names[n], shown, sizeof shown);
            cell_of(r->value, r->bytes, RECORD_COLUMNS + first + n, given, sizeof given);
            cr_assert_str_eq(shown, given, "%s of event %lld:\n%s\n%s", names[n], (long long)r->offset, r->value,
                             c.texts[r->offset]);
            compared += given[0] != '\0';
        }
    }
    cr_assert_gt(known, EVENTS / 4);
    cr_assert_gt(compared, known);
    end(&c);
}

Test(state_desk, a_card_has_what_its_next_event_is_given, .timeout = 120) { compare("card", card_names, CARD, 0); }
Test(state_desk, a_terminal_with_labels_and_aligned_windows_has_too, .timeout = 120) {
    compare("terminal", terminal_names, TERMINAL, CARD);
}
Test(state_desk, a_key_of_two_fields_is_found, .timeout = 120) { compare("pair", pair_names, PAIR, CARD + TERMINAL); }

/* ---- what is told of an event ---- */

enum { WIDE_FIELDS = 80, WIDE_EVENTS = 20 };

/* Columns of which something is stored are told, wherever they stand in the row. */
Test(state_desk, an_event_has_every_stored_column_of_a_wide_row, .timeout = 120) {
    static desk_case c;
    static char lines[WIDE_EVENTS][16 * WIDE_FIELDS];
    static const uint32_t kept[] = {0, 40, 58, 59, 60, 61, 62, 63, 64, WIDE_FIELDS - 1};
    char spec[256];
    begin(&c, "card", spec);
    FILE *to = fopen(spec, "w");
    fputs("version: 1\nsources:\n  tx:\n    format: csv\n    event_time: {field: ts, unit: ms}\n    event_id: id\n"
          "    fields: {id: u64, ts: {type: timestamp, unit: ms}, card: string",
          to);
    for (int i = 0; i < WIDE_FIELDS; i++) fprintf(to, ", f%d: u32", i);
    fputs("}\nentities: {card: {keys: [card], horizon: 9d}}\nfeatures:\n", to);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        fprintf(to, "  - {entity: card, column: f%u, agg: [last], windows: [1d], current: exclude}\n", kept[i]);
    fputs("vector: [\"card_*\"]\n", to);
    fclose(to);
    c.log.log.counts[0] = 0;
    for (int n = 0; n < WIDE_EVENTS; n++) {
        int at = snprintf(lines[n], sizeof lines[n], "%d,%lld,c", n, 1767225600000LL + n * 1000);
        for (int i = 0; i < WIDE_FIELDS; i++)
            at += snprintf(lines[n] + at, sizeof lines[n] - (size_t)at, ",%d", 1000 * n + i);
        fake_append(&c.log.log, 0, "c", 1, lines[n], (uint32_t)at);
    }
    cr_assert_eq(log_case_serve(&c.log, 3, 0), RIDE_INTERRUPTED, "%s", c.log.run.err.what);
    cr_assert_eq(c.asked, WIDE_EVENTS);
    for (int n = 1; n < WIDE_EVENTS; n++) {
        cr_assert_eq(c.codes[n], 200, "%s", c.texts[n]);
        const char *newest = strstr(c.texts[n], "\"newest\":[{");
        cr_assert_not_null(newest, "%s", c.texts[n]);
        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
            char wanted[32];
            snprintf(wanted, sizeof wanted, "\"f%u\":%u", kept[i], 1000 * (n - 1) + kept[i]);
            const char *found = strstr(newest, wanted);
            cr_assert(found != NULL && found < strchr(newest, '}'), "event %d has no %s: %.600s", n - 1, wanted,
                      newest);
        }
        cr_assert_null(strstr(newest, "\"f1\":"), "what is not stored is not told");
    }
    end(&c);
}

/* ---- what is refused ---- */

typedef struct kept {
    uint32_t code;
    char *text;
} kept;
static void keep(void *context, uint32_t code, char *text, size_t bytes) {
    kept *k = context;
    (void)bytes;
    k->code = code;
    k->text = text;
}

Test(state_desk, a_desk_that_is_closed_takes_nothing_and_answers_what_it_has) {
    ride_waker waker;
    state_desk *desk = NULL;
    kept k = {0};
    state_question q = {.entity = "card", .context = &k, .answered = keep};
    cr_assert_eq(ride_waker_open(&waker, NULL), RIDE_OK);
    cr_assert_eq(state_desk_create(&waker, &desk, NULL), RIDE_OK);
    cr_assert(state_desk_ask(desk, &q));
    state_desk_close(desk);
    cr_assert_eq(k.code, 503);
    free(k.text);
    cr_assert_not(state_desk_ask(desk, &q));
    state_desk_destroy(desk);
    state_desk_serve(NULL, NULL, "");
    state_desk_close(NULL);
    ride_waker_close(&waker);
}
