"""The gateway as a proxy: what passes through is what was sent, byte for byte, in time, and until somebody hangs up."""

from __future__ import annotations

import gzip
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from asking import CHAT, Wire, chat, page
from gateways import Running, running
from upstream import Out, Recorded, Upstream, events, fixed, json_answer

from pixtrim.gateway.policies import Limits, Policy

WAIT = 30.0
TEXT = b'{ "model":"gpt-5.5", "messages" : [ {"role":"user","content":"h\\u00e9llo \xc3\xa9"} ],"x":1.00}'
OWN_FRAMING = (b"host", b"content-length", b"transfer-encoding")


def test_requests_and_responses_pass_byte_for_byte() -> None:
    answer = b'{"error": {"message": "no",\n "type": "x"}}'
    headers = [(b"Content-Type", b"application/json"), (b"X-Two", b"1"), (b"X-Two", b"2"), (b"Retry-After", b"7")]
    sent = ["Authorization: Bearer sk-1", "X-A: 1", "OpenAI-Beta: a, b", "X-A: 2", "Content-Type: application/json"]
    with Upstream() as upstream, running(upstream) as gateway, Wire(gateway.url) as wire:
        upstream.answers[CHAT] = fixed(429, answer, headers)
        wire.post(CHAT + "?a=%2Fb&c=%20d", TEXT, *sent)
        status, pairs = wire.head()
        assert wire.file.read(len(answer)) == answer
        assert status == 429
        own = ("content-length", str(len(answer)))
        assert pairs == [*((name.decode().lower(), value.decode()) for name, value in headers), own]
        request = upstream.request()
        assert request.raw == TEXT
        assert request.target == CHAT + "?a=%2Fb&c=%20d"
        names = [tuple(line.lower().split(": ", 1)) for line in sent]
        got = [(name.decode(), value.decode().lower()) for name, value in request.headers if name not in OWN_FRAMING]
        assert got == names
        assert request.header("host") == upstream.url.removeprefix("http://").encode()


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"])
def test_any_method_and_path_passes(method: str) -> None:
    with Upstream() as upstream, running(upstream) as gateway, Wire(gateway.url) as wire:
        upstream.answers["*"] = fixed(200, b"12345", [(b"Content-Type", b"text/plain"), (b"ETag", b'"x"')])
        wire.send(f"{method} /v1/files/a%20b?limit=2&key=secret HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n".encode())
        status, pairs = wire.head()
        assert (status, dict(pairs)["content-length"], dict(pairs)["etag"]) == (200, "5", '"x"')
        assert not {"server", "date"} & dict(pairs).keys()
        if method != "HEAD":
            assert wire.file.read(5) == b"12345"
        request = upstream.request()
        assert request.head.split(b"\r\n")[0] == f"{method} /v1/files/a%20b?limit=2&key=secret HTTP/1.1".encode()
        assert [name for name, _ in request.headers] == [b"host", b"accept"]
        wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")  # the connection stays in step
        assert wire.head()[0] == 200


def test_headers_between_neighbours_stay_between_them() -> None:
    async def answer(request: Recorded, out: Out) -> None:
        headers = [(b"Connection", b"X-Hop"), (b"Keep-Alive", b"timeout=5"), (b"X-Hop", b"1"), (b"X-End", b"1")]
        await out.start(200, headers)
        await out.end()

    with Upstream() as upstream, running(upstream) as gateway, Wire(gateway.url) as wire:
        upstream.answers["*"] = answer
        wire.post("/v1/x", b"{}", "Connection: keep-alive, X-Mine", "X-Mine: 1", "TE: trailers", "X-End: 2")
        _, pairs = wire.head()
        assert pairs == [("x-end", "1"), ("transfer-encoding", "chunked")]
        names = [name for name, _ in upstream.request().headers]
        assert names == [b"host", b"x-end", b"content-type", b"content-length"]


