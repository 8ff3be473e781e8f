"""Small models that vLLM's kernels for CPUs can run, and what transformers and vLLM say of the same pictures."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pictures
import tiny
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText, AutoProcessor

from pixtrim.engines.transformers import TransformersPruner

STEPS = 12
INTERLEAVED = {"rope_parameters": {**tiny.ROPE, "mrope_interleaved": True}}  # as in Qwen's checkpoints; vLLM reads it
PARTIAL = {"rope_parameters": {**tiny.ROPE, "mrope_section": [4, 2, 2], "partial_rotary_factor": 0.5}}
LINEAR = {"linear_key_head_dim": 128, "linear_value_head_dim": 128}

FOR_VLLM = {
    "qwen3_vl": INTERLEAVED,
    "qwen3_vl_moe": {
        **INTERLEAVED,
        "norm_topk_prob": True,
        "moe_intermediate_size": 96,
        "shared_expert_intermediate_size": 0,
    },
    "qwen3_5": {**INTERLEAVED, **LINEAR},
    "qwen3_5_moe": {**INTERLEAVED, **LINEAR},
    "glm4v": {**PARTIAL, "attention_bias": True},
    "glm4v_moe": {**PARTIAL, "partial_rotary_factor": 0.5, "use_qk_norm": False},
}
"""What the text part needs besides, for vLLM to run it on a CPU as transformers does."""


@dataclass(frozen=True)
class Said:
    """An answer: the prompt's length, the tokens, and the logarithms of the first token's probabilities by token."""

    prompt: int
    tokens: list[int]
    first: dict[int, float]


def saved(family: str, folder: Path) -> Path:
    """Write a model and its processor."""
    name = f"{family} for vLLM"
    made = tiny.FAMILIES[family]
    tiny.FAMILIES[name] = replace(made, text={**made.text, **FOR_VLLM.get(family, {})})
    tiny.save(name, folder)
    if family == "qwen3_vl_moe":
        store_experts_as_published(folder / "model.safetensors")
    return folder


def store_experts_as_published(path: Path) -> None:
    """Turn the matrices of experts: checkpoints of Qwen3-VL-MoE have inputs before outputs, which both sides undo."""
    weights = load_file(path)
    turned = {name: value.mT.contiguous() if ".experts." in name else value for name, value in weights.items()}
    save_file(turned, path, {"format": "pt"})


class Reference:
    """What transformers says, with this package's engine for it or without."""

    def __init__(self, folder: Path, dtype: str) -> None:
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
        self.processor = AutoProcessor.from_pretrained(folder)

    def prompt(self, *images: Any) -> str:
        """Return the text of a prompt with pictures."""
        found: str = self.processor.apply_chat_template(
            pictures.ask(*images), tokenize=False, add_generation_prompt=True
        )
        return found

    def __call__(self, *images: Any, **settings: Any) -> Said:
        """Answer; without settings nothing is pruned."""
        messages = pictures.ask(*images)
        if settings:
            inputs = TransformersPruner(self.model, self.processor, **settings)(messages)
        else:
            inputs = pictures.stock(self.processor, messages)
        length = inputs["input_ids"].shape[1]
        with torch.no_grad():
            found = self.model.generate(
                **inputs, max_new_tokens=STEPS, do_sample=False, output_logits=True, return_dict_in_generate=True
            )
        first = found.logits[0][0].float().log_softmax(-1)
        return Said(length, found.sequences[0, length:].tolist(), dict(enumerate(first.tolist())))


@contextmanager
def started(folder: Path, dtype: str = "float32", **settings: Any) -> Iterator[Any]:
    """Run an engine of vLLM in this process."""
    from vllm import LLM
    from vllm.distributed import cleanup_dist_env_and_memory

    engine = LLM(
        model=str(folder),
        enforce_eager=True,
        dtype=dtype,
        max_model_len=2048,
        max_num_seqs=4,
        limit_mm_per_prompt={"image": 3, "video": 0},
        **settings,
    )
    try:
        yield engine
    finally:
        del engine
        gc.collect()
        cleanup_dist_env_and_memory()


def ask(engine: Any, prompt: str, *images: Any, policy: Any = None, **fields: Any) -> Said:
    """Ask vLLM; `policy` is the request's."""
    return asked(engine, [request(prompt, images, policy, **fields)])[0]


def request(prompt: str, images: Sequence[Any], policy: Any = None, **fields: Any) -> dict[str, Any]:
    """Make a request, as vLLM's offline interface takes it."""
    found: dict[str, Any] = {"prompt": prompt, **fields}
    if images:
        found["multi_modal_data"] = {"image": [Image.fromarray(np.asarray(image)) for image in images]}
    if policy is not None:
        found["mm_processor_kwargs"] = {"pixtrim": policy}
    return found


def asked(engine: Any, requests: Sequence[dict[str, Any]]) -> list[Said]:
    """Ask several at once."""
    from vllm import SamplingParams

    greedy = SamplingParams(temperature=0, max_tokens=STEPS, ignore_eos=True, logprobs=5)
    answers = engine.generate(requests, greedy, use_tqdm=False)
    return [
        Said(
            len(answer.prompt_token_ids),
            list(answer.outputs[0].token_ids),
            {token: found.logprob for token, found in answer.outputs[0].logprobs[0].items()},
        )
        for answer in answers
    ]


def differ(ours: Said, theirs: Said) -> float:
    """Return by how much the first token's log probabilities differ at most, where both name them."""
    both = ours.first.keys() & theirs.first.keys()
    assert both
    return max(abs(ours.first[token] - theirs.first[token]) for token in both)
