"""The gateway: requests to hosted models, with smaller images and nothing else changed."""

from __future__ import annotations

from pixtrim.gateway.rewrite import ImageReport, RewriteReport, Rewritten, rewrite
from pixtrim.gateway.settings import LOSSLESS_FIRST, Settings

__all__ = ["LOSSLESS_FIRST", "ImageReport", "RewriteReport", "Rewritten", "Settings", "rewrite"]
