"""The definition of every kernel, in NumPy.

The native module has functions of the same names and arguments, and gives the same results bit for bit.
A *bit map* is a uint64 array of shape (H, ceil(W / 64)): pixel (y, x) is bit ``x % 64`` of word ``[y, x // 64]``, and
the bits past the width are zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["change_bits", "column_counts", "row_counts"]

MAX_THREADS = 256

Bits = NDArray[np.uint64]
Counts = NDArray[np.int32]


def change_bits(pixels: NDArray[np.uint8], threshold: int, threads: int = 1) -> tuple[Bits, Bits]:
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
    _check_array("pixels", pixels, np.uint8, (3,), "a C-contiguous uint8 array of shape (H, W, 3)")
    _check_range("threshold", threshold, 0, 255)
    _check_range("threads", threads, 1, MAX_THREADS)
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


def _differs(a: NDArray[np.uint8], b: NDArray[np.uint8], threshold: int) -> NDArray[np.bool_]:
    over = np.maximum(a, b) - np.minimum(a, b) > threshold
    return over[..., 0] | over[..., 1] | over[..., 2]


def _packed(flags: NDArray[np.bool_]) -> Bits:
    height, width = flags.shape
    octets = np.zeros((height, -(-width // 64) * 8), np.uint8)
    octets[:, : -(-width // 8)] = np.packbits(flags, axis=1, bitorder="little")
    return octets.view("<u8").astype(np.uint64, copy=False)


def _box(bits: Bits, y0: int, y1: int, x0: int, x1: int) -> NDArray[np.uint8]:
    """Return the bits of a box as uint8 (rows, columns) of 0 and 1."""
    _check_array("bits", bits, np.uint64, (), "a C-contiguous uint64 array of shape (H, words)")
    _check_range("y1", y1, 0, bits.shape[0])
    _check_range("y0", y0, 0, y1)
    _check_range("x1", x1, 0, 64 * bits.shape[1])
    _check_range("x0", x0, 0, x1)
    octets = bits[y0:y1].astype("<u8").view(np.uint8)
    return np.unpackbits(octets, axis=1, bitorder="little")[:, x0:x1]


def _check_array(name: str, array: Any, dtype: type, tail: tuple[int, ...], expected: str) -> None:
    """Check the dtype, the layout, and the shape: two free axes and the given tail."""
    known = isinstance(array, np.ndarray) and array.dtype == dtype and array.flags.c_contiguous
    if known and array.ndim == 2 + len(tail) and array.shape[2:] == tail:
        return
    what = [type(array).__name__, *(str(getattr(array, key)) for key in ("dtype", "shape") if hasattr(array, key))]
    raise TypeError(f"{name} must be {expected}, got {' '.join(what)}")


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an integer, got {type(value).__name__}")
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high}, got {value}")
