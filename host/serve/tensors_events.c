/* serve/tensors_events.c: tensors as events: {"name":value,…} for each row. Names and JSON values are copied as they are written in the
 * request, so nothing is lost; binary values are written by base/number.h. */
#include "serve/tensors.h"

#include "base/number.h"
#include "serve/json_text.h"

#include <math.h>
#include <string.h>

enum { VALUE_BYTES = RIDE_NUMBER_BYTES, ESCAPED = 6 /* bytes that one may become within a string */ };

static const int64_t mins[] = {0, 0, INT8_MIN, INT16_MIN, INT32_MIN, INT64_MIN};
static const uint64_t maxs[] = {0,         0,         INT8_MAX,   INT16_MAX,  INT32_MAX,
                                INT64_MAX, UINT8_MAX, UINT16_MAX, UINT32_MAX, UINT64_MAX};

static bool starts(const char *text, ride_body_range at, const char *word) {
    size_t bytes = strlen(word);
    return at.bytes == bytes && memcmp(text + at.offset, word, bytes) == 0;
}

/* Is the JSON scalar a value of the datatype? null is one of any: a nullable field may take it. */
static bool is_value(const char *body, ride_body_range at, ride_datatype datatype) {
    const char *text = body + at.offset;
    int64_t i;
    uint64_t u;
    if (starts(body, at, "null")) return true;
    switch (datatype) {
    case RIDE_DATA_BOOL: return starts(body, at, "true") || starts(body, at, "false");
    case RIDE_DATA_INT8:
    case RIDE_DATA_INT16:
    case RIDE_DATA_INT32:
    case RIDE_DATA_INT64:
        return ride_text_to_i64(text, at.bytes, &i) && i >= mins[datatype] && (i < 0 || (uint64_t)i <= maxs[datatype]);
    case RIDE_DATA_UINT8:
    case RIDE_DATA_UINT16:
    case RIDE_DATA_UINT32:
    case RIDE_DATA_UINT64: return ride_text_to_u64(text, at.bytes, &u) && u <= maxs[datatype];
    case RIDE_DATA_FP32:
    case RIDE_DATA_FP64: return text[0] == '-' || (text[0] >= '0' && text[0] <= '9');
    case RIDE_DATA_BYTES: return text[0] == '"';
    }
    return false;
}

static uint64_t load(const char *data, uint32_t width) {
    uint64_t value = 0;
    for (uint32_t i = 0; i < width; i++) value |= (uint64_t)(uint8_t)data[i] << (8 * i);
    return value;
}
static double load_float(const char *data, bool is_double) {
    uint64_t bits = load(data, is_double ? 8 : 4);
    uint32_t half = (uint32_t)bits;
    double value;
    float narrow;
    memcpy(&narrow, &half, sizeof narrow);
    memcpy(&value, &bits, sizeof value);
    return is_double ? value : (double)narrow;
}

static size_t put_word(char *to, const char *word) {
    size_t bytes = strlen(word);
    memcpy(to, word, bytes);
    return bytes;
}

/* Row i of a binary tensor of fixed width. */
static size_t put_fixed(const char *body, const ride_tensor *t, uint32_t i, char *to) {
    const char *data = body + t->data_offset;
    switch (t->datatype) {
    case RIDE_DATA_BOOL: return put_word(to, data[i] != 0 ? "true" : "false");
    case RIDE_DATA_INT8: return ride_i64_to_text((int8_t)load(data + i, 1), to);
    case RIDE_DATA_INT16: return ride_i64_to_text((int16_t)load(data + (size_t)i * 2, 2), to);
    case RIDE_DATA_INT32: return ride_i64_to_text((int32_t)load(data + (size_t)i * 4, 4), to);
    case RIDE_DATA_INT64: return ride_i64_to_text((int64_t)load(data + (size_t)i * 8, 8), to);
    case RIDE_DATA_UINT8: return ride_u64_to_text(load(data + i, 1), to);
    case RIDE_DATA_UINT16: return ride_u64_to_text(load(data + (size_t)i * 2, 2), to);
    case RIDE_DATA_UINT32: return ride_u64_to_text(load(data + (size_t)i * 4, 4), to);
    case RIDE_DATA_UINT64: return ride_u64_to_text(load(data + (size_t)i * 8, 8), to);
    case RIDE_DATA_FP32:
    case RIDE_DATA_FP64: {
        bool wide = t->datatype == RIDE_DATA_FP64;
        double value = load_float(data + (size_t)i * (wide ? 8 : 4), wide);
        return isfinite(value) ? ride_double_to_text(value, to) : put_word(to, "null");
    }
    default: return 0;
    }
}

