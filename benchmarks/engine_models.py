"""What the benchmarks of the engine run: Qwen3-VL at its published sizes with random weights, and clocks inside it.

Nothing here needs pixtrim, and it works with transformers 4.57 as well, so that published code runs on the same models.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

Record = dict[str, Any]

OLD = transformers.__version__.startswith("4.")

SMALL = {"hidden_size": 1024, "num_heads": 16, "intermediate_size": 4096, "depth": 24}
LARGE = {"hidden_size": 1152, "num_heads": 16, "intermediate_size": 4304, "depth": 27}
SIZES: dict[str, dict[str, Record]] = {
    "2B": {
        "vision": {**SMALL, "out_hidden_size": 2048, "deepstack_visual_indexes": [5, 11, 17]},
        "text": {"hidden_size": 2048, "intermediate_size": 6144, "num_attention_heads": 16, "num_hidden_layers": 28},
        "whole": {"tie_word_embeddings": True},
    },
    "4B": {
        "vision": {**SMALL, "out_hidden_size": 2560, "deepstack_visual_indexes": [5, 11, 17]},
        "text": {"hidden_size": 2560, "intermediate_size": 9728, "num_attention_heads": 32, "num_hidden_layers": 36},
        "whole": {"tie_word_embeddings": True},
    },
    "8B": {
        "vision": {**LARGE, "out_hidden_size": 4096, "deepstack_visual_indexes": [8, 16, 24]},
        "text": {"hidden_size": 4096, "intermediate_size": 12288, "num_attention_heads": 32, "num_hidden_layers": 36},
        "whole": {"tie_word_embeddings": False},
    },
}
"""What sets the published models apart; the rest is in `configuration`."""

VOCABULARY = 151936
PIXELS = {"shortest_edge": 256 * 256, "longest_edge": 4096 * 4096}
TOKENS = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{% for part in message.content %}"
    "{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
QUESTION = "What does the picture say?"


# Models and processors


def configuration(size: str, depth: float = 1.0) -> Any:
    """Return the configuration of a published size.

    With less `depth`, every part that costs time has that share of what it has: layers of the encoder and of the
    language model, layers whose features go to the language model (deepstack), and words of the vocabulary. So each
    part's share of the work stays as it is.
    """
    parts = SIZES[size]
    vision, text = dict(parts["vision"]), dict(parts["text"])
    stack = vision["deepstack_visual_indexes"]
    kept = stack[-max(1, round(depth * len(stack))) :]
    vision["deepstack_visual_indexes"] = [max(0, round((layer + 1) * depth) - 1) for layer in kept]
    vision["depth"] = round(vision["depth"] * depth)
    text["num_hidden_layers"] = round(text["num_hidden_layers"] * depth)
    image, video, start, end = tokenizer().convert_tokens_to_ids([TOKENS[n] for n in (4, 5, 2, 3)])
    return transformers.Qwen3VLConfig(
        vision_config={**vision, "patch_size": 16, "num_position_embeddings": 2304},
        text_config={
            **text,
            **parts["whole"],
            "num_key_value_heads": 8,
            "head_dim": 128,
            "vocab_size": round(VOCABULARY * depth),
            "max_position_embeddings": 262144,
            "rope_theta": 5_000_000,
            "rope_scaling": {"rope_type": "default", "mrope_interleaved": True, "mrope_section": [24, 20, 20]},
        },
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
        **parts["whole"],
    )


def make_model(size: str, depth: float, dtype: str, device: str) -> Any:
    """Make a model with random weights, which takes as long as the published one; on the CPU see `Patches`."""
    torch.manual_seed(0)
    with torch.device(device):
        model = transformers.AutoModelForImageTextToText.from_config(
            configuration(size, depth), dtype=getattr(torch, dtype), attn_implementation="sdpa"
        )
    if device == "cpu":
        model.model.visual.patch_embed.proj = Patches(model.model.visual.patch_embed.proj)
    model.generation_config.pad_token_id = 0
    model.generation_config.eos_token_id = None
    return model.eval()


class Patches(torch.nn.Linear):
    """The embedding of patches as the matrix product that it is.

    The models have a convolution whose stride is its kernel. PyTorch's takes hundreds of times as long as this in
    bfloat16 on a CPU, as long as all layers of the encoder together, which says nothing of the model.
    """

    def __init__(self, convolution: Any) -> None:
        weight = convolution.weight
        super().__init__(weight[0].numel(), len(weight), dtype=weight.dtype)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        return super().forward(patches.flatten(1))


def tokenizer() -> Any:
    """Make a tokenizer that knows the 256 bytes and the special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: place for place, letter in enumerate(["<pad>", *alphabet])}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    made = transformers.Qwen2TokenizerFast if OLD else transformers.PreTrainedTokenizerFast
    return made(
        tokenizer_object=inner,
        pad_token="<pad>",
        eos_token="<|im_end|>",
        additional_special_tokens=list(TOKENS),
        padding_side="left",
    )


