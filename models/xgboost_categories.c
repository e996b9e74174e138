/* models/xgboost_categories.c: `cats`, from XGBoost 3.1 on: the names of the categories that the trainer saw, by code. Strings
 * are one run of bytes with offsets; numbers are listed. Trees test codes; the names let another numbering of the same
 * categories be translated. */
#include "base/number.h"
#include "models/xgboost.h"

#include <stdio.h>
#include <string.h>

/* Strings: name i is values[offsets[i] … offsets[i + 1]), as bytes (signed in the file). */
static ride_status read_strings(ride_model_reader *reader, const ride_value *entry, ride_model_input *input,
                                const char **names, const char *place) {
    const ride_value *offsets = ride_value_get(entry, "offsets"), *values = ride_value_get(entry, "values");
    uint32_t bytes_count = ride_value_length(values);
    ride_arena *arena = reader->model->arena;
    int64_t first = 0, end, byte;
    for (uint32_t i = 0; i < input->categories_count; i++) {
        if (!ride_value_i64_at(offsets, i, &first) || !ride_value_i64_at(offsets, i + 1, &end) || first < 0 ||
            end < first || end > bytes_count)
            return ride_model_finding(reader, NULL, "%s.offsets[%u]: beyond `values`", place, i);
        char *name = ride_arena_alloc(arena, (size_t)(end - first) + 1, 1);
        if (name == NULL) return ride_model_finding(reader, NULL, "%s: no memory", place);
        for (int64_t k = first; k < end; k++) {
            if (!ride_value_i64_at(values, (uint32_t)k, &byte) || byte < -128 || byte > 255 || byte == 0)
                return ride_model_finding(reader, NULL, "%s.values[%lld]: no byte of text", place, (long long)k);
            name[k - first] = (char)(uint8_t)byte;
        }
        names[i] = name;
    }
    return RIDE_OK;
}

static ride_status read_numbers(ride_model_reader *reader, const ride_value *entry, ride_model_input *input,
                                const char **names, const char *place) {
    const ride_value *values = ride_value_get(entry, "values");
    for (uint32_t i = 0; i < input->categories_count; i++) {
        char text[RIDE_NUMBER_BYTES];
        int64_t whole;
        float real;
        size_t bytes;
        if (ride_value_i64_at(values, i, &whole)) bytes = ride_i64_to_text(whole, text);
        else if (ride_value_float_at(values, i, &real) && real - real == 0.0f) bytes = ride_float_to_text(real, text);
        else return ride_model_finding(reader, NULL, "%s.values[%u]: a number was expected", place, i);
        names[i] = ride_arena_text(reader->model->arena, text, bytes);
        if (names[i] == NULL) return ride_model_finding(reader, NULL, "%s: no memory", place);
    }
    return RIDE_OK;
}

ride_status ride_xgboost_read_categories(ride_model_reader *reader, const ride_value *categories,
                                         const char *model_place) {
    ride_model *model = reader->model;
    const ride_value *entries = ride_value_get(categories, "enc");
    uint32_t count = ride_value_length(entries);
    if (count == 0) return RIDE_OK; /* no input was given as a data frame's category */
    if (count != model->inputs_count)
        return ride_model_finding(reader, NULL, "%s.cats.enc: %u entries for %u inputs", model_place, count,
                                  model->inputs_count);
    for (uint32_t i = 0; i < count; i++) {
        const ride_value *entry = ride_value_at(entries, i);
        ride_model_input *input = &model->inputs[i];
        bool strings = ride_value_get(entry, "offsets") != NULL;
        uint32_t length = ride_value_length(ride_value_get(entry, strings ? "offsets" : "values"));
        if (length <= (strings ? 1u : 0u)) continue; /* not a category */
        char place[96];
        snprintf(place, sizeof place, "%s.cats.enc[%u]", model_place, i);
        input->categories_count = strings ? length - 1 : length;
        const char **names = ride_arena_new(model->arena, const char *, input->categories_count);
        if (names == NULL) return ride_model_finding(reader, NULL, "%s: no memory", place);
        RIDE_TRY(strings ? read_strings(reader, entry, input, names, place)
                         : read_numbers(reader, entry, input, names, place));
        input->categories = names;
    }
    return RIDE_OK;
}
