"""Straight edges of a picture, as segments, from its bit maps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pixtrim import kernels
from pixtrim.operators.fold.changes import Axis

__all__ = ["Segments", "segments", "thin"]

Words = NDArray[np.uint64]
Segments = NDArray[np.int64]
"""int64 (N, 3): where a segment stands across its axis, where it starts and where it ends (excluded), sorted."""

WORD = 64


def segments(bits: Words, axis: Axis, length: int, gap: int = 0) -> Segments:
    """Find the runs of set bits along an axis.

    Parameters
    ----------
    bits : ndarray
        A bit map of `pixtrim.kernels`: uint64 (H, words).
    axis : {0, 1}
        0: runs down a column, such as the left edge of a bar. 1: runs along a row.
    length : int
        The shortest run, in pixels.
    gap : int
        Runs with at most that many pixels between them are one: dotted and dashed lines.

    Returns
    -------
    ndarray
        int64 (N, 3), sorted: (column, first row, last row + 1) for axis 0, (row, first column, last column + 1) for
        axis 1.

    Examples
    --------
    >>> from pixtrim.kernels import change_bits
    >>> pixels = np.zeros((6, 9, 3), np.uint8)
    >>> pixels[2:, 3:8] = 255
    >>> down, right = change_bits(pixels, threshold=2)
    >>> segments(down, 1, length=4).tolist(), segments(right, 0, length=4).tolist()
    ([[2, 3, 8]], [[3, 2, 6], [8, 2, 6]])
    """
    least = -(-length // (gap + 1))
    rows = np.flatnonzero(kernels.row_counts(bits, 0, len(bits), 0, WORD * bits.shape[1]) >= least) if axis else None
    runs = bits.copy() if rows is None else bits[rows]  # rows with too few bits have no runs
    for step in _doubling(gap + 1):  # close the gaps: a bit spreads to the `gap` bits after it
        runs |= _later(runs, step, axis)
    for step in _doubling(gap + length):  # and erode: a bit stays where the whole length from it on is set
        runs &= _earlier(runs, step, axis)
    starts = _places(runs & ~_later(runs, 1, axis), axis)
    ends = _places(runs & ~_earlier(runs, 1, axis), axis)
    if rows is not None:
        starts[:, 0] = rows[starts[:, 0]]
    return np.column_stack([starts, ends[:, 1] + length])


def thin(bits: Words, axis: Axis) -> Words:
    """Keep the edges of thin lines: of one to three pixels, with nothing close beside them.

    Parameters
    ----------
    bits : ndarray
        The changes to the right for axis 0 (lines down a column), the changes downwards for axis 1 (lines along a row).
    axis : {0, 1}
        How the lines run.

    Returns
    -------
    ndarray
        A bit map of the same shape.
    """
    across: Axis = 1 if axis == 0 else 0
    second, beside = _earlier(bits, 1, across), _later(bits, 2, across)
    for step in (2, 3):
        second |= _earlier(bits, step, across)
    for quiet in (_later(bits, 3, across), _earlier(bits, 4, across), _earlier(bits, 5, across)):
        beside |= quiet
    second &= bits
    second &= ~beside
    return second


def _doubling(total: int) -> list[int]:
    """Return shifts which, one after the other, combine `total` neighbours."""
    steps, have = [], 1
    while have < total:
        steps.append(min(have, total - have, WORD - 1))
        have += steps[-1]
    return steps


def _earlier(bits: Words, step: int, axis: Axis) -> Words:
    """Move every bit `step` pixels up or to the left."""
    if axis == 0:
        moved = np.empty_like(bits)
        moved[:-step] = bits[step:]
        moved[-step:] = 0
        return moved
    moved = bits >> np.uint64(step)
    moved[:, :-1] |= bits[:, 1:] << np.uint64(WORD - step)
    return moved


def _later(bits: Words, step: int, axis: Axis) -> Words:
    """Move every bit `step` pixels down or to the right."""
    if axis == 0:
        moved = np.empty_like(bits)
        moved[step:] = bits[:-step]
        moved[:step] = 0
        return moved
    moved = bits << np.uint64(step)
    moved[:, 1:] |= bits[:, :-1] >> np.uint64(WORD - step)
    return moved


def _places(bits: Words, axis: Axis) -> NDArray[np.int64]:
    """Return (across, along) of each set bit, sorted."""
    full = np.flatnonzero(bits)
    octets = bits.ravel()[full].astype("<u8").view(np.uint8).reshape(-1, 8)
    which, bit = np.nonzero(np.unpackbits(octets, axis=1, bitorder="little"))
    rows, words = np.divmod(full[which], bits.shape[1])
    columns = words * WORD + bit
    if axis == 1:
        return np.column_stack([rows, columns])
    order = np.lexsort((rows, columns))
    return np.column_stack([columns[order], rows[order]])
