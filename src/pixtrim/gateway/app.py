"""The gateway as an ASGI application: the proxy, and the few paths that the gateway answers itself.

It is a plain callable, without a framework around it: what passes through is to be touched as little, and to wait as
short, as can be. The REST interface, which describes itself, is a FastAPI application beside it.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

import httpx2

from pixtrim import __version__
from pixtrim.gateway import rest
from pixtrim.gateway.cache import Cache, DiskCache
from pixtrim.gateway.downstream import Downstream, Receive, RefusalError, Scope, Send
from pixtrim.gateway.fetch import Fetcher
from pixtrim.gateway.ledger import Ledger
from pixtrim.gateway.log import KeyLabels, Log
from pixtrim.gateway.metrics import CONTENT_TYPE, Metrics
from pixtrim.gateway.policies import Policy
from pixtrim.gateway.proxy import Proxy
from pixtrim.gateway.records import Recorder
from pixtrim.gateway.routes import Router, Upstream
from pixtrim.gateway.work import Work

__all__ = ["Gateway", "Options"]

OWN_KEY: Final = b"x-pixtrim-key"

IDLE_CONNECTIONS: Final = 64
IDLE_SECONDS: Final = 15.0
"""How long a connection to an upstream is kept for the next request: shorter than servers keep theirs, for one that the
server closes just then fails a request that nobody may send twice."""


@dataclass(frozen=True)
class Options:
    """What a gateway is made of.

    Attributes
    ----------
    upstreams : tuple of Upstream
        At least one.
    policy : Policy
    cache_bytes : int
        Of the cache in memory.
    cache_folder : Path or None
        Of the cache on disk; None for no such cache.
    cache_folder_bytes : int
    ledger : Ledger or None
        Closed with the gateway.
    keys : tuple of str
        With one of them, in the header x-pixtrim-key, a request is answered; none asks for none.
    log : text file or None
        By default stderr.
    """

    upstreams: tuple[Upstream, ...]
    policy: Policy = field(default_factory=Policy)
    cache_bytes: int = 256 * 10**6
    cache_folder: Path | None = None
    cache_folder_bytes: int = 10**9
    ledger: Ledger | None = None
    keys: tuple[str, ...] = field(default=(), repr=False)
    log: TextIO | None = None


class Gateway:
    """The application; `close` it at the end, unless a server's lifespan does.

    Parameters
    ----------
    options : Options

    Raises
    ------
    UsageError
        If there is no upstream, or two have one name.
    """

    def __init__(self, options: Options) -> None:
        policy = options.policy
        router = Router(options.upstreams)
        self.log = Log(options.log)
        self.metrics = Metrics()
        folder = options.cache_folder
        disk = DiskCache(folder, options.cache_folder_bytes, self.log.warn) if folder is not None else None
        cache = Cache(options.cache_bytes, disk)
        self._work = Work(policy.limits, cache, self.metrics, self.log.warn)
        self._ledger = options.ledger
        self._keys = tuple(key.encode() for key in options.keys)
        self._fetcher = Fetcher(policy.fetch) if policy.fetch.hosts else None
        self._transport = httpx2.AsyncHTTPTransport(
            limits=httpx2.Limits(
                max_connections=policy.limits.connections,
                max_keepalive_connections=min(IDLE_CONNECTIONS, policy.limits.connections),
                keepalive_expiry=IDLE_SECONDS,
            )
        )
        recorder = Recorder(self.log, self.metrics, KeyLabels(policy.keys), self._ledger)
        self._proxy = Proxy(router, policy, self._work, self._transport, recorder, self._fetcher)
        self._rest = rest.make_rest(self._work.call, rest.Limits(max_bytes=policy.limits.body))
        self._own = frozenset({"/healthz", "/metrics", *rest.PATHS})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, by ASGI."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008, "reason": "the gateway passes on no WebSockets"})
        elif scope["path"] == "/healthz":
            await Downstream(receive, send).answer(200, b'{"status": "ok", "version": "%s"}' % __version__.encode())
        elif self._keys and not self._has_key(scope):
            self.metrics.requests.labels("none", "401").inc()
            refusal = RefusalError(401, "this gateway asks for a key of its own: send it in the header x-pixtrim-key")
            await Downstream(receive, send).answer(refusal.status, refusal.body)
        elif scope["path"] not in self._own:
            await self._proxy(scope, receive, send)
        elif scope["path"] == "/metrics":
            await Downstream(receive, send).answer(200, self.metrics.text(), CONTENT_TYPE)
        else:
            await self._rest(scope, receive, send)

    def _has_key(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == OWN_KEY]
        return sum(hmac.compare_digest(key, value) for key in self._keys for value in given) > 0  # looks at all of them

    async def _live(self, receive: Receive, send: Send) -> None:
        """Answer a server that says when it starts and ends."""
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def aclose(self) -> None:
        """Close all connections, and the rest as `close` does."""
        await self._transport.aclose()
        if self._fetcher is not None:
            await self._fetcher.aclose()
        self.close()

    def close(self, patience: float = 5.0) -> None:
        """Write what the ledger has yet to write, for some seconds at most, and begin no more work; once or twice."""
        self._work.close()
        if self._ledger is not None:
            self._ledger.close(patience)
