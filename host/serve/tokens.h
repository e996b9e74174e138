/* serve/tokens.h: the bearer tokens that open a listener: opaque words from a file, one a line, kept as their SHA-256 only and compared in
 * constant time. Two lines during a rotation: the new one is added, clients change, the old one goes. Lines that are empty or begin
 * with # say nothing. Any thread. */
#ifndef RIDE_SERVE_TOKENS_H
#define RIDE_SERVE_TOKENS_H
#include "base/error.h"

#include <stdbool.h>

enum { RIDE_TOKENS_MAX = 16, RIDE_TOKEN_BYTES_MIN = 16, RIDE_TOKEN_BYTES_MAX = 512 };

typedef struct ride_tokens ride_tokens;

ride_status ride_tokens_open(const char *path, ride_tokens **out, ride_error *err);
void ride_tokens_close(ride_tokens *tokens); /* NULL is fine */
/* Reads the file again; on failure the old tokens stay. */
ride_status ride_tokens_reload(ride_tokens *tokens, ride_error *err);
/* Is `authorization`, a header's value or NULL, "Bearer TOKEN" with a token of the file? */
bool ride_tokens_match(ride_tokens *tokens, const char *authorization);

#endif
