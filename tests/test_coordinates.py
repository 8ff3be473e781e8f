from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixtrim.coordinates import MAX_JSON, Axis, CoordinateMap, Piece, PieceStage
from pixtrim.errors import InputError, UsageError

# ---------------------------------------------------------------- random maps


@st.composite
def axes(draw: st.DrawFn, n: int, least: int = 0) -> Axis:
    """An axis of n pixels: kept as it is, folded, or scaled."""
    kind = draw(st.sampled_from(("keep", "scale", "all")))
    if kind == "keep":
        kept = draw(st.lists(st.booleans(), min_size=n, max_size=n))
        if sum(kept) >= least:
            return Axis.keep(np.array(kept), n)
    if kind == "scale":
        return Axis.scale(n, draw(st.integers(1, 2 * n)))
    return Axis.scale(n, n)


@st.composite
def keeps(draw: st.DrawFn) -> CoordinateMap:
    w, h = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    rows = draw(st.sets(st.integers(0, h - 1), min_size=1))
    cols = draw(st.sets(st.integers(0, w - 1), min_size=1))
    return CoordinateMap.keep(sorted(rows), sorted(cols), (w, h))


@st.composite
def wholes(draw: st.DrawFn) -> CoordinateMap:
    x, y = (draw(axes(draw(st.integers(1, 30)), least=1)) for _ in range(2))
    return CoordinateMap.whole(x, y)


@st.composite
def cuts(draw: st.DrawFn, size: tuple[int, int] | None = None, kept: bool = False) -> CoordinateMap:
    """A random X-Y cut: nested slices, each leaf changed by axes of its own, shorter leaves padded."""
    size = size or (draw(st.integers(1, 30)), draw(st.integers(1, 30)))

    def grow(x0: int, y0: int, x1: int, y1: int, depth: int) -> dict[str, Any]:
        along = draw(st.sampled_from((0, 1, None))) if depth else None
        low, high = ((x0, x1), (y0, y1))[along or 0]
        if along is None or high - low < 2:
            x, y = ((Axis.scale(n, n) if kept else draw(axes(n))) for n in (x1 - x0, y1 - y0))
            return {"at": (x0, y0, x1, y1), "axes": (x, y), "size": [int(x.reduced[-1]), int(y.reduced[-1])]}
        cut = draw(st.integers(low + 1, high - 1))
        first, second = ((x0, y0, cut, y1), (cut, y0, x1, y1)) if along == 0 else ((x0, y0, x1, cut), (x0, cut, x1, y1))
        children = [grow(*first, depth - 1), grow(*second, depth - 1)]
        join: list[Any] = [max, max]
        join[along] = lambda a, b: a + b
        sizes = zip(children[0]["size"], children[1]["size"], strict=True)
        return {"along": along, "children": children, "size": [f(a, b) for f, (a, b) in zip(join, sizes, strict=True)]}

    def place(node: dict[str, Any], x0: int, y0: int, x1: int, y1: int) -> list[Piece]:
        if "axes" in node:
            return [Piece(node["at"], (x0, y0, x1, y1), *node["axes"])]
        first, second = node["children"]
        if node["along"] == 0:
            cut = x0 + first["size"][0]
            return place(first, x0, y0, cut, y1) + place(second, cut, y0, x1, y1)
        cut = y0 + first["size"][1]
        return place(first, x0, y0, x1, cut) + place(second, x0, cut, x1, y1)

    tree = grow(0, 0, *size, depth=3)
    reduced = tuple(max(side, 1) + draw(st.integers(0, 2)) for side in tree["size"])
    return CoordinateMap.pieces(place(tree, 0, 0, *reduced), size, reduced)


@st.composite
def chains(draw: st.DrawFn) -> CoordinateMap:
    first = draw(cuts())
    return first.then(draw(cuts(size=first.reduced_size)))


any_map = st.one_of(keeps(), wholes(), cuts(), chains())


def random_points(size: tuple[int, int], data: st.DataObject, count: int = 24) -> np.ndarray:
    """Points on an eighth-pixel lattice, edges and integer positions among them."""
    eighths = [st.integers(0, 8 * side) for side in size]
    return np.array(data.draw(st.lists(st.tuples(*eighths), min_size=1, max_size=count))) / 8


def random_boxes(size: tuple[int, int], data: st.DataObject) -> np.ndarray:
    a, b = random_points(size, data, 8), random_points(size, data, 8)
    n = min(len(a), len(b))
    return np.concatenate((np.minimum(a[:n], b[:n]), np.maximum(a[:n], b[:n])), axis=1)


def centres(size: tuple[int, int]) -> np.ndarray:
    y, x = np.mgrid[: size[1], : size[0]]
    return np.stack((x, y), axis=-1) + 0.5


# ---------------------------------------------------------------- known vectors


