"""One entry of the ledger, and the row that it is in the database."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final

__all__ = ["MOST_CHARACTERS", "Entry", "microseconds", "row_of"]

MOST_CHARACTERS: Final = 200
"""Of a name: models are named by whoever sends a request."""

MOST: Final = 2**40
"""The largest number that is written; sums of millions of them fit the databases' integers."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """What one request cost.

    Attributes
    ----------
    at : datetime
        When it was answered, with a time zone.
    route : str
        The path that was asked, without its query.
    wire_format, model, key_label : str or None
        How the request speaks, which model it asks, and the label of its key, never the key.
    status : int
        The answer's HTTP status; 0 where there was none.
    images, changed : int
        Images in the request, and how many of them are others now.
    tokens_before, tokens_after : int
        Estimated for the images that could be read; 0 where the provider bills nothing (counting tokens, say).
    billed_input, billed_output, billed_cached : int or None
        As in `pixtrim.gateway.usage.Usage`.
    seconds, added_seconds : float
        How long the whole answer took, and how much of that pixtrim took.
    """

    at: datetime
    route: str
    wire_format: str | None
    model: str | None
    key_label: str | None
    status: int
    images: int
    changed: int
    tokens_before: int
    tokens_after: int
    billed_input: int | None
    billed_output: int | None
    billed_cached: int | None
    seconds: float
    added_seconds: float


def microseconds(moment: datetime) -> int:
    """Return a moment as microseconds since 1970, UTC.

    Raises
    ------
    ValueError
        If it has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def row_of(entry: Entry) -> dict[str, Any]:
    """Return what is written of an entry: always something that every database takes, so that none stops the others.

    Its number is drawn here, so that an entry whose writing was interrupted can be written once more, and is in once.

    Raises
    ------
    AttributeError, TypeError, ValueError
        If it is no entry at all.
    """
    values = {field.name: _plain(getattr(entry, field.name), str(field.type)) for field in fields(Entry)[1:]}
    return {"id": secrets.randbits(63), "at_us": microseconds(entry.at), **values}


def _plain(value: Any, kind: str) -> str | int | float | None:
    """Return a value of the type that its field has."""
    if value is None and kind.endswith("None"):
        return None
    if kind.startswith("str"):
        return str.encode(value[:MOST_CHARACTERS], "utf-8", "replace").decode().replace("\0", "\ufffd")
    if not math.isfinite(value):
        return 0
    return (int if kind.startswith("int") else float)(max(-MOST, min(value, MOST)))
