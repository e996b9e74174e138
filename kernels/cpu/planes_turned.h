/* kernels/cpu/planes_turned.h: the wide kernel of instruction sets that turn bytes into planes, and back, by three rounds of exchanges in registers.
 * Included by planes_wide_avx2.c and planes_wide_neon.c, which say before:
 *
 *   plane               a register of bytes: GROUP rows; a block has eight such groups, ROWS = 8 × GROUP
 *   select_plane, or_and                    planes_wide.h
 *   SPREAD8(byte), EQUAL8(a, b)             byte by byte
 *   RIGHT8(v, by), LEFT8(v, by)             shifts of bytes, or of more: what comes in from another byte is masked here
 *   LOAD8(from), STORE8(to, v)
 *   ranks_make(pivots, count, x, groups, ranks)   rank(x) = how many thresholds of the column are <= x, so x >= threshold k is rank > k
 *   missing_of(x, zero_missing)             0xff for each missing value of a group
 *   table_at(table, sixteens, places)       bytes of a table of 16 × sixteens
 *   leaves_add                              planes_adders.h
 *   sum_row(i, is_double)                   the row whose sum is value i of a block's
 *   KERNEL(name)
 *
 *   turn     ranks of a byte each → 8 planes, one for each bit
 *   planes, trees   planes_wide.h
 *   places   back to a byte a row, by the same turn
 *   leaves   the bytes of the leaf from tables in registers; the sums stay in registers for some trees
 *
 * The turn is its own reverse, so a group of rows stays together: groups that a block has not are neither ranked nor summed. */
#if defined(KERNEL)

/* ---- turns ---- */

/* Registers i and j of a turn: bits that belong to the other change places. */
#define TURN(i, j, shift, mask)                                                                                        \
    do {                                                                                                               \
        const plane change = (RIGHT8(v[i], shift) ^ v[j]) & SPREAD8(mask);                                             \
        v[j] ^= change;                                                                                                \
        v[i] ^= LEFT8(change, shift);                                                                                  \
    } while (0)

/* Bit k of register j and bit j of register k change places, in every byte. */
static inline void turn(plane v[8]) {
    TURN(0, 1, 1, 0x55);
    TURN(2, 3, 1, 0x55);
    TURN(4, 5, 1, 0x55);
    TURN(6, 7, 1, 0x55);
    TURN(0, 2, 2, 0x33);
    TURN(1, 3, 2, 0x33);
    TURN(4, 6, 2, 0x33);
    TURN(5, 7, 2, 0x33);
    TURN(0, 4, 4, 0x0f);
    TURN(1, 5, 4, 0x0f);
    TURN(2, 6, 4, 0x0f);
    TURN(3, 7, 4, 0x0f);
}

/* Planes of the leaf's place → a byte for each row. */
static inline void places8_make(const plane b[8], uint8_t *out) {
    plane v[8] = {b[7], b[6], b[5], b[4], b[3], b[2], b[1], b[0]};
    turn(v);
#pragma GCC unroll 8
    for (int g = 0; g < GROUPS; g++) STORE8(out + GROUP * (size_t)g, v[g]);
}
static inline void places6_make(const plane b[6], uint8_t *out) {
    const plane none = {0}, all[8] = {none, none, b[0], b[1], b[2], b[3], b[4], b[5]};
    places8_make(all, out);
}

#define PLANES_WIDE
#include "kernels/cpu/planes_wide.h"

/* ---- conditions ---- */

