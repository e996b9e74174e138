/* io/value.c: careful reading of one field. Nothing here is fast on purpose; everything here is exact. */
#include "io/value.h"

#include "base/number.h"
#include "io/time_text.h"

#include <string.h>
#include <strings.h>

static bool is_word(const char *text, size_t bytes, const char *word) {
    return strlen(word) == bytes && strncasecmp(text, word, bytes) == 0;
}

/* Why is this text not a number: does it spell one of the values we refuse? */
static ride_reject_reason not_number(const char *text, size_t bytes, ride_reject_reason other) {
    if (bytes > 0 && (*text == '-' || *text == '+')) {
        text++;
        bytes--;
    }
    if (is_word(text, bytes, "nan") || is_word(text, bytes, "inf") || is_word(text, bytes, "infinity"))
        return RIDE_REJECT_NOT_FINITE;
    return other;
}

/* Digit k of the text has weight 10^(point - 1 - k + exponent), so of all digits the first point + exponent + scale make the
 * result, the next one rounds it, and the rest only tell whether it was exact. */
ride_reject_reason ride_decimal_read(const char *text, size_t bytes, int32_t scale, bool refuse_inexact, int64_t *out) {
    const char *at = text, *end = text + bytes;
    bool negative = at < end && *at == '-';
    if (negative) at++;
    const char *digits = at;
    size_t digits_count = 0, point = 0;
    bool has_point = false;
    for (; at < end; at++) {
        if (*at >= '0' && *at <= '9') digits_count++;
        else if (*at == '.' && !has_point) {
            has_point = true;
            point = digits_count;
        } else break;
    }
    const char *digits_end = at;
    if (!has_point) point = digits_count;
    if (digits_count == 0) return not_number(text, bytes, RIDE_REJECT_NOT_NUMBER);
    int64_t exponent = 0;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        bool exponent_negative = at < end && *at == '-';
        if (at < end && (*at == '-' || *at == '+')) at++;
        const char *first = at;
        for (; at < end && *at >= '0' && *at <= '9'; at++)
            if (exponent < 100000000) exponent = exponent * 10 + (*at - '0');
        if (at == first) return RIDE_REJECT_NOT_NUMBER;
        if (exponent_negative) exponent = -exponent;
    }
    if (at != end) return RIDE_REJECT_NOT_NUMBER;

    int64_t keep = (int64_t)point + exponent + scale, k = 0;
    uint64_t value = 0;
    bool round_up = false, inexact = false;
    for (const char *p = digits; p < digits_end; p++) {
        if (*p == '.') continue;
        unsigned digit = (unsigned)(*p - '0');
        if (k < keep) {
            if (value > ((uint64_t)INT64_MAX - digit) / 10) return RIDE_REJECT_OUT_OF_RANGE;
            value = value * 10 + digit;
        } else {
            if (k == keep) round_up = digit >= 5;
            inexact |= digit != 0;
        }
        k++;
    }
    for (; k < keep && value != 0; k++) {
        if (value > (uint64_t)INT64_MAX / 10) return RIDE_REJECT_OUT_OF_RANGE;
        value *= 10;
    }
    if (inexact && refuse_inexact) return RIDE_REJECT_INEXACT;
    if (round_up && ++value > (uint64_t)INT64_MAX) return RIDE_REJECT_OUT_OF_RANGE;
    *out = negative ? -(int64_t)value : (int64_t)value;
    return RIDE_REJECT_NONE;
}

/* Sign and size of an integer text; NOT_INTEGER, or OUT_OF_RANGE beyond 64 bits. */
static ride_reject_reason read_integer(const char *text, size_t bytes, bool *negative, uint64_t *size) {
    const char *at = text, *end = text + bytes;
    *negative = at < end && *at == '-';
    if (*negative) at++;
    if (at == end) return RIDE_REJECT_NOT_INTEGER;
    uint64_t value = 0;
    bool too_big = false;
    for (; at < end; at++) {
        unsigned digit = (unsigned char)*at - '0';
        if (digit > 9) return not_number(text, bytes, RIDE_REJECT_NOT_INTEGER);
        too_big |= value > (UINT64_MAX - digit) / 10;
        value = value * 10 + digit;
    }
    *size = value;
    return too_big ? RIDE_REJECT_OUT_OF_RANGE : RIDE_REJECT_NONE;
}

