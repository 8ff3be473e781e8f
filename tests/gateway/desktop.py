"""A desktop with something to click on, a client that does, and a model that finds it in the picture it is sent."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from pixtrim.gateway.pictures import Job, Outcome, reduced

MAGENTA = (255, 0, 255)


_once = cache(reduced)


def remembering(jobs: Sequence[Job]) -> Iterator[Outcome]:
    """Do the work as it is done in the gateway, each job once for all tests."""
    return map(_once, jobs)


@dataclass(frozen=True)
class Target:
    """A magenta button."""

    left: int
    top: int
    width: int
    height: int

    def holds(self, x: float, y: float) -> bool:
        return self.left <= x < self.left + self.width and self.top <= y < self.top + self.height


def target(display: tuple[int, int], turn: int) -> Target:
    """Put the button somewhere, corners and edges first."""
    width, height = 24, 16
    right, bottom = display[0] - width, display[1] - height
    corners = [(0, 0), (right, bottom), (right, 0), (0, bottom)]
    rng = np.random.default_rng(turn)
    left, top = corners[turn] if turn < 4 else (int(rng.integers(right + 1)), int(rng.integers(bottom + 1)))
    return Target(left, top, width, height)


@cache
def drawn(display: tuple[int, int], *targets: Target) -> str:
    """Draw a grey desktop, with lines as of text, and its buttons; return it in base64."""
    pixels = np.full((display[1], display[0], 3), 235, np.uint8)
    pixels[20:-20:23, 30:-30] = 60
    for button in targets:
        pixels[button.top : button.top + button.height, button.left : button.left + button.width] = MAGENTA
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return base64.b64encode(stream.getvalue()).decode()


@cache
def found(picture: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the size of a picture and the pixel in the middle of its button, as a model with good eyes would."""
    image = Image.open(io.BytesIO(base64.b64decode(picture)))
    pixels = np.asarray(image.convert("RGB")).astype(int)
    rows, columns = np.nonzero(np.abs(pixels - MAGENTA).sum(axis=2) < 200)
    return image.size, (int((columns.min() + columns.max()) // 2), int((rows.min() + rows.max()) // 2))


def events(data: bytes) -> Iterator[dict[str, Any]]:
    """Read server-sent events as a client does; what has no blank line after it is none."""
    for block in data.replace(b"\r\n", b"\n").split(b"\n\n")[:-1]:
        lines = [line[5:].strip() for line in block.split(b"\n") if line.startswith(b"data:")]
        if lines:
            yield json.loads(b"\n".join(lines))


def stream_of(parts: Iterable[dict[str, Any] | bytes], newline: bytes = b"\n") -> bytes:
    """Write events; bytes go in as they are."""
    return b"".join(
        part
        if isinstance(part, bytes)
        else b"event: " + part["type"].encode() + newline + b"data: " + json.dumps(part).encode() + newline + newline
        for part in parts
    )


def claude_stream(
    content: list[dict[str, Any]], *, piece: int = 3, newline: bytes = b"\n", stop: str = "tool_use"
) -> bytes:
    """Stream a message as Anthropic does, with the arguments of calls in pieces."""
    parts: list[dict[str, Any] | bytes] = [
        {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": []}},
        b"event: ping" + newline + b'data: {"type": "ping"}' + newline + newline,
    ]
    for index, block in enumerate(content):
        start = {**block, "text": ""} if block["type"] == "text" else {**block, "input": {}}
        parts.append({"type": "content_block_start", "index": index, "content_block": start})
        if block["type"] == "text":
            deltas = [{"type": "text_delta", "text": block["text"]}]
        else:
            text = json.dumps(block["input"])
            pieces = ["", *(text[at : at + piece] for at in range(0, len(text), piece))]
            deltas = [{"type": "input_json_delta", "partial_json": part} for part in pieces]
        parts += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        parts.append({"type": "content_block_stop", "index": index})
    parts.append({"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 9}})
    parts.append({"type": "message_stop"})
    return stream_of(parts, newline)


def claude_content(data: bytes) -> list[dict[str, Any]]:
    """Put a streamed message together, as Anthropic's SDK does."""
    content: dict[int, dict[str, Any]] = {}
    pieces: dict[int, str] = {}
    for event in events(data):
        if event["type"] == "content_block_start":
            content[event["index"]] = event["content_block"]
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            if delta["type"] == "text_delta":
                content[event["index"]]["text"] += delta["text"]
            else:
                pieces[event["index"]] = pieces.get(event["index"], "") + delta["partial_json"]
        elif event["type"] == "content_block_stop" and pieces.get(event["index"]):
            content[event["index"]]["input"] = json.loads(pieces[event["index"]])
    return [content[index] for index in sorted(content)]


def openai_stream(response: dict[str, Any], newline: bytes = b"\n") -> bytes:
    """Stream a response as OpenAI does: as it is so far, its items, and as it is in the end."""
    parts: list[dict[str, Any] | bytes] = [{"type": "response.created", "response": {**response, "output": []}}]
    for index, item in enumerate(response["output"]):
        parts.append({"type": "response.output_item.added", "output_index": index, "item": item})
        parts.append({"type": "response.output_item.done", "output_index": index, "item": item})
    parts.append({"type": "response.completed", "response": response})
    return stream_of(parts, newline)
