"""``pixtrim prune``: choose the visual tokens that a model needs of pictures, one by one or in sequence."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from pixtrim.cli.inputs import STDIN, Input, check_stdin, expand
from pixtrim.cli.outputs import Checks, Target, encoded, is_folder, preview_target, several, write
from pixtrim.cli.sequences import Line, Turn, arranged
from pixtrim.cli.show import SCHEMA, one_line, table
from pixtrim.cli.work import Outcome, attempt, carry_out
from pixtrim.errors import PixtrimError, UsageError

if TYPE_CHECKING:
    from pixtrim.operators.prune import KeepPlan
    from pixtrim.pruning import Pixels, Settings

__all__ = ["METRICS", "SELECTORS", "Job", "Task", "do", "run"]

ENDING = ".pixtrim.plan"

METRICS = ("max", "mae", "rmse", "exact")

SELECTORS = {
    "raster": "equal to the token before it, row by row",
    "serpentine": "as raster, every other row backwards",
    "pred_2d": "PixelPrune: left, or above where LOCO-I says so",
    "pred_near": "as any of the four neighbours before it, or as the background",
    "unique": "equal to any token before it: the bound, far repeats go too",
    "conncomp": "ShowUI: a share of each area of equal tokens",
    "random": "as many as pred_2d, drawn by lot: a baseline",
}
"""What `pixtrim.operators.prune` registers, restated so that ``--help`` need not load it."""


@dataclass(frozen=True)
class Job:
    """One input, the files that come of it, and its place in a sequence, if it is in one."""

    input: Input
    plan: Path | None = None
    preview: Path | None = None
    line: Line | None = None
    turn: Turn = field(default_factory=Turn)


@dataclass(frozen=True)
class Task:
    """What is the same for every picture; `reference` is a fitted picture and its name."""

    model: str
    fit: str
    settings: Settings
    dpi: float
    max_pixels: int
    indices: bool
    reference: tuple[str, Pixels] | None = None


def run(arguments: Namespace) -> int:
    """Settle everything that can be wrong beforehand, do the work, tell what was done."""
    _check(arguments)
    task = _task(arguments)
    jobs = _jobs(arguments, task)
    outcomes = carry_out(jobs, lambda job: do(job, task), arguments)
    if not arguments.quiet and not arguments.json:
        _summary(outcomes, arguments.sequence or task.reference is not None)
    return max(outcome.code for outcome in outcomes)


# --- before any work -----------------------------------------------------------------------------------------------


def _check(arguments: Namespace) -> None:
    """Refuse options that do not fit together."""
    if arguments.reference is not None and arguments.sequence:
        raise UsageError("--reference and --sequence contradict each other: in a sequence it is the picture before")
    for option in ("key_every", "refresh"):
        if getattr(arguments, option) is not None and not arguments.sequence:
            raise UsageError(f"--{option.replace('_', '-')} is for sequences: add --sequence")
    if arguments.skip_ratio is not None and arguments.selector != "conncomp":
        raise UsageError("--skip-ratio is for --selector conncomp: leave one of them out")
    if arguments.indices and not arguments.json:
        raise UsageError("--indices adds to the JSON: add --json")


def _task(arguments: Namespace) -> Task:
    """Collect the settings, and try them on an empty picture, so that what is wrong with them is told once."""
    import numpy as np

    from pixtrim.pruning import Settings, fitted

    names = ("threshold", "selector", "metric", "anchored", "seed", "skip_ratio")
    settings = Settings(**{name: getattr(arguments, name) for name in names})
    grid, pixels = fitted(np.zeros((512, 512, 3), np.uint8), arguments.model, arguments.fit)
    settings.plans(grid, pixels)
    task = Task(
        model=arguments.model,
        fit=arguments.fit,
        settings=settings,
        dpi=arguments.dpi,
        max_pixels=arguments.max_megapixels,
        indices=arguments.indices,
    )
    if arguments.reference is None:
        return task
    picture, _ = _loaded(Input(arguments.reference, ""), task)
    with _named(arguments.reference):
        other = fitted(picture, task.model, task.fit, max_pixels=task.max_pixels)[1]
    return replace(task, reference=(arguments.reference, other))


def _jobs(arguments: Namespace, task: Task) -> list[Job]:
    """Find the pictures, and settle all names of all results."""
    without = Path(arguments.preview) if arguments.preview else None
    if arguments.sequence:
        found = arranged(arguments.inputs, recursive=arguments.recursive, without=without)
    else:
        inputs = expand(arguments.inputs, recursive=arguments.recursive, without=without)
        found = list(zip(inputs, range(len(inputs)), strict=True))
    inputs = [entry for entry, _ in found]
    check_stdin(inputs)
    guarded = [Input(arguments.reference, "")] if arguments.reference is not None else []
    check = Checks([*inputs, *guarded], arguments.overwrite)
    jobs = []
    for entry in inputs:
        if entry.problem is not None:
            jobs.append(Job(entry))
            continue
        beside = entry.path.parent if entry.path is not None else None
        plan = _plan_target(arguments.plans, entry, several(inputs))
        preview = preview_target(arguments.preview, entry, beside, several(inputs))
        for target in (plan, preview):
            if target is not None:
                check(target, entry)
        jobs.append(Job(entry, plan.path if plan else None, preview.path if preview else None))
    return _in_lines(jobs, [key for _, key in found], arguments, task) if arguments.sequence else jobs


def _in_lines(jobs: Sequence[Job], keys: Sequence[object], arguments: Namespace, task: Task) -> list[Job]:
    """Give each picture the session of its sequence, and the picture that it waits for."""
    from pixtrim.pruning import Session

    options = {name: value for name in ("key_every", "refresh") if (value := getattr(arguments, name)) is not None}
    lines: dict[object, Line] = {}
    turns: dict[object, Turn] = {}
    placed = []
    for job, key in zip(jobs, keys, strict=True):
        if key not in lines:
            lines[key] = Line(Session(task.model, fit=task.fit, settings=task.settings, **options))
        turns[key] = Turn(turns[key].done if key in turns else None)
        placed.append(replace(job, line=lines[key], turn=turns[key]))
    return placed


def _plan_target(name: str | None, entry: Input, many: bool) -> Target | None:
    if name is None:
        return None
    if not name or "\0" in name:
        raise UsageError(f"-o {name!r} names no folder")
    if name.endswith(".plan") and not many and not is_folder(name):
        return Target(Path(name), typed=True)
    if os.path.lexists(name) and not os.path.isdir(name):
        raise UsageError(f"-o {one_line(name)} is a file: name a folder")
    return Target(Path(name, entry.place + ENDING), typed=False)


# --- the work ------------------------------------------------------------------------------------------------------


def do(job: Job, task: Task) -> Outcome:
    """Do one job; whatever goes wrong becomes an outcome, and the sequence goes on with the next picture."""
    try:
        return attempt(job.input, lambda: _prune(job, task))
    finally:
        with job.turn:
            pass


def _prune(job: Job, task: Task) -> Outcome:
    from pixtrim.pruning import fitted

    picture, notes = _loaded(job.input, task)
    with _named(job.input.source):
        started = perf_counter()
        grid, pixels = fitted(picture, task.model, task.fit, max_pixels=task.max_pixels)
        seconds = perf_counter() - started
        with job.turn:
            started = perf_counter()
            plan, reference = _planned(job, task, grid, pixels)
            seconds += perf_counter() - started
    if job.plan is not None:
        write(job.plan, plan.to_bytes())
    if job.preview is not None:
        from pixtrim.draw import plan_picture

        title = os.path.basename(one_line(job.input.source))
        write(job.preview, encoded(plan_picture(pixels, plan, title=title), job.preview))
    return Outcome(job.input.source, _report(job, task, plan, reference, seconds, notes))


def _loaded(entry: Input, task: Task) -> tuple[Pixels, list[str]]:
    """Load a picture; return its pixels, and what was done on the way."""
    from pixtrim.image import load

    stdin = entry.source == STDIN
    source, name = (sys.stdin.buffer, "<stdin>") if stdin else (entry.source, entry.source)
    loaded = load(source, dpi=task.dpi, max_pixels=task.max_pixels, name=name)
    return loaded.pixels, list(loaded.notes)


def _planned(job: Job, task: Task, grid: Any, pixels: Pixels) -> tuple[KeepPlan, str | None]:
    """Plan a picture; return the name of the picture that the plan needs as well."""
    if job.line is not None:
        plan = job.line.session.add_fitted(grid, pixels)
        last, job.line.last = job.line.last, job.input.source
    else:
        last, other = task.reference or (None, None)
        plan = task.settings.plans(grid, pixels, other)[1]
    return plan, None if plan.key else last


@contextmanager
def _named(source: str) -> Iterator[None]:
    """Put the input's name in front of an error that comes from deeper down."""
    try:
        yield
    except PixtrimError as error:
        raise type(error)(f"{source}: {error}") from error


