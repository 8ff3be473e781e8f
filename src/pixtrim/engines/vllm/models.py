"""vLLM's models, each with `PruningModel`; the names are those of the architectures, as vLLM looks them up."""

from __future__ import annotations

from vllm.model_executor.models import qwen3_vl
from vllm.multimodal import MULTIMODAL_REGISTRY

from pixtrim.engines.vllm.processor import PruningProcessor
from pixtrim.engines.vllm.vision import PruningModel


class Qwen3VLProcessor(PruningProcessor, qwen3_vl.Qwen3VLMultiModalProcessor):  # type: ignore[misc]
    """Of Qwen3-VL and Qwen3.5."""


@MULTIMODAL_REGISTRY.register_processor(
    Qwen3VLProcessor, info=qwen3_vl.Qwen3VLProcessingInfo, dummy_inputs=qwen3_vl.Qwen3VLDummyInputsBuilder
)
class Qwen3VLForConditionalGeneration(PruningModel, qwen3_vl.Qwen3VLForConditionalGeneration):  # type: ignore[misc]
    """Qwen3-VL."""
