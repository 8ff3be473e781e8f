"""Fetching images that are URLs: only what the policy allows, and nothing in the network that we stand in."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Sequence
from typing import Any

import pytest
from asking import CHAT, Wire, chat, data_url, page, pictures
from gateways import running
from hypothesis import given
from hypothesis import strategies as st
from upstream import Out, Recorded, Upstream, fixed

from pixtrim.gateway import rewrite
from pixtrim.gateway.fetch import Fetched, Fetcher, is_public, resolve
from pixtrim.gateway.policies import Fetch, Policy

LOOPBACK = ("127.0.0.0/8",)
PICTURE = b"\x89PNG picture"


def fetch(policy: Fetch, *urls: str, addresses: Sequence[str] = ("127.0.0.1",)) -> Fetched:
    """Fetch, with a resolver of the test's own."""

    async def run() -> Fetched:
        async def lookup(host: str, port: int) -> Sequence[str]:
            asked.append(host)
            return addresses

        fetcher = Fetcher(policy, lookup)
        try:
            return await fetcher.fetch(urls)
        finally:
            await fetcher.aclose()

    asked: list[str] = []
    return asyncio.run(run())


def allowing(upstream: Upstream, *hosts: str, **more: Any) -> Fetch:
    """A policy for a host at the upstream's port."""
    names = tuple(f"{host}:{upstream.port}" for host in hosts or ("images.test",))
    return Fetch(names, LOOPBACK, ("http",), **more)


def test_an_image_is_fetched_from_the_address_that_was_checked() -> None:
    with Upstream() as upstream:
        upstream.answers["/a%20b.png"] = fixed(200, PICTURE)
        url = f"http://images.test:{upstream.port}/a%20b.png?sig=1&x=%2F#part"
        assert fetch(allowing(upstream), url) == ({url: PICTURE}, ())
        request = upstream.request()
        assert request.target == "/a%20b.png?sig=1&x=%2F"
        assert request.header("host") == f"images.test:{upstream.port}".encode()
        assert {name for name, _ in request.headers} == {b"host", b"accept", b"accept-encoding", b"connection"}


@pytest.mark.parametrize(
    "url",
    [
        "https://images.test:{port}/",  # another scheme
        "file:///etc/passwd",
        "ftp://images.test:{port}/",
        "http://images.test/",  # another port
        "http://evil.test:{port}/",
        "http://images.test.evil.test:{port}/",
        "http://images.test@evil.test:{port}/",
        "http://evil.test@images.test:{port}/",
        "http://127.0.0.1:{port}/",
        "http://[::1]:{port}/",
        "http://images.test:99999/",
        "http://[images.test/",
        "http:///x",
        "//images.test:{port}/",
        "images.test",
        "",
    ],
)
def test_what_the_policy_does_not_name_is_not_fetched(url: str) -> None:
    with Upstream() as upstream:
        found = fetch(allowing(upstream), url.format(port=upstream.port))
        assert (found.files, len(found.problems), upstream.requests) == ({}, 1, [])
        assert "/" not in found.problems[0].replace("URL", "")


INWARD = [
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "127.0.0.1",
    "0.0.0.0",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fec0::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "2002:a00:1::1",
    "2001:0:53aa:64c:0:fbff:f5ff:fffe",
    "2001:db8::1",
    "localhost",
    "",
]


@pytest.mark.parametrize("address", INWARD)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert not is_public(address)
    policy = Fetch(("*",), (), ("http", "https"))
    for found in ([address], ["93.184.215.14", address]):  # one that is would not make up for it
        result = fetch(policy, "http://images.test/", addresses=found)
        assert (result.files, result.problems) == ({}, ("images.test: an address that is not public",))


@given(st.ip_addresses())
def test_what_python_takes_for_private_is_not_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert not is_public(str(address))


def test_public_addresses_are() -> None:
    assert all(is_public(address) for address in ("8.8.8.8", "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"))


def test_redirects_are_looked_at_like_addresses() -> None:
    def to(place: str, status: int = 302) -> Any:
        return fixed(status, b"", [(b"Location", place.encode())])

    with Upstream() as upstream:
        here = f"http://images.test:{upstream.port}"
        upstream.answers.update(
            {
                "/a": to("/b", 301),
                "/b": to(f"{here}/c", 307),
                "/c": fixed(200, PICTURE),
                "/out": to("http://169.254.169.254/latest/meta-data"),
                "/file": to("file:///etc/passwd"),
                "/round": to("/round"),
                "/long": to("/a"),
            }
        )
        assert fetch(allowing(upstream, redirects=2), f"{here}/a").files == {f"{here}/a": PICTURE}
        for path, words in (("/out", "hosts"), ("/file", "http"), ("/round", "2 redirects"), ("/long", "2 redirects")):
            found = fetch(allowing(upstream, redirects=2), here + path)
            assert found.files == {}
            assert words in found.problems[0]


