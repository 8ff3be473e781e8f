"""Importance by local contrast: fast, and the same for everything that has edges."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pixtrim import kernels
from pixtrim.importance.maps import Importance, Pixels, checked_pixels, pooled, spread
from pixtrim.kernels.filters import weights

__all__ = ["gradient"]

LONGEST: Final = 640  # pixels of the longer side that contrast is looked for in
CELL: Final = 4  # pixels of that picture that one value stands for
SILENT: Final = 3  # levels between neighbours that are noise, as JPEG leaves it
LEAST: Final = 12.0  # mean levels of a cell that count as full contrast, however calm the rest
TOP: Final = 99.0  # the percentile of the cells that is brought to 1


def gradient(pixels: Pixels) -> Importance:
    """Return how much a picture changes from pixel to pixel, about each place.

    The picture is reduced to at most 640 pixels, and the largest difference of a channel to the next pixel, to the
    right or below, averaged over cells of 4 x 4. The 99th percentile of the cells that are not calm is brought to 1,
    but no less than 12 levels: noise alone stays unimportant.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3), C-contiguous.

    Returns
    -------
    ndarray
        float32 (H, W) in [0, 1]; 0 where a picture is flat, or changes by 3 levels at most.

    Examples
    --------
    >>> pixels = np.zeros((32, 32, 3), np.uint8)
    >>> float(gradient(pixels).max())
    0.0
    >>> pixels[:, 16:] = 255
    >>> found = gradient(pixels)
    >>> float(found[:, 15].min()), float(found[:, :8].max())
    (1.0, 0.0)
    """
    width, height = checked_pixels(pixels)
    small = reduced(pixels, LONGEST)
    change = np.zeros(small.shape[:2], np.uint8)
    across, down = _largest(small[:, :-1], small[:, 1:]), _largest(small[:-1], small[1:])
    for half in (change[:, :-1], change[:, 1:]):
        np.maximum(half, across, out=half)
    for half in (change[:-1], change[1:]):
        np.maximum(half, down, out=half)
    loud = np.maximum(change, SILENT) - np.uint8(SILENT)
    cells = pooled(loud, (-(-loud.shape[1] // CELL), -(-loud.shape[0] // CELL)))
    lively = cells[cells > 0]
    if not lively.size:
        return np.zeros((height, width), np.float32)
    top = max(LEAST, float(np.percentile(lively, TOP)))
    return spread(np.minimum(cells / np.float32(top), 1), (width, height))


def reduced(pixels: Pixels, longest: int) -> Pixels:
    """Average a picture down until its longer side has at most so many pixels; itself where it has."""
    height, width = pixels.shape[:2]
    if max(height, width) <= longest:
        return pixels
    scale = longest / max(height, width)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    picture = np.ascontiguousarray(pixels)
    return kernels.resample(picture, *weights(height, rows, "area"), *weights(width, columns, "area"), 1)


def _largest(a: Pixels, b: Pixels) -> NDArray[np.uint8]:
    """Return the largest difference of a channel: uint8 (h, w)."""
    change = np.maximum(a, b) - np.minimum(a, b)
    result: NDArray[np.uint8] = np.maximum(np.maximum(change[..., 0], change[..., 1]), change[..., 2])
    return result
