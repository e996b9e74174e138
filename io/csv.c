/* io/csv.c: the CSV decoder: the header, the blocks of clean rows, and with care every row that is not clean. */
#include "io/csv.h"
#include "io/csv_scan.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct csv {
    const ride_csv_kernels *kernels;
    ride_csv_column_fn columns[RIDE_FIELDS_MAX + 1]; /* by step */
    uint32_t fields_count;
    uint32_t *bounds, *ends;
    ride_csv_scanner scanner; /* of the record that is read with care */
    uint32_t block_rows;
    bool has_strings;
    ride_csv_block block;
    ride_csv_shape shapes[1 << RIDE_CSV_SHAPES_LOG];
    int64_t unstored[RIDE_TILE_ROWS]; /* values of steps that store nothing */
} csv;

/* The end of the unread bytes as the splitters see it: a last line without a line feed gets one behind the window. */
static size_t window_limit(const ride_source *source) {
    if (!source->at_end || source->end == source->begin || source->data[source->end - 1] == '\n') return source->end;
    source->data[source->end] = '\n';
    return source->end + 1;
}

static void consume(ride_decoder *decoder, size_t bytes, uint64_t lines) {
    size_t unread = ride_source_unread(decoder->source);
    ride_source_consume(decoder->source, bytes < unread ? bytes : unread); /* the line feed may be ours */
    decoder->line += lines;
}

/* Brings one whole record into the window. RIDE_END: nothing is left; RIDE_PENDING: it is not whole yet and may_fill is false. */
static ride_status next_record(ride_decoder *decoder, bool may_fill, ride_csv_scan_result *found,
                               ride_csv_record *record, ride_error *err) {
    const csv *state = decoder->format_data;
    ride_source *source = decoder->source;
    for (;;) {
        size_t limit = window_limit(source);
        if (limit == source->begin && source->at_end) return RIDE_END;
        *found = limit == source->begin ? RIDE_CSV_MORE
                                        : ride_csv_scan(&state->scanner, (const char *)source->data + source->begin,
                                                        limit - source->begin, !source->at_end, record);
        if (*found != RIDE_CSV_MORE) return RIDE_OK;
        if (!may_fill) return RIDE_PENDING;
        RIDE_TRY(ride_source_fill(source, err));
    }
}

static void csv_close(ride_decoder *decoder) {
    csv *state = decoder->format_data;
    if (state == NULL) return;
    free(state->bounds);
    free(state->ends);
    ride_csv_scanner_free(&state->scanner);
    free(state);
}

static ride_csv_column_fn column_function(const csv *state, const ride_step *step) {
    switch (step->type) {
    case RIDE_FIELD_BOOL: return state->kernels->boolean;
    case RIDE_FIELD_DECIMAL: return state->kernels->decimal;
    case RIDE_FIELD_STRING: return state->kernels->string;
    case RIDE_FIELD_TIMESTAMP:
        if (step->unit == RIDE_UNIT_ISO8601) return state->kernels->time_iso8601;
        return step->unit == RIDE_UNIT_US ? state->kernels->integer : state->kernels->other;
    case RIDE_FIELD_F32:
    case RIDE_FIELD_F64:
    case RIDE_FIELD_CATEGORY: return state->kernels->other;
    default: return state->kernels->integer;
    }
}

/* Gives every step the place of its field in the line. */
static ride_status match_header(ride_decoder *decoder, uint32_t count, ride_error *err) {
    csv *state = decoder->format_data;
    ride_source *source = decoder->source;
    char missing[96] = "", present[96] = "", declared[56] = "";
    uint32_t missing_count = 0, twice = RIDE_FIELDS_MAX;
    for (uint32_t i = 0; i < decoder->spec->fields_count; i++) {
        const char *name = decoder->spec->fields[i].name;
        uint32_t matches = 0, place = 0;
        for (uint32_t f = 0; f < count; f++) {
            if (state->scanner.fields[f].bytes != strlen(name) ||
                memcmp(state->scanner.fields[f].text, name, strlen(name)) != 0)
                continue;
            place = f;
            matches++;
        }
        ride_list_add(declared, sizeof declared, name, strlen(name));
        if (matches == 0) {
            missing_count++;
            ride_list_add(missing, sizeof missing, name, strlen(name));
        } else if (matches > 1) {
            twice = i;
        }
        for (uint32_t s = 0; s < decoder->steps_count; s++)
            if (decoder->steps[s].field == &decoder->spec->fields[i]) decoder->steps[s].position = place;
    }
    ride_status st = RIDE_OK;
    if (missing_count == decoder->spec->fields_count) {
        st = ride_fail(err, RIDE_E_DATA,
                       "there is no header line: none of the declared fields is named in the first line");
        ride_error_advice(err, "it must name %s", declared);
    } else if (missing_count > 0) {
        for (uint32_t f = 0; f < count; f++)
            ride_list_add(present, sizeof present, state->scanner.fields[f].text, state->scanner.fields[f].bytes);
        st = ride_fail(err, RIDE_E_DATA, "the header lacks %s; it has %s", missing, present);
        ride_error_advice(err, "%u of %u declared fields are missing", missing_count, decoder->spec->fields_count);
    } else if (twice < RIDE_FIELDS_MAX) {
        st = ride_fail(err, RIDE_E_DATA, "the header names %s twice", decoder->spec->fields[twice].name);
    }
    if (st != RIDE_OK) ride_error_where(err, "%s:1", source->path);
    return st;
}

