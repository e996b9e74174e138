/* Any bytes as an expression: findings or a program that passes the check and runs, the same by rows and by loops. */
#include "base/assert.h"
#include "tests/support/expr_bench.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ground *g;
    if (g == NULL) g = ground_create(42);
    const ride_expr_place place = {.file = "fuzz", .line = 1, .column = 1, .status = RIDE_E_SPEC};
    for (int want = RIDE_EXPR_WANT_BOOL; want <= RIDE_EXPR_WANT_NUMBER; want++) {
        ride_diagnostics findings;
        ride_expr_result result;
        ride_diagnostics_init(&findings);
        ride_expr_sections_free(&g->sections);
        ride_status st = ride_expr_compile((const char *)data, size, (ride_expr_want)want, &place, &ground_scope,
                                           &g->sections, &result, &findings);
        RIDE_ASSERT((st == RIDE_OK) == (findings.count == 0));
        ride_diagnostics_free(&findings);
        if (st != RIDE_OK) continue;
        const ride_program_bounds bounds = {.columns = g->columns,
                                            .columns_count = G_COLUMNS,
                                            .features_count = G_FEATURES,
                                            .code = g->sections.code,
                                            .code_count = g->sections.code_count,
                                            .constants = g->sections.constants,
                                            .constants_count = g->sections.constants_count};
        RIDE_ASSERT(ride_program_check(&g->sections.programs[0], &bounds, NULL) == RIDE_OK);
        double values[RIDE_TILE_ROWS];
        uint8_t bits[32];
        ground_run_tile(g, NULL, values, bits);
        for (uint32_t row = 0; row < g->rows_count; row++)
            RIDE_ASSERT(ride_bits_of_f64(ground_run_row(g, row)) == ride_bits_of_f64(values[row]));
    }
    return 0;
}