# --- telling -------------------------------------------------------------------------------------------------------


def _report(
    job: Job, task: Task, plan: KeepPlan, reference: str | None, seconds: float, notes: list[str]
) -> dict[str, Any]:
    """Return what docs/json.md describes."""
    from pixtrim.operators.prune.records import plan_record

    return {
        "schema": SCHEMA,
        "input": job.input.source,
        **plan_record(plan, task.model),
        "reference": reference,
        "plan": None if job.plan is None else str(job.plan),
        "preview": None if job.preview is None else str(job.preview),
        "seconds": round(seconds, 6),
        "notes": notes,
        "keep_indices": plan.indices.tolist() if task.indices else None,
    }


def _summary(outcomes: Sequence[Outcome], with_reference: bool) -> None:
    reports = [outcome.report for outcome in outcomes if outcome.report is not None]
    if not reports:
        return
    header = ["input", "grid", "tokens", "kept", "share", "reference", "seconds"]
    rows = [_row(report) for report in reports]
    if len(outcomes) > 1:
        rows.append(_total(reports, len(outcomes)))
    lines = [[cell for at, cell in enumerate(row) if with_reference or at != 5] for row in (header, *rows)]
    total = lines.pop() if len(outcomes) > 1 else None
    table(lines[0], lines[1:], total=total)


def _row(report: dict[str, Any]) -> list[str]:
    return [
        report["input"],
        "{grid_w}x{grid_h}".format_map(report),
        str(report["tokens"]),
        str(report["kept"]),
        _share(report["kept"], report["tokens"]),
        "key" if report["key"] else os.path.basename(report["reference"]),
        f"{report['seconds']:.3f}",
    ]


def _total(reports: Sequence[dict[str, Any]], inputs: int) -> list[str]:
    tokens, kept, keys = (sum(report[name] for report in reports) for name in ("tokens", "kept", "key"))
    failed = inputs - len(reports)
    return [
        f"{len(reports)} of {inputs}, {failed} failed" if failed else f"{inputs} pictures",
        "",
        str(tokens),
        str(kept),
        _share(kept, tokens),
        f"{keys} keys" if keys != 1 else "1 key",
        f"{sum(report['seconds'] for report in reports):.3f}",
    ]


def _share(kept: int, tokens: int) -> str:
    return f"{100 * kept / tokens:.1f}%"
