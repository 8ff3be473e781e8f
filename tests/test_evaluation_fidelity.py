"""Measures that need no model: hand-made answers, and what has to change them."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import Upright
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pixtrim import shrink
from pixtrim.coordinates import Axis, CoordinateMap, Piece
from pixtrim.evaluation.measures import measure_named
from pixtrim.evaluation.measures.fidelity import (
    KeptRatio,
    ObjectSimilarity,
    PixelCosine,
    SaliencyMass,
    SaliencyScale,
    Similarity,
    cosine,
)
from pixtrim.evaluation.reducers import Reduced, reducer_named
from pixtrim.evaluation.restore import restore
from pixtrim.evaluation.samples import Sample, Truth

Pixels = NDArray[np.uint8]
NAMES = ("ssim", "object-ssim", "saliency-mass", "saliency-scale", "pixel-cosine", "kept-ratio")


def sample_of(pixels: Pixels, kind: str = "photo", mask: NDArray[np.bool_] | None = None) -> Sample:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    truth = Truth(mask=None if mask is None else lambda: mask)
    return Sample("made.png", kind, stream.getvalue, truth)


def same(pixels: Pixels) -> Reduced:
    return Reduced(pixels, CoordinateMap.identity(*pixels.shape[1::-1]), 0)


def scaled(pixels: Pixels, size: tuple[int, int]) -> Reduced:
    image = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    return Reduced(image, CoordinateMap.scale(pixels.shape[1::-1], size), 0)


def score(measure: Any, sample: Sample, reduced: Reduced) -> float | None:
    assert measure.applies(sample)
    return measure.score(sample, reduced, measure.prepare(sample))


@pytest.fixture(scope="module")
def scene() -> Pixels:
    """Something like a photo: smooth colours, edges and a fine texture."""
    y, x = np.mgrid[0:192, 0:256]
    waves = [np.sin(x / 17 + phase) + np.cos(y / 11 - phase) for phase in (0, 1, 2)]
    picture = 128 + 40 * np.stack(waves, axis=-1) + 25 * ((x // 24 + y // 24) % 2)[..., None]
    noise = np.random.default_rng(0).normal(0, 6, (192, 256, 1))
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


# --- bringing pictures back ------------------------------------------------------------------------------------------


def test_a_picture_that_was_not_reduced_comes_back_as_it_is(scene: Pixels) -> None:
    assert (restore(scene, CoordinateMap.identity(256, 192)) == scene).all()


def test_an_even_ramp_survives_scaling() -> None:
    ramp = np.repeat(np.arange(0, 240, 2, dtype=np.uint8)[None, :, None], 40, axis=0).repeat(3, axis=2)
    reduced = scaled(ramp, (60, 20))
    back = restore(reduced.image, reduced.coordinates)
    assert np.abs(back.astype(int) - ramp)[:, 6:-6].max() <= 1


@given(data=st.data())
def test_what_was_kept_comes_back_exactly_and_what_was_dropped_repeats_what_is_before(data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.booleans(), min_size=1, max_size=24).filter(any), label="rows")
    columns = data.draw(st.lists(st.booleans(), min_size=1, max_size=24).filter(any), label="columns")
    picture = np.random.default_rng(7).integers(0, 256, (len(rows), len(columns), 3), np.uint8)
    kept_rows, kept_columns = np.flatnonzero(rows), np.flatnonzero(columns)
    back = restore(
        picture[np.ix_(kept_rows, kept_columns)], CoordinateMap.keep(rows, columns, (len(columns), len(rows)))
    )
    before = [np.maximum(np.cumsum(kept) - 1, 0) for kept in (rows, columns)]
    assert (back == picture[np.ix_(kept_rows[before[0]], kept_columns[before[1]])]).all()


def test_pieces_are_not_mixed_with_those_beside_them() -> None:
    picture = np.zeros((20, 40, 3), np.uint8)
    picture[:, 20:] = 255
    picture[3:5, :20], picture[8:16, 20:] = 90, 130
    left, right = np.r_[0:8, 18:20], np.r_[0:6, 7:9, 14:16]
    reduced = np.concatenate([picture[left, :20], picture[right, 20:]], axis=1)
    pieces = [
        Piece((0, 0, 20, 20), (0, 0, 20, 10), Axis.scale(20, 20), Axis.keep(left, 20)),
        Piece((20, 0, 40, 20), (20, 0, 40, 10), Axis.scale(20, 20), Axis.keep(right, 20)),
    ]
    back = restore(reduced, CoordinateMap.pieces(pieces, (40, 20), (40, 10)))
    assert (back[:16] == picture[:16]).all()
    assert (back[16:, :20] == picture[16:, :20]).all()
    assert (back[16:, 20:] == 130).all()  # dropped at the end: what is before it


def test_a_piece_that_was_dropped_shows_its_join() -> None:
    picture = np.concatenate([np.full((4, 6, 3), 10, np.uint8), np.full((4, 6, 3), 99, np.uint8)])
    pieces = [
        Piece((0, 0, 6, 4), (0, 0, 6, 4), Axis.scale(6, 6), Axis.scale(4, 4)),
        Piece((0, 4, 6, 8), (0, 4, 6, 4), Axis.scale(6, 6), Axis.keep([], 4)),
    ]
    back = restore(picture[:4], CoordinateMap.pieces(pieces, (6, 8), (6, 4)))
    assert (back == 10).all()


def test_other_kinds_of_stages_are_sampled_in_the_same_way(scene: Pixels) -> None:
    reduced = scaled(scene, (101, 77))
    stage = reduced.coordinates.stages[0]
    foreign = CoordinateMap((256, 192), (Upright(stage),))  # type: ignore[arg-type]
    difference = restore(reduced.image, foreign).astype(int) - restore(reduced.image, reduced.coordinates)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("budget", [0.3, 0.9])
def test_a_folded_page_comes_back(budget: float) -> None:
    page = np.full((900, 700, 3), 250, np.uint8)
    for top in (40, 110, 420, 500, 830):
        page[top : top + 20, 60:600:7] = 20
    made = shrink(page, "claude-opus-4-7", budget=budget, operator="fold")
    assert made.image.shape != page.shape
    back = restore(made.image, made.coordinates)
    limit = 0 if made.report.text_scale == 1 else 25
    assert np.abs(back.astype(int) - page).mean() <= limit
    assert (restore(made.image[..., 0], made.coordinates) == back[..., 0]).all()


# --- structural similarity -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def similarity() -> Callable[[Sample, Reduced], float | None]:
    pytest.importorskip("skimage", reason='scikit-image is not installed: pip install "pixtrim[evaluate]"')
    return lambda sample, reduced: score(Similarity(), sample, reduced)


def test_similarity_is_one_for_the_same_and_as_defined_for_flat_pictures(similarity: Any, scene: Pixels) -> None:
    assert similarity(sample_of(scene), same(scene)) == pytest.approx(1, abs=1e-6)
    dark, light = np.full((40, 30, 3), 60, np.uint8), np.full((40, 30, 3), 180, np.uint8)
    c1 = (0.01 * 255) ** 2
    expected = (2 * 60 * 180 + c1) / (60**2 + 180**2 + c1)
    assert similarity(sample_of(dark), same(light)) == pytest.approx(expected, rel=1e-5)


def test_similarity_falls_with_the_size_and_with_a_wrong_map(similarity: Any, scene: Pixels) -> None:
    sample = sample_of(scene)
    found = [similarity(sample, scaled(scene, (256 * part // 8, 192 * part // 8))) for part in (8, 6, 4, 2)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.999
    assert found[3] < 0.8
    good = scaled(scene, (192, 144))
    moved = np.roll(good.image, 3, axis=1)
    assert similarity(sample, Reduced(moved, good.coordinates, 0)) < similarity(sample, good) - 0.1


def test_pictures_smaller_than_the_window_have_no_similarity(similarity: Any) -> None:
    strip = np.zeros((10, 80, 3), np.uint8)
    assert similarity(sample_of(strip), same(strip)) is None


def test_similarity_of_the_object_is_that_under_its_mask(similarity: Any, scene: Pixels) -> None:
    mask = np.zeros((192, 256), bool)
    mask[60:120, 80:160] = True
    sample = sample_of(scene, mask=mask)
    spoiled = scene.copy()
    spoiled[:, 200:] = 0
    assert score(ObjectSimilarity(), sample, same(spoiled)) == pytest.approx(1, abs=1e-6)
    spoiled = scene.copy()
    spoiled[60:120, 80:160] = 0
    assert score(ObjectSimilarity(), sample, same(spoiled)) < 0.2
    assert score(ObjectSimilarity(), sample_of(scene, mask=np.zeros_like(mask)), same(scene)) is None
    assert not ObjectSimilarity().applies(sample_of(scene))


# --- saliency --------------------------------------------------------------------------------------------------------

MASK = np.zeros((64, 96), bool)
MASK[16:48, 32:64] = True
ROWS, COLUMNS = np.arange(64), np.arange(96)


@pytest.mark.parametrize(
    ("coordinates", "mass", "scale"),
    [
        (CoordinateMap.identity(96, 64), 1, 1),
        (CoordinateMap.scale((96, 64), (48, 32)), 0.25, 0.5),
        (CoordinateMap.scale((96, 64), (192, 128)), 1, 1),  # enlarged: no more than all of it
        (CoordinateMap.scale((96, 64), (96, 32)), 0.5, 0.5**0.5),
        (CoordinateMap.keep(ROWS[16:48], COLUMNS[32:64], (96, 64)), 1, 1),  # all but the object dropped
        (CoordinateMap.keep(ROWS[:32], None, (96, 64)), 0.5, 0.5),  # half of the object dropped
        (CoordinateMap.keep(ROWS[:16], None, (96, 64)), 0, 0),
    ],
)
def test_kept_saliency_is_what_is_left_of_the_object(coordinates: CoordinateMap, mass: float, scale: float) -> None:
    sample = sample_of(np.zeros((64, 96, 3), np.uint8), mask=MASK)
    width, height = coordinates.reduced_size
    reduced = Reduced(np.zeros((height, width, 3), np.uint8), coordinates, 0)
    assert score(SaliencyMass(), sample, reduced) == pytest.approx(mass)
    assert score(SaliencyScale(), sample, reduced) == pytest.approx(scale)


@pytest.mark.parametrize("measure", [SaliencyMass(), SaliencyScale()])
def test_a_picture_without_an_object_has_no_saliency(measure: Any) -> None:
    blank = np.zeros((64, 96, 3), np.uint8)
    assert not measure.applies(sample_of(blank))
    assert score(measure, sample_of(blank, mask=np.zeros((64, 96), bool)), same(blank)) is None


# --- the measures of others ------------------------------------------------------------------------------------------


def test_pixel_cosine_is_that_of_the_stretched_picture(scene: Pixels) -> None:
    reduced = scaled(scene, (128, 150))
    back = np.asarray(Image.fromarray(reduced.image).resize((256, 192), Image.Resampling.BILINEAR), np.float64)
    product = (back * scene).sum() / np.sqrt((back**2).sum() * (scene.astype(np.float64) ** 2).sum())
    assert score(PixelCosine(), sample_of(scene), reduced) == pytest.approx(product)
    assert score(PixelCosine(), sample_of(scene), same(scene)) == pytest.approx(1)
    assert score(PixelCosine(), sample_of(scene), same(np.zeros_like(scene))) is None


def test_pixel_cosine_is_blind_to_what_it_claims_to_see(scene: Pixels) -> None:
    """Two pictures that share nothing but their brightness: what the docstring warns of."""
    other = np.random.default_rng(3).permutation(scene.reshape(-1, 3)).reshape(scene.shape)
    found = score(PixelCosine(), sample_of(scene), same(other))
    assert found is not None
    assert found > 0.8


def test_cosines_of_small_vectors() -> None:
    assert cosine(np.array([1, 0]), np.array([0, 2])) == 0
    assert cosine(np.array([1, 0]), np.array([-3, 0])) == -1
    assert cosine(np.array([200, 0], np.uint8), np.array([200, 0], np.uint8)) == 1
    assert cosine(np.zeros(2), np.array([0, 2])) is None


def test_kept_ratio_counts_the_tokens_that_the_predictor_keeps() -> None:
    blank = np.full((320, 256, 3), 200, np.uint8)
    assert score(KeptRatio(), sample_of(blank), same(blank)) == 1 / 80
    noise = np.random.default_rng(0).integers(0, 256, blank.shape, np.uint8)
    assert score(KeptRatio(), sample_of(noise), same(noise)) == 1
    half = np.concatenate([blank[:160], noise[:160]])
    assert score(KeptRatio(), sample_of(blank), same(half)) == 41 / 80  # of the reduced picture, not of the original
    strip = np.zeros((2, 900, 3), np.uint8)  # no processor of that model takes it
    assert score(KeptRatio(), sample_of(strip), same(strip)) is None


def test_kept_ratio_of_real_pictures_is_near_what_was_published(shared_data: Path) -> None:
    def mean(pattern: str) -> float:
        samples = [Sample(path.name, "photo", path.read_bytes) for path in sorted(shared_data.glob(pattern))]
        found = [score(KeptRatio(), sample, same(sample.pixels)) for sample in samples]
        return float(np.mean([value for value in found if value is not None]))

    assert mean("photos/kodak/*.png") == 1
    assert mean("documents/pdf/*.png") == pytest.approx(0.477, abs=0.01)


# --- as the harness uses them ----------------------------------------------------------------------------------------


def test_all_are_registered_and_say_what_they_ask() -> None:
    for name in NAMES:
        measure = measure_named(name)
        assert measure.name == name
        assert measure.question.endswith("?")
        assert measure.higher_is_better
        assert measure.describes is (name == "kept-ratio")


def test_stretching_says_nothing_about_pages() -> None:
    blank = np.zeros((20, 20, 3), np.uint8)
    assert [PixelCosine().applies(sample_of(blank, kind)) for kind in ("photo", "video frame", "document scan")] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("name", ["resize", "auto"])
def test_photos_lose_likeness_with_tokens(shared_data: Path, name: str, similarity: Any) -> None:
    path = shared_data / "photos" / "kodak" / "kodim03.png"
    sample = Sample(path.name, "photo", path.read_bytes)
    tokens = 700
    found = []
    for part in (0.9, 0.5, 0.2):
        reduced = reducer_named(name).reduce(sample.pixels, "claude-opus-4-7", int(tokens * part))
        found.append((similarity(sample, reduced), score(PixelCosine(), sample, reduced)))
    assert sorted(found, reverse=True) == found
    assert found[0][0] > 0.9
    assert found[2][1] > 0.98  # what a plain resize of photos scores at -80% of the tokens
