/* serve/infer.c: the Open Inference Protocol's endpoints. See infer.h. */
#include "serve/score_internal.h"

#include "base/number.h"
#include "serve/json_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What of a request is needed for its answer; a block, given back when the request is over. */
typedef struct infer_call {
    ride_score *score;
    ride_job *job;
    infer_reply reply;
    infer_row *rows; /* a block, or NULL */
    uint32_t slot;   /* of its key: score_once.c */
} infer_call;

static bool fail(ride_http_request *request, const ride_body_fault *fault) {
    if (fault->code == 429) ride_http_set(request, "Retry-After", "1");
    ride_http_error(request, fault->code, fault->reason, fault->field, "%s", fault->text);
    return false;
}

/* Does the path name our model, and its version if it names one? */
static bool is_model(ride_score *s, ride_http_request *request) {
    size_t bytes;
    const char *name = ride_http_param(request, 0, &bytes);
    if (bytes != strlen(s->model->name) || memcmp(name, s->model->name, bytes) != 0) {
        ride_http_error(request, 404, "unknown_model", NULL, "there is no model %.*s", bytes < 64 ? (int)bytes : 64,
                        name);
        return false;
    }
    const char *version = ride_http_param(request, 1, &bytes);
    if (bytes == 0 || (bytes == strlen(s->model->version) && memcmp(version, s->model->version, bytes) == 0))
        return true;
    ride_http_error(request, 404, "unknown_version", NULL, "there is no version %.*s", bytes < 64 ? (int)bytes : 64,
                    version);
    return false;
}

/* ---- answers ---- */
typedef struct record_reading {
    const ride_infer_model *model;
    infer_row *row;
    uint32_t offset; /* of the record in the texts */
    char reason[64], field[96], error[256];
} record_reading;

static bool is_key(const ride_json_member *member, const char *name) {
    return name != NULL && strlen(name) == member->key_bytes && memcmp(name, member->key, member->key_bytes) == 0;
}
static void on_member(void *context, const ride_json_member *m) {
    record_reading *r = context;
    bool scalar = m->type == RIDE_JSON_STRING || m->type == RIDE_JSON_NUMBER || m->type == RIDE_JSON_BOOL;
    ride_body_range raw = {r->offset + m->offset, scalar ? m->raw_bytes : 0};
    if (is_key(m, "margin") && m->type == RIDE_JSON_NUMBER)
        (void)ride_text_to_double(m->text, m->bytes, &r->row->margin);
    else if (is_key(m, "probability") && m->type == RIDE_JSON_NUMBER)
        (void)ride_text_to_double(m->text, m->bytes, &r->row->probability);
    else if (is_key(m, "decision")) r->row->decision = raw;
    else if (is_key(m, "rule")) r->row->rule = raw;
    else if (is_key(m, "reason") && scalar) snprintf(r->reason, sizeof r->reason, "%.*s", (int)m->bytes, m->text);
    else if (is_key(m, "error") && scalar) snprintf(r->error, sizeof r->error, "%.*s", (int)m->bytes, m->text);
    else if (is_key(m, "field") && scalar) snprintf(r->field, sizeof r->field, "%.*s", (int)m->bytes, m->text);
    if (is_key(m, r->model->event_id)) r->row->event_id = raw;
}

static bool on_piece(void *context, const ride_json_piece *piece) {
    record_reading *r = context;
    static const char name[] = "reasons";
    const bool found = piece->key_bytes == sizeof name - 1 && memcmp(piece->key, name, sizeof name - 1) == 0;
    if (found) r->row->reasons = (ride_body_range){r->offset + piece->offset, piece->bytes};
    return !found;
}

static bool is_asked(const infer_reply *reply, ride_output output) {
    for (uint32_t o = 0; o < reply->outputs_count; o++)
        if (reply->outputs[o] == output) return true;
    return false;
}

