/* Rows as Arrow arrays give the trainer's margins too: columns by name in any order, every type, nulls, slices, categories by name. */
#include "api/arrow.h"
#include "ride/ride.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUTS = 4, ROWS = 60, BEFORE = 5, COLUMNS_MAX = 6 };

/* A struct array over rows BEFORE … of its children, which have an offset of their own besides. */
typedef struct table {
    struct ArrowArray array, children[COLUMNS_MAX], dictionary;
    struct ArrowSchema schema, child_schemas[COLUMNS_MAX], dictionary_schema;
    struct ArrowArray *child_array[COLUMNS_MAX];
    struct ArrowSchema *child_schema[COLUMNS_MAX];
    const void *struct_buffers[1], *buffers[COLUMNS_MAX][4], *dictionary_buffers[3];
    uint8_t validity[COLUMNS_MAX][16], rows_validity[16];
    double values[COLUMNS_MAX][128];
} table;

static void table_make(table *t) {
    memset(t, 0, sizeof *t);
    t->schema = (struct ArrowSchema){.format = "+s", .children = t->child_schema};
    t->array = (struct ArrowArray){.length = ROWS,
                                   .offset = BEFORE,
                                   .null_count = -1,
                                   .n_buffers = 1,
                                   .buffers = t->struct_buffers,
                                   .children = t->child_array};
}

static struct ArrowArray *column_add(table *t, const char *name, const char *format, int64_t offset) {
    const int64_t i = t->array.n_children++;
    t->schema.n_children++;
    t->child_schemas[i] = (struct ArrowSchema){.format = format, .name = name};
    t->child_schema[i] = &t->child_schemas[i];
    t->child_array[i] = &t->children[i];
    t->buffers[i][0] = t->validity[i];
    t->buffers[i][1] = t->values[i];
    t->children[i] = (struct ArrowArray){
        .length = BEFORE + ROWS, .offset = offset, .null_count = -1, .n_buffers = 2, .buffers = t->buffers[i]};
    memset(t->validity[i], 0, sizeof t->validity[i]);
    return &t->children[i];
}

static void valid(uint8_t *bits, int64_t at) { bits[at / 8] |= (uint8_t)(1 << at % 8); }

#define STORE(type) ((type *)t->values[column])[at] = (type)value

/* NaN is null. */
static void store(table *t, int64_t column, uint32_t row, double value) {
    const int64_t at = t->children[column].offset + BEFORE + row;
    if (isnan(value)) return;
    valid(t->validity[column], at);
    switch (t->child_schemas[column].format[0]) {
    case 'c': STORE(int8_t); break;
    case 'C': STORE(uint8_t); break;
    case 's': STORE(int16_t); break;
    case 'S': STORE(uint16_t); break;
    case 'i': STORE(int32_t); break;
    case 'I': STORE(uint32_t); break;
    case 'l': STORE(int64_t); break;
    case 'L': STORE(uint64_t); break;
    case 'f': STORE(float); break;
    case 'g': STORE(double); break;
    default: cr_assert_fail("no such type");
    }
}

static const char *golden(const char *name) {
    static char path[512];
    const char *top = getenv("RIDE_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/golden/models/%s", top != NULL ? top : ".", name);
    return path;
}

static void rows_of(const char *name, double *x, double *margins) {
    char line[1024];
    FILE *file = fopen(golden(name), "r");
    cr_assert(file != NULL && fgets(line, sizeof line, file) != NULL);
    for (uint32_t r = 0; r < ROWS; r++) {
        cr_assert_not_null(fgets(line, sizeof line, file));
        char *at = line;
        for (uint32_t i = 0; i < INPUTS + 1; i++) {
            const char *cell = strsep(&at, ",\n");
            const double value = *cell != '\0' ? strtod(cell, NULL) : (double)NAN;
            if (i < INPUTS) x[r * INPUTS + i] = value;
            else margins[r] = value;
        }
    }
    fclose(file);
}

typedef struct world {
    ride_context *context;
    ride_predictor *model;
    double x[ROWS * INPUTS], want[ROWS], got[ROWS];
    table t;
} world;

static world *world_open(const char *model, const char *rows) {
    world *w = calloc(1, sizeof *w);
    cr_assert_eq(ride_context_create(NULL, &w->context), RIDE_RESULT_OK);
    cr_assert_eq(ride_load(w->context, golden(model), NULL, &w->model), RIDE_RESULT_OK);
    rows_of(rows, w->x, w->want);
    table_make(&w->t);
    return w;
}

