/* kernels/layout/bundle.c: opening an image. The shell (magic, sizes, checksum, sections) is checked here, the plan's
 * counts and indexes in check.c, its programs in program.c; the forest is checked by its own module (forest.h).
 * What passes can be read without further bounds checks, so a backend stays short. */
#include "kernels/layout/bundle.h"

#include "base/crc32c.h"
#include "kernels/layout/check.h"
#include "kernels/layout/program.h"

#include <string.h>

RIDE_STATIC_ASSERT(sizeof(ride_bundle_header) == 96, "the header is written as it is");
RIDE_STATIC_ASSERT(sizeof(ride_bundle_section) == 24, "a section entry is written as it is");

static ride_status check_header(const void *image, uint64_t image_bytes, ride_error *err) {
    const ride_bundle_header *header = image;
    if (image == NULL || (uintptr_t)image % RIDE_BUNDLE_ALIGN != 0)
        return ride_fail(err, RIDE_E_INTERNAL, "a bundle image must be %d-byte aligned", RIDE_BUNDLE_ALIGN);
    if (image_bytes < sizeof *header)
        return ride_fail(err, RIDE_E_CORRUPT, "a bundle has at least %zu bytes, this has %llu", sizeof *header,
                         (unsigned long long)image_bytes);
    if (memcmp(header->magic, "RIDEBNDL", 8) != 0) return ride_fail(err, RIDE_E_CORRUPT, "not a RIDE bundle");
    if (header->version != RIDE_BUNDLE_VERSION) {
        ride_fail(err, RIDE_E_VERSION, "bundle version %u, this program reads %d", header->version,
                  RIDE_BUNDLE_VERSION);
        ride_error_advice(err, "compile it again with `ride compile`");
        return RIDE_E_VERSION;
    }
    if (header->bytes != image_bytes)
        return ride_fail(err, RIDE_E_CORRUPT, "the bundle says %llu bytes and has %llu",
                         (unsigned long long)header->bytes, (unsigned long long)image_bytes);
    if (header->sections_count >= RIDE_SECTION_LIMIT ||
        header->sections_count * sizeof(ride_bundle_section) > image_bytes - sizeof *header)
        return ride_fail(err, RIDE_E_CORRUPT, "a bundle cannot have %u sections", header->sections_count);
    uint32_t crc = ride_crc32c(0, header + 1, image_bytes - sizeof *header);
    if (crc != header->crc32c)
        return ride_fail(err, RIDE_E_CORRUPT, "bundle checksum %08x, its header says %08x", crc, header->crc32c);
    return RIDE_OK;
}

static ride_status take_sections(ride_bundle *bundle, ride_error *err) {
    const ride_bundle_header *header = bundle->header;
    const ride_bundle_section *entries = (const ride_bundle_section *)(header + 1);
    uint64_t table_end = sizeof *header + header->sections_count * sizeof *entries;
    for (uint32_t i = 0; i < header->sections_count; i++) {
        const ride_bundle_section *entry = &entries[i];
        if (entry->section == 0 || entry->section >= RIDE_SECTION_LIMIT)
            return ride_fail(err, RIDE_E_CORRUPT, "unknown bundle section %u", entry->section);
        if (bundle->sections[entry->section] != NULL)
            return ride_fail(err, RIDE_E_CORRUPT, "bundle section %u appears twice", entry->section);
        if (entry->offset % RIDE_BUNDLE_ALIGN != 0 || entry->offset < table_end ||
            entry->offset > bundle->image_bytes || entry->bytes > bundle->image_bytes - entry->offset)
            return ride_fail(err, RIDE_E_CORRUPT, "bundle section %u lies outside the file", entry->section);
        bundle->sections[entry->section] = bundle->image + entry->offset;
        bundle->sections_bytes[entry->section] = entry->bytes;
    }
    const char *strings = bundle->sections[RIDE_SECTION_STRINGS];
    uint64_t strings_bytes = bundle->sections_bytes[RIDE_SECTION_STRINGS];
    if (strings == NULL || strings_bytes == 0 || strings[0] != '\0' || strings[strings_bytes - 1] != '\0')
        return ride_fail(err, RIDE_E_CORRUPT, "the bundle's names do not begin and end with a zero byte");
    return RIDE_OK;
}

ride_status ride_bundle_open(const void *image, uint64_t image_bytes, ride_bundle *out, ride_error *err) {
    memset(out, 0, sizeof *out);
    RIDE_TRY(check_header(image, image_bytes, err));
    ride_bundle bundle = {.image = image, .image_bytes = image_bytes, .header = image};
    RIDE_TRY(take_sections(&bundle, err));
    if (bundle.sections[RIDE_SECTION_PLAN] != NULL) {
        bundle.plan = bundle.sections[RIDE_SECTION_PLAN];
        RIDE_TRY(ride_plan_check(&bundle, err));
        RIDE_TRY(ride_programs_check(&bundle, err));
        for (uint32_t s = 1; s < RIDE_SECTION_FOREST; s++) /* so that "from index 0 of nothing" is a pointer, too */
            if (bundle.sections[s] == NULL) bundle.sections[s] = bundle.image;
    }
    *out = bundle;
    return RIDE_OK;
}
