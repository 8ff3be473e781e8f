"""Gemini's interactions: blocks of type ``image`` in the input, in its steps, and in the results of tools.

What the model has said itself is left alone.

https://ai.google.dev/api/interactions-api
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from pixtrim.gateway.edits import Edit, Path
from pixtrim.gateway.formats.places import Place, items, model, numbered, one_or_more, text_of, web_url
from pixtrim.gateway.formats.pointing import pointing

__all__ = ["MARKS", "model", "note", "places", "points"]

MARKS: Final = (b'"image"',)

BLOCKS: Final = {
    None: "content",  # of earlier versions, which had turns in place of steps
    "user_input": "content",
    "function_result": "result",
    "mcp_server_tool_result": "result",
}
"""Where steps have their blocks, by type."""

EARLIER: Final = ("previous_interaction_id", "cached_content")
"""With one of these, the model sees images that the request does not have, and its own under other numbers."""


def places(body: Mapping[str, Any]) -> Iterator[Place]:
    """Yield the images of the input: one block, a list of them, or a list of steps."""
    alone = not any(body.get(key) for key in EARLIER)
    for path, item in one_or_more(body.get("input"), "input"):
        for place in _images(path, item):
            yield place if alone else replace(place, notable=False)


def note(text: str, block: Mapping[str, Any]) -> dict[str, str]:
    """Return a text block."""
    return {"type": "text", "text": text}


def points(body: Mapping[str, Any]) -> bool:
    """Say whether a tool is for a computer, or a function takes places."""
    return any(pointing(tool) for _, tool in items(body, "tools"))


def _images(path: Path, item: Mapping[str, Any]) -> Iterator[Place]:
    kind = text_of(item, "type")
    if kind == "image":
        yield from _place(path, item)
    elif kind in BLOCKS and item.get("role") != "model":
        for at, block in numbered(item.get(BLOCKS[kind]), *path, BLOCKS[kind]):
            if block.get("type") == "image":
                yield from _place(at, block)


def _place(path: Path, block: Mapping[str, Any]) -> Iterator[Place]:
    data, detail = block.get("data"), text_of(block, "resolution")
    if isinstance(data, str):

        def embed(text: str, media_type: str) -> tuple[Edit, ...]:
            declared = (Edit((*path, "mime_type"), media_type),) if isinstance(block.get("mime_type"), str) else ()
            return Edit((*path, "data"), text), *declared

        yield Place(path, embed, data, detail=detail)
    elif "uri" in block:

        def enclose(text: str, media_type: str) -> tuple[Edit, ...]:
            kept = {key: value for key, value in block.items() if key != "uri"}
            return (Edit(path, {**kept, "data": text, "mime_type": media_type}),)

        yield Place(path, enclose, url=web_url(block["uri"]), detail=detail)
