"""Odd requests and odd responses: they pass as they are, or are refused, and nothing hangs or gets out of step."""

from __future__ import annotations

import json

import pytest
from asking import Wire
from gateways import running
from upstream import Out, Recorded, Upstream

GET = b"GET /v1/x HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("request_line", "passed"),
    [
        (b"OPTIONS * HTTP/1.1", b"OPTIONS * HTTP/1.1"),
        (b"GET // HTTP/1.1", b"GET // HTTP/1.1"),
        (b'GET /a/../b?q="<>&q=%%41 HTTP/1.1', b'GET /a/../b?q="<>&q=%%41 HTTP/1.1'),
        (b"GET /a%2e%2e/%C3%A9%00 HTTP/1.1", b"GET /a%2e%2e/%C3%A9%00 HTTP/1.1"),
        (b"GET http://evil.test/v1/models?x=1 HTTP/1.1", b"GET /v1/models?x=1 HTTP/1.1"),  # not a way to elsewhere
        (b"GET /v1/x HTTP/1.0", b"GET /v1/x HTTP/1.1"),
    ],
)
def test_odd_paths_pass_as_they_are(request_line: bytes, passed: bytes) -> None:
    with Upstream() as upstream, running(upstream) as gateway, Wire(gateway.url) as wire:
        wire.send(request_line + b"\r\nHost: x\r\n\r\n")
        assert wire.answer()[0] == 200
        assert upstream.request().head.split(b"\r\n")[0] == passed


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
        b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /v1/x HTTP/1.1\r\nHost: x\r\nX-Bad: a\x01b\r\n\r\n",
        b"GET /caf\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT elsewhere.test:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01 this is TLS\r\n\r\n",
    ],
)
def test_what_two_servers_may_read_differently_is_refused(request_bytes: bytes) -> None:
    with Upstream() as upstream, running(upstream) as gateway:
        with Wire(gateway.url) as wire:
            wire.send(request_bytes)
            assert wire.head()[0] == 400
        with Wire(gateway.url) as wire:
            wire.send(GET)
            assert wire.answer()[0] == 200
        assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("response", "status", "body"),
    [
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\nETag: x\r\n\r\n", 304, b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
        (b"HTTP/1.0 200 OK\r\nContent-Type: a/b\r\n\r\nall until the end", 200, b"all until the end"),
        (b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nTrailer: 1\r\n\r\n", 200, b"ok"),
        (b"HTTP/1.1 599 Odd\r\nContent-Length: 0\r\n\r\n", 599, b""),
        (b"HTTP/1.1 799 Odd\r\nContent-Length: 2\r\n\r\nok", 502, None),
        (b"HTTP/1.1 200 OK\r\nBad\x00Header: secret\r\n\r\n", 502, None),
        (b"SSH-2.0-OpenSSH\r\n\r\n", 502, None),
        (b"", 502, None),
    ],
)
def test_odd_responses_pass_as_they_are_or_are_refused(response: bytes, status: int, body: bytes | None) -> None:
    async def answer(request: Recorded, out: Out) -> None:
        await out.raw(response)
        out.close = b"Content-Length" not in response

    with Upstream() as upstream, running(upstream) as gateway, Wire(gateway.url) as wire:
        upstream.answers["*"] = answer
        for _ in range(2):  # the connection stays in step
            wire.send(GET)
            found, pairs = wire.head()
            assert found == status
            headers = dict(pairs)
            got = b""
            if headers.get("transfer-encoding") == "chunked":
                while part := wire.chunk():
                    got += part
            elif "content-length" in headers:
                got = wire.file.read(int(headers["content-length"]))
            if body is not None:
                assert got == body
            else:
                error = json.loads(got)["error"]
                assert (error["type"], "secret" in error["message"]) == ("pixtrim_gateway", False)
        assert "secret" not in gateway.log.getvalue()
