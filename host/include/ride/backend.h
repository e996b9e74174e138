/* ride/backend.h: the backend table: how the host uses a device, and the ABI of a backend plugin.
 *
 * A backend is a struct of functions. Calls are coarse: a few per batch, never per event. The host never assumes that
 * memory is shared: tiles travel in buffers that the backend gave out (buffer_alloc: pinned where that means
 * something), work is submitted to a queue and completes asynchronously, in submission order within one queue.
 *
 * Life: probe → device_count/device_props → device_open → program_upload (a bundle image) → state_create →
 * queue_create → submit/poll/wait … → destroyed in reverse order. Programs, states and counts may also go, and others come, while a
 * queue lives that has no work with them in flight. What is borrowed by a submitted work (tiles in and out)
 * must stay untouched until its ticket completes.
 *
 * Threads: a queue belongs to one thread at a time. Different queues of a device may be used by different threads. A state
 * is used by one queue at a time. probe, device_count, device_props and program_supports: any thread.
 *
 * Errors: set-up calls fill a ride_error. submit/poll/wait return a status only:
 *   RIDE_FULL           the queue has no room: nothing was taken; back-pressure is the caller's
 *   RIDE_PENDING        (poll, wait) not finished within the time
 *   RIDE_E_DEVICE_LOST  the device is gone: every ticket that has not completed never will; re-submit elsewhere
 * A lost device is a status, not an abort. */
#ifndef RIDE_BACKEND_H
#define RIDE_BACKEND_H
#include "base/error.h"
#include "base/tile.h"
#include "kernels/layout/bundle.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { RIDE_BACKEND_ABI = 8, RIDE_VNODES = 1024 };

typedef struct ride_device ride_device;           /* an opened device */
typedef struct ride_program_dev ride_program_dev; /* a bundle, made ready on a device; immutable */
typedef struct ride_state ride_state;             /* window state of a range of vnodes on a device */
typedef struct ride_queue ride_queue;             /* an ordered stream of work */
typedef struct ride_explainer ride_explainer;     /* what explains a program's model; immutable */
typedef struct ride_counts ride_counts;           /* the cells of a program's profile on a device */
typedef uint64_t ride_ticket;                     /* 1, 2, 3 … per queue */

/* What the host gives to a backend. Outlives it. All functions: any thread. */
typedef struct ride_backend_services {
    uint32_t struct_bytes;
    void *context;
    void (*log)(void *context, int level, const char *text); /* level: 0 debug … 3 error */
    uint64_t (*now_ns)(void *context);                       /* monotonic; virtual in simulations */
    void (*sleep_until_ns)(void *context, uint64_t deadline_ns);
    /* Host memory for host buffers, where the backend has no better one (pinned): zeroed, 4 KiB aligned, bound to a node as the host
     * thinks fit; NULL when there is none. */
    void *memory_context;
    void *(*memory_alloc)(void *memory_context, uint64_t bytes);
    void (*memory_free)(void *memory_context, void *memory);
} ride_backend_services;

typedef struct ride_device_props {
    char name[64];
    char kind[16];         /* "cpu", "cuda", "fake" */
    uint64_t memory_bytes; /* what state may use; 0 = unknown */
    int32_t numa_node;     /* nearest, -1 = unknown */
    uint32_t queues_max;   /* 0 = no limit */
    uint32_t asynchronous; /* 1: submit returns before the work is done */
    uint32_t cores;        /* cpu: usable cores; gpu: multiprocessors */
    uint32_t
        tiles_shared; /* 1: WINDOWS of several states, each on a queue of its own, may work on one batch's tiles at the same time */
} ride_device_props;

typedef enum ride_buffer_kind {
    RIDE_BUFFER_HOST = 1,   /* readable by the host and by the device; pinned where that exists */
    RIDE_BUFFER_DEVICE = 2, /* device only */
} ride_buffer_kind;

/* A state of all vnodes computes every row. One of a part computes, of each entity, the rows whose key is of its vnodes, and passes
 * over the others: their cells stay as they are. So states whose ranges together are all vnodes, each given the same batches, give
 * what one state gives. A null key is of vnode 0. */
typedef struct ride_state_options {
    uint32_t vnode_first, vnodes_count; /* which keys it owns: ride_key_vnode(key) in the range */
    uint64_t
        memory_bytes_max; /* 0 = no bound but the machine; exceeding it is RIDE_E_MEMORY at submit, naming nothing silently */
    uint64_t reserve_keys; /* per entity, to be allocated now; 0 = the range's share of the plan's expected_keys */
} ride_state_options;

