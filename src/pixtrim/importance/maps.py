"""Maps of importance: their contract, their size, how several become one, and how sure one is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pixtrim.errors import UsageError

__all__ = [
    "Importance",
    "Pixels",
    "Source",
    "checked_map",
    "checked_pixels",
    "checked_size",
    "combine",
    "confidence",
    "pooled",
    "resized_map",
    "spread",
]

Pixels = NDArray[np.uint8]
Importance = NDArray[np.float32]
Source = Callable[[Pixels], Importance]
"""What says how important each pixel is: uint8 (H, W, 3) in, float32 (H, W) in [0, 1] out."""

Numbers = NDArray[np.floating[Any]] | NDArray[np.uint8]

ROUNDING: Final = 1e-5  # how far beyond [0, 1] a value may lie by rounding alone
CELLS: Final = 32  # cells along an axis that `confidence` looks at: noise of single pixels evens out in them


def checked_map(values: object, size: tuple[int, int], what: str = "the importance map") -> Importance:
    """Return a map as float32 if it is one.

    Parameters
    ----------
    values : array_like
        bool, or float in [0, 1], (H, W).
    size : tuple of int
        Width and height of the picture that it has to fit.
    what : str
        The start of messages.

    Returns
    -------
    ndarray
        float32 (H, W), C-contiguous; `values` itself where it is that already.

    Raises
    ------
    UsageError
        If it is of another shape or type, or holds values outside [0, 1] or that are not numbers.

    Examples
    --------
    >>> checked_map([[0.0, 0.5]], (2, 1)).dtype
    dtype('float32')
    """
    width, height = size
    found = _numbers(values, what)
    if found.shape != (height, width):
        shape = "x".join(map(str, found.shape[::-1])) or "a single number"
        raise UsageError(
            f"{what} is {shape}, the picture {width}x{height}: "
            f"bring it to that by resized_map(map, ({width}, {height}))"
        )
    return found


def checked_pixels(pixels: object) -> tuple[int, int]:
    """Return width and height of a picture; raises UsageError if it is none."""
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        about = f"{getattr(pixels, 'dtype', type(pixels).__name__)} {getattr(pixels, 'shape', '')}".strip()
        raise UsageError(f"pixels is {about}: a uint8 array of shape (H, W, 3) is needed")
    if not pixels.size:
        raise UsageError(f"pixels is of shape {pixels.shape}: at least one pixel is needed")
    return pixels.shape[1], pixels.shape[0]


def checked_size(size: Any) -> tuple[int, int]:
    """Return a width and a height; raises UsageError if they are none."""
    whole = isinstance(size, (tuple, list)) and len(size) == 2
    if not whole or not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n > 0 for n in size):
        raise UsageError(f"size is {size!r}: give two whole numbers above 0, the width and the height in pixels")
    return int(size[0]), int(size[1])


def resized_map(values: object, size: tuple[int, int]) -> Importance:
    """Bring a map of any resolution to a picture's size, as from the patches or tokens of a network to pixels.

    Where an axis grows, values are interpolated linearly between the centres of the cells and repeated beyond the
    outermost ones; where it shrinks, they are averaged over the pixels that they fall into.

    Parameters
    ----------
    values : array_like
        bool, or float in [0, 1], (h, w), at least one cell.
    size : tuple of int
        Width and height in pixels.

    Returns
    -------
    ndarray
        float32 (height, width) in [0, 1].

    Raises
    ------
    UsageError
        If it is no such map or size.

    Examples
    --------
    >>> resized_map([[0.0, 1.0]], (4, 1)).tolist()
    [[0.0, 0.25, 0.75, 1.0]]
    >>> resized_map([[0.0, 0.5, 1.0, 1.0]], (2, 1)).tolist()
    [[0.25, 1.0]]
    """
    width, height = checked_size(size)
    found = _numbers(values, "the map")
    if not found.size:
        raise UsageError(f"the map is of shape {found.shape}: at least one cell is needed")
    small = pooled(found, (min(width, found.shape[1]), min(height, found.shape[0])))
    return np.minimum(spread(small, (width, height)), 1, dtype=np.float32)  # rounding alone exceeds it


def pooled(values: Numbers, size: tuple[int, int]) -> Importance:
    """Return the means over the cells of a grid that covers a map: (H, W) to float32 (height, width), no larger.

    Cells need not be whole pixels: one that is cut counts by its share.
    """
    width, height = size
    rows = _averaged(np.asarray(values, np.float32), height)
    return np.ascontiguousarray(_averaged(np.ascontiguousarray(rows.T), width).T)


def spread(values: Importance, size: tuple[int, int]) -> Importance:
    """Interpolate a map linearly to a size, no smaller: float32 (h, w) to (height, width)."""
    width, height = size
    wide = _interpolated(np.ascontiguousarray(values.T, np.float32), width).T
    return _interpolated(np.ascontiguousarray(wide), height)


def combine(maps: Sequence[object], weights: Sequence[float] | None = None) -> Importance:
    """Make one map of several.

    Parameters
    ----------
    maps : sequence of array_like
        bool, or float in [0, 1], of one shape (H, W); at least one.
    weights : sequence of float, optional
        One for each map, 0 or more, of a sum of at most 1 (and above 0): the result is the weighted sum. Without them
        it is the maximum at each pixel.

    Returns
    -------
    ndarray
        float32 (H, W) in [0, 1].

    Raises
    ------
    UsageError
        If there is no map, shapes differ, or weights are no such numbers.

    Examples
    --------
    >>> a, b = np.array([[0.0, 0.8]]), np.array([[0.4, 0.4]])
    >>> combine([a, b]).round(3).tolist()
    [[0.4000000059604645, 0.800000011920929]]
    >>> combine([a, b], [0.5, 0.5]).round(3).tolist()
    [[0.20000000298023224, 0.6000000238418579]]
    """
    if not len(maps):
        raise UsageError("there is no map to combine: give at least one")
    first = _numbers(maps[0], "map 0")
    size = first.shape[1], first.shape[0]
    found = [checked_map(each, size, f"map {number}") for number, each in enumerate(maps)]
    if weights is None:
        result = found[0].copy()
        for each in found[1:]:
            np.maximum(result, each, out=result)
        return result
    result = np.zeros_like(first)
    for each, weight in zip(found, _weights(weights, len(found)), strict=True):
        result += np.float32(weight) * each
    np.minimum(result, 1, out=result)  # rounding alone exceeds it
    return result


def confidence(importance: object) -> float:
    """Say how sure a map is that something in the picture matters more than the rest.

    The map is averaged over a grid of at most 32 x 32 cells. What its most important quarter holds of all importance
    goes from a quarter, where all cells are equal, to all: that is brought to [0, 1].

    Parameters
    ----------
    importance : array_like
        bool, or float in [0, 1], (H, W), at least one pixel.

    Returns
    -------
    float
        0 for a map of one value, whatever it is; 1 where all importance is within a quarter of the picture.

    Raises
    ------
    UsageError
        If it is no map.

    Examples
    --------
    >>> confidence(np.full((8, 8), 0.7)), confidence(np.eye(8))
    (0.0, 1.0)
    >>> half = np.zeros((8, 8))
    >>> half[:, :4] = 1
    >>> round(confidence(half), 3)
    0.333
    """
    found = _numbers(importance, "the importance map")
    if not found.size:
        raise UsageError(f"the importance map is of shape {found.shape}: at least one pixel is needed")
    cells = pooled(found, (min(CELLS, found.shape[1]), min(CELLS, found.shape[0])))
    ordered = np.sort(cells.ravel().astype(np.float64))[::-1]
    total = ordered.sum()
    if not total or ordered[0] - ordered[-1] <= ROUNDING * ordered[0]:
        return 0.0
    whole, part = divmod(len(ordered), 4)
    top = ordered[:whole].sum() + (ordered[whole] * part / 4 if part else 0)
    return float(min(1.0, max(0.0, (top / total - 0.25) / 0.75)))


def _numbers(values: object, what: str) -> Importance:
    """Return a map of any size as float32, if its values are what they have to be."""
    found = np.asarray(values)
    if found.dtype == bool:
        return np.ascontiguousarray(found, np.float32) if found.ndim == 2 else _refused(found, what)
    if found.dtype.kind != "f" or found.ndim != 2:
        return _refused(found, what)
    if found.size:
        low, high = float(found.min()), float(found.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            raise UsageError(f"{what} holds values that are no numbers (NaN or infinite): give [0, 1]")
        if low < -ROUNDING or high > 1 + ROUNDING:
            raise UsageError(f"{what} has values from {low:.4g} to {high:.4g}: bring them to [0, 1]")
        if low < 0 or high > 1:
            return np.ascontiguousarray(np.clip(found, 0, 1), np.float32)
    return np.ascontiguousarray(found, np.float32)


def _refused(found: NDArray[Any], what: str) -> Importance:
    raise UsageError(f"{what} is {found.dtype} {found.shape}: give bool, or float in [0, 1], of shape (H, W)")


def _weights(weights: Sequence[float], count: int) -> list[float]:
    try:
        found = [float(weight) for weight in weights]
    except (TypeError, ValueError):
        found = []
    if len(found) != count:
        raise UsageError(f"weights is {weights!r}: {count} numbers, one for each map, are needed")
    total = sum(found)
    if not all(weight >= 0 for weight in found) or not 0 < total <= 1 + ROUNDING:
        raise UsageError(f"weights is {weights!r}: give numbers of 0 or more, of a sum of at most 1")
    return found


def _averaged(values: Importance, count: int) -> Importance:
    """Return the means over `count` equal parts of the first axis."""
    length = len(values)
    if count == length:
        return values
    if length % count == 0:
        result: Importance = values.reshape(count, length // count, -1).mean(axis=1, dtype=np.float32)
        return result
    edges = np.arange(count + 1) * length / count
    first = np.minimum(np.floor(edges).astype(np.intp), length - 1)
    sums = np.add.reduceat(values, first[:-1], axis=0, dtype=np.float32)
    sums[: count - 1] += (edges[1:-1] - first[1:-1])[:, None].astype(np.float32) * values[first[1:-1]]
    sums[1:] -= (edges[1:-1] - first[1:-1])[:, None].astype(np.float32) * values[first[1:-1]]
    return np.maximum(sums / np.float32(length / count), 0, dtype=np.float32)


def _interpolated(values: Importance, count: int) -> Importance:
    """Interpolate along the first axis."""
    length = len(values)
    if count == length:
        return values
    places = np.clip((np.arange(count) + 0.5) * (length / count) - 0.5, 0, length - 1)
    before = np.minimum(places.astype(np.intp), max(length - 2, 0))
    share = (places - before).astype(np.float32)[:, None]
    steps = np.diff(values, axis=0, append=values[-1:])
    result: Importance = steps[before]
    result *= share
    result += values[before]
    return result
