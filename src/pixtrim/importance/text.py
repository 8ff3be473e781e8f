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
STROKE: Final = 4  # pixels that a stroke is wide at most, at its scale, and the gap to the next one
CELL: Final = (2, 8)  # rows and columns of pixels that are averaged
LINE: Final = 4  # cells that a line is high
ALONG: Final = 5  # cells that it is averaged over along the line
SILENT: Final = 24  # levels of contrast that are texture
DOUBT, SURE = 3.0, 9.0  # mean levels of a line's strokes beyond that, from which it counts, and for all


def text(pixels: Pixels) -> Importance:
    """Return where a picture has lines of text, printed or in a scene, dark on light or light on dark.

    Text is made of strokes, thin, close together and of high contrast, in rows with calmer stripes above and below. At
    scales from 1600 pixels to 48, steps of 1.6 apart, each pixel is compared with the lightest and with the darkest one
    within 4 pixels to its left and right; what is darker than both, or lighter, is a stroke, or the gap between two.
    Where there is as much of the one as of the other along 40 pixels, there is a line, as far as there is less
    of it above and below. The scales are put together by the maximum.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3), C-contiguous.

    Returns
    -------
    ndarray
        float32 (H, W) in [0, 1].

    Notes
    -----
    Lines that are upright or steep are missed, as are letters by themselves; railings, windows in rows and the like can
    pass for text. ``benchmarks/importance.py`` says how often, on words that are drawn onto photos.

    Examples
    --------
    >>> pixels = np.full((120, 200, 3), 255, np.uint8)
    >>> float(text(pixels).max())
    0.0
    >>> pixels[50:62, 20:180:6] = pixels[50:62, 21:180:6] = 0  # a row of strokes
    >>> found = text(pixels)
    >>> bool(found[50:62, 40:160].min() > 0.9), float(found[:10].max())
    (True, 0.0)
    """
    size = checked_pixels(pixels)
    longest = min(LONGEST, max(size))
    found: Floats = np.zeros((1, 1), np.float32)
    while longest >= SMALLEST:
        cells = _lines(_grey(reduced(pixels, longest)))
        rows, columns = (max(pair) for pair in zip(found.shape, cells.shape, strict=True))
        found = np.maximum(spread(found, (columns, rows)), spread(cells, (columns, rows)))
        longest = int(longest / STEP)
    return spread(found, size)


def _grey(pixels: Pixels) -> NDArray[np.uint8]:
    red, green, blue = (pixels[..., channel].astype(np.uint16) for channel in range(3))
    return ((2 * red + 5 * green + blue) >> 3).astype(np.uint8)


def _lines(grey: NDArray[np.uint8]) -> Floats:
    """Return how sure it is that each cell is a part of a line of text of the height of this scale, in [0, 1]."""
    height, width = grey.shape
    cells = max(1, -(-width // CELL[1])), max(1, -(-height // CELL[0]))
    dark, light = (_mean(pooled(_strokes(each), cells), ALONG, 1) for each in (grey, 255 - grey))
    both = np.minimum(dark, light)
    line = _mean(both, LINE, 0)
    around = np.maximum(_mean(_shifted(both, LINE), 2, 0), _mean(_shifted(both, -LINE), 2, 0))
    alone: Floats = np.clip(1 - around / np.maximum(line, 1e-6), 0, 1)
    found = _highest(line * alone**2, LINE)
    sure: Floats = np.clip((found - np.float32(DOUBT)) / np.float32(SURE - DOUBT), 0, 1)
    return sure


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
