"""Sums and largest values along the rows and the columns of a map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pixtrim.kernels.reference.checks import check_array

__all__ = ["marginals"]

Sums = NDArray[np.int64]
Peaks = NDArray[np.int32]

_ONE = 1 << 16


def marginals(values: NDArray[np.float32]) -> tuple[Sums, Peaks, Sums, Peaks]:
    """Sum up the columns and the rows of a map, and find the largest value of each.

    Values are rounded to whole numbers of 1 / 65536, halves up, so that no sum depends on an order.

    Parameters
    ----------
    values : ndarray
        float32 (H, W), C-contiguous, in [0, 1].

    Returns
    -------
    column_sums, column_peaks, row_sums, row_peaks : ndarray
        int64 (W,), int32 (W,), int64 (H,) and int32 (H,), in units of 1 / 65536.

    Raises
    ------
    TypeError
        If the array is of another dtype, shape or layout.
    ValueError
        If a value is outside of [0, 1], or not a number.

    Examples
    --------
    >>> columns, _, rows, peaks = marginals(np.array([[0, 1], [0.5, 0]], np.float32))
    >>> (columns / 65536).tolist(), (rows / 65536).tolist(), (peaks / 65536).tolist()
    ([0.5, 1.0], [1.0, 0.5], [1.0, 0.5])
    """
    check_array("values", values, np.float32, (None, None), "a C-contiguous float32 array of shape (H, W)")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("values must be from 0 to 1")
    levels = (values * np.float32(_ONE) + np.float32(0.5)).astype(np.int32)
    found = []
    for axis in (0, 1):
        found += [levels.sum(axis=axis, dtype=np.int64), levels.max(axis=axis, initial=0)]
    column_sums, column_peaks, row_sums, row_peaks = found
    return column_sums, column_peaks, row_sums, row_peaks
