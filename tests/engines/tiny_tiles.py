"""Models that cut pictures into fixed tiles, with small random weights, and processors of their real classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
import transformers
from tiny import byte_tokenizer

TILE, PATCH = 28, 14
"""Pixels on the side of a tile, and of a patch: a tile has four patches, which some models merge into one token."""

TEXT = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": False,
}
VISION = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": TILE,
    "patch_size": PATCH,
}
SQUARE = {"height": TILE, "width": TILE}
PINPOINTS = [[TILE * rows, TILE * columns] for rows in range(1, 5) for columns in range(1, 5) if rows * columns <= 8]
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    "{% if part.type == 'image' %}IMAGE{% elif part.type == 'video' %}VIDEO{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NAMED = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<image>",
    "video_token": "<video>",
    "image_token": "<image>",
    "boi_token": "<start_of_image>",
    "eoi_token": "<end_of_image>",
}
TOKENS = (
    *("<|im_start|>", "<|im_end|>", "<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_PATCH|>", "<end_of_utterance>"),
    *("TILE_GLOBAL", *(f"TILE_{number}" for number in range(1, 13))),
    *dict.fromkeys(NAMED.values()),
    *("<fake_token_around_image>", "<global-img>"),
    *(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)),
)


@dataclass(frozen=True)
class Tiny:
    """What one family is made of.

    Attributes
    ----------
    name : str
        The start of its classes' names.
    image : dict
        Settings of its image processor, whose class `image_class` names.
    processor : dict
        Settings of its processor.
    text, vision, config : dict
        Changes to the language model's, the encoder's and the model's configuration.
    placeholder : str
        What a chat template writes for a picture, and `token` what the processor makes of it.
    """

    name: str
    image_class: str
    text_type: str
    vision_type: str
    image: dict[str, Any]
    processor: dict[str, Any] = field(default_factory=dict)
    text: dict[str, Any] = field(default_factory=dict)
    vision: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    placeholder: str = "<image>"
    token: str = "<image>"
    video: str | None = None


FAMILIES = {
    "internvl": Tiny(
        "InternVL",
        "GotOcr2ImageProcessor",
        "qwen2",
        "internvl_vision",
        {"size": SQUARE},
        {"image_seq_length": 1},
        vision={"image_size": [TILE, TILE], "patch_size": [PATCH, PATCH]},
        config={"image_seq_length": 1},
        video="InternVLVideoProcessor",
    ),
    "aya_vision": Tiny(
        "AyaVision",
        "GotOcr2ImageProcessor",
        "cohere2",
        "siglip_vision_model",
        {"size": SQUARE},
        {"patch_size": PATCH, "img_size": TILE, "downsample_factor": 2},
        token="<|IMG_PATCH|>",
    ),
    "idefics3": Tiny(
        "Idefics3",
        "Idefics3ImageProcessor",
        "llama",
        "idefics3_vision",
        {"size": {"longest_edge": 4 * TILE}, "max_image_size": {"longest_edge": TILE}},
        {"image_seq_len": 1},
        config={"scale_factor": 2},
    ),
    "smolvlm": Tiny(
        "SmolVLM",
        "SmolVLMImageProcessor",
        "llama",
        "smolvlm_vision",
        {"size": {"longest_edge": 4 * TILE}, "max_image_size": {"longest_edge": TILE}},
        {"image_seq_len": 1},
        config={"scale_factor": 2},
        video="SmolVLMVideoProcessor",
    ),
    "llava_next": Tiny(
        "LlavaNext",
        "LlavaNextImageProcessor",
        "llama",
        "clip_vision_model",
        {"size": {"shortest_edge": TILE}, "crop_size": SQUARE, "image_grid_pinpoints": PINPOINTS},
        {"patch_size": PATCH, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1},
        config={"image_grid_pinpoints": PINPOINTS},
    ),
    "llava_onevision": Tiny(
        "LlavaOnevision",
        "LlavaOnevisionImageProcessor",
        "qwen2",
        "siglip_vision_model",
        {"size": SQUARE, "image_grid_pinpoints": PINPOINTS},
        {"num_image_tokens": 4, "vision_feature_select_strategy": "full"},
        config={"image_grid_pinpoints": PINPOINTS},
        video="LlavaOnevisionVideoProcessor",
    ),
    "gemma3": Tiny(
        "Gemma3",
        "Gemma3ImageProcessor",
        "gemma3_text",
        "siglip_vision_model",
        {"size": SQUARE},
        {"image_seq_length": 1},
        text={"query_pre_attn_scalar": 32, "sliding_window": 64},
        config={"mm_tokens_per_image": 1},
        placeholder="<start_of_image>",
    ),
    "llava": Tiny(
        "Llava",
        "CLIPImageProcessor",
        "llama",
        "clip_vision_model",
        {"size": {"shortest_edge": TILE}, "crop_size": SQUARE},
        {"patch_size": PATCH, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1},
    ),
}


def tokenizer() -> Any:
    """Make the tokenizer of all families."""
    made = byte_tokenizer(TOKENS)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made.backend_tokenizer,
        pad_token="<pad>",
        eos_token="<|im_end|>",
        extra_special_tokens=NAMED,
        padding_side="left",
        model_max_length=8192,
    )


def make_processor(family: str, **image: Any) -> Any:
    """Make a processor of the family's real class; `image` are changes to its image processor's settings."""
    tiny = FAMILIES[family]
    parts = {
        "image_processor": getattr(transformers, tiny.image_class)(**{**tiny.image, **image}),
        "tokenizer": tokenizer(),
    }
    if tiny.video:
        parts["video_processor"] = getattr(transformers, tiny.video)(do_sample_frames=False, size=SQUARE)
    template = TEMPLATE.replace("IMAGE", tiny.placeholder).replace("VIDEO", "<video>")
    return getattr(transformers, f"{tiny.name}Processor")(**parts, **tiny.processor, chat_template=template)


def token_of(family: str) -> int:
    """Return the id of the token that stands for a part of a picture."""
    return int(tokenizer().convert_tokens_to_ids(FAMILIES[family].token))


@cache
def make_model(family: str) -> Any:
    """Make a small model with weights large enough that what it says depends on what it sees."""
    tiny, words = FAMILIES[family], tokenizer()
    text = {**TEXT, "model_type": tiny.text_type, "vocab_size": len(words), "pad_token_id": 0, **tiny.text}
    text |= {"bos_token_id": None, "eos_token_id": None}
    vision = {**VISION, "model_type": tiny.vision_type, **tiny.vision}
    config = getattr(transformers, f"{tiny.name}Config")
    places = {name: token_of(family) for name in ("image_token_id", "image_token_index")}
    torch.manual_seed(0)
    model = getattr(transformers, f"{tiny.name}ForConditionalGeneration")(
        config(vision_config=vision, text_config=text, tie_word_embeddings=False, **places, **tiny.config)
    )
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1 or "bias" in name:
                weight.copy_(torch.randn(weight.shape, generator=generator) * (0.2 if weight.ndim > 1 else 0.02))
    model.generation_config.pad_token_id = 0
    model.generation_config.eos_token_id = None
    return model.eval()