/* Steps in the order of the line, so that the first bad field of a row is the one that is told. */
static void sort_steps(ride_decoder *decoder) {
    for (uint32_t i = 1; i < decoder->steps_count; i++)
        for (uint32_t k = i; k > 0 && decoder->steps[k].position < decoder->steps[k - 1].position; k--) {
            ride_step step = decoder->steps[k];
            decoder->steps[k] = decoder->steps[k - 1];
            decoder->steps[k - 1] = step;
        }
    for (uint32_t i = 0; i < decoder->steps_count; i++)
        if (decoder->steps[i].is_time) decoder->step_time = i;
}

static ride_status fail_memory(const ride_decoder *decoder, ride_error *err) {
    return ride_fail(err, RIDE_E_MEMORY, "no memory for the decoder of %s", decoder->source->path);
}

static ride_status begin(ride_decoder *decoder, ride_error *err) {
    csv *state = calloc(1, sizeof *state);
    decoder->format_data = state;
    if (state == NULL || !ride_csv_scanner_init(&state->scanner, decoder->source->record_bytes_max))
        return fail_memory(decoder, err);
    return RIDE_OK;
}

/* Makes ready for lines of that many fields, of which each step has its place. */
static ride_status prepare(ride_decoder *decoder, uint32_t fields_count, ride_error *err) {
    csv *state = decoder->format_data;
    sort_steps(decoder);
    state->fields_count = fields_count;
    size_t stride = state->fields_count + 1;
    state->bounds = malloc((RIDE_CSV_BLOCK_ROWS * stride + RIDE_CSV_BOUNDS_SLACK) * sizeof *state->bounds);
    state->ends = malloc(RIDE_CSV_BLOCK_ROWS * sizeof *state->ends);
    if (state->bounds == NULL || state->ends == NULL) return fail_memory(decoder, err);
    state->kernels = decoder->options.portable_only ? NULL : ride_csv_kernels_avx2();
    if (state->kernels == NULL) state->kernels = ride_csv_kernels_portable();
    for (uint32_t i = 0; i < decoder->steps_count; i++) {
        state->columns[i] = column_function(state, &decoder->steps[i]);
        state->has_strings |= decoder->steps[i].type == RIDE_FIELD_STRING;
    }
    state->block_rows = RIDE_CSV_BLOCK_ROWS;
    for (size_t i = 0; i < 1u << RIDE_CSV_SHAPES_LOG; i++)
        memset(state->shapes[i].places, 64, sizeof state->shapes[i].places);
    state->block.decoder = decoder;
    state->block.bounds = state->bounds;
    state->block.stride = (uint32_t)stride;
    RIDE_ASSERT(ride_csv_date(&state->block, (const uint8_t *)"1970-01-01T"));
    return RIDE_OK;
}

static ride_status csv_open(ride_decoder *decoder, ride_error *err) {
    ride_source *source = decoder->source;
    RIDE_TRY(begin(decoder, err));
    while (ride_source_unread(source) < 3 && !source->at_end) RIDE_TRY(ride_source_fill(source, err));
    if (ride_source_unread(source) >= 3 && memcmp(source->data + source->begin, "\xEF\xBB\xBF", 3) == 0)
        ride_source_consume(source, 3); /* a byte order mark */
    ride_csv_scan_result found;
    ride_csv_record record = {0};
    ride_status st = next_record(decoder, true, &found, &record, err);
    if (st == RIDE_END) {
        ride_fail(err, RIDE_E_DATA, "the input is empty");
        ride_error_where(err, "%s", source->path);
        ride_error_advice(err, "a CSV input begins with a header line");
        return RIDE_E_DATA;
    }
    if (st != RIDE_OK) return st;
    if (found != RIDE_CSV_RECORD || record.fields_count > RIDE_CSV_FIELDS_MAX) {
        ride_fail(err, RIDE_E_DATA, "the header line cannot be read: %s",
                  found == RIDE_CSV_QUOTES     ? "quotes do not match"
                  : found == RIDE_CSV_OVERLONG ? "it is longer than the limit"
                                               : "it has more than 4096 fields");
        ride_error_where(err, "%s:1", source->path);
        return RIDE_E_DATA;
    }
    RIDE_TRY(match_header(decoder, record.fields_count, err));
    consume(decoder, record.consumed, record.lines);
    return prepare(decoder, record.fields_count, err);
}

