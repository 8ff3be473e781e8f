"""The writer of PNG against two readers of it."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from pixtrim.png import png_of

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))


@given(arrays(np.uint8, SIZES))
def test_pillow_reads_what_was_written(pixels: NDArray[np.uint8]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = Image.open(io.BytesIO(png_of(pixels)))
        picture.verify()  # the sums of all chunks
        picture = Image.open(io.BytesIO(png_of(pixels)))
    assert (picture.format, picture.mode) == ("PNG", "RGB")
    np.testing.assert_array_equal(np.asarray(picture), pixels)


@pytest.mark.parametrize("level", [0, 1, 9])
def test_libpng_reads_what_was_written(level: int) -> None:
    cv2 = pytest.importorskip("cv2")
    pixels = np.random.default_rng(0).integers(0, 256, (123, 77, 3), np.uint8)
    pixels[40:80] = 255
    found = cv2.imdecode(np.frombuffer(png_of(pixels, level), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(found[..., ::-1], pixels)


def test_a_view_is_written_as_its_copy() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (30, 40, 3), np.uint8)
    assert png_of(pixels[::2, ::-1]) == png_of(pixels[::2, ::-1].copy())


def test_rows_that_repeat_cost_next_to_nothing() -> None:
    row = np.random.default_rng(2).integers(0, 256, (1, 500, 3), np.uint8)
    assert len(png_of(np.repeat(row, 400, axis=0))) < len(png_of(row)) + 400 * 1500 / 150  # zlib's best is 1 in 1000
