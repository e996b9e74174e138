/* tests/conformance/session.h: one backend at work on a random plan: opened, given batches of rows, saved, resumed; and the
 * comparison of what two of them gave. */
#ifndef RIDE_TESTS_SESSION_H
#define RIDE_TESTS_SESSION_H
#include "backend/registry.h"
#include "kernels/layout/profile.h"
#include "random_rows.h"
#include "stream.h"
#include "tests/support/check.h"

enum { GUARD_BYTES = 4096, GUARD = 0xA5, POISON = 0xCD, ROWS_MAX = 5000, HUGE_ROWS = 70000 };

/* Of the backends opened from now on; real time unless a case says otherwise. */
static ride_backend_services services;
static const ride_backend_services *session_services = &services;

static inline void session_services_default(void) {
    ride_backend_services_init(&services, ride_clock_real());
    session_services = &services;
}

/* What one row gave: features, margin, probability, rule, flags; compared as bytes. */
typedef struct outputs {
    uint64_t *words; /* rows_count * width */
    uint32_t width;
} outputs;

typedef struct session {
    const ride_backend_ops *ops;
    const random_plan *plan;
    ride_device *device;
    ride_program_dev *program;
    ride_state *state;
    ride_queue *queue;
    uint32_t device_index;
    ride_tile_layout in, out;
    uint8_t *in_buffer, *out_buffer;
    size_t in_bytes, out_bytes;
    uint32_t vnode_first, vnodes_count;
    ride_counts *counts; /* NULL: the bundle has no profile */
    uint64_t *counted;   /* cells_count: what was taken so far */
    uint32_t cells_count;
    uint32_t batch_rows_max; /* what the buffers hold */
    int64_t expire_us;       /* many clocks: of the last work */
} session;

#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        ride_status must_status = (call);                                                                              \
        CHECK(must_status == RIDE_OK, "%s: " #call ": %s, %s", s->ops->name, ride_status_name(must_status), err.what); \
    } while (0)

static inline void session_state(session *s) {
    ride_error err = {0};
    const ride_state_options options = {.vnode_first = s->vnode_first, .vnodes_count = s->vnodes_count};
    MUST(s->ops->state_create(s->device, s->program, &options, &s->state, &err));
}

static inline void session_counts(session *s, const ride_bundle *bundle) {
    ride_error err = {0};
    ride_profile profile;
    if (!ride_bundle_has_profile(bundle)) return;
    MUST(ride_profile_open(bundle, &profile, &err));
    MUST(s->ops->counts_create(s->device, s->program, &s->counts, &err));
    s->cells_count = profile.header->cells_count;
    s->counted = calloc(s->cells_count + 1, sizeof *s->counted);
}
static inline ride_status session_take(session *s) {
    ride_error err = {0};
    if (s->counts == NULL) return RIDE_OK;
    uint64_t *now = calloc(s->cells_count + 1, sizeof *now);
    now[s->cells_count] = 77; /* behind the last */
    const ride_status st = s->ops->counts_take(s->counts, now, &err);
    CHECK(now[s->cells_count] == 77, "%s: counts were written behind the last", s->ops->name);
    for (uint32_t i = 0; i < s->cells_count && st == RIDE_OK; i++) s->counted[i] += now[i];
    free(now);
    return st;
}

