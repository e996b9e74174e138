/* The counting allocator counts, and the base's running parts allocate nothing: rings, histogram, arena, log lines,
 * numbers. */
#include "base/arena.h"
#include "base/histogram.h"
#include "base/huge.h"
#include "base/log.h"
#include "base/number.h"
#include "base/ring.h"
#include "tests/support/alloc_count.h"
#include "tests/support/check_exit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void *volatile kept; /* so that no compiler drops an allocation */

static void *allocate_elsewhere(void *argument) {
    kept = malloc(100);
    free(kept);
    return argument;
}

static void counts_what_is_allocated(void) {
    void *region;
    alloc_count_begin();
    kept = malloc(10);
    free(kept);
    kept = calloc(2, 10);
    kept = realloc(kept, 40);
    free(kept);
    kept = aligned_alloc(64, 128);
    free(kept);
    free(NULL);
    CHECK(ride_huge_alloc(4 << 20, &region, NULL) == RIDE_OK);
    alloc_count c = alloc_count_end();
    ride_huge_free(region, 4 << 20);
    CHECK(c.allocations == 4 && c.frees == 3 && c.maps == 1 && c.bytes >= (4 << 20) + 198);

    pthread_t thread;
    alloc_count_begin();
    CHECK(pthread_create(&thread, NULL, allocate_elsewhere, NULL) == 0);
    pthread_join(thread, NULL);
    CHECK(alloc_count_end().allocations >= 1);
    kept = malloc(10); /* after the mark */
    free(kept);
    alloc_count_begin();
    c = alloc_count_end();
    CHECK(c.allocations == 0 && c.frees == 0 && c.maps == 0);
}

static void the_base_runs_without_allocating(void) {
    static ride_histogram histogram;
    ride_spsc *spsc;
    ride_mpsc *mpsc;
    ride_arena *arena;
    char text[RIDE_NUMBER_BYTES];
    double back;
    CHECK(ride_spsc_create(64, &spsc, NULL) == RIDE_OK && ride_mpsc_create(64, &mpsc, NULL) == RIDE_OK);
    CHECK(ride_arena_create(1 << 16, 1 << 16, &arena, NULL) == RIDE_OK);
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    ride_log_setup(&(ride_log_options){.level_min = RIDE_LOG_DEBUG, .format = RIDE_LOG_JSON, .fd = fd});
    ride_histogram_init(&histogram);
    ride_log_info("warm"); /* the C library's time zone */
    alloc_count_begin();
    for (int i = 0; i < 1000; i++) {
        CHECK(ride_spsc_push(spsc, text) && ride_spsc_pop(spsc) == text);
        CHECK(ride_mpsc_push(mpsc, text) && ride_mpsc_pop(mpsc) == text);
        ride_histogram_record(&histogram, (uint64_t)i * 1000);
        size_t bytes = ride_double_to_text(i / 7.0, text);
        CHECK(ride_text_to_double(text, bytes, &back) && back == i / 7.0);
        ride_log_info("batch", ride_log_i64("n", i), ride_log_f64("x", i / 7.0), ride_log_text("t", "a \"b\""));
        if (ride_arena_alloc(arena, 1000, 64) == NULL) ride_arena_reset(arena);
    }
    alloc_count c = alloc_count_end();
    CHECK(c.allocations == 0 && c.frees == 0 && c.maps == 0);
    ride_arena_destroy(arena);
    ride_mpsc_destroy(mpsc);
    ride_spsc_destroy(spsc);
    close(fd);
}

int main(void) {
    if (!ALLOC_COUNT_WORKS) {
        puts("skipped: sanitizers have their own malloc, which cannot be counted");
        return 77;
    }
    counts_what_is_allocated();
    the_base_runs_without_allocating();
    puts("ok");
    return 0;
}
