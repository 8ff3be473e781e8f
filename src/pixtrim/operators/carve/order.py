"""One search for all sizes along an axis, `SeamOrder`."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pixtrim.errors import UsageError
from pixtrim.operators.carve.carved import Batch, Carved, dropped
from pixtrim.operators.carve.search import (
    DEFAULT_ENERGY,
    DEFAULT_STRENGTH,
    Energy,
    Planes,
    planes_of,
    settings_of,
)
from pixtrim.operators.checks import check_picture

__all__ = ["SeamOrder", "seam_order"]

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False, repr=False)
class SeamOrder:
    """In which order the pixels of a picture leave along one axis; a smaller size is a threshold on it.

    Attributes
    ----------
    pixels : ndarray
        uint8 (H, W, 3): the picture.
    batch : Batch
        All seams that were found.
    """

    pixels: Pixels
    batch: Batch

    @property
    def order(self) -> NDArray[np.uint16]:
        """uint16 (H, W): the number of the seam that takes the pixel, from 1 on, or 0 if none does."""
        return self.batch.order if self.batch.axis == "x" else self.batch.order.T

    @property
    def sizes(self) -> tuple[int, int]:
        """The smallest and the largest length along the axis."""
        length = self.batch.order.shape[1]
        return length - self.batch.count, length

    def render(self, length: int) -> Carved:
        """Return the picture at a length along the axis.

        Parameters
        ----------
        length : int
            The new width, or the new height for seams along ``"y"``, within `sizes`.

        Returns
        -------
        Carved

        Raises
        ------
        UsageError
            If the length is outside of `sizes`.
        """
        low, high = self.sizes
        what = "width" if self.batch.axis == "x" else "height"
        try:
            wanted = operator.index(length)
        except TypeError:
            raise UsageError(f"the {what} must be a whole number of pixels, got {length!r}") from None
        if not low <= wanted <= high:
            raise UsageError(f"the {what} must be from {low}, where the seams end, to {high}, got {wanted}")
        batch = Batch(self.batch.axis, self.batch.order, high - wanted)
        height, width = self.pixels.shape[:2]
        return Carved(dropped(self.pixels, batch), False, (batch,), (width, height))

    def __repr__(self) -> str:
        low, high = self.sizes
        return f"SeamOrder({'width' if self.batch.axis == 'x' else 'height'} {low} to {high})"


def seam_order(
    pixels: Pixels,
    axis: Literal["x", "y"],
    importance: NDArray[np.float32] | None = None,
    *,
    energy: Energy = DEFAULT_ENERGY,
    strength: float = DEFAULT_STRENGTH,
    protect: NDArray[np.bool_] | None = None,
    seams: int | None = None,
    seams_per_pass: int | None = None,
    max_energy: float | None = None,
    threads: int = 1,
) -> SeamOrder:
    """Find all seams along an axis once, for any smaller size.

    Parameters
    ----------
    pixels, importance, energy, strength, protect, seams_per_pass, max_energy, threads
        As for `carve`.
    axis : {"x", "y"}
        ``"x"``: vertical seams, for smaller widths; ``"y"``: horizontal ones, for smaller heights.
    seams : int, optional
        How many to find at most. By default all, until one pixel of each line is left.

    Returns
    -------
    SeamOrder

    Raises
    ------
    UsageError
        If an argument is of another type or outside its range.

    Examples
    --------
    >>> pixels = np.zeros((2, 5, 3), np.uint8)
    >>> pixels[:, 2:4] = 99
    >>> order = seam_order(pixels, "x", protect=pixels[..., 0] > 0)
    >>> order
    SeamOrder(width 2 to 5)
    >>> order.render(3).image[..., 0].tolist()
    [[99, 99, 0], [99, 99, 0]]
    """
    height, width = check_picture(pixels)
    if axis not in ("x", "y"):
        raise UsageError(f'axis must be "x" or "y", got {axis!r}')
    most = (width if axis == "x" else height) - 1
    if seams is None:
        seams = most
    elif not isinstance(seams, (int, np.integer)) or not 0 <= seams <= most:
        raise UsageError(
            f"seams must be a whole number from 0 to {most}, one fewer than there are pixels, got {seams!r}"
        )
    settings = settings_of(energy, seams_per_pass, max_energy, width * height)
    planes = Planes(*planes_of(pixels, importance, energy, strength, protect, threads), settings)
    return SeamOrder(pixels, planes.take(axis, int(seams), last=True))
