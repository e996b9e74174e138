/* backend/fake.c: the fake backend's table. A queue is a ring of works with the time each will be done; nothing runs in
 * the background: poll, wait and submit first finish what is due, in order. What queues of a device share (its loss, its
 * count of works) is atomic, because queues may belong to different threads. */
#include "backend/fake.h"

#include "backend/fake_state.h"
#include "base/assert.h"
#include "base/clock.h"
#include "kernels/layout/profile.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ride_device {
    uint32_t index;
    _Atomic uint64_t lost_ns; /* UINT64_MAX: not lost */
    _Atomic uint64_t works;
    const ride_backend_ops *real; /* script.real's table, NULL = none; as is what follows */
    ride_device *real_device;
    uint32_t opened;
};

struct ride_program_dev {
    uint8_t *image;
    ride_bundle bundle;
    ride_tile_layout in, out;
    ride_device *device;
    ride_program_dev *real;
};

struct ride_counts {
    ride_device *device;
    ride_counts *real;    /* NULL: the script's works count nothing */
    uint64_t cells_count; /* then */
};

typedef struct pending {
    ride_work work;
    const ride_program_dev *program;
    ride_state *state;
    uint64_t start_ns, done_ns;
    ride_status status; /* how it will end */
} pending;

typedef struct failure {
    ride_ticket ticket;
    ride_status status;
} failure;

struct ride_queue {
    ride_device *device;
    pending *ring; /* ticket t is at (t - 1) % depth_max */
    uint32_t depth_max;
    ride_ticket submitted, completed; /* last tickets */
    uint64_t busy_until_ns;
    failure *failures;
    uint32_t failures_count, failures_max;
    ride_queue *real;
    ride_queue_stats stats;
};

static ride_device devices[RIDE_FAKE_DEVICES_MAX];
static ride_fake_script script_now = {.devices_count = 1};
static const ride_backend_services *services_now; /* NULL: the real clock */

static uint64_t now_ns(void) {
    return services_now != NULL ? services_now->now_ns(services_now->context) : ride_clock_now_ns(ride_clock_real());
}
static void sleep_until_ns(uint64_t deadline_ns) {
    if (services_now != NULL) services_now->sleep_until_ns(services_now->context, deadline_ns);
    else ride_clock_sleep_until_ns(ride_clock_real(), deadline_ns);
}
static uint64_t add_saturated(uint64_t a, uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }

static void forget_all(void) {
    for (uint32_t i = 0; i < RIDE_FAKE_DEVICES_MAX; i++) {
        devices[i].index = i;
        atomic_store(&devices[i].lost_ns, UINT64_MAX);
        atomic_store(&devices[i].works, 0);
    }
}

void ride_fake_set(const ride_fake_script *script) {
    script_now = script != NULL ? *script : (ride_fake_script){.devices_count = 1};
    RIDE_ASSERT(script_now.devices_count >= 1 && script_now.devices_count <= RIDE_FAKE_DEVICES_MAX);
    forget_all();
}

void ride_fake_lose(uint32_t device_index, uint64_t at_ns) {
    RIDE_ASSERT(device_index < script_now.devices_count);
    if (at_ns == 0) at_ns = now_ns();
    _Atomic uint64_t *lost_ns = &devices[device_index].lost_ns;
    uint64_t before_ns = atomic_load(lost_ns);
    while (at_ns < before_ns && !atomic_compare_exchange_weak(lost_ns, &before_ns, at_ns)) {
    } /* the earliest counts */
}

uint64_t ride_fake_works(uint32_t device_index) {
    RIDE_ASSERT(device_index < script_now.devices_count);
    return atomic_load(&devices[device_index].works);
}

static bool is_lost(const ride_device *device) { return atomic_load(&device->lost_ns) <= now_ns(); }
static ride_status check_device(const ride_device *device, ride_error *err) {
    if (!is_lost(device)) return RIDE_OK;
    return ride_fail(err, RIDE_E_DEVICE_LOST, "fake device %u is lost", device->index);
}

static ride_status probe(ride_error *err) {
    if (script_now.probe_status == RIDE_OK) return RIDE_OK;
    return ride_fail(err, script_now.probe_status, "the script says so");
}
static uint32_t device_count(void) { return script_now.devices_count; }

