/* base/crc32c.h: CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), the checksum of every file RIDE writes.
 * Uses the SSE4.2 instruction where the processor has it, a table elsewhere; both give the same number. Any thread. */
#ifndef RIDE_BASE_CRC32C_H
#define RIDE_BASE_CRC32C_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The checksum of what `crc` covers followed by data: begin with 0, feed pieces of any size. */
uint32_t ride_crc32c(uint32_t crc, const void *data, size_t bytes);
/* The table's way, whatever the processor: what the fast way is tested against. */
uint32_t ride_crc32c_table(uint32_t crc, const void *data, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
