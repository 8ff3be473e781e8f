"""From a picture and a selector to a plan: alone, and against a reference where there is one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pixtrim.grid import PatchGrid
from pixtrim.operators.prune.motion import find_offsets
from pixtrim.operators.prune.picture import NO_OFFSETS, TokenPicture
from pixtrim.operators.prune.plan import KeepPlan
from pixtrim.operators.prune.selectors import select

__all__ = ["choose"]

SAME_PLACE: NDArray[np.int32] = np.zeros((1, 2), np.int32)


def choose(picture: TokenPicture, grid: PatchGrid, selector: str, motion: bool = True) -> tuple[KeepPlan, KeepPlan]:
    """Plan a picture alone, and as well as it can be with its reference.

    Parameters
    ----------
    picture : TokenPicture
        The fitted picture; its offsets are not used.
    grid : PatchGrid
        What it was fitted to.
    selector : str
        A selector's name.
    motion : bool
        Whether the reference is also tried scrolled and panned.

    Returns
    -------
    alone, best : KeepPlan
        The second never keeps more tokens than the first, and is the first where the reference saves nothing.
    """
    alone = best = _plan(replace(picture, reference=None, offsets=NO_OFFSETS), grid, selector)
    if picture.reference is None:
        return alone, best
    still = _plan(replace(picture, offsets=SAME_PLACE), grid, selector)
    best = min(best, still, key=lambda plan: plan.kept)
    if motion and still.kept > 1:
        offsets = find_offsets(picture, np.flatnonzero(still.keep).astype(np.int32))
        if len(offsets) > 1:
            moved = _plan(replace(picture, offsets=offsets), grid, selector)
            best = min(best, moved, key=lambda plan: plan.kept)
    return alone, best


def _plan(picture: TokenPicture, grid: PatchGrid, selector: str) -> KeepPlan:
    sources, bounded = select(picture, selector)
    reference = picture.reference
    return KeepPlan(
        grid=grid,
        sources=sources,
        selector=selector,
        tolerance=picture.tolerance,
        anchored=picture.anchored,
        bounded=bounded,
        offsets=picture.offsets,
        reference_size=None if reference is None else (reference.shape[1], reference.shape[0]),
    )
