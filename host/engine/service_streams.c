/* engine/service_streams.c: which streams this process has, and what holds the clock back. */
#include "engine/service_internal.h"

#include "base/assert.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

enum { REVOKE_DRAIN_MS = 10000 };

int64_t streams_floor(const service *s, uint32_t stream) {
    int64_t floor_us = INT64_MAX;
    for (uint32_t i = 0; i < s->streams_count; i++) {
        const service_stream *other = &s->streams[i];
        if (i == stream || !other->used || !other->active || s->inputs[other->input].spec->is_labels) continue;
        if (other->max_us < floor_us) floor_us = other->max_us;
    }
    return floor_us;
}

static uint32_t input_of(const service *s, const char *source) {
    uint32_t i = 0;
    while (i < s->inputs_count && strcmp(s->inputs[i].spec->name, source) != 0) i++;
    return i;
}

static uint32_t journal_number(const service *s, const ride_stream_info *info) {
    const uint32_t count = s->journal != NULL ? ride_journal_streams(s->journal) : 0;
    for (uint32_t i = 0; i < count; i++) {
        const ride_journal_stream *st = ride_journal_stream_at(s->journal, i);
        if (st->partition == info->partition && st->is_log == info->is_log && strcmp(st->topic, info->topic) == 0 &&
            strcmp(st->source, info->source) == 0)
            return i;
    }
    return UINT32_MAX;
}

static ride_status stream_find(service *s, uint32_t feed, const ride_stream_info *info, uint32_t *out,
                               ride_error *err) {
    for (uint32_t i = 0; i < s->streams_count; i++) {
        const service_stream *st = &s->streams[i];
        if (st->feed != feed || st->partition != info->partition || strcmp(st->topic, info->topic) != 0) continue;
        *out = i;
        return RIDE_OK;
    }
    if (s->streams_count == RIDE_STREAMS_MAX)
        return ride_fail(err, RIDE_E_UNSUPPORTED, "more than %d partitions", RIDE_STREAMS_MAX);
    service_stream *st = &s->streams[s->streams_count];
    *st = (service_stream){.feed = feed,
                           .input = input_of(s, info->source),
                           .journal = UINT32_MAX,
                           .partition = info->partition,
                           .is_log = info->is_log,
                           .max_us = INT64_MIN,
                           .waiting_us = INT64_MIN,
                           .own_clock_us = INT64_MIN / 2,
                           .next = RIDE_OFFSET_NONE};
    RIDE_ASSERT(st->input < s->inputs_count);
    snprintf(st->topic, sizeof st->topic, "%s", info->topic);
    snprintf(st->partition_text, sizeof st->partition_text, "%d", (int)info->partition);
    if (s->options->replay) st->journal = journal_number(s, info); /* one that it has not is not read */
    else if (s->journal != NULL)
        RIDE_TRY(ride_journal_stream_number(s->journal, info->source, info->topic, info->partition, info->is_log,
                                            info->committed == RIDE_OFFSET_NONE ? info->start : RIDE_OFFSET_NONE,
                                            &st->journal, err));
    *out = s->streams_count++;
    return RIDE_OK;
}

int64_t streams_least(const service *s) {
    int64_t least_us = INT64_MAX;
    for (uint32_t i = 0; i < s->streams_count; i++) {
        const service_stream *st = &s->streams[i];
        if ((!st->used && !st->is_warm) || st->own_clock_us == INT64_MIN / 2) continue; /* or it has no events yet */
        if (st->own_clock_us < least_us) least_us = st->own_clock_us;
    }
    return least_us;
}

static uint32_t logs_used(const service *s, uint32_t feed, const char *topic) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->streams_count; i++) {
        const service_stream *st = &s->streams[i];
        if (st->used && st->is_log && st->feed == feed) count += topic == NULL || strcmp(st->topic, topic) == 0;
    }
    return count;
}

/* Other members have partitions of the same topics: fine only where no window crosses partitions. */
static ride_status check_alone(service *s, uint32_t feed, ride_error *err) {
    const char *topic = NULL;
    char why[256];
    for (uint32_t i = 0; i < s->streams_count && topic == NULL; i++) {
        const service_stream *st = &s->streams[i];
        if (st->used && st->is_log && st->feed == feed && st->partitions_count > logs_used(s, feed, st->topic))
            topic = st->topic;
    }
    const bool has_none = logs_used(s, feed, NULL) == 0;
    s->is_partial = !s->options->partition_keyed && !s->options->replay && (topic != NULL || has_none);
    if (!s->is_partial) return RIDE_OK;
    if (has_none) snprintf(why, sizeof why, "other members of the group have all partitions");
    else
        snprintf(why, sizeof why,
                 "another member of the group has partitions of `%.64s`, whose events belong into the same windows",
                 topic);
    if (s->was_whole || has_none) { /* it was here first, or has nothing: it waits for the other one to give up */
        service_ready(s, "state", false, why);
        ride_log_warn("another process joined the group: this one waits until it has left", ride_log_text("why", why));
        return RIDE_OK;
    }
    ride_fail(err, RIDE_E_CONFIG, "%s", why);
    ride_error_advice(err, "one process per kafka.group: docs/operations.md");
    return RIDE_E_CONFIG;
}

