"""DivPrune: tokens that differ from one another.

After Alvar et al., "DivPrune: Diversity-based Visual Token Pruning for Large Multimodal Models" (CVPR 2025,
arXiv:2503.02175).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import normalize

from pixtrim.engines.transformers.after.stage import Encoded, Reduction, budget_of, check_budget

__all__ = ["DivPrune"]


@dataclass(frozen=True)
class DivPrune:
    """Keep tokens such that the two most similar of them differ as much as possible.

    The first is the token that is farthest from the one nearest to it, by the cosine of their features; each next one
    is farthest from all before. No attention is needed; the cosines of all pairs of tokens are held.

    Attributes
    ----------
    budget : float or int
        Share of the full grid's tokens, or number of tokens.

    Raises
    ------
    UsageError
        If it is out of its range.
    """

    budget: float

    def __post_init__(self) -> None:
        check_budget(self.budget)

    def layers(self, depth: int) -> tuple[int, ...]:
        """Name none."""
        return ()

    def reduce(self, encoded: Encoded) -> Reduction:
        """Choose one token after the other."""
        directions = normalize(encoded.features.float(), dim=1)
        alike = directions @ directions.T
        chosen = [alike.fill_diagonal_(-torch.inf).amax(1).argmin()]
        nearest = torch.full_like(alike[0], -torch.inf)
        for _ in range(budget_of(self.budget, encoded) - 1):
            nearest = torch.maximum(nearest, alike[chosen[-1]])
            nearest[chosen[-1]] = torch.inf  # not twice, even if all others are like it
            chosen.append(nearest.argmin())
        return Reduction(torch.stack(chosen).sort().values)