typedef enum ride_stage {
    RIDE_STAGE_WINDOWS = 1,     /* conditions and aggregates of the state's vnodes; changes the state */
    RIDE_STAGE_EXPRESSIONS = 2, /* features made of columns and aggregates */
    RIDE_STAGE_SCORE = 4,       /* margin and probability from the vector */
    RIDE_STAGE_RULES = 8,       /* first rule that holds */
    RIDE_STAGE_PROFILE =
        16, /* counts the events of the batch (labels and skipped rows left out) in the work's `counts`; the vector
             * and, where the profile has them, the scores are read from the same work or from out_tiles */
    RIDE_STAGE_FEATURES = RIDE_STAGE_WINDOWS | RIDE_STAGE_EXPRESSIONS,
} ride_stage;

/* One batch. The heads of its tiles say the arrival numbers of the rows (sequence_first); labels name events by them, so none may come twice in
 * the life of a state, saved and restored ones included. in: tiles of the plan's input layout; out: tiles of the plan's output layout, as many, same rows. Row r of
 * out belongs to row r of in; rows flagged LABEL or SKIP leave their output row undefined.
 *
 * Everything but WINDOWS is done row by row: a run of whole tiles of a batch is a work too, so a batch's tiles may be divided between queues
 * (each with counts of its own) once all of its windows are there. A stage that reads what an earlier work wrote reads it from out_tiles.
 *
 * Flags of the output: WINDOWS of a state of all vnodes sets them. WINDOWS of a state of a part adds to them, atomically where
 * tiles_shared; whoever submits such works sets them to zero before the first of a batch (ride_out_flags_clear). */
typedef struct ride_work {
    uint32_t stages; /* ride_stage bits */
    uint32_t rows_count;
    const uint8_t *in_tiles;
    uint8_t *out_tiles;
    const char *arena; /* string bytes the input slices point into; may be NULL when no program reads strings */
    uint64_t arena_bytes;
    ride_counts *counts; /* with RIDE_STAGE_PROFILE; used by one queue at a time */
    /* Clocks, the same way in all works of a state. 0: the rows have one, which never goes back; what has expired for a row has for all
     * behind it. 1: several streams with a clock each, and no key in two of them: what has expired is told here, and a row's clock says
     * only what the row itself sees. No row of this work, and no row of a later one whose key has entries, has a clock before expire_us. It
     * may go back, where another stream begins. Of such a state a save holds
     * all that may still be seen; what else it holds depends on the batches. */
    uint32_t many_clocks;
    int64_t expire_us;
} ride_work;

typedef struct ride_state_stats {
    uint64_t keys, entries, bytes; /* all entities together; bytes = everything the state holds */
    uint64_t evicted_entries, late_inserts;
} ride_state_stats;

typedef struct ride_queue_stats {
    uint64_t submitted, completed, failed, rows;
    uint64_t busy_ns; /* time the device worked for this queue */
} ride_queue_stats;

/* Rows of a matrix in host memory, and where their results go. Value i of row r is values[r * row_stride + i * column_stride]; strides are in
 * elements and may be of either sign; NaN is missing. Column i is input i of the model, with a plan too. */
typedef struct ride_rows {
    const void *values;
    uint32_t type;     /* RIDE_TYPE_F32 or RIDE_TYPE_F64 */
    uint32_t out_type; /* likewise, of both results; a double that does not fit is rounded to the nearest float */
    uint64_t rows_count;
    int64_t row_stride, column_stride;
    void *margins,
        *answers; /* each NULL, or rows_count * outputs_count numbers, row by row; neither overlaps the other or the values */
    void *members; /* NULL, or rows_count * members_count numbers: the members' answers, NaN where one was not asked */
} ride_rows;

typedef struct ride_rows_shape {
    uint32_t columns_count; /* of the matrix */
    uint32_t outputs_count;
    uint32_t in_type;       /* RIDE_TYPE_F32: all values are rounded to floats first */
    uint32_t out_type;      /* RIDE_TYPE_F32: margins and answers are floats, and lose nothing as such */
    uint64_t scratch_bytes; /* of one call */
    uint32_t
        members_count; /* answers of an ensemble's members together, one member after the other; 0: one plain forest */
    uint32_t reserved;
} ride_rows_shape;

