"""Where a request goes: the upstream, the path there, and the wire format, all of it read off the request line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from pixtrim.errors import UsageError

__all__ = ["Route", "Router", "Upstream", "parse_upstream", "wire_format_of"]

RESERVED: Final = frozenset({"api", "docs", "healthz", "metrics", "openapi.json", "upload", "v1", "v1beta", "v2"})
"""First parts of paths that mean something else than an upstream."""


@dataclass(frozen=True)
class Upstream:
    """A server that requests are passed on to.

    Attributes
    ----------
    name : str
        What it is called in paths, policies and metrics.
    url : str
        As it was given.
    base : str
        Scheme, host and port.
    host : bytes
        The value of the header Host.
    path : bytes
        What comes before the path of every request; empty, or ``b"/..."``.
    """

    name: str
    url: str
    base: str
    host: bytes
    path: bytes


class Route(NamedTuple):
    """Where a request goes.

    Attributes
    ----------
    upstream : Upstream
    target : bytes
        Path and query, as they stand in the request line.
    wire_format : str or None
        The name of the format that its body has, if its path says so.
    model : str or None
        The name of the model, if it is in the path.
    """

    upstream: Upstream
    target: bytes
    wire_format: str | None
    model: str | None


def parse_upstream(text: str) -> Upstream:
    """Read ``NAME=URL``.

    Raises
    ------
    UsageError
        If it is something else.

    Examples
    --------
    >>> found = parse_upstream("router=https://openrouter.ai:443/api/")
    >>> found.base, found.host, found.path
    ('https://openrouter.ai:443', b'openrouter.ai:443', b'/api')
    """
    name, equals, url = text.partition("=")
    if not equals or re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", name) is None or name in RESERVED:
        raise UsageError(
            f"upstream is {text!r}: give NAME=URL, as in openai=https://api.openai.com; a name has small letters, "
            f"digits, dots and hyphens, and is none of {', '.join(sorted(RESERVED))}"
        )
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except (ValueError, UnicodeError):
        raise UsageError(f"upstream {name!r} has the address {url!r}, which is no URL") from None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or parts.username:
        raise UsageError(
            f"upstream {name!r} has the address {url!r}: give http:// or https://, a host, and if need be port and path"
        )
    shown = f"[{host}]" if ":" in host else host
    netloc = shown if port is None else f"{shown}:{port}"
    return Upstream(name, url, f"{parts.scheme}://{netloc}", netloc.encode(), parts.path.rstrip("/").encode())


# --- wire formats ----------------------------------------------------------------------------------------------------

_FORMATS: Final = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"/deployments/(?P<model>[^/]+)/chat/completions$", "openai-chat"),  # Azure
        (r"/chat/completions$", "openai-chat"),
        (r"/responses(/input_tokens|/compact)?$", "openai-responses"),
        (r"/publishers/anthropic/models/count-tokens:rawPredict$", "anthropic"),  # Vertex
        (r"/publishers/anthropic/models/(?P<model>[^/:]+):(rawPredict|streamRawPredict)$", "anthropic"),
        (r"/v1/messages(/count_tokens)?$", "anthropic"),
        (r"/(?P<model>[^/:]+):(generateContent|streamGenerateContent|countTokens)$", "gemini"),  # and Vertex
        (r"/v1(beta|alpha)?[0-9]*/interactions$", "gemini-interactions"),
        (r"/api/(chat|generate)$", "ollama"),
    )
)


def wire_format_of(path: str) -> tuple[str | None, str | None]:
    """Return the name of the wire format that bodies sent to a path have, and the model that the path names.

    Examples
    --------
    >>> wire_format_of("/v1/chat/completions")
    ('openai-chat', None)
    >>> wire_format_of("/v1beta/models/gemini-2.5-flash:streamGenerateContent")
    ('gemini', 'gemini-2.5-flash')
    >>> wire_format_of("/v1/embeddings")
    (None, None)
    """
    for pattern, name in _FORMATS:
        if match := pattern.search(path):
            return name, match.groupdict().get("model")
    return None, None


# --- upstreams -------------------------------------------------------------------------------------------------------

_SHAPES: Final = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"/v1/messages(/|$)", "anthropic"),
        (r"/v1/(chat/completions|responses)(/|$)", "openai"),
        (r"/(v1beta|v1alpha|upload)/|/v1/models/[^/]+:[a-zA-Z]+$", "gemini"),
    )
)
_HEADERS: Final = {b"anthropic-version": "anthropic", b"x-goog-api-key": "gemini"}


class Router:
    """Finds the way of requests.

    Parameters
    ----------
    upstreams : sequence of Upstream
        At least one; the first one gets what none of the others is meant by.

    Raises
    ------
    UsageError
        If there is none, or two have one name.

    Examples
    --------
    >>> router = Router([parse_upstream("openai=https://api.openai.com"), parse_upstream("local=http://[::1]:8000/x")])
    >>> router.find(b"/v1/chat/completions").upstream.name
    'openai'
    >>> router.find(b"/local/v1/chat/completions", b"a=1").target
    b'/x/v1/chat/completions?a=1'
    """

    def __init__(self, upstreams: Sequence[Upstream]) -> None:
        self._upstreams = {upstream.name: upstream for upstream in upstreams}
        if not upstreams:
            raise UsageError("there is no upstream: give at least one, as in openai=https://api.openai.com")
        if len(self._upstreams) < len(upstreams):
            names = [upstream.name for upstream in upstreams]
            twice = next(name for name in names if names.count(name) > 1)
            raise UsageError(f"upstream {twice!r} is given twice: give each a name of its own")
        self._first = upstreams[0]

    def find(self, raw_path: bytes, query: bytes = b"", headers: Iterable[bytes] = ()) -> Route:
        """Say where a request goes.

        Parameters
        ----------
        raw_path : bytes
            Of the request line, percent-encoded as there.
        query : bytes
            Without the question mark.
        headers : iterable of bytes
            The names of the request's headers, in small letters. Where several providers share a path, as /v1/models,
            they tell whose key it is that comes with the request.
        """
        name, _, rest = raw_path[1:].partition(b"/")
        upstream = self._upstreams.get(name.decode("latin-1"))
        if upstream is not None:
            raw_path = b"/" + rest
        path = unquote(raw_path.decode("latin-1"))
        if upstream is None:
            upstream = self._upstream_for(path, headers)
        wire_format, model = wire_format_of(path)
        target = upstream.path + raw_path
        return Route(upstream, target + b"?" + query if query else target, wire_format, model)

    def _upstream_for(self, path: str, headers: Iterable[bytes]) -> Upstream:
        if len(self._upstreams) == 1:
            return self._first
        meant = next((name for pattern, name in _SHAPES if pattern.match(path)), None)
        if meant is None:
            meant = next((name for header, name in _HEADERS.items() if header in headers), None)
        return self._upstreams.get(meant or "", self._first)
