"""Positions on an original picture and on its reduced one, in both directions.

A `CoordinateMap` is a chain of stages; the usual stage is a `PieceStage`, rectangles of the original that were each
scaled, folded or warped by their own `Axis` in x and y, and laid out anew.

**Convention.** Coordinates are continuous: pixel ``i`` covers ``[i, i + 1)`` and its centre is ``i + 0.5``. Points are
``(x, y)``; boxes are edges ``(x0, y0, x1, y1)``, so that a whole picture is ``(0, 0, width, height)``. A model that
answers with whole pixels ("click at 412, 88") means pixel centres: pass such answers as ``pixels=``.

**Joins.** Where rows or columns were dropped, many original positions share one reduced position, the join. Back on
the original, a point at a join lands behind the dropped run (the right limit); a box takes the right limit for its
start and the left limit for its end, so that a box around kept content comes back tight. A box that is nothing but a
join comes back as the dropped run.

**Pieces.** A position on the border of two pieces belongs to the right or lower one. A box that spans pieces becomes
the bounding box of its mapped parts; parts that hold nothing of the other picture (padding, dropped content) do not
widen it, unless the box has no other part. Positions in the padding of a piece mean the last edge of the piece.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError, UsageError

__all__ = ["Axis", "CoordinateMap", "Piece", "PieceStage", "Stage"]

Size = tuple[int, int]
Rectangle = tuple[int, int, int, int]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Side = Literal["original", "reduced"]
Outside = Literal["raise", "clip"]

VERSION = 1
MAX_SIDE = 1_000_000  # pixels; keeps every sum below exact in float64
MAX_PIECES = 4096
MAX_STAGES = 64
MAX_JSON = 4 * 2**20  # characters; parsed, they may take thirty times as many bytes
TOLERANCE = 1e-6  # pixels by which a position may miss the picture, for callers who computed it
SNAP = 1e-9  # pixels; a box edge this near to a whole number is that number with rounding errors


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Axis:
    """A monotone piecewise-linear map along one side of a piece, in positions relative to the piece's start.

    Parameters
    ----------
    original, reduced : array_like of float, shape (K,), K >= 2
        The knots in pixels: ``original[k]`` corresponds to ``reduced[k]``. Both start at 0 and never fall. Equal
        neighbours in `reduced` are a dropped run; equal neighbours in `original` are inserted pixels.

    Raises
    ------
    UsageError
        If the knots are not such a pair.

    Examples
    --------
    >>> Axis.keep([0, 1, 5], 6)
    Axis(6 -> 3, 4 knots)
    >>> Axis([0, 10, 20], [0, 10, 13.5])
    Axis(20 -> 13.5, 3 knots)
    """

    original: Floats
    reduced: Floats

    def __init__(self, original: ArrayLike, reduced: ArrayLike) -> None:
        for name, given in (("original", original), ("reduced", reduced)):
            try:
                knots = np.array(given, dtype=np.float64)
            except (TypeError, ValueError, OverflowError):
                raise UsageError(f"the {name} knots of an axis must be numbers") from None
            if knots.ndim != 1 or len(knots) < 2:
                raise UsageError(f"the {name} knots of an axis have shape {knots.shape}; two or more in one row needed")
            if not (knots[0] == 0 and knots[-1] <= MAX_SIDE and (np.diff(knots) >= 0).all()):
                raise UsageError(f"the {name} knots of an axis must start at 0 and rise to at most {MAX_SIDE}")
            knots.flags.writeable = False
            object.__setattr__(self, name, knots)
        if len(self.original) != len(self.reduced):
            raise UsageError(
                f"an axis has {len(self.original)} original and {len(self.reduced)} reduced knots; not equal"
            )

    @classmethod
    def scale(cls, n_original: int, n_reduced: int) -> Axis:
        """Return the even scaling of `n_original` pixels to `n_reduced` pixels."""
        return cls((0, n_original), (0, n_reduced))

    @classmethod
    def keep(cls, indices: ArrayLike, n_original: int) -> Axis:
        """Return the axis that keeps some of `n_original` pixels at slope 1 and collapses the others.

        Parameters
        ----------
        indices : array_like
            The kept pixels, either rising integers within 0 to ``n_original - 1`` or bool of shape (n_original,).
        n_original : int
            How many pixels there are, 1 to 1,000,000.

        Raises
        ------
        UsageError
            If the indices fall, repeat or leave the range.
        """
        (n,) = _integers((n_original,), 1, "n_original", 1)
        chosen = _array(indices, "kept indices")
        if chosen.dtype == np.bool_ and chosen.shape == (n,):
            kept = chosen
        else:
            if chosen.ndim != 1 or (chosen.size and chosen.dtype.kind not in "iu"):
                raise UsageError(
                    f"kept indices must be integers in one row, or {n} bools; got {chosen.dtype} {chosen.shape}"
                )
            if chosen.size and not (chosen[0] >= 0 and chosen[-1] < n and (chosen[1:] > chosen[:-1]).all()):
                raise UsageError(f"kept indices must rise within 0 to {n - 1}")
            kept = np.zeros(n, np.bool_)
            kept[chosen.astype(np.int64)] = True
        edges = np.concatenate(([0], np.flatnonzero(kept[1:] != kept[:-1]) + 1, [n]))
        before = np.concatenate(([0], np.cumsum(kept)))
        return cls(edges, before[edges])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Axis):
            return NotImplemented
        return np.array_equal(self.original, other.original) and np.array_equal(self.reduced, other.reduced)

    def __repr__(self) -> str:
        return f"Axis({self.original[-1]:g} -> {self.reduced[-1]:g}, {len(self.original)} knots)"

    def to_list(self) -> list[Any]:
        """Return the axis for JSON: ``[kept, dropped, kept, ...]`` run lengths, or ``[original, reduced]`` knots."""
        runs, rises = np.diff(self.original), np.diff(self.reduced)
        kept = rises > 0
        folded = (runs > 0) & (runs == np.rint(runs)) & (rises == np.where(kept, runs, 0))
        if folded.all() and (kept[1:] != kept[:-1]).all():
            return [0] * (not kept[0]) + [int(run) for run in runs]
        return [[int(v) if v.is_integer() else v for v in knots.tolist()] for knots in (self.original, self.reduced)]

    @classmethod
    def from_list(cls, data: object) -> Axis:
        """Return the axis that `to_list` wrote; UsageError says what is wrong with anything else."""
        if isinstance(data, list) and len(data) == 2 and all(isinstance(knots, list) for knots in data):
            return cls(_numbers(data[0]), _numbers(data[1]))
        runs = _numbers(data, whole=True)
        kept = np.where(np.arange(len(runs)) % 2 == 0, runs, 0)
        used = slice(1 if len(runs) and runs[0] == 0 else 0, None)  # a leading 0 only says that a dropped run is first
        return cls([0, *np.cumsum(runs[used])], [0, *np.cumsum(kept[used])])


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
            x0, y0, x1, y1 = _integers(getattr(self, name), 4, f"the {name} rectangle of a piece", 0)
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
        object.__setattr__(self, "original_size", _size(self.original_size, "original size"))
        object.__setattr__(self, "reduced_size", _size(self.reduced_size, "reduced size"))
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
        return f"PieceStage({_by(self.original_size)} -> {_by(self.reduced_size)}, {len(self.pieces)} pieces)"

    def to_dict(self) -> dict[str, Any]:
        """Return the stage as JSON values."""
        pieces = [[list(p.original), list(p.reduced), p.x.to_list(), p.y.to_list()] for p in self.pieces]
        sizes = {"original": list(self.original_size), "reduced": list(self.reduced_size)}
        return {"kind": "pieces", **sizes, "pieces": pieces}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> PieceStage:
        """Return the stage that `to_dict` wrote; UsageError says what is wrong with anything else."""
        _, original, reduced, pieces = _members(data, ("kind", "original", "reduced", "pieces"), "a stage")
        if not isinstance(pieces, list) or len(pieces) > MAX_PIECES:
            raise UsageError(f"the pieces of a stage must be a list of at most {MAX_PIECES}")
        if not all(isinstance(piece, list) and len(piece) == 4 for piece in pieces):
            raise UsageError("a piece must be a list of two rectangles and two axes")
        read = (Piece(a, b, Axis.from_list(x), Axis.from_list(y)) for a, b, x, y in pieces)
        return cls(original, reduced, tuple(read))


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
            raise UsageError(f"the {name} rectangle {found} of a piece leaves the {name} picture of {_by(self.size)}")
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

    def __call__(self, piece: Integers, at: Floats, limit: Literal["left", "right"]) -> Floats:
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


class _Route:
    """A stage in one direction, from the `source` picture to the `target` picture."""

    def __init__(self, source: _Tiling, target: _Tiling, curves: Sequence[_Curves]) -> None:
        self.source, self.target, self.curves = source, target, curves

    def _along(self, piece: Integers, local: Floats, limit: Literal["left", "right"]) -> Floats:
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


class Stage(Protocol):
    """One step of a `CoordinateMap`: what a new kind of stage must offer.

    `map_points` takes and returns float64 (N, 2), `map_boxes` float64 (N, 4), both inside the picture that they
    come from and the one that they go to; `map_mask` takes an array of the one picture's shape (H, W) or (H, W, C)
    and returns the other's. `to_dict` gives JSON values with the stage's ``"kind"``, under which `_STAGES` reads it.
    """

    @property
    def original_size(self) -> Size: ...
    @property
    def reduced_size(self) -> Size: ...
    def map_points(self, points: Floats, to: Side) -> Floats: ...
    def map_boxes(self, boxes: Floats, to: Side) -> Floats: ...
    def map_mask(self, mask: NDArray[Any], to: Side) -> NDArray[Any]: ...
    def to_dict(self) -> dict[str, Any]: ...


_STAGES: dict[str, Callable[[dict[str, Any]], Stage]] = {"pieces": PieceStage.from_dict}


@dataclass(frozen=True, repr=False)
class CoordinateMap:
    """Map positions between an original picture and its reduced one; the module's text states the conventions.

    Parameters
    ----------
    original_size : tuple of int, (width, height)
        In pixels, 1 to 1,000,000 each.
    stages : sequence of Stage, at most 64
        The steps from the original to the reduced picture; none is the identity.

    Raises
    ------
    UsageError
        If a stage's size is not the size that comes before it.

    Examples
    --------
    >>> half = CoordinateMap.scale((800, 600), (400, 300))
    >>> half.to_original([100, 50])
    array([200., 100.])
    >>> half.to_reduced(boxes=[[0, 0, 800, 600]])
    array([[  0.,   0., 400., 300.]])
    >>> folded = CoordinateMap.keep([0, 1, 2, 97, 98, 99], None, (800, 100))
    >>> folded.then(CoordinateMap.scale((800, 6), (400, 3)))
    CoordinateMap(800x100 -> 400x3, 2 stages)
    >>> folded.to_original(pixels=[412, 3])  # a model's click on a pixel of the reduced picture
    array([412,  97])
    >>> CoordinateMap.from_json(folded.to_json()) == folded
    True
    """

    original_size: Size
    stages: tuple[Stage, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "original_size", _size(self.original_size, "original size"))
        object.__setattr__(self, "stages", tuple(self.stages))
        if len(self.stages) > MAX_STAGES:
            raise UsageError(f"a coordinate map has {len(self.stages)} stages; at most {MAX_STAGES} are possible")
        size = self.original_size
        for stage in self.stages:
            if stage.original_size != size:
                raise UsageError(f"a map from {_by(stage.original_size)} cannot follow one to {_by(size)}")
            size = stage.reduced_size

    @property
    def reduced_size(self) -> Size:
        """The (width, height) of the reduced picture, in pixels."""
        return self.stages[-1].reduced_size if self.stages else self.original_size

    @classmethod
    def identity(cls, width: int, height: int) -> CoordinateMap:
        """Return the map of a picture onto itself."""
        return cls((width, height))

    @classmethod
    def scale(cls, original_size: Size, reduced_size: Size) -> CoordinateMap:
        """Return the map of a plain resize between two sizes (width, height)."""
        (w, h), (w2, h2) = _size(original_size, "original size"), _size(reduced_size, "reduced size")
        return cls.whole(Axis.scale(w, w2), Axis.scale(h, h2))

    @classmethod
    def keep(cls, rows: ArrayLike | None, cols: ArrayLike | None, size: Size) -> CoordinateMap:
        """Return the map of a picture of `size` (width, height) that kept some rows and columns; None keeps all.

        Rows and columns are rising indices, or bools for every row or column, as in `Axis.keep`.
        """
        w, h = _size(size, "size")
        x = Axis.scale(w, w) if cols is None else Axis.keep(cols, w)
        return cls.whole(x, Axis.scale(h, h) if rows is None else Axis.keep(rows, h))

    @classmethod
    def whole(cls, x: Axis, y: Axis) -> CoordinateMap:
        """Return the map of a picture that changed as one piece, along two axes; both of their ends are its sizes."""
        original = _size((x.original[-1], y.original[-1]), "original size")
        reduced = _size((x.reduced[-1], y.reduced[-1]), "reduced size")
        return cls.pieces([Piece((0, 0, *original), (0, 0, *reduced), x, y)], original, reduced)

    @classmethod
    def pieces(cls, pieces: Iterable[Piece], original_size: Size, reduced_size: Size) -> CoordinateMap:
        """Return the map of a picture whose pieces were changed and laid out apart, as `PieceStage` describes."""
        return cls(original_size, (PieceStage(original_size, reduced_size, tuple(pieces)),))

    def then(self, other: CoordinateMap) -> CoordinateMap:
        """Return this map followed by `other`, whose original is this map's reduced picture.

        Raises
        ------
        UsageError
            If the two sizes differ.
        """
        if other.original_size != self.reduced_size:
            raise UsageError(f"a map from {_by(other.original_size)} cannot follow one to {_by(self.reduced_size)}")
        return CoordinateMap(self.original_size, self.stages + other.stages)

    # fmt: off
    @overload
    def to_original(self, points: ArrayLike, *, outside: Outside = ...) -> Floats: ...
    @overload
    def to_original(self, *, pixels: ArrayLike, outside: Outside = ...) -> Integers: ...
    @overload
    def to_original(self, *, boxes: ArrayLike, outside: Outside = ...) -> Floats: ...
    @overload
    def to_original(self, *, polygons: NDArray[Any], outside: Outside = ...) -> Floats: ...
    @overload
    def to_original(self, *, polygons: Sequence[ArrayLike], outside: Outside = ...) -> list[Floats]: ...
    @overload
    def to_original(self, *, mask: ArrayLike) -> NDArray[Any]: ...
    # fmt: on
    def to_original(
        self,
        points: ArrayLike | None = None,
        *,
        pixels: ArrayLike | None = None,
        boxes: ArrayLike | None = None,
        polygons: NDArray[Any] | Sequence[ArrayLike] | None = None,
        mask: ArrayLike | None = None,
        outside: Outside = "raise",
    ) -> Any:
        """Map positions on the reduced picture to the original; give exactly one kind of them.

        Parameters
        ----------
        points : array_like, shape (..., 2)
            Continuous positions (x, y) in pixels.
        pixels : array_like of int, shape (..., 2)
            Whole pixels (column, row), such as a model's click. The pixel's centre is mapped, and the pixel that it
            falls into comes back.
        boxes : array_like, shape (..., 4)
            Edges (x0, y0, x1, y1) with x0 <= x1 and y0 <= y1.
        polygons : ndarray of shape (N, 2), or a list of array_like of shape (N, 2)
            One polygon or several; their vertices are mapped as points are.
        mask : array_like, shape (H, W) or (H, W, C), any dtype
            Sampled at pixel centres, the nearest pixel.
        outside : {"raise", "clip"}
            What to do with positions more than 1e-6 pixels outside of the picture: refuse them, or move them to its
            edge.

        Returns
        -------
        ndarray or list of ndarray
            The same kind and shape in float64; int64 for pixels; the mask's dtype at the other picture's size.

        Raises
        ------
        UsageError
            If a position is not a number or outside of the picture, or a shape or dtype is not as above.
        """
        given = {"points": points, "pixels": pixels, "boxes": boxes, "polygons": polygons, "mask": mask}
        return self._map("original", given, outside)

    # fmt: off
    @overload
    def to_reduced(self, points: ArrayLike, *, outside: Outside = ...) -> Floats: ...
    @overload
    def to_reduced(self, *, pixels: ArrayLike, outside: Outside = ...) -> Integers: ...
    @overload
    def to_reduced(self, *, boxes: ArrayLike, outside: Outside = ...) -> Floats: ...
    @overload
    def to_reduced(self, *, polygons: NDArray[Any], outside: Outside = ...) -> Floats: ...
    @overload
    def to_reduced(self, *, polygons: Sequence[ArrayLike], outside: Outside = ...) -> list[Floats]: ...
    @overload
    def to_reduced(self, *, mask: ArrayLike) -> NDArray[Any]: ...
    # fmt: on
    def to_reduced(
        self,
        points: ArrayLike | None = None,
        *,
        pixels: ArrayLike | None = None,
        boxes: ArrayLike | None = None,
        polygons: NDArray[Any] | Sequence[ArrayLike] | None = None,
        mask: ArrayLike | None = None,
        outside: Outside = "raise",
    ) -> Any:
        """Map positions on the original picture to the reduced one; everything else is as in `to_original`.

        Positions in dropped rows and columns map to the join; a mask loses them, and keeps every kept pixel.
        """
        given = {"points": points, "pixels": pixels, "boxes": boxes, "polygons": polygons, "mask": mask}
        return self._map("reduced", given, outside)

    def _map(self, to: Side, given: dict[str, Any], outside: Outside) -> Any:
        kinds = [kind for kind, value in given.items() if value is not None]
        if len(kinds) != 1:
            raise UsageError(f"got {' and '.join(kinds) or 'nothing'} to map; give one of {', '.join(given)}")
        if outside not in ("raise", "clip"):
            raise UsageError(f'outside is {_shown(outside)}; "raise" or "clip" is possible')
        kind, value = kinds[0], given[kinds[0]]
        stages = self.stages if to == "reduced" else self.stages[::-1]
        sizes = (self.original_size, self.reduced_size) if to == "reduced" else (self.reduced_size, self.original_size)
        picture = f"the {'original' if to == 'reduced' else 'reduced'} picture"

        if kind == "mask":
            mask = _array(value, "the mask")
            if mask.ndim not in (2, 3) or mask.shape[1::-1] != sizes[0]:
                raise UsageError(f"the mask has shape {mask.shape}; {picture} is {_by(sizes[0])}")
            for stage in stages:
                mask = stage.map_mask(mask, to)
            return mask.copy() if not stages else mask

        if kind == "polygons" and not isinstance(value, np.ndarray):
            if not isinstance(value, (list, tuple)):
                raise UsageError(
                    f"polygons is {type(value).__name__}; one array of shape (N, 2) or a list of such is needed"
                )
            return [self._map(to, {"polygons": _array(polygon, "a polygon")}, outside) for polygon in value]

        positions = _positions(value, kind, sizes[0], picture, outside)
        shape = positions.shape
        if kind == "boxes":
            positions = positions.reshape(-1, 4)
            for stage in stages:
                positions = stage.map_boxes(positions, to)
            return positions.reshape(shape)
        positions = positions.reshape(-1, 2) + (0.5 if kind == "pixels" else 0)
        for stage in stages:
            positions = stage.map_points(positions, to)
        if kind == "pixels":  # the last edge of the picture, where a dropped end collapses to, is in its last pixel
            return np.minimum(np.floor(positions), np.subtract(sizes[1], 1)).astype(np.int64).reshape(shape)
        return positions.reshape(shape)

    def to_dict(self) -> dict[str, Any]:
        """Return the map as JSON values; `to_json` states the format."""
        return {"version": VERSION, "size": list(self.original_size), "stages": [s.to_dict() for s in self.stages]}

    def to_json(self) -> str:
        """Return the map as compact JSON, which `from_json` turns into an equal map.

        ``{"version": 1, "size": [w, h], "stages": [...]}``, a stage being ``{"kind": "pieces", "original": [w, h],
        "reduced": [w, h], "pieces": [...]}`` and a piece ``[original rectangle, reduced rectangle, x axis, y axis]``.
        An axis is ``[kept, dropped, kept, ...]`` in pixels where pixels were only kept or dropped, or else
        ``[[original knots], [reduced knots]]``.

        Examples
        --------
        >>> folded = CoordinateMap.keep([0, 1, 2, 97, 98, 99], None, (800, 100))
        >>> folded.to_dict()["stages"][0]["pieces"]
        [[[0, 0, 800, 100], [0, 0, 800, 6], [800], [3, 94, 3]]]
        """
        return json.dumps(self.to_dict(), separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_dict(cls, data: object) -> CoordinateMap:
        """Return the map that `to_dict` wrote.

        Raises
        ------
        InputError
            If the values are not such a map.
        """
        try:
            version, size, stages = _members(data, ("version", "size", "stages"), "the map")
            if version != VERSION or isinstance(version, bool):
                raise UsageError(f"version {_shown(version)} is not known; this pixtrim reads version {VERSION}")
            if not isinstance(stages, list) or len(stages) > MAX_STAGES:
                raise UsageError(f"the stages must be a list of at most {MAX_STAGES}")
            return cls(size, tuple(_read_stage(stage) for stage in stages))
        except UsageError as error:
            raise InputError(f"not a coordinate map: {error}") from None

    @classmethod
    def from_json(cls, text: str) -> CoordinateMap:
        """Return the map that `to_json` wrote.

        Raises
        ------
        InputError
            If the text is not such a map, or longer than 4,194,304 characters.
        UsageError
            If it is no text at all.
        """
        if not isinstance(text, str):
            raise UsageError(f"the JSON of a coordinate map is {type(text).__name__}; a str is needed")
        if len(text) > MAX_JSON:
            raise InputError(f"not a coordinate map: {len(text)} characters of JSON; at most {MAX_JSON} are read")
        try:
            data = json.loads(text)
        except (ValueError, TypeError, RecursionError) as error:
            raise InputError(f"not a coordinate map: the JSON cannot be read ({error!s:.80})") from None
        return cls.from_dict(data)

    def __repr__(self) -> str:
        stages = f"{len(self.stages)} stage{'s' * (len(self.stages) != 1)}"
        return f"CoordinateMap({_by(self.original_size)} -> {_by(self.reduced_size)}, {stages})"


def _positions(value: Any, kind: str, size: Size, picture: str, outside: Outside) -> Floats:
    """Return positions as float64 inside of a picture, or say what is wrong with them."""
    given = _array(value, kind)
    length = 4 if kind == "boxes" else 2
    if given.shape == (0,):
        given = np.zeros((0, length), np.int64)
    if given.ndim == 0 or given.shape[-1] != length or (kind == "polygons" and given.ndim != 2):
        raise UsageError(
            f"{kind} have shape {given.shape}; ({'N' if kind == 'polygons' else '...'}, {length}) is needed"
        )
    if given.dtype.kind not in ("iu" if kind == "pixels" else "iuf"):
        raise UsageError(f"{kind} are {given.dtype}; {'integers' if kind == 'pixels' else 'numbers'} are needed")
    at = given.astype(np.float64)
    last = np.tile(np.subtract(size, kind == "pixels"), length // 2)
    wrong = np.isnan(at) if outside == "clip" else ~((at >= -TOLERANCE) & (at <= last + TOLERANCE))
    if wrong.any():
        valid = f"x may be 0 to {last[0]} and y 0 to {last[1]}"
        raise UsageError(f'{_first(at, wrong, kind)}; in {picture} {valid}, and outside="clip" moves what is outside')
    at = np.clip(at, 0, last)
    if kind == "boxes" and (falls := at[..., :2] > at[..., 2:]).any():
        raise UsageError(f"{_first(at, falls, kind)}; (x0, y0, x1, y1) with x0 <= x1 and y0 <= y1 is needed")
    return at


def _first(at: Floats, wrong: NDArray[np.bool_], kind: str) -> str:
    index = tuple(np.argwhere(wrong)[0][:-1].tolist())
    return f"{kind}{list(index) if index else ''} is ({', '.join(f'{v:.10g}' for v in at[index])})"


def _array(value: Any, name: str) -> NDArray[Any]:
    try:
        return np.asarray(value)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{name} cannot be made an array: rows of one length are needed") from None


def _integers(values: Any, count: int, name: str, least: int) -> tuple[int, ...]:
    """Return `count` whole numbers from `least` to the longest side."""
    found = list(values) if isinstance(values, (tuple, list, np.ndarray)) else [values]
    numbers = [v for v in found if isinstance(v, (int, float, np.integer, np.floating)) and not isinstance(v, bool)]
    if len(found) != count or len(numbers) != count or not all(least <= v <= MAX_SIDE and v == int(v) for v in numbers):
        what = "a whole number" if count == 1 else f"{count} whole numbers"
        raise UsageError(f"{name} is {_shown(values)}; {what} from {least} to {MAX_SIDE} needed")
    return tuple(int(v) for v in numbers)


def _size(values: Any, name: str) -> Size:
    width, height = _integers(values, 2, name, 1)
    return width, height


def _shown(value: object) -> str:
    """Return a value for a message: one short line, whatever it is."""
    try:
        return " ".join(repr(value).split())[:80]
    except (ValueError, RecursionError):  # an integer of thousands of digits, or lists nested as deep
        return type(value).__name__


def _by(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def _members(data: object, names: tuple[str, ...], what: str) -> list[Any]:
    """Return the values of a JSON object that must have these members and no others."""
    if not isinstance(data, dict) or set(data) != set(names):
        raise UsageError(f"{what} must be an object with the members {', '.join(names)}")
    return [data[name] for name in names]


def _read_stage(data: Any) -> Stage:
    kind = data.get("kind") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in _STAGES:
        raise UsageError(f"a stage is of kind {_shown(kind)}; known are {', '.join(_STAGES)}")
    return _STAGES[kind](data)


def _numbers(data: object, whole: bool = False) -> Floats:
    """Return a JSON list of numbers, none of them negative, as an array."""
    types = (int,) if whole else (int, float)
    if not isinstance(data, list) or not all(type(v) in types and 0 <= v <= MAX_SIDE for v in data):
        raise UsageError(f"an axis must be run lengths or two lists of knots, with numbers from 0 to {MAX_SIDE}")
    return np.array(data, dtype=np.float64)
