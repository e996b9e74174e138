/* topo/topo.c: hwloc's one home: from its tree to plain numbers, and binding.
 *
 * Disallowed CPUs are loaded too, to tell "2 of 64 cores"; what may be used is the container's set (hwloc knows it) and the binding
 * that the process was started with. */
#include "topo/topo.h"
#include "topo/limits.h"

#include <errno.h>
#include <hwloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ride_topo {
    hwloc_topology_t hwloc;
    ride_machine machine;
};

static void fill_usable(ride_topo *topo) {
    ride_machine *m = &topo->machine;
    hwloc_bitmap_t usable = hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(topo->hwloc));
    hwloc_bitmap_t bound = hwloc_bitmap_alloc();
    if (m->is_this && bound != NULL && usable != NULL &&
        hwloc_get_cpubind(topo->hwloc, bound, HWLOC_CPUBIND_PROCESS) == 0 && hwloc_bitmap_intersects(bound, usable))
        hwloc_bitmap_and(usable, usable, bound);
    hwloc_obj_t pu = NULL;
    while (usable != NULL && (pu = hwloc_get_next_obj_by_type(topo->hwloc, HWLOC_OBJ_PU, pu)) != NULL)
        if (pu->os_index < RIDE_CPUS_MAX && hwloc_bitmap_isset(usable, pu->os_index))
            ride_cpus_add(&m->cpus, pu->os_index);
    m->cpus_count = ride_cpus_count(&m->cpus);
    hwloc_bitmap_free(usable);
    hwloc_bitmap_free(bound);
}

static void fill_nodes(ride_topo *topo) {
    ride_machine *m = &topo->machine;
    hwloc_const_nodeset_t allowed = hwloc_topology_get_allowed_nodeset(topo->hwloc);
    hwloc_obj_t node = NULL;
    while ((node = hwloc_get_next_obj_by_type(topo->hwloc, HWLOC_OBJ_NUMANODE, node)) != NULL) {
        if (m->nodes_count == RIDE_NODES_MAX) break;
        if (allowed != NULL && !hwloc_bitmap_isset(allowed, node->os_index)) continue;
        ride_node *made = &m->nodes[m->nodes_count++];
        made->os = node->os_index;
        made->memory_bytes = node->attr->numanode.local_memory;
        m->memory_bytes += made->memory_bytes;
        for (unsigned i = 0; i < node->attr->numanode.page_types_len; i++)
            if (node->attr->numanode.page_types[i].size == UINT64_C(2) << 20)
                made->huge_bytes = node->attr->numanode.page_types[i].count << 21;
        if (m->is_this && made->huge_bytes > 0) made->huge_free_bytes = ride_limits_huge_free("", made->os);
    }
}

/* The least node around the object, where there is just one. */
static uint32_t node_of(const ride_machine *m, hwloc_obj_t obj) {
    while (obj != NULL && obj->nodeset == NULL) obj = obj->parent; /* devices have none */
    if (obj == NULL) return RIDE_NODE_NONE;
    uint32_t found = RIDE_NODE_NONE;
    for (uint32_t n = 0; n < m->nodes_count; n++) {
        if (!hwloc_bitmap_isset(obj->nodeset, m->nodes[n].os)) continue;
        if (found != RIDE_NODE_NONE) return RIDE_NODE_NONE;
        found = n;
    }
    return found;
}

/* Several nodes may be local to a core (fast and plain memory): the first of them, hwloc's order, is its own. */
static uint32_t node_of_core(const ride_machine *m, hwloc_obj_t core) {
    for (uint32_t n = 0; n < m->nodes_count && core->nodeset != NULL; n++)
        if (hwloc_bitmap_isset(core->nodeset, m->nodes[n].os)) return n;
    return RIDE_NODE_NONE;
}