static ride_reject_reason read_i64(const char *text, size_t bytes, int64_t *out) {
    bool negative;
    uint64_t size = 0;
    ride_reject_reason reason = read_integer(text, bytes, &negative, &size);
    if (reason != RIDE_REJECT_NONE) return reason;
    if (size > (uint64_t)INT64_MAX + (negative ? 1 : 0)) return RIDE_REJECT_OUT_OF_RANGE;
    *out = negative ? (int64_t)(0 - size) : (int64_t)size;
    return RIDE_REJECT_NONE;
}

ride_reject_reason ride_time_from_units(ride_time_unit unit, int64_t units, int64_t *out_us) {
    switch (unit) {
    case RIDE_UNIT_S:
        if (__builtin_mul_overflow(units, RIDE_US_PER_S, out_us)) return RIDE_REJECT_TIME_OUT_OF_RANGE;
        break;
    case RIDE_UNIT_MS:
        if (__builtin_mul_overflow(units, INT64_C(1000), out_us)) return RIDE_REJECT_TIME_OUT_OF_RANGE;
        break;
    case RIDE_UNIT_NS: *out_us = units / 1000 - (units % 1000 < 0); break; /* a floor */
    default: *out_us = units; break;
    }
    return *out_us < RIDE_TIME_MIN_US || *out_us > RIDE_TIME_MAX_US ? RIDE_REJECT_TIME_OUT_OF_RANGE : RIDE_REJECT_NONE;
}

static ride_reject_reason read_time(const ride_step *step, const ride_zone_rule *zone, const char *text, size_t bytes,
                                    int64_t *out) {
    if (step->unit != RIDE_UNIT_ISO8601) {
        int64_t units;
        ride_reject_reason reason = read_i64(text, bytes, &units);
        if (reason == RIDE_REJECT_NOT_INTEGER) return RIDE_REJECT_NOT_TIME;
        if (reason == RIDE_REJECT_OUT_OF_RANGE) return RIDE_REJECT_TIME_OUT_OF_RANGE;
        return reason != RIDE_REJECT_NONE ? reason : ride_time_from_units(step->unit, units, out);
    }
    int64_t local, offset;
    bool has_offset;
    if (!ride_time_from_iso8601(text, bytes, &local, &has_offset, &offset)) return RIDE_REJECT_NOT_TIME;
    if (has_offset) *out = local - offset;
    else if (zone->local_to_utc != NULL) *out = zone->local_to_utc(zone->zone, local);
    else *out = local - zone->offset_us;
    return *out < RIDE_TIME_MIN_US || *out > RIDE_TIME_MAX_US ? RIDE_REJECT_TIME_OUT_OF_RANGE : RIDE_REJECT_NONE;
}

/* Do the digits spell a number of the grammar of decimals? (What then does not convert is out of range.) */
static ride_reject_reason read_float(const ride_step *step, const char *text, size_t bytes, double *out) {
    bool good;
    if (step->type == RIDE_FIELD_F32) {
        float narrow;
        good = ride_text_to_float(text, bytes, &narrow);
        if (good) *out = narrow;
    } else {
        good = ride_text_to_double(text, bytes, out);
    }
    if (good) return RIDE_REJECT_NONE;
    int64_t unused;
    ride_reject_reason reason = ride_decimal_read(text, bytes, 0, false, &unused);
    return reason == RIDE_REJECT_NONE ? RIDE_REJECT_OUT_OF_RANGE : reason;
}

