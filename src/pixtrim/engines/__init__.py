"""Hosts that one runs oneself: models that are given fewer tokens before their vision encoder starts.

`pixtrim.engines.transformers` is for Hugging Face transformers. `families` says, for all engines, what sets one family
of models apart from another.
"""
