"""Training on kept tokens: against the stock model, encoders called by hand, and finite differences."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from pictures import ask, clip, page
from tiny import FAMILIES, make_model, make_processor
from torch.nn.functional import cross_entropy

from pixtrim.engines.families import FAMILIES as KNOWN
from pixtrim.engines.transformers import PruneConfig, PruningCollator, TransformersPruner, attach, detach
from pixtrim.engines.transformers.after import DivPrune
from pixtrim.engines.transformers.encoder import base_of
from pixtrim.errors import InputError, UsageError

ALL = sorted(FAMILIES)
WITH_CLIPS = [name for name in ALL if FAMILIES[name].video]
FULL_GRID = [name for name in ALL if KNOWN[name].full_grid]
PACKABLE = [name for name in ALL if not KNOWN[name].linear_attention]


def example(*pictures: Any, text: str = "what?", answer: str = "two noisy lines") -> dict[str, Any]:
    reply = {"role": "assistant", "content": [{"type": "text", "text": answer}]}
    return {"messages": [*ask(*pictures, text=text), reply]}


EXAMPLES = [
    example(page()),
    example(page(280, 336, 1), page(112, 168, 2), text="and these, which are two?", answer="the same"),
]


@pytest.fixture
def family(request: pytest.FixtureRequest) -> Iterator[str]:
    """The family whose shared model is attached during the test."""
    attach(make_model(request.param))
    yield request.param
    detach(make_model(request.param))


def of(names: list[str]) -> Any:
    return pytest.mark.parametrize("family", names, indirect=True)


def gradients(model: Any, batch: dict[str, Any]) -> dict[str, torch.Tensor]:
    names, weights = zip(*model.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(model(**batch).loss, weights), strict=True))


def processed(processor: Any, **settings: Any) -> dict[str, Any]:
    """What the processor makes of one prompt, with labels for its last ten tokens."""
    found = dict(processor(return_tensors="pt", **settings))
    found["labels"] = found["input_ids"].clone()
    found["labels"][:, :-10] = -100
    return found


@of(ALL)
def test_keep_all_loss_and_gradients_equal_the_stock_model(family: str) -> None:
    model, processor = make_model(family), make_processor(family)
    batch = PruningCollator(model, processor, selector="keep_everything")(EXAMPLES)
    stock = processor.apply_chat_template(
        [example["messages"] for example in EXAMPLES],
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        processor_kwargs={"padding": True},
    )
    assert torch.equal(batch["input_ids"], stock["input_ids"])
    assert torch.equal(model(**batch).loss, model(**stock, labels=batch["labels"]).loss)
    expected = gradients(model, {**stock, "labels": batch["labels"]})
    for name, found in gradients(model, batch).items():
        torch.testing.assert_close(found, expected[name], msg=name)


@of(WITH_CLIPS)
def test_keep_all_of_a_clip_equals_the_stock_model(family: str) -> None:
    model, processor = make_model(family), make_processor(family)
    given = processed(processor, text=f"{FAMILIES[family].video}what is it that moves?", videos=[clip()])
    batch = PruningCollator(model, processor, selector="keep_everything")([given])
    with torch.no_grad():
        assert torch.equal(model(**batch).loss, model(**given).loss)


@of(ALL)
def test_pruned_loss_is_that_of_the_logits_which_inference_gives(family: str) -> None:
    model, processor = make_model(family), make_processor(family)
    batch = PruningCollator(model, processor)(EXAMPLES)
    inputs = TransformersPruner(model, processor)([e["messages"] for e in EXAMPLES], add_generation_prompt=False)
    with torch.no_grad():
        logits, found = model(**inputs).logits, model(**batch)
    assert torch.equal(found.logits, logits)
    assert torch.allclose(found.loss, cross_entropy(logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten()))
    whole = PruningCollator(model, processor, selector="keep_everything")(EXAMPLES)
    assert batch["input_ids"].shape[1] < whole["input_ids"].shape[1]
    assert len(batch["pixel_values"]) < len(whole["pixel_values"])


@of(WITH_CLIPS)
def test_pruned_clips_are_trained_as_inference_sees_them(family: str) -> None:
    model, processor = make_model(family), make_processor(family)
    given = processed(processor, text=f"{FAMILIES[family].video}what is it that moves?", videos=[clip()])
    batch = PruningCollator(model, processor)([given])
    with torch.no_grad():
        expected = model(**TransformersPruner(model, processor)(given)).logits
        assert torch.equal(model(**batch).logits, expected)
    assert len(batch["pixel_values_videos"]) < len(given["pixel_values_videos"])


@of(["qwen2_vl"])
def test_gradients_of_the_encoder_equal_those_of_a_call_by_hand(family: str) -> None:
    """The encoder is given kept patches with places that are worked out here, and its output is put into the text."""
    model, processor = make_model(family), make_processor(family)
    engine = TransformersPruner(model, processor)
    inputs = engine(EXAMPLES[0]["messages"], add_generation_prompt=False)
    assert engine.last is not None
    (plan,) = engine.last.plans
    whole = processor.apply_chat_template(EXAMPLES[0]["messages"], tokenize=True, return_dict=True, return_tensors="pt")
    rows, columns = np.nonzero(plan.keep)
    corners = np.stack([rows, columns], 1) * 2
    places = corners[:, None] + np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    numbers = (rows * plan.grid.grid_w + columns)[:, None] * 4 + np.arange(4)
    features = (
        base_of(model)
        .visual(
            whole["pixel_values"][numbers.ravel()],
            grid_thw=torch.tensor([[1, 2, 2 * len(rows)]]),
            position_ids=torch.from_numpy(places.reshape(-1, 2)),
        )
        .pooler_output
    )
    embeds = model.get_input_embeddings()(inputs["input_ids"])
    embeds = embeds.masked_scatter((inputs["input_ids"] == model.config.image_token_id)[..., None], features)
    batch = PruningCollator(model, processor)(EXAMPLES[:1])
    by_hand = {
        "inputs_embeds": embeds,
        **{name: batch[name] for name in ("attention_mask", "labels", "position_ids")},
    }
    expected = gradients(model, by_hand)
    found = gradients(model, batch)
    assert found["model.visual.patch_embed.proj.weight"].abs().max() > 0
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], msg=name)


@pytest.mark.parametrize("name", ["qwen2_5_vl", "qwen3_vl", "glm4v", "paddleocr_vl"])
def test_gradients_equal_finite_differences(name: str) -> None:
    """To what is left of float32: positions, norms and the model's own loss are in it whatever the weights are."""
    model, processor = attach(copy.deepcopy(make_model(name)).double()), make_processor(name)
    batch = PruningCollator(model, processor)(EXAMPLES)
    batch["pixel_values"], labels = batch["pixel_values"].double(), batch.pop("labels")

    def loss() -> torch.Tensor:
        return cross_entropy(model(**batch).logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())

    weight = next(weight for part, weight in model.named_parameters() if "patch_embed" in part and weight.ndim > 2)
    slope = torch.autograd.grad(loss(), weight)[0].flatten()
    place, step, losses = int(slope.abs().argmax()), 0.01, []
    with torch.no_grad():
        for change in (step, -2 * step):
            weight.view(-1)[place] += change
            losses.append(float(loss()))
    assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(float(slope[place]), rel=2e-3)


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("name", ["qwen2_5_vl", "qwen3_vl", "qwen3_5", "glm4v"])
def test_gradient_checkpointing_changes_nothing(name: str, reentrant: bool) -> None:
    model, processor = attach(copy.deepcopy(make_model(name)).train()), make_processor(name)
    batch = {**PruningCollator(model, processor)(EXAMPLES), "use_cache": False}
    model(**batch).loss.backward()
    expected = {part: weight.grad.clone() for part, weight in model.named_parameters()}
    model.zero_grad()
    model.gradient_checkpointing_enable({"use_reentrant": reentrant})
    model(**batch).loss.backward()
    for part, weight in model.named_parameters():
        torch.testing.assert_close(weight.grad, expected[part], msg=part)