static void world_close(world *w) {
    ride_unload(w->model);
    ride_context_destroy(w->context);
    free(w);
}

static ride_result predict(world *w) {
    const ride_scores out = {.margins = w->got, .number = RIDE_NUMBER_F64};
    memset(w->got, 0x5a, sizeof w->got);
    return ride_predict_arrow(w->context, w->model, &w->t.array, &w->t.schema, &out);
}

static void expect_margins(world *w) {
    cr_assert_eq(predict(w), RIDE_RESULT_OK, "%s", ride_context_error(w->context));
    const int is_float = ride_output_number(w->model) == RIDE_NUMBER_F32;
    for (uint32_t r = 0; r < ROWS; r++)
        cr_assert(is_float ? (float)w->got[r] == (float)w->want[r] : w->got[r] == w->want[r], "row %u: %.17g, %.17g", r,
                  w->got[r], w->want[r]);
}

static void fill(world *w, int64_t column, uint32_t input) {
    for (uint32_t r = 0; r < ROWS; r++) store(&w->t, column, r, w->x[r * INPUTS + input]);
}

static void four_columns(world *w, const char *format) {
    static const char *const names[] = {"kind", "gap", "unused", "amount",
                                        "age"}; /* the model's are amount, age, gap, kind */
    static const uint32_t inputs[] = {3, 2, 0, 0, 1};
    for (int64_t i = 0; i < 5; i++) {
        column_add(&w->t, names[i], format, i % 3);
        fill(w, i, inputs[i]);
    }
}

Test(ride_arrow, columns_go_by_name_and_nulls_are_missing) {
    world *w = world_open("xgboost-3.2.0-plain.json", "xgboost-3.2.0-plain.csv");
    four_columns(w, "f");
    expect_margins(w);
    world_close(w);
    w = world_open("xgboost-3.2.0-plain.json", "xgboost-3.2.0-plain.csv");
    four_columns(w, "g");
    expect_margins(w);
    world_close(w);
    w = world_open("lightgbm-4.6.0-plain.txt", "lightgbm-4.6.0-plain.csv");
    four_columns(w, "g");
    expect_margins(w);
    world_close(w);
}

/* Whole numbers: what they give is what the same numbers as doubles give. */
Test(ride_arrow, every_type_is_read) {
    static const char *const formats[] = {"c", "C", "s", "S", "i", "I", "l", "L", "f", "g", "e", "b"};
    double want[ROWS];
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
        const char format = *formats[f];
        world *w = world_open("xgboost-3.2.0-plain.json", "xgboost-3.2.0-plain.csv");
        for (uint32_t r = 0; r < ROWS; r++) w->x[r * INPUTS] = format == 'b' ? r % 2 : r % 7 == 0 ? (double)NAN : r * 2;
        four_columns(w, "g");
        cr_assert_eq(predict(w), RIDE_RESULT_OK);
        memcpy(want, w->got, sizeof want);
        memset(w->t.values[3], 0x77, sizeof w->t.values[3]);
        w->t.child_schemas[3].format = formats[f];
        for (uint32_t r = 0; r < ROWS; r++) {
            const double value = w->x[r * INPUTS];
            const int64_t at = w->t.children[3].offset + BEFORE + r;
            if (format == 'b') {
                uint8_t *bits = (uint8_t *)w->t.values[3];
                bits[at / 8] = (uint8_t)((bits[at / 8] & ~(1 << at % 8)) | (value != 0) << at % 8);
            } else if (format == 'e') {
                _Float16 half = (_Float16)value;
                memcpy((uint16_t *)w->t.values[3] + at, &half, sizeof half);
            } else store(&w->t, 3, r, value);
        }
        cr_assert_eq(predict(w), RIDE_RESULT_OK, "%s", ride_context_error(w->context));
        cr_assert_arr_eq(w->got, want, sizeof want, "%s", formats[f]);
        world_close(w);
    }
}

