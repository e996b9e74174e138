/* support/model_bytes.h: model files as bytes in memory, for tests of what a loader takes and what it refuses. */
#ifndef RIDE_TESTS_MODEL_BYTES_H
#define RIDE_TESTS_MODEL_BYTES_H
#include "models/score.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Parses (a model, or several in one file), and compiles and scores a row when that went well; an exact-size copy, so that a sanitizer sees a read past the end. The first finding
 * goes to `why`, "" without any. */
static inline ride_status try_bytes(const char *data, size_t bytes, char why[256]) {
    ride_diagnostics findings;
    ride_ensemble *model = NULL;
    char *copy = malloc(bytes > 0 ? bytes : 1);
    cr_assert_not_null(copy);
    memcpy(copy, data, bytes);
    ride_diagnostics_init(&findings);
    const ride_status st = ride_ensemble_parse("m", copy, bytes, NULL, &model, &findings);
    cr_assert_eq(st == RIDE_OK, model != NULL);
    cr_assert_eq(st == RIDE_OK, findings.count == 0);
    snprintf(why, 256, "%s", findings.count > 0 ? findings.items[0].message : "");
    if (model != NULL) {
        ride_model_scorer *scorer = NULL;
        double row[256] = {0}, out[RIDE_FOREST_OUTPUTS_MAX];
        if (ride_ensemble_scorer_create(model, &scorer, &findings) == RIDE_OK && model->inputs_count <= 256)
            ride_model_score_row(scorer, row, false, out);
        ride_model_scorer_destroy(scorer);
    }
    ride_ensemble_destroy(model);
    ride_diagnostics_free(&findings);
    free(copy);
    return st;
}

/* The text with the first `what` behind the first `after` replaced; the caller frees it. */
static inline char *text_with(const char *text, const char *after, const char *what, const char *by) {
    const char *from = strstr(text, after), *at = from != NULL ? strstr(from, what) : NULL;
    cr_assert_not_null(at, "%s", what);
    char *out = malloc(strlen(text) + strlen(by) + 1);
    cr_assert_not_null(out);
    sprintf(out, "%.*s%s%s", (int)(at - text), text, by, at + strlen(what));
    return out;
}

/* So changed it is refused, and the first finding has `message` in it. */
static inline void refuse_after(const char *text, const char *after, const char *what, const char *by,
                                const char *message) {
    char why[256], *bad = text_with(text, after, what, by);
    cr_assert_eq(try_bytes(bad, strlen(bad), why), RIDE_E_MODEL, "%s → %s", what, by);
    cr_assert_not_null(strstr(why, message), "%s → %s: %s", what, by, why);
    free(bad);
}
static inline void refuse(const char *text, const char *what, const char *by, const char *message) {
    refuse_after(text, "", what, by, message);
}

#endif
