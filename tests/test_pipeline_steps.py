"""Reductions by steps that need importance: crop, warp, carve, alone and after a fold."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from pixtrim import shrink
from pixtrim.coordinates import CoordinateMap
from pixtrim.errors import UsageError
from pixtrim.operators.crop import crop
from pixtrim.tokens import resolve

MODEL = "claude-opus-4-7"
SPOT = (420, 150, 560, 290)  # x0, y0, x1, y1 of what matters


def photo(height: int = 600, width: int = 900) -> np.ndarray:
    """Soft ground with a busy spot."""
    y, x = np.mgrid[:height, :width]
    ground = np.stack([120 + 40 * np.sin(x / 190 + y / 240), 110 + x / 30, 90 + y / 12], axis=-1)
    rng = np.random.default_rng(3)
    ground += rng.normal(0, 9, ground.shape)
    x0, y0, x1, y1 = SPOT
    ground[y0:y1, x0:x1] += rng.normal(0, 60, (y1 - y0, x1 - x0, 3))
    return np.clip(ground, 0, 255).astype(np.uint8)


def spot(height: int = 600, width: int = 900) -> np.ndarray:
    importance = np.zeros((height, width), np.float32)
    x0, y0, x1, y1 = SPOT
    importance[y0:y1, x0:x1] = 1
    return importance


PHOTO, IMPORTANCE = photo(), spot()


@pytest.mark.parametrize("operator", ["warp", "carve", "crop", "crop+warp", "fold+warp", "fold+carve", "crop+carve"])
@pytest.mark.parametrize("budget", ["70%", "30%"])
def test_every_plan_meets_the_budget_with_an_exact_map(operator: str, budget: str) -> None:
    shrunk = shrink(PHOTO, MODEL, budget, operator, importance=IMPORTANCE)
    height, width = shrunk.image.shape[:2]
    assert shrunk.tokens.after <= shrunk.report.budget  # type: ignore[operator]
    assert shrunk.tokens.after == resolve(MODEL).count(width, height)
    assert shrunk.coordinates.reduced_size == (width, height)
    assert shrunk.coordinates.original_size == (900, 600)
    assert CoordinateMap.from_json(shrunk.coordinates.to_json()) == shrunk.coordinates
    points = np.random.default_rng(0).random((60, 2)) * (width, height)
    np.testing.assert_allclose(shrunk.coordinates.to_reduced(shrunk.coordinates.to_original(points)), points, atol=1e-6)
    done = shrunk.report.operator.split("+")
    assert set(done) <= {"warp", *operator.split("+")}  # what a carve leaves is for a warp
    if done == ["fold"]:  # noise does not count: it was enough
        assert shrunk.report.importance is None
    else:
        assert shrunk.report.importance == "array"
        assert 0 <= shrunk.report.confidence <= 1  # type: ignore[operator]


@pytest.mark.parametrize("operator", ["warp", "carve", "crop", "crop+warp"])
def test_what_matters_stays_larger_than_by_a_resize(operator: str) -> None:
    plain = shrink(PHOTO, MODEL, "40%", "resize")
    shrunk = shrink(PHOTO, MODEL, "40%", operator, importance=IMPORTANCE)
    (even, kept) = (np.diff(one.coordinates.to_reduced(boxes=SPOT).reshape(2, 2), axis=0) for one in (plain, shrunk))
    assert (kept >= even * 1.15).all()


def test_a_source_is_asked_by_its_name_and_reported() -> None:
    shrunk = shrink(PHOTO, MODEL, "40%", "warp", importance="gradient")
    assert shrunk.report.operator == "warp"
    assert shrunk.report.importance == "gradient"
    assert shrunk.importance is not None
    assert shrunk.importance.shape == (600, 900)
    inside = shrunk.importance[SPOT[1] : SPOT[3], SPOT[0] : SPOT[2]].mean()
    assert inside > 3 * shrunk.importance.mean()


def test_nobody_is_asked_where_nothing_needs_it() -> None:
    def never(pixels: np.ndarray) -> np.ndarray:
        raise AssertionError("asked")

    for operator, budget in (("resize", "50%"), ("warp", "fit"), ("carve", 10**6)):
        shrunk = shrink(PHOTO, MODEL, budget, operator, importance=never)
        assert (shrunk.importance, shrunk.report.importance, shrunk.report.confidence) == (None, None, None)


def test_crop_saves_where_the_budget_asks_for_nothing() -> None:
    shrunk = shrink(PHOTO, MODEL, "fit", "crop", importance=IMPORTANCE)
    assert shrunk.report.operator == "crop"
    assert shrunk.tokens.after < shrunk.tokens.before
    x0, y0, x1, y1 = (int(v) for v in shrunk.coordinates.to_original(boxes=[0, 0, *shrunk.coordinates.reduced_size]))
    np.testing.assert_array_equal(shrunk.image, PHOTO[y0:y1, x0:x1])
    assert shrink(PHOTO, MODEL, "fit", "crop", importance=np.zeros((600, 900), np.float32)).unchanged


def test_protected_boxes_stay_whole() -> None:
    box = [30, 430, 230, 560]  # where nothing matters
    for operator in ("crop", "carve", "crop+carve"):
        shrunk = shrink(PHOTO, MODEL, "60%", operator, importance=IMPORTANCE, protect=[box])
        x0, y0, x1, y1 = shrunk.coordinates.to_reduced(boxes=box)
        plain = shrink(PHOTO, MODEL, "60%", "resize").coordinates.to_reduced(boxes=box)
        assert x1 - x0 >= plain[2] - plain[0] - 0.05
        assert y1 - y0 >= plain[3] - plain[1] - 0.05


def test_for_computer_use_places_keep_their_shapes() -> None:
    for operator in ("warp", "carve", "crop", "crop+fold"):
        with pytest.raises(UsageError, match="for computer use choose auto, fold or resize"):
            shrink(PHOTO, MODEL, "50%", operator, computer_use=True)
    for budget in ("70%", "50%", "30%", "15%"):
        shrunk = shrink(PHOTO, MODEL, budget, computer_use=True, importance=IMPORTANCE)
        assert shrunk.report.operator == "resize"
        assert shrunk.report.importance is None


@pytest.mark.parametrize(
    ("importance", "message"),
    [
        ("nobody", "importance is 'nobody': choose from"),
        (np.zeros((5, 5), np.float32), "5x5, the picture 900x600"),
        (np.full((600, 900), 2, np.float32), "bring them to [0, 1]"),
        (lambda pixels: pixels, "returned"),
    ],
)
def test_bad_importance_is_refused(importance: Any, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        shrink(PHOTO, MODEL, "50%", "warp", importance=importance)


def test_a_wrong_name_is_told_even_where_nobody_asks() -> None:
    with pytest.raises(UsageError, match="importance is 'nobody'"):
        shrink(PHOTO, MODEL, "50%", "resize", importance="nobody")


# --- the crop itself -----------------------------------------------------------------------------------------------


def test_a_crop_loses_no_more_than_its_share() -> None:
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, (70, 90, 3), np.uint8)
    importance = rng.random((70, 90), np.float32) ** 4
    for share in (0, 0.02, 0.3, 0.9):
        found = crop(pixels, importance, share=share)
        x0, y0, x1, y1 = found.box
        assert importance[y0:y1, x0:x1].sum() >= (1 - share) * importance.sum() * (1 - 1e-6)
        np.testing.assert_array_equal(found.image, pixels[y0:y1, x0:x1])
        assert found.coordinates.to_reduced([x0, y0]).tolist() == [0, 0]
    protect = np.zeros((70, 90), np.bool_)
    protect[0, 89] = True
    assert crop(pixels, spot(70, 90) * 0 + np.eye(70, 90, dtype=np.float32), share=0.9, protect=protect).box[1:3] == (
        0,
        90,
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"share": 1}, "share is 1"),
        ({"share": -0.1}, "share is -0.1"),
        ({"importance": np.zeros((3, 3), np.float32)}, "importance must be float32 (600, 900)"),
        ({"protect": np.zeros((600, 900))}, "protect must be bool"),
    ],
)
def test_bad_crops_are_refused(change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"importance": IMPORTANCE, **change}
    with pytest.raises(UsageError, match=re.escape(message)):
        crop(PHOTO, given.pop("importance"), **given)


# --- auto ----------------------------------------------------------------------------------------------------------


def signs() -> np.ndarray:
    """The photo with words over a good part of it."""
    image = Image.fromarray(PHOTO)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(40)
    for row, words in enumerate(("HARBOUR MUSEUM", "open every day", "from nine to five")):
        draw.rectangle((60, 60 + 80 * row, 460, 130 + 80 * row), (250, 246, 235))
        draw.text((76, 68 + 80 * row), words, (20, 20, 24), font)
    return np.asarray(image).copy()


def test_auto_warps_photos_with_words_where_much_has_to_go() -> None:
    pixels = signs()
    shrunk = shrink(pixels, MODEL, "30%")
    assert (shrunk.report.kind, shrunk.report.operator, shrunk.report.importance) == ("photo", "warp", "text")
    plain = shrink(pixels, MODEL, "30%", "resize")
    even, kept = (one.coordinates.to_reduced(boxes=[60, 60, 460, 290]) for one in (plain, shrunk))
    assert (kept[2] - kept[0]) * (kept[3] - kept[1]) > 1.3 * (even[2] - even[0]) * (even[3] - even[1])
    assert shrink(pixels, MODEL, "30%", importance=IMPORTANCE).report.importance == "array"


def test_auto_resizes_all_other_photos() -> None:
    assert shrink(PHOTO, MODEL, "30%").report.operator == "resize"
    assert shrink(signs(), MODEL, "80%").report.operator == "resize"
    assert shrink(signs(), MODEL, "30%", computer_use=True).report.operator == "resize"
