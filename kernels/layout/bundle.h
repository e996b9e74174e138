/* kernels/layout/bundle.h: one file image that holds everything a backend needs: the feature plan, the programs, the
 * model, the rules. Written once by the host (`ride compile`, or in memory at start), read by every backend with
 * host/base alone.
 *
 * Image, little-endian: ride_bundle_header, then sections_count ride_bundle_section entries, then the sections, each
 * 64-byte aligned. The checksum is CRC-32C of everything after the header. Opening checks magic, version, sizes,
 * alignment, checksum and that every section lies inside; it never trusts a number of the file before that. */
#ifndef RIDE_KERNELS_LAYOUT_BUNDLE_H
#define RIDE_KERNELS_LAYOUT_BUNDLE_H
#include "base/error.h"
#include "kernels/layout/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ride_section {
    RIDE_SECTION_STRINGS = 1, /* zero-terminated names, offsets point into it; offset 0 is "" */
    RIDE_SECTION_PLAN = 2,    /* one ride_plan_header */
    RIDE_SECTION_COLUMNS = 3, /* ride_plan_column[] … and so on, as named */
    RIDE_SECTION_ENTITIES = 4,
    RIDE_SECTION_LANES = 5,
    RIDE_SECTION_EDGES = 6,
    RIDE_SECTION_AGGREGATES = 7,
    RIDE_SECTION_CONDITIONS = 8,
    RIDE_SECTION_EXPRESSIONS = 9,
    RIDE_SECTION_VECTOR = 10,
    RIDE_SECTION_ZONE = 11,
    RIDE_SECTION_RULES = 12,
    RIDE_SECTION_PROGRAMS = 13,     /* ride_program[] (program.h) */
    RIDE_SECTION_PROGRAM_CODE = 14, /* ride_instruction[] of all programs */
    RIDE_SECTION_PROGRAM_CONSTANTS = 15,
    RIDE_SECTION_FOREST = 20, /* ride_forest_header (forest.h), then its arrays */
    RIDE_SECTION_FOREST_TREES = 21,
    RIDE_SECTION_FOREST_NODES = 22,
    RIDE_SECTION_FOREST_INPUTS = 23, /* uint32_t per input: what feeds it */
    RIDE_SECTION_FOREST_CATEGORIES = 24,
    RIDE_SECTION_FOREST_LEAVES = 25, /* ride_forest_line of each leaf with linear terms */
    RIDE_SECTION_PROFILE = 26,       /* ride_profile_header (profile.h), then its arrays */
    RIDE_SECTION_PROFILE_COLUMNS = 27,
    RIDE_SECTION_PROFILE_EDGES = 28,
    RIDE_SECTION_PROFILE_COARSE = 29,
    RIDE_SECTION_PROFILE_COUNTS = 30,
    RIDE_SECTION_FOREST_COVERS = 31, /* double per node */
    RIDE_SECTION_NETWORK = 32,       /* ride_network_header (network.h), then its arrays */
    RIDE_SECTION_NETWORK_STEPS = 33,
    RIDE_SECTION_NETWORK_NUMBERS = 34,
    RIDE_SECTION_NETWORK_COLUMNS = 35,
    RIDE_SECTION_NETWORK_INPUTS = 36,
    RIDE_SECTION_ENSEMBLE = 37, /* ride_ensemble_header (ensemble.h), then its arrays */
    RIDE_SECTION_ENSEMBLE_MEMBERS = 38,
    RIDE_SECTION_ENSEMBLE_NUMBERS = 39,
    RIDE_SECTION_FOREST_TERMS = 40, /* ride_forest_term of all lines */
    RIDE_SECTION_LIMIT = 48,
} ride_section;

typedef struct ride_bundle_header {
    char magic[8]; /* "RIDEBNDL" */
    uint32_t version;
    uint32_t sections_count;
    uint64_t bytes;  /* of the whole image */
    uint32_t crc32c; /* of everything after this header */
    uint32_t reserved;
    uint8_t spec_hash[32], model_hash[32]; /* SHA-256; zero when there is none */
} ride_bundle_header;

typedef struct ride_bundle_section {
    uint32_t section; /* ride_section */
    uint32_t reserved;
    uint64_t offset, bytes;
} ride_bundle_section;
enum { RIDE_BUNDLE_VERSION = 1, RIDE_BUNDLE_ALIGN = 64 };

/* An opened image: borrowed pointers into it, valid as long as the image. */
typedef struct ride_bundle {
    const uint8_t *image;
    uint64_t image_bytes;
    const ride_bundle_header *header;
    const void *sections[RIDE_SECTION_LIMIT]; /* NULL = absent */
    uint64_t sections_bytes[RIDE_SECTION_LIMIT];
    const ride_plan_header *plan; /* NULL for a bundle that holds only a model */
} ride_bundle;

/* image must be 64-byte aligned. Checks as said above and the plan's counts against its sections and all its indexes
 * (columns, lanes, edges, programs): a damaged or hostile file is RIDE_E_CORRUPT or RIDE_E_VERSION, never a crash. */
ride_status ride_bundle_open(const void *image, uint64_t image_bytes, ride_bundle *out, ride_error *err);

/* Typed access: ride_bundle_array(b, RIDE_SECTION_LANES, ride_plan_lane)[i]. */
#define ride_bundle_array(bundle, section, type) ((const type *)(bundle)->sections[section])
static inline const char *ride_bundle_string(const ride_bundle *bundle, uint32_t offset) {
    return (const char *)bundle->sections[RIDE_SECTION_STRINGS] + offset;
}

/* Building. Sections may be added in any order, each once. build() gives an image that the caller frees with
 * ride_bundle_image_free. The builder copies what it is given, and is empty once the
 * image is built: a section's copy goes as soon as it is in the image. */
typedef struct ride_bundle_builder ride_bundle_builder;
ride_status ride_bundle_builder_create(ride_bundle_builder **out, ride_error *err);
void ride_bundle_builder_destroy(ride_bundle_builder *builder);
ride_status ride_bundle_builder_add(ride_bundle_builder *builder, ride_section section, const void *data,
                                    uint64_t bytes, ride_error *err);
/* The same without a copy: memory of malloc, which is the builder's from now on. */
void ride_bundle_builder_take(ride_bundle_builder *builder, ride_section section, void *data, uint64_t bytes);
/* Appends a string to the strings section; equal strings share one place. */
ride_status ride_bundle_builder_string(ride_bundle_builder *builder, const char *text, uint32_t *out_offset,
                                       ride_error *err);
void ride_bundle_builder_hashes(ride_bundle_builder *builder, const uint8_t spec_hash[32],
                                const uint8_t model_hash[32]); /* NULL = zero */
ride_status ride_bundle_builder_build(ride_bundle_builder *builder, uint8_t **out_image, uint64_t *out_bytes,
                                      ride_error *err);
void ride_bundle_image_free(uint8_t *image);

#ifdef __cplusplus
}
#endif

#endif
