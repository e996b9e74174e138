/* tests/conformance/backends.h: the table of backends that must pass: the built-in ones, the fake one with cpu behind it, and
 * every CUDA plugin that this build has (the emulated one with four virtual devices, the real one). A backend that cannot run is
 * one skipped case, in its own words.
 *
 * RIDE_CONFORMANCE_BACKENDS=cpu,cuda_emulated tests these only. RIDE_EMU_DEVICES, RIDE_EMU_MEMORY: other than four virtual
 * devices of 50 MB. */
#ifndef RIDE_TESTS_BACKENDS_H
#define RIDE_TESTS_BACKENDS_H
#include "backend/fake.h"
#include "backend/registry.h"
#include "kernels/cpu/isa.h"
#include "session.h"

/* The cpu backend asks for the instruction set when a device is opened, which follows at once. */
static inline const ride_backend_ops *cpu_portable(uint32_t abi, const ride_backend_services *given, ride_error *err) {
    ride_cpu_isa_limit(RIDE_CPU_PORTABLE);
    return ride_backend_cpu(abi, given, err);
}
static inline const ride_backend_ops *cpu_avx2(uint32_t abi, const ride_backend_services *given, ride_error *err) {
    ride_cpu_isa_limit(RIDE_CPU_AVX2);
    if (ride_cpu_isa_has(RIDE_CPU_AVX2)) return ride_backend_cpu(abi, given, err);
    ride_fail(err, RIDE_E_UNAVAILABLE, "this machine has no AVX2");
    return NULL;
}
static inline const ride_backend_ops *cpu_best(uint32_t abi, const ride_backend_services *given, ride_error *err) {
    ride_cpu_isa_limit(RIDE_CPU_AVX512_BYTES);
    return ride_backend_cpu(abi, given, err);
}

/* FOLDER/libride_cuda.so of this build: FOLDER is beside the folder of the test programs. */
static inline void cuda_plugin_file(const char *folder, char *file, size_t bytes_max) {
    const ssize_t bytes = readlink("/proc/self/exe", file, bytes_max - 64);
    file[bytes > 0 ? bytes : 0] = 0;
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(file, '/');
        if (slash != NULL) *slash = 0;
    }
    snprintf(file + strlen(file), 64, "/%s/libride_cuda.so", folder);
}
static inline const ride_backend_ops *cuda_plugin(const char *folder, const ride_backend_services *given,
                                                  ride_error *err) {
    char file[4096];
    const ride_backend_ops *ops = NULL;
    cuda_plugin_file(folder, file, sizeof file);
    if (access(file, F_OK) != 0) {
        ride_fail(err, RIDE_E_UNAVAILABLE, "this build has no %s/libride_cuda.so", folder);
        return NULL;
    }
    (void)ride_backend_select("cuda", file, given, &ops, NULL, err); /* NULL when it failed */
    return ops;
}
static inline const ride_backend_ops *cuda_emulated(uint32_t abi, const ride_backend_services *given, ride_error *err) {
    (void)abi;
    return cuda_plugin("emu", given, err);
}
static inline const ride_backend_ops *cuda_hardware(uint32_t abi, const ride_backend_services *given, ride_error *err) {
    (void)abi;
    return cuda_plugin("bin", given, err);
}

typedef struct backend_case {
    const char *name;
    ride_backend_entry_fn entry;
    uint32_t slower; /* every day's rounds are divided by it */
    int is_fake;     /* another one does its work */
} backend_case;

static const backend_case backends[] = {
    {.name = "reference", .entry = ride_backend_reference, .slower = 1},
    {.name = "cpu", .entry = cpu_best, .slower = 1}, /* the best that this machine has */
    {.name = "cpu_avx2", .entry = cpu_avx2, .slower = 1},
    {.name = "cpu_portable", .entry = cpu_portable, .slower = 1},
    {.name = "fake_cpu", .entry = ride_backend_fake, .slower = 2, .is_fake = 1},
    {.name = "cuda_emulated", .entry = cuda_emulated, .slower = 10},
    {.name = "cuda", .entry = cuda_hardware, .slower = 1},
};
enum { BACKENDS = sizeof backends / sizeof *backends, BACKEND_DEVICES_MAX = 4 };

/* What a case gets: a backend, and over how many devices the keys are divided. Parts beyond the devices there are share them. */
typedef struct backend_use {
    const backend_case *backend;
    uint32_t parts_count;
    void (*run)(const struct backend_use *use);
} backend_use;

