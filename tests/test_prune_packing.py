"""Plans as bytes: compact, versioned, and safe against whatever else arrives."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixtrim.errors import InputError
from pixtrim.grid import PatchGrid
from pixtrim.operators.prune import KeepPlan
from pixtrim.pruning import prune


def page() -> np.ndarray:
    pixels = np.full((1056, 800, 3), 255, np.uint8)
    rng = np.random.default_rng(0)
    pixels[100:900:40, 100:700] = rng.integers(0, 256, (20, 600, 3))
    return pixels


PAGE = page()
PLAN = prune(PAGE, "qwen3-vl")
BODY = zlib.decompress(PLAN.to_bytes()[9:-4])


def framed(body: bytes) -> bytes:
    """Wrap a changed body as `to_bytes` does, so that its check sum is right."""
    return sealed(struct.pack("<4sBI", b"PXKP", 1, len(body)) + zlib.compress(body))


def sealed(data: bytes) -> bytes:
    """Add the check sum."""
    return data + struct.pack("<I", zlib.crc32(data))


def test_a_plan_is_a_few_hundred_bytes() -> None:
    assert PLAN.tokens == 825
    assert len(PLAN.to_bytes()) < 300
    assert KeepPlan.from_bytes(framed(BODY)) == PLAN


def test_plans_of_real_screens_are_smaller_than_half_a_byte_a_token(shared_data: Path) -> None:
    paths = sorted((shared_data / "gui_sequences" / "webvoyager" / "taskGitHub_0").glob("*.png"))
    plans = [prune(path, "qwen3-vl", selector=name) for path in paths for name in ("pred_2d", "pred_near")]
    assert sum(len(plan.to_bytes()) for plan in plans) < 0.5 * sum(plan.tokens for plan in plans)


@given(st.integers(0, len(PLAN.to_bytes()) - 1))
def test_bytes_that_are_cut_off_are_refused(length: int) -> None:
    with pytest.raises(InputError, match="no plan of version 1, or are damaged"):
        KeepPlan.from_bytes(PLAN.to_bytes()[:length])


@given(st.integers(1, 255))
def test_every_changed_byte_is_noticed(change: int) -> None:
    for at in range(len(PLAN.to_bytes())):
        data = bytearray(PLAN.to_bytes())
        data[at] ^= change
        with pytest.raises(InputError, match="no plan of version 1"):
            KeepPlan.from_bytes(bytes(data))


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        KeepPlan.from_bytes(data)


@given(st.lists(st.tuples(st.integers(0, len(BODY) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_hostile_body_gives_a_sound_plan_or_an_error(changes: list[tuple[int, int]]) -> None:
    body = bytearray(BODY)
    for at, value in changes:
        body[at] = value
    try:
        plan = KeepPlan.from_bytes(framed(bytes(body)))
    except InputError:
        return
    flat = plan.sources.ravel()
    assert plan.kept >= 1
    assert plan.keep.ravel()[flat[flat < plan.tokens]].all()
    assert ((flat >= 0) & (flat < plan.tokens * (len(plan.offsets) + 1))).all()


def test_a_version_that_is_not_known_says_so() -> None:
    data = bytearray(PLAN.to_bytes())
    data[4] = 2
    with pytest.raises(InputError, match="they have version 2"):
        KeepPlan.from_bytes(bytes(data))


def test_a_bomb_is_not_inflated() -> None:
    bomb = sealed(struct.pack("<4sBI", b"PXKP", 1, 1 << 31) + zlib.compress(bytes(1 << 20)))
    with pytest.raises(InputError, match="the limit is"):
        KeepPlan.from_bytes(bomb)
    bomb = sealed(struct.pack("<4sBI", b"PXKP", 1, 100) + zlib.compress(bytes(1 << 24)))
    with pytest.raises(InputError, match="cut off, or go on"):
        KeepPlan.from_bytes(bomb)


def test_a_source_outside_the_reference_is_refused() -> None:
    grid = PatchGrid.from_thw((1, 16, 16))
    wall = np.random.default_rng(0).integers(0, 256, (300, 256, 3), np.uint8)
    plan = prune(np.ascontiguousarray(wall[20:276]), grid, reference=np.ascontiguousarray(wall[:256]))
    assert [20, 0] in plan.offsets.tolist()
    data = plan.to_bytes()
    body = zlib.decompress(data[9:-4])
    offset = struct.pack("<2i", 20, 0)
    assert body.count(offset) == 1
    with pytest.raises(InputError, match="from outside the reference"):
        KeepPlan.from_bytes(framed(body.replace(offset, struct.pack("<2i", 0, -20))))
