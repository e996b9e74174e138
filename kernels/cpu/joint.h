/* kernels/cpu/joint.h: forests of several members as one, each member's sums an output of it: a question that two of them ask is asked once for both, and
 * so is everything else that is done once for a forest. Members whose trees were trained on one histogram, or folds of one training, share most of their conditions. */
#ifndef RIDE_KERNELS_CPU_JOINT_H
#define RIDE_KERNELS_CPU_JOINT_H
#include "base/error.h"
#include "kernels/cpu/forest.h"

typedef struct ride_cpu_joint ride_cpu_joint; /* immutable after create */

typedef struct ride_joint_member {
    const ride_forest *forest;
    const uint32_t *columns;    /* of each input: the joint forest's */
    const ride_cpu_forest *own; /* its own engine */
} ride_joint_member;

/* May two forests be of one? Numbers of inputs and sums and the place of the base margin are a forest's; leaves must be plain and added. */
bool ride_cpu_joint_fits(const ride_forest *a, const ride_forest *b);

/* columns_count: inputs of the joint forest. *out NULL with RIDE_OK: it would not be faster than its members one after the other, by the
 * engines' own estimates for a whole block. Nothing is kept. The caller owns *out. */
ride_status ride_cpu_joint_create(const ride_joint_member *members, uint32_t members_count, uint32_t columns_count,
                                  ride_cpu_isa isa, ride_cpu_joint **out, ride_error *err);
void ride_cpu_joint_destroy(ride_cpu_joint *joint); /* NULL is fine */

/* From now on one is made whether faster or not: for tests, before threads exist. */
void ride_cpu_joint_always(bool always);

/* Its outputs are the members', one member after the other. */
const ride_cpu_forest *ride_cpu_joint_forest(const ride_cpu_joint *joint);
const ride_forest_header *ride_cpu_joint_header(const ride_cpu_joint *joint);

#endif
