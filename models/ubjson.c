/* models/ubjson.c: UBJSON (draft 12) → document, as far as XGBoost writes it: values, counted and typed arrays, objects.
 * Big-endian. Typed arrays are not copied: they stay packed in the file. */
#include "models/document.h"
#include "models/reader.h"

#include <stdlib.h>
#include <string.h>

typedef struct reader {
    const uint8_t *at, *end, *begin;
    ride_arena *arena;
    ride_value_stack stack;
    const ride_load_watch *watch;
    const uint8_t *told; /* how far it was when that was said last */
    ride_error *err;
} reader;

enum { TELL_BYTES = 4 << 20 };
static void tell(reader *r) {
    if (r->watch == NULL || r->at - r->told < TELL_BYTES) return;
    r->told = r->at;
    ride_load_tell(r->watch, "parsing", (uint64_t)(r->at - r->begin), (uint64_t)(r->end - r->begin));
}

static ride_status bad(reader *r, const char *what) { return ride_fail(r->err, RIDE_E_MODEL, "%s", what); }
static ride_status cut(reader *r) { return bad(r, "the file ends within a value"); }
static size_t left(const reader *r) { return (size_t)(r->end - r->at); }

/* Bytes of one number of this type, 0 = not a number type. */
static uint32_t number_bytes(uint8_t type) {
    switch (type) {
    case 'i':
    case 'U': return 1;
    case 'I': return 2;
    case 'l':
    case 'd': return 4;
    case 'L':
    case 'D': return 8;
    default: return 0;
    }
}

static ride_status read_number(reader *r, uint8_t type, ride_value *out) {
    uint32_t bytes = number_bytes(type);
    if (bytes == 0) return bad(r, "a value of a type that models do not use");
    if (left(r) < bytes) return cut(r);
    ride_value one = {.kind = RIDE_VALUE_PACKED, .packed_type = type, .count = 1, .u.packed = r->at};
    r->at += bytes;
    *out = (ride_value){.kind = RIDE_VALUE_INTEGER};
    if (ride_value_i64_at(&one, 0, &out->u.integer)) return RIDE_OK;
    out->kind = RIDE_VALUE_REAL;
    if (type == 'D') {
        uint64_t bits = 0;
        for (int i = 0; i < 8; i++) bits = bits << 8 | one.u.packed[i];
        memcpy(&out->u.real, &bits, sizeof bits);
        return RIDE_OK;
    }
    float real;
    if (!ride_value_float_at(&one, 0, &real)) return bad(r, "a number that cannot be read");
    out->u.real = real;
    return RIDE_OK;
}

/* A length: an integer of any type, not negative. */
static ride_status read_length(reader *r, size_t *out) {
    ride_value value;
    if (left(r) < 1) return cut(r);
    uint8_t type = *r->at++;
    RIDE_TRY(read_number(r, type, &value));
    if (value.kind != RIDE_VALUE_INTEGER || value.u.integer < 0) return bad(r, "a length was expected");
    if ((uint64_t)value.u.integer > INT32_MAX) return bad(r, "a length beyond 2^31");
    *out = (size_t)value.u.integer;
    return RIDE_OK;
}

static ride_status read_text(reader *r, ride_value *out) {
    size_t bytes;
    RIDE_TRY(read_length(r, &bytes));
    if (left(r) < bytes) return cut(r);
    *out = (ride_value){.kind = RIDE_VALUE_STRING, .count = (uint32_t)bytes, .u.text = (const char *)r->at};
    r->at += bytes;
    return RIDE_OK;
}

static ride_status read_value(reader *r, int depth, uint8_t type, ride_value *out);

static ride_status read_members(reader *r, int depth, bool object, ride_value *out) {
    size_t first = r->stack.count, count = 0;
    uint8_t type = 0, close = object ? '}' : ']';
    bool counted = false;
    if (left(r) >= 2 && r->at[0] == '$') {
        type = r->at[1];
        r->at += 2;
        if (left(r) < 1 || *r->at != '#') return bad(r, "a typed array without a count");
    }
    if (left(r) >= 1 && *r->at == '#') {
        r->at++;
        RIDE_TRY(read_length(r, &count));
        counted = true;
    }
    if (type != 0 && !object) {
        uint32_t bytes = number_bytes(type);
        if (bytes == 0) return bad(r, "a typed array of something that is no number");
        if (left(r) / bytes < count) return cut(r);
        *out =
            (ride_value){.kind = RIDE_VALUE_PACKED, .packed_type = type, .count = (uint32_t)count, .u.packed = r->at};
        r->at += bytes * count;
        return RIDE_OK;
    }
    for (size_t i = 0; !counted || i < count; i++) {
        while (left(r) >= 1 && *r->at == 'N') r->at++;
        if (left(r) < 1) return cut(r);
        if (!counted && *r->at == close) {
            r->at++;
            break;
        }
        ride_value value;
        if (object) {
            RIDE_TRY(read_text(r, &value));
            RIDE_TRY(ride_value_push(&r->stack, value, r->err));
            if (left(r) < 1) return cut(r);
        }
        RIDE_TRY(read_value(r, depth + 1, type != 0 ? type : *r->at++, &value));
        RIDE_TRY(ride_value_push(&r->stack, value, r->err));
    }
    tell(r);
    return ride_value_close(&r->stack, first, object ? RIDE_VALUE_OBJECT : RIDE_VALUE_ARRAY, r->arena, out, r->err);
}

static ride_status read_value(reader *r, int depth, uint8_t type, ride_value *out) {
    if (depth > RIDE_DOCUMENT_DEPTH_MAX) return bad(r, "arrays and objects nested too deep");
    *out = (ride_value){.kind = RIDE_VALUE_NULL};
    switch (type) {
    case '{': return read_members(r, depth, true, out);
    case '[': return read_members(r, depth, false, out);
    case 'S': return read_text(r, out);
    case 'Z': return RIDE_OK;
    case 'T':
    case 'F':
        out->kind = RIDE_VALUE_BOOL;
        out->u.integer = type == 'T';
        return RIDE_OK;
    default: return read_number(r, type, out);
    }
}

ride_status ride_document_ubjson(const void *data, size_t bytes, ride_arena *arena, const ride_load_watch *watch,
                                 ride_value *out, size_t *offset, ride_error *err) {
    reader r = {.at = data,
                .begin = data,
                .end = (const uint8_t *)data + bytes,
                .arena = arena,
                .watch = watch,
                .told = data,
                .err = err};
    r.stack.bytes_max = 64 * bytes + 65536; /* a value takes a byte at least; the stack grows by doubling */
    ride_status st = bytes == 0 ? cut(&r) : read_value(&r, 0, *r.at++, out);
    if (st == RIDE_OK && r.at != r.end) st = bad(&r, "something follows the document");
    *offset = (size_t)(r.at - r.begin);
    free(r.stack.values);
    return st;
}
