"""Pruning: what is decoded, what is bounded, what a reference may do, and what users add."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixtrim.errors import UsageError
from pixtrim.grid import PatchGrid
from pixtrim.operators.prune import (
    KeepPlan,
    Origin,
    TokenPicture,
    Tolerance,
    register,
    select,
    selector_names,
    selectors,
)
from pixtrim.operators.prune.baselines import _spaced
from pixtrim.pruning import Settings, prune

PREDICTORS = ("raster", "serpentine", "pred_2d", "pred_near", "unique")
BUILT_IN = (*PREDICTORS, "conncomp", "random")
SIDE = 8  # pixels of a token in most tests: patches of 4, merged 2 by 2


def grid_of(pixels: np.ndarray) -> PatchGrid:
    return PatchGrid.from_thw((1, pixels.shape[0] // 4, pixels.shape[1] // 4), patch_size=4)


def tiles(labels: list[list[int]], noise: int = 0, seed: int = 0) -> np.ndarray:
    """Lay out a picture from tokens that are equal where their labels are, plus noise."""
    rng = np.random.default_rng(seed)
    palette = np.random.default_rng(99).integers(0, 256, (10, SIDE, SIDE, 3))
    picture = palette[np.array(labels)].swapaxes(1, 2).reshape(len(labels) * SIDE, -1, 3)
    return np.clip(picture + rng.integers(-noise, noise + 1, picture.shape), 0, 255).astype(np.uint8)


@st.composite
def pictures(draw: st.DrawFn, shape: tuple[int, int] | None = None) -> np.ndarray:
    rows, columns = shape or (draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    labels = draw(
        st.lists(st.lists(st.integers(0, 3), min_size=columns, max_size=columns), min_size=rows, max_size=rows)
    )
    return tiles(labels, draw(st.sampled_from([0, 0, 1, 3])), draw(st.integers(0, 9)))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """A picture and a reference: the same with a change, scrolled, of another size, or unrelated."""
    picture = draw(pictures())
    kind = draw(st.integers(0, 3))
    if kind == 0:
        reference = picture.copy()
        reference[: SIDE + 3, :5] = draw(st.integers(0, 255))
    elif kind == 1:
        reference = np.roll(picture, draw(st.integers(-9, 9)), axis=draw(st.integers(0, 1)))
    elif kind == 2:
        reference = np.ascontiguousarray(picture[: max(1, picture.shape[0] // 2)])
    else:
        reference = draw(pictures((picture.shape[0] // SIDE, picture.shape[1] // SIDE)))
    return picture, reference


thresholds = st.sampled_from([0.0, 1.0, 2.5, 6.0, 40.0])


@given(pictures(), st.sampled_from((*PREDICTORS, "conncomp")), st.booleans(), st.sampled_from(["max", "mae", "exact"]))
def test_at_threshold_0_the_picture_comes_back_bit_for_bit(
    pixels: np.ndarray, selector: str, anchored: bool, metric: str
) -> None:
    plan = prune(pixels, grid_of(pixels), selector=selector, anchored=anchored, metric=metric)
    assert np.array_equal(plan.decode(plan.take(pixels)), pixels)
    assert plan.bound == 0.0
    assert plan.key


@given(pictures(), st.sampled_from(PREDICTORS), thresholds)
def test_no_decoded_pixel_is_off_by_more_than_the_threshold(
    pixels: np.ndarray, selector: str, threshold: float
) -> None:
    plan = prune(pixels, grid_of(pixels), threshold=threshold, selector=selector)
    decoded = plan.decode(plan.take(pixels))
    assert plan.bound == threshold
    assert np.abs(decoded.astype(int) - pixels).max() <= threshold


@given(pictures(), st.sampled_from(PREDICTORS), thresholds, st.sampled_from(["mae", "rmse"]))
def test_each_decoded_token_is_within_the_threshold_by_its_metric(
    pixels: np.ndarray, selector: str, threshold: float, metric: str
) -> None:
    plan = prune(pixels, grid_of(pixels), threshold=threshold, selector=selector, metric=metric)
    decoded = plan.decode(plan.take(pixels)).astype(float)
    error = plan.grid.view_tokens(np.abs(decoded - pixels).astype(np.uint8)).astype(float)
    means = error.mean(axis=(2, 3, 4)) if metric == "mae" else np.sqrt((error**2).mean(axis=(2, 3, 4)))
    assert means.max() <= threshold + 1e-9
    assert plan.bound == (0.0 if threshold == 0 else None)


@given(pairs(), st.sampled_from(BUILT_IN), thresholds, st.booleans())
def test_a_reference_never_costs_tokens_and_decodes(
    pair: tuple[np.ndarray, np.ndarray], selector: str, threshold: float, anchored: bool
) -> None:
    pixels, reference = pair
    if not anchored and threshold and selector in ("pred_near", "unique"):
        return
    grid = grid_of(pixels)
    options = {"threshold": threshold, "selector": selector, "anchored": anchored}
    alone = select_plan(pixels, grid, None, options)
    plan = select_plan(pixels, grid, reference, options)
    assert 1 <= plan.kept <= alone.kept
    decoded = plan.decode(plan.take(pixels), reference)
    if plan.bound is not None:
        assert np.abs(decoded.astype(int) - pixels).max() <= plan.bound
    if anchored and selector in PREDICTORS:
        assert plan.bound == threshold


def select_plan(
    pixels: np.ndarray, grid: PatchGrid, reference: np.ndarray | None, options: dict[str, object]
) -> KeepPlan:
    """Plan with a reference of any size, which prune() would fit to the grid first."""
    return Settings(**options).plans(grid, pixels, reference)[1]  # type: ignore[arg-type]


@given(pairs(), st.sampled_from(BUILT_IN), thresholds, st.sampled_from(["max", "mae", "rmse"]))
def test_a_plan_survives_serialisation(
    pair: tuple[np.ndarray, np.ndarray], selector: str, threshold: float, metric: str
) -> None:
    pixels, reference = pair
    plan = select_plan(
        pixels, grid_of(pixels), reference, {"threshold": threshold, "selector": selector, "metric": metric}
    )
    again = KeepPlan.from_bytes(plan.to_bytes())
    assert again == plan
    assert hash(again) == hash(plan)
    assert again.to_bytes() == plan.to_bytes()
    tokens = plan.take(pixels)
    assert np.array_equal(again.decode(tokens, reference), plan.decode(tokens, reference))


@given(pictures())
def test_unique_is_the_bound(pixels: np.ndarray) -> None:
    kept = {name: prune(pixels, grid_of(pixels), selector=name).kept for name in PREDICTORS}
    distinct = len({token.tobytes() for row in grid_of(pixels).view_tokens(pixels) for token in row})
    assert kept["unique"] == distinct
    assert min(kept.values()) == distinct


@given(pictures(), st.floats(0, 1))
def test_components_keep_their_share_and_at_least_one(pixels: np.ndarray, share: float) -> None:
    plan = prune(pixels, grid_of(pixels), selector="conncomp", skip_ratio=share)
    whole = prune(pixels, grid_of(pixels), selector="conncomp", skip_ratio=1.0)
    assert whole.kept <= plan.kept
    assert prune(pixels, grid_of(pixels), selector="conncomp", skip_ratio=0.0).kept == plan.tokens


@pytest.mark.parametrize(("size", "count", "place", "expected"), [(17, 15, 7, 7), (1025, 103, 51, 511), (5, 5, 4, 4)])
def test_components_are_spaced_as_published(size: int, count: int, place: int, expected: int) -> None:
    """Where the middle falls just below a whole number, by torch.linspace(0, size - 1, count)."""
    assert _spaced(size, count)[place] == expected


@given(pictures(), st.integers(0, 5))
def test_random_keeps_as_many_as_pred_2d_and_depends_on_its_seed_alone(pixels: np.ndarray, seed: int) -> None:
    plan = prune(pixels, grid_of(pixels), selector="random", seed=seed)
    assert plan.kept == prune(pixels, grid_of(pixels)).kept
    assert plan == prune(pixels, grid_of(pixels), selector="random", seed=seed)


def test_a_photo_keeps_everything() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 320, 3), np.uint8)
    for selector in PREDICTORS:
        plan = prune(noise, "qwen3-vl", fit="pad", selector=selector)
        assert plan.ratio == 1.0
        assert len(plan.to_bytes()) < 150


def test_one_token_is_left_of_a_picture_that_the_reference_has() -> None:
    picture = tiles([[0, 1], [2, 3]])
    for selector in (*PREDICTORS, "conncomp"):
        plan = prune(picture, grid_of(picture), selector=selector, reference=picture)
        assert plan.kept == 1
        assert np.array_equal(plan.decode(plan.take(picture), picture), picture)


def test_loco_i_takes_the_above_where_the_corner_matches_the_left() -> None:
    picture = tiles([[1, 2, 3], [1, 2, 2], [1, 4, 2]])
    plan = prune(picture, grid_of(picture))
    # (1, 1): the corner equals the left, not the above, so the above is the prediction, and right. (1, 2): so again,
    # and wrong. (2, 2): the corner equals the above, not the left, so the left is the prediction, and wrong.
    assert plan.origins.tolist() == [[0, 0, 0], [2, 2, 0], [2, 0, 0]]
    assert plan.sources.tolist() == [[0, 1, 2], [0, 1, 5], [0, 7, 8]]


@given(pictures())
def test_pred_near_keeps_nothing_that_pred_2d_drops(pixels: np.ndarray) -> None:
    grid = grid_of(pixels)
    assert not (prune(pixels, grid, selector="pred_near").keep & ~prune(pixels, grid).keep).any()


def test_after_a_letter_pred_near_finds_the_background() -> None:
    page = tiles([[0, 0, 0, 0, 0], [0, 1, 0, 2, 0], [0, 0, 3, 0, 0]])
    assert prune(page, grid_of(page), selector="pred_2d").kept == 8
    assert prune(page, grid_of(page), selector="pred_near").kept == 4
    assert prune(page, grid_of(page), selector="unique").kept == 4


def test_anchored_errors_do_not_add_up_where_sliding_ones_do() -> None:
    ramp = np.repeat(np.arange(0, 60, 2, dtype=np.uint8), SIDE)[None, :, None].repeat(SIDE, 0).repeat(3, 2)
    ramp = np.ascontiguousarray(ramp)
    grid = grid_of(ramp)
    sliding = prune(ramp, grid, threshold=2, anchored=False)
    assert (sliding.kept, sliding.bound) == (1, None)
    assert np.abs(sliding.decode(sliding.take(ramp)).astype(int) - ramp).max() == 58
    anchored = prune(ramp, grid, threshold=2)
    assert (anchored.kept, anchored.bound) == (15, 2.0)
    assert np.abs(anchored.decode(anchored.take(ramp)).astype(int) - ramp).max() == 2


@pytest.mark.parametrize(
    ("metric", "threshold", "kept"),
    [
        ("max", 9, 2),
        ("max", 9.99, 2),
        ("max", 10, 1),
        ("mae", 0.624, 2),
        ("mae", 0.625, 1),
        ("rmse", 2.49, 2),
        ("rmse", 2.5, 1),
    ],
)
def test_thresholds_are_in_levels_and_inclusive(metric: str, threshold: float, kept: int) -> None:
    picture = np.full((SIDE, 2 * SIDE, 3), 100, np.uint8)
    picture[0, SIDE : SIDE + 4] = 110  # 12 of the token's 192 values are off by 10: mean 0.625, root mean square 2.5
    assert prune(picture, grid_of(picture), threshold=threshold, metric=metric).kept == kept


def test_grid_indices_are_those_of_the_plan() -> None:
    picture = tiles([[0, 0, 1], [0, 2, 2]])
    plan = prune(picture, grid_of(picture))
    assert plan.indices.tolist() == np.flatnonzero(plan.keep).tolist() == [0, 2, 4]
    assert plan.patch_indices.tolist() == [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19]
    assert (plan.tokens, plan.kept, plan.ratio) == (6, 3, 0.5)


@pytest.mark.parametrize("array", ["sources", "offsets"])
def test_a_plan_cannot_be_changed(array: str) -> None:
    picture = tiles([[0, 1]])
    plan = prune(picture, grid_of(picture), reference=picture)
    with pytest.raises(ValueError, match="read-only"):
        getattr(plan, array)[...] = 5


# --- bad input -----------------------------------------------------------------------------------------------------

BAD_SETTINGS = [
    ({"threshold": -1}, "threshold is -1: give a number of levels from 0 to 255"),
    ({"threshold": 256}, "threshold is 256"),
    ({"threshold": float("nan")}, "threshold is nan"),
    ({"threshold": "2"}, "threshold is '2'"),
    ({"threshold": True}, "threshold is True"),
    ({"threshold": 1, "metric": "exact"}, "metric exact takes none"),
    ({"metric": "ssim"}, "metric is 'ssim': choose one of max, mae, rmse, exact"),
    ({"selector": "best"}, "selector is 'best': choose one of raster, serpentine, pred_2d"),
    ({"selector": "pred_near", "threshold": 2, "anchored": False}, "pred_near has no sliding mode above threshold 0"),
    ({"selector": "conncomp", "skip_ratio": 1.5}, "skip_ratio is 1.5: give a share from 0 to 1"),
    ({"selector": "conncomp", "skip_ratio": float("nan")}, "skip_ratio is nan"),
    ({"selector": "random", "seed": -1}, "seed is -1"),
]


@pytest.mark.parametrize(("options", "message"), BAD_SETTINGS, ids=lambda value: str(value)[:40])
def test_bad_settings_are_refused(options: dict[str, object], message: str) -> None:
    picture = tiles([[0, 1]])
    with pytest.raises(UsageError, match=message.replace("(", r"\(")):
        prune(picture, grid_of(picture), **options)  # type: ignore[arg-type]


def test_tokens_and_references_of_another_picture_are_refused() -> None:
    picture = tiles([[0, 1], [2, 3]])
    reference = picture.copy()
    reference[0, 0] ^= 255
    plan = prune(picture, grid_of(picture), reference=reference)
    assert not plan.key
    tokens = plan.take(picture)
    with pytest.raises(UsageError, match="the plan refers to another picture"):
        plan.decode(tokens)
    with pytest.raises(UsageError, match=r"the reference is uint8 \(8, 16, 3\)"):
        plan.decode(tokens, picture[:8])
    with pytest.raises(UsageError, match="the tokens are uint8"):
        plan.decode(tokens[1:], picture)
    with pytest.raises(UsageError, match="the tokens are float64"):
        plan.decode(tokens.astype(float), picture)
    with pytest.raises(UsageError, match="the picture is uint8"):
        plan.take(picture[:8])


def test_hosted_models_cannot_be_pruned() -> None:
    with pytest.raises(UsageError, match=r"claude-opus-4-7.*qwen3-vl"):
        prune(tiles([[0]]), "claude-opus-4-7")


# --- selectors that users add --------------------------------------------------------------------------------------


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The registry, as it was, after the test."""
    monkeypatch.setattr(selectors, "_REGISTRY", dict(selectors._REGISTRY))
    return None


