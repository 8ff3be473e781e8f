"""The grid of patches and tokens, against the image processors that models are released with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers.models.glm4v import image_processing_pil_glm4v as glm4v
from transformers.models.glm46v import image_processing_pil_glm46v as glm46v
from transformers.models.paddleocr_vl import image_processing_pil_paddleocr_vl as paddleocr_vl
from transformers.models.qwen2_vl import image_processing_pil_qwen2_vl as qwen2_vl

from pixtrim.errors import InputError, PixtrimError, UnknownModelError, UsageError
from pixtrim.grid import PatchGrid
from pixtrim.tokens import models


@dataclass(frozen=True)
class Released:
    """A processor as transformers has it, with the numbers of the published checkpoints."""

    kind: Callable[..., Any]
    smart_resize: Callable[..., tuple[int, int]]
    patch: int
    least: int
    most: int

    def processor(self, **settings: Any) -> Any:
        size = {"shortest_edge": self.least, "longest_edge": self.most}
        return self.kind(patch_size=self.patch, size=size, do_rescale=False, do_normalize=False, **settings)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return the width and height to which the processor scales; ValueError where it refuses."""
        frames = {"num_frames": 2} if self.smart_resize in (glm4v.smart_resize, glm46v.smart_resize) else {}
        down, across = self.smart_resize(
            height=height, width=width, factor=2 * self.patch, min_pixels=self.least, max_pixels=self.most, **frames
        )
        return across, down


QWEN = (qwen2_vl.Qwen2VLImageProcessorPil, qwen2_vl.smart_resize)
GLM4 = (glm4v.Glm4vImageProcessorPil, glm4v.smart_resize)
GLM46 = (glm46v.Glm46VImageProcessorPil, glm46v.smart_resize)
PADDLE = (paddleocr_vl.PaddleOCRVLImageProcessorPil, paddleocr_vl.smart_resize)

RELEASED = {
    "qwen2.5-vl": Released(*QWEN, 14, 3136, 12845056),
    "qwen2-vl": Released(*QWEN, 14, 3136, 12845056),
    "qwen3.5": Released(*QWEN, 16, 65536, 16777216),
    "qwen3-vl": Released(*QWEN, 16, 65536, 16777216),
    "glm-4.6v": Released(*GLM46, 14, 12544, 9633792),
    "glm-4.6v-flash": Released(*GLM46, 14, 12544, 9633792),
    "glm-ocr": Released(*GLM46, 14, 12544, 9633792),
    "glm-4.5v": Released(*GLM4, 14, 12544, 9633792),
    "glm-4.1v": Released(*GLM4, 14, 12544, 9633792),
    "paddleocr-vl-1.5": Released(*PADDLE, 14, 112896, 1003520),
    "paddleocr-vl": Released(*PADDLE, 14, 147384, 2822400),
}
# One model of each arithmetic and patch size: the others differ by limits only, or not at all.
KINDS = ("qwen2.5-vl", "qwen3-vl", "glm-4.6v", "glm-4.1v", "paddleocr-vl")

sides = st.one_of(st.integers(1, 60), st.integers(1, 1200), st.integers(1, 9000))
small_sides = st.one_of(st.integers(1, 60), st.integers(1, 400))
seeds = st.integers(0, 2**32 - 1)


