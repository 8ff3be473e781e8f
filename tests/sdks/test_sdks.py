"""The real SDKs, sync and async, with pixtrim's HTTP clients and through the gateway by a base URL alone.

What is recorded upstream is held against what the same SDK sends by itself.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from apis import APIS, COUNT_TOKENS, INTERACTIONS, WORDS, Api, each, settled
from gateways import running
from pages import around, headers, icon, images, page, pixels, strings
from upstream import Upstream, fixed

from pixtrim.gateway import RewriteReport, Settings

Connect = Callable[..., AbstractAsyncContextManager[Any]]
"""From an API, and whether it is to be asynchronous, to a client of its SDK behind which there is pixtrim."""


@pytest.fixture(params=["hook", "gateway"])
def connect(request: pytest.FixtureRequest, upstream: Upstream) -> Iterator[Connect]:
    def hooked(api: Api, asynchronous: bool, **more: Any) -> AbstractAsyncContextManager[Any]:
        return api.client(upstream.url, asynchronous, settings=Settings(), **more)

    if request.param == "hook":
        yield hooked
        return
    with running(upstream) as gateway:
        yield lambda api, asynchronous, **more: api.client(gateway.url, asynchronous, **more)


HEAD = {"sdk_http_response"}
"""Where Google's SDK keeps the headers of a response, to which the gateway adds one."""

both = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
apis = pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)


def call(api: Api, client: AbstractAsyncContextManager[Any], pictures: Sequence[bytes]) -> Any:
    """Make one call, and return what the SDK says."""

    async def run() -> Any:
        async with client as opened:
            return await settled(api.call(opened, pictures, False))

    return asyncio.run(run())


def pages(api: Api, words: str = "page") -> list[bytes]:
    return [page(f"{words} {number}") for number in range(api.places)]


@both
@pytest.mark.parametrize("api", [*APIS, COUNT_TOKENS, INTERACTIONS], ids=lambda api: api.name)
def test_images_are_smaller_and_all_else_is_what_the_sdk_sends(
    api: Api, asynchronous: bool, connect: Connect, upstream: Upstream
) -> None:
    api.answers(upstream)
    pictures = pages(api)
    plain = call(api, api.client(upstream.url, asynchronous), pictures)
    answer = call(api, connect(api, asynchronous), pictures)
    sent, arrived = upstream.requests
    assert images(sent.body) == pictures
    assert around(arrived.body) == around(sent.body)
    for before, after in zip(images(sent.body), images(arrived.body), strict=True):
        assert 0 < pixels(after) < 0.2 * pixels(before)
    assert arrived.header("content-length") == str(len(arrived.body)).encode()
    assert arrived.target == sent.target
    assert headers(arrived) == headers(sent)
    assert answer.model_dump(exclude=HEAD) == plain.model_dump(exclude=HEAD)


@both
@apis
def test_a_request_with_nothing_to_save_keeps_every_byte(
    api: Api, asynchronous: bool, connect: Connect, upstream: Upstream
) -> None:
    api.answers(upstream)
    pictures = [icon()] * api.places
    call(api, api.client(upstream.url, asynchronous), pictures)
    call(api, connect(api, asynchronous), pictures)
    sent, arrived = upstream.requests
    assert images(sent.body) == pictures
    assert arrived.body == sent.body


@both
@apis
def test_streams_arrive_event_by_event(api: Api, asynchronous: bool, connect: Connect, upstream: Upstream) -> None:
    """The upstream sends an event only when the one before has been read."""
    api.answers(upstream, turns=True)

    async def run() -> list[str]:
        found = []
        async with connect(api, asynchronous) as opened:
            upstream.go()
            stream = await settled(api.call(opened, pages(api), True))
            async for event in each(stream):
                if word := api.words(event):
                    found.append(word)
                    assert len(found) <= len(WORDS)
                    upstream.go()
        return found

    assert asyncio.run(run()) == list(WORDS)
    assert all(pixels(image) < 500_000 for image in images(upstream.request().body))


@both
@apis
def test_errors_reach_the_caller_as_they_are(
    api: Api, asynchronous: bool, connect: Connect, upstream: Upstream
) -> None:
    body = json.dumps({"type": "error", "error": {"type": "x", "code": 400, "message": "no, b\u00e9cause"}}).encode()
    kind = (b"Content-Type", b"application/json")
    upstream.answers["*"] = fixed(400, body, [kind, (b"x-request-id", b"abc"), (b"retry-after", b"7")])
    found = []
    for client in (api.client(upstream.url, asynchronous), connect(api, asynchronous)):
        with pytest.raises(api.error) as caught:
            call(api, client, pages(api))
        response = caught.value.response  # type: ignore[attr-defined]
        named = [
            (name, value) for name, value in response.headers.items() if name != "x-pixtrim"
        ]  # what the gateway says for itself
        found.append((type(caught.value), str(caught.value), named))
    assert found[0] == found[1]
    assert "no, b" in found[1][1]


@both
@apis
def test_a_retry_sends_the_same_bytes_again(api: Api, asynchronous: bool, connect: Connect, upstream: Upstream) -> None:
    api.answers(upstream)
    whole = upstream.answers[api.path]

    async def once_not(request: Any, out: Any) -> None:
        await (fixed(503, b"{}", [(b"retry-after-ms", b"1")]) if len(upstream.requests) == 1 else whole)(request, out)

    upstream.answers[api.path] = once_not
    call(api, connect(api, asynchronous, retries=1), pages(api))
    first, second = upstream.requests
    assert first.body == second.body
    assert all(pixels(image) < 500_000 for image in images(first.body))


@both
@apis
def test_a_later_turn_repeats_the_bytes_of_the_turns_before(
    api: Api, asynchronous: bool, connect: Connect, upstream: Upstream
) -> None:
    api.answers(upstream)
    old = pages(api)
    call(api, connect(api, asynchronous), old)
    call(api, connect(api, asynchronous), [old[0], page("new"), *old[2:]])
    call(api, connect(api, asynchronous), old)
    first, second, third = (request.body for request in upstream.requests)
    assert third == first
    assert strings(second)[0] == strings(first)[0]
    assert second[: second.index(strings(second)[1])] == first[: first.index(strings(first)[1])]


@both
@apis
def test_a_report_tells_what_became_of_each_image(api: Api, asynchronous: bool, upstream: Upstream) -> None:
    api.answers(upstream)
    reports: list[RewriteReport] = []
    call(api, api.client(upstream.url, asynchronous, on_report=reports.append), pages(api))
    (report,) = reports
    assert report.changed == len(report.images) == api.places
    before, after = report.tokens
    assert 0 < after < before
    assert report.model in ("gpt-5.5", "claude-opus-4-7", "gemini-2.5-flash")
