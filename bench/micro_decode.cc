// Micro-benchmarks of io: handbook-like CSV to tiles (fast and portable), and tiles of an id and 14 features to CSV and binary.
extern "C" {
#include "io/decoder.h"
#include "io/encoder.h"
#include "kernels/layout/plan.h"
}

#include <benchmark/benchmark.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr uint32_t ROWS = 100000;

std::string make_csv() {
    std::mt19937 random(1);
    std::string text = "TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_TIME_SECONDS,TX_TIME_DAYS,TX_"
                       "FRAUD,TX_FRAUD_SCENARIO\n";
    char line[160];
    for (uint32_t i = 0; i < ROWS; i++) {
        uint32_t second = i * 9;
        int n = std::snprintf(line, sizeof line, "%u,2018-07-%02u %02u:%02u:%02u,%u,%u,%u.%02u,%u,%u,%u,%u\n",
                              1000000 + i, second / 86400 % 31 + 1, second / 3600 % 24, second / 60 % 60, second % 60,
                              unsigned(random() % 5000), unsigned(random() % 10000), unsigned(random() % 150),
                              unsigned(random() % 100), 7900000 + second, 91 + second / 86400,
                              unsigned(random() % 100 == 0), 0u);
        text.append(line, size_t(n));
    }
    return text;
}

struct Job {
    ride_source_spec spec = {};
    ride_tile_layout layout = {};
    ride_batch *batch = nullptr;
    Job() {
        ride_tile_layout_begin(&layout);
        ride_tile_layout_add(&layout, RIDE_TYPE_TIMESTAMP, 0);
        ride_tile_layout_add(&layout, RIDE_TYPE_TIMESTAMP, 0);
        ride_tile_layout_add(&layout, RIDE_TYPE_U32, 0);
        spec.format = RIDE_FORMAT_CSV;
        spec.time_unit = RIDE_UNIT_ISO8601;
        add("TRANSACTION_ID", RIDE_FIELD_U64, RIDE_TYPE_U64);
        add("CUSTOMER_ID", RIDE_FIELD_U32, RIDE_TYPE_I64);
        add("TERMINAL_ID", RIDE_FIELD_U32, RIDE_TYPE_I64);
        add("TX_AMOUNT", RIDE_FIELD_DECIMAL, RIDE_TYPE_DECIMAL);
        spec.fields[3].scale = 2;
        add("TX_FRAUD", RIDE_FIELD_BOOL, RIDE_TYPE_BOOL);
        add("TX_DATETIME", RIDE_FIELD_TIMESTAMP, RIDE_TYPE_TIMESTAMP);
        spec.field_time = 5;
        ride_tile_layout_finish(&layout);
        if (ride_batch_create(&layout, 4096, 0, &batch, nullptr) != RIDE_OK) std::abort();
    }
    void add(const char *name, uint32_t type, ride_type tile_type) {
        ride_field *field = &spec.fields[spec.fields_count++];
        std::snprintf(field->name, sizeof field->name, "%s", name);
        field->type = type;
        field->tile_type = tile_type;
        field->column = ride_tile_layout_add(&layout, tile_type, 0);
    }
};

void csv_to_tiles(benchmark::State &state, bool portable) {
    static const std::string text = make_csv();
    static Job *job = new Job;
    uint64_t rows = 0;
    for (auto _ : state) {
        ride_source *source = nullptr;
        ride_decoder *decoder = nullptr;
        ride_decoder_options options = {};
        options.spec = &job->spec;
        options.portable_only = portable;
        if (ride_source_open_memory("bench", text.data(), text.size(), 0, &source, nullptr) != RIDE_OK ||
            ride_decoder_open(&options, source, &decoder, nullptr) != RIDE_OK)
            std::abort();
        ride_status st = RIDE_OK;
        while (st == RIDE_OK) {
            ride_batch_clear(job->batch);
            st = ride_decoder_decode(decoder, job->batch, UINT32_MAX, INT64_MAX, nullptr, nullptr);
            rows += job->batch->rows_count;
        }
        ride_decoder_close(decoder);
        ride_source_close(source);
    }
    state.SetItemsProcessed(int64_t(rows));
    state.counters["ns_per_event"] =
        benchmark::Counter(double(rows) * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK_CAPTURE(csv_to_tiles, simd, false);
BENCHMARK_CAPTURE(csv_to_tiles, portable, true);

/* An id, two flags, and three pairs each of counts with averages and counts with mostly empty shares. */
void features_to_text(benchmark::State &state, ride_format format) {
    static ride_tile_layout layout;
    ride_tile_layout_begin(&layout);
    ride_tile_layout_add(&layout, RIDE_TYPE_U64, 0);
    for (int i = 0; i < 14; i++) ride_tile_layout_add(&layout, RIDE_TYPE_F64, 0);
    ride_tile_layout_finish(&layout);
    ride_batch *batch = nullptr;
    if (ride_batch_create(&layout, 16384, 0, &batch, nullptr) != RIDE_OK) std::abort();
    std::mt19937 random(2);
    for (uint32_t row = 0; row < 16384; row++) {
        void *tile = ride_batch_tile(batch, row / 256);
        auto put = [&](uint32_t column, double value) {
            static_cast<double *>(ride_tile_values(&layout, tile, column))[row % 256] = value;
        };
        static_cast<uint64_t *>(ride_tile_values(&layout, tile, 0))[row % 256] = 1000000 + row;
        put(1, random() % 2);
        put(2, random() % 2);
        const uint32_t most[3] = {4, 20, 80};
        for (uint32_t w = 0; w < 3; w++) {
            double customer = 1 + random() % most[w], terminal = 1 + random() % most[w];
            put(3 + 2 * w, customer);
            put(4 + 2 * w, double(random() % 20000 * uint32_t(customer) + random() % 100) / (100.0 * customer));
            put(9 + 2 * w, terminal);
            put(10 + 2 * w, random() % 20 == 0 ? double(random() % uint32_t(terminal)) / terminal : 0.0);
        }
    }
    std::vector<std::string> names;
    for (int i = 0; i < 15; i++) names.push_back("c" + std::to_string(i));
    ride_encoder_column columns[15] = {};
    for (uint32_t i = 0; i < 15; i++) columns[i].name = names[i].c_str(), columns[i].column = i;
    ride_encoder_options options = {};
    options.format = format;
    options.columns = columns;
    options.columns_count = 15;
    options.layouts[0] = &layout;
    static std::vector<char> memory(16 << 20);
    uint64_t rows = 0;
    for (auto _ : state) {
        ride_sink *sink = nullptr;
        ride_encoder *encoder = nullptr;
        if (ride_sink_open_memory(memory.data(), memory.size(), &sink, nullptr) != RIDE_OK ||
            ride_encoder_open(&options, sink, &encoder, nullptr) != RIDE_OK)
            std::abort();
        ride_encoder_set set = {batch->tiles, nullptr};
        ride_encoder_write(encoder, &set, nullptr, 0, 16384);
        ride_encoder_close(encoder);
        if (ride_sink_close(sink, nullptr) != RIDE_OK) std::abort();
        rows += 16384;
    }
    ride_batch_destroy(batch);
    state.SetItemsProcessed(int64_t(rows));
    state.counters["ns_per_row"] =
        benchmark::Counter(double(rows) * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK_CAPTURE(features_to_text, csv, RIDE_FORMAT_CSV);
BENCHMARK_CAPTURE(features_to_text, ndjson, RIDE_FORMAT_NDJSON);
BENCHMARK_CAPTURE(features_to_text, binary, RIDE_FORMAT_BINARY);

} // namespace

BENCHMARK_MAIN();
