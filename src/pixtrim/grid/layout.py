"""Pixels moved: pictures scaled or padded to a size, and frames laid out in slots."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["padded", "resized", "stacked"]

Pixels = NDArray[np.uint8]


def resized(pixels: Pixels, height: int, width: int) -> Pixels:
    """Scale a picture, uint8 (H, W, 3), by Pillow's bicubic filter, as processors do.

    Pillow's, not `pixtrim.operators.resize`: the result is to equal that of the processors bit for bit.
    """
    return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


def padded(pixels: Pixels, height: int, width: int) -> Pixels:
    """Repeat the last column and the last row of a picture, uint8 (H, W, 3), up to a size that holds it."""
    rows, columns = pixels.shape[:2]
    result = np.empty((height, width, 3), np.uint8)
    result[:rows, :columns] = pixels
    result[:rows, columns:] = pixels[:, -1:]
    result[rows:] = result[rows - 1]
    return result


def stacked(frames: Pixels, depth: int, side: int) -> Pixels:
    """Lay out frames, uint8 (T, H, W, 3), in slots of `depth` frames, by rows of tokens of `side` pixels.

    Returns
    -------
    ndarray
        uint8 (slots, depth * H, W, 3), C-contiguous: the first row of tokens of each frame of the slot, then the second
        row of each, and so on. Where the last slot is not full, the last frame is repeated.

    Examples
    --------
    >>> frames = np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1).repeat(4, 1).repeat(3, 3)
    >>> stacked(frames, 2, 2)[:, :, 0, 0].tolist()
    [[0, 0, 1, 1, 0, 0, 1, 1], [2, 2, 2, 2, 2, 2, 2, 2]]
    """
    count, height, width = frames.shape[:3]
    rows = (height // side, side, width, 3)
    slots, full = -(-count // depth), count // depth
    result = np.empty((slots, rows[0], depth, *rows[1:]), np.uint8)
    result[:full] = frames[: full * depth].reshape(full, depth, *rows).swapaxes(1, 2)
    if full < slots:
        for place in range(depth):
            result[full, :, place] = frames[min(full * depth + place, count - 1)].reshape(rows)
    return result.reshape(slots, depth * height, width, 3)
