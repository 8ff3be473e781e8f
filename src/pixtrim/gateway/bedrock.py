"""Hooks for Amazon Bedrock, where bodies are signed: images are made smaller before that.

::

    from pixtrim.gateway.bedrock import middleware, register

    AnthropicBedrock(middleware=[middleware()])          # or AsyncAnthropicBedrock, of Anthropic's SDK

    client = boto3.client("bedrock-runtime")
    register(client)                                     # converse(), invoke_model(), and both as streams
"""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

from pixtrim.errors import UsageError
from pixtrim.gateway.hook import DEFAULTS, Hook, Loose, OnReport
from pixtrim.gateway.settings import Settings

__all__ = ["middleware", "register"]


def middleware(settings: Settings = DEFAULTS, on_report: OnReport | None = None) -> Any:
    """Return a middleware for the clients of Anthropic's SDK, sync or async; any of them takes it, not Bedrock's alone.

    Parameters
    ----------
    settings : pixtrim.gateway.Settings
        What is done.
    on_report : callable, optional
        Is called with the `RewriteReport` of each request; in a thread, if the client is asynchronous.

    Raises
    ------
    UsageError
        If Anthropic's SDK is not installed, or too old to have middleware, or the settings ask to map clicks.
    """
    try:
        from anthropic import Middleware
    except ImportError:
        raise UsageError("Anthropic's SDK is not installed, or has no middleware: pip install -U anthropic") from None
    hook = Hook(settings, on_report)

    def smaller(request: Any) -> Any:
        body = request.json
        if not request.url.partition("?")[0].startswith("/v1/messages") or not isinstance(body, dict):
            return request
        found = hook(body, "anthropic")
        return request if found is body else request.copy(body=found)

    class ImageShrinker(Middleware):  # type: ignore[misc]
        def handle(self, request: Any, call_next: Callable[[Any], Any]) -> Any:
            return call_next(smaller(request))

        async def handle_async(self, request: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
            return await call_next(await asyncio.to_thread(smaller, request))

    return ImageShrinker()


# --- boto3 -----------------------------------------------------------------------------------------------------------

FORMATS: Final = {"image/png": "png", "image/jpeg": "jpeg", "image/webp": "webp", "image/gif": "gif"}
"""What Bedrock calls them."""

INSIDE: Final = ("content", "toolResult")
"""Where blocks are."""


def register(client: Any, settings: Settings = DEFAULTS, on_report: OnReport | None = None) -> None:
    """Have a client of boto3 for ``bedrock-runtime`` send smaller images; what it is given is not changed.

    Parameters
    ----------
    client : botocore client
        This one alone; of botocore's sessions and other clients nothing is touched.
    settings, on_report
        As for `middleware`.

    Raises
    ------
    UsageError
        If the settings ask to map clicks.
    """
    hook = Hook(settings, on_report)

    def converse(params: dict[str, Any], **_: Any) -> dict[str, Any] | None:
        messages = params.get("messages")
        found = list(_blocks(messages))
        tools = (params.get("toolConfig") or {}).get("tools") or []
        images = [Loose(b64encode(block["source"]["bytes"]).decode(), f"image/{block['format']}") for block in found]
        done = hook.images(images, params.get("modelId"), tools) if images else []
        if not any(done):
            return None
        return {**params, "messages": _with(messages, iter(done))}

    def invoke(params: dict[str, Any], **_: Any) -> dict[str, Any] | None:
        body = params.get("body")
        data = body.encode() if isinstance(body, str) else body
        if not isinstance(data, bytes) or b'"anthropic_version"' not in data:  # of others the form is not known
            return None
        return {**params, "body": hook(data, "anthropic", model=params.get("modelId"))}

    for operation, handler in (("Converse", converse), ("InvokeModel", invoke)):
        for name in (operation, operation + ("Stream" if operation == "Converse" else "WithResponseStream")):
            client.meta.events.register(f"provide-client-params.bedrock-runtime.{name}", handler)


def _blocks(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the images of messages, and of the results of tools in them."""
    if isinstance(value, list):
        for item in value:
            yield from _blocks(item)
    elif isinstance(value, dict):
        if _is_image(value):
            yield value["image"]
        else:
            for key, item in value.items():
                if key in INSIDE:
                    yield from _blocks(item)


def _with(value: Any, new: Iterator[tuple[str, str] | str | None]) -> Any:
    """Return messages with other images, which are taken as they come."""
    if isinstance(value, list):
        return [_with(item, new) for item in value]
    if not isinstance(value, dict):
        return value
    if not _is_image(value):
        return {key: _with(item, new) if key in INSIDE else item for key, item in value.items()}
    what = next(new)
    if isinstance(what, str):
        return {"text": what}
    if what is None:
        return value
    source = {"bytes": b64decode(what[1])}
    return {**value, "image": {**value["image"], "format": FORMATS[what[0]], "source": source}}


def _is_image(value: dict[str, Any]) -> bool:
    image = value.get("image")
    if not isinstance(image, dict) or not isinstance(image.get("format"), str):
        return False
    source = image.get("source")
    return isinstance(source, dict) and isinstance(source.get("bytes"), bytes)
