"""The operator carve: exact sizes, what stays, where it was, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixtrim.errors import UsageError
from pixtrim.operators.carve import ENERGIES, Carved, carve, seam_order, tile_company
from pixtrim.operators.carve.tile_company import bilinear
from pixtrim.operators.resize import resize

Pixels = NDArray[np.uint8]

every_energy = pytest.mark.parametrize("energy", ENERGIES)


def noise(height: int, width: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def even(height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((height, width), np.float32)


def check_places(carved: Carved, pixels: Pixels) -> None:
    """All that a result says of where its pixels were agrees."""
    rows, columns = carved.index_maps()
    assert rows.dtype == columns.dtype == np.uint16
    np.testing.assert_array_equal(pixels[rows, columns], carved.image)
    points = np.stack([columns + 0.5, rows + 0.5], axis=-1).reshape(-1, 2)
    centres = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in carved.size)), axis=-1).reshape(-1, 2)
    np.testing.assert_array_equal(carved.coordinates.to_reduced(points), centres)
    np.testing.assert_array_equal(carved.coordinates.to_original(centres), points)
    assert carved.coordinates.original_size == carved.original_size == pixels.shape[1::-1]
    assert carved.coordinates.reduced_size == carved.size == carved.image.shape[1::-1]
    order, direction = carved.seams()
    assert ((order > 0) == (direction > 0)).all()
    assert (order[rows, columns] == 0).all()
    assert (order == 0).sum() == carved.size[0] * carved.size[1]


@settings(max_examples=60)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    share=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    energy=st.sampled_from(ENERGIES),
    rounds=st.integers(1, 9),
    per_pass=st.integers(1, 4),
    seed=st.integers(0, 10**6),
)
def test_the_size_is_exact_and_every_pixel_is_known(
    height: int, width: int, share: tuple[float, float], energy: Any, rounds: int, per_pass: int, seed: int
) -> None:
    pixels = noise(height, width, seed)
    size = 1 + round(share[0] * (width - 1)), 1 + round(share[1] * (height - 1))
    carved = carve(pixels, size, even(height, width, seed), energy=energy, rounds=rounds, seams_per_pass=per_pass)
    assert (carved.size, carved.stopped) == (size, False)
    check_places(carved, pixels)
    assert not np.shares_memory(carved.image, pixels)


@every_energy
@pytest.mark.parametrize("rounds", [1, 4])
def test_seams_are_numbered_in_the_order_of_their_leaving(energy: Any, rounds: int) -> None:
    carved = carve(noise(30, 50), (38, 21), even(30, 50), energy=energy, rounds=rounds, seams_per_pass=3)
    order, direction = carved.seams()
    left, number = np.arange(30 * 50).reshape(30, 50), 0
    for batch in carved.batches:
        lines = left if batch.axis == "x" else left.T
        numbers = batch.order
        for k in range(1, batch.count + 1):
            number += 1
            seam = numbers == k
            assert (seam.sum(axis=1) == 1).all()
            assert (abs(np.diff(seam.argmax(axis=1))) <= 1).all(), "connected as the picture was then"
            assert (order.ravel()[lines[seam]] == number).all()
            assert (direction.ravel()[lines[seam]] == (1 if batch.axis == "x" else 2)).all()
            lines, numbers = (values[~seam].reshape(len(seam), -1) for values in (lines, numbers))
        left = lines if batch.axis == "x" else lines.T
    assert number == 12 + 9
    rows, columns = carved.index_maps()
    np.testing.assert_array_equal(left, rows.astype(int) * 50 + columns)


@every_energy
@pytest.mark.parametrize("seams_per_pass", [1, 4])
def test_protected_pixels_stay_while_others_can_leave(energy: Any, seams_per_pass: int) -> None:
    pixels = noise(60, 80)
    protect = np.zeros((60, 80), np.bool_)
    protect[20:45, 30:57] = True
    arguments: Any = {"energy": energy, "protect": protect, "seams_per_pass": seams_per_pass}
    carved = carve(pixels, (27, 25), even(60, 80), **arguments)
    assert (carved.size, carved.stopped) == ((27, 25), False)
    np.testing.assert_array_equal(carved.image, pixels[20:45, 30:57])
    further = carve(pixels, (20, 10), even(60, 80), **arguments)
    assert (further.size, further.stopped) == ((27, 25), True)
    np.testing.assert_array_equal(further.image, carved.image)
    check_places(further, pixels)


@pytest.mark.parametrize("energy", ["gradient", "forward"])
def test_protection_alone_is_enough(energy: Any) -> None:
    pixels = noise(20, 20)
    everything = carve(pixels, (10, 10), energy=energy, protect=np.ones((20, 20), np.bool_))
    assert (everything.size, everything.stopped, everything.batches) == ((20, 20), True, ())
    nothing = carve(pixels, (10, 10), energy=energy, protect=np.zeros((20, 20), np.bool_))
    np.testing.assert_array_equal(nothing.image, carve(pixels, (10, 10), energy=energy).image)


def test_it_stops_at_the_largest_energy_and_says_so() -> None:
    pixels = np.full((20, 40, 3), 90, np.uint8)
    pixels[:, 10:30] = noise(20, 20)
    carved = carve(pixels, (15, 20), energy="gradient", max_energy=0)
    assert carved.stopped
    assert carved.size == (40 - 18, 20), "the flat columns but those beside the noise leave, and no row can"
    assert carve(pixels, (15, 20), energy="gradient", max_energy=508.0).size == (15, 20)
    assert carve(pixels, (15, 20), energy="gradient", max_energy=float("inf")).size == (15, 20)


def test_the_limit_is_of_one_pixel_of_the_seam() -> None:
    importance = np.full((10, 12), 100 / 254, np.float32)
    for limit, width in ((99.9, 12), (100, 5), (100.5, 5)):
        carved = carve(noise(10, 12), (5, 10), importance, energy="importance", max_energy=limit)
        assert (carved.size[0], carved.stopped) == (width, width == 12)


@every_energy
def test_important_pixels_stay(energy: Any) -> None:
    pixels = noise(60, 90)
    pixels[..., 1:] = pixels[..., :1] // 8 + 100  # texture everywhere
    importance = np.zeros((60, 90), np.float32)
    importance[15:40, 35:70] = 1
    carved = carve(pixels, (60, 40), importance, energy=energy)
    rows, columns = carved.index_maps()
    assert importance[rows, columns].sum() == importance.sum()


def test_strength_zero_is_no_importance() -> None:
    pixels, importance = noise(30, 30), even(30, 30)
    without = carve(pixels, (20, 20)).image
    np.testing.assert_array_equal(carve(pixels, (20, 20), importance, strength=0).image, without)
    assert (carve(pixels, (20, 20), importance, strength=1).image != without).any()


@every_energy
def test_a_flat_picture_and_a_single_pixel(energy: Any) -> None:
    flat = np.full((9, 7, 3), 50, np.uint8)
    nothing = np.zeros((9, 7), np.float32)
    assert (carve(flat, (3, 4), nothing, energy=energy).image == np.full((4, 3, 3), 50)).all()
    one = carve(flat[:1, :1].copy(), (1, 1), nothing[:1, :1].copy(), energy=energy)
    assert (one.size, one.batches, one.stopped) == ((1, 1), (), False)
    assert carve(flat, (7, 9), nothing, energy=energy).image is not flat


def test_auto_takes_more_seams_per_pass_of_large_pictures() -> None:
    small, large = noise(100, 200), noise(1000, 1210)
    for pixels, seams_per_pass in ((small, 1), (large, 4)):
        size = (pixels.shape[1] - 5, pixels.shape[0])
        expected = carve(pixels, size, seams_per_pass=seams_per_pass, rounds=1)
        np.testing.assert_array_equal(carve(pixels, size, rounds=1).image, expected.image)


def test_threads_do_not_matter() -> None:
    pixels = noise(50, 60)
    np.testing.assert_array_equal(carve(pixels, (40, 40), threads=5).image, carve(pixels, (40, 40)).image)


# One order for all sizes


@every_energy
@pytest.mark.parametrize("axis", ["x", "y"])
def test_an_order_gives_every_size(energy: Any, axis: Any) -> None:
    pixels, importance = noise(24, 36), even(24, 36)
    order = seam_order(pixels, axis, importance, energy=energy)
    length = 36 if axis == "x" else 24
    assert order.sizes == (1, length)
    assert order.order.shape == (24, 36)
    before: set[tuple[int, int]] | None = None
    for wanted in (1, 2, 13, length - 1, length):
        size = (wanted, 24) if axis == "x" else (36, wanted)
        found = order.render(wanted)
        assert found.size == size
        check_places(found, pixels)
        expected = carve(pixels, size, importance, energy=energy, rounds=1)
        np.testing.assert_array_equal(found.image, expected.image)
        assert found.coordinates == expected.coordinates
        kept = set(zip(*(places.ravel().tolist() for places in found.index_maps()), strict=True))
        assert before is None or before <= kept, "a smaller size keeps a part of what a larger one keeps"
        before = kept


def test_an_order_ends_where_the_seams_do() -> None:
    pixels = noise(10, 20)
    protect = np.zeros((10, 20), np.bool_)
    protect[4, 3:9] = True
    order = seam_order(pixels, "x", protect=protect)
    assert (order.sizes, repr(order)) == ((6, 20), "SeamOrder(width 6 to 20)")
    assert seam_order(pixels, "y", seams=4).sizes == (6, 10)
    for wrong in (5, 21, 0, -1):
        with pytest.raises(UsageError, match=f"the width must be from 6, where the seams end, to 20, got {wrong}$"):
            order.render(wrong)
    with pytest.raises(UsageError, match="the width must be a whole number of pixels"):
        order.render(7.5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match='axis must be "x" or "y", got 1'):
        seam_order(pixels, 1)  # type: ignore[arg-type]
    for count in (20, -1, 2.0):
        with pytest.raises(UsageError, match="seams must be a whole number from 0 to 19"):
            seam_order(pixels, "x", seams=count)  # type: ignore[arg-type]


# The preset


def test_tile_company_takes_all_vertical_seams_first_by_attention_alone() -> None:
    pixels = noise(300, 420)
    attention = np.random.default_rng(1).random((37, 37)) * 7 - 3
    carved = tile_company(pixels, attention)
    assert (carved.size, carved.stopped) == ((433, 433), False)
    assert [(batch.axis, batch.count) for batch in carved.batches] == [("x", 85), ("y", 85)]
    assert carved.coordinates.original_size == (420, 300)
    squashed = resize(pixels, (518, 518))
    rows, columns = carved.index_maps()
    np.testing.assert_array_equal(squashed[rows, columns], carved.image)
    assert carve_of(squashed, attention).tobytes() == carved.image.tobytes()
    np.testing.assert_array_equal(tile_company(255 - pixels, attention * 3 + 1).index_maps(), (rows, columns))


def carve_of(squashed: Pixels, attention: NDArray[np.float64]) -> Pixels:
    stretched = bilinear(attention, 518)
    stretched = (stretched - stretched.min()) / (stretched.max() - stretched.min())
    return carve(squashed, (433, 433), stretched.astype(np.float32), energy="importance", rounds=1).image


def test_bilinear_goes_from_corner_to_corner() -> None:
    found = bilinear(np.array([[0.0, 3.0], [6.0, 9.0], [12.0, 15.0]]), 4)
    assert found[0].tolist() == pytest.approx([0, 1, 2, 3])
    assert found[:, 0].tolist() == pytest.approx([0, 4, 8, 12])
    assert bilinear(np.array([[5.0]]), 3).tolist() == [[5] * 3] * 3


def test_tile_company_refuses_what_is_no_attention() -> None:
    pixels = noise(20, 20)
    for wrong in (None, np.zeros((3, 3), np.uint8), np.zeros(3), np.full((2, 2), np.nan), np.zeros((0, 3))):
        with pytest.raises(UsageError, match="attention must be a finite floating array"):
            tile_company(pixels, wrong)  # type: ignore[arg-type]
    assert tile_company(pixels, np.ones((4, 4))).size == (433, 433)


# Refusals


@pytest.mark.parametrize(
    ("size", "arguments", "message"),
    [
        ((21, 10), {}, "size must be at most 20x10, that of the picture, got 21x10: .* resize enlarges"),
        ((20, 11), {}, "got 20x11"),
        ((0, 5), {}, "size must be at least 1x1"),
        ("ab", {}, "size must be two whole numbers"),
        ((5, 5), {"energy": "sobel"}, "energy must be one of gradient, forward, importance, got 'sobel'"),
        ((5, 5), {"energy": "importance"}, 'the energy "importance" needs an importance'),
        ((5, 5), {"strength": 1.1}, "strength must be a number from 0 to 1, got 1.1"),
        ((5, 5), {"strength": float("nan")}, "strength must be"),
        ((5, 5), {"seams_per_pass": 5}, "seams_per_pass must be a whole number from 1 to 4, or None, got 5"),
        ((5, 5), {"seams_per_pass": 1.0}, "seams_per_pass must be"),
        ((5, 5), {"max_energy": -1}, "max_energy must be a number of levels per pixel, 0 or more, or None, got -1"),
        ((5, 5), {"max_energy": float("nan")}, "max_energy must be"),
        ((5, 5), {"rounds": 0}, "rounds must be a whole number from 1 to 16, got 0"),
        ((5, 5), {"threads": 0}, "threads must be a whole number from 1 to 256, got 0"),
        ((5, 5), {"importance": np.zeros((10, 21), np.float32)}, r"importance must be float32 \(10, 20\)"),
        ((5, 5), {"importance": np.zeros((10, 20))}, "got float64"),
        ((5, 5), {"importance": np.full((10, 20), 1.5, np.float32)}, "importance has values outside of 0 to 1"),
        ((5, 5), {"importance": np.full((10, 20), np.nan, np.float32)}, "importance has values outside of 0 to 1"),
        ((5, 5), {"protect": np.zeros((10, 20), np.uint8)}, r"protect must be bool \(10, 20\)"),
    ],
)
def test_bad_arguments_are_refused(size: Any, arguments: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        carve(noise(10, 20), size, **arguments)


def test_bad_pictures_are_refused() -> None:
    for wrong in (np.zeros((3, 3), np.uint8), np.zeros((0, 3, 3), np.uint8), noise(4, 8)[:, ::2], None):
        with pytest.raises(UsageError, match="pixels must"):
            carve(wrong, (1, 1))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="the picture is 65536x1; at most 65535 pixels a side can be carved"):
        carve(np.zeros((1, 65536, 3), np.uint8), (9, 1))
