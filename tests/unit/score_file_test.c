/* `ride score` over files: CSV by name and libsvm give the margins that XGBoost wrote; a bad row is named with its line. */
#include "engine/score_file.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ride_ensemble *load(const char *tag, char *csv, size_t csv_bytes) {
    char path[512];
    ride_diagnostics findings;
    ride_ensemble *model = NULL;
    const char *top = getenv("RIDE_SOURCE_DIR");
    ride_diagnostics_init(&findings);
    snprintf(path, sizeof path, "%s/tests/golden/models/xgboost-3.2.0-%s.json", top != NULL ? top : ".", tag);
    snprintf(csv, csv_bytes, "%s/tests/golden/models/xgboost-3.2.0-%s.csv", top != NULL ? top : ".", tag);
    cr_assert_eq(ride_ensemble_load(path, NULL, &model, &findings), RIDE_OK);
    return model;
}

static void temporary(char path[64]) {
    strcpy(path, "/tmp/ride_score_XXXXXX");
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    close(fd);
}

/* Compares the lines of `scored` with the columns from the fifth on of the golden CSV; both are %.9g. */
static void compare(const char *csv, const char *scored) {
    char want[512], got[512];
    FILE *a = fopen(csv, "r"), *b = fopen(scored, "r");
    cr_assert(a != NULL && b != NULL && fgets(want, sizeof want, a) != NULL);
    int rows = 0;
    while (fgets(want, sizeof want, a) != NULL) {
        char *margins = want;
        for (int i = 0; i < 4; i++) margins = strchr(margins, ',') + 1;
        cr_assert(fgets(got, sizeof got, b) != NULL);
        cr_assert_str_eq(got, margins, "row %d", rows);
        rows++;
    }
    cr_assert_null(fgets(got, sizeof got, b));
    cr_assert_eq(rows, 60);
    fclose(a);
    fclose(b);
}

/* The golden rows as libsvm: absent for missing. */
static void to_libsvm(const char *csv, const char *path) {
    char line[512];
    FILE *a = fopen(csv, "r"), *b = fopen(path, "w");
    cr_assert(a != NULL && b != NULL && fgets(line, sizeof line, a) != NULL);
    while (fgets(line, sizeof line, a) != NULL) {
        char *at = line;
        fputs("0", b);
        for (int i = 0; i < 4; i++) {
            char *cell = strsep(&at, ",");
            if (*cell != '\0') fprintf(b, " %d:%s", i, cell);
        }
        fputc('\n', b);
    }
    fclose(a);
    fclose(b);
}

Test(score_file, csv_and_libsvm_give_the_margins_of_xgboost) {
    static const char *const tags[] = {"plain", "dart", "multi"};
    for (int t = 0; t < 3; t++) {
        char csv[512], out[64], libsvm[64];
        ride_error err;
        uint64_t rows = 0;
        ride_ensemble *model = load(tags[t], csv, sizeof csv);
        temporary(out);
        temporary(libsvm);
        cr_assert_eq(ride_score_file(model, csv, out, true, false, &rows, &err), RIDE_OK);
        cr_assert_eq(rows, 60);
        compare(csv, out);
        to_libsvm(csv, libsvm);
        ride_ensemble_destroy(model);
        model = load(tags[t], csv, sizeof csv);
        cr_assert_eq(ride_score_file(model, libsvm, out, true, false, &rows, &err), RIDE_OK);
        compare(csv, out);
        unlink(out);
        unlink(libsvm);
        ride_ensemble_destroy(model);
    }
}

static void expect_bad(const char *text, const char *line, const char *what) {
    char csv[512], in[64], out[64];
    ride_error err;
    ride_ensemble *model = load("plain", csv, sizeof csv);
    temporary(in);
    temporary(out);
    FILE *file = fopen(in, "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
    cr_assert_eq(ride_score_file(model, in, out, true, false, NULL, &err), RIDE_E_DATA, "%s", text);
    cr_assert_not_null(strstr(err.where, line), "%s", err.where);
    cr_assert_not_null(strstr(err.what, what), "%s", err.what);
    unlink(in);
    unlink(out);
    ride_ensemble_destroy(model);
}

Test(score_file, a_bad_row_is_named_with_its_line) {
    expect_bad("", "", "empty");
    expect_bad("amount,age,gap\n1,2,3\n", ":1", "lacks");
    expect_bad("amount,age,gap,kind,age\n", ":1", "twice");
    expect_bad("amount,age,gap,kind\n1,2,3,4\n1,x,3,4\n", ":3", "number");
    expect_bad("amount,age,gap,kind\n1,2,3\n", ":2", "fewer");
    expect_bad("amount,age,gap,kind\n1,2,3,4,5\n", ":2", "more");
    expect_bad("0 1:2 4:1\n", ":1", "no input");
    expect_bad("0 1:2\n1 3\n", ":2", "index:value");
}
