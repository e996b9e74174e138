/* kernels/cpu/explain_gradient.c: the mean gradient of a network's outputs on the straight way from a baseline to a row (integrated gradients), in
 * doubles. Eight points of the way go through the steps side by side, and back.
 *
 * A unit that cuts off what is below zero makes the gradient jump where the way crosses its zero. Up to the first step that is neither linear nor such
 * a layer, everything between two crossings is linear, so the next layer's crossings are found exactly from its values at those before.
 * The way is cut there. When nothing else bends, the gradient of a piece is the same all along it, and the mean is exact. Else, and where there would be too
 * many pieces, a quadrature is done over each, and again over parts of those whose shares do not add up to what the outputs change over them: that is known from
 * the outputs at their ends. What a row takes is bounded by the walks there and back, of which a large network has fewer. */
#include "kernels/cpu/explain_internal.h"
#include "kernels/cpu/quadrature.h"
#include "kernels/row/network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LANES = 8,
    POINTS = LANES - 2, /* of a part, beside its ends */
    POINTS_ROOM = POINTS * (POINTS + 1) / 2,
    PARTS = 4, /* of a part that does not add up */
    CUTS_MOST = 1024,
    WALKS_MOST = 256, /* there and back, of LANES points, for a row */
    WALKS_LEAST = 16,
    WALKS_WORK = 1 << 22,       /* outputs times weights of them together: what a row takes */
    ROWS_BYTES_MOST = 64 << 20, /* of all rows of LANES points */
    GRADIENTS_MOST = 1 << 21,   /* outputs times inputs */
    WORK_MOST = 1 << 30,        /* outputs times weights */
};
static const double CLOSE = 1e-9; /* of the shares' sizes */
static const double LENGTH_LEAST =
    1e-6; /* of a part that is divided: where a way is of 1e30, points near its end are rounding */
typedef double lanes __attribute__((vector_size(64)));

struct explain_gradient {
    ride_network view;
    uint32_t first, steps_count, width, outputs_count;
    uint32_t widest;  /* row between two steps */
    size_t rows_room; /* numbers of all rows of a point */
    double *base;
    double *weights;     /* constant: the gradient; else NULL */
    uint32_t straight;   /* steps from the first on, of which every piece is linear */
    bool is_smooth;      /* other steps follow: quadratures over the pieces */
    uint32_t walks_most; /* of a row */
    uint32_t cuts_most;
    double nodes[POINTS_ROOM], shares[POINTS_ROOM];
};

static bool is_linear(const ride_network_step *step) {
    switch (step->kind) {
    case RIDE_STEP_SHIFT_SCALE:
    case RIDE_STEP_SHIFT_DIVIDE:
    case RIDE_STEP_SCALE_SHIFT:
    case RIDE_STEP_SELECT: return true;
    case RIDE_STEP_DENSE: return step->activation == RIDE_ACTIVATION_NONE;
    default: return false;
    }
}

/* ---- there ---- */

static double norm_of(const ride_network_step *step, const lanes *x, uint32_t lane, bool *is_zero) {
    double norm = 0.0;
    for (uint32_t i = 0; i < step->inputs; i++) norm = ride_norm_take(norm, x[i][lane], step->kind, RIDE_FOREST_F64);
    *is_zero = norm == 0.0;
    return ride_norm_end(norm, step->kind, RIDE_FOREST_F64);
}

static void activate(const ride_network_step *step, lanes *y) {
    if (step->activation == RIDE_ACTIVATION_NONE) return;
    for (uint32_t lane = 0; lane < LANES; lane++) {
        if (step->activation != RIDE_ACTIVATION_SOFTMAX) {
            for (uint32_t o = 0; o < step->outputs; o++)
                y[o][lane] = ride_activation_row(y[o][lane], step->activation, RIDE_FOREST_F64);
            continue;
        }
        double greatest = y[0][lane], sum = 0.0;
        for (uint32_t o = 1; o < step->outputs; o++)
            if (y[o][lane] > greatest) greatest = y[o][lane];
        for (uint32_t o = 0; o < step->outputs; o++) {
            y[o][lane] = ride_exp_row(y[o][lane] - greatest);
            sum += y[o][lane];
        }
        for (uint32_t o = 0; o < step->outputs; o++) y[o][lane] /= sum;
    }
}