static ride_status device_props(uint32_t device_index, ride_device_props *out, ride_error *err) {
    if (device_index >= script_now.devices_count)
        return ride_fail(err, RIDE_E_UNAVAILABLE, "there is no fake device %u", device_index);
    *out = (ride_device_props){.kind = "fake",
                               .memory_bytes = script_now.memory_bytes,
                               .numa_node = -1,
                               .queues_max = script_now.queues_max,
                               .asynchronous = 1,
                               .cores = 1,
                               .tiles_shared = 1};
    snprintf(out->name, sizeof out->name, "fake device %u", device_index);
    return RIDE_OK;
}

static ride_status real_ops(const ride_backend_ops **out, ride_error *err) {
    *out = script_now.real != NULL ? script_now.real(RIDE_BACKEND_ABI, services_now, err) : NULL;
    return script_now.real == NULL || *out != NULL ? RIDE_OK : RIDE_E_UNAVAILABLE;
}

static ride_status device_open(uint32_t device_index, ride_device **out, ride_error *err) {
    if (device_index >= script_now.devices_count)
        return ride_fail(err, RIDE_E_UNAVAILABLE, "there is no fake device %u", device_index);
    ride_device *device = &devices[device_index];
    RIDE_TRY(check_device(device, err));
    if (device->opened == 0) {
        RIDE_TRY(real_ops(&device->real, err));
        if (device->real != NULL) RIDE_TRY(device->real->device_open(0, &device->real_device, err));
    }
    device->opened++;
    *out = device;
    return RIDE_OK;
}
static void device_close(ride_device *device) {
    if (--device->opened > 0 || device->real == NULL) return;
    device->real->device_close(device->real_device);
    device->real = NULL;
}

static ride_status queue_create(ride_device *device, uint32_t depth_max, ride_queue **out, ride_error *err) {
    RIDE_ASSERT(depth_max > 0);
    RIDE_TRY(check_device(device, err));
    ride_queue *queue = calloc(1, sizeof *queue);
    if (queue != NULL) {
        queue->ring = calloc(depth_max, sizeof *queue->ring);
    }
    if (queue == NULL || queue->ring == NULL) {
        free(queue);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for a queue of %u works", depth_max);
    }
    if (device->real != NULL) {
        ride_status st = device->real->queue_create(device->real_device, depth_max, &queue->real, err);
        if (st != RIDE_OK) {
            free(queue->ring);
            free(queue);
            return st;
        }
    }
    queue->device = device;
    queue->depth_max = depth_max;
    *out = queue;
    return RIDE_OK;
}

