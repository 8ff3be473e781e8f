"""Windows of attention, numbered anew for kept tokens."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["kept_windows"]


def kept_windows(index: Tensor, bounds: Tensor, keep: Tensor, unit: int) -> tuple[Tensor, Tensor]:
    """Number the tokens of windows anew; windows of which nothing is kept go.

    Parameters
    ----------
    index : Tensor
        int64 (tokens,): the tokens, window by window.
    bounds : Tensor
        (windows + 1,): where windows begin and end, in patches.
    keep : Tensor
        bool (tokens,), in the order of the picture.
    unit : int
        Patches of a token.

    Returns
    -------
    index : Tensor
        int64 (kept,).
    bounds : Tensor
        int32.

    Examples
    --------
    >>> keep = torch.tensor([True, False, True, False])
    >>> index, bounds = kept_windows(torch.tensor([0, 2, 1, 3]), torch.tensor([0, 8, 16]), keep, 4)
    >>> index.tolist(), bounds.tolist()
    ([0, 1], [0, 8])
    """
    stays = keep[index]
    number = keep.long().cumsum(0) - 1
    before = torch.cat([torch.zeros(1, dtype=torch.long), stays.long().cumsum(0)])
    kept_bounds = before[bounds.long() // unit] * unit
    return number[index[stays]], torch.unique_consecutive(kept_bounds).to(torch.int32)
