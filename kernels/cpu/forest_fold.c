/* kernels/cpu/forest_fold.c: for each input its thresholds, ascending, and a filter of 4096 bits over those that are no floats: most values that are no floats
 * either are told from them by one bit. */
#include "kernels/cpu/forest_fold.h"

#include "base/assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FILTER_WORDS = 64 * 2, RANKS_MAX = 1 << 24 /* a rank is a float */ };

typedef struct fold_input {
    uint32_t thresholds_first, thresholds_count;
    uint32_t filter; /* index; UINT32_MAX = all thresholds are floats */
    bool ranked, has_set, has_zero;
} fold_input;

struct forest_fold {
    uint32_t inputs_count, filters_count;
    uint32_t thresholds_count;
    bool ranked; /* an input is */
    fold_input *inputs;
    double *thresholds;
    uint32_t (*filters)[FILTER_WORDS]; /* one more than the count: that of inputs without one, empty */
};

typedef struct asked {
    double threshold;
    uint32_t input;
} asked;

static int compare(const void *a, const void *b) {
    const asked *l = a, *r = b;
    if (l->input != r->input) return l->input < r->input ? -1 : 1;
    return l->threshold < r->threshold ? -1 : l->threshold > r->threshold;
}

/* ---- neighbours ---- */

static float float_above(float x) { /* of a number below infinity */
    int32_t bits;
    x += 0.0f; /* no negative zero */
    memcpy(&bits, &x, sizeof bits);
    bits = bits >= 0 ? bits + 1 : bits - 1;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float float_below(float x) { return -float_above(-x); }

/* The greatest float that is not above x. */
static inline float floor_float(double x, float nearest) {
    return (double)nearest <= x ? nearest : float_below(nearest);
}

static float ceil_float(double x) {
    const float nearest = (float)x;
    return ((double)nearest >= x ? nearest : float_above(nearest)) + 0.0f;
}

static uint32_t filter_place(float above) {
    uint32_t bits;
    memcpy(&bits, &above, sizeof bits);
    return bits * FOREST_FOLD_FACTOR >> FOREST_FOLD_SHIFT;
}

/* ---- making ---- */

static uint32_t asked_list(const ride_forest *forest, fold_input *inputs, asked *all) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < forest->header->nodes_count; i++) {
        const ride_forest_node *node = &forest->nodes[i];
        if (node->input & RIDE_NODE_LEAF) continue;
        const uint32_t input = node->input & RIDE_NODE_INPUT_MASK;
        fold_input *in = &inputs[input];
        if ((node->input & RIDE_NODE_SET) && !in->has_set) {
            in->has_set = true; /* just above -1 truncates to 0 */
            all[count++] = (asked){nextafter(-1.0, 0.0), input};
        }
        if ((node->input & RIDE_NODE_ZERO_MISSING) && !in->has_zero) {
            in->has_zero = true; /* just above what is still zero */
            all[count++] = (asked){nextafter((double)1e-35f, 1.0), input};
        }
        if ((node->input & (RIDE_NODE_SET | RIDE_NODE_ONLY_MISSING)) == 0)
            all[count++] = (asked){node->u.threshold + 0.0, input};
    }
    qsort(all, count, sizeof *all, compare);
    return count;
}

static bool inputs_make(forest_fold *f, const asked *all, uint32_t count) {
    bool possible = true;
    for (uint32_t i = 0; i < count; i++) {
        fold_input *in = &f->inputs[all[i].input];
        const double t = all[i].threshold;
        if (in->thresholds_count == 0) in->thresholds_first = f->thresholds_count;
        else if (f->thresholds[f->thresholds_count - 1] == t) continue;
        else if (ceil_float(f->thresholds[f->thresholds_count - 1]) == ceil_float(t)) in->ranked = f->ranked = true;
        f->thresholds[f->thresholds_count++] = t;
        in->thresholds_count++;
        if ((double)(float)t != t && in->filter == UINT32_MAX) in->filter = f->filters_count++;
        if (in->ranked && (in->has_set || in->has_zero || in->thresholds_count > RANKS_MAX)) possible = false;
    }
    return possible;
}