/* What scores a part of a program's model, for reports. A model is one forest, or an ensemble whose members have a network, a forest or both. */
enum { RIDE_PART_SIZES = 4 };
typedef struct ride_part_size {
    uint32_t rows_count;
    char way[28];      /* that a call with so many rows goes: "wide planes"; static text of the backend */
    double ns_per_row; /* estimated; 0 = not known */
} ride_part_size;
typedef struct ride_part {
    uint32_t member; /* of the ensemble, the stacker last; 0 for one plain forest */
    uint32_t is_network;
    uint64_t bytes; /* of what was made of it at upload, beside the program's image */
    char why[168];  /* what the ways follow from */
    uint32_t sizes_count;
    ride_part_size sizes[RIDE_PART_SIZES];
} ride_part;
typedef void (*ride_part_fn)(void *context, const ride_part *part);

/* How rows are to be explained. Zero = the default, in each. */
typedef struct ride_explainer_options {
    uint32_t struct_bytes; /* sizeof(ride_explainer_options) */
    uint32_t reserved;     /* 0 */
    uint64_t
        bytes_max; /* of all that is held, and while it is made: 256 MiB. Less of it makes more leaves deep; below 16 MiB: of tables alone */
    /* Rows that stand for those that are not known: values, type, rows_count and strides are read, during create only. NULL: path dependent. */
    const ride_rows *background;
} ride_explainer_options;

/* What an explainer has made. */
typedef struct ride_explainer_figures {
    uint64_t bytes;
    uint32_t groups;                   /* of leaves, with tables */
    uint32_t deep_leaves;              /* computed for each row instead */
    uint32_t by_weights, by_gradients; /* members without trees: sums of weights, networks */
} ride_explainer_figures;

/* Receives the pieces of a serialised state in order; a status other than RIDE_OK stops the save and is returned. */
typedef ride_status (*ride_write_fn)(void *context, const void *data, size_t bytes);
/* Reads exactly `bytes` or fails (RIDE_E_CORRUPT at a premature end). */
typedef ride_status (*ride_read_fn)(void *context, void *data, size_t bytes);

