"""The kernel `gather`: in NumPy, and in C++ at each vector level."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixtrim import kernels
from pixtrim.kernels import reference

GATHER: dict[str, Any] = {"reference": reference.gather}
if kernels.BACKEND == "native":
    from pixtrim import _native

    GATHER |= {level: partial(_native.gather, level=level) for level in _native.levels()}

every_gather = pytest.mark.parametrize("gather", [pytest.param(it, id=name) for name, it in GATHER.items()])


def indices(*values: int) -> NDArray[np.int32]:
    return np.array(values, np.int32)


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@every_gather
def test_a_picture_by_hand(gather: Any) -> None:
    pixels = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    out = np.full((4, 5, 3), 99, np.uint8)
    assert gather(pixels, indices(0, 2), indices(0, 2, 3), out, 1, 2) is None
    assert out[1:3, 2:].tolist() == [
        [[0, 1, 2], [6, 7, 8], [9, 10, 11]],
        [[24, 25, 26], [30, 31, 32], [33, 34, 35]],
    ]
    out[1:3, 2:] = 99
    assert (out == 99).all()


@every_gather
@given(data=st.data(), height=st.integers(0, 12), width=st.integers(0, 90), threads=st.sampled_from([1, 2, 5]))
def test_it_is_numpys_indexing(gather: Any, data: st.DataObject, height: int, width: int, threads: int) -> None:
    pixels = noise(height, width)
    seed, share = data.draw(st.integers(0, 1000)), data.draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
    rng = np.random.default_rng(seed)
    rows, columns = (np.flatnonzero(rng.random(n) < share).astype(np.int32) for n in (height, width))
    top, left, bottom, right = (data.draw(st.integers(0, 3)) for _ in range(4))
    out = np.full((top + len(rows) + bottom, left + len(columns) + right, 3), 7, np.uint8)
    expected = out.copy()
    expected[top : top + len(rows), left : left + len(columns)] = pixels[rows][:, columns]
    gather(pixels, rows, columns, out, top, left, threads)
    np.testing.assert_array_equal(out, expected)


@every_gather
@pytest.mark.parametrize("length", [*range(1, 25), 42, 43, 44, 340, 341, 342, 343, 700])
def test_runs_of_every_length_write_nothing_else(gather: Any, length: int) -> None:
    pixels = noise(2, length + 2, seed=length)
    out = np.zeros((4, length + 2, 3), np.uint8)
    gather(pixels, indices(0, 1), np.arange(1, length + 1, dtype=np.int32), out, 1, 1)
    np.testing.assert_array_equal(out[1:3, 1:-1], pixels[:, 1:-1])
    out[1:3, 1:-1] = 0
    assert not out.any()


@every_gather
def test_the_picture_may_be_read_only_and_stays_as_it_is(gather: Any) -> None:
    pixels = noise(5, 9)
    before = pixels.copy()
    pixels.flags.writeable = False
    out = np.zeros_like(pixels)
    gather(pixels, np.arange(5, dtype=np.int32), np.arange(9, dtype=np.int32), out, 0, 0)
    np.testing.assert_array_equal(pixels, before)
    np.testing.assert_array_equal(out, before)


@every_gather
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rows": indices(0, 4)}, "rows must rise and be from 0 to 3, got 4 after 0"),
        ({"rows": indices(-1, 2)}, "rows must rise and be from 0 to 3, got -1$"),
        ({"rows": indices(1, 1)}, "rows must rise and be from 0 to 3, got 1 after 1"),
        ({"columns": indices(0, 3, 2)}, "columns must rise and be from 0 to 5, got 2 after 3"),
        ({"columns": indices(2**31 - 1)}, "columns must rise and be from 0 to 5, got 2147483647"),
        ({"y": -1}, "2 rows from y = -1 on do not fit into the 4 of out"),
        ({"y": 3}, "2 rows from y = 3 on do not fit into the 4 of out"),
        ({"x": 5}, "2 columns from x = 5 on do not fit into the 6 of out"),
        ({"x": 2**62}, "do not fit into the 6 of out"),
        ({"out": np.zeros((1, 6, 3), np.uint8)}, "2 rows from y = 0 on do not fit into the 1 of out"),
        ({"threads": 0}, "threads must be from 1 to 256, got 0"),
        ({"threads": 257}, "threads must be from 1 to 256, got 257"),
    ],
)
def test_values_out_of_range_are_refused(gather: Any, changed: dict[str, Any], message: str) -> None:
    out = np.full((4, 6, 3), 7, np.uint8)
    good = {"rows": indices(0, 1), "columns": indices(0, 5), "out": out, "y": 0, "x": 0, "threads": 1}
    with pytest.raises(ValueError, match=message):
        gather(noise(4, 6), **{**good, **changed})
    assert (out == 7).all()


def read_only() -> NDArray[np.uint8]:
    array = np.zeros((4, 6, 3), np.uint8)
    array.flags.writeable = False
    return array


@every_gather
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pixels": np.zeros((4, 6, 4), np.uint8)}, r"pixels must be .* shape \(H, W, 3\), got .*\(4, 6, 4\)"),
        ({"pixels": np.zeros((4, 12, 3), np.uint8)[:, ::2]}, "pixels must be a C-contiguous"),
        ({"pixels": None}, "got NoneType"),
        ({"rows": np.array([0, 1])}, "rows must be a C-contiguous int32 array .*, got ndarray int64"),
        ({"rows": [0, 1]}, "rows must be a C-contiguous int32 array .*, got list"),
        ({"columns": np.zeros((1, 1), np.int32)}, r"columns must be .*, got ndarray int32 \(1, 1\)"),
        ({"columns": np.arange(4, dtype=np.int32)[::2]}, "columns must be a C-contiguous"),
        ({"out": np.zeros((4, 6, 3), np.int8)}, "out must be a writable C-contiguous uint8 .*, got ndarray int8"),
        ({"out": np.zeros((4, 6, 6), np.uint8)[..., ::2]}, "out must be a writable C-contiguous"),
        ({"out": read_only()}, "out must be a writable"),
        ({"y": 0.5}, None),
        ({"x": "0"}, None),
        ({"threads": None}, None),
    ],
)
def test_other_types_are_refused(gather: Any, changed: dict[str, Any], message: str) -> None:
    good = {"rows": indices(0, 1), "columns": indices(0, 5), "out": np.zeros((4, 6, 3), np.uint8), "y": 0, "x": 0}
    with pytest.raises(TypeError, match=message):
        gather(**{"pixels": noise(4, 6), **good, **changed})


@every_gather
def test_shared_memory_is_refused(gather: Any) -> None:
    pixels = noise(4, 6)
    with pytest.raises(ValueError, match="out must not share memory with pixels"):
        gather(pixels, indices(0), indices(0), pixels, 0, 0)
    with pytest.raises(ValueError, match="out must not share memory with pixels"):
        gather(pixels[:3], indices(0), indices(0), pixels[2:], 0, 0)
    gather(pixels[:2], indices(1), indices(5), pixels[2:], 0, 0)
    assert pixels[2, 0].tolist() == pixels[1, 5].tolist()
