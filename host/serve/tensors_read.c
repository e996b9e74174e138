/* serve/tensors_read.c: the JSON part of an inference request. One object is cut at a time (a parser has one text), so pieces are kept
 * and cut in their turn. The elements of data are found by a scan of our own: the array was checked as JSON before, and may be
 * nested or flat, as the protocol allows. */
#include "serve/tensors.h"

#include "base/assert.h"
#include "base/number.h"

#include <string.h>

const char *const ride_output_names[RIDE_OUTPUTS] = {"probability", "margin",   "decision",
                                                     "rule",        "event_id", "reasons"};

enum { TEXT_BYTES = 64 };

static bool is_key(const ride_json_piece *piece, const char *name) {
    return strlen(name) == piece->key_bytes && memcmp(name, piece->key, piece->key_bytes) == 0;
}
/* Is the piece this string? (Names of ours have no escapes.) */
static bool is_text(const char *body, const ride_json_piece *piece, const char *text) {
    size_t bytes = strlen(text);
    return piece->type == RIDE_JSON_STRING && piece->bytes == bytes + 2 &&
           memcmp(body + piece->offset + 1, text, bytes) == 0;
}
static bool is_true(const char *body, const ride_json_piece *piece) {
    return piece->type == RIDE_JSON_BOOL && body[piece->offset] == 't';
}

/* Pieces of interest of one object, found by their keys. */
typedef struct members {
    const char *const *names;
    ride_json_piece *pieces;
    uint32_t count;
    bool twice;
} members;
static bool on_member(void *context, const ride_json_piece *piece) {
    members *m = context;
    for (uint32_t i = 0; i < m->count; i++)
        if (is_key(piece, m->names[i])) {
            m->twice |= m->pieces[i].type != 0;
            m->pieces[i] = *piece;
        }
    return true;
}
/* Offsets become those of the body. */
static bool cut(ride_json_parser *parser, const char *body, uint32_t offset, size_t bytes, const char *const *names,
                ride_json_piece *pieces, uint32_t count, ride_body_fault *fault) {
    members m = {names, pieces, count, false};
    memset(pieces, 0, count * sizeof *pieces);
    ride_json_result result = ride_json_members(parser, body + offset, bytes, on_member, &m);
    for (uint32_t i = 0; i < count; i++) pieces[i].offset += offset;
    if (result != RIDE_JSON_OK) return ride_body_fail_json(fault, result);
    return !m.twice || ride_body_fail(fault, 400, "bad_json", NULL, "a member is there twice");
}

typedef struct list {
    ride_body_range *ranges;
    uint32_t count, max, offset;
} list;
static bool on_element(void *context, const ride_json_piece *piece) {
    list *l = context;
    if (l->count < l->max) l->ranges[l->count] = (ride_body_range){piece->offset + l->offset, piece->bytes};
    return l->count++ < l->max;
}
/* The elements of an array piece; false also when there are more than max. */
static bool elements(ride_json_parser *parser, const char *body, const ride_json_piece *piece, const char *name,
                     ride_body_range *ranges, uint32_t max, uint32_t *count, ride_body_fault *fault) {
    list l = {ranges, 0, max, piece->offset};
    if (ride_json_elements(parser, body + piece->offset, piece->bytes, on_element, &l) != RIDE_JSON_OK)
        return ride_body_fail(fault, 400, "bad_request", name, "%s must be an array of at most %u", name, max);
    *count = l.count;
    return true;
}

static bool read_shape(ride_json_parser *parser, const char *body, const ride_json_piece *piece, ride_tensor *t,
                       ride_body_fault *fault) {
    ride_body_range dimensions[2];
    if (!elements(parser, body, piece, "shape", dimensions, 2, &t->dimensions, fault)) return false;
    uint64_t sizes[2] = {0, 1};
    for (uint32_t i = 0; i < t->dimensions; i++)
        if (!ride_text_to_u64(body + dimensions[i].offset, dimensions[i].bytes, &sizes[i]) || sizes[i] > UINT32_MAX)
            return ride_body_fail(fault, 400, "bad_request", "shape", "a shape has whole numbers");
    if (t->dimensions == 0)
        return ride_body_fail(fault, 400, "bad_request", "shape", "shapes are [n], [n,1] or [n,features]");
    t->rows = sizes[0];
    t->columns = sizes[1];
    return true;
}

static ride_datatype datatype_of(const char *body, const ride_json_piece *piece) {
    static const char *const names[] = {"BOOL",   "INT8",   "INT16",  "INT32", "INT64", "UINT8",
                                        "UINT16", "UINT32", "UINT64", "FP32",  "FP64",  "BYTES"};
    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_text(body, piece, names[i])) return (ride_datatype)(RIDE_DATA_BOOL + i);
    return 0;
}

