"""Means within the cells of a coarser grid: what a smaller picture would roughly be."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pixtrim.engines.transformers.after.stage import Encoded, Reduction, budget_of, check_budget

__all__ = ["Downsample"]


@dataclass(frozen=True)
class Downsample:
    """Lay a coarser grid over the picture, and keep the mean of the tokens in each of its cells.

    The mean stands at the place of the token that is nearest to the middle of the cell, of equally near ones the first.
    Cells whose tokens were all dropped before the encoder have none. The grid has the proportions of the picture's,
    and is the finest whose cells are no more than the budget; so fewer tokens than the budget may be left. Slots of a
    clip are kept apart unless the budget is less than one token for each.

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
        """Take the means of the finest grid within the budget."""
        tokens, count = len(encoded.places), budget_of(self.budget, encoded)
        each = torch.arange(tokens, device=encoded.places.device)
        if count == tokens:
            return Reduction(each)
        divided = (cells(encoded, grid) for grid in [*coarser(encoded.shape), (min(encoded.shape[0], count), 1, 1)])
        numbers, away = next(found for found in divided if int(found[0].max()) < count)
        merge = torch.zeros(int(numbers.max()) + 1, tokens, device=each.device)
        merge[numbers, each] = 1.0
        order = away.argsort(stable=True)
        order = order[numbers[order].argsort(stable=True)]  # cell by cell, in each the nearest to its middle first
        keep, rank = order[numbers[order].diff(prepend=numbers.new_tensor([-1])) > 0].sort()
        return Reduction(keep, (merge / merge.sum(1, keepdim=True))[rank])


def coarser(shape: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    """Return the grids with a picture's proportions, from its own to a single cell for each slot.

    Examples
    --------
    >>> coarser((1, 2, 4))
    [(1, 2, 4), (1, 2, 3), (1, 1, 2), (1, 1, 1)]
    """
    slots, rows, columns = shape
    by_row = {(slots, row, -(-row * columns // rows)) for row in range(1, rows + 1)}
    by_column = {(slots, -(-column * rows // columns), column) for column in range(1, columns + 1)}
    return sorted(by_row | by_column, reverse=True)


def cells(encoded: Encoded, grid: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """Number the cells of a coarser grid in which there are tokens.

    Returns
    -------
    tuple of Tensor
        (k,) each: the cell of each token, from 0 on, and how far the token is from the cell's middle, squared.
    """
    fine, coarse = (encoded.places.new_tensor(shape) for shape in (encoded.shape, grid))
    cell = encoded.places * coarse // fine
    middle = (cell + 0.5) * fine / coarse - 0.5
    slot, row, column = cell.unbind(1)
    numbers = torch.unique((slot * grid[1] + row) * grid[2] + column, return_inverse=True)[1]
    return numbers, (encoded.places - middle).square().sum(1)
