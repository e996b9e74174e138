/* engine/resume.c: what a run leaves in state.dir at a clean end, and how the next one goes on from it: window state, ids of the
 * dedup horizon with their verdicts, events that labels may come for, drift, the clock, the counters, how far each input was read
 * and how long each output was. An output of the same name is cut to that length and continued, an input of the same name is read from
 * there: the outputs are then the bytes of one uninterrupted run. An input or output of another name begins at its start. */
#include "base/log.h"
#include "engine/pipeline.h"
#include "engine/reasons.h"
#include "engine/shards.h"
#include "lib/hash.h"

#include <stdlib.h>
#include <string.h>

enum {
    SECTION_RUN = 1,
    SECTION_MODELS,
    SECTION_RULES,
    SECTION_STATE,
    SECTION_DEDUP,
    SECTION_LABELS,
    SECTION_DRIFT,
    PATH_BYTES_MAX = 1 << 16
};
enum { RUN_VERSION = 5 };

/* The fixed part of SECTION_RUN. Behind it inputs and outputs, and last, which states of before reasons lack, u64 how many rows were explained. */
typedef struct run_part {
    uint32_t version, record, format, columns; /* optional_columns() */
    uint8_t spec_hash[32];
    uint64_t sequence, labels_waiting;
    int64_t clock_us;
    uint64_t received, accepted, rejected, duplicates, late, too_late, labels, labels_unknown, labels_rejected,
        decisions[RIDE_DECISIONS];
    uint32_t inputs_count, outputs_count;
} run_part;

typedef struct input_part {
    char source[RIDE_NAME_BYTES];
    ride_position position;
    ride_key128 prefix; /* hash of the input's first prefix_bytes */
    uint32_t prefix_bytes, path_bytes;
} input_part;
typedef struct output_part {
    uint64_t offset;
    uint32_t path_bytes, reserved;
} output_part;

/* ---- save ---- */

typedef struct saver {
    ride_snapshot_writer *writer;
    const pipeline *p;
    uint32_t payload_bytes;
    bool used[MODELS_KNOWN_MAX + 1]; /* models that some kept verdict names */
    uint8_t index[MODELS_KNOWN_MAX + 1];
    bool rule_used[RULES_KNOWN_MAX];
    uint32_t rule_index[RULES_KNOWN_MAX];
} saver;

/* Which columns the records have that not all have. */
static uint32_t optional_columns(const pipeline *p) {
    const ride_reasons_options *r = &p->options->reasons;
    return (uint32_t)p->options->vector | reasons_top(p) << 1 |
           (uint32_t)(reasons_top(p) > 0 && r->texts_count > 0) << 8;
}

static ride_status save_run(const pipeline *p, ride_snapshot_writer *w) {
    const ride_run_summary *s = p->summary;
    run_part run = {.version = RUN_VERSION,
                    .record = p->options->record,
                    .format = p->options->format,
                    .columns = optional_columns(p),
                    .sequence = p->sequence,
                    .labels_waiting = p->labels_waiting,
                    .clock_us = p->clock_us,
                    .received = s->received,
                    .accepted = s->accepted,
                    .rejected = s->rejected,
                    .duplicates = s->duplicates,
                    .late = s->late,
                    .too_late = s->too_late,
                    .labels = s->labels,
                    .labels_unknown = s->labels_unknown,
                    .labels_rejected = s->labels_rejected,
                    .inputs_count = p->inputs_count,
                    .outputs_count = OUTPUTS};
    memcpy(run.spec_hash, p->spec->hash, sizeof run.spec_hash);
    memcpy(run.decisions, s->decisions, sizeof run.decisions);
    ride_snapshot_start(w, SECTION_RUN);
    RIDE_TRY(ride_snapshot_write(w, &run, sizeof run));
    for (uint32_t i = 0; i < p->inputs_count; i++) {
        const input *in = &p->inputs[i];
        input_part part = {.position = ride_decoder_position(in->decoder),
                           .prefix = ride_hash_bytes(in->prefix, in->prefix_bytes),
                           .prefix_bytes = in->prefix_bytes,
                           .path_bytes = (uint32_t)strlen(in->path)};
        memcpy(part.source, in->spec->name, sizeof part.source);
        RIDE_TRY(ride_snapshot_write(w, &part, sizeof part));
        RIDE_TRY(ride_snapshot_write(w, in->path, part.path_bytes));
    }
    for (uint32_t i = 0; i < OUTPUTS; i++) {
        const char *path = p->outputs[i].path != NULL ? p->outputs[i].path : "";
        output_part part = {.offset = p->outputs[i].offset, .path_bytes = (uint32_t)strlen(path)};
        RIDE_TRY(ride_snapshot_write(w, &part, sizeof part));
        RIDE_TRY(ride_snapshot_write(w, path, part.path_bytes));
    }
    return ride_snapshot_write(w, &s->explained, sizeof s->explained);
}

