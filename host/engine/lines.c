/* engine/lines.c: see lines.h. */
#include "engine/lines.h"

#include <string.h>

enum { SHOWN_BYTES_MAX = 60 };

ride_status ride_lines_bad(const ride_lines *lines, const char *what, ride_text part, ride_error *err) {
    int shown = (int)(part.bytes < SHOWN_BYTES_MAX ? part.bytes : SHOWN_BYTES_MAX);
    ride_fail(err, RIDE_E_DATA, "%s: `%.*s`", what, shown, part.at);
    ride_error_where(err, "%s:%llu", lines->source->path, (unsigned long long)lines->line);
    return RIDE_E_DATA;
}

ride_status ride_lines_next(ride_lines *lines, ride_text *out, bool *more, ride_error *err) {
    ride_source *s = lines->source;
    size_t searched = 0;
    *more = true;
    for (;;) {
        size_t unread = ride_source_unread(s);
        const char *begin = (const char *)s->data + s->begin;
        const char *end = unread > searched ? memchr(begin + searched, '\n', unread - searched) : NULL;
        if (end == NULL && !s->at_end) {
            searched = unread;
            ride_status st = ride_source_fill(s, err);
            if (st == RIDE_FULL) {
                lines->line++;
                return ride_lines_bad(lines, "a line too long", (ride_text){begin, unread}, err);
            }
            RIDE_TRY(st);
            continue;
        }
        if (end == NULL && unread == 0) {
            *more = false;
            return RIDE_OK;
        }
        *out = (ride_text){begin, end != NULL ? (size_t)(end - begin) : unread};
        ride_source_consume(s, out->bytes + (end != NULL));
        if (out->bytes > 0 && out->at[out->bytes - 1] == '\r') out->bytes--;
        lines->line++;
        return RIDE_OK;
    }
}

bool ride_text_is(ride_text part, const char *word) {
    return part.bytes == strlen(word) && memcmp(part.at, word, part.bytes) == 0;
}
