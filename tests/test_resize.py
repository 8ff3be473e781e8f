"""The operator `resize`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pixtrim.errors import UsageError
from pixtrim.kernels.filters import FILTERS
from pixtrim.operators.resize import DEFAULT_FILTER, resize

GOOD = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def test_the_size_is_width_and_height() -> None:
    assert resize(GOOD, (7, 11)).shape == (11, 7, 3)
    assert resize(GOOD, np.array([40, 5])).shape == (5, 40, 3)


@pytest.mark.parametrize("filter", FILTERS)
def test_its_own_size_is_an_equal_copy(filter: str) -> None:
    result = resize(GOOD, (30, 20), filter=filter)
    np.testing.assert_array_equal(result, GOOD)
    assert not np.shares_memory(result, GOOD)


@pytest.mark.parametrize("filter", FILTERS)
def test_an_axis_that_keeps_its_size_is_not_filtered(filter: str) -> None:
    rows = np.repeat(GOOD[:1], 20, axis=0)
    np.testing.assert_array_equal(resize(rows, (30, 9), filter=filter), rows[:9])
    columns = np.repeat(GOOD[:, :1], 30, axis=1)
    np.testing.assert_array_equal(resize(columns, (14, 20), filter=filter), columns[:, :14])


def test_the_default_filter_is_among_the_filters_and_used() -> None:
    np.testing.assert_array_equal(resize(GOOD, (9, 9)), resize(GOOD, (9, 9), filter=DEFAULT_FILTER))
    results = {filter: resize(GOOD, (9, 9), filter=filter).tobytes() for filter in FILTERS}
    assert len(set(results.values())) == len(FILTERS)
    assert DEFAULT_FILTER in FILTERS


@given(width=st.integers(1, 70), height=st.integers(1, 70), threads=st.integers(1, 5))
def test_channels_do_not_mix_and_threads_change_nothing(width: int, height: int, threads: int) -> None:
    result = resize(GOOD, (width, height), threads=threads)
    for channel in range(3):
        alone = np.zeros_like(GOOD)
        alone[..., channel] = GOOD[..., channel]
        expected = np.zeros_like(result)
        expected[..., channel] = result[..., channel]
        np.testing.assert_array_equal(resize(alone, (width, height)), expected)


def test_a_smooth_picture_comes_back_after_a_round_trip() -> None:
    y, x = np.mgrid[:60, :90]
    pixels = np.stack([x * 2 + 30, y * 3 + 20, x + y], axis=-1).astype(np.uint8)
    again = resize(resize(pixels, (45, 30)), (90, 60)).astype(int)
    inner = (slice(4, -4), slice(4, -4))
    assert np.abs(again - pixels)[inner].max() <= 1


def test_a_real_page_is_close_to_pillows(shared_data: Any) -> None:
    path = next(iter(sorted((shared_data / "documents").rglob("*.png"))), None)
    if path is None:
        pytest.skip("no PNG among the documents")
    with Image.open(path) as picture:
        rgb = picture.convert("RGB")
    size = (rgb.width * 2 // 3, rgb.height * 2 // 3)
    expected = np.asarray(rgb.resize(size, Image.Resampling.BICUBIC)).astype(int)
    difference = np.abs(resize(np.asarray(rgb), size) - expected)
    assert difference.mean() < 0.5
    assert np.percentile(difference, 99) <= 2  # Pillow clips between the axes: corners of letters differ by more


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (None, "got NoneType"),
        ([[1]], "got list"),
        (GOOD.astype(float), r"C-contiguous uint8 array of shape \(H, W, 3\), got ndarray float64 \(20, 30, 3\)"),
        (GOOD[..., 0], r"got ndarray uint8 \(20, 30\)"),
        (np.zeros((4, 5, 4), np.uint8), r"got ndarray uint8 \(4, 5, 4\)"),
        (GOOD[:, ::2], "C-contiguous"),
        (np.zeros((0, 5, 3), np.uint8), r"at least one pixel, got the shape \(0, 5, 3\)"),
    ],
)
def test_other_pictures_are_refused(pixels: Any, message: str) -> None:
    with pytest.raises(UsageError, match=f"pixels must .*{message}"):
        resize(pixels, (2, 2))


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((0, 5), "size must be at least 1x1 pixels, got 0x5"),
        ((5, -1), "size must be at least 1x1 pixels, got 5x-1"),
        ((2**28, 2), "size must be at most 268435456 pixels in all, got 268435456x2"),
        ((10**30, 1), "size must be at most 268435456 pixels"),
        ((5.0, 5), r"size must be two whole numbers.* got \(5.0, 5\)"),
        ((5,), r"size must be two whole numbers.* got \(5,\)"),
        ((5, 5, 3), "size must be two whole numbers"),
        (7, "size must be two whole numbers.* got 7"),
        ("77", "size must be two whole numbers.* got '77'"),
        (None, "size must be two whole numbers.* got None"),
    ],
)
def test_other_sizes_are_refused(size: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resize(GOOD, size)


@pytest.mark.parametrize("filter", ["box", "", None, "LANCZOS"])
def test_other_filters_are_refused(filter: Any) -> None:
    with pytest.raises(UsageError, match=f"filter must be one of area, bicubic, lanczos, got {filter!r}"):
        resize(GOOD, (5, 5), filter=filter)


@pytest.mark.parametrize("threads", [0, -1, 257, 1.5, None, "2"])
def test_other_numbers_of_threads_are_refused(threads: Any) -> None:
    with pytest.raises(UsageError, match=f"threads must be a whole number from 1 to 256, got {threads!r}"):
        resize(GOOD, (5, 5), threads=threads)
