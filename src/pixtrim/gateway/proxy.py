"""The proxy: a request goes to its upstream, the response comes back, and images are made smaller on the way."""

from __future__ import annotations

import time
from asyncio import CancelledError
from collections.abc import AsyncIterator, Mapping
from typing import Final

import httpx2

from pixtrim.errors import UsageError
from pixtrim.gateway.downstream import (
    Downstream,
    GoneError,
    Headers,
    Receive,
    RefusalError,
    Scope,
    Send,
    end_to_end,
    too_large,
)
from pixtrim.gateway.fetch import Fetcher
from pixtrim.gateway.formats import FORMATS
from pixtrim.gateway.log import where
from pixtrim.gateway.peek import may_hold_images, model_in
from pixtrim.gateway.policies import Policy
from pixtrim.gateway.records import Record, Recorder
from pixtrim.gateway.rewrite import RewriteReport
from pixtrim.gateway.routes import Route, Router
from pixtrim.gateway.screens import Mapper, response_mapper
from pixtrim.gateway.settings import Settings
from pixtrim.gateway.usage import UsageReader
from pixtrim.gateway.work import Work

__all__ = ["Proxy"]

NOT_FORWARDED: Final = frozenset({b"host", b"content-length", b"expect"})
"""Headers of requests that are made anew, or have been answered by our own server."""

OWN: Final = b"x-pixtrim"
OWN_KEY: Final = b"x-pixtrim-key"
"""Headers that begin like this are for the gateway, and are not forwarded; the second one is its own key."""

SMALL: Final = 2**16
"""Bytes of a body that is parsed on the spot, if that is what it takes to tell its model."""

LAST_STATUS: Final = 599

PIECE: Final = 2**18
"""Bytes of a body that are sent at a time, each within the time limit."""


