/* ride/ride.h: RIDE's scoring engine as a library: model files of the common trainers in, their scores out, with the trainer's own bits.
 *
 *     ride_context *context = NULL;
 *     ride_predictor *model = NULL;
 *     float rows[2][3] = {{1, 2, 3}, {4, 5, NAN}}, answers[2];
 *     if (ride_context_create(NULL, &context) != RIDE_RESULT_OK) return 1;
 *     if (ride_load(context, "model.json", NULL, &model) != RIDE_RESULT_OK) puts(ride_context_error(context));
 *     ride_matrix x = {.values = rows, .number = RIDE_NUMBER_F32, .rows_count = 2, .columns_count = 3, .row_stride = 3, .column_stride = 1};
 *     ride_scores out = {.answers = answers, .number = RIDE_NUMBER_F32};
 *     if (ride_predict(context, model, &x, &out) != RIDE_RESULT_OK) puts(ride_context_error(context));
 *     ride_unload(model);
 *     ride_context_destroy(context);
 *
 * Two objects. A predictor is a model made ready: immutable, any number of threads. A context is what one caller works with: its threads, its
 * scratch memory and the text of its last error; one thread at a time. Where several threads predict at once, each has a context.
 *
 * Numbers. A margin is what the trainer's own predictor gives as raw score (log-odds, for a binary classifier), bit for bit; an answer is
 * what it gives by default (a probability), within 2 units in the last place. Neither depends on the number of rows, on the threads, or on the
 * instruction set. They do depend on the calling thread's floating-point state: a rounding mode other than to nearest, flush-to-zero or
 * denormals-are-zero changes bits. A missing value is NaN. What each format promises is in docs/models.md.
 *
 * Errors. Every call that can fail returns a ride_result, and leaves a text with what, where and what to do in the context. Bad input of
 * any kind, a hostile model file too, is a result and never a crash. Nothing is printed, and no signal or locale is touched. Of the environment one
 * variable is read, when a model is made ready: RIDE_CPU_ISA (portable, neon, avx2, avx512) keeps to those instructions, with the same bits.
 *
 * ABI. The library's SONAME changes when a program built against an older header would no longer run. Structs that may grow begin with
 * struct_bytes; fields beyond what the caller knew are taken as zero. Enums may get more values. */
#ifndef RIDE_RIDE_H
#define RIDE_RIDE_H
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define RIDE_API __attribute__((visibility("default")))
#else
#define RIDE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Results ---- */

typedef enum ride_result {
    RIDE_RESULT_OK = 0,
    RIDE_RESULT_ARGUMENT =
        1,                   /* the call's own fault: a null pointer, a wrong number of columns, a misaligned pointer */
    RIDE_RESULT_NO_FILE = 2, /* the model cannot be opened or read */
    RIDE_RESULT_MODEL = 3,   /* the file is no model, or a bad one; all findings are in the text, a line each */
    RIDE_RESULT_UNSUPPORTED = 4, /* a fine model, or a fine call, of a kind that this version does not do */
    RIDE_RESULT_DATA = 5,        /* the rows: an Arrow type that is no number, a category that the model never saw */
    RIDE_RESULT_MEMORY = 6,
    RIDE_RESULT_INTERNAL = 7, /* our bug: please report it with the text */
} ride_result;

/* "bad model"; of an unknown number "unknown result". Static. */
RIDE_API const char *ride_result_text(ride_result result);
/* "0.1.0". Static. */
RIDE_API const char *ride_version(void);

/* ---- Context ---- */

typedef struct ride_context ride_context;

typedef struct ride_context_options {
    uint32_t struct_bytes; /* sizeof(ride_context_options) */
    uint32_t
        threads; /* how many work on one call, the caller's included: 0 or 1 = the caller's alone, at most 1,024. More than the
                            * machine has cores for is no faster */
} ride_context_options;

