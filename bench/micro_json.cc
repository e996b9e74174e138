// Micro-benchmark of messages: a JSON event of 200 bytes and 8 fields through ride_decoder_record, and beside it the floor: simdjson
// alone, which looks up the same 8 fields of the same texts in their order and reads them as its own types. The floor neither checks
// what is not asked for, nor ranges, nor UTF-8 against a field, makes no decimals or times, and stores nothing. Also the same
// events as CSV and as binary messages, and the rows encoded one by one.
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
#include <simdjson.h>
#include <string>
#include <vector>

namespace {

constexpr uint32_t EVENTS = 4096;

const char *const currencies[] = {"EUR", "USD", "GBP", "CHF"};

struct Job {
    ride_source_spec spec = {};
    ride_tile_layout layout = {};
    ride_batch *batch = nullptr;
    std::vector<std::string> json;
    Job() {
        ride_tile_layout_begin(&layout);
        ride_tile_layout_add(&layout, RIDE_TYPE_TIMESTAMP, 0);
        ride_tile_layout_add(&layout, RIDE_TYPE_TIMESTAMP, 0);
        ride_tile_layout_add(&layout, RIDE_TYPE_U32, 0);
        spec.format = RIDE_FORMAT_NDJSON;
        spec.time_unit = RIDE_UNIT_ISO8601;
        add("transaction_id", RIDE_FIELD_U64, RIDE_TYPE_U64);
        add("transaction_time", RIDE_FIELD_TIMESTAMP, RIDE_TYPE_TIMESTAMP);
        spec.field_time = 1;
        add("customer_id", RIDE_FIELD_U32, RIDE_TYPE_I64);
        add("terminal_id", RIDE_FIELD_U32, RIDE_TYPE_I64);
        add("amount", RIDE_FIELD_DECIMAL, RIDE_TYPE_DECIMAL).scale = 2;
        ride_field &currency = add("currency", RIDE_FIELD_CATEGORY, RIDE_TYPE_I64);
        currency.categories = currencies;
        currency.categories_count = 4;
        currency.nullable = true; // as the encoder writes categories into binary records
        add("device", RIDE_FIELD_STRING, RIDE_TYPE_STRING);
        add("card_present", RIDE_FIELD_BOOL, RIDE_TYPE_BOOL);
        ride_tile_layout_finish(&layout);
        if (ride_batch_create(&layout, EVENTS, EVENTS * 48, &batch, nullptr) != RIDE_OK) std::abort();
        std::mt19937 random(1);
        char text[512];
        size_t bytes = 0;
        for (uint32_t i = 0; i < EVENTS; i++) {
            int n = std::snprintf(
                text, sizeof text,
                "{\"transaction_id\":%u,\"transaction_time\":\"2018-07-%02uT%02u:%02u:%02uZ\",\"customer_id\":%u,"
                "\"terminal_id\":%u,\"amount\":%u.%02u,\"currency\":\"%s\",\"device\":\"web-browser-pc-%08x-%05u\","
                "\"card_"
                "present\":%s}",
                1000000 + i, i / 600 % 31 + 1, i / 25 % 24, unsigned(random() % 60), unsigned(random() % 60),
                unsigned(random() % 5000), unsigned(random() % 10000), unsigned(random() % 150),
                unsigned(random() % 100), currencies[random() % 4], unsigned(random()), unsigned(random() % 10000),
                random() % 2 == 0 ? "true" : "false");
            json.emplace_back(text, size_t(n));
            bytes += size_t(n);
        }
        std::fprintf(stderr, "events of %.1f bytes\n", double(bytes) / EVENTS);
    }
    ride_field &add(const char *name, uint32_t type, ride_type tile_type) {
        ride_field &field = spec.fields[spec.fields_count++];
        std::snprintf(field.name, sizeof field.name, "%s", name);
        field.type = type;
        field.tile_type = tile_type;
        field.column = ride_tile_layout_add(&layout, tile_type, type == RIDE_FIELD_CATEGORY);
        return field;
    }
    std::vector<ride_encoder_column> columns() const {
        std::vector<ride_encoder_column> list(spec.fields_count);
        for (uint32_t i = 0; i < spec.fields_count; i++) {
            list[i] = {};
            list[i].name = spec.fields[i].name;
            list[i].column = spec.fields[i].column;
            list[i].scale = spec.fields[i].scale;
            list[i].unit = RIDE_UNIT_ISO8601;
            list[i].field_type = spec.fields[i].type;
            if (spec.fields[i].type != RIDE_FIELD_CATEGORY) continue;
            list[i].encoding = RIDE_ENCODING_TEXTS;
            list[i].texts = currencies;
            list[i].texts_count = 4;
        }
        return list;
    }
    // Fills the batch from the messages; returns how many.
    uint32_t decode(ride_decoder *decoder, const std::vector<std::string> &messages) {
        ride_batch_clear(batch);
        ride_reject_reason reason;
        for (const std::string &message : messages)
            if (ride_decoder_record(decoder, batch, message.data(), message.size(), 0, &reason) != RIDE_OK)
                std::abort();
        return batch->rows_count;
    }
    ride_decoder *decoder(ride_format format) {
        ride_decoder_options options = {};
        ride_decoder *out = nullptr;
        options.spec = &spec;
        options.format = format;
        if (ride_decoder_open_records(&options, "bench", 0, &out, nullptr) != RIDE_OK) std::abort();
        return out;
    }
    ride_encoder *encoder(ride_format format, const std::vector<ride_encoder_column> &list) {
        ride_encoder_options options = {};
        ride_encoder *out = nullptr;
        options.format = format;
        options.columns = list.data();
        options.columns_count = uint32_t(list.size());
        options.layouts[0] = &layout;
        if (ride_encoder_open_records(&options, &out, nullptr) != RIDE_OK) std::abort();
        return out;
    }
};
Job &job() {
    static Job *one = new Job;
    return *one;
}

void count(benchmark::State &state, uint64_t events) {
    state.SetItemsProcessed(int64_t(events));
    state.counters["ns_per_event"] =
        benchmark::Counter(double(events) * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void floor_simdjson(benchmark::State &state) {
    simdjson::ondemand::parser parser;
    std::vector<simdjson::padded_string> texts;
    for (const std::string &text : job().json) texts.emplace_back(text);
    uint64_t events = 0, sum = 0;
    for (auto _ : state) {
        for (const simdjson::padded_string &text : texts) {
            simdjson::ondemand::document document;
            uint64_t id, customer, terminal;
            double amount;
            bool present;
            std::string_view time, currency, device;
            if (parser.iterate(text).get(document) || document.find_field("transaction_id").get(id) ||
                document.find_field("transaction_time").get(time) || document.find_field("customer_id").get(customer) ||
                document.find_field("terminal_id").get(terminal) || document.find_field("amount").get(amount) ||
                document.find_field("currency").get(currency) || document.find_field("device").get(device) ||
                document.find_field("card_present").get(present))
                std::abort();
            sum +=
                id + customer + terminal + uint64_t(amount) + present + time.size() + currency.size() + device.size();
        }
        events += texts.size();
    }
    benchmark::DoNotOptimize(sum);
    count(state, events);
}
BENCHMARK(floor_simdjson);

void decode(benchmark::State &state, ride_format format) {
    std::vector<std::string> messages = job().json;
    if (format != RIDE_FORMAT_NDJSON) {
        const std::vector<ride_encoder_column> list = job().columns();
        ride_decoder *from = job().decoder(RIDE_FORMAT_NDJSON);
        ride_encoder *encoder = job().encoder(format, list);
        job().decode(from, job().json);
        ride_encoder_set set = {job().batch->tiles, job().batch->arena};
        for (uint32_t i = 0; i < EVENTS; i++) {
            char text[512];
            size_t bytes = 0;
            if (ride_encoder_row(encoder, &set, i, text, sizeof text, &bytes) != RIDE_OK) std::abort();
            messages[i].assign(text, bytes);
        }
        ride_encoder_close(encoder);
        ride_decoder_close(from);
    }
    ride_decoder *decoder = job().decoder(format);
    uint64_t events = 0;
    for (auto _ : state) events += job().decode(decoder, messages);
    ride_decoder_close(decoder);
    count(state, events);
}
BENCHMARK_CAPTURE(decode, json, RIDE_FORMAT_NDJSON);
BENCHMARK_CAPTURE(decode, csv, RIDE_FORMAT_CSV);
BENCHMARK_CAPTURE(decode, binary, RIDE_FORMAT_BINARY);

void encode(benchmark::State &state, ride_format format) {
    const std::vector<ride_encoder_column> list = job().columns();
    ride_decoder *decoder = job().decoder(RIDE_FORMAT_NDJSON);
    ride_encoder *encoder = job().encoder(format, list);
    job().decode(decoder, job().json);
    ride_encoder_set set = {job().batch->tiles, job().batch->arena};
    uint64_t events = 0, sum = 0;
    for (auto _ : state) {
        for (uint32_t i = 0; i < EVENTS; i++) {
            char text[1024];
            size_t bytes = 0;
            if (ride_encoder_row(encoder, &set, i, text, sizeof text, &bytes) != RIDE_OK) std::abort();
            sum += bytes;
        }
        events += EVENTS;
    }
    benchmark::DoNotOptimize(sum);
    ride_encoder_close(encoder);
    ride_decoder_close(decoder);
    count(state, events);
}
BENCHMARK_CAPTURE(encode, json, RIDE_FORMAT_NDJSON);
BENCHMARK_CAPTURE(encode, csv, RIDE_FORMAT_CSV);
BENCHMARK_CAPTURE(encode, binary, RIDE_FORMAT_BINARY);

} // namespace

BENCHMARK_MAIN();