def test_an_event_arrives_before_the_next_one_is_sent() -> None:
    parts = [b"data: %d\n\n" % number for number in range(5)]
    with Upstream() as upstream, running(upstream) as gateway, Wire(gateway.url) as wire:
        upstream.answers["*"] = events(*parts, turns=True)
        wire.post(CHAT, chat(stream=True))
        assert wire.head()[0] == 200  # before any event is there
        for part in parts:
            upstream.go()
            assert wire.chunk() == part
        assert wire.chunk() == b""


def test_compressed_bodies_stay_compressed_both_ways() -> None:
    body, answer = gzip.compress(chat(page())), gzip.compress(b'{"usage": {"prompt_tokens": 5}}')
    with Upstream() as upstream, running(upstream) as gateway, Wire(gateway.url) as wire:
        upstream.answers["*"] = fixed(
            200, answer, [(b"Content-Encoding", b"gzip"), (b"Content-Type", b"application/json")]
        )
        wire.post(CHAT, body, "Content-Encoding: gzip", "Accept-Encoding: gzip")
        _, headers, got = wire.answer()
        assert (headers["content-encoding"], got) == ("gzip", answer)
        assert upstream.request().raw == body
        assert upstream.request().header("accept-encoding") == b"gzip"


def test_bodies_of_other_types_stream_while_they_are_sent() -> None:
    """A large upload is passed on before it is there in full, and in any framing."""
    parts = [bytes([65 + number]) * 70_000 for number in range(20)]
    with Upstream() as upstream, running(upstream, policy=Policy(limits=Limits(body=1000))) as gateway:
        with Wire(gateway.url) as wire:
            wire.send(b"POST /v1/files HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data\r\n")
            wire.send(b"Transfer-Encoding: chunked\r\n\r\n")
            for part in parts:
                wire.send(b"%x\r\n%s\r\n" % (len(part), part))
            wire.send(b"0\r\n\r\n")
            assert wire.answer()[0] == 200
        with Wire(gateway.url) as wire:
            wire.post("/v1/files", b"".join(parts), "Content-Type: application/octet-stream")
            assert wire.answer()[0] == 200
        for number in range(2):
            assert upstream.request(number).body == b"".join(parts)
        assert upstream.request(0).header("transfer-encoding") == b"chunked"
        assert upstream.request(1).header("content-length") == b"1400000"


def test_a_client_that_hangs_up_ends_the_request_upstream() -> None:
    async def answer(request: Recorded, out: Out) -> None:
        await out.start(200, [(b"Content-Type", b"text/event-stream")])
        await out.chunk(b"data: 1\n\n")
        await out.stall()

    async def silent(request: Recorded, out: Out) -> None:
        await out.stall()

    with Upstream() as upstream, running(upstream) as gateway:
        upstream.answers["/v1/messages"] = silent
        upstream.answers["*"] = answer
        with Wire(gateway.url) as wire:
            wire.post(CHAT, chat(stream=True))
            assert wire.head()[0] == 200
            assert wire.chunk() == b"data: 1\n\n"
        assert upstream.request(0).gone.wait(WAIT)
        line = gateway.log.line(0)
        assert (line["status"], line["error"]) == (200, "the client hung up")
        with Wire(gateway.url) as wire:  # before there is any answer
            wire.post("/v1/messages", chat())
            upstream.request(1)
        assert upstream.request(1).gone.wait(WAIT)
        assert gateway.log.line(1)["status"] == 499
        assert _value(gateway, "pixtrim_in_flight") == 0


def test_a_client_that_hangs_up_while_sending_leaves_nothing_behind() -> None:
    with Upstream() as upstream, running(upstream) as gateway:
        with Wire(gateway.url) as wire:
            wire.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert gateway.log.line(0)["error"] == "the client hung up"
        with Wire(gateway.url) as wire:
            wire.send(b"POST /v1/files HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nContent-Length: 100\r\n\r\n{")
        assert gateway.log.line(1)["error"] == "the client hung up"
        with Wire(gateway.url) as wire:
            wire.post(CHAT, chat())
            assert wire.answer()[0] == 200
        assert len(upstream.requests) == 1


