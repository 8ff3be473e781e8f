"""The weights of a resampling along one axis, as integers.

They are worked out here, in one place, for the reference and the native kernel alike: neither does floating-point
arithmetic, and so both give the same bytes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["FILTERS", "WEIGHT_BITS", "warped_weights", "weights"]

WEIGHT_BITS: Final = 14
"""Fractional bits of a weight: 1 is ``1 << 14``."""

Floats = NDArray[np.float64]
Starts = NDArray[np.int32]
Fixed = NDArray[np.int16]


@lru_cache(maxsize=32)
def weights(size: int, new_size: int, filter: str) -> tuple[Starts, Fixed]:
    """Work out how the pixels of a resampled axis are summed up from the original ones.

    Where the axis shrinks, the filter is stretched by the factor of reduction, so that every original pixel counts.
    Beyond the ends of the axis there are no pixels: the weights of those inside are scaled up to a sum of 1 [1]_.

    Parameters
    ----------
    size, new_size : int
        The pixels along the axis before and after, at least 1. Where they are equal, each pixel stays as it is.
    filter : str
        One of `FILTERS`: ``"area"`` weighs by the overlap of the pixels (and interpolates linearly where the axis
        grows), ``"bicubic"`` is the cubic convolution with a = -0.5 [2]_, ``"lanczos"`` has three lobes [3]_.

    Returns
    -------
    starts : ndarray
        int32 (new_size,): the first pixel that counts for each new one.
    weights : ndarray
        int16 (new_size, taps) with 14 fractional bits: the weights of the pixels from there on. Each row sums to
        ``1 << 14``; all of them lie inside the axis. Both arrays are read-only.

    References
    ----------
    .. [1] J. Schumacher, "General filtered image rescaling", in Graphics Gems III, D. Kirk, Ed., Academic Press, 1992,
       pp. 8-16.
    .. [2] R. G. Keys, "Cubic convolution interpolation for digital image processing", IEEE Transactions on Acoustics,
       Speech, and Signal Processing, vol. 29, no. 6, pp. 1153-1160, 1981.
    .. [3] C. E. Duchon, "Lanczos filtering in one and two dimensions", Journal of Applied Meteorology, vol. 18, no. 8,
       pp. 1016-1022, 1979.

    Examples
    --------
    >>> starts, fixed = weights(6, 2, "area")
    >>> starts.tolist(), fixed.tolist()
    ([0, 3], [[5461, 5462, 5461], [5461, 5462, 5461]])
    """
    starts, fixed = _weights(size, new_size, filter)
    starts.flags.writeable = fixed.flags.writeable = False  # the cache keeps them
    return starts, fixed


def _weights(size: int, new_size: int, filter: str) -> tuple[Starts, Fixed]:
    if size == new_size:
        return np.arange(size, dtype=np.int32), np.full((size, 1), 1 << WEIGHT_BITS, np.int16)
    support, kernel = _KERNELS[filter]
    scale = max(size / new_size, 1.0)
    taps = min(size, int(np.ceil(2 * support * scale)))
    centres = (np.arange(new_size) + 0.5) * (size / new_size)
    starts = np.clip(np.floor(centres - support * scale + 0.5), 0, size - taps).astype(np.int32)
    distances = np.abs(starts[:, None] + (np.arange(taps) + 0.5) - centres[:, None])
    return _trimmed(starts, _fixed(kernel(distances, scale)))


def warped_weights(original: Floats, reduced: Floats, filter: str) -> tuple[Starts, Fixed]:
    """Work out the weights of an axis whose scale changes along it.

    The filter has its width in pixels of the result everywhere, so that it is stretched on the original by the local
    factor of reduction, and each original pixel counts by the length that it takes on the result.

    Parameters
    ----------
    original, reduced : ndarray
        float64 (K,): the knots of a piecewise linear map that never falls, of slopes up to 1, from 0 to the whole
        numbers of pixels before and after.
    filter : str
        One of `FILTERS`. ``"area"`` weighs by the exact overlap on the result.

    Returns
    -------
    starts, weights : ndarray
        As those of `weights`.

    Examples
    --------
    >>> starts, fixed = warped_weights(np.array([0.0, 4, 6]), np.array([0.0, 1, 3]), "area")
    >>> starts.tolist(), fixed.tolist()
    ([0, 2, 2], [[4096, 4096, 4096, 4096], [0, 0, 16384, 0], [0, 0, 0, 16384]])
    """
    size, new_size = int(original[-1]), int(reduced[-1])
    edges = np.interp(np.arange(size + 1), original, reduced)
    support, _ = _KERNELS[filter]
    reach = 0.5 if filter == "area" else support
    centres = np.arange(new_size) + 0.5
    first = np.maximum(np.searchsorted(edges, centres - reach, side="right") - 1, 0)
    behind = np.minimum(np.searchsorted(edges, centres + reach, side="left"), size)
    taps = int((behind - first).max())
    starts = np.minimum(first, size - taps).astype(np.int32)
    places = starts[:, None] + np.arange(taps)
    begin, end = edges[places], edges[places + 1]
    if filter == "area":
        low, high = centres[:, None] - 0.5, centres[:, None] + 0.5
        exact = np.maximum(np.minimum(end, high) - np.maximum(begin, low), 0)
    else:
        exact = _KERNELS[filter][1](np.abs((begin + end) / 2 - centres[:, None]), 1.0) * (end - begin)
    return _trimmed(starts, _fixed(exact))


def _fixed(exact: Floats) -> Fixed:
    """Round the weights so that their sum is exactly 1.

    The running sum is rounded, not each weight: an error is made up for by the next pixel, however many there are.
    """
    running = np.cumsum(exact, axis=1)
    running /= running[:, -1:]
    return np.diff(np.rint(running * (1 << WEIGHT_BITS)), axis=1, prepend=0.0).astype(np.int16)


def _trimmed(starts: Starts, fixed: Fixed) -> tuple[Starts, Fixed]:
    """Leave out the zeros at the ends, as far as they are in every row."""
    counts = fixed != 0
    first, behind = counts.argmax(axis=1), counts.shape[1] - counts[:, ::-1].argmax(axis=1)
    taps = int((behind - first).max())
    first = np.minimum(first, counts.shape[1] - taps)
    kept = np.take_along_axis(fixed, first[:, None] + np.arange(taps), axis=1)
    return starts + first.astype(np.int32), np.ascontiguousarray(kept)


def _area(distance: Floats, scale: float) -> Floats:
    return np.clip((scale + 1) / 2 - distance, 0, 1)


def _bicubic(distance: Floats, scale: float) -> Floats:
    t = distance / scale
    near = (1.5 * t - 2.5) * t * t + 1
    far = ((-0.5 * t + 2.5) * t - 4) * t + 2
    return np.where(t < 1, near, np.where(t < 2, far, 0))


def _lanczos(distance: Floats, scale: float) -> Floats:
    t = distance / scale
    return np.where(t < 3, np.sinc(t) * np.sinc(t / 3), 0)


_KERNELS = {"area": (1, _area), "bicubic": (2, _bicubic), "lanczos": (3, _lanczos)}
"""Each filter's reach on either side, in pixels of the coarser axis; its weight by the distance in original pixels."""

FILTERS: Final = tuple(_KERNELS)
"""The names of the filters."""
