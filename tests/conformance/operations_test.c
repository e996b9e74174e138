/* tests/conformance/operations_test.c: random sequences of operations on a backend: two states with rows of their own on two queues of
 * up to two devices; works of several stages in flight; polls and waits; saves, and states that move to another device;
 * queues destroyed while busy. Whatever the order, the rows' bytes are those of the slow reference, the states at the end those of
 * undisturbed runs, and the statistics add up. */
#include "backends.h"
#include "trial.h"

enum { LANES = 2, QUEUES = 2, SLOTS = 6, DEPTH = 4, WORK_ROWS_MAX = 700 };

/* A state and the rows that go to it, in order. */
typedef struct lane {
    trial *t;
    outputs got;
    ride_state *state;
    ride_counts *counts;              /* NULL: the bundle has no profile */
    uint64_t *counted;                /* what was taken so far */
    ride_program_dev *program[LANES]; /* on each device */
    uint32_t device, queue;
    uint32_t next, flying; /* first row not submitted; works not completed */
} lane;

/* A batch in flight: one or several works over the same tiles, the last one's ticket. */
typedef struct flight {
    lane *of; /* NULL: a free slot */
    uint32_t queue, first, rows_count;
    ride_ticket ticket;
    uint8_t *in, *out; /* with guards */
    size_t in_bytes, out_bytes;
} flight;

typedef struct world {
    const ride_backend_ops *ops;
    ride_device *devices[LANES]; /* may be the same device, opened twice */
    struct {
        ride_queue *queue;
        uint32_t device, flying;
        uint64_t submitted, rows; /* as its statistics must say */
    } queues[QUEUES];
    lane lanes[LANES];
    flight slots[SLOTS];           /* buffers of devices[slot % LANES] */
    uint32_t moves, fulls, broken; /* of this round */
} world;

