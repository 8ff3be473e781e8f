"""Models of every family with small random weights, and processors of their real classes, made without a download."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

TEXT = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False,
}
ROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [8, 4, 4]}
QWEN_TOKENS = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
GLM_TOKENS = (
    *("<|im_start|>", "<|im_end|>", "<|begin_of_image|>", "<|end_of_image|>", "<|image|>"),
    *("<|begin_of_video|>", "<|end_of_video|>", "<|video|>"),
)
PADDLE_TOKENS = ("<|im_start|>", "<|im_end|>", "<|IMAGE_START|>", "<|IMAGE_END|>", "<|IMAGE_PLACEHOLDER|>")
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    "{% if part.type == 'image' %}IMAGE{% elif part.type == 'video' %}VIDEO{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
QWEN_VISION = {"depth": 2, "num_heads": 2, "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2}
QWEN3_VISION = {
    **QWEN_VISION,
    "patch_size": 16,
    "hidden_size": 64,
    "intermediate_size": 96,
    "out_hidden_size": 64,
    "num_position_embeddings": 64,
}
GLM_VISION = {
    **{key: value for key, value in QWEN_VISION.items() if key != "depth"},
    "depth": 2,
    "hidden_size": 64,
    "out_hidden_size": 64,
    "intermediate_size": 96,
    "image_size": 112,
}
MOE = {
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32,
    "decoder_sparse_step": 1,
}
LINEAR = {
    "layer_types": ["linear_attention", "full_attention"],
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 2,
    "linear_key_head_dim": 32,
    "linear_value_head_dim": 32,
    "partial_rotary_factor": 1.0,
}


@dataclass(frozen=True)
class Tiny:
    """What one family is made of: the classes and the small sizes."""

    model: str
    config: str
    processor: str
    vision: dict[str, Any]
    text: dict[str, Any] = field(default_factory=dict)
    tokens: tuple[str, ...] = QWEN_TOKENS
    image: str = "<|vision_start|><|image_pad|><|vision_end|>"
    video: str | None = "<|vision_start|><|video_pad|><|vision_end|>"
    image_processor: str = "Qwen2VLImageProcessor"
    video_processor: str | None = "Qwen2VLVideoProcessor"
    patch: int = 14


FAMILIES = {
    "qwen2_vl": Tiny(
        "Qwen2VLForConditionalGeneration",
        "Qwen2VLConfig",
        "Qwen2VLProcessor",
        {**QWEN_VISION, "embed_dim": 64, "hidden_size": 64, "mlp_ratio": 2},
    ),
    "qwen2_5_vl": Tiny(
        "Qwen2_5_VLForConditionalGeneration",
        "Qwen2_5_VLConfig",
        "Qwen2_5_VLProcessor",
        {
            **QWEN_VISION,
            "hidden_size": 64,
            "intermediate_size": 96,
            "out_hidden_size": 64,
            "window_size": 56,
            "fullatt_block_indexes": [1],
        },
    ),
    "qwen3_vl": Tiny(
        "Qwen3VLForConditionalGeneration",
        "Qwen3VLConfig",
        "Qwen3VLProcessor",
        {**QWEN3_VISION, "deepstack_visual_indexes": [0]},
        video_processor="Qwen3VLVideoProcessor",
        patch=16,
    ),
    "qwen3_vl_moe": Tiny(
        "Qwen3VLMoeForConditionalGeneration",
        "Qwen3VLMoeConfig",
        "Qwen3VLProcessor",
        {**QWEN3_VISION, "deepstack_visual_indexes": [0]},
        MOE,
        video_processor="Qwen3VLVideoProcessor",
        patch=16,
    ),
    "qwen3_5": Tiny(
        "Qwen3_5ForConditionalGeneration",
        "Qwen3_5Config",
        "Qwen3VLProcessor",
        QWEN3_VISION,
        LINEAR,
        video_processor="Qwen3VLVideoProcessor",
        patch=16,
    ),
    "qwen3_5_moe": Tiny(
        "Qwen3_5MoeForConditionalGeneration",
        "Qwen3_5MoeConfig",
        "Qwen3VLProcessor",
        QWEN3_VISION,
        {**LINEAR, **MOE},
        video_processor="Qwen3VLVideoProcessor",
        patch=16,
    ),
    "glm4v": Tiny(
        "Glm4vForConditionalGeneration",
        "Glm4vConfig",
        "Glm4vProcessor",
        GLM_VISION,
        {"pad_token_id": 0},
        tokens=GLM_TOKENS,
        image="<|begin_of_image|><|image|><|end_of_image|>",
        video="<|begin_of_video|><|video|><|end_of_video|>",
        image_processor="Glm4vImageProcessor",
        video_processor="Glm4vVideoProcessor",
    ),
    "glm4v_moe": Tiny(
        "Glm4vMoeForConditionalGeneration",
        "Glm4vMoeConfig",
        "Glm4vProcessor",
        GLM_VISION,
        {
            "pad_token_id": 0,
            "partial_rotary_factor": 1.0,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 32,
            "n_shared_experts": 1,
            "first_k_dense_replace": 1,
            "n_group": 1,
            "topk_group": 1,
        },
        tokens=GLM_TOKENS,
        image="<|begin_of_image|><|image|><|end_of_image|>",
        video="<|begin_of_video|><|video|><|end_of_video|>",
        image_processor="Glm4vImageProcessor",
        video_processor="Glm4vVideoProcessor",
    ),
    "glm46v": Tiny(
        "Glm46VForConditionalGeneration",
        "Glm46VConfig",
        "Glm46VProcessor",
        {**GLM_VISION, "model_type": "glm4v_vision"},
        {"pad_token_id": 0, "model_type": "glm4v_text"},
        tokens=GLM_TOKENS,
        image="<|begin_of_image|><|image|><|end_of_image|>",
        video="<|begin_of_video|><|video|><|end_of_video|>",
        image_processor="Glm46VImageProcessor",
        video_processor="Glm46VVideoProcessor",
    ),
    "glm_ocr": Tiny(
        "GlmOcrForConditionalGeneration",
        "GlmOcrConfig",
        "Glm46VProcessor",
        {**GLM_VISION, "head_dim": 32},
        {"pad_token_id": 0},
        tokens=GLM_TOKENS,
        image="<|begin_of_image|><|image|><|end_of_image|>",
        video=None,
        image_processor="Glm46VImageProcessor",
        video_processor="Glm46VVideoProcessor",
    ),
    "paddleocr_vl": Tiny(
        "PaddleOCRVLForConditionalGeneration",
        "PaddleOCRVLConfig",
        "PaddleOCRVLProcessor",
        {
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 112,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 1,
        },
        {"pad_token_id": 0},
        tokens=PADDLE_TOKENS,
        image="<|IMAGE_START|><|IMAGE_PLACEHOLDER|><|IMAGE_END|>",
        video=None,
        image_processor="PaddleOCRVLImageProcessor",
        video_processor=None,
    ),
}


def byte_tokenizer(special: tuple[str, ...]) -> Any:
    """Make a tokenizer that knows the 256 bytes and some special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: place for place, letter in enumerate(["<pad>", *alphabet])}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        eos_token="<|im_end|>",
        additional_special_tokens=list(special),
        **({"image_token": special[-1]} if special == PADDLE_TOKENS else {}),
        padding_side="left",
        model_max_length=8192,
    )


