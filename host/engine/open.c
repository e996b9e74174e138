/* engine/open.c: everything a run needs is opened here, and closed in reverse. */
#include "engine/overlap.h"
#include "engine/pipeline.h"
#include "engine/reasons.h"
#include "engine/shards.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ride_status compile(pipeline *p, ride_diagnostics *findings, ride_error *err) {
    uint64_t bytes = 0;
    RIDE_TRY(ride_compile(p->options, &p->spec, &p->image, &bytes, findings, err));
    p->events = &p->spec->sources[p->spec->source_events];
    RIDE_TRY(ride_bundle_open(p->image, bytes, &p->bundle, err));
    ride_plan_layout_in(&p->bundle, &p->in_layout);
    ride_plan_layout_out(&p->bundle, &p->out_layout);
    ride_key_plan_init(&p->keys, p->spec, &p->bundle);
    p->stages = RIDE_STAGE_FEATURES;
    if (p->options->model_path != NULL) p->stages |= RIDE_STAGE_SCORE;
    if (p->options->rules_count > 0) p->stages |= RIDE_STAGE_RULES;
    p->summary->has_model = p->options->model_path != NULL;
    p->summary->features_count = p->spec->vector_count;
    memcpy(p->summary->spec_hash, p->bundle.header->spec_hash, sizeof p->summary->spec_hash);
    memcpy(p->summary->model_hash, p->bundle.header->model_hash, sizeof p->summary->model_hash);
    return RIDE_OK;
}

/* A label source is decoded into a tile of its own: system columns, then its fields. */
static void label_layout_make(pipeline *p, const ride_source_spec *source) {
    ride_tile_layout_begin(&p->label_layout);
    ride_tile_layout_add(&p->label_layout, RIDE_TYPE_TIMESTAMP, 0);
    ride_tile_layout_add(&p->label_layout, RIDE_TYPE_TIMESTAMP, 0);
    ride_tile_layout_add(&p->label_layout, RIDE_TYPE_U32, 0);
    for (uint32_t i = 0; i < source->fields_count; i++)
        ride_tile_layout_add(&p->label_layout, source->fields[i].tile_type, source->fields[i].nullable);
    ride_tile_layout_finish(&p->label_layout);
}

static ride_status open_label_batch(pipeline *p, const ride_source_spec *source, ride_error *err) {
    if (p->label_batch != NULL) return RIDE_OK; /* several inputs of the one source of labels */
    label_layout_make(p, source);
    return ride_batch_create(&p->label_layout, RIDE_TILE_ROWS, ARENA_BYTES / 4, &p->label_batch, err);
}

/* The dead letters are opened after the inputs: a saved state tells where they go on. */
static void on_reject(void *context, const ride_reject *reject) {
    pipeline *p = context;
    if (p->outputs[OUTPUT_REJECTS].sink != NULL) ride_reject_to_sink(p->outputs[OUTPUT_REJECTS].sink, reject);
}

/* While an input has nothing to give, what is done is shown. */
static void flush_outputs(void *context) {
    pipeline *p = context;
    /* within a group of one timestamp rows are in hand already, and the other batch's must not be written before them */
    if (p->overlap != NULL && p->batch->rows_count == 0) overlap_wait(p);
    for (int i = 0; i < OUTPUTS; i++)
        if (p->outputs[i].sink != NULL)
            ride_sink_flush(p->outputs[i].sink, NULL); /* a failure stays with the sink, and its next write tells it */
}

