/* Any bytes as binary: no crash, and the same rows and refusals however the calls are cut. As they are, and with the header's hash
 * put right, without which no changed header is looked into. */
#include "io/binary.h"
#include "tests/support/io_case.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint32_t header_bytes;
    case_fuzz_cuts(RIDE_FORMAT_BINARY, data, size);
    if (size < RIDE_BINARY_HEADER_BYTES) return 0;
    memcpy(&header_bytes, data + 12, sizeof header_bytes);
    if (header_bytes < RIDE_BINARY_HEADER_BYTES || header_bytes > size) return 0;
    uint8_t *repaired = malloc(size);
    if (repaired == NULL) return 0;
    memcpy(repaired, data, size);
    uint64_t hash = ride_binary_hash(repaired + RIDE_BINARY_HASHED_FROM, header_bytes - RIDE_BINARY_HASHED_FROM);
    memcpy(repaired + 16, &hash, sizeof hash);
    case_fuzz_cuts(RIDE_FORMAT_BINARY, repaired, size);
    free(repaired);
    return 0;
}
