"""How JSON is framed in a body: the whole of it, one document a line, or in server-sent events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

__all__ = ["MOST_BYTES", "Framing", "framing_for"]

MOST_BYTES: Final = 8 * 2**20
"""The longest document, line or event that is kept; longer ones are passed over."""


class Framing(Protocol):
    """Takes a body in parts, and yields the JSON texts that are complete."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next part."""

    def end(self) -> Iterator[bytes]:
        """Yield what the end of the body completes."""


def framing_for(content_type: str | None) -> Framing | None:
    """Return how a body of this type is framed; None where it has no JSON.

    Examples
    --------
    >>> type(framing_for("text/event-stream; charset=utf-8")).__name__, framing_for("image/png")
    ('Events', None)
    """
    kind = (content_type or "application/json").partition(";")[0].strip().lower()
    if kind == "text/event-stream":
        return Events()
    if kind in {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}:
        return Lines()
    return Whole() if kind == "application/json" or kind.endswith("+json") else None


class Whole:
    """One document."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._too_long = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Keep it."""
        if self._too_long or len(self._text) + len(data) > MOST_BYTES:
            self._too_long = True
            self._text.clear()
        else:
            self._text += data
        yield from ()

    def end(self) -> Iterator[bytes]:
        """Yield the document."""
        if not self._too_long:
            yield bytes(self._text)


class Lines:
    """One document a line; lines end with LF, CR or CR LF, wherever the body is split."""

    def __init__(self) -> None:
        self._line = Whole()
        self._returned = False
        """Whether the last byte was a CR, so that an LF that follows ends no other line."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the lines that end here."""
        if self._returned and data[:1] == b"\n":
            data = data[1:]
            self._returned = False
        for line in data.splitlines(keepends=True):
            text = line.rstrip(b"\r\n")
            yield from self._line.feed(text)
            if len(text) < len(line):
                yield from self.end()
        if data:
            self._returned = data.endswith(b"\r")

    def end(self) -> Iterator[bytes]:
        """Yield the last line, which nothing ends."""
        line, self._line = self._line, Whole()
        yield from line.end()


class Events:
    """Server-sent events: the lines of data up to an empty line.

    https://html.spec.whatwg.org/multipage/server-sent-events.html
    """

    def __init__(self) -> None:
        self._lines = Lines()
        self._data = Whole()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the data of the events that end here."""
        for line in self._lines.feed(data):
            yield from self._take(line)

    def end(self) -> Iterator[bytes]:
        """Yield the data of the last event, although no empty line follows."""
        for line in self._lines.end():
            yield from self._take(line)
        yield from self._take(b"")

    def _take(self, line: bytes) -> Iterator[bytes]:
        if not line:
            event, self._data = self._data, Whole()
            yield from event.end()
        elif line.startswith(b"data:"):
            yield from self._data.feed(line[5:] + b"\n")  # JSON does not mind the blanks around it
