"""``pixtrim shrink``: make pictures cheaper for a named model."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixtrim.cli.inputs import STDIN, check_stdin, expand
from pixtrim.cli.outputs import STDOUT, Job, Wanted, encoded, plan, write, writing
from pixtrim.cli.show import SCHEMA, table, usd
from pixtrim.cli.work import Outcome, attempt, carry_out
from pixtrim.errors import UsageError
from pixtrim.tokens import load_prices, resolve

if TYPE_CHECKING:
    from PIL.Image import Image

    from pixtrim.result import Preview, Shrunk

__all__ = ["do", "run"]


def run(arguments: Namespace) -> int:
    """Settle everything that can be wrong beforehand, do the work, tell what was done."""
    _check(arguments)
    out = arguments.output
    without = Path(out) if out is not None and out != STDOUT else None
    inputs = expand(arguments.inputs, recursive=arguments.recursive, without=without)
    check_stdin(inputs)
    if arguments.preview_of != "sheet" and arguments.preview is None:
        raise UsageError(f"--preview-of {arguments.preview_of} says what a preview shows: add --preview")
    wanted = Wanted(out, arguments.format, arguments.preview, arguments.map, arguments.overwrite)
    jobs = plan(inputs, wanted)
    to_stdout = any(job.output is None and job.input.problem is None for job in jobs)
    _check_stdout(arguments, to_stdout)
    settings = _settings(arguments)
    outcomes = carry_out(jobs, lambda job: do(job, settings, arguments.preview_of), arguments)
    if not arguments.quiet and not arguments.json:
        _summary(outcomes, sys.stderr if to_stdout else sys.stdout)
    return max(outcome.code for outcome in outcomes)


def _check(arguments: Namespace) -> None:
    from pixtrim.pipeline.steps import parse_operator

    resolve(arguments.model).level(arguments.detail)
    parse_operator(arguments.operator)
    if arguments.prices is not None:
        load_prices(arguments.prices)


def _check_stdout(arguments: Namespace, to_stdout: bool) -> None:
    if to_stdout and arguments.json:
        raise UsageError("the picture and --json cannot both go to stdout: name a file with -o FILE")
    if to_stdout and (sys.stdout is None or sys.stdout.isatty()):
        raise UsageError("a picture is not written to a terminal: name a file with -o FILE, or redirect stdout")


def _settings(arguments: Namespace) -> dict[str, Any]:
    """Collect the keyword arguments of `pixtrim.pipeline.shrink` that are the same for every picture."""
    named = {} if arguments.importance is None else {"importance": arguments.importance}
    return {
        **named,
        "computer_use": arguments.computer_use,
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


def do(job: Job, settings: dict[str, Any], view: Preview = "sheet") -> Outcome:
    """Do one job; whatever goes wrong becomes an outcome, so that it does not stop the others."""
    return attempt(job.input, lambda: _shrink(job, settings, view))


def _shrink(job: Job, settings: dict[str, Any], view: Preview) -> Outcome:
    from pixtrim.pipeline import shrink

    stdin = job.input.source == STDIN
    shrunk = shrink(
        sys.stdin.buffer if stdin else job.input.source, **settings, name="<stdin>" if stdin else job.input.source
    )
    data = _save(shrunk, job)
    if job.preview is not None:
        write(job.preview, encoded(_preview(shrunk, view), job.preview))
    if job.map is not None:
        write(job.map, shrunk.coordinates.to_json().encode("ascii") + b"\n")
    report = shrunk.report.to_dict()
    named = {"input": job.input.source, "output": STDOUT if job.output is None else str(job.output)}
    extras = {"preview": job.preview, "map": job.map}
    files = {key: None if path is None else str(path) for key, path in extras.items()}
    return Outcome(job.input.source, {**report, "schema": SCHEMA, **named, **files}, data)


def _preview(shrunk: Shrunk, view: Preview) -> Image:
    """Return the preview that was asked for; the sheet where a picture gave it nothing to show."""
    try:
        return shrunk.preview(view)
    except UsageError as error:
        shrunk.report.warnings.append(f"the preview shows before and after: {error}")
        return shrunk.preview()


def _save(shrunk: Shrunk, job: Job) -> bytes | None:
    if job.output is None:
        return shrunk.encode(job.format)
    with writing(job.output):
        shrunk.save(job.output)
    return None


# --- telling -------------------------------------------------------------------------------------------------------


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
