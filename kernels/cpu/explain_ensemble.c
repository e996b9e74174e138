/* kernels/cpu/explain_ensemble.c: the members' shares of their margins to shares of the combination's. */
#include "kernels/cpu/explain_internal.h"
#include "kernels/cpu/matrix.h"
#include "kernels/cpu/quadrature.h"
#include "kernels/cpu/scratch.h"
#include "kernels/row/ensemble.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SOFTMAX_POINTS = 16 };

struct explain_ensemble {
    const ride_cpu_ensemble *engine;
    const ride_ensemble_parts *parts;
    explain_member *members; /* the stacker last */
    uint32_t members_count;  /* it included */
    uint32_t rows_most;      /* of a block */
    bool is_direct;          /* the margin is a member's own */
    uint32_t *answers_first; /* of each member, among all answers */
    double *expected;        /* what each answer brings where all margins are the expected ones */
    double points[SOFTMAX_POINTS], weights[SOFTMAX_POINTS];
};

/* ---- what a member's margin brings to the combination ---- */

typedef struct bringing {
    const ride_ensemble_view *view;
    const ride_ensemble_member *member;
    ride_link link; /* of one output */
} bringing;

static ride_link link_of(const ride_member_view *view) {
    return view->forest.header != NULL ? ride_link_of(view->forest.header) : ride_link_of_network(view->network.header);
}

static bool mixes_outputs(const ride_link *link) {
    return link->outputs_count > 1 &&
           (link->link == RIDE_FOREST_LINK_SOFTMAX || link->link == RIDE_FOREST_LINK_SOFTMAX_ZERO);
}

static bringing bringing_of(const explain_ensemble *e, uint32_t m) {
    bringing b = {&e->parts->view, &e->parts->view.members[m], link_of(&e->parts->members[m])};
    b.link.outputs_count = 1;
    return b;
}

/* Of a member whose outputs do not depend on each other: explain_fn. */
static double bring(const void *context, double margin) {
    const bringing *b = context;
    double answer;
    ride_member_end(&b->link, &b->member->calibration, b->view->numbers, &margin, &answer);
    return ride_contribution_row(b->view, b->member, &answer, 0);
}

/* ---- making ---- */

static ride_status member_fail(const explain_ensemble *e, uint32_t m, ride_error *err) {
    char what[sizeof err->what];
    const ride_status st = err->status;
    if (e->members_count == 1 || st == RIDE_E_MEMORY) return st;
    const char *name = ride_cpu_ensemble_name(e->engine, m);
    const int begin = *name != '\0' ? snprintf(what, sizeof what, "member %.40s: ", name)
                                    : snprintf(what, sizeof what, "member %u: ", m + 1);
    snprintf(what + begin, sizeof what - (size_t)begin, "%.*s", (int)sizeof what - begin - 1, err->what);
    memcpy(err->what, what, sizeof what);
    return st;
}

static double value_of(const ride_cpu_matrix *matrix, size_t row, uint32_t input) {
    const ptrdiff_t at = (ptrdiff_t)row * matrix->row_stride + (ptrdiff_t)input * matrix->column_stride;
    return matrix->number == RIDE_FOREST_F32 ? (double)((const float *)matrix->x)[at] : ((const double *)matrix->x)[at];
}

static void rows_of(const ride_member_view *view, const ride_cpu_matrix *matrix, const uint32_t *rows, size_t first,
                    uint32_t count, double *x) {
    for (uint32_t r = 0; r < count; r++)
        for (uint32_t i = 0; i < view->inputs_count; i++)
            *x++ = value_of(matrix, first + (rows != NULL ? rows[r] : r), view->inputs[i]);
}

