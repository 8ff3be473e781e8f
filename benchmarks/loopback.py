"""An upstream on loopback that answers at once, and proxies in front of it, each in a process of its own.

Run as a program it is the upstream, and prints its port.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

MODEL = "gpt-5.5"
KEY = "sk-loopback"  # LiteLLM wants one
START = 120.0
"""Seconds within which a server has to answer."""

ANSWER = b'{"id":"x","object":"chat.completion","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1}}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(ANSWER)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read requests from a connection, and answer all alike."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            fields = dict(line.split(b":", 1) for line in head.split(b"\r\n") if b":" in line)
            if b"content-length" in fields:
                await reader.readexactly(int(fields[b"content-length"]))
            while b"chunked" in fields.get(b"transfer-encoding", b""):
                size = int(await reader.readline(), 16)
                await reader.readexactly(size + 2)
                if not size:
                    break
            writer.write(HEAD + ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def serve() -> None:
    """Listen, and say where."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=2**26)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def upstream() -> Iterator[int]:
    """Run the upstream; yield its port."""
    command = [sys.executable, __file__]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def proxy(
    command: Callable[[Path, int, int], list[str]], target: int, core: int | None, started: list[int] | None = None
) -> Iterator[int]:
    """Run a proxy in front of a port, on a core if one is named; yield its port, and put its process into a list."""
    port = free_port()
    with TemporaryDirectory() as room:
        log = Path(room) / "log"
        words = command(Path(room), port, target)
        with log.open("w") as output, subprocess.Popen(words, stdout=output, stderr=output) as process:
            try:
                if core is not None:
                    os.sched_setaffinity(process.pid, {core})
                end = time.monotonic() + START
                while not listens(port):
                    if process.poll() is not None or time.monotonic() > end:
                        sys.exit(f"{log.read_text()}\n{words[0]} did not start")
                    time.sleep(0.2)
                if started is not None:
                    started.append(process.pid)
                yield port
            finally:
                process.terminate()


def listens(port: int) -> bool:
    """Say whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def gateway_command(room: Path, port: int, target: int) -> list[str]:
    """Return how the gateway is started, with a ledger."""
    return [
        *(sys.executable, "-m", "pixtrim", "gateway", "--port", str(port)),
        *("--upstream", f"openai=http://127.0.0.1:{target}", "--ledger", f"sqlite:///{room}/ledger.db"),
    ]


def litellm_command(room: Path, port: int, target: int) -> list[str]:
    """Return how LiteLLM's proxy is started, with one model behind it."""
    config = room / "config.yaml"
    route = {"model": f"openai/{MODEL}", "api_base": f"http://127.0.0.1:{target}/v1", "api_key": "none"}
    models = [{"model_name": MODEL, "litellm_params": route}]
    config.write_text(json.dumps({"model_list": models, "general_settings": {"master_key": KEY}}))
    program = Path(sys.executable).with_name("litellm")
    return [str(program), "--config", str(config), "--port", str(port), "--host", "127.0.0.1", "--telemetry", "False"]


if __name__ == "__main__":
    asyncio.run(serve())
