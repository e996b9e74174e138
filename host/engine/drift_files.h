/* engine/drift_files.h: what `ride drift` does: two CSV files compared column by column. See docs/drift.md. */
#ifndef RIDE_ENGINE_DRIFT_FILES_H
#define RIDE_ENGINE_DRIFT_FILES_H
#include "engine/drift_table.h"
#include "stats/drift.h"

typedef struct ride_drift_files_options {
    const char *reference,
        *current;           /* CSV with a header line; "-" = standard input, for one of them; may be .gz or .zst */
    const char *columns;    /* names separated by commas; NULL = all that both have */
    const char *categories; /* numbers to be compared as categories, likewise; texts always are */
    ride_drift_progress_fn progress; /* may be NULL; called often */
    void *progress_context;
} ride_drift_files_options;

/* One value of a category. */
typedef struct ride_drift_value {
    const char *text;
    uint32_t word; /* its number in the column */
    uint64_t ref, cur;
} ride_drift_value;
enum { RIDE_DRIFT_SHOWN = 10 };

typedef struct ride_drift_feature {
    const char *name;
    bool is_category;
    ride_drift drift;
    /* Of categories: the values whose shares differ most, and how many the reference and both have. */
    ride_drift_value shown[RIDE_DRIFT_SHOWN];
    uint32_t shown_count;
    uint32_t values_count;
} ride_drift_feature;

typedef struct ride_drift_comparison {
    ride_drift_tables tables; /* holds what the names point to */
    uint64_t rows[RIDE_DRIFT_SIDES];
    ride_drift_feature *features; /* by falling psi, those without a value last; equal ones by name */
    uint32_t features_count;
    const char **only[RIDE_DRIFT_SIDES]; /* columns that the other file lacks */
    uint32_t only_count[RIDE_DRIFT_SIDES];
    const char **left_out; /* text columns of more than RIDE_PROFILE_EDGES_MAX values that nobody asked for */
    uint32_t left_out_count;
} ride_drift_comparison;

/* The caller destroys the report, also after a failure. RIDE_E_USAGE: a name that is not there; RIDE_E_DATA: no column in common, or a file
 * that cannot be used; RIDE_E_MEMORY, and what reading fails with. */
ride_status ride_drift_files(const ride_drift_files_options *options, ride_drift_comparison *out, ride_error *err);
void ride_drift_comparison_destroy(ride_drift_comparison *report);

#endif
