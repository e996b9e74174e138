/* A device that is slow, full, failing or lost must not show in a byte: random plans over random rows through the fake device, whose
 * works another backend does, several in flight; after a failure or a loss the host goes on from its last saved state, on the
 * same device or on the next. Rows, margins, rules and the state at the end are compared with an undisturbed run.
 *
 * Seeds and rounds: tests/support/check.h. */
#include "backends.h"

enum { DEVICES = 6, IN_FLIGHT = 4, DEPTH = 3, EVENTS_MAX = 40, BATCHES_MAX = ROWS_MAX + 1 };

/* What the host keeps: batches by their first rows, a saved state and how far it is. */
typedef struct host {
    session *s;
    const random_row *rows;
    uint32_t rows_count, *first; /* batches_count + 1 */
    uint32_t batches_count;
    const ride_bundle *bundle;
    memory_stream saved;
    uint64_t *saved_counts;                       /* of the rows that the saved state has seen */
    uint32_t saved_batches, submitted, completed; /* batches */
    ride_ticket tickets[IN_FLIGHT];
    uint8_t *in[IN_FLIGHT], *out[IN_FLIGHT];
    size_t in_bytes, out_bytes;
    outputs *got;
    uint32_t losses, failures, fulls, pendings;
} host;

static void host_buffers(host *h) {
    session *s = h->s;
    ride_error err = {0};
    for (uint32_t i = 0; i < IN_FLIGHT; i++) {
        MUST(s->ops->buffer_alloc(s->device, RIDE_BUFFER_HOST, h->in_bytes, (void **)&h->in[i], &err));
        MUST(s->ops->buffer_alloc(s->device, RIDE_BUFFER_HOST, h->out_bytes, (void **)&h->out[i], &err));
    }
}

/* The device or one of its works is gone: what was in flight is worth nothing. */
static void host_recover(host *h, ride_status why) {
    session *s = h->s;
    ride_error err = {0};
    uint32_t device_index = s->device_index;
    s->ops->queue_destroy(s->queue); /* waits for those that will still be done: they borrow the buffers */
    s->queue = NULL;
    for (uint32_t i = 0; i < IN_FLIGHT; i++) {
        s->ops->buffer_free(s->device, RIDE_BUFFER_HOST, h->in[i]);
        s->ops->buffer_free(s->device, RIDE_BUFFER_HOST, h->out[i]);
    }
    session_close(s);
    if (why != RIDE_E_DEVICE_LOST) h->failures++;
    while (s->ops->device_open(device_index, &s->device, &err) != RIDE_OK) { /* on to one that still answers */
        h->losses++;
        CHECK(++device_index < DEVICES, "no device is left");
    }
    s->ops->device_close(s->device);
    session_open_at(s, ride_backend_fake, s->plan, h->bundle, device_index);
    host_buffers(h);
    if (h->saved.bytes > 0) session_restore(s, &h->saved);
    h->submitted = h->completed = h->saved_batches;
}

static ride_status host_submit(host *h) {
    session *s = h->s;
    const uint32_t slot = h->submitted % IN_FLIGHT, first = h->first[h->submitted],
                   count = h->first[h->submitted + 1] - first;
    memset(h->in[slot], POISON, h->in_bytes);
    memset(h->out[slot], POISON, h->out_bytes);
    rows_fill(s->plan, &s->in, h->rows + first, count, first, h->in[slot]);
    ride_work work = {.stages = session_stages(s->plan) | (s->counts != NULL ? RIDE_STAGE_PROFILE : 0),
                      .counts = s->counts,
                      .rows_count = count,
                      .in_tiles = h->in[slot],
                      .out_tiles = h->out[slot],
                      .arena = session_arena,
                      .arena_bytes = sizeof session_arena};
    session_clocks(s->plan, h->rows, first, count, &work);
    const ride_status st = s->ops->submit(s->queue, s->program, s->state, &work, &h->tickets[slot]);
    h->submitted += st == RIDE_OK;
    return st;
}

static ride_status host_wait(host *h, uint64_t timeout_ns) {
    session *s = h->s;
    const uint32_t slot = h->completed % IN_FLIGHT, first = h->first[h->completed];
    const ride_status st = s->ops->wait(s->queue, h->tickets[slot], timeout_ns);
    if (st != RIDE_OK) return st;
    session_collect(s, h->rows, first, h->first[h->completed + 1] - first, h->out[slot], h->got);
    h->completed++;
    return RIDE_OK;
}

static ride_status host_save(host *h) {
    session *s = h->s;
    ride_error err = {0};
    memory_stream m = {0};
    ride_status st = s->ops->state_save(&s->state, 1, 0, RIDE_VNODES, memory_write, &m, &err);
    if (st == RIDE_OK) st = session_take(s);
    if (st != RIDE_OK) {
        free(m.data);
        return st;
    }
    free(h->saved.data);
    h->saved = m;
    h->saved_batches = h->completed;
    for (uint32_t i = 0; i < s->cells_count; i++) {
        h->saved_counts[i] += s->counted[i];
        s->counted[i] = 0;
    }
    return RIDE_OK;
}

/* Until all batches are done and saved. */
static void host_run(host *h, rnd *r) {
    while (h->saved_batches < h->batches_count) {
        ride_status st = RIDE_OK;
        const uint32_t flying = h->submitted - h->completed;
        const int may_submit = h->submitted < h->batches_count && flying < IN_FLIGHT;
        if (flying == 0 && (!may_submit || h->completed - h->saved_batches > rnd_below(r, 12))) st = host_save(h);
        else if (may_submit && !rnd_one_in(r, 4)) st = host_submit(h);
        else if (flying > 0) st = host_wait(h, rnd_one_in(r, 3) ? rnd_below(r, 2000) : UINT64_MAX);
        h->fulls += st == RIDE_FULL;
        h->pendings += st == RIDE_PENDING;
        if (st == RIDE_FULL && flying > 0) st = host_wait(h, UINT64_MAX); /* then there is room */
        if (st != RIDE_OK && st != RIDE_FULL && st != RIDE_PENDING) host_recover(h, st);
    }
}