/* A rebuild reads all streams again: those that go on were not asked where they start. */
static ride_status check_rebuild(const service *s, uint32_t feed, uint32_t count, ride_error *err) {
    if (logs_used(s, feed, NULL) <= count) return RIDE_OK;
    ride_fail(err, RIDE_E_UNSUPPORTED,
              "partitions came while others stayed, and the window state of all must be rebuilt");
    ride_error_advice(err, "partition.assignment.strategy: range for all");
    return RIDE_E_UNSUPPORTED;
}

ride_status streams_assigned(void *context, ride_stream_info *infos, uint32_t count, ride_error *err) {
    feed_context *c = context;
    service *s = c->s;
    bool warm = true;
    for (uint32_t i = 0; i < count; i++) {
        ride_stream_info *info = &infos[i];
        RIDE_TRY(stream_find(s, c->feed, info, &info->stream, err));
        service_stream *st = &s->streams[info->stream];
        const bool goes_on = !info->is_log || (st->is_warm && info->committed == st->next);
        warm = warm && goes_on;
        st->used = true;
        st->is_json = info->is_json;
        st->active = st->is_log;
        st->partitions_count = info->partitions_count;
        st->emit_from = info->is_log ? info->start : INT64_MIN;
        if (!info->is_log) st->is_warm = true;
    }
    if (s->feeds[c->feed] == NULL || s->feeds[c->feed]->ops->store != NULL) RIDE_TRY(check_alone(s, c->feed, err));
    for (uint32_t i = 0; i < count && !warm; i++)
        if (infos[i].is_log) s->streams[infos[i].stream].is_warm = false;
    for (uint32_t i = 0; i < s->streams_count && s->options->partition_keyed; i++)
        if (!s->streams[i].used) s->streams[i].is_warm = false; /* another member's: it holds nothing back any more */
    if (!warm && !s->is_partial) {
        RIDE_TRY(check_rebuild(s, c->feed, count, err));
        RIDE_TRY(rebuild_plan(s, infos, count, err));
    }
    if (!s->is_partial) s->was_whole = true;
    s->assignments++;
    s->feed_assigned[c->feed] = true;
    service_state_ready(s);
    for (uint32_t i = 0; i < count; i++)
        if (infos[i].is_log)
            ride_log_info("stream assigned", ride_log_text("topic", infos[i].topic),
                          ride_log_i64("partition", infos[i].partition), ride_log_i64("from", infos[i].start),
                          ride_log_i64("committed", infos[i].committed));
    return RIDE_OK;
}

void streams_revoked(void *context, const uint32_t *streams, uint32_t count, bool lost) {
    feed_context *c = context;
    service *s = c->s;
    ride_error err;
    bool whole = !lost;
    if (!s->in_rebuild) { /* what was taken is finished, so that its places can be stored */
        ride_status st = service_work(s, &err);
        if (st == RIDE_OK) st = service_settle(s, &err);
        if (st != RIDE_OK)
            service_fail(s, st, &err); /* a batch that is half done can neither be repeated nor left out */
        if (st == RIDE_OK && !lost) st = service_drain(s, (uint64_t)REVOKE_DRAIN_MS * 1000000, &err);
        whole = whole && st == RIDE_OK;
        if (st != RIDE_OK) {
            char text[512];
            ride_log_warn("streams go away before everything of them was acknowledged: it will be worked again",
                          ride_log_text("why", ride_error_text(&err, text, sizeof text)));
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        service_stream *st = &s->streams[streams[i]];
        st->used = st->active = false;
        st->is_warm = st->is_warm && whole && !s->in_rebuild;
    }
    if (count > 0) {
        s->feed_assigned[c->feed] = false;
        service_ready(s, "state", false, "partitions are being given out");
    }
    s->assignments++;
    if (count > 0) ride_log_info("streams revoked", ride_log_u64("count", count), ride_log_bool("lost", lost));
}

void streams_at_end(void *context, uint32_t stream) {
    feed_context *c = context;
    c->s->streams[stream].active = false;
    service_state_ready(c->s);
}
