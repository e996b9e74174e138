/* lib/zstd.h: zstd decompression as a stream; the one home of <zstd.h>. The context is created once and allocates
 * nothing later, whatever the frames say (windows beyond the limit are refused). One thread at a time. */
#ifndef RIDE_LIB_ZSTD_H
#define RIDE_LIB_ZSTD_H
#include "base/error.h"

#include <stdbool.h>

typedef struct ride_zstd ride_zstd;

enum { RIDE_ZSTD_WINDOW_LOG_MAX = 27 }; /* 128 MiB: what `zstd --ultra -22` uses */

bool ride_zstd_is(const void *bytes, size_t bytes_count); /* do these first bytes begin a zstd frame? */
ride_status ride_zstd_create(ride_zstd **out, ride_error *err);
void ride_zstd_destroy(ride_zstd *stream); /* NULL is fine */
/* Decompresses from in[0, *in_bytes) to out[0, *out_bytes); both are set to what was used and made. *frame_end is true when
 * the bytes so far end with a whole frame (a file that ends elsewhere is truncated). RIDE_E_CORRUPT and *why. */
ride_status ride_zstd_decompress(ride_zstd *stream, const void *in, size_t *in_bytes, void *out, size_t *out_bytes,
                                 bool *frame_end, const char **why);

#endif
