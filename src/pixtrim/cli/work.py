"""Doing many jobs: each ends in an outcome, whatever goes wrong, and is told of in the order of the inputs."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pixtrim.cli.inputs import Input
from pixtrim.cli.show import INPUT, INTERNAL, SCHEMA, complain, fault, json_line, progress, warn
from pixtrim.errors import PixtrimError

__all__ = ["Outcome", "Work", "attempt", "carry_out"]


@dataclass(frozen=True)
class Outcome:
    """What became of one input: a report, or an error; `data` is what goes to stdout."""

    source: str
    report: dict[str, Any] | None = None
    data: bytes | None = None
    error: str = ""
    code: int = 0
    cause: Exception | None = None


class Work(Protocol):
    """A job: one input, and what is to become of it."""

    @property
    def input(self) -> Input: ...


Job = TypeVar("Job", bound=Work)


def attempt(entry: Input, action: Callable[[], Outcome]) -> Outcome:
    """Do something with an input; whatever goes wrong becomes an outcome, so that it does not stop the others."""
    source = entry.source
    if entry.problem is not None:
        return Outcome(source, error=f"{source}: {entry.problem}", code=INPUT)
    try:
        return action()
    except PixtrimError as error:
        return Outcome(source, error=str(error), code=error.exit_code)
    except MemoryError:
        return Outcome(source, error=f"{source}: not enough memory; use fewer --workers", code=INPUT)
    except OSError as error:
        where = os.fsdecode(error.filename or source)
        return Outcome(source, error=f"{where}: cannot be written ({error.strerror or error})", code=INPUT)
    except Exception as error:
        return Outcome(source, error=f"{source}: {fault(error)}", code=INTERNAL, cause=error)


def carry_out(jobs: Sequence[Job], do: Callable[[Job], Outcome], arguments: Namespace) -> list[Outcome]:
    """Do the jobs, show how far they are, and tell at once what cannot wait for the end."""
    workers = min(arguments.workers or os.cpu_count() or 1, len(jobs))
    outcomes = []
    lines_on_terminal = arguments.json and sys.stdout is not None and sys.stdout.isatty()
    with progress(len(jobs), not (arguments.quiet or lines_on_terminal)) as count:
        for outcome in _in_order(jobs, do, workers):
            _tell(outcome, arguments)
            outcomes.append(outcome)
            count()
    return outcomes


def _in_order(jobs: Sequence[Job], do: Callable[[Job], Outcome], workers: int) -> Iterator[Outcome]:
    """Do the jobs and yield what became of them, in their order.

    Threads suffice: decoding, the kernels and encoding release the interpreter lock. An interruption cancels what
    has not begun and waits for the rest.
    """
    if workers == 1:
        yield from map(do, jobs)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(do, jobs)


def _tell(outcome: Outcome, arguments: Namespace) -> None:
    """Write what cannot wait for the end: the picture itself, JSON, errors and warnings."""
    if outcome.report is None:
        complain(outcome.error, outcome.cause if arguments.debug else None)
        if arguments.json:
            json_line({"schema": SCHEMA, "input": outcome.source, "error": outcome.error, "exit_code": outcome.code})
        return
    if outcome.data is not None:
        sys.stdout.buffer.write(outcome.data)
        sys.stdout.buffer.flush()
    if arguments.json:
        json_line(outcome.report)
    elif not arguments.quiet:
        for warning in outcome.report["warnings"]:
            warn(f"{outcome.source}: {warning}")
