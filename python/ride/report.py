"""Write one self-contained HTML page about a run: what was decided, right and wrong, speed, alerts, the model.

Reads the summary that `ride run` wrote (docs/run-summary.md), its decisions, and the truth where there is one.
"""
import datetime
import html
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd

from . import data, drift, metrics
from .page import Figure, Markup, microseconds, number, page, percent, stacks, table, tag, tiles
from .svg import Plot

DECISIONS = (("decline", "bad"), ("review", "mid"), ("approve", "calm"))
OF_FRAUD = (("declined", "bad"), ("sent to review", "mid"), ("approved: missed", "none"))  # in the order of DECISIONS


def add_arguments(parser):
    parser.add_argument("--summary", required=True, help="JSON summary of `ride run`")
    parser.add_argument("--decisions", help="decisions of the run, CSV")
    parser.add_argument("--events", help="the stream with truth; without it nothing is said about right and wrong")
    parser.add_argument("--labels", help="CSV of `ride generate --labels`: what was found is told by kind of fraud too")
    parser.add_argument("--provenance", help="of the model, by `python -m ride train`")
    parser.add_argument("--title", default="RIDE run report")
    parser.add_argument("--output", required=True, help="the page")


class Run:
    """A summary with what it may lack filled in, its decisions, and beside each the truth."""

    def __init__(self, summary, decisions=None, truth=None):
        self.summary = summary
        self.ends = {name: int(count) for name, count in summary.get("events", {}).items()}
        self.decided = {name: int(count) for name, count in summary.get("decisions", {}).items()}
        self.total = sum(self.decided.values())
        self.latency = summary.get("latency_us", {})
        self.timeline = summary.get("timeline", [])
        self.decisions, self.truth, self.by_decision, self.score = decisions, None, None, None
        if decisions is not None and truth is not None:
            self.decisions = decisions.merge(truth, on="id", how="inner")
            if len(self.decisions) and self.decisions.is_fraud.sum() > 0:
                self.truth = self.decisions.is_fraud.to_numpy()
                if "decision" in self.decisions:
                    self.by_decision = {name: (row["events"], row["fraud"]) for name, row in metrics.by_decision(self.decisions).items()}

        if self.decisions is not None and self.decisions.probability.notna().any():  # without a model there is none
            self.score = self.decisions.probability.fillna(0.0).to_numpy(dtype=np.float64)

    def names(self):
        """The decisions that occur, the gravest first."""
        known = [name for name, _ in DECISIONS]
        return [n for n in known if n in self.decided] + sorted(n for n in self.decided if n not in known)

    def fraud_in(self, name):
        return self.by_decision.get(name, (0, 0)) if self.by_decision else (0, 0)


def lead(run):
    """What happened, in two sentences."""
    s, ends = run.summary, run.ends
    if not ends.get("received", 0):
        return '<p class="lead">No event was read.</p>'
    done = ends["received"] - ends.get("resumed", 0)
    text = (f"<b>{done:,} events</b> in {s.get('elapsed_s', 0):.1f} s, <b>{s.get('events_per_s', 0):,.0f} per second</b>: "
            f"<b class=decline>{run.decided.get('decline', 0):,} declined</b>, <b class=review>{run.decided.get('review', 0):,} sent to review</b>, "
            f"<b class=approve>{run.decided.get('approve', 0):,} approved</b>.")
    if run.truth is not None:
        fraud, (declined, hits), (_, reviewed) = int(run.truth.sum()), run.fraud_in("decline"), run.fraud_in("review")
        text += (f" Of {fraud:,} frauds, {percent(hits / fraud)} were declined and {percent(reviewed / fraud)} sent to review"
                 + (f"; {percent(hits / declined)} of what was declined was fraud." if declined else "."))
    return f'<p class="lead">{text}</p>'


def notes(run):
    found = []
    if run.summary.get("interrupted"):
        found.append("This run was stopped before the end of its input. Everything here is about what it had done by then.")
    if run.ends.get("resumed"):
        found.append(f"It went on where an earlier run had stopped: {run.ends['resumed']:,} events were done before.")
    for name, text in (("rejected", "could not be read; the file of rejects tells why"), ("shed", "got no score, because more came in than could be worked off"),
                       ("degraded", "got an answer without the model")):
        if run.ends.get(name):
            found.append(f"{run.ends[name]:,} event{'s' * (run.ends[name] != 1)} {text}.")
    return "".join(f'<p class="note">{html.escape(text)}</p>' for text in found)


