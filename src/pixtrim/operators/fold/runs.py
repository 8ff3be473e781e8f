"""Runs of repeats along one axis, and which of them stay."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["folded_length", "kept", "run_bounds"]

Flags = NDArray[np.bool_]


def run_bounds(flags: Flags) -> NDArray[np.int64]:
    """Return the half-open bounds of each run of true flags, int64 (N, 2).

    Examples
    --------
    >>> run_bounds(np.array([False, True, True, False, True])).tolist()
    [[1, 3], [4, 5]]
    """
    padded = np.concatenate([[False], flags, [False]])
    return np.flatnonzero(padded[1:] != padded[:-1]).reshape(-1, 2)


def folded_length(length: int, runs: NDArray[np.int64], gap: int) -> int:
    """Return what is left of a length if each run of that many repeats keeps at most `gap` of them.

    Examples
    --------
    >>> folded_length(20, np.array([3, 9]), gap=4)
    15
    """
    return length - int(np.maximum(runs - gap, 0).sum())


def kept(repeated: Flags, gap: int, target: int) -> NDArray[np.int32]:
    """Choose exactly `target` rows: all that do not repeat, and of each run its first ones.

    Runs keep `gap` repeats each, or more where the target leaves room: the room is shared out evenly, so that the runs
    that were longest stay longest.

    Parameters
    ----------
    repeated : ndarray
        bool (N,), whether a row repeats the one before.
    gap : int
        The least that a run keeps, where it is that long.
    target : int
        How many rows to keep, from the folded length to N.

    Returns
    -------
    ndarray
        int32 (target,), increasing indices.

    Examples
    --------
    >>> kept(np.array([0, 1, 1, 1, 0, 1], bool), gap=1, target=4).tolist()
    [0, 1, 4, 5]
    """
    bounds = run_bounds(repeated)
    starts, lengths = bounds[:, 0], bounds[:, 1] - bounds[:, 0]
    low, high = gap, max(gap, len(repeated))
    while low < high:  # the largest gap that still fits
        middle = (low + high + 1) // 2
        if folded_length(len(repeated), lengths, middle) <= target:
            low = middle
        else:
            high = middle - 1
    room = target - folded_length(len(repeated), lengths, low)
    allowed = np.full(len(lengths), low)
    allowed[np.flatnonzero(lengths > low)[::-1][:room]] += 1
    keep = np.ones(len(repeated), bool)
    for start, length, stay in zip(starts.tolist(), lengths.tolist(), allowed.tolist(), strict=True):
        keep[start + stay : start + length] = False
    return np.flatnonzero(keep).astype(np.int32)
