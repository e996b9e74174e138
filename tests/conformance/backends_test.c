/* Every backend against the slow reference: the same random plans over the same random rows must give the same bytes, however
 * the rows are cut into batches and wherever the state is saved and restored.
 *
 * RIDE_CONFORMANCE_ROUNDS sets how many seeds are tried (a long run: 100000), RIDE_CONFORMANCE_SEED where they begin. A failure
 * prints the seed that repeats it. */
#include "kernels/cpu/isa.h"
#include "random_rows.h"

#include <criterion/criterion.h>

enum { GUARD_BYTES = 4096, GUARD = 0xA5, POISON = 0xCD, ROWS_MAX = 5000 };

/* The cpu backend asks for the instruction set when a device is opened, which follows at once. */
static const ride_backend_ops *cpu_portable(uint32_t abi, const ride_backend_services *given, ride_error *err) {
    ride_cpu_isa_limit(RIDE_CPU_PORTABLE);
    return ride_backend_cpu(abi, given, err);
}
static const ride_backend_ops *cpu_avx2(uint32_t abi, const ride_backend_services *given, ride_error *err) {
    ride_cpu_isa_limit(RIDE_CPU_AVX2);
    return ride_backend_cpu(abi, given, err);
}
static const ride_backend_ops *cpu_best(uint32_t abi, const ride_backend_services *given, ride_error *err) {
    ride_cpu_isa_limit(RIDE_CPU_AVX512);
    return ride_backend_cpu(abi, given, err);
}

static const struct backend_case {
    const char *name;
    ride_backend_entry_fn entry;
    int has_gaps; /* random_plan.h, without_gaps, names them */
} backends[] = {
    {"reference", ride_backend_reference, 0},
    {"cpu", cpu_best, 1}, /* the best that this machine has */
    {"cpu with AVX2", cpu_avx2, 1},
    {"cpu, portable", cpu_portable, 1},
};
enum { BACKENDS = sizeof backends / sizeof *backends };

static uint64_t now_ns(void *context) {
    (void)context;
    return 0;
}
static const ride_backend_services services = {.struct_bytes = sizeof services, .now_ns = now_ns};

/* What one row gave: features, rule, flags; compared as bytes. */
typedef struct outputs {
    uint64_t *words; /* rows_count * width */
    uint32_t width;
} outputs;

typedef struct memory_stream {
    uint8_t *data;
    size_t bytes, bytes_max, at;
} memory_stream;
static ride_status memory_write(void *context, const void *data, size_t bytes) {
    memory_stream *m = context;
    while (m->bytes + bytes > m->bytes_max) {
        m->bytes_max = m->bytes_max == 0 ? 65536 : m->bytes_max * 2;
        m->data = realloc(m->data, m->bytes_max);
        RIDE_ASSERT(m->data != NULL);
    }
    memcpy(m->data + m->bytes, data, bytes);
    m->bytes += bytes;
    return RIDE_OK;
}
static ride_status memory_read(void *context, void *data, size_t bytes) {
    memory_stream *m = context;
    if (m->bytes - m->at < bytes) return RIDE_E_CORRUPT;
    memcpy(data, m->data + m->at, bytes);
    m->at += bytes;
    return RIDE_OK;
}

typedef struct session {
    const ride_backend_ops *ops;
    const random_plan *plan;
    ride_device *device;
    ride_program_dev *program;
    ride_state *state;
    ride_queue *queue;
    ride_tile_layout in, out;
    uint8_t *in_buffer, *out_buffer;
    size_t in_bytes, out_bytes;
} session;

#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        ride_status must_status = (call);                                                                              \
        cr_assert_eq(must_status, RIDE_OK, "%s: seed %llu: " #call ": %s, %s", s->ops->name,                           \
                     (unsigned long long)s->plan->seed, ride_status_name(must_status), err.what);                      \
    } while (0)

static void session_state(session *s) {
    ride_error err = {0};
    const ride_state_options options = {.vnodes_count = RIDE_VNODES};
    MUST(s->ops->state_create(s->device, s->program, &options, &s->state, &err));
}

