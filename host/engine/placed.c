/* engine/placed.c: see the header. */
#include "engine/placed.h"

#include "backend/registry.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/budget.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t huge_from_bytes = UINT64_C(4) << 20; /* below it a huge page would be mostly air */

ride_status ride_placed_find_devices(const char *name, const char *path, ride_placed_devices *out, ride_error *err) {
    ride_backend_services services;
    const ride_backend_ops *ops = NULL;
    *out = (ride_placed_devices){.count = 0};
    ride_backend_services_init(&services, ride_clock_real());
    RIDE_TRY(ride_backend_select(name, path, &services, &ops, NULL, err));
    snprintf(out->backend, sizeof out->backend, "%s", ops->name);
    for (uint32_t i = 0; i < ops->device_count() && out->count < RIDE_PLACED_DEVICES_MAX; i++) {
        ride_device_props props;
        RIDE_TRY(ops->device_props(i, &props, err));
        out->one_shard = out->one_shard || !props.tiles_shared;
        if (strcmp(props.kind, "cpu") != 0) out->nodes[out->count++] = props.numa_node;
    }
    return RIDE_OK;
}

ride_place_mode ride_placed_mode(const ride_config *config) {
    if (!ride_config_is_service(config) || config->runtime.mode == RIDE_CONFIG_INLINE) return RIDE_PLACE_INLINE;
    return config->runtime.mode == RIDE_CONFIG_PIPELINE ? RIDE_PLACE_PIPELINE : RIDE_PLACE_AUTO;
}

bool ride_placed_is_pipelined(const ride_config *config) {
    const ride_placed_devices none = {.count = 0};
    const ride_place_mode mode = ride_placed_mode(config);
    ride_placement placement;
    ride_topo *topo = NULL;
    if (mode != RIDE_PLACE_AUTO || ride_topo_load(NULL, &topo, NULL) != RIDE_OK) return mode == RIDE_PLACE_PIPELINE;
    ride_placed_choose(ride_topo_machine(topo), config->runtime.shards, mode, &none, &placement);
    ride_topo_destroy(topo);
    return placement.mode == RIDE_PLACE_PIPELINE;
}

/* The placement knows of readers and senders for every eight shards of each node: the cores of those behind the first are everybody's. */
static void keep_one_pair(ride_placement *out) {
    uint32_t kept = out->shards_count;
    for (uint32_t i = out->shards_count; i < out->threads_count; i++) {
        if (out->threads[i].index == 0) {
            out->threads[kept++] = out->threads[i];
            continue;
        }
        for (uint32_t cpu = 0; cpu < RIDE_CPUS_MAX; cpu++)
            if (ride_cpus_has(&out->threads[i].cpus, cpu)) ride_cpus_add(&out->rest, cpu);
    }
    out->threads_count = kept;
    out->ingest_count = out->ingest_count > 0;
    out->emit_count = out->emit_count > 0;
}

void ride_placed_choose(const ride_machine *machine, uint32_t shards, ride_place_mode mode,
                        const ride_placed_devices *devices, ride_placement *out) {
    const ride_place_wish wish = {.shards = shards == 0 && devices->one_shard ? 1 : shards,
                                  .mode = mode,
                                  .device_nodes = devices->nodes,
                                  .devices_count = devices->count};
    ride_topo_place(machine, &wish, out);
    keep_one_pair(out);
}

static int cpu_of(const ride_place_thread *thread) {
    for (int cpu = RIDE_CPUS_MAX; cpu-- > 0;)
        if (ride_cpus_has(&thread->cpus, (uint32_t)cpu)) return cpu;
    return -1;
}

void ride_placed_cpus(const ride_placement *placement, bool is_service, int cpus[RIDE_SHARDS_MAX]) {
    for (uint32_t i = 0; i < RIDE_SHARDS_MAX; i++) cpus[i] = -1;
    if (!placement->binds || (!is_service && placement->shards_count == 1)) return;
    for (uint32_t i = 0; i < placement->shards_count; i++) cpus[i] = cpu_of(&placement->threads[i]);
}

void ride_placed_stage_cpus(const ride_placement *placement, int cpus[2]) {
    cpus[0] = cpus[1] = -1;
    if (!placement->binds || placement->mode != RIDE_PLACE_PIPELINE) return;
    for (uint32_t i = 0; i < 2; i++) cpus[i] = cpu_of(&placement->threads[placement->shards_count + i]);
}

/* ---- memory ---- */

static void *memory_alloc(void *context, uint64_t bytes) {
    ride_placed *placed = context;
    const ride_machine *machine = ride_topo_machine(placed->topo);
    const uint32_t node = machine->nodes_count > 1 ? placed->placement.threads[0].node : RIDE_NODE_NONE;
    const ride_pages pages = bytes >= huge_from_bytes ? RIDE_PAGES_RESERVED : RIDE_PAGES_PLAIN;
    ride_region *free_one = NULL;
    for (uint32_t i = 0; i < RIDE_PLACED_REGIONS_MAX; i++)
        if (placed->regions[i].base == NULL) free_one = &placed->regions[i];
    if (free_one == NULL || bytes == 0 ||
        ride_region_alloc(placed->topo, node, bytes, pages, free_one, NULL) != RIDE_OK)
        return NULL;
    if (node != RIDE_NODE_NONE && free_one->node == RIDE_NODE_NONE)
        ride_log_warn("the memory of batches is not bound to its node", ride_log_text("why", free_one->why));
    return free_one->base;
}

