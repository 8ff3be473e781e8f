"""OpenAI's chat completions, and all that speak them: ``content[].image_url`` of messages.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pixtrim.gateway.edits import Edit, Path, Plain
from pixtrim.gateway.formats.places import Place, as_data_url, data_url, items, model, text_of, web_url
from pixtrim.gateway.formats.pointing import pointing

__all__ = ["MARKS", "model", "note", "places", "points"]

MARKS: Final = (b"image_url",)

CACHE_MARKS: Final = ("prompt_cache_breakpoint", "cache_control")
"""OpenAI's, and what routers pass on to Anthropic."""


def places(body: Mapping[str, Any]) -> Iterator[Place]:
    """Yield the images of all messages, whoever said them; tools say some, too."""
    for path, message in items(body, "messages"):
        for inner, block in items(message, "content"):
            if block.get("type") == "image_url" and (place := _place((*path, *inner), block)):
                yield place


def note(text: str, block: Mapping[str, Any]) -> dict[str, Any]:
    """Return a text block; a mark for the cache stays where it was."""
    return {"type": "text", "text": text, **{key: block[key] for key in CACHE_MARKS if key in block}}


def points(body: Mapping[str, Any]) -> bool:
    """Say whether a function takes places of the screen."""
    return any(pointing(tool) for key in ("tools", "functions") for _, tool in items(body, key))


def _place(path: Path, block: Mapping[str, Any]) -> Place | None:
    """Look at an image block; some servers take its URL as a string."""
    image = block.get("image_url")
    if isinstance(image, str):
        url, to_url, detail = image, (*path, "image_url"), None
    elif isinstance(image, Mapping) and isinstance(image.get("url"), str):
        url, to_url, detail = image["url"], (*path, "image_url", "url"), text_of(image, "detail")
    else:
        return None

    def embed(text: str, media_type: str) -> tuple[Edit, ...]:
        return (Edit(to_url, Plain(as_data_url(text, media_type))),)

    return Place(path, embed, data_url(url), web_url(url), detail)
