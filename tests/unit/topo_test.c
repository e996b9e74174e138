/* What host/topo promises: machines from hwloc as numbers, placement on machines that are not here, limits of containers, and memory
 * and threads that are bound here, as far as this machine is what hwloc says. */
#include "topo/limits.h"
#include "topo/place.h"
#include "topo/region.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ride_placement placement;
static char text[512];

static const char *golden(const char *name) {
    static char path[512];
    const char *top = getenv("RIDE_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/golden/topology/%s", top != NULL ? top : ".", name);
    return path;
}

static ride_topo *load(const char *from) {
    ride_topo *topo = NULL;
    ride_error err;
    cr_assert_eq(ride_topo_load(from, &topo, &err), RIDE_OK, "%s: %s", from != NULL ? from : "here", err.what);
    return topo;
}

/* What holds of every placement. */
static const ride_placement *place(const ride_machine *m, uint32_t shards, ride_place_mode mode, const int32_t *nodes,
                                   uint32_t devices) {
    ride_topo_place(m, &(ride_place_wish){shards, mode, nodes, devices}, &placement);
    const ride_placement *p = &placement;
    uint32_t of_pools = 0;
    cr_assert(p->mode == RIDE_PLACE_INLINE || p->mode == RIDE_PLACE_PIPELINE);
    cr_assert(p->shards_count >= 1 && p->shards_count <= RIDE_PLACE_SHARDS_MAX);
    if (shards != 0) cr_assert_eq(p->shards_count, shards);
    cr_assert_eq(p->threads_count, p->shards_count + p->ingest_count + p->emit_count);
    cr_assert_eq(p->ingest_count > 0, p->mode == RIDE_PLACE_PIPELINE);
    cr_assert_gt(ride_cpus_count(&p->rest), 0);
    for (uint32_t i = 0; i < p->threads_count; i++) {
        const ride_place_thread *t = &p->threads[i];
        cr_assert_gt(ride_cpus_count(&t->cpus), 0);
        for (uint32_t c = 0; c < RIDE_CPUS_MAX; c++)
            if (ride_cpus_has(&t->cpus, c)) cr_assert(ride_cpus_has(&m->cpus, c), "CPU %u must not be used", c);
        cr_assert_eq(t->role, i < p->shards_count                     ? RIDE_PLACE_SHARD
                              : i < p->shards_count + p->ingest_count ? RIDE_PLACE_INGEST
                                                                      : RIDE_PLACE_EMIT);
        if (t->role == RIDE_PLACE_SHARD) {
            cr_assert_eq(t->index, i);
            cr_assert((p->pool_nodes >> t->node & 1) != 0, "the shard's rows have a pool");
            cr_assert_lt(ride_place_server(p, RIDE_PLACE_EMIT, i), p->emit_count + (p->emit_count == 0));
        }
        for (uint32_t k = 0; k < i && p->binds; k++)
            if (t->is_alone) cr_assert_neq(p->threads[k].core, t->core);
    }
    for (uint32_t n = 0; n < RIDE_NODES_MAX; n++) of_pools += p->pool_shards[n];
    cr_assert_eq(of_pools, p->shards_count);
    return p;
}

static const char *cpus_of(const ride_placement *p, uint32_t thread) {
    return ride_cpus_text(&p->threads[thread].cpus, text, sizeof text);
}

static bool noted(const ride_placement *p, const char *part) {
    for (uint32_t i = 0; i < p->notes_count; i++)
        if (strstr(p->notes[i], part) != NULL) return true;
    return false;
}

