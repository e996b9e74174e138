/* Shards under ThreadSanitizer: whole runs with several, over late, repeated and labelled events, cut and resumed with other numbers; and the
 * gate that hands their work over. Every run must give the bytes of one shard. */
#include "base/gate.h"
#include "base/log.h"
#include "engine/engine.h"
#include "tests/support/small_model.h"
#define CHECK_NOW now
#include "tests/support/check_exit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { EVENTS = 12000, TURNS = 3000 };
#else
enum { EVENTS = 60000, TURNS = 30000 };
#endif
static const char *now = "start";

/* ---- the gate: two threads pass a number to and fro, and what was written before it ---- */

typedef struct court {
    ride_gate ball;
    uint32_t written; /* plain memory: seen because of the ball */
    int alone;
} court;

static void *player(void *context) {
    court *c = context;
    ride_gate_wait wait;
    ride_gate_wait_init(&wait, c->alone);
    for (uint32_t ball = 0; ball < 2 * TURNS;) {
        ball = ride_gate_wait_change(&c->ball, ball, &wait); /* odd: mine */
        CHECK(c->written == ball);
        c->written = ++ball;
        ride_gate_set(&c->ball, ball);
    }
    return NULL;
}

static void gate_passes_everything_on(int alone) {
    court c = {.alone = alone};
    pthread_t other;
    ride_gate_wait wait;
    now = "gate";
    ride_gate_wait_init(&wait, alone);
    CHECK(pthread_create(&other, NULL, player, &c) == 0);
    for (uint32_t ball = 0; ball < 2 * TURNS;) {
        c.written = ++ball;
        ride_gate_set(&c.ball, ball);
        ball = ride_gate_wait_change(&c.ball, ball, &wait);
        CHECK(c.written == ball);
    }
    pthread_join(other, NULL);
    CHECK(ride_gate_value(&c.ball) == 2 * TURNS);
}

/* ---- runs ---- */

static const char spec_text[] =
    "version: 1\n"
    "sources:\n"
    "  tx:\n"
    "    format: csv\n"
    "    event_time: {field: ts, unit: s}\n"
    "    event_id: id\n"
    "    dedup: 2h\n"
    "    watermark: {bound: 30s, allowed_lateness: 10m, late: side_output}\n"
    "    fields: {id: u64, ts: {type: timestamp, unit: s}, card: string, shop: {type: u32, nullable: true}, amount: "
    "{type: decimal, scale: 2}}\n"
    "  backs:\n"
    "    format: csv\n"
    "    event_time: {field: ts, unit: s}\n"
    "    labels: {source: tx, key: id, value: fraud}\n"
    "    fields: {id: u64, fraud: bool}\n"
    "entities:\n"
    "  card: {keys: [card], horizon: 2h, expected_keys: 2000}\n"
    "  shop: {keys: [shop], horizon: 2h, expected_keys: 200}\n"
    "features:\n"
    "  - {entity: card, column: amount, agg: [count, mean, std, max], windows: [10m, 1h]}\n"
    "  - {entity: card, column: shop, agg: [distinct], windows: [1h]}\n"
    "  - {name: large, entity: card, agg: [count], windows: [1h], where: \"amount > 50\"}\n"
    "  - {entity: shop, agg: [count, risk], windows: [1h], delay: 30m, labels: fixed}\n"
    "  - {name: ratio, expr: \"amount / coalesce(card_amount_mean_1h, 1)\"}\n";
static const ride_rule_spec rules[] = {
    {.id = "much", .when = "amount > 50 and ratio > 2", .decision = RIDE_DECISION_DECLINE, .file = "t", .line = 1},
    {.id = "often", .when = "card_amount_count_10m > 3", .decision = RIDE_DECISION_REVIEW, .file = "t", .line = 2},
};

static uint32_t random_below(uint32_t below) {
    static uint64_t state = 1;
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((state >> 33) % below);
}