typedef struct ride_backend_ops {
    uint32_t abi;          /* RIDE_BACKEND_ABI */
    uint32_t struct_bytes; /* sizeof(ride_backend_ops) */
    const char *name;      /* "cpu" */

    /* Find. probe: RIDE_OK, or why this backend cannot run here. */
    ride_status (*probe)(ride_error *err);
    uint32_t (*device_count)(void);
    ride_status (*device_props)(uint32_t device_index, ride_device_props *out, ride_error *err);
    ride_status (*device_open)(uint32_t device_index, ride_device **out, ride_error *err);
    void (*device_close)(ride_device *device);

    /* Hold. A host buffer is 4 KiB aligned. */
    ride_status (*queue_create)(ride_device *device, uint32_t depth_max, ride_queue **out, ride_error *err);
    void (*queue_destroy)(ride_queue *queue); /* waits for what was submitted */
    ride_status (*buffer_alloc)(ride_device *device, ride_buffer_kind kind, uint64_t bytes, void **out,
                                ride_error *err);
    void (*buffer_free)(ride_device *device, ride_buffer_kind kind, void *buffer);

    /* Model. supports: RIDE_OK, or RIDE_E_UNSUPPORTED and why. upload copies what it needs from the bundle. */
    ride_status (*program_supports)(const ride_bundle *bundle, ride_error *err);
    ride_status (*program_upload)(ride_device *device, const ride_bundle *bundle, ride_program_dev **out,
                                  ride_error *err);
    void (*program_release)(ride_program_dev *program);

    /* State. save and restore run on idle states: one, or several of one bundle in the order of their ranges, which do not meet. A save is of the
     * vnodes of the range that they own; its bytes depend only on the events that made the states, never on batch sizes, sweeps or
     * how the vnodes are divided between states. restore adds the saved keys, each to the state that owns its vnode (one must, and that vnode must
     * be empty). Format: versioned, checksummed, tied to the plan by spec hash; see docs. */
    ride_status (*state_create)(ride_device *device, const ride_program_dev *program, const ride_state_options *options,
                                ride_state **out, ride_error *err);
    void (*state_destroy)(ride_state *state);
    ride_status (*state_save)(ride_state *const *states, uint32_t states_count, uint32_t vnode_first,
                              uint32_t vnodes_count, ride_write_fn write, void *context, ride_error *err);
    ride_status (*state_restore)(ride_state *const *states, uint32_t states_count, ride_read_fn read, void *context,
                                 ride_error *err);
    void (*state_stats)(const ride_state *state, ride_state_stats *out);

    /* Counts of a program whose bundle has a profile (kernels/layout/profile.h): all cells of all columns, begun at zero. take
     * copies the cells_count cells and sets them to zero; no work with these counts may be in flight. */
    ride_status (*counts_create)(ride_device *device, const ride_program_dev *program, ride_counts **out,
                                 ride_error *err);
    void (*counts_destroy)(ride_counts *counts);
    ride_status (*counts_take)(ride_counts *counts, uint64_t *out, ride_error *err);

    /* Work. submit never blocks. state may be NULL when stages has no WINDOWS. A ticket completes once; poll or wait with
     * it any number of times. wait: timeout_ns 0 = poll, UINT64_MAX = for ever. */
    ride_status (*submit)(ride_queue *queue, const ride_program_dev *program, ride_state *state, const ride_work *work,
                          ride_ticket *out);
    ride_status (*poll)(ride_queue *queue, ride_ticket ticket);
    ride_status (*wait)(ride_queue *queue, ride_ticket ticket, uint64_t timeout_ns);
    void (*queue_stats)(const ride_queue *queue, ride_queue_stats *out);

    /* Rows of a matrix (optional, NULL when absent: then this backend scores none): the model of a program without what a stream needs; the
     * bundle may have no plan. rows_score works in the calling thread, allocates nothing, and returns when the results are there; any number of threads
     * at a time, each with scratch of its own (scratch_bytes of rows_shape, 64-byte aligned). A row's results do not depend on the rows
     * beside it. rows_shape: RIDE_E_MODEL when the bundle has no model. */
    ride_status (*rows_shape)(const ride_program_dev *program, ride_rows_shape *out, ride_error *err);
    ride_status (*rows_score)(const ride_program_dev *program, const ride_rows *rows, void *scratch);

    /* Why (optional, NULL when absent): what each input adds to each margin of a row, and last the expected margin (SHAP values, path dependent
     * or against background rows), which are its margins' sums. explainer_create makes tables, which takes a while and memory; options may be
     * NULL; the explainer goes before its program. RIDE_E_UNSUPPORTED when the model is of a kind that cannot be explained, or lacks what that needs; err says what to
     * do. rows_explain is as rows_score; it writes rows_count * outputs_count * (columns_count + 1) numbers to rows->margins, and reads no
     * answers. */
    ride_status (*explainer_create)(const ride_program_dev *program, const ride_explainer_options *options,
                                    ride_explainer **out, uint64_t *scratch_bytes, ride_error *err);
    void (*explainer_destroy)(ride_explainer *explainer); /* NULL is fine */
    ride_status (*rows_explain)(const ride_explainer *explainer, const ride_rows *rows, void *scratch);

    /* What was made of it, for reports (optional, NULL when absent): part by part, in order. Any thread. */
    void (*program_tell)(const ride_program_dev *program, ride_part_fn part, void *context);
    void (*explainer_tell)(const ride_explainer *explainer, ride_explainer_figures *out);

    /* Together (optional, NULL when absent): element-wise sum of count uint64 over the devices of a group. */
    ride_status (*group_reduce)(ride_device *const *devices, uint32_t devices_count, uint64_t *const *values,
                                uint64_t count, ride_error *err);

    /* Tell (optional, NULL when absent): versions, devices, libraries: what `ride doctor` prints below the backend, whether or not
     * it can run. One call of line per fact, each at most 200 bytes. */
    void (*describe)(void (*line)(void *context, const char *text), void *context);
} ride_backend_ops;

/* The one symbol of a plugin, and of the built-in backends under their own names. Returns NULL and fills err when the
 * backend cannot serve this host (ABI, missing driver …). The table is static and never freed. */
typedef const ride_backend_ops *(*ride_backend_entry_fn)(uint32_t abi, const ride_backend_services *services,
                                                         ride_error *err);
#define RIDE_BACKEND_ENTRY "ride_backend_entry"
const ride_backend_ops *ride_backend_cpu(uint32_t abi, const ride_backend_services *services, ride_error *err);
/* Slow and obvious: every window by scanning the events of its key. What `ride verify` and the tests check others against. */
const ride_backend_ops *ride_backend_reference(uint32_t abi, const ride_backend_services *services, ride_error *err);
const ride_backend_ops *ride_backend_fake(uint32_t abi, const ride_backend_services *services, ride_error *err);

/* Input and output layouts of a plan: the same on every backend. */
void ride_plan_layout_in(const ride_bundle *bundle, ride_tile_layout *out);
void ride_plan_layout_out(const ride_bundle *bundle, ride_tile_layout *out);
/* Sets the flags of rows_count rows of output tiles to zero. */
void ride_out_flags_clear(const ride_tile_layout *out_layout, uint8_t *out_tiles, uint32_t rows_count);

#ifdef __cplusplus
}
#endif
#endif
