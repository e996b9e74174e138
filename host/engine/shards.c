/* engine/shards.c: see shards.h.
 *
 * A batch is a job with a number. `phase` is 2 * job while its windows are done and 2 * job + 1 while its tiles are; `done` is the job when all
 * of it is. Every claim names the job, so a thread that comes late, or never woke, claims nothing of a later one: it looks
 * at the job's plain fields only after a claim, and a job whose piece is claimed cannot end before that piece. */
#include "engine/shards.h"

#include "base/assert.h"
#include "base/gate.h"
#include "base/ring.h"
#include "engine/reasons.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_TOGETHER_MIN = 32, /* fewer are not worth waking anybody */
    PARTS = 2,              /* ranges of each shard: what a thread that is held up has not begun, others can take */
    TILES_TOGETHER = 2,     /* of a claim: the rows that the cpu backend scores at once */
    JOBS = INT32_MAX,
};

/* A range of the vnodes. */
typedef struct part {
    alignas(RIDE_CACHE_LINE) _Atomic uint32_t begun; /* the last job whose windows were begun */
    ride_state *state;
} part;

/* A thread and what is its own. Shard i owns the parts from i * PARTS on. */
typedef struct shard {
    struct shards *all;
    uint32_t index;
    ride_queue *queue;
    ride_counts *counts;
    pthread_t thread;
    bool has_thread;
    ride_gate_wait wait;
} shard;

struct shards {
    alignas(RIDE_CACHE_LINE) ride_gate phase;
    alignas(RIDE_CACHE_LINE) ride_gate done;
    alignas(RIDE_CACHE_LINE) _Atomic uint64_t tiles; /* job << 32 | tiles that nobody has claimed */
    alignas(RIDE_CACHE_LINE) _Atomic uint32_t windows_left;
    _Atomic uint32_t tiles_left; /* not finished */
    _Atomic uint32_t failure;    /* ride_status of the first piece that failed */
    alignas(RIDE_CACHE_LINE) _Atomic bool stop;
    const pipeline *p;
    uint32_t count, parts_count, job;
    part *parts;
    ride_work work;        /* of the job */
    uint8_t *reason_tiles; /* of its batch; NULL: no reasons */
    uint32_t tiles_count;
    bool together;     /* the job is with the threads */
    ride_status alone; /* how the batch went that is not */
    bool caller_bound;
    cpu_set_t caller_cpus; /* what the caller's thread was bound to before */
    shard each[];
};

/* ---- pieces ---- */

static void piece_ends(struct shards *s, ride_status st) {
    uint32_t none = RIDE_OK;
    if (st != RIDE_OK) atomic_compare_exchange_strong(&s->failure, &none, (uint32_t)st);
}

static ride_status submit(const struct shards *s, const shard *by, ride_state *state, const ride_work *work) {
    const pipeline *p = s->p;
    ride_ticket ticket;
    ride_status st = p->ops->submit(by->queue, p->program, state, work, &ticket);
    return st == RIDE_OK ? p->ops->wait(by->queue, ticket, UINT64_MAX) : st;
}

/* The same of rows whose windows are there or part of the work: all that is done row by row, reasons last. */
static ride_status submit_rows(const struct shards *s, const shard *by, ride_state *state, const ride_work *work,
                               uint32_t tile_first) {
    RIDE_TRY(submit(s, by, state, work));
    if (s->reason_tiles == NULL) return RIDE_OK;
    return reasons_make(s->p, by->index, work, s->reason_tiles + (size_t)tile_first * reasons_layout(s->p)->tile_bytes);
}

static ride_status windows_of(const struct shards *s, const shard *by, const part *of, const ride_work *all) {
    ride_work work = *all;
    work.stages = RIDE_STAGE_WINDOWS;
    work.counts = NULL;
    return submit(s, by, of->state, &work);
}

