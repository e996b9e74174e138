/* topo/limits.c: the cgroup of a process is named in /proc/self/cgroup; inside a container that name may be of the host's tree, which
 * is not to be seen there: then the mount's own top is the container's cgroup. */
#include "topo/limits.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

/* The file's first bytes as text; false when it cannot be read. */
static bool read_text(const char *path, char *text, size_t text_bytes_max) {
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    size_t bytes = fread(text, 1, text_bytes_max - 1, file);
    text[bytes] = '\0';
    fclose(file);
    return true;
}

/* Huge values are how version 1 says "no limit". */
static void least(uint64_t *limit, uint64_t value) {
    if (value == 0 || value >= UINT64_C(1) << 62) return;
    if (*limit == 0 || value < *limit) *limit = value;
}

static void read_memory(const char *folder, const char *file, ride_limits *out) {
    char path[PATH_BYTES + 64], text[64];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    if (read_text(path, text, sizeof text)) least(&out->memory_bytes, strtoull(text, NULL, 10)); /* "max" is 0 */
}

static void add_quota(ride_limits *out, double quota, double period) {
    if (quota <= 0 || period <= 0) return;
    uint64_t limit = out->cpu_quota_milli;
    double milli = quota / period * 1000;
    least(&limit, milli < 1 ? 1 : milli > 1e9 ? 0 : (uint64_t)milli);
    out->cpu_quota_milli = (uint32_t)limit;
}

static void read_cpu(const char *folder, bool is_v2, ride_limits *out) {
    char path[PATH_BYTES + 64], text[64], period[64];
    if (is_v2) {
        char *end = NULL;
        snprintf(path, sizeof path, "%s/cpu.max", folder);
        if (!read_text(path, text, sizeof text)) return;
        double quota = strtod(text, &end);
        if (end != text) add_quota(out, quota, strtod(end, NULL)); /* "max 100000": none */
        return;
    }
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    if (!read_text(path, text, sizeof text)) return;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    if (read_text(path, period, sizeof period)) add_quota(out, strtod(text, NULL), strtod(period, NULL));
}

/* From the process's cgroup up to the mount. */
static void walk(const char *mount, const char *cgroup, bool is_v2, bool memory, bool cpu, ride_limits *out) {
    char folder[PATH_BYTES];
    size_t top = strlen(mount);
    if (access(mount, R_OK) != 0) return;
    int bytes = snprintf(folder, sizeof folder, "%s%s", mount, cgroup);
    if (bytes < 0 || (size_t)bytes >= sizeof folder || access(folder, R_OK) != 0)
        snprintf(folder, sizeof folder, "%s", mount);
    for (;;) {
        size_t end = strlen(folder);
        while (end > top && folder[end - 1] == '/') folder[--end] = '\0';
        if (memory) read_memory(folder, is_v2 ? "memory.max" : "memory.limit_in_bytes", out);
        if (cpu) read_cpu(folder, is_v2, out);
        char *slash = strrchr(folder + top, '/');
        if (slash == NULL) return;
        *slash = '\0';
    }
}

static bool has_word(const char *list, size_t bytes, const char *word) {
    for (const char *p = list; p < list + bytes;) {
        size_t part = strcspn(p, ",:");
        if (part == strlen(word) && strncmp(p, word, part) == 0) return true;
        p += part + 1;
    }
    return false;
}

/* A line of /proc/self/cgroup: "4:memory:/path" or "0::/path". */
static void read_line(const char *root, char *line, ride_limits *out) {
    char mount[PATH_BYTES];
    char *controllers = strchr(line, ':'), *cgroup = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (cgroup == NULL || cgroup[1] != '/' || strstr(cgroup, "/../") != NULL) return;
    size_t bytes = (size_t)(cgroup - ++controllers);
    cgroup++;
    cgroup[strcspn(cgroup, "\n")] = '\0';
    if (bytes == 0) { /* version 2, alone or beside version 1 */
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/unified", root);
        if (access(mount, R_OK) != 0) snprintf(mount, sizeof mount, "%s/sys/fs/cgroup", root);
        walk(mount, cgroup, true, true, true, out);
        return;
    }
    bool memory = has_word(controllers, bytes, "memory"), cpu = has_word(controllers, bytes, "cpu");
    if (!memory && !cpu) return;
    snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/%.*s", root, (int)bytes, controllers);
    walk(mount, cgroup, false, memory, cpu, out);
}

void ride_limits_read(const char *root, ride_limits *out) {
    char path[PATH_BYTES], text[256];
    *out = (ride_limits){0};
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    char line[PATH_BYTES];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) read_line(root, line, out);
    if (file != NULL) fclose(file);
    snprintf(path, sizeof path, "%s/sys/kernel/mm/transparent_hugepage/enabled", root);
    if (!read_text(path, text, sizeof text)) return;
    const char *open = strchr(text, '['),
               *close = open != NULL ? strchr(open, ']') : NULL; /* "always [madvise] never" */
    if (close != NULL) snprintf(out->huge_mode, sizeof out->huge_mode, "%.*s", (int)(close - open - 1), open + 1);
}

uint64_t ride_limits_huge_free(const char *root, uint32_t node_os) {
    char path[PATH_BYTES], text[64];
    snprintf(path, sizeof path, "%s/sys/devices/system/node/node%" PRIu32 "/hugepages/hugepages-2048kB/free_hugepages",
             root, node_os);
    return read_text(path, text, sizeof text) ? strtoull(text, NULL, 10) << 21 : 0;
}
