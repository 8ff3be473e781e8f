"""Rectangles that were changed and laid out apart: `Piece`, and `PieceStage`, which tiles them and maps by lookup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pixtrim.coordinates.axis import Axis, Floats, Integers, Size, by, members, size_of, whole_numbers
from pixtrim.errors import UsageError

Rectangle = tuple[int, int, int, int]
Side = Literal["original", "reduced"]
Limit = Literal["left", "right"]

MAX_PIECES = 4096
SNAP = 1e-9  # pixels; a box edge this near to a whole number is that number with rounding errors


@dataclass(frozen=True)
class Piece:
    """A rectangle of the original, where it went, and how it was changed on the way.

    Parameters
    ----------
    original, reduced : tuple of int, (x0, y0, x1, y1)
        Edges in pixels. `original` is not empty. `reduced` may be empty (the piece was dropped) or larger than the axes
        fill (padding at the right and bottom).
    x, y : Axis
        Relative to the two starts. They begin and end with `original` and end within `reduced`.

    Raises
    ------
    UsageError
        If the rectangles and axes do not fit each other.
    """

    original: Rectangle
    reduced: Rectangle
    x: Axis
    y: Axis

    def __post_init__(self) -> None:
        for name, shortest in (("original", 1), ("reduced", 0)):
            x0, y0, x1, y1 = whole_numbers(getattr(self, name), 4, f"the {name} rectangle of a piece", 0)
            if x1 - x0 < shortest or y1 - y0 < shortest:
                raise UsageError(f"the {name} rectangle of a piece is {(x0, y0, x1, y1)}; (x0, y0, x1, y1) must rise")
            object.__setattr__(self, name, (x0, y0, x1, y1))
        for at, name, axis in ((0, "x", self.x), (1, "y", self.y)):
            if not isinstance(axis, Axis):
                raise UsageError(f"the {name} of a piece is {type(axis).__name__}; an Axis is needed")
            side, room = self.original[at + 2] - self.original[at], self.reduced[at + 2] - self.reduced[at]
            if axis.original[-1] != side or axis.reduced[-1] > room:
                raise UsageError(
                    f"the {name} axis of a piece is {axis!r}; {side} pixels into at most {room} are needed"
                )


@dataclass(frozen=True, repr=False)
class PieceStage:
    """A stage of pieces: they tile the original exactly, and their reduced rectangles tile the reduced picture.

    Parameters
    ----------
    original_size, reduced_size : tuple of int, (width, height)
        In pixels, 1 to 1,000,000 each.
    pieces : sequence of Piece, 1 to 4096

    Raises
    ------
    UsageError
        If the pieces leave the pictures, overlap or leave a hole.
    """

    original_size: Size
    reduced_size: Size
    pieces: tuple[Piece, ...]
    _routes: dict[Side, _Route] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "original_size", size_of(self.original_size, "original size"))
        object.__setattr__(self, "reduced_size", size_of(self.reduced_size, "reduced size"))
        object.__setattr__(self, "pieces", tuple(self.pieces))
        if not 1 <= len(self.pieces) <= MAX_PIECES:
            raise UsageError(f"a stage has {len(self.pieces)} pieces; 1 to {MAX_PIECES} are possible")
        if not all(isinstance(piece, Piece) for piece in self.pieces):
            raise UsageError("the pieces of a stage must be Piece objects")
        original = _Tiling(self.original_size, [piece.original for piece in self.pieces], "original")
        reduced = _Tiling(self.reduced_size, [piece.reduced for piece in self.pieces], "reduced")
        axes = [[piece.x for piece in self.pieces], [piece.y for piece in self.pieces]]
        forth = [_Curves([(axis.original, axis.reduced) for axis in side]) for side in axes]
        back = [_Curves([(axis.reduced, axis.original) for axis in side]) for side in axes]
        routes = {"reduced": _Route(original, reduced, forth), "original": _Route(reduced, original, back)}
        object.__setattr__(self, "_routes", routes)

    def map_points(self, points: Floats, to: Side) -> Floats:
        """Map float64 (N, 2) points `to` the other picture."""
        return self._routes[to].points(points)

    def map_boxes(self, boxes: Floats, to: Side) -> Floats:
        """Map float64 (N, 4) boxes `to` the other picture."""
        return self._routes[to].boxes(boxes)

    def map_mask(self, mask: NDArray[Any], to: Side) -> NDArray[Any]:
        """Sample a mask `to` the other picture: each new pixel asks where its centre came from."""
        return self._routes["reduced" if to == "original" else "original"].sample(mask)

    def __repr__(self) -> str:
        return f"PieceStage({by(self.original_size)} -> {by(self.reduced_size)}, {len(self.pieces)} pieces)"

    def to_dict(self) -> dict[str, Any]:
        """Return the stage as JSON values."""
        pieces = [[list(p.original), list(p.reduced), p.x.to_list(), p.y.to_list()] for p in self.pieces]
        sizes = {"original": list(self.original_size), "reduced": list(self.reduced_size)}
        return {"kind": "pieces", **sizes, "pieces": pieces}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> PieceStage:
        """Return the stage that `to_dict` wrote; UsageError says what is wrong with anything else."""
        _, original, reduced, pieces = members(data, ("kind", "original", "reduced", "pieces"), "a stage")
        if not isinstance(pieces, list) or len(pieces) > MAX_PIECES:
            raise UsageError(f"the pieces of a stage must be a list of at most {MAX_PIECES}")
        if not all(isinstance(piece, list) and len(piece) == 4 for piece in pieces):
            raise UsageError("a piece must be a list of two rectangles and two axes")
        read = (Piece(a, b, Axis.from_list(x), Axis.from_list(y)) for a, b, x, y in pieces)
        return cls(original, reduced, tuple(read))


class _Route:
    """A stage in one direction, from the `source` picture to the `target` picture."""

    def __init__(self, source: _Tiling, target: _Tiling, curves: Sequence[_Curves]) -> None:
        self.source, self.target, self.curves = source, target, curves

    def _along(self, piece: Integers, local: Floats, limit: Limit) -> Floats:
        """Map positions (N, 2), relative to their pieces' starts on the source, to the target."""
        moved = [curve(piece, local[:, axis], limit) for axis, curve in enumerate(self.curves)]
        return np.stack(moved, axis=1) + self.target.rectangles[piece, :2]

    def points(self, points: Floats) -> Floats:
        piece = self.source.find(points)
        return self._along(piece, points - self.source.rectangles[piece, :2], "right")

    def boxes(self, boxes: Floats) -> Floats:
        whole = np.rint(boxes)
        boxes = np.where(np.abs(boxes - whole) < SNAP, whole, boxes)
        some = 2**20 // len(self.source.rectangles)  # bounds the table of boxes by pieces
        parts = [self._boxes(boxes[at : at + some]) for at in range(0, len(boxes), some)]
        return np.concatenate(parts) if parts else boxes

    def _boxes(self, boxes: Floats) -> Floats:
        box, piece = self._touching(boxes)
        low, high = np.hsplit(self.source.rectangles[piece], 2)
        begin = self._along(piece, np.maximum(boxes[box, :2] - low, 0), "right")
        end = self._along(piece, np.minimum(boxes[box, 2:], high) - low, "left")
        # A part that holds nothing of the target counts only where its box has no other part.
        solid = (end > begin).all(axis=1)
        has_solid = np.zeros(len(boxes), np.bool_)
        has_solid[box[solid]] = True
        used = solid | ~has_solid[box]
        box, begin, end = box[used], begin[used], end[used]
        groups = np.flatnonzero(np.diff(box, prepend=-1))
        low = np.minimum.reduceat(np.minimum(begin, end), groups)
        return np.concatenate((low, np.maximum.reduceat(np.maximum(begin, end), groups)), axis=1)

    def _touching(self, boxes: Floats) -> tuple[Integers, Integers]:
        """Return the pairs (box, piece) that share some area; an empty box counts as the pixel part right of it."""
        start = np.minimum(boxes[:, :2], np.nextafter(np.array(self.source.size, np.float64), 0))
        stop = np.maximum(boxes[:, 2:], np.nextafter(start, np.inf))
        x0, y0, x1, y1 = self.source.rectangles.T
        beside = (start[:, :1] < x1) & (stop[:, :1] > x0)
        box, piece = np.nonzero(beside & (start[:, 1:] < y1) & (stop[:, 1:] > y0) & self.source.filled)
        return box, piece

    def sample(self, mask: NDArray[Any]) -> NDArray[Any]:
        """Return a mask of the source's size whose pixels are those of the target's `mask` that their centres meet."""
        width, height = self.source.size
        sampled = np.empty((height, width, *mask.shape[2:]), mask.dtype)
        for piece in np.flatnonzero(self.source.filled):
            x0, y0, x1, y1 = self.source.rectangles[piece].tolist()
            columns, rows = self._pixels(piece, 0, x1 - x0), self._pixels(piece, 1, y1 - y0)
            sampled[y0:y1, x0:x1] = mask[np.ix_(rows, columns)]
        return sampled

    def _pixels(self, piece: np.int64, axis: int, count: int) -> Integers:
        low, high = self.target.rectangles[piece, axis::2].tolist()
        centres = np.arange(count, dtype=np.float64) + 0.5
        found: Integers = self.curves[axis](np.full(count, piece), centres, "right").astype(np.int64) + low
        last = min(max(high - 1, low), self.target.size[axis] - 1)  # a dropped piece is no pixel: its join's is taken
        return found.clip(max=last)