static bool put_value(const char *body, const ride_tensor *t, uint32_t i, char *to, size_t room, size_t *bytes,
                      ride_body_fault *fault) {
    if (t->elements == NULL) {
        *bytes = put_fixed(body, t, i, to);
        return true;
    }
    ride_body_range at = t->elements[i];
    if (t->is_binary) {
        if (!ride_json_is_utf8(body + at.offset, at.bytes))
            return ride_body_fail(fault, 422, "invalid_utf8", NULL, "row %u: a text is not UTF-8", i);
        *bytes = ride_json_write_string(to, room, body + at.offset, at.bytes);
        return true;
    }
    if (!is_value(body, at, t->datatype))
        return ride_body_fail(fault, 422, "bad_datatype", NULL, "row %u: %.*s is no value of the tensor's datatype", i,
                              at.bytes < 40 ? (int)at.bytes : 40, body + at.offset);
    memcpy(to, body + at.offset, at.bytes);
    *bytes = at.bytes;
    return true;
}

/* What all rows can take at most. */
static uint64_t room_for(const ride_infer_request *r) {
    uint64_t room = RIDE_JSON_PADDING;
    for (uint32_t t = 0; t < r->tensors_count; t++) {
        const ride_tensor *tensor = &r->tensors[t];
        room += (uint64_t)r->rows * (tensor->name_bytes + 4);
        room += tensor->elements == NULL
                    ? (uint64_t)r->rows * VALUE_BYTES
                    : (uint64_t)tensor->data_bytes * (tensor->is_binary ? ESCAPED : 1) + 2 * (uint64_t)r->rows;
    }
    return room;
}

static bool write_rows(const char *body, const ride_infer_request *r, char *text, size_t room, ride_body_range *ranges,
                       ride_body_fault *fault) {
    size_t at = 0;
    for (uint32_t row = 0; row < r->rows; row++) {
        size_t from = at, bytes = 0;
        for (uint32_t t = 0; t < r->tensors_count; t++) {
            const ride_tensor *tensor = &r->tensors[t];
            text[at++] = t == 0 ? '{' : ',';
            memcpy(text + at, body + tensor->name_offset, tensor->name_bytes);
            at += tensor->name_bytes;
            text[at++] = ':';
            if (!put_value(body, tensor, row, text + at, room - at, &bytes, fault)) return false;
            at += bytes;
        }
        text[at++] = '}';
        ranges[row] = (ride_body_range){(uint32_t)from, (uint32_t)(at - from)};
    }
    memset(text + at, 0, RIDE_JSON_PADDING);
    return true;
}

bool ride_infer_events(ride_blocks *blocks, const char *body, const ride_infer_request *r, char **text,
                       ride_body_range *ranges, ride_body_fault *fault) {
    uint64_t needs = room_for(r);
    size_t room;
    char *block = needs <= UINT32_MAX ? ride_blocks_take(blocks, (size_t)needs, &room) : NULL;
    if (block == NULL)
        return ride_body_fail(fault, 429, "no_memory", NULL, "the memory of requests is taken: try again");
    if (!write_rows(body, r, block, room, ranges, fault)) {
        ride_blocks_give(blocks, block);
        return false;
    }
    *text = block;
    return true;
}

bool ride_infer_vectors(const char *body, const ride_infer_request *r, double *rows, ride_body_fault *fault) {
    const ride_tensor *t = &r->tensors[0];
    uint64_t count = t->rows * t->columns;
    bool wide = t->datatype == RIDE_DATA_FP64;
    for (uint64_t i = 0; i < count; i++) {
        if (t->is_binary) {
            rows[i] = load_float(body + t->data_offset + i * (wide ? 8 : 4), wide);
            continue;
        }
        ride_body_range at = t->elements[i];
        if (starts(body, at, "null")) rows[i] = NAN; /* a missing value */
        else if (!ride_text_to_double(body + at.offset, at.bytes, &rows[i]))
            return ride_body_fail(fault, 422, "bad_datatype", "vector", "element %llu is no number",
                                  (unsigned long long)i);
        else if (!wide) rows[i] = (double)(float)rows[i];
    }
    return true;
}
