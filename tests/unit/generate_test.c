/* The generator's promises: one seed gives one stream on every machine and for any size of calls; order, lateness,
 * repeats and labels are as the header says; chance is what random.h says it is. */
#include "generate/generate.h"
#include "generate/random.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 60000 };

typedef struct stream {
    ride_generated *rows;
    uint32_t count;
    ride_generated_label *labels;
    uint32_t labels_count;
} stream;

static stream make(ride_generate_options options, uint32_t step) {
    stream s = {.rows = calloc(2 * ROWS, sizeof *s.rows), .labels = calloc(ROWS, sizeof *s.labels)};
    cr_assert(s.rows != NULL && s.labels != NULL);
    ride_generate *g = NULL;
    ride_error err;
    cr_assert_eq(ride_generate_create(&options, &g, &err), RIDE_OK);
    ride_status st;
    do {
        uint32_t n = 0;
        cr_assert_leq(s.count + step, 2 * ROWS);
        st = ride_generate_next(g, s.rows + s.count, step, &n);
        s.count += n;
        s.labels_count += ride_generate_labels(g, s.labels + s.labels_count, ROWS - s.labels_count);
    } while (st == RIDE_OK);
    cr_assert_eq(st, RIDE_END);
    ride_generate_destroy(g);
    return s;
}

static void drop(stream *s) {
    free(s->rows);
    free(s->labels);
}

static ride_generate_options usual(void) {
    ride_generate_options o;
    ride_generate_options_init(&o);
    o.events = 50000;
    o.customers = 3000;
    o.terminals = 800;
    o.late_ppm = 20000;
    o.duplicate_ppm = 10000;
    o.labels = true;
    return o;
}