static void dense(const double *a, const double *b, uint32_t inputs, uint32_t outputs, const lanes *x, lanes *y) {
    for (uint32_t o = 0; o < outputs; o++, a += inputs) {
        lanes sum = {0};
        if (b != NULL) sum += b[o];
        for (uint32_t i = 0; i < inputs; i++) sum += a[i] * x[i];
        y[o] = sum;
    }
}

static void step_there(const ride_network *network, const ride_network_step *step, const lanes *x, lanes *y) {
    const double *a = network->numbers + step->a_first, *b = network->numbers + step->b_first;
    bool is_zero;
    switch (step->kind) {
    case RIDE_STEP_IMPUTE:
        for (uint32_t i = 0; i < step->inputs; i++)
            for (uint32_t lane = 0; lane < LANES; lane++)
                y[i][lane] =
                    ride_impute_is_missing(x[i][lane], (int)step->has_b, step->has_b ? b[0] : 0.0) ? a[i] : x[i][lane];
        break;
    case RIDE_STEP_SHIFT_SCALE:
        for (uint32_t i = 0; i < step->inputs; i++) y[i] = (x[i] - a[i]) * b[i];
        break;
    case RIDE_STEP_SHIFT_DIVIDE:
        for (uint32_t i = 0; i < step->inputs; i++) y[i] = (x[i] - a[i]) / b[i];
        break;
    case RIDE_STEP_SCALE_SHIFT:
        for (uint32_t i = 0; i < step->inputs; i++) y[i] = x[i] * a[i] + b[i];
        break;
    case RIDE_STEP_NORMALIZE_MAX:
    case RIDE_STEP_NORMALIZE_L1:
    case RIDE_STEP_NORMALIZE_L2:
        for (uint32_t lane = 0; lane < LANES; lane++) {
            const double norm = norm_of(step, x, lane, &is_zero);
            for (uint32_t i = 0; i < step->inputs; i++) y[i][lane] = x[i][lane] / norm;
        }
        break;
    case RIDE_STEP_DENSE:
        dense(a, step->has_b ? b : NULL, step->inputs, step->outputs, x, y);
        activate(step, y);
        break;
    default:
        for (uint32_t o = 0; o < step->outputs; o++) y[o] = x[network->columns[step->columns_first + o]];
        break;
    }
}

/* ---- and back: from the gradient by y to that by x ---- */

static void normalize_back(const ride_network_step *step, const lanes *x, const lanes *y, const lanes *by_y,
                           lanes *by_x) {
    for (uint32_t lane = 0; lane < LANES; lane++) {
        bool is_zero, is_found = false;
        const double norm = norm_of(step, x, lane, &is_zero);
        double dot = 0.0;
        for (uint32_t i = 0; i < step->inputs; i++) dot += by_y[i][lane] * y[i][lane];
        for (uint32_t i = 0; i < step->inputs; i++) {
            const double sign = x[i][lane] < 0.0 ? -1.0 : x[i][lane] > 0.0 ? 1.0 : 0.0;
            double slope = sign; /* of the norm by x */
            if (step->kind == RIDE_STEP_NORMALIZE_L2) slope = y[i][lane];
            if (step->kind == RIDE_STEP_NORMALIZE_MAX) {
                slope = !is_found && sign * x[i][lane] == norm ? sign : 0.0;
                is_found = is_found || slope != 0.0;
            }
            by_x[i][lane] = (by_y[i][lane] - (is_zero ? 0.0 : slope * dot)) / norm;
        }
    }
}

