/* kernels/cpu/profile.h: counts the rows of a tile into the cells of a profile (kernels/layout/profile.h). The cells are those of
 * kernels/row/profile.h value by value; only the way there is shorter. */
#ifndef RIDE_KERNELS_CPU_PROFILE_H
#define RIDE_KERNELS_CPU_PROFILE_H
#include "base/error.h"
#include "base/tile.h"
#include "kernels/cpu/isa.h"
#include "kernels/layout/profile.h"

typedef struct ride_cpu_profile ride_cpu_profile; /* immutable after create: any number of threads */

/* For a bundle with a plan and a profile. in and out are the plan's tile layouts. The bundle is borrowed and must outlive it. The
 * caller owns *profile. What ride_profile_open says, or RIDE_E_MEMORY. */
ride_status ride_cpu_profile_create(const ride_bundle *bundle, const ride_tile_layout *in, const ride_tile_layout *out,
                                    ride_cpu_isa isa, ride_cpu_profile **profile, ride_error *err);
void ride_cpu_profile_destroy(ride_cpu_profile *profile); /* NULL is fine */
uint32_t ride_cpu_profile_cells_count(const ride_cpu_profile *profile);

/* Adds the events among rows 0 … rows_count-1 of one tile to `cells`: labels and skipped rows are left out. out_tile holds the
 * features and, where the profile has them, the scores. Allocates nothing. */
void ride_cpu_profile_tile(const ride_cpu_profile *profile, const void *in_tile, const void *out_tile,
                           uint32_t rows_count, uint64_t *cells);

#endif
