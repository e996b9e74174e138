/* engine/alerts.c: the highest scores that were not approved, and what stands out in them: the features that are furthest from their
 * mean, in standard deviations. Mean and deviation are Welford's running ones over every 64th event of the run: exact
 * enough for a look, and free. Chosen by arrival numbers, so the same for any batch size. */
#include "engine/pipeline.h"
#include "engine/reasons.h"
#include "kernels/row/vector.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLE_EVERY = 64 };

ride_status alerts_open(pipeline *p, ride_error *err) {
    if (p->options->record != RIDE_RECORD_DECISION) return RIDE_OK;
    uint32_t n = p->spec->vector_count;
    p->vector_moments = calloc(n + 1, sizeof *p->vector_moments);
    p->alert_vectors = calloc((size_t)RIDE_ALERTS_MAX * n + 1, sizeof *p->alert_vectors);
    p->summary->vector_names = calloc(n + 1, sizeof *p->summary->vector_names);
    if (p->vector_moments == NULL || p->alert_vectors == NULL || p->summary->vector_names == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory to keep the alerts");
    if (p->reasons != NULL && reasons_texts(p) != NULL) {
        p->summary->reason_texts = calloc(n + 1, sizeof *p->summary->reason_texts);
        if (p->summary->reason_texts == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory to keep the alerts");
        for (uint32_t v = 0; v < n; v++)
            snprintf(p->summary->reason_texts[v], sizeof *p->summary->reason_texts, "%s", reasons_texts(p)[v]);
    }
    p->summary->has_reasons = p->reasons != NULL;
    for (uint32_t v = 0; v < n; v++)
        snprintf(p->summary->vector_names[v], sizeof *p->summary->vector_names, "%s", p->spec->vector_names[v]);
    return RIDE_OK;
}

static void vector_read(const pipeline *p, uint32_t row, double *out) {
    const ride_plan_vector *vector = ride_bundle_array(&p->bundle, RIDE_SECTION_VECTOR, ride_plan_vector);
    const ride_plan_column *columns = ride_bundle_array(&p->bundle, RIDE_SECTION_COLUMNS, ride_plan_column);
    uint32_t r = row % RIDE_TILE_ROWS;
    for (uint32_t v = 0; v < p->spec->vector_count; v++) {
        const ride_tile_layout *layout = vector[v].is_feature ? &p->out_layout : &p->in_layout;
        const uint8_t *tile = vector[v].is_feature ? out_tile(p, row) : batch_tile(p, row);
        const ride_tile_column *column = &layout->columns[vector[v].index];
        const void *values = ride_tile_values_const(layout, tile, vector[v].index);
        double divisor = column->type == RIDE_TYPE_DECIMAL ? ride_vector_divisor(columns[vector[v].index].scale) : 1.0;
        out[v] = ride_valid(ride_tile_validity_const(layout, tile, vector[v].index), r)
                     ? ride_vector_value(values, column->type, r, divisor)
                     : NAN;
    }
}

static void sample(pipeline *p, uint32_t row) {
    double vector[RIDE_TILE_COLUMNS_MAX];
    vector_read(p, row, vector);
    for (uint32_t v = 0; v < p->spec->vector_count; v++) {
        moments *m = &p->vector_moments[v];
        if (!isfinite(vector[v])) continue;
        double apart = vector[v] - m->mean;
        m->count++;
        m->mean += apart / (double)m->count;
        m->squares += apart * (vector[v] - m->mean);
    }
}

/* Higher score first; without scores (and of equal ones) the harder decision, then the earlier event. */
static bool before(const ride_alert *a, const ride_alert *b) {
    double x = isnan(a->probability) ? -1 : a->probability, y = isnan(b->probability) ? -1 : b->probability;
    if (x != y) return x > y;
    if (a->decision != b->decision) return a->decision > b->decision;
    return a->sequence < b->sequence;
}

/* Appends text, cut between characters so that what is kept stays UTF-8; a zero byte becomes a space. */
static void append(char *text, const char *more, size_t bytes) {
    size_t used = strlen(text), room = RIDE_NAME_BYTES - 1 - used;
    if (bytes > room)
        for (bytes = room; bytes > 0 && ((unsigned char)more[bytes] & 0xc0) == 0x80;) bytes--;
    for (size_t i = 0; i < bytes; i++) text[used + i] = more[i] != '\0' ? more[i] : ' ';
    text[used + bytes] = '\0';
}

static int64_t unit_us(ride_time_unit unit) {
    return unit == RIDE_UNIT_S ? 1000000 : unit == RIDE_UNIT_MS ? 1000 : 1; /* ns came as microseconds */
}

/* A sensitive value is shown as card numbers are on receipts: its last four characters, when there are many more. */
static void append_redacted(char *text, const char *value) {
    size_t characters = 0, bytes = strlen(value), from = bytes;
    for (size_t i = 0; i < bytes; i++) characters += ((unsigned char)value[i] & 0xc0) != 0x80;
    for (int kept = characters >= 10 ? 4 : 0; kept > 0; kept--) do
            from--;
        while (((unsigned char)value[from] & 0xc0) == 0x80);
    append(text, "***", 3);
    append(text, value + from, bytes - from);
}

static void append_field(const pipeline *p, uint32_t field_index, uint32_t row, char *text) {
    const ride_field *field = &p->events->fields[field_index];
    uint32_t r = row % RIDE_TILE_ROWS;
    char number[64] = "", whole[RIDE_NAME_BYTES] = "";
    if (field->column == RIDE_COLUMN_NONE ||
        !ride_valid(ride_tile_validity_const(&p->in_layout, batch_tile(p, row), field->column), r))
        return;
    const void *values = ride_tile_values_const(&p->in_layout, batch_tile(p, row), field->column);
    const char *from = number;
    size_t bytes = 0;
    switch (field->tile_type) {
    case RIDE_TYPE_STRING:
        from = p->batch->arena + ((const ride_slice *)values)[r].offset;
        bytes = ((const ride_slice *)values)[r].bytes;
        break;
    case RIDE_TYPE_U64: snprintf(number, sizeof number, "%" PRIu64, ((const uint64_t *)values)[r]); break;
    case RIDE_TYPE_BOOL: snprintf(number, sizeof number, "%u", ((const uint8_t *)values)[r]); break;
    case RIDE_TYPE_F64: snprintf(number, sizeof number, "%.17g", ((const double *)values)[r]); break;
    default: {
        int64_t value = ((const int64_t *)values)[r];
        if (field->type == RIDE_FIELD_CATEGORY && (uint64_t)value < field->categories_count)
            from = field->categories[value];
        else if (field->type == RIDE_FIELD_DECIMAL)
            snprintf(number, sizeof number, "%.*f", field->scale, (double)value / ride_vector_divisor(field->scale));
        else if (field->type == RIDE_FIELD_TIMESTAMP)
            snprintf(number, sizeof number, "%" PRId64, value / unit_us(field->unit));
        else snprintf(number, sizeof number, "%" PRId64, value);
    }
    }
    if (field->tile_type != RIDE_TYPE_STRING) bytes = strlen(from);
    if (!field->sensitive) {
        append(text, from, bytes);
        return;
    }
    append(whole, from, bytes);
    append_redacted(text, whole);
}

static void alert_take(pipeline *p, uint32_t row, ride_alert alert) {
    ride_run_summary *s = p->summary;
    uint32_t at = s->alerts_count, n = p->spec->vector_count;
    if (at == RIDE_ALERTS_MAX && !before(&alert, &s->alerts[--at])) return;
    if (s->alerts_count < RIDE_ALERTS_MAX) s->alerts_count++;
    for (; at > 0 && before(&alert, &s->alerts[at - 1]); at--) {
        s->alerts[at] = s->alerts[at - 1];
        memcpy(p->alert_vectors + (size_t)at * n, p->alert_vectors + (size_t)(at - 1) * n, n * sizeof(double));
    }
    if (p->events->field_id >= 0) {
        append_field(p, (uint32_t)p->events->field_id, row, alert.event_id);
        uint32_t type = p->events->fields[p->events->field_id].type;
        alert.id_is_integer = type >= RIDE_FIELD_U8 && type <= RIDE_FIELD_I64;
    }
    for (uint32_t k = 0; p->spec->entities_count > 0 && k < p->spec->entities[0].keys_count; k++) {
        if (k > 0) append(alert.key, "|", 1);
        append_field(p, p->spec->entities[0].keys[k], row, alert.key);
    }
    for (uint32_t k = 0; k < reasons_top(p) && k < RIDE_ALERT_REASONS_MAX; k++) {
        if (!reasons_read(p, row, k, &alert.reasons[k].vector_index, &alert.reasons[k].share)) break;
        alert.reasons_count = k + 1;
    }
    s->alerts[at] = alert;
    vector_read(p, row, p->alert_vectors + (size_t)at * n);
}

void alerts_batch(pipeline *p) {
    if (p->verdict_tiles == NULL) return;
    for (uint32_t row = 0; row < p->batch->rows_count; row++) {
        const uint8_t *tile = verdict_tile(p, row);
        uint32_t r = row % RIDE_TILE_ROWS;
        bool is_event = !(*row_flags(p, row) & (RIDE_ROW_SKIP | RIDE_ROW_LABEL));
        if (is_event && (p->sequence + row) % SAMPLE_EVERY == 0) sample(p, row);
        uint32_t decision = ((const uint32_t *)ride_tile_values_const(&p->verdict_layout, tile, VERDICT_DECISION))[r];
        if (!is_event || decision == RIDE_DECISION_APPROVE) continue;
        alert_take(p, row,
                   (ride_alert){
                       .time_us = *row_time(p, row, RIDE_COLUMN_TIME),
                       .sequence = p->sequence + row,
                       .probability =
                           ((const double *)ride_tile_values_const(&p->verdict_layout, tile, VERDICT_PROBABILITY))[r],
                       .decision = (ride_decision)decision,
                       .rule = ((const uint32_t *)ride_tile_values_const(&p->verdict_layout, tile, VERDICT_RULE))[r],
                   });
    }
}

/* The vector's entry is a field that is not to be shown. */
static bool is_sensitive(const pipeline *p, uint32_t v) {
    const ride_plan_vector *entry = &ride_bundle_array(&p->bundle, RIDE_SECTION_VECTOR, ride_plan_vector)[v];
    for (uint32_t f = 0; !entry->is_feature && f < p->events->fields_count; f++)
        if (p->events->fields[f].column == entry->index) return p->events->fields[f].sensitive;
    return false;
}

void alerts_end(pipeline *p) {
    uint32_t n = p->spec != NULL ? p->spec->vector_count : 0;
    for (uint32_t i = 0; p->alert_vectors != NULL && i < p->summary->alerts_count; i++) {
        ride_alert *alert = &p->summary->alerts[i];
        const double *vector = p->alert_vectors + (size_t)i * n;
        for (uint32_t v = 0; v < n; v++) {
            const moments *m = &p->vector_moments[v];
            if (m->count < 2 || m->squares <= 0 || !isfinite(vector[v]) || is_sensitive(p, v)) continue;
            double deviations = (vector[v] - m->mean) / sqrt(m->squares / (double)(m->count - 1));
            uint32_t at = alert->features_count;
            if (at == RIDE_ALERT_FEATURES_MAX && fabs(deviations) <= fabs(alert->features[--at].deviations)) continue;
            if (alert->features_count < RIDE_ALERT_FEATURES_MAX) alert->features_count++;
            for (; at > 0 && fabs(deviations) > fabs(alert->features[at - 1].deviations); at--)
                alert->features[at] = alert->features[at - 1];
            alert->features[at].vector_index = v;
            alert->features[at].value = vector[v];
            alert->features[at].deviations = deviations;
        }
    }
    free(p->vector_moments);
    free(p->alert_vectors);
    p->vector_moments = NULL;
    p->alert_vectors = NULL;
}
