"""Answers on their way back: what the model says of the smaller screen, in the client's own pixels.

A mapper takes an answer's bytes as they come and gives them on, the same but for places. Whole answers are kept until
they are complete. Of streamed ones each event goes on at once, but for the arguments of Anthropic's calls, which come
in pieces that may end within a number: they are held back until the call is complete, and go on as one piece. Calls are
executed when they are complete, so nobody waits for longer.

What isn't understood goes on as it came, with one exception: of a call that was cut off, so that its arguments are not
JSON, those are left out if they name a place. A client that reads what there is of them would click elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from pixtrim.errors import UsageError
from pixtrim.gateway.edits import Edit, spliced
from pixtrim.gateway.screens import anthropic, openai_responses
from pixtrim.gateway.screens.events import Event, Splitter
from pixtrim.gateway.screens.plan import SCREENS
from pixtrim.gateway.screens.pointer import ScreenFormat
from pixtrim.gateway.screens.screen import Screen

__all__ = ["Mapper", "response_mapper"]


class Mapper(Protocol):
    """Changes an answer on its way."""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes, split anywhere, and return those that can go on."""

    def end(self) -> bytes:
        """Return what is left when no more bytes come, be the answer complete or not."""


def response_mapper(screen: Screen, wire_format: str, content_type: str | None) -> Mapper:
    """Return what maps the places of one answer back to the client's screen.

    The answer must be as the model's server means it: without compression. Its length may change.

    Parameters
    ----------
    screen : Screen
        As `RewriteReport.screen` of the request has it.
    wire_format : str
        Of the request.
    content_type : str or None
        Of the answer. ``text/event-stream`` is mapped event by event, everything else as one JSON document.

    Raises
    ------
    UsageError
        If the wire format has no places that are mapped.

    Examples
    --------
    >>> mapper = response_mapper(Screen((1920, 1080), (960, 540)), "anthropic", "application/json")
    >>> body = b'{"content": [{"type": "tool_use", "name": "computer", "input": {"coordinate": [10, 20]}}]}'
    >>> mapper.feed(body) + mapper.end()
    b'{"content": [{"type": "tool_use", "name": "computer", "input": {"coordinate": [21, 41]}}]}'
    """
    if wire_format not in SCREENS:
        raise UsageError(f"wire format is {wire_format!r}: only {' and '.join(SCREENS)} have places that are mapped")
    if (content_type or "").partition(";")[0].strip().lower() != "text/event-stream":
        return _Whole(screen, SCREENS[wire_format])
    return _Calls(screen) if wire_format == "anthropic" else _Items(screen)


class _Whole:
    """Maps a whole JSON document."""

    def __init__(self, screen: Screen, wire: ScreenFormat) -> None:
        self._screen, self._wire = screen, wire
        self._body = bytearray()

    def feed(self, data: bytes) -> bytes:
        self._body += data
        return b""

    def end(self) -> bytes:
        body = bytes(self._body)
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return body
        parsed = _object(text)
        edits = self._wire.answer_edits(parsed, self._screen) if parsed is not None else []
        return spliced(text, edits).encode() if edits else body


class _Items:
    """Maps the events of OpenAI's responses, each by itself: they bring calls only as a whole."""

    MARK: Final = b"computer"

    def __init__(self, screen: Screen) -> None:
        self._screen, self._splitter = screen, Splitter()

    def feed(self, data: bytes) -> bytes:
        return b"".join(map(self._mapped, self._splitter.feed(data)))

    def end(self) -> bytes:
        rest = self._splitter.rest()
        return self._mapped(rest) if rest else b""

    def _mapped(self, event: Event) -> bytes:
        parsed = _object(event.data) if self.MARK in event.raw else None
        return event.raw if parsed is None else _edited(event, openai_responses.event_edits(parsed, self._screen))


class _Calls:
    """Maps the events of Anthropic's messages, whose calls come in pieces."""

    MARKS: Final = (
        b"content_block_start",
        b"input_json_delta",
        b"content_block_stop",
        b"message_delta",
        b"message_stop",
    )
    NAMES: Final = ("coordinate", "region")

    def __init__(self, screen: Screen) -> None:
        self._screen, self._splitter = screen, Splitter()
        self._held: dict[Any, list[tuple[Event, str]]] = {}  # by the index of the block: events and their pieces

    def feed(self, data: bytes) -> bytes:
        return b"".join(part for event in self._splitter.feed(data) for part in self._parts(event))

    def end(self) -> bytes:
        rest = self._splitter.rest()
        last = list(self._parts(rest)) if rest else []  # half an event is nothing, unless it comes before others
        return b"".join([*self._released(), *last])

    def _parts(self, event: Event) -> Iterator[bytes]:
        parsed = _object(event.data) if any(mark in event.raw for mark in self.MARKS) else None
        kind = parsed.get("type") if parsed is not None else None
        index = parsed.get("index") if parsed is not None else None
        index = index if isinstance(index, int) else None
        if parsed is None:
            yield event.raw
        elif kind == "content_block_start":
            yield self._settled(self._held.pop(index, []))
            yield self._started(event, index, parsed.get("content_block"))
        elif kind == "content_block_delta" and index in self._held:
            delta = parsed.get("delta")
            piece = delta.get("partial_json") if isinstance(delta, Mapping) else None
            if isinstance(piece, str) and piece:
                self._held[index].append((event, piece))
            else:
                yield event.raw
        elif kind == "content_block_stop":
            yield self._settled(self._held.pop(index, []))
            yield event.raw
        elif kind in ("message_delta", "message_stop"):
            yield from self._released()
            yield event.raw
        else:
            yield event.raw

    def _started(self, event: Event, index: int | None, block: Any) -> bytes:
        if not isinstance(block, Mapping) or not anthropic.is_call(block):
            return event.raw
        self._held[index] = []
        path = ("content_block", "input")  # empty, as far as is known
        return _edited(event, list(anthropic.input_edits(block.get("input"), path, self._screen.outward)))

    def _released(self) -> Iterator[bytes]:
        """Give on what is held of calls that have no end."""
        while self._held:
            yield self._settled(self._held.pop(next(iter(self._held))))

    def _settled(self, held: list[tuple[Event, str]]) -> bytes:
        """Return the pieces of a call as one, or as they came where they name no place."""
        as_it_came = b"".join(event.raw for event, _ in held)
        text = "".join(piece for _, piece in held)
        parsed = _object(text)
        if parsed is None:
            return b"" if any(name in text for name in self.NAMES) else as_it_came
        edits = list(anthropic.input_edits(parsed, (), self._screen.outward))
        if not edits:
            return as_it_came
        return _edited(held[0][0], [Edit(("delta", "partial_json"), spliced(text, edits))])


def _object(text: str | None) -> Mapping[str, Any] | None:
    """Parse a JSON object; None where it is none, or where it can't be written again."""
    try:
        found = json.loads(text or "")
        (text or "").encode()
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, Mapping) else None


def _edited(event: Event, edits: list[Edit]) -> bytes:
    data = event.data
    return event.holding(spliced(data, edits)) if data is not None and edits else event.raw
