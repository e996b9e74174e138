/* state/snapshot.c: the folder: its lock, its generations, and writing a new one. Reading is in snapshot_read.c. */
#include "state/snapshot_internal.h"

#include "base/assert.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct ride_snapshot_writer {
    ride_snapshot_dir *dir;
    uint64_t generation;
    ride_sha256_stream *hash;
    int fd;
    uint32_t section;
    ride_status status; /* sticky */
    int code;           /* errno of the failure */
    size_t used;
    uint8_t buffer[SNAPSHOT_BLOCK_BYTES];
};

static ride_status fail_io(ride_error *err, const char *what, const char *path, int code) {
    ride_fail(err, RIDE_E_IO, "%s: %s", what, strerror(code));
    ride_error_where(err, "%s", path);
    return RIDE_E_IO;
}

void snapshot_name(uint64_t generation, const char *suffix, char *name) {
    snprintf(name, SNAPSHOT_NAME_BYTES, "state-%016" PRIx64 ".ride%s", generation, suffix);
}

ride_status ride_snapshot_dir_open(const char *path, ride_snapshot_dir **out, ride_error *err) {
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        fail_io(err, "cannot make the folder for the state", path, errno);
        ride_error_advice(err, "its parent folder must be there");
        return RIDE_E_IO;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fail_io(err, "cannot open the folder for the state", path, errno);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        ride_fail(err, RIDE_E_UNAVAILABLE, "another run has this state");
        ride_error_where(err, "%s", path);
        ride_error_advice(err, "stop it, or use another state.dir");
        return RIDE_E_UNAVAILABLE;
    }
    ride_snapshot_dir *dir = calloc(1, sizeof *dir);
    if (dir == NULL || (dir->path = strdup(path)) == NULL) {
        close(fd);
        free(dir);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the state's folder");
    }
    dir->fd = fd;
    *out = dir;
    return RIDE_OK;
}

void ride_snapshot_dir_close(ride_snapshot_dir *dir) {
    if (dir == NULL) return;
    close(dir->fd);
    free(dir->path);
    free(dir);
}

static int descending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

uint32_t snapshot_generations(ride_snapshot_dir *dir, uint64_t *out, bool remove_halves) {
    uint32_t count = 0;
    int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
    if (list == NULL) {
        if (fd >= 0) close(fd);
        return 0;
    }
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        uint64_t generation;
        char name[SNAPSHOT_NAME_BYTES];
        // NOLINTNEXTLINE(cert-err34-c): a name that it reads wrongly differs from the one made from the number below
        if (sscanf(entry->d_name, "state-%16" SCNx64 ".ride", &generation) != 1) continue;
        snapshot_name(generation, SNAPSHOT_HALF, name);
        if (strcmp(name, entry->d_name) == 0 && remove_halves) unlinkat(dir->fd, name, 0);
        snapshot_name(generation, "", name);
        if (strcmp(name, entry->d_name) == 0 && count < SNAPSHOT_GENERATIONS_MAX) out[count++] = generation;
    }
    closedir(list);
    qsort(out, count, sizeof *out, descending);
    return count;
}

static void put(ride_snapshot_writer *w, const void *data, size_t bytes) {
    const uint8_t *at = data;
    ride_sha256_add(w->hash, data, bytes);
    while (bytes > 0 && w->status == RIDE_OK) {
        ssize_t n = write(w->fd, at, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            w->status = RIDE_E_IO;
            w->code = errno;
            return;
        }
        at += n;
        bytes -= (size_t)n;
    }
}

static void put_block(ride_snapshot_writer *w) {
    if (w->used == 0) return;
    uint32_t head[2] = {w->section, (uint32_t)w->used};
    put(w, head, sizeof head);
    put(w, w->buffer, w->used);
    w->used = 0;
}

