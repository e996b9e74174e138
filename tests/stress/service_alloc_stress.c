/* After start the data path of a service allocates nothing: poll, decode, journal, windows, rules, results, acknowledgements, stored places,
 * over a log in memory whose keys, ids and labels have reached a steady number, counted from a third of it to nearly its end, all threads and
 * libraries, by one thread and in a pipeline. With a real broker and HTTP beside: tests/long/soak.sh. */
#include "base/log.h"
#include "tests/support/steady_alloc.h"
#include "tests/support/steady_service.h"
#define CHECK_NOW now->name
#include "tests/support/check_exit.h"

#include <unistd.h>

enum { EVENTS = STEADY_EVENTS };

typedef struct stream {
    const char *name;
    steady_service service;
    uint32_t shards, batch_rows, full_every, burst;
    uint64_t delay_ns;
} stream;
static stream streams[] = {
    {.name = "one partition", .service = {.format = RIDE_FORMAT_CSV, .partitions = 1}, .shards = 1, .batch_rows = 1024},
    {.name = "row by row",
     .service = {.format = RIDE_FORMAT_NDJSON, .partitions = 2},
     .shards = 1,
     .batch_rows = 1,
     .burst = 40},
    {.name = "labels and two shards, a full outlet",
     .service = {.format = RIDE_FORMAT_NDJSON, .partitions = 3, .labels = true},
     .shards = 2,
     .batch_rows = 1024,
     .full_every = 2000,
     .burst = 200},
    {.name = "a clock for each partition, batches that wait",
     .service = {.format = RIDE_FORMAT_CSV, .partitions = 4, .keyed = true},
     .shards = 2,
     .batch_rows = 256,
     .burst = 100,
     .delay_ns = 100000},
};
static stream *now;

static void watch(fake_log *log) {
    (void)log;
    steady_alloc_watch(now->service.summary.received);
}

static bool serve(stream *it, bool pipelined) {
    steady_service *s = &it->service;
    const ride_run_summary *told = &s->summary;
    now = it;
    s->events = EVENTS;
    CHECK(steady_service_begin(s));
    s->log.script = watch;
    s->log.full_every = it->full_every;
    s->log.burst_max = it->burst;
    s->options.run.shards = it->shards;
    s->options.run.pipelined = pipelined;
    s->options.run.batch_rows_max = it->batch_rows;
    s->options.batch_delay_ns = it->delay_ns;
    steady_alloc_begin();
    CHECK(steady_service_run(s) && steady_alloc_is_done());
    /* the stream had everything it should have, and all of it went through */
    CHECK(told->received == EVENTS && s->log.results_count > EVENTS);
    CHECK(told->rejected > 100 && told->duplicates > 1000 && told->late > 2000 && told->too_late > 100);
    CHECK(!s->labels || (told->labels > EVENTS / 25 && told->labels_unknown > 100));
    steady_service_end(s);
    return steady_alloc_is_nothing(it->name, pipelined ? ", in a pipeline" : "");
}

int main(void) {
    if (!ALLOC_COUNT_WORKS) {
        puts("skipped: sanitizers have their own malloc, which cannot be counted");
        return 77;
    }
    char folder[] = "/tmp/ride_alloc_XXXXXX", command[64];
    ride_log_set_level(RIDE_LOG_ERROR);
    now = streams;
    CHECK(mkdtemp(folder) != NULL && chdir(folder) == 0);
    bool good = true;
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
        for (int mode = 0; mode < 2; mode++) good = serve(&streams[i], mode == 1) && good;
    CHECK(chdir("/") == 0);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0) puts("the test's folder stays");
    if (good) puts("ok");
    return !good;
}