static void activation_back(const ride_network_step *step, const lanes *y, lanes *by_y) {
    lanes dot = {0};
    switch (step->activation) {
    case RIDE_ACTIVATION_RELU:
        for (uint32_t o = 0; o < step->outputs; o++)
            for (uint32_t lane = 0; lane < LANES; lane++)
                if (!(y[o][lane] > 0.0)) by_y[o][lane] = 0.0;
        break;
    case RIDE_ACTIVATION_SIGMOID:
        for (uint32_t o = 0; o < step->outputs; o++) by_y[o] *= y[o] * (1.0 - y[o]);
        break;
    case RIDE_ACTIVATION_TANH:
        for (uint32_t o = 0; o < step->outputs; o++) by_y[o] *= 1.0 - y[o] * y[o];
        break;
    case RIDE_ACTIVATION_SOFTMAX:
        for (uint32_t o = 0; o < step->outputs; o++) dot += by_y[o] * y[o];
        for (uint32_t o = 0; o < step->outputs; o++) by_y[o] = y[o] * (by_y[o] - dot);
        break;
    default: break;
    }
}

/* by_y is changed. */
static void step_back(const ride_network *network, const ride_network_step *step, const lanes *x, const lanes *y,
                      lanes *by_y, lanes *by_x) {
    const double *a = network->numbers + step->a_first, *b = network->numbers + step->b_first;
    switch (step->kind) {
    case RIDE_STEP_IMPUTE:
        for (uint32_t i = 0; i < step->inputs; i++)
            for (uint32_t lane = 0; lane < LANES; lane++)
                by_x[i][lane] = ride_impute_is_missing(x[i][lane], (int)step->has_b, step->has_b ? b[0] : 0.0)
                                    ? 0.0
                                    : by_y[i][lane];
        break;
    case RIDE_STEP_SHIFT_SCALE:
        for (uint32_t i = 0; i < step->inputs; i++) by_x[i] = by_y[i] * b[i];
        break;
    case RIDE_STEP_SHIFT_DIVIDE:
        for (uint32_t i = 0; i < step->inputs; i++) by_x[i] = by_y[i] / b[i];
        break;
    case RIDE_STEP_SCALE_SHIFT:
        for (uint32_t i = 0; i < step->inputs; i++) by_x[i] = by_y[i] * a[i];
        break;
    case RIDE_STEP_NORMALIZE_MAX:
    case RIDE_STEP_NORMALIZE_L1:
    case RIDE_STEP_NORMALIZE_L2: normalize_back(step, x, y, by_y, by_x); break;
    case RIDE_STEP_DENSE:
        activation_back(step, y, by_y);
        memset(by_x, 0, step->inputs * sizeof *by_x);
        for (uint32_t o = 0; o < step->outputs; o++, a += step->inputs)
            for (uint32_t i = 0; i < step->inputs; i++) by_x[i] += a[i] * by_y[o];
        break;
    default:
        memset(by_x, 0, step->inputs * sizeof *by_x);
        for (uint32_t o = 0; o < step->outputs; o++) by_x[network->columns[step->columns_first + o]] += by_y[o];
        break;
    }
}

/* ---- where the way bends ---- */

/* Points of the way into rows[0]: those of the ascending ts, the last again where there are not so many. */
static void points_put(const explain_gradient *g, const double *z, const double *ts, uint32_t count, lanes *rows) {
    for (uint32_t lane = 0; lane < LANES; lane++) {
        const double t = ts[lane < count ? lane : count - 1];
        for (uint32_t i = 0; i < g->width; i++) rows[i][lane] = g->base[i] + t * (z[i] - g->base[i]);
    }
}

static void sort(double *values, uint32_t count) {
    static const uint32_t gaps[] = {301, 132, 57, 23, 10, 4, 1};
    for (size_t k = 0; k < sizeof gaps / sizeof *gaps; k++)
        for (uint32_t i = gaps[k]; i < count; i++) {
            const double value = values[i];
            uint32_t at = i;
            for (; at >= gaps[k] && values[at - gaps[k]] > value; at -= gaps[k]) values[at] = values[at - gaps[k]];
            values[at] = value;
        }
}

