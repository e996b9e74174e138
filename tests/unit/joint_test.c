/* Members whose forests are computed as one have the bits of each by itself: members of one kind, of several outputs, between others of another kind. */
#include "backend/registry.h"
#include "base/clock.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/joint.h"
#include "models/rows.h"
#include "models/score.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 700, INPUTS_MAX = 64, OUTPUTS_MAX = 4 };

/* A copy of a model of XGBoost or LightGBM whose inputs have names of its own. */
static void rename_inputs(const char *from, const char *to, uint32_t number) {
    static const char *const lists[] = {"\"amount\",\"age\",\"gap\",\"kind\"", "amount age gap kind"};
    static char text[1 << 20];
    FILE *file = fopen(from, "r");
    cr_assert_not_null(file, "%s", from);
    const size_t bytes = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[bytes] = '\0';
    const char *list = strstr(text, lists[0]) != NULL ? lists[0] : lists[1];
    char *at = strstr(text, list);
    cr_assert(at != NULL && bytes + 1 < sizeof text, "%s", from);
    for (char *end = at + strlen(list); at < end; at++)
        if (*at == 'a' || *at == 'i') *at = (char)('A' + number);
    file = fopen(to, "w");
    cr_assert(file != NULL && fwrite(text, 1, bytes, file) == bytes && fclose(file) == 0);
}

/* A manifest of golden models, `names` ends with NULL. own: each reads inputs that the others do not. */
static ride_ensemble *manifest(const char *const *names, bool own) {
    const char *top = getenv("RIDE_SOURCE_DIR");
    char folder[] = "/tmp/ride-joint-XXXXXX", path[64], whole[4096], member[4300], copy[64];
    cr_assert(mkdtemp(folder) != NULL && realpath(top != NULL ? top : ".", whole) != NULL);
    snprintf(path, sizeof path, "%s/all.yaml", folder);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fprintf(file, "ensemble: 1\ncombine: mean\nmembers:\n");
    for (uint32_t i = 0; names[i] != NULL; i++) {
        snprintf(member, sizeof member, "%s/tests/golden/models/%s", whole, names[i]);
        snprintf(copy, sizeof copy, "%s/%u", folder, i);
        const bool has_names = strstr(names[i], "linear.json") == NULL;
        if (own && has_names) rename_inputs(member, copy, i);
        fprintf(file, "  - {name: m%u, model: %s, weight: %u%s}\n", i, own && has_names ? copy : member, i + 1,
                has_names ? "" : ", inputs: [p, q, r, s]");
    }
    fclose(file);
    ride_diagnostics findings;
    ride_ensemble *ensemble = NULL;
    ride_diagnostics_init(&findings);
    const ride_status st = ride_ensemble_load(path, NULL, &ensemble, &findings);
    unlink(path);
    for (uint32_t i = 0; own && names[i] != NULL; i++) {
        snprintf(copy, sizeof copy, "%s/%u", folder, i);
        unlink(copy);
    }
    rmdir(folder);
    cr_assert_eq(st, RIDE_OK, "%s", findings.count > 0 ? findings.items[0].message : "");
    return ensemble;
}

static void count_joint(void *context, const ride_part *part) {
    *(uint32_t *)context += strstr(part->why, "in one forest") != NULL;
}

static double value(uint64_t *state) {
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    const uint32_t kind = (uint32_t)(*state >> 40) % 16;
    if (kind == 0) return (double)NAN;
    if (kind == 1) return -0.0;
    return (double)(float)((double)(*state >> 11) / 9007199254740992.0 * 8.0 - 4.0);
}

