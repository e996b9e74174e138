"""Judge scores and decisions against the truth: PR-AUC, precision and recall, card precision@k.

Takes what `ride run` wrote, or any CSV with the event id first and a column `probability`.
"""
import json

from . import data, metrics


def add_arguments(parser):
    parser.add_argument("--events", required=True, help="the stream with truth, CSV of `ride generate`")
    parser.add_argument("--scores", required=True, help="decisions of `ride run`, or a CSV of event id and probability")
    parser.add_argument("--labels", help="CSV of `ride generate --labels`: recall by kind of fraud is told too")
    parser.add_argument("--threshold", type=float, default=0.5, help="of the recall by kind, where there are no decisions")
    parser.add_argument("--full", action="store_true", help="also a table of thresholds")
    parser.add_argument("--json", help="also write all figures here")


def text(figures, threshold, full):
    """Ten lines for a terminal."""
    lines = [f"{figures['events']:,} events judged, {figures['fraud']:,} of them fraud ({figures['fraud_rate']:.2%})",
             f"  PR-AUC     {figures['pr_auc']:.4f} (chance {figures['fraud_rate']:.4f}), ROC-AUC {figures['roc_auc']:.4f}",
             "  top cards  " + ", ".join(f"{value:.0%} of the {n}" for n, value in figures["card_precision"].items()) + " highest a day were attacked that day"]
    decisions = figures.get("by_decision", {})
    taken = hits = 0
    for names, word in ((("decline",), "declined"), (("review",), "declined or sent to review")):
        found = [decisions[n] for n in names if n in decisions]
        taken, hits = taken + sum(d["events"] for d in found), hits + sum(d["fraud"] for d in found)
        if taken and figures["fraud"]:
            lines.append(f"  {word}: {taken:,}, precision {hits / taken:.3f}, recall {hits / figures['fraud']:.3f}")
    if not decisions or full:
        lines += metrics.text(figures, "").splitlines()[2:]
    if figures.get("by_kind"):
        stopped = lambda row: 1 - row.get("approve", 0.0) if decisions else row["recall"]  # noqa: E731
        lines.append(f"  found by kind ({'declined or reviewed' if decisions else f'score from {threshold:g}'}): "
                     + ", ".join(f"{kind} {stopped(row):.0%}" for kind, row in figures["by_kind"].items()))
    return "\n".join(lines)


def run(arguments):
    scores = data.read_decisions(arguments.scores)
    frame = scores.merge(data.read_truth(arguments.events), on="id", how="inner")
    if frame.empty:
        raise ValueError("no scored event is in the file of events")
    if frame.probability.isna().all():
        raise ValueError(f"{arguments.scores} holds no probability: was there a model?")
    frame["probability"] = frame.probability.fillna(0.0)
    figures = metrics.all_figures(frame, frame.probability.to_numpy())
    if "decision" in frame:
        figures["by_decision"] = metrics.by_decision(frame)
    if arguments.labels:
        figures["by_kind"] = metrics.by_kind(frame, arguments.labels, arguments.threshold)
    print(text(figures, arguments.threshold, arguments.full))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1)
            file.write("\n")
    return 0
