/* io/encoder.c: opening an encoder, and cutting what is to be written into runs of rows of one tile. */
#include "io/encoder_internal.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

static ride_cell cell_of(const ride_encoder_column *column, uint32_t type) {
    if (column->set == RIDE_ENCODER_CONSTANT) return RIDE_CELL_CONSTANT;
    if (column->encoding == RIDE_ENCODING_TEXTS) {
        RIDE_ASSERT(type == RIDE_TYPE_U32 || type == RIDE_TYPE_I64 || type == RIDE_TYPE_BOOL || type == RIDE_TYPE_U64);
        return RIDE_CELL_TEXTS;
    }
    switch (type) {
    case RIDE_TYPE_BOOL: return RIDE_CELL_BOOL;
    case RIDE_TYPE_I64: return RIDE_CELL_I64;
    case RIDE_TYPE_U64: return column->encoding == RIDE_ENCODING_HEX ? RIDE_CELL_HEX : RIDE_CELL_U64;
    case RIDE_TYPE_F64: return RIDE_CELL_F64;
    case RIDE_TYPE_DECIMAL: return RIDE_CELL_DECIMAL;
    case RIDE_TYPE_TIMESTAMP: return RIDE_CELL_TIME;
    case RIDE_TYPE_STRING: return RIDE_CELL_STRING;
    case RIDE_TYPE_KEY128: return RIDE_CELL_HASH;
    case RIDE_TYPE_U32: return RIDE_CELL_U32;
    default: RIDE_ASSERT(type == RIDE_TYPE_F32); return RIDE_CELL_F32;
    }
}

static bool same_list(const ride_encoder_column *a, const ride_encoder_column *b) {
    return a->list != NULL && b->list != NULL && strcmp(a->list, b->list) == 0;
}

static size_t put_key(const char *name, char before, bool json, char *to) {
    char *at = to;
    if (json) *at++ = before;
    at += json ? ride_json_quote(name, strlen(name), at) : ride_csv_quote(name, strlen(name), at);
    if (json) *at++ = ':';
    return (size_t)(at - to);
}

/* The first column of a list: its key, and how its columns are divided. */
static bool prepare_list(ride_encoder *encoder, uint32_t index) {
    ride_out_column *out = &encoder->columns[index];
    const ride_encoder_column *columns = &encoder->given[index];
    const uint32_t left = encoder->columns_count - index;
    while (out->list_columns < left && same_list(columns, &columns[out->list_columns])) out->list_columns++;
    do out->item_columns++;
    while (out->item_columns < out->list_columns && strcmp(columns[out->item_columns].member, columns[0].member) != 0);
    RIDE_ASSERT(out->list_columns % out->item_columns == 0);
    out->list_key = malloc(6 * strlen(columns->list) + 8);
    if (out->list_key == NULL) return false;
    out->list_key_bytes = (uint32_t)put_key(columns->list, index == 0 ? '{' : ',', true, out->list_key);
    out->list_key[out->list_key_bytes++] = '[';
    encoder->row_room += out->list_key_bytes + 1 + 2 * (size_t)out->list_columns;
    return true;
}

/* Prepares a column's fixed texts. Returns false when out of memory. */
static bool prepare(ride_encoder *encoder, uint32_t index) {
    ride_out_column *out = &encoder->columns[index];
    const ride_encoder_column *column = &encoder->given[index];
    const bool json = encoder->format == RIDE_FORMAT_NDJSON, in_list = json && column->list != NULL;
    const char *name = in_list ? column->member : column->name;
    if (in_list && (index == 0 || !same_list(column, &encoder->given[index - 1])) && !prepare_list(encoder, index))
        return false;
    const ride_encoder_column *first = column; /* of the list */
    while (in_list && first > encoder->given && same_list(column, first - 1)) first--;
    out->key = malloc(6 * strlen(name) + 8);
    if (out->key == NULL) return false;
    const bool begins = in_list ? strcmp(name, first->member) == 0 : index == 0;
    out->key_bytes = (uint32_t)put_key(name, begins ? '{' : ',', json, out->key);
    size_t room = json ? out->key_bytes : 0;
    for (uint32_t i = 0; i < column->texts_count; i++) {
        uint32_t bytes = (uint32_t)strlen(column->texts[i]);
        if (bytes > out->texts_bytes_max) out->texts_bytes_max = bytes;
    }
    if (out->cell == RIDE_CELL_CONSTANT) {
        const char *text = column->constant;
        size_t bytes = text != NULL ? strlen(text) : 0;
        out->constant = malloc(6 * bytes + 8);
        if (out->constant == NULL) return false;
        if (text != NULL)
            out->constant_bytes = (uint32_t)(json ? ride_json_quote(text, bytes, out->constant)
                                                  : ride_csv_quote(text, bytes, out->constant));
        else if (json) memcpy(out->constant, "null", out->constant_bytes = 4);
        room += out->constant_bytes;
    }
    if (out->cell == RIDE_CELL_STRING) {
        encoder->has_strings = true;
        room += 6 * RIDE_STRING_ROOM;
    }
    encoder->row_room += room + RIDE_CELL_BYTES + 6 * out->texts_bytes_max;
    return true;
}

