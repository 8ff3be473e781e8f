"""Uniform scaling: the baseline that every other operator has to beat."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pixtrim import kernels
from pixtrim.errors import UsageError
from pixtrim.kernels.filters import FILTERS, weights
from pixtrim.operators.checks import check_picture, check_size, check_threads

__all__ = ["DEFAULT_FILTER", "resize"]

DEFAULT_FILTER: Final = "bicubic"


def resize(
    pixels: NDArray[np.uint8], size: tuple[int, int], *, filter: str = DEFAULT_FILTER, threads: int = 1
) -> NDArray[np.uint8]:
    """Scale a picture to a size.

    The filter is stretched by the factor of reduction, so that every pixel of the picture counts. Arithmetic is in
    integers: the result is the same on every machine, and within 1 level of that of exact arithmetic (on any picture
    for reductions up to twentyfold; beyond, on pictures that are not made to prove otherwise).

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3), RGB, C-contiguous.
    size : tuple of int
        The new width and height in pixels, each at least 1 and 2**28 pixels in all at most. A larger size than the
        picture's own is allowed.
    filter : str
        ``"bicubic"``, ``"lanczos"`` or ``"area"``, as `pixtrim.kernels.filters.weights` defines them.
    threads : int
        The most threads to use, 1 to 256; the result does not depend on it.

    Returns
    -------
    ndarray
        uint8 (height, width, 3), never `pixels` itself: at its own size, an equal copy.

    Raises
    ------
    UsageError
        If an argument is of another type or outside its range.

    Examples
    --------
    >>> pixels = np.zeros((2, 4, 3), np.uint8)
    >>> pixels[:, 2:] = 200
    >>> resize(pixels, (2, 1), filter="area")[..., 0].tolist()
    [[0, 200]]
    """
    height, width = check_picture(pixels)
    new_width, new_height = check_size(size)
    if filter not in FILTERS:
        raise UsageError(f"filter must be one of {', '.join(FILTERS)}, got {filter!r}")
    check_threads(threads)
    if (new_width, new_height) == (width, height):
        return pixels.copy()
    rows, columns = weights(height, new_height, filter), weights(width, new_width, filter)
    return kernels.resample(pixels, *rows, *columns, threads)
