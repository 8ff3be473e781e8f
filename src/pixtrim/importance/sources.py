"""Sources of importance by name: the registry, how they are written together, and the one call that asks them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, cast

import numpy as np

from pixtrim.errors import UsageError
from pixtrim.importance.maps import Importance, Pixels, Source, checked_map, checked_pixels, combine

__all__ = ["Named", "importance_of", "named_sources", "register", "source_named", "source_names"]

Make = Callable[[str], Source]

LOADED: Final = 4
"""Sources with a file or a network that stay loaded: the next picture asks the same one."""


@dataclass(frozen=True)
class Named:
    """A source that is known by its name.

    Attributes
    ----------
    name : str
        What users call it.
    ask : callable
        A `Source`; where it `takes` something, what makes one of that: ``ask("FILE")``.
    takes : str
        What stands behind the colon, for example ``"FILE.onnx"``; empty where it takes nothing.
    summary : str
        One line for lists.
    """

    name: str
    ask: Source | Make
    takes: str
    summary: str

    @property
    def form(self) -> str:
        """How it is written."""
        return f"{self.name}:{self.takes}" if self.takes else self.name


_REGISTRY: Final[dict[str, Named]] = {}


def register(name: str, ask: Source | Make, *, takes: str = "", summary: str = "") -> Named:
    """Add a source, which everything that takes importance then knows by its name.

    Parameters
    ----------
    name : str
        Lower-case letters, digits and underscores; at most 32.
    ask : callable
        See `Named`. What it returns is checked on every call.
    takes : str
        What it takes behind a colon; empty for nothing.
    summary : str
        One line for lists.

    Raises
    ------
    UsageError
        If the name is taken or not a name.

    Examples
    --------
    >>> def left_half_example(pixels):
    ...     found = np.zeros(pixels.shape[:2], np.float32)
    ...     found[:, : found.shape[1] // 2] = 1
    ...     return found
    >>> register("left_half_example", left_half_example).form
    'left_half_example'
    >>> importance_of(np.zeros((1, 2, 3), np.uint8), "left_half_example").tolist()
    [[1.0, 0.0]]
    """
    if not (isinstance(name, str) and name.isascii() and name.isidentifier() and name == name.lower()):
        raise UsageError(f"the name of a source is {name!r}: use lower-case letters, digits and underscores")
    if len(name) > 32:
        raise UsageError(f"the name of a source, {name!r}, has {len(name)} letters: at most 32 are possible")
    if name in _REGISTRY:
        raise UsageError(f"a source named {name!r} exists: choose another name")
    _REGISTRY[name] = Named(name, ask, takes, summary)
    return _REGISTRY[name]


def named_sources() -> list[Named]:
    """Return all sources, in the order of their registration."""
    return list(_REGISTRY.values())


def source_names() -> list[str]:
    """Return how each source is written, in the order of their registration."""
    return [source.form for source in _REGISTRY.values()]


def source_named(spec: str) -> Source:
    """Return the source of a name, or of several that are written together.

    Parameters
    ----------
    spec : str
        ``"gradient"``; ``"detector:FILE.onnx"``: a source that takes something; ``"text+gradient"``: the maximum at
        each pixel; ``"0.7*text+0.3*gradient"``: the weighted sum, the weights of a sum of at most 1. A ``+`` within
        a file's name is none of these, unless a source's name follows it.

    Raises
    ------
    UsageError
        If there is no such source, or weights are missing or too large.
    PixtrimError
        Whatever a source says about its file.
    """
    terms = _terms(spec)
    weights = [weight for weight, _, _ in terms]
    given = [weight for weight in weights if weight is not None]
    if given and len(given) < len(terms):
        raise UsageError(f"importance is {spec!r}: give a weight to all sources, or to none")
    if given and not 0 < sum(given) <= 1 + 1e-9:
        raise UsageError(f"importance is {spec!r}: the weights sum to {sum(given):g}: 1 is the most, and 0 is nothing")
    sources = [_made(name, argument, spec) for _, name, argument in terms]
    if len(sources) == 1 and not given:
        return sources[0]

    def together(pixels: Pixels) -> Importance:
        size = checked_pixels(pixels)
        found = [
            checked_map(source(pixels), size, f"what the source {name!r} returned")
            for source, (_, name, _) in zip(sources, terms, strict=True)
        ]
        return combine(found, given or None)

    return together


def importance_of(pixels: Pixels, source: object) -> Importance:
    """Ask a source how important each pixel of a picture is.

    Parameters
    ----------
    pixels : ndarray
        uint8 (H, W, 3).
    source : str, callable or array_like
        A name or several, as `source_named` takes them; a `Source` of your own; or the map itself, bool or float in
        [0, 1], of the picture's size: `resized_map` brings one of tokens or patches to it.

    Returns
    -------
    ndarray
        float32 (H, W) in [0, 1]; 1 is to be kept. It may be the array that was given.

    Raises
    ------
    UsageError
        If there is no such source, or what it returns is no such map.
    PixtrimError
        Whatever a source says about its file or about what has to be installed.

    Examples
    --------
    >>> pixels = np.zeros((8, 8, 3), np.uint8)
    >>> pixels[4:] = 255
    >>> float(importance_of(pixels, "gradient").max())
    1.0
    >>> importance_of(pixels, np.ones((2, 2)))
    Traceback (most recent call last):
    ...
    pixtrim.errors.UsageError: the importance map is 2x2, the picture 8x8: bring it to that by resized_map(map, (8, 8))
    """
    size = checked_pixels(pixels)
    if isinstance(source, str):
        return checked_map(source_named(source)(pixels), size, f"what the source {source!r} returned")
    if callable(source):
        name = getattr(source, "__name__", type(source).__name__)
        return checked_map(source(pixels), size, f"what the source {name} returned")
    if source is None or np.ndim(source) == 0:  # type: ignore[arg-type]
        raise UsageError(f"importance is {source!r}: give a name, an array or a callable")
    return checked_map(source, size)


_TERM = re.compile(r"(?:(\d+(?:\.\d*)?|\.\d+)\*)?([^:*]*)(?::(.*))?", re.DOTALL)


def _terms(spec: str) -> list[tuple[float | None, str, str]]:
    """Return weight, name and what is behind the colon for each source of a spec.

    >>> _terms("0.5*text+.5*mask:a+b.png")
    [(0.5, 'text', ''), (0.5, 'mask', 'a+b.png')]
    """
    parts: list[str] = []
    for part in spec.split("+"):
        match = _TERM.fullmatch(part)
        if parts and ":" in parts[-1] and not (match and match[2] in _REGISTRY):
            parts[-1] += f"+{part}"  # of a file's name
        else:
            parts.append(part)
    found = []
    for part in parts:
        match = _TERM.fullmatch(part.strip())
        if not match or match[2] not in _REGISTRY:
            name = match[2] if match else part
            within = f"importance is {spec!r}" if name == spec else f"importance is {spec!r}: there is no {name!r}"
            raise UsageError(f"{within}: choose from {', '.join(source_names())}")
        found.append((float(match[1]) if match[1] else None, match[2], match[3] or ""))
    return found


def _made(name: str, argument: str, spec: str) -> Source:
    named = _REGISTRY[name]
    if bool(argument) != bool(named.takes):
        raise UsageError(f"importance is {spec!r}: write {named.form}")
    return _loaded(name, argument) if named.takes else cast(Source, named.ask)


@lru_cache(maxsize=LOADED)
def _loaded(name: str, argument: str) -> Source:
    return cast(Make, _REGISTRY[name].ask)(argument)
