"""HTTP clients for the SDKs of OpenAI, Anthropic and Google, which make the images of requests smaller.

::

    from pixtrim.gateway.transports import async_client, client

    OpenAI(http_client=client("openai"))
    AsyncAnthropic(http_client=async_client("anthropic"))
    genai.Client(http_options=HttpOptions(httpx_client=client("google-genai"),
                                          httpx_async_client=async_client("google-genai")))

Each is the SDK's own class with its own time limits, pool, redirects and proxies. Bodies of the paths in routes.py are
looked at, and nothing but images is changed. What is signed before it is sent, as requests to Amazon Bedrock are, goes
out as it is: see bedrock.py.
"""

from __future__ import annotations

import importlib
from functools import partial
from importlib.util import find_spec
from typing import Any

from pixtrim.errors import UsageError
from pixtrim.gateway.hook import DEFAULTS, Hook, OnReport
from pixtrim.gateway.peek import may_hold_images
from pixtrim.gateway.routes import wire_format_of
from pixtrim.gateway.settings import Settings

__all__ = ["async_client", "client"]


def client(
    sdk: str | type[Any], settings: Settings = DEFAULTS, *, on_report: OnReport | None = None, **options: Any
) -> Any:
    """Return an HTTP client for an SDK.

    Parameters
    ----------
    sdk : {"openai", "anthropic", "google-genai"} or type
        Whose client; or the class of a client, `httpx2.Client`, `httpx.Client` or one made of them, for other SDKs.
    settings : pixtrim.gateway.Settings
        What is done to images.
    on_report : callable, optional
        Is called with the `RewriteReport` of each request.
    **options
        Of the client's class, as ``timeout``, ``proxy`` or ``verify``.

    Returns
    -------
    httpx2.Client
        Or of the library that the SDK uses.

    Raises
    ------
    UsageError
        If the SDK is none of these, or not installed, or the settings ask to map clicks.

    Examples
    --------
    >>> import httpx2
    >>> with client(httpx2.Client, Settings(budget=800), timeout=20) as http:
    ...     isinstance(http, httpx2.Client)
    True
    """
    hook = Hook(settings, on_report)
    base, defaults = _base(sdk, "DefaultHttpxClient", "Client")

    class Client(base):  # type: ignore[misc, valid-type]
        def send(self, request: Any, **more: Any) -> Any:
            wire_format, model = _format_of(request)
            if wire_format is not None:
                body = request.read()
                if may_hold_images(body, wire_format):
                    request = _with(request, body, hook(body, wire_format, model=model))
            return super().send(request, **more)

    return Client(**{**defaults, **options})


def async_client(
    sdk: str | type[Any], settings: Settings = DEFAULTS, *, on_report: OnReport | None = None, **options: Any
) -> Any:
    """Return an HTTP client for the asynchronous half of an SDK; images are worked on in a thread.

    Parameters
    ----------
    sdk : {"openai", "anthropic", "google-genai"} or type
        Whose client; or the class of a client, `httpx2.AsyncClient`, `httpx.AsyncClient` or one made of them.
    settings, on_report, **options
        As for `client`; `on_report` is called in the thread.

    Returns
    -------
    httpx2.AsyncClient
        Or of the library that the SDK uses.

    Raises
    ------
    UsageError
        As `client`.
    """
    hook = Hook(settings, on_report)
    base, defaults = _base(sdk, "DefaultAsyncHttpxClient", "AsyncClient")
    to_thread = importlib.import_module("anyio.to_thread")  # which both libraries bring: it serves any event loop

    class Client(base):  # type: ignore[misc, valid-type]
        async def send(self, request: Any, **more: Any) -> Any:
            wire_format, model = _format_of(request)
            if wire_format is not None:
                body = await request.aread()
                if may_hold_images(body, wire_format):
                    work = partial(hook, body, wire_format, model=model)
                    request = _with(request, body, await to_thread.run_sync(work))
            return await super().send(request, **more)

    return Client(**{**defaults, **options})


def _base(sdk: str | type[Any], default: str, plain: str) -> tuple[Any, dict[str, Any]]:
    """Return the class of client that an SDK makes for itself, and with which options."""
    if isinstance(sdk, type) and hasattr(sdk, "send") and hasattr(sdk, "build_request"):
        return sdk, {}
    try:
        if sdk == "google-genai":
            library = importlib.import_module("httpx2" if find_spec("httpx2") else "httpx")
            return getattr(library, plain), {"follow_redirects": True}
        if sdk in ("openai", "anthropic"):
            return getattr(importlib.import_module(sdk), default), {}
    except ModuleNotFoundError:
        raise UsageError(f"sdk is {sdk!r}, which is not installed: pip install {sdk}") from None
    raise UsageError(
        f"sdk is {sdk!r}: choose openai, anthropic or google-genai, or give a class of httpx2 or httpx clients"
    )


def _format_of(request: Any) -> tuple[str | None, str | None]:
    """Return the wire format of a request's body, and the model that its path names; neither where it is signed."""
    if request.method != "POST" or request.headers.get("authorization", "").startswith("AWS4-"):
        return None, None
    return wire_format_of(request.url.path)


def _with(request: Any, before: bytes, body: bytes) -> Any:
    """Return a request with another body, or the very same."""
    if body is before:
        return request
    headers = request.headers.copy()
    headers.pop("transfer-encoding", None)
    headers["Content-Length"] = str(len(body))
    return type(request)(request.method, request.url, headers=headers, content=body, extensions=request.extensions)
