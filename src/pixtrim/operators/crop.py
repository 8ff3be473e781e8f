"""Cutting off borders in which next to nothing matters: what they hold is gone, so that it is for those who ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pixtrim.coordinates import CoordinateMap
from pixtrim.errors import UsageError
from pixtrim.operators.checks import check_map, check_picture

__all__ = ["DEFAULT_SHARE", "Cropped", "crop"]

DEFAULT_SHARE: Final = 0.02
"""What may be lost of the importance, a quarter of it on each side."""


@dataclass(frozen=True)
class Cropped:
    """What `crop` returns.

    Attributes
    ----------
    image : ndarray
        uint8 (h, w, 3).
    box : tuple of int, (x0, y0, x1, y1)
        Where it was on the picture.
    coordinates : CoordinateMap
        From the picture to the image.
    """

    image: NDArray[np.uint8]
    box: tuple[int, int, int, int]
    coordinates: CoordinateMap

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.image.shape[1], self.image.shape[0]


def crop(
    pixels: NDArray[np.uint8],
    importance: NDArray[np.float32],
    *,
    share: float = DEFAULT_SHARE,
    protect: NDArray[np.bool_] | None = None,
) -> Cropped:
    """Cut off what is outside of the smallest box that holds all but a share of the importance.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3), RGB, C-contiguous.
    importance : ndarray
        float32 (H, W) in [0, 1]. Where nothing is important, nothing is cut off.
    share : float
        0 to below 1: how much of the importance may be lost, on each side up to a quarter of it.
    protect : ndarray, optional
        bool (H, W): pixels that stay.

    Returns
    -------
    Cropped

    Raises
    ------
    UsageError
        If an argument is of another type or shape, or outside its range.

    Examples
    --------
    >>> pixels = np.zeros((40, 80, 3), np.uint8)
    >>> importance = np.zeros((40, 80), np.float32)
    >>> importance[10:30, 20:70] = 1
    >>> crop(pixels, importance, share=0).box
    (20, 10, 70, 30)
    """
    shape = check_picture(pixels)
    check_map("importance", importance, np.float32, shape)
    if not 0 <= share < 1:
        raise UsageError(f"share is {share!r}: give what may be lost of the importance, from 0 to below 1")
    if protect is not None:
        check_map("protect", protect, np.bool_, shape)
    bounds = []
    for axis in (0, 1):
        begin, end = _kept(importance.sum(axis=axis, dtype=np.float64), share / 4)
        held = np.flatnonzero(protect.any(axis=axis)) if protect is not None else np.empty(0, np.int64)
        if held.size:
            begin, end = min(begin, int(held[0])), max(end, int(held[-1]) + 1)
        bounds.append((begin, end))
    (x0, x1), (y0, y1) = bounds
    coordinates = CoordinateMap.keep(np.arange(y0, y1), np.arange(x0, x1), (shape[1], shape[0]))
    return Cropped(np.ascontiguousarray(pixels[y0:y1, x0:x1]), (x0, y0, x1, y1), coordinates)


def _kept(profile: NDArray[np.float64], share: float) -> tuple[int, int]:
    """Return where a profile begins and ends if each end loses up to a share of the sum."""
    total = profile.sum()
    if total <= 0:
        return 0, len(profile)
    limit = share * total * (1 + 1e-9)
    begin = int(np.searchsorted(np.cumsum(profile), limit, side="right"))
    end = len(profile) - int(np.searchsorted(np.cumsum(profile[::-1]), limit, side="right"))
    return (begin, end) if begin < end else (0, len(profile))
