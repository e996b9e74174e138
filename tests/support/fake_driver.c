/* support/fake_driver.c: a libcuda.so.1 that is only good for refusing, so that a machine without a GPU shows each refusal that
 * CUDA's runtime can make: found by LD_LIBRARY_PATH, told what to answer by the environment.
 *   RIDE_FAKE_DRIVER="VERSION RESULT"   VERSION: cuDriverGetVersion's answer, 0 = it fails; RESULT: what all else returns
 *   "12040 0"   a driver older than the runtime      "13000 100"   no device      "0 34"   the toolkit's stub */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int version, result = 999;

__attribute__((constructor)) static void read_environment(void) {
    const char *text = getenv("RIDE_FAKE_DRIVER");
    if (text == NULL || sscanf(text, "%d %d", &version, &result) != 2) abort();
}

int cuInit(unsigned flags) {
    (void)flags;
    return result;
}
int cuDriverGetVersion(int *out) {
    *out = version;
    return version != 0 ? 0 : result;
}
int cuDeviceGetCount(int *out) {
    *out = 0;
    return result;
}
static int refuse(void) { return result != 0 ? result : 999; }

/* What the runtime asks first; it takes every other function from here. An object pointer is a function pointer (POSIX). */
int cuGetProcAddress_v2(const char *name, void **out, int wanted, uint64_t flags, int *status) {
    (void)wanted, (void)flags;
    if (status != NULL) *status = 0;
    *out = strcmp(name, "cuInit") == 0               ? (void *)cuInit
           : strcmp(name, "cuDriverGetVersion") == 0 ? (void *)cuDriverGetVersion
           : strcmp(name, "cuDeviceGetCount") == 0   ? (void *)cuDeviceGetCount
           : strcmp(name, "cuGetProcAddress") == 0   ? (void *)cuGetProcAddress_v2
                                                     : (void *)refuse;
    return 0;
}
int cuGetProcAddress(const char *name, void **out, int wanted, uint64_t flags) {
    return cuGetProcAddress_v2(name, out, wanted, flags, NULL);
}
int cuGetExportTable(const void **table, const void *id) {
    static const void *refusing[512];
    (void)id;
    refusing[0] = (void *)sizeof refusing;
    for (size_t i = 1; i < sizeof refusing / sizeof refusing[0]; i++) refusing[i] = (void *)refuse;
    *table = refusing;
    return 0;
}
