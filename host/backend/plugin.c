/* backend/plugin.c: dlopen with RTLD_NODELETE, because unloading a library whose threads or exit handlers live on crashes,
 * and RTLD_LOCAL, because two plugins may carry the same names. */
#include "backend/plugin.h"

#include <dlfcn.h>
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
