/* engine/made_rows.h: rows that are made for a model: what its trees test, and what lies beside it. For golden rows and for timing where nobody gave rows. */
#ifndef RIDE_ENGINE_MADE_ROWS_H
#define RIDE_ENGINE_MADE_ROWS_H
#include "models/ensemble.h"

typedef struct ride_made_rows ride_made_rows;

/* Keeps nothing of the model but what it needs of its tests. NULL when memory is out. The caller owns it. */
ride_made_rows *ride_made_rows_create(const ride_ensemble *model);
void ride_made_rows_destroy(ride_made_rows *made); /* NULL is fine */

/* The next row: inputs_count values, NaN = missing. The same model gives the same rows. Values are thresholds of that input, the numbers one step below and above
 * them (as the model's number has it), numbers between, zeros of both signs, missing ones; codes of categories that there are, where the file names them,
 * else also codes beyond. */
void ride_made_rows_next(ride_made_rows *made, double *row);

#endif