@of(PACKABLE)
def test_packed_examples_do_not_see_each_other(family: str) -> None:
    model, processor = make_model(family), make_processor(family)
    alone = PruningCollator(model, processor)
    three = [*EXAMPLES, example(text="nothing to see", answer="right")]
    singles = [alone([one]) for one in three]
    counts = [int((single["labels"] >= 0).sum()) for single in singles]
    lengths = [single["input_ids"].shape[1] for single in singles]
    batch = PruningCollator(model, processor, packing=True)(three)
    assert batch["input_ids"].shape == (1, sum(lengths))
    assert "attention_mask" not in batch
    with torch.no_grad():
        found, expected = model(**batch), [model(**single) for single in singles]
        mean = sum(float(one.loss) * count for one, count in zip(expected, counts, strict=True)) / sum(counts)
        for logits, one in zip(found.logits.split(lengths, 1), expected, strict=True):
            torch.testing.assert_close(logits, one.logits, rtol=1e-4, atol=1e-4)
        assert float(found.loss) == pytest.approx(mean, rel=1e-5)
        rows = PruningCollator(model, processor, packing=True, max_length=max(lengths[0], lengths[1] + lengths[2]))(
            three
        )
        assert rows["input_ids"].shape == (2, max(lengths[0], lengths[1] + lengths[2]))
        assert float(model(**rows).loss) == pytest.approx(mean, rel=1e-5)


