"""A quick look at a body that is not parsed: whether it can hold an image, and which model it is for."""

from __future__ import annotations

import json
import re
from typing import Final

from pixtrim.gateway.formats import FORMATS

__all__ = ["may_hold_images", "model_in"]

_KEY: Final = b'"model"'
_VALUE: Final = re.compile(rb'\s*:\s*("[^"\\]{1,200}")')


def may_hold_images(body: bytes, wire_format: str) -> bool:
    """Say whether a body has to be looked at.

    Examples
    --------
    >>> may_hold_images(b'{"messages": []}', "openai-chat")
    False
    """
    return any(mark in body for mark in FORMATS[wire_format].MARKS)


def model_in(body: bytes, *, parse: bool = True) -> str | None:
    """Return what the key "model" of an object in JSON says.

    If the word is there once, what is around it is not looked at; a body is parsed only if it is there several times,
    and then only if that is allowed.

    Examples
    --------
    >>> model_in(b'{"messages": [], "model": "gpt-5.5"}')
    'gpt-5.5'
    >>> model_in(b'{"tools": [{"model": "a"}], "model": "b"}')
    'b'
    """
    at = body.find(_KEY)
    if at < 0:
        return None
    end = at + len(_KEY)
    if body.find(_KEY, end) < 0:
        match = _VALUE.match(body, end)
        found = _loaded(match[1]) if match else None
    else:
        whole = _loaded(body) if parse else None
        found = whole.get("model") if isinstance(whole, dict) else None
    return found if isinstance(found, str) else None


def _loaded(text: bytes) -> object:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found
