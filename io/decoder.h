/* io/decoder.h: bytes → rows of a batch. Three decoders (CSV, NDJSON, binary record) behind one table; each is a column
 * program built at open from the source's declaration in the spec.
 *
 * A decoder fills, for every row it accepts, the columns of the source's fields (ride_field.column; RIDE_COLUMN_NONE:
 * checked, not stored) and the event time in RIDE_COLUMN_TIME, appending behind batch->rows_count. The other system
 * columns and the key columns are the engine's. A row that cannot be read is a ride_reject: told to the caller's
 * function at once, counted by reason, and the run goes on. Every declared field is checked whether anything uses it or not;
 * what is not declared is skipped.
 *
 * Values. Decimals are exact: rounded half away from zero at the scale, on the decimal text (exponents accepted;
 * `rounding: error` refuses what is not exact). Integers are range-checked by their declared type; NaN, infinities and
 * hexadecimal are refused; bool is 0, 1, true or false; strings are checked UTF-8, copied to the batch's arena; ns
 * timestamps are floored to µs; an empty CSV field or a JSON null is null where the field is nullable. A null's value in
 * the tile is zero.
 *
 * CSV: RFC 4180 with a header line that maps names to fields in any order; LF or CRLF; blank lines are passed over; a
 * last line needs no line end; columns nobody declared are passed over; a row with more or fewer fields than the header
 * is rejected. A quote that is not closed rejects its own line only. NDJSON: one object a line, checked strictly (unknown
 * members too); numbers may also come as strings. Binary: docs/binary.md.
 *
 * One thread at a time. After open nothing allocates. */
#ifndef RIDE_IO_DECODER_H
#define RIDE_IO_DECODER_H
#include "base/batch.h"
#include "features/schema.h"
#include "io/source.h"

/* X(NAME, word of the counters and dead letters, text for people) */
#define RIDE_REJECT_LIST(X)                                                                                            \
    X(TOO_FEW_FIELDS, "too_few_fields", "fewer fields than the header has")                                            \
    X(TOO_MANY_FIELDS, "too_many_fields", "more fields than the header has")                                           \
    X(BAD_QUOTES, "bad_quotes", "quotes do not match")                                                                 \
    X(OVERLONG_LINE, "overlong_line", "the line is longer than the limit")                                             \
    X(INVALID_UTF8, "invalid_utf8", "not valid UTF-8")                                                                 \
    X(MISSING_FIELD, "missing_field", "the field is missing")                                                          \
    X(MISSING_VALUE, "missing_value", "the value is empty and the field is not nullable")                              \
    X(WRONG_TYPE, "wrong_type", "the value has another type than declared")                                            \
    X(NOT_INTEGER, "not_an_integer", "not an integer")                                                                 \
    X(NOT_NUMBER, "not_a_number", "not a decimal number")                                                              \
    X(NOT_FINITE, "not_finite", "NaN and infinities are no values")                                                    \
    X(NOT_BOOL, "not_a_bool", "not 0, 1, true or false")                                                               \
    X(NOT_TIME, "not_a_timestamp", "not a timestamp of the declared unit")                                             \
    X(OUT_OF_RANGE, "out_of_range", "outside the range of the declared type")                                          \
    X(TIME_OUT_OF_RANGE, "time_out_of_range", "the time is outside the years 1 to 9999")                               \
    X(BELOW_MIN, "below_min", "below the declared minimum")                                                            \
    X(ABOVE_MAX, "above_max", "above the declared maximum")                                                            \
    X(INEXACT, "inexact", "more digits than the scale holds, and rounding is refused")                                 \
    X(UNKNOWN_CATEGORY, "unknown_category", "not one of the declared categories")                                      \
    X(STRING_TOO_LONG, "string_too_long", "the strings of the row are longer than a batch can hold")                   \
    X(BAD_JSON, "bad_json", "not a JSON object")                                                                       \
    X(DUPLICATE_FIELD, "duplicate_field", "the member appears twice")                                                  \
    X(BAD_RECORD, "bad_record", "the binary record is damaged")                                                        \
    X(TOO_FAR_AHEAD, "too_far_ahead", "the event time is too far ahead of its arrival")                                \
    X(EMPTY, "empty", "the message has no value")                                                                      \
    X(MANY_RECORDS, "many_records", "the message holds more than one record")

typedef enum ride_reject_reason {
#define RIDE_REJECT_ENUM(name, word, text) RIDE_REJECT_##name,
    RIDE_REJECT_LIST(RIDE_REJECT_ENUM)
#undef RIDE_REJECT_ENUM
        RIDE_REJECT_COUNT,
    RIDE_REJECT_NONE = RIDE_REJECT_COUNT, /* no reason: the row is good */
} ride_reject_reason;
const char *ride_reject_word(ride_reject_reason reason); /* "too_few_fields" */
const char *ride_reject_text(ride_reject_reason reason);

/* A stretch of a record that must not be shown. */
typedef struct ride_span {
    uint32_t offset, bytes;
} ride_span;

