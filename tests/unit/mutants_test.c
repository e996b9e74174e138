/* Damaged model files of every format: bits and bytes changed, parts taken out, doubled or cut off, two files joined, numbers exchanged or made hostile. Whatever
 * comes in, a load ends soon with a model or with findings, and holds no more memory than the file's size allows; what is a model compiles and scores.
 *
 * RIDE_MUTANTS of each format (1,000; tests/long/mutants.sh asks for more), RIDE_MUTANTS_SEED for others than last time. With RIDE_MUTANTS_KEEP=FOLDER the one
 * that is being tried lies there as a file, for when the program does not come back. */
#include "models/convert.h"
#include "models/score.h"
#include "tests/support/alloc_peak.h"
#include "tests/support/slurp.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ride-test: timeout=600 */
enum { FILES_MAX = 160, FILE_BYTES_MAX = 64 << 10, ROOM = 4 * FILE_BYTES_MAX };

/* Memory that a load may hold beside the file: what models/load.c bounds it by, and some for the compiled form. */
enum { CAP_FACTOR = 256, CAP_BYTES = 8 << 20 };

typedef struct sample {
    char path[512];
    char *data;
    size_t bytes;
} sample;
typedef struct format {
    sample files[FILES_MAX];
    uint32_t files_count;
    uint32_t models;
    uint64_t most_bytes;
    double slowest;
} format;

static uint64_t chance;
static uint32_t below(uint32_t count) {
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (uint32_t)(chance >> 32) % count;
}

/* ---- changes: each takes `bytes` of data with room for ROOM, and returns how many there are then ---- */

static bool is_number_byte(char c) { return (c >= '0' && c <= '9') || c == '-' || c == '.' || c == 'e' || c == '+'; }

/* A number of the text from somewhere on. */
static bool find_number(const char *data, size_t bytes, size_t *first, size_t *length) {
    size_t at = below((uint32_t)bytes), tried = 0;
    while (tried < 512 && at < bytes && !(data[at] >= '0' && data[at] <= '9')) at++, tried++;
    if (at >= bytes || tried == 512) return false;
    *first = at;
    while (*first > 0 && is_number_byte(data[*first - 1])) --*first;
    while (at < bytes && is_number_byte(data[at])) at++;
    *length = at - *first;
    return *length < 64;
}

static size_t replace(char *data, size_t bytes, size_t first, size_t length, const char *with, size_t with_bytes) {
    if (bytes - length + with_bytes > ROOM) return bytes;
    memmove(data + first + with_bytes, data + first + length, bytes - first - length);
    memcpy(data + first, with, with_bytes);
    return bytes - length + with_bytes;
}

static size_t make_hostile(char *data, size_t bytes) {
    static const char *const texts[] = {"-1",          "0",          "1000000000", "2147483648",
                                        "4294967295",  "4294967296", "1e999",      "NaN",
                                        "-Infinity",   "1e-320",     "16777216",   "99999999999999999999",
                                        "-2147483649", "null",       "\"7\"",      "[]",
                                        "1.5"};
    static const uint64_t words[] = {0,
                                     1,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     1000000000,
                                     0x7ff8000000000000,
                                     0xffffffffffffffff,
                                     0x00ffffff00000000};
    size_t first, length;
    if (below(2) == 0 && find_number(data, bytes, &first, &length)) {
        const char *text = texts[below(sizeof texts / sizeof *texts)];
        return replace(data, bytes, first, length, text, strlen(text));
    }
    const size_t size = below(2) == 0 ? 4 : 8, at = below((uint32_t)(bytes - size));
    const uint64_t word = words[below(sizeof words / sizeof *words)];
    const bool turned = below(4) == 0; /* UBJSON is big-endian */
    for (size_t i = 0; i < size; i++) data[at + i] = (char)(word >> 8 * (turned ? size - 1 - i : i));
    return bytes;
}

static size_t exchange(char *data, size_t bytes) {
    size_t a, a_length, b, b_length;
    char text[64];
    if (find_number(data, bytes, &a, &a_length) && find_number(data, bytes, &b, &b_length) &&
        (a + a_length < b || b + b_length < a)) {
        memcpy(text, data + b, b_length);
        char other[64];
        memcpy(other, data + a, a_length);
        const bool a_is_first = a < b;
        bytes = replace(data, bytes, a_is_first ? b : a, a_is_first ? b_length : a_length, a_is_first ? other : text,
                        a_is_first ? a_length : b_length);
        return replace(data, bytes, a_is_first ? a : b, a_is_first ? a_length : b_length, a_is_first ? text : other,
                       a_is_first ? b_length : a_length);
    }
    a = below((uint32_t)bytes - 8), b = below((uint32_t)bytes - 8);
    memcpy(text, data + a, 4);
    memmove(data + a, data + b, 4);
    memcpy(data + b, text, 4);
    return bytes;
}

