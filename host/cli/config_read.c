/* cli/config_read.c: see the header. */
#include "cli/config_read.h"
#include "cli/cli.h"
#include "cli/load.h"

#include <unistd.h>

int cli_config_read(const char *path, const cli_sets *sets, ride_config **out) {
    static ride_diagnostics findings;
    ride_diagnostics_init(&findings);
    ride_status st = ride_config_load(path, sets->items, sets->count, (const char *const *)environ, out, &findings);
    if (st == RIDE_OK) return 0;
    int code = cli_findings(&findings);
    return code != 0 ? code : ride_status_exit_code(st);
}

ride_model_options cli_config_model(const ride_config *config) {
    return (ride_model_options){.bytes_max = config->model_bytes_max,
                                .trees_max = config->model_trees_max,
                                .nodes_max = config->model_nodes_max,
                                .best_iteration = config->model_best_iteration,
                                .watch = cli_load_watch()};
}

void cli_config_run(const ride_config *config, ride_input_option *inputs, ride_run_options *out) {
    for (uint32_t i = 0; i < config->inputs_count; i++)
        inputs[i] = (ride_input_option){config->inputs[i].source, config->inputs[i].path, config->inputs[i].format};
    *out = (ride_run_options){.spec_path = config->spec,
                              .model_path = config->model,
                              .model_load = cli_config_model(config),
                              .profile_path = config->drift_profile,
                              .drift_interval_us = config->drift_interval_us,
                              .drift_psi_alert = (double)config->drift_psi_alert / 1e6,
                              .rules = config->rules,
                              .rules_count = config->rules_count,
                              .reasons = config->reasons,
                              .inputs = inputs,
                              .inputs_count = config->inputs_count,
                              .record = RIDE_RECORD_DECISION,
                              .vector = config->decisions.vector,
                              .output_path = config->decisions.path,
                              .alerts_path = config->alerts.path,
                              .rejects_path = config->rejects,
                              .late_path = config->late,
                              .drift_path = config->drift,
                              .format = config->decisions.format,
                              .batch_rows_max = config->max_batch,
                              .backend = config->backend,
                              .backend_path = config->backend_path,
                              .backend_memory = config->backend_memory,
                              .shards = config->runtime.shards,
                              .config_path = config->path,
                              .summary_path = config->summary,
                              .state_dir = config->state_dir,
                              .stop = cli_stop()};
}
