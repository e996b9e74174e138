/* support/io_case.h: a small source with a field of every kind, decoders over text in memory, and rows as text: what the tests and
 * fuzz targets of io share. */
#ifndef RIDE_TESTS_IO_CASE_H
#define RIDE_TESTS_IO_CASE_H
#include "io/decoder.h"
#include "io/encoder.h"
#include "kernels/layout/plan.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CASE_ROWS = 1024, CASE_ARENA = 1 << 16, CASE_LOG = 1 << 16 };

typedef struct io_case {
    ride_source_spec spec;
    ride_tile_layout layout;
    ride_batch *batch;
    char log[CASE_LOG]; /* refused rows: "line:reason:column:field;" */
    size_t log_bytes;
} io_case;

static const char *const case_categories[] = {"chip", "swipe", "online"};

static inline ride_field *case_field(io_case *c, const char *name, uint32_t type, ride_type tile_type, bool nullable) {
    ride_field *field = &c->spec.fields[c->spec.fields_count++];
    snprintf(field->name, sizeof field->name, "%s", name);
    field->type = type;
    field->tile_type = tile_type;
    field->nullable = nullable;
    field->column = ride_tile_layout_add(&c->layout, tile_type, nullable);
    return field;
}

/* id u64 (the event id), t timestamp iso8601 (the event time), customer u32, amount decimal 2 with min 0, fraud bool, note string? ,
 * kind category?, score f64?, level i8?, card string (sensitive)? */
static inline void case_begin(io_case *c, bool all_kinds) {
    memset(c, 0, sizeof *c);
    c->spec.format = RIDE_FORMAT_CSV;
    c->spec.time_unit = RIDE_UNIT_ISO8601;
    ride_tile_layout_begin(&c->layout);
    ride_tile_layout_add(&c->layout, RIDE_TYPE_TIMESTAMP, 0);
    ride_tile_layout_add(&c->layout, RIDE_TYPE_TIMESTAMP, 0);
    ride_tile_layout_add(&c->layout, RIDE_TYPE_U32, 0);
    case_field(c, "id", RIDE_FIELD_U64, RIDE_TYPE_U64, false);
    case_field(c, "t", RIDE_FIELD_TIMESTAMP, RIDE_TYPE_TIMESTAMP, false);
    c->spec.field_time = 1;
    case_field(c, "customer", RIDE_FIELD_U32, RIDE_TYPE_I64, false);
    ride_field *amount = case_field(c, "amount", RIDE_FIELD_DECIMAL, RIDE_TYPE_DECIMAL, false);
    amount->scale = 2;
    amount->has_min = true;
    case_field(c, "fraud", RIDE_FIELD_BOOL, RIDE_TYPE_BOOL, false);
    if (all_kinds) {
        case_field(c, "note", RIDE_FIELD_STRING, RIDE_TYPE_STRING, true);
        ride_field *kind = case_field(c, "kind", RIDE_FIELD_CATEGORY, RIDE_TYPE_I64, true);
        kind->categories = case_categories;
        kind->categories_count = 3;
        case_field(c, "score", RIDE_FIELD_F64, RIDE_TYPE_F64, true);
        case_field(c, "level", RIDE_FIELD_I8, RIDE_TYPE_I64, true);
        case_field(c, "card", RIDE_FIELD_STRING, RIDE_TYPE_STRING, true)->sensitive = true;
    }
    ride_tile_layout_finish(&c->layout);
    if (ride_batch_create(&c->layout, CASE_ROWS, CASE_ARENA, &c->batch, NULL) != RIDE_OK) abort();
}
static inline void case_end(io_case *c) { ride_batch_destroy(c->batch); }

static inline void case_on_reject(void *context, const ride_reject *reject) {
    io_case *c = context;
    int n = snprintf(c->log + c->log_bytes, sizeof c->log - c->log_bytes, "%" PRIu64 ":%s:%u:%s;", reject->line,
                     ride_reject_word(reject->reason), reject->column, reject->field != NULL ? reject->field : "");
    if (n > 0 && c->log_bytes + (size_t)n < sizeof c->log) c->log_bytes += (size_t)n;
}

