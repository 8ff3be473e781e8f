"""OpenAI's responses: ``input_image`` in messages, results of tools and variables of prompts, and screenshots.

An image that the model has made (``image_generation_call``) is left alone, as it is known to the server.

https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from pixtrim.gateway.edits import Edit, Path, Plain
from pixtrim.gateway.formats.places import Place, as_data_url, data_url, items, model, numbered, text_of, web_url
from pixtrim.gateway.formats.pointing import pointing

__all__ = ["MARKS", "model", "note", "places", "points"]

MARKS: Final = (b"input_image", b'"computer')

BLOCKS: Final = {
    None: "content",  # the type of a message may be left out
    "message": "content",
    "function_call_output": "output",
    "custom_tool_call_output": "output",
}
"""Where items of the input have their blocks, by type."""

EARLIER: Final = ("previous_response_id", "conversation")
"""With one of these, the model sees images that the request does not have, and its own under other numbers."""


def places(body: Mapping[str, Any]) -> Iterator[Place]:
    """Yield the images of the prompt's variables and of all items of the input."""
    alone = not any(body.get(key) for key in EARLIER)
    for place in _places(body):
        yield place if alone else replace(place, notable=False)


def note(text: str, block: Mapping[str, Any]) -> dict[str, Any]:
    """Return a text block; a mark for the cache stays where it was."""
    kept = {key: block[key] for key in ("prompt_cache_breakpoint",) if key in block}
    return {"type": "input_text", "text": text, **kept}


def points(body: Mapping[str, Any]) -> bool:
    """Say whether a tool is for a computer, or takes places; items of the input can bring tools, too."""
    tools = [tool for _, tool in items(body, "tools")]
    for _, item in items(body, "input"):
        if text_of(item, "type") in ("computer_call", "computer_call_output"):
            return True
        tools += [tool for _, tool in items(item, "tools")]
    return any(map(pointing, tools))


def _places(body: Mapping[str, Any]) -> Iterator[Place]:
    prompt = body.get("prompt")
    variables = prompt.get("variables") if isinstance(prompt, Mapping) else None
    for name, block in variables.items() if isinstance(variables, Mapping) else ():
        if isinstance(block, Mapping) and block.get("type") == "input_image":
            yield _place(("prompt", "variables", name), block, notable=False)
    for path, item in items(body, "input"):
        kind, output = item.get("type"), item.get("output")
        if kind is None or (isinstance(kind, str) and kind in BLOCKS):
            for at, block in numbered(item.get(BLOCKS[kind]), *path, BLOCKS[kind]):
                if block.get("type") == "input_image":
                    yield _place(at, block, notable=True)
        elif kind == "computer_call_output" and isinstance(output, Mapping):
            yield from _screenshot((*path, "output"), output)


def _screenshot(path: Path, output: Mapping[str, Any]) -> Iterator[Place]:
    if output.get("type") == "computer_screenshot":
        yield _place(path, output, notable=False)


def _place(path: Path, block: Mapping[str, Any], *, notable: bool) -> Place:
    """Look at an image, which is there itself, or by its address, or by the name of a file."""

    def embed(text: str, media_type: str) -> tuple[Edit, ...]:
        return (Edit((*path, "image_url"), Plain(as_data_url(text, media_type))),)

    url = text_of(block, "image_url")
    return Place(path, embed, data_url(url), web_url(url), text_of(block, "detail"), notable)
