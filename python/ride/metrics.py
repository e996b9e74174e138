"""Figures for rare events: ranking quality, thresholds, and how many of the day's top cards were really attacked."""
import numpy as np
import pandas as pd


def curve(truth, score):
    """Precision and recall at every distinct score, from the highest down. Ties are one point: a threshold cannot split them."""
    order = np.argsort(-score, kind="stable")
    hits, score = truth[order].astype(np.float64).cumsum(), score[order]
    last = np.r_[score[1:] != score[:-1], True]
    taken = np.arange(1, len(score) + 1)[last]
    hits, threshold = hits[last], score[last]
    total = max(hits[-1], 1.0) if len(hits) else 1.0
    return hits / taken, hits / total, threshold


def average_precision(truth, score):
    """Area under the precision-recall curve as a sum of steps (no interpolation)."""
    precision, recall, _ = curve(truth, score)
    return float(np.sum(np.diff(np.r_[0.0, recall]) * precision))


def roc_auc(truth, score):
    """The chance that a fraud scores above an honest event, half for a tie."""
    rank = pd.Series(score).rank(method="average").to_numpy()
    bad = int(truth.sum())
    good = len(truth) - bad
    if bad == 0 or good == 0:
        return float("nan")
    return float((rank[truth == 1].sum() - bad * (bad + 1) / 2) / (bad * good))


def at_threshold(truth, score, threshold):
    flagged = score >= threshold
    hits, flags, bad = int(truth[flagged].sum()), int(flagged.sum()), int(truth.sum())
    precision = hits / flags if flags else float("nan")
    recall = hits / bad if bad else float("nan")
    f1 = 2 * hits / (flags + bad) if flags + bad else float("nan")
    return {"threshold": float(threshold), "flagged": flags, "precision": precision, "recall": recall, "f1": f1}


def card_precision(frame, score, k):
    """Per day: of the k cards with the highest score that day, the share with a fraud that day; then the mean over days."""
    days = pd.DataFrame({"day": frame.ts // 86_400_000, "card": frame.card, "score": score, "is_fraud": frame.is_fraud})
    days = days.groupby(["day", "card"], sort=False, observed=True)
    cards = days.agg(score=("score", "max"), bad=("is_fraud", "max")).reset_index()
    top = cards.sort_values(["day", "score", "card"], ascending=[True, False, True]).groupby("day").head(k)
    return float(top.groupby("day").bad.mean().mean())


THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)


def by_kind(frame, labels_path, threshold=0.5):
    """Of the frauds that were reported, by their kind: how many scored at the threshold, and the share of each decision."""
    labels = pd.read_csv(labels_path)
    labels = labels[labels.is_fraud == 1].drop_duplicates(labels.columns[0]).rename(columns={labels.columns[0]: "id"})
    found = {}
    for kind, rows in frame.merge(labels[["id", "reason"]], on="id", how="inner").groupby("reason"):
        found[str(kind)] = {"fraud": int(len(rows)), "recall": float((rows.probability >= threshold).mean())}
        if "decision" in rows:
            found[str(kind)] |= {str(name): float(share) for name, share in rows.decision.value_counts(normalize=True).items()}
    return found


def by_decision(frame):
    """Events, frauds, precision and share of all fraud of each decision."""
    total = int(frame.is_fraud.sum())
    rows = frame.groupby("decision", observed=True).is_fraud.agg(["size", "sum"])
    return {str(name): {"events": int(row["size"]), "fraud": int(row["sum"]), "precision": float(row["sum"] / row["size"]),
                        "recall": float(row["sum"] / total) if total else float("nan")} for name, row in rows.iterrows()}


def all_figures(frame, score, thresholds=THRESHOLDS, k=(10, 50, 100)):
    truth = frame.is_fraud.to_numpy()
    return {
        "events": int(len(frame)),
        "fraud": int(truth.sum()),
        "fraud_rate": float(truth.mean()),
        "pr_auc": average_precision(truth, score),
        "roc_auc": roc_auc(truth, score),
        "thresholds": [at_threshold(truth, score, t) for t in thresholds],
        "card_precision": {str(n): card_precision(frame, score, n) for n in k},
    }


def text(figures, title):
    lines = [f"{title}: {figures['events']:,} events, {figures['fraud']:,} fraud ({figures['fraud_rate']:.3%})",
             f"  PR-AUC {figures['pr_auc']:.4f} (chance {figures['fraud_rate']:.4f})   ROC-AUC {figures['roc_auc']:.4f}   "
             + "   ".join(f"card precision@{k} {v:.3f}" for k, v in figures["card_precision"].items()),
             "  threshold  flagged  precision  recall      F1"]
    for row in figures["thresholds"]:
        lines.append(f"  {row['threshold']:9.2f} {row['flagged']:8,} {row['precision']:10.4f} {row['recall']:7.4f} {row['f1']:7.4f}")
    return "\n".join(lines)
