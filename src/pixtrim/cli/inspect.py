"""``pixtrim inspect``: explain a picture, and say what shrinking it would bring."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from pixtrim.cli.inputs import STDIN, expand
from pixtrim.cli.measure import Measured
from pixtrim.cli.show import SCHEMA, json_line, one_line, table, usd, warn, write
from pixtrim.cli.tokens import cost, failed
from pixtrim.errors import InputError, PixtrimError, UsageError
from pixtrim.tokens import Rule, price_of, resolve

__all__ = ["USUAL", "run"]

USUAL = ("claude-sonnet-4-5", "claude-opus-4-7", "gpt-5.5", "gemini-2.5-flash", "qwen3-vl")
"""The models side by side where none is named."""

SHARES = ("repeated_rows", "repeated_columns", "repeated_patches", "blank_rows", "blank_columns")


def run(arguments: Namespace) -> int:
    """Explain one picture after the other."""
    rules = [resolve(model) for model in arguments.model or USUAL]
    if arguments.inputs.count(STDIN) > 1:
        raise UsageError("- (stdin) is given more than once")
    codes = [0]
    for number, entry in enumerate(expand(arguments.inputs, recursive=arguments.recursive)):
        try:
            if entry.problem is not None:
                raise InputError(f"{entry.source}: {entry.problem}")
            record = _explain(entry.source, rules, arguments)
        except PixtrimError as error:
            codes.append(failed(entry.source, error, arguments.json))
            continue
        if arguments.json:
            json_line(record)
        else:
            if number:
                write("")
            _print(record)
    return max(codes)


def _explain(source: str, rules: list[Rule], arguments: Namespace) -> dict[str, Any]:
    from pixtrim.image import load
    from pixtrim.inspection import inspect

    stdin = source == STDIN
    loaded = load(
        sys.stdin.buffer if stdin else source,
        dpi=arguments.dpi,
        max_pixels=arguments.max_megapixels,
        name="<stdin>" if stdin else source,
    )
    found = inspect(loaded.pixels)
    measured = Measured(found.width, found.height, None if loaded.data is None else len(loaded.data))
    return {
        "schema": SCHEMA,
        "input": source,
        "format": loaded.format,
        "width": found.width,
        "height": found.height,
        "kind": found.kind,
        **{name: round(float(getattr(found, name)), 4) for name in SHARES},
        "colours": int(found.colours),
        "reasons": list(found.reasons),
        "notes": list(loaded.notes),
        "models": [_model(rule, loaded.pixels, measured, arguments.budget) for rule in rules],
    }


def _model(rule: Rule, pixels: Any, measured: Measured, budget: str) -> dict[str, Any]:
    """Return what the picture costs a model, and what `shrink` would make of it."""
    return {**cost(rule, measured, None, price_of(rule)), "advice": _advice(rule, pixels, budget)}


def _advice(rule: Rule, pixels: Any, budget: str) -> str:
    from pixtrim.pipeline import shrink

    try:
        report = shrink(pixels, rule.name, budget).report
    except UsageError as error:  # a budget that this model cannot meet
        return str(error)
    if report.tokens_after >= report.tokens_before:
        return "leave it as it is"
    saved = 100 * (report.tokens_before - report.tokens_after) / report.tokens_before
    return f"{report.operator} to {report.width}x{report.height}: {report.tokens_after} tokens, {saved:.0f}% less"


# --- in words ------------------------------------------------------------------------------------------------------


def _print(record: dict[str, Any]) -> None:
    write(one_line(f"{record['input']}: {record['kind']}, {record['width']}x{record['height']}"))
    for reason in (*record["reasons"], *record["notes"]):
        write(one_line(f"  {reason}"))
    for name in SHARES:
        write(f"  {name.replace('_', ' '):17} {record[name]:6.1%}")
    write(f"  {'colours':17} {record['colours']:6}")
    header = ("model", "tokens", "seen", "USD", "advice")
    rows = [
        (
            model["model"],
            str(model["tokens"]),
            f"{model['seen_width']}x{model['seen_height']}",
            usd(model["usd"]),
            model["advice"],
        )
        for model in record["models"]
    ]
    table(header, rows)
    for model in record["models"]:
        for warning in model["warnings"]:
            warn(f"{record['input']}: {warning}")
