"""Write one self-contained HTML page about a run: scores, precision and recall, throughput, latency, alerts, the model.

Reads the summary that `ride run` wrote (docs/run-summary.md), its decisions, and the truth where there is one.
"""
import html
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd

from . import data, metrics
from .svg import Plot

STYLE = """
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b2330;--soft:#5c6778;--rule:#dfe3ea;--good:#2f7ed8;--bad:#d1493f;--mid:#c58a1b;--calm:#2c9a6b}
@media(prefers-color-scheme:dark){:root{--bg:#12161d;--card:#1b212b;--ink:#e6eaf1;--soft:#98a4b6;--rule:#2c3543;--good:#62a5ee;--bad:#ef7168;--mid:#e0b04c;--calm:#4fc592}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1200px;margin:0 auto;padding:32px 20px 60px}h1{font-size:26px;margin:0}h2{font-size:18px;margin:36px 0 12px}
.sub{color:var(--soft);margin:4px 0 24px}.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px}
.tile,figure,.box{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:14px 16px;margin:0}
.tile b{display:block;font-size:22px;font-weight:650;font-variant-numeric:tabular-nums}.tile span{color:var(--soft);font-size:13px}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:14px}figcaption{font-weight:600;margin-bottom:6px}
svg{width:100%;height:auto;display:block}.grid{stroke:var(--rule)}.axis{stroke:var(--soft)}.tick,.label{fill:var(--soft);font-size:11px}.line{fill:none;stroke-width:1.8;stroke-linejoin:round}
.legend{margin:4px 0 0;color:var(--soft);font-size:13px}.legend span{margin-right:16px}.legend i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:6px}
.box{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}th{color:var(--soft);font-weight:550;text-align:left}
th,td{padding:6px 10px;border-bottom:1px solid var(--rule);vertical-align:top}tr:last-child td{border:0}td.n,th.n{text-align:right}
.tag{border-radius:5px;padding:1px 7px;font-size:12px;font-weight:600;border:1px solid}.decline{color:var(--bad)}.review{color:var(--mid)}.approve{color:var(--calm)}
code{font-size:12.5px;overflow-wrap:anywhere}.why{color:var(--soft);font-size:13px}footer{margin-top:40px;color:var(--soft);font-size:13px}
"""


def add_arguments(parser):
    parser.add_argument("--summary", required=True, help="JSON summary of `ride run`")
    parser.add_argument("--decisions", help="decisions of the run, CSV with tx_id, probability, decision")
    parser.add_argument("--events", help="the stream with truth; without it nothing is said about right and wrong")
    parser.add_argument("--provenance", help="of the model, by `python -m ride train`")
    parser.add_argument("--title", default="RIDE run report")
    parser.add_argument("--output", required=True, help="the page")


class Markup(str):
    """Text that is HTML already, made here; everything else is escaped, for an event may hold any text."""


def cell(value):
    numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
    shown = f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if numeric else str(value)
    return f'<td{" class=n" if numeric else ""}>{shown if isinstance(value, Markup) else html.escape(shown)}</td>'


def table(header, rows):
    numeric = [bool(rows) and isinstance(v, (int, float)) for v in (rows[0] if rows else header)]
    head = "".join(f'<th{" class=n" if n else ""}>{html.escape(h)}</th>' for h, n in zip(header, numeric))
    return '<div class="box"><table>' + (f"<tr>{head}</tr>" if any(header) else "") + "".join("<tr>" + "".join(map(cell, row)) + "</tr>" for row in rows) + "</table></div>"


def tag(decision):
    name = html.escape(str(decision))
    return Markup(f'<span class="tag {name}">{name}</span>')


def tiles(pairs):
    return '<div class="tiles">' + "".join(f'<div class="tile"><b>{html.escape(value)}</b><span>{html.escape(name)}</span></div>'
                                           for name, value in pairs) + "</div>"


