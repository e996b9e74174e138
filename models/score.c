/* models/score.c: a model compiled to an image of its own, and one row at a time over it. */
#include "models/score.h"

#include "kernels/row/ensemble.h"
#include "models/compile.h"

#include <stdlib.h>
#include <string.h>

struct ride_model_scorer {
    uint8_t *image;
    ride_forest forest; /* header NULL: an ensemble. Both borrow the image */
    ride_ensemble_parts parts;
    ride_member_view *members;
    uint32_t outputs_count;
    double *row, *scratch;
    double margins[RIDE_FOREST_OUTPUTS_MAX], answers[RIDE_FOREST_OUTPUTS_MAX];
};

static ride_status open_ensemble(ride_model_scorer *scorer, const ride_bundle *bundle, ride_error *err) {
    ride_ensemble_view view;
    RIDE_TRY(ride_ensemble_open(bundle, &view, err));
    scorer->members = calloc(ride_ensemble_parts_count(&view), sizeof *scorer->members);
    if (scorer->members == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a scorer");
    ride_ensemble_parts_of(bundle, &view, scorer->members, &scorer->parts);
    scorer->scratch = calloc(ride_ensemble_row_scratch(&scorer->parts), sizeof *scorer->scratch);
    scorer->outputs_count = view.header->outputs_count;
    return scorer->scratch != NULL ? RIDE_OK : ride_fail(err, RIDE_E_MEMORY, "no memory for a row");
}

static ride_status open_image(ride_model_scorer *scorer, uint64_t bytes, ride_error *err) {
    ride_bundle bundle;
    RIDE_TRY(ride_bundle_open(scorer->image, bytes, &bundle, err));
    if (ride_bundle_has_ensemble(&bundle)) return open_ensemble(scorer, &bundle, err);
    RIDE_TRY(ride_forest_open(&bundle, 0, &scorer->forest, err));
    scorer->outputs_count = scorer->forest.header->outputs_count;
    scorer->row = calloc(scorer->forest.header->inputs_count + 1, sizeof *scorer->row);
    return scorer->row != NULL ? RIDE_OK : ride_fail(err, RIDE_E_MEMORY, "no memory for a row");
}

/* One of model and ensemble. */
static ride_status create(const ride_model *model, const ride_ensemble *ensemble, ride_model_scorer **out,
                          ride_diagnostics *findings) {
    ride_error err = {0};
    uint64_t bytes = 0;
    *out = NULL;
    ride_model_scorer *scorer = calloc(1, sizeof *scorer);
    if (scorer == NULL) return ride_diagnose(findings, RIDE_E_MEMORY, NULL, 0, 0, NULL, "no memory for a scorer");
    ride_status st = model != NULL ? ride_model_image(model, &scorer->image, &bytes, findings)
                                   : ride_ensemble_image(ensemble, &scorer->image, &bytes, findings);
    if (st != RIDE_OK) goto fail; /* told already */
    st = open_image(scorer, bytes, &err);
    if (st == RIDE_OK) {
        *out = scorer;
        return RIDE_OK;
    }
    ride_diagnose(findings, st, NULL, 0, 0, NULL, "%s", err.what);
fail:
    ride_model_scorer_destroy(scorer);
    return st;
}

ride_status ride_model_scorer_create(const ride_model *model, ride_model_scorer **out, ride_diagnostics *findings) {
    return create(model, NULL, out, findings);
}
ride_status ride_ensemble_scorer_create(const ride_ensemble *ensemble, ride_model_scorer **out,
                                        ride_diagnostics *findings) {
    return create(NULL, ensemble, out, findings);
}

void ride_model_scorer_destroy(ride_model_scorer *scorer) {
    if (scorer == NULL) return;
    ride_bundle_image_free(scorer->image);
    free(scorer->members);
    free(scorer->scratch);
    free(scorer->row);
    free(scorer);
}

const ride_forest *ride_model_scorer_forest(const ride_model_scorer *scorer) { return &scorer->forest; }

const double *ride_model_scorer_answers(const ride_model_scorer *scorer, uint32_t *count) {
    *count = scorer->scratch != NULL ? scorer->parts.view.header->answers_count : 0;
    return scorer->scratch;
}

void ride_model_score_row(ride_model_scorer *scorer, const double *x, bool raw, double *out) {
    if (scorer->scratch != NULL) {
        ride_ensemble_row(&scorer->parts, x, scorer->scratch, scorer->margins, scorer->answers);
        memcpy(out, raw ? scorer->margins : scorer->answers, scorer->outputs_count * sizeof *out);
        return;
    }
    const ride_forest_header *h = scorer->forest.header;
    for (uint32_t i = 0; i < h->inputs_count; i++) scorer->row[i] = ride_forest_input(x[i], h->input_number);
    ride_forest_row(&scorer->forest, scorer->row, 1, out);
    if (!raw) ride_link_row(out, h);
}
