"""Values on the command line: each is read, or refused in one line that shows it."""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any

from pixtrim.errors import UsageError
from pixtrim.tokens import parse_budget

__all__ = [
    "MOST_THREADS",
    "budget",
    "checked",
    "compared_budget",
    "count",
    "dpi",
    "levels",
    "megapixels",
    "parse_box",
    "parse_size",
    "port",
    "seed",
    "share",
    "size_in_bytes",
    "threads",
    "unit_levels",
]

Size = tuple[int, int]
Box = tuple[int, int, int, int]

MOST_THREADS = 1024


def checked(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Hand the message of a UsageError to argparse, which would put one of its own in its place."""

    def reader(text: str) -> Any:
        try:
            return read(text)
        except UsageError as error:
            raise ArgumentTypeError(str(error)) from None

    return reader


def parse_size(text: str) -> Size:
    """Read ``1920x1080``; ``X`` and ``×`` do as well.

    Raises
    ------
    UsageError
        If the text is no size, or a side is 0.

    Examples
    --------
    >>> parse_size("1920x1080"), parse_size("8×6")
    ((1920, 1080), (8, 6))
    """
    match = re.fullmatch(r"([0-9]{1,10})[xX×]([0-9]{1,10})", text)
    if match is None or 0 in (size := (int(match[1]), int(match[2]))):
        raise UsageError(f"size {_shown(text)} is not understood: give width x height in pixels, as 1920x1080")
    return size


def parse_box(text: str) -> Box:
    """Read ``x0,y0,x1,y1``: whole pixels, of which the second corner is not in the box.

    Raises
    ------
    UsageError
        If the text is no box, or the box is empty.

    Examples
    --------
    >>> parse_box("0,10,640,90")
    (0, 10, 640, 90)
    """
    match = re.fullmatch(r"([0-9]{1,9}),([0-9]{1,9}),([0-9]{1,9}),([0-9]{1,9})", re.sub(r"\s", "", text))
    if match is None:
        raise UsageError(f"box {_shown(text)} is not understood: give x0,y0,x1,y1 in whole pixels, as 0,10,640,90")
    x0, y0, x1, y1 = map(int, match.groups())
    if x0 >= x1 or y0 >= y1:
        raise UsageError(f"box {_shown(text)} is empty: x1 must be above x0, and y1 above y0")
    return x0, y0, x1, y1


def budget(text: str) -> str:
    """Check a budget; what it comes to is known for each picture later."""
    parse_budget(text, before=10**9)
    return text


def compared_budget(text: str) -> str:
    """Read a budget of an evaluation, and return its one name."""
    from pixtrim.evaluation.budgets import budget_name

    return budget_name(text)


def threads(text: str) -> int:
    """Read a number of workers or threads."""
    return _whole(text, 1, MOST_THREADS)


def count(text: str) -> int:
    """Read a number of pictures."""
    return _whole(text, 1, 10**6)


def seed(text: str) -> int:
    """Read the seed of a lottery."""
    return _whole(text, 0, 2**63 - 1)


def dpi(text: str) -> float:
    """Read pixels per inch."""
    return _number(text, "a number of pixels per inch")


def port(text: str) -> int:
    """Read a port."""
    return _whole(text, 0, 65535)


def size_in_bytes(text: str) -> int:
    """Read a size, as 256MB or 64MiB.

    Examples
    --------
    >>> size_in_bytes("256MB"), size_in_bytes("64 MiB"), size_in_bytes("1000")
    (256000000, 67108864, 1000)
    """
    from pixtrim.gateway.policies import parse_bytes

    try:
        return parse_bytes(text)
    except UsageError as error:
        raise ArgumentTypeError(str(error)) from None


def megapixels(text: str) -> int:
    """Read megapixels, and return pixels."""
    return max(1, int(_number(text, "a number of megapixels") * 1e6))


def levels(text: str) -> float:
    """Read a threshold in levels."""
    return _up_to(text, 255, "a number of levels")


def unit_levels(text: str) -> float:
    """Read a threshold from 0 to 1, and return it in levels.

    Examples
    --------
    >>> unit_levels("0.2")
    51.0
    """
    return round(255 * _up_to(text, 1, "a threshold"), 9)  # so that 0.2 is 51, not a little more or less


def share(text: str) -> float:
    """Read a share of a whole."""
    return _up_to(text, 1, "a share")


def percent(text: str) -> float:
    """Read a share of a whole, as 25% or 0.25."""
    if text.endswith("%"):
        return _up_to(text[:-1], 100, "a percentage") / 100
    return share(text)


def _whole(text: str, least: int, most: int) -> int:
    if re.fullmatch(r"[0-9]{1,19}", text) is None or not least <= int(text) <= most:
        raise ArgumentTypeError(f"{_shown(text)} is not a whole number from {least} to {most}")
    return int(text)


def _number(text: str, what: str) -> float:
    number = _float(text)
    if not 0 < number < 1e6:  # false for nan as well
        raise ArgumentTypeError(f"{_shown(text)} is not {what} above 0 and below a million")
    return number


def _up_to(text: str, most: float, what: str) -> float:
    number = _float(text)
    if not 0 <= number <= most:
        raise ArgumentTypeError(f"{_shown(text)} is not {what} from 0 to {most:g}")
    return number


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "...")