/* The fields lie in their declared order. */
static ride_status csv_open_records(ride_decoder *decoder, ride_error *err) {
    RIDE_TRY(begin(decoder, err));
    return prepare(decoder, decoder->spec->fields_count, err);
}

/* Tells a refused record, its sensitive fields marked when it was split as the header says. */
static void refuse(ride_decoder *decoder, ride_reject_reason reason, uint32_t column, const ride_field *field,
                   const char *raw, size_t raw_bytes, bool split) {
    const csv *state = decoder->format_data;
    decoder->spans_count = 0;
    for (uint32_t i = 0; split && i < decoder->steps_count; i++) {
        const ride_step *step = &decoder->steps[i];
        if (!step->field->sensitive || (i > 0 && decoder->steps[i - 1].field == step->field)) continue;
        const ride_csv_cell *cell = &state->scanner.fields[step->position];
        decoder->spans[decoder->spans_count++] = (ride_span){cell->raw_offset, cell->raw_bytes};
    }
    ride_decoder_refuse(decoder, reason, column, field, raw, raw_bytes, !split);
}

/* A record that could not be split: its first line is refused, and reading goes on behind that. */
static ride_status refuse_line(ride_decoder *decoder, ride_reject_reason reason, bool may_fill, ride_error *err) {
    ride_source *source = decoder->source;
    const char *text = (const char *)source->data + source->begin;
    size_t unread = ride_source_unread(source);
    size_t most = unread < source->record_bytes_max + 1 ? unread : source->record_bytes_max + 1;
    const char *feed = memchr(text, '\n', most);
    if (feed != NULL || (source->at_end && unread <= source->record_bytes_max)) {
        size_t bytes = feed != NULL ? (size_t)(feed - text) : unread;
        size_t cr = bytes > 0 && text[bytes - 1] == '\r';
        refuse(decoder, reason, 0, NULL, text, bytes - cr, false);
        consume(decoder, bytes + 1, 1);
        return RIDE_OK;
    }
    refuse(decoder, RIDE_REJECT_OVERLONG_LINE, 0, NULL, text, most, false);
    return ride_decoder_drop_line(decoder, may_fill, err);
}

/* Reads the record that was split last and appends it, or refuses it (RIDE_PUT_REFUSED, with the reason). */
static ride_put careful_record(ride_decoder *decoder, ride_batch *batch, int64_t time_stop_us, ride_row_origin *origins,
                               const ride_csv_record *record, ride_reject_reason *reason) {
    const csv *state = decoder->format_data;
    const char *text = (const char *)decoder->source->data + decoder->source->begin;
    uint32_t column = 0;
    const ride_field *field = NULL;
    bool split = record->fields_count == state->fields_count;
    *reason = split                                        ? RIDE_REJECT_NONE
              : record->fields_count < state->fields_count ? RIDE_REJECT_TOO_FEW_FIELDS
                                                           : RIDE_REJECT_TOO_MANY_FIELDS;
    for (uint32_t i = 0; i < decoder->steps_count && *reason == RIDE_REJECT_NONE; i++) {
        const ride_step *step = &decoder->steps[i];
        const ride_csv_cell *cell = &state->scanner.fields[step->position];
        ride_value *value = &decoder->values[i];
        value->is_null = cell->bytes == 0 && !(cell->quoted && step->type == RIDE_FIELD_STRING);
        if (!value->is_null) *reason = ride_value_read(step, &decoder->zone, cell->text, cell->bytes, value);
        else if (!step->nullable) *reason = RIDE_REJECT_MISSING_VALUE;
        column = cell->raw_offset + 1;
        field = step->field;
    }
    if (*reason == RIDE_REJECT_NONE) {
        ride_put put = ride_decoder_put(decoder, batch, time_stop_us, origins, text, record->bytes);
        if (put != RIDE_PUT_REFUSED) return put;
        *reason = RIDE_REJECT_STRING_TOO_LONG;
        column = 0, field = NULL;
    }
    refuse(decoder, *reason, column, field, text, record->bytes, split);
    return RIDE_PUT_REFUSED;
}

