"""Real requests of every wire format, with an image wherever one can be, and pictures to put there."""

from __future__ import annotations

import base64
import copy
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixtrim.gateway.pictures import Job, Outcome, reduced

Path = tuple[str | int, ...]
Picture = Callable[[], str]
"""Gives another image each time, in base64."""


# --- pictures --------------------------------------------------------------------------------------------------------


def photo(width: int = 60, height: int = 45, seed: int = 0) -> NDArray[np.uint8]:
    """Draw soft colours, of which nothing can be folded."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)).resize((width, height), 3)
    grain = rng.integers(-6, 7, (height, width, 3))
    return np.clip(np.asarray(coarse, np.int64) + grain, 0, 255).astype(np.uint8)


def page(width: int = 700, height: int = 900) -> NDArray[np.uint8]:
    """Draw a page with lines that could be text, and much white between them."""
    drawn = np.full((height, width, 3), 255, np.uint8)
    rng = np.random.default_rng(1)
    for top in range(60, height - 60, 60):
        for left in range(60, width - 80, 12):
            drawn[top : top + 14, left : left + int(rng.integers(3, 10))] = 20
    return drawn


def file_of(pixels: NDArray[np.uint8] | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def opened(text: str) -> Image.Image:
    """Decode an image as strictly as a provider does, from base64 of either alphabet or a data URL."""
    bare = text.partition(";base64,")[2] if text.startswith("data:") else text
    return Image.open(io.BytesIO(base64.b64decode(bare.translate(str.maketrans("-_", "+/")), validate=True)))


def different_pictures(width: int = 60, height: int = 45) -> Picture:
    """Return a function that gives another small photo each time; the width and height of all are alike."""
    numbers = iter(range(10_000))
    return lambda: text_of(_small(width, height, next(numbers)))


@cache
def _small(width: int, height: int, seed: int) -> bytes:
    return file_of(photo(width, height, seed))


_made: dict[Job, Outcome] = {}


def remembered(jobs: Sequence[Job]) -> list[Outcome]:
    """Do what `reduced` does, which is a function of the job alone, once for all tests of a process."""
    if len(_made) > 5_000:
        _made.clear()
    for job in jobs:
        if job not in _made:
            _made[job] = reduced(job)
    return [_made[job] for job in jobs]


# --- requests --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """A request, and where its images are.

    Attributes
    ----------
    wire_format : str
    body : dict
    images : tuple of paths
        To the strings that are images and may become others; in the order in which the model sees them.
    types : tuple of paths
        To the media types that are stated beside them.
    """

    wire_format: str
    body: dict[str, Any]
    images: tuple[Path, ...]
    types: tuple[Path, ...]


class _Image(str):
    """Marks the strings of a body that are images."""


class _Type(str):
    """Marks the media types beside images."""


def requests(picture: Picture | None = None) -> list[Request]:
    """Return a request of each wire format."""
    draw = picture or different_pictures()
    made = {name: make(draw) for name, make in BODIES.items()}
    return [Request(name, _plain(body), *_marked(body)) for name, body in made.items()]


def openai_chat(draw: Picture) -> dict[str, Any]:
    def image(**more: Any) -> dict[str, Any]:
        url = _Image(f"data:image/png;base64,{draw()}")
        return {"type": "image_url", "image_url": {"url": url, **more}}

    bare = {"type": "image_url", "image_url": _Image(f"data:image/png;base64,{draw()}")}  # as some servers take it
    return {
        "model": "gpt-5.5",
        "messages": [
            {"role": "system", "content": "You are helpful – and brief."},
            {"role": "user", "content": [{"type": "text", "text": "What is this?"}, image(detail="high")]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": [image(), {"type": "text", "text": "done"}]},
            {"role": "user", "content": [bare]},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]},
            {"role": "user", "content": [{**image(detail="auto"), "prompt_cache_breakpoint": {"mode": "explicit"}}]},
        ],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
        "temperature": 0.10,
        "stream": True,
    }


def openai_responses(draw: Picture) -> dict[str, Any]:
    def image(kind: str = "input_image", **more: Any) -> dict[str, Any]:
        return {"type": kind, "image_url": _Image(f"data:image/png;base64,{draw()}"), **more}

    elsewhere = "https://example.com/e.png"
    return {
        "model": "gpt-5.5",
        "prompt": {"id": "pmpt_1", "variables": {"who": "me", "what": image(detail="low")}},
        "input": [
            {"role": "user", "content": [image(detail="auto"), {"type": "input_text", "text": "and?"}]},
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_image", "detail": "auto", "file_id": "file_1"}],
            },
            {"role": "user", "content": [{"type": "input_image", "detail": "low", "image_url": elsewhere}]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA=="},
            {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": [image(), {"type": "input_text", "text": "x"}]},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": [image(detail="original")]},
            {"type": "function_call_output", "call_id": "c3", "output": "text alone"},
            {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": draw()},
            {"role": "user", "content": "no list"},
        ],
        "tools": [{"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}],
        "stream": True,
    }


def anthropic(draw: Picture) -> dict[str, Any]:
    def image(**more: Any) -> dict[str, Any]:
        source = {"type": "base64", "media_type": _Type("image/png"), "data": _Image(draw())}
        return {"type": "image", "source": source, **more}

    def document(*blocks: Any) -> dict[str, Any]:
        return {"type": "document", "source": {"type": "content", "content": list(blocks)}, "title": "d"}

    pdf = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ="}}
    as_it_is = image(transformations={"oversized_image": "error"})
    as_it_is["source"] = _plain(as_it_is["source"])
    return {
        "model": "claude-sonnet-4-5",
        "max_tokens": 1024,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [image(cache_control={"type": "ephemeral"}), {"type": "text", "text": "?"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {"a": 1.50}}]},
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t1",
                        "content": [{"type": "text", "text": "here"}, image(), document(image())],
                    },
                    document({"type": "text", "text": "as drawn:"}, image(transformations={})),
                    pdf,
                    {"type": "image", "source": {"type": "url", "url": "https://example.com/b.png"}},
                    {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
                    as_it_is,
                ],
            },
            {"role": "assistant", "content": [{"type": "redacted_thinking", "data": draw()}]},
            {"role": "user", "content": "go on"},
        ],
        "tools": [{"name": "look", "input_schema": {"type": "object", "properties": {"a": {"type": "number"}}}}],
        "stream": True,
    }


def gemini(draw: Picture) -> dict[str, Any]:
    def safe() -> str:
        return draw().translate(str.maketrans("+/", "-_"))  # as Google's SDK sends it

    def camel() -> dict[str, Any]:
        return {"inlineData": {"mimeType": _Type("image/png"), "data": _Image(safe())}}

    def snake() -> dict[str, Any]:
        return {"inline_data": {"mime_type": _Type("image/png"), "data": _Image(draw()), "display_name": "p.png"}}

    response = {"name": "look", "response": {"image": {"$ref": "p.png"}}, "parts": [snake()]}
    own = {"inlineData": {"mimeType": "image/png", "data": safe()}, "thoughtSignature": "AAAA"}
    return {
        "systemInstruction": {"parts": [{"text": "Be brief."}, camel()]},
        "contents": [
            {"role": "user", "parts": [{"text": "?"}, camel()]},
            {"role": "user", "parts": [{**snake(), "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}}]},
            {"role": "model", "parts": [own, {"functionCall": {"name": "look", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse": response}]},
            {"role": "user", "parts": [{"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0xLjQ="}}]},
            {"role": "user", "parts": [{"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}}]},
            {
                "role": "user",
                "parts": [{"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/c.png"}}],
            },
            {"role": "user", "parts": camel()},
        ],
        "generationConfig": {"temperature": 0.10, "mediaResolution": "MEDIA_RESOLUTION_MEDIUM"},
        "tools": [{"functionDeclarations": [{"name": "look", "parameters": {"type": "OBJECT"}}]}],
    }


def gemini_interactions(draw: Picture) -> dict[str, Any]:
    def image(**more: Any) -> dict[str, Any]:
        return {"type": "image", "data": _Image(draw()), "mime_type": _Type("image/png"), **more}

    return {
        "model": "gemini-3.5-flash",
        "input": [
            {"type": "user_input", "content": [{"type": "text", "text": "?"}, image(resolution="high")]},
            {"type": "thought", "signature": "AAAA"},
            {"type": "model_output", "content": [{"type": "image", "data": draw(), "mime_type": "image/png"}]},
            {"type": "function_call", "id": "f1", "name": "look", "arguments": {}},
            {"type": "function_result", "call_id": "f1", "result": [image(), {"type": "text", "text": "x"}]},
            {"type": "mcp_server_tool_result", "call_id": "m1", "result": [image()]},
            {"type": "function_result", "call_id": "f2", "result": "text alone"},
            {"type": "user_input", "content": [{"type": "image", "uri": "https://example.com/d.png"}]},
            {"role": "user", "content": [{"type": "image", "data": _Image(draw())}]},
        ],
        "tools": [{"type": "function", "name": "look", "parameters": {"type": "object"}}],
        "store": False,
    }


def ollama(draw: Picture) -> dict[str, Any]:
    return {
        "model": "qwen2.5vl:7b",
        "messages": [
            {"role": "user", "content": "What are these?", "images": [_Image(draw()), _Image(draw())]},
            {"role": "assistant", "content": "Two photos."},
            {"role": "tool", "tool_name": "look", "content": "", "images": [_Image(draw())]},
        ],
        "options": {"num_ctx": 8192},
        "stream": False,
    }


BODIES: dict[str, Callable[[Picture], dict[str, Any]]] = {
    "openai-chat": openai_chat,
    "openai-responses": openai_responses,
    "anthropic": anthropic,
    "gemini": gemini,
    "gemini-interactions": gemini_interactions,
    "ollama": ollama,
}
"""What makes a request of each wire format."""


def _plain(value: Any) -> Any:
    """Return a copy without marks."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return "".join(value) if isinstance(value, str) else value


def _marked(value: Any) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    found = list(_strings(value, ()))
    return tuple(p for p, s in found if isinstance(s, _Image)), tuple(p for p, s in found if isinstance(s, _Type))


def _strings(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, (dict, list)):
        for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _strings(inner, (*path, step))


# --- looking at bodies -----------------------------------------------------------------------------------------------


def at(body: Any, path: Path) -> Any:
    for step in path:
        body = body[step]
    return body


def masked(body: Any, paths: tuple[Path, ...], by: Any = "...") -> Any:
    """Return a copy of a body with other values at some places."""
    found = copy.deepcopy(body)
    for path in paths:
        at(found, path[:-1])[path[-1]] = by
    return found
