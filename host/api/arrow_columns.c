/* api/arrow_columns.c: see arrow_columns.h. */
#include "api/arrow_columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *format;
    arrow_type type;
} formats[] = {
    {"n", ARROW_NULL}, {"b", ARROW_BOOL},   {"c", ARROW_I8},           {"C", ARROW_U8},
    {"s", ARROW_I16},  {"S", ARROW_U16},    {"i", ARROW_I32},          {"I", ARROW_U32},
    {"l", ARROW_I64},  {"L", ARROW_U64},    {"e", ARROW_F16},          {"f", ARROW_F32},
    {"g", ARROW_F64},  {"u", ARROW_STRING}, {"U", ARROW_LARGE_STRING}, {"vu", ARROW_STRING_VIEW},
};

static bool is_string(arrow_type type) { return type >= ARROW_STRING; }

static bool bit(const uint8_t *bits, int64_t at) { return bits == NULL || (bits[at >> 3] >> (at & 7) & 1) != 0; }

static ride_result type_of(ride_context *context, const struct ArrowSchema *schema, const char *name, arrow_type *out) {
    for (size_t i = 0; schema->format != NULL && i < sizeof formats / sizeof *formats; i++)
        if (strcmp(schema->format, formats[i].format) == 0) {
            *out = formats[i].type;
            return RIDE_RESULT_OK;
        }
    return api_fail(context, RIDE_RESULT_DATA, "the column `%.80s` is no number: its Arrow type is `%.40s`", name,
                    schema->format != NULL ? schema->format : "");
}

/* Buffers that a type must have. */
static int64_t buffers_of(arrow_type type) {
    switch (type) {
    case ARROW_NULL: return 0;
    case ARROW_STRING:
    case ARROW_LARGE_STRING: return 3;
    default: return 2; /* a view's data buffers are there when a value needs them */
    }
}

static ride_result column_look(ride_context *context, const struct ArrowArray *array, const struct ArrowSchema *schema,
                               const char *name, int64_t end, api_column *c) {
    const ride_result result = type_of(context, schema, name, &c->type);
    if (result != RIDE_RESULT_OK) return result;
    c->offset = array->offset;
    c->buffers = array->buffers;
    c->validity = NULL;
    const int64_t buffers = buffers_of(c->type);
    int64_t last;
    bool ok = array->offset >= 0 && array->length >= end && !__builtin_add_overflow(array->offset, end, &last) &&
              array->n_buffers >= buffers && (buffers == 0 || array->buffers != NULL);
    for (int64_t i = 1; ok && end > 0 && i < (buffers < 2 ? buffers : 2); i++) ok = array->buffers[i] != NULL;
    if (!ok)
        return api_fail(context, RIDE_RESULT_ARGUMENT, "the column `%.80s` of the Arrow array is not well formed",
                        name);
    if (buffers > 0 && array->null_count != 0) c->validity = array->buffers[0];
    return RIDE_RESULT_OK;
}

/* The string at place `at` (offset included). */
static const char *string_at(const api_column *c, int64_t at, size_t *bytes) {
    if (c->type == ARROW_STRING) {
        const int32_t *offsets = (const int32_t *)c->buffers[1] + at;
        *bytes = (size_t)(offsets[1] - offsets[0]);
        return (const char *)c->buffers[2] + offsets[0];
    }
    if (c->type == ARROW_LARGE_STRING) {
        const int64_t *offsets = (const int64_t *)c->buffers[1] + at;
        *bytes = (size_t)(offsets[1] - offsets[0]);
        return (const char *)c->buffers[2] + offsets[0];
    }
    const int32_t *view =
        (const int32_t *)c->buffers[1] + 4 * at; /* bytes, then the string or (prefix, buffer, offset) */
    *bytes = (size_t)view[0];
    return view[0] <= 12 ? (const char *)(view + 1) : (const char *)c->buffers[2 + view[2]] + view[3];
}

static double code_of(const api_column *c, const api_input *input, int64_t at) {
    size_t bytes;
    const char *text = string_at(c, at, &bytes);
    const int64_t code = api_find(input->categories_sorted, input->categories_count, text, bytes);
    return code >= 0 ? (double)code : ARROW_UNKNOWN;
}

static float half(uint16_t bits) {
    const uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 0x3ff;
    if (exponent == 0) { /* zero or a subnormal: an exact multiple of 2^-24 */
        const float size = (float)fraction * 0x1p-24f;
        return sign != 0 ? -size : size;
    }
    const uint32_t word = sign | (exponent == 31 ? 0x7f800000 : (exponent + 112) << 23) | fraction << 13;
    float value;
    memcpy(&value, &word, sizeof value);
    return value;
}

/* Values from place `at` on, without a look at nulls. */
#define READ(type, convert)                                                                                            \
    for (uint32_t r = 0; r < count; r++) {                                                                             \
        const type v = ((const type *)values)[at + r];                                                                 \
        if (is_float) ((float *)out)[r] = (float)(convert);                                                            \
        else ((double *)out)[r] = (double)(convert);                                                                   \
    }                                                                                                                  \
    break