def make_processor(family: str, size: dict[str, int] | None = None) -> Any:
    """Make a processor of the family's real class; `size` are the pixel limits of its images."""
    tiny = FAMILIES[family]
    tokenizer = byte_tokenizer(tiny.tokens)
    shape = {"patch_size": tiny.patch, "merge_size": 2}
    if tiny.image_processor.startswith("Glm"):
        # The area of these counts the frames of a slot.
        area = size or {"shortest_edge": 2 * 56 * 56, "longest_edge": 2 * 448 * 448}
    else:
        area = size or {"shortest_edge": 56 * 56, "longest_edge": 448 * 448}
    parts = {"image_processor": getattr(transformers, tiny.image_processor)(**shape, size=area), "tokenizer": tokenizer}
    if tiny.video_processor:
        parts["video_processor"] = getattr(transformers, tiny.video_processor)(**shape, do_sample_frames=False)
    template = TEMPLATE.replace("IMAGE", tiny.image).replace("VIDEO", tiny.video or "")
    return getattr(transformers, tiny.processor)(**parts, chat_template=template)


def make_config(family: str, **changes: Any) -> Any:
    """Make the small configuration of a family; `changes` are to its text part."""
    tiny = FAMILIES[family]
    tokenizer = byte_tokenizer(tiny.tokens)
    ids = tokenizer.convert_tokens_to_ids
    text = {**TEXT, "rope_parameters": dict(ROPE), **tiny.text, **changes}
    text["vocab_size"] = len(tokenizer)
    text["eos_token_id"] = text["bos_token_id"] = None
    named = {
        "<|vision_start|>": "vision_start_token_id",
        "<|vision_end|>": "vision_end_token_id",
        "<|begin_of_image|>": "image_start_token_id",
        "<|end_of_image|>": "image_end_token_id",
        "<|begin_of_video|>": "video_start_token_id",
        "<|end_of_video|>": "video_end_token_id",
        "<|IMAGE_START|>": "vision_start_token_id",
    }
    places = {value: ids(key) for key, value in named.items() if key in tiny.tokens}
    image = next(token for token in tiny.tokens if token in ("<|image_pad|>", "<|image|>", "<|IMAGE_PLACEHOLDER|>"))
    places["image_token_id"] = ids(image)
    video = [token for token in tiny.tokens if token in ("<|video_pad|>", "<|video|>")]
    places["video_token_id"] = ids(video[0]) if video else len(tokenizer) - 1
    return getattr(transformers, tiny.config)(
        vision_config=dict(tiny.vision), text_config=text, tie_word_embeddings=False, **places
    )


@cache
def make_model(family: str) -> Any:
    """Make a small model with weights large enough that what it says depends on what it sees."""
    torch.manual_seed(0)
    model = getattr(transformers, FAMILIES[family].model)(make_config(family))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1 or "bias" in name:
                weight.copy_(torch.randn(weight.shape, generator=generator) * (0.2 if weight.ndim > 1 else 0.02))
    model.generation_config.pad_token_id = 0
    model.generation_config.eos_token_id = None
    return model.eval()


def save(family: str, folder: Path) -> Path:
    """Write a model and its processor as a folder that `from_pretrained` reads."""
    make_model(family).save_pretrained(folder)
    make_processor(family).save_pretrained(folder)
    return folder
