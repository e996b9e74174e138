/* Ensembles: manifests over six kinds of models against what numpy and scikit-learn make of them (tests/golden/ensembles), and what a manifest that is
 * wrong is told. */
#include "models/compile.h"
#include "models/info.h"
#include "models/score.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 64, INPUTS = 4, COLUMNS_MAX = 24 };

static const char *golden(const char *name) {
    static char path[512];
    const char *top = getenv("RIDE_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/golden/ensembles/%s", top != NULL ? top : ".", name);
    return path;
}

/* The table of expected.csv: inputs, then a column for each manifest. */
typedef struct table {
    char names[COLUMNS_MAX][32];
    double cells[ROWS_MAX][COLUMNS_MAX];
    uint32_t rows, columns;
} table;

static void read_table(table *t) {
    char line[2048];
    FILE *file = fopen(golden("expected.csv"), "r");
    cr_assert(file != NULL && fgets(line, sizeof line, file) != NULL);
    char *at = line;
    memset(t, 0, sizeof *t);
    for (char *cell; (cell = strsep(&at, ",\n")) != NULL && *cell != '\0';)
        snprintf(t->names[t->columns++], sizeof t->names[0], "%s", cell);
    for (; fgets(line, sizeof line, file) != NULL; t->rows++) {
        at = line;
        for (uint32_t c = 0; c < t->columns; c++) t->cells[t->rows][c] = strtod(strsep(&at, ",\n"), NULL);
    }
    fclose(file);
    cr_assert_eq(t->rows, 40);
}

static ride_ensemble *load(const char *name) {
    ride_diagnostics findings;
    ride_ensemble *ensemble = NULL;
    ride_diagnostics_init(&findings);
    cr_assert_eq(ride_ensemble_load(golden(name), NULL, &ensemble, &findings), RIDE_OK, "%s: %s", name,
                 findings.count > 0 ? findings.items[0].message : "");
    return ensemble;
}

static ride_model_scorer *scorer_of(const ride_ensemble *ensemble) {
    ride_diagnostics findings;
    ride_model_scorer *scorer = NULL;
    ride_diagnostics_init(&findings);
    cr_assert_eq(ride_ensemble_scorer_create(ensemble, &scorer, &findings), RIDE_OK, "%s",
                 findings.count > 0 ? findings.items[0].message : "");
    return scorer;
}

Test(ensemble, each_combination_is_what_numpy_and_scikit_learn_make_of_the_members) {
    static table t;
    read_table(&t);
    cr_assert_geq(t.columns, INPUTS + 10);
    for (uint32_t c = INPUTS; c < t.columns; c++) {
        char name[64];
        snprintf(name, sizeof name, "%s.yaml", t.names[c]);
        ride_ensemble *ensemble = load(name);
        ride_model_scorer *scorer = scorer_of(ensemble);
        /* Path lengths of an isolation forest are whole multiples of 2^-20; ranks stretch what that changes. */
        bool has_isolation = false;
        for (uint32_t m = 0; m < ensemble->members_count; m++)
            has_isolation |= strcmp(ensemble->members[m].name, "isolation") == 0;
        const double most = has_isolation ? 1e-7 : 4e-15;
        cr_assert_eq(ensemble->inputs_count, INPUTS);
        for (uint32_t r = 0; r < t.rows; r++) {
            double answer;
            ride_model_score_row(scorer, t.cells[r], false, &answer);
            cr_assert_leq(fabs(answer - t.cells[r][c]), most * fabs(t.cells[r][c]), "%s row %u: %.17g, expected %.17g",
                          name, r, answer, t.cells[r][c]);
        }
        ride_model_scorer_destroy(scorer);
        ride_ensemble_destroy(ensemble);
    }
}

