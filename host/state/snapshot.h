/* state/snapshot.h: what a run keeps for the next one: a folder with the two newest generations of one file.
 *
 * File `state-<generation>.ride`, little-endian: header {magic "RIDESNAP", u32 version, u32 0, u64 generation}, then blocks {u32
 * section, u32 bytes, the bytes}, each section's blocks one behind another and sections in ascending order; at the end a block of
 * section 0 with the SHA-256 of everything before it. It is written beside its final name, synced and renamed, and then the folder is
 * synced: a crash leaves the old generation or the new one, never half of one. A load checks the whole file before anything is
 * believed, and falls back to the generation before with a warning in the log; when no generation can be read, that is an error
 * that names each file: never a silently empty state.
 *
 * The folder is locked while it is open: one run at a time. One thread at a time. */
#ifndef RIDE_STATE_SNAPSHOT_H
#define RIDE_STATE_SNAPSHOT_H
#include "base/error.h"

#include <stdbool.h>

typedef struct ride_snapshot_dir ride_snapshot_dir;
typedef struct ride_snapshot_writer ride_snapshot_writer;
typedef struct ride_snapshot_reader ride_snapshot_reader;

/* Opens the folder, made (0700) when it is not there, and locks it. RIDE_E_UNAVAILABLE: another run has it; RIDE_E_IO: the reason. */
ride_status ride_snapshot_dir_open(const char *path, ride_snapshot_dir **out, ride_error *err);
void ride_snapshot_dir_close(ride_snapshot_dir *dir); /* NULL is fine */

/* The newest generation that is whole. *out is NULL with RIDE_OK when the folder holds none at all. RIDE_E_CORRUPT / RIDE_E_VERSION:
 * there are some and none can be read. */
ride_status ride_snapshot_load(ride_snapshot_dir *dir, ride_snapshot_reader **out, ride_error *err);
/* Moves to a section, from the place that was read last on; RIDE_E_CORRUPT when it is not there. Then exactly `bytes` bytes of
 * it, or RIDE_E_CORRUPT at its premature end (its type is that of ride_read_fn, context = the reader). */
ride_status ride_snapshot_section(ride_snapshot_reader *reader, uint32_t section);
ride_status ride_snapshot_read(void *reader, void *data, size_t bytes);
const char *ride_snapshot_path(const ride_snapshot_reader *reader);
void ride_snapshot_reader_close(ride_snapshot_reader *reader); /* NULL is fine */

/* A new generation: begin, write sections in ascending order, then commit (which frees the writer, also on failure). A
 * writer that is dropped instead leaves nothing behind. Sections are numbered from 1. */
ride_status ride_snapshot_begin(ride_snapshot_dir *dir, ride_snapshot_writer **out, ride_error *err);
void ride_snapshot_start(ride_snapshot_writer *writer, uint32_t section);
ride_status ride_snapshot_write(void *writer, const void *data, size_t bytes); /* as ride_write_fn */
ride_status ride_snapshot_commit(ride_snapshot_writer *writer, ride_error *err);
void ride_snapshot_drop(ride_snapshot_writer *writer); /* NULL is fine */

#endif