/* The crossings of a layer among pieces that are linear before it: its values at the pieces' ends say where. cuts: room for CUTS_MOST, of which
 * count are there, ascending. Returns how many there are then; 0: more than there may be. */
static uint32_t layer_cuts(const explain_gradient *g, uint32_t layer, const double *z, lanes *rows, double *cuts,
                           uint32_t count) {
    const ride_network_step *steps = g->view.steps + g->first;
    uint32_t found = count;
    for (uint32_t c = 0; c + 1 < count; c += LANES - 1) { /* the end of a batch is the beginning of the next */
        const uint32_t here = count - c < LANES ? count - c : LANES;
        points_put(g, z, cuts + c, here, rows);
        lanes *x = rows;
        for (uint32_t s = 0; s < layer; x += steps[s++].inputs) step_there(&g->view, &steps[s], x, x + steps[s].inputs);
        const ride_network_step *step = &steps[layer];
        lanes *y = x + step->inputs;
        dense(g->view.numbers + step->a_first, step->has_b ? g->view.numbers + step->b_first : NULL, step->inputs,
              step->outputs, x, y);
        for (uint32_t o = 0; o < step->outputs; o++)
            for (uint32_t lane = 0; lane + 1 < here; lane++) {
                const double a = y[o][lane], b = y[o][lane + 1], from = cuts[c + lane], to = cuts[c + lane + 1];
                if (!((a < 0.0 && b > 0.0) || (a > 0.0 && b < 0.0))) continue;
                const double t = from + (to - from) * (a / (a - b));
                if (!(t > from && t < to)) continue;
                if (found == g->cuts_most) return 0;
                cuts[found++] = t;
            }
    }
    if (found == count) return count;
    sort(cuts, found);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < found; i++)
        if (cuts[i] > cuts[kept - 1]) cuts[kept++] = cuts[i];
    return kept;
}

/* is_whole: at all crossings; else, where there are too many, evenly, into most of the parts that there are walks for. */
static uint32_t way_cut(const explain_gradient *g, const double *z, lanes *rows, double *cuts, bool *is_whole) {
    const ride_network_step *steps = g->view.steps + g->first;
    uint32_t count = 2;
    cuts[0] = 0.0;
    cuts[1] = 1.0;
    *is_whole = true;
    for (uint32_t s = 0; s < g->straight && *is_whole; s++) {
        if (is_linear(&steps[s])) continue;
        const uint32_t then = layer_cuts(g, s, z, rows, cuts, count);
        *is_whole = then != 0;
        if (then != 0) count = then;
    }
    if (*is_whole) return count;
    const uint32_t parts = g->walks_most * 3 / 4;
    for (uint32_t i = 0; i <= parts; i++) cuts[i] = (double)i / parts;
    return parts + 1;
}

/* ---- a row ---- */

/* LANES points, in rows[0], through all steps. Returns the outputs. */
static lanes *points_walk(const explain_gradient *g, lanes *rows) {
    const ride_network_step *steps = g->view.steps + g->first;
    lanes *x = rows;
    for (uint32_t s = 0; s < g->steps_count; x += steps[s++].inputs)
        step_there(&g->view, &steps[s], x, x + steps[s].inputs);
    return x;
}

/* Adds the gradients at LANES points, times their shares. rows[0]: the points. Returns the outputs. */
static const lanes *points_add(const explain_gradient *g, lanes *rows, const double *shares, double *out) {
    lanes *back = rows + g->rows_room, *x = points_walk(g, rows);
    const ride_network_step *steps = g->view.steps + g->first;
    for (uint32_t o = 0; o < g->outputs_count; o++, out += g->width) {
        lanes *by_y = back, *by_x = back + g->widest, *y = x;
        memset(by_y, 0, g->outputs_count * sizeof *by_y);
        by_y[o] += 1.0;
        for (uint32_t s = g->steps_count; s-- > 0;) {
            const lanes *before = y - steps[s].inputs;
            step_back(&g->view, &steps[s], before, y, by_y, by_x);
            lanes *was = by_y;
            by_y = by_x;
            by_x = was;
            y -= steps[s].inputs;
        }
        for (uint32_t i = 0; i < g->width; i++)
            for (uint32_t lane = 0; lane < LANES; lane++) out[i] += shares[lane] * by_y[i][lane];
    }
    return x;
}

