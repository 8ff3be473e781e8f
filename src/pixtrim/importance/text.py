"""Importance by text: lines of strokes, printed or in a scene, found without a network."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pixtrim.importance.gradient import reduced
from pixtrim.importance.maps import Importance, Pixels, checked_pixels, pooled, spread

__all__ = ["text"]

Floats = NDArray[np.float32]

STEP: Final = 1.6  # between one scale and the next coarser one
SMALLEST: Final = 48  # pixels of the longer side at the coarsest scale
LONGEST: Final = 1600  # pixels of the longer side at the finest one
STROKE: Final = 4  # pixels of a stroke at most, at its scale, and of the gap to the next one
CELL: Final = (2, 8)  # rows and columns of pixels that are averaged
LINE: Final = 4  # cells that a line is high
ALONG: Final = 5  # cells that it is averaged over along the line
SURE: Final = 24.0  # levels of contrast, averaged over strokes and gaps, that count as 1
SILENT: Final = 8  # levels that are noise


def text(pixels: Pixels) -> Importance:
    """Return where a picture has lines of text."""
    width, height = checked_pixels(pixels)
    best = np.zeros((height, width), np.float32)
    longest = min(LONGEST, max(width, height))
    found: Floats | None = None
    while longest >= SMALLEST:
        cells = _lines(_grey(reduced(pixels, longest)))
        if found is None:
            found = cells
        else:
            np.maximum(found, spread(cells, found.shape[::-1]) if cells.size else 0, out=found)
        longest = int(longest / STEP)
    if found is None:
        return best
    return spread(np.clip(found / np.float32(SURE), 0, 1), (width, height))


def _grey(pixels: Pixels) -> NDArray[np.uint8]:
    red, green, blue = (pixels[..., channel].astype(np.uint16) for channel in range(3))
    return ((2 * red + 5 * green + blue) >> 3).astype(np.uint8)


def _lines(grey: NDArray[np.uint8]) -> Floats:
    """Return how much each cell is like a part of a line of text of the height of this scale, in levels."""
    height, width = grey.shape
    rows, columns = max(1, -(-height // CELL[0])), max(1, -(-width // CELL[1]))
    dark, light = (pooled(strokes, (columns, rows)) for strokes in (_strokes(grey), _strokes(255 - grey)))
    both = np.minimum(_along(dark, ALONG), _along(light, ALONG))
    line = _across(both, LINE)
    above, below = _shifted(both, LINE), _shifted(both, -LINE)
    around = np.maximum(_across(above, 2), _across(below, 2))
    found = np.maximum(line - around, 0)
    return _highest(found, LINE)


def _strokes(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return how much darker each pixel is than the lightest within a stroke to its left and to its right."""
    width = grey.shape[1]
    padded = np.pad(grey, ((0, 0), (STROKE, STROKE)), mode="edge")
    pairs = np.maximum(padded[:, :-1], padded[:, 1:])
    fours = np.maximum(pairs[:, :-2], pairs[:, 2:])
    left, right = fours[:, :width], fours[:, STROKE + 1 : STROKE + 1 + width]
    edge = np.minimum(left, right)
    depth = np.maximum(edge, grey) - grey
    return np.maximum(depth, SILENT) - np.uint8(SILENT)


def _mean(values: Floats, reach: int, axis: int) -> Floats:
    """Average over `reach` cells along an axis, about each; beyond the edges there is nothing."""
    before, after = reach // 2, (reach - 1) // 2
    spaces = [(0, 0), (0, 0)]
    spaces[axis] = (before + 1, after)
    total = np.cumsum(np.pad(values, spaces), axis=axis, dtype=np.float64)
    count = values.shape[axis]
    high = np.take(total, np.arange(count) + reach, axis)
    return ((high - np.take(total, np.arange(count), axis)) / reach).astype(np.float32)


def _along(values: Floats, reach: int) -> Floats:
    return _mean(values, reach, 1)


def _across(values: Floats, reach: int) -> Floats:
    return _mean(values, reach, 0)


def _shifted(values: Floats, rows: int) -> Floats:
    result = np.zeros_like(values)
    if rows > 0:
        result[rows:] = values[:-rows]
    else:
        result[:rows] = values[-rows:]
    return result


def _highest(values: Floats, rows: int) -> Floats:
    """Return the highest value within a line's height about each cell."""
    reach = rows // 2
    padded = np.pad(values, ((reach, reach), (0, 0)))
    result: Floats = np.max([padded[step : step + len(values)] for step in range(2 * reach + 1)], axis=0)
    return result
