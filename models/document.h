/* models/document.h: a model file as a tree of values, whether it was JSON or UBJSON.
 *
 * Not a general JSON library: numbers stay as their text until somebody asks for a float or a whole number, because a float
 * must be read as a float (through a double it could be rounded twice); NaN, Infinity and -Infinity are numbers, because
 * trainers write them; everything is bounded, because the file may be hostile. Strings and numbers point into the file's
 * bytes, which must outlive the document. Immutable after the parse; then any thread. */
#ifndef RIDE_MODELS_DOCUMENT_H
#define RIDE_MODELS_DOCUMENT_H
#include "base/arena.h"
#include "base/error.h"
#include "models/ir.h"

typedef enum ride_value_kind {
    RIDE_VALUE_NULL = 0,
    RIDE_VALUE_BOOL,
    RIDE_VALUE_TEXT_NUMBER, /* text: as written */
    RIDE_VALUE_INTEGER,     /* UBJSON */
    RIDE_VALUE_REAL,        /* UBJSON; a float is held exactly */
    RIDE_VALUE_STRING,      /* UTF-8, not terminated */
    RIDE_VALUE_ARRAY,
    RIDE_VALUE_OBJECT, /* items: key, value, key, value, …; keys are distinct strings */
    RIDE_VALUE_PACKED, /* UBJSON array of one number type, big-endian, as in the file */
    RIDE_VALUE_NUMBERS, /* JSON array of numbers only: where every eighth begins; of most files nearly all. Others are found from there */
} ride_value_kind;

enum { RIDE_NUMBERS_STEP = 8 };
typedef struct ride_value_numbers {
    const char *base;   /* the first one's text */
    uint32_t offsets[]; /* from it, of number 0, RIDE_NUMBERS_STEP, … */
} ride_value_numbers;

typedef struct ride_value {
    uint8_t kind;        /* ride_value_kind */
    uint8_t packed_type; /* PACKED: UBJSON's letter */
    uint32_t count;      /* bytes of text; elements of an array; members of an object */
    union {
        const char *text;
        const uint8_t *packed;
        const struct ride_value *items;
        const ride_value_numbers *numbers;
        int64_t integer; /* INTEGER, BOOL */
        double real;
    } u;
} ride_value;

enum {
    RIDE_DOCUMENT_DEPTH_MAX = 64,
    RIDE_DOCUMENT_MEMBERS_MAX = 512, /* of one object */
};

/* Parses all of data. Values are allocated in the arena, whose bytes_max bounds them. RIDE_E_MODEL with what and byte
 * offset (in *offset, for line and column) when it is not such a document, or is one beyond the bounds. Duplicate
 * keys are refused: two readers could see two models. */
ride_status ride_document_json(const void *data, size_t bytes, ride_arena *arena, const ride_load_watch *watch,
                               ride_value *out, size_t *offset, ride_error *err);
ride_status ride_document_ubjson(const void *data, size_t bytes, ride_arena *arena, const ride_load_watch *watch,
                                 ride_value *out, size_t *offset, ride_error *err);

/* Member of an object, or NULL (also when `object` is NULL or none). */
const ride_value *ride_value_get(const ride_value *object, const char *key);
/* Elements of an array of any kind; 0 for everything else. */
uint32_t ride_value_length(const ride_value *array);
/* Element i of an array of values, or NULL. Not of arrays of numbers: the getters below. */
const ride_value *ride_value_at(const ride_value *array, uint32_t i);

/* Numbers: false when it is none, or not of that kind or range. A float or double is rounded once from what is written. */
bool ride_value_float(const ride_value *value, float *out);
bool ride_value_double(const ride_value *value, double *out);
bool ride_value_i64(const ride_value *value, int64_t *out);
bool ride_text_to_model_float(const char *text, size_t bytes, float *out); /* NaN and Infinity included */
/* Element i of an array of any kind, as above; a bool is 0 or 1. */
bool ride_value_float_at(const ride_value *array, uint32_t i, float *out);
bool ride_value_double_at(const ride_value *array, uint32_t i, double *out);
bool ride_value_i64_at(const ride_value *array, uint32_t i, int64_t *out);

/* true when it is a string equal to `text`. */
bool ride_value_is(const ride_value *value, const char *text);

/* For the two readers: a stack on which the values of open arrays and objects grow. */
typedef struct ride_value_stack {
    ride_value *values;
    size_t count, count_max;
    size_t bytes_max;
} ride_value_stack;
ride_status ride_value_push(ride_value_stack *stack, ride_value value, ride_error *err);
/* Moves the values from `first` on into the arena as the items of *out (kind ARRAY or OBJECT; ARRAY becomes NUMBERS where it can). */
ride_status ride_value_close(ride_value_stack *stack, size_t first, ride_value_kind kind, ride_arena *arena,
                             ride_value *out, ride_error *err);

#endif
