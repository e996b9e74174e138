/* What engine/placed.h promises: shards and cpus from a machine, batches in memory of its own, and no run that does not fit. */
#include "../support/run_case.h"
#include "engine/placed.h"

#include <criterion/criterion.h>

static ride_placed placed;

static const int *cpus_in(const char *machine, uint32_t shards, bool is_service, ride_place_mode mode,
                          ride_placement *placement) {
    static int cpus[RIDE_SHARDS_MAX];
    const ride_placed_devices none = {.count = 0};
    ride_topo *topo = NULL;
    cr_assert_eq(ride_topo_load(machine, &topo, NULL), RIDE_OK);
    ride_placed_choose(ride_topo_machine(topo), shards, mode, &none, placement);
    ride_placed_cpus(placement, is_service, cpus);
    for (uint32_t i = 0; i < placement->shards_count && cpus[0] >= 0; i++) {
        cr_assert(ride_cpus_has(&placement->threads[i].cpus, (uint32_t)cpus[i]));
        cr_assert_not(ride_cpus_has(&placement->rest, (uint32_t)cpus[i]), "nobody else is there");
        for (uint32_t k = 0; k < i; k++) cr_assert_neq(cpus[i], cpus[k]);
    }
    for (uint32_t i = placement->shards_count; i < RIDE_SHARDS_MAX; i++) cr_assert_eq(cpus[i], -1);
    ride_topo_destroy(topo);
    return cpus;
}

static const int *cpus_on(const char *machine, uint32_t shards, bool is_service, ride_placement *placement) {
    return cpus_in(machine, shards, is_service, RIDE_PLACE_INLINE, placement);
}

Test(placed, shards_have_cpus_of_their_own_where_there_are_enough) {
    static const char eight[] = "synthetic:package:1 numa:1 core:8 pu:2",
                      two[] = "synthetic:package:1 numa:1 core:2 pu:1";
    ride_placement p;
    cr_assert_geq(cpus_on(eight, 3, false, &p)[0], 0);
    cr_assert_geq(cpus_on(eight, 1, true, &p)[0], 0);
    cr_assert_eq(cpus_on(eight, 1, false, &p)[0], -1, "a run over files with one shard is the system's matter");
    cr_assert_eq(cpus_on(two, 2, true, &p)[0], -1, "too few cores to bind to");
    cpus_on(eight, 0, true, &p);
    cr_assert(p.shards_count == 7 && p.ingest_count == 0, "one core is left to Kafka and HTTP");
    cpus_on(two, 0, true, &p);
    cr_assert_eq(p.shards_count, 1);
}

Test(placed, who_reads_and_who_sends_have_a_cpu_each_where_there_are_four) {
    ride_placement p;
    int cpus[2];
    const int *shards = cpus_in("synthetic:package:1 numa:1 core:4 pu:1", 1, true, RIDE_PLACE_AUTO, &p);
    ride_placed_stage_cpus(&p, cpus);
    cr_assert_eq(p.mode, RIDE_PLACE_PIPELINE);
    cr_assert(cpus[0] >= 0 && cpus[1] >= 0 && cpus[0] != cpus[1] && cpus[0] != shards[0] && cpus[1] != shards[0]);
    cr_assert_eq(ride_cpus_count(&p.rest), 1, "one is left to Kafka and HTTP");
    cpus_in("synthetic:package:1 numa:1 core:4 pu:1", 3, true, RIDE_PLACE_AUTO, &p);
    cr_assert_eq(p.mode, RIDE_PLACE_INLINE, "the shards have the cores");
    cpus_in("synthetic:package:1 numa:1 core:3 pu:2", 1, true, RIDE_PLACE_AUTO, &p);
    ride_placed_stage_cpus(&p, cpus);
    cr_assert(p.mode == RIDE_PLACE_INLINE && cpus[0] == -1 && cpus[1] == -1);
    cpus_in("synthetic:package:1 numa:1 core:2 pu:1", 1, true, RIDE_PLACE_PIPELINE, &p);
    ride_placed_stage_cpus(&p, cpus);
    cr_assert(p.mode == RIDE_PLACE_PIPELINE && cpus[0] == -1 && cpus[1] == -1, "asked for, and left to the system");
    cpus_in("synthetic:package:2 numa:1 core:32 pu:1", 40, true, RIDE_PLACE_AUTO, &p);
    cr_assert(p.ingest_count == 1 && p.emit_count == 1 && p.threads_count == 42);
    cr_assert_eq(ride_cpus_count(&p.rest), 64 - 42, "no core is kept for nobody");
}

