"""Where a picture drifts: from row to row it repeats itself, and yet its two ends must not fall together.

A smooth gradient changes in steps too small to count. So every eighth row is compared with the one eight rows before,
every sixteenth with the one sixteen rows before, and so on: a pixel has drifted where the two differ by more than a
limit and nothing changed between them. It is marked on the later row. As each distance is twice the one before, a
steady gradient drifts by about twice the limit from one mark to the next, whatever its slope. Columns alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pixtrim import kernels

__all__ = ["drifted_columns", "drifted_rows"]

Pixels = NDArray[np.uint8]
Words = NDArray[np.uint64]

STEP = 8  # pixels between what is compared, at the least; eight columns are one byte of a bit map
EVERY = 8  # for columns, so many rows stand for all of them: gradients are not as thin as a line


def drifted_rows(pixels: Pixels, down: Words, limit: int, threads: int = 1) -> Words:
    """Mark the pixels that drifted downwards, on some of the rows that are multiples of eight.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3), C-contiguous.
    down : ndarray
        A bit map of `pixtrim.kernels`: the changes from the pixel above.
    limit : int
        0 to 255 levels that a pixel may drift unmarked.
    threads : int
        The most threads to use.

    Returns
    -------
    ndarray
        A bit map, uint64 of the shape of `down`.
    """
    sample = _sampled(pixels, STEP, 1, threads)
    starts = np.maximum(np.arange(len(sample)) * STEP - STEP + 1, 0)
    changed: Words = np.bitwise_or.reduceat(down[: starts[-1] + STEP], starts)
    marks = np.zeros_like(down)
    step = STEP
    while len(sample) > 1:
        marks[::step] |= kernels.change_bits(sample, limit, threads)[0] & ~changed
        step *= 2
        sample = _sampled(sample, 2, 1, threads)
        longer = changed[::2].copy()
        longer[1:] |= changed[1:-1:2]
        changed = longer
    return marks


def drifted_columns(pixels: Pixels, right: Words, limit: int, threads: int = 1) -> Words:
    """Mark the pixels that drifted to the right, on some of the columns that are multiples of eight.

    The arguments are those of `drifted_rows`. Every eighth row is looked at.
    """
    sample = _sampled(pixels, EVERY, STEP, threads)
    octets = right[::EVERY].astype("<u8", copy=False).view(np.uint8)[:, : sample.shape[1]]
    changed = octets & 1 != 0
    changed[:, 1:] |= octets[:, :-1] & 0xFE != 0
    drifted = np.zeros(changed.shape, np.bool_)
    step = 1
    while sample.shape[1] > 1:
        differs = kernels.change_bits(sample, limit, threads)[1].astype("<u8", copy=False).view(np.uint8)
        drifted[:, ::step] |= np.unpackbits(differs, axis=1, count=sample.shape[1], bitorder="little") > changed
        step *= 2
        sample = _sampled(sample, 1, 2, threads)
        longer = changed[:, ::2].copy()
        longer[:, 1:] |= changed[:, 1:-1:2]
        changed = longer
    marks = np.zeros((len(right), 8 * right.shape[1]), np.uint8)
    marks[::EVERY, : drifted.shape[1]] = drifted
    words: Words = marks.view("<u8").astype(np.uint64, copy=False)
    return words


def _sampled(pixels: Pixels, down: int, across: int, threads: int) -> Pixels:
    """Return every so many rows and columns of a picture; contiguous, and much faster than a slice."""
    rows, columns = (
        np.arange(0, size, step, dtype=np.int32) for size, step in zip(pixels.shape, (down, across), strict=False)
    )
    sample = np.empty((len(rows), len(columns), 3), np.uint8)
    kernels.gather(pixels, rows, columns, sample, 0, 0, threads)
    return sample