def flat(picture: TokenPicture) -> np.ndarray:
    return np.arange(picture.count, dtype=np.int32).reshape(picture.shape)


@pytest.mark.usefixtures("registry")
def test_a_user_adds_a_selector() -> None:
    def first_column(picture: TokenPicture) -> np.ndarray:
        return flat(picture)[:, :1].repeat(picture.shape[1], axis=1)

    register("first_column", first_column, summary="the left edge stands for its row")
    assert selector_names()[-1] == "first_column"
    striped = tiles([[0, 0, 0], [1, 1, 1]])
    plan = prune(striped, grid_of(striped), selector="first_column")
    assert (plan.kept, plan.bound) == (2, 0.0)
    assert np.array_equal(plan.decode(plan.take(striped)), striped)
    other = tiles([[0, 1, 0]])
    assert prune(other, grid_of(other), selector="first_column").bound is None  # it is looked at, not believed
    assert KeepPlan.from_bytes(plan.to_bytes()) == plan


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("select_badly", "message"),
    [
        (lambda picture: flat(picture)[:1], r"returned int32 \(1, 2\): int32 \(2, 2\) is needed"),
        (lambda picture: flat(picture) > 0, "returned bool"),
        (lambda picture: flat(picture) - 1, "gave token 0 the source -1"),
        (lambda picture: flat(picture)[::-1], "gave token 0 the source 2"),
        (lambda picture: flat(picture) + 4, "gave token 0 the source 4"),
        (lambda picture: np.full(picture.shape, 9), "gave token 0 the source 9"),
    ],
)
def test_what_is_no_source_is_refused(select_badly: object, message: str) -> None:
    register("bad", select_badly)  # type: ignore[arg-type]
    picture = tiles([[0, 1], [2, 3]])
    with pytest.raises(UsageError, match=message):
        prune(picture, grid_of(picture), selector="bad")


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("name", "modes", "message"),
    [
        ("pred_2d", ("anchored",), "exists"),
        ("Pred", ("anchored",), "lower-case"),
        ("a b", ("anchored",), "lower-case"),
        ("", ("anchored",), "lower-case"),
        ("x" * 33, ("anchored",), "at most 32"),
        ("good", ("floating",), "choose from anchored, sliding"),
        ("good", (), "choose from anchored, sliding"),
    ],
)
def test_bad_registrations_are_refused(name: str, modes: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        register(name, flat, modes=modes)


@given(pictures())
def test_sources_are_roots_and_origins_name_them(pixels: np.ndarray) -> None:
    sources, bounded = select(TokenPicture(pixels, (SIDE, SIDE)), "pred_2d")
    assert bounded
    kept = sources.ravel() == np.arange(sources.size)
    assert kept[sources.ravel()].all()
    plan = prune(pixels, grid_of(pixels))
    assert ((plan.origins == Origin.KEPT) == plan.keep).all()
    for (row, column), origin in np.ndenumerate(plan.origins):
        step = {Origin.LEFT: (0, -1), Origin.ABOVE: (-1, 0), Origin.ABOVE_LEFT: (-1, -1), Origin.ABOVE_RIGHT: (-1, 1)}
        if origin in step:
            dy, dx = step[Origin(origin)]
            assert sources[row, column] == sources[row + dy, column + dx]


@pytest.mark.parametrize(
    ("metric", "values", "limit"), [("max", 10, 2), ("exact", 10, 0), ("mae", 10, 25), ("rmse", 10, 62)]
)
def test_limits_are_counted_exactly(metric: str, values: int, limit: int) -> None:
    assert Tolerance(metric, 0 if metric == "exact" else 2.5).limit(values) == limit  # type: ignore[arg-type]