static void session_buffers(session *s, const ride_bundle *bundle) {
    ride_error err = {0};
    ride_plan_layout_in(bundle, &s->in);
    ride_plan_layout_out(bundle, &s->out);
    if (s->batch_rows_max == 0) s->batch_rows_max = ROWS_MAX;
    const size_t tiles_max = (s->batch_rows_max + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS;
    s->in_bytes = tiles_max * s->in.tile_bytes;
    s->out_bytes = tiles_max * s->out.tile_bytes;
    MUST(
        s->ops->buffer_alloc(s->device, RIDE_BUFFER_HOST, s->in_bytes + 2 * GUARD_BYTES, (void **)&s->in_buffer, &err));
    MUST(s->ops->buffer_alloc(s->device, RIDE_BUFFER_HOST, s->out_bytes + 2 * GUARD_BYTES, (void **)&s->out_buffer,
                              &err));
}

/* s holds what is wanted: plan, device and vnodes. */
static void session_start(session *s, ride_backend_entry_fn entry, const ride_bundle *bundle) {
    ride_error err = {0};
    s->expire_us = INT64_MIN;
    s->ops = entry(RIDE_BACKEND_ABI, session_services, &err);
    CHECK(s->ops != NULL, "%s", err.what);
    s->device_index %= s->ops->device_count();
    MUST(s->ops->device_open(s->device_index, &s->device, &err));
    MUST(s->ops->program_upload(s->device, bundle, &s->program, &err));
    session_state(s);
    session_counts(s, bundle);
    MUST(s->ops->queue_create(s->device, 4, &s->queue, &err));
    session_buffers(s, bundle);
}

/* Its state owns the vnodes. A device_index beyond the devices there are begins at the first again. */
static inline void session_open_part(session *s, ride_backend_entry_fn entry, const random_plan *plan,
                                     const ride_bundle *bundle, uint32_t vnode_first, uint32_t vnodes_count,
                                     uint32_t device_index) {
    *s =
        (session){.plan = plan, .vnode_first = vnode_first, .vnodes_count = vnodes_count, .device_index = device_index};
    session_start(s, entry, bundle);
}
static inline void session_open_at(session *s, ride_backend_entry_fn entry, const random_plan *plan,
                                   const ride_bundle *bundle, uint32_t device_index) {
    *s = (session){.plan = plan, .vnodes_count = RIDE_VNODES, .device_index = device_index};
    session_start(s, entry, bundle);
}
/* For batches of more rows than every day. */
static inline void session_open_large(session *s, ride_backend_entry_fn entry, const random_plan *plan,
                                      const ride_bundle *bundle, uint32_t batch_rows_max) {
    *s = (session){.plan = plan, .vnodes_count = RIDE_VNODES, .batch_rows_max = batch_rows_max};
    session_start(s, entry, bundle);
}
static inline void session_open(session *s, ride_backend_entry_fn entry, const random_plan *plan,
                                const ride_bundle *bundle) {
    session_open_part(s, entry, plan, bundle, 0, RIDE_VNODES, 0);
}

static inline void session_close(session *s) {
    s->ops->buffer_free(s->device, RIDE_BUFFER_HOST, s->out_buffer);
    s->ops->buffer_free(s->device, RIDE_BUFFER_HOST, s->in_buffer);
    s->ops->queue_destroy(s->queue);
    s->ops->counts_destroy(s->counts);
    free(s->counted);
    s->ops->state_destroy(s->state);
    s->ops->program_release(s->program);
    s->ops->device_close(s->device);
}

static inline memory_stream session_save_part(session *s, uint32_t vnode_first, uint32_t vnodes_count) {
    ride_error err = {0};
    memory_stream m = {0};
    MUST(s->ops->state_save(&s->state, 1, vnode_first, vnodes_count, memory_write, &m, &err));
    return m;
}
static inline memory_stream session_save(session *s) { return session_save_part(s, s->vnode_first, s->vnodes_count); }
static inline void session_restore(session *s, memory_stream *m) {
    ride_error err = {0};
    m->at = 0;
    MUST(s->ops->state_restore(&s->state, 1, memory_read, m, &err));
    CHECK(m->at == m->bytes, "%s: the restore left bytes", s->ops->name);
}
/* Into a new state, as a new process would. */
static inline void session_resume(session *s) {
    memory_stream m = session_save(s);
    s->ops->state_destroy(s->state);
    session_state(s);
    session_restore(s, &m);
    memory_stream again = session_save(s);
    CHECK(streams_equal(&again, &m), "%s: a restored state saves other bytes", s->ops->name);
    free(again.data);
    free(m.data);
}

static inline int all_bytes_are(const uint8_t *bytes, size_t count, uint8_t value) {
    return count == 0 || (bytes[0] == value && memcmp(bytes, bytes + 1, count - 1) == 0);
}

/* A new state out of two parts of the old one, and each part in a state of its own saves as it was. */
static inline void session_resume_in_parts(session *s, uint32_t cut) {
    memory_stream parts[2] = {session_save_part(s, 0, cut), session_save_part(s, cut, RIDE_VNODES - cut)};
    memory_stream whole = session_save(s);
    ride_error err = {0};
    uint64_t keys = 0; /* of the part before */
    for (uint32_t i = 0; i < 2; i++) {
        s->ops->state_destroy(s->state);
        s->vnode_first = i == 0 ? 0 : cut;
        s->vnodes_count = i == 0 ? cut : RIDE_VNODES - cut;
        session_state(s);
        session_restore(s, &parts[i]);
        memory_stream again = session_save(s);
        CHECK(streams_equal(&again, &parts[i]), "%s: a restored part saves other bytes", s->ops->name);
        free(again.data);
        ride_state_stats stats;
        s->ops->state_stats(s->state, &stats);
        if (i == 1 && keys > 0) {
            parts[0].at = 0;
            CHECK(s->ops->state_restore(&s->state, 1, memory_read, &parts[0], &err) != RIDE_OK,
                  "%s: took keys of vnodes that it does not own", s->ops->name);
        }
        keys = stats.keys;
    }
    s->ops->state_destroy(s->state);
    s->vnode_first = 0;
    s->vnodes_count = RIDE_VNODES;
    session_state(s);
    for (uint32_t i = 2; i-- > 0;) session_restore(s, &parts[i]);
    memory_stream again = session_save(s);
    CHECK(streams_equal(&again, &whole), "%s: parts together save other bytes", s->ops->name);
    free(again.data);
    free(whole.data);
    for (uint32_t i = 0; i < 2; i++) free(parts[i].data);
}

static const char session_arena[32] = "what the slices point into .....";

static inline uint32_t session_stages(const random_plan *p) {
    return RIDE_STAGE_FEATURES | RIDE_STAGE_RULES | (p->has_forest ? RIDE_STAGE_SCORE : 0);
}

static inline void session_collect(const session *s, const random_row *rows, uint32_t first, uint32_t count,
                                   const uint8_t *tiles, outputs *out) {
    const uint32_t features = s->plan->features_count;
    for (uint32_t i = 0; i < count; i++) {
        if (!row_is_event(&rows[first + i])) continue;
        const uint8_t *tile = tiles + (size_t)(i / RIDE_TILE_ROWS) * s->out.tile_bytes;
        const uint32_t r = i % RIDE_TILE_ROWS;
        uint64_t *words = out->words + (size_t)(first + i) * out->width;
        for (uint32_t c = 0; c < features + RIDE_OUT_COUNT; c++) {
            const void *values = ride_tile_values_const(&s->out, tile, c);
            const int is_score = c == features + RIDE_OUT_MARGIN || c == features + RIDE_OUT_PROBABILITY;
            if (is_score && !s->plan->has_forest) continue; /* nobody writes it */
            words[c] = ride_type_bytes(s->out.columns[c].type) == 8 ? ((const uint64_t *)values)[r]
                                                                    : ((const uint32_t *)values)[r];
        }
    }
}

/* What a work over rows [first, first + count) says of clocks. */
static inline void session_clocks(const random_plan *p, const random_row *rows, uint32_t first, uint32_t count,
                                  ride_work *work) {
    work->many_clocks = (uint32_t)p->many_clocks;
    work->expire_us = p->many_clocks && count > 0 ? rows[first].expire_us : INT64_MIN;
    for (uint32_t i = first; i < first + count && p->many_clocks; i++) /* a stream may begin in the midst */
        if (rows[i].clock_us < work->expire_us) work->expire_us = rows[i].clock_us;
}

static inline void session_batch(session *s, const random_row *rows, uint32_t first, uint32_t count, outputs *out) {
    ride_error err = {0};
    const random_plan *p = s->plan;
    RIDE_ASSERT(count <= s->batch_rows_max);
    const size_t tiles = (count + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS;
    const size_t in_bytes = tiles * s->in.tile_bytes, out_bytes = tiles * s->out.tile_bytes;
    uint8_t *in = s->in_buffer + GUARD_BYTES, *to = s->out_buffer + GUARD_BYTES;
    memset(s->in_buffer, POISON, in_bytes + 2 * GUARD_BYTES); /* unused rows and padding hold rubbish */
    memset(s->out_buffer, GUARD, GUARD_BYTES);
    memset(to, POISON, out_bytes);
    memset(to + out_bytes, GUARD, GUARD_BYTES);
    rows_fill(p, &s->in, rows + first, count, first, in);
    if (s->vnodes_count < RIDE_VNODES) ride_out_flags_clear(&s->out, to, count);
    uint8_t *before = malloc(in_bytes);
    memcpy(before, in, in_bytes);
    const int apart = count % 3 == 0; /* scores, rules and counts as works of their own */
    const uint32_t stages = session_stages(p), profile = s->counts != NULL ? RIDE_STAGE_PROFILE : 0;
    ride_work work = {.stages = apart ? RIDE_STAGE_FEATURES : stages | profile,
                      .counts = s->counts,
                      .rows_count = count,
                      .in_tiles = in,
                      .out_tiles = to,
                      .arena = session_arena,
                      .arena_bytes = sizeof session_arena};
    ride_ticket ticket = 0;
    session_clocks(p, rows, first, count, &work);
    if (count == 0) work.expire_us = s->expire_us; /* as the last work said */
    s->expire_us = work.expire_us;
    MUST(s->ops->submit(s->queue, s->program, s->state, &work, &ticket));
    MUST(s->ops->wait(s->queue, ticket, UINT64_MAX));
    work.stages = (stages & ~(uint32_t)RIDE_STAGE_FEATURES) | (count % 2 == 0 ? profile : 0);
    if (apart) MUST(s->ops->submit(s->queue, s->program, NULL, &work, &ticket));
    work.stages = profile;
    if (apart && count % 2 != 0 && profile != 0) MUST(s->ops->submit(s->queue, s->program, NULL, &work, &ticket));
    MUST(s->ops->wait(s->queue, ticket, UINT64_MAX));
    if (count % 5 == 0) MUST(session_take(s));
    CHECK(memcmp(before, in, in_bytes) == 0, "%s: the input was written to", s->ops->name);
    free(before);
    CHECK(all_bytes_are(s->out_buffer, GUARD_BYTES, GUARD) && all_bytes_are(to + out_bytes, GUARD_BYTES, GUARD),
          "%s: written outside the output", s->ops->name);
    session_collect(s, rows, first, count, to, out);
}

static inline void outputs_make(const random_plan *p, uint32_t rows_count, outputs *out) {
    out->width = p->features_count + RIDE_OUT_COUNT;
    out->words = calloc((size_t)rows_count * out->width + 1, sizeof *out->words);
}

/* Rows of the batch that begins at `first`, near `count`: never cutting a timestamp group. */
static inline uint32_t rows_of_batch(const random_plan *p, const random_row *rows, uint32_t rows_count, uint32_t first,
                                     uint32_t count) {
    if (count > rows_count - first) count = rows_count - first;
    while (first + count < rows_count && !rows_may_cut(p, rows, first + count - 1)) count++;
    return count;
}

/* Batch sizes: n > 0 that size, 0 random odd sizes. cut_every > 0: save and resume behind every so many batches. */
static inline void session_run(session *s, const random_row *rows, uint32_t rows_count, uint32_t batch,
                               uint32_t cut_every, outputs *out) {
    rnd r = {s->plan->seed + batch};
    outputs_make(s->plan, rows_count, out);
    uint32_t first = 0, batches = 0;
    while (first < rows_count) {
        uint32_t count = batch > 0 ? batch : 1 + rnd_below(&r, 200) * 3;
        count = rows_of_batch(s->plan, rows, rows_count, first, count);
        session_batch(s, rows, first, count, out);
        first += count;
        if (cut_every == 0 || ++batches % cut_every != 0) continue;
        if (rnd_one_in(&r, 4)) session_resume_in_parts(s, 1 + rnd_below(&r, RIDE_VNODES - 1));
        else session_resume(s);
    }
    ride_error err = {0};
    MUST(session_take(s));
}

/* The counts of another session of the same bundle: all rows of both taken. */
static inline void compare_counts(const session *s, const uint64_t *expected, const char *what) {
    for (uint32_t i = 0; i < s->cells_count; i++)
        CHECK(s->counted[i] == expected[i], "%s: cell %u of the profile: expected %llu, counted %llu", what, i,
              (unsigned long long)expected[i], (unsigned long long)s->counted[i]);
}
/* A copy to compare with when the session is gone; the caller frees it. */
static inline uint64_t *counts_copy(const session *s) {
    uint64_t *copy = calloc(s->cells_count + 1, sizeof *copy);
    for (uint32_t i = 0; i < s->cells_count; i++) copy[i] = s->counted[i];
    return copy;
}

static inline void compare(const random_plan *p, const random_row *rows, uint32_t rows_count, const outputs *expected,
                           const outputs *got, const char *what) {
    for (uint32_t i = 0; i < rows_count; i++) {
        for (uint32_t f = 0; f < expected->width && row_is_event(&rows[i]); f++) {
            const uint64_t a = expected->words[(size_t)i * expected->width + f],
                           b = got->words[(size_t)i * got->width + f];
            if (a == b) continue;
            double x, y;
            memcpy(&x, &a, sizeof x);
            memcpy(&y, &b, sizeof y);
            static const char *const tail[] = {"margin", "probability", "rule", "flags"};
            char which[200] = "expression";
            if (f >= p->features_count) snprintf(which, sizeof which, "%s", tail[f - p->features_count]);
            for (uint32_t g = 0; g < p->aggregates_count; g++)
                if (p->aggregates[g].feature == f)
                    snprintf(which, sizeof which, "aggregate %u: op %u entity %u current %u peers %u condition %d", g,
                             p->aggregates[g].op, p->aggregates[g].entity, p->aggregates[g].current,
                             p->aggregates[g].peers, p->aggregates[g].condition);
            check_fail(__FILE__, __LINE__,
                       "%s: row %u of %u, column %u (%s): expected %.17g (%016llx), got %.17g (%016llx)", what, i,
                       rows_count, f, which, x, (unsigned long long)a, y, (unsigned long long)b);
        }
    }
}

#endif
