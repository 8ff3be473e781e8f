"""The warp: its bounds, its exact maps, and that its pixels are where the maps say."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixtrim.coordinates import CoordinateMap
from pixtrim.errors import UsageError
from pixtrim.kernels.filters import WEIGHT_BITS, warped_weights, weights
from pixtrim.operators.resize import resize
from pixtrim.operators.warp import warp, warped_axis


def spot(height: int, width: int, box: tuple[int, int, int, int]) -> np.ndarray:
    importance = np.zeros((height, width), np.float32)
    x0, y0, x1, y1 = box
    importance[y0:y1, x0:x1] = 1
    return importance


@st.composite
def axes(draw: st.DrawFn) -> tuple[np.ndarray, int, float, np.ndarray | None]:
    length = draw(st.integers(1, 400))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    profile = rng.random(length) ** draw(st.sampled_from([0.5, 1, 8])) * draw(st.sampled_from([0, 1e-6, 1]))
    protect = rng.random(length) < draw(st.sampled_from([0.01, 0.5, 1])) if draw(st.booleans()) else None
    return profile, draw(st.integers(1, length)), draw(st.sampled_from([0.05, 0.6, 1])), protect


@given(axes())
def test_an_axis_keeps_its_bounds(case: tuple[np.ndarray, int, float, np.ndarray | None]) -> None:
    profile, new_size, least, protect = case
    axis = warped_axis(profile, new_size, least, protect)
    assert (axis.original[-1], axis.reduced[-1]) == (len(profile), new_size)
    runs, rises = np.diff(axis.original), np.diff(axis.reduced)
    even, rounding = new_size / len(profile), 1 / 1024
    assert (rises <= runs + rounding).all()
    assert (rises >= least * even * runs - rounding - 1e-9).all()
    if protect is not None:
        kept = np.logical_or.reduceat(protect, axis.original[:-1].astype(int))
        assert (rises >= even * runs - rounding - 1e-9)[kept].all()


@given(axes(), st.sampled_from(["area", "bicubic", "lanczos"]))
def test_weights_sum_to_one_and_stay_inside(
    case: tuple[np.ndarray, int, float, np.ndarray | None], filter: str
) -> None:
    profile, new_size, least, protect = case
    axis = warped_axis(profile, new_size, least, protect)
    starts, fixed = warped_weights(axis.original, axis.reduced, filter)
    assert (starts.dtype, fixed.dtype, len(starts)) == (np.int32, np.int16, new_size)
    assert (fixed.sum(axis=1, dtype=np.int64) == 1 << WEIGHT_BITS).all()
    assert starts.min() >= 0
    assert starts.max() + fixed.shape[1] <= len(profile)


def test_an_even_warp_has_the_weights_of_a_resize() -> None:
    for filter, off in (("area", 1), ("bicubic", 40), ("lanczos", 40)):
        plain = np.zeros((60, 97))
        warped = np.zeros((60, 97))
        for table, (starts, fixed) in (
            (plain, weights(97, 60, filter)),
            (warped, warped_weights(np.array([0.0, 97]), np.array([0.0, 60]), filter)),
        ):
            for row, (start, values) in enumerate(zip(starts, fixed, strict=True)):
                table[row, start : start + len(values)] = values
        assert np.abs(plain - warped).max() <= off


def test_area_weights_by_hand() -> None:
    # Five pixels of scale 2/5, then two of scale 1 / 2: the third of three pixels takes the last two.
    starts, fixed = warped_weights(np.array([0.0, 5, 7]), np.array([0.0, 2, 3]), "area")
    exact = np.zeros((3, 7))
    for row, (start, values) in enumerate(zip(starts, fixed, strict=True)):
        exact[row, start : start + len(values)] = values / (1 << WEIGHT_BITS)
    np.testing.assert_allclose(
        exact, [[0.4, 0.4, 0.2, 0, 0, 0, 0], [0, 0, 0.2, 0.4, 0.4, 0, 0], [0, 0, 0, 0, 0, 0.5, 0.5]], atol=1e-4
    )


def test_what_matters_keeps_its_size() -> None:
    importance = spot(300, 400, (120, 90, 200, 150))
    pixels = np.zeros((300, 400, 3), np.uint8)
    warped = warp(pixels, (200, 150), importance, least=0.5)
    x0, y0, x1, y1 = warped.coordinates.to_reduced(boxes=[120, 90, 200, 150])
    assert x1 - x0 > 0.9 * 80  # a plain resize leaves 40 and 30
    assert y1 - y0 > 0.9 * 60
    smallest, largest = warped.scales()
    assert smallest >= 0.249
    assert largest <= 1.001


@pytest.mark.parametrize("filter", ["area", "bicubic", "lanczos"])
def test_pixels_are_where_the_map_says(filter: str) -> None:
    # A ramp along each axis: what a reduced pixel shows is where it came from.
    height, width = 200, 250
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.arange(width)
    pixels[..., 1] = np.arange(height)[:, None]
    warped = warp(pixels, (140, 120), spot(height, width, (150, 20, 210, 60)), filter=filter)
    grid = np.stack(np.meshgrid(np.arange(140) + 0.5, np.arange(120) + 0.5), axis=-1)
    there = warped.coordinates.to_original(grid) - 0.5
    inner = np.s_[4:-4, 4:-4]  # at the edges weights are one-sided
    shown = warped.image[..., :2].astype(float)
    assert np.abs(shown - there)[inner].max() <= 1.0
    np.testing.assert_allclose(warped.coordinates.to_reduced(there + 0.5), grid, atol=1e-9)
    assert CoordinateMap.from_json(warped.coordinates.to_json()) == warped.coordinates


def test_without_importance_or_at_full_size_it_is_a_resize() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    for importance in (np.zeros((64, 96), np.float32), np.ones((64, 96), np.float32)):
        even = warp(pixels, (48, 32), importance, filter="area")
        assert np.abs(even.image.astype(int) - resize(pixels, (48, 32), filter="area")).max() <= 1
        smallest, largest = even.scales()
        assert smallest == pytest.approx(0.5, abs=1e-3)
        assert largest == pytest.approx(0.5, abs=1e-3)
    np.testing.assert_array_equal(warp(pixels, (96, 64), spot(64, 96, (0, 0, 9, 9))).image, pixels)


def test_protected_lines_are_no_smaller_than_by_a_resize() -> None:
    pixels = np.zeros((200, 300, 3), np.uint8)
    protect = np.zeros((200, 300), np.bool_)
    protect[10:40, 20:90] = True
    importance = spot(200, 300, (200, 120, 290, 190))
    plain = warp(pixels, (150, 100), importance).coordinates.to_reduced(boxes=[20, 10, 90, 40])
    kept = warp(pixels, (150, 100), importance, protect=protect).coordinates.to_reduced(boxes=[20, 10, 90, 40])
    assert plain[2] - plain[0] < 35 <= kept[2] - kept[0] + 0.01
    assert plain[3] - plain[1] < 15 <= kept[3] - kept[1] + 0.01


def test_threads_do_not_show() -> None:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (90, 110, 3), np.uint8)
    importance = rng.random((90, 110), np.float32)
    one, four = (warp(pixels, (70, 60), importance, threads=threads) for threads in (1, 4))
    np.testing.assert_array_equal(one.image, four.image)


IMAGE = np.zeros((20, 30, 3), np.uint8)
FLAT = np.zeros((20, 30), np.float32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": (31, 20)}, "size is 31x20, the picture 30x20: a warp does not enlarge"),
        ({"size": (0, 20)}, "at least 1x1"),
        ({"size": 5}, "two whole numbers"),
        ({"least": 0}, "least is 0"),
        ({"least": 1.5}, "least is 1.5"),
        ({"least": float("nan")}, "least is nan"),
        ({"importance": FLAT.T}, "importance must be float32 (20, 30)"),
        ({"importance": FLAT.astype(float)}, "got float64 (20, 30)"),
        ({"importance": FLAT + 2}, "outside of 0 to 1"),
        ({"importance": FLAT * np.float32("nan")}, "outside of 0 to 1"),
        ({"importance": "text"}, "got str"),
        ({"protect": FLAT}, "protect must be bool (20, 30)"),
        ({"filter": "box"}, "filter must be one of"),
        ({"threads": 0}, "threads must be a whole number"),
        ({"pixels": IMAGE[..., 0]}, "(H, W, 3)"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"pixels": IMAGE, "size": (15, 10), "importance": FLAT, **change}
    with pytest.raises(UsageError, match=re.escape(message)):
        warp(given.pop("pixels"), given.pop("size"), given.pop("importance"), **given)