class _Tiling:
    """The rectangles of all pieces on one picture: checked to tile it, and found by position."""

    def __init__(self, size: Size, rectangles: Sequence[Rectangle], name: str) -> None:
        self.size = size
        self.rectangles = np.array(rectangles, dtype=np.int64)
        self.filled = (self.rectangles[:, 2:] > self.rectangles[:, :2]).all(axis=1)
        self._check(name)
        # P rectangles that tile one have fewer than P lines between them, so that this table stays small.
        self.cuts = [np.unique(self.rectangles[self.filled][:, axis::2]) for axis in (0, 1)]
        self.table = np.zeros([len(cuts) - 1 for cuts in self.cuts], np.int64)
        x0, x1 = np.searchsorted(self.cuts[0], self.rectangles[:, 0::2].T)
        y0, y1 = np.searchsorted(self.cuts[1], self.rectangles[:, 1::2].T)
        for piece in np.flatnonzero(self.filled):
            self.table[x0[piece] : x1[piece], y0[piece] : y1[piece]] = piece

    def _check(self, name: str) -> None:
        outside = (self.rectangles[:, 2:] > self.size).any(axis=1)
        if outside.any():
            found = tuple(self.rectangles[outside.argmax()].tolist())
            raise UsageError(f"the {name} rectangle {found} of a piece leaves the {name} picture of {by(self.size)}")
        x0, y0, x1, y1 = self.rectangles[self.filled].T
        beside = (x0[:, None] < x1) & (x1[:, None] > x0)
        overlaps = np.triu(beside & (y0[:, None] < y1) & (y1[:, None] > y0), 1)
        if overlaps.any():
            a, b = np.flatnonzero(self.filled)[np.argwhere(overlaps)[0]]
            raise UsageError(f"the {name} rectangles of pieces {a} and {b} overlap; pieces must tile the picture")
        covered, area = int(((x1 - x0) * (y1 - y0)).sum()), self.size[0] * self.size[1]
        if covered != area:
            raise UsageError(f"the {name} rectangles cover {covered} of {area} pixels; pieces must tile the picture")

    def find(self, points: Floats) -> Integers:
        """Return the index of the piece that each point (N, 2) lies in."""
        x, y = (
            np.minimum(np.searchsorted(cuts, points[:, axis], "right") - 1, len(cuts) - 2)
            for axis, cuts in enumerate(self.cuts)
        )
        return self.table[x, y]