static ride_reject_reason read_bool(const char *text, size_t bytes, int64_t *out) {
    if (bytes == 1 && (*text == '0' || *text == '1')) *out = *text - '0';
    else if (is_word(text, bytes, "true")) *out = 1;
    else if (is_word(text, bytes, "false")) *out = 0;
    else return RIDE_REJECT_NOT_BOOL;
    return RIDE_REJECT_NONE;
}

static ride_reject_reason read_category(const ride_field *field, const char *text, size_t bytes, int64_t *out) {
    for (uint32_t i = 0; i < field->categories_count; i++) {
        const char *name = field->categories[i];
        if (strlen(name) == bytes && memcmp(name, text, bytes) == 0) {
            *out = i;
            return RIDE_REJECT_NONE;
        }
    }
    return ride_utf8_valid(text, bytes) ? RIDE_REJECT_UNKNOWN_CATEGORY : RIDE_REJECT_INVALID_UTF8;
}

static void type_range(uint32_t type, int64_t *lo, int64_t *hi) {
    *lo = INT64_MIN;
    *hi = INT64_MAX;
    switch (type) {
    case RIDE_FIELD_U8: *lo = 0, *hi = UINT8_MAX; break;
    case RIDE_FIELD_U16: *lo = 0, *hi = UINT16_MAX; break;
    case RIDE_FIELD_U32: *lo = 0, *hi = UINT32_MAX; break;
    case RIDE_FIELD_U64: *lo = 0; break;
    case RIDE_FIELD_I8: *lo = INT8_MIN, *hi = INT8_MAX; break;
    case RIDE_FIELD_I16: *lo = INT16_MIN, *hi = INT16_MAX; break;
    case RIDE_FIELD_I32: *lo = INT32_MIN, *hi = INT32_MAX; break;
    case RIDE_FIELD_BOOL: *lo = 0, *hi = 1; break;
    case RIDE_FIELD_DECIMAL: *lo = -INT64_MAX; break;
    case RIDE_FIELD_TIMESTAMP: *lo = RIDE_TIME_MIN_US, *hi = RIDE_TIME_MAX_US; break;
    default: break;
    }
}

/* A derived event time (the field itself is a number or a string) has no domain: the field's own step checks it. */
static bool has_domain(const ride_step *step) { return step->type == step->field->type; }

void ride_step_bounds(ride_step *step) {
    type_range(step->type, &step->lo, &step->hi);
    if (!has_domain(step)) return;
    const ride_field *field = step->field;
    if (field->has_min && field->min > step->lo) step->lo = field->min;
    if (field->has_max && field->max < step->hi) step->hi = field->max;
}

ride_reject_reason ride_value_check(const ride_step *step, const ride_value *value) {
    const ride_field *field = step->field;
    bool domain = has_domain(step);
    switch (step->type) {
    case RIDE_FIELD_STRING: return RIDE_REJECT_NONE;
    case RIDE_FIELD_F32:
    case RIDE_FIELD_F64:
        if (!(value->f - value->f == 0)) return RIDE_REJECT_NOT_FINITE;
        if (domain && field->has_min && value->f < field->min_real) return RIDE_REJECT_BELOW_MIN;
        if (domain && field->has_max && value->f > field->max_real) return RIDE_REJECT_ABOVE_MAX;
        return RIDE_REJECT_NONE;
    case RIDE_FIELD_U64:
        if (domain && field->has_min && field->min > 0 && value->u < (uint64_t)field->min) return RIDE_REJECT_BELOW_MIN;
        if (domain && field->has_max && (field->max < 0 || value->u > (uint64_t)field->max))
            return RIDE_REJECT_ABOVE_MAX;
        return RIDE_REJECT_NONE;
    default: break;
    }
    int64_t lo, hi;
    type_range(step->type, &lo, &hi);
    if (step->type == RIDE_FIELD_CATEGORY) lo = 0, hi = (int64_t)field->categories_count - 1;
    if (value->i < lo || value->i > hi)
        return step->type == RIDE_FIELD_TIMESTAMP  ? RIDE_REJECT_TIME_OUT_OF_RANGE
               : step->type == RIDE_FIELD_CATEGORY ? RIDE_REJECT_UNKNOWN_CATEGORY
                                                   : RIDE_REJECT_OUT_OF_RANGE;
    if (domain && field->has_min && value->i < field->min) return RIDE_REJECT_BELOW_MIN;
    if (domain && field->has_max && value->i > field->max) return RIDE_REJECT_ABOVE_MAX;
    return RIDE_REJECT_NONE;
}

