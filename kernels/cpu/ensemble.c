/* kernels/cpu/ensemble.c: members over a block of rows, then their answers combined row by row. */
#include "kernels/cpu/ensemble.h"

#include "base/assert.h"
#include "kernels/cpu/forest_turn.h"
#include "kernels/cpu/joint.h"
#include "kernels/cpu/link.h"
#include "kernels/cpu/network.h"
#include "kernels/cpu/scratch.h"
#include "kernels/row/ensemble.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = RIDE_CPU_FOREST_ROWS };

/* How a member is computed. */
typedef struct engine {
    ride_cpu_network *network; /* or NULL */
    ride_cpu_forest *forest;   /* or NULL */
    uint32_t *columns;         /* per input: column of x, or of the stacker an answer, then column of x */
    ride_link link;
    bool as_they_are;       /* the inputs that the forest tests are the columns of x, in their order */
    uint32_t answers_first; /* of all members' answers */
    uint32_t joint;         /* 1 + which one its trees are of; 0: none */
} engine;

/* Members whose forests are one for many rows. */
typedef struct joint_forest {
    ride_cpu_joint *forest;
    uint32_t outputs_count;
    bool as_they_are;
} joint_forest;
enum { JOINT_ROWS = 64 /* from which on: few rows go other ways */ };

struct ride_cpu_ensemble {
    const ride_bundle *bundle;
    ride_cpu_isa isa;
    ride_ensemble_parts parts;
    ride_member_view *members;
    engine *engines;
    uint32_t engines_count;
    joint_forest *joints;
    uint32_t joints_count;
    uint32_t *entries; /* that are read, ascending */
    uint32_t entries_count, segment_column;
    uint32_t width_max;   /* of members' rows */
    size_t engines_bytes; /* the greatest scratch of an engine */
};

/* ---- making ---- */

static ride_status find_entries(ride_cpu_ensemble *e, ride_error *err) {
    const ride_ensemble_header *h = e->parts.view.header;
    uint32_t *place = calloc((size_t)h->inputs_count + 1, sizeof *place); /* 1: read; then 1 + the column */
    e->entries = calloc((size_t)h->inputs_count + 1, sizeof *e->entries);
    if (place == NULL || e->entries == NULL) {
        free(place);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for %u inputs", h->inputs_count);
    }
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t m = 0; m < e->engines_count; m++) {
            const uint32_t answers = m == h->members_count ? h->answers_count : 0;
            for (uint32_t i = 0; i < e->members[m].inputs_count; i++) {
                const uint32_t from = e->members[m].inputs[i];
                if (from < answers) e->engines[m].columns[i] = from;
                else if (pass == 0) place[from - answers] = 1;
                else e->engines[m].columns[i] = place[from - answers] - 1 + answers;
            }
        }
        if (h->combine == RIDE_COMBINE_SEGMENT) {
            if (pass == 0) place[h->segment_input] = 1;
            else e->segment_column = place[h->segment_input] - 1;
        }
        for (uint32_t i = 0; pass == 0 && i < h->inputs_count; i++) {
            if (!place[i]) continue;
            e->entries[e->entries_count++] = i;
            place[i] = e->entries_count;
        }
    }
    free(place);
    return RIDE_OK;
}

