/* What config/budget.h promises: every bound counted once, by the numbers that the engine is built with, and the arithmetic in the error. */
#include "config/budget.h"
#include "engine/service_internal.h"

#include <assert.h>
#include <criterion/criterion.h>
#include <string.h>

static_assert(RIDE_BUDGET_ARENA_MIB << 20 == ARENA_BYTES, "the engine's strings of a batch");
static_assert((int)RIDE_BUDGET_GROUP_ROWS == (int)GROUP_ROWS_MAX, "the engine's largest group");
static_assert((int)RIDE_BUDGET_WINDOW_BATCHES == (int)WINDOW_SLOTS, "the engine's batches on their way");
static_assert(sizeof(service_row) + sizeof(ride_message) + sizeof(uint32_t) <= RIDE_BUDGET_ROW_BYTES,
              "beside the tiles");

static_assert(sizeof(service_batch) + BATCH_LETTERS_BYTES +
                      BATCH_LETTERS_MAX * (sizeof(ride_message) + sizeof(uint32_t)) <=
                  RIDE_BUDGET_LETTERS_KIB << 10,
              "of a batch, beside its rows");

static ride_diagnostics findings;

static ride_config *load(const char *text) {
    ride_config *config = NULL;
    ride_status st = ride_config_parse("r.yaml", text, strlen(text), NULL, 0, NULL, &config, &findings);
    cr_assert_eq(st, RIDE_OK, "%s", findings.count > 0 ? findings.items[0].message : "");
    return config;
}

static const ride_budget_item *item(const ride_budget *budget, const char *name) {
    for (uint32_t i = 0; i < budget->count; i++)
        if (strcmp(budget->items[i].name, name) == 0) return &budget->items[i];
    return NULL;
}

static const ride_budget_facts facts = {.tile_in_bytes = 1000,
                                        .tile_out_bytes = 24,
                                        .image_bytes = 5000,
                                        .explain_thread_bytes = 7000,
                                        .state_bytes = 1 << 20,
                                        .state_is_expected = true};

static uint64_t added(const ride_budget *budget) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < budget->count; i++)
        sum += budget->items[i].is_bounded || budget->items[i].is_expected ? budget->items[i].bytes : 0;
    return sum;
}

Test(budget, reasons_are_tables_and_room_beside_each_tile) {
#define RUN                                                                                                            \
    "spec: f\nmodel: m\ninputs: {tx: t}\noutputs: {decisions: d}\nscheduler: {max_batch: "                             \
    "1000}\n"
    ride_config *c = load(RUN "reasons: {when: all, top: 4, memory: 80MiB}\n"), *without = load(RUN);
    ride_budget b, none;
    ride_config_budget(c, &facts, &b);
    ride_config_budget(without, &facts, &none);
    cr_assert_eq(item(&b, "tables that explain the model")->bytes, 80 << 20);
    cr_assert_eq(item(&b, "rows that are explained")->bytes, 7000);
    cr_assert_eq(item(&b, "batches in hand")->bytes, item(&none, "batches in hand")->bytes + 5 * 4 * 256 * 12);
    cr_assert_eq(b.bytes, none.bytes + (80 << 20) + 7000 + 5 * 4 * 256 * 12);
    cr_assert_null(item(&none, "tables that explain the model"));
    cr_assert_null(item(&none, "rows that are explained"));
    ride_config_destroy(c);
    c = load(RUN "reasons: {when: all, memory: 1MiB}\n"); /* of the tables; all takes more */
    ride_config_budget(c, &facts, &b);
    cr_assert_eq(item(&b, "tables that explain the model")->bytes, 16 << 20);
    ride_config_destroy(c);
    ride_config_destroy(without);
}

Test(budget, a_run_holds_state_batches_and_the_bundle) {
    ride_config *c = load("spec: f\ninputs: {tx: t}\noutputs: {decisions: d}\nscheduler: {max_batch: 1000}\n");
    ride_budget b;
    ride_config_budget(c, &facts, &b);
    cr_assert_eq(b.count, 4);
    cr_assert_eq(item(&b, "window state")->bytes, 1 << 20);
    cr_assert_eq(item(&b, "batches in hand")->events, 1256);
    cr_assert_eq(item(&b, "batches in hand")->bytes, 5 * 1024 + 1256 * RIDE_BUDGET_ROW_BYTES);
    cr_assert_eq(item(&b, "their strings")->bytes, 16 << 20);
    cr_assert_eq(item(&b, "spec, rules, model, profile")->bytes, 5000);
    cr_assert_eq(b.bytes, added(&b));
    cr_assert(item(&b, "window state")->is_expected && !item(&b, "window state")->is_bounded);
    cr_assert_not(b.is_bounded, "busier keys take more than is expected");
    cr_assert_eq(ride_budget_of_batches(&b), item(&b, "batches in hand")->bytes + item(&b, "their strings")->bytes);
    ride_budget_facts with = facts;
    with.shards = 5;
    ride_config_budget(c, &with, &b);
    cr_assert_eq(item(&b, "batches in hand")->events, 2 * 1256, "one is read while the other is worked");
    cr_assert_eq(item(&b, "their strings")->bytes, 32 << 20);
    ride_config_destroy(c);
    c = load("spec: f\ninputs: {tx: t}\noutputs: {decisions: d}\nruntime: {shards: 5, mode: inline}\n");
    ride_config_budget(c, &facts, &b);
    cr_assert_eq(item(&b, "their strings")->bytes, 16 << 20);
    ride_config_destroy(c);
}

