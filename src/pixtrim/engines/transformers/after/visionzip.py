"""VisionZip: the tokens that the last layer attends to, and means of the others.

After Yang et al., "VisionZip: Longer is Better but Not Necessary in Vision Language Models" (CVPR 2025,
arXiv:2412.04467).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from pixtrim.engines.transformers.after.stage import (
    Encoded,
    Reduction,
    budget_of,
    check_budget,
    check_share,
    highest,
)

__all__ = ["VisionZip"]


@dataclass(frozen=True)
class VisionZip:
    """Keep dominant tokens, and merge the others into contextual ones.

    Dominant tokens are those that are paid most attention in the last layer. Of the others, some are taken at even
    distances in the order of the picture; each of the rest joins the one that it is most similar to, by the cosine of
    their features, and the mean of each group stands at the place of the one that was taken.

    Published code compares the keys of the attention, and adds the mean of those that join to the one that they join;
    here the features are compared that the language model is given, and the mean is that of the whole group.

    Attributes
    ----------
    budget : float or int
        Share of the full grid's tokens, or number of tokens.
    contextual : float
        Share of the budget that is for contextual tokens; 0 to 1.

    Raises
    ------
    UsageError
        If one is out of its range.
    """

    budget: float
    contextual: float = 0.15

    def __post_init__(self) -> None:
        check_budget(self.budget)
        check_share(self.contextual, "contextual")

    def layers(self, depth: int) -> tuple[int, ...]:
        """Name the last layer."""
        return (depth - 1,)

    def reduce(self, encoded: Encoded) -> Reduction:
        """Choose dominant tokens, and merge the others."""
        tokens, count = len(encoded.features), budget_of(self.budget, encoded)
        if count == tokens:
            return Reduction(torch.arange(tokens, device=encoded.features.device))
        contexts = round(count * self.contextual)
        dominant = highest(encoded.attention[0], count - contexts)
        if not contexts:
            return Reduction(dominant.sort().values)
        others = torch.ones(tokens, dtype=torch.bool, device=dominant.device)
        others[dominant] = False
        places = others.nonzero()[:, 0]
        targets = places[((torch.arange(contexts, device=places.device) + 0.5) * len(places) / contexts).long()]
        keep = torch.cat([dominant, targets]).sort().values
        merge = torch.zeros(count, tokens, device=keep.device)
        merge[torch.searchsorted(keep, dominant), dominant] = 1.0
        merge[torch.searchsorted(keep, targets[nearest(encoded.features, places, targets)]), places] = 1.0
        return Reduction(keep, merge / merge.sum(1, keepdim=True))


def nearest(features: Tensor, places: Tensor, targets: Tensor) -> Tensor:
    """Return for each place the number of the target whose features are the most similar; a target's is its own."""
    directions = normalize(features.float(), dim=1)
    found = (directions[places] @ directions[targets].T).argmax(1)
    found[torch.searchsorted(places, targets)] = torch.arange(len(targets), device=places.device)  # despite its like
    return found
