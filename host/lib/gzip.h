/* lib/gzip.h: gzip decompression as a stream, several members in a row included; the one home of <zlib.h>. The context
 * is created once and allocates nothing later. One thread at a time. */
#ifndef RIDE_LIB_GZIP_H
#define RIDE_LIB_GZIP_H
#include "base/error.h"

#include <stdbool.h>

typedef struct ride_gzip ride_gzip;

bool ride_gzip_is(const void *bytes, size_t bytes_count); /* do these first bytes begin a gzip member? */
ride_status ride_gzip_create(ride_gzip **out, ride_error *err);
void ride_gzip_destroy(ride_gzip *stream); /* NULL is fine */
/* Decompresses from in[0, *in_bytes) to out[0, *out_bytes); both are set to what was used and made. *member_end is true
 * when the bytes so far end with a whole member. RIDE_E_CORRUPT and *why (checksums are checked). */
ride_status ride_gzip_decompress(ride_gzip *stream, const void *in, size_t *in_bytes, void *out, size_t *out_bytes,
                                 bool *member_end, const char **why);

#endif
