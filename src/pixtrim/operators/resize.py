"""Uniform scaling: the baseline that every other operator has to beat."""

from __future__ import annotations

import operator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pixtrim import kernels
from pixtrim.errors import UsageError
from pixtrim.kernels.filters import FILTERS, weights

__all__ = ["DEFAULT_FILTER", "check_picture", "check_size", "check_threads", "resize"]

DEFAULT_FILTER: Final = "bicubic"
MAX_PIXELS: Final = 2**28  # of the result: 768 MiB
MAX_THREADS: Final = 256


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


def check_picture(pixels: Any) -> tuple[int, int]:
    """Check a picture; return its height and width."""
    known = isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 and pixels.flags.c_contiguous
    if not known or pixels.ndim != 3 or pixels.shape[2] != 3:
        what = [
            type(pixels).__name__,
            *(str(getattr(pixels, key)) for key in ("dtype", "shape") if hasattr(pixels, key)),
        ]
        raise UsageError(f"pixels must be a C-contiguous uint8 array of shape (H, W, 3), got {' '.join(what)}")
    if pixels.size == 0:
        raise UsageError(f"pixels must hold at least one pixel, got the shape {pixels.shape}")
    return pixels.shape[0], pixels.shape[1]


def check_threads(threads: Any) -> None:
    """Check a number of threads."""
    if not isinstance(threads, (int, np.integer)) or not 1 <= threads <= MAX_THREADS:
        raise UsageError(f"threads must be a whole number from 1 to {MAX_THREADS}, got {threads!r}")


def check_size(size: Any) -> tuple[int, int]:
    """Check the size of a result; return its width and height."""
    try:
        width, height = map(operator.index, size)
    except (TypeError, ValueError):
        raise UsageError(f"size must be two whole numbers, the width and the height in pixels, got {size!r}") from None
    if width < 1 or height < 1:
        raise UsageError(f"size must be at least 1x1 pixels, got {width}x{height}")
    if width * height > MAX_PIXELS:
        raise UsageError(f"size must be at most {MAX_PIXELS} pixels in all, got {width}x{height}")
    return width, height
