/* engine/overlap.h: two batches in hand: while the shards' threads work on one, the caller reads and stamps the next, and writes
 * what is done. Without it reading and writing, a third of the whole, would leave the other threads with nothing to do.
 *
 * Every file here reads and writes "the" batch of the pipeline; this one changes which that is. Order stays as it is: a batch is decided and
 * written before the next one is, and nothing that a batch gives depends on the next having been read.
 * An event repeated in the next batch before its verdict is there gets it when it is (verdicts.c). An input that has
 * nothing to give is not waited for while a batch is unwritten. Private to host/engine. */
#ifndef RIDE_ENGINE_OVERLAP_H
#define RIDE_ENGINE_OVERLAP_H
#include "engine/pipeline.h"

/* Room for the second batch; the pipeline is open, and there are several shards. */
ride_status overlap_open(pipeline *p, ride_error *err);
void overlap_close(pipeline *p); /* after the shards: their threads may still look at either batch */
/* As the loop of engine.c: to RIDE_END or RIDE_INTERRUPTED; everything read is written then. */
ride_status overlap_run(pipeline *p, ride_error *err);
/* An input waits: the batch that is still in hand is finished. */
void overlap_wait(pipeline *p);

#endif