static inline void backend_run(const void *argument) {
    const backend_use *use = argument;
    session_services_default();
    ride_fake_set(&(ride_fake_script){.devices_count = BACKEND_DEVICES_MAX, .delay_ns = 5000, .real = cpu_best});
    use->run(use);
    ride_fake_set(NULL);
}

#if defined(__SANITIZE_THREAD__) /* it looks for races between threads, not at plans */
enum { BUILD_SLOWER = 20 };
#elif defined(__SANITIZE_ADDRESS__)
enum { BUILD_SLOWER = 4 };
#else
enum { BUILD_SLOWER = 1 };
#endif

/* What is tried every day, of what the fastest backend is asked in a release build. */
static inline uint64_t backend_rounds(const backend_use *use, uint64_t rounds_count) {
    const uint64_t slower = use->backend->slower * BUILD_SLOWER;
    return (rounds_count + slower - 1) / slower;
}

static inline int backend_wanted(const backend_case *b) {
    const char *wanted = getenv("RIDE_CONFORMANCE_BACKENDS");
    if (wanted == NULL || *wanted == 0) return 1;
    const size_t bytes = strlen(b->name);
    for (const char *at = wanted; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, b->name, bytes) == 0 && (at[bytes] == ',' || at[bytes] == 0)) return 1;
    }
    return 0;
}

/* NULL when it can run, else why not. */
static inline const char *backend_why_not(const backend_case *b) {
    static ride_error errors[BACKENDS]; /* asked once */
    static int asked[BACKENDS];
    const size_t i = (size_t)(b - backends);
    if (!asked[i]) {
        asked[i] = 1;
        session_services_default();
        const ride_backend_ops *ops = b->entry(RIDE_BACKEND_ABI, session_services, &errors[i]);
        if (ops != NULL && ops->probe(&errors[i]) == RIDE_OK) errors[i] = (ride_error){0};
        else if (errors[i].what[0] == 0) ride_fail(&errors[i], RIDE_E_UNAVAILABLE, "it does not say why");
    }
    return errors[i].what[0] != 0 ? errors[i].what : NULL;
}

static inline void backend_cannot(const void *argument) { check_skip("%s", backend_why_not(argument)); }

typedef enum backend_choice {
    BACKENDS_ALL,
    BACKENDS_WITHOUT_FAKE,
    BACKENDS_WITHOUT_REFERENCE,
    BACKENDS_CUDA,
    BACKENDS_EMULATED,
} backend_choice;

static inline int backend_chosen(const backend_case *b, backend_choice choice) {
    switch (choice) {
    case BACKENDS_WITHOUT_FAKE: return !b->is_fake;
    case BACKENDS_WITHOUT_REFERENCE: return b->entry != ride_backend_reference;
    case BACKENDS_CUDA: return b->entry == cuda_emulated || b->entry == cuda_hardware;
    case BACKENDS_EMULATED: return b->entry == cuda_emulated;
    default: return 1;
    }
}

/* One case for each backend that can run and each number of parts, parts_min, twice that … parts_max; one skipped case in the
 * whole program for a backend that cannot. */
static inline void backends_add(const char *suite, backend_choice choice, uint32_t parts_min, uint32_t parts_max,
                                void (*run)(const backend_use *use)) {
    static backend_use uses[CHECK_CASES_MAX];
    static uint32_t uses_count;
    static int told[BACKENDS];
    setenv("RIDE_EMU_DEVICES", "4", 0);
    setenv("RIDE_EMU_ORDER", "random:1", 0);  /* of threads, blocks and streams; a program may have chosen another */
    setenv("RIDE_EMU_MEMORY", "50000000", 0); /* of each; all of it is filled with rubbish whenever it is taken */
    for (uint32_t b = 0; b < BACKENDS; b++) {
        if (!backend_chosen(&backends[b], choice) || !backend_wanted(&backends[b])) continue;
        if (backend_why_not(&backends[b]) != NULL) {
            if (!told[b]) check_add("backend", backends[b].name, backend_cannot, &backends[b]);
            told[b] = 1;
            continue;
        }
        for (uint32_t parts = parts_min; parts <= parts_max; parts *= 2) {
            char name[64];
            snprintf(name, sizeof name, parts_max > 1 ? "%s_over_%u" : "%s", backends[b].name, parts);
            uses[uses_count] = (backend_use){.backend = &backends[b], .parts_count = parts, .run = run};
            check_add(suite, name, backend_run, &uses[uses_count++]);
        }
    }
}

#endif