Test(topo, two_packages_and_eight_gpus_as_hwloc_writes_them) {
    ride_topo *topo = load(golden("two-packages-eight-gpus.xml"));
    const ride_machine *m = ride_topo_machine(topo);
    cr_assert_not(m->is_this);
    cr_assert(m->packages_count == 2 && m->nodes_count == 2 && m->cores_count == 32 && m->cpus_count == 64);
    cr_assert(m->nodes[1].cores_count == 16 && m->nodes[1].os == 1);
    cr_assert_str_eq(ride_cpus_text(&m->nodes[1].cpus, text, sizeof text), "32-63");
    cr_assert_eq(m->devices_count, 10);
    for (uint32_t d = 0; d < 10; d++) {
        cr_assert_eq(m->devices[d].node, d < 5 ? 0 : 1);
        cr_assert_eq(m->devices[d].kind, d % 5 < 4 ? RIDE_PCI_GPU : RIDE_PCI_NETWORK);
    }
    cr_assert_str_eq(m->devices[3].bus, "0000:5e:00.0");
    cr_assert_str_eq(m->devices[9].name, "eth1");
    ride_topo_destroy(topo);
}

Test(topo, each_gpu_gets_a_shard_on_a_core_of_its_own_node) {
    ride_topo *topo = load(golden("two-packages-eight-gpus.xml"));
    const ride_machine *m = ride_topo_machine(topo);
    int32_t nodes[8]; /* as CUDA numbers them, which need not be the bus's order */
    for (int d = 0; d < 8; d++) nodes[d] = d % 2;
    const ride_placement *p = place(m, 0, RIDE_PLACE_AUTO, nodes, 8);
    cr_assert(p->mode == RIDE_PLACE_PIPELINE && p->binds && p->shards_count == 8);
    for (uint32_t s = 0; s < 8; s++) {
        const ride_place_thread *t = &p->threads[s];
        cr_assert_eq(t->device, s);
        cr_assert_eq(t->node, s % 2);
        cr_assert_eq(m->cores[t->core].node, s % 2);
        cr_assert(t->is_alone);
        for (ride_place_role role = RIDE_PLACE_INGEST; role <= RIDE_PLACE_EMIT; role++) { /* served on its own node */
            uint32_t first = role == RIDE_PLACE_INGEST ? p->shards_count : p->shards_count + p->ingest_count;
            cr_assert_eq(p->threads[first + ride_place_server(p, role, s)].node, t->node);
        }
    }
    cr_assert(p->ingest_count == 2 && p->emit_count == 2 && p->pool_nodes == 3);
    cr_assert(p->pool_shards[0] == 4 && p->pool_shards[1] == 4);
    cr_assert_eq(p->notes_count, 0);
    for (uint32_t i = 0; i < p->threads_count; i++)
        for (uint32_t c = 0; c < RIDE_CPUS_MAX; c++)
            cr_assert_not(ride_cpus_has(&p->rest, c) && ride_cpus_has(&p->threads[i].cpus, c));
    p = place(m, 2, RIDE_PLACE_INLINE, nodes, 8);
    cr_assert(noted(p, "6 of 8 devices have no shard"));
    p = place(m, 16, RIDE_PLACE_AUTO, nodes, 8);
    cr_assert(p->threads[8].device == 0 && p->threads[8].node == 0, "two shards a device");
    int32_t unknown[] = {-1, 7, 0};
    p = place(m, 0, RIDE_PLACE_AUTO, unknown, 3);
    cr_assert(p->threads[0].node < 2 && p->threads[1].node < 2 && p->threads[2].node == 0);
    ride_topo_destroy(topo);
}

/* Writes a copy of the golden machine whose container leaves only some CPUs and nodes; the caller removes it. */
static void limited(const char *cpuset, const char *nodeset, char *path) {
    static char xml[65536], key[] = "allowed_cpuset=\"";
    FILE *from = fopen(golden("two-packages-eight-gpus.xml"), "r");
    size_t bytes = fread(xml, 1, sizeof xml - 1, from);
    xml[bytes] = '\0';
    fclose(from);
    int fd = mkstemp(strcpy(path, "/tmp/ride_topo_XXXXXX"));
    FILE *to = fdopen(fd, "w");
    char *start = strstr(xml, key), *nodes = strstr(xml, "allowed_nodeset=\"");
    cr_assert(start != NULL && nodes > start);
    *start = '\0';
    fprintf(to, "%sallowed_cpuset=\"%s\"", xml, cpuset);
    char *rest = strchr(start + strlen(key), '"') + 1;
    *nodes = '\0';
    fprintf(to, "%sallowed_nodeset=\"%s\"%s", rest, nodeset, strchr(nodes + 17, '"') + 1);
    fclose(to);
}