/* options may be NULL. The threads sleep while there is nothing to do, and are not there in a forked child: it needs a context of its own,
 * and leaves the parent's alone. The caller owns *out, which is NULL on failure. */
RIDE_API ride_result ride_context_create(const ride_context_options *options, ride_context **out);
/* Ends the threads. NULL is fine. No call with the context may be running. */
RIDE_API void ride_context_destroy(ride_context *context);
/* Why the last call with this context failed, "" after one that did not: UTF-8, lines separated by \n. Until the next call with the context. */
RIDE_API const char *ride_context_error(const ride_context *context);

/* ---- Models ---- */

typedef struct ride_predictor ride_predictor;

/* Zero = the default, in each. */
typedef struct ride_load_options {
    uint32_t struct_bytes; /* sizeof(ride_load_options) */
    uint32_t
        best_iteration; /* 1: score with the trees up to the file's best iteration only. By default all are used, as Booster.predict of
                              * XGBoost does; its scikit-learn wrapper does the other */
    uint64_t bytes_max; /* of the file: 1 GiB */
    uint32_t trees_max; /* 100,000 */
    uint32_t nodes_max; /* of all trees: 50 million */
} ride_load_options;

/* A model file; its first bytes say which format it is. options may be NULL. The caller owns *out, which is NULL on failure. */
RIDE_API ride_result ride_load(ride_context *context, const char *path, const ride_load_options *options,
                               ride_predictor **out);
/* The same from memory, which is not kept. name: for messages. No file is opened: an ensemble's manifest, whose members are files, is refused. */
RIDE_API ride_result ride_load_memory(ride_context *context, const void *data, size_t bytes, const char *name,
                                      const ride_load_options *options, ride_predictor **out);
/* NULL is fine. No call with the predictor may be running. */
RIDE_API void ride_unload(ride_predictor *predictor);

typedef enum ride_number {
    RIDE_NUMBER_F32 = 1, /* float */
    RIDE_NUMBER_F64 = 2, /* double */
} ride_number;

/* Columns of the matrix, and results of a row (classes, or 1). */
RIDE_API uint32_t ride_inputs_count(const ride_predictor *predictor);
RIDE_API uint32_t ride_outputs_count(const ride_predictor *predictor);
/* What the model computes with: values beyond it are rounded on the way in, and results lose nothing as such. */
RIDE_API ride_number ride_input_number(const ride_predictor *predictor);
RIDE_API ride_number ride_output_number(const ride_predictor *predictor);
/* The name of input i, or NULL when the file has no names or i is none. Lives as long as the predictor, as all strings below. */
RIDE_API const char *ride_input_name(const ride_predictor *predictor, uint32_t input);
/* The input of that name, or -1 (of NULL too). */
RIDE_API int64_t ride_input_find(const ride_predictor *predictor, const char *name);
/* Does the model test input i as a category? Then its values are the trainer's codes, 0, 1, 2 …; where the file has the categories' names, name
 * `code` of them, else NULL. */
RIDE_API int ride_input_is_category(const ride_predictor *predictor, uint32_t input);
RIDE_API uint32_t ride_input_categories_count(const ride_predictor *predictor, uint32_t input);
RIDE_API const char *ride_input_category(const ride_predictor *predictor, uint32_t input, uint32_t code);
/* What the model is (format, trainer, objective, trees, depth, features …), as one JSON object. */
RIDE_API const char *ride_info(const ride_predictor *predictor);

/* ---- Scores ---- */

/* Rows in the caller's memory: value i of row r is values[r * row_stride + i * column_stride]. Strides are in elements and may be of either
 * sign: row-major, column-major, a slice or a reversed view all go without a copy. Column i is input i of the model. */
typedef struct ride_matrix {
    const void *values; /* aligned as its type is */
    ride_number number; /* doubles are rounded to the nearest float where the trainer did so */
    uint32_t columns_count;
    uint64_t rows_count;
    int64_t row_stride, column_stride;
} ride_matrix;

