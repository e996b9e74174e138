/* Several contexts of several threads each, all on one predictor, with calls of every size, contexts that come and go and models that are loaded
 * meanwhile: no race, and always the same bits. */
#include "ride/ride.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALLERS = 3, INPUTS = 4, ROWS = 9000, ROUNDS = 40, EXPLAINED = 700, EACH = INPUTS + 1 };

static const ride_predictor *model;
static char path[512];
static float rows[ROWS * INPUTS], want[ROWS], reasons[EXPLAINED * EACH];

#define NEED(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static ride_context *context_of(uint32_t threads) {
    const ride_context_options options = {.struct_bytes = sizeof options, .threads = threads};
    ride_context *context = NULL;
    NEED(ride_context_create(&options, &context) == RIDE_RESULT_OK);
    return context;
}

static void explain(ride_context *context, const ride_predictor *by, float *out) {
    const ride_matrix matrix = {rows, RIDE_NUMBER_F32, INPUTS, EXPLAINED, INPUTS, 1};
    const ride_explanation to = {out, RIDE_NUMBER_F32};
    NEED(ride_explain(context, by, &matrix, &to) == RIDE_RESULT_OK);
}

static void *caller(void *argument) {
    const uint32_t number = *(const uint32_t *)argument;
    float *got = malloc(sizeof want), *why = malloc(sizeof reasons);
    NEED(got != NULL && why != NULL);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        ride_context *context = context_of(1 + (number + round) % 4);
        ride_predictor *own = NULL;
        if (round % 8 == number) NEED(ride_load(context, path, NULL, &own) == RIDE_RESULT_OK);
        for (uint32_t first = 0, count; first < ROWS; first += count) {
            count = (round * 977 + first * 31 + number) % 5000 + 1;
            if (count > ROWS - first) count = ROWS - first;
            const ride_matrix matrix = {rows + first * INPUTS, RIDE_NUMBER_F32, INPUTS, count, INPUTS, 1};
            const ride_scores out = {.margins = got + first, .number = RIDE_NUMBER_F32};
            NEED(ride_predict(context, own != NULL ? own : model, &matrix, &out) == RIDE_RESULT_OK);
        }
        NEED(memcmp(got, want, sizeof want) == 0);
        explain(context, own != NULL ? own : model, why); /* the first one makes the tables, whoever it is */
        NEED(memcmp(why, reasons, sizeof reasons) == 0);
        ride_unload(own);
        ride_context_destroy(context);
    }
    free(got);
    free(why);
    return NULL;
}

int main(void) {
    const char *top = getenv("RIDE_SOURCE_DIR");
    ride_context *context = context_of(1);
    ride_predictor *loaded = NULL;
    pthread_t threads[CALLERS];
    uint32_t numbers[CALLERS], state = 1;
    snprintf(path, sizeof path, "%s/tests/golden/models/xgboost-3.2.0-plain.json", top != NULL ? top : ".");
    NEED(ride_load(context, path, NULL, &loaded) == RIDE_RESULT_OK);
    model = loaded;
    for (uint32_t i = 0; i < ROWS * INPUTS; i++)
        rows[i] = (float)((state = state * 1664525 + 1013904223) >> 24) / 40 - 3;
    const ride_matrix matrix = {rows, RIDE_NUMBER_F32, INPUTS, ROWS, INPUTS, 1};
    const ride_scores out = {.margins = want, .number = RIDE_NUMBER_F32};
    NEED(ride_predict(context, model, &matrix, &out) == RIDE_RESULT_OK);
    ride_predictor *other = NULL; /* the shared one has not explained anything yet */
    NEED(ride_load(context, path, NULL, &other) == RIDE_RESULT_OK);
    explain(context, other, reasons);
    ride_unload(other);
    for (uint32_t i = 0; i < CALLERS; i++) {
        numbers[i] = i;
        NEED(pthread_create(&threads[i], NULL, caller, &numbers[i]) == 0);
    }
    for (uint32_t i = 0; i < CALLERS; i++) pthread_join(threads[i], NULL);
    ride_unload(loaded);
    ride_context_destroy(context);
    printf("%d callers, %d rounds of %d rows\n", CALLERS, ROUNDS, ROWS);
    return 0;
}
