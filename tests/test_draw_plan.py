"""Pictures of plans: kept tokens as they are, the others tinted by where they come from, all of it on one sheet."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixtrim.draw import plan_picture
from pixtrim.draw.frame import ENLARGED
from pixtrim.draw.paper import MARGIN
from pixtrim.draw.plan import ARROWS, DIRECTIONS, FADE, LABELS, TINTED, TINTS, _legend, _shade, _tint
from pixtrim.errors import UsageError
from pixtrim.grid import PatchGrid
from pixtrim.operators.prune import KeepPlan, Origin, Tolerance

Pixels = NDArray[np.uint8]


def plan_of(sources: Any, offsets: Any = (), **changes: Any) -> KeepPlan:
    """Make a plan with these sources on a grid of tokens of 32 pixels."""
    array = np.array(sources, np.int32)
    rows, columns = array.shape
    grid = PatchGrid.from_thw((1, 2 * rows, 2 * columns))
    shifts = np.array(offsets, np.int32).reshape(-1, 2)
    size = (grid.fitted_width, grid.fitted_height) if len(shifts) else None
    given = {"selector": "pred_2d", "tolerance": Tolerance(), "anchored": True, "bounded": True, **changes}
    return KeepPlan(grid=grid, sources=array, offsets=shifts, reference_size=size, **given)


def flat(plan: KeepPlan, level: int = 255) -> Pixels:
    return np.full((plan.grid.fitted_height, plan.grid.fitted_width, 3), level, np.uint8)


def panel(plan: KeepPlan, pixels: Pixels, scale: float = 1, **options: Any) -> Pixels:
    """Return the picture alone: it stands in the lower left corner of its sheet."""
    picture = np.asarray(plan_picture(pixels, plan, **options))
    height, width = (round(side * scale) for side in pixels.shape[:2])
    return picture[-MARGIN - height : -MARGIN, MARGIN : MARGIN + width]


def wide(rows: int, columns: int) -> NDArray[np.int32]:
    return np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)


def test_kept_tokens_keep_their_pixels() -> None:
    """At 15 x 12 tokens the picture is drawn pixel by pixel; lines run along the upper and left sides of tokens."""
    sources = wide(12, 15)
    sources[3, 4:9] = sources[3, 3]
    plan = plan_of(sources)
    pixels = np.random.default_rng(0).integers(0, 256, flat(plan).shape, np.uint8)
    drawn = panel(plan, pixels)
    for row, column in np.argwhere(plan.keep).tolist():
        inside = np.s_[row * 32 + 1 : row * 32 + 32, column * 32 + 1 : column * 32 + 32]
        assert np.array_equal(drawn[inside], pixels[inside])
    assert not np.array_equal(
        drawn[3 * 32 + 1 : 4 * 32, 5 * 32 + 1 : 6 * 32], pixels[3 * 32 + 1 : 4 * 32, 5 * 32 + 1 : 6 * 32]
    )


CASES = {
    Origin.LEFT: ([[0, 0], [2, 3]], (), (0, 1)),
    Origin.ABOVE: ([[0, 1], [0, 3]], (), (1, 0)),
    Origin.ABOVE_LEFT: ([[0, 1], [2, 0]], (), (1, 1)),
    Origin.ELSEWHERE: ([[0, 1, 2], [3, 4, 0]], (), (1, 2)),
    Origin.REFERENCE: ([[0, 1], [2, 7]], [(0, 0)], (1, 1)),
    Origin.REFERENCE + 1: ([[0, 1], [2, 11]], [(0, 0), (-32, 0)], (1, 1)),
}


@pytest.mark.parametrize("group", CASES)
def test_a_dropped_token_has_the_tint_of_its_origin(group: int) -> None:
    sources, offsets, (row, column) = CASES[group]
    plan = plan_of(sources, offsets)
    pixels = flat(plan)
    scale = ENLARGED // max(pixels.shape)
    drawn = panel(plan, pixels, scale)
    token = drawn[
        32 * scale * row + 3 : 32 * scale * (row + 1) - 3, 32 * scale * column + 3 : 32 * scale * (column + 1) - 3
    ]
    colours, counts = np.unique(token.reshape(-1, 3), axis=0, return_counts=True)
    assert colours[counts.argmax()].tolist() == pytest.approx(_tint(group), abs=1)
    arrow = (np.abs(token.astype(int) - _shade(group)).max(axis=2) <= 1).any()
    assert arrow == (group in DIRECTIONS or group > Origin.REFERENCE)
    assert [entry.group for entry in _legend(plan)] == [Origin.KEPT, group]


def test_what_was_on_a_dropped_token_shows_through() -> None:
    plan = plan_of([[0, 0]])
    pixels = flat(plan)
    pixels[10:20, 40:50] = 0
    scale = ENLARGED // 64
    drawn = panel(plan, pixels, scale).astype(int)
    paper, ink = drawn[5 * scale, 60 * scale], drawn[12 * scale, 45 * scale]
    assert (paper - ink).min() == pytest.approx(255 * (1 - FADE) * (1 - TINTED), abs=2)


def test_the_legend_counts_every_token_once() -> None:
    sources = wide(4, 6)
    sources[1, 1:4] = 6  # left
    sources[2, 0] = 6  # above
    sources[2, 5] = 10  # above left
    sources[3, 2] = 15  # above right
    sources[3, 5] = 0  # elsewhere
    sources[0, 5] = 24 + 5  # the reference
    sources[3, 3] = 48 + 21  # the reference, shifted
    sources[3, 4] = 72 + 22  # shifted otherwise
    plan = plan_of(sources, [(0, 0), (-3, 0), (5, -7), (1, 1)])
    assert {entry.label: entry.count for entry in _legend(plan)} == {
        "kept": 14,
        "as on the left": 3,
        "as above": 1,
        "as above left or right": 2,
        "as elsewhere": 1,
        "as in the reference": 1,
        "in the reference, moved 2 ways": 2,
    }


def test_the_legend_says_how_far_things_moved() -> None:
    plan = plan_of([[0, 1], [2, 11]], [(0, 0), (-40, 3)])
    *_, moved = _legend(plan)
    assert moved.label == "in the reference, moved 40 px down and 3 px left"
    assert moved.direction == (40, -3)


def test_small_tokens_get_no_arrows() -> None:
    sources = wide(40, 40)
    sources[:, 1:] = sources[:, :1]
    plan = plan_of(sources)
    shade = np.array(_shade(Origin.LEFT))
    for max_side, has in ((40 * ARROWS + 200, True), (40 * ARROWS, False)):
        picture = np.asarray(plan_picture(flat(plan), plan, max_side=max_side))[130:]
        assert ((picture == shade).all(axis=2).sum() > 40) == has


def test_tokens_that_are_not_square_are_drawn() -> None:
    grid = PatchGrid.for_model("qwen3-vl", 256, 256, "pad", frames=2)
    plan = plan_of(np.zeros((grid.grid_h, grid.grid_w)))
    slot = replace(plan, grid=replace(grid, grid_thw=(1, *grid.grid_thw[1:])))
    height, width = slot.grid.token_shape
    pixels = np.full((grid.grid_h * height, grid.grid_w * width, 3), 200, np.uint8)
    assert plan_picture(pixels, slot).height > plan_picture(pixels, slot).width


@settings(max_examples=60)
@given(st.data())
def test_every_sheet_keeps_to_its_size(data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    sources = wide(rows, columns).ravel()
    for token in range(1, len(sources)):
        source = int(rng.integers(0, token))
        sources[token] = data.draw(st.sampled_from((token, int(sources[source]))))
        if rng.random() < 0.2:
            sources[token] = token + len(sources) * int(rng.integers(1, 4))
    plan = plan_of(sources.reshape(rows, columns), [(0, 0), (-1, 0), (7, -200)])
    max_side = data.draw(st.integers(400, 1700))
    picture = plan_picture(flat(plan), plan, title=data.draw(st.text(max_size=80)), max_side=max_side)
    assert picture.mode == "RGB"
    assert max(picture.size) <= max_side
    edges = np.asarray(picture)
    assert (edges[: MARGIN - 1] == 255).all()
    assert (edges[-MARGIN + 1 :] == 255).all()
    assert (edges[:, : MARGIN - 1] == 255).all()
    assert (edges[:, -MARGIN + 1 :] == 255).all()


def test_the_same_arguments_give_the_same_picture_and_leave_them_alone() -> None:
    plan = plan_of([[0, 0], [0, 3]])
    pixels = np.random.default_rng(5).integers(0, 256, flat(plan).shape, np.uint8)
    kept = pixels.copy()
    first = plan_picture(pixels, plan, title="a")
    assert first.tobytes() == plan_picture(pixels, plan, title="a").tobytes()
    assert first.tobytes() != plan_picture(pixels, plan, title="b").tobytes()
    assert np.array_equal(pixels, kept)


@pytest.mark.parametrize(
    ("pixels", "max_side", "words"),
    [
        (np.zeros((64, 32, 3), np.uint8), 1600, "the picture is 32x64, but the plan is for 64x64"),
        (np.zeros((64, 64, 4), np.uint8), 1600, r"the picture is uint8 \(64, 64, 4\)"),
        (None, 1600, "the picture is NoneType"),
        (np.zeros((64, 64, 3), np.uint8), 399, "max_side is 399; 400 to 20000 pixels are possible"),
        (np.zeros((64, 64, 3), np.uint8), 800.0, "max_side is 800.0; a whole number"),
    ],
)
def test_what_is_wrong_is_said(pixels: Any, max_side: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        plan_picture(pixels, plan_of([[0, 0], [0, 3]]), max_side=max_side)


# What people with protan, deutan and tritan vision see of linear RGB, at severity 1: G. M. Machado, M. M. Oliveira,
# L. A. F. Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", IEEE TVCG 15(6), 2009.
VISION = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])


@pytest.mark.parametrize("vision", VISION)
def test_tints_can_be_told_apart(vision: str) -> None:
    colours = [(255, 255, 255), *(_tint(group) for group in TINTS)]
    assert TINTS.keys() | {Origin.KEPT} == LABELS.keys()
    assert min(np.linalg.norm(a - b) for a, b in combinations([lab(colour, vision) for colour in colours], 2)) > 9


def lab(colour: tuple[int, int, int], vision: str) -> NDArray[np.float64]:
    """Return CIELAB of what someone sees of a colour."""
    levels = np.array(colour) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    ratios = XYZ @ np.clip(np.array(VISION[vision]) @ linear, 0, 1) / WHITE
    x, y, z = np.where(ratios > 0.008856, np.cbrt(ratios), 7.787 * ratios + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])
