#!/usr/bin/env python3
"""Writes Grafana's dashboard of RIDE (classic model JSON, imports as it is) from the table of panels below, to standard output:

    scripts/python deploy/grafana/make_dashboard.py >deploy/grafana/ride.json

A lint test compares the two, and an integration test runs every query against a real Prometheus."""
import json
import sys

SELECT = 'job="$job",instance=~"$instance"'
RATE = "$__rate_interval"

# Row title, then its panels: (title, kind, unit, width of 24, what it says, [(legend, query)]). In a query {} is the choice of job and
# instance and [] the interval of rates.
ROWS = [
    ("Now", [
        ("Ready", "stat-ready", "short", 3, "1: model loaded, state rebuilt, sources assigned. The table on the right says which part is not.",
         [("{{instance}}", 'min(ride_ready{part="all",{}})')]),
        ("Received", "stat", "ops", 4, "Events that came in, per second.", [("", "sum(rate(ride_events_received_total{}[]))")]),
        ("Scored", "stat", "ops", 4, "Events that got a score, per second.", [("", 'sum(rate(ride_events_total{end="scored",{}}[]))')]),
        ("p99 to the sink", "stat", "s", 4, "99 of 100 events had their result given to the sink within this time.",
         [("", "histogram_quantile(0.99, sum by (le) (rate(ride_latency_seconds_bucket{}[])))")]),
        ("Lag", "stat", "short", 4, "Messages in the log that were not read yet, all topics.", [("", "sum(ride_kafka_lag_messages{})")]),
        ("Rejected or shed", "stat-share", "percentunit", 5, "Share of the events that came in and got no score because they were bad, or because there was no room.",
         [("", 'sum(rate(ride_events_total{end=~"rejected|shed",{}}[])) / sum(rate(ride_events_received_total{}[]))')]),
    ]),
    ("Events", [
        ("How events end", "stack", "ops", 8, "Every event ends in one way: received = sum of the ends + in flight.",
         [("{{end}}", "sum by (end) (rate(ride_events_total{}[]))")]),
        ("Received, by source", "lines", "ops", 8, "", [("{{source}}", "sum by (source) (rate(ride_events_received_total{}[]))")]),
        ("Decisions", "stack", "ops", 8, "", [("{{decision}}", "sum by (decision) (rate(ride_decisions_total{}[]))")]),
        ("Share of reviews and declines", "lines", "percentunit", 8, "A jump is a wave of fraud, a new model, or a source that sends something else.",
         [("{{decision}}", 'sum by (decision) (rate(ride_decisions_total{decision!="approve",{}}[])) / ignoring(decision) group_left sum(rate(ride_decisions_total{}[]))')]),
        ("Rejected, by reason", "stack", "ops", 8, "The dead letters have the rows.", [("{{reason}}", "sum by (reason) (rate(ride_events_rejected_total{}[])) > 0")]),
        ("Late", "lines", "ops", 8, "Below the watermark; entered: still counted into the windows.",
         [("entered: {{entered}}", "sum by (entered) (rate(ride_events_late_total{}[]))")]),
        ("Not accounted for", "lines", "short", 8, "Received less ended less in flight: 0 when nothing flows, some events while numbers are read one after the other.",
         [("{{instance}}", "sum by (instance) (ride_events_received_total{}) - sum by (instance) (ride_events_total{}) - sum by (instance) (ride_events_in_flight{})")]),
        ("In flight", "lines", "short", 8, "", [("{{instance}}", "ride_events_in_flight{}")]),
        ("Labels", "lines", "ops", 8, "Chargebacks: applied to their event, waiting for it, rejected.", [("{{end}}", "sum by (end) (rate(ride_labels_total{}[]))")]),
    ]),
    ("Latency", [
        ("To the sink", "lines", "s", 8, "From an event's bytes in the process to its result given to the sink.",
         [(f"p{q}", f"histogram_quantile({float(q) / 100:.10g}, sum by (le) (rate(ride_latency_seconds_bucket{{}}[])))") for q in ("50", "90", "99", "99.9")]),
        ("Acknowledged", "lines", "s", 8, "From the bytes of a batch's oldest row in the process to its results acknowledged by the log.",
         [(f"p{q}", f"histogram_quantile({float(q) / 100:.10g}, sum by (le) (rate(ride_delivery_seconds_bucket{{}}[])))") for q in ("50", "90", "99", "99.9")]),
        ("Latency to the sink, all events", "heatmap", "s", 8, "", [("{{le}}", "sum by (le) (increase(ride_latency_seconds_bucket{}[]))")]),
        ("Mean per stage", "stack", "s", 8, "The stages sum to the mean until the result is acknowledged.",
         [("{{stage}}", "sum by (stage) (rate(ride_stage_seconds_sum{}[])) / sum by (stage) (rate(ride_stage_seconds_count{}[]))")]),
        ("p99 per stage", "lines", "s", 8, "", [("{{stage}}", "histogram_quantile(0.99, sum by (le, stage) (rate(ride_stage_seconds_bucket{}[])))")]),
        ("Rows of a batch", "lines", "short", 8, "Full batches: no idle time is left. Batches of one: the device is free when an event comes.",
         [("mean", "sum(rate(ride_batch_rows_sum{}[])) / sum(rate(ride_batch_rows_count{}[]))"),
          ("p99", "histogram_quantile(0.99, sum by (le) (rate(ride_batch_rows_bucket{}[])))")]),
    ]),
    ("Queues", [
        ("Fill", "lines", "percentunit", 12, "By events, of what the queue holds at most.",
         [("{{queue}}", "max by (queue) (ride_queue_rows{} / ride_queue_rows_max{})")]),
        ("Bytes", "lines", "bytes", 12, "", [("{{queue}}", "sum by (queue) (ride_queue_bytes{})")]),
    ]),
    ("Kafka", [
        ("Lag, by topic", "lines", "short", 8, "", [("{{topic}}", "sum by (topic) (ride_kafka_lag_messages{})")]),
        ("Lag, the ten worst partitions", "lines", "short", 8, "One partition alone: a hot key, or a member that hangs.",
         [("{{topic}} {{partition}}", "topk(10, sum by (topic, partition) (ride_kafka_lag_messages{}))")]),
        ("Caught up in", "lines", "s", 8, "Lag by the speed at which it shrinks; no line: it does not shrink.",
         [("{{topic}}", "sum by (topic) (ride_kafka_lag_messages{}) / (-1 * sum by (topic) (deriv(ride_kafka_lag_messages{}[])) > 0)")]),
        ("Stored", "lines", "ops", 8, "Offsets stored, per second: input that is done for good.",
         [("{{topic}}", "sum by (topic) (deriv(ride_kafka_stored_offset{}[]))")]),
        ("Results", "lines", "ops", 8, "Acknowledged by the log, and refused by it.",
         [("{{topic}}", "sum by (topic) (rate(ride_kafka_delivered_total{}[]))"),
          ("{{topic}} refused", "sum by (topic) (rate(ride_kafka_delivery_failed_total{}[]))")]),
        ("Brokers that are connected", "lines", "short", 8, "", [("{{client}}", "sum by (client) (ride_kafka_brokers_up{})")]),
        ("Round trip to brokers, p99", "lines", "s", 8, "", [("{{client}} {{broker}}", "max by (client, broker) (ride_kafka_broker_rtt_seconds{})")]),
        ("Rebalances", "lines", "short", 8, "", [("{{kind}}", "sum by (kind) (increase(ride_kafka_rebalances_total{}[]))")]),
        ("Journal", "lines", "ops", 8, "Runs written to the arrival journal.", [("{{instance}}", "rate(ride_journal_runs_total{}[])")]),
    ]),
    ("HTTP", [
        ("Requests, by code", "stack", "reqps", 8, "", [("{{code}}", "sum by (code) (rate(ride_http_requests_total{}[])) > 0")]),
        ("p99, by endpoint", "lines", "s", 8, "", [("{{endpoint}}", "histogram_quantile(0.99, sum by (le, endpoint) (rate(ride_http_request_seconds_bucket{}[])))")]),
        ("Connections", "lines", "short", 8, "", [("{{listener}}", "sum by (listener) (ride_http_connections{})")]),
    ]),
    ("Window state", [
        ("Keys and events", "lines", "short", 8, "", [("keys", "sum(ride_state_keys{})"), ("events", "sum(ride_state_entries{})")]),
        ("Memory of the windows", "lines", "bytes", 8, "", [("{{instance}}", "ride_state_bytes{}")]),
        ("Watermark behind the clock", "lines", "s", 8, "How old the newest complete moment of event time is.", [("{{instance}}", "time() - ride_watermark_timestamp_seconds{}")]),
        ("Rebuild", "lines", "percentunit", 12, "Share of the rebuild after a start that is done.", [("{{instance}}", "ride_replay_progress_ratio{}")]),
        ("Read again for the rebuild", "lines", "ops", 12, "", [("{{instance}}", "rate(ride_replay_events_total{}[])")]),
    ]),
    ("Process", [
        ("CPU", "lines", "percentunit", 6, "1 = one core.", [("{{instance}}", "rate(process_cpu_seconds_total{}[])")]),
        ("Memory", "lines", "bytes", 6, "", [("{{instance}}", "process_resident_memory_bytes{}")]),
        ("File descriptors", "lines", "percentunit", 6, "", [("{{instance}}", "process_open_fds{} / process_max_fds{}")]),
        ("Parts, ready", "lines", "short", 6, "", [("{{part}}", 'min by (part) (ride_ready{part!="all",{}})')]),
        ("Log lines lost and held back", "lines", "short", 6, "", [("lost", "sum(increase(ride_log_lines_lost_total{}[]))"), ("held back", "sum(increase(ride_log_lines_held_total{}[]))")]),
        ("Reloads", "lines", "short", 6, "", [("{{end}}", "sum by (end) (increase(ride_config_reloads_total{}[]))")]),
        ("Series without room", "lines", "short", 6, "", [("{{instance}}", "ride_metrics_dropped_series_total{}")]),
        ("What runs", "table", "short", 6, "", [("", "max by (instance, version, backend, spec_hash, model_hash) (ride_build_info{})")]),
    ]),
]