Test(ensemble, members_answers_are_there_and_nan_where_one_was_not_asked) {
    static table t;
    read_table(&t);
    ride_ensemble *ensemble = load("cascade.yaml"), *alone = load("linear.json");
    ride_model_scorer *scorer = scorer_of(ensemble), *cheap = scorer_of(alone);
    uint32_t asked = 0;
    for (uint32_t r = 0; r < t.rows; r++) {
        double answer, first;
        uint32_t count;
        ride_model_score_row(scorer, t.cells[r], false, &answer);
        ride_model_score_row(cheap, t.cells[r], false, &first);
        const double *answers = ride_model_scorer_answers(scorer, &count);
        cr_assert_eq(count, 3);
        cr_assert_eq(answers[0], first);
        const bool is_asked = first >= 0.2 && first <= 0.7;
        asked += is_asked;
        cr_assert(isnan(answers[1]) == !is_asked && isnan(answers[2]) == !is_asked);
        cr_assert_eq(answer, is_asked ? (3.0 * answers[1] + answers[2]) / 4.0 : first);
    }
    cr_assert(asked > 0 && asked < t.rows);
    ride_model_scorer_destroy(scorer);
    ride_model_scorer_destroy(cheap);
    ride_ensemble_destroy(ensemble);
    ride_ensemble_destroy(alone);
}

Test(ensemble, inputs_meet_the_vector_by_name) {
    const ride_model_source good[] = {
        {.name = "kind"}, {.name = "x"}, {.name = "gap"}, {.name = "amount"}, {.name = "age"}};
    ride_ensemble *ensemble = load("segment.yaml");
    for (uint32_t count = 4; count <= 5; count++) {
        ride_bundle_builder *builder = NULL;
        ride_diagnostics findings;
        ride_error err;
        ride_diagnostics_init(&findings);
        cr_assert_eq(ride_bundle_builder_create(&builder, &err), RIDE_OK);
        const ride_status st = ride_ensemble_to_bundle(ensemble, good, count, builder, &findings);
        cr_assert_eq(st, count == 5 ? RIDE_OK : RIDE_E_MODEL);
        if (count == 4) {
            cr_assert_not_null(strstr(findings.items[0].message, "member `boost`"), "%s", findings.items[0].message);
            cr_assert_not_null(strstr(findings.items[0].message, "first `age`"));
            cr_assert_eq(findings.items[0].line, 5);
        }
        ride_bundle_builder_destroy(builder);
        ride_diagnostics_free(&findings);
    }
    ride_ensemble_destroy(ensemble);
}

Test(ensemble, info_tells_the_combination_and_each_member) {
    ride_ensemble *ensemble = load("calibrated.yaml");
    char *json = ride_ensemble_info(ensemble, RIDE_INFO_JSON), *text = ride_ensemble_info(ensemble, RIDE_INFO_TEXT);
    cr_assert(json != NULL && text != NULL);
    cr_assert_not_null(strstr(json, "{\"format\":\"ensemble\",\"combine\":\"mean\""));
    cr_assert_not_null(strstr(json, "{\"member\":\"linear\",\"weight\":[1],\"calibration\":\"platt\""));
    cr_assert_not_null(strstr(json, "{\"member\":\"boost\",\"weight\":[1],\"calibration\":\"isotonic\""));
    cr_assert_not_null(strstr(text, "scale 4, layer 4 to 1"));
    free(json);
    free(text);
    ride_ensemble_destroy(ensemble);
}

/* The findings of a manifest that lies beside the golden models: "LINE:COLUMN MESSAGE" of each, one a line. */
static ride_status findings_of(const char *text, char *out, size_t bytes) {
    static ride_diagnostics findings;
    ride_ensemble *ensemble = NULL;
    size_t at = 0;
    ride_diagnostics_init(&findings);
    const ride_status st = ride_ensemble_parse(golden("made.yaml"), text, strlen(text), NULL, &ensemble, &findings);
    cr_assert_eq(st == RIDE_OK, ensemble != NULL);
    cr_assert_eq(st == RIDE_OK, findings.count == 0);
    out[0] = '\0';
    for (uint32_t i = 0; i < findings.count && at < bytes; i++) {
        const ride_diagnostic *f = &findings.items[i];
        at += (size_t)snprintf(out + at, bytes - at, "%u:%u %s (%s)\n", f->line, f->column, f->message,
                               f->advice != NULL ? f->advice : "");
    }
    ride_ensemble_destroy(ensemble);
    ride_diagnostics_free(&findings);
    return st;
}

#define NAMED "inputs: [amount, age, gap, kind]\n"
#define HEAD  "ensemble: 1\n" NAMED

