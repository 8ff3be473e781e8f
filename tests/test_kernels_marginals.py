"""The marginals of a map: by hand, against exact sums, and the kernel against its definition at every level."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixtrim import _native
from pixtrim.kernels import reference

LEVELS = _native.levels()
ONE = 65536


def both(values: np.ndarray) -> list[Any]:
    return [reference.marginals(values), *(_native.marginals(values, level=level) for level in LEVELS)]


def test_by_hand() -> None:
    values = np.array([[0, 0.25, 1], [0.5, 0.25, 0]], np.float32)
    for column_sums, column_peaks, row_sums, row_peaks in both(values):
        assert (column_sums / ONE).tolist() == [0.5, 0.5, 1]
        assert (column_peaks / ONE).tolist() == [0.5, 0.25, 1]
        assert (row_sums / ONE).tolist() == [1.25, 0.75]
        assert (row_peaks / ONE).tolist() == [1, 0.5]
        assert [a.dtype for a in (column_sums, column_peaks)] == [np.int64, np.int32]


@given(st.integers(0, 70), st.integers(0, 140), st.integers(0, 2**32 - 1))
def test_every_level_is_the_definition(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.random((height, width), np.float32) ** int(rng.integers(1, 9))
    values[rng.random(values.shape) < 0.1] = rng.choice([0, 1, 0.5 / ONE, 1.5 / ONE])
    first, *others = both(values)
    for other in others:
        for one, another in zip(first, other, strict=True):
            np.testing.assert_array_equal(one, another)
            assert one.dtype == another.dtype
    exact = np.float64(values)
    assert np.abs(first[0] / ONE - exact.sum(axis=0)).max(initial=0) <= height / ONE
    assert np.abs(first[2] / ONE - exact.sum(axis=1)).max(initial=0) <= width / ONE


def test_sums_of_long_columns_do_not_overflow() -> None:
    values = np.ones((2 * ONE + 3, 2), np.float32)
    for column_sums, _, _, _ in both(values):
        assert (column_sums == (2 * ONE + 3) * ONE).all()


@pytest.mark.parametrize("wrong", [-1e-7, 1 + 1e-6, float("nan"), float("inf"), -float("inf"), 1e30])
def test_values_outside_are_refused(wrong: float) -> None:
    for size in ((1, 1), (3, 100)):
        values = np.zeros(size, np.float32)
        values[-1, -1] = wrong
        for call in (reference.marginals, *[lambda v, at=at: _native.marginals(v, level=at) for at in LEVELS]):
            with pytest.raises(ValueError, match="values must be from 0 to 1"):
                call(values)


@pytest.mark.parametrize(
    "wrong", [None, [[0.5]], np.zeros((2, 2)), np.zeros(4, np.float32), np.zeros((4, 4), np.float32).T[::2]]
)
def test_other_arrays_are_refused(wrong: Any) -> None:
    for call in (reference.marginals, _native.marginals):
        with pytest.raises(TypeError, match="values must be a C-contiguous float32 array"):
            call(wrong)
