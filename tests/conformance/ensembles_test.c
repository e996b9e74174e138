/* tests/conformance/ensembles_test.c: ensembles and networks: what a backend gives for rows of a matrix, and for a stream's rows, is as bytes what
 * kernels/row/ensemble.h gives for each row by itself, whatever the number of rows and how they are divided. */
#include "ensemble_case.h" /* before the type `outputs` */

#include "trial.h"

static void check_results(const ensemble_case *c, const char *what, uint32_t width, const double *got,
                          const double *want) {
    for (size_t i = 0; i < (size_t)c->rows_count * width; i++)
        CHECK(memcmp(&got[i], &want[i], sizeof *got) == 0, "combination %u: %s %zu of %u rows: %.17g, expected %.17g",
              c->ensemble->header.combine, what, i, c->rows_count, got[i], want[i]);
}

/* The rows in pieces, as doubles or as floats, row after row or column after column. */
static void score(const ride_backend_ops *ops, const ride_program_dev *program, const ensemble_case *c, rnd *r) {
    ride_error err = {0};
    ride_rows_shape shape;
    CHECK(ops->rows_shape(program, &shape, &err) == RIDE_OK, "%s", err.what);
    CHECK(shape.columns_count == c->inputs_count && shape.outputs_count == c->outputs_count &&
              shape.members_count == c->members_count,
          "another shape");
    const size_t results = (size_t)c->rows_count * c->outputs_count, cells = (size_t)c->rows_count * c->inputs_count;
    double *margins = calloc(results, sizeof *margins), *answers = calloc(results, sizeof *answers);
    double *turned = calloc(cells, sizeof *turned);
    double *members = calloc((size_t)c->rows_count * c->members_count, sizeof *members);
    const size_t scratch_bytes = (shape.scratch_bytes + 63) / 64 * 64;
    uint8_t *scratch = aligned_alloc(64, scratch_bytes + GUARD_BYTES);
    memset(scratch, POISON, shape.scratch_bytes);
    memset(scratch + shape.scratch_bytes, GUARD, scratch_bytes + GUARD_BYTES - shape.scratch_bytes);
    const int by_columns = rnd_one_in(r, 3), is_float = c->floats != NULL && !by_columns;
    for (size_t i = 0; i < cells; i++) turned[(i % c->inputs_count) * c->rows_count + i / c->inputs_count] = c->x[i];
    for (uint32_t first = 0, count; first < c->rows_count; first += count) {
        count = rnd_one_in(r, 2) ? c->rows_count - first : 1 + rnd_below(r, c->rows_count - first);
        const size_t at = (size_t)first * c->inputs_count;
        const ride_rows rows = {.values = by_columns ? (const void *)(turned + first)
                                          : is_float ? (const void *)(c->floats + at)
                                                     : c->x + at,
                                .type = is_float ? RIDE_TYPE_F32 : RIDE_TYPE_F64,
                                .out_type = RIDE_TYPE_F64,
                                .rows_count = count,
                                .row_stride = by_columns ? 1 : c->inputs_count,
                                .column_stride = by_columns ? c->rows_count : 1,
                                .margins = margins + (size_t)first * c->outputs_count,
                                .answers = answers + (size_t)first * c->outputs_count,
                                .members = members + (size_t)first * c->members_count};
        CHECK(ops->rows_score(program, &rows, scratch) == RIDE_OK, "rows %u to %u", first, first + count);
    }
    check_results(c, "margin", c->outputs_count, margins, c->margins);
    check_results(c, "answer", c->outputs_count, answers, c->answers);
    check_results(c, "member's answer", c->members_count, members, c->members);
    CHECK(all_bytes_are(scratch + shape.scratch_bytes, scratch_bytes + GUARD_BYTES - shape.scratch_bytes, GUARD),
          "written behind the scratch");
    free(scratch);
    free(turned);
    free(members);
    free(margins);
    free(answers);
}

