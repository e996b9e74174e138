/* engine/observe.c: the course of a run: one point about every quarter of a second. The list is bounded: when it is full, every
 * other point goes and the interval doubles, so a run of any length keeps between 512 and 1,024 points. */
#include "base/clock.h"
#include "engine/pipeline.h"

static const double interval_first_seconds = 0.25;

void observe_start(pipeline *p) {
    p->start_ns = p->interval_start_ns = ride_clock_now_ns(ride_clock_real());
    p->interval_seconds = interval_first_seconds;
    ride_histogram_init(&p->interval_ns);
}

static void point_add(pipeline *p, uint64_t now_ns) {
    ride_run_summary *s = p->summary;
    if (s->timeline_count == RIDE_TIMELINE_MAX) {
        for (uint32_t i = 0; i < RIDE_TIMELINE_MAX / 2; i++) {
            const ride_timeline_point *a = &s->timeline[2 * i], *b = &s->timeline[2 * i + 1];
            s->timeline[i] = (ride_timeline_point){.seconds = b->seconds,
                                                   .events = b->events,
                                                   .p50_us = (a->p50_us + b->p50_us) / 2, /* of like many batches */
                                                   .p99_us = a->p99_us > b->p99_us ? a->p99_us : b->p99_us};
        }
        s->timeline_count = RIDE_TIMELINE_MAX / 2;
        p->interval_seconds *= 2;
    }
    s->timeline[s->timeline_count++] =
        (ride_timeline_point){.seconds = (double)(now_ns - p->start_ns) / 1e9,
                              .events = s->received - s->resumed_events,
                              .p50_us = (double)ride_histogram_quantile(&p->interval_ns, 0.5) / 1e3,
                              .p99_us = (double)ride_histogram_quantile(&p->interval_ns, 0.99) / 1e3};
    ride_histogram_init(&p->interval_ns);
    p->interval_start_ns = now_ns;
}

void observe_batch(pipeline *p, uint64_t batch_ns, uint64_t now_ns) {
    ride_histogram_record(&p->summary->batch_ns, batch_ns);
    ride_histogram_record(&p->interval_ns, batch_ns);
    if ((double)(now_ns - p->interval_start_ns) >= p->interval_seconds * 1e9) point_add(p, now_ns);
}

void observe_end(pipeline *p, uint64_t now_ns) {
    if (p->interval_ns.count > 0) point_add(p, now_ns);
}
