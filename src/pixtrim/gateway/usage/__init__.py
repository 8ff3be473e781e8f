"""What providers say they billed, read out of responses while they pass: encodings, then framing, then counts."""

from __future__ import annotations

import json
from collections.abc import Iterable

from pixtrim.gateway.usage.counts import WORDINGS, Usage, counts_in, usage_of
from pixtrim.gateway.usage.encodings import Decode, decoder_for
from pixtrim.gateway.usage.framing import Framing, framing_for

__all__ = ["Usage", "UsageReader"]


class UsageReader:
    """Reads the usage out of one response; it sees the bytes, keeps few of them, and changes none.

    What it holds is bounded (see `framing.MOST_BYTES`), however much is sent or comes out of a compressed body. It
    never raises: what cannot be read has no usage.

    Parameters
    ----------
    wire_format : str
        One of `pixtrim.gateway.formats.FORMATS`; of others nothing is read.
    content_type, content_encoding : str or None
        The response's headers. Events, lines and whole documents of JSON are read; identity, gzip and deflate, br and
        zstd where a package for them is installed.

    Examples
    --------
    >>> reader = UsageReader("anthropic", "application/json", None)
    >>> reader.feed(b'{"usage": {"input_tokens": 10, "cache_read_input_')
    >>> reader.feed(b'tokens": 90, "output_tokens": 5}}')
    >>> reader.end()
    Usage(input_tokens=100, output_tokens=5, cached_tokens=90)
    """

    def __init__(self, wire_format: str, content_type: str | None, content_encoding: str | None = None) -> None:
        self._wording = WORDINGS.get(wire_format)
        self._counts: dict[str, int] = {}
        self._decode: Decode | None = None
        self._framing: Framing | None = None
        if self._wording is not None:
            self._framing = framing_for(content_type)
            self._decode = decoder_for(content_encoding)
        if self._decode is None or self._framing is None:
            self._give_up()

    def feed(self, data: bytes) -> None:
        """Look at the next bytes of the body, split anywhere."""
        if self._decode is None or self._framing is None:
            return
        try:
            for part in self._decode(data):
                self._read(self._framing.feed(part))
        except Exception:  # nothing that a server sends may stop the response, whatever a decompressor makes of it
            self._give_up()

    def end(self) -> Usage | None:
        """Return what was billed as far as the response says so; None where it does not.

        Of a response that was cut off it is what had been said by then.
        """
        if self._framing is not None:
            try:
                self._read(self._framing.end())
            except Exception:  # as above
                self._give_up()
        return None if self._wording is None else usage_of(self._counts, self._wording)

    def _read(self, texts: Iterable[bytes]) -> None:
        wording = self._wording
        for text in texts:
            if wording is not None and wording.mark in text:  # most events of a stream have none, and are not parsed
                for name, count in counts_in(_parsed(text), wording):
                    self._counts[name] = max(count, self._counts.get(name, 0))  # totals so far: they never fall

    def _give_up(self) -> None:
        """Forget all: what was read before a fault would depend on where the network split the body."""
        self._decode = self._framing = None
        self._counts = {}


def _parsed(text: bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # "[DONE]", half an event, or no JSON
        return None
