/* serve/job.c: see job.h. Answers are appended as they come, each with the separator of the form behind it. They mostly come in
 * the order of the events, and are then the text of the reply as they lie; else they are put in order once. */
#include "serve/job.h"

#include "base/assert.h"
#include "lib/json.h"
#include "serve/json_text.h"

#include <string.h>

enum { ANSWER_BYTES_LEAST = 64 }; /* kept for each event without an answer: the shortest thing that can be said */
static const char no_room[] = "{\"error\":\"there was no memory for this answer\"}";

ride_job *ride_job_create(ride_blocks *blocks, uint32_t events_max, uint32_t answer_bytes_max) {
    size_t head = sizeof(ride_job) + (size_t)events_max * sizeof(ride_job_event), room = 0;
    size_t answers =
        (size_t)events_max * (answer_bytes_max > ANSWER_BYTES_LEAST ? answer_bytes_max : ANSWER_BYTES_LEAST);
    ride_job *job = ride_blocks_take(blocks, head + answers + RIDE_JSON_PADDING, &room);
    if (job == NULL) return NULL;
    memset(job, 0, sizeof *job);
    job->blocks = blocks;
    job->answers = (char *)job + head;
    job->answers_room = room - head;
    return job;
}

void ride_job_seal(ride_job *job, ride_http_request *request) {
    job->request = request;
    job->unanswered = job->events_count;
    job->is_in_order = true;
    if (job->form == RIDE_JOB_ARRAY) job->answers[job->answers_used++] = '[';
    atomic_init(&job->holds, job->events_count + (request != NULL ? 1 : 0));
}

void ride_job_drop(ride_job *job, uint32_t holds) {
    uint32_t before = atomic_fetch_sub_explicit(&job->holds, holds, memory_order_acq_rel);
    RIDE_ASSERT(before >= holds);
    if (before != holds) return;
    ride_blocks *blocks = job->blocks;
    ride_blocks_give(blocks, job->text);
    ride_blocks_give(blocks, job->answers_block);
    ride_blocks_give(blocks, job->reply_block);
    ride_blocks_give(blocks, job);
}

/* Room for `bytes` and a separator, beside the least that the other events need. */
static bool make_room(ride_job *job, size_t bytes) {
    size_t needs =
        job->answers_used + bytes + 2 + (size_t)(job->unanswered - 1) * ANSWER_BYTES_LEAST + RIDE_JSON_PADDING;
    if (needs <= job->answers_room) return true;
    if (needs > UINT32_MAX) return false;
    size_t room = 0, wish = needs + needs / 2;
    char *larger = ride_blocks_take(job->blocks, wish, &room);
    if (larger == NULL) larger = ride_blocks_take(job->blocks, needs, &room);
    if (larger == NULL) return false;
    memcpy(larger, job->answers, job->answers_used);
    ride_blocks_give(job->blocks, job->answers_block);
    job->answers = job->answers_block = larger;
    job->answers_room = room;
    return true;
}

bool ride_job_answer(ride_job_event *event, const ride_answer *answer) {
    ride_job *job = event->job;
    uint32_t index = (uint32_t)(event - job->events);
    RIDE_ASSERT(event->status == RIDE_PENDING && answer->status != RIDE_PENDING && job->unanswered > 0);
    event->status = answer->status;
    char error[512];
    const char *text = answer->text;
    size_t bytes = answer->text_bytes;
    if (answer->status != RIDE_OK || text == NULL) {
        event->is_bad_json = answer->reason != NULL && strcmp(answer->reason, "bad_json") == 0;
        const char *reason = answer->reason != NULL                 ? answer->reason
                             : answer->status == RIDE_E_UNAVAILABLE ? "unavailable"
                                                                    : NULL;
        const char *what = answer->why != NULL                    ? answer->why
                           : answer->status == RIDE_E_DATA        ? "the event was rejected"
                           : answer->status == RIDE_E_UNAVAILABLE ? "the engine is not available"
                                                                  : ride_status_text(answer->status);
        bytes = ride_json_write_error(error, sizeof error, what, reason, answer->field);
        text = error;
    }
    if (job->form != RIDE_JOB_SILENT) {
        if (!make_room(job, bytes)) {
            text = no_room;
            bytes = sizeof no_room - 1;
            event->status = RIDE_E_MEMORY; /* worked all the same */
        }
        event->answer_at = (uint32_t)job->answers_used;
        event->answer_bytes = (uint32_t)bytes;
        memcpy(job->answers + job->answers_used, text, bytes);
        job->answers_used += bytes;
        job->answers[job->answers_used++] = job->form == RIDE_JOB_ARRAY ? ',' : '\n';
        if (job->unanswered != job->events_count && index != job->last_answered + 1) job->is_in_order = false;
        if (job->unanswered == job->events_count && index != 0) job->is_in_order = false;
        job->last_answered = index;
    }
    return --job->unanswered == 0;
}

static char *in_order(ride_job *job, size_t *bytes) {
    size_t at = 0;
    char *text = job->reply_block = ride_blocks_take(job->blocks, job->answers_used, NULL);
    if (text == NULL) return NULL;
    if (job->form == RIDE_JOB_ARRAY) text[at++] = '[';
    for (uint32_t i = 0; i < job->events_count; i++) {
        const ride_job_event *event = &job->events[i];
        memcpy(text + at, job->answers + event->answer_at, event->answer_bytes + 1); /* with its separator */
        at += event->answer_bytes + 1;
    }
    *bytes = at;
    return text;
}

const char *ride_job_text(ride_job *job, size_t *bytes) {
    RIDE_ASSERT(job->unanswered == 0);
    *bytes = job->answers_used;
    char *text = job->is_in_order ? job->answers : in_order(job, bytes);
    if (text != NULL && job->form == RIDE_JOB_ARRAY) text[*bytes - 1] = ']';
    return text;
}
