/* serve/cloudevent.c: see cloudevent.h. */
#include "serve/cloudevent.h"

#include <string.h>
#include <strings.h>

typedef enum attribute { SPECVERSION, ID, SOURCE, TYPE, DATA, DATA_BASE64, DATACONTENTTYPE, ATTRIBUTES } attribute;
static const char *const names[ATTRIBUTES] = {"specversion", "id",          "source",         "type",
                                              "data",        "data_base64", "datacontenttype"};

typedef struct envelope {
    ride_json_piece pieces[ATTRIBUTES];
    const char *twice;
} envelope;

static bool on_member(void *context, const ride_json_piece *piece) {
    envelope *e = context;
    for (uint32_t i = 0; i < ATTRIBUTES; i++)
        if (strlen(names[i]) == piece->key_bytes && memcmp(names[i], piece->key, piece->key_bytes) == 0) {
            if (e->pieces[i].type != 0) e->twice = names[i];
            e->pieces[i] = *piece;
        }
    return true;
}

bool ride_cloudevent_is_json(const char *type, size_t bytes) {
    if (type == NULL) return true;
    const char *end = memchr(type, ';', bytes);
    if (end != NULL) bytes = (size_t)(end - type);
    while (bytes > 0 && (type[bytes - 1] == ' ' || type[bytes - 1] == '\t')) bytes--;
    return (bytes == 16 && strncasecmp(type, "application/json", 16) == 0) ||
           (bytes == 9 && strncasecmp(type, "text/json", 9) == 0) ||
           (bytes > 5 && strncasecmp(type + bytes - 5, "+json", 5) == 0);
}

static int digit(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* "\/" is how some writers of JSON write a slash. */
static size_t without_escapes(char *text, size_t bytes) {
    size_t to = 0;
    for (size_t i = 0; i < bytes; i++)
        if (text[i] != '\\' || i + 1 == bytes || text[i + 1] != '/') text[to++] = text[i];
    return to;
}

/* Base64 with its padding (RFC 4648, 4), read and written in place: three bytes never overtake four. */
static bool decode(char *text, size_t bytes, size_t *out) {
    size_t to = 0, padding = 0;
    bytes = without_escapes(text, bytes);
    if (bytes % 4 != 0) return false;
    while (padding < 2 && bytes > 0 && text[bytes - 1] == '=') {
        bytes--;
        padding++;
    }
    uint32_t held = 0, bits = 0;
    for (size_t i = 0; i < bytes; i++) {
        int value = digit(text[i]);
        if (value < 0) return false;
        held = held << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            text[to++] = (char)(held >> bits & 0xff);
        }
    }
    *out = to;
    return (held & ((1u << bits) - 1)) == 0;
}

static bool open_base64(char *text, const ride_json_piece *piece, ride_body_range *data, ride_body_fault *fault) {
    size_t bytes = 0;
    if (piece->type != RIDE_JSON_STRING || !decode(text + piece->offset + 1, piece->bytes - 2, &bytes) || bytes == 0)
        return ride_body_fail(fault, 422, "bad_envelope", "data_base64", "data_base64 is not base64");
    *data = (ride_body_range){piece->offset + 1, (uint32_t)bytes};
    return true;
}

bool ride_cloudevent_open(ride_json_parser *parser, char *text, size_t bytes, ride_body_range *data,
                          ride_body_fault *fault) {
    envelope e = {0};
    ride_json_result result = ride_json_members(parser, text, bytes, on_member, &e);
    if (result != RIDE_JSON_OK) return ride_body_fail_json(fault, result);
    if (e.twice != NULL) return ride_body_fail(fault, 422, "bad_envelope", e.twice, "%s is there twice", e.twice);
    for (uint32_t i = SPECVERSION; i <= TYPE; i++)
        if (e.pieces[i].type != RIDE_JSON_STRING || e.pieces[i].bytes <= 2)
            return ride_body_fail(fault, 422, "bad_envelope", names[i], "a CloudEvent needs %s, a string", names[i]);
    const ride_json_piece *version = &e.pieces[SPECVERSION], *type = &e.pieces[DATACONTENTTYPE];
    if (version->bytes != 5 || memcmp(text + version->offset, "\"1.0\"", 5) != 0)
        return ride_body_fail(fault, 422, "bad_envelope", "specversion", "only CloudEvents 1.0 are understood");
    if (type->type != 0 && type->type != RIDE_JSON_NULL &&
        (type->type != RIDE_JSON_STRING || !ride_cloudevent_is_json(text + type->offset + 1, type->bytes - 2)))
        return ride_body_fail(fault, 422, "bad_envelope", "datacontenttype", "the data must be JSON");
    const ride_json_piece *plain = &e.pieces[DATA], *base64 = &e.pieces[DATA_BASE64];
    if ((plain->type != 0) == (base64->type != 0))
        return ride_body_fail(fault, 422, "bad_envelope", "data", "a CloudEvent of ours has data, or data_base64");
    if (base64->type != 0) return open_base64(text, base64, data, fault);
    *data = (ride_body_range){plain->offset, plain->bytes};
    return true;
}
