/* RIDE's scoring engine in a program of one's own: rows of numbers from standard input through a model file.
 *
 *     cc -o embed embed.c $(pkg-config --cflags --libs ride)
 *     printf '51.34 87 0 25\nnan 12 3 4\n' | ./embed model.txt
 *
 * Prints margin and answer of each row. See ride/ride.h for what each call promises. */
#include <ride/ride.h>
#include <stdio.h>
#include <stdlib.h>

static int failed(const ride_context *context, const char *what) {
    fprintf(stderr, "%s: %s\n", what, ride_context_error(context));
    return 1;
}

/* One row; 0 at the end of the input. */
static int read_row(double *row, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (scanf("%lf", &row[i]) != 1) return 0;
    return 1;
}

int main(int argc, char **argv) {
    ride_context *context = NULL;
    ride_predictor *model = NULL;
    if (argc != 2) return fprintf(stderr, "usage: %s MODEL <rows\n", argv[0]), 2;
    if (ride_context_create(NULL, &context) != RIDE_RESULT_OK) return 1;
    if (ride_load(context, argv[1], NULL, &model) != RIDE_RESULT_OK) return failed(context, argv[1]);
    const uint32_t inputs = ride_inputs_count(model), outputs = ride_outputs_count(model);
    double *row = calloc(inputs, sizeof *row), *results = calloc(2 * (size_t)outputs, sizeof *results);
    if (row == NULL || results == NULL) return 1;
    const ride_matrix x = {.values = row,
                           .number = RIDE_NUMBER_F64,
                           .columns_count = inputs,
                           .rows_count = 1,
                           .row_stride = inputs,
                           .column_stride = 1};
    const ride_scores out = {.margins = results, .answers = results + outputs, .number = RIDE_NUMBER_F64};
    while (read_row(row, inputs)) {
        if (ride_predict(context, model, &x, &out) != RIDE_RESULT_OK) return failed(context, "predict");
        for (uint32_t i = 0; i < 2 * outputs; i++) printf("%.17g%c", results[i], i + 1 < 2 * outputs ? ' ' : '\n');
    }
    free(row);
    free(results);
    ride_unload(model);
    ride_context_destroy(context);
    return 0;
}
