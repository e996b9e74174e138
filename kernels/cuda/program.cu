/* kernels/cuda/program.cu: a bundle on a device: one allocation with the view that kernels get, the tile layouts, the entities and
 * the image itself, its pointers made the device's. */
#include "kernels/cuda/host.h"

#include <stdlib.h>
#include <string.h>

ride_status ride_cuda_program_supports(const ride_bundle *bundle, ride_error *err) {
    if (bundle->plan == NULL) return ride_fail(err, RIDE_E_UNSUPPORTED, "the bundle has no feature plan");
    if (bundle->plan->entities_count > RIDE_CUDA_ENTITIES_MAX)
        return ride_fail(err, RIDE_E_UNSUPPORTED, "%u entities (at most %d)", bundle->plan->entities_count,
                         RIDE_CUDA_ENTITIES_MAX);
    if (ride_bundle_has_ensemble(bundle)) {
        ride_fail(err, RIDE_E_UNSUPPORTED, "ensembles and networks: only the cpu backend has them");
        ride_error_advice(err, "backend.name: cpu");
        return RIDE_E_UNSUPPORTED;
    }
    RIDE_TRY(ride_programs_check(bundle, err));
    for (uint32_t e = 0; e < bundle->plan->entities_count; e++) {
        ride_cuda_entity entity;
        RIDE_TRY(ride_cuda_entity_make(bundle, e, bundle->image, &entity, err));
    }
    return RIDE_OK;
}

/* Where things lie in the allocation. */
typedef struct placement {
    uint64_t in, out, entities, image, bytes;
} placement;

static uint64_t aligned(uint64_t bytes) { return (bytes + 255) / 256 * 256; }

static placement placement_of(const ride_bundle *bundle) {
    placement at;
    at.in = aligned(sizeof(ride_cuda_program));
    at.out = at.in + aligned(sizeof(ride_tile_layout));
    at.entities = at.out + aligned(sizeof(ride_tile_layout));
    at.image = at.entities + aligned(bundle->plan->entities_count * sizeof(ride_cuda_entity));
    at.bytes = at.image + aligned(bundle->image_bytes);
    return at;
}

/* A pointer into the image, as the device has it. */
template <typename T> static const T *on_device(const ride_bundle *bundle, const uint8_t *image, const T *host) {
    return host != NULL ? (const T *)(image + ((const uint8_t *)host - bundle->image)) : NULL;
}

static ride_status view_make(const ride_program_dev *program, const placement *at, ride_cuda_program *view,
                             ride_error *err) {
    const ride_bundle *b = &program->bundle;
    const uint8_t *image = program->memory + at->image;
    memset(view, 0, sizeof *view);
#define ON(section, type) on_device(b, image, ride_bundle_array(b, section, type))
    view->plan = on_device(b, image, b->plan);
    view->columns = ON(RIDE_SECTION_COLUMNS, ride_plan_column);
    view->conditions = ON(RIDE_SECTION_CONDITIONS, ride_plan_condition);
    view->expressions = ON(RIDE_SECTION_EXPRESSIONS, ride_plan_expression);
    view->vector = ON(RIDE_SECTION_VECTOR, ride_plan_vector);
    view->zone = ON(RIDE_SECTION_ZONE, ride_plan_zone);
    view->rules = ON(RIDE_SECTION_RULES, ride_plan_rule);
    view->programs = ON(RIDE_SECTION_PROGRAMS, ride_program);
    view->code = ON(RIDE_SECTION_PROGRAM_CODE, ride_instruction);
    view->constants = ON(RIDE_SECTION_PROGRAM_CONSTANTS, ride_constant);
#undef ON
    view->in = (const ride_tile_layout *)(program->memory + at->in);
    view->out = (const ride_tile_layout *)(program->memory + at->out);
    view->entities = (const ride_cuda_entity *)(program->memory + at->entities);
    if (ride_bundle_has_forest(b)) {
        ride_forest f;
        RIDE_TRY(ride_forest_open(b, 0, &f, err));
        view->forest = {on_device(b, image, f.header),         on_device(b, image, f.base_margins),
                        on_device(b, image, f.trees),          on_device(b, image, f.nodes),
                        on_device(b, image, f.category_words), on_device(b, image, f.inputs),
                        on_device(b, image, f.covers),         on_device(b, image, f.lines),
                        on_device(b, image, f.terms)};
    }
    if (ride_bundle_has_profile(b)) {
        ride_profile p;
        RIDE_TRY(ride_profile_open(b, &p, err));
        view->profile = {on_device(b, image, p.header), on_device(b, image, p.columns), on_device(b, image, p.edges),
                         on_device(b, image, p.coarse), on_device(b, image, p.counts)};
    }
    return RIDE_OK;
}

