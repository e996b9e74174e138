/* cli/generate_binary.c: rows go into one tile, column by column, and through the encoder that every output uses. Values are
 * those that a reader of the CSV gets: a place is the double nearest to its decimal text, which a division of two integers
 * that doubles hold exactly is as well. */
#include "cli/generate_binary.h"
#include "base/assert.h"
#include "base/batch.h"
#include "io/encoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 12, ARENA_BYTES = RIDE_TILE_ROWS * 32 };

typedef struct column_row {
    const char *name;
    ride_type type;
    uint32_t field_type;
    bool nullable;
    int32_t scale;
} column_row;

enum { TX_ID, TS, CARD, TERMINAL, AMOUNT, CURRENCY, MCC, CHANNEL, COUNTRY, LAT, LON, IS_FRAUD, ROW_COLUMNS };
static const column_row row_columns[ROW_COLUMNS] = {
    [TX_ID] = {"tx_id", RIDE_TYPE_U64, RIDE_FIELD_U64},
    [TS] = {"ts", RIDE_TYPE_TIMESTAMP, RIDE_FIELD_TIMESTAMP},
    [CARD] = {"card", RIDE_TYPE_STRING, RIDE_FIELD_STRING},
    [TERMINAL] = {"terminal", RIDE_TYPE_U64, RIDE_FIELD_U64},
    [AMOUNT] = {"amount", RIDE_TYPE_DECIMAL, RIDE_FIELD_DECIMAL, .scale = 2},
    [CURRENCY] = {"currency", RIDE_TYPE_STRING, RIDE_FIELD_STRING},
    [MCC] = {"mcc", RIDE_TYPE_U32, RIDE_FIELD_U16},
    [CHANNEL] = {"channel", RIDE_TYPE_STRING, RIDE_FIELD_STRING},
    [COUNTRY] = {"country", RIDE_TYPE_STRING, RIDE_FIELD_STRING},
    [LAT] = {"lat", RIDE_TYPE_F64, RIDE_FIELD_F64, .nullable = true},
    [LON] = {"lon", RIDE_TYPE_F64, RIDE_FIELD_F64, .nullable = true},
    [IS_FRAUD] = {"is_fraud", RIDE_TYPE_BOOL, RIDE_FIELD_BOOL},
};
enum { LABEL_TX_ID, REPORTED_AT, LABEL_IS_FRAUD, REASON, LABEL_COLUMNS };
static const column_row label_columns[LABEL_COLUMNS] = {
    [LABEL_TX_ID] = {"tx_id", RIDE_TYPE_U64, RIDE_FIELD_U64},
    [REPORTED_AT] = {"reported_at", RIDE_TYPE_TIMESTAMP, RIDE_FIELD_TIMESTAMP},
    [LABEL_IS_FRAUD] = {"is_fraud", RIDE_TYPE_BOOL, RIDE_FIELD_BOOL},
    [REASON] = {"reason", RIDE_TYPE_STRING, RIDE_FIELD_STRING},
};

struct generate_binary {
    ride_tile_layout layout;
    ride_batch *batch; /* one tile */
    ride_encoder *encoder;
};