def head_tiles(run):
    out = []
    if run.truth is not None:
        fraud = int(run.truth.sum())
        stopped = run.fraud_in("decline")[1] + run.fraud_in("review")[1]
        taken = run.fraud_in("decline")[0] + run.fraud_in("review")[0]
        out += [("fraud found", percent(stopped / fraud), "declined or sent to review"),
                ("right alarms", percent(stopped / taken if taken else math.nan), "of those were fraud")]
        if run.score is not None:
            out.append(("PR-AUC", f"{metrics.average_precision(run.truth, run.score):.3f}", f"chance: {run.truth.mean():.4f}"))
    elif run.total:
        for name, text in (("decline", "declined"), ("review", "sent to review")):
            out.append((text, f"{run.decided.get(name, 0):,}", f"{percent(run.decided.get(name, 0) / run.total)} of all"))
    out.append(("events per second", f"{run.summary.get('events_per_s', 0):,.0f}", f"{run.summary.get('features_count', 0)} features each"))
    if run.latency.get("p99"):
        out.append(("batch latency, p99", microseconds(run.latency["p99"]), f"p50 {microseconds(run.latency.get('p50', 0))}"))
    return tiles(out)


def fraud_stacks(run, kinds):
    rows = [("all fraud", [run.fraud_in(name)[1] for name, _ in DECISIONS])]
    rows += [(kind, [round(row["fraud"] * row.get(name, 0.0)) for name, _ in DECISIONS]) for kind, row in kinds.items()]
    return stacks("Where the fraud went", rows, OF_FRAUD)


def score_plot(run):
    if run.score is None:
        return ""
    everything = np.ones(len(run.score), dtype=bool)
    edges = np.linspace(0, 1, 41)
    groups = [(everything, "good", "all events")] if run.truth is None else [(run.truth == 0, "good", "honest"), (run.truth == 1, "bad", "fraud")]
    counts = [np.histogram(run.score[rows].clip(0, 1), edges)[0] for rows, _, _ in groups]
    top = max(10.0, float(max(c.max() for c in counts)))
    plot = Plot("Scores" + ("" if run.truth is None else " of honest and of fraudulent events"), "probability", "events (log)", (0, 1),
                (0.8, 10 ** math.ceil(math.log10(top))), log_y=True)
    for count, (_, colour, name) in zip(counts, groups):
        plot.outline(edges, count, colour, name)
    return plot.text()


def precision_recall_plot(run):
    if run.score is None:
        return ""
    precision, recall, _ = metrics.curve(run.truth, run.score)
    keep = np.unique(np.searchsorted(recall, np.linspace(0, 1, 500)).clip(0, len(recall) - 1))
    plot = Plot(f"Precision and recall (area {metrics.average_precision(run.truth, run.score):.3f})", "recall: share of the fraud found",
                "precision", (0, 1), (0, 1))
    plot.line(recall[keep], precision[keep], "good", "model, any threshold")
    plot.line([0, 1], [run.truth.mean()] * 2, "mid", f"chance ({run.truth.mean():.4f})")
    taken = hits = 0
    for name, text in (("decline", "declined"), ("review", "declined or reviewed")):
        size, fraud = run.fraud_in(name)
        if size:
            taken, hits = taken + size, hits + fraud
            plot.point(hits / run.truth.sum(), hits / taken, "bad", text)
    return plot.text()


def day_plot(run):
    """By the events' own day: the fraud and what became of it, or without a truth what was not approved."""
    frame = run.decisions
    if not {"time_us", "decision"} <= set(frame) or not len(frame):
        return ""
    if run.truth is not None:
        frame = frame[run.truth == 1]
    else:
        frame = frame[frame.decision != "approve"]
    days = frame.time_us // 86_400_000_000
    first, last = (int(days.min()), int(days.max())) if len(days) else (0, 0)
    if not 1 <= last - first <= 400:
        return ""
    kinds = [(n, *look) for (n, _), look in zip(DECISIONS, OF_FRAUD) if run.truth is not None or n != "approve"]
    counts = [np.bincount((days[frame.decision == name] - first).to_numpy(), minlength=last - first + 1) for name, _, _ in kinds]
    start = pd.to_datetime(first, unit="D").strftime("%Y-%m-%d")
    plot = Plot("Fraud by day, and what was decided" if run.truth is not None else "Declined and reviewed by day", f"days since {start}", "events a day",
                (0, last - first + 1), (0, max(1, sum(counts).max()) * 1.05))
    floor = np.zeros(last - first + 1)
    for (_, text, colour), count in zip(kinds, counts):
        plot.bars(np.arange(last - first + 2), floor + count, colour, text, floor)
        floor = floor + count
    return plot.text()


