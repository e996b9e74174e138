/* cli/topology_report.h: a machine and a placement, for people and as JSON: `ride topology`, and a part of `ride doctor`. */
#ifndef RIDE_CLI_TOPOLOGY_REPORT_H
#define RIDE_CLI_TOPOLOGY_REPORT_H
#include "topo/place.h"

#include <stdio.h>

typedef struct cli_topology {
    const ride_machine *machine;
    const ride_placement *placement;
    const char *backend; /* whose devices the shards use: "cpu", "cuda", "the machine's GPUs" */
    uint64_t
        batches_bytes; /* memory of the batches, on the first shard's node; 0 = not known without a configuration */
} cli_topology;

void cli_machine_text(const ride_machine *machine, FILE *to);
void cli_placement_text(const cli_topology *t, FILE *to);
void cli_topology_json(const cli_topology *t, FILE *to);

#endif
