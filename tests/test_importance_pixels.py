"""Sources of importance that look at pixels alone: contrast, text, the spectral residual."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pixtrim.importance import gradient, importance_of, spectral_residual, text

Pixels = NDArray[np.uint8]
SOURCES = (gradient, text, spectral_residual)

pictures = arrays(np.uint8, st.tuples(st.integers(1, 70), st.integers(1, 70), st.just(3)))


def grey(values: Any) -> Pixels:
    return np.ascontiguousarray(np.repeat(np.asarray(values, np.uint8)[:, :, None], 3, axis=2))


@given(pictures, st.sampled_from(SOURCES))
def test_any_picture_has_importance(pixels: Pixels, source: Any) -> None:
    before = pixels.copy()
    found = source(pixels)
    assert (found.shape, found.dtype) == (pixels.shape[:2], np.float32)
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 1
    np.testing.assert_array_equal(source(pixels), found)
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (40, 3000), (518, 518)])
def test_a_flat_picture_has_none(source: Any, shape: tuple[int, int]) -> None:
    for level in (0, 77, 255):
        assert not source(np.full((*shape, 3), level, np.uint8)).any()


@pytest.mark.parametrize("source", SOURCES)
def test_views_of_arrays_are_pictures_too(source: Any) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 1400, 3), np.uint8)
    np.testing.assert_array_equal(source(pixels[::2, ::-1]), source(pixels[::2, ::-1].copy()))


# --- contrast --------------------------------------------------------------------------------------------------------


def test_contrast_is_where_edges_are_and_of_any_colour() -> None:
    pixels = np.full((64, 64, 3), 100, np.uint8)
    pixels[20:40, 20:40] = (100, 100, 160)  # the same brightness or nearly so, but blue
    found = gradient(pixels)
    assert found[20, 30] > 0.5
    assert found[30, 20] > 0.5
    assert not found[:14].any()
    assert not found[27:33, 27:33].any()


def test_noise_of_a_few_levels_is_calm() -> None:
    rng = np.random.default_rng(0)
    assert not gradient(rng.integers(100, 104, (80, 80, 3), np.uint8)).any()
    assert gradient(rng.integers(97, 107, (80, 80, 3), np.uint8)).max() < 0.5
    assert gradient(rng.integers(0, 256, (80, 80, 3), np.uint8)).mean() > 0.5


def test_one_strong_edge_does_not_hide_the_rest() -> None:
    rng = np.random.default_rng(0)
    pixels = grey(rng.integers(80, 160, (400, 400)))
    pixels[0, 0] = 255
    pixels[0, 1] = 0
    assert np.median(gradient(pixels)) > 0.5


# --- the spectral residual -------------------------------------------------------------------------------------------


def test_what_breaks_a_pattern_stands_out() -> None:
    stripes = grey(np.tile(np.where(np.arange(64) % 8 < 4, 90, 160), (64, 1)))
    stripes[28:36, 44:52] = 20
    found = spectral_residual(stripes)
    y, x = np.unravel_index(found.argmax(), found.shape)
    assert abs(y - 32) <= 6
    assert abs(x - 48) <= 6
    assert found[26:38, 42:54].mean() > 3 * found.mean()


def test_where_it_is_does_not_matter() -> None:
    pixels = grey(np.random.default_rng(1).integers(0, 60, (64, 64)))
    pixels[20:26, 10:16] = 255
    moved = np.roll(pixels, (10, 30), axis=(0, 1))
    found = spectral_residual(pixels)[16:30, 6:20]
    np.testing.assert_allclose(spectral_residual(moved)[26:40, 36:50], found, atol=0.02)


# --- text ------------------------------------------------------------------------------------------------------------


def lettered(words: str, size: int, ink: int, ground: int, shape: tuple[int, int] = (240, 480)) -> tuple[Pixels, Any]:
    """A picture with words in its middle, and their box."""
    picture = Image.new("L", shape[::-1], ground)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size)
    left, top, right, bottom = draw.textbbox((0, 0), words, font=font)
    x, y = (shape[1] - right) // 2, (shape[0] - bottom) // 2
    draw.text((x, y), words, ink, font=font)
    return grey(picture), (slice(int(y + top), int(y + bottom)), slice(int(x + left), int(x + right)))


@pytest.mark.parametrize("size", [10, 14, 20, 32, 48, 72])
@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (255, 0), (60, 190), (230, 120)])
def test_words_of_any_size_and_polarity_are_found(size: int, ink: int, ground: int) -> None:
    pixels, box = lettered("Market Street" if size < 60 else "Market", size, ink, ground)
    found = text(pixels)
    assert found[box].mean() > 0.5
    far = np.ones(found.shape, bool)
    reach = 40 + 2 * size
    far[max(0, box[0].start - reach) : box[0].stop + reach, max(0, box[1].start - reach) : box[1].stop + reach] = False
    assert not found[far].any()


def test_edges_wires_and_texture_are_no_text() -> None:
    edge = grey(np.where(np.arange(320) < 160, 20, 230)[None].repeat(200, axis=0))
    wire = np.full((200, 320), 220, np.uint8)
    wire[:, 100:103] = 10
    wire[80:83] = 10
    rng = np.random.default_rng(0)
    grass = grey(rng.integers(90, 140, (200, 320)))
    bars = grey(np.tile(np.where(np.arange(320) % 8 < 4, 20, 230), (200, 1)))  # a fence that fills the picture
    for pixels in (edge, grey(wire), grass):
        assert text(pixels).max() < 0.1
    assert text(bars)[60:140].mean() < 0.1


def test_text_on_photos_is_told_from_photos(shared_data: Path) -> None:
    """On photos that the settings were not chosen by: every other one."""
    inside, everywhere, share, area = [], [], [], []
    for number, path in enumerate(sorted((shared_data / "photos" / "ecssd").glob("*.jpg"))[1::2]):
        with Image.open(path) as file:
            picture = file.convert("RGB")
        everywhere.append(text(np.array(picture)).mean())
        draw, font = ImageDraw.Draw(picture), ImageFont.load_default(16 + 4 * (number % 5))
        x0, y0, x1, y1 = (int(edge) for edge in draw.textbbox((60, 20 + 30 * (number % 6)), "Open 24 Hours", font=font))
        dark = np.array(picture)[y0:y1, x0:x1].mean() > 128
        draw.text((60, 20 + 30 * (number % 6)), "Open 24 Hours", (0, 0, 0) if dark else (255, 255, 255), font=font)
        found = importance_of(np.array(picture), "text")
        inside.append(found[y0:y1, x0:x1].mean())
        share.append(found[y0:y1, x0:x1].sum() / found.sum())
        area.append((y1 - y0) * (x1 - x0) / found.size)
    assert np.mean(inside) > 0.7
    assert np.mean(everywhere) < 0.08
    assert np.mean(share) > 5 * np.mean(area)