/* Reads record i; false: answered, since it is none. */
static bool read_record(infer_call *call, ride_http_request *request, uint32_t i) {
    const ride_job_event *event = &call->job->events[i];
    size_t bytes;
    const char *text = ride_job_record(call->job, i, &bytes);
    record_reading reading = {.model = call->reply.model, .row = &call->rows[i], .offset = event->answer_at};
    call->rows[i] = (infer_row){.margin = NAN, .probability = NAN};
    bool good = ride_json_object(call->score->parser, text, bytes, on_member, &reading) == RIDE_JSON_OK;
    if (event->status == RIDE_OK && good && is_asked(&call->reply, RIDE_OUTPUT_REASONS))
        (void)ride_json_members(call->score->parser, text, bytes, on_piece, &reading); /* it stops at them */
    if (event->status == RIDE_OK && good) return true;
    if (event->status == RIDE_E_UNAVAILABLE) {
        ride_http_set(request, "Retry-After", "1");
        ride_http_error(request, 503, reading.reason[0] != '\0' ? reading.reason : "unavailable", NULL, "row %u: %s", i,
                        reading.error[0] != '\0' ? reading.error : "the engine is not available");
    } else if (event->status == RIDE_E_DATA) {
        ride_http_error(request, 422, reading.reason[0] != '\0' ? reading.reason : "rejected",
                        reading.field[0] != '\0' ? reading.field : NULL, "row %u: the event was rejected", i);
    } else {
        ride_http_error(request, 500, "internal", NULL, "row %u: its result cannot be read", i);
    }
    return false;
}

static size_t reply(infer_call *call, ride_http_request *request) {
    uint32_t count = call->job->events_count;
    call->rows = ride_blocks_take(call->score->blocks, count * sizeof *call->rows, NULL);
    if (call->rows == NULL) {
        ride_http_error(request, 500, "no_memory", NULL, "scored, but there was no memory for the answer");
        return 0;
    }
    for (uint32_t i = 0; i < count; i++)
        if (!read_record(call, request, i)) return 0;
    call->reply.rows = call->rows;
    call->reply.rows_count = count;
    call->reply.texts = call->job->answers;
    return score_infer_reply(call->score, request, &call->reply);
}

static void answered(void *context, ride_http_request *request) {
    infer_call *call = context;
    const size_t json_bytes = reply(call, request);
    score_once_end(call->score, request, call->slot, json_bytes);
}

static void over(void *context, ride_http_request *request) {
    infer_call *call = context;
    ride_blocks *blocks = call->score->blocks;
    (void)request;
    if (call->job != NULL) ride_job_drop(call->job, 1);
    ride_blocks_give(blocks, call->rows);
    ride_blocks_give(blocks, call);
}

/* ---- requests ---- */
static bool json_bytes_of(ride_http_request *request, size_t bytes, size_t *json_bytes) {
    const char *said = ride_http_header(request, SCORE_JSON_BYTES);
    uint64_t number = bytes;
    *json_bytes = bytes;
    if (said == NULL) {
        if (ride_http_is_type(request, "application/json") || ride_http_header(request, "Content-Type") == NULL)
            return true;
        ride_http_error(request, 415, "content_type", NULL,
                        "send application/json, or binary data with " SCORE_JSON_BYTES);
        return false;
    }
    if (!ride_text_to_u64(said, strlen(said), &number) || number > bytes || number == 0) {
        ride_http_error(request, 400, "bad_request", SCORE_JSON_BYTES, "it is not within the body");
        return false;
    }
    *json_bytes = (size_t)number;
    return true;
}

static infer_call *call_of(ride_score *s, ride_http_request *request, const char *body) {
    const ride_infer_request *r = s->infer;
    infer_call *call = ride_blocks_take(s->blocks, sizeof *call, NULL);
    if (call == NULL) {
        ride_http_set(request, "Retry-After", "1");
        ride_http_error(request, 429, "no_memory", NULL, "the memory of requests is taken: try again");
        return NULL;
    }
    memset(call, 0, sizeof *call);
    call->score = s;
    call->reply = (infer_reply){.model = s->model,
                                .body = body,
                                .id_offset = r->id_offset,
                                .id_bytes = r->id_bytes,
                                .outputs_count = r->outputs_count};
    memcpy(call->reply.outputs, r->outputs, sizeof r->outputs);
    memcpy(call->reply.outputs_binary, r->outputs_binary, sizeof r->outputs_binary);
    ride_http_on_end(request, over, call);
    return call;
}

