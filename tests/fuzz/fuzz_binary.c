/* Any bytes as binary: no crash, and the same rows and refusals however the calls are cut. */
#include "tests/support/io_case.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    case_fuzz_cuts(RIDE_FORMAT_BINARY, data, size);
    return 0;
}
