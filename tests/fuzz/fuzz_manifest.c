/* Any bytes as a manifest whose members lie beside it: `a` (a layer), `b` (a tree with names), `c` (two outputs). Read or refused with a finding; what is
 * read compiles, passes the layout's own check and scores. */
#include "base/assert.h"
#include "models/score.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/ride_fuzz_XXXXXX";

static void remove_models(void) {
    char path[64];
    for (const char *name = "abc"; *name != '\0'; name++) {
        snprintf(path, sizeof path, "%s/%c", folder, *name);
        unlink(path);
    }
    rmdir(folder);
}

static void write_models(void) {
#define HEAD                                                                                                           \
    "{\"format\":\"ride-sklearn\",\"version\":1,\"library\":\"scikit-learn 1.7.2\",\"features\":2,\"classes\":[\"0\"," \
    "\"1\"],\"estimator\":\"LogisticRegression\",\"kind\":\"network\","
    static const char *const texts[] = {
        HEAD
        "\"names\":null,\"outputs\":1,\"steps\":[{\"kind\":\"dense\",\"outputs\":1,\"weights\":[1,2],\"activation\":"
        "\"none\",\"bias\":[0]}],\"link\":\"logistic\",\"link_scale\":1}",
        HEAD "\"names\":[\"x\",\"y\"],\"outputs\":1,\"steps\":[{\"kind\":\"dense\",\"outputs\":1,\"weights\":[1,2],"
             "\"activation\":\"none\",\"bias\":[0]}],\"link\":\"logistic\",\"link_scale\":1}",
        HEAD "\"names\":[\"y\",\"z\"],\"outputs\":2,\"steps\":[{\"kind\":\"dense\",\"outputs\":2,\"weights\":[1,2,3,4],"
             "\"activation\":\"none\",\"bias\":[0,1]}],\"link\":\"softmax\",\"link_scale\":0}"};
    char path[64];
    RIDE_ASSERT(mkdtemp(folder) != NULL);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%c", folder, "abc"[i]);
        FILE *file = fopen(path, "w");
        RIDE_ASSERT(file != NULL && fputs(texts[i], file) >= 0 && fclose(file) == 0);
    }
    atexit(remove_models);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ride_diagnostics findings;
    static int is_written;
    char path[64];
    ride_ensemble *ensemble = NULL;
    if (!is_written++) write_models();
    snprintf(path, sizeof path, "%s/manifest.yaml", folder);
    char *text = malloc(size + 13); /* whatever it is, it is read as a manifest, and not as another format */
    RIDE_ASSERT(text != NULL);
    memcpy(text, "ensemble: 1\n", 12);
    memcpy(text + 12, data, size);
    ride_diagnostics_init(&findings);
    ride_status st = ride_ensemble_parse(path, text, size + 12, NULL, &ensemble, &findings);
    free(text);
    RIDE_ASSERT((st == RIDE_OK) == (ensemble != NULL) && (st == RIDE_OK) == (findings.count == 0));
    if (ensemble != NULL) {
        ride_model_scorer *scorer = NULL;
        st = ride_ensemble_scorer_create(ensemble, &scorer, &findings);
        RIDE_ASSERT(st == RIDE_OK || st == RIDE_E_MODEL || st == RIDE_E_MEMORY);
        double *row = calloc(ensemble->inputs_count + 1, sizeof *row), out[RIDE_FOREST_OUTPUTS_MAX];
        if (st == RIDE_OK && row != NULL) ride_model_score_row(scorer, row, false, out);
        free(row);
        ride_model_scorer_destroy(scorer);
    }
    ride_ensemble_destroy(ensemble);
    ride_diagnostics_free(&findings);
    return 0;
}
