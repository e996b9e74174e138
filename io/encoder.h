/* io/encoder.h: rows of tiles → CSV, NDJSON or the binary record (docs/binary.md), into a sink.
 *
 * The caller says once which columns go out, in order; each comes from one of up to RIDE_ENCODER_SETS_MAX sets of tiles that run
 * row by row in parallel (the input batch, the output tiles of a backend, the engine's own), or is a constant text. Then it
 * hands over tiles and which rows of them. The bytes depend on the rows only, never on how they were cut into calls.
 *
 * Text. Integers as integers, bools as 0 and 1 (true and false in JSON), decimals in plain notation without
 * needless zeros, doubles as the shortest text that reads back to the same bits, timestamps in the unit given, hashes as 32
 * hexadecimal digits. A null, and a double that is NaN, is an empty field in CSV, `null` in JSON, NaN or a cleared
 * validity bit in binary. Strings are quoted in CSV only where they must be.
 *
 * One thread at a time. Nothing allocates after open. */
#ifndef RIDE_IO_ENCODER_H
#define RIDE_IO_ENCODER_H
#include "base/batch.h"
#include "features/schema.h"
#include "io/sink.h"

enum { RIDE_ENCODER_SETS_MAX = 4, RIDE_ENCODER_COLUMNS_MAX = 1280, RIDE_ENCODER_CONSTANT = UINT32_MAX };

typedef enum ride_encoding {
    RIDE_ENCODING_NATURAL = 0, /* as the column's type says */
    RIDE_ENCODING_TEXTS,       /* an integer column (U32, I64, BOOL): texts[value]; beyond them null */
    RIDE_ENCODING_HEX,         /* KEY128, U64: hexadecimal, most significant first */
} ride_encoding;

typedef struct ride_encoder_column {
    const char *name;         /* borrowed until close, as are the texts */
    uint32_t set;             /* which set of tiles, or RIDE_ENCODER_CONSTANT */
    uint32_t column;          /* column there; its type and nullability are the layout's */
    uint32_t encoding;        /* ride_encoding */
    int32_t scale;            /* DECIMAL */
    ride_time_unit unit;      /* TIMESTAMP: 0 = microseconds */
    uint32_t field_type;      /* ride_field_type for the binary header; 0 = by the column's type */
    const char *const *texts; /* TEXTS */
    uint32_t texts_count;
    const char *constant; /* RIDE_ENCODER_CONSTANT: the text of every row; NULL = null */
    /* NDJSON: columns side by side with one `list` are one member, an array of objects: each column of the first `member`'s name begins another. Where
     * that is null the object is left out. In CSV and binary they are columns like others. NULL: none. */
    const char *list, *member;
} ride_encoder_column;

/* One set of tiles: what a batch is, or what a backend gave back. */
typedef struct ride_encoder_set {
    const uint8_t *tiles;
    const char *arena; /* of its string columns; may be NULL */
} ride_encoder_set;

typedef struct ride_encoder_options {
    ride_format format;
    const ride_encoder_column *columns; /* copied; what they point to is borrowed */
    uint32_t columns_count;
    const ride_tile_layout *layouts[RIDE_ENCODER_SETS_MAX]; /* borrowed until close */
    bool no_header; /* CSV, binary: for a run that goes on behind an earlier one's output */
} ride_encoder_options;

typedef struct ride_encoder ride_encoder;

/* Checks the columns against the layouts (our own mistakes assert) and writes the header. Borrows the sink until close. */
ride_status ride_encoder_open(const ride_encoder_options *options, ride_sink *sink, ride_encoder **out,
                              ride_error *err);
/* Writes the rows row_first … row_first + rows_count - 1, or, with rows not NULL, the rows named there (rows_count of them).
 * Returns RIDE_OK or the sink's failure. */
ride_status ride_encoder_write(ride_encoder *encoder, const ride_encoder_set *sets, const uint32_t *rows,
                               uint32_t row_first, uint32_t rows_count);

/* Single records: results as messages. No header (no_header means nothing), no sink: each row goes where the caller says. */
ride_status ride_encoder_open_records(const ride_encoder_options *options, ride_encoder **out, ride_error *err);
/* Writes one row into `to`: the bytes it has in a file, without the line feed of CSV and NDJSON. RIDE_FULL: `room` is too small; what
 * is in `to` then is of no use. */
ride_status ride_encoder_row(ride_encoder *encoder, const ride_encoder_set *sets, uint32_t row, void *to, size_t room,
                             size_t *bytes);
/* No row is longer whose strings have strings_bytes together. */
size_t ride_encoder_row_bytes_max(const ride_encoder *encoder, size_t strings_bytes);

/* `text` as CSV or JSON writes it, with its quotes; returns its bytes. `to` has room for 2 + 2 or 6 bytes for each. */
size_t ride_csv_quote(const char *text, size_t bytes, char *to);
size_t ride_json_quote(const char *text, size_t bytes, char *to);
void ride_encoder_close(ride_encoder *encoder); /* frees; the sink stays open. NULL is fine */

#endif
