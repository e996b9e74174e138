/* io/encoder_internal.h: what the encoders share. Internal to io. */
#ifndef RIDE_IO_ENCODER_INTERNAL_H
#define RIDE_IO_ENCODER_INTERNAL_H
#include "io/encoder.h"

/* How a cell is written: the column's type and encoding in one. */
typedef enum ride_cell {
    RIDE_CELL_BOOL = 1,
    RIDE_CELL_I64,
    RIDE_CELL_U64,
    RIDE_CELL_F64,
    RIDE_CELL_DECIMAL,
    RIDE_CELL_TIME,
    RIDE_CELL_STRING,
    RIDE_CELL_HASH, /* KEY128 */
    RIDE_CELL_HEX,  /* U64 */
    RIDE_CELL_U32,
    RIDE_CELL_F32,
    RIDE_CELL_TEXTS,
    RIDE_CELL_CONSTANT,
} ride_cell;

enum { RIDE_CELL_BYTES = 48, RIDE_STRING_ROOM = 256, RIDE_DOUBLES_LOG = 10 };

typedef struct ride_out_column {
    ride_encoder_column column;
    ride_cell cell;
    uint32_t type; /* ride_type of the tile's column */
    uint32_t texts_bytes_max;
    char *key; /* NDJSON: `,"name":` with escapes; the first of an object with a brace for the comma */
    uint32_t key_bytes;
    char *list_key;                                      /* of a list's first column: `,"name":[` */
    uint32_t list_key_bytes, list_columns, item_columns; /* of the list, and of each of its objects */
    char *constant; /* CONSTANT: ready to be written; the texts of TEXTS are escaped when written */
    uint32_t constant_bytes;
    uint32_t wire_type, wire_place; /* binary */
    int32_t wire_validity;          /* bit, or -1 */
    const void *values;             /* of the tile being written */
    const uint8_t *validity;
    const char *arena;
} ride_out_column;

/* A double whose text was made lately: ratios and averages come back. Exact: the bits are compared. */
typedef struct ride_double_text {
    uint64_t bits;
    char text[23];
    uint8_t bytes; /* 0 = empty */
} ride_double_text;

/* A whole number below RIDE_WHOLES as text. */
typedef struct ride_whole_text {
    char text[3];
    uint8_t bytes;
} ride_whole_text;
enum { RIDE_WHOLES = 1000 };

struct ride_encoder {
    ride_format format;
    ride_sink *sink;
    bool of_records; /* the sink is the encoder's own, aimed anew for each row */
    const ride_tile_layout *layouts[RIDE_ENCODER_SETS_MAX];
    ride_out_column *columns;
    uint32_t columns_count;
    const ride_encoder_column *given;             /* while it is opened */
    ride_encoder_set sets[RIDE_ENCODER_SETS_MAX]; /* where the columns point to */
    uint32_t tile_index;
    size_t row_room; /* what a row takes at most, long strings apart */
    bool has_strings;
    uint32_t wire_row_bytes, wire_validity_bytes;
    ride_whole_text wholes[RIDE_WHOLES];
    ride_double_text doubles[1 << RIDE_DOUBLES_LOG];
};

/* Writes rows of one tile (their places in it); the columns' pointers are set. */
ride_status ride_encode_csv(ride_encoder *encoder, const uint8_t *rows, uint32_t rows_count);
ride_status ride_encode_ndjson(ride_encoder *encoder, const uint8_t *rows, uint32_t rows_count);
ride_status ride_encode_binary(ride_encoder *encoder, const uint8_t *rows, uint32_t rows_count);

void ride_encode_text_open(ride_encoder *encoder); /* fills the table of whole numbers */
ride_status ride_encode_csv_header(ride_encoder *encoder);
ride_status ride_encode_binary_open(ride_encoder *encoder, bool no_header, ride_error *err);

static inline bool ride_cell_valid(const ride_out_column *column, uint32_t row) {
    return column->validity == NULL || ride_bit_get(column->validity, row);
}

/* The text that stands for an integer value, or NULL. */
static inline const char *ride_cell_text(const ride_out_column *column, uint32_t row) {
    uint64_t value;
    switch (column->type) {
    case RIDE_TYPE_BOOL: value = ((const uint8_t *)column->values)[row]; break;
    case RIDE_TYPE_U32: value = ((const uint32_t *)column->values)[row]; break;
    default: value = ((const uint64_t *)column->values)[row]; break;
    }
    return value < column->column.texts_count ? column->column.texts[value] : NULL;
}

#endif
