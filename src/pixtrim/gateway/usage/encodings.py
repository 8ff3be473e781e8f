"""Content encodings, undone part by part, so that what a small body grows to is never in memory at once."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, Final

__all__ = ["Decode", "decoder_for"]

PART: Final = 64 * 2**10
"""Bytes that are made at a time."""

MOST_BYTES: Final = 128 * 2**20
"""Bytes that are made of one body; a response that grows beyond is not worth the time."""

Decode = Callable[[bytes], Iterator[bytes]]
"""From the next part of a body to what it becomes, in parts."""


def decoder_for(content_encoding: str | None) -> Decode | None:
    """Return what undoes an encoding; None for one that cannot be undone here.

    Examples
    --------
    >>> list(decoder_for(None)(b"as it is")), decoder_for("compress")
    ([b'as it is'], None)
    """
    name = (content_encoding or "identity").strip().lower()
    if name in {"identity", ""}:
        return lambda data: iter((data,))
    if name in {"gzip", "x-gzip"}:
        return _limited(_Inflating(zlib.decompressobj(16 + zlib.MAX_WBITS)))
    if name == "deflate":
        return _limited(_deflated())
    if name == "br" and (module := _first("brotli", "brotlicffi")) is not None:
        return _limited(_unbrotlied(module.Decompressor()))
    if name == "zstd" and (module := _first("compression.zstd", "backports.zstd")) is not None:
        return _limited(_unzstd(module.ZstdDecompressor()))
    return None


def _first(*names: str) -> ModuleType | None:
    for name in names:
        try:
            return import_module(name)
        except ImportError:
            continue
    return None


def _limited(decode: Decode) -> Decode:
    made = 0

    def limited(data: bytes) -> Iterator[bytes]:
        nonlocal made
        for part in decode(data):
            made += len(part)
            if made > MOST_BYTES:
                raise ValueError(f"the body grows to more than {MOST_BYTES} bytes")
            yield part

    return limited


class _Inflating:
    def __init__(self, inflate: Any) -> None:
        self._inflate = inflate

    def __call__(self, data: bytes) -> Iterator[bytes]:
        full = False
        while (data or full) and not self._inflate.eof:  # a full part may leave more in the decompressor than in data
            part = self._inflate.decompress(data, PART)
            yield part
            data, full = self._inflate.unconsumed_tail, len(part) == PART


def _deflated() -> Decode:
    """Undo "deflate", which means zlib's format, though some servers send the bare stream."""
    head = b""
    inflating: _Inflating | None = None

    def decode(data: bytes) -> Iterator[bytes]:
        nonlocal head, inflating
        if inflating is None:
            head += data
            if len(head) < 2:
                return
            is_zlib = head[0] & 15 == 8 and int.from_bytes(head[:2]) % 31 == 0
            inflating = _Inflating(zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS))
            data = head
        yield from inflating(data)

    return decode


def _unbrotlied(brotli: Any) -> Decode:
    def decode(data: bytes) -> Iterator[bytes]:
        if not brotli.is_finished():
            yield brotli.process(data, output_buffer_limit=PART)  # Brotli before 1.2 has no limit, and is not used
        while not (brotli.is_finished() or brotli.can_accept_more_data()):
            yield brotli.process(b"", output_buffer_limit=PART)

    return decode


def _unzstd(zstd: Any) -> Decode:
    def decode(data: bytes) -> Iterator[bytes]:
        if not zstd.eof:
            yield zstd.decompress(data, PART)
        while not (zstd.eof or zstd.needs_input):
            yield zstd.decompress(b"", PART)

    return decode
