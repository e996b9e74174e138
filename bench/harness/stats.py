"""The arithmetic of a comparison: medians, their ratio, and a bootstrap confidence interval. Standard library only.

Runs come in rounds (A B A B …); what disturbs the machine for a while disturbs all cases of a round. So rounds are
resampled, not single runs: the interval of a ratio keeps the pairing. Seeded: the same numbers give the same interval."""
import random


def median(values):
    """Middle value; the mean of the two middle ones for an even count."""
    ordered = sorted(values)
    n = len(ordered)
    if n == 0:
        raise ValueError("median of nothing")
    middle = n // 2
    return ordered[middle] if n % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def quantile(values, q):
    """Linear interpolation between order statistics (numpy's default)."""
    ordered = sorted(values)
    position = q * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def bootstrap(statistic, rounds, confidence=0.95, resamples=5000, seed=1):
    """Percentile interval of statistic(rounds) under resampling of whole rounds: (low, high)."""
    if len(rounds) < 2:
        raise ValueError("an interval needs two rounds at least")
    source = random.Random(seed)
    n = len(rounds)
    values = [statistic([rounds[source.randrange(n)] for _ in range(n)]) for _ in range(resamples)]
    tail = (1 - confidence) / 2
    return quantile(values, tail), quantile(values, 1 - tail)


def ratio_of_medians(pairs):
    """median(second) / median(first) of (first, second) rounds."""
    return median([b for _, b in pairs]) / median([a for a, _ in pairs])


def compare(base, other, confidence=0.95, resamples=5000, seed=1):
    """Ratio other/base of medians with its interval, from two equally long lists in round order: (ratio, low, high)."""
    if len(base) != len(other):
        raise ValueError("cases have different numbers of rounds")
    if any(value <= 0 for value in (*base, *other)):
        raise ValueError("a ratio needs positive figures")
    pairs = list(zip(base, other))
    low, high = bootstrap(ratio_of_medians, pairs, confidence, resamples, seed)
    return ratio_of_medians(pairs), low, high


def verdict(low, high, bar):
    """A bar (ratio at most `bar`) is met when the whole interval keeps it, missed when none of it does."""
    if high <= bar:
        return "met"
    return "missed" if low > bar else "undecided"
