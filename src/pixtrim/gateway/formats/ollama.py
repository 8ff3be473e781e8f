"""Ollama's own chat and generate: ``images``, lists of bare base64.

https://docs.ollama.com/api
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pixtrim.gateway.edits import Edit, Path
from pixtrim.gateway.formats.places import Place, items, model
from pixtrim.gateway.formats.pointing import pointing

__all__ = ["MARKS", "model", "note", "places", "points"]

MARKS: Final = (b'"images"',)


def places(body: Mapping[str, Any]) -> Iterator[Place]:
    """Yield the images of the prompt, and of all messages."""
    yield from _images((), body)
    for path, message in items(body, "messages"):
        yield from _images(path, message)


def note(text: str, block: Any) -> Any:
    """Return the image itself: no text fits among images, and no place of this format says that it does."""
    return block


def points(body: Mapping[str, Any]) -> bool:
    """Say whether a function takes places."""
    return any(pointing(tool) for _, tool in items(body, "tools"))


def _images(path: Path, holder: Mapping[str, Any]) -> Iterator[Place]:
    images = holder.get("images")
    for number, text in enumerate(images if isinstance(images, list) else ()):
        if isinstance(text, str):
            yield _place((*path, "images", number), text)


def _place(path: Path, text: str) -> Place:
    def embed(text: str, media_type: str) -> tuple[Edit, ...]:
        return (Edit(path, text),)

    return Place(path, embed, text, notable=False)