/* Halves that a model can tell apart: every bit pattern comes out as the compiler's own conversion gives it. */
Test(ride_arrow, halves_are_converted_exactly) {
    static const char identity[] =
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=0\n"
        "objective=regression\nfeature_names=h\nfeature_infos=[-70000:70000]\ntree_sizes=100\n\n"
        "Tree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nsplit_gain=1\nthreshold=%.17g\n"
        "decision_type=%d\nleft_child=-1\nright_child=-2\nleaf_value=1 2\nleaf_weight=1 1\n"
        "leaf_count=1 1\ninternal_value=0\ninternal_weight=0\ninternal_count=2\nis_linear=0\n"
        "shrinkage=1\n\n\nend of trees\n\npandas_categorical:null\n";
    static const uint16_t patterns[] = {0x0000, 0x8000, 0x0001, 0x03ff, 0x0400, 0x3c00,
                                        0xbc00, 0x7bff, 0xfbff, 0x3555, 0x8001};
    static uint16_t all[16];
    ride_context *context = NULL;
    cr_assert_eq(ride_context_create(NULL, &context), RIDE_RESULT_OK);
    for (size_t k = 0; k < sizeof patterns / sizeof *patterns; k++) {
        char text[2048];
        _Float16 half;
        ride_predictor *model = NULL;
        memcpy(&half, &patterns[k], sizeof half);
        const double value = (double)half;
        all[0] = patterns[k];
        for (int above = 0; above < 2; above++) { /* x <= t goes left: just at the value, and just below it */
            const double threshold = above ? nextafter(value, -INFINITY) : value;
            snprintf(text, sizeof text, identity, threshold, 8);
            cr_assert_eq(ride_load_memory(context, text, strlen(text), "m", NULL, &model), RIDE_RESULT_OK, "%s",
                         ride_context_error(context));
            const void *struct_buffers[] = {NULL}, *buffers[] = {NULL, all};
            struct ArrowArray child = {.length = 1, .n_buffers = 2, .buffers = buffers}, *children[] = {&child};
            struct ArrowSchema child_schema = {.format = "e", .name = "h"}, *schemas[] = {&child_schema};
            struct ArrowArray array = {
                .length = 1, .n_buffers = 1, .buffers = struct_buffers, .n_children = 1, .children = children};
            struct ArrowSchema schema = {.format = "+s", .n_children = 1, .children = schemas};
            double got = 0;
            const ride_scores out = {.margins = &got, .number = RIDE_NUMBER_F64};
            cr_assert_eq(ride_predict_arrow(context, model, &array, &schema, &out), RIDE_RESULT_OK, "%s",
                         ride_context_error(context));
            cr_assert_eq(got, above ? 2.0 : 1.0, "half %04x", patterns[k]);
            ride_unload(model);
        }
    }
    ride_context_destroy(context);
}

Test(ride_arrow, a_null_row_is_missing_in_all_columns) {
    world *w = world_open("xgboost-3.2.0-plain.json", "xgboost-3.2.0-plain.csv");
    four_columns(w, "f");
    w->t.struct_buffers[0] = w->t.rows_validity;
    for (uint32_t r = 0; r < ROWS; r++)
        if (r != 17) valid(w->t.rows_validity, BEFORE + r);
    cr_assert_eq(predict(w), RIDE_RESULT_OK);
    const float missing[INPUTS] = {NAN, NAN, NAN, NAN};
    const ride_matrix matrix = {missing, RIDE_NUMBER_F32, INPUTS, 1, INPUTS, 1};
    double want = 0;
    const ride_scores out = {.margins = &want, .number = RIDE_NUMBER_F64};
    cr_assert_eq(ride_predict(w->context, w->model, &matrix, &out), RIDE_RESULT_OK);
    cr_assert_eq(w->got[17], want);
    cr_assert_eq((float)w->got[16], (float)w->want[16]);
    world_close(w);
}

/* The golden LightGBM model with names for its categories: "k0", "k1" … */
static ride_predictor *with_names(ride_context *context) {
    char *text = malloc(200000), names[2000] = "pandas_categorical:[[";
    FILE *file = fopen(golden("lightgbm-4.6.0-plain.txt"), "r");
    ride_predictor *model = NULL;
    cr_assert(text != NULL && file != NULL);
    text[fread(text, 1, 190000, file)] = '\0';
    fclose(file);
    char *tail = strstr(text, "pandas_categorical:");
    cr_assert_not_null(tail);
    for (int i = 0; i < 40; i++) snprintf(names + strlen(names), 20, "%s\"k%d\"", i > 0 ? ", " : "", i);
    sprintf(tail, "%s]]\n", names);
    cr_assert_eq(ride_load_memory(context, text, strlen(text), "named", NULL, &model), RIDE_RESULT_OK, "%s",
                 ride_context_error(context));
    free(text);
    return model;
}

