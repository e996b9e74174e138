/* engine/verify_log.h: is what was published what the log and the journal give? `ride verify --config`.
 *
 * Every result of the journal's messages is computed anew, in the order and with the clocks of the first time, and compared with every
 * copy in the results topic: key, headers and value, byte for byte. The service may run meanwhile: judged is what the journal has and what
 * was committed when the verification began. Nothing is stored or committed, nobody's group is joined.
 *
 * What is told apart, for each message of the journal or each result of the topic:
 *   equal        all copies are what was computed
 *   differing    the first copy is not; the finding says which field
 *   copies       a copy is not equal to the first one
 *   missing      a result is owed (its message was committed) and there is none
 *   invented     a result of a message that was never met, or that gives none; or one that does not say of which message it is
 *   other model  made by a model of another hash: with this one it cannot be computed again
 *   on the way   no result yet, and none owed
 *   unjudged     the log has forgotten events that may have been in its windows, or the message itself
 *   aged out     no result, but the results topic has forgotten its begin */
#ifndef RIDE_ENGINE_VERIFY_LOG_H
#define RIDE_ENGINE_VERIFY_LOG_H
#include "engine/record_diff.h"
#include "engine/service.h"

typedef enum ride_verify_kind {
    RIDE_VERIFY_DIFFERS = 0,
    RIDE_VERIFY_COPY_DIFFERS,
    RIDE_VERIFY_MISSING,
    RIDE_VERIFY_INVENTED,
    RIDE_VERIFY_OTHER_MODEL,
    RIDE_VERIFY_KINDS,
} ride_verify_kind;

/* Texts are good during the call. */
typedef struct ride_verify_finding {
    ride_verify_kind kind;
    const char *topic; /* of the message; NULL: the result does not say */
    int32_t partition;
    int64_t offset;
    int32_t result_partition; /* of the result; -1: there is none */
    int64_t result_offset;
    record_diff
        diff; /* of the first two: a is what is published, b what was computed (the first copy); OTHER_MODEL: a is its hash */
} ride_verify_finding;

typedef struct ride_verify_stream {
    char topic[RIDE_TOPIC_BYTES];
    int32_t partition;
    int64_t first, end;            /* of the journal */
    int64_t log_begin, exact_from; /* see ride_replay_stream */
    int64_t owed_end;              /* results of messages before it are owed */
    bool has_committed;            /* by the group; else owed_end is behind the last one that has a result */
} ride_verify_stream;

typedef struct ride_verify_report {
    uint64_t results;  /* in the topic, copies and all */
    uint64_t copies;   /* of them, not the first of its message */
    uint64_t later;    /* of them, of messages that came after the verification began */
    uint64_t computed; /* results that were computed and judged */
    uint64_t equal;    /* of them */
    uint64_t found[RIDE_VERIFY_KINDS];
    uint64_t on_the_way, unjudged, aged_out;
    uint64_t events;   /* messages that were read from the log */
    uint64_t requests; /* of the journal, in no log */
    uint64_t changed;  /* runs whose events are not what the journal says of them */
    uint64_t runs;     /* of the journal */
    uint64_t bytes;    /* of the results, as they were kept */
    bool is_cut;       /* the results topic has forgotten its begin */
    ride_verify_stream *streams;
    uint32_t streams_count;
    double seconds;
} ride_verify_report;

typedef struct ride_verify_options {
    ride_service_options
        service; /* run, inputs, feeds (readers of the log), journal_path, targets_format, partition_keyed, waker */
    ride_feed_open_fn results_open; /* a reader of the results topic */
    void *results_context;
    void *context;
    void (*tell)(void *context, const ride_verify_finding *finding);            /* each; may be NULL */
    void (*progress)(void *context, const char *what, uint64_t n, double done); /* now and then; may be NULL */
} ride_verify_options;

/* RIDE_OK: the report says what there is to say, findings or not. RIDE_INTERRUPTED after *run.stop. Else what made it impossible:
 * RIDE_E_VERSION: the journal is of another spec; RIDE_E_CONFIG: it has a topic that no input is; RIDE_E_NO_INPUT, RIDE_E_DATA, …
 * report: free it in any case. */
ride_status ride_verify_log(const ride_verify_options *options, ride_verify_report *report, ride_diagnostics *findings,
                            ride_error *err);
void ride_verify_report_free(ride_verify_report *report);
/* Nothing is amiss: everything that could be judged is equal. */
bool ride_verify_is_clean(const ride_verify_report *report);

#endif
