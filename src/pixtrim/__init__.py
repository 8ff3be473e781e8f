"""Fewer visual tokens, same answer: images made cheaper for vision-language models."""

__version__ = "0.1.0"

__all__ = ["__version__"]