static void fill_core(ride_topo *topo, hwloc_obj_t core) {
    ride_machine *m = &topo->machine;
    ride_core made = {.node = node_of_core(m, core)};
    int cpu = -1, kind;
    if (core->cpuset == NULL) return;
    while ((cpu = hwloc_bitmap_next(core->cpuset, cpu)) >= 0)
        if (ride_cpus_has(&m->cpus, (uint32_t)cpu) && made.cpus_count < RIDE_CORE_CPUS_MAX)
            made.cpus[made.cpus_count++] = (uint32_t)cpu;
    if (made.cpus_count == 0 || m->cores_count == RIDE_CORES_MAX) return;
    hwloc_obj_t package = hwloc_get_ancestor_obj_by_type(topo->hwloc, HWLOC_OBJ_PACKAGE, core);
    hwloc_obj_t cache = hwloc_get_ancestor_obj_by_type(topo->hwloc, HWLOC_OBJ_L3CACHE, core);
    made.package = package != NULL ? package->logical_index : 0;
    made.cache = cache != NULL ? cache->logical_index : made.package;
    kind = hwloc_cpukinds_get_nr(topo->hwloc, 0) > 1 ? hwloc_cpukinds_get_by_cpuset(topo->hwloc, core->cpuset, 0) : 0;
    made.speed = kind > 0 ? (uint32_t)kind : 0; /* kinds are in the order of their efficiency: faster ones last */
    for (uint32_t i = 0; i < made.cpus_count && made.node != RIDE_NODE_NONE; i++)
        ride_cpus_add(&m->nodes[made.node].cpus, made.cpus[i]);
    if (made.node != RIDE_NODE_NONE) m->nodes[made.node].cores_count++;
    m->cores[m->cores_count++] = made;
}

static void fill_cores(ride_topo *topo) {
    ride_machine *m = &topo->machine;
    int cores = hwloc_get_nbobjs_by_type(topo->hwloc, HWLOC_OBJ_CORE);
    hwloc_obj_type_t type = cores > 0 ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU; /* some systems tell of no cores */
    hwloc_obj_t core = NULL;
    m->cores_all = (uint32_t)(cores > 0 ? cores : hwloc_get_nbobjs_by_type(topo->hwloc, HWLOC_OBJ_PU));
    while ((core = hwloc_get_next_obj_by_type(topo->hwloc, type, core)) != NULL) fill_core(topo, core);
}

static void fill_caches(ride_topo *topo) {
    ride_machine *m = &topo->machine;
    static const hwloc_obj_type_t types[] = {HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L3CACHE};
    uint64_t *const sizes[] = {&m->cache_l1_bytes, &m->cache_l2_bytes, &m->cache_l3_bytes};
    for (int i = 0; i < 3; i++) {
        hwloc_obj_t cache = hwloc_get_next_obj_by_type(topo->hwloc, types[i], NULL);
        if (cache != NULL) *sizes[i] = cache->attr->cache.size;
    }
    int shared = hwloc_get_nbobjs_by_type(topo->hwloc, HWLOC_OBJ_L3CACHE);
    m->caches_count = shared > 0 ? (uint32_t)shared : m->packages_count;
}

/* By the PCI class: display controllers of those who make GPUs, processing accelerators, network. */
static bool kind_of(const struct hwloc_pcidev_attr_s *pci, ride_pci_kind *out) {
    unsigned class = pci->class_id >> 8;
    bool maker = pci->vendor_id == 0x10de || pci->vendor_id == 0x1002 || pci->vendor_id == 0x8086;
    if (class == 0x12 || (class == 0x03 && maker)) *out = RIDE_PCI_GPU;
    else if (class == 0x02) *out = RIDE_PCI_NETWORK;
    else return false;
    return true;
}

static void fill_devices(ride_topo *topo) {
    ride_machine *m = &topo->machine;
    hwloc_obj_t pci = NULL;
    while ((pci = hwloc_get_next_pcidev(topo->hwloc, pci)) != NULL) {
        const struct hwloc_pcidev_attr_s *a = &pci->attr->pcidev;
        ride_pci_kind kind;
        if (!kind_of(a, &kind)) continue;
        if (m->devices_count == RIDE_PCI_DEVICES_MAX) {
            m->devices_more++;
            continue;
        }
        ride_pci_device *made = &m->devices[m->devices_count++];
        *made = (ride_pci_device){.kind = kind,
                                  .vendor = a->vendor_id,
                                  .device = a->device_id,
                                  .node = node_of(m, hwloc_get_non_io_ancestor_obj(topo->hwloc, pci))};
        snprintf(made->bus, sizeof made->bus, "%04x:%02x:%02x.%x", (unsigned)a->domain & 0xffff, a->bus, a->dev & 0x1fu,
                 a->func & 7u);
        if (pci->io_first_child != NULL && pci->io_first_child->name != NULL)
            snprintf(made->name, sizeof made->name, "%s", pci->io_first_child->name);
    }
}

