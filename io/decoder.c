/* io/decoder.c: the table of decoders and what they share. */
#include "io/decoder_internal.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const reject_words[RIDE_REJECT_COUNT] = {
#define WORD(name, word, text) word,
    RIDE_REJECT_LIST(WORD)
#undef WORD
};
static const char *const reject_texts[RIDE_REJECT_COUNT] = {
#define TEXT(name, word, text) text,
    RIDE_REJECT_LIST(TEXT)
#undef TEXT
};
const char *ride_reject_word(ride_reject_reason reason) {
    return (unsigned)reason < RIDE_REJECT_COUNT ? reject_words[reason] : "unknown";
}
const char *ride_reject_text(ride_reject_reason reason) {
    return (unsigned)reason < RIDE_REJECT_COUNT ? reject_texts[reason] : "unknown reason";
}

static void add_step(ride_decoder *decoder, uint32_t field_index, uint32_t type, uint32_t column, bool is_time) {
    const ride_field *field = &decoder->spec->fields[field_index];
    ride_step *step = &decoder->steps[decoder->steps_count];
    *step = (ride_step){.field = field,
                        .type = type,
                        .unit = is_time ? decoder->spec->time_unit : field->unit,
                        .position = field_index,
                        .column = column,
                        .column_also = RIDE_COLUMN_NONE,
                        .is_time = is_time,
                        .nullable = field->nullable && !is_time};
    if (is_time) {
        decoder->step_time = decoder->steps_count;
        if (column == RIDE_COLUMN_NONE) step->column = RIDE_COLUMN_TIME;
        else if (column != RIDE_COLUMN_TIME) step->column_also = RIDE_COLUMN_TIME;
    }
    ride_step_bounds(step);
    decoder->steps_count++;
}

static void build_program(ride_decoder *decoder) {
    const ride_source_spec *spec = decoder->spec;
    for (uint32_t i = 0; i < spec->fields_count; i++) {
        const ride_field *field = &spec->fields[i];
        bool is_time = (int32_t)i == spec->field_time;
        add_step(decoder, i, field->type, field->column, is_time && field->type == RIDE_FIELD_TIMESTAMP);
        if (is_time && field->type != RIDE_FIELD_TIMESTAMP)
            add_step(decoder, i, RIDE_FIELD_TIMESTAMP, RIDE_COLUMN_TIME, true);
        decoder->has_sensitive |= field->sensitive;
    }
}

/* What is kept of the steps, which have the order of the open format's fields by now. */
static void build_stores(ride_decoder *decoder) {
    for (uint32_t i = 0; i < decoder->steps_count; i++) {
        const ride_step *step = &decoder->steps[i];
        const uint32_t columns[] = {step->column, step->column_also};
        for (int k = 0; k < 2; k++) {
            if (columns[k] == RIDE_COLUMN_NONE) continue;
            decoder->stores[decoder->stores_count].step = i;
            decoder->stores[decoder->stores_count++].column = columns[k];
        }
        if (step->type == RIDE_FIELD_STRING && step->column != RIDE_COLUMN_NONE)
            decoder->strings[decoder->strings_count++] = i;
    }
}

