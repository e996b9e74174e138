/* Any bytes as ndjson: no crash, and the same rows and refusals however the calls are cut. */
#include "tests/support/io_case.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    case_fuzz_cuts(RIDE_FORMAT_NDJSON, data, size);
    return 0;
}