def timeline_plots(timeline):
    if len(timeline) < 2:
        return ""
    t = [row["t"] for row in timeline]
    rate = [0.0] + [(b["events"] - a["events"]) / (b["t"] - a["t"]) for a, b in zip(timeline, timeline[1:]) if b["t"] > a["t"]]
    if len(rate) != len(t):  # two points of one time: nothing to divide by
        return ""
    rate[0] = timeline[0]["events"] / t[0] if t[0] > 0 else rate[-1]
    if len(t) > 3 and t[-1] - t[-2] < 0.5 * (t[1] - t[0]):  # a last piece too short to give a rate
        t, rate, timeline = t[:-1], rate[:-1], timeline[:-1]
    speed = Plot("Events per second over the run", "seconds since the start", "events/s", (0, t[-1]), (0, max(rate) * 1.1))
    speed.line(t, rate, "calm")
    slow = max(max(row["p99_us"] for row in timeline), 1)
    unit, divisor = ("µs", 1) if slow < 2000 else ("ms", 1000)
    latency = Plot(f"Batch latency over the run, {unit}", "seconds since the start", unit, (0, t[-1]), (0, slow / divisor * 1.1))
    latency.line(t, [row["p50_us"] / divisor for row in timeline], "good", "p50")
    latency.line(t, [row["p99_us"] / divisor for row in timeline], "bad", "p99")
    return speed.text() + latency.text()


