/* io/csv.h: the CSV decoder's parts. A block is up to a tile's rest of rows that the splitter found clean: the right number of
 * fields, no quote, not too long. Its columns are read one after another by the column functions; whatever these do not
 * know at a glance goes to ride_csv_field, which reads with care. Rows that are not clean are csv.c's, one by one.
 *
 * So there are two readings of a row, a fast and a careful one, and the fast one never refuses: tests hold them equal. */
#ifndef RIDE_IO_CSV_H
#define RIDE_IO_CSV_H
#include "io/decoder_internal.h"

enum { RIDE_CSV_BLOCK_ROWS = RIDE_TILE_ROWS, RIDE_CSV_BOUNDS_SLACK = 16, RIDE_CSV_SHAPES_LOG = 8 };

typedef struct ride_csv_block {
    ride_decoder *decoder;
    const uint8_t *text;    /* the source's window; readable RIDE_SOURCE_PADDING bytes before and behind */
    const uint32_t *bounds; /* row r, field f lies from bounds[r * stride + f] + 1 to bounds[r * stride + f + 1] */
    uint32_t stride;        /* fields of a line + 1 */
    ride_batch *batch;
    void *tile;
    uint32_t row_first; /* of the block, within the tile */
    const ride_step *step;
    void *values;              /* of the step's column, at row_first; scratch when it is not stored */
    uint8_t *validity;         /* of the step's column, or NULL */
    ride_reject_reason reason; /* of the row at which a column function stopped */
    bool arena_full;           /* it stopped because the arena is full */
    uint8_t date_text[16];     /* the last date that was read and what stood behind it (11 bytes), and its first µs */
    int64_t date_us;
} ride_csv_block;

/* Places of the commas of a mask of 64 bytes, remembered by the splitter. */
typedef struct ride_csv_shape {
    uint64_t commas;
    uint8_t places[8]; /* 64 where there are no more */
} ride_csv_shape;

/* Reads the step's column of rows_count rows; returns how many are good from the first on. */
typedef uint32_t (*ride_csv_column_fn)(ride_csv_block *block, uint32_t rows_count);

typedef struct ride_csv_kernels {
    /* Splits up to rows_max clean rows of text[begin, limit); returns how many. ends[r] is the place of row r's line feed. */
    uint32_t (*split)(const uint8_t *text, size_t begin, size_t limit, uint32_t rows_max, uint32_t fields,
                      size_t record_bytes_max, ride_csv_shape *shapes, uint32_t *bounds, uint32_t *ends);
    ride_csv_column_fn integer, decimal, time_iso8601, boolean, string, other;
} ride_csv_kernels;

const ride_csv_kernels *ride_csv_kernels_portable(void);
const ride_csv_kernels *ride_csv_kernels_avx2(void); /* NULL where the processor has it not */

/* Reads one field with care and stores it. False: refused, block->reason says why. */
bool ride_csv_field(ride_csv_block *block, uint32_t row);
/* Reads a date (10 bytes) and the separator behind it into the block's cache; false when they are none. */
bool ride_csv_date(ride_csv_block *block, const uint8_t *text);
uint32_t ride_csv_column_other(ride_csv_block *block, uint32_t rows_count);
uint32_t ride_csv_column_string(ride_csv_block *block, uint32_t rows_count);

static inline const uint8_t *ride_csv_text(const ride_csv_block *block, uint32_t row, uint32_t *bytes) {
    const uint32_t *bound = block->bounds + (size_t)row * block->stride + block->step->position;
    uint32_t begin = bound[0] + 1;
    *bytes = bound[1] - begin;
    return block->text + begin;
}

#endif