def test_the_first_token_of_a_packed_example_is_not_learned() -> None:
    """The last token of the example before it would learn it."""
    model, processor = make_model("qwen3_vl"), make_processor("qwen3_vl")
    given = [dict(processor(text=text, return_tensors="pt")) for text in ("a page", "another")]
    batch = PruningCollator(model, processor, packing=True)([{**one, "labels": one["input_ids"]} for one in given])
    ids = torch.cat([one["input_ids"] for one in given], 1)
    assert torch.equal(batch["input_ids"], ids)
    assert (batch["labels"] == -100).nonzero().tolist() == [[0, 0], [0, given[0]["input_ids"].shape[1]]]
    with torch.no_grad():
        losses = [float(model(**one, labels=one["input_ids"]).loss) for one in given]
        counts = [one["input_ids"].shape[1] - 1 for one in given]
        mean = sum(loss * count for loss, count in zip(losses, counts, strict=True)) / sum(counts)
        assert float(model(**batch).loss) == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize("name", sorted(set(ALL) - set(PACKABLE)))
def test_packing_is_refused_where_a_state_runs_on(name: str) -> None:
    with pytest.raises(UsageError, match=r"packing: layers of Qwen3.5.* carry a state"):
        PruningCollator(make_model(name), make_processor(name), packing=True)


def test_packing_refuses_an_example_that_no_row_holds() -> None:
    collator = PruningCollator(make_model("qwen3_vl"), make_processor("qwen3_vl"), packing=True, max_length=50)
    with pytest.raises(InputError, match=r"an example has 8\d tokens .* max_length is 50"):
        collator(EXAMPLES)


def test_flash_attention_takes_one_packed_row() -> None:
    model = copy.deepcopy(make_model("qwen3_vl"))
    model.config.text_config._attn_implementation_internal = "flash_attention_2"
    PruningCollator(model, make_processor("qwen3_vl"), packing=True)
    with pytest.raises(UsageError, match="flash attention takes one: leave max_length out"):
        PruningCollator(model, make_processor("qwen3_vl"), packing=True, max_length=100)


