/* io/ndjson_internal.h: the NDJSON decoder's own data, and its two readings of an object. Internal to io. */
#ifndef RIDE_IO_NDJSON_INTERNAL_H
#define RIDE_IO_NDJSON_INTERNAL_H
#include "io/decoder_internal.h"
#include "io/value_glance.h"
#include "lib/json.h"

enum {
    NDJSON_SLOTS = 1024,  /* of names, at most a quarter full */
    NDJSON_MEMBERS = 256, /* of an object that are remembered, from its beginning */
    NDJSON_BEFORE = 64,   /* bytes before a value that are remembered; RIDE_JSON_PADDING at most */
};

/* What stood before the value of a member the last time: `{"name":` or `,"name":`, with its white space. */
typedef struct ndjson_member {
    char before[NDJSON_BEFORE]; /* zeros behind */
    uint8_t before_bytes;       /* 0: not known */
    uint16_t field;             /* of the spec; RIDE_FIELDS_MAX = none */
} ndjson_member;

typedef struct ndjson {
    uint16_t slots[NDJSON_SLOTS]; /* field index + 1; 0 = empty */
    const ride_source_spec *spec;
    /* the reading at a glance */
    ndjson_member members[NDJSON_MEMBERS];
    uint32_t step_of[RIDE_FIELDS_MAX];         /* a field's first step */
    uint64_t objects, met_at[RIDE_FIELDS_MAX]; /* met_at == objects: the field was met in this object */
    ride_glance glance;
    /* the careful one */
    ride_json_parser *parser;
    ride_json_member found[RIDE_FIELDS_MAX];
    bool seen[RIDE_FIELDS_MAX];
    uint32_t twice; /* a field that appeared twice, or RIDE_FIELDS_MAX */
    uint32_t twice_offset;
    bool has_sensitive, unsure; /* a sensitive value may lie where it cannot be told */
} ndjson;

/* The field of that name, or RIDE_FIELDS_MAX. */
uint32_t ride_ndjson_field(const ndjson *state, const char *name, size_t bytes);
/* May a value of this JSON type stand for the field's type? */
bool ride_ndjson_fits(const ride_step *step, ride_json_type type);
/* True: text[0, bytes) is an object without anything to refuse, and decoder->values are its. False: nothing is said; there may be a fault or
 * only what is rare. RIDE_JSON_PADDING bytes behind the text must be readable. */
bool ride_ndjson_glance(ride_decoder *decoder, ndjson *state, const char *text, size_t bytes);

#endif
