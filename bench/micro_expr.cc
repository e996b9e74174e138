// Micro-benchmarks of expressions: one tile of 256 rows per run, time per row. Compile and check are outside the loop.
extern "C" {
#include "features/expr.h"
#include "kernels/cpu/program.h"
#include "kernels/row/expr.h"
}

#include <benchmark/benchmark.h>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>

namespace {

struct Ground {
    ride_tile_layout in{}, out{};
    uint8_t *in_tile, *out_tile;
    ride_plan_header plan{};
    ride_bundle bundle{};
    ride_expr_sections sections{};
    void *memory = nullptr;
    ride_cpu_program_scratch *scratch = nullptr;

    explicit Ground(const char *text) {
        const ride_type types[] = {RIDE_TYPE_TIMESTAMP, RIDE_TYPE_DECIMAL, RIDE_TYPE_F64, RIDE_TYPE_KEY128};
        ride_tile_layout_begin(&in);
        for (ride_type type : types) ride_tile_layout_add(&in, type, type == RIDE_TYPE_F64);
        ride_tile_layout_finish(&in);
        ride_tile_layout_begin(&out);
        ride_tile_layout_add(&out, RIDE_TYPE_F64, 0);
        ride_tile_layout_finish(&out);
        in_tile = static_cast<uint8_t *>(std::aligned_alloc(128, in.tile_bytes));
        out_tile = static_cast<uint8_t *>(std::aligned_alloc(128, out.tile_bytes));
        std::memset(in_tile, 0xff, in.tile_bytes);
        std::mt19937_64 random(1);
        for (uint32_t r = 0; r < RIDE_TILE_ROWS; r++) {
            reinterpret_cast<int64_t *>(in_tile + in.columns[0].values_offset)[r] =
                (int64_t)(random() % 1800000000000000);
            reinterpret_cast<int64_t *>(in_tile + in.columns[1].values_offset)[r] = (int64_t)(random() % 50000 + 1);
            reinterpret_cast<double *>(in_tile + in.columns[2].values_offset)[r] = (double)(random() % 1000) / 16;
            reinterpret_cast<double *>(out_tile + out.columns[0].values_offset)[r] = (double)(random() % 1000) / 10;
        }
        ride_expr_symbol symbols[3] = {};
        symbols[0].name = "amount", symbols[0].kind = RIDE_EXPR_FIELD, symbols[0].index = 1;
        symbols[0].type = RIDE_TYPE_DECIMAL, symbols[0].scale = 2;
        symbols[1].name = "std", symbols[1].kind = RIDE_EXPR_FIELD, symbols[1].index = 2,
        symbols[1].type = RIDE_TYPE_F64;
        symbols[2].name = "mean", symbols[2].kind = RIDE_EXPR_FEATURE, symbols[2].type = RIDE_TYPE_F64;
        ride_expr_scope scope = {};
        scope.symbols = symbols, scope.symbols_count = 3;
        const ride_expr_place place = {"bench", 1, 1, RIDE_E_SPEC};
        auto findings = std::make_unique<ride_diagnostics>();
        ride_diagnostics_init(findings.get());
        ride_expr_result result;
        if (ride_expr_compile(text, std::strlen(text), RIDE_EXPR_WANT_NUMBER, &place, &scope, &sections, &result,
                              findings.get()) != RIDE_OK)
            std::abort();
        bundle.plan = &plan;
        bundle.sections[RIDE_SECTION_PROGRAMS] = sections.programs;
        bundle.sections_bytes[RIDE_SECTION_PROGRAMS] = sizeof(ride_program);
        bundle.sections[RIDE_SECTION_PROGRAM_CODE] = sections.code;
        bundle.sections[RIDE_SECTION_PROGRAM_CONSTANTS] = sections.constants;
        memory = std::aligned_alloc(64, (ride_cpu_program_scratch_bytes(&bundle) + 63) / 64 * 64);
        scratch = ride_cpu_program_scratch_init(&bundle, memory);
    }
    ~Ground() {
        ride_expr_sections_free(&sections);
        std::free(memory), std::free(in_tile), std::free(out_tile);
    }
};

void columns(benchmark::State &state, const char *text) {
    Ground ground(text);
    alignas(64) double values[RIDE_TILE_ROWS];
    const ride_cpu_program_inputs inputs = {&ground.in, ground.in_tile, &ground.out, ground.out_tile, RIDE_TILE_ROWS};
    for (auto _ : state) {
        ride_cpu_program_number(ground.scratch, 0, &inputs, values);
        benchmark::DoNotOptimize(values);
    }
    state.SetItemsProcessed(state.iterations() * RIDE_TILE_ROWS);
}

// The row interpreter over the same rows: what column-wise evaluation saves.
void rows(benchmark::State &state, const char *text) {
    Ground ground(text);
    const ride_expr_row_inputs inputs = {
        ground.sections.code, ground.sections.constants, nullptr, 0, &ground.in, &ground.out, ground.in_tile,
        ground.out_tile};
    for (auto _ : state)
        for (uint32_t row = 0; row < RIDE_TILE_ROWS; row++)
            benchmark::DoNotOptimize(ride_expr_row(&ground.sections.programs[0], &inputs, row));
    state.SetItemsProcessed(state.iterations() * RIDE_TILE_ROWS);
}

#define EXPRESSION(name, text)                                                                                         \
    BENCHMARK_CAPTURE(columns, name, text);                                                                            \
    BENCHMARK_CAPTURE(rows, name, text)
EXPRESSION(weekend, "weekend(ts)");
EXPRESSION(night, "hour(ts) <= 6");
EXPRESSION(day_of_month, "day_of_month(ts)");
EXPRESSION(amount_over_100, "amount > 100");
EXPRESSION(z_score, "(amount - mean) / max(std, 1.0)");
EXPRESSION(logarithm, "log(amount)");
EXPRESSION(exponential, "exp(std)");
EXPRESSION(power, "pow(mean, 1.5)");

} // namespace

BENCHMARK_MAIN();
