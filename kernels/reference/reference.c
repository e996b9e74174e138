/* kernels/reference/reference.c: the backend table of the slow reference. Work is done inside submit. */
#include "kernels/reference/state.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

struct ride_device {
    uint32_t index;
};
struct ride_queue {
    ride_queue_stats stats;
    ride_ticket last;
};

static const ride_backend_services *services_host;

static ride_status probe(ride_error *err) {
    (void)err;
    return RIDE_OK;
}
static uint32_t device_count(void) { return 1; }
static ride_status device_props(uint32_t index, ride_device_props *out, ride_error *err) {
    if (index != 0) return ride_fail(err, RIDE_E_USAGE, "the reference has one device");
    *out = (ride_device_props){
        .name = "slow reference", .kind = "reference", .numa_node = -1, .cores = 1, .tiles_shared = 1};
    return RIDE_OK;
}
static ride_status device_open(uint32_t index, ride_device **out, ride_error *err) {
    if (index != 0) return ride_fail(err, RIDE_E_USAGE, "the reference has one device");
    *out = calloc(1, sizeof **out);
    return *out != NULL ? RIDE_OK : ride_fail(err, RIDE_E_MEMORY, "no memory for a device");
}
static void device_close(ride_device *device) { free(device); }

static ride_status queue_create(ride_device *device, uint32_t depth_max, ride_queue **out, ride_error *err) {
    (void)device, (void)depth_max; /* nothing ever waits */
    *out = calloc(1, sizeof **out);
    return *out != NULL ? RIDE_OK : ride_fail(err, RIDE_E_MEMORY, "no memory for a queue");
}
static void queue_destroy(ride_queue *queue) { free(queue); }
static ride_status buffer_alloc(ride_device *device, ride_buffer_kind kind, uint64_t bytes, void **out,
                                ride_error *err) {
    (void)device, (void)kind;
    *out = bytes <= SIZE_MAX - 4096 ? aligned_alloc(4096, (bytes + 4095) / 4096 * 4096) : NULL;
    return *out != NULL || bytes == 0
               ? RIDE_OK
               : ride_fail(err, RIDE_E_MEMORY, "no memory for %llu bytes", (unsigned long long)bytes);
}
static void buffer_free(ride_device *device, ride_buffer_kind kind, void *buffer) {
    (void)device, (void)kind;
    free(buffer);
}

static ride_status program_supports(const ride_bundle *bundle, ride_error *err) {
    if (bundle->plan == NULL)
        return ride_bundle_has_model(bundle)
                   ? RIDE_OK
                   : ride_fail(err, RIDE_E_UNSUPPORTED, "the bundle has neither a feature plan nor a model");
    const ride_plan_lane *lanes = ride_bundle_array(bundle, RIDE_SECTION_LANES, ride_plan_lane);
    const ride_plan_column *columns = ride_bundle_array(bundle, RIDE_SECTION_COLUMNS, ride_plan_column);
    for (uint32_t i = 0; i < bundle->plan->lanes_count; i++)
        if (lanes[i].kind == RIDE_LANE_HASH && columns[lanes[i].column].type == RIDE_TYPE_STRING)
            return ride_fail(err, RIDE_E_UNSUPPORTED, "identities of a string are read from its key column");
    return RIDE_OK;
}

static void use_column(ride_program_dev *program, int32_t column) {
    if (column >= 0 && program->fact_of_column[column] < 0)
        program->fact_of_column[column] = (int32_t)program->columns_used++;
}

