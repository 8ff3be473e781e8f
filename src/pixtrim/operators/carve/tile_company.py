"""A preset: the plain carve of the program TheTileCompany."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pixtrim.coordinates import CoordinateMap
from pixtrim.errors import UsageError
from pixtrim.operators.carve.carved import Carved
from pixtrim.operators.carve.search import carve
from pixtrim.operators.checks import check_picture
from pixtrim.operators.resize import resize

__all__ = ["tile_company"]

SIDE: Final = 518
NEW_SIDE: Final = 433  # the side of 70 % of the pixels


def tile_company(pixels: NDArray[np.uint8], attention: NDArray[np.floating]) -> Carved:
    """Carve as TheTileCompany does by default [1]_: to 433x433 pixels, by attention alone.

    The same: the picture is squashed to 518x518, whatever its shape; the attention is brought to that size bilinearly,
    from corner to corner, and stretched to [0, 1]; edges do not count; all 85 vertical seams leave before the 85
    horizontal ones, one at a time, each the cheapest, and the leftmost of equally cheap ones.

    Not the same: the picture is scaled by this package's bicubic filter, there by Pillow's bilinear one; the energy is
    rounded to 255 levels, which decides between seams that cost nearly the same in other ways; and the attention is
    the caller's, where the program works out one of its own from DINOv2.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3), RGB, C-contiguous.
    attention : ndarray
        floating (h, w), finite: one value for each patch, or for each pixel; its scale does not matter.

    Returns
    -------
    Carved
        Its `coordinates` start from the picture, its `index_maps` and `seams` from the squashed one.

    Raises
    ------
    UsageError
        If an argument is of another type.

    References
    ----------
    .. [1] https://github.com/DEboy2007/TheTileCompany

    Examples
    --------
    >>> pixels = np.zeros((60, 80, 3), np.uint8)
    >>> carved = tile_company(pixels, np.eye(37, dtype=np.float32))
    >>> carved, carved.coordinates
    (Carved(518x518 -> 433x433), CoordinateMap(80x60 -> 433x433, 3 stages))
    """
    height, width = check_picture(pixels)
    known = isinstance(attention, np.ndarray) and np.issubdtype(attention.dtype, np.floating) and attention.ndim == 2
    if not known or not attention.size or not np.isfinite(attention).all():
        what = f"{attention.dtype} {attention.shape}" if isinstance(attention, np.ndarray) else type(attention).__name__
        raise UsageError(f"attention must be a finite floating array (h, w), got {what}")
    squashed = resize(pixels, (SIDE, SIDE))
    even = stretched(bilinear(attention.astype(np.float64), SIDE))
    carved = carve(squashed, (NEW_SIDE, NEW_SIDE), even, energy="importance", seams_per_pass=1, rounds=1)
    return replace(carved, before=CoordinateMap.scale((width, height), (SIDE, SIDE)))


def bilinear(values: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Interpolate to a square, so that the centres of the corners stay where they are."""
    for _ in range(2):
        at = np.linspace(0, len(values) - 1, side)
        before = np.minimum(at.astype(np.intp), max(len(values) - 2, 0))
        after = np.minimum(before + 1, len(values) - 1)
        part = (at - before)[:, None]
        values = (values[before] * (1 - part) + values[after] * part).T
    return values


def stretched(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Stretch values to [0, 1]; those that are all the same become 0."""
    low, high = values.min(), values.max()
    even: NDArray[np.float32] = np.clip((values - low) / (high - low if high > low else 1), 0, 1).astype(np.float32)
    return even
