"""How much attention the tokens of a picture are paid within the encoder.

transformers lets a function take the place of a model's attention, by name. For the time of one call, the encoder's is
one that hands everything on to the attention that was set before, so that the encoder returns what it always does, and
that adds up, for the asked layers, what each patch is paid.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixtrim.engines.pixels import layout_of
from pixtrim.engines.transformers.encoder import Geometry
from pixtrim.errors import UsageError
from pixtrim.grid import PatchGrid

__all__ = ["Received", "blocks_of", "column_sums", "received_attention"]

AT_ONCE = 2**22
"""How many weights of attention are held at a time: 16 MiB of float32, which a cache may hold."""


@dataclass(frozen=True, eq=False)
class Received:
    """What the patches of a call of the encoder were paid.

    Attributes
    ----------
    layers : tuple of int
        The layers looked at.
    segments : dict of int to list of Tensor
        For each of them, and for each picture or slot of a clip in turn, float32 (patches,) in the order in which the
        encoder has them.
    """

    layers: tuple[int, ...] = ()
    segments: dict[int, list[Tensor]] = field(default_factory=dict)

    def by_picture(
        self, geometry: Geometry, grids: Sequence[PatchGrid], keeps: Sequence[NDArray[np.bool_]]
    ) -> list[tuple[Tensor, ...]]:
        """Return what the tokens of each picture were paid.

        Parameters
        ----------
        geometry : Geometry
        grids, keeps
            As the encoder was given them.

        Returns
        -------
        list of tuple of Tensor
            For each picture, and each layer, float32 (kept,) in the order of the tokens' places.
        """
        counts = [int(keep.sum()) for keep in keeps]
        layouts = [layout_of(grid, keep) for grid, keep in zip(grids, keeps, strict=True)]
        # Where there are windows, the encoder has the tokens in the order of these.
        order = geometry.arguments(grids, keeps)["window_index"] if self.layers and geometry.window_size else None
        found = []
        for layer in self.layers:
            patches = torch.cat(self.segments[layer])
            if geometry.family.raster:
                tokens = _raster(patches, layouts, geometry.merge)
            else:
                tokens = patches.reshape(-1, geometry.merge**2).mean(1)
            if order is not None:
                tokens = tokens[order.argsort().to(tokens.device)]
            found.append(torch.split(tokens, counts))
        return [tuple(scores[number] for scores in found) for number in range(len(grids))]


def _raster(patches: Tensor, layouts: Sequence[tuple[int, int]], merge: int) -> Tensor:
    """Return the means of tokens from patches that are listed row by row of what was laid out."""
    parts = torch.split(patches, [rows * columns * merge**2 for rows, columns in layouts])
    return torch.cat(
        [
            part.reshape(rows, merge, columns, merge).mean((1, 3)).ravel()
            for part, (rows, columns) in zip(parts, layouts, strict=True)
        ]
    )


def blocks_of(visual: Any) -> Any:
    """Find the layers of a vision encoder."""
    return visual.blocks if hasattr(visual, "blocks") else visual.vision_model.encoder.layers


@contextmanager
def received_attention(visual: Any, layers: Sequence[int]) -> Iterator[Received]:
    """Look at the attention of an encoder for the time of one call, and leave the encoder as it was.

    Parameters
    ----------
    visual : Module
        The vision encoder.
    layers : sequence of int
        The layers whose attention is asked for. Where an encoder has layers that see no more than a window, the nearest
        that sees the whole picture takes the place of such a layer. With none, nothing is looked at.

    Yields
    ------
    Received
        Filled by the call.

    Raises
    ------
    UsageError
        If the encoder computes its attention by FlashAttention, where nobody can look on.
    """
    if not layers:
        yield Received()
        return
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
    from transformers.utils.generic import is_flash_attention_requested

    before = visual.config._attn_implementation
    if is_flash_attention_requested(visual.config):
        raise UsageError(
            f"the vision encoder's attention is {before}, which does not show how much a token is paid: "
            'model.model.visual.set_attn_implementation("sdpa"), or take a second stage that needs no attention'
        )
    seen = tuple(_nearest(layer, getattr(visual.config, "fullatt_block_indexes", None)) for layer in layers)
    received = Received(seen, {layer: [] for layer in seen})
    layer_of = {part: layer for layer in received.segments for part in blocks_of(visual)[layer].modules()}

    def look_on(module: Any, query: Tensor, key: Tensor, *arguments: Any, scaling: float, **named: Any) -> Any:
        if module in layer_of:
            received.segments[layer_of[module]].append(column_sums(query, key, scaling))
        # What "eager" names is in no list, but beside each model.
        eager: Any = getattr(sys.modules[type(module).__module__], "eager_attention_forward", None)
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(before, eager)
        return attend(module, query, key, *arguments, scaling=scaling, **named)

    name = f"pixtrim_{id(received)}"  # models in other threads have their own
    ALL_ATTENTION_FUNCTIONS[name] = torch.compiler.disable(look_on)
    visual.config._attn_implementation = name
    try:
        yield received
    finally:
        visual.config._attn_implementation = before
        ALL_ATTENTION_FUNCTIONS.pop(name)


def _nearest(layer: int, whole: Sequence[int] | None) -> int:
    return layer if whole is None else min(whole, key=lambda other: (abs(other - layer), other))


def column_sums(query: Tensor, key: Tensor, scaling: float) -> Tensor:
    """Return what each key is paid by all queries together, as a mean over heads: 1.0 on average.

    Parameters
    ----------
    query, key : Tensor
        (1, heads, n, d).
    scaling : float
        What products are multiplied with.

    Returns
    -------
    Tensor
        float32 (n,).

    Examples
    --------
    >>> query = key = torch.tensor([[[[0.0], [1.0]]]])
    >>> column_sums(query, key, 1.0)  # half of the first query's attention, and 1 / (1 + e) of the second's
    tensor([0.7689, 1.2311])
    """
    heads, count = query.shape[1:3]
    total = torch.zeros(count, device=query.device)
    with torch.no_grad():
        for some in torch.split(query * scaling, max(1, AT_ONCE // (heads * count)), dim=2):
            total += (some @ key.transpose(2, 3)).softmax(-1, dtype=torch.float32).sum((0, 1, 2))
    return total / heads
