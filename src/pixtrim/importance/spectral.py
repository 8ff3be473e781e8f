"""Importance by the spectral residual: what the spectrum of a picture has beyond that of pictures at large."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pixtrim.importance.gradient import reduced
from pixtrim.importance.maps import Importance, Pixels, checked_pixels, spread

__all__ = ["spectral_residual"]

LONGEST: Final = 64  # pixels of the picture's longer side, the scale of the paper
WINDOW: Final = 3  # frequencies along an axis that the spectrum is averaged over
SIGMA: Final = 2.5  # pixels of the Gaussian that smooths the map
CALM: Final = 1.0  # levels that a picture has to vary by for its spectrum to mean anything


def spectral_residual(pixels: Pixels) -> Importance:
    """Return the saliency of the spectral residual [1]_.

    Of the logarithm of the amplitude spectrum of the picture, at 64 pixels, its own average over 3 x 3 frequencies is
    taken away; what remains, under the phase of the picture, is brought back to pixels, squared and smoothed by a
    Gaussian of 2.5 pixels. The map is brought to [0, 1] by its least and its largest value.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3), C-contiguous.

    Returns
    -------
    ndarray
        float32 (H, W) in [0, 1]; 0 everywhere for a flat picture.

    References
    ----------
    .. [1] X. Hou, L. Zhang, "Saliency detection: a spectral residual approach", CVPR 2007.

    Examples
    --------
    >>> pixels = np.zeros((64, 64, 3), np.uint8)
    >>> float(spectral_residual(pixels).max())
    0.0
    >>> pixels[20:24, 40:44] = 255
    >>> found = spectral_residual(pixels)
    >>> bool(found[16:28, 36:48].mean() > 5 * found.mean())
    True
    """
    width, height = checked_pixels(pixels)
    grey = reduced(pixels, LONGEST).mean(axis=2, dtype=np.float64)
    if np.ptp(grey) < CALM:
        return np.zeros((height, width), np.float32)
    spectrum = np.fft.fft2(grey - grey.mean())
    amplitude = np.abs(spectrum)
    logarithm = np.log1p(amplitude)
    phase = np.divide(spectrum, amplitude, out=np.zeros_like(spectrum), where=amplitude > 0)
    remains = np.exp(logarithm - _mean(logarithm)) * phase
    saliency = _smooth(np.abs(np.fft.ifft2(remains)) ** 2)
    low, high = saliency.min(), saliency.max()
    if high - low <= 1e-9 * high:
        return np.zeros((height, width), np.float32)
    cells = ((saliency - low) / (high - low)).astype(np.float32)
    return spread(cells, (width, height))


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over 3 x 3 frequencies; the spectrum is periodic."""
    reach = range(-(WINDOW // 2), WINDOW // 2 + 1)
    rows = np.sum([np.roll(values, step, axis=0) for step in reach], axis=0)
    result: NDArray[np.float64] = np.sum([np.roll(rows, step, axis=1) for step in reach], axis=0) / WINDOW**2
    return result


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth by a Gaussian; beyond the edges there is nothing, and what is inside counts for all."""
    for axis in (0, 1):
        places = np.arange(values.shape[axis])
        kernel = np.exp(-((places[:, None] - places) ** 2) / (2 * SIGMA**2))
        kernel /= kernel.sum(axis=1, keepdims=True)
        values = kernel @ values if axis == 0 else values @ kernel.T
    return values
