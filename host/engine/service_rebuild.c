/* engine/service_rebuild.c: the window state from the log, along the journal: from before anything that a window may still hold, silent
 * up to what was stored, and from there on as ever: with the order and the clocks of the first time. */
#include "engine/service_internal.h"

#include "base/log.h"
#include "engine/state_desk.h"

#include <stdlib.h>
#include <string.h>

/* How far back an event may be that something still remembers; INT64_MAX: for ever, since the chain of events that since_first goes back
 * along has no end. */
static int64_t retention_us(const pipeline *p) {
    const ride_plan_aggregate *aggregates = ride_bundle_array(&p->bundle, RIDE_SECTION_AGGREGATES, ride_plan_aggregate);
    const ride_plan_entity *entities = ride_bundle_array(&p->bundle, RIDE_SECTION_ENTITIES, ride_plan_entity);
    int64_t longest_us = p->events->dedup_us + p->events->bound_us + p->events->allowed_lateness_us;
    for (uint32_t e = 0; e < p->bundle.plan->entities_count; e++)
        if (entities[e].retention_us > longest_us) longest_us = entities[e].retention_us;
    for (uint32_t a = 0; a < p->bundle.plan->aggregates_count; a++)
        if (aggregates[a].op == RIDE_AGG_SINCE_FIRST) return INT64_MAX;
    return longest_us;
}

static ride_status nothing_known(const service *s, const ride_stream_info *info, ride_error *err) {
    ride_fail(err, RIDE_E_DATA, "the group has read %s/%d up to offset %lld, but %s", info->topic, (int)info->partition,
              (long long)info->committed,
              s->journal != NULL ? "the arrival journal has nothing of it" : "there is no arrival journal");
    if (s->journal != NULL) ride_error_where(err, "%s", ride_journal_path(s->journal));
    ride_error_advice(err, "give that run's journal, or take another kafka.group");
    return RIDE_E_DATA;
}

static const ride_replay *only(const service *s) { /* the one message that is replayed, or NULL */
    return s->options->replay && s->options->replay_of != NULL && s->options->replay_of->topic != NULL
               ? s->options->replay_of
               : NULL;
}

static bool is_only(const ride_replay *one, const char *topic, int32_t partition) {
    return one->partition == partition && strcmp(one->topic, topic) == 0;
}

/* Of a replay: which streams there are, and from where on their results are exact. */
static ride_status tell_streams(service *s, const ride_stream_info *infos, uint32_t count, ride_error *err) {
    ride_replay *replay = s->options->replay_of;
    const uint32_t known = s->journal != NULL ? ride_journal_streams(s->journal) : 0;
    if (!s->options->replay || replay == NULL || replay->stream == NULL) return RIDE_OK;
    int64_t *begins = malloc((known + 1) * sizeof *begins), *exact = malloc((known + 1) * sizeof *exact);
    ride_status st =
        begins != NULL && exact != NULL ? RIDE_OK : ride_fail(err, RIDE_E_MEMORY, "no memory for a replay");
    for (uint32_t i = 0; i < known && st == RIDE_OK; i++) begins[i] = INT64_MIN;
    for (uint32_t i = 0; i < count && st == RIDE_OK; i++)
        if (s->streams[infos[i].stream].journal != UINT32_MAX)
            begins[s->streams[infos[i].stream].journal] = infos[i].log_begin;
    if (st == RIDE_OK)
        st = ride_journal_find_exact(s->journal, begins, retention_us(&s->p), s->options->partition_keyed, exact, err);
    for (uint32_t i = 0; i < known && st == RIDE_OK; i++) {
        const ride_journal_stream *told = ride_journal_stream_at(s->journal, i);
        if (!told->has_runs || !told->is_log || begins[i] == INT64_MIN) continue;
        const ride_replay_stream stream = {told->topic,      told->partition, told->offset_first,
                                           told->offset_end, begins[i],       exact[i]};
        replay->stream(replay->context, &stream);
    }
    free(begins);
    free(exact);
    return st;
}