static uint32_t width_of(ride_datatype datatype) {
    static const uint8_t widths[] = {0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8, 0};
    return widths[datatype];
}

/* Scalars of a checked array, however it is nested, row by row. */
static bool scan(const char *text, ride_body_range piece, ride_body_range *out, uint64_t count) {
    const char *at = text + piece.offset, *end = at + piece.bytes;
    uint64_t found = 0;
    while (at < end) {
        char c = *at;
        if (c == '[' || c == ']' || c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t') {
            at++;
            continue;
        }
        const char *from = at;
        if (c == '{' || found == count) return false;
        if (c == '"') {
            for (at++; *at != '"'; at++) at += *at == '\\';
            at++;
        } else {
            while (at < end && *at != ',' && *at != ']' && *at != ' ' && *at != '\n' && *at != '\r' && *at != '\t')
                at++;
        }
        out[found++] = (ride_body_range){(uint32_t)(from - text), (uint32_t)(at - from)};
    }
    return found == count;
}

/* Each of a binary BYTES tensor: four bytes of length, little-endian, and so many. */
static bool walk_bytes(const char *body, const ride_tensor *t, ride_body_range *out, uint64_t count) {
    const uint8_t *data = (const uint8_t *)body + t->data_offset;
    uint64_t at = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (t->data_bytes - at < 4) return false;
        uint32_t bytes = (uint32_t)data[at] | (uint32_t)data[at + 1] << 8 | (uint32_t)data[at + 2] << 16 |
                         (uint32_t)data[at + 3] << 24;
        at += 4;
        if (t->data_bytes - at < bytes) return false;
        out[i] = (ride_body_range){(uint32_t)(t->data_offset + at), bytes};
        at += bytes;
    }
    return at == t->data_bytes;
}

static bool no_memory(ride_body_fault *fault) {
    return ride_body_fail(fault, 429, "no_memory", NULL, "the memory of requests is taken: try again");
}

/* How many bytes of binary data the tensor has: its parameter binary_data_size. */
static bool read_parameters(ride_json_parser *parser, const char *body, const ride_json_piece *piece, ride_tensor *t,
                            ride_body_fault *fault) {
    static const char *const names[] = {"binary_data_size"};
    ride_json_piece size = {0};
    uint64_t bytes;
    if (piece->type == 0) return true;
    if (!cut(parser, body, piece->offset, piece->bytes, names, &size, 1, fault)) return false;
    if (size.type == 0) return true;
    if (!ride_text_to_u64(body + size.offset, size.bytes, &bytes) || bytes > UINT32_MAX)
        return ride_body_fail(fault, 400, "bad_request", "binary_data_size", "binary_data_size is a whole number");
    t->is_binary = true;
    t->data_bytes = (uint32_t)bytes;
    return true;
}

/* Where the data is, and its elements; *binary_at moves behind it. rows_max bounds what is looked at. */
static bool read_data(ride_blocks *blocks, const char *body, size_t bytes, const ride_json_piece *data, ride_tensor *t,
                      size_t *binary_at, ride_body_fault *fault) {
    uint64_t count = t->rows * t->columns;
    if (t->is_binary == (data->type != 0))
        return ride_body_fail(fault, 400, "bad_request", "data",
                              "a tensor has data, or binary_data_size and its bytes");
    if (t->is_binary) {
        if (t->data_bytes > bytes - *binary_at)
            return ride_body_fail(fault, 400, "bad_request", "binary_data_size",
                                  "there are fewer bytes than the tensors have");
        t->data_offset = (uint32_t)*binary_at;
        *binary_at += t->data_bytes;
        if (t->datatype != RIDE_DATA_BYTES)
            return (count <= t->data_bytes && t->data_bytes == count * width_of(t->datatype)) ||
                   ride_body_fail(fault, 400, "bad_request", "binary_data_size",
                                  "the bytes are not what shape and datatype say");
    } else {
        if (data->type != RIDE_JSON_NESTED || body[data->offset] != '[') /* an object has no order */
            return ride_body_fail(fault, 400, "bad_request", "data", "data is an array");
        t->data_offset = data->offset;
        t->data_bytes = data->bytes;
    }
    if (count > t->data_bytes) /* each takes a byte at least: no memory for what is not there */
        return ride_body_fail(fault, 400, "bad_request", "data", "data has not as many elements as the shape says");
    t->elements = ride_blocks_take(blocks, (size_t)(count > 0 ? count : 1) * sizeof *t->elements, NULL);
    if (t->elements == NULL) return no_memory(fault);
    bool good = t->is_binary ? walk_bytes(body, t, t->elements, count)
                             : scan(body, (ride_body_range){t->data_offset, t->data_bytes}, t->elements, count);
    return good || ride_body_fail(fault, 400, "bad_request", "data", "data has not as many elements as the shape says");
}