/* A decoder without its source and its format's own. */
static ride_status decoder_new(const ride_decoder_options *options, const char *name, ride_decoder **out,
                               ride_error *err) {
    const ride_source_spec *spec = options->spec;
    RIDE_ASSERT(spec->fields_count <= RIDE_FIELDS_MAX);
    RIDE_ASSERT(spec->field_time >= 0 && (uint32_t)spec->field_time < spec->fields_count);
    ride_decoder *decoder = calloc(1, sizeof *decoder);
    if (decoder == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the decoder of %s", name);
    decoder->options = *options;
    decoder->spec = spec;
    decoder->zone = (ride_zone_rule){options->local_to_utc, options->zone, spec->zone_offset_us};
    decoder->line = 1;
    build_program(decoder);
    switch (options->format != 0 ? options->format : spec->format) {
    case RIDE_FORMAT_NDJSON: decoder->ops = &ride_decoder_ndjson; break;
    case RIDE_FORMAT_BINARY: decoder->ops = &ride_decoder_binary; break;
    default: decoder->ops = &ride_decoder_csv; break;
    }
    *out = decoder;
    return RIDE_OK;
}

ride_status ride_decoder_open(const ride_decoder_options *options, ride_source *source, ride_decoder **out,
                              ride_error *err) {
    ride_decoder *decoder = NULL;
    RIDE_TRY(decoder_new(options, source->path, &decoder, err));
    decoder->source = source;
    ride_status st = decoder->ops->open(decoder, err);
    if (st != RIDE_OK) {
        ride_decoder_close(decoder);
        return st;
    }
    build_stores(decoder);
    *out = decoder;
    return RIDE_OK;
}

enum { RECORD_BEGIN = 1 /* as behind a header: the splitters of CSV look a byte back */ };

/* What a message lies in while it is decoded: padded before and behind, with a byte for a line feed. */
static ride_source *record_source(const char *name, size_t record_bytes_max) {
    ride_source *source = calloc(1, sizeof *source);
    uint8_t *room = calloc(1, RECORD_BEGIN + record_bytes_max + 1 + 2 * RIDE_SOURCE_PADDING);
    char *path = strdup(name);
    if (source == NULL || room == NULL || path == NULL) {
        free(source);
        free(room);
        free(path);
        return NULL;
    }
    *source = (ride_source){.data = room + RIDE_SOURCE_PADDING,
                            .at_end = true,
                            .record_bytes_max = record_bytes_max,
                            .path = path};
    return source;
}

ride_status ride_decoder_open_records(const ride_decoder_options *options, const char *name, size_t record_bytes_max,
                                      ride_decoder **out, ride_error *err) {
    ride_decoder *decoder = NULL;
    if (record_bytes_max == 0) record_bytes_max = RIDE_LINE_BYTES_MAX;
    RIDE_TRY(decoder_new(options, name, &decoder, err));
    decoder->of_records = true;
    decoder->source = record_source(name, record_bytes_max);
    ride_status st = decoder->source == NULL ? ride_fail(err, RIDE_E_MEMORY, "no memory for the decoder of %s", name)
                                             : decoder->ops->open_records(decoder, err);
    if (st != RIDE_OK) {
        ride_decoder_close(decoder);
        return st;
    }
    build_stores(decoder);
    *out = decoder;
    return RIDE_OK;
}

void ride_decoder_close(ride_decoder *decoder) {
    if (decoder == NULL) return;
    decoder->ops->close(decoder);
    if (decoder->of_records && decoder->source != NULL) {
        free(decoder->source->data - RIDE_SOURCE_PADDING);
        free(decoder->source->path);
        free(decoder->source);
    }
    free(decoder);
}

ride_status ride_decoder_record(ride_decoder *decoder, ride_batch *batch, const void *bytes, size_t bytes_count,
                                uint64_t number, ride_reject_reason *reason) {
    RIDE_ASSERT(decoder->of_records);
    ride_source *source = decoder->source;
    *reason = RIDE_REJECT_NONE;
    if (batch->rows_count == ride_batch_rows_count_max(batch)) return RIDE_FULL;
    decoder->line = source->begin_offset = number;
    decoder->spans_count = 0;
    if (bytes_count == 0 || bytes_count > source->record_bytes_max) {
        *reason = bytes_count == 0 ? RIDE_REJECT_EMPTY : RIDE_REJECT_OVERLONG_LINE;
        if (bytes_count > source->record_bytes_max) bytes_count = source->record_bytes_max;
        ride_decoder_refuse(decoder, *reason, 0, NULL, bytes_count > 0 ? bytes : "", bytes_count, bytes_count > 0);
        return RIDE_E_DATA;
    }
    memcpy(source->data + RECORD_BEGIN, bytes, bytes_count);
    source->begin = RECORD_BEGIN;
    source->end = RECORD_BEGIN + bytes_count;
    switch (decoder->ops->record(decoder, batch, reason)) {
    case RIDE_PUT_DONE: return RIDE_OK;
    case RIDE_PUT_FULL: return RIDE_FULL;
    default: return RIDE_E_DATA;
    }
}

ride_status ride_decoder_decode(ride_decoder *decoder, ride_batch *batch, uint32_t rows_max, int64_t time_stop_us,
                                ride_row_origin *origins, ride_error *err) {
    RIDE_ASSERT(!decoder->of_records);
    decoder->held = false;
    if (decoder->dropping) RIDE_TRY(ride_decoder_drop_line(decoder, true, err));
    return decoder->ops->decode(decoder, batch, rows_max, time_stop_us, origins, err);
}

bool ride_decoder_held(const ride_decoder *decoder, int64_t *time_us) {
    if (decoder->held) *time_us = decoder->held_time;
    return decoder->held;
}

ride_position ride_decoder_position(const ride_decoder *decoder) {
    return (ride_position){decoder->dropping ? decoder->dropping_offset : decoder->source->begin_offset, decoder->line};
}

ride_status ride_decoder_resume(ride_decoder *decoder, ride_position position, ride_error *err) {
    if (position.offset < decoder->source->begin_offset)
        return ride_fail(err, RIDE_E_DATA, "the place to go on at (byte %llu) lies within the header of %s",
                         (unsigned long long)position.offset, decoder->source->path);
    decoder->line = position.line;
    if (position.offset == decoder->source->begin_offset || decoder->ops == &ride_decoder_binary)
        return ride_source_skip_to(decoder->source, position.offset, err);
    /* what was read last may have been a line without its end: it must not have grown since */
    ride_source *source = decoder->source;
    RIDE_TRY(ride_source_skip_to(source, position.offset - 1, err));
    while (ride_source_unread(source) < 2 && !source->at_end) RIDE_TRY(ride_source_fill(source, err));
    if (ride_source_unread(source) == 0) return ride_fail(err, RIDE_E_DATA, "%s is shorter than it was", source->path);
    if (source->data[source->begin] != '\n' && ride_source_unread(source) > 1) {
        ride_fail(err, RIDE_E_DATA, "line %llu had no end when it was read, and has grown since",
                  (unsigned long long)position.line - 1);
        ride_error_where(err, "%s", source->path);
        ride_error_advice(err, "append whole lines only");
        return RIDE_E_DATA;
    }
    ride_source_consume(source, 1);
    return RIDE_OK;
}

const ride_decoder_stats *ride_decoder_get_stats(const ride_decoder *decoder) { return &decoder->stats; }

/* Stores one value, of row `at` of the tile (strings: the arena has room). */
static inline void store(ride_batch *batch, const ride_tile_column *column, uint8_t *tile, uint32_t at,
                         const ride_value *value) {
    void *values = tile + column->values_offset;
    const bool is_null = value->is_null;
    if (column->validity_offset != 0) ride_bit_put(tile + column->validity_offset, at, !is_null);
    switch (column->type) {
    case RIDE_TYPE_BOOL: ((uint8_t *)values)[at] = is_null ? 0 : (uint8_t)value->i; break;
    case RIDE_TYPE_F64: ((double *)values)[at] = is_null ? 0 : value->f; break;
    case RIDE_TYPE_U64: ((uint64_t *)values)[at] = is_null ? 0 : value->u; break;
    case RIDE_TYPE_STRING: {
        ride_slice slice = {batch->arena_bytes, is_null ? 0 : value->s.bytes};
        if (slice.bytes > 0) memcpy(batch->arena + slice.offset, value->s.text, slice.bytes);
        batch->arena_bytes += slice.bytes;
        ((ride_slice *)values)[at] = slice;
        break;
    }
    default: ((int64_t *)values)[at] = is_null ? 0 : value->i; break;
    }
}

ride_put ride_decoder_put(ride_decoder *decoder, ride_batch *batch, int64_t time_stop_us, ride_row_origin *origins,
                          const void *raw, size_t raw_bytes) {
    int64_t time = decoder->values[decoder->step_time].i;
    if (time > time_stop_us) {
        decoder->held = true;
        decoder->held_time = time;
        return RIDE_PUT_HELD;
    }
    bool keep = decoder->options.keep_raw && origins != NULL;
    uint64_t bytes = keep ? raw_bytes : 0;
    for (uint32_t i = 0; i < decoder->strings_count; i++) {
        const ride_value *value = &decoder->values[decoder->strings[i]];
        if (!value->is_null) bytes += value->s.bytes;
    }
    if (bytes > batch->arena_bytes_max) return RIDE_PUT_REFUSED;
    if (bytes > batch->arena_bytes_max - batch->arena_bytes) return RIDE_PUT_FULL;
    uint32_t row = batch->rows_count;
    uint8_t *tile = ride_batch_tile(batch, row / RIDE_TILE_ROWS);
    const ride_tile_column *columns = batch->layout->columns;
    for (uint32_t i = 0; i < decoder->stores_count; i++)
        store(batch, &columns[decoder->stores[i].column], tile, row % RIDE_TILE_ROWS,
              &decoder->values[decoder->stores[i].step]);
    if (origins != NULL) {
        origins[row] = (ride_row_origin){decoder->line, 0, 0};
        if (keep) {
            memcpy(batch->arena + batch->arena_bytes, raw, raw_bytes);
            origins[row].raw_offset = batch->arena_bytes;
            origins[row].raw_bytes = (uint32_t)raw_bytes;
            batch->arena_bytes += (uint32_t)raw_bytes;
        }
    }
    batch->rows_count++;
    decoder->stats.accepted++;
    return RIDE_PUT_DONE;
}

void ride_decoder_refuse(ride_decoder *decoder, ride_reject_reason reason, uint32_t column, const ride_field *field,
                         const void *raw, size_t raw_bytes, bool redact_all) {
    decoder->stats.rejected++;
    decoder->stats.by_reason[reason]++;
    if (decoder->options.on_reject == NULL) return;
    ride_reject reject = {.reason = reason,
                          .line = decoder->line,
                          .offset = decoder->source->begin_offset,
                          .column = column,
                          .file = decoder->source->path,
                          .field = field != NULL ? field->name : NULL,
                          .raw = raw,
                          .raw_bytes = (uint32_t)raw_bytes,
                          .sensitive = decoder->spans,
                          .sensitive_count = redact_all ? 0 : decoder->spans_count,
                          .redact_all = redact_all && decoder->has_sensitive};
    decoder->options.on_reject(decoder->options.reject_context, &reject);
}

ride_status ride_decoder_drop_line(ride_decoder *decoder, bool may_fill, ride_error *err) {
    ride_source *source = decoder->source;
    if (!decoder->dropping) decoder->dropping_offset = source->begin_offset;
    decoder->dropping = true;
    for (;;) {
        size_t unread = ride_source_unread(source);
        const uint8_t *from = source->data + source->begin;
        const uint8_t *feed = unread > 0 ? memchr(from, '\n', unread) : NULL;
        ride_source_consume(source, feed != NULL ? (size_t)(feed - from) + 1 : unread);
        if (feed != NULL || source->at_end) {
            decoder->dropping = false;
            decoder->line++;
            return feed != NULL ? RIDE_OK : RIDE_END;
        }
        if (!may_fill) return RIDE_PENDING;
        bool dont_stop = source->dont_stop;
        source->dont_stop = true; /* a file's line is dropped to its end: a resume begins at a whole one */
        ride_status st = ride_source_fill(source, err);
        source->dont_stop = dont_stop;
        if (st != RIDE_OK) return st;
    }
}

void ride_list_add(char *list, size_t list_bytes_max, const char *name, size_t name_bytes) {
    size_t used = strlen(list);
    size_t need = (used > 0 ? 2 : 0) + name_bytes;
    if (used >= 4 && strcmp(list + used - 4, " ...") == 0) return;
    if (used + need + 5 > list_bytes_max) { /* keep room for the dots */
        snprintf(list + used, list_bytes_max - used, " ...");
        return;
    }
    snprintf(list + used, list_bytes_max - used, "%s%.*s", used > 0 ? ", " : "", (int)name_bytes, name);
}