Test(topo, a_container_with_a_cpuset_uses_only_that) {
    char path[64];
    limited("0x0000000f,0x0", "0x1",
            path); /* CPUs 32 … 35: two cores of the second package; memory of the first node only */
    ride_topo *topo = load(path);
    const ride_machine *m = ride_topo_machine(topo);
    cr_assert(m->cores_all == 32 && m->cpus_all == 64 && m->cores_count == 2 && m->cpus_count == 4);
    cr_assert_str_eq(ride_cpus_text(&m->cpus, text, sizeof text), "32-35");
    cr_assert(m->nodes_count == 1 && m->nodes[0].os == 0, "nodes whose memory must not be used are not listed");
    const ride_placement *p = place(m, 2, RIDE_PLACE_AUTO, NULL, 0);
    cr_assert_eq(p->mode, RIDE_PLACE_INLINE);
    cr_assert_str_eq(cpus_of(p, 0), "32-35");
    ride_topo_destroy(topo);
    limited("0x00ff0000,0x000000f0", "0x3", path + 0);
    topo = load(path);
    m = ride_topo_machine(topo);
    cr_assert(m->cores_count == 6 && m->nodes[0].cores_count == 2 && m->nodes[1].cores_count == 4);
    int32_t nodes[] = {0, 1};
    p = place(m, 0, RIDE_PLACE_INLINE, nodes, 2);
    cr_assert_str_eq(cpus_of(p, 0), "4");
    cr_assert_str_eq(cpus_of(p, 1), "48");
    p = place(m, 3, RIDE_PLACE_INLINE, NULL, 0);
    cr_assert(p->threads[0].node == 1 && p->threads[2].node == 1, "all on the node that has room");
    ride_topo_destroy(topo);
    limited("0xffff0000,0x0", "0x3", path);
    topo = load(path);
    m = ride_topo_machine(topo);
    p = place(m, 0, RIDE_PLACE_AUTO, nodes, 2);
    cr_assert(p->threads[0].node == 1 && noted(p, "1 of 2 shards are not on their device's node"));
    ride_topo_destroy(topo);
    unlink(path);
}

Test(topo, one_package_without_and_with_hardware_threads) {
    ride_topo *topo = load("synthetic:package:1 numa:1 l3:1 core:8 pu:1");
    const ride_machine *m = ride_topo_machine(topo);
    const ride_placement *p = place(m, 0, RIDE_PLACE_AUTO, NULL, 0);
    cr_assert(p->mode == RIDE_PLACE_PIPELINE && p->shards_count == 5 && p->ingest_count == 1 && p->emit_count == 1);
    cr_assert(p->binds);
    cr_assert_str_eq(ride_cpus_text(&p->rest, text, sizeof text), "0", "CPU 0 is left to the others");
    p = place(m, 1, RIDE_PLACE_AUTO, NULL, 0);
    cr_assert_eq(p->mode, RIDE_PLACE_PIPELINE);
    p = place(m, 7, RIDE_PLACE_AUTO, NULL, 0);
    cr_assert_eq(p->mode, RIDE_PLACE_INLINE, "no core is left for threads that only read and write");
    p = place(m, 64, RIDE_PLACE_PIPELINE, NULL, 0);
    cr_assert(!p->binds && noted(p, "more threads than cores"));
    cr_assert_str_eq(cpus_of(p, 63), "0-7");
    ride_topo_destroy(topo);
    topo = load("synthetic:package:1 numa:1 l3:1 core:4 pu:2");
    m = ride_topo_machine(topo);
    p = place(m, 0, RIDE_PLACE_AUTO, NULL, 0);
    cr_assert(p->mode == RIDE_PLACE_PIPELINE && p->shards_count == 1 && p->binds);
    for (uint32_t i = 0; i < p->threads_count; i++) cr_assert(p->threads[i].is_alone, "cores before hardware threads");
    cr_assert_str_eq(ride_cpus_text(&p->rest, text, sizeof text), "0-1");
    p = place(m, 4, RIDE_PLACE_INLINE, NULL, 0);
    cr_assert_str_eq(ride_cpus_text(&p->rest, text, sizeof text), "1,3,5,7", "the other hardware threads");
    p = place(m, 3, RIDE_PLACE_PIPELINE, NULL, 0);
    cr_assert(!p->binds && noted(p, "1 cores two threads"));
    ride_topo_destroy(topo);
}

