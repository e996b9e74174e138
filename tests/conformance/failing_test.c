/* tests/conformance/failing_test.c: every call of the CUDA runtime fails in turn, in the emulator. Whatever call it is: an error that
 * says what happened, no crash, nothing left on the devices; and a host that goes on from its last saved state, on the same device or,
 * when the device is dead, on another, loses no row and ends with the same state. Besides, memory that is too small is refused with
 * the numbers.
 *
 * A round's seed is the number of the call: RIDE_CONFORMANCE_SEED=17 RIDE_CONFORMANCE_ROUNDS=1 fails the 17th. */
#include "backends.h"
#include "kernels/emu/emu.h"
#include "trial.h"

#include <dlfcn.h>

enum { TRIAL_ROWS = 90, BATCH_ROWS = 30, ROUNDS_MAX = 100000 };

/* The emulator inside the plugin. */
static struct {
    void (*fail_at)(uint64_t n, int sticky);
    uint64_t (*calls)(void);
    const char *(*failed_call)(void);
    void (*get_held)(ride_emu_held *out);
    void (*revive)(void);
} emu;

static void emu_find(const backend_use *use) {
    char file[4096];
    ride_error err = {0};
    CHECK(use->backend->entry(RIDE_BACKEND_ABI, session_services, &err) != NULL, "%s", err.what);
    cuda_plugin_file("emu", file, sizeof file);
    void *library = dlopen(file, RTLD_NOW | RTLD_NOLOAD);
    CHECK(library != NULL, "%s", dlerror());
    const struct {
        const char *name;
        void *to;
    } symbols[] = {{"ride_emu_fail_at", &emu.fail_at},
                   {"ride_emu_calls", &emu.calls},
                   {"ride_emu_failed_call", &emu.failed_call},
                   {"ride_emu_get_held", &emu.get_held},
                   {"ride_emu_revive", &emu.revive}};
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        void *symbol = dlsym(library, symbols[i].name);
        CHECK(symbol != NULL, "the emulator has no %s", symbols[i].name);
        memcpy(symbols[i].to, &symbol, sizeof symbol);
    }
    dlclose(library);
}

/* What the host keeps over failures. */
typedef struct host {
    const trial *t;
    const ride_backend_ops *ops;
    outputs got;
    memory_stream saved;
    uint32_t saved_rows;
    uint64_t *saved_counts;
} host;

/* What it holds on a device; closed whatever is there. */
typedef struct held {
    ride_device *device;
    ride_program_dev *program;
    ride_state *state;
    ride_counts *counts;
    ride_queue *queue;
    uint8_t *in, *out;
} held;

static void held_close(const ride_backend_ops *ops, held *h) {
    if (h->queue != NULL) ops->queue_destroy(h->queue);
    if (h->in != NULL) ops->buffer_free(h->device, RIDE_BUFFER_HOST, h->in);
    if (h->out != NULL) ops->buffer_free(h->device, RIDE_BUFFER_HOST, h->out);
    if (h->counts != NULL) ops->counts_destroy(h->counts);
    if (h->state != NULL) ops->state_destroy(h->state);
    if (h->program != NULL) ops->program_release(h->program);
    if (h->device != NULL) ops->device_close(h->device);
}

static ride_status host_open(host *w, held *h, uint32_t device_index, ride_error *err) {
    const ride_state_options options = {.vnodes_count = RIDE_VNODES};
    RIDE_TRY(w->ops->device_open(device_index, &h->device, err));
    RIDE_TRY(w->ops->program_upload(h->device, &w->t->bundle, &h->program, err));
    RIDE_TRY(w->ops->state_create(h->device, h->program, &options, &h->state, err));
    if (w->t->cells_count > 0) RIDE_TRY(w->ops->counts_create(h->device, h->program, &h->counts, err));
    RIDE_TRY(w->ops->queue_create(h->device, 4, &h->queue, err));
    RIDE_TRY(w->ops->buffer_alloc(h->device, RIDE_BUFFER_HOST, 1 << 20, (void **)&h->in, err));
    RIDE_TRY(w->ops->buffer_alloc(h->device, RIDE_BUFFER_HOST, 1 << 20, (void **)&h->out, err));
    w->saved.at = 0;
    if (w->saved.bytes > 0) RIDE_TRY(w->ops->state_restore(&h->state, 1, memory_read, &w->saved, err));
    return RIDE_OK;
}