/* Where each stream is read from, and what of it is silent. */
ride_status rebuild_plan(service *s, ride_stream_info *infos, uint32_t count, ride_error *err) {
    const uint32_t known = s->journal != NULL ? ride_journal_streams(s->journal) : 0;
    int64_t *committed = malloc((known + 1) * sizeof *committed), *from = malloc((known + 1) * sizeof *from);
    ride_status st = committed != NULL && from != NULL
                         ? RIDE_OK
                         : ride_fail(err, RIDE_E_MEMORY, "no memory to plan the rebuild of the window state");
    for (uint32_t i = 0; i < known && st == RIDE_OK; i++) committed[i] = INT64_MAX, from[i] = RIDE_OFFSET_NONE;
    const ride_replay *one = only(s);
    bool journalled = false;
    for (uint32_t i = 0; i < count && st == RIDE_OK; i++) {
        const service_stream *stream = &s->streams[infos[i].stream];
        if (!infos[i].is_log) continue;
        const ride_journal_stream *known_as =
            stream->journal != UINT32_MAX ? ride_journal_stream_at(s->journal, stream->journal) : NULL;
        const bool told = known_as != NULL && known_as->has_runs;
        const bool has_begin = known_as != NULL && known_as->begin >= 0;
        journalled = journalled || told;
        if (told)
            committed[stream->journal] = one == NULL ? infos[i].committed /* none: all of it goes out again */
                                         : is_only(one, infos[i].topic, infos[i].partition) ? one->offset
                                                                                            : INT64_MAX;
        else if (infos[i].committed > 0 && !has_begin && !s->options->partition_keyed && !s->options->replay)
            st = nothing_known(s, &infos[i], err);
    }
    s->rebuild_place = 0;
    s->resume_clock_us = INT64_MIN;
    if (st == RIDE_OK) st = tell_streams(s, infos, count, err);
    if (st == RIDE_OK && journalled && (!s->options->replay || one != NULL))
        st = ride_journal_find_start(s->journal, committed, retention_us(&s->p), s->options->partition_keyed,
                                     &s->rebuild_place, &s->resume_clock_us, err);
    ride_journal_run run;
    for (uint64_t at = s->rebuild_place; st == RIDE_OK && journalled;) {
        st = ride_journal_read(s->journal, &at, &run, err);
        if (st == RIDE_OK && from[run.stream] == RIDE_OFFSET_NONE) from[run.stream] = run.offset_first;
    }
    if (st == RIDE_END) st = RIDE_OK;
    for (uint32_t i = 0; i < count && st == RIDE_OK; i++) {
        ride_stream_info *info = &infos[i];
        service_stream *stream = &s->streams[info->stream];
        if (!info->is_log) continue;
        const ride_journal_stream *told =
            stream->journal != UINT32_MAX ? ride_journal_stream_at(s->journal, stream->journal) : NULL;
        stream->emit_from = info->committed >= 0 ? info->committed : INT64_MIN;
        if (s->options->replay) stream->emit_from = INT64_MIN;
        if (one != NULL) stream->emit_from = is_only(one, info->topic, info->partition) ? one->offset : INT64_MAX;
        if (told != NULL && told->has_runs) {
            /* unless it is read again; labels tell no time */
            if (!s->inputs[stream->input].spec->is_labels) stream->max_us = told->stream_us;
            info->start = from[stream->journal] != RIDE_OFFSET_NONE ? from[stream->journal] : told->offset_end;
        } else {
            stream->max_us = INT64_MIN;
            if (s->options->replay) info->start = info->log_end;         /* nothing of it was met */
            else if (info->committed > 0 && s->options->partition_keyed) /* nobody says where its windows begin */
                info->start = info->log_begin >= 0 ? info->log_begin : 0;
            else if (info->committed > 0 && told != NULL && told->begin >= 0 && told->begin < info->committed)
                info->start = told->begin; /* what was met of it is not in this journal, which is an older one */
        }
        if (info->log_begin > info->start) {
            ride_log_warn("the log no longer has all events that windows may hold: features are from what is left",
                          ride_log_text("topic", info->topic), ride_log_i64("partition", info->partition),
                          ride_log_i64("needed", info->start), ride_log_i64("begins", info->log_begin));
            info->start = info->log_begin;
        }
        stream->next = info->start;
    }
    s->must_rebuild = st == RIDE_OK;
    s->rebuild_journal = journalled;
    free(committed);
    free(from);
    return st;
}

