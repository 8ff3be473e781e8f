"""What the operators demand of their arguments."""

from __future__ import annotations

import operator
from typing import Any, Final

import numpy as np

from pixtrim.errors import UsageError

__all__ = ["MAX_PIXELS", "OUTSIDE", "check_map", "check_picture", "check_size", "check_threads"]

MAX_PIXELS: Final = 2**28  # of a result: 768 MiB
MAX_THREADS: Final = 256
OUTSIDE: Final = "{} has values outside of 0 to 1: scale it to that range"


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


def check_map(name: str, array: object, dtype: type, shape: tuple[int, int], values: bool = True) -> None:
    """Check an array that has one value for each pixel: bool, or float32, and the `values` to be in [0, 1]."""
    if isinstance(array, np.ndarray) and array.dtype == dtype and array.shape == shape:
        if dtype is np.bool_ or not values or (array.min() >= 0 and array.max() <= 1):  # not so with NaN, either
            return
        raise UsageError(OUTSIDE.format(name))
    found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
    raise UsageError(f"{name} must be {np.dtype(dtype)} {shape}, one value for each pixel of the picture, got {found}")
