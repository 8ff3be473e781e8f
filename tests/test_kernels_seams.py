"""The kernels of seam carving: in NumPy, and in C++ at each vector level."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pixtrim import kernels
from pixtrim.kernels import reference

NAMES = ("luma", "find_seams", "drop_seams", "transpose")
ENERGIES = GRADIENT, FORWARD, IMPORTANCE = 0, 1, 2
NOT_LIMITED = 2**31 - 1

BACKENDS: dict[str, dict[str, Any]] = {"reference": {name: getattr(reference, name) for name in NAMES}}
if kernels.BACKEND == "native":
    from pixtrim import _native

    for level in _native.levels():
        BACKENDS[level] = {name: partial(getattr(_native, name), level=level) for name in NAMES}

every_backend = pytest.mark.parametrize("kernel", [pytest.param(it, id=name) for name, it in BACKENDS.items()])
LEVELS = [name for name in BACKENDS if name != "reference"]

Bytes = NDArray[np.uint8]


def noise(height: int, width: int, seed: int = 0, below: int = 256) -> Bytes:
    return np.random.default_rng(seed).integers(0, below, (height, width), np.uint8)


def places(order: NDArray[np.uint16], count: int) -> NDArray[np.intp]:
    """The columns (count, H) of the seams, each as it was when the seams before it had left."""
    found = np.empty((count, len(order)), np.intp)
    for k in range(1, count + 1):
        rows, columns = np.nonzero(order == k)
        assert rows.tolist() == list(range(len(order))), f"seam {k} has a pixel in every row"
        gone = (order > 0) & (order < k)
        found[k - 1] = columns - np.cumsum(gone, axis=1)[rows, columns]
    return found


def cost(luma: Bytes, bias: Bytes, energy: int, seam: tuple[int, ...]) -> int | None:
    """The energy of a seam by its definition, in the integers of Python; None where it takes a protected pixel."""
    height, width = luma.shape
    value = luma.tolist()

    def at(y: int, x: int) -> int:
        return int(value[min(max(y, 0), height - 1)][min(max(x, 0), width - 1)])

    total = 0
    for y, x in enumerate(seam):
        if bias[y, x] == 255:
            return None
        own = int(bias[y, x])
        if energy != IMPORTANCE:
            own += abs(at(y, x + 1) - at(y, x - 1))
        if energy == GRADIENT:
            own += abs(at(y + 1, x) - at(y - 1, x))
        total += min(own, 254)
        if energy == FORWARD and y and seam[y - 1] != x:
            total += abs(at(y - 1, x) - at(y, x + seam[y - 1] - x))
    return total


def all_seams(height: int, width: int) -> list[tuple[int, ...]]:
    return [
        seam
        for seam in itertools.product(range(width), repeat=height)
        if all(abs(a - b) <= 1 for a, b in itertools.pairwise(seam))
    ]


def test_both_are_there() -> None:
    assert all(callable(getattr(kernels, name)) for name in NAMES)


@every_backend
def test_luma_by_hand(kernel: Any) -> None:
    pixels = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [1, 2, 3]]], np.uint8)
    assert kernel["luma"](pixels).tolist() == [[0, 255, 77, 149, 29, 2]]
    assert kernel["luma"](np.empty((0, 4, 3), np.uint8)).shape == (0, 4)


@every_backend
def test_a_seam_by_hand(kernel: Any) -> None:
    bias = np.array([[5, 1, 5, 5, 2], [5, 5, 1, 5, 2], [5, 1, 5, 5, 2], [1, 5, 5, 5, 2]], np.uint8)
    order, count = kernel["find_seams"](None, bias, IMPORTANCE, 2)
    assert count == 2
    assert order.dtype == np.uint16
    assert order.tolist() == [[0, 1, 0, 0, 2], [0, 0, 1, 0, 2], [0, 1, 0, 0, 2], [1, 0, 0, 0, 2]]


@every_backend
def test_forward_energy_counts_only_edges_that_would_come_about(kernel: Any) -> None:
    luma = np.full((4, 9), 9, np.uint8)
    luma[:, :4] = (
        60 * np.arange(4)[:, None]
    )  # rows of one grey each: steep downwards, yet nothing shows if a column leaves
    for energy, expected in ((FORWARD, 0), (GRADIENT, 5)):
        order, _ = kernel["find_seams"](luma, None, energy, 1)
        assert np.nonzero(order)[1].tolist() == [expected] * 4


@every_backend
@pytest.mark.parametrize("energy", ENERGIES)
def test_of_equal_seams_the_leftmost_leaves(kernel: Any, energy: int) -> None:
    flat = np.full((7, 40), 9, np.uint8)
    order, count = kernel["find_seams"](flat, flat, energy, 39)
    assert count == 39
    assert (order == order[0]).all() or energy != IMPORTANCE
    assert (order[-1] == [*range(1, 40), 0]).all()


@every_backend
@pytest.mark.parametrize("energy", ENERGIES)
@pytest.mark.parametrize(("height", "width"), [(1, 6), (2, 5), (4, 4), (5, 3), (6, 2)])
def test_no_seam_costs_less_than_the_first(kernel: Any, energy: int, height: int, width: int) -> None:
    seams = all_seams(height, width)
    for seed in range(6):
        luma, bias = noise(height, width, seed), noise(height, width, seed + 50, 120)
        bias[np.random.default_rng(seed).random(bias.shape) < 0.15] = 255
        costs = {seam: total for seam in seams if (total := cost(luma, bias, energy, seam)) is not None}
        order, count = kernel["find_seams"](luma, bias, energy, 1)
        assert count == bool(costs)
        if costs:
            assert costs[tuple(places(order, 1)[0].tolist())] == min(costs.values())


@every_backend
@pytest.mark.parametrize("energy", ENERGIES)
@pytest.mark.parametrize("seams_per_pass", [1, 2, 3, 4])
def test_seams_are_connected_when_they_leave(kernel: Any, energy: int, seams_per_pass: int) -> None:
    luma, bias = noise(70, 45, energy), noise(70, 45, 9, 100)
    order, count = kernel["find_seams"](luma, bias, energy, 30, seams_per_pass)
    assert count == 30
    found = places(order, count)
    assert (abs(np.diff(found, axis=1)) <= 1).all()
    assert (found >= 0).all()
    assert all((found[k] < 45 - k).all() for k in range(30))


@every_backend
@pytest.mark.parametrize("energy", ENERGIES)
def test_fewer_seams_are_the_first_of_more(kernel: Any, energy: int) -> None:
    luma, bias = noise(33, 70, 3), noise(33, 70, 4, 50)
    order, _ = kernel["find_seams"](luma, bias, energy, 40)
    for fewer in (0, 1, 17):
        first, count = kernel["find_seams"](luma, bias, energy, fewer)
        assert count == fewer
        assert (first == np.where(order <= fewer, order, 0)).all()


@every_backend
@pytest.mark.parametrize("energy", ENERGIES)
@pytest.mark.parametrize("seams_per_pass", [1, 4])
def test_protected_pixels_stay_and_the_search_stops_before_them(kernel: Any, energy: int, seams_per_pass: int) -> None:
    luma, bias = noise(300, 40, 5), np.full((300, 40), 254, np.uint8)
    bias[100:220, 10:25] = 255
    order, count = kernel["find_seams"](luma, bias, energy, 39, seams_per_pass)
    assert (order[100:220, 10:25] == 0).all()
    assert count == 25, "all but the 15 protected pixels of a row can leave"
    bias[150] = 255
    order, count = kernel["find_seams"](luma, bias, energy, 39, seams_per_pass)
    assert (count, order.any()) == (0, False)


@every_backend
@pytest.mark.parametrize("energy", ENERGIES)
def test_it_stops_at_the_limit(kernel: Any, energy: int) -> None:
    luma, bias = noise(20, 30, 6), noise(20, 30, 7, 60)
    order, _ = kernel["find_seams"](luma, bias, energy, 20)
    costs, left = [], np.ones(luma.shape, np.bool_)
    for k, seam in enumerate(places(order, 20), 1):
        now = [plane[left].reshape(20, -1) for plane in (luma, bias)]
        costs.append(cost(now[0], now[1], energy, tuple(seam.tolist())) or 0)
        left &= order != k
    for limit in (0, costs[0] - 1, costs[0], sorted(costs)[10], max(costs)):
        stopped, count = kernel["find_seams"](luma, bias, energy, 20, 1, limit)
        assert count == next((k for k, total in enumerate(costs) if total > limit), 20)
        assert (stopped == np.where(order <= count, order, 0)).all()


@every_backend
def test_several_seams_of_a_pass_share_no_pixel_and_keep_the_limit(kernel: Any) -> None:
    bias = np.full((5, 12), 100, np.uint8)
    bias[:, [3, 4, 5, 8]] = 1
    order, count = kernel["find_seams"](None, bias, IMPORTANCE, 11, 4, 5)
    assert count == 4
    assert np.flatnonzero(order[0]).tolist() == np.flatnonzero(order[-1]).tolist() == [3, 4, 5, 8]


@every_backend
def test_far_worse_paths_count_as_equally_bad(kernel: Any) -> None:
    for height, expected in ((91, 2), (391, 0)):
        bias = np.full((height, 5), 255, np.uint8)
        bias[:, 0], bias[:, 2], bias[:-1, 4] = 254, 250, 0  # the best way ends one row too early
        bias[-1, [0, 2]] = 100
        order, _ = kernel["find_seams"](None, bias, IMPORTANCE, 1)
        assert np.nonzero(order)[1].tolist() == [expected] * height


@every_backend
@pytest.mark.parametrize("axis", [0, 1])
def test_dropping_by_hand(kernel: Any, axis: int) -> None:
    order = np.array([[0, 1, 0, 2], [1, 0, 0, 2], [2, 1, 0, 0]], np.uint16)
    plane = np.arange(12, dtype=np.uint8).reshape(3, 4)
    expected = np.array([[0, 2, 3], [5, 6, 7], [8, 10, 11]])
    pixels = np.stack([plane, plane + 50, plane + 100], axis=2)
    turned = [np.ascontiguousarray(v.swapaxes(0, 1)) for v in (plane, pixels, plane.astype(np.uint32) * 99999)]
    given: list[Any] = [plane, pixels, plane.astype(np.uint32) * 99999] if axis else turned
    found = [kernel["drop_seams"](values, order, 1, axis) for values in given]
    found = found if axis else [v.swapaxes(0, 1) for v in found]
    assert found[0].tolist() == expected.tolist()
    assert found[1].tolist() == np.stack([expected, expected + 50, expected + 100], axis=2).tolist()
    assert found[2].tolist() == (expected * 99999).tolist()
    assert kernel["drop_seams"](given[0], order, 0, axis).tolist() == given[0].tolist()
    with pytest.raises(ValueError, match="must lose equally many pixels, got one that keeps 1 and one of 2"):
        kernel["drop_seams"](given[0], np.where(plane == 2, np.uint16(1), order), 2, axis)


@every_backend
@pytest.mark.parametrize("shape", [(1, 1), (1, 70), (70, 1), (64, 64), (65, 130), (0, 5), (5, 0), (31, 257)])
def test_transposing(kernel: Any, shape: tuple[int, int]) -> None:
    plane = noise(*shape)
    turned = kernel["transpose"](plane)
    assert turned.flags.c_contiguous
    np.testing.assert_array_equal(turned, plane.T)


# Every level is the reference


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("energy", ENERGIES)
@settings(max_examples=25)
@given(
    height=st.one_of(st.integers(1, 5), st.integers(1, 70)),
    width=st.one_of(st.integers(1, 5), st.integers(28, 36), st.integers(60, 68), st.integers(1, 140)),
    seed=st.integers(0, 10**6),
    below=st.sampled_from([2, 20, 256]),
    shape=st.sampled_from(["noise", "none", "protected", "blobs"]),
    seams_per_pass=st.integers(1, 4),
    share=st.sampled_from([0.1, 0.5, 1]),
    limit=st.sampled_from([NOT_LIMITED, NOT_LIMITED, 2000]),
)
def test_every_level_finds_the_seams_of_the_reference(
    level: str,
    energy: int,
    height: int,
    width: int,
    seed: int,
    below: int,
    shape: str,
    seams_per_pass: int,
    share: float,
    limit: int,
) -> None:
    luma = noise(height, width, seed, below)
    bias: Bytes | None = noise(height, width, seed + 1, 256 if shape == "noise" else below)
    if shape == "none" and energy != IMPORTANCE:
        bias = None
    elif shape == "blobs" and bias is not None:
        bias[height // 3 : 2 * height // 3, width // 4 : width // 2] = 255
    elif shape == "protected" and bias is not None:
        bias[np.random.default_rng(seed).random(bias.shape) < 0.05] = 255
    seams = min(int(share * (width - 1)), 40)
    arguments = (luma, bias, energy, seams, seams_per_pass, limit)
    order, count = BACKENDS[level]["find_seams"](*arguments)
    expected, expected_count = reference.find_seams(*arguments)
    assert count == expected_count
    np.testing.assert_array_equal(order, expected)
    wide = np.arange(height * width, dtype=np.uint32).reshape(height, width)
    for values in (luma, wide, np.dstack([luma, luma, wide.astype(np.uint8)])):
        found = BACKENDS[level]["drop_seams"](values, order, count // 2)
        np.testing.assert_array_equal(found, reference.drop_seams(values, order, count // 2))
        turned = np.ascontiguousarray(values.swapaxes(0, 1))
        np.testing.assert_array_equal(BACKENDS[level]["drop_seams"](turned, order, count // 2, 0), found.swapaxes(0, 1))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("energy", ENERGIES)
@pytest.mark.parametrize("name", ["kodak/*.png", "ecssd/*.jpg"])
def test_every_level_is_the_reference_on_real_pictures(shared_data: Path, level: str, energy: int, name: str) -> None:
    with Image.open(sorted((shared_data / "photos").glob(name))[0]) as picture:
        pixels = np.asarray(picture.convert("RGB").resize((180, 130)))
    luma = BACKENDS[level]["luma"](pixels)
    np.testing.assert_array_equal(luma, reference.luma(pixels))
    bias = np.hypot(*np.mgrid[-65:65, -90:90]).astype(np.uint8)
    for seams_per_pass in (1, 3):
        arguments = (luma, bias, energy, 25, seams_per_pass)
        order, count = BACKENDS[level]["find_seams"](*arguments)
        expected, expected_count = reference.find_seams(*arguments)
        assert count == expected_count == 25
        np.testing.assert_array_equal(order, expected)


# Refusals


@every_backend
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((None, None, 0, 1), TypeError, r"luma must be a C-contiguous uint8 array of shape \(H, W\), got NoneType"),
        ((noise(4, 4), None, 2, 1), TypeError, "bias must be a C-contiguous uint8"),
        ((noise(4, 8)[:, ::2], None, 0, 1), TypeError, "luma must be a C-contiguous uint8"),
        ((noise(4, 4).astype(int), None, 0, 1), TypeError, r"got ndarray int64 \(4, 4\)"),
        ((noise(4, 4), noise(4, 5), 0, 1), ValueError, r"bias must have the shape of luma, \(4, 4\), got \(4, 5\)"),
        ((noise(4, 4), None, 3, 1), ValueError, "energy must be from 0 to 2, got 3"),
        ((noise(4, 4), None, 0, 4), ValueError, "seams must be from 0 to 3, got 4"),
        ((noise(4, 4), None, 0, -1), ValueError, "seams must be from 0 to 3, got -1"),
        ((noise(4, 4), None, 0, 1, 5), ValueError, "seams_per_pass must be from 1 to 4, got 5"),
        ((noise(4, 4), None, 0, 1, 1, -1), ValueError, "limit must be from 0 to 2147483647, got -1"),
        ((noise(0, 4), None, 0, 0), ValueError, "the height must be from 1 to 65535, got 0"),
        ((noise(4, 0), None, 0, 0), ValueError, "the width must be from 1 to 65535, got 0"),
        ((np.zeros((1, 65536), np.uint8), None, 0, 0), ValueError, "the width must be from 1 to 65535, got 65536"),
    ],
)
def test_bad_searches_are_refused(kernel: Any, arguments: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        kernel["find_seams"](*arguments)


@every_backend
def test_other_bad_arguments_are_refused(kernel: Any) -> None:
    order = np.zeros((3, 4), np.uint16)
    with pytest.raises(ValueError, match=r"order must have the shape \(3, 5\), got \(3, 4\)"):
        kernel["drop_seams"](noise(3, 5), order, 0)
    with pytest.raises(ValueError, match=r"order must have the shape \(4, 3\), got \(3, 4\)"):
        kernel["drop_seams"](noise(3, 4), order, 0, 0)
    with pytest.raises(ValueError, match="axis must be from 0 to 1, got 2"):
        kernel["drop_seams"](noise(3, 4), order, 0, 2)
    with pytest.raises(ValueError, match="seams must be from 0 to 65535, got 65536"):
        kernel["drop_seams"](noise(3, 4), order, 65536)
    with pytest.raises(TypeError, match="order must be a C-contiguous uint16"):
        kernel["drop_seams"](noise(3, 4), order.astype(np.int32), 0)
    for values in (noise(3, 8)[:, ::2], noise(3, 4).astype(np.int64), np.zeros((3, 4, 2), np.uint8), None):
        with pytest.raises(TypeError, match="values must be"):
            kernel["drop_seams"](values, order, 0)
    for name in ("luma", "transpose"):
        with pytest.raises(TypeError, match="C-contiguous uint8"):
            kernel[name](np.zeros((3, 3), np.float32))
    with pytest.raises(ValueError, match="threads must be from 1 to 256, got 0"):
        kernel["luma"](np.zeros((3, 3, 3), np.uint8), 0)
