"""The search for seams along both axes, `carve`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pixtrim import kernels
from pixtrim.errors import UsageError
from pixtrim.operators.carve.carved import Batch, Carved, dropped
from pixtrim.operators.checks import check_map, check_picture, check_size, check_threads

__all__ = [
    "DEFAULT_ENERGY",
    "DEFAULT_STRENGTH",
    "ENERGIES",
    "MOST_IMPORTANT",
    "Energy",
    "Planes",
    "Settings",
    "carve",
    "settings_of",
]

Energy = Literal["gradient", "forward", "importance"]
Pixels = NDArray[np.uint8]
Plane = NDArray[np.uint8]

ENERGIES: Final = get_args(Energy)  # by the numbers that the kernel knows them by
DEFAULT_ENERGY: Final = "forward"
DEFAULT_STRENGTH: Final = 0.5
MAX_LENGTH: Final = 65535  # pixels of a side
MOST_IMPORTANT: Final = 254  # the bias of the importance 1 at the strength 1
PROTECTED: Final = 255
ROUNDS: Final = 1  # more of them keep no more that matters, and take longer: docs/carving.md
MAX_ROUNDS: Final = 16
BAND: Final = 64  # rows whose bias is worked out together, which then stays in the cache
NO_LIMIT: Final = 2**31 - 1

PASSES: Final = ((600_000, 1), (1_200_000, 2), (2**32, 4))
"""Pixels of a picture, and the seams that a pass takes out of pictures up to that size."""


@dataclass(frozen=True)
class Settings:
    """How to search, checked."""

    energy: int
    seams_per_pass: int
    max_energy: float | None

    def limit(self, length: int) -> int:
        """Return the largest energy of a seam of that many pixels."""
        return NO_LIMIT if self.max_energy is None else min(math.floor(self.max_energy * length), NO_LIMIT)


class Planes:
    """What a picture costs, as it is after the seams so far."""

    def __init__(self, luma: Plane | None, bias: Plane | None, settings: Settings) -> None:
        self._luma, self._bias, self._settings = luma, bias, settings
        self._turned = False

    def take(self, axis: Literal["x", "y"], seams: int, last: bool = False) -> Batch:
        """Find seams along an axis and take them out, save where this is the `last` batch."""
        if self._turned != (axis == "y"):
            self._turned = not self._turned
            self._luma, self._bias = (None if p is None else kernels.transpose(p) for p in (self._luma, self._bias))
        height = next(len(plane) for plane in (self._luma, self._bias) if plane is not None)
        settings = self._settings
        order, count = kernels.find_seams(
            self._luma, self._bias, settings.energy, seams, settings.seams_per_pass, settings.limit(height)
        )
        if not last:
            self._luma, self._bias = (
                None if plane is None else kernels.drop_seams(plane, order, count) for plane in (self._luma, self._bias)
            )
        return Batch(axis, order, count)


def carve(
    pixels: Pixels,
    size: tuple[int, int],
    importance: NDArray[np.float32] | None = None,
    *,
    energy: Energy = DEFAULT_ENERGY,
    strength: float = DEFAULT_STRENGTH,
    protect: NDArray[np.bool_] | None = None,
    seams_per_pass: int | None = None,
    max_energy: float | None = None,
    rounds: int = ROUNDS,
    threads: int = 1,
) -> Carved:
    """Carve a picture down to a size.

    Vertical seams leave first, then horizontal ones, each in its turn the cheapest [1]_. What is left is original
    pixels.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3), RGB, C-contiguous, up to 65535 pixels a side.
    size : tuple of int
        The new width and height, at least 1 and at most the picture's own.
    importance : ndarray, optional
        float32 (H, W) in [0, 1]; 1 = keep.
    energy : {"gradient", "forward", "importance"}
        What a seam costs: the edges that it crosses, those that would come about where it leaves [2]_, or nothing but
        the importance. `pixtrim.kernels.reference.find_seams` says it exactly.
    strength : float
        How much the importance counts beside edges, 0 to 1: at 1, the most important pixel costs as much as the
        sharpest edge.
    protect : ndarray, optional
        bool (H, W): pixels that no seam crosses.
    seams_per_pass : int, optional
        How many seams are taken out before the energies are worked out anew, 1 to 4. By default it goes by the size
        of the picture: 1 up to 0.6 megapixels, 2 up to 1.2, and 4 beyond.
    max_energy : float, optional
        Stop along an axis when the next seam would cost more than this per pixel, in levels, 0 or more.
    rounds : int
        How many batches of vertical and of horizontal seams leave in turn, 1 to 16.
    threads : int
        The most threads to use, 1 to 256; the result does not depend on it. The search itself runs on one.

    Returns
    -------
    Carved

    Raises
    ------
    UsageError
        If an argument is of another type or outside its range.

    References
    ----------
    .. [1] S. Avidan, A. Shamir, "Seam carving for content-aware image resizing", ACM Transactions on Graphics, vol. 26,
       no. 3, 2007.
    .. [2] M. Rubinstein, A. Shamir, S. Avidan, "Improved seam carving for video retargeting", ACM Transactions on
       Graphics, vol. 27, no. 3, 2008.

    Examples
    --------
    >>> pixels = np.zeros((6, 9, 3), np.uint8)
    >>> pixels[2:4, 3:6] = 200
    >>> carved = carve(pixels, (5, 4), protect=pixels[..., 0] > 0)
    >>> carved.image[..., 0].tolist()
    [[0, 0, 0, 0, 0], [0, 200, 200, 200, 0], [0, 200, 200, 200, 0], [0, 0, 0, 0, 0]]
    >>> carved.coordinates
    CoordinateMap(9x6 -> 5x4, 2 stages)
    """
    height, width = check_picture(pixels)
    new_width, new_height = check_size(size)
    if new_width > width or new_height > height:
        raise UsageError(
            f"size must be at most {width}x{height}, that of the picture, got {new_width}x{new_height}: "
            "carving only takes pixels out; resize enlarges"
        )
    if not isinstance(rounds, (int, np.integer)) or not 1 <= rounds <= MAX_ROUNDS:
        raise UsageError(f"rounds must be a whole number from 1 to {MAX_ROUNDS}, got {rounds!r}")
    settings = settings_of(energy, seams_per_pass, max_energy, width * height)
    planes = Planes(*planes_of(pixels, importance, energy, strength, protect, threads), settings)
    goals = {"x": width - new_width, "y": height - new_height}
    done = dict.fromkeys(goals, 0)
    batches = []
    image = pixels
    for turn in range(1, rounds + 1):
        for axis, goal in goals.items():
            due = goal * turn // rounds - done[axis]
            if due == 0:
                continue
            last = turn == rounds and (axis == "y" or goals["y"] == done["y"])
            batch = planes.take(axis, due, last)  # type: ignore[arg-type]
            if batch.count:
                done[axis] += batch.count
                batches.append(batch)
                image = dropped(image, batch)
    return Carved(image.copy() if image is pixels else image, done != goals, tuple(batches), (width, height))


def settings_of(energy: Any, seams_per_pass: Any, max_energy: Any, area: int) -> Settings:
    """Check how to search a picture of that many pixels."""
    if energy not in ENERGIES:
        raise UsageError(f"energy must be one of {', '.join(ENERGIES)}, got {energy!r}")
    if seams_per_pass is None:
        seams_per_pass = next(seams for largest, seams in PASSES if area <= largest)
    elif not isinstance(seams_per_pass, (int, np.integer)) or not 1 <= seams_per_pass <= 4:
        raise UsageError(f"seams_per_pass must be a whole number from 1 to 4, or None, got {seams_per_pass!r}")
    if max_energy is not None and not (isinstance(max_energy, (int, float, np.number)) and max_energy >= 0):
        raise UsageError(f"max_energy must be a number of levels per pixel, 0 or more, or None, got {max_energy!r}")
    if max_energy is not None and math.isinf(max_energy):
        max_energy = None
    return Settings(ENERGIES.index(energy), int(seams_per_pass), None if max_energy is None else float(max_energy))


def planes_of(
    pixels: Pixels, importance: Any, energy: Energy, strength: Any, protect: Any, threads: Any
) -> tuple[Plane | None, Plane | None]:
    """Check what a picture's pixels cost; return the luma, if it is asked for, and the bias, if there is any."""
    height, width = check_picture(pixels)
    if max(height, width) > MAX_LENGTH:
        raise UsageError(
            f"the picture is {width}x{height}; at most {MAX_LENGTH} pixels a side can be carved: resize it"
        )
    check_threads(threads)
    if not isinstance(strength, (int, float, np.number)) or not 0 <= strength <= 1:
        raise UsageError(f"strength must be a number from 0 to 1, got {strength!r}")
    if importance is not None:
        check_map("importance", importance, np.float32, (height, width))
    elif energy == "importance":
        raise UsageError('the energy "importance" needs an importance: give one, or the energy "gradient" or "forward"')
    if protect is not None:
        check_map("protect", protect, np.bool_, (height, width))
    bias = None
    if importance is not None:
        bias = _levels(importance, 1.0 if energy == "importance" else float(strength))
    if protect is not None and protect.any():
        bias = np.zeros((height, width), np.uint8) if bias is None else bias
        bias[protect] = PROTECTED
    return None if energy == "importance" else kernels.luma(pixels, threads), bias


def _levels(importance: NDArray[np.float32], strength: float) -> Plane:
    """Return the importance as a bias, uint8."""
    bias = np.empty(importance.shape, np.uint8)
    for y in range(0, len(bias), BAND):
        band = importance[y : y + BAND] * np.float32(MOST_IMPORTANT * strength)
        band += np.float32(0.5)
        bias[y : y + BAND] = band
    return bias