/* One batch, saved; *told: the status came without an error to fill. */
static ride_status host_batch(host *w, held *h, ride_error *err, int *told) {
    const trial *t = w->t;
    session s = {.plan = &t->plan, .ops = w->ops};
    ride_plan_layout_in(&t->bundle, &s.in);
    ride_plan_layout_out(&t->bundle, &s.out);
    const uint32_t count = rows_of_batch(&t->plan, t->rows, t->rows_count, w->saved_rows, BATCH_ROWS);
    RIDE_ASSERT((count / RIDE_TILE_ROWS + 1) * s.in.tile_bytes <= 1 << 20);
    rows_fill(&t->plan, &s.in, t->rows + w->saved_rows, count, w->saved_rows, h->in);
    ride_work work = {.stages = session_stages(&t->plan) | (h->counts != NULL ? RIDE_STAGE_PROFILE : 0),
                      .rows_count = count,
                      .in_tiles = h->in,
                      .out_tiles = h->out,
                      .arena = session_arena,
                      .arena_bytes = sizeof session_arena,
                      .counts = h->counts};
    session_clocks(&t->plan, t->rows, w->saved_rows, count, &work);
    ride_ticket ticket;
    memory_stream m = {0};
    uint64_t *counts = calloc(t->cells_count + 1, sizeof *counts);
    *told = 0; /* these give a status only */
    ride_status st = w->ops->submit(h->queue, h->program, h->state, &work, &ticket);
    if (st == RIDE_OK) st = w->ops->wait(h->queue, ticket, UINT64_MAX);
    if (st == RIDE_OK) {
        *told = 1;
        st = w->ops->state_save(&h->state, 1, 0, RIDE_VNODES, memory_write, &m, err);
    }
    if (st == RIDE_OK && h->counts != NULL) st = w->ops->counts_take(h->counts, counts, err);
    if (st == RIDE_OK) { /* from here on the batch counts as done */
        session_collect(&s, t->rows, w->saved_rows, count, h->out, &w->got);
        for (uint32_t i = 0; i < t->cells_count; i++) w->saved_counts[i] += counts[i];
        free(w->saved.data);
        w->saved = m;
        w->saved_rows += count;
    } else {
        free(m.data);
    }
    free(counts);
    return st;
}

/* Goes on from the last save on that device until it fails or everything is done. */
static ride_status host_go_on(host *w, uint32_t device_index) {
    held h = {0};
    ride_error err = {0};
    int told = 1;
    ride_status st = host_open(w, &h, device_index, &err);
    while (st == RIDE_OK && w->saved_rows < w->t->rows_count) st = host_batch(w, &h, &err, &told);
    CHECK(st == RIDE_OK || !told || err.what[0] != 0, "%s failed: %s without a message", emu.failed_call(),
          ride_status_name(st));
    held_close(w->ops, &h);
    return st;
}

static void held_nothing(const ride_emu_held *before, const char *call) {
    ride_emu_held now;
    emu.get_held(&now);
    CHECK(memcmp(before, &now, sizeof now) == 0,
          "%s failed: left behind %llu device buffers, %llu pinned ones, %llu streams, %llu events", call,
          (unsigned long long)(now.device_buffers - before->device_buffers),
          (unsigned long long)(now.host_buffers - before->host_buffers),
          (unsigned long long)(now.streams - before->streams), (unsigned long long)(now.events - before->events));
}

/* Returns whether a call failed: with a greater number than there are calls none does. *shown: + 1 when it was an error of ours. */
static int fail_one(const backend_use *use, const trial *t, const memory_stream *whole, uint64_t n, int sticky,
                    uint32_t *shown) {
    ride_error err = {0};
    ride_emu_held before;
    host w = {.t = t, .ops = use->backend->entry(RIDE_BACKEND_ABI, session_services, &err)};
    CHECK(w.ops != NULL, "%s", err.what);
    outputs_make(&t->plan, t->rows_count, &w.got);
    w.saved_counts = calloc(t->cells_count + 1, sizeof *w.saved_counts);
    emu.get_held(&before);
    emu.fail_at(n, sticky);
    const ride_status st = host_go_on(&w, 0);
    const int happened = emu.calls() >= n;
    char call[64];
    snprintf(call, sizeof call, "%s", happened ? emu.failed_call() : "nothing");
    CHECK(st == RIDE_OK || happened, "it fails without a reason: %s", ride_status_name(st));
    emu.fail_at(0, 0);
    held_nothing(&before, call);
    if (st != RIDE_OK) {
        ++*shown;
        const ride_status again = host_go_on(&w, sticky ? 1 : 0);
        CHECK(again == RIDE_OK, "after a failed %s (%s) the host cannot go on: %s", call, ride_status_name(st),
              ride_status_name(again));
        held_nothing(&before, call);
    }
    emu.revive();
    compare(&t->plan, t->rows, t->rows_count, &t->expected, &w.got, call);
    CHECK(memcmp(w.saved_counts, t->expected_counts, t->cells_count * sizeof *w.saved_counts) == 0,
          "after a failed %s rows are counted twice or not at all", call);
    CHECK(t->plan.many_clocks || streams_equal(&w.saved, whole), "after a failed %s the state at the end is another",
          call);
    free(w.saved.data);
    free(w.saved_counts);
    free(w.got.words);
    return happened;
}

