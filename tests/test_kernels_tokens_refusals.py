"""What `match_blocks`, `predict` and `landmarks` refuse: in NumPy, and in C++ at each vector level."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pixtrim import kernels
from pixtrim.kernels import reference

IMPLEMENTATIONS: dict[str, Any] = {"reference": reference}
if kernels.BACKEND == "native":
    from pixtrim import _native

    for _level in _native.levels():
        functions = {
            name: partial(getattr(_native, name), level=_level) for name in ("match_blocks", "predict", "landmarks")
        }
        IMPLEMENTATIONS[_level] = SimpleNamespace(**functions)

every_implementation = pytest.mark.parametrize(
    "implementation", [pytest.param(it, id=name) for name, it in IMPLEMENTATIONS.items()]
)

PIXELS = np.zeros((4, 6, 3), np.uint8)
ONE_TOO_MANY = 2**62 + 1


def places(*pairs: tuple[int, int]) -> NDArray[np.int32]:
    return np.array(pairs, np.int32).reshape(-1, 2)


def match(implementation: Any, **changed: Any) -> Any:
    good = {"pixels": PIXELS, "corners": places((0, 0)), "other": PIXELS, "other_corners": places((2, 3))}
    return implementation.match_blocks(
        **{**good, "height": 2, "width": 3, "metric": 0, "limit": 0, "threads": 1, **changed}
    )


def predict(implementation: Any, **changed: Any) -> Any:
    good = {"pixels": PIXELS, "token_h": 2, "token_w": 3, "selector": 2, "metric": 0, "limit": 0}
    return implementation.predict(**{**good, "reference": PIXELS, "offsets": places((0, 0)), **changed})


@every_implementation
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"corners": places((0, 0), (3, 0))}, r"corners must .* 6 x 4 px, got y = 3, x = 0 for a block of 3 x 2 px"),
        ({"corners": places((0, 4))}, r"corners must hold places of blocks inside .*, got y = 0, x = 4"),
        ({"corners": places((-1, 0))}, "got y = -1, x = 0"),
        ({"other_corners": places((2, 4))}, r"other_corners must hold places .*, got y = 2, x = 4"),
        ({"other_corners": places((2**31 - 1, -(2**31)))}, "got y = 2147483647, x = -2147483648"),
        ({"other": PIXELS[:3].copy()}, r"other_corners must .* 6 x 3 px, got y = 2, x = 3"),
        ({"other": PIXELS[:0].copy()}, "other_corners must"),
        ({"height": 5}, "corners must"),
        ({"other_corners": places()}, "other_corners must be as many as corners, 1, got 0"),
        ({"height": 0}, "height must be from 1 to 1024, got 0"),
        ({"width": 1025}, "width must be from 1 to 1024, got 1025"),
        ({"metric": 3}, "metric must be from 0 to 2, got 3"),
        ({"metric": -1}, "metric must be from 0 to 2, got -1"),
        ({"limit": -1}, f"limit must be from 0 to {2**62}, got -1"),
        ({"limit": ONE_TOO_MANY}, f"limit must be from 0 to {2**62}, got {ONE_TOO_MANY}"),
        ({"threads": 0}, "threads must be from 1 to 256, got 0"),
    ],
)
def test_match_blocks_refuses_values_out_of_range(implementation: Any, changed: dict[str, Any], message: str) -> None:
    assert match(implementation).tolist() == [True]
    with pytest.raises(ValueError, match=message):
        match(implementation, **changed)


@every_implementation
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pixels": PIXELS.astype(np.int8)}, "pixels must be a C-contiguous uint8 array"),
        ({"other": PIXELS[::2]}, "other must be a C-contiguous uint8 array"),
        ({"other": None}, "other must be .* got NoneType"),
        ({"corners": np.zeros((1, 2), np.int64)}, "corners must be a C-contiguous int32 array .* got ndarray int64"),
        ({"corners": np.zeros((1, 3), np.int32)}, r"corners must be .* \(N, 2\), got ndarray int32 \(1, 3\)"),
        ({"corners": np.zeros((2, 2), np.int32).T[:, ::-1]}, "corners must be a C-contiguous"),
        ({"other_corners": [[0, 0]]}, "other_corners must be .* got list"),
        ({"height": 2.0}, None),
        ({"metric": "max"}, None),
        ({"limit": 0.5}, None),
        ({"limit": None}, None),
    ],
)
def test_match_blocks_refuses_other_types(implementation: Any, changed: dict[str, Any], message: str | None) -> None:
    with pytest.raises(TypeError, match=message):
        match(implementation, **changed)


@every_implementation
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"token_h": 3}, "pixels must be whole tokens of 3 x 3 px and at least one, got 6 x 4 px"),
        ({"token_w": 4}, "pixels must be whole tokens of 4 x 2 px and at least one, got 6 x 4 px"),
        ({"token_h": 8}, "pixels must be whole tokens of 3 x 8 px"),
        ({"pixels": PIXELS[:0].copy()}, "at least one, got 6 x 0 px"),
        ({"pixels": PIXELS[:, :0].copy()}, "at least one, got 0 x 4 px"),
        ({"token_h": 0}, "token_h must be from 1 to 1024, got 0"),
        ({"token_w": 1025}, "token_w must be from 1 to 1024, got 1025"),
        ({"selector": 5}, "selector must be from 0 to 4, got 5"),
        ({"selector": -1}, "selector must be from 0 to 4, got -1"),
        ({"metric": 3}, "metric must be from 0 to 2, got 3"),
        ({"limit": -1}, f"limit must be from 0 to {2**62}, got -1"),
        ({"limit": ONE_TOO_MANY}, f"limit must be from 0 to {2**62}, got {ONE_TOO_MANY}"),
        ({"reference": None}, "offsets must come with a reference, got none"),
        ({"reference": None, "offsets": places()}, "offsets must come with a reference, got none"),
        ({"offsets": places(*[(0, 0)] * 17)}, "the number of offsets must be from 0 to 16, got 17"),
    ],
)
def test_predict_refuses_values_out_of_range(implementation: Any, changed: dict[str, Any], message: str) -> None:
    assert predict(implementation, offsets=places(*[(0, 0)] * 16)).tolist() == [[4, 4], [4, 4]]
    with pytest.raises(ValueError, match=message):
        predict(implementation, **changed)


@every_implementation
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pixels": PIXELS[..., 0]}, r"pixels must be .*, got ndarray uint8 \(4, 6\)"),
        ({"pixels": PIXELS[:, ::2]}, "pixels must be a C-contiguous"),
        ({"reference": PIXELS.astype(float)}, "reference must be a C-contiguous uint8 array .* got ndarray float64"),
        ({"reference": PIXELS[::-1]}, "reference must be a C-contiguous"),
        ({"offsets": np.zeros(2, np.int32)}, r"offsets must be a C-contiguous int32 array .* got ndarray int32 \(2,\)"),
        ({"offsets": [(0, 0)]}, "offsets must be .* got list"),
        ({"offsets": np.zeros((1, 2))}, "offsets must be .* got ndarray float64"),
        ({"selector": "pred_2d"}, None),
        ({"token_h": 2.0}, None),
        ({"metric": None}, None),
    ],
)
def test_predict_refuses_other_types(implementation: Any, changed: dict[str, Any], message: str | None) -> None:
    with pytest.raises(TypeError, match=message):
        predict(implementation, **changed)


@every_implementation
def test_sources_that_would_not_fit_their_integers_are_refused(implementation: Any) -> None:
    pixels = np.zeros((11586, 11586, 3), np.uint8)  # never written: the system keeps one page of it
    with pytest.raises(ValueError, match=r"number of sources, tokens \* \(1 \+ offsets\), must be .* got 2282001732"):
        predict(implementation, pixels=pixels, token_h=1, token_w=1, offsets=places(*[(0, 0)] * 16))


@every_implementation
def test_landmarks_refuses_bad_arguments(implementation: Any) -> None:
    for rarity in (0, -1, 65537):
        with pytest.raises(ValueError, match=f"rarity must be from 1 to 65536, got {rarity}"):
            implementation.landmarks(PIXELS, rarity)
    for rarity in (2.0, "1", None):
        with pytest.raises(TypeError):
            implementation.landmarks(PIXELS, rarity)
    for pixels in (PIXELS[:, ::2], PIXELS[..., :2], PIXELS.astype(np.int8), None, [[1]]):
        with pytest.raises(TypeError, match="pixels must be a C-contiguous uint8 array of shape"):
            implementation.landmarks(pixels, 1)


@every_implementation
def test_read_only_arrays_are_read_and_stay_as_they_are(implementation: Any) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 60, 3), np.uint8)
    corners, before = places((0, 0), (1, 2)), pixels.copy()
    pixels.flags.writeable = corners.flags.writeable = False
    assert match(implementation, pixels=pixels, corners=corners, other=pixels, other_corners=corners).all()
    assert predict(implementation, pixels=pixels, reference=pixels, offsets=corners).ravel().tolist() == list(
        range(80, 160)
    )
    assert len(implementation.landmarks(pixels, 1)[0]) == 8 * 29
    np.testing.assert_array_equal(pixels, before)
