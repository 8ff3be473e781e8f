"""OpenAI's chat completions, and all that speak them: ``content[].image_url`` of messages.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pixtrim.gateway.edits import Edit, Path
from pixtrim.gateway.formats.places import Place, as_data_url, data_url, items
from pixtrim.gateway.formats.pointing import takes_places

__all__ = ["MARKS", "model", "note", "places", "points"]

MARKS = (b"image_url",)


def model(body: Mapping[str, Any]) -> str | None:
    """Return the name of the model."""
    name = body.get("model")
    return name if isinstance(name, str) else None


def places(body: Mapping[str, Any]) -> Iterator[Place]:
    """Yield the images of all messages, whoever said them; tools say some, too."""
    for path, message in items(body, "messages"):
        for inner, block in items(message, "content"):
            if block.get("type") == "image_url" and (place := _place((*path, *inner), block)):
                yield place


def note(text: str, block: Mapping[str, Any]) -> dict[str, str]:
    """Return a text block."""
    return {"type": "text", "text": text}


def points(body: Mapping[str, Any]) -> bool:
    """Say whether a function takes places of the screen."""
    functions = (tool.get("function") for _, tool in items(body, "tools"))
    return any(takes_places(function.get("parameters")) for function in functions if isinstance(function, Mapping))


def _place(path: Path, block: Mapping[str, Any]) -> Place | None:
    """Look at an image block; some servers take its URL as a string."""
    image = block.get("image_url")
    if isinstance(image, str):
        url, to_url, detail = image, (*path, "image_url"), None
    elif isinstance(image, Mapping) and isinstance(image.get("url"), str):
        url, to_url, detail = image["url"], (*path, "image_url", "url"), image.get("detail")
    else:
        return None

    def embed(text: str, media_type: str) -> tuple[Edit, ...]:
        return (Edit(to_url, as_data_url(text, media_type)),)

    text = data_url(url)
    return Place(path, embed, text, None if text else url, detail if isinstance(detail, str) else None)
