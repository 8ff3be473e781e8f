"""An upstream for tests: a real HTTP/1.1 server on loopback that keeps the exact bytes of requests and answers as told.

::

    with Upstream() as upstream:
        upstream.answers["/v1/models"] = json_answer({"data": []})
        ...  # send requests to upstream.url
        upstream.requests[0].head, upstream.requests[0].body

An answer is a coroutine function of a request and an `Out`; those below are the usual ones. It runs in the server's own
thread and loop; `await out.turn()` waits there until the test says `upstream.go()`, so that order is decided by events,
never by time.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

Headers = list[tuple[bytes, bytes]]
WAIT = 30.0
"""Seconds after which an event that does not come fails the test."""


@dataclass
class Recorded:
    """A request: `head` and `raw` are its bytes as they came, `body` is what was in `raw`."""

    head: bytes
    raw: bytes = b""
    body: bytes = b""
    gone: threading.Event = field(default_factory=threading.Event)
    """Set when the other side has closed the connection before the answer was complete."""

    @property
    def method(self) -> str:
        return self.head.split(b" ", 1)[0].decode()

    @property
    def target(self) -> str:
        return self.head.split(b" ", 2)[1].decode("latin-1")

    @property
    def headers(self) -> Headers:
        lines = self.head.split(b"\r\n")[1:]
        return [(name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines if line)]

    def header(self, name: str) -> bytes | None:
        return next((value for key, value in self.headers if key == name.lower().encode()), None)


class Out:
    """What an answer writes with."""

    def __init__(self, upstream: Upstream, writer: asyncio.StreamWriter) -> None:
        self.upstream, self.writer = upstream, writer
        self.close = False
        self.sent = 0

    async def raw(self, data: bytes) -> None:
        """Send bytes; `upstream.blocked` is set when the other side takes no more."""
        self.writer.write(data)
        if self.writer.transport.get_write_buffer_size() > 2**16:
            self.upstream.blocked.set()
        await self.writer.drain()
        self.sent += len(data)

    async def start(
        self, status: int = 200, headers: Iterable[tuple[bytes, bytes]] = (), *, chunked: bool = True
    ) -> None:
        lines = [b"HTTP/1.1 %d Whatever" % status, *(name + b": " + value for name, value in headers)]
        if chunked:
            lines.append(b"Transfer-Encoding: chunked")
        await self.raw(b"\r\n".join(lines) + b"\r\n\r\n")

    async def chunk(self, data: bytes) -> None:
        await self.raw(b"%x\r\n%s\r\n" % (len(data), data))

    async def end(self) -> None:
        await self.raw(b"0\r\n\r\n")

    async def turn(self) -> None:
        """Wait for the test's `upstream.go()`."""
        await self.upstream._turns.acquire()

    async def stall(self) -> None:
        """Do nothing until the other side closes the connection."""
        await asyncio.Event().wait()

    def reset(self) -> None:
        """End the connection with RST."""
        raw: socket.socket = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        self.close = True


Answer = Callable[[Recorded, Out], Awaitable[None]]


def fixed(status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> Answer:
    """Answer with a body of known length."""

    async def answer(request: Recorded, out: Out) -> None:
        length = (b"Content-Length", b"%d" % len(body))
        await out.start(status, [*headers, length], chunked=False)
        if request.method != "HEAD":
            await out.raw(body)

    return answer


def json_answer(value: Any, status: int = 200, headers: Iterable[tuple[bytes, bytes]] = ()) -> Answer:
    """Answer in JSON."""
    return fixed(status, json.dumps(value).encode(), [(b"Content-Type", b"application/json"), *headers])


def events(*parts: bytes, turns: bool = False) -> Answer:
    """Stream server-sent events as given; with `turns`, each one waits for the test's go-ahead."""

    async def answer(request: Recorded, out: Out) -> None:
        await out.start(200, [(b"Content-Type", b"text/event-stream; charset=utf-8")])
        for part in parts:
            if turns:
                await out.turn()
            await out.chunk(part)
        await out.end()

    return answer


class Upstream:
    """The server; use it as a context manager. With a context of `ssl`, it speaks TLS."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.requests: list[Recorded] = []
        self.answers: dict[str, Answer] = {}
        """By path, without the query; "*" is for all others."""
        self.blocked = threading.Event()
        self.connections = 0
        self._arrived = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._turns = asyncio.Semaphore(0)
        self._open: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="upstream", daemon=True)
        self._ready = threading.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Upstream:
        self._thread.start()
        assert self._ready.wait(WAIT)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(WAIT)

    def go(self, turns: int = 1) -> None:
        """Let answers that wait for their turn go on."""

        def release() -> None:
            for _ in range(turns):
                self._turns.release()

        self._loop.call_soon_threadsafe(release)

    def request(self, number: int = 0) -> Recorded:
        """Return a request, waiting until it is there."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.requests) > number, WAIT), f"no request {number}"
        return self.requests[number]

    # --- the server's thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            asyncio.set_event_loop(None)
            self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=2**20, backlog=1024, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            early = b""
            while (request := await _read(reader, early)) is not None:
                with self._arrived:
                    self.requests.append(request)
                    self._arrived.notify_all()
                out = Out(self, writer)
                early = await self._answer(request, out, reader)
                if request.gone.is_set() or out.close or request.header("connection") == b"close":
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the server ends, or the other side does; Python 3.11 reports tasks that end as cancelled
        finally:
            self._open.discard(task)
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _answer(self, request: Recorded, out: Out, reader: asyncio.StreamReader) -> bytes:
        """Answer, and look at the same time whether the other side hangs up; return what it has sent since."""
        path = request.target.partition("?")[0]
        answer = self.answers.get(path) or self.answers.get("*") or json_answer({"ok": True})
        writing = asyncio.ensure_future(answer(request, out))
        watching = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait((writing, watching), return_when=asyncio.FIRST_COMPLETED)
            if not writing.done() and _hung_up(watching):
                request.gone.set()
                writing.cancel()
            with suppress(asyncio.CancelledError):
                await _or_gone(writing, request, out)
            if out.close:
                return b""
            return b"" if not watching.done() or _hung_up(watching) else watching.result()
        finally:
            for task in (writing, watching):
                task.cancel()
            await asyncio.gather(writing, watching, return_exceptions=True)


async def _or_gone(writing: asyncio.Future[None], request: Recorded, out: Out) -> None:
    try:
        await writing
    except ConnectionError:
        out.close = True
        request.gone.set()


def _hung_up(watching: asyncio.Future[bytes]) -> bool:
    return watching.exception() is not None or watching.result() == b""


async def _read(reader: asyncio.StreamReader, early: bytes) -> Recorded | None:
    try:
        head = early + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    request = Recorded(head)
    length = request.header("content-length")
    if length is not None:
        request.raw = request.body = await reader.readexactly(int(length))
    elif request.header("transfer-encoding") == b"chunked":
        while True:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            data = await reader.readexactly(size + 2)
            request.raw += line + data
            request.body += data[:-2]
            if size == 0:
                break
    return request
