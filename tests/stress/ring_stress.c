/* Rings and the log under threads: nothing lost, nothing twice, order kept, lines whole. Run under TSan too. */
#include "base/log.h"
#include "base/ring.h"
#include "tests/support/check_exit.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { ITEMS = 50000 };
#else
enum { ITEMS = 500000 };
#endif
enum { PUSHERS = 3, LINES = 2000 };

typedef struct item {
    uint32_t pusher, number; /* plain memory: its visibility is the ring's promise */
} item;

static item *items_of(uint32_t pusher) {
    item *items = calloc(ITEMS, sizeof *items);
    CHECK(items != NULL);
    for (uint32_t i = 0; i < ITEMS; i++) items[i].pusher = pusher;
    return items;
}

static void *spsc_pusher(void *argument) {
    ride_spsc *ring = argument;
    item *items = items_of(0);
    for (uint32_t i = 0; i < ITEMS; i++) {
        items[i].number = i;
        while (!ride_spsc_push(ring, &items[i])) sched_yield();
    }
    return items;
}

static void spsc_keeps_order(uint32_t capacity) {
    ride_spsc *ring = NULL;
    pthread_t thread;
    CHECK(ride_spsc_create(capacity, &ring, NULL) == RIDE_OK);
    CHECK(pthread_create(&thread, NULL, spsc_pusher, ring) == 0);
    for (uint32_t expected = 0; expected < ITEMS;) {
        CHECK(ride_spsc_count(ring) <= capacity);
        item *got = ride_spsc_pop(ring);
        if (got == NULL) sched_yield();
        else CHECK(got->number == expected++);
    }
    CHECK(ride_spsc_pop(ring) == NULL && ride_spsc_count(ring) == 0);
    void *items;
    pthread_join(thread, &items);
    free(items);
    for (uint32_t i = 0; i < capacity; i++) CHECK(ride_spsc_push(ring, ring)); /* full is full */
    CHECK(!ride_spsc_push(ring, ring));
    ride_spsc_destroy(ring);
}

typedef struct mpsc_job {
    ride_mpsc *ring;
    uint32_t pusher;
} mpsc_job;

static void *mpsc_pusher(void *argument) {
    mpsc_job *job = argument;
    item *items = items_of(job->pusher);
    for (uint32_t i = 0; i < ITEMS; i++) {
        items[i].number = i;
        while (!ride_mpsc_push(job->ring, &items[i])) sched_yield();
    }
    return items;
}

static void mpsc_keeps_each_pushers_order(uint32_t capacity) {
    ride_mpsc *ring = NULL;
    pthread_t threads[PUSHERS];
    mpsc_job jobs[PUSHERS];
    uint32_t expected[PUSHERS] = {0};
    CHECK(ride_mpsc_create(capacity, &ring, NULL) == RIDE_OK);
    for (uint32_t i = 0; i < PUSHERS; i++) {
        jobs[i] = (mpsc_job){ring, i};
        CHECK(pthread_create(&threads[i], NULL, mpsc_pusher, &jobs[i]) == 0);
    }
    for (uint32_t count = 0; count < PUSHERS * ITEMS;) {
        item *got = ride_mpsc_pop(ring);
        if (got == NULL) {
            sched_yield();
            continue;
        }
        CHECK(got->number == expected[got->pusher]);
        expected[got->pusher]++;
        count++;
    }
    CHECK(ride_mpsc_pop(ring) == NULL);
    for (uint32_t i = 0; i < PUSHERS; i++) {
        void *items;
        pthread_join(threads[i], &items);
        free(items);
    }
    for (uint32_t i = 0; i < capacity; i++) CHECK(ride_mpsc_push(ring, ring));
    CHECK(!ride_mpsc_push(ring, ring));
    ride_mpsc_destroy(ring);
}

static void *logger(void *argument) {
    for (int i = 0; i < LINES; i++) {
        ride_log_info("stress", ride_log_u64("thread", (uint64_t)(uintptr_t)argument), ride_log_i64("n", i),
                      ride_log_text("filler", "................................................................"));
        if (i % 100 == 0) ride_log_set_level(RIDE_LOG_INFO);
    }
    return NULL;
}

static void log_lines_stay_whole(void) {
    char path[] = "/tmp/ride_log_XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    ride_log_setup(&(ride_log_options){.level_min = RIDE_LOG_INFO, .format = RIDE_LOG_JSON, .fd = fd});
    pthread_t threads[PUSHERS];
    for (uintptr_t i = 0; i < PUSHERS; i++) CHECK(pthread_create(&threads[i], NULL, logger, (void *)i) == 0);
    for (int i = 0; i < PUSHERS; i++) pthread_join(threads[i], NULL);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    char line[RIDE_LOG_LINE_BYTES + 2];
    int next[PUSHERS] = {0}, lines = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned thread, n;
        const char *fields = strstr(line, "\"ride.thread\":");
        CHECK(fields != NULL && sscanf(fields, "\"ride.thread\":%u,\"ride.n\":%u", &thread, &n) == 2);
        CHECK(thread < PUSHERS && (int)n == next[thread]++ && strcmp(line + strlen(line) - 4, ".\"}\n") == 0);
        lines++;
    }
    CHECK(lines == PUSHERS * LINES && ride_log_lost() == 0);
    fclose(file);
    close(fd);
    unlink(path);
}

int main(void) {
    ride_spsc *spsc = NULL;
    ride_mpsc *mpsc = NULL;
    CHECK(ride_spsc_create(3, &spsc, NULL) == RIDE_E_INTERNAL && ride_mpsc_create(0, &mpsc, NULL) == RIDE_E_INTERNAL);
    spsc_keeps_order(2);
    spsc_keeps_order(1024);
    mpsc_keeps_each_pushers_order(2);
    mpsc_keeps_each_pushers_order(1024);
    log_lines_stay_whole();
    puts("ok");
    return 0;
}
