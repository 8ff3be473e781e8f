"""Fetching images that are URLs, where the policy allows it, without being led into the network that we stand in.

A URL comes from whoever wrote the request, or from what a model has read. So its host must be on the list, every
address that the host has must be public, and the connection goes to the very address that was looked at: were the name
looked up once more, it could have another address by then. Each redirect is a new URL, and looked at like one.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from fnmatch import fnmatchcase
from typing import Final, NamedTuple
from urllib.parse import urljoin, urlsplit

import httpx2

from pixtrim.gateway.policies import Fetch

__all__ = ["Fetched", "Fetcher", "is_public", "resolve"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

AT_ONCE: Final = 8
PORTS: Final = {"http": 80, "https": 443}
REDIRECTS: Final = (301, 302, 303, 307, 308)

_TRANSLATED: Final = tuple(
    ipaddress.IPv6Network(network)
    for network in ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "fec0::/10")
)
"""IPv6 addresses that stand for IPv4 ones (mapped, NAT64, Teredo, 6to4), or are of a site; no public server has one."""


class Fetched(NamedTuple):
    """What was fetched.

    Attributes
    ----------
    files : dict of str to bytes
        By URL.
    problems : tuple of str
        Why others were not; a host and a reason, never a URL, which may hold a secret.
    """

    files: dict[str, bytes]
    problems: tuple[str, ...]


class _RefusedError(Exception):
    """A URL that is not fetched; the text says why."""


def is_public(address: str) -> bool:
    """Say whether an address is that of a server in the public network.

    Examples
    --------
    >>> [is_public(a) for a in ("93.184.215.14", "10.0.0.1", "127.0.0.1", "169.254.169.254", "::ffff:8.8.8.8")]
    [True, False, False, False, False]
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # one with a zone, too, as fe80::1%eth0
        return False
    if isinstance(found, ipaddress.IPv6Address) and any(found in network for network in _TRANSLATED):
        return False
    return found.is_global and not found.is_multicast and not found.is_reserved


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, as the system knows them.

    Raises
    ------
    OSError
        If there are none.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(item[4][0]) for item in found))


class Fetcher:
    """Fetches what a policy allows.

    Parameters
    ----------
    fetch : Fetch
        The policy.
    resolve : callable, optional
        ``await resolve(host, port)`` returns addresses as text; by default those that the system knows.
    """

    def __init__(self, fetch: Fetch, resolve: Resolve = resolve) -> None:
        self._fetch, self._resolve = fetch, resolve
        self._networks = [ipaddress.ip_network(network) for network in fetch.networks]
        # No connection is used twice: to one address, it could be for another host, whose certificate nobody looked at.
        limits = httpx2.Limits(max_connections=AT_ONCE * 8, max_keepalive_connections=0)
        self._transport = httpx2.AsyncHTTPTransport(limits=limits)
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def fetch(self, urls: Sequence[str]) -> Fetched:
        """Fetch several images at once; those beyond the policy's number stay URLs."""
        wanted = urls[: self._fetch.images]
        done = await asyncio.gather(*(self._one(url) for url in wanted))
        files = {url: found for url, found in zip(wanted, done, strict=True) if isinstance(found, bytes)}
        return Fetched(files, tuple(found for found in done if isinstance(found, str)))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def _one(self, url: str) -> bytes | str:
        host = "a URL"
        try:
            host = urlsplit(url).hostname or host
            async with asyncio.timeout(self._fetch.seconds), self._at_once:
                for _ in range(self._fetch.redirects + 1):
                    found = await self._get(url)
                    if isinstance(found, bytes):
                        return found
                    url = urljoin(url, found)
                raise _RefusedError(f"more than {self._fetch.redirects} redirects")
        except _RefusedError as error:
            return f"{host}: {error}"
        except TimeoutError:
            return f"{host}: not there within {self._fetch.seconds:g} seconds"
        except (httpx2.TransportError, OSError, ValueError) as error:
            return f"{host}: {type(error).__name__}"

    async def _get(self, url: str) -> bytes | str:
        """Return the file, or the address that the server redirects to."""
        parts = urlsplit(url)
        host, port = self._checked(parts.scheme, parts.hostname, parts.port, parts.username)
        address = await self._address(host, port)
        shown = f"[{address}]" if ":" in address else address
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        name = f"[{host}]" if ":" in host else host
        request = httpx2.Request(
            "GET",
            f"{parts.scheme}://{shown}:{port}",
            headers=[
                ("host", name if port == PORTS[parts.scheme] else f"{name}:{port}"),
                ("accept", "image/*"),
                ("accept-encoding", "identity"),
                ("connection", "close"),
            ],
            stream=httpx2.ByteStream(b""),
            extensions={"sni_hostname": host, "target": target.encode("ascii", "replace")},
        )
        response = await self._transport.handle_async_request(request)
        try:
            if response.status_code in REDIRECTS and "location" in response.headers:
                return str(response.headers["location"])
            if response.status_code != 200:
                raise _RefusedError(f"status {response.status_code}")
            return await self._read(response)
        finally:
            await response.aclose()

    async def _read(self, response: httpx2.Response) -> bytes:
        limit = self._fetch.bytes
        length = response.headers.get("content-length", "0")
        if length.isdigit() and int(length) > limit:
            raise _RefusedError(f"larger than {limit} bytes")
        parts, size = [], 0
        async for part in response.stream:  # type: ignore[union-attr]  # it is an asynchronous one
            size += len(part)
            if size > limit:
                raise _RefusedError(f"larger than {limit} bytes")
            parts.append(part)
        return b"".join(parts)

    def _checked(self, scheme: str, host: str | None, port: int | None, user: str | None) -> tuple[str, int]:
        if scheme not in self._fetch.schemes or not host or user is not None:
            raise _RefusedError(f"not a plain {' or '.join(self._fetch.schemes)} URL")
        usual = PORTS[scheme]
        port = usual if port is None else port
        named = host if port == usual else f"{host}:{port}"
        if not any(fnmatchcase(named, pattern.lower()) for pattern in self._fetch.hosts):
            raise _RefusedError("not among the hosts that the policy allows")
        return host, port

    async def _address(self, host: str, port: int) -> str:
        found = await self._resolve(host, port)
        if not found:
            raise _RefusedError("no address")
        for address in found:
            if not is_public(address) and not self._is_allowed(address):
                raise _RefusedError("an address that is not public")
        return found[0]

    def _is_allowed(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)