static ride_status make_engine(ride_cpu_ensemble *e, uint32_t m, ride_cpu_isa isa, ride_error *err) {
    const ride_member_view *member = &e->members[m];
    engine *g = &e->engines[m];
    g->columns = calloc((size_t)member->inputs_count + 1, sizeof *g->columns);
    if (g->columns == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a member");
    if (member->network.header != NULL) {
        RIDE_TRY(ride_cpu_network_create(&member->network, isa, &g->network, err));
        const size_t bytes = ride_cpu_network_scratch_bytes(g->network);
        if (bytes > e->engines_bytes) e->engines_bytes = bytes;
    }
    if (member->forest.header != NULL) {
        RIDE_TRY(ride_cpu_forest_create(&member->forest, isa, &g->forest, err));
        const size_t bytes = ride_cpu_forest_scratch_bytes(g->forest);
        if (bytes > e->engines_bytes) e->engines_bytes = bytes;
    }
    g->link = g->forest != NULL ? ride_link_of(member->forest.header) : ride_link_of_network(member->network.header);
    return RIDE_OK;
}

static void compare_columns(const ride_cpu_ensemble *e, engine *g) {
    const uint32_t *tested;
    if (g->network != NULL || g->forest == NULL) return;
    const uint32_t tested_count = ride_cpu_forest_inputs(g->forest, &tested);
    g->as_they_are = tested_count <= e->entries_count;
    for (uint32_t i = 0; i < tested_count && g->as_they_are; i++) g->as_they_are = g->columns[tested[i]] == i;
}

static bool is_forest_alone(const ride_cpu_ensemble *e, uint32_t m) {
    return e->engines[m].forest != NULL && e->engines[m].network == NULL;
}

/* Members from `first` on that go with it become one forest, if that is faster. */
static ride_status joint_make(ride_cpu_ensemble *e, uint32_t first, ride_joint_member *members, ride_cpu_isa isa,
                              ride_error *err) {
    const uint32_t all = e->parts.view.header->members_count, number = e->joints_count + 1;
    uint32_t count = 0;
    for (uint32_t m = first; m < all; m++) {
        engine *g = &e->engines[m];
        if (g->joint != 0 || !is_forest_alone(e, m) ||
            !ride_cpu_joint_fits(&e->members[first].forest, &e->members[m].forest))
            continue;
        members[count++] = (ride_joint_member){&e->members[m].forest, g->columns, g->forest};
        g->joint = number;
    }
    joint_forest *j = &e->joints[e->joints_count];
    if (count > 1) RIDE_TRY(ride_cpu_joint_create(members, count, e->entries_count, isa, &j->forest, err));
    if (j->forest == NULL) { /* not again with the others of its kind either */
        for (uint32_t m = first; m < all; m++)
            if (e->engines[m].joint == number) e->engines[m].joint = UINT32_MAX;
        return RIDE_OK;
    }
    e->joints_count++;
    const ride_cpu_forest *forest = ride_cpu_joint_forest(j->forest);
    const uint32_t *tested, tested_count = ride_cpu_forest_inputs(forest, &tested);
    j->outputs_count = ride_cpu_joint_header(j->forest)->outputs_count;
    j->as_they_are = true;
    for (uint32_t i = 0; i < tested_count && j->as_they_are; i++) j->as_they_are = tested[i] == i;
    const size_t bytes = ride_cpu_forest_scratch_bytes(forest);
    if (bytes > e->engines_bytes) e->engines_bytes = bytes;
    if (j->outputs_count > e->width_max) e->width_max = j->outputs_count;
    if (tested_count > e->width_max) e->width_max = tested_count;
    return RIDE_OK;
}

static ride_status joints_make(ride_cpu_ensemble *e, ride_cpu_isa isa, ride_error *err) {
    const ride_ensemble_header *h = e->parts.view.header;
    if (h->combine == RIDE_COMBINE_CASCADE || h->combine == RIDE_COMBINE_SEGMENT) return RIDE_OK;
    e->joints = calloc((size_t)h->members_count + 1, sizeof *e->joints);
    ride_joint_member *members = calloc((size_t)h->members_count + 1, sizeof *members);
    ride_status st = e->joints != NULL && members != NULL
                         ? RIDE_OK
                         : ride_fail(err, RIDE_E_MEMORY, "no memory for %u members", h->members_count);
    for (uint32_t m = 0; m < h->members_count && st == RIDE_OK; m++)
        if (e->engines[m].joint == 0 && is_forest_alone(e, m)) st = joint_make(e, m, members, isa, err);
    for (uint32_t m = 0; m < h->members_count; m++)
        if (e->engines[m].joint == UINT32_MAX) e->engines[m].joint = 0;
    free(members);
    return st;
}

static ride_status make(ride_cpu_ensemble *e, const ride_bundle *bundle, ride_cpu_isa isa, ride_error *err) {
    ride_ensemble_view view;
    RIDE_TRY(ride_ensemble_open(bundle, &view, err));
    e->engines_count = ride_ensemble_parts_count(&view);
    e->members = calloc(e->engines_count, sizeof *e->members);
    e->engines = calloc(e->engines_count, sizeof *e->engines);
    if (e->members == NULL || e->engines == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory for %u members", e->engines_count);
    ride_ensemble_parts_of(bundle, &view, e->members, &e->parts);
    e->width_max = e->parts.width_max;
    uint32_t first = 0;
    for (uint32_t m = 0; m < e->engines_count; m++) {
        RIDE_TRY(make_engine(e, m, isa, err));
        e->engines[m].answers_first = first;
        first += e->members[m].outputs_count;
        if (e->members[m].outputs_count > e->width_max) e->width_max = e->members[m].outputs_count;
    }
    RIDE_TRY(find_entries(e, err));
    for (uint32_t m = 0; m < e->parts.view.header->members_count; m++) compare_columns(e, &e->engines[m]);
    return joints_make(e, isa, err);
}

ride_status ride_cpu_ensemble_create(const ride_bundle *bundle, ride_cpu_isa isa, ride_cpu_ensemble **out,
                                     ride_error *err) {
    *out = NULL;
    ride_cpu_ensemble *e = calloc(1, sizeof *e);
    if (e == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for an ensemble");
    e->bundle = bundle;
    e->isa = isa;
    const ride_status st = make(e, bundle, isa, err);
    if (st == RIDE_OK) *out = e;
    else ride_cpu_ensemble_destroy(e);
    return st;
}

void ride_cpu_ensemble_destroy(ride_cpu_ensemble *e) {
    if (e == NULL) return;
    for (uint32_t m = 0; e->engines != NULL && m < e->engines_count; m++) {
        ride_cpu_network_destroy(e->engines[m].network);
        ride_cpu_forest_destroy(e->engines[m].forest);
        free(e->engines[m].columns);
    }
    for (uint32_t j = 0; e->joints != NULL && j < e->joints_count; j++) ride_cpu_joint_destroy(e->joints[j].forest);
    free(e->joints);
    free(e->engines);
    free(e->members);
    free(e->entries);
    free(e);
}

const ride_ensemble_parts *ride_cpu_ensemble_parts(const ride_cpu_ensemble *e) { return &e->parts; }
const char *ride_cpu_ensemble_name(const ride_cpu_ensemble *e, uint32_t member) {
    return ride_bundle_string(e->bundle, e->parts.view.members[member].name_offset);
}
const ride_cpu_forest *ride_cpu_ensemble_forest(const ride_cpu_ensemble *e, uint32_t member) {
    return e->engines[member].forest;
}
const ride_cpu_forest *ride_cpu_ensemble_joint(const ride_cpu_ensemble *e, uint32_t member) {
    const uint32_t joint = e->engines[member].joint;
    return joint > 0 ? ride_cpu_joint_forest(e->joints[joint - 1].forest) : NULL;
}
uint32_t ride_cpu_ensemble_entries(const ride_cpu_ensemble *e, const uint32_t **entries) {
    *entries = e->entries;
    return e->entries_count;
}

/* ---- scratch ---- */

/* Where things lie in it. Columns have ROWS numbers. */
typedef struct workroom {
    double *answers, *margins; /* of all members, row-major */
    double *subset;            /* columns of x of the rows that are asked */
    double *inputs;            /* columns of a member: its own, or the network's before its forest */
    double *outputs;           /* of an engine: columns of a network, rows of a forest */
    uint32_t *rows;            /* which rows are asked */
    uint8_t *engine, *end;
} workroom;

static workroom room_of(const ride_cpu_ensemble *e, void *scratch) {
    const size_t column = ROWS * sizeof(double);
    const size_t answers = ride_whole_lines(e->parts.view.header->answers_count * column), width = e->width_max + 1;
    uint8_t *at = scratch;
    workroom r;
    r.answers = (double *)(void *)at;
    at += answers;
    r.margins = (double *)(void *)at;
    at += answers;
    r.subset = (double *)(void *)at;
    at += e->entries_count * column;
    r.inputs = (double *)(void *)at;
    at += width * column;
    r.outputs = (double *)(void *)at;
    at += width * column;
    r.rows = (uint32_t *)(void *)at;
    at += ride_whole_lines(ROWS * sizeof(uint32_t));
    r.engine = at;
    r.end = at + ride_whole_lines(e->engines_bytes);
    return r;
}

size_t ride_cpu_ensemble_scratch_bytes(const ride_cpu_ensemble *e) {
    uint8_t *const begin = (uint8_t *)(uintptr_t)64; /* only distances matter */
    const workroom r = room_of(e, begin);
    return (size_t)(r.end - begin);
}

const double *ride_cpu_ensemble_answers(const ride_cpu_ensemble *e, const void *scratch) {
    (void)e;
    return scratch;
}

const double *ride_cpu_ensemble_margins(const ride_cpu_ensemble *e, const void *scratch) {
    return (const double *)scratch +
           ride_whole_lines(e->parts.view.header->answers_count * ROWS * sizeof(double)) / sizeof(double);
}

/* ---- scoring ---- */

/* Some rows at once, so that their lines are still near for the next column. */
enum { TURN_ROWS = 16 };
ride_cpu_columns ride_cpu_ensemble_turn(const ride_cpu_ensemble *e, const ride_cpu_matrix *matrix, size_t first,
                                        size_t count, void *x) {
    const ride_cpu_columns columns = {x, matrix->number, ROWS};
    const ptrdiff_t step = matrix->row_stride;
    const bool is_float = matrix->number == RIDE_FOREST_F32;
    if (is_float && matrix->column_stride == 1 && e->isa >= RIDE_CPU_AVX512) {
        forest_turn_avx512(e->entries, e->entries_count, matrix, NULL, first, (uint32_t)count, x);
        return columns;
    }
    for (size_t begin = 0; begin < count; begin += TURN_ROWS) {
        const size_t end = begin + TURN_ROWS < count ? begin + TURN_ROWS : count;
        for (uint32_t i = 0; i < e->entries_count; i++) {
            const ptrdiff_t at = (ptrdiff_t)first * step + (ptrdiff_t)e->entries[i] * matrix->column_stride;
            const float *floats = (const float *)matrix->x + at;
            const double *doubles = (const double *)matrix->x + at;
            const size_t to = (size_t)i * ROWS;
            for (size_t r = begin; r < end && is_float; r++) ((float *)x)[to + r] = floats[(ptrdiff_t)r * step];
            for (size_t r = begin; r < end && !is_float; r++) ((double *)x)[to + r] = doubles[(ptrdiff_t)r * step];
        }
    }
    const size_t whole = (count + RIDE_CPU_FOREST_STRIDE - 1) / RIDE_CPU_FOREST_STRIDE * RIDE_CPU_FOREST_STRIDE;
    const size_t value = is_float ? sizeof(float) : sizeof(double);
    for (uint32_t i = 0; i < e->entries_count && whole > count; i++)
        memset((uint8_t *)x + ((size_t)i * ROWS + count) * value, 0, (whole - count) * value);
    return columns;
}

/* Where a member's inputs are: columns of x by number (columns NULL: input i is column i), of the stacker answers first. */
typedef struct feed {
    const void *x; /* floats or doubles, ROWS apart */
    bool is_float;
    const uint32_t *columns;
    const double *answers; /* row-major */
    uint32_t answers_count;
    uint32_t rows_count;
} feed;

/* The column of an input within x; ANSWER: it is one. */
#define ANSWER UINT32_MAX
static uint32_t column_of(const feed *f, uint32_t input) {
    const uint32_t column = f->columns != NULL ? f->columns[input] : input;
    if (f->answers == NULL) return column;
    return column < f->answers_count ? ANSWER : column - f->answers_count;
}

static void feed_column(const feed *f, uint32_t input, double *to) {
    const uint32_t column = column_of(f, input);
    if (column == ANSWER)
        for (uint32_t r = 0; r < f->rows_count; r++)
            to[r] = f->answers[(size_t)r * f->answers_count + f->columns[input]];
    else if (!f->is_float) memcpy(to, (const double *)f->x + (size_t)column * ROWS, f->rows_count * sizeof *to);
    else
        for (uint32_t r = 0; r < f->rows_count; r++) to[r] = (double)((const float *)f->x)[(size_t)column * ROWS + r];
}

/* Likewise as floats. */
static void feed_floats(const feed *f, uint32_t input, float *to) {
    const uint32_t column = column_of(f, input);
    if (column != ANSWER && f->is_float) {
        memcpy(to, (const float *)f->x + (size_t)column * ROWS, f->rows_count * sizeof *to);
        return;
    }
    double doubles[ROWS];
    feed_column(f, input, doubles);
    for (uint32_t r = 0; r < f->rows_count; r++) to[r] = (float)doubles[r];
}

/* The inputs that a forest tests, as its number (floats as they are: they are doubles too), and its margins row by row. as_they_are: of engine. */
static void forest_rows(const ride_cpu_ensemble *e, const ride_cpu_forest *forest, uint32_t input_number,
                        bool as_they_are, const feed *f, const workroom *room) {
    double *const to = room->inputs, *const margins = room->outputs;
    uint8_t *const scratch = room->engine;
    const uint32_t *tested, tested_count = ride_cpu_forest_inputs(forest, &tested), count = f->rows_count;
    const uint32_t whole = (count + RIDE_CPU_FOREST_STRIDE - 1) / RIDE_CPU_FOREST_STRIDE * RIDE_CPU_FOREST_STRIDE;
    const bool is_float = input_number == RIDE_FOREST_F32 || (f->is_float && f->answers == NULL);
    if (as_they_are && is_float == f->is_float) {
        const ride_cpu_columns columns = {f->x, is_float ? RIDE_FOREST_F32 : RIDE_FOREST_F64, ROWS};
        ride_cpu_forest_columns(forest, scratch, &columns, count, margins);
        return;
    }
    RIDE_ASSERT(tested_count <= e->width_max);
    for (uint32_t i = 0; i < tested_count; i++) {
        double *doubles = to + (size_t)i * ROWS;
        float *floats = (float *)to + (size_t)i * ROWS;
        if (is_float) feed_floats(f, tested[i], floats);
        else feed_column(f, tested[i], doubles);
        if (is_float) memset(floats + count, 0, (whole - count) * sizeof *floats);
        else memset(doubles + count, 0, (whole - count) * sizeof *doubles);
    }
    const ride_cpu_columns columns = {to, is_float ? RIDE_FOREST_F32 : RIDE_FOREST_F64, ROWS};
    ride_cpu_forest_columns(forest, scratch, &columns, count, margins);
}

/* A member's network. Its inputs are read where they are; a stacker's are brought together first. */
static void network_rows(const ride_cpu_network *network, uint32_t inputs_count, const feed *f, const workroom *room) {
    ride_cpu_columns columns = {f->x, f->is_float ? RIDE_FOREST_F32 : RIDE_FOREST_F64, ROWS};
    const uint32_t *which = f->columns;
    if (f->answers != NULL) {
        for (uint32_t i = 0; i < inputs_count; i++) feed_column(f, i, room->inputs + (size_t)i * ROWS);
        columns = (ride_cpu_columns){room->inputs, RIDE_FOREST_F64, ROWS};
        which = NULL;
    }
    ride_cpu_network_columns(network, room->engine, &columns, which, f->rows_count, room->outputs, ROWS);
}

/* Where an engine has left a member's numbers: of output o and row r at[r * row + o * output]. */
typedef struct found {
    const double *at;
    size_t row, output;
} found;

/* Margins and answers, calibrated, of one member go to row rows[r] (NULL: r) of `margins` and `answers`, whose rows have `stride` numbers. */
static void member_end(const ride_cpu_ensemble *e, uint32_t m, const workroom *room, found from, uint32_t count,
                       const uint32_t *rows, double *margins, double *answers, uint32_t stride) {
    const engine *g = &e->engines[m];
    const uint32_t outputs = e->members[m].outputs_count;
    const ride_calibration *calibration = &e->parts.view.members[m].calibration;
    const bool is_rounded = g->forest == NULL;
    double *const answer = room->inputs; /* no engine is at work */
    for (uint32_t r = 0; r < count; r++) {
        const size_t at = (size_t)(rows != NULL ? rows[r] : r) * stride;
        for (uint32_t o = 0; o < outputs; o++) {
            const double x = from.at[r * from.row + o * from.output];
            margins[at + o] = ride_one_nan(is_rounded ? ride_forest_input(x, g->link.number) : x);
        }
        if (outputs == 1) answer[r] = margins[at];
        else ride_member_end(&g->link, calibration, e->parts.view.numbers, margins + at, answers + at);
    }
    if (outputs != 1) return;
    ride_cpu_link_rows(e->isa, &g->link, answer, count);
    for (uint32_t r = 0; r < count; r++) {
        const size_t at = (size_t)(rows != NULL ? rows[r] : r) * stride;
        if (calibration->kind != RIDE_CALIBRATION_NONE)
            answer[r] = ride_calibrate_row(calibration, e->parts.view.numbers, margins[at], answer[r]);
        answers[at] = ride_one_nan(answer[r]);
    }
}

/* One member over the rows of a feed; the rest as member_end has it. */
static void member_rows(const ride_cpu_ensemble *e, uint32_t m, const workroom *room, const feed *f,
                        const uint32_t *rows, double *margins, double *answers, uint32_t stride) {
    const engine *g = &e->engines[m];
    const ride_member_view *member = &e->members[m];
    found from = {room->outputs, 1, ROWS};
    feed own = *f;
    own.columns = g->columns;
    if (g->network != NULL) {
        network_rows(g->network, member->inputs_count, &own, room);
        own = (feed){.x = room->outputs, .rows_count = f->rows_count};
    }
    if (g->forest != NULL) {
        forest_rows(e, g->forest, member->forest.header->input_number, g->as_they_are, &own, room);
        from = (found){room->outputs, member->outputs_count, 1};
    }
    member_end(e, m, room, from, f->rows_count, rows, margins, answers, stride);
}

/* The members of a joint forest over all rows. */
static void joint_rows(const ride_cpu_ensemble *e, uint32_t number, const workroom *room, const feed *all) {
    const joint_forest *j = &e->joints[number];
    const uint32_t stride = e->parts.view.header->answers_count;
    found from = {room->outputs, j->outputs_count, 1};
    forest_rows(e, ride_cpu_joint_forest(j->forest), ride_cpu_joint_header(j->forest)->input_number, j->as_they_are,
                all, room);
    for (uint32_t m = 0; m < e->parts.view.header->members_count; m++) {
        if (e->engines[m].joint != number + 1) continue;
        const uint32_t first = e->engines[m].answers_first;
        member_end(e, m, room, from, all->rows_count, NULL, room->margins + first, room->answers + first, stride);
        from.at += e->members[m].outputs_count;
    }
}

/* The columns of the rows that are asked, one behind the other, zeros behind them. */
static feed subset_of(const ride_cpu_ensemble *e, const workroom *room, const feed *all, uint32_t count) {
    const uint32_t whole = (count + RIDE_CPU_FOREST_STRIDE - 1) / RIDE_CPU_FOREST_STRIDE * RIDE_CPU_FOREST_STRIDE;
    for (uint32_t i = 0; i < e->entries_count; i++) {
        const size_t at = (size_t)i * ROWS;
        float *floats = (float *)room->subset + at;
        double *doubles = room->subset + at;
        for (uint32_t r = 0; r < count && all->is_float; r++) floats[r] = ((const float *)all->x)[at + room->rows[r]];
        for (uint32_t r = 0; r < count && !all->is_float; r++)
            doubles[r] = ((const double *)all->x)[at + room->rows[r]];
        if (all->is_float) memset(floats + count, 0, (whole - count) * sizeof *floats);
        else memset(doubles + count, 0, (whole - count) * sizeof *doubles);
    }
    return (feed){.x = room->subset, .is_float = all->is_float, .rows_count = count};
}

static double segment_value(const ride_cpu_ensemble *e, const feed *all, uint32_t row) {
    const size_t at = (size_t)e->segment_column * ROWS + row;
    return all->is_float ? (double)((const float *)all->x)[at] : ((const double *)all->x)[at];
}

/* Member m for the rows of room->rows; all rows when it is all of them. */
static void some_rows(const ride_cpu_ensemble *e, uint32_t m, const workroom *room, const feed *all, const feed *some) {
    const uint32_t stride = e->parts.view.header->answers_count, first = e->engines[m].answers_first;
    const bool is_all = some->rows_count == all->rows_count;
    if (some->rows_count > 0)
        member_rows(e, m, room, is_all ? all : some, is_all ? NULL : room->rows, room->margins + first,
                    room->answers + first, stride);
}

static void cascade_rows(const ride_cpu_ensemble *e, const workroom *room, const feed *all) {
    const ride_ensemble_header *h = e->parts.view.header;
    const uint32_t stride = h->answers_count;
    member_rows(e, 0, room, all, NULL, room->margins, room->answers, stride);
    uint32_t count = 0;
    for (uint32_t r = 0; r < all->rows_count; r++) {
        double *answers = room->answers + (size_t)r * stride;
        if (ride_cascade_asks(h, answers[0])) room->rows[count++] = r;
        else
            for (uint32_t m = 1; m < h->members_count; m++) answers[m] = ride_f64_null();
    }
    const feed some = subset_of(e, room, all, count);
    for (uint32_t m = 1; m < h->members_count; m++) some_rows(e, m, room, all, &some);
}

static void segment_rows(const ride_cpu_ensemble *e, const workroom *room, const feed *all) {
    const ride_ensemble_header *h = e->parts.view.header;
    for (size_t i = 0; i < (size_t)all->rows_count * h->answers_count; i++) room->answers[i] = ride_f64_null();
    for (uint32_t m = 0; m < h->members_count; m++) {
        uint32_t count = 0;
        for (uint32_t r = 0; r < all->rows_count; r++)
            if (ride_segment_row(&e->parts.view, segment_value(e, all, r)) == m) room->rows[count++] = r;
        const feed some = subset_of(e, room, all, count);
        some_rows(e, m, room, all, &some);
    }
}

void ride_cpu_ensemble_columns(const ride_cpu_ensemble *e, void *scratch, const ride_cpu_columns *columns,
                               uint32_t rows_count, double *margins, double *answers) {
    RIDE_ASSERT(rows_count > 0 && rows_count <= ROWS && columns->stride == ROWS);
    const ride_ensemble_header *h = e->parts.view.header;
    const workroom room = room_of(e, scratch);
    const uint32_t stride = h->answers_count, outputs = h->outputs_count;
    const feed all = {.x = columns->x, .is_float = columns->number == RIDE_FOREST_F32, .rows_count = rows_count};
    if (h->combine == RIDE_COMBINE_CASCADE) cascade_rows(e, &room, &all);
    else if (h->combine == RIDE_COMBINE_SEGMENT) segment_rows(e, &room, &all);
    else {
        const bool joins = rows_count >= JOINT_ROWS;
        for (uint32_t j = 0; joins && j < e->joints_count; j++) joint_rows(e, j, &room, &all);
        for (uint32_t m = 0; m < h->members_count; m++)
            if (!joins || e->engines[m].joint == 0) some_rows(e, m, &room, &all, &all);
    }
    if (h->has_stacker) {
        feed stacked = all;
        stacked.answers = room.answers;
        stacked.answers_count = stride;
        member_rows(e, h->members_count, &room, &stacked, NULL, margins, answers, outputs);
        for (uint32_t r = 0; r < rows_count; r++)
            ride_combine_end(&e->parts.view, margins + (size_t)r * outputs, answers + (size_t)r * outputs);
        ride_ensemble_end(rows_count * outputs, margins, answers);
        return;
    }
    for (uint32_t r = 0; r < rows_count; r++)
        ride_combine_row(&e->parts.view, room.margins + (size_t)r * stride, room.answers + (size_t)r * stride,
                         h->combine == RIDE_COMBINE_SEGMENT ? segment_value(e, &all, r) : 0.0,
                         margins + (size_t)r * outputs, answers + (size_t)r * outputs);
    ride_ensemble_end(rows_count * outputs, margins, answers);
}
