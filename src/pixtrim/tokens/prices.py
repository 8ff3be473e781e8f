"""Input prices of well-known models, dated, and replaceable by the user's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pixtrim.errors import UnknownModelError, UsageError
from pixtrim.tokens.catalog import key, resolve
from pixtrim.tokens.rules import Rule

__all__ = ["Price", "load_prices", "price_of"]


@dataclass(frozen=True, slots=True)
class Price:
    """What a model's input costs, and who says so.

    Attributes
    ----------
    usd_per_million : float
        US dollars for a million input tokens.
    read, source : str
        When and where the price was read; empty where a user's table does not say.
    note : str
        Conditions, such as the length of the prompt.
    """

    usd_per_million: float
    read: str = ""
    source: str = ""
    note: str = ""

    def cost(self, tokens: int) -> float:
        """Return the US dollars that a number of tokens costs.

        Examples
        --------
        >>> Price(2.5).cost(1_000_000)
        2.5
        """
        return self.usd_per_million * tokens / 1_000_000


def price_of(model: Rule | str, table: Mapping[str, Price] | None = None) -> Price | None:
    """Return a model's input price, or None where it is not known: a price is never guessed.

    Parameters
    ----------
    model : Rule or str
        A rule, or a model's name; a price under the very name (a dated release) goes before that of its model.
    table : mapping of str to Price, optional
        From `load_prices`; by default the prices that come with pixtrim.

    Returns
    -------
    Price or None

    Examples
    --------
    >>> price_of("claude-haiku-4-5").usd_per_million
    1.0
    >>> price_of("qwen3-vl") is None
    True
    """
    table = _shipped() if table is None else table
    if isinstance(model, Rule):
        return table.get(key(model.name))
    if (price := table.get(key(str(model)))) is not None:
        return price
    try:
        return table.get(key(resolve(model).name))
    except UnknownModelError:
        return None


def load_prices(path: str | PathLike[str]) -> Mapping[str, Price]:
    """Read a user's price table; where it names a model, it wins over the prices that come with pixtrim.

    Parameters
    ----------
    path : str or path-like
        A TOML file with one table for each model::

            [models."gpt-5.5"]
            usd_per_million = 4.0
            read = "2026-11-21"         # optional, as are source and note

        Names are compared as in the catalogue; an alias stands for its model.

    Returns
    -------
    mapping of str to Price
        For `price_of`, by compared spelling.

    Raises
    ------
    UsageError
        If the file cannot be read, is not TOML, or an entry is not of this layout.
    """
    import tomllib

    try:
        data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"price table {str(path)!r} cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"price table {str(path)!r} is not TOML: {str(error).splitlines()[0]}") from None
    return MappingProxyType({**_shipped(), **_table(data, f"price table {str(path)!r}")})


@cache
def _shipped() -> Mapping[str, Price]:
    import tomllib

    text = Path(__file__).with_name("prices.toml").read_text(encoding="utf-8")
    return MappingProxyType(_table(tomllib.loads(text), "prices.toml"))


def _table(data: Mapping[str, Any], where: str) -> dict[str, Price]:
    entries = data.get("models")
    if not isinstance(entries, dict):
        raise UsageError(f'{where} has no prices: write them as [models."NAME"] with usd_per_million = NUMBER')
    table = {}
    for name, entry in entries.items():
        price = _price(entry, f"{where}, model {name!r}")
        table[key(name)] = price
        table.setdefault(_model(name), price)
    return table


def _model(name: str) -> str:
    """Return under which key an alias is found; a dated release keeps its own key, and so does an unknown name."""
    try:
        rule = resolve(name)
    except UnknownModelError:
        return key(name)
    return key(rule.name) if key(name) in map(key, rule.aliases) else key(name)


def _price(entry: object, where: str) -> Price:
    fields = {"usd_per_million", "read", "source", "note"}
    if not isinstance(entry, dict) or "usd_per_million" not in entry or not entry.keys() <= fields:
        raise UsageError(f"{where}: give usd_per_million, and no more than read, source and note beside it")
    usd = entry["usd_per_million"]
    if isinstance(usd, bool) or not isinstance(usd, int | float) or not (usd >= 0 and math.isfinite(usd)):
        raise UsageError(f"{where}: usd_per_million is {usd!r}: give US dollars for a million tokens, 0 or more")
    texts = {}
    for field in ("read", "source", "note"):
        text = entry.get(field, "")
        if isinstance(text, date | datetime):  # TOML has dates of its own
            text = text.isoformat()
        if not isinstance(text, str):
            raise UsageError(f"{where}: {field} is {text!r}: give text")
        texts[field] = text
    return Price(float(usd), **texts)
