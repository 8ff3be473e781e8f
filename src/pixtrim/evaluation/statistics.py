"""From records to verdicts: means by kind of picture, and intervals that say how far they can be trusted.

The interval is a paired bootstrap over groups. Operator and plain resize are compared on the same picture, so it is the
differences that are resampled; and whole groups (a task's screenshots, a document's pages) are drawn, for pictures of
one group are no independent witnesses.

It is the *expanded percentile* interval (T. Hesterberg, "What Teachers Should Know About the Bootstrap", The American
Statistician 69(4), 2015): the percentiles of the resampled means, taken further out where groups are few, as Student's
interval is wider than the normal one. Simulated on normal values, 5 of them have the truth in 92 of 100 of these
"95%" intervals, 8 or more in 94 to 95; the plain percentile interval gets there in 84 and 89 (`covered` in
tests/test_evaluation_statistics.py simulates). BCa, the usual remedy for
skewness, is no better on so few, and worse where many differences are zero, which is the rule where an operator leaves
pictures to the plain resize. Very skewed scores (a loss in one picture of ten, and none elsewhere) need some fifty
groups before any of these intervals holds what it says.

Every twentieth verdict on operators that differ in nothing is wrong, by the meaning of 95%: one verdict among many rows
is a reason to look, not a result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pixtrim.errors import UsageError
from pixtrim.evaluation.records import Record, Run, Summary
from pixtrim.evaluation.reducers import BASELINE

__all__ = ["ENOUGH", "RESAMPLES", "interval", "summarise"]

ENOUGH: Final = 5
"""The fewest independent groups for a verdict."""

RESAMPLES: Final = 10_000

_LEVEL: Final = 0.95

_SEED: Final = 20_150_901

_MOST: Final = 4_000_000
"""Weights that are held at a time: 32 MB."""

_ROUNDING: Final = 1e-12
"""Differences below this are no differences."""

Floats = NDArray[np.float64]


def interval(
    values: ArrayLike, groups: Sequence[object] | None = None, *, resamples: int = RESAMPLES
) -> tuple[float, float, float]:
    """Return the mean of values, and its 95% interval.

    Parameters
    ----------
    values : array_like
        (n,), finite, at least one.
    groups : sequence, optional
        What each value belongs to, of length n; by default each stands alone.
    resamples : int
        How often the groups are drawn, 100 to 1,000,000.

    Returns
    -------
    (float, float, float)
        Mean, lower and upper end. Fewer than two groups say nothing about their spread: the ends are nan.

    Raises
    ------
    UsageError
        If there are no values, one is not finite, or the lengths differ.

    Examples
    --------
    >>> mean, low, high = interval([0.1, 0.3, 0.2, 0.2, 0.4, 0.0])
    >>> round(mean, 3), round(low, 3), round(high, 3)
    (0.2, 0.05, 0.333)
    >>> interval([0.5, 0.7], ["one task", "one task"])
    (0.6, nan, nan)
    """
    columns = np.asarray(values, np.float64).reshape(-1, 1)
    names = list(range(len(columns))) if groups is None else list(groups)
    if not len(columns) or len(names) != len(columns) or not np.isfinite(columns).all():
        raise UsageError(f"{len(columns)} values and {len(names)} groups: give finite values, and a group for each")
    if not 100 <= resamples <= 1_000_000:
        raise UsageError(f"resamples is {resamples!r}: give a whole number from 100 to 1000000")
    (found,) = _intervals(columns, names, resamples)
    return found


def summarise(
    run: Run, *, higher_is_better: Callable[[str], bool] | None = None, resamples: int = RESAMPLES
) -> list[Summary]:
    """Summarise a run by kind, measure, budget and reducer, in the order in which these stand in the run.

    Parameters
    ----------
    run : Run
        Complete or not.
    higher_is_better : callable, optional
        Takes the name of a measure; by default the run says it.
    resamples : int
        As for `interval`.

    Returns
    -------
    list of Summary
        Combinations without a single pair of scores are left out.
    """
    rows: dict[tuple[str, str, str, str], list[Record]] = {}
    for record in run.records:
        if record.score is not None and record.baseline_score is not None:
            rows.setdefault((record.kind, record.measure, record.budget, record.reducer), []).append(record)
    kinds = list(dict.fromkeys(record.kind for record in run.records))
    orders = (kinds, run.measures, run.budgets, run.reducers)
    places = [{name: place for place, name in enumerate(order)} for order in orders]

    def place(key: tuple[str, ...]) -> list[int]:
        return [known.get(name, len(known)) for known, name in zip(places, key, strict=True)]

    better = higher_is_better or (lambda name: name not in run.lower_is_better)
    return [
        _summary(rows[key], key[1] in run.describing or better(key[1]), key[1] not in run.describing, resamples)
        for key in sorted(rows, key=place)
    ]


def _summary(records: Sequence[Record], higher_is_better: bool, judges: bool, resamples: int) -> Summary:
    first = records[0]
    scores = np.array([(record.score, record.baseline_score) for record in records], np.float64)
    differences = (scores[:, 0] - scores[:, 1]) * (1 if higher_is_better else -1)
    columns = np.stack([scores[:, 0], differences], axis=1)
    groups = [record.group for record in records]
    (mean, low, high), (difference, below, above) = _intervals(columns, groups, resamples)
    apart, verdict = len(set(groups)), ""
    if judges and apart >= ENOUGH and first.reducer != BASELINE:
        verdict = "better" if below > _ROUNDING else "worse" if above < -_ROUNDING else ""
    return Summary(
        kind=first.kind,
        measure=first.measure,
        reducer=first.reducer,
        budget=first.budget,
        pictures=len(records),
        groups=apart,
        tokens=sum(record.tokens for record in records) / len(records),
        baseline_tokens=sum(record.baseline_tokens for record in records) / len(records),
        mean=mean,
        low=low,
        high=high,
        baseline_mean=float(scores[:, 1].mean()),
        difference=difference,
        difference_low=below,
        difference_high=above,
        verdict=verdict,
    )


# --- the bootstrap -------------------------------------------------------------------------------------------------


def _intervals(columns: Floats, groups: Sequence[object], resamples: int) -> list[tuple[float, float, float]]:
    """Return mean, lower and upper end for each column of values."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    places = np.array([numbers[name] for name in groups])
    sums = np.zeros((len(numbers), columns.shape[1] + 1))
    np.add.at(sums, places, np.column_stack([columns, np.ones(len(columns))]))  # the last: how many in each group
    means = columns.mean(axis=0)
    if len(numbers) < 2:
        return [(float(mean), math.nan, math.nan) for mean in means]
    drawn = _resampled(sums, resamples)
    tail = _tail(len(numbers))
    ends = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return [(float(mean), float(low), float(high)) for mean, low, high in zip(means, *ends, strict=True)]


