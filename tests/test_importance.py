"""Maps of importance and their sources: the contract, names and how they are written, boxes, masks, confidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from pixtrim.errors import InputError, UsageError
from pixtrim.importance import (
    box_map,
    boxes,
    combine,
    confidence,
    importance_of,
    mask_file,
    named_sources,
    protected,
    register,
    resized_map,
    source_named,
    source_names,
    sources,
)
from pixtrim.importance.maps import pooled

Pixels = NDArray[np.uint8]
PICTURE: Pixels = np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8)

maps = arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.floats(0, 1, width=32))
sizes = st.tuples(st.integers(1, 24), st.integers(1, 24))


@pytest.fixture
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_REGISTRY", dict(sources._REGISTRY))
    sources._loaded.cache_clear()


# --- the contract ----------------------------------------------------------------------------------------------------


def test_arrays_and_callables_are_sources() -> None:
    given_map = np.linspace(0, 1, 240, dtype=np.float32).reshape(12, 20)
    assert importance_of(PICTURE, given_map) is given_map
    for source in (given_map.astype(np.float64), given_map.tolist(), lambda _: given_map):
        found = importance_of(PICTURE, source)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, given_map)
    np.testing.assert_array_equal(importance_of(PICTURE, given_map > 0.5), given_map > 0.5)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.zeros((20, 12)), r"is 12x20, the picture 20x12: .*resized_map\(map, \(20, 12\)\)"),
        (np.zeros((12, 20, 1)), "bool, or float"),
        (np.zeros((12, 20), np.uint8), "uint8.*bool, or float"),
        (np.zeros((12, 20), object), "object"),
        (np.full((12, 20), np.nan), "no numbers"),
        (np.full((12, 20), np.inf), "no numbers"),
        (np.full((12, 20), 255.0), r"255.*bring them to \[0, 1\]"),
        (np.full((12, 20), -0.1), "-0.1"),
        (lambda _: np.zeros((2, 2)), r"what the source <lambda> returned is 2x2"),
        (lambda _: None, "returned is object"),
        (None, "is None: give a name, an array or a callable"),
        (0.5, "is 0.5: give a name"),
    ],
)
def test_what_is_no_importance_is_refused(source: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        importance_of(PICTURE, source)


@pytest.mark.parametrize(
    "pixels", [None, PICTURE[:, :, 0], PICTURE / 255, PICTURE[:0], np.zeros((3, 3, 4), np.uint8), "photo.png"]
)
def test_what_is_no_picture_is_refused(pixels: Any) -> None:
    for source in (np.zeros((12, 20)), "gradient", "text", "spectral_residual", boxes([])):
        with pytest.raises(UsageError, match=r"^pixels is "):
            importance_of(pixels, source)


def test_what_rounding_leaves_beyond_the_range_is_cut() -> None:
    found = importance_of(PICTURE, np.full((12, 20), 1 + 1e-6))
    assert found.max() == 1


# --- names -----------------------------------------------------------------------------------------------------------


def test_sources_are_written_together() -> None:
    gradient, text = (importance_of(PICTURE, name) for name in ("gradient", "text"))
    np.testing.assert_array_equal(importance_of(PICTURE, "text+gradient"), np.maximum(gradient, text))
    np.testing.assert_array_equal(importance_of(PICTURE, " text + gradient "), np.maximum(gradient, text))
    np.testing.assert_allclose(importance_of(PICTURE, "0.7*text+0.3*gradient"), 0.7 * text + 0.3 * gradient, atol=1e-6)
    np.testing.assert_allclose(importance_of(PICTURE, ".5*gradient"), gradient / 2, atol=1e-7)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "is '': choose from gradient, text"),
        ("edges", "is 'edges': choose from"),
        ("text+edges", r"is 'text\+edges': there is no 'edges'"),
        ("text+", "there is no ''"),
        ("Text", "choose from"),
        ("-1*text", "choose from"),
        ("1e3*text", "choose from"),
        ("text*0.5", "choose from"),
        ("0.7*text+gradient", "a weight to all sources, or to none"),
        ("0.7*text+0.7*gradient", "sum to 1.4"),
        ("0*text", "sum to 0"),
        ("mask", "write mask:FILE"),
        ("mask:", "write mask:FILE"),
        ("text:FILE", "write text$"),
        ("text+0.5*", "there is no ''"),
    ],
)
def test_what_is_not_written_like_a_source_is_refused(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        importance_of(PICTURE, spec)


@pytest.mark.usefixtures("_registry")
def test_sources_of_ones_own_have_names() -> None:
    asked: list[str] = []

    def make(argument: str) -> Any:
        asked.append(argument)
        return lambda pixels: np.full(pixels.shape[:2], len(argument) / 10)

    register("flat", lambda pixels: np.full(pixels.shape[:2], 0.25), summary="a quarter")
    register("named", make, takes="WORD")
    assert source_names()[-2:] == ["flat", "named:WORD"]
    assert importance_of(PICTURE, "flat").max() == 0.25
    for spec, value in (("named:abc", 0.3), ("named:abc+flat", 0.3), ("flat+named:a", 0.25), ("named:a+b", 0.3)):
        np.testing.assert_allclose(importance_of(PICTURE, spec), value)
    assert asked == ["abc", "a", "a+b"]  # each is made once
    register("bad", lambda pixels: np.zeros((1, 1)))
    with pytest.raises(UsageError, match="what the source 'bad' returned is 1x1"):
        importance_of(PICTURE, "bad+flat")
    for name, message in (("flat", "exists"), ("Flat", "lower-case"), ("", "lower-case"), ("a" * 33, "33 letters")):
        with pytest.raises(UsageError, match=message):
            register(name, boxes([]))


def test_sources_are_listed_as_they_are_written() -> None:
    assert [source.form for source in named_sources()] == source_names()
    assert all(source.summary for source in named_sources() if not source.name.endswith("_example"))
    assert {"gradient", "text", "saliency", "mask:FILE.png", "detector:FILE.onnx"} <= set(source_names())


def test_a_name_is_a_callable_too() -> None:
    np.testing.assert_array_equal(source_named("gradient")(PICTURE), importance_of(PICTURE, "gradient"))


# --- sizes -----------------------------------------------------------------------------------------------------------


def test_maps_of_tokens_are_brought_to_pixels() -> None:
    ramp = resized_map(np.array([[0.0, 1.0], [0.5, 0.5]]), (4, 4))
    np.testing.assert_allclose(ramp[0], [0, 0.25, 0.75, 1])
    np.testing.assert_allclose(ramp[:, 0], [0, 0.125, 0.375, 0.5])
    np.testing.assert_allclose(resized_map(np.array([[0.0, 0.3, 0.9]]), (2, 1)), [[0.1, 0.7]], atol=1e-6)
    np.testing.assert_array_equal(resized_map(np.array([[True, False]]), (2, 3)), [[1, 0]] * 3)


@given(maps, sizes)
def test_resized_maps_keep_range_and_flatness(values: NDArray[np.float32], size: tuple[int, int]) -> None:
    found = resized_map(values, size)
    assert found.shape == size[::-1]
    assert found.dtype == np.float32
    assert values.min() - 1e-6 <= found.min()
    assert found.max() <= values.max() + 1e-6
    np.testing.assert_array_equal(found, resized_map(values, size))
    np.testing.assert_allclose(resized_map(values.T, size[::-1]), found.T, atol=1e-6)
    np.testing.assert_allclose(resized_map(values[::-1], size), found[::-1], atol=1e-5)
    if size == values.shape[::-1]:
        np.testing.assert_array_equal(found, values)


@given(maps, st.data())
def test_means_of_cells_hold_what_the_map_held(values: NDArray[np.float32], data: st.DataObject) -> None:
    height, width = values.shape
    size = data.draw(st.integers(1, width)), data.draw(st.integers(1, height))
    cells = pooled(values, size)
    assert cells.shape == size[::-1]
    assert cells.mean() == pytest.approx(values.mean(), abs=1e-5)
    fine = values.repeat(size[1], 0).repeat(size[0], 1).reshape(size[1], height, size[0], width)
    np.testing.assert_allclose(cells, fine.mean(axis=(1, 3)), atol=1e-5)


@pytest.mark.parametrize("size", [(0, 1), (1, -1), (1.0, 2), (True, 2), (1,), 5, None, "12"])
def test_sizes_are_two_whole_numbers(size: Any) -> None:
    for call in (lambda: resized_map(np.ones((1, 1)), size), lambda: protected([], size), lambda: box_map([], size)):
        with pytest.raises(UsageError, match=r"^size is .*width and the height"):
            call()


def test_an_empty_map_cannot_be_resized() -> None:
    with pytest.raises(UsageError, match="at least one cell"):
        resized_map(np.zeros((0, 3)), (4, 4))
    with pytest.raises(UsageError, match="at least one pixel"):
        confidence(np.zeros((0, 3)))


# --- several maps ----------------------------------------------------------------------------------------------------


@given(maps, st.lists(st.floats(0.01, 1), min_size=2, max_size=2))
def test_combined_maps_are_the_maximum_or_the_weighted_sum(values: NDArray[np.float32], weights: list[float]) -> None:
    other = values[::-1].copy()
    np.testing.assert_array_equal(combine([values, other]), np.maximum(values, other))
    np.testing.assert_array_equal(combine([values]), values)
    share = [weight / sum(weights) for weight in weights]
    found = combine([values, other], share)
    np.testing.assert_allclose(found, share[0] * values + share[1] * other, atol=1e-6)
    assert found.max() <= 1


@pytest.mark.parametrize(
    ("count", "weights", "message"),
    [
        (0, None, "at least one"),
        (2, [1], "2 numbers"),
        (2, [0.5, -0.1], "0 or more"),
        (2, [0.7, 0.7], "at most 1"),
        (2, [0, 0], "at most 1"),
        (2, [0.5, float("nan")], "0 or more"),
        (1, ["heavy"], "1 numbers"),
    ],
)
def test_bad_weights_are_refused(count: int, weights: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        combine([np.ones((2, 2))] * count, weights)


def test_maps_of_different_sizes_are_not_combined() -> None:
    with pytest.raises(UsageError, match="map 1 is 3x2, the picture 2x2"):
        combine([np.ones((2, 2)), np.ones((2, 3))])


# --- confidence ------------------------------------------------------------------------------------------------------


def test_confidence_has_known_answers() -> None:
    for flat in (0.0, 0.3, 1.0):
        assert confidence(np.full((40, 50), flat)) == 0
    quarter = np.zeros((64, 64))
    quarter[:32, :32] = 1
    assert confidence(quarter) == 1
    assert confidence(quarter * 0.2) == pytest.approx(1)
    half = np.zeros((64, 64))
    half[:32] = 1
    assert confidence(half) == pytest.approx(1 / 3)
    assert confidence(1 - half * 0.5) == pytest.approx((1 / 3 - 0.25) / 0.75)


def test_noise_gives_little_confidence_and_an_object_much() -> None:
    noise = np.random.default_rng(0).random((512, 512))
    assert confidence(noise) < 0.05
    noise[100:200, 100:200] += 20
    assert confidence(noise / 21) > 0.5


@given(maps)
def test_confidence_is_in_range_and_does_not_depend_on_where_or_how_much(values: NDArray[np.float32]) -> None:
    found = confidence(values)
    assert 0 <= found <= 1
    assert confidence(values[::-1, ::-1]) == pytest.approx(found, abs=1e-4)
    assert confidence(values / 2) == pytest.approx(found, abs=1e-4)


# --- boxes and masks -------------------------------------------------------------------------------------------------


def test_boxes_are_painted_with_their_values_and_margins() -> None:
    found = box_map([(1, 1, 3, 2), (2, 0, 4, 2)], (6, 3), [1, 0.5])
    np.testing.assert_allclose(found, [[0, 0, 0.5, 0.5, 0, 0], [0, 1, 1, 0.5, 0, 0], [0, 0, 0, 0, 0, 0]])
    soft = box_map([(4, 4, 8, 8)], (12, 12), margin=0.5)  # fades within 2 pixels
    np.testing.assert_allclose(soft[5], [0, 0, 0.25, 0.75, 1, 1, 1, 1, 0.75, 0.25, 0, 0])
    np.testing.assert_allclose(soft, soft.T)
    assert soft[3, 3] == pytest.approx(0.75**2)
    np.testing.assert_array_equal(box_map([], (3, 2)), np.zeros((2, 3)))
    np.testing.assert_array_equal(box_map(np.empty((0, 4)), (3, 2)), np.zeros((2, 3)))
    np.testing.assert_array_equal(boxes([(0, 0, 20, 12)])(PICTURE), np.ones((12, 20)))


@given(st.data(), sizes)
def test_a_box_covers_its_area(data: st.DataObject, size: tuple[int, int]) -> None:
    edges = []
    for length in size:
        low = data.draw(st.floats(0, length - 0.5))
        edges.append((low, data.draw(st.floats(low + 0.25, length))))
    (x0, x1), (y0, y1) = edges
    found = box_map([(x0, y0, x1, y1)], size)
    assert found.sum() == pytest.approx((x1 - x0) * (y1 - y0), rel=1e-4)
    hard = protected([(x0, y0, x1, y1)], size)
    assert hard.dtype == bool
    np.testing.assert_array_equal(hard[found > 1e-6], True)
    assert hard.sum() <= (np.ceil(x1) - np.floor(x0)) * (np.ceil(y1) - np.floor(y0))


@pytest.mark.parametrize(
    "found",
    [[(0, 0, 7, 1)], [(-1, 0, 2, 1)], [(2, 0, 2, 1)], [(0, 0, 1)], [(0, 0, 1, float("nan"))], [("a", 0, 1, 1)], 4],
)
def test_boxes_that_are_none_are_refused(found: Any) -> None:
    for call in (box_map, protected):
        with pytest.raises(UsageError, match=r"^box"):
            call(found, (6, 3))


def test_values_and_margins_out_of_range_are_refused() -> None:
    for values in ([2], [-0.1], [0.1, 0.2], [float("nan")]):
        with pytest.raises(UsageError, match=r"^values is"):
            box_map([(0, 0, 1, 1)], (6, 3), values)
    for margin in (-1, float("inf"), float("nan")):
        with pytest.raises(UsageError, match=r"^margin is"):
            box_map([(0, 0, 1, 1)], (6, 3), margin=margin)


def test_protected_regions_are_masks_or_boxes() -> None:
    mask = np.zeros((3, 6), bool)
    mask[1, 2] = True
    found = protected(mask, (6, 3))
    np.testing.assert_array_equal(found, mask)
    found[:] = True
    assert mask.sum() == 1  # a copy
    np.testing.assert_array_equal(protected([(2.2, 1, 3, 2)], (6, 3)), mask)
    assert not protected([], (6, 3)).any()
    with pytest.raises(UsageError, match="protected mask is 6x3, the picture 3x6"):
        protected(mask, (3, 6))


def test_a_mask_in_a_file_counts_by_its_brightness(tmp_path: Path) -> None:
    grey = np.arange(240, dtype=np.uint8).reshape(12, 20)
    Image.fromarray(grey).save(tmp_path / "a+b.png")
    np.testing.assert_allclose(importance_of(PICTURE, f"mask:{tmp_path / 'a+b.png'}"), grey / 255, atol=1e-6)
    Image.fromarray(grey > 100).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(mask_file(tmp_path / "bits.png")(PICTURE), grey > 100)
    Image.fromarray(grey[:5]).save(tmp_path / "low.png")
    with pytest.raises(InputError, match=r"^low\.png: the mask is 20x5, the picture 20x12"):
        importance_of(PICTURE, f"mask:{tmp_path / 'low.png'}")
    with pytest.raises(InputError, match=r"absent\.png"):
        importance_of(PICTURE, f"mask:{tmp_path / 'absent.png'}")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InputError, match=r"text\.png"):
        importance_of(PICTURE, f"mask:{tmp_path / 'text.png'}")
