/* io/csv_scan.c: see csv_scan.h. */
#include "io/csv_scan.h"

#include <stdlib.h>
#include <string.h>

bool ride_csv_scanner_init(ride_csv_scanner *scanner, size_t record_bytes_max) {
    scanner->fields = calloc(RIDE_CSV_FIELDS_MAX, sizeof *scanner->fields);
    scanner->scratch = malloc(record_bytes_max + 1);
    scanner->record_bytes_max = record_bytes_max;
    return scanner->fields != NULL && scanner->scratch != NULL;
}
void ride_csv_scanner_free(ride_csv_scanner *scanner) {
    free(scanner->fields);
    free(scanner->scratch);
}

ride_csv_scan_result ride_csv_scan(const ride_csv_scanner *scanner, const char *text, size_t room, bool more_may_come,
                                   ride_csv_record *out) {
    size_t record_bytes_max = scanner->record_bytes_max;
    size_t cap = room < record_bytes_max + 1 ? room : record_bytes_max + 1;
    size_t at = 0;
    char *scratch = scanner->scratch;
    *out = (ride_csv_record){.lines = 1};
    for (;;) {
        ride_csv_cell field = {.raw_offset = (uint32_t)at, .quoted = at < cap && text[at] == '"'};
        size_t begin = at, end;
        if (field.quoted) {
            char *to = scratch;
            for (at++;; at++) {
                const char *quote = memchr(text + at, '"', cap - at);
                size_t stop = quote != NULL ? (size_t)(quote - text) : cap;
                memcpy(scratch, text + at, stop - at);
                scratch += stop - at;
                at = stop;
                if (at == cap) return room < record_bytes_max + 1 && more_may_come ? RIDE_CSV_MORE : RIDE_CSV_QUOTES;
                if (at + 1 < cap && text[at + 1] == '"') {
                    *scratch++ = '"';
                    at++;
                    continue;
                }
                break;
            }
            end = ++at;
            if (at == cap && at == room && more_may_come && room < record_bytes_max + 1) return RIDE_CSV_MORE;
            if (at < cap && text[at] == '\r') at++;
            if (at < cap && text[at] != '\n' && (text[at] != ',' || at != end)) return RIDE_CSV_QUOTES;
            field.text = to;
            field.bytes = (uint32_t)(scratch - to);
        } else {
            while (at < cap && text[at] != ',' && text[at] != '\n') {
                if (text[at] == '"') return RIDE_CSV_QUOTES;
                at++;
            }
            end = at;
            if (at < cap && text[at] == '\n' && end > begin && text[end - 1] == '\r') end--;
            field.text = text + begin;
            field.bytes = (uint32_t)(end - begin);
        }
        if (at == cap) {
            if (room >= record_bytes_max + 1) return RIDE_CSV_OVERLONG;
            return RIDE_CSV_MORE; /* cannot be at the end: there the line feed is ours */
        }
        field.raw_bytes = (uint32_t)(end - begin);
        if (out->fields_count < RIDE_CSV_FIELDS_MAX) scanner->fields[out->fields_count] = field;
        out->fields_count++;
        if (text[at] == '\n') {
            out->bytes = (uint32_t)end;
            out->consumed = (uint32_t)at + 1;
            for (const char *p = text; (p = memchr(p, '\n', (size_t)(text + at - p))) != NULL; p++) out->lines++;
            return RIDE_CSV_RECORD;
        }
        at++;
    }
}
