"""An ASGI application on loopback, served by uvicorn in a thread of its own, and pictures to send to it."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import uvicorn
from numpy.typing import NDArray
from PIL import Image


class Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve an application, and yield its address."""
    server = Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert server.ready.wait(30)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


def page(width: int = 600, height: int = 800) -> NDArray[np.uint8]:
    """Lines of text on white, as far as a machine can tell."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    marks = np.random.default_rng(0).random((height, width // 4)) < 0.4
    for top in range(40, height - 60, 40):
        line = np.repeat(marks[top : top + 10], 4, axis=1)[:, : width - 80]
        pixels[top : top + 10, 40 : width - 40][line] = 0
    return pixels


def png(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
