"""``pixtrim evaluate``: what operators cost in answers, beside a plain resize at equal tokens."""

from __future__ import annotations

import math
import os
import shlex
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixtrim.cli.outputs import is_folder, write
from pixtrim.cli.show import INPUT, INTERRUPTED, complain, json_line, json_text, one_line, progress, table, warn
from pixtrim.errors import UsageError, require

if TYPE_CHECKING:
    from pixtrim.evaluation.measures import Measure
    from pixtrim.evaluation.records import Run, Summary
    from pixtrim.evaluation.samples import Sample

__all__ = ["CACHE", "QUICK_BUDGET", "QUICK_LIMIT", "run"]

CACHE = ".pixtrim-evaluation"
"""The folder in which results are kept, below the current one."""

QUICK_LIMIT, QUICK_BUDGET = 5, "50%"

QUICK_ENGINE, SLOW_ENGINE = "tesseract", "rapidocr"
"""Of two engines that read, a quick run asks the one that takes a fifth of the other's time."""

STDOUT = "-"

HEAD = b'{\n "schema": '

MOST_LINES = 10
"""Faults and errors that are shown one by one; all of them are in the JSON and the report."""


def run(arguments: Namespace) -> int:
    """Settle everything that can be wrong beforehand, evaluate, tell what came out."""
    from pixtrim.evaluation.catalogue import load_measures, load_plugin

    modules = [*load_measures(), *map(load_plugin, arguments.plugin or ())]
    if arguments.list_metrics:
        _list_metrics(arguments)
        return 0
    _check(arguments)
    samples = _samples(arguments)
    result = _evaluated(samples, modules, arguments)
    from pixtrim.evaluation.statistics import summarise

    summaries = summarise(result)
    to_stdout = arguments.json == STDOUT
    if not arguments.quiet and not to_stdout:
        _table(result, summaries)
    _tell(result, arguments)
    if arguments.json is not None:
        _write_json(arguments.json, result, summaries)
    if arguments.html is not None:
        _write_html(samples, result, summaries, arguments)
    if not result.complete:
        done = len({record.sample for record in result.records})
        remedy = "" if arguments.no_cache else "; the same command goes on from there"
        complain(f"interrupted: {done} of {len(samples)} pictures are done{remedy}")
        return INTERRUPTED
    return INPUT if result.errors else 0


# --- before any work -----------------------------------------------------------------------------------------------


def _check(arguments: Namespace) -> None:
    """Refuse what does not fit together, or could only fail at the end."""
    from pixtrim.evaluation.runner import operators_of, rule_of

    if not arguments.inputs:
        raise UsageError("DATA is missing: name a folder, a file, a glob, or rows of a data set (hf:NAME:SPLIT)")
    if arguments.model is None:
        raise UsageError("--model is missing: name the model whose tokens are counted; 'pixtrim models' lists them")
    places = [os.path.realpath(spec) if os.path.exists(spec) else spec for spec in arguments.inputs]
    for number, spec in enumerate(arguments.inputs):
        if places[number] in places[:number]:
            raise UsageError(f"{one_line(spec)} is given twice: name each data set once")
    rule_of(arguments.model)
    operators_of(arguments.operator)
    if (arguments.endpoint is None) != (arguments.endpoint_model is None):
        raise UsageError("--endpoint URL and --endpoint-model NAME belong together: give both")
    if arguments.api_key_file is not None and arguments.endpoint is None:
        raise UsageError("--api-key-file is for --endpoint: give both")
    _check_output("--html", arguments.html, (".html", ".htm"))
    if arguments.json not in (None, STDOUT):
        _check_output("--json", arguments.json, (".json",))
        _check_own(arguments.json)
    if arguments.html is not None:
        require("jinja2", "evaluate", "the HTML report")


def _check_output(option: str, name: str | None, suffixes: Sequence[str]) -> None:
    if name is not None and (os.path.splitext(name)[1].lower() not in suffixes or "\0" in name or is_folder(name)):
        raise UsageError(f"{option} {one_line(name)}: give a file whose name ends in {suffixes[0]}")


def _check_own(name: str) -> None:
    """Refuse to replace a JSON file that is none of ours: the truth of many data sets is in such files."""
    with suppress(OSError), open(name, "rb") as file:
        if not file.read(len(HEAD)).startswith(HEAD):
            raise UsageError(f"--json {one_line(name)} exists and is no result of an evaluation: give another name")


def _samples(arguments: Namespace) -> list[Sample]:
    """Find the samples that are meant."""
    from pixtrim.evaluation.datasets import limit, of_kinds, open_datasets

    chosen = open_datasets(arguments.inputs)
    if arguments.kind:
        chosen = of_kinds(chosen, arguments.kind)
    most = arguments.limit or (QUICK_LIMIT if arguments.quick else None)
    return chosen if most is None else limit(chosen, most)


def _measures(arguments: Namespace) -> list[str | Measure]:
    """Return the measures that were named, or all that can run; say which cannot."""
    from pixtrim.evaluation.measures import measure_named, measure_names

    ready = _set_up(arguments)
    if arguments.metric:
        return [each for name in arguments.metric for each in _of_name(name, ready) or [name]]
    settled = {type(each).name for each in ready}
    missing = {name: measure_named(name).missing() for name in measure_names() if name not in settled}
    reasons = {name: reason.removeprefix(f"{name} ") for name, reason in missing.items() if reason is not None}
    if not arguments.quiet:
        for reason in dict.fromkeys(reasons.values()):
            lacking = [name for name, why in reasons.items() if why == reason]
            warn(f"left out: {', '.join(lacking)} ({reason})")
    able = [name for name in missing if name not in reasons]
    if arguments.quick and any(QUICK_ENGINE in name for name in able):
        able = [name for name in able if SLOW_ENGINE not in name]
    return [*able, *ready]


