/* io/ndjson_glance.c: one pass over an object that is plain (json_plain.h) and whose values are good. A sender writes the same members in the same
 * order again and again, so what stood before each value the last time is compared first: where it is the same, the member is known
 * without a look at its name, and its value is read as its field wants it. */
#include "io/json_plain.h"
#include "io/ndjson_internal.h"

static inline bool is_same(const char *at, const ndjson_member *member) {
    uint64_t a, b;
    size_t n = 0;
    for (; n + sizeof a <= member->before_bytes; n += sizeof a) {
        memcpy(&a, member->before + n, sizeof a);
        memcpy(&b, at + n, sizeof b);
        if (a != b) return false;
    }
    if (n == member->before_bytes) return true;
    memcpy(&a, member->before + n, sizeof a);
    memcpy(&b, at + n, sizeof b);
    return (a ^ b) << (64 - 8 * (member->before_bytes - n)) == 0; /* little-endian */
}

/* A member that is not the one of the last time: from its bracket or comma to its value, or NULL. */
static const char *member_read(ndjson *state, uint32_t number, const char *from, const char *end, uint32_t *field) {
    const char *key = ride_plain_skip(from + 1, end);
    if (*from != (number == 0 ? '{' : ',') || key == end || *key != '"') return NULL;
    const char *quote = ride_plain_string(key + 1, end);
    if (quote == NULL) return NULL;
    *field = ride_ndjson_field(state, key + 1, (size_t)(quote - key) - 1);
    const char *at = ride_plain_skip(quote + 1, end);
    if (at == end || *at != ':') return NULL;
    at = ride_plain_skip(at + 1, end);
    const size_t bytes = (size_t)(at - from);
    if (number >= NDJSON_MEMBERS || bytes > NDJSON_BEFORE) return at;
    ndjson_member *member = &state->members[number];
    memset(member->before, 0, sizeof member->before);
    memcpy(member->before, from, bytes);
    member->before_bytes = (uint8_t)bytes;
    member->field = (uint16_t)*field;
    return at;
}

/* Any value of a field; NULL when it is not plain or not good. */
static const char *value_any(const ride_decoder *decoder, ndjson *state, const ride_step *step, const char *at,
                             const char *end, ride_value *out) {
    ride_plain_token token;
    const char *stop = ride_plain_value(at, end, &token);
    if (stop == NULL) return NULL;
    out->is_null = token.type == RIDE_JSON_NULL;
    if (out->is_null) return step->nullable ? stop : NULL;
    if (!ride_ndjson_fits(step, token.type)) return NULL;
    bool known = false;
    if (step->type == RIDE_FIELD_CATEGORY) known = ride_glance_category(step->field, token.text, token.bytes, &out->i);
    else if (step->type == RIDE_FIELD_TIMESTAMP && step->unit == RIDE_UNIT_ISO8601)
        known = ride_glance_time(&state->glance, &decoder->zone, token.text, token.bytes, &out->i);
    if (known && out->i >= step->lo && out->i <= step->hi) return stop;
    return ride_value_read(step, &decoder->zone, token.text, token.bytes, out) == RIDE_REJECT_NONE ? stop : NULL;
}

/* Up to fifteen digits; NULL: something else. */
static inline const char *integer_short(const char *at, int64_t *out) {
    static const int64_t powers[8] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    const bool negative = *at == '-';
    at += negative;
    uint32_t high, low;
    unsigned count = ride_plain_digits(at, &high);
    if (count == 0 || (*at == '0' && count > 1)) return NULL;
    at += count;
    *out = high;
    if (count == 8) {
        count = ride_plain_digits(at, &low);
        if (count == 8) return NULL;
        if (count > 0) *out = high * powers[count] + low;
        at += count;
    }
    if (negative) *out = -*out;
    return at;
}

static inline const char *decimal_short(const char *at, int32_t scale, int64_t *out) {
    static const int64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    const bool negative = *at == '-';
    at += negative;
    uint32_t whole, part = 0;
    unsigned count = ride_plain_digits(at, &whole), after = 0;
    if (count == 0 || count == 8 || (*at == '0' && count > 1) || scale > 6) return NULL;
    at += count;
    if (*at == '.') {
        after = ride_plain_digits(at + 1, &part);
        if (after == 0 || (int32_t)after > scale) return NULL;
        at += after + 1;
    }
    *out = whole * powers[scale] + part * powers[(unsigned)scale - after];
    if (negative) *out = -*out;
    return at;
}

