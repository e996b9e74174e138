/* engine/shards.h: the window state of a run, and the threads that compute its batches.
 *
 * With one shard a batch is a work like any other. With several, each owns a range of the vnodes of every entity, in states of its own,
 * and all of them work on one batch in two phases. Windows: each goes over all rows and computes those whose key is its own, into the one set
 * of output tiles. Rows: the tiles are divided, and expressions, scores, rules and counts are done tile by tile. Rows of a key are
 * always worked by the key's owner in order of arrival, so the bytes are those of one shard, however the batches are cut. Nothing is
 * exchanged: the tiles are in memory that all of them see (backends say so: ride_device_props.tiles_shared).
 *
 * The thread that calls is the first shard; the others are threads made here, bound to the cores that they were given. Work is
 * handed over without locks: what there is to do is in pieces (windows of half a shard, rows of a tile), each claimed by one atomic
 * step. A thread does its own windows first and then what others have not begun, so one that is held up elsewhere holds
 * nobody up; a batch of a few rows is done by the caller alone. Who does a piece changes nothing: shards are ranges of keys, not
 * threads.
 *
 * A piece that fails fails the batch. Private to host/engine; one caller at a time. */
#ifndef RIDE_ENGINE_SHARDS_H
#define RIDE_ENGINE_SHARDS_H
#include "engine/pipeline.h"

/* States, queues and threads, as options.shards says. The pipeline's device and program are there. */
ride_status shards_open(pipeline *p, ride_error *err);
/* The calling thread to the first shard's cpu, until the close: when all threads that are not shards were made, since a thread runs
 * where its maker did. */
ride_status shards_bind_caller(pipeline *p, ride_error *err);
void shards_close(pipeline *p); /* waits for the threads */
/* Empty states again. */
ride_status shards_reset(pipeline *p, ride_error *err);
void shards_stats(const pipeline *p, ride_state_stats *out);

/* A batch: begun, then ended before the next begins; what the work borrows stays untouched between. Its counts, with PROFILE, are those of
 * shards_counts_open. Between the two the caller may do other things; help: it does windows that nobody has begun. */
void shards_begin(pipeline *p, const ride_work *work);
void shards_help(pipeline *p);
ride_status shards_end(pipeline *p);
/* A work without windows, done by the caller while none is begun. */
ride_status shards_submit(pipeline *p, const ride_work *work);

/* The states as one file, and back, with any number of shards. vnodes: those of the range only. */
ride_status shards_save_vnodes(const pipeline *p, uint32_t vnode_first, uint32_t vnodes_count, ride_write_fn write,
                               void *context, ride_error *err);
ride_status shards_save(const pipeline *p, ride_write_fn write, void *context, ride_error *err);
ride_status shards_restore(pipeline *p, ride_read_fn read, void *context, ride_error *err);

/* Counts of the profile, for each thread; closed with the shards. take: adds them to cells, and they begin at zero again. */
ride_status shards_counts_open(pipeline *p, ride_error *err);
ride_status shards_counts_take(pipeline *p, uint64_t *cells, uint64_t *scratch, uint32_t cells_count, ride_error *err);

#endif
