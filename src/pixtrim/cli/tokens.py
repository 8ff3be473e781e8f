"""``pixtrim tokens``: what pictures cost, unchanged."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from pixtrim.cli.inputs import STDIN, expand
from pixtrim.cli.measure import Measured, measure
from pixtrim.cli.show import SCHEMA, complain, json_line, table, usd, warn
from pixtrim.errors import InputError, PixtrimError, UsageError
from pixtrim.tokens import Price, Rule, load_prices, price_of, resolve
from pixtrim.tokens.records import cost_of

__all__ = ["cost", "run"]


def run(arguments: Namespace) -> int:
    """Count for every size and picture, and for every model."""
    rules = [(model, resolve(model)) for model in arguments.model]
    for _, rule in rules:
        rule.level(arguments.detail)
    prices = None if arguments.prices is None else load_prices(arguments.prices)
    if not (arguments.size or arguments.inputs):
        raise UsageError("nothing to count: give pictures, or sizes with --size WxH (see 'pixtrim tokens --help')")
    if arguments.inputs.count(STDIN) > 1:
        raise UsageError("- (stdin) is given more than once")
    codes, rows = [0], []
    for source, entry in _entries(arguments):
        if isinstance(entry, PixtrimError):
            codes.append(failed(source, entry, arguments.json))
            continue
        for asked, rule in rules:
            record = {
                "schema": SCHEMA,
                "input": source,
                **cost(rule, entry, arguments.detail, price_of(asked, prices)),
                "requested_model": asked,
            }
            if arguments.json:
                json_line(record)
                continue
            rows.append(record)
    if rows:
        _print(rows, named=bool(arguments.inputs))
    return max(codes)


def failed(source: str | None, error: PixtrimError, as_json: bool) -> int:
    """Tell what is wrong with one input, and return the exit code."""
    complain(str(error))
    if as_json:
        json_line({"schema": SCHEMA, "input": source, "error": str(error), "exit_code": error.exit_code})
    return error.exit_code


def _entries(arguments: Namespace) -> Iterator[tuple[str | None, Measured | PixtrimError]]:
    """Yield what is to be counted and its size, or why it has none."""
    for width, height in arguments.size or ():
        yield None, Measured(width, height, None)
    for entry in expand(arguments.inputs, recursive=arguments.recursive):
        try:
            if entry.problem is not None:
                raise InputError(f"{entry.source}: {entry.problem}")
            yield entry.source, measure(entry.source, dpi=arguments.dpi, max_pixels=arguments.max_megapixels)
        except PixtrimError as error:
            yield entry.source, error


def cost(rule: Rule, measured: Measured, detail: str | None, price: Price | None) -> dict[str, Any]:
    """Return what a picture costs one model, for JSON."""
    width, height, size = measured
    return asdict(cost_of(rule, width, height, detail, size=size, price=price))


def _print(rows: list[dict[str, Any]], named: bool) -> None:
    header = ["input", "model", "detail", "size", "tokens", "seen", "USD", "mark"]
    lines = [
        [
            row["input"] or "-",
            row["model"],
            row["detail"] or "-",
            f"{row['width']}x{row['height']}",
            str(row["tokens"]),
            f"{row['seen_width']}x{row['seen_height']}",
            usd(row["usd"]),
            row["mark"],
        ]
        for row in rows
    ]
    first = 0 if named else 1
    table(header[first:], [line[first:] for line in lines])
    for row in rows:
        for warning in row["warnings"]:
            warn(warning if row["input"] is None else f"{row['input']}: {warning}")
