"""Pixels as processors hold them: back from their patches, and kept tokens forth as patches again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixtrim.errors import InputError
from pixtrim.grid import PatchGrid

__all__ = ["frames_of", "layout_of", "levels", "strip_rows", "strips"]

Pixels = NDArray[np.uint8]
Keep = NDArray[np.bool_]
FARTHEST = 0.25
"""How far from a whole level a pixel may be, in levels, that was normalised and is brought back."""


def levels(patches: Tensor, part: Any, normalised: bool) -> Tensor:
    """Return the 8-bit levels of a processor's patches.

    Parameters
    ----------
    patches : Tensor
        (N, C * T * P * P) or (N, C, P, P): what the processor returns.
    part : processor
        The image or video processor that made them.
    normalised : bool
        Whether mean and deviation were taken out; else the values are levels already.

    Returns
    -------
    Tensor
        uint8, of the same shape.

    Raises
    ------
    InputError
        If the values are not those of 8-bit pictures that this processor normalised.
    """
    if patches.dtype == torch.uint8:
        return patches
    values = patches.float()
    if normalised:
        channels = values.reshape(len(values), 3, -1)
        if part.do_normalize:
            mean, std = (torch.tensor(v, device=values.device).view(1, 3, 1) for v in (part.image_mean, part.image_std))
            channels = channels * std + mean
        if part.do_rescale:
            channels = channels / part.rescale_factor
        values = channels.reshape(patches.shape)
    whole = values.round()
    wrong = (values - whole).abs().max().item() if values.numel() else 0.0
    if not wrong <= FARTHEST or whole.min() < 0 or whole.max() > 255:
        raise InputError(
            f"the pixel values are up to {wrong:.2g} levels from whole ones, from {whole.min():.0f} to "
            f"{whole.max():.0f}: give them in float32, as the engine's own processor makes them from 8-bit pictures, "
            "or give messages"
        )
    return whole.to(torch.uint8)


def frames_of(patches: Tensor, grid: PatchGrid) -> Pixels:
    """Put patches together to the pictures that they were cut from.

    Parameters
    ----------
    patches : Tensor
        uint8, those of one picture or clip.
    grid : PatchGrid
        Its grid.

    Returns
    -------
    ndarray
        uint8 (frames, fitted_height, fitted_width, 3), C-contiguous; one frame for a still picture.
    """
    (t, h, w), merge, side = grid.grid_thw, grid.spatial_merge_size, grid.patch_size
    depth = patches[0].numel() // (3 * side * side)
    patches = patches.reshape(-1, 3, depth, side, side)
    if grid.frames == 1:
        patches, depth = patches[:, :, :1], 1  # a still picture fills its slot with copies
    if grid.order == "raster":
        frames = patches.reshape(t, h, w, 3, depth, side, side).permute(0, 4, 1, 5, 2, 6, 3)
    else:
        tokens = patches.reshape(t, h // merge, w // merge, merge, merge, 3, depth, side, side)
        frames = tokens.permute(0, 6, 1, 3, 7, 2, 4, 8, 5)
    return np.ascontiguousarray(frames.reshape(t * depth, h * side, w * side, 3).cpu().numpy())


def layout_of(grid: PatchGrid, keep: Keep) -> tuple[int, int]:
    """Return in how many rows and columns kept tokens are laid out: as in the picture if all are, else in one row."""
    whole = grid.grid_thw[0] == 1 and bool(keep.all())
    return (grid.grid_h, grid.grid_w) if whole else (1, int(keep.sum()))


def strip_rows(grid: PatchGrid, keep: Keep) -> NDArray[np.int64]:
    """Return the patches of kept tokens, as a processor lists them that is given the tokens laid out: see `layout_of`.

    Parameters
    ----------
    grid : PatchGrid
        The grid of the picture or clip.
    keep : ndarray
        bool (grid_h, grid_w), or for clips (t, grid_h, grid_w).

    Returns
    -------
    ndarray
        int64 (kept * spatial_merge_size**2,): rows of the full picture's patches.

    Examples
    --------
    >>> keep = np.array([[True, False], [False, True]])
    >>> strip_rows(PatchGrid.from_thw((1, 4, 4)), keep).tolist()
    [0, 1, 2, 3, 12, 13, 14, 15]
    >>> strip_rows(PatchGrid.from_thw((1, 4, 4), order="raster"), keep).tolist()
    [0, 1, 10, 11, 4, 5, 14, 15]
    """
    merge = grid.spatial_merge_size
    if grid.order == "merged":
        return grid.patch_indices(keep)
    (t, h, w), tokens = grid.grid_thw, grid.token_indices(keep)
    patches = np.arange(t * h * w, dtype=np.int64).reshape(t, h // merge, merge, w // merge, merge).swapaxes(2, 3)
    laid = patches.reshape(-1, merge, merge)[tokens].reshape(*layout_of(grid, keep), merge, merge)
    return laid.swapaxes(1, 2).ravel()


def strips(tokens: Sequence[Pixels], layouts: Sequence[tuple[int, int]], part: Any, depth: int = 1) -> Tensor:
    """Let a processor make patches of kept tokens alone.

    Parameters
    ----------
    tokens : sequence of ndarray
        For each picture or clip, uint8 (kept, depth * side, side, 3).
    layouts : sequence of (int, int)
        For each, from `layout_of`.
    part : processor
        The image or video processor, which normalises them as it would whole pictures.
    depth : int
        Frames in a slot; 1 for pictures.

    Returns
    -------
    Tensor
        The patches of all of them, in order.
    """
    pictures = []
    for kept, (rows, columns) in zip(tokens, layouts, strict=True):
        side = kept.shape[2]
        frames = kept.reshape(rows, columns, depth, side, side, 3).transpose(2, 0, 3, 1, 4, 5)
        pictures.append(np.ascontiguousarray(frames.reshape(depth, rows * side, columns * side, 3)))
    common = {"do_resize": False, "return_tensors": "pt"}
    if depth == 1:
        found = part(images=[picture[0] for picture in pictures], input_data_format="channels_last", **common)
        values: Tensor = found["pixel_values"]
    else:
        clips = [torch.from_numpy(picture).permute(0, 3, 1, 2) for picture in pictures]
        found = part(videos=clips, do_sample_frames=False, input_data_format="channels_first", **common)
        values = found["pixel_values_videos"]
    return values
