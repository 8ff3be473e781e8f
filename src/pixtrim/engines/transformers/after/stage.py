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

__all__ = ["Encoded", "Reducer", "Reduction", "budget_of", "check_budget", "check_share", "highest", "reduce_outputs"]


@dataclass(frozen=True, eq=False)
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
    attention : tuple of Tensor
        For each layer that the reducer names, float32 (k,): how much attention the token is paid by all patches that
        see it, as a mean over heads and over the token's patches. The tokens of a picture, or of a slot of a clip, have
        1.0 on average.
    """

    features: Tensor
    places: Tensor
    shape: tuple[int, int, int]
    attention: tuple[Tensor, ...] = ()

    @property
    def tokens(self) -> int:
        """Tokens of the full grid."""
        slots, rows, columns = self.shape
        return slots * rows * columns


@dataclass(frozen=True, eq=False)
class Reduction:
    """What a second stage keeps.

    Attributes
    ----------
    keep : Tensor
        int64 (n,), rising: tokens of `Encoded`, at least one.
    merge : Tensor, optional
        (n, k): the weights with which kept tokens are made anew from all; each row sums to 1. None: they stay as they
        are.
    """

    keep: Tensor
    merge: Tensor | None = None


class Reducer(Protocol):
    """A way to choose tokens after the encoder."""

    def layers(self, depth: int) -> tuple[int, ...]:
        """Name the layers of an encoder of `depth` layers whose attention is needed."""

    def reduce(self, encoded: Encoded) -> Reduction:
        """Choose."""


def check_budget(budget: float) -> None:
    """Refuse a budget that is neither a share of the tokens, a float, nor a number of tokens, an int.

    Raises
    ------
    UsageError
        If it is neither.
    """
    if isinstance(budget, bool) or not isinstance(budget, (int, float)) or not budget > 0:
        raise UsageError(f"budget is {budget!r}: give a share of the tokens above 0 and up to 1.0, or a whole number")
    if isinstance(budget, float) and budget > 1:
        raise UsageError(f"budget is {budget!r}: give a share up to 1.0, or a whole number of tokens")


def check_share(value: float, name: str) -> None:
    """Refuse what is not a number from 0 to 1.

    Raises
    ------
    UsageError
        If it is not.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise UsageError(f"{name} is {value!r}: give a share from 0 to 1")


def budget_of(budget: float, encoded: Encoded) -> int:
    """Return how many tokens a budget leaves: a share of the full grid as a float, or a number of tokens as an int.

    At least one is left, and no more than there are.

    Raises
    ------
    UsageError
        If it is neither.

    Examples
    --------
    >>> encoded = Encoded(torch.zeros(3, 8), torch.zeros(3, 3).long(), (1, 4, 4))
    >>> budget_of(0.125, encoded), budget_of(9, encoded)
    (2, 3)
    """
    check_budget(budget)
    wanted = budget if isinstance(budget, int) else round(budget * encoded.tokens)
    return min(max(1, wanted), len(encoded.features))


def highest(scores: Tensor, count: int) -> Tensor:
    """Return the places of the highest scores, highest first; of equal scores the earlier.

    Examples
    --------
    >>> highest(torch.tensor([0.1, 0.7, 0.2, 0.7]), 3).tolist()
    [1, 3, 2]
    """
    return scores.argsort(descending=True, stable=True)[:count]


def reduce_outputs(
    reducer: Reducer,
    outputs: Any,
    attention: Sequence[tuple[Tensor, ...]],
    grids: Sequence[PatchGrid],
    keeps: Sequence[NDArray[np.bool_]],
) -> list[NDArray[np.bool_]]:
    """Let a reducer choose among the tokens of every picture, and change the encoder's outputs in place.

    Parameters
    ----------
    reducer : Reducer
    outputs : ModelOutput
        What `pixtrim.engines.transformers.encoder.encode` returned.
    attention : sequence of tuple of Tensor
        For each picture, as `Encoded.attention`.
    grids : sequence of PatchGrid
    keeps : sequence of ndarray
        The tokens of each picture that were encoded, bool (grid_h, grid_w), or for clips (t, grid_h, grid_w).

    Returns
    -------
    list of ndarray
        The tokens of each picture that stay, as `keeps`.

    Raises
    ------
    UsageError
        If the reducer does not return a choice.
    """
    pooled, deep = list(outputs.pooler_output), [list(layer) for layer in outputs.get("deepstack_features") or ()]
    left = []
    for number, (grid, keep) in enumerate(zip(grids, keeps, strict=True)):
        shape = (grid.grid_thw[0], grid.grid_h, grid.grid_w)
        places = torch.from_numpy(np.argwhere(keep.reshape(shape))).to(pooled[number].device)
        with torch.no_grad():
            found = reducer.reduce(Encoded(pooled[number], places, shape, attention[number]))
        _check(found, len(places), reducer)
        for layer in (pooled, *deep):
            layer[number] = _made(layer[number], found)
        stays = np.zeros(shape, np.bool_)
        stays[tuple(places[found.keep.to(places.device)].cpu().numpy().T)] = True
        left.append(stays.reshape(keep.shape))
    outputs.pooler_output = tuple(pooled)
    if deep:
        outputs.deepstack_features = [tuple(layer) for layer in deep]
    return left


def _check(found: Reduction, count: int, reducer: Reducer) -> None:
    """Refuse a choice that would put features at the places of others."""
    keep = found.keep
    rising = len(keep) > 0 and bool((keep.diff() > 0).all()) and int(keep[0]) >= 0 and int(keep[-1]) < count
    if not rising or (found.merge is not None and found.merge.shape != (len(keep), count)):
        raise UsageError(
            f"{type(reducer).__name__} returns no choice of {count} tokens: keep must rise within 0 to {count - 1}, "
            "and merge have a row for each of it and a column for each token"
        )


def _made(features: Tensor, found: Reduction) -> Tensor:
    if found.merge is None:
        return features[found.keep.to(features.device)]
    # In float32, since the shares of a mean are not exact in 16 bits.
    return (found.merge.to(features.device, torch.float32) @ features.float()).to(features.dtype)