/* Everything but the header; without a sink, one of its own. */
static ride_status open_columns(const ride_encoder_options *options, ride_sink *sink, ride_encoder **out,
                                ride_error *err) {
    RIDE_ASSERT(options->columns_count > 0 && options->columns_count <= RIDE_ENCODER_COLUMNS_MAX);
    ride_encoder *encoder = calloc(1, sizeof *encoder);
    if (encoder != NULL) encoder->columns = calloc(options->columns_count, sizeof *encoder->columns);
    if (encoder == NULL || encoder->columns == NULL) {
        free(encoder);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for an encoder");
    }
    encoder->format = options->format;
    encoder->sink = sink;
    encoder->given = options->columns;
    encoder->columns_count = options->columns_count;
    encoder->tile_index = UINT32_MAX;
    memcpy(encoder->layouts, options->layouts, sizeof encoder->layouts);
    ride_status st = RIDE_OK;
    for (uint32_t i = 0; i < options->columns_count && st == RIDE_OK; i++) {
        ride_out_column *column = &encoder->columns[i];
        column->column = options->columns[i];
        uint32_t set = column->column.set;
        RIDE_ASSERT(column->column.name != NULL);
        if (set != RIDE_ENCODER_CONSTANT) {
            RIDE_ASSERT(set < RIDE_ENCODER_SETS_MAX && options->layouts[set] != NULL &&
                        column->column.column < options->layouts[set]->columns_count);
            column->type = options->layouts[set]->columns[column->column.column].type;
        }
        column->cell = cell_of(&column->column, column->type);
        if (!prepare(encoder, i)) st = ride_fail(err, RIDE_E_MEMORY, "no memory for an encoder");
    }
    encoder->given = NULL;
    encoder->row_room += 8;
    ride_encode_text_open(encoder);
    if (st == RIDE_OK && sink == NULL) {
        encoder->of_records = true;
        st = ride_sink_open_aimed(encoder->row_room, &encoder->sink, err);
    }
    if (st == RIDE_OK && encoder->row_room > encoder->sink->buffer_bytes)
        st = ride_fail(err, RIDE_E_UNSUPPORTED, "a row of the output may need %zu bytes, the sink's buffer has %zu",
                       encoder->row_room, encoder->sink->buffer_bytes);
    if (st == RIDE_OK && options->format == RIDE_FORMAT_BINARY)
        st = ride_encode_binary_open(encoder, sink == NULL || options->no_header, err);
    if (st != RIDE_OK) {
        ride_encoder_close(encoder);
        return st;
    }
    *out = encoder;
    return RIDE_OK;
}

ride_status ride_encoder_open(const ride_encoder_options *options, ride_sink *sink, ride_encoder **out,
                              ride_error *err) {
    ride_encoder *encoder = NULL;
    RIDE_ASSERT(sink != NULL);
    RIDE_TRY(open_columns(options, sink, &encoder, err));
    if (options->format == RIDE_FORMAT_CSV && !options->no_header) {
        ride_status st = ride_encode_csv_header(encoder);
        if (st != RIDE_OK) {
            ride_sink_flush(sink, err);
            ride_encoder_close(encoder);
            return st;
        }
    }
    *out = encoder;
    return RIDE_OK;
}

