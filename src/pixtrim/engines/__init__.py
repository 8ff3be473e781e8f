"""Hosts that one runs oneself: models that are given fewer tokens before their vision encoder starts.

`pixtrim.engines.transformers` is for Hugging Face transformers, `pixtrim.engines.vllm` for vLLM. `families` says, for
both, what sets one family of models apart from another.
"""