/* A code is a name of the model's; the golden rows have others too, which no column of names can hold. */
static void only_known(world *w) {
    double *out = w->got;
    for (uint32_t r = 0; r < ROWS; r++) {
        double *kind = &w->x[r * INPUTS + 3];
        if (!(*kind >= 0 && *kind < 40)) *kind = r % 3 == 0 ? (double)NAN : r % 40;
        *kind = floor(*kind);
    }
    const ride_matrix matrix = {w->x, RIDE_NUMBER_F64, INPUTS, ROWS, INPUTS, 1};
    const ride_scores scores = {.margins = out, .number = RIDE_NUMBER_F64};
    cr_assert_eq(ride_predict(w->context, w->model, &matrix, &scores), RIDE_RESULT_OK);
    memcpy(w->want, out, sizeof w->want);
}

static world *named_world(void) {
    world *w = world_open("lightgbm-4.6.0-plain.txt", "lightgbm-4.6.0-plain.csv");
    ride_unload(w->model);
    w->model = with_names(w->context);
    cr_assert_eq(ride_input_categories_count(w->model, 3), 40);
    cr_assert_str_eq(ride_input_category(w->model, 3, 11), "k11");
    only_known(w);
    four_columns(w, "g");
    return w;
}

Test(ride_arrow, strings_are_categories_by_name) {
    static char bytes[(BEFORE + ROWS + 1) * 16];
    static int32_t offsets[BEFORE + ROWS + 2];
    static int64_t large[BEFORE + ROWS + 2];
    static struct {
        int32_t bytes;
        char text[12];
    } views[BEFORE + ROWS + 1];
    world *w = named_world();
    uint32_t end = 0;
    for (uint32_t r = 0; r < BEFORE + ROWS; r++) { /* column 0 has no offset of its own */
        offsets[r] = (int32_t)end, large[r] = end;
        const double kind = r >= BEFORE ? w->x[(r - BEFORE) * INPUTS + 3] : NAN;
        if (isnan(kind)) continue;
        views[r].bytes = snprintf(views[r].text, sizeof views[r].text, "k%d", (int)kind);
        memcpy(bytes + end, views[r].text, (size_t)views[r].bytes);
        end += (uint32_t)views[r].bytes;
    }
    offsets[BEFORE + ROWS] = (int32_t)end, large[BEFORE + ROWS] = end;
    const struct {
        const char *format;
        const void *second, *third;
    } forms[] = {{"u", offsets, bytes}, {"U", large, bytes}, {"vu", views, NULL}};
    for (size_t f = 0; f < 3; f++) {
        w->t.child_schemas[0].format = forms[f].format;
        w->t.children[0].n_buffers = 3;
        w->t.buffers[0][1] = forms[f].second;
        w->t.buffers[0][2] = forms[f].third;
        expect_margins(w);
    }
    w->t.child_schemas[0].format = "u";
    w->t.buffers[0][1] = offsets;
    w->t.buffers[0][2] = bytes;
    for (int32_t length = 3; length < 16; length++) /* a name, then bytes of zero: another string */
        for (int k = 0; k < 40; k++) {
            memset(bytes, 0, sizeof bytes);
            for (uint32_t r = 0; r <= BEFORE + ROWS; r++) offsets[r] = (int32_t)r * length;
            for (uint32_t r = 0; r < BEFORE + ROWS; r++) sprintf(bytes + offsets[r], "k%d", k % (length < 4 ? 10 : 40));
            cr_assert_eq(predict(w), RIDE_RESULT_DATA, "k%d and zeros, %d bytes, is a category", k, length);
        }
    memset(bytes, 'z', sizeof bytes);
    cr_assert_eq(predict(w), RIDE_RESULT_DATA);
    cr_assert_not_null(strstr(ride_context_error(w->context), "`kind`"), "%s", ride_context_error(w->context));
    world_close(w);
}

