"""Judge scores against the truth: PR-AUC, precision and recall at thresholds, card precision@k.

Takes what `ride run` (or `ride score`) wrote: a CSV with the event id and `probability`.
"""
import json

import pandas as pd

from . import data, metrics


def add_arguments(parser):
    parser.add_argument("--events", required=True, help="the stream with truth, CSV of `ride generate`")
    parser.add_argument("--scores", required=True, help="CSV with tx_id and probability")
    parser.add_argument("--labels", help="with it, recall by kind of fraud is told too")
    parser.add_argument("--threshold", type=float, default=0.5, help="of the recall by kind")
    parser.add_argument("--json", help="also write the figures here")


def by_kind(frame, labels_path, threshold):
    labels = pd.read_csv(labels_path)
    kinds = frame.merge(labels[labels.is_fraud == 1][["tx_id", "reason"]], on="tx_id", how="inner")
    found = kinds.assign(hit=kinds.probability >= threshold).groupby("reason").hit.agg(["size", "mean"])
    return {kind: {"fraud": int(row["size"]), "recall": float(row["mean"])} for kind, row in found.iterrows()}


def run(arguments):
    scores = pd.read_csv(arguments.scores, usecols=["tx_id", "probability"]).drop_duplicates("tx_id")
    frame = data.read_events(arguments.events).merge(scores, on="tx_id", how="inner")
    if frame.empty:
        raise ValueError("no scored event is in the file of events")
    figures = metrics.all_figures(frame, frame.probability.to_numpy())
    print(metrics.text(figures, "all scored"))
    if arguments.labels:
        figures["by_kind"] = by_kind(frame, arguments.labels, arguments.threshold)
        for kind, row in figures["by_kind"].items():
            print(f"  {kind:9} {row['fraud']:7,} reported, recall at {arguments.threshold:g}: {row['recall']:.4f}")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1)
            file.write("\n")
    return 0
