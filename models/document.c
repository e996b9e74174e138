/* models/document.c: reading values, and the part of building them that JSON and UBJSON share. */
#include "models/document.h"

#include "base/assert.h"
#include "base/number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS_MIN = 4 }; /* of a list of numbers: shorter ones gain nothing */

static bool text_is(const char *text, size_t bytes, const char *word) {
    return bytes == strlen(word) && memcmp(text, word, bytes) == 0;
}

const ride_value *ride_value_get(const ride_value *object, const char *key) {
    if (object == NULL || object->kind != RIDE_VALUE_OBJECT) return NULL;
    for (uint32_t i = 0; i < object->count; i++)
        if (ride_value_is(&object->u.items[2 * i], key)) return &object->u.items[2 * i + 1];
    return NULL;
}

uint32_t ride_value_length(const ride_value *array) {
    return array != NULL && (array->kind == RIDE_VALUE_ARRAY || array->kind == RIDE_VALUE_PACKED ||
                             array->kind == RIDE_VALUE_NUMBERS)
               ? array->count
               : 0;
}

const ride_value *ride_value_at(const ride_value *array, uint32_t i) {
    return array != NULL && array->kind == RIDE_VALUE_ARRAY && i < array->count ? &array->u.items[i] : NULL;
}

bool ride_value_is(const ride_value *value, const char *text) {
    return value != NULL && value->kind == RIDE_VALUE_STRING && text_is(value->u.text, value->count, text);
}

bool ride_text_to_model_float(const char *text, size_t bytes, float *out) {
    if (text_is(text, bytes, "NaN")) *out = NAN;
    else if (text_is(text, bytes, "Infinity")) *out = INFINITY;
    else if (text_is(text, bytes, "-Infinity")) *out = -INFINITY;
    else return ride_text_to_float(text, bytes, out);
    return true;
}

bool ride_value_float(const ride_value *value, float *out) {
    if (value == NULL) return false;
    switch (value->kind) {
    case RIDE_VALUE_TEXT_NUMBER: return ride_text_to_model_float(value->u.text, value->count, out);
    case RIDE_VALUE_INTEGER: *out = (float)value->u.integer; return true;
    case RIDE_VALUE_REAL: *out = (float)value->u.real; return true;
    default: return false;
    }
}

static bool text_to_model_double(const char *text, size_t bytes, double *out) {
    float word; /* the three words are the same in both */
    if (ride_text_to_double(text, bytes, out)) return true;
    if (!ride_text_to_model_float(text, bytes, &word) || isfinite(word)) return false;
    *out = (double)word;
    return true;
}

bool ride_value_double(const ride_value *value, double *out) {
    if (value == NULL) return false;
    switch (value->kind) {
    case RIDE_VALUE_TEXT_NUMBER: return text_to_model_double(value->u.text, value->count, out);
    case RIDE_VALUE_INTEGER: *out = (double)value->u.integer; return true;
    case RIDE_VALUE_REAL: *out = value->u.real; return true;
    default: return false;
    }
}

bool ride_value_i64(const ride_value *value, int64_t *out) {
    if (value == NULL) return false;
    switch (value->kind) {
    case RIDE_VALUE_TEXT_NUMBER: return ride_text_to_i64(value->u.text, value->count, out);
    case RIDE_VALUE_INTEGER:
    case RIDE_VALUE_BOOL: *out = value->u.integer; return true;
    default: return false;
    }
}

static uint64_t big_endian(const uint8_t *bytes, uint32_t count) {
    uint64_t value = 0;
    for (uint32_t i = 0; i < count; i++) value = value << 8 | bytes[i];
    return value;
}

/* One element of a packed array as a value. */
static ride_value unpack(const ride_value *array, uint32_t i) {
    ride_value value = {.kind = RIDE_VALUE_INTEGER};
    const uint8_t *bytes = array->u.packed;
    switch (array->packed_type) {
    case 'i': value.u.integer = (int8_t)bytes[i]; break;
    case 'U': value.u.integer = bytes[i]; break;
    case 'I': value.u.integer = (int16_t)big_endian(bytes + 2 * (size_t)i, 2); break;
    case 'l': value.u.integer = (int32_t)big_endian(bytes + 4 * (size_t)i, 4); break;
    case 'L': value.u.integer = (int64_t)big_endian(bytes + 8 * (size_t)i, 8); break;
    case 'd': {
        uint32_t bits = (uint32_t)big_endian(bytes + 4 * (size_t)i, 4);
        float real;
        memcpy(&real, &bits, sizeof real);
        value.kind = RIDE_VALUE_REAL;
        value.u.real = real;
        break;
    }
    default: {
        uint64_t bits = big_endian(bytes + 8 * (size_t)i, 8);
        RIDE_ASSERT(array->packed_type == 'D');
        value.kind = RIDE_VALUE_REAL;
        memcpy(&value.u.real, &bits, sizeof value.u.real);
        break;
    }
    }
    return value;
}