def test_scale_moves_points_boxes_and_edges() -> None:
    m = CoordinateMap.scale((100, 60), (50, 20))
    np.testing.assert_array_equal(m.to_reduced([[0, 0], [100, 60], [50, 30]]), [[0, 0], [50, 20], [25, 10]])
    np.testing.assert_array_equal(m.to_original(boxes=[5, 5, 10, 20]), [10, 15, 20, 60])
    assert (m.original_size, m.reduced_size) == ((100, 60), (50, 20))


def test_keep_joins_take_the_documented_limits() -> None:
    m = CoordinateMap.keep([0, 1, 2, 7, 8], None, (4, 10))  # dropped: 3..6 and 9
    assert m.reduced_size == (4, 5)
    np.testing.assert_array_equal(
        m.to_reduced([[1.0, 2.5], [1.0, 3.0], [1.0, 5.5], [1.0, 7.0], [1.0, 9.5]])[:, 1], [2.5, 3, 3, 3, 5]
    )
    np.testing.assert_array_equal(m.to_original([[1.0, 3.0], [1.0, 2.75], [1.0, 5.0]])[:, 1], [7, 2.75, 10])
    boxes = [[0, 0, 4, 3], [0, 3, 4, 5], [0, 2, 4, 4], [0, 3, 4, 3]]
    np.testing.assert_array_equal(m.to_original(boxes=boxes)[:, 1::2], [[0, 3], [7, 9], [2, 8], [3, 7]])


def test_a_join_at_the_start_of_the_picture() -> None:
    m = CoordinateMap.keep([4, 5], None, (3, 6))
    np.testing.assert_array_equal(m.to_original([[0, 0], [0, 2]]), [[0, 4], [0, 6]])
    np.testing.assert_array_equal(m.to_original(boxes=[0, 0, 3, 2]), [0, 4, 3, 6])
    np.testing.assert_array_equal(m.to_reduced(boxes=[0, 0, 3, 4]), [0, 0, 3, 0])


def columns_swapped() -> CoordinateMap:
    """A 20x10 page whose right column (rows 0 to 3 of it) went below the left one, with 2 rows of padding."""
    left = Piece((0, 0, 10, 10), (0, 0, 10, 10), Axis.scale(10, 10), Axis.scale(10, 10))
    right = Piece((10, 0, 20, 10), (0, 10, 10, 16), Axis.scale(10, 10), Axis.keep(range(4), 10))
    return CoordinateMap.pieces([left, right], (20, 10), (10, 16))


def test_pieces_move_apart() -> None:
    m = columns_swapped()
    np.testing.assert_array_equal(m.to_reduced([[3, 4], [13, 2], [10, 0]]), [[3, 4], [3, 12], [0, 10]])
    np.testing.assert_array_equal(m.to_original([[3.0, 12.0], [3.0, 9.5]]), [[13, 2], [3, 9.5]])
    np.testing.assert_array_equal(m.to_original([3, 15.5]), [13, 10])  # padding: the last edge
    np.testing.assert_array_equal(m.to_reduced(boxes=[8, 1, 12, 3]), [0, 1, 10, 13])
    np.testing.assert_array_equal(m.to_original(boxes=[0, 11, 10, 16]), [10, 1, 20, 4])
    np.testing.assert_array_equal(m.to_original(boxes=[0, 15, 10, 16]), [10, 4, 20, 10])  # padding alone
    # Rows 5 to 9 of the right column were dropped: they do not drag the box to the other end of the picture.
    np.testing.assert_array_equal(m.to_reduced(boxes=[8, 5, 12, 8]), [8, 5, 10, 8])


def test_a_rounding_error_does_not_spill_into_the_next_piece() -> None:
    m = columns_swapped()
    np.testing.assert_array_equal(m.to_reduced(boxes=[2, 1, 10.000000000000002, 3]), [2, 1, 10, 3])


def test_a_dropped_piece_takes_no_room() -> None:
    kept = Piece((0, 0, 6, 4), (0, 0, 6, 4), Axis.scale(6, 6), Axis.scale(4, 4))
    dropped = Piece((0, 4, 6, 9), (0, 4, 6, 4), Axis.scale(6, 6), Axis.keep([], 5))
    m = CoordinateMap.pieces([kept, dropped], (6, 9), (6, 4))
    np.testing.assert_array_equal(m.to_reduced([[2, 7]]), [[2, 4]])
    np.testing.assert_array_equal(m.to_reduced(boxes=[1, 3, 3, 9]), [1, 3, 3, 4])
    mask = np.arange(24, dtype=np.uint8).reshape(4, 6)
    np.testing.assert_array_equal(m.to_reduced(mask=m.to_original(mask=mask)), mask)


