/* engine/service_config.h: a configuration → a service: Kafka's topics, the HTTP server, the admin's endpoints, metrics, readiness. */
#ifndef RIDE_ENGINE_SERVICE_CONFIG_H
#define RIDE_ENGINE_SERVICE_CONFIG_H
#include "config/config.h"
#include "engine/service.h"

/* Where the admin's endpoints are when the configuration does not say: there, or nowhere when the port is taken. */
#define RIDE_ADMIN_LISTEN "127.0.0.1:9100"

/* Runs what the configuration says until *run->stop; run has what is common with runs over files (spec, model, rules, backend …). waker: see
 * ride_service_options. Returns as ride_service_run. */
ride_status ride_service_run_config(const ride_config *config, const ride_run_options *run, ride_waker *waker,
                                    ride_run_summary *out, ride_diagnostics *findings, ride_error *err);

#endif
