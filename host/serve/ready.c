/* serve/ready.c: see ready.h. The parts are behind a lock; what every request asks is one atomic beside it. */
#include "serve/ready.h"

#include "base/assert.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ride_ready {
    pthread_mutex_t lock;
    atomic_bool scores, all;
    ride_metrics *metrics;
    ride_metric *series[RIDE_READY_PARTS_MAX], *series_all;
    ride_ready_part parts[RIDE_READY_PARTS_MAX];
    uint32_t count;
};

static ride_metric *series_of(ride_ready *r, const char *part) {
    char labels[256] = "";
    ride_metrics_label(labels, sizeof labels, "part", part);
    return ride_metrics_series(r->metrics, RIDE_METRIC_READY, labels);
}

/* With the lock held. */
static void sum_up(ride_ready *r) {
    bool all = r->count > 0, scores = all;
    for (uint32_t i = 0; i < r->count; i++) {
        all = all && r->parts[i].is_ready;
        scores = scores && (r->parts[i].is_ready || !r->parts[i].scores);
        ride_metric_set(r->series[i], r->parts[i].is_ready);
    }
    ride_metric_set(r->series_all, all);
    atomic_store(&r->all, all);
    atomic_store(&r->scores, scores);
}

ride_status ride_ready_create(ride_metrics *metrics, ride_ready **out, ride_error *err) {
    ride_ready *r = calloc(1, sizeof *r);
    if (r == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the readiness");
    pthread_mutex_init(&r->lock, NULL);
    r->metrics = metrics;
    r->series_all = series_of(r, "all");
    sum_up(r);
    *out = r;
    return RIDE_OK;
}

void ride_ready_destroy(ride_ready *r) {
    if (r == NULL) return;
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static ride_ready_part *find(ride_ready *r, const char *name) {
    for (uint32_t i = 0; i < r->count; i++)
        if (strncmp(r->parts[i].name, name, sizeof r->parts[i].name - 1) == 0) return &r->parts[i];
    return NULL;
}

static void set(ride_ready_part *part, bool is_ready, const char *why) {
    part->is_ready = is_ready;
    snprintf(part->why, sizeof part->why, "%s", is_ready || why == NULL ? "" : why);
}

ride_status ride_ready_add(ride_ready *r, const char *name, bool scores, const char *why, ride_error *err) {
    ride_status st = RIDE_OK;
    pthread_mutex_lock(&r->lock);
    ride_ready_part *part = find(r, name);
    if (part == NULL && r->count < RIDE_READY_PARTS_MAX) {
        r->series[r->count] = series_of(r, name);
        part = &r->parts[r->count++];
        snprintf(part->name, sizeof part->name, "%s", name);
    }
    if (part == NULL) {
        st = ride_fail(err, RIDE_E_INTERNAL, "more than %d parts of the readiness", RIDE_READY_PARTS_MAX);
    } else {
        part->scores = scores;
        set(part, false, why);
        sum_up(r);
    }
    pthread_mutex_unlock(&r->lock);
    return st;
}

bool ride_ready_set(ride_ready *r, const char *name, bool is_ready, const char *why) {
    pthread_mutex_lock(&r->lock);
    ride_ready_part *part = find(r, name);
    RIDE_ASSERT(part != NULL);
    ride_ready_part before = *part;
    set(part, is_ready, why);
    bool changed = before.is_ready != part->is_ready || strcmp(before.why, part->why) != 0;
    if (changed) sum_up(r);
    pthread_mutex_unlock(&r->lock);
    return changed;
}

bool ride_ready_all(ride_ready *r) { return atomic_load_explicit(&r->all, memory_order_relaxed); }

bool ride_ready_scores(ride_ready *r, char why[RIDE_READY_NAME_BYTES + RIDE_READY_WHY_BYTES]) {
    if (atomic_load_explicit(&r->scores, memory_order_relaxed)) return true;
    bool is_ready = true;
    pthread_mutex_lock(&r->lock);
    for (uint32_t i = 0; i < r->count && is_ready; i++)
        if (r->parts[i].scores && !r->parts[i].is_ready) {
            is_ready = false;
            snprintf(why, RIDE_READY_NAME_BYTES + RIDE_READY_WHY_BYTES, "%s: %s", r->parts[i].name,
                     r->parts[i].why[0] != '\0' ? r->parts[i].why : "not ready");
        }
    if (r->count == 0) {
        is_ready = false;
        snprintf(why, RIDE_READY_NAME_BYTES + RIDE_READY_WHY_BYTES, "starting");
    }
    pthread_mutex_unlock(&r->lock);
    return is_ready;
}

uint32_t ride_ready_parts(ride_ready *r, ride_ready_part parts[RIDE_READY_PARTS_MAX]) {
    pthread_mutex_lock(&r->lock);
    uint32_t count = r->count;
    memcpy(parts, r->parts, count * sizeof *parts);
    pthread_mutex_unlock(&r->lock);
    return count;
}
