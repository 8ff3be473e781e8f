"""Every kernel gives one answer: in NumPy, and in C++ at each vector level."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import PIL
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixtrim import kernels
from pixtrim.kernels import reference

FUNCTIONS = [name for name in kernels.__all__ if name != "BACKEND"]
NATIVE: dict[str, Any] = {}
if kernels.BACKEND == "native":
    from pixtrim import _native

    for _level in _native.levels():
        NATIVE[_level] = SimpleNamespace(**{f: partial(getattr(_native, f), level=_level) for f in FUNCTIONS})

every_implementation = pytest.mark.parametrize(
    "implementation", [pytest.param(it, id=name) for name, it in {"reference": reference, **NATIVE}.items()]
)
needs_native = pytest.mark.skipif(not NATIVE, reason="the native module is not built")


def picture(seed: int, height: int, width: int, amplitude: int) -> NDArray[np.uint8]:
    """Blocks of one value with noise: some pixels repeat their neighbour, some nearly, some not."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (-(-height // 5), -(-width // 7), 3))
    noise = rng.integers(-amplitude, amplitude + 1, (height, width, 3))
    return np.clip(blocks.repeat(5, 0).repeat(7, 1)[:height, :width] + noise, 0, 255).astype(np.uint8)


def unpacked(bits: NDArray[np.uint64], width: int) -> NDArray[np.uint8]:
    """The bits of a map, by the words' values alone."""
    columns = np.arange(width)
    return np.asarray(bits[:, columns // 64] >> (columns % 64).astype(np.uint64) & np.uint64(1), np.uint8)


@every_implementation
def test_change_bits_of_a_picture_by_hand(implementation: Any) -> None:
    pixels = np.full((3, 66, 3), 100, np.uint8)
    pixels[1, 64, 2] = 111
    down, right = implementation.change_bits(pixels, 10)
    assert down.dtype == right.dtype == np.uint64
    assert down.tolist() == [[0, 0], [0, 1], [0, 1]]
    assert right.tolist() == [[0, 0], [0, 0b11], [0, 0]]
    down, right = implementation.change_bits(pixels, 11)
    assert not down.any()
    assert not right.any()


@every_implementation
def test_change_bits_compares_levels_without_wrapping(implementation: Any) -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0, 0, 0] = pixels[1, 1, 1] = 255
    assert [bits.tolist() for bits in implementation.change_bits(pixels, 254)] == [[[0], [0b11]], [[0b10], [0b10]]]
    assert [bits.tolist() for bits in implementation.change_bits(pixels, 255)] == [[[0], [0]], [[0], [0]]]


@every_implementation
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_change_bits_finds_one_changed_pixel_anywhere(implementation: Any, channel: int) -> None:
    width = 197
    for x in range(width):
        pixels = np.zeros((2, width, 3), np.uint8)
        pixels[1, x, channel] = 1
        down, right = implementation.change_bits(pixels, 0)
        assert np.flatnonzero(unpacked(down, width)[1]).tolist() == [x]
        expected = [column for column in (x, x + 1) if 0 < column < width]
        assert np.flatnonzero(unpacked(right, width)[1]).tolist() == expected
        assert not right[0].any()


@every_implementation
@given(
    seed=st.integers(0, 1000),
    height=st.integers(0, 20),
    width=st.integers(0, 260),
    amplitude=st.sampled_from([0, 1, 3, 255]),
    threshold=st.integers(0, 255),
)
def test_change_bits_is_what_it_says(
    implementation: Any, seed: int, height: int, width: int, amplitude: int, threshold: int
) -> None:
    pixels = picture(seed, height, width, amplitude)
    wide = pixels.astype(int)
    down, right = implementation.change_bits(pixels, threshold)
    assert down.shape == right.shape == (height, (width + 63) // 64)
    below = np.abs(wide[1:] - wide[:-1]).max(axis=2, initial=0) > threshold
    beside = np.abs(wide[:, 1:] - wide[:, :-1]).max(axis=2, initial=0) > threshold
    np.testing.assert_array_equal(unpacked(down, width)[1:], below)
    np.testing.assert_array_equal(unpacked(right, width)[:, 1:], beside)
    assert not unpacked(down, width)[:1].any()
    assert not unpacked(right, width)[:, :1].any()
    if width % 64:
        past_the_width = np.uint64(width % 64)
        assert not (down[:, -1] >> past_the_width).any()
        assert not (right[:, -1] >> past_the_width).any()


@needs_native
@pytest.mark.parametrize("threads", [1, 2, 3, 7, 256])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    pixels = picture(5, 37, 301, 2)
    for one, several in zip(reference.change_bits(pixels, 1), kernels.change_bits(pixels, 1, threads), strict=True):
        np.testing.assert_array_equal(one, several)


@every_implementation
@given(data=st.data(), seed=st.integers(0, 1000), height=st.integers(0, 20), words=st.integers(0, 5))
def test_counts_are_sums_over_the_box(
    implementation: Any, data: st.DataObject, seed: int, height: int, words: int
) -> None:
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2**64, (height, words), np.uint64) & rng.integers(0, 2**64, (height, words), np.uint64)
    y1 = data.draw(st.integers(0, height))
    y0 = data.draw(st.integers(0, y1))
    x1 = data.draw(st.integers(0, 64 * words))
    x0 = data.draw(st.integers(0, x1))
    inside = unpacked(bits, 64 * words)[y0:y1, x0:x1].astype(np.int32)
    rows = implementation.row_counts(bits, y0, y1, x0, x1)
    columns = implementation.column_counts(bits, y0, y1, x0, x1)
    assert rows.dtype == columns.dtype == np.int32
    np.testing.assert_array_equal(rows, inside.sum(axis=1))
    np.testing.assert_array_equal(columns, inside.sum(axis=0))


@every_implementation
@pytest.mark.parametrize("height", [254, 255, 256, 510, 511, 2000])
def test_counts_do_not_overflow(implementation: Any, height: int) -> None:
    width = 64 * 70
    bits = np.full((height, width // 64), ~np.uint64(0))
    assert implementation.column_counts(bits, 0, height, 1, width).tolist() == [height] * (width - 1)
    assert implementation.row_counts(bits, 0, height, 1, width).tolist() == [width - 1] * height


@every_implementation
def test_read_only_arrays_are_read_and_stay_as_they_are(implementation: Any) -> None:
    pixels = picture(1, 9, 70, 1)
    before = pixels.copy()
    pixels.flags.writeable = False
    down, _ = implementation.change_bits(pixels, 0)
    down.flags.writeable = False
    assert implementation.row_counts(down, 0, 9, 0, 70).sum() == implementation.column_counts(down, 0, 9, 0, 70).sum()
    np.testing.assert_array_equal(pixels, before)


GOOD = np.zeros((4, 6, 3), np.uint8)


@every_implementation
@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (GOOD.astype(np.float32), r"pixels must be .* uint8 .*\(H, W, 3\), got .*float32 \(4, 6, 3\)"),
        (GOOD.astype(np.int8), "int8"),
        (GOOD[..., 0], r"\(4, 6\)"),
        (np.zeros((4, 6, 4), np.uint8), r"\(4, 6, 4\)"),
        (GOOD[:, ::2], r"C-contiguous"),
        (GOOD[::-1], r"C-contiguous"),
        (np.asfortranarray(GOOD), r"C-contiguous"),
        (GOOD.tolist(), "got list"),
        (None, "got NoneType"),
    ],
)
def test_change_bits_refuses_other_arrays(implementation: Any, pixels: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        implementation.change_bits(pixels, 0)


@every_implementation
@pytest.mark.parametrize(
    ("threshold", "threads", "message"),
    [
        (-1, 1, "threshold must be from 0 to 255, got -1"),
        (256, 1, "threshold must be from 0 to 255, got 256"),
        (0, 0, "threads must be from 1 to 256, got 0"),
        (0, 10**9, "threads must be from 1 to 256, got 1000000000"),
    ],
)
def test_change_bits_refuses_numbers_out_of_range(
    implementation: Any, threshold: int, threads: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        implementation.change_bits(GOOD, threshold, threads)


@every_implementation
@pytest.mark.parametrize("value", [0.5, "1", None, float("nan")])
def test_change_bits_refuses_other_types_of_number(implementation: Any, value: Any) -> None:
    with pytest.raises(TypeError):
        implementation.change_bits(GOOD, value)


@every_implementation
@pytest.mark.parametrize("name", ["row_counts", "column_counts"])
@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((0, 5, 0, 64), "y1 must be from 0 to 4, got 5"),
        ((3, 2, 0, 64), "y0 must be from 0 to 2, got 3"),
        ((-1, 4, 0, 64), "y0 must be from 0 to 4, got -1"),
        ((0, 4, 0, 129), "x1 must be from 0 to 128, got 129"),
        ((0, 4, 65, 64), "x0 must be from 0 to 64, got 65"),
        ((0, 4, -64, 64), "x0 must be from 0 to 64, got -64"),
    ],
)
def test_counts_refuse_a_box_outside_the_map(
    implementation: Any, name: str, box: tuple[int, int, int, int], message: str
) -> None:
    count = getattr(implementation, name)
    bits = np.zeros((4, 2), np.uint64)
    with pytest.raises(ValueError, match=message):
        count(bits, *box)
    with pytest.raises(TypeError, match=r"bits must be .* uint64 .*, got .*int64 \(4, 2\)"):
        count(bits.astype(np.int64), 0, 1, 0, 1)
    with pytest.raises(TypeError, match="C-contiguous"):
        count(bits[:, ::2], 0, 1, 0, 1)


@needs_native
def test_an_unknown_level_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"level must be one of baseline.*, got mmx"):
        _native.change_bits(GOOD, 0, level="mmx")


@needs_native
def test_the_default_is_the_native_function() -> None:
    assert all(getattr(kernels, name) is getattr(_native, name) for name in FUNCTIONS)


def test_the_reference_serves_where_nothing_is_built(tmp_path: Path, repository: Path) -> None:
    paths = [str(repository / "src"), str(Path(np.__file__).parents[1]), str(Path(PIL.__file__).parents[1])]
    code = f"import sys; sys.path[:0] = {paths!r}; from pixtrim import kernels; print(kernels.BACKEND)"
    # -S: without site, the finder of an editable install is not there
    command = [sys.executable, "-S", "-c", code]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "reference"
