/* engine/profile.h: the file of a reference profile: what `ride profile build` writes and a run compares with.
 *
 * The file is a bundle image (kernels/layout/bundle.h) that holds names and the profile's sections only. It belongs to one feature
 * spec and, where it has score columns, to one model, by their hashes: drift against another one's numbers would mean nothing. */
#ifndef RIDE_ENGINE_PROFILE_H
#define RIDE_ENGINE_PROFILE_H
#include "engine/engine.h"
#include "kernels/layout/profile.h"

typedef struct ride_profile_file {
    uint8_t *image;
    ride_bundle bundle;
    ride_profile profile;
} ride_profile_file;

/* Reads and checks the whole file. RIDE_E_NO_INPUT, RIDE_E_CORRUPT, RIDE_E_VERSION or RIDE_E_MODEL (a bundle without a profile)
 * with the path. Close it in any case. */
ride_status ride_profile_file_open(const char *path, ride_profile_file *out, ride_error *err);
void ride_profile_file_close(ride_profile_file *file);
static inline const char *ride_profile_name(const ride_profile_file *file, uint32_t column) {
    return ride_bundle_string(&file->bundle, file->profile.columns[column].name_offset);
}

/* Adds the file's profile to a bundle that is being built for `spec` and the model (model_hash NULL = none). A profile of other
 * features, another order, spec or model is RIDE_E_CONFIG: the findings tell both lists and where they part. */
ride_status ride_profile_add(const char *path, const ride_spec *spec, const uint8_t *model_hash,
                             ride_bundle_builder *builder, ride_diagnostics *findings, ride_error *err);

/* What is counted into a profile. Times are event times in us; rows before `from` still fill the windows. */
typedef struct ride_profile_build_options {
    const ride_run_options *run; /* spec, model, inputs, backend; its outputs are left alone */
    const char *output_path;     /* "-" = standard output */
    int64_t from_us, to_us;      /* from <= time < to; INT64_MIN and INT64_MAX = all */
} ride_profile_build_options;
typedef struct ride_profile_built {
    uint64_t rows_count, rows_read;
    uint32_t columns_count;
    uint64_t bytes; /* of the file */
} ride_profile_built;

/* Runs features and model over the inputs, keeps every column's values in memory (8 bytes per row and column), and writes the
 * profile. Fields of a closed set of categories and bool fields are categories, all else numbers. Nothing is written on a failure
 * or a stop (RIDE_INTERRUPTED). */
ride_status ride_profile_build(const ride_profile_build_options *options, ride_profile_built *out,
                               ride_diagnostics *findings, ride_error *err);

#endif
