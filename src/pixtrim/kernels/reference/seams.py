"""The kernels of seam carving: which pixels leave, row by row, and the pictures without them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pixtrim.kernels.reference.checks import MAX_THREADS, PIXELS, check_array, check_range

__all__ = ["drop_seams", "find_seams", "luma", "transpose"]

Bytes = NDArray[np.uint8]
Order = NDArray[np.uint16]
Sums = NDArray[np.int64]

GRADIENT, FORWARD, IMPORTANCE = range(3)

FORBIDDEN: Final = 255  # a bias that no seam crosses
MAX_LENGTH: Final = (1 << 16) - 1  # pixels of a side
MAX_LIMIT: Final = (1 << 31) - 1  # above the energy of any seam
MAX_PER_PASS: Final = 4

_NO_PATH: Final = 65535  # the sum of a pixel that no seam reaches
_LARGEST_SUM: Final = 49000
_ROWS_BETWEEN: Final = 30  # from one renewal of the sums to the next; these add at most 30 * (254 + 255)
_PLANE = "a C-contiguous uint8 array of shape (H, W)"


def luma(pixels: Bytes, threads: int = 1) -> Bytes:
    """Return the luma of a picture: ``(77 R + 150 G + 29 B + 128) // 256``.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3), C-contiguous.
    threads : int
        The most threads to use, 1 to 256; the result does not depend on it. This function uses one.

    Returns
    -------
    ndarray
        uint8 (H, W).

    Raises
    ------
    TypeError
        If the array is of another dtype, shape or layout.
    ValueError
        If a number is outside its range.

    Examples
    --------
    >>> luma(np.array([[[255, 255, 255], [0, 200, 0]]], np.uint8)).tolist()
    [[255, 117]]
    """
    check_array("pixels", pixels, np.uint8, (None, None, 3), PIXELS)
    check_range("threads", threads, 1, MAX_THREADS)
    weighted = pixels.astype(np.int32) @ np.array([77, 150, 29], np.int32)
    return ((weighted + 128) >> 8).astype(np.uint8)


def find_seams(
    luma: Bytes | None,
    bias: Bytes | None,
    energy: int,
    seams: int,
    seams_per_pass: int = 1,
    limit: int = MAX_LIMIT,
) -> tuple[Order, int]:
    """Find vertical seams, one after the other, each of the least energy in what the ones before it left.

    A seam has a pixel in every row, and those of neighbouring rows are at most a column apart [1]_. Its energy is the
    sum over its pixels. With I for the luma, edge pixels repeated beside the picture, of a pixel at row y, column x:

    0, gradient
        ``|I[y, x + 1] - I[y, x - 1]| + |I[y + 1, x] - I[y - 1, x]| + bias``, at most 254.
    1, forward
        ``|I[y, x + 1] - I[y, x - 1]| + bias``, at most 254, the edge between the pixels that become neighbours. To
        that comes ``|I[y - 1, x] - I[y, x - 1]|`` where the pixel above is the one to the left, and
        ``|I[y - 1, x] - I[y, x + 1]|`` where it is the one to the right [2]_.
    2, importance
        The bias.

    A pixel whose bias is 255 is never taken. All of that is looked at afresh after each pass.

    The sums of energies from the top down are those of 16-bit integers. Before row 30 and after every 30 rows from
    there, the least sum of the row above is taken off that row, and what then exceeds 49000 becomes 49000; so no sum
    overflows, and paths that are that much worse than the best one count as equally bad. Of equal sums, the leftmost
    counts: of the three above a pixel, as of the ends of seams in the last row.

    A pass takes up to `seams_per_pass` seams from the same sums. Each after the first starts at the least end that is
    left, and goes around the pixels that are taken; where it cannot, or its energy exceeds the limit, the pass ends.
    The search ends where that befalls a pass's first seam.

    Parameters
    ----------
    luma : ndarray or None
        uint8 (H, W), C-contiguous. It is needed save for the energy 2, which does not look at it.
    bias : ndarray or None
        uint8 (H, W), C-contiguous: what a pixel costs more, 0 to 254, or 255 to keep it. None is 0 everywhere, and is
        not possible for the energy 2.
    energy : int
        0, 1 or 2, as above.
    seams : int
        How many to find, 0 to W - 1.
    seams_per_pass : int
        1 to 4.
    limit : int
        The largest energy of a seam, 0 to 2**31 - 1.

    Returns
    -------
    order : ndarray
        uint16 (H, W): k for the pixels that seam k takes, from 1 on, and 0 for those that stay. The pixels above 0
        and up to n are those to take out for a picture n pixels narrower.
    count : int
        The number of seams.

    Raises
    ------
    TypeError
        If an array is of another dtype, shape or layout.
    ValueError
        If a number is outside its range, or the planes are of different sizes.

    References
    ----------
    .. [1] S. Avidan, A. Shamir, "Seam carving for content-aware image resizing", ACM Transactions on Graphics, vol. 26,
       no. 3, 2007.
    .. [2] M. Rubinstein, A. Shamir, S. Avidan, "Improved seam carving for video retargeting", ACM Transactions on
       Graphics, vol. 27, no. 3, 2008.

    Examples
    --------
    >>> bias = np.array([[9, 0, 9, 3], [0, 9, 9, 3]], np.uint8)
    >>> order, count = find_seams(None, bias, energy=2, seams=2)
    >>> order.tolist(), count
    ([[0, 1, 0, 2], [1, 0, 0, 2]], 2)
    """
    planes = _planes(luma, bias, energy, seams)
    check_range("seams_per_pass", seams_per_pass, 1, MAX_PER_PASS)
    check_range("limit", limit, 0, MAX_LIMIT)
    height, width = planes[0].shape
    order = np.zeros((height, width), np.uint16)
    columns = np.tile(np.arange(width), (height, 1))  # of the original, for each pixel that is left
    rows, count = np.arange(height), 0
    while count < seams:
        found = _pass(planes, energy, min(seams_per_pass, seams - count), limit)
        if not found:
            break
        left = np.ones(columns.shape, np.bool_)
        for places in found:
            count += 1
            order[rows, columns[rows, places]] = count
            left[rows, places] = False
        columns, *planes = (plane[left].reshape(height, -1) for plane in (columns, *planes))
    return order, count


def _planes(luma: Bytes | None, bias: Bytes | None, energy: int, seams: int) -> list[Sums]:
    """Check the planes; return both, zero where one is not there."""
    check_range("energy", energy, GRADIENT, IMPORTANCE)
    if luma is not None or energy != IMPORTANCE:
        check_array("luma", luma, np.uint8, (None, None), _PLANE)
    if bias is not None or energy == IMPORTANCE:
        check_array("bias", bias, np.uint8, (None, None), _PLANE)
    given = [plane for plane in (luma, bias) if plane is not None]
    if given[0].shape != given[-1].shape:
        raise ValueError(f"bias must have the shape of luma, {given[0].shape}, got {given[-1].shape}")
    height, width = given[0].shape
    check_range("the height", height, 1, MAX_LENGTH)
    check_range("the width", width, 1, MAX_LENGTH)
    check_range("seams", seams, 0, width - 1)
    return [np.zeros((height, width), np.int64) if plane is None else plane.astype(np.int64) for plane in (luma, bias)]


def _pass(planes: list[Sums], energy: int, most: int, limit: int) -> list[NDArray[np.intp]]:
    """Find up to `most` seams without a common pixel; return the column of each in every row."""
    costs, to_left, to_right = _costs(planes[0], planes[1], energy)
    sums = _sums(costs, to_left, to_right)
    found: list[NDArray[np.intp]] = []
    for _ in range(most):
        x = int(sums[-1].argmin())
        if sums[-1, x] == _NO_PATH:
            break
        places = np.empty(len(sums), np.intp)
        total = 0
        for y in range(len(sums) - 1, -1, -1):
            places[y] = x
            total += int(costs[y, x])
            if y == 0:
                break
            ways = _ways(sums[y - 1], to_left[y], to_right[y])[:, x]
            way = int(ways.argmin())
            if ways[way] == _NO_PATH:
                return found
            total += (int(to_left[y, x]), 0, int(to_right[y, x]))[way]
            x += way - 1
        if total > limit:
            break
        found.append(places)
        sums[np.arange(len(sums)), places] = _NO_PATH
    return found


def _costs(luma: Sums, bias: Sums, energy: int) -> tuple[Sums, Sums, Sums]:
    """Return the energies, and what a way from the upper left and from the upper right adds."""
    around = np.pad(luma, 1, mode="edge")
    left, right = around[1:-1, :-2], around[1:-1, 2:]
    above, below = around[:-2, 1:-1], around[2:, 1:-1]
    own = bias.copy()
    if energy != IMPORTANCE:
        own += abs(right - left)
    if energy == GRADIENT:
        own += abs(below - above)
    own = np.where(bias == FORBIDDEN, _NO_PATH, np.minimum(own, FORBIDDEN - 1))
    if energy == FORWARD:
        return own, abs(above - left), abs(above - right)
    return own, np.zeros_like(own), np.zeros_like(own)


def _sums(costs: Sums, to_left: Sums, to_right: Sums) -> Sums:
    """Sum the energies from the top down."""
    sums = costs.copy()
    for y in range(1, len(sums)):
        above = sums[y - 1]
        if y % _ROWS_BETWEEN == 0:
            reached = above != _NO_PATH
            above[reached] = np.minimum(above[reached] - above.min(), _LARGEST_SUM)
        sums[y] = np.minimum(costs[y] + _ways(above, to_left[y], to_right[y]).min(axis=0), _NO_PATH)
    return sums


def _ways(above: Sums, to_left: Sums, to_right: Sums) -> Sums:
    """Return (3, W): the sums with which a pixel is reached from the upper left, from above, from the upper right."""
    padded = np.pad(above, 1, constant_values=_NO_PATH)
    return np.minimum(np.stack([padded[:-2] + to_left, above, padded[2:] + to_right]), _NO_PATH)


def drop_seams(values: NDArray[Any], order: Order, seams: int, axis: int = 1) -> NDArray[Any]:
    """Take pixels out of a picture; the others close up.

    Parameters
    ----------
    values : ndarray
        uint8 (H, W, 3) or (H, W), or uint32 (H, W), C-contiguous.
    order : ndarray
        uint16 (H, W), C-contiguous, as `find_seams` returns it; for the axis 0 it is (W, H), the picture's transpose.
    seams : int
        The pixels with an order from 1 to this one leave, 0 to 65535.
    axis : int
        1 shortens the rows, 0 the columns.

    Returns
    -------
    ndarray
        The picture without them.

    Raises
    ------
    TypeError
        If an array is of another dtype, shape or layout.
    ValueError
        If a number is outside its range, the arrays do not fit each other, or the rows (for the axis 0: columns) do
        not lose equally many.

    Examples
    --------
    >>> order = np.array([[0, 1, 0, 2], [1, 0, 0, 2]], np.uint16)
    >>> drop_seams(np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.uint8), order, seams=1).tolist()
    [[1, 3, 4], [6, 7, 8]]
    """
    known = isinstance(values, np.ndarray) and values.flags.c_contiguous
    if not known or (values.dtype, values.ndim, *values.shape[2:]) not in (
        (np.uint8, 3, 3),
        (np.uint8, 2),
        (np.uint32, 2),
    ):
        check_array(
            "values", values, np.uint8, (None, None, 3), "uint8 (H, W, 3) or (H, W), or uint32 (H, W), C-contiguous"
        )
    check_range("axis", axis, 0, 1)
    check_array("order", order, np.uint16, (None, None), "a C-contiguous uint16 array of shape (H, W)")
    check_range("seams", seams, 0, MAX_LENGTH)
    shape = values.shape[:2] if axis else values.shape[1::-1]
    if order.shape != shape:
        raise ValueError(f"order must have the shape {shape}, got {order.shape}")
    kept = (order == 0) | (order > seams)
    counts = kept.sum(axis=1)
    if len(counts) and counts.min() != counts.max():
        raise ValueError(
            f"every line must lose equally many pixels, got one that keeps {counts.min()} and one of {counts.max()}"
        )
    lines = values if axis else values.swapaxes(0, 1)
    left = lines[kept].reshape(len(kept), counts[0] if len(counts) else kept.shape[1], *values.shape[2:])
    return np.ascontiguousarray(left if axis else left.swapaxes(0, 1))


def transpose(values: Bytes) -> Bytes:
    """Return a plane with rows and columns exchanged.

    Parameters
    ----------
    values : ndarray
        uint8 (H, W), C-contiguous.

    Returns
    -------
    ndarray
        uint8 (W, H), C-contiguous.

    Raises
    ------
    TypeError
        If the array is of another dtype, shape or layout.

    Examples
    --------
    >>> transpose(np.array([[1, 2, 3]], np.uint8)).tolist()
    [[1], [2], [3]]
    """
    check_array("values", values, np.uint8, (None, None), _PLANE)
    return np.ascontiguousarray(values.T)