def test_a_dropped_piece_is_not_found_again() -> None:
    """The dropped right column was put, without any width, into the middle of the kept one."""
    kept = Piece((0, 0, 6, 4), (0, 0, 6, 4), Axis.scale(6, 6), Axis.scale(4, 4))
    dropped = Piece((6, 0, 9, 4), (2, 0, 2, 4), Axis.keep([], 3), Axis.scale(4, 4))
    m = CoordinateMap.pieces([kept, dropped], (9, 4), (6, 4))
    np.testing.assert_array_equal(m.to_original(boxes=[[1, 2, 3, 2], [1, 1, 3, 3]]), [[1, 2, 3, 2], [1, 1, 3, 3]])
    np.testing.assert_array_equal(m.to_original([2, 2]), [2, 2])


def test_inserted_pixels_are_the_inverse_of_dropped_ones() -> None:
    m = CoordinateMap.whole(Axis.scale(4, 4), Axis([0, 3, 3, 6], [0, 3, 5, 8]))
    np.testing.assert_array_equal(m.to_original([[0, 2], [0, 4], [0, 6]])[:, 1], [2, 3, 4])
    np.testing.assert_array_equal(m.to_reduced([[0, 3]])[:, 1], [5])
    np.testing.assert_array_equal(m.to_reduced(boxes=[0, 1, 4, 3]), [0, 1, 4, 3])


def test_pixels_are_mapped_by_their_centres() -> None:
    half = CoordinateMap.scale((100, 60), (50, 30))
    clicks = half.to_original(pixels=[[0, 0], [49, 29]])
    assert clicks.dtype == np.int64
    np.testing.assert_array_equal(clicks, [[1, 1], [99, 59]])
    np.testing.assert_array_equal(half.to_reduced(pixels=[99, 1]), [49, 0])
    np.testing.assert_array_equal(CoordinateMap.keep([0], None, (3, 9)).to_reduced(pixels=[2, 8]), [2, 0])


def test_polygons_keep_their_structure() -> None:
    m = CoordinateMap.scale((10, 10), (5, 5))
    triangle = np.array([[0, 0], [4, 0], [4, 8]])
    np.testing.assert_array_equal(m.to_reduced(polygons=triangle), triangle / 2)
    both = m.to_reduced(polygons=[triangle, [[2, 2], [4, 4]]])
    assert isinstance(both, list)
    np.testing.assert_array_equal(both[1], [[1, 1], [2, 2]])
    assert m.to_reduced(polygons=[]) == []


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_masks_keep_dtype_and_channels(dtype: Any, channels: tuple[int, ...]) -> None:
    m = CoordinateMap.keep([1, 4], [0, 2], (3, 5))
    mask = (np.arange(15 * int(np.prod(channels))) % 7).reshape(5, 3, *channels).astype(dtype)
    reduced = m.to_reduced(mask=mask)
    assert reduced.dtype == dtype
    np.testing.assert_array_equal(reduced, mask[[1, 4]][:, [0, 2]])
    assert m.to_original(mask=reduced).shape == mask.shape


def test_the_identity_copies_a_mask() -> None:
    mask: np.ndarray = np.zeros((3, 4), np.uint8)
    CoordinateMap.identity(4, 3).to_reduced(mask=mask)[0, 0] = 1
    assert not mask.any()


@pytest.mark.parametrize("shape", [(2,), (0, 2), (5, 2), (2, 3, 2), (0,)])
def test_points_of_any_shape(shape: tuple[int, ...]) -> None:
    for m in (CoordinateMap.identity(9, 9), CoordinateMap.scale((9, 9), (3, 3)), columns_swapped()):
        mapped = m.to_reduced(np.ones(shape, np.float32))
        assert mapped.shape == (shape if shape != (0,) else (0, 2))
        assert mapped.dtype == np.float64
    assert columns_swapped().to_original(boxes=np.zeros((0, 3, 4))).shape == (0, 3, 4)


def test_equality_and_repr() -> None:
    m = columns_swapped()
    assert m == columns_swapped()
    assert m != CoordinateMap.identity(20, 10)
    assert CoordinateMap.keep([0], None, (2, 2)) != CoordinateMap.keep([1], None, (2, 2))
    assert repr(m) == "CoordinateMap(20x10 -> 10x16, 1 stage)"
    assert repr(m.stages[0]) == "PieceStage(20x10 -> 10x16, 2 pieces)"


# ---------------------------------------------------------------- properties


@given(m=st.one_of(keeps(), wholes()), data=st.data())
def test_one_piece_is_monotone_everywhere(m: CoordinateMap, data: st.DataObject) -> None:
    for size, go in ((m.original_size, m.to_reduced), (m.reduced_size, m.to_original)):
        points = random_points(size, data)
        for axis in (0, 1):
            assert (np.diff(go(points[points[:, axis].argsort()])[:, axis]) >= 0).all()


@given(m=cuts(), data=st.data())
def test_pieces_are_monotone_and_stay_in_their_rectangles(m: CoordinateMap, data: st.DataObject) -> None:
    points = random_points(m.original_size, data)
    mapped = m.to_reduced(points)
    (stage,) = m.stages
    assert isinstance(stage, PieceStage)
    for piece in stage.pieces:
        inside = ((points >= piece.original[:2]) & (points < piece.original[2:])).all(axis=1)
        assert (mapped[inside] >= piece.reduced[:2]).all()
        assert (mapped[inside] <= piece.reduced[2:]).all()
        for axis in (0, 1):
            ordered = np.flatnonzero(inside)[points[inside, axis].argsort()]
            assert (np.diff(mapped[ordered, axis]) >= 0).all()