def query(text):
    """{} and the choice behind other labels become the choice; [] the interval."""
    return text.replace("{}}", SELECT + "}").replace("{}", "{" + SELECT + "}").replace("[]", f"[{RATE}]")


def panel(number, place, title, kind, unit, what, targets):
    source = {"type": "prometheus", "uid": "${datasource}"}
    shapes = {"stat": "stat", "stat-ready": "stat", "stat-share": "stat", "heatmap": "heatmap", "table": "table"}
    out = {"id": number, "type": shapes.get(kind, "timeseries"), "title": title, "description": what, "datasource": source, "gridPos": place, "targets": []}
    for index, (legend, text) in enumerate(targets):
        target = {"refId": "ABCDEFGH"[index], "datasource": source, "expr": query(text), "legendFormat": legend or "__auto"}
        if kind == "heatmap":
            target["format"] = "heatmap"
        if kind == "table":
            target.update(format="table", instant=True)
        out["targets"].append(target)
    defaults = {"unit": unit, "min": 0}
    if title in ("Not accounted for", "Watermark behind the clock"):
        del defaults["min"]
    if unit == "percentunit" and title == "Fill":
        defaults["max"] = 1
    if kind == "stack":
        defaults["custom"] = {"stacking": {"mode": "normal"}, "fillOpacity": 40, "lineWidth": 1}
    if kind == "lines":
        defaults["custom"] = {"fillOpacity": 5, "lineWidth": 1}
    if kind == "stat-ready":
        defaults["mappings"] = [{"type": "value", "options": {"0": {"text": "NO", "color": "red"}, "1": {"text": "yes", "color": "green"}}}]
    if kind == "stat-share":
        defaults["thresholds"] = {"mode": "absolute", "steps": [{"color": "green", "value": None}, {"color": "orange", "value": 0.001}, {"color": "red", "value": 0.01}]}
    out["fieldConfig"] = {"defaults": defaults, "overrides": []}
    if out["type"] == "timeseries":
        out["options"] = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
    if out["type"] == "stat":
        out["options"] = {"reduceOptions": {"calcs": ["lastNotNull"]}, "graphMode": "none" if kind == "stat-ready" else "area"}
    if out["type"] == "heatmap":
        out["options"] = {"calculate": False, "yAxis": {"unit": unit}, "cellGap": 1}
    return out


