/* engine/outputs.c: what goes out, and where: the record of an event (features, or the decision: docs/run.md), the same for rows
 * that came too late, the dead letters, and drift. */
#include "engine/pipeline.h"
#include "engine/reasons.h"
#include "lib/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SET_IN = 0, SET_OUT, SET_VERDICT, SET_REASONS, COLUMNS_MAX = RIDE_ENCODER_COLUMNS_MAX };

static const char *const decision_texts[RIDE_DECISIONS] = {"approve", "review", "decline"};
static const char *const end_texts[ENDS] = {"scored", "degraded", "duplicate"};

typedef struct record {
    ride_encoder_column columns[COLUMNS_MAX];
    uint32_t count;
} record;

static ride_encoder_column *add(record *r, const char *name, uint32_t set, uint32_t column) {
    if (r->count == COLUMNS_MAX) return &r->columns[COLUMNS_MAX - 1]; /* the caller sees count and refuses */
    r->columns[r->count] = (ride_encoder_column){.name = name, .set = set, .column = column};
    return &r->columns[r->count++];
}

static void add_field(record *r, const char *name, const ride_field *field) {
    ride_encoder_column *c = add(r, name, SET_IN, field->column);
    c->field_type = field->type;
    c->scale = field->scale;
    if (field->type == RIDE_FIELD_TIMESTAMP) c->unit = field->unit;
    if (field->type == RIDE_FIELD_CATEGORY) {
        c->encoding = RIDE_ENCODING_TEXTS;
        c->texts = field->categories;
        c->texts_count = field->categories_count;
    }
}

static void add_texts(record *r, const char *name, uint32_t column, const char *const *texts, uint32_t texts_count) {
    ride_encoder_column *c = add(r, name, SET_VERDICT, column);
    c->encoding = RIDE_ENCODING_TEXTS;
    c->texts = texts;
    c->texts_count = texts_count;
}

static void add_vector(const pipeline *p, record *r) {
    const ride_plan_vector *vector = ride_bundle_array(&p->bundle, RIDE_SECTION_VECTOR, ride_plan_vector);
    const ride_plan_column *columns = ride_bundle_array(&p->bundle, RIDE_SECTION_COLUMNS, ride_plan_column);
    for (uint32_t v = 0; v < p->spec->vector_count; v++) {
        ride_encoder_column *c =
            add(r, p->spec->vector_names[v], vector[v].is_feature ? SET_OUT : SET_IN, vector[v].index);
        if (!vector[v].is_feature) c->scale = columns[vector[v].index].scale;
    }
}

static void add_decision(pipeline *p, record *r) {
    if (p->spec->entities_count > 0) {
        const ride_entity_spec *entity = &p->spec->entities[0];
        for (uint32_t k = 0; k < entity->keys_count; k++) {
            const ride_field *field = &p->events->fields[entity->keys[k]];
            char *name = p->key_names[k];
            snprintf(name, sizeof p->key_names[k], "%s%s", entity->keys_count == 1 ? "key" : "key_",
                     entity->keys_count == 1 ? "" : field->name);
            if (field->column != RIDE_COLUMN_NONE) add_field(r, name, field);
        }
    }
    add(r, "event_time", SET_IN, RIDE_COLUMN_TIME);
    add(r, "margin", SET_VERDICT, VERDICT_MARGIN);
    add(r, "probability", SET_VERDICT, VERDICT_PROBABILITY);
    add_texts(r, "decision", VERDICT_DECISION, decision_texts, RIDE_DECISIONS);
    add_texts(r, "rule", VERDICT_RULE, p->rule_names, p->rules_known);
    add_texts(r, "end", VERDICT_END, end_texts, ENDS);
    add(r, "approx", SET_VERDICT, VERDICT_APPROX);
    add(r, "late", SET_VERDICT, VERDICT_LATE);
    add_texts(r, "model_hash", VERDICT_MODEL, p->models_known, p->models_count);
    add(r, "spec_hash", RIDE_ENCODER_CONSTANT, 0)->constant =
        ride_hex(p->spec->hash, sizeof p->spec->hash, p->spec_hash_text);
}