/* The first plan that has all: forest, rules, profile, labels that come later. */
static trial *rich_trial(uint32_t rows_count) {
    for (uint64_t seed = 1;; seed++) {
        trial *t = trial_make(seed, rows_count);
        if (t->plan.has_forest && t->plan.rules_count > 0 && t->cells_count > 0 &&
            t->plan.label_kind == RIDE_LABEL_SOURCE)
            return t;
        trial_free(t);
    }
}

static void every_call_fails(const backend_use *use, int sticky) {
    emu_find(use);
    emu.revive(); /* a case before may have ended early */
    trial *t = rich_trial(TRIAL_ROWS);
    session s;
    outputs got;
    session_open(&s, cpu_portable, &t->plan, &t->bundle);
    session_run(&s, t->rows, t->rows_count, BATCH_ROWS, 0, &got);
    memory_stream whole = session_save(&s);
    session_close(&s);
    int happened = 1;
    uint32_t shown = 0, failed = 0;
    for (uint64_t n; happened && check_rounds(ROUNDS_MAX, &n);)
        if (n % BUILD_SLOWER == 0 || check_environment("RIDE_CONFORMANCE_SEED", 0) > 0)
            failed += (uint32_t)(happened = fail_one(use, t, &whole, n, sticky, &shown));
    CHECK(check.rounds > 20 || check_environment("RIDE_CONFORMANCE_ROUNDS", 0) > 0 ||
              check_environment("RIDE_CONFORMANCE_SECONDS", 0) > 0,
          "only %llu calls", (unsigned long long)check.rounds);
    CHECK(2 * shown >= failed, "of %u calls that failed only %u were an error: who looks?", failed, shown);
    free(whole.data);
    free(got.words);
    trial_free(t);
}
static void a_call_fails(const backend_use *use) { every_call_fails(use, 0); }
static void a_call_kills_the_device(const backend_use *use) { every_call_fails(use, 1); }

static void too_little_memory(const backend_use *use) {
    const ride_state_options options[] = {
        {.vnodes_count = RIDE_VNODES, .memory_bytes_max = 4096},          /* a limit that the host set */
        {.vnodes_count = RIDE_VNODES, .reserve_keys = UINT64_C(1) << 40}, /* more than any device has */
        {.vnodes_count = RIDE_VNODES, .reserve_keys = UINT64_C(1) << 63}, /* more than 64 bits count */
        {.vnodes_count = RIDE_VNODES, .reserve_keys = UINT64_MAX},
    };
    trial *t = rich_trial(1);
    session s;
    session_open(&s, use->backend->entry, &t->plan, &t->bundle);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        ride_error err = {0};
        ride_state *state = NULL;
        const ride_status st = s.ops->state_create(s.device, s.program, &options[i], &state, &err);
        CHECK(st == RIDE_E_MEMORY, "%zu: %s", i, ride_status_name(st));
        double need_mb = 0, room_mb = 0;
        const char *room = strrchr(err.what, ',');
        CHECK(sscanf(err.what, "the state needs %lf MB", &need_mb) == 1 && room != NULL &&
                  sscanf(room + strcspn(room, "0123456789"), "%lf MB", &room_mb) == 1,
              "%zu: no arithmetic in: %s", i, err.what);
        CHECK(need_mb > room_mb, "%zu: %s", i, err.what);
        CHECK(err.advice[0] != 0, "%zu: no advice", i);
    }
    for (uint32_t shift = 0; shift < 20; shift++) { /* a limit is a bound: one beyond the device's memory is none */
        ride_error err = {0};
        ride_state *state = NULL;
        const ride_state_options beyond = {.vnodes_count = RIDE_VNODES, .memory_bytes_max = UINT64_MAX >> shift};
        const ride_status st = s.ops->state_create(s.device, s.program, &beyond, &state, &err);
        CHECK(st == RIDE_OK, "at most %llu bytes: %s", (unsigned long long)beyond.memory_bytes_max, err.what);
        s.ops->state_destroy(state);
    }
    session_close(&s);
    trial_free(t);
}

enum { BATCH = 250 };

/* A batch with its counts: RIDE_OK or how it failed. */
static ride_status batch_counted(session *s, ride_state *state, const random_row *rows, uint32_t first,
                                 uint32_t count) {
    rows_fill(s->plan, &s->in, rows + first, count, first, s->in_buffer);
    const ride_work work = {.stages = session_stages(s->plan) | RIDE_STAGE_PROFILE,
                            .rows_count = count,
                            .in_tiles = s->in_buffer,
                            .out_tiles = s->out_buffer,
                            .arena = session_arena,
                            .arena_bytes = sizeof session_arena,
                            .counts = s->counts};
    ride_ticket ticket;
    const ride_status st = s->ops->submit(s->queue, s->program, state, &work, &ticket);
    return st == RIDE_OK ? s->ops->wait(s->queue, ticket, UINT64_MAX) : st;
}

