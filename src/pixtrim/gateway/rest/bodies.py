"""What a request sends and what it wants back: bodies within limits, and the ``Accept`` header."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from pixtrim.gateway.rest.errors import RequestError
from pixtrim.gateway.rest.limits import Limits

__all__ = ["Given", "received", "wanted"]

Given = bytes | dict[str, list[str | bytes]]
"""A JSON body, or the fields of a form; files are bytes."""

MOST_FILES: Final = 101
MOST_FIELDS: Final = 2000

FORMATS: Final = {"image/png": "png", "image/webp": "webp", "image/jpeg": "jpeg", "image/*": "image"}


async def received(request: Request, limits: Limits) -> Given:
    """Read the body of a request.

    Raises
    ------
    RequestError
        If it is too large, too slow, or of another type.
    """
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise RequestError(f"the body is compressed ({encoding[:40]}): send it as it is", "unsupported_media_type")
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in ("application/json", "multipart/form-data"):
        raise RequestError(
            f"the body is {kind[:80] or 'of no type'}: send multipart/form-data or application/json",
            "unsupported_media_type",
        )
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or len(declared) > 18 or int(declared) > limits.max_bytes:
        raise _too_large(limits)
    chunks = _limited(request.stream(), limits)
    try:
        async with asyncio.timeout(limits.seconds):
            if kind == "multipart/form-data":
                return await _form(request, chunks, limits)
            return b"".join([chunk async for chunk in chunks])
    except TimeoutError:
        raise RequestError(f"the body took more than {limits.seconds:g} seconds to arrive", "too_slow") from None


async def _limited(chunks: AsyncIterator[bytes], limits: Limits) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limits.max_bytes:
            raise _too_large(limits)
        yield chunk


def _too_large(limits: Limits) -> RequestError:
    return RequestError(
        f"the body is larger than {limits.max_bytes} bytes: scale or compress the image first", "too_large"
    )


async def _form(request: Request, chunks: AsyncGenerator[bytes, None], limits: Limits) -> Given:
    parser = MultiPartParser(request.headers, chunks, max_files=MOST_FILES, max_fields=MOST_FIELDS)
    parser.spool_max_size = limits.max_bytes  # in memory: no image is ever written to a disk
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:  # KeyError: no boundary
        raise RequestError(f"the form cannot be read: {str(error)[:100]}", "usage_error") from error
    try:
        found: dict[str, list[str | bytes]] = {}
        for name, value in form.multi_items():
            found.setdefault(name, []).append(await value.read() if isinstance(value, UploadFile) else value)
        return found
    finally:
        await form.close()


def wanted(accept: str | None) -> str:
    """Say what a client wants most: ``"json"``, an ``"image"``, or an image of a format.

    Raises
    ------
    RequestError
        If it wants nothing that there is.

    Examples
    --------
    >>> wanted(None), wanted("image/*"), wanted("text/html, image/webp;q=0.9, */*;q=0.1")
    ('json', 'image', 'webp')
    """
    best, most = None, 0.0
    for part in (accept or "*/*").lower().split(","):
        media_type, _, rest = part.strip().partition(";")
        media_type = media_type.strip()
        found = "json" if media_type in ("application/json", "application/*", "*/*") else FORMATS.get(media_type)
        weight = _weight(rest)
        if found is not None and weight > most:
            best, most = found, weight
    if best is None:
        choices = ", ".join(("application/json", *FORMATS))
        raise RequestError(f"Accept is {(accept or '')[:80]!r}: ask for one of {choices}", "not_acceptable")
    return best


def _weight(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
