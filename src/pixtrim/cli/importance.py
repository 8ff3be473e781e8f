"""``pixtrim importance``: show where the content of pictures is, as a source of importance sees it."""

from __future__ import annotations

import io
import sys
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from pixtrim.cli.inputs import STDIN, Input, check_stdin, expand
from pixtrim.cli.outputs import Checks, Target, encoded, preview_target, several, write
from pixtrim.cli.show import SCHEMA, table
from pixtrim.cli.show import write as say
from pixtrim.cli.work import Outcome, attempt, carry_out
from pixtrim.errors import UsageError

__all__ = ["run"]

ARRAY = ".npy"


@dataclass(frozen=True)
class Job:
    """One input, and the files that come of it."""

    input: Input
    picture: Path | None = None
    array: Path | None = None


def run(arguments: Namespace) -> int:
    """List the sources, or ask one about every picture."""
    from pixtrim.importance import named_sources, source_named

    if arguments.list:
        if arguments.inputs:
            raise UsageError("--list takes no inputs: leave one of them out")
        table(
            ("source", "what it looks for"), [(source.form, source.summary) for source in named_sources()], sys.stdout
        )
        return 0
    if not arguments.inputs:
        raise UsageError("no input: name a file, a folder, a glob, or - for stdin, or give --list")
    source_named(arguments.source)
    jobs = _jobs(arguments)
    outcomes = carry_out(jobs, lambda job: attempt(job.input, lambda: _show(job, arguments)), arguments)
    if not arguments.quiet and not arguments.json:
        for outcome in outcomes:
            if outcome.report is not None:
                say(
                    "{input}: confidence {confidence:.2f}, mean {mean:.2f}, {width}x{height}, see {picture}".format_map(
                        outcome.report
                    )
                )
    return max(outcome.code for outcome in outcomes)


def _jobs(arguments: Namespace) -> list[Job]:
    out = arguments.output
    inputs = expand(arguments.inputs, recursive=arguments.recursive, without=None if out is None else Path(out))
    check_stdin(inputs)
    check = Checks(inputs, arguments.overwrite)
    jobs = []
    for entry in inputs:
        if entry.problem is not None:
            jobs.append(Job(entry))
            continue
        beside = None if entry.path is None else entry.path.parent
        target = preview_target(out or "", entry, beside, several(inputs), ".importance.png", "-o")
        assert target is not None  # a name was given
        check(target, entry)
        array = target.path.with_suffix(ARRAY) if arguments.array else None
        if array is not None:
            check(Target(array, target.typed), entry)
        jobs.append(Job(entry, target.path, array))
    return jobs


def _show(job: Job, arguments: Namespace) -> Outcome:
    import numpy as np

    from pixtrim.draw import faded, heat_map
    from pixtrim.image import load
    from pixtrim.importance import confidence, importance_of

    stdin = job.input.source == STDIN
    loaded = load(
        sys.stdin.buffer if stdin else job.input.source,
        dpi=arguments.dpi,
        max_pixels=arguments.max_megapixels,
        name="<stdin>" if stdin else job.input.source,
    )
    started = perf_counter()
    importance = importance_of(loaded.pixels, arguments.source)
    seconds = perf_counter() - started
    assert job.picture is not None  # it was settled for every input without a problem
    if arguments.faded is None:
        picture = heat_map(loaded.pixels, importance, title=job.input.source)
    else:
        picture = faded(loaded.pixels, importance, share=arguments.faded, title=job.input.source)
    write(job.picture, encoded(picture, job.picture))
    if job.array is not None:
        stream = io.BytesIO()
        np.save(stream, importance)
        write(job.array, stream.getvalue())
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "input": job.input.source,
        "picture": str(job.picture),
        "array": None if job.array is None else str(job.array),
        "source": arguments.source,
        "width": importance.shape[1],
        "height": importance.shape[0],
        "confidence": round(confidence(importance), 4),
        "mean": round(float(importance.mean(dtype=np.float64)), 4),
        "seconds": round(seconds, 6),
        "notes": list(loaded.notes),
        "warnings": [],
    }
    return Outcome(job.input.source, report)
