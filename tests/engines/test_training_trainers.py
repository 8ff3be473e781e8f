"""Trainers that people use take the batches: losses are finite, and fall where one batch is repeated."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from pictures import page
from PIL import Image
from tiny import make_model, make_processor
from torch.nn.functional import kl_div

from pixtrim.engines.transformers import DistillingTrainer, PruningCollator, TransformersPruner, attach, detach
from pixtrim.engines.transformers.training.distill import distillation_loss
from pixtrim.errors import UsageError

transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")

FAMILIES = ["glm4v", "qwen2_5_vl", "qwen3_vl", "qwen3_5"]
EXAMPLES: list[dict[str, Any]] = [
    {
        "messages": [
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what?"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "two noisy lines"}]},
        ],
        "images": [Image.fromarray(page(336, 224, seed))],
    }
    for seed in (0, 1)
]


def trainable(family: str) -> Any:
    """A copy of a model with weights small enough to learn."""
    model = copy.deepcopy(make_model(family)).train()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(0.3 if weight.ndim > 1 else 1.0)
    return attach(model)


def arguments(folder: Path, kind: type = transformers.TrainingArguments, **changes: Any) -> Any:
    return kind(
        str(folder),
        **{
            "per_device_train_batch_size": 2,
            "max_steps": 3,
            "learning_rate": 3e-3,
            "logging_steps": 1,
            "save_strategy": "no",
            "report_to": [],
            "remove_unused_columns": False,
            "use_cpu": True,
            "disable_tqdm": True,
            "dataloader_pin_memory": False,
            **changes,
        },
    )


def losses(trainer: Any) -> list[float]:
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def assert_falling(found: list[float]) -> None:
    assert len(found) == 3
    assert all(map(math.isfinite, found))
    assert found[0] > found[1] > found[2]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_trainer_of_transformers(family: str, tmp_path: Path) -> None:
    model, processor = trainable(family), make_processor(family)
    collator = PruningCollator(model, processor)
    with torch.no_grad():
        first = float(model(**collator(EXAMPLES)).loss)
    trainer = transformers.Trainer(model, arguments(tmp_path), data_collator=collator, train_dataset=EXAMPLES)
    found = losses(trainer)
    assert_falling(found)
    assert found[0] == pytest.approx(first, rel=1e-4)
    assert math.isfinite(trainer.evaluate(EXAMPLES)["eval_loss"])


@pytest.mark.parametrize("reentrant", [True, False])
def test_workers_checkpoints_accumulation_and_packing(reentrant: bool, tmp_path: Path) -> None:
    model, processor = trainable("qwen3_vl"), make_processor("qwen3_vl")
    changes = {
        "dataloader_num_workers": 1,
        "gradient_checkpointing": True,
        "gradient_checkpointing_kwargs": {"use_reentrant": reentrant},
        "gradient_accumulation_steps": 2,
    }
    collator = PruningCollator(model, processor, packing=True)
    settings = arguments(tmp_path, **changes)
    assert_falling(losses(transformers.Trainer(model, settings, data_collator=collator, train_dataset=EXAMPLES * 2)))


def test_bfloat16(tmp_path: Path) -> None:
    model, processor = trainable("qwen3_vl"), make_processor("qwen3_vl")
    collator = PruningCollator(model, processor)
    settings = arguments(tmp_path, bf16=True)
    assert_falling(losses(transformers.Trainer(model, settings, data_collator=collator, train_dataset=EXAMPLES)))
    loss = model.bfloat16()(**collator(EXAMPLES)).loss
    loss.backward()
    assert math.isfinite(loss.detach())


@pytest.mark.parametrize("family", ["glm4v", "qwen3_vl"])
def test_accelerate(family: str) -> None:
    from accelerate import Accelerator

    model, processor = trainable(family), make_processor(family)
    loader = torch.utils.data.DataLoader(EXAMPLES, batch_size=2, collate_fn=PruningCollator(model, processor))
    accelerator = Accelerator(cpu=True)
    model, optimizer, loader = accelerator.prepare(model, torch.optim.AdamW(model.parameters(), 3e-3), loader)
    found = []
    for _ in range(3):
        for batch in loader:
            loss = model(**batch).loss
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
            found.append(float(loss.detach()))
    assert_falling(found)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("family", ["glm4v", "qwen3_vl"])
def test_lora(family: str, before: bool, tmp_path: Path) -> None:
    """Attached before or after PEFT wraps it; detached, it generates as a stock model does."""
    peft = pytest.importorskip("peft")
    model, processor = trainable(family), make_processor(family)
    if not before:
        detach(model)
    adapter = peft.LoraConfig(target_modules=["q_proj", "v_proj", "qkv"], r=4, init_lora_weights="gaussian")
    wrapped = attach(peft.get_peft_model(model, adapter))
    collator = PruningCollator(wrapped, processor)
    settings = arguments(tmp_path, learning_rate=3e-2, label_names=["labels"], gradient_checkpointing=True)
    assert_falling(losses(transformers.Trainer(wrapped, settings, data_collator=collator, train_dataset=EXAMPLES)))
    changed = [name for name, weight in wrapped.named_parameters() if "lora_B" in name and weight.abs().max() > 0]
    assert any("visual" in name for name in changed)
    detach(wrapped)
    inputs = TransformersPruner(wrapped, processor)(EXAMPLES[0]["messages"][:1], images=EXAMPLES[0]["images"])
    assert wrapped.eval().generate(**inputs, max_new_tokens=2).shape[1] == inputs["input_ids"].shape[1] + 2


@pytest.mark.parametrize("family", ["glm4v", "qwen3_vl"])
def test_sft_trainer(family: str, tmp_path: Path) -> None:
    trl, datasets = pytest.importorskip("trl"), pytest.importorskip("datasets")
    model, processor = trainable(family), make_processor(family)
    settings = arguments(
        tmp_path, trl.SFTConfig, dataset_kwargs={"skip_prepare_dataset": True}, max_length=None, bf16=False
    )
    table = datasets.Dataset.from_list(EXAMPLES)
    trainer = trl.SFTTrainer(model, settings, PruningCollator(model, processor), table, processing_class=processor)
    assert_falling(losses(trainer))


def test_sft_trainer_makes_lora_of_an_attached_model(tmp_path: Path) -> None:
    trl, datasets, peft = (pytest.importorskip(name) for name in ("trl", "datasets", "peft"))
    model, processor = trainable("glm4v"), make_processor("glm4v")
    settings = arguments(
        tmp_path,
        trl.SFTConfig,
        learning_rate=3e-2,
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        bf16=False,
    )
    trainer = trl.SFTTrainer(
        model,
        settings,
        PruningCollator(model, processor),
        datasets.Dataset.from_list(EXAMPLES),
        processing_class=processor,
        peft_config=peft.LoraConfig(target_modules=["q_proj", "v_proj"], r=4),
    )
    assert_falling(losses(trainer))


def test_a_trainer_that_drops_unknown_fields_is_told(tmp_path: Path) -> None:
    model, processor = trainable("qwen3_vl"), make_processor("qwen3_vl")
    settings = arguments(tmp_path, remove_unused_columns=True)
    trainer = transformers.Trainer(
        model, settings, data_collator=PruningCollator(model, processor), train_dataset=EXAMPLES
    )
    with pytest.raises(UsageError, match=r"an example has no fields: .* remove_unused_columns=False"):
        trainer.train()


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_the_distance_is_that_of_every_token_by_itself(temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    student = torch.randn(2, 5, 7, generator=generator)
    teacher = torch.randn(2, 8, 7, generator=generator)
    said = torch.tensor([[-100, -100, 3, 4, -100], [-100, 1, -100, 2, 6]])
    known = torch.tensor([[-100] * 3 + [3, 4] + [-100] * 3, [-100] * 4 + [1, -100, 2, 6]])
    places = [(0, 1, 2), (0, 2, 3), (1, 0, 3), (1, 2, 5), (1, 3, 6)]
    parts = []
    for row, mine, yours in places:
        p, q = ((logits / temperature).softmax(-1) for logits in (teacher[row, yours], student[row, mine]))
        parts.append(float((p * (p / q).log()).sum()) * temperature**2)
    found = distillation_loss(student, teacher, said, known, temperature)
    assert float(found) == pytest.approx(sum(parts) / len(parts), rel=1e-5)


def test_answers_that_differ_are_refused() -> None:
    logits, labels = torch.zeros(1, 3, 4), torch.tensor([[-100, 1, 2]])
    for other in (torch.tensor([[-100, -100, 2]]), torch.tensor([[-100, 1, 3]])):
        with pytest.raises(UsageError, match="the student's labels have 2 tokens of answers"):
            distillation_loss(logits, logits, labels, other)
    with pytest.raises(UsageError, match="temperature is 0: give a number above 0"):
        distillation_loss(logits, logits, labels, labels, 0)


@pytest.mark.parametrize("packing", [False, True])
@pytest.mark.parametrize("family", ["glm4v", "qwen3_vl"])
def test_a_model_teaches_itself_and_whole_pictures_teach_nothing(family: str, packing: bool) -> None:
    """The distance is that of the stock model's own logits; where everything is kept, it is 0."""
    model, processor = trainable(family).eval(), make_processor(family)
    batch = PruningCollator(model, processor, full=True, packing=packing)(EXAMPLES)
    full = batch.pop("full")
    with torch.no_grad():
        student, teacher = model(**batch).logits, model(**full).logits
        found = distillation_loss(student, teacher, batch["labels"], full["labels"])
        detach(model)
        stock = []
        for example in EXAMPLES:
            content = [{"type": "image", "image": example["images"][0]}, *example["messages"][0]["content"][1:]]
            messages = [{"role": "user", "content": content}, example["messages"][1]]
            given = processor.apply_chat_template(messages, tokenize=True, return_dict=True, return_tensors="pt")
            stock.append(model(**given).logits[0])
    answers = "two noisy lines<|im_end|>"
    count = len(processor.tokenizer(answers)["input_ids"])
    known = torch.cat([logits[-count - 2 : -2] for logits in stock]).log_softmax(-1)  # a line break follows the answer
    said = student[:, :-1][batch["labels"][:, 1:] >= 0].log_softmax(-1)
    expected = kl_div(said, known, reduction="batchmean", log_target=True)
    assert float(expected) > 1e-4
    assert float(found) == pytest.approx(float(expected), rel=1e-3)
    attach(model)
    same = PruningCollator(model, processor, full=True, packing=packing, selector="keep_everything")(EXAMPLES)
    full = same.pop("full")
    assert all(torch.equal(value, full[name]) for name, value in same.items() if name != "use_cache")


