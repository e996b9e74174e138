/* Single messages allocate nothing after open, good or bad, and neither do the rows that are encoded one by one. */
#include "tests/support/alloc_count.h"
#include "tests/support/io_case.h"
#define CHECK_NOW format_words[format]
#include "tests/support/check_exit.h"

enum { ROWS = 800, TURNS = 20, RECORD_BYTES_MAX = 4096 };

static const char *const format_words[] = {
    [RIDE_FORMAT_CSV] = "csv", [RIDE_FORMAT_NDJSON] = "ndjson", [RIDE_FORMAT_BINARY] = "binary"};
static io_case c;
static char messages[ROWS][RECORD_BYTES_MAX];
static size_t messages_bytes[ROWS];

/* The case's random rows as messages of the format. */
static void encode_all(ride_format format, ride_encoder *encoder) {
    ride_encoder_set set = {c.batch->tiles, c.batch->arena};
    for (uint32_t i = 0; i < ROWS; i++)
        CHECK(ride_encoder_row(encoder, &set, i, messages[i], sizeof messages[i], &messages_bytes[i]) == RIDE_OK);
}

static uint32_t decode_all(ride_format format, ride_decoder *decoder, size_t cut) {
    ride_reject_reason reason;
    ride_batch_clear(c.batch);
    c.log_bytes = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        const size_t bytes = cut < messages_bytes[i] ? messages_bytes[i] - cut : 0;
        ride_status st = ride_decoder_record(decoder, c.batch, messages[i], bytes, i, &reason);
        CHECK(st == RIDE_OK || (st == RIDE_E_DATA && cut > 0));
    }
    return c.batch->rows_count;
}

int main(void) {
    if (!ALLOC_COUNT_WORKS) {
        puts("a sanitizer has its own malloc: nothing can be counted");
        return 77;
    }
    case_begin(&c, true);
    char *text = case_random_csv(ROWS);
    ride_encoder_column columns[RIDE_FIELDS_MAX];
    const uint32_t columns_count = case_columns(&c, columns);
    for (ride_format format = RIDE_FORMAT_CSV; format <= RIDE_FORMAT_BINARY; format++) {
        ride_encoder *encoder = NULL;
        ride_decoder *decoder = case_records(&c, format, RECORD_BYTES_MAX);
        ride_encoder_options options = {.format = format,
                                        .columns = columns,
                                        .columns_count = columns_count,
                                        .layouts = {&c.layout}};
        CHECK(ride_encoder_open_records(&options, &encoder, NULL) == RIDE_OK);
        ride_source *source = NULL;
        ride_decoder *whole = NULL;
        ride_decoder_options csv = {.spec = &c.spec, .format = RIDE_FORMAT_CSV};
        CHECK(ride_source_open_memory("case", text, strlen(text), 0, &source, NULL) == RIDE_OK);
        CHECK(ride_decoder_open(&csv, source, &whole, NULL) == RIDE_OK);
        ride_batch_clear(c.batch);
        const ride_status st = ride_decoder_decode(whole, c.batch, ROWS, INT64_MAX, NULL, NULL);
        CHECK((st == RIDE_OK || st == RIDE_END) && c.batch->rows_count == ROWS);
        ride_decoder_close(whole);
        ride_source_close(source);
        alloc_count_begin();
        encode_all(format, encoder);
        for (int turn = 0; turn < TURNS; turn++) {
            CHECK(decode_all(format, decoder, 0) == ROWS);
            encode_all(format, encoder);
            decode_all(format, decoder, 1 + (size_t)turn * 7); /* most are refused */
            CHECK(decode_all(format, decoder, 0) == ROWS);
        }
        const alloc_count count = alloc_count_end();
        CHECK(count.allocations == 0 && count.frees == 0 && count.maps == 0);
        CHECK(ride_decoder_get_stats(decoder)->rejected > ROWS);
        ride_encoder_close(encoder);
        ride_decoder_close(decoder);
    }
    free(text);
    case_end(&c);
    puts("messages allocate nothing");
    return 0;
}