static ride_status upload_plan(ride_program_dev *program, ride_error *err) {
    const ride_plan_header *plan = program->bundle.plan;
    ride_plan_layout_in(&program->bundle, &program->in);
    ride_plan_layout_out(&program->bundle, &program->out);
    program->fact_of_column = malloc(plan->columns_count * sizeof *program->fact_of_column);
    if (program->fact_of_column == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a plan");
    for (uint32_t c = 0; c < plan->columns_count; c++) program->fact_of_column[c] = -1;
    const ride_plan_lane *lanes = REF_PLAN(program, RIDE_SECTION_LANES, ride_plan_lane);
    const ride_plan_aggregate *aggregates = REF_PLAN(program, RIDE_SECTION_AGGREGATES, ride_plan_aggregate);
    for (uint32_t i = 0; i < plan->lanes_count; i++) use_column(program, lanes[i].column);
    for (uint32_t i = 0; i < plan->aggregates_count; i++) use_column(program, aggregates[i].column);
    program->facts_count = program->columns_used + plan->conditions_count;
    return RIDE_OK;
}

static ride_status upload_model(ride_program_dev *program, ride_error *err) {
    ride_ensemble_view view;
    program->has_model = ride_bundle_has_model(&program->bundle);
    if (!program->has_model) return RIDE_OK;
    if (!ride_bundle_has_ensemble(&program->bundle))
        return ride_forest_open(&program->bundle, 0, &program->forest, err);
    RIDE_TRY(ride_ensemble_open(&program->bundle, &view, err));
    program->members = calloc(ride_ensemble_parts_count(&view), sizeof *program->members);
    if (program->members == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for an ensemble");
    ride_ensemble_parts_of(&program->bundle, &view, program->members, &program->ensemble);
    return RIDE_OK;
}

static void program_release(ride_program_dev *program) {
    if (program == NULL) return;
    free(program->members);
    free(program->fact_of_column);
    free(program->image);
    free(program);
}

static ride_status program_upload(ride_device *device, const ride_bundle *bundle, ride_program_dev **out,
                                  ride_error *err) {
    (void)device;
    RIDE_TRY(program_supports(bundle, err));
    if (bundle->plan != NULL) RIDE_TRY(ride_programs_check(bundle, err));
    ride_status st = RIDE_OK;
    ride_program_dev *program = calloc(1, sizeof *program);
    if (program == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a program");
    program->image = aligned_alloc(RIDE_BUNDLE_ALIGN, (bundle->image_bytes + RIDE_BUNDLE_ALIGN - 1) /
                                                          RIDE_BUNDLE_ALIGN * RIDE_BUNDLE_ALIGN);
    if (program->image == NULL) {
        st = ride_fail(err, RIDE_E_MEMORY, "no memory for a bundle");
        goto fail;
    }
    memcpy(program->image, bundle->image, bundle->image_bytes);
    RIDE_TRY_GOTO(st, ride_bundle_open(program->image, bundle->image_bytes, &program->bundle, err), fail);
    if (program->bundle.plan != NULL) RIDE_TRY_GOTO(st, upload_plan(program, err), fail);
    RIDE_TRY_GOTO(st, upload_model(program, err), fail);
    program->has_profile = ride_bundle_has_profile(&program->bundle);
    if (program->has_profile) RIDE_TRY_GOTO(st, ride_profile_open(&program->bundle, &program->profile, err), fail);
    *out = program;
    return RIDE_OK;
fail:
    program_release(program);
    return st;
}

static ride_status state_create(ride_device *device, const ride_program_dev *program, const ride_state_options *options,
                                ride_state **out, ride_error *err) {
    (void)device;
    if (program->bundle.plan == NULL) return ride_fail(err, RIDE_E_MODEL, "the program has no feature plan");
    ride_state *state = calloc(1, sizeof *state);
    if (state == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a state");
    state->program = program;
    state->options = *options;
    state->tables = calloc(program->bundle.plan->entities_count + 1, sizeof *state->tables);
    if (state->tables == NULL) {
        free(state);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for a state");
    }
    *out = state;
    return RIDE_OK;
}
static void state_destroy(ride_state *state) {
    if (state == NULL) return;
    ref_state_clear(state);
    free(state->tables);
    free(state);
}
static void state_stats(const ride_state *state, ride_state_stats *out) {
    *out = (ride_state_stats){.entries = state->entries_count, .bytes = state->bytes};
    for (uint32_t e = 0; e < state->program->bundle.plan->entities_count; e++) out->keys += state->tables[e].keys_count;
}

static ride_status counts_create(ride_device *device, const ride_program_dev *program, ride_counts **out,
                                 ride_error *err) {
    (void)device;
    if (!program->has_profile) return ride_fail(err, RIDE_E_MODEL, "the bundle has no profile to count by");
    const uint32_t cells_count = program->profile.header->cells_count;
    *out = calloc(1, sizeof **out + cells_count * sizeof(*out)->cells[0]);
    if (*out == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for %u counts", cells_count);
    (*out)->cells_count = cells_count;
    return RIDE_OK;
}
static void counts_destroy(ride_counts *counts) { free(counts); }
static ride_status counts_take(ride_counts *counts, uint64_t *out, ride_error *err) {
    (void)err;
    for (uint32_t i = 0; i < counts->cells_count; i++) {
        out[i] = counts->cells[i];
        counts->cells[i] = 0;
    }
    return RIDE_OK;
}

static ride_status submit(ride_queue *queue, const ride_program_dev *program, ride_state *state, const ride_work *work,
                          ride_ticket *out) {
    const uint64_t start_ns = services_host != NULL ? services_host->now_ns(services_host->context) : 0;
    const ride_status st = ref_apply(program, state, work);
    if (services_host != NULL) queue->stats.busy_ns += services_host->now_ns(services_host->context) - start_ns;
    if (st != RIDE_OK) {
        queue->stats.failed++;
        return st;
    }
    *out = ++queue->last;
    queue->stats.submitted++;
    queue->stats.completed++;
    queue->stats.rows += work->rows_count;
    return RIDE_OK;
}
static ride_status poll_ticket(ride_queue *queue, ride_ticket ticket) {
    RIDE_ASSERT(ticket >= 1 && ticket <= queue->last);
    return RIDE_OK;
}
static ride_status wait_ticket(ride_queue *queue, ride_ticket ticket, uint64_t timeout_ns) {
    (void)timeout_ns;
    return poll_ticket(queue, ticket);
}
static void queue_stats(const ride_queue *queue, ride_queue_stats *out) { *out = queue->stats; }

static const ride_backend_ops ops = {
    .abi = RIDE_BACKEND_ABI,
    .struct_bytes = sizeof(ride_backend_ops),
    .name = "reference",
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
    .state_save = ref_state_save,
    .state_restore = ref_state_restore,
    .state_stats = state_stats,
    .counts_create = counts_create,
    .counts_destroy = counts_destroy,
    .counts_take = counts_take,
    .submit = submit,
    .poll = poll_ticket,
    .wait = wait_ticket,
    .queue_stats = queue_stats,
    .rows_shape = ref_rows_shape,
    .rows_score = ref_rows_score,
};

const ride_backend_ops *ride_backend_reference(uint32_t abi, const ride_backend_services *services, ride_error *err) {
    if (abi != RIDE_BACKEND_ABI) {
        ride_fail(err, RIDE_E_VERSION, "the reference serves ABI %d, the host asks for %u", RIDE_BACKEND_ABI, abi);
        return NULL;
    }
    services_host = services;
    return &ops;
}
