/* cuda/libraries.cu: cuBLAS and NCCL by dlopen. Their headers are not needed: the two calls that tell a version without making a
 * context have had these types since they exist. */
#include "kernels/cuda/libraries.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef int (*property_fn)(int kind, int *value); /* cublasGetProperty; kind: 0 major, 1 minor, 2 patch */
typedef int (*version_fn)(int *value);            /* ncclGetVersion: 22809 = 2.28.9 */

static const struct {
    const char *name, *file, *version_symbol, *advice;
} libraries[RIDE_CUDA_LIBRARIES_COUNT] = {
    {"cuBLAS", "libcublas.so.13", "cublasGetProperty", "install cuBLAS 13, or name its folder in LD_LIBRARY_PATH"},
    {"NCCL", "libnccl.so.2", "ncclGetVersion", "install NCCL 2, or name its folder in LD_LIBRARY_PATH"},
};

const char *ride_cuda_library_name(ride_cuda_library library) { return libraries[library].name; }

/* False when the library does not tell its version as it should. */
static bool tell_version(ride_cuda_library library, void *symbol, char version[16]) {
    int part[3] = {0, 0, 0};
    if (library == RIDE_CUDA_CUBLAS) {
        property_fn property;
        memcpy(&property, &symbol, sizeof property);
        for (int kind = 0; kind < 3; kind++)
            if (property(kind, &part[kind]) != 0) return false;
    } else {
        version_fn get;
        int value = 0;
        memcpy(&get, &symbol, sizeof get);
        if (get(&value) != 0) return false;
        part[0] = value / 10000, part[1] = value / 100 % 100, part[2] = value % 100;
    }
    snprintf(version, 16, "%d.%d.%d", part[0] % 1000, part[1] % 1000, part[2] % 1000);
    return true;
}

ride_status ride_cuda_library_open(ride_cuda_library library, void **handle, char version[16], ride_error *err) {
    const char *name = libraries[library].name, *file = libraries[library].file;
    version[0] = '\0';
    *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE); /* its exit handlers outlive any close */
    if (*handle == NULL) {
        const char *why = dlerror();
        ride_fail(err, RIDE_E_UNAVAILABLE, "%s is missing: %.90s", name, why != NULL ? why : file);
        ride_error_advice(err, "%s", libraries[library].advice);
        return RIDE_E_UNAVAILABLE;
    }
    void *symbol = dlsym(*handle, libraries[library].version_symbol);
    if (symbol != NULL && tell_version(library, symbol, version)) return RIDE_OK;
    *handle = NULL;
    ride_fail(err, RIDE_E_UNAVAILABLE, "%s does not work: %s %s", name, file,
              symbol == NULL ? "is another library" : "does not tell its version");
    ride_error_advice(err, "%s", libraries[library].advice);
    return RIDE_E_UNAVAILABLE;
}
