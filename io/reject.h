/* io/reject.h: dead letters: one NDJSON record for each row that was refused:
 *   {"reason":"below_min","text":"below the declared minimum","file":"tx.csv","line":7,"column":31,"field":"amount",
 *    "original":"7,2026-01-01 00:00:00,***,-3.10","cut":false}
 * Sensitive parts of the original are `***`, all of it where they cannot be told apart; bytes that are not UTF-8 are
 * U+FFFD; an original longer than RIDE_REJECT_ORIGINAL_BYTES_MAX is cut ("cut":true).
 *
 * One thread at a time; nothing allocates. */
#ifndef RIDE_IO_REJECT_H
#define RIDE_IO_REJECT_H
#include "io/decoder.h"
#include "io/sink.h"

enum { RIDE_REJECT_ORIGINAL_BYTES_MAX = 4096, RIDE_REJECT_RECORD_BYTES_MAX = 8 * RIDE_REJECT_ORIGINAL_BYTES_MAX };

/* Writes the record as text without a line end; returns its bytes (<= RIDE_REJECT_RECORD_BYTES_MAX). */
size_t ride_reject_format(const ride_reject *reject, char text[RIDE_REJECT_RECORD_BYTES_MAX]);
/* A ride_reject_fn whose context is a ride_sink: appends the record and a line feed. A failed sink stays failed and is
 * told by its next flush or close. */
void ride_reject_to_sink(void *sink, const ride_reject *reject);

#endif
