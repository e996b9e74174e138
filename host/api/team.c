/* api/team.c: a job has a number, and every claim of a piece names it: a helper that comes late, or never woke, claims nothing of a later job, and
 * reads a job's plain fields only after a claim; a job whose piece is claimed cannot end before that piece. */
#include "api/team.h"

#include "base/gate.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

enum { PIECES_MAX = INT32_MAX };

typedef struct member {
    team *all;
    uint32_t index;
    pthread_t thread;
    ride_gate_wait wait;
} member;

struct team {
    _Alignas(64) ride_gate begun; /* the last job's number */
    _Alignas(64) ride_gate done;
    _Alignas(64) _Atomic uint64_t pieces; /* job << 32 | pieces that nobody has claimed */
    _Alignas(64) _Atomic uint32_t left;   /* not finished */
    _Atomic uint32_t failure;             /* ride_status of the first piece that failed */
    _Atomic bool stop;
    uint32_t job, members_count, threads_count;
    /* of the job */
    uint32_t pieces_count;
    uint64_t rows_count, step;
    team_fn fn;
    void *context;
    member each[];
};

/* Claims the last of the pieces that are left. */
static bool claim(team *t, uint32_t job, uint32_t *piece) {
    uint64_t pieces = atomic_load(&t->pieces);
    while (pieces >> 32 == job && (uint32_t)pieces > 0)
        if (atomic_compare_exchange_weak(&t->pieces, &pieces, pieces - 1)) {
            *piece = t->pieces_count - (uint32_t)pieces;
            return true;
        }
    return false;
}

static void work(team *t, uint32_t index, uint32_t job) {
    for (uint32_t piece; claim(t, job, &piece);) {
        const uint64_t first = piece * t->step,
                       count = t->rows_count - first < t->step ? t->rows_count - first : t->step;
        uint32_t none = RIDE_OK;
        if (atomic_load(&t->failure) == RIDE_OK) {
            const ride_status st = t->fn(t->context, index, first, count);
            if (st != RIDE_OK) atomic_compare_exchange_strong(&t->failure, &none, (uint32_t)st);
        }
        if (atomic_fetch_sub(&t->left, 1) == 1) ride_gate_set(&t->done, job);
    }
}

static void *member_main(void *context) {
    member *me = context;
    for (uint32_t job = 0; !atomic_load(&me->all->stop);) {
        job = ride_gate_wait_change(&me->all->begun, job, &me->wait);
        work(me->all, me->index, job);
    }
    return NULL;
}

/* Signals are the program's: none is taken by a thread of ours. */
static int thread_start(member *m) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int code = pthread_create(&m->thread, NULL, member_main, m);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

ride_status team_create(uint32_t members_count, team **out, ride_error *err) {
    const size_t bytes = sizeof(team) + members_count * sizeof(member);
    *out = NULL;
    team *t = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (t == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for %u threads", members_count);
    *t = (team){.members_count = members_count};
    for (uint32_t i = 0; i < members_count; i++) {
        t->each[i] = (member){.all = t, .index = i};
        ride_gate_wait_init(&t->each[i].wait, 1);
    }
    for (uint32_t i = 1; i < members_count; i++, t->threads_count++) {
        if (thread_start(&t->each[i]) == 0) continue;
        team_destroy(t);
        return ride_fail(err, RIDE_E_UNAVAILABLE, "thread %u of %u cannot be started", i + 1, members_count);
    }
    *out = t;
    return RIDE_OK;
}

void team_destroy(team *t) {
    if (t == NULL) return;
    atomic_store(&t->stop, true);
    ride_gate_set(&t->begun, t->job + 1);
    for (uint32_t i = 1; i <= t->threads_count; i++) pthread_join(t->each[i].thread, NULL);
    free(t);
}

uint32_t team_members(const team *t) { return t->members_count; }

ride_status team_run(team *t, uint64_t rows_count, uint64_t step, team_fn fn, void *context) {
    if (rows_count == 0) return RIDE_OK;
    if (t->members_count == 1 || rows_count <= step) return fn(context, 0, 0, rows_count);
    while ((rows_count - 1) / step >= PIECES_MAX) step *= 2;
    if (++t->job == 0) t->job = 1; /* 0 is before the first */
    t->pieces_count = (uint32_t)((rows_count + step - 1) / step);
    t->rows_count = rows_count;
    t->step = step;
    t->fn = fn;
    t->context = context;
    atomic_store(&t->failure, RIDE_OK);
    atomic_store(&t->left, t->pieces_count);
    atomic_store(&t->pieces, (uint64_t)t->job << 32 | t->pieces_count);
    ride_gate_set(&t->begun, t->job);
    work(t, 0, t->job);
    for (uint32_t seen = ride_gate_value(&t->done); seen != t->job;)
        seen = ride_gate_wait_change(&t->done, seen, &t->each[0].wait);
    return (ride_status)atomic_load(&t->failure);
}
