/* base/metrics_list.h: every metric family of the program. X(ID, name, kind, labels, text): labels are the names of the labels that each
 * series of the family has, in this order. docs/metrics.md is made from this list (`ride metrics reference`). */
#ifndef RIDE_BASE_METRICS_LIST_H
#define RIDE_BASE_METRICS_LIST_H

#define RIDE_METRIC_LIST(X)                                                                                            \
    X(BUILD_INFO, "ride_build_info", RIDE_GAUGE, "version, backend, spec_hash, model_hash",                            \
      "Always 1; what runs is in the labels")                                                                          \
    X(READY, "ride_ready", RIDE_GAUGE, "part",                                                                         \
      "1 when the part is ready, else 0; part: all, model, state, kafka, http, results")                               \
    X(RECEIVED, "ride_events_received_total", RIDE_COUNTER, "source", "Events that came in")                           \
    X(EVENTS, "ride_events_total", RIDE_COUNTER, "end",                                                                \
      "Events by how they ended; end: scored, degraded, duplicate, rejected, shed")                                    \
    X(IN_FLIGHT, "ride_events_in_flight", RIDE_GAUGE, "", "Events that came in and have not ended yet")                \
    X(LATE, "ride_events_late_total", RIDE_COUNTER, "entered",                                                         \
      "Events below the watermark (each has an end besides); entered: true when they entered the windows, else false") \
    X(REJECTED, "ride_events_rejected_total", RIDE_COUNTER, "reason",                                                  \
      "Rejected events; reason: as in the dead letters")                                                               \
    X(DECISIONS, "ride_decisions_total", RIDE_COUNTER, "decision",                                                     \
      "Scored events; decision: approve, review, decline")                                                             \
    X(EXPLAINED, "ride_reasons_rows_total", RIDE_COUNTER, "", "Scored events whose reasons were looked for")           \
    X(LABELS, "ride_labels_total", RIDE_COUNTER, "end", "Label rows (chargebacks); end: applied, waiting, rejected")   \
    X(BATCH_ROWS, "ride_batch_rows", RIDE_HISTOGRAM_COUNT, "", "Rows of a batch")                                      \
    X(STAGE_SECONDS, "ride_stage_seconds", RIDE_HISTOGRAM_SECONDS, "stage",                                            \
      "Time of an event in a stage; stage: queue, read, journal, compute, encode, deliver. Their sums without "        \
      "deliver make the sum of ride_latency_seconds")                                                                  \
    X(LATENCY_SECONDS, "ride_latency_seconds", RIDE_HISTOGRAM_SECONDS, "",                                             \
      "From an event's bytes in this process to its result given to the sink")                                         \
    X(DELIVERY_SECONDS, "ride_delivery_seconds", RIDE_HISTOGRAM_SECONDS, "",                                           \
      "From the bytes of a batch's oldest row in this process to all of its results acknowledged by the log; each "    \
      "row counts, labels too")                                                                                        \
    X(QUEUE_ROWS, "ride_queue_rows", RIDE_GAUGE, "queue", "Events in a queue")                                         \
    X(QUEUE_ROWS_MAX, "ride_queue_rows_max", RIDE_GAUGE, "queue", "Events that the queue holds at most")               \
    X(QUEUE_BYTES, "ride_queue_bytes", RIDE_GAUGE, "queue", "Bytes in a queue")                                        \
    X(QUEUE_BYTES_MAX, "ride_queue_bytes_max", RIDE_GAUGE, "queue", "Bytes that the queue holds at most")              \
    X(STATE_KEYS, "ride_state_keys", RIDE_GAUGE, "", "Keys with window state")                                         \
    X(STATE_ENTRIES, "ride_state_entries", RIDE_GAUGE, "", "Events held in windows")                                   \
    X(STATE_BYTES, "ride_state_bytes", RIDE_GAUGE, "", "Memory of the window state")                                   \
    X(CLOCK_SECONDS, "ride_watermark_timestamp_seconds", RIDE_GAUGE, "",                                               \
      "Event time up to which everything was met, since the epoch")                                                    \
    X(REPLAY_EVENTS, "ride_replay_events_total", RIDE_COUNTER, "", "Events read again to rebuild the window state")    \
    X(REPLAY_RATIO, "ride_replay_progress_ratio", RIDE_GAUGE, "", "Share of the rebuild that is done, 0 to 1")         \
    X(LAG, "ride_kafka_lag_messages", RIDE_GAUGE, "topic, partition",                                                  \
      "Messages in the log from the next one to be read on")                                                           \
    X(STORED, "ride_kafka_stored_offset", RIDE_GAUGE, "topic, partition",                                              \
      "Offset up to which everything is done and stored")                                                              \
    X(REBALANCES, "ride_kafka_rebalances_total", RIDE_COUNTER, "kind", "Rebalances; kind: assign, revoke, lost")       \
    X(BROKERS_UP, "ride_kafka_brokers_up", RIDE_GAUGE, "client",                                                       \
      "Brokers that are connected; client: consumer, producer")                                                        \
    X(BROKER_RTT, "ride_kafka_broker_rtt_seconds", RIDE_GAUGE, "client, broker",                                       \
      "Round trip to the broker, 99th percentile of the last interval")                                                \
    X(PRODUCED, "ride_kafka_delivered_total", RIDE_COUNTER, "topic", "Results acknowledged by the log")                \
    X(PRODUCE_FAILED, "ride_kafka_delivery_failed_total", RIDE_COUNTER, "topic", "Results that the log refused")       \
    X(JOURNAL_RUNS, "ride_journal_runs_total", RIDE_COUNTER, "", "Runs written to the arrival journal")                \
    X(HTTP_REQUESTS, "ride_http_requests_total", RIDE_COUNTER, "endpoint, code", "Answered requests")                  \
    X(HTTP_SECONDS, "ride_http_request_seconds", RIDE_HISTOGRAM_SECONDS, "endpoint",                                   \
      "From a request's head to its answer")                                                                           \
    X(HTTP_CONNECTIONS, "ride_http_connections", RIDE_GAUGE, "listener", "Open connections; listener: data, admin")    \
    X(RELOADS, "ride_config_reloads_total", RIDE_COUNTER, "end",                                                       \
      "Reloads of the configuration (SIGHUP); end: applied, refused")                                                  \
    X(LOG_LOST, "ride_log_lines_lost_total", RIDE_COUNTER, "", "Log lines that could not be written")                  \
    X(LOG_HELD, "ride_log_lines_held_total", RIDE_COUNTER, "", "Repeated log lines that were counted, not written")    \
    X(SERIES_DROPPED, "ride_metrics_dropped_series_total", RIDE_COUNTER, "", "Series that there was no room for")      \
    X(RESIDENT_BYTES, "process_resident_memory_bytes", RIDE_GAUGE, "", "Resident memory")                              \
    X(CPU_SECONDS, "process_cpu_seconds_total", RIDE_COUNTER_SECONDS, "", "User and system CPU time")                  \
    X(OPEN_FDS, "process_open_fds", RIDE_GAUGE, "", "Open file descriptors, connections included")                     \
    X(MAX_FDS, "process_max_fds", RIDE_GAUGE, "", "File descriptors that the process may open")                        \
    X(START_SECONDS, "process_start_time_seconds", RIDE_GAUGE, "", "Start of the process, since the epoch")

#endif
