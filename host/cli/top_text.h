/* cli/top_text.h: what `ride top` shows of two pages: as text of so many lines and columns, or as one line of JSON. */
#ifndef RIDE_CLI_TOP_TEXT_H
#define RIDE_CLI_TOP_TEXT_H
#include "cli/top_page.h"

#include <stdbool.h>
#include <stdio.h>

typedef struct top_view {
    const top_page *before, *after;
    double seconds; /* between them */
    const char *address;
    double now;              /* seconds since the epoch */
    uint32_t lines, columns; /* 0 lines: as many as there are */
    bool colour;
    const char *trouble; /* why the page is not of now; NULL = it is */
} top_view;

enum { TOP_TEXT_BYTES = 1 << 16 };
/* Lines without their ends are padded by nothing; each ends with `line_end` ("\n", on a terminal "\033[K\r\n"), the last line too. Into text of
 * TOP_TEXT_BYTES; returns the bytes written. */
size_t top_text(const top_view *view, const char *line_end, char *text);
void top_json(const top_view *view, FILE *to);

double top_rate(const top_view *view, ride_metric_family family, const char *name); /* of a counter, per second */
/* ready: 1, not: 0, not said: -1. The parts that are not, by a comma, into parts of parts_bytes_max bytes. */
int top_ready(const top_page *page, char *parts, size_t parts_bytes_max);

#endif
