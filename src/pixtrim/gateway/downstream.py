"""Where a request came from: its headers and body, the answer to it, and whether somebody still waits for that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

__all__ = ["Downstream", "GoneError", "Headers", "Receive", "RefusalError", "Scope", "Send", "end_to_end", "too_large"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

HOP_BY_HOP: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade"}
)
"""Headers between neighbours (RFC 9110, 7.6.1), besides those that Connection itself names."""


class GoneError(Exception):
    """The client has hung up before its request was complete, or takes nothing of the answer."""


class RefusalError(Exception):
    """A request that the gateway answers itself.

    Parameters
    ----------
    status : int
    message : str
        One line that says what is wrong, and what would be right.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def body(self) -> bytes:
        """The answer, in the shape that the providers' own errors have."""
        return json.dumps({"error": {"message": str(self), "type": "pixtrim_gateway"}}).encode()


def too_large(limit: int) -> RefusalError:
    """Return what is said to a body above the limit."""
    return RefusalError(
        413, f"the request's body is larger than {limit} bytes: send less, or raise the gateway's limit (body)"
    )


def end_to_end(headers: Iterable[tuple[bytes, bytes]], without: frozenset[bytes] = frozenset()) -> Headers:
    """Return the headers that are not for the next neighbour only; names are in small letters.

    Examples
    --------
    >>> end_to_end([(b"connection", b"x-a, close"), (b"x-a", b"1"), (b"x-b", b"2"), (b"x-b", b"3")])
    [(b'x-b', b'2'), (b'x-b', b'3')]
    """
    left_out = HOP_BY_HOP | without
    for name, value in headers:
        if name == b"connection":
            left_out |= {part.strip().lower() for part in value.split(b",")}
    return [(name, value) for name, value in headers if name not in left_out]


class Downstream:
    """A client that waits for an answer, by its ASGI callables; made in the task that handles the request.

    Parameters
    ----------
    receive, send : callable
        Of ASGI.
    patience : float
        Seconds within which it has to send, or to take, anything at all; one that does neither is given up.

    Attributes
    ----------
    gone : bool
        Whether it has hung up before its answer was complete; the task is cancelled then.
    complete : bool
        Whether its answer is.
    status : int or None
        Of the answer, once that has begun.
    """

    def __init__(self, receive: Receive, send: Send, patience: float = 300.0) -> None:
        self._receive, self._send, self._patience = receive, send, patience
        self._task = asyncio.current_task()
        self._watcher: asyncio.Task[None] | None = None
        self.gone = self.complete = False
        self.status: int | None = None

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the request's body as it comes, and watch the client from its end on.

        Raises
        ------
        GoneError
            If it does not come in full.
        RefusalError
            If it does not come in time.
        """
        while True:
            try:
                async with asyncio.timeout(self._patience):
                    message = await self._receive()
            except TimeoutError:
                raise RefusalError(408, f"nothing more of the request came for {self._patience:g} seconds") from None
            if message["type"] == "http.disconnect":
                self.gone = True
                raise GoneError
            more = message.get("more_body", False)
            if not more:
                self.watch()
            if message.get("body"):
                yield message["body"]
            if not more:
                return

    async def read(self, limit: int, take: Callable[[int], None]) -> bytes:
        """Return the request's body.

        Parameters
        ----------
        limit : int
        take : callable
            Is told of the bytes of each part, and may refuse to have them.

        Raises
        ------
        RefusalError
            If it is longer than the limit, or does not come in time.
        GoneError
            If it does not come in full.
        """
        parts, size = [], 0
        async for part in self.body():
            size += len(part)
            if size > limit:
                raise too_large(limit)
            take(len(part))
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def watch(self) -> None:
        """Cancel the request's task when the client hangs up; what it still sends is thrown away."""
        if self._watcher is None:
            self._watcher = asyncio.get_running_loop().create_task(self._until_gone())

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not self.complete and self._task is not None:
            self.gone = True
            self._task.cancel()

    async def start(self, status: int, headers: Headers) -> None:
        """Begin the answer."""
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, part: bytes) -> None:
        """Send a part of the answer; waits while the client is slow to take it.

        Raises
        ------
        GoneError
            If it takes nothing for too long.
        """
        try:
            async with asyncio.timeout(self._patience):
                await self._send({"type": "http.response.body", "body": part, "more_body": True})
        except TimeoutError:
            raise GoneError from None

    async def end(self, part: bytes = b"") -> None:
        """Complete the answer."""
        self.complete = True
        await self._send({"type": "http.response.body", "body": part, "more_body": False})

    async def answer(self, status: int, body: bytes, content_type: bytes = b"application/json") -> None:
        """Answer as a whole."""
        await self.start(status, [(b"content-type", content_type), (b"content-length", b"%d" % len(body))])
        await self.end(body)

    def close(self) -> None:
        """Stop watching."""
        if self._watcher is not None:
            self._watcher.cancel()