def test_size_time_and_status_are_limited() -> None:
    async def endless(request: Recorded, out: Out) -> None:
        await out.start()
        while True:
            await out.chunk(b"x" * 1000)

    async def stall(request: Recorded, out: Out) -> None:
        await out.start()
        await out.stall()

    with Upstream() as upstream:
        here = f"http://images.test:{upstream.port}"
        upstream.answers.update(
            {
                "/exact": fixed(200, b"x" * 5000),
                "/large": fixed(200, b"x" * 5001),
                "/endless": endless,
                "/stall": stall,
                "/gone": fixed(404, b"no"),
            }
        )
        assert fetch(allowing(upstream, bytes=5000), f"{here}/exact").files == {f"{here}/exact": b"x" * 5000}
        for path, words in (("/large", "5000 bytes"), ("/endless", "5000 bytes"), ("/gone", "404")):
            found = fetch(allowing(upstream, bytes=5000), here + path)
            assert (found.files, words in found.problems[0]) == ({}, True)
        found = fetch(allowing(upstream, seconds=0.2), f"{here}/stall")
        assert (found.files, "0.2 seconds" in found.problems[0]) == ({}, True)
        assert upstream.requests[-1].gone.wait(30)


def test_several_are_fetched_up_to_a_number_and_one_failure_spoils_none() -> None:
    with Upstream() as upstream:
        upstream.answers["/3"] = fixed(500, b"")
        urls = [f"http://images.test:{upstream.port}/{number}" for number in range(12)]
        found = fetch(allowing(upstream, images=10), *urls)
        assert list(found.files) == [url for number, url in enumerate(urls) if number < 10 and number != 3]
        assert len(found.problems) == 1


def test_the_name_is_looked_up_once_for_each_connection() -> None:
    """Another answer to a second look-up, which rebinding rests on, is never asked for."""
    with Upstream() as upstream:
        answers = iter([["127.0.0.1"], ["10.0.0.1"]])

        async def run() -> Fetched:
            async def lookup(host: str, port: int) -> Sequence[str]:
                return next(answers)

            fetcher = Fetcher(allowing(upstream), lookup)
            found = await fetcher.fetch([f"http://images.test:{upstream.port}/"])
            await fetcher.aclose()
            return found

        assert len(asyncio.run(run()).files) == 1
        assert next(answers) == ["10.0.0.1"]
        assert upstream.connections == 1


def test_a_host_is_held_to_its_certificate() -> None:
    """Over TLS the name is asked for, not the address, and a server without a certificate for it gets no request."""
    names: list[str | None] = []

    async def run() -> Fetched:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sni_callback = lambda _socket, name, _context: names.append(name)
        server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]

        async def lookup(host: str, port: int) -> Sequence[str]:
            return ["127.0.0.1"]

        fetcher = Fetcher(Fetch((f"images.test:{port}",), LOOPBACK), lookup)
        found = await fetcher.fetch([f"https://images.test:{port}/"])
        await fetcher.aclose()
        server.close()
        return found

    assert asyncio.run(run()) == ({}, ("images.test: ConnectError",))
    assert names == ["images.test"]


def test_the_system_resolves_names() -> None:
    assert asyncio.run(resolve("127.0.0.1", 80)) == ["127.0.0.1"]


def test_the_gateway_fetches_what_its_policy_allows_and_nothing_by_default() -> None:
    image = page()
    with Upstream() as upstream, Upstream() as images:
        images.answers["/page.png"] = fixed(200, image)
        images.answers["/none.png"] = fixed(404, b"")
        here = f"http://127.0.0.1:{images.port}"
        body = chat(f"{here}/page.png", f"{here}/none.png?signature=secret")
        with running(upstream) as gateway, Wire(gateway.url) as wire:
            wire.post(CHAT, body)
            assert "images=2, changed=0" in wire.answer()[1]["x-pixtrim"]
        assert images.requests == []
        policy = Policy(fetch=Fetch((f"127.0.0.1:{images.port}",), LOOPBACK, ("http",)))
        with running(upstream, policy=policy) as gateway, Wire(gateway.url) as wire:
            wire.post(CHAT, body)
            assert "images=2, changed=1" in wire.answer()[1]["x-pixtrim"]
            line = gateway.log.line(0)
        assert line["not_fetched"] == ["127.0.0.1: status 404"]
        assert "secret" not in str(line)
        assert [request.body for request in upstream.requests[:1]] == [body]
        address = f"{here}/none.png?signature=secret".encode()
        (fetched, _) = pictures(upstream.requests[1].body.replace(address, data_url(image).encode()))
        (sent,) = pictures(rewrite(chat(image), "openai-chat").body)
        assert address in upstream.requests[1].body
        assert fetched.tobytes() == sent.tobytes()
