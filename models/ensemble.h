/* models/ensemble.h: several models as one: members, how each one's answer is calibrated, how they are combined (docs/models.md has the formulas,
 * kernels/row/combine.h the arithmetic). A plain model is an ensemble of one.
 *
 * An ensemble owns its members' models and everything else it points to; immutable after load; then any thread. */
#ifndef RIDE_MODELS_ENSEMBLE_H
#define RIDE_MODELS_ENSEMBLE_H
#include "kernels/layout/ensemble.h"
#include "models/ir.h"

/* As ride_calibration, with its points. */
typedef struct ride_model_calibration {
    ride_calibration_kind kind;
    bool of_margin; /* x is the margin, else the answer */
    double a, b;    /* PLATT */
    const double *x, *y;
    uint32_t points_count; /* CURVE */
} ride_model_calibration;

/* One value of a SEGMENT's input and the member that it chooses. */
typedef struct ride_model_segment {
    const char *value; /* as written: a number, or the name of a category */
    uint32_t member;
    uint32_t line, column;
} ride_model_segment;

typedef struct ride_model_member {
    const char *name;
    ride_model *model;
    double weight;                      /* above 0 */
    double threshold;                   /* VOTE: an answer from it on is a yes */
    ride_model_calibration calibration; /* of its one answer */
    const double *quantiles; /* RANK_MEAN: of its answers, not descending; the k-th of n has rank k / (n - 1) */
    uint32_t quantiles_count;
    uint32_t line, column; /* in the manifest; 0 = no such place */
} ride_model_member;

typedef struct ride_ensemble {
    const char *path; /* of the manifest or model, for messages */
    uint8_t hash[32]; /* SHA-256 of a plain model's file; of a manifest, of its text and then its members' hashes */
    bool is_manifest;
    ride_combine combine;
    ride_model_member *members; /* members_count, then the stacker where there is one */
    uint32_t members_count;
    bool has_stacker;
    double low, high;          /* CASCADE */
    const char *segment_input; /* SEGMENT: its name */
    ride_model_segment *segments;
    uint32_t segments_count, segment_otherwise;
    ride_model_calibration calibration; /* of the result */
    /* What a row of it has when there is no vector: the members' inputs, each name once, in order of appearance. */
    const ride_model_input *inputs;
    uint32_t inputs_count;
    bool has_names;
    uint32_t outputs_count;
    ride_forest_number number; /* of the margins: what they are printed as */
    ride_arena *arena;         /* all of the above but models with an arena of their own */
} ride_ensemble;

enum { RIDE_ENSEMBLE_POINTS_MAX = 65536 }; /* of a calibration or a table of quantiles */

/* Reads a manifest or a model file (its first bytes say which it is). All findings are told at once: a manifest's with line and column, those about a
 * member with its name; the first 100 of them. On any finding *out is NULL and the status RIDE_E_MODEL (RIDE_E_NO_INPUT, RIDE_E_IO when a file cannot
 * be read). Paths in a manifest are relative to it. options may be NULL; they hold for each member. The caller owns *out. */
ride_status ride_ensemble_load(const char *path, const ride_model_options *options, ride_ensemble **out,
                               ride_diagnostics *findings);
/* The same from memory; path is for messages, and members' paths are relative to it. data is not kept. */
ride_status ride_ensemble_parse(const char *path, const void *data, size_t bytes, const ride_model_options *options,
                                ride_ensemble **out, ride_diagnostics *findings);
/* As ride_model_drop_nodes, of all members. */
void ride_ensemble_drop_nodes(ride_ensemble *ensemble);
void ride_ensemble_destroy(ride_ensemble *ensemble); /* NULL is fine */

/* Wraps a model as an ensemble of one. *out owns it on success, and on failure it is destroyed. */
ride_status ride_ensemble_of_model(ride_model *model, const char *path, ride_ensemble **out,
                                   ride_diagnostics *findings);

#endif
