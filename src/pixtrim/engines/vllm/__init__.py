"""vLLM: patches left out before the vision encoder, by a plugin.

vLLM finds `register` by its entry point and calls it in each of its processes. From then on the architectures of
`ARCHITECTURES` are served by subclasses of vLLM's own models, which do what those do unless an engine is started with a
policy: ``--hf-overrides '{"pixtrim": {"threshold": 0}}'``. Nothing of vLLM is patched.
"""

from __future__ import annotations

__all__ = ["ARCHITECTURES", "register"]

MODELS = "pixtrim.engines.vllm.models"

ARCHITECTURES = (
    "Qwen2VLForConditionalGeneration",
    "Qwen2_5_VLForConditionalGeneration",
    "Qwen3VLForConditionalGeneration",
    "Qwen3VLMoeForConditionalGeneration",
    "Qwen3_5ForConditionalGeneration",
    "Qwen3_5MoeForConditionalGeneration",
    "Glm4vForConditionalGeneration",
    "Glm4vMoeForConditionalGeneration",
)
"""Architectures of checkpoints whose tokens can be left out; their classes have these names in vLLM, and here."""


def register() -> None:
    """Tell vLLM which classes serve `ARCHITECTURES`; they are imported when a model needs one."""
    from vllm import ModelRegistry

    for name in ARCHITECTURES:
        ModelRegistry.register_model(name, f"{MODELS}:{name}")
