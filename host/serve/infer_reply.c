/* serve/infer_reply.c: rows as output tensors: JSON, and binary data behind it where that was asked for. */
#include "serve/score_internal.h"

#include "base/number.h"
#include "serve/json_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    HEAD_BYTES = 256,
    TENSOR_BYTES = 192,
    NUMBER_ROOM = RIDE_NUMBER_BYTES + 1,
    TEXT_ROOM = 8,
    QUOTED = 3 /* bytes of one of a JSON text within a string */
};

typedef struct writer {
    ride_json_parser *parser;
    char *to;
    size_t at;
} writer;

static void put(writer *w, const char *text, size_t bytes) {
    memcpy(w->to + w->at, text, bytes);
    w->at += bytes;
}
static void put_text(writer *w, const char *text) { put(w, text, strlen(text)); }
static void put_number(writer *w, uint64_t value) { w->at += ride_u64_to_text(value, w->to + w->at); }

static bool is_number(ride_output output) { return output == RIDE_OUTPUT_MARGIN || output == RIDE_OUTPUT_PROBABILITY; }
static double number_of(const infer_row *row, ride_output output) {
    return output == RIDE_OUTPUT_MARGIN ? row->margin : row->probability;
}
static ride_body_range text_of(const infer_row *row, ride_output output) {
    switch (output) {
    case RIDE_OUTPUT_DECISION: return row->decision;
    case RIDE_OUTPUT_RULE: return row->rule;
    case RIDE_OUTPUT_REASONS: return row->reasons;
    default: return row->event_id;
    }
}

/* The room that all of it takes at most. */
static size_t room_for(const infer_reply *r) {
    size_t room = HEAD_BYTES + r->id_bytes + 2 * (strlen(r->model->name) + strlen(r->model->version));
    for (uint32_t o = 0; o < r->outputs_count; o++) {
        room += TENSOR_BYTES;
        for (uint32_t i = 0; i < r->rows_count; i++)
            room += is_number(r->outputs[o]) ? NUMBER_ROOM
                                             : QUOTED * (size_t)text_of(&r->rows[i], r->outputs[o]).bytes + TEXT_ROOM;
    }
    return room + RIDE_JSON_PADDING;
}

/* JSON data of one output. */
static void put_data(writer *w, const infer_reply *r, ride_output output) {
    for (uint32_t i = 0; i < r->rows_count; i++) {
        if (i > 0) w->to[w->at++] = ',';
        if (is_number(output)) {
            double value = number_of(&r->rows[i], output);
            if (isfinite(value)) w->at += ride_double_to_text(value, w->to + w->at);
            else put_text(w, "null");
            continue;
        }
        ride_body_range at = text_of(&r->rows[i], output);
        if (output == RIDE_OUTPUT_REASONS) {
            w->at +=
                ride_json_write_string(w->to + w->at, QUOTED * (size_t)at.bytes + 2, r->texts + at.offset, at.bytes);
            continue;
        }
        bool quoted = at.bytes > 0 && r->texts[at.offset] == '"';
        if (!quoted) w->to[w->at++] = '"';
        put(w, r->texts + at.offset, at.bytes);
        if (!quoted) w->to[w->at++] = '"';
    }
}

/* Binary data: numbers little-endian, texts with their length before them. */
static size_t put_binary(writer *w, const infer_reply *r, ride_output output) {
    size_t from = w->at;
    for (uint32_t i = 0; i < r->rows_count; i++) {
        if (is_number(output)) {
            double value = number_of(&r->rows[i], output);
            put(w, (const char *)&value, sizeof value);
            continue;
        }
        ride_body_range at = text_of(&r->rows[i], output);
        size_t bytes = at.bytes;
        char *to = w->to + w->at + 4;
        if (bytes > 0 && r->texts[at.offset] == '"') {
            if (!ride_json_string(w->parser, r->texts + at.offset, at.bytes, to, at.bytes, &bytes)) bytes = 0;
        } else {
            memcpy(to, r->texts + at.offset, bytes);
        }
        uint32_t said = (uint32_t)bytes;
        memcpy(w->to + w->at, &said, 4);
        w->at += 4 + bytes;
    }
    return w->at - from;
}

static void put_tensor(writer *w, const infer_reply *r, uint32_t o, size_t binary_bytes) {
    if (o > 0) put_text(w, ",");
    put_text(w, "{\"name\":\"");
    put_text(w, ride_output_names[r->outputs[o]]);
    put_text(w, is_number(r->outputs[o]) ? "\",\"datatype\":\"FP64\",\"shape\":["
                                         : "\",\"datatype\":\"BYTES\",\"shape\":[");
    put_number(w, r->rows_count);
    if (r->outputs_binary[o]) {
        put_text(w, "],\"parameters\":{\"binary_data_size\":");
        put_number(w, binary_bytes);
        put_text(w, "}}");
    } else {
        put_text(w, "],\"data\":[");
        put_data(w, r, r->outputs[o]);
        put_text(w, "]}");
    }
}

static void put_head(writer *w, const infer_reply *r, const size_t *binary_bytes) {
    put_text(w, "{\"model_name\":\"");
    put_text(w, r->model->name);
    put_text(w, "\",\"model_version\":\"");
    put_text(w, r->model->version);
    put_text(w, "\"");
    if (r->id_bytes > 0) {
        put_text(w, ",\"id\":");
        put(w, r->body + r->id_offset, r->id_bytes);
    }
    put_text(w, ",\"outputs\":[");
    for (uint32_t o = 0; o < r->outputs_count; o++) put_tensor(w, r, o, binary_bytes[o]);
    put_text(w, "]}");
}

void score_infer_set(ride_http_request *request, size_t json_bytes) {
    char text[RIDE_NUMBER_BYTES + 1];
    text[ride_u64_to_text(json_bytes, text)] = '\0';
    ride_http_set(request, SCORE_JSON_BYTES, text);
}

/* Binary data is written behind the room that the JSON may take, then moved to its end: its size stands in the JSON. */
size_t score_infer_reply(ride_score *s, ride_http_request *request, const infer_reply *r) {
    size_t binary_bytes[RIDE_INFER_OUTPUTS_MAX] = {0}, room = room_for(r), binary = 0;
    bool any = false;
    char *block = ride_blocks_take(s->blocks, 2 * room, NULL);
    if (block == NULL) {
        ride_http_error(request, 500, "no_memory", NULL, "scored, but there was no memory for the answer");
        return 0;
    }
    writer data = {s->parser, block + room, 0}, head = {s->parser, block, 0};
    for (uint32_t o = 0; o < r->outputs_count; o++)
        if (r->outputs_binary[o]) {
            binary_bytes[o] = put_binary(&data, r, r->outputs[o]);
            binary += binary_bytes[o];
            any = true;
        }
    put_head(&head, r, binary_bytes);
    memmove(block + head.at, block + room, binary);
    ride_http_own(request, block); /* the request's body, and its id with it, is given up here */
    if (any) score_infer_set(request, head.at);
    ride_http_reply(request, 200, any ? "application/octet-stream" : "application/json", block, head.at + binary);
    return any ? head.at : 0;
}