static ride_status note_names(void *context, ride_key128 id, int64_t time_us, const void *payload) {
    saver *s = context;
    const verdict *v = payload;
    (void)id;
    (void)time_us;
    s->used[v->model] = true;
    if (v->rule != RULE_NONE) s->rule_used[v->rule] = true;
    return RIDE_OK;
}

/* Models and rules that no verdict names any more are left out, so the lists stay short however often they change. */
static ride_status save_models(saver *s) {
    const pipeline *p = s->p;
    uint32_t count = 0;
    if (p->verdict_tiles != NULL && p->dedup != NULL) RIDE_TRY(ride_idmap_each(p->dedup, p->clock_us, note_names, s));
    for (uint32_t m = 0; m < MODELS_KNOWN_MAX; m++)
        if (s->used[m]) s->index[m] = (uint8_t)count++;
    s->index[MODELS_KNOWN_MAX] = MODELS_KNOWN_MAX;
    ride_snapshot_start(s->writer, SECTION_MODELS);
    RIDE_TRY(ride_snapshot_write(s->writer, &count, sizeof count));
    for (uint32_t m = 0; m < MODELS_KNOWN_MAX; m++)
        if (s->used[m]) RIDE_TRY(ride_snapshot_write(s->writer, p->model_hashes[m], sizeof p->model_hashes[m]));
    return RIDE_OK;
}

/* Names of rules, with how often each of today's has decided. */
static ride_status save_rules(saver *s) {
    const pipeline *p = s->p;
    uint32_t count = 0;
    for (uint32_t r = 0; r < p->rules_known; r++)
        if ((s->rule_used[r] |= r < p->options->rules_count)) s->rule_index[r] = count++;
    ride_snapshot_start(s->writer, SECTION_RULES);
    RIDE_TRY(ride_snapshot_write(s->writer, &count, sizeof count));
    for (uint32_t r = 0; r < p->rules_known; r++) {
        if (!s->rule_used[r]) continue;
        uint32_t bytes = (uint32_t)strlen(p->rule_names[r]);
        uint64_t decided = r < p->options->rules_count ? p->summary->rules[r] : 0;
        RIDE_TRY(ride_snapshot_write(s->writer, &decided, sizeof decided));
        RIDE_TRY(ride_snapshot_write(s->writer, &bytes, sizeof bytes));
        RIDE_TRY(ride_snapshot_write(s->writer, p->rule_names[r], bytes));
    }
    return RIDE_OK;
}

static ride_status save_id(void *context, ride_key128 id, int64_t time_us, const void *payload) {
    saver *s = context;
    verdict changed;
    if (s->payload_bytes == sizeof(verdict)) {
        memcpy(&changed, payload, sizeof changed);
        changed.model = s->index[changed.model];
        if (changed.rule != RULE_NONE) changed.rule = s->rule_index[changed.rule];
        payload = &changed;
    }
    RIDE_TRY(ride_snapshot_write(s->writer, &id, sizeof id));
    RIDE_TRY(ride_snapshot_write(s->writer, &time_us, sizeof time_us));
    return s->payload_bytes > 0 ? ride_snapshot_write(s->writer, payload, s->payload_bytes) : RIDE_OK;
}

static ride_status count_id(void *context, ride_key128 id, int64_t time_us, const void *payload) {
    (void)id;
    (void)time_us;
    (void)payload;
    ++*(uint64_t *)context;
    return RIDE_OK;
}

static ride_status save_ids(saver *s, uint32_t section, const ride_idmap *map, uint32_t payload_bytes) {
    uint64_t count = 0;
    if (map != NULL) RIDE_TRY(ride_idmap_each(map, s->p->clock_us, count_id, &count));
    s->payload_bytes = payload_bytes;
    ride_snapshot_start(s->writer, section);
    RIDE_TRY(ride_snapshot_write(s->writer, &payload_bytes, sizeof payload_bytes));
    RIDE_TRY(ride_snapshot_write(s->writer, &count, sizeof count));
    return map != NULL ? ride_idmap_each(map, s->p->clock_us, save_id, s) : RIDE_OK;
}

