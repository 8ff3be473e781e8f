"""A middleware for LangChain's agents: models see smaller images, and the agent's state keeps the originals.

::

    from pixtrim.gateway.langchain import ImageShrinker

    agent = create_agent("openai:gpt-5.5", tools=[...], middleware=[ImageShrinker()])

Images are found in messages and in the results of tools, as LangChain, OpenAI and Anthropic write them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, NamedTuple

from langchain.agents.middleware import AgentMiddleware

from pixtrim.gateway.formats.places import as_data_url, data_url
from pixtrim.gateway.hook import DEFAULTS, Hook, Loose, OnReport
from pixtrim.gateway.settings import Settings

__all__ = ["ImageShrinker"]

Block = dict[str, Any]
Replace = Callable[[str, str], Block]
"""From a media type and base64 to the block with this image."""


class ImageShrinker(AgentMiddleware):
    """Makes images smaller on their way to the model.

    Parameters
    ----------
    settings : Settings
        What is done. Tokens are counted by the rule of the agent's model, unless they name another.
    on_report : callable, optional
        Is called with the `RewriteReport` of each call of the model that has images; in a thread, if the agent is
        asynchronous.

    Raises
    ------
    UsageError
        If the settings ask to map clicks.
    """

    def __init__(self, settings: Settings = DEFAULTS, on_report: OnReport | None = None) -> None:
        super().__init__()
        self._hook = Hook(settings, on_report)

    def wrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Ask the model with smaller images; LangChain calls this."""
        return handler(self._smaller(request))

    async def awrap_model_call(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """Do the same in an asynchronous agent."""
        return await handler(await asyncio.to_thread(self._smaller, request))

    def _smaller(self, request: Any) -> Any:
        found = [image for message in request.messages for image in _images(message.content)]
        if not found:
            return request
        model = getattr(request.model, "model_name", None) or getattr(request.model, "model", None)
        done = self._hook.images([image.loose for image in found], model, [_tool(one) for one in request.tools])
        if not any(done):
            return request
        new = iter([_block(image, what) for image, what in zip(found, done, strict=True)])
        messages = [message.model_copy(update={"content": _with(message.content, new)}) for message in request.messages]
        return request.override(messages=messages)


class _Image(NamedTuple):
    block: Block
    loose: Loose
    put: Replace


def _block(image: _Image, what: tuple[str, str] | str | None) -> Block:
    """Return what stands in an image's place, given what became of it."""
    if isinstance(what, str):
        return {"type": "text", "text": what}
    return image.put(*what) if what is not None else image.block


def _images(content: Any) -> Iterator[_Image]:
    """Yield the images of a message's content, and of the results of tools in it, in their order."""
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict):
            if block.get("type") == "tool_result":
                yield from _images(block.get("content"))
            elif image := _image(block):
                yield image


def _with(content: Any, new: Iterator[Block]) -> Any:
    """Return the content with other images, which are taken as they come."""
    if not isinstance(content, list):
        return content
    found = []
    for block in content:
        if isinstance(block, dict) and block.get("type") == "tool_result":
            block = {**block, "content": _with(block.get("content"), new)}
        elif isinstance(block, dict) and _image(block):
            block = next(new)
        found.append(block)
    return found


def _image(block: Block) -> _Image | None:
    """Look at a block in all the ways in which one can be an image that the message has itself."""
    kind, detail, url = block.get("type"), block.get("detail"), block.get("url")
    source, nested = block.get("source"), block.get("image_url")

    def found(text: Any, media_type: Any, put: Replace, detail: Any = detail) -> _Image | None:
        if not isinstance(text, str) or not isinstance(media_type, str):
            return None
        return _Image(block, Loose(text, media_type, detail if isinstance(detail, str) else None), put)

    if kind == "image" and "base64" in block:  # LangChain's
        return found(block["base64"], block.get("mime_type"), lambda m, t: {**block, "base64": t, "mime_type": m})
    if kind == "image" and block.get("source_type") == "base64":  # LangChain's before 1.0
        return found(block.get("data"), block.get("mime_type"), lambda m, t: {**block, "data": t, "mime_type": m})
    if kind == "image" and isinstance(source, Mapping):  # Anthropic's
        return found(
            source.get("data"),
            source.get("media_type"),
            lambda m, t: {**block, "source": {**source, "data": t, "media_type": m}},
        )
    if kind == "image" and isinstance(url, str):
        return found(*_parts(url), lambda m, t: {**block, "url": as_data_url(t, m)})
    if kind in ("image_url", "input_image") and isinstance(nested, str):  # OpenAI's
        return found(*_parts(nested), lambda m, t: {**block, "image_url": as_data_url(t, m)})
    if kind == "image_url" and isinstance(nested, Mapping) and isinstance(nested.get("url"), str):
        return found(
            *_parts(nested["url"]),
            lambda m, t: {**block, "image_url": {**nested, "url": as_data_url(t, m)}},
            nested.get("detail"),
        )
    return None


def _parts(url: str) -> tuple[str | None, str | None]:
    """Return the base64 and the media type of a data URL; neither of another one."""
    text = data_url(url)
    return (text, url[len("data:") :].partition(";")[0]) if text is not None else (None, None)


def _tool(tool: Any) -> Mapping[str, Any]:
    """Return a tool with what says whether it points at places: the names of its parameters."""
    if isinstance(tool, Mapping):
        return tool
    properties = getattr(tool, "args", {})
    return {"type": "function", "function": {"parameters": {"type": "object", "properties": properties}}}