typedef enum step_result { ROW_DONE, ROW_STOP } step_result;

/* One row with care. ROW_STOP: it must wait for another call. may_fill: more of the source may be read for it. */
static ride_status careful_row(ride_decoder *decoder, ride_batch *batch, int64_t time_stop_us, ride_row_origin *origins,
                               bool may_fill, step_result *result, ride_error *err) {
    ride_csv_scan_result found = RIDE_CSV_MORE;
    ride_csv_record record = {0};
    *result = ROW_DONE;
    ride_status st = next_record(decoder, may_fill, &found, &record, err);
    bool whole = st != RIDE_OK || found == RIDE_CSV_RECORD;
    if (!whole)
        st = refuse_line(decoder, found == RIDE_CSV_QUOTES ? RIDE_REJECT_BAD_QUOTES : RIDE_REJECT_OVERLONG_LINE,
                         may_fill, err);
    if (st == RIDE_PENDING) *result = ROW_STOP;
    if (st != RIDE_OK || !whole) return st == RIDE_PENDING ? RIDE_OK : st;
    if (record.bytes == 0) {
        decoder->stats.blank_lines++;
        consume(decoder, record.consumed, 1);
        return RIDE_OK;
    }
    ride_reject_reason reason;
    ride_put put = careful_record(decoder, batch, time_stop_us, origins, &record, &reason);
    if (put == RIDE_PUT_HELD || put == RIDE_PUT_FULL) *result = ROW_STOP;
    else consume(decoder, record.consumed, record.lines);
    return RIDE_OK;
}

/* Reads the columns of a block; returns how many rows are good from the first on. */
static uint32_t read_columns(ride_decoder *decoder, ride_batch *batch, uint32_t rows_count) {
    csv *state = decoder->format_data;
    ride_csv_block *block = &state->block;
    block->batch = batch;
    block->text = decoder->source->data;
    block->tile = ride_batch_tile(batch, batch->rows_count / RIDE_TILE_ROWS);
    block->row_first = batch->rows_count % RIDE_TILE_ROWS;
    block->arena_full = false;
    for (uint32_t i = 0; i < decoder->steps_count && rows_count > 0; i++) {
        const ride_step *step = &decoder->steps[i];
        block->step = step;
        block->values = state->unstored;
        block->validity = NULL;
        uint32_t bytes = step->type == RIDE_FIELD_BOOL ? 1 : 8;
        if (step->column != RIDE_COLUMN_NONE) {
            block->values =
                (uint8_t *)ride_tile_values(batch->layout, block->tile, step->column) + block->row_first * bytes;
            block->validity = ride_tile_validity(batch->layout, block->tile, step->column);
            if (block->validity != NULL)
                for (uint32_t row = 0; row < rows_count; row++) ride_bit_set(block->validity, block->row_first + row);
        }
        rows_count = state->columns[i](block, rows_count);
        if (step->column_also != RIDE_COLUMN_NONE)
            memcpy((uint8_t *)ride_tile_values(batch->layout, block->tile, step->column_also) +
                       block->row_first * bytes,
                   block->values, (size_t)rows_count * bytes);
    }
    return rows_count;
}

/* Where the good rows of a block end: a refused row, one beyond the time stop, one for which the arena is too small. */
static uint32_t good_rows(ride_decoder *decoder, ride_batch *batch, uint32_t rows_count, int64_t time_stop_us) {
    uint32_t good = read_columns(decoder, batch, rows_count);
    if (time_stop_us == INT64_MAX) return good;
    const ride_csv_block *block = &((csv *)decoder->format_data)->block;
    const int64_t *times =
        (const int64_t *)ride_tile_values(batch->layout, block->tile, RIDE_COLUMN_TIME) + block->row_first;
    for (uint32_t row = 0; row < good; row++)
        if (times[row] > time_stop_us) return row;
    return good;
}

static void keep_origins(ride_decoder *decoder, ride_batch *batch, uint32_t rows_count, ride_row_origin *origins) {
    const csv *state = decoder->format_data;
    uint32_t begin = (uint32_t)decoder->source->begin;
    for (uint32_t row = 0; row < rows_count; row++) {
        ride_row_origin *origin = &origins[batch->rows_count + row];
        *origin = (ride_row_origin){decoder->line + row, 0, 0};
        if (decoder->options.keep_raw) {
            uint32_t end = state->bounds[(size_t)row * (state->fields_count + 1) + state->fields_count];
            origin->raw_offset = batch->arena_bytes;
            origin->raw_bytes = end - begin;
            memcpy(batch->arena + batch->arena_bytes, decoder->source->data + begin, origin->raw_bytes);
            batch->arena_bytes += origin->raw_bytes;
            begin = state->ends[row] + 1;
        }
    }
}

