"""Maps of pictures that lost seams: against folds where both can tell, by hand where only seams can, and as JSON."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixtrim.coordinates import CoordinateMap, SeamStage
from pixtrim.errors import InputError, UsageError


def slanted() -> CoordinateMap:
    """A 4x3 picture whose vertical seam goes through the columns 0, 1 and 2."""
    removed = np.zeros((3, 4), np.bool_)
    removed[[0, 1, 2], [0, 1, 2]] = True
    return CoordinateMap((4, 3), (SeamStage((4, 3), "x", removed),))


def test_a_slanted_seam_by_hand() -> None:
    seam = slanted()
    assert seam.reduced_size == (3, 3)
    np.testing.assert_array_equal(
        seam.to_reduced([[0.5, 0.5], [1.25, 0.5], [0.5, 1.5], [1.5, 1.5], [3.5, 2.5], [4.0, 3.0]]),
        [[0, 0.5], [0.25, 0.5], [0.5, 1.5], [1, 1.5], [2.5, 2.5], [3, 3]],
    )
    np.testing.assert_array_equal(
        seam.to_original([[0, 0], [0.5, 1.5], [1, 1.5], [2, 2.5], [3, 0.5]]),
        [[1, 0], [0.5, 1.5], [2, 1.5], [3, 2.5], [4, 0.5]],
    )
    # Each row of a box has a part of its own; the box is around all of them, without the joins at its sides.
    np.testing.assert_array_equal(seam.to_reduced(boxes=[[0, 0, 1, 3], [0, 0, 1, 1], [2, 1, 3, 2]])[1], [0, 0, 0, 1])
    np.testing.assert_array_equal(seam.to_reduced(boxes=[0, 0, 1, 3]), [0, 0, 1, 3])
    np.testing.assert_array_equal(
        seam.to_original(boxes=[[0, 0, 1, 1], [0, 0, 1, 3], [1, 1, 2, 2]]), [[1, 0, 2, 1], [0, 0, 2, 3], [2, 1, 3, 2]]
    )
    picture = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(seam.to_reduced(mask=picture), [[1, 2, 3], [4, 6, 7], [8, 9, 11]])
    np.testing.assert_array_equal(
        seam.to_original(mask=np.arange(9).reshape(3, 3)), [[0, 0, 1, 2], [3, 4, 4, 5], [6, 7, 8, 8]]
    )


@st.composite
def straight(draw: st.DrawFn) -> tuple[CoordinateMap, CoordinateMap, int]:
    """The same columns or rows dropped from every line: as seams, and as a fold."""
    width, height = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    axis = draw(st.sampled_from("xy"))
    length = width if axis == "x" else height
    kept = np.array(draw(st.lists(st.booleans(), min_size=length, max_size=length).filter(any)))
    removed = np.broadcast_to(~kept if axis == "x" else ~kept[:, None], (height, width)).copy()
    seams = CoordinateMap((width, height), (SeamStage((width, height), axis, removed),))
    fold = CoordinateMap.keep(None if axis == "x" else kept, kept if axis == "x" else None, (width, height))
    return seams, fold, draw(st.integers(0, 2**32 - 1))


@given(straight())
def test_straight_seams_are_a_fold(case: tuple[CoordinateMap, CoordinateMap, int]) -> None:
    seams, fold, seed = case
    rng = np.random.default_rng(seed)
    assert seams.reduced_size == fold.reduced_size
    for size, way in ((fold.original_size, "to_reduced"), (fold.reduced_size, "to_original")):
        one, other = getattr(seams, way), getattr(fold, way)
        points = np.rint(rng.random((40, 2)) * size * 4) / 4
        np.testing.assert_array_equal(one(points), other(points))
        boxes = np.sort(np.rint(rng.random((40, 2, 2)) * size * 4) / 4, axis=1).reshape(-1, 4)
        # A fold's box without height asks for the pixels below it; so do seams.
        np.testing.assert_array_equal(one(boxes=boxes), other(boxes=boxes))
        mask = rng.integers(0, 99, size[::-1])
        np.testing.assert_array_equal(one(mask=mask), other(mask=mask))


@st.composite
def stages(draw: st.DrawFn) -> CoordinateMap:
    """Random seams, one direction after the other."""
    width, height = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size, found = (width, height), []
    for axis in draw(st.lists(st.sampled_from("xy"), max_size=4)):
        length = size[0] if axis == "x" else size[1]
        lines = size[1] if axis == "x" else size[0]
        count = int(rng.integers(0, length))
        removed = np.argsort(np.argsort(rng.random((lines, length)), axis=1), axis=1) < count
        stage = SeamStage(size, axis, np.ascontiguousarray(removed if axis == "x" else removed.T))
        found.append(stage)
        size = stage.reduced_size
    return CoordinateMap((width, height), tuple(found))


@given(stages())
def test_kept_pixels_come_back_and_json_keeps_the_map(seams: CoordinateMap) -> None:
    width, height = seams.reduced_size
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    there = seams.to_original(pixels=pixels)
    np.testing.assert_array_equal(seams.to_reduced(pixels=there), pixels)
    assert len(np.unique(there.reshape(-1, 2), axis=0)) == width * height
    picture = np.arange(seams.original_size[0] * seams.original_size[1]).reshape(seams.original_size[::-1])
    reduced = seams.to_reduced(mask=picture)
    np.testing.assert_array_equal(reduced, picture[there[..., 1], there[..., 0]])
    again = CoordinateMap.from_json(seams.to_json())
    assert again == seams
    np.testing.assert_array_equal(again.to_reduced(mask=picture), reduced)


@given(stages())
def test_boxes_hold_what_their_points_map_to(seams: CoordinateMap) -> None:
    rng = np.random.default_rng(0)
    box = np.sort(rng.random((2, 2)) * seams.original_size, axis=0)
    inside = box[0] + rng.random((50, 2)) * (box[1] - box[0])
    x0, y0, x1, y1 = seams.to_reduced(boxes=box.ravel())
    kept = seams.to_reduced(inside)
    back = seams.to_original(kept)
    alive = (np.abs(back - inside) < 1e-9).all(axis=1)  # the others were taken out
    assert ((kept >= [x0, y0]) & (kept <= [x1, y1]))[alive].all()


def stage(**change: Any) -> dict[str, Any]:
    data = json.loads(slanted().to_json())
    data["stages"][0].update(change)
    return data


def packed(octets: bytes) -> str:
    return base64.b64encode(zlib.compress(octets)).decode()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"axis": "z"}, '"x" or "y" is possible'),
        ({"axis": []}, '"x" or "y" is possible'),
        ({"removed": 5}, "base64 of deflated bits"),
        ({"removed": "!!"}, "base64 of deflated bits"),
        ({"removed": base64.b64encode(b"not deflated").decode()}, "base64 of deflated bits"),
        ({"removed": packed(b"\0")}, "not 2 bytes of bits"),
        ({"removed": packed(bytes(2**20))}, "not 2 bytes of bits"),
        ({"removed": packed(b"\x80\0")}, "a row loses 0 pixels and another one 1 of 4"),
        ({"removed": packed(b"\xff\xf0")}, "and to keep one"),
        ({"original": [20_000, 20_000]}, "at most 268435456 pixels"),
        ({"more": 1}, "members"),
    ],
)
def test_bad_json_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        CoordinateMap.from_dict(stage(**change))


@pytest.mark.parametrize(
    ("size", "axis", "removed", "message"),
    [
        ((4, 3), "x", np.zeros((3, 4)), r"float64 \(3, 4\); bool \(3, 4\) is needed"),
        ((4, 3), "x", np.zeros((4, 3), np.bool_), r"bool \(4, 3\); bool \(3, 4\) is needed"),
        ((4, 3), "x", None, "NoneType"),
        ((0, 3), "x", np.zeros((3, 0), np.bool_), "original size"),
        ((4, 3), "y", np.eye(3, 4, dtype=np.bool_), "a column loses 0 pixels and another one 1 of 3"),
    ],
)
def test_bad_stages_are_refused(size: Any, axis: Any, removed: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SeamStage(size, axis, removed)


def test_a_stage_keeps_its_own_copy() -> None:
    removed = np.eye(3, 4, dtype=np.bool_)
    one = SeamStage((4, 3), "x", removed)
    removed[:] = False
    assert one.removed.sum() == 3
    assert one == SeamStage((4, 3), "x", np.eye(3, 4, dtype=np.bool_))
    assert hash(one) == hash(SeamStage((4, 3), "x", np.eye(3, 4, dtype=np.bool_)))
    assert one != SeamStage((4, 3), "x", np.eye(3, 4, 1, dtype=np.bool_))
