"""Server-sent events, cut out of a stream of bytes that may be split anywhere, and put back byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

__all__ = ["Event", "Splitter"]

_BLANK_LINE: Final = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?=[^\n]))")
"""Two ends of lines. Of a CR that is the last byte so far, nobody knows whether it is one yet."""

_DATA: Final = re.compile(rb"(?:(?<=[\r\n])|\A)data(?:: ?([^\r\n]*))?(?=[\r\n]|\Z)")


@dataclass(frozen=True)
class Event:
    """An event as it came, with the blank line that ends it."""

    raw: bytes

    @property
    def data(self) -> str | None:
        """What its data lines hold; None where that is no text."""
        try:
            return b"\n".join(found[1] or b"" for found in _DATA.finditer(self.raw)).decode()
        except UnicodeDecodeError:
            return None

    def holding(self, data: str) -> bytes:
        r"""Return the event with other data, of as many lines, and everything else as it was.

        Examples
        --------
        >>> Event(b"event: a\r\ndata: 1\r\nid: 7\r\n\r\n").holding("22")
        b'event: a\r\ndata: 22\r\nid: 7\r\n\r\n'
        """
        parts, done = [], 0
        for found, line in zip(_DATA.finditer(self.raw), data.encode().split(b"\n"), strict=True):
            if found[1] is not None:
                parts += [self.raw[done : found.start(1)], line]
                done = found.end(1)
        return b"".join([*parts, self.raw[done:]])


class Splitter:
    """Cuts a stream into events."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._seen = 0

    def feed(self, data: bytes) -> Iterator[Event]:
        """Yield the events that are whole now."""
        self._waiting += data
        while found := _BLANK_LINE.search(self._waiting, self._seen):
            event = Event(bytes(self._waiting[: found.end()]))
            del self._waiting[: found.end()]
            self._seen = 0
            yield event
        self._seen = max(0, len(self._waiting) - 3)  # a blank line may have begun there

    def rest(self) -> Event | None:
        """Return what is left at the end of the stream, if anything is."""
        return Event(bytes(self._waiting)) if self._waiting else None
