"""shrink(): within the budget, never worse, true in what it reports."""

from __future__ import annotations

import io
import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pixtrim import InputError, Shrunk, UsageError, shrink
from pixtrim.tokens import parse_budget, resolve

Pixels = NDArray[np.uint8]

MODELS = ("claude-sonnet-4-5", "claude-opus-4-7", "gpt-4o", "gpt-5.5", "qwen2.5-vl", "gemini-2.5-flash", "gemini-3-pro")
FLAT = "gemini-3-pro"


def page_of(width: int, height: int, size: int = 18, pitch: int = 48) -> Pixels:
    """A letter: lines of text with much space between them."""
    page = Image.new("RGB", (width, height), "white")
    line = "Paid 1,204.50 to the harbour office; the balance of 88.10 is due on 4 May, " * 9
    for y in range(height // 12, height * 5 // 6, pitch):
        clip = Image.new("RGB", (max(1, width * 5 // 6), size + 8), "white")
        ImageDraw.Draw(clip).text((0, 0), line[y % 40 :], "black", ImageFont.load_default(size))
        page.paste(clip, (width // 12, y))
    return np.asarray(page)


PAGE = page_of(1240, 1754)
SCREEN = page_of(900, 700)
PHOTO = np.asarray(
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)).resize(
        (1200, 900), Image.Resampling.BICUBIC
    )
)


def encoded(pixels: Pixels, format: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format)
    return stream.getvalue()


def check(shrunk: Shrunk) -> None:
    """Check what must hold of every result."""
    report, image = shrunk.report, shrunk.image
    height, width = shrunk.original.shape[:2]
    assert image.dtype == np.uint8
    assert image.shape == (report.height, report.width, 3)
    assert image.flags.c_contiguous
    assert (report.original_width, report.original_height) == (width, height)
    assert 1 <= report.width <= width
    assert 1 <= report.height <= height
    rule = resolve(report.model)
    assert report.tokens_before == rule.count(width, height, report.detail)
    assert report.tokens_after == rule.count(report.width, report.height, report.detail)
    assert shrunk.tokens == (report.tokens_before, report.tokens_after)
    assert report.tokens_after <= report.tokens_before
    if report.budget is not None and rule.saves_by_pixels(report.detail):
        assert report.tokens_after <= report.budget
    assert report.operator in ("fold", "resize", "warp", "none")
    assert shrunk.unchanged == (report.operator == "none")
    if shrunk.unchanged:
        np.testing.assert_array_equal(image, shrunk.original)
        assert report.text_scale == 1
    else:
        assert image.shape != shrunk.original.shape
    coordinates = shrunk.coordinates
    assert coordinates.original_size == (width, height)
    assert coordinates.reduced_size == (report.width, report.height)
    corners = [0, 0, width, height], [0, 0, report.width, report.height]
    np.testing.assert_allclose(coordinates.to_reduced(boxes=corners[0]), corners[1], atol=1e-9)
    points = [[0.0, 0.0], [width, height]], [[0.0, 0.0], [report.width, report.height]]
    np.testing.assert_allclose(coordinates.to_reduced(points[0]), points[1], atol=1e-9)
    scale = 1.0
    for stage in coordinates.stages if report.operator == "resize" else coordinates.stages[1:]:
        scale *= min(after / before for after, before in zip(stage.reduced_size, stage.original_size, strict=True))
    assert report.text_scale == round(scale, 4)
    assert all(isinstance(line, str) and line for line in report.notes + report.warnings)
    assert report.seconds >= 0
    json.dumps(report.to_dict(), allow_nan=False)


# --- budgets ---------------------------------------------------------------------------------------------------------


@st.composite
def pictures(draw: st.DrawFn) -> Pixels:
    """Small pictures of every shape: text, columns, noise, flat areas; some large enough to be scaled by the models."""
    sides = st.integers(1, 80) | st.integers(60, 500) | st.sampled_from([768, 1000, 1600])
    width, height = draw(sides), draw(sides)
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    page = np.full((height, width, 3), 255, np.uint8)
    for _ in range(draw(st.integers(0, 5))):
        x0, y0 = int(rng.integers(0, width)), int(rng.integers(0, height))
        x1, y1 = int(rng.integers(x0, width)) + 1, int(rng.integers(y0, height)) + 1
        if draw(st.booleans()):
            for y in range(y0, y1, int(rng.integers(14, 50))):
                box = page[y : min(y + 10, y1), x0:x1]
                box[:] = rng.integers(0, 2, (*box.shape[:2], 1)) * 255
        else:
            page[y0:y1, x0:x1] = rng.integers(0, 256, (y1 - y0, x1 - x0, 1))
    return page


def attempt(page: Pixels, model: str, budget: Any, operator: Any) -> Shrunk | None:
    """Shrink and check; None where the budget is refused, for a reason that has to be true."""
    height, width = page.shape[:2]
    rule = resolve(model)
    try:
        shrunk = shrink(page, model, budget, operator)
    except UsageError as error:
        message = str(error)
    else:
        check(shrunk)
        return shrunk
    if "less than one token" not in message:
        tokens = parse_budget(budget, rule.count(width, height))
        sizes = [(width // n, height // n) for n in (1, 2, 4, 10, 100) if width % n == height % n == 0]  # of its shape
        assert tokens is not None
        assert tokens < min(rule.count(*size) for size in sizes)
    return None


budgets = st.integers(1, 3000) | st.floats(0.05, 1) | st.integers(1, 100).map(lambda n: f"{n}%") | st.just("fit")


@settings(max_examples=120)
@given(pictures(), st.sampled_from(MODELS), budgets, st.sampled_from(["auto", "fold", "resize"]))
def test_no_budget_is_ever_exceeded(page: Pixels, model: str, budget: Any, operator: Any) -> None:
    shrunk = attempt(page, model, budget, operator)
    if shrunk and budget == "fit":
        assert shrunk.report.budget is None


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("operator", ["auto", "fold", "resize"])
@pytest.mark.parametrize("budget", ["fit", 0.5, "25%", 600])
@pytest.mark.parametrize("what", ["page", "screen", "photo"])
def test_pages_screens_and_photos(what: str, budget: Any, operator: Any, model: str) -> None:
    pixels = {"page": PAGE[:1200:2, ::2].copy(), "screen": SCREEN, "photo": PHOTO[:400, :600].copy()}[what]
    assert attempt(pixels, model, budget, operator) or model == "gpt-4o"  # which has few sizes to choose from


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 2000), (2000, 1), (20000, 10), (10, 20000), (3, 3)])
@pytest.mark.parametrize("model", MODELS)
def test_extreme_shapes(width: int, height: int, model: str) -> None:
    page = np.full((height, width, 3), 255, np.uint8)
    page[::7, ::5] = 0
    for budget in ("fit", 0.5, 300):
        for operator in ("auto", "fold", "resize"):
            attempt(page, model, budget, operator)


def test_a_share_is_a_share_of_what_the_picture_costs_now() -> None:
    for budget in (0.5, "50%", ".5"):
        report = shrink(PAGE, "claude-opus-4-7", budget).report
        assert report.budget == report.tokens_before // 2
        assert 0.9 * report.budget <= report.tokens_after <= report.budget


def test_a_budget_above_the_cost_leaves_the_picture_alone() -> None:
    shrunk = shrink(SCREEN, "claude-opus-4-7", 10**6)
    check(shrunk)
    assert shrunk.unchanged
    assert shrunk.report.kind is None


@pytest.mark.parametrize("budget", [0, -1, 1.5, "0%", "101%", "many", None, True, float("nan"), ""])
def test_a_budget_that_is_none_is_refused(budget: Any) -> None:
    with pytest.raises(UsageError):
        shrink(SCREEN, "claude-opus-4-7", budget)


# --- fit: never pay for pixels that the model throws away ------------------------------------------------------------


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-opus-4-7", "gpt-5.5"])
def test_fit_sends_no_more_than_the_model_sees(model: str) -> None:
    large = np.kron(PHOTO, np.ones((5, 5, 1), np.uint8))
    shrunk = shrink(large, model)
    check(shrunk)
    assert shrunk.report.operator == "resize"
    seen = resolve(model).seen(shrunk.report.width, shrunk.report.height)
    assert seen >= (shrunk.report.width - 32, shrunk.report.height - 32)
    assert shrunk.tokens.after >= 0.97 * shrunk.tokens.before  # and no less either


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("operator", ["auto", "resize"])
def test_the_same_bytes_come_back_where_nothing_is_saved(format: str, operator: Any) -> None:
    data = encoded(SCREEN, format)
    shrunk = shrink(data, "claude-opus-4-7", operator=operator)
    check(shrunk)
    assert shrunk.unchanged
    assert shrunk.encode() == data


def test_a_fold_that_was_asked_for_needs_no_budget() -> None:
    shrunk = shrink(SCREEN, "claude-opus-4-7", operator="fold")
    check(shrunk)
    assert shrunk.report.operator == "fold"
    assert shrunk.report.text_scale == 1
    assert shrunk.tokens.after < 0.8 * shrunk.tokens.before


@pytest.mark.parametrize("model", ["gpt-4o", "claude-opus-4-7", "qwen2.5-vl"])
def test_a_fold_that_saves_no_token_gives_the_original_back(model: str) -> None:
    noisy = np.random.default_rng(1).integers(0, 256, (200, 200, 3), np.uint8)
    data = encoded(noisy)
    shrunk = shrink(data, model, operator="fold")
    check(shrunk)
    assert shrunk.unchanged
    assert shrunk.encode() == data


# --- which operator --------------------------------------------------------------------------------------------------


def test_a_document_is_folded_and_keeps_its_text_large() -> None:
    shrunk = shrink(PAGE, "claude-opus-4-7", 1000)
    check(shrunk)
    assert shrunk.report.operator == "fold"
    plain = shrink(PAGE, "claude-opus-4-7", 1000, "resize")
    check(plain)
    assert shrunk.report.text_scale > 1.2 * plain.report.text_scale


def test_a_photo_is_resized() -> None:
    shrunk = shrink(PHOTO, "claude-opus-4-7", 400)
    check(shrunk)
    assert (shrunk.report.operator, shrunk.report.kind) == ("resize", "photo")


def test_what_does_not_fold_is_resized() -> None:
    busy = np.kron(np.random.default_rng(2).integers(0, 2, (300, 400, 1), np.uint8) * 255, np.ones((2, 2, 3), np.uint8))
    shrunk = shrink(busy, "claude-opus-4-7", 0.5)
    check(shrunk)
    assert shrunk.report.operator == "resize"


def test_text_that_needs_no_scaling_is_not_scaled() -> None:
    """A grid that the model rounds to is no reason to resample text: the widest gap that fits is taken."""
    for model in ("claude-opus-4-7", "claude-sonnet-4-5", "qwen2.5-vl", "gpt-5.5"):
        shrunk = shrink(SCREEN, model, 0.6)
        check(shrunk)
        assert (shrunk.report.operator, shrunk.report.text_scale) == ("fold", 1)
        assert shrunk.tokens.after >= 0.45 * shrunk.tokens.before


@pytest.mark.parametrize(
    "operator", ["seams", "", None, "Fold", ["fold"], "warp+fold", "warp+carve", "fold+fold", "auto+fold"]
)
def test_another_operator_is_refused(operator: Any) -> None:
    with pytest.raises(
        UsageError,
        match=r"operator is .*: choose auto, or steps joined by \+ in this order: crop, fold, and one of resize, w",
    ):
        shrink(SCREEN, "claude-opus-4-7", operator=operator)


# --- protected boxes -------------------------------------------------------------------------------------------------


def test_a_protected_box_keeps_its_pixels() -> None:
    box = (100, 400, 500, 600)
    shrunk = shrink(SCREEN, "claude-opus-4-7", operator="fold", protect=[box])
    check(shrunk)
    x0, y0, x1, y1 = shrunk.coordinates.to_reduced(boxes=box).round().astype(int)
    np.testing.assert_array_equal(shrunk.image[y0:y1, x0:x1], SCREEN[400:600, 100:500])
    free = shrink(SCREEN, "claude-opus-4-7", operator="fold")
    assert shrunk.tokens.after > free.tokens.after


def test_protecting_everything_is_a_resize() -> None:
    shrunk = shrink(SCREEN, "claude-opus-4-7", 0.5, protect=[(0, 0, 900, 700)])
    check(shrunk)
    assert shrunk.report.operator == "resize"


def test_protection_does_not_change_what_is_said_of_the_text() -> None:
    plain = shrink(PAGE, "claude-opus-4-7", 150)
    strips = [(0, y, 1240, y + 20) for y in range(1600, 1700, 25)]
    assert any("readable" in line for line in plain.report.warnings)
    covered = shrink(PAGE, "claude-opus-4-7", 150, protect=strips)
    assert any("lines of 1" in line for line in covered.report.warnings), covered.report.warnings


@pytest.mark.parametrize("boxes", [None, [], np.empty((0, 4)), ()])
def test_no_boxes_are_no_protection(boxes: Any) -> None:
    plain, shrunk = (shrink(SCREEN, "claude-opus-4-7", 0.5, protect=given) for given in (None, boxes))
    np.testing.assert_array_equal(shrunk.image, plain.image)


def test_a_box_that_ends_inside_a_pixel_protects_the_whole_pixel() -> None:
    exact, loose = (
        shrink(SCREEN, "claude-opus-4-7", 0.7, protect=boxes).image
        for boxes in ([(100, 500, 400, 650)], (100.9, 500.5, 399.1, 649.01))
    )
    np.testing.assert_array_equal(exact, loose)


@pytest.mark.parametrize(
    "boxes",
    [
        [(0, 0, 901, 10)],
        [(0, 0, 10, 701)],
        [(-1, 0, 10, 10)],
        [(10, 0, 10, 10)],
        [(10, 20, 30, 10)],
        [(0, 0, 5, 5), (0, 0, float("nan"), 5)],
        [(0, 0, float("inf"), 5)],
        [(0, 0, 5)],
        [(0, 0), (5, 5)],
        np.zeros((4, 2)),
        np.ones((1, 1, 4)),
        "0 0 5 5",
        [["a", "b", "c", "d"]],
        7,
        [(0, 0, 5, 5), (1, 2, 3)],
    ],
)
def test_bad_boxes_are_refused(boxes: Any) -> None:
    with pytest.raises(UsageError, match="protect") as caught:
        shrink(SCREEN, "claude-opus-4-7", 0.5, protect=boxes)
    assert "\n" not in str(caught.value)


# --- what is said ----------------------------------------------------------------------------------------------------


def test_a_budget_too_small_for_text_is_warned_of() -> None:
    small, large = (shrink(PAGE, "claude-opus-4-7", budget) for budget in (100, 1500))
    assert any("the budget is too small for the text to stay readable" in line for line in small.report.warnings)
    assert not large.report.warnings


def test_the_remedy_of_that_warning_works() -> None:
    for operator in ("fold", "resize"):
        report = shrink(PAGE, "claude-opus-4-7", 150, operator).report  # type: ignore[arg-type]
        (warning,) = (line for line in report.warnings if "readable" in line)
        needed = int(warning.split("about ")[1].split()[0])
        assert 150 < needed <= 1.2 * report.tokens_before
        again = shrink(PAGE, "claude-opus-4-7", round(1.1 * needed), operator).report  # type: ignore[arg-type]
        assert not any("stay readable" in line for line in again.warnings)


def test_text_that_was_too_small_before_is_not_blamed_on_the_budget() -> None:
    tiny = page_of(1200, 900, size=6, pitch=14)
    report = shrink(tiny, "claude-opus-4-7", 0.7, "resize").report
    assert any("too small to read reliably even before scaling" in line for line in report.warnings)
    assert not any("budget" in line for line in report.warnings)


def test_a_photo_is_not_warned_of() -> None:
    assert not shrink(PHOTO, "claude-opus-4-7", 100).report.warnings


def test_texture_is_not_taken_for_text(shared_data: Path) -> None:
    photos = sorted((shared_data / "photos" / "kodak").glob("*.png"))[:4]
    if not photos:
        pytest.skip("no photos of Kodak")
    for path in photos:
        assert not shrink(path, "claude-opus-4-7", "30%").report.warnings, path.name


def test_a_model_with_a_flat_price_says_so() -> None:
    data = encoded(SCREEN)
    shrunk = shrink(data, FLAT, 0.5)
    check(shrunk)
    assert shrunk.encode() == data
    first, *rest = shrunk.report.warnings
    assert "at any size: fewer pixels save nothing" in first
    assert any("budget" in line and "detail" in line for line in rest)


def test_the_detail_that_a_flat_model_is_told_to_choose_meets_the_budget() -> None:
    report = shrink(SCREEN, FLAT, 600).report
    (line,) = (line for line in report.warnings if "is not met" in line)
    level = line.rsplit(" ", 1)[1]
    assert shrink(SCREEN, FLAT, 600, detail=level).report.tokens_after <= 600


def test_loading_is_reported() -> None:
    clear = Image.fromarray(SCREEN).convert("RGBA")
    clear.putalpha(128)
    stream = io.BytesIO()
    clear.save(stream, "PNG")
    report = shrink(stream.getvalue(), "claude-opus-4-7", name="upload 7").report
    assert report.input == "upload 7"
    assert any("alpha" in note for note in report.notes)


def test_what_it_costs_is_told_where_it_is_known() -> None:
    known = shrink(SCREEN, "claude-opus-4-7", 0.5).report
    assert known.price_date
    assert known.usd_before is not None
    assert known.usd_after is not None
    assert known.usd_after / known.usd_before == pytest.approx(known.tokens_after / known.tokens_before)
    none = shrink(SCREEN, "claude-opus-4-7", 0.5, prices={}).report
    assert (none.usd_before, none.usd_after, none.price_date) == (None, None, None)


# --- arguments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [0, -1, 257, 1.5, None, "2"])
def test_other_numbers_of_threads_are_refused(threads: Any) -> None:
    for budget in ("fit", 0.5):
        with pytest.raises(UsageError, match=r"threads is .*: give a whole number from 1 to 256"):
            shrink(SCREEN, "claude-opus-4-7", budget, threads=threads)


def test_an_unknown_model_and_a_bad_picture_are_refused() -> None:
    with pytest.raises(UsageError, match="claude"):
        shrink(SCREEN, "claude-opus-47")
    with pytest.raises(InputError, match=r"missing\.png"):
        shrink("missing.png", "claude-opus-4-7")
    with pytest.raises(InputError):
        shrink(SCREEN, "claude-opus-4-7", max_pixels=1000)
    with pytest.raises(UsageError):
        shrink(SCREEN, "claude-opus-4-7", detail="no such level")


def test_the_input_is_not_written_to() -> None:
    page = SCREEN.copy()
    page.flags.writeable = False
    for operator in ("fold", "resize"):
        shrink(page, "claude-opus-4-7", 0.5, operator)  # type: ignore[arg-type]
    np.testing.assert_array_equal(page, SCREEN)


def test_any_way_to_give_a_picture_gives_the_same_result(tmp_path: Path) -> None:
    data = encoded(SCREEN)
    path = tmp_path / "in.png"
    path.write_bytes(data)
    ways = [data, path, str(path), io.BytesIO(data), Image.fromarray(SCREEN), SCREEN, SCREEN[::-1][::-1]]
    results = [shrink(way, "claude-opus-4-7", 0.5).encode() for way in ways]
    assert len(set(results)) == 1


# --- golden pictures -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def golden(repository: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The functions that make the golden pictures, and what was written."""
    folder = repository / "tests" / "golden"
    made = runpy.run_path(str(folder / "make_golden.py"), run_name="golden")
    return made, json.loads((folder / "golden.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["letter", "two_columns", "table", "gradient", "scaled", "resized"])
def test_golden_pictures(name: str, golden: tuple[dict[str, Any], dict[str, Any]], repository: Path) -> None:
    made, written = golden
    assert set(written) == set(made["PAGES"])
    shrunk = made["made"](name)
    check(shrunk)
    with Image.open(repository / "tests" / "golden" / f"{name}.png") as picture:
        np.testing.assert_array_equal(shrunk.image, np.asarray(picture))
    assert made["described"](shrunk) == written[name]
