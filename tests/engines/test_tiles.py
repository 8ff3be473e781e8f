"""Models that cut pictures into fixed tiles: their pictures are made to cost less, by the processors' own count."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from numpy.typing import NDArray
from pictures import ask, stock
from PIL import Image
from tiny_tiles import FAMILIES, TILE, make_model, make_processor, token_of

from pixtrim.engines.families import TILED
from pixtrim.engines.transformers import PruneConfig, TransformersPruner
from pixtrim.engines.transformers.smaller import SmallerPictures
from pixtrim.engines.transformers.tiles import Tiles, reduce
from pixtrim.errors import UsageError
from pixtrim.legibility import COMFORTABLE_HEIGHT

Pixels = NDArray[np.uint8]

ALL = sorted(FAMILIES)
PAN_AND_SCAN = {"do_pan_and_scan": True}
CUTTING = [name for name in ALL if name != "llava"]
SETTINGS = {"gemma3": PAN_AND_SCAN}
WIDE, TALL = (900, 700), (500, 900)
SHAPES = dict.fromkeys(CUTTING, WIDE) | {"gemma3": TALL}
"""Pages that can be made to cost less."""


def sheet(width: int = 900, height: int = 700, lines: int = 8, seed: int = 0) -> Pixels:
    """A white page with lines of dark letters of 14 pixels near its top, and blank below."""
    rng = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), 255, np.uint8)
    for line in range(lines):
        top = 40 + 30 * line
        for left in range(40, width - 40 - int(rng.integers(0, 60)), 9):
            pixels[top : top + 14, left : left + 6] = rng.integers(0, 120, (14, 6, 1))
    return pixels


def photo(width: int = 300, height: int = 200) -> Pixels:
    noise = np.random.default_rng(1).integers(0, 256, (height // 10, width // 10, 3), np.uint8)
    return np.array(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC))


def engine_of(family: str, **settings: Any) -> tuple[Any, Any, TransformersPruner]:
    model, processor = make_model(family), make_processor(family)
    return model, processor, TransformersPruner(model, processor, **settings)


def placeholders(family: str, inputs: Any) -> list[int]:
    counts: list[int] = (inputs["input_ids"] == token_of(family)).sum(1).tolist()
    return counts


def last_of(engine: TransformersPruner) -> SmallerPictures:
    assert isinstance(engine.last, SmallerPictures)
    return engine.last


def same(one: Any, other: Any) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(torch.as_tensor(one[name]), torch.as_tensor(other[name])), name


def test_every_family_is_tested() -> None:
    assert set(FAMILIES) == set(TILED)


@pytest.mark.parametrize("family", CUTTING)
def test_a_page_costs_fewer_tokens_by_the_processors_own_count(family: str) -> None:
    settings = SETTINGS.get(family, {})
    model, processor, engine = engine_of(family)
    pixels = sheet(*SHAPES[family])
    inputs, last = engine(ask(pixels), **settings), last_of(engine)
    assert placeholders(family, stock(processor, ask(pixels), **settings)) == [last.tokens]
    assert placeholders(family, inputs) == [last.kept]
    assert last.kept < last.tokens
    assert str(last) == f"{last.kept} of {last.tokens} visual tokens ({last.kept / last.tokens:.1%})"
    part = reduce(pixels, Tiles(TILED[family], processor, settings))
    same(dict(inputs), dict(stock(processor, ask(part.image), **settings)))
    said = model.generate(**inputs, max_new_tokens=4, do_sample=False)
    assert said.shape[1] == inputs["input_ids"].shape[1] + 4


@pytest.mark.parametrize("family", CUTTING)
@pytest.mark.parametrize("shape", [(900, 700), (300, 1500), (1400, 500), (640, 640)])
def test_no_letter_is_lost_or_seen_too_small(family: str, shape: tuple[int, int]) -> None:
    processor, settings = make_processor(family), SETTINGS.get(family, {})
    tiles = Tiles(TILED[family], processor, settings)
    pixels = sheet(*shape)
    part = reduce(pixels, tiles)
    letters = [np.sort(image[image.min(-1) < 255], 0) for image in (pixels, part.image)]
    assert np.array_equal(*letters)
    assert tiles.seen(*part.size).tokens <= tiles.seen(*shape).tokens
    if part.steps:
        enough = min(tiles.seen(*shape).scale(*shape), COMFORTABLE_HEIGHT / 14)
        assert tiles.seen(*part.size).scale(*part.size) >= 0.99 * enough


@pytest.mark.parametrize("family", ALL)
def test_photos_go_through_untouched(family: str) -> None:
    model, processor, engine = engine_of(family)
    messages = [ask(photo()), ask(photo(280, 420), photo(100, 300), text="and which of these?")]
    given = stock(processor, messages)
    inputs, last = engine(messages), last_of(engine)
    same(dict(inputs), dict(given))
    assert [picture.operator for picture in last.pictures] == ["none"] * 3
    assert last.kept == last.tokens == sum(placeholders(family, given))
    assert str(last).endswith(f"(100.0%): {engine.note}")
    with torch.no_grad():
        assert torch.equal(model(**inputs).logits, model(**given).logits)


@pytest.mark.parametrize("family", ["llava", "gemma3"])
def test_where_every_picture_costs_the_same_nothing_is_done_and_that_is_said(family: str) -> None:
    _, processor, engine = engine_of(family)
    assert engine.note is not None
    assert engine.note.startswith(TILED[family].why)
    assert "nothing can be saved" in engine.note
    same(dict(engine(ask(sheet()))), dict(stock(processor, ask(sheet()))))
    assert engine.note in str(engine.last)


def test_the_reason_is_told() -> None:
    _, _, engine = engine_of("internvl")
    assert engine.note is not None
    assert engine.note.startswith("InternVL cuts pictures into tiles of one size and gives each its own positions")
    assert TransformersPruner(tiny.make_model("qwen2_vl"), tiny.make_processor("qwen2_vl")).note is None


@pytest.mark.parametrize("family", ALL)
def test_costs_are_those_of_the_processor_for_any_size(family: str) -> None:
    processor, settings = make_processor(family), SETTINGS.get(family, {})
    tiles = Tiles(TILED[family], processor, settings)
    rng = np.random.default_rng(4)
    for width, height in [(300, 300), (28, 28), (2000, 60), *rng.integers(20, 900, (25, 2)).tolist()]:
        made = stock(processor, ask(np.zeros((height, width, 3), np.uint8)), **settings)
        assert placeholders(family, made) == [tiles.seen(width, height).tokens], (width, height)


@pytest.mark.parametrize("family", [name for name in CUTTING if TILED[name].layout in ("grid", "crops")])
def test_pictures_are_stretched_to_as_many_tiles_as_is_said(family: str) -> None:
    """Told by which tiles show a dark left side, and which a dark top."""
    processor, settings = make_processor(family), SETTINGS.get(family, {})
    tiles = Tiles(TILED[family], processor, settings)
    for width, height in [(600, 300), (300, 700), (500, 400), (850, 300), (301, 299)]:
        pixels = np.full((height, width, 3), 255, np.uint8)
        pixels[:, : width // 60] = 0
        values = stock(processor, ask(pixels), **settings)["pixel_values"].reshape(-1, 3, TILE, TILE)
        seen = tiles.seen(width, height)
        rows, columns = round(seen.height / TILE), round(seen.width / TILE)
        assert len(values) == rows * columns + (len(values) > 1)
        dark = sum(bool(tile[..., 0].mean() < tile[..., -1].mean() - 0.1) for tile in values)
        assert dark == rows + (len(values) > 1)


def test_pictures_among_others_are_one_tile_each_in_llava_onevision() -> None:
    _, processor, engine = engine_of("llava_onevision")
    pair = ask(sheet(), sheet(seed=1), text="differences?")
    same(dict(engine([pair, ask(sheet())])), dict(stock(processor, [pair, ask(reduced(processor))])))
    assert [picture.kept for picture in last_of(engine).pictures[:2]] == [5, 5]
    assert last_of(engine).pictures[2].kept < last_of(engine).pictures[2].tokens
    # In a flat list each counts as alone.
    inputs = engine("<image><image>?", images=[sheet(), photo()])
    assert placeholders("llava_onevision", inputs) == [last_of(engine).kept]


def reduced(processor: Any) -> Pixels:
    return reduce(sheet(), Tiles(TILED["llava_onevision"], processor, {})).image


@pytest.mark.parametrize("family", CUTTING)
def test_a_batch_has_what_each_prompt_has(family: str) -> None:
    settings = SETTINGS.get(family, {})
    model, _, engine = engine_of(family)
    rows = [ask(sheet(*SHAPES[family]), text="a longer question"), ask(photo()), ask(sheet(400, 900, seed=2), text="x")]
    together = engine(rows, **settings)
    kept = last_of(engine).kept
    alone = []
    with torch.no_grad():
        logits = model(**together).logits[:, -1]
        for number, row in enumerate(rows):
            inputs = engine(row, **settings)
            alone.append(last_of(engine).kept)
            assert torch.allclose(model(**inputs).logits[0, -1], logits[number], atol=2e-4, rtol=1e-4)
    assert sum(alone) == kept
    assert placeholders(family, together) == alone


@pytest.mark.parametrize("family", ["internvl", "gemma3"])
def test_every_form_of_a_prompt_is_the_same_prompt(family: str, tmp_path: Path) -> None:
    settings = SETTINGS.get(family, {})
    _, processor, engine = engine_of(family)
    pixels, other = sheet(*SHAPES[family]), photo()
    path = tmp_path / "sheet.png"
    Image.fromarray(pixels).save(path)
    expected = dict(engine(ask(pixels, other), **settings))
    assert last_of(engine).kept < last_of(engine).tokens

    def message(first: dict[str, Any], second: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"role": "user", "content": [first, second, {"type": "text", "text": "what?"}]}]

    plain = {"type": "image"}
    end = {"type": "image", "image": torch.from_numpy(other).permute(2, 0, 1)}
    for first in (
        {"type": "image", "image": pixels},
        {"type": "image", "image": torch.from_numpy(pixels)},
        {"type": "image", "image": str(path)},
        {"type": "image", "path": str(path)},
        {"type": "image", "url": str(path)},
        {"type": "image_url", "image_url": {"url": str(path)}},
    ):
        messages = message(first, end)
        held = dict(first)
        same(dict(engine(messages, **settings)), expected)
        assert messages[0]["content"][0] is first
        assert first.keys() == held.keys()
    for images in ([[pixels, other]], [[str(path), Image.fromarray(other)]], [[path, other]]):
        same(dict(engine(message(plain, plain), images=images, **settings)), expected)
    text = processor.apply_chat_template(message(plain, plain), add_generation_prompt=True)
    same(dict(engine(text, images=[[pixels, other]], **settings)), expected)
    same(dict(engine([text], images=[[pixels, other]], **settings)), expected)


def test_what_was_given_is_not_changed() -> None:
    _, _, engine = engine_of("internvl")
    pixels = sheet()
    messages = [{"role": "user", "content": [{"type": "image", "image": pixels}, {"type": "text", "text": "?"}]}]
    before = copy.deepcopy(messages)
    engine(messages)
    assert last_of(engine).pictures[0].operator.startswith("fold")
    assert messages[0]["content"][0]["image"] is pixels  # type: ignore[index]
    assert np.array_equal(pixels, before[0]["content"][0]["image"])  # type: ignore[index,arg-type]


def test_prompts_without_pictures_are_the_processors() -> None:
    _, processor, engine = engine_of("internvl")
    for messages in (
        [{"role": "user", "content": "hello"}],
        [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    ):
        same(dict(engine(messages)), dict(stock(processor, messages)))
        assert str(engine.last) == "0 of 0 visual tokens"


def test_a_box_is_found_in_the_original() -> None:
    _, processor, engine = engine_of("llava_next")
    pixels = sheet(900, 900, lines=3)
    pixels[700:740, 500:560] = np.random.default_rng(8).integers(0, 100, (40, 60, 3))
    engine(ask(pixels))
    coordinates = last_of(engine).pictures[0].coordinates
    image = reduce(pixels, Tiles(TILED["llava_next"], processor, {})).image
    assert coordinates.reduced_size == (image.shape[1], image.shape[0]) != (900, 900)
    dark = np.argwhere((image.max(-1) < 100) & (image.max(-1) != image.min(-1)))
    (top, left), (bottom, right) = dark.min(0), dark.max(0) + 1
    found = coordinates.to_original(boxes=[[left, top, right, bottom]])[0]
    assert found.tolist() == [500, 700, 560, 740]


@pytest.mark.parametrize("settings", [{"max_patches": 4}, {"images_kwargs": {"max_patches": 4}}])
def test_settings_of_the_processor_count(settings: dict[str, Any]) -> None:
    _, processor, engine = engine_of("internvl")
    inputs = engine(ask(photo(300, 410)), **settings)
    same(dict(inputs), dict(stock(processor, ask(photo(300, 410)), **settings)))
    assert placeholders("internvl", inputs) == [last_of(engine).tokens]
    assert last_of(engine).tokens <= 5 < Tiles(TILED["internvl"], processor, {}).seen(300, 410).tokens


@pytest.mark.parametrize("family", ["internvl", "aya_vision", "llava_next", "llava_onevision"])
def test_a_budget_is_met_with_a_picture_of_nearly_the_same_shape(family: str) -> None:
    model, _, engine = engine_of(family, budget="60%")
    inputs, last = engine(ask(photo(300, 410))), last_of(engine)
    assert placeholders(family, inputs) == [last.kept]
    assert last.kept <= 0.6 * last.tokens
    assert last.pictures[0].operator == "resize"
    width, height = last.pictures[0].coordinates.reduced_size
    assert 0.85 < width / height / (300 / 410) < 1.15
    model.generate(**inputs, max_new_tokens=2, do_sample=False)


@pytest.mark.parametrize("family", [name for name in ALL if name != "gemma3"])
def test_a_budget_below_what_a_picture_can_cost_is_refused_with_what_it_costs(family: str) -> None:
    _, _, engine = engine_of(family, budget=1)
    with pytest.raises(UsageError, match=r"a budget of 1 tokens is below what .* 600x820: give at least") as caught:
        engine(ask(photo(600, 820)))
    least = int(str(caught.value).split("at least ")[1].split(",")[0])
    _, _, engine = engine_of(family, budget=least)
    assert placeholders(family, engine(ask(photo(600, 820)))) == [least]
    _, _, engine = engine_of(family, budget=least - 1)
    with pytest.raises(UsageError, match=f"at least {least}"):
        engine(ask(photo(600, 820)))


def test_what_cannot_be_done_is_refused() -> None:
    model, processor, engine = engine_of("internvl")
    with pytest.raises(UsageError, match=r"a processor's output: InternVL cuts .* give messages"):
        engine(stock(processor, ask(sheet())))
    with pytest.raises(UsageError, match="past_key_values: InternVL encodes all"):
        engine(ask(sheet()), past_key_values=object())
    with pytest.raises(UsageError, match=r"float64.*give uint8"):
        engine("<image>", images=[sheet() / 255])
    with pytest.raises(UsageError, match="the prompt is int: give messages"):
        engine(5)
    for name, value in {"threshold": 4.0, "selector": "random", "reference": "previous"}.items():
        with pytest.raises(UsageError, match=rf"{name}: InternVL cuts .* no token can be chosen"):
            TransformersPruner(model, processor, PruneConfig(**{name: value}))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"budget is 0\.5, which is for models of fixed tiles"):
        TransformersPruner(tiny.make_model("qwen2_vl"), tiny.make_processor("qwen2_vl"), budget=0.5)
    with pytest.raises(UsageError, match="budget"):
        PruneConfig(budget=1.5)
    with pytest.raises(UsageError, match="Linear has no configuration"):
        TransformersPruner(torch.nn.Linear(1, 1), processor)


def test_unknown_models_are_refused_with_both_lists() -> None:
    from transformers import GPT2Config, GPT2Model

    model = GPT2Model(GPT2Config(n_embd=8, n_layer=1, n_head=1, vocab_size=8))
    with pytest.raises(UsageError, match=r"model_type is 'gpt2'.*qwen3_vl.*internvl.*gemma3"):
        TransformersPruner(model, make_processor("internvl"))


def test_a_processor_that_does_not_follow_its_rule_is_found_out() -> None:
    model = make_model("idefics3")
    processor = make_processor("idefics3", size={"longest_edge": 4 * TILE + 10})
    made = stock(processor, ask(photo(366, 330)))
    rule = Tiles(TILED["idefics3"], processor, {}).seen(366, 330)
    assert placeholders("idefics3", made) != [rule.tokens]
    with pytest.raises(UsageError, match=r"Idefics3Processor wrote .* placeholders"):
        TransformersPruner(model, processor)(ask(photo(366, 330)))


@pytest.mark.parametrize("family", ALL)
def test_inputs_have_the_models_type(family: str) -> None:
    model = copy.deepcopy(make_model(family)).to(torch.bfloat16)
    inputs = TransformersPruner(model, make_processor(family))(ask(sheet()))
    assert inputs["pixel_values"].dtype == torch.bfloat16
    assert inputs["input_ids"].dtype == torch.int64
    model.generate(**inputs, max_new_tokens=2, do_sample=False)


def test_clips_go_through_beside_pictures() -> None:
    model, processor, engine = engine_of("internvl")
    clip = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), np.uint8)
    prompt = "<image> and <video>?"
    inputs = engine(prompt, images=[sheet()], videos=[clip])
    image = reduce(sheet(), Tiles(TILED["internvl"], processor, {})).image
    same(dict(inputs), dict(processor(text=prompt, images=[image], videos=[clip], return_tensors="pt", padding=True)))
    assert placeholders("internvl", inputs) == [last_of(engine).kept + 3]
    model.generate(**inputs, max_new_tokens=2, do_sample=False)