ride_reject_reason ride_value_read(const ride_step *step, const ride_zone_rule *zone, const char *text, size_t bytes,
                                   ride_value *out) {
    ride_reject_reason reason = RIDE_REJECT_NONE;
    out->is_null = false;
    switch (step->type) {
    case RIDE_FIELD_U8:
    case RIDE_FIELD_U16:
    case RIDE_FIELD_U32:
    case RIDE_FIELD_I8:
    case RIDE_FIELD_I16:
    case RIDE_FIELD_I32:
    case RIDE_FIELD_I64: reason = read_i64(text, bytes, &out->i); break;
    case RIDE_FIELD_U64: {
        bool negative;
        reason = read_integer(text, bytes, &negative, &out->u);
        if (reason == RIDE_REJECT_NONE && negative && out->u != 0) reason = RIDE_REJECT_OUT_OF_RANGE;
        break;
    }
    case RIDE_FIELD_F32:
    case RIDE_FIELD_F64: reason = read_float(step, text, bytes, &out->f); break;
    case RIDE_FIELD_BOOL: reason = read_bool(text, bytes, &out->i); break;
    case RIDE_FIELD_DECIMAL:
        reason = ride_decimal_read(text, bytes, step->field->scale, step->field->rounding_error, &out->i);
        break;
    case RIDE_FIELD_STRING:
        out->s.text = text;
        out->s.bytes = (uint32_t)bytes;
        return ride_utf8_valid(text, bytes) ? RIDE_REJECT_NONE : RIDE_REJECT_INVALID_UTF8;
    case RIDE_FIELD_TIMESTAMP: reason = read_time(step, zone, text, bytes, &out->i); break;
    case RIDE_FIELD_CATEGORY: reason = read_category(step->field, text, bytes, &out->i); break;
    default: reason = RIDE_REJECT_WRONG_TYPE; break;
    }
    return reason != RIDE_REJECT_NONE ? reason : ride_value_check(step, out);
}

/* Well-formed sequences only: no surrogates, no overlong forms, nothing above U+10FFFF (table 3-7 of the Unicode standard). */
bool ride_utf8_valid(const char *text, size_t bytes) {
    const uint8_t *p = (const uint8_t *)text, *end = p + bytes;
    while (p < end) {
        if (end - p >= 8) {
            uint64_t word;
            memcpy(&word, p, sizeof word);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                p += 8;
                continue;
            }
        }
        uint8_t first = *p;
        if (first < 0x80) {
            p++;
            continue;
        }
        unsigned more;
        uint8_t low = 0x80, high = 0xBF; /* of the second byte */
        if (first >= 0xC2 && first <= 0xDF) more = 1;
        else if (first >= 0xE0 && first <= 0xEF) {
            more = 2;
            if (first == 0xE0) low = 0xA0;
            if (first == 0xED) high = 0x9F;
        } else if (first >= 0xF0 && first <= 0xF4) {
            more = 3;
            if (first == 0xF0) low = 0x90;
            if (first == 0xF4) high = 0x8F;
        } else return false;
        if ((size_t)(end - p) <= more || p[1] < low || p[1] > high) return false;
        for (unsigned i = 2; i <= more; i++)
            if ((p[i] & 0xC0) != 0x80) return false;
        p += more + 1;
    }
    return true;
}
