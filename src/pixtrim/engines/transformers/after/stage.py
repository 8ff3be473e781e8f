"""What a second stage is given, and what it returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixtrim.errors import UsageError
from pixtrim.grid import PatchGrid

__all__ = ["Encoded", "Reducer", "Reduction", "budget_of", "reduce_outputs"]


@dataclass(frozen=True)
class Encoded:
    """One picture or clip as the encoder returned it.

    Attributes
    ----------
    features : Tensor
        (k, D): the tokens, in the order of their places.
    places : Tensor
        int64 (k, 3): slot, row and column of each in the grid.
    shape : tuple of int
        Slots, rows and columns of the grid.
    attention : dict of int to Tensor
        For each layer that the reducer asks for, float32 (k,): how much attention the token was paid by all tokens of
        its picture, mean over heads and patches.
    """

    features: Tensor
    places: Tensor
    shape: tuple[int, int, int]
    attention: dict[int, Tensor]

    @property
    def tokens(self) -> int:
        """Tokens of the full grid."""
        slots, rows, columns = self.shape
        return slots * rows * columns


@dataclass(frozen=True)
class Reduction:
    """What a second stage keeps.

    Attributes
    ----------
    keep : Tensor
        int64 (n,), rising: tokens of `Encoded`, at least one.
    merge : Tensor, optional
        (n, k): the weights with which kept tokens are made anew from all; each row sums to 1. None: they stay as they are.
    """

    keep: Tensor
    merge: Tensor | None = None


class Reducer(Protocol):
    """A way to choose tokens after the encoder."""

    def layers(self, depth: int) -> tuple[int, ...]:
        """Name the layers of an encoder of `depth` layers whose attention is needed."""

    def reduce(self, encoded: Encoded) -> Reduction:
        """Choose."""


def budget_of(budget: float, encoded: Encoded) -> int:
    """Return how many tokens a budget leaves: a share of the full grid as a float, or a number of tokens as an int.

    Raises
    ------
    UsageError
        If it is neither.

    Examples
    --------
    >>> encoded = Encoded(torch.zeros(3, 8), torch.zeros(3, 3).long(), (1, 4, 4), {})
    >>> budget_of(0.125, encoded), budget_of(9, encoded)
    (2, 3)
    """
    if isinstance(budget, bool) or not isinstance(budget, (int, float)) or not budget > 0:
        raise UsageError(f"budget is {budget!r}: give a share of the tokens above 0 and up to 1.0, or a whole number")
    if isinstance(budget, float) and budget > 1:
        raise UsageError(f"budget is {budget!r}: give a share up to 1.0, or a whole number of tokens")
    wanted = budget if isinstance(budget, int) else round(budget * encoded.tokens)
    return min(max(1, wanted), len(encoded.features))


def reduce_outputs(
    reducer: Reducer,
    outputs: Any,
    attention: dict[int, Sequence[Tensor]],
    grids: Sequence[PatchGrid],
    keeps: Sequence[NDArray[np.bool_]],
) -> list[NDArray[np.bool_]]:
    """Let a reducer choose among the tokens of every picture, and change the encoder's outputs in place.

    Returns
    -------
    list of ndarray
        The tokens of each picture that stay, as `keeps`.
    """
    pooled, deep = list(outputs.pooler_output), [list(layer) for layer in outputs.get("deepstack_features") or ()]
    left = []
    for number, (grid, keep) in enumerate(zip(grids, keeps, strict=True)):
        shape = (grid.grid_thw[0], grid.grid_h, grid.grid_w)
        places = torch.from_numpy(np.argwhere(keep.reshape(shape))).to(pooled[number].device)
        seen = {layer: scores[number] for layer, scores in attention.items()}
        found = reducer.reduce(Encoded(pooled[number], places, shape, seen))
        pooled[number] = _made(pooled[number], found)
        for layer in deep:
            layer[number] = _made(layer[number], found)
        stays = np.zeros(shape, np.bool_)
        stays[tuple(places[found.keep].cpu().numpy().T)] = True
        left.append(stays.reshape(keep.shape))
    outputs.pooler_output = tuple(pooled)
    if deep:
        outputs.deepstack_features = [tuple(layer) for layer in deep]
    return left


def _made(features: Tensor, found: Reduction) -> Tensor:
    if found.merge is None:
        return features[found.keep.to(features.device)]
    return found.merge.to(features.device, features.dtype) @ features
