"""Where an image is in a request, in words that all wire formats share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from pixtrim.gateway.edits import Edit, Path

__all__ = [
    "Place",
    "WireFormat",
    "as_data_url",
    "data_url",
    "items",
    "model",
    "numbered",
    "one_or_more",
    "text_of",
    "web_url",
]

_DATA_URL: Final = re.compile(r"data:([a-z0-9.+/-]*)(?:;[a-z0-9=_.+-]+)*;base64,", re.IGNORECASE)

Embed = Callable[[str, str], tuple[Edit, ...]]
"""From an image in base64, and its media type, to the edits that put it in place."""


@dataclass(frozen=True)
class Place:
    """An image in a request.

    Attributes
    ----------
    path : tuple of str or int
        To the block that is the image: what a note would stand in place of.
    embed : callable
        How another image is put in place of this one.
    text : str or None
        The image in base64; None where the request does not have it itself.
    url : str or None
        Where it is, if that is on the web.
    detail : str or None
        The level of detail that the request asks for it.
    notable : bool
        Whether a block of text may stand there instead.
    fixed : bool
        Whether the request wants this very image.
    """

    path: Path
    embed: Embed = field(repr=False)
    text: str | None = field(default=None, repr=False)
    url: str | None = None
    detail: str | None = None
    notable: bool = True
    fixed: bool = False


class WireFormat(Protocol):
    """What a module of this folder offers; it looks at parsed bodies, and changes none."""

    MARKS: tuple[bytes, ...]
    """Without any of these in its bytes, a body has no image, nor a screen to be mapped; that is all they say."""

    def model(self, body: Mapping[str, Any]) -> str | None:
        """Return the name of the model, if the body has it."""

    def places(self, body: Mapping[str, Any]) -> Iterator[Place]:
        """Yield its images in the order in which the model sees them; what is not as documented is passed over."""

    def note(self, text: str, block: Mapping[str, Any]) -> Any:
        """Return a block of text that can stand in place of an image's block."""

    def points(self, body: Mapping[str, Any]) -> bool:
        """Say whether a tool of the request points at places of a screen, for which images must keep their sizes."""


def model(body: Mapping[str, Any]) -> str | None:
    """Return the name of the model, where a body has it under that key, as almost all do."""
    return text_of(body, "model")


def text_of(value: Mapping[str, Any], key: str) -> str | None:
    """Return the string under a key; None where there is none."""
    found = value.get(key)
    return found if isinstance(found, str) else None


def web_url(value: Any) -> str | None:
    """Return what is the address of something on the web; None for all else.

    Examples
    --------
    >>> web_url("https://example.com/a.png"), web_url("gs://bucket/a.png"), web_url(None)
    ('https://example.com/a.png', None, None)
    """
    return value if isinstance(value, str) and value[:8].lower().startswith(("https://", "http://")) else None


def data_url(url: str | None) -> str | None:
    """Return the base64 of a data URL; None where it is not one.

    Examples
    --------
    >>> data_url("data:image/png;base64,iVBO"), data_url("https://example.com/a.png")
    ('iVBO', None)
    """
    match = _DATA_URL.match(url) if url is not None else None
    return match.string[match.end() :] if match else None


def as_data_url(text: str, media_type: str) -> str:
    """Return a data URL."""
    return f"data:{media_type};base64,{text}"


def items(value: Any, *keys: str) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield the objects of the list that these keys lead to, with their paths; nothing where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    yield from numbered(value, *keys)


def numbered(value: Any, *path: str | int) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield the objects of a list, with their paths, which begin with `path`; nothing where it is not one."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            if isinstance(item, Mapping):
                yield (*path, number), item


def one_or_more(value: Any, *path: str | int) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Yield the objects of a list, as `numbered` does, or the one object that stands in its place."""
    if isinstance(value, Mapping):
        yield path, value
    else:
        yield from numbered(value, *path)