def panels():
    out, top = [], 0
    for title, row in ROWS:
        out.append({"id": len(out) + 1, "type": "row", "title": title, "collapsed": False, "gridPos": {"x": 0, "y": top, "w": 24, "h": 1}, "panels": []})
        top, left = top + 1, 0
        height = 4 if title == "Now" else 8
        for name, kind, unit, width, what, targets in row:
            if left + width > 24:
                left, top = 0, top + height
            out.append(panel(len(out) + 1, {"x": left, "y": top, "w": width, "h": height}, name, kind, unit, what, targets))
            left += width
        top += height
    return out


def variable(name, label, text, multi):
    return {"name": name, "label": label, "type": "query", "datasource": {"type": "prometheus", "uid": "${datasource}"}, "definition": text,
            "query": {"query": text, "refId": "StandardVariableQuery"}, "refresh": 2, "sort": 1, "multi": multi, "includeAll": multi,
            **({"allValue": ".*", "current": {"text": "All", "value": "$__all"}} if multi else {})}


def dashboard():
    return {
        "title": "RIDE", "uid": "ride-service", "tags": ["ride"], "schemaVersion": 38, "version": 1, "editable": True, "graphTooltip": 1, "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"}, "timezone": "", "annotations": {"list": [{
            "name": "Start", "datasource": {"type": "prometheus", "uid": "${datasource}"}, "enable": True, "iconColor": "blue", "titleFormat": "started {{instance}}",
            "expr": query("changes(process_start_time_seconds{}[]) > 0")}]},
        "templating": {"list": [
            {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "refresh": 1},
            variable("job", "job", "label_values(ride_build_info, job)", False),
            variable("instance", "instance", 'label_values(ride_build_info{job="$job"}, instance)', True)]},
        "panels": panels(),
    }


if __name__ == "__main__":
    json.dump(dashboard(), sys.stdout, indent=1, ensure_ascii=False)
    print()
