"""How strongly each place of a picture was scaled down, beside the others."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pixtrim.coordinates import CoordinateMap
from pixtrim.draw.mask import TINT
from pixtrim.draw.paper import Colour, Pixels
from pixtrim.draw.ramp import blended

__all__ = ["LARGER", "SMALLER", "by_scale", "relative_scale"]

Floats = NDArray[np.float64]

SMALLER: Final[Colour] = TINT
LARGER: Final[Colour] = (36, 104, 196)
STRONGEST: Final = 0.62  # opacity where the scale is farthest from the mean
CELLS: Final = 256  # along each side, at most


def relative_scale(coordinates: CoordinateMap) -> Floats:
    """Return the local scale of a map beside its mean, for an even grid of cells over the original.

    Parameters
    ----------
    coordinates : CoordinateMap
        From the original to the reduced picture.

    Returns
    -------
    ndarray of float64, shape (rows, columns), each at most 256
        The square root of the area that a cell has in the reduced picture, over that of its even share: 1 everywhere
        for a plain resize, 0 where nothing is left.

    Examples
    --------
    >>> from pixtrim.coordinates import Axis
    >>> warped = CoordinateMap.whole(Axis([0, 4, 8], [0, 4, 5]), Axis([0, 1], [0, 1]))
    >>> (relative_scale(warped) ** 2 * 5 / 8).tolist()
    [[1.0, 1.0, 1.0, 1.0, 0.25, 0.25, 0.25, 0.25]]
    """
    width, height = coordinates.original_size
    x, y = (np.linspace(0, side, min(side, CELLS) + 1) for side in (width, height))
    left, top = np.meshgrid(x[:-1], y[:-1])
    right, bottom = np.meshgrid(x[1:], y[1:])
    boxes = np.stack((left, top, right, bottom), axis=-1)
    found = coordinates.to_reduced(boxes=boxes)
    area = (found[..., 2] - found[..., 0]) * (found[..., 3] - found[..., 1])
    even = coordinates.reduced_size[0] * coordinates.reduced_size[1] / area.size
    scales: Floats = np.sqrt(area / even)
    return scales


def by_scale(pixels: Pixels, scales: Floats) -> Pixels:
    """Return a picture tinted by the scale of its places: what got less than the mean in one colour, more in another.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)
    scales : ndarray of float64, shape (rows, columns)
        Above 0, from `relative_scale`. The farther a scale's logarithm is from 0, beside the farthest, the more of the
        colour there is.
    """
    logs = np.log(scales)
    farthest = np.abs(logs).max()
    parts = logs / farthest if farthest > 0 else logs
    rows, columns = (
        np.arange(side) * count // side for side, count in zip(pixels.shape[:2], scales.shape, strict=True)
    )
    drawn = parts[np.ix_(rows, columns)]
    colours = np.where(drawn[..., None] < 0, np.array(SMALLER, np.uint8), np.array(LARGER, np.uint8))
    return blended(pixels, colours, np.abs(drawn) * STRONGEST)