static void write_files(void) {
    FILE *spec = fopen("spec.yaml", "w"), *events = fopen("events", "w"), *labels = fopen("labels", "w");
    CHECK(spec != NULL && events != NULL && labels != NULL && fputs(spec_text, spec) >= 0);
    fputs("id,ts,card,shop,amount\n", events);
    fputs("id,ts,fraud\n", labels);
    for (uint32_t i = 0; i < EVENTS; i++) {
        const uint32_t chance = random_below(1000), id = chance < 20 && i > 100 ? i - random_below(100) : i;
        const uint32_t back = chance >= 20 && chance < 50 ? random_below(600) : chance == 50 ? 4000 : 0;
        const uint32_t cents = random_below(10000), ts = 1767225600u + i - (back < i ? back : 0);
        char shop[16] = "";
        if (chance != 51) snprintf(shop, sizeof shop, "%u", random_below(50));
        fprintf(events, "%u,%u,card-%u,%s,%u.%02u%s\n", id, ts, random_below(500), shop, cents / 100, cents % 100,
                chance == 52 ? "x" : "");
        if (i % 20 == 0) fprintf(labels, "%u,%u,%u\n", i, 1767225600u + i + 2400, i % 3 == 0);
    }
    CHECK(small_model_write("model.txt", "ratio", "card_amount_count_10m"));
    CHECK(fclose(spec) == 0 && fclose(events) == 0 && fclose(labels) == 0);
}

static volatile sig_atomic_t stop;
static uint64_t stop_after; /* events of this run */
static void watch(void *context, const ride_run_summary *so_far) {
    (void)context;
    if (stop_after != 0 && so_far->received - so_far->resumed_events >= stop_after) stop = 1;
}

static ride_run_summary summary;
static ride_diagnostics findings;

static ride_status run(uint32_t shards, uint32_t batch, const char *output, const char *state) {
    static const ride_input_option inputs[] = {{.path = "events"}, {.name = "backs", .path = "labels"}};
    const ride_run_options options = {.spec_path = "spec.yaml",
                                      .model_path = "model.txt",
                                      .rules = rules,
                                      .rules_count = 2,
                                      .reasons = {.when = RIDE_REASONS_ALERTS},
                                      .inputs = inputs,
                                      .inputs_count = 2,
                                      .record = RIDE_RECORD_DECISION,
                                      .vector = true,
                                      .output_path = output,
                                      .late_path = "late",
                                      .batch_rows_max = batch,
                                      .shards = shards,
                                      .state_dir = state,
                                      .stop = &stop,
                                      .progress = watch};
    ride_error err = {0};
    stop = 0;
    ride_diagnostics_init(&findings);
    const ride_status st = ride_run(&options, &summary, &findings, &err);
    if (findings.count > 0) fprintf(stderr, "%s\n", findings.items[0].message);
    if (st != RIDE_OK && st != RIDE_INTERRUPTED) fprintf(stderr, "%s\n", err.what);
    CHECK(st == RIDE_OK || st == RIDE_INTERRUPTED);
    ride_run_summary_free(&summary);
    return st;
}

static char *file_bytes(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
    *bytes = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(*bytes + 1);
    CHECK(data != NULL && fread(data, 1, *bytes, file) == *bytes);
    fclose(file);
    return data;
}

static void same_as_one(const char *path) {
    size_t one_bytes, bytes;
    char *one = file_bytes("one", &one_bytes), *many = file_bytes(path, &bytes);
    CHECK(one_bytes == bytes && memcmp(one, many, bytes) == 0);
    free(one);
    free(many);
}

int main(void) {
    char folder[] = "/tmp/ride_shards_XXXXXX", command[64];
    static const uint32_t batches[] = {40, 1000, 31, 3000};
    ride_log_set_level(RIDE_LOG_ERROR);
    gate_passes_everything_on(1);
    gate_passes_everything_on(0);
    CHECK(mkdtemp(folder) != NULL && chdir(folder) == 0);
    write_files();
    CHECK(run(1, 1000, "one", NULL) == RIDE_OK);
    for (uint32_t shards = 2; shards <= 4; shards++)
        for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
            now = "shards";
            CHECK(run(shards, batches[b], "many", NULL) == RIDE_OK);
            same_as_one("many");
        }
    now = "resumed";
    stop_after = EVENTS / 9;
    for (uint32_t i = 0; run(2 + i % 3, batches[i % 4], "pieces", "state") == RIDE_INTERRUPTED; i++) CHECK(i < 20);
    same_as_one("pieces");
    CHECK(chdir("/") == 0);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0) puts("the test's folder stays");
    puts("ok");
    return 0;
}