/* A row as text, for comparison: fields joined by '|', null as '-'. */
static inline size_t case_row_text(const io_case *c, const ride_batch *batch, uint32_t row, char *text, size_t room) {
    void *tile = ride_batch_tile(batch, row / RIDE_TILE_ROWS);
    uint32_t at = row % RIDE_TILE_ROWS;
    size_t n =
        (size_t)snprintf(text, room, "%" PRId64, ((int64_t *)ride_tile_values(&c->layout, tile, RIDE_COLUMN_TIME))[at]);
    for (uint32_t i = 0; i < c->spec.fields_count && n < room; i++) {
        const ride_field *field = &c->spec.fields[i];
        const void *values = ride_tile_values(&c->layout, tile, field->column);
        if (!ride_valid(ride_tile_validity(&c->layout, tile, field->column), at)) {
            n += (size_t)snprintf(text + n, room - n, "|-");
            continue;
        }
        switch (field->tile_type) {
        case RIDE_TYPE_BOOL: n += (size_t)snprintf(text + n, room - n, "|%u", ((const uint8_t *)values)[at]); break;
        case RIDE_TYPE_U64:
            n += (size_t)snprintf(text + n, room - n, "|%" PRIu64, ((const uint64_t *)values)[at]);
            break;
        case RIDE_TYPE_F64: n += (size_t)snprintf(text + n, room - n, "|%a", ((const double *)values)[at]); break;
        case RIDE_TYPE_STRING: {
            ride_slice slice = ((const ride_slice *)values)[at];
            n += (size_t)snprintf(text + n, room - n, "|%.*s", (int)slice.bytes, batch->arena + slice.offset);
            break;
        }
        default: n += (size_t)snprintf(text + n, room - n, "|%" PRId64, ((const int64_t *)values)[at]); break;
        }
    }
    return n < room ? n : room - 1;
}

typedef struct case_run {
    ride_format format;
    bool portable_only;
    uint32_t rows_max;       /* per call; 0 = all */
    size_t record_bytes_max; /* 0 = default */
} case_run;

/* Decodes the text; all rows as lines in `rows` (malloc'ed, the caller frees), refused ones in c->log. Returns the status
 * of the open, or of the last decode. */
static inline ride_status case_decode(io_case *c, const case_run *run, const void *text, size_t bytes, char **rows,
                                      ride_decoder_stats *stats, ride_error *err) {
    ride_source *source = NULL;
    ride_decoder *decoder = NULL;
    ride_decoder_options options = {.spec = &c->spec,
                                    .format = run->format,
                                    .on_reject = case_on_reject,
                                    .reject_context = c,
                                    .portable_only = run->portable_only};
    size_t used = 0, room = 4 * bytes + (1 << 16);
    *rows = calloc(1, room);
    c->log_bytes = 0;
    c->log[0] = '\0';
    ride_status st = ride_source_open_memory("case", text, bytes, run->record_bytes_max, &source, err);
    if (st == RIDE_OK) st = ride_decoder_open(&options, source, &decoder, err);
    while (st == RIDE_OK) {
        ride_batch_clear(c->batch);
        st = ride_decoder_decode(decoder, c->batch, run->rows_max != 0 ? run->rows_max : UINT32_MAX, INT64_MAX, NULL,
                                 err);
        for (uint32_t row = 0; row < c->batch->rows_count; row++) {
            if (room - used < (1 << 13) + CASE_ARENA) {
                room *= 2;
                *rows = realloc(*rows, room);
            }
            used += case_row_text(c, c->batch, row, *rows + used, room - used - 2);
            (*rows)[used++] = '\n';
            (*rows)[used] = '\0';
        }
    }
    if (decoder != NULL && stats != NULL) *stats = *ride_decoder_get_stats(decoder);
    ride_decoder_close(decoder);
    ride_source_close(source);
    return st;
}

#define CASE_HEADER "id,t,customer,amount,fraud,note,kind,score,level,card\n"

/* Columns that write the case's fields back as its decoders read them. */
static inline uint32_t case_columns(const io_case *c, ride_encoder_column *columns) {
    for (uint32_t i = 0; i < c->spec.fields_count; i++) {
        const ride_field *field = &c->spec.fields[i];
        columns[i] = (ride_encoder_column){.name = field->name,
                                           .column = field->column,
                                           .scale = field->scale,
                                           .unit = RIDE_UNIT_ISO8601,
                                           .field_type = field->type};
        if (field->type == RIDE_FIELD_CATEGORY) {
            columns[i].encoding = RIDE_ENCODING_TEXTS;
            columns[i].texts = field->categories;
            columns[i].texts_count = field->categories_count;
        }
    }
    return c->spec.fields_count;
}