/* Rows of [tile_first, tile_end) of the work, all stages but the windows. */
static ride_status tiles_of(const struct shards *s, const shard *by, const ride_work *all, uint32_t tile_first,
                            uint32_t tile_end) {
    ride_work work = *all;
    const uint32_t row_first = tile_first * RIDE_TILE_ROWS, row_end = tile_end * RIDE_TILE_ROWS;
    work.stages &= ~(uint32_t)RIDE_STAGE_WINDOWS;
    work.rows_count = (row_end < all->rows_count ? row_end : all->rows_count) - row_first;
    work.in_tiles += (size_t)tile_first * s->p->in_layout.tile_bytes;
    work.out_tiles += (size_t)tile_first * s->p->out_layout.tile_bytes;
    work.counts = (work.stages & RIDE_STAGE_PROFILE) != 0 ? by->counts : NULL;
    return submit_rows(s, by, NULL, &work, tile_first);
}

/* Claims the windows of a part, for the job. */
static bool windows_claim(part *of, uint32_t job) {
    uint32_t before = (job - 1) & JOBS;
    return atomic_compare_exchange_strong(&of->begun, &before, job);
}

static void windows_run(struct shards *s, shard *by, uint32_t job) {
    for (uint32_t i = 0; i < s->parts_count; i++) { /* its own first */
        part *of = &s->parts[(by->index * PARTS + i) % s->parts_count];
        if (!windows_claim(of, job)) continue;
        piece_ends(s, windows_of(s, by, of, &s->work));
        if (atomic_fetch_sub(&s->windows_left, 1) == 1) ride_gate_set(&s->phase, 2 * job + 1);
    }
}

/* Claims the first of the tiles that are left. Returns how many were left, 0: none are; *count: how many are the caller's now. */
static uint32_t tiles_claim(struct shards *s, uint32_t job, uint32_t *count) {
    uint64_t tiles = atomic_load(&s->tiles);
    while (tiles >> 32 == job && (uint32_t)tiles > 0) {
        *count = (uint32_t)tiles < TILES_TOGETHER ? (uint32_t)tiles : TILES_TOGETHER;
        if (atomic_compare_exchange_weak(&s->tiles, &tiles, tiles - *count)) return (uint32_t)tiles;
    }
    return 0;
}

static void tiles_run(struct shards *s, const shard *by, uint32_t job) {
    for (uint32_t left, count; (left = tiles_claim(s, job, &count)) > 0;) {
        const uint32_t tile = s->tiles_count - left;
        if (atomic_load(&s->failure) == RIDE_OK) piece_ends(s, tiles_of(s, by, &s->work, tile, tile + count));
        if (atomic_fetch_sub(&s->tiles_left, count) == count) ride_gate_set(&s->done, job);
    }
}

static void *shard_main(void *context) {
    shard *me = context;
    struct shards *s = me->all;
    for (uint32_t phase = 0; !atomic_load(&s->stop);) {
        phase = ride_gate_wait_change(&s->phase, phase, &me->wait);
        if (phase % 2 == 0) windows_run(s, me, phase / 2);
        else tiles_run(s, me, phase / 2);
    }
    return NULL;
}

/* ---- a batch ---- */

/* The caller alone, whatever the number of shards. */
static ride_status compute_alone(struct shards *s, const ride_work *work) {
    const shard *caller = &s->each[0];
    for (uint32_t i = 0; i < s->parts_count; i++) RIDE_TRY(windows_of(s, caller, &s->parts[i], work));
    return tiles_of(s, caller, work, 0, s->tiles_count);
}

