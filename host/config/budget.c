/* config/budget.c: see the header. */
#include "config/budget.h"
#include "base/assert.h"

#include <inttypes.h>
#include <stdio.h>

static uint64_t sum(uint64_t a, uint64_t b) { return __builtin_add_overflow(a, b, &a) ? UINT64_MAX : a; }
static uint64_t times(uint64_t a, uint64_t b) { return __builtin_mul_overflow(a, b, &a) ? UINT64_MAX : a; }

static void add(ride_budget *b, const char *name, const char *key, uint64_t events, uint64_t bytes, bool is_bounded) {
    if (bytes == 0 && is_bounded) return;
    RIDE_ASSERT(b->count < RIDE_BUDGET_ITEMS_MAX);
    b->items[b->count++] =
        (ride_budget_item){.name = name, .events = events, .bytes = bytes, .is_bounded = is_bounded, .key = key};
    if (is_bounded) b->bytes = sum(b->bytes, bytes);
    else b->is_bounded = false;
}
static void add_expected(ride_budget *b, const char *name, const char *key, uint64_t bytes) {
    add(b, name, key, 0, bytes, false);
    b->items[b->count - 1].is_expected = true;
    b->bytes = sum(b->bytes, bytes);
}

static void add_state(const ride_config *c, const ride_budget_facts *f, ride_budget *b) {
    if (c->backend_memory != 0) add(b, "window state", "backend.memory", 0, c->backend_memory, true);
    else if (f->state_is_expected) add_expected(b, "window state", "backend.memory", f->state_bytes);
    else add(b, "window state", "backend.memory", 0, 0, false);
    if (f->has_ids) add(b, "event ids", "", 0, 0, false); /* as many as come within the horizon of the spec */
}

/* A batch has a tile more than it is asked for, for a label that waited. */
static uint64_t batch_rows(const ride_config *c, const ride_budget_facts *f) {
    return (uint64_t)c->max_batch + RIDE_TILE_ROWS + (f->has_peers ? RIDE_BUDGET_GROUP_ROWS : 0);
}

/* Of a tile: input and share of each. */
static uint64_t reasons_bytes(const ride_config *c) {
    if (c->reasons.when == RIDE_REASONS_NONE) return 0;
    return (uint64_t)c->reasons.top * RIDE_TILE_ROWS * (sizeof(uint32_t) + sizeof(double));
}

static uint64_t shards_of(const ride_config *c, const ride_budget_facts *f) {
    return f->shards != 0 ? f->shards : c->runtime.shards != 0 ? c->runtime.shards : 1;
}

static void add_batches(const ride_config *c, const ride_budget_facts *f, ride_budget *b) {
    const uint64_t shards = shards_of(c, f);
    const bool service = ride_config_is_service(c);
    /* all shards work on one; over files the next is read meanwhile, and in a pipeline there is one in each stage */
    uint64_t batches = service ? (f->pipelined ? RIDE_BUDGET_SERVICE_BATCHES : 1)
                               : (shards > 1 && c->runtime.mode != RIDE_CONFIG_INLINE ? 2 : 1);
    uint64_t rows = batch_rows(c, f), tiles = (rows + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS;
    uint64_t bytes = times(tiles, sum(sum(f->tile_in_bytes, f->tile_out_bytes), reasons_bytes(c)));
    bytes = sum(bytes, times(rows, RIDE_BUDGET_ROW_BYTES));
    add(b, "batches in hand", "scheduler.max_batch", batches * rows, times(batches, bytes), true);
    add(b, "their strings", "runtime.mode", 0, batches * RIDE_BUDGET_ARENA_MIB * RIDE_BUDGET_MIB, true);
    b->items[b->count - 1].of_batches = b->items[b->count - 2].of_batches = true;
    if (service) add(b, "their rejected messages", "runtime.mode", 0, batches * RIDE_BUDGET_LETTERS_KIB << 10, true);
}

uint64_t ride_budget_of_batches(const ride_budget *budget) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < budget->count; i++)
        if (budget->items[i].of_batches) bytes = sum(bytes, budget->items[i].bytes);
    return bytes;
}

