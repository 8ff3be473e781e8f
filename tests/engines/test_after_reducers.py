"""What each second stage chooses: answers worked out by hand, by plain loops, and properties that all share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pixtrim.engines.transformers.after import REDUCERS, DivPrune, Downsample, Encoded, HiPrune, RandomTokens, VisionZip
from pixtrim.engines.transformers.after.stage import budget_of
from pixtrim.errors import UsageError


def made(present: Any, *attention: Any, features: Any = None) -> Encoded:
    """Tokens at the places that `present`, (rows, columns) or (slots, rows, columns), says."""
    mask = np.asarray(present, np.bool_)
    mask = mask.reshape(-1, *mask.shape[-2:])
    chance = torch.randn(int(mask.sum()), 4, generator=torch.Generator().manual_seed(1))
    return Encoded(
        chance if features is None else torch.tensor(features, dtype=torch.float32),
        torch.from_numpy(np.argwhere(mask)),
        mask.shape,  # type: ignore[arg-type]
        tuple(torch.tensor(scores, dtype=torch.float32).ravel() for scores in attention),
    )


def test_an_anchor_at_the_end_of_a_row_has_no_neighbour_at_the_start_of_the_next() -> None:
    middle = [[0, 0, 0, 9], [8, 0, 0, 0], [0, 0, 0, 0]]
    last = [[0, 0, 0, 9], [0, 0, 1, 0], [0, 2, 0, 0]]
    found = HiPrune(5, alpha=1.0).reduce(made(np.ones((3, 4)), middle, last))
    assert found.keep.tolist() == [2, 3, 6, 7, 9]  # the anchor is 3, with 2 and 7 beside it
    middle = [[0, 0, 0, 0], [9, 0, 0, 0], [0, 0, 0, 0]]
    found = HiPrune(5, alpha=1.0).reduce(made(np.ones((3, 4)), middle, last))
    assert found.keep.tolist() == [0, 3, 4, 5, 8]
    assert found.merge is None


def test_buffers_are_the_neighbours_that_were_not_dropped() -> None:
    present = [[1, 0, 1], [1, 1, 1], [1, 0, 1]]
    middle = [0, 0, 0, 9, 0, 0, 0]  # at the centre
    last = [1, 2, 7, 0, 8, 5, 6]
    found = HiPrune(4, alpha=1.0).reduce(made(present, middle, last))
    assert found.keep.tolist() == [2, 3, 4, 6]


def test_neighbours_are_of_the_same_slot() -> None:
    middle, last = np.zeros((2, 2, 2)), np.zeros((2, 2, 2))
    middle[0, 1, 1] = 9
    last[1, 1, 0] = 1
    found = HiPrune(4, alpha=1.0).reduce(made(np.ones((2, 2, 2)), middle, last))
    assert found.keep.tolist() == [1, 2, 3, 6]


def test_anchors_come_before_buffers_where_the_budget_has_no_room_for_all() -> None:
    middle = [[0, 3, 0], [1, 9, 2], [0, 4, 0]]
    found = HiPrune(3, alpha=1.0).reduce(made(np.ones((3, 3)), middle, np.zeros((3, 3))))
    assert found.keep.tolist() == [1, 4, 7]


def test_without_anchors_registers_alone_are_kept() -> None:
    middle, last = np.arange(12.0), np.arange(12.0)[::-1].copy()
    assert HiPrune(0.25, alpha=0.0).reduce(made(np.ones((3, 4)), middle, last)).keep.tolist() == [0, 1, 2]
    assert HiPrune(3).reduce(made(np.ones((3, 4)), middle, last)).keep.tolist() == [0, 1, 2]  # round(3 * .1 / 5) is 0


def test_the_middle_layer_is_a_share_of_the_depth_or_an_index() -> None:
    assert HiPrune(0.5).layers(24) == (12, 23)
    assert HiPrune(0.5, object_layer=0.375).layers(24) == (9, 23)
    assert HiPrune(0.5, object_layer=16).layers(32) == (16, 31)
    assert HiPrune(0.5, object_layer=0).layers(1) == (0, 0)
    with pytest.raises(UsageError, match=r"object_layer is 24: the encoder has 24 layers.*at most 23"):
        HiPrune(0.5, object_layer=24).layers(24)


def test_visionzip_merges_what_is_not_dominant() -> None:
    attention = [5, 0, 1, 0, 9, 0]
    features = [[1, 1], [0.1, 3], [2, 0], [1, 0.1], [4, 4], [0, 1]]
    found = VisionZip(4, contextual=0.5).reduce(made(np.ones((2, 3)), attention, features=features))
    # 0 and 4 are dominant; of 1, 2, 3 and 5, the second and the fourth are taken, which point along the axes.
    assert found.keep.tolist() == [0, 2, 4, 5]
    assert found.merge is not None
    assert found.merge.tolist() == [
        [1, 0, 0, 0, 0, 0],
        [0, 0, 0.5, 0.5, 0, 0],
        [0, 0, 0, 0, 1, 0],
        [0, 0.5, 0, 0, 0, 0.5],
    ]


def test_visionzip_keeps_as_many_where_all_tokens_are_alike() -> None:
    found = VisionZip(5, contextual=0.8).reduce(made(np.ones((2, 5)), np.zeros(10), features=np.ones((10, 3))))
    assert found.keep.tolist() == [0, 2, 4, 6, 8]  # 0 is dominant; 1 to 9 are divided evenly
    assert found.merge is not None
    assert torch.allclose(found.merge.sum(1), torch.ones(5))
    assert (found.merge > 0).any(0).all()


def test_divprune_takes_what_is_unlike_all_before() -> None:
    features = [[1, 0], [2, 0], [0, 3], [-1, 0]]
    assert DivPrune(3).reduce(made(np.ones((2, 2)), features=features)).keep.tolist() == [0, 2, 3]
    alike = made(np.ones((2, 2)), features=np.ones((4, 3)))
    assert len(set(DivPrune(3).reduce(alike).keep.tolist())) == 3


def test_divprune_equals_a_plain_loop() -> None:
    vectors = np.random.default_rng(2).normal(size=(30, 5))
    apart = 1 - (vectors @ vectors.T) / np.outer(*[np.linalg.norm(vectors, axis=1)] * 2)
    nearest = [min(apart[one, other] for other in range(30) if other != one) for one in range(30)]
    chosen = [int(np.argmax(nearest))]
    while len(chosen) < 12:
        rest = [one for one in range(30) if one not in chosen]
        chosen.append(max(rest, key=lambda one: min(apart[one, other] for other in chosen)))
    assert DivPrune(0.4).reduce(made(np.ones((5, 6)), features=vectors)).keep.tolist() == sorted(chosen)


def test_chance_is_the_seed_and_even() -> None:
    encoded = made(np.ones((2, 5)))
    keeps = [RandomTokens(3, seed).reduce(encoded).keep.tolist() for seed in range(400)]
    assert keeps == [RandomTokens(3, seed).reduce(made(np.ones((1, 10)))).keep.tolist() for seed in range(400)]
    counts = np.bincount(np.ravel(keeps), minlength=10)
    assert (abs(counts - 120) < 5 * np.sqrt(400 * 0.3 * 0.7)).all()
    assert len({tuple(keep) for keep in keeps}) > 90  # of 120


def test_means_stand_at_the_middles_of_cells() -> None:
    for budget in (4, 8, 0.25):
        found = Downsample(budget).reduce(made(np.ones((4, 4))))
        assert found.keep.tolist() == [0, 2, 8, 10]
        assert found.merge is not None
        assert found.merge[1].nonzero().ravel().tolist() == [2, 3, 6, 7]
        assert (found.merge[found.merge > 0] == 0.25).all()
    assert Downsample(1).reduce(made(np.ones((3, 3)))).keep.tolist() == [4]


def test_cells_without_tokens_vanish_and_finer_grids_fit() -> None:
    present = [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    found = Downsample(2).reduce(made(present))
    assert found.keep.tolist() == [0, 4]
    assert found.merge is not None
    assert found.merge.tolist() == [[0.25, 0.25, 0.25, 0.25, 0], [0, 0, 0, 0, 1]]


def test_slots_are_kept_apart_while_the_budget_allows() -> None:
    encoded = made(np.ones((3, 2, 2)))
    found = Downsample(3).reduce(encoded)
    assert encoded.places[found.keep, 0].tolist() == [0, 1, 2]
    assert len(Downsample(2).reduce(encoded).keep) == 2
    assert encoded.places[Downsample(1).reduce(encoded).keep, 0].tolist() == [1]


@st.composite
def pictures(draw: st.DrawFn) -> Encoded:
    shape = tuple(draw(st.integers(1, most)) for most in (3, 6, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    present = rng.random(shape) < draw(st.sampled_from([0.2, 0.7, 1.0]))
    present[:, 0, 0] = True
    count = int(present.sum())
    draws = rng.integers(0, 3, (count, 6)) if draw(st.booleans()) else rng.normal(size=(count, 6))  # ties, or none
    return made(present, *draws[:, :2].T, features=draws[:, 2:])


@pytest.mark.parametrize("name", sorted(REDUCERS))
@settings(max_examples=80, deadline=None)
@given(encoded=pictures(), budget=st.one_of(st.integers(1, 120), st.floats(0.001, 1.0)), share=st.floats(0, 1))
def test_all_choose_within_the_budget(name: str, encoded: Encoded, budget: float, share: float) -> None:
    kind: Any = REDUCERS[name]
    own = {HiPrune: {"alpha": share}, VisionZip: {"contextual": share}}.get(kind, {})
    reducer = kind(budget, **own)
    wanted = len(reducer.layers(24))
    encoded = Encoded(encoded.features, encoded.places, encoded.shape, encoded.attention[:wanted])
    found, again = reducer.reduce(encoded), reducer.reduce(encoded)
    keep, tokens = found.keep.tolist(), len(encoded.features)
    assert keep == again.keep.tolist() == sorted(set(keep))
    assert set(keep) <= set(range(tokens))
    limit = budget_of(budget, encoded)
    assert 1 <= len(keep) <= limit
    if name != "downsample":
        assert len(keep) == limit
    if limit == tokens:
        assert keep == list(range(tokens))
        assert found.merge is None
    if found.merge is not None:
        assert found.merge.shape == (len(keep), tokens)
        assert torch.allclose(found.merge.sum(1), torch.ones(len(keep)))
        assert (found.merge >= 0).all()
        assert ((found.merge > 0).sum(0) == 1).all()  # each token goes somewhere, once
        assert (found.merge[range(len(keep)), keep] > 0).all()


@pytest.mark.parametrize("name", sorted(REDUCERS))
@pytest.mark.parametrize("budget", [0, -3, 0.0, -0.1, 1.01, float("nan"), True, "half", None])
def test_bad_budgets_are_refused_at_once(name: str, budget: Any) -> None:
    with pytest.raises(UsageError, match=r"budget is .*: give a share"):
        REDUCERS[name](budget)


@pytest.mark.parametrize(
    ("kind", "named", "message"),
    [
        (HiPrune, {"alpha": 1.5}, "alpha is 1.5: give a share from 0 to 1"),
        (HiPrune, {"alpha": float("nan")}, "alpha is nan"),
        (HiPrune, {"object_layer": 1.0}, "object_layer is 1.0: give a share of the depth"),
        (HiPrune, {"object_layer": -1}, "object_layer is -1"),
        (HiPrune, {"object_layer": True}, "object_layer is True"),
        (VisionZip, {"contextual": -0.1}, "contextual is -0.1"),
        (VisionZip, {"contextual": "half"}, "contextual is 'half'"),
        (RandomTokens, {"seed": -1}, "seed is -1: give a whole number"),
        (RandomTokens, {"seed": 0.5}, "seed is 0.5"),
    ],
)
def test_bad_settings_are_refused_at_once(kind: Any, named: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        kind(0.5, **named)
