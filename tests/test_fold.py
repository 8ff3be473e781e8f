"""Folding: the runs of repeats, whole pictures against a slow definition, the blocks of a page, and plans."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pixtrim.errors import UsageError
from pixtrim.operators.fold import Analysis, FoldPlan, Rule, analyse, column_gap, gap_for
from pixtrim.operators.fold.changes import Changes, Noise
from pixtrim.operators.fold.runs import folded_length, kept, run_bounds

Pixels = NDArray[np.uint8]

# --- pictures to fold ----------------------------------------------------------------------------------------------


def paper(width: int, height: int, level: int = 255) -> Pixels:
    return np.full((height, width, 3), level, np.uint8)


def text(page: Pixels, y: int, x0: int, x1: int, rng: np.random.Generator, height: int = 9) -> None:
    """Set a line of words like text: no two rows or columns of a letter are alike."""
    x = x0
    while x < x1:
        word = min(int(rng.integers(8, 40)), x1 - x)
        ink = rng.integers(0, 2, (height, word), np.uint8) * 200
        ink[0, 0] = ink[-1, -1] = 200
        spot = page[y : y + height, x : x + word]
        spot[:] = np.minimum(spot, (255 - ink)[: len(spot), : spot.shape[1], None])
        x += word + 5


def lettering(page: Pixels, at: tuple[int, int], what: str, size: int, ink: int = 0) -> Pixels:
    """Write with a real font, and return the picture."""
    picture = Image.fromarray(page)
    ImageDraw.Draw(picture).text(at, what, (ink, ink, ink), ImageFont.load_default(size))
    return np.asarray(picture)


def two_columns() -> Pixels:
    """Two columns of text whose lines do not stand on the same rows."""
    rng = np.random.default_rng(1)
    page = paper(640, 520)
    for y in range(40, 480, 26):
        text(page, y, 40, 290, rng)
    for y in range(53, 480, 34):
        text(page, y, 350, 600, rng)
    return page


def table(rows: int = 12, shift: tuple[int, ...] = (0, 0, 0, 0), holes: int = 0) -> tuple[Pixels, list[int], list[int]]:
    """A table without rules; also where its cells stand: the rows and the columns of their first pixels.

    Every so many cells are empty, in each column other ones.
    """
    rng = np.random.default_rng(2)
    page = paper(700, 60 + 30 * rows)
    tops, lefts = [40 + 30 * i for i in range(rows)], [30, 200, 430, 600]
    for i, top in enumerate(tops):
        for j, left in enumerate(lefts):
            if holes and (2 * i + j) % holes == 0:
                continue
            text(page, top + shift[j], left, left + (30 + 10 * ((3 * i + j) % 5)), rng)
    return page, tops, lefts


@st.composite
def pages(draw: st.DrawFn, longest: int = 240) -> Pixels:
    """Random layouts: paper, blocks of text, tables, frames, rules, gradients, noise."""
    sides = st.integers(1, longest // 3) | st.integers(longest // 3, longest)
    width, height = draw(sides), draw(sides)
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    page = paper(width, height, draw(st.sampled_from([255, 240, 30])))
    kinds = ("column", "table", "frame", "rule", "dot", "gradient", "noise", "panel", "faint")
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=8)):
        x0, y0 = int(rng.integers(0, width)), int(rng.integers(0, height))
        x1, y1 = int(rng.integers(x0, width)) + 1, int(rng.integers(y0, height)) + 1
        box = page[y0:y1, x0:x1]
        if kind == "column":
            for y in range(y0, y1, int(rng.integers(11, 40))):
                text(page, y, x0, x1, rng)
        elif kind == "table":
            for y in range(y0, y1, 24):
                for x in range(x0, x1, 45):
                    text(page, y, x, min(x + 20, x1), rng)
        elif kind == "frame":
            box[[0, -1]] = box[:, [0, -1]] = 90
        elif kind == "rule":
            box[:1] = 0
        elif kind == "dot":
            box[:1, :1] = 0
        elif kind == "gradient":
            along = np.arange(y1 - y0)[:, None, None] if draw(st.booleans()) else np.arange(x1 - x0)[None, :, None]
            box[:] = np.clip(along * draw(st.sampled_from([0.1, 0.5, 1, 2, 5])), 0, 255)
        elif kind == "noise":
            box[:] = np.clip(box + rng.integers(-3, 4, box.shape), 0, 255)
        elif kind == "panel":
            box[:] = rng.integers(0, 256, 3)
        else:
            box[:1] = box[:1] - np.uint8(3)
    return page


# --- runs ----------------------------------------------------------------------------------------------------------

flags = st.lists(st.booleans(), max_size=60).map(lambda found: np.array(found, np.bool_))


@given(flags)
def test_the_bounds_of_runs_give_the_flags_back(repeated: NDArray[np.bool_]) -> None:
    again = np.zeros_like(repeated)
    bounds = run_bounds(repeated)
    for start, end in bounds:
        assert start < end
        again[start:end] = True
    np.testing.assert_array_equal(again, repeated)
    assert (bounds[1:, 0] > bounds[:-1, 1]).all()  # touching runs would be one


@given(flags, st.integers(1, 12), st.floats(0, 1))
def test_kept_rows_are_as_many_as_asked_and_the_first_of_each_run(
    repeated: NDArray[np.bool_], gap: int, share: float
) -> None:
    bounds = run_bounds(repeated)
    lengths = bounds[:, 1] - bounds[:, 0]
    least = folded_length(len(repeated), lengths, gap)
    assert least == int((~repeated).sum()) + sum(min(int(n), gap) for n in lengths)
    target = least + round(share * (len(repeated) - least))
    rows = kept(repeated, gap, target)
    assert rows.dtype == np.int32
    assert len(rows) == target
    keep = np.zeros(len(repeated), np.bool_)
    keep[rows] = True
    assert (np.diff(rows) > 0).all()
    assert keep[~repeated].all()
    stays = []
    for start, end in bounds:
        stay = int(keep[start:end].sum())
        assert keep[start : start + stay].all()
        assert stay >= min(gap, end - start)
        stays.append(stay)
    longer = [stay for stay, n in zip(stays, lengths, strict=True) if stay < n]
    assert max(longer, default=0) - min(longer, default=0) <= 1  # what is left over is shared out evenly


# --- whole pictures, against a definition that is slow and plain -----------------------------------------------------


def repeats(pixels: Pixels, y: int, threshold: int, rule: Rule, seen: slice) -> bool:
    """Whether row y may fold: it is like the row before, of one colour if it must be, and nothing drifts there."""
    rows = pixels.astype(int)
    if y == 0 or (abs(rows[y] - rows[y - 1]) > threshold).any():
        return False
    if rule == "blank" and (abs(np.diff(rows[y], axis=0)) > threshold).any():
        return False
    limit = min(max(8, 3 * threshold), 255)
    step = 8
    while threshold and step <= y and y % step == 0:
        window = rows[y - step : y + 1, seen]
        calm = (abs(np.diff(window, axis=0)) <= threshold).all(axis=(0, 2))
        far = (abs(window[-1] - window[0]) > limit).any(axis=1)
        if (calm & far).any():
            return False
        step *= 2
    return True


def slowly_kept(pixels: Pixels, threshold: int, rule: Rule, gap: int, seen: slice) -> list[int]:
    found, run = [], 0
    for y in range(len(pixels)):
        run = run + 1 if repeats(pixels, y, threshold, rule, seen) else 0
        if run <= gap:
            found.append(y)
    return found


@settings(max_examples=60)
@given(pages(70), st.sampled_from(["repeat", "blank"]), st.sampled_from([0, 1, 2, 8, 40, 255]), st.integers(1, 9))
def test_a_whole_picture_folds_as_defined(page: Pixels, rule: Rule, threshold: int, gap: int) -> None:
    rows = slowly_kept(page, threshold, rule, gap, slice(None))
    columns = slowly_kept(page.swapaxes(0, 1), threshold, rule, column_gap(gap), slice(None, None, 4))
    analysis = analyse(page, rule=rule, threshold=threshold, blocks=False)
    assert analysis.size(gap) == (len(columns), len(rows))
    plan = analysis.plan(gap)
    (cell,) = plan.cells
    assert cell.rows.tolist() == rows
    assert cell.columns.tolist() == columns
    np.testing.assert_array_equal(plan.apply(page), page[np.ix_(rows, columns)])


def test_known_rows_stay() -> None:
    page = paper(9, 12)
    page[3] = 0
    page[4] = 1  # within the threshold
    page[9, 4] = 0
    expected = {1: [0, 1, 3, 4, 5, 6, 9, 10, 11], 2: [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11]}
    for gap, rows in expected.items():
        (cell,) = analyse(page, threshold=2, blocks=False).plan(gap).cells
        assert cell.rows.tolist() == rows


# --- drift: what repeats from row to row need not be the same at its two ends ----------------------------------------


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("slope", [0.02, 0.1, 0.25, 0.5, 1, 1.5, 2])
@pytest.mark.parametrize("threshold", [1, 2, 8])
def test_a_smooth_gradient_keeps_its_shades(axis: int, slope: float, threshold: int) -> None:
    shades = np.clip(np.arange(700) * min(slope, threshold), 0, 255).astype(np.uint8)
    page = np.broadcast_to(shades[:, None, None] if axis == 0 else shades[None, :, None], (700, 700, 3)).copy()
    limit = max(8, 3 * threshold)
    for blocks in (False, True):
        plan = analyse(page, threshold=threshold, blocks=blocks).plan(1)
        lost = _lost(page, plan)
        assert lost <= 2 * limit + 8 * threshold
        assert plan.reduced_size[1 - axis] < 500  # and it folds nevertheless


def test_a_gradient_between_lines_of_text_keeps_its_shades() -> None:
    rng = np.random.default_rng(3)
    page = paper(400, 600)
    page[:, 200:] = np.clip(np.arange(600)[:, None, None] / 3, 0, 200).astype(np.uint8)
    for y in range(20, 580, 60):
        text(page, y, 20, 180, rng)
    for blocks in (False, True):
        assert _lost(page, analyse(page, threshold=2, blocks=blocks).plan(1)) <= 32


def _lost(page: Pixels, plan: FoldPlan) -> int:
    """Return the largest difference, in levels, between what was dropped and what stands for it."""
    worst = 0
    for cell in plan.cells:
        y0, y1, x0, x1 = cell.box
        for kept_ones, low, high, along in ((cell.rows, y0, y1, 0), (cell.columns, x0, x1, 1)):
            all_ones = np.arange(low, high)
            stand_in = kept_ones[np.searchsorted(kept_ones, all_ones, "right") - 1]
            box = page[y0:y1, x0:x1].astype(int)
            worst = max(worst, int(abs(box - np.take(box, stand_in - low, along)).max()))
    return worst


# --- small things ----------------------------------------------------------------------------------------------------


def _crosses(plan: FoldPlan, box: tuple[int, int, int, int]) -> bool:
    """Whether a kept row and a kept column of some block cross a box (x0, y0, x1, y1)."""
    x0, y0, x1, y1 = box
    return any(
        ((cell.rows >= y0) & (cell.rows < y1)).any() and ((cell.columns >= x0) & (cell.columns < x1)).any()
        for cell in plan.cells
    )


@pytest.mark.parametrize("blocks", [False, True])
@pytest.mark.parametrize("where", [(3, 2), (290, 5), (150, 200), (6, 380), (280, 376)])
@pytest.mark.parametrize("what", ["-", ".", "1", "é", "´", "i", "27", "|", "_", "'"])
def test_a_lone_character_survives(what: str, where: tuple[int, int], blocks: bool) -> None:
    blank = paper(320, 400)
    page = lettering(blank, where, what, 14)
    marks = np.argwhere((page != blank).any(axis=2))
    assert len(marks)
    (y0, x0), (y1, x1) = marks.min(axis=0), marks.max(axis=0) + 1
    plan = analyse(page, blocks=blocks).plan(1)
    assert plan.reduced_size[1] < 40
    reduced = plan.apply(page)
    assert _crosses(plan, (x0, y0, x1, y1))
    assert reduced.min() == page.min()
    # Every edge of it is still there: the colours that follow one another down, and along, are the same.
    assert _shapes(reduced) == _shapes(page)


def _shapes(page: Pixels) -> tuple[bytes, bytes]:
    """Return a picture without any repeat of a row or a column at all."""
    rows = page[np.append(True, (np.diff(page.astype(int), axis=0) != 0).any(axis=(1, 2)))]
    both = rows[:, np.append(True, (np.diff(rows.astype(int), axis=1) != 0).any(axis=(0, 2)))]
    return both.tobytes(), np.array(both.shape).tobytes()


@pytest.mark.parametrize("blocks", [False, True])
def test_thin_and_faint_lines_survive(blocks: bool) -> None:
    page = paper(300, 300)
    page[100] = 0  # a rule across the page
    page[180, 40:90] = 252  # three levels, at a threshold of two
    page[20:80, 250] = 252
    page[230:280, 30] = 0
    plan = analyse(page, blocks=blocks).plan(1)
    for box in ((0, 100, 300, 101), (40, 180, 90, 181), (250, 20, 251, 80), (30, 230, 31, 280)):
        assert _crosses(plan, box)
    assert plan.reduced_size[0] < 100
    assert plan.reduced_size[1] < 30


# --- plans -----------------------------------------------------------------------------------------------------------


def _check(page: Pixels, analysis: Analysis, gap: int) -> FoldPlan:
    """Check all that must hold of any plan."""
    plan = analysis.plan(gap)
    height, width = page.shape[:2]
    assert plan.original_size == (width, height)
    assert plan.reduced_size == analysis.size(gap)
    assert plan.gap == gap
    assert 1 <= plan.reduced_size[0] <= width
    assert 1 <= plan.reduced_size[1] <= height
    before, after = np.zeros((height, width), int), np.zeros(plan.reduced_size[::-1], int)
    for cell in plan.cells:
        (y0, y1, x0, x1), (y, x) = cell.box, cell.origin
        before[y0:y1, x0:x1] += 1
        after[y : y + len(cell.rows), x : x + len(cell.columns)] += 1
        for indices, low, high in ((cell.rows, y0, y1), (cell.columns, x0, x1)):
            assert indices.dtype == np.int32
            assert indices[0] == low  # the first one never repeats
            assert indices[-1] < high
            assert (np.diff(indices) > 0).all()
    assert (before == 1).all()
    assert (after == 1).all()
    reduced = plan.apply(page)
    pixel_y, pixel_x = np.indices(reduced.shape[:2]).reshape(2, -1)
    came_from = plan.coordinates.to_original(np.stack([pixel_x + 0.5, pixel_y + 0.5], axis=1))
    x, y = np.floor(came_from).astype(int).T
    np.testing.assert_array_equal(came_from % 1, 0.5)
    np.testing.assert_array_equal(reduced[pixel_y, pixel_x], page[y, x])
    assert plan.coordinates.to_reduced(boxes=[0, 0, width, height]).tolist() == [0, 0, *plan.reduced_size]
    return plan


@settings(max_examples=150)
@given(pages(), st.sampled_from(["repeat", "blank"]), st.booleans(), st.integers(1, 26))
def test_every_pixel_is_one_of_the_original_where_the_map_says(
    page: Pixels, rule: Rule, blocks: bool, gap: int
) -> None:
    _check(page, analyse(page, rule=rule, blocks=blocks), gap)


@pytest.mark.parametrize("gap", [1, 2, 4, 8, 24])
def test_the_map_holds_on_pages_that_are_cut(gap: int) -> None:
    for page in (two_columns(), table()[0], table(shift=(0, 7, 13, 4))[0]):
        _check(page, analyse(page), gap)
    assert len(analyse(two_columns()).plan(2).cells) > 1


@settings(max_examples=60)
@given(pages(), st.booleans())
def test_wider_gaps_never_give_smaller_pictures(page: Pixels, blocks: bool) -> None:
    analysis = analyse(page, blocks=blocks)
    sizes = np.array([analysis.size(gap) for gap in range(1, 26)])
    assert (np.diff(sizes, axis=0) >= 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (2, 2), (10, 20000), (64, 65), (24, 24)])
@pytest.mark.parametrize("fill", ["blank", "noise", "bars"])
def test_pictures_of_extreme_shape(shape: tuple[int, int], fill: str) -> None:
    page = np.full((*shape, 3), 255, np.uint8)
    if fill == "noise":
        page[:] = np.random.default_rng(4).integers(0, 256, page.shape)
    elif fill == "bars":
        page[::50] = page[:, ::50] = 0
    for blocks in (False, True):
        plan = _check(page, analyse(page, blocks=blocks), 3)
        if fill == "blank":
            assert plan.reduced_size == (min(shape[1], 1 + column_gap(3)), min(shape[0], 4))
        if fill == "noise":
            assert plan.reduced_size == shape[::-1]


@settings(max_examples=40)
@given(pages(), st.integers(2, 5), st.integers(1, 9))
def test_threads_change_nothing(page: Pixels, threads: int, gap: int) -> None:
    one, more = analyse(page).plan(gap), analyse(page, threads=threads).plan(gap)
    assert one.reduced_size == more.reduced_size
    np.testing.assert_array_equal(one.apply(page), more.apply(page, threads))


def test_a_plan_folds_another_picture_of_its_size_alone() -> None:
    page = two_columns()
    plan = analyse(page).plan(2)
    inverted = 255 - page
    np.testing.assert_array_equal(plan.apply(inverted), 255 - plan.apply(page))
    with pytest.raises(UsageError, match="the plan is for a picture of 640x520, this one has 639x520"):
        plan.apply(page[:, 1:].copy())


@pytest.mark.parametrize("gap", [0, -3])
def test_a_gap_below_one_is_refused(gap: int) -> None:
    with pytest.raises(UsageError, match=f"the gap is {gap}: give at least 1"):
        analyse(paper(30, 30)).plan(gap)


@pytest.mark.parametrize("threshold", [-1, 256])
def test_a_threshold_that_is_no_level_is_refused(threshold: int) -> None:
    with pytest.raises(UsageError, match=f"the threshold is {threshold}: give a number of levels from 0 to 255"):
        analyse(paper(30, 30), threshold=threshold)


# --- protected boxes -------------------------------------------------------------------------------------------------


@st.composite
def protected(draw: st.DrawFn) -> tuple[Pixels, NDArray[np.int64]]:
    page = draw(pages())
    height, width = page.shape[:2]
    boxes = []
    for _ in range(draw(st.integers(1, 3))):
        x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        boxes.append((x0, y0, draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))))
    return page, np.array(boxes, np.int64)


def _check_protected(page: Pixels, boxes: NDArray[np.int64], blocks: bool, gap: int) -> None:
    plan = _check(page, analyse(page, protect=boxes, blocks=blocks), gap)
    reduced = plan.apply(page)
    for x0, y0, x1, y1 in boxes.tolist():
        inner = [x0 + 0.5, y0 + 0.5, x1 - 0.5, y1 - 0.5]  # from the first pixel's centre to the last one's
        a, b, c, d = np.floor(plan.coordinates.to_reduced(boxes=inner)).astype(int)
        assert (c - a, d - b) == (x1 - x0 - 1, y1 - y0 - 1)
        np.testing.assert_array_equal(reduced[b : d + 1, a : c + 1], page[y0:y1, x0:x1])


@settings(max_examples=100)
@given(protected(), st.booleans(), st.integers(1, 9))
def test_nothing_folds_in_a_protected_box(given_: tuple[Pixels, NDArray[np.int64]], blocks: bool, gap: int) -> None:
    _check_protected(*given_, blocks, gap)


@pytest.mark.parametrize("blocks", [False, True])
@pytest.mark.parametrize(
    "boxes",
    [
        [(0, 0, 640, 520)],
        [(0, 0, 100, 100), (540, 420, 640, 520)],
        [(100, 100, 400, 300), (300, 200, 500, 400)],
        [(300, 0, 340, 520)],
        [(0, 20, 640, 21)],
        [(639, 519, 640, 520)],
        [(280, 47, 360, 130)],  # across both columns of text
    ],
)
def test_boxes_at_borders_and_across_blocks_are_protected(boxes: list[Any], blocks: bool) -> None:
    _check_protected(two_columns(), np.array(boxes, np.int64), blocks, 2)


def test_no_box_at_all_is_no_protection() -> None:
    page = two_columns()
    assert analyse(page, protect=np.empty((0, 4), np.int64)).size(2) == analyse(page).size(2)


def test_boxes_can_be_protected_later() -> None:
    page = two_columns()
    boxes = np.array([(10, 0, 200, 60), (630, 500, 640, 520)], np.int64)
    free = Changes(page, Noise())
    later, at_once = free.protected(boxes), Changes(page, Noise(), boxes)
    for axis in (0, 1):
        for box in (free.box, (0, 100, 5, 300)):
            np.testing.assert_array_equal(later.repeated(box, axis), at_once.repeated(box, axis))
            np.testing.assert_array_equal(later.uniform(box, axis), at_once.uniform(box, axis))
    assert free.repeated(free.box, 0)[30]  # the changes that were there before are as they were
    assert not later.repeated(free.box, 0)[30]


# --- blocks ----------------------------------------------------------------------------------------------------------


def test_columns_whose_lines_do_not_align_fold_apart() -> None:
    page = two_columns()
    whole, cut = analyse(page, blocks=False).size(3), analyse(page).size(3)
    assert cut[1] < 0.8 * whole[1]
    assert cut[0] <= whole[0]


def test_lines_keep_their_order_in_columns_that_fold_apart() -> None:
    plan = analyse(two_columns()).plan(2)
    for x, tops in ((60, range(40, 480, 26)), (380, range(53, 480, 34))):
        places = plan.coordinates.to_reduced([[x, top + 4.5] for top in tops])
        assert (np.diff(places[:, 1]) >= 9).all()  # each below the one before, by a line at least
        assert np.ptp(places[:, 0]) == 0


@pytest.mark.parametrize("gap", [1, 3, 8])
@pytest.mark.parametrize("rows", [4, 12])
@pytest.mark.parametrize("holes", [0, 3, 4, 5])
def test_a_table_stays_aligned(rows: int, gap: int, holes: int) -> None:
    page, tops, lefts = table(rows, holes=holes)
    plan = analyse(page).plan(gap)
    cells = np.array([[(left + 0.5, top + 4.5) for left in lefts] for top in tops])
    places = plan.coordinates.to_reduced(cells)
    assert (np.ptp(places[..., 1], axis=1) == 0).all()  # one row of cells, one row
    assert (np.ptp(places[..., 0], axis=0) == 0).all()  # one column of cells, one column
    assert plan.reduced_size[1] < page.shape[0]


@pytest.mark.parametrize("gap", [1, 4])
def test_labels_and_their_values_stay_on_one_line(gap: int) -> None:
    rng = np.random.default_rng(5)
    page = paper(600, 400)
    tops = [30, 55, 95, 130, 180, 205, 260, 300]
    for top in tops:
        text(page, top, 20, 20 + int(rng.integers(60, 120)), rng)
        text(page, top, 560 - int(rng.integers(40, 90)), 560, rng)
    coordinates = analyse(page).plan(gap).coordinates
    left = coordinates.to_reduced([[21, top + 4.5] for top in tops])
    right = coordinates.to_reduced([[559.5, top + 4.5] for top in tops])
    np.testing.assert_array_equal(left[:, 1], right[:, 1])
    assert np.ptp(right[:, 0]) == 0


@settings(max_examples=60)
@given(pages(), st.integers(1, 12))
def test_cutting_never_costs_much(page: Pixels, gap: int) -> None:
    """The shape of the cuts is chosen for one gap; with any other, folding as a whole may be a little smaller."""
    cut, whole = analyse(page).size(gap), analyse(page, blocks=False).size(gap)
    assert cut[0] * cut[1] <= 1.1 * whole[0] * whole[1] + 400


# --- the gap for a budget --------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(pages(), st.integers(20, 30000))
@example(paper(50, 50), 30000)
def test_the_gap_is_the_widest_that_needs_no_scaling_or_a_sound_one(page: Pixels, area: int) -> None:
    analysis = analyse(page)

    def scale_of(width: int, height: int) -> float:
        return min(1.0, (area / (width * height)) ** 0.5)

    gap = gap_for(analysis, scale_of)
    widest = max(analysis.original_size)
    assert 1 <= gap <= widest
    native = [g for g in range(1, widest + 1) if scale_of(*analysis.size(g)) == 1]
    if any(g > 1 for g in native):
        assert gap == max(native)
    else:
        scale = scale_of(*analysis.size(gap))
        assert gap >= round(max(2 * scale, 0.5 / scale)) or gap == widest
        assert all(g < round(max(2 * s, 0.5 / s)) for g in range(1, gap) if (s := scale_of(*analysis.size(g))) > 0)


def test_an_analysis_can_be_made_of_changes_that_are_known() -> None:
    page = two_columns()
    noise = Noise()
    ready = Analysis(Changes(page, noise))
    assert ready.noise is noise
    assert [ready.size(gap) for gap in (1, 5)] == [analyse(page).size(gap) for gap in (1, 5)]