void shards_begin(pipeline *p, const ride_work *given) {
    struct shards *s = p->shards;
    shard *caller = &s->each[0];
    s->work = *given;
    s->reason_tiles = p->no_reasons ? NULL : p->reason_tiles;
    s->tiles_count = (given->rows_count + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS;
    if (s->count == 1) {
        s->work.counts = caller->counts;
        s->alone = submit_rows(s, caller, s->parts[0].state, &s->work, 0);
        return;
    }
    ride_out_flags_clear(&p->out_layout, given->out_tiles, given->rows_count);
    if (given->rows_count < ROWS_TOGETHER_MIN) {
        s->alone = compute_alone(s, given);
        return;
    }
    const uint32_t job = s->job = (s->job + 1) & JOBS;
    s->together = true;
    atomic_store(&s->failure, RIDE_OK);
    atomic_store(&s->windows_left, s->parts_count);
    atomic_store(&s->tiles_left, s->tiles_count);
    atomic_store(&s->tiles, (uint64_t)job << 32 | s->tiles_count);
    ride_gate_set(&s->phase, 2 * job);
}

void shards_help(pipeline *p) {
    if (p->shards->together) windows_run(p->shards, &p->shards->each[0], p->shards->job);
}

ride_status shards_end(pipeline *p) {
    struct shards *s = p->shards;
    shard *caller = &s->each[0];
    if (!s->together) return s->alone;
    windows_run(s, caller, s->job);
    ride_gate_wait_change(&s->phase, 2 * s->job, &caller->wait);
    tiles_run(s, caller, s->job);
    ride_gate_wait_change(&s->done, (s->job - 1) & JOBS, &caller->wait);
    s->together = false;
    return (ride_status)atomic_load(&s->failure);
}

ride_status shards_submit(pipeline *p, const ride_work *given) {
    ride_work work = *given;
    work.counts = p->shards->each[0].counts;
    return submit(p->shards, &p->shards->each[0], NULL, &work);
}

/* ---- life ---- */

static ride_status states_open(pipeline *p, ride_error *err) {
    struct shards *s = p->shards;
    for (uint32_t i = 0, first = 0; i < s->parts_count; i++) {
        const uint32_t end = RIDE_VNODES * (i + 1) / s->parts_count;
        const uint64_t memory = p->options->backend_memory;
        const ride_state_options options = {.vnode_first = first,
                                            .vnodes_count = end - first,
                                            .memory_bytes_max = (memory + s->parts_count - 1) / s->parts_count};
        RIDE_TRY(p->ops->state_create(p->device, p->program, &options, &s->parts[i].state, err));
        first = end;
    }
    return RIDE_OK;
}

static void states_close(pipeline *p) {
    struct shards *s = p->shards;
    for (uint32_t i = 0; s->parts != NULL && i < s->parts_count; i++) {
        if (s->parts[i].state != NULL) p->ops->state_destroy(s->parts[i].state);
        s->parts[i].state = NULL;
    }
}

ride_status shards_reset(pipeline *p, ride_error *err) {
    states_close(p);
    return states_open(p, err);
}

static int cpu_of(const pipeline *p, uint32_t i) {
    return p->options->shard_cpus != NULL ? p->options->shard_cpus[i] : -1;
}

static ride_status bind_failed(uint32_t index, int cpu, int code, ride_error *err) {
    ride_fail(err, RIDE_E_CONFIG, "shard %u cannot be bound to cpu %d: %s", index, cpu, strerror(code));
    ride_error_advice(err, "`ride topology` tells which cpus this process may use");
    return RIDE_E_CONFIG;
}

ride_status shards_bind_caller(pipeline *p, ride_error *err) {
    struct shards *s = p->shards;
    const int cpu = cpu_of(p, 0);
    if (cpu < 0) return RIDE_OK;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (cpu >= CPU_SETSIZE) return bind_failed(0, cpu, EINVAL, err);
    CPU_SET((size_t)cpu, &set);
    int code = pthread_getaffinity_np(pthread_self(), sizeof s->caller_cpus, &s->caller_cpus);
    if (code == 0) code = pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    if (code != 0) return bind_failed(0, cpu, code, err);
    s->caller_bound = true;
    return RIDE_OK;
}

/* Signals are the caller's. */
static ride_status thread_open(struct shards *s, uint32_t i, int cpu, ride_error *err) {
    pthread_attr_t attributes;
    sigset_t all, before;
    char name[24];
    if (cpu >= CPU_SETSIZE) return bind_failed(i, cpu, EINVAL, err);
    if (pthread_attr_init(&attributes) != 0) return ride_fail(err, RIDE_E_MEMORY, "no memory for a thread");
    int code = 0;
    if (cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)cpu, &set);
        code = pthread_attr_setaffinity_np(&attributes, sizeof set, &set);
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (code == 0) code = pthread_create(&s->each[i].thread, &attributes, shard_main, &s->each[i]);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (code != 0 && cpu >= 0) return bind_failed(i, cpu, code, err);
    if (code != 0) return ride_fail(err, RIDE_E_UNAVAILABLE, "no thread for shard %u: %s", i, strerror(code));
    s->each[i].has_thread = true;
    snprintf(name, sizeof name, "ride-shard-%u", i % 100);
    pthread_setname_np(s->each[i].thread, name);
    return RIDE_OK;
}

