"""The report's part about drift: which features no longer look like the reference, since when, and how they differ now.

Reads the member `drift` of a run's summary (docs/run-summary.md). Worst first means: by the psi of the newest interval that has values
enough; intervals with too few are drawn empty, for a psi of few values is mostly chance.
"""
import datetime
import html
import math

from .page import Figure, number, table
from .svg import Plot
from .svg import number as short

# Shares of the alert at which the colour changes: blues below it, oranges from it on. Told apart by every kind of colour blindness,
# and in grey, where the oranges are darker.
STEPS = ((0.1, "h0"), (0.4, "h1"), (1.0, "h2"), (2.0, "h3"), (4.0, "h4"), (math.inf, "h5"))
ROWS_MAX, LINES_MAX = 45, 5
NAME_WIDTH, CELLS_WIDTH, ROW, HEAD = 210, 880, 17, 30
LINES = (("good", None), ("mid", "7 3"), ("bad", "2 3"), ("none", None), ("calm", "9 3 2 3"))  # colour and dashes


def time_of(text):
    return datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))


def day(text, with_time=False):
    return time_of(text).strftime("%Y-%m-%d %H:%M" if with_time else "%Y-%m-%d")


class Feature:
    """One column: its values in every interval that has enough of them, oldest first."""

    def __init__(self, name, rows):
        self.name = name
        self.rows = rows  # one per interval; None: too few values
        known = [i for i, row in enumerate(rows) if row is not None]
        self.newest = known[-1] if known else None
        self.psi = rows[known[-1]]["psi"] if known else -1.0
        self.most = max((rows[i]["psi"] for i in known), default=-1.0)
        self.is_alert = bool(known) and rows[known[-1]]["alert"]
        self.since = self.newest
        for i in reversed(known):
            if not self.is_alert or not rows[i]["alert"]:
                break
            self.since = i


def features_of(drift):
    intervals = drift["intervals"]
    names = [f["feature"] for f in intervals[0]["features"]] if intervals else []
    enough = [[f if f["enough"] and f["psi"] is not None else None for f in interval["features"]] for interval in intervals]
    found = [Feature(name, [row[i] for row in enough]) for i, name in enumerate(names)]
    return sorted(found, key=lambda f: (-f.psi, -f.most))


def colour(psi, alert):
    return next(name for limit, name in STEPS if psi < limit * alert)


def heat_map(drift, found):
    """Features by intervals. One rectangle each, with its figures as its title."""
    intervals, alert, shown = drift["intervals"], drift["psi_alert"], found[:ROWS_MAX]
    width = CELLS_WIDTH / len(intervals)
    height = HEAD + ROW * len(shown) + 6
    title = "psi of every feature and interval, the worst of now first"
    out = [f'<figure class="wide"><figcaption>{title}</figcaption><div class="scroll"><svg viewBox="0 0 {NAME_WIDTH + CELLS_WIDTH + 10} {height}" '
           f'role="img" aria-label="{title}">']
    with_time = (time_of(intervals[0]["to"]) - time_of(intervals[0]["from"])).total_seconds() < 86400
    every = max(1, math.ceil(len(intervals) / (6 if with_time else 9)))
    for i in range(0, len(intervals), every):
        out.append(f'<text class="tick" x="{NAME_WIDTH + i * width:.1f}" y="{HEAD - 10}">{day(intervals[i]["from"], with_time)}</text>')
    for r, feature in enumerate(shown):
        y = HEAD + r * ROW
        out.append(f'<text class="name{" hot" if feature.is_alert else ""}" x="{NAME_WIDTH - 8}" y="{y + ROW - 5}" text-anchor="end">{html.escape(feature.name)}</text>')
        for i, (interval, row) in enumerate(zip(intervals, feature.rows)):
            when = f"{feature.name}, from {day(interval['from'], True)} to {day(interval['to'], True)}"
            what = f"psi {row['psi']:.3g}, {int(row['n_cur']):,} values" if row else f"too few values ({interval['rows']:,} events)"
            out.append(f'<rect class="{colour(row["psi"], alert) if row else "empty"}" x="{NAME_WIDTH + i * width:.1f}" y="{y}" width="{max(width - 1, 0.6):.1f}" '
                       f'height="{ROW - 1}"><title>{html.escape(when)}: {what}</title></rect>')
    out.append("</svg></div>")
    limits = [f"{limit * alert:.3g}" for limit, _ in STEPS[:-1]]
    names = [f"below {limits[0]}", *(f"{a} to {b}" for a, b in zip(limits, limits[1:])), f"{limits[-1]} and more"]
    out.append('<p class="legend">' + "".join(f'<span><i class="{css}"></i>{text}</span>' for text, (_, css) in zip(names, STEPS)) +
               '<span><i class="empty"></i>too few values</span></p>')
    if len(found) > len(shown):
        out.append(f'<p class="hint">The {len(found) - len(shown)} least drifted features are left out.</p>')
    return "".join(out) + "</figure>"


