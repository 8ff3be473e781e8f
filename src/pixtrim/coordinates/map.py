"""`CoordinateMap`, the chain of stages from an original picture to its reduced one, and its JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pixtrim.coordinates.axis import Axis, Floats, Integers, Size, array_of, by, members, shown, size_of
from pixtrim.coordinates.pieces import Piece, PieceStage, Side
from pixtrim.coordinates.seams import SeamStage
from pixtrim.errors import InputError, UsageError

Outside = Literal["raise", "clip"]

VERSION = 1
MAX_STAGES = 64
MAX_JSON = 4 * 2**20  # characters; parsed, they may take thirty times as many bytes
TOLERANCE = 1e-6  # pixels by which a position may miss the picture, for callers who computed it


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


_STAGES: dict[str, Callable[[dict[str, Any]], Stage]] = {
    "pieces": PieceStage.from_dict,
    "seams": SeamStage.from_dict,
}


@dataclass(frozen=True, repr=False)
class CoordinateMap:
    """Map positions between an original picture and its reduced one, by the conventions of `pixtrim.coordinates`.

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
        object.__setattr__(self, "original_size", size_of(self.original_size, "original size"))
        object.__setattr__(self, "stages", tuple(self.stages))
        if len(self.stages) > MAX_STAGES:
            raise UsageError(f"a coordinate map has {len(self.stages)} stages; at most {MAX_STAGES} are possible")
        size = self.original_size
        for stage in self.stages:
            if stage.original_size != size:
                raise UsageError(f"a map from {by(stage.original_size)} cannot follow one to {by(size)}")
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
        (w, h), (w2, h2) = size_of(original_size, "original size"), size_of(reduced_size, "reduced size")
        return cls.whole(Axis.scale(w, w2), Axis.scale(h, h2))

    @classmethod
    def keep(cls, rows: ArrayLike | None, cols: ArrayLike | None, size: Size) -> CoordinateMap:
        """Return the map of a picture of `size` (width, height) that kept some rows and columns; None keeps all.

        Rows and columns are rising indices, or bools for every row or column, as in `Axis.keep`.
        """
        w, h = size_of(size, "size")
        x = Axis.scale(w, w) if cols is None else Axis.keep(cols, w)
        y = Axis.scale(h, h) if rows is None else Axis.keep(rows, h)
        return cls.whole(x, y)

    @classmethod
    def whole(cls, x: Axis, y: Axis) -> CoordinateMap:
        """Return the map of a picture that changed as one piece, along two axes; both of their ends are its sizes."""
        original = size_of((x.original[-1], y.original[-1]), "original size")
        reduced = size_of((x.reduced[-1], y.reduced[-1]), "reduced size")
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
            raise UsageError(f"a map from {by(other.original_size)} cannot follow one to {by(self.reduced_size)}")
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
            raise UsageError(f'outside is {shown(outside)}; "raise" or "clip" is possible')
        kind, value = kinds[0], given[kinds[0]]
        if kind == "mask":
            return self._map_mask(to, value)
        if kind == "polygons" and not isinstance(value, np.ndarray):
            if not isinstance(value, (list, tuple)):
                raise UsageError(
                    f"polygons is {type(value).__name__}; one array of shape (N, 2) or a list of such is needed"
                )
            return [self._map_positions(to, array_of(polygon, "a polygon"), kind, outside) for polygon in value]
        return self._map_positions(to, value, kind, outside)

    def _map_mask(self, to: Side, value: ArrayLike) -> NDArray[Any]:
        source, size, _, stages = self._way(to)
        mask = array_of(value, "the mask")
        if mask.ndim not in (2, 3) or mask.shape[1::-1] != size:
            raise UsageError(f"the mask has shape {mask.shape}; the {source} picture is {by(size)}")
        for stage in stages:
            mask = stage.map_mask(mask, to)
        return mask if stages else mask.copy()

    def _map_positions(self, to: Side, value: Any, kind: str, outside: Outside) -> Floats | Integers:
        source, size, target_size, stages = self._way(to)
        given = _positions(value, kind, size, source, outside)
        if kind == "boxes":
            boxes = given.reshape(-1, 4)
            for stage in stages:
                boxes = stage.map_boxes(boxes, to)
            return boxes.reshape(given.shape)
        points = given.reshape(-1, 2) + (0.5 if kind == "pixels" else 0)
        for stage in stages:
            points = stage.map_points(points, to)
        if kind == "pixels":  # the last edge of the picture, where a dropped end collapses to, is in its last pixel
            points = np.minimum(np.floor(points), np.subtract(target_size, 1))
            return points.astype(np.int64).reshape(given.shape)
        return points.reshape(given.shape)

    def _way(self, to: Side) -> tuple[Side, Size, Size, tuple[Stage, ...]]:
        """Return which picture a way starts from, the sizes of its start and end, and its stages in order."""
        if to == "reduced":
            return "original", self.original_size, self.reduced_size, self.stages
        return "reduced", self.reduced_size, self.original_size, self.stages[::-1]

    def to_dict(self) -> dict[str, Any]:
        """Return the map as JSON values; `to_json` states the format."""
        return {"version": VERSION, "size": list(self.original_size), "stages": [s.to_dict() for s in self.stages]}

    def to_json(self) -> str:
        """Return the map as compact JSON, which `from_json` turns into an equal map.

        ``{"version": 1, "size": [w, h], "stages": [...]}``, a stage being ``{"kind": "pieces", "original": [w, h],
        "reduced": [w, h], "pieces": [...]}`` and a piece ``[original rectangle, reduced rectangle, x axis, y axis]``.
        An axis is ``[kept, dropped, kept, ...]`` in pixels where pixels were only kept or dropped, or else
        ``[[original knots], [reduced knots]]``. Seams are ``{"kind": "seams", "original": [w, h], "axis": "x" or "y",
        "removed": bits}``, one bit for each pixel, row by row from the highest bit of a byte on, deflated, in base64.

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
            version, size, stages = members(data, ("version", "size", "stages"), "the map")
            if version != VERSION or isinstance(version, bool):
                raise UsageError(f"version {shown(version)} is not known; this pixtrim reads version {VERSION}")
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
        return f"CoordinateMap({by(self.original_size)} -> {by(self.reduced_size)}, {stages})"


def _read_stage(data: Any) -> Stage:
    kind = data.get("kind") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in _STAGES:
        raise UsageError(f"a stage is of kind {shown(kind)}; known are {', '.join(_STAGES)}")
    return _STAGES[kind](data)


def _positions(value: Any, kind: str, size: Size, source: Side, outside: Outside) -> Floats:
    """Return positions as float64 inside of a picture, or say what is wrong with them."""
    given = array_of(value, kind)
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
        raise UsageError(
            f'{_first(at, wrong, kind)}; in the {source} picture {valid}, and outside="clip" moves what is outside'
        )
    at = np.clip(at, 0, last)
    if kind == "boxes" and (falls := at[..., :2] > at[..., 2:]).any():
        raise UsageError(f"{_first(at, falls, kind)}; (x0, y0, x1, y1) with x0 <= x1 and y0 <= y1 is needed")
    return at


def _first(at: Floats, wrong: NDArray[np.bool_], kind: str) -> str:
    index = tuple(np.argwhere(wrong)[0][:-1].tolist())
    return f"{kind}{list(index) if index else ''} is ({', '.join(f'{v:.10g}' for v in at[index])})"