def test_a_slow_client_slows_the_upstream_down() -> None:
    """What a client does not take is not read without end, and nothing of it is lost."""
    part, number = b"x" * 2**18, 400

    async def answer(request: Recorded, out: Out) -> None:
        outs.append(out)
        await out.start()
        for _ in range(number):
            await out.chunk(part)
        await out.end()

    outs: list[Out] = []
    with Upstream() as upstream, running(upstream) as gateway, Wire(gateway.url, 2**16) as wire:
        upstream.answers["*"] = answer
        wire.post(CHAT, chat())
        assert upstream.blocked.wait(WAIT)
        assert outs[0].sent < len(part) * number / 2
        assert wire.head()[0] == 200
        total = 0
        while chunk := wire.chunk():
            assert chunk.count(b"x") == len(chunk)
            total += len(chunk)
        assert total == len(part) * number


def test_a_client_that_neither_sends_nor_takes_is_given_up() -> None:
    async def answer(request: Recorded, out: Out) -> None:
        await out.start()
        while True:
            await out.chunk(b"x" * 2**18)

    policy = Policy(limits=Limits(client_seconds=0.5))
    with Upstream() as upstream, running(upstream, policy=policy) as gateway:
        upstream.answers["*"] = answer
        for path in (CHAT, "/v1/files"):
            with Wire(gateway.url) as wire:
                wire.send(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode())
                assert _error(wire.answer())[0] == 408
        with Wire(gateway.url, 2**16) as wire:
            wire.post(CHAT, chat())
            assert upstream.request(len(upstream.requests)).gone.wait(WAIT)
            assert gateway.log.line(2)["error"] == "the client took nothing more"


def test_a_stream_that_breaks_off_upstream_breaks_off_for_the_client() -> None:
    async def answer(request: Recorded, out: Out) -> None:
        await out.start(200, [(b"Content-Type", b"text/event-stream")])
        await out.chunk(b"data: 1\n\n")
        await out.turn()
        out.reset()

    async def short(request: Recorded, out: Out) -> None:
        await out.start(200, [(b"Content-Length", b"100")], chunked=False)
        await out.raw(b"12345")
        out.close = True

    with Upstream() as upstream, running(upstream) as gateway:
        upstream.answers[CHAT], upstream.answers["/v1/short"] = answer, short
        with Wire(gateway.url) as wire:
            wire.post(CHAT, chat(stream=True))
            assert wire.head()[0] == 200
            assert wire.chunk() == b"data: 1\n\n"
            upstream.go()
            assert wire.file.read() == b""  # and no empty chunk, which would say that this was all
        assert "broke off" in gateway.log.line(0)["error"]
        with Wire(gateway.url) as wire:
            wire.post("/v1/short", b"{}")
            assert wire.head()[0] == 200
            assert wire.file.read() == b"12345"
        assert "broke off" in gateway.log.line(1)["error"]
        assert gateway.log.line(1)["status"] == 200


def _error(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, str]:
    status, headers, body = answer
    error = json.loads(body)["error"]
    assert (error["type"], headers["content-type"]) == ("pixtrim_gateway", "application/json")
    assert "\n" not in error["message"]
    return status, error["message"]


def test_an_upstream_that_is_not_there_or_slow_is_an_error_of_the_gateway() -> None:
    async def reset(request: Recorded, out: Out) -> None:
        out.reset()

    async def stall(request: Recorded, out: Out) -> None:
        await out.stall()

    limits = Limits(read_seconds=1.0)
    with (
        Upstream() as upstream,
        running(f"a={upstream.url}", "b=http://127.0.0.1:1", policy=Policy(limits=limits)) as gateway,
    ):
        upstream.answers["/reset"], upstream.answers["/stall"] = reset, stall
        with Wire(gateway.url) as wire:
            wire.post("/b/x", b"{}")
            status, message = _error(wire.answer())
            assert (status, "'b' cannot be reached" in message) == (502, True)
            wire.post("/reset", b"{}")
            assert _error(wire.answer())[0] == 502
            wire.post("/stall", b"{}")
            status, message = _error(wire.answer())
            assert (status, "'a' gave no answer in time" in message) == (504, True)
            wire.post("/fine", b"{}")
            assert wire.answer()[0] == 200