#define DO(call)                                                                                                       \
    do {                                                                                                               \
        ride_error err = {0};                                                                                          \
        const ride_status do_status = (call);                                                                          \
        CHECK(do_status == RIDE_OK, "%s: %s, %s", #call, ride_status_name(do_status), err.what);                       \
    } while (0)

static void lane_count(world *w, lane *l) {
    if (l->t->cells_count == 0) return;
    DO(w->ops->counts_create(w->devices[l->device], l->program[l->device], &l->counts, &err));
}
/* Adds what was counted; nothing of the lane is in flight. */
static void lane_take(world *w, lane *l) {
    if (l->counts == NULL) return;
    uint64_t *now = calloc(l->t->cells_count, sizeof *now);
    DO(w->ops->counts_take(l->counts, now, &err));
    for (uint32_t i = 0; i < l->t->cells_count; i++) l->counted[i] += now[i];
    free(now);
}

static void lane_open(world *w, lane *l, uint64_t seed, uint32_t rows_count) {
    l->t = trial_make(seed, rows_count);
    outputs_make(&l->t->plan, rows_count, &l->got);
    for (uint32_t d = 0; d < LANES; d++) DO(w->ops->program_upload(w->devices[d], &l->t->bundle, &l->program[d], &err));
    const ride_state_options options = {.vnodes_count = RIDE_VNODES};
    DO(w->ops->state_create(w->devices[l->device], l->program[l->device], &options, &l->state, &err));
    l->counted = calloc(l->t->cells_count + 1, sizeof *l->counted);
    lane_count(w, l);
}

static void queue_open(world *w, uint32_t q) {
    DO(w->ops->queue_create(w->devices[w->queues[q].device], DEPTH, &w->queues[q].queue, &err));
    w->queues[q].flying = 0;
    w->queues[q].submitted = w->queues[q].rows = 0;
}

static void slot_done(world *w, flight *f) {
    lane *l = f->of;
    const session as = {.plan = &l->t->plan, .ops = w->ops};
    session s = as;
    ride_plan_layout_out(&l->t->bundle, &s.out);
    const size_t guard = GUARD_BYTES;
    CHECK(all_bytes_are(f->out, guard, GUARD) && all_bytes_are(f->out + guard + f->out_bytes, guard, GUARD),
          "written outside the output of rows %u to %u", f->first, f->first + f->rows_count);
    CHECK(all_bytes_are(f->in, guard, GUARD) && all_bytes_are(f->in + guard + f->in_bytes, guard, GUARD),
          "written outside the input");
    session_collect(&s, l->t->rows, f->first, f->rows_count, f->out + guard, &l->got);
    w->ops->buffer_free(w->devices[w->queues[f->queue].device], RIDE_BUFFER_HOST, f->in);
    w->ops->buffer_free(w->devices[w->queues[f->queue].device], RIDE_BUFFER_HOST, f->out);
    l->flying--;
    w->queues[f->queue].flying--;
    *f = (flight){0};
}

/* Its buffers, filled; the rows wait in no queue yet. */
static void slot_fill(world *w, flight *f, lane *l, uint32_t rows_count) {
    ride_tile_layout in, out;
    ride_device *device = w->devices[l->device];
    ride_plan_layout_in(&l->t->bundle, &in);
    ride_plan_layout_out(&l->t->bundle, &out);
    const size_t tiles = (rows_count + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS;
    *f = (flight){.of = l,
                  .queue = l->queue,
                  .first = l->next,
                  .rows_count = rows_count,
                  .in_bytes = tiles * in.tile_bytes,
                  .out_bytes = tiles * out.tile_bytes};
    DO(w->ops->buffer_alloc(device, RIDE_BUFFER_HOST, f->in_bytes + 2 * GUARD_BYTES, (void **)&f->in, &err));
    DO(w->ops->buffer_alloc(device, RIDE_BUFFER_HOST, f->out_bytes + 2 * GUARD_BYTES, (void **)&f->out, &err));
    memset(f->in, GUARD, f->in_bytes + 2 * GUARD_BYTES);
    memset(f->out, GUARD, f->out_bytes + 2 * GUARD_BYTES);
    memset(f->in + GUARD_BYTES, POISON, f->in_bytes);
    memset(f->out + GUARD_BYTES, POISON, f->out_bytes);
    rows_fill(&l->t->plan, &in, l->t->rows + f->first, rows_count, f->first, f->in + GUARD_BYTES);
}

/* One work of a batch; waits for room, which must come when a work of this queue is done. */
static void work_submit(world *w, flight *f, uint32_t stages) {
    lane *l = f->of;
    ride_work work = {.stages = stages,
                      .rows_count = f->rows_count,
                      .in_tiles = f->in + GUARD_BYTES,
                      .out_tiles = f->out + GUARD_BYTES,
                      .arena = session_arena,
                      .arena_bytes = sizeof session_arena,
                      .counts = (stages & RIDE_STAGE_PROFILE) != 0 ? l->counts : NULL};
    session_clocks(&l->t->plan, l->t->rows, f->first, f->rows_count, &work);
    ride_state *state = (stages & RIDE_STAGE_FEATURES) != 0 ? l->state : NULL;
    ride_ticket ticket = 0;
    for (;;) {
        const ride_status st = w->ops->submit(w->queues[l->queue].queue, l->program[l->device], state, &work, &ticket);
        if (st == RIDE_OK) break;
        CHECK(st == RIDE_FULL, "submit: %s", ride_status_name(st));
        w->fulls++;
        CHECK(w->queues[l->queue].submitted > 0, "an empty queue is full");
        const ride_ticket before = w->queues[l->queue].submitted; /* the newest: then all are done */
        const ride_status waited = w->ops->wait(w->queues[l->queue].queue, before, UINT64_MAX);
        CHECK(waited == RIDE_OK, "wait: %s", ride_status_name(waited));
    }
    w->queues[l->queue].submitted++;
    w->queues[l->queue].rows += f->rows_count;
    CHECK(ticket == w->queues[l->queue].submitted, "ticket %llu of the %llu. work", (unsigned long long)ticket,
          (unsigned long long)w->queues[l->queue].submitted);
    f->ticket = ticket;
}

static void op_submit(world *w, rnd *r, lane *l) {
    flight *f = NULL;
    for (uint32_t i = 0; i < SLOTS; i++)
        if (w->slots[i].of == NULL) f = &w->slots[i];
    if (f == NULL || l->next == l->t->rows_count) return;
    uint32_t count = rnd_one_in(r, 3) ? 1 + rnd_below(r, 3) : 1 + rnd_below(r, 300);
    count = rows_of_batch(&l->t->plan, l->t->rows, l->t->rows_count, l->next, count);
    slot_fill(w, f, l, count);
    const uint32_t stages = session_stages(&l->t->plan) | (l->counts != NULL ? RIDE_STAGE_PROFILE : 0),
                   score = stages & RIDE_STAGE_SCORE;
    switch (rnd_below(r, 3)) { /* works of one queue are done in order: they may follow without waiting */
    case 0: work_submit(w, f, stages); break;
    case 1:
        work_submit(w, f, RIDE_STAGE_FEATURES);
        work_submit(w, f, stages & ~(uint32_t)RIDE_STAGE_FEATURES);
        break;
    default:
        work_submit(w, f, RIDE_STAGE_FEATURES | score);
        work_submit(w, f, stages & ~(uint32_t)(RIDE_STAGE_FEATURES | RIDE_STAGE_SCORE));
        break;
    }
    l->next += count;
    l->flying++;
    w->queues[l->queue].flying++;
}

/* Asks for a random batch in flight; the batches of its queue that were submitted before it must then be done too. */
static void op_ask(world *w, rnd *r) {
    flight *f = &w->slots[rnd_below(r, SLOTS)];
    if (f->of == NULL) return;
    const uint32_t q = f->queue;
    ride_queue *queue = w->queues[q].queue;
    const uint64_t timeout_ns = rnd_one_in(r, 2) ? UINT64_MAX : rnd_below(r, 50000);
    const ride_status st =
        rnd_one_in(r, 3) ? w->ops->poll(queue, f->ticket) : w->ops->wait(queue, f->ticket, timeout_ns);
    CHECK(st == RIDE_OK || st == RIDE_PENDING, "rows %u: %s", f->first, ride_status_name(st));
    if (st == RIDE_PENDING) return;
    const ride_ticket done = f->ticket;
    for (uint32_t i = 0; i < SLOTS; i++) {
        flight *before = &w->slots[i];
        if (before->of == NULL || before->queue != q || before->ticket > done) continue;
        CHECK(w->ops->poll(queue, before->ticket) == RIDE_OK, "an earlier work is not done");
        slot_done(w, before);
    }
}

/* Waits for everything in a queue; with `destroy` only as queue_destroy does. */
static void queue_drain(world *w, uint32_t q, int destroy) {
    ride_queue *queue = w->queues[q].queue;
    if (!destroy) {
        for (uint32_t i = 0; i < SLOTS; i++)
            if (w->slots[i].of != NULL && w->slots[i].queue == q)
                CHECK(w->ops->wait(queue, w->slots[i].ticket, UINT64_MAX) == RIDE_OK, "a work failed");
        ride_queue_stats stats;
        w->ops->queue_stats(queue, &stats);
        CHECK(stats.submitted == w->queues[q].submitted && stats.completed == stats.submitted && stats.failed == 0 &&
                  stats.rows == w->queues[q].rows,
              "of %llu works and %llu rows the statistics say %llu, %llu, %llu completed, %llu failed",
              (unsigned long long)w->queues[q].submitted, (unsigned long long)w->queues[q].rows,
              (unsigned long long)stats.submitted, (unsigned long long)stats.rows, (unsigned long long)stats.completed,
              (unsigned long long)stats.failed);
    } else {
        w->broken += w->queues[q].flying > 0;
        w->ops->queue_destroy(queue);
        w->queues[q].queue = NULL;
    }
    for (uint32_t i = 0; i < SLOTS; i++)
        if (w->slots[i].of != NULL && w->slots[i].queue == q) slot_done(w, &w->slots[i]);
    if (destroy) queue_open(w, q);
}

static memory_stream lane_save(world *w, lane *l) {
    memory_stream m = {0};
    DO(w->ops->state_save(&l->state, 1, 0, RIDE_VNODES, memory_write, &m, &err));
    return m;
}

/* The state goes to another device, or to a new state on the same, and to any queue there. */
static void op_move(world *w, rnd *r, lane *l) {
    queue_drain(w, l->queue, 0);
    lane_take(w, l);
    w->ops->counts_destroy(l->counts);
    l->counts = NULL;
    memory_stream saved = lane_save(w, l);
    const ride_state_options options = {.vnodes_count = RIDE_VNODES};
    w->ops->state_destroy(l->state);
    l->queue = rnd_below(r, QUEUES);
    l->device = w->queues[l->queue].device;
    DO(w->ops->state_create(w->devices[l->device], l->program[l->device], &options, &l->state, &err));
    DO(w->ops->state_restore(&l->state, 1, memory_read, &saved, &err));
    memory_stream again = lane_save(w, l);
    CHECK(streams_equal(&saved, &again), "a state that moved saves other bytes");
    free(again.data);
    free(saved.data);
    lane_count(w, l);
    w->moves++;
}

static void op_stats(world *w, const lane *l) {
    ride_state_stats stats;
    w->ops->state_stats(l->state, &stats);
    CHECK(stats.entries <= (uint64_t)l->next * l->t->plan.entities_count, "more entries than rows: %llu of %u",
          (unsigned long long)stats.entries, l->next);
    CHECK(stats.keys <= (uint64_t)l->next * l->t->plan.entities_count, "more keys than rows: %llu of %u",
          (unsigned long long)stats.keys, l->next);
}

static void lane_close(world *w, lane *l, ride_backend_entry_fn entry) {
    memory_stream saved = lane_save(w, l);
    lane_take(w, l);
    for (uint32_t i = 0; i < l->t->cells_count; i++)
        CHECK(l->counted[i] == l->t->expected_counts[i], "cell %u: %llu counted, %llu expected", i,
              (unsigned long long)l->counted[i], (unsigned long long)l->t->expected_counts[i]);
    w->ops->counts_destroy(l->counts);
    free(l->counted);
    compare(&l->t->plan, l->t->rows, l->t->rows_count, &l->t->expected, &l->got, "random operations");
    w->ops->state_destroy(l->state);
    for (uint32_t d = 0; d < LANES; d++) w->ops->program_release(l->program[d]);
    session s;
    outputs got;
    session_open(&s, entry, &l->t->plan, &l->t->bundle);
    session_run(&s, l->t->rows, l->t->rows_count, 256, 0, &got);
    memory_stream whole = session_save(&s);
    CHECK(l->t->plan.many_clocks || streams_equal(&saved, &whole),
          "the state at the end is not that of an undisturbed run");
    session_close(&s);
    free(got.words);
    free(whole.data);
    free(saved.data);
    free(l->got.words);
    trial_free(l->t);
}

static world *world_open(const backend_use *use, rnd *r, uint64_t seed) {
    world *w = calloc(1, sizeof *w);
    ride_error why = {0};
    RIDE_ASSERT(w != NULL);
    w->ops = use->backend->entry(RIDE_BACKEND_ABI, session_services, &why);
    CHECK(w->ops != NULL, "%s", why.what);
    for (uint32_t d = 0; d < LANES; d++)
        DO(w->ops->device_open(d % use->parts_count % w->ops->device_count(), &w->devices[d], &err));
    for (uint32_t q = 0; q < QUEUES; q++) {
        w->queues[q].device = q % LANES;
        queue_open(w, q);
    }
    for (uint32_t i = 0; i < LANES; i++) {
        w->lanes[i].device = w->lanes[i].queue = i;
        lane_open(w, &w->lanes[i], seed * LANES + i, 1 + rnd_below(r, WORK_ROWS_MAX));
    }
    return w;
}

static void operations(const backend_use *use) {
    uint32_t seen[3] = {0};
    for (uint64_t seed; check_rounds(backend_rounds(use, 40), &seed);) {
        rnd random = {seed * 11 + 5}, *r = &random;
        world *w = world_open(use, r, seed);
        while (w->lanes[0].next < w->lanes[0].t->rows_count || w->lanes[1].next < w->lanes[1].t->rows_count) {
            lane *l = &w->lanes[rnd_below(r, LANES)];
            switch (rnd_below(r, 16)) {
            case 0: op_move(w, r, l); break;
            case 1: op_stats(w, l); break;
            case 2:
                if (rnd_one_in(r, 3)) queue_drain(w, rnd_below(r, QUEUES), 1);
                break;
            case 3:
                queue_drain(w, l->queue, 0);
                lane_take(w, l);
                break;
            case 4:
            case 5:
            case 6: op_ask(w, r); break;
            default: op_submit(w, r, l); break;
            }
        }
        for (uint32_t q = 0; q < QUEUES; q++) queue_drain(w, q, rnd_one_in(r, 4));
        for (uint32_t i = 0; i < LANES; i++) lane_close(w, &w->lanes[i], use->backend->entry);
        for (uint32_t q = 0; q < QUEUES; q++) w->ops->queue_destroy(w->queues[q].queue);
        for (uint32_t d = 0; d < LANES; d++) w->ops->device_close(w->devices[d]);
        seen[0] += w->moves, seen[1] += w->fulls, seen[2] += w->broken;
        free(w);
    }
    CHECK(check.rounds < 10 || (seen[0] > 0 && seen[2] > 0), "nothing happened: %u moves, %u queues broken off",
          seen[0], seen[2]);
}

int main(int argc, char **argv) {
    backends_add("random_operations", BACKENDS_ALL, 1, 2, operations);
    return check_main(argc, argv);
}