static ride_status buffer_alloc(ride_device *device, ride_buffer_kind kind, uint64_t bytes, void **out,
                                ride_error *err) {
    (void)kind; /* both are ordinary memory here; the host may touch only HOST ones */
    RIDE_TRY(check_device(device, err));
    *out = bytes < SIZE_MAX - 8192 ? aligned_alloc(4096, (bytes / 4096 + 1) * 4096) : NULL;
    if (*out == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory for a buffer of %llu bytes", (unsigned long long)bytes);
    return RIDE_OK;
}
static void buffer_free(ride_device *device, ride_buffer_kind kind, void *buffer) {
    (void)device;
    (void)kind;
    free(buffer);
}

static ride_status program_supports(const ride_bundle *bundle, ride_error *err) {
    const ride_backend_ops *real;
    RIDE_TRY(real_ops(&real, err));
    if (real != NULL) return real->program_supports(bundle, err);
    if (bundle->plan != NULL) return RIDE_OK;
    return ride_fail(err, RIDE_E_UNSUPPORTED, "the bundle has no feature plan");
}

static void program_release(ride_program_dev *program) {
    if (program == NULL) return;
    if (program->real != NULL) program->device->real->program_release(program->real);
    free(program->image);
    free(program);
}

static ride_status program_upload(ride_device *device, const ride_bundle *bundle, ride_program_dev **out,
                                  ride_error *err) {
    RIDE_TRY(check_device(device, err));
    RIDE_TRY(program_supports(bundle, err));
    ride_program_dev *program = calloc(1, sizeof *program);
    uint64_t rounded = (bundle->image_bytes + RIDE_BUNDLE_ALIGN - 1) / RIDE_BUNDLE_ALIGN * RIDE_BUNDLE_ALIGN;
    if (program == NULL || (program->image = aligned_alloc(RIDE_BUNDLE_ALIGN, rounded)) == NULL) {
        program_release(program);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for a program of %llu bytes", (unsigned long long)rounded);
    }
    memcpy(program->image, bundle->image, bundle->image_bytes);
    program->device = device;
    ride_status st = ride_bundle_open(program->image, bundle->image_bytes, &program->bundle, err);
    if (st == RIDE_OK && device->real != NULL)
        st = device->real->program_upload(device->real_device, bundle, &program->real, err);
    if (st != RIDE_OK) {
        program_release(program);
        return st;
    }
    ride_plan_layout_in(&program->bundle, &program->in);
    ride_plan_layout_out(&program->bundle, &program->out);
    *out = program;
    return RIDE_OK;
}

static ride_status state_create(ride_device *device, const ride_program_dev *program, const ride_state_options *options,
                                ride_state **out, ride_error *err) {
    RIDE_TRY(check_device(device, err));
    RIDE_TRY(fake_state_create(device, program->bundle.plan->spec_hash, options, out, err));
    if (device->real == NULL) return RIDE_OK;
    ride_state *real = NULL;
    ride_status st = device->real->state_create(device->real_device, program->real, options, &real, err);
    if (st != RIDE_OK) fake_state_destroy(*out);
    else fake_state_set_real(*out, real);
    return st;
}
static void state_destroy(ride_state *state) {
    if (state == NULL) return;
    if (fake_state_real(state) != NULL) fake_state_device(state)->real->state_destroy(fake_state_real(state));
    fake_state_destroy(state);
}
/* The states of the backend that does the work; NULL = no memory. */
static ride_state **real_states(ride_state *const *states, uint32_t states_count) {
    ride_state **real = calloc(states_count, sizeof *real);
    for (uint32_t i = 0; real != NULL && i < states_count; i++) real[i] = fake_state_real(states[i]);
    return real;
}
static ride_status check_states(ride_state *const *states, uint32_t states_count, ride_error *err) {
    for (uint32_t i = 0; i < states_count; i++) RIDE_TRY(check_device(fake_state_device(states[i]), err));
    return RIDE_OK;
}
static ride_status state_save(ride_state *const *states, uint32_t states_count, uint32_t vnode_first,
                              uint32_t vnodes_count, ride_write_fn write, void *context, ride_error *err) {
    RIDE_TRY(check_states(states, states_count, err));
    const ride_backend_ops *ops = fake_state_device(states[0])->real;
    if (ops == NULL) return fake_state_save(states, states_count, vnode_first, vnodes_count, write, context, err);
    ride_state **real = real_states(states, states_count);
    if (real == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory to save %u states", states_count);
    const ride_status st = ops->state_save(real, states_count, vnode_first, vnodes_count, write, context, err);
    free(real);
    return st;
}
static ride_status state_restore(ride_state *const *states, uint32_t states_count, ride_read_fn read, void *context,
                                 ride_error *err) {
    RIDE_TRY(check_states(states, states_count, err));
    const ride_backend_ops *ops = fake_state_device(states[0])->real;
    if (ops == NULL) return fake_state_restore(states, states_count, read, context, err);
    ride_state **real = real_states(states, states_count);
    if (real == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory to restore %u states", states_count);
    const ride_status st = ops->state_restore(real, states_count, read, context, err);
    free(real);
    return st;
}
static void state_stats(const ride_state *state, ride_state_stats *out) {
    if (fake_state_real(state) == NULL) fake_state_stats(state, out);
    else fake_state_device(state)->real->state_stats(fake_state_real(state), out);
}

static ride_status counts_create(ride_device *device, const ride_program_dev *program, ride_counts **out,
                                 ride_error *err) {
    RIDE_TRY(check_device(device, err));
    ride_profile profile;
    RIDE_TRY(ride_profile_open(&program->bundle, &profile, err));
    ride_counts *counts = calloc(1, sizeof *counts);
    if (counts == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for counts");
    counts->device = device;
    counts->cells_count = profile.header->cells_count;
    if (device->real != NULL) {
        ride_status st = device->real->counts_create(device->real_device, program->real, &counts->real, err);
        if (st != RIDE_OK) {
            free(counts);
            return st;
        }
    }
    *out = counts;
    return RIDE_OK;
}
static void counts_destroy(ride_counts *counts) {
    if (counts == NULL) return;
    if (counts->real != NULL) counts->device->real->counts_destroy(counts->real);
    free(counts);
}
static ride_status counts_take(ride_counts *counts, uint64_t *out, ride_error *err) {
    RIDE_TRY(check_device(counts->device, err));
    if (counts->real != NULL) return counts->device->real->counts_take(counts->real, out, err);
    memset(out, 0, counts->cells_count * sizeof *out);
    return RIDE_OK;
}

/* What the work's stages write; other columns may hold what an earlier work of the same rows wrote, or what works of other states
 * write at the same time. */
static bool is_written(const pending *p, uint32_t column) {
    const uint32_t features_count = p->program->bundle.plan->features_count;
    const bool shares = p->state != NULL && fake_state_is_part(p->state);
    if (column == features_count + RIDE_OUT_MARGIN || column == features_count + RIDE_OUT_PROBABILITY)
        return (p->work.stages & RIDE_STAGE_SCORE) != 0;
    if (column == features_count + RIDE_OUT_RULE) return (p->work.stages & RIDE_STAGE_RULES) != 0;
    return (p->work.stages & RIDE_STAGE_WINDOWS) != 0 && !shares;
}

static void poison_outputs(const pending *p) {
    const ride_tile_layout *out = &p->program->out;
    for (uint32_t row = 0; row < p->work.rows_count; row += RIDE_TILE_ROWS) {
        uint8_t *tile = p->work.out_tiles + (size_t)(row / RIDE_TILE_ROWS) * out->tile_bytes;
        uint32_t rows = p->work.rows_count - row < RIDE_TILE_ROWS ? p->work.rows_count - row : RIDE_TILE_ROWS;
        for (uint32_t c = 0; c < out->columns_count; c++)
            if (is_written(p, c))
                memset(ride_tile_values(out, tile, c), 0xA5, (size_t)rows * ride_type_bytes(out->columns[c].type));
    }
}

static void write_row(const pending *p, uint32_t device_index, uint8_t *tile, uint32_t row, uint64_t sequence) {
    const ride_tile_layout *out = &p->program->out;
    const ride_plan_header *plan = p->program->bundle.plan;
    uint32_t tail = plan->features_count, stages = p->work.stages;
    if (stages & RIDE_STAGE_WINDOWS && fake_state_owns(p->state, sequence)) {
        for (uint32_t f = 0; f < plan->features_count; f++)
            ((double *)ride_tile_values(out, tile, f))[row] = ride_fake_feature(sequence, f);
        if (!fake_state_is_part(p->state)) ((uint32_t *)ride_tile_values(out, tile, tail + RIDE_OUT_FLAGS))[row] = 0;
    }
    if (stages & RIDE_STAGE_SCORE) {
        ((double *)ride_tile_values(out, tile, tail + RIDE_OUT_MARGIN))[row] = device_index;
        ((double *)ride_tile_values(out, tile, tail + RIDE_OUT_PROBABILITY))[row] = ride_fake_probability(sequence);
    }
    if (stages & RIDE_STAGE_RULES)
        ((uint32_t *)ride_tile_values(out, tile, tail + RIDE_OUT_RULE))[row] =
            ride_fake_rule(sequence, plan->rules_count);
}

static void do_work(const pending *p, uint32_t device_index) {
    const ride_tile_layout *in = &p->program->in;
    for (uint32_t row = 0; row < p->work.rows_count; row++) {
        uint32_t tile_index = row / RIDE_TILE_ROWS, r = row % RIDE_TILE_ROWS;
        const uint8_t *in_tile = p->work.in_tiles + (size_t)tile_index * in->tile_bytes;
        uint64_t sequence = ((const ride_tile_header *)in_tile)->sequence_first + r;
        uint32_t flags = ((const uint32_t *)ride_tile_values_const(in, in_tile, RIDE_COLUMN_FLAGS))[r];
        if (p->work.stages & RIDE_STAGE_WINDOWS && flags & RIDE_ROW_ENTERS && fake_state_owns(p->state, sequence))
            fake_state_enter(p->state, sequence);
        if (flags & (RIDE_ROW_LABEL | RIDE_ROW_SKIP)) continue;
        write_row(p, device_index, p->work.out_tiles + (size_t)tile_index * p->program->out.tile_bytes, r, sequence);
    }
}

/* The work done, by the script or by the real backend. */
static ride_status work_end(ride_queue *queue, const pending *p) {
    const ride_backend_ops *real = queue->device->real;
    if (p->status != RIDE_OK) return p->status;
    if (real == NULL) {
        do_work(p, queue->device->index);
        return RIDE_OK;
    }
    ride_ticket ticket;
    ride_state *state = p->state != NULL ? fake_state_real(p->state) : NULL;
    ride_work work = p->work;
    if (work.counts != NULL) work.counts = work.counts->real;
    RIDE_TRY(real->submit(queue->real, p->program->real, state, &work, &ticket));
    return real->wait(queue->real, ticket, UINT64_MAX);
}

static void failure_add(ride_queue *queue, ride_ticket ticket, ride_status status) {
    if (queue->failures_count == queue->failures_max) {
        queue->failures_max = 2 * queue->failures_max + 4;
        queue->failures = realloc(queue->failures, queue->failures_max * sizeof *queue->failures);
        RIDE_ASSERT(queue->failures != NULL);
    }
    queue->failures[queue->failures_count++] = (failure){ticket, status};
}

/* Finishes what is due, oldest first, unless the device was lost before. */
static void finish_due(ride_queue *queue) {
    uint64_t now = now_ns(), lost_ns = atomic_load(&queue->device->lost_ns);
    while (queue->completed < queue->submitted) {
        const pending *p = &queue->ring[queue->completed % queue->depth_max];
        if (p->done_ns > now || p->done_ns > lost_ns) return;
        queue->completed++;
        queue->stats.busy_ns += p->done_ns - p->start_ns;
        ride_status st = work_end(queue, p);
        if (st == RIDE_OK) {
            queue->stats.completed++;
            queue->stats.rows += p->work.rows_count;
        } else {
            failure_add(queue, queue->completed, st);
            queue->stats.failed++;
        }
    }
}

static ride_status submit(ride_queue *queue, const ride_program_dev *program, ride_state *state, const ride_work *work,
                          ride_ticket *out) {
    RIDE_ASSERT(state != NULL || (work->stages & RIDE_STAGE_WINDOWS) == 0);
    RIDE_ASSERT(work->counts != NULL || (work->stages & RIDE_STAGE_PROFILE) == 0);
    finish_due(queue);
    uint64_t now = now_ns();
    if (is_lost(queue->device)) return RIDE_E_DEVICE_LOST;
    if (queue->submitted - queue->completed == queue->depth_max) return RIDE_FULL;
    uint64_t index = atomic_fetch_add(&queue->device->works, 1);
    pending p = {.work = *work, .program = program, .state = state};
    p.start_ns = now > queue->busy_until_ns ? now : queue->busy_until_ns;
    p.done_ns = p.start_ns + script_now.delay_ns + script_now.delay_ns_per_row * work->rows_count;
    for (uint32_t i = 0; i < script_now.events_count; i++) {
        const ride_fake_event *event = &script_now.events[i];
        if (event->device_index != queue->device->index || event->work_index != index) continue;
        switch (event->action) {
        case RIDE_FAKE_FAIL: p.status = event->status; break;
        case RIDE_FAKE_REFUSE: return event->status;
        case RIDE_FAKE_DELAY: p.done_ns = add_saturated(p.done_ns, event->delay_ns); break;
        case RIDE_FAKE_LOSE: ride_fake_lose(queue->device->index, add_saturated(now, event->delay_ns)); break;
        default: RIDE_ASSERT(!"an unknown action");
        }
    }
    if (is_lost(queue->device)) return RIDE_E_DEVICE_LOST; /* by this very work */
    queue->busy_until_ns = p.done_ns;
    queue->ring[queue->submitted % queue->depth_max] = p;
    queue->stats.submitted++;
    *out = ++queue->submitted;
    poison_outputs(&p);
    return RIDE_OK;
}

static ride_status poll_ticket(ride_queue *queue, ride_ticket ticket) {
    RIDE_ASSERT(ticket >= 1 && ticket <= queue->submitted);
    finish_due(queue);
    if (ticket > queue->completed) return is_lost(queue->device) ? RIDE_E_DEVICE_LOST : RIDE_PENDING;
    for (uint32_t i = 0; i < queue->failures_count; i++)
        if (queue->failures[i].ticket == ticket) return queue->failures[i].status;
    return RIDE_OK;
}

static ride_status wait_ticket(ride_queue *queue, ride_ticket ticket, uint64_t timeout_ns) {
    uint64_t deadline_ns = add_saturated(now_ns(), timeout_ns);
    for (;;) {
        ride_status st = poll_ticket(queue, ticket);
        uint64_t now = now_ns();
        if (st != RIDE_PENDING || now >= deadline_ns) return st;
        uint64_t until_ns = queue->ring[(ticket - 1) % queue->depth_max].done_ns;
        uint64_t lost_ns = atomic_load(&queue->device->lost_ns);
        if (lost_ns < until_ns) until_ns = lost_ns;
        sleep_until_ns(until_ns < deadline_ns ? until_ns : deadline_ns);
    }
}

static void queue_stats(const ride_queue *queue, ride_queue_stats *out) { *out = queue->stats; }

static void queue_destroy(ride_queue *queue) {
    if (queue == NULL) return;
    if (queue->completed < queue->submitted) wait_ticket(queue, queue->submitted, UINT64_MAX);
    if (queue->real != NULL) queue->device->real->queue_destroy(queue->real);
    free(queue->ring);
    free(queue->failures);
    free(queue);
}

static ride_status group_reduce(ride_device *const *group, uint32_t devices_count, uint64_t *const *values,
                                uint64_t count, ride_error *err) {
    for (uint32_t d = 0; d < devices_count; d++) RIDE_TRY(check_device(group[d], err));
    for (uint64_t i = 0; i < count; i++) {
        uint64_t sum = 0;
        for (uint32_t d = 0; d < devices_count; d++) sum += values[d][i];
        for (uint32_t d = 0; d < devices_count; d++) values[d][i] = sum;
    }
    return RIDE_OK;
}

static const ride_backend_ops ops = {
    .abi = RIDE_BACKEND_ABI,
    .struct_bytes = sizeof ops,
    .name = "fake",
    .probe = probe,
    .device_count = device_count,
    .device_props = device_props,
    .device_open = device_open,
    .device_close = device_close,
    .queue_create = queue_create,
    .queue_destroy = queue_destroy,
    .buffer_alloc = buffer_alloc,
    .buffer_free = buffer_free,
    .program_supports = program_supports,
    .program_upload = program_upload,
    .program_release = program_release,
    .state_create = state_create,
    .state_destroy = state_destroy,
    .state_save = state_save,
    .state_restore = state_restore,
    .state_stats = state_stats,
    .counts_create = counts_create,
    .counts_destroy = counts_destroy,
    .counts_take = counts_take,
    .submit = submit,
    .poll = poll_ticket,
    .wait = wait_ticket,
    .queue_stats = queue_stats,
    .group_reduce = group_reduce,
};

const ride_backend_ops *ride_backend_fake(uint32_t abi, const ride_backend_services *services, ride_error *err) {
    if (abi != RIDE_BACKEND_ABI) {
        ride_fail(err, RIDE_E_VERSION, "the fake backend serves ABI %d, the host asks for %u", RIDE_BACKEND_ABI, abi);
        return NULL;
    }
    services_now = services;
    if (devices[1].index == 0) forget_all(); /* first use without a script */
    return &ops;
}
