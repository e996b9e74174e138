/* cli/generate_binary.h: the generator's rows as binary records (docs/binary.md): the same columns as its CSV. */
#ifndef RIDE_CLI_GENERATE_BINARY_H
#define RIDE_CLI_GENERATE_BINARY_H
#include "generate/generate.h"
#include "io/sink.h"

typedef struct generate_binary generate_binary;

/* Writes the header; borrows the sink until close. One for rows, one for labels. */
ride_status generate_binary_open(ride_sink *sink, bool is_labels, generate_binary **out, ride_error *err);
ride_status generate_binary_rows(generate_binary *binary, const ride_generated *rows, uint32_t rows_count);
ride_status generate_binary_labels(generate_binary *binary, const ride_generated_label *labels, uint32_t labels_count);
void generate_binary_close(generate_binary *binary); /* NULL is fine; the sink stays open */

#endif
