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
    ride_bundle_builder *builder = NULL;
    ride_bundle bundle;
    ride_error err = {0};
    uint64_t bytes = 0;
    *out = NULL;
    ride_model_scorer *scorer = calloc(1, sizeof *scorer);
    if (scorer == NULL) return ride_diagnose(findings, RIDE_E_MEMORY, NULL, 0, 0, NULL, "no memory for a scorer");
    scorer->row = calloc(model->inputs_count + 1, sizeof *scorer->row);
    ride_status st = scorer->row != NULL ? ride_bundle_builder_create(&builder, &err)
                                         : ride_fail(&err, RIDE_E_MEMORY, "no memory for a row");
    if (st == RIDE_OK) {
        st = ride_model_to_bundle(model, NULL, 0, builder, findings);
        if (st != RIDE_OK) goto fail; /* told already */
        ride_bundle_builder_hashes(builder, NULL, model->hash);
        st = ride_bundle_builder_build(builder, &scorer->image, &bytes, &err);
    }
    if (st == RIDE_OK) st = ride_bundle_open(scorer->image, bytes, &bundle, &err);
    if (st == RIDE_OK) st = ride_forest_open(&bundle, &scorer->forest, &err);
    if (st == RIDE_OK) {
        ride_bundle_builder_destroy(builder);
        *out = scorer;
        return RIDE_OK;
    }
    ride_diagnose(findings, st, NULL, 0, 0, NULL, "%s", err.what);
fail:
    ride_bundle_builder_destroy(builder);
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
