"""The ways in which people generate: sampling, beams, streams, caches, turns, types and attention."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from pictures import Pixels, ask, page, stock, without_cache
from PIL import Image
from tiny import make_model, make_processor

from pixtrim.engines.transformers import PruneConfig, TransformersPruner
from pixtrim.errors import InputError, UsageError

SOME = ["qwen2_5_vl", "qwen3_vl", "qwen3_5", "glm4v", "paddleocr_vl"]


def pair(family: str = "qwen3_vl", **settings: Any) -> tuple[Any, TransformersPruner]:
    model = make_model(family)
    return model, TransformersPruner(model, make_processor(family), **settings)


@pytest.mark.parametrize("family", SOME)
def test_beams_and_samples_of_a_keep_all_batch_are_those_of_the_stock_model(family: str) -> None:
    if transformers.__version__.startswith(("5.18.", "5.19.")) and family in ("qwen3_5", "paddleocr_vl"):
        pytest.skip("here transformers 5.18 and 5.19 differ from later versions; the engine says what these say")
    model, engine = pair(family, selector="keep_everything")
    messages = [ask(page(), text="one"), ask(page(280, 224, 1), text="another one")]
    given = stock(engine.processor, messages)
    for settings in ({"num_beams": 3, "do_sample": False}, {"do_sample": True, "top_k": 20, "num_return_sequences": 2}):
        torch.manual_seed(7)
        expected = model.generate(**given, max_new_tokens=5, **settings)
        torch.manual_seed(7)
        assert torch.equal(model.generate(**engine(messages), max_new_tokens=5, **settings), expected)


@pytest.mark.parametrize("family", SOME)
def test_beams_of_a_pruned_batch_are_those_of_its_rows(family: str) -> None:
    model, engine = pair(family)
    rows = [ask(page(), text="one"), ask(page(280, 224, 1), text="another one")]
    together = model.generate(**engine(rows), max_new_tokens=4, num_beams=2, do_sample=False)
    for row, said in zip(rows, together, strict=True):
        alone = model.generate(**engine(row), max_new_tokens=4, num_beams=2, do_sample=False)[0]
        assert said[-4:].tolist() == alone[-4:].tolist()


def test_a_stream_yields_what_generate_returns() -> None:
    model, engine = pair()
    tokenizer = engine.processor.tokenizer
    heard: list[int] = []

    class Listener(transformers.generation.streamers.BaseStreamer):
        def put(self, value: Any) -> None:
            heard.extend(value.flatten().tolist())

        def end(self) -> None:
            heard.append(-1)

    inputs = engine(ask(page()))
    said = model.generate(**inputs, max_new_tokens=5, do_sample=False, streamer=Listener())
    assert heard == [*said[0].tolist(), -1]
    assert isinstance(tokenizer.decode(said[0]), str)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl", "glm4v", "paddleocr_vl"])
def test_a_static_cache_says_the_same(family: str) -> None:
    model, engine = pair(family)
    settings = {"max_new_tokens": 5, "do_sample": False}
    expected = model.generate(**engine(ask(page())), **settings)
    said = model.generate(**engine(ask(page())), cache_implementation="static", disable_compile=True, **settings)
    assert torch.equal(said, expected)


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_a_compiled_model_says_the_same(family: str) -> None:
    model, engine = pair(family)
    torch._dynamo.reset()
    compiled = torch.compile(model, backend="eager", dynamic=True)
    engine_of_compiled = TransformersPruner(compiled, engine.processor)
    with torch.no_grad():
        assert torch.allclose(
            compiled(**engine_of_compiled(ask(page()))).logits, model(**engine(ask(page()))).logits, atol=1e-4
        )


@pytest.mark.parametrize("family", SOME)
def test_eager_attention_and_low_precision_stay_near(family: str) -> None:
    model, engine = pair(family)
    with torch.no_grad():
        expected = model(**engine(ask(page()))).logits[0, -1]
        eager = copy.deepcopy(model)
        eager.set_attn_implementation("eager")
        said = eager(**TransformersPruner(eager, engine.processor)(ask(page()))).logits[0, -1]
        assert torch.allclose(said, expected, atol=1e-3)
        low = copy.deepcopy(model).to(torch.bfloat16)
        inputs = TransformersPruner(low, engine.processor)(ask(page()))
        assert inputs["mm_encoder_outputs"]["image"].pooler_output[0].dtype == torch.bfloat16
        said = low(**inputs).logits[0, -1].float()
    assert torch.nn.functional.cosine_similarity(said, expected, dim=0) > 0.95


def test_text_alone_is_left_as_it_is() -> None:
    model, engine = pair()
    given = stock(engine.processor, ask(text="hello"))
    inputs = engine(ask(text="hello"))
    assert set(inputs) == {"input_ids", "attention_mask"}
    assert torch.equal(inputs["input_ids"], given["input_ids"])
    assert (engine.last.tokens, engine.last.kept) == (0, 0)  # type: ignore[union-attr]
    settings = {"max_new_tokens": 4, "do_sample": False}
    assert torch.equal(model.generate(**inputs, **settings), model.generate(**given, **settings))


def screens(count: int = 3) -> list[Pixels]:
    """Screenshots in each of which one more block has appeared."""
    rng = np.random.default_rng(4)
    screen = page(384, 320, 3)
    found = []
    for number in range(count):
        screen = screen.copy()
        screen[200:240, 60 * number : 60 * number + 40] = rng.integers(0, 256, (40, 40, 3))
        found.append(screen)
    return found


def turns(shown: list[Pixels], answers: list[str]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for number, screen in enumerate(shown):
        messages += ask(screen, text=f"step {number}?")
        if number < len(answers):
            messages.append({"role": "assistant", "content": [{"type": "text", "text": answers[number]}]})
    return messages


def test_a_screenshot_is_predicted_from_the_one_before() -> None:
    _, alone = pair()
    _, engine = pair(reference="previous")
    alone(turns(screens(), ["a", "b"]))
    engine(turns(screens(), ["a", "b"]))
    assert alone.last is not None
    assert engine.last is not None
    first, *later = zip(alone.last.pictures, engine.last.pictures, strict=True)
    assert first[0].kept == first[1].kept
    for without, with_reference in later:
        assert with_reference.kept <= 6 < without.kept
        assert not with_reference.plans[0].key
    pixels = screens()
    plans = engine.last.plans
    fitted = [plan.grid.fit_pixels(screen) for plan, screen in zip(plans, pixels, strict=True)]
    for number in (1, 2):
        decoded = plans[number].decode(plans[number].take(fitted[number]), fitted[number - 1])
        assert np.array_equal(decoded, fitted[number])


def test_each_conversation_of_a_batch_has_its_own_reference() -> None:
    _, engine = pair(reference="previous")
    engine([ask(*screens(2)), ask(*screens(2))])
    assert engine.last is not None
    kept = [picture.kept for picture in engine.last.pictures]
    assert kept[0] == kept[2] > kept[1] == kept[3]
    assert [picture.row for picture in engine.last.pictures] == [0, 0, 1, 1]


@pytest.mark.parametrize("family", SOME)
@pytest.mark.parametrize("reference", ["none", "previous"])
def test_a_later_turn_goes_on_from_the_cache(family: str, reference: str) -> None:
    model, engine = pair(family, reference=reference)
    shown, settings = screens(2), {"max_new_tokens": 4, "do_sample": False}
    cache = transformers.DynamicCache(config=model.config.get_text_config())
    first = engine(turns(shown[:1], []))
    with torch.no_grad():
        model(**first, past_key_values=cache, use_cache=True)
    whole = engine(turns(shown, ["yes"]))
    assert torch.equal(whole["input_ids"][:, : cache.get_seq_length()], first["input_ids"])
    expected = model.generate(**whole, **settings)
    inputs = engine(turns(shown, ["yes"]), past_key_values=cache)
    assert len(inputs["mm_encoder_outputs"]["image"].pooler_output) == 1
    assert torch.equal(model.generate(**inputs, past_key_values=cache, **settings), expected)


def test_a_cache_that_ends_within_a_picture_is_refused() -> None:
    model, engine = pair()
    cache = transformers.DynamicCache(config=model.config.get_text_config())
    with torch.no_grad():
        model(input_ids=torch.ones(1, 20, dtype=torch.long), past_key_values=cache, use_cache=True)
    with pytest.raises(InputError, match=r"the cache ends after 20 tokens, \d+ tokens into a picture"):
        engine(turns(screens(2), ["yes"]), past_key_values=cache)


def test_outputs_are_made_anew_for_each_call() -> None:
    """Beam search changes them."""
    model, engine = pair()
    for _ in range(2):
        model.generate(**engine(ask(page())), num_beams=2, do_sample=False, max_new_tokens=3)
    said = model.generate(**engine(ask(page())), do_sample=False, max_new_tokens=3)
    assert torch.equal(said[:, -3:], without_cache(model, lambda: engine(ask(page())), 3))


def test_a_threshold_drops_more_and_settings_are_checked() -> None:
    noisy = page()
    noisy = np.clip(noisy.astype(int) - np.random.default_rng(0).integers(0, 3, noisy.shape), 0, 255).astype(np.uint8)
    _, exact = pair()
    _, near = pair(config=PruneConfig(threshold=8))
    exact(ask(noisy))
    near(ask(noisy))
    assert near.last is not None
    assert exact.last is not None
    assert near.last.kept < exact.last.kept
    assert str(near.last).startswith(f"{near.last.kept} of {near.last.tokens} visual tokens (")
    for bad in ({"threshold": 300}, {"selector": "no"}, {"reference": "next"}, {"after": 3}, {"treshold": 1}):
        with pytest.raises(UsageError):
            pair(**bad)
    with pytest.raises(UsageError, match="give one configuration"):
        pair(config=PruneConfig(), threshold=3)


def test_gradients_reach_the_encoder_of_a_model_in_training() -> None:
    model = copy.deepcopy(make_model("qwen3_vl")).train()
    engine = TransformersPruner(model, make_processor("qwen3_vl"))
    model(**engine(ask(page()))).logits.sum().backward()
    assert model.model.visual.patch_embed.proj.weight.grad.abs().sum() > 0
    model.eval()
    assert not engine(ask(page()))["mm_encoder_outputs"]["image"].pooler_output[0].requires_grad


def test_a_picture_of_one_colour_keeps_one_token() -> None:
    model, engine = pair()
    blank = Image.new("RGB", (400, 300), "white")
    said = model.generate(**engine(ask(np.asarray(blank))), max_new_tokens=3, do_sample=False)
    assert engine.last is not None
    assert engine.last.kept == 1
    assert said.shape[1] == engine.last.kept_prompt_tokens[0] + 3