static void add_service(const ride_config *c, ride_budget *b) {
    bool topics_in = c->http.log_topic != NULL;
    bool topics_out =
        c->decisions.topic != NULL || c->alerts.topic != NULL || c->rejects_topic != NULL || c->late_topic != NULL;
    for (uint32_t i = 0; i < c->inputs_count; i++) topics_in = topics_in || c->inputs[i].topic != NULL;
    if (topics_in) /* twice while an answer of a broker is read in */
        add(b, "messages fetched", "", 0, 2 * RIDE_BUDGET_FETCH_MIB * RIDE_BUDGET_MIB, true);
    if (topics_out)
        add(b, "results on their way", "", RIDE_BUDGET_OUTLET_RESULTS, RIDE_BUDGET_OUTLET_MIB * RIDE_BUDGET_MIB, true);
    if (c->http.listen == NULL) return;
    add(b, "HTTP bodies and answers", "http.memory", c->http.queue, c->http.memory, true);
    if (c->http.log_topic != NULL)
        add(b, "HTTP events to the log", "http.queue", c->http.queue,
            sum(RIDE_BUDGET_HTTP_LOG_MIB * RIDE_BUDGET_MIB, times(c->http.queue, RIDE_BUDGET_HTTP_WAIT_BYTES)), true);
    add(b, "HTTP connections", "http.connections_max", 0, times(c->http.connections_max, c->http.header_max), true);
}

/* The explainer's own bound, and what it works in. */
static void add_explainer(const ride_config *c, const ride_budget_facts *f, ride_budget *b) {
    const uint64_t least = RIDE_BUDGET_EXPLAINER_MIB * RIDE_BUDGET_MIB, shards = shards_of(c, f);
    add(b, "tables that explain the model", "reasons.memory", 0,
        c->reasons.memory_bytes > least ? c->reasons.memory_bytes : least, true);
    add(b, "rows that are explained", "runtime.shards", shards * RIDE_TILE_ROWS, times(shards, f->explain_thread_bytes),
        true);
}

void ride_config_budget(const ride_config *config, const ride_budget_facts *facts, ride_budget *out) {
    *out = (ride_budget){.is_bounded = true};
    add_state(config, facts, out);
    add_batches(config, facts, out);
    if (ride_config_is_service(config)) add_service(config, out);
    if (config->reasons.when != RIDE_REASONS_NONE) add_explainer(config, facts, out);
    add(out, "spec, rules, model, profile", "", 0, facts->image_bytes, true);
}

char *ride_budget_text(uint64_t bytes, char *text, size_t text_bytes_max) {
    bool large = bytes >= UINT64_C(1) << 30;
    snprintf(text, text_bytes_max, "%.1f %s", (double)bytes / (large ? 1 << 30 : 1 << 20), large ? "GiB" : "MiB");
    return text;
}

/* "window state 4.0 GiB + HTTP connections 1.0 GiB + their strings 16.0 MiB + …" */
static const ride_budget_item *put_largest(const ride_budget *budget, char *text, size_t text_bytes_max) {
    bool told[RIDE_BUDGET_ITEMS_MAX] = {false};
    const ride_budget_item *first = NULL;
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t k = 0; k < 3 && k < budget->count; k++) {
        uint32_t best = UINT32_MAX;
        char bytes[32];
        for (uint32_t i = 0; i < budget->count; i++)
            if (!told[i] && (best == UINT32_MAX || budget->items[i].bytes > budget->items[best].bytes)) best = i;
        told[best] = true;
        if (first == NULL) first = &budget->items[best];
        ride_budget_text(budget->items[best].bytes, bytes, sizeof bytes);
        if (used < text_bytes_max)
            used += (size_t)snprintf(text + used, text_bytes_max - used, "%s%s %s", k > 0 ? " + " : "",
                                     budget->items[best].name, bytes);
    }
    if (budget->count > 3 && used < text_bytes_max) snprintf(text + used, text_bytes_max - used, " + …");
    return first;
}

ride_status ride_budget_check(const ride_budget *budget, uint64_t memory_bytes, ride_error *err) {
    char whole[32], there[32], parts[160];
    if (memory_bytes == 0 || budget->bytes <= memory_bytes) return RIDE_OK;
    const ride_budget_item *largest = put_largest(budget, parts, sizeof parts);
    ride_fail(err, RIDE_E_MEMORY, "%s needed, %s there: %s", ride_budget_text(budget->bytes, whole, sizeof whole),
              ride_budget_text(memory_bytes, there, sizeof there), parts);
    if (largest != NULL && largest->key[0] != '\0') ride_error_advice(err, "lower %s", largest->key);
    return RIDE_E_MEMORY;
}