def _resampled(sums: Floats, resamples: int) -> Floats:
    """Return the means, (resamples, columns), of as many groups drawn with replacement, by sums and counts of each."""
    count = len(sums)
    step = max(1, min(resamples, _MOST // count))
    parts = []
    for start in range(0, resamples, step):
        totals = _weights(count, min(step, resamples - start), start) @ sums
        parts.append(totals[:, :-1] / totals[:, -1:])
    return np.concatenate(parts)


@lru_cache(maxsize=2)
def _weights(count: int, draws: int, start: int) -> Floats:
    """How often each group is drawn, (draws, count). Depends on its arguments alone: rows of a table share it."""
    drawn = np.random.default_rng((_SEED, count, start)).integers(0, count, (draws, count), np.int64)
    drawn += np.arange(0, draws * count, count)[:, None]
    return np.bincount(drawn.reshape(-1), minlength=draws * count).reshape(draws, count).astype(np.float64)


@lru_cache
def _tail(count: int) -> float:
    """Return the share of resampled means below the interval, so that its width is that of Student's interval."""
    factor = math.sqrt(count / (count - 1))  # the bootstrap takes the spread of the sample for that of the population
    return NormalDist().cdf(-factor * _student((1 + _LEVEL) / 2, count - 1))


def _student(share: float, degrees: int) -> float:
    """Return the quantile of Student's distribution at a share above one half, by bisection."""
    low, high = 0.0, 1e4
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _student_share(middle, degrees) < share else (low, middle)
    return high


def _student_share(t: float, degrees: int) -> float:
    """Return the share of Student's distribution below t, by the finite series for whole degrees of freedom."""
    angle = math.atan(t / math.sqrt(degrees))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    odd = degrees % 2
    term = total = (math.cos(angle) if odd else 1.0) if degrees > 1 else 0.0
    for step in range(3 if odd else 2, degrees, 2):
        term *= square * (step - 1) / step
        total += term
    return 0.5 + ((angle + sine * total) / math.pi if odd else sine * total / 2)
