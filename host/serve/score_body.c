/* serve/score_body.c: what kind of body a request has, by its headers. */
#include "serve/cloudevent.h"
#include "serve/score_internal.h"

#include <string.h>

static bool refuse(ride_http_request *request, const char *reason, const char *text) {
    ride_http_set(
        request, "Accept",
        "application/json, application/x-ndjson, application/cloudevents+json, application/cloudevents-batch+json");
    ride_http_error(request, 415, reason, NULL, "%s", text);
    return false;
}

/* CloudEvents in binary mode: the attributes are headers. */
static bool is_cloud_binary(ride_http_request *request, bool *good) {
    static const char *const needed[] = {"ce-id", "ce-source", "ce-type"};
    const char *version = ride_http_header(request, "ce-specversion");
    *good = true;
    if (version == NULL) return false;
    if (strcmp(version, "1.0") != 0) {
        ride_http_error(request, 422, "bad_envelope", "ce-specversion", "only CloudEvents 1.0 are understood");
        *good = false;
        return true;
    }
    for (uint32_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        const char *value = ride_http_header(request, needed[i]);
        if (value != NULL && value[0] != '\0') continue;
        ride_http_error(request, 422, "bad_envelope", needed[i], "a CloudEvent needs %s", needed[i]);
        *good = false;
        return true;
    }
    return true;
}

static bool kind_of(ride_http_request *request, ride_body_kind *kind) {
    const char *coding = ride_http_header(request, "Content-Encoding"),
               *type = ride_http_header(request, "Content-Type");
    if (coding != NULL && strcmp(coding, "identity") != 0)
        return refuse(request, "content_encoding", "bodies are taken as they are, without Content-Encoding");
    bool good;
    if (ride_http_is_type(request, "application/cloudevents+json")) *kind = RIDE_BODY_CLOUD;
    else if (ride_http_is_type(request, "application/cloudevents-batch+json")) *kind = RIDE_BODY_CLOUD_BATCH;
    else if (is_cloud_binary(request, &good)) {
        *kind = RIDE_BODY_SINGLE;
        if (!good) return false;
        if (!ride_cloudevent_is_json(type, type != NULL ? strlen(type) : 0))
            return refuse(request, "content_type", "the data of a CloudEvent must be application/json");
    } else if (ride_http_is_type(request, "application/x-ndjson") || ride_http_is_type(request, "application/ndjson") ||
               ride_http_is_type(request, "application/jsonl"))
        *kind = RIDE_BODY_LINES;
    else if (type == NULL || ride_http_is_type(request, "application/json")) *kind = RIDE_BODY_JSON;
    else return refuse(request, "content_type", "send application/json, application/x-ndjson or CloudEvents");
    return true;
}

bool score_body_read(ride_score *s, ride_http_request *request, ride_job_form *form) {
    ride_body_kind kind;
    ride_body_fault fault;
    bool is_array;
    size_t bytes;
    char *body = ride_http_body(request, &bytes);
    if (!kind_of(request, &kind)) return false;
    if (!ride_body_cut(s->parser, kind, body, bytes, s->ranges, s->request_events_max, &s->ranges_count, &is_array,
                       &fault)) {
        ride_http_error(request, fault.code, fault.reason, fault.field, "%s", fault.text);
        return false;
    }
    *form = kind == RIDE_BODY_LINES ? RIDE_JOB_LINES : is_array ? RIDE_JOB_ARRAY : RIDE_JOB_SINGLE;
    return true;
}
