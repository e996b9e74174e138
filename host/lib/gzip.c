/* lib/gzip.c: shim over zlib's inflate. zlib takes its 32 KiB window from the allocator at the first inflate that needs
 * it; giving it memory of our own keeps the data path free of allocations. */
#include "lib/gzip.h"

#include "base/assert.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { POOL_BYTES = 128 * 1024 }; /* inflate state (about 10 KiB) and window (32 KiB), with room */

struct ride_gzip {
    z_stream stream;
    size_t pool_used;
    bool between; /* the last member ended: what follows must begin another */
    _Alignas(64) uint8_t pool[POOL_BYTES];
};

static voidpf pool_take(voidpf opaque, uInt items, uInt size) {
    ride_gzip *stream = opaque;
    size_t bytes = ((size_t)items * size + 63) / 64 * 64;
    if (bytes > POOL_BYTES - stream->pool_used) return Z_NULL;
    void *piece = stream->pool + stream->pool_used;
    stream->pool_used += bytes;
    return piece;
}
static void pool_give(voidpf opaque, voidpf piece) {
    (void)opaque;
    (void)piece; /* the whole pool goes with the stream */
}

bool ride_gzip_is(const void *bytes, size_t bytes_count) {
    return bytes_count >= 3 && memcmp(bytes, "\x1f\x8b\x08", 3) == 0;
}

ride_status ride_gzip_create(ride_gzip **out, ride_error *err) {
    ride_gzip *stream = aligned_alloc(64, (sizeof *stream + 63) / 64 * 64);
    if (stream == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a gzip stream");
    memset(&stream->stream, 0, sizeof stream->stream);
    stream->pool_used = 0;
    stream->between = false;
    stream->stream.zalloc = pool_take;
    stream->stream.zfree = pool_give;
    stream->stream.opaque = stream;
    if (inflateInit2(&stream->stream, 15 + 16) != Z_OK) { /* + 16: gzip wrapping, nothing else */
        free(stream);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for a gzip stream");
    }
    *out = stream;
    return RIDE_OK;
}

void ride_gzip_destroy(ride_gzip *stream) {
    if (stream == NULL) return;
    inflateEnd(&stream->stream);
    free(stream);
}

ride_status ride_gzip_decompress(ride_gzip *stream, const void *in, size_t *in_bytes, void *out, size_t *out_bytes,
                                 bool *member_end, const char **why) {
    RIDE_ASSERT(*in_bytes <= UINT_MAX && *out_bytes <= UINT_MAX);
    z_stream *z = &stream->stream;
    z->next_in = (Bytef *)(uintptr_t)in; /* zlib does not write there */
    z->avail_in = (uInt)*in_bytes;
    z->next_out = out;
    z->avail_out = (uInt)*out_bytes;
    ride_status st = RIDE_OK;
    while (z->avail_out > 0) {
        if (stream->between) {
            if (z->avail_in == 0) break;
            stream->between = false;
            inflateReset(z);
        }
        uInt in_before = z->avail_in, out_before = z->avail_out;
        int code = inflate(z, Z_NO_FLUSH);
        if (code == Z_STREAM_END) {
            *member_end = stream->between = true;
            continue;
        }
        if (code != Z_OK && code != Z_BUF_ERROR) {
            *why = z->msg != NULL ? z->msg : zError(code);
            st = RIDE_E_CORRUPT;
            break;
        }
        if (z->avail_in == in_before && z->avail_out == out_before) break; /* needs more input */
        *member_end = false;
    }
    *in_bytes -= z->avail_in;
    *out_bytes -= z->avail_out;
    return st;
}
