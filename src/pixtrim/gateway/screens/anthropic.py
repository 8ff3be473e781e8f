"""Anthropic's computer use, in requests and in whole answers.

The tools up to ``computer_20251124`` declare the display and are called by the name ``computer``; of the toolset
``computer_toolset_20260801`` each member is called by its own name, and the screen is what its screenshots show.

https://platform.claude.com/docs/en/agents-and-tools/tool-use/computer-use-tool
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pixtrim.gateway.edits import Edit, Path
from pixtrim.gateway.formats.places import items, numbered
from pixtrim.gateway.formats.pointing import pointing
from pixtrim.gateway.screens.pointer import Pointer, size_in
from pixtrim.gateway.screens.screen import NUMBER, Move, Scale, Screen, in_text, moved

__all__ = ["answer_edits", "input_edits", "is_call", "pointer", "request_edits"]

TOOLS: Final = ("computer_20241022", "computer_20250124", "computer_20251124")
TOOLSET: Final = "computer_toolset_20260801"

WIDTH, HEIGHT = "display_width_px", "display_height_px"

KNOWN: Final = (
    "advisor_",
    "bash_",
    "code_execution_",
    "memory_",
    "text_editor_",
    "tool_search_",
    "web_fetch_",
    "web_search_",
)
"""How the types of the provider's own tools begin that point at nothing. Of a type that is none of these, and of the
tools of MCP servers, the request doesn't say what they take."""


def pointer(body: Mapping[str, Any]) -> Pointer | None:
    """Return the computer tool, if no other tool may point at places, too."""
    own = [tool for _, tool in items(body, "tools") if tool.get("type") in (*TOOLS, TOOLSET)]
    others = [tool for _, tool in items(body, "tools") if tool not in own] + _added(body)
    if len(own) != 1 or body.get("mcp_servers") or not all(_points_at_nothing(tool) for tool in others):
        return None
    display = None
    if own[0]["type"] != TOOLSET:
        display = size_in(own[0], WIDTH, HEIGHT)
        if display is None:
            return None
    screenshots: list[Path] = []
    closeups: list[Path] = []
    for action, path, result in _results(body):
        images = [at for at, block in numbered(result.get("content"), *path, "content") if block.get("type") == "image"]
        (closeups if action == "zoom" else screenshots).extend(images)
    return Pointer(display, tuple(screenshots), tuple(closeups))


def request_edits(body: Mapping[str, Any], screen: Screen) -> list[Edit] | None:
    """Return the edits of the declared display, of what the model has said, and of where the cursor was."""
    edits: list[Edit] = []
    for path, tool in items(body, "tools"):
        if tool.get("type") in TOOLS:
            width, height = screen.reduced
            edits += [Edit((*path, WIDTH), width), Edit((*path, HEIGHT), height)]
            for at, example in numbered(tool.get("input_examples"), *path, "input_examples"):
                edits += input_edits(example, at, screen.inward)
    for path, block in _blocks(body):
        if is_call(block):
            edits += input_edits(block.get("input"), (*path, "input"), screen.inward)
    for action, path, result in _results(body):
        if action == "cursor_position" and not result.get("is_error"):
            found = _cursor(result.get("content"), (*path, "content"), screen.inward.place)
            if found is None:
                return None
            edits += found
    return edits


def answer_edits(body: Mapping[str, Any], screen: Screen) -> list[Edit]:
    """Return the edits of the calls in a message."""
    calls = [(path, block) for path, block in items(body, "content") if is_call(block)]
    return [edit for path, block in calls for edit in input_edits(block.get("input"), (*path, "input"), screen.outward)]


def is_call(block: Mapping[str, Any]) -> bool:
    """Say whether a block calls the computer tool, or a member of its toolset."""
    toolset = block.get("toolset_name")
    named = block.get("name") == "computer" if toolset is None else toolset == "computer"
    return named and block.get("type") == "tool_use"


def input_edits(value: Any, path: Path, scale: Scale) -> Iterator[Edit]:
    """Yield the edits of a call's input."""
    if isinstance(value, Mapping):
        yield from moved(value.get("coordinate"), (*path, "coordinate"), scale.place)
        yield from moved(value.get("start_coordinate"), (*path, "start_coordinate"), scale.place)
        yield from moved(value.get("region"), (*path, "region"), scale.length)


def _points_at_nothing(tool: Mapping[str, Any]) -> bool:
    kind = tool.get("type")
    if kind is None or kind == "custom":
        return tool.get("name") != "computer" and not pointing(tool)
    return isinstance(kind, str) and kind.startswith(KNOWN)


def _added(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the tools that messages bring."""
    added = [block.get("tool") for _, block in _blocks(body) if block.get("type") == "tool_addition"]
    found = [tool.get("definition") for tool in added if isinstance(tool, Mapping)]
    return [definition for definition in found if isinstance(definition, Mapping)]


def _blocks(body: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for path, message in items(body, "messages"):
        yield from numbered(message.get("content"), *path, "content")


def _results(body: Mapping[str, Any]) -> Iterator[tuple[str, Path, Mapping[str, Any]]]:
    """Yield the results of the computer tool, each with the name of the action and its path."""
    actions: dict[str, str] = {}
    for path, block in _blocks(body):
        if is_call(block) and isinstance(block.get("id"), str):
            value = block.get("input")
            name = value.get("action") if isinstance(value, Mapping) and block.get("toolset_name") is None else None
            actions[block["id"]] = str(name or block.get("name"))
        elif block.get("type") == "tool_result":
            answered = block.get("tool_use_id")
            if isinstance(answered, str) and answered in actions:
                yield actions[answered], path, block


def _cursor(content: Any, path: Path, move: Move) -> list[Edit] | None:
    """Return the edits of a text that says where the cursor is; None if that isn't plainly two numbers."""
    texts = [(path, content)] if isinstance(content, str) else []
    texts += [((*at, "text"), block["text"]) for at, block in numbered(content, *path) if block.get("type") == "text"]
    edits = []
    for at, text in texts:
        numbers = len(NUMBER.findall(text)) if isinstance(text, str) else 0
        if numbers == 0:
            continue
        if numbers != 2 or not text.isascii():
            return None
        edits.append(Edit(at, in_text(text, move)))
    return edits
