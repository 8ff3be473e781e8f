"""What carving leaves: the picture, and where each of its pixels was."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pixtrim import kernels
from pixtrim.coordinates import CoordinateMap, SeamStage

__all__ = ["Batch", "Carved", "dropped"]

Pixels = NDArray[np.uint8]
Places = NDArray[np.uint16]
Order = NDArray[np.uint16]
Direction = Literal["x", "y"]


@dataclass(frozen=True, eq=False)
class Batch:
    """Seams that were taken out one after the other along one axis.

    Attributes
    ----------
    axis : {"x", "y"}
        ``"x"``: vertical seams, which shorten rows; ``"y"``: horizontal ones.
    order : ndarray
        uint16, of the picture before the batch, (H, W) for ``"x"`` and its transpose (W, H) for ``"y"``: 0 for pixels
        that no seam took, else the number of the seam, from 1 on.
    count : int
        How many of them were taken out; pixels of a larger order stayed.
    """

    axis: Direction
    order: Order
    count: int

    def removed(self) -> NDArray[np.bool_]:
        """Return which pixels left, bool (H, W)."""
        gone = (self.order > 0) & (self.order <= self.count)
        return gone if self.axis == "x" else np.ascontiguousarray(gone.T)

    @property
    def size(self) -> tuple[int, int]:
        """The (width, height) of the picture before the batch."""
        height, width = self.order.shape if self.axis == "x" else self.order.shape[::-1]
        return width, height


def dropped(values: NDArray[np.uint8], batch: Batch) -> NDArray[np.uint8]:
    """Return a picture without the seams of a batch."""
    return kernels.drop_seams(values, batch.order, batch.count, 1 if batch.axis == "x" else 0)


@dataclass(frozen=True, eq=False, repr=False)
class Carved:
    """What `carve` returns.

    Attributes
    ----------
    image : ndarray
        uint8 (h, w, 3): pixels of the original, none of them changed.
    stopped : bool
        Whether it stopped before the size that was asked for, as the next seam would have cost too much or crossed
        protected pixels. The rest is for another operator.
    batches : tuple of Batch
        The seams, in the order in which they left.
    original_size : tuple of int
        (width, height) of the picture that was carved.
    before : CoordinateMap or None
        How that picture came about, where it was scaled first.
    """

    image: Pixels
    stopped: bool
    batches: tuple[Batch, ...]
    original_size: tuple[int, int]
    before: CoordinateMap | None = None

    @property
    def size(self) -> tuple[int, int]:
        """The (width, height) of the image."""
        return self.image.shape[1], self.image.shape[0]

    @cached_property
    def coordinates(self) -> CoordinateMap:
        """The map between the original and the carved picture."""
        stages = [SeamStage(batch.size, batch.axis, batch.removed()) for batch in self.batches if batch.count]
        before = CoordinateMap.identity(*self.original_size) if self.before is None else self.before
        return before.then(CoordinateMap(self.original_size, tuple(stages)))

    def index_maps(self) -> tuple[Places, Places]:
        """Return where each pixel of the image was.

        Returns
        -------
        rows, columns : ndarray
            uint16 (h, w), so that ``pixels[rows, columns]`` is the image.
        """
        places = self._places()
        for batch in self.batches:
            places = kernels.drop_seams(places, batch.order, batch.count, 1 if batch.axis == "x" else 0)
        rows, columns = np.divmod(places, np.uint32(self.original_size[0]))
        return rows.astype(np.uint16), columns.astype(np.uint16)

    def seams(self) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Return which seam took each pixel of the original, to draw them on it.

        Returns
        -------
        order : ndarray
            int32 (H, W): the number of the seam, from 1 on in the order of their leaving, or 0 for a pixel that stayed.
        direction : ndarray
            uint8 (H, W): 0 for a pixel that stayed, 1 for a vertical seam, 2 for a horizontal one.
        """
        width, height = self.original_size
        order = np.zeros(width * height, np.int32)
        direction = np.zeros(width * height, np.uint8)
        places, number = self._places(), 0
        for batch in self.batches:
            upright = batch.order if batch.axis == "x" else batch.order.T
            gone = batch.removed()
            order[places[gone]] = number + upright[gone].astype(np.int32)
            direction[places[gone]] = 1 if batch.axis == "x" else 2
            number += batch.count
            places = kernels.drop_seams(places, batch.order, batch.count, 1 if batch.axis == "x" else 0)
        return order.reshape(height, width), direction.reshape(height, width)

    def _places(self) -> NDArray[np.uint32]:
        """Number the pixels of the original, in raster order."""
        width, height = self.original_size
        return np.arange(width * height, dtype=np.uint32).reshape(height, width)

    def __repr__(self) -> str:
        (w, h), (w2, h2) = self.original_size, self.size
        return f"Carved({w}x{h} -> {w2}x{h2}{', stopped' if self.stopped else ''})"