static void add_reasons(pipeline *p, record *r) {
    const char *const *texts = p->reasons != NULL ? reasons_texts(p) : NULL;
    for (uint32_t k = 0; k < reasons_top(p); k++) {
        snprintf(p->reason_names[k][0], sizeof p->reason_names[k][0], "reason_%u", k + 1);
        snprintf(p->reason_names[k][1], sizeof p->reason_names[k][1], "reason_%u_share", k + 1);
        snprintf(p->reason_names[k][2], sizeof p->reason_names[k][2], "reason_%u_text", k + 1);
        for (uint32_t i = 0; i < (texts != NULL ? 3 : 2); i++) {
            static const char *const members[] = {"input", "share", "text"};
            ride_encoder_column *c = add(r, p->reason_names[k][i], SET_REASONS, 2 * k + (i == 1));
            c->list = "reasons";
            c->member = members[i];
            if (i == 1) continue;
            c->encoding = RIDE_ENCODING_TEXTS;
            c->texts = i == 0 ? p->spec->vector_names : texts;
            c->texts_count = p->spec->vector_count;
        }
    }
}

static void add_all(pipeline *p, bool is_late, bool with_vector, record *r) {
    bool decisions = p->options->record == RIDE_RECORD_DECISION;
    if (p->events->field_id >= 0) {
        const ride_field *id = &p->events->fields[p->events->field_id];
        add_field(r, id->name, id);
    }
    if (decisions) add_decision(p, r);
    if (decisions) add_reasons(p, r);
    if (!decisions || with_vector) add_vector(p, r);
    if (is_late) { /* why it is here: how far its time is behind the clock that it met */
        add(r, "reason", RIDE_ENCODER_CONSTANT, 0)->constant = "too_late";
        add(r, "clock", SET_IN, RIDE_COLUMN_CLOCK);
    }
}