Test(topo, without_devices_shards_stay_together_as_long_as_they_fit) {
    ride_topo *topo = load("synthetic:package:2 numa:1 core:8 pu:1");
    const ride_machine *m = ride_topo_machine(topo);
    const ride_placement *p = place(m, 6, RIDE_PLACE_PIPELINE, NULL, 0);
    cr_assert_eq(p->pool_nodes, 1, "six shards and two helpers fit one node");
    p = place(m, 8, RIDE_PLACE_PIPELINE, NULL, 0);
    cr_assert(p->pool_nodes == 3 && p->pool_shards[0] == 4 && p->ingest_count == 2);
    p = place(m, 0, RIDE_PLACE_AUTO, NULL, 0);
    cr_assert_leq(p->threads_count + 1, 16);
    cr_assert_eq(p->shards_count, 11);
    cr_assert(ride_place_server(p, RIDE_PLACE_INGEST, 0) != ride_place_server(p, RIDE_PLACE_INGEST, 1));
    ride_topo_destroy(topo);
}

Test(topo, quotas_and_fast_cores_count) {
    static ride_machine m; /* by hand: four cores, two fast ones, no node of their own */
    m = (ride_machine){.cores_count = 4, .cpus_count = 4, .nodes_count = 1, .memory_bytes = 1000};
    for (uint32_t c = 0; c < 4; c++) {
        m.cores[c] = (ride_core){.node = RIDE_NODE_NONE, .speed = c >= 2, .cpus_count = 1, .cpus = {c}};
        ride_cpus_add(&m.cpus, c);
    }
    const ride_placement *p = place(&m, 2, RIDE_PLACE_INLINE, NULL, 0);
    cr_assert_str_eq(cpus_of(p, 0), "2");
    cr_assert_str_eq(cpus_of(p, 1), "3");
    m.cpu_quota_milli = 2500;
    cr_assert_eq(ride_machine_cores(&m), 2);
    p = place(&m, 0, RIDE_PLACE_AUTO, NULL, 0);
    cr_assert(p->shards_count == 1 && !p->binds && noted(p, "2.500 cores of the 4"));
    m.cpu_quota_milli = 300;
    cr_assert_eq(ride_machine_cores(&m), 1);
    cr_assert_eq(ride_machine_memory(&m), 1000);
    m.memory_limit_bytes = 400;
    cr_assert_eq(ride_machine_memory(&m), 400);
    cr_assert_eq(ride_machine_node(&m, -1), RIDE_NODE_NONE);
}

Test(topo, sets_of_cpus_as_text) {
    ride_cpus set = {{0}};
    cr_assert_str_eq(ride_cpus_text(&set, text, sizeof text), "");
    ride_cpus_add(&set, 0);
    ride_cpus_add(&set, 63);
    ride_cpus_add(&set, 64);
    ride_cpus_add(&set, RIDE_CPUS_MAX - 1);
    cr_assert_str_eq(ride_cpus_text(&set, text, sizeof text), "0,63-64,4095");
    cr_assert_str_eq(ride_cpus_text(&set, text, 12), "0,63-64…");
    cr_assert_str_eq(ride_cpus_text(&set, text, 6), "0…");
    cr_assert_eq(ride_cpus_count(&set), 4);
}

