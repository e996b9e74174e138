/* tests/conformance/rows_test.c: rows of a matrix: what rows_score gives is what kernels/row gives for each row by itself, as bytes, whatever the
 * matrix's type and strides, the number of rows, and how they are divided; nothing beside the results is written. */
#include "backends.h"
#include "kernels/row/link.h"
#include "kernels/row/tree.h"
#include "random_model.h"

enum { MATRIX_ROWS_MAX = 1300, MATRIX_OUTPUTS_MAX = 5 };

/* A model, with a plan or without, and a matrix for it. */
typedef struct rows_case {
    random_plan plan;
    struct {
        ride_forest_header header;
        double base_margins[MATRIX_OUTPUTS_MAX];
    } forest;
    uint8_t *image;
    ride_bundle bundle;
    ride_forest view;
    void *values;              /* all of the matrix's memory */
    const void *first;         /* value 0 of row 0 */
    ride_rows rows;            /* without results */
    double *x;                 /* the same values, row by row */
    double *margins, *answers; /* what must come out */
} rows_case;

static void bundle_without_plan(rows_case *c) {
    const random_plan *p = &c->plan;
    const ride_forest_header *h = &c->forest.header;
    ride_error err = {0};
    ride_bundle_builder *builder = NULL;
    uint64_t bytes = 0;
    const struct {
        ride_section section;
        const void *data;
        uint64_t bytes;
    } sections[] = {
        {RIDE_SECTION_FOREST, &c->forest, sizeof *h + h->outputs_count * sizeof(double)},
        {RIDE_SECTION_FOREST_TREES, p->trees, h->trees_count * sizeof *p->trees},
        {RIDE_SECTION_FOREST_NODES, p->nodes, h->nodes_count * sizeof *p->nodes},
        {RIDE_SECTION_FOREST_CATEGORIES, p->category_words, h->category_words_count * sizeof *p->category_words},
        {RIDE_SECTION_FOREST_LEAVES, p->lines, h->lines_count * sizeof *p->lines},
        {RIDE_SECTION_FOREST_TERMS, p->terms, h->terms_count * sizeof *p->terms},
    };
    RIDE_ASSERT(ride_bundle_builder_create(&builder, &err) == RIDE_OK);
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        RIDE_ASSERT(sections[i].bytes == 0 || ride_bundle_builder_add(builder, sections[i].section, sections[i].data,
                                                                      sections[i].bytes, &err) == RIDE_OK);
    RIDE_ASSERT(ride_bundle_builder_build(builder, &c->image, &bytes, &err) == RIDE_OK);
    CHECK(ride_bundle_open(c->image, bytes, &c->bundle, &err) == RIDE_OK, "%s", err.what);
    ride_bundle_builder_destroy(builder);
}

static void model_make(rows_case *c, rnd *r, uint64_t seed) {
    ride_error err = {0};
    random_plan *p = &c->plan;
    random_plan_make(seed, p);
    model_vector(r, p);
    model_forest(r, p);
    if (rnd_one_in(r, 3)) random_plan_bundle(p, &c->image, &c->bundle);
    else { /* of several outputs perhaps */ ride_forest_header *h = &c->forest.header;
        *h = p->forest.header;
        h->outputs_count = 1 + rnd_below(r, MATRIX_OUTPUTS_MAX);
        if (h->outputs_count > 1 && h->link == RIDE_FOREST_LINK_SIGMOID) h->link = RIDE_FOREST_LINK_SOFTMAX;
        for (uint32_t o = 0; o < h->outputs_count; o++) c->forest.base_margins[o] = model_number(r, h->sum_number);
        for (uint32_t t = 0; t < h->trees_count; t++) p->trees[t].output = rnd_below(r, h->outputs_count);
        bundle_without_plan(c);
    }
    CHECK(ride_forest_open(&c->bundle, 0, &c->view, &err) == RIDE_OK, "seed %llu: %s", (unsigned long long)seed,
          err.what);
}