Test(ensemble, what_is_wrong_with_a_manifest_is_told_with_its_place) {
    static const char *const wrong[][2] = {
        {"ensemble: 2\nmembers: [{model: linear.json}]\n", "1:11 "},
        {"ensemble: 1\n", "no `members`"},
        {"ensemble: 1\nmembers: []\n", "2:10 0 members"},
        {"ensemble: 1\nmember: [{model: linear.json}]\n", "did you mean `members`"},
        {"ensemble: 1\nmembers: [{model: nowhere.json}]\n", "2:19 the member `nowhere` cannot be used"},
        {"ensemble: 1\nmembers: [{name: a}]\n", "2:11 member 1 has no `model`"},
        {"ensemble: 1\nmembers: [{model: mean.yaml}]\n", "2:19 the member `mean` cannot be used"},
        {HEAD "members: [{model: linear.json}, {model: net.json}]\n", "several members, and no `combine`"},
        {HEAD "combine: means\nmembers: [{model: linear.json}, {model: net.json}]\n", "3:10 `combine` must be mean"},
        {HEAD "combine: mean\nmembers: [{model: linear.json}, {model: linear.json}]\n",
         "4:33 member `linear`: the name is there twice"},
        {HEAD "combine: mean\nmembers: [{model: linear.json, weight: 0}, {model: net.json}]\n",
         "4:40 `weight` must be above 0"},
        {HEAD "combine: mean\nmembers: [{model: linear.json, weight: .nan}, {model: net.json}]\n", "4:40 "},
        {HEAD "combine: rank_mean\nmembers: [{model: linear.json, quantiles: [0, 1]}, {model: net.json}]\n",
         "member `net`: `rank_mean` needs to know"},
        {HEAD "combine: mean\nmembers: [{model: linear.json, quantiles: [0, 1]}, {model: net.json}]\n",
         "`quantiles` are of `rank_mean` only"},
        {HEAD "combine: rank_mean\nmembers: [{model: linear.json, quantiles: [1, 0]}, {model: net.json}]\n",
         "4:47 `quantiles`: 0 is below the number before it (sort them)"},
        {HEAD "combine: stack\nmembers: [{model: linear.json}, {model: net.json}]\n", "`stack` needs a `stacker`"},
        {HEAD "combine: mean\nstacker: {model: net.json}\nmembers: [{model: linear.json}]\n",
         "`stacker` is of `combine: stack` only"},
        {HEAD "combine: cascade\nmembers: [{model: linear.json}, {model: net.json}]\n", "(band: [0.1, 0.9])"},
        {HEAD "combine: cascade\nband: [0.9, 0.1]\nmembers: [{model: linear.json}, {model: net.json}]\n", "4:13 "},
        {HEAD "combine: cascade\nband: [0.1]\nmembers: [{model: linear.json}, {model: net.json}]\n",
         "`band` has 1 numbers"},
        {HEAD "combine: cascade\nband: [0.1, 0.2]\nmembers: [{model: linear.json}]\n", "a cascade of one member"},
        {HEAD "combine: segment\nmembers: [{model: linear.json}, {model: net.json}]\n", "no `segment`"},
        {HEAD "combine: segment\nsegment: {input: kind, values: {1: nett}, otherwise: linear}\n"
              "members: [{model: linear.json}, {model: net.json}]\n",
         "there is no member `nett` (did you mean `net`?)"},
        {HEAD "combine: segment\nsegment: {input: kind, values: {}, otherwise: linear}\n"
              "members: [{model: linear.json}, {model: net.json}]\n",
         "4:32 `values` is empty"},
        {"ensemble: 1\nmembers: [{model: linear.json, inputs: [a, b, c, b]}]\n", "2:50 `b` twice"},
        {"ensemble: 1\ncombine: mean\nmembers: [{model: linear.json}, {model: net.json, inputs: [a, b]}]\n",
         "2 names, and the model has 4 inputs"},
        {"ensemble: 1\ncombine: mean\nmembers: [{model: linear.json}, {model: net.json, inputs: [a, b, c, d]}]\n",
         "3:11 member `linear`: no names of inputs, and other members have such (name its inputs with `inputs`)"},
        {"ensemble: 1\ncombine: mean\nmembers: [{model: linear.json}, {model: stacker.json}]\n",
         "3 inputs without names, and `linear` has 4"},
        {HEAD "combine: mean\nmembers: [{model: linear.json, calibration: {platt: {a: 1}}}, {model: net.json}]\n",
         "`platt` lacks `b`"},
        {HEAD "combine: mean\nmembers: [{model: linear.json, calibration: {of: margin}}, {model: net.json}]\n",
         "`calibration` is one of"},
        {HEAD "combine: mean\nmembers: [{model: linear.json}, {model: net.json}]\n"
              "calibration: {isotonic: {x: [0, 1], y: [0]}}\n",
         "`y` has 1 numbers, `x` has 2"},
        {"ensemble: 1\nmembers: [{model: &a linear.json}]\n", "2:"},
        {"ensemble: [", "2:1 "},
    };
    char told[4096];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const ride_status st = findings_of(wrong[i][0], told, sizeof told);
        cr_assert(st == RIDE_E_MODEL || st == RIDE_E_NO_INPUT, "%zu: %d", i, (int)st);
        cr_assert_not_null(strstr(told, wrong[i][1]), "%s\nlacks %s: %s", wrong[i][0], wrong[i][1], told);
    }
    cr_assert_eq(findings_of("# a comment\n---\n" HEAD "members: [{model: linear.json}]\n", told, sizeof told), RIDE_OK,
                 "%s", told);
}