/* Window state, ids and clock as at a first start. */
ride_status rebuild_reset(service *s, ride_error *err) {
    pipeline *p = &s->p;
    p->clock_us = p->stream_us = INT64_MIN / 2;
    s->newest_us = INT64_MIN;
    for (uint32_t i = 0; i < s->streams_count; i++) s->streams[i].own_clock_us = INT64_MIN / 2;
    if (p->sequence == 0) return RIDE_OK;            /* nothing has entered it */
    p->summary->labels_unknown -= p->labels_waiting; /* they are read again */
    p->labels_waiting = 0;
    return pipeline_reset_state(p, err);
}

static ride_status log_is_short(const service_stream *stream, const ride_journal_run *run, ride_error *err) {
    ride_fail(err, RIDE_E_DATA, "%s/%d no longer has the events up to offset %lld that the arrival journal names",
              stream->topic, (int)stream->partition, (long long)run->offset_last);
    ride_error_advice(err, "a new topic? it needs a kafka.group and journal anew");
    return RIDE_E_DATA;
}

/* The messages of one run of the journal. RIDE_PENDING: the assignment changed, or a stop. */
static ride_status run_again(service *s, uint32_t number, const ride_journal_run *run, ride_error *err) {
    service_stream *stream = &s->streams[number];
    const uint64_t assignment = s->assignments;
    ride_journal_run at = *run;
    const bool is_cut = stream->next > run->offset_first; /* its begin is gone: how many are left is not known */
    for (uint32_t taken = 0; taken < run->messages && stream->next <= run->offset_last;) {
        if (service_is_settled(s)) service_beat(s);
        service_release(s);
        RIDE_TRY(service_poll(s, stream->feed, number, is_cut ? 1 : run->messages - taken, err));
        if (service_stopped(s) || s->assignments != assignment) return RIDE_PENDING;
        if (s->chunk_count == 0) {
            if (!stream->active) return log_is_short(stream, run, err); /* at its end */
            service_wait(s, (uint64_t)IDLE_WAIT_MS * 1000000);
            continue;
        }
        if (s->chunk[0].offset > run->offset_last) return log_is_short(stream, run, err);
        taken += s->chunk_count;
        s->replayed += s->chunk_count;
        ride_metric_add(s->m.replay_events, s->chunk_count);
        while (s->chunk_at < s->chunk_count) {
            const uint32_t before = s->chunk_at;
            RIDE_TRY(service_take(s, &at, err));
            if (s->chunk_at > before) { /* the run goes on from here, whatever comes in between */
                at.clock_us = s->p.clock_us;
                at.stream_us = s->p.stream_us;
            }
            if (s->chunk_at < s->chunk_count || service_batch_full(s)) RIDE_TRY(service_work(s, err));
        }
    }
    if (is_cut || s->inputs[stream->input].spec->is_labels || stream->max_us == run->stream_end_us) return RIDE_OK;
    if (s->options->replay_of != NULL) s->options->replay_of->changed++;
    ride_log_warn(
        "an event of the log is not what the arrival journal says of it: results may differ from the first ones",
        ride_log_text("topic", stream->topic), ride_log_i64("partition", stream->partition),
        ride_log_i64("offset", run->offset_last));
    return RIDE_OK;
}

static uint32_t stream_of(const service *s, uint32_t journal) {
    uint32_t i = 0;
    while (i < s->streams_count && (s->streams[i].journal != journal || !s->streams[i].used)) i++;
    return i;
}