@given(m=keeps(), data=st.data())
def test_folded_pictures_round_trip_exactly(m: CoordinateMap, data: st.DataObject) -> None:
    points = centres(m.reduced_size)
    original = m.to_original(points)
    np.testing.assert_array_equal(m.to_reduced(original), points)
    np.testing.assert_array_equal(original % 1, 0.5)
    # From the original, a point comes back, or it lies in a dropped run: less than one reduced pixel is lost.
    points = random_points(m.original_size, data)
    np.testing.assert_array_equal(m.to_reduced(m.to_original(m.to_reduced(points))), m.to_reduced(points))


@given(
    size=st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    other=st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    data=st.data(),
)
def test_scaled_pictures_round_trip(size: tuple[int, int], other: tuple[int, int], data: st.DataObject) -> None:
    m = CoordinateMap.scale(size, other)
    np.testing.assert_array_equal(m.to_reduced(np.array(size)), other)
    for side, go, back in ((size, m.to_reduced, m.to_original), (other, m.to_original, m.to_reduced)):
        points = random_points(side, data)
        np.testing.assert_allclose(back(go(points)), points, atol=1e-8)
    pixels = data.draw(st.tuples(*(st.integers(0, side - 1) for side in other)))
    steps = np.maximum(1, np.divide(other, size))  # one pixel of the coarser grid
    assert (np.abs(m.to_reduced(pixels=m.to_original(pixels=pixels)) - pixels) <= steps).all()


@given(m=cuts())
def test_kept_content_of_cut_pages_round_trips_exactly(m: CoordinateMap) -> None:
    (stage,) = m.stages
    assert isinstance(stage, PieceStage)
    for piece in stage.pieces:
        filled = int(piece.x.reduced[-1]), int(piece.y.reduced[-1])
        points = centres(filled).reshape(-1, 2) + piece.reduced[:2]
        exact = [set(np.divide(np.diff(a.reduced), np.diff(a.original))) <= {0.0, 1.0} for a in (piece.x, piece.y)]
        back = m.to_reduced(m.to_original(points))
        np.testing.assert_allclose(back, points, atol=0 if all(exact) else 1e-9)


@given(m=any_map, data=st.data())
def test_boxes_keep_their_order_and_stay_inside(m: CoordinateMap, data: st.DataObject) -> None:
    for size, other, go in (
        (m.original_size, m.reduced_size, m.to_reduced),
        (m.reduced_size, m.original_size, m.to_original),
    ):
        boxes = random_boxes(size, data)
        mapped = go(boxes=boxes)
        assert mapped.shape == boxes.shape
        assert (mapped[:, :2] <= mapped[:, 2:]).all()
        assert (mapped >= 0).all()
        assert (mapped <= np.tile(other, 2)).all()


@given(m=st.one_of(keeps(), wholes(), cuts()), data=st.data())
def test_boxes_hold_what_was_inside_of_them(m: CoordinateMap, data: st.DataObject) -> None:
    """Points that survive the round trip (kept content, not padding) stay within their box."""
    for size, go, back in (
        (m.original_size, m.to_reduced, m.to_original),
        (m.reduced_size, m.to_original, m.to_reduced),
    ):
        boxes, points = random_boxes(size, data), centres(size).reshape(-1, 2)
        points = points[(np.abs(back(go(points)) - points) < 1e-6).all(axis=1)]
        for box, mapped in zip(boxes, go(boxes=boxes), strict=True):
            inside = go(points[((points > box[:2]) & (points < box[2:])).all(axis=1)])
            assert ((inside >= mapped[:2] - 1e-9) & (inside <= mapped[2:] + 1e-9)).all()


@given(m=keeps(), data=st.data())
def test_boxes_around_kept_content_come_back_tight(m: CoordinateMap, data: st.DataObject) -> None:
    whole = np.rint(random_boxes(m.reduced_size, data))
    whole = whole[(whole[:, 2:] > whole[:, :2]).all(axis=1)]
    original = m.to_original(boxes=whole)
    first = m.to_original(pixels=whole[:, :2].astype(int))
    last = m.to_original(pixels=whole[:, 2:].astype(int) - 1)
    np.testing.assert_array_equal(original, np.concatenate((first, last + 1), axis=1))
    np.testing.assert_array_equal(m.to_reduced(boxes=original), whole)


