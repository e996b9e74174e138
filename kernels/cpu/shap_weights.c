/* kernels/cpu/shap_weights.c: exact Shapley values of a leaf for every combination of its inputs.
 *
 * A leaf of value v lies behind inputs j with o_j = 1 where the row satisfies what the path asks of j, else 0, and z_j the share of the training
 * rows that do. The average over all orders of inputs of what i changes is
 *   phi_i = v (o_i - z_i) * integral over t from 0 to 1 of the product over j other than i of (z_j + (o_j - z_j) t),
 * a polynomial in t that Gauss and Legendre's quadrature integrates exactly with half as many points as there are inputs.
 *
 * With a background row of bits b in place of z, only the inputs in which the rows differ count: of u that only the row satisfies and w that only
 * the background does, each of the first has v (u - 1)! w! / (u + w)!, each of the others -v u! (w - 1)! / (u + w)!. */
#include "kernels/cpu/shap_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FACTORS = 64 };

ride_status shap_quadratures_make(ride_shap *s, uint32_t points_most, ride_error *err) {
    const size_t count = ride_quadrature_first(points_most + 1);
    s->nodes = calloc(count + 1, sizeof *s->nodes);
    s->weights = calloc(count + 1, sizeof *s->weights);
    if (s->nodes == NULL || s->weights == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for quadratures");
    ride_quadratures(points_most, s->nodes, s->weights);
    return RIDE_OK;
}

ride_status shap_factors_make(ride_shap *s, ride_error *err) {
    s->factors = calloc((size_t)FACTORS * FACTORS, sizeof *s->factors);
    if (s->factors == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for weights");
    for (uint32_t w = 0; w < FACTORS; w++) {
        s->factors[w] = 1.0 / (w + 1.0);
        for (uint32_t u = 1; u < FACTORS; u++)
            s->factors[u * FACTORS + w] = s->factors[(u - 1) * FACTORS + w] * u / (u + w + 1.0);
    }
    return RIDE_OK;
}

/* ---- leaves ---- */

/* The inputs that a leaf's path tests. */
typedef struct present {
    uint32_t count, of[SHAP_BITS];
} present;

/* shares[j * SHAP_PATTERNS + s]: of input of[j] when the inputs in s are satisfied. */
static void weigh_covers(const ride_shap *s, const shap_leaf *leaf, const present *p, double *shares) {
    const uint32_t k = p->count, n = (k + 1) / 2, first = ride_quadrature_first(n);
    for (uint32_t j = 0; j < k; j++) {
        double sums[SHAP_PATTERNS / 2] = {0}, products[SHAP_PATTERNS / 2];
        for (uint32_t q = 0; q < n; q++) {
            const double t = s->nodes[first + q];
            uint32_t size = 1;
            products[0] = s->weights[first + q];
            for (uint32_t i = 0; i < k; i++) {
                if (i == j) continue;
                const double z = leaf->z[p->of[i]], out = z - z * t, in = z + (1.0 - z) * t;
                for (uint32_t e = 0; e < size; e++) {
                    products[size + e] = products[e] * in;
                    products[e] *= out;
                }
                size *= 2;
            }
            for (uint32_t e = 0; e < size; e++) sums[e] += products[e];
        }
        const double z = leaf->z[p->of[j]];
        for (uint32_t set = 0; set < 1u << k; set++) {
            const uint32_t others = (set & ((1u << j) - 1)) | (set >> (j + 1) << j);
            shares[j * SHAP_PATTERNS + set] = leaf->value * ((double)(set >> j & 1) - z) * sums[others];
        }
    }
}

/* How many of the background's rows satisfy which of the inputs. */
static void count_background(const shap_maker *m, const shap_form *form, const shap_leaf *leaf, const present *p,
                             uint32_t counts[SHAP_PATTERNS]) {
    memset(counts, 0, SHAP_PATTERNS * sizeof *counts);
    for (uint32_t w = 0; w < m->background_words; w++) {
        uint64_t bits[SHAP_BITS], satisfied[SHAP_BITS];
        for (uint32_t b = 0; b < form->bits; b++) bits[b] = shap_background_word(m, form->planes[b], w);
        for (uint32_t j = 0; j < p->count; j++) {
            satisfied[j] = ~UINT64_C(0);
            for (uint32_t b = 0; b < form->bits; b++) {
                if (leaf->on[p->of[j]] >> b & 1) satisfied[j] &= bits[b];
                if (leaf->off[p->of[j]] >> b & 1) satisfied[j] &= ~bits[b];
            }
        }
        for (uint32_t r = 0; r < SHAP_WORD && w * SHAP_WORD + r < m->background_rows; r++) {
            uint32_t set = 0;
            for (uint32_t j = 0; j < p->count; j++) set |= (uint32_t)(satisfied[j] >> r & 1) << j;
            counts[set]++;
        }
    }
}

static void weigh_background(const shap_maker *m, const shap_form *form, const shap_leaf *leaf, const present *p,
                             double *shares) {
    const uint32_t sets = 1u << p->count;
    uint32_t counts[SHAP_PATTERNS];
    count_background(m, form, leaf, p, counts);
    for (uint32_t j = 0; j < p->count; j++) memset(shares + j * SHAP_PATTERNS, 0, sets * sizeof *shares);
    for (uint32_t back = 0; back < sets; back++) {
        if (counts[back] == 0) continue;
        const double value = leaf->value * ((double)counts[back] / (double)m->background_rows);
        for (uint32_t both = back;;
             both = (both - 1) & back) { /* the leaf counts where one of both satisfies each input */
            const uint32_t mine = (sets - 1) & ~back, set = mine | both, theirs = back & ~both;
            const uint32_t u = (uint32_t)__builtin_popcount(mine), w = (uint32_t)__builtin_popcount(theirs);
            for (uint32_t j = 0; j < p->count; j++) {
                if (mine >> j & 1) shares[j * SHAP_PATTERNS + set] += value * m->shap->factors[(u - 1) * FACTORS + w];
                if (theirs >> j & 1) shares[j * SHAP_PATTERNS + set] -= value * m->shap->factors[u * FACTORS + w - 1];
            }
            if (both == 0) break;
        }
    }
}

void shap_form_shares(const shap_maker *m, const shap_form *form) {
    double *shares = m->shares, *of_leaf = m->of_leaf;
    for (uint32_t j = 0; j < form->inputs_count; j++)
        memset(shares + (size_t)j * SHAP_PATTERNS, 0, sizeof *shares << form->bits);
    for (uint32_t l = 0; l < form->leaves_count; l++) {
        const shap_leaf *leaf = &form->leaves[l];
        present p = {0};
        for (uint32_t j = 0; j < form->inputs_count; j++)
            if (leaf->on[j] | leaf->off[j]) p.of[p.count++] = j;
        if (m->background != NULL) weigh_background(m, form, leaf, &p, of_leaf);
        else weigh_covers(m->shap, leaf, &p, of_leaf);
        for (uint32_t pattern = 0; pattern < 1u << form->bits; pattern++) {
            uint32_t set = 0;
            for (uint32_t j = 0; j < p.count; j++) {
                const uint32_t on = leaf->on[p.of[j]], off = leaf->off[p.of[j]];
                set |= (uint32_t)((pattern & on) == on && (pattern & off) == 0) << j;
            }
            for (uint32_t j = 0; j < p.count; j++)
                shares[p.of[j] * SHAP_PATTERNS + pattern] += of_leaf[j * SHAP_PATTERNS + set];
        }
    }
}