class Proxy:
    """Handles requests; one for all of them.

    Parameters
    ----------
    router : Router
    policy : Policy
    work : Work
    transport : httpx2.AsyncBaseTransport
        What talks to the upstreams. It is used without a client around it, which would add headers, follow redirects,
        keep cookies and decode bodies.
    recorder : Recorder
        Is told of each request.
    fetcher : Fetcher, optional
        What gets images that are URLs.
    """

    def __init__(
        self,
        router: Router,
        policy: Policy,
        work: Work,
        transport: httpx2.AsyncBaseTransport,
        recorder: Recorder,
        fetcher: Fetcher | None = None,
    ) -> None:
        self._router, self._policy, self._work = router, policy, work
        self._transport, self._recorder, self._fetcher = transport, recorder, fetcher
        limits = policy.limits
        self._timeout = {
            "connect": limits.connect_seconds,
            "read": limits.read_seconds,
            "write": limits.read_seconds,
            "pool": limits.connect_seconds,
        }
        self._bases: dict[str, httpx2.URL] = {}
        self._held_bytes = _Held(limits.bodies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        client = Downstream(receive, send, self._policy.limits.client_seconds)
        record = self._recorder.begin(scope)
        room = _Room(self._held_bytes)
        try:
            await self._handle(scope, client, record, room)
        except RefusalError as refusal:
            record.error = str(refusal)
            if client.status is None:
                await client.answer(refusal.status, refusal.body)
            # else the answer ends here, incomplete, which the server tells the client by closing the connection
        except GoneError:
            record.error = "the client hung up" if client.gone else "the client took nothing more"
        except CancelledError:
            record.error = "the client hung up" if client.gone else "the gateway ends"
            if not client.gone:
                raise
        except Exception as error:
            record.error = f"a fault of pixtrim: {type(error).__name__} at {where(error)}"
            if client.status is None:
                await client.answer(500, RefusalError(500, "a fault of pixtrim, which is in the gateway's log").body)
        finally:
            room.leave()
            client.close()
            self._recorder.end(record, client.status)

    async def _handle(self, scope: Scope, client: Downstream, record: Record, room: _Room) -> None:
        headers: Headers = scope["headers"]
        values = dict(headers)
        if values.get(b"upgrade", b"").lower() == b"websocket":
            raise RefusalError(501, "the gateway passes on no WebSockets: connect to the provider itself for these")
        route = self._router.find(scope["raw_path"], scope["query_string"], values)
        record.route, record.wire_format, record.model = route.upstream.name, route.wire_format, route.model
        asked = self._asked(headers)
        sent = end_to_end(headers, NOT_FORWARDED)
        if asked or OWN_KEY in values:
            sent = [pair for pair in sent if not pair[0].startswith(OWN)]
        sent.insert(0, (b"host", route.upstream.host))
        stream: _Whole | _Passing
        if asked.get("x-pixtrim") != "off" and _holds_json(scope["method"], route, values):
            stream = await self._held(client, values, route, asked, record, room)
            if record.report is not None and record.report.screen is not None:  # the answer has to be read, and changed
                sent = [pair for pair in sent if pair[0] != b"accept-encoding"]
                sent.append((b"accept-encoding", b"identity"))
            sent.append((b"content-length", b"%d" % stream.size))
        else:
            stream = _Passing(client)
            if b"transfer-encoding" in values:
                sent.append((b"transfer-encoding", b"chunked"))
            elif b"content-length" in values:
                sent.append((b"content-length", values[b"content-length"]))
        response = await self._respond(scope["method"], route, sent, stream)
        room.leave()
        try:
            client.watch()
            await self._pass_back(response, client, record)
        except (httpx2.TransportError, OSError) as error:
            raise RefusalError(
                502, f"upstream {route.upstream.name!r}: the response broke off: {_why(error)}"
            ) from None
        finally:
            await response.aclose()

    # --- the request -------------------------------------------------------------------------------------------------

    def _asked(self, headers: Headers) -> dict[str, str]:
        """Return what the request's own headers ask of the gateway."""
        asked = {
            name.decode(): value.decode("latin-1")
            for name, value in headers
            if name.startswith(OWN) and name != OWN_KEY
        }
        if asked:
            try:
                self._policy.asked(self._policy.defaults, asked)
            except UsageError as error:
                raise RefusalError(400, str(error)) from None
        return asked

    async def _held(
        self,
        client: Downstream,
        values: Mapping[bytes, bytes],
        route: Route,
        asked: Mapping[str, str],
        record: Record,
        room: _Room,
    ) -> _Whole:
        """Read a body, and return it with smaller images, or as it is."""
        limit = self._policy.limits.body
        length = values.get(b"content-length", b"0")
        if length.isdigit() and int(length) > limit:  # before the client has sent it
            raise too_large(limit)
        body = await client.read(limit, room.take)
        start = time.perf_counter()
        wire_format = route.wire_format or ""
        if record.model is None:
            record.model = model_in(body, parse=len(body) <= SMALL)
        if may_hold_images(body, wire_format):
            body = await self._smaller(body, wire_format, route, asked, record)
        record.added = time.perf_counter() - start
        return _Whole(body)

    async def _smaller(
        self, body: bytes, wire_format: str, route: Route, asked: Mapping[str, str], record: Record
    ) -> bytes:
        def choose(model: str | None) -> Settings | None:
            return self._policy.asked(self._policy.settings(route.upstream.name, model), asked)

        fetched = None
        if self._fetcher is not None:
            urls = await self._work.urls(body, wire_format, choose, route.model)
            fetched, record.problems = await self._fetcher.fetch(urls)
        smaller, record.report = await self._work.rewrite(body, wire_format, choose, model=route.model, fetched=fetched)
        if record.report is not None:
            record.model = record.report.model or record.model
        return smaller

    async def _respond(
        self, method: str, route: Route, headers: Headers, stream: httpx2.AsyncByteStream
    ) -> httpx2.Response:
        """Send the request, and return the response once it has begun."""
        upstream = route.upstream
        base = self._bases.get(upstream.base)
        if base is None:
            base = self._bases[upstream.base] = httpx2.URL(upstream.base)
        request = httpx2.Request(
            method,
            base,
            headers=headers,
            stream=stream,
            extensions={"timeout": self._timeout, "target": route.target},
        )
        try:
            return await self._transport.handle_async_request(request)
        except httpx2.PoolTimeout:
            raise RefusalError(503, "too many connections to upstreams at once: try again later") from None
        except httpx2.TimeoutException as error:
            raise RefusalError(504, f"upstream {upstream.name!r} gave no answer in time: {_why(error)}") from None
        except httpx2.LocalProtocolError:
            raise RefusalError(400, "the request cannot be passed on: a header of it is not valid") from None
        except httpx2.ConnectError as error:
            raise RefusalError(502, f"upstream {upstream.name!r} cannot be reached: {_why(error)}") from None
        except (httpx2.TransportError, OSError) as error:
            raise RefusalError(502, f"upstream {upstream.name!r} broke off before it answered: {_why(error)}") from None

    # --- the response ------------------------------------------------------------------------------------------------

    async def _pass_back(self, response: httpx2.Response, client: Downstream, record: Record) -> None:
        """Pass a response on, part by part as it comes, each one only when the client has taken the one before."""
        if response.status_code > LAST_STATUS:
            raise RefusalError(502, f"the upstream answers with the status {response.status_code}, which there is not")
        raw = [(name.lower(), value) for name, value in response.headers.raw]
        values = dict(raw)
        mapper = _mapper(response, record, values)
        # Beside chunks a length is worth nothing; of a response without a body, our server would wait for one.
        no_length = b"transfer-encoding" in values or mapper is not None or response.status_code == 304
        headers = end_to_end(raw, frozenset({b"content-length"}) if no_length else frozenset())
        if self._policy.reports and record.report is not None:
            headers.append((OWN, summary(record.report)))
        reader = _reader(response, record, values)
        await client.start(response.status_code, headers)
        try:
            async for part in response.stream:  # type: ignore[union-attr]  # it is an asynchronous one
                passed = part if mapper is None else mapper.feed(part)
                if passed:
                    await client.write(passed)
                if reader is not None:
                    reader.feed(part)
            await client.end(b"" if mapper is None else mapper.end())
        finally:
            if reader is not None:
                record.usage = reader.end()


def _reader(response: httpx2.Response, record: Record, values: Mapping[bytes, bytes]) -> UsageReader | None:
    """Return what looks for the tokens that were billed."""
    if record.wire_format is None or response.status_code != 200:
        return None
    return UsageReader(record.wire_format, _text(values, b"content-type"), _text(values, b"content-encoding"))


def _mapper(response: httpx2.Response, record: Record, values: Mapping[bytes, bytes]) -> Mapper | None:
    """Return what takes places on the screen back to the client's own, if its screen was made smaller."""
    screen = record.report.screen if record.report is not None else None
    if screen is None or record.wire_format is None or response.status_code != 200:
        return None
    if (_text(values, b"content-encoding") or "identity") != "identity":
        raise RefusalError(
            502,
            "the upstream has compressed its answer unasked, so that places on the screen cannot be mapped back: set "
            'computer_use = "keep" in the gateway\'s policy',
        )
    return response_mapper(screen, record.wire_format, _text(values, b"content-type"))


def _text(values: Mapping[bytes, bytes], name: bytes) -> str | None:
    return values[name].decode("latin-1").lower() if name in values else None


def summary(report: RewriteReport) -> bytes:
    """Return what became of a request's images, as a dictionary of Structured Fields (RFC 9651).

    Examples
    --------
    >>> summary(RewriteReport("openai-chat", note="too many requests with images at once"))
    b'images=0, changed=0, before=0, after=0, note="too many requests with images at once"'
    """
    before, after = report.tokens
    text = f"images={len(report.images)}, changed={report.changed}, before={before}, after={after}"
    if report.note is not None:
        note = "".join(c for c in report.note if " " <= c <= "~").replace("\\", "").replace('"', "'")
        text += f', note="{note[:200]}"'
    return text.encode()


def _holds_json(method: str, route: Route, values: Mapping[bytes, bytes]) -> bool:
    """Say whether a request is of a known format; a body that is compressed passes as it is."""
    return (
        method == "POST"
        and route.wire_format in FORMATS
        and "json" in (_text(values, b"content-type") or "json")
        and (_text(values, b"content-encoding") or "identity") == "identity"
    )


def _why(error: Exception) -> str:
    """Say what happened; what a protocol error says may have a header in it."""
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, httpx2.ConnectError) and str(error) else name


class _Held:
    """Bytes of all bodies that are held, and how many there may be."""

    def __init__(self, limit: int) -> None:
        self.limit, self.bytes = limit, 0


class _Room:
    """What one request takes of them."""

    def __init__(self, held: _Held) -> None:
        self._held, self._own = held, 0

    def take(self, size: int) -> None:
        """Take some more, or refuse the request."""
        if self._held.bytes + size > self._held.limit:
            raise RefusalError(503, "too many large requests at once: try again later")
        self._held.bytes += size
        self._own += size

    def leave(self) -> None:
        """Give all of it back."""
        self._held.bytes -= self._own
        self._own = 0


class _Whole(httpx2.AsyncByteStream):
    """A body that is there, until it is sent: the answer may take minutes, in which nobody needs it."""

    def __init__(self, body: bytes) -> None:
        self._body, self.size = body, len(body)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, self.size, PIECE):
            yield self._body[start : start + PIECE]
        self._body = b""


class _Passing(httpx2.AsyncByteStream):
    """A body that passes through, part by part as the upstream takes it."""

    def __init__(self, client: Downstream) -> None:
        self._client = client

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._client.body():
            yield part
