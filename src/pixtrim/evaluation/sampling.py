"""Values between the cells of a grid: of pictures, and of features of networks."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["bilinear"]

F = TypeVar("F", np.float32, np.float64)


def bilinear(values: NDArray[F], points: NDArray[np.float64]) -> NDArray[F]:
    """Sample a grid by bilinear interpolation; beyond its edge it goes on as at its edge.

    Parameters
    ----------
    values : ndarray
        float32 or float64, (H, W) or (H, W, channels).
    points : ndarray
        float64 (..., 2), x and y; the centre of the first cell is (0.5, 0.5).

    Returns
    -------
    ndarray
        (...) or (..., channels), of the type of the values.

    Examples
    --------
    >>> bilinear(np.array([[0.0, 10.0]]), np.array([[0.5, 0.5], [1.0, 0.7], [9.0, 0.5]])).tolist()
    [0.0, 5.0, 10.0]
    """
    last = np.array(values.shape[1::-1]) - 1
    places = np.clip(points - 0.5, 0, last)
    low = np.floor(places).astype(np.int64)
    (left, above), (right, below) = np.moveaxis(low, -1, 0), np.moveaxis(np.minimum(low + 1, last), -1, 0)
    weights: Any = np.moveaxis((places - low).astype(values.dtype), -1, 0)
    along, down = weights if values.ndim == 2 else weights[..., None]
    upper = values[above, left] * (1 - along) + values[above, right] * along
    lower = values[below, left] * (1 - along) + values[below, right] * along
    result: NDArray[F] = upper + down * (lower - upper)
    return result
