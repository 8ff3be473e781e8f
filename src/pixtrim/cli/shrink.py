"""``pixtrim shrink``: make pictures cheaper for a named model."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixtrim.cli.inputs import STDIN, expand
from pixtrim.cli.outputs import FORMATS, STDOUT, Job, Wanted, plan
from pixtrim.cli.show import INPUT, INTERNAL, SCHEMA, complain, fault, json_line, progress, table, usd, warn
from pixtrim.errors import PixtrimError, UsageError
from pixtrim.tokens import load_prices, resolve

if TYPE_CHECKING:
    from pixtrim.result import Shrunk

__all__ = ["Outcome", "do", "run"]


@dataclass(frozen=True)
class Outcome:
    """What became of one job: a report, or an error; `data` is what goes to stdout."""

    job: Job
    report: dict[str, Any] | None = None
    data: bytes | None = None
    error: str = ""
    code: int = 0
    cause: Exception | None = None


def run(arguments: Namespace) -> int:
    """Settle everything that can be wrong beforehand, do the work, tell what was done."""
    _check(arguments)
    out = arguments.output
    without = Path(out) if out is not None and out != STDOUT else None
    inputs = expand(arguments.inputs, recursive=arguments.recursive, without=without)
    if sum(entry.source == STDIN for entry in inputs) > 1:
        raise UsageError("- (stdin) is given more than once")
    wanted = Wanted(out, arguments.format, arguments.preview, arguments.map, arguments.overwrite)
    jobs = plan(inputs, wanted)
    to_stdout = any(job.output is None and job.input.problem is None for job in jobs)
    _check_streams(arguments, jobs, to_stdout)

    workers = min(arguments.workers or os.cpu_count() or 1, len(jobs))
    outcomes = []
    lines_on_terminal = arguments.json and sys.stdout is not None and sys.stdout.isatty()
    with progress(len(jobs), not (arguments.quiet or lines_on_terminal)) as count:
        for outcome in _work(jobs, _settings(arguments), workers):
            _tell(outcome, arguments)
            outcomes.append(outcome)
            count()
    if not arguments.quiet and not arguments.json:
        _summary(outcomes, sys.stderr if to_stdout else sys.stdout)
    return max(outcome.code for outcome in outcomes)


def _check(arguments: Namespace) -> None:
    resolve(arguments.model).level(arguments.detail)
    if arguments.prices is not None:
        load_prices(arguments.prices)


def _check_streams(arguments: Namespace, jobs: Sequence[Job], to_stdout: bool) -> None:
    if to_stdout and arguments.json:
        raise UsageError("the picture and --json cannot both go to stdout: name a file with -o FILE")
    if to_stdout and (sys.stdout is None or sys.stdout.isatty()):
        raise UsageError("a picture is not written to a terminal: name a file with -o FILE, or redirect stdout")
    if any(job.input.source == STDIN for job in jobs) and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("- reads a picture from stdin, which is a terminal here: redirect a file to it")


def _settings(arguments: Namespace) -> dict[str, Any]:
    """Collect the keyword arguments of `pixtrim.pipeline.shrink` that are the same for every picture."""
    return {
        "model": arguments.model,
        "budget": arguments.budget,
        "operator": arguments.operator,
        "detail": arguments.detail,
        "protect": arguments.protect or None,
        "threads": arguments.threads,
        "dpi": arguments.dpi,
        "max_pixels": arguments.max_megapixels,
        "prices": None if arguments.prices is None else load_prices(arguments.prices),
    }


# --- the work ------------------------------------------------------------------------------------------------------


def _work(jobs: Sequence[Job], settings: dict[str, Any], workers: int) -> Iterator[Outcome]:
    """Do the jobs and yield what became of them, in their order.

    Threads suffice: decoding, the kernels and encoding release the interpreter lock. An interruption cancels what
    has not begun and waits for the rest.
    """
    if workers == 1:
        yield from (do(job, settings) for job in jobs)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(lambda job: do(job, settings), jobs)


def do(job: Job, settings: dict[str, Any]) -> Outcome:
    """Do one job; whatever goes wrong becomes an outcome, so that it does not stop the others."""
    if job.input.problem is not None:
        return Outcome(job, error=f"{job.input.source}: {job.input.problem}", code=INPUT)
    try:
        return _shrink(job, settings)
    except PixtrimError as error:
        return Outcome(job, error=str(error), code=error.exit_code)
    except MemoryError:
        return Outcome(job, error=f"{job.input.source}: not enough memory; use fewer --workers", code=INPUT)
    except OSError as error:
        where = os.fsdecode(error.filename or job.input.source)
        return Outcome(job, error=f"{where}: cannot be written ({error.strerror or error})", code=INPUT)
    except Exception as error:
        return Outcome(job, error=f"{job.input.source}: {fault(error)}", code=INTERNAL, cause=error)


def _shrink(job: Job, settings: dict[str, Any]) -> Outcome:
    from pixtrim.pipeline import shrink

    stdin = job.input.source == STDIN
    shrunk = shrink(
        sys.stdin.buffer if stdin else job.input.source, **settings, name="<stdin>" if stdin else job.input.source
    )
    data = _save(shrunk, job)
    if job.preview is not None:
        _write(job.preview, _encoded_preview(shrunk, job.preview))
    if job.map is not None:
        _write(job.map, shrunk.coordinates.to_json().encode("ascii") + b"\n")
    report = shrunk.report.to_dict()
    named = {"input": job.input.source, "output": STDOUT if job.output is None else str(job.output)}
    extras = {"preview": job.preview, "map": job.map}
    files = {key: None if path is None else str(path) for key, path in extras.items()}
    return Outcome(job, {**report, "schema": SCHEMA, **named, **files}, data)


def _save(shrunk: Shrunk, job: Job) -> bytes | None:
    if job.output is None:
        return shrunk.encode(job.format)
    with _writing(job.output):
        shrunk.save(job.output)
    return None


def _write(path: Path, data: bytes) -> None:
    from pixtrim.result import write_whole

    with _writing(path):
        write_whole(path, data)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Make the folder of a file; let an error name the file, not the temporary one, or none at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _encoded_preview(shrunk: Shrunk, path: Path) -> bytes:
    import io

    stream = io.BytesIO()
    shrunk.preview().save(stream, FORMATS[path.suffix.lower()].upper())
    return stream.getvalue()


# --- telling -------------------------------------------------------------------------------------------------------


def _tell(outcome: Outcome, arguments: Namespace) -> None:
    """Write what cannot wait for the end: the picture itself, JSON, errors and warnings."""
    if outcome.report is None:
        complain(outcome.error, outcome.cause if arguments.debug else None)
        if arguments.json:
            source = outcome.job.input.source
            json_line({"schema": SCHEMA, "input": source, "error": outcome.error, "exit_code": outcome.code})
        return
    if outcome.data is not None:
        sys.stdout.buffer.write(outcome.data)
        sys.stdout.buffer.flush()
    if arguments.json:
        json_line(outcome.report)
    elif not arguments.quiet:
        for warning in outcome.report["warnings"]:
            warn(f"{outcome.job.input.source}: {warning}")


def _summary(outcomes: Sequence[Outcome], stream: Any) -> None:
    reports = [outcome.report for outcome in outcomes if outcome.report is not None]
    if not reports:
        return
    header = ("input", "operator", "size", "tokens", "saved", "USD saved", "warnings")
    total = _total(reports, len(outcomes)) if len(outcomes) > 1 else None
    table(header, [_row(report) for report in reports], stream, total)


def _row(report: dict[str, Any]) -> tuple[str, ...]:
    return (
        report["input"],
        report["operator"],
        "{original_width}x{original_height} -> {width}x{height}".format_map(report),
        "{tokens_before} -> {tokens_after}".format_map(report),
        _share(report["tokens_before"], report["tokens_after"]),
        usd(_saved_usd(report)),
        str(len(report["warnings"]) or ""),
    )


def _total(reports: Sequence[dict[str, Any]], inputs: int) -> tuple[str, ...]:
    before, after = (sum(report[key] for report in reports) for key in ("tokens_before", "tokens_after"))
    amounts = [amount for report in reports if (amount := _saved_usd(report)) is not None]
    failed = inputs - len(reports)
    warnings = sum(len(report["warnings"]) for report in reports)
    return (
        f"{len(reports)} of {inputs}, {failed} failed" if failed else f"{inputs} pictures",
        "",
        "",
        f"{before} -> {after}",
        _share(before, after),
        usd(sum(amounts) if amounts else None),
        str(warnings or ""),
    )


def _share(before: int, after: int) -> str:
    return f"{100 * (before - after) / before:.1f}%"


def _saved_usd(report: dict[str, Any]) -> float | None:
    before, after = report["usd_before"], report["usd_after"]
    return None if before is None or after is None else before - after