/* Rows of every kind with long strings and awkward doubles, as CSV. */
static inline char *case_random_csv(uint32_t count) {
    char *text = malloc((size_t)count * 700 + 1024);
    size_t n = (size_t)sprintf(text, CASE_HEADER);
    uint64_t state = 7;
    for (uint32_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint32_t r = (uint32_t)(state >> 33);
        double score;
        uint64_t bits = state ^ state >> 17;
        memcpy(&score, &bits, sizeof score);
        n += (size_t)sprintf(text + n, "%u,2018-%02u-%02uT%02u:00:%02u.%03uZ,%u,%u.%02u,%u,", i, r % 12 + 1, r % 28 + 1,
                             r % 24, r % 60, r % 1000, r, r % 900, r % 100, r % 2);
        if (r % 3 == 0) n += (size_t)sprintf(text + n, "\"%0*u,\"\"\n\"", (int)(r % 400) + 1, 0);
        else if (r % 3 == 1) n += (size_t)sprintf(text + n, "n%u", r);
        n += (size_t)sprintf(text + n, ",%s,", r % 4 == 3 ? "" : case_categories[r % 4]);
        if (isfinite(score)) n += (size_t)sprintf(text + n, "%.17g", score);
        n += (size_t)sprintf(text + n, ",%d,%u\n", (int)(r % 256) - 128, r);
    }
    return text;
}
/* The messages of the case's fields: one decoder of records, and the bytes of a file's header before them. */
static inline ride_decoder *case_records(io_case *c, ride_format format, size_t record_bytes_max) {
    ride_decoder_options options = {.spec = &c->spec,
                                    .format = format,
                                    .on_reject = case_on_reject,
                                    .reject_context = c};
    ride_decoder *decoder = NULL;
    if (ride_decoder_open_records(&options, "topic", record_bytes_max, &decoder, NULL) != RIDE_OK) abort();
    return decoder;
}
static inline size_t case_file_header(const io_case *c, ride_format format, void *to, size_t room) {
    ride_encoder_column columns[RIDE_FIELDS_MAX];
    ride_encoder_options options = {.format = format,
                                    .columns = columns,
                                    .columns_count = case_columns(c, columns),
                                    .layouts = {&c->layout}};
    ride_sink *sink = NULL;
    ride_encoder *encoder = NULL;
    if (ride_sink_open_memory(to, room, &sink, NULL) != RIDE_OK ||
        ride_encoder_open(&options, sink, &encoder, NULL) != RIDE_OK)
        abort();
    size_t bytes = (size_t)ride_sink_offset(sink);
    ride_encoder_close(encoder);
    if (ride_sink_close(sink, NULL) != RIDE_OK) abort();
    return bytes;
}
/* Decodes one message into the emptied batch: its row as a line in `row` (or ""), or its refusal in c->log. */
static inline ride_status case_record(io_case *c, ride_decoder *decoder, const void *bytes, size_t count,
                                      uint64_t number, char *row, size_t room) {
    ride_reject_reason reason;
    ride_batch_clear(c->batch);
    c->log_bytes = 0;
    c->log[0] = row[0] = '\0';
    ride_status st = ride_decoder_record(decoder, c->batch, bytes, count, number, &reason);
    if ((st == RIDE_E_DATA) != (reason != RIDE_REJECT_NONE) || (st == RIDE_OK) != (c->batch->rows_count == 1)) abort();
    if (st == RIDE_OK) strcpy(row + case_row_text(c, c->batch, 0, row, room - 2), "\n");
    return st;
}

/* What a fuzz target checks of a format: the same rows and refusals however the calls are cut, at a glance and with care. */
static inline void case_fuzz_cuts(ride_format format, const uint8_t *data, size_t size) {
    static io_case whole, cut;
    char *whole_rows, *cut_rows;
    if (whole.batch == NULL) {
        case_begin(&whole, true);
        case_begin(&cut, true);
    }
    case_run run = {.format = format, .record_bytes_max = 4096};
    ride_status a = case_decode(&whole, &run, data, size, &whole_rows, NULL, NULL);
    run.rows_max = 1;
    run.portable_only = true;
    ride_status b = case_decode(&cut, &run, data, size, &cut_rows, NULL, NULL);
    if (a != b || strcmp(whole_rows, cut_rows) != 0 || strcmp(whole.log, cut.log) != 0) abort();
    free(whole_rows);
    free(cut_rows);
}

#endif
