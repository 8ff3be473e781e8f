"""A screen in two sizes: the client's own, and the smaller one that the model sees; and the numbers between them.

Both ways of rounding come back to where they began. A number of the smaller screen, taken to the display and back, is
the same number, for the display has at least as many pixels on each axis:

- a *place* is a pixel, and goes to the pixel in which its centre lies. That is less than half a pixel of the display
  away from the exact point, and so less than half a pixel of the smaller screen on the way back;
- a *length* is a distance from the edge, or between two places, and goes to the nearest one: again half at most.

Pixels of the one screen become pixels of the other. What is outside, and no model should say, stays outside, so that
the client refuses it as it would have done anyway. The scales of the two axes differ by what rounding the sides to
whole pixels has done: each axis keeps its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pixtrim.gateway.edits import Edit, Path

__all__ = ["Move", "Scale", "Screen", "moved"]

FARTHEST: Final = 2**53
"""Numbers beyond mean no screen; not numbers, and infinite ones, are not within either."""

DECIMALS: Final = 6
"""Of fractions of a pixel, both ways: they come back exactly, too, if they have no more."""

Move = Callable[[Any, int], Any]
"""From a number and its axis (0 is x) to the number on the other screen, of the same type; all else stays as it is."""


@dataclass(frozen=True)
class Scale:
    """From one screen to the other.

    Attributes
    ----------
    source, target : (int, int)
        Width and height of both.
    """

    source: tuple[int, int]
    target: tuple[int, int]

    def place(self, value: Any, axis: int) -> Any:
        """Return where a pixel lies on the other screen."""
        return self._number(value, axis, self.target[axis])

    def length(self, value: Any, axis: int) -> Any:
        """Return the distance on the other screen; the places of edges are distances, too."""
        return self._number(value, axis, self.source[axis])

    def _number(self, value: Any, axis: int, half: int) -> Any:
        """Round down exactly, after half a pixel: of the source, in which is a place's centre, or of the target."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= FARTHEST:
            return value
        source, target = self.source[axis], self.target[axis]
        if isinstance(value, float):
            return round(value * target / source, DECIMALS)
        return (2 * value * target + half) // (2 * source)


@dataclass(frozen=True)
class Screen:
    """A screen that the model sees smaller than it is.

    Attributes
    ----------
    display : (int, int)
        Width and height that the client knows, in pixels.
    reduced : (int, int)
        Those that the model knows; neither is larger.

    Examples
    --------
    >>> screen = Screen((1920, 1080), (1456, 819))
    >>> screen.to_display(700, 400), screen.to_reduced(*screen.to_display(700, 400))
    ((923, 528), (700, 400))
    >>> screen.to_display(0, 0), screen.to_display(1455, 818)
    ((0, 0), (1919, 1079))
    """

    display: tuple[int, int]
    reduced: tuple[int, int]

    @property
    def outward(self) -> Scale:
        """From the model to the client."""
        return Scale(self.reduced, self.display)

    @property
    def inward(self) -> Scale:
        """From the client to the model."""
        return Scale(self.display, self.reduced)

    def to_display(self, x: float, y: float) -> tuple[float, float]:
        """Return where the client finds a place that the model has named."""
        return self.outward.place(x, 0), self.outward.place(y, 1)

    def to_reduced(self, x: float, y: float) -> tuple[float, float]:
        """Return where the model finds a place that the client has named."""
        return self.inward.place(x, 0), self.inward.place(y, 1)


def moved(value: Any, path: Path, move: Move) -> Iterator[Edit]:
    """Yield the edits that move a place, or several, each written as models write them.

    Parameters
    ----------
    value : Any
        ``[x, y]`` and so on, ``{"x": x, "y": y}``, or a list in a string, which models write by mistake.
    path : tuple of str or int
        Of the value.
    move : callable

    Examples
    --------
    >>> double = Scale((10, 10), (20, 20)).length
    >>> [edit.value for value in ([1, 2, 3, 4], {"x": 1, "y": 2}, "[1, 2]") for edit in moved(value, (), double)]
    [2, 4, 6, 8, 2, 4, '[2, 4]']
    """
    if isinstance(value, str):
        text = in_text(value, move) if _LIST.fullmatch(value) else value
        if text != value:
            yield Edit(path, text)
        return
    parts: list[tuple[str | int, Any, int]] = []
    if isinstance(value, Mapping):
        parts = [(key, value[key], axis) for axis, key in enumerate("xy") if key in value]
    elif isinstance(value, list):
        parts = [(number, part, number % 2) for number, part in enumerate(value)]
    for step, part, axis in parts:
        other = move(part, axis)
        if other != part:
            yield Edit((*path, step), other)


def in_text(text: str, move: Move) -> str:
    """Move the numbers of a text, of which each second one is a y."""
    axes = iter(range(len(text)))
    return NUMBER.sub(lambda found: str(move(_number(found[0]), next(axes) % 2)), text)


NUMBER: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_LIST: Final = re.compile(rf"\s*[\[(]?\s*{NUMBER.pattern}(?:\s*,\s*{NUMBER.pattern}){{1,3}}\s*[\])]?\s*", re.ASCII)


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)