@pytest.mark.parametrize("other", [True, False])
def test_the_distilling_trainer(other: bool, tmp_path: Path) -> None:
    model, processor = trainable("qwen3_vl"), make_processor("qwen3_vl")
    model.model.visual.eval()
    teacher = trainable("qwen3_vl") if other else None
    collator = PruningCollator(model, processor, full=True)
    batch = collator(EXAMPLES)
    full = batch.pop("full")
    with torch.no_grad():
        first, known = model(**batch), model(**full).logits
        distance = distillation_loss(first.logits, known, batch["labels"], full["labels"], 2.0)
    trainer = DistillingTrainer(
        model, arguments(tmp_path), collator, EXAMPLES, teacher=teacher, temperature=2.0, weight=0.5
    )
    found = losses(trainer)
    assert_falling(found)
    assert found[0] == pytest.approx(float(first.loss + 0.5 * distance), rel=1e-3)
    assert math.isfinite(trainer.evaluate(EXAMPLES)["eval_loss"])


def test_the_teacher_leaves_modes_as_they_are_and_gets_no_gradients(tmp_path: Path) -> None:
    model, processor = trainable("qwen3_vl"), make_processor("qwen3_vl")
    model.model.visual.eval()
    teacher = trainable("qwen3_vl")
    collator = PruningCollator(model, processor, full=True)
    for taught_by in (teacher, None):
        trainer = DistillingTrainer(model, arguments(tmp_path), collator, EXAMPLES, teacher=taught_by)
        modes = [module.training for module in model.modules()]
        trainer.compute_loss(model, collator(EXAMPLES)).backward()
        assert [module.training for module in model.modules()] == modes
    assert all(weight.grad is None for weight in teacher.parameters())
    assert all(weight.grad is not None for weight in model.parameters())


def test_the_distilling_trainer_needs_whole_pictures(tmp_path: Path) -> None:
    model, processor = trainable("qwen3_vl"), make_processor("qwen3_vl")
    trainer = DistillingTrainer(model, arguments(tmp_path), PruningCollator(model, processor), EXAMPLES)
    with pytest.raises(UsageError, match="the batch has no whole pictures: give PruningCollator full=True"):
        trainer.train()
