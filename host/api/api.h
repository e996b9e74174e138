/* api/api.h: what the library's files share. */
#ifndef RIDE_API_API_H
#define RIDE_API_API_H
#include "api/team.h"
#include "models/rows.h"
#include "ride/ride.h"

#include <stdarg.h>
#include <stdbool.h>

enum { API_ERROR_BYTES = 8192, API_THREADS_MAX = 1024, API_PIECE_ROWS = 2048, API_BLOCK_ROWS = 512 };

typedef struct api_name {
    const char *name;
    uint32_t index;
} api_name;

/* One input of the model, and its categories in the order of their names. */
typedef struct api_input {
    const char *name;
    bool is_category;
    const char *const *categories; /* by code, or NULL */
    api_name *categories_sorted;
    uint32_t categories_count;
} api_input;

struct ride_predictor {
    ride_model_rows *rows;
    ride_rows_shape shape;
    api_input *inputs;
    api_name *names_sorted; /* NULL: the file has no names */
    char *info;
    ride_arena *arena; /* all names */
};

/* What one thread works with. Grows when a model needs more, never shrinks. */
typedef struct api_desk {
    void *scratch; /* of rows_score */
    void *block;   /* API_BLOCK_ROWS of an Arrow array, column by column */
    uint64_t scratch_bytes, block_bytes;
} api_desk;

struct ride_context {
    team *team;
    api_desk *desks; /* [members of the team] */
    struct api_column *columns;
    uint32_t columns_max;
    char error[API_ERROR_BYTES];
};

/* Begin of a call: the last error goes. */
void api_begin(ride_context *context);
/* Sets the text. Returns result. */
ride_result api_fail(ride_context *context, ride_result result, const char *format, ...) RIDE_PRINTF(3, 4);
ride_result api_fail_error(ride_context *context, const ride_error *err);
/* All findings, a line each. */
ride_result api_fail_findings(ride_context *context, const ride_diagnostics *findings);
ride_result api_result(ride_status status);

/* The options that the caller knows, zero behind them. given NULL: all zero. */
ride_result api_options(ride_context *context, const void *given, void *out, size_t bytes);

/* Memory for calls with the predictor; with_block: of Arrow arrays too. */
ride_result api_reserve(ride_context *context, const ride_predictor *predictor, bool with_block);
/* Rows of a block for Arrow arrays: API_BLOCK_ROWS, or fewer for a model of very many inputs. */
uint32_t api_block_rows(const ride_predictor *predictor);
/* Checks where the results go; fills what rows_score wants to know of it. */
ride_result api_results(ride_context *context, const ride_predictor *predictor, const ride_scores *out,
                        uint64_t rows_count, ride_rows *rows);
/* The results of the rows from `first` on. */
void api_results_from(ride_rows *rows, const ride_predictor *predictor, uint64_t first);

/* What may be in a call's structs. */
bool api_known(ride_number number);
bool api_aligned(const void *at, ride_number number);
uint32_t api_type(ride_number number); /* ride_type */
/* Checks rows of the predictor's inputs. */
ride_result api_matrix(ride_context *context, const ride_predictor *predictor, const ride_matrix *rows);
/* Scratch for each of the context's threads; false when memory is out. */
bool api_grow(ride_context *context, uint64_t bytes);

/* The index of `name`, or -1. */
int64_t api_find(const api_name *sorted, uint32_t count, const char *name, size_t name_bytes);

#endif
