/* state/snapshot_read.c: a generation is checked from its first to its last byte, then read in a second pass. */
#include "state/snapshot_internal.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ride_snapshot_reader {
    FILE *file;
    char *path;
    uint32_t section; /* of the block at hand; 0 = before the first block, or at the trailer */
    uint32_t left;    /* unread bytes of it */
};

static bool read_exactly(FILE *file, void *data, size_t bytes) { return fread(data, 1, bytes, file) == bytes; }

/* The whole file: structure, order of sections, digest. */
static ride_status check(FILE *file, uint64_t generation, ride_error *err) {
    snapshot_head head;
    if (!read_exactly(file, &head, sizeof head) || memcmp(head.magic, snapshot_magic, sizeof head.magic) != 0)
        return ride_fail(err, RIDE_E_CORRUPT, "not a saved state");
    if (head.version != SNAPSHOT_VERSION)
        return ride_fail(err, RIDE_E_VERSION, "a saved state of version %u, this program reads %d", head.version,
                         SNAPSHOT_VERSION);
    if (head.generation != generation) return ride_fail(err, RIDE_E_CORRUPT, "the state of another generation");
    ride_sha256_stream *hash = ride_sha256_create();
    uint8_t *block = malloc(SNAPSHOT_BLOCK_BYTES), digest[RIDE_SHA256_BYTES], told[RIDE_SHA256_BYTES];
    ride_status st =
        hash == NULL || block == NULL ? ride_fail(err, RIDE_E_MEMORY, "no memory to check a saved state") : RIDE_OK;
    uint32_t section = 1;
    if (st == RIDE_OK) ride_sha256_add(hash, &head, sizeof head);
    while (st == RIDE_OK && section != 0) {
        uint32_t part[2];
        if (!read_exactly(file, part, sizeof part) || part[1] > SNAPSHOT_BLOCK_BYTES ||
            (part[0] != 0 ? part[0] < section : part[1] != RIDE_SHA256_BYTES)) // the trailer's head is in no checksum
            st = ride_fail(err, RIDE_E_CORRUPT, "the saved state is cut or damaged");
        else if ((section = part[0]) != 0) {
            if (!read_exactly(file, block, part[1])) st = ride_fail(err, RIDE_E_CORRUPT, "the saved state is cut off");
            else {
                ride_sha256_add(hash, part, sizeof part);
                ride_sha256_add(hash, block, part[1]);
            }
        }
    }
    ride_sha256_finish(hash, digest);
    free(block);
    if (st == RIDE_OK &&
        (!read_exactly(file, told, sizeof told) || memcmp(told, digest, sizeof told) != 0 || fgetc(file) != EOF))
        st = ride_fail(err, RIDE_E_CORRUPT, "the saved state does not have its checksum");
    if (st == RIDE_OK && fseek(file, sizeof head, SEEK_SET) != 0)
        st = ride_fail(err, RIDE_E_IO, "the saved state cannot be read: %s", strerror(errno));
    return st;
}

static ride_status open_generation(ride_snapshot_dir *dir, uint64_t generation, ride_snapshot_reader **out,
                                   ride_error *err) {
    char name[SNAPSHOT_NAME_BYTES];
    snapshot_name(generation, "", name);
    int fd = openat(dir->fd, name, O_RDONLY | O_CLOEXEC);
    FILE *file = fd >= 0 ? fdopen(fd, "rb") : NULL;
    ride_snapshot_reader *reader = calloc(1, sizeof *reader);
    ride_status st = RIDE_OK;
    if (file == NULL) st = ride_fail(err, RIDE_E_IO, "the saved state cannot be opened: %s", strerror(errno));
    if (st == RIDE_OK && (reader == NULL || (reader->path = malloc(strlen(dir->path) + sizeof name + 2)) == NULL))
        st = ride_fail(err, RIDE_E_MEMORY, "no memory to read a saved state");
    if (st == RIDE_OK) {
        sprintf(reader->path, "%s/%s", dir->path, name);
        reader->file = file;
        st = check(file, generation, err);
    }
    if (st == RIDE_OK) {
        *out = reader;
        return RIDE_OK;
    }
    ride_error_where(err, "%s/%s", dir->path, name);
    if (file != NULL) fclose(file);
    else if (fd >= 0) close(fd);
    if (reader != NULL) free(reader->path);
    free(reader);
    return st;
}

/* A damaged generation must not count as one of those that are kept. It stays beside them, for who wants to look. */
static void damaged_aside(ride_snapshot_dir *dir, uint64_t generation) {
    char name[SNAPSHOT_NAME_BYTES], aside[SNAPSHOT_NAME_BYTES];
    snapshot_name(generation, "", name);
    snapshot_name(generation, ".damaged", aside);
    renameat(dir->fd, name, dir->fd, aside);
}

ride_status ride_snapshot_load(ride_snapshot_dir *dir, ride_snapshot_reader **out, ride_error *err) {
    uint64_t generations[SNAPSHOT_GENERATIONS_MAX];
    uint32_t count = snapshot_generations(dir, generations, true);
    ride_status st = RIDE_OK;
    *out = NULL;
    for (uint32_t i = 0; i < count; i++) {
        st = open_generation(dir, generations[i], out, err);
        if (st == RIDE_OK || st == RIDE_E_MEMORY) return st;
        char text[512];
        ride_log_warn("a saved state cannot be used", ride_log_text("error", ride_error_text(err, text, sizeof text)));
        if (i + 1 < count && st == RIDE_E_CORRUPT) damaged_aside(dir, generations[i]);
    }
    if (count > 0) ride_error_advice(err, "remove state.dir to begin anew");
    return st;
}

/* On to the next block that has bytes, or the trailer. */
static ride_status next_block(ride_snapshot_reader *r) {
    uint32_t part[2];
    if (!read_exactly(r->file, part, sizeof part)) return RIDE_E_CORRUPT;
    r->section = part[0];
    r->left = part[0] != 0 ? part[1] : 0;
    return RIDE_OK;
}

ride_status ride_snapshot_section(ride_snapshot_reader *r, uint32_t section) {
    while (r->section < section) {
        if (r->left > 0 && fseek(r->file, r->left, SEEK_CUR) != 0) return RIDE_E_CORRUPT;
        RIDE_TRY(next_block(r));
        if (r->section == 0) return RIDE_E_CORRUPT;
    }
    return r->section == section ? RIDE_OK : RIDE_E_CORRUPT;
}

ride_status ride_snapshot_read(void *reader, void *data, size_t bytes) {
    ride_snapshot_reader *r = reader;
    uint8_t *to = data;
    while (bytes > 0) {
        if (r->left == 0) {
            uint32_t section = r->section;
            RIDE_TRY(next_block(r));
            if (r->section != section) return RIDE_E_CORRUPT;
        }
        size_t n = r->left < bytes ? r->left : bytes;
        if (!read_exactly(r->file, to, n)) return RIDE_E_CORRUPT;
        r->left -= (uint32_t)n;
        to += n;
        bytes -= n;
    }
    return RIDE_OK;
}

const char *ride_snapshot_path(const ride_snapshot_reader *reader) { return reader->path; }

void ride_snapshot_reader_close(ride_snapshot_reader *reader) {
    if (reader == NULL) return;
    fclose(reader->file);
    free(reader->path);
    free(reader);
}