static ride_status fill(ride_topo *topo, ride_error *err) {
    ride_machine *m = &topo->machine;
    int cpus = hwloc_get_nbobjs_by_type(topo->hwloc, HWLOC_OBJ_PU);
    int packages = hwloc_get_nbobjs_by_type(topo->hwloc, HWLOC_OBJ_PACKAGE);
    hwloc_obj_t last = hwloc_get_obj_by_type(topo->hwloc, HWLOC_OBJ_PU, (unsigned)(cpus > 0 ? cpus - 1 : 0));
    if (cpus < 1 || last == NULL || cpus > RIDE_CPUS_MAX)
        return ride_fail(err, RIDE_E_UNSUPPORTED, "%s has %d CPUs: 1 … %d are supported", m->origin, cpus,
                         RIDE_CPUS_MAX);
    m->is_this = hwloc_topology_is_thissystem(topo->hwloc) != 0;
    m->packages_count = packages > 0 ? (uint32_t)packages : 1;
    m->cpus_all = (uint32_t)cpus;
    fill_usable(topo);
    fill_nodes(topo);
    fill_cores(topo);
    fill_caches(topo);
    fill_devices(topo);
    if (m->cores_count == 0)
        return ride_fail(err, RIDE_E_UNSUPPORTED, "%s: no CPU below %d may be used", m->origin, RIDE_CPUS_MAX);
    if (!m->is_this) return RIDE_OK;
    ride_limits limits;
    ride_limits_read("", &limits);
    m->memory_limit_bytes = limits.memory_bytes;
    m->cpu_quota_milli = limits.cpu_quota_milli;
    memcpy(m->huge_mode, limits.huge_mode, sizeof m->huge_mode);
    return RIDE_OK;
}