class _Curves:
    """One axis of every piece, in one direction, laid end to end: positions on different pieces in one call."""

    def __init__(self, knots: Sequence[tuple[Floats, Floats]]) -> None:
        segments = np.array([len(source) - 1 for source, _ in knots])
        self.first = np.concatenate(([0], np.cumsum(segments + 1)[:-1]))
        self.last = self.first + segments
        self.steps = int(segments.max() - 1).bit_length()
        self.source = np.concatenate([source for source, _ in knots])
        self.target = np.concatenate([target for _, target in knots])
        run, rise = np.diff(self.source), np.diff(self.target)
        with np.errstate(over="ignore"):  # the steepest slope still meets the next knot, infinity would make NaN
            slope = np.divide(rise, run, out=np.zeros_like(run), where=run > 0)
        self.slope = np.minimum(slope, np.finfo(np.float64).max)

    def __call__(self, piece: Integers, at: Floats, limit: Limit) -> Floats:
        """Return where positions `at` (N,), relative to their `piece`, go; `limit` says which side of a join."""
        low, high = self.first[piece], self.last[piece]
        at = np.minimum(at, self.source[high])
        for _ in range(self.steps):
            middle = (low + high) // 2
            reached = self.source[middle] <= at if limit == "right" else self.source[middle] < at
            low, high = np.where(reached, middle, low), np.where(reached, high, middle)
        start, stop = self.target[low], self.target[low + 1]
        begun, over = at <= self.source[low], at >= self.source[low + 1]
        inner = np.minimum(start + self.slope[low] * (at - self.source[low]), stop)
        if limit == "right":
            return np.where(over, stop, np.where(begun, start, inner))
        return np.where(begun, start, np.where(over, stop, inner))