/* Values near what the trees ask for, and those that are traps. */
static double matrix_value(rnd *r, const ride_forest *forest) {
    static const double odd[] = {NAN, NAN, INFINITY, -INFINITY, -0.0, 5e-324, 1e-40, 1e39, -1e39, 31.0, 63.5, -0.5};
    if (rnd_one_in(r, 4)) return RND_PICK(r, odd);
    const ride_forest_node *node = &forest->nodes[rnd_below(r, forest->header->nodes_count)];
    if (node->input & (RIDE_NODE_LEAF | RIDE_NODE_SET)) return (double)rnd_below(r, 70);
    const double t = node->u.threshold;
    switch (rnd_below(r, 4)) {
    case 0: return t;
    case 1: return nextafter(t, -INFINITY);
    case 2: return (double)nextafterf((float)t, INFINITY);
    default: return t + (double)rnd_below(r, 100) - 50.0;
    }
}

static void matrix_make(rows_case *c, rnd *r) {
    static const uint32_t counts[] = {0, 1, 2, 7, 8, 9, 63, 64, 65, 255, 256, 257, 511, 512, 513, 1023, 1024, 1300};
    const uint32_t n = RND_PICK(r, counts), columns = c->view.header->inputs_count;
    const int64_t pad = rnd_below(r, 4), spread = 1 + (int64_t)rnd_below(r, 3);
    ride_rows *rows = &c->rows;
    *rows = (ride_rows){.rows_count = n, .type = rnd_one_in(r, 2) ? RIDE_TYPE_F32 : RIDE_TYPE_F64};
    if (rnd_one_in(r, 3)) { /* a column after the other */
        rows->row_stride = spread;
        rows->column_stride = (int64_t)(n + 1) * spread + pad;
    } else {
        rows->column_stride = spread;
        rows->row_stride = columns * spread + pad;
    }
    int64_t at_first = 0;
    if (rnd_one_in(r, 4)) at_first -= (rows->row_stride = -rows->row_stride) * (n > 0 ? n - 1 : 0);
    if (rnd_one_in(r, 4)) at_first -= (rows->column_stride = -rows->column_stride) * (columns - 1);
    const size_t size = rows->type == RIDE_TYPE_F32 ? sizeof(float) : sizeof(double),
                 count = (size_t)(llabs(rows->row_stride) * n + llabs(rows->column_stride) * columns + 1);
    c->values = malloc(count * size);
    c->x = malloc((size_t)n * columns * sizeof *c->x + 1);
    RIDE_ASSERT(c->values != NULL && c->x != NULL);
    memset(c->values, POISON, count * size);
    rows->values = c->first = (uint8_t *)c->values + at_first * (int64_t)size;
    for (uint32_t row = 0; row < n; row++)
        for (uint32_t i = 0; i < columns; i++) {
            double value = matrix_value(r, &c->view);
            const int64_t place = row * rows->row_stride + i * rows->column_stride;
            if (rows->type == RIDE_TYPE_F32) ((float *)c->first)[place] = (float)value, value = (float)value;
            else ((double *)c->first)[place] = value;
            c->x[(size_t)row * columns + i] = value;
        }
}

/* The obvious loop. */
static void expect(rows_case *c) {
    const ride_forest_header *h = c->view.header;
    const size_t bytes = (size_t)c->rows.rows_count * h->outputs_count * sizeof(double);
    double inputs[PLAN_VECTOR_MAX];
    c->margins = malloc(bytes + 1);
    c->answers = malloc(bytes + 1);
    RIDE_ASSERT(c->margins != NULL && c->answers != NULL);
    for (uint32_t row = 0; row < c->rows.rows_count; row++) {
        for (uint32_t i = 0; i < h->inputs_count; i++)
            inputs[i] = ride_forest_input(c->x[(size_t)row * h->inputs_count + i], h->input_number);
        ride_forest_row(&c->view, inputs, 1, c->margins + (size_t)row * h->outputs_count);
    }
    memcpy(c->answers, c->margins, bytes);
    for (uint32_t row = 0; row < c->rows.rows_count; row++)
        ride_link_row(c->answers + (size_t)row * h->outputs_count, h);
}

