"""Seams: pixels that left their rows or columns one by one, `SeamStage`, and its compact form for JSON."""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pixtrim.coordinates.axis import Floats, Size, by, members, shown, size_of
from pixtrim.coordinates.pieces import SNAP, Limit, Side
from pixtrim.errors import UsageError

Direction = Literal["x", "y"]
Mask = NDArray[np.bool_]
Places = NDArray[np.int32]

MAX_PIXELS = 2**28  # of the original: 32 MiB of JSON's bits, which a few bytes could claim to hold


@dataclass(frozen=True, eq=False, repr=False)
class SeamStage:
    """A stage that takes equally many pixels out of every row, or out of every column; the others close up.

    Where pixels were taken out is a join, row by row (or column by column), with the limits that
    `pixtrim.coordinates` states. A box becomes the bounding box of what each of its lines became.

    Parameters
    ----------
    original_size : tuple of int, (width, height)
        In pixels, at most 2**28 in all.
    axis : {"x", "y"}
        Along which pixels close up: ``"x"`` is vertical seams, which shorten rows.
    removed : ndarray
        bool (height, width): the pixels that were taken out. Each row (for ``"x"``) or column has the same number, and
        keeps at least one pixel.

    Raises
    ------
    UsageError
        If the lines do not lose equally many pixels, or lose all, or a size or type is another.

    Examples
    --------
    >>> stage = SeamStage((3, 2), "x", np.array([[True, False, False], [False, True, False]]))
    >>> stage.reduced_size, stage.map_points(np.array([[0.5, 0.5], [0.5, 1.5]]), "original").tolist()
    ((2, 2), [[1.5, 0.5], [0.5, 1.5]])
    """

    original_size: Size
    axis: Direction
    removed: Mask
    reduced_size: Size = field(init=False)

    def __post_init__(self) -> None:
        width, height = size_of(self.original_size, "original size")
        object.__setattr__(self, "original_size", (width, height))
        if self.axis not in ("x", "y"):
            raise UsageError(f'the axis of seams is {shown(self.axis)}; "x" or "y" is possible')
        if width * height > MAX_PIXELS:
            raise UsageError(f"seams are in a picture of {width}x{height}; at most {MAX_PIXELS} pixels are possible")
        given = self.removed
        if not isinstance(given, np.ndarray) or given.dtype != np.bool_ or given.shape != (height, width):
            what = f"{given.dtype} {given.shape}" if isinstance(given, np.ndarray) else type(given).__name__
            raise UsageError(f"the removed pixels are {what}; bool ({height}, {width}) is needed")
        counts = np.count_nonzero(given, axis=1 if self.axis == "x" else 0)
        fewest, most = int(counts.min()), int(counts.max())
        length = width if self.axis == "x" else height
        if fewest != most or most >= length:
            lines = "row" if self.axis == "x" else "column"
            raise UsageError(
                f"a {lines} loses {fewest} pixels and another one {most} of {length}; "
                f"each {lines} has to lose as many, and to keep one"
            )
        object.__setattr__(self, "removed", given.copy())
        self.removed.flags.writeable = False
        size = (width - most, height) if self.axis == "x" else (width, height - most)
        object.__setattr__(self, "reduced_size", size)

    @cached_property
    def _kept(self) -> Places:
        """For each line, the original places of the pixels that it keeps."""
        lines = self._lines(self.removed)
        kept: Places = np.nonzero(~lines)[1].astype(np.int32).reshape(len(lines), -1)
        return kept

    @cached_property
    def _before(self) -> Places:
        """For each line and original place, how many kept pixels are before it."""
        kept = ~self._lines(self.removed)
        before: Places = np.cumsum(kept, axis=1, dtype=np.int32) - kept
        return before

    def _lines(self, values: NDArray[Any]) -> NDArray[Any]:
        return values if self.axis == "x" else values.swapaxes(0, 1)

    @property
    def _along(self) -> int:
        """The coordinate that changes."""
        return 0 if self.axis == "x" else 1

    def _moved(self, line: NDArray[np.int64], at: Floats, to: Side, limit: Limit) -> Floats:
        """Map places `at` (N,) of lines (N,), or of lines (L, 1) against one place each."""
        table = self._before if to == "reduced" else self._kept
        count = table.shape[1]
        if limit == "right":
            pixel = np.minimum(np.floor(at), count - 1).astype(np.int64)
            part = at - pixel
        else:
            pixel = np.maximum(np.ceil(at) - 1, 0).astype(np.int64)
            part = at - pixel
        found: Floats = table[line, pixel].astype(np.float64)
        if to == "reduced":
            found += np.where(self._lines(self.removed)[line, pixel], 0, part)
        elif limit == "right":
            found = np.where(at >= count, self._before.shape[1], found + part)
        else:
            found = np.where(at <= 0, 0, found + part)
        return found

    def map_points(self, points: Floats, to: Side) -> Floats:
        """Map float64 (N, 2) points `to` the other picture."""
        across = points[:, 1 - self._along]
        line = np.minimum(np.floor(across), len(self._kept) - 1).astype(np.int64)
        moved = points.copy()
        moved[:, self._along] = self._moved(line, points[:, self._along], to, "right")
        return moved

    def map_boxes(self, boxes: Floats, to: Side) -> Floats:
        """Map float64 (N, 4) boxes `to` the other picture."""
        whole = np.rint(boxes)
        mapped = np.where(np.abs(boxes - whole) < SNAP, whole, boxes)
        last = len(self._kept) - 1
        low, high = self._along, self._along + 2
        for box in mapped:
            first = min(int(np.floor(box[1 - self._along])), last)
            lines = np.arange(first, max(first + 1, int(np.ceil(box[3 - self._along]))))
            begin, end = self._moved(lines, box[low], to, "right"), self._moved(lines, box[high], to, "left")
            solid = end > begin
            if solid.any():  # a line of which nothing is there does not widen the box
                begin, end = begin[solid], end[solid]
            box[low], box[high] = np.minimum(begin, end).min(), np.maximum(begin, end).max()
        return mapped

    def map_mask(self, mask: NDArray[Any], to: Side) -> NDArray[Any]:
        """Sample a mask `to` the other picture: each new pixel asks where its centre came from."""
        places = self._kept if to == "reduced" else np.minimum(self._before, self._kept.shape[1] - 1)
        lines = self._lines(mask)
        sampled = lines[np.arange(len(lines))[:, None], places]
        return np.ascontiguousarray(self._lines(sampled))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SeamStage):
            return NotImplemented
        return self.axis == other.axis and np.array_equal(self.removed, other.removed)

    def __hash__(self) -> int:
        return hash((self.original_size, self.axis, self.reduced_size))

    def __repr__(self) -> str:
        return f"SeamStage({by(self.original_size)} -> {by(self.reduced_size)})"

    def to_dict(self) -> dict[str, Any]:
        """Return the stage as JSON values."""
        packed = zlib.compress(np.packbits(self.removed).tobytes(), 9)
        bits = base64.b64encode(packed).decode("ascii")
        return {"kind": "seams", "original": list(self.original_size), "axis": self.axis, "removed": bits}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SeamStage:
        """Return the stage that `to_dict` wrote; UsageError says what is wrong with anything else."""
        _, original, axis, removed = members(data, ("kind", "original", "axis", "removed"), "a stage")
        width, height = size_of(original, "original size")
        if width * height > MAX_PIXELS:
            raise UsageError(f"seams are in a picture of {width}x{height}; at most {MAX_PIXELS} pixels are possible")
        return cls((width, height), axis, _bits(removed, (height, width)))


def _bits(text: Any, shape: tuple[int, int]) -> Mask:
    """Return packed bits as bool of a shape, without unpacking more than belongs there."""
    size = shape[0] * shape[1]
    octets = -(-size // 8)
    reader = zlib.decompressobj()
    try:
        found = reader.decompress(base64.b64decode(text, validate=True), octets + 1)
    except (TypeError, ValueError, binascii.Error, zlib.error):
        raise UsageError("the removed pixels of a stage cannot be read: base64 of deflated bits is needed") from None
    if len(found) != octets or not reader.eof:
        raise UsageError(f"the removed pixels of a stage are not {octets} bytes of bits, one for each pixel")
    return np.unpackbits(np.frombuffer(found, np.uint8), count=size).astype(np.bool_).reshape(shape)
