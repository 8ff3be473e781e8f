"""What the functions of the grid accept, and the errors for the rest."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pixtrim.errors import UsageError
from pixtrim.tokens.rules import MAX_SIDE

if TYPE_CHECKING:
    from pixtrim.grid.patches import PatchGrid

__all__ = ["FITS", "MAX_TOKEN_SIDE", "ORDERS", "consistent", "described", "one_of", "picture", "three", "whole"]

FITS = ("resize", "pad")
"""How a picture gets a size that the grid allows."""

ORDERS = ("merged", "raster")
"""How a processor lists its patches: token by token, or row by row of the whole picture."""

MAX_TOKEN_SIDE = 1024
"""The longest side of a token in pixels, with all frames of a slot one below the other."""


def consistent(grid: PatchGrid) -> None:
    """Refuse a grid whose numbers, each in its range, do not fit one another."""
    one_of(grid.order, "order", ORDERS)
    one_of(grid.fit, "fit", FITS)
    (t, h, w), merge, depth = grid.grid_thw, grid.spatial_merge_size, grid.temporal_patch_size
    if h % merge or w % merge:
        raise UsageError(f"grid_thw is {(t, h, w)}: rows and columns must be multiples of {merge}, the merge size")
    high, wide = grid.token_shape
    if max(high, wide) > MAX_TOKEN_SIDE:
        raise UsageError(f"a token is {wide}x{high} pixels: give sizes that make {MAX_TOKEN_SIDE} a side at most")
    if max(grid.fitted_width, grid.fitted_height) > MAX_SIDE:
        raise UsageError(f"grid_thw is {(t, h, w)}: give one that makes {MAX_SIDE} pixels a side at most")
    slots = -(-grid.frames // depth)
    if t != slots:
        raise UsageError(f"grid_thw is {(t, h, w)}: {grid.frames} frames, {depth} in a slot, make {slots} slots")
    if grid.fit == "pad" and (grid.width > grid.fitted_width or grid.height > grid.fitted_height):
        sizes = f"{grid.width}x{grid.height} cannot be padded to {grid.fitted_width}x{grid.fitted_height}"
        raise UsageError(f"a picture of {sizes}: give a larger grid_thw, or fit='resize'")


def whole(value: object, name: str) -> int:
    """Accept a whole number from 1 to MAX_SIDE, also NumPy's."""
    try:
        number = index(value)  # type: ignore[arg-type]  # answers with TypeError, which is the point
    except TypeError:
        number = 0
    if isinstance(value, bool) or not 1 <= number <= MAX_SIDE:
        raise UsageError(f"{name} is {_shown(value)}: give a whole number from 1 to {MAX_SIDE}")
    return number


def three(value: Any) -> tuple[int, int, int]:
    """Accept a ``grid_thw``: slots, rows and columns of patches."""
    try:
        t, h, w = value
    except (TypeError, ValueError):
        raise UsageError(f"grid_thw is {_shown(value)}: give three whole numbers, slots, rows and columns") from None
    return whole(t, "grid_thw[0]"), whole(h, "grid_thw[1]"), whole(w, "grid_thw[2]")


def one_of(value: object, name: str, known: tuple[str, ...]) -> None:
    """Refuse what is not one of some words."""
    if not isinstance(value, str) or value not in known:
        raise UsageError(f"{name} is {_shown(value)}: choose one of {', '.join(known)}")


def picture(pixels: Any, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Accept a picture, uint8 (height, width, 3), and of that height and width where they are named."""
    known = isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
    if not known or pixels.size == 0 or (size is not None and pixels.shape[:2] != size):
        needed = f"({size[0]}, {size[1]}, 3)" if size else "(H, W, 3) with at least one pixel"
        raise UsageError(f"the picture is {described(pixels)}: uint8 {needed} is needed")
    return pixels  # type: ignore[no-any-return]


def described(value: object) -> str:
    """Name the type and shape of an array, or the type of anything else."""
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "..."
