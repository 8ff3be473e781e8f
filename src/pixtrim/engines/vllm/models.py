"""vLLM's models, with what this package mixes in; the names are those of the architectures, as vLLM looks them up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vllm.model_executor.models import glm4_1v, qwen2_5_vl, qwen2_vl, qwen3_5, qwen3_vl, qwen3_vl_moe
from vllm.multimodal import MULTIMODAL_REGISTRY

from pixtrim.engines.vllm.dummies import NoisyDummies
from pixtrim.engines.vllm.processor import PruningProcessor
from pixtrim.engines.vllm.vision import PruningModel, PruningQwen2, PruningQwen25


def processed_as(stock: Any) -> Callable[[type], type]:
    """Register for a model the processor of vLLM's own, and its dummy pictures, with what this package mixes in."""
    factories = stock._processor_factory
    processor = type(factories.processor.__name__, (PruningProcessor, factories.processor), {})
    dummies = type(factories.dummy_inputs.__name__, (NoisyDummies, factories.dummy_inputs), {})
    register: Callable[[type], type] = MULTIMODAL_REGISTRY.register_processor(
        processor, info=factories.info, dummy_inputs=dummies
    )
    return register


@processed_as(qwen2_vl.Qwen2VLForConditionalGeneration)
class Qwen2VLForConditionalGeneration(PruningQwen2, qwen2_vl.Qwen2VLForConditionalGeneration):
    """Qwen2-VL."""


@processed_as(qwen2_5_vl.Qwen2_5_VLForConditionalGeneration)
class Qwen2_5_VLForConditionalGeneration(  # noqa: N801
    PruningQwen25, qwen2_5_vl.Qwen2_5_VLForConditionalGeneration
):
    """Qwen2.5-VL."""


@processed_as(qwen3_vl.Qwen3VLForConditionalGeneration)
class Qwen3VLForConditionalGeneration(PruningModel, qwen3_vl.Qwen3VLForConditionalGeneration):
    """Qwen3-VL."""


@processed_as(qwen3_vl_moe.Qwen3VLMoeForConditionalGeneration)
class Qwen3VLMoeForConditionalGeneration(PruningModel, qwen3_vl_moe.Qwen3VLMoeForConditionalGeneration):
    """Qwen3-VL-MoE."""


@processed_as(qwen3_5.Qwen3_5ForConditionalGeneration)
class Qwen3_5ForConditionalGeneration(PruningModel, qwen3_5.Qwen3_5ForConditionalGeneration):  # noqa: N801
    """Qwen3.5."""


@processed_as(qwen3_5.Qwen3_5MoeForConditionalGeneration)
class Qwen3_5MoeForConditionalGeneration(PruningModel, qwen3_5.Qwen3_5MoeForConditionalGeneration):  # noqa: N801
    """Qwen3.5-MoE."""


@processed_as(glm4_1v.Glm4vForConditionalGeneration)
class Glm4vForConditionalGeneration(PruningModel, glm4_1v.Glm4vForConditionalGeneration):
    """GLM-4.1V."""


@processed_as(glm4_1v.Glm4vMoeForConditionalGeneration)
class Glm4vMoeForConditionalGeneration(PruningModel, glm4_1v.Glm4vMoeForConditionalGeneration):
    """GLM-4.5V."""
