/* Any bytes as ndjson: no crash, and the same rows and refusals however the calls are cut. */
#include "tests/support/io_case.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static io_case whole, cut;
    char *whole_rows, *cut_rows;
    if (whole.batch == NULL) {
        case_begin(&whole, true);
        case_begin(&cut, true);
    }
    case_run run = {.format = RIDE_FORMAT_NDJSON, .record_bytes_max = 4096};
    ride_status a = case_decode(&whole, &run, data, size, &whole_rows, NULL, NULL);
    run.rows_max = 1;
    ride_status b = case_decode(&cut, &run, data, size, &cut_rows, NULL, NULL);
    if (a != b || strcmp(whole_rows, cut_rows) != 0 || strcmp(whole.log, cut.log) != 0) abort();
    free(whole_rows);
    free(cut_rows);
    return 0;
}
