"""What the engine takes as a prompt, and what it says of the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pictures import Pixels, ask, clip, page, stock
from PIL import Image
from tiny import FAMILIES, make_model, make_processor

from pixtrim.engines.families import family_of
from pixtrim.engines.pixels import frames_of, levels, strips
from pixtrim.engines.transformers import TransformersPruner
from pixtrim.engines.transformers.prompt import read_prompt
from pixtrim.errors import InputError, UsageError
from pixtrim.grid import PatchGrid

PLACEHOLDER = "<|vision_start|><|image_pad|><|vision_end|>"


def engine_of(family: str = "qwen3_vl") -> TransformersPruner:
    return TransformersPruner(make_model(family), make_processor(family))


def same(one: Any, other: Any) -> bool:
    pooled = [inputs["mm_encoder_outputs"]["image"].pooler_output for inputs in (one, other)]
    return all(torch.equal(one[name], other[name]) for name in ("input_ids", "attention_mask", "position_ids")) and all(
        torch.equal(*pair) for pair in zip(*pooled, strict=True)
    )


def test_all_forms_of_a_prompt_make_the_same_inputs() -> None:
    engine, pixels = engine_of(), page()
    expected = engine(ask(pixels))
    bare = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what?"}]}]
    assert same(engine(bare, images=[Image.fromarray(pixels)]), expected)
    text = f"<|im_start|>user\n{PLACEHOLDER}what?<|im_end|>\n<|im_start|>assistant\n"
    assert same(engine(text, images=[Image.fromarray(pixels)]), expected)
    assert same(engine([text], images=[pixels]), expected)
    assert same(engine([ask(pixels)]), expected)
    assert same(engine(stock(engine.processor, ask(pixels))), expected)
    assert same(engine(dict(stock(engine.processor, ask(pixels)))), expected)


def test_settings_of_the_processor_are_handed_on() -> None:
    engine, pixels = engine_of(), page()
    small = {"size": {"shortest_edge": 56 * 56, "longest_edge": 160 * 160}}
    engine(ask(pixels), images_kwargs=small)
    assert engine.last is not None
    assert engine.last.tokens == 25 - 5
    told = engine(ask(pixels), add_generation_prompt=False)["input_ids"]
    assert told.shape[1] == engine.last.kept_prompt_tokens[0] < engine(ask(pixels))["input_ids"].shape[1]


def test_padding_may_be_at_either_side_and_fields_of_tokens_go_along() -> None:
    engine = engine_of()
    rows = [ask(page(), text="a"), ask(page(200, 200, 1), text="a longer one")]
    for side in ("left", "right"):
        engine.processor.tokenizer.padding_side = side
        given = dict(stock(engine.processor, rows))
        given["labels"] = given["input_ids"].clone()
        inputs = engine(given)
        mask = inputs["attention_mask"]
        assert bool(mask[:, 0].all()) == (side == "right")
        assert bool(mask[:, -1].all()) == (side == "left")
        assert torch.equal(inputs["labels"][mask.bool()], inputs["input_ids"][mask.bool()])
        assert (inputs["labels"][~mask.bool()] == -100).all()
        assert (inputs["input_ids"][~mask.bool()] == engine.processor.tokenizer.pad_token_id).all()


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_pictures_come_back_from_patches_as_the_processor_sized_them(family: str) -> None:
    processor, pixels = make_processor(family), page(391, 287)
    image = processor.image_processor
    found = image(images=[pixels], return_tensors="pt", do_rescale=False, do_normalize=False)
    normal = image(images=[pixels], return_tensors="pt")
    grid = PatchGrid.from_thw(
        found["image_grid_thw"][0].tolist(), patch_size=image.patch_size, order=family_of(family).order
    )
    raw = levels(found["pixel_values"], image, normalised=False)
    assert torch.equal(levels(normal["pixel_values"], image, normalised=True), raw)
    frame = frames_of(raw, grid)[0]
    sized = np.asarray(
        Image.fromarray(pixels).resize((grid.fitted_width, grid.fitted_height), Image.Resampling.BICUBIC)
    )
    assert np.abs(frame.astype(int) - sized.astype(int)).mean() < 0.5  # each backend rounds in its own way
    again = image(images=[frame], return_tensors="pt", do_resize=False)
    assert torch.equal(again["pixel_values"], normal["pixel_values"])
    tokens = grid.view_tokens(frame).reshape(-1, *grid.token_shape, 3)
    whole = strips([tokens], [(grid.grid_h, grid.grid_w)], image)
    assert torch.equal(whole, normal["pixel_values"])


@pytest.mark.parametrize("family", [name for name in sorted(FAMILIES) if FAMILIES[name].video])
def test_frames_come_back_from_patches(family: str) -> None:
    processor = make_processor(family)
    prompt = read_prompt(processor, family_of(family), f"{FAMILIES[family].video}?", videos=[clip(5)])
    (picture,) = prompt.of("video")
    assert picture.frames.shape[0] == picture.grid.frames == 6
    part = processor.video_processor
    clips = torch.from_numpy(picture.frames).permute(0, 3, 1, 2)
    again = part(videos=[clips], do_resize=False, do_sample_frames=False, return_tensors="pt")
    stock_values = part(videos=[clip(5)], do_sample_frames=False, return_tensors="pt")
    assert torch.equal(again["pixel_values_videos"], stock_values["pixel_values_videos"])
    assert np.array_equal(picture.frames[4], picture.frames[5])


def noisy(values: torch.Tensor) -> torch.Tensor:
    return values + 0.004 * torch.rand_like(values)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda g: g.pop("mm_token_type_ids"), UsageError, "return_mm_token_type_ids=True"),
        (lambda g: g.pop("input_ids"), UsageError, "no tensor input_ids"),
        (lambda g: g.update(input_ids=g["input_ids"].tolist()), UsageError, 'return_tensors="pt"'),
        (lambda g: g.update(pixel_values=noisy(g["pixel_values"])), InputError, "levels from whole ones"),
        (lambda g: g.update(pixel_values=g["pixel_values"] * 3), InputError, "levels from whole ones"),
        (lambda g: g.update(pixel_values=g["pixel_values"] * float("nan")), InputError, "levels from whole ones"),
        (
            lambda g: g.update(pixel_values=g["pixel_values"][4:]),
            InputError,
            "has 428 patches, image_grid_thw makes 432",
        ),
        (
            lambda g: g["mm_token_type_ids"].zero_(),
            InputError,
            "has 0 placeholders for images, whose pictures have 108",
        ),
        (lambda g: g["mm_token_type_ids"].fill_(1), InputError, "the prompt has 134 placeholders for images"),
    ],
)
def test_a_processors_output_that_does_not_fit_is_refused(change: Any, error: type[Exception], message: str) -> None:
    engine = engine_of()
    given = dict(stock(engine.processor, ask(page())))
    change(given)
    with pytest.raises(error, match=message):
        engine(given)
    assert engine.last is None


@pytest.mark.parametrize("source", [3, None, [], [3], b"text", [["text"], 3]])
def test_what_is_no_prompt_is_refused(source: Any) -> None:
    with pytest.raises(UsageError, match=r"the prompt is \w+: give messages, a text"):
        engine_of()(source)


def test_a_processors_output_has_its_own_pictures() -> None:
    engine = engine_of()
    with pytest.raises(UsageError, match="give one of them"):
        engine(stock(engine.processor, ask(page())), images=[page()])


def test_hostile_text_is_text() -> None:
    """A placeholder that a user types into a text is one for the processor, which has no picture for it."""
    engine = engine_of()
    with pytest.raises((ValueError, IndexError, StopIteration, KeyError)):
        engine(ask(page(), text=PLACEHOLDER))


def test_inputs_are_left_alone() -> None:
    engine, pixels = engine_of(), page()
    messages: Any = ask(pixels)
    before: Pixels = pixels.copy()
    given = stock(engine.processor, messages)
    kept = {name: value.clone() for name, value in given.items()}
    engine(given)
    engine(messages)
    assert np.array_equal(pixels, before)
    assert all(torch.equal(given[name], kept[name]) for name in kept)
    assert set(given) == set(kept)
