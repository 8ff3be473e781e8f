"""A warp of both axes apart: what matters keeps its size, what does not gives up more of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pixtrim import kernels
from pixtrim.coordinates import Axis, CoordinateMap
from pixtrim.errors import UsageError
from pixtrim.kernels.filters import FILTERS, warped_weights
from pixtrim.operators.checks import OUTSIDE, check_map, check_picture, check_size, check_threads

__all__ = ["DEFAULT_LEAST", "Warped", "profiles", "warp", "warped_axis"]

Pixels = NDArray[np.uint8]
Importance = NDArray[np.float32]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

DEFAULT_LEAST: Final = 0.5
"""The smallest local scale, as a share of that of a plain resize."""

CELLS: Final = 64
"""Stretches of one scale that an axis has at most; fewer on an axis of fewer than this many pixels times `CELL`."""

CELL: Final = 4  # pixels that a stretch has at least
BLUR: Final = 1.0  # stretches: the standard deviation by which a profile is smoothed, so that no scale jumps
PEAK: Final = 0.5  # what the most important place of a line counts beside the mean of the line
FINE: Final = 1024  # parts of a pixel that knots are rounded to: no machine's last bits of a sum show in a result
SHARPNESS: Final = 1.5  # the power of the weights: above 1, as large areas of middling importance would take it all
MARGINAL_ONE: Final = 65536  # of the marginals' units
FLOOR: Final = 0.05  # what a line without anything important weighs, of the most important one


@dataclass(frozen=True)
class Warped:
    """What `warp` returns.

    Attributes
    ----------
    image : ndarray
        uint8 (h, w, 3).
    x, y : Axis
        Where each column and each row went; the pixels are weighed by the same curves, so that this is exact.
    """

    image: Pixels
    x: Axis
    y: Axis

    @property
    def coordinates(self) -> CoordinateMap:
        """The map between the picture and the image, piecewise linear along each axis."""
        return CoordinateMap.whole(self.x, self.y)

    def scales(self) -> tuple[float, float]:
        """Return the smallest and the largest local scale along either axis."""
        slopes = np.concatenate([np.diff(axis.reduced) / np.diff(axis.original) for axis in (self.x, self.y)])
        return float(slopes.min()), float(slopes.max())


def warp(
    pixels: Pixels,
    size: tuple[int, int],
    importance: Importance,
    *,
    least: float = DEFAULT_LEAST,
    protect: Mask | None = None,
    filter: str = "bicubic",
    threads: int = 1,
) -> Warped:
    """Scale a picture to a smaller size, each column and each row by a factor of its own.

    The factors follow the marginals of the importance, as [1]_ and [2]_ have it: straight lines along the axes stay
    straight, and nothing is cut out. No factor is above 1, for larger than it is nothing says more, and none is below
    `least` times that of a plain resize: a wrong importance costs little.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3), RGB, C-contiguous.
    size : tuple of int
        The new width and height in pixels, each at least 1 and at most the picture's own.
    importance : ndarray
        float32 (H, W) in [0, 1].
    least : float
        Above 0 and up to 1: the smallest local scale, as a share of the plain resize's. 1 is a plain resize.
    protect : ndarray, optional
        bool (H, W): rows and columns with any of these pixels are scaled no smaller than by a plain resize.
    filter : str
        ``"bicubic"``, ``"lanczos"`` or ``"area"``: how pixels are weighed, in the coordinates of the result.
    threads : int
        The most threads to use, 1 to 256; the result does not depend on it.

    Returns
    -------
    Warped

    Raises
    ------
    UsageError
        If an argument is of another type or shape, or outside its range.

    References
    ----------
    .. [1] D. Panozzo, O. Weber and O. Sorkine, "Robust image retargeting via axis-aligned deformation", Computer
       Graphics Forum, vol. 31, no. 2, pp. 229-236, 2012.
    .. [2] D. Dalal et al., "Constructive distortion: improving MLLMs with attention-guided image warping",
       arXiv:2510.09741, 2025.

    Examples
    --------
    >>> pixels = np.zeros((40, 80, 3), np.uint8)
    >>> importance = np.zeros((40, 80), np.float32)
    >>> importance[:, 60:] = 1
    >>> warped = warp(pixels, (40, 20), importance)
    >>> warped.image.shape
    (20, 40, 3)
    >>> x0, x1 = warped.coordinates.to_reduced([[0, 0], [60, 0]])[:, 0]
    >>> bool(40 - x1 > 1.5 * 20 / 2)  # the important quarter has got more than its even share of 10 pixels
    True
    """
    height, width = check_picture(pixels)
    new_width, new_height = check_size(size)
    check_threads(threads)
    if new_width > width or new_height > height:
        raise UsageError(
            f"size is {new_width}x{new_height}, the picture {width}x{height}: a warp does not enlarge, give no more"
        )
    if not 0 < least <= 1:
        raise UsageError(f"least is {least!r}: give a share above 0 and up to 1 of the scale of a plain resize")
    if filter not in FILTERS:
        raise UsageError(f"filter must be one of {', '.join(FILTERS)}, got {filter!r}")
    check_map("importance", importance, np.float32, (height, width), values=False)  # `profiles` looks at them
    if protect is not None:
        check_map("protect", protect, np.bool_, (height, width))
    across, down = profiles(importance)
    kept = [None, None] if protect is None else [np.asarray(protect.any(axis=axis)) for axis in (0, 1)]
    x = warped_axis(across, new_width, least, kept[0])
    y = warped_axis(down, new_height, least, kept[1])
    columns = warped_weights(x.original, x.reduced, filter)
    rows = warped_weights(y.original, y.reduced, filter)
    return Warped(kernels.resample(pixels, *rows, *columns, threads), x, y)


def profiles(importance: Importance) -> tuple[Floats, Floats]:
    """Return how much each column and each row matters: between the mean and the largest value along it.

    Parameters
    ----------
    importance : ndarray
        float32 (H, W) in [0, 1].

    Returns
    -------
    columns, rows : ndarray
        float64 (W,) and (H,). The mean alone would overlook what is small, the largest value what is wide.

    Raises
    ------
    UsageError
        If a value is outside of [0, 1].
    """
    try:
        column_sums, column_peaks, row_sums, row_peaks = kernels.marginals(np.ascontiguousarray(importance))
    except ValueError:
        raise UsageError(OUTSIDE.format("importance")) from None
    height, width = importance.shape
    columns = ((1 - PEAK) / height * column_sums + PEAK * column_peaks) / MARGINAL_ONE
    rows = ((1 - PEAK) / width * row_sums + PEAK * row_peaks) / MARGINAL_ONE
    return columns, rows


def warped_axis(profile: Floats, new_size: int, least: float = DEFAULT_LEAST, protect: Mask | None = None) -> Axis:
    """Return the map along one axis: stretches of one scale each, in proportion to what they matter, within bounds.

    Parameters
    ----------
    profile : ndarray
        float64 (N,), not negative: how much each line matters.
    new_size : int
        1 to N.
    least : float
        The smallest scale as a share of ``new_size / N``.
    protect : ndarray, optional
        bool (N,): lines whose scale is not to be below ``new_size / N``.

    Returns
    -------
    Axis
        From N to exactly `new_size`; each slope is at most 1.
    """
    length = len(profile)
    count = max(1, min(CELLS, length // CELL))
    edges = np.rint(np.linspace(0, length, count + 1)).astype(np.int64)
    lengths = np.diff(edges)
    weights = np.add.reduceat(profile, edges[:-1]) / lengths
    weights = _blurred(weights)
    top = weights.max()
    weights = np.maximum((weights / top) ** SHARPNESS if top > 0 else np.ones(count), FLOOR)
    even = new_size / length
    low = np.full(count, least * even)
    if protect is not None:
        kept = np.logical_or.reduceat(protect, edges[:-1])
        low[kept], weights[kept] = even, 1.0
    scales = _filled(weights, lengths, low, float(new_size))
    reduced = np.concatenate([[0.0], np.cumsum(scales * lengths)])
    reduced = np.rint(reduced * (FINE * new_size / reduced[-1])) / FINE
    return Axis(edges, reduced)


def _filled(weights: Floats, lengths: NDArray[np.int64], low: Floats, total: float) -> Floats:
    """Return scales within `low` and 1, else in proportion to the weights, of which the lengths add up to the total."""
    # What they add up to rises with the factor, on straight lines between the factors at which one meets a bound.
    factors = np.sort(np.concatenate([low / weights, 1 / weights]))
    totals = (np.clip(factors[:, None] * weights, low, 1) * lengths).sum(axis=1)
    scales: Floats = np.clip(np.interp(total, totals, factors) * weights, low, 1)
    return scales


def _blurred(values: Floats) -> Floats:
    """Smooth by a Gaussian, with the ends repeated."""
    reach = int(np.ceil(3 * BLUR))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / BLUR) ** 2)
    smooth: Floats = np.convolve(np.pad(values, reach, mode="edge"), kernel / kernel.sum(), mode="valid")
    return smooth
