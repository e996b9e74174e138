/* cli/topology_report.c: see the header. */
#include "cli/topology_report.h"
#include "config/budget.h"
#include "io/encoder.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *plural(uint32_t count) { return count == 1 ? "" : "s"; }
static const char *pci_kind(ride_pci_kind kind) { return kind == RIDE_PCI_GPU ? "gpu" : "network"; }

static void put_size(const char *before, uint64_t bytes, FILE *to) {
    char text[32];
    fprintf(to, "%s%s", before, ride_budget_text(bytes, text, sizeof text));
}

static void put_caches(const ride_machine *m, FILE *to) {
    const uint64_t bytes[] = {m->cache_l1_bytes, m->cache_l2_bytes, m->cache_l3_bytes};
    const char *before = "  caches       ";
    for (int level = 0; level < 3; level++) {
        if (bytes[level] == 0) continue;
        bool small = bytes[level] < 1 << 20;
        fprintf(to, "%sL%d %" PRIu64 " %s", before, level + 1, bytes[level] >> (small ? 10 : 20),
                small ? "KiB" : "MiB");
        before = ", ";
    }
    if (before[0] == ',') fprintf(to, " (%u shared)\n", m->caches_count);
}

static void put_devices(const ride_machine *m, FILE *to) {
    for (uint32_t i = 0; i < m->devices_count; i++) {
        const ride_pci_device *d = &m->devices[i];
        fprintf(to, "%-11s    %s, %04x:%04x", pci_kind(d->kind), d->bus, d->vendor, d->device);
        if (d->name[0] != '\0') fprintf(to, ", %s", d->name);
        if (d->node != RIDE_NODE_NONE) fprintf(to, ", near node %u\n", m->nodes[d->node].os);
        else fputs(", near no node more than others\n", to);
    }
    if (m->devices_more > 0) fprintf(to, "               and %u more devices\n", m->devices_more);
}

static void put_limits(const ride_machine *m, FILE *to) {
    if (m->cores_count < m->cores_all || m->cpus_count < m->cpus_all)
        fprintf(to, "  usable       %u of %u cores, %u of %u CPUs\n", m->cores_count, m->cores_all, m->cpus_count,
                m->cpus_all);
    if (m->cpu_quota_milli != 0)
        fprintf(to, "  quota        %u.%03u cores\n", m->cpu_quota_milli / 1000, m->cpu_quota_milli % 1000);
    if (m->memory_limit_bytes != 0) {
        put_size("  limit        ", m->memory_limit_bytes, to);
        fputs(" of memory\n", to);
    }
}

void cli_machine_text(const ride_machine *m, FILE *to) {
    char cpus[128];
    uint64_t reserved = 0, free = 0;
    fprintf(to, "machine        %s: %u package%s, %u core%s, %u CPU%s, %u node%s", m->origin, m->packages_count,
            plural(m->packages_count), m->cores_all, plural(m->cores_all), m->cpus_all, plural(m->cpus_all),
            m->nodes_count, plural(m->nodes_count));
    put_size(", ", m->memory_bytes, to);
    fputc('\n', to);
    put_limits(m, to);
    put_caches(m, to);
    for (uint32_t n = 0; n < m->nodes_count; n++) {
        reserved += m->nodes[n].huge_bytes;
        free += m->nodes[n].huge_free_bytes;
    }
    fprintf(to, "  huge pages   transparent: %s; reserved: ", m->huge_mode[0] != '\0' ? m->huge_mode : "not known");
    if (reserved == 0) fputs("none\n", to);
    else fprintf(to, "%" PRIu64 " MiB, %" PRIu64 " MiB free\n", reserved >> 20, free >> 20);
    for (uint32_t n = 0; n < m->nodes_count; n++) {
        fprintf(to, "node %-9u ", m->nodes[n].os);
        if (m->nodes[n].cores_count == 0) fputs("no usable core", to);
        else
            fprintf(to, "%u core%s, CPUs %s", m->nodes[n].cores_count, plural(m->nodes[n].cores_count),
                    ride_cpus_text(&m->nodes[n].cpus, cpus, sizeof cpus));
        put_size(", ", m->nodes[n].memory_bytes, to);
        fputc('\n', to);
    }
    put_devices(m, to);
}

/* Of the batches, which all shards work on. */
static uint64_t pool_bytes(const cli_topology *t, uint32_t node) {
    return t->placement->threads[0].node == node ? t->batches_bytes : 0;
}

void cli_placement_text(const cli_topology *t, FILE *to) {
    const ride_placement *p = t->placement;
    char cpus[128], name[32];
    fprintf(to, "placement      %u shard%s on %s", p->shards_count, plural(p->shards_count), t->backend);
    fputs(p->binds ? ", threads bound to cores\n" : ", threads not bound\n", to);
    for (uint32_t i = 0; i < p->threads_count; i++) {
        const ride_place_thread *thread = &p->threads[i];
        snprintf(name, sizeof name, "%s %u", ride_place_role_name(thread->role), thread->index);
        fprintf(to, "  %-12s CPU%s %s, memory of node %u", name, ride_cpus_count(&thread->cpus) > 1 ? "s" : "",
                ride_cpus_text(&thread->cpus, cpus, sizeof cpus), t->machine->nodes[thread->node].os);
        if (thread->device != RIDE_DEVICE_NONE) fprintf(to, ", device %u", thread->device);
        fputs(p->binds && !thread->is_alone ? ", shares its core\n" : "\n", to);
    }
    fprintf(to, "  others       CPUs %s\n", ride_cpus_text(&p->rest, cpus, sizeof cpus));
    for (uint32_t n = 0; n < t->machine->nodes_count; n++) {
        if ((p->pool_nodes >> n & 1) == 0) continue;
        fprintf(to, "  pool         node %u, of %u shard%s", t->machine->nodes[n].os, p->pool_shards[n],
                plural(p->pool_shards[n]));
        if (pool_bytes(t, n) > 0) put_size(", ", pool_bytes(t, n), to);
        fputc('\n', to);
    }
    for (uint32_t i = 0; i < p->notes_count; i++) fprintf(to, "  note         %s\n", p->notes[i]);
}

