"""The kernels on the pixels of whole pictures.

A *bit map* is a uint64 array of shape (H, ceil(W / 64)): pixel (y, x) is bit ``x % 64`` of word ``[y, x // 64]``, and
the bits past the width are zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixtrim.kernels.filters import WEIGHT_BITS
from pixtrim.kernels.reference.checks import (
    MAX_THREADS,
    PIXELS,
    check_array,
    check_fits,
    check_indices,
    check_range,
    check_weights,
)

__all__ = ["change_bits", "column_counts", "gather", "resample", "row_counts"]

Pixels = NDArray[np.uint8]
Bits = NDArray[np.uint64]
Counts = NDArray[np.int32]
Indices = NDArray[np.int32]
Weights = NDArray[np.int16]

_MIDDLE_BITS = 6  # fractional bits of a picture that is resampled along one axis


def change_bits(pixels: Pixels, threshold: int, threads: int = 1) -> tuple[Bits, Bits]:
    """Mark the pixels that differ from the pixel above and from the pixel on the left.

    A pixel differs where the absolute difference exceeds the threshold in at least one channel. Row 0 has no pixel
    above and column 0 none on the left: they are not marked there.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3), C-contiguous.
    threshold : int
        The largest difference that still counts as equal, 0 to 255 levels.
    threads : int
        The most threads to use, 1 to 256; the result does not depend on it. This function uses one.

    Returns
    -------
    down, right : ndarray
        Two bit maps, uint64 (H, ceil(W / 64)): the changes from the pixel above, and from the pixel on the left.

    Raises
    ------
    TypeError
        If the array is of another dtype, shape or layout.
    ValueError
        If a number is outside its range.

    Examples
    --------
    >>> pixels = np.zeros((2, 3, 3), np.uint8)
    >>> pixels[1, 2] = 9
    >>> down, right = change_bits(pixels, threshold=8)
    >>> down.tolist(), right.tolist()
    ([[0], [4]], [[0], [4]])
    """
    check_array("pixels", pixels, np.uint8, (None, None, 3), PIXELS)
    check_range("threshold", threshold, 0, 255)
    check_range("threads", threads, 1, MAX_THREADS)
    down = np.zeros(pixels.shape[:2], np.bool_)
    right = np.zeros(pixels.shape[:2], np.bool_)
    down[1:] = _differs(pixels[1:], pixels[:-1], threshold)
    right[:, 1:] = _differs(pixels[:, 1:], pixels[:, :-1], threshold)
    return _packed(down), _packed(right)


def row_counts(bits: Bits, y0: int, y1: int, x0: int, x1: int) -> Counts:
    """Count the set bits in each row of a box of a bit map.

    Parameters
    ----------
    bits : ndarray
        A bit map: uint64 (H, words), C-contiguous.
    y0, y1, x0, x1 : int
        The box, ends excluded: ``0 <= y0 <= y1 <= H`` and ``0 <= x0 <= x1 <= 64 * words``.

    Returns
    -------
    ndarray
        int32 (y1 - y0,).

    Raises
    ------
    TypeError
        If the array is of another dtype, shape or layout.
    ValueError
        If the box is not inside the bit map.

    Examples
    --------
    >>> row_counts(np.array([[0b1011], [0b0110]], np.uint64), 0, 2, 1, 4).tolist()
    [2, 2]
    """
    counts: Counts = _box(bits, y0, y1, x0, x1).sum(axis=1, dtype=np.int32)
    return counts


def column_counts(bits: Bits, y0: int, y1: int, x0: int, x1: int) -> Counts:
    """Count the set bits in each column of a box of a bit map.

    The arguments and errors are those of `row_counts`.

    Returns
    -------
    ndarray
        int32 (x1 - x0,).

    Examples
    --------
    >>> column_counts(np.array([[0b1011], [0b0110]], np.uint64), 0, 2, 1, 4).tolist()
    [2, 1, 1]
    """
    counts: Counts = _box(bits, y0, y1, x0, x1).sum(axis=0, dtype=np.int32)
    return counts


def gather(pixels: Pixels, rows: Indices, columns: Indices, out: Pixels, y: int, x: int, threads: int = 1) -> None:
    """Move some rows and columns of a picture together, to a place in another one.

    ``out[y : y + len(rows), x : x + len(columns)]`` becomes ``pixels[np.ix_(rows, columns)]``.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3), C-contiguous.
    rows, columns : ndarray
        The indices of the rows and columns that are kept: int32 (N,), C-contiguous, each above the one before.
    out : ndarray
        Where to write: uint8 (H, W, 3) of any size, C-contiguous. It shares no memory with `pixels`.
    y, x : int
        The row and the column of `out` at which the result starts.
    threads : int
        The most threads to use, 1 to 256; the result does not depend on it. This function uses one.

    Raises
    ------
    TypeError
        If an array is of another dtype, shape or layout, or `out` is read-only.
    ValueError
        If an index or number is outside its range, the indices do not rise, the result does not fit into `out`, or
        `out` shares memory with `pixels`.

    Examples
    --------
    >>> pixels = np.arange(4, dtype=np.uint8).reshape(2, 2, 1).repeat(3, axis=2)
    >>> out = np.full((2, 3, 3), 9, np.uint8)
    >>> gather(pixels, np.array([1], np.int32), np.array([0, 1], np.int32), out, 0, 1)
    >>> out[..., 0].tolist()
    [[9, 2, 3], [9, 9, 9]]
    """
    check_array("pixels", pixels, np.uint8, (None, None, 3), PIXELS)
    check_indices("rows", rows, pixels.shape[0])
    check_indices("columns", columns, pixels.shape[1])
    check_array("out", out, np.uint8, (None, None, 3), "a writable C-contiguous uint8 array of shape (H, W, 3)", True)
    check_fits("y", "rows", len(rows), y, out.shape[0])
    check_fits("x", "columns", len(columns), x, out.shape[1])
    check_range("threads", threads, 1, MAX_THREADS)
    if np.may_share_memory(pixels, out):
        raise ValueError("out must not share memory with pixels")
    out[y : y + len(rows), x : x + len(columns)] = pixels[np.ix_(rows, columns)]


def resample(
    pixels: Pixels,
    row_starts: Indices,
    row_weights: Weights,
    column_starts: Indices,
    column_weights: Weights,
    threads: int = 1,
) -> Pixels:
    """Resample a picture along both axes, by the weights of `pixtrim.kernels.filters.weights`.

    First each column is resampled: the weighted sums are rounded to values of 6 fractional bits, which are not
    clipped. Then each row of those is: the weighted sums are rounded to whole levels and clipped to 0 to 255. Halves
    are rounded up.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3), C-contiguous.
    row_starts, column_starts : ndarray
        int32 (N,), C-contiguous: the first row (or column) that counts for each new one.
    row_weights, column_weights : ndarray
        int16 (N, taps), C-contiguous: the weights of the rows (or columns) from there on, with 14 fractional bits.
    threads : int
        The most threads to use, 1 to 256; the result does not depend on it. This function uses one.

    Returns
    -------
    ndarray
        uint8 (new rows, new columns, 3).

    Raises
    ------
    TypeError
        If an array is of another dtype, shape or layout.
    ValueError
        If a number is outside its range, a weight falls outside the picture, there are not as many starts as rows of
        weights, or the absolute weights of a new row or column sum to more than 2.

    Examples
    --------
    >>> pixels = np.array([[[0, 0, 0], [100, 50, 11]]], np.uint8)
    >>> one, half = np.array([[1 << 14]], np.int16), np.array([[1 << 13, 1 << 13]], np.int16)
    >>> start = np.zeros(1, np.int32)
    >>> resample(pixels, start, one, start, half).tolist()
    [[[50, 25, 6]]]
    """
    check_array("pixels", pixels, np.uint8, (None, None, 3), PIXELS)
    check_weights("row", row_starts, row_weights, pixels.shape[0])
    check_weights("column", column_starts, column_weights, pixels.shape[1])
    check_range("threads", threads, 1, MAX_THREADS)
    middle = _weighted(pixels, row_starts, row_weights, WEIGHT_BITS - _MIDDLE_BITS)
    turned = _weighted(middle.swapaxes(0, 1), column_starts, column_weights, WEIGHT_BITS + _MIDDLE_BITS)
    return np.ascontiguousarray(np.clip(turned.swapaxes(0, 1), 0, 255), np.uint8)


def _weighted(values: NDArray[Any], starts: Indices, weights: Weights, drop: int) -> NDArray[np.int32]:
    """Sum up weighted rows; round off the lowest bits of the sums."""
    sums = np.full((len(starts), *values.shape[1:]), 1 << drop - 1, np.int32)
    for tap in range(weights.shape[1]):
        sums += weights[:, tap, None, None] * values[starts + tap].astype(np.int32, copy=False)
    return sums >> drop


def _differs(a: NDArray[np.uint8], b: Pixels, threshold: int) -> NDArray[np.bool_]:
    over = np.maximum(a, b) - np.minimum(a, b) > threshold
    return over[..., 0] | over[..., 1] | over[..., 2]


def _packed(flags: NDArray[np.bool_]) -> Bits:
    height, width = flags.shape
    octets = np.zeros((height, -(-width // 64) * 8), np.uint8)
    octets[:, : -(-width // 8)] = np.packbits(flags, axis=1, bitorder="little")
    return octets.view("<u8").astype(np.uint64, copy=False)


def _box(bits: Bits, y0: int, y1: int, x0: int, x1: int) -> NDArray[np.uint8]:
    """Return the bits of a box as uint8 (rows, columns) of 0 and 1."""
    check_array("bits", bits, np.uint64, (None, None), "a C-contiguous uint64 array of shape (H, words)")
    check_range("y1", y1, 0, bits.shape[0])
    check_range("y0", y0, 0, y1)
    check_range("x1", x1, 0, 64 * bits.shape[1])
    check_range("x0", x0, 0, x1)
    octets = bits[y0:y1].astype("<u8").view(np.uint8)
    return np.unpackbits(octets, axis=1, bitorder="little")[:, x0:x1]
