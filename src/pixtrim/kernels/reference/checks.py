"""What the kernels demand of their arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MAX_SIDE",
    "MAX_THREADS",
    "PIXELS",
    "check_array",
    "check_corners",
    "check_fits",
    "check_indices",
    "check_integer",
    "check_offsets",
    "check_range",
    "check_tokens",
    "check_weights",
]

MAX_THREADS = 256
MAX_SIDE = 1024  # pixels of a block
MAX_OFFSETS = 16

PIXELS = "a C-contiguous uint8 array of shape (H, W, 3)"

_INDICES = "a C-contiguous int32 array of shape (N,)"
_MAX_WEIGHT = 1 << 15  # the largest sum of absolute weights with which no sum of `resample` leaves its integers

Indices = NDArray[np.int32]
Weights = NDArray[np.int16]


def check_array(
    name: str, array: Any, dtype: type, shape: tuple[int | None, ...], expected: str, writable: bool = False
) -> None:
    """Check the dtype, the layout and the shape, in which None is any size."""
    known = isinstance(array, np.ndarray) and array.dtype == dtype and array.flags.c_contiguous
    fits = known and array.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
    if fits and (array.flags.writeable or not writable):
        return
    what = [type(array).__name__, *(str(getattr(array, key)) for key in ("dtype", "shape") if hasattr(array, key))]
    raise TypeError(f"{name} must be {expected}, got {' '.join(what)}")


def check_range(name: str, value: int, low: int, high: int) -> None:
    """Check that an integer lies between two others, ends included."""
    check_integer(name, value)
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high}, got {value}")


def check_integer(name: str, value: int) -> None:
    """Check that a value is an integer."""
    if not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an integer, got {type(value).__name__}")


def check_indices(name: str, indices: Indices, size: int) -> None:
    """Check that indices into an axis of that size rise and lie inside."""
    check_array(name, indices, np.int32, (None,), _INDICES)
    before = np.concatenate([[-1], indices[:-1]])
    wrong = np.flatnonzero((indices <= before) | (indices >= size))
    if len(wrong):
        first = wrong[0]
        after = f" after {before[first]}" if first else ""
        raise ValueError(f"{name} must rise and be from 0 to {size - 1}, got {indices[first]}{after}")


def check_fits(name: str, what: str, count: int, first: int, size: int) -> None:
    """Check that so many rows or columns from the first on fit into an axis of that size."""
    check_integer(name, first)
    if not 0 <= first <= size - count:
        raise ValueError(f"{count} {what} from {name} = {first} on do not fit into the {size} of out")


def check_weights(name: str, starts: Indices, weights: Weights, size: int) -> None:
    """Check the weights of a resampling along an axis of that size."""
    check_array(f"{name}_starts", starts, np.int32, (None,), _INDICES)
    check_array(f"{name}_weights", weights, np.int16, (None, None), "a C-contiguous int16 array of shape (N, taps)")
    if len(weights) != len(starts):
        raise ValueError(f"{name}_weights must have as many rows as {name}_starts, {len(starts)}, got {len(weights)}")
    taps = weights.shape[1]
    wrong = starts[(starts < 0) | (starts > size - taps)]
    if len(wrong):
        raise ValueError(
            f"{name}_starts must be from 0 to {size - taps}, so that {taps} weights stay inside the picture, "
            f"got {wrong[0]}"
        )
    sums = np.abs(weights.astype(np.int64)).sum(axis=1)
    if (sums > _MAX_WEIGHT).any():
        raise ValueError(
            f"the absolute values in a row of {name}_weights must sum to at most {_MAX_WEIGHT}, "
            f"got {sums[sums > _MAX_WEIGHT][0]}"
        )


def check_corners(name: str, corners: Indices, height: int, width: int, size: tuple[int, int]) -> None:
    """Check that the blocks of that height and width at these corners lie inside a picture of that size."""
    check_array(name, corners, np.int32, (None, 2), "a C-contiguous int32 array of shape (N, 2)")
    last = np.subtract(size, (height, width))
    wrong = np.flatnonzero(((corners < 0) | (corners > last)).any(axis=1))
    if len(wrong):
        y, x = corners[wrong[0]].tolist()
        raise ValueError(
            f"{name} must hold places of blocks inside the picture of {size[1]} x {size[0]} px, "
            f"got y = {y}, x = {x} for a block of {width} x {height} px"
        )


def check_tokens(pixels: NDArray[np.uint8], token_h: int, token_w: int) -> None:
    """Check that a picture is a whole number of tokens, and not empty."""
    check_range("token_h", token_h, 1, MAX_SIDE)
    check_range("token_w", token_w, 1, MAX_SIDE)
    height, width = pixels.shape[:2]
    if height % token_h or width % token_w or not height * width:
        raise ValueError(
            f"pixels must be whole tokens of {token_w} x {token_h} px and at least one, got {width} x {height} px"
        )


def check_offsets(offsets: Indices | None, reference: NDArray[np.uint8] | None, tokens: int) -> Indices:
    """Check the offsets into a reference picture; return them, none where they are left out."""
    if offsets is None:
        offsets = np.empty((0, 2), np.int32)
    elif reference is None:
        raise ValueError("offsets must come with a reference, got none")
    check_array("offsets", offsets, np.int32, (None, 2), "a C-contiguous int32 array of shape (K, 2)")
    check_range("the number of offsets", len(offsets), 0, MAX_OFFSETS)
    check_range("the number of sources, tokens * (1 + offsets),", tokens * (1 + len(offsets)), 1, (1 << 31) - 1)
    return offsets
