// Micro-benchmarks of host/base: what the path does per value. Peers beside ours where libc has one.
#include "base/histogram.h"
#include "base/number.h"

#include <benchmark/benchmark.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr size_t VALUES = 4096;

/* Amounts as payments have them: two decimals, 1 to 2000. */
const std::vector<double> &amounts() {
    static const std::vector<double> values = [] {
        std::mt19937_64 source(1);
        std::vector<double> v(VALUES);
        for (double &x : v) x = (double)(source() % 200000 + 100) / 100;
        return v;
    }();
    return values;
}

const std::vector<std::string> &amount_texts() {
    static const std::vector<std::string> texts = [] {
        std::vector<std::string> v;
        for (double x : amounts()) {
            char text[RIDE_NUMBER_BYTES];
            v.emplace_back(text, ride_double_to_text(x, text));
        }
        return v;
    }();
    return texts;
}

/* Same amounts divided by 3: all seventeen digits matter, as in an average. */
std::vector<double> averages() {
    std::vector<double> v = amounts();
    for (double &x : v) x /= 3;
    return v;
}

void histogram_record(benchmark::State &state) {
    static ride_histogram histogram;
    ride_histogram_init(&histogram);
    std::mt19937_64 source(2);
    std::vector<uint64_t> values(VALUES);
    for (uint64_t &v : values) v = source() % 1000000;
    size_t i = 0;
    for (auto _ : state) ride_histogram_record(&histogram, values[i++ % VALUES]);
    benchmark::DoNotOptimize(histogram.count);
}
BENCHMARK(histogram_record);

void double_to_text(benchmark::State &state) {
    const std::vector<double> values = averages();
    char text[RIDE_NUMBER_BYTES];
    size_t i = 0;
    for (auto _ : state) benchmark::DoNotOptimize(ride_double_to_text(values[i++ % VALUES], text));
}
BENCHMARK(double_to_text);

void double_to_text_snprintf(benchmark::State &state) {
    const std::vector<double> values = averages();
    char text[RIDE_NUMBER_BYTES];
    size_t i = 0;
    for (auto _ : state) benchmark::DoNotOptimize(std::snprintf(text, sizeof text, "%.17g", values[i++ % VALUES]));
}
BENCHMARK(double_to_text_snprintf);

void text_to_double(benchmark::State &state) {
    const std::vector<std::string> &texts = amount_texts();
    double value = 0;
    size_t i = 0;
    for (auto _ : state) {
        const std::string &text = texts[i++ % VALUES];
        benchmark::DoNotOptimize(ride_text_to_double(text.data(), text.size(), &value));
    }
}
BENCHMARK(text_to_double);

void text_to_double_strtod(benchmark::State &state) {
    const std::vector<std::string> &texts = amount_texts();
    size_t i = 0;
    for (auto _ : state) benchmark::DoNotOptimize(std::strtod(texts[i++ % VALUES].c_str(), nullptr));
}
BENCHMARK(text_to_double_strtod);

} // namespace

BENCHMARK_MAIN();