/* true: it waits. */
static bool post_events(ride_score *s, ride_http_request *request, const char *body, uint32_t slot) {
    const ride_infer_request *r = s->infer;
    ride_body_fault fault;
    char *text = NULL;
    infer_call *call = call_of(s, request, body);
    if (call == NULL) return false;
    if (!ride_infer_events(s->blocks, body, r, &text, s->ranges, &fault)) return fail(request, &fault);
    ride_job *job = score_job(s, request, r->rows, s->answer_bytes_max);
    if (job == NULL) {
        ride_blocks_give(s->blocks, text);
        return false;
    }
    for (uint32_t i = 0; i < r->rows; i++) ride_job_add(job, s->ranges[i].offset, s->ranges[i].bytes);
    job->form = RIDE_JOB_TENSORS;
    job->text = text;
    call->job = job;
    call->slot = slot;
    score_push(s, job, request);
    ride_http_wait(request, answered, call);
    return true;
}

/* Without decisions and rules, which are about events; none named: margin and probability. */
static bool vector_outputs(ride_http_request *request, infer_reply *reply, bool named) {
    uint32_t kept = 0;
    for (uint32_t o = 0; o < reply->outputs_count; o++) {
        bool number = reply->outputs[o] == RIDE_OUTPUT_MARGIN || reply->outputs[o] == RIDE_OUTPUT_PROBABILITY;
        if (!number && named) {
            ride_http_error(request, 422, "unknown_output", "outputs",
                            "a vector has the outputs probability and margin");
            return false;
        }
        if (!number) continue;
        reply->outputs_binary[kept] = reply->outputs_binary[o];
        reply->outputs[kept++] = reply->outputs[o];
    }
    reply->outputs_count = kept;
    return true;
}

static size_t post_vectors(ride_score *s, ride_http_request *request, const char *body) {
    const ride_infer_request *r = s->infer;
    const ride_infer_model *model = s->model;
    ride_body_fault fault;
    ride_error err;
    if (model->score_vectors == NULL) {
        ride_http_error(request, 422, "unsupported", "vector", "vectors are not scored here");
        return 0;
    }
    if (r->tensors[0].columns != model->vector_count) {
        ride_http_error(request, 422, "bad_shape", "vector", "the tensor vector has the shape [n, %u]",
                        model->vector_count);
        return 0;
    }
    infer_call *call = call_of(s, request, body);
    if (call == NULL || !vector_outputs(request, &call->reply, r->outputs_named)) return 0;
    size_t n = r->rows, numbers = n * (model->vector_count + 2) * sizeof(double);
    char *block = ride_blocks_take(s->blocks, numbers + n * sizeof(infer_row), NULL);
    if (block == NULL) {
        ride_http_set(request, "Retry-After", "1");
        ride_http_error(request, 429, "no_memory", NULL, "the memory of requests is taken: try again");
        return 0;
    }
    infer_row *rows = (infer_row *)(void *)block;
    double *vectors = (double *)(void *)(block + n * sizeof(infer_row));
    double *margin = vectors + n * model->vector_count, *probability = margin + n;
    call->rows = rows; /* given back with the call */
    if (!ride_infer_vectors(body, r, vectors, &fault)) {
        fail(request, &fault);
        return 0;
    }
    if (model->score_vectors(model->context, vectors, r->rows, margin, probability, &err) != RIDE_OK) {
        ride_http_error(request, 500, ride_status_text(err.status), NULL, "%s", err.what);
        return 0;
    }
    for (size_t i = 0; i < n; i++) rows[i] = (infer_row){.margin = margin[i], .probability = probability[i]};
    call->reply.rows = rows;
    call->reply.rows_count = r->rows;
    call->reply.texts = "";
    return score_infer_reply(s, request, &call->reply);
}

/* true: it waits. *answer_json_bytes: see ride_kept. */
static bool take(ride_score *s, ride_http_request *request, uint32_t slot, size_t *answer_json_bytes) {
    ride_body_fault fault;
    size_t bytes, json_bytes;
    bool waits = false;
    const char *body = ride_http_body(request, &bytes);
    if (!json_bytes_of(request, bytes, &json_bytes)) return false;
    if (!ride_infer_read(s->parser, s->blocks, body, bytes, json_bytes, s->request_events_max, s->model, s->infer,
                         &fault))
        return fail(request, &fault);
    if (s->infer->is_vector) *answer_json_bytes = post_vectors(s, request, body);
    else waits = post_events(s, request, body, slot);
    ride_infer_free(s->blocks, s->infer);
    return waits;
}

