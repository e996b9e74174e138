/* tests/conformance/shards_test.c: several states over one batch. Every state owns a part of the vnodes and is given all rows; then the
 * batch's tiles are divided between the queues for what is done row by row. Together they give what one state gives: every row, every
 * count, and the bytes of the saved state, wherever it is saved and however many states it is restored into. Backends that say so
 * are worked by as many threads at once. */
#include "backends.h"
#include "kernels/row/key.h"
#include "trial.h"

#include <pthread.h>

enum { SHARDS_MAX = 5 };

typedef struct shards {
    session s; /* device, program, buffers; its own state and queue are not used */
    uint32_t count;
    ride_state *states[SHARDS_MAX];
    ride_queue *queues[SHARDS_MAX];
    ride_counts *counts[SHARDS_MAX];
    int at_once;
} shards;

/* `count` ranges, none empty. */
static void shards_states(shards *d, rnd *r, uint32_t count) {
    session *s = &d->s;
    ride_error err = {0};
    uint32_t first = 0;
    d->count = count;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t left = count - 1 - i, room = RIDE_VNODES - first - left, share = (room + left) / (left + 1);
        const uint32_t vnodes = left == 0 ? room : rnd_one_in(r, 4) ? 1 + rnd_below(r, room) : share;
        const ride_state_options options = {.vnode_first = first, .vnodes_count = vnodes};
        MUST(s->ops->state_create(s->device, s->program, &options, &d->states[i], &err));
        first += vnodes;
    }
}

static void shards_open(shards *d, const backend_use *use, const trial *t, rnd *r) {
    session *s = &d->s;
    ride_error err = {0};
    ride_device_props props;
    *d = (shards){0};
    session_open(s, use->backend->entry, &t->plan, &t->bundle);
    s->ops->state_destroy(s->state);
    s->state = NULL;
    MUST(s->ops->device_props(s->device_index, &props, &err));
    d->at_once = props.tiles_shared != 0;
    shards_states(d, r, use->parts_count);
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        MUST(s->ops->queue_create(s->device, 4, &d->queues[i], &err));
        if (s->counts != NULL) MUST(s->ops->counts_create(s->device, s->program, &d->counts[i], &err));
    }
}

static memory_stream shards_save(shards *d) {
    session *s = &d->s;
    ride_error err = {0};
    memory_stream m = {0};
    MUST(s->ops->state_save(d->states, d->count, 0, RIDE_VNODES, memory_write, &m, &err));
    return m;
}

static void shards_drop(shards *d) {
    for (uint32_t i = 0; i < d->count; i++) d->s.ops->state_destroy(d->states[i]);
    d->count = 0;
}

/* Saved, and gone on from by another number of states. */
static void shards_resume(shards *d, rnd *r) {
    session *s = &d->s;
    ride_error err = {0};
    memory_stream saved = shards_save(d);
    shards_drop(d);
    shards_states(d, r, 1 + rnd_below(r, SHARDS_MAX));
    MUST(s->ops->state_restore(d->states, d->count, memory_read, &saved, &err));
    CHECK(saved.at == saved.bytes, "the restore left bytes");
    memory_stream again = shards_save(d);
    CHECK(streams_equal(&saved, &again), "restored into %u states: they save other bytes", d->count);
    free(again.data);
    free(saved.data);
}

static void shards_close(shards *d) {
    session *s = &d->s;
    shards_drop(d);
    for (uint32_t i = 0; i < SHARDS_MAX; i++) {
        s->ops->queue_destroy(d->queues[i]);
        s->ops->counts_destroy(d->counts[i]);
    }
    session_close(s);
}

/* A work of one of them, done by a thread of its own. */
typedef struct job {
    const shards *d;
    uint32_t index;
    ride_work work;
    ride_status status;
    pthread_t thread;
} job;

static void *job_run(void *context) {
    job *j = context;
    const session *s = &j->d->s;
    ride_queue *queue = j->d->queues[j->index];
    ride_state *state = (j->work.stages & RIDE_STAGE_WINDOWS) != 0 ? j->d->states[j->index] : NULL;
    ride_ticket ticket = 0;
    j->status = s->ops->submit(queue, s->program, state, &j->work, &ticket);
    if (j->status == RIDE_OK) j->status = s->ops->wait(queue, ticket, UINT64_MAX);
    return NULL;
}

