"""The kernel that finds places which look the same wherever they lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pixtrim.kernels.reference.checks import PIXELS, check_array, check_range

__all__ = ["landmarks"]

_WINDOW = 32  # pixels
_LEAST_CHANGES = 4  # steps from a pixel of the window to the next at which the colour changes
_BASE = 0x9E3779B97F4A7C15  # any odd number does whose bits look random
_MIX = 0xD6E8FEB86659FD93  # likewise


def landmarks(pixels: NDArray[np.uint8], rarity: int) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Sample a picture at places that its own contents choose.

    Every run of 32 pixels of a row is a window. A window is chosen by the hash of its colours alone, so that it is
    chosen in any picture and at any place where the same pixels lie [1]_; about one window in `rarity` is. Windows in
    which the colour changes at fewer than 4 of the 31 steps are left out, for those are alike everywhere.

    With the colour of a pixel as the number ``v = r << 16 | g << 8 | b``, the hash is the sum of
    ``v[j] * B**(31 - j)`` over the window [2]_ for an odd constant B, mixed; all of it modulo ``2**64``.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3), C-contiguous.
    rarity : int
        A window is chosen if its hash is a multiple of this, 1 to 65536.

    Returns
    -------
    keys : ndarray
        uint64 (n,): the hashes of the chosen windows, in raster order.
    places : ndarray
        int32 (n, 2): the row and the first column of each.

    Raises
    ------
    TypeError
        If the array is of another dtype, shape or layout.
    ValueError
        If a number is outside its range.

    References
    ----------
    .. [1] A. Muthitacharoen, B. Chen, D. Mazieres, "A low-bandwidth network file system", Proc. 18th ACM Symposium on
       Operating Systems Principles, 2001, pp. 174-187.
    .. [2] R. M. Karp, M. O. Rabin, "Efficient randomized pattern-matching algorithms", IBM Journal of Research and
       Development, vol. 31, no. 2, pp. 249-260, 1987.

    Examples
    --------
    >>> pixels = np.random.default_rng(0).integers(0, 256, (9, 80, 3), np.uint8)
    >>> keys, places = landmarks(pixels, rarity=64)
    >>> moved_keys, moved_places = landmarks(np.ascontiguousarray(pixels[2:, 10:]), rarity=64)
    >>> here, there = np.intersect1d(keys, moved_keys, return_indices=True)[1:]
    >>> np.unique(places[here] - moved_places[there], axis=0).tolist()
    [[2, 10]]
    """
    check_array("pixels", pixels, np.uint8, (None, None, 3), PIXELS)
    check_range("rarity", rarity, 1, 1 << 16)
    red, green, blue = np.moveaxis(pixels.astype(np.uint64), 2, 0)
    colours = red << np.uint64(16) | green << np.uint64(8) | blue
    hashes, changes = _hashes(colours), _changes(colours)
    rows, columns = np.nonzero((hashes % np.uint64(rarity) == 0) & (changes >= _LEAST_CHANGES))
    return hashes[rows, columns], np.stack([rows, columns], axis=1).astype(np.int32)


def _hashes(colours: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hash the window that starts at each pixel, as far as they lie inside."""
    count = max(0, colours.shape[1] - _WINDOW + 1)
    sums, length = colours, 1
    while length < _WINDOW:  # the hash of a window is made up of those of its halves
        left, right = sums[:, :-length], sums[:, length:]
        sums, length = left * np.uint64(pow(_BASE, length, 1 << 64)) + right, 2 * length
    sums = sums[:, :count]
    sums = (sums ^ sums >> np.uint64(32)) * np.uint64(_MIX)
    return sums ^ sums >> np.uint64(32)


def _changes(colours: NDArray[np.uint64]) -> NDArray[np.int32]:
    """Count the steps at which the colour changes in the window that starts at each pixel."""
    steps = np.zeros(colours.shape, np.int32)
    steps[:, 1:] = colours[:, 1:] != colours[:, :-1]
    before = np.cumsum(steps, axis=1, dtype=np.int32)  # up to and with the step to each pixel
    count = max(0, colours.shape[1] - _WINDOW + 1)
    return before[:, _WINDOW - 1 :] - before[:, :count]
