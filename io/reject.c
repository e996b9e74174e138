/* io/reject.c: a refused row as one NDJSON record. */
#include "io/reject.h"

#include "base/number.h"
#include "io/value.h"

#include <string.h>

/* Appends within the record's room; what does not fit any more is dropped, quotes never. */
typedef struct writer {
    char *at, *end;
} writer;

static void put(writer *w, const char *text, size_t bytes) {
    if (bytes > (size_t)(w->end - w->at)) return;
    memcpy(w->at, text, bytes);
    w->at += bytes;
}
static void put_word(writer *w, const char *text) { put(w, text, strlen(text)); }
static void put_number(writer *w, uint64_t value) {
    char text[RIDE_NUMBER_BYTES];
    put(w, text, ride_u64_to_text(value, text));
}

/* Bytes of the sequence at p when it is well-formed, else 0. */
static size_t sequence(const char *p, size_t left) {
    for (size_t n = 1; n <= 4 && n <= left; n++)
        if (ride_utf8_valid(p, n)) return n;
    return 0;
}

static void put_escaped(writer *w, const char *text, size_t bytes) {
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes;) {
        uint8_t c = (uint8_t)text[i];
        if (c < 0x20 || c == 0x7F) {
            char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            put(w, escape, sizeof escape);
            i++;
        } else if (c == '"' || c == '\\') {
            char escape[2] = {'\\', (char)c};
            put(w, escape, sizeof escape);
            i++;
        } else {
            size_t n = sequence(text + i, bytes - i);
            if (n > 0) put(w, text + i, n);
            else put(w, "\xEF\xBF\xBD", 3); /* U+FFFD */
            i += n > 0 ? n : 1;
        }
    }
}

static void put_text_member(writer *w, const char *key, const char *text, size_t bytes_max) {
    size_t bytes = strlen(text);
    put_word(w, key);
    put_word(w, "\"");
    if (bytes > bytes_max) { /* the end of a path says more than its beginning */
        put_word(w, "...");
        text += bytes - bytes_max;
        bytes = bytes_max;
    }
    put_escaped(w, text, bytes);
    put_word(w, "\"");
}

/* The record with its sensitive stretches covered. Returns whether it was cut. */
static bool put_original(writer *w, const ride_reject *reject) {
    if (reject->redact_all) {
        put_word(w, "***");
        return false;
    }
    uint32_t end =
        reject->raw_bytes < RIDE_REJECT_ORIGINAL_BYTES_MAX ? reject->raw_bytes : RIDE_REJECT_ORIGINAL_BYTES_MAX;
    uint32_t at = 0;
    for (uint32_t i = 0; i < reject->sensitive_count; i++) {
        const ride_span *span = &reject->sensitive[i];
        if (span->offset >= end) break;
        if (span->offset > at) put_escaped(w, reject->raw + at, span->offset - at);
        if (span->bytes > 0) put_word(w, "***");
        at = span->offset + span->bytes;
    }
    if (at < end) put_escaped(w, reject->raw + at, end - at);
    return end < reject->raw_bytes;
}

size_t ride_reject_format(const ride_reject *reject, char text[RIDE_REJECT_RECORD_BYTES_MAX]) {
    writer w = {text, text + RIDE_REJECT_RECORD_BYTES_MAX};
    put_text_member(&w, "{\"reason\":", ride_reject_word(reject->reason), 64);
    put_text_member(&w, ",\"text\":", ride_reject_text(reject->reason), 128);
    put_text_member(&w, ",\"file\":", reject->file != NULL ? reject->file : "", 512);
    put_word(&w, ",\"line\":");
    put_number(&w, reject->line);
    put_word(&w, ",\"column\":");
    if (reject->column > 0) put_number(&w, reject->column);
    else put_word(&w, "null");
    if (reject->field != NULL) put_text_member(&w, ",\"field\":", reject->field, 256);
    else put_word(&w, ",\"field\":null");
    put_word(&w, ",\"original\":\"");
    bool cut = put_original(&w, reject);
    put_word(&w, cut ? "\",\"cut\":true}" : "\",\"cut\":false}");
    return (size_t)(w.at - text);
}

void ride_reject_to_sink(void *sink, const ride_reject *reject) {
    char *to = (char *)ride_sink_reserve(sink, RIDE_REJECT_RECORD_BYTES_MAX + 1);
    if (to == NULL) return;
    size_t bytes = ride_reject_format(reject, to);
    to[bytes] = '\n';
    ride_sink_commit(sink, bytes + 1);
}