Test(ride_arrow, a_dictionary_is_read_through) {
    static int32_t offsets[43];
    static char bytes[400];
    world *w = named_world();
    for (int i = 0, end = 0; i < 41; i++) { /* entry i is category 39 - i; the last is unknown to the model */
        offsets[i] = end;
        end += sprintf(bytes + end, "k%d", i < 40 ? 39 - i : 99);
        offsets[i + 1] = end;
    }
    w->t.dictionary_buffers[1] = offsets;
    w->t.dictionary_buffers[2] = bytes;
    w->t.dictionary = (struct ArrowArray){.length = 41, .n_buffers = 3, .buffers = w->t.dictionary_buffers};
    w->t.dictionary_schema = (struct ArrowSchema){.format = "u"};
    w->t.children[0].dictionary = &w->t.dictionary;
    w->t.child_schemas[0].dictionary = &w->t.dictionary_schema;
    w->t.child_schemas[0].format = "c";
    for (uint32_t r = 0; r < ROWS; r++) store(&w->t, 0, r, 39 - w->x[r * INPUTS + 3]);
    expect_margins(w); /* an entry that no row has does no harm */
    ((int8_t *)w->t.values[0])[BEFORE + 31] = 40;
    valid(w->t.validity[0], BEFORE + 31);
    cr_assert_eq(predict(w), RIDE_RESULT_DATA);
    cr_assert_not_null(strstr(ride_context_error(w->context), "row 31"), "%s", ride_context_error(w->context));
    ((int8_t *)w->t.values[0])[BEFORE + 31] = 77; /* beyond the dictionary */
    cr_assert_eq(predict(w), RIDE_RESULT_DATA);
    ride_unload(w->model); /* the same without names of categories: a place in a dictionary is no code */
    cr_assert_eq(ride_load(w->context, golden("lightgbm-4.6.0-plain.txt"), NULL, &w->model), RIDE_RESULT_OK);
    cr_assert(ride_input_is_category(w->model, 3));
    cr_assert_eq(predict(w), RIDE_RESULT_DATA);
    cr_assert_not_null(strstr(ride_context_error(w->context), "`kind` holds strings"), "%s",
                       ride_context_error(w->context));
    world_close(w);
}

static void expect_said(world *w, ride_result want, const char *text) {
    const ride_result got = predict(w);
    cr_assert_eq(got, want, "%d: %s", (int)got, ride_context_error(w->context));
    cr_assert_not_null(strstr(ride_context_error(w->context), text), "`%s` lacks `%s`", ride_context_error(w->context),
                       text);
}

Test(ride_arrow, what_cannot_be_rows_is_said) {
    world *w = world_open("xgboost-3.2.0-plain.json", "xgboost-3.2.0-plain.csv");
    four_columns(w, "f");
    w->t.schema.format = "+l";
    expect_said(w, RIDE_RESULT_ARGUMENT, "struct");
    w->t.schema.format = "+s";
    w->t.child_schemas[3].name = "amuont";
    expect_said(w, RIDE_RESULT_ARGUMENT, "1 of the model's 4 inputs have no column, first `amount`");
    w->t.child_schemas[3].name = "age";
    expect_said(w, RIDE_RESULT_ARGUMENT, "twice");
    w->t.child_schemas[3].name = "amount";
    w->t.child_schemas[3].format = "tdD";
    expect_said(w, RIDE_RESULT_DATA, "`amount` is no number");
    w->t.child_schemas[3].format = "u";
    w->t.children[3].n_buffers = 3;
    expect_said(w, RIDE_RESULT_DATA, "strings");
    w->t.child_schemas[3].format = "f";
    w->t.children[3].length = BEFORE + ROWS - 1;
    expect_said(w, RIDE_RESULT_ARGUMENT, "well formed");
    w->t.children[3].length = BEFORE + ROWS;
    w->t.buffers[3][1] = NULL;
    expect_said(w, RIDE_RESULT_ARGUMENT, "well formed");
    w->t.buffers[3][1] = w->t.values[3];
    w->t.child_array[3] = NULL;
    expect_said(w, RIDE_RESULT_ARGUMENT, "NULL");
    w->t.child_array[3] = &w->t.children[3];
    w->t.children[3].dictionary = &w->t.dictionary;
    expect_said(w, RIDE_RESULT_ARGUMENT, "`amount` has a dictionary in only one");
    w->t.children[3].dictionary = NULL;
    w->t.child_schemas[3].dictionary = &w->t.dictionary_schema;
    expect_said(w, RIDE_RESULT_ARGUMENT, "`amount` has a dictionary in only one");
    w->t.child_schemas[3].dictionary = NULL;
    const int64_t offset = w->t.children[3].offset;
    w->t.children[3].offset = INT64_MAX;
    expect_said(w, RIDE_RESULT_ARGUMENT, "well formed");
    w->t.children[3].offset = offset;
    w->t.array.offset = INT64_MAX;
    expect_said(w, RIDE_RESULT_ARGUMENT, "well formed");
    w->t.array.offset = BEFORE;
    expect_margins(w);
    w->t.array.length = 0;
    cr_assert_eq(predict(w), RIDE_RESULT_OK);
    world_close(w);
}
