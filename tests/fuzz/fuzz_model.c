/* Any bytes as a model: parsed or refused with a finding; what parses compiles, passes the forest's own check and scores. */
#include "base/assert.h"
#include "models/score.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ride_diagnostics findings;
    ride_ensemble *model = NULL; /* a plain model is an ensemble of one */
    ride_diagnostics_init(&findings);
    ride_status st = ride_ensemble_parse("fuzz", data, size, NULL, &model, &findings);
    RIDE_ASSERT((st == RIDE_OK) == (model != NULL) && (st == RIDE_OK) == (findings.count == 0));
    if (model != NULL) {
        ride_model_scorer *scorer = NULL;
        st = ride_ensemble_scorer_create(model, &scorer, &findings);
        /* Refusals of the compiler (a weighted leaf that overflows, huge sets) are findings, never a failed check. */
        RIDE_ASSERT(st == RIDE_OK || st == RIDE_E_MODEL || st == RIDE_E_MEMORY);
        double *row = calloc(model->inputs_count + 1, sizeof *row), out[RIDE_FOREST_OUTPUTS_MAX];
        if (st == RIDE_OK && row != NULL) ride_model_score_row(scorer, row, false, out);
        free(row);
        ride_model_scorer_destroy(scorer);
    }
    ride_ensemble_destroy(model);
    ride_diagnostics_free(&findings);
    return 0;
}