def score_plot(probability, truth):
    edges = np.linspace(0, 1, 41)
    groups = [(probability, "good", "all events")] if truth is None else \
             [(probability[truth == 0], "good", "honest"), (probability[truth == 1], "bad", "fraud")]
    counts = [np.histogram(values, edges)[0] for values, _, _ in groups]
    top = max(10.0, float(max(c.max() for c in counts)))
    plot = Plot("Scores by class", "probability", "events (log)", (0, 1), (0.8, 10 ** math.ceil(math.log10(top))), log_y=True)
    for count, (_, colour, name) in zip(counts, groups):
        plot.bars(edges, count, colour, name)
    return plot.text()


def precision_recall_plot(truth, probability):
    precision, recall, _ = metrics.curve(truth, probability)
    keep = np.unique(np.searchsorted(recall, np.linspace(0, 1, 500)).clip(0, len(recall) - 1))
    plot = Plot(f"Precision and recall (area {metrics.average_precision(truth, probability):.3f})", "recall", "precision", (0, 1), (0, 1))
    plot.line(recall[keep], precision[keep], "good", "model")
    plot.line([0, 1], [truth.mean()] * 2, "mid", f"chance ({truth.mean():.4f})")
    return plot.text()


def timeline_plots(timeline):
    t = [row["t"] for row in timeline]
    rate = [0.0] + [(b["events"] - a["events"]) / (b["t"] - a["t"]) for a, b in zip(timeline, timeline[1:]) if b["t"] > a["t"]]
    if len(rate) != len(t):  # two points of one time: nothing to divide by
        return ""
    rate[0] = timeline[0]["events"] / t[0] if t[0] > 0 else rate[-1]
    speed = Plot("Throughput over the run", "seconds", "events/s", (0, t[-1]), (0, max(rate) * 1.1))
    speed.line(t, rate, "calm")
    slow = max(max(row["p99_us"] for row in timeline), 1)
    latency = Plot("Batch latency over the run", "seconds", "µs", (0, t[-1]), (0, slow * 1.1))
    latency.line(t, [row["p50_us"] for row in timeline], "good", "p50")
    latency.line(t, [row["p99_us"] for row in timeline], "bad", "p99")
    return speed.text() + latency.text()


def alerts_table(alerts, truth):
    rows = []
    for alert in alerts:
        why = ", ".join(f"{f['name']} = {f['value']:.4g}" if isinstance(f["value"], (int, float)) else f["name"] for f in alert.get("features", []))
        when = pd.to_datetime(alert["time_ms"], unit="ms").strftime("%Y-%m-%d %H:%M:%S")
        row = [str(alert["event_id"]), when, str(alert.get("key", "")), float(alert["probability"]), tag(alert["decision"]),
               str(alert.get("rule", "")), Markup(f'<span class="why">{html.escape(why)}</span>')]
        if truth is not None:
            known = truth.get(alert["event_id"])
            row.append("" if known is None else "fraud" if known else "honest")
        rows.append(row)
    return table(["event", "time (UTC)", "key", "probability", "decision", "rule", "what stands out"] + (["truth"] if truth is not None else []), rows)


def model_card(path):
    p = json.loads(Path(path).read_text())
    test, control, gain = p["test"], p["shuffled_labels"], list(p["gain"].items())
    total = sum(value for _, value in gain) or 1.0
    facts = [["model", f"{p['model']}, {p['trees']} trees, {len(p['features'])} features"], ["sha256", p["model_sha256"]],
             ["trained by", p["command"]], ["split", f"{p['split']['at']} ({p['split']['warmup_days']:g} days warm-up, labels {p['split']['maturity_days']:g} days to mature)"],
             ["training", f"{p['train']['events']:,} events, {p['train']['known_fraud']:,} frauds known at the split"],
             ["test", f"PR-AUC {test['pr_auc']:.4f}, ROC-AUC {test['roc_auc']:.4f} on {test['events']:,} later events"],
             ["labels shuffled", f"PR-AUC {control['pr_auc']:.4f}, chance {control['chance']:.4f}"],
             ["most used", ", ".join(f"{name} {value / total:.0%}" for name, value in gain[:8])]]
    return table(["", ""], facts)


