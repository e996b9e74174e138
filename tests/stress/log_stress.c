/* Many threads and few messages: every line is written or counted as held back, and what was held back is told. Run under TSan too. */
#include "base/log.h"
#include "tests/support/check_exit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 4, LINES = 5000, MESSAGES = 5, REPEATS_MAX = 20 };

static ride_clock_virtual clock_virtual;

/* One of the threads moves the time, a window at a time. */
static void *logger(void *argument) {
    static const char *const messages[MESSAGES] = {"one", "two", "three", "four", "five"};
    for (int i = 0; i < LINES; i++) {
        ride_log_warn(messages[i % MESSAGES], ride_log_i64("i", i));
        if (argument == NULL && i % 500 == 0) ride_clock_virtual_advance(&clock_virtual, RIDE_LOG_WINDOW_NS);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    FILE *file = tmpfile();
    CHECK(file != NULL);
    ride_clock_virtual_init(&clock_virtual, 0);
    ride_log_setup(&(ride_log_options){
        .format = RIDE_LOG_JSON, .fd = fileno(file), .clock = &clock_virtual.clock, .repeats_max = REPEATS_MAX});
    for (intptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, logger, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    ride_log_tell_held();
    char line[RIDE_LOG_LINE_BYTES];
    unsigned long long written = 0, told = 0, last = 0;
    rewind(file);
    while (fgets(line, sizeof line, file) != NULL) {
        CHECK(line[0] == '{' && line[strlen(line) - 1] == '\n');
        const char *held = strstr(line, "\"ride.held\":");
        if (held != NULL) told += strtoull(held + strlen("\"ride.held\":"), NULL, 10);
        bool end = strstr(line, "came too often") != NULL;
        last += end;
        written += !end;
    }
    CHECK(written + ride_log_held() == (unsigned long long)THREADS * LINES);
    CHECK(told == ride_log_held());
    CHECK(last <= 1 && written >= MESSAGES * REPEATS_MAX && written < THREADS * LINES / 2);
    printf("%llu lines written, %llu held back\n", written, (unsigned long long)ride_log_held());
    fclose(file);
    return 0;
}
