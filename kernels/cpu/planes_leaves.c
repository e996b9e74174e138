/* kernels/cpu/planes_leaves.c: which trees are added together, and the tables that their places are looked up in. */
#include "kernels/cpu/planes_internal.h"

#include <string.h>

enum { GROUP_SPLITS = 4 /* trees from which on a group ends where another number of bits begins */ };

static size_t value_bytes(const ride_planes *p) { return p->sum == PLANES_F64 ? sizeof(double) : sizeof(float); }

static uint64_t value_word(const ride_planes *p, double leaf) {
    uint64_t word = 0;
    if (p->sum == PLANES_F64) memcpy(&word, &leaf, sizeof leaf);
    else if (p->sum == PLANES_F32) {
        const float value = (float)leaf;
        memcpy(&word, &value, sizeof value);
    } else word = (uint32_t)(int32_t)leaf;
    return word;
}

static bool has_parts(const ride_planes *p) { return p->isa >= RIDE_CPU_AVX512; }

static void table_fill(const ride_planes *p, const ride_forest *forest, const ride_forest_tree *tree,
                       const uint8_t *places, uint32_t bits, bool in_parts, uint8_t *out) {
    for (uint32_t i = 0; i < tree->nodes_count; i++) {
        const ride_forest_node *node = &forest->nodes[tree->nodes_first + i];
        if ((node->input & RIDE_NODE_LEAF) == 0) continue;
        const uint64_t word = value_word(p, node->u.leaf);
        const uint32_t place = places[tree->nodes_first + i];
        if (in_parts && bits == 6)
            for (size_t k = 0; k < value_bytes(p) / 2; k++) {
                const uint16_t part = (uint16_t)(word >> (16 * k));
                memcpy(out + 2 * (64 * k + place), &part, sizeof part);
            }
        else
            for (size_t k = 0; k < value_bytes(p); k++) out[(k << bits) + place] = (uint8_t)(word >> (8 * k));
    }
}

static void groups_find(ride_planes *p, const ride_forest *forest, const uint32_t *order) {
    for (uint32_t t = 0; t < p->trees_count; t++) {
        planes_output *output = &p->outputs[forest->trees[order[t]].output];
        const uint32_t bits = p->trees[t].place_bits;
        planes_group *group = output->groups_count > 0 ? &p->groups[p->groups_count - 1] : NULL;
        if (group == NULL || group->trees_count == PLANES_TREES_AT_ONCE ||
            (group->trees_count >= GROUP_SPLITS && group->bits != bits)) {
            if (output->groups_count++ == 0) output->groups_first = p->groups_count;
            group = &p->groups[p->groups_count++];
            *group = (planes_group){.trees_first = t, .bits = 6};
        }
        group->trees_count++;
        if (bits > group->bits) group->bits = bits;
    }
    for (uint32_t g = 0; g < p->groups_count; g++) {
        planes_group *group = &p->groups[g];
        group->tree_bytes = (uint32_t)(value_bytes(p) << group->bits);
        group->leaves_first = p->leaves_bytes;
        p->leaves_bytes += (size_t)group->tree_bytes * group->trees_count;
        if (group->bits > p->bits_most) p->bits_most = group->bits;
    }
}

static uint8_t *tables_make(const ride_planes *p, const ride_forest *forest, const uint32_t *order,
                            const uint8_t *places, bool in_parts) {
    uint8_t *leaves = aligned_alloc(64, (p->leaves_bytes + 64) / 64 * 64);
    if (leaves == NULL) return NULL;
    memset(leaves, 0, p->leaves_bytes);
    for (uint32_t g = 0; g < p->groups_count; g++) {
        const planes_group *group = &p->groups[g];
        for (uint32_t i = 0; i < group->trees_count; i++)
            table_fill(p, forest, &forest->trees[order[group->trees_first + i]], places, group->bits, in_parts,
                       leaves + group->leaves_first + (size_t)i * group->tree_bytes);
    }
    return leaves;
}

ride_status planes_leaves_make(ride_planes *p, const ride_forest *forest, const uint32_t *order, const uint8_t *places,
                               ride_error *err) {
    const bool both = p->isa == RIDE_CPU_AVX512; /* narrow planes, and the wide ones of AVX2 */
    p->groups = calloc((size_t)p->trees_count + 1, sizeof *p->groups);
    if (p->groups != NULL) {
        groups_find(p, forest, order);
        p->leaves = tables_make(p, forest, order, places, has_parts(p));
        if (both) p->byte_leaves = tables_make(p, forest, order, places, false);
    }
    if (p->groups == NULL || p->leaves == NULL || (both && p->byte_leaves == NULL))
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the leaves of %u trees", p->trees_count);
    return RIDE_OK;
}
