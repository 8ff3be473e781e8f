"""Seams in their colours, grids of maps, and what a warp or a carve did on the sheet of before and after."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixtrim.coordinates import Axis, CoordinateMap, Piece, SeamStage
from pixtrim.draw import before_after, dropped, seams_picture, warp_grid
from pixtrim.draw.grid import LINE
from pixtrim.draw.mask import OPACITY as TINTED
from pixtrim.draw.mask import TINT
from pixtrim.draw.panels import LABEL
from pixtrim.draw.paper import MARGIN
from pixtrim.draw.ramp import COOL, WARM, ramp
from pixtrim.draw.scale import LARGER, SMALLER, STRONGEST, by_scale, relative_scale
from pixtrim.draw.seams import OPACITY, PALE
from pixtrim.errors import UsageError
from pixtrim.operators.carve import carve

Pixels = NDArray[np.uint8]
SIZE = 500, 400


def flat(size: tuple[int, int], level: int = 255) -> Pixels:
    return np.full((size[1], size[0], 3), level, np.uint8)


def panel(picture: Any, size: tuple[int, int]) -> Pixels:
    return np.asarray(picture)[-MARGIN - size[1] : -MARGIN, MARGIN : MARGIN + size[0]]


def crooked(size: tuple[int, int], count: int, axis: str, seed: int = 0) -> NDArray[np.bool_]:
    """Return which pixels some seams take, at random places of each line."""
    width, height = size if axis == "x" else size[::-1]
    places = np.argsort(np.random.default_rng(seed).random((height, width)), axis=1)[:, :count]
    mask = np.zeros((height, width), np.bool_)
    np.put_along_axis(mask, places, True, axis=1)
    return mask if axis == "x" else np.ascontiguousarray(mask.T)


# seams_picture


def test_seams_have_the_colours_of_their_order_and_the_rest_is_grey() -> None:
    order, direction = np.zeros((400, 500), np.int32), np.ones((400, 500), np.int8)
    order[:, 100], order[:, 200], order[50], direction[50] = 1, 3, 2, 2
    pixels = flat(SIZE, 90)
    pixels[..., 0] = 200
    drawn = panel(seams_picture(pixels, order, direction), SIZE).astype(int)
    below = drawn[300, 300]
    level = round(int(np.dot((200, 90, 90), (299, 587, 114)) / 1000) * (1 - PALE) + 255 * PALE)
    assert np.abs(below - level).max() <= 2
    for at, colour in (((300, 100), ramp(WARM)[0]), ((300, 200), ramp(WARM)[-1]), ((50, 300), ramp(COOL)[127])):
        assert np.abs(drawn[at] - (colour * OPACITY + below * (1 - OPACITY))).max() <= 1
    assert ((drawn == below).all(axis=2) == (order == 0)).all()


def test_what_a_carve_says_of_its_seams_is_drawn() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (400, 500, 3), np.uint8)
    carved = carve(pixels, (470, 380))
    order, direction = carved.seams()
    drawn = panel(seams_picture(pixels, order, direction), SIZE).astype(int)
    assert (order > 0).sum() == 500 * 400 - 470 * 380
    redder = drawn[..., 0] - drawn[..., 2]
    assert (redder[direction == 1] > 20).all()
    assert (redder[direction == 2] < -20).all()
    assert (redder[direction == 0] == 0).all()


def test_a_picture_without_seams_says_so() -> None:
    nothing = np.zeros((400, 500), np.int32)
    drawn = panel(seams_picture(flat(SIZE, 100), nothing, np.full((400, 500), 9)), SIZE)
    assert len(np.unique(drawn)) == 1


def test_seams_still_show_where_the_picture_is_drawn_much_smaller() -> None:
    order = np.zeros((1500, 1500), np.int32)
    order[:, 750] = 1
    picture = seams_picture(flat((1500, 1500), 60), order, order, max_side=600)
    drawn = np.asarray(picture)[150:-MARGIN, MARGIN : MARGIN + 460].astype(int)
    assert (drawn[..., 0] - drawn[..., 2]).max() > 20
    assert (drawn[..., 2] - drawn[..., 0]).max() <= 0  # nothing of another colour around them


NONE = np.zeros((3, 4), np.int32)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pixels": None}, "the picture is NoneType"),
        ({"order": NONE.T}, r"order is int32 \(4, 3\); int \(3, 4\) is needed"),
        ({"order": NONE * 1.0}, r"order is float64 \(3, 4\)"),
        ({"order": NONE > 1}, r"order is bool \(3, 4\)"),
        ({"order": NONE - 1}, "order has values from -1 to -1; 0, and 1 to 12 are possible"),
        ({"order": NONE + 13}, "order has values from 13 to 13"),
        ({"direction": NONE.T}, r"direction is int32 \(4, 3\); int \(3, 4\) is needed"),
        ({"direction": None}, "direction is NoneType"),
        ({"order": NONE + 1, "direction": NONE + 3}, "direction has values from 3 to 3; 1 for vertical seams"),
        ({"max_side": 399}, "max_side is 399"),
    ],
)
def test_seams_picture_says_what_is_wrong(change: dict[str, Any], words: str) -> None:
    arguments: dict[str, Any] = {"pixels": flat((4, 3)), "order": NONE, "direction": NONE + 1, **change}
    with pytest.raises(UsageError, match=words):
        seams_picture(**arguments)


# warp_grid


def lines_of(picture: Pixels, across: bool) -> list[int]:
    """Return the places of the straight lines that go through a panel."""
    return np.flatnonzero((picture == LINE).all(axis=2).mean(axis=1 if across else 0) > 0.9).tolist()


def grids(coordinates: CoordinateMap, **options: Any) -> tuple[Pixels, Pixels]:
    """Return both panels of a map between pictures of 300 x 240 and less, which are drawn pixel by pixel."""
    (width, height), (w, h) = coordinates.original_size, coordinates.reduced_size
    picture = np.asarray(warp_grid(flat((width, height), 80), flat((w, h), 80), coordinates, max_side=760, **options))
    x = MARGIN + width + 28
    y = MARGIN + LABEL
    return picture[y : y + height, MARGIN : MARGIN + width], picture[y : y + h, x : x + w]


def test_the_grid_of_a_plain_resize_is_even_on_both_sides() -> None:
    before, after = grids(CoordinateMap.scale((300, 240), (150, 120)), lines=10)
    assert lines_of(before, False) == list(range(30, 300, 30))
    assert lines_of(before, True) == list(range(30, 240, 30))
    assert lines_of(after, False) == list(range(15, 150, 15))
    assert lines_of(after, True) == list(range(15, 120, 15))


def test_the_grid_of_a_warp_is_dense_where_it_kept_the_size() -> None:
    """The left 100 pixels keep their size; of the 200 others half are left."""
    warped = CoordinateMap.whole(Axis([0, 100, 300], [0, 100, 200]), Axis.scale(240, 240))
    before, after = grids(warped, lines=10)
    assert lines_of(before, False) == [25, 50, 75, 100, 150, 200, 250]  # 8 cells: the longer side is the height
    assert lines_of(after, False) == [30, 60, 90, 110, 125, 140, 155, 170, 185]


def test_lines_run_along_what_seams_moved() -> None:
    """From row 120 on, 60 pixels are missing left of the line, which moves there on the reduced picture."""
    removed = np.zeros((240, 300), np.bool_)
    removed[:120, 240:] = removed[120:, :60] = True
    _, after = grids(CoordinateMap((300, 240), (SeamStage((300, 240), "x", removed),)), lines=2)
    middle = (after == LINE).all(axis=2)
    assert middle[:118, 150].all()
    assert middle[122:, 90].all()
    across = np.flatnonzero(middle[40:80].any(axis=0))
    assert across.tolist() == [150]  # the line breaks, and is not drawn over to its other part


def test_a_grid_stays_inside_its_panels_and_leaves_small_ones_legible() -> None:
    for size in ((1, 1), (2, 900), (900, 2), (60, 60)):
        same = CoordinateMap.identity(*size)
        picture = np.asarray(warp_grid(flat(size, 9), flat(size, 9), same, lines=200, max_side=400))
        assert (picture[:, : MARGIN - 1] == 255).all()
        assert (picture[-MARGIN + 1 :] == 255).all()
    assert (picture == 9).all(axis=2).sum() > 0.2 * (picture[..., 0] < 250).sum()


@pytest.mark.parametrize("lines", [1, 201, 8.0, True, None])
def test_the_number_of_lines_has_a_range(lines: Any) -> None:
    with pytest.raises(UsageError, match=r"lines is .*; a whole number from 2 to 200 is needed"):
        warp_grid(flat((9, 9)), flat((9, 9)), CoordinateMap.identity(9, 9), lines=lines)


def test_warp_grid_says_what_is_wrong() -> None:
    with pytest.raises(UsageError, match="the reduced picture is 9x9, but the map's reduced side is 4x4"):
        warp_grid(flat((9, 9)), flat((9, 9)), CoordinateMap.scale((9, 9), (4, 4)))
    with pytest.raises(UsageError, match="max_side is 1"):
        warp_grid(flat((9, 9)), flat((9, 9)), CoordinateMap.identity(9, 9), max_side=1)


# scales


def test_the_scale_of_a_plain_resize_is_1_everywhere() -> None:
    for coordinates in (CoordinateMap.scale((640, 480), (123, 77)), CoordinateMap.identity(5, 3)):
        assert np.allclose(relative_scale(coordinates), 1)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.lists(st.integers(1, 9), min_size=1, max_size=12))
def test_squares_of_scales_have_the_mean_1(forth: list[int], down: list[int]) -> None:
    """What some places get more, others get less."""
    x, y = (Axis(np.arange(len(steps) + 1) * 9, np.concatenate(([0], np.cumsum(steps)))) for steps in (forth, down))
    scales = relative_scale(CoordinateMap.whole(x, y))
    assert (scales**2).mean() == pytest.approx(1)
    assert scales.shape == (9 * len(down), 9 * len(forth))
    assert scales[0, 0] ** 2 == pytest.approx(forth[0] * down[0] / np.mean(forth) / np.mean(down))


def test_places_are_tinted_by_the_logarithm_of_their_scale() -> None:
    drawn = by_scale(flat((4, 1), 100), np.array([[0.5, 1, 2**0.5, 1.5]])).astype(float)
    exact = [(SMALLER, 1), (SMALLER, 0), (LARGER, 0.5), (LARGER, np.log2(1.5))]
    for found, (colour, part) in zip(drawn[0], exact, strict=True):
        opacity = part * STRONGEST
        assert np.abs(found - (100 * (1 - opacity) + np.array(colour) * opacity)).max() <= 0.51


# before_after


def third(coordinates: CoordinateMap) -> Pixels:
    """Return the third panel, of a white picture of 300 x 240, which is drawn pixel by pixel."""
    picture = np.asarray(
        before_after(flat(coordinates.original_size), flat(coordinates.reduced_size), coordinates, max_side=2000)
    )
    return picture[MARGIN + LABEL : MARGIN + LABEL + 240, -MARGIN - 300 : -MARGIN]


def test_a_warp_is_tinted_by_its_scales() -> None:
    warped = CoordinateMap.whole(Axis([0, 100, 300], [0, 100, 200]), Axis.scale(240, 240))
    drawn = third(warped).astype(int)
    assert (drawn[:, 2:98, 2] - drawn[:, 2:98, 0] > 40).all()  # blue: larger than the mean
    assert (drawn[:, 102:, 0] - drawn[:, 102:, 2] > 40).all()
    assert not dropped(warped).any()


def test_a_warp_that_is_no_other_than_a_resize_is_not_tinted() -> None:
    nearly = CoordinateMap.whole(Axis([0, 100, 300], [0, 50.2, 150]), Axis.scale(240, 120))
    assert (third(nearly) == 255).all()


@pytest.mark.parametrize("axis", ["x", "y"])
def test_pixels_that_seams_took_are_tinted(axis: Any) -> None:
    removed = crooked((300, 240), 70, axis)
    carved = CoordinateMap((300, 240), (SeamStage((300, 240), axis, removed),))
    carved = carved.then(CoordinateMap.scale(carved.reduced_size, (100, 80)))
    assert np.array_equal(dropped(carved), removed)
    drawn = third(carved)
    assert (drawn[~removed] == 255).all()
    assert np.abs(drawn[removed] - (255 * (1 - TINTED) + np.array(TINT) * TINTED)).max() <= 0.51


def test_seams_of_both_directions_are_traced_back() -> None:
    first = SeamStage((30, 20), "x", crooked((30, 20), 10, "x"))
    second = SeamStage((20, 20), "y", crooked((20, 20), 5, "y", 1))
    gone = dropped(CoordinateMap((30, 20), (first, second)))
    assert gone.sum() == 10 * 20 + 5 * 20
    assert gone[first.removed].all()
    assert np.array_equal(first.map_mask(gone, "reduced"), second.removed)


@settings(max_examples=15)
@given(st.data())
def test_every_sheet_keeps_to_its_size(data: st.DataObject) -> None:
    side = st.one_of(st.integers(1, 40), st.sampled_from([1, 700]))
    size = data.draw(side), data.draw(side)
    count = data.draw(st.integers(0, min(3, size[0] - 1)))
    stage = SeamStage(size, "x", crooked(size, count, "x"))
    carved = CoordinateMap(size, (stage,))
    half = Piece((0, 0, *carved.reduced_size), (0, 0, 9, 7), Axis.scale(size[0] - count, 9), Axis.scale(size[1], 7))
    coordinates = carved.then(CoordinateMap.pieces([half], carved.reduced_size, (9, 7)))
    title, max_side = data.draw(st.text(max_size=80)), data.draw(st.integers(400, 1700))
    order = stage.removed.astype(np.int16)
    for picture in (
        seams_picture(flat(size), order, order, title=title, max_side=max_side),
        warp_grid(flat(size), flat((9, 7)), coordinates, title_after=title, max_side=max_side),
    ):
        assert picture.mode == "RGB"
        assert max(picture.size) <= max_side


def test_the_same_arguments_give_the_same_pictures() -> None:
    stage = SeamStage((60, 40), "x", crooked((60, 40), 9, "x"))
    carved = CoordinateMap((60, 40), (stage,))
    pixels = np.random.default_rng(5).integers(0, 256, (40, 60, 3), np.uint8)
    kept = pixels.copy()
    reduced = carved.to_reduced(mask=pixels)
    for draw in (
        lambda: warp_grid(pixels, reduced, carved),
        lambda: before_after(pixels, reduced, carved),
        lambda: seams_picture(pixels, stage.removed.astype(int), stage.removed.astype(int)),
    ):
        assert draw().tobytes() == draw().tobytes()
    assert np.array_equal(pixels, kept)
