/* kernels/cpu/backend.c: the CPU behind the backend table: one device, synchronous queues. submit does the work before it
 * returns; poll and wait only tell how it went. */
#include "base/assert.h"
#include "kernels/cpu/matrix.h"
#include "kernels/cpu/state.h"
#include "kernels/cpu/tell.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TICKETS_KEPT = 64 };

struct ride_queue {
    const ride_backend_services *services;
    ride_ticket last;
    ride_status results[TICKETS_KEPT];
    ride_queue_stats stats;
    uint64_t program_number; /* of the program whose scratch is below; 0 = none */
    void *program_scratch_memory, *scorer_scratch;
    ride_cpu_program_scratch *program_scratch;
};

static const ride_backend_services *services_given; /* of the devices that are opened next */

static ride_status cpu_probe(ride_error *err) {
    (void)err;
    return RIDE_OK;
}
static uint32_t cpu_device_count(void) { return 1; }

static ride_status cpu_device_props(uint32_t device_index, ride_device_props *out, ride_error *err) {
    if (device_index != 0)
        return ride_fail(err, RIDE_E_CONFIG, "the cpu backend has one device, not number %u", device_index);
    memset(out, 0, sizeof *out);
    long cores = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    snprintf(out->name, sizeof out->name, "CPU, %ld cores", cores);
    snprintf(out->kind, sizeof out->kind, "cpu");
    out->memory_bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
    out->numa_node = -1;
    out->cores = cores > 0 ? (uint32_t)cores : 1;
    out->tiles_shared = 1;
    return RIDE_OK;
}