static void tell_progress(const service *s, double done) {
    const ride_replay *replay = s->options->replay_of;
    if (replay != NULL && replay->progress != NULL) replay->progress(replay->context, s->replayed, done);
}

static ride_status along_journal(service *s, ride_error *err) {
    const uint64_t began_ns = service_now(), assignment = s->assignments, first_place = s->rebuild_place;
    const uint64_t end = ride_journal_bytes(s->journal);
    uint64_t place = s->rebuild_place, told_ns = began_ns;
    ride_journal_run run;
    ride_status st;
    const ride_replay *one = only(s);
    s->journalled = true;
    while ((st = ride_journal_read(s->journal, &place, &run, err)) == RIDE_OK) {
        const uint32_t number = stream_of(s, run.stream);
        if (place > end) break;
        if (number == s->streams_count || !s->streams[number].is_log) {
            if (!ride_journal_stream_at(s->journal, run.stream)->is_log) s->skipped_messages += run.messages;
            continue; /* or a partition that another process has now */
        }
        st = run_again(s, number, &run, err);
        if (st != RIDE_OK) break;
        ride_metric_set(s->m.replay_ratio, (double)(place - first_place) / (double)(end - first_place));
        if (service_is_settled(s)) state_desk_serve(s->options->desk, NULL, SERVICE_REBUILDING);
        tell_progress(s, (double)(place - first_place) / (double)(end - first_place));
        if (one != NULL && is_only(one, s->streams[number].topic, s->streams[number].partition) &&
            run.offset_last >= one->offset)
            break;
        if (service_now() - told_ns > UINT64_C(5000000000)) {
            told_ns = service_now();
            ride_log_info("rebuilding the window state",
                          ride_log_f64("done", (double)(place - first_place) / (double)(end - first_place)),
                          ride_log_u64("events", s->replayed),
                          ride_log_f64("seconds", (double)(told_ns - began_ns) / 1e9));
        }
    }
    if (st == RIDE_END) st = RIDE_OK;
    if (st == RIDE_OK) st = service_work(s, err);
    if (st == RIDE_OK || st == RIDE_PENDING) {
        const ride_status settled = service_settle(s, err);
        if (settled != RIDE_OK) st = settled;
    }
    if (s->options->replay_of != NULL) {
        s->options->replay_of->events = s->replayed;
        s->options->replay_of->requests = s->skipped_messages;
    }
    s->journalled = false;
    service_release(s);
    if (st == RIDE_PENDING) {
        s->must_rebuild = s->must_rebuild || s->assignments == assignment;
        service_drop(s); /* the state that its rows were for goes too */
    }
    if (st != RIDE_OK) return st;
    if (s->skipped_messages > 0)
        ride_log_warn("requests are not in any log: the rebuilt windows do not have them",
                      ride_log_u64("events", s->skipped_messages));
    ride_log_info("the window state is rebuilt", ride_log_u64("events", s->replayed),
                  ride_log_f64("seconds", (double)(service_now() - began_ns) / 1e9));
    return RIDE_OK;
}

ride_status rebuild_run(service *s, ride_error *err) {
    ride_status st = RIDE_OK;
    s->must_rebuild = false;
    s->in_rebuild = true;
    s->replayed = s->skipped_messages = 0;
    if (s->rebuild_journal) service_ready(s, "state", false, SERVICE_REBUILDING);
    st = rebuild_reset(s, err);
    if (st == RIDE_OK && s->rebuild_journal) st = along_journal(s, err);
    s->in_rebuild = false;
    if (st == RIDE_PENDING) return RIDE_OK; /* the main loop sees the stop, or the new assignment */
    if (st != RIDE_OK) return st;
    for (uint32_t i = 0; i < s->streams_count; i++) s->streams[i].is_warm = s->streams[i].used;
    ride_metric_set(s->m.replay_ratio, 1);
    service_state_ready(s);
    return RIDE_OK;
}