/* Element i of an array of any kind: in the array, or made in *room; NULL when there is none. */
static const ride_value *element(const ride_value *array, uint32_t i, ride_value *room) {
    if (array == NULL) return NULL;
    if (array->kind != RIDE_VALUE_PACKED && array->kind != RIDE_VALUE_NUMBERS) return ride_value_at(array, i);
    if (i >= array->count) return NULL;
    if (array->kind == RIDE_VALUE_PACKED) {
        *room = unpack(array, i);
        return room;
    }
    const char *text = array->u.numbers->base + array->u.numbers->offsets[i / RIDE_NUMBERS_STEP];
    for (uint32_t k = i % RIDE_NUMBERS_STEP; k > 0; k--) { /* the reader saw numbers, blanks and commas only */
        while (*text != ',') text++;
        do text++;
        while (*text == ' ' || *text == '\n' || *text == '\r' || *text == '\t');
    }
    const char *end = text;
    while (*end != ',' && *end != ']' && *end != ' ' && *end != '\n' && *end != '\r' && *end != '\t') end++;
    *room = (ride_value){.kind = RIDE_VALUE_TEXT_NUMBER, .count = (uint32_t)(end - text), .u.text = text};
    return room;
}

bool ride_value_float_at(const ride_value *array, uint32_t i, float *out) {
    ride_value room;
    return ride_value_float(element(array, i, &room), out);
}

bool ride_value_double_at(const ride_value *array, uint32_t i, double *out) {
    ride_value room;
    return ride_value_double(element(array, i, &room), out);
}

bool ride_value_i64_at(const ride_value *array, uint32_t i, int64_t *out) {
    ride_value room;
    return ride_value_i64(element(array, i, &room), out);
}

ride_status ride_value_push(ride_value_stack *stack, ride_value value, ride_error *err) {
    if (stack->count == stack->count_max) {
        size_t more = stack->count_max != 0 ? 2 * stack->count_max : 1024;
        ride_value *values = NULL;
        if (more <= stack->bytes_max / sizeof value) values = realloc(stack->values, more * sizeof value);
        if (values == NULL) return ride_fail(err, RIDE_E_MODEL, "more values than memory was allowed for");
        stack->values = values;
        stack->count_max = more;
    }
    stack->values[stack->count++] = value;
    return RIDE_OK;
}

/* Distinct keys, by comparing all pairs: RIDE_DOCUMENT_MEMBERS_MAX bounds it. */
static ride_status check_keys(const ride_value *object, ride_error *err) {
    for (uint32_t i = 0; i < object->count; i++) {
        const ride_value *key = &object->u.items[2 * i];
        for (uint32_t j = 0; j < i; j++) {
            const ride_value *other = &object->u.items[2 * j];
            if (key->count == other->count && memcmp(key->u.text, other->u.text, key->count) == 0)
                return ride_fail(err, RIDE_E_MODEL, "key \"%.*s\" twice in one object",
                                 (int)(key->count < 64 ? key->count : 64), key->u.text);
        }
    }
    return RIDE_OK;
}

/* Are these the texts of numbers only, near enough to each other? */
static bool are_numbers(const ride_value *values, size_t count) {
    if (count < NUMBERS_MIN) return false;
    for (size_t i = 0; i < count; i++)
        if (values[i].kind != RIDE_VALUE_TEXT_NUMBER) return false;
    return (uint64_t)(values[count - 1].u.text - values[0].u.text) <= UINT32_MAX;
}

static ride_status close_numbers(const ride_value *values, uint32_t count, ride_arena *arena, ride_value *out,
                                 ride_error *err) {
    const size_t marks = ((size_t)count + RIDE_NUMBERS_STEP - 1) / RIDE_NUMBERS_STEP;
    ride_value_numbers *numbers =
        ride_arena_alloc(arena, sizeof *numbers + marks * sizeof numbers->offsets[0], _Alignof(ride_value_numbers));
    if (numbers == NULL) return ride_fail(err, RIDE_E_MODEL, "more values than memory was allowed for");
    numbers->base = values[0].u.text;
    for (size_t i = 0; i < marks; i++)
        numbers->offsets[i] = (uint32_t)(values[i * RIDE_NUMBERS_STEP].u.text - numbers->base);
    out->kind = RIDE_VALUE_NUMBERS;
    out->u.numbers = numbers;
    return RIDE_OK;
}

ride_status ride_value_close(ride_value_stack *stack, size_t first, ride_value_kind kind, ride_arena *arena,
                             ride_value *out, ride_error *err) {
    size_t count = stack->count - first;
    size_t members = kind == RIDE_VALUE_OBJECT ? count / 2 : count;
    if (kind == RIDE_VALUE_OBJECT && members > RIDE_DOCUMENT_MEMBERS_MAX)
        return ride_fail(err, RIDE_E_MODEL, "an object with %zu members, at most %d", members,
                         RIDE_DOCUMENT_MEMBERS_MAX);
    if (members > UINT32_MAX) return ride_fail(err, RIDE_E_MODEL, "an array with %zu elements", members);
    *out = (ride_value){.kind = (uint8_t)kind, .count = (uint32_t)members};
    if (count == 0) return RIDE_OK;
    if (kind == RIDE_VALUE_ARRAY && are_numbers(stack->values + first, count)) {
        stack->count = first; /* what is above stays where it is until the next push */
        return close_numbers(stack->values + first, (uint32_t)count, arena, out, err);
    }
    ride_value *items = ride_arena_new(arena, ride_value, count);
    if (items == NULL) return ride_fail(err, RIDE_E_MODEL, "more values than memory was allowed for");
    memcpy(items, stack->values + first, count * sizeof *items);
    stack->count = first;
    out->u.items = items;
    return kind == RIDE_VALUE_OBJECT ? check_keys(out, err) : RIDE_OK;
}