@given(m=cuts(), data=st.data())
def test_boxes_are_the_union_of_their_pieces(m: CoordinateMap, data: st.DataObject) -> None:
    """Against a plain loop over pieces, written from the text of the module."""
    (stage,) = m.stages
    assert isinstance(stage, PieceStage)
    boxes = random_boxes(m.original_size, data)
    for box, mapped in zip(boxes, m.to_reduced(boxes=boxes), strict=True):
        parts = []
        for piece in stage.pieces:
            cut = np.maximum(box[:2], piece.original[:2]), np.minimum(box[2:], piece.original[2:])
            if (cut[0] < cut[1]).all():
                ends = [
                    [np.interp(c[i] - piece.original[i], axis.original, axis.reduced) + piece.reduced[i] for c in cut]
                    for i, axis in enumerate((piece.x, piece.y))
                ]
                if all(high > low for low, high in ends):
                    parts.append([ends[0][0], ends[1][0], ends[0][1], ends[1][1]])
        if parts:
            expected = np.concatenate((np.min(parts, axis=0)[:2], np.max(parts, axis=0)[2:]))
            np.testing.assert_allclose(mapped, expected, atol=1e-9)


@given(m=st.one_of(keeps(), cuts(kept=True)))
def test_masks_of_kept_pixels_round_trip(m: CoordinateMap) -> None:
    w, h = m.reduced_size
    original = np.arange(m.original_size[0] * m.original_size[1]).reshape(m.original_size[::-1])
    reduced = m.to_reduced(mask=original)
    points = centres(m.original_size)
    at = m.to_reduced(points)
    kept = (np.abs(m.to_original(at) - points) < 1e-9).all(axis=-1)
    column, row = np.minimum(np.floor(at[kept]).astype(int), (w - 1, h - 1)).T
    np.testing.assert_array_equal(reduced[row, column], original[kept])  # not one kept pixel is lost
    np.testing.assert_array_equal(m.to_original(mask=reduced)[kept], original[kept])


@given(m=st.one_of(wholes(), cuts()))
def test_masks_are_sampled_where_pixel_centres_map_to(m: CoordinateMap) -> None:
    mask = np.arange(m.original_size[0] * m.original_size[1]).reshape(m.original_size[::-1])
    y, x = np.mgrid[: m.reduced_size[1], : m.reduced_size[0]]
    where = m.to_original(centres(m.reduced_size))
    inner = (where % 1 != 0).all(axis=-1)  # on an edge the piece decides, and the lookup below does not know it
    column, row = np.floor(where[inner]).astype(int).T
    np.testing.assert_array_equal(m.to_reduced(mask=mask)[y[inner], x[inner]], mask[row, column])


@given(first=any_map, data=st.data())
def test_a_composition_is_one_after_the_other(first: CoordinateMap, data: st.DataObject) -> None:
    second = data.draw(cuts(size=first.reduced_size))
    both = first.then(second)
    assert (both.original_size, both.reduced_size) == (first.original_size, second.reduced_size)
    points, boxes = random_points(first.original_size, data), random_boxes(first.original_size, data)
    np.testing.assert_array_equal(both.to_reduced(points), second.to_reduced(first.to_reduced(points)))
    np.testing.assert_array_equal(both.to_reduced(boxes=boxes), second.to_reduced(boxes=first.to_reduced(boxes=boxes)))
    mask = np.arange(second.reduced_size[0] * second.reduced_size[1]).reshape(second.reduced_size[::-1])
    np.testing.assert_array_equal(both.to_original(mask=mask), first.to_original(mask=second.to_original(mask=mask)))
    points = random_points(second.reduced_size, data)
    np.testing.assert_array_equal(both.to_original(points), first.to_original(second.to_original(points)))


@given(m=any_map, data=st.data())
def test_the_identity_changes_nothing(m: CoordinateMap, data: st.DataObject) -> None:
    points = random_points(m.original_size, data)
    same = CoordinateMap.identity(*m.original_size)
    np.testing.assert_array_equal(same.to_original(points), points)
    assert same.then(m) == m == m.then(CoordinateMap.identity(*m.reduced_size))


# ---------------------------------------------------------------- JSON


@given(m=any_map)
def test_json_round_trip_is_exact(m: CoordinateMap) -> None:
    text = m.to_json()
    assert CoordinateMap.from_json(text) == m
    assert CoordinateMap.from_json(text).to_json() == text
    assert "." not in text  # these maps have whole knots, and they are written as integers


@given(steps=st.lists(st.floats(0, 100), min_size=1, max_size=40))
def test_json_keeps_any_knots_exactly(steps: list[float]) -> None:
    n = len(steps)
    reduced = np.concatenate(([0], np.cumsum(steps)))
    rect = (0, 0, n, 1), (0, 0, 5000, 1)
    m = CoordinateMap.pieces([Piece(*rect, Axis(np.arange(n + 1), reduced), Axis.scale(1, 1))], (n, 1), (5000, 1))
    assert CoordinateMap.from_json(m.to_json()) == m


def test_json_keeps_kept_runs_of_broken_length() -> None:
    m = CoordinateMap.whole(Axis([0, 2.5, 3.5, 5], [0, 2.5, 2.5, 4]), Axis.scale(1, 1))
    assert CoordinateMap.from_json(m.to_json()) == m


