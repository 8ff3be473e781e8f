"""Folding of scans and JPEGs: noise and specks do not count as content, letters do."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pixtrim.operators.fold import FoldPlan, analyse
from pixtrim.operators.fold.changes import Changes, Noise, measure_noise

Pixels = NDArray[np.uint8]

LINES = [
    "Delivered to the harbour office on 4 May,",
    "signed for by the night watchman. The crates",
    "were dry; two of twelve had lost a corner.",
    "- Q. Fennimore, 17:40 -",
    "",
    "",
    "Paid 1,204.50 in full, balance 0.00",
]


def letter(ink: int = 20, paper: int = 250, size: int = 20) -> Pixels:
    """A page with lines of a real font, and much empty space."""
    page = Image.new("RGB", (700, 900), (paper, paper, paper))
    for i, line in enumerate(LINES):
        ImageDraw.Draw(page).text((80, 90 + 70 * i), line, (ink, ink, ink), ImageFont.load_default(size))
    return np.asarray(page)


def grain(page: Pixels, spread: float = 3, seed: int = 0) -> Pixels:
    noise = np.random.default_rng(seed).normal(0, spread, page.shape[:2])
    return np.clip(np.rint(page + noise[..., None]), 0, 255).astype(np.uint8)


def jpeg(page: Pixels, quality: int = 60) -> Pixels:
    stream = io.BytesIO()
    Image.fromarray(page).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def specks(page: Pixels, count: int = 600, seed: int = 1) -> Pixels:
    """Dust of up to 4x4 pixels, but not near any letter."""
    rng = np.random.default_rng(seed)
    dusty = page.copy()
    height, width = page.shape[:2]
    for y, x in zip(rng.integers(0, height - 4, count), rng.integers(0, width - 4, count), strict=True):
        tall, wide = rng.integers(1, 5, 2)
        if page[max(y - 8, 0) : y + 12, max(x - 8, 0) : x + 12].min() > 200:
            dusty[y : y + tall, x : x + wide] = 60
    return dusty


def shaded(page: Pixels, by: float = 0.3) -> Pixels:
    """Light that falls off from one corner to the other, on grainy paper."""
    y, x = np.mgrid[: page.shape[0], : page.shape[1]]
    light = 1 - by * (x / page.shape[1] + y / page.shape[0]) / 2
    return grain(np.rint(page * light[..., None]).astype(np.uint8), 2)


SPOILED: dict[str, Callable[[Pixels], Pixels]] = {
    "grain": grain,
    "grain in a jpeg": lambda page: jpeg(grain(page)),
    "specks": specks,
    "specks and grain": lambda page: grain(specks(page)),
    "fine jpeg of both": lambda page: jpeg(grain(specks(page)), 95),
    "shaded": shaded,
}


def box_of(page: Pixels, line: int) -> tuple[int, int, int, int]:
    """The box (x0, y0, x1, y1) of a line of the letter as it was drawn."""
    band = page[90 + 70 * line : 160 + 70 * line] < 128
    rows, columns = np.flatnonzero(band.any(axis=(1, 2))), np.flatnonzero(band.any(axis=(0, 2)))
    top = 90 + 70 * line
    return int(columns[0]), top + int(rows[0]), int(columns[-1]) + 1, top + int(rows[-1]) + 1


# --- what is noisy ---------------------------------------------------------------------------------------------------


def test_a_rendered_page_is_clean() -> None:
    assert measure_noise(letter()) == Noise(2, 0)


@pytest.mark.parametrize("what", SPOILED)
def test_a_scan_or_jpeg_is_noisy(what: str) -> None:
    noise = measure_noise(SPOILED[what](letter()))
    assert 8 <= noise.threshold <= 24
    assert noise.specks == 5


def test_more_grain_is_a_higher_threshold() -> None:
    thresholds = [measure_noise(grain(letter(), spread)).threshold for spread in (0, 1, 2, 3, 4, 6, 12)]
    assert thresholds == sorted(thresholds)
    assert (thresholds[0], thresholds[-1]) == (2, 24)


def test_dots_in_colour_are_drawn_on_purpose() -> None:
    page = letter().copy()
    page[400:405:2, 50:650:6] = (200, 30, 30)
    page[:30] = (20, 60, 160)
    assert measure_noise(page) == Noise(2, 0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 3), (64, 2)])
def test_noise_is_measured_on_any_shape(shape: tuple[int, int]) -> None:
    assert measure_noise(np.full((*shape, 3), 128, np.uint8)).threshold == 2
    noisy = np.random.default_rng(2).integers(0, 256, (*shape, 3)).astype(np.uint8)
    assert measure_noise(noisy).threshold in range(2, 25)


# --- what folds ------------------------------------------------------------------------------------------------------


def test_the_ringing_around_letters_alone_leaves_a_page_clean() -> None:
    """Most of a typeset page in a JPEG is paper, which a JPEG leaves as it is."""
    page = jpeg(letter(), 80)
    assert analyse(page).size(4)[1] < 1.5 * analyse(letter()).size(4)[1]


@pytest.mark.parametrize("what", SPOILED)
def test_a_spoiled_page_folds_nearly_as_well_as_the_clean_one(what: str) -> None:
    clean, spoiled = letter(), SPOILED[what](letter())
    ours, best = analyse(spoiled).size(4), analyse(clean).size(4)
    assert ours[1] < 1.5 * best[1]
    assert ours[0] < 1.2 * best[0]
    without = analyse(spoiled, threshold=2).size(4)
    assert ours[0] * ours[1] < 0.7 * without[0] * without[1]  # the measured noise is what did it


@pytest.mark.parametrize("what", SPOILED)
@pytest.mark.parametrize("gap", [1, 4])
def test_every_line_of_a_spoiled_page_keeps_its_height(what: str, gap: int) -> None:
    page = letter()
    plan = analyse(SPOILED[what](page)).plan(gap)
    for line in (0, 1, 2, 6):
        x0, y0, x1, y1 = box_of(page, line)
        a, b, c, d = plan.coordinates.to_reduced(boxes=[x0, y0, x1, y1])
        assert d - b >= 0.85 * (y1 - y0)  # the tip of a descender may be as faint as a speck
        assert c - a >= 0.8 * (x1 - x0)  # the wide spaces of a line may fold a little


def _crossed(plan: FoldPlan, x0: int, y0: int, x1: int, y1: int) -> bool:
    return any(
        ((cell.rows >= y0) & (cell.rows < y1)).any() and ((cell.columns >= x0) & (cell.columns < x1)).any()
        for cell in plan.cells
    )


@pytest.mark.parametrize("size", [10, 12, 16])
@pytest.mark.parametrize("what", "1ilIoxaeE7?%")
def test_a_lone_letter_stays_on_a_grainy_page(what: str, size: int) -> None:
    blank = Image.new("RGB", (300, 300), (250, 250, 250))
    marked = blank.copy()
    ImageDraw.Draw(marked).text((150, 170), what, (10, 10, 10), ImageFont.load_default(size))
    marks = np.argwhere(np.asarray(marked)[..., 0] < 128)
    (y0, x0), (y1, x1) = marks.min(axis=0), marks.max(axis=0) + 1
    assert y1 - y0 >= 5
    page = grain(np.asarray(marked), 2)
    analysis = analyse(page)
    assert analysis.noise.specks == 5
    plan = analysis.plan(1)
    assert _crossed(plan, x0, y0, x1, y1)
    assert plan.apply(page).min() < 60  # its ink is there


@settings(max_examples=60)
@given(
    st.integers(6, 12),
    st.integers(1, 12),
    st.booleans(),
    st.integers(0, 180),
    st.integers(0, 180),
    st.integers(100, 240),
)
def test_a_stroke_of_six_pixels_stays_and_dust_goes(
    length: int, width: int, upright: bool, y: int, x: int, contrast: int
) -> None:
    page = np.full((200, 200, 3), 250, np.uint8)
    tall, wide = (length, width) if upright else (width, length)
    page[y : y + tall, x : x + wide] = 250 - contrast
    page[100, 3] = page[103:107, 190:194] = 0
    plan = _plan(page, Noise(8, 5))
    assert _crossed(plan, x, y, x + wide, y + tall)
    reduced = plan.apply(page)
    assert (reduced == 250 - contrast).any()
    without = _plan(np.full_like(page, 250), Noise(8, 5))
    assert without.reduced_size == (9, 2)


def _plan(page: Pixels, noise: Noise) -> FoldPlan:
    from pixtrim.operators.fold import Analysis

    return Analysis(Changes(page, noise)).plan(1)


def test_dust_alone_folds_away() -> None:
    page = np.full((300, 300, 3), 250, np.uint8)
    for i in range(20):
        page[7 + 14 * i : 7 + 14 * i + 1 + i % 4, 5 + 14 * i : 5 + 14 * i + 1 + i % 3] = 0
    assert _plan(page, Noise(8, 5)).reduced_size == (9, 2)
    assert _plan(page, Noise(8, 0)).reduced_size[1] > 40


def test_what_touches_a_stroke_is_no_dust() -> None:
    """The dot of an i is dust on its own; beside the stem, and as an accent on it, it is content."""
    page = np.full((60, 60, 3), 250, np.uint8)
    page[30:40, 30:32] = 0
    page[29, 33] = 0  # a serif, touching at a corner
    changes = Changes(page, Noise(8, 5))
    assert not changes.repeated((0, 60, 33, 35), 0)[29]
    page[30:40, 30:32] = 250
    changes = Changes(page, Noise(8, 5))
    assert changes.repeated((0, 60, 33, 35), 0)[29]


def test_a_strip_lower_than_a_stroke_keeps_its_content() -> None:
    """On four rows no edge is five pixels tall."""
    strip = grain(np.full((4, 900, 3), 250, np.uint8), 2)
    for x in range(100, 800, 50):
        strip[:, x : x + 2] = 0
    plan = analyse(strip).plan(1)
    reduced = plan.apply(strip)
    assert int((reduced[1, :, 0] < 100).sum()) == 28
    assert plan.reduced_size[0] < 300


def test_protection_is_not_taken_for_a_speck() -> None:
    page = np.full((100, 100, 3), 250, np.uint8)
    boxes = np.array([(40, 40, 43, 42)], np.int64)
    changes = Changes(page, Noise(8, 5), boxes)
    assert np.flatnonzero(~changes.repeated(changes.box, 0)).tolist() == [0, 40, 41]
    assert np.flatnonzero(~changes.repeated(changes.box, 1)).tolist() == [0, 40, 41, 42]


def test_shading_does_not_fold_to_one_shade() -> None:
    page = shaded(np.full((900, 700, 3), 250, np.uint8), 0.9)
    assert int(page.max()) - int(page.min()) > 200
    analysis = analyse(page)
    reduced = analysis.plan(1).apply(page)
    assert int(reduced.max()) - int(reduced.min()) > 200 - 12 * analysis.noise.threshold
    assert reduced.shape[0] < 100


# --- real scans ------------------------------------------------------------------------------------------------------


def test_real_scans_fold(shared_data: object) -> None:
    folder = shared_data / "documents" / "funsd"  # type: ignore[operator]
    scans = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".png", ".jpg"))[:4]
    if not scans:
        pytest.skip("no scans of FUNSD")
    for path in scans:
        with Image.open(path) as picture:
            page = np.asarray(picture.convert("RGB"))
        width, height = analyse(page).size(2)
        strictly = analyse(page, threshold=2).size(2)
        assert width * height <= strictly[0] * strictly[1], path.name