static void post_infer(void *context, ride_http_request *request) {
    ride_score *s = context;
    uint32_t slot;
    size_t json_bytes = 0;
    if (!is_model(s, request) || !score_door(s, request) || !score_once_begin(s, request, &slot)) return;
    if (!take(s, request, slot, &json_bytes)) score_once_end(s, request, slot, json_bytes);
}

static void get_server(void *context, ride_http_request *request) {
    static const char text[] = "{\"name\":\"ride\",\"version\":\"1\",\"extensions\":[\"binary_tensor_data\"]}";
    (void)context;
    ride_http_reply(request, 200, "application/json", text, sizeof text - 1);
}
static void get_live(void *context, ride_http_request *request) {
    (void)context;
    ride_http_reply(request, 200, "application/json", "{\"live\":true}", 13);
}
static void get_ready(void *context, ride_http_request *request) {
    if (score_door(context, request)) ride_http_reply(request, 200, "application/json", "{\"ready\":true}", 14);
}
static void get_model(void *context, ride_http_request *request) {
    ride_score *s = context;
    if (is_model(s, request)) ride_http_reply(request, 200, "application/json", s->model_text, s->model_bytes);
}
static void get_model_ready(void *context, ride_http_request *request) {
    if (is_model(context, request)) get_ready(context, request);
}

static void write_tensor(FILE *to, bool first, const char *name, const char *datatype, const char *shape) {
    char text[512];
    size_t bytes = ride_json_write_string(text, sizeof text, name, strlen(name));
    fprintf(to, "%s{\"name\":%.*s,\"datatype\":\"%s\",\"shape\":%s}", first ? "" : ",", (int)bytes, text, datatype,
            shape);
}

static ride_status write_model(ride_score *s, ride_error *err) {
    const ride_infer_model *m = s->model;
    FILE *to = open_memstream(&s->model_text, &s->model_bytes);
    if (to == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the model's metadata");
    fprintf(to, "{\"name\":\"%s\",\"versions\":[\"%s\"],\"platform\":\"ride\",\"inputs\":[", m->name, m->version);
    for (uint32_t i = 0; i < m->inputs_count; i++)
        write_tensor(to, i == 0, m->inputs[i].name, m->inputs[i].datatype, "[-1]");
    fprintf(to, "],\"outputs\":[");
    for (uint32_t o = 0; o < RIDE_OUTPUTS; o++)
        if (ride_infer_has_output(m, (ride_output)o))
            write_tensor(to, o == 0, ride_output_names[o], o <= RIDE_OUTPUT_MARGIN ? "FP64" : "BYTES", "[-1]");
    fprintf(to, "]}");
    return fclose(to) == 0 ? RIDE_OK : ride_fail(err, RIDE_E_MEMORY, "no memory for the model's metadata");
}

static bool is_plain(const char *name) {
    size_t bytes = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    return bytes > 0 && bytes < 128 && name[bytes] == '\0';
}

ride_status score_infer_open(ride_score *s, uint32_t *count, ride_error *err) {
    const ride_http_route routes[] = {
        {"POST", "/v2/models/{name}/infer", "infer", post_infer, s, false},
        {"POST", "/v2/models/{name}/versions/{version}/infer", "infer", post_infer, s, false},
        {"GET", "/v2", "v2", get_server, s, false},
        {"GET", "/v2/health/live", "v2", get_live, s, true},
        {"GET", "/v2/health/ready", "v2", get_ready, s, true},
        {"GET", "/v2/models/{name}", "v2", get_model, s, false},
        {"GET", "/v2/models/{name}/versions/{version}", "v2", get_model, s, false},
        {"GET", "/v2/models/{name}/ready", "v2", get_model_ready, s, false},
        {"GET", "/v2/models/{name}/versions/{version}/ready", "v2", get_model_ready, s, false},
    };
    if (!is_plain(s->model->name) || !is_plain(s->model->version))
        return ride_fail(err, RIDE_E_CONFIG, "a model's name and version have letters, digits, _ . - only");
    s->infer = calloc(1, sizeof *s->infer);
    if (s->infer == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for inference requests");
    RIDE_TRY(write_model(s, err));
    for (uint32_t i = 0; i < sizeof routes / sizeof *routes; i++) s->routes[(*count)++] = routes[i];
    return RIDE_OK;
}

void score_infer_close(ride_score *s) {
    free(s->infer);
    free(s->model_text);
}
