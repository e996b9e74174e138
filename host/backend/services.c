/* backend/services.c: what the host gives to a backend, in terms of host/base. */
#include "backend/registry.h"
#include "base/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void service_log(void *context, int level, const char *text) {
    (void)context;
    if (level < RIDE_LOG_DEBUG || level > RIDE_LOG_ERROR) level = RIDE_LOG_ERROR;
    ride_log_write((ride_log_level)level, text, NULL);
}
static uint64_t service_now_ns(void *context) { return ride_clock_now_ns(context); }
static void service_sleep_until_ns(void *context, uint64_t deadline_ns) {
    ride_clock_sleep_until_ns(context, deadline_ns);
}
static void *service_memory_alloc(void *context, uint64_t bytes) {
    (void)context;
    const uint64_t page = 4096, whole = (bytes + page - 1) / page * page;
    void *memory = bytes < UINT64_MAX - page ? aligned_alloc(page, whole) : NULL;
    if (memory != NULL) memset(memory, 0, whole);
    return memory;
}
static void service_memory_free(void *context, void *memory) {
    (void)context;
    free(memory);
}

void ride_backend_services_init(ride_backend_services *out, const ride_clock *clock) {
    *out = (ride_backend_services){.struct_bytes = sizeof *out,
                                   .context = (void *)clock,
                                   .log = service_log,
                                   .now_ns = service_now_ns,
                                   .sleep_until_ns = service_sleep_until_ns,
                                   .memory_alloc = service_memory_alloc,
                                   .memory_free = service_memory_free};
}

ride_status ride_backend_here(const ride_backend_ops **ops, ride_device **device, ride_error *err) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static ride_backend_services services;
    static const ride_backend_ops *cpu;
    static ride_device *opened;
    ride_status st = RIDE_OK;
    pthread_mutex_lock(&lock);
    if (opened == NULL) { /* once: the backend gives what it opens next the services of its last caller */
        ride_backend_services_init(&services, ride_clock_real());
        cpu = ride_backend_cpu(RIDE_BACKEND_ABI, &services, err);
        st = cpu != NULL ? cpu->device_open(0, &opened, err) : err->status;
    }
    *ops = cpu;
    *device = opened;
    pthread_mutex_unlock(&lock);
    return st;
}
