"""The kernels `match_blocks` and `predict`: in NumPy, and in C++ at each vector level."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pixtrim import kernels
from pixtrim.kernels import reference

NATIVE: dict[str, Any] = {}
if kernels.BACKEND == "native":
    from pixtrim import _native

    for _level in _native.levels():
        functions = {name: partial(getattr(_native, name), level=_level) for name in ("match_blocks", "predict")}
        NATIVE[_level] = SimpleNamespace(**functions)

every_implementation = pytest.mark.parametrize(
    "implementation", [pytest.param(it, id=name) for name, it in {"reference": reference, **NATIVE}.items()]
)

RASTER, SERPENTINE, PRED_2D, PRED_NEAR, UNIQUE = SELECTORS = range(5)
LARGEST, SUM, SQUARES = METRICS = range(3)


def levels(*rows: list[int]) -> NDArray[np.uint8]:
    """A picture of tokens of one pixel each."""
    return np.repeat(np.array(rows, np.uint8)[..., None], 3, axis=2)


def places(*pairs: tuple[int, int]) -> NDArray[np.int32]:
    return np.array(pairs, np.int32).reshape(-1, 2)


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def few_tokens(seed: int, rows: int, columns: int, token: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture of few different tokens, some of which are off by a little somewhere."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, rng.choice([2, 4, 256]), (rng.integers(1, 5), *token, 3))
    tokens = kinds[rng.integers(0, len(kinds), (rows, columns))]
    off = rng.integers(0, 3, tokens.shape) * (rng.random(tokens.shape) < rng.choice([0, 0.001, 0.5]))
    whole = np.clip(tokens + off, 0, 255).swapaxes(1, 2).reshape(rows * token[0], columns * token[1], 3)
    return np.ascontiguousarray(whole, np.uint8)


def blocks_of(pixels: NDArray[np.uint8], token_h: int, token_w: int) -> NDArray[np.uint8]:
    rows, columns = pixels.shape[0] // token_h, pixels.shape[1] // token_w
    tokens = pixels.reshape(rows, token_h, columns, token_w, 3).swapaxes(1, 2)
    return tokens.reshape(rows * columns, token_h, token_w, 3)


def measures(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> tuple[int, int, int]:
    differences = np.abs(a.astype(int) - b)
    return int(differences.max()), int(differences.sum()), int((differences**2).sum())


@every_implementation
def test_blocks_match_up_to_the_limit_and_no_further(implementation: Any) -> None:
    a, b = noise(9, 50, 1), noise(12, 61, 2)
    for height, width in ((1, 1), (9, 50), (2, 10), (3, 11), (7, 5), (4, 21), (4, 22), (8, 43)):
        here, there = (9 - height, 50 - width), (12 - height, 0)
        block = a[here[0] : here[0] + height, here[1] : here[1] + width]
        other = b[there[0] : there[0] + height, there[1] : there[1] + width]
        for metric, measure in enumerate(measures(block, other)):
            for limit in (measure - 1, measure, 2**62):
                found = implementation.match_blocks(a, places(here), b, places(there), height, width, metric, limit)
                assert found.tolist() == [limit >= measure]
                assert found.dtype == np.bool_


@every_implementation
@pytest.mark.parametrize("token", [(1, 1), (1, 10), (1, 11), (2, 32), (28, 28), (32, 32), (3, 43), (5, 1024)])
def test_one_byte_anywhere_makes_a_difference(implementation: Any, token: tuple[int, int]) -> None:
    height, width = token
    pixels = noise(height, width, 3)
    at = np.zeros((1, 2), np.int32)
    for byte in range(0, 3 * height * width, 1 if height * width < 200 else 97):
        other = pixels.copy()
        other.reshape(-1)[byte] ^= 4
        for metric, within in enumerate((4, 4, 16)):
            answers = [
                implementation.match_blocks(pixels, at, other, at, height, width, metric, limit)[0]
                for limit in (0, within - 1, within)
            ]
            assert answers == [False, False, True]


@every_implementation
@pytest.mark.parametrize("side", [512, 1024])
def test_the_largest_sums_do_not_overflow(implementation: Any, side: int) -> None:
    black, white, at = np.zeros((side, side, 3), np.uint8), np.full((side, side, 3), 255, np.uint8), places((0, 0))
    for metric, most in ((SUM, 255 * black.size), (SQUARES, 255**2 * black.size)):
        for limit in (most - 1, most):
            found = implementation.match_blocks(black, at, white, at, side, side, metric, limit)
            assert found.tolist() == [limit == most]
            sources = implementation.predict(np.vstack([black, white]), side, side, UNIQUE, metric, limit)
            assert sources.ravel().tolist() == [0, 0 if limit == most else 1]


@every_implementation
@pytest.mark.parametrize("threads", [1, 2, 3, 7, 256])
def test_the_number_of_threads_changes_nothing(implementation: Any, threads: int) -> None:
    pixels = few_tokens(4, 6, 7, (3, 5))
    rng = np.random.default_rng(5)
    here, there = (np.ascontiguousarray(rng.integers(0, (6, 7), (50, 2)) * (3, 5), np.int32) for _ in range(2))
    pairs = zip(here.tolist(), there.tolist(), strict=True)
    expected = [bool((pixels[y : y + 3, x : x + 5] == pixels[v : v + 3, u : u + 5]).all()) for (y, x), (v, u) in pairs]
    found = implementation.match_blocks(pixels, here, pixels, there, 3, 5, LARGEST, 0, threads)
    assert found.tolist() == expected
    assert 0 < sum(expected) < 50
    assert implementation.match_blocks(pixels, here[:0], pixels, there[:0], 3, 5, LARGEST, 0, threads).shape == (0,)


@every_implementation
@pytest.mark.parametrize(
    ("selector", "rows", "expected"),
    [
        (RASTER, [[1, 2], [2, 3]], [[0, 1], [1, 3]]),  # rows run on
        (RASTER, [[1, 2], [1, 2]], [[0, 1], [2, 3]]),
        (SERPENTINE, [[1, 2], [2, 3]], [[0, 1], [2, 3]]),
        (SERPENTINE, [[1, 2], [1, 2], [1, 2]], [[0, 1], [2, 1], [2, 5]]),
        (PRED_2D, [[0, 7], [0, 7]], [[0, 1], [0, 1]]),  # an upright edge
        (PRED_2D, [[0, 0], [7, 7]], [[0, 0], [2, 2]]),
        (PRED_2D, [[0, 7], [7, 7]], [[0, 1], [2, 2]]),
        (PRED_2D, [[0, 0, 5], [0, 0, 0]], [[0, 0, 2], [0, 0, 5]]),
        (PRED_2D, [[0, 0, 5, 0, 0]], [[0, 0, 2, 3, 3]]),
        (PRED_2D, [[0], [0], [5], [5]], [[0], [0], [2], [2]]),
        (PRED_NEAR, [[0, 0, 5, 0, 0]], [[0, 0, 2, 0, 0]]),  # back to the ground
        (PRED_NEAR, [[0, 5, 0, 0]], [[0, 1, 0, 0]]),
        (PRED_NEAR, [[0, 0, 5], [0, 0, 0]], [[0, 0, 2], [0, 0, 0]]),  # the left, though the edge says above
        (PRED_NEAR, [[0, 0, 5, 7, 5, 5]], [[0, 0, 2, 3, 4, 4]]),  # neither a neighbour nor the ground
        (PRED_NEAR, [[1, 1, 9, 2, 2], [8, 6, 2, 3, 3]], [[0, 0, 2, 3, 3], [5, 6, 3, 8, 8]]),  # above on the right
        (
            PRED_NEAR,
            [[7, 1, 9, 2], [8, 6, 1, 3], [4, 8, 6, 6]],
            [[0, 1, 2, 3], [4, 5, 1, 7], [8, 4, 5, 5]],
        ),  # on the left
        (PRED_NEAR, [[1, 1, 2, 2, 9, 1]], [[0, 0, 2, 2, 4, 0]]),  # as frequent, but later
        (PRED_NEAR, [[1, 1, 2, 2, 9, 2]], [[0, 0, 2, 2, 4, 5]]),
        (PRED_NEAR, [[1, 1, 2, 2, 2, 9, 2]], [[0, 0, 2, 2, 2, 5, 2]]),
        (UNIQUE, [[1, 2], [2, 1]], [[0, 1], [1, 0]]),
    ],
)
def test_predictions_by_hand(
    implementation: Any, selector: int, rows: list[list[int]], expected: list[list[int]]
) -> None:
    for metric in METRICS:
        sources = implementation.predict(levels(*rows), 1, 1, selector, metric, 0)
        assert sources.tolist() == expected
        assert sources.dtype == np.int32


@every_implementation
@pytest.mark.parametrize(
    ("selector", "row", "expected"),
    [
        (RASTER, [0, 2, 4, 5, 2], [0, 0, 2, 2, 2]),  # compared with what stands for the one before
        (PRED_2D, [0, 2, 4, 5, 2], [0, 0, 2, 2, 2]),
        (UNIQUE, [0, 2, 4, 3, 2, 1, 9], [0, 0, 2, 2, 0, 0, 6]),  # the first that is near enough, not the nearest
        (PRED_NEAR, [3, 3, 9, 4, 6], [0, 0, 2, 0, 4]),
    ],
)
def test_predictions_with_a_limit_by_hand(
    implementation: Any, selector: int, row: list[int], expected: list[int]
) -> None:
    for metric, limit in ((LARGEST, 2), (SUM, 6), (SQUARES, 12)):
        assert implementation.predict(levels(row), 1, 1, selector, metric, limit).ravel().tolist() == expected


@every_implementation
def test_two_dimensional_edges_are_found_within_the_limit(implementation: Any) -> None:
    pixels = levels([10, 90], [11, 91])  # C and A are similar, not equal
    assert implementation.predict(pixels, 1, 1, PRED_2D, LARGEST, 0).tolist() == [[0, 1], [2, 3]]
    assert implementation.predict(pixels, 1, 1, PRED_2D, LARGEST, 1).tolist() == [[0, 1], [0, 1]]


@every_implementation
@pytest.mark.parametrize("selector", SELECTORS)
def test_blocks_of_the_reference_by_hand(implementation: Any, selector: int) -> None:
    def found(row: list[int], other: list[int], *offsets: tuple[int, int]) -> list[int]:
        sources = implementation.predict(levels(row), 1, 1, selector, LARGEST, 0, levels(other), places(*offsets))
        return list(sources.ravel())

    assert found([5, 6], [5, 6], (0, 0)) == [2, 3]
    assert found([5, 6], [5, 6], (0, 1)) == [0, 1]
    assert found([5, 6], [4, 5, 6], (0, 0), (0, 1)) == [4, 5]  # the second offset
    assert found([5, 6], [5, 6], (0, 0), (0, 0)) == [2, 3]  # the first that matches
    assert found([5, 5], [5, 5], (0, 0)) == ([2, 3] if selector == UNIQUE else [2, 2])  # a prediction goes first
    assert found([5, 6], [5, 6]) == [0, 1]
    far = 2**31 - 1
    assert found([5, 6], [5, 6], (far, far), (-far - 1, 0), (0, -far - 1), (0, far), (1, 0), (-1, 0)) == [0, 1]


@every_implementation
@pytest.mark.parametrize("selector", [RASTER, PRED_2D, PRED_NEAR])
def test_a_block_of_the_reference_stands_for_later_tokens(implementation: Any, selector: int) -> None:
    pixels, other = levels([10, 13, 11]), levels([12, 99, 99])
    sources = implementation.predict(pixels, 1, 1, selector, LARGEST, 2, other, places((0, 0)))
    assert sources.tolist() == [[3, 3, 3]]
    assert implementation.predict(pixels, 1, 1, selector, LARGEST, 2).tolist() == [[0, 1, 1]]


@every_implementation
@pytest.mark.parametrize("size", [(3, 4), (40, 31), (1, 1), (0, 5)])
def test_the_reference_may_have_another_size(implementation: Any, size: tuple[int, int]) -> None:
    pixels = noise(8, 12, 7)
    other = np.zeros((*size, 3), np.uint8)
    if size == (40, 31):
        other[29:37, 11:23] = pixels
    sources = implementation.predict(pixels, 4, 6, PRED_2D, LARGEST, 0, other, places((29, 11)))
    assert sources.ravel().tolist() == [4, 5, 6, 7] if size == (40, 31) else [0, 1, 2, 3]


@every_implementation
@pytest.mark.parametrize("selector", SELECTORS)
@pytest.mark.parametrize("token", [(1, 1), (7, 5), (28, 28), (32, 32), (16, 40)])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("threshold", [0, 2, 5, 255])
def test_what_stands_for_a_token_is_within_the_limit(
    implementation: Any, selector: int, token: tuple[int, int], metric: int, threshold: int
) -> None:
    rows, columns = 4, 6
    pixels, other = few_tokens(selector, rows, columns, token), few_tokens(9, 7, 9, token)
    offsets = places((0, 0), (token[0], -token[1]), (1, 2))
    values = 3 * token[0] * token[1]
    limit = (threshold, threshold * values, threshold**2 * values)[metric]
    sources = implementation.predict(pixels, *token, selector, metric, limit, other, offsets)
    flat, count, blocks = sources.ravel(), rows * columns, blocks_of(pixels, *token)
    assert sources.shape == (rows, columns)
    for i, source in enumerate(flat.tolist()):
        if source < count:
            assert flat[source] == source
            block = blocks[source]
        else:
            k, place = source // count - 1, source % count
            assert flat[place] == source
            y, x = place // columns * token[0] + offsets[k][0], place % columns * token[1] + offsets[k][1]
            block = other[y : y + token[0], x : x + token[1]]
        assert measures(blocks[i], block)[metric] <= limit
    if threshold == 255:
        assert set(flat) == {flat[0]} if selector != UNIQUE else set(flat[flat < count]) == set()


@every_implementation
@pytest.mark.parametrize("selector", SELECTORS)
def test_unlike_tokens_are_kept_and_like_ones_dropped(implementation: Any, selector: int) -> None:
    pixels = noise(5 * 7, 6 * 5, 1)
    assert implementation.predict(pixels, 7, 5, selector, LARGEST, 0).ravel().tolist() == list(range(30))
    pixels[:] = pixels[0, 0]
    assert implementation.predict(pixels, 7, 5, selector, LARGEST, 0).ravel().tolist() == [0] * 30


@every_implementation
@given(seed=st.integers(0, 10**6), rows=st.integers(1, 9), columns=st.integers(1, 9))
def test_unique_keeps_each_content_once(implementation: Any, seed: int, rows: int, columns: int) -> None:
    pixels = few_tokens(seed, rows, columns, (2, 3))
    sources = implementation.predict(pixels, 2, 3, UNIQUE, LARGEST, 0).ravel()
    contents = [block.tobytes() for block in blocks_of(pixels, 2, 3)]
    assert sources.tolist() == [contents.index(content) for content in contents]


TOKENS = st.sampled_from([(1, 1), (1, 10), (2, 11), (7, 5), (2, 21), (28, 28), (32, 32), (4, 32), (3, 50)])


@pytest.mark.skipif(not NATIVE, reason="the native module is not built")
@given(data=st.data(), seed=st.integers(0, 10**6), token=TOKENS, rows=st.integers(1, 8), columns=st.integers(1, 8))
def test_every_level_is_the_reference(
    data: st.DataObject, seed: int, token: tuple[int, int], rows: int, columns: int
) -> None:
    pixels, values = few_tokens(seed, rows, columns, token), 3 * token[0] * token[1]
    metric = data.draw(st.sampled_from(METRICS))
    threshold = data.draw(st.sampled_from([0, 0, 1, 2, 5, 60, 255]))
    limit = (threshold, threshold * values, threshold**2 * values)[metric]
    extra: tuple[Any, ...] = ()
    if data.draw(st.booleans()):
        size = data.draw(st.tuples(st.integers(1, 8), st.integers(1, 8)))
        other = pixels if data.draw(st.booleans()) else few_tokens(seed + 1, *size, token)
        step = st.one_of(st.sampled_from([0, -token[0], token[1], 2 * token[0]]), st.integers(-9, 9))
        extra = other, places(*data.draw(st.lists(st.tuples(step, step), max_size=16)))
    for selector in SELECTORS:
        expected = reference.predict(pixels, *token, selector, metric, limit, *extra)
        for level, implementation in NATIVE.items():
            found = implementation.predict(pixels, *token, selector, metric, limit, *extra)
            np.testing.assert_array_equal(found, expected, err_msg=f"selector {selector} at {level}")


@pytest.fixture(scope="module")
def screens(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> list[NDArray[np.uint8]]:
    """Parts of the example pictures, those with text among them."""
    folder = tmp_path_factory.mktemp("examples")
    command = [sys.executable, "-B", str(repository / "examples" / "make_examples.py"), str(folder)]
    subprocess.run(command, capture_output=True, check=True)
    return [part_of(path) for path in sorted(folder.glob("*.png"))]


def part_of(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.ascontiguousarray(np.asarray(picture.convert("RGB"))[100:612, 60:732])


def check_every_level_on(pixels: NDArray[np.uint8]) -> None:
    before = np.roll(pixels, (-37, 3), axis=(0, 1))
    offsets = places((0, 0), (-37, 3))
    for side, extra in ((32, ()), (28, (before, offsets))):
        whole = np.ascontiguousarray(pixels[: len(pixels) // side * side])
        for selector in SELECTORS:
            for metric, limit in ((LARGEST, 0), (LARGEST, 5), (SUM, 2 * 3 * side**2), (SQUARES, 25 * 3 * side**2)):
                if selector == UNIQUE and limit:
                    continue  # the reference takes its time there
                expected = reference.predict(whole, side, side, selector, metric, limit, *extra)
                for level, implementation in NATIVE.items():
                    found = implementation.predict(whole, side, side, selector, metric, limit, *extra)
                    np.testing.assert_array_equal(found, expected, err_msg=f"selector {selector} at {level}")


@pytest.mark.skipif(not NATIVE, reason="the native module is not built")
@pytest.mark.parametrize("number", range(5))
def test_every_level_is_the_reference_on_drawn_screens(screens: list[NDArray[np.uint8]], number: int) -> None:
    check_every_level_on(screens[number])


@pytest.mark.skipif(not NATIVE, reason="the native module is not built")
@pytest.mark.parametrize("folder", ["gui_single/web", "charts", "photos/kodak"])
def test_every_level_is_the_reference_on_real_pictures(shared_data: Path, folder: str) -> None:
    check_every_level_on(part_of(sorted((shared_data / folder).glob("*.png"))[0]))
