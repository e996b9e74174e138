/* engine/score_file.h: what `ride score` does: rows of a text file through a model, one line out per line in. */
#ifndef RIDE_ENGINE_SCORE_FILE_H
#define RIDE_ENGINE_SCORE_FILE_H
#include "models/ensemble.h"

/* Scores every row of input_path ("-" = standard input, may be .gz or .zst) into output_path ("-" = standard output).
 *
 * CSV: a header line with names; a model with names takes its columns by name (others are ignored), one without needs exactly
 * its number of columns. Empty, NaN and nan are missing; a category may be given by its name where the model has names.
 * libsvm (told by a first line whose first word is a number and that has no comma): label, then index:value from index 0
 * on; absent is missing; `qid:` is skipped.
 * Out: no header; margins when raw, else answers (probabilities); floats as %.9g, doubles as %.17g, several outputs
 * separated by commas; with members the answers of an ensemble's members behind them, empty where one was not asked. A bad row ends the run: RIDE_E_DATA with its line in the error. *rows (may be NULL) = rows written.
 * The model's nodes go (ride_ensemble_drop_nodes): it scores one file. */
ride_status ride_score_file(ride_ensemble *model, const char *input_path, const char *output_path, bool raw,
                            bool members, uint64_t *rows, ride_error *err);

#endif
