"""A reduced picture brought back to the coordinates of its original, so that the two can be compared pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pixtrim.coordinates import Axis, CoordinateMap, Piece, PieceStage, Stage
from pixtrim.evaluation.sampling import bilinear

__all__ = ["restore", "restore_values"]

Pixels = NDArray[np.uint8]
Values = NDArray[np.float32]
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

SOME = 2**18  # pixels that are sampled at a time where a stage is no rectangles, which bounds the memory


def restore(image: Pixels, coordinates: CoordinateMap) -> Pixels:
    """Return a reduced picture at its original's size and places.

    The stages of the map are undone, the last one first. Each pixel of the original asks where its centre went, and is
    interpolated linearly along both axes; what was dropped repeats what is before its join, as one reads a gap.
    Pixels of one piece are not mixed with those of another. All operators are treated in the same way, a plain resize
    too.

    Parameters
    ----------
    image : ndarray
        uint8 (h, w, 3), or (h, w) for a grey one: the reduced picture.
    coordinates : CoordinateMap
        Between the original and the image.

    Returns
    -------
    ndarray
        uint8 (H, W, 3) or (H, W).

    Examples
    --------
    >>> page = np.repeat(np.arange(4, dtype=np.uint8) * 60, 5)[:, None, None] * np.ones((1, 8, 3), np.uint8)
    >>> kept = [0, 1, 4, 5, 6, 9, 10, 11, 14, 15, 16, 19]  # of each five equal rows, three
    >>> back = restore(page[kept], CoordinateMap.keep(kept, None, (8, 20)))
    >>> bool((back == page).all())
    True
    """
    values = restore_values(image.astype(np.float32).reshape(*image.shape[:2], -1), coordinates)
    pixels: Pixels = np.rint(values).astype(np.uint8)
    return pixels.reshape(*pixels.shape[:2], *image.shape[2:])


def restore_values(values: Values, coordinates: CoordinateMap) -> Values:
    """Do the same for values that are no pixels: float32 (h, w, channels) to (H, W, channels), without rounding."""
    for stage in reversed(coordinates.stages):
        values = _undone(values, stage)
    return values


def _undone(values: Values, stage: Stage) -> Values:
    width, height = stage.original_size
    restored = np.empty((height, width, values.shape[2]), np.float32)
    if not isinstance(stage, PieceStage):
        rows = max(1, SOME // width)
        for top in range(0, height, rows):
            _sample(values, stage, (0, top, width, min(height, top + rows)), restored)
        return restored
    for piece in stage.pieces:
        x0, y0, x1, y1 = piece.original
        u0, v0, u1, v1 = piece.reduced
        if u1 > u0 and v1 > v0:
            restored[y0:y1, x0:x1] = _grown(values[v0:v1, u0:u1], piece)
        else:  # dropped whole: what is seen at its join
            _sample(values, stage, piece.original, restored)
    return restored


def _grown(part: Values, piece: Piece) -> Values:
    above, below, down = _between(piece.y, part.shape[0])
    left, right, along = _between(piece.x, part.shape[1])
    rows = part[above] + down[:, None, None] * (part[below] - part[above])
    result: Values = rows[:, left] + along[:, None] * (rows[:, right] - rows[:, left])
    return result


def _between(axis: Axis, room: int) -> tuple[Integers, Integers, Values]:
    """Return for each original pixel the two reduced ones that it is between, and the second one's weight."""
    count = min(room, max(1, math.ceil(axis.reduced[-1])))
    centres = np.arange(int(axis.original[-1])) + 0.5
    begin, middle, end = (np.interp(centres + side, axis.original, axis.reduced) for side in (-0.25, 0, 0.25))
    at = np.clip(np.where(begin == end, np.ceil(middle) - 1, middle - 0.5), 0, count - 1)  # equal: it was dropped
    first = np.floor(at).astype(np.int64)
    return first, np.minimum(first + 1, count - 1), (at - first).astype(np.float32)


def _sample(values: Values, stage: Stage, box: tuple[int, int, int, int], into: Values) -> None:
    """Fill a rectangle of the original with what a stage of any kind says is there, by bilinear interpolation."""
    x0, y0, x1, y1 = box
    grid = np.stack(np.meshgrid(np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5), axis=-1)
    into[y0:y1, x0:x1] = bilinear(values, stage.map_points(grid.reshape(-1, 2), "reduced").reshape(grid.shape))