/* A queue makes its room for a program at the first work: not when the first batch is there. */
static ride_status queue_open(pipeline *p, shard *each, ride_error *err) {
    RIDE_TRY(p->ops->queue_create(p->device, 4, &each->queue, err));
    if (p->shards->count == 1) return RIDE_OK;
    const ride_work nothing = {.stages = RIDE_STAGE_EXPRESSIONS};
    const ride_status st = submit(p->shards, each, NULL, &nothing);
    return st == RIDE_OK ? RIDE_OK : ride_fail(err, st, "a queue of the backend `%s` failed", p->ops->name);
}

static ride_status check(const pipeline *p, uint32_t count, ride_error *err) {
    ride_device_props props;
    if (count > RIDE_SHARDS_MAX) return ride_fail(err, RIDE_E_CONFIG, "more than %d shards", RIDE_SHARDS_MAX);
    RIDE_TRY(p->ops->device_props(0, &props, err));
    if (count == 1 || props.tiles_shared) return RIDE_OK;
    ride_fail(err, RIDE_E_UNSUPPORTED, "the backend `%s` works on a batch as a whole: it has one shard, not %u",
              p->ops->name, count);
    ride_error_advice(err, "set `runtime.shards: 1`, or another backend");
    return RIDE_E_UNSUPPORTED;
}

/* Has every shard a cpu to itself, as far as we know? Then it may wait without sleeping. */
static bool each_alone(const pipeline *p, uint32_t count) {
    cpu_set_t usable;
    if (cpu_of(p, 0) < 0)
        return sched_getaffinity(0, sizeof usable, &usable) == 0 && (uint32_t)CPU_COUNT(&usable) >= count;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (cpu_of(p, i) == cpu_of(p, k)) return false;
    return true;
}

