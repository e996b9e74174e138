/* models/rows.c: model → image → program. Nothing but the program stays. */
#include "models/rows.h"

#include "models/compile.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* What a load has freed goes back to the system: glibc would keep up to some tens of MB of it, of a medium model more than the model takes. */
static void trim(uint64_t image_bytes) {
#if defined(__GLIBC__)
    enum { WORTH_BYTES = 1 << 20 };
    if (image_bytes >= WORTH_BYTES) malloc_trim(0);
#else
    (void)image_bytes;
#endif
}

struct ride_model_rows {
    const ride_backend_ops *ops;
    ride_program_dev *program;
    ride_rows_shape shape;
    pthread_mutex_t lock; /* of what follows */
    ride_explainer *explainer;
    uint64_t explainer_bytes;
};

static ride_status open_program(ride_model_rows *scorer, ride_device *device, const uint8_t *image, uint64_t bytes,
                                ride_error *err) {
    ride_bundle bundle;
    if (scorer->ops->rows_score == NULL)
        return ride_fail(err, RIDE_E_UNSUPPORTED, "the backend %.40s scores no rows of a matrix", scorer->ops->name);
    RIDE_TRY(ride_bundle_open(image, bytes, &bundle, err));
    RIDE_TRY(scorer->ops->program_upload(device, &bundle, &scorer->program, err));
    return scorer->ops->rows_shape(scorer->program, &scorer->shape, err);
}

/* The image goes, whatever comes. */
static ride_status create(uint8_t *image, uint64_t bytes, const ride_backend_ops *ops, ride_device *device,
                          ride_model_rows **out, ride_diagnostics *findings) {
    ride_error err = {0};
    ride_model_rows *scorer = calloc(1, sizeof *scorer);
    if (scorer == NULL) {
        ride_bundle_image_free(image);
        return ride_diagnose(findings, RIDE_E_MEMORY, NULL, 0, 0, NULL, "no memory for a scorer");
    }
    scorer->ops = ops;
    pthread_mutex_init(&scorer->lock, NULL);
    const ride_status st = open_program(scorer, device, image, bytes, &err);
    if (st != RIDE_OK) ride_diagnose(findings, st, NULL, 0, 0, NULL, "%s", err.what);
    ride_bundle_image_free(image);
    trim(bytes);
    if (st == RIDE_OK) *out = scorer;
    else ride_model_rows_destroy(scorer);
    return st;
}

ride_status ride_model_rows_create(const ride_ensemble *model, const ride_backend_ops *ops, ride_device *device,
                                   ride_model_rows **out, ride_diagnostics *findings) {
    uint8_t *image = NULL;
    uint64_t bytes = 0;
    *out = NULL;
    RIDE_TRY(ride_ensemble_image(model, &image, &bytes, findings));
    return create(image, bytes, ops, device, out, findings);
}

ride_status ride_model_rows_create_last(ride_ensemble *model, const ride_backend_ops *ops, ride_device *device,
                                        ride_model_rows **out, ride_diagnostics *findings) {
    uint8_t *image = NULL;
    uint64_t bytes = 0;
    *out = NULL;
    RIDE_TRY(ride_ensemble_image(model, &image, &bytes, findings));
    ride_ensemble_drop_nodes(model);
    trim(bytes);
    return create(image, bytes, ops, device, out, findings);
}

void ride_model_rows_destroy(ride_model_rows *scorer) {
    if (scorer == NULL) return;
    ride_model_rows_explainer_destroy(scorer, scorer->explainer);
    if (scorer->program != NULL) scorer->ops->program_release(scorer->program);
    pthread_mutex_destroy(&scorer->lock);
    free(scorer);
}

const ride_rows_shape *ride_model_rows_shape(const ride_model_rows *scorer) { return &scorer->shape; }

void *ride_model_rows_scratch(const ride_model_rows *scorer) {
    const size_t bytes = (scorer->shape.scratch_bytes + 127) / 64 * 64;
    void *scratch = aligned_alloc(64, bytes);
    if (scratch != NULL) memset(scratch, 0, bytes); /* touched now, not while scoring */
    return scratch;
}

void ride_model_rows_tell(const ride_model_rows *scorer, ride_part_fn part, void *context) {
    if (scorer->ops->program_tell != NULL) scorer->ops->program_tell(scorer->program, part, context);
}

ride_status ride_model_rows_score(const ride_model_rows *scorer, const ride_rows *rows, void *scratch) {
    return scorer->ops->rows_score(scorer->program, rows, scratch);
}

ride_status ride_model_rows_explainer_create(const ride_model_rows *scorer, const ride_explainer_options *options,
                                             ride_explainer **out, uint64_t *scratch_bytes, ride_error *err) {
    *out = NULL;
    if (scorer->ops->explainer_create == NULL)
        return ride_fail(err, RIDE_E_UNSUPPORTED, "the backend %.40s explains nothing", scorer->ops->name);
    return scorer->ops->explainer_create(scorer->program, options, out, scratch_bytes, err);
}

void ride_model_rows_explainer_destroy(const ride_model_rows *scorer, ride_explainer *explainer) {
    if (explainer != NULL) scorer->ops->explainer_destroy(explainer);
}

ride_status ride_model_rows_explainer(ride_model_rows *scorer, const ride_explainer **out, uint64_t *scratch_bytes,
                                      ride_error *err) {
    ride_status st = RIDE_OK;
    pthread_mutex_lock(&scorer->lock);
    if (scorer->explainer == NULL)
        st = ride_model_rows_explainer_create(scorer, NULL, &scorer->explainer, &scorer->explainer_bytes, err);
    *out = scorer->explainer;
    *scratch_bytes = scorer->explainer_bytes;
    pthread_mutex_unlock(&scorer->lock);
    return st;
}

ride_status ride_model_rows_explain(const ride_model_rows *scorer, const ride_explainer *explainer,
                                    const ride_rows *rows, void *scratch) {
    return scorer->ops->rows_explain(explainer, rows, scratch);
}
