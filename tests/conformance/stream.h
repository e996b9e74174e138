/* tests/conformance/stream.h: saved states in memory: what state_save writes to and state_restore reads from. */
#ifndef RIDE_TESTS_STREAM_H
#define RIDE_TESTS_STREAM_H
#include "base/assert.h"
#include "base/status.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct memory_stream {
    uint8_t *data;
    size_t bytes, bytes_max, at;
} memory_stream;

static inline ride_status memory_write(void *context, const void *data, size_t bytes) {
    memory_stream *m = context;
    while (m->bytes + bytes > m->bytes_max) {
        m->bytes_max = m->bytes_max == 0 ? 65536 : m->bytes_max * 2;
        m->data = realloc(m->data, m->bytes_max);
        RIDE_ASSERT(m->data != NULL);
    }
    memcpy(m->data + m->bytes, data, bytes);
    m->bytes += bytes;
    return RIDE_OK;
}

static inline ride_status memory_read(void *context, void *data, size_t bytes) {
    memory_stream *m = context;
    if (m->bytes - m->at < bytes) return RIDE_E_CORRUPT;
    memcpy(data, m->data + m->at, bytes);
    m->at += bytes;
    return RIDE_OK;
}

static inline int streams_equal(const memory_stream *a, const memory_stream *b) {
    return a->bytes == b->bytes && (a->bytes == 0 || memcmp(a->data, b->data, a->bytes) == 0);
}

#endif
