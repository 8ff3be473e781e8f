"""Entries of a ledger, and what they sum up to, worked out by hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from pixtrim.gateway.ledger import Entry
from pixtrim.tokens import price_of

START = datetime(2026, 11, 1, tzinfo=UTC)


def entry(number: int = 0, **changes: Any) -> Entry:
    """Return an entry, the same for the same number."""
    values: dict[str, Any] = {
        "at": START + timedelta(hours=number),
        "route": "/v1/messages",
        "wire_format": "anthropic",
        "model": "claude-haiku-4-5",
        "key_label": "ci",
        "status": 200,
        "images": 2,
        "changed": 1,
        "tokens_before": 3000,
        "tokens_after": 1800,
        "billed_input": 2100,
        "billed_output": 40,
        "billed_cached": None,
        "seconds": 2.5,
        "added_seconds": 0.03125,
    }
    return Entry(**(values | changes))


COUNTS = st.integers(0, 10**7)
ENTRIES = st.builds(
    Entry,
    at=st.datetimes(datetime(2026, 10, 30), datetime(2026, 11, 3)).map(lambda at: at.replace(tzinfo=UTC)),
    route=st.sampled_from(["/v1/messages", "/v1/responses"]),
    wire_format=st.sampled_from(["anthropic", None]),
    model=st.sampled_from(["claude-haiku-4-5", "gpt-5.5", "nobody-knows", None]),
    key_label=st.sampled_from(["ci", "desk", None]),
    status=st.sampled_from([0, 200, 200, 200, 304, 400, 429, 500]),
    images=st.integers(0, 20),
    changed=st.integers(0, 20),
    tokens_before=COUNTS,
    tokens_after=COUNTS,
    billed_input=st.none() | COUNTS,
    billed_output=st.none() | COUNTS,
    billed_cached=st.none() | COUNTS,
    seconds=st.floats(0, 600),
    added_seconds=st.floats(0, 2),
)


def by_hand(entries: Iterable[Entry], by: Sequence[str]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return the sums of each group, by its keys."""
    groups: dict[tuple[Any, ...], list[Entry]] = defaultdict(list)
    for one in entries:
        keys = {"day": one.at.astimezone(UTC).date(), "model": one.model, "key_label": one.key_label}
        groups[tuple(keys[name] for name in by)].append(one)
    return {keys: _sums(group) for keys, group in groups.items()}


def _sums(group: Sequence[Entry]) -> dict[str, Any]:
    answered = [one for one in group if 200 <= one.status < 400]
    sums: dict[str, Any] = {"requests": len(group), "failed": len(group) - len(answered)}
    for name in ("images", "changed", "tokens_before", "tokens_after"):
        sums[name] = sum(getattr(one, name) for one in answered)
    for name in ("billed_input", "billed_output", "billed_cached"):
        known = [getattr(one, name) for one in answered if getattr(one, name) is not None]
        sums[name] = sum(known) if known else None
    sums["billed"] = sum(one.billed_input is not None for one in answered)
    for name in ("seconds", "added_seconds"):
        sums[name] = sum(getattr(one, name) for one in answered) / max(1, len(answered))
    priced = [(one, one.model and price_of(one.model)) for one in answered]
    usd = [price.cost(one.tokens_before - one.tokens_after) for one, price in priced if price]
    sums["usd_saved"] = sum(usd) if usd else None
    sums["unpriced"] = sum(one.tokens_before - one.tokens_after for one, price in priced if not price)
    return sums
