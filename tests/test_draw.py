"""Before and after pictures: what is tinted is what the map dropped, and every picture fits on a sheet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import Upright
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixtrim.coordinates import Axis, CoordinateMap, Piece, PieceStage
from pixtrim.draw import before_after, dropped, overlay
from pixtrim.draw.mask import OPACITY, TINT
from pixtrim.draw.panels import LABEL
from pixtrim.draw.paper import MARGIN
from pixtrim.errors import UsageError

Size = tuple[int, int]
WHITE = (255, 255, 255)


def flat(size: Size, level: int = 255) -> NDArray[np.uint8]:
    """Return a grey picture of a size (width, height)."""
    return np.full((size[1], size[0], 3), level, np.uint8)


def sheet(coordinates: CoordinateMap, **options: Any) -> NDArray[np.uint8]:
    picture = before_after(flat(coordinates.original_size), flat(coordinates.reduced_size), coordinates, **options)
    return np.asarray(picture)


def tinted(colour: tuple[int, int, int] = WHITE) -> list[int]:
    return [int(c * (1 - OPACITY) + t * OPACITY + 0.5) for c, t in zip(colour, TINT, strict=True)]


def two_blocks() -> CoordinateMap:
    """A header of 4 rows without its columns 2 to 7, above a body of 6 rows without its rows 2 to 4 of the piece."""
    header = Piece((0, 0, 10, 4), (0, 0, 10, 4), Axis.keep([0, 1, 8, 9], 10), Axis.scale(4, 4))
    body = Piece((0, 4, 10, 10), (0, 4, 10, 7), Axis.scale(10, 10), Axis.keep([0, 1, 5], 6))
    return CoordinateMap.pieces([header, body], (10, 10), (10, 7))


# dropped


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.lists(st.booleans(), min_size=1, max_size=40))
def test_dropped_is_all_but_the_kept_rows_and_columns(rows: list[bool], cols: list[bool]) -> None:
    rows[0] = cols[0] = True  # something stays
    folded = CoordinateMap.keep(np.array(rows), np.array(cols), (len(cols), len(rows)))
    assert np.array_equal(dropped(folded), ~np.outer(rows, cols))


@given(
    st.lists(st.booleans(), min_size=1, max_size=30),
    st.integers(1, 60),
    st.integers(1, 60),
)
def test_scaling_drops_nothing_more(rows: list[bool], width: int, height: int) -> None:
    rows[-1] = True
    folded = CoordinateMap.keep(np.array(rows), None, (7, len(rows)))
    scaled = folded.then(CoordinateMap.scale(folded.reduced_size, (width, height)))
    assert np.array_equal(dropped(scaled), dropped(folded))
    assert not dropped(CoordinateMap.scale((7, len(rows)), (width, height))).any()


def test_identity_drops_nothing() -> None:
    assert dropped(CoordinateMap.identity(5, 3)).shape == (3, 5)
    assert not dropped(CoordinateMap.identity(5, 3)).any()


def test_two_folds_drop_what_either_drops() -> None:
    first = CoordinateMap.keep([0, 1, 4, 5], None, (3, 6))
    second = CoordinateMap.keep([0, 3], [0, 2], (3, 4))  # rows 0 and 5 of the original are left
    expected = ~np.outer([True, False, False, False, False, True], [True, False, True])
    assert np.array_equal(dropped(first.then(second)), expected)


def test_pieces_drop_their_own_rows_and_columns() -> None:
    expected = np.zeros((10, 10), bool)
    expected[:4, 2:8] = True
    expected[6:9] = True
    assert np.array_equal(dropped(two_blocks()), expected)


def test_a_piece_with_nothing_left_is_dropped_as_a_whole() -> None:
    gone = Piece((0, 0, 4, 3), (0, 0, 4, 0), Axis.scale(4, 4), Axis.keep([], 3))
    kept = Piece((0, 3, 4, 5), (0, 0, 4, 2), Axis.scale(4, 4), Axis.scale(2, 2))
    mask = dropped(CoordinateMap.pieces([gone, kept], (4, 5), (4, 2)))
    assert mask[:3].all()
    assert not mask[3:].any()


def test_a_pixel_of_which_a_part_is_left_is_not_dropped() -> None:
    axis = Axis([0, 2.5, 5.5, 8], [0, 2.5, 2.5, 5])  # 2.5 to 5.5 went away: pixels 3 and 4, and halves of 2 and 5
    mask = dropped(CoordinateMap.whole(axis, Axis.scale(1, 1)))
    assert mask.tolist() == [[False, False, False, True, True, False, False, False]]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12))
def test_stages_without_pieces_are_asked_pixel_by_pixel(steps: list[tuple[int, int]]) -> None:
    """Half pixels, inserted pixels, warps: the box of a pixel collapses where the axis says that it is dropped."""
    knots = np.cumsum([(0, 0), *steps, (2, 2)], axis=0)
    knots = np.concatenate((knots, knots[-1:] + knots[-1:] % 2)) / 2
    axis = Axis(knots[:, 0], knots[:, 1])
    (stage,) = CoordinateMap.whole(axis, Axis.keep([0, 2], 4)).stages
    assert isinstance(stage, PieceStage)
    asked = CoordinateMap(stage.original_size, (Upright(stage),))
    assert np.array_equal(dropped(asked), dropped(CoordinateMap(stage.original_size, (stage,))))


# overlay


def test_overlay_changes_the_mask_alone_and_not_its_input() -> None:
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    mask = rng.random((20, 30)) < 0.3
    before = picture.copy()
    result = overlay(picture, mask, (10, 200, 90), 0.25)
    exact = picture * 0.75 + np.array((10, 200, 90)) * 0.25
    assert np.array_equal(picture, before)
    assert np.array_equal(result[~mask], picture[~mask])
    assert np.abs(result[mask] - exact[mask]).max() <= 0.5
    assert np.array_equal(overlay(picture, mask, (1, 2, 3), 0), picture)
    assert (overlay(picture, mask, (1, 2, 3), 1)[mask] == (1, 2, 3)).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"original": flat((4, 3))[..., 0]}, r"the picture is uint8 \(3, 4\)"),
        ({"original": flat((4, 3)) / 255}, "the picture is float64"),
        ({"original": [[1]]}, "the picture is list"),
        ({"mask": np.zeros((4, 3), bool)}, r"the mask is bool \(4, 3\); bool \(3, 4\) is needed"),
        ({"mask": np.zeros((3, 4), np.uint8)}, "the mask is uint8"),
        ({"mask": None}, "the mask is NoneType"),
        ({"colour": (256, 0, 0)}, "the colour is"),
        ({"colour": (0, 0)}, "the colour is"),
        ({"colour": None}, "the colour is"),
        ({"opacity": 1.01}, "the opacity is 1.01; 0 to 1"),
        ({"opacity": float("nan")}, "the opacity is nan"),
    ],
)
def test_overlay_says_what_is_wrong(change: dict[str, Any], words: str) -> None:
    arguments = {"original": flat((4, 3)), "mask": np.zeros((3, 4), bool), "colour": (1, 2, 3), "opacity": 0.5}
    with pytest.raises(UsageError, match=words):
        overlay(**{**arguments, **change})


# before_after


def test_the_third_panel_is_tinted_exactly_where_rows_and_columns_went() -> None:
    """At 300x240 on this sheet the panels are drawn pixel by pixel, so that every one can be compared."""
    rows, cols = np.ones(240, bool), np.ones(300, bool)
    rows[50:90] = rows[200:] = cols[:33] = False
    folded = CoordinateMap.keep(rows, cols, (300, 240))
    picture = sheet(folded, max_side=2000)
    third = picture[MARGIN + LABEL : MARGIN + LABEL + 240, -MARGIN - 300 : picture.shape[1] - MARGIN]
    gone = dropped(folded)
    assert (third[gone] == tinted()).all()
    assert (third[~gone] == WHITE).all()


def tint_pixels(picture: NDArray[np.uint8]) -> int:
    """Count the pixels of the tint on white below the captions of a row of panels."""
    return int((picture[MARGIN + LABEL :] == tinted()).all(axis=2).sum())


def test_a_plain_resize_tints_nothing() -> None:
    assert tint_pixels(sheet(CoordinateMap.scale((300, 240), (90, 80)))) == 0
    assert tint_pixels(sheet(CoordinateMap.keep(range(100), None, (300, 240)))) == 300 * 140


def test_the_reduced_picture_is_drawn_at_the_scale_of_the_original() -> None:
    folded = CoordinateMap.keep(range(600), range(700), (1000, 1200))
    picture = np.asarray(before_after(flat((1000, 1200), 10), flat((700, 600), 90), folded))
    before = (picture == 10).all(axis=2).sum()
    after = (picture == 90).all(axis=2).sum()
    untinted = 700 * 600 / (1000 * 1200)  # the third panel repeats this share of the original
    assert after / (before / (1 + untinted)) == pytest.approx(untinted, rel=0.02)


def test_a_reduced_picture_that_would_vanish_is_enlarged() -> None:
    tiny = CoordinateMap.scale((3000, 3000), (60, 60))  # 10 pixels at the scale of the original
    picture = np.asarray(before_after(flat((3000, 3000)), flat((60, 60), 77), tiny))
    assert (picture == 77).all(axis=2).sum() == 96 * 96


def test_blocks_are_outlined_where_there_are_several() -> None:
    def blue(coordinates: CoordinateMap) -> int:
        picture = sheet(coordinates).astype(int)
        return int(((picture[..., 2] - picture[..., 0]) > 100).sum())

    size = two_blocks().reduced_size
    assert blue(CoordinateMap.keep([0, 9], None, (10, 10))) == 0
    assert blue(two_blocks()) > 1000
    assert blue(two_blocks().then(CoordinateMap.scale(size, (5, 3)))) == blue(two_blocks())
    scaled_first = CoordinateMap.scale((100, 100), (10, 10)).then(two_blocks())
    assert blue(scaled_first) > 400
    assert (sheet(two_blocks())[:, 1 - MARGIN :] == 255).all()  # nor do the outlines leave their panel


@settings(max_examples=60)
@given(st.data())
def test_every_sheet_keeps_to_its_size(data: st.DataObject) -> None:
    side = st.one_of(st.integers(1, 40), st.sampled_from([1, 300, 2999]))
    width, height = data.draw(side), data.draw(side)
    rows = data.draw(st.sets(st.integers(0, height - 1), min_size=1, max_size=20))
    folded = CoordinateMap.keep(sorted(rows), None, (width, height))
    size = data.draw(side), data.draw(side)
    coordinates = folded.then(CoordinateMap.scale(folded.reduced_size, size))
    max_side = data.draw(st.integers(400, 1700))
    title = data.draw(st.text(max_size=80))
    picture = before_after(
        flat((width, height)), flat(size), coordinates, title_before=title, title_after=title, max_side=max_side
    )
    assert picture.mode == "RGB"
    assert max(picture.size) <= max_side


@pytest.mark.parametrize("size", [(1, 1), (20_000, 3), (3, 20_000), (1920, 1080), (1240, 1754)])
def test_every_shape_of_picture_shows_on_its_sheet(size: Size) -> None:
    for max_side in (400, 1600):
        same = CoordinateMap.identity(*size)
        picture = np.asarray(before_after(flat(size, 5), flat(size, 5), same, max_side=max_side))
        assert max(picture.shape) <= max_side
        shown = int((picture == 5).all(axis=2).sum())
        assert shown >= 3
        assert shown % 3 == 0  # three panels of one size
        assert (picture[:MARGIN] == 255).all()
        assert (picture[-MARGIN + 1 :] == 255).all()
        assert (picture[:, : MARGIN - 1] == 255).all()
        assert (picture[:, -MARGIN + 1 :] == 255).all()


def test_pages_stand_side_by_side_and_screens_below_each_other() -> None:
    page = sheet(CoordinateMap.identity(1240, 1754))
    screen = sheet(CoordinateMap.identity(1920, 1080))
    assert page.shape[1] > page.shape[0]
    assert screen.shape[0] > screen.shape[1]


def test_the_same_arguments_give_the_same_picture_and_leave_them_alone() -> None:
    original = np.random.default_rng(5).integers(0, 256, (10, 10, 3), dtype=np.uint8)
    reduced, kept = original[:7].copy(), original.copy()
    first = before_after(original, reduced, two_blocks(), title_before="a")
    second = before_after(original, reduced, two_blocks(), title_before="a")
    assert first.tobytes() == second.tobytes()
    assert np.array_equal(original, kept)
    assert first.tobytes() != before_after(original, reduced, two_blocks(), title_before="b").tobytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"original": flat((10, 9))}, "the original picture is 10x9, but the map's original side is 10x10"),
        ({"reduced": flat((7, 10))}, "the reduced picture is 7x10, but the map's reduced side is 10x7"),
        ({"original": np.zeros((10, 10, 4), np.uint8)}, r"the original picture is uint8 \(10, 10, 4\)"),
        ({"reduced": None}, "the reduced picture is NoneType"),
        ({"max_side": 399}, "max_side is 399; 400 to 20000 pixels are possible"),
        ({"max_side": 20_001}, "max_side is 20001"),
        ({"max_side": 800.0}, "max_side is 800.0; a whole number"),
        ({"max_side": True}, "max_side is True; a whole number"),
    ],
)
def test_before_after_says_what_is_wrong(change: dict[str, Any], words: str) -> None:
    arguments: dict[str, Any] = {"original": flat((10, 10)), "reduced": flat((10, 7)), "coordinates": two_blocks()}
    with pytest.raises(UsageError, match=words):
        before_after(**{**arguments, **change})
