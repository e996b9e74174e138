/* engine/golden_file.h: golden rows of a model: inputs, and the margins or answers that they are to give. What `ride model check --golden` does: a file that
 * the trainer's own predictor filled shows that a model scores here as it did there; one that RIDE wrote, that a later version, machine or conversion still does.
 *
 * CSV as engine/row_lines.h has it, with columns margin0, margin1 … (or margin), answer0 … (or answer), or both. A cell that is empty is not compared. */
#ifndef RIDE_ENGINE_GOLDEN_FILE_H
#define RIDE_ENGINE_GOLDEN_FILE_H
#include "models/ensemble.h"

enum { RIDE_GOLDEN_SHOWN = 10 };

typedef struct ride_golden_options {
    uint32_t margin_ulps, answer_ulps; /* that are allowed, in the model's own number (float or double) */
    double bound; /* above 0: instead of both, |found - expected| is at most bound * max(1, |expected|) */
} ride_golden_options;

/* One of the results that differ. */
typedef struct ride_golden_miss {
    uint64_t line; /* in the file */
    uint32_t output;
    bool is_answer;
    double expected, found;
} ride_golden_miss;

typedef struct ride_golden_result {
    uint64_t rows, margins, answers;           /* that were compared */
    uint64_t misses;                           /* beyond what is allowed */
    uint64_t margin_ulps, answer_ulps;         /* the greatest difference; UINT64_MAX where one of both is no number */
    double difference;                         /* the greatest |found - expected| / max(1, |expected|) of all */
    bool is_float;                             /* ulps are those of floats */
    ride_golden_miss shown[RIDE_GOLDEN_SHOWN]; /* the first of the misses */
} ride_golden_result;

/* Scores the rows of the file ("-" = standard input) in blocks, by the engine that `ride score` has. RIDE_OK when all rows were read, whatever came of
 * it; RIDE_E_DATA for a bad line, or when there is nothing to compare. */
ride_status ride_golden_check(const ride_ensemble *model, const char *path, const ride_golden_options *options,
                              ride_golden_result *out, ride_error *err);

/* Writes such a file with this engine's margins and answers: of the rows of input_path, or, where that is NULL, of rows_count rows that are made for the
 * model: thresholds that its trees test, those one step below and above, missing values, zeros and others. The same model, the same rows.
 * *rows (may be NULL) = rows written. */
ride_status ride_golden_write(const ride_ensemble *model, const char *input_path, uint64_t rows_count, const char *path,
                              uint64_t *rows, ride_error *err);

#endif