ride_status shards_open(pipeline *p, ride_error *err) {
    const uint32_t count = p->options->shards > 1 ? p->options->shards : 1;
    RIDE_TRY(check(p, count, err));
    const size_t bytes = sizeof(struct shards) + count * sizeof(shard);
    struct shards *s =
        aligned_alloc(RIDE_CACHE_LINE, (bytes + RIDE_CACHE_LINE - 1) / RIDE_CACHE_LINE * RIDE_CACHE_LINE);
    if (s == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for %u shards", count);
    memset(s, 0, bytes);
    p->shards = s;
    s->p = p;
    s->count = count;
    s->parts_count = count > 1 ? count * PARTS : 1;
    s->parts = aligned_alloc(RIDE_CACHE_LINE, s->parts_count * sizeof *s->parts);
    if (s->parts == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for %u shards", count);
    memset(s->parts, 0, s->parts_count * sizeof *s->parts);
    const bool alone = each_alone(p, count);
    for (uint32_t i = 0; i < count; i++) {
        s->each[i].all = s;
        s->each[i].index = i;
        ride_gate_wait_init(&s->each[i].wait, alone);
        RIDE_TRY(queue_open(p, &s->each[i], err));
    }
    RIDE_TRY(states_open(p, err));
    if (count == 1) return RIDE_OK;
    for (uint32_t i = 1; i < count; i++) RIDE_TRY(thread_open(s, i, cpu_of(p, i), err));
    return RIDE_OK;
}

void shards_close(pipeline *p) {
    struct shards *s = p->shards;
    if (s == NULL) return;
    atomic_store(&s->stop, true);
    ride_gate_set(&s->phase, 2 * s->job + 3); /* of no job: nothing can be claimed */
    for (uint32_t i = 0; i < s->count; i++)
        if (s->each[i].has_thread) pthread_join(s->each[i].thread, NULL);
    if (s->caller_bound) pthread_setaffinity_np(pthread_self(), sizeof s->caller_cpus, &s->caller_cpus);
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->each[i].counts != NULL) p->ops->counts_destroy(s->each[i].counts);
        if (s->each[i].queue != NULL) p->ops->queue_destroy(s->each[i].queue);
    }
    states_close(p);
    free(s->parts);
    free(s);
    p->shards = NULL;
}

/* ---- all states together ---- */

static ride_state **states_of(const pipeline *p, ride_error *err) {
    ride_state **states = calloc(p->shards->parts_count, sizeof(ride_state *));
    for (uint32_t i = 0; states != NULL && i < p->shards->parts_count; i++) states[i] = p->shards->parts[i].state;
    if (states == NULL) ride_fail(err, RIDE_E_MEMORY, "no memory for the states of %u shards", p->shards->count);
    return states;
}

ride_status shards_save_vnodes(const pipeline *p, uint32_t vnode_first, uint32_t vnodes_count, ride_write_fn write,
                               void *context, ride_error *err) {
    ride_state **states = states_of(p, err);
    if (states == NULL) return RIDE_E_MEMORY;
    const ride_status st =
        p->ops->state_save(states, p->shards->parts_count, vnode_first, vnodes_count, write, context, err);
    free(states);
    return st;
}

ride_status shards_save(const pipeline *p, ride_write_fn write, void *context, ride_error *err) {
    return shards_save_vnodes(p, 0, RIDE_VNODES, write, context, err);
}

ride_status shards_restore(pipeline *p, ride_read_fn read, void *context, ride_error *err) {
    ride_state **states = states_of(p, err);
    if (states == NULL) return RIDE_E_MEMORY;
    const ride_status st = p->ops->state_restore(states, p->shards->parts_count, read, context, err);
    free(states);
    return st;
}

void shards_stats(const pipeline *p, ride_state_stats *out) {
    *out = (ride_state_stats){0};
    for (uint32_t i = 0; i < p->shards->parts_count; i++) {
        ride_state_stats one;
        p->ops->state_stats(p->shards->parts[i].state, &one);
        out->keys += one.keys;
        out->entries += one.entries;
        out->bytes += one.bytes;
        out->evicted_entries += one.evicted_entries;
        out->late_inserts += one.late_inserts;
    }
}

ride_status shards_counts_open(pipeline *p, ride_error *err) {
    for (uint32_t i = 0; i < p->shards->count; i++)
        RIDE_TRY(p->ops->counts_create(p->device, p->program, &p->shards->each[i].counts, err));
    return RIDE_OK;
}

ride_status shards_counts_take(pipeline *p, uint64_t *cells, uint64_t *scratch, uint32_t cells_count, ride_error *err) {
    for (uint32_t i = 0; i < p->shards->count; i++) {
        RIDE_TRY(p->ops->counts_take(p->shards->each[i].counts, scratch, err));
        for (uint32_t c = 0; c < cells_count; c++) cells[c] += scratch[c];
    }
    return RIDE_OK;
}
