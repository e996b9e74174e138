/* support/service_crash_main.c: a service over a log in memory with any spec, through crashes, rebalances and late acknowledgements.
 *
 *   service_crash SPEC SEED [k]PARTITIONS BATCH EVENTS.csv EVENTS.ndjson [LABELS.ndjson]
 *
 * Sources are named tx and cb; the events are the same in both files, the messages are of the second. Events go to partitions by chance (with
 * one partition: in order); the labels have a partition of their own. What is demanded: every event has a result, repeats have the same
 * bytes, first results of a partition are in order; a replay of the journal, in other batches, gives the same bytes; and with one
 * partition and no labels they are those of a run over the file.
 *
 * k: events go by their field `shop`, which every entity has among its keys (partition_keyed); partitions come and go, and each gives what it gives
 * alone. Says what it saw, or what was wrong, and exits 1. */
#include "log_case.h"

enum { LABELS_AT = 4, ATTEMPTS = 60, CRASHES = 6 };

/* So that a repeat has something to remember. */
static const ride_rule_spec rules[] = {
    {.id = "feature", .when = "f0 > 1", .decision = RIDE_DECISION_DECLINE, .file = "test", .line = 1, .column = 1},
    {.id = "amount", .when = "amount > 3", .decision = RIDE_DECISION_REVIEW, .file = "test", .line = 2, .column = 1},
};
enum { RULES = sizeof rules / sizeof *rules };

static _Noreturn void wrong(const char *what, uint32_t partition, int64_t offset, const char *one, const char *other) {
    printf("%s: %u/%lld\n%s\n%s\n", what, partition, (long long)offset, one != NULL ? one : "",
           other != NULL ? other : "");
    exit(1);
}
static _Noreturn void failed(const char *what, const ride_error *err) {
    printf("%s: %s %s\n", what, err->what, err->advice);
    exit(1);
}

static uint32_t shop_of(const char *line) {
    const char *at = strstr(line, "\"shop\":");
    return at != NULL ? (uint32_t)strtoul(at + strlen("\"shop\":"), NULL, 10) : 0;
}

/* The lines of a file as messages, from `partition` on in so many partitions. */
static char *fill(fake_log *log, const char *path, uint32_t partition, uint32_t partitions, bool by_shop,
                  uint64_t seed) {
    size_t bytes = 0;
    char *text = run_case_file(path, &bytes);
    fake_log chance = {.random = seed};
    if (text == NULL) exit(2);
    for (char *line = text; *line != '\0';) {
        char *end = strchr(line, '\n');
        uint32_t p = partition;
        if (partitions > 1) p += (by_shop ? shop_of(line) : (uint32_t)fake_random(&chance)) % partitions;
        fake_append(log, p, line, 1, line, (uint32_t)(end - line));
        line = end + 1;
    }
    return text;
}

/* The first result of each message of the events, by partition and offset; the caller frees the lists. */
static uint64_t firsts(const fake_log *log, uint32_t partitions, const fake_result **first[FAKE_PARTITIONS_MAX],
                       const char *what) {
    uint64_t repeats = 0;
    int64_t next[FAKE_PARTITIONS_MAX] = {0};
    for (uint32_t p = 0; p < partitions; p++) first[p] = calloc((size_t)log->counts[p] + 1, sizeof *first[p]);
    for (uint64_t i = 0; i < log->results_count; i++) {
        const fake_result *r = &log->results[i];
        if (r->target != RIDE_TARGET_DECISIONS) continue;
        if (r->partition >= partitions || r->offset >= log->counts[r->partition])
            wrong("invented", r->partition, r->offset, r->value, NULL);
        const fake_result **f = &first[r->partition][r->offset];
        if (*f != NULL) {
            if (r->bytes != (*f)->bytes || memcmp(r->value, (*f)->value, r->bytes) != 0)
                wrong(what, r->partition, r->offset, (*f)->value, r->value);
            repeats++;
            continue;
        }
        if (r->offset != next[r->partition]) wrong("out of order", r->partition, r->offset, r->value, NULL);
        next[r->partition]++;
        *f = r;
    }
    for (uint32_t p = 0; p < partitions; p++)
        if (next[p] != log->counts[p]) wrong("missing", p, next[p], NULL, NULL);
    return repeats;
}

