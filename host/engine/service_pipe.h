/* engine/service_pipe.h: the stages of a service on threads of their own (runtime.mode: pipeline), over a few batches that go round.
 *
 *     reads (the calling thread)  →  computes  →  sends  →  back to who reads
 *
 * Who reads polls the feeds, decodes, stamps, appends to the journal, stores offsets and answers requests when their batch is back; who
 * computes has the backend (and is the first shard); who sends has the outlet, what is encoded for it, and the files. Batches go from one to the next through
 * rings, in order, so every stage meets them as inline, and the results are the same bytes. Each stage has a pipeline of its own: a
 * copy, made when everything is open, whose pointers are shared; what a stage may touch of them is:
 *   reads     clocks, ids and labels, counters of events, its batch; the runs of the journal; streams and feeds
 *   computes  window state, drift, alerts, counters of decisions, its batch
 *   sends     outputs, window of results, its batch
 * When no batch is on its way, who reads has all of it but the outlet and its window: a rebuild begins then, and partitions go. A batch of a few rows
 * that comes then costs less than handing it over: who reads computes and answers it, and where there
 * is no outlet it does all. So a service with little to do has the latency of one thread. What is read again (silent) goes the same way as the rest, past
 * who sends; what it counts goes aside.
 *
 * A verdict for a repeated event: where the first one is of a batch that is still on its way, who stamps leaves how far back it was, and
 * who computes, which has been there, fills it in (pipeline.recent); who stamps puts verdicts with the ids when a batch is back.
 *
 * Bounded: PIPE_BATCHES of them, made at start. Who reads goes on when there is a free one; a batch that is not full goes when fewer than
 * PIPE_BATCHES_GREEDY are on their way, so they grow with the load. Waiting sleeps; nobody spins.
 *
 * Failure: the stage that fails keeps the error and ends; who reads sees it, stops all, and answers the requests that are left. Private
 * to host/engine. */
#ifndef RIDE_ENGINE_SERVICE_PIPE_H
#define RIDE_ENGINE_SERVICE_PIPE_H
#include "config/budget.h"
#include "engine/service_internal.h"

enum { PIPE_BATCHES = RIDE_BUDGET_SERVICE_BATCHES, PIPE_BATCHES_GREEDY = 2, PIPE_ROWS_HERE = 64 };

/* In two steps: the waker of who sends is what the outlet is opened with; the threads begin when everything is open. */
ride_status pipe_open(service *s, ride_error *err);
ride_status pipe_start(service *s, ride_error *err);
/* The threads have ended; who reads has everything, the batches on their way too. */
void pipe_stop(service *s);
void pipe_close(service *s); /* stopped before */
void pipe_answer_held(service *s);

/* Of who reads: */
ride_status pipe_pass(service *s, ride_error *err); /* the batch in hand goes on; returns with an empty one */
bool pipe_is_empty(const service_pipe *pipe);
bool pipe_is_free(const service_pipe *pipe);                              /* a batch that is not full may go */
ride_status pipe_collect(service *s, ride_error *err);                    /* takes back what is done, and stores */
ride_status pipe_settle(service *s, ride_error *err);                     /* waits for all */
ride_status pipe_drain(service *s, uint64_t timeout_ns, ride_error *err); /* and for the acknowledgements */
void pipe_wait(service *s, uint64_t timeout_ns);

/* Of who sends: who reads has something to store. */
void pipe_tell(service_pipe *pipe);
/* Any: the stages are to end. */
bool pipe_is_stopping(const service_pipe *pipe);

#endif