static void compare_results(const char *what, uint32_t type, const void *got, const double *want, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const float narrow = (float)want[i];
        const int same = type == RIDE_TYPE_F32 ? memcmp((const float *)got + i, &narrow, sizeof narrow) == 0
                                               : memcmp((const double *)got + i, &want[i], sizeof want[i]) == 0;
        CHECK(same, "%s %zu of %zu: %.17g, expected %.17g", what, i, count,
              type == RIDE_TYPE_F32 ? ((const float *)got)[i] : ((const double *)got)[i], want[i]);
    }
}

static int all_guard(const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != GUARD) return 0;
    return 1;
}

/* All rows in pieces of random sizes, each result wanted or not. */
static void score_and_compare(const ride_backend_ops *ops, const ride_program_dev *program, const rows_case *c, rnd *r,
                              const ride_rows_shape *shape) {
    const uint32_t out_type = rnd_one_in(r, 2) ? RIDE_TYPE_F32 : RIDE_TYPE_F64, n = (uint32_t)c->rows.rows_count;
    const size_t size = out_type == RIDE_TYPE_F32 ? sizeof(float) : sizeof(double),
                 in_size = c->rows.type == RIDE_TYPE_F32 ? sizeof(float) : sizeof(double),
                 bytes = (size_t)n * shape->outputs_count * size;
    const uint32_t wanted = 1 + rnd_below(r, 3); /* margins, answers, both */
    uint8_t *out[2] = {malloc(bytes + GUARD_BYTES), malloc(bytes + GUARD_BYTES)};
    const size_t scratch_bytes = (shape->scratch_bytes + 63) / 64 * 64;
    uint8_t *scratch = aligned_alloc(64, scratch_bytes + GUARD_BYTES);
    RIDE_ASSERT(out[0] != NULL && out[1] != NULL && scratch != NULL);
    for (int i = 0; i < 2; i++) memset(out[i], GUARD, bytes + GUARD_BYTES);
    memset(scratch, POISON, shape->scratch_bytes);
    memset(scratch + shape->scratch_bytes, GUARD, scratch_bytes + GUARD_BYTES - shape->scratch_bytes);
    for (uint32_t first = 0, count; first < n || first == 0; first += count) {
        count = n == 0 || rnd_one_in(r, 2) ? n - first : 1 + rnd_below(r, n - first);
        ride_rows piece = c->rows;
        piece.rows_count = count;
        piece.out_type = out_type;
        piece.values = (const uint8_t *)c->first + (int64_t)first * c->rows.row_stride * (int64_t)in_size;
        piece.margins = wanted & 1 ? out[0] + first * shape->outputs_count * size : NULL;
        piece.answers = wanted & 2 ? out[1] + first * shape->outputs_count * size : NULL;
        CHECK(ops->rows_score(program, &piece, scratch) == RIDE_OK, "rows %u to %u", first, first + count);
        if (n == 0) break;
    }
    const size_t count = (size_t)n * shape->outputs_count;
    if (wanted & 1) compare_results("margin", out_type, out[0], c->margins, count);
    if (wanted & 2) compare_results("answer", out_type, out[1], c->answers, count);
    for (int i = 0; i < 2; i++)
        CHECK(all_guard(out[i] + (wanted >> i & 1 ? bytes : 0), GUARD_BYTES), "written beside the results");
    CHECK(all_guard(scratch + shape->scratch_bytes, scratch_bytes + GUARD_BYTES - shape->scratch_bytes),
          "written behind the scratch");
    free(scratch);
    free(out[0]);
    free(out[1]);
}

static const ride_backend_ops *opened(const backend_use *use) {
    ride_error err = {0};
    const ride_backend_ops *ops = use->backend->entry(RIDE_BACKEND_ABI, session_services, &err);
    CHECK(ops != NULL, "%s", err.what);
    CHECK((ops->rows_score == NULL) == (ops->rows_shape == NULL), "one of two functions is missing");
    CHECK((ops->rows_explain == NULL) == (ops->explainer_create == NULL) &&
              (ops->rows_explain == NULL) == (ops->explainer_destroy == NULL),
          "one of three functions is missing");
    if (ops->rows_score == NULL) check_skip("%s lacks scores of a matrix's rows", use->backend->name);
    return ops;
}

