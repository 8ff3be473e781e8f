"""Ramps of colours whose steps look equally far apart."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["COOL", "HEAT", "WARM", "Ramp", "blended", "oklab", "ramp"]

Ramp = tuple[tuple[float, float, float], ...]
Floats = NDArray[np.float64]
Levels = NDArray[np.uint8]

# Lightness (0 to 1), chroma and hue (degrees) in Oklab. Lightness rises along each, so that they order things for those
# who see no hues, too; the last two also differ to those who mistake red for green.
HEAT: Final[Ramp] = ((0.26, 0.08, -75), (0.40, 0.16, -45), (0.59, 0.19, 15), (0.75, 0.16, 55), (0.94, 0.12, 105))
WARM: Final[Ramp] = ((0.42, 0.15, 28), (0.65, 0.18, 45), (0.92, 0.13, 98))
COOL: Final[Ramp] = ((0.36, 0.15, 268), (0.62, 0.13, 240), (0.91, 0.08, 195))

SAMPLES: Final = 2048  # of a ramp, from which its colours are chosen

# From Oklab to the cubic roots of cone responses, and from the responses to linear sRGB [1].
_CONES: Final = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
)
_LIGHT: Final = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


@lru_cache(maxsize=8)
def ramp(stops: Ramp, count: int = 256) -> Levels:
    """Return colours along a path through Oklab [1]_, equally far from one another.

    Parameters
    ----------
    stops : tuple of (lightness, chroma, hue)
        0 to 1, from 0, and degrees: the path runs evenly from each to the next.
    count : int, at least 2

    Returns
    -------
    ndarray of uint8, shape (count, 3)
        RGB; not to be written to.

    References
    ----------
    .. [1] B. Ottosson, "A perceptual color space for image processing", 2020.

    Examples
    --------
    >>> ramp(((0.0, 0.0, 0.0), (1.0, 0.0, 0.0)), 3).tolist()
    [[0, 0, 0], [99, 99, 99], [255, 255, 255]]
    """
    at = np.linspace(0, len(stops) - 1, SAMPLES)
    lightness, chroma, hue = (np.interp(at, np.arange(len(stops)), values) for values in np.array(stops, np.float64).T)
    turn = np.deg2rad(hue)
    path = np.stack((lightness, chroma * np.cos(turn), chroma * np.sin(turn)), axis=1)
    lengths = np.concatenate(([0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))))
    even = np.linspace(0, lengths[-1], count)
    colours = np.stack([np.interp(even, lengths, values) for values in path.T], axis=1)
    linear = np.clip((colours @ _CONES.T) ** 3 @ _LIGHT.T, 0, 1)
    levels = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    found: Levels = np.floor(levels * 255 + 0.5).astype(np.uint8)
    found.flags.writeable = False
    return found


def oklab(levels: Levels) -> Floats:
    """Return colours, uint8 (..., 3), in Oklab: lightness, and two axes of colour."""
    encoded = levels / 255.0
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    cones = np.cbrt(linear @ np.linalg.inv(_LIGHT).T)
    return np.asarray(cones @ np.linalg.inv(_CONES).T)


def blended(pixels: Levels, colours: Levels, opacity: float | Floats | NDArray[np.float32]) -> Levels:
    """Return colours laid over a picture, both uint8 (H, W, 3); the opacity is one, or float (H, W), 0 to 1."""
    opacities = np.broadcast_to(opacity, pixels.shape[:2])
    found = np.empty_like(pixels)
    for row in range(len(pixels)):  # so that floats take the room of one row
        part = opacities[row, :, None]
        found[row] = np.floor(pixels[row] * (1.0 - part) + colours[row] * part + 0.5).astype(np.uint8)
    return found
