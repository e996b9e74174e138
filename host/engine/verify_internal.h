/* engine/verify_internal.h: the parts of a verification: verify_log.c looks at what is there, verify_compute.c computes and compares. Private to
 * them. */
#ifndef RIDE_ENGINE_VERIFY_INTERNAL_H
#define RIDE_ENGINE_VERIFY_INTERNAL_H
#include "engine/published.h"
#include "engine/verify_log.h"

typedef struct verifying {
    const ride_verify_options *o;
    ride_verify_report *report;
    uint8_t spec_hash[32];
    published *results;
    ride_verify_stream *streams; /* by the journal's numbers; the report's */
    bool *judged;                /* its events are in the log, in part at least */
    int64_t *aged_end;           /* results of messages before it may have been forgotten; INT64_MIN: none */
    uint32_t streams_count;
    /* The results topic: where its partitions begin, and the first message of each stream that those without a begin have. */
    bool *cut;
    int64_t *seen_first; /* [results_partitions][streams_count] */
    uint32_t results_partitions;
    bool seen_overflow;
    char *names; /* of the record's columns */
    uint32_t names_count;
    char *headers; /* of the result that was computed */
    ride_replay replay;
} verifying;

/* verify_log.c */
void verify_found(verifying *v, ride_verify_finding *finding);
void verify_progress(const verifying *v, const char *what, uint64_t n, double done);
void verify_diff_texts(record_diff *diff, const char *field, const char *a, const char *b);
void verify_diff(const verifying *v, published_part part, const published_result *a, const published_result *b,
                 record_diff *diff);

/* verify_compute.c: everything anew, compared as it comes out; then what was not computed. */
ride_status verify_compute(verifying *v, ride_diagnostics *findings, ride_error *err);

#endif
