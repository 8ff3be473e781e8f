"""What the tables and plots of a report show: verdicts, numbers, faults and times."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from pixtrim.evaluation.records import Fault, Run, Summary
from pixtrim.evaluation.reducers import BASELINE
from pixtrim.evaluation.report.plots import STYLES, Line, Point, Scale, plot
from pixtrim.evaluation.report.words import counted, figure, interval, milliseconds, signed
from pixtrim.evaluation.statistics import ENOUGH

__all__ = [
    "Block",
    "Cell",
    "Facts",
    "FaultGroup",
    "Panel",
    "Row",
    "Section",
    "Tally",
    "Timing",
    "facts_of",
    "fault_groups",
    "sections",
    "style_of",
    "tallies",
    "timings",
    "verdicts",
]


@dataclass(frozen=True)
class Facts:
    """What a measure is called, what it asks, which way is up, and whether it only describes."""

    name: str
    question: str
    higher_is_better: bool
    describes: bool


def facts_of(run: Run, measure: str) -> Facts:
    """Return what a run says about a measure of its own."""
    return Facts(measure, run.questions.get(measure, ""), measure not in run.lower_is_better, measure in run.describing)


def style_of(reducers: Sequence[str]) -> dict[str, int]:
    """Return the number of the style that each operator is drawn in: 0 for the baseline."""
    others = [name for name in reducers if name != BASELINE]
    return {BASELINE: 0} | {name: 1 + at % STYLES for at, name in enumerate(others)}


# Verdicts


@dataclass(frozen=True)
class Cell:
    """One comparison with the plain resize: `tone` is "better", "worse", "open" or, of too few groups, "few"."""

    tone: str
    difference: str
    interval: str
    says: str


@dataclass(frozen=True)
class Row:
    """One kind by one measure; None where an operator has no score at a budget."""

    kind: str
    pictures: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Block:
    """The rows of one measure."""

    facts: Facts
    rows: tuple[Row, ...]


def verdicts(run: Run, summaries: Iterable[Summary]) -> list[Block]:
    """Return the table of verdicts: for each measure that judges, and each kind, a cell by operator and budget."""
    found = {(s.kind, s.measure, s.reducer, s.budget): s for s in summaries if s.reducer != BASELINE}
    columns = [(reducer, budget) for reducer in run.reducers if reducer != BASELINE for budget in run.budgets]
    result = []
    for measure in _judging(run):
        rows = []
        for kind in _kinds(found.values()):
            row = [found.get((kind, measure, *column)) for column in columns]
            present = [summary for summary in row if summary is not None]
            if present:
                pictures = _pictures(present)
                rows.append(Row(kind, pictures, tuple(None if s is None else _cell(s) for s in row)))
        if rows:
            result.append(Block(facts_of(run, measure), tuple(rows)))
    return result


def _judging(run: Run) -> list[str]:
    return [measure for measure in run.measures if measure not in run.describing]


def _pictures(summaries: Sequence[Summary]) -> str:
    """Write how many pictures there are, and in brackets how many groups of them, where these are fewer."""
    pictures = [s.pictures for s in summaries]
    apart = [s.groups for s in summaries]
    return _range(pictures) + (f" ({_range(apart)})" if apart != pictures else "")


def _range(numbers: Sequence[int]) -> str:
    least, most = min(numbers), max(numbers)
    return f"{least:,}" if least == most else f"{least:,}–{most:,}"


def _kinds(summaries: Iterable[Summary]) -> list[str]:
    return list(dict.fromkeys(summary.kind for summary in summaries))


def _cell(summary: Summary) -> Cell:
    return Cell(
        _tone(summary),
        signed(summary.difference),
        interval(summary.difference_low, summary.difference_high),
        _says(summary),
    )


def _tone(summary: Summary) -> str:
    """Return "better", "worse", "few" or "open"."""
    return summary.verdict or ("few" if summary.groups < ENOUGH else "open")


def _says(summary: Summary) -> str:
    """Return all of a summary in one line."""
    parts = [f"{summary.reducer} at {summary.budget}, {summary.tokens:,.0f} tokens: {figure(summary.mean)}"]
    if math.isfinite(summary.low) and math.isfinite(summary.high):
        parts.append(f" ({figure(summary.low)} to {figure(summary.high)})")
    if summary.reducer != BASELINE:
        parts.append(f"; plain resize {figure(summary.baseline_mean)}; difference {signed(summary.difference)}")
        parts.append(f" ({interval(summary.difference_low, summary.difference_high)})")
    return "".join([*parts, f"; {counted(summary.pictures, 'picture')}"])


@dataclass(frozen=True)
class Tally:
    """How often an operator was better or worse at a budget, over kinds and measures; "" sums up all budgets."""

    reducer: str
    budget: str
    better: int
    open: int
    worse: int
    few: int

    @property
    def all(self) -> int:
        """The number of comparisons."""
        return self.better + self.open + self.worse + self.few


def tallies(run: Run, summaries: Iterable[Summary]) -> dict[str, list[Tally]]:
    """Return, for each operator, the tally of all budgets and then that of each, over the measures that judge."""
    tones: dict[tuple[str, str], list[str]] = defaultdict(list)
    for summary in summaries:
        if summary.measure in run.describing:
            continue
        for budget in ("", summary.budget):
            tones[summary.reducer, budget].append(_tone(summary))
    result = {}
    for reducer in run.reducers:
        if reducer != BASELINE:
            result[reducer] = [
                Tally(reducer, budget, *(tones[reducer, budget].count(t) for t in ("better", "open", "worse", "few")))
                for budget in ("", *run.budgets)
            ]
    return result


# Measures


@dataclass(frozen=True)
class Panel:
    """The plot of one kind."""

    kind: str
    note: str
    svg: str


@dataclass(frozen=True)
class Section:
    """What one measure found: a panel for each kind, and all numbers."""

    facts: Facts
    panels: tuple[Panel, ...]
    numbers: tuple[Summary, ...]


def sections(run: Run, summaries: Sequence[Summary]) -> list[Section]:
    """Return the plots and numbers of each measure; the panels of one share their vertical axis."""
    styles = style_of(run.reducers)
    result = []
    for measure in run.measures:
        rows = [s for s in summaries if s.measure == measure and s.reducer in styles and math.isfinite(s.mean)]
        if not rows:
            continue
        scores = Scale.of_scores([v for s in rows for v in (s.mean, s.low, s.high)])
        by_kind = {kind: [s for s in rows if s.kind == kind] for kind in _kinds(rows)}
        facts = facts_of(run, measure)
        panels = tuple(_panel(kind, found, styles, scores, facts) for kind, found in by_kind.items())
        result.append(Section(facts, panels, tuple(rows)))
    return result


def _panel(
    kind: str,
    rows: Sequence[Summary],
    styles: dict[str, int],
    scores: Scale,
    facts: Facts,
) -> Panel:
    drawn = [Line(0, tuple(_baseline(rows)))]
    for reducer, style in styles.items():
        if reducer != BASELINE:
            drawn.append(Line(style, tuple(_point(s) for s in rows if s.reducer == reducer)))
    tokens = Scale.of_tokens([point.tokens for line in drawn for point in line.points])
    few = not facts.describes and all(s.groups < ENOUGH for s in rows)
    note = f"n = {_pictures(rows)}" + (", too few for a verdict" if few else "")
    label = f"{rows[0].measure} against tokens, {kind}: the numbers are in the table below"
    return Panel(kind, note, plot(drawn, tokens, scores, label))


def _point(summary: Summary) -> Point:
    return Point(summary.tokens, summary.mean, summary.low, summary.high, _says(summary))


def _baseline(rows: Sequence[Summary]) -> list[Point]:
    """Return the plain resize's own points or, where it was not run by itself, those that operators had beside them."""
    own = [_point(s) for s in rows if s.reducer == BASELINE]
    if own:
        return own
    beside = {
        s.budget: Point(
            s.baseline_tokens,
            s.baseline_mean,
            math.nan,
            math.nan,
            f"plain resize, {s.baseline_tokens:,.0f} tokens: {figure(s.baseline_mean)}",
        )
        for s in rows
        if math.isfinite(s.baseline_mean)
    }
    return list(beside.values())