static uint32_t random_events(rnd *r, ride_fake_event *events) {
    uint32_t count = 0;
    for (uint32_t d = 0; d < DEVICES; d++) {
        for (uint32_t i = rnd_below(r, 6); i > 0; i--) {
            ride_fake_event *e = &events[count++];
            *e = (ride_fake_event){.device_index = d, .work_index = rnd_below(r, 30)};
            switch (rnd_below(r, 4)) {
            case 0: e->action = RIDE_FAKE_FAIL, e->status = RIDE_E_INTERNAL; break;
            case 1: e->action = RIDE_FAKE_REFUSE, e->status = RIDE_FULL; break;
            case 2: e->action = RIDE_FAKE_DELAY, e->delay_ns = rnd_below(r, 100000); break;
            default:
                e->action = d + 1 < DEVICES ? RIDE_FAKE_LOSE : RIDE_FAKE_DELAY, e->delay_ns = rnd_below(r, 9000);
                break;
            }
        }
    }
    return count;
}

static void run_device_seed(uint64_t seed, ride_backend_entry_fn real, uint32_t *seen) {
    ride_clock_virtual clock;
    ride_backend_services real_services;
    ride_fake_event events[EVENTS_MAX];
    rnd r = {seed * 5 + 2};
    random_plan *plan = calloc(1, sizeof *plan);
    ride_bundle bundle;
    uint8_t *image = NULL;
    random_plan_make(seed, plan);
    random_model_make(seed, plan);
    random_plan_bundle(plan, &image, &bundle);
    const uint32_t rows_count = 50 + rnd_below(&r, 700);
    random_row *rows = random_rows_make(plan, seed, rows_count);
    outputs expected, got;
    session s;
    session_open(&s, real, plan, &bundle);
    session_run(&s, rows, rows_count, 64, 0, &expected);
    memory_stream whole = session_save(&s);
    uint64_t *expected_counts = counts_copy(&s);
    session_close(&s);

    ride_clock_virtual_init(&clock, 0);
    ride_backend_services_init(&real_services, &clock.clock);
    session_services = &real_services;
    const uint32_t events_count = random_events(&r, events);
    ride_fake_set(&(ride_fake_script){.devices_count = DEVICES,
                                      .delay_ns = rnd_below(&r, 3000),
                                      .delay_ns_per_row = rnd_below(&r, 20),
                                      .events = events,
                                      .events_count = events_count,
                                      .real = real});
    outputs_make(plan, rows_count, &got);
    host h = {.s = &s, .rows = rows, .rows_count = rows_count, .bundle = &bundle, .got = &got};
    h.first = calloc(rows_count + 2, sizeof *h.first);
    uint32_t batch_max = 1 + rnd_below(&r, 90), count_max = 0;
    for (uint32_t first = 0; first < rows_count;) {
        const uint32_t count = rows_of_batch(plan, rows, rows_count, first, 1 + rnd_below(&r, batch_max));
        if (count > count_max) count_max = count;
        first += count;
        h.first[++h.batches_count] = first;
    }
    session_open_at(&s, ride_backend_fake, plan, &bundle, 0);
    const uint32_t tiles = (count_max + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS;
    h.in_bytes = tiles * s.in.tile_bytes;
    h.out_bytes = tiles * s.out.tile_bytes;
    host_buffers(&h);
    h.saved_counts = calloc(s.cells_count + 1, sizeof *h.saved_counts);
    host_run(&h, &r);
    for (uint32_t i = 0; i < s.cells_count; i++) s.counted[i] = h.saved_counts[i];
    compare_counts(&s, expected_counts, "through devices that fail");
    compare(plan, rows, rows_count, &expected, &got, "through devices that fail");
    CHECK(plan->many_clocks || streams_equal(&h.saved, &whole), "the state at the end is another");
    seen[0] += h.losses, seen[1] += h.failures, seen[2] += h.fulls, seen[3] += h.pendings;
    for (uint32_t i = 0; i < IN_FLIGHT; i++) {
        s.ops->buffer_free(s.device, RIDE_BUFFER_HOST, h.in[i]);
        s.ops->buffer_free(s.device, RIDE_BUFFER_HOST, h.out[i]);
    }
    session_close(&s);
    ride_fake_set(NULL);
    session_services_default();
    free(whole.data);
    free(h.saved.data);
    free(h.saved_counts);
    free(expected_counts);
    free(h.first);
    free(got.words);
    free(expected.words);
    free(rows);
    free(plan);
    ride_bundle_image_free(image);
}

static void losses_and_failures_do_not_show(const backend_use *use) {
    uint32_t seen[4] = {0};
    for (uint64_t seed; check_rounds(backend_rounds(use, 60), &seed);) run_device_seed(seed, use->backend->entry, seen);
    CHECK(check.rounds < 20 || (seen[0] > 0 && seen[1] > 0 && seen[2] > 0 && seen[3] > 0),
          "nothing happened: %u losses, %u failures, %u full, %u pending", seen[0], seen[1], seen[2], seen[3]);
}

int main(int argc, char **argv) {
    backends_add("losses_and_failures_do_not_show", BACKENDS_WITHOUT_FAKE, 1, 1, losses_and_failures_do_not_show);
    return check_main(argc, argv);
}