/* Devices are told by the PCI bus. What would wake their drivers (hundreds of ms, memory) stays out. */
static void set_scope(ride_topo *topo) {
    static const char *const drivers[] = {"cuda", "nvml", "rsmi", "levelzero", "opencl", "gl"};
    hwloc_topology_set_io_types_filter(topo->hwloc, HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
    hwloc_topology_set_flags(topo->hwloc, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++)
        hwloc_topology_set_components(topo->hwloc, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, drivers[i]);
}

static ride_status set_origin(ride_topo *topo, const char *from, ride_error *err) {
    static const char synthetic[] = "synthetic:";
    snprintf(topo->machine.origin, sizeof topo->machine.origin, "%s", from != NULL ? from : "this machine");
    if (from == NULL) return RIDE_OK;
    if (strncmp(from, synthetic, strlen(synthetic)) == 0) {
        if (hwloc_topology_set_synthetic(topo->hwloc, from + strlen(synthetic)) == 0) return RIDE_OK;
        ride_fail(err, RIDE_E_DATA, "`%.80s` describes no machine", from);
        ride_error_advice(err, "synthetic:package:2 numa:1 core:16 pu:2");
        return RIDE_E_DATA;
    }
    if (access(from, R_OK) != 0) return ride_fail(err, RIDE_E_NO_INPUT, "%.100s: %s", from, strerror(errno));
    if (hwloc_topology_set_xml(topo->hwloc, from) == 0) return RIDE_OK;
    return ride_fail(err, RIDE_E_DATA, "%.100s is no topology that hwloc wrote", from);
}

ride_status ride_topo_load(const char *from, ride_topo **out, ride_error *err) {
    ride_status st = RIDE_OK;
    *out = NULL;
    ride_topo *topo = calloc(1, sizeof *topo);
    if (topo == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the topology");
    if (hwloc_topology_init(&topo->hwloc) != 0) {
        free(topo);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the topology");
    }
    set_scope(topo);
    RIDE_TRY_GOTO(st, set_origin(topo, from, err), fail);
    if (hwloc_topology_load(topo->hwloc) != 0) {
        st = ride_fail(err, from != NULL ? RIDE_E_DATA : RIDE_E_INTERNAL, "%.100s: the topology cannot be loaded: %s",
                       topo->machine.origin, strerror(errno));
        goto fail;
    }
    RIDE_TRY_GOTO(st, fill(topo, err), fail);
    *out = topo;
    return RIDE_OK;
fail:
    ride_topo_destroy(topo);
    return st;
}

void ride_topo_destroy(ride_topo *topo) {
    if (topo == NULL) return;
    hwloc_topology_destroy(topo->hwloc);
    free(topo);
}

const ride_machine *ride_topo_machine(const ride_topo *topo) { return &topo->machine; }

ride_status ride_topo_record(const ride_topo *topo, const char *path, ride_error *err) {
    if (hwloc_topology_export_xml(topo->hwloc, path, 0) == 0) return RIDE_OK;
    return ride_fail(err, RIDE_E_IO, "%.100s: %s", path, strerror(errno));
}

static ride_status not_this(const ride_topo *topo, ride_error *err) {
    return ride_fail(err, RIDE_E_UNSUPPORTED, "%.80s is not the machine that this runs on", topo->machine.origin);
}

ride_status ride_topo_bind_thread(const ride_topo *topo, const ride_cpus *cpus, ride_error *err) {
    if (!topo->machine.is_this) return not_this(topo, err);
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    if (set == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a set of CPUs");
    for (uint32_t cpu = 0; cpu < RIDE_CPUS_MAX; cpu++)
        if (ride_cpus_has(cpus, cpu)) hwloc_bitmap_set(set, cpu);
    int bound = hwloc_set_cpubind(topo->hwloc, set, HWLOC_CPUBIND_THREAD);
    hwloc_bitmap_free(set);
    char text[64];
    return bound == 0 ? RIDE_OK
                      : ride_fail(err, RIDE_E_UNSUPPORTED, "cannot bind a thread to CPUs %s: %s",
                                  ride_cpus_text(cpus, text, sizeof text), strerror(errno));
}

ride_status ride_topo_thread_cpus(const ride_topo *topo, ride_cpus *out, ride_error *err) {
    *out = (ride_cpus){{0}};
    if (!topo->machine.is_this) return not_this(topo, err);
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    int got = set != NULL ? hwloc_get_cpubind(topo->hwloc, set, HWLOC_CPUBIND_THREAD) : -1, cpu = -1;
    while (got == 0 && (cpu = hwloc_bitmap_next(set, cpu)) >= 0 && cpu < RIDE_CPUS_MAX)
        ride_cpus_add(out, (uint32_t)cpu);
    hwloc_bitmap_free(set);
    return got == 0 ? RIDE_OK : ride_fail(err, RIDE_E_UNSUPPORTED, "the system does not tell a thread's CPUs");
}

ride_status ride_topo_bind_memory(const ride_topo *topo, const void *region, uint64_t bytes, uint32_t node,
                                  ride_error *err) {
    if (!topo->machine.is_this) return not_this(topo, err);
    if (node >= topo->machine.nodes_count) return ride_fail(err, RIDE_E_USAGE, "there is no node %u", node);
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    if (set == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a set of nodes");
    hwloc_bitmap_only(set, topo->machine.nodes[node].os);
    int bound = hwloc_set_area_membind(topo->hwloc, region, bytes, set, HWLOC_MEMBIND_BIND, HWLOC_MEMBIND_BYNODESET);
    hwloc_bitmap_free(set);
    return bound == 0 ? RIDE_OK
                      : ride_fail(err, RIDE_E_UNSUPPORTED, "cannot bind memory to node %u: %s",
                                  topo->machine.nodes[node].os, strerror(errno));
}

uint32_t ride_topo_memory_node(const ride_topo *topo, const void *region, uint64_t bytes) {
    uint32_t found = RIDE_NODE_NONE;
    hwloc_bitmap_t set = topo->machine.is_this ? hwloc_bitmap_alloc() : NULL;
    if (set != NULL && hwloc_get_area_memlocation(topo->hwloc, region, bytes, set, HWLOC_MEMBIND_BYNODESET) == 0 &&
        hwloc_bitmap_weight(set) == 1)
        found = ride_machine_node(&topo->machine, hwloc_bitmap_first(set));
    hwloc_bitmap_free(set);
    return found;
}