def _set_up(arguments: Namespace) -> list[Measure]:
    """Return the measures that need something which is named on the command line."""
    from pixtrim.evaluation.measures.vision import detector_measures, encoder_measures

    found: list[Measure] = []
    for encoder in arguments.encoder or ():
        found += encoder_measures(encoder)
    for detector in arguments.detector or ():
        found += detector_measures(detector)
    if arguments.endpoint is not None:
        from pixtrim.evaluation.judges.endpoint import Endpoint, read_key
        from pixtrim.evaluation.measures import answers

        key = "" if arguments.api_key_file is None else read_key(arguments.api_key_file)
        found += answers.measures(
            Endpoint(arguments.endpoint, arguments.endpoint_model, key=key, cache=_cache(arguments))
        )
    return found


def _cache(arguments: Namespace) -> Path | None:
    return None if arguments.no_cache else Path(arguments.cache)


def _of_name(name: str, ready: Sequence[Measure]) -> list[Measure]:
    """Return the measures that a name means: one that was set up, or, by its first name, all of its sort."""
    return [each for each in ready if name in (each.name, type(each).name)]


# --- the work ------------------------------------------------------------------------------------------------------


def _evaluated(samples: Sequence[Sample], modules: Sequence[str], arguments: Namespace) -> Run:
    from pixtrim.evaluation import runner
    from pixtrim.evaluation.faults import check

    with progress(len(samples), not arguments.quiet) as count:
        result = runner.run(
            samples,
            arguments.model,
            arguments.budget or ([QUICK_BUDGET] if arguments.quick else runner.BUDGETS),
            arguments.operator,
            _measures(arguments),
            workers=arguments.workers,
            cache=_cache(arguments),
            progress=lambda done, total: count(),
            check=check,
            dataset=shlex.join(arguments.inputs),
            modules=modules,
        )
    if not arguments.metric:
        said = {record.measure for record in result.records}
        result.measures = tuple(name for name in result.measures if name in said)  # the others apply to nothing here
    return result


# --- telling -------------------------------------------------------------------------------------------------------


def _list_metrics(arguments: Namespace) -> None:
    from pixtrim.evaluation.measures import measure_named, measure_names

    classes = [measure_named(name) for name in measure_names()]
    if arguments.json is not None:
        for each in classes:
            better = None if each.describes else "higher" if each.higher_is_better else "lower"
            json_line({"name": each.name, "question": each.question, "better": better, "missing": each.missing()})
        return
    table(("metric", "question", "needs"), [(each.name, each.question, each.missing() or "-") for each in classes])


def _table(result: Run, summaries: Sequence[Summary]) -> None:
    from pixtrim.evaluation.reducers import BASELINE

    compared = [row for row in summaries if row.reducer != BASELINE] or list(summaries)
    if compared:
        header = ("kind", "metric", "budget", "operator", "n", "tokens", "score", BASELINE, "difference", "verdict")
        table(header, [_row(row) for row in compared])


def _row(row: Summary) -> tuple[str, ...]:
    return (
        row.kind,
        row.measure,
        row.budget,
        row.reducer,
        str(row.pictures),
        f"{row.tokens:.0f}",
        f"{row.mean:.3f}",
        f"{row.baseline_mean:.3f}",
        _with_interval(row),
        row.verdict or "-",
    )


def _with_interval(row: Summary) -> str:
    if math.isnan(row.difference_low):
        return f"{row.difference:+.3f}"
    return f"{row.difference:+.3f} [{row.difference_low:+.3f}, {row.difference_high:+.3f}]"


def _tell(result: Run, arguments: Namespace) -> None:
    """Write the faults of operators, and what could not be done, to stderr."""
    if not arguments.quiet:
        for note in result.notes:
            warn(note)
        for fault in result.faults[:MOST_LINES]:
            warn(f"{fault.sample}: {fault.reducer} at {fault.budget}: {fault.check}: {fault.what}")
        if len(result.faults) > MOST_LINES:
            warn(f"and {len(result.faults) - MOST_LINES} more faults of operators")
    for name, message in result.errors[:MOST_LINES]:
        complain(f"{name}: {message}")
    if len(result.errors) > MOST_LINES:
        complain(f"and {len(result.errors) - MOST_LINES} more that could not be done")


def _write_json(name: str, result: Run, summaries: Sequence[Summary]) -> None:
    """Write all records and their summary; intervals that are not known are null."""
    rows = [
        {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in asdict(row).items()}
        for row in summaries
    ]
    value: dict[str, Any] = {**result.to_dict(), "summaries": rows}
    if name == STDOUT:
        json_line(value)
    else:
        write(Path(name), json_text(value, indent=1).encode("ascii") + b"\n")


def _write_html(samples: Sequence[Sample], result: Run, summaries: Sequence[Summary], arguments: Namespace) -> None:
    from pixtrim.evaluation.pictures import RunPictures
    from pixtrim.evaluation.reducers import BASELINE
    from pixtrim.evaluation.report import write_report

    found = {(record.sample, record.reducer, record.budget) for record in result.records}
    total = sum(reducer != BASELINE for _, reducer, _ in found)
    with progress(total, not arguments.quiet) as count:
        write_report(
            result,
            summaries,
            Path(arguments.html),
            RunPictures(samples, result.model),
            command=shlex.join(("pixtrim", *arguments.words)),
            pairs=arguments.pairs,
            progress=lambda done, total: count(),
        )
