"""HTTP clients that rewrite requests, without any SDK, and what hooks share."""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
import json
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import httpx2
import pytest
from PIL import Image, ImageDraw
from upstream import Upstream, fixed

from pixtrim.errors import UsageError
from pixtrim.gateway import RewriteReport, Settings
from pixtrim.gateway.hook import Hook, Loose
from pixtrim.gateway.transports import async_client, client


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


def page() -> str:
    image = Image.new("RGB", (1600, 1200), "white")
    draw = ImageDraw.Draw(image)
    for y in range(40, 400, 30):
        draw.text((60, y), f"a line {y} " * 8, fill="black")
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


PAGE = page()
URL = f"data:image/png;base64,{PAGE}"
MESSAGES = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": URL}}]}]
BODY = json.dumps({"model": "gpt-5.5", "messages": MESSAGES, "temperature": 1.0}).encode()
CHAT = "/v1/chat/completions"


def around(body: bytes) -> tuple[bytes, bytes]:
    """What stands before and after the one image."""
    before, _, rest = body.partition(b"base64,")
    return before, rest[rest.index(b'"') :]


def test_of_a_request_only_the_image_and_the_length_change(upstream: Upstream) -> None:
    with httpx2.Client() as plain, client(httpx2.Client) as smaller:
        for http in (plain, smaller):
            http.post(upstream.url + CHAT + "?a=%20b", content=BODY, headers={"X-Own": "1", "content-type": "a/b"})
    sent, arrived = upstream.requests
    assert around(arrived.body) == around(BODY)
    assert len(arrived.body) < len(BODY)
    length = b"Content-Length: %d" % len(BODY)
    assert arrived.head == sent.head.replace(length, b"Content-Length: %d" % len(arrived.body))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/embeddings", BODY),
        ("PUT", CHAT, BODY),
        ("POST", CHAT, gzip.compress(BODY)),
        ("POST", CHAT, BODY[:-1]),
        ("POST", CHAT, b"[" * 100_000 + b'"image_url"'),
        ("POST", CHAT, b""),
        ("POST", CHAT, BODY.replace(b"gpt-5.5", b"no-such-model")),
        ("POST", CHAT, BODY.replace(PAGE.encode(), PAGE[:2000].encode())),
    ],
)
def test_all_else_goes_out_as_it_is(method: str, path: str, body: bytes, upstream: Upstream) -> None:
    with client(httpx2.Client) as http:
        http.request(method, upstream.url + path, content=body)
    (arrived,) = upstream.requests
    assert (arrived.method, arrived.target, arrived.body) == (method, path, body)


def test_a_body_that_is_handed_over_in_pieces_is_put_together(upstream: Upstream) -> None:
    def pieces() -> Iterator[bytes]:
        yield BODY[:1000]
        yield BODY[1000:]

    with client(httpx2.Client) as http:
        http.post(upstream.url + CHAT, content=pieces())
    (arrived,) = upstream.requests
    assert arrived.header("transfer-encoding") is None
    assert arrived.header("content-length") == str(len(arrived.body)).encode()
    assert around(arrived.body) == around(BODY)


def test_a_redirect_takes_the_smaller_body_along(upstream: Upstream) -> None:
    upstream.answers["/old" + CHAT] = fixed(307, b"", [(b"Location", CHAT.encode())])
    with client(httpx2.Client, follow_redirects=True) as http:
        assert http.post(upstream.url + "/old" + CHAT, content=BODY).status_code == 200
    first, second = upstream.requests
    assert first.body == second.body
    assert len(first.body) < len(BODY)


def test_options_of_the_class_are_kept(upstream: Upstream) -> None:
    with client(httpx2.Client, timeout=7, headers={"x-own": "yes"}, base_url=upstream.url) as http:
        assert http.timeout == httpx2.Timeout(7)
        http.post(CHAT, content=BODY)
    assert upstream.request().header("x-own") == b"yes"


def test_asynchronous_clients_work_on_images_in_a_thread(upstream: Upstream) -> None:
    threads, reports = [], []

    def told(report: RewriteReport) -> None:
        threads.append(threading.current_thread())
        reports.append(report)

    async def run() -> None:
        async with async_client(httpx2.AsyncClient, on_report=told) as http:
            await asyncio.gather(*(http.post(upstream.url + CHAT, content=BODY) for _ in range(3)))

    asyncio.run(run())
    assert len({request.body for request in upstream.requests}) == 1
    assert [report.changed for report in reports] == [1, 1, 1]
    assert threading.current_thread() not in threads


@pytest.mark.skipif(find_spec("httpx") is None, reason="httpx is not installed")
def test_clients_of_the_older_library_do_the_same(upstream: Upstream) -> None:
    import httpx

    async def run() -> None:
        async with async_client(httpx.AsyncClient) as http:
            await http.post(upstream.url + CHAT, content=BODY)

    with client(httpx.Client) as http:
        http.post(upstream.url + CHAT, content=BODY)
    asyncio.run(run())
    first, second = upstream.requests
    assert first.body == second.body
    assert around(first.body) == around(BODY)
    assert len(first.body) < len(BODY)


@pytest.mark.parametrize("make", [client, async_client])
def test_wrong_arguments_are_told(make: Any) -> None:
    for sdk in ("mistral", "", None, dict, httpx2):
        with pytest.raises(UsageError, match="openai, anthropic or google-genai"):
            make(sdk)
    with pytest.raises(UsageError, match="settings"):
        make(httpx2.Client, {"budget": 800})
    with pytest.raises(UsageError, match="clicks"):
        make(httpx2.Client, Settings(computer_use="map"))
    if find_spec("openai") is None:
        with pytest.raises(UsageError, match="pip install openai"):
            make("openai")


def test_what_a_listener_raises_reaches_the_caller(upstream: Upstream) -> None:
    def told(report: RewriteReport) -> None:
        raise ZeroDivisionError

    with client(httpx2.Client, on_report=told) as http, pytest.raises(ZeroDivisionError):
        http.post(upstream.url + CHAT, content=BODY)
    assert upstream.requests == []


def test_a_body_of_which_pixtrim_makes_nothing_goes_out_with_a_note() -> None:
    """A dict that JSON cannot hold is no body that an SDK sends, but must not fail a request either."""

    class Strange(dict):  # type: ignore[type-arg]
        def get(self, *_: Any) -> Any:
            raise LookupError("strange")

    reports: list[RewriteReport] = []
    body = Strange(messages=[])
    assert Hook(on_report=reports.append)(body, "openai-chat") is body
    assert reports[0].note is not None
    assert "LookupError: strange" in reports[0].note


def test_loose_images_are_done_together() -> None:
    hook = Hook(Settings(repeats="note"))
    done = hook.images([Loose(PAGE, "image/png"), Loose("!", "image/png"), Loose(PAGE, "image/png")], "gpt-5.5")
    assert isinstance(done[0], tuple)
    assert done[0][0] == "image/png"
    assert len(done[0][1]) < len(PAGE)
    assert done[1] is None
    assert done[2] == "[This image is the same as image 1 of this conversation.]"
    click = {"type": "function", "function": {"parameters": {"properties": {"x": {}, "y": {}}}}}
    assert hook.images([Loose(PAGE, "image/png")], "gpt-5.5", [click]) == [None]
    assert hook.images([], None) == []