static void rows_of_a_matrix(const backend_use *use) {
    const ride_backend_ops *ops = opened(use);
    ride_error err = {0};
    for (uint64_t seed; check_rounds(backend_rounds(use, 400), &seed);) {
        rnd random = {seed * 7 + 3}, *r = &random;
        rows_case *c = calloc(1, sizeof *c);
        ride_device *device = NULL;
        ride_program_dev *program = NULL;
        ride_rows_shape shape = {0};
        RIDE_ASSERT(c != NULL);
        model_make(c, r, seed);
        matrix_make(c, r);
        expect(c);
        CHECK(ops->device_open(0, &device, &err) == RIDE_OK, "%s", err.what);
        CHECK(ops->program_upload(device, &c->bundle, &program, &err) == RIDE_OK, "%s", err.what);
        CHECK(ops->rows_shape(program, &shape, &err) == RIDE_OK, "%s", err.what);
        CHECK(shape.columns_count == c->view.header->inputs_count &&
                  shape.outputs_count == c->view.header->outputs_count,
              "%u columns, %u outputs", shape.columns_count, shape.outputs_count);
        CHECK((shape.in_type == RIDE_TYPE_F32) == (c->view.header->input_number == RIDE_FOREST_F32) &&
                  (shape.out_type == RIDE_TYPE_F32) == (c->view.header->sum_number == RIDE_FOREST_F32),
              "types %u and %u", shape.in_type, shape.out_type);
        for (int i = 0; i < 3; i++) score_and_compare(ops, program, c, r, &shape);
        ops->program_release(program);
        ops->device_close(device);
        ride_bundle_image_free(c->image);
        free(c->values);
        free(c->x);
        free(c->margins);
        free(c->answers);
        free(c);
    }
}

/* What a program without a model, and one without a plan, cannot do is said and not done. */
static void what_is_missing_is_said(const backend_use *use) {
    const ride_backend_ops *ops = opened(use);
    ride_error err = {0};
    rows_case *c = calloc(1, sizeof *c);
    rnd random = {11}, *r = &random;
    ride_device *device = NULL;
    ride_program_dev *program = NULL;
    ride_rows_shape shape;
    ride_state *state = NULL;
    RIDE_ASSERT(c != NULL);
    CHECK(ops->device_open(0, &device, &err) == RIDE_OK, "%s", err.what);
    random_plan_make(5, &c->plan);
    random_plan_bundle(&c->plan, &c->image, &c->bundle); /* no model */
    CHECK(ops->program_upload(device, &c->bundle, &program, &err) == RIDE_OK, "%s", err.what);
    CHECK(ops->rows_shape(program, &shape, &err) == RIDE_E_MODEL && err.what[0] != 0, "a shape without a model");
    ops->program_release(program);
    ride_bundle_image_free(c->image);
    model_vector(r, &c->plan);
    model_forest(r, &c->plan);
    c->forest.header = c->plan.forest.header;
    bundle_without_plan(c);
    CHECK(ops->program_upload(device, &c->bundle, &program, &err) == RIDE_OK, "%s", err.what);
    const ride_state_options options = {.vnodes_count = RIDE_VNODES};
    CHECK(ops->state_create(device, program, &options, &state, &err) == RIDE_E_MODEL, "a state without a plan");
    ops->program_release(program);
    ops->device_close(device);
    ride_bundle_image_free(c->image);
    free(c);
}

int main(int argc, char **argv) {
    backends_add("rows_of_a_matrix", BACKENDS_ALL, 1, 1, rows_of_a_matrix);
    backends_add("what_is_missing_is_said", BACKENDS_ALL, 1, 1, what_is_missing_is_said);
    return check_main(argc, argv);
}
