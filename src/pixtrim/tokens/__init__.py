"""Tokens: what a picture costs a named model, what the model sees of it, and the largest size for a budget.

The rules are data (``catalog.toml``), each with its source, the date it was read and a mark that says how far to
trust it; ``prices.toml`` holds dated input prices.
"""

from __future__ import annotations

from pixtrim.tokens.budget import fit_size, largest_size, parse_budget
from pixtrim.tokens.catalog import models, resolve
from pixtrim.tokens.prices import Price, load_prices, price_of
from pixtrim.tokens.rules import GridSpec, Limits, Rule

__all__ = [
    "GridSpec",
    "Limits",
    "Price",
    "Rule",
    "fit_size",
    "largest_size",
    "load_prices",
    "models",
    "parse_budget",
    "price_of",
    "resolve",
]
