"""How many visual tokens requests had, and how many were left: for the log, and for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter
from vllm.logger import init_logger

__all__ = ["count"]

logger = init_logger("vllm.pixtrim")  # below vLLM's own, whose handlers it shares

IMAGES = Counter("pixtrim_images", "Images of requests.")
TOKENS = Counter("pixtrim_image_tokens", "Visual tokens of these images.")
KEPT = Counter("pixtrim_kept_image_tokens", "Visual tokens of these images that the model was given.")


def count(images: Iterable[tuple[int, int]]) -> None:
    """Take note of a request's images: the tokens that each has, and those that are kept of it."""
    found = list(images)
    if not found:
        return
    tokens, kept = (sum(numbers) for numbers in zip(*found, strict=True))
    IMAGES.inc(len(found))
    TOKENS.inc(tokens)
    KEPT.inc(kept)
    share = 100 * kept / tokens
    logger.info("pixtrim: %d of %d visual tokens (%.1f%%), images: %d", kept, tokens, share, len(found))