/* Members without names, and the same number of inputs: by place. */
Test(ensemble, without_names_members_meet_by_place) {
    char told[1024];
    cr_assert_eq(findings_of("ensemble: 1\ncombine: mean\nmembers: [{model: linear.json}, {model: net.json}]\n", told,
                             sizeof told),
                 RIDE_OK, "%s", told);
}

/* Then the vector has no names to find the stacker's among: they are members, or they are lacking. */
Test(ensemble, a_stacker_with_names_finds_members_that_have_none) {
#define NAMELESS(names)                                                                                                \
    "ensemble: 1\ncombine: stack\nmembers: [{model: linear.json}, {model: net.json}, {model: deep.json}]\n"            \
    "stacker: {model: stacker.json, inputs: " names "}\n"
    static const char *const texts[] = {NAMELESS("[net, deep, linear]"), NAMELESS("[net, amount, linear]")};
    for (int i = 0; i < 2; i++) {
        ride_diagnostics findings;
        ride_ensemble *ensemble = NULL;
        ride_model_scorer *scorer = NULL;
        ride_diagnostics_init(&findings);
        cr_assert_eq(ride_ensemble_parse(golden("made.yaml"), texts[i], strlen(texts[i]), NULL, &ensemble, &findings),
                     RIDE_OK, "%s", findings.count > 0 ? findings.items[0].message : "");
        const ride_status st = ride_ensemble_scorer_create(ensemble, &scorer, &findings);
        if (i == 1) {
            cr_assert_eq(st, RIDE_E_MODEL);
            cr_assert_not_null(strstr(findings.items[0].message, "first `amount`"), "%s", findings.items[0].message);
        } else {
            const double row[INPUTS] = {0.5, -1.0, 2.0, 1.0},
                         weights[3] = {1.8696972412453088, 3.7703965815129803, 1.849043140360889};
            uint32_t count;
            double answer;
            cr_assert_eq(st, RIDE_OK);
            ride_model_score_row(scorer, row, false, &answer);
            const double *of = ride_model_scorer_answers(scorer, &count);
            cr_assert_geq(count, 3); /* linear, net, deep */
            const double sum = -3.7096528138758917 + weights[0] * of[1] + weights[1] * of[2] + weights[2] * of[0];
            cr_assert_leq(fabs(answer - 1.0 / (1.0 + exp(-sum))), 4e-15, "%.17g", answer);
        }
        ride_model_scorer_destroy(scorer);
        ride_ensemble_destroy(ensemble);
        ride_diagnostics_free(&findings);
    }
}