def test_json_of_a_folded_page_is_small() -> None:
    rows = np.flatnonzero(np.arange(2000) % 24 < 14)
    text = CoordinateMap.keep(rows, None, (1500, 2000)).to_json()
    assert len(text) < 800
    assert json.loads(text)["version"] == 1


VALID = columns_swapped().to_dict()


def changed(path: list[Any], value: Any) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(VALID))
    at = data
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return data


STAGE = ["stages", 0]
FIRST = [*STAGE, "pieces", 0]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["version"], 2),
        (["version"], "1"),
        (["version"], True),
        (["extra"], 1),
        (["size"], [20, 11]),
        (["size"], [0, 10]),
        (["size"], ["20", 10]),
        (["size"], [True, 10]),
        (["size"], 20),
        (["size"], [10**400, 10]),
        (["size"], None),
        (["stages"], {}),
        (["stages"], [None]),
        (["stages"], [[]] * 65),
        ([*STAGE, "kind"], "seams"),
        ([*STAGE, "kind"], ["pieces"]),
        ([*STAGE, "original"], [20, -10]),
        ([*STAGE, "reduced"], [10, 17]),
        ([*STAGE, "reduced"], [10**9, 16]),
        ([*STAGE, "pieces"], []),
        ([*STAGE, "pieces"], 7),
        ([*STAGE, "pieces"], [[]] * 5000),
        (FIRST, []),
        (FIRST, {"original": 1}),
        ([*FIRST, 0], [0, 0, 10]),
        ([*FIRST, 0], [0, 0, 10, 9]),
        ([*FIRST, 0], [10, 0, 0, 10]),
        ([*FIRST, 0], [0, 0, 11, 10]),
        ([*FIRST, 0], [0, 0, 1.5, 10]),
        ([*FIRST, 1], [1, 0, 11, 10]),
        ([*FIRST, 1], [0, 0, 10, 9]),
        ([*FIRST, 1], [0, 6, 10, 16]),
        ([*FIRST, 2], []),
        ([*FIRST, 2], [0]),
        ([*FIRST, 2], [9]),
        ([*FIRST, 2], [-5, 15]),
        ([*FIRST, 2], [10.0]),
        ([*FIRST, 2], [True]),
        ([*FIRST, 2], ["10"]),
        ([*FIRST, 2], [10**400]),
        ([*FIRST, 2], [10**6] * 10),
        ([*FIRST, 2], "10"),
        ([*FIRST, 2], None),
        ([*FIRST, 2], [[0, 10], [0, 11]]),
        ([*FIRST, 2], [[0, 5, 4, 10], [0, 5, 5, 10]]),
        ([*FIRST, 2], [[0, 5, 10], [0, 6, 5]]),
        ([*FIRST, 2], [[0, 10], [0, 5, 10]]),
        ([*FIRST, 2], [[1, 10], [0, 10]]),
        ([*FIRST, 2], [[0, 10], [0, float("nan")]]),
        ([*FIRST, 2], [[0, 10], [0, float("inf")]]),
        ([*FIRST, 2], [[0, 10], [0, None]]),
        ([*FIRST, 2], [[0, 10], [0, [10]]]),
        ([*FIRST, 2], [[], []]),
    ],
)
def test_damaged_json_is_one_clear_error(path: list[Any], value: Any) -> None:
    data = changed(path, value)
    for read, given_ in ((CoordinateMap.from_dict, data), (CoordinateMap.from_json, json.dumps(data))):
        with pytest.raises(InputError, match=r"^not a coordinate map: .") as caught:
            read(given_)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", "1", '"x"', "[" * 100_000, '{"a":' * 100_000, "9" * 10_000, "\ud800", " " * (MAX_JSON + 1)],
    ids=["empty", "cut", "null", "list", "number", "string", "deep", "deep-object", "digits", "surrogate", "long"],
)
def test_hostile_text_is_one_clear_error(text: str) -> None:
    with pytest.raises(InputError, match=r"^not a coordinate map: ."):
        CoordinateMap.from_json(text)


@given(text=st.text(max_size=60), at=st.integers(0, 400), cut=st.integers(0, 20))
def test_mutated_json_is_read_or_refused(text: str, at: int, cut: int) -> None:
    valid = columns_swapped().to_json()
    try:
        m = CoordinateMap.from_json(valid[:at] + text + valid[at + cut :])
    except InputError:
        return
    assert CoordinateMap.from_json(m.to_json()) == m


def test_steep_knots_do_not_make_nan() -> None:
    y = Axis([0, 5e-324, 3], [0, 1, 3])
    m = CoordinateMap.whole(Axis.scale(2, 2), y)
    with np.errstate(all="raise"):
        points = m.to_reduced([[0.0, 0.0], [1.0, 5e-324], [1.0, 3.0]])
    np.testing.assert_array_equal(points[:, 1], [0, 1, 3])