static ride_status open_input(pipeline *p, const ride_input_option *option, ride_error *err) {
    if (p->inputs_count == RIDE_SOURCES_MAX)
        return ride_fail(err, RIDE_E_USAGE, "more than %d inputs", RIDE_SOURCES_MAX);
    input *in = &p->inputs[p->inputs_count];
    for (uint32_t s = 0; s < p->spec->sources_count; s++)
        if (option->name == NULL ? s == p->spec->source_events : strcmp(option->name, p->spec->sources[s].name) == 0)
            in->spec = &p->spec->sources[s];
    if (in->spec == NULL) {
        ride_fail(err, RIDE_E_USAGE, "the spec has no source `%s`", option->name);
        ride_error_advice(err, "its sources are named under `sources:`");
        return RIDE_E_USAGE;
    }
    in->is_labels = in->spec->is_labels;
    if (!in->is_labels && p->inputs_count > 0)
        for (uint32_t i = 0; i < p->inputs_count; i++)
            if (!p->inputs[i].is_labels)
                return ride_fail(err, RIDE_E_USAGE, "two inputs for the source `%s`", in->spec->name);
    const ride_source_wait wait = {p->options->stop, flush_outputs, p};
    in->path = option->path;
    RIDE_TRY(ride_source_open_waiting(option->path, 0, &wait, &in->source, err));
    p->inputs_count++;
    size_t unread = ride_source_unread(in->source);
    in->prefix_bytes = (uint32_t)(unread < PREFIX_BYTES ? unread : PREFIX_BYTES);
    memcpy(in->prefix, in->source->data + in->source->begin, in->prefix_bytes);
    if (in->is_labels) RIDE_TRY(open_label_batch(p, in->spec, err));
    ride_decoder_options options = {.spec = in->spec,
                                    .format = option->format,
                                    .local_to_utc = ride_zone_local_to_utc,
                                    .zone = &p->spec->zone_table,
                                    .on_reject = on_reject,
                                    .reject_context = p};
    return ride_decoder_open(&options, in->source, &in->decoder, err);
}

/* Inputs in the order of the spec's sources, whatever the order of the command line. */
static ride_status open_inputs(pipeline *p, ride_error *err) {
    if (p->by_message && p->spec->source_labels >= 0)
        return open_label_batch(p, &p->spec->sources[p->spec->source_labels], err);
    if (p->by_message) return RIDE_OK;
    for (uint32_t i = 0; i < p->options->inputs_count; i++) RIDE_TRY(open_input(p, &p->options->inputs[i], err));
    for (uint32_t i = 1; i < p->inputs_count; i++)
        for (uint32_t k = i; k > 0 && p->inputs[k].spec < p->inputs[k - 1].spec; k--) {
            input swap = p->inputs[k];
            p->inputs[k] = p->inputs[k - 1];
            p->inputs[k - 1] = swap;
        }
    return p->inputs_count > 0 ? RIDE_OK : ride_fail(err, RIDE_E_USAGE, "no --input");
}

static ride_status open_maps(pipeline *p, ride_error *err) {
    const ride_plan_entity *entities = ride_bundle_array(&p->bundle, RIDE_SECTION_ENTITIES, ride_plan_entity);
    uint32_t payload_bytes = p->options->record == RIDE_RECORD_DECISION ? sizeof(verdict) : 0;
    int64_t longest = 0;
    for (uint32_t e = 0; e < p->bundle.plan->entities_count; e++)
        if (entities[e].retention_us > longest) longest = entities[e].retention_us;
    int64_t dedup_us = p->events->dedup_us, late_us = p->events->bound_us + p->events->allowed_lateness_us;
    if (dedup_us > 0) RIDE_TRY(ride_idmap_create(payload_bytes, dedup_us, dedup_us + late_us, 1 << 16, &p->dedup, err));
    if (p->spec->source_labels >= 0)
        RIDE_TRY(ride_idmap_create(known_event_bytes(p), longest, longest, 1 << 12, &p->labels, err));
    return RIDE_OK;
}

static ride_status open_backend(pipeline *p, ride_error *err) {
    ride_backend_report report;
    ride_backend_services_init(&p->services, ride_clock_real());
    if (p->options->memory != NULL) {
        p->services.memory_context = p->options->memory->context;
        p->services.memory_alloc = p->options->memory->alloc;
        p->services.memory_free = p->options->memory->free;
    }
    const char *name = p->options->backend != NULL ? p->options->backend : "cpu";
    RIDE_TRY(ride_backend_select(name, p->options->backend_path, &p->services, &p->ops, &report, err));
    if (strcmp(name, "auto") == 0) ride_backend_report_log(&report);
    snprintf(p->summary->backend, sizeof p->summary->backend, "%s", p->ops->name);
    RIDE_TRY(p->ops->device_open(0, &p->device, err));
    RIDE_TRY(p->ops->program_upload(p->device, &p->bundle, &p->program, err));
    return shards_open(p, err);
}

ride_status pipeline_reset_state(pipeline *p, ride_error *err) {
    ride_idmap_destroy(p->dedup);
    ride_idmap_destroy(p->labels);
    p->dedup = p->labels = NULL;
    RIDE_TRY(open_maps(p, err));
    return shards_reset(p, err);
}

