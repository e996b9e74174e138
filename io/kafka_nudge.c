/* io/kafka_nudge.c: reads on at once where librdkafka would wait.
 *
 * The thread of a broker that finds all its partitions' queues full looks at them again when something happens on its connection, or after a
 * second: an engine that empties them sooner waits for the rest of it. Version 2.2 brought fetch.queue.backoff.ms, which is set to
 * 5 ms; before, a question to the broker makes something happen. Asking waits for the answer, so a thread of its own asks. */
#include "io/kafka_feed.h"

#include <signal.h>
#include <string.h>

enum { ASK_MS = 200 };
#define SELDOM_NS UINT64_C(10000000) /* one question is for all partitions of the broker */

static void *ask(void *context) {
    kafka_nudge *nudge = context;
    for (;;) {
        while (sem_wait(&nudge->wanted) != 0) {
        }
        if (atomic_load(&nudge->stop)) return NULL;
        int64_t begin, end;
        rd_kafka_query_watermark_offsets(nudge->rk, atomic_load(&nudge->topic), atomic_load(&nudge->partition), &begin,
                                         &end, ASK_MS);
    }
}

ride_status kafka_nudge_open(kafka_nudge *nudge, rd_kafka_t *rk, uint64_t share_bytes, ride_error *err) {
    sigset_t all, before;
    nudge->rk = rk;
    nudge->share_bytes = share_bytes;
    if (rd_kafka_version() >= 0x02020000) return RIDE_OK;
    if (sem_init(&nudge->wanted, 0, 0) != 0) return ride_fail(err, RIDE_E_MEMORY, "no semaphore for the Kafka feed");
    sigfillset(&all); /* signals are for the engine's thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&nudge->thread, NULL, ask, nudge);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) {
        sem_destroy(&nudge->wanted);
        return ride_fail(err, RIDE_E_MEMORY, "no thread for the Kafka feed: %s", strerror(code));
    }
    nudge->runs = true;
    return RIDE_OK;
}

void kafka_nudge_close(kafka_nudge *nudge) {
    if (!nudge->runs) return;
    atomic_store(&nudge->stop, true);
    sem_post(&nudge->wanted);
    pthread_join(nudge->thread, NULL);
    sem_destroy(&nudge->wanted);
    nudge->runs = false;
}

void kafka_nudge_taken(kafka_nudge *nudge, kafka_stream *slot, const char *topic, uint64_t bytes, uint32_t messages,
                       uint64_t now_ns) {
    if (!nudge->runs || messages == 0) return;
    /* librdkafka does not say how many bytes wait; messages of one stream are of about one size. */
    uint64_t left = rd_kafka_queue_length(slot->queue) * (bytes / messages + 1);
    if (left > nudge->share_bytes - nudge->share_bytes / 8) {
        slot->was_full = true;
    } else if (slot->was_full && left < nudge->share_bytes / 2 && now_ns - nudge->asked_ns >= SELDOM_NS) {
        slot->was_full = false;
        nudge->asked_ns = now_ns;
        atomic_store(&nudge->topic, topic);
        atomic_store(&nudge->partition, slot->partition);
        sem_post(&nudge->wanted);
    }
}