/* Over calls of several sizes, as doubles and as floats; how many members are in a joint forest. */
static uint32_t check(const char *const *names, bool own, ride_cpu_isa isa) {
    static double x[ROWS * INPUTS_MAX], want[ROWS * OUTPUTS_MAX], got[ROWS * OUTPUTS_MAX];
    static float floats[ROWS * INPUTS_MAX];
    static ride_diagnostics findings;
    static ride_backend_services services;
    ride_ensemble *ensemble = manifest(names, own);
    ride_model_scorer *obvious = NULL;
    ride_model_rows *rows = NULL;
    ride_device *device = NULL;
    ride_error err = {0};
    uint64_t state = 88172645463325252u;
    ride_diagnostics_init(&findings);
    cr_assert_eq(ride_ensemble_scorer_create(ensemble, &obvious, &findings), RIDE_OK);
    ride_backend_services_init(&services, ride_clock_real());
    ride_cpu_isa_limit(isa);
    const ride_backend_ops *ops = ride_backend_cpu(RIDE_BACKEND_ABI, &services, &err);
    cr_assert_not_null(ops);
    cr_assert_eq(ops->device_open(0, &device, &err), RIDE_OK);
    cr_assert_eq(ride_model_rows_create(ensemble, ops, device, &rows, &findings), RIDE_OK);
    const ride_rows_shape *shape = ride_model_rows_shape(rows);
    const uint32_t inputs = shape->columns_count, outputs = shape->outputs_count;
    cr_assert(inputs <= INPUTS_MAX && outputs <= OUTPUTS_MAX);
    for (uint32_t i = 0; i < ROWS * inputs; i++) floats[i] = (float)(x[i] = value(&state));
    for (uint32_t r = 0; r < ROWS; r++)
        ride_model_score_row(obvious, x + (size_t)r * inputs, false, want + (size_t)r * outputs);
    void *scratch = ride_model_rows_scratch(rows);
    static const uint32_t sizes[] = {1, 2, 63, 64, 65, 127, 128, 511, 512, 513, ROWS};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int is_float = 0; is_float < 2; is_float++) {
            const ride_rows call = {.values = is_float ? (const void *)floats : x,
                                    .type = is_float ? RIDE_TYPE_F32 : RIDE_TYPE_F64,
                                    .out_type = RIDE_TYPE_F64,
                                    .rows_count = sizes[s],
                                    .row_stride = inputs,
                                    .column_stride = 1,
                                    .answers = got};
            memset(got, 0x5a, sizeof got);
            cr_assert_eq(ride_model_rows_score(rows, &call, scratch), RIDE_OK);
            cr_assert(memcmp(got, want, sizes[s] * outputs * sizeof *got) == 0, "%u rows of set %d", sizes[s],
                      (int)isa);
        }
    uint32_t joint = 0;
    ride_model_rows_tell(rows, count_joint, &joint);
    free(scratch);
    ride_model_rows_destroy(rows);
    ride_model_scorer_destroy(obvious);
    ride_ensemble_destroy(ensemble);
    ops->device_close(device);
    return joint;
}

Test(joint, members_of_one_kind_are_one_forest_with_the_bits_of_each) {
    static const char *const plain[] = {"xgboost-3.2.0-plain.json", "xgboost-3.0.5-plain.json",
                                        "xgboost-3.2.0-plain.json", NULL},
                             *const classes[] = {"xgboost-3.2.0-multi.json", "xgboost-3.0.5-multi.json", NULL},
                             *const mixed[] = {"xgboost-3.2.0-plain.json", "lightgbm-4.6.0-plain.txt",
                                               "xgboost-3.0.5-plain.json", "lightgbm-4.1.0-plain.txt", NULL};
    static const char *const many[] = {
        "../xgboost/linear.json",   "lightgbm-4.6.0-plain.txt", "lightgbm-4.6.0-plain.txt", "lightgbm-4.6.0-plain.txt",
        "lightgbm-4.6.0-plain.txt", "lightgbm-4.6.0-plain.txt", "lightgbm-4.6.0-plain.txt", "lightgbm-4.6.0-plain.txt",
        "lightgbm-4.6.0-plain.txt", "lightgbm-4.6.0-plain.txt", "lightgbm-4.6.0-plain.txt", "lightgbm-4.6.0-plain.txt",
        "lightgbm-4.6.0-plain.txt", "lightgbm-4.6.0-plain.txt", "lightgbm-4.6.0-plain.txt", NULL};
    ride_cpu_joint_always(true);
    const ride_cpu_isa best = ride_cpu_isa_best(); /* before any limit */
    for (ride_cpu_isa isa = RIDE_CPU_PORTABLE; isa <= best; isa++) {
        ride_cpu_isa_limit(best);
        if (!ride_cpu_isa_has(isa)) continue;
        const uint32_t of_plain = check(plain, false, isa), of_classes = check(classes, false, isa),
                       of_mixed = check(mixed, false, isa), of_own = check(plain, true, isa);
        const uint32_t of_many = check(many, true, isa);
        cr_assert_eq(of_plain, 3, "set %d", (int)isa);
        cr_assert_eq(of_classes, 2, "set %d", (int)isa);
        cr_assert_eq(of_mixed, 4, "set %d", (int)isa);
        cr_assert_eq(of_own, 3, "set %d", (int)isa);
        cr_assert_eq(of_many, 14, "set %d", (int)isa);
    }
}
