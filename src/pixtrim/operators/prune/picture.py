"""What a selector looks at: a picture as a grid of tokens, with a tolerance and perhaps a reference picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from pixtrim.operators.prune.metrics import Tolerance

__all__ = ["NO_OFFSETS", "Origin", "Sources", "TokenPicture", "corners_of", "origins", "roots"]

Pixels = NDArray[np.uint8]
Sources = NDArray[np.int32]

NO_OFFSETS: NDArray[np.int32] = np.empty((0, 2), np.int32)


@dataclass(frozen=True)
class TokenPicture:
    """A picture, cut into tokens, and what may be taken for equal.

    Attributes
    ----------
    pixels : ndarray
        uint8 (H, W, 3), C-contiguous; H and W are multiples of the token's.
    token_shape : tuple of int
        Height and width of a token, in pixels.
    tolerance : Tolerance
        How far a token may be from its prediction.
    anchored : bool
        Whether predictions are made from reconstructed neighbours, so that errors do not add up; else from the
        neighbours as they are.
    reference : ndarray or None
        uint8 (H2, W2, 3): a picture that the decoder has, too.
    offsets : ndarray
        int32 (K, 2): displacements (dy, dx) at which tokens are looked up in the reference.
    seed : int
        For selectors that draw lots.
    skip_ratio : float or None
        The share of a connected component that `conncomp` drops.
    """

    pixels: Pixels
    token_shape: tuple[int, int]
    tolerance: Tolerance = field(default_factory=Tolerance)
    anchored: bool = True
    reference: Pixels | None = None
    offsets: NDArray[np.int32] = field(default_factory=NO_OFFSETS.copy)
    seed: int = 0
    skip_ratio: float | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of tokens."""
        return self.pixels.shape[0] // self.token_shape[0], self.pixels.shape[1] // self.token_shape[1]

    @property
    def count(self) -> int:
        """Number of tokens."""
        return self.shape[0] * self.shape[1]

    def similar(self, first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Tell which pairs of tokens are within the tolerance of one another.

        Parameters
        ----------
        first, second : ndarray
            int (n,): tokens by their number, row by row.

        Returns
        -------
        ndarray
            bool (n,).
        """
        columns = self.shape[1]
        corners = (corners_of(tokens, columns, self.token_shape) for tokens in (first, second))
        return self.tolerance.match(self.pixels, next(corners), self.pixels, next(corners), self.token_shape)

    def matches_reference(
        self, tokens: NDArray[np.int32], offset: NDArray[np.int32], places: NDArray[np.int32] | None = None
    ) -> NDArray[np.bool_]:
        """Tell which tokens are within the tolerance of the reference, displaced from their place or from others'."""
        found = np.zeros(len(tokens), np.bool_)
        if self.reference is None:
            return found
        here = corners_of(tokens, self.shape[1], self.token_shape)
        there = (here if places is None else corners_of(places, self.shape[1], self.token_shape)) + offset
        room = np.array(self.reference.shape[:2]) - self.token_shape
        inside = ((there >= 0) & (there <= room)).all(axis=1)
        here, there = np.ascontiguousarray(here[inside]), np.ascontiguousarray(there[inside], np.int32)
        found[inside] = self.tolerance.match(self.pixels, here, self.reference, there, self.token_shape)
        return found


def corners_of(tokens: NDArray[np.integer], columns: int, token_shape: tuple[int, int]) -> NDArray[np.int32]:
    """Return the upper left pixel (y, x) of tokens; int32 (n, 2), C-contiguous."""
    rows, across = np.divmod(tokens, columns)
    corners = np.stack((rows * token_shape[0], across * token_shape[1]), axis=1)
    return np.ascontiguousarray(corners, np.int32)


class Origin(IntEnum):
    """Where a token's pixels come from, seen from its place."""

    KEPT = 0
    LEFT = 1
    ABOVE = 2
    ABOVE_LEFT = 3
    ABOVE_RIGHT = 4
    ELSEWHERE = 5
    """From a kept token that is the source of none of these neighbours."""
    REFERENCE = 6
    """From the reference, displaced by the first offset; the numbers from here on stand for the following ones."""


NEIGHBOURS = (
    (Origin.LEFT, 0, -1),
    (Origin.ABOVE, -1, 0),
    (Origin.ABOVE_LEFT, -1, -1),
    (Origin.ABOVE_RIGHT, -1, 1),
)
"""The neighbours (dy, dx) that come before a token, in the order in which they are asked."""


def origins(sources: Sources) -> NDArray[np.uint8]:
    """Say of each token where its pixels come from, as an `Origin`: the first neighbour that has the same source.

    Examples
    --------
    >>> origins(np.array([[0, 0, 2], [0, 4, 2]], np.int32)).tolist()
    [[0, 1, 0], [2, 0, 2]]
    """
    rows, columns = sources.shape
    own = np.arange(sources.size).reshape(sources.shape)
    found = np.full(sources.shape, Origin.ELSEWHERE, np.uint8)
    far = sources >= sources.size
    at_its_place = far & ((sources - own) % sources.size == 0)
    found[at_its_place] = Origin.REFERENCE - 1 + (sources - own)[at_its_place] // sources.size
    framed = np.full((rows + 1, columns + 2), -1, np.int32)
    framed[1:, 1:-1] = sources
    for origin, dy, dx in reversed(NEIGHBOURS):
        found[framed[1 + dy : 1 + dy + rows, 1 + dx : 1 + dx + columns] == sources] = origin
    found[sources == own] = Origin.KEPT
    return found


def roots(parents: NDArray[np.int32]) -> NDArray[np.int32]:
    """Follow each token's parent, which is an earlier token or itself, to a token that is its own.

    Examples
    --------
    >>> roots(np.array([0, 0, 1, 3, 2], np.int32)).tolist()
    [0, 0, 0, 3, 0]
    """
    while True:
        further = parents[parents]
        if np.array_equal(further, parents):
            return parents
        parents = further