/* Some pieces of the way, or a part of one, computed as one: its ends and POINTS nodes are the points of one walk, so what the shares of it must add up to is
 * known without another. */
typedef struct part {
    double from, to;
    uint32_t cut, count; /* cuts[cut] … cuts[cut + count] are its pieces; count 1: it may be a part of one */
} part;

static size_t rows_bytes(const explain_gradient *g) { return (g->rows_room + 2 * (size_t)g->widest) * sizeof(lanes); }
static size_t gradient_bytes(const explain_gradient *g) {
    return ((size_t)g->outputs_count * g->width * sizeof(double) + 63) / 64 * 64;
}

size_t explain_gradient_scratch_bytes(const explain_gradient *g) {
    return g->weights != NULL
               ? 0
               : rows_bytes(g) + gradient_bytes(g) + CUTS_MOST * sizeof(double) + 2 * WALKS_MOST * sizeof(part);
}

/* A gradient that is the same all along each piece: a point in the middle. */
static void straight_add(const explain_gradient *g, const double *z, lanes *rows, const double *cuts, uint32_t pieces,
                         double *out) {
    for (uint32_t c = 0; c < pieces; c += LANES) {
        const uint32_t count = pieces - c < LANES ? pieces - c : LANES;
        double ts[LANES], shares[LANES] = {0};
        for (uint32_t k = 0; k < count; k++) {
            shares[k] = cuts[c + k + 1] - cuts[c + k];
            ts[k] = cuts[c + k] + 0.5 * shares[k];
        }
        points_put(g, z, ts, count, rows);
        points_add(g, rows, shares, out);
    }
}

/* The nodes of a part: each of its pieces has one, and longer ones more. */
static void part_points(const explain_gradient *g, const part *p, const double *cuts, double ts[LANES],
                        double shares[LANES]) {
    uint32_t of[POINTS], at = 1;
    double lengths[POINTS];
    for (uint32_t k = 0; k < p->count; k++) {
        of[k] = 1;
        lengths[k] = p->count > 1 ? cuts[p->cut + k + 1] - cuts[p->cut + k] : p->to - p->from;
    }
    for (uint32_t more = p->count; more < POINTS; more++) {
        uint32_t best = 0;
        for (uint32_t k = 1; k < p->count; k++)
            if (lengths[k] / of[k] > lengths[best] / of[best]) best = k;
        of[best]++;
    }
    for (uint32_t k = 0; k < p->count; k++) {
        const double from = p->count > 1 ? cuts[p->cut + k] : p->from;
        const size_t first = ride_quadrature_first(of[k]);
        for (uint32_t n = 0; n < of[k]; n++, at++) {
            ts[at] = from + lengths[k] * g->nodes[first + n];
            shares[at] = lengths[k] * g->shares[first + n];
        }
    }
    ts[0] = p->from;
    ts[LANES - 1] = p->to;
    shares[0] = shares[LANES - 1] = 0.0;
}

/* Do the shares of a part add up to what the outputs change over it? A number that is none cannot be bettered. */
static bool adds_up(const explain_gradient *g, const double *z, const lanes *ends, const double *out) {
    for (uint32_t o = 0; o < g->outputs_count; o++, out += g->width) {
        double sum = 0.0, size = fabs(ends[o][0]) + fabs(ends[o][LANES - 1]);
        for (uint32_t i = 0; i < g->width; i++) {
            sum += out[i] * (z[i] - g->base[i]);
            size += fabs(out[i] * (z[i] - g->base[i]));
        }
        if (fabs(ends[o][LANES - 1] - ends[o][0] - sum) > CLOSE * size) return false;
    }
    return true;
}