/* The backend; a skip when it has no ensembles, or scores no rows of a matrix where that is wanted. */
static const ride_backend_ops *opened(const backend_use *use, int wants_rows) {
    ride_error err = {0};
    const ride_backend_ops *ops = use->backend->entry(RIDE_BACKEND_ABI, session_services, &err);
    CHECK(ops != NULL, "%s", err.what);
    if (strncmp(use->backend->name, "cuda", 4) == 0) check_skip("%s lacks ensembles", use->backend->name);
    if (wants_rows && ops->rows_score == NULL) check_skip("%s lacks scores of a matrix's rows", use->backend->name);
    return ops;
}

static void random_ensembles(const backend_use *use) {
    const ride_backend_ops *ops = opened(use, 1);
    uint64_t combined[RIDE_COMBINES] = {0}, rounds = 0, numbers = 0;
    for (uint64_t seed; check_rounds(backend_rounds(use, 600), &seed);) {
        rnd random = {seed + 77};
        ride_error err = {0};
        ride_device *device = NULL;
        ride_program_dev *program = NULL;
        ensemble_case *c = ensemble_case_make(seed);
        CHECK(ops->device_open(0, &device, &err) == RIDE_OK, "%s", err.what);
        CHECK(ops->program_upload(device, &c->bundle, &program, &err) == RIDE_OK, "%s", err.what);
        for (int i = 0; i < 2; i++) score(ops, program, c, &random);
        combined[c->ensemble->header.combine]++;
        rounds++;
        for (uint32_t i = 0; i < c->rows_count * c->outputs_count; i++) numbers += c->margins[i] == c->margins[i];
        ops->program_release(program);
        ops->device_close(device);
        ensemble_case_free(c);
    }
    for (uint32_t i = RIDE_COMBINE_ONE; i < RIDE_COMBINES && rounds >= 100; i++)
        CHECK(combined[i] > 0, "no ensemble of combination %u in %llu rounds", i, (unsigned long long)rounds);
    CHECK(rounds < 100 || numbers > 100 * rounds, "hardly any margin is a number");
}

/* In the stream: the same plan, rows and ensemble on this backend and on the reference. */
static void ensembles_in_a_stream(const backend_use *use) {
    (void)opened(use, 0);
    for (uint64_t seed; check_rounds(backend_rounds(use, 60), &seed);) {
        random_plan *plan = calloc(1, sizeof *plan);
        RIDE_ASSERT(plan != NULL);
        random_plan_make(seed, plan);
        random_model_make(seed, plan);
        rnd random = {seed}, *r = &random;
        if (plan->vector_count == 0) model_vector(r, plan);
        random_ensemble *ensemble = random_ensemble_make(seed, plan->vector_count, 1);
        plan->has_forest = 1; /* there are scores */
        plan->model_add = random_ensemble_add;
        plan->model_context = ensemble;
        ride_bundle bundle;
        uint8_t *image = NULL;
        random_plan_bundle(plan, &image, &bundle);
        const uint32_t rows_count = 700;
        random_row *rows = random_rows_make(plan, seed, rows_count);
        outputs expected, got;
        session s;
        session_open(&s, ride_backend_reference, plan, &bundle);
        session_run(&s, rows, rows_count, 256, 0, &expected);
        session_close(&s);
        session_open(&s, use->backend->entry, plan, &bundle);
        session_run(&s, rows, rows_count, 1 + rnd_below(r, 600), 0, &got);
        session_close(&s);
        compare(plan, rows, rows_count, &expected, &got, "of an ensemble");
        free(got.words);
        free(expected.words);
        free(rows);
        ride_bundle_image_free(image);
        random_ensemble_free(ensemble);
        free(plan);
    }
}

int main(int argc, char **argv) {
    backends_add("random_ensembles", BACKENDS_ALL, 1, 1, random_ensembles);
    backends_add("ensembles_in_a_stream", BACKENDS_ALL, 1, 1, ensembles_in_a_stream);
    return check_main(argc, argv);
}