static size_t splice(char *data, size_t bytes, const sample *other) {
    const size_t keep = below((uint32_t)bytes), from = below((uint32_t)other->bytes), more = other->bytes - from;
    if (keep + more > ROOM) return bytes;
    memcpy(data + keep, other->data + from, more);
    return keep + more;
}

static size_t mutate(char *to, const sample *from, const sample *other) {
    size_t bytes = from->bytes;
    memcpy(to, from->data, bytes);
    for (uint32_t changes = 1 + below(4); changes > 0 && bytes > 16; changes--) {
        const uint32_t at = below((uint32_t)bytes), length = 1 + below(at + 8 < bytes ? 8 : 1);
        static const unsigned char odd[] = {0, 1, 0x7f, 0x80, 0xff, '0', '9', '-', '"', ',', '[', '}', '\n'};
        switch (below(12)) {
        case 0: to[at] = (char)odd[below(sizeof odd)]; break;
        case 1:
        case 2: to[at] = (char)(to[at] ^ (1 << below(8))); break;
        case 3: bytes = below(4) == 0 ? at + 1 : bytes; break;
        case 4: memset(to + at, odd[below(5)], length); break;
        case 5: bytes = replace(to, bytes, at, length, "", 0); break;
        case 6: bytes = below(4) == 0 ? splice(to, bytes, other) : bytes; break;
        case 7: {
            char part[8];
            memcpy(part, to + at, length);
            bytes = replace(to, bytes, at, 0, part, length);
            break;
        }
        case 8: memmove(to + at, to + below((uint32_t)(bytes - length)), length); break;
        case 9: bytes = exchange(to, bytes); break;
        default: bytes = make_hostile(to, bytes); break;
        }
    }
    return bytes;
}

/* ---- trying ---- */

static void keep(const char *name, const char *data, size_t bytes) {
    char path[512];
    const char *folder = getenv("RIDE_MUTANTS_KEEP");
    if (folder == NULL) return;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL) return;
    fwrite(data, 1, bytes, file);
    fclose(file);
}

static void try_bytes(format *f, const char *name, const sample *from, const char *data, size_t bytes) {
    static ride_diagnostics findings;
    ride_ensemble *model = NULL;
    char *copy = malloc(bytes > 0 ? bytes : 1); /* exact, so that a sanitizer sees a read past the end */
    cr_assert_not_null(copy);
    memcpy(copy, data, bytes);
    keep(name, data, bytes);
    const clock_t begin = clock();
    ride_diagnostics_init(&findings);
    alloc_peak_begin();
    const ride_status st = ride_ensemble_parse(from->path, copy, bytes, NULL, &model, &findings);
    cr_assert_eq(st == RIDE_OK, model != NULL, "%s", from->path);
    cr_assert_eq(st == RIDE_OK, findings.count == 0, "%s", from->path);
    if (model != NULL) {
        ride_model_scorer *scorer = NULL;
        double *row = calloc(model->inputs_count + 1, sizeof *row), out[RIDE_FOREST_OUTPUTS_MAX];
        if (row != NULL && ride_ensemble_scorer_create(model, &scorer, &findings) == RIDE_OK)
            ride_model_score_row(scorer, row, false, out);
        ride_model_scorer_destroy(scorer);
        free(row);
        f->models++;
    }
    const uint64_t peak = alloc_peak_end();
    const double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    cr_assert(seconds < 1.0, "a mutant of %s: %zu bytes take %.1f s", from->path, bytes, seconds);
    cr_assert(peak <= CAP_FACTOR * (uint64_t)bytes + CAP_BYTES, "a mutant of %s: %zu bytes hold %llu of memory",
              from->path, bytes, (unsigned long long)peak);
    if (seconds > f->slowest) f->slowest = seconds;
    if (peak > f->most_bytes) f->most_bytes = peak;
    ride_ensemble_destroy(model);
    ride_diagnostics_free(&findings);
    free(copy);
}

static bool ends_in(const char *name, const char *end) {
    const size_t a = strlen(name), b = strlen(end);
    return a >= b && strcmp(name + a - b, end) == 0;
}

