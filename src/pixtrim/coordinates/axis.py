"""One side of a piece: its `Axis`, and below it the types and argument checks that the package shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pixtrim.errors import UsageError

Size = tuple[int, int]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MAX_SIDE = 1_000_000  # pixels; keeps every sum of positions exact in float64


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Axis:
    """A monotone piecewise-linear map along one side of a piece, in positions relative to the piece's start.

    Parameters
    ----------
    original, reduced : array_like of float, shape (K,), K >= 2
        The knots in pixels: ``original[k]`` corresponds to ``reduced[k]``. Both start at 0 and never fall. Equal
        neighbours in `reduced` are a dropped run; equal neighbours in `original` are inserted pixels.

    Raises
    ------
    UsageError
        If the knots are not such a pair.

    Examples
    --------
    >>> Axis.keep([0, 1, 5], 6)
    Axis(6 -> 3, 4 knots)
    >>> Axis([0, 10, 20], [0, 10, 13.5])
    Axis(20 -> 13.5, 3 knots)
    """

    original: Floats
    reduced: Floats

    def __init__(self, original: ArrayLike, reduced: ArrayLike) -> None:
        for name, given in (("original", original), ("reduced", reduced)):
            try:
                knots = np.array(given, dtype=np.float64)
            except (TypeError, ValueError, OverflowError):
                raise UsageError(f"the {name} knots of an axis must be numbers") from None
            if knots.ndim != 1 or len(knots) < 2:
                raise UsageError(f"the {name} knots of an axis have shape {knots.shape}; two or more in one row needed")
            if not (knots[0] == 0 and knots[-1] <= MAX_SIDE and (np.diff(knots) >= 0).all()):
                raise UsageError(f"the {name} knots of an axis must start at 0 and rise to at most {MAX_SIDE}")
            knots.flags.writeable = False
            object.__setattr__(self, name, knots)
        if len(self.original) != len(self.reduced):
            raise UsageError(
                f"an axis has {len(self.original)} original and {len(self.reduced)} reduced knots; not equal"
            )

    @classmethod
    def scale(cls, n_original: int, n_reduced: int) -> Axis:
        """Return the even scaling of `n_original` pixels to `n_reduced` pixels."""
        return cls((0, n_original), (0, n_reduced))

    @classmethod
    def keep(cls, indices: ArrayLike, n_original: int) -> Axis:
        """Return the axis that keeps some of `n_original` pixels at slope 1 and collapses the others.

        Parameters
        ----------
        indices : array_like
            The kept pixels, either rising integers within 0 to ``n_original - 1`` or bool of shape (n_original,).
        n_original : int
            How many pixels there are, 1 to 1,000,000.

        Raises
        ------
        UsageError
            If the indices fall, repeat or leave the range.
        """
        (n,) = whole_numbers((n_original,), 1, "n_original", 1)
        chosen = array_of(indices, "kept indices")
        if chosen.dtype == np.bool_ and chosen.shape == (n,):
            kept = chosen
        else:
            if chosen.ndim != 1 or (chosen.size and chosen.dtype.kind not in "iu"):
                raise UsageError(
                    f"kept indices must be integers in one row, or {n} bools; got {chosen.dtype} {chosen.shape}"
                )
            if chosen.size and not (chosen[0] >= 0 and chosen[-1] < n and (chosen[1:] > chosen[:-1]).all()):
                raise UsageError(f"kept indices must rise within 0 to {n - 1}")
            kept = np.zeros(n, np.bool_)
            kept[chosen.astype(np.int64)] = True
        edges = np.concatenate(([0], np.flatnonzero(kept[1:] != kept[:-1]) + 1, [n]))
        before = np.concatenate(([0], np.cumsum(kept)))
        return cls(edges, before[edges])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Axis):
            return NotImplemented
        return np.array_equal(self.original, other.original) and np.array_equal(self.reduced, other.reduced)

    def __repr__(self) -> str:
        return f"Axis({self.original[-1]:g} -> {self.reduced[-1]:g}, {len(self.original)} knots)"

    def to_list(self) -> list[Any]:
        """Return the axis for JSON: ``[kept, dropped, kept, ...]`` run lengths, or ``[original, reduced]`` knots."""
        runs, rises = np.diff(self.original), np.diff(self.reduced)
        kept = rises > 0
        folded = (runs > 0) & (runs == np.rint(runs)) & (rises == np.where(kept, runs, 0))
        if folded.all() and (kept[1:] != kept[:-1]).all():
            return [0] * (not kept[0]) + [int(run) for run in runs]
        return [[int(v) if v.is_integer() else v for v in knots.tolist()] for knots in (self.original, self.reduced)]

    @classmethod
    def from_list(cls, data: object) -> Axis:
        """Return the axis that `to_list` wrote; UsageError says what is wrong with anything else."""
        if isinstance(data, list) and len(data) == 2 and all(isinstance(knots, list) for knots in data):
            return cls(_numbers(data[0]), _numbers(data[1]))
        runs = _numbers(data, whole=True)
        kept = np.where(np.arange(len(runs)) % 2 == 0, runs, 0)
        used = slice(1 if len(runs) and runs[0] == 0 else 0, None)  # a leading 0 only says that a dropped run is first
        return cls([0, *np.cumsum(runs[used])], [0, *np.cumsum(kept[used])])


def _numbers(data: object, whole: bool = False) -> Floats:
    """Return a JSON list of numbers, none of them negative, as an array."""
    types = (int,) if whole else (int, float)
    if not isinstance(data, list) or not all(type(v) in types and 0 <= v <= MAX_SIDE for v in data):
        raise UsageError(f"an axis must be run lengths or two lists of knots, with numbers from 0 to {MAX_SIDE}")
    return np.array(data, dtype=np.float64)


def array_of(value: Any, name: str) -> NDArray[Any]:
    """Return an argument as an array, of whatever type it is."""
    try:
        return np.asarray(value)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{name} cannot be made an array: rows of one length are needed") from None


def whole_numbers(values: Any, count: int, name: str, least: int) -> tuple[int, ...]:
    """Return `count` whole numbers from `least` to the longest side."""
    found = list(values) if isinstance(values, (tuple, list, np.ndarray)) else [values]
    numbers = [v for v in found if isinstance(v, (int, float, np.integer, np.floating)) and not isinstance(v, bool)]
    if len(found) != count or len(numbers) != count or not all(least <= v <= MAX_SIDE and v == int(v) for v in numbers):
        what = "a whole number" if count == 1 else f"{count} whole numbers"
        raise UsageError(f"{name} is {shown(values)}; {what} from {least} to {MAX_SIDE} needed")
    return tuple(int(v) for v in numbers)


def size_of(values: Any, name: str) -> Size:
    """Return the size (width, height) of a picture."""
    width, height = whole_numbers(values, 2, name, 1)
    return width, height


def shown(value: object) -> str:
    """Return a value for a message: one short line, whatever it is."""
    try:
        return " ".join(repr(value).split())[:80]
    except (ValueError, RecursionError):  # an integer of thousands of digits, or lists nested as deep
        return type(value).__name__


def by(size: Size) -> str:
    """Return a size for a message: ``"800x600"``."""
    return f"{size[0]}x{size[1]}"


def members(data: object, names: tuple[str, ...], what: str) -> list[Any]:
    """Return the values of a JSON object that must have these members and no others."""
    if not isinstance(data, dict) or set(data) != set(names):
        raise UsageError(f"{what} must be an object with the members {', '.join(names)}")
    return [data[name] for name in names]