def when(time_ms):
    """A number of ms as UTC; one that no calendar holds is told as it is."""
    if not isinstance(time_ms, (int, float)):
        return ""
    try:
        return datetime.datetime.fromtimestamp(time_ms // 1000, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return str(time_ms)


def reason(feature):
    text = f"{feature.get('name')} = {number(feature.get('value'))}"
    return text if feature.get("value") is not None else f"{feature.get('name')} missing"


def share(found):
    """What an input adds to the margin, in the operator's words where there are some."""
    return f"{found.get('text') or found.get('input')} {float(found.get('share') or 0):+.3g}"


def alerts_table(run):
    alerts, known = run.summary["alerts"], None
    explained = any(a.get("reasons") for a in alerts)
    if run.truth is not None:
        rows = run.decisions[run.decisions.id.isin([a.get("event_id") for a in alerts])]
        known = dict(zip(rows.id, rows.is_fraud == 1))
    rows = []
    for alert in alerts:
        said = [share(r) for r in alert.get("reasons") or []] if explained else [reason(f) for f in alert.get("features") or []]
        why = ", ".join(f"<span>{html.escape(text)}</span>" for text in said)
        row = [str(alert.get("event_id")), when(alert.get("time_ms")), str(alert.get("key", "")), float(alert.get("probability") or math.nan),
               tag(alert.get("decision")), str(alert.get("rule") or ""), Markup(f'<span class="why">{why}</span>')]
        if known is not None:
            fraud = known.get(alert.get("event_id"))
            row.append("" if fraud is None else Markup(f'<b class={"decline" if fraud else "approve"}>{"fraud" if fraud else "honest"}</b>'))
        rows.append(row)
    return table(["event", "time (UTC)", "key", "probability", "decision", "rule", "why" if explained else "what stands out"] + (["truth"] if known is not None else []), rows, "cards")


def decisions_table(run):
    header, rows = ["decision", "events", "share"], []
    for name in run.names():
        row = [tag(name), run.decided[name], Figure(percent(run.decided[name] / run.total if run.total else math.nan))]
        if run.truth is not None:
            size, fraud = run.fraud_in(name)
            row += [fraud, Figure(percent(fraud / size if size else math.nan)), Figure(percent(fraud / run.truth.sum()))]
        rows.append(row)
    return table(header + (["fraud", "fraud in it", "of all fraud"] if run.truth is not None else []), rows)


def kinds_table(kinds):
    return table(["kind of fraud", "reported", "declined", "reviewed", "missed"],
                 [[kind, row["fraud"], *(Figure(percent(row.get(name, 0.0))) for name, _ in DECISIONS)] for kind, row in kinds.items()])


def model_card(path):
    p = json.loads(Path(path).read_text())
    test, control, gain = p["test"], p["shuffled_labels"], list(p["gain"].items())
    total = sum(value for _, value in gain) or 1.0
    command = p["command"].replace(p["how"], "…") if p.get("how") else p["command"]
    facts = [["model", f"{p['model']}, {p['trees']} trees, {len(p['features'])} features"],
             ["training", f"{p['train']['events']:,} events until {p['split']['maturity_days']:g} days before {p['split']['at'][:10]}; {p['train']['known_fraud']:,} frauds "
                          f"known on that day ({p['train']['true_fraud']:,} in truth)"],
             ["test", f"PR-AUC {test['pr_auc']:.4f}, ROC-AUC {test['roc_auc']:.4f} on {test['events']:,} later events ({test['fraud']:,} frauds)"],
             ["control", f"trained on shuffled labels: PR-AUC {control['pr_auc']:.4f}, where chance is {control['chance']:.4f}"],
             ["most used", ", ".join(f"{name} {value / total:.0%}" for name, value in gain[:8])],
             ["how", Markup(f"<details><summary>commands</summary><code>{html.escape(p.get('how', ''))}</code><br><code>{html.escape(command)}</code></details>")],
             ["sha256", Markup(f"<code>{html.escape(p['model_sha256'])}</code>")]]
    return table(["", ""], facts, "facts")


def run_facts(run):
    s, machine, latency = run.summary, run.summary.get("machine", {}), run.latency
    facts = [["ended", ", ".join(f"{count:,} {name}" for name, count in run.ends.items() if count or name in ("received", "scored"))],
             ["latency of a batch", ", ".join(f"{name} {microseconds(latency[name])}" for name in ("p50", "p90", "p99", "p999", "max") if name in latency)],
             ["machine", ", ".join(str(v) for v in (machine.get("cpu"), f"{machine['cores']} cores" if "cores" in machine else None, f"backend {s.get('backend', '?')}") if v)],
             ["configuration", str(s.get("config", ""))]]
    facts += [[name.replace("_", " "), Markup(f"<code>{html.escape(str(s[name]))}</code>")] for name in ("spec_hash", "model_hash") if s.get(name)]
    return table(["", ""], [f for f in facts if f[1]], "facts")


def body(run, title, provenance=None, labels=None):
    s = run.summary
    started = str(s.get("started", "")).replace("T", " ")[:19]
    sub = " · ".join(v for v in (str(s.get("program", "")), f"{started} UTC" if started else "", f"backend {s['backend']}" if s.get("backend") else "") if v)
    parts = [f"<h1>{html.escape(title)}</h1>", f'<p class="sub">{html.escape(sub)}</p>', lead(run), notes(run), head_tiles(run)]
    plots, kinds = [], {}
    if run.truth is not None:
        kinds = metrics.by_kind(run.decisions, labels) if labels and run.by_decision else {}
        plots = [fraud_stacks(run, kinds)] if run.by_decision else []
        plots.append(precision_recall_plot(run))
    if run.decisions is not None and len(run.decisions):
        plots += [score_plot(run), day_plot(run)]
    plots = "".join([*plots, timeline_plots(run.timeline)])
    if plots:
        parts.append(f'<h2>What happened</h2><div class="plots">{plots}</div>')
    parts.append(drift.section(s.get("drift")))
    parts.append("<h2>Top alerts</h2>" + (alerts_table(run) if s.get("alerts") else '<p class="hint">Nothing was declined or sent to review.</p>'))
    if run.total:
        parts.append('<div class="two"><div><h2>Decisions</h2>' + decisions_table(run) + "</div>")
        parts.append("<div><h2>Rules</h2>" + (table(["rule", "decision", "events"], [[str(r["id"]), tag(r["decision"]), int(r["count"])] for r in s["rules"]])
                                            if s.get("rules") else '<p class="hint">There are no rules: everything is approved.</p>') + "</div></div>")
    if run.truth is not None and run.score is not None:
        rows = [metrics.at_threshold(run.truth, run.score, t) for t in metrics.THRESHOLDS]
        parts.append('<div class="two"><div><h2>If one threshold decided</h2>' + table(
            ["probability", "flagged", "precision", "recall", "F1"],
            [[f"≥ {r['threshold']:g}", r["flagged"], Figure(percent(r["precision"])), Figure(percent(r["recall"])), Figure(f"{r['f1']:.3f}")] for r in rows]) + "</div>")
        parts.append(("<div><h2>By kind of fraud</h2>" + kinds_table(kinds) + "</div>" if kinds else "") + "</div>")
    if provenance:
        parts.append("<h2>Model</h2>" + model_card(provenance))
    parts.append("<h2>Run</h2>" + run_facts(run))
    return "".join(parts)


def run(arguments):
    summary = json.loads(Path(arguments.summary).read_text())
    if not isinstance(summary, dict) or "events" not in summary:
        raise ValueError(f"{arguments.summary} is not the summary of a run")
    decisions = data.read_decisions(arguments.decisions) if arguments.decisions else None
    truth = data.read_truth(arguments.events) if arguments.events and decisions is not None else None
    output = Path(arguments.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    text = page(arguments.title, body(Run(summary, decisions, truth), arguments.title, arguments.provenance, arguments.labels))
    output.write_text(text, encoding="utf-8", errors="replace")
    print(f"report {output}")
    return 0
