/* engine/lines.h: the lines of a text input, for the verbs that read a file of their own shape row by row (score, drift). */
#ifndef RIDE_ENGINE_LINES_H
#define RIDE_ENGINE_LINES_H
#include "io/source.h"

/* Part of a text; not terminated. */
typedef struct ride_text {
    const char *at;
    size_t bytes;
} ride_text;

typedef struct ride_lines {
    ride_source *source; /* borrowed */
    uint64_t line;       /* number of the last line that was given, from 1 */
} ride_lines;

/* The next line without its end (LF or CRLF); *more is false when there is none. The text lives until the next call. RIDE_E_DATA: a line
 * longer than the source's record; else what the source fails with. */
ride_status ride_lines_next(ride_lines *lines, ride_text *out, bool *more, ride_error *err);

/* RIDE_E_DATA "what: `part`" at the current line. */
ride_status ride_lines_bad(const ride_lines *lines, const char *what, ride_text part, ride_error *err);

/* part is exactly word. */
bool ride_text_is(ride_text part, const char *word);

#endif
