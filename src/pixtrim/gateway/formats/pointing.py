"""Tools by which a model points at places of a screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["takes_places"]

PLACES: Final = ({"coordinate"}, {"coordinates"}, {"x", "y"}, {"start_x", "start_y"}, {"x1", "y1"})
"""Names of parameters that are places, as computer-use and browser tools have them."""


def takes_places(schema: Any) -> bool:
    """Say whether a tool with this schema of parameters points at places.

    Examples
    --------
    >>> takes_places({"type": "object", "properties": {"x": {"type": "number"}, "y": {"type": "number"}}})
    True
    >>> takes_places({"type": "object", "properties": {"element": {"type": "string"}}})
    False
    """
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    return isinstance(properties, Mapping) and any(names <= properties.keys() for names in PLACES)
