/* kernels/cpu/shap_plain.c: the obvious loops over patterns and lines: what the vector kernels must equal. */
#include "kernels/cpu/shap_internal.h"

void shap_indices_plain(const ride_shap *s, const shap_segment *segment, const uint64_t *planes, uint32_t words,
                        uint32_t stride, uint8_t *indices) {
    for (uint32_t g = 0; g < segment->groups_count; g++) {
        const shap_group *group = &s->groups[segment->groups_first + g];
        for (uint32_t w = 0; w < words; w++) {
            uint8_t *to = indices + ((size_t)g * stride + w) * SHAP_WORD;
            for (uint32_t r = 0; r < SHAP_WORD; r++) to[r] = 0;
            for (uint32_t b = 0; b < SHAP_INDEX_BITS && b < group->bits; b++) {
                const uint64_t bits = planes[(size_t)group->planes[b] * stride + w];
                for (uint32_t r = 0; r < SHAP_WORD; r++) to[r] |= (uint8_t)((bits >> r & 1) << b);
            }
        }
    }
}

void shap_sums_plain(const ride_shap *s, const shap_segment *segment, const uint64_t *planes, const uint8_t *indices,
                     uint32_t words, uint32_t stride, uint64_t *sums) {
    const size_t rows = (size_t)stride * SHAP_WORD;
    for (uint32_t g = 0; g < segment->groups_count; g++) {
        const shap_group *group = &s->groups[segment->groups_first + g];
        const uint8_t *lines = s->lines + (size_t)group->line_first * SHAP_LINE_UNIT;
        const size_t line_bytes = (size_t)group->line_units * SHAP_LINE_UNIT;
        for (uint32_t r = 0; r < words * SHAP_WORD; r++) {
            uint32_t pattern = indices[g * rows + r];
            for (uint32_t b = SHAP_INDEX_BITS; b < SHAP_BITS && b < group->bits; b++) {
                const uint64_t bits = planes[(size_t)group->planes[b] * stride + r / SHAP_WORD];
                pattern |= (uint32_t)(bits >> (r % SHAP_WORD) & 1) << b;
            }
            const uint8_t *line = lines + pattern * line_bytes;
            for (uint32_t j = 0; j < group->inputs_count; j++)
                sums[s->slots_of[segment->groups_first + g][j] * rows + r] += (uint64_t)shap_entry(line, j)
                                                                              << segment->shift;
        }
    }
}
