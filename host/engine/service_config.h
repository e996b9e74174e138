/* engine/service_config.h: a configuration → a service: Kafka's topics, the HTTP server, the admin's endpoints, metrics, readiness. */
#ifndef RIDE_ENGINE_SERVICE_CONFIG_H
#define RIDE_ENGINE_SERVICE_CONFIG_H
#include "config/config.h"
#include "engine/service.h"
#include "io/kafka.h"

/* Where the admin's endpoints are when the configuration does not say: there, or nowhere when the port is taken. */
#define RIDE_ADMIN_LISTEN "127.0.0.1:9100"

/* What a service has from its process. */
typedef struct ride_service_process {
    ride_waker *waker;             /* what sets *stop or *reload wakes it */
    volatile sig_atomic_t *reload; /* set: the configuration is to be read again; may be NULL */
    /* Reads it, from the same file, environment and options as the first time; the caller destroys *out. */
    ride_status (*load)(void *context, ride_config **out, ride_diagnostics *findings);
    void *load_context;
} ride_service_process;

/* Runs what the configuration says until *run->stop; run has what is common with runs over files (spec, model, rules, backend …).
 * A reload takes all of the new configuration or, with a line in the log for each reason, nothing. Returns as ride_service_run. */
ride_status ride_service_run_config(const ride_config *config, const ride_run_options *run,
                                    const ride_service_process *process, ride_run_summary *out,
                                    ride_diagnostics *findings, ride_error *err);

/* What of it others need too (replay_config.c). raw: room for config->kafka.raw_count; all is borrowed from config and them. */
void ride_service_kafka(const ride_config *config, const ride_kafka_source *sources, uint32_t sources_count,
                        ride_kafka_pair *raw, ride_kafka_options *out);
enum { RIDE_SERVICE_PATH_BYTES = 4096 };
/* Where the arrival journal is; NULL: there is none. path is room for it. */
const char *ride_service_journal(const ride_config *config, char path[RIDE_SERVICE_PATH_BYTES]);

#endif
