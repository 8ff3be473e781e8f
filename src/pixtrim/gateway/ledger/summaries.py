"""What was saved, summed up over entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, func, select

from pixtrim.errors import UsageError
from pixtrim.gateway.ledger.entries import microseconds
from pixtrim.gateway.ledger.schema import REQUESTS
from pixtrim.tokens import Price, price_of

__all__ = ["KEYS", "By", "Moment", "Row", "moment_us", "summed", "total_of"]

By = Literal["day", "model", "key_label"]

KEYS: Final[tuple[By, ...]] = ("day", "model", "key_label")

Moment = date | datetime
"""A day stands for its beginning, in UTC."""

_DAY_US: Final = 24 * 60 * 60 * 1_000_000
_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True)
class Row:
    """Sums over the requests of a day, a model, a key, or all of these.

    What a provider did not answer (no status from 200 to 399) is in `requests` and `failed` and nowhere else: nothing
    was billed, and so nothing was saved.

    Attributes
    ----------
    day : date or None
        In UTC; None where the rows are not by day.
    model, key_label : str or None
        None where the rows are not by that, or the requests had none.
    requests, failed : int
        All requests, and those that were not answered.
    images, changed : int
        Images, and how many of them became others.
    tokens_before, tokens_after : int
        Estimated for the images.
    billed : int
        Requests of which the provider said what it billed.
    billed_input, billed_output, billed_cached : int or None
        Their tokens; None where there is no such request.
    seconds, added_seconds : float
        Means over what was answered: of the whole answer, and of what pixtrim added.
    usd_saved : float or None
        By the input prices that are known; None if none is. What a provider takes less for cached tokens is not in it.
    unpriced : int
        Saved tokens whose price is not known, and which `usd_saved` leaves out.
    """

    day: date | None = None
    model: str | None = None
    key_label: str | None = None
    requests: int = 0
    failed: int = 0
    images: int = 0
    changed: int = 0
    tokens_before: int = 0
    tokens_after: int = 0
    billed: int = 0
    billed_input: int | None = None
    billed_output: int | None = None
    billed_cached: int | None = None
    seconds: float = 0.0
    added_seconds: float = 0.0
    usd_saved: float | None = None
    unpriced: int = 0

    @property
    def saved(self) -> int:
        """Tokens saved."""
        return self.tokens_before - self.tokens_after

    @property
    def share(self) -> float:
        """The share of the images' tokens that was saved, 0 to 1."""
        return self.saved / self.tokens_before if self.tokens_before else 0.0


def summed(
    connection: Connection,
    by: Sequence[str],
    conditions: Iterable[ColumnElement[bool]],
    prices: Mapping[str, Price] | None = None,
) -> list[Row]:
    """Return a row for each group of the entries that meet all conditions, in the order of the groups.

    Raises
    ------
    UsageError
        If `by` names something else than `KEYS`.
    """
    wrong = [name for name in by if name not in KEYS]
    if wrong:
        raise UsageError(f"by is {wrong[0]!r}: choose of {', '.join(KEYS)}")
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for found in connection.execute(_query(by, conditions)).mappings():
        row = _row(found, prices)
        groups.setdefault(tuple(getattr(row, key) for key in by), []).append(row)
    order = sorted(groups, key=lambda group: [(value is not None, value) for value in group])
    return [replace(total_of(groups[group]), **dict(zip(by, group, strict=True))) for group in order]


def total_of(rows: Iterable[Row]) -> Row:
    """Return the sums over rows, and the means over their requests."""
    rows = list(rows)
    sums = {name: _sum(getattr(row, name) for row in rows) for name in _SUMS}
    answered = [(row.requests - row.failed, row) for row in rows]
    count = sum(number for number, _ in answered) or 1
    means = {name: sum(number * getattr(row, name) for number, row in answered) / count for name in _MEANS}
    return Row(**{name: value for name, value in (sums | means).items() if value is not None})


def moment_us(moment: Moment, name: str) -> int:
    """Return a moment as microseconds since 1970.

    Raises
    ------
    UsageError
        If it has no time zone.
    """
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time(), UTC)
    try:
        return microseconds(moment)
    except ValueError as error:
        raise UsageError(f"{name}: {error}: give one, or a day") from None


_MEANS: Final = ("seconds", "added_seconds")
_SUMS: Final = tuple(field.name for field in fields(Row) if field.name not in {*KEYS, *_MEANS})


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _query(by: Sequence[str], conditions: Iterable[ColumnElement[bool]]) -> Select[Any]:
    """Ask for the sums by model in any case, for its price, and by whether there was an answer."""
    table = REQUESTS.c
    answered = table.status.between(200, 399).label("answered")
    entries = select(*table, answered, (table.at_us // _DAY_US).label("day")).where(*conditions).subquery().c
    groups = [entries[name] for name in dict.fromkeys(("model", "answered", *by))]
    counts = [func.count().label("requests"), func.count(entries.billed_input).label("billed")]
    sums = [func.sum(entries[name]).label(name) for name in _SUMS if name in entries]
    means = [func.avg(entries[name]).label(name) for name in _MEANS]
    return select(*groups, *counts, *sums, *means).group_by(*groups)


def _row(found: RowMapping, prices: Mapping[str, Price] | None) -> Row:
    """Make a row of a group, which is of one model; PostgreSQL's sums of integers are decimals."""
    day = found.get("day")
    row = Row(
        day=None if day is None else _EPOCH + timedelta(days=int(day)),
        model=found["model"],
        key_label=found.get("key_label"),
        requests=found["requests"],
    )
    if not found["answered"]:
        return replace(row, failed=row.requests)
    sums: dict[str, Any] = {name: int(found[name]) for name in _SUMS if found.get(name) is not None}
    row = replace(row, **sums, seconds=float(found["seconds"]), added_seconds=float(found["added_seconds"]))
    price = None if row.model is None else price_of(row.model, prices)
    if price is None:
        return replace(row, unpriced=row.saved)
    return replace(row, usd_saved=price.cost(row.saved))
