"""The kernel `landmarks`: in NumPy, and in C++ at each vector level."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pixtrim import kernels
from pixtrim.kernels import reference

LANDMARKS: dict[str, Any] = {"reference": reference.landmarks}
if kernels.BACKEND == "native":
    from pixtrim import _native

    LANDMARKS |= {level: partial(_native.landmarks, level=level) for level in _native.levels()}

every_landmarks = pytest.mark.parametrize("landmarks", [pytest.param(it, id=name) for name, it in LANDMARKS.items()])

WINDOW = 32


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def sparse(height: int, width: int, seed: int, share: float) -> NDArray[np.uint8]:
    """One colour, with some pixels of other ones."""
    pixels = noise(height, width, seed)
    pixels[np.random.default_rng(seed).random((height, width)) >= share] = 77, 78, 79
    return pixels


def hash_of(window: NDArray[np.uint8]) -> int:
    """The definition, in the integers of Python."""
    total = 0
    for red, green, blue in window.tolist():
        total = total * 0x9E3779B97F4A7C15 + (red << 16 | green << 8 | blue)
    total %= 1 << 64
    total = (total ^ total >> 32) * 0xD6E8FEB86659FD93 % (1 << 64)
    return total ^ total >> 32


@every_landmarks
@pytest.mark.parametrize("rarity", [1, 2, 3, 7, 12, 64])
def test_windows_are_chosen_by_their_hash(landmarks: Any, rarity: int) -> None:
    pixels = noise(3, 150, rarity)
    keys, places = landmarks(pixels, rarity)
    assert (keys.dtype, places.dtype, places.shape) == (np.uint64, np.int32, (len(keys), 2))
    hashes = {(y, x): hash_of(pixels[y, x : x + WINDOW]) for y in range(3) for x in range(150 - WINDOW + 1)}
    chosen = {place: value for place, value in hashes.items() if value % rarity == 0}
    assert dict(zip(map(tuple, places.tolist()), keys.tolist(), strict=True)) == chosen
    assert list(map(tuple, places.tolist())) == sorted(chosen)


@every_landmarks
@pytest.mark.parametrize("width", [31, 32, 63, 64, 65, 94, 95, 96, 127, 128, 129, 160])
def test_every_window_of_a_row_counts(landmarks: Any, width: int) -> None:
    keys, places = landmarks(noise(2, width), 1)
    columns = list(range(width - WINDOW + 1))
    assert places.tolist() == [[y, x] for y in (0, 1) for x in columns]
    assert keys.tolist() == [hash_of(noise(2, width)[y, x : x + WINDOW]) for y in (0, 1) for x in columns]


@every_landmarks
@pytest.mark.parametrize("shape", [(0, 40), (3, 0), (0, 0), (5, 31)])
def test_pictures_without_a_window(landmarks: Any, shape: tuple[int, int]) -> None:
    keys, places = landmarks(noise(*shape), 1)
    assert keys.shape == (0,)
    assert places.shape == (0, 2)


@every_landmarks
@pytest.mark.parametrize("x", [0, 1, 31, 60, 62, 63, 64, 65, 90, 127, 140])
def test_a_window_needs_four_changes(landmarks: Any, x: int) -> None:
    pixels = np.zeros((1, 172, 3), np.uint8)
    pixels[0, x + 5 : x + 8] = 9  # changes twice
    pixels[0, x + 31 :, 2] = 1  # and a third time, at the window's last step
    assert len(landmarks(pixels, 1)[0]) == 0
    pixels[0, x + 6, 1] = 8  # and twice more
    pixels[0, x + 31 :, 2] = 0
    starts = landmarks(pixels, 1)[1][:, 1].tolist()
    inside = [s for s in range(172 - WINDOW + 1) if s < x + 5 and x + 8 < s + WINDOW]
    assert starts == inside
    assert x in starts


@every_landmarks
def test_they_are_found_again_wherever_the_pixels_lie(landmarks: Any) -> None:
    pixels = noise(40, 300)
    moved = np.zeros((60, 400, 3), np.uint8)
    moved[13:53, 71:371] = pixels
    keys, places = landmarks(pixels, 16)
    others = dict(zip(*(array.tolist() for array in landmarks(moved, 16)), strict=True))
    assert 40 * 269 / 16 * 0.8 < len(keys) < 40 * 269 / 16 * 1.25
    assert [others[key] for key in keys.tolist()] == np.add(places, (13, 71)).tolist()


LEVELS = [level for level in LANDMARKS if level != "reference"]


@pytest.mark.parametrize("level", LEVELS)
@given(
    height=st.integers(0, 20),
    width=st.integers(30, 260),
    seed=st.integers(0, 10**6),
    share=st.sampled_from([0, 0.01, 0.05, 0.1, 0.2, 1]),
    rarity=st.one_of(st.sampled_from([1, 2, 64, 65536]), st.integers(1, 65536)),
)
def test_every_level_is_the_reference(
    level: str, height: int, width: int, seed: int, share: float, rarity: int
) -> None:
    pixels = sparse(height, width, seed, share)
    for found, expected in zip(LANDMARKS[level](pixels, rarity), reference.landmarks(pixels, rarity), strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("folder", ["gui_single/web", "photos/kodak"])
def test_every_level_is_the_reference_on_real_pictures(shared_data: Path, level: str, folder: str) -> None:
    with Image.open(sorted((shared_data / folder).glob("*.png"))[0]) as picture:
        pixels = np.ascontiguousarray(np.asarray(picture.convert("RGB"))[:400])
    for found, expected in zip(LANDMARKS[level](pixels, 60), reference.landmarks(pixels, 60), strict=True):
        np.testing.assert_array_equal(found, expected)
        assert len(expected) > 100
