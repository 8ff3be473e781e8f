"""Which pictures are worth looking at: those where an operator lost or won most against the plain resize."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pixtrim.evaluation.records import Record, Run
from pixtrim.evaluation.reducers import BASELINE

__all__ = ["Case", "Score", "cases_of", "chosen"]

CLIP = 3.0  # spreads: no single measure decides alone where there are several


@dataclass(frozen=True)
class Score:
    """What one measure says; the difference is positive where the operator is better, if the measure judges."""

    measure: str
    score: float
    baseline: float
    difference: float
    judges: bool = True


@dataclass(frozen=True)
class Case:
    """A picture reduced by an operator to a budget, beside the plain resize that costs no more.

    Attributes
    ----------
    sample, kind, reducer, budget : str
        As in :class:`~pixtrim.evaluation.records.Record`.
    digest : str
        Of the encoded picture.
    tokens_original, tokens, baseline_tokens : int
        What the original, the reduced picture and the plain resize cost.
    scores : tuple of Score
        By measure, those that both have.
    rank : float
        The mean of the differences by measures that judge, each in units of its measure's spread; 0 where there are
        none.
    """

    sample: str
    kind: str
    reducer: str
    budget: str
    digest: str
    tokens_original: int
    tokens: int
    baseline_tokens: int
    scores: tuple[Score, ...]
    rank: float


def cases_of(run: Run) -> list[Case]:
    """Return all comparisons of a run with the plain resize, in the order of its records."""
    scores: dict[tuple[str, str, str], list[Score]] = defaultdict(list)
    first: dict[tuple[str, str, str], Record] = {}
    for record in run.records:
        if record.reducer == BASELINE:
            continue
        key = record.sample, record.reducer, record.budget
        first.setdefault(key, record)
        if record.score is None or record.baseline_score is None:
            continue
        if math.isfinite(record.score) and math.isfinite(record.baseline_score):
            difference = record.score - record.baseline_score
            signed = -difference if record.measure in run.lower_is_better else difference
            judges = record.measure not in run.describing
            scores[key].append(Score(record.measure, record.score, record.baseline_score, signed, judges))
    spreads = _spreads(score for found in scores.values() for score in found)
    return [_case(record, scores[key], spreads) for key, record in first.items()]


def _spreads(scores: Iterable[Score]) -> dict[str, float]:
    """Return the root mean square of the differences of each measure, so that measures can be put together."""
    squares: dict[str, list[float]] = defaultdict(list)
    for score in scores:
        squares[score.measure].append(score.difference**2)
    return {measure: math.sqrt(math.fsum(found) / len(found)) for measure, found in squares.items()}


def _case(record: Record, scores: Sequence[Score], spreads: dict[str, float]) -> Case:
    parts = [
        max(-CLIP, min(CLIP, score.difference / spreads[score.measure])) if spreads[score.measure] else 0.0
        for score in scores
        if score.judges
    ]
    return Case(
        record.sample,
        record.kind,
        record.reducer,
        record.budget,
        record.digest,
        record.tokens_original,
        record.tokens,
        record.baseline_tokens,
        tuple(scores),
        math.fsum(parts) / len(parts) if parts else 0.0,
    )


def chosen(cases: Sequence[Case], count: int, *, worst: bool) -> list[Case]:
    """Choose the cases where operators lost most, or won most.

    The operators take turns, a picture comes once, and a kind comes twice before others had their turn: otherwise one
    hard page would fill the list.

    Parameters
    ----------
    cases : sequence of Case
        All of them.
    count : int
        How many at most; there are fewer where fewer lost (won).
    worst : bool
        Whether to take the losses.
    """
    sign = -1 if worst else 1
    ordered = sorted((c for c in cases if c.rank * sign > 0), key=lambda c: (-c.rank * sign, c.sample, c.reducer))
    taken: list[Case] = []
    for most in (2, count):  # of a kind
        while len(taken) < count:
            turn: set[str] = set()  # the operators that had theirs
            for case in ordered:
                if case.reducer not in turn and len(taken) < count and _fits(case, taken, most):
                    taken.append(case)
                    turn.add(case.reducer)
            if not turn:
                break
    return sorted(taken, key=lambda case: -case.rank * sign)


def _fits(case: Case, taken: Sequence[Case], most: int) -> bool:
    return all(case.sample != t.sample for t in taken) and sum(case.kind == t.kind for t in taken) < most