/* A block of clean rows. Returns how many were appended; fewer than it had is for the careful way to look at. */
static uint32_t block_rows(ride_decoder *decoder, ride_batch *batch, uint32_t rows_max, int64_t time_stop_us,
                           ride_row_origin *origins) {
    csv *state = decoder->format_data;
    ride_source *source = decoder->source;
    uint32_t in_tile = RIDE_TILE_ROWS - batch->rows_count % RIDE_TILE_ROWS;
    uint32_t most = rows_max < in_tile ? rows_max : in_tile;
    if (most > state->block_rows) most = state->block_rows;
    uint32_t rows = state->kernels->split(source->data, source->begin, window_limit(source), most, state->fields_count,
                                          source->record_bytes_max, state->shapes, state->bounds, state->ends);
    if (rows == 0) return 0;
    uint32_t arena_before = batch->arena_bytes;
    uint32_t good = good_rows(decoder, batch, rows, time_stop_us);
    if (good < rows) {
        state->block_rows = good / 2 + 1;
        if (state->has_strings) { /* what the rows behind have put there is not theirs yet */
            batch->arena_bytes = arena_before;
            if (good > 0) good = read_columns(decoder, batch, good);
        }
    } else if (state->block_rows < RIDE_CSV_BLOCK_ROWS) {
        state->block_rows *= 2;
    }
    if (good > 0 && decoder->options.keep_raw && origins != NULL &&
        state->ends[good - 1] - source->begin > batch->arena_bytes_max - batch->arena_bytes) {
        batch->arena_bytes = arena_before;
        state->block_rows = good / 2 + 1;
        return 0;
    }
    if (good == 0) return 0;
    if (origins != NULL) keep_origins(decoder, batch, good, origins);
    batch->rows_count += good;
    decoder->stats.accepted += good;
    consume(decoder, state->ends[good - 1] + 1 - source->begin, good);
    return good;
}

static ride_status csv_decode(ride_decoder *decoder, ride_batch *batch, uint32_t rows_max, int64_t time_stop_us,
                              ride_row_origin *origins, ride_error *err) {
    ride_source *source = decoder->source;
    rows_max = ride_decoder_room(batch, rows_max);
    uint32_t rows_before = batch->rows_count, rows_end = rows_before + rows_max;
    while (batch->rows_count < rows_end) {
        if (block_rows(decoder, batch, rows_end - batch->rows_count, time_stop_us, origins) > 0) continue;
        bool whole = source->at_end || memchr(source->data + source->begin, '\n', ride_source_unread(source)) != NULL;
        bool may_fill = !source->is_stream || batch->rows_count == rows_before; /* never waits with rows to give */
        if (!whole && !may_fill) return RIDE_OK;
        if (!whole && ride_source_unread(source) <= source->record_bytes_max) {
            RIDE_TRY(ride_source_fill(source, err));
            continue;
        }
        step_result result;
        RIDE_TRY(careful_row(decoder, batch, time_stop_us, origins, may_fill, &result, err));
        if (result == ROW_STOP) return RIDE_OK;
    }
    return source->at_end && ride_source_unread(source) == 0 ? RIDE_END : RIDE_OK;
}

/* One message: the fast way where it is one line, else with care. */
static ride_put csv_record(ride_decoder *decoder, ride_batch *batch, ride_reject_reason *reason) {
    csv *state = decoder->format_data;
    ride_source *source = decoder->source;
    const char *text = (const char *)source->data + source->begin;
    size_t bytes = ride_source_unread(source);
    if (memchr(text, '\n', bytes - 1) == NULL && block_rows(decoder, batch, 1, INT64_MAX, NULL) == 1)
        return RIDE_PUT_DONE;
    ride_csv_record record;
    size_t room = window_limit(source) - source->begin;
    if (ride_csv_scan(&state->scanner, text, room, false, &record) != RIDE_CSV_RECORD) *reason = RIDE_REJECT_BAD_QUOTES;
    else if (record.consumed < room) *reason = RIDE_REJECT_MANY_RECORDS;
    else if (record.bytes == 0) *reason = RIDE_REJECT_EMPTY;
    else return careful_record(decoder, batch, INT64_MAX, NULL, &record, reason);
    refuse(decoder, *reason, 0, NULL, text, bytes, false);
    return RIDE_PUT_REFUSED;
}

const ride_decoder_ops ride_decoder_csv = {"csv", csv_open, csv_close, csv_decode, csv_open_records, csv_record};
