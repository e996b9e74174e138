/* tests/conformance/explanations_test.c: explanations of random ensembles: a row's shares and its expected margin are its margin, and have the same bits
 * by any division of the rows, any layout of them, and any instruction set. */
#include "ensemble_case.h"

#include <math.h>

enum { BACKGROUND_ROWS = 20 };

typedef struct explained {
    const ride_backend_ops *ops;
    ride_device *device;
    ride_program_dev *program;
    ride_explainer *explainer;
    uint64_t scratch_bytes;
    ride_error err;
} explained;

/* explainer NULL: it is refused, as err says. */
static void explained_open(explained *e, ride_backend_entry_fn entry, const ensemble_case *c,
                           const ride_explainer_options *options) {
    memset(e, 0, sizeof *e);
    e->ops = entry(RIDE_BACKEND_ABI, session_services, &e->err);
    CHECK(e->ops != NULL, "%s", e->err.what);
    CHECK(e->ops->device_open(0, &e->device, &e->err) == RIDE_OK, "%s", e->err.what);
    CHECK(e->ops->program_upload(e->device, &c->bundle, &e->program, &e->err) == RIDE_OK, "%s", e->err.what);
    const ride_status st = e->ops->explainer_create(e->program, options, &e->explainer, &e->scratch_bytes, &e->err);
    CHECK((st == RIDE_OK) == (e->explainer != NULL), "status %d", st);
    CHECK(st == RIDE_OK || (st == RIDE_E_UNSUPPORTED && e->err.what[0] != 0), "status %d: %s", st, e->err.what);
}

static void explained_close(explained *e) {
    e->ops->explainer_destroy(e->explainer);
    e->ops->program_release(e->program);
    e->ops->device_close(e->device);
}

/* All rows, in pieces when random is there. */
static double *explain(const explained *e, const ensemble_case *c, rnd *r) {
    const size_t each = (size_t)c->outputs_count * (c->inputs_count + 1);
    double *phi = malloc(c->rows_count * each * sizeof *phi);
    const size_t scratch_bytes = (e->scratch_bytes + 63) / 64 * 64;
    uint8_t *scratch = aligned_alloc(64, scratch_bytes + GUARD_BYTES);
    RIDE_ASSERT(phi != NULL && scratch != NULL);
    memset(scratch, POISON, e->scratch_bytes);
    memset(scratch + e->scratch_bytes, GUARD, scratch_bytes + GUARD_BYTES - e->scratch_bytes);
    double *turned = calloc((size_t)c->rows_count * c->inputs_count, sizeof *turned);
    for (size_t i = 0; i < (size_t)c->rows_count * c->inputs_count; i++)
        turned[(i % c->inputs_count) * c->rows_count + i / c->inputs_count] = c->x[i];
    const int by_columns = r != NULL && rnd_one_in(r, 2), is_float = r != NULL && !by_columns && c->floats != NULL;
    for (uint32_t first = 0, count; first < c->rows_count; first += count) {
        count = r == NULL || rnd_one_in(r, 2) ? c->rows_count - first : 1 + rnd_below(r, c->rows_count - first);
        const size_t at = (size_t)first * c->inputs_count;
        const ride_rows rows = {.values = by_columns ? (const void *)(turned + first)
                                          : is_float ? (const void *)(c->floats + at)
                                                     : c->x + at,
                                .type = is_float ? RIDE_TYPE_F32 : RIDE_TYPE_F64,
                                .out_type = RIDE_TYPE_F64,
                                .rows_count = count,
                                .row_stride = by_columns ? 1 : c->inputs_count,
                                .column_stride = by_columns ? c->rows_count : 1,
                                .margins = phi + first * each};
        CHECK(e->ops->rows_explain(e->explainer, &rows, scratch) == RIDE_OK, "rows %u to %u", first, first + count);
    }
    CHECK(all_bytes_are(scratch + e->scratch_bytes, scratch_bytes + GUARD_BYTES - e->scratch_bytes, GUARD),
          "written behind the scratch");
    free(turned);
    free(scratch);
    return phi;
}

