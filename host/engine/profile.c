/* engine/profile.c: reading a profile's file, and putting it beside a spec and a model that it must belong to. */
#include "engine/profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_BYTES_MAX = 64 << 20, LIST_BYTES = 1024 };

static ride_status read_all(const char *path, uint8_t **out, uint64_t *bytes, ride_error *err) {
    struct stat info;
    FILE *file = fopen(path, "rb");
    if (file == NULL) return ride_fail(err, RIDE_E_NO_INPUT, "the profile cannot be read: %s", strerror(errno));
    ride_status st = RIDE_OK;
    if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode))
        st = ride_fail(err, RIDE_E_NO_INPUT, "the profile cannot be read: it is no file");
    else if (info.st_size > FILE_BYTES_MAX)
        st = ride_fail(err, RIDE_E_CORRUPT, "a profile has %d MiB at most", FILE_BYTES_MAX >> 20);
    else {
        *bytes = (uint64_t)info.st_size;
        *out = aligned_alloc(RIDE_BUNDLE_ALIGN, (*bytes / RIDE_BUNDLE_ALIGN + 1) * RIDE_BUNDLE_ALIGN);
        if (*out == NULL) st = ride_fail(err, RIDE_E_MEMORY, "no memory to read a profile");
        else if (fread(*out, 1, *bytes, file) != *bytes)
            st = ride_fail(err, RIDE_E_NO_INPUT, "the profile cannot be read: %s",
                           ferror(file) ? strerror(errno) : "it ends early");
    }
    fclose(file);
    return st;
}

ride_status ride_profile_file_open(const char *path, ride_profile_file *out, ride_error *err) {
    uint64_t bytes = 0;
    memset(out, 0, sizeof *out);
    ride_status st = read_all(path, &out->image, &bytes, err);
    if (st == RIDE_OK) st = ride_bundle_open(out->image, bytes, &out->bundle, err);
    if (st == RIDE_OK) st = ride_profile_open(&out->bundle, &out->profile, err);
    if (st == RIDE_OK) return RIDE_OK;
    ride_error_where(err, "%s", path);
    ride_error_advice(err,
                      st == RIDE_E_NO_INPUT ? "drift.profile names it" : "make it again with `ride profile build`");
    return st;
}

void ride_profile_file_close(ride_profile_file *file) {
    free(file->image);
    file->image = NULL;
}

/* The names of one side that the other lacks, cut at the list's room. */
typedef struct names {
    const char *const *at;
    uint32_t count;
} names;

static void names_list(const names *all, const names *without, char text[LIST_BYTES]) {
    size_t used = 0;
    uint32_t left_out = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < all->count; i++) {
        bool there = false;
        for (uint32_t k = 0; without != NULL && k < without->count && !there; k++)
            there = strcmp(all->at[i], without->at[k]) == 0;
        if (there) continue;
        const size_t room = LIST_BYTES - 40;
        if (used + strlen(all->at[i]) + 2 > room) left_out++;
        else used += (size_t)snprintf(text + used, LIST_BYTES - used, "%s%s", used > 0 ? ", " : "", all->at[i]);
    }
    if (left_out > 0) snprintf(text + used, LIST_BYTES - used, " and %u more", left_out);
    else if (used == 0) snprintf(text, LIST_BYTES, "none");
}

static const char build_again[] = "make a profile of these features with `ride profile build`";

/* The findings tell everything about two lists that are not the same. */
static ride_status other_features(const char *path, const names *profile, const names *spec,
                                  ride_diagnostics *findings) {
    char mine[LIST_BYTES], theirs[LIST_BYTES];
    uint32_t first = 0;
    while (first < profile->count && first < spec->count && strcmp(profile->at[first], spec->at[first]) == 0) first++;
    ride_diagnose(findings, RIDE_E_CONFIG, path, 0, 0, build_again,
                  "the profile is of another feature vector: entry %u is %s in the profile and %s in the spec", first,
                  first < profile->count ? profile->at[first] : "not there",
                  first < spec->count ? spec->at[first] : "not there");
    names_list(spec, profile, mine);
    names_list(profile, spec, theirs);
    ride_diagnose(findings, RIDE_E_CONFIG, path, 0, 0, NULL, "missing from the profile: %s", mine);
    ride_diagnose(findings, RIDE_E_CONFIG, path, 0, 0, NULL, "in the profile only: %s", theirs);
    names_list(spec, NULL, mine);
    names_list(profile, NULL, theirs);
    ride_diagnose(findings, RIDE_E_CONFIG, path, 0, 0, NULL, "the spec's vector (%u): %s", spec->count, mine);
    return ride_diagnose(findings, RIDE_E_CONFIG, path, 0, 0, NULL, "the profile's vector (%u): %s", profile->count,
                         theirs);
}

