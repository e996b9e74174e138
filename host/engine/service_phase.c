/* engine/service_phase.c: what the process was at, in a small file that outlives it (state.dir/phase): read by the next start, which tells it in
 * the log, and by who looks into a crash. Words of 64 bits, little-endian: the phase of the batch that moved last, then how often each phase
 * was reached, batches on their way, batches done. Written through a mapping: no call per batch. */
#include "base/log.h"
#include "engine/service_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct service_phase {
    _Atomic uint64_t now;
    _Atomic uint64_t reached[PHASES];
    _Atomic uint64_t on_their_way, done;
};
static const char *const phase_words[PHASES] = {"idle", "consumed", "scored", "produced", "delivered"};

ride_status phase_open(service *s, ride_error *err) {
    if (s->options->phase_path == NULL) return RIDE_OK;
    int fd = open(s->options->phase_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(service_phase)) != 0) {
        ride_fail(err, RIDE_E_IO, "the phase file cannot be opened: %s", strerror(errno));
        ride_error_where(err, "%s", s->options->phase_path);
        if (fd >= 0) close(fd);
        return RIDE_E_IO;
    }
    service_phase *words = mmap(NULL, sizeof *words, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (words == MAP_FAILED) return ride_fail(err, RIDE_E_IO, "the phase file cannot be mapped: %s", strerror(errno));
    s->phase_file = words;
    uint64_t last = atomic_load(&words->now);
    if (last != PHASE_IDLE && last < PHASES)
        ride_log_warn("the run before ended without a stop", ride_log_text("phase", phase_words[last]),
                      ride_log_u64("batches_on_their_way", atomic_load(&words->on_their_way)));
    phase_set(s, PHASE_IDLE);
    return RIDE_OK;
}

void phase_set(service *s, phase now) {
    if (s->phase_file == NULL) return;
    atomic_store_explicit(&s->phase_file->on_their_way, s->window_next - s->window_first, memory_order_relaxed);
    atomic_store_explicit(&s->phase_file->now, now, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->phase_file->reached[now], 1, memory_order_relaxed);
}

void phase_close(service *s) {
    if (s->phase_file == NULL) return;
    phase_set(s, PHASE_IDLE);
    munmap(s->phase_file, sizeof *s->phase_file);
}
