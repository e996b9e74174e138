"""The Fraud Detection Handbook's way to judge a model (its chapters 3 to 5), as facts, written afresh:

- a fold trains on 7 days, waits 7 days for labels, and tests on 7 days. Fold k of four begins k weeks before the first.
- test folds train from 2018-08-15 backwards, validation folds from 2018-07-11: the last validated day lies before the first test label is known
- a card that is known to be compromised does not count: one with a fraud in the training days, and on test day d also one with a fraud
  up to seven days before (training day 7 + d - 1: its label has arrived by then)
- figures of a fold: area under the ROC curve and average precision over all test transactions; card precision@100: of the 100 cards with the
  highest score of a day, the share with a fraud that day, mean over the days; a card that was found leaves the list of later days
- reported: mean and (population) standard deviation over the folds"""
from dataclasses import dataclass

import numpy as np
import pandas as pd

START = pd.Timestamp("2018-07-25")
FOLDS, TRAIN, DELAY, TEST = 4, 7, 7, 7


@dataclass
class Fold:
    train: np.ndarray  # row numbers
    test: np.ndarray


def start_of(kind, fold):
    first = START + pd.Timedelta(days=(FOLDS - 1) * TEST) if kind == "test" else START - pd.Timedelta(days=DELAY + TEST)
    return first - pd.Timedelta(days=fold * TEST)


def make_fold(frame, start):
    """frame: day (days since 2018-04-01), card, fraud, in the order of time."""
    first = (start - pd.Timestamp("2018-04-01")).days
    day, card, fraud = frame.day.to_numpy(), frame.card.to_numpy(), frame.fraud.to_numpy()
    train = np.flatnonzero((day >= first) & (day < first + TRAIN))
    known = set(card[train[fraud[train] == 1]])
    parts = []
    for d in range(TEST):
        late = (day == first + TRAIN + d - 1) & (fraud == 1)
        known |= set(card[late])
        rows = np.flatnonzero(day == first + TRAIN + DELAY + d)
        parts.append(rows[~np.isin(card[rows], list(known))])
    return Fold(train, np.concatenate(parts))


def folds(frame, kind):
    return [make_fold(frame, start_of(kind, fold)) for fold in range(FOLDS)]


def card_precision(day, card, fraud, score, k=100):
    found, shares = set(), []
    for d in np.unique(day):
        rows = np.flatnonzero(day == d)
        if found:
            rows = rows[~np.isin(card[rows], list(found))]
        cards = pd.DataFrame({"card": card[rows], "score": score[rows], "fraud": fraud[rows]}).groupby("card").max()
        top = cards.sort_values("score", ascending=False, kind="stable").head(k)
        hits = top.index[top.fraud == 1]
        found |= set(hits)
        shares.append(len(hits) / k)
    return float(np.mean(shares))


def figures(frame, rows, score):
    """Of one fold."""
    from sklearn.metrics import average_precision_score, roc_auc_score  # not ours: the figures are compared with published ones
    day, card, fraud = (frame[name].to_numpy()[rows] for name in ("day", "card", "fraud"))
    return {"auc_roc": float(roc_auc_score(fraud, score)), "average_precision": float(average_precision_score(fraud, score)),
            "card_precision_100": card_precision(day, card, fraud, score)}


def over_folds(found):
    """Mean and population standard deviation of each figure."""
    return {name: (float(np.mean([f[name] for f in found])), float(np.std([f[name] for f in found]))) for name in found[0]}
