"""Plans as bytes: what the decoder needs beside the kept tokens, in a few hundred bytes.

The layout, version 1, with all numbers little-endian::

    4  magic "PXKP"       1  version
    4  length of the rest before compression
       the rest, compressed by zlib:
         <12I>  picture width, height; t, h, w in patches; patch, merge and temporal sizes; frames; K; reference w, h
         <4B d> order, fit, metric, flags; threshold
         <B>    length of the selector's name, then the name in ASCII
         <2i>   K times: an offset
         N bits, from the lowest bit of each byte on: which of the N tokens are kept
         one byte for each dropped token, in order: its `Origin`
         <I>    for each `Origin.ELSEWHERE` among them: the source
    4  CRC-32 of all bytes before it

A dropped token mostly has the source of a neighbour: most of its bytes are equal and compress to nearly nothing.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixtrim.errors import InputError, UsageError
from pixtrim.grid import PatchGrid
from pixtrim.operators.prune.metrics import METRICS, Tolerance
from pixtrim.operators.prune.picture import NEIGHBOURS, Origin, corners_of

if TYPE_CHECKING:
    from pixtrim.operators.prune.plan import KeepPlan

__all__ = ["pack", "unpack"]

MAGIC, VERSION = b"PXKP", 1
MAX_LENGTH = 1 << 26  # bytes before compression
MAX_TOKENS = 1 << 22  # a picture of over three thousand megapixels
MAX_OFFSETS = 16

_ORDERS, _FITS = ("merged", "raster"), ("resize", "pad")
_START, _HEAD, _STYLE, _OFFSET, _WORD = (struct.Struct(f"<{code}") for code in ("4sBI", "12I", "4Bd", "2i", "I"))


def pack(plan: KeepPlan) -> bytes:
    """Return the bytes of a plan."""
    grid = plan.grid
    sizes = plan.reference_size or (0, 0)
    name = plan.selector.encode("ascii")
    dropped, codes = ~plan.keep, plan.origins
    explicit = plan.sources[dropped & (codes == Origin.ELSEWHERE)]
    body = b"".join(
        [
            _HEAD.pack(
                *(grid.width, grid.height, *grid.grid_thw),
                *(grid.patch_size, grid.spatial_merge_size, grid.temporal_patch_size, grid.frames),
                *(len(plan.offsets), *sizes),
            ),
            _STYLE.pack(
                *(_ORDERS.index(grid.order), _FITS.index(grid.fit), METRICS.index(plan.tolerance.metric)),
                *(plan.anchored | plan.bounded << 1, plan.tolerance.threshold),
            ),
            bytes([len(name)]),
            name,
            plan.offsets.astype("<i4").tobytes(),
            np.packbits(plan.keep.ravel(), bitorder="little").tobytes(),
            codes[dropped].tobytes(),
            explicit.astype("<u4").tobytes(),
        ]
    )
    packed = _START.pack(MAGIC, VERSION, len(body)) + zlib.compress(body, 9)
    return packed + _WORD.pack(zlib.crc32(packed))


def unpack(data: bytes) -> KeepPlan:
    """Return the plan of some bytes.

    Raises
    ------
    InputError
        If they are not a plan, of another version, cut off or damaged.
    """
    from pixtrim.operators.prune.plan import KeepPlan

    try:
        body = _Reader(_inflated(bytes(data)))
        *sizes, offset_count, reference_width, reference_height = body.take(_HEAD)
        width, height, t, h, w, patch, merge, temporal, frames = sizes
        order, fit, metric, flags, threshold = body.take(_STYLE)
        name = body.read(body.read(1)[0]).decode("ascii")
        if offset_count > MAX_OFFSETS:
            raise ValueError(f"{offset_count} offsets")
        offsets = np.array([body.take(_OFFSET) for _ in range(offset_count)], np.int32).reshape(-1, 2)
        grid = PatchGrid(
            width=width,
            height=height,
            grid_thw=(t, h, w),
            patch_size=patch,
            spatial_merge_size=merge,
            temporal_patch_size=temporal,
            order=_ORDERS[order],
            fit=_FITS[fit],
            frames=frames,
        )
        reference = (reference_width, reference_height) if reference_width or reference_height else None
        sources = _sources(body, grid, offsets, reference)
        if body.rest:
            raise ValueError(f"{body.rest} bytes too many")
        return KeepPlan(
            grid=grid,
            sources=sources,
            selector=name,
            tolerance=Tolerance(METRICS[metric], threshold),  # type: ignore[arg-type]
            anchored=bool(flags & 1),
            bounded=bool(flags & 2),
            offsets=offsets,
            reference_size=reference,
        )
    except (ValueError, IndexError, struct.error, zlib.error, UsageError, OverflowError) as error:
        raise InputError(f"these bytes are no plan of version {VERSION}, or are damaged: {error}") from error


def _inflated(data: bytes) -> bytes:
    """Check the frame and return what it holds."""
    if len(data) < _START.size + _WORD.size or data[:4] != MAGIC:
        raise ValueError(f"they start with {data[:4]!r}, not with {MAGIC!r}")
    _, version, length = _START.unpack_from(data)
    if version != VERSION:
        raise ValueError(f"they have version {version}")
    if length > MAX_LENGTH:
        raise ValueError(f"they claim to hold {length} bytes: the limit is {MAX_LENGTH}")
    packed, (check,) = data[: -_WORD.size], _WORD.unpack(data[-_WORD.size :])
    if zlib.crc32(packed) != check:
        raise ValueError("the check sum is wrong")
    inflater = zlib.decompressobj()
    body = inflater.decompress(packed[_START.size :], length + 1)
    if len(body) != length or not inflater.eof or inflater.unused_data:
        raise ValueError("they are cut off, or go on")
    return body


def _sources(
    body: _Reader, grid: PatchGrid, offsets: NDArray[np.int32], reference: tuple[int, int] | None
) -> NDArray[np.int32]:
    """Read the sources, and make sure that a decoder can rely on them."""
    rows, columns = grid.grid_h, grid.grid_w
    count = rows * columns
    if grid.grid_thw[0] != 1 or not 0 < count <= MAX_TOKENS:
        raise ValueError(f"{grid.grid_thw} patches")
    keep = np.unpackbits(np.frombuffer(body.read(-(-count // 8)), np.uint8), count=count, bitorder="little") != 0
    dropped = np.flatnonzero(~keep)
    codes = np.frombuffer(body.read(len(dropped)), np.uint8)
    explicit = iter(np.frombuffer(body.read(4 * int((codes == Origin.ELSEWHERE).sum())), "<u4").tolist())
    steps = {code: dy * columns + dx for code, dy, dx in NEIGHBOURS}
    sources = list(range(count))
    for token, code in zip(dropped.tolist(), codes.tolist(), strict=True):
        if code == Origin.KEPT:
            raise ValueError("a dropped token claims to be kept")
        if code >= Origin.REFERENCE:
            sources[token] = token + count * (code - Origin.REFERENCE + 1)
        elif code == Origin.ELSEWHERE:
            sources[token] = next(explicit)
        else:
            sources[token] = sources[token + steps[code]] if token + steps[code] >= 0 else -1
    found = np.array(sources, np.int64)
    local = found < count
    sound = (found >= 0) & (found < count * (len(offsets) + 1))
    sound[sound & local] &= keep[found[sound & local]]
    if not keep.any() or not sound.all():
        raise ValueError("a token has no source")
    if not local.all():
        offset, place = np.divmod(found[~local] - count, count)
        corners = corners_of(place, columns, grid.token_shape) + offsets[offset].astype(np.int64)
        room = np.array(reference[::-1] if reference else (0, 0)) - grid.token_shape
        if not ((corners >= 0) & (corners <= room)).all():
            raise ValueError("a token comes from outside the reference")
    return found.astype(np.int32).reshape(rows, columns)


class _Reader:
    """Takes bytes off the front; raises ValueError at the end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def rest(self) -> int:
        return len(self._data) - self._at

    def read(self, count: int) -> bytes:
        if count > self.rest:
            raise ValueError("they are cut off")
        self._at += count
        return self._data[self._at - count : self._at]

    def take(self, what: struct.Struct) -> tuple[int, ...]:
        return what.unpack(self.read(what.size))
