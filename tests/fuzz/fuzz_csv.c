/* Any bytes as CSV: no crash, and the fast way gives what the careful way gives. */
#include "tests/support/io_case.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static io_case fast, careful;
    ride_decoder_stats fast_stats = {0}, careful_stats = {0};
    char *fast_rows, *careful_rows;
    if (fast.batch == NULL) {
        case_begin(&fast, true);
        case_begin(&careful, true);
    }
    case_run run = {.format = RIDE_FORMAT_CSV, .record_bytes_max = 4096};
    ride_status a = case_decode(&fast, &run, data, size, &fast_rows, &fast_stats, NULL);
    run.portable_only = true;
    run.rows_max = 3;
    ride_status b = case_decode(&careful, &run, data, size, &careful_rows, &careful_stats, NULL);
    if (a != b || strcmp(fast_rows, careful_rows) != 0 || strcmp(fast.log, careful.log) != 0 ||
        memcmp(&fast_stats, &careful_stats, sizeof fast_stats) != 0)
        abort();
    free(fast_rows);
    free(careful_rows);
    return 0;
}