def noise(height: int, width: int, seed: int) -> np.ndarray:
    """Half of it noise, half of it flat, so that resampling has edges and repeats to work on."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    pixels[:, : width // 2] = pixels[0, 0]
    return pixels


def tokens_of(grid: PatchGrid, rows: np.ndarray) -> np.ndarray:
    """Rows of pixel_values in the merged order, as tokens: (n, frames, side, side, 3)."""
    patch, merge = grid.patch_size, grid.spatial_merge_size
    split = rows.reshape(-1, merge, merge, 3, grid.temporal_patch_size, patch, patch)
    return split.transpose(0, 4, 1, 5, 2, 6, 3).reshape(
        -1, grid.temporal_patch_size, grid.token_size, grid.token_size, 3
    )


# --- sizes -----------------------------------------------------------------------------------------------------------


def test_every_model_with_a_grid_is_compared() -> None:
    assert set(RELEASED) == {rule.name for rule in models() if rule.grid}


@pytest.mark.parametrize("model", RELEASED)
@given(width=sides, height=sides)
@settings(max_examples=200)
def test_resize_asks_for_the_size_of_the_processor(model: str, width: int, height: int) -> None:
    released = RELEASED[model]
    try:
        across, down = released.size(width, height)
    except ValueError:
        with pytest.raises(InputError, match=f"{width}x{height} is longer than 200 to 1"):
            PatchGrid.for_model(model, width, height)
        return
    grid = PatchGrid.for_model(model, width, height)
    assert (grid.fitted_width, grid.fitted_height) == (across, down)
    assert grid.grid_thw == (1, down // released.patch, across // released.patch)
    assert (grid.token_size, grid.tokens) == (2 * released.patch, across * down // (2 * released.patch) ** 2)


@pytest.mark.parametrize("model", KINDS)
@given(short=st.integers(1, 90), more=st.integers(-2, 2), turned=st.booleans())
def test_the_shapes_that_are_refused_are_the_processor_s(model: str, short: int, more: int, turned: bool) -> None:
    width, height = (short, 200 * short + more) if turned else (200 * short + more, short)
    refused = []
    for ask in (RELEASED[model].size, lambda *size: PatchGrid.for_model(model, *size)):
        try:
            ask(width, height)
        except ValueError:
            refused.append(ask)
    assert len(refused) in (0, 2)
    assert len(refused) == (2 if more > 0 else 0)


@pytest.mark.parametrize("model", RELEASED)
@given(width=sides, height=sides)
@settings(max_examples=200)
def test_pad_makes_the_smallest_size_that_the_processor_leaves_alone(model: str, width: int, height: int) -> None:
    released, side = RELEASED[model], 2 * RELEASED[model].patch
    tight = -(-width // side) * side, -(-height // side) * side
    try:
        wanted = released.size(*tight)
    except ValueError:
        wanted = (0, 0)
    if wanted[0] < tight[0] or wanted[1] < tight[1]:
        with pytest.raises(PixtrimError):
            PatchGrid.for_model(model, width, height, fit="pad")
        return
    grid = PatchGrid.for_model(model, width, height, fit="pad")
    fitted = grid.fitted_width, grid.fitted_height
    assert fitted == wanted
    assert released.size(*fitted) == fitted
    assert fitted[0] >= width
    assert fitted[1] >= height


def test_errors_of_sizes() -> None:
    with pytest.raises(
        UsageError, match=r"5000x5000 padded to 5024x5024 .* qwen3-vl, 16777216 pixels: use fit='resize'"
    ):
        PatchGrid.for_model("qwen3-vl", 5000, 5000, fit="pad")
    with pytest.raises(InputError, match=r"10016x32 is longer than 200 to 1, .* of qwen3-vl refuses: cut it"):
        PatchGrid.for_model("qwen3-vl", 10_000, 10, fit="pad")
    assert PatchGrid.for_model("qwen3-vl", 2500, 10, fit="pad").grid_thw == (1, 2, 158)  # 2528 x 32: 79 to 1
    with pytest.raises(InputError, match="longer than 200 to 1"):
        PatchGrid.for_model("qwen3-vl", 2500, 10)


# --- pixels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", KINDS)
@given(width=small_sides, height=small_sides, seed=seeds)
@settings(max_examples=100)
def test_pixels_are_those_of_the_processor(model: str, width: int, height: int, seed: int) -> None:
    if max(width, height) > 200 * min(width, height):
        return
    pixels = noise(height, width, seed)
    values = RELEASED[model].processor()(images=Image.fromarray(pixels), return_tensors="np")
    grid = PatchGrid.of(pixels, model)
    assert values["image_grid_thw"].tolist() == [list(grid.grid_thw)]
    compare(grid, grid.fit_pixels(pixels), values["pixel_values"], seed)


def compare(grid: PatchGrid, fitted: np.ndarray, rows: np.ndarray, seed: int) -> None:
    """Find the tokens of a fitted picture again in the rows of pixel_values, some of them and all of them."""
    tokens = grid.view_tokens(fitted)
    keep = np.random.default_rng(seed).random(tokens.shape[:2]) < 0.5
    assert len(rows) == grid.grid_thw[1] * grid.grid_thw[2]
    if grid.order == "raster":
        # All rows in the order of the picture; then that the indices name the rows of the kept tokens.
        patch = grid.patch_size
        picture = rows.reshape(*grid.grid_thw[1:], 3, patch, patch).transpose(0, 3, 1, 4, 2).reshape(fitted.shape)
        assert (picture == fitted).all()
        chosen = np.zeros(len(rows), bool)
        chosen[grid.patch_indices(keep)] = True
        assert (chosen.reshape(grid.grid_h, 2, grid.grid_w, 2) == keep[:, None, :, None]).all()
        return
    for some in (keep, np.ones_like(keep)):
        found = tokens_of(grid, rows[grid.patch_indices(some)])
        assert (found == tokens[some][:, None]).all()  # in both frames, into which a still picture is doubled


@pytest.mark.parametrize("model", KINDS)
@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (3000, 2500), (1240, 1754), (20, 900)])
def test_pixels_of_larger_pictures(model: str, width: int, height: int) -> None:
    pixels = noise(height, width, 0)
    values = RELEASED[model].processor()(images=Image.fromarray(pixels), return_tensors="np")
    grid = PatchGrid.of(pixels, model)
    assert values["image_grid_thw"].tolist() == [list(grid.grid_thw)]
    compare(grid, grid.fit_pixels(pixels), values["pixel_values"], 1)


@pytest.mark.parametrize("model", KINDS)
@given(width=small_sides, height=small_sides, seed=seeds)
@settings(max_examples=50)
def test_padded_pixels_pass_the_processor_unchanged(model: str, width: int, height: int, seed: int) -> None:
    pixels = noise(height, width, seed)
    grid = PatchGrid.of(pixels, model, fit="pad")
    fitted = grid.fit_pixels(pixels)
    beyond = (0, grid.fitted_height - height), (0, grid.fitted_width - width), (0, 0)
    assert (fitted == np.pad(pixels, beyond, mode="edge")).all()
    values = RELEASED[model].processor()(images=Image.fromarray(fitted), return_tensors="np")
    assert values["image_grid_thw"].tolist() == [list(grid.grid_thw)]
    compare(grid, fitted, values["pixel_values"], seed)


@pytest.mark.parametrize("fit", ["resize", "pad"])
def test_nothing_is_copied_where_nothing_changes(fit: str) -> None:
    pixels = noise(256, 320, 2)
    grid = PatchGrid.of(pixels, "qwen3-vl", fit)
    assert grid.fit_pixels(pixels) is pixels
    tokens = grid.view_tokens(pixels)
    assert np.shares_memory(tokens, pixels)
    assert tokens.shape == (8, 10, 32, 32, 3)
    assert (tokens[2, 3] == pixels[64:96, 96:128]).all()


@pytest.mark.parametrize("fit", ["resize", "pad"])
def test_what_is_fitted_can_be_written_and_is_contiguous(fit: str) -> None:
    pixels = noise(250, 300, 2)
    fitted = PatchGrid.of(pixels, "qwen3-vl", fit).fit_pixels(pixels[:, ::-1])
    assert fitted.flags.c_contiguous
    assert fitted.flags.writeable
    assert (fitted == PatchGrid.of(pixels, "qwen3-vl", fit).fit_pixels(pixels[:, ::-1].copy())).all()


# --- clips -----------------------------------------------------------------------------------------------------------


def video_rows(frames: np.ndarray, patch: int, merge: int, depth: int) -> np.ndarray:
    """What the video processors of Qwen2-VL, Qwen3-VL and GLM-4.1V lay out, restated: they need PyTorch.

    They fill the last slot with the last frame; view the clip as (slots, depth, 3, rows, merge, patch, columns, merge,
    patch); and bring that to (slots, rows, columns, merge, merge, 3, depth, patch, patch), one row for each patch.
    """
    lacking = -len(frames) % depth
    frames = np.concatenate([frames, frames[-1:].repeat(lacking, axis=0)]).transpose(0, 3, 1, 2)
    slots, down, across = len(frames) // depth, frames.shape[2] // patch, frames.shape[3] // patch
    view = frames.reshape(slots, depth, 3, down // merge, merge, patch, across // merge, merge, patch)
    ordered = view.transpose(0, 3, 6, 4, 7, 2, 1, 5, 8)
    return ordered.reshape(slots * down * across, 3 * depth * patch * patch)


@given(
    count=st.integers(2, 7),
    rows=st.integers(1, 4),
    columns=st.integers(1, 4),
    patch=st.sampled_from([2, 3, 14]),
    merge=st.integers(1, 3),
    depth=st.integers(1, 3),
    seed=seeds,
)
def test_clips(count: int, rows: int, columns: int, patch: int, merge: int, depth: int, seed: int) -> None:
    side = patch * merge
    frames = np.random.default_rng(seed).integers(0, 256, (count, rows * side, columns * side, 3), np.uint8)
    grid = PatchGrid(
        width=columns * side,
        height=rows * side,
        grid_thw=(-(-count // depth), rows * merge, columns * merge),
        patch_size=patch,
        spatial_merge_size=merge,
        temporal_patch_size=depth,
        frames=count,
    )
    values, slots = video_rows(frames, patch, merge, depth), grid.stack(frames)
    assert slots.flags.c_contiguous
    tokens = np.stack([grid.slot.view_tokens(slot) for slot in slots])
    keep = np.random.default_rng(seed).random(tokens.shape[:3]) < 0.5
    for some in (keep, np.ones_like(keep)):
        found = tokens_of(grid, values[grid.patch_indices(some)])
        assert (found.reshape(-1, depth * side, side, 3) == tokens[some]).all()
        assert (grid.keep_of(grid.token_indices(some)).reshape(some.shape) == some).all()


def test_clips_of_a_model() -> None:
    grid = PatchGrid.for_model("qwen3-vl", 320, 64, frames=5)
    assert (grid.grid_thw, grid.tokens, grid.token_shape) == ((3, 4, 20), 60, (64, 32))
    assert grid.slot == replace(grid, grid_thw=(1, 4, 20), frames=2)
    assert (grid.slot.tokens, grid.slot.token_shape) == (20, (64, 32))
    frames = np.stack([noise(64, 320, seed) for seed in range(5)])
    slots = grid.stack(frames)
    assert slots.shape == (3, 128, 320, 3)
    assert (slots[1, 64:96] == frames[2, 32:]).all()  # the second row of tokens, first frame
    assert (slots[1, 96:] == frames[3, 32:]).all()  # the second row of tokens, second frame
    assert (slots[2, 32:64] == frames[4, :32]).all()  # the last frame again
    assert (grid.stack(frames[::-1]) == grid.stack(frames[::-1].copy())).all()


def test_frames_are_padded_but_not_scaled() -> None:
    with pytest.raises(UsageError, match=r"frames of 310x64 are not whole tokens of 32x32: .* use fit='pad'"):
        PatchGrid.for_model("qwen3-vl", 310, 64, frames=4)
    grid = PatchGrid.for_model("qwen3-vl", 310, 64, "pad", frames=4)
    assert (grid.width, grid.fitted_width, grid.grid_thw) == (310, 320, (2, 4, 20))
    frames = np.stack([noise(64, 310, seed) for seed in range(4)])
    with pytest.raises(
        UsageError, match=r"frames are uint8 \(4, 64, 310, 3\): the grid is for uint8 \(4, 64, 320, 3\)"
    ):
        grid.stack(frames)
    assert grid.stack(np.stack([grid.fit_pixels(frame) for frame in frames])).shape == (2, 128, 320, 3)


def test_a_single_frame_is_a_still_picture() -> None:
    grid = PatchGrid.for_model("qwen3-vl", 256, 256)
    pixels = noise(256, 256, 3)
    assert grid.slot is grid
    assert (grid.stack(pixels[None]) == pixels).all()
    one_frame_a_slot = PatchGrid.for_model("paddleocr-vl", 280, 280, frames=3)
    assert (one_frame_a_slot.grid_thw[0], one_frame_a_slot.token_shape) == (3, (28, 28))


# --- what processors report ------------------------------------------------------------------------------------------


def test_grids_that_processors_report() -> None:
    pixels = noise(300, 500, 4)
    values = RELEASED["qwen3-vl"].processor()(images=Image.fromarray(pixels), return_tensors="np")
    grid = PatchGrid.from_thw(values["image_grid_thw"][0])
    whole = PatchGrid.of(pixels, "qwen3-vl")
    assert grid == replace(whole, width=whole.fitted_width, height=whole.fitted_height)
    assert [type(number) for number in (*grid.grid_thw, grid.width)] == [int] * 4
    clip = PatchGrid.from_thw((3, 4, 6), patch_size=14, video=True)
    assert (clip.frames, clip.width, clip.height, clip.tokens, clip.token_shape) == (6, 84, 56, 18, (56, 28))
    with pytest.raises(UsageError, match="a still picture has one slot; for a clip give video=True"):
        PatchGrid.from_thw((3, 4, 6))


def test_grids_are_values() -> None:
    grid = PatchGrid.for_model("qwen3-vl", 100, 100)
    assert grid == PatchGrid.for_model("Qwen/Qwen3-VL-8B-Instruct", np.int64(100), np.uint8(100))
    assert hash(grid) == hash(PatchGrid.for_model("qwen3-vl", 100, 100))
    assert grid != PatchGrid.for_model("qwen3-vl", 100, 100, fit="pad")
    with pytest.raises(FrozenInstanceError):
        grid.width = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "width is 0: give a whole number from 1"),
        ({"height": 2**31}, "height is 2147483648: give a whole number"),
        ({"patch_size": 16.0}, r"patch_size is 16.0: give"),
        ({"frames": True}, "frames is True: give"),
        ({"grid_thw": (1, 4)}, "give three whole numbers, slots, rows and columns"),
        ({"grid_thw": 7}, "grid_thw is 7: give three"),
        ({"grid_thw": (1, 4, 0)}, r"grid_thw\[2\] is 0: give a whole number"),
        ({"grid_thw": (1, 4, "a" * 90)}, r"grid_thw\[2\] is 'aaaa.*\.\.\.: give a whole number"),
        ({"grid_thw": (1, 4, 5)}, "rows and columns must be multiples of 2, the merge size"),
        ({"grid_thw": (1, 4, 2**30)}, "makes 2147483647 pixels a side at most"),
        ({"grid_thw": (2, 4, 4)}, "1 frames, 2 in a slot, make 1 slots"),
        ({"frames": 3}, "3 frames, 2 in a slot, make 2 slots"),
        ({"patch_size": 513}, "a token is 1026x1026 pixels: .* 1024 a side at most"),
        ({"patch_size": 512, "frames": 2}, "a token is 1024x2048 pixels"),
        ({"order": "hilbert"}, "order is 'hilbert': choose one of merged, raster"),
        ({"fit": None}, "fit is None: choose one of resize, pad"),
        ({"fit": "pad", "width": 65}, "a picture of 65x64 cannot be padded to 64x64"),
    ],
)
def test_grids_that_make_no_sense(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        PatchGrid(**{"width": 64, "height": 64, "grid_thw": (1, 4, 4), **change})
    assert len(str(caught.value).splitlines()) == 1


# --- indices ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["merged", "raster"])
@given(rows=st.integers(1, 9), columns=st.integers(1, 9), slots=st.integers(1, 3), merge=st.integers(1, 3), seed=seeds)
def test_indices(order: str, rows: int, columns: int, slots: int, merge: int, seed: int) -> None:
    thw = slots, rows * merge, columns * merge
    grid = PatchGrid.from_thw(thw, 4, merge, order=order, video=slots > 1)
    shape = (rows, columns) if slots == 1 else (slots, rows, columns)
    keep = np.random.default_rng(seed).random(shape) < 0.5
    tokens, patches = grid.token_indices(keep), grid.patch_indices(keep)
    assert (tokens.dtype, patches.dtype) == (np.int64, np.int64)
    assert len(patches) == merge * merge * len(tokens) == merge * merge * keep.sum()
    assert (np.diff(patches) > 0).all()
    assert (grid.keep_of(tokens) == keep).all()
    assert grid.keep_of(tokens[::-1]).shape == shape
    # Which token each row belongs to, one row after the other.
    if order == "merged":
        owners = [token for token in range(grid.tokens) for _ in range(merge * merge)]
    else:
        owners = [
            (t * rows + y // merge) * columns + x // merge
            for t in range(slots)
            for y in range(thw[1])
            for x in range(thw[2])
        ]
    assert sorted(np.array(owners)[patches].tolist()) == sorted(tokens.repeat(merge * merge).tolist())
    assert grid.patch_indices(np.ones(shape, bool)).tolist() == list(range(len(owners)))
    assert grid.patch_indices(np.zeros(shape, bool)).size == grid.token_indices(np.zeros(shape, bool)).size == 0


def test_one_slot_may_be_named_or_not() -> None:
    grid = PatchGrid.from_thw((1, 4, 4))
    keep = np.array([[True, False], [True, True]])
    assert grid.patch_indices(keep[None]).tolist() == grid.patch_indices(keep).tolist()
    assert grid.keep_of([]).tolist() == [[False, False], [False, False]]


@pytest.mark.parametrize("keep", [np.ones((2, 3), bool), np.ones((2, 2), np.uint8), np.ones(4, bool), [[True] * 2] * 2])
def test_keeps_that_do_not_fit(keep: Any) -> None:
    grid = PatchGrid.from_thw((1, 4, 4))
    for ask in (grid.token_indices, grid.patch_indices):
        with pytest.raises(UsageError, match=r"keep is .*: the grid is for bool \(2, 2\)"):
            ask(keep)
    with pytest.raises(UsageError, match=r"the grid is for bool \(2, 2, 2\)"):
        PatchGrid.from_thw((2, 4, 4), video=True).token_indices(np.ones((2, 2), bool))


@pytest.mark.parametrize("indices", [[-1], [4], [0.5], [[1]], 2, [True], ["1"]])
def test_indices_that_do_not_fit(indices: Any) -> None:
    with pytest.raises(UsageError, match="indices"):
        PatchGrid.from_thw((1, 4, 4)).keep_of(indices)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((64, 64, 3), np.float32),
        np.zeros((64, 65, 3), np.uint8),
        np.zeros((0, 64, 3), np.uint8),
        [[[0, 0, 0]]],
        None,
    ],
)
def test_pictures_that_do_not_fit(pixels: Any) -> None:
    grid = PatchGrid.from_thw((1, 4, 4))
    for ask in (grid.fit_pixels, grid.view_tokens):
        with pytest.raises(UsageError, match=r"the picture is .*: uint8 \(64, 64, 3\) is needed"):
            ask(pixels)
    with pytest.raises(UsageError, match=r"the frames are .*: the grid is for uint8 \(1, 64, 64, 3\)"):
        grid.stack(pixels)


def test_only_contiguous_pictures_can_be_viewed() -> None:
    with pytest.raises(UsageError, match=r"not C-contiguous: give np\.ascontiguousarray"):
        PatchGrid.from_thw((1, 4, 4)).view_tokens(np.zeros((64, 128, 3), np.uint8)[:, ::2])


@pytest.mark.parametrize("pixels", [np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5), np.uint8), None])
def test_grids_of_no_picture(pixels: Any) -> None:
    with pytest.raises(UsageError, match=r"uint8 \(H, W, 3\) with at least one pixel is needed"):
        PatchGrid.of(pixels, "qwen3-vl")


# --- models ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["gpt-4o", "claude-opus-4-7", "qwen3-vl-hosted", "pixtral", "llama-4-scout"])
def test_models_without_a_grid(model: str) -> None:
    with pytest.raises(
        UsageError, match=r"tokens cannot be dropped in .*only in models that one runs oneself"
    ) as caught:
        PatchGrid.for_model(model, 100, 100)
    for rule in models():
        assert (f" {rule.name}," in f"{str(caught.value).partition('choose one of')[2]},") == (rule.grid is not None)


def test_models_that_nobody_knows() -> None:
    with pytest.raises(UnknownModelError):
        PatchGrid.for_model("qwen3-vl-plus", 100, 100)
    with pytest.raises(UsageError, match="fit is 'crop': choose one of resize, pad"):
        PatchGrid.for_model("qwen3-vl", 100, 100, "crop")
    with pytest.raises(UsageError, match=r"width is 1\.5: give a whole number"):
        PatchGrid.for_model("qwen3-vl", 1.5, 100)  # type: ignore[arg-type]
