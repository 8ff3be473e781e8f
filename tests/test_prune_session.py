"""Sequences: scrolling and panning to the pixel, key frames, errors that do not add up, and clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixtrim.errors import InputError, UsageError
from pixtrim.grid import PatchGrid
from pixtrim.operators.prune import shifts
from pixtrim.pruning import Session, Settings, prune, prune_clip

WALL = np.random.default_rng(7).integers(0, 256, (420, 420, 3), np.uint8)


def window(y: int, x: int, height: int = 256, width: int = 256) -> np.ndarray:
    return np.ascontiguousarray(WALL[y : y + height, x : x + width])


# --- motion --------------------------------------------------------------------------------------------------------


@given(st.integers(-80, 80), st.integers(-80, 80))
def test_any_shift_is_found_to_the_pixel(dy: int, dx: int) -> None:
    before, after = window(80, 80), window(80 + dy, 80 + dx)
    assert shifts(after, before).tolist() == ([[dy, dx]] if dy or dx else [])


@given(st.integers(-80, 80), st.integers(-80, 80))
def test_what_scrolled_in_is_all_that_is_kept(dy: int, dx: int) -> None:
    before, after = window(80, 80), window(80 + dy, 80 + dx)
    grid = PatchGrid.from_thw((1, 16, 16))
    plan = prune(after, grid, reference=before)
    y, x = np.mgrid[0:256:32, 0:256:32]
    inside = (y + dy >= 0) & (y + dy + 32 <= 256) & (x + dx >= 0) & (x + dx + 32 <= 256)
    assert plan.keep.tolist() == (~inside).tolist() if not inside.all() else plan.kept == 1
    assert np.array_equal(plan.decode(plan.take(after), before), after)


def test_two_panes_that_scroll_apart_are_both_found() -> None:
    before = np.hstack([window(50, 0, 256, 128), window(50, 200, 256, 128)])
    after = np.hstack([window(89, 0, 256, 128), window(33, 200, 256, 128)])
    plan = prune(np.ascontiguousarray(after), PatchGrid.from_thw((1, 16, 16)), reference=np.ascontiguousarray(before))
    assert {tuple(offset) for offset in plan.offsets.tolist()} == {(0, 0), (39, 0), (-17, 0)}
    assert plan.kept == 2 * 4 + 1 * 4


def test_blank_and_periodic_pictures_have_no_shift() -> None:
    blank = np.full((200, 300, 3), 255, np.uint8)
    assert shifts(blank, blank).tolist() == []
    periodic = np.tile(WALL[:20, :20], (10, 15, 1))
    assert shifts(np.ascontiguousarray(periodic[5:]), np.ascontiguousarray(periodic)).tolist() == []


def test_pictures_narrower_than_a_landmark_are_left() -> None:
    assert shifts(window(0, 0, 100, 31), window(3, 0, 100, 31)).tolist() == []


def test_a_reference_of_another_size_is_used_where_it_reaches() -> None:
    after = window(0, 0)
    plan = prune(after, "qwen3-vl", reference=window(0, 0, 256, 320))
    assert plan.kept == 1
    assert plan.reference_size == (320, 256)


# --- sessions ------------------------------------------------------------------------------------------------------


def test_a_session_keeps_what_changed() -> None:
    session = Session()
    screen = window(0, 0)
    first = session.add(screen)
    screen[33:40, 65:70] ^= 255
    second = session.add(screen)
    assert (first.kept, first.key) == (64, True)
    assert (second.kept, second.key) == (1, False)
    assert second.keep[1, 2]
    assert (session.pictures, session.tokens, session.kept) == (2, 128, 65)


def test_the_session_has_its_own_copy_of_what_it_was_given() -> None:
    session = Session()
    screen = window(0, 0)
    session.add(screen)
    screen[:] = 0  # the caller goes on with the array; this is not what the session saw
    assert session.add(window(0, 0)).kept == 1


@pytest.mark.parametrize(("every", "keys"), [(None, [0]), (1, [0, 1, 2, 3, 4, 5, 6]), (3, [0, 3, 6])])
def test_key_frames_come_when_they_are_due(every: int | None, keys: list[int]) -> None:
    session = Session(key_every=every)
    assert [at for at in range(7) if session.add(window(0, 0)).key] == keys


def test_a_picture_of_which_most_has_changed_is_a_key_frame() -> None:
    session = Session(refresh=0.9)
    session.add(window(0, 0))
    mostly = np.random.default_rng(1).integers(0, 256, (256, 256, 3), np.uint8)
    mostly[:32, :192] = window(0, 0)[:32, :192]  # 6 of 64 tokens are as before: less than a tenth
    assert session.add(mostly).key
    some = mostly.copy()
    some[64:] = WALL[100:292, 100:356]  # 16 of 64 are: the reference is worth it
    plan = session.add(some)
    assert (plan.key, plan.kept) == (False, 48)


def test_restart_forgets() -> None:
    session = Session()
    session.add(window(0, 0))
    session.restart()
    assert session.add(window(0, 0)).key


def test_a_picture_that_cannot_be_used_leaves_the_session_as_it_was() -> None:
    session = Session()
    session.add(window(0, 0))
    with pytest.raises(InputError):
        session.add(b"no picture")
    assert (session.pictures, session.add(window(0, 0)).kept) == (1, 1)


@given(st.integers(0, 1000), st.sampled_from(["pred_2d", "pred_near", "raster"]))
def test_errors_do_not_add_up_over_a_sequence(seed: int, selector: str) -> None:
    """A picture that fades by a level each time is never off by more than the threshold."""
    rng = np.random.default_rng(seed)
    session = Session(settings=Settings(threshold=3, selector=selector), refresh=1.0)
    flat = rng.integers(0, 4, (8, 8)).repeat(32, 0).repeat(32, 1)[..., None].repeat(3, 2) * 50
    decoded = None
    for at in range(12):
        picture = (flat + at + rng.integers(0, 2, flat.shape)).astype(np.uint8)
        plan = session.add(picture)
        decoded = plan.decode(plan.take(picture), None if plan.key else decoded)
        assert np.abs(decoded.astype(int) - picture).max() <= 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key_every": 0}, "key_every is 0: give a whole number of pictures from 1"),
        ({"key_every": 2.5}, "key_every is 2.5"),
        ({"key_every": True}, "key_every is True"),
        ({"refresh": 1.5}, "refresh is 1.5: give a share from 0 to 1"),
        ({"refresh": float("nan")}, "refresh is nan"),
    ],
)
def test_bad_policies_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Session(**options)  # type: ignore[arg-type]


# --- real sequences ------------------------------------------------------------------------------------------------

PEERS = {"webvoyager/taskCambridge_Dictionary_29": 0.273, "webvoyager/taskGitHub_0": 0.468, "slack_env": 0.141}
"""Tokens kept with the same place in the picture before as one more predictor, as measured on the published code."""


@pytest.mark.parametrize("place", PEERS)
def test_real_sequences_keep_no_more_than_the_same_place_saves(shared_data: Path, place: str) -> None:
    paths = sorted((shared_data / "gui_sequences" / place).glob("*.png"))
    session = Session(refresh=1.0)
    decoded, ratios = None, []
    for path in paths:
        plan = session.add(path)
        ratios.append(plan.ratio)
        pixels = plan.grid.fit_pixels(read(path))
        decoded = plan.decode(plan.take(pixels), None if plan.key else decoded)
        assert np.array_equal(decoded, pixels)
    assert np.mean(ratios[1:]) <= PEERS[place]


def read(path: Path) -> np.ndarray:
    from pixtrim.image import load

    return load(path).pixels


# --- clips ---------------------------------------------------------------------------------------------------------


def test_a_clip_keeps_a_token_of_every_slot_and_what_moves() -> None:
    frames = np.stack([window(0, 0)] * 7)
    frames[5, 40:50, 40:50] = 0  # in the third slot of two frames
    plans = prune_clip(frames)
    assert [plan.kept for plan in plans] == [64, 1, 1, 1]
    assert plans[2].keep[1, 1]
    assert plans[3].keep[1, 1]  # and back
    assert [plan.key for plan in plans] == [True, False, False, False]
    grid = PatchGrid.for_model("qwen3-vl", 256, 256, frames=7)
    decoded = None
    for plan, slot in zip(plans, grid.stack(frames), strict=True):
        decoded = plan.decode(plan.take(slot), None if plan.key else decoded)
        assert np.array_equal(decoded, slot)
    rows = grid.patch_indices(np.stack([plan.keep for plan in plans]))
    assert len(rows) == 4 * (64 + 3)


def test_frames_are_padded_to_whole_tokens() -> None:
    frames = np.zeros((2, 250, 300, 3), np.uint8)
    (plan,) = prune_clip(frames)
    assert (plan.grid.grid_thw, plan.kept) == ((1, 16, 20), 1)


def test_a_single_frame_is_a_still_picture() -> None:
    (plan,) = prune_clip(window(0, 0)[None])
    assert (plan.kept, plan.grid.token_shape) == (64, (32, 32))


@pytest.mark.parametrize(
    "frames", [np.zeros((256, 256, 3), np.uint8), np.zeros((2, 256, 256, 3)), [1], np.zeros((0, 256, 256, 3), np.uint8)]
)
def test_what_are_no_frames_is_refused(frames: object) -> None:
    with pytest.raises(UsageError):
        prune_clip(frames)  # type: ignore[arg-type]
