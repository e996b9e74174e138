/* backend/plugin.c: dlopen with RTLD_NODELETE, because unloading a library whose threads or exit handlers live on crashes,
 * and RTLD_LOCAL, because two plugins may carry the same names. The file is looked at first: dlopen maps one that was cut
 * short without a word, and the first use of what is not there kills the process. */
#include "backend/plugin.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

/* The folder of the running program, without the final slash; "" when it cannot be told. */
static void executable_folder(char *folder, size_t bytes_max) {
    ssize_t bytes = readlink("/proc/self/exe", folder, bytes_max - 1);
    folder[bytes > 0 ? bytes : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash != NULL) *slash = '\0';
}

/* The first place that has the file, into `file`; false when none has. */
static bool find_file(const char *name, const char *path, char *file, size_t bytes_max) {
    char folder[PATH_BYTES];
    struct stat about;
    if (path != NULL && path[0] != '\0') {
        if (stat(path, &about) == 0 && S_ISREG(about.st_mode))
            return snprintf(file, bytes_max, strchr(path, '/') != NULL ? "%s" : "./%s", path) < (int)bytes_max;
        int bytes = snprintf(file, bytes_max, "%s/libride_%s.so", path, name);
        if (bytes < (int)bytes_max && access(file, F_OK) == 0) return true;
    }
    executable_folder(folder, sizeof folder);
    if (folder[0] == '\0') return false;
    static const char *const under[] = {"", "/../lib/ride"};
    for (size_t i = 0; i < sizeof under / sizeof under[0]; i++) {
        int bytes = snprintf(file, bytes_max, "%s%s/libride_%s.so", folder, under[i], name);
        if (bytes < (int)bytes_max && access(file, F_OK) == 0) return true;
    }
    return false;
}

/* How many bytes the file must have for all that its headers name, or 0 when it is no shared library. */
static uint64_t bytes_named(int file) {
    ElfW(Ehdr) head;
    if (pread(file, &head, sizeof head, 0) != (ssize_t)sizeof head || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
        head.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
        head.e_phentsize != sizeof(ElfW(Phdr)) || head.e_phoff > INT64_MAX / 2 || head.e_shoff > INT64_MAX / 2)
        return 0;
    uint64_t programs_end = head.e_phoff + (uint64_t)head.e_phnum * sizeof(ElfW(Phdr));
    uint64_t sections_end = head.e_shoff + (uint64_t)head.e_shnum * head.e_shentsize;
    uint64_t named = programs_end > sections_end ? programs_end : sections_end;
    for (unsigned i = 0; i < head.e_phnum; i++) {
        ElfW(Phdr) part;
        off_t at = (off_t)(head.e_phoff + i * sizeof part);
        if (pread(file, &part, sizeof part, at) != (ssize_t)sizeof part) return named; /* it ends before that */
        if (part.p_offset > INT64_MAX / 2 || part.p_filesz > INT64_MAX / 2) return 0;
        if (part.p_offset + part.p_filesz > named) named = part.p_offset + part.p_filesz;
    }
    return named;
}

static ride_status check_file(const char *path, ride_error *err) {
    struct stat about;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return ride_fail(err, RIDE_E_UNAVAILABLE, "it cannot be loaded: it cannot be read");
    bool regular = fstat(file, &about) == 0 && S_ISREG(about.st_mode);
    uint64_t named = regular ? bytes_named(file) : 0;
    close(file);
    if (named == 0) return ride_fail(err, RIDE_E_UNAVAILABLE, "it cannot be loaded: it is not a shared library");
    if (named <= (uint64_t)about.st_size) return RIDE_OK;
    ride_fail(err, RIDE_E_UNAVAILABLE, "it cannot be loaded: it is cut short, %llu of %llu bytes",
              (unsigned long long)about.st_size, (unsigned long long)named);
    ride_error_advice(err, "install it again");
    return RIDE_E_UNAVAILABLE;
}

ride_status ride_plugin_load(const char *name, const char *path, ride_backend_entry_fn *out, char *origin,
                             size_t origin_bytes_max, ride_error *err) {
    char file[PATH_BYTES * 2];
    origin[0] = '\0';
    if (!find_file(name, path, file, sizeof file)) {
        ride_fail(err, RIDE_E_UNAVAILABLE, "no libride_%s.so in backend.path, beside the program or in ../lib/ride",
                  name);
        ride_error_advice(err, "install it, or set backend.path");
        return RIDE_E_UNAVAILABLE;
    }
    snprintf(origin, origin_bytes_max, "%s", file);
    ride_status st = check_file(file, err);
    if (st != RIDE_OK) {
        ride_error_where(err, "%s", file);
        return st;
    }
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == NULL) {
        const char *why = dlerror(), *colon = why != NULL ? strstr(why, ": ") : NULL;
        ride_fail(err, RIDE_E_UNAVAILABLE, "it cannot be loaded: %s", colon != NULL ? colon + 2 : "unknown reason");
        ride_error_where(err, "%s", file);
        return RIDE_E_UNAVAILABLE;
    }
    void *symbol = dlsym(library, RIDE_BACKEND_ENTRY);
    if (symbol == NULL) {
        dlclose(library);
        ride_fail(err, RIDE_E_UNAVAILABLE, "it is no RIDE backend: it has no " RIDE_BACKEND_ENTRY);
        ride_error_where(err, "%s", file);
        return RIDE_E_UNAVAILABLE;
    }
    memcpy(out, &symbol, sizeof symbol); /* an object pointer is a function pointer here (POSIX) */
    return RIDE_OK;
}
