/* kernels/layout/builder.c: writing an image. Sections are laid down in the order of their numbers, not of their
 * adding, so that equal content gives equal bytes. */
#include "base/assert.h"
#include "base/crc32c.h"
#include "kernels/layout/bundle.h"

#include <stdlib.h>
#include <string.h>

typedef struct piece {
    uint8_t *data; /* NULL = absent */
    uint64_t bytes;
} piece;

struct ride_bundle_builder {
    piece pieces[RIDE_SECTION_LIMIT];
    uint64_t strings_bytes_max;
    uint8_t spec_hash[32], model_hash[32];
};

static ride_status no_memory(ride_error *err, uint64_t bytes) {
    return ride_fail(err, RIDE_E_MEMORY, "no memory for a bundle (%llu bytes)", (unsigned long long)bytes);
}

ride_status ride_bundle_builder_create(ride_bundle_builder **out, ride_error *err) {
    enum { STRINGS_FIRST = 4096 };
    ride_bundle_builder *builder = calloc(1, sizeof *builder);
    piece *strings = builder != NULL ? &builder->pieces[RIDE_SECTION_STRINGS] : NULL;
    if (builder == NULL || (strings->data = malloc(STRINGS_FIRST)) == NULL) {
        free(builder);
        return no_memory(err, STRINGS_FIRST);
    }
    builder->strings_bytes_max = STRINGS_FIRST;
    strings->data[0] = 0; /* offset 0 is "" */
    strings->bytes = 1;
    *out = builder;
    return RIDE_OK;
}

void ride_bundle_builder_destroy(ride_bundle_builder *builder) {
    if (builder == NULL) return;
    for (uint32_t i = 0; i < RIDE_SECTION_LIMIT; i++) free(builder->pieces[i].data);
    free(builder);
}

ride_status ride_bundle_builder_add(ride_bundle_builder *builder, ride_section section, const void *data,
                                    uint64_t bytes, ride_error *err) {
    uint8_t *copy = malloc(bytes > 0 ? bytes : 1);
    if (copy == NULL) return no_memory(err, bytes);
    if (bytes > 0) memcpy(copy, data, bytes);
    ride_bundle_builder_take(builder, section, copy, bytes);
    return RIDE_OK;
}

void ride_bundle_builder_take(ride_bundle_builder *builder, ride_section section, void *data, uint64_t bytes) {
    RIDE_ASSERT(section > 0 && section < RIDE_SECTION_LIMIT && section != RIDE_SECTION_STRINGS);
    piece *to = &builder->pieces[section];
    RIDE_ASSERT(to->data == NULL && data != NULL);
    *to = (piece){.data = data, .bytes = bytes};
}

/* A plan has some hundreds of names: a walk over them is quick enough, and nothing has to be kept beside them. */
ride_status ride_bundle_builder_string(ride_bundle_builder *builder, const char *text, uint32_t *out_offset,
                                       ride_error *err) {
    piece *strings = &builder->pieces[RIDE_SECTION_STRINGS];
    uint64_t bytes = strlen(text) + 1;
    for (uint64_t at = 0; at < strings->bytes; at += strlen((const char *)strings->data + at) + 1) {
        if (strcmp((const char *)strings->data + at, text) != 0) continue;
        *out_offset = (uint32_t)at;
        return RIDE_OK;
    }
    if (strings->bytes + bytes > UINT32_MAX) return no_memory(err, strings->bytes + bytes);
    if (strings->bytes + bytes > builder->strings_bytes_max) {
        uint64_t bytes_max = (strings->bytes + bytes) * 2;
        uint8_t *grown = realloc(strings->data, bytes_max);
        if (grown == NULL) return no_memory(err, bytes_max);
        strings->data = grown;
        builder->strings_bytes_max = bytes_max;
    }
    memcpy(strings->data + strings->bytes, text, bytes);
    *out_offset = (uint32_t)strings->bytes;
    strings->bytes += bytes;
    return RIDE_OK;
}

void ride_bundle_builder_hashes(ride_bundle_builder *builder, const uint8_t spec_hash[32],
                                const uint8_t model_hash[32]) {
    memset(builder->spec_hash, 0, 32);
    memset(builder->model_hash, 0, 32);
    if (spec_hash != NULL) memcpy(builder->spec_hash, spec_hash, 32);
    if (model_hash != NULL) memcpy(builder->model_hash, model_hash, 32);
}

static uint64_t align_up(uint64_t bytes) {
    return (bytes + RIDE_BUNDLE_ALIGN - 1) / RIDE_BUNDLE_ALIGN * RIDE_BUNDLE_ALIGN;
}

ride_status ride_bundle_builder_build(ride_bundle_builder *builder, uint8_t **out_image, uint64_t *out_bytes,
                                      ride_error *err) {
    uint32_t sections_count = 0;
    uint64_t total = 0;
    for (uint32_t i = 0; i < RIDE_SECTION_LIMIT; i++) sections_count += builder->pieces[i].data != NULL;
    total = align_up(sizeof(ride_bundle_header) + sections_count * sizeof(ride_bundle_section));
    uint64_t at = total;
    for (uint32_t i = 0; i < RIDE_SECTION_LIMIT; i++) total += align_up(builder->pieces[i].bytes);
    uint8_t *image = aligned_alloc(RIDE_BUNDLE_ALIGN, total);
    if (image == NULL) return no_memory(err, total);
    memset(image, 0, total);
    ride_bundle_header *header = (ride_bundle_header *)image;
    ride_bundle_section *entry = (ride_bundle_section *)(header + 1);
    memcpy(header->magic, "RIDEBNDL", 8);
    header->version = RIDE_BUNDLE_VERSION;
    header->sections_count = sections_count;
    header->bytes = total;
    memcpy(header->spec_hash, builder->spec_hash, 32);
    memcpy(header->model_hash, builder->model_hash, 32);
    for (uint32_t i = 0; i < RIDE_SECTION_LIMIT; i++) {
        piece *from = &builder->pieces[i];
        if (from->data == NULL) continue;
        *entry++ = (ride_bundle_section){.section = i, .offset = at, .bytes = from->bytes};
        memcpy(image + at, from->data, from->bytes);
        at += align_up(from->bytes);
        free(from->data);
        *from = (piece){0};
    }
    RIDE_ASSERT(at == total);
    header->crc32c = ride_crc32c(0, header + 1, total - sizeof *header);
    *out_image = image;
    *out_bytes = total;
    return RIDE_OK;
}

void ride_bundle_image_free(uint8_t *image) { free(image); }