static void session_open(session *s, ride_backend_entry_fn entry, const random_plan *plan, const ride_bundle *bundle) {
    ride_error err = {0};
    memset(s, 0, sizeof *s);
    s->plan = plan;
    s->ops = entry(RIDE_BACKEND_ABI, &services, &err);
    cr_assert_not_null(s->ops, "%s", err.what);
    ride_plan_layout_in(bundle, &s->in);
    ride_plan_layout_out(bundle, &s->out);
    MUST(s->ops->device_open(0, &s->device, &err));
    MUST(s->ops->program_upload(s->device, bundle, &s->program, &err));
    session_state(s);
    MUST(s->ops->queue_create(s->device, 4, &s->queue, &err));
    const size_t tiles_max = (ROWS_MAX + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS;
    s->in_bytes = tiles_max * s->in.tile_bytes;
    s->out_bytes = tiles_max * s->out.tile_bytes;
    MUST(
        s->ops->buffer_alloc(s->device, RIDE_BUFFER_HOST, s->in_bytes + 2 * GUARD_BYTES, (void **)&s->in_buffer, &err));
    MUST(s->ops->buffer_alloc(s->device, RIDE_BUFFER_HOST, s->out_bytes + 2 * GUARD_BYTES, (void **)&s->out_buffer,
                              &err));
}

static void session_close(session *s) {
    s->ops->buffer_free(s->device, RIDE_BUFFER_HOST, s->out_buffer);
    s->ops->buffer_free(s->device, RIDE_BUFFER_HOST, s->in_buffer);
    s->ops->queue_destroy(s->queue);
    s->ops->state_destroy(s->state);
    s->ops->program_release(s->program);
    s->ops->device_close(s->device);
}

static memory_stream session_save(session *s) {
    ride_error err = {0};
    memory_stream m = {0};
    MUST(s->ops->state_save(s->state, 0, RIDE_VNODES, memory_write, &m, &err));
    return m;
}
/* Into a new state, as a new process would. */
static void session_resume(session *s) {
    ride_error err = {0};
    memory_stream m = session_save(s);
    s->ops->state_destroy(s->state);
    session_state(s);
    MUST(s->ops->state_restore(s->state, memory_read, &m, &err));
    cr_assert_eq(m.at, m.bytes, "%s: seed %llu: the restore left bytes", s->ops->name,
                 (unsigned long long)s->plan->seed);
    memory_stream again = session_save(s);
    cr_assert(again.bytes == m.bytes && memcmp(again.data, m.data, m.bytes) == 0,
              "%s: seed %llu: a restored state saves other bytes", s->ops->name, (unsigned long long)s->plan->seed);
    free(again.data);
    free(m.data);
}

static int all_bytes_are(const uint8_t *bytes, size_t count, uint8_t value) {
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != value) return 0;
    return 1;
}