static ride_status cpu_device_open(uint32_t device_index, ride_device **out, ride_error *err) {
    if (device_index != 0)
        return ride_fail(err, RIDE_E_CONFIG, "the cpu backend has one device, not number %u", device_index);
    *out = calloc(1, sizeof **out);
    if (*out == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a device");
    (*out)->isa = ride_cpu_isa_best();
    (*out)->services = *services_given; /* a later host's are not those that gave its memory */
    return RIDE_OK;
}
static void cpu_device_close(ride_device *device) { free(device); }

static ride_status cpu_queue_create(ride_device *device, uint32_t depth_max, ride_queue **out, ride_error *err) {
    (void)depth_max; /* work is done when submit returns: the queue is never full */
    *out = calloc(1, sizeof **out);
    if (*out == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a queue");
    (*out)->services = &device->services;
    return RIDE_OK;
}

static void scratch_free(ride_queue *queue) {
    free(queue->program_scratch_memory);
    free(queue->scorer_scratch);
    queue->program_number = 0;
    queue->program_scratch_memory = queue->scorer_scratch = NULL;
}

static void cpu_queue_destroy(ride_queue *queue) {
    if (queue == NULL) return;
    scratch_free(queue);
    free(queue);
}

static ride_status cpu_buffer_alloc(ride_device *device, ride_buffer_kind kind, uint64_t bytes, void **out,
                                    ride_error *err) {
    (void)kind;
    *out = device->services.memory_alloc(device->services.memory_context, bytes);
    if (*out == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory for a buffer of %llu bytes", (unsigned long long)bytes);
    memset(*out, 0, bytes); /* touched now, not in the data path */
    return RIDE_OK;
}
static void cpu_buffer_free(ride_device *device, ride_buffer_kind kind, void *buffer) {
    (void)kind;
    if (buffer != NULL) device->services.memory_free(device->services.memory_context, buffer);
}

static ride_status cpu_program_supports(const ride_bundle *bundle, ride_error *err) {
    if (bundle->plan == NULL)
        return ride_bundle_has_model(bundle)
                   ? RIDE_OK
                   : ride_fail(err, RIDE_E_UNSUPPORTED, "the bundle has neither a feature plan nor a model");
    RIDE_TRY(ride_programs_check(bundle, err));
    for (uint32_t e = 0; e < bundle->plan->entities_count; e++) {
        ride_state_layout layout;
        RIDE_TRY(ride_state_layout_make(bundle, e, 1, &layout, err));
    }
    return RIDE_OK;
}

static void cpu_program_release(ride_program_dev *program) {
    if (program == NULL) return;
    ride_cpu_scorer_destroy(program->scorer);
    ride_cpu_model_destroy(&program->model);
    ride_cpu_profile_destroy(program->profile);
    free(program->image);
    free(program);
}

static ride_status cpu_program_upload(ride_device *device, const ride_bundle *bundle, ride_program_dev **out,
                                      ride_error *err) {
    ride_status st = RIDE_OK;
    RIDE_TRY(cpu_program_supports(bundle, err));
    ride_program_dev *program = calloc(1, sizeof *program);
    if (program == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a program");
    static atomic_uint_least64_t programs_made;
    program->number = atomic_fetch_add(&programs_made, 1) + 1;
    program->isa = device->isa;
    uint64_t bytes = bundle->image_bytes;
    program->image =
        aligned_alloc(RIDE_BUNDLE_ALIGN, (bytes + RIDE_BUNDLE_ALIGN - 1) / RIDE_BUNDLE_ALIGN * RIDE_BUNDLE_ALIGN);
    if (program->image == NULL) {
        st = ride_fail(err, RIDE_E_MEMORY, "no memory for a bundle of %llu bytes", (unsigned long long)bytes);
        goto fail;
    }
    memcpy(program->image, bundle->image, bytes);
    RIDE_TRY_GOTO(st, ride_bundle_open(program->image, bytes, &program->bundle, err), fail);
    RIDE_TRY_GOTO(st, ride_cpu_model_create(&program->bundle, device->isa, &program->model, err), fail);
    if (program->bundle.plan == NULL) {
        *out = program;
        return RIDE_OK;
    }
    ride_plan_layout_in(&program->bundle, &program->in_layout);
    ride_plan_layout_out(&program->bundle, &program->out_layout);
    if (ride_cpu_model_is(&program->model))
        RIDE_TRY_GOTO(st,
                      ride_cpu_scorer_create(&program->bundle, &program->model, &program->in_layout,
                                             &program->out_layout, &program->scorer, err),
                      fail);
    if (ride_bundle_has_profile(&program->bundle))
        RIDE_TRY_GOTO(st,
                      ride_cpu_profile_create(&program->bundle, &program->in_layout, &program->out_layout, device->isa,
                                              &program->profile, err),
                      fail);
    *out = program;
    return RIDE_OK;
fail:
    cpu_program_release(program);
    return st;
}

static ride_status cpu_rows_shape(const ride_program_dev *program, ride_rows_shape *out, ride_error *err) {
    if (!ride_cpu_model_is(&program->model)) return ride_fail(err, RIDE_E_MODEL, "the bundle has no model");
    ride_cpu_matrix_shape(&program->model, out);
    return RIDE_OK;
}
static ride_status cpu_rows_score(const ride_program_dev *program, const ride_rows *rows, void *scratch) {
    ride_cpu_matrix_score(&program->model, rows, scratch);
    return RIDE_OK;
}

static ride_status cpu_explainer_create(const ride_program_dev *program, const ride_explainer_options *options,
                                        ride_explainer **out, uint64_t *scratch_bytes, ride_error *err) {
    if (!ride_cpu_model_is(&program->model)) return ride_fail(err, RIDE_E_MODEL, "the bundle has no model");
    RIDE_TRY(ride_cpu_explainer_create(&program->model, program->isa, options, out, err));
    *scratch_bytes = ride_cpu_matrix_explain_bytes(*out);
    return RIDE_OK;
}
static ride_status cpu_rows_explain(const ride_explainer *explainer, const ride_rows *rows, void *scratch) {
    ride_cpu_matrix_explain(explainer, rows, scratch);
    return RIDE_OK;
}

static void cpu_program_tell(const ride_program_dev *program, ride_part_fn part, void *context) {
    ride_cpu_model_tell(&program->model, part, context);
}

struct ride_counts {
    uint32_t cells_count;
    uint64_t cells[];
};

static ride_status cpu_counts_create(ride_device *device, const ride_program_dev *program, ride_counts **out,
                                     ride_error *err) {
    (void)device;
    if (program->profile == NULL) return ride_fail(err, RIDE_E_MODEL, "the bundle has no profile to count by");
    const uint32_t count = ride_cpu_profile_cells_count(program->profile);
    *out = calloc(1, sizeof **out + count * sizeof(*out)->cells[0]);
    if (*out == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for %u counts", count);
    (*out)->cells_count = count;
    return RIDE_OK;
}
static void cpu_counts_destroy(ride_counts *counts) { free(counts); }
static ride_status cpu_counts_take(ride_counts *counts, uint64_t *out, ride_error *err) {
    (void)err;
    memcpy(out, counts->cells, counts->cells_count * sizeof *out);
    memset(counts->cells, 0, counts->cells_count * sizeof *out);
    return RIDE_OK;
}

/* Scratch for a program: made at its first batch and kept. */
static ride_status scratch_make(ride_queue *queue, const ride_program_dev *program) {
    if (queue->program_number == program->number) return RIDE_OK;
    scratch_free(queue);
    size_t bytes = (ride_cpu_program_scratch_bytes(&program->bundle) + 63) / 64 * 64;
    queue->program_scratch_memory = aligned_alloc(64, bytes > 0 ? bytes : 64);
    size_t scorer_bytes = program->scorer != NULL ? (ride_cpu_scorer_scratch_bytes(program->scorer) + 63) / 64 * 64 : 0;
    queue->scorer_scratch = aligned_alloc(64, scorer_bytes > 0 ? scorer_bytes : 64);
    if (queue->program_scratch_memory == NULL || queue->scorer_scratch == NULL) return RIDE_E_MEMORY;
    queue->program_scratch = ride_cpu_program_scratch_init(&program->bundle, queue->program_scratch_memory);
    queue->program_number = program->number;
    return RIDE_OK;
}

static ride_cpu_program_inputs inputs_of(const ride_program_dev *program, const uint8_t *in_tile,
                                         const uint8_t *out_tile, uint32_t rows_count) {
    return (ride_cpu_program_inputs){.in_layout = &program->in_layout,
                                     .in_tile = in_tile,
                                     .out_layout = &program->out_layout,
                                     .out_tile = out_tile,
                                     .rows_count = rows_count};
}

static void expressions_run(ride_queue *queue, const ride_program_dev *program, const uint8_t *in_tile,
                            uint8_t *out_tile, uint32_t rows_count) {
    const ride_plan_expression *expressions =
        ride_bundle_array(&program->bundle, RIDE_SECTION_EXPRESSIONS, ride_plan_expression);
    ride_cpu_program_inputs inputs = inputs_of(program, in_tile, out_tile, rows_count);
    for (uint32_t i = 0; i < program->bundle.plan->expressions_count; i++)
        ride_cpu_program_number(queue->program_scratch, expressions[i].program, &inputs,
                                ride_tile_values(&program->out_layout, out_tile, expressions[i].feature));
}

static void rules_run(ride_queue *queue, const ride_program_dev *program, const uint8_t *in_tile, uint8_t *out_tile,
                      uint32_t rows_count) {
    const ride_plan_rule *rules = ride_bundle_array(&program->bundle, RIDE_SECTION_RULES, ride_plan_rule);
    uint32_t count = program->bundle.plan->rules_count;
    uint32_t *decided =
        ride_tile_values(&program->out_layout, out_tile, program->bundle.plan->features_count + RIDE_OUT_RULE);
    ride_cpu_program_inputs inputs = inputs_of(program, in_tile, out_tile, rows_count);
    for (uint32_t row = 0; row < rows_count; row++) decided[row] = count;
    for (uint32_t i = count; i-- > 0;) { /* from the last: an earlier rule overwrites a later one */
        uint8_t holds[RIDE_TILE_VALIDITY_BYTES];
        ride_cpu_program_condition(queue->program_scratch, rules[i].program, &inputs, holds);
        for (uint32_t row = 0; row < rows_count; row++)
            if (ride_bit_get(holds, row)) decided[row] = i;
    }
}

static uint32_t tile_rows(uint32_t rows_count, uint32_t tile) {
    const uint32_t left = rows_count - tile * RIDE_TILE_ROWS;
    return left < RIDE_TILE_ROWS ? left : RIDE_TILE_ROWS;
}

/* What needs no state, of the rows of one or two tiles: the vector's expressions, the score, the rules, the counts. */
static void tiles_run(ride_queue *queue, const ride_program_dev *program, const ride_work *work, uint32_t first,
                      uint32_t rows_count) {
    const uint32_t in_bytes = program->in_layout.tile_bytes, out_bytes = program->out_layout.tile_bytes;
    const uint8_t *in_tiles = work->in_tiles + (uint64_t)(first / RIDE_TILE_ROWS) * in_bytes;
    uint8_t *out_tiles = work->out_tiles + (uint64_t)(first / RIDE_TILE_ROWS) * out_bytes;
    const uint32_t tiles_count = (rows_count + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS;
    if (work->stages & RIDE_STAGE_EXPRESSIONS)
        for (uint32_t t = 0; t < tiles_count; t++)
            expressions_run(queue, program, in_tiles + t * in_bytes, out_tiles + t * out_bytes,
                            tile_rows(rows_count, t));
    if ((work->stages & RIDE_STAGE_SCORE) && program->scorer != NULL)
        ride_cpu_score_tiles(program->scorer, queue->scorer_scratch, in_tiles, out_tiles, rows_count);
    for (uint32_t t = 0; t < tiles_count; t++) {
        const uint8_t *in_tile = in_tiles + t * in_bytes;
        uint8_t *out_tile = out_tiles + t * out_bytes;
        const uint32_t rows = tile_rows(rows_count, t);
        if (work->stages & RIDE_STAGE_RULES) rules_run(queue, program, in_tile, out_tile, rows);
        if (work->stages & RIDE_STAGE_PROFILE)
            ride_cpu_profile_tile(program->profile, in_tile, out_tile, rows, work->counts->cells);
    }
}

static ride_status work_run(ride_queue *queue, const ride_program_dev *program, ride_state *state,
                            const ride_work *work) {
    RIDE_TRY(scratch_make(queue, program));
    if (work->stages & RIDE_STAGE_WINDOWS) {
        RIDE_ASSERT(state != NULL && state->program == program);
        RIDE_TRY(ride_cpu_state_apply(state, queue->program_scratch, work));
    }
    RIDE_ASSERT(!(work->stages & RIDE_STAGE_PROFILE) || (program->profile != NULL && work->counts != NULL));
    if ((work->stages & ~(uint32_t)RIDE_STAGE_WINDOWS) == 0) return RIDE_OK;
    for (uint32_t row = 0; row < work->rows_count; row += RIDE_CPU_SCORE_ROWS) {
        const uint32_t left = work->rows_count - row;
        tiles_run(queue, program, work, row, left < RIDE_CPU_SCORE_ROWS ? left : RIDE_CPU_SCORE_ROWS);
    }
    return RIDE_OK;
}

static ride_status cpu_submit(ride_queue *queue, const ride_program_dev *program, ride_state *state,
                              const ride_work *work, ride_ticket *out) {
    const ride_backend_services *services = queue->services;
    uint64_t start_ns = services->now_ns(services->context);
    ride_status st = work_run(queue, program, state, work);
    queue->stats.busy_ns += services->now_ns(services->context) - start_ns;
    queue->stats.submitted++;
    queue->stats.rows += work->rows_count;
    if (st == RIDE_OK) queue->stats.completed++;
    else queue->stats.failed++;
    *out = ++queue->last;
    queue->results[*out % TICKETS_KEPT] = st;
    return RIDE_OK;
}

static ride_status cpu_poll(ride_queue *queue, ride_ticket ticket) {
    RIDE_ASSERT(ticket >= 1 && ticket <= queue->last);
    return queue->last - ticket < TICKETS_KEPT ? queue->results[ticket % TICKETS_KEPT] : RIDE_OK;
}
static ride_status cpu_wait(ride_queue *queue, ride_ticket ticket, uint64_t timeout_ns) {
    (void)timeout_ns;
    return cpu_poll(queue, ticket);
}
static void cpu_queue_stats(const ride_queue *queue, ride_queue_stats *out) { *out = queue->stats; }

static ride_status cpu_group_reduce(ride_device *const *devices, uint32_t devices_count, uint64_t *const *values,
                                    uint64_t count, ride_error *err) {
    (void)devices;
    (void)err;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t sum = 0;
        for (uint32_t d = 0; d < devices_count; d++) sum += values[d][i];
        for (uint32_t d = 0; d < devices_count; d++) values[d][i] = sum;
    }
    return RIDE_OK;
}

static const ride_backend_ops cpu_ops = {
    .abi = RIDE_BACKEND_ABI,
    .struct_bytes = sizeof(ride_backend_ops),
    .name = "cpu",
    .probe = cpu_probe,
    .device_count = cpu_device_count,
    .device_props = cpu_device_props,
    .device_open = cpu_device_open,
    .device_close = cpu_device_close,
    .queue_create = cpu_queue_create,
    .queue_destroy = cpu_queue_destroy,
    .buffer_alloc = cpu_buffer_alloc,
    .buffer_free = cpu_buffer_free,
    .program_supports = cpu_program_supports,
    .program_upload = cpu_program_upload,
    .program_release = cpu_program_release,
    .state_create = ride_cpu_state_create,
    .state_destroy = ride_cpu_state_destroy,
    .state_save = ride_cpu_state_save,
    .state_restore = ride_cpu_state_restore,
    .state_stats = ride_cpu_state_stats,
    .counts_create = cpu_counts_create,
    .counts_destroy = cpu_counts_destroy,
    .counts_take = cpu_counts_take,
    .submit = cpu_submit,
    .poll = cpu_poll,
    .wait = cpu_wait,
    .queue_stats = cpu_queue_stats,
    .rows_shape = cpu_rows_shape,
    .rows_score = cpu_rows_score,
    .explainer_create = cpu_explainer_create,
    .explainer_destroy = ride_cpu_explainer_destroy,
    .rows_explain = cpu_rows_explain,
    .program_tell = cpu_program_tell,
    .explainer_tell = ride_cpu_explainer_tell,
    .group_reduce = cpu_group_reduce,
};

const ride_backend_ops *ride_backend_cpu(uint32_t abi, const ride_backend_services *given, ride_error *err) {
    if (abi != RIDE_BACKEND_ABI || given->struct_bytes < sizeof *given) {
        ride_fail(err, RIDE_E_VERSION, "the cpu backend speaks ABI %d, the host asks for %u", RIDE_BACKEND_ABI, abi);
        return NULL;
    }
    services_given = given;
    return &cpu_ops;
}
