"""How far a picture has scrolled or panned since the one before it, to the pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pixtrim import kernels
from pixtrim.operators.prune.picture import Pixels, TokenPicture

__all__ = ["find_offsets", "shifts"]

MAX_OFFSETS = 4
"""More shifts than this are not looked for: a screen has few panes that scroll at once."""

RARITY = 64
"""One in so many windows of 32 pixels is a landmark: a few thousand on a screen."""

CANDIDATES = 8
"""Shifts with the most landmarks in common that are tried."""

LEAST_LANDMARKS = 3
"""Landmarks that must agree on a shift; one alone may be chance."""

LEAST_TOKENS = 2
"""Tokens that a shift must save."""


def shifts(pixels: Pixels, reference: Pixels, most: int = CANDIDATES) -> NDArray[np.int32]:
    """Find the displacements by which landmarks of a picture are found in another one.

    A landmark is a row of 32 pixels that is chosen by what it looks like, so that it is chosen in both pictures
    wherever it lies. Only those that either picture has once are used: a repeated one does not say where it came from.

    Parameters
    ----------
    pixels, reference : ndarray
        uint8 (H, W, 3) and (H2, W2, 3), C-contiguous.
    most : int
        At most so many.

    Returns
    -------
    ndarray
        int32 (K, 2): displacements (dy, dx) from the picture into the reference, (0, 0) left out, those with the most
        landmarks first.

    Examples
    --------
    >>> wall = np.random.default_rng(0).integers(0, 256, (300, 200, 3), np.uint8)
    >>> shifts(np.ascontiguousarray(wall[37:250, 5:190]), wall).tolist()
    [[37, 5]]
    """
    keys, places = _once(*kernels.landmarks(pixels, RARITY))
    other_keys, other_places = _once(*kernels.landmarks(reference, RARITY))
    _, here, there = np.intersect1d(keys, other_keys, assume_unique=True, return_indices=True)
    moved, votes = np.unique(other_places[there] - places[here], axis=0, return_counts=True)
    real = (votes >= LEAST_LANDMARKS) & moved.any(axis=1)
    moved, votes = moved[real], votes[real]
    return np.ascontiguousarray(moved[np.argsort(-votes, kind="stable")][:most], np.int32)


def _once(keys: NDArray[np.uint64], places: NDArray[np.int32]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Keep the landmarks whose key occurs once."""
    unique, first, counts = np.unique(keys, return_index=True, return_counts=True)
    return unique[counts == 1], places[first[counts == 1]]


def find_offsets(picture: TokenPicture, kept: NDArray[np.int32]) -> NDArray[np.int32]:
    """Choose displacements into the reference at which it has tokens that the picture would have to keep.

    Parameters
    ----------
    picture : TokenPicture
        With its reference.
    kept : ndarray
        int32 (n,): the tokens that are kept with the reference at the same place alone.

    Returns
    -------
    ndarray
        int32 (K, 2), (0, 0) first, then at most `MAX_OFFSETS` shifts, each of which saves tokens that those before it
        do not.
    """
    chosen = [np.zeros(2, np.int32)]
    if picture.reference is None:
        return np.empty((0, 2), np.int32)
    candidates = shifts(picture.pixels, picture.reference)
    matches = np.array([picture.matches_reference(kept, offset) for offset in candidates]).reshape(-1, len(kept))
    while len(chosen) <= MAX_OFFSETS and len(matches):
        gains = matches.sum(axis=1)
        best = int(gains.argmax())
        if gains[best] < LEAST_TOKENS:
            break
        chosen.append(candidates[best])
        matches = matches[:, ~matches[best]]
    return np.array(chosen, np.int32)
