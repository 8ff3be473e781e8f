"""Pictures and requests for the gateway's tests, and a client that shows what came over the wire."""

from __future__ import annotations

import base64
import io
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

MODEL = "claude-sonnet-4-5"
CHAT = "/v1/chat/completions"


def page(seed: int = 0, width: int = 1200, height: int = 1600) -> bytes:
    """A page with lines of something like text, as PNG: much of it repeats, so that it can be folded."""
    rng = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), 255, np.uint8)
    for top in range(60, height // 2, 44):
        marks = np.repeat(rng.random((14, (width - 160) // 4)) < 0.4, 4, axis=1)
        pixels[top : top + 14, 80 : 80 + marks.shape[1]][marks] = 0
    return png(pixels)


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def data_url(image: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(image).decode()


def chat(*images: bytes | str, model: str = MODEL, **more: Any) -> bytes:
    """A request of OpenAI's chat, with images or their URLs."""
    urls = [image if isinstance(image, str) else data_url(image) for image in images]
    blocks: list[Any] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    content = [*blocks, {"type": "text", "text": "What is on it?"}]
    return json.dumps({"model": model, "messages": [{"role": "user", "content": content}], **more}).encode()


def pictures(body: bytes) -> list[Image.Image]:
    """The images in a request of OpenAI's chat."""
    blocks = json.loads(body)["messages"][0]["content"]
    urls = [block["image_url"]["url"] for block in blocks if block["type"] == "image_url"]
    return [Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) for url in urls]


class Wire:
    """A connection of which every byte is seen."""

    def __init__(self, url: str, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(30)
        parts = urlsplit(url)
        try:
            self.socket.connect((parts.hostname, parts.port))
        except OSError:
            self.socket.close()
            raise
        self.file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def post(self, path: str, body: bytes, *headers: str, method: str = "POST") -> None:
        lines = [f"{method} {path} HTTP/1.1", "Host: gateway", f"Content-Length: {len(body)}", *headers]
        if not any(line.lower().startswith("content-type") for line in headers):
            lines.append("Content-Type: application/json")
        self.send("\r\n".join([*lines, "", ""]).encode() + body)

    def head(self) -> tuple[int, list[tuple[str, str]]]:
        """Read the status and headers of an answer."""
        status = int(self.file.readline().split()[1])
        headers = []
        while line := self.file.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name.lower(), value.strip()))
        return status, headers

    def chunk(self) -> bytes:
        """Read a chunk of an answer; the last one is empty."""
        line = self.file.readline()
        assert line, "the answer broke off"
        data = self.file.read(int(line, 16))
        assert self.file.readline() == b"\r\n"
        return data

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Read a whole answer."""
        status, pairs = self.head()
        headers = dict(pairs)
        if headers.get("transfer-encoding") == "chunked":
            parts = []
            while part := self.chunk():
                parts.append(part)
            return status, headers, b"".join(parts)
        return status, headers, self.file.read(int(headers.get("content-length", "0")))

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
