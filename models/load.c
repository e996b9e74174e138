/* models/load.c: from a path to a model: read the file, see which format it is, hand it to that parser. The formats say by their
 * first bytes what they are; names of files are not asked. */
#include "lib/hash.h"
#include "models/catboost.h"
#include "models/ensemble_internal.h"
#include "models/lightgbm.h"
#include "models/onnx.h"
#include "models/sklearn.h"
#include "models/treelite.h"
#include "models/xgboost.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NODES_FACTOR = 128, /* bytes of nodes for each of the file, at most */
    READ_BYTES = 16 << 20,
};
static const uint64_t BYTES_MAX = UINT64_C(1) << 30; /* of a file, where nobody says */

ride_status ride_model_finding(ride_model_reader *reader, const char *advice, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return ride_diagnose(reader->findings, RIDE_E_MODEL, reader->path, 0, 0, advice, "%s", text);
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

ride_status ride_model_check_names(ride_model_reader *reader, const char *place) {
    ride_model *model = reader->model;
    const char **names = malloc(model->inputs_count * sizeof *names);
    if (names == NULL) return ride_model_finding(reader, NULL, "no memory for %u names", model->inputs_count);
    for (uint32_t i = 0; i < model->inputs_count; i++) names[i] = model->inputs[i].name;
    qsort(names, model->inputs_count, sizeof *names, compare_names);
    ride_status st = RIDE_OK;
    for (uint32_t i = 1; i < model->inputs_count; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            st = ride_model_finding(reader, NULL, "%s: `%.60s` twice", place, names[i]);
    free(names);
    return st;
}

ride_model_node *ride_model_nodes(ride_model_reader *reader, uint64_t count) {
    const size_t bytes = ride_arena_array_bytes(count + 1, sizeof(ride_model_node));
    if (bytes > NODES_FACTOR * reader->model->file_bytes + (1 << 20)) return NULL;
    ride_model_node *nodes = calloc(1, bytes);
    if (nodes == NULL || ride_arena_adopt(reader->model->arena, nodes, bytes)) return nodes;
    free(nodes);
    return NULL;
}

void ride_model_drop_nodes(ride_model *model, ride_arena *arena) {
    if (model->nodes == NULL || !ride_arena_release(arena, model->nodes)) return;
    model->nodes = NULL;
    model->trees_count = model->nodes_count = 0;
}

void ride_model_destroy(ride_model *model) {
    if (model == NULL) return;
    ride_arena *arena = model->arena; /* the model itself lies in it */
    ride_arena_destroy(arena);
}

/* JSON's braces open with a blank, a quote or their end; UBJSON's with a type letter, of which those that XGBoost uses are no
 * JSON there. */
static bool looks_ubjson(const uint8_t *data, size_t bytes) {
    return bytes >= 2 && data[0] == '{' &&
           (data[1] == 'L' || data[1] == 'i' || data[1] == 'U' || data[1] == 'I' || data[1] == 'l' || data[1] == '#' ||
            data[1] == '$');
}

static bool looks_json(const uint8_t *data, size_t bytes) {
    size_t i = 0;
    while (i < bytes && (data[i] == ' ' || data[i] == '\n' || data[i] == '\r' || data[i] == '\t')) i++;
    return i < bytes && data[i] == '{';
}

static void find_line(const char *data, size_t offset, uint32_t *line, uint32_t *column) {
    *line = *column = 1;
    for (size_t i = 0; i < offset; i++) {
        if (data[i] == '\n') {
            ++*line;
            *column = 1;
        } else if (*column < UINT32_MAX) ++*column;
    }
}

/* ensemble: NULL where one model is asked for. A document of several sets it; then reader->model is none. */
static ride_status parse_document(ride_model_reader *reader, const void *data, size_t bytes, ride_arena *values,
                                  ride_ensemble **ensemble) {
    ride_value document;
    ride_error err;
    size_t offset = 0;
    bool binary = looks_ubjson(data, bytes);
    const ride_load_watch *watch = reader->options->watch;
    ride_status st = binary ? ride_document_ubjson(data, bytes, values, watch, &document, &offset, &err)
                            : ride_document_json(data, bytes, values, watch, &document, &offset, &err);
    if (st != RIDE_OK) {
        uint32_t line = 0, column = 0;
        if (binary)
            return ride_diagnose(reader->findings, RIDE_E_MODEL, reader->path, 0, 0, NULL, "UBJSON, byte %zu: %s",
                                 offset, err.what);
        find_line(data, offset, &line, &column);
        return ride_diagnose(reader->findings, RIDE_E_MODEL, reader->path, line, column,
                             offset == bytes ? "the file seems cut short" : NULL, "%s", err.what);
    }
    snprintf(reader->model->encoding, sizeof reader->model->encoding, "%s", binary ? "ubjson" : "json");
    if (ride_catboost_recognises(&document)) return ride_catboost_read(reader, &document);
    if (ride_sklearn_is_ensemble(&document))
        return ensemble != NULL ? ride_sklearn_read_ensemble(reader, &document, ensemble)
                                : ride_model_finding(reader, NULL, "an ensemble of several models, one was expected");
    if (ride_sklearn_recognises(&document)) return ride_sklearn_read(reader, &document);
    if (!ride_xgboost_recognises(&document))
        return ride_model_finding(reader, "save it with Booster.save_model(\"model.json\")",
                                  "not a model that RIDE knows: there is no `learner` in it");
    return ride_xgboost_read(reader, &document);
}

/* Formats that are no JSON document. */
typedef struct format {
    bool (*recognises)(const void *data, size_t bytes);
    ride_status (*read)(ride_model_reader *reader, const void *data, size_t bytes, ride_arena *values);
} format;
static const format formats[] = {{ride_lightgbm_recognises, ride_lightgbm_read},
                                 {ride_catboost_is_cbm, ride_catboost_read_cbm},
                                 {ride_onnx_recognises, ride_onnx_read},
                                 {ride_treelite_recognises, ride_treelite_read}};

/* Of *out and *ensemble one is set, when all is well; ensemble may be NULL. */
static ride_status parse(const char *path, const void *data, size_t bytes, const ride_model_options *options,
                         ride_model **out, ride_ensemble **ensemble, ride_diagnostics *findings) {
    static const ride_model_options none = {0};
    ride_model_options limits = options != NULL ? *options : none;
    if (limits.bytes_max == 0) limits.bytes_max = BYTES_MAX;
    if (limits.trees_max == 0) limits.trees_max = 100000;
    if (limits.nodes_max == 0) limits.nodes_max = 50000000;
    *out = NULL;
    ride_model_reader reader = {.path = path, .options = &limits, .findings = findings, .ensemble = ensemble};
    if (bytes > limits.bytes_max)
        return ride_model_finding(&reader, RIDE_RAISE, "%zu bytes, at most %llu", bytes,
                                  (unsigned long long)limits.bytes_max);
    if (bytes == 0) return ride_model_finding(&reader, NULL, "the file is empty");
    const format *known = NULL;
    for (size_t i = 0; i < sizeof formats / sizeof *formats && known == NULL; i++)
        if (formats[i].recognises(data, bytes)) known = &formats[i];
    if (known == NULL && !looks_json(data, bytes)) {
        bool zipped = bytes >= 4 && (memcmp(data, "\x1f\x8b", 2) == 0 || memcmp(data, "\x28\xb5\x2f\xfd", 4) == 0);
        if (zipped) return ride_model_finding(&reader, "unpack it first", "a compressed file");
        return ride_model_finding(
            &reader, "if it is XGBoost's old binary format, load it with XGBoost 1.x to 3.0 and save it as model.json",
            "neither JSON nor UBJSON nor LightGBM's text nor CatBoost's cbm nor ONNX nor treelite's checkpoint");
    }
    ride_arena *values = NULL, *arena = NULL;
    ride_error err;
    /* What a file can claim is bounded by its size: 16 bytes of value per byte, then 32 bytes of model per value. */
    ride_status st = ride_arena_create(65536, 64 * bytes + (1 << 20), &values, &err);
    if (st == RIDE_OK) st = ride_arena_create(65536, 128 * bytes + (1 << 20), &arena, &err);
    if (st == RIDE_OK && (reader.model = ride_arena_new(arena, ride_model, 1)) == NULL)
        st = ride_fail(&err, RIDE_E_MEMORY, "memory for a model");
    if (st != RIDE_OK) {
        ride_diagnose(findings, st, path, 0, 0, NULL, "%s", err.what);
    } else {
        reader.model->arena = arena;
        reader.model->best_iteration = -1;
        reader.model->file_bytes = bytes;
        ride_sha256(data, bytes, reader.model->hash);
        st = known != NULL ? known->read(&reader, data, bytes, values)
                           : parse_document(&reader, data, bytes, values, ensemble);
        if (st == RIDE_OK) st = ride_diagnostics_status(findings);
    }
    ride_arena_destroy(values);
    ride_load_tell(limits.watch, NULL, 0, 0);
    if (st != RIDE_OK || (ensemble != NULL && *ensemble != NULL)) ride_arena_destroy(arena);
    else *out = reader.model;
    return st;
}

ride_status ride_model_parse(const char *path, const void *data, size_t bytes, const ride_model_options *options,
                             ride_model **out, ride_diagnostics *findings) {
    return parse(path, data, bytes, options, out, NULL, findings);
}

ride_status ride_ensemble_parse(const char *path, const void *data, size_t bytes, const ride_model_options *options,
                                ride_ensemble **out, ride_diagnostics *findings) {
    ride_model *model = NULL;
    *out = NULL;
    if (ride_manifest_recognises(data, bytes)) return ride_manifest_read(path, data, bytes, options, out, findings);
    RIDE_TRY(parse(path, data, bytes, options, &model, out, findings));
    return model != NULL ? ride_ensemble_of_model(model, path, out, findings) : RIDE_OK;
}

ride_status ride_model_read_file(const char *path, const ride_model_options *options, uint8_t **out, size_t *out_bytes,
                                 ride_diagnostics *findings) {
    const int fd =
        open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer is no wait, but a finding */
    if (fd < 0)
        return ride_diagnose(findings, RIDE_E_NO_INPUT, path, 0, 0, NULL, "cannot open the model: %s", strerror(errno));
    const uint64_t bytes_max = options != NULL && options->bytes_max != 0 ? options->bytes_max : BYTES_MAX;
    const ride_load_watch *watch = options != NULL ? options->watch : NULL;
    struct stat info;
    uint8_t *data = NULL;
    ride_status st = RIDE_OK;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        st = ride_diagnose(findings, RIDE_E_NO_INPUT, path, 0, 0, NULL, "the model is not a regular file");
    else if ((uint64_t)info.st_size > bytes_max)
        st = ride_diagnose(findings, RIDE_E_MODEL, path, 0, 0, RIDE_RAISE, "%lld bytes, at most %llu",
                           (long long)info.st_size, (unsigned long long)bytes_max);
    else if ((data = malloc((size_t)info.st_size + 1)) == NULL)
        st = ride_diagnose(findings, RIDE_E_MEMORY, path, 0, 0, NULL, "no memory for a model of %lld bytes",
                           (long long)info.st_size);
    size_t have = 0;
    while (st == RIDE_OK && have < (size_t)info.st_size) {
        const size_t left = (size_t)info.st_size - have;
        ride_load_tell(watch, "reading the file", have, (uint64_t)info.st_size);
        ssize_t got = read(fd, data + have, left < READ_BYTES ? left : READ_BYTES);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            st = ride_diagnose(findings, RIDE_E_IO, path, 0, 0, NULL, "cannot read the model: %s", strerror(errno));
        if (got == 0) break; /* it became shorter; the parser will say so */
        if (got > 0) have += (size_t)got;
    }
    close(fd);
    if (st != RIDE_OK) {
        free(data);
        return st;
    }
    *out = data;
    *out_bytes = have;
    return RIDE_OK;
}

ride_status ride_model_load(const char *path, const ride_model_options *options, ride_model **out,
                            ride_diagnostics *findings) {
    uint8_t *data = NULL;
    size_t bytes = 0;
    *out = NULL;
    RIDE_TRY(ride_model_read_file(path, options, &data, &bytes, findings));
    ride_status st = ride_model_parse(path, data, bytes, options, out, findings);
    free(data);
    return st;
}

ride_status ride_ensemble_load(const char *path, const ride_model_options *options, ride_ensemble **out,
                               ride_diagnostics *findings) {
    uint8_t *data = NULL;
    size_t bytes = 0;
    *out = NULL;
    RIDE_TRY(ride_model_read_file(path, options, &data, &bytes, findings));
    ride_status st = ride_ensemble_parse(path, data, bytes, options, out, findings);
    free(data);
    return st;
}