/* One row that was refused. Everything is borrowed until the function returns. */
typedef struct ride_reject {
    ride_reject_reason reason;
    uint64_t line;     /* 1-based; binary: record number; a message: its number */
    uint64_t offset;   /* of the record in the decompressed stream; a message: its number */
    uint32_t column;   /* 1-based byte of the line where the trouble is; 0 = the whole line */
    const char *file;  /* as opened */
    const char *field; /* name of the field, or NULL */
    const char *raw;   /* the record without its line end; an overlong one is cut */
    uint32_t raw_bytes;
    const ride_span *sensitive; /* parts of raw to redact, ascending */
    uint32_t sensitive_count;
    bool redact_all; /* sensitive parts could not be told apart: show nothing of raw */
} ride_reject;
typedef void (*ride_reject_fn)(void *context, const ride_reject *reject);

/* Where an accepted row came from. */
typedef struct ride_row_origin {
    uint64_t line;
    uint32_t raw_offset, raw_bytes; /* with keep_raw: the record's text in the batch's arena; else 0, 0 */
} ride_row_origin;

typedef struct ride_decoder_options {
    const ride_source_spec *spec; /* borrowed until close */
    ride_format format;           /* 0 = as the spec says */
    /* Local wall-clock µs → UTC µs for times without an offset; NULL = spec->zone_offset_us is subtracted. */
    int64_t (*local_to_utc)(const void *zone, int64_t local_us);
    const void *zone;
    ride_reject_fn on_reject; /* may be NULL */
    void *reject_context;
    bool keep_raw;      /* copy the text of accepted rows to the arena */
    bool portable_only; /* tests: no SIMD variants, and every JSON object with care */
} ride_decoder_options;

typedef struct ride_decoder_stats {
    uint64_t accepted, rejected, blank_lines;
    uint64_t by_reason[RIDE_REJECT_COUNT];
} ride_decoder_stats;

typedef struct ride_decoder ride_decoder;

/* Reads the header and builds the column program. Borrows the source until close. RIDE_E_DATA, named: the input is empty;
 * there is no header line; declared fields are missing (both lists are told); a name appears twice; binary: another
 * schema. */
ride_status ride_decoder_open(const ride_decoder_options *options, ride_source *source, ride_decoder **out,
                              ride_error *err);
void ride_decoder_close(ride_decoder *decoder); /* NULL is fine; the source stays the caller's */

/* Appends up to rows_max rows to the batch. origins (may be NULL) is indexed like the batch's rows. A row whose event time is
 * greater than time_stop_us (INT64_MAX = never) is held back, and its time is told by ride_decoder_held.
 *   RIDE_OK    there may be more: rows_max is reached, a row is held back, the batch or its arena is full, or the
 *              input is a stream that has no more bytes yet (never waits while it has rows to give)
 *   RIDE_END   the input is at its end; rows may have been appended
 *   else       the input failed, or RIDE_INTERRUPTED (ride_source_wait.stop); rows before that are in the batch, and the
 *              next call tells the failure again */
ride_status ride_decoder_decode(ride_decoder *decoder, ride_batch *batch, uint32_t rows_max, int64_t time_stop_us,
                                ride_row_origin *origins, ride_error *err);
/* True and the event time when the last decode held a row back. It is decoded again by the next call. */
bool ride_decoder_held(const ride_decoder *decoder, int64_t *time_us);
/* Start of the next row that was neither given nor rejected. Save it, and go on there in a new process. */
ride_position ride_decoder_position(const ride_decoder *decoder);
/* Goes on at a saved position: right after open, before the first decode. */
ride_status ride_decoder_resume(ride_decoder *decoder, ride_position position, ride_error *err);

/* Single messages, each one event, from wherever they come (a topic, a request): a decoder without a source, under the same rules
 * of values. `name` is what messages for people and rejects call their origin (the topic; copied). record_bytes_max: 0 =
 * RIDE_LINE_BYTES_MAX. A decoder of records is used with ride_decoder_record, get_stats and close only; keep_raw means nothing.
 *   NDJSON   one object, with any white space in and around it, line feeds too
 *   CSV      one record without a header line, its fields all there in the order in which the source declares them; a line end
 *            behind it is fine
 *   binary   one row of docs/binary.md without the file's header ("Messages" there) */
ride_status ride_decoder_open_records(const ride_decoder_options *options, const char *name, size_t record_bytes_max,
                                      ride_decoder **out, ride_error *err);
/* Decodes the message bytes[0, bytes_count), which need no padding and are not kept; bytes may be NULL (no value) when the count is
 * 0. `number` stands for its line in what is told: its offset in the log. *reason: RIDE_REJECT_NONE but for RIDE_E_DATA.
 *   RIDE_OK      a row was appended behind batch->rows_count
 *   RIDE_E_DATA  it was refused: counted, and told to on_reject
 *   RIDE_FULL    the batch has no room, or its arena none for these strings: nothing was taken, call again with another batch */
ride_status ride_decoder_record(ride_decoder *decoder, ride_batch *batch, const void *bytes, size_t bytes_count,
                                uint64_t number, ride_reject_reason *reason);

const ride_decoder_stats *ride_decoder_get_stats(const ride_decoder *decoder);

#endif
