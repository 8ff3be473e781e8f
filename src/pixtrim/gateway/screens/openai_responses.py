"""OpenAI's computer use, in requests, in whole responses and in their events.

``computer_use_preview`` declares the display. ``computer`` does not: its screen is what the screenshots of the request
show, and that is all of the screen only where the server keeps nothing of earlier requests.

https://developers.openai.com/api/docs/guides/tools-computer-use
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pixtrim.gateway.edits import Edit, Path
from pixtrim.gateway.formats.places import items, numbered
from pixtrim.gateway.formats.pointing import pointing
from pixtrim.gateway.screens.pointer import Pointer, size_in
from pixtrim.gateway.screens.screen import Scale, Screen, moved

__all__ = ["answer_edits", "event_edits", "pointer", "request_edits"]

DECLARING: Final = "computer_use_preview"
PLAIN: Final = "computer"

WIDTH, HEIGHT = "display_width", "display_height"

KNOWN: Final = (
    "apply_patch",
    "code_interpreter",
    "file_search",
    "image_generation",
    "local_shell",
    "shell",
    "web_search",
)
"""How the types of the provider's own tools begin that point at nothing. Of a type that is none of these (MCP servers,
tools in free text) the request doesn't say what they take."""


def pointer(body: Mapping[str, Any]) -> Pointer | None:
    """Return the computer tool, if no other tool may point at places, too, and the answer comes back on this way."""
    tools = [tool for _, tool in items(body, "tools")]
    own = [tool for tool in tools if tool.get("type") in (DECLARING, PLAIN)]
    others = [tool for tool in tools if tool not in own]
    others += [tool for _, item in items(body, "input") for _, tool in items(item, "tools")]
    if len(own) != 1 or not all(_points_at_nothing(tool) for tool in others):
        return None
    if body.get("background") or body.get("prompt"):  # asked for later, by other requests; or with tools from elsewhere
        return None
    display = None
    if own[0]["type"] == DECLARING:
        display = size_in(own[0], WIDTH, HEIGHT)
        if display is None:
            return None
    elif body.get("store") is not False or body.get("previous_response_id") or body.get("conversation"):
        return None
    outputs = [path for path, item in items(body, "input") if item.get("type") == "computer_call_output"]
    return Pointer(display, tuple((*path, "output") for path in outputs))


def request_edits(body: Mapping[str, Any], screen: Screen) -> list[Edit] | None:
    """Return the edits of the declared display, and of what the model has said."""
    calls = (edit for path, item in items(body, "input") for edit in _call_edits(item, path, screen.inward))
    return [*_display_edits(body, (), screen.display, screen.reduced), *calls]


def answer_edits(body: Mapping[str, Any], screen: Screen) -> list[Edit]:
    """Return the edits of a response, which repeats the tools of the request."""
    return list(_response_edits(body, (), screen))


def event_edits(event: Mapping[str, Any], screen: Screen) -> list[Edit]:
    """Return the edits of one event: it brings an item of the output, or the response as it is so far."""
    item, response = event.get("item"), event.get("response")
    edits = list(_call_edits(item, ("item",), screen.outward)) if isinstance(item, Mapping) else []
    return edits + (list(_response_edits(response, ("response",), screen)) if isinstance(response, Mapping) else [])


def _response_edits(response: Mapping[str, Any], path: Path, screen: Screen) -> Iterator[Edit]:
    yield from _display_edits(response, path, screen.reduced, screen.display)
    for at, item in numbered(response.get("output"), *path, "output"):
        yield from _call_edits(item, at, screen.outward)


def _display_edits(
    body: Mapping[str, Any], path: Path, before: tuple[int, int], after: tuple[int, int]
) -> Iterator[Edit]:
    for at, tool in numbered(body.get("tools"), *path, "tools"):
        if tool.get("type") == DECLARING and size_in(tool, WIDTH, HEIGHT) == before:
            yield Edit((*at, WIDTH), after[0])
            yield Edit((*at, HEIGHT), after[1])


def _call_edits(item: Mapping[str, Any], path: Path, scale: Scale) -> Iterator[Edit]:
    """Yield the edits of a call, which has one action or a list of them."""
    if item.get("type") != "computer_call":
        return
    one = item.get("action")
    actions = [((*path, "action"), one)] if isinstance(one, Mapping) else []
    for at, action in (*actions, *numbered(item.get("actions"), *path, "actions")):
        yield from moved(action, at, scale.place)
        stations = action.get("path")
        for number, station in enumerate(stations if isinstance(stations, list) else ()):
            yield from moved(station, (*at, "path", number), scale.place)
        for axis, key in enumerate(("scroll_x", "scroll_y")):  # in pixels of the screen that the model knows
            if (distance := scale.length(action.get(key), axis)) != action.get(key):
                yield Edit((*at, key), distance)


def _points_at_nothing(tool: Mapping[str, Any]) -> bool:
    kind = tool.get("type")
    if kind == "function":
        return not pointing(tool)
    return isinstance(kind, str) and kind.startswith(KNOWN)
