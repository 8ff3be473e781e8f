"""Pictures of importance: heat maps of known pixels, ramps of even steps, and what goes pale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixtrim.draw import faded, heat_map
from pixtrim.draw.importance import FADE, OPACITY
from pixtrim.draw.paper import MARGIN, grey, percent
from pixtrim.draw.ramp import COOL, HEAT, WARM, Ramp, blended, oklab, ramp
from pixtrim.errors import UsageError

Pixels = NDArray[np.uint8]
SIZE = 500, 400  # of pictures that are drawn pixel by pixel on the usual sheet


def photo(seed: int = 0, size: tuple[int, int] = SIZE) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)


def importance_of(seed: int = 1, size: tuple[int, int] = SIZE) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((size[1], size[0]), np.float32)


def panel(picture: Any, size: tuple[int, int]) -> Pixels:
    """Return the picture alone: it stands in the lower left corner of its sheet."""
    return np.asarray(picture)[-MARGIN - size[1] : -MARGIN, MARGIN : MARGIN + size[0]]


# ramps


@pytest.mark.parametrize("stops", [HEAT, WARM, COOL])
def test_steps_of_a_ramp_look_equally_far_apart_and_rise_in_lightness(stops: Ramp) -> None:
    steps = np.diff(oklab(ramp(stops, 17)), axis=0)
    assert (steps[:, 0] > 0).all()
    lengths = np.linalg.norm(steps, axis=1)
    assert lengths.max() < 1.15 * lengths.min()  # a level is coarser than the path


def test_oklab_of_known_colours() -> None:
    """White is 1, 0, 0; the red of sRGB is as its author gives it."""
    known = oklab(np.array([[255, 255, 255], [255, 0, 0], [0, 0, 0]], np.uint8))
    assert np.allclose(known, [[1, 0, 0], [0.628, 0.225, 0.126], [0, 0, 0]], atol=1e-3)


@pytest.mark.parametrize("count", [2, 3, 100, 256])
def test_a_ramp_has_its_ends_and_its_number_of_colours(count: int) -> None:
    colours = ramp(HEAT, count)
    assert colours.shape == (count, 3)
    assert np.array_equal(colours[[0, -1]], ramp(HEAT)[[0, -1]])


def test_blended_mixes_by_one_opacity_or_by_one_of_each_pixel() -> None:
    below, above = photo(0, (7, 5)), photo(1, (7, 5))
    exact = below * 0.75 + above * 0.25
    assert np.abs(blended(below, above, 0.25) - exact).max() <= 0.5
    each = np.zeros((5, 7))
    each[2] = 1
    mixed = blended(below, above, each)
    assert np.array_equal(mixed[2], above[2])
    assert np.array_equal(np.delete(mixed, 2, 0), np.delete(below, 2, 0))


# heat_map


def test_every_pixel_has_the_colour_of_its_importance_over_grey() -> None:
    pixels, importance = photo(), importance_of()
    drawn = panel(heat_map(pixels, importance), SIZE)
    levels = np.rint(importance * 255).astype(int)
    exact = grey(pixels) * (1 - OPACITY) + ramp(HEAT)[levels] * OPACITY
    near = np.abs(importance * 255 - levels) < 0.49  # not where rounding is the kernel's own
    assert np.abs(drawn - exact)[near].max() <= 0.51


def test_the_scale_bar_goes_from_the_colour_of_0_to_that_of_1() -> None:
    picture = np.asarray(heat_map(np.full((400, 500, 3), 128, np.uint8), np.zeros((400, 500), np.float32)))
    ends = blended(np.full((1, 2, 3), 128, np.uint8), ramp(HEAT, 2)[None], OPACITY)[0]
    legend = picture[MARGIN + 50 : MARGIN + 80].astype(int)
    xs = [np.flatnonzero((legend == end).all(axis=2).any(axis=0)) for end in ends]
    assert xs[0].size
    assert xs[1].size
    assert 100 < xs[1].max() - xs[0].min() < 160
    assert (panel(picture, SIZE) == ends[0]).all()  # grey 128 of importance 0 has the colour at the bar's start


def test_a_heat_map_that_is_drawn_smaller_is_averaged() -> None:
    importance = np.indices((1500, 1500)).sum(axis=0).astype(np.float32) % 2
    drawn = panel(heat_map(np.zeros((1500, 1500, 3), np.uint8), importance, max_side=400, opacity=1), (200, 200))
    assert np.abs(drawn.astype(int) - ramp(HEAT)[127]).max() <= 12  # a panel's pixel has up to a few more of either


# faded


def test_what_is_below_the_threshold_is_grey_and_pale_and_the_rest_untouched() -> None:
    pixels, importance = photo(), importance_of()
    drawn = panel(faded(pixels, importance, threshold=0.4), SIZE)
    below = importance < np.float32(0.4)
    assert np.array_equal(drawn[~below], pixels[~below])
    exact = grey(pixels) * (1 - FADE) + 255 * FADE
    assert np.abs(drawn - exact)[below].max() <= 0.51


@given(st.floats(0.001, 1), st.integers(0, 5))
@settings(max_examples=10)
def test_a_share_keeps_the_most_important_pixels(share: float, seed: int) -> None:
    pixels = np.full((400, 500, 3), 7, np.uint8)
    importance = importance_of(seed)
    kept = (panel(faded(pixels, importance, share=share), SIZE) == 7).all(axis=2)
    assert kept.sum() == pytest.approx(np.ceil(share * importance.size), abs=3)  # a few are equally important
    assert kept.all() or importance[kept].min() > importance[~kept].max()


def test_ties_stay_together() -> None:
    importance = np.zeros((400, 500), np.float32)
    importance[:100] = 0.5
    kept = (panel(faded(np.full((400, 500, 3), 7, np.uint8), importance, share=0.1), SIZE) == 7).all(axis=2)
    assert kept[:100].all()
    assert not kept[100:].any()


# both


@settings(max_examples=20)
@given(st.data())
def test_every_sheet_keeps_to_its_size(data: st.DataObject) -> None:
    side = st.one_of(st.integers(1, 40), st.sampled_from([1, 390, 2999]))
    size = data.draw(side), data.draw(side)
    pixels, importance = photo(0, size), importance_of(1, size)
    title, max_side = data.draw(st.text(max_size=80)), data.draw(st.integers(400, 1700))
    for picture in (
        heat_map(pixels, importance, title=title, max_side=max_side),
        faded(pixels, importance, share=0.5, title=title, max_side=max_side),
    ):
        assert picture.mode == "RGB"
        assert max(picture.size) <= max_side
        edges = np.asarray(picture)
        assert (edges[: MARGIN - 1] == 255).all()
        assert (edges[-MARGIN + 1 :] == 255).all()
        assert (edges[:, : MARGIN - 1] == 255).all()
        assert (edges[:, -MARGIN + 1 :] == 255).all()


def test_the_same_arguments_give_the_same_picture_and_leave_them_alone() -> None:
    pixels, importance = photo(), importance_of()
    kept = pixels.copy(), importance.copy()
    for draw in (heat_map, lambda p, i, **k: faded(p, i, threshold=0.5, **k)):
        first = draw(pixels, importance, title="a")
        assert first.tobytes() == draw(pixels, importance, title="a").tobytes()
        assert first.tobytes() != draw(pixels, importance, title="b").tobytes()
    assert np.array_equal(pixels, kept[0])
    assert np.array_equal(importance, kept[1])


IMPORTANCE = np.zeros((3, 4), np.float32)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pixels": None}, "the picture is NoneType"),
        ({"importance": IMPORTANCE.T}, r"the importance is float32 \(4, 3\); float32 \(3, 4\) is needed"),
        ({"importance": IMPORTANCE.astype(float)}, r"the importance is float64 \(3, 4\)"),
        ({"importance": [[0]]}, "the importance is list"),
        ({"importance": IMPORTANCE - 0.1}, "the importance has values outside of 0 to 1"),
        ({"importance": IMPORTANCE + 1.1}, "the importance has values outside of 0 to 1"),
        ({"importance": IMPORTANCE + np.float32("nan")}, "the importance has values outside of 0 to 1"),
        ({"max_side": 399}, "max_side is 399; 400 to 20000"),
        ({"opacity": 1.5}, "the opacity is 1.5; 0 to 1 is possible"),
        ({"opacity": True}, "the opacity is True"),
        ({"threshold": None}, "give either the threshold or the share"),
        ({"share": 0.5, "threshold": 0.5}, "give either the threshold or the share"),
        ({"threshold": 1.1}, "the threshold is 1.1; 0 to 1"),
        ({"threshold": "0.5"}, "the threshold is '0.5'"),
        ({"share": 0, "threshold": None}, "the share is 0; something has to stay"),
        ({"share": float("nan"), "threshold": None}, "the share is nan"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, Any], words: str) -> None:
    arguments: dict[str, Any] = {"pixels": photo(0, (4, 3)), "importance": IMPORTANCE, **change}
    if not {"threshold", "share"} & change.keys():
        with pytest.raises(UsageError, match=words):
            heat_map(**arguments)
    if "opacity" not in change:
        with pytest.raises(UsageError, match=words):
            faded(**{"threshold": 0.5, **arguments})


def test_percent_calls_nothing_all_and_not_everything_nothing() -> None:
    assert [percent(np.arange(1000) < n) for n in (0, 1, 500, 999, 1000)] == [
        "0%",
        "less than 1%",
        "50%",
        "more than 99%",
        "100%",
    ]
