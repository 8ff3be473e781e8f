"""The vision encoder, given kept tokens alone.

What depends on a token's place, rotary positions, samples of a learned table, bounds and windows of attention, is
computed for the full grid by transformers' own functions, and of that the rows of kept tokens are given to the encoder,
which takes each as an argument. The encoder is told that the tokens are a picture one token high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixtrim.engines.families import Family, family_of
from pixtrim.engines.pixels import layout_of, strip_rows
from pixtrim.engines.windows import kept_windows
from pixtrim.errors import UsageError
from pixtrim.grid import PatchGrid

__all__ = ["Geometry", "base_of", "encode"]

Keep = NDArray[np.bool_]


def base_of(model: Any) -> Any:
    """Find the part of a model that holds the vision encoder, inside wrappers such as those of PEFT.

    Raises
    ------
    UsageError
        If there is none.
    """
    for module in model.modules():
        if hasattr(module, "visual") and hasattr(module, "get_rope_index"):
            return module
    raise UsageError(f"{type(model).__name__} has no vision encoder with M-RoPE: give a model of a known family")


@dataclass(frozen=True)
class Geometry:
    """What an encoder's arguments depend on besides the grids: numbers alone, so that workers of a loader can have it.

    Attributes
    ----------
    family : Family
    merge : int
        Patches on the side of a token.
    patch_size : int
    window_size : int
        Side of a window in pixels; 0 without windows.
    table : tuple of (int, str, bool) or None
        Side of the learned table of positions, and how it is resampled.
    """

    family: Family
    merge: int
    patch_size: int
    window_size: int = 0
    table: tuple[int, str, bool] | None = None

    @classmethod
    def of(cls, model: Any) -> Geometry:
        """Read it from a model."""
        base = base_of(model)
        family, vision = family_of(base.config.model_type), base.config.vision_config
        table = None
        if family.interpolation is not None:
            part = reduce(getattr, filter(None, family.interpolation.split(".")), base.visual)
            table = (part.num_grid_per_side, part.interpolation_mode, part.interpolation_align_corners)
        window = vision.window_size if family.windows else 0
        return cls(family, vision.spatial_merge_size, vision.patch_size, window, table)

    def strip_grid(self, grids: Sequence[PatchGrid], keeps: Sequence[Keep]) -> Tensor:
        """Return the grids that the encoder is told: int64 (n, 3), or (slots, 3) where it needs the full ones."""
        if self.family.full_grid:
            return torch.tensor([(1, *grid.grid_thw[1:]) for grid in grids for _ in range(grid.grid_thw[0])])
        laid = [layout_of(grid, keep) for grid, keep in zip(grids, keeps, strict=True)]
        return torch.tensor([(1, self.merge * rows, self.merge * columns) for rows, columns in laid])

    def arguments(self, grids: Sequence[PatchGrid], keeps: Sequence[Keep]) -> dict[str, Tensor]:
        """Return the arguments of the encoder for the kept tokens of pictures or clips.

        Parameters
        ----------
        grids : sequence of PatchGrid
        keeps : sequence of ndarray
            bool (grid_h, grid_w), or for clips (t, grid_h, grid_w): each keeps a token of every slot.

        Returns
        -------
        dict of str to Tensor
            On the CPU.
        """
        from transformers import vision_utils

        full = torch.tensor([grid.grid_thw for grid in grids])
        order = 1 if self.family.raster else self.merge
        offsets = np.cumsum([0, *(grid.grid_thw[0] * grid.grid_thw[1] * grid.grid_thw[2] for grid in grids)])
        rows = torch.from_numpy(
            np.concatenate([strip_rows(g, k) + at for g, k, at in zip(grids, keeps, offsets[:-1], strict=True)])
        )
        slots = [int(slot.sum()) * self.merge**2 for keep in keeps for slot in keep.reshape(-1, *keep.shape[-2:])]
        found = {
            "position_ids": vision_utils.get_vision_position_ids(full, order)[rows],
            "cu_seqlens": torch.tensor([0, *slots]).cumsum(0, dtype=torch.int32),
        }
        if self.table is not None:
            side, mode, align_corners = self.table
            indices, weights = vision_utils.get_vision_interpolation_indices_and_weights(
                full, side, mode=mode, align_corners=align_corners, spatial_merge_size=order
            )
            found |= {"interp_indices": indices[rows], "interp_weights": weights[rows]}
        if self.window_size:
            found |= self._windows(full, torch.from_numpy(np.concatenate([keep.ravel() for keep in keeps])))
        return found

    def _windows(self, full: Tensor, keep: Tensor) -> dict[str, Tensor]:
        from transformers.vision_utils import get_vision_window_index

        index, bounds = get_vision_window_index(full, self.merge, self.window_size, self.patch_size)
        kept, kept_bounds = kept_windows(index, bounds, keep, self.merge**2)
        return {"window_index": kept, "cu_window_seqlens": kept_bounds}


def encode(
    base: Any, geometry: Geometry, modality: str, values: Tensor, grids: Sequence[PatchGrid], keeps: Sequence[Keep]
) -> Any:
    """Encode the kept tokens of pictures or clips.

    Parameters
    ----------
    base : Module
        From `base_of`.
    geometry : Geometry
        Its geometry.
    modality : {"image", "video"}
    values : Tensor
        The patches of kept tokens: see `pixtrim.engines.pixels.strips`.
    grids, keeps
        As for `Geometry.arguments`.

    Returns
    -------
    ModelOutput
        As the model's own ``get_image_features`` returns it: ``pooler_output`` has (kept, D) for each picture, and so
        has each layer of ``deepstack_features`` where there are such.
    """
    device = base.visual.device
    arguments = {name: value.to(device) for name, value in geometry.arguments(grids, keeps).items()}
    told = geometry.strip_grid(grids, keeps).to(device)
    values = values.to(device)
    if geometry.family.full_grid:
        return encode_full(base, values, told, [int(keep.sum()) for keep in keeps], **arguments)
    named = {f"{modality}_{name}": value for name, value in arguments.items()}
    if modality == "video":
        return base.get_video_features(values, told, return_dict=True, **named)
    return base.get_image_features(values, told, return_dict=True, **named)


def encode_full(base: Any, values: Tensor, grid_thw: Tensor, counts: Sequence[int], **arguments: Any) -> Any:
    """Encode kept tokens where the encoder must know the full grid, and split what it returns by picture."""
    found = base.visual(values.type(base.visual.dtype), grid_thw=grid_thw, return_dict=True, **arguments)
    found.pooler_output = torch.split(found.pooler_output, list(counts))
    return found