ride_status pipeline_batch_open(pipeline *p, ride_error *err) {
    uint32_t rows_max = p->options->batch_rows_max + RIDE_TILE_ROWS + (p->spec->has_peers ? GROUP_ROWS_MAX : 0);
    RIDE_TRY(p->ops->buffer_alloc(p->device, RIDE_BUFFER_HOST, ride_batch_tiles_bytes(&p->in_layout, rows_max),
                                  (void **)&p->in_tiles, err));
    RIDE_TRY(ride_batch_create_over(&p->in_layout, rows_max, p->in_tiles, ARENA_BYTES, &p->batch, err));
    if (p->rows == NULL) p->rows = calloc(ride_batch_rows_count_max(p->batch), sizeof *p->rows);
    if (p->rows == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a batch of %u rows", rows_max);
    return p->ops->buffer_alloc(p->device, RIDE_BUFFER_HOST,
                                (uint64_t)p->batch->tiles_count_max * p->out_layout.tile_bytes, (void **)&p->out_tiles,
                                err);
}

void pipeline_batch_close(pipeline *p) {
    if (p->out_tiles != NULL) p->ops->buffer_free(p->device, RIDE_BUFFER_HOST, p->out_tiles);
    if (p->in_tiles != NULL) p->ops->buffer_free(p->device, RIDE_BUFFER_HOST, p->in_tiles);
    ride_batch_destroy(p->batch);
    free(p->verdict_tiles);
    free(p->reason_tiles);
    free(p->answered_by);
}

ride_status pipeline_open(pipeline *p, ride_diagnostics *findings, ride_error *err) {
    p->clock_us = p->stream_us = p->reached_us = INT64_MIN / 2;
    p->floor_us = INT64_MAX;
    p->unanswered_from = UINT64_MAX;
    p->outputs[OUTPUT_MAIN].path = p->options->output_path;
    p->outputs[OUTPUT_LATE].path = p->options->late_path;
    p->outputs[OUTPUT_REJECTS].path = p->options->rejects_path;
    p->outputs[OUTPUT_DRIFT].path = p->options->drift_path;
    p->outputs[OUTPUT_ALERTS].path = p->options->alerts_path;
    if (p->options->rules_count > RIDE_RULES_MAX)
        return ride_fail(err, RIDE_E_CONFIG, "more than %d rules", RIDE_RULES_MAX);
    RIDE_TRY(compile(p, findings, err));
    if (p->options->admit != NULL)
        RIDE_TRY(p->options->admit(p->options->admit_context, p->spec, &p->bundle, findings, err));
    if (p->options->state_dir != NULL) RIDE_TRY(ride_snapshot_dir_open(p->options->state_dir, &p->snapshots, err));
    RIDE_TRY(open_inputs(p, err));
    RIDE_TRY(open_maps(p, err));
    RIDE_TRY(open_backend(p, err));
    RIDE_TRY(pipeline_batch_open(p, err));
    RIDE_TRY(verdicts_open(p, err));
    RIDE_TRY(reasons_open(p, err));
    RIDE_TRY(alerts_open(p, err));
    RIDE_TRY(drift_open(p, err));
    if (p->snapshots != NULL) RIDE_TRY(resume_load(p, err));
    return outputs_open(p, err);
}

ride_status pipeline_close(pipeline *p, bool keep, ride_error *err) {
    ride_status st = keep ? drift_finish(p, err) : RIDE_OK;
    ride_error failure;
    ride_status closed = outputs_close(p, &failure);
    if (closed != RIDE_OK && (st == RIDE_OK || st == closed)) { /* it knows the cause */
        st = closed;
        if (err != NULL) *err = failure;
    }
    if (st == RIDE_OK && keep && p->snapshots != NULL) st = resume_save(p, err);
    alerts_end(p);
    verdicts_close(p);
    drift_close(p);
    shards_close(p); /* first: works in flight borrow the tiles */
    overlap_close(p);
    pipeline_batch_close(p);
    reasons_close(p);
    if (p->program != NULL) p->ops->program_release(p->program);
    if (p->device != NULL) p->ops->device_close(p->device);
    for (uint32_t i = 0; i < p->inputs_count; i++) {
        ride_decoder_close(p->inputs[i].decoder);
        ride_source_close(p->inputs[i].source);
    }
    ride_idmap_destroy(p->dedup);
    ride_idmap_destroy(p->labels);
    ride_batch_destroy(p->label_batch);
    ride_snapshot_dir_close(p->snapshots);
    free(p->rows);
    ride_bundle_image_free(p->image);
    ride_spec_destroy(p->spec);
    return st;
}
