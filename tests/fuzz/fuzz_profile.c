/* Any bytes as a bundle with a profile: refused, or a profile that can be counted into and compared. The header's length and checksum are put
 * right first, without which nothing changed would be looked into. */
#include "base/assert.h"
#include "base/crc32c.h"
#include "kernels/row/profile.h"
#include "stats/drift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Counts the edges themselves, their neighbours and what lies outside. */
static void use(const ride_profile *profile) {
    uint64_t *cells = calloc(profile->header->cells_count, sizeof *cells);
    RIDE_ASSERT(cells != NULL);
    for (uint32_t i = 0; i < profile->header->columns_count; i++) {
        const ride_profile_column *column = &profile->columns[i];
        const double *edges = profile->edges + column->edges_first;
        const double outside[] = {NAN, -INFINITY, INFINITY, 0};
        uint64_t *own = cells + column->cells_first;
        ride_drift drift;
        for (uint32_t v = 0; v < 4 + 2 * column->edges_count; v++) {
            double value = v < 4 ? outside[v] : edges[(v - 4) / 2];
            if (v >= 4 && v % 2 == 1) value = nextafter(value, INFINITY);
            uint32_t cell = ride_profile_cell(column, edges, value);
            RIDE_ASSERT(cell < column->cells_count);
            own[cell]++;
        }
        ride_drift_from_counts(profile, i, own, &drift);
        RIDE_ASSERT(drift.n_cur + drift.missing == 4 + 2 * column->edges_count);
        RIDE_ASSERT(drift.n_ref == 0 || drift.psi >= 0);
        ride_drift_from_counts(profile, i, profile->counts + column->cells_first, &drift);
        RIDE_ASSERT(drift.n_ref == drift.n_cur && (drift.n_ref == 0 || drift.psi == 0));
    }
    free(cells);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t bytes = (size + RIDE_BUNDLE_ALIGN - 1) / RIDE_BUNDLE_ALIGN * RIDE_BUNDLE_ALIGN;
    ride_bundle bundle;
    ride_profile profile;
    ride_error err;
    if (size < sizeof(ride_bundle_header)) return 0;
    uint8_t *image = aligned_alloc(RIDE_BUNDLE_ALIGN, bytes);
    RIDE_ASSERT(image != NULL);
    memset(image, 0, bytes);
    memcpy(image, data, size);
    ride_bundle_header *header = (ride_bundle_header *)image;
    memcpy(header->magic, "RIDEBNDL", 8);
    header->version = RIDE_BUNDLE_VERSION;
    header->bytes = bytes;
    header->crc32c = ride_crc32c(0, header + 1, bytes - sizeof *header);
    if (ride_bundle_open(image, bytes, &bundle, &err) == RIDE_OK &&
        ride_profile_open(&bundle, &profile, &err) == RIDE_OK)
        use(&profile);
    free(image);
    return 0;
}
