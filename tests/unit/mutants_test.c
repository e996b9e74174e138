/* Damaged model files of every format: bytes changed, taken out, doubled, cut off. Whatever comes in, a load ends soon with a model or with findings; what
 * is a model compiles and scores. RIDE_MUTANTS of each file of the fuzz corpus (100, so a thousand a format; tests/long asks for more). */
#include "models/score.h"
#include "tests/support/slurp.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ride-test: timeout=300 */
static uint64_t chance = 88172645463325252u;
static uint32_t below(uint32_t count) {
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (uint32_t)(chance >> 32) % count;
}

/* Some changes of one copy; room for twice the bytes. */
static size_t mutate(char *to, const char *from, size_t bytes) {
    memcpy(to, from, bytes);
    for (uint32_t changes = 1 + below(4); changes > 0 && bytes > 8; changes--) {
        const uint32_t at = below((uint32_t)bytes), length = 1 + below(at + 8 < bytes ? 8 : 1);
        static const unsigned char odd[] = {0, 1, 0x7f, 0x80, 0xff, '0', '9', '-', '"', ',', '[', '}', '\n'};
        switch (below(6)) {
        case 0: to[at] = (char)odd[below(sizeof odd)]; break;
        case 1: to[at] = (char)(to[at] ^ (1 << below(8))); break;
        case 2: bytes = below(8) == 0 ? at + 1 : bytes; break;
        case 3: memset(to + at, odd[below(5)], length); break;
        case 4:
            memmove(to + at, to + at + length, bytes - at - length);
            bytes -= length;
            break;
        default: memmove(to + at, to + below((uint32_t)(bytes - length)), length); break;
        }
    }
    return bytes;
}

static void try_bytes(const char *name, const char *data, size_t bytes) {
    ride_diagnostics findings;
    ride_model *model = NULL;
    char *copy = malloc(bytes > 0 ? bytes : 1); /* exact, so that a sanitizer sees a read past the end */
    const clock_t begin = clock();
    cr_assert_not_null(copy);
    memcpy(copy, data, bytes);
    ride_diagnostics_init(&findings);
    const ride_status st = ride_model_parse(name, copy, bytes, NULL, &model, &findings);
    cr_assert_eq(st == RIDE_OK, model != NULL, "%s", name);
    cr_assert_eq(st == RIDE_OK, findings.count == 0, "%s", name);
    if (model != NULL) {
        ride_model_scorer *scorer = NULL;
        double *row = calloc(model->inputs_count + 1, sizeof *row), out[RIDE_FOREST_OUTPUTS_MAX];
        if (row != NULL && ride_model_scorer_create(model, &scorer, &findings) == RIDE_OK)
            ride_model_score_row(scorer, row, false, out);
        ride_model_scorer_destroy(scorer);
        free(row);
    }
    cr_assert((double)(clock() - begin) / CLOCKS_PER_SEC < 1.0, "%s: a load of %zu bytes takes too long", name, bytes);
    ride_model_destroy(model);
    ride_diagnostics_free(&findings);
    free(copy);
}

Test(mutants, of_every_format_end_with_a_model_or_findings) {
    char path[512];
    const char *top = getenv("RIDE_SOURCE_DIR"), *asked = getenv("RIDE_MUTANTS");
    const long count = asked != NULL ? strtol(asked, NULL, 10) : 100;
    snprintf(path, sizeof path, "%s/tests/fuzz/corpus/model", top != NULL ? top : ".");
    DIR *folder = opendir(path);
    cr_assert_not_null(folder, "%s", path);
    uint32_t files = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        size_t bytes;
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/tests/fuzz/corpus/model/%s", top != NULL ? top : ".", entry->d_name);
        char *text = slurp(path, &bytes), *changed = malloc(2 * bytes + 16);
        cr_assert_not_null(changed);
        for (long i = 0; i < count; i++) try_bytes(entry->d_name, changed, mutate(changed, text, bytes));
        files++;
        free(changed);
        free(text);
    }
    closedir(folder);
    cr_assert_geq(files, 10);
}