Test(budget, a_service_adds_what_is_under_way) {
    ride_config *c = load("spec: f\ninputs: {tx: {topic: t}}\noutputs: {decisions: {topic: d}}\nkafka: b\nstate: s\n"
                          "http: {listen: 'h:1', memory: 8MiB, queue: 77, connections_max: 10, header_max: 2KiB}\n"
                          "backend: {memory: 1GiB}\n");
    ride_budget_facts with = facts;
    ride_budget b;
    with.has_peers = with.has_ids = true;
    with.state_is_expected = false;
    ride_config_budget(c, &with, &b);
    cr_assert_eq(item(&b, "window state")->bytes, 1 << 30, "the option is the bound");
    cr_assert_eq(item(&b, "batches in hand")->events, 1024 + 256 + 65536);
    cr_assert_eq(item(&b, "their strings")->bytes, 16 << 20, "whatever the shards: all work on one batch");
    cr_assert_eq(item(&b, "their rejected messages")->bytes, 512 << 10);
    cr_assert_eq(item(&b, "messages fetched")->bytes, 128 << 20);
    cr_assert_eq(item(&b, "results on their way")->bytes, 64 << 20);
    cr_assert_eq(item(&b, "HTTP bodies and answers")->events, 77);
    cr_assert_eq(item(&b, "HTTP bodies and answers")->bytes, 8 << 20);
    cr_assert_eq(item(&b, "HTTP connections")->bytes, 20 << 10);
    cr_assert_not(item(&b, "event ids")->is_bounded);
    cr_assert_eq(b.bytes, added(&b));
    cr_assert_not(b.is_bounded);
    with.pipelined = true;
    ride_config_budget(c, &with, &b);
    cr_assert_eq(item(&b, "batches in hand")->events, 4 * (1024 + 256 + 65536),
                 "one in each stage, and one that waits");
    cr_assert_eq(item(&b, "their strings")->bytes, 64 << 20);
    cr_assert_eq(item(&b, "their rejected messages")->bytes, 2 << 20);
    ride_config_destroy(c);
    c = load("spec: f\nhttp: 'h:1'\n");
    ride_config_budget(c, &facts, &b);
    cr_assert_null(item(&b, "messages fetched"));
    cr_assert_null(item(&b, "results on their way"));
    cr_assert_null(item(&b, "HTTP events to the log"));
    ride_config_destroy(c);
    c = load("spec: f\nhttp: {listen: 'h:1', log_topic: l, queue: 1000}\nkafka: b\nstate: s\n");
    ride_config_budget(c, &facts, &b);
    cr_assert_eq(item(&b, "messages fetched")->bytes, 128 << 20, "they are read from there");
    cr_assert_eq(item(&b, "HTTP events to the log")->events, 1000);
    cr_assert_eq(item(&b, "HTTP events to the log")->bytes, (64 << 20) + 1000 * RIDE_BUDGET_HTTP_WAIT_BYTES);
    cr_assert_eq(b.bytes, added(&b));
    ride_config_destroy(c);
}

Test(budget, more_than_the_machine_has_is_told_with_the_arithmetic) {
    ride_config *c = load("spec: f\ninputs: {tx: t}\noutputs: {decisions: d}\nbackend: {memory: 8GiB}\n");
    ride_budget b;
    ride_error err;
    char text[32];
    ride_config_budget(c, &facts, &b);
    cr_assert_eq(ride_budget_check(&b, b.bytes, &err), RIDE_OK);
    cr_assert_eq(ride_budget_check(&b, 0, &err), RIDE_OK);
    cr_assert_eq(ride_budget_check(&b, b.bytes - 1, &err), RIDE_E_MEMORY);
    cr_assert_str_eq(err.what,
                     "8.0 GiB needed, 8.0 GiB there: window state 8.0 GiB + their strings 16.0 MiB + batches in hand "
                     "0.2 MiB + …");
    cr_assert_str_eq(err.advice, "lower backend.memory");
    ride_budget_facts huge = facts;
    huge.state_bytes = UINT64_MAX;
    ride_config_destroy(c);
    c = load("spec: f\ninputs: {tx: t}\noutputs: {decisions: d}\n");
    ride_config_budget(c, &huge, &b);
    cr_assert_eq(b.bytes, UINT64_MAX, "sums do not wrap");
    cr_assert_eq(ride_budget_check(&b, UINT64_C(1) << 40, &err), RIDE_E_MEMORY);
    cr_assert_str_eq(ride_budget_text(UINT64_C(3) << 29, text, sizeof text), "1.5 GiB");
    ride_config_destroy(c);
}
