"""Tokens by chance: what every other choice has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pixtrim.engines.transformers.after.stage import Encoded, Reduction, budget_of, check_budget
from pixtrim.errors import UsageError

__all__ = ["RandomTokens"]


@dataclass(frozen=True)
class RandomTokens:
    """Keep tokens by chance, whatever the picture shows.

    Attributes
    ----------
    budget : float or int
        Share of the full grid's tokens, or number of tokens.
    seed : int
        Pictures with as many tokens have the same ones chosen with the same seed, 0 or above.

    Raises
    ------
    UsageError
        If one is out of its range.
    """

    budget: float
    seed: int = 0

    def __post_init__(self) -> None:
        check_budget(self.budget)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise UsageError(f"seed is {self.seed!r}: give a whole number from 0 to 2**63 - 1")

    def layers(self, depth: int) -> tuple[int, ...]:
        """Name none."""
        return ()

    def reduce(self, encoded: Encoded) -> Reduction:
        """Choose."""
        chance = torch.Generator().manual_seed(self.seed)  # on the CPU, so that every device gets the same
        order = torch.randperm(len(encoded.features), generator=chance)
        return Reduction(order[: budget_of(self.budget, encoded)].sort().values.to(encoded.features.device))
