/* engine/reasons.c: see reasons.h. */
#include "engine/reasons.h"

#include "base/assert.h"
#include "engine/reasons_explainer.h"
#include "kernels/row/vector.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOP_DEFAULT = 3, ROWS_TOGETHER = RIDE_TILE_ROWS };

/* Where an input of the model comes from. */
typedef struct source {
    uint32_t is_feature, column, type;
    double divisor;
} source;

/* What one thread works with. */
typedef struct room {
    void *scratch;
    double *x;       /* rows of inputs */
    double *phi;     /* of inputs, and the expected margin */
    double *sums;    /* of inputs that are told together */
    uint32_t *named; /* each of them by which input */
} room;

struct reasons {
    reasons_explainer by;
    ride_reasons_when when;
    ride_reason_side side;
    uint32_t top;
    source *sources;
    const char **texts; /* by the vector's entry, borrowed; NULL: none were given */
    uint32_t *leader;   /* of each input the first that has its text; NULL: none were given */
    ride_tile_layout layout;
    uint32_t rooms_count;
    room rooms[RIDE_SHARDS_MAX];
};

/* ---- life ---- */

static ride_status sources_make(const pipeline *p, struct reasons *r, ride_error *err) {
    const ride_plan_vector *vector = ride_bundle_array(&p->bundle, RIDE_SECTION_VECTOR, ride_plan_vector);
    const ride_plan_column *columns = ride_bundle_array(&p->bundle, RIDE_SECTION_COLUMNS, ride_plan_column);
    const uint32_t count = r->by.inputs_count;
    r->sources = calloc(count + 1, sizeof *r->sources);
    if (r->sources == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for %u inputs", count);
    for (uint32_t i = 0; i < count; i++) {
        const ride_plan_vector *entry = &vector[r->by.entries[i]];
        const ride_tile_layout *layout = entry->is_feature ? &p->out_layout : &p->in_layout;
        const uint32_t type = layout->columns[entry->index].type;
        r->sources[i] = (source){
            .is_feature = entry->is_feature,
            .column = entry->index,
            .type = type,
            .divisor = type == RIDE_TYPE_DECIMAL ? ride_vector_divisor(columns[entry->index].scale) : 1.0,
        };
    }
    return RIDE_OK;
}

static ride_status rooms_make(struct reasons *r, uint32_t count, ride_error *err) {
    const size_t scratch = (r->by.scratch_bytes / 64 + 1) * 64, inputs = r->by.inputs_count;
    r->rooms_count = count;
    for (uint32_t i = 0; i < count; i++) {
        room *of = &r->rooms[i];
        of->scratch = aligned_alloc(64, scratch);
        of->x = calloc(ROWS_TOGETHER * inputs + 1, sizeof *of->x);
        of->phi = calloc(ROWS_TOGETHER * (inputs + 1), sizeof *of->phi);
        of->sums = calloc(inputs + 1, sizeof *of->sums);
        of->named = calloc(inputs + 1, sizeof *of->named);
        if (of->scratch == NULL || of->x == NULL || of->phi == NULL || of->sums == NULL || of->named == NULL)
            return ride_fail(err, RIDE_E_MEMORY, "no memory for reasons of %u inputs", r->by.inputs_count);
        memset(of->scratch, 0, scratch); /* touched now, not in the data path */
    }
    return RIDE_OK;
}

static ride_status texts_make(const pipeline *p, struct reasons *r, ride_error *err) {
    const ride_reasons_options *o = &p->options->reasons;
    if (o->texts_count == 0) return RIDE_OK;
    r->texts = calloc(p->spec->vector_count + 1, sizeof *r->texts);
    if (r->texts == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the texts of reasons");
    for (uint32_t v = 0; v < p->spec->vector_count; v++) {
        const char *text = ride_reason_text_of(o, p->spec->vector_names[v]);
        r->texts[v] = text != NULL ? text : p->spec->vector_names[v];
    }
    return RIDE_OK;
}

/* Inputs with one text are one reason; those without a text, which have their names for it, are each their own. */
static ride_status leader_make(const pipeline *p, struct reasons *r, ride_error *err) {
    if (r->texts == NULL) return RIDE_OK;
    r->leader = calloc(r->by.inputs_count + 1, sizeof *r->leader);
    if (r->leader == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the texts of reasons");
    for (uint32_t i = 0; i < r->by.inputs_count; i++) {
        const uint32_t v = r->by.entries[i];
        uint32_t k = 0;
        while (k < i && (r->texts[v] == p->spec->vector_names[v] ||
                         r->texts[r->by.entries[k]] == p->spec->vector_names[r->by.entries[k]] ||
                         strcmp(r->texts[v], r->texts[r->by.entries[k]]) != 0))
            k++;
        r->leader[i] = k; /* or i itself */
    }
    return RIDE_OK;
}

ride_status reasons_open(pipeline *p, ride_error *err) {
    const ride_reasons_options *o = &p->options->reasons;
    if (o->when == RIDE_REASONS_NONE || p->options->record != RIDE_RECORD_DECISION || !p->summary->has_model)
        return RIDE_OK;
    struct reasons *r = p->reasons = calloc(1, sizeof *r);
    if (r == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for reasons");
    r->when = o->when;
    r->side = o->side;
    r->top = o->top > 0 ? o->top : TOP_DEFAULT;
    RIDE_ASSERT(r->top <= RIDE_REASONS_TOP_MAX);
    ride_tile_layout_begin(&r->layout);
    for (uint32_t k = 0; k < r->top; k++) {
        ride_tile_layout_add(&r->layout, RIDE_TYPE_U32, 0);
        ride_tile_layout_add(&r->layout, RIDE_TYPE_F64, 0);
    }
    ride_tile_layout_finish(&r->layout);
    RIDE_TRY(reasons_explainer_open(o, p->spec, &p->bundle, p->ops, p->program, &r->by, err));
    RIDE_TRY(sources_make(p, r, err));
    RIDE_TRY(texts_make(p, r, err));
    RIDE_TRY(leader_make(p, r, err));
    RIDE_TRY(rooms_make(r, p->options->shards > 1 ? p->options->shards : 1, err));
    return reasons_batch_open(p, err);
}

void reasons_close(pipeline *p) {
    struct reasons *r = p->reasons;
    if (r == NULL) return;
    for (uint32_t i = 0; i < r->rooms_count; i++) {
        free(r->rooms[i].scratch);
        free(r->rooms[i].x);
        free(r->rooms[i].phi);
        free(r->rooms[i].sums);
        free(r->rooms[i].named);
    }
    reasons_explainer_close(&r->by);
    free(r->sources);
    free(r->texts);
    free(r->leader);
    free(r);
    p->reasons = NULL;
}

ride_status reasons_batch_open(pipeline *p, ride_error *err) {
    if (p->reasons == NULL) return RIDE_OK;
    const size_t bytes = (size_t)p->batch->tiles_count_max * p->reasons->layout.tile_bytes;
    p->reason_tiles = aligned_alloc(RIDE_TILE_ALIGN, bytes);
    if (p->reason_tiles == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the reasons of a batch");
    memset(p->reason_tiles, 0, bytes);
    return RIDE_OK;
}

const ride_tile_layout *reasons_layout(const pipeline *p) { return p->reasons != NULL ? &p->reasons->layout : NULL; }
uint32_t reasons_top(const pipeline *p) { return p->reasons != NULL ? p->reasons->top : 0; }
const char *const *reasons_texts(const pipeline *p) { return p->reasons->texts; }

/* ---- rows ---- */

bool reasons_wants(const pipeline *p, uint32_t decision) {
    if (p->reasons == NULL) return false;
    return p->reasons->when == RIDE_REASONS_ALL || decision != RIDE_DECISION_APPROVE;
}

static uint32_t decision_of(const pipeline *p, const ride_work *work, uint32_t rule) {
    const bool ruled = (work->stages & RIDE_STAGE_RULES) != 0 && rule < p->options->rules_count;
    return ruled ? (uint32_t)p->options->rules[rule].decision : RIDE_DECISION_APPROVE;
}

/* Rows of the tile that are explained. */
static uint32_t rows_choose(const pipeline *p, const ride_work *work, const uint8_t *in, const uint8_t *out,
                            uint32_t rows_count, uint8_t *rows) {
    const uint32_t *flags = ride_tile_values_const(&p->in_layout, in, RIDE_COLUMN_FLAGS);
    const uint32_t *rule = ride_tile_values_const(&p->out_layout, out, p->bundle.plan->features_count + RIDE_OUT_RULE);
    uint32_t count = 0;
    for (uint32_t row = 0; row < rows_count; row++)
        if ((flags[row] & (RIDE_ROW_LABEL | RIDE_ROW_SKIP)) == 0 && reasons_wants(p, decision_of(p, work, rule[row])))
            rows[count++] = (uint8_t)row;
    return count;
}

static void inputs_gather(const pipeline *p, const uint8_t *in, const uint8_t *out, const uint8_t *rows, uint32_t count,
                          double *x) {
    const struct reasons *r = p->reasons;
    for (uint32_t i = 0; i < r->by.inputs_count; i++) {
        const source *from = &r->sources[i];
        const ride_tile_layout *layout = from->is_feature ? &p->out_layout : &p->in_layout;
        const uint8_t *tile = from->is_feature ? out : in;
        const void *values = ride_tile_values_const(layout, tile, from->column);
        const uint8_t *validity = ride_tile_validity_const(layout, tile, from->column);
        for (uint32_t k = 0; k < count; k++)
            x[(size_t)k * r->by.inputs_count + i] =
                ride_valid(validity, rows[k]) ? ride_vector_value(values, from->type, rows[k], from->divisor) : NAN;
    }
}

/* Row k of those that were explained. Its shares become those of the answer. */
static void row_write(const struct reasons *r, const room *with, uint32_t k, uint8_t *to, uint32_t row) {
    const uint32_t inputs = r->by.inputs_count;
    double *phi = with->phi + (size_t)k * (inputs + 1);
    const double factor = reasons_sense_of_row(&r->by.sense, with->x + (size_t)k * inputs), *shares = phi;
    ride_reason found[RIDE_REASONS_TOP_MAX];
    for (uint32_t i = 0; i < inputs; i++) phi[i] *= factor;
    if (r->leader != NULL) {
        ride_reasons_group_row(phi, r->leader, inputs, with->sums, with->named);
        shares = with->sums;
    }
    const uint32_t count = ride_reasons_row(shares, 1, inputs, r->side, r->top, found);
    for (uint32_t n = 0; n < count; n++) {
        const uint32_t told = r->leader != NULL ? with->named[found[n].input] : found[n].input;
        ((uint32_t *)ride_tile_values(&r->layout, to, 2 * n))[row] = r->by.entries[told];
        ((double *)ride_tile_values(&r->layout, to, 2 * n + 1))[row] = found[n].share;
    }
}

static void tile_blank(const struct reasons *r, uint8_t *to) {
    for (uint32_t k = 0; k < r->top; k++) {
        uint32_t *inputs = ride_tile_values(&r->layout, to, 2 * k);
        double *shares = ride_tile_values(&r->layout, to, 2 * k + 1);
        for (uint32_t row = 0; row < RIDE_TILE_ROWS; row++) {
            inputs[row] = RIDE_REASON_NO_INPUT;
            shares[row] = NAN;
        }
    }
}

ride_status reasons_make(const pipeline *p, uint32_t shard, const ride_work *work, uint8_t *to) {
    const struct reasons *r = p->reasons;
    const room *with = &r->rooms[shard];
    const uint8_t *in = work->in_tiles, *out = work->out_tiles;
    for (uint32_t first = 0; first < work->rows_count; first += RIDE_TILE_ROWS) {
        const uint32_t left = work->rows_count - first;
        uint8_t rows[RIDE_TILE_ROWS];
        tile_blank(r, to);
        const uint32_t count = (work->stages & RIDE_STAGE_SCORE) == 0
                                   ? 0 /* read again, and nobody will ask */
                                   : rows_choose(p, work, in, out, left < RIDE_TILE_ROWS ? left : RIDE_TILE_ROWS, rows);
        if (count > 0) {
            inputs_gather(p, in, out, rows, count, with->x);
            const ride_rows matrix = {.values = with->x,
                                      .type = RIDE_TYPE_F64,
                                      .out_type = RIDE_TYPE_F64,
                                      .rows_count = count,
                                      .row_stride = r->by.inputs_count,
                                      .column_stride = 1,
                                      .margins = with->phi};
            RIDE_TRY(r->by.ops->rows_explain(r->by.explainer, &matrix, with->scratch));
            for (uint32_t k = 0; k < count; k++) row_write(r, with, k, to, rows[k]);
        }
        in += p->in_layout.tile_bytes;
        out += p->out_layout.tile_bytes;
        to += r->layout.tile_bytes;
    }
    return RIDE_OK;
}

bool reasons_read(const pipeline *p, uint32_t row, uint32_t k, uint32_t *vector_index, double *share) {
    const ride_tile_layout *layout = &p->reasons->layout;
    const uint8_t *tile = p->reason_tiles + (size_t)(row / RIDE_TILE_ROWS) * layout->tile_bytes;
    *vector_index = ((const uint32_t *)ride_tile_values_const(layout, tile, 2 * k))[row % RIDE_TILE_ROWS];
    *share = ((const double *)ride_tile_values_const(layout, tile, 2 * k + 1))[row % RIDE_TILE_ROWS];
    return *vector_index != RIDE_REASON_NO_INPUT;
}