def make_processor() -> Any:
    """Make the model's processor, whose image processor is the fast one, with the published limits of pixels."""
    fast = transformers.Qwen2VLImageProcessorFast if OLD else transformers.Qwen2VLImageProcessor
    shape = {"patch_size": 16, "merge_size": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    return transformers.Qwen3VLProcessor(
        image_processor=fast(**shape, size=PIXELS),
        video_processor=transformers.Qwen3VLVideoProcessor(**shape),
        tokenizer=tokenizer(),
        chat_template=TEMPLATE,
    )


def question(path: Path) -> list[Record]:
    """Return a conversation that asks about a picture."""
    with Image.open(path) as picture:
        image = picture.convert("RGB")
    return [{"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": QUESTION}]}]


def processed(processor: Any, messages: list[Record]) -> Any:
    """Run the stock processor."""
    return processor.apply_chat_template(
        messages, tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
    )


# Clocks


CUDA = torch.cuda.is_available()
clock = time.perf_counter if CUDA else time.process_time
"""Seconds; without CUDA those of the processor's one core, which other processes of the machine do not lengthen."""

if not CUDA:
    torch.set_num_threads(1)


def settled() -> float:
    """Wait until the device has done what it was given; return the time."""
    if CUDA:
        torch.cuda.synchronize()
    return clock()


class Clock:
    """The time that a module takes in forward passes: by the device's events on CUDA, by the clock elsewhere."""

    def __init__(self, module: Any) -> None:
        self._marks: list[Any] = []
        module.register_forward_pre_hook(lambda *_: self._mark())
        module.register_forward_hook(lambda *_: self._mark())

    def _mark(self) -> None:
        if CUDA:
            self._marks.append(torch.cuda.Event(enable_timing=True))
            self._marks[-1].record()
        else:
            self._marks.append(clock())

    def ms(self) -> float:
        """Return the milliseconds since it was last asked, when the device has settled."""
        pairs = list(zip(self._marks[::2], self._marks[1::2], strict=True))
        self._marks.clear()
        return sum(start.elapsed_time(end) if CUDA else (end - start) * 1000 for start, end in pairs)


class Bench:
    """A model with clocks in its encoder and its language model."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self._vit, self._llm = Clock(model.model.visual), Clock(model.model.language_model)

    def first_token(self, make_inputs: Callable[[], Any]) -> Record:
        """Time a request: from pictures to the first token, in milliseconds.

        ``inputs`` is what happens before ``generate`` but not in the encoder.
        """
        self._forget()
        start = settled()
        inputs = make_inputs()
        ready = settled()
        early = self._vit.ms()
        with torch.inference_mode():
            self.model.generate(**inputs, max_new_tokens=1, do_sample=False)
        total = (settled() - start) * 1000
        vit, prefill = early + self._vit.ms(), self._llm.ms()
        return {"inputs": (ready - start) * 1000 - early, "vit": vit, "prefill": prefill, "total": total}

    def _forget(self) -> None:
        """Let the clocks start anew, whatever the model did in between."""
        settled()
        self._vit.ms()
        self._llm.ms()

    def step(self, loss_of: Callable[[Any], Any], optimiser: Any) -> Record:
        """Time a step of training, forward, backward and update, in milliseconds."""
        self._forget()
        start = settled()
        loss_of(self.model).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        total = (settled() - start) * 1000
        return {"forward of the encoder": self._vit.ms(), "forward of the model": self._llm.ms(), "total": total}


def in_turn(ways: Mapping[str, Callable[[], Record]], rounds: int) -> dict[str, Record]:
    """Measure ways in turn, in another order each round; return the median of each of their figures.

    On CUDA, one round before them warms up, and ``peak GiB`` is the most memory that was allocated.
    """
    found: dict[str, list[Record]] = {way: [] for way in ways}
    shuffle = random.Random(0)
    for turn in range(rounds + CUDA):
        for way in shuffle.sample(list(ways), len(ways)):
            if CUDA:
                torch.cuda.reset_peak_memory_stats()
            figures = ways[way]()
            if CUDA:
                figures["peak GiB"] = torch.cuda.max_memory_allocated() / 2**30
            if turn or not CUDA:
                found[way].append(figures)
    return {way: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for way, runs in found.items()}


def tuned(model: Any) -> Any:
    """Return plain gradient descent, which keeps nothing besides the weights, with steps too small to change much."""
    return torch.optim.SGD(model.parameters(), lr=1e-6)
