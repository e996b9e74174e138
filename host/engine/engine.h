/* engine/engine.h: the pipeline on one thread: bytes → decoder → keys → stamp → backend → encoder.
 *
 * `ride features run` and what is built on it. Everything is sized and allocated when a run starts; a batch is decoded, stamped
 * (watermark, late, duplicate), computed and written before the next one is read, so order is input order and memory is
 * bounded. Output bytes depend on the events only, never on batch sizes. One run per call; not reentrant for one output. */
#ifndef RIDE_ENGINE_ENGINE_H
#define RIDE_ENGINE_ENGINE_H
#include "base/error.h"
#include "base/histogram.h"
#include "features/schema.h"

#include <signal.h>

typedef struct ride_input_option {
    const char *name; /* source of the spec; NULL = its source of events */
    const char *path; /* "-" = standard input */
} ride_input_option;

typedef struct ride_features_summary {
    uint64_t received; /* rows seen: accepted + rejected + duplicates */
    uint64_t accepted; /* rows with features */
    uint64_t rejected, duplicates;
    uint64_t late;     /* accepted with a time below the watermark … */
    uint64_t too_late; /* … of which not entered into windows */
    uint64_t labels;   /* label rows that found their event */
    uint64_t labels_unknown;
    uint64_t bytes_in;
    uint64_t elapsed_ns;
    ride_histogram batch_ns; /* decode to written, per batch */
} ride_features_summary;

typedef struct ride_features_options {
    const char *spec_path;
    const ride_input_option *inputs;
    uint32_t inputs_count;
    const char *output_path;     /* "-" = standard output */
    const char *rejects_path;    /* dead letters, NULL = counted only */
    const char *late_path;       /* rows too late for the windows, NULL = none */
    ride_format format;          /* of the outputs; 0 = CSV */
    uint32_t batch_rows_max;     /* 0 = 1024: tiles in and out stay in the second-level cache */
    const char *backend;         /* NULL = "cpu" */
    volatile sig_atomic_t *stop; /* set it and the run ends after the batch; may be NULL */
    void (*progress)(void *context, const ride_features_summary *so_far); /* after each batch; may be NULL */
    void *progress_context;
} ride_features_options;

/* Findings about the spec go to `findings`, everything else to *err. *out is filled as far as the run came. */
ride_status ride_features_run(const ride_features_options *options, ride_features_summary *out,
                              ride_diagnostics *findings, ride_error *err);

#endif