def test_rounding_does_not_overtake_the_next_knot() -> None:
    original, reduced = [0, 5.999123902016126, 15.02973513902501], [0, 7.584909838184522, 13.203342141654277]
    piece = Piece((0, 0, 16, 1), (0, 0, 16, 1), Axis([*original, 16], [*reduced, 16]), Axis.scale(1, 1))
    m = CoordinateMap.pieces([piece], (16, 1), (16, 1))
    assert m.to_reduced([float(np.nextafter(original[-1], 0)), 0])[0] <= reduced[-1]


# ---------------------------------------------------------------- bad calls

anyhow: Any = CoordinateMap  # calls that a type checker refuses as well
any_axis: Any = Axis
any_piece: Any = Piece


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({}, "nothing to map"),
        ({"points": [1, 1], "boxes": [0, 0, 1, 1]}, "points and boxes to map"),
        ({"points": [[1, 1], [20.5, 3]]}, r"points\[1\] is \(20.5, 3\).*x may be 0 to 20 and y 0 to 10"),
        ({"points": [1, -0.001]}, r"points is \(1, -0.001\)"),
        ({"points": [np.nan, 1]}, "nan"),
        ({"points": [np.inf, 1]}, "inf"),
        ({"points": 3}, r"shape \(\)"),
        ({"points": [1, 2, 3]}, r"shape \(3,\)"),
        ({"points": [[1, 2], [3]]}, "one length"),
        ({"points": "ab"}, "shape"),
        ({"points": ["1", "2"]}, "numbers are needed"),
        ({"points": [True, False]}, "numbers are needed"),
        ({"points": [1j, 2]}, "numbers are needed"),
        ({"points": [None, 2]}, "numbers are needed"),
        ({"points": [1, 1], "outside": "extrapolate"}, "outside"),
        ({"pixels": [1.5, 2]}, "integers are needed"),
        ({"pixels": [20, 2]}, r"x may be 0 to 19 and y 0 to 9"),
        ({"boxes": [0, 0, 5]}, r"shape \(3,\)"),
        ({"boxes": [[[0, 0, 5, 5], [6, 0, 5, 5]]]}, r"boxes\[0, 1\] is \(6, 0, 5, 5\)"),
        ({"boxes": [0, 0, 21, 5]}, "x may be 0 to 20"),
        ({"polygons": "ab"}, "polygons is str"),
        ({"polygons": [[1, 1], [2, 2], [3, 1]]}, r"shape \(2,\)"),
        ({"polygons": np.zeros((2, 3, 2))}, r"shape \(2, 3, 2\)"),
        ({"polygons": [[[1, 1], [50, 2]]]}, r"polygons\[1\]"),
        ({"mask": np.zeros((20, 10))}, r"shape \(20, 10\); the original picture is 20x10"),
        ({"mask": np.zeros(10)}, "shape"),
    ],
)
def test_bad_positions_are_refused(given_: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        columns_swapped().to_reduced(**given_)
    assert "\n" not in str(caught.value)


def test_the_error_names_the_picture_that_was_missed() -> None:
    with pytest.raises(UsageError, match="in the reduced picture x may be 0 to 10 and y 0 to 16"):
        columns_swapped().to_original([11, 2])


def test_outside_positions_are_clipped_on_request_only() -> None:
    m = CoordinateMap.scale((20, 10), (10, 5))
    np.testing.assert_array_equal(m.to_reduced([[-3.0, 4.0], [99.0, np.inf]], outside="clip"), [[0, 2], [10, 5]])
    np.testing.assert_array_equal(m.to_reduced(boxes=[-5, 2, 25, 99], outside="clip"), [0, 1, 10, 5])
    np.testing.assert_array_equal(m.to_original(pixels=[10, -1], outside="clip"), [19, 1])
    np.testing.assert_array_equal(m.to_reduced([20 + 1e-9, 0]), [10, 0])  # a rounding error is not outside
    with pytest.raises(UsageError, match="nan"):
        m.to_reduced([np.nan, 0.0], outside="clip")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Axis.keep([2, 1], 5), "rise within 0 to 4"),
        (lambda: Axis.keep([1, 1], 5), "rise"),
        (lambda: Axis.keep([5], 5), "rise within 0 to 4"),
        (lambda: Axis.keep([-1], 5), "rise"),
        (lambda: Axis.keep([0.5], 5), "integers"),
        (lambda: Axis.keep([True, False], 5), "5 bools"),
        (lambda: Axis.keep([[0]], 5), "one row"),
        (lambda: Axis.keep([], 0), "from 1"),
        (lambda: any_axis([0, 1], [0, "x"]), "numbers"),
        (lambda: Axis([0, 2, 1], [0, 1, 2]), "rise"),
        (lambda: Axis([0, np.nan], [0, 1]), "rise"),
        (lambda: Axis([0, 1, 2], [0, 1]), "3 original and 2 reduced"),
        (lambda: Axis([0], [0]), "shape"),
        (lambda: Axis.scale(4, 10**7), "at most 1000000"),
        (lambda: CoordinateMap.keep([], None, (4, 4)), "reduced size"),
        (lambda: CoordinateMap.whole(Axis.scale(4, 4), Axis([0, 4], [0, 2.5])), "reduced size.*2.5"),
        (lambda: CoordinateMap.scale((4, 0), (4, 4)), "original size"),
        (lambda: anyhow.scale((4, 4), (4, 4, 4)), "reduced size"),
        (lambda: anyhow.identity("4", 4), "original size"),
        (lambda: CoordinateMap.scale((4, 4), (2, 2)).then(CoordinateMap.identity(3, 2)), "from 3x2.*to 2x2"),
        (lambda: CoordinateMap((5, 5), CoordinateMap.scale((4, 4), (2, 2)).stages), "from 4x4.*to 5x5"),
        (lambda: Piece((0, 0, 4, 4), (0, 0, 4, 4), Axis.scale(5, 4), Axis.scale(4, 4)), "x axis"),
        (lambda: Piece((0, 0, 4, 4), (0, 0, 4, 4), Axis.scale(4, 4), Axis.scale(4, 5)), "y axis"),
        (lambda: any_piece((0, 0, 4, 4), (0, 0, 4, 4), Axis.scale(4, 4), [4]), "Axis is needed"),
        (lambda: Piece((0, 0, 0, 4), (0, 0, 4, 4), Axis.scale(4, 4), Axis.scale(4, 4)), "must rise"),
        (lambda: CoordinateMap.pieces([], (4, 4), (4, 4)), "0 pieces"),
        (lambda: anyhow.pieces([None], (4, 4), (4, 4)), "Piece objects"),
        (lambda: any_axis.scale(4, "x"), "numbers"),
        (lambda: anyhow.from_json(b"{}"), "a str is needed"),
        (lambda: anyhow.identity(10**5000, 4), "original size is tuple"),
        (lambda: anyhow.identity(np.zeros((9, 9)), 4), "original size"),
    ],
)
def test_bad_maps_are_refused(build: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        build()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("original", "reduced", "message"),
    [
        ([(0, 0, 2, 4), (2, 0, 4, 4)], [(0, 0, 2, 4), (1, 0, 3, 4)], "reduced rectangles of pieces 0 and 1 overlap"),
        ([(0, 0, 2, 4), (1, 0, 3, 4)], [(0, 0, 2, 4), (2, 0, 4, 4)], "original rectangles of pieces 0 and 1 overlap"),
        ([(0, 0, 2, 4), (2, 0, 4, 4)], [(0, 0, 2, 4), (3, 0, 5, 4)], r"\(3, 0, 5, 4\) of a piece leaves"),
        ([(0, 0, 2, 4), (2, 0, 4, 3)], [(0, 0, 2, 4), (2, 0, 4, 4)], "cover 14 of 16"),
    ],
)
def test_pieces_must_tile(original: list[Any], reduced: list[Any], message: str) -> None:
    pieces = [Piece(a, b, Axis.scale(2, 2), Axis.scale(a[3], a[3])) for a, b in zip(original, reduced, strict=True)]
    with pytest.raises(UsageError, match=message):
        CoordinateMap.pieces(pieces, (4, 4), (4, 4))


