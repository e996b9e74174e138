/* kernels/layout/profile.h: the reference profile of a bundle: what the training data looked like, as histograms, so that
 * every scored batch can be counted into the same cells and compared with it (host/stats/drift.h has the formulas).
 *
 * A profile has columns: numbers of the vector, and the model's margin and probability. Each column has cells, uint64
 * counts one after the other:
 *   cell 0   missing (NaN)
 *   cell 1   new category: a value of a CATEGORY column that the reference does not have; 0 for a NUMBER column
 *   cell 2 + i   NUMBER: bin i = (edge[i - 1], edge[i]], the first and the last open to their infinities, so
 *                edges_count + 1 bins; CATEGORY: the value values[i], edges_count bins
 * NUMBER edges are the reference's least value, its quantiles i/250 (linear interpolation) and its greatest value, duplicates dropped; those
 * marked COARSE are its deciles, the edges of the reported bins. The least value, and every value that more than one quantile falls on, has
 * one more edge right below it, the next smaller double, so that a value that is frequent has a cell of its own. Everything between the
 * coarse edges only sharpens KS and Wasserstein. An infinite quantile is no edge.
 *
 * Sections: PROFILE = ride_profile_header; PROFILE_COLUMNS = ride_profile_column[columns_count]; PROFILE_EDGES =
 * double[edges_count], ascending and finite within a column; PROFILE_COARSE = uint8_t[edges_count], 1 = an edge of the reported
 * bins (0 for categories); PROFILE_COUNTS = uint64_t[cells_count], the reference's own counts. */
#ifndef RIDE_KERNELS_LAYOUT_PROFILE_H
#define RIDE_KERNELS_LAYOUT_PROFILE_H
#include "kernels/layout/bundle.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    RIDE_PROFILE_VERSION = 1,
    RIDE_PROFILE_EDGES_MAX = 256, /* of one column */
    RIDE_PROFILE_COLUMNS_MAX = 1024,
    RIDE_PROFILE_CELL_MISSING = 0,
    RIDE_PROFILE_CELL_NEW = 1,
    RIDE_PROFILE_CELL_BINS = 2,
};

typedef enum ride_profile_source {
    RIDE_PROFILE_VECTOR = 1,      /* entry `index` of the plan's vector, as the model gets it, before any rounding */
    RIDE_PROFILE_MARGIN = 2,      /* first output; index 0 */
    RIDE_PROFILE_PROBABILITY = 3, /* index 0 */
} ride_profile_source;

typedef enum ride_profile_kind {
    RIDE_PROFILE_NUMBER = 1,
    RIDE_PROFILE_CATEGORY = 2,
} ride_profile_kind;

typedef struct ride_profile_header {
    uint32_t profile_version; /* RIDE_PROFILE_VERSION */
    uint32_t columns_count, edges_count, cells_count;
    uint64_t rows_count;                   /* of the reference */
    uint8_t spec_hash[32], model_hash[32]; /* what the reference was computed with; model_hash zero = no scores in it */
    uint32_t reserved[2];
} ride_profile_header;

typedef struct ride_profile_column {
    uint32_t source; /* ride_profile_source */
    uint32_t index;
    uint32_t kind; /* ride_profile_kind */
    uint32_t name_offset;
    uint32_t edges_first, edges_count;
    uint32_t cells_first, cells_count; /* RIDE_PROFILE_CELL_BINS + bins */
    double mean, std_pop; /* of the values that are not missing; NaN when there is none or an infinite one */
} ride_profile_column;
RIDE_STATIC_ASSERT(sizeof(ride_profile_column) == 48, "crosses to devices");

/* A checked profile: borrowed pointers into the bundle's image. */
typedef struct ride_profile {
    const ride_profile_header *header;
    const ride_profile_column *columns;
    const double *edges;
    const uint8_t *coarse;
    const uint64_t *counts;
} ride_profile;

static inline int ride_bundle_has_profile(const ride_bundle *bundle) {
    return bundle->sections[RIDE_SECTION_PROFILE] != NULL;
}
/* Checks the profile of an opened bundle and gives the view: sizes, every index (against the plan and its vector when the bundle
 * has one), order and finiteness of edges, cells without gaps, counts that add up to rows_count. RIDE_E_CORRUPT with the first
 * finding, RIDE_E_VERSION for another version, RIDE_E_MODEL when the bundle has none. Any thread. */
ride_status ride_profile_open(const ride_bundle *bundle, ride_profile *out, ride_error *err);

#ifdef __cplusplus
}
#endif

#endif
