/* kernels/cpu/state.h: a program (bundle made ready), a state (all entities) and the work of one batch. Private. */
#ifndef RIDE_KERNELS_CPU_STATE_H
#define RIDE_KERNELS_CPU_STATE_H
#include "kernels/cpu/own.h"
#include "kernels/cpu/profile.h"
#include "kernels/cpu/program.h"
#include "kernels/cpu/rows.h"
#include "kernels/cpu/score.h"
#include "ride/backend.h"

enum { RIDE_FLIGHT = 4 /* blocks in the pipeline: slots, records, lines, work */ };

struct ride_device {
    ride_cpu_isa isa;
    ride_backend_services services; /* memory of its buffers */
};

struct ride_program_dev {
    uint64_t number; /* 1, 2, 3 … in this process: another program may lie at the address of one that is gone */
    ride_cpu_isa isa;
    uint8_t *image;
    ride_bundle bundle;
    ride_tile_layout in_layout, out_layout; /* with a plan */
    ride_cpu_model model;                   /* nothing without one */
    ride_cpu_scorer *scorer;                /* with a plan and a model, else NULL */
    ride_cpu_profile *profile;              /* NULL without a profile */
};

struct ride_state {
    const ride_program_dev *program;
    ride_state_options options;
    uint32_t entities_count;
    ride_cpu_entity *entities;
    ride_cpu_rows *rows; /* [2 * entities_count]: two blocks are between lines and work */
    uint32_t *found;     /* [entity][RIDE_FLIGHT][64] record indexes */
    uint64_t *hash;      /* [entity][RIDE_FLIGHT][64] */
    ride_cpu_conditions conditions;
    uint32_t conditions_tiles[RIDE_CHUNK_TILES]; /* tiles whose conditions are there, UINT32_MAX = none */
    ride_cpu_own *own;                           /* NULL: every vnode is its */
    bool broken;                                 /* ran out of memory: every further submit fails */
};

/* WINDOWS of rows [0, work->rows_count): conditions and aggregates into the output tiles' feature columns and flags. */
ride_status ride_cpu_state_apply(ride_state *state, ride_cpu_program_scratch *scratch, const ride_work *work);

ride_status ride_cpu_state_create(ride_device *device, const ride_program_dev *program,
                                  const ride_state_options *options, ride_state **out, ride_error *err);
void ride_cpu_state_destroy(ride_state *state);
void ride_cpu_state_stats(const ride_state *state, ride_state_stats *out);
ride_status ride_cpu_state_save(ride_state *const *states, uint32_t states_count, uint32_t vnode_first,
                                uint32_t vnodes_count, ride_write_fn write, void *context, ride_error *err);
ride_status ride_cpu_state_restore(ride_state *const *states, uint32_t states_count, ride_read_fn read, void *context,
                                   ride_error *err);

#endif