static inline const char *time_short(const ride_decoder *decoder, ndjson *state, const ride_step *step, const char *at,
                                     int64_t *out) {
    if (step->unit != RIDE_UNIT_ISO8601) {
        int64_t units;
        const char *stop = integer_short(at, &units);
        return stop != NULL && ride_time_from_units(step->unit, units, out) == RIDE_REJECT_NONE ? stop : NULL;
    }
    if (*at != '"') return NULL;
    const size_t bytes = at[20] == '"' ? 19 : at[21] == '"' ? 20 : 0;
    if (bytes == 0 || !ride_glance_time(&state->glance, &decoder->zone, at + 1, bytes, out)) return NULL;
    return at + bytes + 2;
}

/* The value of a field, with short ways for what most are. What stands behind a short one is seen by the caller: the rest of a number is no
 * comma. */
static inline const char *value_read(const ride_decoder *decoder, ndjson *state, const ride_step *step, const char *at,
                                     const char *end, ride_value *out) {
    const char *stop = NULL;
    switch (step->type) {
    case RIDE_FIELD_U8:
    case RIDE_FIELD_U16:
    case RIDE_FIELD_U32:
    case RIDE_FIELD_U64:
    case RIDE_FIELD_I8:
    case RIDE_FIELD_I16:
    case RIDE_FIELD_I32:
    case RIDE_FIELD_I64: stop = integer_short(at, &out->i); break;
    case RIDE_FIELD_DECIMAL: stop = decimal_short(at, step->field->scale, &out->i); break;
    case RIDE_FIELD_TIMESTAMP: stop = time_short(decoder, state, step, at, &out->i); break;
    case RIDE_FIELD_BOOL:
        out->i = *at == 't';
        if (memcmp(at, "true", 4) == 0) stop = at + 4;
        else if (memcmp(at, "false", 5) == 0) stop = at + 5;
        break;
    case RIDE_FIELD_STRING:
        if (*at != '"' || (stop = ride_plain_string(at + 1, end)) == NULL) break;
        out->is_null = false;
        out->s.text = at + 1;
        out->s.bytes = (uint32_t)(stop - at) - 1;
        return stop + 1;
    default: break;
    }
    if (stop == NULL || out->i < step->lo || out->i > step->hi) return value_any(decoder, state, step, at, end, out);
    out->is_null = false;
    return stop;
}

/* The fields that an object lacks are null, where they may be. */
static bool fill_missing(ride_decoder *decoder, const ndjson *state) {
    for (uint32_t i = 0; i < decoder->steps_count; i++) {
        const ride_step *step = &decoder->steps[i];
        if (state->met_at[step->position] == state->objects) continue;
        if (!step->nullable) return false;
        decoder->values[i].is_null = true;
    }
    return true;
}

bool ride_ndjson_glance(ride_decoder *decoder, ndjson *state, const char *text, size_t bytes) {
    const char *end = text + bytes, *at = ride_plain_skip(text, end);
    uint32_t met = 0;
    state->objects++;
    for (uint32_t number = 0;; number++) {
        const ndjson_member *member = &state->members[number < NDJSON_MEMBERS ? number : 0];
        uint32_t field;
        if (number < NDJSON_MEMBERS && member->before_bytes > 0 && is_same(at, member)) {
            field = member->field;
            at = ride_plain_skip(at + member->before_bytes, end);
        } else {
            if (at >= end || (at = member_read(state, number, at, end, &field)) == NULL) return false;
        }
        if (at >= end) return false;
        if (field == RIDE_FIELDS_MAX) {
            ride_plain_token token;
            at = ride_plain_value(at, end, &token);
            if (at == NULL) return false;
        } else {
            if (state->met_at[field] == state->objects) return false;
            state->met_at[field] = state->objects;
            met++;
            const uint32_t first = state->step_of[field];
            const char *from = at;
            at = value_read(decoder, state, &decoder->steps[first], from, end, &decoder->values[first]);
            if (at == NULL) return false;
            if (first + 1 < decoder->steps_count && decoder->steps[first + 1].position == field &&
                value_any(decoder, state, &decoder->steps[first + 1], from, end, &decoder->values[first + 1]) == NULL)
                return false;
        }
        at = ride_plain_skip(at, end);
        if (at >= end) return false;
        if (*at == '}') break;
        if (*at != ',') return false;
    }
    if (ride_plain_skip(at + 1, end) != end) return false;
    return met == decoder->spec->fields_count || fill_missing(decoder, state);
}
