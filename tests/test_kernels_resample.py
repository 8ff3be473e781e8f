"""The kernel `resample` and its weights: in NumPy, and in C++ at each vector level."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pixtrim import kernels
from pixtrim.kernels import reference
from pixtrim.kernels.filters import FILTERS, weights

ONE = 1 << 14
RESAMPLE: dict[str, Any] = {"reference": reference.resample}
if kernels.BACKEND == "native":
    from pixtrim import _native

    RESAMPLE |= {level: partial(_native.resample, level=level) for level in _native.levels()}

every_resample = pytest.mark.parametrize("resample", [pytest.param(it, id=name) for name, it in RESAMPLE.items()])
every_filter = pytest.mark.parametrize("filter", FILTERS)

sides = st.integers(1, 60)


def noise(height: int, width: int, seed: int = 0, *, black_and_white: bool = False) -> NDArray[np.uint8]:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return np.where(pixels > 127, 255, 0).astype(np.uint8) if black_and_white else pixels


def page(height: int, width: int) -> NDArray[np.uint8]:
    """Lines of text on white, and a slope of colours."""
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    for y in range(0, height, 14):
        draw.text((3, y), "Total 1,234.50 EUR, due on 3 May " * 4, fill=(20, 20, 60))
    pixels = np.array(picture)
    ramp = np.linspace(0, 255, max(width // 4, 1)).astype(np.uint8)
    pixels[height // 2 :, : len(ramp)] = ramp[:, None]
    return pixels


def tables(pixels: NDArray[np.uint8], width: int, height: int, filter: str) -> tuple[Any, ...]:
    return (*weights(pixels.shape[0], height, filter), *weights(pixels.shape[1], width, filter))


# ---- weights


@pytest.mark.parametrize(
    ("size", "new_size", "filter", "starts", "rows"),
    [
        (4, 2, "area", [0, 2], [[8192, 8192], [8192, 8192]]),
        # 3 to 2: each new pixel covers one whole pixel and half of the middle one
        (3, 2, "area", [0, 1], [[10923, 5461], [5461, 10923]]),
        (2, 4, "area", [0, 0, 0, 0], [[16384, 0], [12288, 4096], [4096, 12288], [0, 16384]]),
        # 1 to 2 pixels: there is but one to look at
        (1, 2, "lanczos", [0, 0], [[16384], [16384]]),
        # t = 1/4, 1/4, 3/4, 5/4, where the cubic is 111, 111, 29, -9 over 128; they sum to 242
        (4, 2, "bicubic", [0, 0], [[7515, 7515, 1963, -609], [-609, 1963, 7515, 7515]]),
    ],
)
def test_weights_by_hand(size: int, new_size: int, filter: str, starts: list[int], rows: list[list[int]]) -> None:
    got_starts, got = weights(size, new_size, filter)
    assert got_starts.dtype == np.int32
    assert got.dtype == np.int16
    assert got_starts.tolist() == starts
    assert got.tolist() == rows


@every_filter
@given(size=st.integers(1, 3000), new_size=st.integers(1, 3000))
def test_weights_sum_to_one_and_stay_inside(filter: str, size: int, new_size: int) -> None:
    starts, fixed = weights(size, new_size, filter)
    wide = fixed.astype(int)
    assert len(starts) == len(fixed) == new_size
    assert (wide.sum(axis=1) == ONE).all()
    assert (np.abs(wide).sum(axis=1) <= 2 * ONE).all()
    assert starts.min() >= 0
    assert starts.max() + fixed.shape[1] <= size


@every_filter
def test_weights_lie_around_the_pixels_own_place(filter: str) -> None:
    for size, new_size in [(1920, 1344), (1080, 756), (1000, 37), (50, 50), (40, 90)]:
        starts, fixed = weights(size, new_size, filter)
        positions = starts[:, None] + np.arange(fixed.shape[1]) + 0.5
        centres = (positions * fixed).sum(axis=1) / ONE
        expected = (np.arange(new_size) + 0.5) * size / new_size
        inner = slice(4, -4)  # at the ends, the missing pixels pull inwards
        np.testing.assert_allclose(centres[inner], expected[inner], atol=0.1 * max(1, size / new_size))


@every_filter
@pytest.mark.parametrize("size", [1, 2, 7, 300])
def test_weights_of_an_equal_size_keep_each_pixel(filter: str, size: int) -> None:
    starts, fixed = weights(size, size, filter)
    assert starts.tolist() == list(range(size))
    assert fixed.tolist() == [[ONE]] * size


def test_weights_are_kept_and_cannot_be_changed() -> None:
    for array in weights(10, 4, "area"):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


# ---- resample


@every_resample
def test_a_picture_by_hand(resample: Any) -> None:
    # Rows: a quarter and three quarters. Columns: the first alone; -1/2, 1 and 1/2 of the three.
    pixels = np.array([[[0, 255, 3]] * 3, [[100, 255, 0], [200, 0, 0], [50, 10, 1]]], np.uint8)
    starts = np.zeros(1, np.int32), np.zeros(2, np.int32)
    quarter, mixed = (
        np.array([[ONE // 4, 3 * ONE // 4]], np.int16),
        np.array([[ONE, 0, 0], [-ONE // 2, ONE, ONE // 2]], np.int16),
    )
    # The rows give 75, 150, 37.5 in red; 255, 63.75, 71.25 in green; 0.75, 0.75, 1.5 in blue.
    # -1/2, 1, 1/2 make 131.25 of red, less than 0 of green, and 1.125 of blue.
    result = resample(pixels, starts[0], quarter, starts[1], mixed)
    assert result.dtype == np.uint8
    assert result.tolist() == [[[75, 255, 1], [131, 0, 1]]]


@every_resample
def test_halves_are_rounded_up_and_levels_clipped(resample: Any) -> None:
    pixels = np.array([[[0, 255, 2], [1, 0, 3]]], np.uint8)
    one, start = np.array([[ONE]], np.int16), np.zeros(1, np.int32)
    half, over = np.array([[ONE // 2, ONE // 2]], np.int16), np.array([[3 * ONE // 2, -ONE // 2]], np.int16)
    assert resample(pixels, start, one, start, half).tolist() == [[[1, 128, 3]]]
    assert resample(pixels, start, one, start, over).tolist() == [[[0, 255, 2]]]


@every_resample
@every_filter
@given(height=sides, width=sides, new_height=sides, new_width=sides, seed=st.integers(0, 99), hard=st.booleans())
def test_every_level_gives_the_reference(
    resample: Any, filter: str, height: int, width: int, new_height: int, new_width: int, seed: int, hard: bool
) -> None:
    pixels = noise(height, width, seed, black_and_white=hard)
    axes = tables(pixels, new_width, new_height, filter)
    result = resample(pixels, *axes)
    assert result.shape == (new_height, new_width, 3)
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, reference.resample(pixels, *axes))


@every_resample
@every_filter
@pytest.mark.parametrize("threads", [1, 2, 5, 256])
def test_the_number_of_threads_changes_nothing(resample: Any, filter: str, threads: int) -> None:
    pixels = page(211, 307)
    axes = tables(pixels, 214, 148, filter)
    np.testing.assert_array_equal(resample(pixels, *axes, threads), reference.resample(pixels, *axes))


@every_resample
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("taps", [1, 2, 3, 4, 5, 4000])
def test_the_largest_sums_do_not_overflow(resample: Any, sign: int, taps: int) -> None:
    # The absolute weights sum to 2, and every product has the same sign: 255 * 2 * 2 levels, clipped.
    row = np.zeros(taps, int)
    row[: min(taps, 8)] = 2 * ONE // min(taps, 8)
    row[0] += 2 * ONE - row.sum()
    row[0] -= row[0] == 2 * ONE  # which int16 does not hold
    fixed, start = (sign * row[None]).astype(np.int16), np.zeros(1, np.int32)
    pixels = np.full((taps, taps if taps < 9 else 9, 3), 255, np.uint8)
    across = fixed[:, : pixels.shape[1]]
    assert resample(pixels, start, fixed, start, abs(across)).tolist() == [[[255 if sign > 0 else 0] * 3]]
    assert resample(pixels, start, fixed, start, -abs(across)).tolist() == [[[0 if sign > 0 else 255] * 3]]


@every_resample
@every_filter
@pytest.mark.parametrize("level", [0, 1, 127, 254, 255])
def test_a_constant_picture_stays_so(resample: Any, filter: str, level: int) -> None:
    pixels = np.full((53, 97, 3), level, np.uint8)
    for width, height in [(31, 17), (1, 1), (97, 20), (150, 53), (200, 111)]:
        assert (resample(pixels, *tables(pixels, width, height, filter)) == level).all()


@every_resample
@every_filter
def test_one_pixel_and_a_long_strip(resample: Any, filter: str) -> None:
    dot = np.array([[[7, 8, 9]]], np.uint8)
    assert resample(dot, *tables(dot, 3, 2, filter)).tolist() == [[[7, 8, 9]] * 3] * 2
    strip = np.zeros((1, 20_000, 3), np.uint8)
    strip[:, 10_000:] = 255
    assert abs(int(resample(strip, *tables(strip, 1, 1, filter))[0, 0, 0]) - 127.5) <= 1
    assert resample(strip, *tables(strip, 3, 1, "area"))[0, :, 1].tolist() == [0, 128, 255]
    column = np.ascontiguousarray(strip.swapaxes(0, 1))
    assert resample(column, *tables(column, 1, 3, "area"))[:, 0, 1].tolist() == [0, 128, 255]


PILLOW = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS, "area": Image.Resampling.BOX}


@pytest.mark.parametrize("filter", ["bicubic", "lanczos"])
@given(height=sides, width=sides, new_height=sides, new_width=sides, seed=st.integers(0, 99), hard=st.booleans())
def test_it_is_within_a_level_of_pillow_in_floating_point(
    filter: str, height: int, width: int, new_height: int, new_width: int, seed: int, hard: bool
) -> None:
    pixels = noise(height, width, seed, black_and_white=hard)
    channels = [Image.fromarray(pixels[..., c].astype(np.float32)) for c in range(3)]
    exact = np.stack([np.asarray(c.resize((new_width, new_height), PILLOW[filter])) for c in channels], axis=-1)
    result = kernels.resample(pixels, *tables(pixels, new_width, new_height, filter))
    assert np.abs(result - np.clip(exact, 0, 255)).max() <= 1


@every_filter
@pytest.mark.parametrize("size", [(320, 180), (160, 90), (64, 36)])
def test_it_is_within_two_levels_of_pillow_in_bytes(filter: str, size: tuple[int, int]) -> None:
    # Mid tones: Pillow clips between the axes, where this keeps what overshoots. Whole factors: the box of Pillow takes
    # a pixel whole or not at all.
    pixels = (page(360, 640) // 4 + 96).astype(np.uint8)
    expected = np.asarray(Image.fromarray(pixels).resize(size, PILLOW[filter])).astype(int)
    result = kernels.resample(pixels, *tables(pixels, *size, filter))
    assert np.abs(result - expected).max() <= 2


def test_area_is_the_mean_over_the_overlap() -> None:
    pixels = noise(21, 35)
    fine = (
        pixels.repeat(2, axis=0).repeat(3, axis=1).astype(float)
    )  # 21 to 14 rows and 35 to 15 columns: in whole parts
    exact = fine.reshape(14, 3, 15, 7, 3).mean(axis=(1, 3))
    result = kernels.resample(pixels, *tables(pixels, 15, 14, "area"))
    assert np.abs(result - exact).max() <= 0.6


@every_resample
def test_read_only_arrays_are_read_and_stay_as_they_are(resample: Any) -> None:
    pixels = noise(9, 14)
    before = pixels.copy()
    pixels.flags.writeable = False
    resample(pixels, *tables(pixels, 5, 5, "bicubic"))
    np.testing.assert_array_equal(pixels, before)


@every_resample
def test_nothing_makes_nothing(resample: Any) -> None:
    none, no_weights = np.zeros(0, np.int32), np.zeros((0, 3), np.int16)
    assert resample(noise(4, 6), none, no_weights, none, no_weights).shape == (0, 0, 3)
    assert resample(noise(4, 6), none, no_weights, *weights(6, 2, "area"), 3).shape == (0, 2, 3)


START, WEIGHT = np.zeros(1, np.int32), np.array([[ONE // 2, ONE // 2]], np.int16)
GOOD = {
    "pixels": np.zeros((4, 6, 3), np.uint8),
    "row_starts": START,
    "row_weights": WEIGHT,
    "column_starts": START,
    "column_weights": WEIGHT,
}


@every_resample
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"row_starts": START + 3}, "row_starts must be from 0 to 2, so that 2 weights stay inside the picture, got 3"),
        ({"row_starts": START - 1}, "row_starts must be from 0 to 2, .* got -1"),
        ({"column_starts": START + 5}, "column_starts must be from 0 to 4, .* got 5"),
        ({"column_starts": START + (2**31 - 1)}, "column_starts must be from 0 to 4, .* got 2147483647"),
        ({"column_weights": np.zeros((1, 7), np.int16)}, "column_starts must be from 0 to -1, so that 7 weights"),
        ({"row_starts": np.zeros(2, np.int32)}, "row_weights must have as many rows as row_starts, 2, got 1"),
        (
            {"row_weights": np.array([[32767, 2]], np.int16)},
            "in a row of row_weights must sum to at most 32768, got 32769",
        ),
        (
            {"column_weights": np.array([[-32768, 1]], np.int16)},
            "of column_weights must sum to at most 32768, got 32769",
        ),
        ({"pixels": np.zeros((0, 6, 3), np.uint8)}, "row_starts must be from 0 to -2"),
        ({"threads": 0}, "threads must be from 1 to 256, got 0"),
        ({"threads": 10**9}, "threads must be from 1 to 256, got 1000000000"),
    ],
)
def test_values_out_of_range_are_refused(resample: Any, changed: dict[str, Any], message: str) -> None:
    resample(**GOOD)
    with pytest.raises(ValueError, match=message):
        resample(**{**GOOD, **changed})


@every_resample
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"pixels": GOOD["pixels"].astype(np.int16)},
            r"pixels must be .* shape \(H, W, 3\), got ndarray int16 \(4, 6, 3\)",
        ),
        ({"pixels": GOOD["pixels"][:, ::2]}, "pixels must be a C-contiguous"),
        (
            {"row_starts": START.astype(np.int64)},
            r"row_starts must be a C-contiguous int32 array .*, got ndarray int64",
        ),
        ({"column_starts": [0]}, "column_starts must be .*, got list"),
        (
            {"row_weights": WEIGHT.astype(float)},
            r"row_weights must be .* shape \(N, taps\), got ndarray float64 \(1, 2\)",
        ),
        ({"column_weights": WEIGHT[0]}, r"column_weights must be .*, got ndarray int16 \(2,\)"),
        ({"column_weights": np.zeros((1, 4), np.int16)[:, ::2]}, "column_weights must be a C-contiguous"),
        ({"threads": 1.5}, None),
    ],
)
def test_other_types_are_refused(resample: Any, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        resample(**{**GOOD, **changed})