def test_bodies_above_the_limit_are_refused_before_they_are_read() -> None:
    with Upstream() as upstream, running(upstream, policy=Policy(limits=Limits(body=1000))) as gateway:
        with Wire(gateway.url) as wire:
            wire.send(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n"
            )
            status, message = _error(wire.answer())  # and no "100 Continue" before it
            assert (status, "1000 bytes" in message) == (413, True)
        with Wire(gateway.url) as wire:
            wire.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            wire.send(b"3e9\r\n" + b" " * 1001 + b"\r\n")
            assert _error(wire.answer())[0] == 413
        with Wire(gateway.url) as wire:
            wire.post(CHAT, b" " * 998 + b"{}")
            assert wire.answer()[0] == 200
        assert len(upstream.requests) == 1


def test_all_bodies_together_have_a_limit() -> None:
    async def stall(request: Recorded, out: Out) -> None:
        await out.turn()
        await json_answer({})(request, out)

    body = b" " * 700 + b"{}"
    with Upstream() as upstream, running(upstream, policy=Policy(limits=Limits(bodies=1000))) as gateway:
        upstream.answers["*"] = stall
        with Wire(gateway.url) as one, Wire(gateway.url) as two:
            one.post(CHAT, body)
            upstream.request(0)
            two.post(CHAT, body)
            assert _error(two.answer())[0] == 503
            upstream.go(2)
            assert one.answer()[0] == 200
            two.post(CHAT, body)
            assert two.answer()[0] == 200


def test_a_client_may_wait_for_the_go_ahead() -> None:
    with Upstream() as upstream, running(upstream) as gateway, Wire(gateway.url) as wire:
        body = chat()
        wire.send(
            b"POST %s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
            % (CHAT.encode(), len(body))
        )
        assert wire.head() == (100, [])
        wire.send(body)
        assert wire.answer()[0] == 200
        assert upstream.request().body == body
        assert upstream.request().header("expect") is None


def test_websockets_are_refused_in_so_many_words() -> None:
    with Upstream() as upstream, running(upstream) as gateway, Wire(gateway.url) as wire:
        wire.send(
            b"GET /v1/realtime?model=x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        status, message = _error(wire.answer())
        assert (status, "WebSocket" in message) == (501, True)
        assert not upstream.requests


def test_a_name_in_the_path_chooses_the_upstream_and_is_not_passed_on() -> None:
    with Upstream() as one, Upstream() as two:
        with running(f"openai={one.url}", f"anthropic={two.url}/base/") as gateway, Wire(gateway.url) as wire:
            for path in ("/openai/v1/messages?x=1", "/v1/messages?x=2", "/v1/models", CHAT, "/anthropic/v1/models"):
                wire.post(path, chat())
                assert wire.answer()[0] == 200
        assert [request.target for request in one.requests] == ["/v1/messages?x=1", "/v1/models", CHAT]
        assert [request.target for request in two.requests] == ["/base/v1/messages?x=2", "/base/v1/models"]


def test_two_hundred_streams_at_once_lose_no_byte() -> None:
    parts = [b"data: %d %s\n\n" % (number, b"x" * 500) for number in range(20)]
    number = 200

    def ask(_: int) -> bytes:
        with Wire(gateway.url) as wire:
            wire.post(CHAT, chat(stream=True))
            together.wait(WAIT)
            return wire.answer()[2]

    together = threading.Barrier(number)
    with Upstream() as upstream, running(upstream) as gateway, ThreadPoolExecutor(number) as pool:
        upstream.answers["*"] = events(*parts)
        got = list(pool.map(ask, range(number)))
        assert got == [b"".join(parts)] * number
        assert gateway.log.line(number - 1)["status"] == 200
        assert _value(gateway, "pixtrim_in_flight") == 0


def _value(gateway: Running, name: str) -> float | None:
    return gateway.gateway.metrics.registry.get_sample_value(name)
