"""run(): evaluate operators on the samples of a data set, at several budgets, by several measures."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final

import numpy as np
import PIL

from pixtrim import __version__
from pixtrim.errors import MissingExtraError, UsageError
from pixtrim.evaluation.budgets import budget_name
from pixtrim.evaluation.cache import Cache
from pixtrim.evaluation.job import Check, Outcome, Task
from pixtrim.evaluation.measures import Measure, measure_named
from pixtrim.evaluation.records import Run
from pixtrim.evaluation.reducers import BASELINE, reducer_named, reducer_names
from pixtrim.evaluation.samples import Sample
from pixtrim.evaluation.workers import outcomes
from pixtrim.tokens import Rule, resolve

__all__ = ["BUDGETS", "operators_of", "rule_of", "run"]

BUDGETS: Final = ("25%", "50%", "75%")
"""The budgets where none are named."""

MAX_WORKERS: Final = 1024


def run(
    samples: Iterable[Sample],
    model: str,
    budgets: Sequence[str | float] = BUDGETS,
    reducers: Sequence[str] | None = None,
    measures: Sequence[str | Measure] = (),
    *,
    workers: int | None = None,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    check: Check | None = None,
    dataset: str = "",
    modules: Sequence[str] = (),
) -> Run:
    """Evaluate operators, beside the plain resize at equal tokens.

    For each sample, operator and budget, the operator's picture is scored by each measure that applies, and so is the
    plain resize to the largest size that costs at most as many tokens as that picture really costs.

    Parameters
    ----------
    samples : iterable of Sample
        No two of the same name.
    model : str
        The model whose tokens are counted, as people type it.
    budgets : sequence of str, int or float
        Shares of what the original costs (``"25%"``, 0.25), at least one token, or numbers of tokens. Where a budget is
        enough for the original, that stands for itself.
    reducers : sequence of str, optional
        Names of operators, by default all that are registered; the baseline is always among them, and the first.
    measures : sequence of str or Measure
        Names of measures, or measures that were set up.
    workers : int, optional
        Processes, 0 to 1024, by default one for each processor. 0 does the work in this process, which takes samples
        and measures of any kind; otherwise they have to be pickled.
    cache : Path, optional
        A folder in which results are kept, and found again by what they depend on: the content of a picture and its
        truth, the code and version of an operator, the version of a measure. A run that was interrupted goes on there.
    progress : callable, optional
        Called with the number of samples that are done and of all samples.
    check : callable, optional
        Looks for faults of operators in each reduced picture, as `pixtrim.evaluation.faults.check` does.
    dataset : str
        What the run calls the data.
    modules : sequence of str
        Modules that a process has to import before it knows all operators and measures; those in which the functions of
        operators, and the classes of measures, are defined are imported anyway.

    Returns
    -------
    Run
        What went wrong is in its `errors`, and does not stop the rest. After Ctrl-C (KeyboardInterrupt) it holds the
        samples that were finished, and is not `complete`.

    Raises
    ------
    UsageError
        If an argument is out of its range, a name is not known, a measure cannot run, or the model bills all sizes
        alike.
    InputError
        If nothing can be kept in the cache's folder.
    """
    started = perf_counter()
    rule = rule_of(model)
    chosen = _samples(samples)
    names = operators_of(reducers)
    given = _distinct(measures)
    asked = [_measure(measure) for measure in given]
    known = tuple(dict.fromkeys([*modules, *_homes(names, asked)]))
    task = Task(rule.name, _budgets(budgets), names, tuple(given), known, cache, check)
    Cache(cache).close()  # what is wrong with the folder is said before any work
    result = Run(
        model=rule.name,
        budgets=task.budgets,
        reducers=names,
        measures=tuple(measure.name for measure in asked),
        dataset=dataset,
        versions=_versions(names),
        questions={measure.name: measure.question for measure in asked},
        lower_is_better=[each.name for each in asked if not (each.higher_is_better or each.describes)],
        describing=[each.name for each in asked if each.describes],
    )
    done: dict[int, Outcome] = {}
    try:
        with closing(outcomes(chosen, task, _workers(workers))) as finished:
            for number, outcome in finished:
                done[number] = outcome
                if progress is not None:
                    progress(len(done), len(chosen))
    except KeyboardInterrupt:
        result.complete = False
    for number in sorted(done):
        _add(result, done[number])
    result.notes = _beyond([done[number] for number in sorted(done)], result)
    result.seconds = round(perf_counter() - started, 3)
    return result


def _add(result: Run, outcome: Outcome) -> None:
    result.records += outcome.records
    result.faults += outcome.faults
    result.errors += [error for error in outcome.errors if error not in result.errors]
    result.versions.update(outcome.versions)


def _beyond(outcomes: Sequence[Outcome], result: Run) -> list[str]:
    """Say at which budgets pictures were left out, or not compared."""
    notes = []
    for budget in result.budgets:
        left_out = sum(budget in outcome.beyond for outcome in outcomes)
        if left_out:
            notes.append(
                f"at {budget}, {left_out} of {len(outcomes)} pictures are left out: "
                f"it is less than {result.model} bills for them at any size"
            )
        for reducer in result.reducers:
            unmet = sum((reducer, budget) in outcome.unmet for outcome in outcomes)
            if unmet:
                notes.append(
                    f"at {budget}, {unmet} of {len(outcomes)} pictures by {reducer} are left out: "
                    f"it is less than {result.model} bills at any size for the shape that they get"
                )
            alone = sum((reducer, budget) in outcome.alone for outcome in outcomes)
            if alone:
                notes.append(
                    f"at {budget}, {alone} of {len(outcomes)} pictures by {reducer} are not compared: "
                    f"they cost less than {result.model} bills for a plain resize at any size"
                )
    return notes


# --- arguments -----------------------------------------------------------------------------------------------------


def rule_of(model: str) -> Rule:
    """Return the token rule of a model; raises UsageError where no picture gets cheaper by being smaller."""
    rule = resolve(model)
    if not rule.saves_by_pixels():
        raise UsageError(
            f"{rule.name} bills a picture the same at any size, so that no operator saves anything: name another model"
        )
    return rule


def _samples(samples: Iterable[Sample]) -> list[Sample]:
    chosen, seen = [], set()
    for sample in samples:
        if sample.name in seen:
            raise UsageError(f"two samples are named {sample.name!r}: give each a name of its own")
        seen.add(sample.name)
        chosen.append(sample)
    if not chosen:
        raise UsageError("there are no samples: nothing to evaluate")
    return chosen


def _budgets(budgets: Sequence[str | float]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(map(budget_name, budgets)))
    if not names:
        raise UsageError("there is no budget: give tokens (800) or shares (50%)")
    return names


def operators_of(names: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of operators, all by default, with the baseline as the first; raises UsageError for others."""
    chosen = reducer_names() if names is None else names
    return tuple(dict.fromkeys([BASELINE, *(reducer_named(name).name for name in chosen)]))


