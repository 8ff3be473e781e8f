"""What holds for every coordinate map, on random ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pixtrim.coordinates import Axis, CoordinateMap, Piece, PieceStage

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
