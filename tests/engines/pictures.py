"""Pictures and prompts that the engine's tests share."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from pixtrim.operators.prune import register, selector_names

Pixels = NDArray[np.uint8]

if "keep_everything" not in selector_names():
    register(
        "keep_everything",
        lambda picture: np.arange(picture.count, dtype=np.int32).reshape(picture.shape),
        modes=("anchored", "sliding"),
        summary="drops nothing",
    )


def page(width: int = 400, height: int = 300, seed: int = 0) -> Pixels:
    """A white page with two noisy lines, whose place depends on the seed."""
    rng = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), 255, np.uint8)
    for top in rng.integers(0, height - 30, 2):
        pixels[top : top + 20, 30 : width - 60] = rng.integers(0, 256, (20, width - 90, 3))
    return pixels


def clip(frames: int = 6, size: int = 168, seed: int = 0) -> Pixels:
    """A page on which a noisy block stands still for two frames and then moves on."""
    rng = np.random.default_rng(seed)
    block = rng.integers(0, 256, (40, 40, 3), np.uint8)
    pixels = np.full((frames, size, size, 3), 255, np.uint8)
    for number in range(frames):
        left = 30 * (number // 2)
        pixels[number, 50:90, left : left + 40] = block
    return pixels


def ask(*pictures: Pixels, text: str = "what?") -> list[dict[str, Any]]:
    """One message with pictures."""
    parts = [{"type": "image", "image": Image.fromarray(picture)} for picture in pictures]
    return [{"role": "user", "content": [*parts, {"type": "text", "text": text}]}]


def stock(processor: Any, messages: Any, **settings: Any) -> Any:
    """What the processor itself makes of messages."""
    return processor.apply_chat_template(
        messages,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        add_generation_prompt=True,
        processor_kwargs={"padding": True, **settings},
    )


def without_cache(model: Any, make: Any, steps: int) -> torch.Tensor:
    """Greedy tokens, each from a run over the whole sequence; `make` makes the inputs anew."""
    said: torch.Tensor | None = None
    for _ in range(steps):
        inputs = dict(make())
        if said is not None:
            count = said.shape[1]
            inputs["input_ids"] = torch.cat([inputs["input_ids"], said], 1)
            inputs["attention_mask"] = torch.cat([inputs["attention_mask"], torch.ones_like(said)], 1)
            places = inputs["position_ids"]
            inputs["position_ids"] = torch.cat([places, places[..., -1:] + torch.arange(1, count + 1)], -1)
        with torch.no_grad():
            token = model(**inputs, use_cache=False).logits[:, -1:].argmax(-1)
        said = token if said is None else torch.cat([said, token], 1)
    assert said is not None
    return said
