"""What is evaluated: ways to make a picture cheaper for a model, and the registry that new ones are added to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pixtrim.coordinates import CoordinateMap
from pixtrim.errors import UsageError
from pixtrim.pipeline import shrink
from pixtrim.tokens import resolve

__all__ = ["BASELINE", "Reduced", "Reducer", "reducer_named", "reducer_names", "register", "shrunk"]

Pixels = NDArray[np.uint8]

BASELINE: Final = "resize"
"""The reducer that every other is compared with, at equal tokens."""


@dataclass(frozen=True)
class Reduced:
    """A reduced picture.

    Attributes
    ----------
    image : ndarray
        uint8 (h, w, 3): what the model is sent.
    coordinates : CoordinateMap
        Between the original and the image.
    tokens : int
        What it costs, by the reducer's own account; the harness counts again.
    """

    image: Pixels
    coordinates: CoordinateMap
    tokens: int


Reduce = Callable[[Pixels, str, int], Reduced]


@dataclass(frozen=True)
class Reducer:
    """A way to reduce pictures: ``reduce(pixels, model, tokens)`` to at most so many tokens of a model's rule.

    ``version`` is part of what results are cached by: raise it when the pictures change.
    """

    name: str
    reduce: Reduce
    version: str


_REGISTRY: Final[dict[str, Reducer]] = {}


def register(name: str, reduce: Reduce, *, version: str = "1") -> Reducer:
    """Add a reducer, which tables, reports and the command line then know by its name.

    Raises
    ------
    UsageError
        If the name is taken, or is not made of lower-case letters, digits, hyphens and underscores.
    """
    if not name or not set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_"):
        raise UsageError(f"the name of a reducer is {name!r}: use lower-case letters, digits, hyphens and underscores")
    if name in _REGISTRY:
        raise UsageError(f"a reducer named {name!r} exists: choose another name")
    _REGISTRY[name] = Reducer(name, reduce, version)
    return _REGISTRY[name]


def reducer_names() -> list[str]:
    """Return the names of all reducers, the baseline first."""
    return list(_REGISTRY)


def reducer_named(name: str) -> Reducer:
    """Find a reducer; raises UsageError if there is none of that name."""
    if name not in _REGISTRY:
        raise UsageError(f"operator is {name!r}: choose one of {', '.join(_REGISTRY)}")
    return _REGISTRY[name]


def shrunk(operator: str, pixels: Pixels, model: str, tokens: int, **settings: Any) -> Reduced:
    """Reduce a picture by steps of `pixtrim.pipeline.shrink`, which takes the settings."""
    before = resolve(model).count(pixels.shape[1], pixels.shape[0])
    result = shrink(pixels, model, budget=min(tokens, before), operator=operator, **settings)
    return Reduced(result.image, result.coordinates, result.tokens.after)


for _name in (BASELINE, "fold", "warp", "carve", "auto"):
    register(_name, partial(shrunk, _name))  # not a closure, so that it can be pickled