static uint64_t counts_sum(session *s) {
    uint64_t sum = 0;
    memset(s->counted, 0, s->cells_count * sizeof *s->counted);
    CHECK(session_take(s) == RIDE_OK, "the counts cannot be taken");
    for (uint32_t i = 0; i < s->cells_count; i++) sum += s->counted[i];
    return sum;
}

/* All rows, or those for which there is memory in a state of so many bytes. Returns the batches that were done; -1: no such state. */
static int32_t fill_to_the_end(session *s, const random_row *rows, uint32_t rows_count, uint64_t bytes_max) {
    ride_error err = {0};
    const ride_state_options options = {.vnodes_count = RIDE_VNODES, .memory_bytes_max = bytes_max};
    memory_stream saved = {0};
    ride_state *state = NULL;
    if (s->ops->state_create(s->device, s->program, &options, &state, &err) != RIDE_OK) return -1;
    MUST(s->ops->state_save(&state, 1, 0, RIDE_VNODES, memory_write, &saved, &err));
    ride_status st = RIDE_OK;
    int32_t done = 0;
    for (uint32_t first = 0; first + BATCH <= rows_count && st == RIDE_OK; first += BATCH) {
        st = batch_counted(s, state, rows, first, BATCH);
        const uint64_t sum = counts_sum(s);
        CHECK((sum == 0) == (st != RIDE_OK), "a batch that was %s counted %llu", ride_status_name(st),
              (unsigned long long)sum);
        done += st == RIDE_OK;
    }
    if (st == RIDE_OK) { /* enough */
        s->ops->state_destroy(state);
        free(saved.data);
        return done;
    }
    CHECK(st == RIDE_E_MEMORY, "%d batches in %llu bytes: %s", done, (unsigned long long)bytes_max,
          ride_status_name(st));
    st = batch_counted(s, state, rows, 0, 1);
    CHECK(st == RIDE_E_MEMORY, "the state was worked in part and takes more: %s", ride_status_name(st));
    CHECK(counts_sum(s) == 0, "a refused batch was counted");
    st = s->ops->state_save(&state, 1, 0, RIDE_VNODES, memory_write, &saved, &err);
    CHECK(st == RIDE_E_MEMORY, "the state was worked in part and is saved: %s", ride_status_name(st));
    st = s->ops->state_restore(&state, 1, memory_read, &saved, &err);
    CHECK(st == RIDE_E_MEMORY, "the state was worked in part and is restored: %s", ride_status_name(st));
    s->ops->state_destroy(state);
    free(saved.data);
    return done;
}

/* Wherever in a batch it happens: in front of it, where keys are made, where rings grow. */
static void memory_runs_out(const backend_use *use) {
    enum { ROWS = 3000 };
    trial *t = rich_trial(1);
    random_row *rows = random_rows_make(&t->plan, t->plan.seed, ROWS);
    for (uint32_t i = 0; i < ROWS; i++) { /* many keys, some with many events, and nothing expires */
        rows[i].flags = RIDE_ROW_ENTERS | RIDE_ROW_PEERS;
        rows[i].time_us = rows[i].clock_us = t->plan.start_us;
        for (uint32_t e = 0; e < t->plan.entities_count; e++)
            rows[i].keys[e] = (ride_key128){i < ROWS / 2 ? i % 500 : i, 5};
    }
    session s;
    session_open(&s, use->backend->entry, &t->plan, &t->bundle);
    int32_t done = -1;
    uint32_t tries = 0; /* with a state that was too small in the end */
    for (uint64_t bytes_max = 200000; done < ROWS / BATCH; bytes_max += bytes_max / 16) {
        const int32_t before = done;
        done = fill_to_the_end(&s, rows, ROWS, bytes_max);
        CHECK(done >= before, "%d batches, with less memory %d", done, before);
        tries += done >= 0 && done < ROWS / BATCH;
    }
    CHECK(tries > 3, "too small in %u sizes only", tries);
    session_close(&s);
    free(rows);
    trial_free(t);
}

int main(int argc, char **argv) {
    setenv("RIDE_EMU_ORDER", "forward", 0);
    setenv("RIDE_EMU_MEMORY", "20000000", 0); /* enough, and quickly filled */
    backends_add("a_call_fails", BACKENDS_EMULATED, 1, 1, a_call_fails);
    backends_add("a_call_kills_the_device", BACKENDS_EMULATED, 1, 1, a_call_kills_the_device);
    backends_add("too_little_memory_is_refused", BACKENDS_CUDA, 1, 1, too_little_memory);
    backends_add("memory_runs_out", BACKENDS_CUDA, 1, 1, memory_runs_out);
    return check_main(argc, argv);
}