static void session_batch(session *s, const random_row *rows, uint32_t first, uint32_t count, outputs *out) {
    ride_error err = {0};
    const random_plan *p = s->plan;
    const size_t tiles = (count + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS;
    const size_t in_bytes = tiles * s->in.tile_bytes, out_bytes = tiles * s->out.tile_bytes;
    uint8_t *in = s->in_buffer + GUARD_BYTES, *to = s->out_buffer + GUARD_BYTES;
    memset(s->in_buffer, POISON, in_bytes + 2 * GUARD_BYTES); /* unused rows and padding hold rubbish */
    memset(s->out_buffer, GUARD, GUARD_BYTES);
    memset(to, POISON, out_bytes);
    memset(to + out_bytes, GUARD, GUARD_BYTES);
    rows_fill(p, &s->in, rows + first, count, first, in);
    uint8_t *before = malloc(in_bytes);
    memcpy(before, in, in_bytes);
    const ride_work work = {.stages = RIDE_STAGE_FEATURES, .rows_count = count, .in_tiles = in, .out_tiles = to};
    ride_ticket ticket = 0;
    MUST(s->ops->submit(s->queue, s->program, s->state, &work, &ticket));
    MUST(s->ops->wait(s->queue, ticket, UINT64_MAX));
    cr_assert_eq(memcmp(before, in, in_bytes), 0, "%s: seed %llu: the input was written to", s->ops->name,
                 (unsigned long long)p->seed);
    free(before);
    cr_assert(all_bytes_are(s->out_buffer, GUARD_BYTES, GUARD) && all_bytes_are(to + out_bytes, GUARD_BYTES, GUARD),
              "%s: seed %llu: written outside the output", s->ops->name, (unsigned long long)p->seed);
    for (uint32_t i = 0; i < count; i++) {
        if (!row_is_event(&rows[first + i])) continue;
        const uint8_t *tile = to + (size_t)(i / RIDE_TILE_ROWS) * s->out.tile_bytes;
        uint64_t *words = out->words + (size_t)(first + i) * out->width;
        for (uint32_t f = 0; f < p->features_count; f++)
            words[f] = ((const uint64_t *)ride_tile_values_const(&s->out, tile, f))[i % RIDE_TILE_ROWS];
        words[p->features_count] =
            ((const uint32_t *)ride_tile_values_const(&s->out, tile,
                                                      p->features_count + RIDE_OUT_FLAGS))[i % RIDE_TILE_ROWS];
    }
}

/* Batch sizes: n > 0 that size, 0 random odd sizes. cut_every > 0: save and resume behind every so many batches. */
static void session_run(session *s, const random_row *rows, uint32_t rows_count, uint32_t batch, uint32_t cut_every,
                        outputs *out) {
    rnd r = {s->plan->seed + batch};
    out->width = s->plan->features_count + 1;
    out->words = calloc((size_t)rows_count * out->width + 1, sizeof *out->words);
    uint32_t first = 0, batches = 0;
    while (first < rows_count) {
        uint32_t count = batch > 0 ? batch : 1 + rnd_below(&r, 200) * 3;
        if (count > rows_count - first) count = rows_count - first;
        while (first + count < rows_count && !rows_may_cut(s->plan, rows, first + count - 1)) count++;
        session_batch(s, rows, first, count, out);
        first += count;
        if (cut_every > 0 && ++batches % cut_every == 0) session_resume(s);
    }
}

static void compare(const random_plan *p, const random_row *rows, uint32_t rows_count, const outputs *expected,
                    const outputs *got, const char *what) {
    for (uint32_t i = 0; i < rows_count; i++) {
        for (uint32_t f = 0; f < expected->width && row_is_event(&rows[i]); f++) {
            const uint64_t a = expected->words[(size_t)i * expected->width + f],
                           b = got->words[(size_t)i * got->width + f];
            if (a == b) continue;
            double x, y;
            memcpy(&x, &a, sizeof x);
            memcpy(&y, &b, sizeof y);
            char which[200] = "flags";
            for (uint32_t g = 0; g < p->aggregates_count; g++)
                if (p->aggregates[g].feature == f)
                    snprintf(which, sizeof which, "aggregate %u: op %u entity %u current %u peers %u condition %d", g,
                             p->aggregates[g].op, p->aggregates[g].entity, p->aggregates[g].current,
                             p->aggregates[g].peers, p->aggregates[g].condition);
            cr_assert_fail("seed %llu, %s: row %u of %u, column %u (%s): expected %.17g (%016llx), got %.17g (%016llx)",
                           (unsigned long long)p->seed, what, i, rows_count, f, which, x, (unsigned long long)a, y,
                           (unsigned long long)b);
        }
    }
}

/* without_gaps: the plans that every backend must pass; else all plans, for the backends that have no gaps. */
static void run_seed(uint64_t seed, int without_gaps) {
    static const uint32_t batches[] = {1, 7, 256, 0, 4096};
    random_plan *plan = calloc(1, sizeof *plan);
    ride_bundle bundle;
    uint8_t *image = NULL;
    random_plan_make(seed, without_gaps, plan);
    random_plan_bundle(plan, &image, &bundle);
    rnd r = {seed * 3 + 1};
    const uint32_t rows_count = rnd_one_in(&r, 8) ? 1200 + rnd_below(&r, ROWS_MAX - 1200) : rnd_below(&r, 400);
    random_row *rows = random_rows_make(plan, seed, rows_count);
    session s;
    outputs expected, got;
    session_open(&s, ride_backend_reference, plan, &bundle);
    session_run(&s, rows, rows_count, 256, 0, &expected);
    session_close(&s);
    for (uint32_t b = 0; b < BACKENDS; b++) {
        if (backends[b].has_gaps && !without_gaps) continue;
        memory_stream whole = {0};
        for (uint32_t variant = 0; variant < 3; variant++) { /* two batch sizes, then cuts between small batches */
            const uint32_t batch = variant == 2 ? 7 + rnd_below(&r, 60) : RND_PICK(&r, batches);
            const uint32_t cut_every = variant == 2 ? (rows_count < 400 ? 1 : 9) : 0;
            char what[96];
            snprintf(what, sizeof what, "%s, batches of %u%s", backends[b].name, batch,
                     cut_every > 0 ? ", resumed" : "");
            session_open(&s, backends[b].entry, plan, &bundle);
            session_run(&s, rows, rows_count, batch, cut_every, &got);
            compare(plan, rows, rows_count, &expected, &got, what);
            memory_stream saved = session_save(&s);
            if (variant == 0) whole = saved;
            else {
                cr_assert(saved.bytes == whole.bytes && memcmp(saved.data, whole.data, whole.bytes) == 0,
                          "seed %llu, %s: the saved state depends on the batches", (unsigned long long)seed, what);
                free(saved.data);
            }
            free(got.words);
            session_close(&s);
        }
        free(whole.data);
    }
    free(expected.words);
    free(rows);
    free(plan);
    ride_bundle_image_free(image);
}

static uint64_t environment_number(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text != NULL && *text != 0 ? strtoull(text, NULL, 10) : otherwise;
}

Test(backends, agree_with_the_reference_byte_for_byte) {
    const uint64_t first = environment_number("RIDE_CONFORMANCE_SEED", 1),
                   rounds = environment_number("RIDE_CONFORMANCE_ROUNDS", 150);
    for (uint64_t seed = first; seed < first + rounds; seed++) {
        run_seed(seed, 1);
        run_seed(seed, 0);
    }
}

Test(backends, refuse_a_damaged_state) {
    random_plan *plan = calloc(1, sizeof *plan);
    ride_bundle bundle;
    uint8_t *image = NULL;
    random_plan_make(5, 1, plan);
    random_plan_bundle(plan, &image, &bundle);
    random_row *rows = random_rows_make(plan, 5, 300);
    for (uint32_t b = 0; b < BACKENDS; b++) {
        session s;
        outputs got;
        ride_error err = {0};
        session_open(&s, backends[b].entry, plan, &bundle);
        session_run(&s, rows, 300, 64, 0, &got);
        memory_stream saved = session_save(&s);
        cr_assert_gt(saved.bytes, 64);
        rnd r = {99};
        for (int round = 0; round < 200; round++) {
            s.ops->state_destroy(s.state);
            session_state(&s);
            memory_stream bad = {.data = malloc(saved.bytes), .bytes = saved.bytes};
            memcpy(bad.data, saved.data, saved.bytes);
            if (round % 2 == 0) bad.bytes = rnd_below(&r, (uint32_t)saved.bytes);
            else bad.data[rnd_below(&r, (uint32_t)saved.bytes)] ^= (uint8_t)(1 + rnd_below(&r, 255));
            cr_assert_neq(s.ops->state_restore(s.state, memory_read, &bad, &err), RIDE_OK,
                          "%s: round %d: a damaged state was restored", s.ops->name, round);
            free(bad.data);
        }
        free(saved.data);
        free(got.words);
        session_close(&s);
    }
    free(rows);
    free(plan);
    ride_bundle_image_free(image);
}
