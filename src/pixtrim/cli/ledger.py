"""``pixtrim ledger``: what the gateway saved, by day, model and key."""

from __future__ import annotations

import csv
import io
import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from pixtrim.cli.options import examples
from pixtrim.cli.show import SCHEMA, json_line, table, usd, write
from pixtrim.errors import UsageError, require
from pixtrim.tokens import load_prices

if TYPE_CHECKING:
    from pixtrim.gateway.ledger import Ledger, Row

__all__ = ["add_ledger", "run"]

KEYS: Final = {"day": "day", "model": "model", "key": "key_label"}
"""What rows can be by, as it is put here and in the ledger."""

NUMBERS: Final = ("requests", "images", "before", "saved", "share", "USD", "billed in")
"""Of a table, which has to fit a terminal; JSON and CSV have more."""


def add_ledger(commands: Any) -> ArgumentParser:
    """Add the command to the grammar."""
    command: ArgumentParser = commands.add_parser(
        "ledger",
        help="show what the gateway saved, and what providers billed",
        description="Show what the gateway saved: requests, images, their tokens before and after as they are "
        "estimated, and what providers say they billed, by day (UTC), model and key label.",
        epilog=examples(
            "pixtrim ledger",
            "pixtrim ledger --by day,model --since 2026-11-01 --until 2026-11-30",
            "pixtrim ledger --by key --model claude-opus-4-7 --csv > november.csv",
            "pixtrim ledger --url postgresql://pixtrim@db.internal/usage --by model --json",
            "pixtrim ledger --prune-before 2026-01-01",
        ),
    )
    command.set_defaults(run=run)
    add = command.add_argument
    add(
        "--url",
        help="the ledger: a file, sqlite:///FILE or postgresql://USER@HOST:PORT/DATABASE (default: the file that the "
        "gateway writes by default, ledger.sqlite3 where the platform keeps data of programs)",
    )
    add(
        "--by",
        type=_keys,
        metavar="KEYS",
        help="a row for each day, model, key, or several, as day,model (default: day)",
    )
    add("--since", type=_day, metavar="DATE", help="from this day on, as 2026-11-01")
    add("--until", type=_day, metavar="DATE", help="up to this day, which counts")
    add("-m", "--model", help="only requests for this model, as they name it")
    add("--key", metavar="LABEL", help="only requests with keys of this label")
    add("--prices", metavar="FILE", help="a TOML table of prices that goes before the built-in one")
    form = command.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_true", help="print JSON Lines, one object for each row, and the total last"
    )
    form.add_argument("--csv", action="store_true", help="print CSV, without a total")
    add("--prune-before", type=_day, metavar="DATE", help="delete all entries before this day, and say how many")
    return command


def run(arguments: Namespace) -> int:
    """Sum up, or delete what is old."""
    shown = ("by", "since", "until", "model", "key", "prices")
    given = [name for name in shown if getattr(arguments, name) is not None] + ["csv"] * arguments.csv
    if arguments.prune_before is not None and given:
        raise UsageError(f"--prune-before deletes entries of every kind: leave out --{given[0]}")
    if arguments.since and arguments.until and arguments.since > arguments.until:
        raise UsageError(f"--since {arguments.since} is after --until {arguments.until}")
    for module in ("sqlalchemy", "alembic"):
        require(module, "gateway", "pixtrim ledger")
    from pixtrim.gateway.ledger import Ledger

    with Ledger.open(arguments.url, create=False) as ledger:
        if arguments.prune_before is not None:
            _prune(ledger, arguments)
        else:
            _show(ledger, arguments)
    return 0


def _prune(ledger: Ledger, arguments: Namespace) -> None:
    before: date = arguments.prune_before
    deleted = ledger.prune(before)
    if arguments.json:
        json_line({"schema": SCHEMA, "ledger": ledger.name, "before": str(before), "deleted": deleted})
    else:
        write(f"{ledger.name}: deleted {deleted} entries from before {before}")


def _show(ledger: Ledger, arguments: Namespace) -> None:
    from pixtrim.gateway.ledger import total_of

    prices = None if arguments.prices is None else load_prices(arguments.prices)
    keys: Sequence[str] = arguments.by or ("day",)
    rows = ledger.summary(
        [KEYS[key] for key in keys],
        since=arguments.since,
        until=arguments.until and arguments.until + timedelta(days=1),
        model=arguments.model,
        key_label=arguments.key,
        prices=prices,
    )
    total = total_of(rows)
    if arguments.json:
        for row in rows:
            json_line({"schema": SCHEMA, "total": False, **_record(row)})
        json_line({"schema": SCHEMA, "total": True, **_record(total)})
    elif arguments.csv:
        _write_csv([_record(total), *map(_record, rows)])
    else:
        cells = [[*(str(getattr(row, KEYS[key]) or "-") for key in keys), *_cells(row)] for row in rows]
        table([*keys, *NUMBERS], cells, total=["total", *[""] * (len(keys) - 1), *_cells(total)])


def _record(row: Row) -> dict[str, Any]:
    """Return a row for JSON and CSV."""
    return {
        "day": None if row.day is None else str(row.day),
        "model": row.model,
        "key_label": row.key_label,
        "requests": row.requests,
        "failed": row.failed,
        "images": row.images,
        "changed": row.changed,
        "tokens_before": row.tokens_before,
        "tokens_after": row.tokens_after,
        "saved": row.saved,
        "share": round(row.share, 6),
        "usd_saved": None if row.usd_saved is None else round(row.usd_saved, 9),
        "unpriced": row.unpriced,
        "billed": row.billed,
        "billed_input": row.billed_input,
        "billed_output": row.billed_output,
        "billed_cached": row.billed_cached,
        "seconds": round(row.seconds, 6),
        "added_seconds": round(row.added_seconds, 6),
    }


def _cells(row: Row) -> list[str]:
    """Return the numbers of a row, for people."""
    return [
        *map(str, (row.requests, row.images, row.tokens_before, row.saved)),
        f"{row.share:.1%}",
        usd(row.usd_saved),
        "-" if row.billed_input is None else str(row.billed_input),
    ]


def _write_csv(records: Sequence[dict[str, Any]]) -> None:
    """Write all records but the first, whose names are the header: there may be no other."""
    text = io.StringIO()
    writer = csv.DictWriter(text, records[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records[1:])
    write(text.getvalue().removesuffix("\n"))


def _keys(text: str) -> tuple[str, ...]:
    """Read what the rows are by."""
    keys = tuple(dict.fromkeys(text.split(",")))
    if not set(keys) <= KEYS.keys():
        raise ArgumentTypeError(
            f"{text[:40]!r} is not understood: give one or several of {', '.join(KEYS)}, as day,model"
        )
    return keys


def _day(text: str) -> date:
    """Read a day of this millennium or the last years of the one before."""
    try:
        day = date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else date.min
    except ValueError:
        day = date.min
    if not 1970 <= day.year < 3000:
        raise ArgumentTypeError(f"{text[:40]!r} is not a day from 1970 to 2999, as 2026-11-01")
    return day