static void put_string(const char *text, FILE *to) {
    size_t bytes = strlen(text);
    char *quoted = malloc(6 * bytes + 2);
    if (quoted != NULL) fwrite(quoted, 1, ride_json_quote(text, bytes, quoted), to);
    else fputs("null", to);
    free(quoted);
}

static void put_text(const char *member, const char *text, FILE *to) {
    fprintf(to, "\"%s\": ", member);
    put_string(text, to);
}

static void put_cpus(const char *member, const ride_cpus *set, FILE *to) {
    bool first = true;
    fprintf(to, "\"%s\": [", member);
    for (uint32_t cpu = 0; cpu < RIDE_CPUS_MAX; cpu++) {
        if (!ride_cpus_has(set, cpu)) continue;
        fprintf(to, "%s%u", first ? "" : ", ", cpu);
        first = false;
    }
    fputc(']', to);
}

/* A node by its os number, null where there is none. */
static void put_node(const ride_machine *m, uint32_t node, FILE *to) {
    if (node == RIDE_NODE_NONE) fputs("\"node\": null", to);
    else fprintf(to, "\"node\": %u", m->nodes[node].os);
}

static void machine_json(const ride_machine *m, FILE *to) {
    fputs("{\"machine\": {", to);
    put_text("origin", m->origin, to);
    fprintf(to,
            ", \"is_this\": %s, \"packages\": %u, \"cores_all\": %u, \"cpus_all\": %u, \"cores\": %u, "
            "\"memory_bytes\": %" PRIu64 ", \"memory_limit_bytes\": %" PRIu64
            ", \"cpu_quota_milli\": %u,\n  \"l1_bytes\": %" PRIu64 ", \"l2_bytes\": %" PRIu64 ", \"l3_bytes\": %" PRIu64
            ", \"l3_count\": %u, ",
            m->is_this ? "true" : "false", m->packages_count, m->cores_all, m->cpus_all, m->cores_count,
            m->memory_bytes, m->memory_limit_bytes, m->cpu_quota_milli, m->cache_l1_bytes, m->cache_l2_bytes,
            m->cache_l3_bytes, m->caches_count);
    put_text("transparent_huge_pages", m->huge_mode, to);
    fputs(", ", to);
    put_cpus("cpus", &m->cpus, to);
    fputs(",\n  \"nodes\": [", to);
    for (uint32_t n = 0; n < m->nodes_count; n++) {
        const ride_node *node = &m->nodes[n];
        fprintf(to,
                "%s{\"node\": %u, \"cores\": %u, \"memory_bytes\": %" PRIu64 ", \"huge_bytes\": %" PRIu64
                ", \"huge_free_bytes\": %" PRIu64 ", ",
                n > 0 ? ",\n    " : "", node->os, node->cores_count, node->memory_bytes, node->huge_bytes,
                node->huge_free_bytes);
        put_cpus("cpus", &node->cpus, to);
        fputc('}', to);
    }
    fputs("],\n  \"devices\": [", to);
    for (uint32_t i = 0; i < m->devices_count; i++) {
        const ride_pci_device *d = &m->devices[i];
        fprintf(to, "%s{\"kind\": \"%s\", \"bus\": \"%s\", \"vendor\": %u, \"device\": %u, ", i > 0 ? ",\n    " : "",
                pci_kind(d->kind), d->bus, d->vendor, d->device);
        put_text("name", d->name, to);
        fputs(", ", to);
        put_node(m, d->node, to);
        fputc('}', to);
    }
    fputs("]}", to);
}

void cli_topology_json(const cli_topology *t, FILE *to) {
    const ride_placement *p = t->placement;
    machine_json(t->machine, to);
    fprintf(to, ",\n \"placement\": {\"binds\": %s, \"shards\": %u, ", p->binds ? "true" : "false", p->shards_count);
    put_text("backend", t->backend, to);
    fputs(", ", to);
    put_cpus("others", &p->rest, to);
    fputs(",\n  \"threads\": [", to);
    for (uint32_t i = 0; i < p->threads_count; i++) {
        const ride_place_thread *thread = &p->threads[i];
        fprintf(to, "%s{\"role\": \"%s\", \"index\": %u, ", i > 0 ? ",\n    " : "", ride_place_role_name(thread->role),
                thread->index);
        put_node(t->machine, thread->node, to);
        if (thread->device != RIDE_DEVICE_NONE) fprintf(to, ", \"device\": %u", thread->device);
        else fputs(", \"device\": null", to);
        fprintf(to, ", \"alone\": %s, ", thread->is_alone ? "true" : "false");
        put_cpus("cpus", &thread->cpus, to);
        fputc('}', to);
    }
    fputs("],\n  \"pools\": [", to);
    bool first = true;
    for (uint32_t n = 0; n < t->machine->nodes_count; n++) {
        if ((p->pool_nodes >> n & 1) == 0) continue;
        fprintf(to, "%s{\"node\": %u, \"shards\": %u, \"bytes\": %" PRIu64 "}", first ? "" : ", ",
                t->machine->nodes[n].os, p->pool_shards[n], pool_bytes(t, n));
        first = false;
    }
    fputs("],\n  \"notes\": [", to);
    for (uint32_t i = 0; i < p->notes_count; i++) {
        if (i > 0) fputs(", ", to);
        put_string(p->notes[i], to);
    }
    fputs("]}}\n", to);
}