/* Files of a folder by the beginning and the end of their names. */
static void gather(format *f, const char *folder, const char *begin, const char *end) {
    char path[400];
    const char *top = getenv("RIDE_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/%s", top != NULL ? top : ".", folder);
    DIR *entries = opendir(path);
    cr_assert_not_null(entries, "%s", path);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        if (entry->d_name[0] == '.' || strncmp(entry->d_name, begin, strlen(begin)) != 0 ||
            !ends_in(entry->d_name, end))
            continue;
        cr_assert_lt(f->files_count, FILES_MAX);
        sample *s = &f->files[f->files_count];
        snprintf(s->path, sizeof s->path, "%s/%s", path, entry->d_name);
        s->data = slurp(s->path, &s->bytes);
        if (s->bytes > 16 && s->bytes <= FILE_BYTES_MAX) f->files_count++;
        else free(s->data);
    }
    closedir(entries);
}

static void try_all(format *f, const char *name) {
    const char *asked = getenv("RIDE_MUTANTS"), *seed = getenv("RIDE_MUTANTS_SEED");
    const long count = asked != NULL ? strtol(asked, NULL, 10) : 1000;
    char *changed = malloc(ROOM);
    cr_assert(changed != NULL && f->files_count > 1, "%s", name);
    chance = (seed != NULL ? strtoull(seed, NULL, 10) : 0) * 2654435761u + 88172645463325252u;
    for (long i = 0; i < count; i++) {
        const sample *from = &f->files[i % f->files_count];
        try_bytes(f, name, from, changed, mutate(changed, from, &f->files[below(f->files_count)]));
    }
    cr_assert_gt(f->models, 0, "%s: no mutant was a model: they are too wild to reach what follows the parser", name);
    fprintf(stderr, "mutants of %-13s %ld of %u files, %u still models, slowest %.3f s, most memory %.1f MiB\n", name,
            count, f->files_count, f->models, f->slowest, (double)f->most_bytes / (1 << 20));
    for (uint32_t i = 0; i < f->files_count; i++) free(f->files[i].data);
    free(changed);
}

static format f;
Test(mutants, xgboost_json) {
    gather(&f, "golden/models", "xgboost", ".json");
    gather(&f, "golden/xgboost", "", ".json");
    gather(&f, "fuzz/corpus/model", "xgboost", ".json");
    try_all(&f, "xgboost-json");
}
Test(mutants, xgboost_ubjson) {
    gather(&f, "golden/models", "xgboost", ".ubj");
    gather(&f, "fuzz/corpus/model", "", ".ubj");
    try_all(&f, "xgboost-ubj");
}
Test(mutants, lightgbm) {
    gather(&f, "golden/models", "lightgbm", ".txt");
    gather(&f, "fuzz/corpus/model", "lightgbm", "");
    try_all(&f, "lightgbm");
}
Test(mutants, catboost_json) {
    gather(&f, "golden/catboost", "", ".json");
    gather(&f, "fuzz/corpus/model", "catboost", ".json");
    try_all(&f, "catboost-json");
}
Test(mutants, catboost_cbm) {
    gather(&f, "golden/catboost", "", ".cbm");
    gather(&f, "fuzz/corpus/model", "catboost", ".cbm");
    try_all(&f, "catboost-cbm");
}
Test(mutants, onnx) {
    gather(&f, "golden/onnx", "", ".onnx");
    gather(&f, "fuzz/corpus/model", "onnx", "");
    try_all(&f, "onnx");
}
Test(mutants, treelite) {
    gather(&f, "golden/treelite", "", ".checkpoint");
    gather(&f, "fuzz/corpus/model", "treelite", "");
    try_all(&f, "treelite");
}
Test(mutants, sklearn) {
    gather(&f, "golden/sklearn", "", ".json");
    gather(&f, "fuzz/corpus/model", "sklearn", "");
    try_all(&f, "sklearn");
}
Test(mutants, manifest) {
    gather(&f, "golden/ensembles", "", ".yaml");
    try_all(&f, "manifest");
}

/* What `ride model convert` makes of some of the others. */
Test(mutants, converted) {
    gather(&f, "golden/models", "lightgbm-4", ".txt");
    gather(&f, "golden/models", "xgboost-3.2.0", ".json");
    gather(&f, "golden/onnx", "", "3.onnx");
    for (uint32_t i = 0; i < f.files_count; i++) {
        sample *s = &f.files[i];
        static ride_diagnostics findings;
        ride_ensemble *model = NULL;
        ride_error err;
        char *text = NULL;
        ride_diagnostics_init(&findings);
        cr_assert_eq(ride_ensemble_parse(s->path, s->data, s->bytes, NULL, &model, &findings), RIDE_OK, "%s", s->path);
        cr_assert_eq(ride_model_convert(model, &text, &err), RIDE_OK);
        ride_ensemble_destroy(model);
        free(s->data);
        s->data = text;
        s->bytes = strlen(text);
        cr_assert_leq(s->bytes, FILE_BYTES_MAX, "%s", s->path);
    }
    try_all(&f, "converted");
}
