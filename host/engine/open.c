/* engine/open.c: everything a run needs is opened here, and closed in reverse. */
#include "engine/pipeline.h"

#include <stdlib.h>
#include <string.h>

static ride_status compile(pipeline *p, ride_diagnostics *findings, ride_error *err) {
    ride_bundle_builder *builder = NULL;
    uint64_t bytes = 0;
    RIDE_TRY(ride_spec_load(p->options->spec_path, &p->spec, findings));
    p->events = &p->spec->sources[p->spec->source_events];
    RIDE_TRY(ride_bundle_builder_create(&builder, err));
    ride_status st = ride_spec_to_bundle(p->spec, NULL, 0, builder, findings);
    if (st == RIDE_OK) st = ride_bundle_builder_build(builder, &p->image, &bytes, err);
    ride_bundle_builder_destroy(builder);
    if (st != RIDE_OK) return st;
    RIDE_TRY(ride_bundle_open(p->image, bytes, &p->bundle, err));
    ride_plan_layout_in(&p->bundle, &p->in_layout);
    ride_plan_layout_out(&p->bundle, &p->out_layout);
    ride_key_plan_init(&p->keys, p->spec, &p->bundle);
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

/* While an input has nothing to give, what is done is shown. */
static void flush_outputs(void *context) {
    pipeline *p = context;
    ride_sink *sinks[] = {p->output, p->late, p->rejects};
    for (int i = 0; i < 3; i++)
        if (sinks[i] != NULL)
            ride_sink_flush(sinks[i], NULL); /* a failure stays with the sink, and its next write tells it */
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
    RIDE_TRY(ride_source_open_waiting(option->path, 0, &wait, &in->source, err));
    p->inputs_count++;
    if (in->is_labels) {
        label_layout_make(p, in->spec);
        RIDE_TRY(ride_batch_create(&p->label_layout, RIDE_TILE_ROWS, ARENA_BYTES / 4, &p->label_batch, err));
    }
    ride_decoder_options options = {.spec = in->spec,
                                    .local_to_utc = ride_zone_local_to_utc,
                                    .zone = &p->spec->zone_table,
                                    .on_reject = p->rejects != NULL ? ride_reject_to_sink : NULL,
                                    .reject_context = p->rejects};
    return ride_decoder_open(&options, in->source, &in->decoder, err);
}

/* Inputs in the order of the spec's sources, whatever the order of the command line. */
static ride_status open_inputs(pipeline *p, ride_error *err) {
    for (uint32_t i = 0; i < p->options->inputs_count; i++) RIDE_TRY(open_input(p, &p->options->inputs[i], err));
    for (uint32_t i = 1; i < p->inputs_count; i++)
        for (uint32_t k = i; k > 0 && p->inputs[k].spec < p->inputs[k - 1].spec; k--) {
            input swap = p->inputs[k];
            p->inputs[k] = p->inputs[k - 1];
            p->inputs[k - 1] = swap;
        }
    return p->inputs_count > 0 ? RIDE_OK : ride_fail(err, RIDE_E_USAGE, "no --input");
}

static ride_status open_state(pipeline *p, ride_error *err) {
    const ride_plan_entity *entities = ride_bundle_array(&p->bundle, RIDE_SECTION_ENTITIES, ride_plan_entity);
    int64_t longest = 0;
    for (uint32_t e = 0; e < p->bundle.plan->entities_count; e++)
        if (entities[e].retention_us > longest) longest = entities[e].retention_us;
    if (p->events->dedup_us > 0) RIDE_TRY(ride_idmap_create(0, p->events->dedup_us, 1 << 16, &p->dedup, err));
    if (p->spec->source_labels >= 0)
        RIDE_TRY(ride_idmap_create(sizeof(known_event), longest, 1 << 12, &p->labels, err));
    p->clock_us = INT64_MIN / 2;
    ride_backend_services_init(&p->services, ride_clock_real());
    const char *name = p->options->backend != NULL ? p->options->backend : "cpu";
    RIDE_TRY(ride_backend_select(name, NULL, &p->services, &p->ops, NULL, err));
    ride_state_options options = {.vnode_first = 0, .vnodes_count = RIDE_VNODES};
    RIDE_TRY(p->ops->device_open(0, &p->device, err));
    RIDE_TRY(p->ops->program_upload(p->device, &p->bundle, &p->program, err));
    RIDE_TRY(p->ops->state_create(p->device, p->program, &options, &p->state, err));
    RIDE_TRY(p->ops->queue_create(p->device, 4, &p->queue, err));
    uint32_t rows_max = p->options->batch_rows_max + RIDE_TILE_ROWS;
    RIDE_TRY(ride_batch_create(&p->in_layout, rows_max, ARENA_BYTES, &p->batch, err));
    p->rows = calloc(ride_batch_rows_count_max(p->batch), sizeof *p->rows);
    if (p->rows == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a batch of %u rows", rows_max);
    return p->ops->buffer_alloc(p->device, RIDE_BUFFER_HOST,
                                (uint64_t)p->batch->tiles_count_max * p->out_layout.tile_bytes, (void **)&p->out_tiles,
                                err);
}

static ride_status open_encoder(pipeline *p, ride_sink *sink, ride_encoder **out, ride_error *err) {
    const ride_plan_vector *vector = ride_bundle_array(&p->bundle, RIDE_SECTION_VECTOR, ride_plan_vector);
    const ride_plan_column *columns = ride_bundle_array(&p->bundle, RIDE_SECTION_COLUMNS, ride_plan_column);
    uint32_t count = 0;
    ride_encoder_column *list = calloc(p->spec->vector_count + 1, sizeof *list);
    if (list == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the output");
    if (p->events->field_id >= 0) {
        const ride_field *id = &p->events->fields[p->events->field_id];
        list[count++] = (ride_encoder_column){.name = id->name, .set = 0, .column = id->column, .field_type = id->type};
    }
    for (uint32_t v = 0; v < p->spec->vector_count; v++) {
        list[count] = (ride_encoder_column){.name = p->spec->vector_names[v],
                                            .set = vector[v].is_feature,
                                            .column = vector[v].index};
        if (!vector[v].is_feature) list[count].scale = columns[vector[v].index].scale;
        count++;
    }
    ride_encoder_options options = {.format = p->options->format,
                                    .columns = list,
                                    .columns_count = count,
                                    .layouts = {&p->in_layout, &p->out_layout}};
    ride_status st = ride_encoder_open(&options, sink, out, err);
    free(list);
    return st;
}

ride_status pipeline_open(pipeline *p, ride_diagnostics *findings, ride_error *err) {
    RIDE_TRY(compile(p, findings, err));
    if (p->options->rejects_path != NULL) RIDE_TRY(ride_sink_open(p->options->rejects_path, NULL, &p->rejects, err));
    RIDE_TRY(open_inputs(p, err));
    RIDE_TRY(open_state(p, err));
    RIDE_TRY(ride_sink_open(p->options->output_path, NULL, &p->output, err));
    RIDE_TRY(open_encoder(p, p->output, &p->encoder, err));
    if (p->options->late_path == NULL) return RIDE_OK;
    RIDE_TRY(ride_sink_open(p->options->late_path, NULL, &p->late, err));
    return open_encoder(p, p->late, &p->late_encoder, err);
}

ride_status pipeline_close(pipeline *p, ride_error *err) {
    ride_status st = RIDE_OK, closed;
    ride_encoder_close(p->encoder);
    ride_encoder_close(p->late_encoder);
    ride_sink *sinks[] = {p->output, p->late, p->rejects};
    for (int i = 0; i < 3; i++) {
        ride_error failure;
        if (sinks[i] == NULL || (closed = ride_sink_close(sinks[i], &failure)) == RIDE_OK) continue;
        if (st == RIDE_OK) st = closed, *err = failure;
    }
    if (p->out_tiles != NULL) p->ops->buffer_free(p->device, RIDE_BUFFER_HOST, p->out_tiles);
    if (p->queue != NULL) p->ops->queue_destroy(p->queue);
    if (p->state != NULL) p->ops->state_destroy(p->state);
    if (p->program != NULL) p->ops->program_release(p->program);
    if (p->device != NULL) p->ops->device_close(p->device);
    for (uint32_t i = 0; i < p->inputs_count; i++) {
        ride_decoder_close(p->inputs[i].decoder);
        ride_source_close(p->inputs[i].source);
    }
    ride_idmap_destroy(p->dedup);
    ride_idmap_destroy(p->labels);
    ride_batch_destroy(p->batch);
    ride_batch_destroy(p->label_batch);
    free(p->rows);
    ride_bundle_image_free(p->image);
    ride_spec_destroy(p->spec);
    return st;
}