def test_the_knots_cannot_be_changed_afterwards() -> None:
    knots = np.array([0.0, 4.0])
    axis = Axis(knots, knots)
    knots[1] = 9
    assert axis.original[-1] == 4
    with pytest.raises(ValueError, match="read-only"):
        axis.original[0] = 1


@settings(max_examples=5)
@given(data=st.data())
def test_many_pieces_at_once(data: st.DataObject) -> None:
    """A 20 x 20 grid of folded pieces maps every pixel centre as each piece would by itself."""
    kept = [data.draw(st.sets(st.integers(0, 4), min_size=1)) for _ in range(20)]
    ends = np.concatenate(([0], np.cumsum([len(k) for k in kept]))).tolist()
    axes_ = [Axis.keep(sorted(k), 5) for k in kept]
    pieces = [
        Piece((5 * i, 5 * j, 5 * i + 5, 5 * j + 5), (ends[i], ends[j], ends[i + 1], ends[j + 1]), axes_[i], axes_[j])
        for i in range(20)
        for j in range(20)
    ]
    m = CoordinateMap.pieces(pieces, (100, 100), (ends[-1], ends[-1]))
    rows = [5 * i + row for i, k in enumerate(kept) for row in sorted(k)]
    plain = CoordinateMap.keep(rows, rows, (100, 100))
    points = centres((100, 100))
    np.testing.assert_array_equal(m.to_reduced(points), plain.to_reduced(points))
    mask = np.arange(10_000).reshape(100, 100)
    np.testing.assert_array_equal(m.to_reduced(mask=mask), plain.to_reduced(mask=mask))
