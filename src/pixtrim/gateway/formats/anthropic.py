"""Anthropic's messages, and the counting of their tokens: blocks of type ``image``.

They are in messages, in the results of tools, and in documents that are made of blocks. ``system`` holds text alone,
and blocks of any other type are the server's business.

https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pixtrim.gateway.edits import Edit, Path
from pixtrim.gateway.formats.places import Place, items, model, numbered, web_url
from pixtrim.gateway.formats.pointing import pointing

__all__ = ["MARKS", "model", "note", "places", "points"]

MARKS: Final = (b'"image"', b'"computer')


def places(body: Mapping[str, Any]) -> Iterator[Place]:
    """Yield the images of all messages."""
    for path, message in items(body, "messages"):
        yield from _images(message.get("content"), (*path, "content"), ("tool_result", "document"))


def note(text: str, block: Mapping[str, Any]) -> dict[str, Any]:
    """Return a text block; a mark for the cache stays where it was."""
    kept = {"cache_control": block["cache_control"]} if "cache_control" in block else {}
    return {"type": "text", "text": text, **kept}


def points(body: Mapping[str, Any]) -> bool:
    """Say whether a tool is for a computer or a browser, or takes places; messages can bring tools, too."""
    tools: list[Any] = [tool for _, tool in items(body, "tools")]
    for _, message in items(body, "messages"):
        added = [block.get("tool") for _, block in items(message, "content") if block.get("type") == "tool_addition"]
        tools += [tool.get("definition") for tool in added if isinstance(tool, Mapping)]
    return any(pointing(tool) for tool in tools if isinstance(tool, Mapping))


def _images(content: Any, path: Path, holders: tuple[str, ...], notable: bool = True) -> Iterator[Place]:
    """Yield the images among blocks, and those in the blocks of the types that may hold others here."""
    for at, block in numbered(content, *path):
        kind, source = block.get("type"), block.get("source")
        if kind == "image" and isinstance(source, Mapping):
            if place := _place(at, block, source, notable):
                yield place
        elif kind == "tool_result" and kind in holders:
            own = "toolset_name" not in block  # what a toolset of the provider's must answer is not documented
            yield from _images(block.get("content"), (*at, "content"), ("document",), own)
        elif kind == "document" and kind in holders and isinstance(source, Mapping) and source.get("type") == "content":
            yield from _images(source.get("content"), (*at, "source", "content"), (), notable)


def _place(path: Path, block: Mapping[str, Any], source: Mapping[str, Any], notable: bool) -> Place | None:
    kind, data, declared = source.get("type"), source.get("data"), source.get("media_type")
    if kind == "base64" and isinstance(data, str) and isinstance(declared, str):

        def embed(text: str, media_type: str) -> tuple[Edit, ...]:
            return Edit((*path, "source", "data"), text), Edit((*path, "source", "media_type"), media_type)

        return Place(path, embed, data, notable=notable, fixed=_refuses_other_sizes(block))

    def enclose(text: str, media_type: str) -> tuple[Edit, ...]:
        return (Edit((*path, "source"), {"type": "base64", "media_type": media_type, "data": text}),)

    if kind in ("url", "file"):
        url = web_url(source.get("url")) if kind == "url" else None
        return Place(path, enclose, url=url, notable=notable, fixed=_refuses_other_sizes(block))
    return None


def _refuses_other_sizes(block: Mapping[str, Any]) -> bool:
    """Say whether the client wants an error where the server would scale the image, and so no scaling by others."""
    wanted = block.get("transformations")
    return isinstance(wanted, Mapping) and wanted.get("oversized_image") == "error"
