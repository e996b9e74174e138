/* Any bytes as a message, in each format: no crash, and what the decoder of a file says of the same bytes behind its header. */
#include "tests/support/io_case.h"

enum { LIMIT = 4096, ROOM = 1 << 17 };

static io_case one, file;
static ride_decoder *decoders[RIDE_FORMAT_BINARY + 1];
static char headers[RIDE_FORMAT_BINARY + 1][1024];
static size_t headers_bytes[RIDE_FORMAT_BINARY + 1];

static void begin(void) {
    case_begin(&one, true);
    case_begin(&file, true);
    for (ride_format format = RIDE_FORMAT_CSV; format <= RIDE_FORMAT_BINARY; format++) {
        decoders[format] = case_records(&one, format, LIMIT);
        if (format != RIDE_FORMAT_NDJSON)
            headers_bytes[format] = case_file_header(&one, format, headers[format], sizeof headers[format]);
    }
}

static void check(bool right) {
    if (!right) abort();
}

/* Is the message one record however it is read? A file has blank lines, a mark at its beginning, many records, and may be
 * compressed. */
static bool alike(ride_format format, const uint8_t *data, size_t size) {
    if (size == 0 || size >= LIMIT) return false;
    if (format == RIDE_FORMAT_BINARY) return true;
    if (memchr(data, '\n', size) != NULL) return false;
    const bool compressed = size >= 2 && (memcmp(data, "\x1F\x8B", 2) == 0 || memcmp(data, "\x28\xB5", 2) == 0);
    return !compressed && !(size >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0);
}

static void try_format(ride_format format, const uint8_t *data, size_t size) {
    static char row[ROOM];
    uint64_t number = format == RIDE_FORMAT_CSV ? 2 : 1;
    ride_status st = case_record(&one, decoders[format], data, size, number, row, sizeof row);
    check(st == RIDE_OK || st == RIDE_E_DATA);
    if (!alike(format, data, size)) return;
    size_t header = headers_bytes[format];
    char *text = malloc(header + size), *rows = NULL;
    ride_decoder_stats stats = {0};
    case_run run = {.format = format, .record_bytes_max = LIMIT, .portable_only = true};
    check(text != NULL);
    memcpy(text, headers[format], header);
    memcpy(text + header, data, size);
    ride_status end = case_decode(&file, &run, text, header + size, &rows, &stats, NULL);
    if (strstr(one.log, ":empty:") != NULL) check(stats.blank_lines > 0 && rows[0] == '\0' && file.log[0] == '\0');
    else if (strstr(one.log, ":bad_record:") != NULL) check(end != RIDE_END || stats.accepted + stats.rejected != 1);
    else check(end == RIDE_END && strcmp(rows, row) == 0 && strcmp(file.log, one.log) == 0);
    free(text);
    free(rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (decoders[RIDE_FORMAT_CSV] == NULL) begin();
    for (ride_format format = RIDE_FORMAT_CSV; format <= RIDE_FORMAT_BINARY; format++) try_format(format, data, size);
    return 0;
}