/* Where results go: rows_count * outputs_count numbers, row by row, or NULL for what is not wanted. The caller's memory, which overlaps nothing else
 * of the call. */
typedef struct ride_scores {
    void *margins; /* raw scores */
    void *answers; /* what the model predicts: probabilities, a mean, an anomaly score … */
    ride_number number;
} ride_scores;

/* Makes all memory that calls with this predictor need (and calls with an Arrow array of its inputs), so that they allocate nothing. A predict
 * does it itself the first time. A column's dictionary takes memory when it is larger than any before in that place. */
RIDE_API ride_result ride_reserve(ride_context *context, const ride_predictor *predictor);

RIDE_API ride_result ride_predict(ride_context *context, const ride_predictor *predictor, const ride_matrix *rows,
                                  const ride_scores *out);

/* Rows as the Arrow C data interface has them: one struct array (a record batch) whose children are columns of any integer, float, boolean or
 * null type; a null is missing. A model with names takes its columns by name, in any order, others are ignored; one without takes them by place and
 * needs exactly as many as it has inputs. A column of strings, plain or in a dictionary, is for an input whose categories the file names; a
 * dictionary of another type stands for its values. rows: array->length of them. Both structs are borrowed: they are neither moved nor released.
 * RIDE_RESULT_ARGUMENT when a column is missing; RIDE_RESULT_DATA when one is of another type or holds an unknown category. */
struct ArrowArray;
struct ArrowSchema;
RIDE_API ride_result ride_predict_arrow(ride_context *context, const ride_predictor *predictor,
                                        const struct ArrowArray *array, const struct ArrowSchema *schema,
                                        const ride_scores *out);

/* Why: what each input adds to each margin, and last the expected margin: SHAP values of trees (path dependent: the trainers' contributions), the terms of
 * linear models, integrated gradients of networks; docs/explanations.md says what they mean for each kind of model. Their
 * sum is the margin, within some millionths of the model's greatest leaf. values: rows_count * outputs_count * (inputs_count + 1) numbers, for
 * each row, for each output. The same bits for any number of rows and threads. The first call with a predictor makes tables, which takes up to
 * seconds and 256 MiB for a large model, and at most 1 GiB more where ways to leaves test many inputs; scratch grows then too. RIDE_RESULT_UNSUPPORTED, and why, where the model file does not say how
 * many training rows went each way, or the model is of a kind that has no shares. */
typedef struct ride_explanation {
    void *values;
    ride_number number;
} ride_explanation;
RIDE_API ride_result ride_explain(ride_context *context, const ride_predictor *predictor, const ride_matrix *rows,
                                  const ride_explanation *out);

/* The same in another way than by default. Zero = the default, in each. */
typedef struct ride_explain_options {
    uint32_t struct_bytes; /* sizeof(ride_explain_options) */
    uint32_t reserved;     /* 0 */
    uint64_t
        bytes_max; /* of what is held, and while it is made: 256 MiB. With less, more is computed for each row; below 16 MiB it is of tables alone */
    /* 1 … 4,096 rows that stand for values that are not known (interventional SHAP values, which need no counts of training rows), and whose means
     * are the baseline of linear models and networks. Read during the call only. NULL: path dependent. */
    const ride_matrix *background;
} ride_explain_options;

/* Tables made for such a way: immutable, any number of threads. */
typedef struct ride_explain_way ride_explain_way;
/* options may be NULL. The predictor must outlive *out, which the caller owns and which is NULL on failure. */
RIDE_API ride_result ride_explain_prepare(ride_context *context, const ride_predictor *predictor,
                                          const ride_explain_options *options, ride_explain_way **out);
/* NULL is fine. No call with it may be running. */
RIDE_API void ride_explain_release(ride_explain_way *way);
RIDE_API ride_result ride_explain_by(ride_context *context, const ride_explain_way *way, const ride_matrix *rows,
                                     const ride_explanation *out);

#ifdef __cplusplus
}
#endif

#endif