static bool is_zero(const uint8_t hash[32]) {
    uint8_t any = 0;
    for (int i = 0; i < 32; i++) any |= hash[i];
    return any == 0;
}

static ride_status check_match(const char *path, const ride_profile_file *file, const ride_spec *spec,
                               const uint8_t *model_hash, ride_diagnostics *findings, ride_error *err) {
    const ride_profile_header *h = file->profile.header;
    names profile = {NULL, 0}, vector = {spec->vector_names, spec->vector_count};
    const char **at = calloc(h->columns_count + 1, sizeof *at);
    bool same = true, has_scores = false;
    if (at == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory to compare a profile");
    for (uint32_t i = 0; i < h->columns_count; i++) {
        const ride_profile_column *column = &file->profile.columns[i];
        if (column->source != RIDE_PROFILE_VECTOR) {
            has_scores = true;
            continue;
        }
        same = same && column->index == profile.count;
        at[profile.count++] = ride_profile_name(file, i);
    }
    profile.at = at;
    same = same && profile.count == vector.count;
    for (uint32_t i = 0; i < profile.count && same; i++) same = strcmp(profile.at[i], vector.at[i]) == 0;
    ride_status st = RIDE_OK;
    if (!same) st = other_features(path, &profile, &vector, findings);
    else if (memcmp(h->spec_hash, spec->hash, sizeof h->spec_hash) != 0)
        st = ride_diagnose(findings, RIDE_E_CONFIG, path, 0, 0, build_again,
                           "the profile has the names of this spec's features, but their definitions have changed "
                           "since it was made");
    if (has_scores && (model_hash == NULL || memcmp(h->model_hash, model_hash, sizeof h->model_hash) != 0))
        st = ride_diagnose(findings, RIDE_E_CONFIG, path, 0, 0, "make it with this model, or without a model",
                           model_hash == NULL ? "the profile has a model's scores, and no model is given"
                                              : "the profile has the scores of another model");
    else if (!has_scores && !is_zero(h->model_hash))
        st = ride_diagnose(findings, RIDE_E_CORRUPT, path, 0, 0, NULL, "the profile names a model and has no scores");
    free(at);
    return st;
}

static ride_status add_sections(const ride_profile_file *file, ride_bundle_builder *builder, ride_error *err) {
    const uint32_t count = file->profile.header->columns_count;
    ride_profile_column *columns = malloc((count + 1) * sizeof *columns);
    if (columns == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a profile");
    memcpy(columns, file->profile.columns, count * sizeof *columns);
    ride_status st = RIDE_OK;
    for (uint32_t i = 0; i < count && st == RIDE_OK; i++) /* names move to this bundle's strings */
        st = ride_bundle_builder_string(builder, ride_profile_name(file, i), &columns[i].name_offset, err);
    for (uint32_t s = RIDE_SECTION_PROFILE; s <= RIDE_SECTION_PROFILE_COUNTS && st == RIDE_OK; s++) {
        const void *data = s == RIDE_SECTION_PROFILE_COLUMNS ? (const void *)columns : file->bundle.sections[s];
        st = ride_bundle_builder_add(builder, (ride_section)s, data, file->bundle.sections_bytes[s], err);
    }
    free(columns);
    return st;
}

ride_status ride_profile_add(const char *path, const ride_spec *spec, const uint8_t *model_hash,
                             ride_bundle_builder *builder, ride_diagnostics *findings, ride_error *err) {
    ride_profile_file file;
    ride_status st = ride_profile_file_open(path, &file, err);
    if (st == RIDE_OK) st = check_match(path, &file, spec, model_hash, findings, err);
    if (st == RIDE_OK) st = add_sections(&file, builder, err);
    ride_profile_file_close(&file);
    return st;
}
