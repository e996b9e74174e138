/* models/reader.h: what the parsers of all formats have in common. Internal to models/. */
#ifndef RIDE_MODELS_READER_H
#define RIDE_MODELS_READER_H
#include "models/ir.h"

#define RIDE_RAISE                                                                                                     \
    "raise the limit if the model is yours: model.bytes_max, .trees_max, .nodes_max of the configuration, or "         \
    "--bytes-max …"

/* A load under way. */
typedef struct ride_model_reader {
    const char *path;                  /* for messages */
    const ride_model_options *options; /* defaults filled in */
    ride_model *model;
    ride_diagnostics *findings;
    struct ride_ensemble *
        *ensemble; /* where a file of several models goes, and `model` is none then; NULL: one is asked for */
} ride_model_reader;

/* Adds a finding about `place` (a path within the file). Returns RIDE_E_MODEL. */
ride_status ride_model_finding(ride_model_reader *reader, const char *advice, const char *format, ...)
    RIDE_PRINTF(3, 4);

/* To the one who watches, if anybody does. */
static inline void ride_load_tell(const ride_load_watch *watch, const char *what, uint64_t done, uint64_t total) {
    if (watch != NULL) watch->tell(watch->context, what, done, total);
}

/* Two inputs of one name could not be told apart in the vector: a finding that names them, at `place`. */
ride_status ride_model_check_names(ride_model_reader *reader, const char *place);

/* Zeroed nodes of the model, as memory of its arena's that ride_model_drop_trees can free; NULL: no memory, or more than a file of that size may ask for. */
ride_model_node *ride_model_nodes(ride_model_reader *reader, uint64_t count);

/* A whole file, to be freed; findings as ride_model_load says. */
ride_status ride_model_read_file(const char *path, const ride_model_options *options, uint8_t **out, size_t *out_bytes,
                                 ride_diagnostics *findings);

#endif
