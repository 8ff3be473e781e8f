"""Measures of the parts of a screen: a drawn screen, planted faults, and real screens."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from pixtrim.coordinates import CoordinateMap
from pixtrim.evaluation.judges.ocr import ENGINES
from pixtrim.evaluation.measures import Measure, measure_named, measure_names
from pixtrim.evaluation.measures.screen import correlation, detail
from pixtrim.evaluation.reducers import Reduced, reducer_named
from pixtrim.evaluation.samples import Box, Sample, Truth
from pixtrim.tokens import resolve

Pixels = NDArray[np.uint8]

LABELS = ["Open", "Save as", "Export", "Share", "Print", "Undo", "Delete", "Help"]
WIDTH, HEIGHT = 640, 480
PLAIN = ("element-recall", "click-accuracy")
both = pytest.mark.parametrize("name", PLAIN)
engines = pytest.mark.parametrize("engine", list(ENGINES))


def button(index: int) -> Box:
    """The place of a button: two columns of four."""
    x, y = 60 + 320 * (index % 2), 50 + 110 * (index // 2)
    return Box(x, y, x + 180, y + 44, LABELS[index])


@cache
def screen() -> Pixels:
    """A screen with a button for each of `LABELS`."""
    image = Image.new("RGB", (WIDTH, HEIGHT), "#f4f5f7")
    draw = ImageDraw.Draw(image)
    for index, label in enumerate(LABELS):
        box = button(index)
        draw.rounded_rectangle(box[:4], 6, "white", "#9aa3af")
        draw.text((box.x0 + 40, box.y0 + 10), label, "#1f2937", ImageFont.load_default(20))
    return np.asarray(image)


def sample_of(pixels: Pixels, elements: tuple[Box, ...] | None) -> Sample:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return Sample("made.png", "web screenshot", stream.getvalue, Truth(elements=elements))


@cache
def buttons() -> Sample:
    return sample_of(screen(), tuple(map(button, range(len(LABELS)))))


def measure(name: str) -> Measure:
    kind = measure_named(name)
    if absence := kind.missing():
        pytest.skip(absence)
    return kind()


def score(name: str, reduced: Reduced, sample: Sample | None = None) -> float | None:
    sample, one = sample or buttons(), measure(name)
    assert one.applies(sample)
    return one.score(sample, reduced, json.loads(json.dumps(one.prepare(sample))))


def same(pixels: Pixels) -> Reduced:
    return Reduced(pixels, CoordinateMap.identity(*pixels.shape[1::-1]), 0)


def scaled(pixels: Pixels, scale: float) -> Reduced:
    size = round(pixels.shape[1] * scale), round(pixels.shape[0] * scale)
    image = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    return Reduced(image, CoordinateMap.scale(pixels.shape[1::-1], size), 0)


def kept(pixels: Pixels, rows: Any, columns: Any) -> Reduced:
    image = np.ascontiguousarray(pixels[rows][:, columns])
    return Reduced(image, CoordinateMap.keep(rows, columns, pixels.shape[1::-1]), 0)


def changed(change: Callable[[Image.Image], Image.Image]) -> Reduced:
    return same(np.asarray(change(Image.fromarray(screen()))))


def erased(*indices: int) -> Pixels:
    pixels = screen().copy()
    for index in indices:
        x0, y0, x1, y1 = (int(edge) for edge in button(index)[:4])
        pixels[y0 - 2 : y1 + 3, x0 - 2 : x1 + 3] = screen()[0, 0]
    return pixels


# Elements and clicks


@both
@pytest.mark.parametrize("scale", [1, 0.8, 0.5])
def test_all_is_there_in_a_picture_that_is_resized_with_care(name: str, scale: float) -> None:
    assert score(name, scaled(screen(), scale)) == 1


def test_a_thumbnail_can_be_clicked_on_where_nothing_is_recognised() -> None:
    thumbnail = scaled(screen(), 0.15)
    assert score("element-recall", thumbnail) == 0
    assert score("click-accuracy", thumbnail) == 1


@both
def test_nothing_is_lost_where_only_blank_rows_and_columns_are_dropped(name: str) -> None:
    ground = screen() == screen()[0, 0]
    rows, columns = ~ground.all(axis=(1, 2)), ~ground.all(axis=(0, 2))
    assert 100 < rows.sum() < HEIGHT - 100
    assert score(name, kept(screen(), rows, columns)) == 1


def test_a_click_is_made_in_the_middle_of_what_is_left_of_an_element() -> None:
    pixels = screen().copy()
    tall = Box(60, 50, 240, 150)  # a button and the blank below it; its middle is the row 100
    rows = np.ones(HEIGHT, bool)
    rows[98:158] = False
    sample = sample_of(pixels, (tall, button(1), button(6)))
    assert score("click-accuracy", kept(pixels, rows, np.ones(WIDTH, bool)), sample) == 1


@both
@pytest.mark.parametrize(("gone", "left"), [((0,), 7 / 8), ((1, 2, 5), 5 / 8), (range(8), 0)])
def test_each_element_that_is_erased_counts(name: str, gone: tuple[int, ...], left: float) -> None:
    assert score(name, same(erased(*gone))) == left


def test_a_blurred_screen_is_not_recognised_and_can_still_be_clicked_on() -> None:
    blurred = changed(lambda image: image.filter(ImageFilter.GaussianBlur(5)))
    assert score("element-recall", blurred) == 0
    assert score("click-accuracy", blurred) == 1


def test_labels_that_are_wiped_off_their_buttons_are_not_recognised() -> None:
    pixels = screen().copy()
    for index in range(4):
        x0, y0, x1, y1 = (int(edge) for edge in button(index)[:4])
        pixels[y0 + 3 : y1 - 2, x0 + 3 : x1 - 2] = 255
    assert score("element-recall", same(pixels)) == 4 / 8


@pytest.mark.parametrize("scale", [1, 0.7, 0.5])
@pytest.mark.parametrize("shift", [(3, 0), (0, 3), (-4, 4), (12, -12)])
def test_a_picture_that_is_shifted_under_its_map_is_caught(scale: float, shift: tuple[int, int]) -> None:
    honest = scaled(screen(), scale)
    moved = scaled(np.roll(screen(), shift, (0, 1)), scale)
    assert score("click-accuracy", Reduced(moved.image, honest.coordinates, 0)) == 0
    assert score("click-accuracy", honest) == 1


def test_a_shift_that_cannot_be_seen_in_the_reduced_picture_is_no_miss() -> None:
    moved = scaled(np.roll(screen(), (1, 1), (0, 1)), 0.5)
    assert score("click-accuracy", Reduced(moved.image, scaled(screen(), 0.5).coordinates, 0)) == 1


def test_a_map_of_another_size_of_picture_is_caught() -> None:
    half = scaled(screen(), 0.5).image
    wrong = CoordinateMap.keep(np.arange(HEIGHT) < HEIGHT // 2, np.arange(WIDTH) < WIDTH // 2, (WIDTH, HEIGHT))
    for name in PLAIN:
        assert score(name, Reduced(half, wrong, 0)) == 0


def test_elements_that_swap_places_are_caught() -> None:
    pixels = screen().copy()
    (a, b), size = ([int(edge) for edge in button(index)[:2]] for index in (0, 3)), (45, 181)
    for to, of in ((a, b), (b, a)):
        pixels[to[1] : to[1] + size[0], to[0] : to[0] + size[1]] = screen()[
            of[1] : of[1] + size[0], of[0] : of[0] + size[1]
        ]
    assert score("element-recall", same(pixels)) == 6 / 8


# Which elements count


@both
def test_what_cannot_count_does_not(name: str) -> None:
    three = tuple(map(button, range(3)))
    others = (
        Box(0, 0, WIDTH, HEIGHT),  # the whole screen
        Box(300, 0, 303, 200),  # too slim
        Box(262, 4, 300, 12),  # blank, with its surroundings
        Box(*(edge + 0.2 for edge in three[0][:4])),  # the first once more
        Box(WIDTH + 5, 5, WIDTH + 50, 50),  # outside
    )
    sample = sample_of(screen(), three + others)
    assert measure(name).prepare(sample) == [[int(edge) for edge in box[:4]] for box in three]
    assert score(name, same(erased(0)), sample) == pytest.approx(2 / 3)


@both
def test_elements_that_stick_out_are_cut_off(name: str) -> None:
    sample = sample_of(screen(), (Box(-20, -20, 240, 94), button(1), button(2)))
    assert measure(name).prepare(sample)[0] == [0, 0, 240, 94]
    assert score(name, scaled(screen(), 0.7), sample) == 1


@both
def test_fewer_than_three_elements_have_no_score(name: str) -> None:
    one = measure(name)
    assert not one.applies(sample_of(screen(), None))
    assert not one.applies(sample_of(screen(), (button(0), button(1))))
    assert score(name, same(screen()), sample_of(screen(), (button(0), button(1), Box(262, 4, 300, 12)))) is None


# The labels


@engines
def test_labels_are_read_where_they_are(engine: str) -> None:
    name = f"element-text-{engine}"
    assert [text for _, text in measure(name).prepare(buttons())] == [label.lower().split() for label in LABELS]
    assert score(name, same(screen())) == 1
    assert score(name, scaled(screen(), 0.1)) == 0
    assert score(name, same(erased(1, 3))) == 6 / 8
    assert score(name, same(np.roll(screen(), 60, axis=0))) == 0  # all there, and nothing in its place


@engines
def test_labels_are_found_through_the_map(engine: str) -> None:
    ground = screen() == screen()[0, 0]
    columns = ~ground.all(axis=(0, 2))
    columns[::4] |= True  # a gap remains between the buttons
    assert score(f"element-text-{engine}", kept(screen(), np.ones(HEIGHT, bool), columns)) == 1


@engines
def test_half_of_a_label_is_half_of_its_score(engine: str) -> None:
    pixels = screen().copy()
    x, y = (int(edge) for edge in button(1)[:2])
    pixels[y + 8 : y + 40, x + 90 : x + 170] = 255  # the second word of "Save as"
    assert score(f"element-text-{engine}", same(pixels)) == pytest.approx(7.5 / 8)


def test_labels_are_measured_by_every_engine() -> None:
    assert {f"element-text-{engine}" for engine in ENGINES} <= set(measure_names())


# The parts


def test_correlation_and_detail_of_hand_made_pieces() -> None:
    piece = np.random.default_rng(1).integers(0, 256, (20, 30, 3)).astype(np.float32)
    assert correlation(piece, piece) == pytest.approx(1)
    assert correlation(piece, 255 - piece) == pytest.approx(-1)
    assert correlation(piece, 3 * piece + np.float32([9, 0, -4])) == pytest.approx(1)
    assert correlation(piece, np.zeros_like(piece)) == 0
    dot = np.zeros((9, 9, 3), np.uint8)
    dot[4, 4] = 245
    assert detail(dot, 3)[4, 4] == pytest.approx([240, 240, 240])  # less the mean of 49 pixels
    assert detail(dot, 3)[0, 0] == pytest.approx([0, 0, 0])
    assert not detail(np.full((5, 7, 3), 200, np.uint8), 12).any()


# Real screens


def test_real_screens_under_the_operators_and_under_planted_shifts(shared_data: Path) -> None:
    scores: dict[str, list[float]] = {}
    for path in sorted((shared_data / "gui_single" / "web").glob("*.json"))[:2]:
        found = json.loads(path.read_text(encoding="utf-8"))["annotations"]
        boxes = tuple(Box(b["x"], b["y"], b["x"] + b["width"], b["y"] + b["height"]) for b in found)
        sample = Sample(path.stem, "web screenshot", path.with_suffix(".png").read_bytes, Truth(elements=boxes))
        tokens = resolve("claude-opus-4-7").count(*sample.pixels.shape[1::-1])
        for operator in ("resize", "fold"):
            reduced = reducer_named(operator).reduce(sample.pixels, "claude-opus-4-7", tokens // 2)
            step = round(3 * reduced.image.shape[1] / sample.pixels.shape[1])
            shifted = Reduced(np.roll(reduced.image, step, axis=1), reduced.coordinates, 0)
            for name in PLAIN:
                for key, image in ((name, reduced), (f"{name}, shifted", shifted)):
                    result = score(name, image, sample)
                    assert result is not None
                    scores.setdefault(key, []).append(result)
    assert min(scores["click-accuracy"]) == 1
    assert min(scores["element-recall"]) >= 0.95
    assert max(scores["click-accuracy, shifted"]) < 0.2
    assert max(scores["element-recall, shifted"]) < 0.3
