/* engine/record_diff.h: the field in which two records of one event differ. Text that is no record of ours is passed over as far as it can
 * be: what was published may be anything. Any thread. */
#ifndef RIDE_ENGINE_RECORD_DIFF_H
#define RIDE_ENGINE_RECORD_DIFF_H
#include "features/schema.h"

enum { RECORD_DIFF_BYTES = 128 };

typedef struct record_diff {
    char field[RECORD_DIFF_BYTES];                   /* its name; "byte 17" where there is none */
    char a[RECORD_DIFF_BYTES], b[RECORD_DIFF_BYTES]; /* as they are written, cut; "nothing" where it is not there */
} record_diff;

/* names: of the columns, each ended by a zero, for records that have none in them (CSV); may be NULL. */
void record_diff_find(ride_format format, const char *names, uint32_t names_count, const char *a, uint32_t a_bytes,
                      const char *b, uint32_t b_bytes, record_diff *out);

/* The next member of a JSON object: its name without the quotes, its value as it is written. *at begins at the object's text. False at
 * the end, or where there is none. */
typedef struct record_member {
    const char *name, *value;
    uint32_t name_bytes, value_bytes;
} record_member;
bool record_member_next(const char **at, const char *end, record_member *out);

#endif
