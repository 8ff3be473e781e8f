"""Budgets at which operators are evaluated: a share of what the original costs, or tokens."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

from pixtrim.errors import UsageError
from pixtrim.tokens import parse_budget

__all__ = ["budget_name", "tokens_of"]


def budget_name(budget: str | float) -> str:
    """Return the one name of a budget that can be written in several ways.

    Raises
    ------
    UsageError
        If it is no budget; ``"fit"`` is none here, for it leaves most pictures as they are.

    Examples
    --------
    >>> budget_name("25 %"), budget_name(0.25), budget_name("25.0%"), budget_name(800), budget_name("0800")
    ('25%', '25%', '25%', '800', '800')
    """
    text = str(budget).strip().lower()
    tokens = parse_budget(text, 10**12)
    if tokens is None:
        raise UsageError("the budget 'fit' is none to evaluate at: give tokens (800) or a share (50%)")
    if not text.endswith("%") and "." not in text:
        return str(tokens)
    share = Decimal(text.rstrip("% \t")) * (1 if text.endswith("%") else 100)
    return f"{share.normalize():f}%"


def tokens_of(budget: str, original: int) -> int:
    """Return the tokens that a budget, by its name, leaves of what the original costs: at least one, never more.

    Examples
    --------
    >>> tokens_of("50%", 1561), tokens_of("25%", 3), tokens_of("800", 1561), tokens_of("800", 258)
    (780, 1, 800, 258)
    """
    if not budget.endswith("%"):
        return min(int(budget), original)
    return max(1, math.floor(Fraction(budget[:-1]) / 100 * original))
