"""Which tokens to keep: the registry of selectors, and those that predict each token from the ones before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from pixtrim.errors import UsageError
from pixtrim.operators.prune import baselines, predictors
from pixtrim.operators.prune.picture import Sources, TokenPicture

__all__ = ["Selector", "register", "select", "selector_named", "selector_names"]

Select = Callable[[TokenPicture], Sources]


@dataclass(frozen=True)
class Selector:
    """A way to choose tokens.

    Attributes
    ----------
    name : str
        What users call it.
    select : callable
        Takes a `TokenPicture`, returns the source of each token, int32 (h, w): its own number where it is kept, the
        number of a kept token whose pixels stand for it where it is dropped, or, with h * w tokens and the displacement
        ``offsets[k]``, ``h * w * (k + 1)`` plus its place where the reference's pixels do.
    modes : tuple of str
        ``"anchored"``, ``"sliding"`` or both: what it can do above threshold 0, where they differ.
    summary : str
        One line.
    """

    name: str
    select: Select
    modes: tuple[str, ...]
    summary: str


_REGISTRY: Final[dict[str, Selector]] = {}


def register(name: str, select: Select, *, modes: tuple[str, ...] = ("anchored",), summary: str = "") -> Selector:
    """Add a selector that `prune` and the command line then know by its name.

    Parameters
    ----------
    name : str
        Lower-case letters, digits and underscores; at most 32.
    select : callable
        See `Selector`. What it returns is checked, and what the sources promise is measured, on every call.
    modes : tuple of str
        ``("anchored",)``, ``("sliding",)`` or both.
    summary : str
        One line for lists.

    Raises
    ------
    UsageError
        If the name is taken or not a name, or a mode is unknown.

    Examples
    --------
    >>> def keep_all(picture):
    ...     return np.arange(picture.count, dtype=np.int32).reshape(picture.shape)
    >>> register("keep_all_example", keep_all, summary="drops nothing").name
    'keep_all_example'
    """
    if not (isinstance(name, str) and name.isascii() and name.isidentifier() and name == name.lower()):
        raise UsageError(f"selector name is {name!r}: use lower-case letters, digits and underscores")
    if len(name) > 32:
        raise UsageError(f"selector name {name!r} has {len(name)} letters: at most 32 are possible")
    if name in _REGISTRY:
        raise UsageError(f"selector {name!r} exists: choose another name")
    if not modes or not set(modes) <= {"anchored", "sliding"}:
        raise UsageError(f"modes is {modes!r}: choose from anchored, sliding")
    _REGISTRY[name] = Selector(name, select, tuple(modes), summary)
    return _REGISTRY[name]


def selector_names() -> list[str]:
    """Return the names of all selectors, in the order of their registration."""
    return list(_REGISTRY)


def selector_named(name: str) -> Selector:
    """Find a selector; raises UsageError if there is none of that name."""
    if not isinstance(name, str) or name not in _REGISTRY:
        raise UsageError(f"selector is {name!r}: choose one of {', '.join(_REGISTRY)}")
    return _REGISTRY[name]


def select(picture: TokenPicture, name: str = "pred_2d") -> tuple[Sources, bool]:
    """Choose the tokens to keep; at least one.

    Parameters
    ----------
    picture : TokenPicture
        What to look at.
    name : str
        A selector's name.

    Returns
    -------
    sources : ndarray
        int32 (h, w): see `Selector`.
    bounded : bool
        Whether every dropped token is within the tolerance of its source.

    Raises
    ------
    UsageError
        If there is no such selector, it cannot work in that mode, or a selector from outside returns what are no
        sources.
    """
    selector = selector_named(name)
    mode = "anchored" if picture.anchored else "sliding"
    if mode not in selector.modes and not picture.tolerance.exact:
        raise UsageError(f"selector {name} has no {mode} mode above threshold 0: choose {' or '.join(selector.modes)}")
    sources = _checked(selector, picture)
    if not (sources.ravel() == np.arange(picture.count)).any():
        sources[0, 0] = 0  # a model cannot be shown nothing
    return sources, _is_bounded(selector, picture, sources)


def _checked(selector: Selector, picture: TokenPicture) -> Sources:
    """Call a selector and make sure that what it returns are sources."""
    found = np.asarray(selector.select(picture))
    if found.shape != picture.shape or found.dtype.kind not in "iu":
        raise UsageError(
            f"selector {selector.name} returned {found.dtype} {found.shape}: int32 {picture.shape} is needed"
        )
    count = picture.count
    sources = np.ascontiguousarray(found, np.int32)
    flat = sources.ravel()
    inside = (flat >= 0) & (flat < (len(picture.offsets) + 1) * count)
    if selector.name not in _BUILT_IN:
        kept = flat == np.arange(count)
        local = flat < count
        inside[inside & local] &= kept[flat[inside & local]]
        inside[~local] &= picture.reference is not None
    if not inside.all():
        wrong = int(np.flatnonzero(~inside)[0])
        raise UsageError(
            f"selector {selector.name} gave token {wrong} the source {flat[wrong]}: "
            "it must be itself, a kept token, or a place in the reference"
        )
    return sources


def _is_bounded(selector: Selector, picture: TokenPicture, sources: Sources) -> bool:
    if selector.name in _PREDICTORS and (picture.anchored or picture.tolerance.exact):
        return True  # so they are made: each token was compared with its source
    flat, count = sources.ravel(), picture.count
    dropped = np.flatnonzero((flat != np.arange(count)) & (flat < count)).astype(np.int32)
    if not picture.similar(dropped, flat[dropped]).all():
        return False
    for k, offset in enumerate(picture.offsets):
        there = np.flatnonzero((flat >= count * (k + 1)) & (flat < count * (k + 2))).astype(np.int32)
        place = flat[there] - count * (k + 1)
        if not picture.matches_reference(there, offset, place).all():
            return False
    return True


_BOTH = ("anchored", "sliding")
_PREDICTORS = frozenset({"raster", "serpentine", "pred_2d", "pred_near", "unique"})

register("raster", predictors.raster, modes=_BOTH, summary="equal to the token before it, row by row")
register("serpentine", predictors.serpentine, modes=_BOTH, summary="as raster, every other row backwards")
register("pred_2d", predictors.pred_2d, modes=_BOTH, summary="PixelPrune: left, or above where LOCO-I says so")
register("pred_near", predictors.pred_near, summary="as any of the four neighbours before it, or as the background")
register("unique", predictors.unique, summary="equal to any token before it: the bound, far repeats go too")
register("conncomp", baselines.connected, modes=_BOTH, summary="ShowUI: a share of each area of equal tokens")
register("random", baselines.drawn, modes=_BOTH, summary="as many as pred_2d, drawn by lot: a baseline")
_BUILT_IN = frozenset(_REGISTRY)