static uint32_t dedup_payload_bytes(const pipeline *p) { return p->verdict_tiles != NULL ? sizeof(verdict) : 0; }

ride_status resume_save(pipeline *p, ride_error *err) {
    saver *s = calloc(1, sizeof *s);
    if (s == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory to save the state");
    s->p = p;
    ride_status st = ride_snapshot_begin(p->snapshots, &s->writer, err);
    if (st != RIDE_OK) {
        free(s);
        return st;
    }
    ride_status written = save_run(p, s->writer); /* a failure to write is told by the commit, with its cause */
    if (written == RIDE_OK) written = save_models(s);
    if (written == RIDE_OK) written = save_rules(s);
    if (written == RIDE_OK) {
        ride_snapshot_start(s->writer, SECTION_STATE);
        st = shards_save(p, ride_snapshot_write, s->writer, err);
    }
    if (written == RIDE_OK && st == RIDE_OK) written = save_ids(s, SECTION_DEDUP, p->dedup, dedup_payload_bytes(p));
    if (written == RIDE_OK && st == RIDE_OK) written = save_ids(s, SECTION_LABELS, p->labels, known_event_bytes(p));
    ride_snapshot_start(s->writer, SECTION_DRIFT);
    if (written == RIDE_OK && st == RIDE_OK) written = drift_save(p, s->writer);
    if (written == RIDE_E_MEMORY) st = ride_fail(err, RIDE_E_MEMORY, "no memory to save the state");
    if (st == RIDE_OK || st == RIDE_E_IO) st = ride_snapshot_commit(s->writer, err);
    else ride_snapshot_drop(s->writer);
    free(s);
    return st;
}

/* ---- load ---- */

static ride_status damaged(const ride_snapshot_reader *reader, ride_error *err) {
    ride_fail(err, RIDE_E_CORRUPT, "the saved state does not fit together");
    ride_error_where(err, "%s", ride_snapshot_path(reader));
    ride_error_advice(err, "remove state.dir to begin anew");
    return RIDE_E_CORRUPT;
}

static ride_status other_run(const ride_snapshot_reader *reader, ride_error *err, const char *what) {
    ride_fail(err, RIDE_E_CONFIG, "the saved state was made %s", what);
    ride_error_where(err, "%s", ride_snapshot_path(reader));
    ride_error_advice(err, "use another state.dir, or remove this one");
    return RIDE_E_CONFIG;
}

/* A path of the snapshot; "" when it is too long to be one. */
static ride_status read_path(ride_snapshot_reader *reader, uint32_t bytes, char *path) {
    if (bytes >= PATH_BYTES_MAX) return RIDE_E_CORRUPT;
    path[bytes] = '\0';
    return ride_snapshot_read(reader, path, bytes);
}

static ride_status input_resume(input *in, const input_part *part, ride_error *err) {
    ride_key128 prefix = {0, 0};
    if (part->prefix_bytes <= in->prefix_bytes) prefix = ride_hash_bytes(in->prefix, part->prefix_bytes);
    if (part->prefix_bytes > in->prefix_bytes || prefix.lo != part->prefix.lo || prefix.hi != part->prefix.hi) {
        ride_fail(err, RIDE_E_DATA, "the input is not the one that the saved state has read %llu bytes of",
                  (unsigned long long)part->position.offset);
        ride_error_where(err, "%s", in->path);
        ride_error_advice(err, "give a new file a name of its own");
        return RIDE_E_DATA;
    }
    return ride_decoder_resume(in->decoder, part->position, err);
}

static ride_status load_inputs(pipeline *p, ride_snapshot_reader *reader, uint32_t count, char *path, ride_error *err) {
    for (uint32_t i = 0; i < count; i++) {
        input_part part;
        if (ride_snapshot_read(reader, &part, sizeof part) != RIDE_OK ||
            read_path(reader, part.path_bytes, path) != RIDE_OK)
            return damaged(reader, err);
        part.source[sizeof part.source - 1] = '\0';
        for (uint32_t k = 0; k < p->inputs_count; k++) {
            input *in = &p->inputs[k];
            if (strcmp(in->spec->name, part.source) != 0 || strcmp(in->path, path) != 0) continue;
            if (in->source->is_stream) continue; /* a pipe brings what was not read yet */
            RIDE_TRY(input_resume(in, &part, err));
        }
    }
    return RIDE_OK;
}

static ride_status load_outputs(pipeline *p, ride_snapshot_reader *reader, uint32_t count, char *path,
                                ride_error *err) {
    for (uint32_t i = 0; i < count; i++) {
        output_part part;
        if (ride_snapshot_read(reader, &part, sizeof part) != RIDE_OK ||
            read_path(reader, part.path_bytes, path) != RIDE_OK)
            return damaged(reader, err);
        if (i < OUTPUTS && p->outputs[i].path != NULL && strcmp(p->outputs[i].path, path) == 0)
            p->outputs[i].offset = part.offset;
    }
    return RIDE_OK;
}

static ride_status load_run(pipeline *p, ride_snapshot_reader *reader, char *path, ride_error *err) {
    ride_run_summary *s = p->summary;
    run_part run;
    if (ride_snapshot_section(reader, SECTION_RUN) != RIDE_OK ||
        ride_snapshot_read(reader, &run, sizeof run) != RIDE_OK || run.version != RUN_VERSION ||
        run.outputs_count != OUTPUTS)
        return damaged(reader, err);
    if (memcmp(run.spec_hash, p->spec->hash, sizeof run.spec_hash) != 0)
        return other_run(reader, err, "with another feature spec");
    if (run.record != p->options->record) return other_run(reader, err, "by a run with other records");
    if (run.format != p->options->format || run.columns != optional_columns(p))
        return other_run(reader, err, "by a run with another output format");
    RIDE_TRY(load_inputs(p, reader, run.inputs_count, path, err));
    RIDE_TRY(load_outputs(p, reader, run.outputs_count, path, err));
    p->sequence = run.sequence;
    p->labels_waiting = run.labels_waiting;
    p->clock_us = p->stream_us = p->reached_us = run.clock_us;
    s->received = s->resumed_events = run.received;
    s->accepted = run.accepted;
    s->rejected = run.rejected;
    s->duplicates = run.duplicates;
    s->late = run.late;
    s->too_late = run.too_late;
    s->labels = run.labels;
    s->labels_unknown = run.labels_unknown;
    s->labels_rejected = run.labels_rejected;
    memcpy(s->decisions, run.decisions, sizeof s->decisions);
    if (ride_snapshot_read(reader, &s->explained, sizeof s->explained) != RIDE_OK) s->explained = 0;
    return RIDE_OK;
}

/* The models that kept verdicts were made with, behind this run's own. index: from the saved numbers to those of now. */
static ride_status load_models(pipeline *p, ride_snapshot_reader *reader, uint8_t *index, ride_error *err) {
    uint32_t count;
    if (ride_snapshot_section(reader, SECTION_MODELS) != RIDE_OK ||
        ride_snapshot_read(reader, &count, sizeof count) != RIDE_OK || count > MODELS_KNOWN_MAX)
        return damaged(reader, err);
    memset(index, MODELS_KNOWN_MAX, MODELS_KNOWN_MAX + 1);
    for (uint32_t m = 0; m < count; m++) {
        char hash[sizeof p->model_hashes[0]];
        if (ride_snapshot_read(reader, hash, sizeof hash) != RIDE_OK || hash[sizeof hash - 1] != '\0')
            return damaged(reader, err);
        uint32_t at = 0;
        while (at < p->models_count && strcmp(p->model_hashes[at], hash) != 0) at++;
        if (at == MODELS_KNOWN_MAX)
            return ride_fail(err, RIDE_E_UNSUPPORTED, "more than %d models within the dedup horizon", MODELS_KNOWN_MAX);
        if (at == p->models_count) memcpy(p->model_hashes[p->models_count++], hash, sizeof hash);
        index[m] = (uint8_t)at;
    }
    return RIDE_OK;
}

static ride_status load_rules(pipeline *p, ride_snapshot_reader *reader, uint32_t *index, uint32_t *count, char *name,
                              ride_error *err) {
    if (ride_snapshot_section(reader, SECTION_RULES) != RIDE_OK ||
        ride_snapshot_read(reader, count, sizeof *count) != RIDE_OK || *count > RULES_KNOWN_MAX)
        return damaged(reader, err);
    for (uint32_t r = 0; r < *count; r++) {
        uint64_t decided;
        uint32_t bytes, at = 0;
        if (ride_snapshot_read(reader, &decided, sizeof decided) != RIDE_OK ||
            ride_snapshot_read(reader, &bytes, sizeof bytes) != RIDE_OK || read_path(reader, bytes, name) != RIDE_OK)
            return damaged(reader, err);
        while (at < p->rules_known && strcmp(p->rule_names[at], name) != 0) at++;
        if (at == RULES_KNOWN_MAX)
            return ride_fail(err, RIDE_E_UNSUPPORTED, "more than %d rules within the dedup horizon", RULES_KNOWN_MAX);
        if (at == p->rules_known) {
            if ((p->rule_names[at] = strdup(name)) == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for rules");
            p->rules_known++;
        }
        if (at < p->options->rules_count) p->summary->rules[at] = decided;
        index[r] = at;
    }
    return RIDE_OK;
}

typedef struct name_maps {
    uint8_t models[MODELS_KNOWN_MAX + 1];
    uint32_t rules[RULES_KNOWN_MAX], rules_count;
} name_maps;

static ride_status load_ids(pipeline *p, ride_snapshot_reader *reader, uint32_t section, ride_idmap *map,
                            uint32_t payload_bytes, const name_maps *maps, ride_error *err) {
    uint32_t saved_bytes;
    uint64_t count;
    _Alignas(known_event) uint8_t payload[sizeof(known_event) + RIDE_ENTITIES_MAX * sizeof(ride_key128)];
    if (ride_snapshot_section(reader, section) != RIDE_OK ||
        ride_snapshot_read(reader, &saved_bytes, sizeof saved_bytes) != RIDE_OK || saved_bytes != payload_bytes ||
        ride_snapshot_read(reader, &count, sizeof count) != RIDE_OK || (count > 0 && map == NULL))
        return damaged(reader, err);
    for (uint64_t i = 0; i < count; i++) {
        ride_key128 id;
        int64_t time_us;
        if (ride_snapshot_read(reader, &id, sizeof id) != RIDE_OK ||
            ride_snapshot_read(reader, &time_us, sizeof time_us) != RIDE_OK ||
            ride_snapshot_read(reader, payload, payload_bytes) != RIDE_OK)
            return damaged(reader, err);
        if (maps != NULL && payload_bytes == sizeof(verdict)) {
            verdict *v = (verdict *)(void *)payload;
            if (v->model > MODELS_KNOWN_MAX || v->decision >= RIDE_DECISIONS ||
                (v->rule != RULE_NONE && v->rule >= maps->rules_count))
                return damaged(reader, err);
            v->model = maps->models[v->model];
            if (v->rule != RULE_NONE) v->rule = maps->rules[v->rule];
        }
        void *to = ride_idmap_put(map, id, time_us, p->clock_us);
        if (to == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the ids of the saved state");
        memcpy(to, payload, payload_bytes);
    }
    return RIDE_OK;
}

static ride_status load_all(pipeline *p, ride_snapshot_reader *reader, name_maps *maps, char *text, ride_error *err) {
    RIDE_TRY(load_run(p, reader, text, err));
    RIDE_TRY(load_models(p, reader, maps->models, err));
    RIDE_TRY(load_rules(p, reader, maps->rules, &maps->rules_count, text, err));
    if (ride_snapshot_section(reader, SECTION_STATE) != RIDE_OK) return damaged(reader, err);
    RIDE_TRY(shards_restore(p, ride_snapshot_read, reader, err));
    RIDE_TRY(load_ids(p, reader, SECTION_DEDUP, p->dedup, dedup_payload_bytes(p), maps, err));
    RIDE_TRY(load_ids(p, reader, SECTION_LABELS, p->labels, known_event_bytes(p), NULL, err));
    if (ride_snapshot_section(reader, SECTION_DRIFT) != RIDE_OK || drift_load(p, reader) != RIDE_OK)
        return damaged(reader, err);
    return RIDE_OK;
}

ride_status resume_load(pipeline *p, ride_error *err) {
    ride_snapshot_reader *reader = NULL;
    RIDE_TRY(ride_snapshot_load(p->snapshots, &reader, err));
    if (reader == NULL) return RIDE_OK; /* the first run */
    name_maps *maps = calloc(1, sizeof *maps);
    char *text = malloc(PATH_BYTES_MAX);
    ride_status st = maps == NULL || text == NULL ? ride_fail(err, RIDE_E_MEMORY, "no memory to read the saved state")
                                                  : load_all(p, reader, maps, text, err);
    if (st == RIDE_OK)
        ride_log_info("resumed", ride_log_text("from", ride_snapshot_path(reader)),
                      ride_log_u64("events", p->summary->resumed_events));
    free(maps);
    free(text);
    ride_snapshot_reader_close(reader);
    return st;
}
