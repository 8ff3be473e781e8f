"""When two tokens count as equal: a metric over their bytes, and a threshold in levels."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pixtrim import kernels
from pixtrim.errors import UsageError

__all__ = ["METRICS", "Metric", "Tolerance"]

Metric = Literal["max", "mae", "rmse", "exact"]

METRICS: tuple[str, ...] = get_args(Metric)

_LARGEST, _SUM, _SQUARES = range(3)  # what the kernels call them


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a token may be from its prediction and still be dropped.

    Attributes
    ----------
    metric : {"max", "mae", "rmse", "exact"}
        Over all bytes of a token: the largest difference, the mean absolute difference, the root of the mean square, or
        no difference at all.
    threshold : float
        In levels, 0 to 255, inclusive; 0 with ``"exact"``. PixelPrune [1]_ gives it in units of 255 levels.

    Raises
    ------
    UsageError
        If the metric is unknown or the threshold is out of its range.

    References
    ----------
    .. [1] N. Wang, Z. Jin, C. Chen, H. Lu, "PixelPrune: Pixel-Level Adaptive Visual Token Reduction via Predictive
       Coding", arXiv:2604.00886, 2026.

    Examples
    --------
    >>> Tolerance("mae", 1.5).limit(3 * 32 * 32)
    4608
    """

    metric: Metric = "max"
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise UsageError(f"metric is {self.metric!r}: choose one of {', '.join(METRICS)}")
        number = isinstance(self.threshold, (int, float, np.integer, np.floating)) and not isinstance(
            self.threshold, bool
        )
        if not number or not isfinite(self.threshold) or not 0 <= self.threshold <= 255:
            raise UsageError(f"threshold is {self.threshold!r}: give a number of levels from 0 to 255")
        if self.metric == "exact" and self.threshold:
            raise UsageError(f"threshold is {self.threshold!r}: metric exact takes none; leave it out or choose max")
        object.__setattr__(self, "threshold", float(self.threshold))

    @property
    def exact(self) -> bool:
        """Whether only equal tokens are within it."""
        return self.threshold == 0

    @property
    def code(self) -> int:
        """The metric's number in `pixtrim.kernels`."""
        return {"max": _LARGEST, "exact": _LARGEST, "mae": _SUM, "rmse": _SQUARES}[self.metric]

    def limit(self, values: int) -> int:
        """Return the threshold in whole units of the kernels, for tokens of so many bytes.

        The mean of n bytes is within t where their sum is within n * t: counted exactly, without rounding.
        """
        threshold = Fraction(self.threshold)
        if self.code == _LARGEST:
            return int(threshold)
        return int(threshold * values) if self.code == _SUM else int(threshold**2 * values)

    def match(
        self,
        pixels: NDArray[np.uint8],
        corners: NDArray[np.int32],
        other: NDArray[np.uint8],
        other_corners: NDArray[np.int32],
        shape: tuple[int, int],
    ) -> NDArray[np.bool_]:
        """Tell which blocks (height, width) of one picture are within it of blocks of another: see `match_blocks`."""
        limit = self.limit(3 * shape[0] * shape[1])
        return kernels.match_blocks(pixels, corners, other, other_corners, *shape, self.code, limit)
