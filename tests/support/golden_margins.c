/* Margins that a trainer gave against those of libride, for tests/long/aarch64.sh: a program of ride.h alone.
 * golden_margins float|double MODEL ROWS.csv: the columns are the model's inputs, then margin0 … (and more, not read). Empty = missing. All rows at once, and
 * one by one, must have the file's margins: as doubles, or rounded to floats. Prints how many rows; exit 1 with the first difference. */
#include <ride/ride.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 4096, COLUMNS_MAX = 64, LINE_MAX_BYTES = 8192 };

static double cells[ROWS_MAX][COLUMNS_MAX], margins[ROWS_MAX * COLUMNS_MAX], answers[ROWS_MAX * COLUMNS_MAX];

static uint32_t line_read(char *line, double *out) {
    uint32_t count = 0;
    line[strcspn(line, "\r\n")] = 0;
    for (char *at = line; at != NULL && count < COLUMNS_MAX;) {
        char *comma = strchr(at, ','), *end;
        if (comma != NULL) *comma++ = 0;
        out[count] = strtod(at, &end);
        if (*at == 0) out[count] = (double)NAN;
        else if (*end != 0) return 0; /* a word */
        count++;
        at = comma;
    }
    return count;
}

static int is_same(double a, double b, int is_float) {
    const float x = (float)a, y = (float)b;
    return is_float ? memcmp(&x, &y, sizeof x) == 0 : memcmp(&a, &b, sizeof a) == 0;
}

static int compare(ride_context *context, ride_predictor *model, uint32_t rows, uint32_t batch, int is_float) {
    const uint32_t inputs = ride_inputs_count(model), outputs = ride_outputs_count(model);
    for (uint32_t first = 0; first < rows; first += batch) {
        const uint32_t count = rows - first < batch ? rows - first : batch;
        const ride_matrix x = {.values = cells[first],
                               .number = RIDE_NUMBER_F64,
                               .columns_count = inputs,
                               .rows_count = count,
                               .row_stride = COLUMNS_MAX,
                               .column_stride = 1};
        const ride_scores out = {.margins = margins, .answers = answers, .number = RIDE_NUMBER_F64};
        if (ride_predict(context, model, &x, &out) != RIDE_RESULT_OK)
            return printf("%s\n", ride_context_error(context)), 1;
        for (uint32_t r = 0; r < count; r++)
            for (uint32_t o = 0; o < outputs; o++)
                if (!is_same(margins[r * outputs + o], cells[first + r][inputs + o], is_float))
                    return printf("row %u, output %u: %.17g, not %.17g\n", first + r + 1, o, margins[r * outputs + o],
                                  cells[first + r][inputs + o]),
                           1;
    }
    return 0;
}

int main(int argc, char **argv) {
    ride_context *context = NULL;
    ride_predictor *model = NULL;
    static char line[LINE_MAX_BYTES];
    uint32_t rows = 0;
    if (argc != 4) return 2;
    FILE *file = fopen(argv[3], "r");
    if (file == NULL || ride_context_create(NULL, &context) != RIDE_RESULT_OK) return 2;
    if (ride_load(context, argv[2], NULL, &model) != RIDE_RESULT_OK)
        return printf("%s\n", ride_context_error(context)), 1;
    if (fgets(line, sizeof line, file) == NULL) return 2;
    while (rows < ROWS_MAX && fgets(line, sizeof line, file) != NULL) {
        if (line_read(line, cells[rows]) < ride_inputs_count(model) + ride_outputs_count(model))
            return printf("line %u does not fit the model\n", rows + 2), 1;
        rows++;
    }
    fclose(file);
    const int is_float = strcmp(argv[1], "float") == 0;
    if (rows == 0 || compare(context, model, rows, rows, is_float) != 0 ||
        compare(context, model, rows, 1, is_float) != 0)
        return 1;
    printf("%u rows\n", rows);
    ride_unload(model);
    ride_context_destroy(context);
    return 0;
}