static ride_config *config_of(const run_case *c, const char *more) {
    static ride_diagnostics findings;
    ride_config *config = NULL;
    char text[2048];
    snprintf(text, sizeof text, "spec: %s\nmodel: %s\ninputs: {tx: %s}\noutputs: {decisions: %s}\n%s", c->spec,
             c->model, c->events, c->output, more);
    ride_status st = ride_config_parse("run.yaml", text, strlen(text), NULL, 0, NULL, &config, &findings);
    cr_assert_eq(st, RIDE_OK, "%s", findings.count > 0 ? findings.items[0].message : "");
    return config;
}

/* The output's text; the caller frees it. */
static char *run_placed(run_case *c, const char *more, ride_status expected) {
    size_t bytes = 0;
    ride_config *config = config_of(c, more);
    remove(c->output);
    cr_assert_eq(ride_placed_open(&placed, config, &c->err), RIDE_OK, "%s", c->err.what);
    ride_placed_apply(&placed, &c->options);
    cr_assert_eq(run_case_run(c), expected, "%s", c->err.what);
    for (uint32_t i = 0; i < RIDE_PLACED_REGIONS_MAX; i++)
        cr_assert_null(placed.regions[i].base, "a buffer was not given back");
    ride_placed_close(&placed);
    ride_config_destroy(config);
    return run_case_file(c->output, &bytes);
}

Test(placed, the_same_bytes_come_out_of_any_placement, .timeout = 60) {
    static run_case c;
    size_t bytes = 0;
    cr_assert(run_case_begin(&c));
    cr_assert_eq(run_case_run(&c), RIDE_OK);
    char *plain = run_case_file(c.output, &bytes);
    static const char *const ways[] = {"", "runtime: {shards: 2}\n", "runtime: {shards: 2, mode: inline}\n",
                                       "runtime: {shards: 0}\nscheduler: {max_batch: 65536}\n"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        char *got = run_placed(&c, ways[i], RIDE_OK);
        cr_assert_str_eq(got, plain, "%s", ways[i]);
        free(got);
    }
    free(plain);
    run_case_end(&c);
}

Test(placed, memory_is_zeroed_aligned_and_bounded) {
    static run_case c;
    cr_assert(run_case_begin(&c));
    ride_config *config = config_of(&c, "");
    cr_assert_eq(ride_placed_open(&placed, config, &c.err), RIDE_OK);
    ride_placed_apply(&placed, &c.options);
    const ride_host_memory *m = c.options.memory;
    cr_assert_not_null(m);
    unsigned char *blocks[RIDE_PLACED_REGIONS_MAX];
    for (uint32_t i = 0; i < RIDE_PLACED_REGIONS_MAX; i++) {
        const uint64_t bytes = (uint64_t)1 << (i % 24);
        blocks[i] = m->alloc(m->context, bytes);
        cr_assert_not_null(blocks[i]);
        cr_assert_eq((uintptr_t)blocks[i] % 4096, 0);
        cr_assert(blocks[i][0] == 0 && blocks[i][bytes - 1] == 0);
        blocks[i][bytes - 1] = 1;
    }
    cr_assert_null(m->alloc(m->context, 1), "there are no more");
    m->free(m->context, blocks[3]);
    blocks[3] = m->alloc(m->context, 4096);
    cr_assert_not_null(blocks[3]);
    for (uint32_t i = 0; i < RIDE_PLACED_REGIONS_MAX; i++) m->free(m->context, blocks[i]);
    ride_placed_close(&placed);
    ride_config_destroy(config);
    run_case_end(&c);
}

Test(placed, what_does_not_fit_does_not_begin) {
    static run_case c;
    cr_assert(run_case_begin(&c));
    free(run_placed(&c, "backend: {name: cpu, memory: 1000TiB}\n", RIDE_E_MEMORY));
    cr_assert_not_null(strstr(c.err.what, "1024000.0 GiB needed, "), "%s", c.err.what);
    cr_assert_not_null(strstr(c.err.what, ": window state 1024000.0 GiB + "), "%s", c.err.what);
    cr_assert_str_eq(c.err.advice, "lower backend.memory");
    cr_assert_neq(access(c.output, F_OK), 0, "no file was made");
    run_case_end(&c);
}
