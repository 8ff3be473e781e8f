"""Fine-tune a vision-language model on the kept tokens of its pictures, and say what that saves.

::

    pip install "pixtrim[transformers]" accelerate
    python examples/finetune.py [--model FOLDER] [--pictures FOLDER]

Without a model, a small one with random weights is made, which starts to learn a drawn dashboard by heart and shows the
way in a minute. The folder of pictures has a questions.jsonl, in which each line is
{"image": NAME, "question": TEXT, "answer": TEXT}.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import content
import torch
import transformers
from PIL import Image
from screens import dashboard

from pixtrim.engines.transformers import PruningCollator, attach
from pixtrim.errors import PixtrimError

Example = dict[str, Any]
TOKEN = 32  # side in pixels of a token of the small model


def main(arguments: list[str]) -> int:
    """Train, and print tokens, losses and times."""
    options = parsed(arguments)
    transformers.set_seed(0)
    try:
        model, processor = opened(options.model) if options.model else small_model()
        examples = read_folder(options.pictures) if options.pictures else drawn()
        attach(model)
        size = {"shortest_edge": 4 * TOKEN**2, "longest_edge": options.tokens * TOKEN**2}
        settings = {"threshold": options.threshold, "processor_kwargs": {"images_kwargs": {"size": size}}}
        collator = PruningCollator(model, processor, **settings)
        both = PruningCollator(model, processor, full=True, **settings)(examples[: options.batch])
    except (PixtrimError, OSError) as error:
        print(f"finetune: {error}", file=sys.stderr)
        return 2
    whole = both.pop("full")

    before = mean_loss(model, collator, examples, options.batch)
    with tempfile.TemporaryDirectory() as scratch:
        trainer = transformers.Trainer(
            model,
            transformers.TrainingArguments(
                scratch,
                max_steps=options.steps,
                per_device_train_batch_size=options.batch,
                learning_rate=options.learning_rate or (1e-5 if options.model else 3e-3),
                logging_steps=max(1, options.steps // 5),
                save_strategy="no",
                report_to=[],
                remove_unused_columns=False,  # the collator reads fields that the model does not know
                dataloader_pin_memory=torch.cuda.is_available(),
            ),
            data_collator=collator,
            train_dataset=examples,
        )
        trainer.train()
    after = mean_loss(model, collator, examples, options.batch)
    if options.out:
        model.save_pretrained(options.out)
        processor.save_pretrained(options.out)

    print(f"loss on the {len(examples)} examples: {before:.3f} before, {after:.3f} after {options.steps} steps")
    print(f"{'':16}{'patches':>9}{'tokens of a row':>17}{'seconds a step':>16}")
    batches = {"whole pictures": whole, "kept tokens": both}
    for name, seconds in seconds_of_steps(model, batches).items():
        patches, length = len(batches[name]["pixel_values"]), batches[name]["input_ids"].shape[1]
        print(f"{name:16}{patches:>9,}{length:>17,}{seconds:>16.2f}")
    return 0


def parsed(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="finetune.py", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--model", help="folder or name of a model; default: a small one with random weights")
    parser.add_argument("--pictures", type=Path, help="folder with questions.jsonl; default: a drawn dashboard")
    parser.add_argument("--steps", type=int, default=16, help="training steps (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=2, help="examples in a step (default: %(default)s)")
    parser.add_argument("--threshold", type=float, default=0.0, help="levels, 0 to 255 (default: %(default)s)")
    parser.add_argument("--tokens", type=int, default=600, help="most tokens of a picture (default: %(default)s)")
    parser.add_argument("--learning-rate", type=float, help="default: 1e-5, for the small model 3e-3")
    parser.add_argument("--out", type=Path, help="folder to which the trained model is written")
    options = parser.parse_args(arguments)
    for name in ("steps", "batch", "tokens"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} is {getattr(options, name)}: give a number from 1")
    return options


def mean_loss(model: Any, collator: PruningCollator, examples: list[Example], size: int) -> float:
    """Return the mean loss of batches, without training."""
    model.eval()
    losses = []
    for start in range(0, len(examples), size):
        batch = on_device(model, collator(examples[start : start + size]))
        with torch.no_grad():
            losses.append(float(model(**batch).loss))
    return sum(losses) / len(losses)


def seconds_of_steps(model: Any, batches: dict[str, dict[str, Any]], times: int = 3) -> dict[str, float]:
    """Return the least time of a forward and a backward with each batch, in turns, so that all meet the same load."""
    found: dict[str, list[float]] = {name: [] for name in batches}
    model.train()
    for _ in range(times):
        for name, batch in batches.items():
            moved, start = on_device(model, batch), time.perf_counter()
            model(**moved).loss.backward()
            if model.device.type == "cuda":
                torch.cuda.synchronize()
            found[name].append(time.perf_counter() - start)
            model.zero_grad()
    return {name: min(seconds) for name, seconds in found.items()}


def on_device(model: Any, batch: dict[str, Any]) -> dict[str, Any]:
    """Move a batch to where the model is."""
    return {name: value.to(model.device) for name, value in batch.items()}


def example_of(picture: Any, question: str, answer: str) -> Example:
    """Return one question and its answer as a conversation."""
    return {
        "messages": [
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]},
            {"role": "assistant", "content": [{"type": "text", "text": answer}]},
        ],
        "images": [picture],
    }


def drawn() -> list[Example]:
    """Draw the dashboard, and ask for what stands on it."""
    picture = dashboard().image
    asked = [(f"What does '{label}' say?", value) for label, value, *_ in content.DASHBOARD_CARDS]
    asked += [(f"What is the status of {number}?", status) for number, _, _, status, *_ in content.EXCEPTIONS]
    return [example_of(picture, question, answer) for question, answer in asked]


def read_folder(folder: Path) -> list[Example]:
    """Read questions.jsonl and the pictures."""
    lines = (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines if line.strip()]
    names = {line["image"] for line in found}
    pictures = {name: Image.open(folder / name).convert("RGB") for name in names}
    return [example_of(pictures[line["image"]], line["question"], line["answer"]) for line in found]


def opened(name: str) -> tuple[Any, Any]:
    """Open a model and its processor."""
    model = transformers.AutoModelForImageTextToText.from_pretrained(name, dtype="auto")
    return model, transformers.AutoProcessor.from_pretrained(name)


def small_model() -> tuple[Any, Any]:
    """Make a Qwen3-VL with two layers and random weights, whose tokens are bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    print("no --model: a small Qwen3-VL with random weights is made, which knows nothing yet", flush=True)
    special = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    alphabet = ["<pad>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    inner = Tokenizer(models.BPE({letter: place for place, letter in enumerate(alphabet)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="<|im_end|>", additional_special_tokens=list(special)
    )
    number = tokenizer.convert_tokens_to_ids
    config = transformers.Qwen3VLConfig(
        vision_config={
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 128,
            "out_hidden_size": 128,
            "num_heads": 2,
            "patch_size": 16,
            "num_position_embeddings": 256,
            "deepstack_visual_indexes": [0],
        },
        text_config={
            "num_hidden_layers": 2,
            "hidden_size": 128,
            "intermediate_size": 256,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 16384,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [8, 4, 4]},
            "eos_token_id": number("<|im_end|>"),
        },
        image_token_id=number("<|image_pad|>"),
        video_token_id=number("<|video_pad|>"),
        vision_start_token_id=number("<|vision_start|>"),
        vision_end_token_id=number("<|vision_end|>"),
    )
    shape = {"patch_size": 16, "merge_size": 2}
    processor = transformers.Qwen3VLProcessor(
        transformers.Qwen2VLImageProcessor(**shape, image_mean=[0.5] * 3, image_std=[0.5] * 3),
        tokenizer,
        transformers.Qwen3VLVideoProcessor(**shape),
        chat_template=(
            "{% for message in messages %}<|im_start|>{{ message.role }}\n{% for part in message.content %}"
            "{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
            "{% else %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
        ),
    )
    return transformers.Qwen3VLForConditionalGeneration(config), processor


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