@pytest.mark.parametrize("name", FULL_GRID)
def test_attach_and_detach_leave_no_trace(name: str) -> None:
    model, processor = copy.deepcopy(make_model(name)), make_processor(name)
    base = base_of(model)
    with pytest.raises(UsageError, match=r"GLM-4.* cannot be given kept tokens as it is: call attach\(model\) first"):
        PruningCollator(model, processor)
    before = set(vars(base)), type(base).forward, type(base).get_image_features
    assert attach(attach(model)) is model
    assert len(base._forward_pre_hooks) == 1
    batch = PruningCollator(model, processor)(EXAMPLES)
    given = processed(processor, text=FAMILIES[name].image + "what is it?", images=[page()])
    with torch.no_grad():
        model(**batch)
        hooked = model(**given).logits
        assert torch.equal(model(**given).logits, make_model(name)(**given).logits)
        assert detach(detach(model)) is model
        assert (set(vars(base)), type(base).forward, type(base).get_image_features) == before
        assert not base._forward_pre_hooks
        assert not base._forward_pre_hooks_with_kwargs
        assert torch.equal(model(**given).logits, hooked)
        with pytest.raises(RuntimeError):  # never does it train on something else without a word
            model(**batch)


@pytest.mark.parametrize("name", sorted(set(ALL) - set(FULL_GRID)))
def test_other_families_are_not_touched(name: str) -> None:
    model = make_model(name)
    before = [(dict(vars(part)), len(part._forward_pre_hooks)) for part in model.modules()]
    attach(model)
    assert [(dict(vars(part)), len(part._forward_pre_hooks)) for part in model.modules()] == before


def test_models_that_are_not_known_are_refused() -> None:
    for call in (attach, detach, lambda model: PruningCollator(model, None)):
        with pytest.raises(UsageError, match="Linear has no vision encoder with M-RoPE"):
            call(torch.nn.Linear(2, 2))
    model = copy.deepcopy(make_model("qwen2_vl"))
    model.model.config.model_type = "qwen9_vl"
    for call in (attach, detach):
        with pytest.raises(UsageError, match="model_type is 'qwen9_vl'"):
            call(model)


def test_a_copy_of_an_attached_model_is_attached_and_can_be_detached() -> None:
    model = copy.deepcopy(attach(copy.deepcopy(make_model("glm4v"))))
    PruningCollator(model, make_processor("glm4v"))
    assert not base_of(detach(model))._forward_pre_hooks


@pytest.mark.parametrize("name", ["glm4v", "qwen3_vl"])
def test_a_collator_holds_no_weights_and_works_in_workers(name: str) -> None:
    model, processor = attach(copy.deepcopy(make_model(name))), make_processor(name)
    collator = PruningCollator(model, processor, threshold=1, full=True)
    data = pickle.dumps(collator)
    assert b"torch.nn" not in data
    loader = torch.utils.data.DataLoader(EXAMPLES, batch_size=2, collate_fn=pickle.loads(data), num_workers=1)
    (found,), expected = list(loader), collator(EXAMPLES)
    full = found.pop("full"), expected.pop("full")
    for one, other in ((found, expected), full):
        assert one.keys() == other.keys()
        assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threshold": 300}, "threshold"),
        ({"treshold": 3}, "unknown setting treshold: choose from threshold"),
        ({"config": PruneConfig(), "threshold": 3}, "give one configuration, or its fields"),
        ({"budget": 0.5}, "budget is 0.5, which is for models of fixed tiles"),
        ({"max_length": 0}, "max_length is 0: give a number of tokens from 1"),
        ({"answers": "assistant"}, "answers is 'assistant': give two strings"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        PruningCollator(make_model("qwen3_vl"), make_processor("qwen3_vl"), **settings)


def test_a_second_stage_is_refused() -> None:
    with pytest.raises(UsageError, match="after is set: a second stage needs what the encoder makes"):
        PruningCollator(make_model("qwen3_vl"), make_processor("qwen3_vl"), after=DivPrune(0.5))
