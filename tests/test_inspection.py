"""What a picture is, and where it must not fold. The pictures are drawn here."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from pixtrim.inspection import Inspection, find_plots, inspect
from pixtrim.operators.fold import analyse
from pixtrim.operators.fold.changes import Changes, Noise, measure_noise

Box = tuple[int, int, int, int]
HEIGHTS = (150, 90, 210, 120, 60)
WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "while", "seven", "wise", "owls", "watch")


def font(size: int = 13) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def canvas(width: int, height: int, colour: str = "white") -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (width, height), colour)
    return image, ImageDraw.Draw(image)


def array(image: Image.Image) -> NDArray[np.uint8]:
    return np.ascontiguousarray(image.convert("RGB"), np.uint8)


def sentence(seed: int, length: int) -> str:
    chosen = np.random.default_rng(seed).integers(len(WORDS), size=length)
    return " ".join(WORDS[number] for number in chosen)


def lines_of_text(draw: ImageDraw.ImageDraw, box: Box, step: int = 19, size: int = 13, seed: int = 0) -> None:
    for number, y in enumerate(range(box[1], box[3] - step + 1, step)):
        line = sentence(seed + number, 40)
        while draw.textlength(line, font(size)) > box[2] - box[0]:
            line = line.rsplit(" ", 1)[0]
        draw.text((box[0], y), line, "black", font(size))


# Charts. Each is drawn with its plot area at a place; what is returned is the area that must be found.


def upright_bars(draw: ImageDraw.ImageDraw, x: int, y: int) -> Box:
    for number, height in enumerate(HEIGHTS):
        left = x + 30 + 80 * number
        draw.rectangle((left, y + 240 - height, left + 49, y + 239), (50, 100, 200))
        draw.text((left + 25, y + 248), f"Q{number}", "black", font(), anchor="mt")
    return x + 30, y + 30, x + 400, y + 240


def level_bars(draw: ImageDraw.ImageDraw, x: int, y: int) -> Box:
    for number, length in enumerate(HEIGHTS):
        top = y + 10 + 45 * number
        draw.rectangle((x, top, x + length - 1, top + 27), (30, 140, 90))
        draw.text((x - 8, top + 14), sentence(number, 1), "black", font(), anchor="rm")
    return x, y + 10, x + 210, y + 218


def stacked_bars(draw: ImageDraw.ImageDraw, x: int, y: int) -> Box:
    for number, height in enumerate(HEIGHTS):
        left = x + 20 + 60 * number
        draw.rectangle((left, y + 240 - height, left + 35, y + 239), (200, 80, 60))
        draw.rectangle((left, y + 240 - height // 3, left + 35, y + 239), (20, 40, 70))
    return x + 20, y + 30, x + 296, y + 240


def grid(draw: ImageDraw.ImageDraw, x: int, y: int, dash: tuple[int, int] = (1, 0), width: int = 420) -> Box:
    on, off = dash
    for number in range(6):
        level = y + 240 - 45 * number
        for start in range(x, x + width, on + off):
            draw.line((start, level, min(start + on, x + width) - 1, level), (225, 225, 225))
        draw.text((x - 8, level), f"{20 * number}", (90, 90, 90), font(), anchor="rm")
    return x, y + 15, x + width, y + 240


def bars_on_a_grid(draw: ImageDraw.ImageDraw, x: int, y: int) -> Box:
    area = grid(draw, x, y)
    upright_bars(draw, x, y)
    return area


def equal_bars_on_a_grid(draw: ImageDraw.ImageDraw, x: int, y: int) -> Box:
    area = grid(draw, x, y)
    for left in range(x + 30, x + 400, 130):
        draw.rectangle((left, y + 60, left + 60, y + 239), (90, 60, 160))
    return area


def curve(draw: ImageDraw.ImageDraw, area: Box) -> None:
    at = np.linspace(0, 1, 60)
    xs = area[0] + 10 + at * (area[2] - area[0] - 20)
    ys = area[3] - (area[3] - area[1]) * (0.5 + 0.4 * np.sin(5 * at))
    draw.line(list(zip(xs.tolist(), ys.tolist(), strict=True)), (200, 40, 40), 2)


def line_on_a_grid(draw: ImageDraw.ImageDraw, x: int, y: int) -> Box:
    area = grid(draw, x, y)
    curve(draw, area)
    return area


def line_on_a_dotted_grid(draw: ImageDraw.ImageDraw, x: int, y: int) -> Box:
    area = grid(draw, x, y, (1, 2))
    curve(draw, area)
    return area


def line_on_a_dashed_grid(draw: ImageDraw.ImageDraw, x: int, y: int) -> Box:
    area = grid(draw, x, y, (5, 3))
    curve(draw, area)
    return area


def framed_line(draw: ImageDraw.ImageDraw, x: int, y: int) -> Box:
    area = x, y, x + 400, y + 260
    draw.rectangle(area, outline="black")
    curve(draw, area)
    for number in range(5):
        level, place = y + 240 - 55 * number, x + 20 + 90 * number
        draw.line((x - 5, level, x, level), "black")
        draw.text((x - 9, level), f"0.{2 * number}", "black", font(), anchor="rm")
        draw.line((place, y + 260, place, y + 265), "black")
        draw.text((place, y + 269), f"{number}", "black", font(), anchor="mt")
    return area


Chart = Callable[[ImageDraw.ImageDraw, int, int], Box]
CHARTS: tuple[Chart, ...] = (
    upright_bars,
    level_bars,
    stacked_bars,
    bars_on_a_grid,
    equal_bars_on_a_grid,
    line_on_a_grid,
    line_on_a_dotted_grid,
    line_on_a_dashed_grid,
    framed_line,
)


def covered(plots: NDArray[np.int64], area: Box) -> bool:
    """Say whether one box holds the whole area, to two pixels."""
    x0, y0, x1, y1 = area
    return any(a <= x0 + 2 and b <= y0 + 2 and c >= x1 - 2 and d >= y1 - 2 for a, b, c, d in plots.tolist())


@pytest.mark.parametrize("chart", CHARTS)
def test_a_chart_is_found_and_named(chart: Chart) -> None:
    image, draw = canvas(560, 330)
    area = chart(draw, 90, 20)
    found = inspect(array(image))
    assert covered(found.plots, area), found.plots
    assert (found.kind, found.rule, found.foldable) == ("chart", "none", False)
    assert any("plot" in reason for reason in found.reasons)


@pytest.mark.parametrize("chart", CHARTS)
def test_a_dark_chart_is_found(chart: Chart) -> None:
    image, draw = canvas(560, 330)
    area = chart(draw, 90, 20)
    assert covered(inspect(255 - array(image)).plots, area)


@pytest.mark.parametrize("chart", CHARTS)
def test_a_chart_stays_whole_inside_a_page(chart: Chart) -> None:
    image, draw = canvas(1000, 1300)
    lines_of_text(draw, (80, 60, 920, 420))
    area = chart(draw, 200, 480)
    lines_of_text(draw, (80, 860, 920, 1240), seed=50)
    pixels = array(image)
    found = inspect(pixels)
    assert covered(found.plots, area), found.plots
    assert found.kind == "document"
    assert len(found.plots) == 1
    x0, y0, x1, y1 = found.plots[0].tolist()
    assert y0 > 420
    assert y1 < 860
    plan = analyse(pixels, protect=found.plots).plan(gap=2)
    assert plan.reduced_size[1] < 1200
    corners = plan.coordinates.to_reduced(np.array([[x0 + 0.5, y0 + 0.5], [x1 - 0.5, y1 - 0.5]]))
    assert np.allclose(corners[1] - corners[0], (x1 - x0 - 1, y1 - y0 - 1))


def test_a_chart_is_found_on_jpeg_noise() -> None:
    image, draw = canvas(560, 330)
    area = bars_on_a_grid(draw, 90, 20)
    noise = np.random.default_rng(5).normal(0, 3, (330, 560, 3))
    found = inspect(np.clip(array(image) + noise, 0, 255).astype(np.uint8))
    assert found.noise.threshold > Noise().threshold
    assert len(found.plots) == 1
    assert found.plots[0, 1] <= area[1] + 16
    assert found.plots[0, 3] >= area[3]


# What looks a little like a chart.


def ruled_table() -> Image.Image:
    image, draw = canvas(900, 700)
    for row in range(13):
        draw.line((60, 60 + 45 * row, 840, 60 + 45 * row), "black")
    for column, x in enumerate((60, 300, 460, 650, 840)):
        draw.line((x, 60, x, 600), "black")
        if x < 840:
            for row in range(12):
                draw.text((x + 10, 74 + 45 * row), sentence(13 * column + row, 2), "black", font())
    return image


def striped_table() -> Image.Image:
    image, draw = canvas(900, 700)
    for row in range(14):
        draw.rectangle((60, 60 + 40 * row, 840, 99 + 40 * row), "#eef2f8" if row % 2 else "white")
        for column in range(4):
            draw.text((80 + 190 * column, 72 + 40 * row), sentence(13 * column + row, 2), "black", font())
    return image


def list_with_labels_outside() -> Image.Image:
    image, draw = canvas(700, 900)
    for row in range(12):
        draw.text((30, 86 + 60 * row), f"{row + 1:02}:30", "black", font(16))
        draw.line((120, 130 + 60 * row, 660, 130 + 60 * row), (220, 220, 220))
        draw.text((120, 86 + 60 * row), sentence(row, 4), "black", font(16))
    return image


def form_with_boxes() -> Image.Image:
    image, draw = canvas(800, 1000)
    for row in range(12):
        draw.text((60, 90 + 60 * row), sentence(row, 2), "black", font())
        draw.rectangle((260, 80 + 60 * row, 700, 115 + 60 * row), outline="grey")
    return image


def form_with_lines() -> Image.Image:
    image, draw = canvas(800, 1000)
    for row in range(14):
        draw.text((60, 100 + 50 * row), sentence(row, 2), "black", font(), anchor="ls")
        draw.line((220, 102 + 50 * row, 720, 102 + 50 * row), "black")
    return image


def two_columns() -> Image.Image:
    image, draw = canvas(1000, 1300)
    lines_of_text(draw, (70, 60, 480, 1240))
    lines_of_text(draw, (520, 70, 930, 1240), seed=90)
    return image


def app_screen() -> Image.Image:
    image, draw = canvas(540, 1100, "#f4f4f6")
    draw.rectangle((0, 0, 540, 80), "#3355bb")
    draw.text((24, 28), "Messages", "white", font(24))
    for row in range(8):
        draw.rounded_rectangle((16, 100 + 110 * row, 524, 196 + 110 * row), 12, "white")
        draw.ellipse((32, 120 + 110 * row, 88, 176 + 110 * row), (90, 140, 60))
        draw.text((110, 122 + 110 * row), sentence(row, 2), "black", font(18))
        draw.text((110, 152 + 110 * row), sentence(row + 20, 5), "grey", font(14))
    return image


def chat_bubbles() -> Image.Image:
    image, draw = canvas(540, 1100)
    for row in range(12):
        line = sentence(row, 3 + row % 4)
        draw.rectangle((24, 60 + 80 * row, 56 + int(draw.textlength(line, font(18))), 104 + 80 * row), "#dde8ff")
        draw.text((40, 72 + 80 * row), line, "black", font(18))
    return image


def tabs_and_cards() -> Image.Image:
    image, draw = canvas(1200, 800)
    for column in range(5):
        draw.rectangle((60 + 220 * column, 60, 239 + 220 * column, 110), "#3355bb")
        draw.text((150 + 220 * column, 85), sentence(column, 1), "white", font(16), anchor="mm")
        draw.rectangle((60 + 220 * column, 160, 239 + 220 * column, 420), "#c8d8f0")
        lines_of_text(draw, (72, 450, 1100, 700))
    return image


def code_listing() -> Image.Image:
    image, draw = canvas(1000, 900, "#1e1e1e")
    for row in range(40):
        draw.text((20, 20 + 21 * row), f"{row + 1:3}", "#858585", font(14))
        draw.text((70 + 30 * (row % 4), 20 + 21 * row), sentence(row, 5 + row % 3), "#d4d4d4", font(14))
    return image


def heading() -> Image.Image:
    image, draw = canvas(1200, 500)
    draw.text((60, 60), "Hill minimum ill", "black", font(90))
    draw.text((60, 200), "HHHH IIII TTTT LLLL", "black", font(70))
    draw.text((60, 320), "billion million William", "black", font(70))
    return image


PLAIN = (
    ruled_table,
    striped_table,
    list_with_labels_outside,
    form_with_boxes,
    form_with_lines,
    two_columns,
    app_screen,
    chat_bubbles,
    tabs_and_cards,
    code_listing,
    heading,
)


@pytest.mark.parametrize("draw", PLAIN)
def test_what_is_no_chart_may_fold(draw: Callable[[], Image.Image]) -> None:
    found = inspect(array(draw()))
    assert found.plots.tolist() == []
    assert found.foldable
    assert found.rule == "repeat"
    assert found.kind in ("document", "screenshot")


# Kinds and measurements.


def test_kinds() -> None:
    page = array(two_columns())
    assert inspect(page).kind == "document"
    grain = np.random.default_rng(1).normal(0, 4, page.shape[:2])[..., None]
    assert inspect(np.clip(page * 0.9 + grain, 0, 255).astype(np.uint8)).kind == "scan"
    assert inspect(array(app_screen())).kind == "screenshot"
    assert inspect(array(code_listing())).kind == "screenshot"


def photo() -> NDArray[np.uint8]:
    noise = np.random.default_rng(2).integers(0, 256, (60, 80, 3), np.uint8)
    smooth = Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(3))
    grain = np.random.default_rng(3).normal(0, 3, (480, 640, 3))
    return np.clip(array(smooth) + grain, 0, 255).astype(np.uint8)


def test_a_photo_is_not_folded() -> None:
    found = inspect(photo())
    assert (found.kind, found.foldable) == ("photo", False)
    assert found.photo_share > 0.5
    assert found.colours > 3000
    assert "photo" in found.reasons[0]


def on_plain_ground(text: bool) -> NDArray[np.uint8]:
    """A soft bright thing on plain grey ground, as a JPEG file has it; with a caption or without."""
    y, x = np.mgrid[:300, :400]
    thing = np.exp(-(((x - 200) / 90) ** 2 + ((y - 150) / 60) ** 2))
    pixels = np.repeat((70 + 110 * thing)[..., None], 3, axis=2) * (1, 0.9, 0.8)
    image = Image.fromarray(pixels.astype(np.uint8))
    if text:
        draw = ImageDraw.Draw(image)
        for row in range(6):
            draw.text((20, 200 + 14 * row), "The quick brown fox jumps over the lazy dog. " * 2, fill="white")
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=85)
    return array(Image.open(stream))


def test_a_thing_on_plain_ground_is_a_photo_unless_something_is_written_there() -> None:
    found = inspect(on_plain_ground(text=False))
    assert (found.kind, found.foldable) == ("photo", False)
    assert "strong: nothing is written or drawn" in found.reasons[0]
    assert inspect(on_plain_ground(text=True)).kind == "screenshot"


def test_shares_of_a_known_picture() -> None:
    pixels = np.full((100, 200, 3), 255, np.uint8)
    pixels[20:40, 50:150] = 0  # two rows change downwards, two columns to the right
    found = inspect(pixels)
    assert (found.width, found.height) == (200, 100)
    assert found.repeated_rows == pytest.approx(0.97)  # row 0 repeats nothing
    assert found.repeated_columns == pytest.approx(197 / 200)
    assert found.blank_rows == pytest.approx(0.8)
    assert found.blank_columns == pytest.approx(0.5)
    assert found.colours == 2
    assert found.photo_share == 0
    assert found.noise == Noise()


def test_repeated_patches() -> None:
    assert inspect(np.full((84, 84, 3), 200, np.uint8)).repeated_patches == pytest.approx(8 / 9)
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, (28, 28, 3), np.uint8)
    assert inspect(np.tile(rows, (2, 3, 1))).repeated_patches == pytest.approx(5 / 6)
    assert inspect(rng.integers(0, 256, (84, 84, 3), np.uint8)).repeated_patches == 0


def test_ready_changes_are_used() -> None:
    image, draw = canvas(560, 330)
    line_on_a_grid(draw, 90, 20)
    pixels = array(image)
    changes = Changes(pixels, measure_noise(pixels))
    found = inspect(pixels, changes=changes)
    assert found == inspect(pixels)
    assert np.array_equal(found.plots, find_plots(pixels, changes))
    assert inspect(pixels, changes=Changes(pixels, Noise(40))).noise == Noise(40)


@pytest.mark.parametrize("draw", [ruled_table, app_screen])
def test_the_result_does_not_depend_on_threads_or_calls(draw: Callable[[], Image.Image]) -> None:
    pixels = array(draw())
    before = pixels.copy()
    first, second = inspect(pixels), inspect(pixels, threads=2)
    assert first == second
    assert np.array_equal(first.plots, second.plots)
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 70), (70, 3), (28, 28), (31, 65)])
@pytest.mark.parametrize("filling", ["blank", "noise", "stripes"])
def test_odd_sizes(size: tuple[int, int], filling: str) -> None:
    pixels = np.full((*size, 3), 130, np.uint8)
    if filling == "noise":
        pixels = np.random.default_rng(4).integers(0, 256, pixels.shape, np.uint8)
    if filling == "stripes":
        pixels[::2, ::3] = 0
    check(inspect(pixels), pixels)


@given(
    arrays(
        np.uint8, st.tuples(st.integers(1, 80), st.integers(1, 80), st.just(3)), elements=st.sampled_from([0, 9, 255])
    )
)
def test_any_picture(pixels: NDArray[np.uint8]) -> None:
    check(inspect(pixels), pixels)


RECTANGLES = st.lists(
    st.tuples(st.integers(0, 290), st.integers(0, 190), st.integers(1, 120), st.integers(1, 120), st.integers(0, 255)),
    max_size=25,
)


@given(RECTANGLES)
def test_any_rectangles(rectangles: list[tuple[int, int, int, int, int]]) -> None:
    pixels = np.full((200, 300, 3), 255, np.uint8)
    for x, y, width, height, level in rectangles:
        pixels[y : y + height, x : x + width] = level
    check(inspect(pixels), pixels)


def check(found: Inspection, pixels: NDArray[np.uint8]) -> None:
    height, width = pixels.shape[:2]
    shares = found.repeated_rows, found.repeated_columns, found.blank_rows, found.blank_columns
    assert all(0 <= share <= 1 for share in (*shares, found.repeated_patches, found.photo_share))
    assert 1 <= found.colours <= 4096
    assert found.reasons
    assert all(found.reasons)
    x0, y0, x1, y1 = found.plots.T
    assert found.plots.dtype == np.int64
    assert found.plots.shape == (len(found.plots), 4)
    assert (x0 >= 0).all()
    assert (y0 >= 0).all()
    assert (x1 <= width).all()
    assert (y1 <= height).all()
    assert (x0 < x1).all()
    assert (y0 < y1).all()
    for number, (a, b, c, d) in enumerate(found.plots.tolist()):
        rest = found.plots[number + 1 :]
        assert not ((rest[:, 0] < c) & (rest[:, 2] > a) & (rest[:, 1] < d) & (rest[:, 3] > b)).any()


# Real pictures.


@pytest.mark.parametrize("name", ["charts/*.png"])
def test_real_charts_are_found(shared_data, name: str) -> None:  # type: ignore[no-untyped-def]
    files = sorted(shared_data.glob(name))
    with_plots = [len(inspect(array(Image.open(file))).plots) > 0 for file in files]
    assert sum(with_plots) >= 0.96 * len(files)


@pytest.mark.parametrize("name", ["documents/pdf/*.png", "gui_single/web/*.png", "gui_sequences/slack_env/*.png"])
def test_real_pages_and_screens_are_no_charts(shared_data, name: str) -> None:  # type: ignore[no-untyped-def]
    kinds = {inspect(array(Image.open(file))).kind for file in sorted(shared_data.glob(name))}
    assert kinds <= {"document", "screenshot"}
