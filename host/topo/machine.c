/* topo/machine.c: see the header. */
#include "topo/machine.h"

#include <stdio.h>
#include <string.h>

uint32_t ride_cpus_count(const ride_cpus *set) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < RIDE_CPUS_MAX / 64; i++) count += (uint32_t)__builtin_popcountll(set->bits[i]);
    return count;
}

void ride_cpus_join(ride_cpus *set, const ride_cpus *other) {
    for (uint32_t i = 0; i < RIDE_CPUS_MAX / 64; i++) set->bits[i] |= other->bits[i];
}

bool ride_cpus_same(const ride_cpus *one, const ride_cpus *two) { return memcmp(one, two, sizeof *one) == 0; }

char *ride_cpus_text(const ride_cpus *set, char *text, size_t text_bytes_max) {
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t first = 0; first < RIDE_CPUS_MAX; first++) {
        char part[32];
        if (!ride_cpus_has(set, first)) continue;
        uint32_t last = first;
        while (ride_cpus_has(set, last + 1)) last++;
        int bytes = last > first ? snprintf(part, sizeof part, "%s%u-%u", used > 0 ? "," : "", first, last)
                                 : snprintf(part, sizeof part, "%s%u", used > 0 ? "," : "", first);
        if (used + (size_t)bytes + 4 > text_bytes_max) { /* room for the mark */
            if (used + 4 <= text_bytes_max) memcpy(text + used, "…", 4);
            return text;
        }
        memcpy(text + used, part, (size_t)bytes + 1);
        used += (size_t)bytes;
        first = last;
    }
    return text;
}

uint64_t ride_machine_memory(const ride_machine *machine) {
    uint64_t limit = machine->memory_limit_bytes;
    return limit != 0 && (limit < machine->memory_bytes || machine->memory_bytes == 0) ? limit : machine->memory_bytes;
}

uint32_t ride_machine_cores(const ride_machine *machine) {
    uint32_t quota = machine->cpu_quota_milli / 1000, cores = machine->cores_count;
    if (machine->cpu_quota_milli != 0 && quota < cores) cores = quota;
    return cores > 0 ? cores : 1;
}

uint32_t ride_machine_node(const ride_machine *machine, int64_t os) {
    for (uint32_t n = 0; n < machine->nodes_count; n++)
        if (os >= 0 && machine->nodes[n].os == os) return n;
    return RIDE_NODE_NONE;
}