def _distinct(measures: Sequence[str | Measure]) -> list[str | Measure]:
    by_name = {measure if isinstance(measure, str) else measure.name: measure for measure in measures}
    if not by_name:
        raise UsageError("there is no measure: name at least one")
    return list(by_name.values())


def _measure(given: str | Measure) -> type[Measure] | Measure:
    """Return a measure that was set up, or the class of one, which has to be able to run."""
    if not isinstance(given, str):
        return given
    measure = measure_named(given)
    missing = measure.missing()
    if missing is not None:
        raise MissingExtraError(missing if missing.startswith(given) else f"{given}: {missing}")
    return measure


def _homes(reducers: Sequence[str], measures: Sequence[type[Measure] | Measure]) -> list[str]:
    """Name the modules that operators and measures come from; the program itself is not to be imported again."""
    functions = (reducer_named(name).reduce for name in reducers)
    things = [*(each.func if isinstance(each, partial) else each for each in functions), *measures]
    homes = [str(getattr(thing, "__module__", None) or type(thing).__module__) for thing in things]
    return [home for home in homes if home != "__main__"]


def _workers(workers: int | None) -> int:
    count = (os.cpu_count() or 1) if workers is None else workers
    if not isinstance(count, (int, np.integer)) or not 0 <= count <= MAX_WORKERS:
        raise UsageError(f"workers is {workers!r}: give a whole number from 0 (no process but this) to {MAX_WORKERS}")
    return int(count)


def _versions(reducers: Sequence[str]) -> dict[str, str]:
    return {
        "pixtrim": __version__,
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "Pillow": PIL.__version__,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        **{f"operator {name}": reducer_named(name).version for name in reducers},
    }