static void memory_free(void *context, void *memory) {
    ride_placed *placed = context;
    for (uint32_t i = 0; i < RIDE_PLACED_REGIONS_MAX; i++)
        if (placed->regions[i].base == memory) {
            ride_region_free(&placed->regions[i]);
            return;
        }
}

/* ---- life ---- */

static void bind_to_rest(const ride_placed *placed) {
    ride_error err;
    if (ride_topo_bind_thread(placed->topo, &placed->placement.rest, &err) == RIDE_OK) return;
    ride_log_warn("threads of Kafka and HTTP are not kept off the shards' cores", ride_log_text("why", err.what));
}

ride_status ride_placed_open(ride_placed *placed, const ride_config *config, ride_error *err) {
    *placed = (ride_placed){.config = config};
    placed->placement.shards_count = config->runtime.shards > 0 ? config->runtime.shards : 1;
    placed->placement.mode = ride_placed_mode(config) == RIDE_PLACE_PIPELINE ? RIDE_PLACE_PIPELINE : RIDE_PLACE_INLINE;
    ride_placed_cpus(&placed->placement, false, placed->cpus); /* which does not bind */
    ride_placed_stage_cpus(&placed->placement, placed->stage_cpus);
    RIDE_TRY(ride_placed_find_devices(config->backend, config->backend_path, &placed->devices, err));
    if (ride_topo_load(NULL, &placed->topo, NULL) != RIDE_OK) {
        placed->topo = NULL; /* what is not known limits nothing, and nothing is bound */
        return RIDE_OK;
    }
    const ride_placement *p = &placed->placement;
    ride_placed_choose(ride_topo_machine(placed->topo), config->runtime.shards, ride_placed_mode(config),
                       &placed->devices, &placed->placement);
    const bool is_service = ride_config_is_service(config);
    ride_placed_cpus(p, is_service, placed->cpus);
    ride_placed_stage_cpus(p, placed->stage_cpus);
    if (placed->cpus[0] >= 0) bind_to_rest(placed);
    for (uint32_t i = 0; i < p->notes_count && is_service; i++)
        ride_log_info("placement", ride_log_text("note", p->notes[i]));
    if (is_service)
        ride_log_info("placed", ride_log_u64("shards", p->shards_count),
                      ride_log_text("mode", p->mode == RIDE_PLACE_PIPELINE ? "pipeline" : "inline"),
                      ride_log_bool("bound", placed->cpus[0] >= 0),
                      ride_log_u64("nodes", (uint64_t)__builtin_popcountll(p->pool_nodes)));
    return RIDE_OK;
}

static ride_status admit(void *context, const ride_spec *spec, const ride_bundle *bundle, ride_diagnostics *findings,
                         ride_error *err) {
    ride_placed *placed = context;
    ride_budget_facts facts;
    RIDE_TRY(ride_config_check_partitions(placed->config, spec, findings));
    RIDE_TRY(ride_config_check_reasons(placed->config, spec, findings));
    RIDE_TRY(ride_config_check_record(placed->config, spec, findings));
    ride_budget_facts_of(spec, bundle, placed->placement.shards_count, placed->placement.mode == RIDE_PLACE_PIPELINE,
                         &facts);
    ride_config_budget(placed->config, &facts, &placed->budget);
    if (ride_config_is_service(placed->config))
        ride_log_info("memory at most", ride_log_u64("bytes", placed->budget.bytes),
                      ride_log_bool("bounded", placed->budget.is_bounded));
    if (placed->topo == NULL) return RIDE_OK;
    return ride_budget_check(&placed->budget, ride_machine_memory(ride_topo_machine(placed->topo)), err);
}

void ride_placed_apply(ride_placed *placed, ride_run_options *run) {
    run->shards = placed->placement.shards_count;
    run->shard_cpus = placed->cpus;
    run->one_batch = placed->config->runtime.mode == RIDE_CONFIG_INLINE;
    run->pipelined = placed->placement.mode == RIDE_PLACE_PIPELINE;
    run->stage_cpus = placed->stage_cpus;
    run->admit = admit;
    run->admit_context = placed;
    if (placed->topo == NULL) return;
    placed->memory = (ride_host_memory){placed, memory_alloc, memory_free};
    run->memory = &placed->memory;
}

void ride_placed_close(ride_placed *placed) {
    for (uint32_t i = 0; i < RIDE_PLACED_REGIONS_MAX; i++) ride_region_free(&placed->regions[i]);
    ride_topo_destroy(placed->topo);
    placed->topo = NULL;
}