static void firsts_free(const fake_result **first[FAKE_PARTITIONS_MAX], uint32_t partitions) {
    for (uint32_t p = 0; p < partitions; p++) free(first[p]);
}

/* Of a log whose results are its own. */
static void check_replay(log_case *c, uint32_t partitions, const fake_result **first[FAKE_PARTITIONS_MAX]) {
    fake_log served = c->log;
    const fake_result **again[FAKE_PARTITIONS_MAX];
    c->log.results = NULL;
    c->log.results_count = c->log.results_room = 0;
    c->log.full_every = c->log.rebalance_every = 0;
    c->options.replay = true;
    c->options.run.batch_rows_max = 33;
    c->options.run.shards = 1;
    if (log_case_serve(c, 1, 0) != RIDE_OK) failed("replay", &c->run.err);
    c->options.replay = false;
    firsts(&c->log, partitions, again, "replayed twice");
    for (uint32_t p = 0; p < partitions; p++)
        for (int64_t i = 0; i < c->log.counts[p]; i++)
            if (first[p][i]->bytes != again[p][i]->bytes ||
                memcmp(first[p][i]->value, again[p][i]->value, again[p][i]->bytes) != 0)
                wrong("the replay differs", p, i, first[p][i]->value, again[p][i]->value);
    firsts_free(again, partitions);
    fake_results_free(&c->log);
    c->log = served;
}

/* Each partition by a process that has no other, with a journal of its own. */
static void check_alone(log_case *c, uint32_t partitions, const fake_result **first[FAKE_PARTITIONS_MAX]) {
    fake_log served = c->log;
    for (uint32_t p = 0; p < partitions; p++) {
        const fake_result **alone[FAKE_PARTITIONS_MAX];
        c->log.results = NULL;
        c->log.results_count = c->log.results_room = 0;
        c->log.full_every = c->log.rebalance_every = 0;
        for (uint32_t i = 0; i < partitions; i++) c->log.committed[i] = RIDE_OFFSET_NONE;
        c->log.others = ~(1u << p);
        remove(c->journal);
        if (log_case_serve(c, p, 0) != RIDE_INTERRUPTED) failed("alone", &c->run.err);
        for (uint32_t i = 0; i < partitions; i++)
            if (i != p) c->log.counts[i] = 0; /* nothing is expected of them */
        firsts(&c->log, partitions, alone, "repeated alone");
        memcpy(c->log.counts, served.counts, sizeof served.counts);
        for (int64_t i = 0; i < c->log.counts[p]; i++)
            if (first[p][i]->bytes != alone[p][i]->bytes ||
                memcmp(first[p][i]->value, alone[p][i]->value, alone[p][i]->bytes) != 0)
                wrong("a partition gives something else alone", p, i, first[p][i]->value, alone[p][i]->value);
        firsts_free(alone, partitions);
        fake_results_free(&c->log);
    }
    c->log = served;
}

/* A run over the file gives the same lines. */
static void check_file(log_case *c, const fake_result **first) {
    size_t bytes = 0;
    c->run.options.spec_path = c->options.run.spec_path;
    c->run.options.model_path = NULL;
    c->run.options.rules = rules;
    c->run.options.rules_count = RULES;
    c->run.options.vector = true;
    if (run_case_run(&c->run) != RIDE_OK) failed("the run over the file", &c->run.err);
    char *text = run_case_file(c->run.output, &bytes);
    const char *line = strchr(text, '\n') + 1;
    for (int64_t i = 0; i < c->log.counts[0]; i++) {
        if (strncmp(line, first[i]->value, first[i]->bytes) != 0 || line[first[i]->bytes] != '\n')
            wrong("the run over the file differs", 0, i, first[i]->value, line);
        line += first[i]->bytes + 1;
    }
    if (*line != '\0') wrong("the run over the file has more", 0, c->log.counts[0], NULL, line);
    free(text);
}

