/* io/sink.c: the write buffer in front of a file descriptor. */
#include "io/sink.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct ride_sink_private {
    int fd; /* -1: memory */
    uint8_t *memory;
    size_t memory_used, memory_bytes;
    bool sync;
    char *path;
    ride_error failure;
};

static ride_status fail_write(ride_sink *sink, int code, const char *doing) {
    struct ride_sink_private *p = sink->private_data;
    const char *name = code == ENOSPC   ? "the disk is full"
                       : code == EDQUOT ? "the disk quota is used up"
                       : code == EPIPE  ? "the reader has closed the pipe"
                       : code == EFBIG  ? "the file would be too large"
                                        : strerror(code);
    sink->failed = ride_fail(&p->failure, RIDE_E_IO, "%s failed: %s", doing, name);
    ride_error_where(&p->failure, "%s, byte %llu", p->path, (unsigned long long)sink->offset);
    return sink->failed;
}

/* Everything or a failure. */
static ride_status put(ride_sink *sink, const uint8_t *bytes, size_t count) {
    struct ride_sink_private *p = sink->private_data;
    if (sink->failed != RIDE_OK) return sink->failed;
    if (p->fd < 0) {
        if (count > p->memory_bytes - p->memory_used) return fail_write(sink, ENOSPC, "writing");
        if (count > 0) memcpy(p->memory + p->memory_used, bytes, count);
        p->memory_used += count;
        sink->offset += count;
        return RIDE_OK;
    }
    while (count > 0) {
        ssize_t n = write(p->fd, bytes, count);
        if (n < 0) {
            if (errno == EINTR) continue;
            return fail_write(sink, errno, "writing");
        }
        bytes += n;
        count -= (size_t)n;
        sink->offset += (uint64_t)n;
    }
    return RIDE_OK;
}

static ride_status flush(ride_sink *sink) {
    ride_status st = put(sink, sink->buffer, sink->used);
    sink->used = 0;
    return st;
}

ride_status ride_sink_flush(ride_sink *sink, ride_error *err) {
    ride_status st = flush(sink);
    if (st != RIDE_OK && err != NULL) *err = sink->private_data->failure;
    return st;
}

uint8_t *ride_sink_reserve(ride_sink *sink, size_t bytes) {
    RIDE_ASSERT(bytes <= sink->buffer_bytes);
    if (bytes > sink->buffer_bytes - sink->used) flush(sink);
    return sink->failed == RIDE_OK ? sink->buffer + sink->used : NULL;
}

ride_status ride_sink_write(ride_sink *sink, const void *bytes, size_t bytes_count) {
    if (bytes_count > sink->buffer_bytes - sink->used) {
        RIDE_TRY(flush(sink));
        if (bytes_count > sink->buffer_bytes) return put(sink, bytes, bytes_count);
    }
    if (bytes_count > 0) memcpy(sink->buffer + sink->used, bytes, bytes_count);
    sink->used += bytes_count;
    return sink->failed;
}

static ride_status sink_create(const char *path, size_t buffer_bytes, ride_sink **out, ride_error *err) {
    ride_sink *sink = calloc(1, sizeof *sink);
    struct ride_sink_private *p = calloc(1, sizeof *p);
    if (sink != NULL && p != NULL) {
        sink->private_data = p;
        sink->buffer_bytes = buffer_bytes != 0 ? buffer_bytes : 1u << 20;
        p->fd = -1;
        p->path = strdup(path);
        sink->buffer = malloc(sink->buffer_bytes);
        if (p->path != NULL && sink->buffer != NULL) {
            *out = sink;
            return RIDE_OK;
        }
        free(p->path);
        free(sink->buffer);
    }
    free(sink);
    free(p);
    return ride_fail(err, RIDE_E_MEMORY, "no memory for the output %s", path);
}

static void sink_free(ride_sink *sink) {
    free(sink->private_data->path);
    free(sink->private_data);
    free(sink->buffer);
    free(sink);
}

