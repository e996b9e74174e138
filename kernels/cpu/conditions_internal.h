/* kernels/cpu/conditions_internal.h: what conditions.c has sorted and the loops read. Private. */
#ifndef RIDE_KERNELS_CPU_CONDITIONS_INTERNAL_H
#define RIDE_KERNELS_CPU_CONDITIONS_INTERNAL_H
#include "kernels/cpu/conditions.h"

#include <stdbool.h>

/* The values of an input as tests see them: as they are, or with zeros made missing. */
typedef struct conditions_column {
    uint32_t input;
    bool zero_missing;
} conditions_column;

/* Conditions first … first + count - 1: value >= threshold, thresholds ascending; and whether a missing value counts as such. */
typedef struct conditions_run {
    uint32_t column, first, count;
    bool nan_right;
} conditions_run;

/* Any other test: a node by itself. */
typedef struct conditions_other {
    ride_forest_node node; /* its set, if it has one, is in words */
    uint32_t column;
} conditions_other;

struct ride_conditions {
    ride_cpu_isa isa;
    bool is_float; /* columns and thresholds are floats, else doubles */
    uint32_t columns_count, runs_count, numbers_count, others_count, words_count;
    conditions_column *columns;
    conditions_run *runs;
    void *thresholds; /* numbers_count */
    conditions_other *others;
    uint32_t *words;
};

/* A run over the values of its column, RIDE_CONDITIONS_ROWS of them, 64-byte aligned: words of each condition. out: plane of the first. */
void conditions_run_f32(const float *x, const float *thresholds, uint32_t count, bool nan_right, uint32_t words,
                        uint64_t *out, uint32_t stride);
void conditions_run_f64(const double *x, const double *thresholds, uint32_t count, bool nan_right, uint32_t words,
                        uint64_t *out, uint32_t stride);
void conditions_run_f32_avx2(const float *x, const float *thresholds, uint32_t count, bool nan_right, uint32_t words,
                             uint64_t *out, uint32_t stride);
void conditions_run_f64_avx2(const double *x, const double *thresholds, uint32_t count, bool nan_right, uint32_t words,
                             uint64_t *out, uint32_t stride);
void conditions_run_f32_avx512(const float *x, const float *thresholds, uint32_t count, bool nan_right, uint32_t words,
                               uint64_t *out, uint32_t stride);
void conditions_run_f64_avx512(const double *x, const double *thresholds, uint32_t count, bool nan_right,
                               uint32_t words, uint64_t *out, uint32_t stride);

#endif