static void jobs_run(job *jobs, uint32_t jobs_count, int at_once) {
    for (uint32_t i = 0; i < jobs_count; i++) {
        if (!at_once) job_run(&jobs[i]);
        else RIDE_ASSERT(pthread_create(&jobs[i].thread, NULL, job_run, &jobs[i]) == 0);
    }
    for (uint32_t i = 0; i < jobs_count && at_once; i++) pthread_join(jobs[i].thread, NULL);
    for (uint32_t i = 0; i < jobs_count; i++)
        CHECK(jobs[i].status == RIDE_OK, "part %u: %s", i, ride_status_name(jobs[i].status));
}

/* One batch: windows by every state, then the rest by runs of tiles. */
static void shards_batch(shards *d, const trial *t, rnd *r, uint32_t first, uint32_t count, outputs *out) {
    session *s = &d->s;
    const uint32_t tiles = (count + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS;
    const size_t out_bytes = (size_t)tiles * s->out.tile_bytes;
    uint8_t *in = s->in_buffer + GUARD_BYTES, *to = s->out_buffer + GUARD_BYTES;
    job jobs[SHARDS_MAX];
    memset(s->in_buffer, POISON, (size_t)tiles * s->in.tile_bytes + 2 * GUARD_BYTES);
    memset(s->out_buffer, GUARD, out_bytes + 2 * GUARD_BYTES);
    memset(to, POISON, out_bytes);
    rows_fill(&t->plan, &s->in, t->rows + first, count, first, in);
    ride_out_flags_clear(&s->out, to, count);
    ride_work all = {.stages = RIDE_STAGE_WINDOWS,
                     .rows_count = count,
                     .in_tiles = in,
                     .out_tiles = to,
                     .arena = session_arena,
                     .arena_bytes = sizeof session_arena};
    session_clocks(&t->plan, t->rows, first, count, &all);
    for (uint32_t i = 0; i < d->count; i++) jobs[i] = (job){.d = d, .index = i, .work = all};
    jobs_run(jobs, d->count, d->at_once);
    uint32_t jobs_count = 0;
    for (uint32_t tile = 0; tile < tiles;) { /* runs of tiles to any of them */
        const uint32_t left = SHARDS_MAX - 1 - jobs_count;
        const uint32_t run = left == 0 ? tiles - tile : 1 + rnd_below(r, tiles - tile);
        const uint32_t row = tile * RIDE_TILE_ROWS, rows = run * RIDE_TILE_ROWS;
        job *j = &jobs[jobs_count];
        *j = (job){.d = d, .index = jobs_count, .work = all};
        jobs_count++;
        j->work.stages = session_stages(&t->plan) & ~(uint32_t)RIDE_STAGE_WINDOWS;
        if (s->counts != NULL) j->work.stages |= RIDE_STAGE_PROFILE;
        j->work.counts = d->counts[j->index];
        j->work.in_tiles = in + (size_t)tile * s->in.tile_bytes;
        j->work.out_tiles = to + (size_t)tile * s->out.tile_bytes;
        j->work.rows_count = rows < count - row ? rows : count - row;
        tile += run;
    }
    jobs_run(jobs, jobs_count, d->at_once);
    CHECK(all_bytes_are(s->out_buffer, GUARD_BYTES, GUARD) && all_bytes_are(to + out_bytes, GUARD_BYTES, GUARD),
          "written outside the output");
    session_collect(s, t->rows, first, count, to, out);
}

static void counts_add(shards *d, uint64_t *sum) {
    session *s = &d->s;
    ride_error err = {0};
    uint64_t *now = calloc(s->cells_count + 1, sizeof *now);
    for (uint32_t i = 0; i < SHARDS_MAX && s->counts != NULL; i++) {
        MUST(s->ops->counts_take(d->counts[i], now, &err));
        for (uint32_t cell = 0; cell < s->cells_count; cell++) sum[cell] += now[cell];
    }
    free(now);
}

static void together(const backend_use *use) {
    for (uint64_t seed; check_rounds(backend_rounds(use, 60), &seed);) {
        rnd random = {seed * 19 + 3}, *r = &random;
        trial *t = trial_make(seed, rnd_one_in(r, 6) && use->backend->slower < 5 ? 1200 + rnd_below(r, 3000)
                                                                                 : rnd_below(r, 900));
        uint64_t *counted = calloc(t->cells_count + 1, sizeof *counted);
        session one;
        shards d;
        outputs got;
        session_open(&one, use->backend->entry, &t->plan, &t->bundle);
        session_run(&one, t->rows, t->rows_count, 300, 0, &got);
        memory_stream whole = session_save(&one);
        session_close(&one);
        free(got.words);
        outputs_make(&t->plan, t->rows_count, &got);
        shards_open(&d, use, t, r);
        for (uint32_t first = 0, count; first < t->rows_count; first += count) {
            count = rnd_one_in(r, 3) ? 1 + rnd_below(r, 4) : 1 + rnd_below(r, rnd_one_in(r, 3) ? 2600 : 300);
            count = rows_of_batch(&t->plan, t->rows, t->rows_count, first, count);
            shards_batch(&d, t, r, first, count, &got);
            if (rnd_one_in(r, 5)) shards_resume(&d, r);
            if (rnd_one_in(r, 4)) counts_add(&d, counted);
        }
        counts_add(&d, counted);
        compare(&t->plan, t->rows, t->rows_count, &t->expected, &got, "several states");
        for (uint32_t cell = 0; cell < t->cells_count; cell++)
            CHECK(counted[cell] == t->expected_counts[cell], "cell %u: %llu counted, %llu expected", cell,
                  (unsigned long long)counted[cell], (unsigned long long)t->expected_counts[cell]);
        memory_stream saved = shards_save(&d);
        CHECK(t->plan.many_clocks || streams_equal(&saved, &whole), "%u states save other bytes than one", d.count);
        free(saved.data);
        free(whole.data);
        free(got.words);
        free(counted);
        shards_close(&d);
        trial_free(t);
    }
}

/* A state of a part leaves the cells of other keys' rows as they are: what its rows are, the states together say. */
static void cells_left(const backend_use *use) {
    uint64_t left = 0;
    for (uint64_t seed; check_rounds(backend_rounds(use, 30), &seed);) {
        rnd random = {seed * 23 + 1}, *r = &random;
        trial *t = trial_make(seed, 1 + rnd_below(r, 400));
        session s;
        ride_error err = {0};
        session_open_part(&s, use->backend->entry, &t->plan, &t->bundle, 700, 1, 0);
        const size_t tiles = (t->rows_count + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS;
        memset(s.in_buffer, POISON, tiles * s.in.tile_bytes);
        rows_fill(&t->plan, &s.in, t->rows, t->rows_count, 0, s.in_buffer);
        memset(s.out_buffer, POISON, tiles * s.out.tile_bytes);
        ride_out_flags_clear(&s.out, s.out_buffer, t->rows_count);
        ride_work work = {.stages = RIDE_STAGE_WINDOWS,
                          .rows_count = t->rows_count,
                          .in_tiles = s.in_buffer,
                          .out_tiles = s.out_buffer,
                          .arena = session_arena,
                          .arena_bytes = sizeof session_arena};
        session_clocks(&t->plan, t->rows, 0, t->rows_count, &work);
        ride_ticket ticket;
        CHECK(s.ops->submit(s.queue, s.program, s.state, &work, &ticket) == RIDE_OK &&
                  s.ops->wait(s.queue, ticket, UINT64_MAX) == RIDE_OK,
              "the work failed");
        const ride_plan_aggregate *aggregates =
            ride_bundle_array(&t->bundle, RIDE_SECTION_AGGREGATES, ride_plan_aggregate);
        for (uint32_t row = 0; row < t->rows_count; row++) {
            const uint8_t *tile = s.out_buffer + (size_t)(row / RIDE_TILE_ROWS) * s.out.tile_bytes;
            const uint32_t at = row % RIDE_TILE_ROWS;
            if (!row_is_event(&t->rows[row])) continue;
            for (uint32_t a = 0; a < t->bundle.plan->aggregates_count; a++) {
                const uint32_t e = aggregates[a].entity;
                const uint32_t vnode = (t->rows[row].nulls >> e & 1) != 0 ? 0 : ride_key_vnode(t->rows[row].keys[e]);
                if (vnode == 700) continue;
                const uint8_t *cell =
                    (const uint8_t *)ride_tile_values_const(&s.out, tile, aggregates[a].feature) + 8 * (size_t)at;
                CHECK(all_bytes_are(cell, 8, POISON), "row %u of vnode %u was written by the owner of vnode 700", row,
                      vnode);
                left++;
            }
        }
        (void)err;
        session_close(&s);
        trial_free(t);
    }
    CHECK(check.rounds < 5 || left > 0, "no cell was another's");
}

int main(int argc, char **argv) {
    setenv("RIDE_EMU_ORDER", "random:5", 0);
    setenv("RIDE_EMU_MEMORY", "120000000", 0); /* for as many states */
    backends_add("several_states_over_one_batch", BACKENDS_ALL, 1, 4, together);
    backends_add("cells_of_others_are_left", BACKENDS_WITHOUT_FAKE, 1, 1, cells_left);
    return check_main(argc, argv);
}