/* The stacker's rows of background rows, by the plain walk. */
static ride_status stacker_background(const explain_ensemble *e, const ride_rows *background, double *x,
                                      ride_error *err) {
    const ride_ensemble_header *h = e->parts->view.header;
    const ride_member_view *stacker = &e->parts->members[h->members_count];
    const ride_cpu_matrix matrix = ride_cpu_matrix_of(background, 0);
    double *row =
        calloc(h->inputs_count + 2 * (size_t)h->outputs_count + ride_ensemble_row_scratch(e->parts) + 1, sizeof *row);
    if (row == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for background rows");
    double *margins = row + h->inputs_count, *answers = margins + h->outputs_count,
           *scratch = answers + h->outputs_count;
    for (size_t r = 0; r < background->rows_count; r++) {
        for (uint32_t i = 0; i < h->inputs_count; i++) row[i] = value_of(&matrix, r, i);
        ride_ensemble_row(e->parts, row, scratch, margins, answers);
        for (uint32_t j = 0; j < stacker->inputs_count; j++) {
            const uint32_t from = stacker->inputs[j];
            *x++ = from < h->answers_count ? scratch[from] : row[from - h->answers_count];
        }
    }
    free(row);
    return RIDE_OK;
}

/* Baselines of the stacker's inputs: the answers where all margins are the expected ones, the background's means. */
static void given_make(const explain_ensemble *e, const ride_rows *background, double *given) {
    const ride_member_view *stacker = &e->parts->members[e->members_count - 1];
    const uint32_t answers = e->parts->view.header->answers_count;
    for (uint32_t i = 0; i < stacker->inputs_count; i++) {
        const uint32_t from = stacker->inputs[i];
        given[i] = from < answers ? e->expected[from] : (double)NAN;
        if (from < answers || background == NULL) continue;
        const ride_cpu_matrix matrix = ride_cpu_matrix_of(background, 0);
        double sum = 0.0, count = 0.0;
        for (size_t r = 0; r < background->rows_count; r++) {
            const double x = value_of(&matrix, r, from - answers);
            if (isfinite(x)) sum += x, count += 1.0;
        }
        given[i] = sum / count; /* 0 / 0 = none */
    }
}

static ride_status member_make(explain_ensemble *e, uint32_t m, ride_cpu_isa isa, const ride_explainer_options *options,
                               uint64_t bytes_max, uint64_t whole_bytes_max, ride_error *err) {
    const ride_member_view *view = &e->parts->members[m];
    const bool is_stacker = m == e->parts->view.header->members_count;
    const ride_rows *background = options->background;
    explain_wish wish = {.bytes_max = bytes_max, .whole_bytes_max = whole_bytes_max, .rows_most = e->rows_most};
    const bool by_trees = view->forest.header != NULL;
    const size_t rows = background != NULL && (!is_stacker || by_trees) ? background->rows_count : 1;
    double *x = calloc(rows * view->inputs_count + 1, sizeof *x);
    ride_status st = x != NULL ? RIDE_OK : ride_fail(err, RIDE_E_MEMORY, "no memory for background rows");
    if (st == RIDE_OK && is_stacker && !by_trees) {
        given_make(e, background, x);
        wish.given = x;
    } else if (st == RIDE_OK && background != NULL) {
        const ride_cpu_matrix matrix = ride_cpu_matrix_of(background, 0);
        if (is_stacker) st = stacker_background(e, background, x, err);
        else rows_of(view, &matrix, NULL, 0, (uint32_t)rows, x);
        wish.background = x;
        wish.background_rows = (uint32_t)rows;
    }
    if (st == RIDE_OK) st = explain_member_create(view, isa, &wish, &e->members[m], err);
    free(x);
    return st;
}

static void points_make(explain_ensemble *e) {
    double nodes[SOFTMAX_POINTS * (SOFTMAX_POINTS + 1) / 2], weights[SOFTMAX_POINTS * (SOFTMAX_POINTS + 1) / 2];
    ride_quadratures(SOFTMAX_POINTS, nodes, weights);
    memcpy(e->points, nodes + ride_quadrature_first(SOFTMAX_POINTS), sizeof e->points);
    memcpy(e->weights, weights + ride_quadrature_first(SOFTMAX_POINTS), sizeof e->weights);
}

/* What the member's answers bring at its expected margins. */
static ride_status expected_make(explain_ensemble *e, uint32_t m, ride_error *err) {
    const bringing b = bringing_of(e, m);
    const ride_link link = link_of(&e->parts->members[m]);
    double *to = e->expected + e->answers_first[m];
    if (mixes_outputs(&link)) {
        points_make(e);
        memcpy(to, e->members[m].expected, link.outputs_count * sizeof *to);
        ride_link_apply(to, &link);
    } else
        for (uint32_t o = 0; o < link.outputs_count; o++) to[o] = bring(&b, e->members[m].expected[o]);
    for (uint32_t o = 0; o < link.outputs_count; o++)
        if (!isfinite(to[o]))
            return ride_fail(err, RIDE_E_UNSUPPORTED, "the expected margin %.9g becomes no number",
                             e->members[m].expected[o]);
    return RIDE_OK;
}

static ride_status kind_check(const explain_ensemble *e, ride_error *err) {
    const ride_ensemble_header *h = e->parts->view.header;
    ride_status st = RIDE_OK;
    if (h->combine == RIDE_COMBINE_VOTE)
        st = ride_fail(err, RIDE_E_UNSUPPORTED, "a vote has no shares of inputs: its members only say yes or no");
    if (st != RIDE_OK) ride_error_advice(err, "explain its members one by one");
    return st;
}

static uint64_t nodes_of(const ride_member_view *view) {
    return view->forest.header != NULL ? view->forest.header->nodes_count : 0;
}

static ride_status make(explain_ensemble *e, ride_cpu_isa isa, const ride_explainer_options *options, ride_error *err) {
    enum { BYTES = 256 << 20, BYTES_LEAST = 16 << 20, VALUES = 1 << 17, ROWS_LEAST = 16, ROWS_MOST = 256 };
    const ride_ensemble_header *h = e->parts->view.header;
    uint64_t values = 1, nodes = 1, first = 0;
    RIDE_TRY(kind_check(e, err));
    e->members = calloc(e->members_count, sizeof *e->members);
    e->answers_first = calloc(e->members_count, sizeof *e->answers_first);
    e->expected = calloc((size_t)h->answers_count + 1, sizeof *e->expected);
    if (e->members == NULL || e->answers_first == NULL || e->expected == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory for %u members", e->members_count);
    for (uint32_t m = 0; m < e->members_count; m++) {
        const ride_member_view *view = &e->parts->members[m];
        const uint64_t own = ((uint64_t)view->inputs_count + 1) * view->outputs_count;
        if (own > values) values = own;
        nodes += nodes_of(view);
    }
    const uint64_t rows = VALUES / values, bytes = options->bytes_max > 0 ? options->bytes_max : BYTES,
                   whole = bytes > BYTES_LEAST ? bytes : BYTES_LEAST;
    e->rows_most = rows < ROWS_LEAST ? ROWS_LEAST : rows > ROWS_MOST ? ROWS_MOST : (uint32_t)rows;
    for (uint32_t m = 0; m < e->members_count; m++) {
        const double part = (double)nodes_of(&e->parts->members[m]) / (double)nodes;
        e->answers_first[m] = (uint32_t)first;
        first += e->parts->members[m].outputs_count;
        ride_explainer_figures held = {0};
        for (uint32_t k = 0; k < m; k++) explain_member_tell(&e->members[k], &held);
        const uint64_t left = held.bytes < whole ? whole - held.bytes : 1;
        ride_status st = member_make(e, m, isa, options, (uint64_t)(part * (double)bytes) + 1, left, err);
        if (st == RIDE_OK && !e->is_direct && m < h->members_count) st = expected_make(e, m, err);
        if (st != RIDE_OK) return member_fail(e, m, err);
    }
    return RIDE_OK;
}

ride_status explain_ensemble_create(const ride_cpu_ensemble *engine, ride_cpu_isa isa,
                                    const ride_explainer_options *options, explain_ensemble **out, ride_error *err) {
    *out = NULL;
    explain_ensemble *e = calloc(1, sizeof *e);
    if (e == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for an explainer");
    e->engine = engine;
    e->parts = ride_cpu_ensemble_parts(engine);
    e->members_count = ride_ensemble_parts_count(&e->parts->view);
    const uint32_t combine = e->parts->view.header->combine;
    e->is_direct = combine == RIDE_COMBINE_ONE || combine == RIDE_COMBINE_SEGMENT;
    const ride_status st = make(e, isa, options, err);
    if (st == RIDE_OK) *out = e;
    else explain_ensemble_destroy(e);
    return st;
}

void explain_ensemble_destroy(explain_ensemble *e) {
    if (e == NULL) return;
    for (uint32_t m = 0; e->members != NULL && m < e->members_count; m++) explain_member_free(&e->members[m]);
    free(e->members);
    free(e->answers_first);
    free(e->expected);
    free(e);
}

void explain_ensemble_tell(const explain_ensemble *e, ride_explainer_figures *out) {
    *out = (ride_explainer_figures){.bytes = sizeof *e};
    for (uint32_t m = 0; m < e->members_count; m++) explain_member_tell(&e->members[m], out);
}

/* ---- rows ---- */

/* What lies in scratch, each at a multiple of 64 bytes. */
typedef struct room {
    double *columns, *margins, *answers; /* of the engine's call */
    uint32_t *rows;                      /* that ask a member, within the block */
    double *x, *phi, *shares, *mixed;    /* of a member */
    double *stacked, *slopes;            /* of the stacker, for all rows */
    void *engine, *member;
    size_t bytes;
} room;

static room room_of(const explain_ensemble *e, void *base) {
    room r = {0};
    const ride_ensemble_header *h = e->parts->view.header;
    size_t inputs = 0, phi = 0, shares = 0, mixed = 0, member = 0;
    for (uint32_t m = 0; m < e->members_count; m++) {
        const ride_member_view *view = &e->parts->members[m];
        const ride_link link = link_of(view);
        const size_t outputs = view->outputs_count, in = view->inputs_count;
        if (in > inputs) inputs = in;
        if (outputs * (in + 1) > phi) phi = outputs * (in + 1);
        if (outputs * in > shares) shares = outputs * in;
        if (mixes_outputs(&link) && outputs * (outputs + 2) > mixed) mixed = outputs * (outputs + 2);
        const size_t own = explain_member_scratch_bytes(&e->members[m]);
        if (own > member) member = own;
    }
    const uint32_t *entries;
    const size_t rows = e->rows_most, size = sizeof(double);
    r.rows = ride_scratch_take(&r.bytes, base, rows * sizeof *r.rows);
    r.x = ride_scratch_take(&r.bytes, base, rows * inputs * size);
    r.phi = ride_scratch_take(&r.bytes, base, rows * phi * size);
    r.member = ride_scratch_take(&r.bytes, base, member);
    if (e->is_direct) return r;
    r.columns =
        ride_scratch_take(&r.bytes, base, ride_cpu_ensemble_entries(e->engine, &entries) * RIDE_CPU_FOREST_ROWS * size);
    r.margins = ride_scratch_take(&r.bytes, base, rows * h->outputs_count * size);
    r.answers = ride_scratch_take(&r.bytes, base, rows * h->outputs_count * size);
    r.shares = ride_scratch_take(&r.bytes, base, shares * size);
    r.mixed = ride_scratch_take(&r.bytes, base, mixed * size);
    if (h->has_stacker) {
        const ride_member_view *stacker = &e->parts->members[h->members_count];
        r.stacked =
            ride_scratch_take(&r.bytes, base, rows * stacker->outputs_count * (stacker->inputs_count + 1) * size);
        if (stacker->forest.header == NULL)
            r.slopes = ride_scratch_take(&r.bytes, base, rows * stacker->outputs_count * stacker->inputs_count * size);
    }
    r.engine = ride_scratch_take(&r.bytes, base, ride_cpu_ensemble_scratch_bytes(e->engine));
    return r;
}

size_t explain_ensemble_scratch_bytes(const explain_ensemble *e) { return room_of(e, NULL).bytes; }

/* Outputs that depend on each other: the mean of the softmax's gradient on the straight way from the expected margins to the row's. */
static void softmax_shares(const explain_ensemble *e, const ride_link *link, const double *phi, uint32_t inputs,
                           const double *answers, const double *expected, double *mixed, double *shares) {
    const uint32_t outputs = link->outputs_count;
    double *moves = mixed, *p = moves + outputs, *slopes = p + outputs;
    for (uint32_t o = 0; o < outputs; o++) {
        moves[o] = 0.0;
        for (uint32_t i = 0; i < inputs; i++) moves[o] += phi[o * (inputs + 1) + i];
    }
    memset(slopes, 0, (size_t)outputs * outputs * sizeof *slopes);
    const double scale = link->mean_of > 1 ? 1.0 / link->mean_of : 1.0;
    for (uint32_t q = 0; q < SOFTMAX_POINTS; q++) {
        for (uint32_t o = 0; o < outputs; o++)
            p[o] = scale * (phi[o * (inputs + 1) + inputs] + e->points[q] * moves[o]);
        ride_softmax_f64(p, outputs);
        for (uint32_t o = 0; o < outputs; o++)
            for (uint32_t k = 0; k < outputs; k++)
                slopes[o * outputs + k] += e->weights[q] * scale * p[o] * ((o == k ? 1.0 : 0.0) - p[k]);
    }
    for (uint32_t o = 0; o < outputs; o++) {
        double *to = shares + (size_t)o * inputs, sum = 0.0;
        memset(to, 0, inputs * sizeof *to);
        for (uint32_t k = 0; k < outputs; k++)
            for (uint32_t i = 0; i < inputs; i++) to[i] += slopes[o * outputs + k] * phi[k * (inputs + 1) + i];
        for (uint32_t i = 0; i < inputs; i++) sum += to[i];
        explain_spread(to, inputs, answers[o] - expected[o] - sum);
    }
}

/* Shares of what a row's member brings, from those of its margins. answers: all members' of the row. */
static void bring_shares(const explain_ensemble *e, uint32_t m, const double *phi, const double *answers,
                         const room *r) {
    const ride_link link = link_of(&e->parts->members[m]);
    const bringing b = bringing_of(e, m);
    const uint32_t inputs = e->parts->members[m].inputs_count, outputs = link.outputs_count;
    const double *own = answers + e->answers_first[m], *expected = e->expected + e->answers_first[m];
    if (mixes_outputs(&link)) {
        softmax_shares(e, &link, phi, inputs, own, expected, r->mixed, r->shares);
        return;
    }
    for (uint32_t o = 0; o < outputs; o++) {
        const double change = ride_contribution_row(b.view, b.member, own, o) - expected[o];
        explain_rescale(phi + (size_t)o * (inputs + 1), inputs, phi[(size_t)o * (inputs + 1) + inputs], change, bring,
                        &b, r->shares + (size_t)o * inputs);
    }
}

/* Does the row ask the member? answers: all members' of the row, where they are known. */
static bool asks(const explain_ensemble *e, uint32_t m, const ride_cpu_matrix *matrix, size_t row,
                 const double *answers) {
    const ride_ensemble_header *h = e->parts->view.header;
    if (h->combine == RIDE_COMBINE_SEGMENT)
        return ride_segment_row(&e->parts->view, value_of(matrix, row, h->segment_input)) == m;
    if (h->combine == RIDE_COMBINE_CASCADE) return ride_cascade_asks(h, answers[0]) == (m > 0);
    return true;
}

/* A member's shares of a row to those of the combination. */
static void row_add(const explain_ensemble *e, uint32_t m, const double *phi, const double *answers, const room *r,
                    uint32_t block_row, double *to) {
    const ride_ensemble_header *h = e->parts->view.header;
    const ride_member_view *view = &e->parts->members[m];
    const uint32_t inputs = view->inputs_count;
    const size_t each = (size_t)h->inputs_count + 1;
    if (e->is_direct) {
        for (uint32_t o = 0; o < h->outputs_count; o++, to += each, phi += inputs + 1) {
            for (uint32_t i = 0; i < inputs; i++) to[view->inputs[i]] += phi[i];
            to[h->inputs_count] = phi[inputs];
        }
        return;
    }
    bring_shares(e, m, phi, answers, r);
    if (!h->has_stacker) {
        const bool is_first = h->combine == RIDE_COMBINE_CASCADE && m == 0;
        const double weight = is_first ? 1.0 : e->parts->view.members[m].weight / h->weights_sum;
        for (uint32_t o = 0; o < h->outputs_count; o++, to += each) {
            const double *shares = r->shares + (size_t)o * inputs;
            for (uint32_t i = 0; i < inputs; i++) to[view->inputs[i]] += weight * shares[i];
            to[h->inputs_count] += weight * e->expected[e->answers_first[m] + o];
        }
        return;
    }
    const ride_member_view *stacker = &e->parts->members[h->members_count];
    for (uint32_t j = 0; j < stacker->inputs_count; j++) {
        const uint32_t from = stacker->inputs[j], own = from - e->answers_first[m];
        if (from < e->answers_first[m] || own >= view->outputs_count) continue;
        for (uint32_t o = 0; o < h->outputs_count; o++) {
            const size_t k = (size_t)block_row * h->outputs_count + o;
            const double *shares = r->shares + (size_t)own * inputs,
                         total = r->stacked[k * (stacker->inputs_count + 1) + j];
            if (r->slopes == NULL) explain_divide(shares, inputs, total, view->inputs, to + o * each);
            else
                explain_pass(shares, inputs, r->slopes[k * stacker->inputs_count + j], total, view->inputs,
                             to + o * each);
        }
    }
}

/* The stacker's shares of its inputs; those of the rows' own values are shares already. */
static void stacker_rows(const explain_ensemble *e, const room *r, const ride_cpu_matrix *matrix, size_t first,
                         uint32_t count, const double *answers, double *phi) {
    const ride_ensemble_header *h = e->parts->view.header;
    const ride_member_view *stacker = &e->parts->members[h->members_count];
    const uint32_t inputs = stacker->inputs_count;
    double *x = r->x;
    for (uint32_t row = 0; row < count; row++)
        for (uint32_t j = 0; j < inputs; j++) {
            const uint32_t from = stacker->inputs[j];
            *x++ = from < h->answers_count ? answers[(size_t)row * h->answers_count + from]
                                           : value_of(matrix, first + row, from - h->answers_count);
        }
    explain_member_rows(&e->members[h->members_count], r->member, r->x, count, r->stacked, r->slopes);
    for (size_t k = 0; k < (size_t)count * h->outputs_count; k++) {
        const double *from = r->stacked + k * (inputs + 1);
        double *to = phi + k * ((size_t)h->inputs_count + 1);
        for (uint32_t j = 0; j < inputs; j++)
            if (stacker->inputs[j] >= h->answers_count) to[stacker->inputs[j] - h->answers_count] += from[j];
        to[h->inputs_count] = from[inputs];
    }
}

static void block_rows(const explain_ensemble *e, const room *r, const ride_cpu_matrix *matrix, size_t first,
                       uint32_t count, double *phi) {
    const ride_ensemble_header *h = e->parts->view.header;
    const size_t each = (size_t)h->outputs_count * (h->inputs_count + 1);
    const double *answers = NULL;
    memset(phi, 0, count * each * sizeof *phi);
    if (!e->is_direct) {
        const ride_cpu_columns columns = ride_cpu_ensemble_turn(e->engine, matrix, first, count, r->columns);
        ride_cpu_ensemble_columns(e->engine, r->engine, &columns, count, r->margins, r->answers);
        answers = ride_cpu_ensemble_answers(e->engine, r->engine);
    }
    if (h->has_stacker) stacker_rows(e, r, matrix, first, count, answers, phi);
    for (uint32_t m = 0; m < h->members_count; m++) {
        const ride_member_view *view = &e->parts->members[m];
        const size_t own = (size_t)view->outputs_count * (view->inputs_count + 1);
        uint32_t asked = 0;
        for (uint32_t row = 0; row < count; row++)
            if (asks(e, m, matrix, first + row, answers != NULL ? answers + (size_t)row * h->answers_count : NULL))
                r->rows[asked++] = row;
        if (asked == 0) continue;
        rows_of(view, matrix, r->rows, first, asked, r->x);
        explain_member_rows(&e->members[m], r->member, r->x, asked, r->phi, NULL);
        for (uint32_t i = 0; i < asked; i++) {
            const uint32_t row = r->rows[i];
            row_add(e, m, r->phi + i * own, answers != NULL ? answers + (size_t)row * h->answers_count : NULL, r, row,
                    phi + row * each);
        }
    }
}

void explain_ensemble_rows(const explain_ensemble *e, void *scratch, const ride_cpu_matrix *matrix, size_t rows_count,
                           double *phi) {
    const room r = room_of(e, scratch);
    const ride_ensemble_header *h = e->parts->view.header;
    const size_t each = (size_t)h->outputs_count * (h->inputs_count + 1);
    for (size_t first = 0; first < rows_count; first += e->rows_most) {
        const size_t left = rows_count - first;
        block_rows(e, &r, matrix, first, left < e->rows_most ? (uint32_t)left : e->rows_most, phi + first * each);
    }
}
