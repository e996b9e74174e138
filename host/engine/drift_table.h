/* engine/drift_table.h: the columns of two CSV files that have names in common, in memory, for drift_files.c.
 *
 * A column holds numbers until a cell of either file is no number; from then on it is a text column in both: what came before becomes the
 * text that its number prints as, and a number stands for the same text however it is written ("1" and "1.0"). So files are read once,
 * and may be pipes. Empty cells and NaN are missing. One thread. */
#ifndef RIDE_ENGINE_DRIFT_TABLE_H
#define RIDE_ENGINE_DRIFT_TABLE_H
#include "base/arena.h"
#include "engine/words.h"

enum { RIDE_DRIFT_REF = 0, RIDE_DRIFT_CUR = 1, RIDE_DRIFT_SIDES = 2, RIDE_DRIFT_COLUMNS_MAX = 65536 };

typedef struct ride_drift_column {
    const char *name;
    bool is_asked;     /* named by the caller: compared whatever it holds */
    ride_words *words; /* NULL: numbers */
    bool is_left_out;  /* a text column of too many values that nobody asked for; it holds no values */
    uint32_t position[RIDE_DRIFT_SIDES]; /* in the file's lines */
    double *values[RIDE_DRIFT_SIDES];    /* numbers, or numbers of words; NaN = missing */
} ride_drift_column;

typedef struct ride_drift_side {
    ride_lines lines;
    const char **names; /* of the header */
    uint32_t names_count;
    ride_drift_column **at; /* by position; NULL = not compared */
    uint64_t rows_count, rows_max;
} ride_drift_side;

typedef void (*ride_drift_progress_fn)(void *context, const char *what, uint64_t done, uint64_t total);

typedef struct ride_drift_tables {
    ride_arena *arena; /* names */
    ride_drift_side sides[RIDE_DRIFT_SIDES];
    ride_drift_column *columns;
    uint32_t columns_count;
    ride_drift_progress_fn progress; /* may be NULL; bytes of the file */
    void *progress_context;
    char *quoted; /* room for one line without its quotes */
    ride_text *cells;
} ride_drift_tables;

/* Opens both files and reads their headers into `names`. RIDE_E_DATA: an empty file, a name twice, too many columns. */
ride_status ride_drift_tables_open(ride_drift_tables *tables, const char *const paths[RIDE_DRIFT_SIDES],
                                   ride_error *err);
/* Reads all rows of the columns, which the caller has filled in: name, is_asked, words where it is a text from the start, position.
 * RIDE_E_DATA: a line with more or fewer cells than the header, quotes that do not match, no row at all. */
ride_status ride_drift_tables_read(ride_drift_tables *tables, ride_error *err);
void ride_drift_tables_close(ride_drift_tables *tables); /* also after a failure; the columns too */

#endif