/* The columns of a record, and with a sink the encoder of a file or with none that of single records. */
static ride_status open_encoder(pipeline *p, bool is_late, ride_format format, ride_sink *sink, bool resumed,
                                ride_encoder **out, ride_error *err) {
    record *r = calloc(1, sizeof *r);
    if (r == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the output");
    add_all(p, is_late, p->options->vector, r);
    ride_encoder_options options = {.format = format,
                                    .columns = r->columns,
                                    .columns_count = r->count,
                                    .layouts = {&p->in_layout, &p->out_layout,
                                                p->options->record == RIDE_RECORD_DECISION ? &p->verdict_layout : NULL,
                                                reasons_layout(p)},
                                    .no_header = resumed};
    ride_status st = RIDE_OK;
    if (r->count == COLUMNS_MAX)
        st = ride_fail(err, RIDE_E_UNSUPPORTED, "more than %d columns of output", COLUMNS_MAX - 1);
    else if (sink != NULL) st = ride_encoder_open(&options, sink, out, err);
    else st = ride_encoder_open_records(&options, out, err);
    free(r);
    return st;
}

ride_status outputs_record_encoder(pipeline *p, bool late, ride_format format, ride_encoder **out, ride_error *err) {
    return open_encoder(p, late, format, NULL, true, out, err);
}

uint32_t outputs_record_names(pipeline *p, char **names) {
    record *r = calloc(1, sizeof *r);
    size_t bytes = 1, at = 0;
    uint32_t count = 0;
    *names = NULL;
    if (r != NULL) add_all(p, false, p->options->vector, r);
    for (uint32_t c = 0; r != NULL && c < r->count; c++) bytes += strlen(r->columns[c].name) + 1;
    if (r != NULL) *names = malloc(bytes);
    for (; *names != NULL && count < r->count; count++) {
        strcpy(*names + at, r->columns[count].name);
        at += strlen(r->columns[count].name) + 1;
    }
    free(r);
    return count;
}

/* Members of the record as JSON: a list is one. */
static uint32_t members_count(const record *r) {
    uint32_t count = 0;
    for (uint32_t c = 0; c < r->count; c++)
        count += r->columns[c].list == NULL || c == 0 || r->columns[c - 1].list == NULL;
    return count;
}

/* Names of the record's and the vector's columns that are of a sensitive field. */
static char *sensitive_names(const pipeline *p, const record *r) {
    char *names = calloc(1, 2 + (size_t)r->count * (RIDE_NAME_BYTES + 8));
    size_t at = 0;
    for (uint32_t c = 0; names != NULL && c < r->count; c++) {
        const ride_encoder_column *column = &r->columns[c];
        for (uint32_t f = 0; f < p->events->fields_count; f++) {
            const ride_field *field = &p->events->fields[f];
            if (column->set != SET_IN || column->column != field->column || !field->sensitive) continue;
            strcpy(names + at, column->name);
            at += strlen(column->name) + 1;
            break;
        }
    }
    return names;
}

ride_status outputs_whole_encoder(pipeline *p, ride_encoder **out, uint32_t *fields_count, char **sensitive,
                                  ride_error *err) {
    record *r = calloc(1, sizeof *r);
    if (r == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a record");
    add_all(p, false, false, r);
    *fields_count = members_count(r);
    add_vector(p, r);
    *sensitive = sensitive_names(p, r);
    const ride_encoder_options options = {.format = RIDE_FORMAT_NDJSON,
                                          .columns = r->columns,
                                          .columns_count = r->count,
                                          .layouts = {&p->in_layout, &p->out_layout, &p->verdict_layout,
                                                      reasons_layout(p)}};
    ride_status st = *sensitive != NULL && r->count < COLUMNS_MAX
                         ? ride_encoder_open_records(&options, out, err)
                         : ride_fail(err, RIDE_E_MEMORY, "no memory for a record");
    free(r);
    return st;
}

/* A name by which a file is known, however its path is written. false: there is none, or it is a device or pipe. */
static bool file_identity(const char *path, struct stat *info) {
    return path != NULL && strcmp(path, "-") != 0 && stat(path, info) == 0 && S_ISREG(info->st_mode);
}

/* An output must not be the file that something else of the run is: it would be emptied by the opening. */
static ride_status check_not_taken(const pipeline *p, uint32_t which, ride_error *err) {
    const ride_run_options *o = p->options;
    struct stat mine, other;
    const char *taken[OUTPUTS + RIDE_SOURCES_MAX + 6] = {o->spec_path,    o->model_path,   o->config_path,
                                                         o->summary_path, o->profile_path, o->reasons.background};
    uint32_t count = 6;
    for (uint32_t i = 0; i < p->inputs_count; i++) taken[count++] = p->inputs[i].path;
    for (uint32_t i = 0; i < which; i++) taken[count++] = p->outputs[i].path;
    if (!file_identity(p->outputs[which].path, &mine)) return RIDE_OK;
    for (uint32_t i = 0; i < count; i++) {
        if (!file_identity(taken[i], &other) || other.st_dev != mine.st_dev || other.st_ino != mine.st_ino) continue;
        ride_fail(err, RIDE_E_CONFIG, "an output would overwrite another file of the run");
        ride_error_where(err, "%s", p->outputs[which].path);
        ride_error_advice(err, "give every output a file of its own");
        return RIDE_E_CONFIG;
    }
    return RIDE_OK;
}

ride_status outputs_open(pipeline *p, ride_error *err) {
    for (uint32_t i = 0; i < OUTPUTS; i++) RIDE_TRY(check_not_taken(p, i, err));
    for (uint32_t i = 0; i < OUTPUTS; i++) {
        output *out = &p->outputs[i];
        if (out->path == NULL) continue;
        RIDE_TRY(check_not_taken(p, i, err)); /* again: those before may have been made just now */
        bool resumed = out->offset > 0;
        ride_sink_options options = {.resume = resumed,
                                     .resume_offset = out->offset,
                                     .sync = p->options->state_dir != NULL};
        RIDE_TRY(ride_sink_open(out->path, &options, &out->sink, err));
        if (i == OUTPUT_MAIN || i == OUTPUT_LATE || i == OUTPUT_ALERTS)
            RIDE_TRY(open_encoder(p, i == OUTPUT_LATE, p->options->format, out->sink, resumed, &out->encoder, err));
    }
    for (uint32_t i = 0; i < OUTPUTS; i++) RIDE_TRY(check_not_taken(p, i, err)); /* the summary may be one just made */
    return RIDE_OK;
}

/* Rows whose flags, masked, are as wanted. */
static uint32_t select_rows(pipeline *p, uint32_t mask, uint32_t wanted) {
    uint32_t count = 0;
    for (uint32_t row = 0; row < p->batch->rows_count; row++)
        if ((*row_flags(p, row) & mask) == wanted) p->rows[count++] = row;
    return count;
}

/* Decisions that are not approve; a repeated event was alerted the first time. */
static uint32_t select_alerts(pipeline *p) {
    uint32_t count = 0;
    for (uint32_t row = 0; row < p->batch->rows_count; row++) {
        const uint32_t *decision = ride_tile_values(&p->verdict_layout, verdict_tile(p, row), VERDICT_DECISION);
        if ((*row_flags(p, row) & (RIDE_ROW_SKIP | RIDE_ROW_LABEL)) == 0 &&
            decision[row % RIDE_TILE_ROWS] != RIDE_DECISION_APPROVE)
            p->rows[count++] = row;
    }
    return count;
}

ride_status outputs_write(pipeline *p) {
    ride_encoder_set sets[RIDE_ENCODER_SETS_MAX];
    bool decisions = p->options->record == RIDE_RECORD_DECISION; /* duplicates are answered */
    outputs_sets(p, sets);
    uint32_t count = select_rows(p, decisions ? RIDE_ROW_LABEL : RIDE_ROW_SKIP | RIDE_ROW_LABEL, 0);
    ride_encoder *encoder = p->outputs[OUTPUT_MAIN].encoder, *late = p->outputs[OUTPUT_LATE].encoder,
                 *alerts = p->outputs[OUTPUT_ALERTS].encoder;
    if (encoder != NULL) /* a service may send them elsewhere */
        RIDE_TRY(ride_encoder_write(encoder, sets, count == p->batch->rows_count ? NULL : p->rows, 0, count));
    if (alerts != NULL) {
        count = select_alerts(p);
        RIDE_TRY(ride_encoder_write(alerts, sets, p->rows, 0, count));
    }
    for (uint32_t i = OUTPUT_REJECTS; i < OUTPUTS; i++)
        if (p->outputs[i].sink != NULL) RIDE_TRY(p->outputs[i].sink->failed);
    if (late == NULL) return RIDE_OK;
    count = select_rows(p, RIDE_ROW_SKIP | RIDE_ROW_LABEL | RIDE_ROW_ENTERS, 0);
    return ride_encoder_write(late, sets, p->rows, 0, count);
}

ride_status outputs_close(pipeline *p, ride_error *err) {
    ride_status st = RIDE_OK;
    for (uint32_t i = 0; i < OUTPUTS; i++) {
        output *out = &p->outputs[i];
        ride_error failure;
        ride_encoder_close(out->encoder);
        out->encoder = NULL;
        if (out->sink == NULL) continue;
        out->offset = ride_sink_offset(out->sink);
        ride_status closed = ride_sink_close(out->sink, &failure);
        out->sink = NULL;
        if (closed != RIDE_OK && st == RIDE_OK) st = closed, *err = failure;
    }
    return st;
}