static ride_status memory_fill(ride_program_dev *program, const placement *at, ride_error *err) {
    ride_status st = RIDE_OK;
    const ride_bundle *b = &program->bundle;
    uint8_t *staging = (uint8_t *)calloc(1, at->bytes);
    if (staging == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a program");
    ride_cuda_entity *entities = (ride_cuda_entity *)(staging + at->entities);
    for (uint32_t e = 0; e < b->plan->entities_count && st == RIDE_OK; e++) {
        st = ride_cuda_entity_make(b, e, program->memory + at->image, &entities[e], err);
        if (st == RIDE_OK) st = ride_cuda_entity_make(b, e, b->image, &program->entities[e], err);
        program->any_peers = program->any_peers || entities[e].any_peers != 0;
    }
    if (st == RIDE_OK) st = view_make(program, at, (ride_cuda_program *)staging, err);
    memcpy(staging + at->in, &program->in, sizeof program->in);
    memcpy(staging + at->out, &program->out, sizeof program->out);
    memcpy(staging + at->image, b->image, b->image_bytes);
    if (st == RIDE_OK)
        st = ride_cuda_put(program->device, program->memory, staging, at->bytes,
                           "a program could not be copied to the GPU", err);
    free(staging);
    return st;
}

void ride_cuda_program_release(ride_program_dev *program) {
    if (program == NULL) return;
    ride_cuda_free(program->device, program->memory);
    free(program->entities);
    free(program->image);
    free(program);
}

static ride_status host_copy(ride_program_dev *program, const ride_bundle *bundle, ride_error *err) {
    const uint64_t bytes = (bundle->image_bytes + RIDE_BUNDLE_ALIGN - 1) / RIDE_BUNDLE_ALIGN * RIDE_BUNDLE_ALIGN;
    program->image = (uint8_t *)aligned_alloc(RIDE_BUNDLE_ALIGN, bytes);
    program->entities = (ride_cuda_entity *)calloc(bundle->plan->entities_count + 1, sizeof *program->entities);
    if (program->image == NULL || program->entities == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory for a bundle of %llu bytes", (unsigned long long)bytes);
    memcpy(program->image, bundle->image, bundle->image_bytes);
    RIDE_TRY(ride_bundle_open(program->image, bundle->image_bytes, &program->bundle, err));
    const ride_bundle *b = &program->bundle;
    ride_plan_layout_in(b, &program->in);
    ride_plan_layout_out(b, &program->out);
    if (ride_bundle_has_forest(b)) {
        const ride_forest_header *forest = ride_bundle_array(b, RIDE_SECTION_FOREST, ride_forest_header);
        program->inputs_count = forest->inputs_count;
        program->outputs_count = forest->outputs_count;
    }
    if (ride_bundle_has_profile(b)) {
        const ride_profile_header *profile = ride_bundle_array(b, RIDE_SECTION_PROFILE, ride_profile_header);
        program->profile_columns = profile->columns_count;
        program->cells_count = profile->cells_count;
    }
    return RIDE_OK;
}

ride_status ride_cuda_program_upload(ride_device *device, const ride_bundle *bundle, ride_program_dev **out,
                                     ride_error *err) {
    RIDE_TRY(ride_cuda_program_supports(bundle, err));
    RIDE_TRY(ride_cuda_use(device, err));
    ride_program_dev *program = (ride_program_dev *)calloc(1, sizeof *program);
    if (program == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a program");
    static std::atomic<uint64_t> programs_made;
    program->number = ++programs_made;
    program->device = device;
    const placement at = placement_of(bundle);
    ride_status st = host_copy(program, bundle, err);
    if (st == RIDE_OK)
        st =
            ride_cuda_told(device, cudaMalloc((void **)&program->memory, at.bytes), "no GPU memory for a program", err);
    if (st == RIDE_OK) st = memory_fill(program, &at, err);
    if (st != RIDE_OK) {
        ride_cuda_program_release(program);
        return st;
    }
    program->view = (const ride_cuda_program *)program->memory;
    *out = program;
    return RIDE_OK;
}
