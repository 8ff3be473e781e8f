"""A second stage together with pruning before the encoder, in every family."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pictures import ask, clip, page, stock, without_cache
from tiny import FAMILIES, make_model, make_processor

from pixtrim.engines.transformers import TransformersPruner
from pixtrim.engines.transformers.after import REDUCERS, HiPrune, Reduction, VisionZip
from pixtrim.engines.transformers.encoder import base_of
from pixtrim.errors import UsageError

ALL = sorted(FAMILIES)
WITH_CLIPS = [name for name in ALL if FAMILIES[name].video]


def of(outputs: Any) -> list[Any]:
    """All features that the encoder hands on: the last layer's, and those of the layers of deepstack."""
    return [outputs.pooler_output, *(outputs.get("deepstack_features") or ())]


@pytest.mark.parametrize("family", ALL)
def test_what_reaches_the_language_model_is_what_both_stages_keep(family: str) -> None:
    model, processor = make_model(family), make_processor(family)
    rows = [ask(page(), text="short"), ask(page(280, 168, 1), page(112, 168, 2), text="a longer question")]
    plain, engine = (TransformersPruner(model, processor, after=after) for after in (None, HiPrune(0.25, alpha=0.5)))
    before, inputs = plain(rows), engine(rows)
    assert plain.last is not None
    assert engine.last is not None
    assert engine.last.tokens == plain.last.tokens
    found, expected = (of(given["mm_encoder_outputs"]["image"]) for given in (inputs, before))
    assert len(found) == len(expected) == (2 if family.startswith("qwen3_vl") else 1)
    for number, (less, more) in enumerate(zip(engine.last.pictures, plain.last.pictures, strict=True)):
        assert less.encoded == more.kept
        assert less.kept == min(round(0.25 * less.tokens), more.kept)
        assert not (less.keep & ~more.keep).any()
        chosen = torch.from_numpy(less.keep[more.keep])
        for layer, whole in zip(found, expected, strict=True):
            assert torch.equal(layer[number], whole[number][chosen])
    image = base_of(model).config.image_token_id
    assert (inputs["input_ids"] == image).sum(1).tolist() == [
        sum(picture.kept for picture in engine.last.pictures if picture.row == row) for row in (0, 1)
    ]
    assert inputs["attention_mask"].sum(1).tolist() == list(engine.last.kept_prompt_tokens)
    with torch.no_grad():
        together = model(**inputs).logits[:, -1]
        alone = torch.cat([model(**engine(row)).logits[:, -1] for row in rows])
    assert torch.allclose(together, alone, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("family", ALL)
def test_generation_equals_a_run_without_cache(family: str) -> None:
    model, processor = make_model(family), make_processor(family)
    engine = TransformersPruner(model, processor, after=HiPrune(0.3))
    said = model.generate(**engine(ask(page())), max_new_tokens=4, do_sample=False)
    assert torch.equal(said[:, -4:], without_cache(model, lambda: engine(ask(page())), 4))


@pytest.mark.parametrize("name", sorted(REDUCERS))
@pytest.mark.parametrize("family", ALL)
def test_a_full_budget_equals_the_stock_model(family: str, name: str) -> None:
    model, processor = make_model(family), make_processor(family)
    messages = ask(page(168, 112), page(112, 140, 1))
    engine = TransformersPruner(model, processor, selector="keep_everything", after=REDUCERS[name](1.0))
    with torch.no_grad():
        expected = model(**stock(processor, messages)).logits
        assert torch.equal(model(**engine(messages)).logits, expected)
        assert torch.equal(model(**stock(processor, messages)).logits, expected)  # nothing stays behind


@pytest.mark.parametrize("name", sorted(REDUCERS))
@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl", "paddleocr_vl"])
def test_every_way_works_on_what_is_left(family: str, name: str) -> None:
    model, processor = make_model(family), make_processor(family)
    plain, engine = (TransformersPruner(model, processor, after=after) for after in (None, REDUCERS[name](0.2)))
    messages = ask(page(), page(280, 168, 1))
    before, inputs = plain(messages), engine(messages)
    assert plain.last is not None
    assert engine.last is not None
    for number, (less, more) in enumerate(zip(engine.last.pictures, plain.last.pictures, strict=True)):
        assert not (less.keep & ~more.keep).any()
        limit = min(round(0.2 * less.tokens), more.kept)
        assert less.kept <= limit
        assert less.kept == limit or name == "downsample"
        for layer, whole in zip(
            of(inputs["mm_encoder_outputs"]["image"]), of(before["mm_encoder_outputs"]["image"]), strict=True
        ):
            assert layer[number].shape == (less.kept, whole[number].shape[1])
            same = torch.equal(layer[number], whole[number][torch.from_numpy(less.keep[more.keep])])
            assert same == (name not in ("visionzip", "downsample"))
    assert len(model.generate(**inputs, max_new_tokens=2, do_sample=False)[0]) == engine.last.kept_prompt_tokens[0] + 2


@pytest.mark.parametrize("family", WITH_CLIPS)
def test_clips_are_reduced_as_a_whole(family: str) -> None:
    model, processor = make_model(family), make_processor(family)
    prompt, film = f"{FAMILIES[family].video}what moves?", clip(size=140)
    plain, engine = (TransformersPruner(model, processor, after=after) for after in (None, HiPrune(7, alpha=1.0)))
    before, inputs = plain(prompt, videos=[film]), engine(prompt, videos=[film])
    assert plain.last is not None
    assert engine.last is not None
    less, more = engine.last.pictures[0], plain.last.pictures[0]
    assert less.keep.shape == more.keep.shape
    assert less.kept == 7 < more.kept == less.encoded
    chosen = torch.from_numpy(less.keep[more.keep])
    found, expected = (of(given["mm_encoder_outputs"]["video"]) for given in (inputs, before))
    for layer, whole in zip(found, expected, strict=True):
        assert torch.equal(layer[0], whole[0][chosen])
    said = model.generate(**inputs, max_new_tokens=3, do_sample=False)
    assert torch.equal(said[:, -3:], without_cache(model, lambda: engine(prompt, videos=[film]), 3))


def test_merged_features_are_means() -> None:
    model, processor = make_model("qwen3_vl"), make_processor("qwen3_vl")
    messages = ask(page(280, 168, 1))
    plain, engine = (
        TransformersPruner(model, processor, after=after) for after in (None, VisionZip(6, contextual=0.5))
    )
    found, expected = (of(given(messages)["mm_encoder_outputs"]["image"]) for given in (engine, plain))
    for layer, whole in zip(found, expected, strict=True):
        same = [any(torch.equal(token, other) for other in whole[0]) for token in layer[0]]
        assert len(same) == 6
        assert sum(same) in range(3, 6)  # dominant ones as they were, and at most two groups of one
    # Which tokens a group has is the same in all layers: the layers' sums agree with one set of weights.
    stacked, less = torch.cat([layer[0] for layer in expected], 1), torch.cat([layer[0] for layer in found], 1)
    weights = torch.linalg.lstsq(stacked.double().T, less.double().T).solution
    assert torch.allclose(weights.sum(0), torch.ones(6).double(), atol=1e-3)


def test_training_reaches_the_encoder_through_what_is_kept() -> None:
    model, processor = make_model("qwen3_vl"), make_processor("qwen3_vl")
    engine = TransformersPruner(model, processor, after=VisionZip(0.2))
    weight = base_of(model).visual.patch_embed.proj.weight
    model.train()
    try:
        model(**engine(ask(page(168, 112)))).logits.sum().backward()
        assert weight.grad is not None
        assert weight.grad.abs().sum() > 0
    finally:
        model.zero_grad()
        model.eval()


class Wrong:
    """A reducer that returns what it is made with."""

    def __init__(self, *keep: int, merge: torch.Tensor | None = None) -> None:
        self.found = Reduction(torch.tensor(keep, dtype=torch.long), merge)

    def layers(self, depth: int) -> tuple[int, ...]:
        return ()

    def reduce(self, encoded: Any) -> Reduction:
        return self.found


@pytest.mark.parametrize(
    "reducer", [Wrong(), Wrong(2, 1), Wrong(1, 1), Wrong(-1, 1), Wrong(0, 10**6), Wrong(0, 1, merge=torch.ones(1, 1))]
)
def test_what_is_no_choice_is_refused(reducer: Wrong) -> None:
    engine = TransformersPruner(make_model("qwen3_vl"), make_processor("qwen3_vl"), after=reducer)
    with pytest.raises(UsageError, match=r"Wrong returns no choice of .* tokens: keep must rise"):
        engine(ask(page(168, 112)))


def test_reducers_of_ones_own_are_taken() -> None:
    engine = TransformersPruner(make_model("qwen3_vl"), make_processor("qwen3_vl"), after=Wrong(0, 2))
    engine(ask(page(168, 112)))
    assert engine.last is not None
    assert (
        np.argwhere(engine.last.pictures[0].plans[0].keep)[[0, 2]].tolist()
        == np.argwhere(engine.last.pictures[0].keep).tolist()
    )
