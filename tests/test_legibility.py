"""The height of text: close to what was drawn, and None where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pixtrim.legibility import LEAST_HEIGHT, text_height
from pixtrim.operators.fold.changes import Changes, measure_noise

Pixels = NDArray[np.uint8]

LINES = [
    "The quick brown fox jumps over a lazy dog, by day and by night",
    "Sphinx of black quartz, judge my vow: thirty pages before dawn",
    "How vexingly quick daft zebras jump; the jury paid 1,450 in all",
    "Pack my box with five dozen liquor jugs and a copy of this page",
]


def page_of(size: float, colour: int = 0, paper: int = 255, lines: int = 16, width: int = 1000) -> tuple[Pixels, float]:
    """A page of lines of text, and the height from ascender to descender of what is drawn."""
    font = ImageFont.load_default(size)
    pitch = round(size * 1.5)
    page = Image.new("RGB", (width, 60 + pitch * lines), (paper, paper, paper))
    for i in range(lines):
        ImageDraw.Draw(page).text((40, 30 + pitch * i), LINES[i % len(LINES)], (colour, colour, colour), font)
    _, top, _, bottom = font.getbbox("dpqb")
    return np.asarray(page), bottom - top


def height_of(pixels: Pixels) -> float | None:
    return text_height(Changes(pixels, measure_noise(pixels)))


@pytest.mark.parametrize("size", [9, 11, 14, 18, 24, 32, 38])
@pytest.mark.parametrize(("colour", "paper"), [(0, 255), (230, 20)])
def test_the_height_of_drawn_text_is_found(size: int, colour: int, paper: int) -> None:
    pixels, drawn = page_of(size, colour, paper)
    assert height_of(pixels) == pytest.approx(drawn, rel=0.25)


@pytest.mark.parametrize("width", [200, 300, 500, 2000])
def test_the_height_does_not_depend_on_the_width_of_the_page(width: int) -> None:
    pixels, drawn = page_of(15, width=width)
    assert height_of(pixels) == pytest.approx(drawn, rel=0.25)


def test_small_print_decides() -> None:
    large, _ = page_of(40, lines=6)
    small, drawn = page_of(12, lines=30)
    assert height_of(np.concatenate([large, small])) == pytest.approx(drawn, rel=0.25)


def test_grain_does_not_hide_the_text() -> None:
    pixels, drawn = page_of(20)
    noise = np.random.default_rng(0).normal(0, 3, pixels.shape[:2])[..., None]
    grainy = np.clip(np.rint(pixels * 0.9 + 15 + noise), 0, 255).astype(np.uint8)
    assert measure_noise(grainy).specks
    found = height_of(grainy)
    assert found is not None
    assert found == pytest.approx(drawn, rel=0.6)  # between dust and letters the rows are not quite of one colour
    assert found > LEAST_HEIGHT


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (300, 20), (30, 400)])
def test_a_blank_picture_has_no_text(shape: tuple[int, int]) -> None:
    assert height_of(np.full((*shape, 3), 200, np.uint8)) is None


def test_neither_rules_nor_pictures_are_text() -> None:
    page = np.full((800, 600, 3), 255, np.uint8)
    page[50::40, 100:500] = 0
    assert height_of(page) is None
    page[:] = np.random.default_rng(1).integers(0, 256, page.shape)
    assert height_of(page) is None


def test_a_few_words_are_too_few_to_tell() -> None:
    page = Image.new("RGB", (1200, 300), "white")
    ImageDraw.Draw(page).text((40, 40), "Hi", "black", ImageFont.load_default(20))
    assert height_of(np.asarray(page)) is None
