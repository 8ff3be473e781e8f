"""The way back: from a budget in tokens to the largest size that a picture may have."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import chain
from math import floor, inf, isfinite
from numbers import Integral, Real
from operator import index
from typing import NamedTuple, SupportsIndex

from pixtrim.errors import UsageError
from pixtrim.tokens.formulas import Formula
from pixtrim.tokens.rules import Rule

__all__ = ["LONGEST_SCAN", "BudgetError", "fit_size", "largest_size", "parse_budget"]

LONGEST_SCAN = 65_535
"""Longest side, in pixels, at which sizes that have to be tried one by one begin to be tried."""

Size = tuple[int, int]


class BudgetError(UsageError):
    """A budget below what a model bills for pictures of a shape, whatever their size."""


class _Shape(NamedTuple):
    """The sizes of one aspect ratio, up to the size of the picture, numbered by their longer side."""

    width: int
    height: int

    def size(self, long: int) -> Size:
        """Return the size whose longer side is `long`; the other is rounded half to even, and at least 1."""
        if self.width >= self.height:
            return long, max(1, _rounded(long * self.height, self.width))
        return max(1, _rounded(long * self.width, self.height)), long


def _rounded(numerator: int, denominator: int) -> int:
    quotient, rest = divmod(numerator, denominator)
    return quotient + (2 * rest > denominator or (2 * rest == denominator and quotient % 2))


def _last(holds: Callable[[int], bool], above: int, top: int) -> int:
    """Return the largest number in (above, top] for which `holds`, which once false stays so; `above` where none is."""
    while top > above:
        middle = (above + top + 1) // 2
        if holds(middle):
            above = middle
        else:
            top = middle - 1
    return above


def largest_size(
    rule: Rule, width: int, height: int, budget: int, detail: str | None = None, stretch: float = 0.0
) -> tuple[int, int]:
    """Return the largest size of a picture's shape whose tokens are within a budget.

    The size is never larger than the picture, and one that the model takes as it is: it does not scale it down
    again. Models that round sizes to their grid (Qwen) still round, by less than a cell. Where the model bills every
    size of the shape alike, the picture's own size is returned.

    Models that enlarge small pictures still do, but nothing is gained by making a picture so small: every size of one
    shape then costs the same. What whole pixels make of the shape there may cost less (4x3 for a photo of 400x333);
    such sizes are not taken, but only those that have the picture's aspect ratio exactly and no side below a cell.

    Without `stretch`, both sides are scaled by the same factor and rounded to whole pixels (the shorter one half to
    even, and at least 1). Where the rule is not monotone, all sizes are tried, from the longest side
    (at most `LONGEST_SCAN`) down.

    With `stretch`, the smaller of the two scales, min(w / width, h / height), is made as large as the budget allows,
    and then each side goes to the end of its cell of the rule's grid, as far as the picture, the budget and
    `stretch` let it: these pixels are paid for anyway. (Where the model rounds sizes to its grid, the end of a cell
    is the nearest line, which the model need not resample.) A rule that is not monotone ignores it.

    Parameters
    ----------
    rule : Rule
        From `resolve`.
    width, height : int
        Size of the picture in pixels.
    budget : int
        Tokens, from 1.
    detail : str or None
        Detail level, as for `Rule.count`.
    stretch : float
        Largest relative change of the aspect ratio, from 0 to 1; for example 0.03.

    Returns
    -------
    (int, int)
        Width and height in pixels.

    Raises
    ------
    BudgetError
        If no size is within the budget; a UsageError, whose message names the least that the shape costs.
    UsageError
        If the model bills every size alike, above the budget, or an argument is out of its range.

    Examples
    --------
    >>> from pixtrim.tokens import resolve
    >>> rule = resolve("claude-opus-4-7")
    >>> largest_size(rule, 1920, 1080, 800)
    (1046, 588)
    >>> largest_size(rule, 1920, 1080, 800, stretch=0.03)
    (1064, 588)
    """
    before = rule.count(width, height, detail)  # checks the sides and the level
    formula = rule.formula(detail)
    width, height, budget = index(width), index(height), _tokens(budget)
    if not (isinstance(stretch, int | float) and 0 <= stretch <= 1):
        raise UsageError(f"stretch is {stretch!r}: give a fraction from 0 to 1, for example 0.03")
    if formula.flat:
        if before <= budget:
            return width, height
        cheaper = [level for level in rule.details if rule.count(width, height, level) < before]
        remedy = f"choose a lower detail level ({', '.join(cheaper)})" if cheaper else "fewer pixels save nothing"
        raise UsageError(
            f"{rule.name} bills {before} tokens for a picture of this shape at any size, "
            f"above the budget of {budget}: {remedy}"
        )

    def affordable(size: Size) -> bool:
        return not formula.scales_down(*size) and formula.count(*size) <= budget

    def shapely(long: int) -> bool:
        """Whether the model sees the picture's shape, as far as that can be: not what rounding made of a thumbnail."""
        size = shape.size(long)
        exact = size[0] * height == size[1] * width and min(size) >= formula.cell
        return exact or long == native or not formula.enlarges(*size)

    shape = _Shape(width, height)
    native = _last(lambda long: not formula.scales_down(*shape.size(long)), 1, max(width, height))
    # Sizes so small that the model enlarges them may cost more than larger ones: they are tried one by one, too,
    # with the first that it does not enlarge.
    untidy = _last(lambda long: formula.enlarges(*shape.size(long)), 0, native) if formula.monotone else native
    long = _last(lambda long: affordable(shape.size(long)), untidy, native)
    if long == untidy:
        small = (long for long in range(min(untidy, LONGEST_SCAN), 0, -1) if shapely(long))
        least = 0
        for long in chain([min(untidy + 1, native)], small):
            cost = formula.count(*shape.size(long))
            if cost <= budget:
                break
            least = min(least or cost, cost)
        else:
            raise BudgetError(
                f"a budget of {budget} tokens is below what {rule.name} bills for this shape at any size: "
                f"give at least {least}"
            )
    size = shape.size(long)
    return _stretched(formula, shape, size, float(stretch), affordable) if stretch and formula.monotone else size