ride_status generate_binary_open(ride_sink *sink, bool is_labels, generate_binary **out, ride_error *err) {
    const column_row *columns = is_labels ? label_columns : row_columns;
    uint32_t count = is_labels ? LABEL_COLUMNS : ROW_COLUMNS;
    ride_encoder_column list[COLUMNS_MAX];
    generate_binary *b = calloc(1, sizeof *b);
    if (b == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the binary output");
    ride_tile_layout_begin(&b->layout);
    for (uint32_t c = 0; c < count; c++) {
        ride_tile_layout_add(&b->layout, columns[c].type, columns[c].nullable);
        list[c] = (ride_encoder_column){.name = columns[c].name,
                                        .column = c,
                                        .scale = columns[c].scale,
                                        .field_type = columns[c].field_type};
    }
    ride_tile_layout_finish(&b->layout);
    ride_encoder_options options = {.format = RIDE_FORMAT_BINARY,
                                    .columns = list,
                                    .columns_count = count,
                                    .layouts = {&b->layout}};
    ride_status st = ride_batch_create(&b->layout, RIDE_TILE_ROWS, ARENA_BYTES, &b->batch, err);
    if (st == RIDE_OK) st = ride_encoder_open(&options, sink, &b->encoder, err);
    if (st == RIDE_OK) *out = b;
    else generate_binary_close(b);
    return st;
}

void generate_binary_close(generate_binary *b) {
    if (b == NULL) return;
    ride_encoder_close(b->encoder);
    ride_batch_destroy(b->batch);
    free(b);
}

static void *values(generate_binary *b, uint32_t column) {
    return ride_tile_values(&b->layout, ride_batch_tile(b->batch, 0), column);
}
static void put_u64(generate_binary *b, uint32_t column, uint32_t row, uint64_t value) {
    ((uint64_t *)values(b, column))[row] = value;
}
static void put_bool(generate_binary *b, uint32_t column, uint32_t row, bool value) {
    ((uint8_t *)values(b, column))[row] = value;
}

static void put_text(generate_binary *b, uint32_t column, uint32_t row, const char *text) {
    ride_slice slice = {.offset = b->batch->arena_bytes, .bytes = (uint32_t)strlen(text)};
    RIDE_ASSERT(slice.offset + slice.bytes <= b->batch->arena_bytes_max);
    memcpy(b->batch->arena + slice.offset, text, slice.bytes);
    b->batch->arena_bytes += slice.bytes;
    ((ride_slice *)values(b, column))[row] = slice;
}

static void put_degrees(generate_binary *b, uint32_t column, uint32_t row, bool has_place, int32_t e5) {
    ((double *)values(b, column))[row] = has_place ? e5 / 100000.0 : 0.0;
    ride_bit_put(ride_tile_validity(&b->layout, ride_batch_tile(b->batch, 0), column), row, has_place);
}

static ride_status write(generate_binary *b, uint32_t rows_count) {
    ride_batch_set_rows(b->batch, rows_count, 0);
    ride_encoder_set set = {.tiles = b->batch->tiles, .arena = b->batch->arena};
    ride_status st = ride_encoder_write(b->encoder, &set, NULL, 0, rows_count);
    ride_batch_clear(b->batch);
    return st;
}

static void put_row(generate_binary *b, uint32_t at, const ride_generated *row) {
    char card[16];
    snprintf(card, sizeof card, "c_%08u", row->customer);
    put_u64(b, TX_ID, at, row->tx_id);
    put_u64(b, TS, at, (uint64_t)row->ts_ms * 1000);
    put_text(b, CARD, at, card);
    put_u64(b, TERMINAL, at, row->terminal);
    put_u64(b, AMOUNT, at, (uint64_t)row->amount_minor);
    put_text(b, CURRENCY, at, row->currency);
    ((uint32_t *)values(b, MCC))[at] = row->mcc;
    put_text(b, CHANNEL, at, ride_channel_name(row->channel));
    put_text(b, COUNTRY, at, row->country);
    put_degrees(b, LAT, at, row->has_place, row->lat_e5);
    put_degrees(b, LON, at, row->has_place, row->lon_e5);
    put_bool(b, IS_FRAUD, at, row->is_fraud);
}

ride_status generate_binary_rows(generate_binary *b, const ride_generated *rows, uint32_t rows_count) {
    for (uint32_t first = 0; first < rows_count; first += RIDE_TILE_ROWS) {
        uint32_t count = rows_count - first < RIDE_TILE_ROWS ? rows_count - first : RIDE_TILE_ROWS;
        for (uint32_t i = 0; i < count; i++) put_row(b, i, &rows[first + i]);
        RIDE_TRY(write(b, count));
    }
    return RIDE_OK;
}

ride_status generate_binary_labels(generate_binary *b, const ride_generated_label *labels, uint32_t labels_count) {
    for (uint32_t first = 0; first < labels_count; first += RIDE_TILE_ROWS) {
        uint32_t count = labels_count - first < RIDE_TILE_ROWS ? labels_count - first : RIDE_TILE_ROWS;
        for (uint32_t i = 0; i < count; i++) {
            const ride_generated_label *label = &labels[first + i];
            put_u64(b, LABEL_TX_ID, i, label->tx_id);
            put_u64(b, REPORTED_AT, i, (uint64_t)label->reported_ms * 1000);
            put_bool(b, LABEL_IS_FRAUD, i, label->is_fraud);
            put_text(b, REASON, i, label->is_fraud ? ride_fraud_kind_name(label->fraud_kind) : "cleared");
        }
        RIDE_TRY(write(b, count));
    }
    return RIDE_OK;
}