/* What is to be computed instead of a part that does not add up: groups of fewer pieces, or parts of the one. Returns how many. */
static uint32_t part_divide(const part *p, const double *cuts, part out[PARTS]) {
    if (p->count == 1) {
        for (uint32_t k = 0; k < PARTS; k++)
            out[k] = (part){p->from + (p->to - p->from) * k / PARTS,
                            k + 1 < PARTS ? p->from + (p->to - p->from) * (k + 1) / PARTS : p->to, p->cut, 1};
        return PARTS;
    }
    const uint32_t each = (p->count + PARTS - 1) / PARTS;
    uint32_t made = 0;
    for (uint32_t k = 0; k < p->count; k += each) {
        const uint32_t count = p->count - k < each ? p->count - k : each;
        out[made++] = (part){cuts[p->cut + k], cuts[p->cut + k + count], p->cut + k, count};
    }
    return made;
}

/* Parts, level by level, as long as they do not add up and there are walks for them. one: room for a gradient. */
static void curved_add(const explain_gradient *g, const double *z, lanes *rows, const double *cuts, uint32_t pieces,
                       uint32_t groups_most, part *parts, double *one, double *out) {
    const size_t numbers = (size_t)g->outputs_count * g->width;
    const uint32_t each = (pieces + groups_most - 1) / groups_most;
    part *now = parts, *next = parts + WALKS_MOST;
    uint32_t count = 0, left = g->walks_most;
    for (uint32_t c = 0; c < pieces; c += each) {
        const uint32_t of = pieces - c < each ? pieces - c : each;
        now[count++] = (part){cuts[c], cuts[c + of], c, of};
    }
    while (count > 0) {
        uint32_t coming = 0;
        left -= count;
        for (uint32_t i = 0; i < count; i++) {
            double ts[LANES], shares[LANES];
            part_points(g, &now[i], cuts, ts, shares);
            points_put(g, z, ts, LANES, rows);
            memset(one, 0, numbers * sizeof *one);
            const lanes *ends = points_add(g, rows, shares, one);
            if (coming + PARTS <= left && now[i].to - now[i].from > LENGTH_LEAST && !adds_up(g, z, ends, one))
                coming += part_divide(&now[i], cuts, next + coming);
            else
                for (size_t k = 0; k < numbers; k++) out[k] += one[k];
        }
        part *was = now;
        now = next;
        next = was;
        count = coming;
    }
}

void explain_gradient_row(const explain_gradient *g, void *scratch, const double *z, double *out) {
    const size_t bytes = (size_t)g->outputs_count * g->width * sizeof *out;
    if (g->weights != NULL) {
        memcpy(out, g->weights, bytes);
        return;
    }
    lanes *rows = scratch;
    double *one = (double *)((uint8_t *)scratch + rows_bytes(g)),
           *cuts = (double *)((uint8_t *)one + gradient_bytes(g));
    bool is_whole;
    const uint32_t pieces = way_cut(g, z, rows, cuts, &is_whole) - 1;
    memset(out, 0, bytes);
    if (is_whole && !g->is_smooth) straight_add(g, z, rows, cuts, pieces, out);
    else
        curved_add(g, z, rows, cuts, pieces, is_whole ? g->walks_most / 4 : pieces, (part *)(cuts + CUTS_MOST), one,
                   out);
}

/* ---- making ---- */

static ride_status constant_make(explain_gradient *g, ride_error *err) {
    static const double one[LANES] = {1.0};
    lanes *rows = aligned_alloc(64, rows_bytes(g));
    double *weights = calloc((size_t)g->outputs_count * g->width + 1, sizeof *weights);
    if (rows == NULL || weights == NULL) {
        free(rows);
        free(weights);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the weights of %u inputs", g->width);
    }
    memset(rows, 0, g->rows_room * sizeof *rows);
    points_add(g, rows, one, weights);
    free(rows);
    g->weights = weights;
    return RIDE_OK;
}

