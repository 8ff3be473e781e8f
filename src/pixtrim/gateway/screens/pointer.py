"""What a request says of the screen that its one pointing tool acts on, in words that the wire formats share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pixtrim.gateway.edits import Edit, Path
from pixtrim.gateway.screens.screen import Screen
from pixtrim.tokens.rules import MAX_SIDE

__all__ = ["Pointer", "ScreenFormat", "size_in"]


@dataclass(frozen=True)
class Pointer:
    """The one tool of a request that points at places.

    Attributes
    ----------
    display : (int, int) or None
        Width and height that the tool declares; None where it declares none.
    screenshots : tuple of paths
        The images that it has answered with, and that show its whole screen.
    closeups : tuple of paths
        The images that it has answered with, and that show a part.
    """

    display: tuple[int, int] | None
    screenshots: tuple[Path, ...] = ()
    closeups: tuple[Path, ...] = ()


class ScreenFormat(Protocol):
    """What a module of this folder offers for its wire format; it never raises, whatever the body holds."""

    def pointer(self, body: Mapping[str, Any]) -> Pointer | None:
        """Return the tool that points at places; None if there is none, or more than what is understood in full."""

    def request_edits(self, body: Mapping[str, Any], screen: Screen) -> list[Edit] | None:
        """Return the edits by which the model is told of the smaller screen; None where some place can't be told."""

    def answer_edits(self, body: Mapping[str, Any], screen: Screen) -> list[Edit]:
        """Return the edits by which the client reads a whole answer in its own pixels."""


def size_in(tool: Mapping[str, Any], width: str, height: str) -> tuple[int, int] | None:
    """Return the size that a tool declares under two keys, if that is one."""
    sides = tool.get(width), tool.get(height)
    if any(isinstance(side, bool) or not isinstance(side, int) or not 1 <= side <= MAX_SIDE for side in sides):
        return None
    return sides  # type: ignore[return-value]  # just checked
