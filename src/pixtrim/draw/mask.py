"""Which pixels a coordinate map dropped, and colours over pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pixtrim.coordinates import Axis, CoordinateMap, PieceStage, SeamStage, Stage
from pixtrim.draw.paper import Colour, Pixels, check_pixels
from pixtrim.errors import UsageError

__all__ = ["OPACITY", "TINT", "dropped", "overlay"]

Mask = NDArray[np.bool_]

TINT: Colour = (226, 74, 42)
OPACITY = 0.38


def dropped(coordinates: CoordinateMap) -> Mask:
    """Return which pixels of the original are not in the reduced picture.

    A pixel is dropped where its two edges meet on one reduced position in x or in y, or where a seam took it. Pixels
    that were only scaled are not dropped, however small they became. What a later stage drops is traced back to the
    original pixels whose centres lie there.

    Parameters
    ----------
    coordinates : CoordinateMap
        From the original to the reduced picture.

    Returns
    -------
    ndarray of bool, shape (H, W)
        True where the original's pixel went away.

    Examples
    --------
    >>> dropped(CoordinateMap.keep([0, 3], None, (2, 4))).astype(int)
    array([[0, 0],
           [1, 1],
           [1, 1],
           [0, 0]])
    >>> bool(dropped(CoordinateMap.scale((800, 600), (400, 300))).any())
    False
    """
    width, height = coordinates.reduced_size
    gone: Mask = np.zeros((height, width), np.bool_)
    for stage in reversed(coordinates.stages):
        gone = stage.map_mask(gone, "original") | _dropped_by(stage)
    return gone


def _dropped_by(stage: Stage) -> Mask:
    width, height = stage.original_size
    gone = np.zeros((height, width), np.bool_)
    if isinstance(stage, PieceStage):
        for piece in stage.pieces:
            x0, y0, x1, y1 = piece.original
            gone[y0:y1, x0:x1] = _collapsed(piece.y)[:, None] | _collapsed(piece.x)
        return gone
    if isinstance(stage, SeamStage):
        return stage.removed
    columns = np.arange(width, dtype=np.float64)  # a kind of stage without axes is asked pixel by pixel
    for row in range(height):
        rows = np.full(width, float(row))
        boxes = stage.map_boxes(np.stack((columns, rows, columns + 1, rows + 1), axis=1), "reduced")
        gone[row] = (boxes[:, :2] >= boxes[:, 2:]).any(axis=1)
    return gone


def _collapsed(axis: Axis) -> Mask:
    """Return for every pixel along an axis whether nothing of it is left."""
    solid = (np.diff(axis.original) > 0) & (np.diff(axis.reduced) > 0)
    first = np.floor(axis.original[:-1][solid]).astype(np.int64)
    after = np.ceil(axis.original[1:][solid]).astype(np.int64)
    steps = np.zeros(int(axis.original[-1]) + 1, np.int64)
    np.add.at(steps, first, 1)
    np.add.at(steps, after, -1)
    gone: Mask = np.cumsum(steps)[:-1] == 0
    return gone


def overlay(original: Pixels, mask: Mask, colour: Colour = TINT, opacity: float = OPACITY) -> Pixels:
    """Return a picture with a colour laid over the pixels of a mask.

    Parameters
    ----------
    original : ndarray of uint8, shape (H, W, 3)
        RGB; it stays as it is.
    mask : ndarray of bool, shape (H, W)
        True where the colour goes.
    colour : tuple of int, (red, green, blue), 0 to 255
    opacity : float, 0 to 1
        0 leaves the picture as it is, 1 covers it.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)

    Raises
    ------
    UsageError
        If a shape, a type or a value is not as above.

    Examples
    --------
    >>> overlay(np.full((1, 2, 3), 200, np.uint8), np.array([[True, False]]), (0, 0, 100), 0.5).tolist()
    [[[100, 100, 150], [200, 200, 200]]]
    """
    check_pixels(original, "the picture")
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != original.shape[:2]:
        found = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise UsageError(f"the mask is {found}; bool {original.shape[:2]} is needed, as the picture is")
    levels = colour if isinstance(colour, (tuple, list)) else ()
    if len(levels) != 3 or not all(isinstance(v, (int, np.integer)) and 0 <= v <= 255 for v in levels):
        raise UsageError(f"the colour is {colour!r}; three whole numbers from 0 to 255 are needed")
    if not 0 <= opacity <= 1:
        raise UsageError(f"the opacity is {opacity!r}; 0 to 1 is possible")
    blends = np.arange(256)[:, None] * (1 - opacity) + np.array(colour) * opacity
    table = np.floor(blends + 0.5).astype(np.uint8)
    tinted = original.copy()
    for channel in range(3):
        tinted[..., channel][mask] = table[original[..., channel][mask], channel]
    return tinted
