"""The steps that a reduction is made of, each from one `Part` to the next, and the words that ask for them."""

from __future__ import annotations

from typing import Final

import numpy as np

from pixtrim.coordinates import CoordinateMap
from pixtrim.errors import UsageError
from pixtrim.operators import fold
from pixtrim.operators.carve import DEFAULT_STRENGTH, MOST_IMPORTANT, carve
from pixtrim.operators.crop import crop
from pixtrim.operators.resize import resize
from pixtrim.operators.warp import warp
from pixtrim.pipeline.task import Part, Task

__all__ = ["PLAIN", "carved", "cropped", "folded", "parse_operator", "resized", "warped"]

ENDS: Final = ("resize", "warp", "carve")
ORDER: Final = ("crop", "fold", *ENDS)

PLAIN: Final = frozenset({"resize", "fold"})
"""What leaves everything where an agent that clicks expects it."""

SEAM_EDGES: Final = 12.0
SEAM_SHARE: Final = 0.6
"""The most that a seam may cost per pixel: edges, in levels, and a share of what the picture's pixels weigh on average.

From there on seams cut into content, and the rest is left to a warp.
"""


def parse_operator(operator: str) -> tuple[str, ...]:
    """Return the steps that an operator names, none for ``"auto"``.

    Parameters
    ----------
    operator : str
        ``"auto"``, or steps joined by ``+`` in their order: ``"crop"``, ``"fold"``, and one of ``"resize"``, ``"warp"``
        and ``"carve"``, as in ``"fold+warp"``.

    Raises
    ------
    UsageError
        If it is something else.

    Examples
    --------
    >>> parse_operator("fold+warp"), parse_operator("crop"), parse_operator("auto")
    (('fold', 'warp'), ('crop',), ())
    """
    if operator == "auto":
        return ()
    steps = tuple(operator.split("+")) if isinstance(operator, str) else ()
    known = bool(steps) and all(step in ORDER for step in steps)
    if not known or list(steps) != sorted(set(steps), key=ORDER.index) or len(set(steps) & set(ENDS)) > 1:
        raise UsageError(
            f"operator is {operator!r}: choose auto, or steps joined by + in this order: crop, fold, and one of "
            f"{', '.join(ENDS)}"
        )
    return steps


def cropped(task: Task, part: Part) -> Part:
    """Cut off borders that hold next to nothing that matters."""
    found = crop(part.image, part.importance(task.guide), protect=part.protected(task.protect))
    return part if found.size == part.size else part.then("crop", found.image, found.coordinates)


def folded(task: Task, part: Part, plan: fold.FoldPlan) -> Part:
    """Take out rows and columns that repeat."""
    return part.then("fold", plan.apply(part.image, task.threads), plan.coordinates)


def resized(task: Task, part: Part) -> Part:
    """Scale to the budget what is to be scaled."""
    size = task.fitted(*part.size)
    if size == part.size:
        return part
    image = resize(part.image, size, threads=task.threads)
    scale = min(size[0] / part.size[0], size[1] / part.size[1])
    return part.then("resize", image, CoordinateMap.scale(part.size, size), scale)


def warped(task: Task, part: Part, size: tuple[int, int] | None = None) -> Part:
    """Scale to the budget, what matters least."""
    size = size or task.fitted(*part.size)
    if size == part.size:
        return part
    importance = part.importance(task.guide)
    found = warp(part.image, size, importance, protect=part.protected(task.protect), threads=task.threads)
    return part.then("warp", found.image, found.coordinates, found.scales()[0])


def carved(task: Task, part: Part) -> Part:
    """Take out seams down to the budget, and where they would cut into content, leave the rest to a warp."""
    size = task.fitted(*part.size)
    if size == part.size:
        return part
    importance = part.importance(task.guide)
    found = carve(
        part.image,
        size,
        importance,
        energy="forward",
        protect=part.protected(task.protect),
        max_energy=SEAM_EDGES
        + SEAM_SHARE * DEFAULT_STRENGTH * MOST_IMPORTANT * float(importance.mean(dtype=np.float64)),
        threads=task.threads,
    )
    if found.size != part.size:
        part = part.then("carve", found.image, found.coordinates)
    return warped(task, part, size)
