/* cli/topology.c: `ride topology`: the machine as RIDE sees it, and which thread a configuration would get where. */
#include "base/log.h"
#include "cli/cli.h"
#include "cli/config_read.h"
#include "cli/topology_report.h"
#include "engine/budget.h"
#include "engine/placed.h"

#include <stdio.h>
#include <string.h>

const char cli_topology_help[] =
    "usage: ride topology [--config FILE [--set KEY=VALUE]...] [--from MACHINE] [--shards N] [--json] [--record FILE]\n"
    "Prints cores, nodes, caches, huge pages and devices as this process may use them, and the placement that a "
    "configuration\n"
    "would get: shards, their CPUs and nodes, and the CPUs of all other threads. Nothing is bound or allocated.\n"
    "  --config FILE      whose runtime.shards and backend count; without one: as many shards as fit\n"
    "  --set KEY=VALUE    changes one option of it\n"
    "  --from MACHINE     another machine: an XML file of hwloc (`lstopo FILE.xml`, --record), or\n"
    "                     \"synthetic:package:2 numa:1 core:16 pu:2\"; its GPUs count as the backend's devices\n"
    "  --shards N         in place of runtime.shards\n"
    "  --json             one JSON object\n"
    "  --record FILE      also writes this machine as XML, for --from (names the host, its devices and addresses)\n"
    "Examples:\n"
    "  ride topology\n"
    "  ride topology --config ride.yaml --set runtime.shards=4 --json\n"
    "  ride topology --from \"synthetic:package:2 numa:1 core:16 pu:2\" --shards 8\n";

static const char *config_path, *from, *record;
static cli_sets sets;
static uint32_t shards;
static bool as_json;
static const cli_option options[] = {
    {"--config", CLI_TEXT, &config_path}, {"--set", CLI_SETS, &sets},
    {"--from", CLI_TEXT, &from},          {"--shards", CLI_COUNT, &shards, .max = RIDE_PLACE_SHARDS_MAX},
    {"--json", CLI_SWITCH, &as_json},     {"--record", CLI_TEXT, &record},
};
const cli_word cli_topology_words[] = {{"", CLI_OPTIONS(options)}, {0}};

/* Those of the backend that would run. */
static int find_devices(const ride_config *config, ride_placed_devices *out) {
    ride_error err = {.status = RIDE_OK};
    ride_log_set_level(RIDE_LOG_OFF); /* what is passed over is `ride doctor`'s matter */
    const char *name = config != NULL ? config->backend : "auto", *path = config != NULL ? config->backend_path : NULL;
    return ride_placed_find_devices(name, path, out, &err) == RIDE_OK ? 0 : cli_failed("topology", &err);
}

/* Of a machine that is not here: its GPUs, in the order of the bus. */
static void find_gpus(const ride_machine *machine, ride_placed_devices *out) {
    for (uint32_t i = 0; i < machine->devices_count && out->count < RIDE_PLACED_DEVICES_MAX; i++) {
        const ride_pci_device *d = &machine->devices[i];
        if (d->kind != RIDE_PCI_GPU) continue;
        out->nodes[out->count++] = d->node != RIDE_NODE_NONE ? (int32_t)machine->nodes[d->node].os : -1;
    }
    snprintf(out->backend, sizeof out->backend, "%s", out->count > 0 ? "the machine's GPUs" : "the CPU");
}

/* What the batches take, by the compiled spec. 0, or the exit code of what is wrong with it. */
static int find_pool(const ride_config *config, const ride_placement *placement, uint64_t *out) {
    static ride_diagnostics findings;
    ride_run_options run = {.spec_path = config->spec,
                            .model_path = config->model,
                            .model_load = cli_config_model(config),
                            .profile_path = config->drift_profile,
                            .rules = config->rules,
                            .rules_count = config->rules_count};
    ride_error err = {.status = RIDE_OK};
    ride_spec *spec = NULL;
    uint8_t *image = NULL;
    uint64_t bytes = 0;
    ride_bundle bundle;
    ride_diagnostics_init(&findings);
    ride_status st = ride_compile(&run, &spec, &image, &bytes, &findings, &err);
    if (findings.count > 0) return cli_findings(&findings);
    if (st == RIDE_OK) st = ride_bundle_open(image, bytes, &bundle, &err);
    if (st == RIDE_OK) {
        ride_budget_facts facts;
        ride_budget budget;
        ride_budget_facts_of(spec, &bundle, placement->shards_count, placement->mode == RIDE_PLACE_PIPELINE, &facts);
        ride_config_budget(config, &facts, &budget);
        *out = ride_budget_of_batches(&budget);
    }
    ride_bundle_image_free(image);
    ride_spec_destroy(spec);
    return st == RIDE_OK ? 0 : cli_failed("topology", &err);
}

static int report(const ride_config *config, const ride_machine *machine) {
    static ride_placement placement;
    ride_placed_devices found = {.count = 0};
    int code = 0;
    if (from == NULL) code = find_devices(config, &found);
    else find_gpus(machine, &found);
    if (code != 0) return code;
    ride_placed_choose(machine, shards == 0 && config != NULL ? config->runtime.shards : shards,
                       config != NULL ? ride_placed_mode(config) : RIDE_PLACE_INLINE, &found, &placement);
    cli_topology t = {.machine = machine, .placement = &placement, .backend = found.backend};
    if (config != NULL) code = find_pool(config, &placement, &t.batches_bytes);
    if (code != 0) return code;
    if (as_json) cli_topology_json(&t, stdout);
    else {
        cli_machine_text(machine, stdout);
        cli_placement_text(&t, stdout);
    }
    return cli_print("");
}

int cli_topology_section(void) {
    ride_topo *topo = NULL;
    ride_error err = {.status = RIDE_OK};
    if (ride_topo_load(NULL, &topo, &err) != RIDE_OK) return cli_failed("doctor", &err);
    int code = report(NULL, ride_topo_machine(topo));
    ride_topo_destroy(topo);
    return code;
}

int cli_topology_verb(int argc, char **argv) {
    int code = cli_word_read("topology", &cli_topology_words[0], argc, argv);
    if (code != 0) return code;
    if (config_path == NULL && sets.count > 0) return cli_usage("topology", "--set changes a --config");
    if (record != NULL && from != NULL)
        return cli_usage("topology", "--record writes this machine, not that of --from");
    ride_config *config = NULL;
    ride_topo *topo = NULL;
    ride_error err = {.status = RIDE_OK};
    if (config_path != NULL) code = cli_config_read(config_path, &sets, &config);
    if (code != 0) return code;
    ride_status st = ride_topo_load(from, &topo, &err);
    if (st == RIDE_OK && record != NULL) st = ride_topo_record(topo, record, &err);
    code = st == RIDE_OK ? report(config, ride_topo_machine(topo)) : cli_failed("topology", &err);
    ride_topo_destroy(topo);
    ride_config_destroy(config);
    return code;
}