/* Returns how many margins were numbers. */
static uint64_t check_sums(const ensemble_case *c, const double *phi) {
    const uint32_t inputs = c->inputs_count;
    uint64_t numbers = 0;
    for (size_t k = 0; k < (size_t)c->rows_count * c->outputs_count; k++) {
        const double *row = phi + k * (inputs + 1);
        double sum = row[inputs], size = 1.0 + fabs(row[inputs]);
        if (!(fabs(c->margins[k]) < 1e30)) continue;
        for (uint32_t i = 0; i < inputs; i++) {
            sum += row[i];
            size += fabs(row[i]);
        }
        numbers++;
        CHECK(fabs(sum - c->margins[k]) <= 1e-6 * size,
              "combination %u, row %zu: shares of %.9g around %.9g add up to %.17g, not to %.17g",
              c->ensemble->header.combine, k, size, row[inputs], sum, c->margins[k]);
    }
    return numbers;
}

static void shares_are_the_margin(const backend_use *use) {
    ride_error err = {0};
    const ride_backend_ops *ops = use->backend->entry(RIDE_BACKEND_ABI, session_services, &err);
    CHECK(ops != NULL, "%s", err.what);
    if (ops->explainer_create == NULL) check_skip("%s lacks explanations", use->backend->name);
    uint64_t combined[RIDE_COMBINES] = {0}, rounds = 0, refused = 0, numbers = 0;
    for (uint64_t seed; check_rounds(backend_rounds(use, 400), &seed);) {
        rnd random = {seed + 99};
        ensemble_case *c = ensemble_case_make(seed);
        const uint32_t rows = c->rows_count < BACKGROUND_ROWS ? c->rows_count : BACKGROUND_ROWS;
        const ride_rows background = {.values = c->x,
                                      .type = RIDE_TYPE_F64,
                                      .rows_count = rows,
                                      .row_stride = c->inputs_count,
                                      .column_stride = 1};
        const ride_explainer_options options = {.struct_bytes = sizeof options,
                                                .bytes_max = rnd_one_in(&random, 4) ? 1 : 0,
                                                .background = &background};
        explained e, plain;
        explained_open(&e, use->backend->entry, c, &options);
        explained_open(&plain, cpu_portable, c, &options);
        CHECK((e.explainer == NULL) == (plain.explainer == NULL), "%s; portable: %s", e.err.what, plain.err.what);
        rounds++;
        refused += e.explainer == NULL;
        if (e.explainer != NULL) {
            const size_t bytes = (size_t)c->rows_count * c->outputs_count * (c->inputs_count + 1) * sizeof(double);
            double *phi = explain(&plain, c, NULL);
            numbers += check_sums(c, phi);
            for (int i = 0; i < 2; i++) {
                double *again = explain(&e, c, i == 0 ? NULL : &random);
                CHECK(memcmp(again, phi, bytes) == 0, "combination %u: other bits", c->ensemble->header.combine);
                free(again);
            }
            free(phi);
            combined[c->ensemble->header.combine]++;
        }
        explained_close(&plain);
        explained_close(&e);
        ensemble_case_free(c);
    }
    for (uint32_t i = RIDE_COMBINE_ONE; i < RIDE_COMBINES && rounds >= 300; i++)
        CHECK(combined[i] > 0 || i == RIDE_COMBINE_VOTE, "no ensemble of combination %u in %llu rounds", i,
              (unsigned long long)rounds);
    CHECK(combined[RIDE_COMBINE_VOTE] == 0, "a vote was explained");
    CHECK(rounds < 300 || (refused < rounds * 9 / 10 && numbers > 20 * rounds), "%llu of %llu refused, %llu margins",
          (unsigned long long)refused, (unsigned long long)rounds, (unsigned long long)numbers);
}

int main(int argc, char **argv) {
    backends_add("shares_are_the_margin", BACKENDS_ALL, 1, 1, shares_are_the_margin);
    return check_main(argc, argv);
}
