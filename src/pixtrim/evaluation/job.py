"""One sample: reduced by every operator to every budget, beside the plain resize at equal tokens, and scored."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pixtrim import __version__
from pixtrim.errors import PixtrimError, UsageError
from pixtrim.evaluation.budgets import tokens_of
from pixtrim.evaluation.cache import Cache, key_of
from pixtrim.evaluation.measures import Measure, measure_named
from pixtrim.evaluation.pictures import Made, Pictures
from pixtrim.evaluation.records import Fault, Record
from pixtrim.evaluation.reducers import BASELINE, Reduced
from pixtrim.evaluation.samples import Sample
from pixtrim.tokens.budget import BudgetError

__all__ = ["Bench", "Check", "Finding", "Outcome", "Task", "reason"]


class Finding(Protocol):
    """What a check of an operator says: its own short name, and what is wrong."""

    @property
    def check(self) -> str: ...
    @property
    def what(self) -> str: ...


Check = Callable[[Sample, Reduced, int, int, Reduced], Sequence[Finding]]
"""Takes the sample, what the operator made of it, the tokens that this costs, the tokens that it may cost, and the
plain resize at equal tokens. A function of a module, so that it can be sent to a process, and its findings be kept by
the code of that module."""


@dataclass(frozen=True)
class Task:
    """What is the same for all samples; it can be pickled.

    Attributes
    ----------
    model : str
        The name of a token rule.
    budgets, reducers : tuple of str
        Names, by `budget_name` and the registry.
    measures : tuple of str or Measure
        Names of the registry, or measures that were set up.
    modules : tuple of str
        Imported first, for what they register.
    cache : Path or None
        The folder of what is kept.
    check : callable or None
        Looks for faults of operators.
    """

    model: str
    budgets: tuple[str, ...]
    reducers: tuple[str, ...]
    measures: tuple[str | Measure, ...]
    modules: tuple[str, ...] = ()
    cache: Path | None = None
    check: Check | None = None


@dataclass
class Outcome:
    """What became of one sample.

    `beyond` are budgets that no picture of its shape can meet; `unmet` are operators and budgets that no picture of the
    shape which the operator gives it can meet; `alone` are operators and budgets at which it costs less than any plain
    resize of it does, so that there is none to compare it with.
    """

    records: list[Record] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    beyond: list[str] = field(default_factory=list)
    unmet: list[tuple[str, str]] = field(default_factory=list)
    alone: list[tuple[str, str]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)


class Stopped(Exception):  # noqa: N818 - it is no error
    """The run is to end before this sample is done."""


def reason(error: BaseException, sample: str = "") -> str:
    """Say in one line why something failed; the sample's name, which stands before it anyway, is left out."""
    text = " ".join(str(error).split())
    if isinstance(error, PixtrimError):
        return text.removeprefix(f"{sample}: ") if sample else text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class Bench:
    """What a process has at hand to evaluate one sample after the other; measures are made when they are first used."""

    def __init__(self, task: Task) -> None:
        for name in task.modules:
            import_module(name)
        self.task = task
        self.cache = Cache(task.cache)
        self._measures: dict[str, Measure | str] = {}

    def evaluate(self, sample: Sample, stopped: Callable[[], bool] = lambda: False) -> Outcome | None:
        """Evaluate a sample, whatever goes wrong; None where `stopped` said that the run is to end."""
        work = _Work(self, sample, stopped)
        try:
            work.evaluate()
        except Stopped:
            return None
        except Exception as error:
            work.fail(error)
        outcome = work.outcome
        if self.cache.problem:
            outcome.errors.append(("cache", self.cache.problem))
        return outcome

    def close(self) -> None:
        """Let go of the cache."""
        self.cache.close()

    def measures(self, outcome: Outcome) -> list[Measure]:
        """Return the measures that could be made; the outcome gets the reasons why others could not."""
        made = []
        for given in self.task.measures:
            name = given if isinstance(given, str) else given.name
            if name not in self._measures:
                self._measures[name] = _made(given)
            measure = self._measures[name]
            if isinstance(measure, str):
                outcome.errors.append((name, measure))
            else:
                outcome.versions[f"measure {name}"] = measure.version
                made.append(measure)
        return made


def _made(given: str | Measure) -> Measure | str:
    """Make a measure; a text says why it could not be made."""
    try:
        measure = measure_named(given)() if isinstance(given, str) else given
        str(measure.version)  # may ask an engine
    except Exception as error:
        return reason(error)
    return measure