# Faults and times


@dataclass(frozen=True)
class FaultGroup:
    """What one check found about one operator."""

    check: str
    reducer: str
    faults: tuple[Fault, ...]


def fault_groups(run: Run) -> list[FaultGroup]:
    """Return the faults by check and operator, the most frequent first."""
    found: dict[tuple[str, str], list[Fault]] = defaultdict(list)
    for fault in run.faults:
        found[fault.check, fault.reducer].append(fault)
    ordered = sorted(found.items(), key=lambda item: -len(item[1]))
    return [FaultGroup(check, reducer, tuple(faults)) for (check, reducer), faults in ordered]


@dataclass(frozen=True)
class Timing:
    """How long reductions took: one text for each operator, with the length of its bar from 0 to 1."""

    kind: str
    reductions: int
    cells: tuple[tuple[str, float], ...]


def timings(run: Run) -> list[Timing]:
    """Return the median time of a reduction for each kind, then for all, by operator."""
    seconds = {(r.sample, r.reducer, r.budget): (r.kind, r.seconds) for r in run.records if math.isfinite(r.seconds)}
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    for (_, reducer, _), (kind, value) in seconds.items():
        taken[kind, reducer].append(value)
        taken["", reducer].append(value)
    medians = {key: median(values) for key, values in taken.items()}
    longest = max(medians.values(), default=0.0) or 1.0
    kinds = [*dict.fromkeys(kind for kind, _ in seconds.values()), ""] if seconds else []
    rows = []
    for kind in kinds:
        cells = [
            (milliseconds(medians[kind, name]), medians[kind, name] / longest)
            if (kind, name) in medians
            else ("–", 0.0)
            for name in run.reducers
        ]
        rows.append(Timing(kind, sum(len(taken[kind, name]) for name in run.reducers), tuple(cells)))
    return rows
