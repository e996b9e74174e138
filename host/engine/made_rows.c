/* engine/made_rows.c: a sample of each input's thresholds, then rows drawn from it. */
#include "engine/made_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT = 32 }; /* thresholds of an input */

typedef struct input {
    double kept[KEPT];
    uint32_t seen;
    uint32_t codes; /* of a category: codes below this are drawn; 0 = a number */
    bool is_closed; /* no code beyond */
    bool is_float;
} input;

struct ride_made_rows {
    uint64_t chance;
    uint32_t inputs_count;
    input inputs[];
};

static uint32_t below(ride_made_rows *made, uint32_t count) {
    made->chance ^= made->chance << 13;
    made->chance ^= made->chance >> 7;
    made->chance ^= made->chance << 17;
    return (uint32_t)(made->chance >> 32) % count;
}

static void keep_threshold(ride_made_rows *made, input *to, double value) {
    if (!isfinite(value)) return;
    const uint32_t place = to->seen < KEPT ? to->seen : below(made, to->seen + 1);
    if (place < KEPT) to->kept[place] = value;
    to->seen++;
}

static void keep_node(ride_made_rows *made, const ride_model *model, const ride_model_node *node, input *to) {
    if ((node->input & RIDE_NODE_SET) == 0) {
        keep_threshold(made, to, node->value);
        return;
    }
    const ride_model_set *set = &model->sets[node->set];
    if (set->members_count == 0 || to->is_closed) return;
    const uint32_t last = model->set_members[set->members_first + set->members_count - 1]; /* ascending */
    if (last + 2 > to->codes) to->codes = last + 2;
}

/* The ensemble's input that the member's input i is; UINT32_MAX: an answer of another member. */
static uint32_t place_of(const ride_ensemble *model, const ride_model *member, uint32_t i) {
    if (!member->has_names || !model->has_names) return i < model->inputs_count ? i : UINT32_MAX;
    if (i < model->inputs_count && strcmp(model->inputs[i].name, member->inputs[i].name) == 0) return i;
    for (uint32_t k = 0; k < model->inputs_count; k++)
        if (strcmp(model->inputs[k].name, member->inputs[i].name) == 0) return k;
    return UINT32_MAX;
}

static bool keep_member(ride_made_rows *made, const ride_ensemble *model, const ride_model *member) {
    uint32_t *places = malloc(((size_t)member->inputs_count + 1) * sizeof *places);
    if (places == NULL) return false;
    for (uint32_t i = 0; i < member->inputs_count; i++) {
        places[i] = place_of(model, member, i);
        if (places[i] != UINT32_MAX && member->input_number == RIDE_FOREST_F32) made->inputs[places[i]].is_float = true;
    }
    for (uint32_t t = 0; member->steps_count == 0 && t < member->trees_count;
         t++) { /* behind steps, inputs are no columns */
        const ride_model_node *nodes = &member->nodes[member->trees[t].nodes_first];
        for (uint32_t n = 0; n < member->trees[t].nodes_count; n++) {
            if (nodes[n].input & RIDE_NODE_LEAF) continue;
            const uint32_t place = places[nodes[n].input & RIDE_NODE_INPUT_MASK];
            if (place != UINT32_MAX) keep_node(made, member, &nodes[n], &made->inputs[place]);
        }
    }
    free(places);
    return true;
}

ride_made_rows *ride_made_rows_create(const ride_ensemble *model) {
    ride_made_rows *made = calloc(1, sizeof *made + model->inputs_count * sizeof made->inputs[0]);
    if (made == NULL) return NULL;
    made->chance = 88172645463325252u;
    made->inputs_count = model->inputs_count;
    for (uint32_t i = 0; i < model->inputs_count; i++) {
        if (!model->inputs[i].is_category) continue;
        made->inputs[i].is_closed = model->inputs[i].categories_count > 0;
        made->inputs[i].codes = made->inputs[i].is_closed ? model->inputs[i].categories_count : 8;
    }
    for (uint32_t m = 0; m < model->members_count; m++)
        if (!keep_member(made, model, model->members[m].model)) {
            free(made);
            return NULL;
        }
    return made;
}

void ride_made_rows_destroy(ride_made_rows *made) { free(made); }

static double draw(ride_made_rows *made, const input *from) {
    const uint32_t kind = below(made, 16);
    if (kind == 0) return NAN;
    if (from->codes > 0) return below(made, from->codes);
    if (kind == 1) return below(made, 2) == 0 ? 0.0 : -0.0;
    const double random = ((double)below(made, 1u << 20) / (1 << 19) - 1.0) * 3.0;
    if (from->seen == 0) return from->is_float ? (double)(float)random : random;
    const uint32_t kept = from->seen < KEPT ? from->seen : KEPT;
    const double value = from->kept[below(made, kept)], other = from->kept[below(made, kept)];
    const double up = INFINITY, down = -INFINITY;
    switch (kind) {
    case 2: return from->is_float ? (double)nextafterf((float)value, (float)down) : nextafter(value, down);
    case 3: return from->is_float ? (double)nextafterf((float)value, (float)up) : nextafter(value, up);
    case 4: return value * 1e3;
    case 5: return -value;
    case 6:
    case 7: return value;
    default:
        return from->is_float ? (double)(float)(value + (other - value) * (random + 3.0) / 6.0)
                              : value + (other - value) * (random + 3.0) / 6.0;
    }
}

void ride_made_rows_next(ride_made_rows *made, double *row) {
    for (uint32_t i = 0; i < made->inputs_count; i++) {
        row[i] = draw(made, &made->inputs[i]);
        if (isinf(row[i])) row[i] = 0.0; /* text files of numbers have none */
    }
}