Test(ensemble, a_model_is_an_ensemble_of_one_with_its_hash) {
    ride_ensemble *ensemble = load("boost.json");
    cr_assert(!ensemble->is_manifest && ensemble->combine == RIDE_COMBINE_ONE && ensemble->members_count == 1);
    cr_assert_arr_eq(ensemble->hash, ensemble->members[0].model->hash, 32);
    ride_ensemble_destroy(ensemble);
    ride_ensemble *one = load("mean.yaml"), *other = load("vote.yaml");
    cr_assert_neq(memcmp(one->hash, other->hash, 32), 0);
    ride_ensemble_destroy(one);
    ride_ensemble_destroy(other);
}

/* A name that only begins like a member's is an input of the ensemble, not an answer. */
Test(ensemble, a_stackers_input_is_an_answer_by_its_whole_name) {
    static const char text[] = HEAD "combine: stack\nmembers: [{model: linear.json}, {model: net.json}]\n"
                                    "stacker: {model: stacker.json, inputs: [linear, net.0, net.amount]}\n";
    ride_diagnostics findings;
    ride_ensemble *ensemble = NULL;
    ride_diagnostics_init(&findings);
    cr_assert_eq(ride_ensemble_parse(golden("made.yaml"), text, strlen(text), NULL, &ensemble, &findings), RIDE_OK);
    cr_assert_eq(ensemble->inputs_count, INPUTS + 1);
    cr_assert_str_eq(ensemble->inputs[INPUTS].name, "net.amount");
    ride_model_scorer *scorer = scorer_of(ensemble);
    double none[INPUTS + 1] = {0}, one[INPUTS + 1] = {[INPUTS] = 1}, out[2];
    ride_model_score_row(scorer, none, false, &out[0]);
    ride_model_score_row(scorer, one, false, &out[1]);
    cr_assert_gt(out[1], out[0]);
    ride_model_scorer_destroy(scorer);
    ride_ensemble_destroy(ensemble);
}

/* Duplicates are told of however many names there are. */
Test(ensemble, a_name_twice_among_thousands_is_told) {
    enum { COLUMNS = 5000 };
    char path[] = "/tmp/ride_names_XXXXXX", *text = malloc(COLUMNS * 16 + 256), told[1024];
    FILE *file = fdopen(mkstemp(path), "w");
    cr_assert(file != NULL && text != NULL);
    fprintf(
        file,
        "{\"format\":\"ride-sklearn\",\"version\":1,\"features\":%d,\"names\":null,\"kind\":\"network\",\"outputs\":1,"
        "\"steps\":[{\"kind\":\"select\",\"columns\":[0]}]}",
        COLUMNS);
    fclose(file);
    for (int twice = 0; twice < 2; twice++) {
        int at = sprintf(text, "ensemble: 1\nmembers:\n  - model: %s\n    inputs:\n", path);
        for (int i = 0; i < COLUMNS; i++) at += sprintf(text + at, "    - c%d\n", twice && i == COLUMNS - 1 ? 7 : i);
        const ride_status st = findings_of(text, told, sizeof told);
        cr_assert_eq(st, twice ? RIDE_E_MODEL : RIDE_OK, "%s", told);
        cr_assert(!twice || strstr(told, "5004:7 `c7` twice") != NULL, "%s", told);
    }
    remove(path);
    free(text);
}

/* The limit is of all members' files together, and the first may take all of it. */
Test(ensemble, members_files_share_the_limit) {
    static const char text[] =
        HEAD "combine: mean\nmembers: [{name: a, model: net.json}, {name: b, model: net.json}]\n";
    for (uint64_t files = 1; files <= 2; files++) {
        ride_ensemble *ensemble = load("net.json");
        const ride_model_options options = {.bytes_max = files * ensemble->members[0].model->file_bytes};
        ride_ensemble_destroy(ensemble);
        static ride_diagnostics findings;
        ride_diagnostics_init(&findings);
        const ride_status st =
            ride_ensemble_parse(golden("made.yaml"), text, strlen(text), &options, &ensemble, &findings);
        cr_assert_eq(st, files == 2 ? RIDE_OK : RIDE_E_MODEL);
        if (st == RIDE_OK) ride_ensemble_destroy(ensemble);
        ride_diagnostics_free(&findings);
    }
}
