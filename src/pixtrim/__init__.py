"""Fewer visual tokens, same answer: images made cheaper for vision-language models.

Names are imported when they are first used, so that `import pixtrim` itself costs next to nothing.

Examples
--------
>>> import numpy as np
>>> import pixtrim
>>> page = np.full((1650, 1275, 3), 255, np.uint8)
>>> pixtrim.shrink(page, model="claude-opus-4-7", budget=800).tokens.after <= 800
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixtrim.coordinates import CoordinateMap
    from pixtrim.errors import InputError, PixtrimError, UsageError
    from pixtrim.image import load
    from pixtrim.operators.prune import KeepPlan
    from pixtrim.pipeline import shrink
    from pixtrim.pruning import Session, prune
    from pixtrim.result import Report, Shrunk

__version__ = "0.1.0"

__all__ = [
    "CoordinateMap",
    "InputError",
    "KeepPlan",
    "PixtrimError",
    "Report",
    "Session",
    "Shrunk",
    "UsageError",
    "__version__",
    "load",
    "prune",
    "shrink",
]

_HOMES = {
    "CoordinateMap": "coordinates",
    "InputError": "errors",
    "KeepPlan": "operators.prune",
    "PixtrimError": "errors",
    "Report": "result",
    "Session": "pruning",
    "Shrunk": "result",
    "UsageError": "errors",
    "load": "image",
    "prune": "pruning",
    "shrink": "pipeline",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'pixtrim' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"pixtrim.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