class _Work:
    """The evaluation of one sample. Pictures are made only where something about them is not known yet."""

    def __init__(self, bench: Bench, sample: Sample, stopped: Callable[[], bool]) -> None:
        self.task, self.cache, self.sample, self.stopped = bench.task, bench.cache, sample, stopped
        self.outcome = Outcome()
        self.measures = bench.measures(self.outcome)
        self.pictures = Pictures(sample, self.task.model, self.cache)
        self._prepared: dict[str, Any] = {}
        self._scores: dict[tuple[str, str], float | Exception | None] = {}

    def fail(self, error: Exception, what: str = "") -> None:
        """Put on record that something about this sample went wrong, once."""
        text = reason(error, self.sample.name)
        entry = (self.sample.name, f"{what}: {text}" if what else text)
        if entry not in self.outcome.errors:
            self.outcome.errors.append(entry)

    def evaluate(self) -> None:
        applicable = [measure for measure in self.measures if self._applies(measure)]
        for budget in self.task.budgets:
            tokens = tokens_of(budget, self.pictures.original)
            if not self.pictures.within_reach(tokens):
                self.outcome.beyond.append(budget)
                continue
            for reducer in self.task.reducers:
                if self.stopped():
                    raise Stopped
                self._reduction(budget, tokens, reducer, applicable)

    def _applies(self, measure: Measure) -> bool:
        try:
            return measure.applies(self.sample)
        except Exception as error:
            self.fail(error, measure.name)
            return False

    def _reduction(self, budget: str, tokens: int, reducer: str, measures: Sequence[Measure]) -> None:
        """Take all records of one reduction."""
        where = f"{reducer} at {budget}"
        try:
            made = self.pictures.made(reducer, tokens)
        except BudgetError:
            self.outcome.unmet.append((reducer, budget))
            return
        except Exception as error:
            self.fail(error, where)
            return
        equal = made if reducer == BASELINE else self._equal(budget, made, reducer)
        if equal is not None:
            self._look_for_faults(budget, tokens, reducer, made, equal)
        for measure in measures:
            if self.stopped():
                raise Stopped
            try:
                score = self._score(measure, made)
                baseline = None if equal is None else self._score(measure, equal)
            except Exception as error:
                self.fail(error, measure.name)
                continue
            self.outcome.records.append(
                Record(
                    sample=self.sample.name,
                    kind=self.sample.kind,
                    group=self.sample.group or self.sample.name,
                    digest=self.sample.digest,
                    reducer=reducer,
                    budget=budget,
                    tokens_original=self.pictures.original,
                    tokens=made.tokens,
                    tokens_claimed=made.claimed,
                    measure=measure.name,
                    score=score,
                    baseline_tokens=0 if equal is None else equal.tokens,
                    baseline_score=baseline,
                    seconds=made.seconds,
                )
            )

    def _equal(self, budget: str, made: Made, reducer: str) -> Made | None:
        """Return the plain resize that costs no more than what an operator made; None where there is none."""
        if not self.pictures.within_reach(made.tokens):
            self.outcome.alone.append((reducer, budget))
            return None
        try:
            return self.pictures.made(BASELINE, made.tokens)
        except Exception as error:
            self.fail(error, f"{BASELINE} at the {made.tokens} tokens of {reducer} at {budget}")
            return None

    # --- what is found out about them ------------------------------------------------------------------------------

    def _score(self, measure: Measure, made: Made) -> float | None:
        asked = (measure.name, made.digest)
        if asked not in self._scores:
            try:
                self._scores[asked] = self._scored(measure, made)
            except Exception as error:
                self._scores[asked] = error
        score = self._scores[asked]
        if isinstance(score, Exception):
            raise score
        return score

    def _scored(self, measure: Measure, made: Made) -> float | None:
        key = self._measure_key(measure, "score", made.digest)
        known = self.cache.get(key)
        if known is None:
            picture = self.pictures.picture(made)
            known = [_finite(measure.score(self.sample, picture, self._prepare(measure)))]
            self.cache.put(key, known)
        return None if known[0] is None else float(known[0])

    def _prepare(self, measure: Measure) -> Any:
        """Prepare a measure once; what is plain JSON is kept."""
        if measure.name not in self._prepared:
            key = self._measure_key(measure, "prepared")
            known = self.cache.get(key)
            if known is None:
                known = [measure.prepare(self.sample)]
                if _is_json(known):
                    self.cache.put(key, known)
            self._prepared[measure.name] = known[0]
        return self._prepared[measure.name]

    def _measure_key(self, measure: Measure, what: str, *parts: str) -> str:
        return key_of(what, self.sample.digest, self._truth, measure.name, measure.version, __version__, *parts)

    @cached_property
    def _truth(self) -> str:
        """A digest of all that is known about the sample beside its pixels."""
        truth = self.sample.truth
        plain = (self.sample.kind, truth.text, truth.elements, truth.objects, truth.label, truth.questions)
        arrays = (_array_digest(read) for read in (truth.mask, truth.segments))
        return key_of(json.dumps(plain), *arrays)

    def _look_for_faults(self, budget: str, tokens: int, reducer: str, made: Made, equal: Made) -> None:
        """Check what an operator made, unless it left the original alone."""
        check = self.task.check
        if check is None or tokens >= self.pictures.original:
            return
        try:
            parts = (made.digest, made.tokens, tokens, equal.digest, __version__)
            key = key_of("faults", check.__qualname__, _code(check.__module__), self.sample.digest, *parts)
            known = self.cache.get(key)
            if known is None:
                reduced, baseline = self.pictures.picture(made), self.pictures.picture(equal)
                found = check(self.sample, reduced, made.tokens, tokens, baseline)
                known = [[finding.check, finding.what] for finding in found]
                self.cache.put(key, known)
        except Exception as error:
            self.fail(error, f"checks of {reducer} at {budget}")
            return
        for short, what in known:
            self.outcome.faults.append(Fault(self.sample.name, reducer, budget, what, short))


@cache
def _code(module: str) -> str:
    """A digest of a module's source."""
    path = import_module(module).__file__
    return module if path is None else hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _array_digest(read: Callable[[], NDArray[Any]] | None) -> str:
    if read is None:
        return ""
    try:
        array = np.ascontiguousarray(read())
    except Exception as error:  # whatever needs it will say so
        return f"unreadable: {type(error).__name__}"
    return hashlib.sha256(repr((array.shape, array.dtype.str)).encode("ascii") + array.tobytes()).hexdigest()


def _finite(score: float | None) -> float | None:
    if score is None:
        return None
    if not math.isfinite(score):
        raise UsageError(f"the score is {score}: a measure gives a finite number, or None where a picture has none")
    return float(score)


def _is_json(value: Any) -> bool:
    """Whether a value comes back from JSON as it was."""
    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (TypeError, ValueError):
        return False