ride_status ride_encoder_open_records(const ride_encoder_options *options, ride_encoder **out, ride_error *err) {
    return open_columns(options, NULL, out, err);
}

void ride_encoder_close(ride_encoder *encoder) {
    if (encoder == NULL) return;
    for (uint32_t i = 0; i < encoder->columns_count; i++) {
        free(encoder->columns[i].key);
        free(encoder->columns[i].list_key);
        free(encoder->columns[i].constant);
    }
    if (encoder->of_records && encoder->sink != NULL) {
        ride_sink_aim(encoder->sink, NULL, 0);
        ride_sink_close(encoder->sink, NULL);
    }
    free(encoder->columns);
    free(encoder);
}

/* Row by row it is mostly the tile of the row before. */
static void point_at(ride_encoder *encoder, const ride_encoder_set *sets, uint32_t tile_index) {
    bool same = tile_index == encoder->tile_index;
    for (uint32_t i = 0; i < RIDE_ENCODER_SETS_MAX; i++)
        if (encoder->layouts[i] != NULL) {
            same = same && encoder->sets[i].tiles == sets[i].tiles && encoder->sets[i].arena == sets[i].arena;
            encoder->sets[i] = sets[i];
        }
    if (same) return;
    encoder->tile_index = tile_index;
    for (uint32_t i = 0; i < encoder->columns_count; i++) {
        ride_out_column *out = &encoder->columns[i];
        if (out->cell == RIDE_CELL_CONSTANT) continue;
        uint32_t set = out->column.set;
        const ride_tile_layout *layout = encoder->layouts[set];
        const uint8_t *tile = sets[set].tiles + (size_t)tile_index * layout->tile_bytes;
        out->values = ride_tile_values_const(layout, tile, out->column.column);
        out->validity = ride_tile_validity_const(layout, tile, out->column.column);
        out->arena = sets[set].arena;
    }
}

static ride_status encode(ride_encoder *encoder, const uint8_t *places, uint32_t count) {
    switch (encoder->format) {
    case RIDE_FORMAT_CSV: return ride_encode_csv(encoder, places, count);
    case RIDE_FORMAT_NDJSON: return ride_encode_ndjson(encoder, places, count);
    default: return ride_encode_binary(encoder, places, count);
    }
}

ride_status ride_encoder_write(ride_encoder *encoder, const ride_encoder_set *sets, const uint32_t *rows,
                               uint32_t row_first, uint32_t rows_count) {
    uint8_t places[RIDE_TILE_ROWS];
    for (uint32_t i = 0; i < rows_count;) {
        uint32_t first = rows != NULL ? rows[i] : row_first + i, tile = first / RIDE_TILE_ROWS, run = 0;
        for (; i < rows_count && run < RIDE_TILE_ROWS; i++, run++) {
            uint32_t row = rows != NULL ? rows[i] : row_first + i;
            if (row / RIDE_TILE_ROWS != tile) break;
            places[run] = (uint8_t)(row % RIDE_TILE_ROWS);
        }
        point_at(encoder, sets, tile);
        RIDE_TRY(encode(encoder, places, run));
    }
    return encoder->sink->failed;
}

ride_status ride_encoder_row(ride_encoder *encoder, const ride_encoder_set *sets, uint32_t row, void *to, size_t room,
                             size_t *bytes) {
    RIDE_ASSERT(encoder->of_records);
    ride_sink *sink = encoder->sink;
    const uint8_t place = (uint8_t)(row % RIDE_TILE_ROWS);
    ride_sink_aim(sink, to, room);
    point_at(encoder, sets, row / RIDE_TILE_ROWS);
    if (encode(encoder, &place, 1) != RIDE_OK) return RIDE_FULL;
    if (encoder->format != RIDE_FORMAT_BINARY) sink->used--; /* the line feed, which was written last */
    if (ride_sink_flush(sink, NULL) != RIDE_OK) return RIDE_FULL;
    *bytes = (size_t)sink->offset;
    return RIDE_OK;
}

size_t ride_encoder_row_bytes_max(const ride_encoder *encoder, size_t strings_bytes) {
    return encoder->row_room + 6 * strings_bytes;
}