def run(arguments):
    summary = json.loads(Path(arguments.summary).read_text())
    frame, truth, judged = None, None, None
    if arguments.decisions:
        frame = pd.read_csv(arguments.decisions, usecols=["tx_id", "probability", "decision"]).drop_duplicates("tx_id")
    if frame is not None and arguments.events:
        judged = frame.merge(data.read_events(arguments.events), on="tx_id", how="inner")
        truth = dict(zip(judged.tx_id, judged.is_fraud == 1))
    ends, latency, decisions = summary["events"], summary["latency_us"], summary["decisions"]
    parts = [tiles([("events", f"{ends['received']:,}"), ("events per second", f"{summary['events_per_s']:,.0f}"),
                    ("run", f"{summary['elapsed_s']:.1f} s"), ("features per event", f"{summary['features_count']}"),
                    ("latency p50 / p99", f"{latency['p50']:,.0f} / {latency['p99']:,.0f} µs"),
                    ("declined / reviewed", f"{decisions.get('decline', 0):,} / {decisions.get('review', 0):,}")])]
    plots = []
    if frame is not None:
        plots.append(score_plot(frame.probability.to_numpy() if judged is None else judged.probability.to_numpy(),
                                None if judged is None else judged.is_fraud.to_numpy()))
    if judged is not None and judged.is_fraud.sum() > 0:
        plots.append(precision_recall_plot(judged.is_fraud.to_numpy(), judged.probability.to_numpy()))
    if summary.get("timeline"):
        plots.append(timeline_plots(summary["timeline"]))
    parts.append('<h2>Plots</h2><div class="plots">' + "".join(plots) + "</div>")
    if judged is not None and judged.is_fraud.sum() > 0:
        groups = judged.groupby("decision").is_fraud.agg(["size", "sum"])
        total = judged.is_fraud.sum()
        parts.append("<h2>Decisions against the truth</h2>" + table(
            ["decision", "events", "fraud among them", "precision", "share of all fraud"],
            [[tag(name), int(row["size"]), int(row["sum"]), float(row["sum"] / row["size"]), float(row["sum"] / total)] for name, row in groups.iterrows()]))
        figures = metrics.all_figures(judged, judged.probability.to_numpy())
        parts.append("<h2>Thresholds</h2>" + table(["threshold", "flagged", "precision", "recall", "F1"],
                     [[r["threshold"], r["flagged"], r["precision"], r["recall"], r["f1"]] for r in figures["thresholds"]]))
    if summary.get("alerts"):
        parts.append("<h2>Top alerts</h2>" + alerts_table(summary["alerts"], truth))
    if summary.get("rules"):
        parts.append("<h2>Rules</h2>" + table(["rule", "decision", "events"], [[r["id"], tag(r["decision"]), int(r["count"])] for r in summary["rules"]]))
    if arguments.provenance:
        parts.append("<h2>Model</h2>" + model_card(arguments.provenance))
    parts.append("<h2>How events ended</h2>" + table(["end", "events"], [[name, int(count)] for name, count in ends.items()]))
    machine = summary.get("machine", {})
    sub = " · ".join(str(v) for v in (summary.get("program"), summary.get("started"), f"backend {summary.get('backend', '?')}",
                                       machine.get("cpu"), f"{machine['cores']} cores" if "cores" in machine else None) if v)
    hashes = " · ".join(f"{name} <code>{html.escape(str(summary[name]))}</code>" for name in ("spec_hash", "model_hash") if summary.get(name))
    page = (f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>{html.escape(arguments.title)}</title><style>{STYLE}</style></head><body><main><h1>{html.escape(arguments.title)}</h1>"
            f'<p class="sub">{html.escape(sub)}</p>{"".join(parts)}<footer>{hashes}</footer></main></body></html>\n')
    output = Path(arguments.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(page, encoding="utf-8")
    print(f"report {output}")
    return 0
