/* lib/zstd.c: shim over libzstd's streaming decompression. The window buffer is libzstd's own: it is allocated when the
 * first frame header is read, which ride_source_open does before it returns; a later frame with a larger window is
 * the one case where it grows. */
#include "lib/zstd.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

struct ride_zstd {
    ZSTD_DCtx *context;
};

bool ride_zstd_is(const void *bytes, size_t bytes_count) {
    uint32_t magic;
    if (bytes_count < sizeof magic) return false;
    memcpy(&magic, bytes, sizeof magic);
    return magic == ZSTD_MAGICNUMBER || (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
}

ride_status ride_zstd_create(ride_zstd **out, ride_error *err) {
    ride_zstd *stream = malloc(sizeof *stream);
    if (stream == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a zstd context");
    stream->context = ZSTD_createDCtx();
    if (stream->context == NULL) {
        free(stream);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for a zstd context");
    }
    ZSTD_DCtx_setParameter(stream->context, ZSTD_d_windowLogMax, RIDE_ZSTD_WINDOW_LOG_MAX);
    *out = stream;
    return RIDE_OK;
}

void ride_zstd_destroy(ride_zstd *stream) {
    if (stream == NULL) return;
    ZSTD_freeDCtx(stream->context);
    free(stream);
}

ride_status ride_zstd_decompress(ride_zstd *stream, const void *in, size_t *in_bytes, void *out, size_t *out_bytes,
                                 bool *frame_end, const char **why) {
    ZSTD_inBuffer source = {in, *in_bytes, 0};
    ZSTD_outBuffer target = {out, *out_bytes, 0};
    ride_status st = RIDE_OK;
    while (target.pos < target.size) {
        size_t in_before = source.pos, out_before = target.pos;
        size_t left = ZSTD_decompressStream(stream->context, &target, &source);
        if (ZSTD_isError(left)) {
            *why = ZSTD_getErrorName(left);
            st = RIDE_E_CORRUPT;
            break;
        }
        if (source.pos != in_before || target.pos != out_before) *frame_end = left == 0;
        if (source.pos == source.size && target.pos < target.size) break; /* all there was */
        if (source.pos == in_before && target.pos == out_before) break;
    }
    *in_bytes = source.pos;
    *out_bytes = target.pos;
    return st;
}