def course(drift, found):
    """The worst features over time, on a logarithmic scale: the alert is a fraction of what a warm-up gives."""
    intervals, alert, shown = drift["intervals"], drift["psi_alert"], [f for f in found[:LINES_MAX] if f.newest is not None]
    start = time_of(intervals[0]["from"])
    middle = [((time_of(i["from"]) - start) + (time_of(i["to"]) - time_of(i["from"])) / 2).total_seconds() / 86400 for i in intervals]
    end = (time_of(intervals[-1]["to"]) - start).total_seconds() / 86400
    if not shown or len(intervals) < 2:
        return ""
    top = 10 ** math.ceil(math.log10(max([2 * alert, *(f.most for f in shown)])))
    plot = Plot("The worst features over time", f"days since {day(intervals[0]['from'])}", "psi (log)", (0, end), (1e-3, max(top, 1.0)), log_y=True)
    plot.line([0, end], [alert, alert], "soft", f"alert, {alert:g}", dash="4 4")
    for feature, (line_colour, dash) in zip(shown, LINES):
        plot.line(middle, [row["psi"] if row else None for row in feature.rows], line_colour, feature.name, dash=dash)
    return plot.text()


def shares(counts):
    total = sum(counts)
    return [c / total if total else 0.0 for c in counts]


def histogram(drift, name):
    """The reference's bins with both shares side by side."""
    histograms = drift.get("histograms") or {"features": []}
    found = next((h for h in histograms["features"] if h["feature"] == name), None)
    if found is None or not sum(found["current"]) + found["new"]:
        return ""
    is_number = found["kind"] == "number"
    reference, current = list(found["reference"]), list(found["current"])
    if found["new"]:
        reference, current = reference + [0], current + [found["new"]]
    reference, current = shares(reference), shares(current)
    bins = len(reference)
    plot = Plot(f"{name}: the reference and the interval from {day(histograms['from'])}", "up to this value" if is_number else "value", "share",
                (0, bins), (0, max(reference + current) * 1.08 or 1), x_ticks=labels(found, bins))
    for i in range(bins):
        plot.bars([i + 0.08, i + 0.5], [reference[i]], "none", "reference" if i == 0 else None)
        plot.bars([i + 0.5, i + 0.92], [current[i]], "mid", "this interval" if i == 0 else None)
    return plot.text()


def labels(found, bins):
    if found["kind"] == "number":
        return [(i + 1, short(edge)) for i, edge in enumerate(found["edges"])]
    names = [short(v) for v in found["values"]] + ["new"] * (bins - len(found["values"]))
    every = math.ceil(bins / 14)
    return [(i + 0.5, text) for i, text in enumerate(names) if i % every == 0]


def sentence(drift, found):
    hot = [f for f in found if f.is_alert]
    intervals = drift["intervals"]
    if not any(f.newest is not None for f in found):
        return "No interval has values enough yet to tell whether anything has drifted."
    if not hot:
        return f"At the end none of {len(found)} features and scores was {drift['psi_alert']:g} or more away from the reference."
    worst = ", ".join(f"<b>{html.escape(f.name)}</b> (psi {f.psi:.2g}, since {day(intervals[f.since]['from'])})" for f in hot[:4])
    return f"At the end {len(hot)} of {len(found)} features and scores had drifted: {worst}" + (f" and {len(hot) - 4} more." if len(hot) > 4 else ".")


def worst_table(drift, found):
    rows = []
    for feature in [f for f in found if f.newest is not None][:8]:
        row, since = feature.rows[feature.newest], drift["intervals"][feature.since]["from"]
        rows.append([feature.name, Figure(f"{row['psi']:.3f}"), day(since) if feature.is_alert else "",
                     Figure(number(row["js_distance"])), Figure("–" if row["ks"] is None else f"{row['ks']:.3f}"),
                     Figure("–" if row["wasserstein_normed"] is None else f"{row['wasserstein_normed']:.3f}"), Figure(f"{100 * row['missing_rate']:.2f} %")])
    return table(["feature", "psi", "over the alert since", "Jensen–Shannon", "KS", "Wasserstein / σ", "missing"], rows)


def section(drift):
    """HTML of the section; "" without intervals."""
    if not drift or not drift.get("intervals"):
        return ""
    found = features_of(drift)
    intervals = drift["intervals"]
    dropped = f", {drift['intervals_dropped']:,} older ones left out" if drift.get("intervals_dropped") else ""
    facts = (f"{len(intervals)} intervals of {html.escape(str(drift['interval']))} of event time{dropped}, against {drift['profile_rows']:,} events of the reference "
             f"{html.escape(str(drift['profile']))}")
    worst = found[0].name if found and found[0].newest is not None else None
    plots = course(drift, found) + (histogram(drift, worst) if worst else "")
    return (f'<h2>Drift</h2><p>{sentence(drift, found)}</p><p class="hint">{facts}.</p>' + heat_map(drift, found) + (f'<div class="plots">{plots}</div>' if plots else "") +
            worst_table(drift, found))