static bool read_input(ride_json_parser *parser, ride_blocks *blocks, const char *body, size_t bytes,
                       ride_body_range range, ride_tensor *t, size_t *binary_at, ride_body_fault *fault) {
    enum { NAME, SHAPE, DATATYPE, PARAMETERS, DATA, MEMBERS };
    static const char *const names[MEMBERS] = {"name", "shape", "datatype", "parameters", "data"};
    ride_json_piece p[MEMBERS];
    if (!cut(parser, body, range.offset, range.bytes, names, p, MEMBERS, fault)) return false;
    if (p[NAME].type != RIDE_JSON_STRING || p[SHAPE].type == 0 || p[DATATYPE].type == 0)
        return ride_body_fail(fault, 400, "bad_request", "inputs", "a tensor needs name, shape and datatype");
    t->name_offset = p[NAME].offset;
    t->name_bytes = p[NAME].bytes;
    t->datatype = datatype_of(body, &p[DATATYPE]);
    if (t->datatype == 0)
        return ride_body_fail(fault, 400, "bad_request", "datatype",
                              "datatypes are BOOL, INT8-64, UINT8-64, FP32, FP64, BYTES");
    return read_shape(parser, body, &p[SHAPE], t, fault) && read_parameters(parser, body, &p[PARAMETERS], t, fault) &&
           read_data(blocks, body, bytes, &p[DATA], t, binary_at, fault);
}

bool ride_infer_has_output(const ride_infer_model *model, ride_output output) {
    return output == RIDE_OUTPUT_EVENT_ID  ? model->event_id != NULL
           : output == RIDE_OUTPUT_REASONS ? model->has_reasons
                                           : output < RIDE_OUTPUTS;
}

/* Which outputs, and which of them binary. None named: those before event_id. */
static bool read_outputs(ride_json_parser *parser, const char *body, const ride_json_piece *piece, bool binary,
                         const ride_infer_model *model, ride_infer_request *r, ride_body_fault *fault) {
    enum { NAME, PARAMETERS, MEMBERS };
    static const char *const names[MEMBERS] = {"name", "parameters"}, *const binary_name[] = {"binary_data"};
    ride_body_range ranges[RIDE_INFER_OUTPUTS_MAX];
    uint32_t count = 0;
    if (piece->type != 0 && piece->type != RIDE_JSON_NULL &&
        !elements(parser, body, piece, "outputs", ranges, RIDE_INFER_OUTPUTS_MAX, &count, fault))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        ride_json_piece p[MEMBERS], flag = {0};
        if (!cut(parser, body, ranges[i].offset, ranges[i].bytes, names, p, MEMBERS, fault)) return false;
        if (p[PARAMETERS].type != 0 &&
            !cut(parser, body, p[PARAMETERS].offset, p[PARAMETERS].bytes, binary_name, &flag, 1, fault))
            return false;
        uint32_t output = 0;
        while (output < RIDE_OUTPUTS && !is_text(body, &p[NAME], ride_output_names[output])) output++;
        if (output == RIDE_OUTPUTS || !ride_infer_has_output(model, (ride_output)output))
            return ride_body_fail(fault, 422, "unknown_output", "outputs",
                                  "outputs are probability, margin, decision, rule%s%s",
                                  model->event_id != NULL ? ", event_id" : "", model->has_reasons ? ", reasons" : "");
        r->outputs[i] = (ride_output)output;
        r->outputs_binary[i] = flag.type != 0 ? is_true(body, &flag) : binary;
    }
    r->outputs_count = count;
    r->outputs_named = count > 0;
    for (uint32_t o = 0; count == 0 && o < RIDE_OUTPUT_EVENT_ID; o++) {
        r->outputs_binary[r->outputs_count] = binary;
        r->outputs[r->outputs_count++] = (ride_output)o;
    }
    return true;
}

static bool is_vector(const char *body, const ride_tensor *t) {
    return t->name_bytes == 8 && memcmp(body + t->name_offset, "\"vector\"", 8) == 0;
}

