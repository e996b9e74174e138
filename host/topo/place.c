/* topo/place.c: see the header. Cores are taken one by one; who comes first gets the better one, so shards come first. */
#include "topo/place.h"

#include <stdarg.h>
#include <stdio.h>

typedef struct placing {
    const ride_machine *machine;
    ride_placement *out;
    uint8_t taken[RIDE_CORES_MAX];        /* threads on each core */
    uint32_t of_node[RIDE_NODES_MAX + 1]; /* threads on each node; the last: cores of no node */
} placing;

static void note(ride_placement *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(ride_placement *out, const char *format, ...) {
    if (out->notes_count == RIDE_PLACE_NOTES_MAX) return;
    va_list args;
    va_start(args, format);
    vsnprintf(out->notes[out->notes_count++], RIDE_PLACE_NOTE_BYTES, format, args);
    va_end(args);
}

static uint32_t pairs(uint32_t shards) {
    return (shards + RIDE_PLACE_SHARDS_PER_PAIR - 1) / RIDE_PLACE_SHARDS_PER_PAIR;
}

/* Ingest and emit threads of so many shards: of one node when it has room for all, else of each. */
static uint32_t helpers(const ride_machine *machine, uint32_t shards) {
    uint32_t nodes = 0;
    for (uint32_t n = 0; n < machine->nodes_count; n++) {
        if (machine->nodes[n].cores_count >= shards + 2 * pairs(shards)) return 2 * pairs(shards);
        nodes += machine->nodes[n].cores_count > 0;
    }
    return nodes > 0 ? 2 * nodes * pairs((shards + nodes - 1) / nodes) : 2 * pairs(shards);
}

/* Shards and their helpers on so many cores, one left for the threads of Kafka and HTTP. */
static uint32_t shards_that_fit(const ride_machine *machine, uint32_t cores, bool pipeline) {
    uint32_t shards = cores > 1 ? cores - 1 : 1;
    while (pipeline && shards > 1 && shards + helpers(machine, shards) + 1 > cores) shards--;
    return shards < RIDE_PLACE_SHARDS_MAX ? shards : RIDE_PLACE_SHARDS_MAX;
}

static void choose_sizes(const ride_machine *machine, const ride_place_wish *wish, ride_placement *out) {
    uint32_t cores = ride_machine_cores(machine), shards = wish->shards;
    if (shards > RIDE_PLACE_SHARDS_MAX) shards = RIDE_PLACE_SHARDS_MAX;
    out->mode = wish->mode;
    if (out->mode == RIDE_PLACE_AUTO) {
        uint32_t least = shards != 0 ? shards : wish->devices_count != 0 ? wish->devices_count : 1;
        out->mode = cores >= 4 && cores >= least + helpers(machine, least) ? RIDE_PLACE_PIPELINE : RIDE_PLACE_INLINE;
    }
    if (shards == 0 && wish->devices_count > 0)
        shards = wish->devices_count < RIDE_PLACE_SHARDS_MAX ? wish->devices_count : RIDE_PLACE_SHARDS_MAX;
    if (shards == 0) shards = shards_that_fit(machine, cores, out->mode == RIDE_PLACE_PIPELINE);
    out->shards_count = shards;
}

/* The node of a shard without a near device. One node while it has room for all, else the one with most room. */
static uint32_t roomy_node(const placing *p, uint32_t together) {
    const ride_machine *m = p->machine;
    uint32_t best = RIDE_NODE_NONE;
    for (uint32_t n = 0; n < m->nodes_count; n++)
        if (m->nodes[n].cores_count >= together &&
            (best == RIDE_NODE_NONE || m->nodes[n].cores_count > m->nodes[best].cores_count))
            best = n;
    if (best != RIDE_NODE_NONE) return best;
    for (uint32_t n = 0; n < m->nodes_count; n++) { /* threads per core, compared as fractions */
        if (m->nodes[n].cores_count == 0) continue;
        if (best == RIDE_NODE_NONE || (uint64_t)(p->of_node[n] + 1) * m->nodes[best].cores_count <
                                          (uint64_t)(p->of_node[best] + 1) * m->nodes[n].cores_count)
            best = n;
    }
    return best;
}

/* Worse the more it is taken: free; a hardware thread free; shared. Then the faster kind. CPU 0 last: it serves the interrupts of many
 * machines. */
static bool better(const placing *p, uint32_t one, uint32_t two) {
    const ride_core *a = &p->machine->cores[one], *b = &p->machine->cores[two];
    uint32_t layer_a = p->taken[one] == 0 ? 0 : p->taken[one] < a->cpus_count ? 1 : 2;
    uint32_t layer_b = p->taken[two] == 0 ? 0 : p->taken[two] < b->cpus_count ? 1 : 2;
    if (layer_a != layer_b) return layer_a < layer_b;
    if (a->speed != b->speed) return a->speed > b->speed;
    if (p->taken[one] != p->taken[two]) return p->taken[one] < p->taken[two];
    return (a->cpus[0] == 0) < (b->cpus[0] == 0);
}

static ride_place_thread *add(placing *p, ride_place_role role, uint32_t index, uint32_t node) {
    const ride_machine *m = p->machine;
    ride_place_thread *thread = &p->out->threads[p->out->threads_count++];
    *thread = (ride_place_thread){.role = role, .index = index, .node = node, .device = RIDE_DEVICE_NONE};
    uint32_t best = UINT32_MAX;
    for (uint32_t c = 0; c < m->cores_count; c++)
        if ((node == RIDE_NODE_NONE || m->cores[c].node == node) && (best == UINT32_MAX || better(p, c, best)))
            best = c;
    for (uint32_t c = 0; c < m->cores_count && best == UINT32_MAX; c++) best = c; /* a node without cores */
    const ride_core *core = &m->cores[best];
    thread->core = best;
    ride_cpus_add(&thread->cpus, core->cpus[p->taken[best] % core->cpus_count]);
    if (p->taken[best] < UINT8_MAX) p->taken[best]++;
    if (thread->node == RIDE_NODE_NONE) thread->node = core->node != RIDE_NODE_NONE ? core->node : 0;
    p->of_node[core->node != RIDE_NODE_NONE ? core->node : RIDE_NODES_MAX]++;
    return thread;
}

static void place_shards(placing *p, const ride_place_wish *wish) {
    ride_placement *out = p->out;
    uint32_t together = out->shards_count + (out->mode == RIDE_PLACE_PIPELINE ? 2 * pairs(out->shards_count) : 0);
    uint32_t far = 0;
    for (uint32_t s = 0; s < out->shards_count; s++) {
        uint32_t device = wish->devices_count > 0 ? s % wish->devices_count : RIDE_DEVICE_NONE, node = RIDE_NODE_NONE;
        if (device != RIDE_DEVICE_NONE) node = ride_machine_node(p->machine, wish->device_nodes[device]);
        if (node != RIDE_NODE_NONE && p->machine->nodes[node].cores_count == 0) {
            node = RIDE_NODE_NONE; /* the container's cpuset leaves the device's node out */
            far++;
        }
        if (node == RIDE_NODE_NONE) node = roomy_node(p, together);
        add(p, RIDE_PLACE_SHARD, s, node)->device = device;
    }
    if (far > 0)
        note(out, "%u of %u shards are not on their device's node: no core of it may be used", far, out->shards_count);
    if (wish->devices_count > out->shards_count)
        note(out, "%u of %u devices have no shard: runtime.shards is %u", wish->devices_count - out->shards_count,
             wish->devices_count, out->shards_count);
}

/* On each node that has shards: one for every eight of them. */
static uint32_t place_helpers(placing *p, ride_place_role role) {
    uint32_t count = 0, shards[RIDE_NODES_MAX + 1] = {0};
    for (uint32_t s = 0; s < p->out->shards_count; s++) {
        uint32_t node = p->out->threads[s].node;
        shards[node != RIDE_NODE_NONE ? node : RIDE_NODES_MAX]++;
    }
    for (uint32_t n = 0; n <= RIDE_NODES_MAX; n++)
        for (uint32_t i = 0; i < pairs(shards[n]); i++) add(p, role, count++, n < RIDE_NODES_MAX ? n : RIDE_NODE_NONE);
    return count;
}

/* Cores that nobody has; else free hardware threads; else all. */
static void fill_rest(placing *p) {
    const ride_machine *m = p->machine;
    ride_placement *out = p->out;
    for (uint32_t c = 0; c < m->cores_count; c++)
        for (uint32_t i = 0; i < m->cores[c].cpus_count && p->taken[c] == 0; i++)
            ride_cpus_add(&out->rest, m->cores[c].cpus[i]);
    bool none = ride_cpus_count(&out->rest) == 0;
    for (uint32_t c = 0; c < m->cores_count && none; c++)
        for (uint32_t i = p->taken[c]; i < m->cores[c].cpus_count; i++) ride_cpus_add(&out->rest, m->cores[c].cpus[i]);
    if (ride_cpus_count(&out->rest) == 0) out->rest = m->cpus;
}

static void tell_sharing(placing *p) {
    ride_placement *out = p->out;
    uint32_t cores = ride_machine_cores(p->machine), siblings = 0, shared = 0;
    for (uint32_t c = 0; c < p->machine->cores_count; c++) {
        siblings += p->taken[c] > 1 && p->taken[c] <= p->machine->cores[c].cpus_count;
        shared += p->taken[c] > p->machine->cores[c].cpus_count;
    }
    out->binds = cores >= 4 && out->threads_count <= cores;
    if (siblings > 0) note(out, "on %u cores two threads of ours use the hardware threads of one core", siblings);
    if (shared > 0) note(out, "%u threads on %u cores: some share a hardware thread", out->threads_count, cores);
    if (!out->binds)
        note(out, cores < 4 ? "fewer than 4 cores: threads are left to the system's scheduler"
                            : "more threads than cores: threads are left to the system's scheduler");
    if (cores < p->machine->cores_count)
        note(out, "the container may use %u.%03u cores of the %u that it sees", p->machine->cpu_quota_milli / 1000,
             p->machine->cpu_quota_milli % 1000, p->machine->cores_count);
}

/* Where threads are not bound, they may run anywhere on their node. */
static void unbind(placing *p) {
    ride_placement *out = p->out;
    for (uint32_t i = 0; i < out->threads_count; i++) {
        ride_place_thread *thread = &out->threads[i];
        thread->is_alone = false;
        thread->cpus = p->machine->cpus;
    }
    out->rest = p->machine->cpus;
}

void ride_topo_place(const ride_machine *machine, const ride_place_wish *wish, ride_placement *out) {
    static const ride_placement nothing;
    placing p = {.machine = machine, .out = out};
    *out = nothing;
    choose_sizes(machine, wish, out);
    place_shards(&p, wish);
    if (out->mode == RIDE_PLACE_PIPELINE) {
        out->ingest_count = place_helpers(&p, RIDE_PLACE_INGEST);
        out->emit_count = place_helpers(&p, RIDE_PLACE_EMIT);
    }
    fill_rest(&p);
    tell_sharing(&p);
    for (uint32_t i = 0; i < out->threads_count; i++) out->threads[i].is_alone = p.taken[out->threads[i].core] == 1;
    for (uint32_t s = 0; s < out->shards_count; s++) {
        uint32_t node = out->threads[s].node;
        out->pool_nodes |= UINT64_C(1) << node;
        out->pool_shards[node]++;
    }
    if (!out->binds) unbind(&p);
}

const char *ride_place_role_name(ride_place_role role) {
    static const char *const names[] = {"", "shard", "ingest", "emit"};
    return names[role];
}

uint32_t ride_place_server(const ride_placement *placement, ride_place_role role, uint32_t shard) {
    uint32_t node = placement->threads[shard].node, before = 0, count = 0, first = 0;
    for (uint32_t s = 0; s < shard; s++) before += placement->threads[s].node == node;
    for (uint32_t i = placement->shards_count; i < placement->threads_count; i++) {
        if (placement->threads[i].role != role || placement->threads[i].node != node) continue;
        if (count++ == 0) first = placement->threads[i].index;
    }
    return count > 0 ? first + before % count : 0;
}
