"""Importance that somebody drew: boxes, masks in files, and regions that must not be touched at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pixtrim.errors import InputError, UsageError
from pixtrim.image import load
from pixtrim.importance.maps import Importance, Pixels, Source, checked_map, checked_pixels, checked_size

__all__ = ["box_map", "boxes", "mask_file", "protected"]

Boxes = Sequence[Sequence[float]] | NDArray[np.number]


def box_map(
    boxes: Boxes, size: tuple[int, int], values: Sequence[float] | None = None, *, margin: float = 0.0
) -> Importance:
    """Paint boxes: each has its value inside, and fades out around.

    Parameters
    ----------
    boxes : sequence of (x0, y0, x1, y1)
        Edges in pixels of the picture, pixel *i* covering [*i*, *i* + 1). A pixel that is covered in part counts by
        its share. None is allowed: the map is then 0.
    size : tuple of int
        Width and height of the picture.
    values : sequence of float, optional
        The importance of each box, in [0, 1]; 1 by default. Where boxes overlap, the higher one counts.
    margin : float
        Where around a box importance fades, as a share of the mean of its sides, 0 or more: linearly, to 0 at that
        distance along either axis.

    Returns
    -------
    ndarray
        float32 (H, W) in [0, 1].

    Raises
    ------
    UsageError
        If a box is empty or not inside the picture, or a value or the margin out of range.

    Examples
    --------
    >>> box_map([(1, 0, 2.5, 1)], (4, 1)).tolist()
    [[0.0, 1.0, 0.5, 0.0]]
    """
    width, height = checked_size(size)
    edges = _boxes(boxes, width, height)
    if values is None:
        levels = np.ones(len(edges))
    else:
        levels = np.asarray(values, np.float64)
        if levels.shape != (len(edges),) or not ((levels >= 0) & (levels <= 1)).all():
            raise UsageError(f"values is {values!r}: {len(edges)} numbers in [0, 1], one for each box, are needed")
    if not (np.isfinite(margin) and margin >= 0):
        raise UsageError(f"margin is {margin!r}: give a share of the side of a box, 0 or more")
    result = np.zeros((height, width), np.float32)
    for (x0, y0, x1, y1), level in zip(edges.tolist(), levels.tolist(), strict=True):
        reach = margin * (x1 - x0 + y1 - y0) / 2
        rows, columns = _profile(y0, y1, reach, height), _profile(x0, x1, reach, width)
        y, x = np.flatnonzero(rows), np.flatnonzero(columns)
        part = result[y[0] : y[-1] + 1, x[0] : x[-1] + 1]
        painted = rows[y[0] : y[-1] + 1, None] * columns[x[0] : x[-1] + 1] * level
        np.maximum(part, painted.astype(np.float32), out=part)
    return result


def boxes(found: Boxes, values: Sequence[float] | None = None, *, margin: float = 0.0) -> Source:
    """Return a source that paints boxes on whatever picture it is shown: see `box_map`.

    Examples
    --------
    >>> boxes([(0, 0, 1, 1)])(np.zeros((1, 2, 3), np.uint8)).tolist()
    [[1.0, 0.0]]
    """
    return lambda pixels: box_map(found, checked_pixels(pixels), values, margin=margin)


def mask_file(path: str | os.PathLike[str]) -> Source:
    """Return a source that reads a mask from a picture of the same size: black is 0, white 1.

    Raises
    ------
    InputError
        If the file cannot be read (now), or is of another size than the picture (when that is shown).

    Notes
    -----
    Colours count by the mean of their channels. Pictures of 16 bits are read as of 8.
    """
    name = Path(path).name
    mask: Importance = load(path).pixels.mean(axis=2, dtype=np.float32) / np.float32(255)

    def source(pixels: Pixels) -> Importance:
        width, height = checked_pixels(pixels)
        if mask.shape != (height, width):
            raise InputError(
                f"{name}: the mask is {mask.shape[1]}x{mask.shape[0]}, the picture {width}x{height}: "
                "give one of its size"
            )
        return mask.copy()

    return source


def protected(regions: object, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels that operators must leave alone.

    Parameters
    ----------
    regions : array_like
        Boxes (x0, y0, x1, y1) in pixels of the picture, float or int (N, 4), of which every pixel counts that they
        touch; or a mask, bool (H, W).
    size : tuple of int
        Width and height of the picture.

    Returns
    -------
    ndarray
        bool (H, W), True where protected. It is a new array.

    Raises
    ------
    UsageError
        If a box is empty or not inside the picture, or the mask of another size.

    Examples
    --------
    >>> protected([(0.5, 0, 2, 1)], (4, 1)).tolist()
    [[True, True, False, False]]
    """
    width, height = checked_size(size)
    if isinstance(regions, np.ndarray) and regions.dtype == bool:
        return checked_map(regions, (width, height), "the protected mask") > 0
    result = np.zeros((height, width), np.bool_)
    for x0, y0, x1, y1 in _boxes(regions, width, height):
        result[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = True
    return result


def _boxes(boxes: object, width: int, height: int) -> NDArray[np.float64]:
    try:
        found = np.asarray(boxes, np.float64)
    except (TypeError, ValueError):
        found = np.empty((0, 0))
    if found.size == 0 and found.ndim and len(found) == 0 and found.shape != (0, 0):
        return np.empty((0, 4))
    if found.ndim != 2 or found.shape[1] != 4:
        raise UsageError(f"boxes is {boxes!r:.60}: edges (x0, y0, x1, y1), one box a row, are needed")
    inside = (found[:, :2] >= 0).all(axis=1) & (found[:, 2] <= width) & (found[:, 3] <= height)
    bad = np.flatnonzero(~(inside & (found[:, 2:] > found[:, :2]).all(axis=1)))
    if len(bad):
        edges = ", ".join(f"{edge:g}" for edge in found[bad[0]])
        raise UsageError(
            f"box {bad[0]} is ({edges}): 0 <= x0 < x1 <= {width} and 0 <= y0 < y1 <= {height} are needed in a picture "
            f"of {width}x{height}"
        )
    return found


def _profile(low: float, high: float, reach: float, length: int) -> NDArray[np.float64]:
    """Return how much of each pixel along an axis lies in [low, high), or, beyond it, how near its centre is."""
    start = np.arange(length)
    covered: NDArray[np.float64] = np.clip(np.minimum(start + 1, high) - np.maximum(start, low), 0, 1)
    if not reach:
        return covered
    away = np.maximum(low - (start + 0.5), start + 0.5 - high)
    result: NDArray[np.float64] = np.maximum(covered, np.clip(1 - away / reach, 0, 1))
    return result
