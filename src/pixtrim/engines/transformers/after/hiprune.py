"""HiPrune: what a middle layer attends to, its surroundings, and what the last layer attends to.

After Liu et al., "HiPrune: Training-Free Visual Token Pruning via Hierarchical Attention in Vision-Language Models"
(arXiv:2508.00553).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pixtrim.engines.transformers.after.stage import (
    Encoded,
    Reduction,
    budget_of,
    check_budget,
    check_share,
    highest,
)
from pixtrim.errors import UsageError

__all__ = ["HiPrune"]


@dataclass(frozen=True)
class HiPrune:
    """Keep anchors, buffers and registers.

    Anchors are the tokens that are paid most attention in a middle layer, which looks at objects. Buffers are the
    tokens above, below, left and right of anchors. Registers, which hold what the picture is as a whole, are those that
    are paid most in the last layer; they fill what is left of the budget.

    The published code takes the tokens numbered before and after an anchor for its neighbours, which at the end of a
    row is the start of the next one; here neighbours are of the same row. They are looked for in the full grid: where
    a neighbour was dropped before the encoder, no other takes its place.

    Attributes
    ----------
    budget : float or int
        Share of the full grid's tokens, or number of tokens.
    alpha : float
        Share of the budget that is for anchors and buffers, five tokens for each anchor; 0 to 1.
    object_layer : float or int
        The middle layer: a share of the encoder's depth, from 0.0 up to, but less than, 1.0, or its index.

    Raises
    ------
    UsageError
        If one is out of its range.

    Examples
    --------
    >>> HiPrune(0.25).layers(32)
    (16, 31)
    """

    budget: float
    alpha: float = 0.1
    object_layer: float = 0.5

    def __post_init__(self) -> None:
        check_budget(self.budget)
        check_share(self.alpha, "alpha")
        layer = self.object_layer
        is_share = isinstance(layer, float) and 0 <= layer < 1
        is_index = isinstance(layer, int) and not isinstance(layer, bool) and layer >= 0
        if not is_share and not is_index:
            raise UsageError(f"object_layer is {layer!r}: give a share of the depth, below 1.0, or an index")

    def layers(self, depth: int) -> tuple[int, ...]:
        """Name the middle layer and the last.

        Raises
        ------
        UsageError
            If the encoder has no such middle layer.
        """
        middle = self.object_layer if isinstance(self.object_layer, int) else int(self.object_layer * depth)
        if middle >= depth:
            raise UsageError(f"object_layer is {middle}: the encoder has {depth} layers, so give at most {depth - 1}")
        return middle, depth - 1

    def reduce(self, encoded: Encoded) -> Reduction:
        """Choose anchors, then buffers, then registers."""
        count = budget_of(self.budget, encoded)
        middle, last = encoded.attention
        kept = torch.zeros(len(middle), dtype=torch.bool, device=middle.device)
        kept[highest(middle, round(count * self.alpha / 5))] = True
        buffers = beside(kept, encoded) & ~kept
        room = min(count - int(kept.sum()), int(buffers.sum()))  # alpha near 1 may ask for more than there is room for
        kept[highest(middle.masked_fill(~buffers, -torch.inf), room)] = True
        kept[highest(last.masked_fill(kept, -torch.inf), count - int(kept.sum()))] = True
        return Reduction(kept.nonzero()[:, 0])


def beside(chosen: Tensor, encoded: Encoded) -> Tensor:
    """Say which tokens lie directly above, below, left or right of chosen ones, in the same slot: bool (k,)."""
    at = encoded.places.to(chosen.device).unbind(1)
    centre = torch.zeros(encoded.shape, dtype=torch.bool, device=chosen.device)
    centre[at] = chosen
    near = torch.zeros_like(centre)
    near[:, 1:] |= centre[:, :-1]
    near[:, :-1] |= centre[:, 1:]
    near[:, :, 1:] |= centre[:, :, :-1]
    near[:, :, :-1] |= centre[:, :, 1:]
    return near[at]