static ride_status filters_make(forest_fold *f, ride_error *err) {
    f->filters = calloc((size_t)f->filters_count + 1, sizeof *f->filters);
    if (f->filters == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the filters of %u inputs", f->filters_count);
    for (uint32_t i = 0; i < f->inputs_count; i++) {
        const fold_input *in = &f->inputs[i];
        for (uint32_t k = 0; k < in->thresholds_count; k++) {
            const double t = f->thresholds[in->thresholds_first + k];
            if ((double)(float)t == t) continue;
            const uint32_t at = filter_place(ceil_float(t));
            f->filters[in->filter][at / 32] |= UINT32_C(1) << (at % 32);
        }
    }
    return RIDE_OK;
}

/* How many thresholds are at or below x. */
static uint32_t rank_of(const forest_fold *f, const fold_input *in, double x) {
    const double *t = f->thresholds + in->thresholds_first;
    uint32_t first = 0, count = in->thresholds_count;
    while (count > 0) {
        const uint32_t half = count / 2;
        const bool passed = t[first + half] <= x;
        first = passed ? first + half + 1 : first;
        count = passed ? count - half - 1 : half;
    }
    return first;
}

static void nodes_fold(const forest_fold *f, ride_forest_node *nodes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (nodes[i].input & (RIDE_NODE_LEAF | RIDE_NODE_SET | RIDE_NODE_ONLY_MISSING)) continue;
        const fold_input *in = &f->inputs[nodes[i].input & RIDE_NODE_INPUT_MASK];
        nodes[i].u.threshold =
            in->ranked ? (double)rank_of(f, in, nodes[i].u.threshold) : (double)ceil_float(nodes[i].u.threshold);
    }
}

ride_status forest_fold_create(const ride_forest *forest, forest_fold **out, ride_forest_node **out_nodes,
                               ride_error *err) {
    const ride_forest_header *h = forest->header;
    *out = NULL;
    *out_nodes = NULL;
    forest_fold *f = calloc(1, sizeof *f);
    ride_forest_node *nodes = malloc((size_t)h->nodes_count * sizeof *nodes);
    asked *all = malloc((2 * (size_t)h->nodes_count + 1) * sizeof *all);
    if (f != NULL) {
        f->inputs_count = h->inputs_count;
        f->inputs = calloc((size_t)h->inputs_count + 1, sizeof *f->inputs);
        f->thresholds = malloc((2 * (size_t)h->nodes_count + 1) * sizeof *f->thresholds);
    }
    ride_status st = RIDE_OK;
    bool possible = false;
    if (f == NULL || nodes == NULL || all == NULL || f->inputs == NULL || f->thresholds == NULL)
        st = ride_fail(err, RIDE_E_MEMORY, "no memory for the thresholds of %u nodes", h->nodes_count);
    else {
        for (uint32_t i = 0; i < f->inputs_count; i++) f->inputs[i].filter = UINT32_MAX;
        possible = inputs_make(f, all, asked_list(forest, f->inputs, all));
        if (possible) st = filters_make(f, err);
    }
    if (st == RIDE_OK && possible) {
        memcpy(nodes, forest->nodes, (size_t)h->nodes_count * sizeof *nodes);
        nodes_fold(f, nodes, h->nodes_count);
        *out = f;
        *out_nodes = nodes;
    } else {
        free(nodes);
        forest_fold_destroy(f);
    }
    free(all);
    return st;
}

void forest_fold_destroy(forest_fold *f) {
    if (f == NULL) return;
    free(f->inputs);
    free(f->thresholds);
    free(f->filters);
    free(f);
}

bool forest_fold_is_ranked(const forest_fold *f) { return f->ranked; }

const uint32_t *forest_fold_filters(const forest_fold *f) { return f->filters[0]; }
uint32_t forest_fold_filter(const forest_fold *f, uint32_t input) {
    const uint32_t filter = f->inputs[input].filter;
    return (filter != UINT32_MAX ? filter : f->filters_count) * FILTER_WORDS;
}

size_t forest_fold_bytes(const forest_fold *f) {
    return sizeof *f + f->inputs_count * sizeof *f->inputs + f->thresholds_count * sizeof *f->thresholds +
           f->filters_count * sizeof *f->filters;
}

/* ---- values ---- */

/* x lies between two floats. */
static float fold_between(const forest_fold *f, const fold_input *in, double x, float nearest) {
    const float below = floor_float(x, nearest), above = float_above(below);
    if (in->filter == UINT32_MAX) return below;
    const uint32_t at = filter_place(above + 0.0f);
    if ((f->filters[in->filter][at / 32] >> (at % 32) & 1) == 0) return below;
    const uint32_t rank = rank_of(f, in, x);
    return rank > 0 && f->thresholds[in->thresholds_first + rank - 1] > (double)below ? above : below;
}

void forest_fold_doubles(const forest_fold *f, uint32_t input, const double *x, uint32_t count, float *y) {
    const fold_input *in = &f->inputs[input];
    if (in->ranked) {
        for (uint32_t r = 0; r < count; r++) y[r] = x[r] == x[r] ? (float)rank_of(f, in, x[r]) : NAN;
        return;
    }
    for (uint32_t r = 0; r < count; r++) y[r] = (float)x[r];
    for (uint32_t r = 0; r < count; r++)
        if ((double)y[r] != x[r] && x[r] == x[r]) y[r] = fold_between(f, in, x[r], y[r]);
}

void forest_fold_floats(const forest_fold *f, uint32_t input, float *y, uint32_t count) {
    const fold_input *in = &f->inputs[input];
    if (!in->ranked) return;
    for (uint32_t r = 0; r < count; r++)
        if (y[r] == y[r]) y[r] = (float)rank_of(f, in, (double)y[r]);
}