ride_status ride_snapshot_begin(ride_snapshot_dir *dir, ride_snapshot_writer **out, ride_error *err) {
    uint64_t generations[SNAPSHOT_GENERATIONS_MAX];
    uint32_t count = snapshot_generations(dir, generations, true);
    char name[SNAPSHOT_NAME_BYTES];
    ride_snapshot_writer *w = calloc(1, sizeof *w);
    if (w != NULL) w->hash = ride_sha256_create();
    if (w == NULL || w->hash == NULL) {
        free(w);
        return ride_fail(err, RIDE_E_MEMORY, "no memory to save the state");
    }
    w->dir = dir;
    w->generation = count > 0 ? generations[0] + 1 : 1;
    snapshot_name(w->generation, SNAPSHOT_HALF, name);
    w->fd = openat(dir->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (w->fd < 0) {
        int code = errno;
        ride_sha256_finish(w->hash, (uint8_t[RIDE_SHA256_BYTES]){0});
        free(w);
        return fail_io(err, "cannot write the state", dir->path, code);
    }
    snapshot_head head = {.version = SNAPSHOT_VERSION, .generation = w->generation};
    memcpy(head.magic, snapshot_magic, sizeof head.magic);
    put(w, &head, sizeof head);
    *out = w;
    return RIDE_OK;
}

void ride_snapshot_start(ride_snapshot_writer *w, uint32_t section) {
    RIDE_ASSERT(section > w->section);
    put_block(w);
    w->section = section;
}

ride_status ride_snapshot_write(void *writer, const void *data, size_t bytes) {
    ride_snapshot_writer *w = writer;
    const uint8_t *at = data;
    while (bytes > 0) {
        size_t n = SNAPSHOT_BLOCK_BYTES - w->used < bytes ? SNAPSHOT_BLOCK_BYTES - w->used : bytes;
        memcpy(w->buffer + w->used, at, n);
        w->used += n;
        at += n;
        bytes -= n;
        if (w->used == SNAPSHOT_BLOCK_BYTES) put_block(w);
    }
    return w->status;
}

void ride_snapshot_drop(ride_snapshot_writer *w) {
    if (w == NULL) return;
    char name[SNAPSHOT_NAME_BYTES];
    snapshot_name(w->generation, SNAPSHOT_HALF, name);
    unlinkat(w->dir->fd, name, 0);
    if (w->hash != NULL) ride_sha256_finish(w->hash, (uint8_t[RIDE_SHA256_BYTES]){0});
    if (w->fd >= 0) close(w->fd);
    free(w);
}

ride_status ride_snapshot_commit(ride_snapshot_writer *w, ride_error *err) {
    uint8_t digest[RIDE_SHA256_BYTES];
    uint32_t head[2] = {0, RIDE_SHA256_BYTES};
    char half[SNAPSHOT_NAME_BYTES], name[SNAPSHOT_NAME_BYTES];
    put_block(w);
    ride_sha256_finish(w->hash, digest);
    w->hash = NULL;
    put(w, head, sizeof head);
    put(w, digest, sizeof digest);
    snapshot_name(w->generation, SNAPSHOT_HALF, half);
    snapshot_name(w->generation, "", name);
    /* a failed fsync is final: the pages may be gone, so it is never tried again on this file */
    if (w->status == RIDE_OK &&
        (fsync(w->fd) != 0 || renameat(w->dir->fd, half, w->dir->fd, name) != 0 || fsync(w->dir->fd) != 0)) {
        w->status = RIDE_E_IO;
        w->code = errno;
    }
    if (w->status != RIDE_OK) {
        fail_io(err, "the state could not be saved", w->dir->path, w->code);
        ride_error_advice(err, "what was saved before is untouched");
        ride_snapshot_drop(w);
        return RIDE_E_IO;
    }
    uint64_t generations[SNAPSHOT_GENERATIONS_MAX];
    uint32_t count = snapshot_generations(w->dir, generations, false);
    for (uint32_t i = SNAPSHOT_GENERATIONS_KEPT; i < count; i++) {
        snapshot_name(generations[i], "", name);
        unlinkat(w->dir->fd, name, 0);
    }
    close(w->fd);
    free(w);
    return RIDE_OK;
}