/* FNV-1a over the text of all rows. */
static uint64_t text_hash(const stream *s) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    char text[RIDE_GENERATE_ROW_BYTES_MAX];
    for (uint32_t i = 0; i < s->count; i++) {
        size_t bytes = ride_generate_row_csv(&s->rows[i], text);
        cr_assert_lt(bytes, sizeof text);
        for (size_t b = 0; b < bytes; b++) hash = (hash ^ (uint8_t)text[b]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

Test(generate, gives_the_committed_bytes_for_a_seed_on_any_machine) {
    stream s = make(usual(), 1000);
    cr_assert_eq(text_hash(&s), UINT64_C(0xa09fa3e175446ccc), "got 0x%016lx", (unsigned long)text_hash(&s));
    drop(&s);
}

Test(generate, does_not_depend_on_how_many_rows_a_call_asks_for) {
    stream a = make(usual(), 1), b = make(usual(), 4096);
    cr_assert_eq(a.count, b.count);
    cr_assert_eq(memcmp(a.rows, b.rows, a.count * sizeof *a.rows), 0);
    cr_assert_eq(a.labels_count, b.labels_count);
    cr_assert_eq(memcmp(a.labels, b.labels, a.labels_count * sizeof *a.labels), 0);
    drop(&a);
    drop(&b);
}

Test(generate, another_seed_gives_another_stream) {
    ride_generate_options o = usual();
    stream a = make(o, 4096);
    o.seed = 2;
    stream b = make(o, 4096);
    cr_assert_neq(text_hash(&a), text_hash(&b));
    drop(&a);
    drop(&b);
}

Test(generate, is_in_time_order_but_for_late_rows_and_repeats) {
    stream s = make(usual(), 4096);
    int64_t newest = 0;
    uint32_t late = 0, repeats = 0, behind = 0;
    for (uint32_t i = 0; i < s.count; i++) {
        const ride_generated *row = &s.rows[i];
        late += row->is_late && !row->is_duplicate;
        repeats += row->is_duplicate;
        if (row->is_late || row->is_duplicate) {
            behind += row->ts_ms < newest;
            continue;
        }
        cr_assert_geq(row->ts_ms, newest, "row %u", i);
        newest = row->ts_ms;
    }
    cr_assert_eq(s.count - repeats, 50000);
    cr_assert_float_eq(late / 50000.0, 0.02, 0.003);
    cr_assert_float_eq(repeats / 50000.0, 0.01, 0.002);
    cr_assert_gt(behind, late / 2, "held back rows are behind what overtook them");
    drop(&s);
}

Test(generate, repeats_are_exact_and_some_rows_later) {
    stream s = make(usual(), 4096);
    uint32_t *where = calloc(s.count + 1, sizeof *where); /* row + 1 of each id */
    for (uint32_t i = 0; i < s.count; i++) {
        ride_generated row = s.rows[i];
        cr_assert(row.tx_id >= 1 && row.tx_id <= 50000);
        if (!row.is_duplicate) {
            cr_assert_eq(where[row.tx_id], 0, "id %lu twice", (unsigned long)row.tx_id);
            where[row.tx_id] = i + 1;
            continue;
        }
        cr_assert_neq(where[row.tx_id], 0);
        uint32_t original = where[row.tx_id] - 1;
        cr_assert(i > original && i - original <= 456);
        row.is_duplicate = false;
        cr_assert_eq(memcmp(&row, &s.rows[original], sizeof row), 0);
    }
    free(where);
    drop(&s);
}

Test(generate, every_kind_of_fraud_occurs_and_fields_are_in_their_domain) {
    stream s = make(usual(), 4096);
    uint32_t kinds[RIDE_FRAUD_KINDS] = {0}, channels[RIDE_CHANNELS] = {0};
    for (uint32_t i = 0; i < s.count; i++) {
        const ride_generated *row = &s.rows[i];
        kinds[row->fraud_kind]++;
        channels[row->channel]++;
        cr_assert_eq(row->is_fraud, row->fraud_kind != RIDE_FRAUD_NONE);
        cr_assert(row->amount_minor > 0 && row->amount_minor <= 2000000);
        cr_assert(row->customer < 3000 && row->terminal < 800);
        cr_assert_eq(row->has_place, row->channel != RIDE_CHANNEL_ECOM);
        cr_assert_eq(strlen(row->country), 2);
        cr_assert_eq(strlen(row->currency), 3);
        cr_assert(abs(row->lat_e5) <= 9000000 && abs(row->lon_e5) <= 18000000);
    }
    for (uint32_t k = 0; k < RIDE_FRAUD_KINDS; k++) cr_assert_gt(kinds[k], 10, "%s", ride_fraud_kind_name(k));
    for (uint32_t c = 0; c < RIDE_CHANNELS; c++) cr_assert_gt(channels[c], 1000, "%s", ride_channel_name(c));
    double share = 1.0 - (double)kinds[0] / s.count;
    cr_assert(share > 0.003 && share < 0.02, "fraud is rare: %f", share);
    drop(&s);
}

Test(generate, labels_come_in_order_half_a_day_to_three_weeks_later_and_tell_the_truth) {
    stream s = make(usual(), 4096);
    const ride_generated **by_id = calloc(50001, sizeof *by_id);
    uint32_t fraud = 0, reported = 0;
    for (uint32_t i = 0; i < s.count; i++) {
        by_id[s.rows[i].tx_id] = &s.rows[i];
        fraud += s.rows[i].is_fraud && !s.rows[i].is_duplicate;
    }
    for (uint32_t i = 0; i < s.labels_count; i++) {
        const ride_generated_label *label = &s.labels[i];
        const ride_generated *row = by_id[label->tx_id];
        cr_assert(i == 0 || label->reported_ms >= s.labels[i - 1].reported_ms);
        int64_t delay = label->reported_ms - row->ts_ms;
        cr_assert(delay >= INT64_C(43200000) && delay <= INT64_C(22) * 86400000);
        cr_assert_eq(label->is_fraud, row->is_fraud);
        cr_assert_eq(label->fraud_kind, row->fraud_kind);
        reported += label->is_fraud;
    }
    cr_assert(reported <= fraud && reported > fraud * 9 / 10);
    cr_assert_gt(s.labels_count, reported, "some disputes end in the all-clear");
    free(by_id);
    drop(&s);
}

Test(generate, the_smallest_world_works) {
    ride_generate_options o = usual();
    o.customers = 1;
    o.terminals = 1;
    o.events = 2000;
    stream s = make(o, 100);
    cr_assert_geq(s.count, 2000);
    for (uint32_t i = 0; i < s.count; i++) cr_assert(s.rows[i].terminal == 0 && s.rows[i].customer == 0);
    drop(&s);
    o.events = 0;
    s = make(o, 100);
    cr_assert_eq(s.count, 0);
    drop(&s);
}

Test(generate, starts_where_it_is_told) {
    ride_generate_options o = usual();
    o.start_ms = RIDE_GENERATE_START_MS + 1234567;
    stream s = make(o, 4096);
    for (uint32_t i = 0; i < s.count; i++) cr_assert_geq(s.rows[i].ts_ms, o.start_ms);
    cr_assert_lt(s.rows[0].ts_ms, o.start_ms + 3600000);
    drop(&s);
}

/* Sums over the honest rows of a part of a stream. */
typedef struct part {
    double amount, online, count, hours[24];
} part;
static part part_of(const stream *s, uint32_t from, uint32_t to) {
    part p = {0};
    for (uint32_t i = from; i < to; i++) {
        const ride_generated *row = &s->rows[i];
        if (row->is_fraud) continue;
        p.count++;
        p.amount += row->channel == RIDE_CHANNEL_POS ? log((double)row->amount_minor) : 0; /* of one kind of shop */
        p.online += row->channel == RIDE_CHANNEL_ECOM;
        p.hours[row->ts_ms / 3600000 % 24]++;
    }
    return p;
}

Test(generate, a_planted_drift_begins_where_it_is_told_and_changes_what_it_says) {
    ride_generate_options o = usual();
    o.drift = (ride_generate_drift){.at_ppm = 600000, .amount_factor = 2000000, .online_ppm = 400000};
    stream plain = make(usual(), 1000), drifted = make(o, 1000), other = make(o, 37);
    cr_assert_eq(text_hash(&drifted), text_hash(&other), "it depends on how many rows a call asks for");
    uint32_t first = 0;
    while (first < plain.count && memcmp(&plain.rows[first], &drifted.rows[first], sizeof *plain.rows) == 0) first++;
    cr_assert(first >= 30000 && first < 31000, "60 %% of 50,000 events, then to the hour's end: row %u", first);
    part a = part_of(&plain, first, 50000), b = part_of(&drifted, first, 50000);
    const double pos = 1 - b.online / b.count, pos_before = 1 - a.online / a.count;
    cr_assert_float_eq(exp(b.amount / (b.count * pos)) / exp(a.amount / (a.count * pos_before)), 2, 0.2);
    cr_assert_float_eq(pos / pos_before, 0.6, 0.03);
    drop(&drifted);
    drop(&other);
    o.drift = (ride_generate_drift){.at_ppm = 1, .hours_later = 3};
    drifted = make(o, 1000);
    a = part_of(&plain, 2000, 48000);
    b = part_of(&drifted, 2000, 48000);
    for (int h = 0; h < 24; h++) cr_assert_float_eq(b.hours[(h + 3) % 24] / b.count, a.hours[h] / a.count, 0.01);
    cr_assert_float_eq(b.online / b.count, a.online / a.count, 0.02);
    drop(&drifted);
    o.drift = (ride_generate_drift){.amount_factor = 2000000}; /* when is not told: never */
    drifted = make(o, 1000);
    cr_assert_eq(text_hash(&plain), text_hash(&drifted));
    drop(&plain);
    drop(&drifted);
}

Test(generate, refuses_wrong_options_by_name) {
    static const struct {
        const char *word;
        size_t offset;
        uint32_t value;
    } cases[] = {
        {"customers", offsetof(ride_generate_options, customers), 0},
        {"customers", offsetof(ride_generate_options, customers), 10000001},
        {"terminals", offsetof(ride_generate_options, terminals), 0},
        {"terminals", offsetof(ride_generate_options, terminals), 10000001},
        {"late", offsetof(ride_generate_options, late_ppm), 1000001},
        {"duplicate", offsetof(ride_generate_options, duplicate_ppm), 1000001},
        {"drift", offsetof(ride_generate_options, drift.at_ppm), 1000001},
        {"drift", offsetof(ride_generate_options, drift.amount_factor), 100000001},
        {"drift", offsetof(ride_generate_options, drift.hours_later), 13},
        {"drift", offsetof(ride_generate_options, drift.online_ppm), 1000001},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ride_generate_options o = usual();
        memcpy((char *)&o + cases[i].offset, &cases[i].value, sizeof cases[i].value);
        ride_generate *g = NULL;
        ride_error err;
        cr_assert_eq(ride_generate_create(&o, &g, &err), RIDE_E_USAGE);
        cr_assert_null(g);
        cr_assert_not_null(strstr(err.what, cases[i].word), "%s", err.what);
    }
    ride_generate_options o = usual();
    o.start_ms = -1;
    ride_generate *g = NULL;
    ride_error err;
    cr_assert_eq(ride_generate_create(&o, &g, &err), RIDE_E_USAGE);
    o = usual();
    o.customers = 1;
    o.events = 1000000;
    cr_assert_eq(ride_generate_create(&o, &g, &err), RIDE_E_USAGE);
}

Test(generate, powers_of_two_are_those_of_libm_to_nine_digits) {
    random_exp2 table;
    random_exp2_init(&table);
    for (int k = 0; k <= 256; k++)
        cr_assert_float_eq((double)table.table_q32[k] / 4294967296.0, exp2(k / 256.0), 1e-9, "k = %d", k);
    for (int64_t x = -3 * 65536; x <= 10 * 65536; x += 977) {
        double expected = 1000000.0 * exp2((double)x / 65536.0);
        cr_assert_float_eq((double)random_scale(&table, 1000000, x), expected, expected * 1e-6 + 1.0, "x = %ld",
                           (long)x);
    }
}

Test(generate, the_bell_curve_has_mean_0_and_variance_1) {
    double sum = 0, squares = 0;
    uint64_t s = 7;
    for (int i = 0; i < 200000; i++) {
        double z = (double)random_normal_q16(random_next(&s)) / 65536.0;
        sum += z;
        squares += z * z;
    }
    cr_assert_float_eq(sum / 200000, 0.0, 0.01);
    cr_assert_float_eq(squares / 200000, 1.0, 0.02);
}

Test(generate, text_of_a_row_is_what_the_header_says) {
    ride_generated row = {.tx_id = 18446744073709551615u,
                          .ts_ms = 1735689634620,
                          .terminal = 7,
                          .amount_minor = 1005,
                          .customer = 123,
                          .lat_e5 = -5,
                          .lon_e5 = 12340000,
                          .mcc = 5411,
                          .channel = RIDE_CHANNEL_POS,
                          .has_place = true,
                          .country = "DE",
                          .currency = "EUR"};
    char text[RIDE_GENERATE_ROW_BYTES_MAX + 1];
    text[ride_generate_row_csv(&row, text)] = 0;
    cr_assert_str_eq(text, "18446744073709551615,1735689634620,c_00000123,7,10.05,EUR,5411,pos,DE,-0.00005,123.4,0\n");
    row.has_place = false;
    row.is_fraud = true;
    text[ride_generate_row_csv(&row, text)] = 0;
    cr_assert_str_eq(text, "18446744073709551615,1735689634620,c_00000123,7,10.05,EUR,5411,pos,DE,,,1\n");
    text[ride_generate_row_ndjson(&row, text)] = 0;
    cr_assert_str_eq(text,
                     "{\"tx_id\":18446744073709551615,\"ts\":1735689634620,\"card\":\"c_00000123\",\"terminal\":7,"
                     "\"amount\":10.05,\"currency\":\"EUR\",\"mcc\":5411,\"channel\":\"pos\",\"country\":\"DE\","
                     "\"lat\":null,\"lon\":null,\"is_fraud\":true}\n");
    ride_generated_label label = {.tx_id = 3, .reported_ms = 5, .is_fraud = true, .fraud_kind = RIDE_FRAUD_TESTING};
    text[ride_generate_label_csv(&label, text)] = 0;
    cr_assert_str_eq(text, "3,5,1,testing\n");
    text[ride_generate_label_ndjson(&label, text)] = 0;
    cr_assert_str_eq(text, "{\"tx_id\":3,\"reported_at\":5,\"is_fraud\":true,\"reason\":\"testing\"}\n");
}