static void read_numbers(const api_column *c, int64_t at, uint32_t count, bool is_float, void *out) {
    const void *values = c->type != ARROW_NULL ? c->buffers[1] : NULL;
    switch (c->type) {
    case ARROW_I8: READ(int8_t, v);
    case ARROW_U8: READ(uint8_t, v);
    case ARROW_I16: READ(int16_t, v);
    case ARROW_U16: READ(uint16_t, v);
    case ARROW_I32: READ(int32_t, v);
    case ARROW_U32: READ(uint32_t, v);
    case ARROW_I64: READ(int64_t, v);
    case ARROW_U64: READ(uint64_t, v);
    case ARROW_F16: READ(uint16_t, half(v));
    case ARROW_F32: READ(float, v);
    case ARROW_F64: READ(double, v);
    case ARROW_BOOL:
        for (uint32_t r = 0; r < count; r++) {
            const int value = bit(values, at + r);
            if (is_float) ((float *)out)[r] = (float)value;
            else ((double *)out)[r] = (double)value;
        }
        break;
    default:
        for (uint32_t r = 0; r < count; r++) {
            if (is_float) ((float *)out)[r] = NAN;
            else ((double *)out)[r] = NAN;
        }
    }
}

static void put(void *out, uint32_t r, bool is_float, double value) {
    if (is_float) ((float *)out)[r] = (float)value;
    else ((double *)out)[r] = value;
}

bool arrow_column_read(const api_column *c, const uint8_t *rows_validity, int64_t base, uint64_t first, uint32_t count,
                       uint32_t out_type, void *out, uint32_t *bad) {
    const bool is_float = out_type == RIDE_TYPE_F32;
    const int64_t row = base + (int64_t)first, at = c->offset + row;
    const bool looks_up = c->has_map || is_string(c->type);
    if (!looks_up) read_numbers(c, at, count, is_float, out);
    for (uint32_t r = 0; (looks_up || c->validity != NULL || rows_validity != NULL) && r < count; r++) {
        if (c->type == ARROW_NULL || !bit(c->validity, at + r) || !bit(rows_validity, row + r)) {
            put(out, r, is_float, NAN);
        } else if (looks_up) {
            double value = ARROW_UNKNOWN;
            bool is_known = true;
            if (c->has_map) {
                double index;
                read_numbers(c, at + r, 1, false, &index);
                is_known = index >= 0 && index < (double)c->map_count;
                if (is_known) value = c->map[(uint64_t)index];
            } else value = code_of(c, c->input, at + r);
            if (!is_known || (value == ARROW_UNKNOWN && c->input->categories != NULL)) {
                *bad = r;
                return false;
            }
            put(out, r, is_float, value);
        }
    }
    return true;
}

/* The model's file names no categories there. A dictionary's places are no codes: each batch has a dictionary of its own. */
static ride_result fail_strings(ride_context *context, const char *name) {
    return api_fail(context, RIDE_RESULT_DATA, "the column `%.80s` holds strings, the model takes numbers there", name);
}

/* What the entries of a dictionary are. */
static ride_result map_open(ride_context *context, const api_input *input, const struct ArrowArray *dictionary,
                            const struct ArrowSchema *schema, const char *name, api_column *c) {
    api_column entries = {0};
    const ride_result result = column_look(context, dictionary, schema, name, dictionary->length, &entries);
    if (result != RIDE_RESULT_OK) return result;
    if (is_string(entries.type) && input->categories == NULL) return fail_strings(context, name);
    const uint64_t count = dictionary->length > 0 ? (uint64_t)dictionary->length : 0;
    if (count > c->map_max) {
        double *more = count < SIZE_MAX / sizeof *more ? realloc(c->map, count * sizeof *more) : NULL;
        if (more == NULL)
            return api_fail(context, RIDE_RESULT_MEMORY, "no memory for %llu categories", (unsigned long long)count);
        c->map = more;
        c->map_max = count;
    }
    c->map_count = count;
    c->has_map = true;
    for (uint64_t i = 0; i < count; i++) {
        const int64_t at = entries.offset + (int64_t)i;
        if (!bit(entries.validity, at)) c->map[i] = NAN;
        else if (!is_string(entries.type)) read_numbers(&entries, at, 1, false, &c->map[i]);
        else c->map[i] = code_of(&entries, input, at);
    }
    return RIDE_RESULT_OK;
}

ride_result arrow_column_open(ride_context *context, const api_input *input, const struct ArrowArray *array,
                              const struct ArrowSchema *schema, int64_t rows_end, api_column *c) {
    const char *name = schema->name != NULL ? schema->name : "";
    c->has_map = false;
    c->input = input;
    const ride_result result = column_look(context, array, schema, name, rows_end, c);
    if (result != RIDE_RESULT_OK) return result;
    c->is_there = true;
    if ((array->dictionary != NULL) != (schema->dictionary != NULL))
        return api_fail(context, RIDE_RESULT_ARGUMENT,
                        "the column `%.80s` has a dictionary in only one of array and schema", name);
    if (array->dictionary != NULL) {
        if (c->type < ARROW_I8 || c->type > ARROW_U64)
            return api_fail(context, RIDE_RESULT_ARGUMENT, "the dictionary of `%.80s` has no whole numbers as indexes",
                            name);
        return map_open(context, input, array->dictionary, schema->dictionary, name, c);
    }
    if (is_string(c->type) && input->categories == NULL) return fail_strings(context, name);
    return RIDE_RESULT_OK;
}

bool arrow_columns_reserve(ride_context *context, uint32_t count) {
    const uint32_t have = context->columns_max;
    if (count <= have) return true;
    api_column *more = realloc(context->columns, count * sizeof *more);
    if (more == NULL) return false;
    memset(more + have, 0, (count - have) * sizeof *more);
    context->columns = more;
    context->columns_max = count;
    return true;
}

void arrow_columns_free(api_column *columns, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) free(columns[i].map);
    free(columns);
}
