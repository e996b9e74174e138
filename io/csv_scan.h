/* io/csv_scan.h: one CSV record split with care: quotes as RFC 4180 has them, fields that hold line feeds. Pure but for the
 * scanner's own arrays; internal to io. */
#ifndef RIDE_IO_CSV_SCAN_H
#define RIDE_IO_CSV_SCAN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RIDE_CSV_FIELDS_MAX = 4096 };

typedef struct ride_csv_cell {
    uint32_t raw_offset, raw_bytes; /* within the record, quotes included */
    const char *text;               /* unquoted */
    uint32_t bytes;
    bool quoted;
} ride_csv_cell;

typedef struct ride_csv_record {
    uint32_t fields_count;
    uint32_t bytes;    /* without the line end */
    uint32_t consumed; /* with it */
    uint32_t lines;    /* physical ones */
} ride_csv_record;

typedef struct ride_csv_scanner {
    ride_csv_cell *fields; /* RIDE_CSV_FIELDS_MAX of the record that was read last */
    char *scratch;         /* their unquoted texts: room for record_bytes_max + 1 */
    size_t record_bytes_max;
} ride_csv_scanner;

typedef enum ride_csv_scan_result {
    RIDE_CSV_RECORD,
    RIDE_CSV_MORE,     /* its end is not there yet */
    RIDE_CSV_OVERLONG, /* longer than record_bytes_max */
    RIDE_CSV_QUOTES,   /* quotes do not match */
} ride_csv_scan_result;

bool ride_csv_scanner_init(ride_csv_scanner *scanner, size_t record_bytes_max); /* false: no memory */
void ride_csv_scanner_free(ride_csv_scanner *scanner);
/* Reads one record of text[0, room), of which the last byte is a line feed unless more_may_come. Past RIDE_CSV_FIELDS_MAX fields are
 * counted only. */
ride_csv_scan_result ride_csv_scan(const ride_csv_scanner *scanner, const char *text, size_t room, bool more_may_come,
                                   ride_csv_record *out);

#endif