/* What a row takes: memory for all its points, and work for each output. */
static ride_status size_check(const ride_network *network, uint32_t first, uint32_t width, ride_error *err) {
    const uint64_t outputs = network->header->outputs_count;
    uint64_t numbers = width, weights = 0;
    for (uint32_t s = first; s < network->header->steps_count; s++) {
        numbers += network->steps[s].outputs;
        weights += ride_step_a_count(&network->steps[s]);
    }
    if (numbers * sizeof(lanes) <= ROWS_BYTES_MOST && outputs * width <= GRADIENTS_MOST &&
        outputs * weights <= WORK_MOST)
        return RIDE_OK;
    return ride_fail(err, RIDE_E_UNSUPPORTED, "a network of %llu weights and %llu outputs is too large to be explained",
                     (unsigned long long)weights, (unsigned long long)outputs);
}

/* How often a row may be walked there and back: by the work. As many pieces as that makes points, or groups of pieces a fourth of it. */
static void work_bound(explain_gradient *g) {
    uint64_t weights = 1;
    for (uint32_t s = 0; s < g->steps_count; s++) weights += ride_step_a_count(&g->view.steps[g->first + s]);
    const uint64_t walks = WALKS_WORK / (weights * g->outputs_count);
    g->walks_most = walks < WALKS_LEAST ? WALKS_LEAST : walks < WALKS_MOST ? (uint32_t)walks : WALKS_MOST;
    g->cuts_most = g->is_smooth ? POINTS * (g->walks_most / 4) : LANES * g->walks_most;
    if (g->cuts_most > CUTS_MOST) g->cuts_most = CUTS_MOST;
}

ride_status explain_gradient_create(const ride_network *network, uint32_t first, uint32_t width, const double *base,
                                    explain_gradient **out, ride_error *err) {
    *out = NULL;
    for (uint32_t s = first; s < network->header->steps_count; s++)
        if (network->steps[s].kind == RIDE_STEP_NORMALIZE_TOP)
            return ride_fail(err, RIDE_E_UNSUPPORTED,
                             "the model divides a row by its greatest number, which may be near 0 and of either sign: "
                             "its shares have no bound");
    RIDE_TRY(size_check(network, first, width, err));
    explain_gradient *g = calloc(1, sizeof *g);
    double *kept = malloc((width + 1) * sizeof *kept);
    if (g == NULL || kept == NULL) {
        free(g);
        free(kept);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for a baseline of %u numbers", width);
    }
    memcpy(kept, base, width * sizeof *kept);
    g->base = kept;
    g->view = *network;
    g->first = first;
    g->steps_count = network->header->steps_count - first;
    g->width = g->widest = width;
    g->outputs_count = network->header->outputs_count;
    g->rows_room = width;
    bool is_constant = true;
    for (uint32_t s = first; s < network->header->steps_count; s++) {
        const ride_network_step *step = &network->steps[s];
        g->rows_room += step->outputs;
        if (step->outputs > g->widest) g->widest = step->outputs;
        is_constant = is_constant && is_linear(step);
        if (is_linear(step) || (step->kind == RIDE_STEP_DENSE && step->activation == RIDE_ACTIVATION_RELU))
            g->straight += g->straight == s - first;
    }
    g->is_smooth = g->straight < g->steps_count;
    work_bound(g);
    ride_status st = RIDE_OK;
    if (is_constant) st = constant_make(g, err);
    else ride_quadratures(POINTS, g->nodes, g->shares);
    if (st == RIDE_OK) *out = g;
    else explain_gradient_destroy(g);
    return st;
}

void explain_gradient_destroy(explain_gradient *g) {
    if (g == NULL) return;
    free(g->base);
    free(g->weights);
    free(g);
}

bool explain_gradient_is_constant(const explain_gradient *g) { return g->weights != NULL; }

size_t explain_gradient_bytes(const explain_gradient *g) {
    const size_t numbers = g->width + (g->weights != NULL ? (size_t)g->outputs_count * g->width : 0);
    return sizeof *g + numbers * sizeof(double);
}