int main(int count, char **words) {
    static log_case c;
    if (count < 7) {
        fputs("service_crash SPEC SEED PARTITIONS BATCH EVENTS.csv EVENTS.ndjson [LABELS.ndjson]\n", stderr);
        return 2;
    }
    const uint64_t seed = strtoull(words[2], NULL, 10);
    const bool keyed = words[3][0] == 'k';
    const uint32_t partitions = (uint32_t)atoi(words[3] + keyed);
    const bool has_labels = count > 7;
    if (partitions < 1 || partitions > LABELS_AT || !log_case_begin(&c, 1, 0)) return 2;
    fake_log_free(&c.log);
    c.log = (fake_log){.source = "tx",
                       .topic = "events",
                       .partitions = partitions,
                       .stop = &c.run.stop,
                       .burst_max = 1 + (uint32_t)(seed % 60)};
    char *events = fill(&c.log, words[6], 0, partitions, keyed, seed), *labels = NULL;
    if (has_labels) {
        c.log.other_first = partitions;
        c.log.other_source = "cb";
        c.log.other_topic = "labels";
        labels = fill(&c.log, words[7], c.log.partitions++, 1, false, seed);
    }
    for (uint32_t p = 0; p < c.log.partitions; p++) c.log.committed[p] = RIDE_OFFSET_NONE;
    static const ride_service_input inputs[] = {{"tx", RIDE_FORMAT_NDJSON}, {"cb", RIDE_FORMAT_NDJSON}};
    c.options.inputs = inputs;
    c.options.inputs_count = has_labels ? 2 : 1;
    snprintf(c.run.events, sizeof c.run.events, "%s", words[5]);
    c.options.run.spec_path = words[1];
    c.options.run.model_path = NULL;
    c.options.run.rules = rules;
    c.options.run.rules_count = RULES;
    c.options.run.vector = true;
    c.options.partition_keyed = keyed;
    c.log.full_every = 40;
    c.log.rebalance_every = seed % 3 == 0 ? 300 : 0;
    ride_status st = RIDE_E_IO;
    uint64_t attempts = 0;
    for (; st != RIDE_INTERRUPTED; attempts++) {
        fake_log chance = {.random = seed * 1000 + attempts};
        if (attempts == ATTEMPTS) wrong("it does not come to an end", 0, 0, NULL, NULL);
        c.options.run.batch_rows_max =
            attempts % 2 == 0 ? (uint32_t)atoi(words[4]) : 1 + (uint32_t)(fake_random(&chance) % 300);
        c.options.run.shards = 1 + (uint32_t)((seed + attempts) % 3);
        c.log.in_turn = keyed && fake_chance(&chance, 3); /* clocks far apart */
        c.log.others = keyed && attempts < CRASHES ? (uint32_t)fake_random(&chance) : 0;
        st = log_case_serve(&c, seed * 77 + attempts, attempts < CRASHES ? 10 + fake_random(&chance) % 400 : 0);
        if (st != RIDE_INTERRUPTED && !(st == RIDE_E_IO && strcmp(c.run.err.what, "crash") == 0))
            failed("serving", &c.run.err);
    }
    const fake_result **first[FAKE_PARTITIONS_MAX];
    const uint64_t repeats = firsts(&c.log, partitions, first, "repeated with other bytes");
    check_replay(&c, partitions, first);
    if (partitions == 1 && !has_labels) check_file(&c, first[0]);
    if (keyed) check_alone(&c, partitions, first);
    printf("attempts=%llu repeats=%llu rebalances=%llu\n", (unsigned long long)attempts, (unsigned long long)repeats,
           (unsigned long long)c.log.rebalances);
    firsts_free(first, partitions);
    free(events);
    free(labels);
    log_case_end(&c);
    return 0;
}