/* Cuts an existing output to what the run that goes on had written. */
static ride_status cut(int fd, uint64_t offset, ride_error *err) {
    struct stat info;
    if (fstat(fd, &info) != 0) return ride_fail(err, RIDE_E_IO, "cannot look at the output: %s", strerror(errno));
    if (!S_ISREG(info.st_mode)) return RIDE_OK; /* a pipe just goes on */
    if ((uint64_t)info.st_size < offset)
        return ride_fail(err, RIDE_E_DATA, "the output has %llu bytes, the run to go on with had written %llu",
                         (unsigned long long)info.st_size, (unsigned long long)offset);
    if (ftruncate(fd, (off_t)offset) != 0 || lseek(fd, (off_t)offset, SEEK_SET) < 0)
        return ride_fail(err, RIDE_E_IO, "cannot cut the output: %s", strerror(errno));
    return RIDE_OK;
}

ride_status ride_sink_open(const char *path, const ride_sink_options *options, ride_sink **out, ride_error *err) {
    static const ride_sink_options defaults = {0};
    if (options == NULL) options = &defaults;
    bool standard = strcmp(path, "-") == 0;
    ride_sink *sink = NULL;
    RIDE_TRY(sink_create(standard ? "<stdout>" : path, options->buffer_bytes, &sink, err));
    struct ride_sink_private *p = sink->private_data;
    p->sync = options->sync;
    ride_status st = RIDE_OK;
    p->fd = standard ? dup(STDOUT_FILENO)
                     : open(path, O_WRONLY | O_CLOEXEC | (options->resume ? 0 : O_CREAT | O_TRUNC), 0644);
    if (p->fd < 0 && options->resume && errno == ENOENT) {
        st = ride_fail(err, RIDE_E_DATA, "the output is not there: the run to go on with had written %llu bytes",
                       (unsigned long long)options->resume_offset);
        ride_error_advice(err, "bring it back, or remove state.dir to begin anew");
    } else if (p->fd < 0) st = ride_fail(err, RIDE_E_IO, "cannot open the output: %s", strerror(errno));
    else if (options->resume && !standard) st = cut(p->fd, options->resume_offset, err);
    if (st != RIDE_OK) {
        ride_error_where(err, "%s", p->path);
        if (p->fd >= 0) close(p->fd);
        sink_free(sink);
        return st;
    }
    if (options->resume) sink->offset = options->resume_offset;
    *out = sink;
    return RIDE_OK;
}

ride_status ride_sink_open_aimed(size_t buffer_bytes, ride_sink **out, ride_error *err) {
    return sink_create("<memory>", buffer_bytes, out, err);
}

void ride_sink_aim(ride_sink *sink, void *memory, size_t bytes_max) {
    struct ride_sink_private *p = sink->private_data;
    RIDE_ASSERT(p->fd < 0);
    p->memory = memory;
    p->memory_bytes = bytes_max;
    p->memory_used = 0;
    sink->used = 0;
    sink->offset = 0;
    sink->failed = RIDE_OK;
}

ride_status ride_sink_open_memory(void *memory, size_t bytes_max, ride_sink **out, ride_error *err) {
    ride_sink *sink = NULL;
    RIDE_TRY(sink_create("<memory>", 0, &sink, err));
    sink->private_data->memory = memory;
    sink->private_data->memory_bytes = bytes_max;
    *out = sink;
    return RIDE_OK;
}

ride_status ride_sink_close(ride_sink *sink, ride_error *err) {
    struct ride_sink_private *p = sink->private_data;
    flush(sink);
    if (p->fd >= 0) {
        /* EINVAL and ENOTSUP: a pipe or terminal, which has nothing to sync */
        if (sink->failed == RIDE_OK && p->sync && fsync(p->fd) != 0 && errno != EINVAL && errno != ENOTSUP)
            fail_write(sink, errno, "syncing");
        if (close(p->fd) != 0 && sink->failed == RIDE_OK)
            fail_write(sink, errno, "closing"); /* NFS tells a full disk here */
    }
    ride_status st = sink->failed;
    if (st != RIDE_OK && err != NULL) *err = p->failure;
    sink_free(sink);
    return st;
}