def fit_size(rule: Rule, width: int, height: int, detail: str | None = None) -> tuple[int, int]:
    """Return the largest size, not above the picture's, that costs no more and that the model does not scale down.

    A picture that the model takes as it is keeps its size, and so does every picture where the model bills by shape
    or per picture. Parameters and errors are those of `largest_size`.

    Examples
    --------
    >>> from pixtrim.tokens import resolve
    >>> fit_size(resolve("claude-opus-4-7"), 3840, 2160)
    (2576, 1449)
    """
    return largest_size(rule, width, height, rule.count(width, height, detail), detail)


def _stretched(formula: Formula, shape: _Shape, size: Size, stretch: float, affordable: Callable[[Size], bool]) -> Size:
    """Enlarge a size to the ends of its cells, keeping the aspect ratio within `stretch`."""
    width, height = shape

    def within(across: int, down: int) -> Size:
        """Cut a size back to the picture, and the side that leads to what the stretch allows."""
        scale = min(across / width, down / height, 1) * (1 + stretch)
        return max(1, min(across, width, floor(scale * width))), max(1, min(down, height, floor(scale * height)))

    def acceptable(size: Size) -> bool:
        across, down = size[0] * height, size[1] * width
        return max(across, down) <= min(across, down) * (1 + stretch) and affordable(size)

    def worth(size: Size) -> tuple[float, int, int]:
        """Rank by the scale, then the area, of the pixels that are both sent and seen; then by the fewest sent."""
        across, down = map(min, size, formula.seen(*size))
        return min(across / width, down / height), across * down, -size[0] * size[1]

    found = [size]
    for across, down in (size, *_even(shape, affordable)):
        far_across, far_down = formula.snap(across), formula.snap(down)
        found += filter(acceptable, (within(far_across, far_down), within(far_across, down), within(across, far_down)))
    return max(found, key=worth)


def _even(shape: _Shape, affordable: Callable[[Size], bool]) -> list[Size]:
    """Return the affordable sizes of largest common scale: one side whole, the other rounded up, never down."""
    width, height = shape

    def by_width(across: int) -> Size:
        return across, -(-across * height // width)

    def by_height(down: int) -> Size:
        return -(-down * width // height), down

    widest = _last(lambda across: affordable(by_width(across)), 0, width)
    highest = _last(lambda down: affordable(by_height(down)), 0, height)
    return [size for side, size in ((widest, by_width(widest)), (highest, by_height(highest))) if side]


def _tokens(budget: object) -> int:
    """Accept a whole number of tokens from 1."""
    try:
        tokens = index(budget)  # type: ignore[arg-type]  # answers with TypeError, which is the point
    except TypeError:
        tokens = 0
    if isinstance(budget, bool) or tokens < 1:
        raise UsageError(f"a budget of {_shown(budget)} tokens: give a whole number, 1 or more")
    return tokens


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "..."


def parse_budget(budget: SupportsIndex | float | str, before: int) -> int | None:
    """Turn a budget as people give it into tokens.

    Parameters
    ----------
    budget : int, float or str
        Tokens (``800`` or ``"800"``), a share of what the picture costs now (``0.5``, ``"0.5"`` or ``"50%"``), or
        ``"fit"``: only never pay for pixels that the model throws away.
    before : int
        Tokens that the picture costs now.

    Returns
    -------
    int or None
        Tokens, at least 1, shares rounded down; None for ``"fit"``.

    Raises
    ------
    UsageError
        If the budget is none of these, not above 0, or a share above 1.

    Examples
    --------
    >>> parse_budget("50%", 1560), parse_budget(0.25, 1560), parse_budget(800, 1560), parse_budget("fit", 1560)
    (780, 390, 800, None)
    """
    before = _tokens(before)
    if isinstance(budget, str):
        text = budget.strip().lower()
        if text == "fit":
            return None
        if re.fullmatch(r"[0-9]{1,12}", text):
            return _tokens(int(text))
        if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{0,12})?\s*%", text):
            return _share(text.rstrip("% \t"), 100, before, budget)
        if re.fullmatch(r"[0-9]{0,12}\.[0-9]{1,12}", text):
            return _share(text, 1, before, budget)
    elif isinstance(budget, Integral) and not isinstance(budget, bool):
        return _tokens(budget)
    elif isinstance(budget, Real) and not isinstance(budget, bool):
        return _share(repr(float(budget)), 1, before, budget)
    raise UsageError(f"budget {_shown(budget)} is not understood: give tokens (800), a share (0.5 or 50%) or 'fit'")


def _share(text: str, whole: int, before: int, budget: object) -> int:
    """Return the share `text` / `whole` of `before`, rounded down; exact, so that 29% of 100 is 29."""
    from fractions import Fraction

    share = Fraction(text) / whole if isfinite(float(text)) else inf
    if not 0 < share <= 1:
        raise UsageError(
            f"budget {_shown(budget)} is not a share: give one above 0 and up to 1 (100%), or whole tokens"
        )
    tokens = floor(before * share)
    if tokens < 1:
        raise UsageError(f"budget {_shown(budget)} of {before} tokens is less than one token: give a larger share")
    return tokens
