/* base/metrics_process.c: what the system says about this process, read when somebody asks. */
#include "base/metrics_internal.h"

#include "base/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Reads a file of /proc into text; false when there is none. */
static bool read_text(const char *path, char *text, size_t text_bytes_max) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, text, text_bytes_max - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static double resident_bytes(void) {
    char text[128], *end;
    if (!read_text("/proc/self/statm", text, sizeof text)) return 0;
    strtoull(text, &end, 10); /* size; then resident, in pages */
    return (double)strtoull(end, NULL, 10) * (double)sysconf(_SC_PAGESIZE);
}

/* Field 22 of /proc/self/stat is the start in ticks since boot; /proc/stat says when that was. */
static double start_seconds(void) {
    static char text[1 << 15];
    if (!read_text("/proc/self/stat", text, sizeof text)) return 0;
    const char *at = strrchr(text, ')'); /* the name before it may hold anything */
    for (int field = 2; at != NULL && field < 22; field++) at = strchr(at + 1, ' ');
    if (at == NULL) return 0;
    double ticks = (double)strtoull(at, NULL, 10);
    struct timespec boot, wall;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    clock_gettime(CLOCK_REALTIME, &wall);
    double booted = (double)(wall.tv_sec - boot.tv_sec) + (double)(wall.tv_nsec - boot.tv_nsec) / 1e9;
    return booted + ticks / (double)sysconf(_SC_CLK_TCK);
}

static double open_fds(void) {
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) return 0;
    uint32_t count = 0;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) count += entry->d_name[0] != '.';
    closedir(folder);
    return count - 1; /* without the folder's own */
}

static uint64_t cpu_ns(void) {
    struct rusage used;
    if (getrusage(RUSAGE_SELF, &used) != 0) return 0;
    return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000 +
           (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000;
}

void ride_metrics_watch_process(ride_metrics *metrics) {
    static const ride_metric_family families[METRIC_PROCESS] = {
        [METRIC_RESIDENT] = RIDE_METRIC_RESIDENT_BYTES,
        [METRIC_CPU] = RIDE_METRIC_CPU_SECONDS,
        [METRIC_FDS] = RIDE_METRIC_OPEN_FDS,
        [METRIC_FDS_MAX] = RIDE_METRIC_MAX_FDS,
        [METRIC_START] = RIDE_METRIC_START_SECONDS,
        [METRIC_LOG_LOST] = RIDE_METRIC_LOG_LOST,
        [METRIC_LOG_HELD] = RIDE_METRIC_LOG_HELD,
    };
    if (metrics == NULL) return;
    for (uint32_t i = 0; i < METRIC_PROCESS; i++) metrics->process[i] = ride_metrics_series(metrics, families[i], "");
    ride_metric_set(metrics->process[METRIC_START], start_seconds()); /* once: it would differ by the clock's slew */
    atomic_store_explicit(&metrics->watches_process, true, memory_order_release);
}

void metrics_read_process(ride_metrics *metrics) {
    if (!atomic_load_explicit(&metrics->watches_process, memory_order_acquire)) return;
    struct rlimit fds;
    ride_metric_set(metrics->process[METRIC_RESIDENT], resident_bytes());
    ride_metric_set_total(metrics->process[METRIC_CPU], cpu_ns());
    ride_metric_set(metrics->process[METRIC_FDS], open_fds());
    if (getrlimit(RLIMIT_NOFILE, &fds) == 0) ride_metric_set(metrics->process[METRIC_FDS_MAX], (double)fds.rlim_cur);
    ride_metric_set_total(metrics->process[METRIC_LOG_LOST], ride_log_lost());
    ride_metric_set_total(metrics->process[METRIC_LOG_HELD], ride_log_held());
}