Test(topo, what_is_no_machine_is_refused) {
    ride_topo *topo = NULL;
    ride_error err;
    cr_assert_eq(ride_topo_load("/no/such/file.xml", &topo, &err), RIDE_E_NO_INPUT);
    cr_assert_eq(ride_topo_load("synthetic:what:ever", &topo, &err), RIDE_E_DATA);
    cr_assert_eq(ride_topo_load(golden("README.md"), &topo, &err), RIDE_E_DATA, "%s", err.what);
    cr_assert_eq(ride_topo_load("synthetic:package:64 core:64 pu:2", &topo, &err), RIDE_E_UNSUPPORTED);
    cr_assert_null(topo);
    topo = load(golden("vm-two-cores.xml"));
    ride_cpus one = {{1}};
    cr_assert_eq(ride_topo_bind_thread(topo, &one, &err), RIDE_E_UNSUPPORTED);
    cr_assert_eq(ride_topo_record(topo, "/no/such/folder/x.xml", &err), RIDE_E_IO);
    ride_topo_destroy(topo);
    ride_topo_destroy(NULL);
}

static void put(const char *root, const char *path, const char *content) {
    char full[512], *slash;
    snprintf(full, sizeof full, "%s%s", root, path);
    for (slash = strchr(full + strlen(root) + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    cr_assert_not_null(file, "%s", full);
    fputs(content, file);
    fclose(file);
}

static char *fresh(char *root) {
    cr_assert_not_null(mkdtemp(strcpy(root, "/tmp/ride_limits_XXXXXX")));
    return root;
}

static void gone(const char *root) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    cr_assert_eq(system(command), 0);
}

Test(topo, limits_of_containers_are_found) {
    char root[64];
    ride_limits limits;
    fresh(root); /* nothing there */
    ride_limits_read(root, &limits);
    cr_assert(limits.memory_bytes == 0 && limits.cpu_quota_milli == 0 && limits.huge_mode[0] == '\0');
    put(root, "/proc/self/cgroup", "0::/a/b\n"); /* version 2: the least on the way up counts */
    put(root, "/sys/fs/cgroup/a/memory.max", "1000000\n");
    put(root, "/sys/fs/cgroup/a/b/memory.max", "max\n");
    put(root, "/sys/fs/cgroup/a/cpu.max", "max 100000\n");
    put(root, "/sys/fs/cgroup/a/b/cpu.max", "150000 100000\n");
    put(root, "/sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
    put(root, "/sys/devices/system/node/node3/hugepages/hugepages-2048kB/free_hugepages", "5\n");
    ride_limits_read(root, &limits);
    cr_assert(limits.memory_bytes == 1000000 && limits.cpu_quota_milli == 1500, "%lu %u",
              (unsigned long)limits.memory_bytes, limits.cpu_quota_milli);
    cr_assert_str_eq(limits.huge_mode, "never");
    cr_assert_eq(ride_limits_huge_free(root, 3), UINT64_C(10) << 20);
    cr_assert_eq(ride_limits_huge_free(root, 0), 0);
    put(root, "/proc/self/cgroup", "0::/../../elsewhere\n"); /* outside of what is to be seen */
    ride_limits_read(root, &limits);
    cr_assert_eq(limits.memory_bytes, 0);
    put(root, "/proc/self/cgroup", "0::/of/the/host\n"); /* not to be seen here: the mount's top is the container */
    put(root, "/sys/fs/cgroup/memory.max", "4096\n");
    ride_limits_read(root, &limits);
    cr_assert_eq(limits.memory_bytes, 4096);
    gone(root);
    fresh(root);
    put(root, "/proc/self/cgroup", "9:name=systemd:/\n4:memory:/m\n1:cpu,cpuacct:/c\n0::/\n"); /* version 1 */
    put(root, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put(root, "/sys/fs/cgroup/memory/m/memory.limit_in_bytes", "2048\n");
    put(root, "/sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_quota_us", "-1\n");
    put(root, "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n");
    put(root, "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    put(root, "/sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_period_us", "100000\n");
    ride_limits_read(root, &limits);
    cr_assert(limits.memory_bytes == 2048 && limits.cpu_quota_milli == 500, "%lu %u",
              (unsigned long)limits.memory_bytes, limits.cpu_quota_milli);
    gone(root);
}

Test(topo, here_threads_and_memory_are_bound_and_told) {
    ride_topo *topo = load(NULL);
    const ride_machine *m = ride_topo_machine(topo);
    ride_error err;
    ride_cpus one = {{0}}, got;
    cr_assert(m->is_this && m->cores_count >= 1 && m->cpus_count <= m->cpus_all && m->memory_bytes > 0);
    ride_cpus_add(&one, m->cores[m->cores_count - 1].cpus[0]);
    if (ride_topo_bind_thread(topo, &one, &err) == RIDE_OK) {
        cr_assert_eq(ride_topo_thread_cpus(topo, &got, &err), RIDE_OK);
        cr_assert(ride_cpus_same(&one, &got));
    } else cr_assert_eq(err.status, RIDE_E_UNSUPPORTED, "%s", err.what);
    static const ride_pages wishes[] = {RIDE_PAGES_PLAIN, RIDE_PAGES_TRANSPARENT, RIDE_PAGES_RESERVED};
    enum { BYTES = 5 << 20 };
    for (int i = 0; i < 3; i++) {
        ride_region region;
        uint64_t resident = 0, huge = 0;
        cr_assert_eq(ride_region_alloc(topo, 0, BYTES, wishes[i], &region, &err), RIDE_OK, "%s", err.what);
        cr_assert(region.pages == wishes[i] || region.why[0] != '\0', "less than the wish has its reason");
        cr_assert(region.node == 0 || region.why[0] != '\0');
        memset(region.base, 1, BYTES);
        if (region.node == 0 && m->nodes_count == 1) cr_assert_eq(ride_topo_memory_node(topo, region.base, BYTES), 0);
        if (ride_region_measure(&region, &resident, &huge)) {
            cr_assert_geq(resident, BYTES);
            if (region.pages == RIDE_PAGES_RESERVED) cr_assert_geq(huge, BYTES);
            if (region.pages == RIDE_PAGES_PLAIN && strcmp(m->huge_mode, "always") != 0) cr_assert_eq(huge, 0);
        }
        ride_region_free(&region);
        cr_assert_null(region.base);
    }
    ride_region none;
    cr_assert_eq(ride_region_alloc(NULL, RIDE_NODE_NONE, 0, RIDE_PAGES_TRANSPARENT, &none, &err), RIDE_OK);
    ride_region_free(&none);
    cr_assert_eq(ride_region_alloc(NULL, RIDE_NODE_NONE, UINT64_C(1) << 62, RIDE_PAGES_TRANSPARENT, &none, &err),
                 RIDE_E_MEMORY);
    ride_topo_destroy(topo);
}

Test(topo, a_record_loads_again_as_the_same_machine) {
    char path[] = "/tmp/ride_topo_XXXXXX";
    ride_topo *here = load(NULL);
    ride_error err;
    close(mkstemp(path));
    cr_assert_eq(ride_topo_record(here, path, &err), RIDE_OK, "%s", err.what);
    ride_topo *again = load(path);
    const ride_machine *a = ride_topo_machine(here), *b = ride_topo_machine(again);
    cr_assert(!b->is_this && a->cores_all == b->cores_all && a->nodes_count == b->nodes_count);
    cr_assert_eq(a->devices_count, b->devices_count);
    cr_assert_gt(b->memory_bytes, 0);
    ride_topo_destroy(here);
    ride_topo_destroy(again);
    unlink(path);
}
