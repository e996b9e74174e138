/* api/arrow_columns.h: one column of an Arrow array, as numbers. */
#ifndef RIDE_API_ARROW_COLUMNS_H
#define RIDE_API_ARROW_COLUMNS_H
#include "api/api.h"
#include "api/arrow.h"

typedef enum arrow_type {
    ARROW_NULL, /* every value is missing */
    ARROW_BOOL,
    ARROW_I8,
    ARROW_U8,
    ARROW_I16,
    ARROW_U16,
    ARROW_I32,
    ARROW_U32,
    ARROW_I64,
    ARROW_U64,
    ARROW_F16,
    ARROW_F32,
    ARROW_F64,
    ARROW_STRING,       /* offsets of 32 bits */
    ARROW_LARGE_STRING, /* of 64 */
    ARROW_STRING_VIEW,
} arrow_type;

typedef struct api_column {
    bool is_there;
    bool has_map; /* values are indexes into map */
    arrow_type type;
    int64_t offset;
    const uint8_t *validity; /* NULL: nothing is null */
    const void *const *buffers;
    const api_input *input;
    double *map; /* [map_count] what a dictionary's entries are; ARROW_UNKNOWN: a category that the model never saw */
    uint64_t map_count, map_max;
} api_column;

#define ARROW_UNKNOWN (-1.0) /* no code of a category */

/* Looks at a column for `input`; rows_end: so many values it must have. Fails with the column's name. */
ride_result arrow_column_open(ride_context *context, const api_input *input, const struct ArrowArray *array,
                              const struct ArrowSchema *schema, int64_t rows_end, api_column *out);
/* Memory for so many columns; dictionaries keep theirs. false: there is none. */
bool arrow_columns_reserve(ride_context *context, uint32_t count);
void arrow_columns_free(api_column *columns, uint32_t count);

/* Values of rows [first, first + count) behind `base` into out, floats or doubles by out_type; null is NaN. rows_validity: of whole rows from
 * row 0 of the array on, or NULL. false: row *bad of them has a category that the model never saw. */
bool arrow_column_read(const api_column *column, const uint8_t *rows_validity, int64_t base, uint64_t first,
                       uint32_t count, uint32_t out_type, void *out, uint32_t *bad);

#endif
