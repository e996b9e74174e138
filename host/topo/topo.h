/* topo/topo.h: the machine that this process runs on, or another one, for planning and for tests. The home of hwloc.
 *
 *     ride_topo *topo;
 *     RIDE_TRY(ride_topo_load(NULL, &topo, err));                       // this machine
 *     const ride_machine *machine = ride_topo_machine(topo);
 *
 * What counts as usable: what the container's cpuset and the process's own binding (taskset) leave. A topology is loaded once at
 * start; CPUs that come or go later are not seen. Loading takes some ten milliseconds and allocates; binding is a system call.
 *
 * Threads: load and destroy by one; the rest by any. */
#ifndef RIDE_TOPO_TOPO_H
#define RIDE_TOPO_TOPO_H
#include "base/error.h"
#include "topo/machine.h"

typedef struct ride_topo ride_topo;

/* from: NULL = this machine; "synthetic:package:2 numa:1 core:16 pu:2" (hwloc's words); else an XML file that hwloc wrote (`lstopo
 * machine.xml`, or ride_topo_record). RIDE_E_NO_INPUT, RIDE_E_DATA, RIDE_E_UNSUPPORTED (more CPUs than RIDE_CPUS_MAX). */
ride_status ride_topo_load(const char *from, ride_topo **out, ride_error *err);
void ride_topo_destroy(ride_topo *topo); /* NULL is fine */
const ride_machine *ride_topo_machine(const ride_topo *topo);
/* Writes the topology as XML: what ride_topo_load reads. It names the host and its devices. */
ride_status ride_topo_record(const ride_topo *topo, const char *path, ride_error *err);

/* Binds the calling thread. RIDE_E_UNSUPPORTED where the topology is not this machine's, or the system does not bind. */
ride_status ride_topo_bind_thread(const ride_topo *topo, const ride_cpus *cpus, ride_error *err);
/* What the calling thread may run on now. */
ride_status ride_topo_thread_cpus(const ride_topo *topo, ride_cpus *out, ride_error *err);
/* Pages of the region that are touched from now on come from the node (an index), or not at all where the system keeps to it. */
ride_status ride_topo_bind_memory(const ride_topo *topo, const void *region, uint64_t bytes, uint32_t node,
                                  ride_error *err);
/* The node (index) that holds the region's touched pages; RIDE_NODE_NONE when none is touched, several hold them, or it is not known. */
uint32_t ride_topo_memory_node(const ride_topo *topo, const void *region, uint64_t bytes);

#endif
