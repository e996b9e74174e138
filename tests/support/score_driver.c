/* Margins or answers of a file, for tests/integration/test_xgboost.py while the program has no `score` verb:
 * score_driver MODEL INPUT OUTPUT raw|answer */
#include "engine/score_file.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    static ride_diagnostics findings;
    ride_ensemble *model = NULL;
    ride_error err;
    char text[512];
    if (argc != 5) return 64;
    ride_diagnostics_init(&findings);
    ride_status st = ride_ensemble_load(argv[1], NULL, &model, &findings);
    for (uint32_t i = 0; i < findings.count; i++) fprintf(stderr, "%s\n", findings.items[i].message);
    if (st == RIDE_OK) {
        st = ride_score_file(model, argv[2], argv[3], strcmp(argv[4], "raw") == 0, false, NULL, &err);
        if (st != RIDE_OK) fprintf(stderr, "%s\n", ride_error_text(&err, text, sizeof text));
    }
    ride_ensemble_destroy(model);
    ride_diagnostics_free(&findings);
    return ride_status_exit_code(st);
}
