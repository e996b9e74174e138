/* models/score.c: a model compiled to an image of its own, and one row at a time over it. */
#include "models/score.h"

#include "kernels/row/link.h"
#include "kernels/row/tree.h"
#include "models/compile.h"

#include <stdlib.h>

struct ride_model_scorer {
    uint8_t *image;
    ride_forest forest; /* borrows the image */
    double *row;
};

ride_status ride_model_scorer_create(const ride_model *model, ride_model_scorer **out, ride_diagnostics *findings) {
    ride_bundle bundle;
    ride_error err = {0};
    uint64_t bytes = 0;
    *out = NULL;
    ride_model_scorer *scorer = calloc(1, sizeof *scorer);
    if (scorer == NULL) return ride_diagnose(findings, RIDE_E_MEMORY, NULL, 0, 0, NULL, "no memory for a scorer");
    ride_status st = ride_model_image(model, &scorer->image, &bytes, findings);
    if (st != RIDE_OK) goto fail; /* told already */
    scorer->row = calloc(model->inputs_count + 1, sizeof *scorer->row);
    if (scorer->row == NULL) st = ride_fail(&err, RIDE_E_MEMORY, "no memory for a row");
    if (st == RIDE_OK) st = ride_bundle_open(scorer->image, bytes, &bundle, &err);
    if (st == RIDE_OK) st = ride_forest_open(&bundle, &scorer->forest, &err);
    if (st == RIDE_OK) {
        *out = scorer;
        return RIDE_OK;
    }
    ride_diagnose(findings, st, NULL, 0, 0, NULL, "%s", err.what);
fail:
    ride_model_scorer_destroy(scorer);
    return st;
}

void ride_model_scorer_destroy(ride_model_scorer *scorer) {
    if (scorer == NULL) return;
    ride_bundle_image_free(scorer->image);
    free(scorer->row);
    free(scorer);
}

const ride_forest *ride_model_scorer_forest(const ride_model_scorer *scorer) { return &scorer->forest; }

void ride_model_score_row(ride_model_scorer *scorer, const double *x, bool raw, double *out) {
    const ride_forest_header *h = scorer->forest.header;
    for (uint32_t i = 0; i < h->inputs_count; i++) scorer->row[i] = ride_forest_input(x[i], h->input_number);
    ride_forest_row(&scorer->forest, scorer->row, 1, out);
    if (!raw) ride_link_row(out, h);
}
