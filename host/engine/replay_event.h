/* engine/replay_event.h: one decision computed again, from the log and the journal: `ride replay`, an auditor's answer.
 *
 * Found by the event's id, which the results carry as a header, or by the place of its message. Only what its windows can hold is read, along the
 * journal. Nothing is stored or committed, nobody's group is joined. */
#ifndef RIDE_ENGINE_REPLAY_EVENT_H
#define RIDE_ENGINE_REPLAY_EVENT_H
#include "engine/record_diff.h"
#include "engine/service.h"

enum { RIDE_REPLAY_PLACES_MAX = 16 };

typedef struct ride_replay_place {
    char topic[RIDE_TOPIC_BYTES];
    int32_t partition;
    int64_t offset;
} ride_replay_place;

/* What a result topic has of one message. */
typedef struct ride_replay_result {
    ride_replay_place of;
    int64_t arrival_us; /* of its first copy, by the log */
    int32_t partition;  /* of the first copy, in the results topic */
    int64_t offset;
    uint32_t copies, copies_differing; /* all of them; those that are not equal to the first */
    char *value, *key, *headers;       /* of the first copy; key NULL: none */
    uint32_t value_bytes, key_bytes, headers_bytes;
} ride_replay_result;

typedef struct ride_replay_answer {
    ride_replay_place place;
    /* Results that were found, the earliest first; several when the event came more than once. results[0] is of `place`, if there is any. */
    ride_replay_result results[RIDE_REPLAY_PLACES_MAX];
    uint32_t results_count;
    bool more_places; /* and there are more than fit */
    /* What was computed. */
    char *record; /* the decision record and, behind it, the vector, as one JSON object on one line; NULL: see reason */
    uint32_t fields_count; /* of its members: the record's; the others are the vector's */
    char *sensitive;       /* names of members that the spec calls sensitive, each ended by a zero, and a zero */
    char reason[64];       /* why the message gives no decision: the word of the dead letter, or "" = it is a label */
    bool is_equal;         /* to the first copy, in all: key, headers, value */
    record_diff diff;      /* else: a is published, b computed */
    bool is_exact;         /* the log still has all events that its windows may have held */
    int64_t log_begin, exact_from;      /* of its stream */
    uint64_t events, requests, changed; /* see ride_replay */
    uint8_t spec_hash[32], model_hash[32];
    bool has_model;
    double seconds;
} ride_replay_answer;

typedef struct ride_replay_options {
    ride_service_options service;   /* as of ride_verify_options */
    ride_feed_open_fn results_open; /* NULL: results are not looked at; then `at` is needed */
    void *results_context;
    const char *event_id; /* one of the two */
    const ride_replay_place *at;
    void *context;
    void (*progress)(void *context, const char *what, uint64_t n, double done); /* may be NULL */
} ride_replay_options;

/* RIDE_E_NO_INPUT: there is no such event, or the journal has not met it; RIDE_E_DATA: the log no longer has it; others as
 * ride_verify_log. answer: free it in any case. */
ride_status ride_replay_event(const ride_replay_options *options, ride_replay_answer *answer,
                              ride_diagnostics *findings, ride_error *err);
void ride_replay_answer_free(ride_replay_answer *answer);

#endif
