"""Tools by which a model points at places of a screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["pointing", "takes_places"]

TYPES: Final = ("computer", "browser_")
"""How the types of the providers' own tools begin: ``computer_20251124``, ``computer_use_preview`` and so on."""

KEYS: Final = ("computerUse", "computer_use")
"""What such a tool of Gemini has in place of a type."""

PLACES: Final = (
    {"coordinate"},
    {"coordinates"},
    {"start_coordinate"},
    {"x", "y"},
    {"x0", "y0"},
    {"x1", "y1"},
    {"start_x", "start_y"},
    {"startX", "startY"},
)
"""Names of parameters that are places, as computer-use and browser tools have them."""


def pointing(tool: Mapping[str, Any]) -> bool:
    """Say whether a tool points at places: a provider's own, or a function whose parameters are places.

    Examples
    --------
    >>> pointing({"type": "computer_20251124", "name": "computer"})
    True
    >>> pointing({"type": "function", "function": {"name": "add", "parameters": {"properties": {"a": {}, "b": {}}}}})
    False
    """
    kind = tool.get("type")
    known = isinstance(kind, str) and kind.startswith(TYPES)
    return known or any(key in tool for key in KEYS) or takes_places(tool)


def takes_places(schema: Any) -> bool:
    """Say whether a schema of parameters, or one that is anywhere in it, has places.

    Examples
    --------
    >>> takes_places({"type": "object", "properties": {"x": {"type": "number"}, "y": {"type": "number"}}})
    True
    >>> takes_places({"type": "object", "properties": {"element": {"type": "string"}}})
    False
    """
    left = [schema]  # not by recursion: a request can nest deeper than Python's stack
    while left:
        value = left.pop()
        if isinstance(value, Mapping):
            properties = value.get("properties")
            if isinstance(properties, Mapping) and any(names <= properties.keys() for names in PLACES):
                return True
            left += value.values()
        elif isinstance(value, list):
            left += value
    return False
