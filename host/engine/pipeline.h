/* engine/pipeline.h: the parts of one run; private to host/engine. */
#ifndef RIDE_ENGINE_PIPELINE_H
#define RIDE_ENGINE_PIPELINE_H
#include "backend/registry.h"
#include "engine/engine.h"
#include "features/keys.h"
#include "io/decoder.h"
#include "io/encoder.h"
#include "io/reject.h"
#include "state/idmap.h"

enum { ARENA_BYTES = 16 << 20, GROUP_ROWS_MAX = 65536 };

/* What is remembered of an event for its labels. */
typedef struct known_event {
    ride_key128 keys[RIDE_ENTITIES_MAX];
    uint64_t null_keys;
    uint64_t sequence;                              /* its arrival number */
    uint8_t is_event, pending_label, pending_value; /* a label that came before its event waits */
} known_event;

typedef struct input {
    ride_source *source;
    ride_decoder *decoder;
    const ride_source_spec *spec;
    bool is_labels, at_end;
} input;

typedef struct pipeline {
    const ride_features_options *options;
    ride_features_summary *summary;
    ride_spec *spec;
    const ride_source_spec *events;
    uint8_t *image;
    ride_bundle bundle;
    ride_tile_layout in_layout, out_layout, label_layout;
    ride_key_plan keys;
    input inputs[RIDE_SOURCES_MAX];
    uint32_t inputs_count;
    ride_batch *batch, *label_batch;
    uint8_t *out_tiles;
    uint32_t rows_ready; /* rows of the batch that are complete (a whole number of peers groups) */
    ride_idmap *dedup, *labels;
    uint64_t labels_waiting; /* labels that came before their event, or whose event never came */
    int64_t clock_us;        /* greatest event time */
    ride_backend_services services;
    const ride_backend_ops *ops;
    ride_device *device;
    ride_program_dev *program;
    ride_state *state;
    ride_queue *queue;
    ride_sink *output, *rejects, *late;
    ride_encoder *encoder, *late_encoder;
    uint32_t *rows; /* scratch: rows to write */
    uint64_t sequence;
} pipeline;

ride_status pipeline_open(pipeline *p, ride_diagnostics *findings, ride_error *err);
ride_status pipeline_close(pipeline *p, ride_error *err);
/* Reads the next rows into the batch, labels among them, and stamps them. RIDE_END when the inputs are at their end. */
ride_status pipeline_read(pipeline *p, ride_error *err);
/* Stamps rows [first, batch->rows_count): keys, duplicates, watermark. */
ride_status pipeline_stamp(pipeline *p, uint32_t first, ride_error *err);
/* A decoded label row → a row of the event batch. */
ride_status pipeline_label(pipeline *p, const ride_source_spec *source, uint32_t row, ride_error *err);

#endif