/* All tensors have one number of rows; `vector` is alone. */
static bool check_shapes(const char *body, ride_infer_request *r, uint32_t rows_max, ride_body_fault *fault) {
    uint64_t rows = r->tensors[0].rows;
    r->is_vector = r->tensors_count == 1 && is_vector(body, &r->tensors[0]);
    for (uint32_t i = 0; i < r->tensors_count; i++) {
        const ride_tensor *t = &r->tensors[i];
        if (t->rows != rows)
            return ride_body_fail(fault, 400, "bad_request", "shape", "the tensors differ in their rows");
        if (!r->is_vector && t->columns != 1)
            return ride_body_fail(fault, 400, "bad_request", "shape", "a field's tensor has the shape [n] or [n,1]");
        for (uint32_t k = 0; k < i; k++)
            if (r->tensors[k].name_bytes == t->name_bytes &&
                memcmp(body + r->tensors[k].name_offset, body + t->name_offset, t->name_bytes) == 0)
                return ride_body_fail(fault, 400, "bad_request", "inputs", "two tensors have one name");
    }
    if (r->is_vector && (r->tensors[0].datatype < RIDE_DATA_FP32 || r->tensors[0].datatype > RIDE_DATA_FP64))
        return ride_body_fail(fault, 422, "bad_datatype", "vector", "the tensor vector is FP64 or FP32");
    if (rows > rows_max)
        return ride_body_fail(fault, 413, "too_many_events", NULL, "a request may have %u rows", rows_max);
    if (rows == 0) return ride_body_fail(fault, 400, "no_event", NULL, "the tensors are empty");
    r->rows = (uint32_t)rows;
    return true;
}

static bool read_all(ride_json_parser *parser, ride_blocks *blocks, const char *body, size_t bytes, size_t json_bytes,
                     uint32_t rows_max, const ride_infer_model *model, ride_infer_request *r, ride_body_fault *fault) {
    enum { ID, INPUTS, OUTPUTS, PARAMETERS, MEMBERS };
    static const char *const names[MEMBERS] = {"id", "inputs", "outputs", "parameters"};
    static const char *const binary_name[] = {"binary_data_output"};
    ride_json_piece p[MEMBERS], flag = {0};
    ride_body_range inputs[RIDE_INFER_INPUTS_MAX];
    uint32_t count = 0;
    if (!cut(parser, body, 0, json_bytes, names, p, MEMBERS, fault)) return false;
    if (p[ID].type == RIDE_JSON_STRING && p[ID].bytes <= TEXT_BYTES * 4) {
        r->id_offset = p[ID].offset;
        r->id_bytes = p[ID].bytes;
    } else if (p[ID].type != 0) {
        return ride_body_fail(fault, 400, "bad_request", "id", "an id is a string of at most %d bytes", TEXT_BYTES * 4);
    }
    if (p[PARAMETERS].type != 0 &&
        !cut(parser, body, p[PARAMETERS].offset, p[PARAMETERS].bytes, binary_name, &flag, 1, fault))
        return false;
    if (p[INPUTS].type == 0) return ride_body_fail(fault, 400, "bad_request", "inputs", "inputs are missing");
    if (!elements(parser, body, &p[INPUTS], "inputs", inputs, RIDE_INFER_INPUTS_MAX, &count, fault)) return false;
    if (count == 0) return ride_body_fail(fault, 400, "bad_request", "inputs", "there is no tensor");
    size_t binary_at = json_bytes;
    for (uint32_t i = 0; i < count; i++) {
        r->tensors_count = i + 1; /* its block is given back from now on */
        if (!read_input(parser, blocks, body, bytes, inputs[i], &r->tensors[i], &binary_at, fault)) return false;
    }
    if (binary_at != bytes)
        return ride_body_fail(fault, 400, "bad_request", "binary_data_size",
                              "there are more bytes than the tensors have");
    return check_shapes(body, r, rows_max, fault) &&
           read_outputs(parser, body, &p[OUTPUTS], flag.type != 0 && is_true(body, &flag), model, r, fault);
}

bool ride_infer_read(ride_json_parser *parser, ride_blocks *blocks, const char *body, size_t bytes, size_t json_bytes,
                     uint32_t rows_max, const ride_infer_model *model, ride_infer_request *r, ride_body_fault *fault) {
    RIDE_ASSERT(json_bytes <= bytes && bytes <= UINT32_MAX);
    memset(r, 0, sizeof *r);
    if (read_all(parser, blocks, body, bytes, json_bytes, rows_max, model, r, fault)) return true;
    ride_infer_free(blocks, r);
    return false;
}

void ride_infer_free(ride_blocks *blocks, ride_infer_request *r) {
    for (uint32_t i = 0; i < r->tensors_count; i++) ride_blocks_give(blocks, r->tensors[i].elements);
    r->tensors_count = 0;
}
