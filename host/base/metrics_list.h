/* base/metrics_list.h: every metric family of the program. X(ID, name, kind, text); labels are told in the text. */
#ifndef RIDE_BASE_METRICS_LIST_H
#define RIDE_BASE_METRICS_LIST_H

#define RIDE_METRIC_LIST(X)                                                                                            \
    X(BUILD_INFO, "ride_build_info", RIDE_GAUGE, "1; labels: version, backend, spec_hash, model_hash")                 \
    X(READY, "ride_ready", RIDE_GAUGE, "1 when ready; label: part (all, model, state, source name, http)")             \
    X(RECEIVED, "ride_events_received_total", RIDE_COUNTER, "Events that came in, by source")                          \
    X(EVENTS, "ride_events_total", RIDE_COUNTER,                                                                       \
      "Events by how they ended; label end: scored, degraded, duplicate, rejected, shed")                              \
    X(IN_FLIGHT, "ride_events_in_flight", RIDE_GAUGE, "Events that came in and have not ended yet")                    \
    X(LATE, "ride_events_late_total", RIDE_COUNTER, "Events below the watermark; label entered: true, false")          \
    X(REJECTED, "ride_events_rejected_total", RIDE_COUNTER, "Rejected events, by reason")                              \
    X(DECISIONS, "ride_decisions_total", RIDE_COUNTER, "Scored events, by decision")                                   \
    X(LABELS, "ride_labels_total", RIDE_COUNTER, "Label rows; label end: applied, waiting, rejected")                  \
    X(BATCH_ROWS, "ride_batch_rows", RIDE_HISTOGRAM_COUNT, "Rows of a batch")                                          \
    X(STAGE_SECONDS, "ride_stage_seconds", RIDE_HISTOGRAM_SECONDS,                                                     \
      "Time of a row in a stage; label stage: queue, read, journal, compute, encode, deliver. They sum to end to end") \
    X(LATENCY_SECONDS, "ride_latency_seconds", RIDE_HISTOGRAM_SECONDS,                                                 \
      "From an event's bytes in this process to its result given to the sink")                                         \
    X(DELIVERY_SECONDS, "ride_delivery_seconds", RIDE_HISTOGRAM_SECONDS,                                               \
      "From an event's bytes in this process to its result acknowledged by the log")                                   \
    X(QUEUE_ROWS, "ride_queue_rows", RIDE_GAUGE, "Rows in a queue; label: queue")                                      \
    X(QUEUE_ROWS_MAX, "ride_queue_rows_max", RIDE_GAUGE, "Its bound")                                                  \
    X(QUEUE_BYTES, "ride_queue_bytes", RIDE_GAUGE, "Bytes in a queue; label: queue")                                   \
    X(QUEUE_BYTES_MAX, "ride_queue_bytes_max", RIDE_GAUGE, "Its bound")                                                \
    X(STATE_KEYS, "ride_state_keys", RIDE_GAUGE, "Keys with window state")                                             \
    X(STATE_ENTRIES, "ride_state_entries", RIDE_GAUGE, "Events held in windows")                                       \
    X(STATE_BYTES, "ride_state_bytes", RIDE_GAUGE, "Bytes of the window state")                                        \
    X(CLOCK_SECONDS, "ride_watermark_timestamp_seconds", RIDE_GAUGE, "Event time up to which everything was met")      \
    X(REPLAY_EVENTS, "ride_replay_events_total", RIDE_COUNTER, "Events read again to rebuild the window state")        \
    X(REPLAY_RATIO, "ride_replay_progress_ratio", RIDE_GAUGE, "Share of the rebuild that is done")                     \
    X(LAG, "ride_kafka_lag_messages", RIDE_GAUGE, "Messages in the log behind the next one; labels: topic, partition") \
    X(STORED, "ride_kafka_stored_offset", RIDE_GAUGE, "Next offset that was stored; labels: topic, partition")         \
    X(REBALANCES, "ride_kafka_rebalances_total", RIDE_COUNTER, "Rebalances; label kind: assign, revoke, lost")         \
    X(BROKERS_UP, "ride_kafka_brokers_up", RIDE_GAUGE, "Brokers that are connected; label: client")                    \
    X(BROKER_RTT, "ride_kafka_broker_rtt_seconds", RIDE_GAUGE,                                                         \
      "Round trip, p99 of the last interval; labels: client, broker")                                                  \
    X(PRODUCED, "ride_kafka_delivered_total", RIDE_COUNTER, "Results acknowledged by the log; label: topic")           \
    X(PRODUCE_FAILED, "ride_kafka_delivery_failed_total", RIDE_COUNTER, "Results that the log refused; label: topic")  \
    X(JOURNAL_RUNS, "ride_journal_runs_total", RIDE_COUNTER, "Runs written to the arrival journal")                    \
    X(HTTP_REQUESTS, "ride_http_requests_total", RIDE_COUNTER, "Requests; labels: endpoint, code")                     \
    X(HTTP_SECONDS, "ride_http_request_seconds", RIDE_HISTOGRAM_SECONDS,                                               \
      "From a request's head to its answer; label: endpoint")                                                          \
    X(HTTP_CONNECTIONS, "ride_http_connections", RIDE_GAUGE, "Open connections; label: listener")                      \
    X(SERIES_DROPPED, "ride_metrics_dropped_series_total", RIDE_COUNTER, "Series that there was no room for")          \
    X(RESIDENT_BYTES, "process_resident_memory_bytes", RIDE_GAUGE, "Resident memory")                                  \
    X(CPU_SECONDS, "process_cpu_seconds_total", RIDE_COUNTER, "User and system CPU time")                              \
    X(START_SECONDS, "process_start_time_seconds", RIDE_GAUGE, "Start, since the epoch")

#endif