static void column_run(const ride_planes *p, uint32_t c, plane *planes, const float *values, uint32_t groups) {
    const planes_column *column = &p->columns[c];
    plane bits[GROUPS], *out = planes + column->plane_first, nan = {0};
    for (uint32_t g = groups; g < GROUPS; g++) bits[g] = (plane){0};
    ranks_make(p->pivots + (size_t)c * PLANES_PIVOTS, column->thresholds_count, values, groups, bits);
    turn(bits);
    if (column->nan_right || column->zero_missing || column->others_count > 0)
        for (uint32_t g = 0; g < groups; g++)
            nan |= missing_of(values + GROUP * (size_t)g, column->zero_missing) & SPREAD8(1u << g);
    for (uint32_t b = 0; b < 8; b++) {
        if (column->zero_missing) bits[b] &= ~nan; /* NaN has rank 0 */
        if (column->nan_right) bits[b] |= nan;
    }
    planes_make(bits, column->thresholds_count, out);
    for (uint32_t i = 0; i < column->others_count; i++) {
        const planes_other *other = &p->others[column->others_first + i];
        planes[other->plane] = nan;
        if (other->threshold != PLANES_ALONE) planes[other->plane] ^= out[other->threshold];
    }
}

/* Eight sets at once: bit s of a byte is the row's answer to set s, and eight turned planes are theirs. */
static void sets_run(const ride_planes *p, const planes_codes *codes, plane *planes, const float *values,
                     uint32_t groups) {
    _Alignas(32) uint8_t at[ROWS], bit[ROWS];
    for (uint32_t r = 0; r < GROUP * groups; r++) {
        const uint32_t code = planes_code(values[r], codes->from_minus_1);
        at[r] = (uint8_t)(code / 8);
        bit[r] = (uint8_t)(1u << code % 8);
    }
    for (uint32_t first = 0; first < codes->sets_count; first += 8) {
        const uint32_t left = codes->sets_count - first, count = left < 8 ? left : 8;
        plane bits[GROUPS];
        for (uint32_t g = 0; g < GROUPS; g++) bits[g] = (plane){0};
        for (uint32_t g = 0; g < groups; g++) {
            const plane bytes = LOAD8(at + GROUP * (size_t)g), ask = LOAD8(bit + GROUP * (size_t)g);
            for (uint32_t s = 0; s < count; s++) {
                const plane answer = table_at(p->sets[codes->sets_first + first + s], 4, bytes);
                bits[g] |= (plane)EQUAL8(answer & ask, ask) & SPREAD8(1u << s);
            }
        }
        turn(bits);
        for (uint32_t s = 0; s < count; s++) planes[p->sets_plane + codes->sets_first + first + s] = bits[s];
    }
}

#include "kernels/cpu/planes_adders.h"

/* ---- the kernel ---- */

#define SUM_ROW(p, i) sum_row(i, (p)->sum == PLANES_F64)
#include "kernels/cpu/planes_kernel.h"

void KERNEL()(const ride_planes *p, void *scratch, const float *x, uint32_t stride, uint32_t rows_count,
              double *margins) {
    const uint32_t groups = (rows_count + GROUP - 1) / GROUP;
    const size_t group_sums = GROUP * (p->sum == PLANES_F64 ? sizeof(double) : sizeof(float));
    const uint8_t *leaves = p->byte_leaves != NULL ? p->byte_leaves : p->leaves;
    uint8_t *places = scratch, *sums = places + PLACES_BYTES;
    plane *planes = (void *)(places + PLACES_BYTES + SUMS_BYTES);
    conditions(p, planes, x, stride, groups);
    for (uint32_t o = 0; o < p->outputs_count; o++) {
        const planes_output *output = &p->outputs[o];
        sums_begin(p->sum, output->base, sums);
        for (uint32_t i = 0; i < output->groups_count; i++) {
            const planes_group *group = &p->groups[output->groups_first + i];
            for (uint32_t t = 0; t < group->trees_count; t++)
                tree_run(p, &p->trees[group->trees_first + t], planes, group->bits > 6, places + (size_t)t * ROWS);
            adder *add = adder_of(p->sum, group->bits);
            for (uint32_t g = 0; g < groups; g++)
                add(group, leaves + group->leaves_first, places + GROUP * (size_t)g, sums + group_sums * g);
        }
        sums_end(p, output, sums, rows_count, margins + o);
    }
}
#endif
