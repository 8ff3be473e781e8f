"""Known positions in both directions, the JSON format, and bad input."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixtrim.coordinates import Axis, CoordinateMap, Piece
from pixtrim.coordinates.map import MAX_JSON
from pixtrim.errors import InputError, UsageError

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


# ---------------------------------------------------------------- JSON


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
